// Collectives over a mesh axis.
#ifndef MOE_IR_COLLECTIVE_OPS_TD
#define MOE_IR_COLLECTIVE_OPS_TD

include "moe/IR/MoeOpBase.td"

def Moe_AllToAllOp : Moe_Op<"all_to_all", [AttrSizedOperandSegments, Moe_ReifiesSizes]> {
  let summary = "sends blocks of rows to every rank of a group and receives theirs";
  let description = [{
    Without counts the buffer is split evenly along `split_dim`. With counts,
    `send[r]` rows go to rank r and `receive[r]` rows come from it. A group of one
    rank sends all to itself: the result is the buffer.

    Constraints:
    - all_to_all-c1: `send` and `receive` are both given or neither, and have one
      length.
    - all_to_all-c2: `group` is not empty.
    - all_to_all-c3: 0 <= split_dim < rank of the buffer.
    - all_to_all-c4: the result has the buffer's rank and element type, and its
      sizes; with counts the size of `split_dim` may differ.

    Lifespan: created by distribute or written by hand. On one machine distribute
    takes it out; across ranks it is not supported yet.

    Example:
    ```mlir
    %r = moe.all_to_all %rows group("experts") send(%send : tensor<4xi32>) receive(%receive : tensor<4xi32>) : tensor<?x64xf32> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$buffer, Optional<Moe_I32Vector>:$send, Optional<Moe_I32Vector>:$receive,
    StrAttr:$group, DefaultValuedAttr<I64Attr, "0">:$split_dim);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $buffer `group` `(` $group `)` (`send` `(` $send^ `:` type($send) `)`)? (`receive` `(` $receive^ `:` type($receive) `)`)?
    attr-dict `:` type($buffer) `->` type($result)
  }];
  let hasVerifier = 1;
}

#endif // MOE_IR_COLLECTIVE_OPS_TD
