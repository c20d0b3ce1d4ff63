// RUN: moe-opt %s --moe-cpu-lower-run-loops --split-input-file --verify-diagnostics

func.func @moe_entry(%more: memref<i1>) attributes {moe.entry} {
  // expected-error @below {{is nested or has no partner, expected it where every thread passes}}
  moe.loop_begin 0 from(%more : memref<i1>)
  return
}

// -----

func.func @nested(%more: memref<i1>, %a: i1) {
  scf.if %a {
    // expected-error @below {{is nested or has no partner}}
    moe.loop_begin 0 from(%more : memref<i1>)
    moe.loop_end 0
  }
  return
}
