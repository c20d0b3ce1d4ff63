// Reading of moe.attention. What the op's verifier holds for is taken as given; checked is what the emitter assumes beyond it: memrefs and
// their layout.
#include "AttentionSpec.h"

#include "MatmulSpec.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
namespace moe {

FailureOr<AttentionSpec> AttentionSpec::read(AttentionOp op) {
  const auto element = [](Value value) { return value ? cast<ShapedType>(value.getType()).getElementType() : Type(); };
  const std::pair<StringRef, Value> dense[] = {{"q", op.getQ()}, {"k", op.getK()}, {"v", op.getV()}, {"result", op.getOuts()[0]}};
  for (const auto &[name, value] : dense)
    if (failed(checkKernelMemRef(op, name, value, element(value), {4}, /*contiguous=*/false)))
      return failure();
  if (failed(checkKernelMemRef(op, "scratch", op.getOuts()[1], element(op.getOuts()[1]), {4}, /*contiguous=*/true)))
    return failure();
  const std::pair<StringRef, Value> lists[] = {{"counts", op.getCounts()}, {"sink", op.getSink()}};
  for (const auto &[name, value] : lists)
    if (value && failed(checkKernelMemRef(op, name, value, element(value), {1}, /*contiguous=*/true)))
      return failure();
  if (op.getMask() && !isa<MemRefType>(op.getMask().getType()))
    return op.emitOpError() << "kernel emission needs memrefs, but 'mask' is " << op.getMask().getType();

  AttentionSpec spec;
  const auto q = cast<MemRefType>(op.getQ().getType()), v = cast<MemRefType>(op.getV().getType());
  const bool isStatic = !q.isDynamicDim(1) && !v.isDynamicDim(1);
  spec.keyHeads = isStatic ? v.getDimSize(1) : ShapedType::kDynamic;
  spec.group = isStatic ? q.getDimSize(1) / spec.keyHeads : ShapedType::kDynamic;
  spec.depth = q.getDimSize(3);
  spec.columns = v.getDimSize(3);
  spec.query = element(op.getQ());
  spec.key = element(op.getK());
  spec.value = element(op.getV());
  spec.out = element(op.getOuts()[0]);
  spec.mask = element(op.getMask());
  spec.sink = element(op.getSink());
  spec.maskHasKeys = op.getMask() && cast<MemRefType>(op.getMask().getType()).getDimSize(3) != 1;
  spec.hasCounts = static_cast<bool>(op.getCounts());
  spec.isCausal = op.getCausal();
  spec.left = op.getLeft();
  spec.right = op.getRight();
  spec.scale = op.getScale().convertToDouble();
  spec.softcap = op.getSoftcap().convertToDouble();
  return spec;
}

std::string AttentionSpec::text() const {
  std::string text = llvm::formatv("{0} {1} {2} {3} {4} {5} {6} {7} ", keyHeads, group, depth, columns, maskHasKeys, hasCounts, isCausal, left);
  llvm::raw_string_ostream stream(text);
  stream << right << ' ' << scale << ' ' << softcap;
  for (Type type : {query, key, value, out, mask, sink}) {
    stream << ' ';
    if (type)
      stream << type;
  }
  return text;
}

} // namespace moe
