// Launches: blocks, threads on their stacks, whose turn it is, and what it means when it is nobody's.
#include "Fiber.h"
#include "State.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <sys/mman.h>

namespace moe::simt {

Execution *execution = nullptr;

namespace {

/// Shared memory starts at a multiple of this, so that the low bits of an address are those of the offset, as on the GPU.
constexpr uint64_t sharedAlignment = 256 << 10;
constexpr uint32_t poisonWord = 0xFFC1FFC1; // NaN as f32, bf16 and f16

std::vector<char *> freeStacks;
std::vector<char *> freeShared;
std::mutex running;

char *newShared() {
  if (!freeShared.empty()) {
    char *memory = freeShared.back();
    freeShared.pop_back();
    return memory;
  }
  // Below 4 GiB, so that an address fits the 32 bits of a shared address in PTX.
  void *memory = mmap(nullptr, 2 * sharedAlignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_32BIT, -1, 0);
  if (memory == MAP_FAILED)
    return nullptr;
  return reinterpret_cast<char *>((reinterpret_cast<uintptr_t>(memory) + sharedAlignment - 1) / sharedAlignment * sharedAlignment);
}

std::string triple(const uint32_t *id) {
  return "(" + std::to_string(id[0]) + "," + std::to_string(id[1]) + "," + std::to_string(id[2]) + ")";
}

void fillPoison(char *memory, size_t bytes) {
  for (size_t i = 0; i < bytes; i += sizeof(poisonWord))
    std::memcpy(memory + i, &poisonWord, std::min(sizeof(poisonWord), bytes - i));
}

Thread *next() {
  auto &ready = execution->ready;
  if (ready.empty())
    return nullptr;
  if (options().seed != 0)
    std::swap(ready.front(), ready[nextRandom() % ready.size()]);
  Thread *thread = ready.front();
  ready.pop_front();
  return thread;
}

/// Goes on with another thread, or with the launch if none can run. Comes back when this one is ready.
void leave(void **saved) {
  Thread *other = next();
  // Its own turn again: what was saved last would be an older state of it.
  if (other && saved == &other->stackPointer)
    return;
  ++execution->report->switches;
  execution->current = other;
  moe_simt_switch(saved, other ? other->stackPointer : execution->mainStackPointer);
}

/// The first function of every thread.
void threadMain(void *argument) {
  auto *thread = static_cast<Thread *>(argument);
  execution->launch->kernel->run(execution->launch->parameters);
  if (!thread->stores.empty())
    fault(thread->stores.front().site, "exits before it has waited for this copy to global memory");
  if (!thread->operands.empty())
    fault(thread->operands.front().site, "exits before it has waited for this product");
  thread->exited = true;
  execution->idle = 0;
  thread->warp->live &= ~(1u << thread->lane);
  --thread->block->live;
  completeAfterExit(*thread);
  leave(&thread->stackPointer);
}

bool startBlock(uint32_t number) {
  const Launch &launch = *execution->launch;
  auto block = std::make_unique<Block>();
  block->number = number;
  block->id[0] = number % launch.grid[0];
  block->id[1] = number / launch.grid[0] % launch.grid[1];
  block->id[2] = number / launch.grid[0] / launch.grid[1];
  const uint32_t count = execution->threadsPerBlock;
  block->threads.resize(count);
  block->warps.resize((count + warpSize - 1) / warpSize);
  block->live = count;
  block->shared = newShared();
  if (!block->shared)
    return false;
  if (options().poison)
    fillPoison(block->shared, execution->sharedBytes);
  if (options().races)
    block->shadow.resize(execution->sharedBytes);
  auto unknown = std::make_shared<Knowledge>();
  unknown->block = number;
  unknown->own.resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    Thread &thread = block->threads[i];
    thread.block = block.get();
    thread.warp = &block->warps[i / warpSize];
    thread.index = i;
    thread.lane = i % warpSize;
    thread.id[0] = i % launch.block[0];
    thread.id[1] = i / launch.block[0] % launch.block[1];
    thread.id[2] = i / launch.block[0] / launch.block[1];
    thread.actor = number * count + i;
    thread.known = unknown;
    thread.warp->block = block.get();
    thread.warp->lanes.push_back(&thread);
    thread.warp->live |= 1u << thread.lane;
    if (freeStacks.empty()) {
      thread.stack = newStack();
      if (!thread.stack)
        return false;
    } else {
      thread.stack = freeStacks.back();
      freeStacks.pop_back();
    }
    thread.stackPointer = prepareStack(thread.stack, threadMain, &thread);
    execution->ready.push_back(&thread);
  }
  execution->blocks.push_back(std::move(block));
  return true;
}

void recycle(Block &block) {
  finishCounters(block);
  for (Thread &thread : block.threads)
    if (thread.stack)
      freeStacks.push_back(thread.stack);
  if (block.shared)
    freeShared.push_back(block.shared);
}

const char *kindName(Kind kind) {
  const char *names[] = {"nothing", "barrier", "bar.warp.sync", "shfl.sync", "vote.sync", "match.sync", "redux.sync", "elect.sync", "ldmatrix", "stmatrix", "mma.sync", "wgmma", "an mbarrier"};
  return names[static_cast<uint32_t>(kind)];
}

/// Nobody can run: says where each thread waits, ranges of threads that wait at the same place together.
std::string describeDeadlock() {
  std::string result = "deadlock: threads wait for others that never come";
  for (const auto &block : execution->blocks) {
    if (block->live == 0)
      continue;
    result += "\n  block " + triple(block->id) + ":";
    size_t lines = 0;
    for (size_t i = 0; i < block->threads.size();) {
      const Thread &first = block->threads[i];
      auto same = [&](const Thread &other) {
        return first.exited == other.exited && (first.exited || (first.request.kind == other.request.kind && first.request.site == other.request.site &&
                                                                  first.request.mask == other.request.mask && first.request.variant == other.request.variant));
      };
      size_t end = i + 1;
      while (end < block->threads.size() && same(block->threads[end]))
        ++end;
      if (++lines > 16) {
        result += "\n    and " + std::to_string(block->threads.size() - i) + " more threads";
        break;
      }
      result += "\n    threads " + std::to_string(i) + " to " + std::to_string(end - 1);
      if (first.exited) {
        result += " have exited";
      } else {
        result += std::string(" wait in ") + kindName(first.request.kind);
        if (first.request.kind == Kind::BlockBarrier) {
          const BlockBarrier &barrier = block->barriers[first.request.variant];
          result += " " + std::to_string(first.request.variant) + " (" + std::to_string(barrier.arrived) + " of " +
                    std::to_string(barrier.expected ? barrier.expected : block->live) + " threads arrived)";
        } else if (first.request.kind != Kind::GroupProduct && first.request.kind != Kind::MemoryBarrier) {
          char mask[32];
          snprintf(mask, sizeof(mask), " with mask 0x%08x", first.request.mask);
          result += mask;
        }
        result += std::string(" at ") + first.request.site;
      }
      i = end;
    }
  }
  return result;
}

/// Gives the shared variables of the kernel their places. False and a fault in the report if there is not enough.
bool layOutShared() {
  const Launch &launch = *execution->launch;
  uint64_t offset = 0, dynamicAlignment = 16;
  auto align = [](uint64_t value, uint64_t alignment) { return (value + alignment - 1) / alignment * alignment; };
  for (uint64_t i = 0; i < launch.kernel->sharedCount; ++i) {
    SimtShared &variable = *launch.kernel->shared[i];
    if (variable.size == 0) {
      dynamicAlignment = std::max<uint64_t>(dynamicAlignment, variable.alignment);
      continue;
    }
    variable.offset = align(offset, std::max<uint64_t>(variable.alignment, 1));
    offset = variable.offset + variable.size;
  }
  execution->staticShared = offset = align(offset, dynamicAlignment);
  for (uint64_t i = 0; i < launch.kernel->sharedCount; ++i)
    if (launch.kernel->shared[i]->size == 0)
      launch.kernel->shared[i]->offset = offset;
  execution->sharedBytes = offset + launch.dynamicShared;
  execution->report->sharedBytes = execution->sharedBytes;
  if (execution->sharedBytes <= launch.options.sharedLimit)
    return true;
  execution->report->fault = std::string("kernel ") + launch.kernel->name + ": expected at most " + std::to_string(launch.options.sharedLimit) +
                             " bytes of shared memory in a block, found " + std::to_string(execution->sharedBytes);
  return false;
}

bool checkShape() {
  const Launch &launch = *execution->launch;
  const uint64_t threads = uint64_t(launch.block[0]) * launch.block[1] * launch.block[2];
  const uint64_t blocks = uint64_t(launch.grid[0]) * launch.grid[1] * launch.grid[2];
  std::string &problem = execution->report->fault;
  const std::string kernel = std::string("kernel ") + launch.kernel->name + ": ";
  if (threads == 0 || threads > 1024 || launch.block[2] > 64)
    problem = kernel + "expected a block of 1 to 1024 threads, found " + triple(launch.block);
  else if (launch.kernel->maximumThreads && threads > launch.kernel->maximumThreads)
    problem = kernel + "expected at most " + std::to_string(launch.kernel->maximumThreads) + " threads in a block (maxntid), found " + std::to_string(threads);
  else if (blocks == 0 || launch.grid[0] > 0x7FFFFFFF || launch.grid[1] > 65535 || launch.grid[2] > 65535 || blocks * threads >= Cell::several / 4)
    problem = kernel + "a grid that the executor cannot launch: " + triple(launch.grid);
  return problem.empty();
}

void runBlocks() {
  const Launch &launch = *execution->launch;
  std::vector<uint32_t> order(launch.grid[0] * launch.grid[1] * launch.grid[2]);
  for (uint32_t i = 0; i < order.size(); ++i)
    order[i] = i;
  if (launch.options.seed != 0)
    for (size_t i = order.size(); i > 1; --i)
      std::swap(order[i - 1], order[nextRandom() % i]);
  size_t started = 0;
  for (;;) {
    auto &blocks = execution->blocks;
    for (auto &block : blocks)
      if (block->live == 0)
        recycle(*block);
    blocks.erase(std::remove_if(blocks.begin(), blocks.end(), [](auto &block) { return block->live == 0; }), blocks.end());
    while (started < order.size() && (launch.options.residentBlocks == 0 || blocks.size() < launch.options.residentBlocks))
      if (!startBlock(order[started++])) {
        execution->report->fault = "no memory for the threads of a block";
        execution->failed = true;
        return;
      }
    if (blocks.empty())
      return;
    Thread *thread = next();
    if (!thread) {
      execution->report->fault = std::string("kernel ") + launch.kernel->name + ": " + describeDeadlock();
      execution->failed = true;
      return;
    }
    execution->current = thread;
    moe_simt_switch(&execution->mainStackPointer, thread->stackPointer);
    if (execution->failed)
      return;
  }
}

} // namespace

uint64_t nextRandom() {
  uint64_t &state = execution->random;
  state += 0x9E3779B97F4A7C15;
  uint64_t value = state;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

void wait() {
  Thread &thread = self();
  thread.waiting = true;
  leave(&thread.stackPointer);
}

void makeReady(Thread &thread) {
  execution->idle = 0;
  thread.waiting = false;
  execution->ready.push_back(&thread);
}

static void yield() {
  Thread &thread = self();
  execution->ready.push_back(&thread);
  leave(&thread.stackPointer);
}

void perhapsYield() {
  execution->idle = 0; // An atomic may be what another waits for.
  if (!execution->ready.empty() && options().seed != 0 && nextRandom() % 4 == 0)
    yield();
}

void spin(const char *site) {
  constexpr uint64_t most = 4 << 20;
  if (++execution->idle > most)
    fault(site, "looks again and again for what never happens; if another block should do it, are all blocks alive (" +
                    std::to_string(options().residentBlocks) + " are, 0 means all)?");
  if (!execution->ready.empty())
    yield();
}

std::string text(const void *address) {
  char buffer[32];
  snprintf(buffer, sizeof(buffer), "%p", address);
  return buffer;
}

std::string nameOf(const Thread &thread) { return "block " + triple(thread.block->id) + ", thread " + triple(thread.id); }

std::string nameOf(uint32_t actor) {
  const Launch &launch = *execution->launch;
  const uint32_t index = actor % execution->threadsPerBlock, number = actor / execution->threadsPerBlock;
  const uint32_t thread[3] = {index % launch.block[0], index / launch.block[0] % launch.block[1], index / launch.block[0] / launch.block[1]};
  const uint32_t block[3] = {number % launch.grid[0], number / launch.grid[0] % launch.grid[1], number / launch.grid[0] / launch.grid[1]};
  const std::string name = "thread " + triple(thread);
  return self().block->number == number ? name : name + " of block " + triple(block);
}

void fault(const char *site, const std::string &what) {
  execution->report->fault = std::string("kernel ") + execution->launch->kernel->name + ", " + nameOf(self()) + ", at " + site + ": " + what;
  execution->failed = true;
  void *abandoned = nullptr;
  moe_simt_switch(&abandoned, execution->mainStackPointer);
  __builtin_unreachable();
}

__attribute__((visibility("default"))) bool run(const Launch &launch, Report &report) {
  std::lock_guard<std::mutex> lock(running);
  Execution state;
  state.launch = &launch;
  state.report = &report;
  state.random = launch.options.seed;
  state.threadsPerBlock = launch.block[0] * launch.block[1] * launch.block[2];
  execution = &state;
  report = Report();
  if (checkShape() && layOutShared())
    runBlocks();
  for (auto &block : state.blocks)
    recycle(*block);
  reportCounters();
  execution = nullptr;
  return report.fault.empty();
}

} // namespace moe::simt
