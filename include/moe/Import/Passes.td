// Passes on imported modules. Import itself reads a file and is no pass (moe/Import/Import.h).
#ifndef MOE_IMPORT_PASSES_TD
#define MOE_IMPORT_PASSES_TD

include "mlir/Pass/PassBase.td"

def ImportInferTypes : Pass<"moe-import-infer-types", "::mlir::func::FuncOp"> {
  let summary = "sets the result types of moe.onnx ops by inference, in place";
  let description = [{
    Walks the function in order and gives every `moe.onnx` the ranked result
    types that follow from its inputs; types that it had are ignored, but a
    result of type `none` is an absent output and stays one. Import does this
    itself; the pass is for IR that was edited or written by hand.

    With `report-sizes` every node gets a remark with the dims of its results
    as functions of the dims of the arguments, the elements of small integer
    tensors where they are known, and the sizes that were taken as equal.
  }];
  let options = [Option<"reportSizes", "report-sizes", "bool", "false", "a remark with the sizes at every node">];
  let dependentDialects = ["::moe::MoeDialect"];
}

#endif // MOE_IMPORT_PASSES_TD
