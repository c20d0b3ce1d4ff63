// moe-codegen-worker: the child process in which LLVM and lld run for moe-compile. Two modes:
//   moe-codegen-worker emit INPUT --output-kind=obj|asm|llvm|ptx -o FILE      INPUT: a module of the LLVM dialect
//   moe-codegen-worker link OBJECT... -o model.so --whole-archive=A --archive=B --export=PATTERN
// It limits its own memory first; the parent limits its time and explains its end to the user.
#include "moe/Codegen/CPU/Objects.h"
#include "moe/Codegen/CUDA/Kernels.h"

#include "lld/Common/Driver.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Path.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

LLD_HAS_DRIVER(elf)

using namespace llvm;

namespace {

cl::OptionCategory category("moe-codegen-worker");

enum class Fault { None, Abort, Kill, Hang, OutOfMemory };

cl::opt<std::string> mode(cl::Positional, cl::Required, cl::cat(category), cl::desc("emit|link"));
cl::list<std::string> inputs(cl::Positional, cl::OneOrMore, cl::cat(category), cl::desc("inputs"));
cl::opt<std::string> output("o", cl::Required, cl::cat(category), cl::desc("file to write"), cl::value_desc("file"));
cl::opt<moe::ObjectKind> kind("output-kind", cl::cat(category), cl::desc("what to write"), cl::init(moe::ObjectKind::Object),
                              cl::values(clEnumValN(moe::ObjectKind::Object, "obj", "ELF object"),
                                         clEnumValN(moe::ObjectKind::Assembly, "asm", "assembly"),
                                         clEnumValN(moe::ObjectKind::LLVMIR, "llvm", "optimised LLVM IR"),
                                         clEnumValN(moe::ObjectKind::Ptx, "ptx", "PTX of a module of kernels")));
cl::list<std::string> wholeArchives("whole-archive", cl::cat(category), cl::desc("archive to link in full"));
cl::list<std::string> archives("archive", cl::cat(category), cl::desc("archive to link as needed"));
cl::list<std::string> exports("export", cl::cat(category), cl::desc("pattern of exported names"));
cl::opt<uint64_t> memoryLimit("memory-limit", cl::cat(category), cl::desc("bytes of address space, 0 for no limit"), cl::init(0));
cl::opt<int> parent("parent", cl::cat(category), cl::desc("process to end with, 0 for whichever started this one"), cl::init(0));
cl::opt<Fault> fault("inject-fault", cl::cat(category), cl::Hidden, cl::desc("end in this way"), cl::init(Fault::None),
                     cl::values(clEnumValN(Fault::Abort, "abort", "abort"), clEnumValN(Fault::Kill, "kill", "a signal"),
                                clEnumValN(Fault::Hang, "hang", "never end"), clEnumValN(Fault::OutOfMemory, "oom", "use all memory")));

int fail(const Twine &message) {
  errs() << "error: " << message << "\n";
  return 1;
}

void runFault() {
  switch (fault) {
  case Fault::None:
    return;
  case Fault::Abort:
    std::abort();
  case Fault::Kill:
    std::raise(SIGKILL);
    return;
  case Fault::Hang:
    for (;;)
      std::this_thread::sleep_for(std::chrono::hours(1));
  case Fault::OutOfMemory:
    // LLVM's own allocation, so that the test sees what LLVM says when memory ends. The limit ends it; without one, this does.
    for (int i = 0; i < 64 && memoryLimit != 0; ++i)
      memset(safe_malloc(memoryLimit / 32), 1, 1);
    std::abort();
  }
}

std::vector<std::string> absolute(ArrayRef<std::string> paths) {
  std::vector<std::string> result;
  for (StringRef path : paths) {
    SmallString<256> text(path);
    sys::fs::make_absolute(text);
    result.push_back(text.str().str());
  }
  return result;
}

int link() {
  moe::LinkInputs request;
  request.objects = absolute(inputs);
  request.wholeArchives = absolute(wholeArchives);
  request.archives = absolute(archives);
  // lld writes beside the output first, under a name in which every '%' of the path is replaced: so the path must have none.
  const std::string target = absolute({output}).front();
  if (std::error_code error = sys::fs::set_current_path(sys::path::parent_path(target)))
    return fail("cannot write " + target + ": " + error.message());
  if (!exports.empty())
    request.exports = exports;
  int descriptor = -1;
  SmallString<128> script;
  // Beside the output, so that whoever removes its folder removes this, even if this process was killed.
  if (std::error_code error = sys::fs::createUniqueFile("moe-exports-%%%%%%.ver", descriptor, script))
    return fail("cannot write beside " + target + ": " + error.message());
  FileRemover removeScript(script);
  {
    raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
    stream << moe::worker::versionScript(request.exports);
    stream.close();
    if (std::error_code error = stream.error()) {
      stream.clear_error();
      return fail("cannot write beside " + target + ": " + error.message());
    }
  }
  std::vector<std::string> arguments = moe::worker::linkArguments(request, script, sys::path::filename(target));
  std::vector<const char *> pointers;
  for (const std::string &argument : arguments)
    pointers.push_back(argument.c_str());
  lld::Result result = lld::lldMain(pointers, outs(), errs(), {{lld::Gnu, &lld::elf::link}});
  return result.retCode;
}

} // namespace

int main(int argc, char **argv) {
  std::signal(SIGXFSZ, SIG_IGN); // A file that may not grow is a failed write, not the end of this process.
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv, "moe-codegen-worker: LLVM and lld in a process of their own\n");
  if (!moe::worker::endWithParent(parent))
    return fail("the process that started this one has ended");
  std::string error;
  if (!moe::worker::limitProcess(memoryLimit, error))
    return fail(error);
  runFault();
  if (mode == "link")
    return link();
  if (mode != "emit")
    return fail("the mode is emit or link, found " + mode);
  if (inputs.size() != 1)
    return fail("emit takes one input");
  const bool isDone = kind == moe::ObjectKind::Ptx ? moe::worker::emitPtx(inputs.front(), output, error)
                                                   : moe::worker::emit(inputs.front(), kind, output, error);
  if (!isDone)
    return fail(error);
  return 0;
}
