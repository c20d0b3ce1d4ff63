// Every op and attribute of the kernel ops, on tensors and on memrefs, is printed as it is read, in the short and in the generic form.
// RUN: moe-opt %s | moe-opt | FileCheck %s
// RUN: moe-opt %s --mlir-print-op-generic | moe-opt | FileCheck %s

// CHECK-LABEL: func.func @route_permute(
func.func @route_permute(%z: tensor<?x8xf32>, %a: tensor<?xi32>, %b: tensor<?xf32>, %c: tensor<9xi32>, %i: tensor<?x2xi64>, %w: tensor<?x2xf32>, %l: memref<?x8xf32>, %m: memref<?xi32>, %n: memref<?xf32>, %k: memref<9xi32>) {
  // CHECK: moe.route_permute logits(%{{[^ ,:)]+}} : tensor<?x8xf32>) outs(%{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} : tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>) {experts = 8 : i64, router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>} -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>
  %o0:5 = moe.route_permute logits(%z : tensor<?x8xf32>) outs(%a, %b, %c, %a, %b : tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>) {experts = 8 : i64, router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>} -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>, tensor<?xi32>, tensor<?xf32>
  // CHECK: moe.route_permute indices(%{{[^ ,:)]+}} : tensor<?x2xi64>) weights(%{{[^ ,:)]+}} : tensor<?x2xf32>) outs(%{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} : tensor<?xi32>, tensor<?xf32>, tensor<9xi32>) {experts = 8 : i64} -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>
  %o1:3 = moe.route_permute indices(%i : tensor<?x2xi64>) weights(%w : tensor<?x2xf32>) outs(%a, %b, %c : tensor<?xi32>, tensor<?xf32>, tensor<9xi32>) {experts = 8 : i64} -> tensor<?xi32>, tensor<?xf32>, tensor<9xi32>
  // CHECK: moe.route_permute logits(%{{[^ ,:)]+}} : memref<?x8xf32>) outs(%{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}} : memref<?xi32>, memref<?xf32>, memref<9xi32>, memref<?xi32>, memref<?xf32>) {experts = 8 : i64, router = #moe.router<function = sqrt_softplus, k = 2, source = gather, norm = l1>}
  moe.route_permute logits(%l : memref<?x8xf32>) outs(%m, %n, %k, %m, %n : memref<?xi32>, memref<?xf32>, memref<9xi32>, memref<?xi32>, memref<?xf32>) {experts = 8 : i64, router = #moe.router<function = sqrt_softplus, k = 2, source = gather, norm = l1>}
  return
}

// CHECK-LABEL: func.func @grouped_matmul(
func.func @grouped_matmul(%x: tensor<?x64xf32>, %off: tensor<9xi32>, %t: tensor<?xi32>, %w: tensor<?xf32>, %g: tensor<96x64xf32>, %y: tensor<?x96xf32>, %e: tensor<8x96x64xf32>, %b: tensor<8x96xf32>, %h: tensor<64x96xf32>, %q: memref<?x64xf32>, %p: memref<1x3x64x32xf32>, %v: memref<96xf32>, %m: memref<?x96xf32>, %u: memref<9xi32>, %s: memref<8x3x64x32xf32>, %z: memref<8x40xf32>, %n: memref<?x40xf32>) {
  // CHECK: moe.grouped_matmul %{{[^ ,:)]+}} weight(%{{[^ ,:)]+}} : tensor<96x64xf32>) outs(%{{[^ ,:)]+}} : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  %o0 = moe.grouped_matmul %x weight(%g : tensor<96x64xf32>) outs(%y : tensor<?x96xf32>) : tensor<?x64xf32> -> tensor<?x96xf32>
  // CHECK: moe.grouped_matmul %{{[^ ,:)]+}} rows(%{{[^ ,:)]+}} : tensor<?xi32>) offsets(%{{[^ ,:)]+}} : tensor<9xi32>) weight(%{{[^ ,:)]+}} : tensor<8x96x64xf32>) bias(%{{[^ ,:)]+}} : tensor<8x96xf32>) up(%{{[^ ,:)]+}} : tensor<8x96x64xf32>) up_bias(%{{[^ ,:)]+}} : tensor<8x96xf32>) outs(%{{[^ ,:)]+}} : tensor<?x96xf32>) {ffn = #moe.ffn<activation = silu, gate = separate>} : tensor<?x64xf32> -> tensor<?x96xf32>
  %o1 = moe.grouped_matmul %x rows(%t : tensor<?xi32>) offsets(%off : tensor<9xi32>) weight(%e : tensor<8x96x64xf32>) bias(%b : tensor<8x96xf32>) up(%e : tensor<8x96x64xf32>) up_bias(%b : tensor<8x96xf32>) outs(%y : tensor<?x96xf32>) {ffn = #moe.ffn<activation = silu, gate = separate>} : tensor<?x64xf32> -> tensor<?x96xf32>
  // CHECK: moe.grouped_matmul %{{[^ ,:)]+}} offsets(%{{[^ ,:)]+}} : tensor<9xi32>) weight(%{{[^ ,:)]+}} : tensor<8x96x64xf32>) combine(%{{[^ ,:)]+}}, %{{[^ ,:)]+}} : tensor<?xi32>, tensor<?xf32>) outs(%{{[^ ,:)]+}} : tensor<?x96xf32>) {origin = #moe.origin<"layer 0", "mlir">, plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x64xf32> -> tensor<?x96xf32>
  %o2 = moe.grouped_matmul %x offsets(%off : tensor<9xi32>) weight(%e : tensor<8x96x64xf32>) combine(%t, %w : tensor<?xi32>, tensor<?xf32>) outs(%y : tensor<?x96xf32>) {origin = #moe.origin<"layer 0", "mlir">, plan = #moe.plan<packing = panel32, activations = "f32">} : tensor<?x64xf32> -> tensor<?x96xf32>
  // CHECK: moe.grouped_matmul %{{[^ ,:)]+}} weight(%{{[^ ,:)]+}} : tensor<64x96xf32>) outs(%{{[^ ,:)]+}} : tensor<?x96xf32>) {order = #moe<weight_order in_out>} : tensor<?x64xf32> -> tensor<?x96xf32>
  %o3 = moe.grouped_matmul %x weight(%h : tensor<64x96xf32>) outs(%y : tensor<?x96xf32>) {order = #moe<weight_order in_out>} : tensor<?x64xf32> -> tensor<?x96xf32>
  // CHECK: moe.grouped_matmul %{{[^ ,:)]+}} weight(%{{[^ ,:)]+}} : memref<1x3x64x32xf32>) bias(%{{[^ ,:)]+}} : memref<96xf32>) outs(%{{[^ ,:)]+}} : memref<?x96xf32>) {columns = 96 : i64, packing = #moe<packing_family panel32>} : memref<?x64xf32>
  moe.grouped_matmul %q weight(%p : memref<1x3x64x32xf32>) bias(%v : memref<96xf32>) outs(%m : memref<?x96xf32>) {columns = 96 : i64, packing = #moe<packing_family panel32>} : memref<?x64xf32>
  // CHECK: moe.grouped_matmul %{{[^ ,:)]+}} offsets(%{{[^ ,:)]+}} : memref<9xi32>) weight(%{{[^ ,:)]+}} : memref<8x3x64x32xf32>) bias(%{{[^ ,:)]+}} : memref<8x40xf32>) up_bias(%{{[^ ,:)]+}} : memref<8x40xf32>) outs(%{{[^ ,:)]+}} : memref<?x40xf32>) {columns = 80 : i64, ffn = #moe.ffn<activation = silu, gate = separate>, packing = #moe<packing_family gate_up16>} : memref<?x64xf32>
  moe.grouped_matmul %q offsets(%u : memref<9xi32>) weight(%s : memref<8x3x64x32xf32>) bias(%z : memref<8x40xf32>) up_bias(%z : memref<8x40xf32>) outs(%n : memref<?x40xf32>) {columns = 80 : i64, ffn = #moe.ffn<activation = silu, gate = separate>, packing = #moe<packing_family gate_up16>} : memref<?x64xf32>
  return
}

// CHECK-LABEL: func.func @concat(
func.func @concat(%q: tensor<2x?xf32>, %p: tensor<2x4xf32>, %y: tensor<2x?xf32>, %m: memref<3x4xi64>, %n: memref<6x4xi64>) {
  // CHECK: moe.concat axis 1 ins(%{{[^ ,:)]+}}, %{{[^ ,:)]+}} : tensor<2x?xf32>, tensor<2x4xf32>) outs(%{{[^ ,:)]+}} : tensor<2x?xf32>) -> tensor<2x?xf32>
  %o0 = moe.concat axis 1 ins(%q, %p : tensor<2x?xf32>, tensor<2x4xf32>) outs(%y : tensor<2x?xf32>) -> tensor<2x?xf32>
  // CHECK: moe.concat axis 0 ins(%{{[^ ,:)]+}}, %{{[^ ,:)]+}} : memref<3x4xi64>, memref<3x4xi64>) outs(%{{[^ ,:)]+}} : memref<6x4xi64>)
  moe.concat axis 0 ins(%m, %m : memref<3x4xi64>, memref<3x4xi64>) outs(%n : memref<6x4xi64>)
  return
}

// CHECK-LABEL: func.func @threads(
func.func @threads() {
  // CHECK: moe.thread_id
  %a = moe.thread_id
  // CHECK: moe.num_threads
  %b = moe.num_threads
  // CHECK: moe.barrier
  moe.barrier
  // CHECK: moe.fault 3 at %{{[^ ,:)]+}} found %{{[^ ,:)]+}} range %{{[^ ,:)]+}} to %{{[^ ,:)]+}}
  moe.fault 3 at %a found %a range %a to %a
  return
}

// CHECK-LABEL: func.func @routine(
func.func @routine(%x: tensor<?xf32>, %y: tensor<?xf32>, %n: index, %m: memref<4xi32>) {
  // CHECK: moe.routine "copy" items(%{{[^ ,:)]+}}) ins(%{{[^ ,:)]+}}, %{{[^ ,:)]+}} : tensor<?xf32>, index) outs(%{{[^ ,:)]+}} : tensor<?xf32>) -> tensor<?xf32> {
  // CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index, %{{.*}}: memref<?xf32>, %{{.*}}: index, %{{.*}}: memref<?xf32>):
  %0 = moe.routine "copy" items(%n) ins(%x, %n : tensor<?xf32>, index) outs(%y : tensor<?xf32>) -> tensor<?xf32> {
  ^bb0(%begin: index, %end: index, %in: memref<?xf32>, %size: index, %out: memref<?xf32>):
    %v = memref.load %in[%begin] : memref<?xf32>
    memref.store %v, %out[%begin] : memref<?xf32>
  }
  // CHECK: moe.routine "clear" outs(%{{[^ ,:)]+}} : memref<4xi32>) {
  moe.routine "clear" outs(%m : memref<4xi32>) {
  ^bb0(%out: memref<4xi32>):
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0 : i32
    memref.store %zero, %out[%c0] : memref<4xi32>
  }
  return
}

// CHECK-LABEL: func.func @attention(
func.func @attention(%q: tensor<?x8x?x64xf32>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x48xbf16>, %m: tensor<?x1x?x?xi1>, %c: tensor<?xi64>, %n: index, %s: tensor<8xf16>, %o: tensor<?x8x?x48xf32>, %e: tensor<?x2x?x2400xf32>, %mq: memref<1x2x?x16xf32, strided<[?, ?, ?, 1]>>, %mo: memref<1x2x?x16xf32>, %me: memref<1x2x?x864xf32>, %mm: memref<1x1x1x?xf32>) {
  // CHECK: moe.attention q(%{{[^ ]+}} : tensor<?x8x?x64xf32>) k(%{{[^ ]+}} : tensor<?x2x?x64xbf16>) v(%{{[^ ]+}} : tensor<?x2x?x48xbf16>) outs(%{{[^ ]+}}, %{{[^ ]+}} : tensor<?x8x?x48xf32>, tensor<?x2x?x2400xf32>) {scale = 1.250000e-01 : f64} -> tensor<?x8x?x48xf32>, tensor<?x2x?x2400xf32>
  %0:2 = moe.attention q(%q : tensor<?x8x?x64xf32>) k(%k : tensor<?x2x?x64xbf16>) v(%v : tensor<?x2x?x48xbf16>) outs(%o, %e : tensor<?x8x?x48xf32>, tensor<?x2x?x2400xf32>) {scale = 0.125 : f64} -> tensor<?x8x?x48xf32>, tensor<?x2x?x2400xf32>
  // CHECK: moe.attention q({{.*}}) mask(%{{[^ ]+}} : tensor<?x1x?x?xi1>) counts(%{{[^ ]+}} : tensor<?xi64>) sink(%{{[^ ]+}} : tensor<8xf16>) outs({{.*}}) {causal, left = 3 : i64, right = 0 : i64, scale = 1.250000e-01 : f64, softcap = 5.000000e+01 : f64}
  %1:2 = moe.attention q(%q : tensor<?x8x?x64xf32>) k(%k : tensor<?x2x?x64xbf16>) v(%v : tensor<?x2x?x48xbf16>) mask(%m : tensor<?x1x?x?xi1>) counts(%c : tensor<?xi64>) sink(%s : tensor<8xf16>) outs(%o, %e : tensor<?x8x?x48xf32>, tensor<?x2x?x2400xf32>) {causal, left = 3 : i64, right = 0 : i64, scale = 0.125 : f64, softcap = 50.0 : f64} -> tensor<?x8x?x48xf32>, tensor<?x2x?x2400xf32>
  // CHECK: moe.attention q(%{{[^ ]+}} : memref<1x2x?x16xf32, strided<[?, ?, ?, 1]>>) k({{.*}}) v({{.*}}) mask(%{{[^ ]+}} : memref<1x1x1x?xf32>) before(%{{[^ ]+}}) outs(%{{[^ ]+}}, %{{[^ ]+}} : memref<1x2x?x16xf32>, memref<1x2x?x864xf32>) {causal, scale = 1.000000e+00 : f64}
  moe.attention q(%mq : memref<1x2x?x16xf32, strided<[?, ?, ?, 1]>>) k(%mq : memref<1x2x?x16xf32, strided<[?, ?, ?, 1]>>) v(%mq : memref<1x2x?x16xf32, strided<[?, ?, ?, 1]>>) mask(%mm : memref<1x1x1x?xf32>) before(%n) outs(%mo, %me : memref<1x2x?x16xf32>, memref<1x2x?x864xf32>) {causal, scale = 1.0 : f64}
  return
}

// CHECK-LABEL: func.func @append(
func.func @append(%p: tensor<?x2x?x64xf16>, %n: tensor<?x2x3x64xf16>, %at: tensor<?xi64>, %o: tensor<?x2x?x64xf16>, %mp: memref<1x2x?x8xf32, strided<[?, ?, ?, 1]>>, %mn: memref<1x2x1x8xf32>, %ma: memref<1xi64>) {
  // CHECK: moe.append past(%{{[^ ]+}} : tensor<?x2x?x64xf16>) new(%{{[^ ]+}} : tensor<?x2x3x64xf16>) at(%{{[^ ]+}} : tensor<?xi64>) outs(%{{[^ ]+}} : tensor<?x2x?x64xf16>) -> tensor<?x2x?x64xf16>
  %0 = moe.append past(%p : tensor<?x2x?x64xf16>) new(%n : tensor<?x2x3x64xf16>) at(%at : tensor<?xi64>) outs(%o : tensor<?x2x?x64xf16>) -> tensor<?x2x?x64xf16>
  // CHECK: moe.append past(%{{[^ ]+}} : memref<1x2x?x8xf32, strided<[?, ?, ?, 1]>>) new(%{{[^ ]+}} : memref<1x2x1x8xf32>) at(%{{[^ ]+}} : memref<1xi64>) outs(%{{[^ ]+}} : memref<1x2x?x8xf32, strided<[?, ?, ?, 1]>>)
  moe.append past(%mp : memref<1x2x?x8xf32, strided<[?, ?, ?, 1]>>) new(%mn : memref<1x2x1x8xf32>) at(%ma : memref<1xi64>) outs(%mp : memref<1x2x?x8xf32, strided<[?, ?, ?, 1]>>)
  return
}
