"""The oracle of the library of losses, and the published numbers of each variant."""

from oracle import *
from registry import *


def normal_cdf(z):
    return 0.5 * (1 + np.vectorize(math.erf, otypes=[float])(z / math.sqrt(2)))


def loss_inputs(**given):
    """Inputs of losses.mlir; what is not given is small and harmless."""
    defaults = {"f": np.ones(1), "p": np.ones(1), "group_f": np.ones((1, 1)), "group_p": np.ones((1, 1)), "logits": np.zeros((1, 1)),
                "noisy": np.zeros((1, 1)), "deviation": np.ones((1, 1)), "kth": np.zeros((1, 2)), "expert": np.zeros(1, int),
                "valid": np.ones(1, bool), "w": np.ones(1)}
    return defaults | given


def f1_case(**given):
    """losses.mlir on F1: every input has its 4 experts and 6 tokens."""
    return loss_inputs(**({"f": np.ones(4), "p": np.ones(4), "group_f": np.ones((1, 4)), "group_p": np.ones((1, 4)), "logits": F1, "noisy": F1,
                           "deviation": np.ones((6, 4)), "kth": np.zeros((6, 2))} | given))


F_TOP1, F_TOP2, P_MEAN = np.array(VECTORS["c1"]) / 6, np.array(VECTORS["c2"]) / 6, np.array(VECTORS["P"])
TOP2 = [(t, e) for t, chosen in enumerate(VECTORS["top2_idx"]) for e in chosen]
TWO_SEQUENCES = [np.bincount([e for t, e in TOP2 if t // 3 == s], minlength=4) / 6 for s in (0, 1)]
CLEAN3 = np.array([[1.0, 0.0, -1.0]])


def load_case(deviation):
    return loss_inputs(f=np.ones(3), p=np.ones(3), group_f=np.ones((1, 3)), group_p=np.ones((1, 3)), logits=CLEAN3, noisy=CLEAN3,
                       deviation=np.full((1, 3), deviation), kth=[[1.0, 0.0]])


LOSS_VECTORS = [
    ("Switch", f1_case(f=F_TOP1, p=P_MEAN),
     {"balance": VECTORS["switch_aux_top1"], "balance_gshard": VECTORS["gshard_paper (1/E) sum"]}),
    ("any of two", f1_case(f=F_TOP2, p=P_MEAN), {"balance": VECTORS["aux_top2_HF/flaxformer (f sums to k)"]}),
    ("normalised by two", f1_case(f=F_TOP2 / 2, p=P_MEAN),
     {"balance": VECTORS["aux_top2_norm (megatron/DeepSpeed topk/DeepSeekMoE/megablocks)"]}),
    ("sequences", f1_case(group_f=TWO_SEQUENCES, group_p=[P1[:3].mean(0), P1[3:].mean(0)]),
     {"sequence_balance": VECTORS["deepseek_seq_aux_B2_S3_k2"]}),
    ("devices", loss_inputs(f=np.ones(2), p=np.ones(2), group_f=(F_TOP2 / 2).reshape(2, 2), group_p=P_MEAN.reshape(2, 2),
                            logits=np.zeros((1, 2)), noisy=np.zeros((1, 2)), deviation=np.ones((1, 2))),
     {"device_balance": VECTORS["deepseek_device_aux"]}),
    ("z", f1_case(logits=F1 + np.arange(6)[:, None]), {"router_z": VECTORS["zloss shift t"]}),
    ("z of probabilities", f1_case(), {"router_z": VECTORS["zloss unshifted"]}),
    ("importance", f1_case(logits=P1, p=VECTORS["importance dense"]),
     {"importance": VECTORS["importance dense"], "cv": VECTORS["cv2_pop"], "cv_sample": VECTORS["cv2_sample"]}),
    ("importance of two", f1_case(p=VECTORS["importance top2 gates"], expert=[e for _, e in TOP2], valid=np.ones(12, bool),
                                  w=[VECTORS["gates_top2_softmax_after"][t][e] for t, e in TOP2]),
     {"assigned_importance": VECTORS["importance top2 gates"], "cv": VECTORS["cv2_pop top2 gates"]}),
    ("hard load", f1_case(p=VECTORS["c2"]), {"cv": VECTORS["cv2_pop load(hard,k=2)"]}),
    ("load", load_case(VECTORS["noisy sd"]), {"load": VECTORS["load k1 noise0"], "load_fixed": VECTORS["vmoe p k1 E3"]}),
    ("load of the paper", load_case(math.log(2)), {"load": VECTORS["load paper sd=ln2"]}),
]


@system("losses", vectors=LOSS_VECTORS, sizes=[{"experts": 5, "groups": 3, "tokens": 17, "assignments": 29},
                                               {"experts": 1, "groups": 1, "tokens": 1, "assignments": 0}],
        inputs={"deviation": lambda random, shape, _: random.uniform(0.5, 2, shape), "p": lambda random, shape, _: random.uniform(0.5, 2, shape),
                "expert": lambda random, shape, sizes: random.integers(0, sizes["experts"], shape),
                "valid": lambda random, shape, _: random.integers(0, 2, shape), "kth": lambda random, shape, _: -np.sort(random.random(shape))})
def losses(i, w):
    logits, kth = i["logits"], i["kth"]
    assigned = np.zeros(len(i["f"]))
    for expert, valid, weight in zip(i["expert"], i["valid"], i["w"]):
        assigned[expert] += weight if valid else 0
    bar = np.where(i["noisy"] > kth[:, 1:], kth[:, 1:], kth[:, :1])
    experts = i["group_f"].size
    return {
        "balance": balance_loss(i["f"], i["p"]),
        "balance_gshard": (i["f"] * i["p"]).sum() / len(i["f"]),
        "sequence_balance": np.mean([balance_loss(f, p) for f, p in zip(i["group_f"], i["group_p"])]),
        "device_balance": sum((experts * f).mean() * p.sum() for f, p in zip(i["group_f"], i["group_p"])),
        "router_z": z_loss(logits),
        "cv": cv_squared(i["p"]),
        "cv_sample": i["p"].var(ddof=1) / i["p"].mean() ** 2 if len(i["p"]) > 1 else 0.0,
        "importance": logits.sum(0),
        "assigned_importance": assigned,
        "load": normal_cdf((logits - bar) / i["deviation"]).sum(0),
        "load_fixed": (1 - normal_cdf((kth[:, :1] - logits) * 3)).mean(0),
    }
