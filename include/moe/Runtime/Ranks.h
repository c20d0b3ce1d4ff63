//===- Ranks.h - the processes that run a model together ----------*- C++ -*-===//
// One rank per process. A model that was planned for a mesh of D devices runs on any number of ranks that divides D, rank r in the place of devices r·D/n to
// (r + 1)·D/n; on one rank without MPI. Nothing here is called by more than one thread of a process.
#ifndef MOE_RUNTIME_RANKS_H
#define MOE_RUNTIME_RANKS_H

#include "moe/Runtime/moe_model.h"

#include <stddef.h>

namespace moe::runtime {

struct Mpi;
class Flights;

/// The ranks of one model.
class Ranks {
public:
  Ranks() = default;
  ~Ranks();
  Ranks(const Ranks &) = delete;
  Ranks &operator=(const Ranks &) = delete;

  /// Meets the other ranks if a launcher has started this process (moe/Runtime/Mpi.h) and `devices` is more than 1. All ranks must have the same
  /// `identity`, 32 bytes, and `version`, the name of the code that runs: otherwise MOE_STATUS_COMM on all of them. Call once.
  moe_status open(int64_t devices, const unsigned char identity[32], const char *version);

  int64_t rank() const { return number; }
  int64_t count() const { return size; }
  /// True if this rank has device `device`.
  bool has(int64_t device) const { return device / (devices / size) == number; }

  /// Before a run: all ranks go on or none does. `mine` is what this rank has found out about its inputs, `digest` a number that must be the same
  /// everywhere. Answers `mine` where that is a failure, MOE_STATUS_COMM where another rank has one or another digest.
  moe_status agree(moe_status mine, uint64_t digest);

  /// See moe/Runtime/Kernel.h. An error of MPI, or counts that do not agree, end all ranks with a message.
  void exchange(const void *from, void *into, const int32_t *send, const int32_t *receive, int64_t rowBytes);
  void startExchange(const void *from, void *into, const int32_t *send, const int32_t *receive, const int32_t *token,
                     int64_t rowBytes, int64_t perNode);
  void waitForExchange(const void *into);
  void gatherShares(void *buffer, int64_t rows, int64_t unit, int64_t rowBytes);

private:
  moe_status compareIdentities(const unsigned char identity[32], const char *version);
  intptr_t rowType(int64_t rowBytes);
  void check(int code, const char *what);
  [[noreturn]] void giveUp(const char *message);

  const Mpi *mpi = nullptr; ///< Null on one rank.
  Flights *flights = nullptr; ///< Made with the ranks.
  intptr_t communicator = 0;
  int64_t devices = 1, number = 0, size = 1;
  /// The types of rows that were sent before: models have few widths.
  struct RowType {
    int64_t bytes;
    intptr_t type;
  } types[8] = {};
  size_t numTypes = 0;
};

} // namespace moe::runtime

#endif // MOE_RUNTIME_RANKS_H
