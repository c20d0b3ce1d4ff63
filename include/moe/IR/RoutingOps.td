// Routing: noise, score, select, filter, weigh, slots.
//
// An assignment list is four tensors of length N: token, expert and rank (i32) and valid (i1). Token choice: N = T·K, token = n / K,
// rank = n % K. Expert choice: N = E·C. Where an assignment is not valid its token and expert mean nothing.
#ifndef MOE_IR_ROUTING_OPS_TD
#define MOE_IR_ROUTING_OPS_TD

include "moe/IR/MoeOpBase.td"

def Moe_NoiseOp : Moe_Op<"noise", [Pure]> {
  let summary = "counter-based noise: the same seed gives the same numbers on every target";
  let description = [{
    Philox4x32-10 with key = seed and counter = offset + element index.
    Uniform in [low, high); the others standard.
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

def Moe_ScoreOp : Moe_Op<"score", [Pure, AttrSizedOperandSegments]> {
  let summary = "logits to scores and choice scores, in f32";
  let description = [{
    With a = z/τ and b = (z + noise)/τ: `scores` = f(b) if the noise reaches
    both, else f(a). `choice` = b if it is based on logits, else f(b) if the
    noise reaches the choice, else `scores`; then `bias` is added to it.
    Tokens that are not `valid` score as padding.
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

def Moe_SelectOp : Moe_Op<"select", [Pure, AttrSizedOperandSegments]> {
  let summary = "picks (token, expert) pairs; ties go to the lowest index";
  let description = [{
    `choice` is T×E. Mode `table` reads `ids` and `table` (V×K) instead.
    `kth` holds the K-th and the (K+1)-th greatest choice of each token.
  }];
  let arguments = (ins Optional<Moe_F32Matrix>:$choice,
    Optional<Moe_I32Vector>:$ids, Optional<2DTensorOf<[I32]>>:$table,
    Optional<Moe_I1Vector>:$valid,
    Moe_SelectModeAttr:$mode, DefaultValuedAttr<I64Attr, "1">:$k,
    DefaultValuedAttr<Moe_SelectSideAttr, "::moe::SelectSide::Token">:$side,
    OptionalAttr<F64Attr>:$threshold, OptionalAttr<F64Attr>:$jitter,
    OptionalAttr<F64Attr>:$epsilon, OptionalAttr<Moe_GroupsAttr>:$groups,
    OptionalAttr<Moe_CapacityAttr>:$capacity);
  let results = (outs Moe_I32Vector:$token, Moe_I32Vector:$expert,
    Moe_I32Vector:$rank, Moe_I1Vector:$valid_out, Moe_F32Matrix:$kth);
  let assemblyFormat = [{
    $mode ($choice^ `:` type($choice))? (`ids` `(` $ids^ `:` type($ids) `)`)? (`table` `(` $table^ `:` type($table) `)`)?
    (`valid` `(` $valid^ `:` type($valid) `)`)? attr-dict `->` type($token) `,` type($expert) `,` type($rank) `,` type($valid_out) `,` type($kth)
  }];
  let hasVerifier = 1;
}

def Moe_AssignOp : Moe_Op<"assign", [Pure]> {
  let summary = "the assignment list of given expert indices";
  let description = [{
    `indices` is T×K: the experts that an ordinary graph has chosen. N = T·K,
    token = n / K, rank = n % K, all valid. What `moe.select` is to a router
    that was recognised, this is to one that was not.
  }];
  let arguments = (ins 2DTensorOf<[I64, I32]>:$indices);
  let results = (outs Moe_I32Vector:$token, Moe_I32Vector:$expert,
    Moe_I32Vector:$rank, Moe_I1Vector:$valid);
  let assemblyFormat = "$indices attr-dict `:` type($indices) `->` type($token) `,` type($expert) `,` type($rank) `,` type($valid)";
  let hasVerifier = 1;
}

def Moe_FilterOp : Moe_Op<"filter", [Pure]> {
  let summary = "drops assignments by a value: threshold, or a coin with given uniforms";
  let description = [{
    greater_than keeps value > theta; bernoulli keeps u < min(1, value/theta).
    Assignments of a rank below `from_rank` are always kept.
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
}

def Moe_WeighOp : Moe_Op<"weigh", [Pure]> {
  let summary = "combine weights of the assignments, in f32";
  let description = [{
    `scores` is T×E (logits for softmax_selected). With `keep`, weights are
    normalised over the kept assignments of a token: after the drop.
    Normalisation divides by the sum (l1) or the p-norm (lp), plus or clamped
    to `epsilon`; then `scale`.
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
}

def Moe_SlotsOp : Moe_Op<"slots", [Pure]> {
  let summary = "gives assignments their slots: who fits, where, and how many per expert";
  let description = [{
    Valid assignments, sorted by `order` and `priority`, are numbered within
    their expert; one is kept while its number is below the capacity. No
    capacity means dropless. `offset` (E+1) counts kept assignments, each
    expert rounded up to `pad_to`. Slot of a kept assignment: offset[e] +
    number (ragged). `count` is before the drop. With `group_size`, each
    group of that many tokens is placed by itself.
  }];
  let arguments = (ins Moe_I32Vector:$token, Moe_I32Vector:$expert, Moe_I32Vector:$rank, Moe_I1Vector:$valid,
    Optional<Moe_F32Vector>:$priority,
    I64Attr:$experts,
    DefaultValuedAttr<Moe_SlotOrderAttr, "::moe::SlotOrder::TokenMajor">:$order,
    OptionalAttr<Moe_CapacityAttr>:$capacity,
    DefaultValuedAttr<I64Attr, "1">:$pad_to,
    DefaultValuedAttr<Moe_SlotFitAttr, "::moe::SlotFit::PerRank">:$fit,
    DefaultValuedAttr<Moe_SlotLayoutAttr, "::moe::SlotLayout::Ragged">:$layout,
    OptionalAttr<I64Attr>:$group_size);
  let results = (outs Moe_I32Vector:$slot, Moe_I1Vector:$keep, Moe_I32Vector:$count, Moe_I32Vector:$offset);
  let assemblyFormat = [{
    $token `,` $expert `,` $rank `,` $valid (`priority` `(` $priority^ `:` type($priority) `)`)? attr-dict
    `:` type($token) `,` type($expert) `,` type($rank) `,` type($valid) `->` type($slot) `,` type($keep) `,` type($count) `,` type($offset)
  }];
  let hasVerifier = 1;
}

#endif // MOE_IR_ROUTING_OPS_TD
