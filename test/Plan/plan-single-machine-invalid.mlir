// RUN: not moe-opt %s --moe-plan-single-machine=activations=f64 2>&1 | FileCheck %s
// RUN: not moe-opt %s --moe-plan-single-machine=activations=int4 2>&1 | FileCheck %s --check-prefix=INT4
// CHECK: error: unknown value 'f64' of option activations; expected auto, f32, bf16 or int8
// INT4: error: unknown value 'int4' of option activations; expected auto, f32, bf16 or int8

func.func private @nothing()
