// Lets a test call the hidden functions of lowered.mlir without the runtime. The test's barrier is a function of its own.
llvm.func hidden @moe_entry_0(!llvm.ptr, !llvm.ptr)
llvm.func hidden @moe_shapes(!llvm.ptr, !llvm.ptr) -> i64
llvm.func @moe_rt_barrier(%barrier: !llvm.ptr) {
  llvm.call %barrier() : !llvm.ptr, () -> ()
  llvm.return
}
llvm.func @moe_test_entry(%descriptors: !llvm.ptr, %thread: !llvm.ptr) {
  llvm.call @moe_entry_0(%descriptors, %thread) : (!llvm.ptr, !llvm.ptr) -> ()
  llvm.return
}
llvm.func @moe_test_shapes(%in: !llvm.ptr, %out: !llvm.ptr) -> i64 {
  %0 = llvm.call @moe_shapes(%in, %out) : (!llvm.ptr, !llvm.ptr) -> i64
  llvm.return %0 : i64
}
