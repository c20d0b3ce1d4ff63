// The stub driver as a host side sees it: kernels are functions on the executor's ABI, registered by hand.
#include "moe/Codegen/CUDA/Simt/Abi.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <string>
#include <vector>

using Result = int;
using Device = uint64_t;

extern "C" {
Result cuInit(unsigned);
Result cuDeviceGetCount(int *);
Result cuDeviceGetAttribute(int *, int, int);
Result cuMemAlloc_v2(Device *, size_t);
Result cuMemFree_v2(Device);
Result cuMemGetInfo_v2(size_t *, size_t *);
Result cuMemcpyHtoD_v2(Device, const void *, size_t);
Result cuMemcpyDtoH_v2(void *, Device, size_t);
Result cuMemcpyDtoHAsync_v2(void *, Device, size_t, void *);
Result cuMemsetD8Async(Device, unsigned char, size_t, void *);
Result cuLibraryLoadData(void **, const void *, int *, void **, unsigned, int *, void **, unsigned);
Result cuLibraryUnload(void *);
Result cuLibraryGetKernel(void **, void *, const char *);
Result cuFuncSetAttribute(void *, int, int);
Result cuFuncGetAttribute(int *, int, void *);
Result cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);
Result cuLaunchKernelEx(const void *, void *, void **, void **);
Result cuStreamCreate(void **, unsigned);
Result cuStreamDestroy_v2(void *);
Result cuStreamSynchronize(void *);
Result cuStreamBeginCapture_v2(void *, int);
Result cuStreamEndCapture(void *, void **);
Result cuGraphInstantiateWithFlags(void **, void *, unsigned long long);
Result cuGraphLaunch(void *, void *);
Result cuGraphDestroy(void *);
Result cuGraphExecDestroy(void *);
Result cuEventCreate(void **, unsigned);
Result cuEventRecord(void *, void *);
Result cuEventElapsedTime(float *, void *, void *);
Result cuEventDestroy_v2(void *);
Result cuGetErrorName(Result, const char **);
Result cuGetErrorString(Result, const char **);
}

namespace {

constexpr int maxDynamicShared = 8;
struct Code {
  unsigned short kind;
  unsigned arch;
  const char *kernel = "scale";
  bool isSpecific = false;
};
/// A fatbin as fatbinary writes it: a header, then kind (1 is PTX, 2 machine code), size, architecture and flags of each code, and the name of a kernel's section.
std::vector<char> makeFatbin(const std::vector<Code> &codes) {
  constexpr size_t headerBytes = 16, entryBytes = 64, codeBytes = 32;
  std::vector<char> file(headerBytes + codes.size() * (entryBytes + codeBytes));
  auto put = [&](size_t at, auto value) { std::memcpy(file.data() + at, &value, sizeof(value)); };
  put(0, 0xBA55ED50u), put(4, uint16_t(1)), put(6, uint16_t(headerBytes)), put(8, uint64_t(file.size() - headerBytes));
  for (size_t i = 0, at = headerBytes; i < codes.size(); ++i, at += entryBytes + codeBytes)
    put(at, codes[i].kind), put(at + 4, unsigned(entryBytes)), put(at + 8, uint64_t(codeBytes)), put(at + 28, codes[i].arch),
        put(at + 40, uint64_t(codes[i].isSpecific) << 20), std::strcpy(file.data() + at + entryBytes, (std::string(".text.") + codes[i].kernel).c_str());
  return file;
}
constexpr unsigned short ptxCode = 1, machineCode = 2;
const std::vector<char> fatbin = makeFatbin({{machineCode, 80}, {ptxCode, 80}});

SimtShared dynamicShared = {"dynamic", 0, 128, 0};
SimtShared *const sharedOfScale[] = {&dynamicShared};
const uint64_t sizesOfScale[] = {8, 4};

/// x[i] = scale * x[i], through shared memory.
void scale(void **parameters) {
  auto *x = *static_cast<float **>(parameters[0]);
  const float factor = *static_cast<float *>(parameters[1]);
  const uint32_t thread = simt_register(simtTidX), i = simt_register(simtCtaidX) * simt_register(simtNtidX) + thread;
  auto *shared = reinterpret_cast<float *>(simt_shared(&dynamicShared));
  simt_check(x + i, 4, 4, simtRead, 1, "load");
  const float value = x[i];
  simt_check(shared + thread, 4, 4, simtWrite, 3, "store");
  shared[thread] = value * factor;
  simt_barrier(0, 0, "barrier");
  simt_check(x + i, 4, 4, simtWrite, 1, "store back");
  x[i] = shared[thread];
}

const SimtKernel kernels[] = {{"scale", scale, sharedOfScale, 1, sizesOfScale, 2, 128}};
const SimtModule module = {simtAbiVersion, kernels, 1, nullptr, 0};

struct SimtDriver : testing::Test {
  static void SetUpTestSuite() { moe_simt_register(&module); }

  void SetUp() override {
    ASSERT_EQ(cuInit(0), 0);
    ASSERT_EQ(cuLibraryLoadData(&library, fatbin.data(), nullptr, nullptr, 0, nullptr, nullptr, 0), 0);
    ASSERT_EQ(cuLibraryGetKernel(&kernel, library, "scale"), 0);
    ASSERT_EQ(cuMemAlloc_v2(&memory, count * sizeof(float)), 0);
    std::vector<float> values(count);
    std::iota(values.begin(), values.end(), 0.0f);
    ASSERT_EQ(cuMemcpyHtoD_v2(memory, values.data(), count * sizeof(float)), 0);
  }

  void TearDown() override {
    cuMemFree_v2(memory);
    cuLibraryUnload(library);
  }

  Result launch(unsigned blocks, unsigned threads, unsigned sharedBytes, void *stream = nullptr) {
    float factor = 2.0f;
    void *parameters[] = {&memory, &factor};
    return cuLaunchKernel(kernel, blocks, 1, 1, threads, 1, 1, sharedBytes, stream, parameters, nullptr);
  }

  std::vector<float> values() {
    std::vector<float> result(count);
    EXPECT_EQ(cuMemcpyDtoH_v2(result.data(), memory, count * sizeof(float)), 0);
    return result;
  }

  static constexpr size_t count = 256;
  void *library = nullptr, *kernel = nullptr;
  Device memory = 0;
};

TEST_F(SimtDriver, LaunchesAndCopies) {
  ASSERT_EQ(launch(2, 128, 512), 0);
  ASSERT_EQ(cuStreamSynchronize(nullptr), 0);
  for (size_t i = 0; i < count; ++i)
    EXPECT_EQ(values()[i], 2.0f * i);
}

TEST_F(SimtDriver, SaysWhatItIs) {
  int devices = 0, major = 0, optIn = 0, most = 0;
  EXPECT_EQ(cuDeviceGetCount(&devices), 0);
  EXPECT_EQ(devices, 1);
  EXPECT_EQ(cuDeviceGetAttribute(&major, 75, 0), 0);
  EXPECT_EQ(major, 9);
  EXPECT_EQ(cuDeviceGetAttribute(&optIn, 97, 0), 0);
  EXPECT_EQ(optIn, 232448);
  EXPECT_EQ(cuFuncGetAttribute(&most, 0, kernel), 0);
  EXPECT_EQ(most, 128);
}

TEST_F(SimtDriver, TakesTheFatbinsThatHaveCodeForTheDevice) {
  void *other = nullptr;
  auto load = [&](const std::vector<char> &file) { return cuLibraryLoadData(&other, file.data(), nullptr, nullptr, 0, nullptr, nullptr, 0); };
  // The device is of 9.0: machine code of 8.0 does not run there, PTX of 8.0 does, PTX of 10.0 does not.
  EXPECT_EQ(load(makeFatbin({{machineCode, 90}})), 0);
  EXPECT_EQ(load(makeFatbin({{machineCode, 80}})), 209);
  EXPECT_EQ(load(makeFatbin({{machineCode, 80}, {ptxCode, 100}})), 209);
  EXPECT_EQ(load(makeFatbin({{machineCode, 80}, {machineCode, 90}})), 0);
  // Machine code of 9.0a runs on 9.0, but not what is for 10.0 alone.
  EXPECT_EQ(load(makeFatbin({{machineCode, 90, "scale", true}})), 0);
  EXPECT_EQ(load(makeFatbin({{ptxCode, 80, "scale", true}})), 209);
  std::vector<char> cut = makeFatbin({{machineCode, 80}, {ptxCode, 80}});
  cut[16 + 8] = char(200); // The first code reaches past the end.
  EXPECT_EQ(load(cut), 200);
}

TEST_F(SimtDriver, FindsKernelsInTheCodeForTheDeviceAlone) {
  void *other = nullptr, *found = nullptr;
  auto find = [&](const void *image) {
    EXPECT_EQ(cuLibraryLoadData(&other, image, nullptr, nullptr, 0, nullptr, nullptr, 0), 0);
    const Result result = cuLibraryGetKernel(&found, other, "scale");
    cuLibraryUnload(other);
    return result;
  };
  EXPECT_EQ(find(makeFatbin({{machineCode, 80, "other"}, {machineCode, 90}}).data()), 0);
  EXPECT_EQ(find(makeFatbin({{machineCode, 80}, {machineCode, 90, "other"}}).data()), 500);
  EXPECT_EQ(find(makeFatbin({{machineCode, 90, "scale_1"}}).data()), 500);
  EXPECT_EQ(find("\n.version 8.0\n.target sm_80\n.visible .entry scale(\n"), 0);
  EXPECT_EQ(find("\n.version 8.0\n.target sm_90a\n.visible .entry scale(\n"), 0);
  EXPECT_EQ(find("\n.version 8.0\n.target sm_80\n.visible .entry scale_1(\n"), 500);
  EXPECT_EQ(cuLibraryLoadData(&other, "\n.version 8.0\n.target sm_80a\n.visible .entry scale(\n", nullptr, nullptr, 0, nullptr, nullptr, 0), 209);
}

TEST_F(SimtDriver, RefusesWhatTheDriverRefuses) {
  void *other = nullptr;
  const char nonsense[16] = "not an image";
  EXPECT_EQ(cuLibraryLoadData(&other, nonsense, nullptr, nullptr, 0, nullptr, nullptr, 0), 200);
  EXPECT_EQ(cuLibraryGetKernel(&other, library, "no_such_kernel"), 500);
  // More than 48 KiB of shared memory must be asked for.
  EXPECT_EQ(launch(1, 128, 64 << 10), 1);
  EXPECT_EQ(cuFuncSetAttribute(kernel, maxDynamicShared, 300 << 10), 1);
  EXPECT_EQ(cuFuncSetAttribute(kernel, maxDynamicShared, 64 << 10), 0);
  EXPECT_EQ(launch(1, 128, 64 << 10), 0);
  EXPECT_EQ(launch(0, 128, 512), 1);
  EXPECT_EQ(launch(1, 1025, 512), 1);
  float host = 0;
  EXPECT_EQ(cuMemcpyDtoH_v2(&host, reinterpret_cast<Device>(&host), 4), 1);
  EXPECT_EQ(cuMemFree_v2(memory + 4), 1);
  Device huge = 0;
  size_t available = 0, total = 0;
  EXPECT_EQ(cuMemGetInfo_v2(&available, &total), 0);
  EXPECT_EQ(cuMemAlloc_v2(&huge, available + 1), 2);
}

TEST_F(SimtDriver, LaunchesAsAGraph) {
  void *stream = nullptr, *graph = nullptr, *executable = nullptr;
  ASSERT_EQ(cuStreamCreate(&stream, 0), 0);
  ASSERT_EQ(cuStreamBeginCapture_v2(stream, 0), 0);
  EXPECT_EQ(launch(2, 128, 512, stream), 0);
  EXPECT_EQ(launch(2, 128, 512, stream), 0);
  // What waits or allocates is refused while a stream is captured.
  Device other = 0;
  EXPECT_EQ(cuStreamSynchronize(stream), 900);
  EXPECT_EQ(cuMemAlloc_v2(&other, 16), 900);
  ASSERT_EQ(cuStreamEndCapture(stream, &graph), 0);
  EXPECT_EQ(values()[3], 3.0f);
  ASSERT_EQ(cuGraphInstantiateWithFlags(&executable, graph, 0), 0);
  EXPECT_EQ(cuGraphLaunch(executable, stream), 0);
  EXPECT_EQ(values()[3], 12.0f);
  EXPECT_EQ(cuGraphLaunch(executable, stream), 0);
  EXPECT_EQ(values()[3], 48.0f);
  cuGraphExecDestroy(executable);
  cuGraphDestroy(graph);
  cuStreamDestroy_v2(stream);
}

TEST_F(SimtDriver, LaunchesByConfiguration) {
  struct {
    unsigned grid[3] = {2, 1, 1}, block[3] = {128, 1, 1}, shared = 512;
    void *stream = nullptr, *attributes = nullptr;
    unsigned attributeCount = 0;
  } configuration;
  float factor = 3.0f;
  void *parameters[] = {&memory, &factor};
  EXPECT_EQ(cuLaunchKernelEx(&configuration, kernel, parameters, nullptr), 0);
  EXPECT_EQ(values()[10], 30.0f);
  EXPECT_EQ(cuMemsetD8Async(memory, 0, count * sizeof(float), nullptr), 0);
  EXPECT_EQ(values()[10], 0.0f);
}

TEST_F(SimtDriver, MeasuresTime) {
  void *start = nullptr, *end = nullptr;
  float milliseconds = -1;
  ASSERT_EQ(cuEventCreate(&start, 0), 0);
  ASSERT_EQ(cuEventCreate(&end, 0), 0);
  EXPECT_EQ(cuEventRecord(start, nullptr), 0);
  EXPECT_EQ(launch(2, 128, 512), 0);
  EXPECT_EQ(cuEventRecord(end, nullptr), 0);
  EXPECT_EQ(cuEventElapsedTime(&milliseconds, start, end), 0);
  EXPECT_GE(milliseconds, 0.0f);
  cuEventDestroy_v2(start);
  cuEventDestroy_v2(end);
}

// The last test of the suite: the driver does not forget.
TEST_F(SimtDriver, ZFaultStays) {
  // The third block is outside of the allocation; the launch itself is not told.
  EXPECT_EQ(launch(3, 128, 512), 0);
  EXPECT_EQ(cuStreamSynchronize(nullptr), 719);
  float host = 0;
  EXPECT_EQ(cuMemcpyDtoH_v2(&host, memory, 4), 719);
  EXPECT_EQ(launch(2, 128, 512), 719);
  const char *name = nullptr, *text = nullptr;
  ASSERT_EQ(cuGetErrorName(719, &name), 0);
  EXPECT_STREQ(name, "CUDA_ERROR_LAUNCH_FAILED");
  ASSERT_EQ(cuGetErrorString(719, &text), 0);
  EXPECT_NE(std::string(text).find("kernel scale, block (2,0,0), thread (0,0,0), at load: reads 4 bytes out of bounds"), std::string::npos) << text;
}

} // namespace
