// A check of model.so before it is loaded.
#ifndef MOE_TOOLS_MOE_RUN_SHAREDOBJECT_H
#define MOE_TOOLS_MOE_RUN_SHAREDOBJECT_H

#include <string>

namespace moe::run {

/// Throws Failure if `path` is no 64-bit ELF file or ends before its last segment does. The loader maps segments without asking for the
/// size of the file: touching a page behind the end is a SIGBUS.
void checkSharedObject(const std::string &path);

} // namespace moe::run

#endif // MOE_TOOLS_MOE_RUN_SHAREDOBJECT_H
