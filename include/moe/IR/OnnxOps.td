// One generic op holds any ONNX node; none is left after the raise stage.
#ifndef MOE_IR_ONNX_OPS_TD
#define MOE_IR_ONNX_OPS_TD

include "moe/IR/MoeOpBase.td"

def Moe_OnnxOp : Moe_Op<"onnx", [Pure]> {
  let summary = "a node of an ONNX graph";
  let description = [{
    Operands and results are ranked tensors; an absent optional input is a
    `moe.absent`, an absent optional output has type `none`. Attributes keep
    their ONNX names in `node_attributes` (integers as i64, floats as f32, lists as
    dense arrays, tensors as elements attributes); `version` is the
    since-version of the schema that applies. The node's name is the location.

    Constraints:
    - onnx-c1: operands are ranked tensors or none, results too.
    - onnx-c2: `op_type` is not empty and `version` at least 1.

    Lifespan: created by import, gone after raise.

    Example:
    ```mlir
    %v, %i = moe.onnx "TopK"(%p, %k) version 11 {axis = -1 : i64}
        : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
    ```
  }];
  let arguments = (ins StrAttr:$op_type, Variadic<AnyType>:$inputs,
                       DefaultValuedStrAttr<StrAttr, "">:$domain,
                       I64Attr:$version, DictionaryAttr:$node_attributes);
  let results = (outs Variadic<AnyType>:$outputs);
  let regions = (region VariadicRegion<AnyRegion>:$subgraphs);
  let assemblyFormat = [{
    $op_type `(` $inputs `)` (`domain` $domain^)? `version` $version $node_attributes
    (`graphs` $subgraphs^)? attr-dict `:` functional-type($inputs, $outputs)
  }];
  let hasVerifier = 1;
}

def Moe_AbsentOp : Moe_Op<"absent", [Pure]> {
  let summary = "an optional ONNX input that the node does not have";
  let description = [{
    Constraints: none.

    Lifespan: created by import, gone after raise.

    Example:
    ```mlir
    %n = moe.absent : none
    ```
  }];
  let results = (outs NoneType:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

#endif // MOE_IR_ONNX_OPS_TD
