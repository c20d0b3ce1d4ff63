// Arithmetic on symbolic sizes: a canonical form that decides equality, signs, exact division, and elimination of symbols by equations.
// AffineExpr is only the notation; MLIR's own simplifier does not order products of symbols, so equality would depend on how they were made.
#ifndef MOE_LIB_IR_DIMALGEBRA_H
#define MOE_LIB_IR_DIMALGEBRA_H

#include "moe/IR/OnnxInference.h"

#include <map>

namespace moe {

class DimAlgebra {
public:
  explicit DimAlgebra(mlir::MLIRContext *context) : context(context) {}

  mlir::AffineExpr constant(int64_t value) const { return mlir::getAffineConstantExpr(value, context); }
  /// A new symbol. Returns its expression.
  mlir::AffineExpr addSymbol(DimSymbol symbol);
  mlir::AffineExpr minimum(mlir::AffineExpr lhs, mlir::AffineExpr rhs) { return extremum(lhs, rhs, SymbolKind::Minimum); }
  mlir::AffineExpr maximum(mlir::AffineExpr lhs, mlir::AffineExpr rhs) { return extremum(lhs, rhs, SymbolKind::Maximum); }

  /// The sum of many terms, as a balanced tree: in time that is linear but for a logarithm.
  mlir::AffineExpr sum(llvm::ArrayRef<mlir::AffineExpr> terms) const;
  mlir::AffineExpr normalise(mlir::AffineExpr expression);
  bool equal(mlir::AffineExpr lhs, mlir::AffineExpr rhs) { return normalise(lhs) == normalise(rhs); }
  /// Equal, though their forms differ: proven by going through the cases of their minima and maxima. Slower; for what `equal` denies.
  bool equalByCases(mlir::AffineExpr lhs, mlir::AffineExpr rhs);
  /// Their difference is a constant other than zero, or never zero.
  bool different(mlir::AffineExpr lhs, mlir::AffineExpr rhs);
  /// Never negative, as far as the signs of its terms and the bounds of up to two minima and maxima tell.
  bool nonNegative(mlir::AffineExpr expression);
  bool positive(mlir::AffineExpr expression) { return nonNegative(expression - 1); }
  std::optional<int64_t> constantValue(mlir::AffineExpr expression);

  /// numerator / denominator where it is exact for every value of the symbols; null otherwise.
  mlir::AffineExpr exactQuotient(mlir::AffineExpr numerator, mlir::AffineExpr denominator);

  /// Takes lhs = rhs from here on: `lhs` and `rhs` become the equation without common factors, and where one side can be a plain symbol, that symbol
  /// is replaced from here on. False where the equation has no solution.
  bool assume(mlir::AffineExpr &lhs, mlir::AffineExpr &rhs);

  bool dependsOnData(mlir::AffineExpr expression) const;
  bool usesElements(mlir::AffineExpr expression) const;
  /// Does `test` hold for a symbol of the expression, or of the minimum or maximum that one stands for?
  bool anySymbol(mlir::AffineExpr expression, llvm::function_ref<bool(const DimSymbol &)> test) const;
  std::string text(mlir::AffineExpr expression) const;
  llvm::ArrayRef<DimSymbol> symbols() const { return allSymbols; }

private:
  /// Factors of a product in order, and the order of products: by degree, then by factors (needed by division).
  using Monomial = llvm::SmallVector<mlir::AffineExpr, 2>;
  struct MonomialLess {
    bool operator()(const Monomial &lhs, const Monomial &rhs) const;
  };
  using Polynomial = std::map<Monomial, int64_t, MonomialLess>;

  mlir::AffineExpr extremum(mlir::AffineExpr lhs, mlir::AffineExpr rhs, SymbolKind kind);
  mlir::AffineExpr normaliseSymbol(mlir::AffineExpr symbol);
  bool toPolynomial(mlir::AffineExpr expression, Polynomial &result);
  bool divisionPolynomial(mlir::AffineBinaryOpExpr expression, Polynomial &result);
  /// What is the same modulo `divisor`: remainders by multiples of it stand for their numerators.
  bool takeResidue(const Polynomial &numerator, int64_t divisor, Polynomial &residue);
  /// c · (x floordiv c) is x - r where x is surely r modulo c.
  bool undoDivisions(Polynomial &polynomial);
  mlir::AffineExpr fromPolynomial(const Polynomial &polynomial) const;
  static bool add(Polynomial &into, const Monomial &monomial, int64_t coefficient);
  static bool multiply(const Polynomial &lhs, const Polynomial &rhs, Polynomial &result);
  static bool divide(Polynomial numerator, const Polynomial &denominator, Polynomial &quotient);
  bool nonNegativeFactor(mlir::AffineExpr factor);
  bool nonNegative(mlir::AffineExpr expression, int depth, size_t &budget);
  void removeCommonFactors(Polynomial &polynomial);
  void replace(unsigned position, mlir::AffineExpr value);
  void forEachSymbol(mlir::AffineExpr expression, llvm::function_ref<void(unsigned)> visit) const;
  DimAlgebra copyForCase() const;
  mlir::AffineExpr innermostExtremum(mlir::AffineExpr expression) const;
  bool isZeroByCases(mlir::AffineExpr expression, int depth);
  bool mentions(mlir::AffineExpr expression, unsigned symbol) const;
  int solvableSymbol(const Polynomial &polynomial) const;

  mlir::MLIRContext *context;
  llvm::SmallVector<DimSymbol> allSymbols;
  llvm::DenseMap<unsigned, mlir::AffineExpr> replaced;
  /// By symbol: the symbols that were replaced by expressions with it.
  llvm::DenseMap<unsigned, llvm::SmallVector<unsigned>> replacedBy;
  llvm::DenseMap<mlir::AffineExpr, mlir::AffineExpr> normalForms;
  /// By symbol: the expressions in `normalForms` that depend on it.
  llvm::DenseMap<unsigned, llvm::SmallVector<mlir::AffineExpr>> dependents;
  /// The symbols of maxima (0) and minima (1), by their operands.
  llvm::DenseMap<std::pair<mlir::AffineExpr, mlir::AffineExpr>, unsigned> extrema[2];
  /// Terms of long sums that were looked at so far.
  size_t longTerms = 0;
};

} // namespace moe

#endif // MOE_LIB_IR_DIMALGEBRA_H
