//===- Cost.h - the time and memory of one way to run a layer -----*- C++ -*-===//
// Collectives by latency and bandwidth, experts by the roofline, chunks that overlap on two streams, memory. Times are microseconds, sizes bytes.
// Everything is evaluated at the fullest device. No LLVM here.
#ifndef MOE_PLAN_SHARDING_COST_H
#define MOE_PLAN_SHARDING_COST_H

#include "moe/Plan/Sharding/Mesh.h"
#include "moe/Plan/Sharding/Traffic.h"

#include <string>

namespace moe::plan {

/// An MoE layer as far as its cost goes.
struct LayerShape {
  int64_t experts = 1;
  int64_t topK = 1;
  int64_t hidden = 1;
  /// F of one expert.
  int64_t intermediate = 1;
  /// Matrices of an expert: 3 with a gate, else 2.
  int64_t matrices = 3;
  /// F of the experts that every token uses; 0: there are none. Every device holds them whole.
  int64_t sharedIntermediate = 0;
  /// T: tokens that each device brings.
  double tokens = 1;
  /// A key of Device::tflops.
  std::string computeType = "f32";
  /// Bytes of an element on the way to the experts, on the way back, and of a weight.
  double dispatchBytes = 4;
  double combineBytes = 4;
  double weightBytes = 4;
  /// Bytes that go with a dispatched token besides its elements: the scales of a quantised one.
  double scaleBytes = 0;
  /// What follows the layer is computed by every device for all tokens: results of each go to all others. Else tokens stay where they came from.
  bool gathersResults = false;
  /// Bytes of a token that go from each device to all others before the layer: what a router has computed of it, where tokens stay.
  double routedBytes = 0;
  /// Time of what precedes the experts and can hide fetched weights.
  double beforeUs = 0;

  /// Bytes of one dispatched copy and of one combined copy.
  double dispatchCopyBytes() const { return static_cast<double>(hidden) * dispatchBytes + scaleBytes; }
  double combineCopyBytes() const { return static_cast<double>(hidden) * combineBytes; }
  /// Bytes of the weights of one routed expert.
  double expertBytes() const { return elements(intermediate) * weightBytes; }
  /// Weights of an expert with `width` intermediate features; in floating point, since no size is small enough to be sure of an integer.
  double elements(int64_t width) const { return static_cast<double>(matrices) * static_cast<double>(hidden) * static_cast<double>(width); }
};

/// What goes between devices.
enum class Movement {
  /// Tokens go to the experts.
  Tokens,
  /// The weights of all experts are gathered from the `ep` ranks that hold them; tokens stay.
  Fetch,
};

/// How an all-to-all runs.
enum class Algorithm {
  /// Every rank sends to every rank.
  Direct,
  /// First between ranks of the same place on all nodes, then inside the node.
  TwoLevel,
};

/// Where a token that has several experts in one place is sent once.
enum class Dedup {
  /// Nowhere: k copies.
  None,
  /// Once to a device.
  Device,
  /// Once to a node, then once to a device. Only with TwoLevel.
  Node,
};

/// One way to run a layer. Groups of ep · etp neighbouring devices hold all experts; edp of them make the mesh.
struct Candidate {
  int64_t ep = 1;
  /// Devices that share each expert by splitting F; neighbours inside a node.
  int64_t etp = 1;
  int64_t edp = 1;
  int64_t slotsPerRank = 1;
  Movement movement = Movement::Tokens;
  Algorithm algorithm = Algorithm::Direct;
  Dedup dedup = Dedup::None;
  int64_t chunks = 1;

  /// "ep32 etp1 edp4 slots9 two-level node-dedup chunks4"
  std::string str() const;
  /// True if results do not depend on the plan: no split sums, or sums of two terms.
  bool isBitwise(int64_t topK) const;
};

/// What the model assumes beyond the mesh.
struct CostOptions {
  /// Share of the shorter hop of a two-level all-to-all that is not hidden behind the longer: 1 is store and forward.
  double twoLevelSerial = 1;
  /// Receive buffers hold this much more rows than expected, unless that is more than there can be.
  double bufferMargin = 0.25;
  /// Where tokens are sent once to a node or a device, their results are added up there and come back as one row; else one by one.
  bool sumsOnTheWay = true;
  /// Rows go to each part of an expert that is cut (etp) by the all-to-all, and each part's results come back; else the devices of an expert gather its
  /// rows and add up among themselves.
  bool partsTravel = false;
};

/// Times of one layer and its parts, which overlap; and what the fullest device stores.
struct LayerCost {
  double totalUs = 0;
  double dispatchUs = 0;
  double combineUs = 0;
  /// Products, and with etp > 1 the exchange of rows and sums among the devices of one expert.
  double expertUs = 0;
  double sharedUs = 0;
  /// Weights fetched, as far as nothing hides them.
  double fetchUs = 0;
  /// Results that go to all devices, after everything else.
  double gatherUs = 0;
  /// Stays for the whole run.
  double weightBytes = 0;
  /// Needed while the layer runs.
  double bufferBytes = 0;
};

/// Ranks of one all-to-all as they lie on the nodes.
struct RankLayout {
  int64_t ranks = 1;
  int64_t perNode = 1;

  int64_t nodes() const { return ranks / perNode; }
};

/// The layout of the ranks of `candidate`. False where its groups do not fit the nodes: ep · etp and the devices of a node must divide one
/// another, and etp the devices of a node.
bool layoutOf(const Levels &levels, const Candidate &candidate, RankLayout &layout);

/// One all-to-all in which each rank sends `tokens` tokens, `copyBytes` a copy.
double allToAllUs(const Levels &levels, const RankLayout &layout, const Traffic &traffic, double tokens, double copyBytes, Algorithm algorithm,
                  Dedup dedup, const CostOptions &options);

/// All devices get the results of all: `tokens` tokens of each, `copyBytes` a token, directly from device to device.
double allGatherUs(const Levels &levels, double tokens, double copyBytes);

/// Products of the slots [begin, end) of `traffic` for `groupTokens` tokens: fixed cost of each active expert, and the larger of arithmetic and
/// memory. Only experts that some token chooses read their weights, which is what decoding costs.
double expertUs(const Device &device, const LayerShape &shape, const Traffic &traffic, size_t begin, size_t end, double groupTokens, int64_t etp);

/// Stages of a chunked layer; times are for one chunk, except `sharedUs`.
struct Pipeline {
  int64_t chunks = 1;
  double dispatchUs = 0;
  double expertUs = 0;
  double combineUs = 0;
  /// Computed before the first chunk arrives.
  double sharedUs = 0;
  /// As Device::commComputeSlowdown.
  double slowdown = 0;
};

/// Runs the stages on two streams: one does all dispatches and then all combines in order, the other the shared and then the routed experts; a
/// chunk's expert waits for its dispatch, its combine for the expert.
double overlapUs(const Pipeline &pipeline);

/// The cost of `candidate`, whose ranks' traffic is `traffic` (of a placement with candidate.ep devices and the layout of `layoutOf`).
LayerCost costOf(const Mesh &mesh, const LayerShape &shape, const Candidate &candidate, const RankLayout &layout, const Traffic &traffic,
                 const CostOptions &options);

/// The mean of `values`, or of the worst twentieth of them (at least one) if `tail`.
double meanOrTail(std::vector<double> values, bool tail);

} // namespace moe::plan

#endif // MOE_PLAN_SHARDING_COST_H
