// Movement of rows: dispatch to experts and combine back.
#ifndef MOE_IR_MOVEMENT_OPS_TD
#define MOE_IR_MOVEMENT_OPS_TD

include "moe/IR/MoeOpBase.td"

def Moe_DispatchOp : Moe_Op<"dispatch", [Pure, Moe_ReifiesSizes]> {
  let summary = "copies token rows into their experts' slots";
  let description = [{
    `x` is T×H. Ragged: the result is R×H, row slot[n] = x[token[n]]. Padded:
    the result is E×C×H. Slots nobody has are zero. With `weights`, rows are
    scaled on the way in (Llama-4).

    Constraints:
    - dispatch-c1: the lists and `weights` have one length.
    - dispatch-c2: ragged rows have rank 2, padded rows rank 3.
    - dispatch-c3: rows have the element type and the H of `x`.
    - dispatch-c4: `offset` has at least 2 elements, E+1; padded rows have that E.

    Lifespan: created by raise or written by hand, gone after fuse.

    Example:
    ```mlir
    %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset
        : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins Moe_FloatMatrix:$x, Moe_I32Vector:$token, Moe_I32Vector:$expert,
    Moe_I32Vector:$slot, Moe_I1Vector:$keep, Moe_I32Vector:$offset, Optional<Moe_F32Vector>:$weights,
    DefaultValuedAttr<Moe_SlotLayoutAttr, "::moe::SlotLayout::Ragged">:$layout);
  let results = (outs Moe_FloatTensor:$rows);
  let assemblyFormat = [{
    $layout $x `,` $token `,` $expert `,` $slot `,` $keep `,` $offset (`weights` `(` $weights^ `:` type($weights) `)`)?
    attr-dict `:` type($x) `,` type($token) `,` type($expert) `,` type($slot) `,` type($keep) `,` type($offset) `->` type($rows)
  }];
  let hasVerifier = 1;
}

def Moe_CompactOp : Moe_Op<"compact", [Pure, Moe_ReifiesSizes]> {
  let summary = "the positions of what is true, in order, and how many there are";
  let description = [{
    `position` has the length of `flags`: its first `count` elements are the
    positions of the true ones, ascending, the others are 0. ONNX's NonZero and
    Compress are made of it: `count` is a size that depends on data.

    Constraints:
    - compact-c1: `position` has the length of `flags`.

    Lifespan: created by raise or written by hand, gone after lower.

    Example:
    ```mlir
    %position, %count = moe.compact %flags : tensor<?xi1> -> tensor<?xi64>, tensor<i64>
    ```
  }];
  let arguments = (ins Moe_I1Vector:$flags);
  let results = (outs 1DTensorOf<[I64]>:$position, 0DTensorOf<[I64]>:$count);
  let assemblyFormat = "$flags attr-dict `:` type($flags) `->` type($position) `,` type($count)";
  let hasVerifier = 1;
}

def Moe_CombineOp : Moe_Op<"combine", [Pure, Moe_ReifiesSizes]> {
  let summary = "weighted sum of expert outputs per token, in f32, in ascending expert id";
  let description = [{
    y[t] = Σ weights[n]·rows[slot[n]] over the kept assignments of t. A token
    without one gives zero, or the row of `x` where dropped is identity.
    `tokens` is T.

    Constraints:
    - combine-c1: the lists and `weights` have one length.
    - combine-c2: `rows` has rank 2 (R×H) or 3 (E×C×H).
    - combine-c3: the result has the H of `rows`, and their element type or f32.
    - combine-c4: `x` is given exactly where dropped is identity, and has the
      result's type.

    Lifespan: created by raise or written by hand, gone after fuse.

    Example:
    ```mlir
    %out = moe.combine %y, %token, %expert, %slot, %keep, %w tokens(%T)
        : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins Moe_FloatTensor:$rows, Moe_I32Vector:$token, Moe_I32Vector:$expert,
    Moe_I32Vector:$slot, Moe_I1Vector:$keep, Moe_F32Vector:$weights, Index:$tokens, Optional<Moe_FloatMatrix>:$x,
    DefaultValuedAttr<Moe_DroppedAttr, "::moe::Dropped::Zero">:$dropped);
  let results = (outs Moe_FloatMatrix:$result);
  let assemblyFormat = [{
    $rows `,` $token `,` $expert `,` $slot `,` $keep `,` $weights `tokens` `(` $tokens `)` (`dropped_to` `(` $x^ `:` type($x) `)`)?
    attr-dict `:` type($rows) `,` type($token) `,` type($expert) `,` type($slot) `,` type($keep) `,` type($weights) `->` type($result)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

#endif // MOE_IR_MOVEMENT_OPS_TD
