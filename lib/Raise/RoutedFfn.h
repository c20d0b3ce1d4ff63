//===- RoutedFfn.h - what experts compute on routed rows --------*- C++ -*-===//
// A routed row belongs to one (token, choice) pair; there are S = T·K of them. The export forms differ in how a row meets its expert's matrix;
// what lies between the two products (bias, gate, activation, clamps) looks the same in all and is read here.
#ifndef MOE_LIB_RAISE_ROUTEDFFN_H
#define MOE_LIB_RAISE_ROUTEDFFN_H

#include "LayerBuilder.h"
#include "OnnxMatch.h"
#include "RowSteps.h"
#include "SizeProof.h"

#include "llvm/ADT/SmallString.h"

namespace moe::raise {

/// Where the dim of the experts stands in rows of all experts.
struct ExpertPlace {
  int64_t dim = 0;
  /// How many rows of one expert lie together: 0 stands for all (the experts come first), 1 for an expert after the other in each token; -1 is not known.
  int64_t together = 0;
};

/// [S, in] rows times each row's expert matrix, plus its expert's bias: [S, out].
struct RoutedProduct {
  /// The operand that holds the rows, not peeled.
  mlir::Value rows;
  mlir::Value weight, bias;
  WeightOrder order = WeightOrder::OutIn;
  int64_t experts = 0, in = 0, out = 0;
  /// Where the product is that of one expert: its place in `weight` and `bias`, -1 where these are its own.
  int64_t weightSlice = -1, biasSlice = -1;
  /// The rows are one per token and serve all of its choices (or experts): the product repeats them.
  bool sharesRows = false;
  /// Where the rows of all experts lie side by side: of the rows and of the result.
  ExpertPlace rowsPlace = {}, place = {};
  /// The product itself, without bias.
  mlir::Value result = {};
  /// Where each expert's rows are multiplied apart: how they, and what comes out, are rounded there.
  std::optional<RowSteps> rowSteps = {}, resultSteps = {};
};

/// A whole expert: first product(s), what is between, second product.
struct RoutedFfn {
  RoutedProduct gate, down;
  std::optional<RoutedProduct> up;
  FfnAttr ffn;
  /// What the results of each expert are multiplied by; empty for nothing.
  llvm::SmallVector<double> scales = {};
  /// Where rows are rounded on the way, in the order of the places.
  llvm::SmallVector<RowSteps> steps = {};

  /// Multiplies `scales` by other numbers, one per expert or one for all.
  void scaleBy(llvm::ArrayRef<double> factors);
};

/// Reads expert computations upwards from a routed result. A form derives from it and says what its products look like.
/// Whatever does not fit exactly is no match; `missed()` and `missedAt()` then say what was expected, for the remark.
class RoutedMatcher {
public:
  RoutedMatcher(const SizeProof &proof) : proof(proof) {}
  virtual ~RoutedMatcher() = default;

  /// A second product whose rows are an activation of first products, above `value`.
  std::optional<RoutedFfn> matchFfn(mlir::Value value);

  llvm::StringRef missed() const { return missedText; }
  mlir::Operation *missedAt() const { return missedOp; }

protected:
  /// The product above `value` (already peeled of views and float casts), without bias.
  virtual std::optional<RoutedProduct> matchProduct(mlir::Value value) = 0;
  /// Are these indices the expert ids of the routed rows of this form, one per row?
  virtual bool areExpertIds(mlir::Value indices) { return false; }
  /// Input `side` of `add` is added to rows with the columns of `product`: is it the bias? If so it is put into `product`. Forms B and C: a
  /// lookup by the expert ids.
  virtual bool isBias(mlir::Value addend) { return static_cast<bool>(matchLookup(peel(addend, Views | FloatCasts))); }
  virtual bool takeBias(OnnxOp add, unsigned side, RoutedProduct &product);

  /// Looks for a tensor [E, …] that is read at the expert id of each routed row: GatherND or Gather on dim 0.
  mlir::Value matchLookup(mlir::Value value);
  /// Remembers the first reason why a match failed; returns nullopt.
  std::nullopt_t miss(mlir::Operation *at, const llvm::Twine &text);

  /// The stored numbers, one per expert, of which each row is multiplied by its expert's if `factor` is a factor of rows; null where it is none.
  virtual mlir::Value scalesBehind(mlir::Value factor) { return {}; }
  /// Does input `side` of `product` give each row its own expert's number? `down` is the product whose rows they are.
  virtual bool fitsScales(OnnxOp product, unsigned side, const RoutedProduct &down) { return false; }

  /// May rows have factors, one each, behind the second product or (where that has no bias) before it? They are collected in `rowFactors`; a form that
  /// says so multiplies its weights by them.
  virtual bool takesFactors() const { return false; }

  /// Are the rows of an expert those of its tokens and no others? Then steps may be found from them as the model runs.
  virtual bool hasOwnRows() const { return false; }

  const SizeProof &proof;
  /// Of the last matchFfn: […, 1] in the order of the rows.
  llvm::SmallVector<mlir::Value> rowFactors;
  /// Rows of the first product that the last matchFfn found above an activation and a second one, whether or not these make an expert.
  mlir::Value firstRows;
  /// Did it meet rows that are rounded to steps found from more rows than an expert's?
  bool sawSharedSteps = false;

private:
  struct Activated;
  struct Scales;
  mlir::Value takeScales(mlir::Value value, Scales &scales);
  bool applyScales(const Scales &scales, RoutedFfn &ffn);
  std::optional<RoutedProduct> matchBiasedProduct(mlir::Value value);
  bool collectFactors(mlir::Value value, llvm::SmallVectorImpl<mlir::Value> &factors, double &constant, bool isLinear, unsigned depth);
  std::optional<Activated> matchActivation(llvm::ArrayRef<mlir::Value> factors, double constant);
  std::optional<RoutedFfn> resolve(const Activated &activated, RoutedProduct down);
  bool takeSteps(mlir::Value &value, StepsPlace at, llvm::SmallVectorImpl<RowSteps> &steps);
  bool addSteps(const std::optional<RowSteps> &found, StepsPlace at, llvm::SmallVectorImpl<RowSteps> &steps);
  bool takeInputSteps(RoutedFfn &ffn);

  mlir::Operation *missedOp = nullptr;
  llvm::SmallString<64> missedText;
};

/// A stored tensor behind views that keep its shape: `moe.weight_ref` or a constant; null otherwise. Null gives null.
mlir::Value storedTensor(mlir::Value value);

/// Are two weights floats of one type, or quantised in one format with parts of the same types? Only such are packed side by side.
bool storedAlike(mlir::Value a, mlir::Value b);

/// As storedTensor, through a Transpose of the two inner dims of a 3-D tensor; `transposed` is flipped by it.
mlir::Value storedMatrix(mlir::Value value, bool &transposed);

/// Is `op` a Transpose that swaps the two inner dims of a 3-D tensor?
bool swapsInnerDims(OnnxOp op);

} // namespace moe::raise

#endif // MOE_LIB_RAISE_ROUTEDFFN_H
