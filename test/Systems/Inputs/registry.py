"""The table of oracles and what makes their inputs and weights.

An oracle is a function of the named inputs `i` and weights `w` of a file and returns its named outputs, in float64.
"""

import dataclasses
import json
import pathlib

import numpy as np

VECTORS = json.loads((pathlib.Path(__file__).parent / "moe_vectors.json").read_text())
#: Fixture F1 of the vectors: 6 tokens, 4 experts, the softmax of these logits is P1.
P1 = np.array([[.5, .3, .1, .1], [.4, .3, .2, .1], [.6, .1, .2, .1], [.7, .1, .1, .1], [.1, .2, .3, .4], [.2, .5, .2, .1]])
F1 = np.log(P1)


@dataclasses.dataclass
class System:
    """oracle(inputs, weights) -> outputs. `sizes`: the sizes of the symbols in each random case. `inputs` and `weights` make the values that
    are not normal numbers. `vectors`: (name, inputs, published outputs) on top of the oracle's own. `accept(outputs, inputs, weights)` says what
    is wrong with outputs that may be one of several right ones; the oracle then takes the outputs as a third argument. `tolerances` are those of
    outputs that have their own."""

    oracle: object
    sizes: list
    inputs: dict = dataclasses.field(default_factory=dict)
    weights: dict = dataclasses.field(default_factory=dict)
    vectors: list = dataclasses.field(default_factory=list)
    accept: object = None
    tolerance: float = 1e-5
    tolerances: dict = dataclasses.field(default_factory=dict)


SYSTEMS = {}


def system(name, *, tokens=(0, 1, 2, 13, 37), **options):
    """Registers the oracle of NAME.mlir."""

    def register(oracle):
        options.setdefault("sizes", [{"tokens": count} for count in tokens])
        SYSTEMS[name] = System(oracle, **options)
        return oracle

    return register


def equal_experts(name, random, dims, earlier):
    """Weights of which every expert has the same."""
    return np.broadcast_to(random.standard_normal(dims[1:]) / np.sqrt(dims[-1]), dims)


def both_groups(name, random, dims, earlier):
    """The weights of group 0, then those of group 1."""
    return np.concatenate([earlier[name + "0"], earlier[name + "1"]])


def stacked_groups(name, random, dims, earlier):
    """The weights of group 0 and those of group 1, of NAME_of."""
    stem = name.removesuffix("_of")
    return np.stack([earlier[stem + "0"], earlier[stem + "1"]])


def per_token(x, row):
    """The rows row(0), row(1), ...; none for no token."""
    return np.array([row(t) for t in range(len(x))]).reshape(x.shape)
