// Every op and attribute of stored weights and ONNX nodes is printed as it is read, in the short and in the generic form.
// RUN: moe-opt %s | moe-opt | FileCheck %s
// RUN: moe-opt %s --mlir-print-op-generic | moe-opt | FileCheck %s

// CHECK: moe.weight @file : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 128, length = 24576>) section 0 at 64
moe.weight @file : tensor<64x96xf32> source(#moe.file<"m.onnx", offset = 128, length = 24576>) section 0 at 64
// CHECK: moe.weight "private" @dense : tensor<2x2xf32> source(dense<1.000000e+00> : tensor<2x2xf32>)
moe.weight "private" @dense : tensor<2x2xf32> source(dense<1.000000e+00> : tensor<2x2xf32>)
// CHECK: moe.weight @dense.panels : tensor<1x1x2x32xf32> packed(panel32) from([@dense]) order(in_out) gate(none) section 1 at 0
moe.weight @dense.panels : tensor<1x1x2x32xf32> packed(panel32) from([@dense]) order(in_out) gate(none) section 1 at 0
// CHECK: moe.weight @half : tensor<8x40x64xf16> source(#moe.file<"m.onnx", offset = 24704, length = 40960>)
moe.weight @half : tensor<8x40x64xf16> source(#moe.file<"m.onnx", offset = 24704, length = 40960>)
// CHECK: moe.weight @half.panels : tensor<8x3x64x32xf32> packed(gate_up16) from([@half, @half]) order(out_in) gate(separate)
moe.weight @half.panels : tensor<8x3x64x32xf32> packed(gate_up16) from([@half, @half]) order(out_in) gate(separate)
// CHECK: moe.weight @bools : tensor<3xi1> source(#moe.file<"m.onnx", offset = 0, length = 3>)
moe.weight @bools : tensor<3xi1> source(#moe.file<"m.onnx", offset = 0, length = 3>)
// CHECK: moe.weight @list : tensor<2x3xi1> source([#moe.file<"m.onnx", offset = 8, length = 3>, dense<true> : tensor<3xi1>])
moe.weight @list : tensor<2x3xi1> source([#moe.file<"m.onnx", offset = 8, length = 3>, dense<true> : tensor<3xi1>])

// CHECK-LABEL: func.func @references(
func.func @references(%T: index) {
  // CHECK: moe.weight_ref @file : tensor<64x96xf32>
  %a = moe.weight_ref @file : tensor<64x96xf32>
  // CHECK: moe.weight_ref @dense.panels : memref<1x1x2x32xf32>
  %b = moe.weight_ref @dense.panels : memref<1x1x2x32xf32>
  // CHECK: moe.require_equal %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, "past and total length differ"
  moe.require_equal %T, %T, "past and total length differ"
  return
}

// CHECK-LABEL: func.func @conditions(
func.func @conditions(%ids: tensor<?x2xi32>, %buffer: memref<4xi64>, %n: index) {
  // CHECK: moe.require_range %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, "an id" : tensor<?x2xi32>
  moe.require_range %ids, %n, %n, "an id" : tensor<?x2xi32>
  // CHECK: moe.require_range %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, %{{[^ ,:)]+}}, "a place" number 2 : memref<4xi64>
  moe.require_range %buffer, %n, %n, "a place" number 2 : memref<4xi64>
  return
}

// CHECK-LABEL: func.func @nodes(
func.func @nodes(%x: tensor<?x64xf32>, %k: tensor<1xi64>) {
  // CHECK: moe.absent : none
  %n = moe.absent : none
  // CHECK: moe.onnx "TopK"(%{{[^ ,:)]+}}, %{{[^ ,:)]+}}) version 11 {axis = -1 : i64} : (tensor<?x64xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %a:2 = moe.onnx "TopK"(%x, %k) version 11 {axis = -1 : i64} : (tensor<?x64xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  // CHECK: moe.onnx "SkipSimplifiedLayerNormalization"(%{{[^ ,:)]+}}, %{{[^ ,:)]+}}) domain "com.microsoft" version 1 {epsilon = 9.99999974E-6 : f32} : (tensor<?x64xf32>, none) -> tensor<?x64xf32>
  %b = moe.onnx "SkipSimplifiedLayerNormalization"(%x, %n) domain "com.microsoft" version 1 {epsilon = 9.99999974E-6 : f32} : (tensor<?x64xf32>, none) -> tensor<?x64xf32>
  return
}
