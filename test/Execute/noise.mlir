// moe.noise against Philox4x32-10 and the formulas of the distributions in numpy (Inputs/routing.py); the same numbers on any number of threads.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/routing.py noise %t
// RUN: moe-compile %s -o %t/out --quiet
// RUN: moe-run %t/out --test-data %t/test_data_set_0 --threads 1 --atol 1e-6 --rtol 1e-6
// RUN: moe-run %t/out --test-data %t/test_data_set_0 --threads 3 --atol 1e-6 --rtol 1e-6
// RUN: moe-run %t/out --test-data %t/test_data_set_1 --threads 2 --atol 1e-6 --rtol 1e-6

func.func @main(%like: tensor<?x3x5xf32> {moe.name = "like"}, %key: tensor<i64> {moe.name = "seed"}, %start: tensor<i64> {moe.name = "offset"})
    -> (tensor<?x3x5xf32> {moe.name = "uniform"}, tensor<?x3x5xf32> {moe.name = "normal"}, tensor<?x3x5xf32> {moe.name = "gumbel"},
        tensor<?x3x5xf32> {moe.name = "exponential"}, tensor<?x3x5xf32> {moe.name = "jitter"}) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %like, %c0 : tensor<?x3x5xf32>
  %seed = tensor.extract %key[] : tensor<i64>
  %offset = tensor.extract %start[] : tensor<i64>
  %0 = moe.noise uniform seed(%seed) offset(%offset) sizes(%n) : tensor<?x3x5xf32>
  %1 = moe.noise normal seed(%seed) offset(%offset) sizes(%n) : tensor<?x3x5xf32>
  %2 = moe.noise gumbel seed(%seed) offset(%offset) sizes(%n) : tensor<?x3x5xf32>
  %3 = moe.noise exponential seed(%seed) offset(%offset) sizes(%n) : tensor<?x3x5xf32>
  %4 = moe.noise uniform seed(%seed) offset(%offset) sizes(%n) {low = 0.99 : f64, high = 1.01 : f64} : tensor<?x3x5xf32>
  return %0, %1, %2, %3, %4 : tensor<?x3x5xf32>, tensor<?x3x5xf32>, tensor<?x3x5xf32>, tensor<?x3x5xf32>, tensor<?x3x5xf32>
}
