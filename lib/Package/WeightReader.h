// The bytes of a stored weight: a mapped file or an attribute of the module.
#ifndef MOE_LIB_PACKAGE_WEIGHTREADER_H
#define MOE_LIB_PACKAGE_WEIGHTREADER_H

#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"

#include <memory>
#include <vector>

namespace moe {

/// Bytes of a dense tensor in a file or in model.weights: row-major, a bool takes one byte. Fails (-1) where the size is not static, not in
/// whole bytes, or does not fit in 62 bits.
int64_t denseBytes(mlir::RankedTensorType type);

/// A weight's values, row-major, little-endian. The bytes live as long as the WeightReader that opened it.
struct WeightData {
  mlir::RankedTensorType type;
  llvm::ArrayRef<uint8_t> bytes;
};

/// Opens weights; maps each file once.
class WeightReader {
public:
  /// The values of a weight that has a source. Errors are diagnostics at `op` that name the file.
  mlir::FailureOr<WeightData> open(WeightOp op);

  /// Frees what was expanded from attributes, and lets pages of files go, so that the memory in use is that of one weight and not of the model. What was
  /// opened before may not be read again.
  void release();

private:
  mlir::FailureOr<llvm::ArrayRef<uint8_t>> openFile(WeightOp op, FileAttr file, int64_t bytes);
  mlir::FailureOr<llvm::ArrayRef<uint8_t>> openAttribute(WeightOp op, mlir::Attribute source, mlir::RankedTensorType type, int64_t bytes);
  mlir::FailureOr<llvm::ArrayRef<uint8_t>> openList(WeightOp op, mlir::ArrayAttr list, mlir::RankedTensorType type);

  llvm::ArrayRef<uint8_t> packBits(mlir::DenseElementsAttr dense, unsigned width, int64_t bytes);

  llvm::StringMap<std::unique_ptr<llvm::sys::fs::mapped_file_region>> files;
  std::vector<std::unique_ptr<std::vector<uint8_t>>> expanded;
  /// Bytes of files opened since their pages were let go.
  int64_t mappedBytes = 0;
};

} // namespace moe

#endif // MOE_LIB_PACKAGE_WEIGHTREADER_H
