// Meshes, what moves rows between their devices, and the bookkeeping that says which rows.
#ifndef MOE_IR_COLLECTIVE_OPS_TD
#define MOE_IR_COLLECTIVE_OPS_TD

include "moe/IR/MoeOpBase.td"

def Moe_MeshOp : Moe_Op<"mesh", [Symbol]> {
  let summary = "the machines that a plan is made for";
  let description = [{
    Devices on named axes, outermost first. `device_ids` may say which device is
    at each position; `source` where the numbers come from, `r2` how well they fit
    what was measured. A mesh of a model is an input of the plan stage; with
    `--mesh` that stage writes one.

    Constraints:
    - mesh-c1: `axes` are `#moe.axis`, at least one, no two of one name.
    - mesh-c2: there are 1 to 4096 devices.

    Lifespan: written by hand or created by plan; package notes its devices.

    Example:
    ```mlir
    moe.mesh @mesh axes([#moe.axis<name = "node", size = 2, alpha_us = 20.0, gbps = 1.0, per_msg_us = 1.0>,
        #moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
        device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, ArrayAttr:$axes, Moe_DeviceAttr:$device,
    OptionalAttr<DenseI64ArrayAttr>:$device_ids, OptionalAttr<F64Attr>:$r2, OptionalAttr<StrAttr>:$source);
  let assemblyFormat = "$sym_name `axes` `(` $axes `)` `device` `(` $device `)` attr-dict";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Product of the sizes of the axes.
    int64_t devices();
  }];
}

def Moe_AllToAllOp : Moe_Op<"all_to_all", [AttrSizedOperandSegments, Moe_ReifiesSizes]> {
  let summary = "sends blocks of rows to every rank of a group and receives theirs";
  let description = [{
    Without counts the buffer is split evenly along `split_dim`. With counts,
    `send[r]` rows go to rank r and `receive[r]` rows come from it; the blocks lie
    one after the other at the start of the buffer. A group of one
    rank sends all to itself: the result is the buffer.

    `bounded`: no rank ever receives more rows than the buffer has, so the result
    has its sizes; rows behind those that came are not written. Where `group`
    names a mesh, the counts have an element for each of its devices, of which
    the first as many as there are ranks are used.

    Constraints:
    - all_to_all-c1: `send` and `receive` are both given or neither, and have one
      length.
    - all_to_all-c2: `group` is not empty.
    - all_to_all-c3: 0 <= split_dim < rank of the buffer.
    - all_to_all-c4: the result has the buffer's rank and element type, and its
      sizes; with counts the size of `split_dim` may differ.
    - all_to_all-c5: `bounded` is given only with counts and split_dim 0.

    Lifespan: created by distribute or written by hand. Over a mesh it is a call
    of the runtime after lower; over a group that is no mesh distribute takes it
    out, since there is one machine.

    Example:
    ```mlir
    %r = moe.all_to_all %rows group("experts") send(%send : tensor<4xi32>) receive(%receive : tensor<4xi32>) : tensor<?x64xf32> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$buffer, Optional<Moe_I32Vector>:$send, Optional<Moe_I32Vector>:$receive,
    StrAttr:$group, DefaultValuedAttr<I64Attr, "0">:$split_dim, UnitAttr:$bounded);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $buffer `group` `(` $group `)` (`send` `(` $send^ `:` type($send) `)`)? (`receive` `(` $receive^ `:` type($receive) `)`)?
    attr-dict `:` type($buffer) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Moe_AllToAllStartOp : Moe_Op<"all_to_all_start", [Moe_ReifiesSizes, AllTypesMatch<["rows", "flight"]>]> {
  let summary = "begins a bounded moe.all_to_all with counts over a mesh and does not wait for it";
  let description = [{
    As `moe.all_to_all` with `bounded`, whose result is what `moe.all_to_all_wait`
    makes of `flight`. In between `rows` must not change and `flight` says nothing; what
    does not depend on it is computed while rows travel. All ranks begin the same
    exchanges in the same order. With `per_node`, devices of a node, rows go in two
    steps: to the device of the sender's place in the node of the receiver, and on from
    there; the result is the same. Rows of one number in `token` are equal: in two
    steps such a row is sent to a node once.

    Constraints:
    - all_to_all_start-c1: `send` and `receive` have one length.
    - all_to_all_start-c2: `group` is not empty.
    - all_to_all_start-c3: `per_node` is 0 or a divisor of the length of `send`.
    - all_to_all_start-c4: `token` has an element for each row.

    Lifespan: created by distribute, a call of the runtime after lower.

    Example:
    ```mlir
    %flight = moe.all_to_all_start %rows group("mesh") send(%send : tensor<4xi32>) receive(%receive : tensor<4xi32>) : tensor<?x64xf32>
    ```
  }];
  let arguments = (ins Moe_FloatMatrix:$rows, Moe_I32Vector:$send, Moe_I32Vector:$receive, Optional<Moe_I32Vector>:$token, StrAttr:$group,
    DefaultValuedAttr<I64Attr, "0">:$per_node);
  let results = (outs Moe_FloatMatrix:$flight);
  let assemblyFormat = [{
    $rows `group` `(` $group `)` `send` `(` $send `:` type($send) `)` `receive` `(` $receive `:` type($receive) `)`
    (`token` `(` $token^ `:` type($token) `)`)? attr-dict `:` type($rows)
  }];
  let hasVerifier = 1;
}

def Moe_AllToAllWaitOp : Moe_Op<"all_to_all_wait", [Moe_ReifiesSizes, AllTypesMatch<["flight", "rows", "result"]>]> {
  let summary = "the rows that came, once they all have";
  let description = [{
    `flight` is the result of a `moe.all_to_all_start` of `rows`, which may change
    from here on.

    Constraints:
    - all_to_all_wait-c1: `flight` comes from a moe.all_to_all_start of `rows`.

    Lifespan: created by distribute, a call of the runtime after lower.

    Example:
    ```mlir
    %flight = moe.all_to_all_start %rows group("mesh") send(%send : tensor<4xi32>) receive(%receive : tensor<4xi32>) : tensor<?x64xf32>
    %here = moe.all_to_all_wait %flight, %rows : tensor<?x64xf32>
    ```
  }];
  let arguments = (ins Moe_FloatMatrix:$flight, Moe_FloatMatrix:$rows);
  let results = (outs Moe_FloatMatrix:$result);
  let assemblyFormat = "$flight `,` $rows attr-dict `:` type($rows)";
  let hasVerifier = 1;
}

def Moe_AllGatherOp : Moe_Op<"all_gather", [AttrSizedOperandSegments, Moe_ReifiesSizes]> {
  let summary = "every rank gets the rows of all shares";
  let description = [{
    Tokens are shared out: of T rows, device d has those from d·⌈T/D⌉ on, ⌈T/D⌉
    of them or what is left, D the `devices` of the mesh. With `unit` U, of which T is a
    multiple, whole sequences of U rows are: the share is ⌈(T/U)/D⌉·U. A row of the result is
    that row of the rank which has its device. With `tokens` T, `rows` are those of this
    rank alone; without, all T, of which this rank's are read.

    Constraints:
    - all_gather-c1: `group` is not empty and `devices` at least 1.
    - all_gather-c2: the result has the type of `rows`; with `tokens` the number of rows may differ.

    Lifespan: created by distribute, a call of the runtime after lower.

    Example:
    ```mlir
    %all = moe.all_gather %own group("mesh") {devices = 8 : i64} : tensor<?x64xf32> -> tensor<?x64xf32>
    %logits = moe.all_gather %part tokens(%T) unit(%S) group("mesh") {devices = 8 : i64} : tensor<?x8xf32> -> tensor<?x8xf32>
    ```
  }];
  let arguments = (ins Moe_RowMatrix:$rows, Optional<Index>:$tokens, Optional<Index>:$unit, StrAttr:$group, I64Attr:$devices);
  let results = (outs Moe_RowMatrix:$result);
  let assemblyFormat = [{
    $rows (`tokens` `(` $tokens^ `)`)? (`unit` `(` $unit^ `)`)? `group` `(` $group `)` attr-dict `:` type($rows) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Moe_SlotRowsOp : Moe_Op<"slot_rows", [Pure, Moe_ReifiesSizes]> {
  let summary = "the token and the weight of each slot of a ragged layer";
  let description = [{
    `rows[s]` is the token of the kept assignment that has slot s, -1 where none
    has, and `slot_weights[s]` its weight; `offsets` is `offset`. `tokens` is T.

    Constraints:
    - slot_rows-c1: the lists and `weights` have one length.
    - slot_rows-c2: `rows` and `slot_weights` have one length, `offsets` that of `offset`.

    Lifespan: created by distribute; fuse makes a `moe.route_permute` of it where
    that can do the routing, else lower makes loops.

    Example:
    ```mlir
    %rows, %sw, %offsets = moe.slot_rows %token, %slot, %keep, %w, %offset tokens(%T)
        : tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32>, tensor<9xi32> -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>
    ```
  }];
  let arguments = (ins Moe_I32Vector:$token, Moe_I32Vector:$slot, Moe_I1Vector:$keep, Moe_F32Vector:$weights, Moe_I32Vector:$offset,
    Index:$tokens);
  let results = (outs Moe_I32Vector:$rows, Moe_F32Vector:$slot_weights, Moe_I32Vector:$offsets);
  let assemblyFormat = [{
    $token `,` $slot `,` $keep `,` $weights `,` $offset `tokens` `(` $tokens `)` attr-dict
    `:` type($token) `,` type($slot) `,` type($keep) `,` type($weights) `,` type($offset) `->` type($rows) `,` type($slot_weights) `,` type($offsets)
  }];
  let hasVerifier = 1;
}

def Moe_ShardSlotsOp : Moe_Op<"shard_slots", [Pure, AttrSizedOperandSegments, Moe_ReifiesSizes]> {
  let summary = "which rows this rank sends to whom, and where those that it receives belong";
  let description = [{
    Every rank knows the slots of all tokens (`rows`, `offset` of moe.slot_rows) and
    answers for its own part. Tokens are shared out as in `moe.all_gather`; the
    devices that hold experts are those of `sharding`. With n ranks, rank r has the devices
    from r·D/n on.

    - `send_token[i]`, `send_slot[i]`: the token and the slot of the i-th row that
      goes out, by rank, then in the order of slots; -1 behind them.
    - `send[r]`, `receive[r]`: rows that go to rank r and come from it.
    - `place[j]`: the place among the received rows of this rank's j-th row, in
      the order of slots; -1 behind them. `origin` is its inverse.
    - `local_offset`: the first of this rank's rows of each expert; those that it does not
      hold have none.

    Only tokens of `chunk` count: of the tokens of a device, the first ⌈⌈T/D⌉/C⌉ are
    chunk 0, C the `chunks` of `sharding` (with `unit` ⌈T/D⌉ is the share of whole sequences of `moe.all_gather`). With `most`, no rank sends or receives more
    rows than that in the chunk, and the lists are so long.

    Constraints:
    - shard_slots-c1: the four lists have one length, without `most` that of `rows`, `local_offset`
      has that of `offset`, `send` and `receive` an element for each device.
    - shard_slots-c2: every expert has a slot in `sharding`, which names no other.
    - shard_slots-c3: 0 <= chunk < the chunks of `sharding`.

    Lifespan: created by distribute, loops after lower.

    Example:
    ```mlir
    %st, %ss, %send, %receive, %place, %origin, %mine = moe.shard_slots %rows, %offsets tokens(%T)
        sharding(<mesh = @mesh, axes = ["rank"], ep = 2, edp = 1, slots = [0, 1, 2, 3], algorithm = "direct", equality = "bitwise">)
        : tensor<?xi32>, tensor<5xi32> -> tensor<?xi32>, tensor<?xi32>, tensor<2xi32>, tensor<2xi32>, tensor<?xi32>, tensor<?xi32>, tensor<5xi32>
    ```
  }];
  let arguments = (ins Moe_I32Vector:$rows, Moe_I32Vector:$offset, Index:$tokens, Optional<Index>:$unit, Optional<Index>:$most, Moe_ShardingAttr:$sharding,
    DefaultValuedAttr<I64Attr, "0">:$chunk);
  let results = (outs Moe_I32Vector:$send_token, Moe_I32Vector:$send_slot, Moe_I32Vector:$send, Moe_I32Vector:$receive,
    Moe_I32Vector:$place, Moe_I32Vector:$origin, Moe_I32Vector:$local_offset);
  let assemblyFormat = [{
    $rows `,` $offset `tokens` `(` $tokens `)` (`unit` `(` $unit^ `)`)? (`most` `(` $most^ `)`)? `sharding` `(` $sharding `)` attr-dict `:` type($rows) `,` type($offset) `->`
    type($send_token) `,` type($send_slot) `,` type($send) `,` type($receive) `,` type($place) `,` type($origin) `,` type($local_offset)
  }];
  let hasVerifier = 1;
}

def Moe_PartSlotsOp : Moe_Op<"part_slots", [Pure, Moe_ReifiesSizes]> {
  let summary = "the slots of experts that are cut into parts";
  let description = [{
    An expert that is cut into `parts` counts as that many, one behind the other: a
    token of expert e has a slot of each of e·parts … e·parts + parts − 1. The block of
    each is that of e in `rows` and `slot_weights`, `offset[e]` to `offset[e+1]`, so
    that results of the parts add up with the weight of the expert.

    Constraints:
    - part_slots-c1: `parts` is at least 1; `rows` and `slot_weights` have one length.
    - part_slots-c2: the results are `parts` times as long, `offsets` has an element for each part and one more.

    Lifespan: created by distribute, loops after lower.

    Example:
    ```mlir
    %r, %w, %o = moe.part_slots %rows, %sw, %offset {parts = 2 : i64}
        : tensor<?xi32>, tensor<?xf32>, tensor<5xi32> -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>
    ```
  }];
  let arguments = (ins Moe_I32Vector:$rows, Moe_F32Vector:$slot_weights, Moe_I32Vector:$offset, I64Attr:$parts);
  let results = (outs Moe_I32Vector:$part_rows, Moe_F32Vector:$part_weights, Moe_I32Vector:$part_offset);
  let assemblyFormat = [{
    $rows `,` $slot_weights `,` $offset attr-dict `:` type($rows) `,` type($slot_weights) `,` type($offset)
    `->` type($part_rows) `,` type($part_weights) `,` type($part_offset)
  }];
  let hasVerifier = 1;
}

def Moe_TakeRowsOp : Moe_Op<"take_rows", [Pure, Moe_ReifiesSizes]> {
  let summary = "rows by their numbers";
  let description = [{
    Row i of the result is row `index[i]` of `x`, or `index[i] − first` where `x` has
    only the rows from `first` on; where `index[i]` is -1 nothing is written.

    Constraints:
    - take_rows-c1: the result has a row for each index, and the columns and the
      element type of `x`.

    Lifespan: created by distribute, loops after lower.

    Example:
    ```mlir
    %taken = moe.take_rows %x, %index : tensor<?x64xf32>, tensor<?xi32> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins Moe_FloatMatrix:$x, Moe_I32Vector:$index, Optional<Index>:$first);
  let results = (outs Moe_FloatMatrix:$result);
  let assemblyFormat = "$x `,` $index (`first` `(` $first^ `)`)? attr-dict `:` type($x) `,` type($index) `->` type($result)";
  let hasVerifier = 1;
}

def Moe_SumRowsOp : Moe_Op<"sum_rows", [Pure, AttrSizedOperandSegments, Moe_ReifiesSizes]> {
  let summary = "the weighted sum of what came back for this rank's tokens, in f32, in the order of slots";
  let description = [{
    Row i of `back` belongs to slot s = `send_slot[i]` (none where that is -1),
    which is one of token `rows[s]`: y[t] = Σ slot_weights[s]·back[i], s ascending. A token of this
    rank without one is zero, rows of other ranks' tokens are not written. With
    `fused` a term is multiplied and added with one rounding, as kernels do. Only rows of
    tokens of `chunk`, of `chunks` (see moe.shard_slots, for `unit` too), are written; the others are those of
    `into`.

    Constraints:
    - sum_rows-c1: `back` has a row for each of `send_slot`; `rows` and
      `slot_weights` have one length.
    - sum_rows-c2: the result has the columns of `back`, and its element type or f32.
    - sum_rows-c3: 0 <= chunk < chunks.
    - sum_rows-c4: `into` has the type of the result.

    Lifespan: created by distribute, loops after lower.

    Example:
    ```mlir
    %own = moe.sum_rows %back, %ss, %rows, %sw tokens(%T) {devices = 2 : i64}
        : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xf32> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins Moe_FloatMatrix:$back, Moe_I32Vector:$send_slot, Moe_I32Vector:$rows, Moe_F32Vector:$slot_weights, Index:$tokens,
    Optional<Index>:$unit, Optional<Moe_FloatMatrix>:$into, I64Attr:$devices, DefaultValuedAttr<I64Attr, "0">:$chunk, DefaultValuedAttr<I64Attr, "1">:$chunks, UnitAttr:$fused);
  let results = (outs Moe_FloatMatrix:$result);
  let assemblyFormat = [{
    $back `,` $send_slot `,` $rows `,` $slot_weights `tokens` `(` $tokens `)` (`unit` `(` $unit^ `)`)? (`into` `(` $into^ `:` type($into) `)`)? attr-dict
    `:` type($back) `,` type($send_slot) `,` type($rows) `,` type($slot_weights) `->` type($result)
  }];
  let hasVerifier = 1;
}

//===-- Memory and the runtime ----------------------------------------------===//

def Moe_RankOp : Moe_Op<"rank", [Pure]> {
  let summary = "number of this process among those that run the model together, from 0";
  let description = [{
    Lifespan: created by lower; a load from MoeThread after codegen.

    Example:
    ```mlir
    %r = moe.rank
    ```
  }];
  let results = (outs Index:$result);
  let assemblyFormat = "attr-dict";
  let builders = [OpBuilder<(ins), "build($_builder, $_state, $_builder.getIndexType());">];
}

def Moe_NumRanksOp : Moe_Op<"num_ranks", [Pure]> {
  let summary = "number of processes that run the model together";
  let description = [{
    Lifespan: created by lower; a load from MoeThread after codegen.

    Example:
    ```mlir
    %n = moe.num_ranks
    ```
  }];
  let results = (outs Index:$result);
  let assemblyFormat = "attr-dict";
  let builders = [OpBuilder<(ins), "build($_builder, $_state, $_builder.getIndexType());">];
}

def Moe_ExchangeOp : Moe_Op<"exchange"> {
  let summary = "moe.all_to_all with counts, on memory; thread 0 alone calls it";
  let description = [{
    Constraints:
    - exchange-c1: both buffers have rank 2 in identity layout, one element type and one number of columns.

    Lifespan: created by lower, inside of what thread 0 does; a call of the runtime after codegen.

    Example:
    ```mlir
    moe.exchange %from, %into, %send, %receive : memref<?x64xf32>, memref<?x64xf32>, memref<8xi32>, memref<8xi32>
    ```
  }];
  let arguments = (ins Arg<MemRefRankOf<[F32, F16, BF16], [2]>, "", [MemRead]>:$from, Arg<MemRefRankOf<[F32, F16, BF16], [2]>, "", [MemWrite]>:$into,
    Arg<MemRefRankOf<[I32], [1]>, "", [MemRead]>:$send, Arg<MemRefRankOf<[I32], [1]>, "", [MemRead]>:$receive);
  let assemblyFormat = [{
    $from `,` $into `,` $send `,` $receive attr-dict `:` type($from) `,` type($into) `,` type($send) `,` type($receive)
  }];
  let hasVerifier = 1;
}

def Moe_ExchangeStartOp : Moe_Op<"exchange_start"> {
  let summary = "moe.all_to_all_start on memory; thread 0 alone calls it";
  let description = [{
    Constraints:
    - exchange_start-c1: the buffers of rows have rank 2 in identity layout, one element type and one number of columns.

    Lifespan: created by lower, inside of what thread 0 does; a call of the runtime after codegen.

    Example:
    ```mlir
    moe.exchange_start %from, %into, %send, %receive {per_node = 0 : i64} : memref<?x64xf32>, memref<?x64xf32>, memref<8xi32>, memref<8xi32>
    ```
  }];
  let arguments = (ins Arg<MemRefRankOf<[F32, F16, BF16], [2]>, "", [MemRead]>:$from, Arg<MemRefRankOf<[F32, F16, BF16], [2]>, "", [MemWrite]>:$into,
    Arg<MemRefRankOf<[I32], [1]>, "", [MemRead]>:$send, Arg<MemRefRankOf<[I32], [1]>, "", [MemRead]>:$receive,
    Arg<Optional<MemRefRankOf<[I32], [1]>>, "", [MemRead]>:$token, I64Attr:$per_node);
  let assemblyFormat = [{
    $from `,` $into `,` $send `,` $receive (`token` `(` $token^ `:` type($token) `)`)? attr-dict `:` type($from) `,` type($into) `,` type($send) `,` type($receive)
  }];
  let hasVerifier = 1;
}

def Moe_ExchangeWaitOp : Moe_Op<"exchange_wait"> {
  let summary = "moe.all_to_all_wait on memory; thread 0 alone calls it";
  let description = [{
    Constraints: none; `from` and `into` are those of a moe.exchange_start before.

    Lifespan: created by lower, inside of what thread 0 does; a call of the runtime after codegen.

    Example:
    ```mlir
    moe.exchange_wait %from, %into : memref<?x64xf32>, memref<?x64xf32>
    ```
  }];
  let arguments = (ins Arg<MemRefRankOf<[F32, F16, BF16], [2]>, "", [MemRead]>:$from, Arg<MemRefRankOf<[F32, F16, BF16], [2]>, "", [MemRead, MemWrite]>:$into);
  let assemblyFormat = "$from `,` $into attr-dict `:` type($from) `,` type($into)";
}

def Moe_GatherSharesOp : Moe_Op<"gather_shares"> {
  let summary = "moe.all_gather in place, on memory; thread 0 alone calls it";
  let description = [{
    Constraints:
    - gather_shares-c1: the buffer is in identity layout and `devices` at least 1.

    Lifespan: created by lower, inside of what thread 0 does; a call of the runtime after codegen.

    Example:
    ```mlir
    moe.gather_shares %own unit(%S) {devices = 8 : i64} : memref<?x64xf32>
    ```
  }];
  let arguments = (ins Arg<MemRefRankOf<[F32, F16, BF16, I32, I64], [2]>, "", [MemRead, MemWrite]>:$rows, Index:$unit, I64Attr:$devices);
  let assemblyFormat = "$rows `unit` `(` $unit `)` attr-dict `:` type($rows)";
  let hasVerifier = 1;
}

#endif // MOE_IR_COLLECTIVE_OPS_TD
