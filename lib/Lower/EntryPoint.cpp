// See EntryPoint.h.
#include "EntryPoint.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;

namespace moe {

static func::FuncOp findMarked(ModuleOp module, StringRef attribute) {
  func::FuncOp found;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function->hasAttr(attribute))
      continue;
    if (found) {
      function.emitError() << "second function with attribute '" << attribute << "'; expected one";
      return {};
    }
    found = function;
  }
  if (!found) {
    module.emitError() << "no function with attribute '" << attribute << "'";
    return {};
  }
  if (!found.getBody().hasOneBlock()) {
    found.emitError() << "expected one block in the function with attribute '" << attribute << "', found "
                      << found.getBody().getBlocks().size();
    return {};
  }
  return found;
}

func::FuncOp findEntry(ModuleOp module) { return findMarked(module, "moe.entry"); }

func::FuncOp findShapes(ModuleOp module) { return findMarked(module, "moe.shapes"); }

bool mayDecideSizes(ShapedType type) {
  constexpr int64_t mostElements = 64;
  Type element = type.getElementType();
  return type.hasStaticShape() && type.getNumElements() <= mostElements &&
         (element.isSignlessInteger(32) || element.isSignlessInteger(64) || isa<Float32Type, Float64Type>(element));
}

SmallVector<Value> elementIndices(OpBuilder &builder, Value shaped, int64_t element) {
  SmallVector<int64_t> position = delinearize(element, computeStrides(cast<ShapedType>(shaped.getType()).getShape()));
  return llvm::map_to_vector(position, [&](int64_t index) -> Value { return arith::ConstantIndexOp::create(builder, shaped.getLoc(), index); });
}

/// Where the elements of an argument begin among those of all; room is taken behind the others where it has none.
static int64_t valuesAt(func::FuncOp entry, unsigned argument) {
  constexpr StringLiteral attribute = "moe.values_at";
  if (auto known = entry.getArgAttrOfType<IntegerAttr>(argument, attribute))
    return known.getInt();
  int64_t taken = 0;
  for (auto [other, type] : llvm::enumerate(entry.getArgumentTypes()))
    if (entry.getArgAttr(other, attribute))
      taken += cast<ShapedType>(type).getNumElements();
  entry.setArgAttr(argument, attribute, Builder(entry.getContext()).getI64IntegerAttr(taken));
  return taken;
}

Value loadInputElement(OpBuilder &builder, func::FuncOp entry, unsigned argument, int64_t element, Value inputDims, int64_t numDims) {
  Location loc = entry.getLoc();
  Type type = cast<ShapedType>(entry.getArgumentTypes()[argument]).getElementType();
  Value position = arith::ConstantIndexOp::create(builder, loc, numDims + valuesAt(entry, argument) + element);
  Value word = memref::LoadOp::create(builder, loc, inputDims, position);
  if (type.isInteger(64))
    return word;
  if (type.isInteger(32))
    return arith::TruncIOp::create(builder, loc, type, word);
  Value real = arith::BitcastOp::create(builder, loc, builder.getF64Type(), word);
  return type.isF64() ? real : arith::TruncFOp::create(builder, loc, type, real);
}

} // namespace moe
