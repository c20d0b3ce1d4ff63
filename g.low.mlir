module attributes {moe.checks = ["input 'table': dim 0 must be 50", "input 'mask': dim 0 ('t') must equal dim 0 of input 'ids'", "input 'mask': dim 1 ('h') must equal dim 1 of input 'table'"]} {
  func.func @moe_entry(%arg0: memref<?xi64> {moe.dims = ["t"], moe.input = 0 : i64, moe.name = "ids"}, %arg1: memref<50x?xf32> {moe.dims = ["50", "h"], moe.input = 1 : i64, moe.name = "table"}, %arg2: memref<?x?xi1> {moe.dims = ["t", "h"], moe.input = 2 : i64, moe.name = "mask"}, %arg3: memref<?x?xf32> {moe.output = 0 : i64}, %arg4: memref<?x?xf32> {moe.output = 1 : i64}, %arg5: memref<?x?xi1> {moe.output = 2 : i64}, %arg6: memref<?x?xf32> {moe.output = 3 : i64}, %arg7: memref<?xi8> {moe.arena}) attributes {moe.entry} {
    %c16 = arith.constant 16 : index
    %cst = arith.constant 0.000000e+00 : f32
    %c1 = arith.constant 1 : index
    %c0 = arith.constant 0 : index
    %dim = memref.dim %arg0, %c0 : memref<?xi64>
    %dim_0 = memref.dim %arg1, %c1 : memref<50x?xf32>
    %view = memref.view %arg7[%c0][%dim, %dim_0] : memref<?xi8> to memref<?x?xf32>
    %0 = moe.thread_id
    %1 = moe.num_threads
    %2 = arith.addi %0, %c1 : index
    %3 = arith.muli %0, %dim : index
    %4 = arith.muli %2, %dim : index
    %5 = arith.divui %3, %1 : index
    %6 = arith.divui %4, %1 : index
    %7 = arith.remui %dim_0, %c16 : index
    %8 = arith.subi %dim_0, %7 : index
    scf.for %arg8 = %5 to %6 step %c1 {
      %29 = memref.load %arg0[%arg8] : memref<?xi64>
      %30 = arith.index_cast %29 : i64 to index
      scf.for %arg9 = %c0 to %8 step %c16 {
        %32 = vector.load %arg1[%30, %arg9] : memref<50x?xf32>, vector<16xf32>
        vector.store %32, %view[%arg8, %arg9] : memref<?x?xf32>, vector<16xf32>
      }
      %31 = arith.index_cast %29 : i64 to index
      scf.for %arg9 = %8 to %dim_0 step %c1 {
        %32 = memref.load %arg1[%31, %arg9] : memref<50x?xf32>
        memref.store %32, %view[%arg8, %arg9] : memref<?x?xf32>
      }
    }
    moe.barrier
    %9 = arith.muli %0, %dim_0 : index
    %10 = arith.muli %2, %dim_0 : index
    %11 = arith.divui %9, %1 : index
    %12 = arith.divui %10, %1 : index
    scf.for %arg8 = %11 to %12 step %c1 {
      scf.for %arg9 = %c0 to %dim step %c1 {
        %29 = memref.load %view[%arg9, %arg8] : memref<?x?xf32>
        memref.store %29, %arg3[%arg8, %arg9] : memref<?x?xf32>
      }
    }
    %dim_1 = memref.dim %arg2, %c0 : memref<?x?xi1>
    %dim_2 = memref.dim %arg2, %c1 : memref<?x?xi1>
    %13 = arith.muli %0, %dim_1 : index
    %14 = arith.muli %2, %dim_1 : index
    %15 = arith.divui %13, %1 : index
    %16 = arith.divui %14, %1 : index
    scf.for %arg8 = %15 to %16 step %c1 {
      scf.for %arg9 = %c0 to %dim_2 step %c1 {
        %29 = memref.load %arg2[%arg8, %arg9] : memref<?x?xi1>
        %30 = memref.load %view[%arg8, %arg9] : memref<?x?xf32>
        %31 = arith.cmpf ogt, %30, %cst : f32
        %32 = arith.andi %31, %29 : i1
        memref.store %32, %arg5[%arg8, %arg9] : memref<?x?xi1>
      }
    }
    moe.barrier
    %dim_3 = memref.dim %arg5, %c0 : memref<?x?xi1>
    %dim_4 = memref.dim %arg5, %c1 : memref<?x?xi1>
    %17 = arith.muli %0, %dim_3 : index
    %18 = arith.muli %2, %dim_3 : index
    %19 = arith.divui %17, %1 : index
    %20 = arith.divui %18, %1 : index
    scf.for %arg8 = %19 to %20 step %c1 {
      scf.for %arg9 = %c0 to %dim_4 step %c1 {
        %29 = memref.load %arg5[%arg8, %arg9] : memref<?x?xi1>
        %30 = memref.load %arg3[%arg9, %arg8] : memref<?x?xf32>
        %31 = arith.index_cast %arg9 : index to i64
        %32 = arith.sitofp %31 : i64 to f32
        %33 = arith.select %29, %30, %32 : f32
        memref.store %33, %arg4[%arg8, %arg9] : memref<?x?xf32>
      }
    }
    %dim_5 = memref.dim %arg6, %c0 : memref<?x?xf32>
    %dim_6 = memref.dim %arg6, %c1 : memref<?x?xf32>
    %21 = arith.muli %0, %dim_5 : index
    %22 = arith.muli %2, %dim_5 : index
    %23 = arith.divui %21, %1 : index
    %24 = arith.divui %22, %1 : index
    %25 = arith.remui %dim_6, %c16 : index
    %26 = arith.subi %dim_6, %25 : index
    %27 = vector.step : vector<16xindex>
    %28 = arith.index_cast %27 : vector<16xindex> to vector<16xi64>
    scf.for %arg8 = %23 to %24 step %c1 {
      scf.for %arg9 = %c0 to %26 step %c16 {
        %29 = arith.addi %arg8, %arg9 : index
        %30 = arith.index_cast %29 : index to i64
        %31 = vector.broadcast %30 : i64 to vector<16xi64>
        %32 = arith.addi %31, %28 : vector<16xi64>
        %33 = arith.sitofp %32 : vector<16xi64> to vector<16xf32>
        vector.store %33, %arg6[%arg8, %arg9] : memref<?x?xf32>, vector<16xf32>
      }
      scf.for %arg9 = %26 to %dim_6 step %c1 {
        %29 = arith.addi %arg8, %arg9 : index
        %30 = arith.index_cast %29 : index to i64
        %31 = arith.sitofp %30 : i64 to f32
        memref.store %31, %arg6[%arg8, %arg9] : memref<?x?xf32>
      }
    }
    return
  }
  func.func @moe_shapes(%arg0: memref<?xi64>, %arg1: memref<?xi64>) -> i64 attributes {moe.shapes} {
    %c-64 = arith.constant -64 : index
    %c63 = arith.constant 63 : index
    %c-1_i64 = arith.constant -1 : i64
    %c-2_i64 = arith.constant -2 : i64
    %c-3_i64 = arith.constant -3 : i64
    %c0_i64 = arith.constant 0 : i64
    %c7 = arith.constant 7 : index
    %c6 = arith.constant 6 : index
    %c5 = arith.constant 5 : index
    %c2 = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %c0 = arith.constant 0 : index
    %c3 = arith.constant 3 : index
    %c50 = arith.constant 50 : index
    %c1 = arith.constant 1 : index
    %0 = memref.load %arg0[%c1] : memref<?xi64>
    %1 = arith.index_cast %0 : i64 to index
    %2 = arith.cmpi eq, %1, %c50 : index
    %3 = memref.load %arg0[%c3] : memref<?xi64>
    %4 = arith.index_cast %3 : i64 to index
    %5 = memref.load %arg0[%c0] : memref<?xi64>
    %6 = arith.index_cast %5 : i64 to index
    %7 = arith.cmpi eq, %4, %6 : index
    %8 = memref.load %arg0[%c4] : memref<?xi64>
    %9 = arith.index_cast %8 : i64 to index
    %10 = memref.load %arg0[%c2] : memref<?xi64>
    %11 = arith.index_cast %10 : i64 to index
    %12 = arith.cmpi eq, %9, %11 : index
    memref.store %10, %arg1[%c0] : memref<?xi64>
    memref.store %5, %arg1[%c1] : memref<?xi64>
    memref.store %5, %arg1[%c2] : memref<?xi64>
    memref.store %10, %arg1[%c3] : memref<?xi64>
    memref.store %5, %arg1[%c4] : memref<?xi64>
    memref.store %10, %arg1[%c5] : memref<?xi64>
    memref.store %5, %arg1[%c6] : memref<?xi64>
    memref.store %10, %arg1[%c7] : memref<?xi64>
    %13 = arith.select %12, %c0_i64, %c-3_i64 : i64
    %14 = arith.select %7, %13, %c-2_i64 : i64
    %15 = arith.select %2, %14, %c-1_i64 : i64
    %16 = memref.load %arg0[%c0] : memref<?xi64>
    %17 = arith.index_cast %16 : i64 to index
    %18 = arith.muli %17, %c4 : index
    %19 = memref.load %arg0[%c2] : memref<?xi64>
    %20 = arith.index_cast %19 : i64 to index
    %21 = arith.muli %18, %20 : index
    %22 = arith.addi %21, %c63 : index
    %23 = arith.andi %22, %c-64 : index
    %24 = arith.index_cast %23 : index to i64
    %25 = arith.cmpi slt, %15, %c0_i64 : i64
    %26 = arith.select %25, %15, %24 : i64
    return %26 : i64
  }
}

