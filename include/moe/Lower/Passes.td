// Passes of the lower stage. A pass Foo has the flag moe-lower-… and lives in lib/Lower/.
#ifndef MOE_LOWER_PASSES_TD
#define MOE_LOWER_PASSES_TD

include "mlir/Pass/PassBase.td"

def LowerPackWeights : Pass<"moe-lower-pack-weights", "::mlir::ModuleOp"> {
  let summary = "gives stored weights the layout kernels read and a place in model.weights";
  let description = [{
    Obeys the plan of each `moe.grouped_matmul`: its weight (and separate `up`
    weight) becomes one packed `moe.weight` of type E×P×K×32 f32, with P =
    ceil(N/32) panels for panel32 and P = ceil(I/16) for gate_up16; products with
    the same weights and packing share it. The product gets `packing` and
    `columns`, the N of the product before its epilogue: 2·I where it is gated.
    Biases stay as they are, in the gate layout of `ffn`.

    Weights that nothing reads any more and that no packed weight is made of are
    erased. Every weight that is read gets `section`, the number of its packing
    family (0 plain, 1 panel32, 2 gate_up16), and `offset`, bytes from the start
    of the section, a multiple of 64.

    Example:
    ```mlir
    moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
    %w = moe.weight_ref @w : tensor<64x96xf32>
    %y = moe.grouped_matmul %x weight(%w : tensor<64x96xf32>) ... {plan = #moe.plan<packing = panel32, ...>}
    ```
    becomes
    ```mlir
    moe.weight @w.panels : tensor<1x2x96x32xf32> packed(panel32) from([@w]) order(out_in) gate(none) section 1 at 0
    %p = moe.weight_ref @w.panels : tensor<1x2x96x32xf32>
    %y = moe.grouped_matmul %x weight(%p : tensor<1x2x96x32xf32>) ... {columns = 64, packing = panel32}
    ```
  }];
}

#endif // MOE_LOWER_PASSES_TD
