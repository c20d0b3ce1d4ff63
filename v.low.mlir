module attributes {moe.checks = []} {
  memref.global "private" constant @__constant_3xi64 : memref<3xi64> = dense<[10, 20, 30]> {alignment = 64 : i64}
  func.func @moe_entry(%arg0: memref<?x?xf32> {moe.dims = ["a", "b"], moe.input = 0 : i64, moe.name = "x"}, %arg1: memref<?x?xf32> {moe.output = 0 : i64}, %arg2: memref<?xf32> {moe.output = 1 : i64}, %arg3: memref<f32> {moe.output = 2 : i64}, %arg4: memref<?x?xf32> {moe.output = 3 : i64}, %arg5: memref<3xi64> {moe.output = 4 : i64}, %arg6: memref<?x?x2xf32> {moe.output = 5 : i64}, %arg7: memref<?xi64> {moe.output = 6 : i64}, %arg8: memref<?xi8> {moe.arena}) attributes {moe.entry} {
    %c127_i32 = arith.constant 127 : i32
    %c23_i32 = arith.constant 23 : i32
    %cst = arith.constant 1.270000e+02 : f32
    %cst_0 = arith.constant -1.270000e+02 : f32
    %cst_1 = arith.constant 8.880000e+01 : f32
    %cst_2 = arith.constant -8.780000e+01 : f32
    %cst_3 = arith.constant 0.166666657 : f32
    %cst_4 = arith.constant 0.0416657962 : f32
    %cst_5 = arith.constant 0.00833345205 : f32
    %cst_6 = arith.constant 0.00139819994 : f32
    %cst_7 = arith.constant 1.98756912E-4 : f32
    %cst_8 = arith.constant 2.12194442E-4 : f32
    %cst_9 = arith.constant -0.693359375 : f32
    %cst_10 = arith.constant 1.44269502 : f32
    %cst_11 = arith.constant 1.000000e+00 : f32
    %cst_12 = arith.constant 5.000000e-01 : f32
    %cst_13 = arith.constant dense<127> : vector<16xi32>
    %cst_14 = arith.constant dense<23> : vector<16xi32>
    %cst_15 = arith.constant dense<1.270000e+02> : vector<16xf32>
    %cst_16 = arith.constant dense<-1.270000e+02> : vector<16xf32>
    %cst_17 = arith.constant dense<8.880000e+01> : vector<16xf32>
    %cst_18 = arith.constant dense<-8.780000e+01> : vector<16xf32>
    %cst_19 = arith.constant dense<0.166666657> : vector<16xf32>
    %cst_20 = arith.constant dense<0.0416657962> : vector<16xf32>
    %cst_21 = arith.constant dense<0.00833345205> : vector<16xf32>
    %cst_22 = arith.constant dense<0.00139819994> : vector<16xf32>
    %cst_23 = arith.constant dense<1.98756912E-4> : vector<16xf32>
    %cst_24 = arith.constant dense<2.12194442E-4> : vector<16xf32>
    %cst_25 = arith.constant dense<-0.693359375> : vector<16xf32>
    %cst_26 = arith.constant dense<1.44269502> : vector<16xf32>
    %cst_27 = arith.constant dense<1.000000e+00> : vector<16xf32>
    %cst_28 = arith.constant dense<5.000000e-01> : vector<16xf32>
    %cst_29 = arith.constant dense<1.500000e+00> : vector<16xf32>
    %c3 = arith.constant 3 : index
    %cst_30 = arith.constant dense<-0.000000e+00> : vector<16xf32>
    %cst_31 = arith.constant 0.000000e+00 : f32
    %c16 = arith.constant 16 : index
    %c7_i64 = arith.constant 7 : i64
    %cst_32 = arith.constant 1.500000e+00 : f32
    %c4 = arith.constant 4 : index
    %c-64 = arith.constant -64 : index
    %c63 = arith.constant 63 : index
    %c24 = arith.constant 24 : index
    %c8 = arith.constant 8 : index
    %c2 = arith.constant 2 : index
    %c1 = arith.constant 1 : index
    %c0 = arith.constant 0 : index
    %dim = memref.dim %arg0, %c0 : memref<?x?xf32>
    %0 = arith.addi %dim, %c1 : index
    %dim_33 = memref.dim %arg0, %c1 : memref<?x?xf32>
    %1 = arith.addi %dim_33, %c2 : index
    %2 = arith.divui %dim_33, %c2 : index
    %3 = arith.muli %dim, %c8 : index
    %4 = arith.muli %3, %2 : index
    %5 = arith.maxsi %4, %c24 : index
    %6 = arith.addi %5, %c63 : index
    %7 = arith.andi %6, %c-64 : index
    %8 = arith.muli %0, %c4 : index
    %9 = arith.muli %8, %1 : index
    %10 = arith.addi %9, %c63 : index
    %11 = arith.andi %10, %c-64 : index
    %12 = arith.addi %7, %11 : index
    %13 = memref.get_global @__constant_3xi64 : memref<3xi64>
    %view = memref.view %arg8[%7][%0, %1] : memref<?xi8> to memref<?x?xf32>
    %14 = moe.thread_id
    %15 = moe.num_threads
    %16 = arith.addi %14, %c1 : index
    %17 = arith.muli %14, %0 : index
    %18 = arith.muli %16, %0 : index
    %19 = arith.divui %17, %15 : index
    %20 = arith.divui %18, %15 : index
    %21 = arith.remui %1, %c16 : index
    %22 = arith.subi %1, %21 : index
    scf.for %arg9 = %19 to %20 step %c1 {
      scf.for %arg10 = %c0 to %22 step %c16 {
        vector.store %cst_29, %view[%arg9, %arg10] : memref<?x?xf32>, vector<16xf32>
      }
      scf.for %arg10 = %22 to %1 step %c1 {
        memref.store %cst_32, %view[%arg9, %arg10] : memref<?x?xf32>
      }
    }
    %subview = memref.subview %view[1, 0] [%dim, %dim_33] [1, 1] : memref<?x?xf32> to memref<?x?xf32, strided<[?, 1], offset: ?>>
    moe.barrier
    %23 = arith.muli %14, %dim : index
    %24 = arith.muli %16, %dim : index
    %25 = arith.divui %23, %15 : index
    %26 = arith.divui %24, %15 : index
    %27 = arith.remui %dim_33, %c16 : index
    %28 = arith.subi %dim_33, %27 : index
    scf.for %arg9 = %25 to %26 step %c1 {
      scf.for %arg10 = %c0 to %28 step %c16 {
        %75 = vector.load %arg0[%arg9, %arg10] : memref<?x?xf32>, vector<16xf32>
        vector.store %75, %subview[%arg9, %arg10] : memref<?x?xf32, strided<[?, 1], offset: ?>>, vector<16xf32>
      }
      scf.for %arg10 = %28 to %dim_33 step %c1 {
        %75 = memref.load %arg0[%arg9, %arg10] : memref<?x?xf32>
        memref.store %75, %subview[%arg9, %arg10] : memref<?x?xf32, strided<[?, 1], offset: ?>>
      }
    }
    %collapse_shape = memref.collapse_shape %view [[0, 1]] : memref<?x?xf32> into memref<?xf32>
    moe.barrier
    %dim_34 = memref.dim %collapse_shape, %c0 : memref<?xf32>
    %29 = arith.cmpi eq, %14, %c0 : index
    scf.if %29 {
      %75 = arith.remui %dim_34, %c16 : index
      %76 = arith.subi %dim_34, %75 : index
      %77 = scf.for %arg9 = %c0 to %76 step %c16 iter_args(%arg10 = %cst_30) -> (vector<16xf32>) {
        %93 = vector.load %collapse_shape[%arg9] : memref<?xf32>, vector<16xf32>
        %94 = arith.addf %93, %arg10 : vector<16xf32>
        scf.yield %94 : vector<16xf32>
      }
      %78 = scf.for %arg9 = %76 to %dim_34 step %c1 iter_args(%arg10 = %cst_31) -> (f32) {
        %93 = memref.load %collapse_shape[%arg9] : memref<?xf32>
        %94 = arith.addf %93, %arg10 : f32
        scf.yield %94 : f32
      }
      %79 = vector.shuffle %77, %77 [0, 1, 2, 3, 4, 5, 6, 7] : vector<16xf32>, vector<16xf32>
      %80 = vector.shuffle %77, %77 [8, 9, 10, 11, 12, 13, 14, 15] : vector<16xf32>, vector<16xf32>
      %81 = arith.addf %79, %80 : vector<8xf32>
      %82 = vector.shuffle %81, %81 [0, 1, 2, 3] : vector<8xf32>, vector<8xf32>
      %83 = vector.shuffle %81, %81 [4, 5, 6, 7] : vector<8xf32>, vector<8xf32>
      %84 = arith.addf %82, %83 : vector<4xf32>
      %85 = vector.shuffle %84, %84 [0, 1] : vector<4xf32>, vector<4xf32>
      %86 = vector.shuffle %84, %84 [2, 3] : vector<4xf32>, vector<4xf32>
      %87 = arith.addf %85, %86 : vector<2xf32>
      %88 = vector.shuffle %87, %87 [0] : vector<2xf32>, vector<2xf32>
      %89 = vector.shuffle %87, %87 [1] : vector<2xf32>, vector<2xf32>
      %90 = arith.addf %88, %89 : vector<1xf32>
      %91 = vector.extract %90[0] : f32 from vector<1xf32>
      %92 = arith.addf %91, %78 : f32
      memref.store %92, %arg3[] : memref<f32>
    }
    %subview_35 = memref.subview %arg0[0, %2] [%dim, %2] [1, 1] : memref<?x?xf32> to memref<?x?xf32, strided<[?, 1], offset: ?>>
    %30 = arith.index_cast %dim : index to i64
    %31 = arith.index_cast %dim_33 : index to i64
    %view_36 = memref.view %arg8[%c0][] : memref<?xi8> to memref<3xi64>
    scf.if %29 {
      memref.store %30, %view_36[%c0] : memref<3xi64>
    }
    scf.if %29 {
      memref.store %31, %view_36[%c1] : memref<3xi64>
    }
    scf.if %29 {
      memref.store %c7_i64, %view_36[%c2] : memref<3xi64>
    }
    scf.if %29 {
      scf.for %arg9 = %c0 to %c3 step %c1 {
        %75 = memref.load %view_36[%arg9] : memref<3xi64>
        %76 = memref.load %13[%arg9] : memref<3xi64>
        %77 = arith.addi %75, %76 : i64
        memref.store %77, %arg5[%arg9] : memref<3xi64>
      }
    }
    %dim_37 = memref.dim %arg4, %c0 : memref<?x?xf32>
    %dim_38 = memref.dim %arg4, %c1 : memref<?x?xf32>
    %32 = arith.muli %14, %dim_37 : index
    %33 = arith.muli %16, %dim_37 : index
    %34 = arith.divui %32, %15 : index
    %35 = arith.divui %33, %15 : index
    %36 = arith.remui %dim_38, %c16 : index
    %37 = arith.subi %dim_38, %36 : index
    scf.for %arg9 = %34 to %35 step %c1 {
      scf.for %arg10 = %c0 to %37 step %c16 {
        vector.store %cst_29, %arg4[%arg9, %arg10] : memref<?x?xf32>, vector<16xf32>
      }
      scf.for %arg10 = %37 to %dim_38 step %c1 {
        memref.store %cst_32, %arg4[%arg9, %arg10] : memref<?x?xf32>
      }
    }
    %subview_39 = memref.subview %arg4[0, 0] [%dim, %2] [1, 1] : memref<?x?xf32> to memref<?x?xf32, strided<[?, 1]>>
    moe.barrier
    %38 = arith.remui %2, %c16 : index
    %39 = arith.subi %2, %38 : index
    scf.for %arg9 = %25 to %26 step %c1 {
      scf.for %arg10 = %c0 to %39 step %c16 {
        %75 = vector.load %subview_35[%arg9, %arg10] : memref<?x?xf32, strided<[?, 1], offset: ?>>, vector<16xf32>
        vector.store %75, %subview_39[%arg9, %arg10] : memref<?x?xf32, strided<[?, 1]>>, vector<16xf32>
      }
      scf.for %arg10 = %39 to %2 step %c1 {
        %75 = memref.load %subview_35[%arg9, %arg10] : memref<?x?xf32, strided<[?, 1], offset: ?>>
        memref.store %75, %subview_39[%arg9, %arg10] : memref<?x?xf32, strided<[?, 1]>>
      }
    }
    %view_40 = memref.view %arg8[%12][%dim, %2] : memref<?xi8> to memref<?x?xf32>
    %40 = arith.remui %2, %c16 : index
    %41 = arith.subi %2, %40 : index
    scf.for %arg9 = %25 to %26 step %c1 {
      scf.for %arg10 = %c0 to %41 step %c16 {
        %75 = vector.load %subview_35[%arg9, %arg10] : memref<?x?xf32, strided<[?, 1], offset: ?>>, vector<16xf32>
        %76 = arith.cmpf uge, %75, %cst_18 : vector<16xf32>
        %77 = arith.select %76, %75, %cst_18 : vector<16xi1>, vector<16xf32>
        %78 = arith.cmpf ule, %77, %cst_17 : vector<16xf32>
        %79 = arith.select %78, %77, %cst_17 : vector<16xi1>, vector<16xf32>
        %80 = math.fma %79, %cst_26, %cst_28 : vector<16xf32>
        %81 = math.floor %80 : vector<16xf32>
        %82 = arith.cmpf uge, %81, %cst_16 : vector<16xf32>
        %83 = arith.select %82, %81, %cst_16 : vector<16xi1>, vector<16xf32>
        %84 = arith.cmpf ule, %83, %cst_15 : vector<16xf32>
        %85 = arith.select %84, %83, %cst_15 : vector<16xi1>, vector<16xf32>
        %86 = math.fma %cst_25, %85, %79 : vector<16xf32>
        %87 = math.fma %cst_24, %85, %86 : vector<16xf32>
        %88 = math.fma %87, %cst_23, %cst_22 : vector<16xf32>
        %89 = math.fma %88, %87, %cst_21 : vector<16xf32>
        %90 = math.fma %89, %87, %cst_20 : vector<16xf32>
        %91 = math.fma %90, %87, %cst_19 : vector<16xf32>
        %92 = math.fma %91, %87, %cst_28 : vector<16xf32>
        %93 = arith.mulf %87, %87 : vector<16xf32>
        %94 = math.fma %92, %93, %87 : vector<16xf32>
        %95 = arith.addf %94, %cst_27 : vector<16xf32>
        %96 = arith.fptosi %85 : vector<16xf32> to vector<16xi32>
        %97 = arith.addi %96, %cst_13 : vector<16xi32>
        %98 = arith.shli %97, %cst_14 : vector<16xi32>
        %99 = arith.bitcast %98 : vector<16xi32> to vector<16xf32>
        %100 = arith.mulf %95, %99 : vector<16xf32>
        vector.store %100, %view_40[%arg9, %arg10] : memref<?x?xf32>, vector<16xf32>
      }
      scf.for %arg10 = %41 to %2 step %c1 {
        %75 = memref.load %subview_35[%arg9, %arg10] : memref<?x?xf32, strided<[?, 1], offset: ?>>
        %76 = arith.cmpf uge, %75, %cst_2 : f32
        %77 = arith.select %76, %75, %cst_2 : f32
        %78 = arith.cmpf ule, %77, %cst_1 : f32
        %79 = arith.select %78, %77, %cst_1 : f32
        %80 = math.fma %79, %cst_10, %cst_12 : f32
        %81 = math.floor %80 : f32
        %82 = arith.cmpf uge, %81, %cst_0 : f32
        %83 = arith.select %82, %81, %cst_0 : f32
        %84 = arith.cmpf ule, %83, %cst : f32
        %85 = arith.select %84, %83, %cst : f32
        %86 = math.fma %cst_9, %85, %79 : f32
        %87 = math.fma %cst_8, %85, %86 : f32
        %88 = math.fma %87, %cst_7, %cst_6 : f32
        %89 = math.fma %88, %87, %cst_5 : f32
        %90 = math.fma %89, %87, %cst_4 : f32
        %91 = math.fma %90, %87, %cst_3 : f32
        %92 = math.fma %91, %87, %cst_12 : f32
        %93 = arith.mulf %87, %87 : f32
        %94 = math.fma %92, %93, %87 : f32
        %95 = arith.addf %94, %cst_11 : f32
        %96 = arith.fptosi %85 : f32 to i32
        %97 = arith.addi %96, %c127_i32 : i32
        %98 = arith.shli %97, %c23_i32 : i32
        %99 = arith.bitcast %98 : i32 to f32
        %100 = arith.mulf %95, %99 : f32
        memref.store %100, %view_40[%arg9, %arg10] : memref<?x?xf32>
      }
    }
    %view_41 = memref.view %arg8[%c0][%dim, %2] : memref<?xi8> to memref<?x?x2xf32>
    moe.barrier
    %42 = arith.muli %dim, %2 : index
    %43 = arith.muli %14, %42 : index
    %44 = arith.muli %16, %42 : index
    %45 = arith.divui %43, %15 : index
    %46 = arith.divui %44, %15 : index
    scf.for %arg9 = %45 to %46 step %c1 {
      %75 = arith.remui %arg9, %2 : index
      %76 = arith.divui %arg9, %2 : index
      scf.for %arg10 = %c0 to %c2 step %c1 {
        %77 = memref.load %view_40[%76, %75] : memref<?x?xf32>
        memref.store %77, %view_41[%76, %75, %arg10] : memref<?x?x2xf32>
      }
    }
    %dim_42 = memref.dim %arg7, %c0 : memref<?xi64>
    %47 = arith.ceildivui %dim_42, %c16 : index
    %48 = arith.muli %14, %47 : index
    %49 = arith.muli %16, %47 : index
    %50 = arith.divui %48, %15 : index
    %51 = arith.divui %49, %15 : index
    %52 = arith.muli %50, %c16 : index
    %53 = arith.muli %51, %c16 : index
    %54 = arith.minui %52, %dim_42 : index
    %55 = arith.minui %53, %dim_42 : index
    %56 = arith.subi %55, %54 : index
    %57 = arith.remui %56, %c16 : index
    %58 = arith.subi %55, %57 : index
    %59 = vector.step : vector<16xindex>
    %60 = arith.index_cast %59 : vector<16xindex> to vector<16xi64>
    scf.for %arg9 = %54 to %58 step %c16 {
      %75 = arith.index_cast %arg9 : index to i64
      %76 = memref.load %arg5[%c1] : memref<3xi64>
      %77 = vector.broadcast %75 : i64 to vector<16xi64>
      %78 = arith.addi %77, %60 : vector<16xi64>
      %79 = vector.broadcast %76 : i64 to vector<16xi64>
      %80 = arith.muli %78, %79 : vector<16xi64>
      vector.store %80, %arg7[%arg9] : memref<?xi64>, vector<16xi64>
    }
    scf.for %arg9 = %58 to %55 step %c1 {
      %75 = arith.index_cast %arg9 : index to i64
      %76 = memref.load %arg5[%c1] : memref<3xi64>
      %77 = arith.muli %75, %76 : i64
      memref.store %77, %arg7[%arg9] : memref<?xi64>
    }
    %61 = arith.remui %dim_33, %c16 : index
    %62 = arith.subi %dim_33, %61 : index
    scf.for %arg9 = %25 to %26 step %c1 {
      scf.for %arg10 = %c0 to %62 step %c16 {
        %75 = vector.load %arg0[%arg9, %arg10] : memref<?x?xf32>, vector<16xf32>
        vector.store %75, %arg1[%arg9, %arg10] : memref<?x?xf32>, vector<16xf32>
      }
      scf.for %arg10 = %62 to %dim_33 step %c1 {
        %75 = memref.load %arg0[%arg9, %arg10] : memref<?x?xf32>
        memref.store %75, %arg1[%arg9, %arg10] : memref<?x?xf32>
      }
    }
    %63 = arith.ceildivui %dim_34, %c16 : index
    %64 = arith.muli %14, %63 : index
    %65 = arith.muli %16, %63 : index
    %66 = arith.divui %64, %15 : index
    %67 = arith.divui %65, %15 : index
    %68 = arith.muli %66, %c16 : index
    %69 = arith.muli %67, %c16 : index
    %70 = arith.minui %68, %dim_34 : index
    %71 = arith.minui %69, %dim_34 : index
    %72 = arith.subi %71, %70 : index
    %73 = arith.remui %72, %c16 : index
    %74 = arith.subi %71, %73 : index
    scf.for %arg9 = %70 to %74 step %c16 {
      %75 = vector.load %collapse_shape[%arg9] : memref<?xf32>, vector<16xf32>
      vector.store %75, %arg2[%arg9] : memref<?xf32>, vector<16xf32>
    }
    scf.for %arg9 = %74 to %71 step %c1 {
      %75 = memref.load %collapse_shape[%arg9] : memref<?xf32>
      memref.store %75, %arg2[%arg9] : memref<?xf32>
    }
    scf.for %arg9 = %45 to %46 step %c1 {
      %75 = arith.remui %arg9, %2 : index
      %76 = arith.divui %arg9, %2 : index
      scf.for %arg10 = %c0 to %c2 step %c1 {
        %77 = memref.load %view_41[%76, %75, %arg10] : memref<?x?x2xf32>
        memref.store %77, %arg6[%76, %75, %arg10] : memref<?x?x2xf32>
      }
    }
    return
  }
  func.func @moe_shapes(%arg0: memref<?xi64>, %arg1: memref<?xi64>) -> i64 attributes {moe.shapes} {
    %c-64 = arith.constant -64 : index
    %c63 = arith.constant 63 : index
    %c24 = arith.constant 24 : index
    %c2_i64 = arith.constant 2 : i64
    %c3_i64 = arith.constant 3 : i64
    %c9 = arith.constant 9 : index
    %c8 = arith.constant 8 : index
    %c7 = arith.constant 7 : index
    %c6 = arith.constant 6 : index
    %c5 = arith.constant 5 : index
    %c4 = arith.constant 4 : index
    %c3 = arith.constant 3 : index
    %c2 = arith.constant 2 : index
    %c1 = arith.constant 1 : index
    %c0 = arith.constant 0 : index
    %0 = memref.load %arg0[%c0] : memref<?xi64>
    %1 = arith.index_cast %0 : i64 to index
    memref.store %0, %arg1[%c0] : memref<?xi64>
    %2 = memref.load %arg0[%c1] : memref<?xi64>
    %3 = arith.index_cast %2 : i64 to index
    memref.store %2, %arg1[%c1] : memref<?xi64>
    %4 = arith.addi %1, %c1 : index
    %5 = arith.addi %3, %c2 : index
    %6 = arith.muli %4, %5 : index
    %7 = arith.index_cast %6 : index to i64
    memref.store %7, %arg1[%c2] : memref<?xi64>
    memref.store %0, %arg1[%c3] : memref<?xi64>
    memref.store %2, %arg1[%c4] : memref<?xi64>
    memref.store %c3_i64, %arg1[%c5] : memref<?xi64>
    memref.store %0, %arg1[%c6] : memref<?xi64>
    %8 = arith.divui %3, %c2 : index
    %9 = arith.index_cast %8 : index to i64
    memref.store %9, %arg1[%c7] : memref<?xi64>
    memref.store %c2_i64, %arg1[%c8] : memref<?xi64>
    memref.store %2, %arg1[%c9] : memref<?xi64>
    %10 = memref.load %arg0[%c0] : memref<?xi64>
    %11 = arith.index_cast %10 : i64 to index
    %12 = arith.muli %11, %c8 : index
    %13 = memref.load %arg0[%c1] : memref<?xi64>
    %14 = arith.index_cast %13 : i64 to index
    %15 = arith.divui %14, %c2 : index
    %16 = arith.muli %12, %15 : index
    %17 = arith.maxsi %16, %c24 : index
    %18 = arith.addi %17, %c63 : index
    %19 = arith.andi %18, %c-64 : index
    %20 = arith.addi %11, %c1 : index
    %21 = arith.muli %20, %c4 : index
    %22 = arith.addi %14, %c2 : index
    %23 = arith.muli %21, %22 : index
    %24 = arith.addi %23, %c63 : index
    %25 = arith.andi %24, %c-64 : index
    %26 = arith.addi %19, %25 : index
    %27 = arith.muli %11, %c4 : index
    %28 = arith.muli %27, %15 : index
    %29 = arith.addi %28, %c63 : index
    %30 = arith.andi %29, %c-64 : index
    %31 = arith.addi %26, %30 : index
    %32 = arith.index_cast %31 : index to i64
    return %32 : i64
  }
}

