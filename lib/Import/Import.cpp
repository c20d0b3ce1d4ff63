// The import stage: open, parse, check what concerns the whole file, build the module.
#include "moe/Import/Import.h"

#include "DeviceHints.h"
#include "GraphImporter.h"
#include "moe/IR/Layers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace moe {

/// What the model says of itself: kept for reports, without meaning for any stage. `metadata` lists keys and values in turn.
static DictionaryAttr describeSource(MLIRContext &context, const wire::Model &model) {
  Builder builder(&context);
  NamedAttrList attributes;
  for (auto [name, text] : {std::pair("producer_name", model.producerName), std::pair("domain", model.domain), std::pair("description", model.docString),
                            std::pair("graph_name", model.graph.name), std::pair("graph_description", model.graph.docString)})
    if (!text.empty())
      attributes.set(name, builder.getStringAttr(StringRef(text)));
  if (model.modelVersion)
    attributes.set("version", builder.getI64IntegerAttr(*model.modelVersion));
  SmallVector<StringRef> metadata;
  for (const auto &[key, value] : model.metadata)
    metadata.append({StringRef(key), StringRef(value)});
  if (!metadata.empty())
    attributes.set("metadata", builder.getStrArrayAttr(metadata));
  return attributes.getDictionary(&context);
}

OwningOpRef<ModuleOp> importOnnx(MLIRContext &context, StringRef path, const ImportOptions &options) {
  context.loadDialect<MoeDialect, func::FuncDialect, arith::ArithDialect>();
  // There are no lines in the file; 0 says so.
  Location file = FileLineColLoc::get(&context, path, 0, 0);
  std::string reason;
  std::optional<wire::MappedFile> mapped = wire::MappedFile::open(path.str(), reason);
  if (!mapped) {
    emitError(file) << "cannot open the model: " << reason;
    return nullptr;
  }
  wire::WireError error;
  std::optional<wire::Model> model = wire::parseModel(mapped->bytes(), error);
  if (!model) {
    emitError(file) << "not an ONNX model: " << error.str();
    return nullptr;
  }
  if (!model->irVersion || *model->irVersion < 1 || !model->hasGraph) {
    InFlightDiagnostic report = emitError(file) << "not an ONNX model: expected a graph and an ir_version of at least 1, found ";
    report << (model->hasGraph ? "a graph" : "no graph") << " and ";
    if (model->irVersion)
      report << *model->irVersion;
    else
      report << "no ir_version";
    return nullptr;
  }
  if (*model->irVersion > wire::newestIrVersion)
    emitWarning(file) << "IR version " << *model->irVersion << " is newer than " << wire::newestIrVersion << ", the newest one known; what it added is ignored";
  OwningOpRef<ModuleOp> module = ModuleOp::create(file);
  (*module)->setAttr("moe.model", describeSource(context, *model));
  GraphImporter importer(*module, file, path, mapped->bytes(), *model, options);
  if (const DictionaryAttr hints = deviceHints(context, file, *model))
    (*module)->setAttr(deviceHintsAttrName, hints);
  if (failed(importer.run()) || failed(verify(*module)))
    return nullptr;
  return module;
}

} // namespace moe
