// Imports models from a folder of their own and collects the diagnostics.
#ifndef MOE_TEST_UNIT_IMPORT_IMPORTFIXTURE_H
#define MOE_TEST_UNIT_IMPORT_IMPORTFIXTURE_H

#include "ModelBuilder.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "moe/IR/MoeDialect.h"
#include "moe/Import/Import.h"

#include "llvm/Support/FileSystem.h"

#include <fstream>
#include <gtest/gtest.h>

namespace moe::test {

class ImportTest : public ::testing::Test {
protected:
  ImportTest() {
    EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("moe-import", folder));
    context.disableMultithreading();
  }
  ~ImportTest() override { llvm::sys::fs::remove_directories(folder); }

  std::string pathOf(const std::string &name) const { return folder.str().str() + "/" + name; }
  std::string modelPath() const { return pathOf("model.onnx"); }
  void write(const std::string &name, const std::string &bytes) { std::ofstream(pathOf(name), std::ios::binary) << bytes; }

  mlir::OwningOpRef<mlir::ModuleOp> importBytes(const std::string &bytes) {
    write("model.onnx", bytes);
    errorText.clear();
    allText.clear();
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
      allText += diagnostic.str() + "\n";
      if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error)
        errorText += (errorText.empty() ? "" : "\n") + diagnostic.str();
    });
    return importOnnx(context, modelPath(), options);
  }
  mlir::OwningOpRef<mlir::ModuleOp> import(const ModelParts &parts) { return importBytes(parts.bytes()); }

  /// The module as text.
  std::string imported(const ModelParts &parts, bool withLocations = false) {
    auto module = import(parts);
    EXPECT_TRUE(module) << errorText;
    std::string text;
    llvm::raw_string_ostream stream(text);
    mlir::OpPrintingFlags flags;
    flags.enableDebugInfo(withLocations);
    if (module)
      module->print(stream, flags);
    return text;
  }
  /// The one error of a model that must not be imported.
  std::string failure(const std::string &bytes) {
    EXPECT_FALSE(importBytes(bytes));
    return errorText;
  }
  std::string failure(const ModelParts &parts) { return failure(parts.bytes()); }

  const std::string &errors() const { return errorText; }
  const std::string &messages() const { return allText; }

  ImportOptions options;
  mlir::MLIRContext context;
  llvm::SmallString<128> folder;

private:
  std::string errorText, allText;
};

} // namespace moe::test

#endif // MOE_TEST_UNIT_IMPORT_IMPORTFIXTURE_H
