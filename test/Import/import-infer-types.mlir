// RUN: moe-opt %s --moe-import-infer-types=report-sizes --split-input-file --verify-diagnostics | FileCheck %s

// The example of the pass.
// CHECK-LABEL: func.func @example
// CHECK-SAME: -> tensor<?x64xf32>
// DOC: --moe-import-infer-types
func.func @example(%x: tensor<?x?x64xf32> {moe.dims = ["batch", "seq", "64"]}) -> tensor<f32> {
  %rows = arith.constant dense<[-1, 64]> : tensor<2xi64>
  // expected-remark @+2 {{dims [batch*seq, 64]}}
  // CHECK: -> tensor<?x64xf32>
  %y = moe.onnx "Reshape"(%x, %rows) version 14 {} : (tensor<?x?x64xf32>, tensor<2xi64>) -> tensor<f32>
  return %y : tensor<f32>
}

// -----

// A shape that is computed: rows and back, whatever way the product was made.
// CHECK-LABEL: func.func @there_and_back
func.func @there_and_back(%x: tensor<?x?x64xf32> {moe.dims = ["batch", "seq", "64"]}) -> tensor<f32> {
  %zero = arith.constant dense<0> : tensor<i64>
  %one = arith.constant dense<1> : tensor<i64>
  %axis = arith.constant dense<0> : tensor<1xi64>
  %inner = arith.constant dense<[32, 2]> : tensor<2xi64>
  // expected-remark @+1 {{dims [3] content [batch, seq, 64]}}
  %shape = moe.onnx "Shape"(%x) version 15 {} : (tensor<?x?x64xf32>) -> tensor<f32>
  // expected-remark @+1 {{dims [] content [batch]}}
  %batch = moe.onnx "Gather"(%shape, %zero) version 13 {} : (tensor<f32>, tensor<i64>) -> tensor<f32>
  // expected-remark @+1 {{dims [] content [seq]}}
  %seq = moe.onnx "Gather"(%shape, %one) version 13 {} : (tensor<f32>, tensor<i64>) -> tensor<f32>
  // expected-remark @+1 {{dims [] content [batch*seq]}}
  %rows = moe.onnx "Mul"(%seq, %batch) version 14 {} : (tensor<f32>, tensor<f32>) -> tensor<f32>
  // expected-remark @+1 {{dims [1] content [batch*seq]}}
  %rows1 = moe.onnx "Unsqueeze"(%rows, %axis) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<f32>
  // expected-remark @+1 {{dims [3] content [batch*seq, 32, 2]}}
  %to = moe.onnx "Concat"(%rows1, %inner) version 13 {axis = 0 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<f32>
  // expected-remark @+2 {{dims [batch*seq, 32, 2]}}
  // CHECK: "Reshape"{{.*}} -> tensor<?x32x2xf32>
  %y = moe.onnx "Reshape"(%x, %to) version 14 {} : (tensor<?x?x64xf32>, tensor<f32>) -> tensor<f32>
  // expected-remark @+2 {{dims [batch, seq, 64]}}
  // CHECK: "Reshape"{{.*}} -> tensor<?x?x64xf32>
  %z = moe.onnx "Reshape"(%y, %shape) version 14 {} : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %z : tensor<f32>
}

// -----

// A KV cache: total is past + seq from the Concat; the mask's own name for it is taken as equal.
func.func @cache(%past: tensor<?x2x?x16xf32> {moe.dims = ["batch", "2", "past", "16"]}, %now: tensor<?x2x?x16xf32> {moe.dims = ["batch", "2", "seq", "16"]},
                 %mask: tensor<?x1x?x1xf32> {moe.dims = ["batch", "1", "total", "1"]}) -> tensor<f32> {
  // expected-remark @+1 {{dims [batch, 2, past + seq, 16]}}
  %all = moe.onnx "Concat"(%past, %now) version 13 {axis = -2 : i64} : (tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>) -> tensor<f32>
  // expected-remark @+2 {{dims [batch, 2, past + seq, 16]}}
  // expected-remark @+1 {{takes total as equal to past + seq}}
  %sum = moe.onnx "Add"(%all, %mask) version 14 {} : (tensor<f32>, tensor<?x1x?x1xf32>) -> tensor<f32>
  // Known from here on: no second condition.
  // expected-remark @+1 {{dims [batch, 2, past + seq, 16]}}
  %more = moe.onnx "Mul"(%mask, %sum) version 14 {} : (tensor<?x1x?x1xf32>, tensor<f32>) -> tensor<f32>
  return %more : tensor<f32>
}

// -----

// The last token; a window that a short sequence does not fill.
func.func @slices(%x: tensor<?x?xf32> {moe.dims = ["batch", "seq"]}) -> (tensor<f32>, tensor<f32>) {
  %last = arith.constant dense<-1> : tensor<1xi64>
  %four = arith.constant dense<4> : tensor<1xi64>
  %zero = arith.constant dense<0> : tensor<1xi64>
  %one = arith.constant dense<1> : tensor<1xi64>
  %end = arith.constant dense<9223372036854775807> : tensor<1xi64>
  // expected-remark @+1 {{dims [batch, min(1, seq)]}}
  %a = moe.onnx "Slice"(%x, %last, %end, %one) version 13 {} : (tensor<?x?xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<f32>
  // expected-remark @+1 {{dims [batch, min(4, seq)]}}
  %b = moe.onnx "Slice"(%x, %zero, %four, %one) version 13 {} : (tensor<?x?xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<f32>
  return %a, %b : tensor<f32>, tensor<f32>
}

// -----

// Sizes that depend on data are symbols; elements of small inputs are, too, which entry knows.
func.func @data(%x: tensor<?xf32> {moe.dims = ["n"]}, %k: tensor<1xi64> {moe.dims = ["1"]}) -> (tensor<f32>, tensor<f32>) {
  // expected-remark @+1 {{dims [1, nonzero#2]}}
  %i = moe.onnx "NonZero"(%x) version 13 {} : (tensor<?xf32>) -> tensor<f32>
  // Both results, and what K may be.
  // expected-remark @+3 {{dims [max(0, argument 1[0])]}}
  // expected-remark @+2 {{takes min(n + -1*argument 1[0], 0) as equal to 0}}
  // expected-remark @+1 {{takes min(0, argument 1[0]) as equal to 0}}
  %v, %j = moe.onnx "TopK"(%x, %k) version 11 {} : (tensor<?xf32>, tensor<1xi64>) -> (tensor<f32>, tensor<f32>)
  return %i, %v : tensor<f32>, tensor<f32>
}

// -----

// An absent output stays absent; axes moved from attribute to input.
// CHECK-LABEL: func.func @versions
// CHECK: -> (tensor<?x4xf32>, none)
func.func @versions(%x: tensor<?x4xf32> {moe.dims = ["n", "4"]}) -> (tensor<f32>, tensor<f32>) {
  %scale = arith.constant dense<1.0> : tensor<4xf32>
  %axes = arith.constant dense<1> : tensor<1xi64>
  // expected-remark @+1 {{dims [n, 4]}}
  %y, %mean = moe.onnx "LayerNormalization"(%x, %scale) version 17 {} : (tensor<?x4xf32>, tensor<4xf32>) -> (tensor<f32>, none)
  // expected-remark @+1 {{dims [n, 1]}}
  %a = moe.onnx "ReduceMean"(%y) version 13 {axes = array<i64: 1>} : (tensor<f32>) -> tensor<f32>
  // expected-remark @+1 {{dims [n]}}
  %b = moe.onnx "ReduceMean"(%y, %axes) version 18 {keepdims = 0 : i64} : (tensor<f32>, tensor<1xi64>) -> tensor<f32>
  return %a, %b : tensor<f32>, tensor<f32>
}

// -----

// x[:1] has 0 or 1 rows: what it meets keeps its size, and is not taken as equal to it.
func.func @first_row(%x: tensor<?x4xf32> {moe.dims = ["n", "4"]}, %y: tensor<?x4xf32> {moe.dims = ["m", "4"]}) -> tensor<f32> {
  %zero = arith.constant dense<0> : tensor<1xi64>
  %one = arith.constant dense<1> : tensor<1xi64>
  // expected-remark @+1 {{dims [1, 4]}}
  %first = moe.onnx "Slice"(%x, %zero, %one, %zero) version 13 {} : (tensor<?x4xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<f32>
  // expected-remark @+2 {{dims [m, 4]}}
  // expected-remark @+1 {{takes min(1, n) as equal to 1}}
  %sum = moe.onnx "Add"(%first, %y) version 14 {} : (tensor<f32>, tensor<?x4xf32>) -> tensor<f32>
  return %sum : tensor<f32>
}

// -----

// Rows found among those of x are none where x[:1] is: nothing to check.
func.func @found_beside_first(%x: tensor<?x4xf32> {moe.dims = ["n", "4"]}, %mask: tensor<?x2xi1> {moe.dims = ["n", "2"]}) -> tensor<f32> {
  %zero = arith.constant dense<0> : tensor<1xi64>
  %one = arith.constant dense<1> : tensor<1xi64>
  // expected-remark @+1 {{dims [min(1, n), 4]}}
  %first = moe.onnx "Slice"(%x, %zero, %one, %zero) version 13 {} : (tensor<?x4xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<f32>
  // expected-remark @+1 {{dims [2, nonzero#}}
  %found = moe.onnx "NonZero"(%mask) version 13 {} : (tensor<?x2xi1>) -> tensor<f32>
  // expected-remark @+1 {{dims [1, nonzero#}}
  %places = moe.onnx "Gather"(%found, %zero) version 13 {axis = 0 : i64} : (tensor<f32>, tensor<1xi64>) -> tensor<f32>
  // expected-remark @+1 {{dims [nonzero#}}
  %column = moe.onnx "Transpose"(%places) version 13 {} : (tensor<f32>) -> tensor<f32>
  // expected-remark @+1 {{dims [nonzero#}}
  %rows = moe.onnx "Cast"(%column) version 13 {to = 1 : i64} : (tensor<f32>) -> tensor<f32>
  // expected-remark @+1 {{dims [nonzero#}}
  %sum = moe.onnx "Add"(%first, %rows) version 14 {} : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %sum : tensor<f32>
}

// -----

// The first of seq columns put before all of them, then all but the last: seq again, for an empty sequence too. Nothing to check at run time.
func.func @shifted(%x: tensor<?x?xf32> {moe.dims = ["batch", "seq"]}) -> tensor<f32> {
  %zero = arith.constant dense<0> : tensor<1xi64>
  %one = arith.constant dense<1> : tensor<1xi64>
  // expected-remark @+1 {{dims [2] content [batch, seq]}}
  %shape = moe.onnx "Shape"(%x) version 15 {} : (tensor<?x?xf32>) -> tensor<f32>
  // expected-remark @+1 {{dims [1] content [seq]}}
  %seq = moe.onnx "Gather"(%shape, %one) version 13 {} : (tensor<f32>, tensor<1xi64>) -> tensor<f32>
  // expected-remark @+1 {{dims [batch, min(1, seq)]}}
  %first = moe.onnx "Slice"(%x, %zero, %one, %one) version 13 {} : (tensor<?x?xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<f32>
  // expected-remark @+1 {{dims [batch, seq + min(1, seq)]}}
  %both = moe.onnx "Concat"(%first, %x) version 13 {axis = 1 : i64} : (tensor<f32>, tensor<?x?xf32>) -> tensor<f32>
  // expected-remark @+1 {{dims [1] content [seq + 1]}}
  %end = moe.onnx "Add"(%seq, %one) version 14 {} : (tensor<f32>, tensor<1xi64>) -> tensor<f32>
  // expected-remark @+1 {{dims [batch, seq]}}
  %rest = moe.onnx "Slice"(%both, %one, %end, %one) version 13 {} : (tensor<f32>, tensor<1xi64>, tensor<f32>, tensor<1xi64>) -> tensor<f32>
  // expected-remark @+1 {{dims [batch, seq]}}
  %sum = moe.onnx "Add"(%x, %rest) version 14 {} : (tensor<?x?xf32>, tensor<f32>) -> tensor<f32>
  return %sum : tensor<f32>
}

// -----

// Ranges: as long as the symbol says, of floats by the schema's formula, empty, and of a length that only data tells.
func.func @ranges(%x: tensor<?xf32> {moe.dims = ["n"]}, %to: tensor<i64>) -> tensor<f32> {
  %zero = arith.constant dense<0> : tensor<i64>
  %one = arith.constant dense<1> : tensor<i64>
  %minus = arith.constant dense<-2> : tensor<i64>
  %start = arith.constant dense<0.0> : tensor<f32>
  %limit = arith.constant dense<1.0> : tensor<f32>
  %delta = arith.constant dense<0.3> : tensor<f32>
  // expected-remark @+1 {{dims [] content [n]}}
  %n = moe.onnx "Size"(%x) version 13 {} : (tensor<?xf32>) -> tensor<f32>
  // expected-remark @+1 {{dims [n]}}
  %a = moe.onnx "Range"(%zero, %n, %one) version 11 {} : (tensor<i64>, tensor<f32>, tensor<i64>) -> tensor<f32>
  // expected-remark @+1 {{dims [ceil(n / 2)]}}
  %b = moe.onnx "Range"(%n, %zero, %minus) version 11 {} : (tensor<f32>, tensor<i64>, tensor<i64>) -> tensor<f32>
  // expected-remark @+1 {{dims [0] content []}}
  %c = moe.onnx "Range"(%one, %zero, %one) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<f32>
  // expected-remark @+1 {{dims [4]}}
  %d = moe.onnx "Range"(%start, %limit, %delta) version 11 {} : (tensor<f32>, tensor<f32>, tensor<f32>) -> tensor<f32>
  // expected-remark @+1 {{dims [max(0, argument 1[0])]}}
  %e = moe.onnx "Range"(%zero, %to, %one) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<f32>
  // A table of positions: the last position and one more, as a float.
  %last = arith.constant dense<-1> : tensor<i64>
  %step = arith.constant dense<1.0> : tensor<f32>
  // expected-remark @+1 {{dims [] content [n - 1]}}
  %f = moe.onnx "Gather"(%a, %last) version 13 {axis = 0 : i64} : (tensor<f32>, tensor<i64>) -> tensor<f32>
  // expected-remark @+1 {{dims [] content [n]}}
  %g = moe.onnx "Add"(%f, %one) version 14 {} : (tensor<f32>, tensor<i64>) -> tensor<f32>
  // expected-remark @+1 {{dims []}}
  %h = moe.onnx "Cast"(%g) version 13 {to = 1 : i64} : (tensor<f32>) -> tensor<f32>
  // expected-remark @+2 {{dims [n]}}
  // expected-remark @+1 {{takes min(-1*n + 16777216, 0) as equal to 0}}
  %i = moe.onnx "Range"(%start, %h, %step) version 11 {} : (tensor<f32>, tensor<f32>, tensor<f32>) -> tensor<f32>
  return %d : tensor<f32>
}

// -----

// A shape in which one size is replaced, and a mask whose ones are counted behind a NonZero of it.
func.func @rows_of_mask(%x: tensor<?x16xf32> {moe.dims = ["t", "16"]}, %mask: tensor<?xi1> {moe.dims = ["t"]}) -> tensor<f32> {
  %zero = arith.constant dense<0> : tensor<1xi64>
  %flat = arith.constant dense<-1> : tensor<1xi64>
  // expected-remark @+1 {{dims [1, nonzero#1]}}
  %found = moe.onnx "NonZero"(%mask) version 13 {} : (tensor<?xi1>) -> tensor<f32>
  // expected-remark @+1 {{dims [1] content [nonzero#1]}}
  %size = moe.onnx "Shape"(%found) version 15 {start = 1 : i64} : (tensor<f32>) -> tensor<f32>
  // expected-remark @+1 {{dims [2] content [t, 16]}}
  %shape = moe.onnx "Shape"(%x) version 15 {} : (tensor<?x16xf32>) -> tensor<f32>
  // expected-remark @+1 {{dims [2] content [nonzero#1, 16]}}
  %replaced = moe.onnx "ScatterElements"(%shape, %zero, %size) version 16 {axis = 0 : i64} : (tensor<f32>, tensor<1xi64>, tensor<f32>) -> tensor<f32>
  // expected-remark @+1 {{dims [t]}}
  %list = moe.onnx "Reshape"(%mask, %flat) version 14 {} : (tensor<?xi1>, tensor<1xi64>) -> tensor<f32>
  // expected-remark @+1 {{dims [t]}}
  %ones = moe.onnx "Cast"(%list) version 13 {to = 7 : i64} : (tensor<f32>) -> tensor<f32>
  // expected-remark @+1 {{dims [1] content [nonzero#1]}}
  %count = moe.onnx "ReduceSum"(%ones) version 13 {keepdims = 1 : i64} : (tensor<f32>) -> tensor<f32>
  // expected-remark @+1 {{dims [t]}}
  %bytes = moe.onnx "Cast"(%mask) version 13 {to = 3 : i64} : (tensor<?xi1>) -> tensor<f32>
  // A byte may overflow: its sum is no count.
  // expected-remark @+1 {{dims [1]}}
  %sum = moe.onnx "ReduceSum"(%bytes) version 13 {keepdims = 1 : i64} : (tensor<f32>) -> tensor<f32>
  return %sum : tensor<f32>
}
