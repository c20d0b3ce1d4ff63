//===- Files.h - reading and writing whole files ----------------*- C++ -*-===//
#ifndef MOE_RUN_FILES_H
#define MOE_RUN_FILES_H

#include <string>
#include <vector>

namespace moe::run {

/// All bytes of a regular file. Throws a Failure that names the path.
std::vector<unsigned char> readFile(const std::string &path);

/// Writes a file beside `path` and renames it there, so that nobody ever sees half a file. Throws a Failure that names the path.
void writeFile(const std::string &path, const std::string &header, const std::vector<unsigned char> &bytes);

/// A name from a model as the name of a file: everything but letters, digits, '.', '_', '-' becomes '_'; never empty or hidden.
std::string fileNameFor(const std::string &name);

} // namespace moe::run

#endif // MOE_RUN_FILES_H
