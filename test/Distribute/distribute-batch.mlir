// RUN: moe-opt %s --moe-distribute-batch --moe-verify-distributed | FileCheck %s
// RUN: moe-opt %s --moe-distribute-batch --canonicalize --cse | FileCheck %s --check-prefix=CLEAN
// DOC: --moe-distribute-batch
moe.mesh @mesh axes([#moe.axis<name = "rank", size = 4, alpha_us = 2.0, gbps = 8.0, per_msg_us = 5.0e-01>])
  device(#moe.device<name = "", tflops = {f32 = 1.0}, gemm_alpha_us = 1.0, gemm_half_rows = 4.0, mem_gbps = 20.0, mem_mib = 1024, comm_compute_slowdown = 0.0>)

// Sequences are treated apart: an elementwise loop, a reshape to rows and a product are computed for the part; the result is gathered from rows of S tokens each.
// CHECK-LABEL: func.func @apart
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x?x64xf32>
// CHECK-DAG: %[[N:.*]] = moe.num_ranks
// CHECK-DAG: %[[R:.*]] = moe.rank
// CHECK: %[[PART:.*]] = tensor.extract_slice %[[X]][%[[FIRST:.*]], 0, 0] [%[[COUNT:.*]], %{{.*}}, 64] [1, 1, 1]
// CHECK: %[[OWN:.*]] = linalg.generic {{.*}} ins(%[[PART]]
// CHECK: %[[ROWS:.*]] = tensor.collapse_shape %[[OWN]]
// CHECK: %[[Y:.*]] = linalg.matmul ins(%[[ROWS]]
// CHECK-NOT: linalg.matmul
// CHECK: moe.all_gather %[[Y]] tokens(%{{.*}}) unit(%{{.*}}) group("mesh") {devices = 4 : i64} : tensor<?x32xf32> -> tensor<?x32xf32>
func.func @apart(%x: tensor<?x?x64xf32> {moe.dims = ["batch", "seq", "64"]}, %w: tensor<64x32xf32>) -> tensor<?x32xf32>
    attributes {moe.batch_split = #moe.batch_split<mesh = @mesh, devices = 4>} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %B = tensor.dim %x, %c0 : tensor<?x?x64xf32>
  %S = tensor.dim %x, %c1 : tensor<?x?x64xf32>
  %T = arith.muli %B, %S : index
  %e = tensor.empty(%B, %S) : tensor<?x?x64xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(b, s, h) -> (b, s, h)>, affine_map<(b, s, h) -> (b, s, h)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : tensor<?x?x64xf32>) outs(%e : tensor<?x?x64xf32>) {
  ^bb0(%in: f32, %out: f32):
    %n = arith.negf %in : f32
    linalg.yield %n : f32
  } -> tensor<?x?x64xf32>
  %rows = tensor.collapse_shape %a [[0, 1], [2]] : tensor<?x?x64xf32> into tensor<?x64xf32>
  %f = tensor.empty(%T) : tensor<?x32xf32>
  %g = linalg.fill ins(%zero : f32) outs(%f : tensor<?x32xf32>) -> tensor<?x32xf32>
  %y = linalg.matmul ins(%rows, %w : tensor<?x64xf32>, tensor<64x32xf32>) outs(%g : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// DOC END

// Numbers of sequences and sums over them are those of all: the loop that asks for its index is computed whole and cut, the sum reads what is gathered.
// CHECK-LABEL: func.func @together
// CHECK: linalg.index 0
// CHECK: %[[CUT:.*]] = tensor.extract_slice %{{.*}}[%{{.*}}, 0] [%{{.*}}, 8] [1, 1] : tensor<?x8xf32> to tensor<?x8xf32>
// CHECK: %[[PROD:.*]] = linalg.matmul ins(%[[CUT]]
// CHECK: %[[ALL:.*]] = moe.all_gather %[[PROD]] tokens(%{{.*}}) group("mesh") {devices = 4 : i64} : tensor<?x8xf32> -> tensor<?x8xf32>
// CHECK: linalg.reduce ins(%[[ALL]]
// CLEAN-LABEL: func.func @together
// CLEAN-COUNT-1: linalg.matmul
// CLEAN-NOT: linalg.matmul
func.func @together(%x: tensor<?x8xf32>, %w: tensor<8x8xf32>) -> tensor<8xf32> attributes {moe.batch_split = #moe.batch_split<mesh = @mesh, devices = 4>} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %B = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%B) : tensor<?x8xf32>
  %numbers = linalg.generic {indexing_maps = [affine_map<(b, h) -> (b, h)>, affine_map<(b, h) -> (b, h)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %i = linalg.index 0 : index
    %j = arith.index_cast %i : index to i32
    %k = arith.sitofp %j : i32 to f32
    %s = arith.addf %in, %k : f32
    linalg.yield %s : f32
  } -> tensor<?x8xf32>
  %g = linalg.fill ins(%zero : f32) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = linalg.matmul ins(%numbers, %w : tensor<?x8xf32>, tensor<8x8xf32>) outs(%g : tensor<?x8xf32>) -> tensor<?x8xf32>
  %one = tensor.empty() : tensor<8xf32>
  %start = linalg.fill ins(%zero : f32) outs(%one : tensor<8xf32>) -> tensor<8xf32>
  %sum = linalg.reduce ins(%y : tensor<?x8xf32>) outs(%start : tensor<8xf32>) dimensions = [0] (%in: f32, %init: f32) {
    %s = arith.addf %in, %init : f32
    linalg.yield %s : f32
  }
  return %sum : tensor<8xf32>
}

// Without the attribute nothing is done.
// CHECK-LABEL: func.func @whole
// CHECK-NEXT: return %{{.*}} : tensor<?x8xf32>
func.func @whole(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  return %x : tensor<?x8xf32>
}
