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

    Example:
    ```mlir
    %y = moe.layer %x, %logits gate(%w1 : tensor<4x16x8xf32>) down(%w2 : tensor<4x8x16xf32>)
        router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = relu>)
        : tensor<?x8xf32>, tensor<?x4xf32> -> tensor<?x8xf32>
    ```
    becomes
    ```mlir
    %scores, %choice = moe.score softmax %logits : …
    %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : … {k = 2 : i64} -> …
    %w = moe.weigh gather %scores, %token, %expert, %rank, %valid {norm = l1} : … -> …
    %slot, %keep, %count, %offset = moe.slots %token, %expert, %rank, %valid {experts = 4 : i64} : … -> …
    %rows = moe.dispatch ragged %x, %token, %expert, %slot, %keep, %offset : … -> …
    %out = moe.experts %rows, %offset gate(%w1 : …) down(%w2 : …) {ffn = #moe.ffn<activation = relu>, …} : … -> …
    %y = moe.combine %out, %token, %expert, %slot, %keep, %w tokens(%T) : … -> …
    ```
  }];
}

def RaiseFusedExperts : Moe_RecogniserPass<"moe-raise-fused-experts"> {
  let summary = "com.microsoft.MoE becomes the chain of moe ops";
  let description = [{
    The node is read by its schema: softmax over all experts, then the k best,
    normalised where `normalize_routing_weights` is 1; `gelu` is the tanh form;
    swiglu is interleaved (`swiglu_fusion` 1), in halves (2) or has its up
    projection in fc3 (0), with limit, alpha and beta. Weights of old files
    ([E, in, out]) are told by their dims, with a warning. What the schema does not
    say is an error that names the node.

    Example:
    ```mlir
    %y = moe.onnx "MoE"(%x, %logits, %w1, %none, %w2) domain "com.microsoft" version 1
        {activation_type = "silu", k = 2 : i64, normalize_routing_weights = 1 : i64} : …
    ```
    becomes the chain of `moe-raise-expand-layers`, with
    `origin = #moe.origin<"layers.0.experts", "fused">`.
  }];
}

def RaiseBatchedExperts : Moe_MatchingPass<"moe-raise-batched-experts"> {
  let summary = "experts that gather a whole matrix per routed row become the chain of moe ops";
  let description = [{
    Form C. Anchored at the ReduceSum over a token's choices and read upwards;
    every product must look its weights up by the same ids. The router is not
    looked at: its ids and weights feed `moe.assign` and `moe.combine`.

    Example:
    ```mlir
    %g  = moe.onnx "GatherND"(%w2, %ids) …
    %y  = moe.onnx "MatMul"(%g, %h) …
    %s  = moe.onnx "Squeeze"(%y, %last) …
    %p  = moe.onnx "Mul"(%s, %weights) …
    %r  = moe.onnx "Reshape"(%p, %shape) … -> tensor<?x2x8xf32>
    %o  = moe.onnx "ReduceSum"(%r, %one) …
    ```
    becomes
    ```mlir
    %token, %expert, %rank, %valid = moe.assign %indices : …
    %slot, %keep, %count, %offset = moe.slots …
    %rows = moe.dispatch ragged %x, …
    %e = moe.experts %rows, %offset gate(%w1 : …) down(%w2 : …) {origin = #moe.origin<"…", "batched">, …} : …
    %o = moe.combine %e, …
    ```
  }];
}

def RaiseGroupedExperts : Moe_MatchingPass<"moe-raise-grouped-experts"> {
  let summary = "experts that multiply slices of sorted rows become the chain of moe ops";
  let description = [{
    Form B: rows sorted by expert, one Gather and MatMul per expert over ranges
    that come from a histogram, a Concat, and the inverse permutation. Every range,
    every slice of the weights and both permutations are checked; time is linear in
    the number of nodes.

    Example:
    ```mlir
    %sorted, %perm = moe.onnx "TopK"(%ids, %n) … {largest = 0 : i64}
    …
    %r1 = moe.onnx "Range"(%end0, %end1, %one) …
    %x1 = moe.onnx "Gather"(%xs, %r1) …
    %y1 = moe.onnx "MatMul"(%x1, %w_1) …
    %y  = moe.onnx "Concat"(%y0, %y1, …) …
    ```
    becomes the chain of `moe-raise-batched-experts` with form `grouped`.
  }];
}

def RaiseRouter : Moe_MatchingPass<"moe-raise-router"> {
  let summary = "the ops that made ids and weights become moe.score, moe.select and moe.weigh";
  let description = [{
    Second step, on each `moe.assign`. Recognised: scores by Softmax over the experts
    or Sigmoid, TopK, its values as weights, perhaps divided by their sum; and TopK
    of the logits with a Softmax of its values; a constant factor after either. In
    f16 and bf16 models the router runs in f32. Any other router stays and its layer keeps
    `moe.assign`.

    Example:
    ```mlir
    %p = moe.onnx "Softmax"(%logits) version 13 {axis = -1 : i64} …
    %v, %i = moe.onnx "TopK"(%p, %k) version 11 {axis = -1 : i64} …
    %s = moe.onnx "ReduceSum"(%v, %last) version 13 {keepdims = 1 : i64} …
    %w = moe.onnx "Div"(%v, %s) version 14 {} …
    %token, %expert, %rank, %valid = moe.assign %i : …
    ```
    becomes
    ```mlir
    %scores, %choice = moe.score softmax %logits : …
    %token, %expert, %rank, %valid, %kth = moe.select top_k %choice : … {k = 2 : i64} -> …
    %w = moe.weigh gather %scores, %token, %expert, %rank, %valid {norm = l1} : … -> …
    ```
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
    as equal becomes `moe.require_equal`. Ops whose results nobody needs are
    dropped. An op that has no conversion, or a size that depends on data, is an
    error that names the node.

    Example:
    ```mlir
    %0 = moe.onnx "Relu"(%x) version 14 {} : (tensor<?x8xf32>) -> tensor<?x8xf32>
    ```
    becomes
    ```mlir
    %e = tensor.empty(%T) : tensor<?x8xf32>
    %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %zero = arith.constant 0.0 : f32
      %y = arith.maximumf %in, %zero : f32
      linalg.yield %y : f32
    } -> tensor<?x8xf32>
    ```
  }];
  let dependentDialects = ["::moe::MoeDialect", "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect"];
}

def VerifyRaised : Pass<"moe-verify-raised", "::mlir::ModuleOp"> {
  let summary = "what the raise stage leaves: no moe.onnx, no moe.absent, one entry with names, ranked tensors";
  let description = [{
    Changes nothing; every violation is an error at the op.
  }];
}

#endif // MOE_RAISE_PASSES_TD
