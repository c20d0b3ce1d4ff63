// See CodeFlags.h. Enumerations are texts to LLVM, whose own message would not list the values.
#include "CodeFlags.h"
#include "CommandLine.h"
#include "PlanFlags.h"

#include "llvm/ADT/StringSwitch.h"

#include <optional>

using namespace llvm;

namespace {

cl::OptionCategory &model = modelOptions(), &written = outputOptions();

cl::opt<std::string> target("target", cl::desc("Processor to compile for: cpu (x86-64), cuda (NVIDIA GPU of compute capability 8.0 or newer)"), cl::init("cpu"), cl::value_desc("name"), cl::cat(model));
cl::opt<bool> withSim("with-sim", cl::desc("With --target=cuda: add the kernels for the SIMT executor, which runs them without a GPU"), cl::cat(written));
cl::opt<std::string> gpuCode("gpu-code", cl::desc("With --target=cuda: code of the kernels: fatbin (machine code of sm_80 and sm_90a, and PTX), ptx (the driver compiles it at load), "
                                                  "auto (fatbin where ptxas and fatbinary are found: $MOE_PTXAS, $CUDA_HOME/bin, $PATH)"), cl::init("auto"), cl::value_desc("kind"), cl::cat(written));
cl::opt<std::string> gpuArch("gpu-arch", cl::desc("With --target=cuda: GPUs that kernels are for: sm_80 (compute capability 8.0 and newer), sm_90a (9.0 alone, with wgmma), all (an artifact with "
                                                  "machine code has both, and the GPU picks; without, sm_80)"), cl::init("all"), cl::value_desc("arch"), cl::cat(model));
cl::opt<std::string> emitKind("emit", cl::desc("Write this instead of an artifact: mlir (the module after the last stage), llvm (LLVM IR), asm, "
                                               "obj (an object file), ptx (kernels of --target=cuda), sass-report (what ptxas makes of them: registers, spills, occupancy, hot loops)"), cl::value_desc("kind"), cl::cat(written));
cl::opt<std::string> cudaTile("cuda-tile", cl::desc("For tests: the tensor core tile of all products, as ROWSxCOLUMNS, or wgmma_ROWSxCOLUMNS"), cl::Hidden, cl::cat(model));

} // namespace

bool readCodeFlags(moe::SessionOptions &options) {
  if (target != "cpu" && target != "cuda")
    return fail("--target expects cpu or cuda, got '" + target + "'");
  options.target = target == "cpu" ? moe::Target::Cpu : moe::Target::Cuda;
  const auto kind = StringSwitch<std::optional<moe::Emit>>(emitKind)
                        .Case("mlir", moe::Emit::Mlir)
                        .Case("llvm", moe::Emit::Llvm)
                        .Case("asm", moe::Emit::Assembly)
                        .Case("obj", moe::Emit::Object)
                        .Case("ptx", moe::Emit::Ptx)
                        .Case("sass-report", moe::Emit::SassReport)
                        .Default(std::nullopt);
  if (!kind && emitKind.getNumOccurrences())
    return fail("--emit expects mlir, llvm, asm, obj, ptx or sass-report, got '" + emitKind + "'");
  options.emit = kind.value_or(moe::Emit::Artifact);
  const auto code = StringSwitch<std::optional<moe::GpuCode>>(gpuCode)
                        .Case("auto", moe::GpuCode::Auto)
                        .Case("ptx", moe::GpuCode::Ptx)
                        .Case("fatbin", moe::GpuCode::Fatbin)
                        .Default(std::nullopt);
  if (!code)
    return fail("--gpu-code expects auto, ptx or fatbin, got '" + gpuCode + "'");
  options.gpuCode = *code;
  if (gpuArch != "all" && gpuArch != "sm_80" && gpuArch != "sm_90a")
    return fail("--gpu-arch expects all, sm_80 or sm_90a, got '" + gpuArch + "'");
  options.gpuArch = gpuArch;
  options.withSim = withSim;
  options.cudaTile = cudaTile;
  return true;
}
