// Verifiers and memory effects of the kernel ops, on tensors and on memrefs. The labels are those of the constraints in KernelOps.td.
#include "VerifierUtils.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace moe {
using namespace verify;

/// Error unless the value has that rank and an element type that `isElement` accepts, which `elements` names. A null value is fine.
static LogicalResult expectKind(Operation *op, StringRef name, Value value, int64_t wantedRank, llvm::function_ref<bool(Type)> isElement,
                                StringRef elements) {
  if (!value)
    return success();
  if (failed(rank(op, name, value.getType(), wantedRank)))
    return failure();
  if (isElement(shaped(value.getType()).getElementType()))
    return success();
  return op->emitOpError("expected ") << name << " of " << elements << ", got " << value.getType();
}

static bool isI32(Type type) { return type.isSignlessInteger(32); }
static bool isI32OrI64(Type type) { return type.isSignlessInteger(32) || type.isSignlessInteger(64); }
static bool isI8(Type type) { return type.isSignlessInteger(8); }
static bool isF32(Type type) { return type.isF32(); }
static bool isModelFloat(Type type) { return type.isF32() || type.isF16() || type.isBF16(); }

//===-- moe.route_permute --------------------------------------------------===//

/// route_permute-c3, -c4 and the router's rules. Gives T and K.
static LogicalResult verifyRouting(RoutePermuteOp op, int64_t &tokens, int64_t &choices) {
  const int64_t experts = op.getExperts();
  if (op.getLogits()) {
    // route_permute-c3
    const Type logits = op.getLogits().getType();
    if (failed(expectKind(op, "logits", op.getLogits(), 2, isF32, "f32")) || failed(size(op, "logits", logits, 1, experts, "experts")))
      return failure();
    tokens = shaped(logits).getDimSize(0);
    choices = op.getRouter()->getK();
    return router(op, *op.getRouter(), experts);
  }
  // route_permute-c4
  if (failed(expectKind(op, "indices", op.getIndices(), 2, isI32OrI64, "i32 or i64")))
    return failure();
  if (op.getWeights() && (failed(expectKind(op, "weights", op.getWeights(), 2, isF32, "f32")) ||
                          failed(sameSizes(op, {"weights", op.getWeights().getType()}, {"indices", op.getIndices().getType()}))))
    return failure();
  const ShapedType indices = shaped(op.getIndices().getType());
  tokens = indices.getDimSize(0);
  choices = indices.getDimSize(1);
  return choices == 0 ? op.emitOpError("expected at least one expert per token, got ") << op.getIndices().getType() : success();
}

LogicalResult RoutePermuteOp::verify() {
  // route_permute-c1
  const bool byLogits = getLogits() && getRouter() && !getIndices() && !getWeights();
  const bool byIndices = !getLogits() && !getRouter() && getIndices();
  if (!byLogits && !byIndices)
    return emitOpError("expected either logits and router, or indices");
  // route_permute-c2
  const int64_t experts = getExperts();
  if (experts < 1 || experts == std::numeric_limits<int64_t>::max())
    return emitOpError("expected experts >= 1, got ") << experts;
  int64_t tokens = ShapedType::kDynamic, choices = ShapedType::kDynamic;
  if (failed(verifyRouting(*this, tokens, choices)))
    return failure();
  // route_permute-c5
  const size_t expected = byLogits ? 5 : 3;
  if (getOuts().size() != expected && getOuts().size() != expected + 1)
    return emitOpError("expected ") << expected << " outs (rows, slot weights, offsets" << (byLogits ? ", chosen, chosen weights" : "")
                                    << "), and at most places behind them, got " << getOuts().size();
  const StringRef names[] = {"rows", "slot weights", "offsets", byLogits ? "chosen" : "places", "chosen weights", "places"};
  for (const auto &[number, out] : llvm::enumerate(getOuts())) {
    const bool integers = number != 1 && number != 4;
    if (failed(expectKind(*this, names[number], out, 1, integers ? isI32 : isF32, integers ? "i32" : "f32")))
      return failure();
    if (number == 2 ? failed(length(*this, names[number], out.getType(), experts + 1, "experts + 1"))
                    : failed(length(*this, names[number], out.getType(), times(tokens, choices), "tokens times choices")))
      return failure();
  }
  return success();
}

//===-- moe.grouped_matmul -------------------------------------------------===//

namespace {
/// Sizes of a grouped product; dynamic where not known. `stored` counts the columns of one weight tensor (I of separate gate and up).
struct ProductSizes {
  int64_t experts, stored, depth;
  GateLayout gate;

  /// Columns of the result.
  int64_t result() const {
    const bool pairs = isOneTensor(gate);
    return pairs && !ShapedType::isDynamic(stored) ? stored / 2 : stored;
  }
};
} // namespace

/// grouped_matmul-c1 and -c2.
static LogicalResult verifyKinds(GroupedMatmulOp op) {
  // grouped_matmul-c1
  if (op.getOuts().size() != 1)
    return op.emitOpError("expected one of outs, got ") << op.getOuts().size();
  const StringRef floats = "f32, f16 or bf16";
  const bool rowsOfInt8 = op.getBlocks() && op.getBlocks()->getQuads();
  if (failed(rowsOfInt8 ? expectKind(op, "x", op.getX(), 2, isI8, "i8 where blocks have quads")
                        : expectKind(op, "x", op.getX(), 2, isModelFloat, floats)) ||
      failed(op.getOutBlocks() ? expectKind(op, "outs", op.getOuts()[0], 2, isI8, "i8 where there are out_blocks")
                               : expectKind(op, "outs", op.getOuts()[0], 2, isModelFloat, floats)) ||
      failed(expectKind(op, "rows", op.getRows(), 1, isI32, "i32")) ||
      failed(expectKind(op, "offsets", op.getOffsets(), 1, isI32, "i32")) ||
      failed(expectKind(op, "combine_rows", op.getCombineRows(), 1, isI32, "i32")) ||
      failed(expectKind(op, "combine_weights", op.getCombineWeights(), 1, isF32, "f32")))
    return failure();
  // grouped_matmul-c2
  if (!op.getOffsets() && (op.getRows() || op.getCombineRows() || op.getCombineWeights()))
    return op.emitOpError("expected offsets where there are rows or combine, got none");
  return success();
}

/// grouped_matmul-c3 to -c7. Gives the sizes of the product.
static LogicalResult verifyWeight(GroupedMatmulOp op, ProductSizes &sizes) {
  const ShapedType weight = shaped(op.getWeight().getType());
  const PackingFamily packing = op.getPacking();
  const bool packed = packing != PackingFamily::Plain;
  sizes.gate = op.getFfn() ? op.getFfn()->getGate() : GateLayout::None;
  // grouped_matmul-c3
  const bool dense = !op.getOffsets();
  const BlocksAttr blocks = op.getBlocksAttr();
  if (blocks && !packed)
    return op.emitOpError("expected blocks only where the weight is packed");
  const bool paired = packed && !blocks && shaped(op.getX().getType()).getElementType().isBF16();
  const int64_t found = weight.getRank(), wanted = blocks ? 3 : paired ? 5 : packed ? 4 : dense ? 2 : 3;
  const StringRef name = packed ? "a packed weight" : dense ? "a weight" : "a weight of experts";
  if (failed(rank(op, name, op.getWeight().getType(), wanted, packed && dense && !blocks && !paired ? 3 : -1)))
    return failure();
  if (blocks ? !weight.getElementType().isInteger(8) : !isa<FloatType>(weight.getElementType()))
    return op.emitOpError("expected a weight of ") << (blocks ? "i8" : "floats") << ", got " << op.getWeight().getType();
  if (paired && !weight.getElementType().isBF16())
    return op.emitOpError("expected a packed weight of bf16 where x is, got ") << op.getWeight().getType();
  if (packed && !blocks && failed(size(op, "weight", op.getWeight().getType(), paired ? 3 : found - 1, 32, "columns of a panel")))
    return failure();
  if (paired && failed(size(op, "weight", op.getWeight().getType(), 4, 2, "values of k of a pair")))
    return failure();
  const int64_t xColumns = shaped(op.getX().getType()).getDimSize(1);
  const bool quads = blocks && blocks.getQuads();
  if (quads && !ShapedType::isDynamic(xColumns) && xColumns % blocks.rowBlockBytes() != 0)
    return op.emitOpError("expected rows of blocks of ") << blocks.rowBlockBytes() << " bytes, got " << xColumns;
  if (blocks && !ShapedType::isDynamic(xColumns) &&
      failed(size(op, "weight", op.getWeight().getType(), 2,
                  quads ? xColumns / blocks.rowBlockBytes() * blocks.blockBytes() : blocks.panelBytes(xColumns), "bytes of a panel")))
    return failure();
  const bool outIn = packed || op.getOrder() == WeightOrder::OutIn;
  const bool hasExperts = packed ? blocks || found >= 4 : !dense;
  sizes.experts = hasExperts ? weight.getDimSize(0) : 1;
  // grouped_matmul-c4
  if (paired && !ShapedType::isDynamic(xColumns) &&
      failed(size(op, "weight", op.getWeight().getType(), 2, llvm::divideCeil(xColumns, int64_t(2)), "pairs of k for the columns of x")))
    return failure();
  sizes.depth = blocks || paired ? xColumns : weight.getDimSize(packed ? found - 2 : found - (outIn ? 1 : 2));
  // grouped_matmul-c4
  if (!agree(sizes.depth, shaped(op.getX().getType()).getDimSize(1)))
    return op.emitOpError("expected a weight for ") << shaped(op.getX().getType()).getDimSize(1) << " columns of x, got " << sizes.depth;
  if (op.getOffsets() && failed(length(op, "offsets", op.getOffsets().getType(), plus(sizes.experts, 1), "experts + 1")))
    return failure();
  if (!op.getOffsets() && !agree(sizes.experts, 1))
    return op.emitOpError("expected a weight of one expert where there are no offsets, got ") << sizes.experts;
  // grouped_matmul-c5
  if (failed(exactlyWhere(op, "up", bool(op.getUp()), !packed && sizes.gate == GateLayout::Separate,
                          "where the weight is plain and the gate layout separate")))
    return failure();
  if (op.getUp() && op.getUp().getType() != op.getWeight().getType())
    return op.emitOpError("expected up of the weight's type, ") << op.getWeight().getType() << ", got " << op.getUp().getType();
  // grouped_matmul-c6
  if (failed(exactlyWhere(op, "columns", op.getColumns().has_value(), packed, "where the weight is packed")))
    return failure();
  sizes.stored = packed ? static_cast<int64_t>(*op.getColumns()) : weight.getDimSize(found - (outIn ? 2 : 1));
  if (packed) {
    const bool pairs = packing == PackingFamily::GateUp16;
    if (sizes.stored < 1 || (pairs && sizes.stored % 2 != 0))
      return op.emitOpError("expected ") << (pairs ? "an even number of columns" : "columns >= 1") << ", got " << sizes.stored;
    const int64_t panels = pairs ? llvm::divideCeil(sizes.stored / 2, int64_t(16)) : llvm::divideCeil(sizes.stored, int64_t(32));
    if (failed(size(op, "weight", op.getWeight().getType(), blocks || paired ? 1 : found - 3, panels,
                        "panels for " + std::to_string(sizes.stored) + " columns")))
      return failure();
    if (sizes.gate == GateLayout::Separate)
      sizes.stored /= 2;
  }
  // grouped_matmul-c7
  const bool wantsPairs = packed && sizes.gate != GateLayout::None;
  if (wantsPairs != (packing == PackingFamily::GateUp16))
    return op.emitOpError("expected packing gate_up16 exactly for a packed weight of a gated ffn, got ")
           << stringifyPackingFamily(packing) << " and gate " << stringifyGateLayout(sizes.gate);
  if (packed && (op.getOrder() != WeightOrder::OutIn || op.getPlan()))
    return op.emitOpError("expected order out_in and no plan where the weight is packed");
  // grouped_matmul-c12
  if (failed(exactlyWhere(op, "codebook", bool(op.getCodebook()), blocks && blocks.getDictionary(), "where the blocks have a dictionary")))
    return failure();
  return expectKind(op, "codebook", op.getCodebook(), 1, [](Type type) { return type.isInteger(32); }, "32-bit integers");
}

/// grouped_matmul-c9 for one bias.
static LogicalResult verifyBias(GroupedMatmulOp op, StringRef name, Value bias, const ProductSizes &sizes) {
  if (!bias)
    return success();
  const int64_t wantedRank = op.getOffsets() ? 2 : 1;
  if (failed(expectKind(op, name, bias, wantedRank, isModelFloat, "f32, f16 or bf16")))
    return failure();
  if (op.getOffsets() && failed(size(op, name, bias.getType(), 0, sizes.experts, "experts")))
    return failure();
  return size(op, name, bias.getType(), wantedRank - 1, sizes.stored, "columns of its weight");
}

/// grouped_matmul-c13: a result of so many columns as rows of int8.
static LogicalResult verifyOutBlocks(GroupedMatmulOp op, int64_t columns) {
  const BlocksAttr blocks = *op.getOutBlocks();
  if (!blocks.getQuads() || !op.getBlocks() || !op.getBlocks()->getQuads())
    return op.emitOpError("expected out_blocks with quads, and blocks with quads beside them");
  if (op.getCombineRows())
    return op.emitOpError("expected either out_blocks or combine, got both");
  if (blocks.getGroup() % BlocksAttr::partDepth != 0 || columns % blocks.getGroup() != 0)
    return op.emitOpError("expected out_blocks with a group that is a multiple of ")
           << BlocksAttr::partDepth << " and divides the " << columns << " columns of the product, got " << blocks.getGroup();
  return size(op, "the result", op.getOuts()[0].getType(), 1, blocks.rowBytes(columns), "bytes of a row");
}

/// grouped_matmul-c8 to -c11.
static LogicalResult verifyEpilogue(GroupedMatmulOp op, const ProductSizes &sizes) {
  // grouped_matmul-c8
  const bool pairs = isOneTensor(sizes.gate);
  if (pairs && !ShapedType::isDynamic(sizes.stored) && sizes.stored % 2 != 0)
    return op.emitOpError("expected an even number of gate and up columns, got ") << sizes.stored;
  const Type out = op.getOuts()[0].getType();
  if (failed(op.getOutBlocks() ? verifyOutBlocks(op, sizes.result()) : size(op, "the result", out, 1, sizes.result(), "columns of the product")))
    return failure();
  // grouped_matmul-c9
  if (op.getUpBias() && sizes.gate != GateLayout::Separate)
    return op.emitOpError("expected up_bias only where the gate layout is separate, got ") << stringifyGateLayout(sizes.gate);
  if (failed(verifyBias(op, "bias", op.getBias(), sizes)) || failed(verifyBias(op, "up_bias", op.getUpBias(), sizes)))
    return failure();
  // grouped_matmul-c10
  if (!op.getCombineRows() != !op.getCombineWeights())
    return op.emitOpError("expected combine_rows and combine_weights or neither, got only ")
           << (op.getCombineRows() ? "combine_rows" : "combine_weights");
  if (op.getCombineRows() && op.getFfn())
    return op.emitOpError("expected either ffn or combine, got both");
  const Type slots = op.getRows() ? op.getRows().getType() : op.getX().getType();
  if (op.getCombineRows())
    return oneLength(op, {{op.getRows() ? "rows" : "x", slots},
                          {"combine_rows", op.getCombineRows().getType()},
                          {"combine_weights", op.getCombineWeights().getType()}});
  // grouped_matmul-c11
  return size(op, "the result", out, 0, shaped(slots).getDimSize(0), "slots");
}

LogicalResult GroupedMatmulOp::verify() {
  ProductSizes sizes = {};
  if (failed(verifyKinds(*this)) || failed(verifyWeight(*this, sizes)) || failed(verifyEpilogue(*this, sizes)))
    return failure();
  if (getFfn() && failed(verify::ffn(*this, *getFfn())))
    return failure();
  if (failed(verify::plan(*this, getPlanAttr())))
    return failure();
  return verify::origin(*this, getOriginAttr());
}

//===-- moe.concat ---------------------------------------------------------===//

LogicalResult ConcatOp::verify() {
  // concat-c1
  if (getInputs().empty() || getOuts().size() != 1)
    return emitOpError("expected at least one input and one of outs, got ") << getInputs().size() << " and " << getOuts().size();
  const ShapedType out = shaped(getOuts()[0].getType());
  // concat-c2
  const int64_t axis = getAxis();
  if (axis < 0 || axis >= out.getRank())
    return emitOpError("expected 0 <= axis < rank (") << out.getRank() << "), got " << axis;
  int64_t sum = 0;
  for (const auto &[number, input] : llvm::enumerate(getInputs())) {
    const ShapedType type = shaped(input.getType());
    // concat-c3
    if (type.getRank() != out.getRank() || type.getElementType() != out.getElementType())
      return emitOpError("expected input ") << number << " of rank " << out.getRank() << " and " << out.getElementType() << ", got "
                                            << input.getType();
    // concat-c4
    for (int64_t dim = 0; dim < out.getRank(); ++dim)
      if (dim != axis && failed(size(*this, "input " + std::to_string(number), type, dim, out.getDimSize(dim), "that of the output")))
        return failure();
    sum = plus(sum, type.getDimSize(axis));
  }
  // concat-c5
  return size(*this, "the output", out, axis, sum, "sum of the inputs");
}

//===-- moe.attention ------------------------------------------------------===//

/// attention-c4 and -c5: the operands beside queries, keys and values.
static LogicalResult verifyExtras(AttentionOp op) {
  const ShapedType q = shaped(op.getQ().getType()), k = shaped(op.getK().getType());
  // attention-c4
  if (failed(expectKind(op, "mask", op.getMask(), 4, [](Type type) { return type.isInteger(1) || isModelFloat(type); }, "i1, f32, f16 or bf16")))
    return failure();
  if (op.getMask()) {
    const ShapedType mask = shaped(op.getMask().getType());
    for (unsigned dim = 0; dim < 3; ++dim)
      if (mask.getDimSize(dim) != 1 && failed(size(op, "mask", mask, dim, q.getDimSize(dim), "1 or that of the scores")))
        return failure();
    if (!mask.isDynamicDim(3) && !k.isDynamicDim(2) && mask.getDimSize(3) > k.getDimSize(2))
      return op.emitOpError("expected a mask for at most ") << k.getDimSize(2) << " keys, got " << mask.getDimSize(3);
  }
  // attention-c5
  if (op.getCounts() && op.getBefore())
    return op.emitOpError("expected either counts or before, got both");
  if (failed(expectKind(op, "counts", op.getCounts(), 1, [](Type type) { return type.isSignlessInteger(64); }, "i64")) ||
      failed(expectKind(op, "sink", op.getSink(), 1, isModelFloat, "f32, f16 or bf16")))
    return failure();
  if (op.getCounts() && failed(length(op, "counts", op.getCounts().getType(), q.getDimSize(0), "sequences")))
    return failure();
  return op.getSink() ? length(op, "sink", op.getSink().getType(), q.getDimSize(1), "query heads") : success();
}

LogicalResult AttentionOp::verify() {
  // attention-c1
  if (getOuts().size() != 2)
    return emitOpError("expected two of outs (result, scratch), got ") << getOuts().size();
  const StringRef floats = "f32, f16 or bf16";
  if (failed(expectKind(*this, "q", getQ(), 4, isModelFloat, floats)) || failed(expectKind(*this, "k", getK(), 4, isModelFloat, floats)) ||
      failed(expectKind(*this, "v", getV(), 4, isModelFloat, floats)) ||
      failed(expectKind(*this, "the result", getOuts()[0], 4, isModelFloat, floats)) ||
      failed(expectKind(*this, "the scratch", getOuts()[1], 4, isF32, "f32")))
    return failure();
  const ShapedType q = shaped(getQ().getType()), k = shaped(getK().getType()), v = shaped(getV().getType());
  const ShapedType out = shaped(getOuts()[0].getType()), scratch = shaped(getOuts()[1].getType());
  // attention-c2
  const int64_t batch = q.getDimSize(0), depth = q.getDimSize(3), columns = v.getDimSize(3);
  for (auto [name, columnsOf] : {std::pair("q", depth), std::pair("v", columns)})
    if (columnsOf < 1 || columnsOf > mostColumns)
      return emitOpError("expected ") << name << " with 1 to " << mostColumns << " static columns, got " << (name[0] == 'q' ? q : v);
  if (failed(size(*this, "k", k, 0, batch, "sequences")) || failed(size(*this, "k", k, 3, depth, "columns of q")) ||
      failed(size(*this, "v", v, 0, batch, "sequences")) || failed(size(*this, "v", v, 1, k.getDimSize(1), "key heads")) ||
      failed(size(*this, "v", v, 2, k.getDimSize(2), "keys")) || failed(size(*this, "the result", out, 0, batch, "sequences")) ||
      failed(size(*this, "the result", out, 1, q.getDimSize(1), "query heads")) ||
      failed(size(*this, "the result", out, 2, q.getDimSize(2), "queries")) || failed(size(*this, "the result", out, 3, columns, "columns of v")))
    return failure();
  // attention-c3
  const int64_t heads = q.getDimSize(1), keyHeads = k.getDimSize(1);
  const bool isStatic = !q.isDynamicDim(1) && !k.isDynamicDim(1);
  if (heads == 0 || keyHeads == 0 || (isStatic && heads % keyHeads != 0))
    return emitOpError("expected heads of q that are a multiple of those of k, got ") << q << " and " << k;
  if (failed(verifyExtras(*this)))
    return failure();
  // attention-c6
  if (static_cast<int64_t>(getLeft()) < -1 || static_cast<int64_t>(getRight()) < -1)
    return emitOpError("expected left and right of at least -1, got ") << static_cast<int64_t>(getLeft()) << " and " << static_cast<int64_t>(getRight());
  if (!(getSoftcap().convertToDouble() >= 0))
    return emitOpError("expected a softcap that is not negative, got ") << getSoftcap().convertToDouble();
  // attention-c7
  const int64_t chunks = k.isDynamicDim(2) ? ShapedType::kDynamic : llvm::divideCeil(k.getDimSize(2), chunkKeys);
  if (failed(size(*this, "the scratch", scratch, 0, batch, "sequences")) || failed(size(*this, "the scratch", scratch, 1, keyHeads, "key heads")) ||
      failed(size(*this, "the scratch", scratch, 2, chunks, "chunks of keys")))
    return failure();
  return size(*this, "the scratch", scratch, 3, partialSize(columns), "partial results of a tile");
}

LogicalResult AppendOp::verify() {
  // append-c1
  if (getOuts().size() != 1)
    return emitOpError("expected one of outs, got ") << getOuts().size();
  const ShapedType past = shaped(getPast().getType());
  for (auto [name, value] : {std::pair("past", getPast()), std::pair("new", getRows()), std::pair("the output", getOuts()[0])}) {
    if (failed(rank(*this, name, value.getType(), 4)))
      return failure();
    if (shaped(value.getType()).getElementType() != past.getElementType())
      return emitOpError("expected ") << name << " of " << past.getElementType() << ", that of past, got " << value.getType();
  }
  if (failed(expectKind(*this, "at", getAt(), 1, [](Type type) { return type.isSignlessInteger(64); }, "i64")) ||
      failed(length(*this, "at", getAt().getType(), past.getDimSize(0), "sequences")))
    return failure();
  // append-c2
  for (auto [name, value] : {std::pair("new", getRows()), std::pair("the output", getOuts()[0])})
    for (unsigned dim : {0u, 1u, 3u})
      if (failed(size(*this, name, value.getType(), dim, past.getDimSize(dim), "that of past")))
        return failure();
  return success();
}

LogicalResult RoutineOp::verify() {
  // routine-c2
  if (getOuts().empty())
    return emitOpError("expected at least one of outs, got none");
  // routine-c1
  SmallVector<Type> expected(getItems() ? 2 : 0, IndexType::get(getContext()));
  for (const Type type : llvm::concat<const Type>(getInputs().getTypes(), getOuts().getTypes())) {
    const auto buffer = dyn_cast<ShapedType>(type);
    expected.push_back(buffer ? Type(MemRefType::get(buffer.getShape(), buffer.getElementType())) : type);
  }
  const Block::BlockArgListType arguments = getBody().getArguments();
  if (arguments.size() != expected.size())
    return emitOpError("expected a body of ") << expected.size() << " arguments, got " << arguments.size();
  for (const auto &[number, argument] : llvm::enumerate(arguments))
    if (argument.getType() != expected[number])
      return emitOpError("expected argument ") << number << " of the body of type " << expected[number] << ", got " << argument.getType();
  return success();
}

//===-- moe.sum_slots ------------------------------------------------------===//

LogicalResult SumSlotsOp::verify() {
  // sum_slots-c1
  if (getOuts().size() != 1)
    return emitOpError("expected one of outs, got ") << getOuts().size();
  const StringRef floats = "f32, f16 or bf16";
  if (failed(expectKind(*this, "y", getY(), 2, isModelFloat, floats)) || failed(expectKind(*this, "outs", getOuts()[0], 2, isModelFloat, floats)))
    return failure();
  const ShapedType y = shaped(getY().getType());
  if (failed(size(*this, "outs", getOuts()[0].getType(), 1, y.getDimSize(1), "columns of y")))
    return failure();
  // sum_slots-c2
  if (failed(expectKind(*this, "places", getPlaces(), 1, isI32, "i32")) || failed(expectKind(*this, "weights", getWeights(), 1, isF32, "f32")))
    return failure();
  return length(*this, "weights", getWeights().getType(), y.getDimSize(0), "rows of y");
}

//===-- Memory effects -----------------------------------------------------===//

/// A kernel reads its inputs and writes its outs; on tensors it has no effects.
static void kernelEffects(DestinationStyleOpInterface op, SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    if (op.isDpsInit(&operand))
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    else
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  }
}

void RoutePermuteOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  kernelEffects(cast<DestinationStyleOpInterface>(getOperation()), effects);
}
void GroupedMatmulOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  kernelEffects(cast<DestinationStyleOpInterface>(getOperation()), effects);
}
void SumSlotsOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  kernelEffects(cast<DestinationStyleOpInterface>(getOperation()), effects);
}
void RoutineOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  kernelEffects(cast<DestinationStyleOpInterface>(getOperation()), effects);
}
void AttentionOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  kernelEffects(cast<DestinationStyleOpInterface>(getOperation()), effects);
}
void AppendOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  kernelEffects(cast<DestinationStyleOpInterface>(getOperation()), effects);
}
void ConcatOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  kernelEffects(cast<DestinationStyleOpInterface>(getOperation()), effects);
}

} // namespace moe
