// Activations in bf16: a dense product with a bias and a layer, all sizes odd, compiled for every ISA version that this CPU has. The
// numbers and the error that each may have are numpy's (Inputs/check_bf16.py).
//
// REQUIRES: python-onnx
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check_bf16.py %s %t | FileCheck %s --check-prefix=VERSION
// VERSION-DAG: {{^}}x86-64: dense, logits and layer hold, 1 and 3 threads agree
// VERSION-DAG: {{^}}avx2: {{dense, logits and layer hold, 1 and 3 threads agree|not on this CPU}}
// VERSION-DAG: {{^}}avx512: {{dense, logits and layer hold, 1 and 3 threads agree|not on this CPU}}
// VERSION-DAG: {{^}}avx512bf16: {{dense, logits and layer hold, 1 and 3 threads agree|not on this CPU}}
//
// Rows are rounded by loops that are visible, once each; the first product of the layer writes what the second reads; the router stays.
// RUN: moe-compile %s --activations=bf16 --compile-to=fuse -o - | FileCheck %s
// CHECK: arith.truncf
// CHECK-DAG: moe.grouped_matmul %{{.*}} weight(%{{.*}} : tensor<37x63xf32>) bias({{.*}}) {{.*}}activations = "bf16">} : tensor<?x63xbf16> -> tensor<?x37xf32>
// CHECK-DAG: moe.grouped_matmul %{{.*}} weight(%{{.*}} : tensor<4x63xf32>) {{.*}}activations = "f32">} : tensor<?x63xf32> -> tensor<?x4xf32>
// CHECK-DAG: moe.grouped_matmul %{{.*}} rows({{.*}} : tensor<4x54x63xf32>) {{.*}}activations = "bf16">} : tensor<?x63xbf16> -> tensor<?x27xbf16>
// CHECK-DAG: moe.grouped_matmul %{{.*}} : tensor<4x63x27xf32>) combine({{.*}}activations = "bf16">} : tensor<?x27xbf16> -> tensor<?x63xf32>

moe.weight @dense : tensor<37x63xf32> source(#moe.file<"weights.bin", offset = 0, length = 9324>)
moe.weight @bias : tensor<37xf32> source(#moe.file<"weights.bin", offset = 9324, length = 148>)
moe.weight @router : tensor<4x63xf32> source(#moe.file<"weights.bin", offset = 9472, length = 1008>)
moe.weight @gate_up : tensor<4x54x63xf32> source(#moe.file<"weights.bin", offset = 10480, length = 54432>)
moe.weight @down : tensor<4x63x27xf32> source(#moe.file<"weights.bin", offset = 64912, length = 27216>)

func.func @main(%x: tensor<?x63xf32> {moe.name = "x", moe.dims = ["tokens", "63"]})
    -> (tensor<?x37xf32> {moe.name = "dense", moe.dims = ["tokens", "37"]},
        tensor<?x4xf32> {moe.name = "logits", moe.dims = ["tokens", "4"]},
        tensor<?x63xf32> {moe.name = "layer", moe.dims = ["tokens", "63"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %dense = moe.weight_ref @dense : tensor<37x63xf32>
  %bias = moe.weight_ref @bias : tensor<37xf32>
  %router = moe.weight_ref @router : tensor<4x63xf32>
  %gate_up = moe.weight_ref @gate_up : tensor<4x54x63xf32>
  %down = moe.weight_ref @down : tensor<4x63x27xf32>
  %tokens = tensor.dim %x, %c0 : tensor<?x63xf32>
  %empty = tensor.empty(%tokens) : tensor<?x37xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x37xf32>) -> tensor<?x37xf32>
  %product = linalg.matmul
      indexing_maps = [affine_map<(t, n, k) -> (t, k)>, affine_map<(t, n, k) -> (n, k)>, affine_map<(t, n, k) -> (t, n)>]
      ins(%x, %dense : tensor<?x63xf32>, tensor<37x63xf32>) outs(%init : tensor<?x37xf32>) -> tensor<?x37xf32>
  %sum = linalg.generic
      {indexing_maps = [affine_map<(t, n) -> (t, n)>, affine_map<(t, n) -> (n)>, affine_map<(t, n) -> (t, n)>],
       iterator_types = ["parallel", "parallel"]}
      ins(%product, %bias : tensor<?x37xf32>, tensor<37xf32>) outs(%empty : tensor<?x37xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?x37xf32>
  %empty4 = tensor.empty(%tokens) : tensor<?x4xf32>
  %init4 = linalg.fill ins(%zero : f32) outs(%empty4 : tensor<?x4xf32>) -> tensor<?x4xf32>
  %logits = linalg.matmul
      indexing_maps = [affine_map<(t, e, h) -> (t, h)>, affine_map<(t, e, h) -> (e, h)>, affine_map<(t, e, h) -> (t, e)>]
      ins(%x, %router : tensor<?x63xf32>, tensor<4x63xf32>) outs(%init4 : tensor<?x4xf32>) -> tensor<?x4xf32>
  %y = moe.layer %x, %logits gate(%gate_up : tensor<4x54x63xf32>) down(%down : tensor<4x63x27xf32>)
      router(<function = softmax, k = 2, source = gather, norm = l1>) ffn(<activation = silu, gate = halves>)
      {origin = #moe.origin<"layer", "mlir">} : tensor<?x63xf32>, tensor<?x4xf32> -> tensor<?x63xf32>
  return %sum, %logits, %y : tensor<?x37xf32>, tensor<?x4xf32>, tensor<?x63xf32>
}
