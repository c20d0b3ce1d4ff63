// moe.grouped_matmul on a GPU: which kernel, its grid, and what both families share.
#include "ProductCost.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
namespace moe {

/// Result columns of a block of `columns` rows of weights.
static int64_t resultColumns(const ProductSpec &spec, int64_t columns) { return spec.isGated() ? columns / 2 : columns; }

// Rows of the float kernel's tile, and the tensor core tiles, of which chooseTiles takes some by the number of slots. A swapped tile copies rows of x with all its
// threads at once, eight threads a row.
static constexpr int64_t floatRows = 64, floatColumns = 64, panelTileColumns = 128;
static constexpr MmaTile mmaTiles[] = {{8, 32, 1, 2, 6, TileKind::Swapped}, {8, 64, 1, 2, 5, TileKind::Swapped}, {16, 128, 1, 4, 4}, {64, 128, 2, 4, 4}, {128, 128, 2, 4, 4}};
// Those of sm_90a: from 64 rows on by wgmma.
static constexpr MmaTile groupTiles[] = {{8, 32, 1, 2, 6, TileKind::Swapped},  {8, 64, 1, 2, 5, TileKind::Swapped},  {16, 128, 1, 4, 4},
                                         {64, 128, 4, 1, 4, TileKind::Group}, {128, 128, 8, 1, 4, TileKind::Group}, {128, 256, 8, 1, 4, TileKind::Group}};
// Of quantised panels. A warp has 32 rows of weights, which it unpacks, and, of the larger tiles, as many rows of x as its registers hold sums of.
static constexpr MmaTile panelMmaTiles[] = {{8, 64, 1, 2, 6, TileKind::Swapped}, {32, 128, 1, 4, 5}, {64, 128, 1, 4, 4}, {128, 128, 2, 4, 4}};

// The GPU that costs are calculated for.
static constexpr const GpuDescription &costGpu = gpuDescriptions[1];

LogicalResult ProductKernels::replace(GroupedMatmulOp op) {
  FailureOr<ProductSpec> read = ProductSpec::read(op);
  if (failed(read))
    return failure();
  spec = *read;
  OpBuilder host(op);
  const Location loc = op.getLoc();
  Value none = LLVM::ZeroOp::create(host, loc, LLVM::LLVMPointerType::get(host.getContext()));
  auto pointer = [&](Value memref) { return memref ? pointerOf(host, loc, memref) : none; };
  Value slots = op.getRows() ? sizeOf(host, loc, op.getRows(), 0) : sizeOf(host, loc, op.getX(), 0);
  const SmallVector<Value> arguments = {pointer(op.getX()),      pointer(op.getRows()),   pointer(op.getOffsets()),
                                        pointer(op.getWeight()), pointer(op.getUp()),     pointer(op.getBias()),
                                        pointer(op.getUpBias()), pointer(op.getOuts()[0]), arith::IndexCastOp::create(host, loc, host.getI32Type(), slots)};
  if (spec.fitsTensorCores() || spec.fitsPanelTensorCores()) {
    if (failed(launchTensorCores(host, op, slots, arguments)))
      return failure();
  } else {
    if (spec.isPacked())
      // The lower tile holds the average rows of an expert.
      launchUpTo(host, loc, panelTileRows * spec.experts, panelKernel(), panelTileRows, panelTileColumns, slots, arguments);
    launchTiles(host, loc, floatKernel(), floatRows, floatColumns, slots, arguments);
  }
  op.erase();
  return success();
}

LogicalResult ProductKernels::launchTensorCores(OpBuilder &host, GroupedMatmulOp op, Value slots, ValueRange arguments) {
  const Location loc = op.getLoc();
  // A tile that tests ask for is one of all GPUs, or of wgmma.
  const bool mayAsk = table.archs != KernelArchs::Both || table.tile.empty() || StringRef(table.tile).starts_with("wgmma");
  const bool hasGroups = table.archs != KernelArchs::Sm80 && mayAsk;
  const FailureOr<SmallVector<TileRange>> ranges = tilesOf(op, hasGroups);
  if (failed(ranges))
    return failure();
  const TileRange *group = llvm::find_if(*ranges, [](const TileRange &range) { return range.tile->isGroup(); });
  if (table.archs == KernelArchs::Both && group != ranges->end()) {
    auto branch = scf::IfOp::create(host, loc, table.isThere(host, loc, mmaKernel(*group->tile)), /*withElseRegion=*/true);
    OpBuilder inside = branch.getThenBodyBuilder();
    launchRanges(inside, loc, *ranges, slots, arguments);
    host.setInsertionPoint(branch.elseBlock()->getTerminator());
    const FailureOr<SmallVector<TileRange>> others = tilesOf(op, /*hasGroups=*/false);
    if (failed(others))
      return failure();
    launchRanges(host, loc, *others, slots, arguments);
    return success();
  }
  launchRanges(host, loc, *ranges, slots, arguments);
  return success();
}

void ProductKernels::launchRanges(OpBuilder &host, Location loc, ArrayRef<TileRange> ranges, Value slots, ValueRange arguments) {
  for (const TileRange &range : ranges.drop_back())
    launchUpTo(host, loc, range.mostSlots, tensorCoreKernel(*range.tile), range.tile->rows, range.tile->columns, slots, arguments);
  const MmaTile &last = *ranges.back().tile;
  launchTiles(host, loc, tensorCoreKernel(last), last.rows, last.columns, slots, arguments);
}

void ProductKernels::launchUpTo(OpBuilder &host, Location loc, int64_t mostSlots, const KernelEntry &entry, int64_t rows, int64_t columns, Value slots,
                                ValueRange arguments) {
  Value most = arith::ConstantIndexOp::create(host, loc, mostSlots);
  Value fits = arith::CmpIOp::create(host, loc, arith::CmpIPredicate::ule, slots, most);
  auto branch = scf::IfOp::create(host, loc, fits, /*withElseRegion=*/true);
  OpBuilder inside = branch.getThenBodyBuilder();
  launchTiles(inside, loc, entry, rows, columns, slots, arguments);
  host.setInsertionPoint(branch.elseBlock()->getTerminator());
}

FailureOr<SmallVector<TileRange>> ProductKernels::tilesOf(GroupedMatmulOp op, bool hasGroups) {
  ArrayRef<MmaTile> tiles = hasGroups ? ArrayRef(groupTiles) : ArrayRef(mmaTiles);
  if (spec.isPacked())
    tiles = panelMmaTiles;
  else if (spec.isInOut()) // A line of 32 columns has too few chunks for its swizzle.
    tiles = tiles.drop_front();
  // A tile of wgmma that tests ask for is for the GPUs that have it.
  const bool isAsked = !table.tile.empty() && (hasGroups || table.archs != KernelArchs::Both || !StringRef(table.tile).starts_with("wgmma"));
  if (!isAsked && spec.isPacked()) {
    // Each holds the average rows of an expert: what a tile multiplies for nothing costs less than to unpack a panel twice.
    SmallVector<TileRange> ranges;
    for (const MmaTile &tile : tiles)
      ranges.push_back({&tile, &tile == &tiles.back() ? std::numeric_limits<int64_t>::max() : tile.rows * spec.experts});
    return ranges;
  }
  if (!isAsked)
    return chooseTiles(costGpu, spec, tiles, [&](const MmaTile &tile) { return mmaSharedBytes(tile); });
  std::string names;
  for (const MmaTile &tile : tiles) {
    const std::string name = llvm::formatv("{0}{1}x{2}", tile.isGroup() ? "wgmma_" : "", tile.rows, tile.columns);
    if (name == table.tile)
      return SmallVector<TileRange>{{&tile, std::numeric_limits<int64_t>::max()}};
    names += (names.empty() ? "" : ", ") + name;
  }
  return op.emitOpError() << "has no tensor core tile '" << table.tile << "'; expected one of " << names;
}

/// Each expert may have one tile that is not full; there are no more tiles than slots.
void ProductKernels::launchTiles(OpBuilder &host, Location loc, const KernelEntry &entry, int64_t rows, int64_t columns, Value slots,
                                 ValueRange arguments) {
  auto index = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(host, loc, value); };
  Value tiles = arith::CeilDivUIOp::create(host, loc, slots, index(rows));
  tiles = arith::MinUIOp::create(host, loc, slots, Value(arith::AddIOp::create(host, loc, tiles, index(spec.experts - 1))));
  const int64_t across = llvm::divideCeil(spec.columns, resultColumns(spec, columns));
  table.launch(host, loc, entry, tiles, index(across), arguments, entry.hasMaps ? weightMaps(host, loc, columns, arguments) : SmallVector<Value>());
}

KernelEntry ProductKernels::kernel(StringRef kind, int64_t threads, int64_t sharedBytes, llvm::function_ref<void(Arguments &)> body,
                                   bool isGroup) {
  const std::string key = (kind + " " + spec.key()).str();
  KernelEntry entry = table.get(key, ("moe_product_" + kind).str(), threads, sharedBytes, [&](StringRef name) {
    OpBuilder::InsertionGuard guard(b);
    SmallVector<Type> types(8, b.pointer());
    types.push_back(b.getI32Type());
    const size_t plain = types.size();
    types.append(isGroup ? spec.mapCount() : 0, b.pointer());
    func::FuncOp function = b.beginKernel(table.device, name, types);
    for (size_t i = plain; i < types.size(); ++i) {
      // A tensor map of 128 bytes lies among the parameters; moe-cuda-wrap-kernels says that nobody writes it.
      function.setArgAttr(i, LLVM::LLVMDialect::getByValAttrName(), TypeAttr::get(LLVM::LLVMArrayType::get(b.getI8Type(), 128)));
      function.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(), b.getI64IntegerAttr(64));
    }
    Arguments arguments(function.getArguments());
    body(arguments);
    func::ReturnOp::create(b);
  }, isGroup ? "sm_90a" : "");
  entry.hasMaps = isGroup;
  return entry;
}

// A warp looks at 32 experts at once: tiles of each, their sum up to each, and the one that this block's number falls into.
void ProductKernels::withTile(Arguments &a, int64_t rows, llvm::function_ref<void(Tile &)> body) {
  const Type i32 = b.getI32Type();
  Value number = b.blockX(), first = b.mul(number, rows);
  if (!spec.hasOffsets) {
    Tile tile = {b.i32(0), first, a.slots};
    b.ifTrue(b.less(first, a.slots), [&] { body(tile); });
    return;
  }
  Value lane = b.rem(b.threadX(), warpSize);
  SmallVector<Value> found = b.forLoop(
      b.i32(0), b.i32(spec.experts), b.i32(warpSize), {b.i32(0), b.i32(-1), b.i32(0), b.i32(0)}, [&](Value base, ValueRange now) -> SmallVector<Value> {
        Value expert = b.add(base, lane), inside = b.less(expert, b.i32(spec.experts));
        Value safe = b.select(inside, expert, b.i32(0));
        Value from = b.load(i32, b.at(a.offsets, i32, safe)), to = b.load(i32, b.at(a.offsets, i32, b.add(safe, 1)));
        Value count = b.select(inside, b.div(b.add(b.sub(to, from), rows - 1), rows), b.i32(0));
        Value through = b.scanWarp(count, lane), before = b.add(now[0], b.sub(through, count));
        Value isHere = b.bitAnd(b.compare(arith::CmpIPredicate::sge, number, before), b.less(number, b.add(before, count)));
        Value lanes = b.ballot(isHere);
        Value isFound = b.compare(arith::CmpIPredicate::ne, lanes, b.i32(0));
        Value source = b.bitAnd(Value(math::CountTrailingZerosOp::create(b, lanes)), b.i32(warpSize - 1));
        Value row = b.shuffleFrom(b.add(from, b.mul(b.sub(number, before), rows)), source), end = b.shuffleFrom(to, source);
        return {b.add(now[0], b.shuffleFrom(through, b.i32(warpSize - 1))), b.select(isFound, b.add(base, source), now[1]),
                b.select(isFound, row, now[2]), b.select(isFound, end, now[3])};
      });
  Tile tile = {found[1], found[2], found[3]};
  b.ifTrue(b.compare(arith::CmpIPredicate::sge, found[1], b.i32(0)), [&] { body(tile); });
}

Value ProductKernels::sourceRow(Arguments &a, Tile &tile, Value slot, Value isInside) {
  Value safe = b.select(isInside, slot, tile.first);
  return spec.hasRows ? b.load(b.getI32Type(), b.at(a.rows, b.getI32Type(), safe)) : safe;
}

Value ProductKernels::storedColumn(Value column, Value part) {
  switch (spec.gate) {
  case GateLayout::None:
  case GateLayout::Separate:
    return column;
  case GateLayout::Halves:
    return b.add(column, b.mul(part, spec.columns));
  case GateLayout::Interleaved:
    return b.add(b.mul(column, 2), part);
  case GateLayout::UpFirstPairs:
    return b.add(b.mul(column, 2), b.sub(b.i32(1), part));
  case GateLayout::UpFirst:
    return b.add(column, b.mul(b.sub(b.i32(1), part), spec.columns));
  }
  llvm_unreachable("covered switch");
}

Value ProductKernels::biasOf(Arguments &a, Tile &tile, Value column, int64_t part) {
  const bool isUpBias = part == 1 && spec.gate == GateLayout::Separate;
  if (!(isUpBias ? spec.hasUpBias : spec.hasBias))
    return Value();
  const Type type = isUpBias ? spec.upBias : spec.bias;
  Value place = b.add(b.mul(tile.expert, spec.stored), storedColumn(column, part));
  return b.widen(b.load(type, b.at(isUpBias ? a.upBias : a.bias, type, place)));
}

Value ProductKernels::finish(Arguments &a, Tile &tile, Value sum, Value up, Value column) {
  if (Value bias = biasOf(a, tile, column, 0))
    sum = b.addf(sum, bias);
  if (!up)
    return spec.ffn ? math.activation(spec.ffn.getActivation(), spec.ffn.alphaValue(), sum) : sum;
  if (Value bias = biasOf(a, tile, column, 1))
    up = b.addf(up, bias);
  return math.gated(spec.ffn, sum, up);
}

} // namespace moe
