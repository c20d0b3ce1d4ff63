// The moe dialect: Mixture-of-Experts layers from the exporter's graph down to the kernels.
#ifndef MOE_IR_DIALECT_TD
#define MOE_IR_DIALECT_TD

include "mlir/IR/OpBase.td"

def Moe_Dialect : Dialect {
  let name = "moe";
  let cppNamespace = "::moe";
  let summary = "Mixture-of-Experts layers, from the exporter's graph down to the kernels";
  let description = [{
    One op per independent choice: what is scored, what selects, what weighs,
    who gets the slots, how rows move, what an expert computes, which
    statistics feed a loss, how weights are stored. A published scheme is a
    combination of these ops and never an op of its own.

    Symbols: tokens T, experts E, top-k K, hidden H, intermediate I,
    capacity C, assignments N, slots S.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 0;
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"
  ];
}

// An attribute that is neither the op's nor has a dialect's prefix is an error: it would be a misspelt one, and the default would count.
def Moe_KnownAttributes : NativeOpTrait<"KnownAttributes"> { let cppNamespace = "::moe"; }

class Moe_Op<string mnemonic, list<Trait> traits = []>
    : Op<Moe_Dialect, mnemonic, !listconcat(traits, [Moe_KnownAttributes])>;

#endif // MOE_IR_DIALECT_TD
