// moe-cpu-emulate-tiles: what moe-cpu-emit-kernels leaves of AMX becomes loops, so that tests run it where there is none. Products follow the operation
// sections of the processor's manual: tdpbf16ps has a chain of multiply-adds for the first and one for the second values of pairs, adds both and then
// adds that to the sum; sums of bytes are exact.
#include "KernelModule.h"
#include "TileOps.h"
#include "moe/Codegen/CPU/Passes.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
namespace moe {
#define GEN_PASS_DEF_CPUEMULATETILES
#include "moe/Codegen/CPU/Passes.h.inc"

namespace {

constexpr int64_t tileRows = 16, rowBytes = 64;

struct CpuEmulateTiles : impl::CpuEmulateTilesBase<CpuEmulateTiles> {
  using Base::Base;

  void runOnOperation() override {
    IsaVersion isa;
    std::string error;
    if (!parseFeatureString(features, isa, error)) {
      getOperation().emitError() << "moe-cpu-emulate-tiles: " << error;
      return signalPassFailure();
    }
    KernelModule kernels(getOperation(), isa);
    SmallVector<LLVM::CallIntrinsicOp> calls;
    getOperation().walk([&](LLVM::CallIntrinsicOp call) {
      if (llvm::any_of(call->getOperandTypes(), isTile) || llvm::any_of(call->getResultTypes(), isTile))
        calls.push_back(call);
    });
    setTypes();
    for (LLVM::CallIntrinsicOp call : calls)
      if (failed(replace(kernels, call)))
        return signalPassFailure();
  }

private:
  static bool isTile(Type type) { return isa<LLVM::LLVMX86AMXType>(type); }

  Type tileType() {
    return LLVM::LLVMArrayType::get(VectorType::get({rowBytes / 4}, IntegerType::get(&getContext(), 32)), tileRows);
  }

  // Tiles live in results and in the arguments of loops alone.
  void setTypes() {
    const Type type = tileType();
    const auto set = [&](Value value) {
      if (isTile(value.getType()))
        value.setType(type);
    };
    getOperation().walk([&](Operation *op) {
      llvm::for_each(op->getResults(), set);
      for (Region &region : op->getRegions())
        for (Block &block : region)
          llvm::for_each(block.getArguments(), set);
    });
  }

  LogicalResult replace(KernelModule &kernels, LLVM::CallIntrinsicOp call) {
    KernelBuilder b(call.getLoc(), &getContext(), kernels.isa);
    b.setInsertionPoint(call);
    const ValueRange a = call.getArgs();
    const StringRef name = call.getIntrin();
    if (name == tile_names::zero) {
      call.getResult(0).replaceAllUsesWith(LLVM::ZeroOp::create(b, tileType()));
    } else if (name == tile_names::load) {
      Value tile = stored(b, LLVM::ZeroOp::create(b, tileType()));
      copyRows(b, a[0], a[1], a[2], a[3], tile, b.i64(rowBytes));
      call.getResult(0).replaceAllUsesWith(loaded(b, tile));
    } else if (name == tile_names::store) {
      copyRows(b, a[0], a[1], stored(b, a[4]), b.i64(rowBytes), a[2], a[3]);
    } else if (name == tile_names::pairs || name == tile_names::bytes || name == tile_names::signedBytes) {
      Value sums = stored(b, a[3]);
      func::FuncOp product = emulation(kernels, call.getLoc(), name);
      func::CallOp::create(b, product, ValueRange{b.toI64(a[0]), b.toI64(a[1]), b.toI64(a[2]), sums, stored(b, a[4]), stored(b, a[5])});
      call.getResult(0).replaceAllUsesWith(loaded(b, sums));
    } else {
      return call.emitOpError() << "has no emulation: expected one of tilezero, tileloadd64, tilestored64, tdpbf16ps, tdpbsud and tdpbssd";
    }
    call.erase();
    return success();
  }

  Value stored(KernelBuilder &b, Value tile) {
    Value place = b.stack(b.getI8Type(), tileRows * rowBytes, 64);
    LLVM::StoreOp::create(b, tile, place, 64);
    return place;
  }
  Value loaded(KernelBuilder &b, Value place) { return LLVM::LoadOp::create(b, tileType(), place, 64); }

  static void copyRows(KernelBuilder &b, Value rows, Value bytes, Value from, Value fromStride, Value to, Value toStride) {
    Value count = b.toI64(bytes);
    b.forLoop(b.i64(0), b.toI64(rows), [&](Value row) {
      LLVM::MemcpyOp::create(b, b.at(to, b.getI8Type(), b.mul(row, toStride)), b.at(from, b.getI8Type(), b.mul(row, fromStride)), count,
                             /*isVolatile=*/false);
    });
  }

  /// (rows, bytes of a row of sums, bytes of a row of `a`; sums, a, b): sums += a·b.
  func::FuncOp emulation(KernelModule &kernels, Location loc, StringRef product) {
    const bool pairs = product == tile_names::pairs, isSigned = product == tile_names::signedBytes;
    const StringRef instruction = pairs ? "tdpbf16ps" : isSigned ? "tdpbssd" : "tdpbsud";
    return kernels.get(instruction, ("moe_emulated_" + instruction).str(), [&](StringRef name) {
      KernelBuilder b(loc, &getContext(), kernels.isa);
      const Type i64 = b.getI64Type(), pointer = b.ptrType();
      func::FuncOp function = b.beginFunction(kernels.module, name, {i64, i64, i64, pointer, pointer, pointer});
      const ValueRange a = function.getArguments();
      Value lanes = b.i64(rowBytes / 4), columns = b.div(a[1], b.i64(4)), depth = b.div(a[2], b.i64(4));
      b.forLoop(b.i64(0), a[0], [&](Value row) {
        b.forLoop(b.i64(0), columns, [&](Value column) {
          Value sum = b.at(a[3], b.getI32Type(), b.add(b.mul(row, lanes), column));
          Value rowStart = b.at(a[4], b.getI32Type(), b.mul(row, lanes)), columnStart = b.at(a[5], b.getI32Type(), column);
          const auto group = [&](Value base, Value index) { return b.load(b.getI32Type(), b.at(base, b.getI32Type(), index)); };
          const auto operands = [&](Value k) { return std::pair(group(rowStart, k), group(columnStart, b.mul(k, lanes))); };
          pairs ? addPairs(b, sum, depth, operands) : addBytes(b, sum, depth, operands, isSigned);
        });
      });
      func::ReturnOp::create(b);
      return function;
    });
  }

  using Operands = function_ref<std::pair<Value, Value>(Value)>;

  static void addPairs(KernelBuilder &b, Value place, Value depth, Operands operands) {
    const auto half = [&](Value pair, bool second) -> Value {
      Value bits = second ? Value(arith::AndIOp::create(b, pair, b.i32(static_cast<int32_t>(0xffff0000))))
                          : Value(arith::ShLIOp::create(b, pair, b.i32(16)));
      return arith::BitcastOp::create(b, b.getF32Type(), bits);
    };
    const SmallVector<Value> chains =
        b.forLoop(b.i64(0), depth, b.i64(1), {b.f32(0.0), b.f32(0.0)}, [&](Value k, ValueRange sums) -> SmallVector<Value> {
          const auto [x, w] = operands(k);
          SmallVector<Value> next;
          for (const bool second : {false, true})
            next.push_back(LLVM::FMAOp::create(b, half(x, second), half(w, second), sums[second]));
          return next;
        });
    b.store(b.addf(b.load(b.getF32Type(), place), b.addf(chains[0], chains[1])), place);
  }

  static void addBytes(KernelBuilder &b, Value place, Value depth, Operands operands, bool signedWeights) {
    Value sum = b.forLoop(b.i64(0), depth, b.i64(1), {b.load(b.getI32Type(), place)}, [&](Value k, ValueRange sums) -> SmallVector<Value> {
      const auto [x, w] = operands(k);
      Value next = sums[0];
      for (int64_t byte = 0; byte < 4; ++byte) {
        const auto byteOf = [&](Value quad) -> Value { return arith::ShRSIOp::create(b, arith::ShLIOp::create(b, quad, b.i32(24 - 8 * byte)), b.i32(24)); };
        Value weight = byteOf(w);
        if (!signedWeights)
          weight = arith::AndIOp::create(b, weight, b.i32(255));
        next = b.add(next, b.mul(byteOf(x), weight));
      }
      return {next};
    })[0];
    b.store(sum, place);
  }
};

} // namespace
} // namespace moe
