// model.weights against the layouts' formulas, written here a second time and element by element.
#include "TestModule.h"
#include "moe/Package/Weights.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/Support/SHA256.h"

#include <cmath>
#include <random>

using namespace moe;

namespace {

struct WeightsTest : ModuleTest {
  /// Writes the weights of a module of this text; expects success.
  WeightsDescription write(const std::string &text) {
    auto module = parse(text);
    auto weights = writeWeights(*module, path("model.weights"), [](uint64_t, uint64_t) {});
    EXPECT_TRUE(succeeded(weights)) << takeDiagnostics();
    return succeeded(weights) ? *weights : WeightsDescription();
  }

  /// The diagnostics of a module that must fail.
  /// What the writer says to IR that the verifier has not seen: it reads files and must not trust that one ran.
  std::string refuse(const std::string &text) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, mlir::ParserConfig(&context, /*verifyAfterParse=*/false));
    EXPECT_TRUE(module) << text;
    EXPECT_TRUE(failed(writeWeights(*module, path("model.weights"), [](uint64_t, uint64_t) {})));
    return takeDiagnostics();
  }

  std::vector<float> floatsAt(uint64_t offset, size_t count) {
    std::string bytes = readFile(path("model.weights"));
    std::vector<float> values(count, NAN);
    if (bytes.size() >= offset + count * 4)
      std::memcpy(values.data(), bytes.data() + offset, count * 4);
    else
      ADD_FAILURE() << "model.weights has " << bytes.size() << " bytes";
    return values;
  }

  std::string file(const std::string &name, int64_t offset, int64_t length) {
    return "#moe.file<\"" + path(name) + "\", offset = " + std::to_string(offset) + ", length = " + std::to_string(length) + ">";
  }
};

std::vector<float> randomFloats(size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<float> values(count);
  for (float &value : values)
    // Few bits, so that f16 and bf16 hold them exactly; never 0, which stands for padding.
    value = (1 + static_cast<int>(generator() % 127)) * (generator() % 2 ? 0.25f : -0.25f);
  return values;
}

std::string bytesOf(const std::vector<float> &values, const llvm::fltSemantics &semantics) {
  std::string bytes;
  for (float value : values) {
    llvm::APFloat number(value);
    bool lost;
    number.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &lost);
    uint64_t bits = number.bitcastToAPInt().getZExtValue();
    bytes.append(reinterpret_cast<const char *>(&bits), llvm::APFloat::getSizeInBits(semantics) / 8);
  }
  return bytes;
}

} // namespace

TEST_F(WeightsTest, PanelsOfEveryOrderAndElementType) {
  const int64_t E = 2, N = 70, K = 1030, P = 3;
  struct Format {
    const char *name;
    const llvm::fltSemantics *semantics;
  };
  for (Format format : {Format{"f32", &llvm::APFloat::IEEEsingle()}, Format{"f16", &llvm::APFloat::IEEEhalf()},
                        Format{"bf16", &llvm::APFloat::BFloat()}})
    for (bool outIn : {true, false}) {
      std::vector<float> source = randomFloats(E * N * K, 1);
      std::string bytes = bytesOf(source, *format.semantics);
      // An odd offset: sources need no alignment.
      writeFile("source", "abc" + bytes);
      std::string dims = outIn ? "2x70x1030x" : "2x1030x70x";
      WeightsDescription weights =
          write("moe.weight @w : tensor<" + dims + format.name + "> source(" + file("source", 3, bytes.size()) + ")\n" +
                "moe.weight @p : tensor<2x3x1030x32xf32> packed(panel32) from([@w]) order(" + (outIn ? "out_in" : "in_out") +
                ") gate(none) section 1 at 64");
      ASSERT_EQ(weights.sections.size(), 2u);
      EXPECT_EQ(weights.sections[0].bytes, 0u);
      EXPECT_EQ(weights.sections[1].packing, "panel32");
      std::vector<float> packed = floatsAt(weights.sections[1].offset + 64, E * P * K * 32);
      for (int64_t e = 0; e < E; ++e)
        for (int64_t n = 0; n < P * 32; ++n)
          for (int64_t k = 0; k < K; ++k) {
            float expected = n >= N ? 0 : source[outIn ? (e * N + n) * K + k : (e * K + k) * N + n];
            ASSERT_EQ(packed[e * P * K * 32 + n / 32 * 32 * K + k * 32 + n % 32], expected) << format.name << " " << e << " " << n << " " << k;
          }
    }
}

TEST_F(WeightsTest, PairsOfEveryGateLayout) {
  const int64_t E = 3, I = 20, K = 5, P = 2;
  std::vector<float> gate = randomFloats(E * I * K, 2), up = randomFloats(E * I * K, 3);
  auto at = [&](const std::vector<float> &w, int64_t e, int64_t i, int64_t k) { return w[(e * I + i) * K + k]; };
  for (bool outIn : {true, false})
    for (std::string layout : {"separate", "halves", "interleaved", "up_first", "up_first_pairs"}) {
      // The file's tensor: E×2I×K or E×K×2I, or two of E×I×K.
      auto store = [&](int64_t rows, auto value) {
        std::vector<float> values;
        for (int64_t e = 0; e < E; ++e)
          for (int64_t a = 0; a < (outIn ? rows : K); ++a)
            for (int64_t b = 0; b < (outIn ? K : rows); ++b)
              values.push_back(value(e, outIn ? a : b, outIn ? b : a));
        return bytesOf(values, llvm::APFloat::IEEEsingle());
      };
      std::string module;
      std::string order = std::string(" order(") + (outIn ? "out_in" : "in_out") + ") gate(" + layout + ") section 2 at 0";
      if (layout == "separate") {
        writeFile("gate", store(I, [&](int64_t e, int64_t i, int64_t k) { return at(gate, e, i, k); }));
        writeFile("up", store(I, [&](int64_t e, int64_t i, int64_t k) { return at(up, e, i, k); }));
        std::string type = outIn ? "tensor<3x20x5xf32>" : "tensor<3x5x20xf32>";
        module = "moe.weight @g : " + type + " source(" + file("gate", 0, 1200) + ")\nmoe.weight @u : " + type + " source(" +
                 file("up", 0, 1200) + ")\nmoe.weight @p : tensor<3x2x5x32xf32> packed(gate_up16) from([@g, @u])" + order;
      } else {
        writeFile("both", store(2 * I, [&](int64_t e, int64_t n, int64_t k) {
                    if (layout == "halves")
                      return n < I ? at(gate, e, n, k) : at(up, e, n - I, k);
                    if (layout == "up_first")
                      return n < I ? at(up, e, n, k) : at(gate, e, n - I, k);
                    const bool isGate = (n % 2 == 0) == (layout == "interleaved");
                    return isGate ? at(gate, e, n / 2, k) : at(up, e, n / 2, k);
                  }));
        module = std::string("moe.weight @w : ") + (outIn ? "tensor<3x40x5xf32>" : "tensor<3x5x40xf32>") + " source(" +
                 file("both", 0, 2400) + ")\nmoe.weight @p : tensor<3x2x5x32xf32> packed(gate_up16) from([@w])" + order;
      }
      WeightsDescription weights = write(module);
      ASSERT_EQ(weights.sections.size(), 3u);
      std::vector<float> packed = floatsAt(weights.sections[2].offset, E * P * K * 32);
      for (int64_t e = 0; e < E; ++e)
        for (int64_t p = 0; p < P; ++p)
          for (int64_t k = 0; k < K; ++k)
            for (int64_t c = 0; c < 32; ++c) {
              int64_t i = p * 16 + c % 16;
              float expected = i >= I ? 0 : at(c < 16 ? gate : up, e, i, k);
              ASSERT_EQ(packed[((e * P + p) * K + k) * 32 + c], expected) << layout << " " << e << " " << p << " " << k << " " << c;
            }
    }
}

TEST_F(WeightsTest, WidensEveryHalf) {
  // All 65536 patterns of each format, compared bit by bit (NaNs by being NaN).
  for (const char *type : {"f16", "bf16"}) {
    std::string bytes;
    for (unsigned bits = 0; bits < 65536; ++bits)
      bytes.append({static_cast<char>(bits & 255), static_cast<char>(bits >> 8)});
    writeFile("source", bytes);
    write(std::string("moe.weight @w : tensor<65536x") + type + "> source(" + file("source", 0, bytes.size()) +
          ")\nmoe.weight @f : tensor<65536xf32> packed(plain) from([@w]) section 0 at 0");
    std::vector<float> widened = floatsAt(0, 65536);
    const llvm::fltSemantics &semantics = type == llvm::StringRef("f16") ? llvm::APFloat::IEEEhalf() : llvm::APFloat::BFloat();
    for (unsigned bits = 0; bits < 65536; ++bits) {
      llvm::APFloat number(semantics, llvm::APInt(16, bits));
      bool lost;
      number.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven, &lost);
      if (number.isNaN()) {
        ASSERT_TRUE(std::isnan(widened[bits])) << type << " " << bits;
      } else {
        uint32_t found;
        std::memcpy(&found, &widened[bits], 4);
        ASSERT_EQ(found, number.bitcastToAPInt().getZExtValue()) << type << " " << bits;
      }
    }
  }
}

TEST_F(WeightsTest, PairsOfKAreRoundedToNearestEven) {
  // Every column is in a panel of pairs; the odd K crosses a block of the writer. Any bits: ties, numbers that round to infinity, NaNs.
  const int64_t E = 2, N = 40, K = 1029, K2 = 515, P = 2;
  struct Format {
    const char *name;
    const llvm::fltSemantics *semantics;
  };
  for (Format format : {Format{"f32", &llvm::APFloat::IEEEsingle()}, Format{"f16", &llvm::APFloat::IEEEhalf()},
                        Format{"bf16", &llvm::APFloat::BFloat()}})
    for (bool gated : {false, true}) {
      const unsigned width = llvm::APFloat::getSizeInBits(*format.semantics);
      std::mt19937 generator(4);
      std::vector<uint32_t> source(E * N * K);
      std::string bytes;
      for (uint32_t &bits : source) {
        bits = generator();
        if (width == 32 && generator() % 4 == 0)
          bits = (bits & 0xffff0000) | 0x8000; // halfway
        bytes.append(reinterpret_cast<const char *>(&bits), width / 8);
      }
      writeFile("source", bytes);
      write(std::string("moe.weight @w : tensor<2x40x1029x") + format.name + "> source(" + file("source", 0, bytes.size()) +
            ")\nmoe.weight @p : tensor<2x2x515x32x2xbf16> packed(" + (gated ? "gate_up16" : "panel32") + ") from([@w]) order(out_in) gate(" +
            (gated ? "interleaved" : "none") + ") section 0 at 0");
      std::string packed = readFile(path("model.weights"));
      ASSERT_EQ(packed.size(), static_cast<size_t>(E * P * K2 * 64 * 2));
      for (int64_t e = 0; e < E; ++e)
        for (int64_t p = 0; p < P; ++p)
          for (int64_t k = 0; k < 2 * K2; ++k)
            for (int64_t c = 0; c < 32; ++c) {
              const int64_t pair = p * 16 + c % 16, n = gated ? (pair < N / 2 ? 2 * pair + c / 16 : N) : p * 32 + c;
              uint16_t found;
              std::memcpy(&found, packed.data() + ((((e * P + p) * K2 + k / 2) * 32 + c) * 2 + k % 2) * 2, 2);
              llvm::APFloat number = llvm::APFloat::getZero(llvm::APFloat::BFloat());
              if (n < N && k < K) {
                number = llvm::APFloat(*format.semantics, llvm::APInt(32, source[(e * N + n) * K + k]).trunc(width));
                bool lost;
                number.convert(llvm::APFloat::BFloat(), llvm::APFloat::rmNearestTiesToEven, &lost);
              }
              if (number.isNaN())
                ASSERT_TRUE(llvm::APFloat(llvm::APFloat::BFloat(), llvm::APInt(16, found)).isNaN()) << format.name << " " << n << " " << k;
              else
                ASSERT_EQ(found, number.bitcastToAPInt().getZExtValue()) << format.name << " " << n << " " << k;
            }
    }
}

TEST_F(WeightsTest, SectionsOffsetsAndDigests) {
  std::string big(5 << 20, '\0');
  for (size_t i = 0; i < big.size(); ++i)
    big[i] = static_cast<char>(i * 7 + i / 251);
  writeFile("big", big);
  uint64_t reported = 0, total = 0;
  auto module = parse("moe.weight @last : tensor<4xi64> source(dense<[1, -2, 3, 4]> : tensor<4xi64>) section 3 at 0\n"
                      "moe.weight @splat : tensor<3xf32> source(dense<2.0> : tensor<3xf32>) section 0 at 128\n"
                      "moe.weight @flags : tensor<10xi1> source(dense<[true, false, true, true, false, false, true, false, true, true]> "
                      ": tensor<10xi1>) section 0 at 0\n"
                      "moe.weight @unplaced : tensor<1xf32> source(dense<1.0> : tensor<1xf32>)\n"
                      "moe.weight @big : tensor<5242880xui8> source(" +
                      file("big", 0, big.size()) + ") section 1 at 64");
  auto weights = writeWeights(*module, path("model.weights"), [&](uint64_t done, uint64_t all) {
    EXPECT_GE(done, reported);
    reported = done;
    total = all;
  });
  ASSERT_TRUE(succeeded(weights)) << takeDiagnostics();
  std::string bytes = readFile(path("model.weights"));
  ASSERT_EQ(weights->sections.size(), 4u);
  const uint64_t first = 4096, second = first + 5246976 /* 64 + 5 MiB, rounded up to 4096 */;
  EXPECT_EQ(weights->sections[0].offset, 0u);
  EXPECT_EQ(weights->sections[0].bytes, 140u);
  EXPECT_EQ(weights->sections[1].offset, first);
  EXPECT_EQ(weights->sections[1].bytes, 64 + big.size());
  EXPECT_EQ(weights->sections[2].bytes, 0u);
  EXPECT_EQ(weights->sections[2].packing, "");
  EXPECT_EQ(weights->sections[3].offset, second);
  EXPECT_EQ(weights->bytes, second + 32);
  EXPECT_EQ(bytes.size(), weights->bytes);
  EXPECT_EQ(reported, weights->bytes);
  EXPECT_EQ(total, weights->bytes);

  EXPECT_EQ(bytes.substr(0, 10), std::string("\1\0\1\1\0\0\1\0\1\1", 10));
  EXPECT_EQ(bytes.substr(10, 118), std::string(118, '\0'));
  EXPECT_EQ(floatsAt(128, 3), std::vector<float>(3, 2.0f));
  EXPECT_EQ(bytes.substr(140, first - 140), std::string(first - 140, '\0'));
  EXPECT_TRUE(bytes.substr(first + 64, big.size()) == big);
  const int64_t numbers[] = {1, -2, 3, 4};
  EXPECT_EQ(bytes.substr(second), std::string(reinterpret_cast<const char *>(numbers), 32));

  auto digest = [&](llvm::StringRef text) { return llvm::SHA256::hash(llvm::ArrayRef(text.bytes_begin(), text.bytes_end())); };
  EXPECT_EQ(weights->sha256, digest(bytes));
  for (const SectionDescription &section : weights->sections)
    EXPECT_EQ(section.sha256, digest(llvm::StringRef(bytes).substr(section.offset, section.bytes)));
}

TEST_F(WeightsTest, ListsOfSources) {
  // Experts stored apart, out of order in the file, one of them in the module; the same bytes as one tensor.
  const std::vector<float> values = randomFloats(3 * 2 * 2, 7);
  const std::string bytes = bytesOf(values, llvm::APFloat::IEEEsingle());
  writeFile("source", bytes.substr(16, 16) + bytes.substr(0, 16));
  std::string last;
  for (size_t i = 8; i < 12; ++i)
    last += (i == 8 ? "[[" : i == 10 ? "], [" : ", ") + std::to_string(values[i]);
  write("moe.weight @w : tensor<3x2x2xf32> source([" + file("source", 16, 16) + ", " + file("source", 0, 16) + ", dense<" + last +
        "]]> : tensor<2x2xf32>]) section 0 at 0");
  EXPECT_EQ(floatsAt(0, 12), values);
}

TEST_F(WeightsTest, NoWeights) {
  WeightsDescription weights = write("");
  EXPECT_EQ(weights.bytes, 0u);
  EXPECT_TRUE(weights.sections.empty());
  EXPECT_EQ(readFile(path("model.weights")), "");
  EXPECT_EQ(hexDigest(weights.sha256), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_F(WeightsTest, RefusesWhatDoesNotFit) {
  writeFile("short", "0123456789");
  auto expect = [&](const std::string &module, const std::string &message) {
    EXPECT_NE(refuse(module).find(message), std::string::npos) << module << "\nexpected: " << message;
  };
  std::string place = " section 0 at 0";
  expect("moe.weight @w : tensor<4xf32> source(" + file("short", 0, 16) + ")" + place,
         "weight @w: " + path("short") + ": expected 16 bytes at 0, the file has 10 bytes");
  expect("moe.weight @w : tensor<2xf32> source(" + file("short", 9223372036854775800, 8) + ")" + place, "the file has 10 bytes");
  expect("moe.weight @w : tensor<2xf32> source(" + file("short", -8, 8) + ")" + place, "the file has 10 bytes");
  expect("moe.weight @w : tensor<2xf32> source(" + file("short", 0, 4) + ")" + place, "expected 8 bytes, the recipe names 4");
  expect("moe.weight @w : tensor<2xf32> source(" + file("missing", 0, 8) + ")" + place, path("missing") + ": ");
  expect("moe.weight @w : tensor<2xf32> source(#moe.file<\"" + folder + "\", offset = 0, length = 8>)" + place, "cannot map the file");
  expect("moe.weight @w : tensor<?xf32> source(" + file("short", 0, 8) + ")" + place, "static sizes");
  expect("moe.weight @w : tensor<4xi4> source(" + file("short", 0, 2) + ")" + place, "elements of whole bytes");
  expect("moe.weight @w : tensor<2xf32> source(dense<1.0> : tensor<3xf32>)" + place, "as its source");
  expect("moe.weight @w : tensor<2xf32>" + place, "has no source");
  expect("moe.weight @w : tensor<2xf32> source(dense<1.0> : tensor<2xf32>) section -1 at 0", "expected a section from 0 to");
  expect("moe.weight @w : tensor<2xf32> source(dense<1.0> : tensor<2xf32>) section 0 at -64", "an offset that is not negative");
  expect("moe.weight @w : tensor<2xf32> source(dense<1.0> : tensor<2xf32>) section 1000000000 at 0", "expected a section from 0 to");
  expect("moe.weight @a : tensor<20xf32> source(dense<1.0> : tensor<20xf32>)" + place +
             "\nmoe.weight @b : tensor<2xf32> source(dense<1.0> : tensor<2xf32>) section 0 at 64",
         "overlaps another");
  std::string source = "moe.weight @w : tensor<40x8xf32> source(dense<1.0> : tensor<40x8xf32>)\n";
  expect(source + "moe.weight @p : tensor<1x3x8x32xf32> packed(panel32) from([@w]) order(out_in) gate(none)" + place,
         "expected the type 'tensor<1x2x8x32xf32>' for panel32 of 'tensor<40x8xf32>', found 'tensor<1x3x8x32xf32>'");
  expect(source + "moe.weight @p : tensor<1x2x8x32xf32> packed(panel32) from([@w, @w]) order(out_in) gate(none)" + place,
         "expected 1 sources, found 2");
  expect(source + "moe.weight @p : tensor<1x2x8x32xf32> packed(gate_up16) from([@w]) order(out_in) gate(none)" + place,
         "does not fit the gate layout none");
  expect(source + "moe.weight @p : tensor<1x2x8x32xf32> packed(panel32) from([@nobody]) order(out_in) gate(none)" + place, "@nobody");
  expect("moe.weight @w : tensor<41x8xf32> source(dense<1.0> : tensor<41x8xf32>)\n"
         "moe.weight @p : tensor<1x2x8x32xf32> packed(gate_up16) from([@w]) order(out_in) gate(halves)" + place,
         "expected an even number of gate and up columns, found 41");
  expect("moe.weight @w : tensor<2xf64> source(dense<1.0> : tensor<2xf64>)\n"
         "moe.weight @f : tensor<2xf32> packed(plain) from([@w])" + place,
         "cannot convert elements of type 'f64' to 'f32'");
  expect("moe.weight @w : tensor<2xf32> source(dense<1.0> : tensor<2xf32>)\n"
         "moe.weight @f : tensor<3xf32> packed(plain) from([@w])" + place,
         "expected one source with the sizes of 'tensor<3xf32>'");
}

TEST_F(WeightsTest, ReportsAFullDisk) {
  if (!llvm::sys::fs::exists("/dev/full"))
    GTEST_SKIP() << "no /dev/full";
  auto module = parse("moe.weight @w : tensor<3000000xf32> source(dense<1.0> : tensor<3000000xf32>) section 0 at 0");
  EXPECT_TRUE(failed(writeWeights(*module, "/dev/full", [](uint64_t, uint64_t) {})));
  EXPECT_NE(takeDiagnostics().find("cannot write /dev/full: No space left on device"), std::string::npos);
}
