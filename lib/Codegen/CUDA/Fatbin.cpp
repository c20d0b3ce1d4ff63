// ptxas and fatbinary: found, run, and explained where they fail.
#include "moe/Codegen/CUDA/Fatbin.h"

#include "moe/Support/ChildProcess.h"

#include "mlir/IR/Diagnostics.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"

using namespace mlir;

namespace moe {
namespace {

/// The program `name`; `variable` may name another. Empty where there is none.
FailureOr<std::string> findProgram(Location loc, const char *variable, StringRef name) {
  if (auto chosen = llvm::sys::Process::GetEnv(variable); chosen && !chosen->empty()) {
    if (!llvm::sys::fs::can_execute(*chosen))
      return emitError(loc) << variable << " names no program: '" << *chosen << "'";
    return *chosen;
  }
  if (auto home = llvm::sys::Process::GetEnv("CUDA_HOME"); home && !home->empty()) {
    llvm::SmallString<128> path(*home);
    llvm::sys::path::append(path, "bin", name);
    if (llvm::sys::fs::can_execute(path))
      return std::string(path);
  }
  auto found = llvm::sys::findProgramByName(name);
  return found ? *found : std::string();
}

LogicalResult runTool(Location loc, StringRef program, ArrayRef<std::string> arguments, unsigned timeoutSeconds, std::string &output) {
  ChildResult result = runChild(program, arguments, timeoutSeconds);
  output = std::move(result.output);
  if (result.succeeded())
    return success();
  InFlightDiagnostic diagnostic = emitError(loc) << program << " failed";
  if (result.ending == ChildResult::TimedOut)
    diagnostic << ": it was stopped after " << result.code << " seconds (--worker-timeout)";
  else if (result.ending == ChildResult::Signalled)
    diagnostic << ": it was ended by signal " << result.code;
  SmallVector<StringRef> lines;
  StringRef(output).split(lines, '\n', -1, /*KeepEmpty=*/false);
  for (StringRef line : ArrayRef(lines).take_back(5))
    diagnostic.attachNote(loc) << llvm::sys::path::filename(program) << ": " << line.trim();
  return diagnostic;
}

} // namespace

FailureOr<CudaTools> findCudaTools(Location loc) {
  auto ptxas = findProgram(loc, "MOE_PTXAS", "ptxas"), fatbinary = findProgram(loc, "MOE_FATBINARY", "fatbinary"),
       disassembler = findProgram(loc, "MOE_NVDISASM", "nvdisasm");
  if (failed(ptxas) || failed(fatbinary) || failed(disassembler))
    return failure();
  // They come together; $MOE_PTXAS may be the only one that says where.
  if (fatbinary->empty() && !ptxas->empty()) {
    llvm::SmallString<128> beside(llvm::sys::path::parent_path(*ptxas));
    llvm::sys::path::append(beside, "fatbinary");
    if (llvm::sys::fs::can_execute(beside))
      *fatbinary = std::string(beside);
  }
  return CudaTools{*ptxas, *fatbinary, *disassembler};
}

FailureOr<std::vector<Cubin>> assembleCubins(Location loc, ArrayRef<PtxFile> ptx, StringRef folder, const CudaTools &tools, unsigned timeoutSeconds) {
  std::vector<Cubin> cubins;
  for (const PtxFile &file : ptx) {
    llvm::SmallString<128> path(folder);
    llvm::sys::path::append(path, "kernels." + file.arch + ".cubin");
    Cubin cubin = {file.arch, std::string(path), ""};
    if (failed(runTool(loc, tools.ptxas, {"-v", "-arch=" + file.arch, file.path, "-o", cubin.path}, timeoutSeconds, cubin.report)))
      return failure();
    cubins.push_back(std::move(cubin));
  }
  return cubins;
}

static std::string numberOf(StringRef arch) { return arch.drop_front(strlen("sm_")).str(); }

LogicalResult writeFatbin(Location loc, ArrayRef<Cubin> cubins, const PtxFile &ptx, StringRef path, const CudaTools &tools, unsigned timeoutSeconds) {
  std::vector<std::string> arguments = {"--create=" + path.str(), "--64"};
  for (const Cubin &cubin : cubins)
    arguments.push_back("--image3=kind=elf,sm=" + numberOf(cubin.arch) + ",file=" + cubin.path);
  arguments.push_back("--image3=kind=ptx,sm=" + numberOf(ptx.arch) + ",file=" + ptx.path);
  std::string output;
  return runTool(loc, tools.fatbinary, arguments, timeoutSeconds, output);
}

} // namespace moe
