// Calls of the executor, and the tables that describe a module to it: what moe-cuda-to-simt writes. The names and signatures are those of
// moe/Codegen/CUDA/Simt/Abi.h.
#ifndef MOE_LIB_CODEGEN_CUDA_SIMTCALLS_H
#define MOE_LIB_CODEGEN_CUDA_SIMTCALLS_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include "llvm/ADT/StringMap.h"

#include <string>
#include <vector>

namespace moe {

/// A kernel in the module's table; names are symbols of the host module.
struct SimtKernelEntry {
  std::string name, function;
  std::vector<std::string> shared;
  std::vector<uint64_t> parameterSizes;
  uint64_t maximumThreads = 0;
};

/// A variable in global or constant memory.
struct SimtGlobalEntry {
  std::string name;
  uint64_t size;
};

class SimtCalls {
public:
  explicit SimtCalls(mlir::ModuleOp host);

  /// Replaces an nvvm op by calls. An op that is not known is an error.
  mlir::LogicalResult convertNvvm(mlir::Operation *op);

  /// Calls the executor's `name` before `source`; the last argument is the site of `source` unless that is not wanted. Null for no result.
  mlir::Value call(mlir::OpBuilder &builder, mlir::Operation *source, llvm::StringRef name, mlir::Type result, llvm::ArrayRef<mlir::Value> arguments,
                   bool withSite = true);

  mlir::Value constant(mlir::OpBuilder &builder, mlir::Location loc, uint32_t value);
  /// `pointer` as a pointer of space 0.
  mlir::Value generic(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value pointer);
  mlir::LLVM::LLVMPointerType pointerType();

  /// The SimtShared of a shared variable.
  mlir::LLVM::GlobalOp addSharedDescriptor(llvm::StringRef name, uint64_t size, uint64_t alignment, mlir::Location loc);
  /// The SimtModule with all it points to, and the constructor that registers it.
  void addModuleTables(llvm::ArrayRef<SimtKernelEntry> kernels, llvm::ArrayRef<SimtGlobalEntry> globals);

private:
  mlir::LogicalResult convertWarpOp(mlir::Operation *op, bool &done);
  mlir::LogicalResult convertMatrixOp(mlir::Operation *op, bool &done);
  mlir::LogicalResult convertBarrierOp(mlir::Operation *op, bool &done);
  mlir::LogicalResult convertScalarOp(mlir::Operation *op, bool &done);
  mlir::LogicalResult convertMemoryBarrierOp(mlir::Operation *op, bool &done);
  mlir::LogicalResult convertBulkOp(mlir::Operation *op, bool &done);
  mlir::LogicalResult convertGroupOp(mlir::Operation *op, bool &done);
  mlir::LogicalResult convertInlinePtx(mlir::Operation *op);

  mlir::Value site(mlir::OpBuilder &builder, mlir::Operation *source);
  /// The address of a constant string; `fresh`: of a string of its own.
  std::string addString(llvm::StringRef text, bool fresh);
  std::string freshName(llvm::StringRef base);
  mlir::LLVM::GlobalOp addTable(llvm::StringRef base, mlir::Type type, bool isConstant,
                                llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location)> initial);
  mlir::Value addressOf(mlir::OpBuilder &builder, mlir::Location loc, llvm::StringRef symbol);
  mlir::Value word(mlir::OpBuilder &builder, mlir::Location loc, uint64_t value);
  mlir::Value bits32(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value);
  mlir::Value fromBits32(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, mlir::Type type);
  /// Room for `count` words in the frame of the function around `op`.
  mlir::Value frameWords(mlir::Operation *op, unsigned count);
  void storeWords(mlir::OpBuilder &builder, mlir::Location loc, mlir::ValueRange values, mlir::Value words);
  mlir::Value loadWords(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value words, mlir::Type type);

  mlir::ModuleOp host;
  llvm::StringMap<std::string> strings;
  unsigned stringCount = 0;
};

} // namespace moe

#endif // MOE_LIB_CODEGEN_CUDA_SIMTCALLS_H
