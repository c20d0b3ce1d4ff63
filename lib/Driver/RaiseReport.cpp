// Remarks of the raise stage become entries of a report. Their text is "<what> not raised: <reason>"; the first note names the node that broke the match.
#include "RaiseReport.h"

#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace moe {

static constexpr llvm::StringLiteral separator = " not raised: ";

/// The name of the node at a location; file:line:column for IR that was written by hand.
static std::string nodeText(Location location) {
  if (auto name = location->findInstanceOf<NameLoc>())
    return name.getName().str();
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (auto file = location->findInstanceOf<FileLineColLoc>())
    stream << file.getFilename().getValue() << ":" << file.getLine() << ":" << file.getColumn();
  return text;
}

bool RaiseReport::take(Diagnostic &diagnostic) {
  const std::string message = diagnostic.str();
  auto [what, reason] = StringRef(message).split(separator);
  if (diagnostic.getSeverity() != DiagnosticSeverity::Remark || reason.empty())
    return false;
  NotRaisedInfo miss{nodeText(diagnostic.getLocation()), what.str(), reason.str(), {}};
  for (Diagnostic &note : diagnostic.getNotes())
    if (miss.at.empty())
      miss.at = nodeText(note.getLocation());
  misses.push_back(std::move(miss));
  places.push_back(diagnostic.getLocation());
  return true;
}

void RaiseReport::finish(ModuleOp raised) {
  DenseSet<Location> layers;
  raised.walk([&](ExpertsOp op) { layers.insert(op.getLoc()); });
  std::vector<NotRaisedInfo> kept;
  for (auto [miss, place] : llvm::zip(misses, places))
    if (miss.what == "router" || !layers.contains(place))
      kept.push_back(std::move(miss));
  misses = std::move(kept);
  places.clear();
}

std::vector<std::string> RaiseReport::complaints(const std::vector<MoeLayerInfo> &layers) const {
  std::vector<std::string> lines;
  for (const NotRaisedInfo &miss : misses)
    if (miss.what != "router")
      lines.push_back("node '" + miss.node + "': " + miss.what + separator.str() + miss.reason + (miss.at.empty() ? "" : " (at node '" + miss.at + "')"));
  if (layers.empty())
    lines.push_back("expected an MoE layer, as --require-raised asks, found none");
  return lines;
}

} // namespace moe
