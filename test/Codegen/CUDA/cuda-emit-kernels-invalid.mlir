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
    // expected-error @below {{computes on the GPU what the host would need before; not supported yet with --target=cuda}}
    %size = memref.load %n[%c0] : memref<1xindex>
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
  func.func @moe_entry(%x: memref<?x64xf32>, %w: memref<1x1x64x32xf32>, %y: memref<?x8xf32>) attributes {moe.entry} {
    // expected-error @below {{the CUDA product kernels take plain weights, found packing panel32}}
    moe.grouped_matmul %x weight(%w : memref<1x1x64x32xf32>) outs(%y : memref<?x8xf32>) {columns = 8 : i64, packing = #moe<packing_family panel32>} : memref<?x64xf32>
    return
  }
}

// -----

module {
  memref.global "private" constant @bias : memref<8xf32> = dense<1.0>
  func.func @moe_entry(%x: memref<?x64xf32>, %w: memref<8x64xf32>, %y: memref<?x8xf32>) attributes {moe.entry} {
    %bias = memref.get_global @bias : memref<8xf32>
    // expected-error @below {{reads a constant of the graph; CUDA kernels take stored weights so far}}
    moe.grouped_matmul %x weight(%w : memref<8x64xf32>) bias(%bias : memref<8xf32>) outs(%y : memref<?x8xf32>) : memref<?x64xf32>
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
