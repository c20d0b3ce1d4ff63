// A dense product of bf16 with a bias, as lower leaves it: no experts, no offsets.
module {
  func.func @moe_entry(%x: memref<?x328xbf16> {moe.input = 0 : i64}, %w: memref<200x328xbf16> {moe.input = 1 : i64}, %b: memref<200xf32> {moe.input = 2 : i64},
                       %y: memref<?x200xf32> {moe.output = 0 : i64}, %arena: memref<?xi8> {moe.arena}) attributes {moe.entry} {
    moe.grouped_matmul %x weight(%w : memref<200x328xbf16>) bias(%b : memref<200xf32>) outs(%y : memref<?x200xf32>) : memref<?x328xbf16>
    return
  }
}
