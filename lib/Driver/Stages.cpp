// The table of stages.
#include "moe/Driver/Stages.h"

#include "RecordLayers.h"

using namespace moe;
using mlir::OpPassManager;

llvm::ArrayRef<StageInfo> moe::stages() {
  static const StageInfo table[] = {
      {Stage::Import, "import", "ONNX file to moe.onnx ops and moe.weight symbols", nullptr, nullptr},
      {Stage::Raise, "raise", "moe.onnx ops to moe.*, linalg, tensor and arith; MoE layers found",
       [](OpPassManager &pm, const StageOptions &o) {
         buildRaisePipeline(pm, o.raise);
         pm.addPass(createRecordLayers());
       },
       [] { return createVerifyRaised(); }},
      {Stage::Plan, "plan", "decides precision, packing and placement; writes attributes only",
       [](OpPassManager &pm, const StageOptions &o) { buildPlanPipeline(pm, o.plan); }, [] { return createVerifyPlanned(); }},
      {Stage::Distribute, "distribute", "one program per rank with explicit collectives",
       [](OpPassManager &pm, const StageOptions &o) { buildDistributePipeline(pm, o.distribute); }, [] { return createVerifyDistributed(); }},
      {Stage::Fuse, "fuse", "routing with permutation, experts with epilogues",
       [](OpPassManager &pm, const StageOptions &o) { buildFusePipeline(pm, o.fuse); }, [] { return createVerifyFused(); }},
      {Stage::Lower, "lower", "tensors to memrefs in a planned arena, one function for all threads",
       [](OpPassManager &pm, const StageOptions &o) { buildLowerPipeline(pm, o.lower); }, [] { return createVerifyLowered(); }},
      {Stage::Codegen, "codegen", "kernels and LLVM IR per ISA version, objects", nullptr, nullptr},
      {Stage::Package, "package", "model.so, model.h, model.weights, manifest.json", nullptr, nullptr},
  };
  return table;
}

const StageInfo *moe::findStage(llvm::StringRef name) {
  for (const StageInfo &info : stages())
    if (info.name == name)
      return &info;
  return nullptr;
}
