// Symbolic sizes as index values at function entry. All arithmetic is on sizes, so products and sums are plain; a quotient rounds towards
// minus infinity, as in an AffineExpr, and is expanded here so that no later stage needs the expansion of floordivsi.
#include "SizeTable.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

#include "llvm/ADT/SmallString.h"

using namespace mlir;

std::string moe::nodeName(Location loc) {
  if (auto name = dyn_cast<NameLoc>(loc))
    return name.getName().str();
  if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      if (isa<NameLoc>(part))
        return nodeName(part);
  return "<unnamed>";
}

OpBuilder moe::SizeTable::entryBuilder() {
  OpBuilder builder(entry.getContext());
  if (last)
    builder.setInsertionPointAfter(last);
  else
    builder.setInsertionPointToStart(&entry.getBody().front());
  return builder;
}

OpBuilder moe::SizeTable::builderFor(AffineExpr size) { return place && dependsOnData(size) ? OpBuilder(place) : entryBuilder(); }

void moe::SizeTable::placedFor(AffineExpr size, Operation *op) {
  if (!place || !dependsOnData(size))
    placed(op);
}

void moe::SizeTable::define(AffineExpr size, Value value, Value bound) {
  if (AffineExpr whole = partsOf.lookup(size); whole && !bound)
    bound = get(whole);
  if (bound) {
    OpBuilder builder(place);
    Value zero = constant(0);
    value = arith::MinSIOp::create(builder, value.getLoc(), arith::MaxSIOp::create(builder, value.getLoc(), value, zero), bound);
  }
  values[size] = value;
  emitConditionsOn(size);
}

bool moe::SizeTable::isKnown(AffineExpr size) {
  if (values.contains(size))
    return true;
  if (auto symbol = dyn_cast<AffineSymbolExpr>(size)) {
    const DimSymbol origin = inference.symbols()[symbol.getPosition()];
    switch (origin.kind) {
    case SymbolKind::Argument:
      return true;
    case SymbolKind::Element:
      return isa<BlockArgument>(origin.tensor) || (tensorOf && tensorOf(origin.tensor));
    case SymbolKind::Minimum:
    case SymbolKind::Maximum:
      return isKnown(origin.lhs) && isKnown(origin.rhs);
    case SymbolKind::Data:
      return false;
    }
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(size);
  return !binary || (isKnown(binary.getLHS()) && isKnown(binary.getRHS()));
}

Value moe::SizeTable::constant(int64_t value) {
  Value &cached = values[getAffineConstantExpr(value, entry.getContext())];
  if (!cached) {
    OpBuilder builder = entryBuilder();
    cached = arith::ConstantIndexOp::create(builder, entry.getLoc(), value);
    placed(cached.getDefiningOp());
  }
  return cached;
}

OpFoldResult moe::SizeTable::getFold(AffineExpr size) {
  if (auto constantSize = dyn_cast<AffineConstantExpr>(size))
    return Builder(entry.getContext()).getIndexAttr(constantSize.getValue());
  return get(size);
}

Value moe::SizeTable::get(AffineExpr size) {
  if (auto found = values.find(size); found != values.end())
    return found->second;
  Value value = build(size);
  values[size] = value;
  return value;
}

Value moe::SizeTable::build(AffineExpr size) {
  if (auto constantSize = dyn_cast<AffineConstantExpr>(size))
    return constant(constantSize.getValue());
  if (auto symbol = dyn_cast<AffineSymbolExpr>(size)) {
    const DimSymbol &origin = inference.symbols()[symbol.getPosition()];
    if (origin.kind == SymbolKind::Minimum || origin.kind == SymbolKind::Maximum) {
      const AffineExpr left = origin.lhs, right = origin.rhs;
      const bool isMinimum = origin.kind == SymbolKind::Minimum;
      Value lhs = get(left), rhs = get(right);
      OpBuilder builder = builderFor(size);
      Value result = isMinimum ? arith::MinSIOp::create(builder, entry.getLoc(), lhs, rhs).getResult()
                               : arith::MaxSIOp::create(builder, entry.getLoc(), lhs, rhs).getResult();
      placedFor(size, result.getDefiningOp());
      return result;
    }
    if (origin.kind == SymbolKind::Element)
      return buildElement(size, origin);
    assert(origin.kind == SymbolKind::Argument && "callers refuse sizes that depend on data");
    Value dim = constant(origin.dim);
    OpBuilder builder = entryBuilder();
    auto op = tensor::DimOp::create(builder, entry.getLoc(), origin.argument, dim);
    placed(op);
    return op;
  }
  return buildBinary(cast<AffineBinaryOpExpr>(size));
}

/// An element of an integer tensor: of an entry argument, or of what a node has made.
Value moe::SizeTable::buildElement(AffineExpr size, DimSymbol symbol) {
  Value tensor = isa<BlockArgument>(symbol.tensor) ? symbol.tensor : tensorOf(symbol.tensor);
  assert(tensor && "callers refuse sizes that are not known");
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<Value> position;
  for (int64_t index : delinearize(symbol.dim, computeStrides(type.getShape())))
    position.push_back(constant(index));
  OpBuilder builder = builderFor(size);
  Value element = tensor::ExtractOp::create(builder, entry.getLoc(), tensor, position);
  auto number = arith::IndexCastOp::create(builder, entry.getLoc(), builder.getIndexType(), element);
  placedFor(size, number);
  return number;
}

Value moe::SizeTable::buildBinary(AffineBinaryOpExpr size) {
  Value lhs = get(size.getLHS()), rhs = get(size.getRHS());
  Value zero, one;
  if (size.getKind() != AffineExprKind::Add && size.getKind() != AffineExprKind::Mul) {
    zero = constant(0);
    one = constant(1);
  }
  OpBuilder builder = builderFor(size);
  Location loc = entry.getLoc();
  // A zero divisor (an empty input) must not trap.
  auto floorDivide = [&](Value numerator) -> Value {
    Value divisor = rhs;
    if (!isa<AffineConstantExpr>(size.getRHS())) {
      Value isZero = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, rhs, zero);
      divisor = arith::SelectOp::create(builder, loc, isZero, one, rhs);
    }
    Value quotient = arith::DivSIOp::create(builder, loc, numerator, divisor);
    Value rest = arith::RemSIOp::create(builder, loc, numerator, divisor);
    Value mixed = arith::XOrIOp::create(builder, loc, rest, divisor);
    Value mixedSigns = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, mixed, zero);
    Value inexact = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, rest, zero);
    Value adjust = arith::AndIOp::create(builder, loc, mixedSigns, inexact);
    Value lower = arith::SubIOp::create(builder, loc, quotient, one);
    return arith::SelectOp::create(builder, loc, adjust, lower, quotient);
  };
  Value result;
  switch (size.getKind()) {
  case AffineExprKind::Add:
    result = arith::AddIOp::create(builder, loc, lhs, rhs);
    break;
  case AffineExprKind::Mul:
    result = arith::MulIOp::create(builder, loc, lhs, rhs);
    break;
  case AffineExprKind::FloorDiv:
    result = floorDivide(lhs);
    break;
  case AffineExprKind::CeilDiv: {
    // ceil(a / b) = −floor(−a / b)
    Value negated = arith::SubIOp::create(builder, loc, zero, lhs);
    Value floor = floorDivide(negated);
    result = arith::SubIOp::create(builder, loc, zero, floor);
    break;
  }
  default: {
    Value whole = arith::MulIOp::create(builder, loc, floorDivide(lhs), rhs);
    result = arith::SubIOp::create(builder, loc, lhs, whole);
    break;
  }
  }
  placedFor(size, result.getDefiningOp());
  return result;
}

void moe::SizeTable::require(AffineExpr lhs, AffineExpr rhs, Location loc, const Twine &message) {
  Value left = get(lhs), right = get(rhs);
  OpBuilder builder = entryBuilder();
  placed(RequireEqualOp::create(builder, loc, left, right, builder.getStringAttr(message)));
}

void moe::SizeTable::requireIndexable(AffineExpr size, AffineExpr count, Location loc) {
  if (auto known = dyn_cast<AffineConstantExpr>(size); known && known.getValue() > 0)
    return;
  const bool isData = dependsOnData(size) || dependsOnData(count);
  Value total = get(size), indices = get(count), one = constant(1);
  OpBuilder builder = isData ? OpBuilder(place) : entryBuilder();
  Value some = arith::MinSIOp::create(builder, loc, indices, one);
  Value reachable = arith::MinSIOp::create(builder, loc, some, total);
  auto node = loc->findInstanceOf<NameLoc>();
  const std::string text = ((node ? node.getName().getValue() + ": " : StringRef()) + "indices into an empty dim").str();
  if (isData)
    stopUnlessEqual(reachable, some, loc, text);
  else
    placed(RequireEqualOp::create(builder, loc, reachable, some, builder.getStringAttr(text)));
}

void moe::SizeTable::requireWithin(AffineExpr number, AffineExpr low, AffineExpr high, Location loc, StringRef what) {
  const std::string message = (what + ": expected " + describe(low) + " to " + describe(high - 1) + ", found " + describe(number)).str();
  // a <= b: the lesser of the two is a.
  auto requireOrder = [&](AffineExpr a, AffineExpr b) {
    if (inference.provablyNonNegative(b - a))
      return;
    Value least = get(a), most = get(b);
    OpBuilder builder = entryBuilder();
    Value lesser = arith::MinSIOp::create(builder, loc, least, most);
    placed(RequireEqualOp::create(builder, loc, lesser, least, builder.getStringAttr(message)));
  };
  requireOrder(low, number);
  requireOrder(number, high - 1);
}

/// "input 'position_ids' dim 0 ('batch')"
static std::string describeInputDim(mlir::func::FuncOp entry, unsigned argument, int64_t dim) {
  auto name = entry.getArgAttrOfType<StringAttr>(argument, "moe.name");
  auto dims = entry.getArgAttrOfType<ArrayAttr>(argument, "moe.dims");
  std::string text = name ? ("input '" + name.getValue() + "' dim " + Twine(dim)).str() : ("input " + Twine(argument) + " dim " + Twine(dim)).str();
  if (dims && dim < static_cast<int64_t>(dims.size()))
    if (auto symbol = dyn_cast<StringAttr>(dims[dim]))
      text += (" ('" + symbol.getValue() + "')").str();
  return text;
}

void moe::SizeTable::requireInputDims() {
  for (BlockArgument argument : entry.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      continue;
    SmallVector<AffineExpr> dims = inference.facts(argument).dims;
    for (auto [dim, size] : llvm::enumerate(dims)) {
      if (!type.isDynamicDim(dim))
        continue;
      std::string described = describeInputDim(entry, argument.getArgNumber(), dim);
      std::string expected;
      if (auto symbol = dyn_cast<AffineSymbolExpr>(size)) {
        const DimSymbol &origin = inference.symbols()[symbol.getPosition()];
        if (origin.argument == argument && origin.dim == static_cast<int64_t>(dim))
          continue;
        auto name = entry.getArgAttrOfType<StringAttr>(origin.argument.getArgNumber(), "moe.name");
        expected = ("dim " + Twine(origin.dim) + " of " +
                    (name ? "'" + name.getValue() + "'" : "input " + Twine(origin.argument.getArgNumber())))
                       .str();
      } else if (auto constantSize = dyn_cast<AffineConstantExpr>(size)) {
        expected = std::to_string(constantSize.getValue());
      } else {
        continue;
      }
      Value index = constant(dim);
      Value wanted = get(size);
      OpBuilder builder = entryBuilder();
      Value actual = tensor::DimOp::create(builder, entry.getLoc(), argument, index);
      placed(RequireEqualOp::create(builder, entry.getLoc(), actual, wanted, builder.getStringAttr(described + " must equal " + expected)));
    }
  }
}

/// The terms of a sum, each with the sign in front of it. A factor other than -1 stays part of its term.
static void takeTerms(AffineExpr sum, int64_t sign, SmallVectorImpl<std::pair<AffineExpr, int64_t>> &terms) {
  SmallVector<std::pair<AffineExpr, int64_t>> open = {{sum, sign}};
  while (!open.empty()) {
    auto [part, factor] = open.pop_back_val();
    auto binary = dyn_cast<AffineBinaryOpExpr>(part);
    auto number = binary && part.getKind() == AffineExprKind::Mul ? dyn_cast<AffineConstantExpr>(binary.getRHS()) : AffineConstantExpr();
    if (binary && part.getKind() == AffineExprKind::Add) {
      open.push_back({binary.getLHS(), factor});
      open.push_back({binary.getRHS(), factor});
    } else if (number && number.getValue() == -1) {
      open.push_back({binary.getLHS(), -factor});
    } else {
      terms.push_back({part, factor});
    }
  }
}

void moe::SizeTable::findDataConditions() {
  for (const DimCondition &condition : inference.conditions()) {
    if (!dependsOnData(condition.lhs) && !dependsOnData(condition.rhs))
      continue;
    if (condition.lhs == condition.rhs)
      continue;
    conditionsOfNode[condition.loc].push_back(dataConditions.size());
    for (AffineExpr side : {condition.lhs, condition.rhs})
      side.walk([&](AffineExpr part) {
        if (isa<AffineSymbolExpr>(part))
          conditionsOfSymbol[part].push_back(dataConditions.size());
      });
    dataConditions.push_back(condition);
    isEmitted.push_back(false);
    // known + p - q = 0, where all of p depend on data (as do all of q): the other side bounds each of them, where one side has none.
    SmallVector<std::pair<AffineExpr, int64_t>> terms;
    takeTerms(condition.lhs, 1, terms);
    takeTerms(condition.rhs, -1, terms);
    for (int64_t side : {1, -1}) {
      AffineExpr whole = getAffineConstantExpr(0, condition.lhs.getContext());
      bool isSum = true;
      for (auto [term, factor] : terms) {
        if (!dependsOnData(term))
          whole = whole + term * (-side * factor);
        else
          isSum &= factor == side && isa<AffineSymbolExpr>(term) && inference.symbols()[cast<AffineSymbolExpr>(term).getPosition()].isSize;
      }
      for (auto [term, factor] : terms)
        if (isSum && dependsOnData(term))
          partsOf.try_emplace(term, whole);
    }
  }
}

/// What is wrong is noted as any condition on data is; the assert behind it keeps the run from reading beyond a buffer.
void moe::SizeTable::stopUnlessEqual(Value lhs, Value rhs, Location loc, const Twine &message) {
  Value one = constant(1);
  OpBuilder builder(place);
  Type i64 = builder.getI64Type();
  Value wide = arith::IndexCastOp::create(builder, loc, i64, lhs);
  Value found = tensor::FromElementsOp::create(builder, loc, RankedTensorType::get({1}, i64), wide);
  Value beyond = arith::AddIOp::create(builder, loc, rhs, one);
  RequireRangeOp::create(builder, loc, found, rhs, beyond, builder.getStringAttr(message), IntegerAttr());
  Value holds = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, lhs, rhs);
  cf::AssertOp::create(builder, loc, holds, message.str());
}

/// "a = b"; that the greater of a and b is b is said as "b >= a".
static std::string describeCondition(moe::SizeTable &sizes, moe::OnnxInference &inference, const moe::DimCondition &condition) {
  for (auto [one, other] : {std::pair(condition.lhs, condition.rhs), std::pair(condition.rhs, condition.lhs)})
    if (auto symbol = dyn_cast<AffineSymbolExpr>(one)) {
      const moe::DimSymbol origin = inference.symbols()[symbol.getPosition()];
      if (origin.kind == moe::SymbolKind::Maximum && (origin.lhs == other || origin.rhs == other))
        return sizes.describe(other) + " >= " + sizes.describe(origin.lhs == other ? origin.rhs : origin.lhs);
    }
  return sizes.describe(condition.lhs) + " = " + sizes.describe(condition.rhs);
}

void moe::SizeTable::emitDataCondition(size_t number) {
  if (std::exchange(isEmitted[number], true))
    return;
  const DimCondition condition = dataConditions[number];
  const std::string text = "node '" + nodeName(condition.loc) + "' needs " + describeCondition(*this, inference, condition);
  stopUnlessEqual(get(condition.lhs), get(condition.rhs), condition.loc, text + "; the size");
}

void moe::SizeTable::emitConditionsOn(AffineExpr size) {
  size.walk([&](AffineExpr part) {
    auto found = conditionsOfSymbol.find(part);
    if (found == conditionsOfSymbol.end())
      return;
    llvm::erase_if(found->second, [&](size_t number) {
      if (!isEmitted[number] && isKnown(dataConditions[number].lhs) && isKnown(dataConditions[number].rhs))
        emitDataCondition(number);
      return isEmitted[number];
    });
  });
}

bool moe::SizeTable::emitDataConditions(Location loc) {
  for (size_t number : conditionsOfNode.lookup(loc)) {
    if (!isKnown(dataConditions[number].lhs) || !isKnown(dataConditions[number].rhs))
      return false;
    emitDataCondition(number);
  }
  return true;
}

namespace {
/// `one` may be 1 where it differs from `other`; where `either`, `other` may be 1 as well.
struct BroadcastSizes {
  AffineExpr one, other;
  bool either = false;
};
} // namespace

/// The two sizes of a condition that inference makes where one of them may be 1 at run time: (a − b)·(a − 1) = 0, or the same of their maximum and
/// minimum. Nothing where it is no such condition.
static BroadcastSizes broadcastSizes(moe::OnnxInference &inference, const moe::DimCondition &condition) {
  auto zero = dyn_cast<AffineConstantExpr>(condition.rhs);
  if (!zero || zero.getValue() != 0)
    return {};
  SmallVector<AffineExpr> symbols, sizes;
  condition.lhs.walk([&](AffineExpr part) {
    if (isa<AffineSymbolExpr>(part) && !llvm::is_contained(symbols, part))
      symbols.push_back(part);
    if (isa<AffineConstantExpr>(part) && !llvm::is_contained(sizes, part))
      sizes.push_back(part);
  });
  sizes.append(symbols);
  for (AffineExpr one : symbols)
    for (AffineExpr other : sizes)
      if (one != other && inference.provablyEqual((other - one) * (one - 1), condition.lhs)) {
        const moe::DimSymbol &symbol = inference.symbols()[cast<AffineSymbolExpr>(one).getPosition()];
        return symbol.kind == moe::SymbolKind::Minimum ? BroadcastSizes{symbol.lhs, symbol.rhs, true} : BroadcastSizes{one, other, false};
      }
  return {};
}

void moe::SizeTable::emitConditions() {
  requireInputDims();
  findDataConditions();
  llvm::DenseSet<std::pair<AffineExpr, AffineExpr>> seen;
  for (const DimCondition &condition : inference.conditions()) {
    if (condition.lhs == condition.rhs || dependsOnData(condition.lhs) || dependsOnData(condition.rhs))
      continue;
    if (!seen.insert({condition.lhs, condition.rhs}).second)
      continue;
    // The text names symbols as the model does.
    std::string text;
    llvm::raw_string_ostream stream(text);
    const BroadcastSizes sizes = broadcastSizes(inference, condition);
    stream << "node '" << nodeName(condition.loc) << "' needs ";
    if (!sizes.one)
      stream << describeCondition(*this, inference, condition);
    else
      stream << describe(sizes.one) << " = " << describe(sizes.other) << ", or " << (sizes.either ? "one of them" : describe(sizes.one)) << " 1";
    require(condition.lhs, condition.rhs, condition.loc, text);
  }
}
