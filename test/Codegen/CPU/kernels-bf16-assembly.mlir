// The machine code of kernels on pairs of bf16: vdpbf16ps on sums that stay in registers, elsewhere two FMAs after a shift and a mask.
// As for f32, the loop is there once and no vector is on the stack.
// DEFINE: %{features} =
// DEFINE: %{expand} =
// DEFINE: %{lower} = moe-opt --moe-cpu-emit-kernels=features=%{features} --moe-cpu-thread-argument --arith-expand=include-bf16=%{expand} --convert-scf-to-cf --convert-vector-to-llvm --expand-strided-metadata --finalize-memref-to-llvm --convert-arith-to-llvm --convert-math-to-llvm --convert-index-to-llvm --convert-cf-to-llvm --convert-func-to-llvm --reconcile-unrealized-casts
// DEFINE: %{assemble} = mlir-translate --mlir-to-llvmir | opt -O3 -mtriple=x86_64-linux-gnu | llc -O3 -relocation-model=pic
// REDEFINE: %{features} = +avx2,+fma,+avx512f,+avx512bw,+avx512vl,+avx512bf16
// REDEFINE: %{expand} = false
// RUN: %{lower} %s | %{assemble} -o %t.bf16.s
// RUN: FileCheck %s --check-prefix=DOT --input-file=%t.bf16.s
// RUN: FileCheck %s --check-prefix=STACK --input-file=%t.bf16.s
// REDEFINE: %{features} = +avx2,+fma,+avx512f,+avx512bw,+avx512vl
// REDEFINE: %{expand} = true
// RUN: %{lower} %s | %{assemble} -o %t.512.s
// RUN: FileCheck %s --check-prefix=ZMM --input-file=%t.512.s
// RUN: FileCheck %s --check-prefix=STACK --input-file=%t.512.s
// REDEFINE: %{features} = +avx2,+fma
// RUN: %{lower} %s | %{assemble} -o %t.2.s
// RUN: FileCheck %s --check-prefix=YMM --input-file=%t.2.s
// RUN: FileCheck %s --check-prefix=STACK --input-file=%t.2.s

// DOT-LABEL: moe_kernel_bf16_12x32:
// DOT-NOT: vdpbf16ps
// DOT: [[LOOP:\.LBB[0-9_]+]]:
// DOT-COUNT-24: vdpbf16ps {{.*}}, %zmm
// DOT-NOT: vdpbf16ps
// DOT: jne [[LOOP]]
// DOT-COUNT-24: vcvtneps2bf16 %zmm
// DOT: retq

// ZMM-LABEL: moe_kernel_bf16_9x32:
// ZMM-NOT: vfmadd
// ZMM: [[LOOP:\.LBB[0-9_]+]]:
// ZMM-COUNT-36: vfmadd{{[0-9]+}}ps {{.*}}, %zmm
// ZMM-NOT: vfmadd
// ZMM: jne [[LOOP]]
// ZMM: retq

// YMM-LABEL: moe_kernel_bf16_3x16:
// YMM-NOT: vfmadd
// YMM: [[LOOP:\.LBB[0-9_]+]]:
// YMM-COUNT-12: vfmadd{{[0-9]+}}ps {{.*}}, %ymm
// YMM-NOT: vfmadd
// YMM: jne [[LOOP]]
// YMM: retq

// STACK: moe_kernel_bf16_1x
// STACK-NOT: {{[xyz]mm[0-9]+.*\(%rsp|\(%rsp.*[xyz]mm}}

func.func @dense(%x: memref<?x1000xbf16>, %w: memref<1x3x500x32x2xbf16>, %out: memref<?x96xbf16>) {
  moe.grouped_matmul %x weight(%w : memref<1x3x500x32x2xbf16>) outs(%out : memref<?x96xbf16>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64} : memref<?x1000xbf16>
  return
}
