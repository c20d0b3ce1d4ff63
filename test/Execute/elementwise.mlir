// Elementwise ops of arith and math on whole tensors, also inside an expert, are loops like those of linalg.
//
// RUN: rm -rf %t && mkdir -p %t
// RUN: %python -c "import numpy; numpy.save('%t/x.npy', numpy.linspace(-2, 2, 24, dtype='f4').reshape(6, 4)); numpy.save('%t/off.npy', numpy.int32([0, 2, 6]))"
// RUN: moe-compile %s -o %t/out --quiet
// RUN: moe-run %t/out --input x=%t/x.npy --input off=%t/off.npy --output-dir %t --threads 2
// RUN: %python -c "import numpy as n; x = n.load('%t/x.npy').astype('f8'); e = n.tanh(x) + x * n.exp(x); n.testing.assert_allclose(n.load('%t/y.npy'), e, rtol=1e-5, atol=1e-6); n.testing.assert_allclose(n.load('%t/z.npy'), e * e, rtol=1e-5, atol=1e-6)"

func.func @main(%x: tensor<?x4xf32> {moe.name = "x", moe.dims = ["rows", "4"]}, %off: tensor<3xi32> {moe.name = "off"})
    -> (tensor<?x4xf32> {moe.name = "y", moe.dims = ["rows", "4"]}, tensor<?x4xf32> {moe.name = "z", moe.dims = ["rows", "4"]}) {
  %exp = math.exp %x : tensor<?x4xf32>
  %scaled = arith.mulf %x, %exp : tensor<?x4xf32>
  %tanh = math.tanh %x : tensor<?x4xf32>
  %y = arith.addf %tanh, %scaled : tensor<?x4xf32>
  %z = moe.experts %y, %off : tensor<?x4xf32>, tensor<3xi32> -> tensor<?x4xf32> {
  ^bb0(%rows: tensor<?x4xf32>):
    %wide = arith.extf %rows : tensor<?x4xf32> to tensor<?x4xf64>
    %square = arith.mulf %wide, %wide : tensor<?x4xf64>
    %narrow = arith.truncf %square : tensor<?x4xf64> to tensor<?x4xf32>
    moe.yield %narrow : tensor<?x4xf32>
  }
  return %y, %z : tensor<?x4xf32>, tensor<?x4xf32>
}
