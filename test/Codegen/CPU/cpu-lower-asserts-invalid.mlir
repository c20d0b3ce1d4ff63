// RUN: moe-opt %s --moe-cpu-lower-asserts --split-input-file --verify-diagnostics

func.func @nested(%a: i1, %b: i1) {
  scf.if %a {
    // expected-error @below {{is nested or in a function with results, expected it where every thread passes}}
    cf.assert %b, "not all threads come here"
  }
  return
}

// -----

func.func @results(%a: i1) -> i1 {
  // expected-error @below {{is nested or in a function with results}}
  cf.assert %a, "what would it return?"
  return %a : i1
}
