// RUN: moe-opt %s --split-input-file --moe-fuse-record-loads --verify-diagnostics

// Outputs are found by the name of the layer.

moe.weight @w1 : tensor<4x192x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 196608>)
moe.weight @w2 : tensor<4x64x96xf32> source(#moe.file<"m.onnx", offset = 196608, length = 98304>)
func.func @twice(%x: tensor<?x64xf32>, %choice: tensor<?x4xf32>, %w: tensor<?xf32>) -> tensor<?x64xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x192x64xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x64x96xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x4xf32> {k = 1 : i64}
    -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v
    {experts = 4 : i64, capacity = #moe.capacity<base = assignments, numerator = 1, denominator = 4, rounding = ceil>}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<5xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<4x192x64xf32>) down(%w2 : tensor<4x64x96xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layer1", "mlir">, plan = #moe.plan<packing = gate_up16, activations = "f32">}
    : tensor<?x64xf32>, tensor<5xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  // expected-error@+1 {{expected one layer of the name 'layer1' to record loads of, found a second}}
  %slotb, %keepb, %countb, %offsetb = moe.slots %t, %e, %r, %v
    {experts = 4 : i64, capacity = #moe.capacity<base = assignments, numerator = 1, denominator = 4, rounding = ceil>}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  %rowsb = moe.dispatch ragged %x, %t, %e, %slotb, %keepb, %offsetb
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<5xi32> -> tensor<?x64xf32>
  %yb = moe.experts %rowsb, %offsetb gate(%w1 : tensor<4x192x64xf32>) down(%w2 : tensor<4x64x96xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layer1", "mlir">, plan = #moe.plan<packing = gate_up16, activations = "f32">}
    : tensor<?x64xf32>, tensor<5xi32> -> tensor<?x64xf32>
  %outb = moe.combine %yb, %t, %e, %slotb, %keepb, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  %sum = arith.addf %out, %outb : tensor<?x64xf32>
  return %sum : tensor<?x64xf32>
}

// -----

moe.weight @w1 : tensor<4x192x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 196608>)
moe.weight @w2 : tensor<4x64x96xf32> source(#moe.file<"m.onnx", offset = 196608, length = 98304>)
func.func @unnamed(%x: tensor<?x64xf32>, %choice: tensor<?x4xf32>, %w: tensor<?xf32>) -> tensor<?x64xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x192x64xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x64x96xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x4xf32> {k = 1 : i64}
    -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  // expected-remark@+1 {{the loads of these experts are not recorded: their layer has no name}}
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v
    {experts = 4 : i64, capacity = #moe.capacity<base = assignments, numerator = 1, denominator = 4, rounding = ceil>}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<5xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<4x192x64xf32>) down(%w2 : tensor<4x64x96xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, plan = #moe.plan<packing = gate_up16, activations = "f32">}
    : tensor<?x64xf32>, tensor<5xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// -----

// A branch that is not taken counts nothing.

moe.weight @w1 : tensor<4x192x64xf32> source(#moe.file<"m.onnx", offset = 0, length = 196608>)
moe.weight @w2 : tensor<4x64x96xf32> source(#moe.file<"m.onnx", offset = 196608, length = 98304>)
func.func @loop(%x: tensor<?x64xf32>, %choice: tensor<?x4xf32>, %w: tensor<?xf32>, %flag: i1) -> tensor<?x64xf32> attributes {moe.entry} {
  %c0 = arith.constant 0 : index
  %T = tensor.dim %x, %c0 : tensor<?x64xf32>
  %w1 = moe.weight_ref @w1 : tensor<4x192x64xf32>
  %w2 = moe.weight_ref @w2 : tensor<4x64x96xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x4xf32> {k = 1 : i64}
    -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %res = scf.if %flag -> tensor<?x64xf32> {
  // expected-remark@+1 {{the loads of layer 'layer1' are not recorded: not every run computes it, or computes it once}}
  %slot, %keep, %count, %offset = moe.slots %t, %e, %r, %v
    {experts = 4 : i64, capacity = #moe.capacity<base = assignments, numerator = 1, denominator = 4, rounding = ceil>}
    : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %offset
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<5xi32> -> tensor<?x64xf32>
  %y = moe.experts %rows, %offset gate(%w1 : tensor<4x192x64xf32>) down(%w2 : tensor<4x64x96xf32>)
    {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layer1", "mlir">, plan = #moe.plan<packing = gate_up16, activations = "f32">}
    : tensor<?x64xf32>, tensor<5xi32> -> tensor<?x64xf32>
  %out = moe.combine %y, %t, %e, %slot, %keep, %w tokens(%T)
    : tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x64xf32>
  scf.yield %out : tensor<?x64xf32>
  } else {
  scf.yield %x : tensor<?x64xf32>
  }
  return %res : tensor<?x64xf32>
}
