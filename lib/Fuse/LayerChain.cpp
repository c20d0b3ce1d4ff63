// Finds the chain of ops of one MoE layer. Each check is about one op of the chain and gives the reason a user reads in the remark.
// Before: the form that raise leaves (docs/Stages.md).
#include "LayerChain.h"

#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;
using namespace moe;

// Accessors of ops are not const, though the ops are handles.
Operation *LayerChain::end() const {
  CombineOp combine = this->combine;
  SlotRowsOp rows = this->rows;
  return combine ? combine.getOperation() : rows.getOperation();
}

Value LayerChain::tokens() const {
  CombineOp combine = this->combine;
  SlotRowsOp rows = this->rows;
  return combine ? combine.getTokens() : rows.getTokens();
}

Value LayerChain::weights() const {
  CombineOp combine = this->combine;
  SlotRowsOp rows = this->rows;
  return combine ? combine.getWeights() : rows.getWeights();
}

SmallVector<Operation *> LayerChain::opsFromTheEnd() const {
  SmallVector<Operation *> ops = {end()};
  if (combine)
    ops.append({experts, dispatch});
  if (weigh)
    ops.push_back(weigh);
  ops.push_back(slots);
  if (assign)
    ops.push_back(assign);
  else if (router)
    ops.append({select, score});
  return ops;
}

namespace {

/// Matches op by op; `refuse` records the first reason.
class Matcher {
public:
  Matcher(Operation *end, std::string &why) : why(why) {
    chain.combine = dyn_cast<CombineOp>(end);
    chain.rows = dyn_cast<SlotRowsOp>(end);
  }

  FailureOr<LayerChain> match() {
    if (chain.combine && (failed(matchExperts()) || failed(matchDispatch())))
      return failure();
    if (failed(matchSlots()) || failed(matchLists()))
      return failure();
    if (chain.assign)
      return failed(matchAssign()) || failed(checkUsers()) ? FailureOr<LayerChain>() : chain;
    if (succeeded(matchRouter()) && succeeded(checkUsers()))
      return chain;
    return matchGiven();
  }

private:
  LogicalResult refuse(const Twine &reason) {
    why = reason.str();
    return failure();
  }

  LogicalResult matchExperts() {
    chain.experts = chain.combine.getRows().getDefiningOp<ExpertsOp>();
    if (!chain.experts)
      return refuse("the rows of moe.combine do not come from moe.experts with an ffn (experts of a region are ordinary code)");
    ExpertsOp op = chain.experts;
    if (!op.getFfn() || !op.getGate() || !op.getDown() || !op.getParameters().empty())
      return refuse("moe.experts computes a region instead of an ffn with gate and down weights");
    if (op.getStepsAttr())
      return refuse("moe.experts rounds its rows between the products");
    for (Value weight : {op.getGate(), op.getDown()})
      if (!cast<ShapedType>(weight.getType()).hasStaticShape())
        return refuse("the weights of moe.experts have dynamic sizes");
    return success();
  }

  LogicalResult matchDispatch() {
    chain.dispatch = chain.experts.getRows().getDefiningOp<DispatchOp>();
    if (!chain.dispatch)
      return refuse("the rows of moe.experts do not come from moe.dispatch");
    if (chain.dispatch.getLayout() != SlotLayout::Ragged)
      return refuse("moe.dispatch has padded rows; expected ragged");
    if (chain.dispatch.getWeights())
      return refuse("moe.dispatch scales rows by weights");
    return success();
  }

  LogicalResult matchSlots() {
    chain.slots = Value(chain.rows ? chain.rows.getSlot() : chain.dispatch.getSlot()).getDefiningOp<SlotsOp>();
    if (!chain.slots)
      return refuse("the slots of moe.dispatch do not come from moe.slots");
    SlotsOp op = chain.slots;
    if (op.getCapacity())
      return refuse("moe.slots has a capacity; expected dropless");
    if (op.isGrouped())
      return refuse("moe.slots has groups of tokens");
    if (op.getLayout() != SlotLayout::Ragged)
      return refuse("moe.slots has a padded layout; expected ragged");
    return success();
  }

  /// All ops must speak of the same assignments and slots.
  LogicalResult matchLists() {
    SlotRowsOp rows = chain.rows;
    SlotsOp slots = chain.slots;
    if (!rows)
      return failed(matchMovement()) ? failure() : matchAssignments();
    if (rows.getKeep() != slots.getKeep() || rows.getOffset() != slots.getOffset() || rows.getToken() != slots.getToken())
      return refuse("moe.slot_rows does not use one moe.slots and its assignments");
    return matchAssignments();
  }

  LogicalResult matchMovement() {
    SlotsOp slots = chain.slots;
    DispatchOp dispatch = chain.dispatch;
    CombineOp combine = chain.combine;
    const bool sameSlots = dispatch.getKeep() == slots.getKeep() && dispatch.getOffset() == slots.getOffset() &&
                           chain.experts.getOffset() == slots.getOffset() && combine.getSlot() == slots.getSlot() &&
                           combine.getKeep() == slots.getKeep();
    if (!sameSlots)
      return refuse("moe.dispatch, moe.experts and moe.combine do not use the same moe.slots");
    const bool sameLists = dispatch.getToken() == slots.getToken() && dispatch.getExpert() == slots.getExpert() &&
                           combine.getToken() == slots.getToken() && combine.getExpert() == slots.getExpert();
    if (!sameLists)
      return refuse("moe.slots, moe.dispatch and moe.combine do not use the same assignments");
    return success();
  }

  LogicalResult matchAssignments() {
    SlotsOp slots = chain.slots;
    Operation *list = slots.getToken().getDefiningOp();
    chain.assign = dyn_cast_if_present<AssignOp>(list);
    chain.select = dyn_cast_if_present<SelectOp>(list);
    if (!chain.assign && !chain.select)
      return refuse("the assignments do not come from moe.select or moe.assign");
    if (slots.getValid().getDefiningOp<FilterOp>())
      return refuse("a moe.filter drops assignments before moe.slots");
    if (list->getResults().take_front(4) != ValueRange{slots.getToken(), slots.getExpert(), slots.getRank(), slots.getValid()})
      return refuse("moe.slots mixes the assignments of several ops");
    return success();
  }

  LogicalResult matchAssign() {
    chain.k = chain.assign.getIndices().getType().getDimSize(1);
    if (ShapedType::isDynamic(chain.k) || chain.k < 1)
      return refuse("the number of experts per token is not known");
    return success();
  }

  /// A router that only routing ops can compute. The first reason, why the kernel cannot, stays the one that is told.
  FailureOr<LayerChain> matchGiven() {
    SelectOp op = chain.select;
    const std::string reason = why;
    chain.router = {};
    chain.weigh = {};
    chain.score = {};
    chain.k = static_cast<int64_t>(op.getK());
    // Each token has K valid choices; then the list is a matrix, and where a choice stands in it says its token.
    const bool complete = (op.getMode() == SelectMode::TopK || op.getMode() == SelectMode::SparseMixer) && op.getSide() == SelectSide::Token &&
                          !op.getValid() && op.getChoice().getType().getDimSize(1) == static_cast<int64_t>(chain.slots.getExperts());
    if (complete && succeeded(checkUsers()))
      return chain;
    why = reason;
    return failure();
  }

  LogicalResult matchRouter() {
    chain.weigh = chain.weights().getDefiningOp<WeighOp>();
    chain.score = chain.select.getChoice() ? chain.select.getChoice().getDefiningOp<ScoreOp>() : ScoreOp();
    if (!chain.weigh)
      return refuse("the weights of moe.combine do not come from moe.weigh");
    if (!chain.score)
      return refuse("the choice of moe.select does not come from moe.score");
    if (failed(matchScore()) || failed(matchSelect()) || failed(matchWeigh()))
      return failure();
    const double scale = chain.weigh.getScale().convertToDouble();
    MLIRContext *context = chain.end()->getContext();
    chain.router = RouterAttr::get(context, chain.score.getFunction(), chain.k, chain.weigh.getSource(), chain.weigh.getNorm(),
                                   scale == 1.0 ? FloatAttr() : FloatAttr::get(Float64Type::get(context), scale));
    return success();
  }

  LogicalResult matchScore() {
    ScoreOp op = chain.score;
    if (!llvm::is_contained({ScoreFunction::Identity, ScoreFunction::Softmax, ScoreFunction::Sigmoid}, op.getFunction()))
      return refuse("the score function " + stringifyScoreFunction(op.getFunction()) + " has no kernel");
    if (op.getAxis() != ScoreAxis::Expert)
      return refuse("moe.score normalises over " + stringifyScoreAxis(op.getAxis()) + "; expected expert");
    if (op.getNoise() || op.getNoiseTo() != NoiseTarget::None)
      return refuse("moe.score adds noise");
    if (op.getBias())
      return refuse("moe.score adds a bias to the choice");
    if (op.getValid())
      return refuse("moe.score has padded tokens");
    if (op.getTemperature().convertToDouble() != 1.0)
      return refuse("moe.score has a temperature");
    // Choosing by the logits may break ties otherwise than choosing by their rounded scores.
    if (op.getChoiceBasis() == ChoiceBasis::Logits && op.getFunction() != ScoreFunction::Identity)
      return refuse("moe.score bases the choice on logits");
    if (op.getLogits().getType().getDimSize(1) != static_cast<int64_t>(chain.slots.getExperts()))
      return refuse("the logits of moe.score do not have one column per expert");
    return success();
  }

  LogicalResult matchSelect() {
    SelectOp op = chain.select;
    if (op.getMode() != SelectMode::TopK && op.getMode() != SelectMode::All)
      return refuse("the select mode " + stringifySelectMode(op.getMode()) + " has no kernel");
    if (op.getChoice() != chain.score.getChoice())
      return refuse("moe.select chooses by the scores instead of the choice of moe.score");
    if (op.getSide() != SelectSide::Token)
      return refuse("the experts choose in moe.select; expected side token");
    if (op.getGroups())
      return refuse("moe.select is limited to groups");
    if (op.getValid())
      return refuse("moe.select has padded tokens");
    chain.k = static_cast<int64_t>(op.getMode() == SelectMode::All ? chain.slots.getExperts() : op.getK());
    return success();
  }

  LogicalResult matchWeigh() {
    WeighOp op = chain.weigh;
    SlotsOp slots = chain.slots;
    if (op.getToken() != slots.getToken() || op.getExpert() != slots.getExpert() || op.getRank() != slots.getRank() ||
        op.getValid() != slots.getValid())
      return refuse("moe.weigh and moe.slots do not use the same assignments");
    if (op.getKeep())
      return refuse("moe.weigh normalises after the drop");
    if (op.getSource() == WeightSource::SparseMixer)
      return refuse("the weight source sparse_mixer has no kernel");
    if (op.getNorm() == WeightNorm::Lp)
      return refuse("the weight norm lp has no kernel");
    if (op.getEpsilonMode() != EpsilonMode::None)
      return refuse("moe.weigh has an epsilon");
    return matchWeighedScores();
  }

  /// softmax_selected reads logits, gather reads scores, one reads nothing.
  LogicalResult matchWeighedScores() {
    const Value scores = chain.weigh.getScores();
    const bool identity = chain.score.getFunction() == ScoreFunction::Identity;
    const bool areScores = scores == chain.score.getScores();
    const bool areLogits = scores == chain.score.getLogits() || (areScores && identity);
    switch (chain.weigh.getSource()) {
    case WeightSource::One:
      return success();
    case WeightSource::SoftmaxSelected:
      return areLogits ? success() : refuse("moe.weigh softmax_selected does not read the logits of moe.score");
    default:
      return areScores || (areLogits && identity) ? success() : refuse("moe.weigh does not read the scores of moe.score");
    }
  }

  /// Rows are reordered and nothing but the result of combine is computed any more, so nobody else may look.
  LogicalResult checkUsers() {
    const SmallVector<Operation *> ops = chain.opsFromTheEnd();
    const llvm::SmallPtrSet<Operation *, 8> inChain(ops.begin(), ops.end());
    for (Operation *op : ArrayRef(ops).drop_front())
      for (Operation *user : op->getUsers())
        if (!inChain.contains(user))
          return refuse("a result of " + op->getName().getStringRef() + " is used by " + user->getName().getStringRef() +
                        " outside of the layer");
    return success();
  }

  LayerChain chain;
  std::string &why;
};

} // namespace

FailureOr<LayerChain> moe::matchLayerChain(Operation *end, std::string &why) { return Matcher(end, why).match(); }
