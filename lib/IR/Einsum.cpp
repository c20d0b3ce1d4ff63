// The parser of Einsum equations.
#include "moe/IR/Einsum.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace moe {

namespace {

/// One term: its letters, and where the ellipsis stands among them (−1: there is none).
struct Term {
  std::string letters;
  int64_t ellipsis = -1;
};

class EinsumParser {
public:
  EinsumParser(ArrayRef<int64_t> ranks, std::string &error) : ranks(ranks), error(error) {}

  FailureOr<EinsumEquation> parse(StringRef text);

private:
  FailureOr<Term> parseTerm(StringRef text);
  LogicalResult addOperand(const Term &term, int64_t rank, EinsumEquation &equation);
  LogicalResult addResult(StringRef text, bool isGiven, EinsumEquation &equation);
  unsigned label(char letter);
  LogicalResult fail(const Twine &message) {
    error = message.str();
    return failure();
  }

  ArrayRef<int64_t> ranks;
  std::string &error;
  std::string known;
  /// How often each letter occurs in the operands.
  SmallVector<unsigned> uses;
  /// The labels of ellipsis dims come before those of letters: as many as the longest ellipsis has dims.
  unsigned ellipsisDims = 0;
};

FailureOr<Term> EinsumParser::parseTerm(StringRef text) {
  Term term;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("...") && term.ellipsis < 0) {
      term.ellipsis = term.letters.size();
      i += 2;
    } else if (llvm::isAlpha(text[i])) {
      term.letters += text[i];
    } else {
      return fail("expected letters and at most one ellipsis, found '" + text + "'");
    }
  }
  return term;
}

unsigned EinsumParser::label(char letter) {
  size_t place = known.find(letter);
  if (place == std::string::npos) {
    place = known.size();
    known += letter;
    uses.push_back(0);
  }
  return ellipsisDims + place;
}

LogicalResult EinsumParser::addOperand(const Term &term, int64_t rank, EinsumEquation &equation) {
  SmallVector<unsigned> labels;
  int64_t hidden = rank - static_cast<int64_t>(term.letters.size());
  for (int64_t i = 0; i <= static_cast<int64_t>(term.letters.size()); ++i) {
    if (i == term.ellipsis)
      for (int64_t dim = 0; dim < hidden; ++dim)
        labels.push_back(ellipsisDims - hidden + dim);
    if (i < static_cast<int64_t>(term.letters.size())) {
      labels.push_back(label(term.letters[i]));
      ++uses[labels.back() - ellipsisDims];
    }
  }
  equation.operands.push_back(labels);
  return success();
}

LogicalResult EinsumParser::addResult(StringRef text, bool isGiven, EinsumEquation &equation) {
  auto addEllipsis = [&] { llvm::append_range(equation.result, llvm::seq(0u, ellipsisDims)); };
  if (!isGiven) {
    // The letters that occur once, in the order of the alphabet, behind the ellipsis.
    addEllipsis();
    std::string once;
    for (auto [letter, count] : llvm::zip(known, uses))
      if (count == 1)
        once += letter;
    llvm::sort(once);
    for (char letter : once)
      equation.result.push_back(label(letter));
    return success();
  }
  FailureOr<Term> term = parseTerm(text);
  if (failed(term))
    return failure();
  if (term->ellipsis < 0 && ellipsisDims)
    return fail("expected an ellipsis in the result, as in the operands");
  for (int64_t i = 0; i <= static_cast<int64_t>(term->letters.size()); ++i) {
    if (i == term->ellipsis)
      addEllipsis();
    if (i == static_cast<int64_t>(term->letters.size()))
      break;
    if (known.find(term->letters[i]) == std::string::npos)
      return fail("expected letters of the operands in the result, found '" + Twine(term->letters[i]) + "'");
    unsigned place = label(term->letters[i]);
    if (llvm::is_contained(equation.result, place))
      return fail("expected each letter once in the result, found '" + Twine(term->letters[i]) + "' twice");
    equation.result.push_back(place);
  }
  return success();
}

FailureOr<EinsumEquation> EinsumParser::parse(StringRef text) {
  auto [before, after] = text.split("->");
  SmallVector<StringRef> parts;
  before.split(parts, ',');
  if (parts.size() != ranks.size())
    return fail("expected a term for each of " + Twine(ranks.size()) + " inputs, found '" + text + "'");
  SmallVector<Term> terms;
  for (auto [part, rank] : llvm::zip(parts, ranks)) {
    FailureOr<Term> term = parseTerm(part);
    if (failed(term))
      return failure();
    int64_t letters = term->letters.size();
    if (term->ellipsis < 0 ? rank != letters : rank < letters)
      return fail("expected an input of rank " + Twine(letters) + (term->ellipsis < 0 ? "" : " or more") + " for '" + part + "', found rank " + Twine(rank));
    if (term->ellipsis >= 0)
      ellipsisDims = std::max<unsigned>(ellipsisDims, rank - letters);
    terms.push_back(*term);
  }
  EinsumEquation equation;
  for (auto [term, rank] : llvm::zip(terms, ranks))
    if (failed(addOperand(term, rank, equation)))
      return failure();
  if (failed(addResult(after, text.contains("->"), equation)))
    return failure();
  equation.labels = ellipsisDims + known.size();
  return equation;
}

} // namespace

FailureOr<EinsumEquation> parseEinsum(StringRef equation, ArrayRef<int64_t> ranks, std::string &error) {
  std::string packed;
  for (char letter : equation)
    if (letter != ' ')
      packed += letter;
  return EinsumParser(ranks, error).parse(packed);
}

} // namespace moe
