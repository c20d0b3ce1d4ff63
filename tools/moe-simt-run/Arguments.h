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
  /// A tensor map.
  alignas(64) unsigned char map[128] = {};
  bool isMap = false;

  /// What an element of kernelParams points at.
  void *parameter() { return isMap ? static_cast<void *>(map) : &value; }
  size_t elementBytes() const;
  size_t bytes() const { return elementBytes() * count; }
  void print(llvm::raw_ostream &stream) const;
};

/// "map=0:bf16:64x256:64x64:128": a tensor map of argument 0, dense, its sizes with the dense dim last, its box, and its swizzle in bytes. `before`: the
/// arguments in front of this one. False and `error` if it is not that.
bool parseMap(llvm::StringRef text, const std::vector<KernelArgument> &before, KernelArgument &argument, std::string &error);

/// "i32=5", "f32=0.5", "f32[64]=iota", "bf16[8]=1.5", "i8[4]=@file" (raw bytes), "f32[8]=none" (NaNs). False and `error` if it is none of these.
bool parseArgument(llvm::StringRef text, KernelArgument &argument, std::string &error);

#endif // MOE_TOOLS_MOE_SIMT_RUN_ARGUMENTS_H
