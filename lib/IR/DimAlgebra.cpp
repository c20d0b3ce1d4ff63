// Polynomials over symbols, with floor divisions and remainders that do not cancel as factors of their own.
#include "DimAlgebra.h"

#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;

namespace moe {

// A product of more terms than this is not worth comparing: the expression then stays as it is written.
static constexpr size_t maximumTerms = 512;
// A sum may be longer: the rows of a layer's experts, each of a size that depends on data, are a sum with a term for each expert. What bounds time and
// memory are the terms of all long sums together, so that a chain of nodes that each make the sum before longer cannot use more than its share.
static constexpr size_t maximumLongTerms = size_t(1) << 24;

// Terms that a proof of a sign may look at. A sum of n minima has n² pairs of bounds, each with n terms: a file of 100 bytes can ask for 64.
static constexpr size_t maximumProofTerms = 20000;

/// An order of expressions that does not depend on where they lie in memory.
static int compare(AffineExpr lhs, AffineExpr rhs) {
  if (lhs == rhs)
    return 0;
  if (lhs.getKind() != rhs.getKind())
    return lhs.getKind() < rhs.getKind() ? -1 : 1;
  if (auto left = dyn_cast<AffineSymbolExpr>(lhs))
    return left.getPosition() < cast<AffineSymbolExpr>(rhs).getPosition() ? -1 : 1;
  if (auto left = dyn_cast<AffineConstantExpr>(lhs))
    return left.getValue() < cast<AffineConstantExpr>(rhs).getValue() ? -1 : 1;
  auto left = dyn_cast<AffineBinaryOpExpr>(lhs);
  if (!left)
    return 0;
  auto right = cast<AffineBinaryOpExpr>(rhs);
  if (int first = compare(left.getLHS(), right.getLHS()))
    return first;
  return compare(left.getRHS(), right.getRHS());
}

bool DimAlgebra::MonomialLess::operator()(const Monomial &lhs, const Monomial &rhs) const {
  if (lhs.size() != rhs.size())
    return lhs.size() < rhs.size();
  for (auto [left, right] : llvm::zip(lhs, rhs))
    if (int order = compare(left, right))
      return order > 0;
  return false;
}

AffineExpr DimAlgebra::addSymbol(DimSymbol symbol) {
  allSymbols.push_back(std::move(symbol));
  return getAffineSymbolExpr(allSymbols.size() - 1, context);
}

AffineExpr DimAlgebra::extremum(AffineExpr lhs, AffineExpr rhs, SymbolKind kind) {
  lhs = normalise(lhs);
  rhs = normalise(rhs);
  bool isMinimum = kind == SymbolKind::Minimum;
  if (nonNegative(lhs - rhs))
    return isMinimum ? rhs : lhs;
  if (nonNegative(rhs - lhs))
    return isMinimum ? lhs : rhs;
  if (compare(lhs, rhs) > 0)
    std::swap(lhs, rhs);
  if (auto known = extrema[isMinimum].find({lhs, rhs}); known != extrema[isMinimum].end())
    return getAffineSymbolExpr(known->second, context);
  DimSymbol symbol;
  symbol.kind = kind;
  symbol.lhs = lhs;
  symbol.rhs = rhs;
  symbol.name = std::string(isMinimum ? "min(" : "max(") + text(lhs) + ", " + text(rhs) + ")";
  bool left = nonNegative(lhs), right = nonNegative(rhs);
  symbol.isSize = isMinimum ? left && right : left || right;
  extrema[isMinimum][{lhs, rhs}] = allSymbols.size();
  return addSymbol(std::move(symbol));
}

bool DimAlgebra::add(Polynomial &into, const Monomial &monomial, int64_t coefficient) {
  auto [place, isNew] = into.try_emplace(monomial, 0);
  if (llvm::AddOverflow(place->second, coefficient, place->second))
    return false;
  if (place->second == 0)
    into.erase(place);
  return true;
}

bool DimAlgebra::multiply(const Polynomial &lhs, const Polynomial &rhs, Polynomial &result) {
  if (lhs.size() > 1 && rhs.size() > 1 && lhs.size() * rhs.size() > maximumTerms)
    return false;
  for (const auto &[leftFactors, leftCoefficient] : lhs)
    for (const auto &[rightFactors, rightCoefficient] : rhs) {
      Monomial factors(leftFactors);
      factors.append(rightFactors.begin(), rightFactors.end());
      llvm::sort(factors, [](AffineExpr a, AffineExpr b) { return compare(a, b) < 0; });
      int64_t coefficient = 0;
      if (llvm::MulOverflow(leftCoefficient, rightCoefficient, coefficient) || !add(result, factors, coefficient))
        return false;
    }
  return true;
}

/// Long division by one divisor; true where nothing remains.
bool DimAlgebra::divide(Polynomial numerator, const Polynomial &denominator, Polynomial &quotient) {
  if (denominator.empty())
    return false;
  const auto &[leadFactors, leadCoefficient] = *denominator.rbegin();
  while (!numerator.empty()) {
    auto [factors, coefficient] = *numerator.rbegin();
    if (coefficient % leadCoefficient)
      return false;
    Monomial left(factors);
    for (AffineExpr factor : leadFactors) {
      auto place = llvm::find(left, factor);
      if (place == left.end())
        return false;
      left.erase(place);
    }
    if (denominator.size() > 1 && (quotient.size() + 1) * denominator.size() > maximumTerms)
      return false;
    Polynomial term, product;
    term[left] = coefficient / leadCoefficient;
    if (!add(quotient, left, term[left]) || !multiply(term, denominator, product))
      return false;
    for (const auto &[productFactors, productCoefficient] : product) {
      int64_t negated = 0;
      if (llvm::SubOverflow<int64_t>(0, productCoefficient, negated) || !add(numerator, productFactors, negated))
        return false;
    }
  }
  return true;
}

bool DimAlgebra::toPolynomial(AffineExpr expression, Polynomial &result) {
  if (auto number = dyn_cast<AffineConstantExpr>(expression))
    return number.getValue() == 0 || add(result, {}, number.getValue());
  if (result.size() > maximumTerms && ++longTerms > maximumLongTerms)
    return false;
  if (isa<AffineSymbolExpr>(expression)) {
    AffineExpr value = normaliseSymbol(expression);
    return value == expression ? add(result, {value}, 1) : toPolynomial(value, result);
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expression);
  if (!binary)
    return false;
  switch (expression.getKind()) {
  case AffineExprKind::Add:
    return toPolynomial(binary.getLHS(), result) && toPolynomial(binary.getRHS(), result);
  case AffineExprKind::Mul: {
    Polynomial lhs, rhs, product;
    if (!toPolynomial(binary.getLHS(), lhs) || !toPolynomial(binary.getRHS(), rhs) || !multiply(lhs, rhs, product) || !undoDivisions(product))
      return false;
    for (const auto &[factors, coefficient] : product)
      if (!add(result, factors, coefficient))
        return false;
    return true;
  }
  default:
    return divisionPolynomial(binary, result);
  }
}

/// floordiv, ceildiv and mod: what divides exactly leaves the division, the rest becomes a factor of its own.
bool DimAlgebra::divisionPolynomial(AffineBinaryOpExpr expression, Polynomial &result) {
  Polynomial numerator, denominator, quotient;
  if (!toPolynomial(expression.getLHS(), numerator) || !toPolynomial(expression.getRHS(), denominator))
    return false;
  bool isMod = expression.getKind() == AffineExprKind::Mod;
  if (divide(numerator, denominator, quotient)) {
    if (isMod)
      return true;
    for (const auto &[factors, coefficient] : quotient)
      if (!add(result, factors, coefficient))
        return false;
    return true;
  }
  AffineExpr divisor = fromPolynomial(denominator);
  auto number = dyn_cast<AffineConstantExpr>(divisor);
  if (number && number.getValue() <= 0)
    return false;
  Polynomial rest, residue;
  if (isMod && number) {
    if (!takeResidue(numerator, number.getValue(), residue))
      return false;
    numerator = std::move(residue);
  }
  for (const auto &[factors, coefficient] : numerator) {
    int64_t whole = number ? llvm::divideFloorSigned(coefficient, number.getValue()) : 0;
    int64_t left = coefficient - (number ? whole * number.getValue() : 0);
    if (whole && !isMod && !add(result, factors, whole))
      return false;
    if (left && !add(rest, factors, left))
      return false;
  }
  AffineExpr remaining = fromPolynomial(rest);
  AffineExpr division = getAffineBinaryOpExpr(expression.getKind(), remaining, divisor);
  if (auto folded = dyn_cast<AffineConstantExpr>(division))
    return folded.getValue() == 0 || add(result, {}, folded.getValue());
  return add(result, {division}, 1);
}

/// `factor` as a division of kind `kind` by a positive constant; its divisor, or 0.
static int64_t constantDivisor(AffineExpr factor, AffineExprKind kind) {
  auto binary = dyn_cast<AffineBinaryOpExpr>(factor);
  if (!binary || factor.getKind() != kind)
    return 0;
  auto number = dyn_cast<AffineConstantExpr>(binary.getRHS());
  return number && number.getValue() > 0 ? number.getValue() : 0;
}

bool DimAlgebra::takeResidue(const Polynomial &numerator, int64_t divisor, Polynomial &residue) {
  for (const auto &[factors, coefficient] : numerator) {
    const int64_t left = coefficient - llvm::divideFloorSigned(coefficient, divisor) * divisor;
    if (left == 0)
      continue;
    const int64_t inner = factors.size() == 1 ? constantDivisor(factors.front(), AffineExprKind::Mod) : 0;
    Polynomial scaled, whole, product;
    scaled[factors] = left;
    if (inner && inner % divisor == 0) {
      scaled.clear();
      scaled[{}] = left;
      if (!toPolynomial(cast<AffineBinaryOpExpr>(factors.front()).getLHS(), whole) || !multiply(scaled, whole, product) ||
          !takeResidue(product, divisor, residue))
        return false;
      continue;
    }
    if (!add(residue, factors, left))
      return false;
  }
  // Sums of coefficients below the divisor may reach it.
  Polynomial below;
  for (const auto &[factors, coefficient] : residue)
    if (int64_t left = coefficient - llvm::divideFloorSigned(coefficient, divisor) * divisor)
      below[factors] = left;
  residue = std::move(below);
  return true;
}

bool DimAlgebra::undoDivisions(Polynomial &polynomial) {
  const Polynomial terms = polynomial;
  for (const auto &[factors, coefficient] : terms)
    for (const auto &[place, factor] : llvm::enumerate(factors)) {
      const int64_t divisor = constantDivisor(factor, AffineExprKind::FloorDiv);
      if (!divisor || coefficient % divisor != 0)
        continue;
      Polynomial numerator, residue, others, whole;
      if (!toPolynomial(cast<AffineBinaryOpExpr>(factor).getLHS(), numerator) || !takeResidue(numerator, divisor, residue))
        return false;
      const bool isConstant = residue.empty() || (residue.size() == 1 && residue.begin()->first.empty());
      if (!isConstant)
        continue;
      if (!residue.empty() && !add(numerator, {}, -residue.begin()->second))
        return false;
      Monomial rest(factors);
      rest.erase(rest.begin() + place);
      others[rest] = coefficient / divisor;
      if (!multiply(others, numerator, whole) || !add(polynomial, factors, -coefficient))
        return false;
      for (const auto &[wholeFactors, wholeCoefficient] : whole)
        if (!add(polynomial, wholeFactors, wholeCoefficient))
          return false;
      break;
    }
  return true;
}

AffineExpr DimAlgebra::fromPolynomial(const Polynomial &polynomial) const {
  SmallVector<AffineExpr> terms;
  int64_t number = 0;
  // Greatest terms first, the constant last, as people write them.
  for (auto term = polynomial.rbegin(); term != polynomial.rend(); ++term) {
    if (term->first.empty()) {
      number = term->second;
      continue;
    }
    AffineExpr product;
    for (AffineExpr factor : term->first)
      product = product ? product * factor : factor;
    terms.push_back(term->second == 1 ? product : product * term->second);
  }
  return terms.empty() ? constant(number) : sum(terms) + number;
}

AffineExpr DimAlgebra::sum(ArrayRef<AffineExpr> terms) const {
  // MLIR looks through all of the left operand of each `+`, which would be quadratic for a sum that is built from left to right.
  constexpr size_t shortSum = 8;
  if (terms.size() > shortSum) {
    const size_t half = terms.size() / 2;
    return sum(terms.take_front(half)) + sum(terms.drop_front(half));
  }
  AffineExpr result = terms.empty() ? constant(0) : terms.front();
  for (AffineExpr term : terms.drop_front(terms.empty() ? 0 : 1))
    result = result + term;
  return result;
}

AffineExpr DimAlgebra::normaliseSymbol(AffineExpr expression) {
  unsigned position = cast<AffineSymbolExpr>(expression).getPosition();
  if (auto place = replaced.find(position); place != replaced.end())
    return place->second;
  if (position >= allSymbols.size())
    return expression;
  if (SymbolKind kind = allSymbols[position].kind; kind != SymbolKind::Minimum && kind != SymbolKind::Maximum)
    return expression;
  // A copy: what follows may make symbols.
  DimSymbol symbol = allSymbols[position];
  // What was learnt since may have decided which of the two it is.
  AffineExpr lhs = normalise(symbol.lhs), rhs = normalise(symbol.rhs);
  if (lhs == symbol.lhs && rhs == symbol.rhs)
    return expression;
  return extremum(lhs, rhs, symbol.kind);
}

AffineExpr DimAlgebra::normalise(AffineExpr expression) {
  if (isa<AffineConstantExpr>(expression))
    return expression;
  if (auto place = normalForms.find(expression); place != normalForms.end())
    return place->second;
  Polynomial polynomial;
  AffineExpr result = toPolynomial(expression, polynomial) ? fromPolynomial(polynomial) : expression;
  normalForms[expression] = result;
  forEachSymbol(expression, [&](unsigned symbol) { dependents[symbol].push_back(expression); });
  return result;
}

/// Every symbol that the expression's form may depend on, once: also those of its minima and maxima, and of what replaced a symbol.
void DimAlgebra::forEachSymbol(AffineExpr expression, llvm::function_ref<void(unsigned)> visit) const {
  DenseSet<unsigned> seen;
  SmallVector<AffineExpr> worklist = {expression};
  while (!worklist.empty())
    worklist.pop_back_val().walk([&](AffineExpr part) {
      auto leaf = dyn_cast<AffineSymbolExpr>(part);
      if (!leaf || leaf.getPosition() >= allSymbols.size() || !seen.insert(leaf.getPosition()).second)
        return;
      visit(leaf.getPosition());
      const DimSymbol &symbol = allSymbols[leaf.getPosition()];
      if (symbol.lhs)
        worklist.append({symbol.lhs, symbol.rhs});
      if (auto place = replaced.find(leaf.getPosition()); place != replaced.end())
        worklist.push_back(place->second);
    });
}

/// A minimum or maximum in the expression whose operands have none; null where there is none.
AffineExpr DimAlgebra::innermostExtremum(AffineExpr expression) const {
  AffineExpr found;
  expression.walk([&](AffineExpr part) {
    auto leaf = dyn_cast<AffineSymbolExpr>(part);
    if (!leaf || found || !allSymbols[leaf.getPosition()].lhs)
      return;
    const DimSymbol &symbol = allSymbols[leaf.getPosition()];
    AffineExpr inner = innermostExtremum(symbol.lhs);
    if (!inner)
      inner = innermostExtremum(symbol.rhs);
    found = inner ? inner : part;
  });
  return found;
}

bool DimAlgebra::equalByCases(AffineExpr lhs, AffineExpr rhs) {
  AffineExpr difference = normalise(lhs - rhs);
  if (!innermostExtremum(difference))
    return difference == constant(0);
  // A copy: what a case assumes and the symbols it makes must not stay.
  DimAlgebra scratch = copyForCase();
  return scratch.isZeroByCases(difference, /*depth=*/4);
}

/// A copy without the forms that can be computed again, which are as many as the graph is large.
DimAlgebra DimAlgebra::copyForCase() const {
  DimAlgebra copy(context);
  copy.allSymbols = allSymbols;
  copy.replaced = replaced;
  copy.replacedBy = replacedBy;
  copy.longTerms = longTerms;
  llvm::copy(extrema, copy.extrema);
  return copy;
}

/// Splits the range of a size s where a minimum or maximum of s and a small number changes its form: s = 0, 1, … below the number, and s = the number
/// plus a new size. Every case is exact, so zero in all of them is zero.
bool DimAlgebra::isZeroByCases(AffineExpr expression, int depth) {
  constexpr int64_t mostCases = 8;
  expression = normalise(expression);
  if (expression == constant(0))
    return true;
  AffineExpr extremum = depth > 0 ? innermostExtremum(expression) : nullptr;
  if (!extremum)
    return false;
  const DimSymbol &operands = allSymbols[cast<AffineSymbolExpr>(extremum).getPosition()];
  // operands.lhs - operands.rhs = ±s + number: the form changes at s = ∓number.
  Polynomial difference;
  if (!toPolynomial(operands.lhs - operands.rhs, difference) || difference.size() > 2)
    return false;
  int64_t number = 0;
  AffineExpr size;
  bool isNegated = false;
  for (const auto &[factors, coefficient] : difference) {
    if (factors.empty())
      number = coefficient;
    else if (factors.size() == 1 && isa<AffineSymbolExpr>(factors[0]) && (coefficient == 1 || coefficient == -1))
      size = factors[0], isNegated = coefficient < 0;
    else
      return false;
  }
  int64_t threshold = isNegated ? number : -number;
  if (!size || threshold < 0 || threshold > mostCases || !allSymbols[cast<AffineSymbolExpr>(size).getPosition()].isSize)
    return false;
  for (int64_t value = 0; value <= threshold; ++value) {
    DimAlgebra one = copyForCase();
    AffineExpr replacement = constant(value);
    if (value == threshold) {
      DimSymbol rest;
      rest.kind = SymbolKind::Data;
      replacement = one.addSymbol(std::move(rest)) + value;
    }
    one.replace(cast<AffineSymbolExpr>(size).getPosition(), replacement);
    if (!one.isZeroByCases(expression, depth - 1))
      return false;
  }
  return true;
}

std::optional<int64_t> DimAlgebra::constantValue(AffineExpr expression) {
  if (auto number = dyn_cast<AffineConstantExpr>(normalise(expression)))
    return number.getValue();
  return std::nullopt;
}

bool DimAlgebra::different(AffineExpr lhs, AffineExpr rhs) {
  std::optional<int64_t> difference = constantValue(lhs - rhs);
  if (difference)
    return *difference != 0;
  return positive(lhs - rhs) || positive(rhs - lhs);
}

bool DimAlgebra::nonNegativeFactor(AffineExpr factor) {
  if (auto symbol = dyn_cast<AffineSymbolExpr>(factor))
    return symbol.getPosition() < allSymbols.size() && allSymbols[symbol.getPosition()].isSize;
  auto binary = dyn_cast<AffineBinaryOpExpr>(factor);
  if (!binary)
    return false;
  if (factor.getKind() == AffineExprKind::Mod)
    return nonNegative(binary.getRHS());
  return nonNegative(binary.getLHS()) && nonNegative(binary.getRHS());
}

bool DimAlgebra::nonNegative(AffineExpr expression) {
  size_t budget = maximumProofTerms;
  return nonNegative(expression, /*depth=*/2, budget);
}

bool DimAlgebra::nonNegative(AffineExpr expression, int depth, size_t &budget) {
  Polynomial polynomial;
  if (!toPolynomial(expression, polynomial))
    return false;
  budget -= std::min(budget, polynomial.size());
  bool noNegativeTerm = llvm::all_of(polynomial, [&](const auto &term) {
    return term.second >= 0 && llvm::all_of(term.first, [&](AffineExpr factor) { return nonNegativeFactor(factor); });
  });
  if (noNegativeTerm || depth == 0 || budget == 0)
    return noNegativeTerm;
  // A subtracted minimum is bounded by either operand, and so is an added maximum: with one in its place the sum can only get less.
  for (const auto &[factors, coefficient] : polynomial) {
    if (factors.size() != 1 || !isa<AffineSymbolExpr>(factors[0]))
      continue;
    auto leaf = cast<AffineSymbolExpr>(factors[0]);
    if (allSymbols[leaf.getPosition()].kind != (coefficient < 0 ? SymbolKind::Minimum : SymbolKind::Maximum))
      continue;
    // A copy: what follows may make symbols.
    DimSymbol symbol = allSymbols[leaf.getPosition()];
    for (AffineExpr operand : {symbol.lhs, symbol.rhs})
      if (budget > 0 && nonNegative(expression + (operand - leaf) * coefficient, depth - 1, budget))
        return true;
  }
  return false;
}

AffineExpr DimAlgebra::exactQuotient(AffineExpr numerator, AffineExpr denominator) {
  Polynomial top, bottom, quotient;
  if (!toPolynomial(numerator, top) || !toPolynomial(denominator, bottom) || !divide(top, bottom, quotient))
    return nullptr;
  return fromPolynomial(quotient);
}

/// Divides an equation `polynomial = 0` by what all its terms share. A shared size that is zero makes both sides empty, so it may go.
void DimAlgebra::removeCommonFactors(Polynomial &polynomial) {
  int64_t divisor = 0;
  Monomial shared = polynomial.size() > 1 ? polynomial.begin()->first : Monomial();
  for (const auto &[factors, coefficient] : polynomial) {
    divisor = std::gcd(divisor, coefficient);
    Monomial left(factors), common;
    for (AffineExpr factor : shared)
      if (auto place = llvm::find(left, factor); place != left.end()) {
        left.erase(place);
        common.push_back(factor);
      }
    shared = common;
  }
  Polynomial whole, quotient;
  whole[shared] = divisor ? divisor : 1;
  if (divide(polynomial, whole, quotient))
    polynomial = std::move(quotient);
}

/// Does `symbol` occur in the expression, or in the minimum or maximum that one of its symbols stands for?
bool DimAlgebra::mentions(AffineExpr expression, unsigned symbol) const {
  bool found = false;
  expression.walk([&](AffineExpr part) {
    auto leaf = dyn_cast<AffineSymbolExpr>(part);
    if (!leaf || found)
      return;
    const DimSymbol &info = allSymbols[leaf.getPosition()];
    found = leaf.getPosition() == symbol || (info.lhs && (mentions(info.lhs, symbol) || mentions(info.rhs, symbol)));
  });
  return found;
}

/// The symbol that occurs once, as a term of its own with factor 1 or -1; -1 where there is none. Symbols that depend on data go first, then
/// minima and maxima, then the latest, so that what stays is what the caller knows first.
int DimAlgebra::solvableSymbol(const Polynomial &polynomial) const {
  int best = -1;
  auto rank = [&](unsigned position) {
    SymbolKind kind = allSymbols[position].kind;
    return std::make_pair(kind == SymbolKind::Data ? 2 : kind == SymbolKind::Argument ? 0 : 1, position);
  };
  for (const auto &[factors, coefficient] : polynomial) {
    if (factors.size() != 1 || (coefficient != 1 && coefficient != -1))
      continue;
    auto symbol = dyn_cast<AffineSymbolExpr>(factors[0]);
    if (!symbol)
      continue;
    unsigned position = symbol.getPosition();
    bool occursElsewhere = llvm::any_of(polynomial, [&, &factors = factors](const auto &term) {
      return &term.first != &factors && llvm::any_of(term.first, [&](AffineExpr factor) { return mentions(factor, position); });
    });
    if (!occursElsewhere && (best < 0 || rank(position) > rank(best)))
      best = static_cast<int>(position);
  }
  return best;
}

bool DimAlgebra::assume(AffineExpr &lhs, AffineExpr &rhs) {
  Polynomial difference;
  if (!toPolynomial(lhs - rhs, difference) || difference.empty())
    return true;
  removeCommonFactors(difference);
  if (difference.size() == 1 && difference.begin()->first.empty())
    return false;
  int position = solvableSymbol(difference);
  if (position < 0) {
    lhs = normalise(lhs);
    rhs = normalise(rhs);
    return true;
  }
  AffineExpr symbol = getAffineSymbolExpr(position, context);
  int64_t coefficient = difference[{symbol}];
  difference.erase({symbol});
  AffineExpr value = fromPolynomial(difference);
  value = normalise(coefficient == 1 ? value * -1 : value);
  // A size cannot be a negative number.
  if (auto number = dyn_cast<AffineConstantExpr>(value); number && number.getValue() < 0 && allSymbols[position].isSize)
    return false;
  lhs = symbol;
  rhs = value;
  replace(position, value);
  return true;
}

void DimAlgebra::replace(unsigned position, AffineExpr value) {
  // Only what depends on the symbol has another form from here on. Of the symbols replaced before, these are the ones whose value mentions it.
  SmallVector<AffineExpr> changed = std::move(dependents[position]);
  dependents.erase(position);
  for (AffineExpr expression : changed)
    normalForms.erase(expression);
  replaced[position] = value;
  SmallVector<unsigned> mentioning = std::move(replacedBy[position]);
  replacedBy.erase(position);
  mentioning.push_back(position);
  for (unsigned other : mentioning) {
    AffineExpr form = normalise(replaced[other]);
    replaced[other] = form;
    forEachSymbol(form, [&](unsigned symbol) { replacedBy[symbol].push_back(other); });
  }
}

bool DimAlgebra::anySymbol(AffineExpr expression, llvm::function_ref<bool(const DimSymbol &)> test) const {
  bool found = false;
  expression.walk([&](AffineExpr part) {
    auto leaf = dyn_cast<AffineSymbolExpr>(part);
    if (!leaf || found || leaf.getPosition() >= allSymbols.size())
      return;
    const DimSymbol &symbol = allSymbols[leaf.getPosition()];
    found = test(symbol) || (symbol.lhs && (anySymbol(symbol.lhs, test) || anySymbol(symbol.rhs, test)));
  });
  return found;
}

bool DimAlgebra::dependsOnData(AffineExpr expression) const {
  return anySymbol(expression, [](const DimSymbol &symbol) {
    return symbol.kind == SymbolKind::Data || (symbol.kind == SymbolKind::Element && !isa<BlockArgument>(symbol.tensor));
  });
}

bool DimAlgebra::usesElements(AffineExpr expression) const {
  return anySymbol(expression, [](const DimSymbol &symbol) { return symbol.kind == SymbolKind::Element; });
}

std::string DimAlgebra::text(AffineExpr expression) const {
  if (auto number = dyn_cast<AffineConstantExpr>(expression))
    return std::to_string(number.getValue());
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expression))
    return symbol.getPosition() < allSymbols.size() ? allSymbols[symbol.getPosition()].name : "?";
  auto binary = dyn_cast<AffineBinaryOpExpr>(expression);
  if (!binary)
    return "?";
  AffineExpr left = binary.getLHS(), right = binary.getRHS();
  auto inBrackets = [&](AffineExpr part) {
    bool isSum = part.getKind() == AffineExprKind::Add;
    return isSum ? "(" + text(part) + ")" : text(part);
  };
  switch (expression.getKind()) {
  case AffineExprKind::Add:
    if (auto number = dyn_cast<AffineConstantExpr>(right); number && number.getValue() < 0 && number.getValue() != INT64_MIN)
      return text(left) + " - " + std::to_string(-number.getValue());
    return text(left) + " + " + text(right);
  case AffineExprKind::Mul:
    // The constant, which AffineExpr keeps on the right, reads better in front.
    return isa<AffineConstantExpr>(right) ? text(right) + "*" + inBrackets(left) : inBrackets(left) + "*" + inBrackets(right);
  case AffineExprKind::FloorDiv:
    return "floor(" + text(left) + " / " + inBrackets(right) + ")";
  case AffineExprKind::CeilDiv:
    return "ceil(" + text(left) + " / " + inBrackets(right) + ")";
  case AffineExprKind::Mod:
    return inBrackets(left) + " mod " + inBrackets(right);
  default:
    return "?";
  }
}

} // namespace moe
