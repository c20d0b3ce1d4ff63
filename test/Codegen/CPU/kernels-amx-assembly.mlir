// The machine code of kernels on matrix tiles: sums of 32 rows and 32 columns stay in four tiles, a step loads two tiles of rows and two of weights and
// has four products. The tiles are set up once, no tile and no vector is spilled, nothing is called.
// DEFINE: %{lower} = moe-opt --moe-cpu-emit-kernels=features=+avx2,+fma,+f16c,+avx512f,+avx512bw,+avx512vl,+avx512vnni,+avx512bf16,+amx-tile,+amx-bf16,+amx-int8 --moe-cpu-thread-argument --convert-scf-to-cf --convert-vector-to-llvm --expand-strided-metadata --finalize-memref-to-llvm --convert-arith-to-llvm --convert-math-to-llvm --convert-index-to-llvm --convert-cf-to-llvm --convert-func-to-llvm --reconcile-unrealized-casts
// DEFINE: %{assemble} = mlir-translate --mlir-to-llvmir | opt -O3 -mtriple=x86_64-linux-gnu | llc -O3 -relocation-model=pic
// RUN: split-file %s %t
// RUN: %{lower} %t/bf16.mlir | %{assemble} -o %t.16.s && FileCheck %s --check-prefix=BF16 --input-file=%t.16.s && FileCheck %s --check-prefix=CLEAN --input-file=%t.16.s
// RUN: %{lower} %t/int8.mlir | %{assemble} -o %t.8.s && FileCheck %s --check-prefix=INT --input-file=%t.8.s && FileCheck %s --check-prefix=CLEAN --input-file=%t.8.s
// RUN: %{lower} %t/int4.mlir | %{assemble} -o %t.4.s && FileCheck %s --check-prefix=NIBBLES --input-file=%t.4.s && FileCheck %s --check-prefix=INT --input-file=%t.4.s && FileCheck %s --check-prefix=CLEAN --input-file=%t.4.s
// RUN: %{lower} %t/odd.mlir | %{assemble} -o %t.odd.s && FileCheck %s --check-prefix=ODD --input-file=%t.odd.s
// The same from a whole model.
// RUN: moe-compile %inputs/tinymoe/model.onnx --activations=bf16 --cpu-features=amx --emit=asm -o %t.model.s --quiet && FileCheck %s --check-prefix=BF16 --input-file=%t.model.s && FileCheck %s --check-prefix=CLEAN --input-file=%t.model.s

// BF16-LABEL: moe_tiles_bf16_32x32:
// BF16: ldtilecfg
// BF16-COUNT-4: tilezero
// BF16: [[LOOP:\.LBB[0-9_]+]]:
// BF16-COUNT-2: tileloadd
// BF16: tileloadd
// BF16-COUNT-2: tdpbf16ps
// BF16: tileloadd
// BF16-COUNT-2: tdpbf16ps
// BF16-NOT: tileloadd
// BF16: jne [[LOOP]]
// BF16-COUNT-4: tilestored
// BF16: tilerelease

// NIBBLES-LABEL: moe_tiles_int8_32x32:
// NIBBLES: vpsrlw $4
// NIBBLES: tdpbssd

// Two parts of 32 values of k, then, while each of the next two is multiplied, half of the rows are scaled and added.
// INT-LABEL: moe_tiles_int8_32x32:
// INT: ldtilecfg
// INT-COUNT-8: tdpbssd
// INT: prefetcht1
// INT-COUNT-4: tdpbssd
// INT-COUNT-4: tilestored
// INT: [[FIRST:\.LBB[0-9_]+]]:
// INT-COUNT-4: vfmadd
// INT-NOT: vfmadd
// INT: jne [[FIRST]]
// INT: prefetcht1
// INT-COUNT-4: tdpbssd
// INT-COUNT-4: tilestored
// INT: [[SECOND:\.LBB[0-9_]+]]:
// INT-COUNT-4: vfmadd
// INT-NOT: vfmadd
// INT: j{{b|ne}} [[SECOND]]
// INT: jne {{\.LBB[0-9_]+}}
// INT-NOT: tdpbssd
// INT: tilerelease

// CLEAN-LABEL: moe_tiles_{{bf16|int8}}_32x32:
// CLEAN-NOT: {{call|mm.*Spill|mm.*Reload}}
// CLEAN: ldtilecfg
// CLEAN-NOT: {{call|ldtilecfg|mm.*Spill|mm.*Reload}}
// CLEAN: tilerelease
// CLEAN-LABEL: moe_tiles_{{bf16|int8}}_16x32:
// CLEAN-NOT: {{call|mm.*Spill|mm.*Reload}}
// CLEAN: ldtilecfg
// CLEAN-NOT: {{call|ldtilecfg|mm.*Spill|mm.*Reload}}
// CLEAN: tilerelease

// K is no multiple of 32: vectors of pairs take all rows.
// ODD-NOT: ldtilecfg
// ODD: vdpbf16ps

//--- bf16.mlir
func.func @dense(%x: memref<?x1024xbf16>, %w: memref<1x3x512x32x2xbf16>, %out: memref<?x96xf32>) {
  moe.grouped_matmul %x weight(%w : memref<1x3x512x32x2xbf16>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64} : memref<?x1024xbf16>
  return
}
//--- odd.mlir
func.func @dense(%x: memref<?x1000xbf16>, %w: memref<1x3x500x32x2xbf16>, %out: memref<?x96xf32>) {
  moe.grouped_matmul %x weight(%w : memref<1x3x500x32x2xbf16>) outs(%out : memref<?x96xf32>)
      {packing = #moe<packing_family panel32>, columns = 96 : i64} : memref<?x1000xbf16>
  return
}
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
