// Passes of the plan stage. A pass Foo has the flag moe-plan-… and lives in lib/Plan/.
#ifndef MOE_PLAN_PASSES_TD
#define MOE_PLAN_PASSES_TD

include "mlir/Pass/PassBase.td"

def PlanSingleMachine : Pass<"moe-plan-single-machine", "::mlir::ModuleOp"> {
  let summary = "chooses packing and precision of each product with a stored weight, for one machine";
  let description = [{
    Writes `plan` on each `moe.experts` and the discardable attribute `moe.plan`
    on each `linalg.matmul` whose right side is a stored weight and whose rows
    and results are f32. `packing` of experts is that of their first product:
    gate_up16 where the ffn is gated, else panel32; the second product is always
    panel32. Experts with a region are no kernel: plain.

    `activations` is the precision that kernels read rows in. auto follows the
    graph: int8 where the weights are integers and the model allows it
    (accuracy_level 4), bf16 where both rows and weights are bf16 (not for
    experts, which would round what is between their products), else f32 (no kernel
    multiplies in f16: rows of it are widened once, which costs little
    beside their product). Products of routers stay f32 whatever is asked, and so
    do, in bf16, those with quantised weights (a remark says so). What cannot be
    obeyed is an error that names the layer.

    With `memory-nodes` above 1 the module gets `moe.memory_nodes`: of P panels
    of an expert, node n of N has those from P·n/N to P·(n+1)/N, and of T threads
    those t with t·N/T rounded down to n; only they read its panels. Memory is not
    moved: a page lies where it is read first.
  }];
  let options = [Option<"activations", "activations", "std::string", "\"auto\"",
                        "precision of activations: auto, f32, bf16 or int8">,
                 Option<"memoryNodes", "memory-nodes", "int64_t", "1", "memory nodes (NUMA) of the machine, 1 to 64">];
}

def PlanSharding : Pass<"moe-plan-sharding", "::mlir::ModuleOp"> {
  let summary = "chooses which devices of a mesh have which experts";
  let description = [{
    With a mesh (`mesh`, or a `moe.mesh` of the module) each layer whose rows may
    travel gets `sharding` in its plan: devices that share the experts, the experts
    of each, times, bytes, how far from the best it can be. The choice is that of
    lib/Plan/Sharding, for all layers together under the memory of a device, among
    what the distribute stage can run. A remark says it; with `explain` its notes
    say what else was weighed. A sharding that is there already is the user's: it
    is costed, never changed, and an error where it does not fit. Experts are cut into parts for several
    devices only where `expert-split` allows it, since sums of parts are not those of one device in every bit. With `pin` a
    part of a layer's sharding is the user's (the devices that share its experts,
    the slots of a device) and the rest is searched. With
    `replan-from` weights stay where that file has them as far as the layer takes
    at most a hundredth longer; a remark says how many move. Layers whose rows
    cannot travel stay whole on every rank, with a remark. What lies between the layers
    is computed by every device for all tokens (`between-layers=whole`), or by each for its own of `plan-sequences`
    sequences (`batch`: then the function gets `moe.batch_split`), or products with stored weights are computed
    by each for its own columns, which all gather (`columns`: then the plan of each gets a sharding), or those and attention
    by each for its own heads (`heads`: then each moe.attention gets `moe.sharding`); auto takes what is
    expected to be faster, whole, columns or heads for a single sequence. A query is taken to see `plan-keys` keys. Without a mesh nothing is done.
  }];
  let options = [Option<"mesh", "mesh", "std::string", "", "axes and sizes (node=2,rank=4) or a JSON file">,
                 Option<"profile", "profile", "std::string", "", "JSON file of expert loads, or several with commas between them">,
                 Option<"expertParallel", "expert-parallel", "int64_t", "0", "devices that share the experts; 0: chosen">,
                 Option<"expertSplit", "expert-split", "int64_t", "1", "devices that share each expert by cutting it; 0: chosen">,
                 Option<"pin", "pin", "std::string", "", "what is pinned of layers: NAME=ep4:etp2:slots3;...">,
                 Option<"replanFrom", "replan-from", "std::string", "", "planned model whose experts should stay where they are">,
                 Option<"reportFile", "plan-report", "std::string", "", "writes the plan as a page of HTML">,
                 Option<"exchangeChunks", "exchange-chunks", "int64_t", "0", "parts in which tokens travel; 0: chosen">,
                 Option<"exchange", "exchange", "std::string", "\"auto\"", "how rows travel: auto, direct, two_level or two_level_dedup">,
                 Option<"planTokens", "plan-tokens", "int64_t", "1024", "tokens of a step, of all devices together">,
                 Option<"planSequences", "plan-sequences", "int64_t", "1", "sequences that these are of">,
                 Option<"planKeys", "plan-keys", "int64_t", "0", "keys that a query sees; 0: the tokens of a sequence">,
                 Option<"betweenLayers", "between-layers", "std::string", "\"auto\"", "who computes what lies between the layers: auto, whole, batch, columns or heads">,
                 Option<"explain", "explain", "bool", "false", "say what else was weighed">];
}

def VerifyPlanned : Pass<"moe-verify-planned", "::mlir::ModuleOp"> {
  let summary = "states what plan leaves behind: every product with a stored weight has a plan";
  let description = [{
    An error for each `moe.experts` without `plan` and each planable
    `linalg.matmul` without `moe.plan`. Changes nothing.
  }];
}

#endif // MOE_PLAN_PASSES_TD
