// Stored weights: symbols that name bytes in a file, and the values that read them.
#ifndef MOE_IR_WEIGHT_OPS_TD
#define MOE_IR_WEIGHT_OPS_TD

include "moe/IR/MoeOpBase.td"

def Moe_WeightOp : Moe_Op<"weight", [Symbol]> {
  let summary = "a stored weight: a symbol that names bytes, never the bytes";
  let description = [{
    `source` says where the values are: `#moe.file<...>`, or a dense
    attribute for a weight written by hand in the `.mlir`. A packed weight has
    no source of its own: `packing` names the layout, `from` the weights that
    it is made of (two for `gate_up16` of separate tensors), `order` and `gate`
    how to read those. `section` and `offset` are its place in
    `model.weights`; the lower stage gives them.

    Lifespan: created by import (sources) and lower (packed), read by package.

    Example:
    ```mlir
    moe.weight @gate_up : tensor<8x96x64xf32> source(#moe.file<"model.onnx", offset = 128, length = 196608>)
    moe.weight @gate_up.panels : tensor<8x3x64x32xf32> packed(gate_up16) from([@gate_up]) order(out_in) gate(halves)
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       OptionalAttr<StrAttr>:$sym_visibility,
                       TypeAttrOf<AnyRankedTensor>:$type,
                       OptionalAttr<AnyAttr>:$source,
                       OptionalAttr<Moe_PackingFamilyAttr>:$packing,
                       OptionalAttr<FlatSymbolRefArrayAttr>:$from,
                       OptionalAttr<Moe_WeightOrderAttr>:$order,
                       OptionalAttr<Moe_GateLayoutAttr>:$gate,
                       OptionalAttr<I64Attr>:$section,
                       OptionalAttr<I64Attr>:$offset);
  let assemblyFormat = [{
    ($sym_visibility^)? $sym_name `:` $type (`source` `(` $source^ `)`)?
    (`packed` `(` $packing^ `)`)? (`from` `(` $from^ `)`)?
    (`order` `(` $order^ `)`)? (`gate` `(` $gate^ `)`)?
    (`section` $section^)? (`at` $offset^)? attr-dict
  }];
  let hasVerifier = 1;
}

def Moe_WeightRefOp : Moe_Op<"weight_ref",
    [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a stored weight; read-only";
  let description = [{
    A tensor until bufferization, a read-only memref into the mapped
    `model.weights` after it.
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs Moe_TensorOrMemRef:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

def Moe_RequireEqualOp : Moe_Op<"require_equal"> {
  let summary = "a condition on the input dims, checked on entry to run";
  let description = [{
    `lhs` and `rhs` are functions of the input dims. Where they differ at run
    time, run answers bad_shape with `message`. Import cannot always prove that
    two symbolic dims agree; this is what it assumed.

    Lifespan: created by raise; lower moves it into the shape function.
  }];
  let arguments = (ins Index:$lhs, Index:$rhs, StrAttr:$message);
  let assemblyFormat = "$lhs `,` $rhs `,` $message attr-dict";
}

#endif // MOE_IR_WEIGHT_OPS_TD
