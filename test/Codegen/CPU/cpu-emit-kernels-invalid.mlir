// What the CPU kernels do not take is an error that says what was found.
// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-cpu-emit-kernels=features=+avx2,+fma

func.func @plain(%x: memref<?x64xf32>, %w: memref<1x96x64xf32>, %out: memref<?x96xf32>) {
  // expected-error @+1 {{CPU kernels read packed weights (panel32 or gate_up16); found packing plain}}
  moe.grouped_matmul %x weight(%w : memref<1x96x64xf32>) outs(%out : memref<?x96xf32>) : memref<?x64xf32>
  return
}

// -----

func.func @tensors(%x: tensor<?x64xf32>, %w: tensor<3x64x32xf32>, %out: tensor<?x96xf32>) -> tensor<?x96xf32> {
  // expected-error @+1 {{kernel emission needs memrefs, but 'x' is 'tensor<?x64xf32>'}}
  %y = moe.grouped_matmul %x weight(%w : tensor<3x64x32xf32>) outs(%out : tensor<?x96xf32>)
      {packing = #moe<packing_family panel32>} : tensor<?x64xf32> -> tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}

// -----

func.func @half(%x: memref<?x64xf16>, %w: memref<3x64x32xf32>, %out: memref<?x96xf32>) {
  // expected-error @+1 {{'x' must have elements of f32, found 'f16'}}
  moe.grouped_matmul %x weight(%w : memref<3x64x32xf32>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>} : memref<?x64xf16>
  return
}

// -----

func.func @panels(%x: memref<?x64xf32>, %w: memref<3x64x32xf32>, %out: memref<?x97xf32>) {
  // expected-error @+1 {{panels for the columns of 'outs': expected 4, found 3}}
  moe.grouped_matmul %x weight(%w : memref<3x64x32xf32>) outs(%out : memref<?x97xf32>)
      {packing = #moe<packing_family panel32>} : memref<?x64xf32>
  return
}

// -----

func.func @depth(%x: memref<?x63xf32>, %w: memref<3x64x32xf32>, %out: memref<?x96xf32>) {
  // expected-error @+1 {{columns of 'x': expected 64, found 63}}
  moe.grouped_matmul %x weight(%w : memref<3x64x32xf32>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>} : memref<?x63xf32>
  return
}

// -----

func.func @experts(%x: memref<?x64xf32>, %off: memref<8xi32>, %w: memref<8x3x64x32xf32>, %out: memref<?x96xf32>) {
  // expected-error @+1 {{length of 'offsets': expected 9, found 8}}
  moe.grouped_matmul %x offsets(%off : memref<8xi32>) weight(%w : memref<8x3x64x32xf32>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>} : memref<?x64xf32>
  return
}

// -----

func.func @no_gate(%x: memref<?x64xf32>, %w: memref<6x64x32xf32>, %out: memref<?x96xf32>) {
  // expected-error @+1 {{a gated ffn goes with packing gate_up16 and no other does; found packing gate_up16 without a gate}}
  moe.grouped_matmul %x weight(%w : memref<6x64x32xf32>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family gate_up16>, ffn = #moe.ffn<activation = silu>} : memref<?x64xf32>
  return
}

// -----

func.func @bias(%x: memref<?x64xf32>, %w: memref<6x64x32xf32>, %b: memref<96xf32>, %out: memref<?x96xf32>) {
  // expected-error @+1 {{columns of 'bias': expected 192, found 96}}
  moe.grouped_matmul %x weight(%w : memref<6x64x32xf32>) bias(%b : memref<96xf32>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family gate_up16>, ffn = #moe.ffn<activation = silu, gate = halves>} : memref<?x64xf32>
  return
}

// -----

func.func @columns_apart(%x: memref<?x64xf32, strided<[128, 2]>>, %w: memref<3x64x32xf32>, %out: memref<?x96xf32>) {
  // expected-error @+1 {{'x' must be dense in its last dim}}
  moe.grouped_matmul %x weight(%w : memref<3x64x32xf32>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>} : memref<?x64xf32, strided<[128, 2]>>
  return
}

// -----

func.func @scratch(%z: memref<?x8xf32>, %r: memref<?xi32>, %w: memref<?xf32>, %off: memref<9xi32>) {
  // expected-error @+1 {{has 3 outs; expected rows, slot_weights, offsets and the scratch chosen and chosen_weights}}
  moe.route_permute logits(%z : memref<?x8xf32>) outs(%r, %w, %off : memref<?xi32>, memref<?xf32>, memref<9xi32>)
      {experts = 8 : i64, router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>}
  return
}

// -----

func.func @too_many(%z: memref<?x8xf32>, %r: memref<?xi32>, %w: memref<?xf32>, %off: memref<9xi32>, %c: memref<?xi32>, %cw: memref<?xf32>) {
  // expected-error @+1 {{router selects 9 of 8 experts}}
  moe.route_permute logits(%z : memref<?x8xf32>)
      outs(%r, %w, %off, %c, %cw : memref<?xi32>, memref<?xf32>, memref<9xi32>, memref<?xi32>, memref<?xf32>)
      {experts = 8 : i64, router = #moe.router<function = softmax, k = 9, source = gather, norm = l1>}
  return
}

// -----

func.func @score(%z: memref<?x8xf32>, %r: memref<?xi32>, %w: memref<?xf32>, %off: memref<9xi32>, %c: memref<?xi32>, %cw: memref<?xf32>) {
  // expected-error @+1 {{the CPU router kernel has no score function sinkhorn}}
  moe.route_permute logits(%z : memref<?x8xf32>)
      outs(%r, %w, %off, %c, %cw : memref<?xi32>, memref<?xf32>, memref<9xi32>, memref<?xi32>, memref<?xf32>)
      {experts = 8 : i64, router = #moe.router<function = sinkhorn, k = 2, source = gather, norm = l1>}
  return
}

// -----

func.func @float_ids(%i: memref<?x2xf32>, %r: memref<?xi32>, %w: memref<?xf32>, %off: memref<9xi32>) {
  // expected-error @+1 {{'indices' must have elements of i32 or i64, found 'f32'}}
  moe.route_permute indices(%i : memref<?x2xf32>) outs(%r, %w, %off : memref<?xi32>, memref<?xf32>, memref<9xi32>) {experts = 8 : i64}
  return
}
