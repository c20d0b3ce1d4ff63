// Products of two tensors by labels.
#include "LabelledProduct.h"

#include "moe/IR/Einsum.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace moe::raise {

int64_t LabelledProduct::dimOf(unsigned side, unsigned label) const {
  const auto *found = llvm::find(labels[side], label);
  return found == labels[side].end() ? -1 : found - labels[side].begin();
}

int64_t LabelledProduct::sizeOf(unsigned label) const {
  for (unsigned side : {0u, 1u})
    if (int64_t dim = dimOf(side, label); dim >= 0)
      if (int64_t size = staticDim(operands[side], dim); size >= 0)
        return size;
  return -1;
}

Labels LabelledProduct::withoutUnits(const Labels &of, const Labels &other) const {
  Labels kept;
  for (unsigned label : of)
    if (sizeOf(label) != 1 || llvm::is_contained(other, label))
      kept.push_back(label);
  return kept;
}

bool LabelledProduct::sameSizes(const SizeProof &proof) const {
  return llvm::all_of(llvm::enumerate(labels[0]), [&](auto pair) {
    const int64_t other = dimOf(1, pair.value());
    return other < 0 || proof.sameDim(operands[0], pair.index(), operands[1], other);
  });
}

/// numpy's MatMul of tensors of rank 2 and more: dims before the last two are aligned from the last.
static std::optional<LabelledProduct> readMatMul(OnnxOp op) {
  LabelledProduct product{{op.getInputs()[0], op.getInputs()[1]}, {}, {}};
  RankedTensorType types[2] = {tensorType(product.operands[0]), tensorType(product.operands[1])};
  if (!types[0] || !types[1] || types[0].getRank() < 2 || types[1].getRank() < 2)
    return std::nullopt;
  enum : unsigned { Row, Column, Inner, FirstBatch };
  unsigned next = FirstBatch;
  const int64_t batch = std::max(types[0].getRank(), types[1].getRank()) - 2;
  for (int64_t i = 0; i < batch; ++i) {
    bool has[2], single[2];
    int64_t dims[2];
    for (unsigned side : {0u, 1u}) {
      dims[side] = types[side].getRank() - 2 - batch + i;
      has[side] = dims[side] >= 0;
      single[side] = has[side] && types[side].getDimSize(dims[side]) == 1;
    }
    const unsigned shared = next++;
    for (unsigned side : {0u, 1u})
      if (has[side])
        product.labels[side].push_back(single[side] && has[1 - side] && !single[1 - side] ? next++ : shared);
    product.result.push_back(shared);
  }
  product.labels[0].append({Row, Inner});
  product.labels[1].append({Inner, Column});
  product.result.append({Row, Column});
  return product;
}

std::optional<LabelledProduct> matchLabelledProduct(Value value) {
  auto op = value ? value.getDefiningOp<OnnxOp>() : OnnxOp();
  if (!op || op.getInputs().size() != 2)
    return std::nullopt;
  if (isNode(op, "MatMul"))
    return readMatMul(op);
  RankedTensorType left = tensorType(op.getInputs()[0]), right = tensorType(op.getInputs()[1]);
  if (!isNode(op, "Einsum") || !left || !right)
    return std::nullopt;
  std::string error;
  auto equation = parseEinsum(stringAttribute(op, "equation", ""), {left.getRank(), right.getRank()}, error);
  if (failed(equation))
    return std::nullopt;
  LabelledProduct product{{op.getInputs()[0], op.getInputs()[1]}, {equation->operands[0], equation->operands[1]}, equation->result};
  for (const Labels &labels : product.labels) {
    Labels sorted = labels;
    llvm::sort(sorted);
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
      return std::nullopt;
  }
  return product;
}

std::optional<Combination> matchCombination(const LabelledProduct &product, unsigned side, const SizeProof &proof) {
  const Labels weights = product.withoutUnits(product.labels[side], product.labels[1 - side]), rows = product.labels[1 - side];
  if (weights.empty() || rows.size() < 2 || !product.sameSizes(proof))
    return std::nullopt;
  // The rows have what the weights have, and their width.
  const unsigned width = rows.back();
  Labels tokens;
  std::optional<unsigned> summed;
  for (unsigned label : weights) {
    if (!llvm::is_contained(rows, label) || label == width)
      return std::nullopt;
    if (product.inResult(label))
      tokens.push_back(label);
    else if (summed)
      return std::nullopt;
    else
      summed = label;
  }
  const int64_t hidden = product.sizeOf(width);
  if (!summed || !product.inResult(width) || hidden <= 1 || product.sizeOf(*summed) <= 0)
    return std::nullopt;
  Combination found{product.operands[1 - side], product.operands[side], product.sizeOf(*summed), hidden};
  auto order = [&](Labels labels, bool &first) {
    Labels before = {*summed}, after = tokens;
    before.append(tokens);
    after.push_back(*summed);
    first = labels == before && labels != after;
    return labels == before || labels == after;
  };
  Labels rowOrder = product.withoutUnits(rows, weights), resultOrder = product.withoutUnits(product.result, weights), wanted = tokens;
  wanted.push_back(width);
  if (rowOrder.empty() || rowOrder.back() != width || resultOrder != wanted)
    return std::nullopt;
  rowOrder.pop_back();
  if (!order(rowOrder, found.rowsFirst) || !order(weights, found.weightsFirst))
    return std::nullopt;
  return found;
}

} // namespace moe::raise
