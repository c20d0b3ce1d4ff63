// Meshes: what their numbers mean by hand arithmetic, and a reader that names every field that is wrong.
#include "moe/Plan/Input.h"

#include <gtest/gtest.h>

using namespace moe::plan;

namespace {

const char *const twoLevels = R"({"version": 1,
  "axes": [{"name": "node", "size": 4, "link": {"alpha_us": 18, "gbps": 45, "per_msg_us": 0.5, "nics": 2}},
           {"name": "gpu", "size": 8, "link": {"alpha_us": 3, "gbps": 160, "per_msg_us": 0.25}}],
  "device": {"name": "h800", "tflops": {"f32": 60, "bf16": 989}, "gemm_alpha_us": 6, "gemm_half_m": 96,
             "mem_gbps": 3350, "mem_mib": 81920, "comm_compute_slowdown": 0.12},
  "r2": 0.998})";

/// `text` with the first `from` replaced by `to`.
std::string with(const std::string &from, const std::string &to) {
  std::string text = twoLevels;
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

std::string errorOf(const std::string &text) {
  std::string error;
  EXPECT_FALSE(readMesh(text, error).has_value()) << text;
  return error;
}

TEST(Mesh, ReadsEveryField) {
  std::string error;
  std::optional<Mesh> mesh = readMesh(twoLevels, error);
  ASSERT_TRUE(mesh) << error;
  EXPECT_EQ(mesh->devices(), 32);
  EXPECT_EQ(mesh->axes[0].name, "node");
  EXPECT_EQ(mesh->axes[1].link.alphaUs, 3);
  EXPECT_EQ(mesh->axes[1].link.nics, 0);
  EXPECT_EQ(mesh->device.name, "h800");
  EXPECT_EQ(mesh->device.tflops.at("bf16"), 989);
  EXPECT_EQ(mesh->device.gemmAlphaUs, 6);
  EXPECT_EQ(mesh->device.gemmHalfRows, 96);
  EXPECT_EQ(mesh->device.memoryGbps, 3350);
  EXPECT_EQ(mesh->device.memoryBytes, 85899345920);
  EXPECT_EQ(mesh->device.commComputeSlowdown, 0.12);
  EXPECT_EQ(mesh->r2, 0.998);
}

TEST(Mesh, ReadsWhatCalibrationWrites) {
  // As `mpiexec -n 2 moe-run --calibrate` wrote it.
  std::string error;
  std::optional<Mesh> mesh = readMesh(R"({"version": 1, "axes": [{"name": "rank", "size": 2, "link": {"alpha_us": 0.067377851327281579,
    "gbps": 12.841697042219529, "per_msg_us": 1.3728825482117035}}], "device": {"name": "measured cpu", "tflops": {"bf16": 0.23658771175861279,
    "f32": 0.11855479782516244, "int8": 0.46311831751807303}, "gemm_alpha_us": 0, "gemm_half_m": 0.7693147852079999, "mem_gbps": 8.3068110907769661,
    "mem_mib": 12052}, "r2": 0.98180524232003941}
)", error);
  ASSERT_TRUE(mesh) << error;
  EXPECT_EQ(mesh->devices(), 2);
  EXPECT_GT(mesh->r2, Mesh::minimumR2);
}

TEST(Mesh, LevelsShareInterfaces) {
  std::string error;
  std::optional<Mesh> mesh = readMesh(twoLevels, error);
  ASSERT_TRUE(mesh) << error;
  Levels levels = mesh->levels();
  EXPECT_EQ(levels.nodes, 4);
  EXPECT_EQ(levels.perNode, 8);
  // Two interfaces of 45 GB/s for eight devices.
  EXPECT_DOUBLE_EQ(levels.inter.gbps, 11.25);
  EXPECT_DOUBLE_EQ(levels.intra.gbps, 160);
}

TEST(Mesh, OuterAxesBecomeOneLevelAtTheirWorst) {
  Mesh mesh;
  mesh.axes = {{"rack", 2, {30, 20, 1, 0}}, {"node", 3, {10, 50, 2, 0}}, {"unused", 1, {99, 1, 9, 0}}, {"gpu", 4, {1, 100, 0, 0}}};
  Levels levels = mesh.levels();
  EXPECT_EQ(levels.nodes, 6);
  EXPECT_EQ(levels.devices(), 24);
  EXPECT_EQ(levels.inter.alphaUs, 30);
  EXPECT_EQ(levels.inter.gbps, 20);
  EXPECT_EQ(levels.inter.perMessageUs, 2);
}

TEST(Mesh, LinkTime) {
  Link link{10, 50, 0.5, 0};
  // 10 + 4 · 0.5 + 1e6 bytes at 50e3 bytes a microsecond.
  EXPECT_DOUBLE_EQ(link.timeUs(4, 1e6), 32);
  EXPECT_EQ(link.timeUs(0, 1e6), 0);
}

TEST(Mesh, DeviceIdsArePermutations) {
  std::string ids = "\"device_ids\": [";
  for (int i = 31; i >= 0; --i)
    ids += std::to_string(i) + (i ? "," : "], ");
  std::string error;
  std::optional<Mesh> mesh = readMesh(with("\"r2\"", ids + "\"r2\""), error);
  ASSERT_TRUE(mesh) << error;
  EXPECT_EQ(mesh->deviceIds.front(), 31);
  EXPECT_EQ(errorOf(with("\"r2\"", "\"device_ids\": [0, 1], \"r2\"")), "device_ids: expected 32 numbers, one a device, found 2");
  const std::string again = ids.replace(ids.find("31"), 2, "30");
  EXPECT_EQ(errorOf(with("\"r2\"", again + "\"r2\"")), "device_ids[1]: expected every device once, found 30 again");
}

TEST(MeshReader, NamesTheFieldTheExpectedAndTheFound) {
  EXPECT_EQ(errorOf(with("\"gbps\": 160", "\"gbps\": 0")), "axes[1].link.gbps: expected a positive finite number, found 0");
  EXPECT_EQ(errorOf(with("\"alpha_us\": 18", "\"alpha_us\": -1")), "axes[0].link.alpha_us: expected a finite number, at least 0, found -1");
  EXPECT_EQ(errorOf(with("\"gbps\": 160, ", "")), "axes[1].link.gbps: expected a value, found nothing");
  EXPECT_EQ(errorOf(with("\"gbps\": 160", "\"gbps\": \"fast\"")), "axes[1].link.gbps: expected a finite number, found a text");
  EXPECT_EQ(errorOf(with("\"size\": 8", "\"size\": 8.5")), "axes[1].size: expected an integer, found a number");
  EXPECT_EQ(errorOf(with("\"size\": 8", "\"size\": 0")), "axes[1].size: expected at least 1 and at most 1048576 devices in all, found 0");
  EXPECT_EQ(errorOf(with("\"size\": 8", "\"size\": 9000000000000000000")),
            "axes[1].size: expected at least 1 and at most 1048576 devices in all, found 9000000000000000000");
  EXPECT_EQ(errorOf(with("\"gpu\"", "\"node\"")), "axes[1].name: expected a name that no other axis has, found 'node' again");
  EXPECT_EQ(errorOf(with("\"nics\": 2", "\"nics\": -2")), "axes[0].link.nics: expected at least 0, found -2");
  EXPECT_EQ(errorOf(with("\"f32\": 60", "\"f32\": -60")), "device.tflops.f32: expected a positive finite number, found -60");
  EXPECT_EQ(errorOf(with("81920", "0")), "device.mem_mib: expected 1 to 8796093022207, found 0");
  EXPECT_EQ(errorOf(with("81920", "9000000000000")), "device.mem_mib: expected 1 to 8796093022207, found 9000000000000");
  EXPECT_EQ(errorOf(with("0.998", "0.9")), "r2: expected a fit of 0.97 to 1 (calibrate again, on idle machines), found 0.9");
  EXPECT_EQ(errorOf(with("\"version\": 1", "\"version\": 2")), "version: expected 1, found 2");
  EXPECT_EQ(errorOf(with("\"axes\": [{", "\"axes\": [7, {")), "axes[0]: expected an object, found a number");
}

TEST(MeshReader, RefusesFieldsThatNobodyReads) {
  EXPECT_EQ(errorOf(with("\"nics\"", "\"nic\"")), "axes[0].link.nic: no such field; there are alpha_us, gbps, nics, per_msg_us");
}

TEST(MeshReader, RefusesOtherTexts) {
  EXPECT_EQ(errorOf("[]"), "the file: expected an object, found an array");
  EXPECT_NE(errorOf("{\"version\": 1"), "");
  EXPECT_EQ(errorOf(std::string(1000000, '[')), "expected at most 32 nested arrays and objects, found more");
  // Brackets in a text nest nothing.
  EXPECT_EQ(errorOf("{\"version\": \"" + std::string(100, '[') + "\\\"[\"}"), "version: expected an integer, found a text");
}

TEST(MeshReader, EveryTruncationIsAnError) {
  const std::string text = twoLevels;
  for (size_t length = 0; length < text.size(); ++length)
    EXPECT_NE(errorOf(text.substr(0, length)), "") << length;
}

} // namespace
