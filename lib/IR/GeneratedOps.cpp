// The op classes that TableGen writes, in a file of their own: they take longer to compile than everything else in this room.
#include "moe/IR/MoeDialect.h"

using namespace mlir;

#define GET_OP_CLASSES
#include "moe/IR/MoeOps.cpp.inc"
