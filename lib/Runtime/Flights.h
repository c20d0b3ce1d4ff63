//===- Flights.h - exchanges that have begun ----------------------*- C++ -*-===//
// An exchange is messages between pairs of ranks, posted when it begins and completed when somebody asks for it. MPI moves large messages only while
// a process is inside of one of its functions, so a thread of ours asks now and then while the others compute. It runs only where several ranks do, where MPI
// allows calls from more than one thread (never at once), and while something is under way.
#ifndef MOE_LIB_RUNTIME_FLIGHTS_H
#define MOE_LIB_RUNTIME_FLIGHTS_H

#include "Memory.h"
#include "moe/Runtime/Mpi.h"

#include <pthread.h>
#include <stddef.h>

namespace moe::runtime {

/// Room that grows and is used again.
template <typename T> struct Room {
  Room() = default;
  Room(const Room &) = delete;
  Room &operator=(const Room &) = delete;
  ~Room() { free(data); }

  /// At least `items`, with unknown contents; false without memory.
  bool reserve(size_t items) {
    if (items <= size)
      return true;
    free(data);
    data = static_cast<T *>(malloc(items * sizeof(T)));
    size = data ? items : 0;
    return data != nullptr;
  }
  T &operator[](size_t i) { return data[i]; }

  T *data = nullptr;
  size_t size = 0;
};

/// What all exchanges of a model have in common, and how to end when one fails.
struct FlightBase {
  const Mpi *mpi = nullptr;
  intptr_t communicator = 0;
  size_t ranks = 1, rank = 0;
  void *owner = nullptr;
  void (*giveUp)(void *owner, const char *message) = nullptr; ///< Does not return.
  void (*check)(void *owner, int code, const char *what, size_t peer) = nullptr;
};

/// One exchange: on two levels with more than one rank in a node and more than one node, else direct.
class Flight {
public:
  /// Posts what can be posted. `perNode` ranks are a node; it divides their number. `tag` is the first of eight. Rows of one number in `token`, null
  /// where that is not known, are equal; on two levels one of them crosses the network to a node.
  void begin(const FlightBase &base, const void *from, void *into, const int32_t *send, const int32_t *receive, const int32_t *token,
             int64_t rowBytes, intptr_t rowType, size_t perNode, int tag);
  /// Goes on as far as what has come allows; true when all is done.
  bool advance();

  bool isFree() const { return step == Over; }
  bool landsIn(const void *buffer) const { return step != Over && into == buffer; }

private:
  enum Step { Counts, Network, Node, Over };

  void beginDirect();
  void beginCounts();
  void findCopies(const int32_t *token);
  void crossNetwork();
  void crossAll();
  void crossOnce();
  void crossWith(const void *blocks, void *space, int64_t bytes, intptr_t type, int tag, const int64_t *out, const int64_t *in);
  void copyInNode();
  void spreadInNode();
  void land();
  void checkCounts();
  void post(bool sends, const void *data, int64_t count, intptr_t type, size_t peer, int tag);
  size_t rankOf(size_t node, size_t place) const { return node * perNode + place; }
  char *at(void *buffer, int64_t row) const { return static_cast<char *>(buffer) + row * rowBytes; }

  FlightBase base;
  const void *from = nullptr;
  void *into = nullptr;
  int64_t rowBytes = 0;
  intptr_t rowType = 0;
  size_t perNode = 1, nodes = 1;
  int tag = 0;
  Step step = Over;
  bool isChecked = false;
  Room<int32_t> counts;   ///< [5][ranks], see below.
  Room<intptr_t> requests;
  Room<int64_t> blocks;
  Room<size_t> peers; ///< The rank at the other end of each.
  size_t numRequests = 0, numDone = 0, numCountRequests = 0;
  Room<char> hop, sorted; ///< Rows of two levels between the steps.
  /// Where rows cross once for a node: the number, among the rows that cross to that node, of each row that is sent there; the rows that cross, one behind the
  /// other; and what came of the former.
  Room<int32_t> copyOf, copyOfHop, lastSeen;
  Room<char> crossing;
  Room<int32_t> crossingCounts; ///< [2][node]: rows that cross to a node, and from it.
  bool leavesOutCopies = false;
  int32_t *send = nullptr, *receive = nullptr;
  int32_t *announced = nullptr; ///< What others say they send to this rank.
  int32_t *passing = nullptr;   ///< [node][place]: rows from this rank's place in each node to each place in this node.
  int32_t *turned = nullptr;    ///< [place][node]: the same, transposed.
};

/// The exchanges of a model that are under way. Begun and awaited by thread 0.
class Flights {
public:
  Flights() = default;
  ~Flights();
  Flights(const Flights &) = delete;
  Flights &operator=(const Flights &) = delete;

  void open(const FlightBase &shared) { base = shared; }
  void begin(const void *from, void *into, const int32_t *send, const int32_t *receive, const int32_t *token, int64_t rowBytes, intptr_t rowType,
             size_t perNode);
  void wait(const void *into);

  /// While one lives, no other thread of ours calls MPI: for calls that are no exchange.
  class Turn {
  public:
    explicit Turn(Flights &flights) : mutex(flights.mutex) { pthread_mutex_lock(&mutex); }
    ~Turn() { pthread_mutex_unlock(&mutex); }
    Turn(const Turn &) = delete;
    Turn &operator=(const Turn &) = delete;

  private:
    pthread_mutex_t &mutex;
  };

private:
  static void *helpAlong(void *flights);
  static constexpr size_t most = 64;

  Flight *take();
  void advanceAll();
  bool anyLandsIn(const void *buffer) const;
  void startHelper();

  FlightBase base;
  Flight *flights[most] = {};
  size_t numFlights = 0;
  uint64_t begun = 0;
  pthread_t helper = {};
  bool hasHelper = false, isClosing = false, isAwaited = false;
  size_t underWay = 0;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; ///< Held around every call of MPI while something is under way.
  pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
};

} // namespace moe::runtime

#endif // MOE_LIB_RUNTIME_FLIGHTS_H
