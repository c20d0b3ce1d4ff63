// Losses of published MoE routers as functions. A model declares one without a body and calls it; moe-compile takes the body from here:
//
//     func.func private @moe.balance_loss(tensor<?xf32>, tensor<?xf32>) -> tensor<f32>
//     ...
//     %f, %p = moe.stats %scores, %token, %expert, %rank, %valid : ... -> tensor<8xf32>, tensor<8xf32>
//     %loss = call @moe.balance_loss(%f_dynamic, %p_dynamic) : (tensor<?xf32>, tensor<?xf32>) -> tensor<f32>
//
// Sizes are dynamic, so that one function serves every number of experts: a caller with static sizes casts (tensor.cast). T tokens, E
// experts, all values f32, no coefficient applied. Means over no token are NaN.

#e = affine_map<(e) -> (e)>
#whole = affine_map<(e) -> ()>
#te = affine_map<(t, e) -> (t, e)>
#t = affine_map<(t, e) -> (t)>
#pair = affine_map<(t, e) -> ()>
#by_expert = affine_map<(e, t) -> (t, e)>
#expert = affine_map<(e, t) -> (e)>
#choice = affine_map<(e, t) -> (t)>
#last = affine_map<(e, t) -> (t, 0)>
#next = affine_map<(e, t) -> (t, 1)>

// Balance loss: E · sum of f[e] · P[e]. What f counts makes the variant (moe.stats): first choices over tokens is Switch, GShard's code,
// fairseq, DeepSpeed top-1 and top-2; all choices over tokens is flaxformer, Hugging Face Switch and Mixtral; all choices over assignments
// is Megatron, DeepSpeed top-k, MegaBlocks and DeepSeekMoE's expert loss.
func.func private @moe.balance_loss(%f: tensor<?xf32>, %p: tensor<?xf32>) -> tensor<f32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %scalar = tensor.empty() : tensor<f32>
  %start = linalg.fill ins(%zero : f32) outs(%scalar : tensor<f32>) -> tensor<f32>
  %size = tensor.dim %f, %c0 : tensor<?xf32>
  %experts_i64 = arith.index_cast %size : index to i64
  %experts = arith.sitofp %experts_i64 : i64 to f32
  %sum = linalg.generic {indexing_maps = [#e, #e, #whole], iterator_types = ["reduction"]}
      ins(%f, %p : tensor<?xf32>, tensor<?xf32>) outs(%start : tensor<f32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %product = arith.mulf %a, %b : f32
    %r = arith.addf %acc, %product : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  %loss = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}
      ins(%sum : tensor<f32>) outs(%scalar : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.mulf %a, %experts : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %loss : tensor<f32>
}

// The balance loss as the GShard paper prints it: (1/E) · sum of f[e] · P[e].
func.func private @moe.balance_loss_gshard(%f: tensor<?xf32>, %p: tensor<?xf32>) -> tensor<f32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %scalar = tensor.empty() : tensor<f32>
  %start = linalg.fill ins(%zero : f32) outs(%scalar : tensor<f32>) -> tensor<f32>
  %size = tensor.dim %f, %c0 : tensor<?xf32>
  %experts_i64 = arith.index_cast %size : index to i64
  %experts = arith.sitofp %experts_i64 : i64 to f32
  %sum = linalg.generic {indexing_maps = [#e, #e, #whole], iterator_types = ["reduction"]}
      ins(%f, %p : tensor<?xf32>, tensor<?xf32>) outs(%start : tensor<f32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %product = arith.mulf %a, %b : f32
    %r = arith.addf %acc, %product : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  %loss = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}
      ins(%sum : tensor<f32>) outs(%scalar : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.divf %a, %experts : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %loss : tensor<f32>
}

// Balance loss per sequence, averaged over the sequences (DeepSeek-V2, -V3): f and P are sequences × E (moe.stats with group_size).
func.func private @moe.sequence_balance_loss(%f: tensor<?x?xf32>, %p: tensor<?x?xf32>) -> tensor<f32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %scalar = tensor.empty() : tensor<f32>
  %start = linalg.fill ins(%zero : f32) outs(%scalar : tensor<f32>) -> tensor<f32>
  %rows = tensor.dim %f, %c0 : tensor<?x?xf32>
  %columns = tensor.dim %f, %c1 : tensor<?x?xf32>
  %sequences_i64 = arith.index_cast %rows : index to i64
  %sequences = arith.sitofp %sequences_i64 : i64 to f32
  %experts_i64 = arith.index_cast %columns : index to i64
  %experts = arith.sitofp %experts_i64 : i64 to f32
  %factor = arith.divf %experts, %sequences : f32
  %sum = linalg.generic {indexing_maps = [#te, #te, #pair], iterator_types = ["reduction", "reduction"]}
      ins(%f, %p : tensor<?x?xf32>, tensor<?x?xf32>) outs(%start : tensor<f32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %product = arith.mulf %a, %b : f32
    %r = arith.addf %acc, %product : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  %loss = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}
      ins(%sum : tensor<f32>) outs(%scalar : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.mulf %a, %factor : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %loss : tensor<f32>
}

// Device balance loss (DeepSeekMoE): f (all choices over assignments) and P are devices × experts of a device; the sum over devices of the
// mean of E · f times the sum of P.
func.func private @moe.device_balance_loss(%f: tensor<?x?xf32>, %p: tensor<?x?xf32>) -> tensor<f32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %devices = tensor.dim %f, %c0 : tensor<?x?xf32>
  %empty = tensor.empty(%devices) : tensor<?xf32>
  %none = linalg.fill ins(%zero : f32) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
  %f_sum = linalg.generic {indexing_maps = [#te, #t], iterator_types = ["parallel", "reduction"]}
      ins(%f : tensor<?x?xf32>) outs(%none : tensor<?xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %r = arith.addf %acc, %a : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  %p_sum = linalg.generic {indexing_maps = [#te, #t], iterator_types = ["parallel", "reduction"]}
      ins(%p : tensor<?x?xf32>) outs(%none : tensor<?xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %r = arith.addf %acc, %a : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  // E over the experts of a device is the number of devices.
  %loss = call @moe.balance_loss(%f_sum, %p_sum) : (tensor<?xf32>, tensor<?xf32>) -> tensor<f32>
  return %loss : tensor<f32>
}

// Router z-loss (ST-MoE): the mean over tokens of the squared logsumexp of the logits T×E.
func.func private @moe.router_z_loss(%logits: tensor<?x?xf32>) -> tensor<f32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %scalar = tensor.empty() : tensor<f32>
  %start = linalg.fill ins(%zero : f32) outs(%scalar : tensor<f32>) -> tensor<f32>
  %lowest = arith.constant 0xFF800000 : f32
  %rows = tensor.dim %logits, %c0 : tensor<?x?xf32>
  %tokens_i64 = arith.index_cast %rows : index to i64
  %tokens = arith.sitofp %tokens_i64 : i64 to f32
  %empty = tensor.empty(%rows) : tensor<?xf32>
  %below = linalg.fill ins(%lowest : f32) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
  %max = linalg.generic {indexing_maps = [#te, #t], iterator_types = ["parallel", "reduction"]}
      ins(%logits : tensor<?x?xf32>) outs(%below : tensor<?xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %r = arith.maximumf %acc, %a : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  %none = linalg.fill ins(%zero : f32) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#te, #t, #t], iterator_types = ["parallel", "reduction"]}
      ins(%logits, %max : tensor<?x?xf32>, tensor<?xf32>) outs(%none : tensor<?xf32>) {
  ^bb0(%a: f32, %m: f32, %acc: f32):
    %shifted = arith.subf %a, %m : f32
    %exp = math.exp %shifted : f32
    %r = arith.addf %acc, %exp : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  %squares = linalg.generic {indexing_maps = [#e, #e, #whole], iterator_types = ["reduction"]}
      ins(%sum, %max : tensor<?xf32>, tensor<?xf32>) outs(%start : tensor<f32>) {
  ^bb0(%s: f32, %m: f32, %acc: f32):
    %log = math.log %s : f32
    %lse = arith.addf %log, %m : f32
    %square = arith.mulf %lse, %lse : f32
    %r = arith.addf %acc, %square : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  %loss = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}
      ins(%squares : tensor<f32>) outs(%scalar : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.divf %a, %tokens : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %loss : tensor<f32>
}

// Squared coefficient of variation of the importance or the load: population variance over the squared mean plus 1e-10 (Shazeer, V-MoE).
func.func private @moe.cv_squared(%v: tensor<?xf32>) -> tensor<f32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %scalar = tensor.empty() : tensor<f32>
  %start = linalg.fill ins(%zero : f32) outs(%scalar : tensor<f32>) -> tensor<f32>
  %epsilon = arith.constant 1.0e-10 : f32
  %size = tensor.dim %v, %c0 : tensor<?xf32>
  %count_i64 = arith.index_cast %size : index to i64
  %count = arith.sitofp %count_i64 : i64 to f32
  %sum = linalg.generic {indexing_maps = [#e, #whole], iterator_types = ["reduction"]} ins(%v : tensor<?xf32>) outs(%start : tensor<f32>) {
  ^bb0(%a: f32, %acc: f32):
    %r = arith.addf %acc, %a : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  %mean = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}
      ins(%sum : tensor<f32>) outs(%scalar : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.divf %a, %count : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  %squares = linalg.generic {indexing_maps = [#e, #whole, #whole], iterator_types = ["reduction"]}
      ins(%v, %mean : tensor<?xf32>, tensor<f32>) outs(%start : tensor<f32>) {
  ^bb0(%a: f32, %m: f32, %acc: f32):
    %distance = arith.subf %a, %m : f32
    %square = arith.mulf %distance, %distance : f32
    %r = arith.addf %acc, %square : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  %cv = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}
      ins(%squares, %mean : tensor<f32>, tensor<f32>) outs(%scalar : tensor<f32>) {
  ^bb0(%q: f32, %m: f32, %o: f32):
    %variance = arith.divf %q, %count : f32
    %square = arith.mulf %m, %m : f32
    %guarded = arith.addf %square, %epsilon : f32
    %r = arith.divf %variance, %guarded : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %cv : tensor<f32>
}

// The same with the unbiased variance (tutel, LLaMA-MoE); 0 for one expert.
func.func private @moe.cv_squared_sample(%v: tensor<?xf32>) -> tensor<f32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %scalar = tensor.empty() : tensor<f32>
  %start = linalg.fill ins(%zero : f32) outs(%scalar : tensor<f32>) -> tensor<f32>
  %epsilon = arith.constant 1.0e-10 : f32
  %size = tensor.dim %v, %c0 : tensor<?xf32>
  %count_i64 = arith.index_cast %size : index to i64
  %count = arith.sitofp %count_i64 : i64 to f32
  %one = arith.constant 1.0 : f32
  %less = arith.subf %count, %one : f32
  %divisor = arith.maximumf %less, %one : f32
  %sum = linalg.generic {indexing_maps = [#e, #whole], iterator_types = ["reduction"]} ins(%v : tensor<?xf32>) outs(%start : tensor<f32>) {
  ^bb0(%a: f32, %acc: f32):
    %r = arith.addf %acc, %a : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  %mean = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}
      ins(%sum : tensor<f32>) outs(%scalar : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.divf %a, %count : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  %squares = linalg.generic {indexing_maps = [#e, #whole, #whole], iterator_types = ["reduction"]}
      ins(%v, %mean : tensor<?xf32>, tensor<f32>) outs(%start : tensor<f32>) {
  ^bb0(%a: f32, %m: f32, %acc: f32):
    %distance = arith.subf %a, %m : f32
    %square = arith.mulf %distance, %distance : f32
    %r = arith.addf %acc, %square : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  %cv = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}
      ins(%squares, %mean : tensor<f32>, tensor<f32>) outs(%scalar : tensor<f32>) {
  ^bb0(%q: f32, %m: f32, %o: f32):
    %variance = arith.divf %q, %divisor : f32
    %square = arith.mulf %m, %m : f32
    %guarded = arith.addf %square, %epsilon : f32
    %r = arith.divf %variance, %guarded : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %cv : tensor<f32>
}

// Importance of dense gates T×E: the sum over tokens.
func.func private @moe.importance(%gates: tensor<?x?xf32>) -> tensor<?xf32> {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %experts = tensor.dim %gates, %c1 : tensor<?x?xf32>
  %empty = tensor.empty(%experts) : tensor<?xf32>
  %none = linalg.fill ins(%zero : f32) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#by_expert, #expert], iterator_types = ["parallel", "reduction"]}
      ins(%gates : tensor<?x?xf32>) outs(%none : tensor<?xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %r = arith.addf %acc, %a : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  return %sum : tensor<?xf32>
}

// Importance of the weights of assignments (moe.select, moe.weigh): per expert the sum of its weights.
func.func private @moe.importance_of_assignments(%expert: tensor<?xi32>, %valid: tensor<?xi1>, %w: tensor<?xf32>, %experts: index)
    -> tensor<?xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%experts) : tensor<?xf32>
  %none = linalg.fill ins(%zero : f32) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#choice, #choice, #choice, #expert], iterator_types = ["parallel", "reduction"]}
      ins(%expert, %valid, %w : tensor<?xi32>, tensor<?xi1>, tensor<?xf32>) outs(%none : tensor<?xf32>) {
  ^bb0(%chosen: i32, %counts: i1, %a: f32, %acc: f32):
    %number = linalg.index 0 : index
    %wanted = arith.index_cast %number : index to i32
    %same = arith.cmpi eq, %chosen, %wanted : i32
    %taken = arith.andi %same, %counts : i1
    %term = arith.select %taken, %a, %zero : f32
    %r = arith.addf %acc, %term : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  return %sum : tensor<?xf32>
}

// Smooth load of noisy top-k (Shazeer et al. 2017, appendix A): per expert the sum over tokens of the probability that new noise would
// choose it, Φ((clean - bar) / deviation). `kth` (moe.select) holds the k-th and the (k+1)-th greatest noisy logit; the bar of a chosen
// expert is the second, of another the first. Needs k < E.
func.func private @moe.load(%clean: tensor<?x?xf32>, %noisy: tensor<?x?xf32>, %deviation: tensor<?x?xf32>, %kth: tensor<?x2xf32>)
    -> tensor<?xf32> {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 5.0e-01 : f32
  %one = arith.constant 1.0 : f32
  %root = arith.constant 0.707106769 : f32
  %experts = tensor.dim %clean, %c1 : tensor<?x?xf32>
  %empty = tensor.empty(%experts) : tensor<?xf32>
  %none = linalg.fill ins(%zero : f32) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#by_expert, #by_expert, #by_expert, #last, #next, #expert],
                         iterator_types = ["parallel", "reduction"]}
      ins(%clean, %noisy, %deviation, %kth, %kth : tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x2xf32>, tensor<?x2xf32>)
      outs(%none : tensor<?xf32>) {
  ^bb0(%c: f32, %n: f32, %d: f32, %last: f32, %next: f32, %acc: f32):
    %chosen = arith.cmpf ogt, %n, %next : f32
    %bar = arith.select %chosen, %next, %last : f32
    %distance = arith.subf %c, %bar : f32
    %normal = arith.divf %distance, %d : f32
    %argument = arith.mulf %normal, %root : f32
    %erf = math.erf %argument : f32
    %plus = arith.addf %erf, %one : f32
    %probability = arith.mulf %plus, %half : f32
    %r = arith.addf %acc, %probability : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  return %sum : tensor<?xf32>
}

// Smooth load of V-MoE: noise of one deviation for all, the bar of every expert is the k-th greatest noisy logit, and the mean over tokens.
func.func private @moe.load_fixed_deviation(%clean: tensor<?x?xf32>, %kth: tensor<?x2xf32>, %deviation: f32) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 5.0e-01 : f32
  %one = arith.constant 1.0 : f32
  %root = arith.constant 0.707106769 : f32
  %rows = tensor.dim %clean, %c0 : tensor<?x?xf32>
  %experts = tensor.dim %clean, %c1 : tensor<?x?xf32>
  %tokens_i64 = arith.index_cast %rows : index to i64
  %tokens = arith.sitofp %tokens_i64 : i64 to f32
  %empty = tensor.empty(%experts) : tensor<?xf32>
  %none = linalg.fill ins(%zero : f32) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#by_expert, #last, #expert], iterator_types = ["parallel", "reduction"]}
      ins(%clean, %kth : tensor<?x?xf32>, tensor<?x2xf32>) outs(%none : tensor<?xf32>) {
  ^bb0(%c: f32, %last: f32, %acc: f32):
    %distance = arith.subf %c, %last : f32
    %normal = arith.divf %distance, %deviation : f32
    %argument = arith.mulf %normal, %root : f32
    %erf = math.erf %argument : f32
    %plus = arith.addf %erf, %one : f32
    %probability = arith.mulf %plus, %half : f32
    %r = arith.addf %acc, %probability : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  %mean = linalg.generic {indexing_maps = [#e, #e], iterator_types = ["parallel"]} ins(%sum : tensor<?xf32>) outs(%empty : tensor<?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.divf %a, %tokens : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  return %mean : tensor<?xf32>
}
