// Statistics that balancing losses are made of.
#ifndef MOE_IR_STATISTICS_OPS_TD
#define MOE_IR_STATISTICS_OPS_TD

include "moe/IR/MoeOpBase.td"

def Moe_StatsOp : Moe_Op<"stats", [Pure, Moe_ReifiesSizes]> {
  let summary = "fraction of assignments f and mean score P of each expert";
  let description = [{
    f[e] counts assignments (first choices or all) before any drop, divided by
    tokens or assignments; P[e] is the mean of scores[:, e]. Tokens that are not
    `token_valid` count nowhere, and what has no tokens has f and P of 0. With
    `group_size`, each group of that many tokens has a row of the results, G×E.

    Constraints:
    - stats-c1: the lists have one length.
    - stats-c2: `token_valid` has length T.
    - stats-c3: both results have one type: E, with `group_size` G×E.
    - stats-c4: `group_size` is at least 1.

    Lifespan: created by raise or written by hand, gone after fuse.

    Example:
    ```mlir
    %f, %p = moe.stats %scores, %token, %expert, %rank, %valid
        : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<8xf32>, tensor<8xf32>
    ```
  }];
  let arguments = (ins Moe_F32Matrix:$scores, Moe_I32Vector:$token, Moe_I32Vector:$expert,
    Moe_I32Vector:$rank, Moe_I1Vector:$valid, Optional<Moe_I1Vector>:$token_valid,
    DefaultValuedAttr<Moe_StatsSourceAttr, "::moe::StatsSource::FirstChoice">:$source,
    DefaultValuedAttr<Moe_StatsNormAttr, "::moe::StatsNorm::Tokens">:$norm,
    OptionalAttr<I64Attr>:$group_size);
  let results = (outs RankedTensorOf<[F32]>:$fraction, RankedTensorOf<[F32]>:$mean_score);
  let assemblyFormat = [{
    $scores `,` $token `,` $expert `,` $rank `,` $valid (`token_valid` `(` $token_valid^ `:` type($token_valid) `)`)?
    attr-dict `:` type($scores) `,` type($token) `,` type($expert) `,` type($rank) `,` type($valid) `->` type($fraction) `,` type($mean_score)
  }];
  let hasVerifier = 1;
}

#endif // MOE_IR_STATISTICS_OPS_TD
