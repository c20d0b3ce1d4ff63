"""The calls of onnxruntime.InferenceSession over a compiled model, so that one changed import moves a user over.

    import moe_opt as ort
    session = ort.InferenceSession("model.onnx")
    logits, = session.run(None, {"input_ids": ids})

Only what has a meaning here is there: sessions, names, types and shapes, and runs. Execution providers are taken and ignored, but a list
without the CPU is an error.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

import numpy as np

from ._compile import compile
from ._errors import Error
from ._model import Model, TensorInfo, load

_PROVIDER = "CPUExecutionProvider"

# ONNX Runtime's names of element types.
_TYPE_NAMES = {"float32": "float", "float64": "double"}


@dataclasses.dataclass
class SessionOptions:
    """Options of a session."""

    #: Threads that run the model; 0 takes $MOE_NUM_THREADS, else the CPUs this process may use.
    intra_op_num_threads: int = 0
    #: As moe-compile's --cpu-features and --activations.
    cpu_features: str = "host"
    activations: str = "auto"
    #: Sizes of symbolic dims, as moe-compile's --dim.
    free_dimension_overrides: Dict[str, int] = dataclasses.field(default_factory=dict)

    def add_free_dimension_override_by_name(self, name: str, size: int) -> None:
        """Fixes the size of a symbolic dim."""
        self.free_dimension_overrides[name] = size


@dataclasses.dataclass(frozen=True)
class NodeArg:
    """An input or output: its name, "tensor(float)" and the like, and sizes (a str is a symbolic dim, None has no name)."""

    name: str
    type: str
    shape: List[Union[int, str, None]]


def _node_arg(info: TensorInfo) -> NodeArg:
    name = info.dtype.name
    return NodeArg(info.name, f"tensor({_TYPE_NAMES.get(name, name)})", [None if dim == "?" else dim for dim in info.dims])


class InferenceSession:
    """A compiled model behind the calls of onnxruntime.InferenceSession."""

    def __init__(self, path_or_bytes: Union[str, os.PathLike, bytes, Any], sess_options: Optional[SessionOptions] = None,
                 providers: Optional[Sequence[Any]] = None):
        """Compiles a model, or opens an artifact.

        path_or_bytes: a model as `compile` takes it, or the folder of an artifact.
        providers: names, or pairs of name and options, as in ONNX Runtime; must name CPUExecutionProvider if given.
        Raises Error.
        """
        names = [provider if isinstance(provider, str) else provider[0] for provider in providers or [_PROVIDER]]
        if _PROVIDER not in names:
            raise Error("bad_argument", f"expected {_PROVIDER} among the providers, found {', '.join(names)}")
        options = sess_options or SessionOptions()
        if isinstance(path_or_bytes, (str, os.PathLike)) and os.path.isdir(path_or_bytes):
            self._model: Model = load(path_or_bytes, threads=options.intra_op_num_threads)
        else:
            self._model = compile(path_or_bytes, cpu_features=options.cpu_features, activations=options.activations,
                                  dims=options.free_dimension_overrides, threads=options.intra_op_num_threads)

    @property
    def model(self) -> Model:
        """The compiled model behind the session."""
        return self._model

    def get_inputs(self) -> List[NodeArg]:
        """The inputs, in the order of the model."""
        return [_node_arg(info) for info in self._model.inputs]

    def get_outputs(self) -> List[NodeArg]:
        """The outputs, in the order of the model."""
        return [_node_arg(info) for info in self._model.outputs]

    def get_providers(self) -> List[str]:
        """Where the model runs."""
        return [_PROVIDER]

    def run(self, output_names: Optional[Sequence[str]], input_feed: Mapping[str, np.ndarray], run_options: Any = None) -> List[np.ndarray]:
        """Runs the model; gives the outputs named (all, in order, for None or an empty list).

        run_options is there for ONNX Runtime's callers and not read. Raises Error ("bad_argument" for names the model does not have, "bad_dtype",
        "bad_shape", ...).
        """
        known = [info.name for info in self._model.outputs]
        unknown = [name for name in output_names or [] if name not in known]
        if unknown:
            raise Error("bad_argument", f"unknown output {unknown[0]!r}; the model's outputs are {', '.join(known)}")
        results = self._model.run(input_feed)
        return [results[name] for name in output_names or known]
