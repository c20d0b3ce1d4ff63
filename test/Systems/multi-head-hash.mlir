// System: Hash layers with several hash functions
// Paper: Roller et al. 2021, Hash Layers for Large Sparse Models, arXiv 2106.04426, section 3.3 (MultiHash)
// Ops: per hash function: select table, weights 1, slots dropless, experts relu; the halves side by side; the same again with the second
//   matrices
//
// Each hash function picks a half of the first matrix, and again a half of the second: v = relu(B0 x, B1 x), y = (C0 v, C1 v). An expert
// of one product has a unit matrix as its other product.
//
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python %S/Inputs/check.py weights %s
// RUN: moe-compile %s -o model --quiet
// RUN: %python %S/Inputs/check.py run %s

!list = tensor<?xi32>
!mask = tensor<?xi1>

moe.weight @first0 : tensor<4x8x24xf32> source(#moe.file<"first0.bin", offset = 0, length = 3072>)
moe.weight @first1 : tensor<4x8x24xf32> source(#moe.file<"first1.bin", offset = 0, length = 3072>)
moe.weight @unit_half : tensor<4x8x8xf32> source(#moe.file<"unit_half.bin", offset = 0, length = 1024>)
moe.weight @unit : tensor<4x16x16xf32> source(#moe.file<"unit.bin", offset = 0, length = 4096>)
moe.weight @second0 : tensor<4x12x16xf32> source(#moe.file<"second0.bin", offset = 0, length = 3072>)
moe.weight @second1 : tensor<4x12x16xf32> source(#moe.file<"second1.bin", offset = 0, length = 3072>)

func.func @main(%x: tensor<?x24xf32> {moe.name = "x", moe.dims = ["tokens", "24"]},
                %ids: tensor<?xi32> {moe.name = "ids", moe.dims = ["tokens"]},
                %table0: tensor<32x1xi32> {moe.name = "table0", moe.dims = ["32", "1"]},
                %table1: tensor<32x1xi32> {moe.name = "table1", moe.dims = ["32", "1"]})
    -> (tensor<?x24xf32> {moe.name = "output", moe.dims = ["tokens", "24"]}) {
  %c0 = arith.constant 0 : index
  %first0 = moe.weight_ref @first0 : tensor<4x8x24xf32>
  %first1 = moe.weight_ref @first1 : tensor<4x8x24xf32>
  %unit_half = moe.weight_ref @unit_half : tensor<4x8x8xf32>
  %unit = moe.weight_ref @unit : tensor<4x16x16xf32>
  %second0 = moe.weight_ref @second0 : tensor<4x12x16xf32>
  %second1 = moe.weight_ref @second1 : tensor<4x12x16xf32>
  %T = tensor.dim %x, %c0 : tensor<?x24xf32>
  %one = arith.constant 1.0 : f32
  %w_empty = tensor.empty(%T) : tensor<?xf32>
  %w = linalg.fill ins(%one : f32) outs(%w_empty : tensor<?xf32>) -> tensor<?xf32>

  %b0_token, %b0_expert, %b0_rank, %b0_valid, %b0_kth = moe.select table ids(%ids : !list) table(%table0 : tensor<32x1xi32>)
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %b0_slot, %b0_keep, %b0_count, %b0_offset = moe.slots %b0_token, %b0_expert, %b0_rank, %b0_valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %b0_rows = moe.dispatch ragged %x, %b0_token, %b0_expert, %b0_slot, %b0_keep, %b0_offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %b0_y = moe.experts %b0_rows, %b0_offset gate(%first0 : tensor<4x8x24xf32>) down(%unit_half : tensor<4x8x8xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x8xf32>
  %b0_result = moe.combine %b0_y, %b0_token, %b0_expert, %b0_slot, %b0_keep, %w tokens(%T)
      : tensor<?x8xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x8xf32>

  %b1_token, %b1_expert, %b1_rank, %b1_valid, %b1_kth = moe.select table ids(%ids : !list) table(%table1 : tensor<32x1xi32>)
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %b1_slot, %b1_keep, %b1_count, %b1_offset = moe.slots %b1_token, %b1_expert, %b1_rank, %b1_valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %b1_rows = moe.dispatch ragged %x, %b1_token, %b1_expert, %b1_slot, %b1_keep, %b1_offset
      : tensor<?x24xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x24xf32>
  %b1_y = moe.experts %b1_rows, %b1_offset gate(%first1 : tensor<4x8x24xf32>) down(%unit_half : tensor<4x8x8xf32>)
      {ffn = #moe.ffn<activation = relu>} : tensor<?x24xf32>, tensor<5xi32> -> tensor<?x8xf32>
  %b1_result = moe.combine %b1_y, %b1_token, %b1_expert, %b1_slot, %b1_keep, %w tokens(%T)
      : tensor<?x8xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x8xf32>

  %hidden_empty = tensor.empty(%T) : tensor<?x16xf32>
  %hidden_low = tensor.insert_slice %b0_result into %hidden_empty[0, 0] [%T, 8] [1, 1] : tensor<?x8xf32> into tensor<?x16xf32>
  %hidden = tensor.insert_slice %b1_result into %hidden_low[0, 8] [%T, 8] [1, 1] : tensor<?x8xf32> into tensor<?x16xf32>

  %c0_token, %c0_expert, %c0_rank, %c0_valid, %c0_kth = moe.select table ids(%ids : !list) table(%table0 : tensor<32x1xi32>)
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %c0_slot, %c0_keep, %c0_count, %c0_offset = moe.slots %c0_token, %c0_expert, %c0_rank, %c0_valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %c0_rows = moe.dispatch ragged %hidden, %c0_token, %c0_expert, %c0_slot, %c0_keep, %c0_offset
      : tensor<?x16xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x16xf32>
  %c0_y = moe.experts %c0_rows, %c0_offset gate(%unit : tensor<4x16x16xf32>) down(%second0 : tensor<4x12x16xf32>)
      {ffn = #moe.ffn<activation = identity>} : tensor<?x16xf32>, tensor<5xi32> -> tensor<?x12xf32>
  %c0_result = moe.combine %c0_y, %c0_token, %c0_expert, %c0_slot, %c0_keep, %w tokens(%T)
      : tensor<?x12xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x12xf32>

  %c1_token, %c1_expert, %c1_rank, %c1_valid, %c1_kth = moe.select table ids(%ids : !list) table(%table1 : tensor<32x1xi32>)
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %c1_slot, %c1_keep, %c1_count, %c1_offset = moe.slots %c1_token, %c1_expert, %c1_rank, %c1_valid {experts = 4 : i64}
      : !list, !list, !list, !mask -> !list, !mask, tensor<4xi32>, tensor<5xi32>
  %c1_rows = moe.dispatch ragged %hidden, %c1_token, %c1_expert, %c1_slot, %c1_keep, %c1_offset
      : tensor<?x16xf32>, !list, !list, !list, !mask, tensor<5xi32> -> tensor<?x16xf32>
  %c1_y = moe.experts %c1_rows, %c1_offset gate(%unit : tensor<4x16x16xf32>) down(%second1 : tensor<4x12x16xf32>)
      {ffn = #moe.ffn<activation = identity>} : tensor<?x16xf32>, tensor<5xi32> -> tensor<?x12xf32>
  %c1_result = moe.combine %c1_y, %c1_token, %c1_expert, %c1_slot, %c1_keep, %w tokens(%T)
      : tensor<?x12xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x12xf32>
  %output_empty = tensor.empty(%T) : tensor<?x24xf32>
  %output_low = tensor.insert_slice %c0_result into %output_empty[0, 0] [%T, 12] [1, 1] : tensor<?x12xf32> into tensor<?x24xf32>
  %output = tensor.insert_slice %c1_result into %output_low[0, 12] [%T, 12] [1, 1] : tensor<?x12xf32> into tensor<?x24xf32>
  return %output : tensor<?x24xf32>
}
