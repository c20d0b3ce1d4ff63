// RUN: moe-opt %s --moe-raise-onnx --split-input-file --mlir-print-local-scope | FileCheck %s

// Values are signless, and callers still pass unsigned ones; what depends on the sign takes the unsigned op.
// CHECK-LABEL: func.func @signature
// CHECK-SAME: %arg0: tensor<4xi8> {moe.dims = ["4"], moe.dtype = ui8, moe.name = "x"}
// CHECK-SAME: %arg1: tensor<4xi8> {moe.dims = ["4"], moe.dtype = ui8, moe.name = "d"}
// CHECK-SAME: -> (tensor<4xi8> {moe.dims = ["4"], moe.dtype = ui8, moe.name = "q"}, tensor<4xi1> {moe.dims = ["4"], moe.name = "g"}
// CHECK-SAME:     tensor<4xf32> {moe.dims = ["4"], moe.name = "f"}, tensor<4xi8> {moe.dims = ["4"], moe.dtype = ui8, moe.name = "same"})
// CHECK-NOT: ui8
// CHECK: arith.maxui
// CHECK: arith.divui
// CHECK: arith.cmpi ugt
// CHECK: arith.uitofp
// CHECK: return %{{.*}}, %{{.*}}, %{{.*}}, %arg0
func.func @signature(%x: tensor<4xui8> {moe.name = "x", moe.dims = ["4"]}, %d: tensor<4xui8> {moe.name = "d", moe.dims = ["4"]})
    -> (tensor<4xui8> {moe.name = "q", moe.dims = ["4"]}, tensor<4xi1> {moe.name = "g", moe.dims = ["4"]},
        tensor<4xf32> {moe.name = "f", moe.dims = ["4"]}, tensor<4xui8> {moe.name = "same", moe.dims = ["4"]}) attributes {moe.entry} {
  %0 = moe.onnx "Div"(%x, %d) version 14 {} : (tensor<4xui8>, tensor<4xui8>) -> tensor<4xui8>
  %1 = moe.onnx "Greater"(%x, %d) version 13 {} : (tensor<4xui8>, tensor<4xui8>) -> tensor<4xi1>
  %2 = moe.onnx "Cast"(%x) version 13 {to = 1 : i64} : (tensor<4xui8>) -> tensor<4xf32>
  return %0, %1, %2, %x : tensor<4xui8>, tensor<4xi1>, tensor<4xf32>, tensor<4xui8>
}

// -----

// Constants and weights are read as they lie.
// CHECK: moe.weight @w.as_4_signless : tensor<4xi16> source(#moe.file<"m.onnx", offset = 8, length = 8>)
// CHECK-LABEL: func.func @stored
// CHECK: moe.weight_ref @w.as_4_signless : tensor<4xi16>
// CHECK: arith.constant -1 : i16
moe.weight @w : tensor<4xui16> source(#moe.file<"m.onnx", offset = 8, length = 8>)
func.func @stored(%x: tensor<4xui16> {moe.name = "x", moe.dims = ["4"]}) -> (tensor<4xui16> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  %w = moe.weight_ref @w : tensor<4xui16>
  %c = arith.constant dense<65535> : tensor<ui16>
  %0 = moe.onnx "BitwiseAnd"(%x, %w) version 18 {} : (tensor<4xui16>, tensor<4xui16>) -> tensor<4xui16>
  %1 = moe.onnx "BitwiseXor"(%0, %c) version 18 {} : (tensor<4xui16>, tensor<ui16>) -> tensor<4xui16>
  return %1 : tensor<4xui16>
}

// -----

// A float that does not fit saturates at 0 and at the greatest number.
// CHECK-LABEL: func.func @saturate
// CHECK: arith.constant 0.000000e+00 : f32
// CHECK: arith.constant 2.550000e+02 : f32
// CHECK: arith.fptoui
func.func @saturate(%x: tensor<4xf32> {moe.name = "x", moe.dims = ["4"]}) -> (tensor<4xui8> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  %0 = moe.onnx "Cast"(%x) version 13 {to = 2 : i64} : (tensor<4xf32>) -> tensor<4xui8>
  return %0 : tensor<4xui8>
}

// -----

// A shift by the width or more gives zero, whatever the processor's own shift does.
// CHECK-LABEL: func.func @shifts
// CHECK: arith.cmpi ult, %{{.*}}, %c32
// CHECK: arith.shrui
// CHECK: arith.select
func.func @shifts(%x: tensor<4xui32> {moe.name = "x", moe.dims = ["4"]}, %n: tensor<4xui32> {moe.name = "n", moe.dims = ["4"]})
    -> (tensor<4xui32> {moe.name = "y", moe.dims = ["4"]}) attributes {moe.entry} {
  %0 = moe.onnx "BitShift"(%x, %n) version 11 {direction = "RIGHT"} : (tensor<4xui32>, tensor<4xui32>) -> tensor<4xui32>
  return %0 : tensor<4xui32>
}
