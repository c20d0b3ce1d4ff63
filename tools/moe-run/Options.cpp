// The command line: --name value or --name=value.
#include "Options.h"
#include "Failure.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>

namespace moe::run {

const char *const usageText = R"(usage: moe-run FOLDER --info                          what the model takes and gives
       moe-run FOLDER --input NAME=FILE.npy ...       runs it; --output-dir DIR writes what comes out
       moe-run FOLDER --test-data DIR                 runs it and compares
       moe-run FOLDER --bench --dim SYMBOL=SIZE ...   measures it
FOLDER is what moe-compile has written. moe-run --help has all options.
)";

const char *const helpText = R"(usage: moe-run FOLDER [options]

Runs a compiled model. FOLDER holds model.so and model.weights, as moe-compile wrote them.

inputs
  --test-data DIR       input_N.pb of DIR; compares the outputs with its output_N.pb
  --input NAME=FILE     the input NAME from a .npy file (repeatable; wins over --test-data)
  --dim SYMBOL=SIZE     with --bench: inputs without a file are zeros of this size (repeatable)

what to do
  --output-dir DIR      writes every output to DIR/<name>.npy
  --record-load FILE    writes how often each expert was chosen, for moe-compile --profile=FILE; the model was compiled with --record-load
  --atol X  --rtol X    an element passes if |got - want| <= atol + rtol * |want| (1e-4, 1e-3)
  --bench               measures runs/s, tokens/s, percentiles and the share of the memory bandwidth; under mpiexec, of all ranks together
  --bench-seconds X     how long (2)
  --info                describes the model (with --isa, that version); needs no weights and no particular CPU
  --calibrate -o FILE   under mpiexec, without FOLDER: measures links, products and memory, and writes them for moe-compile --mesh=FILE
  --mesh AXES           with --calibrate: what the ranks are (default: node=HOSTS,rank=RANKS OF A HOST)
  --in-place            past and present of each KV pair share one buffer

how
  --threads N           threads (default: MOE_NUM_THREADS, else all CPUs of this process)
  --device NAME         cpu, cuda, or cuda-sim: kernels of moe-compile --target=cuda --with-sim in the SIMT executor (default: what the
                        model is for)
  --isa NAME            a certain version of the code (default: the best that this CPU runs)
  --verify              compares the SHA-256 of model.weights first
  --json                prints one JSON object instead of text
  --help                this text
  --version             the version of moe-run

Exit status: 0 passed, 1 an output differs, 2 any error.
)";

static double parsePositive(const std::string &option, const std::string &text) {
  char *end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(value) || value < 0)
    throw Failure(option + ": expected a number of at least 0, found '" + text + "'");
  return value;
}

static int64_t parseInteger(const std::string &option, const std::string &text, int64_t least, int64_t most) {
  char *end = nullptr;
  errno = 0;
  const long long value = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || errno != 0 || value < least || value > most)
    throw Failure(option + ": expected a whole number from " + std::to_string(least) + " to " + std::to_string(most) + ", found '" + text + "'");
  return value;
}

/// Splits NAME=VALUE at the first '='.
static std::pair<std::string, std::string> parsePair(const std::string &option, const std::string &text) {
  const size_t at = text.find('=');
  if (at == std::string::npos || at == 0 || at + 1 == text.size())
    throw Failure(option + ": expected NAME=VALUE, found '" + text + "'");
  return {text.substr(0, at), text.substr(at + 1)};
}

static bool parseFlag(Options &options, const std::string &name) {
  bool *flag = name == "--bench"      ? &options.bench
               : name == "--calibrate" ? &options.calibrate
               : name == "--info"     ? &options.info
               : name == "--json"     ? &options.json
               : name == "--in-place" ? &options.inPlace
               : name == "--verify"   ? &options.session.verify
               : name == "--help"     ? &options.help
               : name == "--version"  ? &options.version
                                      : nullptr;
  if (flag)
    *flag = true;
  return flag != nullptr;
}

static bool takesValue(const std::string &name) {
  for (const char *option : {"--test-data", "--input", "--dim", "--output-dir", "--atol", "--rtol", "--bench-seconds", "--threads", "--isa", "--device", "--mesh",
                             "-o", "--record-load"})
    if (name == option)
      return true;
  return false;
}

static void parseValue(Options &options, const std::string &name, const std::string &value) {
  if (value.empty())
    throw Failure(name + ": expected a value");
  if (name == "--test-data") {
    options.testData = value;
  } else if (name == "--output-dir") {
    options.outputDir = value;
  } else if (name == "--isa") {
    options.session.isa = value;
  } else if (name == "--device") {
    if (value != "cpu" && value != "cuda" && value != "cuda-sim")
      throw Failure("--device: expected cpu, cuda or cuda-sim, found '" + value + "'");
    options.session.device = value;
  } else if (name == "--mesh") {
    options.mesh = value;
  } else if (name == "--record-load") {
    options.recordLoad = value;
  } else if (name == "-o") {
    options.output = value;
  } else if (name == "--threads") {
    options.session.threads = int32_t(parseInteger(name, value, 1, 1024));
  } else if (name == "--atol") {
    options.tolerance.atol = parsePositive(name, value);
  } else if (name == "--rtol") {
    options.tolerance.rtol = parsePositive(name, value);
  } else if (name == "--bench-seconds") {
    options.benchSeconds = parsePositive(name, value);
  } else if (name == "--input") {
    auto [input, file] = parsePair(name, value);
    if (!options.inputs.emplace(input, file).second)
      throw Failure("--input: '" + input + "' is given twice");
  } else { // --dim
    auto [symbol, size] = parsePair(name, value);
    if (!options.dims.emplace(symbol, parseInteger("--dim " + symbol, size, 0, int64_t(1) << 40)).second)
      throw Failure("--dim: '" + symbol + "' is given twice");
  }
}

/// Throws for an option on the command line that the job `what` does not take.
static void allowOnly(const Options &options, const std::string &what, std::initializer_list<const char *> allowed) {
  for (const std::string &name : options.given) {
    bool isAllowed = false;
    for (const char *other : allowed)
      isAllowed |= name == other;
    if (isAllowed)
      continue;
    std::string list;
    for (const char *other : allowed)
      list += (list.empty() ? "" : ", ") + std::string(other);
    throw Failure(what + ": expected none but " + list + " with it, found " + name);
  }
}

static bool isGiven(const Options &options, const std::string &name) {
  for (const std::string &other : options.given)
    if (other == name)
      return true;
  return false;
}

/// Throws where `name` is given and what it belongs to is not.
static void needs(const Options &options, const std::string &name, bool isThere, const std::string &what) {
  if (isGiven(options, name) && !isThere)
    throw Failure(name + ": expected together with " + what);
}

static void checkFolder(const std::string &folder) {
  if (folder.empty())
    throw Failure("expected the folder of a compiled model; see --help");
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(folder, error);
  if (!std::filesystem::exists(status))
    throw Failure(folder + ": no such folder");
  if (!std::filesystem::is_directory(status))
    throw Failure(folder + ": expected the folder of a compiled model, found a file");
}

/// Options that contradict each other, ask for nothing, or would have no effect.
static void checkOptions(const Options &options) {
  if (options.calibrate) {
    if (options.output.empty())
      throw Failure("--calibrate: expected -o FILE");
    if (!options.folder.empty())
      throw Failure("--calibrate runs no model: expected no folder, found '" + options.folder + "'");
    allowOnly(options, "--calibrate runs no model", {"--calibrate", "-o", "--mesh", "--threads"});
    return;
  }
  needs(options, "--mesh", false, "--calibrate");
  needs(options, "-o", false, "--calibrate");
  checkFolder(options.folder);
  if (options.info) {
    allowOnly(options, "--info describes the model and runs nothing", {"--info", "--isa", "--json", "--verify"});
    return;
  }
  if (!options.recordLoad.empty() && options.bench)
    throw Failure("--record-load records one run: expected no --bench with it");
  if (options.testData.empty() && options.inputs.empty() && !options.bench)
    throw Failure("expected --test-data, --input, --bench or --info; see --help");
  needs(options, "--dim", options.bench, "--bench");
  needs(options, "--bench-seconds", options.bench, "--bench");
  needs(options, "--atol", !options.testData.empty(), "--test-data");
  needs(options, "--rtol", !options.testData.empty(), "--test-data");
}

Options parseOptions(int argc, char **argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.empty() || argument[0] != '-') {
      if (!options.folder.empty())
        throw Failure("expected one folder, found '" + options.folder + "' and '" + argument + "'");
      options.folder = argument;
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    options.given.push_back(name);
    if (parseFlag(options, argument))
      continue;
    if (parseFlag(options, name))
      throw Failure(name + ": expected no value, found '" + argument.substr(equals + 1) + "'");
    if (!takesValue(name))
      throw Failure("unknown option '" + argument + "'; see --help");
    if (equals != std::string::npos)
      parseValue(options, name, argument.substr(equals + 1));
    else
      parseValue(options, name, i + 1 < argc ? argv[++i] : "");
  }
  if (!options.help && !options.version)
    checkOptions(options);
  return options;
}

} // namespace moe::run
