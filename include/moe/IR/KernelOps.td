// What the fuse stage makes of a layer, and what each becomes a kernel of. Destination style: `outs` are the buffers written.
// Tensors until bufferization, memrefs after it.
#ifndef MOE_IR_KERNEL_OPS_TD
#define MOE_IR_KERNEL_OPS_TD

include "moe/IR/MoeOpBase.td"

class Moe_KernelOp<string mnemonic>
    : Moe_Op<mnemonic, [AttrSizedOperandSegments, DestinationStyleOpInterface,
                        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasVerifier = 1;
  code destinationAccessor = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getOutsMutable(); }
  }];
  let extraClassDeclaration = destinationAccessor;
}

def Moe_RoutePermuteOp : Moe_KernelOp<"route_permute"> {
  let summary = "scores, top-k, histogram, prefix sum and expert-sorted rows as one kernel";
  let description = [{
    From `logits` (T×E, with `router`), or from given `indices` (T×K, integer)
    and `weights` (T×K, f32; each is 1 where they are absent). Writes, with S = T·K slots sorted by (expert,
    token, rank): `rows` i32[S] the token of a slot, `slot_weights` f32[S] its combine
    weight, `offsets` i32[E+1] the first slot of each expert.

    From logits it has two more outs that only it reads, `chosen` i32[S] and
    `chosen_weights` f32[S]: the selection in the order of tokens, which all
    threads write before they sort it. A NaN is below every number. A given
    index that is no expert takes no slot: `offsets[E]` slots are in use.

    One more out behind these, `places` i32[S], is there where `moe.sum_slots`
    reads it: the slots of each token, ascending, then -1 for choices without one.

    Constraints:
    - route_permute-c1: either `logits` and `router`, or `indices`; `weights` only with `indices`.
    - route_permute-c2: `experts` is at least 1.
    - route_permute-c3: `logits` is f32 of rank 2 with one column per expert.
    - route_permute-c4: `indices` is i32 or i64 of rank 2, K at least 1;
      `weights`, if given, is f32 of the same sizes.
    - route_permute-c5: `outs` are i32[S], f32[S], i32[E+1] and, from logits,
      i32[S] and f32[S], with S = T·K; then optionally i32[S].
    - router-c1 to router-c5 of `moe.layer`.

    Lifespan: created by fuse, gone after codegen's kernel emission.

    Example:
    ```mlir
    %rows, %w, %off, %c, %cw = moe.route_permute logits(%z : tensor<?x8xf32>)
        outs(%r, %s, %o, %c0, %c1 : tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>)
        {experts = 8 : i64, router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>}
        -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>
    ```
  }];
  let arguments = (ins Optional<Moe_TensorOrMemRef>:$logits, Optional<Moe_TensorOrMemRef>:$indices,
    Optional<Moe_TensorOrMemRef>:$weights, Variadic<Moe_TensorOrMemRef>:$outs,
    I64Attr:$experts, OptionalAttr<Moe_RouterAttr>:$router);
  let assemblyFormat = [{
    (`logits` `(` $logits^ `:` type($logits) `)`)? (`indices` `(` $indices^ `:` type($indices) `)`)?
    (`weights` `(` $weights^ `:` type($weights) `)`)? `outs` `(` $outs `:` type($outs) `)` attr-dict (`->` type($results)^)?
  }];
}

def Moe_GroupedMatmulOp : Moe_KernelOp<"grouped_matmul"> {
  let summary = "rows times their expert's matrix, with activation or combine as epilogue";
  let description = [{
    One product y = a·Wᵀ + bias per expert. `x` is M×K. With `rows` (i32[S]),
    slot s reads row rows[s] of `x`, else row s. `offsets` (i32[E+1]) gives each
    expert its slots; absent means one expert has all rows (a dense product).
    `weight` is E×N×K (or E×K×N with `order = in_out`); `up` is the separate up
    projection. Without `offsets` a plain weight has rank 2: N×K or K×N. `bias`
    is E×N, or N without `offsets`, in the gate layout of `ffn`; `up_bias` E×N.
    After lower packs it, `weight` is E×P×K×32 f32 in the layout `packing`, E = 1
    without `offsets`; `up` is gone and `columns` is N, 2·I where it is gated. A
    packed weight of f16 or bf16 is widened by the kernel, one with `blocks` is
    E×P×B i8 and dequantised by it. Where `x` is bf16 the kernel multiplies pairs
    of k: the packed weight is E×P×⌈K/2⌉×32×2 bf16. Sums and epilogues are f32
    whatever `x` and `outs` are. Where blocks have `quads`, `x` is M×R i8, rows
    of int8 as `#moe.blocks` describes them; codes are multiplied as integers and
    each part's sum is scaled and added in f32, in the order of k. With
    `out_blocks` the result becomes such rows, too, for the product that reads
    it: what would be f32 is S×R i8, as those blocks describe it. The thread that
    computed a part makes its codes; nobody waits for a row to be complete.

    Epilogue `ffn` (first product of an expert): the result has N/2 columns
    where gate and up share a tensor. Epilogue combine (second product), with
    `combine_rows` i32[S] and `combine_weights` f32[S]:
    out[combine_rows[s]] += combine_weights[s]·y[s], experts ascending, in f32;
    `outs` is overwritten, rows without a slot become zero.

    Constraints:
    - grouped_matmul-c1: `x` and the one of `outs` have rank 2, both f32, f16 or
      bf16, but `x` i8 exactly where `blocks` have quads; `rows`, `offsets` and `combine_rows` are i32 and `combine_weights`
      f32, all of rank 1.
    - grouped_matmul-c2: `rows` and combine need `offsets`.
    - grouped_matmul-c3: a plain weight has rank 3, without `offsets` rank 2; a
      packed one rank 4 (without `offsets` also 3, without E) with last size 32,
      with `blocks` rank 3, where `x` is bf16 rank 5 with last sizes 32 and 2. Its
      element type is a float, with `blocks` i8, where `x` is bf16 bf16.
    - grouped_matmul-c4: K of the weight is the number of columns of `x` (of
      pairs: half of it, rounded up; for rows of int8: they have as many blocks as
      a panel), E one less than the length of `offsets`, 1 without.
    - grouped_matmul-c5: `up` is given, with the type of `weight`, exactly where
      the weight is plain and the gate layout of `ffn` is separate.
    - grouped_matmul-c6: `columns` is given exactly where the weight is packed,
      which has a panel for 32 of them begun (gate_up16: 16 pairs).
    - grouped_matmul-c7: packing gate_up16 exactly where a packed weight's `ffn`
      is gated; then the order is out_in and there is no `plan` any more. `blocks`
      is given only there, and the last size is the bytes of a panel.
    - grouped_matmul-c8: the result has N columns, N/2 where one weight holds gate
      and up; N is even there.
    - grouped_matmul-c9: `bias` has N elements per expert, I where gate and up are
      separate; `up_bias` has I and is given only there.
    - grouped_matmul-c10: `combine_rows` and `combine_weights` are both given or
      neither, and have the length of the slots; combine excludes `ffn`.
    - grouped_matmul-c11: without combine, the result has a row per slot.
    - grouped_matmul-c12: `codebook`, a vector of 32-bit integers, is given exactly
      where `blocks` have a dictionary.
    - grouped_matmul-c13: `out_blocks` have quads and a group that is a multiple
      of 32 (a part) and divides the result's columns; `blocks` have quads then,
      there is no combine, and `outs` is i8 with the bytes of a row.
    - ffn-c1 to ffn-c3 of `moe.experts`.

    Lifespan: created by fuse, by distribute for products by columns, gone after codegen's kernel emission.

    Example:
    ```mlir
    %h = moe.grouped_matmul %x rows(%rows : tensor<?xi32>) offsets(%off : tensor<9xi32>) weight(%w1 : tensor<8x192x64xf32>)
        outs(%e : tensor<?x96xf32>) {ffn = #moe.ffn<activation = silu, gate = halves>} : tensor<?x64xf32> -> tensor<?x96xf32>
    ```
  }];
  let arguments = (ins Moe_TensorOrMemRef:$x, Optional<Moe_TensorOrMemRef>:$rows, Optional<Moe_TensorOrMemRef>:$offsets,
    Moe_TensorOrMemRef:$weight, Optional<Moe_TensorOrMemRef>:$bias,
    Optional<Moe_TensorOrMemRef>:$up, Optional<Moe_TensorOrMemRef>:$up_bias,
    Optional<Moe_TensorOrMemRef>:$combine_rows, Optional<Moe_TensorOrMemRef>:$combine_weights,
    Optional<Moe_TensorOrMemRef>:$codebook, Variadic<Moe_TensorOrMemRef>:$outs,
    OptionalAttr<Moe_FfnAttr>:$ffn,
    DefaultValuedAttr<Moe_WeightOrderAttr, "::moe::WeightOrder::OutIn">:$order,
    DefaultValuedAttr<Moe_PackingFamilyAttr, "::moe::PackingFamily::Plain">:$packing,
    OptionalAttr<I64Attr>:$columns,
    OptionalAttr<Moe_OriginAttr>:$origin, OptionalAttr<Moe_PlanAttr>:$plan,
    OptionalAttr<Moe_BlocksAttr>:$blocks, OptionalAttr<Moe_BlocksAttr>:$out_blocks);
  let assemblyFormat = [{
    $x (`rows` `(` $rows^ `:` type($rows) `)`)? (`offsets` `(` $offsets^ `:` type($offsets) `)`)?
    `weight` `(` $weight `:` type($weight) `)` (`bias` `(` $bias^ `:` type($bias) `)`)?
    (`up` `(` $up^ `:` type($up) `)`)? (`up_bias` `(` $up_bias^ `:` type($up_bias) `)`)?
    (`combine` `(` $combine_rows^ `,` $combine_weights `:` type($combine_rows) `,` type($combine_weights) `)`)?
    (`codebook` `(` $codebook^ `:` type($codebook) `)`)?
    `outs` `(` $outs `:` type($outs) `)` attr-dict `:` type($x) (`->` type($results)^)?
  }];
}

def Moe_SumSlotsOp : Moe_Op<"sum_slots", [DestinationStyleOpInterface, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "the combine of an expert's second product as an op of its own";
  let description = [{
    out[t] = Σ_j weights[p_j]·y[p_j] over p_j = places[t·K + j] >= 0, j ascending
    (and with it the experts), in f32 with one rounding at the end; 0 where a
    token has no slot. `y` is S×N, `places` i32[T·K], `weights` f32[S], `outs` T×N.
    GPU targets take it: there a token's rows are read together, while on a CPU
    the product itself adds to rows that are in a cache.

    Constraints:
    - sum_slots-c1: `y` and one of `outs` have rank 2, f32, f16 or bf16, and agree
      on the columns.
    - sum_slots-c2: `places` is i32 and `weights` f32, both of rank 1; `weights` has the rows of `y`.

    Lifespan: created by moe-cuda-split-products, gone after CUDA kernel emission.

    Example:
    ```mlir
    %o = moe.sum_slots %y places(%p : tensor<?xi32>) weights(%w : tensor<?xf32>) outs(%e : tensor<?x64xf32>)
        : tensor<?x64xf32> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins Moe_TensorOrMemRef:$y, Moe_TensorOrMemRef:$places, Moe_TensorOrMemRef:$weights, Variadic<Moe_TensorOrMemRef>:$outs);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getOutsMutable(); }
  }];
  let assemblyFormat = [{
    $y `places` `(` $places `:` type($places) `)` `weights` `(` $weights `:` type($weights) `)`
    `outs` `(` $outs `:` type($outs) `)` attr-dict `:` type($y) (`->` type($results)^)?
  }];
}

def Moe_ConcatOp : Moe_KernelOp<"concat"> {
  let summary = "tensors joined along an axis; one op until memrefs";
  let description = [{
    Bufferization is quadratic on chains of insert_slice, so a concat stays
    one op. Where an input is the very buffer of the output (a KV cache updated
    in place) its part is not copied.

    Constraints:
    - concat-c1: at least one input and one of `outs`.
    - concat-c2: 0 <= axis < rank.
    - concat-c3: inputs and output have one rank and one element type.
    - concat-c4: they agree on all sizes but that of `axis`.
    - concat-c5: the sizes of the inputs on `axis` sum up to the output's.

    Lifespan: created by raise, copies of memory after lower.

    Example:
    ```mlir
    %all = moe.concat axis 1 ins(%past, %k : tensor<1x?x64xf32>, tensor<1x1x64xf32>) outs(%present : tensor<1x?x64xf32>) -> tensor<1x?x64xf32>
    ```
  }];
  let arguments = (ins Variadic<Moe_TensorOrMemRef>:$inputs, Variadic<Moe_TensorOrMemRef>:$outs, I64Attr:$axis);
  let assemblyFormat = [{
    `axis` $axis `ins` `(` $inputs `:` type($inputs) `)` `outs` `(` $outs `:` type($outs) `)` attr-dict (`->` type($results)^)?
  }];
}

def Moe_AttentionOp : Moe_KernelOp<"attention"> {
  let summary = "softmax(q·kᵀ)·v without the scores in memory";
  let description = [{
    `q` is B×Hq×T×D, `k` B×Hkv×S×D, `v` B×Hkv×S×V, the first of `outs` B×Hq×T×V.
    Query head h reads the keys of head h / (Hq / Hkv). With s(t, j) = scale·Σ q[t]·k[j],
    then softcap·tanh(s / softcap) where `softcap` is not 0, then plus the mask,

      out[t] = Σ_j e^(s(t, j) − m)·v[j] / (Σ_j e^(s(t, j) − m) + e^(sink[h] − m))

    over the keys j that query t may see, m the greatest of these scores (and of
    the sink, which is there only where it is given). A query that sees no key
    gives 0. Everything is computed in f32 and the result rounded once.

    Query t stands at place p = t + `before` (0 where absent), key j at place j.
    With `counts` (i64[B]) sequence b has counts[b] keys, and its queries are the
    last T of them: p = t + counts[b] − T. A key must be one of the sequence's
    (j < counts[b], or j < S), with `causal` j <= p, with `left` j >= p − left,
    with `right` j <= p + right. A mask of i1 must be true; one of floats is added.
    A mask's size 1 is read for every index; else its last dim may be shorter
    than S: keys behind it are not seen.

    Keys are taken in chunks of 256, whatever T and the number of threads; a
    query's result depends on neither. The second of `outs` is scratch for queries
    so few that threads share the chunks of a head.

    Constraints:
    - attention-c1: `q`, `k`, `v` and two `outs` have rank 4, the scratch f32 and
      the others f32, f16 or bf16.
    - attention-c2: B, T, S, D and V agree, D and V are static and 1 to 512.
    - attention-c3: Hq and Hkv are static and Hkv divides Hq, or either is dynamic
      (heads of one rank of several) and so at run time.
    - attention-c4: the mask is of i1 or floats, rank 4, its dims 1 or those of
      the scores, the last at most S.
    - attention-c5: `counts` is i64[B] and excludes `before`; `sink` has one float per query head.
    - attention-c6: `left` and `right` are -1 (all keys) or not negative; `softcap` is not negative.
    - attention-c7: the scratch is B×Hkv×⌈S/256⌉×48·(16·⌈V/16⌉+2).

    Lifespan: created by raise, gone after codegen's kernel emission.

    Example:
    ```mlir
    %y, %p = moe.attention q(%q : tensor<1x8x?x64xf32>) k(%k : tensor<1x2x?x64xf32>) v(%v : tensor<1x2x?x64xf32>) before(%n)
        outs(%o, %e : tensor<1x8x?x64xf32>, tensor<1x2x?x3168xf32>) {causal, scale = 1.250000e-01 : f64}
        -> tensor<1x8x?x64xf32>, tensor<1x2x?x3168xf32>
    ```
  }];
  let arguments = (ins Moe_TensorOrMemRef:$q, Moe_TensorOrMemRef:$k, Moe_TensorOrMemRef:$v, Optional<Moe_TensorOrMemRef>:$mask,
    Optional<Moe_TensorOrMemRef>:$counts, Optional<Index>:$before, Optional<Moe_TensorOrMemRef>:$sink, Variadic<Moe_TensorOrMemRef>:$outs,
    F64Attr:$scale, DefaultValuedAttr<F64Attr, "0.0">:$softcap, UnitAttr:$causal, DefaultValuedAttr<I64Attr, "-1">:$left,
    DefaultValuedAttr<I64Attr, "-1">:$right);
  let assemblyFormat = [{
    `q` `(` $q `:` type($q) `)` `k` `(` $k `:` type($k) `)` `v` `(` $v `:` type($v) `)` (`mask` `(` $mask^ `:` type($mask) `)`)?
    (`counts` `(` $counts^ `:` type($counts) `)`)? (`before` `(` $before^ `)`)? (`sink` `(` $sink^ `:` type($sink) `)`)?
    `outs` `(` $outs `:` type($outs) `)` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = destinationAccessor # [{
    /// Keys of a chunk, and rows (queries of all heads that share keys) that are attended to at once.
    static constexpr int64_t chunkKeys = 256, tileRows = 48;
    /// The greatest D and V: a tile's queries and sums lie on the stack of each thread.
    static constexpr int64_t mostColumns = 512;
    /// Size of the last dim of the scratch: a tile's greatest scores, sums of powers and sums of values.
    static constexpr int64_t partialSize(int64_t columns) { return tileRows * (paddedColumns(columns) + 2); }
    /// Columns of the sums: whole vectors of every ISA version.
    static constexpr int64_t paddedColumns(int64_t columns) { return (columns + 15) / 16 * 16; }
  }];
}

def Moe_AppendOp : Moe_Op<"append", [DestinationStyleOpInterface, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "a cache with new rows behind those in use";
  let description = [{
    out[b, h, r] = new[b, h, r − at[b]] where at[b] <= r < at[b] + T, past[b, h, r]
    for any other r < P, else 0: `past` is B×H×P×D, `new` B×H×T×D, `at` i64[B],
    `outs` B×H×S×D. Where `past` is the very buffer of the output its rows are not
    copied. at[b] is not negative; rows that `outs` has no place for are dropped.

    Constraints:
    - append-c1: `past`, `new` and one of `outs` have rank 4 and one element
      type; `at` is i64[B].
    - append-c2: they agree on B, H and D.

    Lifespan: created by raise, copies of memory after lower.

    Example:
    ```mlir
    %cache = moe.append past(%p : tensor<?x2x?x64xf32>) new(%n : tensor<?x2x?x64xf32>) at(%at : tensor<?xi64>)
        outs(%e : tensor<?x2x?x64xf32>) -> tensor<?x2x?x64xf32>
    ```
  }];
  let arguments = (ins Moe_TensorOrMemRef:$past, Moe_TensorOrMemRef:$rows, Moe_TensorOrMemRef:$at, Variadic<Moe_TensorOrMemRef>:$outs);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getOutsMutable(); }
  }];
  let assemblyFormat = [{
    `past` `(` $past `:` type($past) `)` `new` `(` $rows `:` type($rows) `)` `at` `(` $at `:` type($at) `)`
    `outs` `(` $outs `:` type($outs) `)` attr-dict (`->` type($results)^)?
  }];
}

def Moe_RoutineOp
    : Moe_Op<"routine", [AttrSizedOperandSegments, DestinationStyleOpInterface, IsolatedFromAbove, SingleBlock, NoTerminator,
                         DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "a step of a layer written as loops over buffers; one op until memrefs";
  let description = [{
    What becomes of a routing op that no kernel computes. The body reads the
    buffers of `ins` and writes those of `outs` completely; scratch is one more
    out that only the body reads. With `items`, the body's first two arguments
    are the begin and end of this thread's share of 0 … items; the shares of two
    threads must not write one element. Without, thread 0 runs the body. After
    them the body takes one argument for each of `ins` and `outs`: a memref in
    identity layout where that is a tensor or a memref, the scalar itself else.
    No barrier and no kernel may be inside.

    Constraints:
    - routine-c1: the body takes begin and end (index) exactly where `items` is
      given, then one argument per operand: a memref of its sizes and element
      type in identity layout, or its type if that is a scalar.
    - routine-c2: there is at least one of `outs`.

    Lifespan: created by lower on tensors, loops of the entry after moe-lower-loops.

    Example:
    ```mlir
    %0 = moe.routine "double" items(%T) ins(%x : tensor<?xf32>) outs(%e : tensor<?xf32>) -> tensor<?xf32> {
    ^bb0(%begin: index, %end: index, %in: memref<?xf32>, %out: memref<?xf32>):
      %one = arith.constant 1 : index
      scf.for %i = %begin to %end step %one {
        %v = memref.load %in[%i] : memref<?xf32>
        %w = arith.addf %v, %v : f32
        memref.store %w, %out[%i] : memref<?xf32>
      }
    }
    ```
  }];
  let arguments = (ins StrAttr:$name, Optional<Index>:$items, Variadic<AnyType>:$inputs, Variadic<Moe_TensorOrMemRef>:$outs);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $name (`items` `(` $items^ `)`)? (`ins` `(` $inputs^ `:` type($inputs) `)`)? `outs` `(` $outs `:` type($outs) `)` attr-dict-with-keyword
    (`->` type($results)^)? $body
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getOutsMutable(); }
  }];
}

def Moe_BarrierOp : Moe_Op<"barrier", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "all threads of the model meet; what was written before is seen after";
  let description = [{
    Constraints: none.

    Lifespan: created by lower's thread split; a call of the runtime after codegen.

    Example:
    ```mlir
    moe.barrier
    ```
  }];
  let assemblyFormat = "attr-dict";
}

def Moe_ThreadIdOp : Moe_Op<"thread_id", [Pure]> {
  let summary = "number of this thread, from 0";
  let description = [{
    Constraints: none.

    Lifespan: created by lower's thread split; a load from MoeThread after codegen.

    Example:
    ```mlir
    %t = moe.thread_id
    ```
  }];
  let results = (outs Index:$result);
  let assemblyFormat = "attr-dict";
  let builders = [OpBuilder<(ins), "build($_builder, $_state, $_builder.getIndexType());">];
}

def Moe_NumThreadsOp : Moe_Op<"num_threads", [Pure]> {
  let summary = "number of threads that run the model";
  let description = [{
    Constraints: none.

    Lifespan: created by lower's thread split; a load from MoeThread after codegen.

    Example:
    ```mlir
    %n = moe.num_threads
    ```
  }];
  let results = (outs Index:$result);
  let assemblyFormat = "attr-dict";
  let builders = [OpBuilder<(ins), "build($_builder, $_state, $_builder.getIndexType());">];
}

def Moe_FaultOp : Moe_Op<"fault", [MemoryEffects<[MemWrite<Moe_FaultWord>]>]> {
  let summary = "this thread has found data that breaks a condition";
  let description = [{
    Condition `number` of `moe.faults` does not hold: element `position` of its
    values, in row-major order, is `value`, outside of low <= value < high. A
    thread keeps the condition of the least number, and of that the first
    position; the runtime takes the least of all threads after the run.

    Constraints: none.

    Lifespan: created by lower; a call of the runtime after codegen.

    Example:
    ```mlir
    moe.fault 3 at %position found %value range %low to %high
    ```
  }];
  let arguments = (ins I64Attr:$number, Index:$position, Index:$value, Index:$low, Index:$high);
  let assemblyFormat = "$number `at` $position `found` $value `range` $low `to` $high attr-dict";
}

#endif // MOE_IR_KERNEL_OPS_TD
