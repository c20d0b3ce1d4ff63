// A context with the dialects of lowered modules, modules from text, collected diagnostics and a folder that goes away.
#ifndef MOE_TEST_UNIT_PACKAGE_TESTMODULE_H
#define MOE_TEST_UNIT_PACKAGE_TESTMODULE_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "moe/IR/MoeDialect.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>

/// Base of tests that need modules and files.
class ModuleTest : public ::testing::Test {
protected:
  ModuleTest() : handler(&context, [this](mlir::Diagnostic &diagnostic) { collect(diagnostic); }) {
    context.loadDialect<moe::MoeDialect, mlir::arith::ArithDialect, mlir::cf::ControlFlowDialect, mlir::func::FuncDialect,
                        mlir::LLVM::LLVMDialect, mlir::math::MathDialect, mlir::memref::MemRefDialect, mlir::scf::SCFDialect,
                        mlir::tensor::TensorDialect, mlir::vector::VectorDialect>();
    context.printOpOnDiagnostic(false);
    llvm::SmallString<128> made;
    EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("moe-package-test", made));
    folder = made.str().str();
  }
  ~ModuleTest() override { llvm::sys::fs::remove_directories(folder); }

  mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string &text) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module) << diagnostics << text;
    return module;
  }

  std::string path(const std::string &name) const { return folder + "/" + name; }

  void writeFile(const std::string &name, llvm::StringRef bytes) {
    std::error_code error;
    llvm::raw_fd_ostream stream(path(name), error);
    ASSERT_FALSE(error);
    stream << bytes;
  }

  static std::string readFile(const std::string &path) {
    auto buffer = llvm::MemoryBuffer::getFile(path);
    return buffer ? (*buffer)->getBuffer().str() : "cannot read " + path;
  }

  /// Errors and notes since the last call, one per line.
  std::string takeDiagnostics() { return std::exchange(diagnostics, ""); }

  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  std::string folder;

private:
  void collect(mlir::Diagnostic &diagnostic) {
    diagnostics += diagnostic.str() + "\n";
    for (mlir::Diagnostic &note : diagnostic.getNotes())
      diagnostics += note.str() + "\n";
  }

  std::string diagnostics;
  mlir::ScopedDiagnosticHandler handler;
};

#endif // MOE_TEST_UNIT_PACKAGE_TESTMODULE_H
