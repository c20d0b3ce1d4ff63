// Quantised nodes: arithmetic on codes as DequantizeLinear, the plain node and QuantizeLinear, products as MatMulInteger.
#include "Speller.h"

using namespace mlir;

namespace moe {
namespace {

using Results = SpelledResults;

//===-- Quantised arithmetic ---------------------------------------------===//

/// QLinearAdd, QLinearMul: A, its scale and zero point, B and its own, then the result's.
Results spellBinary(Speller &s, StringRef opType) { return {s.quantised(s.emit(opType, {s.dequantised(0), s.dequantised(3)}), 6, 0)}; }

Results spellAdd(Speller &s) { return spellBinary(s, "Add"); }
Results spellMul(Speller &s) { return spellBinary(s, "Mul"); }

Results spellSigmoid(Speller &s) { return {s.quantised(s.emit("Sigmoid", {s.dequantised(0)}), 3, 0)}; }

Results spellLeakyRelu(Speller &s) {
  return {s.quantised(s.emit("LeakyRelu", {s.dequantised(0)}, {s.realAttribute("alpha", s.real("alpha", 0.01))}), 3, 0)};
}

/// Before opset 13 Softmax works on a matrix of the dims before and from its axis on.
Results spellSoftmax(Speller &s) {
  const int64_t version = s.integer("opset", 13) < 13 ? 11 : 13;
  return {s.quantised(s.emit("Softmax", {s.dequantised(0)}, {s.integerAttribute("axis", s.integer("axis", -1))}, version), 3, 0)};
}

Results spellReduceMean(Speller &s) {
  SmallVector<NamedAttribute> attributes = {s.integerAttribute("keepdims", s.integer("keepdims", 1))};
  if (Attribute axes = s.attribute("axes"))
    attributes.emplace_back("axes", axes);
  return {s.quantised(s.emit("ReduceMean", {s.dequantised(0)}, attributes, 13), 3, 0)};
}

Results spellConcat(Speller &s) {
  if (s.inputs() % 3 != 2)
    return s.error() << "expected a scale, a zero point and then a tensor, a scale and a zero point each, found " << s.inputs() << " inputs", Results();
  SmallVector<Value> parts;
  for (unsigned i = 2; i < s.inputs(); i += 3)
    parts.push_back(s.dequantised(i));
  return {s.quantised(s.emit("Concat", parts, {s.integerAttribute("axis", s.integer("axis", 0))}), 0, 2)};
}

/// condition, X and Y with their scales and zero points, then the result's.
Results spellWhere(Speller &s) { return {s.quantised(s.emit("Where", {s.input(0), s.dequantised(1), s.dequantised(4)}), 7, 1)}; }

//===-- Quantised products -----------------------------------------------===//

/// A list of scales of A has one per row, of B one per column.
Results spellQLinearMatMul(Speller &s) { return {s.quantised(s.emit("MatMul", {s.dequantised(0, -2), s.dequantised(3, -1)}), 6, 0)}; }

/// alpha · (A' · B' + C · a_scale · b_scale): C is of i32, in units of the product of both scales. Without a y_scale the result stays f32.
Results spellQGemm(Speller &s) {
  const int64_t transA = s.integer("transA", 0), transB = s.integer("transB", 0);
  const double alpha = s.real("alpha", 1);
  SmallVector<Value> operands = {s.dequantised(0), s.dequantised(3, transB ? 0 : 1)};
  if (s.has(6))
    operands.push_back(s.emit("Mul", {s.cast(s.input(6), s.f32()), s.emit("Mul", {s.input(1), s.input(4)})}));
  Value product = s.emit("Gemm", operands,
                         {s.integerAttribute("transA", transA), s.integerAttribute("transB", transB), s.realAttribute("alpha", alpha), s.realAttribute("beta", alpha)});
  return {s.has(7) ? s.quantised(product, 7, 0) : product};
}

Results spellMatMulIntegerToFloat(Speller &s) {
  // Scales of A per row are in no file: ONNX Runtime's kernels take one for all of A.
  if (s.type(2).getRank() > 1 || (s.type(2).getRank() == 1 && s.type(2).getDimSize(0) != 1))
    return s.error() << "expected an a_scale of one element, found " << s.type(2), Results();
  Value sums = s.emit("MatMulInteger", {s.input(0), s.input(1), s.input(4), s.input(5)});
  return {s.scaledSums(sums, s.input(2), s.input(3), 6)};
}

Results spellDynamicQuantizeMatMul(Speller &s) {
  SmallVector<Value> codes = s.emitAll("DynamicQuantizeLinear", {s.input(0)}, {}, 3);
  Value sums = s.emit("MatMulInteger", {codes[0], s.input(1), codes[2], s.input(3)});
  return {s.scaledSums(sums, codes[1], s.input(2), 4)};
}

} // namespace

void addQuantizedForms(SpelledForms &forms) {
  forms[":QLinearMatMul"] = {spellQLinearMatMul, {0, 1, 2, 3, 4, 5, 6, 7}, 8};
  forms["com.microsoft:QLinearAdd"] = {spellAdd, {0, 1, 3, 4, 6}, 8};
  forms["com.microsoft:QLinearMul"] = {spellMul, {0, 1, 3, 4, 6}, 8};
  forms["com.microsoft:QLinearSigmoid"] = {spellSigmoid, {0, 1, 3}, 5};
  forms["com.microsoft:QLinearLeakyRelu"] = {spellLeakyRelu, {0, 1, 3}, 5};
  forms["com.microsoft:QLinearSoftmax"] = {spellSoftmax, {0, 1, 3}, 5};
  forms["com.microsoft:QLinearReduceMean"] = {spellReduceMean, {0, 1, 3}, 5};
  forms["com.microsoft:QLinearConcat"] = {spellConcat, {0, 1, 2, 3}, ~0u};
  forms["com.microsoft:QLinearWhere"] = {spellWhere, {0, 1, 2, 3, 4, 5, 6, 7, 8}, 9};
  forms["com.microsoft:QGemm"] = {spellQGemm, {0, 1, 2, 3, 4, 5}, 9};
  forms["com.microsoft:MatMulIntegerToFloat"] = {spellMatMulIntegerToFloat, {0, 1, 2, 3}, 7};
  forms["com.microsoft:DynamicQuantizeMatMul"] = {spellDynamicQuantizeMatMul, {0, 1, 2}, 5};
}

} // namespace moe
