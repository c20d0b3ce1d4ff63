// Every function, axis and place of noise of moe.score, with bias, temperature and padding, against numpy (Inputs/routing.py).
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/routing.py score %t
// RUN: moe-compile %s -o %t/out --quiet
// RUN: moe-run %t/out --test-data %t/test_data_set_0 --threads 2
// RUN: moe-run %t/out --test-data %t/test_data_set_1 --threads 1 --atol 2e-6 --rtol 2e-6
// RUN: moe-run %t/out --test-data %t/test_data_set_2 --threads 1 --atol 2e-6 --rtol 2e-6
// RUN: moe-run %t/out --test-data %t/test_data_set_2 --threads 3 --atol 2e-6 --rtol 2e-6

!matrix = tensor<?x6xf32>
!mask = tensor<?xi1>

func.func @main(%z: !matrix {moe.name = "z", moe.dims = ["tokens", "6"]}, %n: !matrix {moe.name = "n", moe.dims = ["tokens", "6"]},
    %b: tensor<6xf32> {moe.name = "b"}, %v: !mask {moe.name = "v", moe.dims = ["tokens"]})
    -> (!matrix {moe.name = "identity"}, !matrix {moe.name = "softmax"}, !matrix {moe.name = "sigmoid"}, !matrix {moe.name = "sqrt_softplus"},
        !matrix {moe.name = "biased"}, !matrix {moe.name = "noisy"}, !matrix {moe.name = "clean"}, !matrix {moe.name = "noisy_choice"},
        !matrix {moe.name = "llama4"}, !matrix {moe.name = "padded"}, !matrix {moe.name = "padded_choice"}, !matrix {moe.name = "tokens"},
        !matrix {moe.name = "tokens_choice"}, !matrix {moe.name = "slots"}, !matrix {moe.name = "sinkhorn"}) {
  %identity, %c0 = moe.score identity %z {temperature = 2.5 : f64} : !matrix -> !matrix, !matrix
  %softmax, %c1 = moe.score softmax %z {temperature = 0.5 : f64} : !matrix -> !matrix, !matrix
  %sigmoid, %biased = moe.score sigmoid %z bias(%b : tensor<6xf32>) : !matrix -> !matrix, !matrix
  %softplus, %c3 = moe.score sqrt_softplus %z : !matrix -> !matrix, !matrix
  %noisy, %c4 = moe.score softmax %z noise(%n : !matrix) {noise_to = #moe<noise_target both>} : !matrix -> !matrix, !matrix
  %clean, %noisy_choice = moe.score softmax %z noise(%n : !matrix) bias(%b : tensor<6xf32>)
      {noise_to = #moe<noise_target choice>, temperature = 2.0 : f64} : !matrix -> !matrix, !matrix
  %s6, %llama4 = moe.score sigmoid %z noise(%n : !matrix) {noise_to = #moe<noise_target choice>, choice_basis = #moe<choice_basis logits>} : !matrix -> !matrix, !matrix
  %padded, %padded_choice = moe.score softmax %z bias(%b : tensor<6xf32>) valid(%v : !mask) : !matrix -> !matrix, !matrix
  %tokens, %tokens_choice = moe.score softmax %z valid(%v : !mask) {axis = #moe<score_axis token>} : !matrix -> !matrix, !matrix
  %slots, %c8 = moe.score softmax %z {axis = #moe<score_axis slot>, slots_per_expert = 3 : i64} : !matrix -> !matrix, !matrix
  %sinkhorn, %c9 = moe.score sinkhorn %n {tolerance = 1.0e-4 : f64, temperature = 4.0 : f64} : !matrix -> !matrix, !matrix
  return %identity, %softmax, %sigmoid, %softplus, %biased, %noisy, %clean, %noisy_choice, %llama4, %padded, %padded_choice, %tokens,
      %tokens_choice, %slots, %sinkhorn : !matrix, !matrix, !matrix, !matrix, !matrix, !matrix, !matrix, !matrix, !matrix, !matrix, !matrix, !matrix,
      !matrix, !matrix, !matrix
}
