module attributes {moe.checks = ["input 'past': dim 1 must be 2", "input 'past': dim 3 must be 24", "input 'new': dim 0 ('b') must equal dim 0 of input 'past'", "input 'new': dim 1 must be 2", "input 'new': dim 3 must be 24", "input 'q': dim 0 ('b') must equal dim 0 of input 'past'", "input 'q': dim 1 must be 2", "input 'q': dim 2 ('s') must equal dim 2 of input 'new'", "input 'q': dim 3 must be 24"]} {
  func.func @moe_entry(%arg0: memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>> {moe.dims = ["b", "2", "p", "24"], moe.input = 0 : i64, moe.name = "past", moe.past_of = 0 : i64}, %arg1: memref<?x2x?x24xf32> {moe.dims = ["b", "2", "s", "24"], moe.input = 1 : i64, moe.name = "new"}, %arg2: memref<?x2x?x24xf32> {moe.dims = ["b", "2", "s", "24"], moe.input = 2 : i64, moe.name = "q"}, %arg3: memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>> {moe.name = "present", moe.output = 0 : i64, moe.present_of = 0 : i64}, %arg4: memref<?x2x?x24xf32> {moe.name = "out", moe.output = 1 : i64}, %arg5: memref<?x2x?x24xf32> {moe.name = "copy", moe.output = 2 : i64}, %arg6: memref<?x2x?x24xf32> {moe.name = "pastcopy", moe.output = 3 : i64}, %arg7: memref<?xi8> {moe.arena}) attributes {moe.entry} {
    %cst = arith.constant dense<-0.000000e+00> : vector<16xf32>
    %c4 = arith.constant 4 : index
    %c3 = arith.constant 3 : index
    %cst_0 = arith.constant 0.000000e+00 : f32
    %cst_1 = arith.constant dense<0.000000e+00> : vector<16xf32>
    %c16 = arith.constant 16 : index
    %c1 = arith.constant 1 : index
    %c24 = arith.constant 24 : index
    %c2 = arith.constant 2 : index
    %c0 = arith.constant 0 : index
    %dim = memref.dim %arg0, %c0 : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>
    %dim_2 = memref.dim %arg1, %c2 : memref<?x2x?x24xf32>
    %dim_3 = memref.dim %arg0, %c2 : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>
    %0 = arith.addi %dim_3, %dim_2 : index
    %subview = memref.subview %arg3[0, 0, 0, 0] [%dim, 2, %dim_3, 24] [1, 1, 1, 1] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>> to memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>
    %intptr = memref.extract_aligned_pointer_as_index %arg0 : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>> -> index
    %intptr_4 = memref.extract_aligned_pointer_as_index %arg3 : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>> -> index
    %1 = arith.cmpi ne, %intptr, %intptr_4 : index
    scf.if %1 {
      %36 = arith.muli %dim, %c2 : index
      %37 = arith.muli %36, %dim_3 : index
      %38 = moe.thread_id
      %39 = moe.num_threads
      %40 = arith.addi %38, %c1 : index
      %41 = arith.muli %38, %37 : index
      %42 = arith.muli %40, %37 : index
      %43 = arith.divui %41, %39 : index
      %44 = arith.divui %42, %39 : index
      scf.for %arg8 = %43 to %44 step %c1 {
        %45 = arith.remui %arg8, %dim_3 : index
        %46 = arith.divui %arg8, %dim_3 : index
        %47 = arith.remui %46, %c2 : index
        %48 = arith.divui %46, %c2 : index
        %49 = vector.load %arg0[%48, %47, %45, %c0] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>, vector<16xf32>
        vector.store %49, %subview[%48, %47, %45, %c0] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>, vector<16xf32>
        scf.for %arg9 = %c16 to %c24 step %c1 {
          %50 = memref.load %arg0[%48, %47, %45, %arg9] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>
          memref.store %50, %subview[%48, %47, %45, %arg9] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>
        }
      }
    }
    %dim_5 = memref.dim %arg1, %c0 : memref<?x2x?x24xf32>
    %subview_6 = memref.subview %arg3[0, 0, %dim_3, 0] [%dim_5, 2, %dim_2, 24] [1, 1, 1, 1] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>> to memref<?x2x?x24xf32, strided<[?, ?, ?, 1], offset: ?>>
    %2 = arith.muli %dim_5, %c2 : index
    %3 = arith.muli %2, %dim_2 : index
    %4 = moe.thread_id
    %5 = moe.num_threads
    %6 = arith.addi %4, %c1 : index
    %7 = arith.muli %4, %3 : index
    %8 = arith.muli %6, %3 : index
    %9 = arith.divui %7, %5 : index
    %10 = arith.divui %8, %5 : index
    scf.for %arg8 = %9 to %10 step %c1 {
      %36 = arith.remui %arg8, %dim_2 : index
      %37 = arith.divui %arg8, %dim_2 : index
      %38 = arith.remui %37, %c2 : index
      %39 = arith.divui %37, %c2 : index
      %40 = vector.load %arg1[%39, %38, %36, %c0] : memref<?x2x?x24xf32>, vector<16xf32>
      vector.store %40, %subview_6[%39, %38, %36, %c0] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1], offset: ?>>, vector<16xf32>
      scf.for %arg9 = %c16 to %c24 step %c1 {
        %41 = memref.load %arg1[%39, %38, %36, %arg9] : memref<?x2x?x24xf32>
        memref.store %41, %subview_6[%39, %38, %36, %arg9] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1], offset: ?>>
      }
    }
    %view = memref.view %arg7[%c0][%dim, %dim_2, %0] : memref<?xi8> to memref<?x2x?x?xf32>
    moe.barrier
    %dim_7 = memref.dim %arg2, %c0 : memref<?x2x?x24xf32>
    %dim_8 = memref.dim %arg2, %c2 : memref<?x2x?x24xf32>
    %dim_9 = memref.dim %arg3, %c2 : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>
    %11 = arith.muli %dim_7, %c2 : index
    %12 = arith.muli %11, %dim_8 : index
    %13 = arith.muli %4, %12 : index
    %14 = arith.muli %6, %12 : index
    %15 = arith.divui %13, %5 : index
    %16 = arith.divui %14, %5 : index
    %17 = arith.remui %dim_9, %c4 : index
    %18 = arith.subi %dim_9, %17 : index
    scf.for %arg8 = %15 to %16 step %c1 {
      %36 = arith.remui %arg8, %dim_8 : index
      %37 = arith.divui %arg8, %dim_8 : index
      %38 = arith.remui %37, %c2 : index
      %39 = arith.divui %37, %c2 : index
      scf.for %arg9 = %c0 to %18 step %c4 {
        %40 = vector.load %arg2[%39, %38, %36, %c0] : memref<?x2x?x24xf32>, vector<16xf32>
        %41 = vector.load %arg3[%39, %38, %arg9, %c0] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>, vector<16xf32>
        %42 = math.fma %40, %41, %cst : vector<16xf32>
        %43 = arith.addi %arg9, %c1 : index
        %44 = vector.load %arg3[%39, %38, %43, %c0] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>, vector<16xf32>
        %45 = math.fma %40, %44, %cst : vector<16xf32>
        %46 = arith.addi %arg9, %c2 : index
        %47 = vector.load %arg3[%39, %38, %46, %c0] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>, vector<16xf32>
        %48 = math.fma %40, %47, %cst : vector<16xf32>
        %49 = arith.addi %arg9, %c3 : index
        %50 = vector.load %arg3[%39, %38, %49, %c0] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>, vector<16xf32>
        %51 = math.fma %40, %50, %cst : vector<16xf32>
        %52:4 = scf.for %arg10 = %c16 to %c24 step %c1 iter_args(%arg11 = %cst_0, %arg12 = %cst_0, %arg13 = %cst_0, %arg14 = %cst_0) -> (f32, f32, f32, f32) {
          %109 = memref.load %arg2[%39, %38, %36, %arg10] : memref<?x2x?x24xf32>
          %110 = memref.load %arg3[%39, %38, %arg9, %arg10] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>
          %111 = math.fma %109, %110, %arg11 : f32
          %112 = memref.load %arg3[%39, %38, %43, %arg10] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>
          %113 = math.fma %109, %112, %arg12 : f32
          %114 = memref.load %arg3[%39, %38, %46, %arg10] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>
          %115 = math.fma %109, %114, %arg13 : f32
          %116 = memref.load %arg3[%39, %38, %49, %arg10] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>
          %117 = math.fma %109, %116, %arg14 : f32
          scf.yield %111, %113, %115, %117 : f32, f32, f32, f32
        }
        %53 = vector.shuffle %42, %42 [0, 1, 2, 3, 4, 5, 6, 7] : vector<16xf32>, vector<16xf32>
        %54 = vector.shuffle %42, %42 [8, 9, 10, 11, 12, 13, 14, 15] : vector<16xf32>, vector<16xf32>
        %55 = arith.addf %53, %54 : vector<8xf32>
        %56 = vector.shuffle %55, %55 [0, 1, 2, 3] : vector<8xf32>, vector<8xf32>
        %57 = vector.shuffle %55, %55 [4, 5, 6, 7] : vector<8xf32>, vector<8xf32>
        %58 = arith.addf %56, %57 : vector<4xf32>
        %59 = vector.shuffle %58, %58 [0, 1] : vector<4xf32>, vector<4xf32>
        %60 = vector.shuffle %58, %58 [2, 3] : vector<4xf32>, vector<4xf32>
        %61 = arith.addf %59, %60 : vector<2xf32>
        %62 = vector.shuffle %61, %61 [0] : vector<2xf32>, vector<2xf32>
        %63 = vector.shuffle %61, %61 [1] : vector<2xf32>, vector<2xf32>
        %64 = arith.addf %62, %63 : vector<1xf32>
        %65 = vector.extract %64[0] : f32 from vector<1xf32>
        %66 = arith.addf %65, %52#0 : f32
        %67 = vector.shuffle %45, %45 [0, 1, 2, 3, 4, 5, 6, 7] : vector<16xf32>, vector<16xf32>
        %68 = vector.shuffle %45, %45 [8, 9, 10, 11, 12, 13, 14, 15] : vector<16xf32>, vector<16xf32>
        %69 = arith.addf %67, %68 : vector<8xf32>
        %70 = vector.shuffle %69, %69 [0, 1, 2, 3] : vector<8xf32>, vector<8xf32>
        %71 = vector.shuffle %69, %69 [4, 5, 6, 7] : vector<8xf32>, vector<8xf32>
        %72 = arith.addf %70, %71 : vector<4xf32>
        %73 = vector.shuffle %72, %72 [0, 1] : vector<4xf32>, vector<4xf32>
        %74 = vector.shuffle %72, %72 [2, 3] : vector<4xf32>, vector<4xf32>
        %75 = arith.addf %73, %74 : vector<2xf32>
        %76 = vector.shuffle %75, %75 [0] : vector<2xf32>, vector<2xf32>
        %77 = vector.shuffle %75, %75 [1] : vector<2xf32>, vector<2xf32>
        %78 = arith.addf %76, %77 : vector<1xf32>
        %79 = vector.extract %78[0] : f32 from vector<1xf32>
        %80 = arith.addf %79, %52#1 : f32
        %81 = vector.shuffle %48, %48 [0, 1, 2, 3, 4, 5, 6, 7] : vector<16xf32>, vector<16xf32>
        %82 = vector.shuffle %48, %48 [8, 9, 10, 11, 12, 13, 14, 15] : vector<16xf32>, vector<16xf32>
        %83 = arith.addf %81, %82 : vector<8xf32>
        %84 = vector.shuffle %83, %83 [0, 1, 2, 3] : vector<8xf32>, vector<8xf32>
        %85 = vector.shuffle %83, %83 [4, 5, 6, 7] : vector<8xf32>, vector<8xf32>
        %86 = arith.addf %84, %85 : vector<4xf32>
        %87 = vector.shuffle %86, %86 [0, 1] : vector<4xf32>, vector<4xf32>
        %88 = vector.shuffle %86, %86 [2, 3] : vector<4xf32>, vector<4xf32>
        %89 = arith.addf %87, %88 : vector<2xf32>
        %90 = vector.shuffle %89, %89 [0] : vector<2xf32>, vector<2xf32>
        %91 = vector.shuffle %89, %89 [1] : vector<2xf32>, vector<2xf32>
        %92 = arith.addf %90, %91 : vector<1xf32>
        %93 = vector.extract %92[0] : f32 from vector<1xf32>
        %94 = arith.addf %93, %52#2 : f32
        %95 = vector.shuffle %51, %51 [0, 1, 2, 3, 4, 5, 6, 7] : vector<16xf32>, vector<16xf32>
        %96 = vector.shuffle %51, %51 [8, 9, 10, 11, 12, 13, 14, 15] : vector<16xf32>, vector<16xf32>
        %97 = arith.addf %95, %96 : vector<8xf32>
        %98 = vector.shuffle %97, %97 [0, 1, 2, 3] : vector<8xf32>, vector<8xf32>
        %99 = vector.shuffle %97, %97 [4, 5, 6, 7] : vector<8xf32>, vector<8xf32>
        %100 = arith.addf %98, %99 : vector<4xf32>
        %101 = vector.shuffle %100, %100 [0, 1] : vector<4xf32>, vector<4xf32>
        %102 = vector.shuffle %100, %100 [2, 3] : vector<4xf32>, vector<4xf32>
        %103 = arith.addf %101, %102 : vector<2xf32>
        %104 = vector.shuffle %103, %103 [0] : vector<2xf32>, vector<2xf32>
        %105 = vector.shuffle %103, %103 [1] : vector<2xf32>, vector<2xf32>
        %106 = arith.addf %104, %105 : vector<1xf32>
        %107 = vector.extract %106[0] : f32 from vector<1xf32>
        %108 = arith.addf %107, %52#3 : f32
        memref.store %66, %view[%39, %38, %36, %arg9] : memref<?x2x?x?xf32>
        memref.store %80, %view[%39, %38, %36, %43] : memref<?x2x?x?xf32>
        memref.store %94, %view[%39, %38, %36, %46] : memref<?x2x?x?xf32>
        memref.store %108, %view[%39, %38, %36, %49] : memref<?x2x?x?xf32>
      }
      scf.for %arg9 = %18 to %dim_9 step %c1 {
        %40 = vector.load %arg2[%39, %38, %36, %c0] : memref<?x2x?x24xf32>, vector<16xf32>
        %41 = vector.load %arg3[%39, %38, %arg9, %c0] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>, vector<16xf32>
        %42 = math.fma %40, %41, %cst : vector<16xf32>
        %43 = scf.for %arg10 = %c16 to %c24 step %c1 iter_args(%arg11 = %cst_0) -> (f32) {
          %58 = memref.load %arg2[%39, %38, %36, %arg10] : memref<?x2x?x24xf32>
          %59 = memref.load %arg3[%39, %38, %arg9, %arg10] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>
          %60 = math.fma %58, %59, %arg11 : f32
          scf.yield %60 : f32
        }
        %44 = vector.shuffle %42, %42 [0, 1, 2, 3, 4, 5, 6, 7] : vector<16xf32>, vector<16xf32>
        %45 = vector.shuffle %42, %42 [8, 9, 10, 11, 12, 13, 14, 15] : vector<16xf32>, vector<16xf32>
        %46 = arith.addf %44, %45 : vector<8xf32>
        %47 = vector.shuffle %46, %46 [0, 1, 2, 3] : vector<8xf32>, vector<8xf32>
        %48 = vector.shuffle %46, %46 [4, 5, 6, 7] : vector<8xf32>, vector<8xf32>
        %49 = arith.addf %47, %48 : vector<4xf32>
        %50 = vector.shuffle %49, %49 [0, 1] : vector<4xf32>, vector<4xf32>
        %51 = vector.shuffle %49, %49 [2, 3] : vector<4xf32>, vector<4xf32>
        %52 = arith.addf %50, %51 : vector<2xf32>
        %53 = vector.shuffle %52, %52 [0] : vector<2xf32>, vector<2xf32>
        %54 = vector.shuffle %52, %52 [1] : vector<2xf32>, vector<2xf32>
        %55 = arith.addf %53, %54 : vector<1xf32>
        %56 = vector.extract %55[0] : f32 from vector<1xf32>
        %57 = arith.addf %56, %43 : f32
        memref.store %57, %view[%39, %38, %36, %arg9] : memref<?x2x?x?xf32>
      }
    }
    %19 = arith.muli %dim, %c2 : index
    %20 = arith.muli %19, %dim_2 : index
    %21 = arith.muli %4, %20 : index
    %22 = arith.muli %6, %20 : index
    %23 = arith.divui %21, %5 : index
    %24 = arith.divui %22, %5 : index
    scf.for %arg8 = %23 to %24 step %c1 {
      %36 = arith.remui %arg8, %dim_2 : index
      %37 = arith.divui %arg8, %dim_2 : index
      %38 = arith.remui %37, %c2 : index
      %39 = arith.divui %37, %c2 : index
      %40 = scf.for %arg9 = %c0 to %0 step %c1 iter_args(%arg10 = %cst_1) -> (vector<16xf32>) {
        %41 = memref.load %view[%39, %38, %36, %arg9] : memref<?x2x?x?xf32>
        %42 = vector.load %arg3[%39, %38, %arg9, %c0] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>, vector<16xf32>
        %43 = vector.broadcast %41 : f32 to vector<16xf32>
        %44 = math.fma %43, %42, %arg10 : vector<16xf32>
        scf.yield %44 : vector<16xf32>
      }
      vector.store %40, %arg4[%39, %38, %36, %c0] : memref<?x2x?x24xf32>, vector<16xf32>
      scf.for %arg9 = %c16 to %c24 step %c1 {
        %41 = scf.for %arg10 = %c0 to %0 step %c1 iter_args(%arg11 = %cst_0) -> (f32) {
          %42 = memref.load %view[%39, %38, %36, %arg10] : memref<?x2x?x?xf32>
          %43 = memref.load %arg3[%39, %38, %arg10, %arg9] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>
          %44 = math.fma %42, %43, %arg11 : f32
          scf.yield %44 : f32
        }
        memref.store %41, %arg4[%39, %38, %36, %arg9] : memref<?x2x?x24xf32>
      }
    }
    %dim_10 = memref.dim %arg4, %c0 : memref<?x2x?x24xf32>
    %dim_11 = memref.dim %arg4, %c2 : memref<?x2x?x24xf32>
    %25 = arith.muli %dim_10, %c2 : index
    %26 = arith.muli %25, %dim_11 : index
    %27 = arith.muli %4, %26 : index
    %28 = arith.muli %6, %26 : index
    %29 = arith.divui %27, %5 : index
    %30 = arith.divui %28, %5 : index
    scf.for %arg8 = %29 to %30 step %c1 {
      %36 = arith.remui %arg8, %dim_11 : index
      %37 = arith.divui %arg8, %dim_11 : index
      %38 = arith.remui %37, %c2 : index
      %39 = arith.divui %37, %c2 : index
      %40 = vector.load %arg4[%39, %38, %36, %c0] : memref<?x2x?x24xf32>, vector<16xf32>
      vector.store %40, %arg5[%39, %38, %36, %c0] : memref<?x2x?x24xf32>, vector<16xf32>
      scf.for %arg9 = %c16 to %c24 step %c1 {
        %41 = memref.load %arg4[%39, %38, %36, %arg9] : memref<?x2x?x24xf32>
        memref.store %41, %arg5[%39, %38, %36, %arg9] : memref<?x2x?x24xf32>
      }
    }
    %31 = arith.muli %19, %dim_3 : index
    %32 = arith.muli %4, %31 : index
    %33 = arith.muli %6, %31 : index
    %34 = arith.divui %32, %5 : index
    %35 = arith.divui %33, %5 : index
    scf.for %arg8 = %34 to %35 step %c1 {
      %36 = arith.remui %arg8, %dim_3 : index
      %37 = arith.divui %arg8, %dim_3 : index
      %38 = arith.remui %37, %c2 : index
      %39 = arith.divui %37, %c2 : index
      %40 = vector.load %arg0[%39, %38, %36, %c0] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>, vector<16xf32>
      vector.store %40, %arg6[%39, %38, %36, %c0] : memref<?x2x?x24xf32>, vector<16xf32>
      scf.for %arg9 = %c16 to %c24 step %c1 {
        %41 = memref.load %arg0[%39, %38, %36, %arg9] : memref<?x2x?x24xf32, strided<[?, ?, ?, 1]>>
        memref.store %41, %arg6[%39, %38, %36, %arg9] : memref<?x2x?x24xf32>
      }
    }
    return
  }
  func.func @moe_shapes(%arg0: memref<?xi64>, %arg1: memref<?xi64>) -> i64 attributes {moe.shapes} {
    %c-64 = arith.constant -64 : index
    %c63 = arith.constant 63 : index
    %c24_i64 = arith.constant 24 : i64
    %c2_i64 = arith.constant 2 : i64
    %c-1_i64 = arith.constant -1 : i64
    %c-2_i64 = arith.constant -2 : i64
    %c-3_i64 = arith.constant -3 : i64
    %c-4_i64 = arith.constant -4 : i64
    %c-5_i64 = arith.constant -5 : i64
    %c-6_i64 = arith.constant -6 : i64
    %c-7_i64 = arith.constant -7 : i64
    %c-8_i64 = arith.constant -8 : i64
    %c-9_i64 = arith.constant -9 : i64
    %c0_i64 = arith.constant 0 : i64
    %c15 = arith.constant 15 : index
    %c14 = arith.constant 14 : index
    %c13 = arith.constant 13 : index
    %c12 = arith.constant 12 : index
    %c11 = arith.constant 11 : index
    %c6 = arith.constant 6 : index
    %c10 = arith.constant 10 : index
    %c9 = arith.constant 9 : index
    %c8 = arith.constant 8 : index
    %c7 = arith.constant 7 : index
    %c5 = arith.constant 5 : index
    %c0 = arith.constant 0 : index
    %c4 = arith.constant 4 : index
    %c3 = arith.constant 3 : index
    %c24 = arith.constant 24 : index
    %c2 = arith.constant 2 : index
    %c1 = arith.constant 1 : index
    %0 = memref.load %arg0[%c1] : memref<?xi64>
    %1 = arith.index_cast %0 : i64 to index
    %2 = arith.cmpi eq, %1, %c2 : index
    %3 = memref.load %arg0[%c3] : memref<?xi64>
    %4 = arith.index_cast %3 : i64 to index
    %5 = arith.cmpi eq, %4, %c24 : index
    %6 = memref.load %arg0[%c4] : memref<?xi64>
    %7 = arith.index_cast %6 : i64 to index
    %8 = memref.load %arg0[%c0] : memref<?xi64>
    %9 = arith.index_cast %8 : i64 to index
    %10 = arith.cmpi eq, %7, %9 : index
    %11 = memref.load %arg0[%c5] : memref<?xi64>
    %12 = arith.index_cast %11 : i64 to index
    %13 = arith.cmpi eq, %12, %c2 : index
    %14 = memref.load %arg0[%c7] : memref<?xi64>
    %15 = arith.index_cast %14 : i64 to index
    %16 = arith.cmpi eq, %15, %c24 : index
    %17 = memref.load %arg0[%c8] : memref<?xi64>
    %18 = arith.index_cast %17 : i64 to index
    %19 = arith.cmpi eq, %18, %9 : index
    %20 = memref.load %arg0[%c9] : memref<?xi64>
    %21 = arith.index_cast %20 : i64 to index
    %22 = arith.cmpi eq, %21, %c2 : index
    %23 = memref.load %arg0[%c10] : memref<?xi64>
    %24 = arith.index_cast %23 : i64 to index
    %25 = memref.load %arg0[%c6] : memref<?xi64>
    %26 = arith.index_cast %25 : i64 to index
    %27 = arith.cmpi eq, %24, %26 : index
    %28 = memref.load %arg0[%c11] : memref<?xi64>
    %29 = arith.index_cast %28 : i64 to index
    %30 = arith.cmpi eq, %29, %c24 : index
    memref.store %8, %arg1[%c0] : memref<?xi64>
    memref.store %c2_i64, %arg1[%c1] : memref<?xi64>
    %31 = memref.load %arg0[%c2] : memref<?xi64>
    %32 = arith.index_cast %31 : i64 to index
    %33 = arith.addi %32, %26 : index
    %34 = arith.index_cast %33 : index to i64
    memref.store %34, %arg1[%c2] : memref<?xi64>
    memref.store %c24_i64, %arg1[%c3] : memref<?xi64>
    memref.store %8, %arg1[%c4] : memref<?xi64>
    memref.store %c2_i64, %arg1[%c5] : memref<?xi64>
    memref.store %25, %arg1[%c6] : memref<?xi64>
    memref.store %c24_i64, %arg1[%c7] : memref<?xi64>
    memref.store %8, %arg1[%c8] : memref<?xi64>
    memref.store %c2_i64, %arg1[%c9] : memref<?xi64>
    memref.store %25, %arg1[%c10] : memref<?xi64>
    memref.store %c24_i64, %arg1[%c11] : memref<?xi64>
    memref.store %8, %arg1[%c12] : memref<?xi64>
    memref.store %c2_i64, %arg1[%c13] : memref<?xi64>
    memref.store %31, %arg1[%c14] : memref<?xi64>
    memref.store %c24_i64, %arg1[%c15] : memref<?xi64>
    %35 = arith.select %30, %c0_i64, %c-9_i64 : i64
    %36 = arith.select %27, %35, %c-8_i64 : i64
    %37 = arith.select %22, %36, %c-7_i64 : i64
    %38 = arith.select %19, %37, %c-6_i64 : i64
    %39 = arith.select %16, %38, %c-5_i64 : i64
    %40 = arith.select %13, %39, %c-4_i64 : i64
    %41 = arith.select %10, %40, %c-3_i64 : i64
    %42 = arith.select %5, %41, %c-2_i64 : i64
    %43 = arith.select %2, %42, %c-1_i64 : i64
    %44 = memref.load %arg0[%c0] : memref<?xi64>
    %45 = arith.index_cast %44 : i64 to index
    %46 = arith.muli %45, %c8 : index
    %47 = memref.load %arg0[%c6] : memref<?xi64>
    %48 = arith.index_cast %47 : i64 to index
    %49 = arith.muli %46, %48 : index
    %50 = memref.load %arg0[%c2] : memref<?xi64>
    %51 = arith.index_cast %50 : i64 to index
    %52 = arith.addi %51, %48 : index
    %53 = arith.muli %49, %52 : index
    %54 = arith.addi %53, %c63 : index
    %55 = arith.andi %54, %c-64 : index
    %56 = arith.index_cast %55 : index to i64
    %57 = arith.cmpi slt, %43, %c0_i64 : i64
    %58 = arith.select %57, %43, %56 : i64
    return %58 : i64
  }
}

