// Takes a panel of ternary weights out of its dictionary (#moe.blocks with `dictionary`).
#ifndef MOE_CODEGEN_CPU_DICTIONARYDECODER_H
#define MOE_CODEGEN_CPU_DICTIONARYDECODER_H

#include "KernelBuilder.h"
#include "moe/IR/MoeDialect.h"

namespace moe {

/// Emits the function `name` (weight, codebook, number of the panel among `panels`, where to) at the end of `module`. It writes
/// `blocks.blockBytes()` bytes. Columns without codes keep what was there before: no result is made of them.
mlir::func::FuncOp emitDictionaryDecoder(KernelBuilder &b, BlocksAttr blocks, int64_t panels, mlir::ModuleOp module, llvm::StringRef name);

} // namespace moe

#endif // MOE_CODEGEN_CPU_DICTIONARYDECODER_H
