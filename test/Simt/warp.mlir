// Collectives of a warp, against their definitions in PTX, computed in Python.
// RUN: moe-simt-run %s --block 32 --arg i32[32]=@%S/Inputs/warp-values.bin --arg i32[768]=none --dump 1=%t.bin
// RUN: %python %S/Inputs/check_warp.py %S/Inputs/warp-values.bin %t.bin
// RUN: moe-simt-run %s --block 32 --arg i32[32]=@%S/Inputs/warp-values.bin --arg i32[768]=none --dump 1=%t.bin --seed 11
// RUN: %python %S/Inputs/check_warp.py %S/Inputs/warp-values.bin %t.bin

// Result number n of lane l stands at n * 32 + l.
gpu.module @kernels {
  llvm.func internal @put(%out: !llvm.ptr<1>, %number: i32, %value: i32) {
    %lane = nvvm.read.ptx.sreg.laneid : i32
    %five = llvm.mlir.constant(5 : i32) : i32
    %row = llvm.shl %number, %five : i32
    %i = llvm.add %row, %lane : i32
    %slot = llvm.getelementptr %out[%i] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    llvm.store %value, %slot : i32, !llvm.ptr<1>
    llvm.return
  }

  llvm.func @warp(%in: !llvm.ptr<1>, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {
    %lane = nvvm.read.ptx.sreg.laneid : i32
    %slot = llvm.getelementptr %in[%lane] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    %x = llvm.load %slot : !llvm.ptr<1> -> i32
    %all = llvm.mlir.constant(-1 : i32) : i32
    %c0 = llvm.mlir.constant(0 : i32) : i32
    %c1 = llvm.mlir.constant(1 : i32) : i32
    %c2 = llvm.mlir.constant(2 : i32) : i32
    %c3 = llvm.mlir.constant(3 : i32) : i32
    %c4 = llvm.mlir.constant(4 : i32) : i32
    %c5 = llvm.mlir.constant(5 : i32) : i32
    %c6 = llvm.mlir.constant(6 : i32) : i32
    %c7 = llvm.mlir.constant(7 : i32) : i32
    %c8 = llvm.mlir.constant(8 : i32) : i32
    %c9 = llvm.mlir.constant(9 : i32) : i32
    %c10 = llvm.mlir.constant(10 : i32) : i32
    %c11 = llvm.mlir.constant(11 : i32) : i32
    %c12 = llvm.mlir.constant(12 : i32) : i32
    %c13 = llvm.mlir.constant(13 : i32) : i32
    %c14 = llvm.mlir.constant(14 : i32) : i32
    %c15 = llvm.mlir.constant(15 : i32) : i32
    %c16 = llvm.mlir.constant(16 : i32) : i32
    %c17 = llvm.mlir.constant(17 : i32) : i32
    %c18 = llvm.mlir.constant(18 : i32) : i32
    %c19 = llvm.mlir.constant(19 : i32) : i32
    %c20 = llvm.mlir.constant(20 : i32) : i32
    %c21 = llvm.mlir.constant(21 : i32) : i32
    %c22 = llvm.mlir.constant(22 : i32) : i32
    %c23 = llvm.mlir.constant(23 : i32) : i32
    %c31 = llvm.mlir.constant(31 : i32) : i32
    // Segments of 8 lanes: the mask of the segment in bits 8 to 12.
    %eights = llvm.mlir.constant(6175 : i32) : i32
    %eights_up = llvm.mlir.constant(6144 : i32) : i32

    %bfly = nvvm.shfl.sync bfly %all, %x, %c5, %c31 : i32 -> i32
    llvm.call @put(%out, %c0, %bfly) : (!llvm.ptr<1>, i32, i32) -> ()
    %up = nvvm.shfl.sync up %all, %x, %c3, %c0 : i32 -> i32
    llvm.call @put(%out, %c1, %up) : (!llvm.ptr<1>, i32, i32) -> ()
    %down = nvvm.shfl.sync down %all, %x, %c7, %c31 : i32 -> i32
    llvm.call @put(%out, %c2, %down) : (!llvm.ptr<1>, i32, i32) -> ()
    %idx = nvvm.shfl.sync idx %all, %x, %lane, %c31 : i32 -> i32
    llvm.call @put(%out, %c3, %idx) : (!llvm.ptr<1>, i32, i32) -> ()
    %idx8 = nvvm.shfl.sync idx %all, %x, %c3, %eights : i32 -> i32
    llvm.call @put(%out, %c4, %idx8) : (!llvm.ptr<1>, i32, i32) -> ()
    %up8 = nvvm.shfl.sync up %all, %x, %c3, %eights_up {return_value_and_is_valid} : i32 -> !llvm.struct<(i32, i1)>
    %up8v = llvm.extractvalue %up8[0] : !llvm.struct<(i32, i1)>
    %up8p = llvm.extractvalue %up8[1] : !llvm.struct<(i32, i1)>
    %up8i = llvm.zext %up8p : i1 to i32
    llvm.call @put(%out, %c5, %up8v) : (!llvm.ptr<1>, i32, i32) -> ()
    llvm.call @put(%out, %c6, %up8i) : (!llvm.ptr<1>, i32, i32) -> ()
    %down8 = nvvm.shfl.sync down %all, %x, %c3, %eights : i32 -> i32
    llvm.call @put(%out, %c7, %down8) : (!llvm.ptr<1>, i32, i32) -> ()

    %positive = llvm.icmp "sgt" %x, %c0 : i32
    %always = llvm.icmp "sge" %lane, %c0 : i32
    %any = nvvm.vote.sync any %all, %positive -> i1
    %anyi = llvm.zext %any : i1 to i32
    llvm.call @put(%out, %c8, %anyi) : (!llvm.ptr<1>, i32, i32) -> ()
    %every = nvvm.vote.sync all %all, %always -> i1
    %everyi = llvm.zext %every : i1 to i32
    llvm.call @put(%out, %c9, %everyi) : (!llvm.ptr<1>, i32, i32) -> ()
    %ballot = nvvm.vote.sync ballot %all, %positive -> i32
    llvm.call @put(%out, %c10, %ballot) : (!llvm.ptr<1>, i32, i32) -> ()
    %uni = nvvm.vote.sync uni %all, %positive -> i1
    %unii = llvm.zext %uni : i1 to i32
    llvm.call @put(%out, %c11, %unii) : (!llvm.ptr<1>, i32, i32) -> ()

    %low = llvm.and %x, %c3 : i32
    %match = nvvm.match.sync any %all, %low : i32 -> i32
    llvm.call @put(%out, %c12, %match) : (!llvm.ptr<1>, i32, i32) -> ()
    %same = nvvm.match.sync all %all, %c7 : i32 -> !llvm.struct<(i32, i1)>
    %samei = llvm.extractvalue %same[0] : !llvm.struct<(i32, i1)>
    llvm.call @put(%out, %c13, %samei) : (!llvm.ptr<1>, i32, i32) -> ()
    %differ = nvvm.match.sync all %all, %x : i32 -> !llvm.struct<(i32, i1)>
    %differi = llvm.extractvalue %differ[0] : !llvm.struct<(i32, i1)>
    llvm.call @put(%out, %c14, %differi) : (!llvm.ptr<1>, i32, i32) -> ()

    %add = nvvm.redux.sync add %x, %all : i32 -> i32
    llvm.call @put(%out, %c15, %add) : (!llvm.ptr<1>, i32, i32) -> ()
    %max = nvvm.redux.sync max %x, %all : i32 -> i32
    llvm.call @put(%out, %c16, %max) : (!llvm.ptr<1>, i32, i32) -> ()
    %umin = nvvm.redux.sync umin %x, %all : i32 -> i32
    llvm.call @put(%out, %c17, %umin) : (!llvm.ptr<1>, i32, i32) -> ()
    %xor = nvvm.redux.sync xor %x, %all : i32 -> i32
    llvm.call @put(%out, %c18, %xor) : (!llvm.ptr<1>, i32, i32) -> ()
    %elected = nvvm.elect.sync -> i1
    %ones = nvvm.vote.sync ballot %all, %elected -> i32
    %count = llvm.intr.ctpop(%ones) : (i32) -> i32
    llvm.call @put(%out, %c19, %count) : (!llvm.ptr<1>, i32, i32) -> ()

    // Half a warp at a time, in two masks.
    %half = llvm.icmp "ult" %lane, %c16 : i32
    %lower = llvm.mlir.constant(65535 : i32) : i32
    %upper = llvm.mlir.constant(-65536 : i32) : i32
    %mine = llvm.select %half, %lower, %upper : i1, i32
    llvm.cond_br %half, ^first, ^second
  ^first:
    %sum1 = nvvm.redux.sync add %x, %lower : i32 -> i32
    llvm.br ^join(%sum1 : i32)
  ^second:
    %sum2 = nvvm.redux.sync add %x, %upper : i32 -> i32
    llvm.br ^join(%sum2 : i32)
  ^join(%sum: i32):
    llvm.call @put(%out, %c20, %sum) : (!llvm.ptr<1>, i32, i32) -> ()
    nvvm.bar.warp.sync %mine : i32
    // A reduction over the block.
    %predicate = llvm.zext %positive : i1 to i32
    %popc = nvvm.barrier #nvvm.reduction<popc> %predicate -> i32
    llvm.call @put(%out, %c21, %popc) : (!llvm.ptr<1>, i32, i32) -> ()
    %and = nvvm.barrier #nvvm.reduction<and> %predicate -> i32
    llvm.call @put(%out, %c22, %and) : (!llvm.ptr<1>, i32, i32) -> ()
    %or = nvvm.barrier #nvvm.reduction<or> %predicate -> i32
    llvm.call @put(%out, %c23, %or) : (!llvm.ptr<1>, i32, i32) -> ()
    llvm.return
  }
}
