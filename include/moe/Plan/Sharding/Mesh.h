//===- Mesh.h - the machines that a plan is made for --------------*- C++ -*-===//
// Devices on named axes, the link of each axis, and what one device can do. Plain numbers without LLVM: the planner's arithmetic and its tests
// build in seconds. Read from a file by moe/Plan/Input.h.
#ifndef MOE_PLAN_SHARDING_MESH_H
#define MOE_PLAN_SHARDING_MESH_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace moe::plan {

/// How devices that differ in one axis reach each other: `alpha + peers · perMessage + bytes / bandwidth`.
struct Link {
  /// Start-up of one collective, microseconds, ≥ 0.
  double alphaUs = 0;
  /// One direction of one interface, 10^9 bytes a second, > 0.
  double gbps = 0;
  /// Added for every peer that a device sends to, microseconds, ≥ 0.
  double perMessageUs = 0;
  /// Interfaces that the devices at one position of the axis share; 0: every device has its own.
  int64_t nics = 0;

  /// Microseconds until a device has sent to `peers` others and the larger of what it sends and receives, `bytes`, is through. 0 peers: 0.
  double timeUs(int64_t peers, double bytes) const;
};

/// One axis of the mesh.
struct Axis {
  std::string name;
  /// Positions on the axis, ≥ 1.
  int64_t size = 1;
  Link link;
};

/// What one device can do. All devices of a mesh are alike.
struct Device {
  std::string name;
  /// Peak 10^12 floating point operations a second by MLIR's name of the element type ("f32", "bf16", "f8E4M3FN"); each > 0.
  std::map<std::string, double> tflops;
  /// Fixed cost of the product of one expert, microseconds, ≥ 0.
  double gemmAlphaUs = 0;
  /// Rows at which a product reaches half of the peak, ≥ 0: `n` rows run at n / (n + gemmHalfRows) of it.
  double gemmHalfRows = 0;
  /// Memory bandwidth, 10^9 bytes a second, > 0.
  double memoryGbps = 0;
  /// Memory that a plan may fill, bytes, > 0.
  int64_t memoryBytes = 0;
  /// Compute takes (1 + slowdown) times as long while a collective runs, ≥ 0.
  double commComputeSlowdown = 0;
};

/// The two levels that collectives see: the innermost axis ("intra") and all axes around it ("inter").
struct Levels {
  int64_t nodes = 1;
  int64_t perNode = 1;
  /// Of the outer axes the worst value of each number; unused where `nodes` is 1. Its bandwidth is what one device gets of shared interfaces.
  Link inter;
  Link intra;

  int64_t devices() const { return nodes * perNode; }
};

/// A mesh of at most `maximumDevices` devices.
struct Mesh {
  static constexpr int64_t maximumDevices = 1 << 20;
  /// A fit worse than this does not predict, so nothing is planned with it.
  static constexpr double minimumR2 = 0.97;

  /// Outermost first.
  std::vector<Axis> axes;
  Device device;
  /// Device at each position of the mesh in row-major order, a permutation; empty: the identity.
  std::vector<int64_t> deviceIds;
  /// How well the numbers fit the measurements they come from, ≤ 1; 1 where they were given by hand.
  double r2 = 1;

  int64_t devices() const;
  /// Only on a mesh that `validate` accepts.
  Levels levels() const;
  /// False where a number is out of range or a name is used twice; `error` names the field, what is expected and what was found.
  bool validate(std::string &error) const;
};

} // namespace moe::plan

#endif // MOE_PLAN_SHARDING_MESH_H
