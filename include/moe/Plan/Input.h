//===- Input.h - readers of what a plan is made from --------------*- C++ -*-===//
// Meshes and profiles from JSON text. The text is untrusted: its size and nesting are limited, every field is checked for kind and range, and a
// field that nobody reads is an error, since it is most likely a misspelt one that somebody relies on. Of a key given twice the last counts.
#ifndef MOE_PLAN_INPUT_H
#define MOE_PLAN_INPUT_H

#include "moe/Plan/Sharding/Mesh.h"
#include "moe/Plan/Sharding/Profile.h"

#include <optional>
#include <string>
#include <string_view>

namespace moe::plan {

/// Reads and validates a mesh. Times are microseconds, rates 10^9 bytes and 10^12 operations a second, memory MiB:
///
///   {"version": 1,
///    "axes": [{"name": "node", "size": 4, "link": {"alpha_us": 18, "gbps": 45, "per_msg_us": 0.7, "nics": 8}},
///             {"name": "gpu", "size": 8, "link": {"alpha_us": 3, "gbps": 160, "per_msg_us": 0.2}}],
///    "device": {"name": "h800", "tflops": {"f32": 60, "bf16": 989}, "gemm_alpha_us": 6, "gemm_half_m": 96,
///               "mem_gbps": 3350, "mem_mib": 81920, "comm_compute_slowdown": 0.12},
///    "device_ids": [0, 1, …], "r2": 0.998}
///
/// `nics`, `name` of the device, `gemm_alpha_us`, `gemm_half_m`, `comm_compute_slowdown`, `device_ids` and `r2` may be left out. Nothing and
/// `error` ("axes[1].link.gbps: expected …, found …") where the text is not such a mesh.
std::optional<Mesh> readMesh(std::string_view text, std::string &error);

/// Reads and validates a profile of expert loads; what the numbers mean and must satisfy is said at LayerLoad:
///
///   {"version": 1, "layers": [{"name": "model.layers.3.mlp", "experts": 4, "top_k": 2,
///                              "windows": [[40, 20, 30, 10], …], "coactivation": [[40, 10, 25, 5], …]}]}
///
/// `coactivation` may be left out. Nothing and `error` ("layers[0].windows[2][1]: expected …, found …") where the text is not such a profile.
std::optional<Profile> readProfile(std::string_view text, std::string &error);

} // namespace moe::plan

#endif // MOE_PLAN_INPUT_H
