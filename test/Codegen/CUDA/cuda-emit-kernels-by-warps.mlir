// A warp takes the rows of a thread where the loops allow it: lanes share a loop along a row, one of them writes what a row has once, and they meet in between.
// RUN: moe-opt %s --moe-cuda-emit-kernels --split-input-file | FileCheck %s

// CHECK-LABEL: moe.kernels
// CHECK: %[[BLOCKS:.*]] = arith.constant 256 : index
// CHECK: module @moe_kernels
// CHECK: %[[LANE32:.*]] = arith.remui %{{.*}}, %c32_i32
// CHECK: %[[LANE:.*]] = arith.index_castui %[[LANE32]]
// CHECK: arith.divui %{{.*}}, %c32
// CHECK: scf.for
// CHECK: nvvm.bar.warp.sync
// CHECK: scf.if
// CHECK-NEXT: memref.store
// CHECK: nvvm.bar.warp.sync
// CHECK: nvvm.bar.warp.sync
// CHECK: %[[FROM:.*]] = arith.muli %[[LANE]], %c4
// CHECK: scf.for %[[AT:.*]] = %[[FROM]] to %c64 step %c128
// CHECK: vector.store %{{.*}}, %{{.*}}[%{{.*}}, %[[AT]]]
// CHECK: nvvm.bar.warp.sync
module {
  func.func @moe_entry(%x: memref<?x64xf32> {moe.input = 0 : i64}, %y: memref<?x64xf32> {moe.output = 0 : i64}, %s: memref<?xf32> {moe.output = 1 : i64},
                       %arena: memref<?xi8> {moe.arena}) attributes {moe.entry} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    %c64 = arith.constant 64 : index
    %n = memref.dim %x, %c0 : memref<?x64xf32>
    %t = moe.thread_id
    %count = moe.num_threads
    scf.for %i = %t to %n step %count {
      %f = memref.load %x[%i, %c1] : memref<?x64xf32>
      memref.store %f, %s[%i] : memref<?xf32>
      %v = vector.broadcast %f : f32 to vector<4xf32>
      scf.for %j = %c0 to %c64 step %c4 {
        %a = vector.load %x[%i, %j] : memref<?x64xf32>, vector<4xf32>
        %b = arith.mulf %a, %v : vector<4xf32>
        vector.store %b, %y[%i, %j] : memref<?x64xf32>, vector<4xf32>
      }
    }
    return
  }
}

// -----

// A round that reads what the one before has written: one thread does them all.
// CHECK-LABEL: moe.kernels
// CHECK: module @moe_kernels
// CHECK-NOT: nvvm.bar.warp.sync
module {
  func.func @moe_entry(%x: memref<?x64xf32> {moe.input = 0 : i64}, %y: memref<?x65xf32> {moe.output = 0 : i64}, %arena: memref<?xi8> {moe.arena}) attributes {moe.entry} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %n = memref.dim %x, %c0 : memref<?x64xf32>
    %t = moe.thread_id
    %count = moe.num_threads
    scf.for %i = %t to %n step %count {
      scf.for %j = %c0 to %c64 step %c1 {
        %a = memref.load %x[%i, %j] : memref<?x64xf32>
        %before = memref.load %y[%i, %j] : memref<?x65xf32>
        %sum = arith.addf %a, %before : f32
        %next = arith.addi %j, %c1 : index
        memref.store %sum, %y[%i, %next] : memref<?x65xf32>
      }
    }
    return
  }
}

// -----

// A vector that is longer than the step overlaps the next one's.
// CHECK-LABEL: moe.kernels
// CHECK: module @moe_kernels
// CHECK-NOT: nvvm.bar.warp.sync
module {
  func.func @moe_entry(%y: memref<?x64xf32> {moe.output = 0 : i64}, %arena: memref<?xi8> {moe.arena}) attributes {moe.entry} {
    %c0 = arith.constant 0 : index
    %c2 = arith.constant 2 : index
    %c60 = arith.constant 60 : index
    %v = arith.constant dense<1.0> : vector<4xf32>
    %n = memref.dim %y, %c0 : memref<?x64xf32>
    %t = moe.thread_id
    %count = moe.num_threads
    scf.for %i = %t to %n step %count {
      scf.for %j = %c0 to %c60 step %c2 {
        vector.store %v, %y[%i, %j] : memref<?x64xf32>, vector<4xf32>
      }
    }
    return
  }
}

// -----

// A sum along a row: lanes have rounds of it, and butterflies combine what they have, each element of a vector. The greatest value begins with the first one in lane 0 and with -inf elsewhere.
// CHECK-LABEL: moe.kernels
// CHECK: module @moe_kernels
// CHECK: arith.index_castui
// CHECK: %[[FIRST:.*]] = arith.cmpi eq
// CHECK: %[[SUM:.*]] = scf.for %{{.*}} to %c64 step %c128 iter_args(%{{.*}}) -> (vector<4xf32>)
// CHECK: %[[PART:.*]] = vector.extract %[[SUM]][0]
// CHECK-COUNT-20: nvvm.shfl.sync bfly
// CHECK: %[[START:.*]] = arith.select %[[FIRST]], %{{.*}}, %{{.*}} : f32
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[START]]) -> (f32)
// CHECK-COUNT-5: nvvm.shfl.sync bfly
// CHECK: nvvm.bar.warp.sync
// CHECK: scf.if %[[FIRST]]
// CHECK-NEXT: memref.store
module {
  func.func @moe_entry(%x: memref<?x64xf32> {moe.input = 0 : i64}, %s: memref<?xf32> {moe.output = 0 : i64}, %arena: memref<?xi8> {moe.arena}) attributes {moe.entry} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    %c64 = arith.constant 64 : index
    %zeros = arith.constant dense<0.0> : vector<4xf32>
    %n = memref.dim %x, %c0 : memref<?x64xf32>
    %t = moe.thread_id
    %count = moe.num_threads
    scf.for %i = %t to %n step %count {
      %sums = scf.for %j = %c0 to %c64 step %c4 iter_args(%now = %zeros) -> (vector<4xf32>) {
        %a = vector.load %x[%i, %j] : memref<?x64xf32>, vector<4xf32>
        %b = math.fma %a, %a, %now : vector<4xf32>
        scf.yield %b : vector<4xf32>
      }
      %sum = vector.extract %sums[0] : f32 from vector<4xf32>
      %most = scf.for %j = %c0 to %c64 step %c1 iter_args(%now = %sum) -> (f32) {
        %a = memref.load %x[%i, %j] : memref<?x64xf32>
        %b = arith.maximumf %now, %a : f32
        scf.yield %b : f32
      }
      memref.store %most, %s[%i] : memref<?xf32>
    }
    return
  }
}

// -----

// What a round carries to the next that is no sum: one thread does them all.
// CHECK-LABEL: moe.kernels
// CHECK: module @moe_kernels
// CHECK-NOT: nvvm.bar.warp.sync
module {
  func.func @moe_entry(%x: memref<?x64xf32> {moe.input = 0 : i64}, %s: memref<?xf32> {moe.output = 0 : i64}, %arena: memref<?xi8> {moe.arena}) attributes {moe.entry} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %half = arith.constant 0.5 : f32
    %n = memref.dim %x, %c0 : memref<?x64xf32>
    %t = moe.thread_id
    %count = moe.num_threads
    scf.for %i = %t to %n step %count {
      %last = scf.for %j = %c0 to %c64 step %c1 iter_args(%now = %half) -> (f32) {
        %a = memref.load %x[%i, %j] : memref<?x64xf32>
        %b = math.fma %now, %half, %a : f32
        scf.yield %b : f32
      }
      memref.store %last, %s[%i] : memref<?xf32>
    }
    return
  }
}
