// Builds @main from a parsed graph. One object per import; it holds the names of values and what the node builders share.
#ifndef MOE_LIB_IMPORT_GRAPHIMPORTER_H
#define MOE_LIB_IMPORT_GRAPHIMPORTER_H

#include "TensorSource.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/SymbolTable.h"
#include "moe/IR/MoeDialect.h"
#include "moe/IR/OnnxInference.h"
#include "moe/Import/Wire/Model.h"

#include "llvm/ADT/StringSet.h"

namespace moe {

/// What names a model-local function: "domain::name", and ":overload" where it has one. Both spellings of ONNX's own domain are one.
std::string functionKey(std::string_view domain, std::string_view name, std::string_view overload);

/// The names visible in one graph or function body. A subgraph sees those of the graph around it; a function's body sees only its own.
struct NameScope {
  /// The graph around a subgraph; null for the model's graph and for functions.
  NameScope *outer = nullptr;
  /// The opset versions by domain that the nodes are written for.
  const llvm::StringMap<int64_t> *opsets = nullptr;
  /// What a function's nodes read by `ref_attr_name`: the attributes of the call. Null outside functions.
  const llvm::StringMap<wire::Attribute> *callAttributes = nullptr;
  /// Put before the names of nodes, so that each has its own: "outer/".
  std::string prefix;
  llvm::StringMap<const wire::TensorProto *> initializers;
  llvm::StringMap<mlir::Value> values;
};

/// The attribute of that name; null where there is none.
const wire::Attribute *findAttribute(const wire::Node &node, llvm::StringRef name);

/// ONNX's number of no element type: nothing is declared.
constexpr wire::DataType undefined{0};

/// A Loop or Scan that runs more often is refused.
constexpr int64_t maximumRuns = 1 << 16;

/// More than any model has; what unrolling and inlining may come to.
constexpr uint64_t maximumNodes = 1 << 21;

struct ScanForm;

/// An input of a Scan, of which each run gets one slice.
struct ScanSequence {
  mlir::Value values;
  int64_t axis;
  bool backwards;
};

/// What a Loop says of itself, or a Scan as one.
struct LoopForm {
  const wire::Node &node;
  const wire::Graph &body;
  mlir::Location loc;
  /// The most runs, one integer; null where there is no such number.
  mlir::Value count;
  llvm::SmallVector<mlir::Value> values;
  size_t scans;
  /// A Scan's body takes its values and slices of these, and gives no condition.
  bool isScan = false;
  llvm::SmallVector<ScanSequence> sequences = {};
  /// Of a Scan: the dim along which each scan output is joined, and whether from its end.
  llvm::SmallVector<int64_t> outputAxes = {}, outputBackwards = {};
};

class GraphImporter {
public:
  /// `file` is the location of the model's file; `path` and `bytes` outlive the importer.
  GraphImporter(mlir::ModuleOp module, mlir::Location file, llvm::StringRef path, wire::Bytes bytes, const wire::Model &model, const ImportOptions &options);

  /// Fills the module. Errors were reported.
  mlir::LogicalResult run();

private:
  //===-- GraphImporter.cpp: the graph -------------------------------------===//
  mlir::LogicalResult declareOpsets();
  /// Adds the opset imports of the model or of a function to `opsets`.
  mlir::LogicalResult readOpsets(llvm::ArrayRef<wire::OpsetImport> imports, llvm::StringMap<int64_t> &opsets);
  mlir::LogicalResult declareInitializers(const wire::Graph &graph);
  /// Builds nodes in the current scope, each after those it reads.
  mlir::LogicalResult buildNodes(llvm::ArrayRef<wire::Node> nodes);
  mlir::LogicalResult finish();
  bool isNamed(mlir::AffineExpr expression);
  mlir::ArrayAttr resultDims(mlir::Value value, const wire::ValueInfo &declared);
  mlir::LogicalResult checkDeclaredElement(const wire::ValueInfo &declared, mlir::Value value, llvm::StringRef what);
  /// The element types that value_info declares for results of the graph's nodes, which are in the current scope.
  mlir::LogicalResult checkDeclaredValues(const wire::Graph &graph);
  void compareWithDeclared(const wire::ValueInfo &output, mlir::Value value);

  /// The value of a name; a constant or weight is created where it is first used. Null where nothing has the name; an error was reported then only
  /// if the tensor could not be read.
  mlir::FailureOr<mlir::Value> lookup(llvm::StringRef name, mlir::Location loc);
  /// A constant or a weight with its reference, for the tensor called `name`.
  mlir::FailureOr<mlir::Value> buildTensor(const wire::TensorProto &tensor, llvm::StringRef name, mlir::Location loc);

  //===-- GraphEntry.cpp: the entry and its arguments ----------------------===//
  mlir::LogicalResult buildEntry();
  mlir::FailureOr<mlir::RankedTensorType> inputType(const wire::ValueInfo &input, llvm::SmallVectorImpl<mlir::Attribute> &dims);
  mlir::LogicalResult checkFixedDims();
  mlir::LogicalResult checkOverridable();
  mlir::FailureOr<mlir::DenseElementsAttr> readDefault(const wire::TensorProto &tensor);
  mlir::LogicalResult checkDefault(const wire::ValueInfo &input, const wire::TensorProto &tensor);

  //===-- NodeImporter.cpp: one node ---------------------------------------===//
  mlir::LogicalResult buildNode(const wire::Node &node, size_t position);
  mlir::LogicalResult buildConstant(const wire::Node &node, mlir::Location loc);
  /// The operands of a node: moe.absent for the inputs it does not have.
  mlir::LogicalResult collectOperands(const wire::Node &node, mlir::Location loc, llvm::SmallVectorImpl<mlir::Value> &operands);
  /// Gives the node's outputs their values in the current scope.
  void setOutputs(const wire::Node &node, mlir::ValueRange results);
  mlir::FailureOr<int64_t> nodeVersion(const wire::Node &node, llvm::StringRef domain, size_t position);
  mlir::FailureOr<mlir::Attribute> convertAttribute(const wire::Attribute &attribute, const wire::Node &node, mlir::Location loc);
  mlir::Location nodeLocation(const wire::Node &node, size_t position) const;
  mlir::InFlightDiagnostic nodeError(const wire::Node &node, mlir::Location loc) const;

  //===-- Subgraphs.cpp, Scan.cpp: control flow ----------------------------===//
  /// If, Loop or Scan of an opset version.
  mlir::LogicalResult buildControlFlow(const wire::Node &node, mlir::Location loc, int64_t version);
  mlir::FailureOr<llvm::SmallVector<mlir::Value>> buildIf(const wire::Node &node, mlir::Location loc, mlir::ValueRange operands);
  mlir::FailureOr<llvm::SmallVector<mlir::Value>> buildLoop(const wire::Node &node, mlir::Location loc, mlir::ValueRange operands);
  /// The values behind runs that only a run counts, from run `first` on (RunLoop.cpp). The form's values are those of run `first`.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>> buildRunLoop(const LoopForm &form, int64_t first, mlir::Value active);
  mlir::FailureOr<mlir::Value> emitOnlyElement(mlir::Value value, mlir::Type element, llvm::StringRef what, const wire::Node &node, mlir::Location loc);
  mlir::FailureOr<mlir::Value> emitFirstFlag(const LoopForm &form, mlir::Value first, mlir::Value count, mlir::Value active);
  /// May the body's condition be folded for each run, so that copies of the body tell how many there are?
  bool mayFoldCondition(const LoopForm &form);
  /// Zeros, a row for each run from `first` on of what `row` is in each, made in front of `begin`.
  mlir::FailureOr<mlir::Value> emitRows(const LoopForm &form, mlir::Value row, int64_t first, LoopBeginOp begin, llvm::StringRef what);
  /// The size of a dim as a list of one, from what stands in front of the loop.
  mlir::FailureOr<mlir::Value> emitSize(const LoopForm &form, mlir::AffineExpr dim, llvm::StringRef what);
  mlir::FailureOr<std::pair<mlir::Value, mlir::Value>> emitScan(const LoopForm &form, mlir::Value row, mlir::Value place, int64_t first, LoopBeginOp begin,
                                                                llvm::StringRef what);
  mlir::FailureOr<mlir::Value> emitPlace(mlir::Value run, mlir::Value start, mlir::Value count, bool backwards, mlir::Location loc);
  mlir::FailureOr<mlir::Value> emitWritten(mlir::Value rows, mlir::Value run, mlir::Value start, mlir::Location loc);
  mlir::LogicalResult checkCarried(const LoopForm &form, mlir::ValueRange next, mlir::ValueRange carried);
  mlir::FailureOr<llvm::SmallVector<mlir::Value>> finishLoop(const LoopForm &form, int64_t first, mlir::Value active,
                                                             llvm::ArrayRef<llvm::SmallVector<mlir::Value>> slices);
  mlir::FailureOr<llvm::SmallVector<mlir::Value>> buildScan(const wire::Node &node, mlir::Location loc, mlir::ValueRange operands,
                                                            int64_t version);
  /// The final states and the joined scan outputs of the runs on `states` and `sequences`.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>> buildScanRuns(const ScanForm &form, mlir::ValueRange operands);
  mlir::FailureOr<llvm::SmallVector<mlir::Value>> buildOpenScan(const ScanForm &form, mlir::ValueRange operands);
  mlir::FailureOr<mlir::Value> emitSlice(mlir::Value value, int64_t axis, int64_t place, mlir::Location loc);
  /// The graph in the attribute `name`; null with an error where there is none.
  const wire::Graph *subgraph(const wire::Node &node, llvm::StringRef name, mlir::Location loc);
  /// Builds a copy of a subgraph on `arguments` in a scope inside the current one; gives its outputs.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>> buildSubgraph(const wire::Graph &graph, mlir::ValueRange arguments, const wire::Node &node,
                                                                mlir::Location loc, const llvm::Twine &name);
  /// An ONNX node of the newest version that the file does not have.
  mlir::FailureOr<mlir::Value> emitNode(llvm::StringRef opType, mlir::ValueRange operands, llvm::ArrayRef<mlir::NamedAttribute> attributes,
                                        mlir::Location loc);
  mlir::FailureOr<mlir::Value> emitInteger(int64_t value, mlir::Location loc);
  mlir::FailureOr<mlir::Value> emitConstantTrue(mlir::Location loc);
  /// `then` where the bool `condition` holds, else `otherwise`; an error that names `what` where their dims or types differ.
  mlir::FailureOr<mlir::Value> emitChoice(mlir::Value condition, mlir::Value then, mlir::Value otherwise, const wire::Node &node, mlir::Location loc,
                                          const llvm::Twine &what);
  /// Notes that what a node gives is one of its operands, as the first says.
  void markChoice(mlir::Value value);
  /// A value of one element without dims.
  mlir::FailureOr<mlir::Value> emitScalar(mlir::Value condition, mlir::Location loc);
  /// Equal slices joined along a new axis.
  mlir::FailureOr<mlir::Value> emitStack(mlir::ValueRange slices, int64_t axis, mlir::Location loc);
  /// The single element of a value where it is known.
  std::optional<int64_t> knownInteger(mlir::Value value);

  //===-- Functions.cpp: calls of model-local functions --------------------===//
  const wire::Function *functionOf(const wire::Node &node) const;
  uint64_t countInlined(llvm::ArrayRef<wire::Node> nodes, llvm::DenseMap<const wire::Function *, uint64_t> &counts, size_t callDepth) const;
  /// Would inlining make more nodes than are allowed?
  mlir::LogicalResult checkInlined();
  mlir::LogicalResult buildCall(const wire::Node &node, const wire::Function &function, mlir::Location loc);
  /// The node with the attributes of the call in place of references to them.
  wire::Node resolveReferences(const wire::Node &node) const;

  mlir::ModuleOp module;
  mlir::Location file;
  const wire::Model &model;
  const ImportOptions &options;
  mlir::MLIRContext *context;
  mlir::OpBuilder builder;
  TensorReader tensors;
  OnnxInference inference;
  mlir::func::FuncOp entry;
  std::optional<mlir::SymbolTable> symbols;

  llvm::StringMap<int64_t> opsets;
  NameScope graphScope;
  NameScope *scope = &graphScope;
  llvm::StringMap<const wire::Function *> functions;
  /// The functions whose bodies are being built, from the outside in.
  llvm::SmallVector<const wire::Function *> calls;
  /// Nodes built so far: copies of bodies are counted, so that a small file cannot ask for a program without end.
  uint64_t builtNodes = 0;
  unsigned depth = 0;
  /// Conditions of the branches around the node that is being built, which are not known when the model is compiled, and what each must be.
  llvm::SmallVector<std::pair<mlir::Value, bool>> branches;
  int64_t runLoops = 0;
  llvm::StringSet<> dimNames, warned;
};

} // namespace moe

#endif // MOE_LIB_IMPORT_GRAPHIMPORTER_H
