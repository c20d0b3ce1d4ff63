// Offsets of experts that are no moe.slots' are a model's input like others: wrong ones end the run with an error, and no memory is touched outside.
//
// RUN: rm -rf %t && mkdir -p %t
// RUN: %python -c "import numpy; numpy.full(32, 0.5, 'f4').tofile('%t/w.bin')"
// RUN: cp %s %t/model.mlir && moe-compile %t/model.mlir -o %t/out --quiet
// RUN: %python %S/Inputs/check_offsets.py %t | FileCheck %s
// CHECK: 0 2 5: agrees
// CHECK: 0 5 5: agrees
// CHECK: 1 1 4: agrees
// CHECK: 0 2 6: {{.*}}an offset of the experts: expected 0 to 5, found 6
// CHECK: 0 7 100000: {{.*}}an offset of the experts: expected 0 to 5, found 7
// CHECK: -5 -5 -5: {{.*}}an offset of the experts: expected 0 to 5, found -5
// CHECK: 0 4 1: {{.*}}the number of rows between two offsets of the experts: expected 0 to 5, found -3
// CHECK: 2147483647 -2147483648 5: {{.*}}an offset of the experts

moe.weight @w : tensor<2x4x4xf32> source(#moe.file<"w.bin", offset = 0, length = 128>)

func.func @main(%x: tensor<?x4xf32> {moe.name = "x", moe.dims = ["rows", "4"]}, %off: tensor<3xi32> {moe.name = "off"})
    -> (tensor<?x4xf32> {moe.name = "y", moe.dims = ["rows", "4"]}) {
  %w = moe.weight_ref @w : tensor<2x4x4xf32>
  %y = moe.experts %x, %off gate(%w : tensor<2x4x4xf32>) down(%w : tensor<2x4x4xf32>) {ffn = #moe.ffn<activation = relu>}
    : tensor<?x4xf32>, tensor<3xi32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
