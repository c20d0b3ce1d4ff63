// Arguments of a kernel on the command line.
#ifndef MOE_TOOLS_MOE_SIMT_RUN_ARGUMENTS_H
#define MOE_TOOLS_MOE_SIMT_RUN_ARGUMENTS_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

/// A scalar, or a buffer in global memory.
struct KernelArgument {
  std::string type;
  bool isBuffer = false;
  size_t count = 1;
  /// The scalar, or the buffer's address: what the kernel takes.
  uint64_t value = 0;
  void *memory = nullptr;

  size_t elementBytes() const;
  size_t bytes() const { return elementBytes() * count; }
  void print(llvm::raw_ostream &stream) const;
};

/// "i32=5", "f32=0.5", "f32[64]=iota", "bf16[8]=1.5", "i8[4]=@file" (raw bytes), "f32[8]=none" (NaNs). False and `error` if it is none of these.
bool parseArgument(llvm::StringRef text, KernelArgument &argument, std::string &error);

#endif // MOE_TOOLS_MOE_SIMT_RUN_ARGUMENTS_H
