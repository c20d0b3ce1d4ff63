"""Oracles of layers whose experts are stored in few bits: QMoE's ternary dictionary, and nf4 with low-rank additions."""

import functools

from oracle import *
from registry import *
import ternary

# QMoE ----------------------------------------------------------------------------------------------------------------------------------------

#: Digits and (lo, hi) of each ternary weight, by its name. Of the seed's own, not of check.py's.
SHAPES = {"up": (2, 512, 512), "down": (2, 512, 512), "odd": (11, 37)}


@functools.lru_cache
def ternary_weight(name):
    """Digits with the share of zeros that the dictionary is made for, and bf16 (lo, hi) for each row."""
    import ml_dtypes

    random = np.random.default_rng(sum(name.encode()))
    shape = SHAPES[name]
    digits = random.choice(3, shape, p=[ternary.ZERO, (1 - ternary.ZERO) / 2, (1 - ternary.ZERO) / 2])
    limits = np.abs(random.standard_normal(shape[:-1] + (2,))) * [-1, 1] / 4
    if name == "odd":  # Rounded from weights; rows of zeros, of one digit and without zeros.
        random_rows = random.standard_normal(shape)
        random_rows[0], random_rows[1], random_rows[2] = 0, 1, -1
        digits, limits = (np.array(part) for part in zip(*map(ternary.round_row, random_rows)))
        limits[0] = -1, 1
    return digits, limits.astype(ml_dtypes.bfloat16)


def dequantised(name):
    digits, limits = ternary_weight(name)
    wide = limits.astype(np.float64)
    return np.where(digits == 1, wide[..., :1], np.where(digits == 2, wide[..., 1:], 0.0))


@functools.lru_cache
def codes_of(name):
    digits, _ = ternary_weight(name)
    rows = [ternary.encode(row) for row in digits.reshape(-1, digits.shape[-1])]
    assert all((ternary.decode(codes, digits.shape[-1]) == row).all() for codes, row in zip(rows, digits.reshape(-1, digits.shape[-1])))
    return rows


def payload(name, random, dims, earlier):
    name = name.split("_")[0]
    flat = [code for row in codes_of(name) for code in row]
    assert dims == [len(flat)], f"weight {name}_codes has type {dims}; expected {len(flat)} codes"
    digits, limits = ternary_weight(name)
    bits = 16 * len(flat) + 32 * (limits.size // 2 + 1) + 16 * limits.size
    assert name == "odd" or bits < digits.size, f"{name}: {bits / digits.size} bits for a parameter"
    return flat


def starts(name, random, dims, earlier):
    return np.cumsum([0] + [len(row) for row in codes_of(name.split("_")[0])])


def dense_weight(name, random, dims, earlier):
    return dequantised(name.split("_")[0])


def codebook(name, random, dims, earlier):
    ternary.check_vectors()
    return ternary.table()


QMOE_WEIGHTS = {"codebook": codebook}
for kind in SHAPES:
    QMOE_WEIGHTS |= {f"{kind}_codes": payload, f"{kind}_starts": starts, f"{kind}_range": lambda name, *_: ternary_weight(name.split("_")[0])[1],
                     f"{kind}_dense": dense_weight}


def accept_same_bits(got, i, w):
    return None if got["output"].tobytes() == got["dense"].tobytes() else "the dictionary does not give the bits of the dequantised weights"


@system("qmoe", tokens=(0, 1, 2, 13), weights=QMOE_WEIGHTS, accept=accept_same_bits, tolerances={"decoded": 0.0, "numbers": 0.0},
        inputs={"unit": lambda random, shape, _: np.eye(shape[0])})
def qmoe(i, w, got):
    scores = softmax(i["x"] @ w["router"].T)
    y = mixture(i["x"], route(scores, scores, 1), mlp(dequantised("up"), dequantised("down"), relu))
    return {"output": y, "dense": y, "decoded": dequantised("odd").T, "numbers": dequantised("odd")}


# Chinese-Mixtral -----------------------------------------------------------------------------------------------------------------------------

#: QLoRA's table (Dettmers et al. 2023, arXiv 2305.14314, appendix E).
NF4 = np.array([-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
                -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
                0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0])


def nf4(payload, absmax):
    """Two codes in a byte, the low half first; 64 weights share their greatest magnitude."""
    codes = np.stack([payload & 15, payload >> 4], axis=-1).reshape(*payload.shape[:-1], -1)
    return NF4[codes] * np.repeat(absmax, 64, axis=-1)[..., : codes.shape[-1]]


def bytes_of(name, random, dims, earlier):
    return random.integers(0, 256, dims)


def magnitudes(name, random, dims, earlier):
    return random.uniform(0.05, 0.3, dims)


@system("chinese-mixtral", inputs={"ids": lambda random, shape, _: random.integers(0, 96, shape)},
        weights={f"{kind}_codes": bytes_of for kind in ("gate", "up", "down")} | {f"{kind}_absmax": magnitudes for kind in ("gate", "up", "down")})
def chinese_mixtral(i, w):
    x = w["embedding"][i["ids"]]

    def linear(kind, e, row):  # The frozen nf4 weight, and the low-rank addition with alpha / r = 16 / 8.
        base = nf4(w[f"{kind}_codes"][e], w[f"{kind}_absmax"][e])
        return base @ row + 2 * (w[f"{kind}_b"][e] @ (w[f"{kind}_a"][e] @ row))

    def expert(e, row):
        return linear("down", e, silu(linear("gate", e, row)) * linear("up", e, row))

    hidden = x + mixture(x, route(*[softmax(x @ w["router"].T)] * 2, 2, normalize=True), expert)
    return {"logits": hidden @ w["head"].T}
