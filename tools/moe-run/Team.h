// The processes that mpiexec started together, on a communicator of their own.
#ifndef MOE_RUN_TEAM_H
#define MOE_RUN_TEAM_H

#include "Failure.h"
#include "moe/Runtime/Error.h"
#include "moe/Runtime/Mpi.h"

#include <algorithm>
#include <string>
#include <vector>

namespace moe::run {

/// Throws Failure where MPI is not found or answers with an error.
class Team {
public:
  Team() {
    if (runtime::findMpi(&mpi) != MOE_STATUS_OK)
      throw Failure(runtime::lastError());
    check(mpi->commDup(mpi->world, &communicator), "MPI_Comm_dup");
    check(mpi->commRank(communicator, &rank), "MPI_Comm_rank");
    check(mpi->commSize(communicator, &ranks), "MPI_Comm_size");
  }

  /// The values of all ranks; also the place where they meet.
  template <typename T> std::vector<T> gather(const T &mine) {
    std::vector<T> all(static_cast<size_t>(ranks));
    check(mpi->allgather(&mine, int(sizeof(T)), mpi->byte, all.data(), int(sizeof(T)), mpi->byte, communicator), "MPI_Allgather");
    return all;
  }
  /// The bytes of all ranks, as many of each, one rank's after the other's.
  std::vector<unsigned char> gatherBytes(const std::vector<unsigned char> &mine) {
    constexpr size_t most = 64 << 20; // MPI counts in int, and all ranks' arrive at once.
    std::vector<unsigned char> all(mine.size() * size_t(ranks)), piece;
    for (size_t begin = 0; begin < mine.size(); begin += most) {
      const size_t bytes = std::min(most, mine.size() - begin);
      piece.resize(bytes * size_t(ranks));
      check(mpi->allgather(mine.data() + begin, int(bytes), mpi->byte, piece.data(), int(bytes), mpi->byte, communicator), "MPI_Allgather");
      for (size_t r = 0; r < size_t(ranks); ++r)
        std::copy_n(piece.begin() + std::ptrdiff_t(r * bytes), bytes, all.begin() + std::ptrdiff_t(r * mine.size() + begin));
    }
    return all;
  }
  double largest(double mine) {
    const std::vector<double> all = gather(mine);
    return *std::max_element(all.begin(), all.end());
  }

  /// Sends `bytes` to each of `to` and receives as many from each of `from`.
  void exchange(const std::vector<int> &to, const std::vector<int> &from, int bytes) {
    out.resize(std::max(out.size(), to.size() * size_t(bytes)));
    in.resize(std::max(in.size(), from.size() * size_t(bytes)));
    requests.clear();
    for (size_t i = 0; i < from.size(); ++i)
      check(mpi->irecv(in.data() + i * size_t(bytes), bytes, mpi->byte, from[i], 0, communicator, &requests.emplace_back()), "MPI_Irecv");
    for (size_t i = 0; i < to.size(); ++i)
      check(mpi->isend(out.data() + i * size_t(bytes), bytes, mpi->byte, to[i], 0, communicator, &requests.emplace_back()), "MPI_Isend");
    alignas(16) unsigned char status[128]; // Room for any library's.
    for (runtime::Mpi::Handle &request : requests)
      for (int done = 0; !done;)
        check(mpi->test(&request, &done, status), "MPI_Test");
  }

  int rank = 0, ranks = 1;

private:
  void check(int code, const char *what) const {
    if (code != 0)
      throw Failure(std::string(what) + " failed");
  }

  const runtime::Mpi *mpi = nullptr;
  runtime::Mpi::Handle communicator = 0;
  std::vector<runtime::Mpi::Handle> requests;
  std::vector<unsigned char> out, in;
};

} // namespace moe::run

#endif // MOE_RUN_TEAM_H
