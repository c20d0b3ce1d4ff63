// model.h: the C ABI as the runtime declares it, under a comment about this model.
#include "moe/Package/Package.h"

#include "llvm/Support/raw_ostream.h"

namespace moe {

static const char modelHeader[] =
#include "ModelHeaderText.inc"
    ;

/// A name as it may stand in a C comment: printable, and without the end of a comment.
static std::string commentText(llvm::StringRef text) {
  std::string result;
  for (char c : text) {
    bool endsComment = c == '/' && !result.empty() && result.back() == '*';
    result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f || endsComment ? '_' : c;
  }
  return result;
}

static void writeTensors(llvm::raw_ostream &stream, llvm::StringRef title, const std::vector<TensorDescription> &tensors) {
  stream << " * " << title << ":\n";
  for (size_t i = 0; i < tensors.size(); ++i) {
    stream << " *   " << i << "  " << commentText(tensors[i].name) << "  " << dataTypeName(tensors[i].dataType) << " [";
    llvm::StringRef separator = "";
    for (const DimDescription &dim : tensors[i].dims) {
      stream << separator;
      separator = ", ";
      if (tensors[i].part && &dim == &tensors[i].dims[tensors[i].part->axis])
        stream << "this rank's of " << tensors[i].part->heads * tensors[i].part->unit;
      else if (dim.size != dynamicDim)
        stream << dim.size;
      else
        stream << (dim.symbol.empty() ? "?" : commentText(dim.symbol));
    }
    stream << "]\n";
  }
}

std::string modelHeaderText(const ModelDescription &model) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << "/* This model, compiled by moe-opt " << MOE_VERSION << ".\n *\n";
  writeTensors(stream, "Inputs, in order", model.inputs);
  writeTensors(stream, "Outputs, in order", model.outputs);
  if (!model.cachePairs.empty())
    stream << " * One buffer may serve as both (KV cache):\n";
  for (const CachePairDescription &pair : model.cachePairs)
    stream << " *   input " << pair.input << " and output " << pair.output << ", which is longer along dim " << pair.axis << "\n";
  stream << " */\n" << modelHeader;
  return text;
}

} // namespace moe
