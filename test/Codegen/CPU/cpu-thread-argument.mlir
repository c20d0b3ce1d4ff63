// RUN: moe-opt %s --moe-cpu-thread-argument --split-input-file | FileCheck %s
// What a thread knows comes from the MoeThread that is every entry's last argument.

// CHECK-LABEL: func.func @entry
// CHECK-SAME: (%[[THREAD:.*]]: !llvm.ptr {llvm.noalias, llvm.readonly}) attributes {moe.entry}
// CHECK: %[[ID:.*]] = llvm.load %[[THREAD]] invariant {{.*}} : !llvm.ptr -> i64
// CHECK: arith.index_cast %[[ID]] : i64 to index
// DOC: --moe-cpu-thread-argument
func.func @entry() attributes {moe.entry} {
  %id = moe.thread_id
  return
}

// -----

// The number of threads is field 1, the barrier 2, the sections 3, the fault 4; a callee gets the pointer from its caller, and only where it needs it.
// CHECK-NOT: moe.weight @
// CHECK-LABEL: func.func private @pure(%{{.*}}: index) -> index
// CHECK-LABEL: func.func private @leaf
// CHECK-SAME: (%[[N:.*]]: index, %[[T:.*]]: !llvm.ptr {{.*}}) -> memref<4x8xf32>
// CHECK: %[[FIELD:.*]] = llvm.getelementptr inbounds %[[T]][3]
// CHECK: %[[SECTIONS:.*]] = llvm.load %[[FIELD]] invariant
// CHECK: %[[SLOT:.*]] = llvm.getelementptr inbounds %[[SECTIONS]][2]
// CHECK: %[[BASE:.*]] = llvm.load %[[SLOT]] invariant
// CHECK: %[[OFFSET:.*]] = llvm.mlir.constant(128 : i64)
// CHECK: %[[ADDRESS:.*]] = llvm.getelementptr inbounds %[[BASE]][%[[OFFSET]]] {{.*}} -> !llvm.ptr, i8
// CHECK: llvm.intr.assume %{{.*}} ["align"(%[[ADDRESS]]
// CHECK: builtin.unrealized_conversion_cast {{.*}} to memref<4x8xf32>
// CHECK-LABEL: func.func private @middle
// CHECK-SAME: (%[[M:.*]]: index, %[[MT:.*]]: !llvm.ptr
// CHECK: call @pure(%[[M]]) : (index) -> index
// CHECK: call @leaf(%{{.*}}, %[[MT]])
// CHECK-LABEL: func.func @entry
// CHECK-SAME: %[[ET:[a-z0-9]*]]: !llvm.ptr
// CHECK: llvm.getelementptr inbounds %[[ET]][1]
// CHECK: call @middle(%{{.*}}, %[[ET]])
// CHECK: llvm.getelementptr inbounds %[[ET]][2]
// CHECK: %[[BARRIER:.*]] = llvm.load
// CHECK: llvm.call @moe_rt_barrier(%[[BARRIER]])
// CHECK: llvm.getelementptr inbounds %[[ET]][4]
// CHECK: %[[FAULT:.*]] = llvm.load
// CHECK: %[[NUMBER:.*]] = llvm.mlir.constant(3 : i64)
// CHECK: llvm.call @moe_rt_fault(%[[FAULT]], %[[NUMBER]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) : (!llvm.ptr, i64, i64, i64, i64, i64) -> ()
// CHECK: llvm.func hidden @moe_rt_barrier(!llvm.ptr)
// CHECK: llvm.func hidden @moe_rt_fault(!llvm.ptr, i64, i64, i64, i64, i64)
moe.weight @w : tensor<4x8xf32> source(#moe.file<"m.onnx", offset = 0, length = 128>) section 2 at 128
func.func private @pure(%n: index) -> index {
  return %n : index
}
func.func private @leaf(%n: index) -> memref<4x8xf32> {
  %w = moe.weight_ref @w : memref<4x8xf32>
  return %w : memref<4x8xf32>
}
func.func private @middle(%n: index) {
  %m = func.call @pure(%n) : (index) -> index
  %w = func.call @leaf(%m) : (index) -> memref<4x8xf32>
  return
}
func.func @entry(%x: memref<4xf32>) attributes {moe.entry} {
  %n = moe.num_threads
  func.call @middle(%n) : (index) -> ()
  moe.barrier
  moe.fault 3 at %n found %n range %n to %n
  return
}
