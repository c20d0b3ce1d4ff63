//===- Abi.h - what lowered kernels call and describe -------------------*- C++ -*-===//
// The contract between moe-cuda-to-simt, which writes calls and tables of these, and libmoe_simt. Plain C, no LLVM. Every function but
// moe_simt_register may be called by a simulated thread only. `site` is the place in the source ("file:line:column op"), a string that lives as
// long as the module; equal pointers mean the same operation. What a thread does wrong ends the launch; such a call does not return.
#ifndef MOE_CODEGEN_CUDA_SIMT_ABI_H
#define MOE_CODEGEN_CUDA_SIMT_ABI_H

#include <stdint.h>

extern "C" {

/// A variable in shared memory. The executor gives it its offset at launch; dynamic shared memory has size 0 and stands behind the others.
struct SimtShared {
  const char *name;
  uint64_t size;
  uint64_t alignment;
  uint64_t offset;
};

/// One kernel. `run` reads each parameter at the address in its array, as cuLaunchKernel does.
struct SimtKernel {
  const char *name;
  void (*run)(void **parameters);
  SimtShared *const *shared;
  uint64_t sharedCount;
  const uint64_t *parameterSizes;
  uint64_t parameterCount;
  /// nvvm.maxntid, its product; 0 where the kernel does not say.
  uint64_t maximumThreads;
};

/// A variable in global or constant memory that belongs to the module.
struct SimtGlobal {
  const char *name;
  void *address;
  uint64_t size;
};

struct SimtModule {
  uint64_t version;
  const SimtKernel *kernels;
  uint64_t kernelCount;
  const SimtGlobal *globals;
  uint64_t globalCount;
};

enum { simtAbiVersion = 1 };

/// Called by a constructor of the module's object. The newest module with a kernel of some name is the one that is found.
void moe_simt_register(const SimtModule *module);

/// Special registers; the numbers of SimtRegister.
enum SimtRegister : uint32_t {
  simtTidX, simtTidY, simtTidZ, simtNtidX, simtNtidY, simtNtidZ, simtCtaidX, simtCtaidY, simtCtaidZ, simtNctaidX, simtNctaidY, simtNctaidZ,
  simtLaneId, simtWarpSize, simtWarpId, simtNwarpId, simtSmId, simtNsmId, simtLaneMaskEq, simtLaneMaskLe, simtLaneMaskLt, simtLaneMaskGe,
  simtLaneMaskGt, simtTotalShared, simtDynamicShared
};
uint32_t simt_register(uint32_t which);
/// Where a shared variable lies in this thread's block.
char *simt_shared(const SimtShared *variable);

/// What an access does; acquire and release are added to an atomic, compare to an exchange that may fail and be tried again.
enum SimtAccess : uint32_t {
  simtRead = 0, simtWrite = 1, simtAtomic = 2, simtAtomicRead = 3, simtAtomicWrite = 4, simtAcquire = 8, simtRelease = 16, simtCompare = 32
};
/// Before each access to memory. `alignment` is what the access claims; `space` is the address space of its pointer (0 generic, 1 global,
/// 3 shared, 4 constant).
void simt_check(void *address, uint64_t size, uint32_t alignment, uint32_t access, uint32_t space, const char *site);
/// memory.barrier; scope 0 block, 1 cluster, 2 device, 3 system.
void simt_fence(uint32_t scope);

/// bar.sync; count 0: all threads of the block.
void simt_barrier(uint32_t id, uint32_t count, const char *site);
/// operation 0 popc, 1 and, 2 or.
uint32_t simt_barrier_reduce(uint32_t id, uint32_t count, uint32_t operation, uint32_t predicate, const char *site);
void simt_barrier_arrive(uint32_t id, uint32_t count, const char *site);
void simt_warp_sync(uint32_t mask, const char *site);
/// kind 0 bfly, 1 up, 2 down, 3 idx. The value, and in bit 32 whether its lane was in range.
uint64_t simt_shuffle(uint32_t mask, uint32_t value, uint32_t offset, uint32_t clamp, uint32_t kind, const char *site);
/// kind 0 any, 1 all, 2 ballot, 3 uni.
uint32_t simt_vote(uint32_t mask, uint32_t predicate, uint32_t kind, const char *site);
/// kind 0 any, 1 all. The mask, and in bit 32 the predicate of `all`.
uint64_t simt_match(uint32_t mask, uint64_t value, uint32_t kind, const char *site);
/// kind as nvvm's: 1 add, 2 and, 3 max, 4 min, 5 or, 6 umax, 7 umin, 8 xor, 9 fmin, 10 fmax. flags: 1 abs, 2 nan.
uint32_t simt_redux(uint32_t mask, uint32_t value, uint32_t kind, uint32_t flags, const char *site);
uint32_t simt_elect(uint32_t mask, const char *site);

/// `count` (1, 2, 4) matrices of 8x8 16-bit elements; `registers` gets or holds one 32-bit word for each.
void simt_ldmatrix(void *row, uint32_t count, uint32_t transposed, uint32_t *registers, const char *site);
void simt_stmatrix(void *row, uint32_t count, uint32_t transposed, const uint32_t *registers, const char *site);

/// Element types of a product, with nvvm's numbers.
enum SimtType : uint32_t { simtF16 = 0, simtF32 = 1, simtTF32 = 2, simtU8 = 3, simtS8 = 4, simtS32 = 5, simtBF16 = 9, simtE4M3 = 11, simtE5M2 = 12 };
/// mma.sync. Packed in `shape`: m, n, k in bits 0, 8, 16; bit 24: integers saturate. In `types`: those of A, B, C and D in bits 0, 8, 16, 24.
/// a, b, c, d: this lane's registers, 32 bits each.
void simt_mma(uint32_t shape, uint32_t types, const uint32_t *a, const uint32_t *b, const uint32_t *c, uint32_t *d, const char *site);

/// cp.async of `size` bytes (4, 8, 16), of which the first `sourceSize` are read and the others are zero.
void simt_cp_async(void *destination, const void *source, uint32_t size, uint32_t sourceSize, const char *site);
void simt_cp_async_commit();
/// Waits until at most `pending` groups are left.
void simt_cp_async_wait(uint32_t pending);

/// prmt without a mode: byte i of the result is the one of {hi, lo} that nibble i of the selector names, or its sign eight times.
uint32_t simt_permute(uint32_t lo, uint32_t hi, uint32_t selector);
/// cvt to tf32: rounding 1 to nearest, ties to even; 4 towards zero; 5 to nearest, ties away.
uint32_t simt_to_tf32(float value, uint32_t rounding);
/// cvt of one number to e4m3 or e5m2 (SimtType), to nearest, ties to even; what is too big becomes the greatest finite number.
uint32_t simt_to_fp8(float value, uint32_t type);
/// The f32 that an e4m3 or e5m2 is.
float simt_from_fp8(uint32_t bits, uint32_t type);
/// dp4a: four products of bytes, each signed or not, and c.
uint32_t simt_dot4(uint32_t a, uint32_t aIsSigned, uint32_t b, uint32_t bIsSigned, uint32_t c);

/// An mbarrier for `count` arrivals in a phase.
void simt_mbarrier_init(void *barrier, uint32_t count, const char *site);
void simt_mbarrier_invalidate(void *barrier, const char *site);
/// Arrives `count` times (0: not at all) after it has announced `bytes` that copies will bring. The phase that this arrival belongs to.
uint64_t simt_mbarrier_arrive(void *barrier, uint32_t count, uint32_t bytes, const char *site);
/// All cp.async of this thread so far arrive when they are done; without `noIncrement` the barrier waits for one arrival more.
void simt_mbarrier_arrive_copies(void *barrier, uint32_t noIncrement, const char *site);
/// Whether a phase is over: that of `token` (an arrival's answer), or with isParity the one of that parity. kind 0: looks; 1: may wait; 2: waits.
uint32_t simt_mbarrier_wait(void *barrier, uint64_t token, uint32_t isParity, uint32_t kind, const char *site);

/// cp.async.bulk from global to shared memory; tells the mbarrier.
void simt_bulk_load(void *destination, const void *source, void *barrier, uint32_t size, const char *site);
/// cp.async.bulk from shared to global memory.
void simt_bulk_store(void *destination, const void *source, uint32_t size, const char *site);
void simt_bulk_commit();
/// Waits until at most `pending` groups of stores are left. readOnly: their source may be written again, no more.
void simt_bulk_wait(uint32_t pending, uint32_t readOnly);
/// cp.async.bulk.tensor: the box at `coordinates` (rank of the map) of the tensor that `map`, made by cuTensorMapEncodeTiled, describes.
void simt_tensor_load(void *destination, const void *map, void *barrier, const int32_t *coordinates, uint32_t rank, const char *site);
void simt_tensor_store(const void *map, const void *source, const int32_t *coordinates, uint32_t rank, const char *site);
/// fence.proxy.async: what this thread wrote before may be read by wgmma and bulk copies after the next barrier.
void simt_fence_proxy();

/// wgmma.mma_async of a warpgroup: d += a * b, a and b in shared memory by descriptors. shape: n in bits 0 to 15, k in 16 to 23. types: those of A,
/// B and D in bits 0, 8, 16. flags: 1: d is added to; 2 and 4: a and b are negated; 8: b is N-major. accumulators: n / 2 words, in and out.
void simt_wgmma(uint64_t descriptorA, uint64_t descriptorB, uint32_t shape, uint32_t types, uint32_t flags, uint32_t *accumulators, const char *site);
void simt_wgmma_commit();
/// Waits until at most `pending` groups are left: what they read may be written again.
void simt_wgmma_wait(uint32_t pending);

} // extern "C"

#endif // MOE_CODEGEN_CUDA_SIMT_ABI_H
