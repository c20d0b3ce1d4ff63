// The switch, by hand: ucontext makes two system calls for each, and a tile of a matrix product needs ten thousands of switches.
#include "Fiber.h"

#include <cstdint>
#include <cstring>
#include <sys/mman.h>

// Only what the System V ABI lets a callee keep; the floating-point control words are the same in all fibers.
asm(R"(
    .text
    .globl moe_simt_switch
    .hidden moe_simt_switch
    .type moe_simt_switch, @function
moe_simt_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    retq
    .size moe_simt_switch, . - moe_simt_switch

    .globl moe_simt_begin
    .hidden moe_simt_begin
    .type moe_simt_begin, @function
moe_simt_begin:
    movq %r12, %rdi
    callq *%rbx
    ud2
    .size moe_simt_begin, . - moe_simt_begin
)");

extern "C" void moe_simt_begin();

namespace moe::simt {

char *newStack() {
  constexpr size_t guard = 4096;
  void *memory = mmap(nullptr, stackBytes + guard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return nullptr;
  mprotect(memory, guard, PROT_NONE);
  return static_cast<char *>(memory) + guard;
}

void *prepareStack(char *stack, void (*entry)(void *), void *argument) {
  // What the switch pops: r15, r14, r13, r12, rbx, rbp, the return address. 16-byte aligned after that.
  auto *top = reinterpret_cast<uint64_t *>(stack + stackBytes) - 9;
  std::memset(top, 0, 64);
  top[3] = reinterpret_cast<uint64_t>(argument);
  top[4] = reinterpret_cast<uint64_t>(entry);
  top[6] = reinterpret_cast<uint64_t>(&moe_simt_begin);
  return top;
}

} // namespace moe::simt
