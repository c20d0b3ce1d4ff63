// RUN: moe-opt %s --split-input-file --moe-plan-single-machine=activations=int8 --moe-verify-planned | FileCheck %s --check-prefixes=CHECK,INT8
// RUN: moe-opt %s --split-input-file --moe-plan-single-machine=activations=auto --moe-verify-planned | FileCheck %s --check-prefixes=CHECK,AUTO
// RUN: moe-opt %s --split-input-file --moe-plan-single-machine=activations=f32 --moe-verify-planned | FileCheck %s --check-prefix=F32 --implicit-check-not=int8\"
// RUN: moe-opt %s --split-input-file --moe-plan-single-machine=activations=int8 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK
// REMARK: remark: op 'linalg.matmul' and 1 other product keep activations in f32: its weights are not quantised to integers, which int8 kernels take
// REMARK-NOT: remark
// F32: activations = "f32"

moe.weight @w : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 0, length = 24576>)
moe.weight @codes : tensor<64x96xi8> source(#moe.file<"m.onnx", offset = 36864, length = 6144>)
moe.weight @scales : tensor<64xf32> source(#moe.file<"m.onnx", offset = 43008, length = 256>)
moe.weight @table : tensor<64x48xui8> source(#moe.file<"m.onnx", offset = 43264, length = 3072>)
moe.weight @blocks : tensor<64x3xf32> source(#moe.file<"m.onnx", offset = 46336, length = 768>)

// Integers; integers of a model that lets rows be int8, and one that wants f16; floats; a table.
// CHECK-LABEL: func.func @products
func.func @products(%x: tensor<?x64xf32>, %r: tensor<?x96xf32>, %y: tensor<?x96xf32>, %z: tensor<?x64xf32>)
    -> (tensor<?x96xf32>, tensor<?x96xf32>, tensor<?x96xf32>, tensor<?x96xf32>, tensor<?x64xf32>) {
  %w = moe.weight_ref @w : tensor<64x96xf32>
  %codes = moe.weight_ref @codes : tensor<64x96xi8>
  %scales = moe.weight_ref @scales : tensor<64xf32>
  %table = moe.weight_ref @table : tensor<64x48xui8>
  %blocks = moe.weight_ref @blocks : tensor<64x3xf32>
  %q = moe.dequant %codes scales(%scales : tensor<64xf32>) <format = int8_channel> : tensor<64x96xi8> -> tensor<64x96xf32>
  %q4 = moe.dequant %codes scales(%scales : tensor<64xf32>) <format = int8_channel> {accuracy_level = 4 : i64} : tensor<64x96xi8> -> tensor<64x96xf32>
  %q2 = moe.dequant %codes scales(%scales : tensor<64xf32>) <format = int8_channel> {accuracy_level = 2 : i64} : tensor<64x96xi8> -> tensor<64x96xf32>
  %n = moe.dequant %table scales(%blocks : tensor<64x3xf32>) <format = nf4, group_size = 32> : tensor<64x48xui8> -> tensor<64x96xf32>
  // INT8: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "int8">}
  // AUTO: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
  %0 = linalg.matmul ins(%x, %q : tensor<?x64xf32>, tensor<64x96xf32>) outs(%y : tensor<?x96xf32>) -> tensor<?x96xf32>
  // CHECK: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "int8">}
  %1 = linalg.matmul ins(%x, %q4 : tensor<?x64xf32>, tensor<64x96xf32>) outs(%y : tensor<?x96xf32>) -> tensor<?x96xf32>
  // INT8: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "int8">}
  // AUTO: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
  %2 = linalg.matmul ins(%x, %q2 : tensor<?x64xf32>, tensor<64x96xf32>) outs(%y : tensor<?x96xf32>) -> tensor<?x96xf32>
  // CHECK: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
  %3 = linalg.matmul ins(%x, %w : tensor<?x64xf32>, tensor<64x96xf32>) outs(%y : tensor<?x96xf32>) -> tensor<?x96xf32>
  // CHECK: linalg.matmul indexing_maps = {{.*}} {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
  %4 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%r, %n : tensor<?x96xf32>, tensor<64x96xf32>) outs(%z : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %0, %1, %2, %3, %4 : tensor<?x96xf32>, tensor<?x96xf32>, tensor<?x96xf32>, tensor<?x96xf32>, tensor<?x64xf32>
}

// -----

// The plan of experts holds for the products that it can hold for; auto wants the word of all weights.
// CHECK-LABEL: func.func @experts
func.func @experts(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %d: tensor<8x64x96xf32>, %g: tensor<8x96x64xi8>, %gs: tensor<8x96xf32>,
    %q: tensor<8x64x96xi8>, %s: tensor<8x64xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>) {
  %w1 = moe.dequant %g scales(%gs : tensor<8x96xf32>) <format = int8_channel> {accuracy_level = 4 : i64} : tensor<8x96x64xi8> -> tensor<8x96x64xf32>
  %w2 = moe.dequant %q scales(%s : tensor<8x64xf32>) <format = int8_channel> {accuracy_level = 4 : i64} : tensor<8x64x96xi8> -> tensor<8x64x96xf32>
  %w3 = moe.dequant %q scales(%s : tensor<8x64xf32>) <format = int8_channel> : tensor<8x64x96xi8> -> tensor<8x64x96xf32>
  // CHECK: moe.experts {{.*}}plan = #moe.plan<packing = panel32, activations = "int8">
  %0 = moe.experts %x, %off gate(%w1 : tensor<8x96x64xf32>) down(%w2 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // INT8: moe.experts {{.*}}plan = #moe.plan<packing = panel32, activations = "int8">
  // AUTO: moe.experts {{.*}}plan = #moe.plan<packing = panel32, activations = "f32">
  %1 = moe.experts %x, %off gate(%w1 : tensor<8x96x64xf32>) down(%w3 : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  // INT8: moe.experts {{.*}}plan = #moe.plan<packing = panel32, activations = "int8">
  // AUTO: moe.experts {{.*}}plan = #moe.plan<packing = panel32, activations = "f32">
  %2 = moe.experts %x, %off gate(%w1 : tensor<8x96x64xf32>) down(%d : tensor<8x64x96xf32>) {ffn = #moe.ffn<activation = relu>}
    : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return %0, %1, %2 : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>
}

// -----

// A router stays f32 whatever its weights.
moe.weight @codes : tensor<64x8xi8> source(#moe.file<"m.onnx", offset = 0, length = 512>)
moe.weight @scales : tensor<64xf32> source(#moe.file<"m.onnx", offset = 512, length = 256>)
// CHECK-LABEL: func.func @router
func.func @router(%x: tensor<?x64xf32>, %z: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %codes = moe.weight_ref @codes : tensor<64x8xi8>
  %scales = moe.weight_ref @scales : tensor<64xf32>
  %w = moe.dequant %codes scales(%scales : tensor<64xf32>) <format = int8_channel> {accuracy_level = 4 : i64} : tensor<64x8xi8> -> tensor<64x8xf32>
  // CHECK: linalg.matmul {moe.plan = #moe.plan<packing = panel32, activations = "f32">}
  %logits = linalg.matmul ins(%x, %w : tensor<?x64xf32>, tensor<64x8xf32>) outs(%z : tensor<?x8xf32>) -> tensor<?x8xf32>
  %scores, %choice = moe.score softmax %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  return %scores, %choice : tensor<?x8xf32>, tensor<?x8xf32>
}
