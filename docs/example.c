/* Opens a compiled model and runs it once on zeros, or on defaults where inputs have one. FOLDER is what moe-compile wrote; unknown dims take the SIZEs in turn, then 1.
 *   clang-22 example.c -I FOLDER -o example FOLDER/model.so -Wl,-rpath,FOLDER && ./example FOLDER [SIZE...] */
#include "model.h"
#include <stdio.h>
#include <stdlib.h>

static void check(moe_status status) {
  if (status == MOE_STATUS_OK)
    return;
  fprintf(stderr, "%s: %s\n", moe_status_name(status), moe_last_error());
  exit(1);
}

int main(int argc, char **argv) {
  moe_model *model;
  moe_context *context;
  check(moe_model_open(argc > 1 ? argv[1] : ".", NULL, &model));
  check(moe_context_create(model, 0, &context));
  int ins = moe_model_num_inputs(model), outs = moe_model_num_outputs(model), count = ins + outs, next = 2;
  moe_tensor *tensors = calloc(count, sizeof(moe_tensor));
  moe_tensor_info info;
  for (int i = 0; i < count; ++i) {
    check(i < ins ? moe_model_input(model, i, &info) : moe_model_output(model, i - ins, &info));
    if (i < ins)
      check(moe_model_default(model, i, &tensors[i]));
    if (i < ins && tensors[i].ndim >= 0)
      continue;
    tensors[i] = (moe_tensor){NULL, {MOE_CPU, 0}, info.rank, info.dtype, calloc(info.rank + 1, sizeof(int64_t)), NULL, 0};
    for (int d = 0; d < info.rank; ++d)
      tensors[i].shape[d] = info.dims[d].size >= 0 ? info.dims[d].size : next < argc ? atoi(argv[next++]) : 1;
  }
  check(moe_model_output_shapes(model, tensors, ins, tensors + ins, outs));
  for (int i = 0; i < count; ++i) {
    size_t bytes = tensors[i].dtype.bits / 8;
    if (tensors[i].data)
      continue;
    for (int d = 0; d < tensors[i].ndim; ++d)
      bytes *= tensors[i].shape[d];
    tensors[i].data = calloc(bytes + 8, 1);
  }
  check(moe_context_run(context, tensors, ins, tensors + ins, outs));
  for (int i = 0; i < outs && moe_model_output(model, i, &info) == MOE_STATUS_OK; ++i)
    printf("%s: %g ...\n", info.name, info.dtype.code == MOE_FLOAT ? *(float *)tensors[ins + i].data : *(char *)tensors[ins + i].data);
  return moe_context_destroy(context), moe_model_close(model), 0;
}
