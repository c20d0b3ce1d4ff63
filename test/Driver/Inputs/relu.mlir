func.func @main(%x: tensor<?x4xf32> {moe.name = "x", moe.dims = ["n", "4"]}) -> (tensor<?x4xf32> {moe.name = "y"}) {
  %y = moe.onnx "Relu"(%x) version 14 {} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
