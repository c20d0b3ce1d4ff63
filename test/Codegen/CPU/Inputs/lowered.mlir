// A small model as the lower stage leaves it: out = s·s + s with s = in + weight + 0.25, row by row, through the arena, rows split among
// threads; and the sine of `steps`.
module attributes {moe.checks = ["batch must be positive"]} {
  moe.weight @bias : tensor<16xf32> source(dense<[0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, -0.5, -1.0, -1.5, -2.0, -2.5, -3.0, -3.5, -4.0]> : tensor<16xf32>) section 0 at 64
  memref.global "private" constant @row : memref<16xf32> = dense<0.25> {alignment = 64 : i64}

  func.func private @add_row(%in: memref<?x16xf32>, %out: memref<?x16xf32>, %row: index) {
    %bias = moe.weight_ref @bias : memref<16xf32>
    %constant = memref.get_global @row : memref<16xf32>
    %c0 = arith.constant 0 : index
    %pad = arith.constant 0.0 : f32
    %a = vector.transfer_read %in[%row, %c0], %pad {in_bounds = [true]} : memref<?x16xf32>, vector<16xf32>
    %b = vector.transfer_read %bias[%c0], %pad {in_bounds = [true]} : memref<16xf32>, vector<16xf32>
    %c = vector.transfer_read %constant[%c0], %pad {in_bounds = [true]} : memref<16xf32>, vector<16xf32>
    %d = arith.addf %a, %b : vector<16xf32>
    %e = arith.addf %d, %c : vector<16xf32>
    vector.transfer_write %e, %out[%row, %c0] {in_bounds = [true]} : vector<16xf32>, memref<?x16xf32>
    return
  }

  func.func @moe_entry(%in: memref<?x16xf32> {moe.name = "x", moe.dims = ["batch", "16"], moe.input = 0 : i64},
                       %steps: memref<?xi64> {moe.name = "steps", moe.dims = ["batch"], moe.input = 1 : i64},
                       %out: memref<?x16xf32> {moe.name = "y", moe.dims = ["batch", "16"], moe.output = 0 : i64},
                       %angles: memref<?xf32> {moe.name = "angles", moe.dims = ["batch"], moe.output = 1 : i64},
                       %arena: memref<?xi8>) attributes {moe.entry} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %pad = arith.constant 0.0 : f32
    %batch = memref.dim %in, %c0 : memref<?x16xf32>
    %sums = memref.view %arena[%c0][%batch] : memref<?xi8> to memref<?x16xf32>
    %thread = moe.thread_id
    %threads = moe.num_threads
    scf.for %row = %thread to %batch step %threads {
      func.call @add_row(%in, %sums, %row) : (memref<?x16xf32>, memref<?x16xf32>, index) -> ()
    }
    moe.barrier
    // Each thread reads what its neighbour wrote.
    %next = arith.addi %thread, %c1 : index
    %first = arith.remui %next, %threads : index
    scf.for %row = %first to %batch step %threads {
      %sum = vector.transfer_read %sums[%row, %c0], %pad {in_bounds = [true]} : memref<?x16xf32>, vector<16xf32>
      %square = math.fma %sum, %sum, %sum : vector<16xf32>
      vector.transfer_write %square, %out[%row, %c0] {in_bounds = [true]} : vector<16xf32>, memref<?x16xf32>
      %step = memref.load %steps[%row] : memref<?xi64>
      %angle = arith.sitofp %step : i64 to f32
      %sine = math.sin %angle : f32
      memref.store %sine, %angles[%row] : memref<?xf32>
    }
    return
  }

  func.func @moe_shapes(%in_dims: memref<?xi64>, %out_dims: memref<?xi64>) -> i64 attributes {moe.shapes} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %batch = memref.load %in_dims[%c0] : memref<?xi64>
    %width = memref.load %in_dims[%c1] : memref<?xi64>
    memref.store %batch, %out_dims[%c0] : memref<?xi64>
    memref.store %width, %out_dims[%c1] : memref<?xi64>
    memref.store %batch, %out_dims[%c2] : memref<?xi64>
    %zero = arith.constant 0 : i64
    %failed = arith.constant -1 : i64
    %row_bytes = arith.constant 64 : i64
    %bytes = arith.muli %batch, %row_bytes : i64
    %positive = arith.cmpi sgt, %batch, %zero : i64
    %result = arith.select %positive, %bytes, %failed : i64
    return %result : i64
  }
}
