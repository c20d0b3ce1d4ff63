"""Options of sessions and runs, with the names, values and refusals of onnxruntime's: SessionOptions and RunOptions.

An option that there is not is an AttributeError, a value of another type a TypeError, as there. Options that only tell ONNX Runtime how to work (graph
optimisation, execution mode, arenas, logging) are taken and change nothing; what a compiled model cannot do is `NotImplemented` when the session is
made.
"""

from __future__ import annotations

import enum
import operator
import os
from typing import Any, Callable, Dict, Generic, List, Mapping, Sequence, Tuple, Type, TypeVar

from ._errors import Error

#: Where models run.
PROVIDER = "CPUExecutionProvider"

# What ONNX Runtime takes as a key or value of an entry.
_LONGEST_KEY, _LONGEST_VALUE = 1024, 8192

T = TypeVar("T")


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


class ExecutionOrder(enum.IntEnum):
    """Taken, without effect: the order is chosen when the model is compiled."""

    DEFAULT = 0
    PRIORITY_BASED = 1
    MEMORY_EFFICIENT = 2


def as_int(value: Any, what: str) -> int:
    """A whole number of 32 bits. Raises TypeError for anything else, floats and numbers that are too large included."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what}: expected an int, found {value!r}") from None
    if not -(2**31) <= number < 2**31:
        raise TypeError(f"{what}: expected an int of 32 bits, found {number}")
    return number


def as_str(value: Any, what: str) -> str:
    """A str. Raises TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"{what}: expected a str, found {value!r}")
    return value


def _as_bool(value: Any, what: str) -> bool:
    if value is not None and not hasattr(type(value), "__bool__"):
        raise TypeError(f"{what}: expected a bool, found {value!r}")
    return bool(value)


def _as_path(value: Any, what: str) -> str:
    return as_str(os.fspath(value) if isinstance(value, os.PathLike) else value, what)


def _member(kind: Type[T]) -> Callable[[Any, str], T]:
    def check(value: Any, what: str) -> T:
        if not isinstance(value, kind):
            raise TypeError(f"{what}: expected one of {kind.__name__}, found {value!r}")
        return value
    return check


class _Option(Generic[T]):
    """An attribute that takes values of one type."""

    def __init__(self, default: T, check: Callable[[Any, str], T], doc: str):
        self._default, self._check, self.__doc__ = default, check, doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: "_Options", owner: type) -> T:
        return self if instance is None else instance._values.get(self._name, self._default)  # type: ignore

    def __set__(self, instance: "_Options", value: T) -> None:
        instance._values[self._name] = self._check(value, self._name)


def _int(default: int, doc: str) -> _Option[int]:
    return _Option(default, as_int, doc)


def _bool(default: bool, doc: str) -> _Option[bool]:
    return _Option(default, _as_bool, doc)


def _str(default: str, doc: str) -> _Option[str]:
    return _Option(default, as_str, doc)


class _Options:
    """What both kinds share: options as keyword arguments, no attribute besides them, and entries."""

    __slots__ = ("_values", "_entries")

    def __init__(self, **options: Any):
        """options: values of attributes, by name. Raises TypeError for a name that is none, and for a value of another type."""
        self._values: Dict[str, Any] = {}
        self._entries: Dict[str, str] = {}
        for name, value in options.items():
            if not isinstance(getattr(type(self), name, None), _Option):
                raise TypeError(f"{type(self).__name__} has no option {name!r}")
            setattr(self, name, value)

    def _add(self, key: str, value: str) -> None:
        as_str(key, "the key of an entry")
        as_str(value, f"the entry {key!r}")
        if not 0 < len(key) <= _LONGEST_KEY or len(value) > _LONGEST_VALUE:
            raise Error("bad_argument", f"expected a key of 1 to {_LONGEST_KEY} characters and a value of at most {_LONGEST_VALUE}, found {len(key)} and {len(value)}")
        self._entries[key] = value

    def _get(self, key: str) -> str:
        if as_str(key, "the key of an entry") not in self._entries:
            raise Error("bad_argument", f"no entry {key!r} was added")
        return self._entries[key]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._values.items())})"


class RunOptions(_Options):
    """Options of a run."""

    __slots__ = ()

    log_severity_level = _int(-1, "Without effect.")
    log_verbosity_level = _int(0, "Without effect.")
    logid = _str("", "Without effect.")
    only_execute_path_to_fetches = _bool(False, "Without effect: a compiled model computes all that it was compiled for.")
    terminate = _bool(False, "A run that is about to start raises Fail instead. A run that has started ends as ever.")

    def add_run_config_entry(self, key: str, value: str) -> None:
        """Keeps an entry, which has no effect. Raises TypeError, Error as SessionOptions.add_session_config_entry does."""
        self._add(key, value)

    def get_run_config_entry(self, key: str) -> str:
        """An entry that was added. Raises Error ("bad_argument") where there is none."""
        return self._get(key)

    def add_active_adapter(self, adapter: Any) -> None:
        """Raises NotImplemented ("unsupported"): weights are compiled in, and no adapter changes them at a run."""
        raise Error("unsupported", "adapters (LoRA) are not supported: weights are compiled in; compile the model with its adapter merged")


class SessionOptions(_Options):
    """Options of a session. Those that ONNX Runtime has not are `cpu_features`, `activations`, `ignore_dim_names`, `free_dimension_overrides` and
    `overridable_initializers`."""

    __slots__ = ("_overrides", "_denoted", "_initializers", "_providers", "_overridable")

    intra_op_num_threads = _int(0, "Threads that run the model; 0 takes $MOE_NUM_THREADS, else the CPUs this process may use.")
    cpu_features = _str("host", "For which CPUs, as moe-compile's --cpu-features.")
    activations = _str("auto", "In which type products are computed, as moe-compile's --activations.")
    ignore_dim_names = _bool(False, "Inputs whose dims share a name may differ in size, as moe-compile's --ignore-dim-names.")
    enable_profiling = _bool(False, "Keep times of loading and of runs; see InferenceSession.end_profiling.")
    profile_file_prefix = _str("onnxruntime_profile_", "What the name of the profile begins with; time and `.json` follow.")
    use_per_session_threads = _bool(True, "False takes the number of threads from set_global_thread_pool_sizes. There is one pool of threads in any case.")
    optimized_model_filepath: _Option[str] = _Option("", _as_path, "A session that has one is refused: a compiled model is no ONNX file.")

    inter_op_num_threads = _int(0, "Without effect: all threads run one op after the other.")
    graph_optimization_level = _Option(GraphOptimizationLevel.ORT_ENABLE_ALL, _member(GraphOptimizationLevel), "Without effect.")
    execution_mode = _Option(ExecutionMode.ORT_SEQUENTIAL, _member(ExecutionMode), "Without effect.")
    execution_order = _Option(ExecutionOrder.DEFAULT, _member(ExecutionOrder), "Without effect.")
    enable_cpu_mem_arena = _bool(True, "Without effect: memory is planned when the model is compiled.")
    enable_mem_pattern = _bool(True, "Without effect.")
    enable_mem_reuse = _bool(True, "Without effect.")
    use_deterministic_compute = _bool(False, "Without effect: results depend neither on the number of threads nor on the run.")
    log_severity_level = _int(-1, "Without effect: there is no log; what is wrong is raised.")
    log_verbosity_level = _int(0, "Without effect.")
    logid = _str("", "Without effect.")

    def __init__(self, **options: Any):
        self._overrides: Dict[str, int] = {}
        self._denoted: Dict[str, int] = {}
        #: Name, tensor, and whether the model must have such an initializer.
        self._initializers: List[Tuple[str, Any, bool]] = []
        self._providers: List[str] = []
        self.overridable_initializers = options.pop("overridable_initializers", [])
        self.free_dimension_overrides = options.pop("free_dimension_overrides", {})
        super().__init__(**options)

    @property
    def free_dimension_overrides(self) -> Dict[str, int]:
        """Sizes of symbolic dims by name, as moe-compile's --dim."""
        return self._overrides

    @free_dimension_overrides.setter
    def free_dimension_overrides(self, sizes: Mapping[str, int]) -> None:
        self._overrides = {}
        for name, size in sizes.items():
            self.add_free_dimension_override_by_name(name, size)

    @property
    def overridable_initializers(self) -> List[str]:
        """Initializers that a run may be given other values for, by name, as moe-compile's --overridable. All others are constants, also those that are
        inputs of the graph too."""
        return self._overridable

    @overridable_initializers.setter
    def overridable_initializers(self, names: Sequence[str]) -> None:
        if isinstance(names, str):
            raise TypeError(f"expected a list of names of initializers, found the str {names!r}")
        self._overridable = [as_str(name, "the name of an initializer") for name in names]

    def add_free_dimension_override_by_name(self, name: str, size: int) -> None:
        """Fixes the size of a symbolic dim; a name that the model does not have changes nothing. Raises TypeError."""
        self._overrides[as_str(name, "the name of a dim")] = as_int(size, f"the size of the dim {name!r}")

    def add_free_dimension_override_by_denotation(self, denotation: str, size: int) -> None:
        """Fixes the sizes of the inputs' dims that the model denotes so ("DATA_BATCH", ...). Where such a dim has another size already, the session is
        refused. Raises TypeError."""
        self._denoted[as_str(denotation, "the denotation of a dim")] = as_int(size, f"the size of the dim {denotation!r}")

    def add_initializer(self, name: str, ortvalue: Any) -> None:
        """Takes a tensor instead of the stored one of that name; a name that the model does not have changes nothing. It is read when the session is made.

        ortvalue: an OrtValue of the stored tensor's element type and shape. Raises Error ("bad_argument") for anything else.
        """
        self._keep(name, ortvalue, False)

    def add_external_initializers(self, names: List[str], ortvalues: List[Any]) -> None:
        """As `add_initializer` for several; the session is refused where the model has no such tensor. Raises Error ("bad_argument")."""
        if len(names) != len(ortvalues):
            raise Error("bad_argument", f"expected as many tensors as names ({len(names)}), found {len(ortvalues)}")
        for name, value in zip(names, ortvalues):
            self._keep(name, value, True)

    def _keep(self, name: str, ortvalue: Any, required: bool) -> None:
        if not hasattr(ortvalue, "data_type"):
            raise Error("bad_argument", f"initializer {name!r}: expected an OrtValue, found {type(ortvalue).__name__}")
        self._initializers.append((as_str(name, "the name of an initializer"), ortvalue, required))

    def add_session_config_entry(self, key: str, value: str) -> None:
        """Keeps an entry. Those with an effect: "session.model_external_initializers_file_folder_path" is the folder of external data of a model that is
        given as bytes; "session.load_model_format" is refused when the session is made unless it is "ONNX". Raises TypeError for what is no str, Error
        ("bad_argument") for a key or value that is too long."""
        self._add(key, value)

    def get_session_config_entry(self, key: str) -> str:
        """An entry that was added. Raises Error ("bad_argument") where there is none."""
        return self._get(key)

    def add_provider(self, provider_name: str, options: Mapping[str, str]) -> None:
        """Names a provider. Raises Error ("bad_argument") for any but the CPU's."""
        if as_str(provider_name, "the name of a provider") != PROVIDER:
            raise Error("bad_argument", f"expected the provider {PROVIDER}, found {provider_name!r}")
        self._providers.append(provider_name)

    def has_providers(self) -> bool:
        """Was a provider named?"""
        return bool(self._providers)

    def register_custom_ops_library(self, path: str) -> None:
        """Raises NotImplemented ("unsupported"): ops of a library cannot be compiled."""
        raise Error("unsupported", f"{path}: libraries of custom ops are not supported; a compiled model has no ops but ONNX's and com.microsoft's")
