// Canonicalisations of the routing ops: what is the same in real arithmetic, in fewer or cheaper steps. None of them changes which ops a
// layer is made of, so that the fuse stage finds one as before. test/IR/canonicalize.mlir shows each, test/Execute runs both sides.
#include "moe/IR/MoeDialect.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace moe {
namespace {

/// The select whose whole, unfiltered list is this one; null where it is another's, or parts of several.
SelectOp selectOf(Value token, Value expert, Value rank, Value valid) {
  auto select = token.getDefiningOp<SelectOp>();
  const bool same = select && token == select.getToken() && expert == select.getExpert() && rank == select.getRank() && valid == select.getValidOut();
  return same ? select : SelectOp();
}

/// How many choices each token has for certain: all valid. nullopt where that depends on data.
std::optional<int64_t> certainChoices(SelectOp select) {
  if (!select || select.getValid() || select.getSide() != SelectSide::Token)
    return std::nullopt;
  if (select.getMode() == SelectMode::TopK)
    return static_cast<int64_t>(select.getK());
  const int64_t experts = select.getChoice() ? select.getChoice().getType().getDimSize(1) : ShapedType::kDynamic;
  if (select.getMode() == SelectMode::All && !ShapedType::isDynamic(experts))
    return experts;
  return std::nullopt;
}

/// Softmax over a token's experts of plain logits, which choices are made by.
bool isPlainSoftmax(ScoreOp score) {
  return score.getFunction() == ScoreFunction::Softmax && score.getAxis() == ScoreAxis::Expert && score.getTemperature().isExactlyValue(1.0) &&
         score.getNoiseTo() == NoiseTarget::None && !score.getBias() && !score.getValid() && score.getChoiceBasis() == ChoiceBasis::Scores;
}

/// softmax, top-k, divided by the sum: top-k of the logits, softmax over those. Softmax keeps the order, and its divisor cancels.
struct RenormalisedSoftmax : OpRewritePattern<WeighOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(WeighOp op, PatternRewriter &rewriter) const override {
    if (op.getSource() != WeightSource::Gather || op.getNorm() != WeightNorm::L1 || op.getEpsilonMode() != EpsilonMode::None)
      return rewriter.notifyMatchFailure(op, "its weights are not gathered scores over their sum");
    auto score = op.getScores().getDefiningOp<ScoreOp>();
    if (!score || op.getScores() != score.getScores() || !isPlainSoftmax(score))
      return rewriter.notifyMatchFailure(op, "the scores are no plain softmax over experts");
    auto select = op.getToken().getDefiningOp<SelectOp>();
    if (!select || select.getChoice() != score.getChoice() || select.getMode() != SelectMode::TopK || select.getSide() != SelectSide::Token ||
        select.getGroups() || !select.getKth().use_empty())
      return rewriter.notifyMatchFailure(op, "the choice is no top-k of that softmax, or the values chosen are read");
    if (!score.getScores().hasOneUse() || !score.getChoice().hasOneUse())
      return rewriter.notifyMatchFailure(op, "the softmax is read elsewhere too");
    rewriter.modifyOpInPlace(score, [&]() { score.setFunction(ScoreFunction::Identity); });
    rewriter.modifyOpInPlace(op, [&]() {
      op.setSource(WeightSource::SoftmaxSelected);
      op.setNorm(WeightNorm::None);
    });
    return success();
  }
};

/// A softmax over the selected sums to one already.
struct NormalisedTwice : OpRewritePattern<WeighOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(WeighOp op, PatternRewriter &rewriter) const override {
    if (op.getSource() != WeightSource::SoftmaxSelected || op.getNorm() != WeightNorm::L1 || op.getEpsilonMode() != EpsilonMode::None)
      return rewriter.notifyMatchFailure(op, "it is no softmax over the selected that is divided by its sum");
    rewriter.modifyOpInPlace(op, [&]() { op.setNorm(WeightNorm::None); });
    return success();
  }
};

/// Weights of one over their sum are 1/K where each token has K of them; a sole softmax weight is one.
struct KnownWeights : OpRewritePattern<WeighOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(WeighOp op, PatternRewriter &rewriter) const override {
    const std::optional<int64_t> choices = certainChoices(selectOf(op.getToken(), op.getExpert(), op.getRank(), op.getValid()));
    if (!choices || op.getKeep() || op.getEpsilonMode() != EpsilonMode::None)
      return rewriter.notifyMatchFailure(op, "how many weights a token has depends on data, or an epsilon is added");
    const bool sole = op.getSource() == WeightSource::SoftmaxSelected && *choices == 1 && op.getNorm() == WeightNorm::None;
    if (!sole && (op.getSource() != WeightSource::One || op.getNorm() != WeightNorm::L1))
      return rewriter.notifyMatchFailure(op, "its weights are not known");
    rewriter.modifyOpInPlace(op, [&]() {
      op.setSource(WeightSource::One);
      op.setNorm(WeightNorm::None);
      op.setScale(APFloat(op.getScale().convertToDouble() / static_cast<double>(*choices)));
    });
    return success();
  }
};

/// A norm of power 1 of weights that are not negative is their sum.
struct NormOfPowerOne : OpRewritePattern<WeighOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(WeighOp op, PatternRewriter &rewriter) const override {
    if (op.getNorm() != WeightNorm::Lp || !op.getP().isExactlyValue(1.0))
      return rewriter.notifyMatchFailure(op, "its norm is not of power 1");
    auto score = op.getScores().getDefiningOp<ScoreOp>();
    const bool positive = op.getSource() != WeightSource::Gather ||
                          (score && op.getScores() == score.getScores() && score.getFunction() != ScoreFunction::Identity);
    if (!positive)
      return rewriter.notifyMatchFailure(op, "its weights may be negative");
    rewriter.modifyOpInPlace(op, [&]() { op.setNorm(WeightNorm::L1); });
    return success();
  }
};

/// Does anything behind the list see the order of a token's choices? Sums per token, counts and rows within an expert do not.
bool seesRanks(SelectOp select) {
  auto isBlind = [](Operation *user) {
    if (auto weigh = dyn_cast<WeighOp>(user))
      return weigh.getSource() != WeightSource::SparseMixer && llvm::all_of(weigh->getUsers(), llvm::IsaPred<CombineOp>);
    if (auto slots = dyn_cast<SlotsOp>(user))
      return !slots.getCapacity() && !slots.getPriority() && llvm::all_of(slots.getSlot().getUsers(), llvm::IsaPred<DispatchOp, CombineOp>) &&
             llvm::all_of(slots.getKeep().getUsers(), llvm::IsaPred<DispatchOp, CombineOp>);
    if (auto dispatch = dyn_cast<DispatchOp>(user))
      return !dispatch.getWeights();
    return isa<CombineOp>(user);
  };
  return !select.getKth().use_empty() || !llvm::all_of(select->getUsers(), isBlind);
}

/// The best E of E experts are all: no need to sort them.
struct SelectAllExperts : OpRewritePattern<SelectOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SelectOp op, PatternRewriter &rewriter) const override {
    if (op.getMode() != SelectMode::TopK || op.getSide() != SelectSide::Token || op.getGroups() ||
        op.getChoice().getType().getDimSize(1) != static_cast<int64_t>(op.getK()))
      return rewriter.notifyMatchFailure(op, "it does not select all experts");
    if (seesRanks(op))
      return rewriter.notifyMatchFailure(op, "the order of a token's choices is seen");
    rewriter.modifyOpInPlace(op, [&]() {
      op.setMode(SelectMode::All);
      op.setK(1); // not read
    });
    return success();
  }
};

/// Rows that go to their slots and come back as they were, each once and with weight one: x itself.
struct IdentityMovement : OpRewritePattern<CombineOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(CombineOp op, PatternRewriter &rewriter) const override {
    auto dispatch = op.getRows().getDefiningOp<DispatchOp>();
    auto slots = op.getSlot().getDefiningOp<SlotsOp>();
    auto weigh = op.getWeights().getDefiningOp<WeighOp>();
    if (!dispatch || !slots || !weigh || dispatch.getWeights() || dispatch.getSlot() != op.getSlot() || dispatch.getKeep() != op.getKeep() ||
        op.getSlot() != slots.getSlot() || op.getKeep() != slots.getKeep() || slots.getCapacity() || dispatch.getLayout() != SlotLayout::Ragged)
      return rewriter.notifyMatchFailure(op, "its rows are not those of a dropless, ragged dispatch by the same slots");
    const auto isList = [&](auto list) { return list.getToken() == op.getToken() && list.getExpert() == op.getExpert(); };
    SelectOp select = selectOf(slots.getToken(), slots.getExpert(), slots.getRank(), slots.getValid());
    if (!isList(dispatch) || !isList(slots) || !isList(weigh) || weigh.getValid() != slots.getValid() || certainChoices(select) != 1 ||
        select.getChoice().getType().getDimSize(1) != static_cast<int64_t>(slots.getExperts()))
      return rewriter.notifyMatchFailure(op, "not each token has one expert for certain");
    if (weigh.getSource() != WeightSource::One || weigh.getNorm() != WeightNorm::None || weigh.getKeep() || !weigh.getScale().isExactlyValue(1.0))
      return rewriter.notifyMatchFailure(op, "the weights are not one");
    // The tokens of x must be those of the list and those of the result.
    auto tokens = op.getTokens().getDefiningOp<tensor::DimOp>();
    const int64_t known = dispatch.getX().getType().getDimSize(0);
    const bool ofX = tokens ? tokens.getSource() == dispatch.getX() && tokens.getConstantIndex() == 0
                            : !ShapedType::isDynamic(known) && getConstantIntValue(op.getTokens()) == known;
    if (!ofX || !haveSameTokens(dispatch.getX(), select.getChoice()))
      return rewriter.notifyMatchFailure(op, "the tokens of x are not known to be those of the list");
    Value x = dispatch.getX();
    if (dispatch.getX().getType().getElementType() != op.getResult().getType().getElementType())
      return rewriter.notifyMatchFailure(op, "the result is wider than x");
    if (x.getType() != op.getResult().getType())
      x = tensor::CastOp::create(rewriter, op.getLoc(), op.getResult().getType(), x);
    rewriter.replaceOp(op, x);
    return success();
  }

  /// Static sizes that agree, or a choice that is computed from x's own rows.
  static bool haveSameTokens(TypedValue<RankedTensorType> x, TypedValue<RankedTensorType> choice) {
    const int64_t first = x.getType().getDimSize(0), second = choice.getType().getDimSize(0);
    if (!ShapedType::isDynamic(first) && !ShapedType::isDynamic(second))
      return first == second;
    return dimOf(x) && dimOf(x) == dimOf(choice);
  }

  /// The value that a dynamic dim 0 was made with: of moe.score its logits, of a destination its buffer, of a buffer its size; of a size
  /// that is a dim, the tensor that has it.
  static Value dimOf(Value tensor) {
    while (Operation *producer = tensor.getDefiningOp()) {
      if (auto score = dyn_cast<ScoreOp>(producer))
        tensor = score.getLogits();
      else if (auto destination = dyn_cast<DestinationStyleOpInterface>(producer))
        tensor = destination.getTiedOpOperand(cast<OpResult>(tensor))->get();
      else if (auto cast = dyn_cast<tensor::CastOp>(producer))
        tensor = cast.getSource();
      else if (auto empty = dyn_cast<tensor::EmptyOp>(producer)) {
        if (!empty.getType().isDynamicDim(0))
          return {};
        auto dim = empty.getDynamicSize(0).getDefiningOp<tensor::DimOp>();
        if (!dim || dim.getConstantIndex() != 0)
          return {};
        tensor = dim.getSource();
      } else
        return tensor;
    }
    return tensor;
  }
};

} // namespace

void WeighOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<RenormalisedSoftmax, NormalisedTwice, KnownWeights, NormOfPowerOne>(context);
}

void SelectOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) { patterns.add<SelectAllExperts>(context); }

void CombineOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) { patterns.add<IdentityMovement>(context); }

/// A filter that starts behind the last rank keeps what is valid.
OpFoldResult FilterOp::fold(FoldAdaptor) {
  auto select = getRank().getDefiningOp<SelectOp>();
  if (!select || getRank() != select.getRank() || select.getSide() != SelectSide::Token || select.getMode() == SelectMode::All ||
      static_cast<int64_t>(getFromRank()) < static_cast<int64_t>(select.getK()))
    return {};
  return getValid().getType() == getResult().getType() ? OpFoldResult(getValid()) : OpFoldResult();
}

} // namespace moe
