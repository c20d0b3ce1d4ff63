"""The calls of onnxruntime.InferenceSession over a compiled model, so that one changed import moves a user over.

    import moe_opt as ort
    session = ort.InferenceSession("model.onnx")
    logits, = session.run(None, {"input_ids": ids})

Options that only tell ONNX Runtime how to work (graph optimisation, execution mode, arenas, logging) are taken and have no effect. Errors are
moe_opt.Error.
"""

from __future__ import annotations

import dataclasses
import enum
import os
import warnings
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

import numpy as np

from ._binding import IOBinding, OrtValue, type_name
from ._compile import compile
from ._errors import Error
from ._model import Model, TensorInfo, load
from ._worker import Worker

_PROVIDER = "CPUExecutionProvider"


def get_available_providers() -> List[str]:
    """Where models can run."""
    return [_PROVIDER]


def get_device() -> str:
    """ "CPU"."""
    return "CPU"


class GraphOptimizationLevel(enum.IntEnum):
    """Taken, without effect: a model is always compiled as well as it can be."""

    ORT_DISABLE_ALL = 0
    ORT_ENABLE_BASIC = 1
    ORT_ENABLE_EXTENDED = 2
    ORT_ENABLE_LAYOUT = 3
    ORT_ENABLE_ALL = 99


class ExecutionMode(enum.IntEnum):
    """Taken, without effect."""

    ORT_SEQUENTIAL = 0
    ORT_PARALLEL = 1


@dataclasses.dataclass
class RunOptions:
    """Options of a run; taken, without effect."""

    log_severity_level: int = -1
    log_verbosity_level: int = 0
    logid: str = ""
    only_execute_path_to_fetches: bool = False
    entries: Dict[str, str] = dataclasses.field(default_factory=dict)

    def add_run_config_entry(self, key: str, value: str) -> None:
        """Keeps an entry."""
        self.entries[key] = value

    def get_run_config_entry(self, key: str) -> str:
        """An entry that was added. Raises Error ("bad_argument") where there is none."""
        return _entry(self.entries, key)


def _entry(entries: Mapping[str, str], key: str) -> str:
    if key not in entries:
        raise Error("bad_argument", f"no entry {key!r} was added")
    return entries[key]


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

    #: ONNX Runtime's own; taken, without effect.
    inter_op_num_threads: int = 0
    graph_optimization_level: GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL
    execution_mode: ExecutionMode = ExecutionMode.ORT_SEQUENTIAL
    enable_cpu_mem_arena: bool = True
    enable_mem_pattern: bool = True
    enable_mem_reuse: bool = True
    enable_profiling: bool = False
    use_deterministic_compute: bool = False
    log_severity_level: int = -1
    log_verbosity_level: int = 0
    logid: str = ""
    entries: Dict[str, str] = dataclasses.field(default_factory=dict)

    def add_free_dimension_override_by_name(self, name: str, size: int) -> None:
        """Fixes the size of a symbolic dim."""
        self.free_dimension_overrides[name] = size

    def add_session_config_entry(self, key: str, value: str) -> None:
        """Keeps an entry, which has no effect."""
        self.entries[key] = value

    def get_session_config_entry(self, key: str) -> str:
        """An entry that was added. Raises Error ("bad_argument") where there is none."""
        return _entry(self.entries, key)


@dataclasses.dataclass(frozen=True)
class NodeArg:
    """An input or output: its name, "tensor(float)" and the like, and sizes (a str is a symbolic dim, None has no name)."""

    name: str
    type: str
    shape: List[Union[int, str, None]]


def _node_arg(info: TensorInfo) -> NodeArg:
    return NodeArg(info.name, type_name(info.dtype), [None if dim == "?" else dim for dim in info.dims])


@dataclasses.dataclass(frozen=True)
class ModelMetadata:
    """What the source model says of itself; "" where it says nothing. See `InferenceSession.get_modelmeta`."""

    producer_name: str = ""
    graph_name: str = ""
    domain: str = ""
    #: Doc strings of the model and of its graph.
    description: str = ""
    graph_description: str = ""
    #: The model's own version (ModelProto.model_version); where it has none, the greatest number, as in ONNX Runtime.
    version: int = 2**63 - 1
    custom_metadata_map: Dict[str, str] = dataclasses.field(default_factory=dict)


def _check_providers(providers: Sequence[Any], provider_options: Optional[Sequence[Mapping[Any, Any]]]) -> None:
    """Warns of providers that are not here, as ONNX Runtime does; the CPU takes their place."""
    if provider_options is not None and len(provider_options) != len(providers):
        raise Error("bad_argument", f"expected options for each provider ({len(providers)}), found {len(provider_options)}")
    for provider in providers:
        name = provider[0] if isinstance(provider, (tuple, list)) and len(provider) == 2 else provider
        if not isinstance(name, str):
            raise Error("bad_argument", f"expected a provider's name or a pair of name and options, found {provider!r}")
        if name != _PROVIDER:
            warnings.warn(f"the provider {name!r} is not available and {_PROVIDER} takes its place; available: {', '.join(get_available_providers())}",
                          UserWarning, stacklevel=3)


class InferenceSession:
    """A compiled model behind the calls of onnxruntime.InferenceSession."""

    def __init__(self, path_or_bytes: Union[str, os.PathLike, bytes, Any], sess_options: Optional[SessionOptions] = None,
                 providers: Optional[Sequence[Any]] = None, provider_options: Optional[Sequence[Mapping[Any, Any]]] = None, **kwargs: Any):
        """Compiles a model, or opens an artifact.

        path_or_bytes: a model as `compile` takes it, or the folder of an artifact.
        providers, provider_options: as in ONNX Runtime: names, or pairs of name and options; a name that is not available gives a UserWarning.
        kwargs: ONNX Runtime's other arguments; without effect.
        Raises Error.
        """
        _check_providers([providers] if isinstance(providers, str) else list(providers or []), provider_options)
        options = sess_options or SessionOptions()
        self._options = options
        self._worker = Worker()
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

    def get_modelmeta(self) -> ModelMetadata:
        """What the source model says of itself, as the artifact keeps it. A model that was no ONNX file says nothing."""
        return ModelMetadata(**self._model.report["model"])

    def get_providers(self) -> List[str]:
        """Where the model runs."""
        return [_PROVIDER]

    def get_provider_options(self) -> Dict[str, Dict[str, str]]:
        """Options of the providers in use: none."""
        return {_PROVIDER: {}}

    def get_session_options(self) -> SessionOptions:
        """The options that the session was made with."""
        return self._options

    def run(self, output_names: Optional[Sequence[str]], input_feed: Mapping[str, Any], run_options: Any = None) -> List[np.ndarray]:
        """Runs the model; gives the outputs named (all, in order, for None or an empty list).

        input_feed: by name an array (numpy's or with `__dlpack__`), an OrtValue, or a list or number, which is taken as the input's element type.
        run_options: as ONNX Runtime's; without effect.
        Raises Error ("bad_argument" for names the model does not have, "bad_dtype", "bad_shape", ...), TypeError for output names that are a str.
        """
        known = [info.name for info in self._model.outputs]
        if isinstance(output_names, str):
            raise TypeError(f"expected a list of output names or None, found the str {output_names!r}")
        unknown = [name for name in output_names or [] if name not in known]
        if unknown:
            raise Error("bad_argument", f"unknown output {unknown[0]!r}; the model's outputs are {', '.join(known)}")
        results = self._model.run(self._arrays(input_feed))
        return [results[name] for name in output_names or known]

    def run_async(self, output_names: Optional[Sequence[str]], input_feed: Mapping[str, Any],
                  callback: Callable[[List[np.ndarray], Any, str], None], user_data: Any, run_options: Any = None) -> None:
        """As `run`, but returns at once and runs the model on a thread of the session's, which then calls `callback(results, user_data, error)`.

        results: the outputs named, or [] where the run failed. user_data: what the caller gave. error: "" or what went wrong. Runs of a session take
        turns in the order of the calls. The arrays must stay as they are until the callback is called. What the callback raises is told as that of
        any thread (threading.excepthook). The process does not end before the runs have.
        Raises Error ("bad_argument") where an input is missing, TypeError as `run` does.
        """
        missing = [info.name for info in self._model.inputs if info.name not in input_feed]
        if missing:
            raise Error("bad_argument", f"missing input {missing[0]!r}")
        if isinstance(output_names, str):
            raise TypeError(f"expected a list of output names or None, found the str {output_names!r}")
        feed = dict(input_feed)

        def work() -> None:
            results: List[np.ndarray] = []
            message = ""
            try:
                results = self.run(output_names, feed, run_options)
            except Exception as error:  # Whatever it is, the caller learns it from the callback alone.
                message = str(error) or type(error).__name__
            callback(results, user_data, message)

        self._worker.put(work)

    def run_with_ort_values(self, output_names: Optional[Sequence[str]], input_dict_ort_values: Mapping[str, OrtValue],
                            run_options: Any = None) -> List[OrtValue]:
        """As `run`, from tensors to tensors."""
        return [OrtValue(array) for array in self.run(output_names, input_dict_ort_values, run_options)]

    def io_binding(self) -> IOBinding:
        """A new set of bound inputs and outputs."""
        return IOBinding(self._model)

    def run_with_iobinding(self, iobinding: IOBinding, run_options: Any = None) -> None:
        """Runs the model on what is bound. Raises Error, also where no output is bound."""
        iobinding.run(self._model)

    def _arrays(self, feed: Mapping[str, Any]) -> Dict[str, Any]:
        """The feed with lists and numbers made arrays of the inputs' types."""
        dtypes = {info.name: info.dtype for info in self._model.inputs}
        arrays = {}
        for name, value in feed.items():
            if name in dtypes and isinstance(value, (list, tuple, int, float)):
                try:
                    value = np.array(value, dtypes[name])
                except (TypeError, ValueError, OverflowError) as error:
                    raise Error("bad_argument", f"input {name!r}: {error}") from None
            arrays[name] = value.numpy() if isinstance(value, OrtValue) else value
        return arrays
