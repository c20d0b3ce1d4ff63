// See CommandLine.h.
#include "CommandLine.h"
#include "PlanFlags.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

static constexpr StringLiteral usage = R"(usage: moe-compile MODEL.onnx -o FOLDER                  compiles a model for this CPU
       moe-compile MODEL.onnx -o FOLDER --dim batch=1    with a fixed size
       moe-compile MODEL.onnx -o FOLDER --target=cuda    for NVIDIA GPUs
MODEL may be an .mlir file. moe-run FOLDER --info says what was made; moe-compile --help has all options.
)";

bool fail(const Twine &message) {
  errs() << "moe-compile: error: " << message << "\n";
  return false;
}

/// Prints a line of LLVM's parser in the words of our other errors; what it says of a value it prints itself.
static void reword(StringRef line) {
  constexpr StringLiteral unknown = "Unknown command line argument '", similar = "Did you mean '";
  if (line.consume_front(unknown))
    fail("unknown option '" + line.take_until([](char c) { return c == '\''; }) + "'; see --help");
  else if (line.consume_front(similar))
    errs() << "moe-compile: note: did you mean '" << line.take_until([](char c) { return c == '\''; }) << "'?\n";
  else if (line.starts_with("Not enough positional"))
    fail("expected the path of a model (.onnx or .mlir); see --help");
  else if (line.starts_with("Too many positional"))
    fail("expected one model, found several; see --help");
  else if (!line.starts_with("Must specify at least") && !line.starts_with("Can specify at most"))
    fail(line); // What is left out here says of the two before nothing that is new.
}

bool parseCommandLine(int argc, char **argv) {
  if (argc == 1) {
    errs() << usage;
    return false;
  }
  cl::HideUnrelatedOptions({&modelOptions(), &outputOptions(), &machineOptions(), &limitOptions()});
  std::string text;
  raw_string_ostream stream(text);
  if (cl::ParseCommandLineOptions(argc, argv, "compiles Mixture-of-Experts models ahead of time\n", &stream))
    return true;
  SmallVector<StringRef> lines;
  StringRef(text).split(lines, '\n', -1, /*KeepEmpty=*/false);
  for (StringRef line : lines) {
    line.consume_front("moe-compile: ");
    reword(line);
  }
  return false;
}
