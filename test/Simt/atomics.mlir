// Atomics: order drawn by seed, the same sum of integers; the block that comes last adds what the others left, which fences make visible.
// RUN: moe-simt-run %s --kernel last_block --grid 5 --block 64 --arg i32[1]=0 --arg i32[5]=none --arg i32[1]=none --arg i32=1 --print 2 | FileCheck %s
// RUN: moe-simt-run %s --kernel last_block --grid 5 --block 64 --arg i32[1]=0 --arg i32[5]=none --arg i32[1]=none --arg i32=1 --print 2 --seed 9 --resident-blocks 0 | FileCheck %s
// CHECK: {{^}}315{{$}}
// Without the fence of the writer nothing orders the partial sums and their reader.
// RUN: not moe-simt-run %s --kernel last_block --grid 5 --block 64 --arg i32[1]=0 --arg i32[5]=none --arg i32[1]=none --arg i32=0 2>&1 | FileCheck %s --check-prefix=RACE
// RACE: kernel last_block, block (4,0,0), thread (0,0,0), {{.*}} race: reads global memory at {{.*}}, which thread (0,0,0) of block (0,0,0) writes at atomics.mlir

// A block waits for a flag of another: all must be alive.
// RUN: moe-simt-run %s --kernel flag --grid 2 --block 1 --arg i32[1]=0 --arg i32[1]=none --arg i32[1]=none --resident-blocks 0 --print 2 | FileCheck %s --check-prefix=FLAG
// FLAG: {{^}}77{{$}}

gpu.module @kernels {
  llvm.func @last_block(%tickets: !llvm.ptr<1>, %partial: !llvm.ptr<1>, %total: !llvm.ptr<1>, %fenced: i32) attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %b = nvvm.read.ptx.sreg.ctaid.x : i32
    %n = nvvm.read.ptx.sreg.nctaid.x : i32
    %c0 = llvm.mlir.constant(0 : i32) : i32
    %c1 = llvm.mlir.constant(1 : i32) : i32
    %all = llvm.mlir.constant(-1 : i32) : i32
    %63 = llvm.mlir.constant(63 : i32) : i32
    %leads = llvm.icmp "eq" %t, %c0 : i32
    llvm.cond_br %leads, ^lead, ^end
  ^lead:
    %mine = llvm.getelementptr %partial[%b] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    llvm.store %63, %mine : i32, !llvm.ptr<1>
    %fences = llvm.icmp "ne" %fenced, %c0 : i32
    llvm.cond_br %fences, ^fence, ^ticket
  ^fence:
    nvvm.memory.barrier #nvvm.mem_scope<gpu>
    llvm.br ^ticket
  ^ticket:
    %ticket = llvm.atomicrmw add %tickets, %c1 monotonic : !llvm.ptr<1>, i32
    %before = llvm.sub %n, %c1 : i32
    %is_last = llvm.icmp "eq" %ticket, %before : i32
    llvm.cond_br %is_last, ^last, ^end
  ^last:
    nvvm.memory.barrier #nvvm.mem_scope<gpu>
    llvm.br ^add(%c0, %c0 : i32, i32)
  ^add(%i: i32, %sum: i32):
    %slot = llvm.getelementptr %partial[%i] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    %value = llvm.load %slot : !llvm.ptr<1> -> i32
    %next_sum = llvm.add %sum, %value : i32
    %next = llvm.add %i, %c1 : i32
    %more = llvm.icmp "slt" %next, %n : i32
    llvm.cond_br %more, ^add(%next, %next_sum : i32, i32), ^store
  ^store:
    llvm.store %next_sum, %total : i32, !llvm.ptr<1>
    llvm.br ^end
  ^end:
    llvm.return
  }

  // Block 0 waits for block 1.
  llvm.func @flag(%flag: !llvm.ptr<1>, %data: !llvm.ptr<1>, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %b = nvvm.read.ptx.sreg.ctaid.x : i32
    %c0 = llvm.mlir.constant(0 : i32) : i32
    %c1 = llvm.mlir.constant(1 : i32) : i32
    %77 = llvm.mlir.constant(77 : i32) : i32
    %waits = llvm.icmp "eq" %b, %c0 : i32
    llvm.cond_br %waits, ^spin, ^give
  ^spin:
    %seen = llvm.load %flag atomic syncscope("device") acquire {alignment = 4 : i64} : !llvm.ptr<1> -> i32
    %ready = llvm.icmp "ne" %seen, %c0 : i32
    llvm.cond_br %ready, ^take, ^spin
  ^take:
    %value = llvm.load %data : !llvm.ptr<1> -> i32
    llvm.store %value, %out : i32, !llvm.ptr<1>
    llvm.return
  ^give:
    llvm.store %77, %data : i32, !llvm.ptr<1>
    llvm.store %c1, %flag atomic syncscope("device") release {alignment = 4 : i64} : i32, !llvm.ptr<1>
    llvm.return
  }
}
