//===- RaiseReport.h - what raising found and what it left ------*- C++ -*-===//
// The recognisers say by remarks what they left as it was. This collects them for --raise-report, --require-raised and the manifest.
#ifndef MOE_LIB_DRIVER_RAISEREPORT_H
#define MOE_LIB_DRIVER_RAISEREPORT_H

#include "moe/Package/ModelDescription.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"


#include <vector>

namespace moe {

class RaiseReport {
public:
  /// Keeps `diagnostic` if it says that something was not raised; returns whether it does.
  bool take(mlir::Diagnostic &diagnostic);
  /// Drops what one recogniser left and another raised: `raised` is the module after the stage.
  void finish(mlir::ModuleOp raised);

  const std::vector<NotRaisedInfo> &notRaised() const { return misses; }
  /// The misses that are whole layers, as one line each; also that `layers` is empty.
  std::vector<std::string> complaints(const std::vector<MoeLayerInfo> &layers) const;

private:
  std::vector<NotRaisedInfo> misses;
  std::vector<mlir::Location> places;
};

} // namespace moe

#endif // MOE_LIB_DRIVER_RAISEREPORT_H
