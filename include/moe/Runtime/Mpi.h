//===- Mpi.h - an MPI library that is found when a model is loaded -*- C++ -*-===//
// model.so is linked with no MPI, so that an artifact runs without one and with any. Handles are what the library at hand uses: numbers in MPICH's
// ABI (MPICH, Intel MPI, MVAPICH), addresses in Open MPI's, and numbers in the standard ABI of MPI 5. All fit an intptr_t and travel in one register.
#ifndef MOE_RUNTIME_MPI_H
#define MOE_RUNTIME_MPI_H

#include "moe/Runtime/moe_model.h"

namespace moe::runtime {

/// The functions of MPI that are used, and the handles that they take.
struct Mpi {
  using Handle = intptr_t;

  int (*initialized)(int *flag);
  int (*finalized)(int *flag);
  int (*initThread)(int *argc, char ***argv, int required, int *provided);
  int (*finalize)();
  int (*abort)(Handle communicator, int code);
  int (*getLibraryVersion)(char *text, int *length);
  int (*errorString)(int code, char *text, int *length);
  int (*commDup)(Handle communicator, Handle *copy);
  int (*commRank)(Handle communicator, int *rank);
  int (*commSize)(Handle communicator, int *size);
  int (*commSetErrhandler)(Handle communicator, Handle handler);
  int (*typeContiguous)(int count, Handle type, Handle *made);
  int (*typeCommit)(Handle *type);
  int (*allgather)(const void *, int, Handle, void *, int, Handle, Handle communicator);
  int (*allgatherv)(const void *, int, Handle, void *, const int *, const int *, Handle, Handle communicator);
  int (*isend)(const void *, int count, Handle type, int to, int tag, Handle communicator, Handle *request);
  int (*irecv)(void *, int count, Handle type, int from, int tag, Handle communicator, Handle *request);
  int (*test)(Handle *request, int *isDone, void *status);
  int (*queryThread)(int *provided);

  Handle world, byte, errorsReturn, nullType;
  void *inPlace;
  int threadSerialized;
  bool takesTurns; ///< Threads may call it in turn.
};

/// True if an MPI launcher has started this process as one of several, or the process uses MPI already.
bool isLaunched();

/// True if others wait for this process to meet them, which it has not yet: ending with an exit status would leave them waiting, since launchers take
/// that for a program without MPI. Ending by a signal does not.
bool othersWait();

/// To be called between the reason that a process gives for ending the ranks and its end: a launcher that hears of the end first may drop what it has
/// not read yet.
void letOutputPass();

/// The MPI of this process, initialised (and finalised at exit) where nobody else has: $MOE_MPI_LIB, else one that is loaded already, else libmpi_abi.so, then
/// MPICH's and Open MPI's libmpi.so, where the loader finds them or beside the mpiexec of $PATH. MOE_STATUS_COMM where there is none that is known.
/// A process that ends with an exit status other than 0 ends all ranks.
moe_status findMpi(const Mpi **mpi);

} // namespace moe::runtime

#endif // MOE_RUNTIME_MPI_H
