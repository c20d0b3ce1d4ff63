// A combine becomes moe.sum_slots, for which the routing writes places; a dense product loses its plan alone.
// RUN: moe-opt %s --moe-cuda-split-products | FileCheck %s

// CHECK-LABEL: func.func @second
// DOC: --moe-cuda-split-products
func.func @second(%h: tensor<?x96xf32>, %z: tensor<?x8xf32>, %w2: tensor<8x64x96xf32>, %r: tensor<?xi32>, %s: tensor<?xf32>, %o: tensor<9xi32>,
                  %y: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // CHECK: %[[SLOTS:.*]] = tensor.empty(%{{.*}}) : tensor<?xi32>
  // CHECK: %[[R:.*]]:6 = moe.route_permute logits(%{{.*}}) outs(%{{.*}}, %[[SLOTS]] : {{.*}}tensor<?xi32>)
  %route:5 = moe.route_permute logits(%z : tensor<?x8xf32>) outs(%r, %s, %o, %r, %s : tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>)
      {experts = 8 : i64, router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>}
      -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>
  // CHECK: %[[ROWS:.*]] = moe.grouped_matmul %{{[a-z0-9]*}} offsets(%[[R]]#2 : tensor<9xi32>) weight(
  // CHECK-NOT: combine
  // CHECK-NOT: plan
  // CHECK: moe.sum_slots %[[ROWS]] places(%[[R]]#5 : tensor<?xi32>) weights(%[[R]]#1 : tensor<?xf32>)
  %out = moe.grouped_matmul %h offsets(%route#2 : tensor<9xi32>) weight(%w2 : tensor<8x64x96xf32>)
      combine(%route#0, %route#1 : tensor<?xi32>, tensor<?xf32>) outs(%y : tensor<?x64xf32>) {plan = #moe.plan<packing = panel32, activations = "f32">}
      : tensor<?x96xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// Two products that read one routing share its places.
// CHECK-LABEL: func.func @shared
// CHECK: moe.route_permute indices
// CHECK-NOT: moe.route_permute
// CHECK-COUNT-2: moe.sum_slots
func.func @shared(%h: tensor<6x96xf32>, %ids: tensor<3x2xi64>, %w2: tensor<8x64x96xf32>, %r: tensor<6xi32>, %s: tensor<6xf32>, %o: tensor<9xi32>,
                  %y: tensor<3x64xf32>) -> (tensor<3x64xf32>, tensor<3x64xf32>) {
  %route:3 = moe.route_permute indices(%ids : tensor<3x2xi64>) outs(%r, %s, %o : tensor<6xi32>, tensor<6xf32>, tensor<9xi32>) {experts = 8 : i64}
      -> tensor<6xi32>, tensor<6xf32>, tensor<9xi32>
  %0 = moe.grouped_matmul %h offsets(%route#2 : tensor<9xi32>) weight(%w2 : tensor<8x64x96xf32>)
      combine(%route#0, %route#1 : tensor<6xi32>, tensor<6xf32>) outs(%y : tensor<3x64xf32>) : tensor<6x96xf32> -> tensor<3x64xf32>
  %1 = moe.grouped_matmul %h offsets(%route#2 : tensor<9xi32>) weight(%w2 : tensor<8x64x96xf32>)
      combine(%route#0, %route#1 : tensor<6xi32>, tensor<6xf32>) outs(%y : tensor<3x64xf32>) : tensor<6x96xf32> -> tensor<3x64xf32>
  return %0, %1 : tensor<3x64xf32>, tensor<3x64xf32>
}

// A quantised weight will be packed, for rows of f32 whatever was planned.
// CHECK-LABEL: func.func @quantised
// CHECK: moe.grouped_matmul {{.*}} {plan = #moe.plan<packing = panel32, activations = "f32">}
func.func @quantised(%x: tensor<?x96xf32>, %q: tensor<64x96xi8>, %s: tensor<64xf32>, %y: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = moe.dequant %q scales(%s : tensor<64xf32>) <format = int8_channel> : tensor<64x96xi8> -> tensor<64x96xf32>
  %0 = moe.grouped_matmul %x weight(%w : tensor<64x96xf32>) outs(%y : tensor<?x64xf32>) {plan = #moe.plan<packing = panel32, activations = "int8">}
      : tensor<?x96xf32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}
