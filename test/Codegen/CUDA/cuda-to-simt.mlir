// RUN: moe-opt %s --moe-cuda-to-simt --split-input-file | FileCheck %s

// A shared variable becomes a descriptor, an access is checked first, and the kernel is called through one function.
// DOC: --moe-cuda-to-simt
// CHECK-LABEL: llvm.func internal @publish(%arg0: !llvm.ptr)
// CHECK: %[[TID:.*]] = llvm.call @simt_register(%{{.*}}) {convergent} : (i32) -> i32
// CHECK: %[[DESCRIPTOR:.*]] = llvm.mlir.addressof @simt.shared.box
// CHECK: %[[BOX:.*]] = llvm.call @simt_shared(%[[DESCRIPTOR]])
// CHECK: llvm.call @simt_check(%[[BOX]],
// CHECK: llvm.store %[[TID]], %[[BOX]] : i32, !llvm.ptr
// CHECK: llvm.call @simt_barrier(
// CHECK: llvm.func internal @simt.run.publish(%arg0: !llvm.ptr)
// CHECK: llvm.mlir.global_ctors ctors = [@simt.register]
gpu.module @kernels {
  llvm.mlir.global internal @box() {addr_space = 3 : i32} : i32
  llvm.func @publish(%out: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %box = llvm.mlir.addressof @box : !llvm.ptr<3>
    llvm.store %t, %box : i32, !llvm.ptr<3>
    nvvm.barrier0
    llvm.return
  }
}

// -----

// Memory of the thread itself is not checked; atomics and fences are, with their order; scopes of the device go.
// CHECK-LABEL: llvm.func internal @kernel
// CHECK-NOT: simt_check
// CHECK: llvm.store %{{.*}}, %{{.*}} : i32, !llvm.ptr
// CHECK: %[[ACQUIRE_RELEASE:.*]] = llvm.mlir.constant(26 : i32)
// CHECK: llvm.call @simt_check(%{{.*}}, %{{.*}}, %{{.*}}, %[[ACQUIRE_RELEASE]]
// CHECK-NEXT: llvm.atomicrmw add %{{.*}}, %{{.*}} acq_rel : !llvm.ptr, i32
// CHECK: llvm.call @simt_fence
gpu.module @kernels {
  llvm.func @kernel(%counter: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %one = llvm.mlir.constant(1 : i32) : i32
    %own = llvm.alloca %one x i32 : (i32) -> !llvm.ptr
    llvm.store %one, %own : i32, !llvm.ptr
    %old = llvm.atomicrmw add %counter, %one syncscope("device") acq_rel : !llvm.ptr<1>, i32
    nvvm.memory.barrier #nvvm.mem_scope<gpu>
    llvm.return
  }
}
