// The report of --emit=sass-report, from what `ptxas -v` and nvdisasm print. The hot loop of a kernel is the longest of its innermost loops: a backward branch is a loop, and
// one without another inside is innermost. What is rolled out around it (first and last rounds) is shorter.
#include "moe/Codegen/CUDA/SassReport.h"

#include "moe/Machine/Gpu.h"
#include "moe/Support/ChildProcess.h"

#include "mlir/IR/Diagnostics.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace moe {
namespace {

struct KernelSheet {
  int64_t registers = 0, spilled = 0, staticShared = 0;
};

/// The number before the first `unit` in `text`, 0 where there is none.
int64_t numberBefore(StringRef text, StringRef unit) {
  const size_t end = text.find(unit);
  if (end == StringRef::npos)
    return 0;
  StringRef number = text.take_front(end).rtrim();
  number = number.take_back(number.size() - (number.find_last_not_of("0123456789") + 1));
  int64_t value = 0;
  return number.getAsInteger(10, value) ? 0 : value;
}

/// Sheets by kernel, from `ptxas -v`.
llvm::StringMap<KernelSheet> readSheets(StringRef report) {
  llvm::StringMap<KernelSheet> sheets;
  const StringRef title = "Compiling entry function '";
  for (size_t at = report.find(title); at != StringRef::npos;) {
    StringRef rest = report.drop_front(at + title.size());
    at = report.find(title, at + title.size());
    StringRef part = at == StringRef::npos ? rest : rest.take_front(at - (rest.data() - report.data()));
    KernelSheet sheet;
    sheet.registers = numberBefore(part, " registers");
    sheet.spilled = numberBefore(part, " bytes spill stores") + numberBefore(part, " bytes spill loads");
    sheet.staticShared = numberBefore(part, " bytes smem");
    sheets[rest.take_until([](char c) { return c == '\''; })] = sheet;
  }
  return sheets;
}

/// The instructions of one kernel in order: names without predicates and suffixes, and the index that a branch leads to (-1: none known).
struct Code {
  std::vector<std::string> names;
  std::vector<int64_t> targets;
  llvm::StringMap<int64_t> labels;
  std::vector<std::pair<int64_t, std::string>> branches;
};

/// Appends the instruction of a line `/*0010*/  @P0 BRA `(.L_x_1) ;`.
void readInstruction(StringRef line, Code &code) {
  StringRef text = line.split("*/").second.trim();
  // Never executed; ptxas puts some before copies to shared memory.
  if (text.starts_with("@!PT "))
    return;
  if (text.starts_with("@"))
    text = text.split(' ').second.ltrim();
  auto [name, rest] = text.split(' ');
  name = name.rtrim(";");
  if (name.empty() || name.starts_with("."))
    return;
  if (name.starts_with("BRA"))
    if (const size_t at = rest.find("`("); at != StringRef::npos)
      code.branches.push_back({static_cast<int64_t>(code.names.size()), rest.drop_front(at + 2).take_until([](char c) { return c == ')'; }).str()});
  code.names.push_back(name.split('.').first.str());
}

/// Kernels by name, from `nvdisasm -c`.
llvm::StringMap<Code> readCode(StringRef text) {
  llvm::StringMap<Code> kernels;
  Code *current = nullptr;
  const StringRef section = ".text.";
  for (StringRef rest = text; !rest.empty();) {
    StringRef line;
    std::tie(line, rest) = rest.split('\n');
    line = line.trim();
    if (line.starts_with(section) && line.ends_with(":"))
      current = &kernels[line.drop_front(section.size()).drop_back()];
    else if (current && line.starts_with("/*"))
      readInstruction(line, *current);
    else if (current && line.starts_with(".L_") && line.ends_with(":"))
      current->labels[line.drop_back()] = static_cast<int64_t>(current->names.size());
  }
  return kernels;
}

/// First and last instruction of the hot loop; an empty range where the kernel has no loop.
std::pair<int64_t, int64_t> hotLoop(const Code &code) {
  SmallVector<std::pair<int64_t, int64_t>> loops;
  for (const auto &[place, label] : code.branches)
    // The endless jump behind the end leads to itself.
    if (auto target = code.labels.find(label); target != code.labels.end() && target->second < place)
      loops.push_back({target->second, place});
  std::pair<int64_t, int64_t> hot = {0, -1};
  for (auto loop : loops) {
    const bool isInnermost = llvm::none_of(loops, [&](auto other) { return other != loop && other.first >= loop.first && other.second <= loop.second; });
    if (isInnermost && loop.second - loop.first > hot.second - hot.first)
      hot = loop;
  }
  return hot;
}

/// "24 of 210: 16 HMMA, 4 LDSM, …", most frequent first.
std::string mixOf(const Code &code) {
  const auto [first, last] = hotLoop(code);
  if (last < first)
    return llvm::formatv("none of {0}", code.names.size());
  llvm::MapVector<StringRef, int64_t> counts;
  for (int64_t i = first; i <= last; ++i)
    ++counts[code.names[i]];
  auto ordered = counts.takeVector();
  llvm::sort(ordered, [](const auto &a, const auto &b) { return std::make_pair(-a.second, a.first) < std::make_pair(-b.second, b.first); });
  std::string text = llvm::formatv("{0} of {1}: ", last - first + 1, code.names.size());
  llvm::interleave(
      ordered, [&](const auto &entry) { text += llvm::formatv("{0} {1}", entry.second, entry.first).str(); }, [&] { text += ", "; });
  return text;
}

FailureOr<llvm::StringMap<Code>> disassemble(Location loc, const Cubin &cubin, const CudaTools &tools, unsigned timeoutSeconds) {
  const std::string path = cubin.path + ".sass";
  ChildResult result = runChild(tools.disassembler, {"-c", cubin.path}, timeoutSeconds, path);
  auto text = llvm::MemoryBuffer::getFile(path);
  if (!result.succeeded() || !text)
    return emitError(loc) << tools.disassembler << " cannot read the machine code for " << cubin.arch << ": " << StringRef(result.output).trim();
  return readCode((*text)->getBuffer());
}

} // namespace

FailureOr<std::string> sassReport(Location loc, ArrayRef<Cubin> cubins, ArrayRef<KernelInfo> table, const CudaTools &tools, unsigned timeoutSeconds) {
  std::string report = "Machine code of the kernels, as ptxas reports it. Blocks: how many a multiprocessor holds at once; warps: of all that it could hold.\n";
  report += tools.disassembler.empty() ? "No nvdisasm was found, so nothing is said about loops.\n"
                                       : "Hot loop: the longest innermost loop, its instructions of the kernel's, by kind.\n";
  for (const Cubin &cubin : cubins) {
    const GpuDescription &gpu = *llvm::find_if(gpuDescriptions, [&](const GpuDescription &entry) { return cubin.arch == entry.arch; });
    const llvm::StringMap<KernelSheet> sheets = readSheets(cubin.report);
    FailureOr<llvm::StringMap<Code>> code = llvm::StringMap<Code>();
    if (!tools.disassembler.empty() && failed(code = disassemble(loc, cubin, tools, timeoutSeconds)))
      return failure();
    report += "\n" + cubin.arch + "\n\n| kernel | threads | registers | spilled bytes | static shared | dynamic shared | blocks | warps | hot loop |\n|---|---|---|---|---|---|---|---|---|\n";
    for (const KernelInfo &kernel : table) {
      if (!kernel.arch.empty() && kernel.arch != cubin.arch)
        continue;
      auto sheet = sheets.find(kernel.name);
      if (sheet == sheets.end())
        return emitError(loc) << "ptxas says nothing about the kernel " << kernel.name << " for " << cubin.arch;
      const KernelSheet &s = sheet->second;
      const int64_t blocks = residentBlocks(gpu, kernel.threads, s.registers, s.staticShared + kernel.sharedBytes);
      const auto found = code->find(kernel.name);
      report += llvm::formatv("| {0} | {1} | {2} | {3} | {4} | {5} | {6} | {7} % | {8} |\n", kernel.name, kernel.threads, s.registers, s.spilled, s.staticShared,
                              kernel.sharedBytes, blocks, blocks * llvm::divideCeil(kernel.threads, 32) * 100 / gpu.warps,
                              found == code->end() ? "not read" : mixOf(found->second));
    }
  }
  return report;
}

} // namespace moe
