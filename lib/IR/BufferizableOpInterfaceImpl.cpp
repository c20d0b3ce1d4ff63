// How One-Shot Bufferize treats moe ops: kernel ops write their `outs` completely and read only their inputs; a weight is a buffer that
// nobody may write. Attached as external models so that the dialect itself does not depend on bufferization.
#include "moe/IR/BufferizableOpInterfaceImpl.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "moe/IR/MoeDialect.h"

using namespace mlir;
using namespace mlir::bufferization;

namespace moe {
namespace {

/// The buffer itself, or a contiguous copy of it: kernels compute addresses from the shape alone.
FailureOr<Value> getContiguous(RewriterBase &rewriter, Location loc, Value buffer, const BufferizationOptions &options) {
  auto type = cast<MemRefType>(buffer.getType());
  if (type.getLayout().isIdentity())
    return buffer;
  SmallVector<Value> sizes;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.isDynamicDim(dim))
      sizes.push_back(memref::DimOp::create(rewriter, loc, buffer, dim));
  auto plain = MemRefType::get(type.getShape(), type.getElementType());
  FailureOr<Value> copy = options.createAlloc(rewriter, loc, plain, sizes);
  if (failed(copy) || failed(options.createMemCpy(rewriter, loc, buffer, *copy)))
    return failure();
  return copy;
}

/// Model of a destination style op that overwrites all of its `outs`.
template <typename OpTy, bool needsContiguous>
struct KernelModel : DstBufferizableOpInterfaceExternalModel<KernelModel<OpTy, needsContiguous>, OpTy> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand, const AnalysisState &) const {
    return !cast<DestinationStyleOpInterface>(op).isDpsInit(&operand);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter, const BufferizationOptions &options, BufferizationState &state) const {
    auto destination = cast<DestinationStyleOpInterface>(op);
    SmallVector<Value> operands, results;
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<TensorType>(operand.get().getType())) {
        operands.push_back(operand.get());
        continue;
      }
      FailureOr<Value> buffer = getBuffer(rewriter, operand.get(), options, state);
      if (failed(buffer))
        return failure();
      bool isInit = destination.isDpsInit(&operand);
      Value value = *buffer;
      if (needsContiguous && !cast<MemRefType>(value.getType()).getLayout().isIdentity()) {
        if (isInit)
          return op->emitOpError("writes into a strided view, expected a contiguous buffer");
        FailureOr<Value> copy = getContiguous(rewriter, op->getLoc(), value, options);
        if (failed(copy))
          return failure();
        value = *copy;
      }
      operands.push_back(value);
      if (isInit)
        results.push_back(value);
    }
    OperationState newState(op->getLoc(), op->getName(), operands, TypeRange(), op->getDiscardableAttrDictionary().getValue());
    newState.propertiesAttr = op->getPropertiesAsAttribute();
    rewriter.create(newState);
    replaceOpWithBufferizedValues(rewriter, op, results);
    return success();
  }
};

/// Model of moe.routine: its body is on memrefs in identity layout already. A strided buffer goes through a contiguous copy, also an output.
struct RoutineModel : DstBufferizableOpInterfaceExternalModel<RoutineModel, RoutineOp> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand, const AnalysisState &) const {
    // An out that holds something is gone on with: what is not written stays.
    return !cast<DestinationStyleOpInterface>(op).isDpsInit(&operand) || !operand.get().getDefiningOp<tensor::EmptyOp>();
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter, const BufferizationOptions &options, BufferizationState &state) const {
    auto destination = cast<DestinationStyleOpInterface>(op);
    SmallVector<Value> operands, results;
    SmallVector<std::pair<Value, Value>> copiesBack;
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<TensorType>(operand.get().getType())) {
        operands.push_back(operand.get());
        continue;
      }
      FailureOr<Value> buffer = getBuffer(rewriter, operand.get(), options, state);
      FailureOr<Value> plain = succeeded(buffer) ? getContiguous(rewriter, op->getLoc(), *buffer, options) : buffer;
      if (failed(plain))
        return failure();
      operands.push_back(*plain);
      if (!destination.isDpsInit(&operand))
        continue;
      results.push_back(*buffer);
      if (*plain != *buffer)
        copiesBack.emplace_back(*plain, *buffer);
    }
    OperationState newState(op->getLoc(), op->getName(), operands, TypeRange(), op->getDiscardableAttrDictionary().getValue());
    newState.propertiesAttr = op->getPropertiesAsAttribute();
    newState.addRegion()->takeBody(op->getRegion(0));
    rewriter.create(newState);
    for (auto [from, to] : copiesBack)
      if (failed(options.createMemCpy(rewriter, op->getLoc(), from, to)))
        return failure();
    replaceOpWithBufferizedValues(rewriter, op, results);
    return success();
  }
};

/// Model of moe.require_range, which only reads; its loop runs over the elements in order, so they must lie in order.
struct RequireRangeModel : BufferizableOpInterface::ExternalModel<RequireRangeModel, RequireRangeOp> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &, const AnalysisState &) const { return true; }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &, const AnalysisState &) const { return false; }
  AliasingValueList getAliasingValues(Operation *, OpOperand &, const AnalysisState &) const { return {}; }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter, const BufferizationOptions &options, BufferizationState &state) const {
    auto condition = cast<RequireRangeOp>(op);
    if (!isa<TensorType>(condition.getValues().getType()))
      return success();
    FailureOr<Value> buffer = getBuffer(rewriter, condition.getValues(), options, state);
    FailureOr<Value> plain = succeeded(buffer) ? getContiguous(rewriter, op->getLoc(), *buffer, options) : buffer;
    if (failed(plain))
      return failure();
    rewriter.modifyOpInPlace(op, [&] { condition.getValuesMutable().assign(*plain); });
    return success();
  }
};

/// Model of moe.loop_begin: a buffer of its own for each value, which the first values are copied to, and the mark behind.
struct LoopBeginModel : BufferizableOpInterface::ExternalModel<LoopBeginModel, LoopBeginOp> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &, const AnalysisState &) const { return true; }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &, const AnalysisState &) const { return false; }
  bool bufferizesToAllocation(Operation *, Value) const { return true; }
  bool resultBufferizesToMemoryWrite(Operation *, OpResult, const AnalysisState &) const { return true; }
  AliasingValueList getAliasingValues(Operation *, OpOperand &, const AnalysisState &) const { return {}; }

  FailureOr<BufferLikeType> getBufferType(Operation *, Value value, const BufferizationOptions &, const BufferizationState &, SmallVector<Value> &) const {
    auto type = cast<RankedTensorType>(value.getType());
    return cast<BufferLikeType>(MemRefType::get(type.getShape(), type.getElementType()));
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter, const BufferizationOptions &options, BufferizationState &state) const {
    auto begin = cast<LoopBeginOp>(op);
    const Location loc = op->getLoc();
    SmallVector<Value> buffers;
    for (auto [init, result] : llvm::zip_equal(begin.getInits(), begin.getResults())) {
      FailureOr<Value> first = getBuffer(rewriter, init, options, state);
      if (failed(first))
        return failure();
      auto type = cast<RankedTensorType>(result.getType());
      SmallVector<Value> sizes;
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (type.isDynamicDim(dim))
          sizes.push_back(memref::DimOp::create(rewriter, loc, *first, dim));
      FailureOr<Value> own = options.createAlloc(rewriter, loc, MemRefType::get(type.getShape(), type.getElementType()), sizes);
      if (failed(own) || failed(options.createMemCpy(rewriter, loc, *first, *own)))
        return failure();
      buffers.push_back(*own);
    }
    if (!begin.getApart())
      LoopBeginOp::create(rewriter, loc, TypeRange(), begin.getNumber(), buffers.front(), /*apart=*/false);
    replaceOpWithBufferizedValues(rewriter, op, buffers);
    return success();
  }
};

/// Model of moe.loop_end: the values of the next run are copied to the buffers of this one, one after the other. A value may have been computed in
/// the buffer that it goes to, in no other of these.
struct LoopEndModel : BufferizableOpInterface::ExternalModel<LoopEndModel, LoopEndOp> {
  static bool isCarried(Operation *op, OpOperand &operand) {
    const unsigned first = cast<LoopEndOp>(op).getNext().size(), count = op->getNumResults();
    return operand.getOperandNumber() >= first && operand.getOperandNumber() < first + count;
  }
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand, const AnalysisState &) const { return !isCarried(op, operand); }
  bool bufferizesToMemoryWrite(Operation *op, OpOperand &operand, const AnalysisState &) const { return isCarried(op, operand); }
  bool isNotConflicting(Operation *op, OpOperand *read, OpOperand *write, const AnalysisState &) const {
    return read->getOwner() == op && write->getOwner() == op && isCarried(op, *write) &&
           read->getOperandNumber() + op->getNumResults() == write->getOperandNumber();
  }
  /// The body has no other way to the buffers: to write them is what the op is for.
  bool mustBufferizeInPlace(Operation *op, OpOperand &operand, const AnalysisState &) const { return isCarried(op, operand); }
  AliasingValueList getAliasingValues(Operation *op, OpOperand &operand, const AnalysisState &) const {
    if (!isCarried(op, operand))
      return {};
    const unsigned number = operand.getOperandNumber() - cast<LoopEndOp>(op).getNext().size();
    return {{op->getResult(number), BufferRelation::Equivalent}};
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter, const BufferizationOptions &options, BufferizationState &state) const {
    auto end = cast<LoopEndOp>(op);
    SmallVector<Value> buffers;
    for (auto [next, carried] : llvm::zip_equal(end.getNext(), end.getCarried())) {
      FailureOr<Value> from = getBuffer(rewriter, next, options, state), to = getBuffer(rewriter, carried, options, state);
      if (failed(from) || failed(to) || failed(options.createMemCpy(rewriter, op->getLoc(), *from, *to)))
        return failure();
      buffers.push_back(*to);
    }
    LoopEndOp::create(rewriter, op->getLoc(), TypeRange(), end.getNumber(), ValueRange(), ValueRange(), ValueRange());
    replaceOpWithBufferizedValues(rewriter, op, buffers);
    return success();
  }
};

struct WeightRefModel : BufferizableOpInterface::ExternalModel<WeightRefModel, WeightRefOp> {
  bool isWritable(Operation *, Value, const AnalysisState &) const { return false; }

  FailureOr<BufferLikeType> getBufferType(Operation *op, Value value, const BufferizationOptions &, const BufferizationState &,
                                          SmallVector<Value> &) const {
    auto type = cast<RankedTensorType>(value.getType());
    return cast<BufferLikeType>(MemRefType::get(type.getShape(), type.getElementType()));
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter, const BufferizationOptions &, BufferizationState &) const {
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    if (!type)
      return success();
    replaceOpWithNewBufferizedOp<WeightRefOp>(rewriter, op, MemRefType::get(type.getShape(), type.getElementType()),
                                              cast<WeightRefOp>(op).getWeightAttr());
    return success();
  }
};

} // namespace

void registerBufferizableOpInterfaceExternalModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, MoeDialect *) {
    RoutePermuteOp::attachInterface<KernelModel<RoutePermuteOp, true>>(*context);
    GroupedMatmulOp::attachInterface<KernelModel<GroupedMatmulOp, true>>(*context);
    SumSlotsOp::attachInterface<KernelModel<SumSlotsOp, true>>(*context);
    AttentionOp::attachInterface<KernelModel<AttentionOp, false>>(*context);
    AppendOp::attachInterface<KernelModel<AppendOp, false>>(*context);
    ConcatOp::attachInterface<KernelModel<ConcatOp, false>>(*context);
    RoutineOp::attachInterface<RoutineModel>(*context);
    RequireRangeOp::attachInterface<RequireRangeModel>(*context);
    LoopBeginOp::attachInterface<LoopBeginModel>(*context);
    LoopEndOp::attachInterface<LoopEndModel>(*context);
    WeightRefOp::attachInterface<WeightRefModel>(*context);
  });
}

} // namespace moe
