/* moe_model.h - the C ABI of a compiled model (copied into every artifact as model.h).
 *
 * An artifact is a folder: model.so exports the functions below, model.weights is mapped read-only by moe_model_open. Link with model.so or
 * load it with dlopen; several models may live in one process, each through its own model.so, and share one thread pool.
 *
 * A function that can fail answers a moe_status; moe_last_error() of the same model.so then says in words what was expected and what was
 * found. Nothing here throws, exits or prints. Plain C99; usable from C++.
 *
 * The first model.so that runs on several threads owns the pool and stays loaded until the process ends, even after dlclose: to load a model that
 * was compiled anew, give it another path or start a new process. After fork() the child may run models (on threads of its own), unless a
 * run was going on in the thread that forked.
 */
#ifndef MOE_RUNTIME_MOE_MODEL_H
#define MOE_RUNTIME_MOE_MODEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __GNUC__
#define MOE_API __attribute__((visibility("default")))
#else
#define MOE_API
#endif

/** What a call answers. The numbers never change. */
typedef enum moe_status {
  MOE_STATUS_OK = 0,
  MOE_STATUS_BAD_ARGUMENT = 1,    /**< A null or misaligned pointer, a wrong count, overlapping buffers, a context used twice at once. */
  MOE_STATUS_BAD_SHAPE = 2,       /**< A tensor's rank, dims or strides do not fit the model. */
  MOE_STATUS_BAD_DTYPE = 3,       /**< A tensor's element type is not the model's. */
  MOE_STATUS_BAD_ARTIFACT = 4,    /**< Files of the artifact are missing, damaged or do not belong together. */
  MOE_STATUS_UNSUPPORTED_CPU = 5, /**< No version in model.so runs on this CPU. */
  MOE_STATUS_NO_MEMORY = 6,       /**< The system gave no memory; smaller dims may work. */
  MOE_STATUS_IO = 7,              /**< Reading a file failed. */
  MOE_STATUS_COMM = 8,            /**< Communication between ranks failed. */
  MOE_STATUS_INTERNAL = 9,        /**< A defect of the compiler or the runtime. */
  MOE_STATUS_UNSUPPORTED_GPU = 10, /**< The model is for a GPU, and there is no driver, no GPU, or one that is too old. */
  MOE_STATUS_GPU = 11             /**< The GPU's driver has reported an error. */
} moe_status;

/** A loaded model: weights mapped, code chosen for this CPU. Immutable, so any number of threads may use it. */
typedef struct moe_model moe_model;

/** The working memory of one run at a time. One thread uses a context at a time; several contexts of a model may run at once. */
typedef struct moe_context moe_context;

/** Element type codes, as DLPack numbers them. */
enum {
  MOE_INT = 0,
  MOE_UINT = 1,
  MOE_FLOAT = 2,
  MOE_BFLOAT = 4,
  MOE_BOOL = 6,
  MOE_FLOAT8_E4M3FN = 10,
  MOE_FLOAT8_E4M3FNUZ = 11,
  MOE_FLOAT8_E5M2 = 12,
  MOE_FLOAT8_E5M2FNUZ = 13,
  MOE_FLOAT8_E8M0FNU = 14,
  MOE_FLOAT6_E2M3FN = 15,
  MOE_FLOAT6_E3M2FN = 16,
  MOE_FLOAT4_E2M1FN = 17
};

/** The device type of host memory, as DLPack numbers it; the only one that a model for CPUs takes. */
enum { MOE_CPU = 1 };

/** An element type; layout of DLPack's DLDataType. bool is {MOE_BOOL, 8, 1}: one byte, 0 or 1. An element of less than 8 bits takes a byte, in
 * whose low bits it lies (what DLPack calls padded, not packed; the other bits are not read, and written as 0). */
typedef struct moe_dtype {
  uint8_t code;   /**< One of the codes above. */
  uint8_t bits;   /**< Bits of one element. */
  uint16_t lanes; /**< 1. */
} moe_dtype;

/** Where a tensor lies; layout of DLPack's DLDevice. */
typedef struct moe_device {
  int32_t device_type; /**< MOE_CPU. */
  int32_t device_id;   /**< 0. */
} moe_device;

/** A caller's buffer; layout of DLPack's DLTensor. The first element is at data + byte_offset, aligned to the size of an element. */
typedef struct moe_tensor {
  void *data;           /**< May be null only if the tensor has no elements. Inputs are not written. */
  moe_device device;    /**< {MOE_CPU, 0}. */
  int32_t ndim;         /**< Length of shape and strides. */
  moe_dtype dtype;      /**< Element type. */
  int64_t *shape;       /**< ndim sizes; may be null if ndim is 0. */
  int64_t *strides;     /**< In elements; null means contiguous row-major. Other strides: see moe_context_run. */
  uint64_t byte_offset; /**< Added to data. */
} moe_tensor;

/** One dim of an input or output. */
typedef struct moe_dim {
  int64_t size;       /**< -1 where only the run knows it. */
  const char *symbol; /**< "" if it has none. Dims of the inputs with the same symbol must be equal. */
} moe_dim;

/** An input or output. Pointers live as long as the model. */
typedef struct moe_tensor_info {
  const char *name;    /**< As in the source model; UTF-8. */
  moe_dtype dtype;     /**< Element type. */
  int32_t rank;        /**< Number of dims. */
  const moe_dim *dims; /**< `rank` dims. */
  int32_t pair;        /**< KV cache: for an input the output that extends it, for an output that input; -1 if none. */
  int32_t pair_axis;   /**< The dim that grows, -1 without a pair. */
} moe_tensor_info;

/** Which part of a whole tensor this process gives or gets: see moe_model_input_part. */
typedef struct moe_part {
  int32_t axis;  /**< The dim of which it is a part, -1 where the tensor is whole. */
  int64_t first; /**< The first place of the whole dim; the dim's size in moe_tensor_info says how many there are. */
  int64_t whole; /**< The size of the whole dim. */
} moe_part;

/** Options of moe_model_open. Set `size` to sizeof(moe_open_options) and all that you do not use to zero. */
typedef struct moe_open_options {
  uint64_t size;   /**< sizeof(moe_open_options): later versions add fields. */
  const char *isa; /**< Name of the version to use, null for the best that this CPU runs. */
  uint32_t verify; /**< Not 0: compare the SHA-256 of model.weights (reads all of it). */
  uint32_t unused; /**< 0. */
} moe_open_options;

/** The version of moe-opt that made this model.so, "0.1.0". */
MOE_API const char *moe_version(void);

/** What went wrong in this thread's last failed call to this model.so; "" before the first failure. Valid until the next failure. */
MOE_API const char *moe_last_error(void);

/** "bad_shape" for MOE_STATUS_BAD_SHAPE and so on; "unknown" for a number that is no status. */
MOE_API const char *moe_status_name(moe_status status);

/** The model's binary description (moe/Machine/ModelInfo.h in moe-opt's source). Needs no open model and no particular CPU. */
MOE_API const void *moe_model_metadata(uint64_t *bytes);

/** Opens the artifact in `folder`: checks and maps its model.weights and picks the version for this CPU. `options` may be null. */
MOE_API moe_status moe_model_open(const char *folder, const moe_open_options *options, moe_model **model);

/** Gives the model up. Its contexts stay usable; the memory goes with the last of them. Null is allowed. */
MOE_API void moe_model_close(moe_model *model);

/** Number of inputs. */
MOE_API int32_t moe_model_num_inputs(const moe_model *model);

/** Number of outputs. */
MOE_API int32_t moe_model_num_outputs(const moe_model *model);

/** Describes input `index`. */
MOE_API moe_status moe_model_input(const moe_model *model, int32_t index, moe_tensor_info *info);

/** Describes output `index`. */
MOE_API moe_status moe_model_output(const moe_model *model, int32_t index, moe_tensor_info *info);

/** Of a KV cache whose attention the processes share by heads, each gives and gets only the heads that it reads: the input and output have the size of that part,
 * in moe_tensor_info too, so that a loop which feeds outputs back needs to know nothing of it. Who has whole caches passes, as the two of a pair may have
 * strides, the part of them that `part` says. Parts of several processes may overlap. On one process a part is all. */
MOE_API moe_status moe_model_input_part(const moe_model *model, int32_t index, moe_part *part);
MOE_API moe_status moe_model_output_part(const moe_model *model, int32_t index, moe_part *part);

/** The value that input `index` has where a caller does not choose one (an overridable initializer of the source model): fills `value` to be passed on as
 * that input. It lives as long as the model and is not to be written. `value->ndim` is -1 for an input without a default. */
MOE_API moe_status moe_model_default(const moe_model *model, int32_t index, moe_tensor *value);

/** Name of the version in use ("avx512", "avx2", ...). */
MOE_API const char *moe_model_isa(const moe_model *model);

/** This process among those that run the model together, from 0, and how many there are; 0 and 1 unless the model was compiled for a mesh of machines and a
 * launcher (mpiexec) started several processes. All of them make the same calls with the same inputs, from one thread each, and all get the outputs
 * (of KV caches their own parts, see moe_model_input_part).
 * A process that fails where the others wait for it ends them all, with a message on the standard error. */
MOE_API int32_t moe_model_rank(const moe_model *model);
MOE_API int32_t moe_model_ranks(const moe_model *model);

/** The outputs' shapes for inputs of given shapes. Reads ndim, dtype and shape of all `inputs`; data may be null, except of those whose elements decide
 * sizes (a scalar that says how many, say). Fills `outputs[i]`: device,
 * ndim, dtype, strides = null, byte_offset = 0 and the sizes in outputs[i].shape, which the caller points to room for the output's rank.
 * data stays as it is. A size that only a run can find out (how many elements are not zero) is given as the greatest that it may be. */
MOE_API moe_status moe_model_output_shapes(const moe_model *model, const moe_tensor *inputs, int32_t num_inputs, moe_tensor *outputs,
                                           int32_t num_outputs);

/** Makes a context. `threads` that run together, the caller among them: 1 to 1024, or 0 for $MOE_NUM_THREADS, else the CPUs that this
 * process may use. Results do not depend on it. With $MOE_PIN_THREADS=1 each but the caller stays on one of these CPUs, for models that are
 * compiled for several memory nodes. */
MOE_API moe_status moe_context_create(moe_model *model, int32_t threads, moe_context **context);

/** Frees the context and its memory. Null is allowed. It must not be running. */
MOE_API void moe_context_destroy(moe_context *context);

/** The number of threads that a run uses at most. */
MOE_API int32_t moe_context_threads(const moe_context *context);

/** Runs the model: reads the inputs, writes the outputs, all in the order of the model and in the caller's memory. Blocks until done. Allocates
 * only when the dims need more working memory than any run of this context before.
 *
 * Tensors are contiguous row-major. The two of a KV pair (moe_tensor_info.pair) may have other non-negative strides as long as the last dim is
 * dense; elements of an output must not share memory. If both point to the same address with the same strides, the cache is updated in
 * place and only the new entries are written. Any other overlap of an output with an input or an output is an error.
 * An output with a dim that only the run finds out takes a buffer of the shape that moe_model_output_shapes gives; its elements then lie dense at the
 * start, and outputs[i].shape says how many there are.
 *
 * Values that the model cannot take (an index out of its range) are found while it runs: MOE_STATUS_BAD_ARGUMENT, and moe_last_error names the
 * node, the value and the range. Outputs then hold anything; of a KV pair updated in place, so do the new entries only. After other
 * failures than that, MOE_STATUS_INTERNAL and MOE_STATUS_COMM no output has been written. */
MOE_API moe_status moe_context_run(moe_context *context, const moe_tensor *inputs, int32_t num_inputs, const moe_tensor *outputs,
                                   int32_t num_outputs);

#ifdef __cplusplus
}
#endif

#endif /* MOE_RUNTIME_MOE_MODEL_H */
