// Panels of quantised weights against the formulas of the formats, written here a second time: a random weight is stored in each way that
// moe.dequant can say, packed, decoded from the panels' bytes as #moe.blocks describes them, and compared bit by bit.
#include "TestModule.h"
#include "moe/Package/Weights.h"

#include <cmath>
#include <cstring>
#include <random>

using namespace moe;

namespace {

/// One way to store a weight of E×N×K (or E×K×N).
struct Case {
  const char *format; ///< of #moe.quant
  int bits;
  int group; ///< 0: one scale per column
  bool outIn = true;
  enum Zeros { None, Codes, Floats } zeros = None;
  const char *scale = "f32";
  /// The codes have a type of their own (i4) instead of lying in bytes.
  const char *element = nullptr;
};

std::string nameOf(const Case &c) {
  return std::string(c.format) + " group " + std::to_string(c.group) + (c.outIn ? " out_in" : " in_out") + " zeros " + std::to_string(c.zeros) + " scale " +
         c.scale;
}

float bf16(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

/// e4m3: sign, 4 bits of exponent with bias 7, 3 bits of mantissa.
float e4m3(uint8_t code) {
  int exponent = code >> 3 & 15, mantissa = code & 7;
  double value = exponent ? (1 + mantissa / 8.0) * std::pow(2.0, exponent - 7) : mantissa / 8.0 * std::pow(2.0, -6);
  return static_cast<float>(code & 0x80 ? -value : value);
}

const float fp4[] = {0, .5f, 1, 1.5f, 2, 3, 4, 6, -0.f, -.5f, -1, -1.5f, -2, -3, -4, -6};
// From the QLoRA paper, appendix E.
const float normal4[] = {-1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f,
                         -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
                         0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f};

struct QuantizedWeightsTest : ModuleTest {
  static constexpr int64_t E = 2, N = 40, K = 70, P = 2;

  int64_t groups(const Case &c) const { return c.group ? (K + c.group - 1) / c.group : 1; }
  bool is(const Case &c, const char *format) const { return std::strcmp(c.format, format) == 0; }
  bool isInteger(const Case &c) const { return std::strncmp(c.format, "int", 3) == 0; }
  bool isSigned(const Case &c) const { return c.element && c.element[0] == 'i'; }

  void run(const Case &c);
  void runQuads(const Case &c);
  void store(const Case &c);
  std::string modules(const Case &c, const std::string &blocks);
  float expected(const Case &c, int64_t e, int64_t n, int64_t k) const;
  float scaleAt(const Case &c, int64_t e, int64_t n, int64_t g) const;

  std::mt19937 generator{7};
  /// Codes and zero points as they are stored, [e][n][k] and [e][n][g]; scales as bits of their type.
  std::vector<uint8_t> codes, zeros;
  std::vector<uint32_t> scales;
  std::vector<float> zeroFloats;
};

float QuantizedWeightsTest::scaleAt(const Case &c, int64_t e, int64_t n, int64_t g) const {
  const uint32_t bits = scales[(e * N + n) * groups(c) + g];
  if (std::string(c.scale) == "i8")
    return static_cast<float>(std::pow(2.0, double(bits) - 127));
  if (std::string(c.scale) == "f8E4M3FN")
    return e4m3(static_cast<uint8_t>(bits));
  if (std::string(c.scale) == "bf16")
    return bf16(static_cast<uint16_t>(bits));
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

float QuantizedWeightsTest::expected(const Case &c, int64_t e, int64_t n, int64_t k) const {
  const int64_t g = c.group ? k / c.group : 0;
  const int code = codes[(e * N + n) * K + k], half = 1 << (c.bits - 1);
  const float scale = scaleAt(c, e, n, g);
  if (is(c, "mxfp4") || is(c, "nvfp4"))
    return scale * fp4[code];
  if (is(c, "nf4"))
    return scale * normal4[code];
  if (isSigned(c))
    return scale * static_cast<float>((code >= half ? code - 2 * half : code) - (c.zeros == Case::Codes ? [&] {
                                        const int zero = zeros[(e * N + n) * groups(c) + g];
                                        return zero >= half ? zero - 2 * half : zero;
                                      }() : 0));
  if (c.zeros == Case::Floats)
    return scale * (static_cast<float>(code) - zeroFloats[(e * N + n) * groups(c) + g]);
  return scale * static_cast<float>(code - (c.zeros == Case::Codes ? zeros[(e * N + n) * groups(c) + g] : half));
}

/// Numbers in `order` (or as they are), `bits` each, lines of `line` filled up to whole bytes where `pad`.
std::string packed(const std::vector<uint8_t> &values, int bits, int64_t line, bool pad) {
  std::string bytes;
  int64_t bit = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (pad && i % line == 0)
      bit = (bit + 7) / 8 * 8;
    bytes.resize(std::max<size_t>(bytes.size(), bit / 8 + 1));
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] | (values[i] << (bit % 8)));
    bit += bits;
  }
  return bytes;
}

void QuantizedWeightsTest::store(const Case &c) {
  const int64_t G = groups(c);
  codes.resize(E * N * K);
  for (uint8_t &code : codes)
    code = static_cast<uint8_t>(generator() % (1u << c.bits));
  scales.resize(E * N * G);
  zeros.resize(E * N * G);
  zeroFloats.resize(E * N * G);
  for (size_t i = 0; i < scales.size(); ++i) {
    float value = 0.001f * static_cast<float>(1 + generator() % 1000);
    std::memcpy(&scales[i], &value, 4);
    if (std::string(c.scale) == "bf16")
      scales[i] >>= 16;
    else if (std::string(c.scale) == "i8")
      scales[i] = 100 + generator() % 40;
    else if (std::string(c.scale) == "f8E4M3FN")
      scales[i] = generator() % 0x7f;
    zeros[i] = static_cast<uint8_t>(generator() % (1u << c.bits));
    zeroFloats[i] = 0.37f * static_cast<float>(generator() % 40);
  }
  // In files of E×K×N, lines are rows of k.
  auto swapped = [&](const auto &values, int64_t inner) {
    auto copy = values;
    for (int64_t e = 0; e < E; ++e)
      for (int64_t n = 0; n < N; ++n)
        for (int64_t i = 0; i < inner; ++i)
          copy[(e * inner + i) * N + n] = values[(e * N + n) * inner + i];
    return copy;
  };
  const bool native = c.element;
  writeFile("codes", packed(c.outIn ? codes : swapped(codes, K), c.bits, c.outIn ? K : N, !native));
  writeFile("zeros", packed(c.outIn ? zeros : swapped(zeros, G), c.bits, c.outIn ? (c.group ? G : N) : N, !native));
  std::string bytes;
  const int width = std::string(c.scale) == "f32" ? 4 : std::string(c.scale) == "bf16" ? 2 : 1;
  for (uint32_t bits : c.outIn ? scales : swapped(scales, G))
    bytes.append(reinterpret_cast<const char *>(&bits), width);
  writeFile("scales", bytes);
  std::string floats;
  for (float zero : c.outIn ? zeroFloats : swapped(zeroFloats, G))
    floats.append(reinterpret_cast<const char *>(&zero), 4);
  writeFile("zeroFloats", floats);
}

std::string QuantizedWeightsTest::modules(const Case &c, const std::string &blocks) {
  const int64_t G = groups(c);
  auto weight = [&](const std::string &name, std::vector<int64_t> sizes, const std::string &element, const std::string &file) {
    std::string type;
    for (int64_t size : sizes)
      type += std::to_string(size) + "x";
    return "moe.weight @" + name + " : tensor<" + type + element + "> source(#moe.file<\"" + path(file) +
           "\", offset = 0, length = " + std::to_string(readFile(path(file)).size()) + ">)\n";
  };
  auto lines = [&](int64_t codesInLine) { return c.element ? codesInLine : (codesInLine * c.bits + 7) / 8; };
  const std::string element = c.element ? c.element : "ui8";
  std::vector<int64_t> scaleSizes = c.outIn ? std::vector<int64_t>{E, N, G} : std::vector<int64_t>{E, G, N};
  if (!c.group)
    scaleSizes = {E, N};
  std::vector<int64_t> zeroSizes = scaleSizes;
  if (c.zeros == Case::Codes)
    zeroSizes.back() = lines(zeroSizes.back());
  std::string text = weight("q", c.outIn ? std::vector<int64_t>{E, N, lines(K)} : std::vector<int64_t>{E, K, lines(N)}, element, "codes") +
                     weight("s", scaleSizes, c.scale, "scales");
  if (c.zeros != Case::None)
    text += c.zeros == Case::Codes ? weight("z", zeroSizes, element, "zeros") : weight("z", zeroSizes, "f32", "zeroFloats");
  const std::string values = c.outIn ? "tensor<2x40x70xf32>" : "tensor<2x70x40xf32>";
  const std::string quant = std::string("#moe.quant<format = ") + c.format + ", group_size = " + std::to_string(is(c, "mxfp4") || is(c, "nvfp4") ? 0 : c.group) +
                            (c.outIn ? "" : ", axis = -2") + ">";
  return text + "moe.weight @p : tensor<" + blocks + "> packed(panel32) from([@q, @s" + (c.zeros != Case::None ? ", @z" : "") + "]) order(" +
         (c.outIn ? "out_in" : "in_out") + ") gate(none) dequant(" + quant + ", " + values + ")";
}

void QuantizedWeightsTest::run(const Case &c) {
  SCOPED_TRACE(nameOf(c));
  store(c);
  // Widened.
  auto module = parse(modules(c, "2x2x70x32xf32") + " section 1 at 0");
  auto weights = writeWeights(*module, path("model.weights"), [](uint64_t, uint64_t) {});
  ASSERT_TRUE(succeeded(weights)) << takeDiagnostics();
  std::string bytes = readFile(path("model.weights")).substr(weights->sections[1].offset);
  for (int64_t e = 0; e < E; ++e)
    for (int64_t n = 0; n < P * 32; ++n)
      for (int64_t k = 0; k < K; ++k) {
        float found, wanted = n < N ? expected(c, e, n, k) : 0;
        std::memcpy(&found, bytes.data() + 4 * (((e * P + n / 32) * K + k) * 32 + n % 32), 4);
        ASSERT_EQ(found, wanted) << e << " " << n << " " << k;
      }
  // In blocks.
  const bool isMx = is(c, "mxfp4") || is(c, "nvfp4");
  const std::string code = isMx ? "e2m1" : is(c, "nf4") ? "nf4" : is(c, "fp8_block") ? "e4m3" : "int" + std::to_string(c.bits);
  const int64_t group = std::min<int64_t>(c.group ? c.group : K, K);
  const std::string scale = std::string(c.scale) == "f32" ? "f32" : "bf16";
  const int64_t scaleBytes = scale == "f32" ? 4 : 2, zeroBytes = c.zeros == Case::None ? 0 : c.zeros == Case::Codes ? 1 : 4;
  const int64_t codeBytes = c.bits == 2 ? (group + 1) / 2 * 16 : group * 4 * c.bits, block = 32 * (scaleBytes + zeroBytes) + codeBytes;
  const int64_t panel = (K + group - 1) / group * block;
  module = parse(modules(c, "2x2x" + std::to_string(panel) + "xi8") + " blocks(<code = " + code + ", group = " + std::to_string(group) + ", scale = " + scale +
                 (c.zeros == Case::None ? "" : c.zeros == Case::Codes ? ", zero = i8" : ", zero = f32") + ">) section 1 at 0");
  weights = writeWeights(*module, path("model.weights"), [](uint64_t, uint64_t) {});
  ASSERT_TRUE(succeeded(weights)) << takeDiagnostics();
  bytes = readFile(path("model.weights")).substr(weights->sections[1].offset);
  ASSERT_EQ(bytes.size(), static_cast<size_t>(E * P * panel));
  for (int64_t e = 0; e < E; ++e)
    for (int64_t n = 0; n < N; ++n)
      for (int64_t k = 0; k < K; ++k) {
        const auto *start = reinterpret_cast<const uint8_t *>(bytes.data()) + (e * P + n / 32) * panel + k / group * block;
        const int64_t in = k % group, column = n % 32;
        float s, z = 0, value;
        uint16_t narrow;
        std::memcpy(&narrow, start + 2 * column, 2);
        std::memcpy(&s, start + 4 * column, 4);
        s = scaleBytes == 4 ? s : bf16(narrow);
        if (zeroBytes == 4)
          std::memcpy(&z, start + 32 * scaleBytes + 4 * column, 4);
        else if (zeroBytes == 1)
          z = start[32 * scaleBytes + column];
        const uint8_t *stored = start + 32 * (scaleBytes + zeroBytes);
        const int number = c.bits == 8   ? stored[in * 32 + column]
                           : c.bits == 4 ? stored[in * 16 + column % 16] >> (column / 16 * 4) & 15
                                         : stored[in / 2 * 16 + column % 16] >> (in % 2 * 4 + column / 16 * 2) & 3;
        if (isMx)
          value = fp4[number];
        else if (is(c, "nf4"))
          value = normal4[number];
        else if (is(c, "fp8_block"))
          value = e4m3(static_cast<uint8_t>(number));
        else if (c.zeros == Case::None)
          value = static_cast<float>(c.bits == 8 ? static_cast<int8_t>(number) : number - (1 << (c.bits - 1)));
        else
          value = static_cast<float>(number) - z;
        ASSERT_EQ(s * value, expected(c, e, n, k)) << e << " " << n << " " << k;
      }
}

/// Blocks for products of integers: unsigned codes, four of k side by side; what is past K or the group is 0.
void QuantizedWeightsTest::runQuads(const Case &c) {
  SCOPED_TRACE(nameOf(c));
  store(c);
  const int64_t group = std::min<int64_t>(c.group ? c.group : K, K), perByte = 8 / c.bits, step = 4 * perByte;
  const int64_t filled = (group + step - 1) / step * step, zeroBytes = c.zeros == Case::None ? 0 : c.zeros == Case::Codes ? 1 : 4;
  const int64_t block = 32 * (4 + zeroBytes) + filled * 32 / perByte, panel = (K + group - 1) / group * block;
  auto module = parse(modules(c, "2x2x" + std::to_string(panel) + "xi8") + " blocks(<code = int" + std::to_string(c.bits) + ", group = " +
                      std::to_string(group) + ", scale = f32" + (c.zeros == Case::None ? "" : c.zeros == Case::Codes ? ", zero = i8" : ", zero = f32") +
                      ", quads = true>) section 1 at 0");
  auto weights = writeWeights(*module, path("model.weights"), [](uint64_t, uint64_t) {});
  ASSERT_TRUE(succeeded(weights)) << takeDiagnostics();
  const std::string bytes = readFile(path("model.weights")).substr(weights->sections[1].offset);
  ASSERT_EQ(bytes.size(), static_cast<size_t>(E * P * panel));
  for (int64_t e = 0; e < E; ++e)
    for (int64_t n = 0; n < P * 32; ++n)
      for (int64_t g = 0; g * group < K; ++g)
        for (int64_t in = 0; in < filled; ++in) {
          const auto *start = reinterpret_cast<const uint8_t *>(bytes.data()) + (e * P + n / 32) * panel + g * block;
          const int64_t column = n % 32, k = g * group + in;
          const uint8_t *stored = start + 32 * (4 + zeroBytes);
          const int number = stored[in / step * 128 + 4 * column + in % 4] >> (in % step / 4 * c.bits) & ((1 << c.bits) - 1);
          if (n >= N || in >= group || k >= K) {
            ASSERT_EQ(number, 0) << e << " " << n << " " << k;
            continue;
          }
          float s, z = static_cast<float>(1 << (c.bits - 1));
          std::memcpy(&s, start + 4 * column, 4);
          if (zeroBytes == 4)
            std::memcpy(&z, start + 128 + 4 * column, 4);
          else if (zeroBytes == 1)
            z = start[128 + column];
          ASSERT_EQ(s * (static_cast<float>(number) - z), expected(c, e, n, k)) << e << " " << n << " " << k;
        }
}

} // namespace

TEST_F(QuantizedWeightsTest, QuadsOfIntegers) {
  for (int bits : {8, 4, 2})
    for (int group : {0, 32, 9})
      for (Case::Zeros zeros : {Case::None, Case::Codes, Case::Floats})
        runQuads({("int" + std::to_string(bits) + "_group").c_str(), bits, group, true, zeros});
  for (const char *element : {"i8", "ui8"})
    runQuads({"int8_group", 8, 16, false, Case::Codes, "f32", element});
  runQuads({"int4_group", 4, 32, true, Case::None, "f32", "i4"});
}

TEST_F(QuantizedWeightsTest, IntegersInBytes) {
  for (int bits : {8, 4, 2})
    for (int group : {0, 32, 9})
      for (Case::Zeros zeros : {Case::None, Case::Codes, Case::Floats}) {
        const std::string format = "int" + std::to_string(bits) + "_group";
        run({format.c_str(), bits, group, true, zeros});
        run({format.c_str(), bits, group, true, zeros, "bf16"});
      }
}

TEST_F(QuantizedWeightsTest, IntegersOfTheirOwnType) {
  for (const char *element : {"i4", "ui4"})
    for (bool outIn : {true, false})
      for (Case::Zeros zeros : {Case::None, Case::Codes}) {
        run({"int4_group", 4, 32, outIn, zeros, "f32", element});
        run({"int4_group", 4, 0, outIn, zeros, "f32", element});
      }
  for (const char *element : {"i8", "ui8"})
    for (bool outIn : {true, false})
      run({"int8_group", 8, 16, outIn, Case::Codes, "f32", element});
}

TEST_F(QuantizedWeightsTest, SmallFloatsAndTables) {
  run({"mxfp4", 4, 32, true, Case::None, "i8"});
  run({"nvfp4", 4, 16, true, Case::None, "f8E4M3FN"});
  run({"nf4", 4, 64});
  run({"nf4", 4, 64, true, Case::None, "bf16"});
}

TEST_F(QuantizedWeightsTest, RefusesBlocksThatDoNotFit) {
  Case c = {"int4_group", 4, 32};
  store(c);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(
      modules(c, "2x2x2016xi8") + " blocks(<code = int4, group = 32, scale = f32, zero = i8>) section 1 at 0",
      mlir::ParserConfig(&context, /*verifyAfterParse=*/false));
  ASSERT_TRUE(module);
  EXPECT_TRUE(failed(writeWeights(*module, path("model.weights"), [](uint64_t, uint64_t) {})));
  EXPECT_NE(takeDiagnostics().find("do not fit"), std::string::npos);
}
