// Scalars and buffers from text and back to text.
#include "Arguments.h"

#include "moe/Codegen/CUDA/Simt/Simt.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstring>

using namespace llvm;

// From the stub driver, which the executor's library has too.
extern "C" int cuTensorMapEncodeTiled(void *, int, unsigned, void *, const uint64_t *, const uint64_t *, const unsigned *, const unsigned *, int, int, int, int);

size_t KernelArgument::elementBytes() const {
  return StringSwitch<size_t>(type).Cases({"i8", "u8"}, 1).Cases({"i16", "f16", "bf16"}, 2).Cases({"i32", "f32"}, 4).Cases({"i64", "f64"}, 8).Default(0);
}

static const fltSemantics *semanticsOf(StringRef type) {
  return StringSwitch<const fltSemantics *>(type)
      .Case("f16", &APFloat::IEEEhalf())
      .Case("bf16", &APFloat::BFloat())
      .Case("f32", &APFloat::IEEEsingle())
      .Case("f64", &APFloat::IEEEdouble())
      .Default(nullptr);
}

/// The bits of a number in a type, the number given in text.
static bool parseNumber(StringRef text, StringRef type, uint64_t &bits) {
  if (const fltSemantics *semantics = semanticsOf(type)) {
    double value = 0;
    if (text.getAsDouble(value))
      return false;
    APFloat number(value);
    bool inexact = false;
    number.convert(*semantics, APFloat::rmNearestTiesToEven, &inexact);
    bits = number.bitcastToAPInt().getZExtValue();
    return true;
  }
  int64_t integer = 0;
  if (text.getAsInteger(0, integer))
    return false;
  bits = static_cast<uint64_t>(integer);
  return true;
}

void KernelArgument::print(raw_ostream &stream) const {
  for (size_t i = 0; i < count; ++i) {
    uint64_t bits = 0;
    std::memcpy(&bits, static_cast<const char *>(memory) + i * elementBytes(), elementBytes());
    if (i)
      stream << " ";
    if (const fltSemantics *semantics = semanticsOf(type)) {
      SmallString<32> text;
      APFloat(*semantics, APInt(elementBytes() * 8, bits)).toString(text);
      stream << text;
    } else if (type == "u8") {
      stream << bits;
    } else {
      const unsigned unused = 64 - elementBytes() * 8;
      stream << (static_cast<int64_t>(bits << unused) >> unused);
    }
  }
  stream << "\n";
}

static bool fill(KernelArgument &argument, StringRef content, std::string &error) {
  char *bytes = static_cast<char *>(argument.memory);
  const size_t size = argument.elementBytes();
  if (content == "none")
    return true;
  if (content.consume_front("@")) {
    auto file = MemoryBuffer::getFile(content, /*IsText=*/false, /*RequiresNullTerminator=*/false);
    if (!file || (*file)->getBufferSize() != argument.bytes()) {
      error = "expected a file of " + std::to_string(argument.bytes()) + " bytes, found " +
              (file ? std::to_string((*file)->getBufferSize()) : file.getError().message()) + ": " + content.str();
      return false;
    }
    std::memcpy(bytes, (*file)->getBufferStart(), argument.bytes());
    return true;
  }
  for (size_t i = 0; i < argument.count; ++i) {
    uint64_t bits = 0;
    if (!parseNumber(content == "iota" ? std::to_string(i) : content.str(), argument.type, bits)) {
      error = "expected a number, iota, none or @file, found " + content.str();
      return false;
    }
    std::memcpy(bytes + i * size, &bits, size);
  }
  return true;
}

bool parseArgument(StringRef text, KernelArgument &argument, std::string &error) {
  auto [type, content] = text.split('=');
  auto [element, count] = type.split('[');
  argument.type = element.str();
  argument.isBuffer = count.consume_back("]");
  if (argument.elementBytes() == 0 || content.empty() || (argument.isBuffer && count.getAsInteger(10, argument.count))) {
    error = "expected type=value or type[count]=content, found " + text.str();
    return false;
  }
  if (!argument.isBuffer) {
    if (parseNumber(content, element, argument.value))
      return true;
    error = "expected a number, found " + content.str();
    return false;
  }
  argument.memory = moe::simt::allocate(argument.bytes(), "argument '" + text.str() + "'");
  argument.value = reinterpret_cast<uint64_t>(argument.memory);
  if (argument.memory)
    return fill(argument, content, error);
  error = "no memory for " + text.str();
  return false;
}

/// "64x256", the dense dim last, into `sizes`, the dense dim first.
template <typename Size> static bool parseSizes(StringRef text, SmallVectorImpl<Size> &sizes) {
  SmallVector<StringRef> parts;
  text.split(parts, 'x');
  for (StringRef part : llvm::reverse(parts))
    if (part.getAsInteger(10, sizes.emplace_back()))
      return false;
  return true;
}

bool parseMap(StringRef text, const std::vector<KernelArgument> &before, KernelArgument &argument, std::string &error) {
  SmallVector<StringRef> parts;
  text.split(parts, ':');
  unsigned of = 0, swizzleBytes = 0;
  SmallVector<uint64_t> sizes, strides;
  SmallVector<unsigned> box;
  const bool parsed = parts.size() == 5 && !parts[0].getAsInteger(10, of) && of < before.size() && !parts[4].getAsInteger(10, swizzleBytes) &&
                      parseSizes(parts[2], sizes) && parseSizes(parts[3], box) && sizes.size() == box.size();
  const int type = parsed ? StringSwitch<int>(parts[1]).Case("f16", 6).Case("f32", 7).Case("bf16", 9).Default(-1) : -1;
  if (type < 0) {
    error = "expected map=argument:type:sizes:box sizes:swizzle, each of the sizes like 64x256, found " + text.str();
    return false;
  }
  uint64_t stride = type == 7 ? 4 : 2;
  for (uint64_t size : sizes)
    strides.push_back(stride *= size);
  const SmallVector<unsigned> ones(sizes.size(), 1);
  const int swizzle = swizzleBytes == 128 ? 3 : swizzleBytes == 64 ? 2 : swizzleBytes == 32 ? 1 : 0;
  argument.isMap = true;
  if (cuTensorMapEncodeTiled(argument.map, type, sizes.size(), before[of].memory, sizes.data(), strides.data(), box.data(), ones.data(), 0, swizzle, 0, 0) == 0)
    return true;
  error = "the driver refuses the tensor map " + text.str();
  return false;
}
