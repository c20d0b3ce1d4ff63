//===- Session.h - a loaded model.so and one run's tensors ------*- C++ -*-===//
// moe-run loads model.so with dlopen and knows it only by its C ABI, as any user's program does.
#ifndef MOE_RUN_SESSION_H
#define MOE_RUN_SESSION_H

#include "Array.h"
#include "TestData.h"

#include <optional>
#include <string>
#include <vector>

namespace moe::run {

/// The functions of a model.so. Throws a Failure if the file cannot be loaded or lacks one.
class Library {
public:
  explicit Library(const std::string &folder);
  ~Library();
  Library(const Library &) = delete;
  Library &operator=(const Library &) = delete;

  decltype(&moe_version) version;
  decltype(&moe_last_error) lastError;
  decltype(&moe_status_name) statusName;
  decltype(&moe_model_metadata) metadata;
  decltype(&moe_model_open) open;
  decltype(&moe_model_close) close;
  decltype(&moe_model_num_inputs) numInputs;
  decltype(&moe_model_num_outputs) numOutputs;
  decltype(&moe_model_input) input;
  decltype(&moe_model_output) output;
  decltype(&moe_model_input_part) inputPart;
  decltype(&moe_model_output_part) outputPart;
  decltype(&moe_model_default) inputDefault;
  decltype(&moe_model_isa) isa;
  decltype(&moe_model_rank) rank;
  decltype(&moe_model_ranks) ranks;
  decltype(&moe_model_output_shapes) outputShapes;
  decltype(&moe_context_create) createContext;
  decltype(&moe_context_destroy) destroyContext;
  decltype(&moe_context_threads) threads;
  decltype(&moe_context_run) run;

private:
  void *handle;
};

/// How to open a model.
struct SessionOptions {
  int32_t threads = 0; ///< 0: the model's default.
  std::string isa;     ///< Empty: the best.
  bool verify = false; ///< Compare the SHA-256 of the weights.
  std::string device;  ///< cpu, cuda or cuda-sim; empty: what the model is for.
};

/// An open model with a context, and the tensors that are bound to it. Every refusal of the model is thrown as a Failure.
class Session {
public:
  Session(const std::string &folder, const SessionOptions &options);
  ~Session();
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  const std::vector<moe_tensor_info> &inputs() const { return inputInfos; }
  const std::vector<moe_tensor_info> &outputs() const { return outputInfos; }
  /// Which part of inputs and outputs this rank has; an axis of -1 where it is all.
  const std::vector<moe_part> &inputParts() const { return partsOfInputs; }
  const std::vector<moe_part> &outputParts() const { return partsOfOutputs; }
  /// What an input has where no one gives it; none without a default.
  std::optional<Array> defaultOf(size_t input) const;
  std::string isa() const { return library.isa(model); }
  int32_t threads() const { return library.threads(context); }
  int32_t rank() const { return library.rank(model); }
  int32_t ranks() const { return library.ranks(model); }
  /// Of several processes that run the model together one speaks: the others' outputs are the same, or other parts.
  bool speaks() const { return rank() == 0; }
  const Library &functions() const { return library; }

  /// Takes one array per input, of whole ones this rank's part, and makes room for the outputs. With `inPlace` the two of every KV pair share one buffer.
  void bind(std::vector<Array> arrays, bool inPlace);

  /// Runs once on what is bound.
  void run();

  /// The bound inputs, and the outputs of the last run.
  const std::vector<Array> &inputArrays() const { return inputData; }
  const std::vector<Array> &outputArrays() const { return outputData; }

private:
  void check(moe_status status) const;
  void sharePair(size_t input);

  std::string folder;
  Library library;
  moe_model *model = nullptr;
  moe_context *context = nullptr;
  std::vector<moe_tensor_info> inputInfos, outputInfos;
  std::vector<moe_part> partsOfInputs, partsOfOutputs;
  void runOnce();

  std::vector<Array> inputData, outputData;
  std::vector<std::vector<int64_t>> outputShapes; ///< As the input's shapes give them, which is the most that a run needs.
  std::vector<moe_tensor> inputViews, outputViews;
  std::vector<std::vector<int64_t>> strides; ///< Of past tensors that share a buffer.
};

} // namespace moe::run

#endif // MOE_RUN_SESSION_H
