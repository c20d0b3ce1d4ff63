// Whole artifacts: a lowered module becomes a folder, the folder is loaded through the C ABI and computes the right numbers. And what the user
// sees when a step fails: one error, the old artifact untouched, nothing left behind.
#include "TestModule.h"
#include "mlir/Pass/PassManager.h"
#include "moe/Codegen/CPU/Objects.h"
#include "moe/Codegen/CPU/Passes.h"
#include "moe/Package/Package.h"
#include "moe/Runtime/moe_model.h"

#include <cmath>
#include <dlfcn.h>

using namespace moe;
using mlir::failed;
using mlir::LogicalResult;
using mlir::ModuleOp;
using mlir::succeeded;

namespace {

struct ArtifactTest : ModuleTest {
  ArtifactTest() { worker.path = MOE_TEST_WORKER; }

  mlir::OwningOpRef<ModuleOp> lowered() { return parse(readFile(MOE_TEST_LOWERED)); }

  /// One object per version, as the driver makes them.
  void compile(ModuleOp module, const std::vector<IsaCode> &versions) {
    for (auto [number, isa] : llvm::enumerate(versions)) {
      mlir::OwningOpRef<ModuleOp> copy = module.clone();
      CpuCodegenOptions codegen;
      for (const std::string &feature : isa.features)
        codegen.features += (codegen.features.empty() ? "+" : ",+") + feature;
      codegen.version = number;
      mlir::PassManager manager(&context);
      buildCpuCodegenPipeline(manager, codegen);
      ASSERT_TRUE(succeeded(manager.run(*copy))) << takeDiagnostics();
      inputs.objects.push_back(path("version" + std::to_string(number) + ".o"));
      ASSERT_TRUE(succeeded(emitObject(*copy, ObjectKind::Object, inputs.objects.back(), worker))) << takeDiagnostics();
    }
    inputs.wholeArchives = {MOE_TEST_RUNTIME};
    inputs.archives = {MOE_TEST_MACHINE};
  }

  ArtifactOptions options(const std::string &name) {
    ArtifactOptions options;
    options.path = path(name);
    options.isaVersions = {{"x86-64", {}}};
    options.link = [this](ModuleOp tables, llvm::StringRef output) { return emitAndLinkModel(tables, inputs, output, worker); };
    return options;
  }

  std::vector<std::string> entries(const std::string &directory) {
    std::vector<std::string> names;
    std::error_code error;
    for (llvm::sys::fs::directory_iterator it(directory, error), end; it != end && !error; it.increment(error))
      names.push_back(llvm::StringRef(it->path()).rsplit('/').second.str());
    llvm::sort(names);
    return names;
  }

  WorkerOptions worker;
  LinkInputs inputs;
};

/// The functions of a loaded model.so.
struct LoadedModel {
  explicit LoadedModel(const std::string &folder) : handle(dlopen((folder + "/model.so").c_str(), RTLD_NOW | RTLD_LOCAL)) {
    EXPECT_TRUE(handle) << dlerror();
  }
  template <typename Function> Function *get(const char *name) const { return reinterpret_cast<Function *>(dlsym(handle, name)); }
  void *handle;
};
#define MOE_CALL(model, function) model.get<decltype(function)>(#function)

moe_tensor tensor(void *data, moe_dtype dtype, std::vector<int64_t> &shape) {
  return {data, {MOE_CPU, 0}, static_cast<int32_t>(shape.size()), dtype, shape.data(), nullptr, 0};
}

} // namespace

TEST_F(ArtifactTest, CompilesLoadsAndRuns) {
  auto module = lowered();
  ArtifactOptions request = options("nested %20/model%%");
  request.isaVersions = {{"avx2", {"avx2", "fma"}}, {"x86-64", {}}};
  compile(*module, request.isaVersions);
  ASSERT_TRUE(succeeded(writeArtifact(*module, request))) << takeDiagnostics();
  EXPECT_EQ(entries(request.path), (std::vector<std::string>{"manifest.json", "model.h", "model.so", "model.weights"}));
  EXPECT_EQ(entries(path("nested %20")), std::vector<std::string>{"model%%"});

  LoadedModel so(request.path);
  for (const char *hidden : {"moe_entry_0", "moe_entry_1", "moe_shapes", "moe_model_info", "moe_entries"})
    EXPECT_FALSE(dlsym(so.handle, hidden)) << hidden;
  const int64_t batch = 37;
  std::vector<float> x(batch * 16), y(batch * 16), angles(batch);
  std::vector<int64_t> steps(batch), xShape = {batch, 16}, stepShape = {batch}, yShape = {batch, 16}, angleShape = {batch};
  for (int64_t i = 0; i < batch * 16; ++i)
    x[i] = static_cast<float>((i * 29) % 64 - 32) / 8;
  for (int64_t i = 0; i < batch; ++i)
    steps[i] = i * i;
  const float bias[] = {0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, -0.5, -1.0, -1.5, -2.0, -2.5, -3.0, -3.5, -4.0};
  for (const char *isa : {"avx2", "x86-64"}) {
    moe_open_options open = {sizeof(open), isa, /*verify=*/1, 0};
    moe_model *model = nullptr;
    moe_status status = MOE_CALL(so, moe_model_open)(request.path.c_str(), &open, &model);
    if (status == MOE_STATUS_UNSUPPORTED_CPU)
      continue;
    ASSERT_EQ(status, MOE_STATUS_OK) << MOE_CALL(so, moe_last_error)();
    for (int threads : {1, 3}) {
      moe_context *run = nullptr;
      ASSERT_EQ(MOE_CALL(so, moe_context_create)(model, threads, &run), MOE_STATUS_OK);
      std::fill(y.begin(), y.end(), NAN);
      moe_tensor in[] = {tensor(x.data(), {MOE_FLOAT, 32, 1}, xShape), tensor(steps.data(), {MOE_INT, 64, 1}, stepShape)};
      moe_tensor out[] = {tensor(y.data(), {MOE_FLOAT, 32, 1}, yShape), tensor(angles.data(), {MOE_FLOAT, 32, 1}, angleShape)};
      ASSERT_EQ(MOE_CALL(so, moe_context_run)(run, in, 2, out, 2), MOE_STATUS_OK) << MOE_CALL(so, moe_last_error)();
      for (int64_t i = 0; i < batch * 16; ++i) {
        double s = x[i] + bias[i % 16] + 0.25;
        ASSERT_NEAR(y[i], s * s + s, 1e-5) << isa << " " << threads << " " << i;
      }
      for (int64_t i = 0; i < batch; ++i)
        ASSERT_NEAR(angles[i], std::sin(static_cast<double>(steps[i])), 1e-6);
      MOE_CALL(so, moe_context_destroy)(run);
    }
    MOE_CALL(so, moe_model_close)(model);
  }
}

TEST_F(ArtifactTest, ReplacesAnArtifactAndNothingElse) {
  auto module = lowered();
  ArtifactOptions request = options("out");
  request.link = [](ModuleOp, llvm::StringRef output) {
    std::error_code error;
    llvm::raw_fd_ostream(output, error) << "so";
    return mlir::success();
  };
  ASSERT_FALSE(llvm::sys::fs::create_directory(request.path));
  ASSERT_TRUE(succeeded(writeArtifact(*module, request))) << takeDiagnostics();
  writeFile("out/stale", "old");
  request.path += "/";
  ASSERT_TRUE(succeeded(writeArtifact(*module, request))) << takeDiagnostics();
  EXPECT_EQ(entries(path("out")).size(), 4u);
  EXPECT_EQ(entries(folder), std::vector<std::string>{"out"});

  ASSERT_FALSE(llvm::sys::fs::create_directory(path("mine")));
  writeFile("mine/thesis.tex", "years");
  request.path = path("mine");
  EXPECT_TRUE(failed(writeArtifact(*module, request)));
  EXPECT_NE(takeDiagnostics().find("is not an artifact (it has no manifest.json)"), std::string::npos);
  EXPECT_EQ(readFile(path("mine/thesis.tex")), "years");
  request.path = path("mine/thesis.tex");
  EXPECT_TRUE(failed(writeArtifact(*module, request)));
  EXPECT_NE(takeDiagnostics().find("exists and is no folder"), std::string::npos);
  request.path = path("mine/thesis.tex/model");
  EXPECT_TRUE(failed(writeArtifact(*module, request)));
  EXPECT_NE(takeDiagnostics().find("cannot create"), std::string::npos);
}

TEST_F(ArtifactTest, FailureLeavesTheOldArtifact) {
  auto module = lowered();
  ArtifactOptions request = options("out");
  ASSERT_FALSE(llvm::sys::fs::create_directory(request.path));
  writeFile("out/manifest.json", "old");
  request.link = [](ModuleOp tables, llvm::StringRef) -> LogicalResult { return tables.emitError("no linker today"); };
  EXPECT_TRUE(failed(writeArtifact(*module, request)));
  EXPECT_EQ(takeDiagnostics(), "no linker today\n");
  EXPECT_EQ(readFile(path("out/manifest.json")), "old");
  EXPECT_EQ(entries(folder), std::vector<std::string>{"out"});
  request.isaVersions.clear();
  EXPECT_TRUE(failed(writeArtifact(*module, request)));
  EXPECT_NE(takeDiagnostics().find("at least one ISA version"), std::string::npos);
}

TEST_F(ArtifactTest, LinkErrorsNameTheSymbol) {
  auto module = lowered();
  ArtifactOptions request = options("out");
  inputs.wholeArchives = {MOE_TEST_RUNTIME};
  inputs.archives = {MOE_TEST_MACHINE};
  EXPECT_TRUE(failed(writeArtifact(*module, request)));
  std::string text = takeDiagnostics();
  EXPECT_NE(text.find("codegen worker failed (exit status 1)"), std::string::npos) << text;
  EXPECT_NE(text.find("moe_entry_0"), std::string::npos) << text;
  EXPECT_TRUE(entries(folder).empty());
}

TEST_F(ArtifactTest, WorkerFaultsAreErrors) {
  auto module = parse("llvm.func @f() {\n llvm.return\n}");
  auto expect = [&](const char *fault, const char *message, const char *note) {
    worker.injectFault = fault;
    EXPECT_TRUE(failed(emitObject(*module, ObjectKind::Object, path("f.o"), worker)));
    std::string text = takeDiagnostics();
    EXPECT_NE(text.find(message), std::string::npos) << text;
    EXPECT_NE(text.find(note), std::string::npos) << text;
    EXPECT_FALSE(llvm::sys::fs::exists(path("f.o")));
  };
  worker.memoryLimit = uint64_t(2) << 30;
  expect("abort", "codegen worker was killed (signal 6, Aborted)", "it may use 2048 MiB of memory; raise this with --worker-memory-limit");
  expect("kill", "codegen worker was killed (signal 9, Killed)", "raise this with --worker-memory-limit");
  worker.timeoutSeconds = 1;
  expect("hang", "codegen worker took longer than 1 s and was stopped", "raise the limit with --worker-timeout");
  worker.timeoutSeconds = 60;
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer) // those lift the limit
  // How it dies depends on who asks for memory last; the note says what to do in any case.
  expect("oom", "codegen worker", "it may use 2048 MiB of memory");
  worker.memoryLimit = 1 << 20;
  expect("", "codegen worker", "");
  worker.memoryLimit = uint64_t(2) << 30;
#endif
  worker.injectFault.clear();
  worker.path = "/nowhere/worker";
  EXPECT_TRUE(failed(emitObject(*module, ObjectKind::Object, path("g.o"), worker)));
  EXPECT_NE(takeDiagnostics().find("codegen worker did not run"), std::string::npos);
  worker = WorkerOptions();
  worker.path = MOE_TEST_WORKER;
  EXPECT_TRUE(succeeded(emitObject(*module, ObjectKind::Object, path("f.o"), worker))) << takeDiagnostics();
}

TEST_F(ArtifactTest, CodeThatLlvmCannotCompileIsAnError) {
  // An AVX-512 intrinsic without the feature: LLVM's instruction selection aborts.
  auto module = parse(R"(llvm.func @f(%a: vector<16xf32>) -> vector<16xf32> {
    %m = llvm.mlir.constant(-1 : i16) : i16
    %r = llvm.mlir.constant(8 : i32) : i32
    %0 = llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"(%a, %a, %a, %m, %r)
      : (vector<16xf32>, vector<16xf32>, vector<16xf32>, i16, i32) -> vector<16xf32>
    llvm.return %0 : vector<16xf32>
  })");
  EXPECT_TRUE(failed(emitObject(*module, ObjectKind::Object, path("f.o"), worker)));
  EXPECT_NE(takeDiagnostics().find("codegen worker"), std::string::npos);
}
