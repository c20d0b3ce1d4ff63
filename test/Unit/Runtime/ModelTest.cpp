// A model and its contexts with a program of the test's own: every refusal of a caller's tensors, KV caches in place, runs from two threads.
#include "InfoBlob.h"
#include "moe/Runtime/Barrier.h"
#include "moe/Runtime/Context.h"
#include "moe/Runtime/Error.h"
#include "moe/Runtime/Kernel.h"

#include <cfenv>
#include <functional>
#include <gtest/gtest.h>
#include <thread>

using namespace moe;
using namespace moe::runtime;

namespace {

/// A memref descriptor of at most four dims, read as generated code reads it.
struct View {
  const int64_t *words;
  int rank;
  float *data() const { return reinterpret_cast<float *>(words[1]) + words[2]; }
  int64_t size(int dim) const { return words[3 + dim]; }
  int64_t stride(int dim) const { return words[3 + rank + dim]; }
};

int64_t shapes(const int64_t *in, int64_t *out) {
  // in: batch, seq, batch, 2, past, 4
  if (in[1] % 2 != 0)
    return -1;
  if (in[1] == 66)
    return -7; // A check without message.
  const int64_t all[] = {in[0], in[1], in[2], 2, in[4] + in[1], 4};
  std::copy(all, all + 6, out);
  if (in[1] == 68)
    out[1] = -1;
  if (in[1] == 70)
    return INT64_MAX - 8;
  return in[0] * in[1] * 4;
}

/// What the first thread of a run does besides.
std::function<void()> duringRun;
/// What each thread finds wrong.
std::function<void(const MoeThread *)> faults;

/// y = 2 x by way of the arena; present = past then x[.., s] in every head and lane. Past is copied only where the buffers differ.
void entry(void **descriptors, const MoeThread *self) {
  View x{static_cast<int64_t *>(descriptors[0]), 2}, past{static_cast<int64_t *>(descriptors[1]), 4};
  View y{static_cast<int64_t *>(descriptors[2]), 2}, present{static_cast<int64_t *>(descriptors[3]), 4};
  float *arena = View{static_cast<int64_t *>(descriptors[4]), 1}.data();
  if (self->thread == 0 && duringRun)
    duringRun();
  if (faults)
    faults(self);
  const int64_t count = x.size(0) * x.size(1), old = past.size(2), total = present.size(2);
  for (int64_t i = self->thread; i < count; i += self->threads)
    arena[i] = x.data()[i];
  moe_rt_barrier(self->barrier);
  for (int64_t i = self->thread; i < count; i += self->threads)
    y.data()[count - 1 - i] = 2 * arena[count - 1 - i];
  const bool inPlace = past.data() == present.data();
  for (int64_t row = self->thread; row < x.size(0) * 2; row += self->threads)
    for (int64_t s = inPlace ? old : 0; s < total; ++s)
      for (int64_t lane = 0; lane < 4; ++lane) {
        const int64_t b = row / 2, h = row % 2;
        float *to = present.data() + b * present.stride(0) + h * present.stride(1) + s * present.stride(2) + lane * present.stride(3);
        *to = s < old ? past.data()[b * past.stride(0) + h * past.stride(1) + s * past.stride(2) + lane * past.stride(3)]
                      : arena[b * x.size(1) + s - old];
      }
}

const MoeEntry entries[] = {entry};

/// An array that owns shape and data of a moe_tensor.
struct Tensor {
  std::vector<int64_t> shape, strides;
  std::vector<float> data;
  moe_tensor view{};

  Tensor(std::vector<int64_t> sizes, float first = 0) : shape(std::move(sizes)) {
    int64_t count = 1;
    for (int64_t size : shape)
      count *= size;
    for (int64_t i = 0; i < count; ++i)
      data.push_back(first + float(i));
    view = {data.data(), {MOE_CPU, 0}, int32_t(shape.size()), {MOE_FLOAT, 32, 1}, shape.data(), nullptr, 0};
  }
};

class ModelTest : public testing::Test {
protected:
  std::vector<unsigned char> blob = cacheModel().bytes();
  moe_model *model = nullptr;
  moe_context *context = nullptr;
  Tensor x{{2, 4}, 1}, past{{2, 2, 3, 4}, 100}, y{{2, 4}}, present{{2, 2, 7, 4}};

  void SetUp() override {
    const Program program = {blob.data(), blob.size(), entries, shapes};
    ASSERT_EQ(openModel(program, "nowhere", nullptr, &model), MOE_STATUS_OK) << lastError();
    context = new moe_context(*model, 3);
    ASSERT_EQ(context->prepare(), MOE_STATUS_OK);
  }
  void TearDown() override {
    delete context;
    model->release();
  }

  moe_status run() {
    const moe_tensor inputs[] = {x.view, past.view}, outputs[] = {y.view, present.view};
    return context->run(inputs, 2, outputs, 2);
  }
  void expectFailure(moe_status status, const std::string &text) {
    EXPECT_EQ(run(), status);
    EXPECT_EQ(lastError(), text);
  }
  static float expectedPresent(int64_t b, int64_t h, int64_t s, int64_t lane) {
    return s < 3 ? 100 + float(((b * 2 + h) * 3 + s) * 4 + lane) : 1 + float(b * 4 + s - 3);
  }
};

TEST_F(ModelTest, Runs) {
  ASSERT_EQ(run(), MOE_STATUS_OK) << lastError();
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(y.data[i], 2 * float(i + 1));
  for (int b = 0, i = 0; b < 2; ++b)
    for (int h = 0; h < 2; ++h)
      for (int s = 0; s < 7; ++s)
        for (int lane = 0; lane < 4; ++lane, ++i)
          EXPECT_EQ(present.data[i], expectedPresent(b, h, s, lane));
}

TEST_F(ModelTest, UpdatesOneBufferInPlace) {
  // Capacity 10; layout [batch, seq, head, lane], seen as [batch, head, seq, lane].
  std::vector<float> buffer(2 * 10 * 2 * 4, -1);
  int64_t strides[] = {80, 4, 8, 1};
  auto at = [&](int64_t b, int64_t h, int64_t s, int64_t lane) -> float & { return buffer[b * 80 + h * 4 + s * 8 + lane]; };
  for (int b = 0; b < 2; ++b)
    for (int h = 0; h < 2; ++h)
      for (int s = 0; s < 3; ++s)
        for (int lane = 0; lane < 4; ++lane)
          at(b, h, s, lane) = expectedPresent(b, h, s, lane);
  past.view.data = present.view.data = buffer.data();
  past.view.strides = present.view.strides = strides;
  ASSERT_EQ(run(), MOE_STATUS_OK) << lastError();
  for (int b = 0; b < 2; ++b)
    for (int h = 0; h < 2; ++h)
      for (int s = 0; s < 10; ++s)
        for (int lane = 0; lane < 4; ++lane)
          EXPECT_EQ(at(b, h, s, lane), s < 7 ? expectedPresent(b, h, s, lane) : -1);

  past.view.data = buffer.data() + 4;
  expectFailure(MOE_STATUS_BAD_ARGUMENT, "output 'present' overlaps input 'past': expected the same address for an update in place");
  past.view.data = buffer.data();
  past.view.strides = nullptr;
  expectFailure(MOE_STATUS_BAD_ARGUMENT, "output 'present' overlaps input 'past': expected the same strides for an update in place");
  int64_t broadcast[] = {0, 4, 8, 1};
  present.view.strides = broadcast;
  expectFailure(MOE_STATUS_BAD_SHAPE, "output 'present', dim 0 (batch): expected a stride of at least 1, found 0");
  int64_t tight[] = {80, 4, 7, 1};
  present.view.strides = tight;
  expectFailure(MOE_STATUS_BAD_SHAPE, "output 'present', dim 2 (total): expected a stride of at least 8, found 7");
  int64_t sparse[] = {160, 8, 16, 2};
  present.view.strides = sparse;
  expectFailure(MOE_STATUS_BAD_SHAPE, "output 'present', dim 3: expected stride 1 in the last dim, found 2");
  int64_t huge[] = {INT64_MAX, 4, 8, 1};
  present.view.strides = huge;
  expectFailure(MOE_STATUS_BAD_SHAPE, "output 'present', dim 0 (batch): stride 9223372036854775807 spans more than 2^48 elements");
}

TEST_F(ModelTest, EmptyPastMayBeNull) {
  Tensor empty({2, 2, 0, 4}), four({2, 2, 4, 4});
  past.view = empty.view, present.view = four.view;
  past.view.data = nullptr;
  ASSERT_EQ(run(), MOE_STATUS_OK) << lastError();
  EXPECT_EQ(four.data[0], 1);
  EXPECT_EQ(four.data[4], 2);
}

TEST_F(ModelTest, RefusesWrongTensors) {
  auto expectWith = [this](moe_tensor &view, auto &&change, moe_status status, const char *text) {
    const moe_tensor before = view;
    change(view);
    expectFailure(status, text);
    view = before;
  };
  expectWith(x.view, [](moe_tensor &t) { t.dtype = {MOE_BFLOAT, 16, 1}; }, MOE_STATUS_BAD_DTYPE,
             "input 'x': expected dtype float32, found bfloat16");
  expectWith(x.view, [](moe_tensor &t) { t.dtype = {MOE_FLOAT8_E5M2, 8, 1}; }, MOE_STATUS_BAD_DTYPE,
             "input 'x': expected dtype float32, found float8_e5m2");
  expectWith(x.view, [](moe_tensor &t) { t.dtype = {MOE_INT, 4, 1}; }, MOE_STATUS_BAD_DTYPE, "input 'x': expected dtype float32, found int4");
  expectWith(x.view, [](moe_tensor &t) { t.dtype.lanes = 2; }, MOE_STATUS_BAD_DTYPE,
             "input 'x': expected dtype float32, found {code 2, bits 32, lanes 2}");
  expectWith(x.view, [](moe_tensor &t) { t.ndim = 1; }, MOE_STATUS_BAD_SHAPE, "input 'x': expected 2 dims, found 1");
  expectWith(x.view, [](moe_tensor &t) { t.shape = nullptr; }, MOE_STATUS_BAD_ARGUMENT, "input 'x': shape is null");
  expectWith(x.view, [](moe_tensor &t) { t.data = nullptr; }, MOE_STATUS_BAD_ARGUMENT, "input 'x': data is null");
  expectWith(x.view, [](moe_tensor &t) { t.device.device_type = 2; }, MOE_STATUS_BAD_ARGUMENT,
             "input 'x': expected device_type 1 (CPU), found 2");
  int64_t transposed[] = {1, 2};
  expectWith(x.view, [&](moe_tensor &t) { t.strides = transposed; }, MOE_STATUS_BAD_SHAPE,
             "input 'x', dim 0 (batch): expected contiguous row-major with stride 4, found 1");
  int64_t threeRows[] = {3, 4}, negative[] = {-1, 4}, huge[] = {INT64_MAX, INT64_MAX}, wrongHeads[] = {2, 3, 3, 4};
  expectWith(x.view, [&](moe_tensor &t) { t.shape = negative; }, MOE_STATUS_BAD_SHAPE, "input 'x', dim 0 (batch): found the negative size -1");
  expectWith(x.view, [&](moe_tensor &t) { t.shape = huge; }, MOE_STATUS_BAD_SHAPE,
             "input 'x', dim 0 (batch): a tensor of more than 2^48 elements");
  expectWith(x.view, [&](moe_tensor &t) { t.shape = threeRows; }, MOE_STATUS_BAD_SHAPE,
             "input 'past', dim 0 (batch): expected 3 as in dim 0 (batch) of input 'x', found 2");
  expectWith(past.view, [&](moe_tensor &t) { t.shape = wrongHeads; }, MOE_STATUS_BAD_SHAPE, "input 'past', dim 1: expected 2, found 3");
  expectWith(y.view, [&](moe_tensor &t) { t.shape = threeRows; }, MOE_STATUS_BAD_SHAPE,
             "output 'y', dim 0 (batch): expected 2 for these inputs, found 3");
  expectWith(y.view, [this](moe_tensor &t) { t.data = x.data.data(); }, MOE_STATUS_BAD_ARGUMENT, "output 'y' overlaps input 'x'");
  expectWith(y.view, [this](moe_tensor &t) { t.data = &present.data[111]; }, MOE_STATUS_BAD_ARGUMENT, "output 'present' overlaps output 'y'");
  const moe_tensor before = y.view;
  y.view.byte_offset = 2;
  EXPECT_EQ(run(), MOE_STATUS_BAD_ARGUMENT);
  EXPECT_NE(std::string(lastError()).find("output 'y': expected an address that is a multiple of 4"), std::string::npos);
  y.view = before;
  EXPECT_EQ(run(), MOE_STATUS_OK);
  EXPECT_EQ(context->run(&x.view, 1, &y.view, 1), MOE_STATUS_BAD_ARGUMENT);
  EXPECT_STREQ(lastError(), "expected 2 inputs, found 1");
  EXPECT_EQ(context->run(nullptr, 2, nullptr, 2), MOE_STATUS_BAD_ARGUMENT);
}

TEST_F(ModelTest, ReportsWhatShapesAnswers) {
  auto expectSeq = [this](int64_t seq, moe_status status, const char *text) {
    Tensor wide({2, seq}), out({2, seq}), cache({2, 2, 3 + seq, 4});
    x.view = wide.view, y.view = out.view, present.view = cache.view;
    expectFailure(status, text);
  };
  expectSeq(5, MOE_STATUS_BAD_SHAPE, "expected seq to be even");
  expectSeq(66, MOE_STATUS_BAD_SHAPE, "the inputs' dims do not fit together");
  expectSeq(68, MOE_STATUS_BAD_SHAPE, "these inputs would give output 'y', dim 1, the size -1");
  expectSeq(70, MOE_STATUS_NO_MEMORY, "no memory for the 9223372036854775799 bytes that inputs of this size need");
  Tensor wide({2, 8}), out({2, 8}), cache({2, 2, 11, 4});
  x.view = wide.view, y.view = out.view, present.view = cache.view;
  EXPECT_EQ(run(), MOE_STATUS_OK) << "a context must survive every failure: " << lastError();
}

TEST_F(ModelTest, ReportsTheFirstFault) {
  auto expectFault = [this](const char *text, std::function<void(const MoeThread *)> found) {
    faults = std::move(found);
    for (int round = 0; round < 20; ++round)
      expectFailure(MOE_STATUS_BAD_ARGUMENT, text);
    faults = nullptr;
    EXPECT_EQ(run(), MOE_STATUS_OK) << "a context must survive a fault: " << lastError();
  };
  expectFault("a position: expected -4 to 3, found 9 (element 2)", [](const MoeThread *self) {
    if (self->thread == 1)
      moe_rt_fault(self->fault, 1, 2, 9, -4, 4);
  });
  // The least number, of that the least position: whichever thread finds it, and in whatever order.
  expectFault("an id: expected 0 to 6, found 7 (element 10)", [](const MoeThread *self) {
    moe_rt_fault(self->fault, 1, 0, 8, 0, 7);
    moe_rt_fault(self->fault, 0, 12 - self->thread, 9 - self->thread, 0, 7);
    moe_rt_fault(self->fault, 0, 20, 99, 0, 7);
  });
  expectFault("a value: expected none, found 0 (element 0)", [](const MoeThread *self) { moe_rt_fault(self->fault, 77, 0, 0, 0, 0); });
}

TEST_F(ModelTest, EveryThreadRoundsToNearest) {
  std::fesetround(FE_UPWARD);
  volatile float one = 1, tiny = 1e-10f;
  float sum = 0;
  duringRun = [&] { sum = one + tiny; };
  EXPECT_EQ(run(), MOE_STATUS_OK);
  duringRun = nullptr;
  EXPECT_EQ(sum, 1) << "rounded up as the caller had set it";
  EXPECT_EQ(std::fegetround(), FE_UPWARD) << "the caller's mode comes back";
  std::fesetround(FE_TONEAREST);
}

TEST_F(ModelTest, TwoThreadsWithAContextEach) {
  std::atomic<int> wrong{0};
  auto work = [&](float first) {
    moe_context own(*model, 2);
    if (own.prepare() != MOE_STATUS_OK)
      ++wrong;
    Tensor in({2, 4}, first), cache({2, 2, 3, 4}), out({2, 4}), extended({2, 2, 7, 4});
    const moe_tensor inputs[] = {in.view, cache.view}, outputs[] = {out.view, extended.view};
    for (int round = 0; round < 50; ++round) {
      std::fill(out.data.begin(), out.data.end(), 0.f);
      wrong += own.run(inputs, 2, outputs, 2) != MOE_STATUS_OK;
      for (int i = 0; i < 8; ++i)
        wrong += out.data[i] != 2 * in.data[i];
    }
  };
  std::thread other(work, 50.f);
  work(7.f);
  other.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(ModelTest, AContextRunsOnceAtATime) {
  duringRun = [this] { expectFailure(MOE_STATUS_BAD_ARGUMENT, "the context is running already: each thread needs a context of its own"); };
  EXPECT_EQ(run(), MOE_STATUS_OK);
  duringRun = nullptr;
  EXPECT_EQ(run(), MOE_STATUS_OK);
}

TEST_F(ModelTest, AModelInsideAModelRuns) {
  // Another context, run from inside a team: on one thread, without deadlock.
  moe_context inner(*model, 3);
  ASSERT_EQ(inner.prepare(), MOE_STATUS_OK);
  Tensor in({2, 4}, 5), cache({2, 2, 3, 4}), out({2, 4}), extended({2, 2, 7, 4});
  moe_status status = MOE_STATUS_INTERNAL;
  bool isInside = false;
  duringRun = [&] {
    if (isInside)
      return;
    isInside = true;
    const moe_tensor inputs[] = {in.view, cache.view}, outputs[] = {out.view, extended.view};
    status = inner.run(inputs, 2, outputs, 2);
  };
  EXPECT_EQ(run(), MOE_STATUS_OK);
  duringRun = nullptr;
  EXPECT_EQ(status, MOE_STATUS_OK);
  EXPECT_EQ(out.data[7], 24);
}

TEST(Model, PicksAVersionAndSaysWhyNot) {
  BlobModel description = cacheModel();
  description.versions = {{"future", 1ull << 63, {}}, {"plain", 0, {}}};
  const std::vector<unsigned char> blob = description.bytes();
  const Program program = {blob.data(), blob.size(), entries, shapes};
  moe_model *model = nullptr;
  ASSERT_EQ(openModel(program, "nowhere", nullptr, &model), MOE_STATUS_OK);
  EXPECT_EQ(model->version, 1u);
  model->release();
  moe_open_options options = {sizeof(options), "future", 0, 0};
  EXPECT_EQ(openModel(program, "nowhere", &options, &model), MOE_STATUS_UNSUPPORTED_CPU);
  EXPECT_STREQ(lastError(),
               "version 'future' does not run on this CPU, which lacks: 'future' needs (unknown feature bits 8000000000000000)");
  EXPECT_EQ(model, nullptr);
  options.isa = "avx3";
  EXPECT_EQ(openModel(program, "nowhere", &options, &model), MOE_STATUS_BAD_ARGUMENT);
  EXPECT_STREQ(lastError(), "expected one of the versions 'future', 'plain', found 'avx3'");
  options = {sizeof(options) + 8, nullptr, 0, 0};
  EXPECT_EQ(openModel(program, "nowhere", &options, &model), MOE_STATUS_BAD_ARGUMENT);
  EXPECT_EQ(openModel(program, nullptr, nullptr, &model), MOE_STATUS_BAD_ARGUMENT);
  EXPECT_EQ(openModel(program, "nowhere", nullptr, nullptr), MOE_STATUS_BAD_ARGUMENT);
}

} // namespace
