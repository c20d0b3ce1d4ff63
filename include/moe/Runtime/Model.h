//===- Model.h - a loaded model and a context to run it ---------*- C++ -*-===//
// What stands behind moe_model and moe_context. The generated code comes in as a Program, so that tests can bring a handwritten one.
#ifndef MOE_RUNTIME_MODEL_H
#define MOE_RUNTIME_MODEL_H

#include "moe/Machine/ModelInfo.h"
#include "moe/Runtime/Cuda.h"
#include "moe/Runtime/Ranks.h"
#include "moe/Runtime/Tensors.h"
#include "moe/Runtime/Weights.h"

#include <atomic>

namespace moe::runtime {

/// What the compiler generated, see moe/Machine/ModelInfo.h.
struct Program {
  const unsigned char *info;
  uint64_t infoBytes;
  const MoeEntry *entries;
  int64_t (*shapes)(const int64_t *inDims, int64_t *outDims);
  KernelProgram kernels = {}; ///< Null for CPUs.
};

/// The program that this model.so was linked with. Defined apart from the rest, so that only model.so needs the generated symbols.
Program linkedProgram();

} // namespace moe::runtime

/// See moe_model.h. Immutable after open(); lives until the caller and all contexts have let go.
struct moe_model {
  explicit moe_model(const moe::runtime::Program &program) : program(program) {}

  /// Reads the description, picks the version and maps the weights. `isa` may be null.
  moe_status open(const char *folder, const char *isa, bool verify);

  /// Dims of the outputs for `inputs`, and the bytes of the arena. `inDims` and `outDims` have room for all dims.
  moe_status computeShapes(const moe_tensor *inputs, int32_t numInputs, int64_t *inDims, int64_t *outDims, int64_t &arenaBytes) const;

  /// Lets go; the last one frees.
  void release();

  const moe::runtime::Program program;
  moe::runtime::ModelInfo info;
  moe::runtime::DimTable table;
  moe::runtime::Weights weights;
  bool onGpu = false; ///< The entry launches kernels on `gpu`.
  moe::runtime::CudaDevice gpu;
  moe::runtime::Ranks ranks;
  std::atomic<bool> isExchanging{false}; ///< A context runs whose ranks talk to each other: one at a time.
  uint32_t version = 0; ///< Index of the version in use.
  std::atomic<int32_t> owners{1};

private:
  moe_status pickVersion(const char *isa);
};

namespace moe::runtime {

/// Makes a model of a program; what moe_model_open does with the linked one.
moe_status openModel(const Program &program, const char *folder, const moe_open_options *options, moe_model **model);

} // namespace moe::runtime

#endif // MOE_RUNTIME_MODEL_H
