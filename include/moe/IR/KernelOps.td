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
    and `weights` (T×K, f32). Writes, with S = T·K slots sorted by (expert,
    token, rank): `rows` i32[S] the token of a slot, `slot_weights` f32[S] its combine
    weight, `offsets` i32[E+1] the first slot of each expert.

    From logits it has two more outs that only it reads, `chosen` i32[S] and
    `chosen_weights` f32[S]: the selection in the order of tokens, which all
    threads write before they sort it. A NaN is below every number. A given
    index that is no expert takes no slot: `offsets[E]` slots are in use.

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
    without `offsets`; `up` is gone and `columns` is N, 2·I where it is gated.

    Epilogue `ffn` (first product of an expert): the result has N/2 columns
    where gate and up share a tensor. Epilogue combine (second product), with
    `combine_rows` i32[S] and `combine_weights` f32[S]:
    out[combine_rows[s]] += combine_weights[s]·y[s], experts ascending, in f32;
    `outs` is overwritten, rows without a slot become zero.

    Lifespan: created by fuse, gone after codegen's kernel emission.
  }];
  let arguments = (ins Moe_TensorOrMemRef:$x, Optional<Moe_TensorOrMemRef>:$rows, Optional<Moe_TensorOrMemRef>:$offsets,
    Moe_TensorOrMemRef:$weight, Optional<Moe_TensorOrMemRef>:$bias,
    Optional<Moe_TensorOrMemRef>:$up, Optional<Moe_TensorOrMemRef>:$up_bias,
    Optional<Moe_TensorOrMemRef>:$combine_rows, Optional<Moe_TensorOrMemRef>:$combine_weights,
    Variadic<Moe_TensorOrMemRef>:$outs,
    OptionalAttr<Moe_FfnAttr>:$ffn,
    DefaultValuedAttr<Moe_WeightOrderAttr, "::moe::WeightOrder::OutIn">:$order,
    DefaultValuedAttr<Moe_PackingFamilyAttr, "::moe::PackingFamily::Plain">:$packing,
    OptionalAttr<I64Attr>:$columns,
    OptionalAttr<Moe_OriginAttr>:$origin, OptionalAttr<Moe_PlanAttr>:$plan);
  let assemblyFormat = [{
    $x (`rows` `(` $rows^ `:` type($rows) `)`)? (`offsets` `(` $offsets^ `:` type($offsets) `)`)?
    `weight` `(` $weight `:` type($weight) `)` (`bias` `(` $bias^ `:` type($bias) `)`)?
    (`up` `(` $up^ `:` type($up) `)`)? (`up_bias` `(` $up_bias^ `:` type($up_bias) `)`)?
    (`combine` `(` $combine_rows^ `,` $combine_weights `:` type($combine_rows) `,` type($combine_weights) `)`)?
    `outs` `(` $outs `:` type($outs) `)` attr-dict `:` type($x) (`->` type($results)^)?
  }];
}

def Moe_ConcatOp : Moe_KernelOp<"concat"> {
  let summary = "tensors joined along an axis; one op until memrefs";
  let description = [{
    Bufferization is quadratic on chains of insert_slice, so a concat stays
    one op. Where an input is the very buffer of the output (a KV cache updated
    in place) its part is not copied.
  }];
  let arguments = (ins Variadic<Moe_TensorOrMemRef>:$inputs, Variadic<Moe_TensorOrMemRef>:$outs, I64Attr:$axis);
  let assemblyFormat = [{
    `axis` $axis `ins` `(` $inputs `:` type($inputs) `)` `outs` `(` $outs `:` type($outs) `)` attr-dict (`->` type($results)^)?
  }];
}

def Moe_BarrierOp : Moe_Op<"barrier", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "all threads of the model meet; what was written before is seen after";
  let description = [{
    Lifespan: created by lower's thread split; a call of the runtime after codegen.
  }];
  let assemblyFormat = "attr-dict";
}

def Moe_ThreadIdOp : Moe_Op<"thread_id", [Pure]> {
  let summary = "number of this thread, from 0";
  let results = (outs Index:$result);
  let assemblyFormat = "attr-dict";
  let builders = [OpBuilder<(ins), "build($_builder, $_state, $_builder.getIndexType());">];
}

def Moe_NumThreadsOp : Moe_Op<"num_threads", [Pure]> {
  let summary = "number of threads that run the model";
  let results = (outs Index:$result);
  let assemblyFormat = "attr-dict";
  let builders = [OpBuilder<(ins), "build($_builder, $_state, $_builder.getIndexType());">];
}

#endif // MOE_IR_KERNEL_OPS_TD
