// Builds @main from a parsed graph. One object per import; it holds the names of values and what the node builders share.
#ifndef MOE_LIB_IMPORT_GRAPHIMPORTER_H
#define MOE_LIB_IMPORT_GRAPHIMPORTER_H

#include "TensorSource.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/SymbolTable.h"
#include "moe/IR/OnnxInference.h"
#include "moe/Import/Wire/Model.h"

#include "llvm/ADT/StringSet.h"

namespace moe {

class GraphImporter {
public:
  /// `file` is the location of the model's file; `path` and `bytes` outlive the importer.
  GraphImporter(mlir::ModuleOp module, mlir::Location file, llvm::StringRef path, wire::Bytes bytes, const wire::Model &model, const ImportOptions &options);

  /// Fills the module. Errors were reported.
  mlir::LogicalResult run();

private:
  //===-- GraphImporter.cpp: the graph -------------------------------------===//
  mlir::LogicalResult declareOpsets();
  mlir::LogicalResult declareInitializers();
  mlir::LogicalResult buildEntry();
  mlir::FailureOr<mlir::RankedTensorType> inputType(const wire::ValueInfo &input, llvm::SmallVectorImpl<mlir::Attribute> &dims);
  mlir::LogicalResult checkFixedDims();
  mlir::LogicalResult finish();
  mlir::ArrayAttr resultDims(mlir::Value value);
  void compareWithDeclared(const wire::ValueInfo &output, mlir::Value value);

  /// The value of a name; a constant or weight is created where it is first used. Null where nothing has the name; an error was reported then only
  /// if the tensor could not be read.
  mlir::FailureOr<mlir::Value> lookup(llvm::StringRef name, mlir::Location loc);
  /// A constant or a weight with its reference, for the tensor called `name`.
  mlir::FailureOr<mlir::Value> buildTensor(const wire::TensorProto &tensor, llvm::StringRef name, mlir::Location loc);

  //===-- NodeImporter.cpp: one node ---------------------------------------===//
  mlir::LogicalResult buildNode(const wire::Node &node, size_t position);
  mlir::LogicalResult buildConstant(const wire::Node &node, mlir::Location loc);
  mlir::FailureOr<int64_t> nodeVersion(const wire::Node &node, llvm::StringRef domain, size_t position);
  mlir::FailureOr<mlir::Attribute> convertAttribute(const wire::Attribute &attribute, const wire::Node &node, mlir::Location loc);
  mlir::Location nodeLocation(const wire::Node &node, size_t position) const;
  mlir::InFlightDiagnostic nodeError(const wire::Node &node, mlir::Location loc) const;

  mlir::ModuleOp module;
  mlir::Location file;
  const wire::Model &model;
  const ImportOptions &options;
  mlir::MLIRContext *context;
  mlir::OpBuilder builder;
  TensorReader tensors;
  OnnxInference inference;
  mlir::func::FuncOp entry;
  std::optional<mlir::SymbolTable> symbols;

  llvm::StringMap<int64_t> opsets;
  llvm::StringMap<const wire::TensorProto *> initializers;
  llvm::StringMap<mlir::Value> values;
  llvm::StringSet<> dimNames, functions, warned;
};

} // namespace moe

#endif // MOE_LIB_IMPORT_GRAPHIMPORTER_H
