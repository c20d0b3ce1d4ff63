// What an expert computes, how its weights are decoded, and the one-op form of a whole layer.
#ifndef MOE_IR_EXPERT_OPS_TD
#define MOE_IR_EXPERT_OPS_TD

include "moe/IR/MoeOpBase.td"

def Moe_ExpertsOp : Moe_Op<"experts", [Pure, AttrSizedOperandSegments, Moe_ReifiesSizes]> {
  let summary = "every expert's computation on its rows";
  let description = [{
    `rows` is R×H (ragged, expert e has rows offset[e] to offset[e+1]) or
    E×C×H (padded). The standard forms are given by `ffn` and the weights:
    `gate` E×F·I×H (F = 2 where gate and up share a tensor), `up` E×I×H where
    they are separate, `down` E×H×I; `order = in_out` swaps the two inner dims,
    of `down` only where `down_order` does not say otherwise (DBRX stores all
    three as E×I×H). Without `ffn` the region computes one expert's rows: its arguments are the
    expert's rows and its slice of each of `parameters`; it ends in `moe.yield`.
    A row of the result must depend on that row alone: the region may be given
    more rows than the expert has, zeros after its own.
    `steps` says which rows an expert rounds on the way, each place at most once.
    `origin` names the layer for reports; `plan` is what the plan stage chose.

    Constraints:
    - experts-c1: `rows` has rank 2 or 3; the result has its rank, its element
      type and all its sizes but the last.
    - experts-c2: with `ffn`, `gate` and `down` are given, no `parameters`, and
      the region is empty; without, a region of one block and no weights.
    - experts-c3: `up` is given exactly where the gate layout of `ffn` is
      separate; `up_bias` needs `up`.
    - experts-c4: weights have rank 3, and agree on E, on the H of `rows`, on I
      and on the last size of the result.
    - experts-c5: gate and up in one tensor have an even number of columns.
    - experts-c6: biases have rank 2: E and the columns of their weight.
    - experts-c7: `offset` has E+1 elements; padded rows have that E.
    - experts-c8: the region takes one expert's rows, then a slice of each of
      `parameters` (one rank less), and yields rows of the result.
    - experts-c9: `plan` says gate_up16 only where `ffn` is gated, and activations
      f32, bf16 or int8.
    - experts-c10: `steps` is not empty and needs `ffn` and rows of f32; its places
      are in the order input, gate, up, hidden, result, up only where the gate layout
      is separate; scales are one per expert, and absent only where rows are ragged.
    - steps-c1 to steps-c3 of `#moe.steps`.
    - ffn-c1: alpha other than 1 needs activation silu.
    - ffn-c2: up_offset and limit need a gate.
    - ffn-c3: alpha and up_offset are finite, limit is not negative.
    - origin-c1: the form of `origin` is fused, grouped, batched, unrolled, tiled,
      masked, gathered, padded, soft or mlir.

    Lifespan: created by raise or written by hand, gone after fuse.

    Example:
    ```mlir
    %y = moe.experts %rows, %offset gate(%w1 : tensor<8x192x64xf32>) down(%w2 : tensor<8x64x96xf32>)
        {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layer 0", "mlir">}
        : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins Moe_FloatTensor:$rows, Moe_I32Vector:$offset,
    Optional<Moe_FloatTensor>:$gate, Optional<Moe_FloatTensor>:$gate_bias,
    Optional<Moe_FloatTensor>:$up, Optional<Moe_FloatTensor>:$up_bias,
    Optional<Moe_FloatTensor>:$down, Optional<Moe_FloatTensor>:$down_bias,
    Variadic<AnyRankedTensor>:$parameters,
    OptionalAttr<Moe_FfnAttr>:$ffn,
    DefaultValuedAttr<Moe_WeightOrderAttr, "::moe::WeightOrder::OutIn">:$order,
    OptionalAttr<Moe_WeightOrderAttr>:$down_order,
    OptionalAttr<Moe_OriginAttr>:$origin, OptionalAttr<Moe_PlanAttr>:$plan,
    OptionalAttr<Moe_StepsArrayAttr>:$steps);
  let results = (outs Moe_FloatTensor:$result);
  let regions = (region AnyRegion:$body);
  let extraClassDeclaration = [{
    /// How rows are rounded at `place`; null where they are not.
    ::moe::StepsAttr stepsAt(::moe::StepsPlace place);
    /// The order of `down`.
    ::moe::WeightOrder orderOfDown() { return getDownOrder().value_or(getOrder()); }
  }];
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
  let description = [{
    Constraints: experts-c8.

    Lifespan: created by raise or written by hand, gone after fuse.

    Example:
    ```mlir
    moe.yield %rows_of_one : tensor<?x64xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$result);
  let assemblyFormat = "$result attr-dict `:` type($result)";
}

def Moe_DequantOp : Moe_Op<"dequant", [Pure, AttrSizedOperandSegments, Moe_ReifiesSizes]> {
  let summary = "a quantised weight as a float tensor; may stay fused into its consumer";
  let description = [{
    An element is `scale · (code - zero)`, in f32, for the formats of integers,
    `scale · value(code)` for those of small floats (e2m1 in mxfp4 and nvfp4,
    e4m3 in fp8_block) and of a table (nf4), then rounded to the result's type.

    `payload` holds the codes, either one per element (i8, ui4, f8E4M3FN, …) or
    packed in bytes along the last dim, lowest bits first. Codes are signed where
    an element is a signless integer of just the format's bits. `scales` holds
    one factor per group; bytes stand for 2^(byte - 127). `zeros` holds the zero
    points, as floats or as codes (packed like the payload, along the last dim of
    the scales); absent, they are 0 for signed codes, else 2^(bits - 1).

    ternary_dict (QMoE, Frantar, Alistarh 2023): an element is 0, lo or hi of its
    row, as the digit 0, 1 or 2 says. `payload` holds 16-bit codes of strings of
    digits, row after row; `zeros` the number of the first code of each row and,
    last, that of all codes; `scales` the (lo, hi) of each row; `codebook` two words
    for each string: its number of pairs of digits in the low 4 bits of both, then
    4 bits for each pair, seven in the first word and seven in the second, the
    first digit in the lower 2. A row's strings have as many pairs as the row
    begins; the second digit of an odd row's last pair means nothing.

    `accuracy_level` is what the model says of rows that the weight is multiplied
    with, in ONNX Runtime's numbers: 4 lets them be int8. Only the plan reads it.

    Constraints:
    - dequant-c1: `scales` is given.
    - dequant-c2: `zeros` is given only for the formats of integers and
      ternary_dict.
    - dequant-c3: `codebook` is given exactly for ternary_dict.
    - dequant-c4: `payload` has the result's sizes, or those but the last, which
      is the bytes of a row's codes and may fill up the last group.
    - dequant-c5: `scales` has the result's sizes with the `axis` dim divided by
      the group size, rounded up, or without that dim where the group size is 0;
      fp8_block: with the last two divided. It has floats, or bytes for mxfp4.
    - dequant-c6: `zeros` has the sizes of `scales`, or those but the last, which
      is the bytes of a row's codes.
    - dequant-c7: ternary_dict instead of c4 to c6: `payload` is a vector of 16-bit
      integers; `zeros` is given, a vector of i32, one longer than there are rows
      of the result in all; `scales` has the result's sizes with 2 for the last, of
      floats of at least 16 bits; `codebook` is a vector of 32-bit integers, two for
      each of 1 to 65536 strings.
    - quant-c1: bits of the format are 8 for int8_channel, int8_group and
      fp8_block, 2 for int2_group, 4 for the others; 0 says the same.
    - quant-c2: group_size is not negative; positive for fp8_block and nf4, 0 or
      32 for mxfp4, 0 or 16 for nvfp4, 0 for int8_channel and ternary_dict.
    - quant-c3: axis is -1 or -2.

    Lifespan: created by raise or written by hand. Those that a grouped_matmul
    reads are gone when lower has packed the weights, others after fuse. Package
    takes the strings of ternary_dict apart: kernels read the digits, what else
    reads the weight its numbers.

    Example:
    ```mlir
    %w = moe.dequant %q scales(%s : tensor<8x64xf32>) <format = int8_channel> : tensor<8x64x96xi8> -> tensor<8x64x96xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$payload, Optional<AnyRankedTensor>:$scales,
    Optional<AnyRankedTensor>:$zeros, Optional<AnyRankedTensor>:$codebook, Moe_QuantAttr:$format,
    OptionalAttr<I64Attr>:$accuracy_level);
  let results = (outs Moe_FloatTensor:$result);
  let assemblyFormat = [{
    $payload (`scales` `(` $scales^ `:` type($scales) `)`)? (`zeros` `(` $zeros^ `:` type($zeros) `)`)?
    (`codebook` `(` $codebook^ `:` type($codebook) `)`)? $format attr-dict `:` type($payload) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Moe_LayerOp : Moe_Op<"layer", [Pure, AttrSizedOperandSegments, Moe_ReifiesSizes]> {
  let summary = "a whole dropless MoE layer; sugar for score, select, weigh, slots, dispatch, experts, combine";
  let description = [{
    `x` is T×H, `logits` T×E. Weights as in `moe.experts`. Gone after the first
    pass of raise, `moe-raise-expand-layers`.

    Constraints:
    - layer-c1: `x`, `logits` and the result have one T; the result has the
      element type of `x`.
    - layer-c2: the weights obey experts-c3 to experts-c6; E is that of `logits`.
    - router-c1: 1 <= k <= experts.
    - router-c2: the function is identity, softmax, sigmoid or sqrt_softplus.
    - router-c3: the source is gather, softmax_selected or one.
    - router-c4: the norm is none or l1.
    - router-c5: scale is finite.
    - ffn-c1 to ffn-c3 and origin-c1 of `moe.experts`.

    Lifespan: written by hand, gone in raise.

    Example:
    ```mlir
    %y = moe.layer %x, %logits gate(%w1 : tensor<8x192x64xf32>) down(%w2 : tensor<8x64x96xf32>)
        router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = silu, gate = halves>)
        : tensor<?x64xf32>, tensor<?x8xf32> -> tensor<?x64xf32>
    ```
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
