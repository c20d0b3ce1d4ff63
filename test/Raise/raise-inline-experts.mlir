// RUN: moe-opt %s --moe-raise-inline-experts --split-input-file | FileCheck %s

// Padded rows: each expert its C rows and its slice of the stored weight, which is a stored weight itself: the second half of the bytes.
// CHECK: moe.weight @scale.0 : tensor<8x8xf32> source(#moe.file<"m.bin", offset = 64, length = 256>)
// CHECK: moe.weight @scale.1 : tensor<8x8xf32> source(#moe.file<"m.bin", offset = 320, length = 256>)
// CHECK-LABEL: func.func @padded
// CHECK-SAME: %[[X:[^ :]+]]: tensor<2x4x8xf32>
// CHECK: %[[X0:.*]] = tensor.extract_slice %[[X]][0, 0, 0] [1, 4, 8] [1, 1, 1] : tensor<2x4x8xf32> to tensor<4x8xf32>
// CHECK: %[[W0:.*]] = moe.weight_ref @scale.0
// CHECK: %[[Y0:.*]] = linalg.matmul ins(%[[X0]], %[[W0]]
// CHECK: %[[X1:.*]] = tensor.extract_slice %[[X]][1, 0, 0] [1, 4, 8] [1, 1, 1]
// CHECK: %[[W1:.*]] = moe.weight_ref @scale.1
// CHECK: %[[Y1:.*]] = linalg.matmul ins(%[[X1]], %[[W1]]
// CHECK: %[[A:.*]] = tensor.expand_shape %[[Y0]]
// CHECK: %[[B:.*]] = tensor.expand_shape %[[Y1]]
// CHECK: %[[Y:.*]] = moe.concat axis 0 ins(%[[A]], %[[B]] : tensor<1x4x8xf32>, tensor<1x4x8xf32>)
// CHECK-NOT: moe.experts
// CHECK: return %[[Y]]
// DOC: --moe-raise-inline-experts
moe.weight @scale : tensor<2x8x8xf32> source(#moe.file<"m.bin", offset = 64, length = 512>)
func.func @padded(%x: tensor<2x4x8xf32>, %off: tensor<3xi32>, %init: tensor<4x8xf32>) -> tensor<2x4x8xf32> {
  %w = moe.weight_ref @scale : tensor<2x8x8xf32>
  %y = moe.experts %x, %off parameters(%w : tensor<2x8x8xf32>) : tensor<2x4x8xf32>, tensor<3xi32> -> tensor<2x4x8xf32> {
  ^bb0(%rows: tensor<4x8xf32>, %matrix: tensor<8x8xf32>):
    %0 = linalg.matmul ins(%rows, %matrix : tensor<4x8xf32>, tensor<8x8xf32>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
    moe.yield %0 : tensor<4x8xf32>
  }
  return %y : tensor<2x4x8xf32>
}
// DOC END

// -----

// Ragged rows: an expert gets as many rows as there are, its own first and zeros behind them; rows of the result are picked by the offsets.
// What is no stored weight is sliced where it is.
// CHECK-LABEL: func.func @ragged
// CHECK-SAME: %[[X:[^ :]+]]: tensor<?x8xf32>, %[[OFF:[^ :]+]]: tensor<3xi32>, %[[B:[^ :]+]]: tensor<2x8xf32>
// CHECK: %[[F:.*]] = tensor.extract %[[OFF]]
// CHECK: %[[X0:.*]] = linalg.generic
// CHECK: tensor.extract %[[X]]
// CHECK: tensor.extract_slice %[[B]][0, 0] [1, 8] [1, 1] : tensor<2x8xf32> to tensor<8xf32>
// CHECK: %[[Y0:.*]] = linalg.exp ins(%[[X0]]
// CHECK: tensor.extract_slice %[[B]][1, 0] [1, 8] [1, 1]
// CHECK: linalg.fill
// CHECK: linalg.generic
// CHECK: tensor.extract %[[Y0]]
// CHECK: %[[Y:.*]] = linalg.generic
// CHECK: return %[[Y]]
func.func @ragged(%x: tensor<?x8xf32>, %off: tensor<3xi32>, %b: tensor<2x8xf32>) -> tensor<?x8xf32> {
  %y = moe.experts %x, %off parameters(%b : tensor<2x8xf32>) : tensor<?x8xf32>, tensor<3xi32> -> tensor<?x8xf32> {
  ^bb0(%rows: tensor<?x8xf32>, %bias: tensor<8xf32>):
    %0 = linalg.exp ins(%rows : tensor<?x8xf32>) outs(%rows : tensor<?x8xf32>) -> tensor<?x8xf32>
    moe.yield %0 : tensor<?x8xf32>
  }
  return %y : tensor<?x8xf32>
}
