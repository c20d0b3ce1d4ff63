// libFuzzer target: any bytes as a tensor, as the messages of a model, and as a file to import. Whatever they hold, the answer is a module or
// diagnostics: an error without a diagnostic and a module that does not verify are failures as a crash is.
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "moe/IR/MoeDialect.h"
#include "moe/Import/Import.h"
#include "moe/Import/Wire/Model.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace {

[[noreturn]] void fail(const char *text) {
  std::fprintf(stderr, "moe-fuzz-import: %s\n", text);
  std::abort();
}

/// A folder of our own with the model and, beside it, a file that external data may name.
class Folder {
public:
  Folder() {
    if (llvm::sys::fs::createUniqueDirectory("moe-fuzz", path))
      fail("cannot make a folder for the models");
    int data = ::open(file("data.bin").c_str(), O_CREAT | O_WRONLY, 0600);
    if (data < 0 || ::ftruncate(data, 4096) != 0)
      fail("cannot write the external data");
    ::close(data);
  }
  ~Folder() { llvm::sys::fs::remove_directories(path); }

  std::string file(const char *name) const { return path.str().str() + "/" + name; }

  /// Puts the bytes into a file of a new inode: the importer may have the last one mapped.
  std::string write(const uint8_t *bytes, size_t size) const {
    std::string name = file("model.onnx");
    ::unlink(name.c_str());
    int model = ::open(name.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (model < 0 || ::write(model, bytes, size) != static_cast<ssize_t>(size))
      fail("cannot write the model");
    ::close(model);
    return name;
  }

private:
  llvm::SmallString<128> path;
};

/// Types and attributes live as long as their context, so it is made anew from time to time.
mlir::MLIRContext &freshContext() {
  constexpr int lifetime = 256;
  static std::unique_ptr<mlir::MLIRContext> context;
  static int uses = 0;
  if (!context || ++uses == lifetime) {
    context = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
    uses = 0;
  }
  return *context;
}

bool readMessages(moe::wire::Bytes bytes) {
  moe::wire::WireError error;
  if (std::optional<moe::wire::TensorData> tensor = moe::wire::parseTensor(bytes, error)) {
    // Reading the last element proves that the size is true.
    volatile uint8_t last = tensor->size ? tensor->data[tensor->size - 1] : 0;
    (void)last;
  } else if (error.message.empty()) {
    fail("a tensor was refused without a message");
  }
  error = {};
  if (moe::wire::parseModel(bytes, error))
    return true;
  if (error.message.empty())
    fail("a model was refused without a message");
  return false;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  if (!readMessages({bytes, size}) || size == 0)
    return 0;
  static const Folder folder;
  mlir::MLIRContext &context = freshContext();
  unsigned errors = 0;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    errors += diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error;
    // The text is made, as a user would see it.
    (void)diagnostic.str();
  });
  mlir::OwningOpRef<mlir::ModuleOp> module = moe::importOnnx(context, folder.write(bytes, size), {});
  if (!module && errors == 0)
    fail("a model was refused without a diagnostic");
  if (module && mlir::failed(mlir::verify(*module)))
    fail("the module does not verify");
  return 0;
}
