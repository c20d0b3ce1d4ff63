//===- TestData.h - recorded inputs and outputs in ONNX's layout -*- C++ -*-===//
// A folder with input_0.pb, input_1.pb, ..., output_0.pb, ...: one serialised TensorProto each, numbered in the order of the graph.
#ifndef MOE_RUN_TESTDATA_H
#define MOE_RUN_TESTDATA_H

#include "Array.h"

#include <optional>

namespace moe::run {

/// One slot per input or output of the model; empty where no file belongs to it.
using Slots = std::vector<std::optional<Array>>;

/// Parses the bytes of a .pb file; `name` receives the tensor's name. Throws a Failure that begins with `path`.
Array parseTensorFile(const std::vector<unsigned char> &file, const std::string &path, std::string &name);

/// Reads the files `<kind>_<number>.pb` of `folder` ("input", "output") for tensors called `names`. A file goes to the tensor whose name it
/// holds, else to the one with its number. Throws a Failure for a file that belongs to none or to a taken slot.
Slots readTestData(const std::string &folder, const std::string &kind, const std::vector<std::string> &names);

} // namespace moe::run

#endif // MOE_RUN_TESTDATA_H
