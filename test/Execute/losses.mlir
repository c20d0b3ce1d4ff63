// The library of losses (include/moe/Library), each function called as a model would, against float64 and the published numbers.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/../Systems/Inputs/check.py run %s

func.func private @moe.balance_loss(tensor<?xf32>, tensor<?xf32>) -> tensor<f32>
func.func private @moe.balance_loss_gshard(tensor<?xf32>, tensor<?xf32>) -> tensor<f32>
func.func private @moe.sequence_balance_loss(tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<f32>
func.func private @moe.device_balance_loss(tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<f32>
func.func private @moe.router_z_loss(tensor<?x?xf32>) -> tensor<f32>
func.func private @moe.cv_squared(tensor<?xf32>) -> tensor<f32>
func.func private @moe.cv_squared_sample(tensor<?xf32>) -> tensor<f32>
func.func private @moe.importance(tensor<?x?xf32>) -> tensor<?xf32>
func.func private @moe.importance_of_assignments(tensor<?xi32>, tensor<?xi1>, tensor<?xf32>, index) -> tensor<?xf32>
func.func private @moe.load(tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x2xf32>) -> tensor<?xf32>
func.func private @moe.load_fixed_deviation(tensor<?x?xf32>, tensor<?x2xf32>, f32) -> tensor<?xf32>

func.func @main(%f: tensor<?xf32> {moe.name = "f", moe.dims = ["experts"]},
                %p: tensor<?xf32> {moe.name = "p", moe.dims = ["experts"]},
                %group_f: tensor<?x?xf32> {moe.name = "group_f", moe.dims = ["groups", "experts"]},
                %group_p: tensor<?x?xf32> {moe.name = "group_p", moe.dims = ["groups", "experts"]},
                %logits: tensor<?x?xf32> {moe.name = "logits", moe.dims = ["tokens", "experts"]},
                %noisy: tensor<?x?xf32> {moe.name = "noisy", moe.dims = ["tokens", "experts"]},
                %deviation: tensor<?x?xf32> {moe.name = "deviation", moe.dims = ["tokens", "experts"]},
                %kth: tensor<?x2xf32> {moe.name = "kth", moe.dims = ["tokens", "2"]},
                %expert: tensor<?xi32> {moe.name = "expert", moe.dims = ["assignments"]},
                %valid: tensor<?xi1> {moe.name = "valid", moe.dims = ["assignments"]},
                %w: tensor<?xf32> {moe.name = "w", moe.dims = ["assignments"]})
    -> (tensor<f32> {moe.name = "balance", moe.dims = []},
        tensor<f32> {moe.name = "balance_gshard", moe.dims = []},
        tensor<f32> {moe.name = "sequence_balance", moe.dims = []},
        tensor<f32> {moe.name = "device_balance", moe.dims = []},
        tensor<f32> {moe.name = "router_z", moe.dims = []},
        tensor<f32> {moe.name = "cv", moe.dims = []},
        tensor<f32> {moe.name = "cv_sample", moe.dims = []},
        tensor<?xf32> {moe.name = "importance", moe.dims = ["experts"]},
        tensor<?xf32> {moe.name = "assigned_importance", moe.dims = ["experts"]},
        tensor<?xf32> {moe.name = "load", moe.dims = ["experts"]},
        tensor<?xf32> {moe.name = "load_fixed", moe.dims = ["experts"]}) {
  %c0 = arith.constant 0 : index
  %sigma = arith.constant 0.333333343 : f32
  %E = tensor.dim %f, %c0 : tensor<?xf32>
  %balance = call @moe.balance_loss(%f, %p) : (tensor<?xf32>, tensor<?xf32>) -> tensor<f32>
  %balance_gshard = call @moe.balance_loss_gshard(%f, %p) : (tensor<?xf32>, tensor<?xf32>) -> tensor<f32>
  %sequence_balance = call @moe.sequence_balance_loss(%group_f, %group_p) : (tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<f32>
  %device_balance = call @moe.device_balance_loss(%group_f, %group_p) : (tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<f32>
  %router_z = call @moe.router_z_loss(%logits) : (tensor<?x?xf32>) -> tensor<f32>
  %cv = call @moe.cv_squared(%p) : (tensor<?xf32>) -> tensor<f32>
  %cv_sample = call @moe.cv_squared_sample(%p) : (tensor<?xf32>) -> tensor<f32>
  %importance = call @moe.importance(%logits) : (tensor<?x?xf32>) -> tensor<?xf32>
  %assigned_importance = call @moe.importance_of_assignments(%expert, %valid, %w, %E)
      : (tensor<?xi32>, tensor<?xi1>, tensor<?xf32>, index) -> tensor<?xf32>
  %load = call @moe.load(%logits, %noisy, %deviation, %kth)
      : (tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x2xf32>) -> tensor<?xf32>
  %load_fixed = call @moe.load_fixed_deviation(%logits, %kth, %sigma) : (tensor<?x?xf32>, tensor<?x2xf32>, f32) -> tensor<?xf32>
  return %balance, %balance_gshard, %sequence_balance, %device_balance, %router_z, %cv, %cv_sample, %importance,
      %assigned_importance, %load, %load_fixed
      : tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>,
        tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xf32>
}
