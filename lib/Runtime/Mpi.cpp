// Finds MPI at run time. The order, and that a launcher decides whether it is needed at all, are said in Mpi.h.
#include "moe/Runtime/Mpi.h"
#include "moe/Runtime/Error.h"

#include <dlfcn.h>
#include <initializer_list>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <type_traits>
#include <unistd.h>

namespace moe::runtime {
namespace {

Mpi table;
bool isReady = false;

/// Numbers that a standard or a project has promised not to change.
struct Handles {
  intptr_t world, byte, errorsReturn, nullType, inPlace;
  int threadSerialized;
};
/// MPI 5.0, appendix A; the ABI that MPICH and its relatives have kept since 2013.
constexpr Handles standardHandles = {0x101, 0x247, 0x143, 0x200, 1, 2048};
constexpr Handles mpichHandles = {0x44000000, 0x4c00010d, 0x54000001, 0x0c000000, -1, 2};

void useHandles(const Handles &handles) {
  table.world = handles.world;
  table.byte = handles.byte;
  table.errorsReturn = handles.errorsReturn;
  table.nullType = handles.nullType;
  table.inPlace = reinterpret_cast<void *>(handles.inPlace);
  table.threadSerialized = handles.threadSerialized;
}

/// Open MPI's handles are addresses of objects that it exports.
bool useOpenMpi(void *library) {
  auto address = [&](const char *name) { return reinterpret_cast<intptr_t>(dlsym(library, name)); };
  useHandles({address("ompi_mpi_comm_world"), address("ompi_mpi_byte"), address("ompi_mpi_errors_return"), address("ompi_mpi_datatype_null"), 1, 2});
  return table.world && table.byte && table.errorsReturn;
}

/// Fills the functions; false where one is missing.
bool takeFunctions(void *library) {
  auto find = [&](auto &function, const char *name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    return function != nullptr;
  };
  return find(table.initialized, "MPI_Initialized") && find(table.finalized, "MPI_Finalized") && find(table.initThread, "MPI_Init_thread") &&
         find(table.finalize, "MPI_Finalize") && find(table.abort, "MPI_Abort") && find(table.getLibraryVersion, "MPI_Get_library_version") &&
         find(table.errorString, "MPI_Error_string") && find(table.commDup, "MPI_Comm_dup") && find(table.commRank, "MPI_Comm_rank") &&
         find(table.commSize, "MPI_Comm_size") && find(table.commSetErrhandler, "MPI_Comm_set_errhandler") &&
         find(table.typeContiguous, "MPI_Type_contiguous") && find(table.typeCommit, "MPI_Type_commit") && find(table.allgather, "MPI_Allgather") &&
         find(table.allgatherv, "MPI_Allgatherv") && find(table.isend, "MPI_Isend") && find(table.irecv, "MPI_Irecv") &&
         find(table.test, "MPI_Test") && find(table.queryThread, "MPI_Query_thread");
}

/// Tells the three ABIs apart: the standard one by the name of its library, the others by what they say of themselves.
bool takeHandles(void *library) {
  Dl_info origin;
  if (dladdr(reinterpret_cast<void *>(table.initThread), &origin) != 0 && origin.dli_fname && strstr(origin.dli_fname, "libmpi_abi")) {
    useHandles(standardHandles);
    return true;
  }
  static char text[8192 + 1]; // As long as any library says that it can be.
  int length = 0;
  table.getLibraryVersion(text, &length);
  if (strstr(text, "Open MPI"))
    return useOpenMpi(library);
  if (!strstr(text, "MPICH") && !strstr(text, "MVAPICH") && !strstr(text, "Intel"))
    return false;
  useHandles(mpichHandles);
  return true;
}

constexpr const char *libraryNames[] = {"libmpi_abi.so.1", "libmpi_abi.so.0", "libmpi_abi.so", "libmpi.so.12", "libmpi.so.40", "libmpi.so"};

/// A library of one of the names in the folder `lib` beside the folder that the mpiexec of $PATH is in.
void *openBesideLauncher() {
  const char *path = getenv("PATH");
  while (path && *path) {
    const size_t length = strcspn(path, ":");
    char file[PATH_MAX];
    if (snprintf(file, sizeof(file), "%.*s/mpiexec", int(length), path) < int(sizeof(file)) && access(file, X_OK) == 0)
      for (const char *name : libraryNames)
        if (snprintf(file, sizeof(file), "%.*s/../lib/%s", int(length), path, name) < int(sizeof(file)))
          if (void *library = dlopen(file, RTLD_NOW | RTLD_GLOBAL))
            return library;
    path += length + (path[length] == ':');
  }
  return nullptr;
}

/// The library, or null with an error.
void *openLibrary() {
  if (const char *given = getenv("MOE_MPI_LIB"); given && *given) {
    void *library = dlopen(given, RTLD_NOW | RTLD_GLOBAL);
    if (!library)
      fail(MOE_STATUS_COMM, "MOE_MPI_LIB: %s", dlerror());
    return library;
  }
  if (dlsym(RTLD_DEFAULT, "MPI_Init_thread"))
    return dlopen(nullptr, RTLD_NOW);
  for (const char *name : libraryNames)
    if (void *library = dlopen(name, RTLD_NOW | RTLD_GLOBAL))
      return library;
  if (void *library = openBesideLauncher())
    return library;
  fail(MOE_STATUS_COMM, "a launcher has started this process as one of several, but no MPI library was found; set MOE_MPI_LIB to its libmpi.so");
  return nullptr;
}

/// At exit. Whoever fails takes the others along: they would wait for it.
void endMpi(int status, void *) {
  int done = 1;
  if (table.finalized(&done) != 0 || done)
    return;
  if (status != 0) {
    letOutputPass();
    table.abort(table.world, status);
  }
  table.finalize();
}

/// Code that runs at exit must not be unloaded before.
void pinLibrary() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void *>(&endMpi), &self) != 0 && self.dli_fname)
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

moe_status initialise() {
  int done = 0;
  if (table.finalized(&done) == 0 && done)
    return fail(MOE_STATUS_COMM, "MPI was finalised before the model was opened");
  int provided = 0;
  if (table.initialized(&done) == 0 && done) {
    table.takesTurns = table.queryThread(&provided) == 0 && provided >= table.threadSerialized;
    return MOE_STATUS_OK;
  }
  const int failed = table.initThread(nullptr, nullptr, table.threadSerialized, &provided);
  table.takesTurns = provided >= table.threadSerialized;
  if (failed)
    return fail(MOE_STATUS_COMM, "MPI_Init_thread failed");
  pinLibrary();
  on_exit(endMpi, nullptr);
  return MOE_STATUS_OK;
}

} // namespace

bool isLaunched() {
  // Hydra and Slurm, PMIx, Open MPI.
  for (const char *name : {"PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_SIZE"})
    if (const char *value = getenv(name); value && *value)
      return strcmp(value, "1") != 0;
  if (getenv("PMIX_RANK"))
    return true;
  int (*initialized)(int *) = reinterpret_cast<int (*)(int *)>(dlsym(RTLD_DEFAULT, "MPI_Initialized"));
  int flag = 0;
  return initialized && initialized(&flag) == 0 && flag;
}

bool othersWait() {
  int (*initialized)(int *) = reinterpret_cast<int (*)(int *)>(dlsym(RTLD_DEFAULT, "MPI_Initialized"));
  int flag = 0;
  return isLaunched() && !(initialized && initialized(&flag) == 0 && flag);
}

void letOutputPass() {
  const timespec pause = {0, 300 * 1000 * 1000};
  nanosleep(&pause, nullptr);
}

moe_status findMpi(const Mpi **mpi) {
  if (!isReady) {
    void *library = openLibrary();
    if (!library)
      return MOE_STATUS_COMM;
    if (!takeFunctions(library))
      return fail(MOE_STATUS_COMM, "the MPI library lacks a function: %s", dlerror());
    if (!takeHandles(library))
      return fail(MOE_STATUS_COMM, "expected an MPI library with the standard ABI, MPICH's or Open MPI's, found another; set MOE_MPI_LIB");
    if (moe_status status = initialise())
      return status;
    isReady = true;
  }
  *mpi = &table;
  return MOE_STATUS_OK;
}

} // namespace moe::runtime
