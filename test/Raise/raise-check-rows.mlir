// RUN: moe-opt %s --split-input-file --moe-raise-check-rows | FileCheck %s

// Rows and routing come from two inputs whose dims have two names.
// CHECK-LABEL: func.func @rows
// CHECK: moe.select
// CHECK: moe.slots
// CHECK: %[[X:.*]] = tensor.dim %arg0, %{{.*}} : tensor<?x4xf32>
// CHECK: %[[Z:.*]] = tensor.dim %arg1, %{{.*}} : tensor<?x8xf32>
// CHECK: moe.require_equal %[[X]], %[[Z]], "the rows of x and of the routing differ in number"
// CHECK-NEXT: moe.dispatch
// DOC: --moe-raise-check-rows
func.func @rows(%x: tensor<?x4xf32>, %z: tensor<?x8xf32>) -> tensor<?x4xf32> {
  %scores, %choice = moe.score softmax %z : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x4xf32>
  return %rows : tensor<?x4xf32>
}

// -----

// A router with a dynamic number of columns, weights from outside and a result of another number of tokens.
// CHECK-LABEL: func.func @columns
// CHECK: %[[E:.*]] = tensor.dim %arg1, %{{.*}} : tensor<?x?xf32>
// CHECK: moe.require_equal %[[E]], %c8{{.*}}, "the columns of the router's scores and the number of experts differ in number"
// CHECK: moe.require_equal %{{.*}}, %{{.*}}, "the rows of x and of the routing differ in number"
// CHECK: moe.require_equal %arg3, %[[T:.*]], "the tokens of the result and the rows of the routing differ in number"
// CHECK: %[[W:.*]] = tensor.dim %arg2, %{{.*}} : tensor<?xf32>
// CHECK: %[[N:.*]] = arith.muli %[[T]], %{{.*}} : index
// CHECK: moe.require_equal %[[W]], %[[N]], "the combine weights and the assignments of the routing differ in number"
// CHECK: moe.combine
func.func @columns(%x: tensor<?x4xf32>, %z: tensor<?x?xf32>, %w: tensor<?xf32>, %T: index) -> tensor<?x4xf32> {
  %scores, %choice = moe.score softmax %z : tensor<?x?xf32> -> tensor<?x?xf32>, tensor<?x?xf32>
  %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x?xf32> {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x4xf32>
  %y = moe.combine %rows, %t, %e, %slot, %keep, %w tokens(%T) : tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// Expert numbers from outside must be experts, or -1 for none.
// CHECK-LABEL: func.func @assigned
// CHECK-DAG: %[[NONE:.*]] = arith.constant -1 : index
// CHECK-DAG: %[[EXPERTS:.*]] = arith.constant 8 : index
// CHECK: moe.require_range %arg0, %[[NONE]], %[[EXPERTS]], "an expert's number" : tensor<?x2xi64>
// CHECK: moe.assign
func.func @assigned(%ids: tensor<?x2xi64>) -> tensor<9xi32> {
  %t, %e, %r, %v = moe.assign %ids : tensor<?x2xi64> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return %off : tensor<9xi32>
}

// -----

// So must ids be rows of a table, and what these rows hold experts.
// CHECK-LABEL: func.func @by_table
// CHECK: moe.require_range %arg0, %{{.*}}, %{{.*}}, "an id of the table" : tensor<?xi32>
// CHECK: %[[ROWS:.*]] = linalg.generic
// CHECK: moe.require_range %[[ROWS]], %{{.*}}, %{{.*}}, "an expert's number in the table" : tensor<?x2xi32>
// CHECK: moe.select table
func.func @by_table(%ids: tensor<?xi32>, %table: tensor<50x2xi32>) -> tensor<9xi32> {
  %t, %e, %r, %v, %kth = moe.select table ids(%ids : tensor<?xi32>) table(%table : tensor<50x2xi32>) {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return %off : tensor<9xi32>
}

// -----

// The ids of tokens that do not count may be anything.
// CHECK-LABEL: func.func @padded
// CHECK-NOT: moe.require_range
func.func @padded(%ids: tensor<?xi32>, %table: tensor<50x2xi32>, %valid: tensor<?xi1>) -> tensor<9xi32> {
  %t, %e, %r, %v, %kth = moe.select table ids(%ids : tensor<?xi32>) table(%table : tensor<50x2xi32>) valid(%valid : tensor<?xi1>) {k = 2 : i64} -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
  %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64} : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
  return %off : tensor<9xi32>
}

// -----

// Offsets from outside must rise within the rows; the experts get them clamped.
// CHECK-LABEL: func.func @offsets
// CHECK: %[[R:.*]] = tensor.dim %arg0, %{{.*}} : tensor<?x4xf32>
// CHECK: %[[END:.*]] = arith.addi %[[R]], %{{.*}} : index
// CHECK: moe.require_range %arg1, %{{.*}}, %[[END]], "an offset of the experts" : tensor<9xi32>
// CHECK: %[[D:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<8xi32>)
// CHECK: moe.require_range %[[D]], %{{.*}}, %[[END]], "the number of rows between two offsets of the experts" : tensor<8xi32>
// CHECK: %[[INSIDE:.*]] = linalg.generic {{.*}} ins(%arg1 : tensor<9xi32>)
// CHECK: moe.experts %arg0, %[[INSIDE]] gate
func.func @offsets(%x: tensor<?x4xf32>, %off: tensor<9xi32>, %g: tensor<8x6x4xf32>, %d: tensor<8x4x6xf32>) -> tensor<?x4xf32> {
  %y = moe.experts %x, %off gate(%g : tensor<8x6x4xf32>) down(%d : tensor<8x4x6xf32>) {ffn = #moe.ffn<activation = relu>}
    : tensor<?x4xf32>, tensor<9xi32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// Those of a dispatch are what moe.slots made, also behind an op that keeps the rows.
// CHECK-LABEL: func.func @dispatched
// CHECK-NOT: require_range
// CHECK: return
func.func @dispatched(%x: tensor<?x4xf32>, %t: tensor<?xi32>, %e: tensor<?xi32>, %slot: tensor<?xi32>, %keep: tensor<?xi1>, %off: tensor<9xi32>,
    %d: tensor<8x4x6xf32>, %w: tensor<8x6x4xf32>, %one: f32) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %rows = moe.dispatch ragged %x, %t, %e, %slot, %keep, %off : tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<9xi32> -> tensor<?x4xf32>
  %n = tensor.dim %rows, %c0 : tensor<?x4xf32>
  %empty = tensor.empty(%n) : tensor<?x4xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(t, h) -> (t, h)>, affine_map<(t, h) -> (t, h)>], iterator_types = ["parallel", "parallel"]}
      ins(%rows : tensor<?x4xf32>) outs(%empty : tensor<?x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %one : f32
    linalg.yield %s : f32
  } -> tensor<?x4xf32>
  %y = moe.experts %sum, %off gate(%w : tensor<8x6x4xf32>) down(%d : tensor<8x4x6xf32>) {ffn = #moe.ffn<activation = relu>}
    : tensor<?x4xf32>, tensor<9xi32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
