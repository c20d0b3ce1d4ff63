// Loading, opening and running a model through its C ABI.
#include "Session.h"
#include "Failure.h"
#include "Parts.h"
#include "SharedObject.h"

#include <cstring>
#include <climits>
#include <cstdlib>
#include <dlfcn.h>
#include <unistd.h>

namespace moe::run {

Library::Library(const std::string &folder) {
  // The '/' keeps dlopen from searching the system's library path.
  const std::string path = folder + "/model.so";
  checkSharedObject(path);
  handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    throw Failure("cannot load " + path + ": " + dlerror());
  auto find = [&](auto &function, const char *name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
    if (!function)
      throw Failure(path + ": expected the function " + name + ", found none: not a compiled model or another version's");
  };
  find(version, "moe_version");
  find(lastError, "moe_last_error");
  find(statusName, "moe_status_name");
  find(metadata, "moe_model_metadata");
  find(open, "moe_model_open");
  find(close, "moe_model_close");
  find(numInputs, "moe_model_num_inputs");
  find(numOutputs, "moe_model_num_outputs");
  find(input, "moe_model_input");
  find(output, "moe_model_output");
  find(inputPart, "moe_model_input_part");
  find(outputPart, "moe_model_output_part");
  find(inputDefault, "moe_model_default");
  find(isa, "moe_model_isa");
  find(rank, "moe_model_rank");
  find(ranks, "moe_model_ranks");
  find(outputShapes, "moe_model_output_shapes");
  find(createContext, "moe_context_create");
  find(destroyContext, "moe_context_destroy");
  find(threads, "moe_context_threads");
  find(run, "moe_context_run");
}

Library::~Library() { dlclose(handle); }

void Session::check(moe_status status) const {
  if (status != MOE_STATUS_OK)
    throw Failure(folder + ": " + library.lastError() + " (" + library.statusName(status) + ")");
}

/// The executor's stub driver lies beside the tools, in <prefix>/lib. A driver that the environment names stays.
static void useSimulator() {
  char program[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
  if (length <= 0)
    throw Failure("cannot find the folder of moe-run, beside which libmoe_simt.so lies");
  std::string path(program, size_t(length));
  path = path.substr(0, path.rfind('/')) + "/../lib/libmoe_simt.so";
  if (access(path.c_str(), R_OK) != 0)
    throw Failure("--device=cuda-sim: " + path + " is not there");
  setenv("MOE_CUDA_DRIVER", path.c_str(), /*replace=*/0);
}

Session::Session(const std::string &folder, const SessionOptions &options) : folder(folder), library(folder) {
  if (options.device == "cuda-sim")
    useSimulator();
  moe_open_options open = {sizeof(open), options.isa.empty() ? nullptr : options.isa.c_str(), options.verify, 0};
  check(library.open(folder.c_str(), &open, &model));
  try {
    const bool isCuda = std::strcmp(library.isa(model), "cuda") == 0;
    if (!options.device.empty() && isCuda != (options.device != "cpu"))
      throw Failure(folder + ": expected a model for " + options.device + ", found one for " + (isCuda ? "cuda" : "cpu"));
    inputInfos.resize(size_t(library.numInputs(model)));
    for (size_t i = 0; i < inputInfos.size(); ++i)
      check(library.input(model, int32_t(i), &inputInfos[i]));
    outputInfos.resize(size_t(library.numOutputs(model)));
    for (size_t i = 0; i < outputInfos.size(); ++i)
      check(library.output(model, int32_t(i), &outputInfos[i]));
    partsOfInputs.resize(inputInfos.size());
    for (size_t i = 0; i < inputInfos.size(); ++i)
      check(library.inputPart(model, int32_t(i), &partsOfInputs[i]));
    partsOfOutputs.resize(outputInfos.size());
    for (size_t i = 0; i < outputInfos.size(); ++i)
      check(library.outputPart(model, int32_t(i), &partsOfOutputs[i]));
    check(library.createContext(model, options.threads, &context));
  } catch (...) {
    library.close(model);
    throw;
  }
}

Session::~Session() {
  library.destroyContext(context);
  library.close(model);
}

std::optional<Array> Session::defaultOf(size_t input) const {
  moe_tensor value;
  check(library.inputDefault(model, int32_t(input), &value));
  if (value.ndim < 0)
    return std::nullopt;
  Array array = Array::zeros(value.dtype, {value.shape, value.shape + value.ndim}, "input '" + std::string(inputInfos[input].name) + "'");
  const auto *bytes = static_cast<const unsigned char *>(value.data);
  array.bytes.assign(bytes, bytes + array.bytes.size());
  return array;
}

/// Puts a past into the front of its present, along the axis that grows, and points the past's view there.
void Session::sharePair(size_t input) {
  const moe_tensor_info &info = inputInfos[input];
  const Array &past = inputData[input];
  Array &present = outputData[size_t(info.pair)];
  const size_t axis = size_t(info.pair_axis);
  size_t inner = elementBytes(past.dtype), outer = 1;
  for (size_t d = 0; d < past.shape.size(); ++d)
    if (d != axis)
      (d < axis ? outer : inner) *= size_t(past.shape[d]);
  const size_t pastBytes = inner * size_t(past.shape[axis]), presentBytes = inner * size_t(present.shape[axis]);
  if (presentBytes < pastBytes)
    throw Failure("output '" + std::string(outputInfos[size_t(info.pair)].name) + "' is shorter than its past; --in-place cannot run");
  for (size_t row = 0; row < outer && pastBytes; ++row)
    std::memcpy(present.bytes.data() + row * presentBytes, past.bytes.data() + row * pastBytes, pastBytes);
  int64_t stride = 1;
  strides[input].resize(past.shape.size());
  for (size_t d = past.shape.size(); d-- > 0; stride *= present.shape[d])
    strides[input][d] = stride;
  inputViews[input].data = present.bytes.data();
  inputViews[input].strides = outputViews[size_t(info.pair)].strides = strides[input].data();
}

void Session::bind(std::vector<Array> arrays, bool inPlace) {
  inputData = std::move(arrays);
  for (size_t i = 0; i < inputData.size(); ++i)
    if (const moe_part &part = partsOfInputs[i]; part.axis >= 0)
      takePart(inputData[i], part, inputInfos[i].dims[part.axis].size);
  inputViews.clear();
  for (Array &array : inputData)
    inputViews.push_back(array.view());
  outputData.assign(outputInfos.size(), Array());
  outputViews.assign(outputInfos.size(), moe_tensor());
  for (size_t i = 0; i < outputData.size(); ++i) {
    outputData[i].shape.resize(size_t(outputInfos[i].rank));
    outputViews[i].shape = outputData[i].shape.data();
  }
  check(library.outputShapes(model, inputViews.data(), int32_t(inputViews.size()), outputViews.data(), int32_t(outputViews.size())));
  for (size_t i = 0; i < outputData.size(); ++i) {
    outputData[i] = Array::zeros(outputInfos[i].dtype, outputData[i].shape, "output '" + std::string(outputInfos[i].name) + "'");
    outputViews[i] = outputData[i].view();
  }
  outputShapes.clear();
  for (const Array &output : outputData)
    outputShapes.push_back(output.shape);
  strides.assign(inputInfos.size(), {});
  for (size_t i = 0; i < inputInfos.size() && inPlace; ++i)
    if (inputInfos[i].pair >= 0)
      sharePair(i);
}

void Session::run() {
  // A run may shorten an output whose size depends on data: each starts with room for the greatest. Shrinking keeps the memory where it is.
  for (size_t i = 0; i < outputData.size(); ++i) {
    if (outputData[i].shape == outputShapes[i])
      continue;
    outputData[i].shape = outputShapes[i];
    outputData[i].bytes.resize(size_t(countElements(outputShapes[i], outputData[i].dtype, "output") * elementBytes(outputData[i].dtype)));
    outputViews[i].shape = outputData[i].shape.data();
  }
  runOnce();
  for (size_t i = 0; i < outputData.size(); ++i)
    if (Array &output = outputData[i]; output.shape != outputShapes[i])
      output.bytes.resize(size_t(countElements(output.shape, output.dtype, "output") * elementBytes(output.dtype)));
}

void Session::runOnce() {
  check(library.run(context, inputViews.data(), int32_t(inputViews.size()), outputViews.data(), int32_t(outputViews.size())));
}

} // namespace moe::run
