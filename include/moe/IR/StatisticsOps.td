// Statistics that balancing losses are made of.
#ifndef MOE_IR_STATISTICS_OPS_TD
#define MOE_IR_STATISTICS_OPS_TD

include "moe/IR/MoeOpBase.td"

def Moe_StatsOp : Moe_Op<"stats", [Pure, AttrSizedOperandSegments, Moe_ReifiesSizes]> {
  let summary = "fraction of assignments f and mean score P of each expert";
  let description = [{
    f[e] counts assignments (first choices or all) before any drop, divided by
    tokens or assignments; P[e] is the mean of scores[:, e]. Tokens that are not
    `token_valid` count nowhere, and what has no tokens has f and P of 0. With
    `group_size` (a number) or `groups_of` (a value, as in `moe.slots`), each group of
    that many tokens has a row of the results, G×E.

    Constraints:
    - stats-c1: the lists have one length.
    - stats-c2: `token_valid` has length T.
    - stats-c3: both results have one type: E, in groups G×E.
    - stats-c4: `group_size` is at least 1, and not given along with `groups_of`.

    Lifespan: created by raise or written by hand, gone after fuse.

    Example:
    ```mlir
    %f, %p = moe.stats %scores, %token, %expert, %rank, %valid
        : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<8xf32>, tensor<8xf32>
    ```
  }];
  let arguments = (ins Moe_F32Matrix:$scores, Moe_I32Vector:$token, Moe_I32Vector:$expert,
    Moe_I32Vector:$rank, Moe_I1Vector:$valid, Optional<Moe_I1Vector>:$token_valid,
    Optional<Index>:$groups_of,
    DefaultValuedAttr<Moe_StatsSourceAttr, "::moe::StatsSource::FirstChoice">:$source,
    DefaultValuedAttr<Moe_StatsNormAttr, "::moe::StatsNorm::Tokens">:$norm,
    OptionalAttr<I64Attr>:$group_size);
  let results = (outs RankedTensorOf<[F32]>:$fraction, RankedTensorOf<[F32]>:$mean_score);
  let assemblyFormat = [{
    $scores `,` $token `,` $expert `,` $rank `,` $valid (`token_valid` `(` $token_valid^ `:` type($token_valid) `)`)?
    (`groups_of` `(` $groups_of^ `)`)? attr-dict `:` type($scores) `,` type($token) `,` type($expert) `,` type($rank) `,` type($valid) `->` type($fraction) `,` type($mean_score)
  }];
  let extraClassDeclaration = [{
    /// Are the tokens in groups?
    bool isGrouped() { return getGroupsOf() || getGroupSize(); }
  }];
  let hasVerifier = 1;
}

#endif // MOE_IR_STATISTICS_OPS_TD
