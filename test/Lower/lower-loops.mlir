// RUN: moe-opt %s --moe-lower-loops --canonicalize --cse --split-input-file | FileCheck %s

// Rows are divided over threads; a row is vectors of 16 and a scalar rest.
// CHECK-LABEL: func.func @moe_entry
// CHECK-SAME: (%[[X:.*]]: memref<?x?xf32>, %[[OUT:.*]]: memref<?x?xf32>)
// CHECK-DAG: %[[THREAD:.*]] = moe.thread_id
// CHECK-DAG: %[[THREADS:.*]] = moe.num_threads
// CHECK-DAG: %[[ROWS:.*]] = memref.dim %[[X]], %c0
// CHECK-DAG: %[[FIRST:.*]] = arith.muli %[[THREAD]], %[[ROWS]]
// CHECK-DAG: %[[FROM:.*]] = arith.divui %[[FIRST]], %[[THREADS]]
// CHECK: scf.for %[[I:.*]] = %[[FROM]] to
// CHECK: scf.for %[[J:.*]] = %c0 to %{{.*}} step %c16
// CHECK: %[[V:.*]] = vector.load %[[X]][%[[I]], %[[J]]] : memref<?x?xf32>, vector<16xf32>
// CHECK: %[[E:.*]] = math.exp %[[V]] : vector<16xf32>
// CHECK: vector.store %[[E]], %[[OUT]][%[[I]], %[[J]]]
// CHECK: scf.for %[[J2:.*]] = %{{.*}} to %{{.*}} step %c1
// CHECK: memref.load %[[X]][%[[I]], %[[J2]]]
// CHECK: memref.store
// CHECK-NOT: linalg
// DOC: --moe-lower-loops --canonicalize --cse
func.func @moe_entry(%x: memref<?x?xf32>, %out: memref<?x?xf32>) attributes {moe.entry} {
  linalg.exp ins(%x : memref<?x?xf32>) outs(%out : memref<?x?xf32>)
  return
}

// -----

// A sum along rows: one vector of partial sums, added as a tree; a size that 16 divides needs no rest.
// CHECK-LABEL: func.func @moe_entry
// CHECK: scf.for %[[I:.*]] =
// CHECK: %[[PARTS:.*]] = scf.for {{.*}} step %c16 iter_args(%{{.*}} = %{{.*}}) -> (vector<16xf32>)
// CHECK: arith.addf %{{.*}} : vector<16xf32>
// CHECK: vector.shuffle %[[PARTS]], %[[PARTS]] [0, 1, 2, 3, 4, 5, 6, 7]
// CHECK: arith.addf %{{.*}} : vector<8xf32>
// CHECK: arith.addf %{{.*}} : vector<4xf32>
// CHECK: arith.addf %{{.*}} : vector<2xf32>
// CHECK: memref.store %{{.*}}[%[[I]]]
func.func @moe_entry(%x: memref<?x64xf32>, %out: memref<?xf32>) attributes {moe.entry} {
  linalg.reduce {arith.addf} ins(%x : memref<?x64xf32>) outs(%out : memref<?xf32>) dimensions = [1]
  return
}

// -----

// Both operands are contiguous along K: dot products, four columns side by side that share a row of the left side.
// CHECK-LABEL: func.func @moe_entry
// CHECK: scf.for {{.*}} step %c4
// CHECK: scf.for {{.*}} step %c16 iter_args({{.*}}) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK-COUNT-4: math.fma %{{.*}} : vector<16xf32>
// CHECK-NOT: vector.store
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n, k)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @moe_entry(%a: memref<?x64xf32>, %b: memref<?x64xf32>, %c: memref<?x?xf32>) attributes {moe.entry} {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<?x64xf32>, memref<?x64xf32>) outs(%c : memref<?x?xf32>) attrs = {moe.init = [0.0 : f32]} {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %z, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// The right side is contiguous along N: the columns are the vectors (all 64 in one step), K runs inside, sums stay in registers.
// CHECK-LABEL: func.func @moe_entry
// CHECK-SAME: (%[[A:[^:]*]]: memref<?x?xf32>, %[[B:[^:]*]]: memref<?x64xf32>
// CHECK: %[[SUMS:.*]]:4 = scf.for %[[K:.*]] = %c0 to %{{.*}} step %c1 iter_args
// CHECK: memref.load %[[A]]
// CHECK-COUNT-4: vector.load %[[B]][%[[K]],
// CHECK: vector.store %[[SUMS]]#0
// CHECK: vector.store %[[SUMS]]#3
func.func @moe_entry(%a: memref<?x?xf32>, %b: memref<?x64xf32>, %c: memref<?x64xf32>) attributes {moe.entry} {
  linalg.matmul ins(%a, %b : memref<?x?xf32>, memref<?x64xf32>) outs(%c : memref<?x64xf32>)
  return
}

// -----

// The past is not copied where it is the present's own buffer.
// CHECK-LABEL: func.func @moe_entry
// CHECK-SAME: (%[[PAST:[^:]*]]: memref<?x16xf32, strided<[?, 1]>> {{{[^}]*}}}, %[[NEW:[^:]*]]: memref<?x16xf32> {{{[^}]*}}}, %[[PRESENT:[^:]*]]: memref
// CHECK: %[[ROWS:.*]] = memref.dim %[[PAST]], %c0
// CHECK-DAG: %[[P:.*]] = memref.extract_aligned_pointer_as_index %[[PAST]]
// CHECK-DAG: %[[Q:.*]] = memref.extract_aligned_pointer_as_index %[[PRESENT]]
// CHECK: %[[DIFFER:.*]] = arith.cmpi ne, %[[P]], %[[Q]]
// CHECK: scf.if %[[DIFFER]] {
// CHECK: vector.load %[[PAST]]
// CHECK: }
// CHECK: memref.subview %[[PRESENT]][%[[ROWS]], 0]
// CHECK: vector.load %[[NEW]]
func.func @moe_entry(%past: memref<?x16xf32, strided<[?, 1]>> {moe.input = 0 : i64, moe.past_of = 0 : i64}, %new: memref<?x16xf32> {moe.input = 1 : i64},
    %present: memref<?x16xf32, strided<[?, 1]>> {moe.output = 0 : i64, moe.present_of = 0 : i64}) attributes {moe.entry} {
  moe.concat axis 0 ins(%past, %new : memref<?x16xf32, strided<[?, 1]>>, memref<?x16xf32>) outs(%present : memref<?x16xf32, strided<[?, 1]>>)
  return
}

// -----

// Rows of a table by computed index: the columns are still vectors.
// CHECK-LABEL: func.func @moe_entry
// CHECK: %[[ID:.*]] = memref.load
// CHECK: scf.for %[[J:.*]] = {{.*}} step %c16
// CHECK: %[[ROW:.*]] = arith.index_cast %[[ID]]
// CHECK: vector.load %{{.*}}[%[[ROW]], %[[J]]] : memref<50x?xf32>, vector<16xf32>
func.func @moe_entry(%ids: memref<?xi64>, %table: memref<50x?xf32>, %out: memref<?x?xf32>) attributes {moe.entry} {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%ids : memref<?xi64>) outs(%out : memref<?x?xf32>) {
  ^bb0(%id: i64, %o: f32):
    %row = arith.index_cast %id : i64 to index
    %column = linalg.index 1 : index
    %v = memref.load %table[%row, %column] : memref<50x?xf32>
    linalg.yield %v : f32
  }
  return
}

// -----

// A condition on data: a thread asks of its share whether any value is out of range, and looks for the first only then.
// CHECK-LABEL: func.func @moe_entry
// CHECK-SAME: (%[[IDS:[^:]*]]: memref<?x2xi32>
// CHECK: %[[ALL:.*]] = memref.collapse_shape %[[IDS]] {{\[}}[0, 1]]
// CHECK: moe.thread_id
// CHECK: %[[ANY:.*]] = scf.for %[[I:.*]] = %[[BEGIN:.*]] to %[[END:.*]] step %{{.*}} iter_args(%[[SO_FAR:.*]] = %false{{.*}}) -> (i1)
// CHECK: memref.load %[[ALL]][%[[I]]]
// CHECK: arith.cmpi uge
// CHECK: arith.ori %[[SO_FAR]]
// CHECK: scf.if %[[ANY]] {
// CHECK: scf.for %[[P:.*]] = %[[BEGIN]] to %[[END]]
// CHECK: scf.if
// CHECK: moe.fault 4 at %[[P]] found %{{.*}} range %[[LOW:.*]] to %[[HIGH:.*]]
func.func @moe_entry(%ids: memref<?x2xi32>, %low: index, %high: index) attributes {moe.entry} {
  moe.require_range %ids, %low, %high, "an id" number 4 : memref<?x2xi32>
  return
}

// -----

// Few values are thread 0's, also a single one.
// CHECK-LABEL: func.func @moe_entry
// CHECK: %[[T:.*]] = moe.thread_id
// CHECK: %[[FIRST:.*]] = arith.cmpi eq, %[[T]]
// CHECK: scf.if %[[FIRST]] {
// CHECK: memref.load %{{.*}}[] : memref<i64>
// CHECK: moe.fault 0
func.func @moe_entry(%id: memref<i64>, %low: index, %high: index) attributes {moe.entry} {
  moe.require_range %id, %low, %high, "an id" number 0 : memref<i64>
  return
}

// -----

// Rows of the past are copied where the caller gave two buffers, what lies behind them is 0, new rows are written in any case.
// CHECK-LABEL: func.func @moe_entry
// CHECK-SAME: (%[[PAST:.*]]: memref<1x2x?x16xf32, strided<[?, ?, ?, 1]>> {{.*}}, %[[NEW:.*]]: memref<1x2x1x16xf32> {{.*}}, %[[AT:.*]]: memref<1xi64> {{.*}}, %[[PRESENT:.*]]: memref<1x2x?x16xf32, strided<[?, ?, ?, 1]>> {{.*}})
// CHECK: %[[DIFFER:.*]] = arith.cmpi ne
// CHECK: scf.if %[[DIFFER]]
// CHECK: vector.load %[[PAST]]
// CHECK: vector.store %cst{{.*}}, %[[PRESENT]]
// CHECK: memref.load %[[AT]]
// CHECK: %[[ROW:.*]] = vector.load %[[NEW]]
// CHECK: vector.store %[[ROW]], %[[PRESENT]]
func.func @moe_entry(%past: memref<1x2x?x16xf32, strided<[?, ?, ?, 1]>> {moe.input = 0 : i64, moe.past_of = 0 : i64}, %new: memref<1x2x1x16xf32> {moe.input = 1 : i64},
    %at: memref<1xi64> {moe.input = 2 : i64}, %present: memref<1x2x?x16xf32, strided<[?, ?, ?, 1]>> {moe.output = 0 : i64, moe.present_of = 0 : i64}) attributes {moe.entry} {
  moe.append past(%past : memref<1x2x?x16xf32, strided<[?, ?, ?, 1]>>) new(%new : memref<1x2x1x16xf32>) at(%at : memref<1xi64>)
      outs(%present : memref<1x2x?x16xf32, strided<[?, ?, ?, 1]>>)
  return
}
