// RUN: moe-opt %s --moe-fuse-experts --split-input-file | FileCheck %s

// DOC: --moe-fuse-experts
// Ragged rows are multiplied where they lie; pairs of gate and up are a matter of the first product only.
// CHECK-LABEL: func.func @ragged
// CHECK-SAME: %[[ROWS:[^ :]+]]: tensor<?x64xf32>, %[[OFF:[^ :]+]]: tensor<9xi32>
// CHECK: %[[H:.*]] = moe.grouped_matmul %[[ROWS]] offsets(%[[OFF]] : tensor<9xi32>) weight({{.*}}) bias({{.*}}) outs({{.*}} : tensor<?x48xf32>)
// CHECK-SAME: ffn = #moe.ffn<activation = silu, gate = halves>
// CHECK-SAME: plan = #moe.plan<packing = gate_up16
// CHECK: %[[Y:.*]] = moe.grouped_matmul %[[H]] offsets(%[[OFF]] : tensor<9xi32>) weight({{.*}}) outs({{.*}} : tensor<?x64xf32>)
// CHECK-SAME: plan = #moe.plan<packing = panel32
// CHECK: return %[[Y]]
func.func @ragged(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %b: tensor<8x96xf32>, %d: tensor<8x64x48xf32>) -> tensor<?x64xf32> {
  %0 = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) gate_bias(%b : tensor<8x96xf32>) down(%d : tensor<8x64x48xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, plan = #moe.plan<packing = gate_up16, activations = "f32">} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

// Padded rows: expert e has rows e·C to (e + 1)·C, whatever moe.slots has counted.
// CHECK-LABEL: func.func @padded
// CHECK: %[[FLAT:.*]] = tensor.collapse_shape %{{.*}} {{\[\[}}0, 1], [2]] : tensor<8x?x64xf32> into tensor<?x64xf32>
// CHECK: %[[OFF:.*]] = linalg.generic
// CHECK: %[[E:.*]] = linalg.index 0
// CHECK: arith.muli %[[E]], %{{.*}} : index
// CHECK: %[[H:.*]] = moe.grouped_matmul %[[FLAT]] offsets(%[[OFF]] : tensor<9xi32>)
// CHECK: %[[Y:.*]] = moe.grouped_matmul %[[H]] offsets(%[[OFF]] : tensor<9xi32>)
// CHECK: tensor.expand_shape %[[Y]] {{\[\[}}0, 1], [2]]
func.func @padded(%x: tensor<8x?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x48x64xf32>, %d: tensor<8x64x48xf32>) -> tensor<8x?x64xf32> {
  %0 = moe.experts %x, %off gate(%g : tensor<8x48x64xf32>) down(%d : tensor<8x64x48xf32>) {ffn = #moe.ffn<activation = relu>}
    : tensor<8x?x64xf32>, tensor<9xi32> -> tensor<8x?x64xf32>
  return %0 : tensor<8x?x64xf32>
}

// -----

// In bf16 the rows are rounded once and the first product writes what the second reads; the result is what the graph has.
// CHECK-LABEL: func.func @bf16
// CHECK: %[[R:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<?x64xbf16>)
// CHECK: arith.truncf %{{.*}} : f32 to bf16
// CHECK: %[[H:.*]] = moe.grouped_matmul %[[R]] offsets({{.*}}) outs(%{{.*}} : tensor<?x48xbf16>)
// CHECK-SAME: plan = #moe.plan<packing = gate_up16, activations = "bf16">} : tensor<?x64xbf16> -> tensor<?x48xbf16>
// CHECK: %[[Y:.*]] = moe.grouped_matmul %[[H]] {{.*}} outs(%{{.*}} : tensor<?x64xf32>)
// CHECK-SAME: plan = #moe.plan<packing = panel32, activations = "bf16">} : tensor<?x48xbf16> -> tensor<?x64xf32>
// CHECK: return %[[Y]]
func.func @bf16(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x96x64xf32>, %d: tensor<8x64x48xf32>) -> tensor<?x64xf32> {
  %0 = moe.experts %x, %off gate(%g : tensor<8x96x64xf32>) down(%d : tensor<8x64x48xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, plan = #moe.plan<packing = gate_up16, activations = "bf16">} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

// Rows of bf16 are read as they are.
// CHECK-LABEL: func.func @bf16_rows(
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x64xbf16>
// CHECK-NOT: linalg.generic
// CHECK: moe.grouped_matmul %[[X]] {{.*}} : tensor<?x64xbf16> -> tensor<?x48xbf16>
// CHECK: %[[Y:.*]] = moe.grouped_matmul {{.*}} : tensor<?x48xbf16> -> tensor<?x64xbf16>
// CHECK: return %[[Y]]
func.func @bf16_rows(%x: tensor<?x64xbf16>, %off: tensor<9xi32>, %g: tensor<8x96x64xbf16>, %d: tensor<8x64x48xbf16>) -> tensor<?x64xbf16> {
  %0 = moe.experts %x, %off gate(%g : tensor<8x96x64xbf16>) down(%d : tensor<8x64x48xbf16>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, plan = #moe.plan<packing = gate_up16, activations = "bf16">} : tensor<?x64xbf16>, tensor<9xi32> -> tensor<?x64xbf16>
  return %0 : tensor<?x64xbf16>
}

// -----

// No kernel reads f16: the rows are widened once, the result is rounded.
// CHECK-LABEL: func.func @f16_rows(
// CHECK: arith.extf %{{.*}} : f16 to f32
// CHECK: moe.grouped_matmul {{.*}} : tensor<?x64xf32> -> tensor<?x48xf32>
// CHECK: moe.grouped_matmul {{.*}} : tensor<?x48xf32> -> tensor<?x64xf32>
// CHECK: arith.truncf %{{.*}} : f32 to f16
func.func @f16_rows(%x: tensor<?x64xf16>, %off: tensor<9xi32>, %g: tensor<8x96x64xf16>, %d: tensor<8x64x48xf16>) -> tensor<?x64xf16> {
  %0 = moe.experts %x, %off gate(%g : tensor<8x96x64xf16>) down(%d : tensor<8x64x48xf16>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, plan = #moe.plan<packing = gate_up16, activations = "f32">} : tensor<?x64xf16>, tensor<9xi32> -> tensor<?x64xf16>
  return %0 : tensor<?x64xf16>
}

// -----

// Rows that are rounded: the tokens' own steps are found from each expert's rows, what the first product gives has one scale, what the second reads one per expert.
// CHECK-LABEL: func.func @steps(
// CHECK-SAME: %[[ROWS:[^ :]+]]: tensor<?x64xf32>, %[[OFF:[^ :]+]]: tensor<3xi32>
// CHECK: %[[EXPERT:.*]] = linalg.generic {{.*}} ins(%[[OFF]] : tensor<3xi32>) outs(%{{.*}} : tensor<?xi32>)
// CHECK: arith.cmpi sle
// CHECK: arith.maximumf
// CHECK: arith.divf %{{.*}}, %cst{{.*}} : f32
// CHECK: %[[X:.*]] = linalg.generic {{.*}} ins(%[[ROWS]], %{{.*}}, %{{.*}} : tensor<?x64xf32>, tensor<?xf32>, tensor<?xf32>)
// CHECK: math.roundeven
// CHECK: %[[G:.*]] = moe.grouped_matmul %[[X]] offsets(%[[OFF]] : tensor<3xi32>) weight({{.*}} : tensor<2x96x64xf32>)
// CHECK-NOT: ffn
// CHECK-SAME: plan = #moe.plan<packing = panel32
// CHECK: %[[GR:.*]] = linalg.generic {{.*}} ins(%[[G]] : tensor<?x96xf32>)
// CHECK: %[[A:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<?x48xf32>)
// CHECK: tensor.extract %[[GR]]
// CHECK: %[[H:.*]] = linalg.generic {{.*}} ins(%[[A]], %{{.*}}, %{{.*}} : tensor<?x48xf32>, tensor<?xf32>, tensor<?xf32>)
// CHECK: %[[Y:.*]] = moe.grouped_matmul %[[H]] offsets(%[[OFF]] : tensor<3xi32>) weight({{.*}} : tensor<2x64x48xf32>)
// CHECK: return %[[Y]]
func.func @steps(%x: tensor<?x64xf32>, %off: tensor<3xi32>, %g: tensor<2x96x64xf32>, %d: tensor<2x64x48xf32>) -> tensor<?x64xf32> {
  %0 = moe.experts %x, %off gate(%g : tensor<2x96x64xf32>) down(%d : tensor<2x64x48xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, plan = #moe.plan<packing = gate_up16, activations = "f32">,
     steps = [#moe.steps<at = input, lower = 0, upper = 255>, #moe.steps<at = gate, lower = -128, upper = 127, scales = [0.5, 0.5], zeros = [3, 3]>,
              #moe.steps<at = hidden, lower = 0, upper = 255, scales = [0.5, 0.25], zeros = [0, 10]>]} : tensor<?x64xf32>, tensor<3xi32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

// The second weight is stored in another order than the first (DBRX).
// CHECK-LABEL: func.func @orders
// CHECK: moe.grouped_matmul {{.*}} weight({{.*}} : tensor<8x48x64xf32>) outs({{.*}} : tensor<?x48xf32>)
// CHECK-NOT: in_out
// CHECK: moe.grouped_matmul {{.*}} weight({{.*}} : tensor<8x48x64xf32>) outs({{.*}} : tensor<?x64xf32>)
// CHECK-SAME: order = #moe<weight_order in_out>
func.func @orders(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %g: tensor<8x48x64xf32>, %d: tensor<8x48x64xf32>) -> tensor<?x64xf32> {
  %0 = moe.experts %x, %off gate(%g : tensor<8x48x64xf32>) down(%d : tensor<8x48x64xf32>)
    {ffn = #moe.ffn<activation = relu>, down_order = #moe<weight_order in_out>} : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}
