//--- names.mlir
func.func @main(%a: tensor<?x8xf32> {moe.name = "x"}, %b: tensor<?x8xf32> {moe.name = "x"}) -> tensor<?x8xf32> { return %a : tensor<?x8xf32> }
//--- size.mlir
func.func @main(%a: tensor<?x8xf32> {moe.dims = ["tokens", "9"]}) -> tensor<?x8xf32> { return %a : tensor<?x8xf32> }
//--- dynamic.mlir
func.func @main(%a: tensor<?x8xf32>) -> (tensor<?x8xf32> {moe.dims = ["3", "8"]}) { return %a : tensor<?x8xf32> }
//--- rank.mlir
func.func @main(%a: tensor<?x8xf32> {moe.dims = ["tokens"]}) -> tensor<?x8xf32> { return %a : tensor<?x8xf32> }
