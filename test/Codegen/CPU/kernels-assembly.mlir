// The machine code of the tile kernels: wide FMAs on sums that stay in registers. A spilled sum would cost tens of percent, and LLVM's
// scheduler makes such spills as soon as K is unrolled; hence the loop is checked to be there once, with no vector on the stack. Around it is the
// loop over sections of K, whose totals wait there.
// DEFINE: %{features} =
// DEFINE: %{lower} = moe-opt --moe-cpu-emit-kernels=features=%{features} --moe-cpu-thread-argument --convert-scf-to-cf --convert-vector-to-llvm --expand-strided-metadata --finalize-memref-to-llvm --convert-arith-to-llvm --convert-math-to-llvm --convert-index-to-llvm --convert-cf-to-llvm --convert-func-to-llvm --reconcile-unrealized-casts
// DEFINE: %{assemble} = mlir-translate --mlir-to-llvmir | opt -O3 -mtriple=x86_64-linux-gnu | llc -O3 -relocation-model=pic
// REDEFINE: %{features} = +avx2,+fma,+avx512f
// RUN: %{lower} %s | %{assemble} -o %t.512.s
// RUN: FileCheck %s --check-prefix=ZMM --input-file=%t.512.s
// RUN: %python %S/Inputs/check_loops.py %t.512.s
// REDEFINE: %{features} = +avx2,+fma
// RUN: %{lower} %s | %{assemble} -o %t.2.s
// RUN: FileCheck %s --check-prefix=YMM --input-file=%t.2.s
// RUN: %python %S/Inputs/check_loops.py %t.2.s

// ZMM-LABEL: moe_kernel_f32_12x32:
// ZMM-NOT: vfmadd
// ZMM: Inner Loop Header: Depth=2
// ZMM-COUNT-2: vmovups {{.*}}, %zmm
// ZMM: vbroadcastss {{.*}}, %zmm
// ZMM-COUNT-24: vfmadd{{[0-9]+}}ps {{.*}}, %zmm
// ZMM-NOT: vfmadd
// ZMM: j{{[a-z]+}} .LBB
// ZMM-NEXT: # %bb
// ZMM-COUNT-24: vaddps {{.*}}, %zmm
// ZMM-NOT: vfmadd
// ZMM: retq

// YMM-LABEL: moe_kernel_f32_6x16:
// YMM-NOT: vfmadd
// YMM: Inner Loop Header: Depth=2
// YMM-COUNT-12: vfmadd{{[0-9]+}}ps {{.*}}, %ymm
// YMM-NOT: vfmadd
// YMM: j{{[a-z]+}} .LBB
// YMM-NEXT: # %bb
// YMM-COUNT-12: vaddps {{.*}}, %ymm
// YMM-NOT: vfmadd
// YMM: retq

func.func @dense(%x: memref<?x1000xf32>, %w: memref<3x1000x32xf32>, %out: memref<?x96xf32>) {
  moe.grouped_matmul %x weight(%w : memref<3x1000x32xf32>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64} : memref<?x1000xf32>
  return
}
