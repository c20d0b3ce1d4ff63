// The machine code of attention's micro-kernels: a loop over D, by 16 elements, or over keys, of wide FMAs on sums that stay in registers. Where rows are few, keys are turned
// around in registers: 64 shuffles of one operation each for 16 by 16 of them, nothing on the stack.
// DEFINE: %{features} =
// DEFINE: %{lower} = moe-opt --moe-cpu-emit-kernels=features=%{features} --moe-cpu-thread-argument --convert-scf-to-cf --convert-vector-to-llvm --expand-strided-metadata --finalize-memref-to-llvm --convert-arith-to-llvm --convert-math-to-llvm --convert-index-to-llvm --convert-cf-to-llvm --convert-func-to-llvm --reconcile-unrealized-casts
// DEFINE: %{assemble} = mlir-translate --mlir-to-llvmir | opt -O3 -mtriple=x86_64-linux-gnu | llc -O3 -relocation-model=pic
// REDEFINE: %{features} = +avx2,+fma,+avx512f
// RUN: %{lower} %s | %{assemble} -o %t.512.s
// RUN: FileCheck %s --check-prefix=ZMM --input-file=%t.512.s
// RUN: FileCheck %s --check-prefix=FEW --input-file=%t.512.s
// REDEFINE: %{features} = +avx2,+fma
// RUN: %{lower} %s | %{assemble} -o %t.2.s
// RUN: FileCheck %s --check-prefix=YMM --input-file=%t.2.s

// ZMM-LABEL: moe_attention_scores_8x48:
// ZMM-NOT: vfmadd
// ZMM: [[LOOP:\.LBB[0-9_]+]]:
// ZMM-COUNT-384: vfmadd{{[0-9]+}}ps {{.*}}, %zmm
// ZMM-NOT: vfmadd
// ZMM: {{j(ne|b)}} [[LOOP]]
// ZMM-LABEL: moe_attention_values_12x32:
// ZMM-NOT: vfmadd
// ZMM: [[SUMS:\.LBB[0-9_]+]]:
// ZMM-COUNT-24: vfmadd{{[0-9]+}}ps {{.*}}, %zmm
// ZMM-NOT: vfmadd
// ZMM: jne [[SUMS]]

// FEW-LABEL: moe_attention_few_scores_4x16:
// FEW: [[LOOP:\.LBB[0-9_]+]]:
// FEW-NOT: (%rsp)
// FEW-COUNT-64: {{vunpck[lh]p[sd]|vshuff(32x4|64x2)|vinsertf64x4|vperm[ti]2p[sd]}}
// FEW-NOT: {{vunpck|vshuff|vinsert|vperm}}
// FEW-NOT: (%rsp)
// FEW: {{j(ne|b)}} [[LOOP]]

// YMM-LABEL: moe_attention_scores_6x16:
// YMM-NOT: vfmadd
// YMM: [[LOOP:\.LBB[0-9_]+]]:
// YMM-COUNT-192: vfmadd{{[0-9]+}}ps {{.*}}, %ymm
// YMM-NOT: vfmadd
// YMM: {{j(ne|b)}} [[LOOP]]
// YMM-LABEL: moe_attention_values_6x16{{(_[0-9]+)?}}:
// YMM-NOT: vfmadd
// YMM: [[SUMS:\.LBB[0-9_]+]]:
// YMM-COUNT-12: vfmadd{{[0-9]+}}ps {{.*}}, %ymm
// YMM-NOT: vfmadd
// YMM: jne [[SUMS]]

func.func @attention(%q: memref<1x32x?x128xf32>, %k: memref<1x4x?x128xf32, strided<[?, ?, ?, 1]>>, %n: index, %o: memref<1x32x?x128xf32>, %e: memref<1x4x?x6240xf32>) {
  moe.attention q(%q : memref<1x32x?x128xf32>) k(%k : memref<1x4x?x128xf32, strided<[?, ?, ?, 1]>>) v(%k : memref<1x4x?x128xf32, strided<[?, ?, ?, 1]>>)
      before(%n) outs(%o, %e : memref<1x32x?x128xf32>, memref<1x4x?x6240xf32>) {causal, scale = 0.088 : f64}
  return
}
