// Loops that warps take: a number of each row is written once and read by all lanes, which share the row (cuda-damaged.test).
module {
  func.func @moe_entry(%x: memref<?x64xf32> {moe.input = 0 : i64}, %s: memref<?xf32> {moe.output = 0 : i64}, %y: memref<?x64xf32> {moe.output = 1 : i64},
                       %arena: memref<?xi8> {moe.arena}) attributes {moe.entry} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %n = memref.dim %x, %c0 : memref<?x64xf32>
    %t = moe.thread_id
    %count = moe.num_threads
    scf.for %i = %t to %n step %count {
      %f = memref.load %x[%i, %c1] : memref<?x64xf32>
      memref.store %f, %s[%i] : memref<?xf32>
      %g = memref.load %s[%i] : memref<?xf32>
      scf.for %j = %c0 to %c64 step %c1 {
        %a = memref.load %x[%i, %j] : memref<?x64xf32>
        %b = arith.mulf %a, %g : f32
        memref.store %b, %y[%i, %j] : memref<?x64xf32>
      }
    }
    return
  }
}
