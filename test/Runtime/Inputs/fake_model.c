/* A hand-written model object: what the compiler would generate, in C. It lets the runtime and moe-run be tested without the compiler, and is
 * the executable form of moe/Machine/ModelInfo.h.
 *
 *   x float[batch, seq], ids int64[batch, seq], past float[batch, past, 4]
 *   -> "scaled/y" float[batch, seq]: x reversed along seq, times the weight that ids chooses (ids mod 8)
 *      present float[batch, past + seq, 4]: past, then x four times
 *      positive bool[]: whether any x is above 0
 *
 * The weights are the ASCII digits of the second section of model.weights; the first section belongs to a version that runs on no CPU.
 */
#include "moe/Runtime/Kernel.h"

#include <math.h>

typedef float f32;

/* The layout of moe/Machine/ModelInfo.h, for this model. */
#pragma pack(push, 1)
#define STRING(bytes)                                                                                                                          \
  struct {                                                                                                                                     \
    uint32_t length;                                                                                                                           \
    char text[bytes + 1];                                                                                                                      \
  }
#define TEXT(string) {sizeof(string) - 1, string}
#define DIM(bytes)                                                                                                                             \
  struct {                                                                                                                                     \
    int64_t size;                                                                                                                              \
    STRING(bytes) symbol;                                                                                                                      \
  }
typedef struct {
  uint32_t id;
  uint64_t offset, bytes;
  uint8_t sha256[32];
} Section;

const struct {
  char magic[8];
  uint32_t version, bytes;
  uint64_t weightsBytes;
  uint8_t weightsSha256[32];
  uint32_t numInputs;
  struct {
    STRING(1) name;
    uint32_t dtype, rank;
    DIM(5) batch;
    DIM(3) seq;
  } x;
  struct {
    STRING(3) name;
    uint32_t dtype, rank;
    DIM(5) batch;
    DIM(3) seq;
  } ids;
  struct {
    STRING(4) name;
    uint32_t dtype, rank;
    DIM(5) batch;
    DIM(4) past;
    DIM(0) width;
  } past;
  uint32_t numOutputs;
  struct {
    STRING(8) name;
    uint32_t dtype, rank;
    DIM(5) batch;
    DIM(3) seq;
  } y;
  struct {
    STRING(7) name;
    uint32_t dtype, rank;
    DIM(5) batch;
    DIM(10) total;
    DIM(0) width;
  } present;
  struct {
    STRING(8) name;
    uint32_t dtype, rank;
  } positive;
  uint32_t numPairs, pairInput, pairOutput, pairAxis;
  uint32_t numDefaults, numSizeInputs, numFoundDims;
  uint32_t numChecks;
  STRING(31) check;
  uint32_t numFaults;
  STRING(2) fault;
  uint32_t numSections;
  Section sections[2];
  uint32_t numVersions;
  struct {
    STRING(6) name;
    uint64_t features;
    uint32_t numSections, section;
  } future;
  struct {
    STRING(5) name;
    uint64_t features;
    uint32_t numSections, section;
  } plain;
  uint32_t numLayers;
  struct {
    STRING(3) name;
    STRING(7) form;
    uint32_t experts, topK, hidden, intermediate;
  } layer;
} moe_model_info = {
    "MOEINFO", 4, sizeof(moe_model_info), 4096 + 8, {0xc0, 0xfd, 0x1b, 0xcc, 0x9f, 0x4e, 0x19, 0x91, 0x98, 0x6b, 0x85, 0x19, 0xfe, 0xe3, 0xe5, 0xa9,
     0x1e, 0x53, 0x92, 0xbf, 0xf4, 0xaa, 0xa0, 0x46, 0xc9, 0x9b, 0xf4, 0x47, 0x7e, 0x67, 0x68, 0xa8},
    3,
    {TEXT("x"), 1, 2, {-1, TEXT("batch")}, {-1, TEXT("seq")}},
    {TEXT("ids"), 7, 2, {-1, TEXT("batch")}, {-1, TEXT("seq")}},
    {TEXT("past"), 1, 3, {-1, TEXT("batch")}, {-1, TEXT("past")}, {4, TEXT("")}},
    3,
    {TEXT("scaled/y"), 1, 2, {-1, TEXT("batch")}, {-1, TEXT("seq")}},
    {TEXT("present"), 1, 3, {-1, TEXT("batch")}, {-1, TEXT("past + seq")}, {4, TEXT("")}},
    {TEXT("positive"), 9, 0},
    1, 2, 1, 1,
    0, 0, 0,
    1, TEXT("expected seq to be at most 1000"),
    1, TEXT("id"),
    2, {{7, 0, 16, {0x9f, 0x9f, 0x51, 0x11, 0xf7, 0xb2, 0x7a, 0x78, 0x1f, 0x1f, 0x1d, 0xdd, 0xe5, 0xeb, 0xc2, 0xdd,
     0x2b, 0x79, 0x6b, 0xfc, 0x73, 0x65, 0xc9, 0xc2, 0x8b, 0x54, 0x8e, 0x56, 0x41, 0x76, 0x92, 0x9f}}, {9, 4096, 8, {0x31, 0xcc, 0x96, 0x50, 0xf3, 0xdd, 0x1b, 0xca, 0x7f, 0xdc, 0xd1, 0xf4, 0x0a, 0x4c, 0xd1, 0xa7,
     0x7f, 0x7a, 0x82, 0xf0, 0xd3, 0x33, 0xbe, 0x13, 0x2f, 0xec, 0x35, 0x02, 0xec, 0x9d, 0x15, 0x15}}},
    2,
    {TEXT("future"), 1ull << 63, 1, 0},
    {TEXT("plain"), 0, 1, 1},
    1, {TEXT("mlp"), TEXT("batched"), 8, 1, 4, 0},
};
#pragma pack(pop)

const uint64_t moe_model_info_size = sizeof(moe_model_info);

int64_t moe_shapes(const int64_t *in, int64_t *out) {
  const int64_t batch = in[0], seq = in[1], past = in[5];
  if (seq > 1000)
    return -1;
  out[0] = batch, out[1] = seq;
  out[2] = batch, out[3] = past + seq, out[4] = 4;
  return batch * seq * (int64_t)sizeof(f32);
}

typedef struct {
  void *allocated, *aligned;
  int64_t offset, rest[];
} Memref;

/* Stages meet at barriers as in generated code: the reversal reads from the arena what other threads wrote. */
static void entryPlain(void **descriptors, const MoeThread *self) {
  const Memref *xs = descriptors[0], *ids = descriptors[1], *past = descriptors[2], *y = descriptors[3], *present = descriptors[4];
  const int64_t batch = xs->rest[0], seq = xs->rest[1], pastLength = past->rest[1];
  const f32 *x = xs->aligned;
  f32 *arena = ((const Memref *)descriptors[6])->aligned;
  const char *weights = self->sections[1];
  for (int64_t i = self->thread; i < batch * seq; i += self->threads)
    arena[i] = fabsf(x[i]) * copysignf(1, x[i]);
  moe_rt_barrier(self->barrier);
  for (int64_t i = self->thread; i < batch * seq; i += self->threads) {
    const int64_t row = i / seq, column = i % seq, id = ((const int64_t *)ids->aligned)[i];
    if (id < -1000 || id >= 1000)
      moe_rt_fault(self->fault, 0, i, id, -1000, 1000);
    ((f32 *)y->aligned)[i] = arena[row * seq + seq - 1 - column] * (f32)(weights[((id % 8) + 8) % 8] - '0');
  }
  for (int64_t i = self->thread; i < batch * (pastLength + seq); i += self->threads) {
    const int64_t row = i / (pastLength + seq), at = i % (pastLength + seq);
    for (int64_t k = 0; k < 4; ++k) {
      f32 *to = (f32 *)present->aligned + row * present->rest[3] + at * present->rest[4] + k;
      const f32 *from = (const f32 *)past->aligned + row * past->rest[3] + at * past->rest[4] + k;
      if (at >= pastLength)
        *to = arena[row * seq + at - pastLength];
      else if (to != from)
        *to = *from;
    }
  }
  if (self->thread == 0) {
    unsigned char positive = 0;
    for (int64_t i = 0; i < batch * seq; ++i)
      positive |= arena[i] > 0;
    *(unsigned char *)((const Memref *)descriptors[5])->aligned = positive;
  }
}

/* Must never be called: no CPU has its feature. */
static void entryFuture(void **descriptors, const MoeThread *self) {
  (void)descriptors, (void)self;
  __builtin_trap();
}

typedef void (*MoeEntry)(void **, const MoeThread *);
const MoeEntry moe_entries[] = {entryFuture, entryPlain};
