//===- Npy.h - numpy's file format ------------------------------*- C++ -*-===//
// Reads and writes .npy files of versions 1, 2 and 3: little-endian, C order, no structured types and no pickles.
#ifndef MOE_RUN_NPY_H
#define MOE_RUN_NPY_H

#include "Array.h"

namespace moe::run {

/// Parses a whole .npy file. numpy has no bfloat16 and no narrow types: where `expected` is one, elements stored as uint16 or uint8, or as raw bytes ("V2"), are
/// taken for it. Throws a Failure that begins with `path`.
Array parseNpy(const std::vector<unsigned char> &file, const std::string &path, moe_dtype expected);

/// The header of a .npy file of this type and shape, to be followed by the elements. What numpy lacks is declared as uint16 or uint8.
std::string npyHeader(moe_dtype dtype, const std::vector<int64_t> &shape);

} // namespace moe::run

#endif // MOE_RUN_NPY_H
