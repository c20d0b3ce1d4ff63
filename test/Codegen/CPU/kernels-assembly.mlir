// The machine code of the tile kernels: wide FMAs on sums that stay in registers. A spilled sum would cost tens of percent, and LLVM's
// scheduler makes such spills as soon as K is unrolled; hence the loop is checked to be there once, with no vector on the stack.
// DEFINE: %{features} =
// DEFINE: %{lower} = moe-opt --moe-cpu-emit-kernels=features=%{features} --moe-cpu-thread-argument --convert-scf-to-cf --convert-vector-to-llvm --expand-strided-metadata --finalize-memref-to-llvm --convert-arith-to-llvm --convert-math-to-llvm --convert-index-to-llvm --convert-cf-to-llvm --convert-func-to-llvm --reconcile-unrealized-casts
// DEFINE: %{assemble} = mlir-translate --mlir-to-llvmir | opt -O3 -mtriple=x86_64-linux-gnu | llc -O3 -relocation-model=pic
// REDEFINE: %{features} = +avx2,+fma,+avx512f
// RUN: %{lower} %s | %{assemble} -o %t.512.s
// RUN: FileCheck %s --check-prefix=ZMM --input-file=%t.512.s
// RUN: FileCheck %s --check-prefix=STACK --input-file=%t.512.s
// REDEFINE: %{features} = +avx2,+fma
// RUN: %{lower} %s | %{assemble} -o %t.2.s
// RUN: FileCheck %s --check-prefix=YMM --input-file=%t.2.s
// RUN: FileCheck %s --check-prefix=STACK --input-file=%t.2.s

// ZMM-LABEL: moe_kernel_f32_12x32:
// ZMM-NOT: vfmadd
// ZMM: [[LOOP:\.LBB[0-9_]+]]:
// ZMM-COUNT-2: vmovups {{.*}}, %zmm
// ZMM: vbroadcastss {{.*}}, %zmm
// ZMM-COUNT-24: vfmadd{{[0-9]+}}ps {{.*}}, %zmm
// ZMM-NOT: vfmadd
// ZMM: jne [[LOOP]]
// ZMM-COUNT-24: vmovups %zmm
// ZMM: retq

// YMM-LABEL: moe_kernel_f32_6x16:
// YMM-NOT: vfmadd
// YMM: [[LOOP:\.LBB[0-9_]+]]:
// YMM-COUNT-12: vfmadd{{[0-9]+}}ps {{.*}}, %ymm
// YMM-NOT: vfmadd
// YMM: jne [[LOOP]]
// YMM: retq

// No kernel of any height has a vector on the stack.
// STACK: moe_kernel_f32_1x
// STACK-NOT: {{[xyz]mm[0-9]+.*\(%rsp|\(%rsp.*[xyz]mm}}

func.func @dense(%x: memref<?x1000xf32>, %w: memref<3x1000x32xf32>, %out: memref<?x96xf32>) {
  moe.grouped_matmul %x weight(%w : memref<3x1000x32xf32>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64} : memref<?x1000xf32>
  return
}
