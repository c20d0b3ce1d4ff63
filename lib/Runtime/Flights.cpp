// Exchanges step by step. See Flights.h. Two levels: the counts travel first, since a rank passes on rows of which it knows nothing else; then each rank
// sends to the rank of its own place in every node all that is for that node, where it is sorted by place and passed on.
#include "Flights.h"
#include "Memory.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

namespace moe::runtime {

static int64_t sum(const int32_t *values, size_t count) {
  int64_t total = 0;
  for (size_t i = 0; i < count; ++i)
    total += values[i];
  return total;
}

void Flight::post(bool sends, const void *data, int64_t count, intptr_t type, size_t peer, int messageTag) {
  intptr_t request = 0;
  const int code = sends ? base.mpi->isend(data, int(count), type, int(peer), messageTag, base.communicator, &request)
                         : base.mpi->irecv(const_cast<void *>(data), int(count), type, int(peer), messageTag, base.communicator, &request);
  base.check(base.owner, code, sends ? "MPI_Isend" : "MPI_Irecv", peer);
  peers[numRequests] = peer;
  requests[numRequests++] = request;
}

void Flight::begin(const FlightBase &shared, const void *source, void *target, const int32_t *toSend, const int32_t *toReceive,
                   const int32_t *token, int64_t bytes, intptr_t type, size_t ranksOfNode, int firstTag) {
  base = shared;
  from = source;
  into = target;
  rowBytes = bytes;
  rowType = type;
  tag = firstTag;
  const size_t n = base.ranks;
  perNode = ranksOfNode > 1 && ranksOfNode < n ? ranksOfNode : n;
  nodes = n / perNode;
  numRequests = numDone = numCountRequests = 0;
  isChecked = false;
  if (!counts.reserve(5 * n) || !requests.reserve(6 * n) || !peers.reserve(6 * n) || !blocks.reserve(2 * n))
    base.giveUp(base.owner, "no memory for an exchange");
  send = counts.data;
  receive = send + n;
  announced = receive + n;
  passing = announced + n;
  turned = passing + n;
  memcpy(send, toSend, n * sizeof(int32_t));
  memcpy(receive, toReceive, n * sizeof(int32_t));
  leavesOutCopies = nodes > 1 && token;
  if (leavesOutCopies)
    findCopies(token);
  if (nodes > 1)
    beginCounts();
  else
    beginDirect();
}

/// Of the rows that go to one node, the first of each token crosses. Tokens come by rank and expert, so that those of one node are not in order.
void Flight::findCopies(const int32_t *token) {
  const int64_t rows = sum(send, base.ranks);
  int32_t most = -1;
  for (int64_t i = 0; i < rows; ++i)
    most = token[i] > most ? token[i] : most;
  if (!copyOf.reserve(size_t(rows)) || !lastSeen.reserve(2 * size_t(most + 1)) || !crossing.reserve(size_t(rows * rowBytes)) ||
      !crossingCounts.reserve(2 * nodes))
    base.giveUp(base.owner, "no memory for an exchange");
  int32_t *node = lastSeen.data, *number = node + most + 1;
  for (int32_t t = 0; t <= most; ++t)
    node[t] = -1;
  int64_t row = 0, crossed = 0;
  for (size_t m = 0; m < nodes; ++m) {
    int32_t count = 0;
    for (const int64_t end = row + sum(send + m * perNode, perNode); row < end; ++row) {
      const int32_t t = token[row];
      if (node[t] != int32_t(m)) {
        node[t] = int32_t(m);
        number[t] = count++;
        memcpy(at(crossing.data, crossed++), static_cast<const char *>(from) + row * rowBytes, size_t(rowBytes));
      }
      copyOf[size_t(row)] = number[t];
    }
    crossingCounts[m] = count;
  }
}

void Flight::beginDirect() {
  const size_t n = base.ranks, own = base.rank;
  const intptr_t byte = base.mpi->byte;
  step = Node; // What comes next is the end.
  announced[own] = send[own];
  for (size_t i = 1; i < n; ++i) {
    const size_t before = (own + n - i) % n, behind = (own + i) % n;
    post(false, announced + before, sizeof(int32_t), byte, before, tag);
    post(true, send + behind, sizeof(int32_t), byte, behind, tag);
  }
  numCountRequests = numRequests;
  int64_t sendAt = 0, receiveAt = 0, ownSendAt = 0, ownReceiveAt = 0;
  for (size_t r = 0; r < n; ++r) {
    if (r == own) {
      ownSendAt = sendAt;
      ownReceiveAt = receiveAt;
    } else if (receive[r] > 0) {
      post(false, at(into, receiveAt), receive[r], rowType, r, tag + 1);
    }
    sendAt += send[r];
    receiveAt += receive[r];
  }
  // From its neighbour on, so that not all send to one rank first.
  for (size_t i = 1; i < n; ++i) {
    const size_t to = (own + i) % n;
    int64_t begin = 0;
    for (size_t r = 0; r < to; ++r)
      begin += send[r];
    if (send[to] > 0)
      post(true, static_cast<const char *>(from) + begin * rowBytes, send[to], rowType, to, tag + 1);
  }
  const int64_t rows = send[own] < receive[own] ? send[own] : receive[own];
  copyBytes(at(into, ownReceiveAt), static_cast<const char *>(from) + ownSendAt * rowBytes, size_t(rows * rowBytes));
}

void Flight::beginCounts() {
  step = Counts;
  const size_t node = base.rank / perNode, place = base.rank % perNode, bytes = perNode * sizeof(int32_t);
  memcpy(passing + node * perNode, send + node * perNode, bytes);
  for (size_t i = 1; i < nodes; ++i) {
    const size_t before = (node + nodes - i) % nodes, behind = (node + i) % nodes;
    post(false, passing + before * perNode, int64_t(bytes), base.mpi->byte, rankOf(before, place), tag);
    post(true, send + behind * perNode, int64_t(bytes), base.mpi->byte, rankOf(behind, place), tag);
    if (leavesOutCopies) {
      post(false, &crossingCounts[nodes + before], sizeof(int32_t), base.mpi->byte, rankOf(before, place), tag + 4);
      post(true, &crossingCounts[behind], sizeof(int32_t), base.mpi->byte, rankOf(behind, place), tag + 4);
    }
  }
  if (leavesOutCopies)
    crossingCounts[nodes + node] = crossingCounts[node];
}

void Flight::crossNetwork() {
  step = Network;
  const size_t node = base.rank / perNode, place = base.rank % perNode;
  // The rest of the counts, to be compared: who sends how much to this rank, by place and then node.
  for (size_t p = 0; p < perNode; ++p)
    for (size_t m = 0; m < nodes; ++m)
      turned[p * nodes + m] = passing[m * perNode + p];
  memcpy(announced + place * nodes, turned + place * nodes, nodes * sizeof(int32_t));
  for (size_t i = 1; i < perNode; ++i) {
    const size_t before = (place + perNode - i) % perNode, behind = (place + i) % perNode;
    post(false, announced + before * nodes, int64_t(nodes * sizeof(int32_t)), base.mpi->byte, rankOf(node, before), tag + 1);
    post(true, turned + behind * nodes, int64_t(nodes * sizeof(int32_t)), base.mpi->byte, rankOf(node, behind), tag + 1);
  }
  if (leavesOutCopies)
    crossOnce();
  else
    crossAll();
}

/// Sends a block to the rank of this place in every node and receives theirs; what stays is copied. `out` and `in` say the items of each node.
void Flight::crossWith(const void *blocks, void *space, int64_t bytes, intptr_t type, int messageTag, const int64_t *out, const int64_t *in) {
  const size_t node = base.rank / perNode, place = base.rank % perNode;
  int64_t sendAt = 0, spaceAt = 0;
  for (size_t m = 0; m < nodes; ++m) {
    const char *block = static_cast<const char *>(blocks) + sendAt * bytes;
    char *target = static_cast<char *>(space) + spaceAt * bytes;
    if (m == node) {
      copyBytes(target, block, size_t(out[m] * bytes));
    } else {
      if (in[m] > 0)
        post(false, target, in[m], type, rankOf(m, place), messageTag);
      if (out[m] > 0)
        post(true, block, out[m], type, rankOf(m, place), messageTag);
    }
    sendAt += out[m];
    spaceAt += in[m];
  }
}

void Flight::crossAll() {
  for (size_t m = 0; m < nodes; ++m) {
    blocks[m] = sum(send + m * perNode, perNode);
    blocks[nodes + m] = sum(passing + m * perNode, perNode);
  }
  const int64_t through = sum(passing, base.ranks);
  if (!hop.reserve(size_t(through * rowBytes)) && through)
    base.giveUp(base.owner, "no memory for an exchange");
  crossWith(from, hop.data, rowBytes, rowType, tag + 2, &blocks[0], &blocks[nodes]);
}

/// Rows that differ, and which of them each row is.
void Flight::crossOnce() {
  const int64_t through = sum(passing, base.ranks), rows = sum(&crossingCounts[nodes], nodes);
  if ((!hop.reserve(size_t(rows * rowBytes)) && rows) || (!copyOfHop.reserve(size_t(through)) && through))
    base.giveUp(base.owner, "no memory for an exchange");
  for (size_t m = 0; m < 2 * nodes; ++m)
    blocks[m] = crossingCounts[m];
  crossWith(crossing.data, hop.data, rowBytes, rowType, tag + 2, &blocks[0], &blocks[nodes]);
  for (size_t m = 0; m < nodes; ++m) {
    blocks[m] = sum(send + m * perNode, perNode) * int64_t(sizeof(int32_t));
    blocks[nodes + m] = sum(passing + m * perNode, perNode) * int64_t(sizeof(int32_t));
  }
  crossWith(copyOf.data, copyOfHop.data, 1, base.mpi->byte, tag + 5, &blocks[0], &blocks[nodes]);
}

/// Rows of [node][place], of which `hop` has those that differ, in the order of [place][node].
void Flight::copyInNode() {
  char *target = sorted.data;
  for (size_t p = 0; p < perNode; ++p) {
    int64_t row = 0, firstOfNode = 0;
    for (size_t m = 0; m < nodes; ++m) {
      row += sum(passing + m * perNode, p);
      for (const int64_t end = row + passing[m * perNode + p]; row < end; ++row) {
        memcpy(target, at(hop.data, firstOfNode + copyOfHop[size_t(row)]), size_t(rowBytes));
        target += rowBytes;
      }
      row += sum(passing + m * perNode + p + 1, perNode - p - 1);
      firstOfNode += crossingCounts[nodes + m];
    }
  }
}

/// Blocks of rows in another order: `from` is [outer][inner], `into` [inner][outer]; `sizes` as `from`.
static void transposeBlocks(const char *from, char *into, const int32_t *sizes, size_t outer, size_t inner, int64_t rowBytes) {
  for (size_t j = 0; j < inner; ++j) {
    int64_t begin = sum(sizes, j);
    for (size_t i = 0; i < outer; ++i) {
      const size_t bytes = size_t(sizes[i * inner + j] * rowBytes);
      copyBytes(into, from + begin * rowBytes, bytes);
      into += bytes;
      if (i + 1 < outer)
        begin += sum(sizes + i * inner + j, inner);
    }
  }
}

void Flight::spreadInNode() {
  step = Node;
  const size_t node = base.rank / perNode, place = base.rank % perNode;
  const int64_t through = sum(passing, base.ranks), coming = sum(receive, base.ranks);
  if (!sorted.reserve(size_t(through * rowBytes)) && through)
    base.giveUp(base.owner, "no memory for an exchange");
  if (leavesOutCopies)
    copyInNode();
  else
    transposeBlocks(hop.data, sorted.data, passing, nodes, perNode, rowBytes);
  if (!hop.reserve(size_t(coming * rowBytes)) && coming)
    base.giveUp(base.owner, "no memory for an exchange");
  int64_t sendAt = 0, hopAt = 0;
  for (size_t p = 0; p < perNode; ++p) {
    const int64_t out = sum(turned + p * nodes, nodes), in = sum(announced + p * nodes, nodes);
    if (p == place) {
      copyBytes(at(hop.data, hopAt), at(sorted.data, sendAt), size_t(out * rowBytes));
    } else {
      if (in > 0)
        post(false, at(hop.data, hopAt), in, rowType, rankOf(node, p), tag + 3);
      if (out > 0)
        post(true, at(sorted.data, sendAt), out, rowType, rankOf(node, p), tag + 3);
    }
    sendAt += out;
    hopAt += in;
  }
}

/// `announced` is [place][node] after two levels, [rank] after one.
void Flight::checkCounts() {
  isChecked = true;
  for (size_t r = 0; r < base.ranks; ++r) {
    const int32_t found = nodes > 1 ? announced[r % perNode * nodes + r / perNode] : announced[r];
    if (found == receive[r])
      continue;
    char text[160];
    snprintf(text, sizeof(text), "expected %" PRId32 " rows from rank %zu, which sends %" PRId32 ": their tokens chose other experts there", receive[r], r,
             found);
    base.giveUp(base.owner, text);
  }
}

void Flight::land() {
  if (nodes > 1)
    transposeBlocks(hop.data, static_cast<char *>(into), announced, perNode, nodes, rowBytes);
  step = Over;
}

bool Flight::advance() {
  while (step != Over) {
    for (; numDone < numRequests; ++numDone) {
      if (nodes == 1 && !isChecked && numDone == numCountRequests)
        checkCounts();
      alignas(16) char status[256];
      int isDone = 0;
      base.check(base.owner, base.mpi->test(&requests[numDone], &isDone, status), "MPI_Test", peers[numDone]);
      if (!isDone)
        return false;
    }
    numRequests = numDone = 0;
    if (step == Counts) {
      crossNetwork();
    } else if (step == Network) {
      checkCounts();
      spreadInNode();
    } else {
      if (!isChecked)
        checkCounts();
      land();
    }
  }
  return true;
}

//===-- All that are under way ----------------------------------------------===//

Flight *Flights::take() {
  for (size_t i = 0; i < numFlights; ++i)
    if (flights[i]->isFree())
      return flights[i];
  if (numFlights == most)
    base.giveUp(base.owner, "more exchanges are under way than there is room for");
  Flight *made = createObject<Flight>();
  if (!made)
    base.giveUp(base.owner, "no memory for an exchange");
  return flights[numFlights++] = made;
}

void Flights::advanceAll() {
  underWay = 0;
  for (size_t i = 0; i < numFlights; ++i)
    underWay += !flights[i]->advance();
}

bool Flights::anyLandsIn(const void *buffer) const {
  for (size_t i = 0; i < numFlights; ++i)
    if (flights[i]->landsIn(buffer))
      return true;
  return false;
}

/// The thread that asks. It leaves the word to thread 0 where that waits.
void *Flights::helpAlong(void *argument) {
  Flights &self = *static_cast<Flights *>(argument);
  const timespec pause = {0, 30 * 1000};
  pthread_mutex_lock(&self.mutex);
  while (!self.isClosing) {
    if (self.underWay == 0 || self.isAwaited) {
      pthread_cond_wait(&self.changed, &self.mutex);
      continue;
    }
    self.advanceAll();
    pthread_mutex_unlock(&self.mutex);
    nanosleep(&pause, nullptr);
    pthread_mutex_lock(&self.mutex);
  }
  pthread_mutex_unlock(&self.mutex);
  return nullptr;
}

/// Without a helper rows move while thread 0 waits.
void Flights::startHelper() {
  if (hasHelper || !base.mpi->takesTurns)
    return;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  hasHelper = pthread_create(&helper, nullptr, helpAlong, this) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Flights::~Flights() {
  if (hasHelper) {
    pthread_mutex_lock(&mutex);
    isClosing = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
    pthread_join(helper, nullptr);
  }
  for (size_t i = 0; i < numFlights; ++i)
    destroyObject(flights[i]);
}

void Flights::begin(const void *from, void *into, const int32_t *send, const int32_t *receive, const int32_t *token, int64_t rowBytes,
                    intptr_t rowType, size_t perNode) {
  startHelper();
  pthread_mutex_lock(&mutex);
  // Every communicator allows tags up to 32767.
  take()->begin(base, from, into, send, receive, token, rowBytes, rowType, perNode, int(begun++ % 4000) * 8);
  ++underWay;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&mutex);
}

void Flights::wait(const void *into) {
  pthread_mutex_lock(&mutex);
  isAwaited = true;
  for (int round = 0; anyLandsIn(into); ++round) {
    advanceAll();
    if (round < 100)
      continue;
    pthread_mutex_unlock(&mutex);
    sched_yield();
    pthread_mutex_lock(&mutex);
  }
  isAwaited = false;
  if (underWay)
    pthread_cond_signal(&changed);
  pthread_mutex_unlock(&mutex);
}

} // namespace moe::runtime
