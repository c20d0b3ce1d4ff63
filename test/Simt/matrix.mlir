// ldmatrix and stmatrix: what each lane gets of rows of 8 numbers, plain and transposed. Element (r, c) of matrix m is 64 m + 8 r + c.
// RUN: moe-simt-run %s --kernel load4 --block 32 --arg i16[256]=iota --arg i16[256]=none --dump 1=%t.load4
// RUN: %python %S/Inputs/check_matrix.py 4 plain %t.load4
// RUN: moe-simt-run %s --kernel load4t --block 32 --arg i16[256]=iota --arg i16[256]=none --dump 1=%t.load4t
// RUN: %python %S/Inputs/check_matrix.py 4 transposed %t.load4t
// RUN: moe-simt-run %s --kernel load2 --block 32 --arg i16[256]=iota --arg i16[128]=none --dump 1=%t.load2
// RUN: %python %S/Inputs/check_matrix.py 2 plain %t.load2
// RUN: moe-simt-run %s --kernel load1t --block 32 --arg i16[256]=iota --arg i16[64]=none --dump 1=%t.load1t
// RUN: %python %S/Inputs/check_matrix.py 1 transposed %t.load1t
// What stmatrix stores is what ldmatrix loads.
// RUN: moe-simt-run %s --kernel copy --block 32 --arg i16[256]=iota --arg i16[256]=none --print 1 | FileCheck %s
// CHECK: 0 1 2 3 4 5 6 7 8 9 10
// CHECK-SAME: 250 251 252 253 254 255{{$}}

// The rows of one matrix, 16 bytes apart, are in different banks; 128 bytes apart all are in the same four.
// RUN: moe-simt-run %s --kernel load4 --block 32 --arg i16[256]=iota --arg i16[256]=none --counters | FileCheck %s --check-prefix=GOOD
// GOOD: nvvm.ldmatrix: 1 requests, 0 sectors, 4 passes (ideal 4)
// RUN: moe-simt-run %s --kernel conflicts --block 32 --counters | FileCheck %s --check-prefix=BAD
// BAD: nvvm.ldmatrix: 1 requests, 0 sectors, 32 passes (ideal 4)
// RUN: moe-simt-run %s --kernel strided --block 32 --arg f32[1024]=iota --arg i32=1 --counters | FileCheck %s --check-prefix=DENSE
// DENSE: llvm.load: 1 requests, 4 sectors
// DENSE: llvm.store: 1 requests, 0 sectors, 1 passes (ideal 1)
// RUN: moe-simt-run %s --kernel strided --block 32 --arg f32[1024]=iota --arg i32=32 --counters | FileCheck %s --check-prefix=STRIDED
// STRIDED: llvm.load: 1 requests, 32 sectors
// STRIDED: llvm.store: 1 requests, 0 sectors, 32 passes (ideal 1)

gpu.module @kernels {
  llvm.mlir.global internal @tile() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<256 x i16>
  llvm.mlir.global internal @wide() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<4096 x i8>

  // Lane l copies row l of the four matrices.
  llvm.func internal @fill(%x: !llvm.ptr<1>) -> !llvm.ptr<3> {
    %lane = nvvm.read.ptx.sreg.laneid : i32
    %from = llvm.getelementptr %x[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<8 x i16>
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %row = llvm.getelementptr %tile[%lane] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<8 x i16>
    %value = llvm.load %from {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
    llvm.store %value, %row {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<3>
    %all = llvm.mlir.constant(-1 : i32) : i32
    nvvm.bar.warp.sync %all : i32
    llvm.return %row : !llvm.ptr<3>
  }

  llvm.func internal @put(%out: !llvm.ptr<1>, %number: i32, %value: i32) {
    %lane = nvvm.read.ptx.sreg.laneid : i32
    %five = llvm.mlir.constant(5 : i32) : i32
    %first = llvm.shl %number, %five : i32
    %i = llvm.add %first, %lane : i32
    %slot = llvm.getelementptr %out[%i] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    llvm.store %value, %slot : i32, !llvm.ptr<1>
    llvm.return
  }

  llvm.func internal @put4(%out: !llvm.ptr<1>, %m: !llvm.struct<(i32, i32, i32, i32)>) {
    %c0 = llvm.mlir.constant(0 : i32) : i32
    %c1 = llvm.mlir.constant(1 : i32) : i32
    %c2 = llvm.mlir.constant(2 : i32) : i32
    %c3 = llvm.mlir.constant(3 : i32) : i32
    %m0 = llvm.extractvalue %m[0] : !llvm.struct<(i32, i32, i32, i32)>
    %m1 = llvm.extractvalue %m[1] : !llvm.struct<(i32, i32, i32, i32)>
    %m2 = llvm.extractvalue %m[2] : !llvm.struct<(i32, i32, i32, i32)>
    %m3 = llvm.extractvalue %m[3] : !llvm.struct<(i32, i32, i32, i32)>
    llvm.call @put(%out, %c0, %m0) : (!llvm.ptr<1>, i32, i32) -> ()
    llvm.call @put(%out, %c1, %m1) : (!llvm.ptr<1>, i32, i32) -> ()
    llvm.call @put(%out, %c2, %m2) : (!llvm.ptr<1>, i32, i32) -> ()
    llvm.call @put(%out, %c3, %m3) : (!llvm.ptr<1>, i32, i32) -> ()
    llvm.return
  }

  llvm.func @load4(%x: !llvm.ptr<1>, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %row = llvm.call @fill(%x) : (!llvm.ptr<1>) -> !llvm.ptr<3>
    %m = nvvm.ldmatrix %row {num = 4 : i32, layout = #nvvm.mma_layout<row>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>} : (!llvm.ptr<3>) -> !llvm.struct<(i32, i32, i32, i32)>
    llvm.call @put4(%out, %m) : (!llvm.ptr<1>, !llvm.struct<(i32, i32, i32, i32)>) -> ()
    llvm.return
  }

  llvm.func @load4t(%x: !llvm.ptr<1>, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %row = llvm.call @fill(%x) : (!llvm.ptr<1>) -> !llvm.ptr<3>
    %m = nvvm.ldmatrix %row {num = 4 : i32, layout = #nvvm.mma_layout<col>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>} : (!llvm.ptr<3>) -> !llvm.struct<(i32, i32, i32, i32)>
    llvm.call @put4(%out, %m) : (!llvm.ptr<1>, !llvm.struct<(i32, i32, i32, i32)>) -> ()
    llvm.return
  }

  llvm.func @load2(%x: !llvm.ptr<1>, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %row = llvm.call @fill(%x) : (!llvm.ptr<1>) -> !llvm.ptr<3>
    %m = nvvm.ldmatrix %row {num = 2 : i32, layout = #nvvm.mma_layout<row>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>} : (!llvm.ptr<3>) -> !llvm.struct<(i32, i32)>
    %c0 = llvm.mlir.constant(0 : i32) : i32
    %c1 = llvm.mlir.constant(1 : i32) : i32
    %m0 = llvm.extractvalue %m[0] : !llvm.struct<(i32, i32)>
    %m1 = llvm.extractvalue %m[1] : !llvm.struct<(i32, i32)>
    llvm.call @put(%out, %c0, %m0) : (!llvm.ptr<1>, i32, i32) -> ()
    llvm.call @put(%out, %c1, %m1) : (!llvm.ptr<1>, i32, i32) -> ()
    llvm.return
  }

  llvm.func @load1t(%x: !llvm.ptr<1>, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %row = llvm.call @fill(%x) : (!llvm.ptr<1>) -> !llvm.ptr<3>
    %m = nvvm.ldmatrix %row {num = 1 : i32, layout = #nvvm.mma_layout<col>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>} : (!llvm.ptr<3>) -> i32
    %c0 = llvm.mlir.constant(0 : i32) : i32
    llvm.call @put(%out, %c0, %m) : (!llvm.ptr<1>, i32, i32) -> ()
    llvm.return
  }

  llvm.func @copy(%x: !llvm.ptr<1>, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %row = llvm.call @fill(%x) : (!llvm.ptr<1>) -> !llvm.ptr<3>
    %m = nvvm.ldmatrix %row {num = 4 : i32, layout = #nvvm.mma_layout<col>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>} : (!llvm.ptr<3>) -> !llvm.struct<(i32, i32, i32, i32)>
    %m0 = llvm.extractvalue %m[0] : !llvm.struct<(i32, i32, i32, i32)>
    %m1 = llvm.extractvalue %m[1] : !llvm.struct<(i32, i32, i32, i32)>
    %m2 = llvm.extractvalue %m[2] : !llvm.struct<(i32, i32, i32, i32)>
    %m3 = llvm.extractvalue %m[3] : !llvm.struct<(i32, i32, i32, i32)>
    %wide = llvm.mlir.addressof @wide : !llvm.ptr<3>
    %lane = nvvm.read.ptx.sreg.laneid : i32
    %to = llvm.getelementptr %wide[%lane] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<8 x i16>
    nvvm.stmatrix %to, %m0, %m1, %m2, %m3 {layout = #nvvm.mma_layout<col>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>} : !llvm.ptr<3>, i32, i32, i32, i32
    %value = llvm.load %to {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xi32>
    %target = llvm.getelementptr %out[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<8 x i16>
    llvm.store %value, %target {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<1>
    llvm.return
  }

  llvm.func @conflicts() attributes {nvvm.kernel} {
    %lane = nvvm.read.ptx.sreg.laneid : i32
    %wide = llvm.mlir.addressof @wide : !llvm.ptr<3>
    %row = llvm.getelementptr %wide[%lane] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<128 x i8>
    %m = nvvm.ldmatrix %row {num = 4 : i32, layout = #nvvm.mma_layout<row>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>} : (!llvm.ptr<3>) -> !llvm.struct<(i32, i32, i32, i32)>
    llvm.return
  }

  llvm.func @strided(%x: !llvm.ptr<1>, %stride: i32) attributes {nvvm.kernel} {
    %lane = nvvm.read.ptx.sreg.laneid : i32
    %i = llvm.mul %lane, %stride : i32
    %from = llvm.getelementptr %x[%i] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    %value = llvm.load %from : !llvm.ptr<1> -> f32
    %wide = llvm.mlir.addressof @wide : !llvm.ptr<3>
    %to = llvm.getelementptr %wide[%i] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
    llvm.store %value, %to : f32, !llvm.ptr<3>
    llvm.return
  }
}
