// moe-run's main job: where each input comes from, one run, outputs to files, comparison, measurement, report.
#include "Bench.h"
#include "Commands.h"
#include "Failure.h"
#include "Files.h"
#include "Json.h"
#include "Loads.h"
#include "Npy.h"
#include "Parts.h"
#include "Team.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <set>

namespace moe::run {
namespace {

std::vector<std::string> namesOf(const std::vector<moe_tensor_info> &infos) {
  std::vector<std::string> names;
  for (const moe_tensor_info &info : infos)
    names.push_back(info.name);
  return names;
}

std::string quoteAll(const std::vector<std::string> &names) {
  std::string text;
  for (const std::string &name : names)
    text += (text.empty() ? "'" : ", '") + name + "'";
  return text.empty() ? "none" : text;
}

/// Zeros for an input without a file: fixed sizes from the model, the others from --dim.
Array zerosFor(const moe_tensor_info &info, const Options &options) {
  std::vector<int64_t> shape;
  for (int32_t d = 0; d < info.rank; ++d) {
    const moe_dim &dim = info.dims[d];
    auto given = options.dims.find(dim.symbol);
    if (dim.size < 0 && given == options.dims.end())
      throw Failure("input '" + std::string(info.name) + "' has no file, and its dim " + std::to_string(d) +
                    (*dim.symbol ? " needs --dim " + std::string(dim.symbol) + "=SIZE" : " has no name to give it a size by"));
    shape.push_back(dim.size >= 0 ? dim.size : given->second);
  }
  return Array::zeros(info.dtype, shape, "input '" + std::string(info.name) + "'");
}

/// A symbol that no input has is a typing error.
void checkDims(const Session &session, const Options &options) {
  std::set<std::string> symbols;
  for (const moe_tensor_info &info : session.inputs())
    for (int32_t d = 0; d < info.rank; ++d)
      if (info.dims[d].size < 0 && *info.dims[d].symbol)
        symbols.insert(info.dims[d].symbol);
  for (const auto &[symbol, size] : options.dims)
    if (!symbols.count(symbol))
      throw Failure("--dim: no input has a dim '" + symbol + "'; the model's dims: " + quoteAll({symbols.begin(), symbols.end()}));
}

std::vector<Array> gatherInputs(const Session &session, const Options &options) {
  const std::vector<std::string> names = namesOf(session.inputs());
  Slots slots(names.size());
  if (!options.testData.empty())
    slots = readTestData(options.testData, "input", names);
  const std::map<std::string, std::string> &files = options.inputs;
  // A wrong name first: the input that it was meant for has no file then, which says less.
  for (const auto &[name, file] : files)
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw Failure("--input: the model has no input '" + name + "'; its inputs: " + quoteAll(names));
  checkDims(session, options);
  std::vector<Array> arrays;
  for (size_t i = 0; i < names.size(); ++i) {
    if (auto file = files.find(names[i]); file != files.end())
      slots[i] = parseNpy(readFile(file->second), file->second, session.inputs()[i].dtype);
    if (!slots[i])
      slots[i] = session.defaultOf(i);
    if (!slots[i] && !options.bench)
      throw Failure("input '" + names[i] + "' has no file" + (options.testData.empty() ? "; give --input " + names[i] + "=FILE" : " in " + options.testData));
    arrays.push_back(slots[i] ? std::move(*slots[i]) : zerosFor(session.inputs()[i], options));
  }
  return arrays;
}

/// Paths of the outputs' files, by number. Checked before the run: two names may become one file.
std::vector<std::string> outputPaths(const Session &session, const std::string &directory) {
  std::vector<std::string> paths;
  std::map<std::string, std::string> owners;
  for (const moe_tensor_info &info : session.outputs()) {
    const std::string path = directory + "/" + fileNameFor(info.name) + ".npy";
    auto [owner, isNew] = owners.emplace(path, info.name);
    if (!isNew)
      throw Failure("outputs '" + owner->second + "' and '" + info.name + "' would both be written to " + path);
    paths.push_back(path);
  }
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error)
    throw Failure(directory + ": " + error.message());
  return paths;
}

/// Files with the outputs, whole ones, by the rank that has paths. All ranks come here.
void writeOutputs(const Session &session, const std::vector<std::string> &paths) {
  for (size_t i = 0; i < session.outputs().size(); ++i) {
    const std::optional<Array> whole = wholeOutput(session, i);
    if (paths.empty())
      continue;
    const Array &array = whole ? *whole : session.outputArrays()[i];
    writeFile(paths[i], npyHeader(array.dtype, array.shape), array.bytes);
    if (array.dtype.code == MOE_BFLOAT)
      std::fprintf(stderr, "moe-run: note: %s holds bfloat16 as uint16, since numpy has no bfloat16\n", paths[i].c_str());
    else if (isForeign(array.dtype))
      std::fprintf(stderr, "moe-run: note: %s holds %s as uint8, since numpy has no such type\n", paths[i].c_str(), typeName(array.dtype).c_str());
  }
}

/// The line or JSON object of one compared output.
std::string comparisonText(const std::string &name, const Array &got, const Comparison &result) {
  std::string text = name + ": " + (result.passed ? "passed" : "FAILED");
  if (!result.problem.empty())
    return text + ", " + result.problem;
  char buffer[256];
  std::snprintf(buffer, sizeof(buffer), ", largest error %.3g, %lld of %lld outside", result.largest,
                static_cast<long long>(result.outside), static_cast<long long>(result.elements));
  text += buffer;
  if (result.worst >= 0) {
    std::snprintf(buffer, sizeof(buffer), " (got %.9g, expected %.9g", result.got, result.want);
    text += "; worst at " + indexName(result.worst, got.shape) + buffer;
    // No share where nothing is tolerated: integers, infinities, a tolerance of zero.
    std::snprintf(buffer, sizeof(buffer), ", %.3g of the tolerance", result.largestShare);
    text += (std::isfinite(result.largestShare) ? buffer : std::string()) + ")";
  }
  return text;
}

std::string comparisonJson(const std::string &name, const Array &got, const Comparison &result) {
  JsonList object("{}");
  object.add("name", jsonString(name)).add("passed", result.passed ? "true" : "false");
  if (!result.problem.empty())
    return object.add("problem", jsonString(result.problem)).str();
  object.add("elements", std::to_string(result.elements)).add("outside", std::to_string(result.outside));
  object.add("largest_error", jsonNumber(result.largest)).add("largest_share", jsonNumber(result.largestShare));
  if (result.worst >= 0)
    object.add("worst_index", indexName(result.worst, got.shape)).add("got", jsonNumber(result.got)).add("want", jsonNumber(result.want));
  return object.str();
}

/// "rank 2: " where several ranks run and this is not the one that speaks for all.
std::string rankText(const Session &session) {
  return session.speaks() ? "" : "rank " + std::to_string(session.rank()) + ": ";
}

/// Compares all outputs that have a file, prints or appends to `json`, and answers whether all passed.
bool compareOutputs(const Session &session, Slots &wanted, const Options &options, JsonList &json) {
  JsonList list("[]"), missing("[]");
  bool passed = true;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const std::string name = session.outputs()[i].name;
    if (!wanted[i] && isLoadOutput(name))
      continue;
    if (!wanted[i]) {
      missing.add(jsonString(name));
      if (!options.json && session.speaks())
        std::printf("%s: not compared, no file\n", name.c_str());
      continue;
    }
    const Array &got = session.outputArrays()[i];
    const moe_part &part = session.outputParts()[i];
    if (part.axis >= 0)
      takePart(*wanted[i], part, session.outputs()[i].dims[part.axis].size);
    const Comparison result = compare(got, *wanted[i], options.tolerance);
    passed &= result.passed;
    list.add(comparisonJson(name, got, result));
    if (!options.json && (session.speaks() || !result.passed))
      std::printf("%s%s\n", rankText(session).c_str(), comparisonText(name, got, result).c_str());
  }
  json.add("outputs", list.str()).add("not_compared", missing.str()).add("passed", passed ? "true" : "false");
  return passed;
}

void reportBench(const Session &session, const BenchResult &result, const Options &options, JsonList &json) {
  const double tokenRate = result.tokens ? double(result.tokens) / result.mean : 0;
  JsonList object("{}");
  object.add("runs", std::to_string(result.runs)).add("warmup_runs", std::to_string(result.warmupRuns));
  object.add("runs_per_second", jsonNumber(1 / result.mean)).add("tokens_per_run", std::to_string(result.tokens));
  object.add("tokens_per_second", result.tokens ? jsonNumber(tokenRate) : "null");
  object.add("p50_seconds", jsonNumber(result.p50)).add("p90_seconds", jsonNumber(result.p90)).add("p99_seconds", jsonNumber(result.p99));
  object.add("fastest_seconds", jsonNumber(result.fastest)).add("weight_bytes", std::to_string(result.weightBytes));
  const bool alone = session.ranks() == 1;
  object.add("read_bandwidth", alone ? jsonNumber(result.readBandwidth) : "null");
  object.add("roofline_share", alone ? jsonNumber(result.rooflineShare) : "null");
  json.add("bench", object.str());
  if (options.json)
    return;
  const std::string ranks = alone ? "" : std::to_string(session.ranks()) + " ranks of ";
  std::printf("%lld runs after %lld to warm up, %s%d thread%s, version %s: %.1f runs/s\n", static_cast<long long>(result.runs),
              static_cast<long long>(result.warmupRuns), ranks.c_str(), session.threads(), session.threads() == 1 ? "" : "s",
              session.isa().c_str(), 1 / result.mean);
  if (result.tokens)
    std::printf("%.1f tokens/s (%lld per run, the elements of '%s')\n", tokenRate, static_cast<long long>(result.tokens),
                result.tokensInput.c_str());
  std::printf("time of a run: p50 %.3f ms, p90 %.3f ms, p99 %.3f ms, fastest %.3f ms\n", 1e3 * result.p50, 1e3 * result.p90,
              1e3 * result.p99, 1e3 * result.fastest);
  if (!alone)
    return;
  std::printf("memory: %.1f GB/s read by %d thread%s; at that rate all %llu bytes of mapped weights take %.3f ms, %.1f %% of p50\n",
              1e-9 * result.readBandwidth, session.threads(), session.threads() == 1 ? "" : "s",
              static_cast<unsigned long long>(result.weightBytes), 1e3 * result.rooflineShare * result.p50, 100 * result.rooflineShare);
  std::printf("  (an upper bound: a run that does not use all experts, or weights that stay in a cache, read less from memory)\n");
}

/// What came out, where it is neither compared nor written.
void describeOutputs(const Session &session, const Options &options, JsonList &json) {
  JsonList list("[]");
  for (size_t i = 0; i < session.outputs().size(); ++i) {
    const Array &array = session.outputArrays()[i];
    JsonList object("{}");
    object.add("name", jsonString(session.outputs()[i].name)).add("dtype", jsonString(typeName(array.dtype))).add("shape", shapeName(array.shape));
    list.add(object.str());
    if (!options.json)
      std::printf("%s: %s %s\n", session.outputs()[i].name, typeName(array.dtype).c_str(), shapeName(array.shape).c_str());
  }
  json.add("outputs", list.str());
  if (!options.json)
    std::printf("(not written; --output-dir DIR writes them)\n");
}

/// Ranks with other commands would wait for each other without end: each says what it is asked for. Answers whether outputs are written, by the rank that speaks and
/// with all others' parts.
bool agreeOnCommand(const Session &session, const Options &options) {
  if (session.ranks() == 1)
    return !options.outputDir.empty();
  struct Command {
    int32_t benches, writes;
  };
  const Command mine = {options.bench, !options.outputDir.empty()};
  const std::vector<Command> all = Team().gather(mine);
  for (size_t rank = 1; rank < all.size(); ++rank)
    if (all[rank].benches != all[0].benches)
      throw Failure("expected --bench on all ranks or on none, found it on rank " + std::to_string(all[0].benches ? 0 : rank) + " and not on rank " + std::to_string(all[0].benches ? rank : 0));
  return all[0].writes;
}

} // namespace

bool runModel(const Options &options) {
  Session session(options.folder, options.session);
  const bool writes = agreeOnCommand(session, options);
  // Everything that can be wrong with files comes before the run.
  Slots wanted;
  if (!options.testData.empty()) {
    wanted = readTestData(options.testData, "output", namesOf(session.outputs()));
    bool any = false;
    for (const auto &slot : wanted)
      any |= slot.has_value();
    if (!any)
      throw Failure(options.testData + ": expected at least one output_N.pb to compare with, found none");
  }
  session.bind(gatherInputs(session, options), options.inPlace);
  std::vector<std::string> paths;
  if (!options.outputDir.empty() && session.speaks())
    paths = outputPaths(session, options.outputDir);
  session.run();
  if (writes)
    writeOutputs(session, paths);
  if (!options.recordLoad.empty() && session.speaks())
    writeFile(options.recordLoad, profileText(session), {});
  JsonList json("{}");
  json.add("isa", jsonString(session.isa())).add("threads", std::to_string(session.threads()));
  if (session.ranks() > 1)
    json.add("ranks", std::to_string(session.ranks()));
  const bool passed = wanted.empty() || compareOutputs(session, wanted, options, json);
  // Every rank measures: a run takes all of them.
  BenchResult measured;
  if (options.bench)
    measured = bench(session, options.benchSeconds);
  if (!session.speaks())
    return passed;
  if (wanted.empty() && paths.empty() && !options.bench)
    describeOutputs(session, options, json);
  if (options.bench)
    reportBench(session, measured, options, json);
  if (options.json)
    std::printf("%s\n", json.str().c_str());
  return passed;
}

} // namespace moe::run
