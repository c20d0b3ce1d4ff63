// The sums of one register tile where rows and weights are integers (blocks with quads, #moe.blocks): in i32 over a part of 32 values of k, which
// is exact, then scaled and added in f32, part by part. Codes of weights are the unsigned operand, those of rows the signed one.
#ifndef MOE_CODEGEN_CPU_INTEGERSUMS_H
#define MOE_CODEGEN_CPU_INTEGERSUMS_H

#include "MatmulKernel.h"

namespace moe {

class IntegerSums {
public:
  /// `rows` are the starts of the rows; of `panels` panels side by side the tile has all columns, of one maybe a part.
  IntegerSums(KernelBuilder &builder, const MatmulSpec &spec, const TileGeometry &geometry, const KernelArguments &arguments,
              llvm::ArrayRef<mlir::Value> rows, int64_t panels);

  /// The sums in the order [row][panel][vector].
  llvm::SmallVector<mlir::Value> emit();

  /// Rows that a kernel has registers for.
  static int64_t mostRows(const IsaVersion &isa, BlocksAttr blocks);

private:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<mlir::Value>;

  /// How four products of bytes get into an i32: one instruction, through sums of i16, pairs of i16, or by hand.
  enum class Dot { Vnni, Bytes, Pairs, Lanes };
  /// A block: its codes, how far into the panel they are, where it starts in the rows, its scales and zero points (f32, per vector).
  struct Block {
    Value codes, offset, rowOffset;
    Values scales, zeros;
  };
  /// Four codes of each column, ready for the dot; of a row: the same four in all lanes.
  using Quad = llvm::SmallVector<mlir::Value, 4>;

  static Dot dotOf(const IsaVersion &isa, BlocksAttr blocks);
  Block block(Value number, int64_t panel);
  Values inEachPanel(mlir::ValueRange sums, llvm::function_ref<Values(int64_t panel, const Values &sums)> change);
  Values part(const Block &block, Value codes, Value number, int64_t lines, mlir::ValueRange sums);
  Values integers(const Block &block, Value codes, Value number, int64_t lines);
  void addLine(Value line, llvm::ArrayRef<Value> quads, int64_t offset, Values &sums);
  Quad weightQuad(Value line, int64_t above);
  Quad rowQuad(Value pointer);
  Value dot(Value sum, const Quad &weight, const Quad &row);
  Value addedPairs(Value sum, Value pairs);
  Value call(llvm::StringRef name, mlir::Type type, mlir::ValueRange operands);
  Value scaled(Value sum, Value rowSum, Value rowScale, const Block &block, size_t vector, Value into);
  /// One block has all of k.
  bool isOneBlock() const { return spec.k == blocks.rowBlockBytes(); }
  void prefetch(Value offset, int64_t count);

  Value onBytes(Value vector, int64_t mask);
  Value shifted(Value vector, mlir::Type element, int64_t bits, bool isSigned);
  Value bitcast(Value vector, mlir::Type element);
  mlir::VectorType bytes() { return mlir::VectorType::get({4 * b.lanes()}, b.getI8Type()); }
  Value at(Value base, int64_t offset) { return offset ? b.at(base, b.getI8Type(), offset) : base; }

  KernelBuilder &b;
  const MatmulSpec &spec;
  const BlocksAttr blocks;
  const KernelArguments &arguments;
  const llvm::SmallVector<mlir::Value> rows;
  const int64_t panels;
  const Dot kind;
  /// First columns of the two vectors in their panel.
  Value columns[2];
};

} // namespace moe

#endif // MOE_CODEGEN_CPU_INTEGERSUMS_H
