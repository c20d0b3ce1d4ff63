// What an expert computes, how its weights are decoded, and the one-op form of a whole layer.
#ifndef MOE_IR_EXPERT_OPS_TD
#define MOE_IR_EXPERT_OPS_TD

include "moe/IR/MoeOpBase.td"

def Moe_ExpertsOp : Moe_Op<"experts", [Pure, AttrSizedOperandSegments]> {
  let summary = "every expert's computation on its rows";
  let description = [{
    `rows` is R×H (ragged, expert e has rows offset[e] to offset[e+1]) or
    E×C×H (padded). The standard forms are given by `ffn` and the weights:
    `gate` E×F·I×H (F = 2 where gate and up share a tensor), `up` E×I×H where
    they are separate, `down` E×H×I; `order = in_out` swaps the two inner dims.
    Without `ffn` the region computes one expert's rows: its arguments are the
    expert's rows and its slice of each of `parameters`; it ends in `moe.yield`.
    `origin` names the layer for reports; `plan` is what the plan stage chose.
  }];
  let arguments = (ins Moe_FloatTensor:$rows, Moe_I32Vector:$offset,
    Optional<Moe_FloatTensor>:$gate, Optional<Moe_FloatTensor>:$gate_bias,
    Optional<Moe_FloatTensor>:$up, Optional<Moe_FloatTensor>:$up_bias,
    Optional<Moe_FloatTensor>:$down, Optional<Moe_FloatTensor>:$down_bias,
    Variadic<AnyRankedTensor>:$parameters,
    OptionalAttr<Moe_FfnAttr>:$ffn,
    DefaultValuedAttr<Moe_WeightOrderAttr, "::moe::WeightOrder::OutIn">:$order,
    OptionalAttr<Moe_OriginAttr>:$origin, OptionalAttr<Moe_PlanAttr>:$plan);
  let results = (outs Moe_FloatTensor:$result);
  let regions = (region AnyRegion:$body);
  let assemblyFormat = [{
    $rows `,` $offset oilist(`gate` `(` $gate `:` type($gate) `)` | `gate_bias` `(` $gate_bias `:` type($gate_bias) `)`
      | `up` `(` $up `:` type($up) `)` | `up_bias` `(` $up_bias `:` type($up_bias) `)`
      | `down` `(` $down `:` type($down) `)` | `down_bias` `(` $down_bias `:` type($down_bias) `)`
      | `parameters` `(` $parameters `:` type($parameters) `)`)
    attr-dict `:` type($rows) `,` type($offset) `->` type($result) ($body^)?
  }];
  let hasVerifier = 1;
}

def Moe_YieldOp : Moe_Op<"yield", [Pure, Terminator, HasParent<"ExpertsOp">]> {
  let summary = "ends the body of moe.experts";
  let arguments = (ins AnyRankedTensor:$result);
  let assemblyFormat = "$result attr-dict `:` type($result)";
}

def Moe_DequantOp : Moe_Op<"dequant", [Pure, AttrSizedOperandSegments]> {
  let summary = "a quantised weight as a float tensor; may stay fused into its consumer";
  let arguments = (ins AnyRankedTensor:$payload, Optional<AnyRankedTensor>:$scales,
    Optional<AnyRankedTensor>:$zeros, Optional<AnyRankedTensor>:$codebook, Moe_QuantAttr:$format);
  let results = (outs Moe_FloatTensor:$result);
  let assemblyFormat = [{
    $payload (`scales` `(` $scales^ `:` type($scales) `)`)? (`zeros` `(` $zeros^ `:` type($zeros) `)`)?
    (`codebook` `(` $codebook^ `:` type($codebook) `)`)? $format attr-dict `:` type($payload) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Moe_LayerOp : Moe_Op<"layer", [Pure, AttrSizedOperandSegments]> {
  let summary = "a whole dropless MoE layer; sugar for score, select, weigh, slots, dispatch, experts, combine";
  let description = [{
    `x` is T×H, `logits` T×E. Weights as in `moe.experts`. Gone after the first
    pass of raise, `moe-raise-expand-layers`.
  }];
  let arguments = (ins Moe_FloatMatrix:$x, Moe_F32Matrix:$logits,
    Moe_FloatTensor:$gate, Optional<Moe_FloatTensor>:$gate_bias,
    Optional<Moe_FloatTensor>:$up, Optional<Moe_FloatTensor>:$up_bias,
    Moe_FloatTensor:$down, Optional<Moe_FloatTensor>:$down_bias,
    Moe_RouterAttr:$router, Moe_FfnAttr:$ffn,
    DefaultValuedAttr<Moe_WeightOrderAttr, "::moe::WeightOrder::OutIn">:$order,
    OptionalAttr<Moe_OriginAttr>:$origin);
  let results = (outs Moe_FloatMatrix:$result);
  let assemblyFormat = [{
    $x `,` $logits `gate` `(` $gate `:` type($gate) `)` (`gate_bias` `(` $gate_bias^ `:` type($gate_bias) `)`)?
    (`up` `(` $up^ `:` type($up) `)`)? (`up_bias` `(` $up_bias^ `:` type($up_bias) `)`)?
    `down` `(` $down `:` type($down) `)` (`down_bias` `(` $down_bias^ `:` type($down_bias) `)`)?
    `router` `(` $router `)` `ffn` `(` $ffn `)` attr-dict `:` type($x) `,` type($logits) `->` type($result)
  }];
  let hasVerifier = 1;
}

#endif // MOE_IR_EXPERT_OPS_TD
