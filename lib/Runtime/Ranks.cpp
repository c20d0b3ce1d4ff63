// Meeting, agreeing, exchanging. See Ranks.h.
#include "moe/Runtime/Ranks.h"
#include "Flights.h"
#include "Memory.h"
#include "moe/Runtime/Error.h"
#include "moe/Runtime/Kernel.h"
#include "moe/Runtime/Mpi.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

namespace moe::runtime {
namespace {

/// What ranks compare when they meet.
struct Identity {
  unsigned char artifact[32];
  char version[64];
};

/// What they compare before a run.
struct Readiness {
  uint64_t digest;
  int32_t status;
  int32_t unused;
};

/// Frees an array at the end of a scope.
template <typename T> struct Scratch {
  explicit Scratch(size_t items) : data(allocateArray<T>(items)) {}
  ~Scratch() { free(data); }
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;
  T &operator[](size_t i) { return data[i]; }
  T *data;
};

} // namespace

Ranks::~Ranks() {
  if (flights)
    destroyObject(flights);
}

/// The other ranks wait for what this one cannot do: there is nobody to answer to.
void Ranks::giveUp(const char *message) {
  char text[1200];
  const int length = snprintf(text, sizeof(text), "moe: rank %" PRId64 " of %" PRId64 ": %s\n", number, size, message);
  if (write(STDERR_FILENO, text, size_t(length) < sizeof(text) ? size_t(length) : sizeof(text)) < 0) {
    // Nowhere to say it.
  }
  letOutputPass();
  mpi->abort(mpi->world, 1);
  _exit(1);
}

void Ranks::check(int code, const char *what) {
  if (code == 0)
    return;
  char reason[1024] = "", text[1100];
  int length = 0;
  mpi->errorString(code, reason, &length);
  snprintf(text, sizeof(text), "%s: %.1000s", what, reason);
  giveUp(text);
}

moe_status Ranks::open(int64_t deviceCount, const unsigned char identity[32], const char *version) {
  devices = deviceCount;
  if (devices <= 1 || !isLaunched())
    return MOE_STATUS_OK;
  if (moe_status status = findMpi(&mpi))
    return status;
  int value = 0;
  if (mpi->commDup(mpi->world, &communicator) != 0 || mpi->commSetErrhandler(communicator, mpi->errorsReturn) != 0 ||
      mpi->commRank(communicator, &value) != 0)
    return fail(MOE_STATUS_COMM, "MPI gave no communicator");
  number = value;
  check(mpi->commSize(communicator, &value), "MPI_Comm_size");
  if (value < 1 || devices % value != 0) {
    const int64_t found = value;
    number = 0;
    return fail(MOE_STATUS_COMM, "the model is planned for %" PRId64 " devices: expected a number of ranks that divides it, found %" PRId64, devices, found);
  }
  size = value;
  flights = createObject<Flights>();
  if (!flights)
    return fail(MOE_STATUS_NO_MEMORY, "no memory to meet the other ranks");
  FlightBase base;
  base.mpi = mpi;
  base.communicator = communicator;
  base.ranks = size_t(size);
  base.rank = size_t(number);
  base.owner = this;
  base.giveUp = [](void *self, const char *message) { static_cast<Ranks *>(self)->giveUp(message); };
  base.check = [](void *self, int code, const char *what, size_t peer) {
    char text[80];
    snprintf(text, sizeof(text), "exchange with rank %zu: %s", peer, what);
    static_cast<Ranks *>(self)->check(code, text);
  };
  flights->open(base);
  return compareIdentities(identity, version);
}

moe_status Ranks::compareIdentities(const unsigned char identity[32], const char *version) {
  Scratch<Identity> all{size_t(size)};
  Identity mine = {};
  memcpy(mine.artifact, identity, sizeof(mine.artifact));
  snprintf(mine.version, sizeof(mine.version), "%s", version);
  if (!all.data)
    return fail(MOE_STATUS_NO_MEMORY, "no memory to compare the ranks");
  check(mpi->allgather(&mine, sizeof(mine), mpi->byte, all.data, sizeof(mine), mpi->byte, communicator), "MPI_Allgather");
  for (int64_t r = 1; r < size; ++r) {
    if (memcmp(all[size_t(r)].artifact, all[0].artifact, sizeof(mine.artifact)) != 0)
      return fail(MOE_STATUS_COMM, "rank %" PRId64 " has opened another artifact than rank 0", r);
    if (strcmp(all[size_t(r)].version, all[0].version) != 0)
      return fail(MOE_STATUS_COMM, "rank %" PRId64 " runs the version '%s' of the code, rank 0 '%s'; ask for one by name", r, all[size_t(r)].version,
                  all[0].version);
  }
  return MOE_STATUS_OK;
}

moe_status Ranks::agree(moe_status mine, uint64_t digest) {
  if (!mpi)
    return mine;
  Scratch<Readiness> all{size_t(size)};
  if (!all.data)
    giveUp("no memory to agree on a run");
  const Readiness readiness = {digest, mine, 0};
  check(mpi->allgather(&readiness, sizeof(readiness), mpi->byte, all.data, sizeof(readiness), mpi->byte, communicator), "MPI_Allgather");
  if (mine != MOE_STATUS_OK)
    return mine;
  for (int64_t r = 0; r < size; ++r)
    if (all[size_t(r)].status != MOE_STATUS_OK)
      return fail(MOE_STATUS_COMM, "rank %" PRId64 " cannot run: %s", r, moe_status_name(moe_status(all[size_t(r)].status)));
  for (int64_t r = 1; r < size; ++r)
    if (all[size_t(r)].digest != all[0].digest)
      return fail(MOE_STATUS_COMM, "rank %" PRId64 " has other inputs than rank 0; all ranks take the same", r);
  return MOE_STATUS_OK;
}

intptr_t Ranks::rowType(int64_t rowBytes) {
  for (size_t i = 0; i < numTypes; ++i)
    if (types[i].bytes == rowBytes)
      return types[i].type;
  intptr_t made = 0;
  if (rowBytes > INT32_MAX)
    giveUp("a row has more than 2^31 bytes");
  check(mpi->typeContiguous(int(rowBytes), mpi->byte, &made), "MPI_Type_contiguous");
  check(mpi->typeCommit(&made), "MPI_Type_commit");
  // A width more than there is room for gets a new type each time: no model is known that has so many.
  if (numTypes < sizeof(types) / sizeof(types[0]))
    types[numTypes++] = {rowBytes, made};
  return made;
}

void Ranks::startExchange(const void *from, void *into, const int32_t *send, const int32_t *receive, const int32_t *token, int64_t rowBytes,
                          int64_t perNode) {
  if (size == 1) {
    copyBytes(into, from, size_t(send[0]) * size_t(rowBytes));
    return;
  }
  // Ranks that play several devices may be more than a node's devices make up, or parts of several nodes: then no level is worth a step.
  const int64_t each = devices / size, ranksOfNode = perNode % each == 0 ? perNode / each : 1;
  flights->begin(from, into, send, receive, token, rowBytes, rowType(rowBytes), size_t(ranksOfNode));
}

void Ranks::waitForExchange(const void *into) {
  if (size > 1)
    flights->wait(into);
}

void Ranks::exchange(const void *from, void *into, const int32_t *send, const int32_t *receive, int64_t rowBytes) {
  startExchange(from, into, send, receive, nullptr, rowBytes, 0);
  waitForExchange(into);
}

void Ranks::gatherShares(void *buffer, int64_t rows, int64_t unit, int64_t rowBytes) {
  if (size == 1)
    return;
  const size_t n = size_t(size);
  Scratch<int> lists{2 * n};
  if (!lists.data)
    giveUp("no memory for an exchange");
  int *counts = lists.data, *at = counts + n;
  if (unit < 1)
    unit = 1;
  const int64_t share = (rows / unit + devices - 1) / devices * (devices / size) * unit;
  for (int64_t r = 0; r < size; ++r) {
    const int64_t begin = r * share < rows ? r * share : rows, end = begin + share < rows ? begin + share : rows;
    at[r] = int(begin);
    counts[r] = int(end - begin);
  }
  // Rows of other exchanges may be under way. They move on in here too: MPI sees to all that was posted.
  const Flights::Turn turn(*flights);
  check(mpi->allgatherv(mpi->inPlace, 0, mpi->nullType, buffer, counts, at, rowType(rowBytes), communicator), "MPI_Allgatherv");
}

} // namespace moe::runtime

void moe_rt_exchange(void *ranking, const void *from, void *into, const int32_t *send, const int32_t *receive, int64_t rowBytes) {
  static_cast<moe::runtime::Ranks *>(ranking)->exchange(from, into, send, receive, rowBytes);
}

void moe_rt_exchange_start(void *ranking, const void *from, void *into, const int32_t *send, const int32_t *receive, const int32_t *token,
                           int64_t rowBytes, int64_t perNode) {
  static_cast<moe::runtime::Ranks *>(ranking)->startExchange(from, into, send, receive, token, rowBytes, perNode);
}

void moe_rt_exchange_wait(void *ranking, const void *, void *into, int64_t) { static_cast<moe::runtime::Ranks *>(ranking)->waitForExchange(into); }

void moe_rt_gather_shares(void *ranking, void *buffer, int64_t rows, int64_t unit, int64_t rowBytes) {
  static_cast<moe::runtime::Ranks *>(ranking)->gatherShares(buffer, rows, unit, rowBytes);
}
