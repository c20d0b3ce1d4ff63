// Gives the entry its final signature: memrefs of inputs, then of outputs. The body stays on tensors, read from the inputs and materialised
// in the outputs, for bufferization to follow. Expects the entry on ranked tensors, without tensor arguments in other functions.
#include "EntryPoint.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "moe/IR/Caches.h"
#include "moe/IR/MoeDialect.h"
#include "moe/Lower/Passes.h"

namespace moe {
#define GEN_PASS_DEF_LOWERENTRY
#include "moe/Lower/Passes.h.inc"
} // namespace moe

using namespace mlir;

namespace moe {
namespace {

/// The KV caches that may grow where they lie. What appends in place destroys what others would read of the past.
SmallVector<KvCache> growingCaches(func::FuncOp entry) {
  const auto readOnce = [](Value value) {
    return llvm::count_if(value.getUsers(), [](Operation *user) { return !isa<tensor::DimOp>(user); }) == 1;
  };
  SmallVector<KvCache> caches = kvCachesOf(entry.getBody().front());
  llvm::erase_if(caches, [&](const KvCache &cache) {
    auto append = dyn_cast<AppendOp>(cache.grown);
    Value past = append ? append.getPast() : Value();
    while (past && readOnce(past) && past.getDefiningOp<tensor::CastOp>())
      past = past.getDefiningOp<tensor::CastOp>().getSource();
    return append && !(past == cache.past && readOnce(past));
  });
  return caches;
}

/// Any strides but a dense last dim, from the pointer on.
MemRefType stridedType(RankedTensorType type) {
  SmallVector<int64_t> strides(type.getRank(), ShapedType::kDynamic);
  strides.back() = 1;
  return MemRefType::get(type.getShape(), type.getElementType(), StridedLayoutAttr::get(type.getContext(), 0, strides));
}

MemRefType plainType(RankedTensorType type) { return MemRefType::get(type.getShape(), type.getElementType()); }

/// Writes `value` into `destination`. Reshapes before the output are undone on the buffer, so that what computes the value can write there.
void materialise(OpBuilder &builder, Location loc, Value value, Value destination) {
  while (cast<MemRefType>(destination.getType()).getLayout().isIdentity()) {
    auto expand = value.getDefiningOp<tensor::ExpandShapeOp>();
    if (!expand)
      break;
    auto sourceType = cast<RankedTensorType>(expand.getSrc().getType());
    auto collapsed = memref::CollapseShapeOp::create(builder, loc, destination, expand.getReassociationIndices());
    if (cast<MemRefType>(collapsed.getType()).getShape() != sourceType.getShape()) {
      collapsed.erase();
      break;
    }
    destination = collapsed;
    value = expand.getSrc();
  }
  auto op = bufferization::MaterializeInDestinationOp::create(builder, loc, TypeRange(), value, destination);
  op.setRestrict(true);
  op.setWritable(true);
}

/// The buffer that a caller gives has room for the bounds of the dims that depend on data: the value lies dense at its start. Notes the dims in `sizes`,
/// from `position` on.
Value denseStart(OpBuilder &builder, Location loc, Value value, Value buffer, ArrayRef<int64_t> dataDims, Value sizes, int64_t &position) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<OpFoldResult> dims, strides(type.getRank());
  OpFoldResult stride = builder.getIndexAttr(1);
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    dims.push_back(type.isDynamicDim(dim) ? OpFoldResult(builder.createOrFold<tensor::DimOp>(loc, value, dim))
                                          : OpFoldResult(builder.getIndexAttr(type.getDimSize(dim))));
  SmallVector<int64_t> staticStrides(type.getRank());
  for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
    strides[dim] = stride;
    staticStrides[dim] = getConstantIntValue(stride).value_or(ShapedType::kDynamic);
    stride = affine::makeComposedFoldedAffineApply(builder, loc, builder.getAffineSymbolExpr(0) * builder.getAffineSymbolExpr(1), {stride, dims[dim]});
  }
  for (int64_t dim : dataDims) {
    Value size = arith::IndexCastOp::create(builder, loc, builder.getI64Type(), getValueOrCreateConstantIndexOp(builder, loc, dims[dim]));
    memref::StoreOp::create(builder, loc, size, sizes, ValueRange(arith::ConstantIndexOp::create(builder, loc, position++)));
  }
  auto layout = StridedLayoutAttr::get(builder.getContext(), 0, staticStrides);
  auto dense = MemRefType::get(type.getShape(), type.getElementType(), layout);
  return memref::ReinterpretCastOp::create(builder, loc, dense, buffer, OpFoldResult(builder.getIndexAttr(0)), dims, strides);
}

struct LowerEntry : impl::LowerEntryBase<LowerEntry> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp entry = findEntry(getOperation());
    if (!entry)
      return signalPassFailure();
    for (Type type : llvm::concat<const Type>(entry.getArgumentTypes(), entry.getResultTypes()))
      if (!isa<RankedTensorType>(type)) {
        entry.emitError() << "entry has type " << type << " in its signature, expected ranked tensors";
        return signalPassFailure();
      }
    rewrite(entry);
  }

private:
  void rewrite(func::FuncOp entry);
};

void LowerEntry::rewrite(func::FuncOp entry) {
  Block &body = entry.getBody().front();
  auto ret = cast<func::ReturnOp>(body.getTerminator());
  OpBuilder builder(&body, body.begin());
  const SmallVector<KvCache> caches = growingCaches(entry);
  SmallVector<MemRefType> inputs, outputs;
  for (Type type : entry.getArgumentTypes())
    inputs.push_back(plainType(cast<RankedTensorType>(type)));
  for (Type type : entry.getResultTypes())
    outputs.push_back(plainType(cast<RankedTensorType>(type)));
  for (const KvCache &cache : caches) {
    inputs[cache.past.getArgNumber()] = stridedType(cast<RankedTensorType>(cache.past.getType()));
    outputs[cache.present->getOperandNumber()] = stridedType(cast<RankedTensorType>(cache.present->get().getType()));
  }

  SmallVector<DictionaryAttr> argAttrs;
  auto addAttrs = [&](DictionaryAttr old, StringRef kind, unsigned number) {
    NamedAttrList list(old);
    list.set(kind, builder.getI64IntegerAttr(number));
    for (const KvCache &cache : caches)
      if (kind == "moe.input" && cache.past.getArgNumber() == number) {
        list.set("moe.past_of", builder.getI64IntegerAttr(cache.present->getOperandNumber()));
        // Past and present may have one length: the dims do not say which of them grows.
        if (isa<AppendOp>(cache.grown))
          list.set("moe.past_axis", builder.getI64IntegerAttr(2));
      } else if (kind == "moe.output" && cache.present->getOperandNumber() == number)
        list.set("moe.present_of", builder.getI64IntegerAttr(cache.past.getArgNumber()));
    argAttrs.push_back(list.getDictionary(builder.getContext()));
  };
  for (unsigned i = 0; i < inputs.size(); ++i)
    addAttrs(entry.getArgAttrDict(i), "moe.input", i);
  for (unsigned i = 0; i < outputs.size(); ++i)
    addAttrs(entry.getResultAttrDict(i), "moe.output", i);

  for (auto [i, type] : llvm::enumerate(inputs)) {
    BlockArgument argument = body.getArgument(i);
    Type tensor = argument.getType();
    argument.setType(type);
    auto read = bufferization::ToTensorOp::create(builder, argument.getLoc(), tensor, argument, /*restrict=*/true, /*writable=*/false);
    argument.replaceAllUsesExcept(read.getResult(), read);
  }
  builder.setInsertionPoint(ret);
  SmallVector<Value> buffers;
  for (MemRefType type : outputs)
    buffers.push_back(body.addArgument(type, ret.getLoc()));
  // Behind the outputs, the dims that only the run finds out.
  int64_t foundDims = 0, position = 0;
  for (unsigned i = 0; i < outputs.size(); ++i)
    if (auto dims = entry.getResultAttrOfType<DenseI64ArrayAttr>(i, "moe.data_dims"))
      foundDims += dims.size();
  Value sizes;
  if (foundDims) {
    sizes = body.addArgument(MemRefType::get({foundDims}, builder.getI64Type()), ret.getLoc());
    argAttrs.push_back(builder.getDictionaryAttr(builder.getNamedAttr("moe.sizes", builder.getUnitAttr())));
  }
  for (auto [i, buffer] : llvm::enumerate(buffers)) {
    if (auto dims = entry.getResultAttrOfType<DenseI64ArrayAttr>(i, "moe.data_dims"))
      buffer = denseStart(builder, ret.getLoc(), ret.getOperand(i), buffer, dims.asArrayRef(), sizes, position);
    materialise(builder, ret.getLoc(), ret.getOperand(i), buffer);
  }
  ret.getOperandsMutable().clear();

  SmallVector<Type> types(body.getArgumentTypes());
  entry.removeResAttrsAttr();
  entry.setFunctionType(builder.getFunctionType(types, {}));
  entry.setAllArgAttrs(argAttrs);
  SymbolTable::setSymbolName(entry, "moe_entry");
}

} // namespace
} // namespace moe
