// Types and traits that every family of moe ops uses.
#ifndef MOE_IR_OP_BASE_TD
#define MOE_IR_OP_BASE_TD

include "moe/IR/MoeAttrs.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Moe_F32Vector : 1DTensorOf<[F32]>;
def Moe_F32Matrix : 2DTensorOf<[F32]>;
def Moe_I32Vector : 1DTensorOf<[I32]>;
def Moe_I1Vector : 1DTensorOf<[I1]>;
def Moe_FloatMatrix : 2DTensorOf<[F32, F16, BF16]>;
def Moe_RowMatrix : 2DTensorOf<[F32, F16, BF16, I32, I64]>;
def Moe_FloatTensor : RankedTensorOf<[F32, F16, BF16]>;

// Says the sizes of its results as index arithmetic on its operands.
def Moe_ReifiesSizes : DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>;

// A value that is a tensor until bufferization and a memref after it.
def Moe_TensorOrMemRef : AnyTypeOf<[AnyRankedTensor, AnyStridedMemRef]>;

// What a run found to be wrong with its data: never read by the model, so nothing is ordered by it.
def Moe_FaultWord : Resource<"::moe::FaultWord">;

#endif // MOE_IR_OP_BASE_TD
