// What the CPU kernels do not take is an error that says what was found.
// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-cpu-emit-kernels=features=+avx2,+fma

func.func @plain(%x: memref<?x64xf32>, %w: memref<96x64xf32>, %out: memref<?x96xf32>) {
  // expected-error @+1 {{CPU kernels read packed weights (panel32 or gate_up16); found packing plain}}
  moe.grouped_matmul %x weight(%w : memref<96x64xf32>) outs(%out : memref<?x96xf32>) : memref<?x64xf32>
  return
}

// -----

func.func @tensors(%x: tensor<?x64xf32>, %w: tensor<3x64x32xf32>, %out: tensor<?x96xf32>) -> tensor<?x96xf32> {
  // expected-error @+1 {{kernel emission needs memrefs, but 'x' is 'tensor<?x64xf32>'}}
  %y = moe.grouped_matmul %x weight(%w : tensor<3x64x32xf32>) outs(%out : tensor<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64} : tensor<?x64xf32> -> tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}

// -----

func.func @half(%x: memref<?x64xf16>, %w: memref<3x64x32xf32>, %out: memref<?x96xf16>) {
  // expected-error @+1 {{'x' must have elements of f32, found 'f16'}}
  moe.grouped_matmul %x weight(%w : memref<3x64x32xf32>) outs(%out : memref<?x96xf16>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64} : memref<?x64xf16>
  return
}

// -----

// Rows of several experts add up: only in f32.
func.func @rounded_sums(%x: memref<?x64xbf16>, %off: memref<3xi32>, %w: memref<2x3x32x32x2xbf16>, %r: memref<?xi32>, %c: memref<?xf32>,
    %out: memref<?x96xbf16>) {
  // expected-error @+1 {{'outs' must have elements of f32, found 'bf16'}}
  moe.grouped_matmul %x offsets(%off : memref<3xi32>) weight(%w : memref<2x3x32x32x2xbf16>) combine(%r, %c : memref<?xi32>, memref<?xf32>)
      outs(%out : memref<?x96xbf16>) {packing = #moe<packing_family panel32>, columns = 96 : i64} : memref<?x64xbf16>
  return
}

// -----

func.func @blocks_and_halves(%x: memref<?x64xbf16>, %w: memref<1x3x2304xi8>, %out: memref<?x96xf32>) {
  // expected-error @+1 {{'x' must have elements of f32, found 'bf16'}}
  moe.grouped_matmul %x weight(%w : memref<1x3x2304xi8>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64, blocks = #moe.blocks<code = int8, group = 32, scale = f32>} : memref<?x64xbf16>
  return
}

// -----

func.func @columns_apart(%x: memref<?x64xf32, strided<[128, 2]>>, %w: memref<3x64x32xf32>, %out: memref<?x96xf32>) {
  // expected-error @+1 {{'x' must be dense in its last dim}}
  moe.grouped_matmul %x weight(%w : memref<3x64x32xf32>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64} : memref<?x64xf32, strided<[128, 2]>>
  return
}

// -----

func.func @score(%z: memref<?x8xf32>, %r: memref<?xi32>, %w: memref<?xf32>, %off: memref<9xi32>, %c: memref<?xi32>, %cw: memref<?xf32>) {
  // expected-error @+1 {{the CPU router kernel has no score function sqrt_softplus}}
  moe.route_permute logits(%z : memref<?x8xf32>)
      outs(%r, %w, %off, %c, %cw : memref<?xi32>, memref<?xf32>, memref<9xi32>, memref<?xi32>, memref<?xf32>)
      {experts = 8 : i64, router = #moe.router<function = sqrt_softplus, k = 2, source = gather, norm = l1>}
  return
}

// -----

func.func @attention_tensors(%q: tensor<1x2x?x16xf32>, %o: tensor<1x2x?x16xf32>, %e: tensor<1x2x?x864xf32>) {
  // expected-error @+1 {{kernel emission needs memrefs, but 'q' is 'tensor<1x2x?x16xf32>'}}
  %0:2 = moe.attention q(%q : tensor<1x2x?x16xf32>) k(%q : tensor<1x2x?x16xf32>) v(%q : tensor<1x2x?x16xf32>)
      outs(%o, %e : tensor<1x2x?x16xf32>, tensor<1x2x?x864xf32>) {scale = 1.0 : f64} -> tensor<1x2x?x16xf32>, tensor<1x2x?x864xf32>
  return
}

// -----

func.func @attention_columns_apart(%q: memref<1x2x?x16xf32, strided<[?, ?, ?, 2]>>, %o: memref<1x2x?x16xf32>, %e: memref<1x2x?x864xf32>) {
  // expected-error @+1 {{'q' must be dense in its last dim}}
  moe.attention q(%q : memref<1x2x?x16xf32, strided<[?, ?, ?, 2]>>) k(%o : memref<1x2x?x16xf32>) v(%o : memref<1x2x?x16xf32>)
      outs(%o, %e : memref<1x2x?x16xf32>, memref<1x2x?x864xf32>) {scale = 1.0 : f64}
  return
}
