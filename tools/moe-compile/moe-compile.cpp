// moe-compile: compiles a model ahead of time. Reads the command line and prints; the work is in lib/Driver.
#include "CodeFlags.h"
#include "CommandLine.h"
#include "Console.h"
#include "PlanFlags.h"
#include "Signals.h"
#include "moe/Driver/Session.h"

#include "mlir/IR/AsmState.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace {

cl::OptionCategory &model = modelOptions(), &written = outputOptions();

cl::opt<std::string> input(cl::Positional, cl::desc("<model.onnx or model.mlir>"), cl::Required, cl::cat(model));
cl::opt<std::string> output("o", cl::desc("Folder of the artifact, or file with --emit and --compile-to (- is standard output)"),
                            cl::value_desc("path"), cl::cat(written));
cl::opt<std::string> cpuFeatures("cpu-features", cl::desc("ISA versions in the artifact (default: host, the best that this CPU runs): host, x86-64, avx2, avx512, avx512bf16, amx, or +feature lists; ',' joins features of one "
                             "version, ';' separates versions"),
    cl::init("host"), cl::value_desc("names"), cl::cat(model));
cl::list<std::string> dims("dim", cl::desc("Fix a symbolic dim, for example --dim batch=1"), cl::value_desc("name=size"), cl::cat(model));
cl::opt<std::string> compileTo("compile-to", cl::desc("Stop after this stage (import, raise, plan, distribute, fuse, lower, codegen) and write its IR"), cl::value_desc("stage"), cl::cat(written));
cl::opt<std::string> compileFrom("compile-from", cl::desc("The input is the IR left by this stage; go on after it"), cl::value_desc("stage"),
                                 cl::cat(written));
cl::opt<std::string> dumpStagesTo("dump-stages-to", cl::desc("Write the IR after each stage into this folder"), cl::value_desc("dir"),
                                  cl::cat(written));
cl::opt<std::string> raiseReport("raise-report", cl::desc("Write which nodes became MoE layers, which did not and why, as JSON (- is standard output)"),
                                 cl::value_desc("file"), cl::cat(written));
cl::opt<bool> requireRaised("require-raised", cl::desc("Fail where something that looks like an MoE layer is left as ordinary ops, or none is found"),
                            cl::cat(model));
cl::opt<bool> raiseExperts("raise-experts", cl::desc("Look for MoE layers; =false compiles them as ordinary nodes"), cl::init(true), cl::cat(model));
cl::opt<bool> allowLinks("allow-links", cl::desc("Read external data through symbolic links in the model's folder, wherever they lead"), cl::cat(model));
cl::opt<bool> ignoreDimNames("ignore-dim-names", cl::desc("Inputs whose dims share a name may differ in size, as ONNX Runtime allows"), cl::cat(model));
cl::list<std::string> overridable("overridable", cl::desc("An initializer that is an input of the graph too becomes an input with a default (without it, a constant)"), cl::value_desc("name"), cl::cat(model));
cl::opt<unsigned> workerMemory("worker-memory-limit", cl::desc("Memory limit of the codegen worker in MiB (8192); 0: none"), cl::init(8192), cl::value_desc("MiB"), cl::cat(limitOptions()));
cl::opt<unsigned> workerTimeout("worker-timeout", cl::desc("Time limit of the codegen worker in seconds (600)"), cl::init(600), cl::value_desc("seconds"), cl::cat(limitOptions()));
cl::opt<std::string> workerFault("inject-worker-fault", cl::Hidden, cl::cat(limitOptions()));
cl::opt<bool> emulateTiles("emulate-tiles", cl::desc("For tests: matrix tiles of amx become loops, for every CPU"), cl::Hidden, cl::cat(model));
cl::opt<bool> verbose("v", cl::desc("Name each stage and its time"), cl::cat(written));
cl::opt<bool> quiet("quiet", cl::desc("Print nothing but errors and their notes"), cl::cat(written));

// An option with a value that is given twice contradicts itself; only --dim and --overridable may be.
bool checkRepetitions() {
  for (const auto &[name, option] : cl::getRegisteredOptions())
    if (!is_contained(option->Categories, &cl::getGeneralCategory()) && name != "dim" && name != "overridable" && option->getNumOccurrences() > 1 &&
        option->getValueExpectedFlag() != cl::ValueOptional)
      return fail((name.size() == 1 ? "-" : "--") + name + " is given twice");
  return true;
}

// The enumerations are texts to LLVM, whose own message would not list the values.
bool parseEnumerations(moe::SessionOptions &options) {
  if (!readCodeFlags(options))
    return false;
  if (const StringRef name = findOptionWithoutMesh(); !name.empty())
    return fail("--" + name + ": expected together with --mesh");
  if (workerTimeout == 0)
    return fail("--worker-timeout: expected at least 1 second, found 0");
  return true;
}

// Fills the fixed dims from --dim name=size.
bool parseDims(moe::ImportOptions &options) {
  StringSet<> names;
  for (const std::string &text : dims) {
    auto [name, size] = StringRef(text).rsplit('=');
    int64_t value = 0;
    if (name.empty() || size.getAsInteger(10, value) || value < 0)
      return fail("--dim expects name=size with a size of 0 or more, got '" + text + "'");
    if (!names.insert(name).second)
      return fail("--dim: '" + name + "' is given twice");
    options.fixedDims.emplace_back(name.str(), value);
  }
  return true;
}

// Flushes a standard stream; an error that is left in it would abort the program on its way out.
bool finish(raw_fd_ostream &stream) {
  stream.flush();
  const bool failed = stream.has_error();
  stream.clear_error();
  return !failed;
}

} // namespace

int main(int argc, char **argv) {
  rememberIgnoredSignals();
  InitLLVM initialize(argc, argv);
  handleSignals();
  mlir::registerAsmPrinterCLOptions(); // --mlir-print-debuginfo and the like, for what --dump-stages-to and --compile-to write
  cl::SetVersionPrinter([](raw_ostream &stream) { stream << "moe-compile " MOE_VERSION "\n"; });
  if (!parseCommandLine(argc, argv))
    return 2;

  moe::SessionOptions options;
  options.input = input;
  options.output = output;
  options.cpuFeatures = cpuFeatures;
  options.compileFrom = compileFrom, options.compileTo = compileTo;
  options.dumpStagesTo = dumpStagesTo;
  options.raiseReport = raiseReport;
  options.requireRaised = requireRaised;
  options.stages.raise.experts = raiseExperts;
  options.import.allowLinks = allowLinks, options.import.overridable = overridable;
  options.import.ignoreDimNames = ignoreDimNames;
  readStageFlags(options.stages);
  options.workerMemoryMiB = workerMemory, options.workerSeconds = workerTimeout;
  options.workerFault = workerFault;
  options.emulateTiles = emulateTiles;
  if (!checkRepetitions() || !parseEnumerations(options) || !parseDims(options.import))
    return 2;

  Console console(verbose, quiet);
  moe::SessionSummary summary;
  const bool failed = mlir::failed(moe::runSession(
      options, [&](StringRef stage, uint64_t done, uint64_t total) { console.progress(stage, done, total); },
      [&](StringRef line) { console.diagnostic(line); }, summary));
  console.finish();
  if (!failed && options.emit == moe::Emit::Artifact && compileTo.empty())
    console.summary(options, summary);
  const bool written = finish(outs());
  if (!written)
    fail("cannot write to the standard output");
  finish(errs());
  return failed || !written ? 2 : 0;
}
