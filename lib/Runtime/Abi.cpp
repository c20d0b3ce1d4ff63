// The exported C functions: null checks, then the classes behind. Nothing here does work of its own.
#include "Memory.h"
#include "moe/Runtime/Context.h"
#include "moe/Runtime/Error.h"
#include "moe/Runtime/ThreadPool.h"
#include "moe/Runtime/moe_model.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

using namespace moe::runtime;

static_assert(sizeof(moe_tensor) == 48 && offsetof(moe_tensor, ndim) == 16 && offsetof(moe_tensor, dtype) == 20 &&
                  offsetof(moe_tensor, shape) == 24 && offsetof(moe_tensor, strides) == 32 && offsetof(moe_tensor, byte_offset) == 40,
              "the layout of DLTensor");

const char *moe_version(void) { return MOE_VERSION; }

const char *moe_last_error(void) { return lastError(); }

const void *moe_model_metadata(uint64_t *bytes) {
  const Program program = linkedProgram();
  if (bytes)
    *bytes = program.infoBytes;
  return program.info;
}

moe_status moe_model_open(const char *folder, const moe_open_options *options, moe_model **model) {
  return openModel(linkedProgram(), folder, options, model);
}

void moe_model_close(moe_model *model) {
  if (model)
    model->release();
}

int32_t moe_model_num_inputs(const moe_model *model) { return model ? int32_t(model->info.numInputs) : 0; }

int32_t moe_model_num_outputs(const moe_model *model) { return model ? int32_t(model->info.numOutputs) : 0; }

static moe_status describe(const char *kind, const moe_tensor_info *tensors, uint32_t count, int32_t index, moe_tensor_info *info) {
  if (!info)
    return fail(MOE_STATUS_BAD_ARGUMENT, "the pointer to the %s's description is null", kind);
  if (index < 0 || uint32_t(index) >= count)
    return fail(MOE_STATUS_BAD_ARGUMENT, "expected the number of an %s below %" PRIu32 ", found %" PRId32, kind, count, index);
  *info = tensors[index];
  return MOE_STATUS_OK;
}

static moe_status failNullModel() { return fail(MOE_STATUS_BAD_ARGUMENT, "the model is null"); }

moe_status moe_model_input(const moe_model *model, int32_t index, moe_tensor_info *info) {
  return model ? describe("input", model->info.inputs, model->info.numInputs, index, info) : failNullModel();
}

moe_status moe_model_output(const moe_model *model, int32_t index, moe_tensor_info *info) {
  return model ? describe("output", model->info.outputs, model->info.numOutputs, index, info) : failNullModel();
}

/// `tensor` is an input, or the number of inputs plus an output.
static moe_status describePart(const moe_model &model, uint32_t tensor, moe_part *part) {
  if (!part)
    return fail(MOE_STATUS_BAD_ARGUMENT, "the pointer to the part is null");
  *part = {-1, 0, 0};
  if (const PartInfo *found = model.info.partOf(tensor))
    *part = {int32_t(found->axis), found->first, int64_t(found->heads) * found->unit};
  return MOE_STATUS_OK;
}

moe_status moe_model_input_part(const moe_model *model, int32_t index, moe_part *part) {
  moe_tensor_info input;
  const moe_status status = moe_model_input(model, index, &input);
  return status ? status : describePart(*model, uint32_t(index), part);
}

moe_status moe_model_output_part(const moe_model *model, int32_t index, moe_part *part) {
  moe_tensor_info output;
  const moe_status status = moe_model_output(model, index, &output);
  return status ? status : describePart(*model, model->info.numInputs + uint32_t(index), part);
}

moe_status moe_model_default(const moe_model *model, int32_t index, moe_tensor *value) {
  moe_tensor_info input;
  if (!value)
    return fail(MOE_STATUS_BAD_ARGUMENT, "the pointer to the input's default is null");
  if (moe_status status = moe_model_input(model, index, &input))
    return status;
  *value = model->info.defaults[index];
  return MOE_STATUS_OK;
}

const char *moe_model_isa(const moe_model *model) { return model ? model->info.versions[model->version].name : ""; }

moe_status moe_model_output_shapes(const moe_model *model, const moe_tensor *inputs, int32_t num_inputs, moe_tensor *outputs,
                                   int32_t num_outputs) {
  if (!model)
    return failNullModel();
  const ModelInfo &info = model->info;
  if (num_outputs < 0 || uint32_t(num_outputs) != info.numOutputs || (num_outputs && !outputs))
    return fail(MOE_STATUS_BAD_ARGUMENT, "expected an array of %" PRIu32 " outputs, found %" PRId32, info.numOutputs, num_outputs);
  int64_t *dims = allocateArray<int64_t>(size_t(info.numInputDims) + info.numSizeElements + info.numOutputDims);
  if (!dims)
    return fail(MOE_STATUS_NO_MEMORY, "no memory to compute the shapes of the outputs");
  int64_t *outDims = dims + info.numInputDims + info.numSizeElements, arenaBytes = 0;
  moe_status status = model->computeShapes(inputs, num_inputs, dims, outDims, arenaBytes);
  for (int32_t i = 0; i < num_outputs && status == MOE_STATUS_OK; ++i) {
    moe_tensor &output = outputs[i];
    const moe_tensor_info &expected = info.outputs[i];
    if (expected.rank > 0 && !output.shape) {
      status = fail(MOE_STATUS_BAD_ARGUMENT, "output '%s': shape is null, expected room for %" PRId32 " sizes", expected.name, expected.rank);
      break;
    }
    output.device = {MOE_CPU, 0};
    output.ndim = expected.rank;
    output.dtype = expected.dtype;
    output.strides = nullptr;
    output.byte_offset = 0;
    for (int32_t d = 0; d < expected.rank; ++d)
      output.shape[d] = *outDims++;
  }
  free(dims);
  return status;
}

int32_t moe_model_rank(const moe_model *model) { return model ? int32_t(model->ranks.rank()) : 0; }

int32_t moe_model_ranks(const moe_model *model) { return model ? int32_t(model->ranks.count()) : 1; }

moe_status moe_context_create(moe_model *model, int32_t threads, moe_context **context) {
  if (!context)
    return fail(MOE_STATUS_BAD_ARGUMENT, "moe_context_create: the pointer to the context is null");
  *context = nullptr;
  if (!model)
    return failNullModel();
  if (threads < 0 || threads > maxThreads)
    return fail(MOE_STATUS_BAD_ARGUMENT, "expected 0 to %" PRId32 " threads, found %" PRId32, maxThreads, threads);
  if (threads == 0 && (threads = defaultThreads()) == 0)
    return fail(MOE_STATUS_BAD_ARGUMENT, "MOE_NUM_THREADS: expected a number from 1 to %" PRId32 ", found '%s'", maxThreads,
                getenv("MOE_NUM_THREADS"));
  moe_context *made = createObject<moe_context>(*model, threads);
  if (!made)
    return fail(MOE_STATUS_NO_MEMORY, "no memory for a context");
  const moe_status status = made->prepare();
  if (status != MOE_STATUS_OK)
    destroyObject(made);
  else
    *context = made;
  return status;
}

void moe_context_destroy(moe_context *context) {
  if (context)
    destroyObject(context);
}

int32_t moe_context_threads(const moe_context *context) { return context ? context->threads : 0; }

moe_status moe_context_run(moe_context *context, const moe_tensor *inputs, int32_t num_inputs, const moe_tensor *outputs,
                           int32_t num_outputs) {
  if (!context)
    return fail(MOE_STATUS_BAD_ARGUMENT, "the context is null");
  return context->run(inputs, num_inputs, outputs, num_outputs);
}
