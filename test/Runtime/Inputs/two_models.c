/* Two models in one process: two_models FOLDER FOLDER. Loads both with RTLD_LOCAL, runs them from two threads at once, and checks that they
 * share one thread pool and that it outlives the library that made it. Prints what it found; exits with 1 at the first wrong thing. */
#define _GNU_SOURCE
#include "moe/Runtime/moe_model.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 3, RUNS = 100, BATCH = 2, SEQ = 3 };

typedef struct {
  void *library;
  moe_model *model;
  moe_context *context;
  moe_status (*run)(moe_context *, const moe_tensor *, int32_t, const moe_tensor *, int32_t);
  const char *(*lastError)(void);
} Model;

static void require(int condition, const char *what) {
  if (condition)
    return;
  fprintf(stderr, "FAILED: %s\n", what);
  exit(1);
}

static void *find(void *library, const char *name) {
  void *symbol = dlsym(library, name);
  require(symbol != NULL, name);
  return symbol;
}

static Model load(const char *folder) {
  char path[4096];
  snprintf(path, sizeof(path), "%s/model.so", folder);
  Model model = {dlopen(path, RTLD_NOW | RTLD_LOCAL), NULL, NULL, NULL, NULL};
  require(model.library != NULL, path);
  moe_status (*open)(const char *, const moe_open_options *, moe_model **) = find(model.library, "moe_model_open");
  moe_status (*create)(moe_model *, int32_t, moe_context **) = find(model.library, "moe_context_create");
  model.run = find(model.library, "moe_context_run");
  model.lastError = find(model.library, "moe_last_error");
  require(open(folder, NULL, &model.model) == MOE_STATUS_OK, "open");
  require(create(model.model, THREADS, &model.context) == MOE_STATUS_OK, "create");
  return model;
}

/* Closes the model before its context: the context keeps what it needs. */
static void unload(Model *model) {
  void (*closeModel)(moe_model *) = find(model->library, "moe_model_close");
  void (*destroy)(moe_context *) = find(model->library, "moe_context_destroy");
  closeModel(model->model);
  destroy(model->context);
  dlclose(model->library);
}

static void *runOften(void *argument) {
  Model *model = argument;
  float x[BATCH * SEQ] = {1, 2, 3, 4, 5, 6}, y[BATCH * SEQ], present[BATCH * SEQ * 4];
  int64_t ids[BATCH * SEQ] = {0}, flat[] = {BATCH, SEQ}, empty[] = {BATCH, 0, 4}, full[] = {BATCH, SEQ, 4};
  unsigned char positive = 0;
  const moe_dtype f32 = {MOE_FLOAT, 32, 1}, i64 = {MOE_INT, 64, 1}, boolean = {MOE_BOOL, 8, 1};
  const moe_tensor inputs[] = {
      {x, {MOE_CPU, 0}, 2, f32, flat, NULL, 0}, {ids, {MOE_CPU, 0}, 2, i64, flat, NULL, 0}, {NULL, {MOE_CPU, 0}, 3, f32, empty, NULL, 0}};
  const moe_tensor outputs[] = {{y, {MOE_CPU, 0}, 2, f32, flat, NULL, 0},
                                {present, {MOE_CPU, 0}, 3, f32, full, NULL, 0},
                                {&positive, {MOE_CPU, 0}, 0, boolean, NULL, NULL, 0}};
  for (int i = 0; i < RUNS; ++i) {
    y[0] = y[5] = -1, positive = 0;
    require(model->run(model->context, inputs, 3, outputs, 3) == MOE_STATUS_OK, model->lastError());
    require(y[0] == 9 && y[5] == 12 && present[23] == 6 && positive == 1, "right answers");
  }
  return NULL;
}

static int countThreads(void) {
  DIR *tasks = opendir("/proc/self/task");
  require(tasks != NULL, "/proc/self/task");
  int count = 0;
  for (struct dirent *entry; (entry = readdir(tasks));)
    count += entry->d_name[0] != '.';
  closedir(tasks);
  return count;
}

int main(int argc, char **argv) {
  require(argc == 3, "two folders");
  Model first = load(argv[1]), second = load(argv[2]);
  require(find(first.library, "moe_context_run") != find(second.library, "moe_context_run"), "two libraries");
  require(find(first.library, "moe_process_pool_v1") == find(second.library, "moe_process_pool_v1"), "one pool");
  pthread_t other;
  /* The second library makes the pool, although the symbol lies in the first. */
  runOften(&second);
  require(pthread_create(&other, NULL, runOften, &first) == 0, "pthread_create");
  runOften(&second);
  pthread_join(other, NULL);
  cpu_set_t mask;
  sched_getaffinity(0, sizeof(mask), &mask);
  const int workers = CPU_COUNT(&mask) > THREADS ? CPU_COUNT(&mask) - 1 : THREADS - 1;
  require(countThreads() <= 1 + workers, "one set of workers");
  unload(&second);
  runOften(&first);
  unload(&first);
  first = load(argv[1]);
  runOften(&first);
  printf("two models, one pool\n");
  return 0;
}
