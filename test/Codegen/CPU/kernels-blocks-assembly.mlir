// The machine code of kernels that decode their weights: what one vector of codes takes, in the loop of the multiply-adds, once for all
// rows; and in that loop nothing on the stack, nor a call.
// DEFINE: %{features} =
// DEFINE: %{lower} = moe-opt --moe-cpu-emit-kernels=features=%{features} --moe-cpu-thread-argument --convert-scf-to-cf --convert-vector-to-llvm --expand-strided-metadata --finalize-memref-to-llvm --convert-arith-to-llvm --convert-math-to-llvm --convert-index-to-llvm --convert-cf-to-llvm --convert-func-to-llvm --reconcile-unrealized-casts
// DEFINE: %{assemble} = mlir-translate --mlir-to-llvmir | opt -O3 -mtriple=x86_64-linux-gnu | llc -O3 -relocation-model=pic
// RUN: split-file %s %t
// REDEFINE: %{features} = +avx2,+fma,+f16c,+avx512f
// RUN: %{lower} %t/int4.mlir | %{assemble} -o %t.4.s && %python %S/Inputs/check_loops.py %t.4.s && FileCheck %s --check-prefix=INT4 --input-file=%t.4.s
// RUN: %{lower} %t/int8.mlir | %{assemble} -o %t.8.s && %python %S/Inputs/check_loops.py %t.8.s && FileCheck %s --check-prefix=INT8 --input-file=%t.8.s
// RUN: %{lower} %t/e4m3.mlir | %{assemble} -o %t.e.s && %python %S/Inputs/check_loops.py %t.e.s && FileCheck %s --check-prefix=E4M3 --input-file=%t.e.s
// RUN: %{lower} %t/bf16.mlir | %{assemble} -o %t.b.s && %python %S/Inputs/check_loops.py %t.b.s && FileCheck %s --check-prefix=BF16 --input-file=%t.b.s
// RUN: %{lower} %t/f16.mlir | %{assemble} -o %t.f.s && %python %S/Inputs/check_loops.py %t.f.s && FileCheck %s --check-prefix=F16 --input-file=%t.f.s
// RUN: %{lower} %t/ternary.mlir | %{assemble} -o %t.t.s && %python %S/Inputs/check_loops.py %t.t.s && FileCheck %s --check-prefix=TERNARY --input-file=%t.t.s
// RUN: %{lower} %t/dictionary.mlir | %{assemble} -o %t.d.s && %python %S/Inputs/check_loops.py %t.d.s && FileCheck %s --check-prefix=DICTIONARY --input-file=%t.d.s
// REDEFINE: %{features} = +avx2,+fma,+f16c
// RUN: %{lower} %t/ternary.mlir | %{assemble} -o %t.t2.s && %python %S/Inputs/check_loops.py %t.t2.s
// RUN: %{lower} %t/int4.mlir | %{assemble} -o %t.42.s && %python %S/Inputs/check_loops.py %t.42.s && FileCheck %s --check-prefix=YMM --input-file=%t.42.s

// 16 bytes make two vectors; the zero point is folded into the table.
// INT4-LABEL: moe_kernel_f32_8x32:
// INT4: vpmovzxbd {{.*}}, %zmm
// INT4: vperm{{d|ps}} {{.*}}, %zmm
// INT4-COUNT-16: vfmadd{{[0-9]+}}ps {{.*}}, %zmm
// INT4: retq

// A digit of the decoded panel is two bits of a lane: two tests, no shift.
// DICTIONARY-LABEL: moe_kernel_f32_8x32:
// DICTIONARY: vptestmd {{.*}}, %zmm
// DICTIONARY-COUNT-16: vfmadd{{[0-9]+}}ps {{.*}}, %zmm
// DICTIONARY: retq

// INT8-LABEL: moe_kernel_f32_8x32:
// INT8: vpmovsxbd {{.*}}, %zmm
// INT8: vcvtdq2ps %zmm
// INT8-COUNT-16: vfmadd{{[0-9]+}}ps {{.*}}, %zmm
// INT8: retq

// E4M3-LABEL: moe_kernel_f32_8x32:
// E4M3: vcvtph2ps {{.*}}, %zmm
// E4M3-COUNT-16: vfmadd{{[0-9]+}}ps {{.*}}, %zmm
// E4M3: retq

// BF16-LABEL: moe_kernel_f32_12x32:
// BF16: vpmovzxwd {{.*}}, %zmm
// BF16: vpslld $16, {{.*}}, %zmm
// BF16-COUNT-24: vfmadd{{[0-9]+}}ps {{.*}}, %zmm
// BF16: retq

// F16-LABEL: moe_kernel_f32_12x32:
// F16-COUNT-2: vcvtph2ps {{.*}}, %zmm
// F16-COUNT-24: vfmadd{{[0-9]+}}ps {{.*}}, %zmm
// F16: retq

// One byte has five digits: two comparisons and two selections of 0, lo and hi for a vector.
// TERNARY-LABEL: moe_kernel_f32_8x32:
// TERNARY-COUNT-4: vpcmp{{.*}}zmm
// TERNARY-COUNT-16: vfmadd{{[0-9]+}}ps {{.*}}, %zmm
// TERNARY: retq

// YMM-LABEL: moe_kernel_f32_4x16:
// YMM: vpmovzxbd {{.*}}, %ymm
// YMM: vcvtdq2ps %ymm
// YMM-COUNT-8: vfmadd{{[0-9]+}}ps {{.*}}, %ymm
// YMM: retq

//--- dictionary.mlir
func.func @dense(%x: memref<?x1024xf32>, %w: memref<1x3x3000xi8>, %d: memref<131072xi32>, %out: memref<?x96xf32>) {
  moe.grouped_matmul %x weight(%w : memref<1x3x3000xi8>) codebook(%d : memref<131072xi32>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64, blocks = #moe.blocks<code = ternary, group = 1024, scale = bf16, dictionary = 3000>} : memref<?x1024xf32>
  return
}
//--- ternary.mlir
func.func @dense(%x: memref<?x1024xf32>, %w: memref<1x3x6688xi8>, %out: memref<?x96xf32>) {
  moe.grouped_matmul %x weight(%w : memref<1x3x6688xi8>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64, blocks = #moe.blocks<code = ternary, group = 1024, scale = bf16>} : memref<?x1024xf32>
  return
}
//--- int4.mlir
func.func @dense(%x: memref<?x1024xf32>, %w: memref<1x3x20480xi8>, %out: memref<?x96xf32>) {
  moe.grouped_matmul %x weight(%w : memref<1x3x20480xi8>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64, blocks = #moe.blocks<code = int4, group = 32, scale = f32>} : memref<?x1024xf32>
  return
}
//--- int8.mlir
func.func @dense(%x: memref<?x1024xf32>, %w: memref<1x3x32896xi8>, %out: memref<?x96xf32>) {
  moe.grouped_matmul %x weight(%w : memref<1x3x32896xi8>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64, blocks = #moe.blocks<code = int8, group = 1024, scale = f32>} : memref<?x1024xf32>
  return
}
//--- e4m3.mlir
func.func @dense(%x: memref<?x1024xf32>, %w: memref<1x3x33792xi8>, %out: memref<?x96xf32>) {
  moe.grouped_matmul %x weight(%w : memref<1x3x33792xi8>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64, blocks = #moe.blocks<code = e4m3, group = 128, scale = f32>} : memref<?x1024xf32>
  return
}
//--- bf16.mlir
func.func @dense(%x: memref<?x1024xf32>, %w: memref<3x1024x32xbf16>, %out: memref<?x96xf32>) {
  moe.grouped_matmul %x weight(%w : memref<3x1024x32xbf16>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64} : memref<?x1024xf32>
  return
}
//--- f16.mlir
func.func @dense(%x: memref<?x1024xf32>, %w: memref<3x1024x32xf16>, %out: memref<?x96xf32>) {
  moe.grouped_matmul %x weight(%w : memref<3x1024x32xf16>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64} : memref<?x1024xf32>
  return
}
