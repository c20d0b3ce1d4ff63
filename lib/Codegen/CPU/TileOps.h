// Instructions on matrix tiles (AMX) as calls of LLVM's intrinsics. A tile's shape is an operand: LLVM gathers the shapes of a function and sets them up
// once at its start, so all tile code of a kernel stays in one function and calls nothing.
#ifndef MOE_CODEGEN_CPU_TILEOPS_H
#define MOE_CODEGEN_CPU_TILEOPS_H

#include "KernelBuilder.h"

namespace moe {

/// The intrinsics in use. Operands: (rows, bytes of a row, …) as i16; a product: (rows, bytes of a row of sums, bytes of a row of `a`, sums, a, b).
namespace tile_names {
constexpr llvm::StringLiteral zero = "llvm.x86.tilezero.internal", load = "llvm.x86.tileloadd64.internal", store = "llvm.x86.tilestored64.internal",
                              pairs = "llvm.x86.tdpbf16ps.internal", bytes = "llvm.x86.tdpbsud.internal",
                              signedBytes = "llvm.x86.tdpbssd.internal";
} // namespace tile_names

class TileOps {
public:
  explicit TileOps(KernelBuilder &builder) : b(builder) {}

  mlir::Value i16(int64_t number) { return mlir::arith::ConstantOp::create(b, b.getI16IntegerAttr(static_cast<int16_t>(number))); }
  /// Rows and bytes of a row.
  struct Shape {
    mlir::Value rows, bytes;
  };
  Shape shape(int64_t rows, int64_t bytes) { return {i16(rows), i16(bytes)}; }
  /// `rows` is i16, from 1 to 16.
  Shape shape(mlir::Value rows, int64_t bytes) { return {rows, i16(bytes)}; }

  mlir::Value zero(Shape shape) { return call(tile_names::zero, type(), {shape.rows, shape.bytes}); }
  /// `stride` bytes (i64) from row to row.
  mlir::Value load(Shape shape, mlir::Value place, mlir::Value stride) {
    return call(tile_names::load, type(), {shape.rows, shape.bytes, place, stride});
  }
  void store(Shape shape, mlir::Value tile, mlir::Value place, mlir::Value stride) {
    mlir::LLVM::CallIntrinsicOp::create(b, b.getStringAttr(tile_names::store), mlir::ValueRange{shape.rows, shape.bytes, place, stride, tile});
  }
  /// sums + rows·weights; `rows` has the shape {of.rows, depth bytes}. `product`: by pairs of bf16, or by four bytes, signed in rows, unsigned or signed in weights.
  mlir::Value multiply(llvm::StringRef product, Shape of, mlir::Value depth, mlir::Value sums, mlir::Value rows, mlir::Value weights) {
    return call(product, type(), {of.rows, of.bytes, depth, sums, rows, weights});
  }

private:
  mlir::Type type() { return mlir::LLVM::LLVMX86AMXType::get(b.getContext()); }
  mlir::Value call(llvm::StringRef name, mlir::Type type, mlir::ValueRange operands) {
    return mlir::LLVM::CallIntrinsicOp::create(b, type, b.getStringAttr(name), operands).getResult(0);
  }

  KernelBuilder &b;
};

} // namespace moe

#endif // MOE_CODEGEN_CPU_TILEOPS_H
