// RUN: moe-opt %s --moe-cuda-emit-kernels --split-input-file --verify-diagnostics

// expected-error @below {{expects the entry that lower leaves, a function of one block with moe.entry}}
module {
  func.func @main() {
    return
  }
}

// -----

module {
  func.func @moe_entry(%x: memref<?xf32>, %n: memref<1xindex>, %arena: memref<?xi8>) attributes {moe.entry} {
    %c0 = arith.constant 0 : index
    %size = memref.load %n[%c0] : memref<1xindex>
    // expected-error @below {{computes on the GPU what the host or a later kernel would need; not supported yet with --target=cuda}}
    %view = memref.view %arena[%size][] : memref<?xi8> to memref<1xf32>
    %zero = arith.constant 0.0 : f32
    moe.barrier
    memref.store %zero, %view[%c0] : memref<1xf32>
    return
  }
}

// -----

module {
  func.func @moe_entry(%z: memref<4x2000xf32>, %r: memref<8xi32>, %s: memref<8xf32>, %o: memref<2001xi32>) attributes {moe.entry} {
    // expected-error @below {{the CUDA router kernels have at most 1024 experts, found 2000}}
    moe.route_permute logits(%z : memref<4x2000xf32>) outs(%r, %s, %o, %r, %s : memref<8xi32>, memref<8xf32>, memref<2001xi32>, memref<8xi32>, memref<8xf32>)
        {experts = 2000 : i64, router = #moe.router<function = softmax, k = 2, source = gather, norm = l1>}
    return
  }
}

// -----

module {
  func.func @moe_entry(%x: memref<?x80xi8>, %w: memref<1x1x1280xi8>, %y: memref<?x8xf32>) attributes {moe.entry} {
    // expected-error @below {{the CUDA product kernels take blocks of integers, small floats and nf4 with rows of floats, found #moe.blocks<code = int4, group = 32, scale = f32, quads = true>}}
    moe.grouped_matmul %x weight(%w : memref<1x1x1280xi8>) outs(%y : memref<?x8xf32>)
        {blocks = #moe.blocks<code = int4, group = 32, scale = f32, quads = true>, columns = 8 : i64, packing = #moe<packing_family panel32>} : memref<?x80xi8>
    return
  }
}

// -----

module {
  memref.global "private" constant @bias : memref<8xf32> = dense<1.0>
  func.func @moe_entry(%x: memref<?x64xf32>, %w: memref<8x64xf32>, %y: memref<?x8xf32>) attributes {moe.entry} {
    %bias = memref.get_global @bias : memref<8xf32>
    // expected-error @below {{reads a constant of the graph; CUDA kernels take stored weights (moe-cuda-store-constants makes these)}}
    moe.grouped_matmul %x weight(%w : memref<8x64xf32>) bias(%bias : memref<8xf32>) outs(%y : memref<?x8xf32>) : memref<?x64xf32>
    return
  }
}

// -----

// Behind a barrier the number's memory may be another's.
module {
  func.func @moe_entry(%total: memref<1xi32>, %y: memref<1xi64>) attributes {moe.entry} {
    %c0 = arith.constant 0 : index
    %0 = memref.load %total[%c0] : memref<1xi32>
    // expected-error @below {{computes on the GPU what the host or a later kernel would need; not supported yet with --target=cuda}}
    %1 = arith.extsi %0 : i32 to i64
    moe.barrier
    memref.store %1, %y[%c0] : memref<1xi64>
    return
  }
}

// -----

module {
  func.func @moe_entry(%more: memref<i1>) attributes {moe.entry} {
    // expected-error @below {{begins a loop whose number of runs only the run tells, which is not supported yet with --target=cuda}}
    moe.loop_begin 0 from(%more : memref<i1>)
    moe.loop_end 0
    return
  }
}
