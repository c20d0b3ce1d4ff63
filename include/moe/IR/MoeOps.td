// All ops of the moe dialect, one file per family.
#ifndef MOE_IR_OPS_TD
#define MOE_IR_OPS_TD

include "moe/IR/OnnxOps.td"
include "moe/IR/WeightOps.td"
include "moe/IR/RoutingOps.td"
include "moe/IR/MovementOps.td"
include "moe/IR/ExpertOps.td"
include "moe/IR/StatisticsOps.td"
include "moe/IR/CollectiveOps.td"
include "moe/IR/KernelOps.td"
include "moe/IR/LoopOps.td"

#endif // MOE_IR_OPS_TD
