// Runs that only a run counts: two marks in the straight line of the entry, and what is carried from one run to the next.
#ifndef MOE_IR_LOOP_OPS_TD
#define MOE_IR_LOOP_OPS_TD

include "moe/IR/MoeOpBase.td"

def Moe_LoopBeginOp : Moe_Op<"loop_begin", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "what follows, up to the loop_end of the same number, runs again and again";
  let description = [{
    A loop whose number of runs only a run tells. Its body is not a region: it is
    what stands between the two marks, so that every pass sees one straight line. The
    first value is the flag (one bool): the body runs while it is true, none or
    more times. The results are the values of the current run: those of `inits` in
    the first, after that those that `moe.loop_end` passes on, of the same sizes.
    Only results of `moe.loop_end` may be used behind it of what depends on them.

    With `apart` the values belong to the loop, which begins further down at the mark
    without: rows that its runs write, whose sizes are known only once its body stands.

    On memrefs the one operand is the flag's buffer; copies in front of the mark put
    the first values into their buffers.

    Constraints:
    - loop_begin-c1: on tensors there is one result for each of `inits`, of its rank
      and element type, and without `apart` the first is tensor<i1>.
    - loop_begin-c2: on memrefs there is one operand, memref<i1>, and no result.

    Lifespan: created by import, branches after moe-cpu-lower-run-loops.

    Example:
    ```mlir
    %run:2 = moe.loop_begin 0 from(%more, %x : tensor<i1>, tensor<?x8xf32>) -> tensor<i1>, tensor<?x8xf32>
    ```
  }];
  let arguments = (ins I64Attr:$number, Variadic<AnyTypeOf<[AnyRankedTensor, AnyMemRef]>>:$inits, UnitAttr:$apart);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasVerifier = 1;
  let assemblyFormat = "$number `from` `(` $inits `:` type($inits) `)` (`apart` $apart^)? attr-dict (`->` type($results)^)?";
}

def Moe_LoopEndOp : Moe_Op<"loop_end", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "the end of a loop's body: the values of the next run";
  let description = [{
    `next` are the flag and the values for the next run, in the places of `carried`,
    which are the results of the `moe.loop_begin` of the same number (those that stand
    `apart` come last). The results are the values when the flag is false:
    those of `inits` if the body did not run. What the body reads of what stands in front of the loop is
    `captured` before bufferization: it is read again by the next run, so that nothing
    may write there.

    On memrefs there are no operands; copies in front of the mark pass the values on.

    Constraints:
    - loop_end-c1: there is one of `next` and, on tensors, one result for each of `carried`,
      of its rank and element type.
    - loop_end-c2: `carried` are results of `moe.loop_begin` with its number.

    Lifespan: created by import, branches after moe-cpu-lower-run-loops.

    Example:
    ```mlir
    %last:2 = moe.loop_end 0 next(%go, %y : tensor<i1>, tensor<?x8xf32>) carried(%run#0, %run#1 : tensor<i1>, tensor<?x8xf32>)
        -> tensor<i1>, tensor<?x8xf32>
    ```
  }];
  let arguments = (ins I64Attr:$number, Variadic<AnyRankedTensor>:$next, Variadic<AnyRankedTensor>:$carried, Variadic<AnyRankedTensor>:$captured);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasVerifier = 1;
  let assemblyFormat = [{
    $number (`next` `(` $next^ `:` type($next) `)`)? (`carried` `(` $carried^ `:` type($carried) `)`)?
    (`captured` `(` $captured^ `:` type($captured) `)`)? attr-dict (`->` type($results)^)?
  }];
}

#endif // MOE_IR_LOOP_OPS_TD
