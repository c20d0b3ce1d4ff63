// Names that the passes of this room agree on.
#ifndef MOE_LIB_CODEGEN_CPU_CODEGENNAMES_H
#define MOE_LIB_CODEGEN_CPU_CODEGENNAMES_H

#include "llvm/ADT/StringRef.h"

namespace moe {

/// The functions of the runtime that generated code calls (moe/Runtime/Kernel.h).
constexpr llvm::StringLiteral barrierFunction = "moe_rt_barrier";
constexpr llvm::StringLiteral faultFunction = "moe_rt_fault";
constexpr llvm::StringLiteral exchangeFunction = "moe_rt_exchange";
constexpr llvm::StringLiteral launchFunction = "moe_rt_launch";
constexpr llvm::StringLiteral hasKernelFunction = "moe_rt_has_kernel";
constexpr llvm::StringLiteral tensorMapFunction = "moe_rt_tensor_map";
constexpr llvm::StringLiteral faultRecordFunction = "moe_rt_fault_record";
constexpr llvm::StringLiteral scratchFunction = "moe_rt_scratch";
constexpr llvm::StringLiteral exchangeStartFunction = "moe_rt_exchange_start";
constexpr llvm::StringLiteral exchangeWaitFunction = "moe_rt_exchange_wait";
constexpr llvm::StringLiteral gatherFunction = "moe_rt_gather_shares";

/// The shape function of the C ABI.
constexpr llvm::StringLiteral shapesFunction = "moe_shapes";

/// The entry of ISA version n is this and n.
constexpr llvm::StringLiteral entryPrefix = "moe_entry_";

/// Unit attribute on the op that computes a weight's address: what is loaded through it never changes.
constexpr llvm::StringLiteral weightAddressAttrName = "moe.weight_address";

} // namespace moe

#endif // MOE_LIB_CODEGEN_CPU_CODEGENNAMES_H
