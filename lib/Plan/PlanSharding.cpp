// Writes the sharding of each layer whose rows may travel. The arithmetic is lib/Plan/Sharding's; this pass reads what it needs off the IR and says
// what came out. Before: plans with a packing (moe-plan-single-machine).
#include "Between.h"
#include "Heads.h"
#include "Hints.h"
#include "KeepOld.h"
#include "MeshText.h"
#include "PlanReport.h"
#include "moe/IR/Layers.h"
#include "moe/Plan/Input.h"
#include "moe/Plan/Passes.h"
#include "moe/Plan/Sharding/Search.h"

#include "mlir/IR/Verifier.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_PLANSHARDING
#include "moe/Plan/Passes.h.inc"

namespace {

using namespace plan;

/// A layer of the IR and what the planner is told of it.
struct PlannedLayer {
  RaggedLayer ops;
  PlanLayer layer;
  ScoredCandidate chosen;
  Placement placement;
  /// Where there is an old plan to keep to.
  std::optional<KeptChoice> kept;
};

std::string microseconds(double value) { return llvm::formatv("{0:F1}", value).str(); }
std::string bytesText(double value) {
  return value < 1 << 20 ? llvm::formatv("{0:F1} KiB", value / 1024).str() : llvm::formatv("{0:F1} MiB", value / (1 << 20)).str();
}

/// Why the experts of `op` cannot be cut into parts; empty where they can.
StringRef whyNotCut(ExpertsOp op) {
  if (!op.getFfn())
    return "experts with a region are not cut";
  for (Value bias : {op.getGateBias(), op.getUpBias(), op.getDownBias()})
    if (auto type = bias ? dyn_cast<RankedTensorType>(bias.getType()) : RankedTensorType(); bias && !(type && type.hasStaticShape() && type.getElementType().isF32()))
      return "experts with biases that are not f32 are not cut";
  for (Value weight : {op.getGate(), op.getUp(), op.getDown()})
    if (weight && !weight.getDefiningOp<WeightRefOp>())
      return "experts whose weights are not stored as floats are not cut";
  return "";
}

struct PlanSharding : impl::PlanShardingBase<PlanSharding> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(plan()))
      signalPassFailure();
  }

private:
  LogicalResult fail(const Twine &message) { return getOperation().emitError(message); }

  LogicalResult plan();
  /// The op of the mesh, made from the option where that is given; null without a mesh.
  FailureOr<MeshOp> findMesh();
  LogicalResult readProfileFile();
  LogicalResult limitExchanges();
  /// Collects layers; those that already have a sharding go to `pinned`.
  LogicalResult collect(std::vector<PlannedLayer> &free, std::vector<PlannedLayer> &pinned);
  LayerShape shapeOf(const RaggedLayer &ops) const;
  /// Reads --pin and gives each layer what is pinned of it; the rest is searched.
  LogicalResult givePins(std::vector<PlannedLayer> &free);
  /// Gives layers what the source model asks for, where nothing else was asked for and a plan can have it; a remark says what is followed and what is not, and why.
  void takeHints(std::vector<PlannedLayer> &free);
  /// Gives the layers that read the weight what `hint` asks for. False where none reads it.
  bool giveHint(const WeightHint &hint, std::vector<PlannedLayer> &free, std::vector<PlannedLayer *> &hinted);
  bool giveHintToProducts(const WeightHint &hint);
  LogicalResult search(std::vector<PlannedLayer> &layers);
  /// Decides who computes what lies between the layers, and plans the layers for that.
  LogicalResult chooseBetween(std::vector<PlannedLayer> &free, std::vector<PlannedLayer> &pinned);
  /// Plans the layers; what lies between them is shared out by sequences or not. `us` gets the time of all together.
  LogicalResult planBetween(std::vector<PlannedLayer> &free, std::vector<PlannedLayer> &pinned, bool isSplit, double &us);
  /// Products and attention that the devices share, as between-layers says: all that can be, or those that gain.
  SharedWork workToShare(func::FuncOp function, ArrayRef<PlannedLayer> free) const;
  void shareOut(func::FuncOp function, const SharedWork &work);
  void sayColumns(func::FuncOp function, ArrayRef<ColumnProduct> products);
  void sayHeads(func::FuncOp function, ArrayRef<HeadAttention> attentions);
  /// Bytes of KV caches on a device that shares the heads of `shared`.
  double cachesWith(func::FuncOp function, ArrayRef<HeadAttention> shared) const { return cacheBytes(function, stepSize(), shared, machines.devices()); }
  /// Do the layers that are free fit beside `otherBytes` on a device?
  bool fitsBeside(ArrayRef<PlannedLayer> free, double otherBytes) const;
  StepSize stepSize() const { return {double(planTokens), double(planSequences), planKeys > 0 ? double(planKeys) : double(planTokens) / double(planSequences)}; }
  /// The function of the layers and its inputs that count sequences.
  func::FuncOp functionOf(ArrayRef<PlannedLayer> free, ArrayRef<PlannedLayer> pinned) const;
  /// With --replan-from: what the old plan may keep, within the memory that the new one leaves.
  LogicalResult keepOldPlan(std::vector<PlannedLayer> &layers);
  /// Bytes of a device for weights and buffers of layers.
  double room() const { return double(machines.device.memoryBytes) - options.otherBytes; }
  LogicalResult scorePinnedLayer(PlannedLayer &layer);
  void write(PlannedLayer &planned, bool isPinned);
  LogicalResult writeReport(ArrayRef<PlannedLayer> free, ArrayRef<PlannedLayer> pinned);
  void say(const PlannedLayer &planned, ShardingAttr sharding, bool isPinned);
  void explainChoice(const PlannedLayer &planned, InFlightDiagnostic &remark);
  std::pair<double, double> bytesSent(const PlannedLayer &planned) const;

  SmallVector<const PlannedLayer *> explained;
  llvm::SmallDenseSet<Operation *> hintedProducts; ///< Whose columns the source model wants to be shared out.
  SearchOptions options;
  Mesh machines;
  MeshOp meshOp;
  std::optional<Profile> loads;
  std::string profileHash = "none", solver;
  double modelUs = 0, boundUs = 0;
  Between between;
  /// What lies between the layers, without them.
  double betweenTime = 0;
};

FailureOr<MeshOp> PlanSharding::findMesh() {
  MeshOp found;
  for (auto op : getOperation().getOps<MeshOp>()) {
    if (found)
      return op.emitError("expected one moe.mesh in the module, found a second");
    found = op;
  }
  std::string source, error;
  if (!mesh.empty()) {
    if (found)
      return found.emitError("the model has a mesh already; --mesh would give another");
    std::optional<Mesh> given = meshOfText(mesh, source, error);
    if (!given)
      return fail("mesh: " + error);
    OpBuilder builder = OpBuilder::atBlockBegin(getOperation().getBody());
    SymbolTable symbols(getOperation());
    found = createMeshOp(builder, getOperation().getLoc(), "mesh", *given, source);
    if (symbols.lookup("mesh")) // A weight of that name.
      symbols.insert(found);
    if (failed(mlir::verify(found)))
      return failure();
  }
  if (!found)
    return MeshOp();
  machines = meshOfOp(found);
  if (!machines.validate(error))
    return found.emitError("the mesh: ") << error;
  return found;
}

LayerShape PlanSharding::shapeOf(const RaggedLayer &ops) const {
  ExpertsOp experts = ops.experts;
  const auto rows = cast<RankedTensorType>(experts.getRows().getType());
  const auto down = cast<RankedTensorType>(experts.getDown().getType());
  LayerShape shape;
  shape.experts = experts.getOffset().getType().getDimSize(0) - 1;
  shape.topK = ops.topK;
  shape.hidden = rows.getDimSize(1);
  shape.intermediate = down.getDimSize(experts.orderOfDown() == WeightOrder::OutIn ? 2 : 1);
  shape.matrices = experts.getFfn()->isGated() ? 3 : 2;
  shape.tokens = std::max(1.0, double(planTokens) / double(machines.devices()));
  const std::string activations = experts.getPlan()->getActivations().str();
  shape.computeType = machines.device.tflops.count(activations) ? activations : "f32";
  shape.dispatchBytes = shape.combineBytes = rows.getElementTypeBitWidth() / 8.0;
  shape.weightBytes = bytesOfWeight(experts.getDown());
  shape.gathersResults = machines.devices() > 1; // Every rank computes what lies between the layers, unless chooseBetween finds better.
  return shape;
}

LogicalResult PlanSharding::collect(std::vector<PlannedLayer> &free, std::vector<PlannedLayer> &pinned) {
  SmallVector<ExpertsOp> all;
  getOperation().walk([&](ExpertsOp op) { all.push_back(op); });
  for (ExpertsOp op : all) {
    const ShardingAttr sharding = op.getPlan() ? op.getPlan()->getSharding() : ShardingAttr();
    std::string why;
    std::optional<RaggedLayer> ops = shardableLayer(op, why);
    if (ops && (ShapedType::isDynamic(op.getOffset().getType().getDimSize(0)) || !cast<ShapedType>(op.getDown().getType()).hasStaticShape() ||
                ShapedType::isDynamic(cast<ShapedType>(op.getRows().getType()).getDimSize(1)))) {
      why = "its weights have dynamic sizes";
      ops.reset();
    }
    if (!ops && sharding)
      return op.emitError() << describeOp(op) << " has a sharding but cannot be spread over devices: " << why;
    if (!ops) {
      op.emitRemark() << describeOp(op) << " stays whole on every rank: " << why;
      continue;
    }
    PlannedLayer planned;
    planned.ops = *ops;
    planned.layer.name = layerName(op);
    planned.layer.shape = shapeOf(*ops);
    planned.layer.isCuttable = whyNotCut(op).empty();
    (sharding ? pinned : free).push_back(std::move(planned));
  }
  return success();
}

LogicalResult PlanSharding::givePins(std::vector<PlannedLayer> &free) {
  SmallVector<StringRef> entries;
  StringRef(pin).split(entries, ';', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef entry : entries) {
    // Names may have any sign in them: the last '=' is the one.
    auto [name, what] = entry.rsplit('=');
    auto layer = llvm::find_if(free, [&, name = name.trim()](const PlannedLayer &planned) { return planned.layer.name == name; });
    if (layer == free.end())
      return fail("pin: expected a layer that is free to be spread, found '" + name + "'");
    SmallVector<StringRef> parts;
    what.split(parts, ':');
    for (StringRef part : parts) {
      StringRef rest = part.trim();
      int64_t *pinned = rest.consume_front("etp") ? &layer->layer.pinnedEtp : rest.consume_front("ep") ? &layer->layer.pinnedEp : rest.consume_front("slots") ? &layer->layer.pinnedSlots : nullptr;
      if (!pinned || rest.getAsInteger(10, *pinned) || *pinned < 1)
        return fail("pin: expected NAME=ep4, NAME=etp2, NAME=slots3 or several, NAME=ep4:slots3, found '" + entry + "'");
    }
  }
  return success();
}

bool PlanSharding::giveHint(const WeightHint &hint, std::vector<PlannedLayer> &free, std::vector<PlannedLayer *> &hinted) {
  bool isRead = false;
  for (PlannedLayer &planned : free) {
    ExpertsOp op = planned.ops.experts;
    const SmallVector<Value> weights = {op.getGate(), op.getUp(), op.getDown()};
    if (llvm::none_of(weights, [&](Value weight) { return storedName(weight) == hint.tensor; }))
      continue;
    isRead = true;
    PlanLayer &layer = planned.layer, wanted = layer;
    std::string why;
    int64_t ep = 1, etp = 1;
    if (asksForExperts(hint, op, machines.devices(), ep, etp, why)) {
      wanted.pinnedEp = ep;
      wanted.pinnedEtp = etp;
      const bool isHinted = llvm::is_contained(hinted, &planned);
      if ((layer.pinnedEp && layer.pinnedEp != ep) || (layer.pinnedEtp && layer.pinnedEtp != etp) || (!isHinted && layer.pinnedSlots))
        why = isHinted ? "another weight of the layer asks for something else" : "the layer is pinned";
      else if (expertParallel != 0 && expertParallel != ep)
        why = "expert-parallel asks for " + std::to_string(expertParallel) + " devices";
      else if (etp > 1 && !layer.isCuttable)
        why = whyNotCut(op).str();
      else if (scoreCandidates(machines, wanted, options).scored.empty())
        why = std::to_string(ep) + " devices with " + std::to_string(etp) + " parts of each expert are none that a plan can have";
    }
    InFlightDiagnostic remark = op.emitRemark() << describeOp(op) << (why.empty() ? ": as node '" : ": not as node '") << hint.node << "' asks for '" << hint.tensor << "'";
    if (!why.empty()) {
      remark << ": " << why;
      continue;
    }
    remark << ": experts over " << ep << (ep == 1 ? " device" : " devices");
    if (etp > 1)
      remark << ", each in " << etp << " parts";
    layer = wanted;
    if (!llvm::is_contained(hinted, &planned))
      hinted.push_back(&planned);
  }
  return isRead;
}

bool PlanSharding::giveHintToProducts(const WeightHint &hint) {
  bool isRead = false;
  getOperation().walk([&](linalg::MatmulOp op) {
    const Value weight = storedWeightOf(op);
    if (!weight || storedName(weight) != hint.tensor)
      return;
    isRead = true;
    std::string why;
    const bool isFollowed = asksForColumns(hint, op, machines.devices(), why) && llvm::is_contained({"auto", "columns", "heads"}, betweenLayers);
    if (isFollowed)
      hintedProducts.insert(op);
    op.emitRemark() << describeOp(op) << (isFollowed ? ": as node '" : ": not as node '") << hint.node << "' asks for '" << hint.tensor << "': " << (isFollowed ? "its columns over all devices" : !why.empty() ? why : "between-layers is " + betweenLayers);
  });
  return isRead;
}

void PlanSharding::takeHints(std::vector<PlannedLayer> &free) {
  std::vector<std::string> ignored;
  std::vector<PlannedLayer *> hinted;
  int64_t others = 0;
  for (const WeightHint &hint : weightHints(getOperation(), machines.devices(), ignored))
    others += !giveHint(hint, free, hinted) && !giveHintToProducts(hint);
  for (const std::string &what : ignored)
    getOperation().emitRemark("what the model says of devices is not followed: ") << what;
  if (others)
    getOperation().emitRemark("what the model says of devices is not followed: the sharding of ") << others << " tensors that are no stored weights of layers or products";
  if (hinted.empty() || fitsBeside(free, 0))
    return;
  for (PlannedLayer *planned : hinted)
    planned->layer.pinnedEp = planned->layer.pinnedEtp = 0;
  getOperation().emitRemark("what the model says of devices is not followed: so shared out, the layers do not fit the memory of a device");
}

LogicalResult PlanSharding::readProfileFile() {
  if (profile.empty())
    return success();
  llvm::SHA256 hash;
  SmallVector<StringRef> files;
  StringRef(profile).split(files, ',');
  for (StringRef file : files) {
    std::string error;
    std::optional<std::string> text = textOfFile(file, error);
    if (!text)
      return fail("profile: " + error);
    std::optional<Profile> read = readProfile(*text, error);
    if (!read || (loads && !loads->append(*read, error)))
      return fail("profile: " + file + ": " + error);
    if (!loads)
      loads = std::move(read);
    hash.update(*text);
  }
  profileHash = "sha256:" + llvm::toHex(hash.final(), /*LowerCase=*/true);
  return success();
}

/// The recorded loads of a layer, by its name.
static LogicalResult giveLoads(const Profile &profile, PlannedLayer &planned) {
  ExpertsOp op = planned.ops.experts;
  const LayerLoad *found = nullptr;
  for (const LayerLoad &load : profile.layers)
    if (load.name == planned.layer.name)
      found = &load;
  if (!found) {
    std::string names;
    for (const LayerLoad &load : profile.layers)
      names += (names.empty() ? "'" : ", '") + load.name + "'";
    return op.emitError() << describeOp(op) << " is not in the profile, which has layers " << (names.empty() ? "none" : names);
  }
  if (found->experts != planned.layer.shape.experts || found->topK != planned.layer.shape.topK)
    return op.emitError() << describeOp(op) << ": expected a profile of " << planned.layer.shape.experts << " experts, " << planned.layer.shape.topK
                          << " a token, found " << found->experts << " and " << found->topK;
  planned.layer.windows = found->windows;
  planned.layer.coactivation = found->coactivation;
  return success();
}

LogicalResult PlanSharding::search(std::vector<PlannedLayer> &layers) {
  if (layers.empty())
    return success();
  std::vector<PlanLayer> shapes;
  for (const PlannedLayer &planned : layers)
    shapes.push_back(planned.layer);
  std::string error;
  std::optional<PlanResult> result = searchPlan(machines, shapes, options, error);
  if (!result)
    return fail("no sharding over the mesh: " + error);
  modelUs = result->totalUs;
  boundUs = result->boundUs;
  solver = result->gap() <= 1e-9 ? "exact" : "certified";
  for (auto [planned, choice] : llvm::zip_equal(layers, result->layers)) {
    planned.chosen = choice.chosen;
    planned.placement = choice.placement.placement;
  }
  return replanFrom.empty() ? success() : keepOldPlan(layers);
}

func::FuncOp PlanSharding::functionOf(ArrayRef<PlannedLayer> free, ArrayRef<PlannedLayer> pinned) const {
  for (ArrayRef<PlannedLayer> layers : {free, pinned})
    for (PlannedLayer layer : layers)
      return layer.ops.experts->getParentOfType<func::FuncOp>();
  return {};
}

LogicalResult PlanSharding::planBetween(std::vector<PlannedLayer> &free, std::vector<PlannedLayer> &pinned, bool isSplit, double &us) {
  const int64_t devices = machines.devices();
  const double all = double(planTokens), own = isSplit ? tokensOfShare(all, planSequences, devices) : all;
  for (std::vector<PlannedLayer> *layers : {&free, &pinned})
    for (PlannedLayer &planned : *layers) {
      LayerShape &shape = planned.layer.shape;
      shape.tokens = std::max(1.0, isSplit ? own : all / double(devices));
      shape.gathersResults = devices > 1 && !isSplit;
      shape.routedBytes = isSplit ? 4 * double(shape.experts) : 0; // Scores are f32.
    }
  betweenTime = betweenUs(machines.device, between, own) + (isSplit ? allGatherUs(machines.levels(), own, between.resultBytes) : 0);
  if (failed(search(free)))
    return failure();
  us = betweenTime + (free.empty() ? 0 : modelUs);
  for (PlannedLayer &planned : pinned) {
    if (failed(scorePinnedLayer(planned)))
      return failure();
    us += planned.chosen.timeUs;
  }
  return success();
}

bool PlanSharding::fitsBeside(ArrayRef<PlannedLayer> free, double otherBytes) const {
  SearchOptions beside = options;
  beside.otherBytes = otherBytes;
  std::vector<PlanLayer> shapes;
  for (const PlannedLayer &planned : free)
    shapes.push_back(planned.layer);
  std::string error;
  return shapes.empty() ? otherBytes < double(machines.device.memoryBytes) : searchPlan(machines, shapes, beside, error).has_value();
}

SharedWork PlanSharding::workToShare(func::FuncOp function, ArrayRef<PlannedLayer> free) const {
  SharedWork work;
  std::string why;
  if (betweenLayers != "auto" && betweenLayers != "columns" && betweenLayers != "heads")
    return work;
  work.products = columnProducts(function, machines, double(planTokens));
  if (betweenLayers != "columns")
    work.attentions = headAttentions(function, machines, stepSize(), why);
  if (betweenLayers != "auto") {
    work.freeFedProducts();
    return work;
  }
  const SharedWork all = work;
  work.keepGains();
  for (const ColumnProduct &product : all.products)
    if (hintedProducts.contains(product.op) && llvm::none_of(work.products, [&](const ColumnProduct &kept) { return kept.op == product.op; }))
      work.products.push_back(product);
  const double caches = cachesWith(function, work.attentions), fewest = cachesWith(function, all.attentions);
  if (fewest >= caches || fitsBeside(free, caches) || !fitsBeside(free, fewest))
    return work;
  work.attentions = all.attentions; // Slower, and the only way that there is room for.
  work.freeFedProducts();
  return work;
}

void PlanSharding::shareOut(func::FuncOp function, const SharedWork &work) {
  for (const HeadAttention &attention : work.attentions)
    shareHeads(attention, meshOp, machines);
  for (const ColumnProduct &product : work.products)
    shareColumns(product, meshOp, machines);
  if (!function)
    return;
  if (!work.attentions.empty() || betweenLayers == "heads")
    sayHeads(function, work.attentions);
  if (!work.products.empty())
    sayColumns(function, work.products);
  else if (betweenLayers == "columns")
    function.emitRemark("between the layers no product has columns that ") << machines.devices() << " devices could share";
}

/// "; 12.0 us expected, 30.0 us if every device computed all; bitwise" of what is shared out.
template <typename Shared>
static std::string expectedTimes(ArrayRef<Shared> all) {
  double whole = 0, shared = 0;
  for (const Shared &one : all) {
    whole += one.wholeUs;
    shared += one.sharedUs;
  }
  return microseconds(shared) + " us expected, " + microseconds(whole) + " us if every device computed all; bitwise";
}

void PlanSharding::sayHeads(func::FuncOp function, ArrayRef<HeadAttention> attentions) {
  std::string why;
  headAttentions(function, machines, stepSize(), why);
  if (attentions.empty()) {
    function.emitRemark("between the layers no attention has heads that ") << machines.devices() << " devices could share" << (why.empty() ? "" : ": " + why);
    return;
  }
  InFlightDiagnostic remark = function.emitRemark("between the layers ") << machines.devices() << " devices share the heads of " << attentions.size()
                                                                        << (attentions.size() == 1 ? " attention: " : " attentions: ") << expectedTimes(attentions);
  if (const double whole = cachesWith(function, {}), own = cachesWith(function, attentions); own < whole)
    remark << "; KV caches of " << bytesText(own) << " a device, " << bytesText(whole) << " whole";
  if (!explain)
    return;
  for (HeadAttention attention : attentions)
    remark.attachNote(attention.op->getLoc()) << "of " << attention.op.getQ().getType() << " and keys " << attention.op.getK().getType() << ": " << microseconds(attention.sharedUs)
                                              << " us, " << microseconds(attention.wholeUs) << " us whole, for " << llvm::formatv("{0:F0}", stepSize().keys).str() << " keys";
  if (!why.empty())
    remark.attachNote(function.getLoc()) << "other attention stays whole: " << why;
}

void PlanSharding::sayColumns(func::FuncOp function, ArrayRef<ColumnProduct> products) {
  InFlightDiagnostic remark = function.emitRemark("between the layers ") << machines.devices() << " devices share the columns of " << products.size()
                                                                        << (products.size() == 1 ? " product: " : " products: ") << expectedTimes(products);
  if (explain)
    for (ColumnProduct product : products)
      remark.attachNote(product.op->getLoc()) << "of " << product.op.getInputs()[1].getType() << ": " << microseconds(product.sharedUs) << " us, "
                                              << microseconds(product.wholeUs) << " us whole";
}

LogicalResult PlanSharding::chooseBetween(std::vector<PlannedLayer> &free, std::vector<PlannedLayer> &pinned) {
  if (!llvm::is_contained({"auto", "whole", "batch", "columns", "heads"}, betweenLayers))
    return fail("between-layers: expected auto, whole, batch, columns or heads, found " + betweenLayers);
  if (planSequences < 1 || planSequences > planTokens)
    return fail("plan-sequences: expected 1 to " + Twine(planTokens) + " (plan-tokens), found " + Twine(planSequences));
  if (planKeys < 0)
    return fail("plan-keys: expected at least 1, or 0 for the tokens of a sequence, found " + Twine(planKeys));
  func::FuncOp function = functionOf(free, pinned);
  const BatchSplitAttr given = function ? function->getAttrOfType<BatchSplitAttr>(batchSplitAttrName) : BatchSplitAttr();
  const bool canSplit = function && machines.devices() > 1 && !sequenceInputs(function).empty();
  if ((betweenLayers == "batch" || given) && function && !canSplit)
    return function.emitError("between-layers: expected several devices and an input whose first dim is dynamic to share out by, found ")
           << machines.devices() << " devices and " << (sequenceInputs(function).empty() ? "no such input" : "one");
  between = function ? betweenOf(function, machines.device) : Between();
  double wholeUs = 0, splitUs = 0;
  const SharedWork shared = function && !given ? workToShare(function, free) : SharedWork();
  options.otherBytes = cachesWith(function, shared.attentions);
  if (failed(planBetween(free, pinned, false, wholeUs)))
    return failure();
  const double wholeBetween = betweenTime;
  wholeUs += shared.attentionUs() - shared.savedUs();
  if (!canSplit || (betweenLayers != "batch" && !given && (betweenLayers != "auto" || planSequences == 1)))
    return shareOut(function, shared), success();
  const double sharedCaches = options.otherBytes;
  options.otherBytes = cachesWith(function, {});
  if (betweenLayers == "auto" && !given && sharedCaches < options.otherBytes && !fitsBeside(free, options.otherBytes)) {
    options.otherBytes = sharedCaches; // Sequences are shared out with whole caches.
    return shareOut(function, shared), success();
  }
  if (failed(planBetween(free, pinned, true, splitUs)))
    return failure();
  splitUs += shared.attentionUs() * tokensOfShare(1, planSequences, machines.devices());
  const bool isSplit = betweenLayers == "batch" || given || splitUs < wholeUs;
  InFlightDiagnostic remark = function.emitRemark("between the layers ") << (isSplit ? "each device computes its own of " : "every device computes all of ")
                                                                        << static_cast<int64_t>(planSequences) << (planSequences == 1 ? " sequence" : " sequences") << ": with the layers "
                                                                        << microseconds(isSplit ? splitUs : wholeUs) << " us expected, " << microseconds(isSplit ? wholeUs : splitUs)
                                                                        << (isSplit ? " us if all computed everything" : " us if sequences were shared out") << "; bitwise";
  if (explain)
    remark.attachNote(function.getLoc()) << between.products.size() << " products with stored weights take " << microseconds(betweenTime) << " us by sequences, gathering "
                                         << llvm::formatv("{0:F0}", between.resultBytes).str() << " bytes of results a token, and " << microseconds(wholeBetween)
                                         << " us whole; attention's own products and caches are not counted";
  if (!isSplit) {
    remark.report();
    shareOut(function, shared);
    options.otherBytes = sharedCaches;
    return planBetween(free, pinned, false, wholeUs);
  }
  Builder builder(&getContext());
  auto number = [&](double value) { return builder.getF64FloatAttr(std::round(value * 1000) / 1000); };
  function->setAttr(batchSplitAttrName, BatchSplitAttr::get(&getContext(), FlatSymbolRefAttr::get(meshOp.getSymNameAttr()), machines.devices(), planSequences,
                                                            number(splitUs), number(wholeUs)));
  return success();
}

LogicalResult PlanSharding::keepOldPlan(std::vector<PlannedLayer> &layers) {
  std::string error;
  const std::optional<std::map<std::string, OldSharding>> old = readOldPlan(replanFrom, getContext(), error);
  if (!old)
    return fail("replan-from: " + error);
  double weights = 0, buffer = 0;
  for (const PlannedLayer &planned : layers) {
    weights += planned.chosen.cost.weightBytes;
    buffer = std::max(buffer, planned.chosen.cost.bufferBytes);
  }
  modelUs = 0;
  for (PlannedLayer &planned : layers) {
    const auto found = old->find(planned.layer.name);
    if (found != old->end()) {
      const double others = weights - planned.chosen.cost.weightBytes;
      planned.kept = keepOld(machines, planned.layer, planned.chosen, planned.placement, found->second, room() - others, buffer,
                             options);
      planned.chosen = planned.kept->chosen;
      planned.placement = planned.kept->placement;
      weights = others + planned.chosen.cost.weightBytes;
      buffer = std::max(buffer, planned.chosen.cost.bufferBytes); // The layers share it.
    }
    modelUs += planned.chosen.timeUs;
  }
  solver = "replanned";
  return success();
}

LogicalResult PlanSharding::scorePinnedLayer(PlannedLayer &planned) {
  ExpertsOp op = planned.ops.experts;
  const ShardingAttr sharding = op.getPlan()->getSharding();
  if (sharding.getMesh().getValue() != meshOp.getSymName())
    return op.emitError() << describeOp(op) << " is sharded over " << sharding.getMesh() << ", expected the mesh of the module, @" << meshOp.getSymName();
  const OldSharding pinned = readSharding(sharding);
  planned.placement = pinned.placement;
  std::string error = pinned.candidate.etp > 1 ? whyNotCut(op).str() : "";
  if (!error.empty())
    return op.emitError() << describeOp(op) << ": expected etp 1, found " << pinned.candidate.etp << ": " << error;
  std::optional<ScoredCandidate> scored = scorePinned(machines, planned.layer, pinned.candidate, planned.placement, options, error);
  if (!scored)
    return op.emitError() << describeOp(op) << ": " << error;
  if (scored->cost.weightBytes + scored->cost.bufferBytes > room())
    return op.emitError() << describeOp(op) << ": expected at most " << bytesText(room()) << " on a device, found "
                          << bytesText(scored->cost.weightBytes + scored->cost.bufferBytes);
  planned.chosen = *scored;
  return success();
}

/// Bytes that the fullest device sends on the way to the experts and back.
std::pair<double, double> PlanSharding::bytesSent(const PlannedLayer &planned) const {
  const LayerShape &shape = planned.layer.shape;
  std::vector<double> windows(shape.experts, double(shape.topK) / double(shape.experts));
  if (!planned.layer.windows.empty()) {
    LayerLoad load{planned.layer.name, shape.experts, shape.topK, planned.layer.windows, {}};
    windows = sharesOf(totalLoads(load), shape.topK);
  }
  Traffic traffic = trafficOf(Routing(windows, shape.topK, planned.layer.coactivation), planned.placement, 1);
  const std::vector<double> toRank = traffic.copies;
  for (int64_t part = 1; part < planned.chosen.candidate.etp; ++part) // Each part of an expert gets its rows.
    traffic.copies.insert(traffic.copies.end(), toRank.begin(), toRank.end());
  double total = 0, out = 0, in = 0;
  for (double copies : traffic.copies)
    total += copies;
  for (double copies : traffic.copies) {
    out = std::max(out, total - copies);
    in = std::max(in, copies * double(traffic.copies.size() - 1));
  }
  return {shape.tokens * out * shape.dispatchCopyBytes(), shape.tokens * in * shape.combineCopyBytes()};
}

void PlanSharding::write(PlannedLayer &planned, bool isPinned) {
  ExpertsOp op = planned.ops.experts;
  Builder builder(&getContext());
  auto number = [&](double value) { return builder.getF64FloatAttr(std::round(value * 1000) / 1000); };
  const LayerCost &cost = planned.chosen.cost;
  const Candidate &candidate = planned.chosen.candidate;
  auto [out, back] = bytesSent(planned);
  const double total = isPinned ? planned.chosen.timeUs : modelUs, bound = isPinned ? planned.chosen.timeUs : boundUs;
  auto estimate = EstimateAttr::get(&getContext(), number(planned.chosen.timeUs), number(cost.dispatchUs), number(cost.expertUs), number(cost.combineUs),
                                    std::llround(planned.layer.shape.tokens), std::llround(out), std::llround(back), std::llround(cost.weightBytes),
                                    std::llround(cost.bufferBytes), number(total), number(bound), isPinned ? "pinned" : solver, profileHash, number(cost.gatherUs));
  SmallVector<Attribute> axes;
  for (const std::string &name : axesOfGroup(machines, candidate.ep * candidate.etp))
    axes.push_back(builder.getStringAttr(name));
  // Sums of rows of f32 are added as on one device; narrower rows are rounded once more before they travel.
  const bool bitwise = candidate.etp == 1 && cast<ShapedType>(op.getResult().getType()).getElementType().isF32();
  auto sharding = ShardingAttr::get(&getContext(), FlatSymbolRefAttr::get(meshOp.getSymNameAttr()), builder.getArrayAttr(axes), candidate.ep,
                                    candidate.edp, builder.getDenseI64ArrayAttr(planned.placement.expertOfSlot), 
                                    candidate.algorithm == Algorithm::Direct ? "direct" : "two_level", bitwise ? "bitwise" : "tolerance",
                                    candidate.chunks, candidate.algorithm == Algorithm::Direct ? 0 : machines.levels().perNode,
                                    candidate.dedup == Dedup::Node ? "node" : "none", candidate.etp, isPinned, estimate);
  const PlanAttr plan = *op.getPlan();
  op.setPlanAttr(PlanAttr::get(&getContext(), plan.getPacking(), plan.getActivations(), sharding));
  say(planned, sharding, isPinned);
}

void PlanSharding::say(const PlannedLayer &planned, ShardingAttr sharding, bool isPinned) {
  ExpertsOp op = planned.ops.experts;
  const LayerCost &cost = planned.chosen.cost;
  InFlightDiagnostic remark = op.emitRemark() << describeOp(op) << (isPinned ? ", pinned: " : ": ") << planned.layer.shape.experts << " experts over ";
  const int64_t group = sharding.getEp() * sharding.getEtp();
  if (group == 1)
    remark << "1 device, a copy of all on each of " << sharding.getEdp();
  else
    remark << group << " devices (" << llvm::join(axesOfGroup(machines, group), ", ") << ")"
           << (sharding.getEdp() > 1 ? llvm::formatv(", {0} such groups", sharding.getEdp()).str() : std::string())
           << (sharding.getEtp() > 1 ? llvm::formatv(", each cut into {0} parts", sharding.getEtp()).str() : std::string());
  remark << ", " << sharding.slotsPerDevice() << " a device; " << microseconds(planned.chosen.timeUs) << " us expected for "
         << std::llround(planned.layer.shape.tokens) << " tokens a device: dispatch " << microseconds(cost.dispatchUs) << ", experts "
         << microseconds(cost.expertUs) << ", combine " << microseconds(cost.combineUs) << ", gather " << microseconds(cost.gatherUs) << "; " << sharding.getEquality();
  if (planned.kept && planned.kept->moved >= 0)
    remark << "; " << planned.kept->moved << " of " << planned.kept->slots << " slots get other weights, the plan before would take "
           << microseconds(planned.kept->oldUs) << " us";
  else if (planned.kept)
    remark << "; shared out in another way than before"
           << (planned.kept->oldUs > 0 ? ", which would take " + microseconds(planned.kept->oldUs) + " us" : std::string());
  if (explain)
    explainChoice(planned, remark);
}

/// Do the two cost the same whatever is chosen?
static bool isAlike(const PlannedLayer &a, const PlannedLayer &b) {
  const LayerShape &x = a.layer.shape, &y = b.layer.shape;
  return x.experts == y.experts && x.topK == y.topK && x.hidden == y.hidden && x.intermediate == y.intermediate && x.matrices == y.matrices &&
         x.computeType == y.computeType && x.dispatchBytes == y.dispatchBytes && x.weightBytes == y.weightBytes && a.layer.windows == b.layer.windows &&
         a.layer.coactivation == b.layer.coactivation && a.layer.pinnedEp == b.layer.pinnedEp && a.layer.pinnedSlots == b.layer.pinnedSlots && a.layer.pinnedEtp == b.layer.pinnedEtp && a.chosen.candidate.str() == b.chosen.candidate.str();
}

void PlanSharding::explainChoice(const PlannedLayer &planned, InFlightDiagnostic &remark) {
  for (const PlannedLayer *other : explained)
    if (isAlike(*other, planned)) {
      remark.attachNote(planned.ops.experts->getLoc()) << "for the reasons of layer '" << other->layer.name << "', which is alike";
      return;
    }
  explained.push_back(&planned);
  SearchOptions all = options;
  all.expertParallel = 0;
  PlanLayer asked = planned.layer;
  asked.pinnedEp = asked.pinnedSlots = asked.pinnedEtp = 0;
  const LayerCandidates runnable = scoreCandidates(machines, asked, all);
  const Location loc = planned.ops.experts->getLoc();
  auto memory = [](const ScoredCandidate &scored) { return scored.cost.weightBytes + scored.cost.bufferBytes; };
  auto compare = [&](const ScoredCandidate &other) {
    const double more = other.timeUs / planned.chosen.timeUs - 1;
    std::string text = llvm::formatv("{0} us, {1}{2:F1} % of the chosen one's time, {3} a device", microseconds(other.timeUs), more >= 0 ? "+" : "",
                                     100 * more, bytesText(memory(other)));
    if (memory(other) > room())
      return text + ", more than there is";
    // The search is over all layers together: what is faster for one and was not taken does not fit beside the others.
    ExpertsOp experts = planned.ops.experts;
    const bool isFree = expertParallel == 0 && planned.layer.pinnedEtp == 0 && planned.layer.pinnedEp == 0 && planned.layer.pinnedSlots == 0 && !experts.getPlan()->getSharding().getPinned();
    return more < 0 && isFree ? text + ", with the other layers more than there is" : text;
  };
  remark.attachNote(loc) << "chosen: " << planned.chosen.candidate.str() << ", " << microseconds(planned.chosen.timeUs) << " us, "
                         << bytesText(memory(planned.chosen)) << " a device of " << bytesText(double(machines.device.memoryBytes))
                         << "; all layers together take " << microseconds(modelUs) << " us, and no plan that was weighed less than " << microseconds(boundUs);
  // The fastest of each number of ranks, fastest first; the chosen one is the first that is not the next best.
  bool isNext = true;
  llvm::SmallDenseSet<int64_t> seen;
  seen.insert(planned.chosen.candidate.ep);
  for (const ScoredCandidate &scored : runnable.scored) {
    if (!seen.insert(scored.candidate.ep).second)
      continue;
    remark.attachNote(loc) << (isNext ? "next best: " : "then: ") << scored.candidate.str() << ", " << compare(scored);
    isNext = false;
  }
  all.onlyRunnable = false;
  all.cost.sumsOnTheWay = true;
  all.cost.partsTravel = false;
  const LayerCandidates everything = scoreCandidates(machines, asked, all);
  if (!everything.scored.empty() && !runnable.scored.empty() && everything.scored.front().timeUs < runnable.scored.front().timeUs)
    remark.attachNote(loc) << "faster on paper, but the distribute stage cannot run it yet: " << everything.scored.front().candidate.str() << ", "
                           << compare(everything.scored.front());
  if (meshOp.getSource() == "assumed")
    remark.attachNote(loc) << "the numbers of links and devices are assumed, not measured; give them in a JSON file (--mesh=FILE)";
}

LogicalResult PlanSharding::writeReport(ArrayRef<PlannedLayer> free, ArrayRef<PlannedLayer> pinned) {
  std::vector<ReportLayer> kinds;
  std::vector<const PlannedLayer *> first;
  double pinnedUs = 0;
  for (ArrayRef<PlannedLayer> layers : {free, pinned})
    for (const PlannedLayer &planned : layers) {
      const bool isPinned = layers.data() == pinned.data();
      pinnedUs += isPinned ? planned.chosen.timeUs : 0;
      size_t kind = 0;
      while (kind < kinds.size() && !(isAlike(*first[kind], planned) && first[kind]->placement.expertOfSlot == planned.placement.expertOfSlot &&
                                      kinds[kind].isPinned == isPinned))
        ++kind;
      if (kind == kinds.size()) {
        first.push_back(&planned);
        kinds.push_back({{}, planned.layer, planned.chosen, planned.placement, isPinned});
      }
      kinds[kind].names.push_back(planned.layer.name);
    }
  const ReportFacts facts = {meshOp.getSource().value_or("those of the model").str(), profileHash, free.empty() ? "pinned" : solver, modelUs + pinnedUs, boundUs + pinnedUs};
  std::error_code error;
  llvm::raw_fd_ostream stream(reportFile, error);
  if (!error) {
    stream << planReport(machines, facts, kinds, options);
    stream.close();
    error = stream.error();
    stream.clear_error();
  }
  return error ? fail("plan-report: " + reportFile + ": " + error.message()) : success();
}

/// What the user wants of the way that rows travel.
LogicalResult PlanSharding::limitExchanges() {
  if (exchangeChunks < 0)
    return fail("exchange-chunks: expected at least 1, or 0 to choose, found " + Twine(exchangeChunks));
  if (exchangeChunks > 0)
    options.chunks = {exchangeChunks};
  if (exchange != "auto" && exchange != "direct" && exchange != "two_level" && exchange != "two_level_dedup")
    return fail("exchange: expected auto, direct, two_level or two_level_dedup, found " + exchange);
  if (exchange != "auto")
    options.algorithm = exchange == "direct" ? Algorithm::Direct : Algorithm::TwoLevel;
  if (exchange != "auto")
    options.dedup = exchange == "two_level_dedup" ? Dedup::Node : Dedup::None;
  return success();
}

LogicalResult PlanSharding::plan() {
  FailureOr<MeshOp> found = findMesh();
  if (failed(found))
    return failure();
  meshOp = *found;
  if (!meshOp) {
    if (!profile.empty() || expertParallel != 0 || !replanFrom.empty() || !reportFile.empty() || !pin.empty())
      return fail("profile, expert-parallel, pin, replan-from and plan-report need a mesh");
    return success();
  }
  if (planTokens < 1)
    return fail("plan-tokens: expected at least 1, found " + Twine(planTokens));
  explained.clear();
  hintedProducts.clear();
  loads.reset();
  options.onlyRunnable = true;
  options.cost.sumsOnTheWay = false; // Duplicates are left out on the way to the experts; results come back one by one.
  options.expertParallel = expertParallel;
  options.cost.partsTravel = true;
  options.expertSplit = expertSplit;
  if (expertSplit < 0 || (expertSplit > 0 && machines.levels().perNode % expertSplit != 0))
    return fail("expert-split: expected a divisor of the " + Twine(machines.levels().perNode) + " devices of a node, or 0 to choose, found " + Twine(expertSplit));
  if (expertParallel < 0 || (expertParallel > 0 && machines.devices() % expertParallel != 0))
    return fail("expert-parallel: expected a divisor of " + Twine(machines.devices()) + " devices, found " + Twine(expertParallel));
  if (failed(limitExchanges()))
    return failure();
  std::vector<PlannedLayer> free, pinned;
  if (failed(collect(free, pinned)) || failed(givePins(free)) || failed(readProfileFile()))
    return failure();
  for (std::vector<PlannedLayer> *layers : {&free, &pinned})
    for (PlannedLayer &planned : *layers)
      if (loads && failed(giveLoads(*loads, planned)))
        return failure();
  takeHints(free);
  if (failed(chooseBetween(free, pinned)))
    return failure();
  for (PlannedLayer &planned : free)
    write(planned, false);
  for (PlannedLayer &planned : pinned)
    write(planned, true);
  return reportFile.empty() ? success() : writeReport(free, pinned);
}

} // namespace
} // namespace moe
