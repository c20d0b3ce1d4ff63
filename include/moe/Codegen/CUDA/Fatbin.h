//===- Fatbin.h - machine code of kernels, by NVIDIA's assembler -*- C++ -*-===//
// PTX becomes machine code for its architecture, and one file of all of them with the PTX for newer GPUs. The programs are NVIDIA's
// (CUDA Toolkit, or nvidia-cuda-nvcc of PyPI); where they are not, an artifact has PTX alone, which the driver compiles when the model is loaded.
#ifndef MOE_CODEGEN_CUDA_FATBIN_H
#define MOE_CODEGEN_CUDA_FATBIN_H

#include "mlir/IR/Location.h"
#include "mlir/Support/LLVM.h"

#include "llvm/ADT/StringRef.h"

#include <string>
#include <vector>

namespace moe {

/// Paths of the programs; empty where there is none. `disassembler` may be nvdisasm or cuobjdump.
struct CudaTools {
  std::string ptxas, fatbinary, disassembler;
  bool canAssemble() const { return !ptxas.empty() && !fatbinary.empty(); }
};

/// For each the first of: the environment's $MOE_PTXAS, $MOE_FATBINARY and $MOE_NVDISASM, $CUDA_HOME/bin, $PATH. An error where one of $MOE_… names no program.
mlir::FailureOr<CudaTools> findCudaTools(mlir::Location loc);

/// One architecture's machine code in the file `path`, and what ptxas said of its kernels.
struct Cubin {
  std::string arch, path, report;
};

/// A file of PTX and the architecture that its text names.
struct PtxFile {
  std::string arch, path;
};

/// Assembles each of `ptx` for its architecture; files go into `folder`. Errors are diagnostics at `loc` with what ptxas said.
mlir::FailureOr<std::vector<Cubin>> assembleCubins(mlir::Location loc, llvm::ArrayRef<PtxFile> ptx, llvm::StringRef folder, const CudaTools &tools, unsigned timeoutSeconds);

/// Puts `cubins` and `ptx` into the new file `path`.
mlir::LogicalResult writeFatbin(mlir::Location loc, llvm::ArrayRef<Cubin> cubins, const PtxFile &ptx, llvm::StringRef path, const CudaTools &tools, unsigned timeoutSeconds);

} // namespace moe

#endif // MOE_CODEGEN_CUDA_FATBIN_H
