// Special registers, global memory, a barrier with shared memory: each block reverses its part of the input.
// RUN: moe-simt-run %s --grid 3 --block 64 --arg f32[192]=iota --arg f32[192]=none --print 1 | FileCheck %s
// RUN: moe-simt-run %s --grid 3 --block 64 --arg f32[192]=iota --arg f32[192]=none --print 1 --seed 7 --resident-blocks 0 | FileCheck %s
// CHECK: 63 62 61
// CHECK-SAME: 1 0 127 126
// CHECK-SAME: 129 128{{$}}
gpu.module @kernels {
  llvm.mlir.global internal @tile() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<64 x f32>
  llvm.func @reverse(%x: !llvm.ptr<1>, %y: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel, nvvm.maxntid = array<i32: 64>} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %b = nvvm.read.ptx.sreg.ctaid.x : i32
    %n = nvvm.read.ptx.sreg.ntid.x : i32
    %first = llvm.mul %b, %n : i32
    %i = llvm.add %first, %t : i32
    %source = llvm.getelementptr %x[%i] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    %value = llvm.load %source : !llvm.ptr<1> -> f32
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %slot = llvm.getelementptr %tile[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
    llvm.store %value, %slot : f32, !llvm.ptr<3>
    nvvm.barrier0
    %one = llvm.mlir.constant(1 : i32) : i32
    %last = llvm.sub %n, %one : i32
    %mirror = llvm.sub %last, %t : i32
    %other = llvm.getelementptr %tile[%mirror] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
    %reversed = llvm.load %other : !llvm.ptr<3> -> f32
    %target = llvm.getelementptr %y[%i] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    llvm.store %reversed, %target : f32, !llvm.ptr<1>
    llvm.return
  }
}
