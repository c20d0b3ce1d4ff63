// moe-run --calibrate: measures the links between the ranks and what a device can do, and writes a mesh file for the planner. All ranks measure the same
// things at the same time, as they would run a model; rank 0 writes. What is timed is the call that the runtime makes, MPI_Alltoallv on all ranks.
#include "Bench.h"
#include "Commands.h"
#include "Failure.h"
#include "Files.h"
#include "Fit.h"
#include "Products.h"
#include "Team.h"
#include "moe/Runtime/Mpi.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <sched.h>
#include <thread>
#include <unistd.h>

namespace moe::run {
namespace {

using Clock = std::chrono::steady_clock;

/// The shortest time, in microseconds, that `work` takes on the rank that it takes longest on. All ranks see the same times, so all stop together.
template <typename Work> double timeTogether(Team &team, Work work) {
  constexpr double enoughUs = 40e3;
  constexpr int fewest = 8, most = 200;
  double best = 0, spent = 0;
  for (int pass = 0; pass < fewest || (pass < most && spent < enoughUs); ++pass) {
    team.gather(pass);
    const Clock::time_point start = Clock::now();
    work();
    const double time = team.largest(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    best = pass == 0 ? time : std::min(best, time);
    spent += time;
  }
  return std::max(best, 1e-3);
}

struct AxisSize {
  std::string name;
  int64_t size = 1;
};

struct HostName {
  char text[256] = {};
};

/// "node=2,rank=4".
std::vector<AxisSize> parseAxes(const std::string &text, int ranks) {
  std::vector<AxisSize> axes;
  int64_t product = 1;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size()), equals = text.find('=', begin);
    char *rest = nullptr;
    const long long size = equals < end ? std::strtoll(text.c_str() + equals + 1, &rest, 10) : 0;
    if (equals >= end || equals == begin || rest != text.c_str() + end || size < 1 || size > ranks)
      throw Failure("--mesh: expected axes and their sizes for " + std::to_string(ranks) + " ranks, as in node=2,rank=4, found '" + text + "'");
    axes.push_back({text.substr(begin, equals - begin), size});
    product *= size;
    begin = end + 1;
  }
  if (product != ranks)
    throw Failure("--mesh: expected axes of " + std::to_string(ranks) + " ranks together, found " + std::to_string(product));
  return axes;
}

/// Hosts and the ranks of each, as MPI has placed them.
std::vector<AxisSize> findAxes(Team &team) {
  HostName mine;
  gethostname(mine.text, sizeof(mine.text) - 1);
  const std::vector<HostName> hosts = team.gather(mine);
  auto isSame = [&](size_t a, size_t b) { return std::strcmp(hosts[a].text, hosts[b].text) == 0; };
  size_t first = 1;
  while (first < hosts.size() && isSame(first, 0))
    ++first;
  for (size_t i = 0; i < hosts.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (isSame(i, j) != (i / first == j / first) || hosts.size() % first != 0)
        throw Failure("expected as many ranks on each host, neighbours by their numbers; found rank " + std::to_string(i) + " on " + hosts[i].text + " and rank " +
                      std::to_string(j) + " on " + hosts[j].text + "; start them by host, or say what the axes are with --mesh");
  if (first == hosts.size())
    return {{"rank", int64_t(first)}};
  if (first == 1)
    return {{"node", int64_t(hosts.size())}};
  return {{"node", int64_t(hosts.size() / first)}, {"rank", int64_t(first)}};
}

/// All ranks exchange with the next `peers` ranks that are elsewhere on the axis whose positions hold `inner` ranks.
double timeExchange(Team &team, int64_t size, int64_t inner, int64_t peers, int bytes) {
  const int64_t at = team.rank / inner % size, place = team.rank % inner, outside = team.rank / (size * inner) * (size * inner);
  std::vector<int> to, from;
  for (int64_t j = 0; j < peers; ++j) {
    const int64_t step = 1 + j / inner, shift = j % inner;
    to.push_back(int(outside + (at + step) % size * inner + (place + shift) % inner));
    from.push_back(int(outside + (at + size - step) % size * inner + (place + inner - shift) % inner));
  }
  return timeTogether(team, [&] { team.exchange(to, from, bytes); });
}

/// Half the time of a message from the first rank of an axis to the next there and back; the others have nothing to send.
double timePingPong(Team &team, int64_t inner, int bytes) {
  const std::vector<int> nobody, first = {0}, second = {int(inner)};
  const bool isFirst = team.rank == 0, isSecond = team.rank == inner;
  return timeTogether(team, [&] {
           team.exchange(isFirst ? second : nobody, isSecond ? first : nobody, bytes);
           team.exchange(isSecond ? first : nobody, isFirst ? second : nobody, bytes);
         }) /
         2;
}

/// Measures on all ranks; only rank 0, which writes, draws conclusions: what one refuses is said once, and ends the others.
MeasuredLink measureAxis(Team &team, const AxisSize &axis, int64_t inner) {
  constexpr int sizes[] = {256, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20};
  constexpr int64_t mostBytes = int64_t(8) << 20;
  std::vector<Sample> pings, samples;
  for (int bytes : sizes)
    pings.push_back({{1, double(bytes)}, timePingPong(team, inner, bytes)});
  const int64_t all = (axis.size - 1) * inner;
  std::vector<int64_t> numbers;
  for (int64_t peers = 1; peers < all; peers *= 2)
    numbers.push_back(peers);
  numbers.push_back(all);
  for (int64_t peers : numbers)
    for (int bytes : sizes)
      if (peers * bytes <= mostBytes || bytes == sizes[0])
        samples.push_back({{1, double(peers), double(peers) * bytes}, timeExchange(team, axis.size, inner, peers, bytes)});
  if (team.rank != 0)
    return {};
  const Fit ping = fitTimes(pings);
  const MeasuredLink link = linkOf(axis.name, axis.size, samples, ping.coefficients[0]);
  std::printf("axis %s: ping-pong %.2f us and %.3g GB/s (r2 %.3f); all-to-all %.2f us, %.2f us a peer, %.3g GB/s (r2 %.3f, %zu sizes)\n", axis.name.c_str(),
              ping.coefficients[0], ping.coefficients[1] > 0 ? 1e-3 / ping.coefficients[1] : 0.0, ping.r2, link.alphaUs, link.perMessageUs, link.gbps, link.r2,
              samples.size());
  std::fflush(stdout);
  return link;
}

int32_t threadsOf(const Options &options) {
  if (options.session.threads > 0)
    return options.session.threads;
  cpu_set_t set;
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

/// Times of one product shared by `threads` threads, each with its part of the columns, while all other ranks do the same.
std::vector<Sample> measureProducts(Team &team, const std::string &type, int32_t threads) {
  std::vector<std::vector<double>> times(static_cast<size_t>(threads));
  team.gather(0);
  std::vector<std::thread> others;
  for (size_t t = 1; t < times.size(); ++t)
    others.emplace_back([&, t] { times[t] = timeProducts(type); });
  times[0] = timeProducts(type);
  for (std::thread &thread : others)
    thread.join();
  std::vector<Sample> samples;
  for (size_t i = 0; i < productSizes().size(); ++i) {
    double slowest = 0;
    for (const std::vector<double> &mine : times)
      slowest = std::max(slowest, mine[i]);
    const ProductSize &size = productSizes()[i];
    const double operations = size.operations() * threads;
    samples.push_back({{1, operations / double(size.rows), operations}, team.largest(slowest)});
  }
  return samples;
}

MeasuredDevice measureDevice(Team &team, const Options &options, int64_t ranksOfHost) {
  MeasuredDevice device;
  device.name = "measured cpu";
  const int32_t threads = threadsOf(options);
  if (productTypes().empty())
    throw Failure("--calibrate: expected a CPU with AVX2 and FMA");
  for (const std::string &type : productTypes()) {
    const std::vector<Sample> samples = measureProducts(team, type, threads);
    if (team.rank != 0)
      continue;
    addProduct(device, type, samples);
    std::printf("products of %s: %.3g TFLOP/s\n", type.c_str(), device.tflops[type]);
  }
  team.gather(0);
  device.memoryGbps = -team.largest(-1e-9 * measureReadBandwidth(threads));
  device.memoryMib = std::max<int64_t>(1, (int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE) >> 20) / ranksOfHost);
  device.memoryMib = -int64_t(team.largest(-double(device.memoryMib)));
  if (team.rank == 0)
    std::printf("a device has %d thread%s; an expert starts in %.2f us and reaches half the rate at %.2f rows (r2 %.3f); memory %.3g GB/s, %lld MiB\n", threads,
                threads == 1 ? "" : "s", device.gemmAlphaUs, device.gemmHalfRows, device.r2, device.memoryGbps, static_cast<long long>(device.memoryMib));
  return device;
}

} // namespace

void calibrate(const Options &options) {
  const Failure isAlone("--calibrate: expected several processes, found one; start it with mpiexec -n N");
  if (!runtime::isLaunched())
    throw isAlone;
  Team team;
  if (team.ranks < 2)
    throw isAlone;
  const std::vector<AxisSize> axes = options.mesh.empty() ? findAxes(team) : parseAxes(options.mesh, team.ranks);
  std::vector<MeasuredLink> links;
  int64_t inner = team.ranks;
  for (const AxisSize &axis : axes) {
    inner /= axis.size;
    // An axis of one position has nothing to measure; its link only has to be one.
    links.push_back(axis.size > 1 ? measureAxis(team, axis, inner) : MeasuredLink{axis.name, 1, 0, 1, 0, 1});
  }
  const MeasuredDevice device = measureDevice(team, options, axes.front().name == "node" ? team.ranks / axes.front().size : team.ranks);
  if (team.rank != 0)
    return;
  writeFile(options.output, meshText(links, device, leastMeshR2), {});
  std::printf("wrote %s\n", options.output.c_str());
}

} // namespace moe::run
