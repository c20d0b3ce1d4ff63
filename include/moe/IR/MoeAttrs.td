// Enums and structured attributes of the moe dialect.
#ifndef MOE_IR_ATTRS_TD
#define MOE_IR_ATTRS_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "moe/IR/MoeDialect.td"

class Moe_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::moe";
  let genSpecializedAttr = 0;
}
class Moe_EnumAttr<EnumAttrInfo info, string mnemonic>
    : EnumAttr<Moe_Dialect, info, mnemonic>;

//===-- Routing ----------------------------------------------------------===//

def Moe_ScoreFunction : Moe_Enum<"ScoreFunction", "logits to scores", [
  I32EnumAttrCase<"Identity", 0, "identity">,
  I32EnumAttrCase<"Softmax", 1, "softmax">,
  I32EnumAttrCase<"Sigmoid", 2, "sigmoid">,
  I32EnumAttrCase<"SqrtSoftplus", 3, "sqrt_softplus">,
  I32EnumAttrCase<"Sinkhorn", 4, "sinkhorn">]>;
def Moe_ScoreFunctionAttr : Moe_EnumAttr<Moe_ScoreFunction, "score_function">;

def Moe_ScoreAxis : Moe_Enum<"ScoreAxis", "what a normalised score sums to one over", [
  I32EnumAttrCase<"Expert", 0, "expert">,
  I32EnumAttrCase<"Token", 1, "token">,
  I32EnumAttrCase<"Slot", 2, "slot">]>;
def Moe_ScoreAxisAttr : Moe_EnumAttr<Moe_ScoreAxis, "score_axis">;

def Moe_NoiseTarget : Moe_Enum<"NoiseTarget", "which output the noise reaches", [
  I32EnumAttrCase<"None", 0, "none">,
  I32EnumAttrCase<"Choice", 1, "choice">,
  I32EnumAttrCase<"Both", 2, "both">]>;
def Moe_NoiseTargetAttr : Moe_EnumAttr<Moe_NoiseTarget, "noise_target">;

def Moe_ChoiceBasis : Moe_Enum<"ChoiceBasis", "what the choice scores start from", [
  I32EnumAttrCase<"Scores", 0, "scores">,
  I32EnumAttrCase<"Logits", 1, "logits">]>;
def Moe_ChoiceBasisAttr : Moe_EnumAttr<Moe_ChoiceBasis, "choice_basis">;

def Moe_NoiseDistribution : Moe_Enum<"NoiseDistribution", "distribution of moe.noise", [
  I32EnumAttrCase<"Uniform", 0, "uniform">,
  I32EnumAttrCase<"Normal", 1, "normal">,
  I32EnumAttrCase<"Gumbel", 2, "gumbel">,
  I32EnumAttrCase<"Exponential", 3, "exponential">]>;
def Moe_NoiseDistributionAttr : Moe_EnumAttr<Moe_NoiseDistribution, "noise_distribution">;

def Moe_SelectMode : Moe_Enum<"SelectMode", "rule that picks (token, expert) pairs", [
  I32EnumAttrCase<"TopK", 0, "top_k">,
  I32EnumAttrCase<"SparseMixer", 1, "sparse_mixer">,
  I32EnumAttrCase<"All", 2, "all">,
  I32EnumAttrCase<"Threshold", 3, "threshold">,
  I32EnumAttrCase<"TopP", 4, "top_p">,
  I32EnumAttrCase<"BalancedExact", 5, "balanced_exact">,
  I32EnumAttrCase<"BalancedAuction", 6, "balanced_auction">,
  I32EnumAttrCase<"Table", 7, "table">]>;
def Moe_SelectModeAttr : Moe_EnumAttr<Moe_SelectMode, "select_mode">;

def Moe_SelectSide : Moe_Enum<"SelectSide", "who chooses", [
  I32EnumAttrCase<"Token", 0, "token">,
  I32EnumAttrCase<"Expert", 1, "expert">]>;
def Moe_SelectSideAttr : Moe_EnumAttr<Moe_SelectSide, "select_side">;

def Moe_GroupMask : Moe_Enum<"GroupMask", "value that experts of dropped groups take", [
  I32EnumAttrCase<"NegInf", 0, "neg_inf">,
  I32EnumAttrCase<"Zero", 1, "zero">]>;

def Moe_WeightSource : Moe_Enum<"WeightSource", "where combine weights come from", [
  I32EnumAttrCase<"Gather", 0, "gather">,
  I32EnumAttrCase<"SoftmaxSelected", 1, "softmax_selected">,
  I32EnumAttrCase<"One", 2, "one">,
  I32EnumAttrCase<"SparseMixer", 3, "sparse_mixer">]>;
def Moe_WeightSourceAttr : Moe_EnumAttr<Moe_WeightSource, "weight_source">;

def Moe_WeightNorm : Moe_Enum<"WeightNorm", "normalisation of a token's weights", [
  I32EnumAttrCase<"None", 0, "none">,
  I32EnumAttrCase<"L1", 1, "l1">,
  I32EnumAttrCase<"Lp", 2, "lp">]>;
def Moe_WeightNormAttr : Moe_EnumAttr<Moe_WeightNorm, "weight_norm">;

def Moe_EpsilonMode : Moe_Enum<"EpsilonMode", "how the epsilon guards the divisor", [
  I32EnumAttrCase<"None", 0, "none">,
  I32EnumAttrCase<"Add", 1, "add">,
  I32EnumAttrCase<"Clamp", 2, "clamp">]>;
def Moe_EpsilonModeAttr : Moe_EnumAttr<Moe_EpsilonMode, "epsilon_mode">;

def Moe_FilterKind : Moe_Enum<"FilterKind", "rule that keeps an assignment", [
  I32EnumAttrCase<"GreaterThan", 0, "greater_than">,
  I32EnumAttrCase<"Bernoulli", 1, "bernoulli">]>;
def Moe_FilterKindAttr : Moe_EnumAttr<Moe_FilterKind, "filter_kind">;

def Moe_SlotOrder : Moe_Enum<"SlotOrder", "order in which assignments claim slots", [
  I32EnumAttrCase<"RankMajor", 0, "rank_major">,
  I32EnumAttrCase<"TokenMajor", 1, "token_major">,
  I32EnumAttrCase<"PerExpert", 2, "per_expert">]>;
def Moe_SlotOrderAttr : Moe_EnumAttr<Moe_SlotOrder, "slot_order">;

def Moe_SlotFit : Moe_Enum<"SlotFit", "which of a token's choices may be tried", [
  I32EnumAttrCase<"PerRank", 0, "per_rank">,
  I32EnumAttrCase<"First", 1, "first">]>;
def Moe_SlotFitAttr : Moe_EnumAttr<Moe_SlotFit, "slot_fit">;

def Moe_SlotLayout : Moe_Enum<"SlotLayout", "layout of dispatched rows", [
  I32EnumAttrCase<"Padded", 0, "padded">,
  I32EnumAttrCase<"Ragged", 1, "ragged">]>;
def Moe_SlotLayoutAttr : Moe_EnumAttr<Moe_SlotLayout, "slot_layout">;

def Moe_Dropped : Moe_Enum<"Dropped", "output of a token without a surviving assignment", [
  I32EnumAttrCase<"Zero", 0, "zero">,
  I32EnumAttrCase<"Identity", 1, "identity">]>;
def Moe_DroppedAttr : Moe_EnumAttr<Moe_Dropped, "dropped">;

def Moe_CapacityBase : Moe_Enum<"CapacityBase", "number that the capacity factor multiplies", [
  I32EnumAttrCase<"Tokens", 0, "tokens">,
  I32EnumAttrCase<"Assignments", 1, "assignments">]>;

def Moe_Rounding : Moe_Enum<"Rounding", "rounding of a rational capacity", [
  I32EnumAttrCase<"Floor", 0, "floor">,
  I32EnumAttrCase<"Ceil", 1, "ceil">,
  I32EnumAttrCase<"HalfEven", 2, "half_even">]>;

def Moe_StatsSource : Moe_Enum<"StatsSource", "assignments that the fraction f counts", [
  I32EnumAttrCase<"FirstChoice", 0, "first_choice">,
  I32EnumAttrCase<"All", 1, "all">]>;
def Moe_StatsSourceAttr : Moe_EnumAttr<Moe_StatsSource, "stats_source">;

def Moe_StatsNorm : Moe_Enum<"StatsNorm", "divisor of the fraction f", [
  I32EnumAttrCase<"Tokens", 0, "tokens">,
  I32EnumAttrCase<"Assignments", 1, "assignments">]>;
def Moe_StatsNormAttr : Moe_EnumAttr<Moe_StatsNorm, "stats_norm">;

//===-- Experts and weights ----------------------------------------------===//

def Moe_Activation : Moe_Enum<"Activation", "activation of an expert", [
  I32EnumAttrCase<"Identity", 0, "identity">,
  I32EnumAttrCase<"Relu", 1, "relu">,
  I32EnumAttrCase<"GeluErf", 2, "gelu_erf">,
  I32EnumAttrCase<"GeluTanh", 3, "gelu_tanh">,
  I32EnumAttrCase<"Silu", 4, "silu">,
  I32EnumAttrCase<"Relu2", 5, "relu2">]>;
def Moe_ActivationAttr : Moe_EnumAttr<Moe_Activation, "activation">;

def Moe_GateLayout : Moe_Enum<"GateLayout", "where the gate and up projections lie", [
  // Not gated: one projection.
  I32EnumAttrCase<"None", 0, "none">,
  // Two tensors: `gate` and `up`.
  I32EnumAttrCase<"Separate", 1, "separate">,
  // One tensor of 2·I rows: gate rows first, then up rows.
  I32EnumAttrCase<"Halves", 2, "halves">,
  // One tensor of 2·I rows: gate on even rows, up on odd rows.
  I32EnumAttrCase<"Interleaved", 3, "interleaved">,
  // One tensor of 2·I rows: up rows first, then gate rows.
  I32EnumAttrCase<"UpFirst", 4, "up_first">,
  // One tensor of 2·I rows: up on even rows, gate on odd rows.
  I32EnumAttrCase<"UpFirstPairs", 5, "up_first_pairs">]>;
def Moe_GateLayoutAttr : Moe_EnumAttr<Moe_GateLayout, "gate_layout">;

def Moe_StepsPlace : Moe_Enum<"StepsPlace", "which rows of an expert are rounded to steps", [
  // What the first products read.
  I32EnumAttrCase<"Input", 0, "input">,
  // What `gate` gives with its bias (both projections where they share a tensor), and what a separate `up` gives.
  I32EnumAttrCase<"Gate", 1, "gate">,
  I32EnumAttrCase<"Up", 2, "up">,
  // What `down` reads, and what it gives with its bias.
  I32EnumAttrCase<"Hidden", 3, "hidden">,
  I32EnumAttrCase<"Result", 4, "result">]>;

def Moe_WeightOrder : Moe_Enum<"WeightOrder", "order of the two inner dims of a weight", [
  I32EnumAttrCase<"OutIn", 0, "out_in">,
  I32EnumAttrCase<"InOut", 1, "in_out">]>;
def Moe_WeightOrderAttr : Moe_EnumAttr<Moe_WeightOrder, "weight_order">;

def Moe_PackingFamily : Moe_Enum<"PackingFamily", "layout that a kernel reads a weight in", [
  // As the file has it.
  I32EnumAttrCase<"Plain", 0, "plain">,
  // [E][ceil(N/32)][K][32]: element (k, n) of an expert at (n/32)·32·K + k·32 + n%32, zero where n ≥ N.
  // In pairs of k, [E][ceil(N/32)][ceil(K/2)][32][2]: at (n/32)·32·2·ceil(K/2) + (k/2)·64 + n%32·2 + k%2, zero also where k ≥ K.
  I32EnumAttrCase<"Panel32", 1, "panel32">,
  // As Panel32 over pairs: a panel holds 16 gate columns, then the 16 up columns that belong to them.
  I32EnumAttrCase<"GateUp16", 2, "gate_up16">]>;
def Moe_PackingFamilyAttr : Moe_EnumAttr<Moe_PackingFamily, "packing_family">;

def Moe_QuantFormat : Moe_Enum<"QuantFormat", "format of quantised weights", [
  I32EnumAttrCase<"Int8Channel", 0, "int8_channel">,
  I32EnumAttrCase<"Int4Group", 1, "int4_group">,
  I32EnumAttrCase<"Fp8Block", 2, "fp8_block">,
  I32EnumAttrCase<"Mxfp4", 3, "mxfp4">,
  I32EnumAttrCase<"Nf4", 4, "nf4">,
  I32EnumAttrCase<"TernaryDict", 5, "ternary_dict">,
  I32EnumAttrCase<"Int8Group", 6, "int8_group">,
  I32EnumAttrCase<"Int2Group", 7, "int2_group">,
  I32EnumAttrCase<"Nvfp4", 8, "nvfp4">]>;

def Moe_PanelCode : Moe_Enum<"PanelCode", "what a code in a panel of blocks stands for", [
  // Unsigned, less the zero point; without one less 2^(bits-1), and int8 is stored as what is left.
  I32EnumAttrCase<"Int8", 0, "int8">,
  I32EnumAttrCase<"Int4", 1, "int4">,
  I32EnumAttrCase<"Int2", 2, "int2">,
  // The floats and the table of moe.dequant.
  I32EnumAttrCase<"E2m1", 3, "e2m1">,
  I32EnumAttrCase<"Nf4", 4, "nf4">,
  I32EnumAttrCase<"E4m3", 5, "e4m3">,
  // 0, lo or hi of the column, in digits of base 3.
  I32EnumAttrCase<"Ternary", 6, "ternary">]>;

class Moe_Attr<string name, string attrMnemonic>
    : AttrDef<Moe_Dialect, name> { let mnemonic = attrMnemonic; }

def Moe_FfnAttr : Moe_Attr<"Ffn", "ffn"> {
  let summary = "what an expert computes between its two projections";
  let description = [{
    Not gated: `y = act(x·W1ᵀ + b1)·W2ᵀ + b2`.
    Gated, with gate g and up u of a row:
    `g' = min(g, limit)`, `u' = clip(u, -limit, limit)`, then
    `h = act(g')·(u' + up_offset)`; for silu the sigmoid takes `alpha·g'`.
    Absent: alpha 1, up_offset 0, no limit. In files alpha, up_offset and limit
    are written as f64 attributes.
  }];
  let parameters = (ins
    EnumParameter<Moe_Activation>:$activation,
    DefaultValuedParameter<"::moe::GateLayout", "::moe::GateLayout::None">:$gate,
    OptionalParameter<"::mlir::FloatAttr">:$alpha,
    OptionalParameter<"::mlir::FloatAttr">:$up_offset,
    OptionalParameter<"::mlir::FloatAttr">:$limit);
  let assemblyFormat = "`<` struct(params) `>`";
  let extraClassDeclaration = [{
    /// The values with their defaults: 1, 0 and +inf.
    double alphaValue() const { return getAlpha() ? getAlpha().getValueAsDouble() : 1.0; }
    double upOffsetValue() const { return getUpOffset() ? getUpOffset().getValueAsDouble() : 0.0; }
    double limitValue() const {
      return getLimit() ? getLimit().getValueAsDouble() : std::numeric_limits<double>::infinity();
    }
    bool isGated() const { return getGate() != ::moe::GateLayout::None; }
  }];
}

def Moe_StepsAttr : Moe_Attr<"Steps", "steps"> {
  let summary = "rows of experts are rounded to steps, as quantised models have it";
  let description = [{
    With scale s and zero point z of the row's expert, a number x of the rows at
    the place `at` becomes `s·(clip(round(x/s) + z, lower, upper) - z)`, halves to
    even, in f32: what a QuantizeLinear and a DequantizeLinear make of it.

    Without `scales` they are found when the model runs, from all rows of an expert
    at that place, as DynamicQuantizeLinear does it: from its greatest number g and
    its least l, 0 counted among them, `s = (g - l)/255` and `z = round(-l/s)`.

    Constraints:
    - steps-c1: scales are finite and positive, and there are as many zeros.
    - steps-c2: -32768 <= lower < upper <= 65535, and zeros are between them.
    - steps-c3: without scales there are no zeros, and the codes are those of a byte, 0 to 255.
  }];
  let parameters = (ins
    EnumParameter<Moe_StepsPlace>:$at, "int64_t":$lower, "int64_t":$upper,
    OptionalParameter<"::mlir::DenseF32ArrayAttr">:$scales,
    OptionalParameter<"::mlir::DenseI32ArrayAttr">:$zeros);
  // Scales are written with all their digits, which the text of array<f32> has not.
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}
def Moe_StepsArrayAttr : TypedArrayAttrBase<Moe_StepsAttr, "list of #moe.steps">;

def Moe_OriginAttr : Moe_Attr<"Origin", "origin"> {
  let summary = "where a raised layer came from: its name and the export form";
  let parameters = (ins StringRefParameter<>:$name, StringRefParameter<>:$form);
  let assemblyFormat = "`<` $name `,` $form `>`";
}

def Moe_GroupsAttr : Moe_Attr<"Groups", "groups"> {
  let summary = "group-limited selection (DeepSeek): keep the best groups, select inside them";
  let description = [{
    E experts form `count` equal groups; a group's score is the sum of its
    `top_r` best choice scores; the `keep` best groups stay.

    Constraints: groups-c1: count >= 1; groups-c2: 1 <= keep <= count;
    groups-c3: top_r >= 1.
  }];
  let parameters = (ins "int64_t":$count, "int64_t":$keep, "int64_t":$top_r,
                        EnumParameter<Moe_GroupMask>:$mask);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Moe_CapacityAttr : Moe_Attr<"Capacity", "capacity"> {
  let summary = "rule that gives the slots per expert; exact integer arithmetic";
  let description = [{
    `round(base · numerator / (denominator · E))`, times K if `times_k`, at
    least `minimum`, at most `maximum` where that is not 0, rounded up to
    `multiple_of`. With `pre_ceil`, `base/E` is rounded up first.

    Constraints: capacity-c1: numerator and denominator are in 1 … 2^31 - 1, so
    that products with a number of assignments fit 64 bits; capacity-c2: minimum
    is in 0 … 2^31 - 1; capacity-c3: maximum is 0 or in minimum … 2^31 - 1;
    capacity-c4: multiple_of is in 1 … 65536.
  }];
  let parameters = (ins
    EnumParameter<Moe_CapacityBase>:$base,
    "int64_t":$numerator, "int64_t":$denominator,
    EnumParameter<Moe_Rounding>:$rounding,
    DefaultValuedParameter<"bool", "false">:$pre_ceil,
    DefaultValuedParameter<"bool", "false">:$times_k,
    DefaultValuedParameter<"int64_t", "0">:$minimum,
    DefaultValuedParameter<"int64_t", "0">:$maximum,
    DefaultValuedParameter<"int64_t", "1">:$multiple_of);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Moe_QuantAttr : Moe_Attr<"Quant", "quant"> {
  let summary = "how a quantised weight is stored";
  let description = [{
    `group_size` is the number of weights that share a scale along dim `axis`
    (-1 the last, -2 the one before), for fp8_block along both; 0: all of them
    (mxfp4: 32, nvfp4: 16). `bits` are those of a stored number, 0: the
    format's. Checked where it is used: quant-c1 to quant-c3 of `moe.dequant`.
  }];
  let parameters = (ins EnumParameter<Moe_QuantFormat>:$format,
                        DefaultValuedParameter<"int64_t", "0">:$group_size,
                        DefaultValuedParameter<"int64_t", "0">:$bits,
                        DefaultValuedParameter<"int64_t", "-1">:$axis);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Moe_BlocksAttr : Moe_Attr<"Blocks", "blocks"> {
  let summary = "layout of panels whose weights are quantised";
  let description = [{
    A panel is bytes: a block for each `group` values of k begun. A block is 32
    scales, 32 zero points (u8 or f32) where `zero` has a type, and the codes of
    `group` values of k, at the byte of column c of the panel:
    - 8 bits: `32·k + c`;
    - 4 bits: `16·k + c mod 16`, the low half for c < 16;
    - 2 bits: `16·(k / 2) + c mod 16`, bits `4·(k mod 2) + 2·(c / 16)` on;
    - ternary: `32·(k / 5) + c`, digit `k mod 5` of the byte.

    The last block has the size of the others; its codes past K are 0. An
    element is `scale · (code - zero)`, in f32, as in `moe.dequant`.

    A ternary block has two numbers for each column instead of a scale, 32 lo
    and then 32 hi: an element is 0, lo or hi, as its digit 0, 1 or 2 says. A byte
    holds five digits as the fraction `⌈v·256 / 243⌉ / 256`, v their number in base
    3, the first one above: digit i is `⌊3·(byte·3^i mod 256) / 256⌋`.

    With `dictionary`, ternary digits stay strings of a dictionary, and a panel takes
    so many bytes on average: the panels of all experts are one run of bytes. It
    begins with the number of the first code of each column of each panel and
    that of all codes (i32), then has the 32 lo and 32 hi of each panel and the
    16-bit codes, column after column, up to zeros that make the average a whole
    number. Strings and codes: `moe.dequant`. The kernel takes a panel apart before
    its rows pass: 32 lo, 32 hi, and digit k of column c as the bits
    `2·(k mod 16)` on of the i32 `32·(k / 16) + c`, with two more lines of these.

    With `quads`, for products of integers (rows of int8, `x` of
    `moe.grouped_matmul`), four neighbours along k lie together, all codes are
    unsigned, and `group` is filled up with codes 0 to a multiple of
    `4 · 8 / bits`. Column c of the panel then has
    - 8 bits: the byte `128·(k / 4) + 4·c + k mod 4`;
    - 4 bits: the byte `128·(k / 8) + 4·c + k mod 4`, its low half for k mod 8 < 4;
    - 2 bits: the byte `128·(k / 16) + 4·c + k mod 4`, bits `2·(k mod 16 / 4)` on.

    A row of int8 is bytes too: a block for each block of the panel. It is cut
    into parts of 32 values of k (the last has what is left) and holds the scale
    of each part (f32), a sum for each (i32), and the codes (signed bytes) in the
    order of k, filled up as the panel's are. The code of x is
    `round(x · (127 / m))`, ties to even, and the scale `m / 127`, in f32, with m
    the greatest |x| of the part; both are 0 where m < 2^-100, and the scale is
    NaN where the part has a NaN or an infinity. The sum is that of the part's
    codes, times `-2^(bits-1)` where `zero` is absent: what the zero point adds
    to the product of the codes.

    Constraints: blocks-c1: group is at least 1; blocks-c2: `scale` is f32, f16
    or bf16; blocks-c3: `zero` is absent, f32 or i8, and only for integers;
    blocks-c4: `quads` only for integers; blocks-c5: `dictionary` is not negative,
    and 0 but for ternary.
  }];
  let parameters = (ins EnumParameter<Moe_PanelCode>:$code, "int64_t":$group, "::mlir::Type":$scale,
                        OptionalParameter<"::mlir::Type">:$zero, DefaultValuedParameter<"bool", "false">:$quads,
                        DefaultValuedParameter<"int64_t", "0">:$dictionary);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bits of a code; 0 for ternary, five of which share a byte.
    int64_t bits() const;
    /// Values of k in a byte of ternary codes.
    static constexpr int64_t ternaryPerByte = 5;
    bool isTernary() const { return getCode() == PanelCode::Ternary; }
    /// Bytes of the scales, of the zero points and of the codes of one block.
    int64_t scaleBytes() const;
    int64_t zeroBytes() const;
    int64_t codeBytes() const;
    int64_t blockBytes() const { return scaleBytes() + zeroBytes() + codeBytes(); }
    /// Blocks of a panel of `depth` values of k, and its bytes.
    int64_t blockCount(int64_t depth) const { return (depth + getGroup() - 1) / getGroup(); }
    int64_t panelBytes(int64_t depth) const { return getDictionary() ? getDictionary() : blockCount(depth) * blockBytes(); }
    /// With a dictionary: digits of a column in one i32, and where the numbers and the codes of `panels` panels lie in the run.
    static constexpr int64_t digitsPerLane = 16;
    int64_t dictionaryNumbers(int64_t panels) const { return 4 * (32 * panels + 1); }
    int64_t dictionaryCodes(int64_t panels) const { return dictionaryNumbers(panels) + panels * scaleBytes(); }
    /// These blocks with a dictionary, for `codes` codes in `panels` panels.
    BlocksAttr withDictionary(int64_t panels, int64_t codes) const;

    /// With quads: values of k that share a scale of a row, at most.
    static constexpr int64_t partDepth = 32;
    /// The group, filled up; its parts; bytes of a block of a row and of a row.
    int64_t filledGroup() const;
    int64_t partCount() const { return (getGroup() + partDepth - 1) / partDepth; }
    int64_t rowBlockBytes() const { return partCount() * 8 + filledGroup(); }
    int64_t rowBytes(int64_t depth) const { return blockCount(depth) * rowBlockBytes(); }
  }];
}

def Moe_FileAttr : Moe_Attr<"File", "file"> {
  let summary = "bytes of a tensor in a file: path, offset and length in bytes";
  let description = [{
    The path is absolute, or relative to the folder of the .mlir file that is
    compiled, and was checked by the importer. Little-endian, row-major, ONNX packing.
  }];
  let parameters = (ins StringRefParameter<>:$path, "int64_t":$offset, "int64_t":$length);
  let assemblyFormat = "`<` $path `,` `offset` `=` $offset `,` `length` `=` $length `>`";
}

def Moe_RouterAttr : Moe_Attr<"Router", "router"> {
  let summary = "a fused router: score, select and weigh in one";
  let description = [{
    `function` gives scores, `k` experts with the greatest score are selected
    (ties: lowest expert), `source` and `norm` give the weights, then `scale`.
    `source = softmax_selected` reads the logits of the selected experts.

    In real arithmetic (softmax, gather, l1) equals (identity, softmax_selected,
    none): softmax keeps the order and the common divisor cancels. A kernel may
    compute the second for the first; the attribute says what the graph had.
  }];
  let parameters = (ins
    EnumParameter<Moe_ScoreFunction>:$function,
    "int64_t":$k,
    EnumParameter<Moe_WeightSource>:$source,
    EnumParameter<Moe_WeightNorm>:$norm,
    OptionalParameter<"::mlir::FloatAttr">:$scale);
  let assemblyFormat = "`<` struct(params) `>`";
  let extraClassDeclaration = [{
    /// The scale with its default, 1.
    double scaleValue() const { return getScale() ? getScale().getValueAsDouble() : 1.0; }
  }];
}

//===-- Plans --------------------------------------------------------------===//

def Moe_AxisAttr : Moe_Attr<"Axis", "axis"> {
  let summary = "an axis of a mesh: how many positions, and how devices that differ in it reach each other";
  let description = [{
    A collective takes `alpha_us` microseconds, `per_msg_us` for each peer, and
    its bytes at `gbps` 10^9 bytes a second. `nics` interfaces are shared by the
    devices at one position; 0: each device has its own.

    Constraints: axis-c1: the name is not empty and size is at least 1.
  }];
  let parameters = (ins StringRefParameter<>:$name, "int64_t":$size, "::mlir::FloatAttr":$alpha_us, "::mlir::FloatAttr":$gbps,
                        "::mlir::FloatAttr":$per_msg_us, DefaultValuedParameter<"int64_t", "0">:$nics);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Moe_DeviceAttr : Moe_Attr<"Device", "device"> {
  let summary = "what one device of a mesh can do";
  let description = [{
    `tflops` holds 10^12 operations a second by element type ({f32 = 60.0}). The
    product of one expert costs `gemm_alpha_us` and then runs at n / (n +
    gemm_half_rows) of the peak for n rows. Memory has `mem_mib` MiB and moves
    `mem_gbps` 10^9 bytes a second.
  }];
  let parameters = (ins StringRefParameter<>:$name, "::mlir::DictionaryAttr":$tflops, "::mlir::FloatAttr":$gemm_alpha_us,
                        "::mlir::FloatAttr":$gemm_half_rows, "::mlir::FloatAttr":$mem_gbps, "int64_t":$mem_mib,
                        "::mlir::FloatAttr":$comm_compute_slowdown);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Moe_EstimateAttr : Moe_Attr<"Estimate", "estimate"> {
  let summary = "what the plan stage expects a sharded layer to cost, and how it came to that";
  let description = [{
    Microseconds of the layer and its parts (which overlap), for `tokens` tokens of
    each device; bytes that the fullest device sends each way, and stores. What a
    device has added up goes to all others in `gather_us`, part of the total. `solver`
    is exact, certified, pinned or replanned; `bound_us` is below the time of every plan of the
    whole model that `solver` knows, `model_us` what this one takes. `profile` is
    none, or sha256: and the hash of the loads that were read.
  }];
  let parameters = (ins "::mlir::FloatAttr":$total_us, "::mlir::FloatAttr":$dispatch_us, "::mlir::FloatAttr":$experts_us,
                        "::mlir::FloatAttr":$combine_us, "int64_t":$tokens, "int64_t":$dispatch_bytes, "int64_t":$combine_bytes,
                        "int64_t":$weight_bytes, "int64_t":$buffer_bytes, "::mlir::FloatAttr":$model_us, "::mlir::FloatAttr":$bound_us,
                        StringRefParameter<>:$solver, StringRefParameter<>:$profile, OptionalParameter<"::mlir::FloatAttr">:$gather_us);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Moe_ShardingAttr : Moe_Attr<"Sharding", "sharding"> {
  let summary = "which device has which experts, and how rows go there and back";
  let description = [{
    Groups of `ep` · `etp` neighbouring devices of the mesh hold all experts; `edp` of them
    are the mesh. `axes` says in words which axes a group spans ("rank", or "rank:(1)2"
    for a part of one). Slot i of a group holds expert `slots[i]` and lies on its
    device i / (slots / ep), or where `etp` is more than 1 on so many neighbouring devices, each with
    a part of the expert's intermediate features: rows go to all of them, and what they
    give is added up. Tokens of an expert with several slots take turns.
    `equality` is bitwise or tolerance: how results compare to those of one device.
    The tokens of each device go out in `chunks`, so that a chunk travels while
    experts compute another. Rows go straight to where they are needed (direct), or
    in two steps (two_level): over the network between devices of one place in their
    nodes of `per_node` neighbours, then inside of nodes. With `dedup` node the row of a
    token crosses the network once for a node and is copied there; results come back
    one by one.
    A `pinned` plan is the user's: it is costed, never changed.

    Constraints: sharding-c1: ep, etp, edp and chunks are at least 1; sharding-c2: slots are
    a multiple of ep, not empty, none below 0; sharding-c3: the algorithm is direct, or
    two_level with per_node a divisor of the devices, and dedup none or, on two levels, node; sharding-c4: equality is bitwise
    or tolerance.
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$mesh, "::mlir::ArrayAttr":$axes, "int64_t":$ep, "int64_t":$edp,
                        "::mlir::DenseI64ArrayAttr":$slots, StringRefParameter<>:$algorithm, StringRefParameter<>:$equality,
                        DefaultValuedParameter<"int64_t", "1">:$chunks, DefaultValuedParameter<"int64_t", "0">:$per_node,
                        StringRefParameter<"", "\"none\"">:$dedup, DefaultValuedParameter<"int64_t", "1">:$etp,
                        DefaultValuedParameter<"bool", "false">:$pinned, OptionalParameter<"::moe::EstimateAttr">:$estimate);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Devices of the mesh.
    int64_t devices() const { return getEp() * getEtp() * getEdp(); }
    /// The same with each part of an expert as an expert of its own, and etp 1.
    ShardingAttr ofParts() const;
    int64_t slotsPerDevice() const { return getSlots().size() / getEp(); }
    /// [experts]: the devices of a group that hold each expert, in the order of the slots.
    ::llvm::SmallVector<::llvm::SmallVector<int64_t>> holders(int64_t experts) const;
  }];
}

def Moe_BatchSplitAttr : Moe_Attr<"BatchSplit", "batch_split"> {
  let summary = "each device computes what lies between the layers for its own sequences";
  let description = [{
    The plan of what is around the sharded layers of a function, its discardable
    attribute `moe.batch_split`: of B sequences each of the `devices` of `mesh` takes
    ⌈B/D⌉ through attention and all else that treats sequences apart; only what
    routers have computed, and results, are gathered. `us` is what the plan stage expects the
    function to take, layers included, for `sequences`, `whole_us` what it would take if every device
    computed all of them and gathered the results of each layer.

    Constraints: batch_split-c1: there is at least 1 device.
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$mesh, "int64_t":$devices, DefaultValuedParameter<"int64_t", "0">:$sequences,
                        OptionalParameter<"::mlir::FloatAttr">:$us, OptionalParameter<"::mlir::FloatAttr">:$whole_us);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Moe_PlanAttr : Moe_Attr<"Plan", "plan"> {
  let summary = "what the plan stage decided for one op";
  let description = [{
    Created by the plan stage on `moe.experts` (`packing` is that of the first
    product) and on products with a stored weight; carried by fuse to
    `moe.grouped_matmul`; gone when lower has packed the weights.
    `activations` is the precision of the kernel's activations: f32, bf16 or
    int8. `sharding` is there where experts are spread over a mesh, or
    the columns of one product: device d has the d-th of as many equal ranges as there
    are devices, as if they were experts that every row goes to.
  }];
  let parameters = (ins
    EnumParameter<Moe_PackingFamily>:$packing,
    StringRefParameter<>:$activations,
    OptionalParameter<"::moe::ShardingAttr">:$sharding);
  let builders = [AttrBuilder<(ins "::moe::PackingFamily":$packing, "::llvm::StringRef":$activations), [{
    return $_get($_ctxt, packing, activations, ::moe::ShardingAttr());
  }]>];
  let assemblyFormat = "`<` struct(params) `>`";
}

#endif // MOE_IR_ATTRS_TD
