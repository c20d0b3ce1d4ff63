// The op classes that TableGen writes, in a file of their own: they take longer to compile than everything else in this room.
#include "moe/IR/MoeDialect.h"

#include "mlir/IR/DialectImplementation.h"

using namespace mlir;

/// custom<Keyword>: an enum attribute as its bare word, without the space that MLIR prints before an enum.
template <typename EnumAttrT>
static ParseResult parseKeyword(OpAsmParser &parser, EnumAttrT &attribute) {
  using Enum = decltype(std::declval<EnumAttrT>().getValue());
  FailureOr<Enum> value = FieldParser<Enum>::parse(parser);
  if (failed(value))
    return failure();
  attribute = EnumAttrT::get(parser.getContext(), *value);
  return success();
}
template <typename EnumAttrT>
static void printKeyword(OpAsmPrinter &printer, Operation *, EnumAttrT attribute) {
  printer << stringifyEnum(attribute.getValue());
}

#define GET_OP_CLASSES
#include "moe/IR/MoeOps.cpp.inc"
