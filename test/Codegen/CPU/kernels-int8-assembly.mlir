// The machine code of kernels on rows of int8: the dot of bytes where the ISA has it, with the four codes of a row broadcast from memory, else
// that of bytes through sums of 16 bits where four bits cannot make them overflow, or that of pairs of 16 bits; no vector on the stack, no call.
// DEFINE: %{features} =
// DEFINE: %{lower} = moe-opt --moe-cpu-emit-kernels=features=%{features} --moe-cpu-thread-argument --convert-scf-to-cf --convert-vector-to-llvm --expand-strided-metadata --finalize-memref-to-llvm --convert-arith-to-llvm --convert-math-to-llvm --convert-index-to-llvm --convert-cf-to-llvm --convert-func-to-llvm --reconcile-unrealized-casts
// DEFINE: %{assemble} = mlir-translate --mlir-to-llvmir | opt -O3 -mtriple=x86_64-linux-gnu | llc -O3 -relocation-model=pic
// RUN: split-file %s %t
// REDEFINE: %{features} = +avx2,+fma,+f16c,+avx512f,+avx512bw,+avx512vl,+avx512vnni
// RUN: %{lower} %t/int4.mlir | %{assemble} -o %t.4.s && FileCheck %s --check-prefixes=VNNI,CLEAN --input-file=%t.4.s && FileCheck %s --check-prefix=AHEAD4 --input-file=%t.4.s
// RUN: %{lower} %t/int8.mlir | %{assemble} -o %t.8.s && FileCheck %s --check-prefixes=VNNI,CLEAN --input-file=%t.8.s && FileCheck %s --check-prefix=AHEAD8 --input-file=%t.8.s
// REDEFINE: %{features} = +avx2,+fma,+f16c
// RUN: %{lower} %t/int8.mlir | %{assemble} -o %t.82.s && FileCheck %s --check-prefixes=YMM --input-file=%t.82.s
// RUN: %{lower} %t/int4.mlir | %{assemble} -o %t.42.s && FileCheck %s --check-prefixes=BYTES --input-file=%t.42.s

// A part of 32 values of k is 8 quads, of two vectors.
// VNNI-LABEL: moe_kernel_int8_1x32:
// VNNI-COUNT-16: vpdpbusd {{.*}}, %zmm
// VNNI-NOT: vpdpbusd
// VNNI: vcvtdq2ps {{.*}}, %zmm
// VNNI: retq
// Six rows are as many as registers hold.
// VNNI-LABEL: moe_kernel_int8_6x32:
// VNNI-COUNT-96: vpdpbusd {{.*}}, %zmm
// VNNI-NOT: vpdpbusd
// VNNI: retq

// One row asks for nothing; of several passes over a panel each asks for some of the next one, into the second cache. A block of 32 values has ten
// lines, two of them scales; a part of a long block eight lines of codes for each half of the panel.
// AHEAD4-LABEL: moe_kernel_int8_1x32:
// AHEAD4-NOT: prefetch
// AHEAD4: retq
// AHEAD4-LABEL: moe_kernel_int8_6x32:
// AHEAD4-COUNT-10: prefetcht1
// AHEAD4-NOT: prefetch
// AHEAD4: retq
// AHEAD8-LABEL: moe_kernel_int8_1x32:
// AHEAD8-NOT: prefetch
// AHEAD8: retq
// AHEAD8-LABEL: moe_kernel_int8_6x32:
// AHEAD8-COUNT-16: prefetcht1

// BYTES-LABEL: moe_kernel_int8_1x16:
// BYTES-NOT: {{ymm[0-9]+.*\(%rsp|\(%rsp.*ymm}}
// BYTES: retq
// BYTES-LABEL: moe_kernel_int8_2x16:
// One line of codes has two quads, for two vectors and two rows.
// BYTES-COUNT-8: vpmaddubsw {{.*}}, %ymm
// BYTES-NOT: vpmaddubsw
// BYTES: retq
// In the loop over the lines nothing is on the stack: of one row no vector ever, of two one between two parts.
// BYTES-NOT: __

// CLEAN-NOT: {{[xyz]mm[0-9]+.*\(%rsp|\(%rsp.*[xyz]mm}}
// CLEAN-NOT: __

// YMM-LABEL: moe_kernel_int8_1x16:
// YMM-COUNT-32: vpmaddwd {{.*}}, %ymm
// YMM: retq

//--- int4.mlir
func.func @dense(%x: memref<?x1280xi8>, %w: memref<1x3x20480xi8>, %out: memref<?x96xf32>) {
  moe.grouped_matmul %x weight(%w : memref<1x3x20480xi8>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64, blocks = #moe.blocks<code = int4, group = 32, scale = f32, quads = true>} : memref<?x1280xi8>
  return
}
//--- int8.mlir
func.func @dense(%x: memref<?x1280xi8>, %w: memref<1x3x32896xi8>, %out: memref<?x96xf32>) {
  moe.grouped_matmul %x weight(%w : memref<1x3x32896xi8>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64, blocks = #moe.blocks<code = int8, group = 1024, scale = f32, quads = true>} : memref<?x1280xi8>
  return
}
