// Conversions and byte operations of one thread, against ml_dtypes and NumPy. Eight results for each input.
// REQUIRES: python-onnx
// RUN: %python %S/Inputs/check_scalars.py make %t
// RUN: moe-simt-run %s --grid 64 --block 256 --arg i32[16384]=@%t/in.bin --arg i32[131072]=none --dump 1=%t/out.bin
// RUN: %python %S/Inputs/check_scalars.py check %t

gpu.module @kernels {
  llvm.func @scalars(%in: !llvm.ptr<1>, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %b = nvvm.read.ptx.sreg.ctaid.x : i32
    %n = nvvm.read.ptx.sreg.ntid.x : i32
    %first = llvm.mul %b, %n : i32
    %i = llvm.add %first, %t : i32
    %from = llvm.getelementptr %in[%i] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    %x = llvm.load %from : !llvm.ptr<1> -> i32
    %f = llvm.bitcast %x : i32 to f32
    %to = llvm.getelementptr %out[%i] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, !llvm.array<8 x i32>

    %tf32_even = nvvm.convert.float.to.tf32 %f {rnd = #nvvm.fp_rnd_mode<rn>}
    llvm.store %tf32_even, %to : i32, !llvm.ptr<1>
    %tf32_away = nvvm.convert.float.to.tf32 %f {rnd = #nvvm.fp_rnd_mode<rna>}
    %to1 = llvm.getelementptr %to[1] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %tf32_away, %to1 : i32, !llvm.ptr<1>

    %minus = llvm.fneg %f : f32
    %e4m3 = nvvm.convert.f32x2.to.f8x2 %f, %minus {rnd = #nvvm.fp_rnd_mode<rn>, sat = #nvvm.sat_mode<satfinite>} : i16 (f8E4M3FN)
    %e4m3i = llvm.zext %e4m3 : i16 to i32
    %to2 = llvm.getelementptr %to[2] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %e4m3i, %to2 : i32, !llvm.ptr<1>
    %e5m2 = nvvm.convert.f32x2.to.f8x2 %f, %minus {rnd = #nvvm.fp_rnd_mode<rn>, sat = #nvvm.sat_mode<satfinite>} : i16 (f8E5M2)
    %e5m2i = llvm.zext %e5m2 : i16 to i32
    %to3 = llvm.getelementptr %to[3] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %e5m2i, %to3 : i32, !llvm.ptr<1>

    %low = llvm.trunc %x : i32 to i16
    %bytes = llvm.bitcast %low : i16 to vector<2xi8>
    %halves = nvvm.convert.f8x2.to.f16x2 %bytes : vector<2xi8> (f8E4M3FN) -> vector<2xf16>
    %to4 = llvm.getelementptr %to[4] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %halves, %to4 : vector<2xf16>, !llvm.ptr<1>
    %halves5 = nvvm.convert.f8x2.to.f16x2 %bytes : vector<2xi8> (f8E5M2) -> vector<2xf16>
    %to5 = llvm.getelementptr %to[5] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %halves5, %to5 : vector<2xf16>, !llvm.ptr<1>

    %permuted = nvvm.prmt #nvvm.permute_mode<default> %tf32_away, %x, %i : i32
    %to6 = llvm.getelementptr %to[6] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %permuted, %to6 : i32, !llvm.ptr<1>

    %xs = llvm.bitcast %x : i32 to vector<4xi8>
    %other = llvm.bitcast %tf32_even : i32 to vector<4xi8>
    %dot = nvvm.dot.accumulate.4way %xs <signed>, %other <unsigned>, %i : vector<4xi8>, vector<4xi8>
    %to7 = llvm.getelementptr %to[7] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
    llvm.store %dot, %to7 : i32, !llvm.ptr<1>
    llvm.return
  }
}
