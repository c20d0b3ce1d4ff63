// RUN: moe-opt %s --moe-fuse-dense-products --canonicalize | FileCheck %s

moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
moe.weight @wt : tensor<96x64xf32> source(#moe.file<"m.onnx", offset = 24576, length = 24576>)

// CHECK-LABEL: func.func @in_out(
// CHECK-SAME: %[[X:.*]]: tensor<?x64xf32>, %[[T:.*]]: index
// CHECK-DAG: %[[W:.*]] = moe.weight_ref @w
// CHECK-DAG: %[[E:.*]] = tensor.empty(%[[T]]) : tensor<?x96xf32>
// CHECK-NOT: linalg
// CHECK: %[[Y:.*]] = moe.grouped_matmul %[[X]] weight(%[[W]] : tensor<64x96xf32>) outs(%[[E]] : tensor<?x96xf32>)
// CHECK-SAME: {order = #moe<weight_order in_out>, plan = #moe.plan<packing = panel32, activations = "f32">}
// CHECK-NEXT: return %[[Y]]
func.func @in_out(%x: tensor<?x64xf32>, %T: index) -> tensor<?x96xf32> {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%T) : tensor<?x96xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x96xf32>) -> tensor<?x96xf32>
  %0 = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
    ins(%x, %w : tensor<?x64xf32>, tensor<64x96xf32>) outs(%f : tensor<?x96xf32>) -> tensor<?x96xf32>
  return %0 : tensor<?x96xf32>
}

// A transposed weight, an init that is a constant, and a bias that is added after a reshape and defined after the product.
// CHECK-LABEL: func.func @out_in_bias(
// CHECK-DAG: %[[W:.*]] = moe.weight_ref @wt
// CHECK-DAG: %[[B:.*]] = arith.constant dense<1.000000e+00> : tensor<96xf32>
// CHECK-DAG: %[[E:.*]] = tensor.empty() : tensor<6x96xf32>
// CHECK: %[[Y:.*]] = moe.grouped_matmul %{{.*}} weight(%[[W]] : tensor<96x64xf32>) bias(%[[B]] : tensor<96xf32>) outs(%[[E]] : tensor<6x96xf32>)
// CHECK-NOT: order
// CHECK: %[[R:.*]] = tensor.expand_shape %[[Y]] {{\[\[}}0, 1], [2]]
// CHECK-NEXT: return %[[R]]
func.func @out_in_bias(%x: tensor<6x64xf32>) -> tensor<2x3x96xf32> {
  %w = moe.weight_ref @wt : tensor<96x64xf32>
  %zero = arith.constant dense<0.0> : tensor<6x96xf32>
  %0 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
    ins(%x, %w : tensor<6x64xf32>, tensor<96x64xf32>) outs(%zero : tensor<6x96xf32>) -> tensor<6x96xf32>
  %1 = tensor.expand_shape %0 [[0, 1], [2]] output_shape [2, 3, 96] : tensor<6x96xf32> into tensor<2x3x96xf32>
  %bias = arith.constant dense<1.0> : tensor<96xf32>
  %e = tensor.empty() : tensor<2x3x96xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (c)>, affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b, c)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%bias, %1 : tensor<96xf32>, tensor<2x3x96xf32>) outs(%e : tensor<2x3x96xf32>) {
    ^bb0(%b: f32, %p: f32, %o: f32):
      %s = arith.addf %p, %b : f32
      linalg.yield %s : f32
  } -> tensor<2x3x96xf32>
  return %2 : tensor<2x3x96xf32>
}

// The product is read twice: the add stays.
// CHECK-LABEL: func.func @product_used_twice(
// CHECK: %[[Y:.*]] = moe.grouped_matmul
// CHECK-NOT: bias
// CHECK: %[[S:.*]] = linalg.generic
// CHECK: return %[[Y]], %[[S]]
func.func @product_used_twice(%x: tensor<6x64xf32>, %bias: tensor<96xf32>) -> (tensor<6x96xf32>, tensor<6x96xf32>) {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  %zero = arith.constant dense<0.0> : tensor<6x96xf32>
  %0 = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
    ins(%x, %w : tensor<6x64xf32>, tensor<64x96xf32>) outs(%zero : tensor<6x96xf32>) -> tensor<6x96xf32>
  %e = tensor.empty() : tensor<6x96xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(a, c) -> (a, c)>, affine_map<(a, c) -> (c)>, affine_map<(a, c) -> (a, c)>],
      iterator_types = ["parallel", "parallel"]} ins(%0, %bias : tensor<6x96xf32>, tensor<96xf32>) outs(%e : tensor<6x96xf32>) {
    ^bb0(%p: f32, %b: f32, %o: f32):
      %s = arith.addf %p, %b : f32
      linalg.yield %s : f32
  } -> tensor<6x96xf32>
  return %0, %1 : tensor<6x96xf32>, tensor<6x96xf32>
}

// What is added is no vector of columns (the maps say rows), or it is not only added: the generic stays.
// CHECK-LABEL: func.func @no_bias(
// CHECK: moe.grouped_matmul
// CHECK-NOT: bias
// CHECK: linalg.generic
// CHECK: moe.grouped_matmul
// CHECK-NOT: bias
// CHECK: linalg.generic
func.func @no_bias(%x: tensor<6x64xf32>, %rows: tensor<6xf32>, %columns: tensor<96xf32>) -> (tensor<6x96xf32>, tensor<6x96xf32>) {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  %zero = arith.constant dense<0.0> : tensor<6x96xf32>
  %e = tensor.empty() : tensor<6x96xf32>
  %0 = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
    ins(%x, %w : tensor<6x64xf32>, tensor<64x96xf32>) outs(%zero : tensor<6x96xf32>) -> tensor<6x96xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(a, c) -> (a, c)>, affine_map<(a, c) -> (a)>, affine_map<(a, c) -> (a, c)>],
      iterator_types = ["parallel", "parallel"]} ins(%0, %rows : tensor<6x96xf32>, tensor<6xf32>) outs(%e : tensor<6x96xf32>) {
    ^bb0(%p: f32, %b: f32, %o: f32):
      %s = arith.addf %p, %b : f32
      linalg.yield %s : f32
  } -> tensor<6x96xf32>
  %2 = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
    ins(%x, %w : tensor<6x64xf32>, tensor<64x96xf32>) outs(%zero : tensor<6x96xf32>) -> tensor<6x96xf32>
  %3 = linalg.generic {indexing_maps = [affine_map<(a, c) -> (a, c)>, affine_map<(a, c) -> (c)>, affine_map<(a, c) -> (a, c)>],
      iterator_types = ["parallel", "parallel"]} ins(%2, %columns : tensor<6x96xf32>, tensor<96xf32>) outs(%e : tensor<6x96xf32>) {
    ^bb0(%p: f32, %b: f32, %o: f32):
      %s = arith.mulf %p, %b : f32
      linalg.yield %s : f32
  } -> tensor<6x96xf32>
  return %1, %3 : tensor<6x96xf32>, tensor<6x96xf32>
}

// Rows are rounded to what the plan says; sums and the bias are f32.
// CHECK-LABEL: func.func @bf16(
// CHECK-SAME: %[[X:.*]]: tensor<?x64xf32>, %[[T:.*]]: index
// CHECK-DAG: %[[W:.*]] = moe.weight_ref @w
// CHECK: %[[E:.*]] = tensor.empty(%{{.*}}) : tensor<?x64xbf16>
// CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%[[X]] : tensor<?x64xf32>) outs(%[[E]] : tensor<?x64xbf16>)
// CHECK: arith.truncf %{{.*}} : f32 to bf16
// CHECK: moe.grouped_matmul %[[R]] weight(%[[W]] : tensor<64x96xf32>) outs(%{{.*}} : tensor<?x96xf32>)
// CHECK-SAME: plan = #moe.plan<packing = panel32, activations = "bf16">} : tensor<?x64xbf16> -> tensor<?x96xf32>
func.func @bf16(%x: tensor<?x64xf32>, %T: index) -> tensor<?x96xf32> {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%T) : tensor<?x96xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x96xf32>) -> tensor<?x96xf32>
  %0 = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "bf16">}
    ins(%x, %w : tensor<?x64xf32>, tensor<64x96xf32>) outs(%f : tensor<?x96xf32>) -> tensor<?x96xf32>
  return %0 : tensor<?x96xf32>
}

// Rows of bf16 that were widened are read as they were, behind a reshape too.
// CHECK-LABEL: func.func @widened(
// CHECK-SAME: %[[X:[^:]+]]: tensor<2x?x64xbf16>
// CHECK: %[[R:.*]] = tensor.collapse_shape %[[X]] {{.*}} into tensor<?x64xbf16>
// CHECK: moe.grouped_matmul %[[R]] {{.*}} : tensor<?x64xbf16> -> tensor<?x96xf32>
func.func @widened(%x: tensor<2x?x64xbf16>, %e: tensor<2x?x64xf32>, %T: index) -> tensor<?x96xf32> {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  %zero = arith.constant 0.0 : f32
  %wide = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b, c)>],
      iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<2x?x64xbf16>) outs(%e : tensor<2x?x64xf32>) {
    ^bb0(%a: bf16, %o: f32):
      %r = arith.extf %a : bf16 to f32
      linalg.yield %r : f32
  } -> tensor<2x?x64xf32>
  %rows = tensor.collapse_shape %wide [[0, 1], [2]] : tensor<2x?x64xf32> into tensor<?x64xf32>
  %o = tensor.empty(%T) : tensor<?x96xf32>
  %f = linalg.fill ins(%zero : f32) outs(%o : tensor<?x96xf32>) -> tensor<?x96xf32>
  %0 = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "bf16">}
    ins(%rows, %w : tensor<?x64xf32>, tensor<64x96xf32>) outs(%f : tensor<?x96xf32>) -> tensor<?x96xf32>
  return %0 : tensor<?x96xf32>
}

// DOC: --moe-fuse-dense-products --canonicalize
moe.weight @up : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 49152, length = 24576>)
// CHECK-LABEL: func.func @product_and_bias(
// CHECK: moe.grouped_matmul %{{.*}} bias(%{{.*}} : tensor<96xf32>)
// CHECK-NEXT: return
func.func @product_and_bias(%x: tensor<?x64xf32>, %bias: tensor<96xf32>, %T: index) -> tensor<?x96xf32> {
  %w = moe.weight_ref @up : tensor<64x96xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%T) : tensor<?x96xf32>
  %start = linalg.fill ins(%zero : f32) outs(%e : tensor<?x96xf32>) -> tensor<?x96xf32>
  %product = linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
      ins(%x, %w : tensor<?x64xf32>, tensor<64x96xf32>) outs(%start : tensor<?x96xf32>) -> tensor<?x96xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(t, n) -> (t, n)>, affine_map<(t, n) -> (n)>, affine_map<(t, n) -> (t, n)>],
      iterator_types = ["parallel", "parallel"]} ins(%product, %bias : tensor<?x96xf32>, tensor<96xf32>) outs(%e : tensor<?x96xf32>) {
    ^bb0(%p: f32, %b: f32, %out: f32):
      %sum = arith.addf %p, %b : f32
      linalg.yield %sum : f32
  } -> tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}
