// RUN: moe-opt %s --moe-cpu-pack-entry | FileCheck %s
// RUN: moe-opt %s --moe-cpu-pack-entry=version=3 | FileCheck %s --check-prefix=OTHER
// The C ABI around entry and shape function: descriptors by pointer, lists of dims as bare pointers.

// CHECK-LABEL: func.func private @entry(
// CHECK-LABEL: func.func private @moe_shapes_0(
// CHECK-LABEL: func.func @moe_entry_0
// CHECK-SAME: (%[[D:.*]]: !llvm.ptr, %[[T:.*]]: !llvm.ptr)
// CHECK: %[[P0:.*]] = llvm.load %[[D]] : !llvm.ptr -> !llvm.ptr
// CHECK: %[[S0:.*]] = llvm.load %[[P0]] : !llvm.ptr -> !llvm.struct<(ptr, ptr, i64, array<2 x i64>, array<2 x i64>)>
// CHECK: %[[M0:.*]] = builtin.unrealized_conversion_cast %[[S0]] : {{.*}} to memref<?x?xf32, strided<[?, 1]>>
// CHECK: %[[A1:.*]] = llvm.getelementptr inbounds %[[D]][1] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
// CHECK: %[[P1:.*]] = llvm.load %[[A1]] : !llvm.ptr -> !llvm.ptr
// CHECK: %[[S1:.*]] = llvm.load %[[P1]] : !llvm.ptr -> !llvm.struct<(ptr, ptr, i64)>
// CHECK: %[[M1:.*]] = builtin.unrealized_conversion_cast %[[S1]] : {{.*}} to memref<f32>
// CHECK: call @entry(%[[M0]], %[[M1]], %[[T]])
// CHECK-LABEL: func.func @moe_shapes
// CHECK-SAME: (%[[IN:.*]]: !llvm.ptr, %[[OUT:.*]]: !llvm.ptr) -> i64
// CHECK: llvm.insertvalue %[[IN]]
// CHECK: llvm.mlir.constant(2 : index)
// CHECK: llvm.insertvalue %[[OUT]]
// CHECK: llvm.mlir.constant(0 : index)
// CHECK: %[[R:.*]] = call @moe_shapes_0
// CHECK: return %[[R]] : i64

// Version 0 has the shape function for all of them.
// OTHER-LABEL: func.func @moe_entry_3
// OTHER-NOT: moe_shapes
// DOC: --moe-cpu-pack-entry
func.func @entry(%in: memref<?x?xf32, strided<[?, 1]>> {moe.input = 0 : i64}, %out: memref<f32> {moe.output = 0 : i64}, %thread: !llvm.ptr)
    attributes {moe.entry} {
  return
}
func.func @moe_shapes(%in: memref<?xi64>, %out: memref<?xi64>) -> i64 attributes {moe.shapes} {
  %0 = arith.constant 0 : i64
  return %0 : i64
}
