// Builds @moe_shapes: output dims, and the conditions on the input dims, as functions of the dims of the inputs and of elements of small inputs. In
// the entry every size is recomputed from the same at its start, so that buffers can be planned before anything runs. Expects the entry on ranked
// tensors.
#include "EntryPoint.h"
#include "SizeBounds.h"
#include "moe/IR/MoeDialect.h"
#include "moe/Lower/Passes.h"

namespace moe {
#define GEN_PASS_DEF_LOWERSHAPES
#include "moe/Lower/Passes.h.inc"
} // namespace moe

using namespace mlir;

namespace moe {
namespace {

using Place = std::pair<unsigned, int64_t>; // argument and dim

/// Name of argument `index` for messages.
std::string nameOf(func::FuncOp entry, unsigned index) {
  if (auto name = entry.getArgAttrOfType<StringAttr>(index, "moe.name"))
    return ("input '" + name.getValue() + "'").str();
  return "input " + std::to_string(index);
}

struct LowerShapes : impl::LowerShapesBase<LowerShapes> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp entry = findEntry(getOperation());
    if (!entry || failed(checkTypes(entry)))
      return signalPassFailure();
    findSymbols(entry);
    if (failed(buildShapes(entry)))
      return signalPassFailure();
    resolveEntry(entry);
  }

private:
  LogicalResult checkTypes(func::FuncOp entry);
  void findSymbols(func::FuncOp entry);
  LogicalResult buildShapes(func::FuncOp entry);
  void buildInputChecks(func::FuncOp entry, OpBuilder &builder, llvm::function_ref<Value(Place)> load);
  void resolveEntry(func::FuncOp entry);
  void resolveOperands(ShapeResolver &resolver, MutableOperandRange sizes);
  LogicalResult dependsOnData(Operation *op, const ShapeResolver &resolver, const Twine &what);
  void require(OpBuilder &builder, Location loc, Value lhs, Value rhs, const Twine &message);
  Place representative(BlockArgument argument, int64_t dim) {
    return symbols.lookup_or({argument.getArgNumber(), dim}, {argument.getArgNumber(), dim});
  }

  llvm::DenseMap<Place, Place> symbols;              // where two dims have one symbol: the later one to the first
  SmallVector<std::pair<Value, std::string>> checks; // i1 that must hold, message
  llvm::StringMap<size_t> checkOf;                   // the check with a message
};

LogicalResult LowerShapes::checkTypes(func::FuncOp entry) {
  for (auto [index, type] : llvm::enumerate(entry.getArgumentTypes()))
    if (!isa<RankedTensorType>(type))
      return entry.emitError() << nameOf(entry, index) << " has type " << type << ", expected a ranked tensor";
  for (auto [index, type] : llvm::enumerate(entry.getResultTypes()))
    if (!isa<RankedTensorType>(type))
      return entry.emitError() << "output " << index << " has type " << type << ", expected a ranked tensor";
  return success();
}

void LowerShapes::findSymbols(func::FuncOp entry) {
  llvm::StringMap<Place> first;
  for (BlockArgument argument : entry.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto names = entry.getArgAttrOfType<ArrayAttr>(number, "moe.dims");
    auto type = cast<RankedTensorType>(argument.getType());
    if (!names || static_cast<int64_t>(names.size()) != type.getRank())
      continue;
    for (auto [dim, attr] : llvm::enumerate(names)) {
      auto name = dyn_cast<StringAttr>(attr);
      if (!name || name.empty() || name == "?" || !type.isDynamicDim(dim))
        continue;
      Place place(number, dim);
      auto [it, inserted] = first.try_emplace(name.getValue(), place);
      if (!inserted)
        symbols[place] = it->second;
    }
  }
}

/// Conditions that say the same are one.
void LowerShapes::require(OpBuilder &builder, Location loc, Value lhs, Value rhs, const Twine &message) {
  if (lhs == rhs) // Dims of one symbol, which the checks of inputs compare already.
    return;
  Value equal = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, lhs, rhs);
  auto [place, isNew] = checkOf.try_emplace(message.str(), checks.size());
  if (isNew)
    checks.emplace_back(equal, message.str());
  else
    checks[place->second].first = arith::AndIOp::create(builder, loc, checks[place->second].first, equal);
}

/// Static dims, and dims that share a symbol.
void LowerShapes::buildInputChecks(func::FuncOp entry, OpBuilder &builder, llvm::function_ref<Value(Place)> load) {
  Location loc = entry.getLoc();
  for (BlockArgument argument : entry.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto type = cast<RankedTensorType>(argument.getType());
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      std::string place = (nameOf(entry, number) + ": dim " + Twine(dim)).str();
      if (!type.isDynamicDim(dim)) {
        Value size = arith::ConstantIndexOp::create(builder, loc, type.getDimSize(dim));
        require(builder, loc, load({number, dim}), size, place + " must be " + std::to_string(type.getDimSize(dim)));
      } else if (auto same = symbols.find({number, dim}); same != symbols.end()) {
        auto name = cast<StringAttr>(entry.getArgAttrOfType<ArrayAttr>(number, "moe.dims")[dim]).getValue();
        require(builder, loc, load({number, dim}), load(same->second),
                place + " ('" + name + "') must equal dim " + Twine(same->second.second) + " of " + nameOf(entry, same->second.first));
      }
    }
  }
}

LogicalResult LowerShapes::dependsOnData(Operation *op, const ShapeResolver &resolver, const Twine &what) {
  InFlightDiagnostic error = op->emitError() << what << " depends on data and has no bound, expected a function of the input dims";
  if (resolver.failedAt && resolver.failedAt != op)
    error.attachNote(resolver.failedAt->getLoc()) << "decided here, by '" << resolver.failedAt->getName() << "'";
  return error;
}

LogicalResult LowerShapes::buildShapes(func::FuncOp entry) {
  OpBuilder builder(entry->getContext());
  builder.setInsertionPointAfter(entry);
  Location loc = entry.getLoc();
  auto dimsType = MemRefType::get({ShapedType::kDynamic}, builder.getI64Type());
  auto shapes = func::FuncOp::create(builder, loc, "moe_shapes", builder.getFunctionType({dimsType, dimsType}, builder.getI64Type()));
  shapes->setAttr("moe.shapes", builder.getUnitAttr());
  Block *body = shapes.addEntryBlock();
  builder.setInsertionPointToStart(body);

  SmallVector<int64_t> firstDim; // of each input in the array of all dims
  int64_t count = 0;
  for (Type type : entry.getArgumentTypes()) {
    firstDim.push_back(count);
    count += cast<RankedTensorType>(type).getRank();
  }
  llvm::DenseMap<Place, Value> loaded;
  auto load = [&](Place place) {
    Value &value = loaded[place];
    if (!value) {
      Value position = arith::ConstantIndexOp::create(builder, loc, firstDim[place.first] + place.second);
      Value size = memref::LoadOp::create(builder, loc, body->getArgument(0), position);
      value = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), size);
    }
    return value;
  };
  buildInputChecks(entry, builder, load);
  ShapeResolver resolver(
      builder, [&](BlockArgument argument, int64_t dim) { return load(representative(argument, dim)); },
      [&](BlockArgument argument, int64_t element) {
        return loadInputElement(builder, entry, argument.getArgNumber(), element, body->getArgument(0), count);
      });
  for (auto op : entry.getOps<RequireEqualOp>()) {
    Value lhs = resolver.scalar(op.getLhs()), rhs = lhs ? resolver.scalar(op.getRhs()) : Value();
    if (!rhs)
      return dependsOnData(op, resolver, "a condition on shapes");
    require(builder, op.getLoc(), lhs, rhs, op.getMessage());
  }

  Operation *ret = entry.getBody().front().getTerminator();
  SizeBounds bounds(builder, resolver);
  int64_t position = 0;
  for (auto [number, result] : llvm::enumerate(ret->getOperands())) {
    SmallVector<int64_t> dataDims;
    for (int64_t dim = 0, rank = cast<RankedTensorType>(result.getType()).getRank(); dim < rank; ++dim, ++position) {
      Value size = resolver.dim(result, dim);
      if (!size) {
        size = bounds.upperDim(result, dim);
        dataDims.push_back(dim);
      }
      if (!size)
        return dependsOnData(ret, resolver, "dim " + Twine(dim) + " of output " + Twine(number));
      Value value = arith::IndexCastOp::create(builder, loc, builder.getI64Type(), size);
      memref::StoreOp::create(builder, loc, value, body->getArgument(1),
                              ValueRange(arith::ConstantIndexOp::create(builder, loc, position)));
    }
    if (!dataDims.empty())
      entry.setResultAttr(number, "moe.data_dims", builder.getDenseI64ArrayAttr(dataDims));
  }

  // The first failed check is the answer, so the last one is selected first.
  Value answer = arith::ConstantIntOp::create(builder, loc, 0, 64);
  SmallVector<Attribute> messages;
  for (auto [k, check] : llvm::enumerate(checks))
    messages.push_back(builder.getStringAttr(check.second));
  for (int64_t k = static_cast<int64_t>(checks.size()) - 1; k >= 0; --k)
    answer = arith::SelectOp::create(builder, loc, checks[k].first, answer, arith::ConstantIntOp::create(builder, loc, -1 - k, 64));
  func::ReturnOp::create(builder, loc, answer);
  getOperation()->setAttr("moe.checks", builder.getArrayAttr(messages));
  return success();
}

void LowerShapes::resolveOperands(ShapeResolver &resolver, MutableOperandRange sizes) {
  // What depends on data stays where it is computed: moe-lower-arena asks for its bound.
  for (OpOperand &size : sizes)
    if (Value value = resolver.scalar(size.get()))
      size.set(value);
}

void LowerShapes::resolveEntry(func::FuncOp entry) {
  OpBuilder builder(entry.getBody());
  // Everything new goes before the first old op, in order.
  Operation *firstOld = &entry.getBody().front().front();
  builder.setInsertionPoint(firstOld);
  llvm::DenseSet<Operation *> made;
  ShapeResolver resolver(builder, [&](BlockArgument argument, int64_t dim) -> Value {
    Place place = representative(argument, dim);
    auto op = tensor::DimOp::create(builder, argument.getLoc(), entry.getArgument(place.first), place.second);
    made.insert(op);
    return op;
  }, [&](BlockArgument argument, int64_t element) -> Value {
    return tensor::ExtractOp::create(builder, argument.getLoc(), argument, elementIndices(builder, argument, element));
  });
  SmallVector<Operation *> ops, dead;
  entry.walk([&](Operation *op) { ops.push_back(op); });
  for (Operation *op : ops) {
    if (made.contains(op))
      continue;
    if (auto dim = dyn_cast<tensor::DimOp>(op)) {
      if (Value size = resolver.scalar(dim.getResult())) {
        dim.replaceAllUsesWith(size);
        dead.push_back(op);
      }
    } else if (auto empty = dyn_cast<tensor::EmptyOp>(op)) {
      resolveOperands(resolver, empty.getDynamicSizesMutable());
    } else if (auto generate = dyn_cast<tensor::GenerateOp>(op)) {
      resolveOperands(resolver, generate.getDynamicExtentsMutable());
    } else if (auto splat = dyn_cast<tensor::SplatOp>(op)) {
      resolveOperands(resolver, splat.getDynamicSizesMutable());
    } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
      resolveOperands(resolver, expand.getOutputShapeMutable());
    } else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
      resolveOperands(resolver, slice.getSizesMutable());
    } else if (auto slice = dyn_cast<tensor::InsertSliceOp>(op)) {
      resolveOperands(resolver, slice.getSizesMutable());
    } else if (isa<RequireEqualOp>(op)) {
      dead.push_back(op);
    }
  }
  for (Operation *op : dead)
    op->erase();
}

} // namespace
} // namespace moe
