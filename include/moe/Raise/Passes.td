// Passes of the raise stage. A pass Foo has the flag moe-raise-… and lives in lib/Raise/.
#ifndef MOE_RAISE_PASSES_TD
#define MOE_RAISE_PASSES_TD

include "mlir/Pass/PassBase.td"

//===-- Recognisers of MoE layers ----------------------------------------===//

class Moe_RecogniserPass<string flag> : Pass<flag, "::mlir::ModuleOp"> {
  let dependentDialects = ["::moe::MoeDialect", "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

/// For passes where a graph may look like a layer and be none.
class Moe_MatchingPass<string flag> : Moe_RecogniserPass<flag> {
  let options = [
    Option<"remarks", "remarks", "bool", /*default=*/"false", "Say why something that looks like an MoE layer was left as it is.">
  ];
}

def RaiseExpandLayers : Moe_RecogniserPass<"moe-raise-expand-layers"> {
  let summary = "moe.layer becomes score, select, weigh, slots, dispatch, experts, combine";
  let description = [{
    The one-op form is sugar for files written by hand. The layer gets an origin
    of form `mlir` if it has none.
  }];
}

def RaiseQuantizedWeights : Moe_RecogniserPass<"moe-raise-quantized-weights"> {
  let summary = "stored weights that the graph dequantises become moe.dequant";
  let description = [{
    com.microsoft.MatMulNBits becomes a MatMul with the transpose of a
    `moe.dequant`; a DequantizeLinear of a stored weight (with one scale, per row,
    per column, per expert, or in blocks along one of the last two dims) becomes a
    `moe.dequant`, also where an expert's codes are taken out first. One of a computed
    value, or in groups that `moe.dequant` cannot say, is left. A pair that rounds
    numbers to steps that they are on already goes away. Biases stored as i32 become
    the numbers they stand for. A MatMulInteger of the codes of a DynamicQuantizeLinear
    and stored ones becomes the MatMul of what both stand for, the sums of which are
    rounded where those of codes are exact.
  }];
}

def RaiseStackedLayers : Pass<"moe-raise-stacked-layers", "::mlir::ModuleOp"> {
  let summary = "a layer's slice of weights that are stored for all layers becomes a stored weight";
  let description = [{
    A Gather of one slice at a constant number, of a stored tensor of at least
    four dims (layers, experts, rows, columns), as an unrolled loop over layers
    has it; and those of other stored tensors whose first dim is that number of
    layers. No byte is read or copied: the slice is a range of the same file. And
    matrices of experts that lie below each other in a stored one, where a Reshape
    takes them apart: a stored tensor of three dims.
  }];
}

def RaiseInlineExperts : Pass<"moe-raise-inline-experts", "::mlir::ModuleOp"> {
  let summary = "the region of a moe.experts becomes ordinary ops, once per expert";
  let description = [{
    An expert of padded rows E×C×H gets its C rows. An expert of ragged rows R×H
    gets R rows, its own first and zeros after them: sizes must not depend on
    data, and a row of the region's result depends on that row alone. Slices of
    stored weights become stored weights of their own, so that products with
    them are kernels. What is inside may hold experts again. E must be static.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def RaiseFusedExperts : Moe_RecogniserPass<"moe-raise-fused-experts"> {
  let summary = "com.microsoft.MoE and QMoE become the chain of moe ops";
  let description = [{
    The node is read by its schema: softmax over all experts, then the k best,
    normalised where `normalize_routing_weights` is 1; `gelu` is the tanh form;
    swiglu is interleaved (`swiglu_fusion` 1), in halves (2) or has its up
    projection in fc3 (0), with limit, alpha and beta. Weights of old files
    ([E, in, out]) are told by their dims, with a warning. What the schema does not
    say is an error that names the node.

    The weights of QMoE become `moe.dequant`: integers of 2, 4 or 8 bits per row
    or in blocks, with or without zero points, e4m3 in square blocks, mxfp4 and
    nvfp4. Bytes that were permuted for CUTLASS are refused. With
    `router_weights`, the logits choose the experts and that input has their
    weights.
  }];
}

def RaiseBatchedExperts : Moe_MatchingPass<"moe-raise-batched-experts"> {
  let summary = "experts that gather a whole matrix per routed row become the chain of moe ops";
  let description = [{
    Forms C (`batched`: a list of the rows of all choices) and G (`gathered`: the
    matrices have dims for tokens and choices). Anchored at the sum over a token's
    choices (a ReduceSum of a product, or one MatMul or Einsum with the weights)
    and read upwards; every product, MatMul or Einsum, must look its weights up by
    the same ids. The router is not looked at: its ids and weights feed `moe.assign`
    and `moe.combine`. Factors of rows (a scale of each expert, weights before a
    second product that has no bias) are multiplied into the weights. An Einsum of
    rows, matrices and weights is first written as two products, and an Expand that
    repeats nothing taken out. Where no sum is known that ends the layer, rows of
    experts, weighted or not, are raised with one choice per row and what follows
    stays. A remark names each other product with matrices that ids pick.
  }];
}

def RaiseGroupedExperts : Moe_MatchingPass<"moe-raise-grouped-experts"> {
  let summary = "experts that multiply slices of sorted rows become the chain of moe ops";
  let description = [{
    Form B: rows sorted by expert, one Gather and MatMul per expert over ranges
    that come from a histogram, a Concat, and the inverse permutation; or the pieces
    of a Split into as many rows as each expert has, and a ScatterND that adds the
    rows up at their tokens (JetMoe, GraniteMoe). The Concat may be of each product's
    pieces or of whole experts. Every range, every slice of the weights and both
    permutations are checked; time is linear in the number of nodes. A known number
    of each expert that scales its results goes into the weights.
  }];
}

def RaiseUnrolledExperts : Moe_MatchingPass<"moe-raise-unrolled-experts"> {
  let summary = "a loop over experts, written out, becomes the chain of moe ops";
  let description = [{
    Form D: for each expert a mask of its choices, NonZero, the rows of its tokens,
    two products, the weights of these choices, and a sum at the tokens' places
    (ScatterND or ScatterElements, with or without a reduction). The mask may be
    that of weights in a map which are not 0, or greater (noisy top-k); where nothing
    is known of the map each expert with such a weight is a choice. Experts have
    tensors of their own or slices of one; the last may have none and hand their
    rows on (LongCat-Flash). Choices that a mask takes out (a
    capacity) become ids that are no expert. A known number that scales an expert's
    rows goes into the weights. A loop that lacks experts was
    traced with an input that did not hit them: an error that says how to export.
  }];
}

def RaiseMaskedExperts : Moe_MatchingPass<"moe-raise-masked-experts"> {
  let summary = "experts that each compute all tokens become the chain of moe ops";
  let description = [{
    Form F: the sum over the experts of expert(x) times its weights, which are 0
    for tokens that did not choose it: a column of a map of weights, or
    the sum over the choices of (id == expert) · weight, or (id == expert) alone of
    one choice. Where a Where has 0 for tokens that did not choose the expert, the
    column may be that of any scores. Experts are added one after another, by one
    Sum, or stacked by a Concat (in front of their columns or behind them) and summed
    with the map; or a Where for each puts its rows in the place of
    the others', where every token has one of them. A layer of one expert may add
    nothing up. A known number that scales an expert's rows, its weights or a column of
    the map goes into the weights.
  }];
}

def RaiseTiledExperts : Moe_MatchingPass<"moe-raise-tiled-experts"> {
  let summary = "batched products of all tokens with all experts become the chain of moe ops";
  let description = [{
    Form E: tokens tiled once per expert or repeated by the product, two batched
    products (MatMul, or Einsum with the experts before or after the tokens), and a
    map of weights that multiplies the results and is summed with them, by a
    ReduceSum or one product; or the rows on the way in (Llama 4), where the experts
    have no bias. The map is a ScatterElements into zeros, a sum of weighted one-hot
    rows, or a Sigmoid or Softmax of a ScatterElements into -inf. A known number of
    each expert that scales its results or its column goes into the weights.
  }];
}

def RaisePaddedExperts : Moe_MatchingPass<"moe-raise-padded-experts"> {
  let summary = "experts on slots that a dispatch filled become moe.experts with padded rows";
  let description = [{
    Capacity forms (Switch, GShard, V-MoE: a one-hot dispatch times the tokens; FastMoE
    and Tutel: tokens gathered or scattered by computed numbers of slots) and Soft MoE
    (form `soft`: a Softmax times the tokens): two batched products (MatMul or Einsum)
    with one matrix per expert on rows E×C×H, or with dims for groups of tokens that
    claim slots apart (E×G×C×H, G×E×C×H). C may depend on the sizes of the input. Or a
    list of experts, where expert e reads part e of the slots (Gather, Split, Slice) and
    one Concat joins all results in that order. Dispatch and combine stay what they are.
    Rows that no dispatch made are left: a batched MLP is not yet an MoE layer.
  }];
}

def RaiseRoundedExperts : Moe_MatchingPass<"moe-raise-rounded-experts"> {
  let summary = "says which layers stay because rows are rounded to integers where layers do not";
  let description = [{
    Quantisers of activations leave experts whose rows are rounded. A pair of
    QuantizeLinear (with one known scale) or DynamicQuantizeLinear (in loops over
    experts, where the rows are those of an expert's tokens) and DequantizeLinear in
    front of or behind a product becomes `steps` of `moe.experts` in every recogniser.
    Other rounding (around every node, of the gathered matrices, QLinearMatMul) is no
    part of a layer. Where all experts' matrices are one tensor, it hides them from
    the recognisers. This pass changes nothing: at the sum behind such products it
    remarks, if asked, that they are a layer. Loops over experts are remarked by
    their own recognisers.
  }];
}

def RaiseDenseMixtures : Moe_MatchingPass<"moe-raise-dense-mixtures"> {
  let summary = "says which mixtures stay: what their gates weigh is no expert of a layer";
  let description = [{
    MMoE weighs the results of one product per expert, mixtures of LoRA adapters those
    of two without an activation, and no token chooses. Others have convolutions for
    experts, matrices that gates merge as the model runs (SMEAR), or rows of two tables
    (product keys). This pass changes nothing: at the first product of gates and rows it
    remarks, if asked, what they lack. Anchored at the gates, a Softmax or the weights of
    a choice scattered into zeros: all of them weigh rows that a stored tensor of one
    matrix per expert made, or each of their columns the rows of a product.
  }];
}

def RaiseRouter : Moe_MatchingPass<"moe-raise-router"> {
  let summary = "the ops that made ids and weights become moe.score, moe.select and moe.weigh";
  let description = [{
    Second step, on each `moe.assign`. Recognised, with K choices by TopK or one by
    ArgMax: scores by Softmax over the experts, Sigmoid, the root of Softplus, or by
    anything else, which then stays ordinary and makes the logits of an identity; a
    bias on the choice; the limit to the best groups, by a mask (of a ScatterElements or
    one-hot rows) or a product; as
    weights the chosen scores, their Softmax or Sigmoid, or a constant, perhaps
    divided by their sum or norm (plus an epsilon, or clamped to one), times a
    factor, or a stored one of each expert (Gemma 4); and the sparse mixer's two rounds. In f16 and bf16 models the router
    runs in f32. Any other router stays and its layer keeps `moe.assign`.
  }];
}

//===-- Ordinary ONNX ops ------------------------------------------------===//

def RaiseOnnx : Pass<"moe-raise-onnx", "::mlir::ModuleOp"> {
  let summary = "every moe.onnx op of the entry function becomes linalg, tensor, arith, math or moe.concat";
  let description = [{
    Each op of an ONNX graph is written as `linalg` on tensors (a product as
    `linalg.matmul` or `linalg.batch_matmul`, anything elementwise as one
    `linalg.generic`), moves as `tensor` ops, a Concat as `moe.concat`. Dynamic
    sizes are index arithmetic on the dims of the entry arguments; tensors that
    only computed shapes vanish, those whose contents follow from the input
    dims are built from index arithmetic where they are read. What inference had to take
    as equal becomes `moe.require_equal`. A size that depends on data (the count
    of a NonZero) is computed where it is needed, and kept below its bound; a
    condition on such sizes is a `cf.assert`. Ops whose results nobody needs are
    dropped. An op that has no conversion is an error that names the node.
  }];
  let dependentDialects = ["::moe::MoeDialect", "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect", "::mlir::cf::ControlFlowDialect"];
}

def RaiseCheckRows : Pass<"moe-raise-check-rows", "::mlir::ModuleOp"> {
  let summary = "what the parts of a layer assume of each other's sizes becomes conditions on the input";
  let description = [{
    Between the ops of a chain: x and scores have the rows of the routing, the
    router's scores a column per expert, combine the tokens of the routing and
    weights for its assignments. What the types do not prove is a
    `moe.require_equal`, so that a wrong input is bad_shape at run time.

    Expert numbers that no router of ours makes (`moe.assign`, select's mode
    table) must be experts, or -1 for none, and ids rows of the table: a
    `moe.require_range`, so that a wrong number is an error of the run. Not where
    `valid` says that some tokens do not count. Offsets of experts whose rows are
    not those of a `moe.dispatch` with these offsets must rise within the rows.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def RaiseAttention : Pass<"moe-raise-attention", "::mlir::ModuleOp"> {
  let summary = "attention that an exporter spelled out becomes one node";
  let description = [{
    MatMul of queries and transposed keys, scale, maybe a soft cap, a mask that
    is added, Softmax, MatMul with the values become a node `Attention` of the
    domain `moe.internal`, which moe-raise-onnx turns into a `moe.attention`.
    Scales are taken from wherever they stand: on queries, keys or products.
    Keys and values that are repeated for the query heads of a group
    (Unsqueeze, Expand, Reshape) are read unrepeated. A sink is what a Concat
    adds to the scores and a Slice takes off the probabilities.

    Everything is proven from sizes, nothing from names. A query whose mask
    leaves no key gives 0, where a Softmax alone would give NaN. Values between
    are not rounded to f16 or bf16. What is read elsewhere too is left alone.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def VerifyRaised : Pass<"moe-verify-raised", "::mlir::ModuleOp"> {
  let summary = "what the raise stage leaves: no moe.onnx, no moe.absent, one entry with names, ranked tensors";
  let description = [{
    Changes nothing; every violation is an error at the op.
  }];
}

#endif // MOE_RAISE_PASSES_TD
