// Stored weights: symbols that name bytes in a file, and the values that read them.
#ifndef MOE_IR_WEIGHT_OPS_TD
#define MOE_IR_WEIGHT_OPS_TD

include "moe/IR/MoeOpBase.td"

def Moe_WeightOp : Moe_Op<"weight",
    [Symbol, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a stored weight: a symbol that names bytes, never the bytes";
  let description = [{
    `source` says where the values are: `#moe.file<...>`, a dense attribute, or
    a list of these, one per index of the first dim (experts stored apart). A packed weight has
    no source of its own: `packing` names the layout, `from` the weights that
    it is made of (two for `gate_up16` of separate tensors), `order` and `gate`
    how to read those. With `dequant` each of them is quantised: `from` names its
    payload, its scales and, where it has some, its zero points and its codebook,
    one after the other, and the type is that of its values. With `column_parts` or
    `depth_parts` each expert of the sources is cut into so many (see moe.part_experts), which are
    the experts of the packed type. `section` and `offset` are its
    place in `model.weights`; the lower stage gives them.

    Constraints:
    - weight-c1: it has a `source` or is `packed`, not both.
    - weight-c2: its sizes are static.
    - weight-c3: `source` is `#moe.file` or elements of its type, or a list of these, each of the type without its first dim.
    - weight-c4: the file's length is that of the type in bytes (one per bool),
      its offset is not negative and its path not empty.
    - weight-c5: `from` is given exactly where it is packed, `order` and `gate`
      exactly where it is packed in panels (not plain: that only converts).
    - weight-c6: packing panel32 has gate none, gate_up16 another; `from` names
      two weights for separate, else one, plain one; with `dequant`, two or three
      for each, four where it is ternary_dict.
    - weight-c7: a type packed in panels is E×P×K×32 of f32, f16 or bf16, or
      E×P×⌈K/2⌉×32×2 of bf16, with `blocks` E×P×B of i8, B the bytes of a panel.
    - weight-c8: `section` and `offset` are both given or neither; not negative,
      the offset a multiple of 64.
    - weight-c9: `from` names weights with a source: for panels, of floats and
      rank 2 (E is 1) or 3, whose E, K and number of panels are those of the
      packed type; for plain, of its sizes.
    - weight-c10: `dequant` is given only where it is packed, plain only as f32;
      the parts fit each other and the type of the values (dequant-c4 to dequant-c7 of
      `moe.dequant`), which weight-c9 speaks of then.
    - weight-c11: `blocks` is given only with `dequant`.
    - weight-c12: `column_parts` and `depth_parts` are at least 1 and given only where it is packed in panels, not both, and `depth_parts` without `dequant`.

    Lifespan: created by import (sources), fuse (plain, what is read as numbers
    though it is stored as strings of a dictionary) and lower (packed), read by
    package.

    Example:
    ```mlir
    moe.weight @gate_up : tensor<8x96x64xf32> source(#moe.file<"model.onnx", offset = 128, length = 196608>)
    moe.weight @gate_up.panels : tensor<8x3x64x32xf32> packed(gate_up16) from([@gate_up]) order(out_in) gate(halves)
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       OptionalAttr<StrAttr>:$sym_visibility,
                       TypeAttrOf<AnyRankedTensor>:$type,
                       OptionalAttr<AnyAttr>:$source,
                       OptionalAttr<Moe_PackingFamilyAttr>:$packing,
                       OptionalAttr<FlatSymbolRefArrayAttr>:$from,
                       OptionalAttr<Moe_WeightOrderAttr>:$order,
                       OptionalAttr<Moe_GateLayoutAttr>:$gate,
                       OptionalAttr<I64Attr>:$section,
                       OptionalAttr<I64Attr>:$offset,
                       OptionalAttr<Moe_QuantAttr>:$quant,
                       OptionalAttr<TypeAttrOf<AnyRankedTensor>>:$values,
                       OptionalAttr<Moe_BlocksAttr>:$blocks,
                       OptionalAttr<I64Attr>:$column_parts,
                       OptionalAttr<I64Attr>:$depth_parts);
  let assemblyFormat = [{
    ($sym_visibility^)? $sym_name `:` $type (`source` `(` $source^ `)`)?
    (`packed` `(` custom<Keyword>($packing)^ `)`)? (`from` `(` $from^ `)`)?
    (`order` `(` custom<Keyword>($order)^ `)`)? (`gate` `(` custom<Keyword>($gate)^ `)`)?
    (`dequant` `(` $quant^ `,` $values `)`)? (`blocks` `(` $blocks^ `)`)?
    (`column_parts` $column_parts^)? (`depth_parts` $depth_parts^)? (`section` $section^)? (`at` $offset^)? attr-dict
  }];
  let builders = [OpBuilder<(ins "::mlir::StringAttr":$name, "::mlir::StringAttr":$visibility, "::mlir::TypeAttr":$type, "::mlir::Attribute":$source,
      "::moe::PackingFamilyAttr":$packing, "::mlir::ArrayAttr":$from, "::moe::WeightOrderAttr":$order, "::moe::GateLayoutAttr":$gate,
      "::mlir::IntegerAttr":$section, "::mlir::IntegerAttr":$offset, "::moe::QuantAttr":$quant, "::mlir::TypeAttr":$values, "::moe::BlocksAttr":$blocks), [{
    build($_builder, $_state, name, visibility, type, source, packing, from, order, gate, section, offset, quant, values, blocks,
          ::mlir::IntegerAttr(), ::mlir::IntegerAttr());
  }]>];
  let hasVerifier = 1;
}

def Moe_WeightRefOp : Moe_Op<"weight_ref",
    [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a stored weight; read-only";
  let description = [{
    A tensor until bufferization, a read-only memref into the mapped
    `model.weights` after it.

    Constraints:
    - weight_ref-c1: it names a `moe.weight` of the module.
    - weight_ref-c2: its type has the weight's sizes and element type.

    Lifespan: created by import, an address in `model.weights` after codegen.

    Example:
    ```mlir
    %w = moe.weight_ref @gate_up : tensor<8x96x64xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs Moe_TensorOrMemRef:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

def Moe_PartExpertsOp : Moe_Op<"part_experts", [Pure, Moe_ReifiesSizes]> {
  let summary = "the weight of experts that are cut into parts of their intermediate features";
  let description = [{
    `weight` is E×M×N, or M×N, one matrix that counts as one expert (a product by columns). Dim `dim` (1 or 2) has the intermediate features, or with
    `halves` gate and up ones of them, one behind the other; expert e becomes the experts
    e·parts … e·parts + parts − 1, each with one of `parts` equal ranges of the
    features. Each is an expert of its own; the sum of their results is that of
    the whole one.

    Constraints:
    - part_experts-c1: `weight` has rank 2 or 3 and static sizes, `dim` is 1 or 2.
    - part_experts-c2: `parts` is at least 1 and divides the features.
    - part_experts-c3: the result has `parts` times the experts, and of dim `dim` one part.

    Lifespan: created by distribute, read through by lower where weights are packed.

    Example:
    ```mlir
    %p = moe.part_experts %w {dim = 1 : i64, halves, parts = 2 : i64} : tensor<8x96x64xf32> -> tensor<16x48x64xf32>
    ```
  }];
  let arguments = (ins Moe_FloatTensor:$weight, I64Attr:$parts, I64Attr:$dim, UnitAttr:$halves);
  let results = (outs Moe_FloatTensor:$result);
  let assemblyFormat = "$weight attr-dict `:` type($weight) `->` type($result)";
  let hasVerifier = 1;
}

def Moe_RequireEqualOp : Moe_Op<"require_equal"> {
  let summary = "a condition on the input dims, checked on entry to run";
  let description = [{
    `lhs` and `rhs` are functions of the input dims. Where they differ at run
    time, run answers bad_shape with `message`. Import cannot always prove that
    two symbolic dims agree; this is what it assumed.

    Constraints: none.

    Lifespan: created by raise; lower moves it into the shape function.

    Example:
    ```mlir
    moe.require_equal %past, %total, "past and total length differ"
    ```
  }];
  let arguments = (ins Index:$lhs, Index:$rhs, StrAttr:$message);
  let assemblyFormat = "$lhs `,` $rhs `,` $message attr-dict";
}

def Moe_RequireRangeOp : Moe_Op<"require_range", [MemoryEffects<[MemWrite<Moe_FaultWord>]>]> {
  let summary = "a condition on data, checked while the model runs";
  let description = [{
    Every element v of `values` has low <= v < high; `low` and `high` are functions
    of the input dims. Where one has not, run answers bad_argument and says
    `message`, which names the node and what the values are, the value found, and
    the range. Of several conditions that fail in a run, the first in the order of
    the model is reported, with its first value in row-major order, however many
    threads there are. The model runs to its end all the same: whoever reads memory
    at `values` keeps inside by itself, and the outputs then mean nothing.

    Constraints: none.

    Lifespan: created by raise; numbered by moe-lower-checks, on a memref after
    bufferization, loops with a `moe.fault` after moe-lower-loops.

    Example:
    ```mlir
    moe.require_range %ids, %low, %high, "node 'embed' (Gather): an index" : tensor<?xi64>
    ```
  }];
  let arguments = (ins Arg<AnyTypeOf<[RankedTensorOf<[I8, I16, I32, I64]>, StridedMemRefOf<[I8, I16, I32, I64]>]>, "", [MemRead]>:$values,
    Index:$low, Index:$high, StrAttr:$message, OptionalAttr<I64Attr>:$number);
  let assemblyFormat = "$values `,` $low `,` $high `,` $message (`number` $number^)? attr-dict `:` type($values)";
}

#endif // MOE_IR_WEIGHT_OPS_TD
