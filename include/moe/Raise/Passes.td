// Passes of the raise stage. A pass Foo has the flag moe-raise-… and lives in lib/Raise/.
#ifndef MOE_RAISE_PASSES_TD
#define MOE_RAISE_PASSES_TD

include "mlir/Pass/PassBase.td"

//===-- Ordinary ONNX ops ------------------------------------------------===//

def RaiseOnnx : Pass<"moe-raise-onnx", "::mlir::ModuleOp"> {
  let summary = "every moe.onnx op of the entry function becomes linalg, tensor, arith, math or moe.concat";
  let description = [{
    Each op of an ONNX graph is written as `linalg` on tensors (a product as
    `linalg.matmul` or `linalg.batch_matmul`, anything elementwise as one
    `linalg.generic`), moves as `tensor` ops, a Concat as `moe.concat`. Dynamic
    sizes are index arithmetic on the dims of the entry arguments; tensors that
    only computed shapes vanish, those whose contents follow from the input
    dims are built from index arithmetic where they are read. What inference had to take
    as equal becomes `moe.require_equal`. Ops whose results nobody needs are
    dropped. An op that has no conversion, or a size that depends on data, is an
    error that names the node.

    Example:
    ```mlir
    %0 = moe.onnx "Relu"(%x) version 14 {} : (tensor<?x8xf32>) -> tensor<?x8xf32>
    ```
    becomes
    ```mlir
    %e = tensor.empty(%T) : tensor<?x8xf32>
    %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %zero = arith.constant 0.0 : f32
      %y = arith.maximumf %in, %zero : f32
      linalg.yield %y : f32
    } -> tensor<?x8xf32>
    ```
  }];
  let dependentDialects = ["::moe::MoeDialect", "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect"];
}

def VerifyRaised : Pass<"moe-verify-raised", "::mlir::ModuleOp"> {
  let summary = "what the raise stage leaves: no moe.onnx, no moe.absent, one entry with names, ranked tensors";
  let description = [{
    Changes nothing; every violation is an error at the op.
  }];
}

#endif // MOE_RAISE_PASSES_TD
