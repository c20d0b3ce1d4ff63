// Routing: noise, score, select, filter, weigh, slots.
//
// An assignment list is four tensors of length N: token, expert and rank (i32) and valid (i1). Token choice: N = T·K, token = n / K,
// rank = n % K. Expert choice: N = E·C. Where an assignment is not valid its token and expert mean nothing.
#ifndef MOE_IR_ROUTING_OPS_TD
#define MOE_IR_ROUTING_OPS_TD

include "moe/IR/MoeOpBase.td"

def Moe_NoiseOp : Moe_Op<"noise", [Pure, Moe_ReifiesSizes]> {
  let summary = "counter-based noise: the same seed gives the same numbers on every target";
  let description = [{
    Philox4x32-10 with key = seed and counter = offset + element index, both
    64 bits; w0 and w1 are the first words of a block. u = ⌊w0/2^8⌋·2^-24 for
    uniform, low + u·(high - low), less than high; v = (2·⌊w0/2^9⌋ + 1)·2^-24 for the
    others: -ln v (exponential), -ln(-ln v) (gumbel), sqrt(-2 ln v)·cos(2π·⌊w1/2^8⌋·2^-24)
    (normal). In f32 by single IEEE operations, the same bits on every target.

    Constraints:
    - noise-c1: one `sizes` operand for each dynamic dim of the result.
    - noise-c2: low < high, both finite; other distributions than uniform leave
      both at their defaults.

    Lifespan: created by raise or written by hand, gone after fuse.

    Example:
    ```mlir
    %n = moe.noise normal seed(%seed) offset(%offset) sizes(%T) : tensor<?x8xf32>
    ```
  }];
  let arguments = (ins I64:$seed, I64:$offset, Variadic<Index>:$sizes,
    DefaultValuedAttr<Moe_NoiseDistributionAttr, "::moe::NoiseDistribution::Normal">:$distribution,
    DefaultValuedAttr<F64Attr, "0.0">:$low, DefaultValuedAttr<F64Attr, "1.0">:$high);
  let results = (outs RankedTensorOf<[F32]>:$result);
  let assemblyFormat = [{
    $distribution `seed` `(` $seed `)` `offset` `(` $offset `)` (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

def Moe_ScoreOp : Moe_Op<"score", [Pure, AttrSizedOperandSegments, Moe_ReifiesSizes]> {
  let summary = "logits to scores and choice scores, in f32";
  let description = [{
    With a = z/τ and b = (z + noise)/τ: `scores` = f(b) if the noise reaches
    both, else f(a). `choice` = b if it is based on logits, else f(b) if the
    noise reaches the choice, else `scores`; then `bias` is added to it.
    A token that is not `valid` has scores 0 and choice -inf, and is outside of
    the sums of axis token and of sinkhorn. Axis slot is a softmax over all
    columns of a token. sinkhorn: with M = e^z and d1 = 1, d0 = 1/(T·(M·d1) + 1e-8)
    and d1 = 1/(E·(Mᵀ·d0) + 1e-8) are repeated until d1 moves by at most
    `tolerance` on average (10,000 times at most); scores d0·M·d1.

    Constraints:
    - score-c1: `scores`, `choice` and `noise` have the sizes of `logits`, T×E.
    - score-c2: `noise` is given exactly where `noise_to` is not none.
    - score-c3: `bias` has length E.
    - score-c4: `valid` has length T.
    - score-c5: `temperature` is positive and finite.
    - score-c6: `tolerance` is given, and positive, exactly for sinkhorn.
    - score-c7: an axis other than expert needs the function softmax.
    - score-c8: `slots_per_expert` is given exactly for axis slot; E is then
      experts times slots, a multiple of it.

    Lifespan: created by raise or written by hand, gone after fuse.

    Example:
    ```mlir
    %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
    ```
  }];
  let arguments = (ins Moe_F32Matrix:$logits, Optional<Moe_F32Matrix>:$noise,
    Optional<Moe_F32Vector>:$bias, Optional<Moe_I1Vector>:$valid,
    DefaultValuedAttr<Moe_ScoreFunctionAttr, "::moe::ScoreFunction::Softmax">:$function,
    DefaultValuedAttr<Moe_ScoreAxisAttr, "::moe::ScoreAxis::Expert">:$axis,
    DefaultValuedAttr<F64Attr, "1.0">:$temperature,
    DefaultValuedAttr<Moe_NoiseTargetAttr, "::moe::NoiseTarget::None">:$noise_to,
    DefaultValuedAttr<Moe_ChoiceBasisAttr, "::moe::ChoiceBasis::Scores">:$choice_basis,
    OptionalAttr<F64Attr>:$tolerance, OptionalAttr<I64Attr>:$slots_per_expert);
  let results = (outs Moe_F32Matrix:$scores, Moe_F32Matrix:$choice);
  let assemblyFormat = [{
    $function $logits (`noise` `(` $noise^ `:` type($noise) `)`)? (`bias` `(` $bias^ `:` type($bias) `)`)?
    (`valid` `(` $valid^ `:` type($valid) `)`)? attr-dict `:` type($logits) `->` type($scores) `,` type($choice)
  }];
  let hasVerifier = 1;
}

def Moe_SelectOp : Moe_Op<"select", [Pure, AttrSizedOperandSegments, Moe_ReifiesSizes]> {
  let summary = "picks (token, expert) pairs; ties go to the lowest index";
  let description = [{
    `choice` is T×E. Mode `table` reads `ids` (T) and `table` (V×K) instead.
    `k` is the number of choices per token, the greatest one for threshold and
    top_p; `all` and side expert do not read it. `threshold` is that of mode
    threshold or the p of top_p. `kth` holds the K-th and the (K+1)-th greatest
    choice of each token, -inf where there is none and for table, side expert and
    the balanced modes.

    A NaN is below every number, also below -inf. threshold: of the k greatest,
    those above it are valid. top_p: of the k greatest, those are valid before
    which the sum does not exceed p. sparse_mixer: the two greatest. all: rank =
    expert. Side expert: each expert's C best tokens, by rank; fewer are valid
    where there are fewer tokens. Groups: a group's score is the sum of its top_r
    greatest, the keep best groups stay. balanced_exact: each expert gets T/E
    tokens (the first T mod E experts one more) such that the sum of choices is
    greatest. What the choice of a token that is not `valid` is, does not matter to
    others; an id that is no row of the table gives nothing valid (raise makes it an
    error of the run, unless `valid` is given).

    `group_size` (a number) or `groups_of` (a value) splits the tokens into groups of
    that many, the last one may have fewer; each is chosen from as if it were all:
    balanced modes give every expert its share of each group, on side expert each
    expert takes the C best tokens of each group, C being the capacity of
    min(group_size, T) tokens. The list has the groups one after the other, N =
    G·E·C on side expert. A value below 1 counts as 1; it must be a function of the
    sizes of the inputs. Balanced modes need each step's outcome for the next: one
    thread does a group, as many groups run at once as there are threads.

    balanced_auction gives experts as many tokens, by the auction of BASE layers
    (Lewis et al. 2021, as fairseq runs it), in f32. In each round an expert that is
    to get n tokens bids on the n of greatest value - choice less what was paid
    so far - the value less that of its next token (nothing where there is none),
    plus epsilon; on what it holds from the round before, just epsilon. The highest
    bid wins a token and is added to its price; equal values and bids go to the
    lowest index. To its holder a token counts as the greatest choice of all if it was
    won in the first 100 rounds, later as the plain choice. It ends when every token
    has a bid. Within those 100 rounds the sum was then never more than T·epsilon
    below the greatest in all that was tried; after them it is balanced, no more.
    Where 1000 rounds do not end it, the assignment is that of balanced_exact.
    Choices that are not finite count as the least that is.

    Constraints:
    - select-c1: mode table has `ids` and `table` and no `choice`; other modes
      have `choice` alone.
    - select-c2: 1 <= k <= experts; for table, k is its number of columns; for
      sparse_mixer, k is 2; for the balanced modes, k is 1.
    - select-c3: `threshold` is given exactly for threshold and top_p, where it
      is in (0, 1].
    - select-c4: `jitter` is given, and not negative, exactly for sparse_mixer.
    - select-c5: `epsilon` is given, and positive, exactly for balanced_auction.
    - select-c6: `groups` needs mode top_k and side token; count divides the
      experts, top_r and k / keep are at most the experts of a group.
    - select-c7: side expert needs mode top_k; `capacity` is given exactly there.
    - select-c8: the four lists have one length; T·k (T·E for all) on side token.
    - select-c9: `kth` is T×2.
    - select-c10: `valid` has length T.
    - select-c11: `group_size` is at least 1, and not given along with `groups_of`.
    - select-c12: groups of tokens need a balanced mode or side expert.

    Lifespan: created by raise or written by hand, gone after fuse.

    Example:
    ```mlir
    %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64}
        -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
    ```
  }];
  let arguments = (ins Optional<Moe_F32Matrix>:$choice,
    Optional<Moe_I32Vector>:$ids, Optional<2DTensorOf<[I32]>>:$table,
    Optional<Moe_I1Vector>:$valid, Optional<Index>:$groups_of,
    Moe_SelectModeAttr:$mode, DefaultValuedAttr<I64Attr, "1">:$k,
    DefaultValuedAttr<Moe_SelectSideAttr, "::moe::SelectSide::Token">:$side,
    OptionalAttr<F64Attr>:$threshold, OptionalAttr<F64Attr>:$jitter,
    OptionalAttr<F64Attr>:$epsilon, OptionalAttr<Moe_GroupsAttr>:$groups,
    OptionalAttr<Moe_CapacityAttr>:$capacity, OptionalAttr<I64Attr>:$group_size);
  let results = (outs Moe_I32Vector:$token, Moe_I32Vector:$expert,
    Moe_I32Vector:$rank, Moe_I1Vector:$valid_out, Moe_F32Matrix:$kth);
  let assemblyFormat = [{
    $mode ($choice^ `:` type($choice))? (`ids` `(` $ids^ `:` type($ids) `)`)? (`table` `(` $table^ `:` type($table) `)`)?
    (`valid` `(` $valid^ `:` type($valid) `)`)? (`groups_of` `(` $groups_of^ `)`)? attr-dict
    `->` type($token) `,` type($expert) `,` type($rank) `,` type($valid_out) `,` type($kth)
  }];
  let extraClassDeclaration = [{
    /// Are the tokens in groups?
    bool isGrouped() { return getGroupsOf() || getGroupSize(); }
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Moe_AssignOp : Moe_Op<"assign", [Pure, Moe_ReifiesSizes]> {
  let summary = "the assignment list of given expert indices";
  let description = [{
    `indices` is T×K: the experts that an ordinary graph has chosen. N = T·K,
    token = n / K, rank = n % K, all valid; an index that is no expert is
    skipped by the ops that read the list. What `moe.select` is to a router
    that was recognised, this is to one that was not.

    Constraints:
    - assign-c1: the four lists have one length, T·K.
    - assign-c2: K is at least 1.

    Lifespan: created by raise or written by hand, gone after fuse.

    Example:
    ```mlir
    %token, %expert, %rank, %valid = moe.assign %indices : tensor<?x2xi64> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>
    ```
  }];
  let arguments = (ins 2DTensorOf<[I64, I32]>:$indices);
  let results = (outs Moe_I32Vector:$token, Moe_I32Vector:$expert,
    Moe_I32Vector:$rank, Moe_I1Vector:$valid);
  let assemblyFormat = "$indices attr-dict `:` type($indices) `->` type($token) `,` type($expert) `,` type($rank) `,` type($valid)";
  let hasVerifier = 1;
}

def Moe_FilterOp : Moe_Op<"filter", [Pure, Moe_ReifiesSizes]> {
  let summary = "drops assignments by a value: threshold, or a coin with given uniforms";
  let description = [{
    greater_than keeps value > theta; bernoulli keeps u < min(1, value/theta).
    Assignments of a rank below `from_rank` are always kept.

    Constraints:
    - filter-c1: the lists, `value`, `uniform` and the result have one length.
    - filter-c2: `uniform` is given exactly for bernoulli.
    - filter-c3: theta is finite, for bernoulli positive.
    - filter-c4: `from_rank` is not negative.

    Lifespan: created by raise or written by hand, gone after fuse.

    Example:
    ```mlir
    %kept = moe.filter greater_than %token, %expert, %rank, %valid value(%w) {theta = 2.0e-01 : f64, from_rank = 1 : i64}
        : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?xi1>
    ```
  }];
  let arguments = (ins Moe_I32Vector:$token, Moe_I32Vector:$expert, Moe_I32Vector:$rank, Moe_I1Vector:$valid,
    Moe_F32Vector:$value, Optional<Moe_F32Vector>:$uniform,
    Moe_FilterKindAttr:$kind, F64Attr:$theta, DefaultValuedAttr<I64Attr, "0">:$from_rank);
  let results = (outs Moe_I1Vector:$result);
  let assemblyFormat = [{
    $kind $token `,` $expert `,` $rank `,` $valid `value` `(` $value `)` (`uniform` `(` $uniform^ `:` type($uniform) `)`)?
    attr-dict `:` type($token) `,` type($expert) `,` type($rank) `,` type($valid) `,` type($value) `->` type($result)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Moe_WeighOp : Moe_Op<"weigh", [Pure, Moe_ReifiesSizes]> {
  let summary = "combine weights of the assignments, in f32";
  let description = [{
    `scores` is T×E (logits for softmax_selected and sparse_mixer). Only valid
    assignments count, and with `keep` only kept ones (after the drop): others
    weigh 0, and are outside of a softmax over the selected and of the norm.
    Normalisation divides by the sum (l1) or the p-norm of a token's weights (lp),
    plus or clamped to `epsilon`; then `scale`. sparse_mixer: softmax at the pick
    over the logits z with (m - z)/max(|z|, m) <= 2·jitter, m the greatest; for rank
    1 without the pick of rank 0.

    Constraints:
    - weigh-c1: the lists, `keep` and the weights have one length.
    - weigh-c2: `p` is positive; it is 1 unless `norm` is lp.
    - weigh-c3: `epsilon` is positive where `epsilon_mode` is not none, else 0.
    - weigh-c4: an epsilon needs a norm other than none.
    - weigh-c5: `jitter` is given, and not negative, exactly for sparse_mixer.
    - weigh-c6: `scale` is finite.

    Lifespan: created by raise or written by hand, gone after fuse.

    Example:
    ```mlir
    %w = moe.weigh gather %scores, %token, %expert, %rank, %valid {norm = #moe<weight_norm l1>}
        : tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xf32>
    ```
  }];
  let arguments = (ins Moe_F32Matrix:$scores, Moe_I32Vector:$token, Moe_I32Vector:$expert,
    Moe_I32Vector:$rank, Moe_I1Vector:$valid, Optional<Moe_I1Vector>:$keep,
    DefaultValuedAttr<Moe_WeightSourceAttr, "::moe::WeightSource::Gather">:$source,
    DefaultValuedAttr<Moe_WeightNormAttr, "::moe::WeightNorm::None">:$norm,
    DefaultValuedAttr<F64Attr, "1.0">:$p,
    DefaultValuedAttr<Moe_EpsilonModeAttr, "::moe::EpsilonMode::None">:$epsilon_mode,
    DefaultValuedAttr<F64Attr, "0.0">:$epsilon,
    DefaultValuedAttr<F64Attr, "1.0">:$scale,
    OptionalAttr<F64Attr>:$jitter);
  let results = (outs Moe_F32Vector:$weights);
  let assemblyFormat = [{
    $source $scores `,` $token `,` $expert `,` $rank `,` $valid (`keep` `(` $keep^ `:` type($keep) `)`)?
    attr-dict `:` type($scores) `,` type($token) `,` type($expert) `,` type($rank) `,` type($valid) `->` type($weights)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Moe_SlotsOp : Moe_Op<"slots", [Pure, AttrSizedOperandSegments, Moe_ReifiesSizes]> {
  let summary = "gives assignments their slots: who fits, where, and how many per expert";
  let description = [{
    Valid assignments, sorted by `order` and `priority`, are numbered within
    their expert; one is kept while its number is below the capacity. No
    capacity means dropless. `offset` (E+1) counts kept assignments, each
    expert rounded up to `pad_to`. Slot of a kept assignment: offset[e] +
    number (ragged), or e·C + number (padded). `count` is before the drop.
    With `group_size` (a number) or `groups_of` (a value, for a size that is known
    when the model runs: one sequence each), each group of that many tokens is
    placed by itself, with the capacity of min(group_size, T) tokens; an expert's
    slots are then those of its groups one after the other, G·C where padded. A
    value below 1 counts as 1; it must be a function of the sizes of the inputs. With fit first, a token has
    one slot at most: its first choice in the order that fits. `slot` is -1 where
    an assignment is not kept.
    Orders: rank_major by (rank, priority down, token), token_major by
    (priority down, token, rank), per_expert by (priority down, token).

    Constraints:
    - slots-c1: the lists, `slot` and `keep` have one length.
    - slots-c2: `experts` is at least 1; `count` has that length and `offset`
      one more.
    - slots-c3: the padded layout needs a `capacity`.
    - slots-c4: `pad_to` is in 1 … 65536.
    - slots-c5: fit first needs a `capacity` and order rank_major.
    - slots-c6: `group_size` is at least 1, and not given along with `groups_of`.
    - slots-c7: E times the capacity's `minimum`, rounded up to `multiple_of`, is
      below 2^31: slots are i32.

    Lifespan: created by raise or written by hand, gone after fuse.

    Example:
    ```mlir
    %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 8 : i64}
        : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
    ```
  }];
  let arguments = (ins Moe_I32Vector:$token, Moe_I32Vector:$expert, Moe_I32Vector:$rank, Moe_I1Vector:$valid,
    Optional<Moe_F32Vector>:$priority, Optional<Index>:$groups_of,
    I64Attr:$experts,
    DefaultValuedAttr<Moe_SlotOrderAttr, "::moe::SlotOrder::TokenMajor">:$order,
    OptionalAttr<Moe_CapacityAttr>:$capacity,
    DefaultValuedAttr<I64Attr, "1">:$pad_to,
    DefaultValuedAttr<Moe_SlotFitAttr, "::moe::SlotFit::PerRank">:$fit,
    DefaultValuedAttr<Moe_SlotLayoutAttr, "::moe::SlotLayout::Ragged">:$layout,
    OptionalAttr<I64Attr>:$group_size);
  let results = (outs Moe_I32Vector:$slot, Moe_I1Vector:$keep, Moe_I32Vector:$count, Moe_I32Vector:$offset);
  let assemblyFormat = [{
    $token `,` $expert `,` $rank `,` $valid (`priority` `(` $priority^ `:` type($priority) `)`)?
    (`groups_of` `(` $groups_of^ `)`)? attr-dict `:` type($token) `,` type($expert) `,` type($rank) `,` type($valid) `->` type($slot) `,` type($keep) `,` type($count) `,` type($offset)
  }];
  let extraClassDeclaration = [{
    /// Are the tokens in groups?
    bool isGrouped() { return getGroupsOf() || getGroupSize(); }
  }];
  let hasVerifier = 1;
}

#endif // MOE_IR_ROUTING_OPS_TD
