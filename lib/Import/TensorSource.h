// A tensor of the model as MLIR wants it: small ones as dense attributes, large ones as ranges of bytes in their file.
#ifndef MOE_LIB_IMPORT_TENSORSOURCE_H
#define MOE_LIB_IMPORT_TENSORSOURCE_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "moe/Import/Import.h"
#include "moe/Import/Wire/MappedFile.h"
#include "moe/Import/Wire/TensorProto.h"

#include "llvm/ADT/StringMap.h"

namespace moe {

/// Tensors of at most this many bytes become constants, as docs/Stages.md says.
constexpr uint64_t largestConstant = 4096;

/// A tensor's type and values: `dense` for one whose bytes were read, else the range in `file`.
struct TensorSource {
  mlir::RankedTensorType type;
  mlir::DenseElementsAttr dense;
  mlir::Attribute file;
};

/// Reads tensors of one model.
class TensorReader {
public:
  TensorReader(mlir::MLIRContext *context, llvm::StringRef modelPath, wire::Bytes model, const ImportOptions &options)
      : context(context), modelPath(modelPath), model(model), options(options) {}

  /// The source of a tensor. `mustBeDense`: its bytes are needed whatever their number. Errors are reported at `loc`, with the tensor's name.
  mlir::FailureOr<TensorSource> read(const wire::TensorProto &tensor, mlir::Location loc, bool mustBeDense);

private:
  mlir::FailureOr<wire::Bytes> externalBytes(llvm::StringRef path, mlir::Location loc);
  mlir::FailureOr<TensorSource> readExternal(const wire::TensorProto &tensor, mlir::RankedTensorType type, uint64_t size, mlir::Location loc,
                                             bool mustBeDense);

  mlir::MLIRContext *context;
  llvm::StringRef modelPath;
  wire::Bytes model;
  const ImportOptions &options;
  llvm::StringMap<wire::MappedFile> mapped;
};

/// A dense attribute from a payload in ONNX's layout (bool a byte, sub-byte types packed).
mlir::DenseElementsAttr denseFromPayload(mlir::RankedTensorType type, wire::DataType dataType, wire::Bytes payload);

} // namespace moe

#endif // MOE_LIB_IMPORT_TENSORSOURCE_H
