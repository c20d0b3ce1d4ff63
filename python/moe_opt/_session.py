"""The calls of onnxruntime.InferenceSession over a compiled model, so that one changed import moves a user over.

    import moe_opt as ort
    session = ort.InferenceSession("model.onnx")
    logits, = session.run(None, {"input_ids": ids})

Errors are moe_opt.Error, of the classes that onnxruntime's users catch. docs/Rationale/Python.md lists what differs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import tempfile
import warnings
from typing import Any, Callable, ContextManager, Dict, List, Mapping, Optional, Sequence, Union

import numpy as np

from . import _rewrite
from ._binding import IOBinding
from ._compile import compile
from ._environment import default_threads
from ._errors import Error, Fail, InvalidValue, NoSuchFile
from ._model import Model, TensorInfo, load
from ._options import PROVIDER, RunOptions, SessionOptions
from ._profile import Profile
from ._values import OrtValue, type_name
from ._worker import Worker

_DATA_FOLDER = "session.model_external_initializers_file_folder_path"


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


def _check_providers(providers: Optional[Sequence[Any]], provider_options: Optional[Sequence[Mapping[Any, Any]]], stacklevel: int) -> None:
    """Warns of providers that are not here, as ONNX Runtime does; the CPU takes their place. Raises InvalidValue, TypeError."""
    named = [providers] if isinstance(providers, str) else list(providers or [])
    if provider_options is not None and len(provider_options) != len(named):
        raise InvalidValue("bad_argument", f"expected options for each provider ({len(named)}), found {len(provider_options)}")
    for provider in named:
        name = provider[0] if isinstance(provider, (tuple, list)) and len(provider) == 2 else provider
        if not isinstance(name, str):
            raise InvalidValue("bad_argument", f"expected a provider's name or a pair of name and options, found {provider!r}")
        if name != PROVIDER:
            warnings.warn(f"the provider {name!r} is not available and {PROVIDER} takes its place; available: {PROVIDER}", UserWarning, stacklevel=stacklevel)


def _check_run_options(run_options: Any) -> None:
    """Raises TypeError for what are no run options, Fail where they ask to stop."""
    if run_options is None:
        return
    if not isinstance(run_options, RunOptions):
        raise TypeError(f"expected moe_opt.RunOptions or None, found {type(run_options).__name__}")
    if run_options.terminate:
        raise Fail("bad_argument", "the run options say terminate = True: nothing was run")


def _check_supported(options: SessionOptions, model: Any) -> None:
    """Raises Error ("unsupported") for what options ask and no compiled model can do."""
    if options.optimized_model_filepath:
        raise Error("unsupported", f"optimized_model_filepath = {options.optimized_model_filepath!r}: a compiled model is no ONNX file; Model.save writes the artifact")
    form = options._entries.get("session.load_model_format", "ONNX")
    is_ort_file = isinstance(model, (str, os.PathLike)) and os.fspath(model).endswith(".ort")
    if form != "ONNX" or is_ort_file:
        raise Error("unsupported", f"expected a model in ONNX's format, found {'an .ort file' if is_ort_file else f'session.load_model_format = {form!r}'}")


def _changed(model: Any, options: SessionOptions, scratch: str) -> Any:
    """The model with what the options change in it: a file in `scratch`, or as it was where they change nothing."""
    is_path = isinstance(model, (str, os.PathLike))
    folder = os.path.dirname(os.path.abspath(os.fspath(model))) if is_path else options._entries.get(_DATA_FOLDER)
    if not options._initializers and not options._denoted and (is_path or folder is None):
        return model
    if is_path:
        if not os.path.exists(model):
            raise NoSuchFile("compile", f"{os.fspath(model)}: no such file")
        with open(model, "rb") as stream:
            model = stream.read()
    elif hasattr(model, "SerializeToString"):
        model = model.SerializeToString()
    if options._initializers:
        model = _rewrite.set_initializers(model, {name: value for name, value, _ in options._initializers}, [name for name, _, needed in options._initializers if needed])
    if options._denoted:
        model = _rewrite.set_denoted_dims(model, options._denoted)
    if folder is not None:
        _rewrite.link_files(_rewrite.external_files(model), folder, scratch)
    path = os.path.join(scratch, "model.onnx")
    with open(path, "wb") as stream:
        stream.write(model)
    return path


class InferenceSession:
    """A compiled model behind the calls of onnxruntime.InferenceSession."""

    def __init__(self, path_or_bytes: Union[str, os.PathLike, bytes, Any], sess_options: Optional[SessionOptions] = None,
                 providers: Optional[Sequence[Any]] = None, provider_options: Optional[Sequence[Mapping[Any, Any]]] = None, **kwargs: Any):
        """Compiles a model, or opens an artifact.

        path_or_bytes: a model as `compile` takes it, or the folder of an artifact. External data lies beside the file, as the model says.
        sess_options: see SessionOptions; None takes the defaults.
        providers, provider_options: as in ONNX Runtime: names, or pairs of name and options; a name that is not available gives a UserWarning.
        kwargs: ONNX Runtime's other arguments; without effect.
        Raises Error (NoSuchFile, InvalidProtobuf, NotImplemented, Fail; InvalidValue, which is a ValueError, for providers), TypeError for a model or
        options of another type.
        """
        _check_providers(providers, provider_options, 3)
        if sess_options is not None and not isinstance(sess_options, SessionOptions):
            raise TypeError(f"expected moe_opt.SessionOptions or None, found {type(sess_options).__module__}.{type(sess_options).__name__}")
        options = SessionOptions() if sess_options is None else sess_options
        self._options = options
        # Private, but libraries around onnxruntime read it (optimum looks for files beside the model): the path as given, None for bytes and protos.
        self._model_path = path_or_bytes if isinstance(path_or_bytes, (str, os.PathLike)) else None
        self._worker = Worker()
        self._profile = Profile(options.profile_file_prefix) if options.enable_profiling else None
        self._profiling_start = self._profile.start if self._profile else 0
        _check_supported(options, path_or_bytes)
        with self._event("session_initialization"):
            self._model: Model = self._open(path_or_bytes, options)

    @staticmethod
    def _open(model: Any, options: SessionOptions) -> Model:
        threads = options.intra_op_num_threads if options.use_per_session_threads else default_threads()
        if isinstance(model, (str, os.PathLike)) and os.path.isdir(model):
            if options._initializers or options._denoted or options.free_dimension_overrides or options.overridable_initializers:
                raise Error("unsupported", f"{os.fspath(model)}: expected options for an artifact, found initializers or sizes of dims, which only compiling takes")
            return load(model, threads=threads)
        scratch = tempfile.mkdtemp(prefix="moe-opt-")
        try:
            changed = _changed(model, options, scratch)
            return compile(changed, cpu_features=options.cpu_features, activations=options.activations, dims=options.free_dimension_overrides,
                           allow_links=changed is not model, threads=threads, overridable=options.overridable_initializers,
                           ignore_dim_names=options.ignore_dim_names)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _event(self, name: str, **arguments: Any) -> ContextManager[None]:
        return self._profile.event(name, **arguments) if self._profile else contextlib.nullcontext()

    @property
    def model(self) -> Model:
        """The compiled model behind the session."""
        return self._model

    def get_inputs(self) -> List[NodeArg]:
        """The inputs, in the order of the model."""
        return [_node_arg(info) for info in self._model.inputs if info.name not in self._model.defaults]

    def get_outputs(self) -> List[NodeArg]:
        """The outputs, in the order of the model."""
        return [_node_arg(info) for info in self._model.outputs]

    def get_overridable_initializers(self) -> List[NodeArg]:
        """Initializers that a run may be given other values for: those that SessionOptions.overridable_initializers names, none without it. All others are
        compiled in (see SessionOptions.add_initializer), and feeding one is an Error."""
        return [_node_arg(info) for info in self._model.inputs if info.name in self._model.defaults]

    def get_modelmeta(self) -> ModelMetadata:
        """What the source model says of itself, as the artifact keeps it. A model that was no ONNX file says nothing."""
        return ModelMetadata(**self._model.report["model"])

    def get_providers(self) -> List[str]:
        """Where the model runs."""
        return [PROVIDER]

    def get_provider_options(self) -> Dict[str, Dict[str, str]]:
        """Options of the providers in use: none."""
        return {PROVIDER: {}}

    def set_providers(self, providers: Optional[Sequence[Any]] = None, provider_options: Optional[Sequence[Mapping[Any, Any]]] = None) -> None:
        """Warns of providers that are not available; the model stays on the CPU. Raises InvalidValue as the constructor does."""
        _check_providers(providers, provider_options, 3)

    def disable_fallback(self) -> None:
        """Nothing: there is no other provider to fall back to."""

    def enable_fallback(self) -> None:
        """Nothing: there is no other provider to fall back to."""

    def end_profiling(self) -> str:
        """Writes what `SessionOptions.enable_profiling` has kept, as Chrome's traces are written, and ends it; gives the name of the file, "" where nothing
        was kept. The times are those of loading and of each run (`model_run`), not of nodes: a compiled model has none. Raises OSError."""
        profile, self._profile = self._profile, None
        return profile.write() if profile else ""

    def get_profiling_start_time_ns(self) -> int:
        """When profiling began, in nanoseconds since 1970; 0 without profiling."""
        return self._profiling_start

    def get_tuning_results(self) -> List[Any]:
        """None: nothing is tuned at run time."""
        return []

    def release_captured_graph(self, graph_annotation_id: int = 0) -> None:
        """Nothing: no graph is captured."""

    def get_session_options(self) -> SessionOptions:
        """The options that the session was made with."""
        return self._options

    def run(self, output_names: Optional[Sequence[str]], input_feed: Mapping[str, Any], run_options: Optional[RunOptions] = None) -> List[np.ndarray]:
        """Runs the model; gives the outputs named (all, in order, for None or an empty list).

        input_feed: by name an array (numpy's or with `__dlpack__`) of the input's element type, with sizes that fit its dims; an OrtValue; or a list or
            number, which is taken as the input's element type.
        run_options: see RunOptions.
        Raises Error (InvalidValue, which is a ValueError, for a missing input; InvalidArgument "bad_argument" for names the model does not have,
        "bad_dtype", "bad_shape"; Fail where the run options say terminate), TypeError for output names that are a str and other run options.
        """
        known = [info.name for info in self._model.outputs]
        self._check_call(output_names, input_feed)
        unknown = [name for name in output_names or [] if name not in known]
        if unknown:
            raise Error("bad_argument", f"unknown output {unknown[0]!r}; the model's outputs are {', '.join(known)}")
        _check_run_options(run_options)
        with self._event("model_run", isa=self._model.isa):
            results = self._model.run(self._arrays(input_feed))
        return [results[name] for name in output_names or known]

    def _check_call(self, output_names: Optional[Sequence[str]], input_feed: Mapping[str, Any]) -> None:
        """What is told before a run starts, of any kind."""
        missing = [info.name for info in self._model.inputs if info.name not in input_feed.keys()]
        missing = [name for name in missing if name not in self._model.defaults]
        if missing:
            raise InvalidValue("bad_argument", f"missing input {missing[0]!r}; found {', '.join(map(repr, input_feed)) or 'none'}")
        if isinstance(output_names, str):
            raise TypeError(f"expected a list of output names or None, found the str {output_names!r}")

    def run_async(self, output_names: Optional[Sequence[str]], input_feed: Mapping[str, Any],
                  callback: Callable[[List[np.ndarray], Any, str], None], user_data: Any, run_options: Optional[RunOptions] = None) -> None:
        """As `run`, but returns at once and runs the model on a thread of the session's, which then calls `callback(results, user_data, error)`.

        results: the outputs named, or [] where the run failed. user_data: what the caller gave. error: "" or what went wrong. Runs of a session take
        turns in the order of the calls. The arrays must stay as they are until the callback is called. What the callback raises is told as that of
        any thread (threading.excepthook). The process does not end before the runs have.
        Raises InvalidValue where an input is missing, TypeError as `run` does.
        """
        self._check_call(output_names, input_feed)
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
        """As `run`, from tensors to tensors. Raises as `run` does."""
        return [OrtValue(array) for array in self.run(output_names, input_dict_ort_values, run_options)]

    def create_ortvalue_from_shape_and_type(self, shape: Sequence[int], element_type: Any, device_type: str, device_id: int = 0,
                                            vendor_id: Any = -1) -> OrtValue:
        """As OrtValue.ortvalue_from_shape_and_type."""
        return OrtValue.ortvalue_from_shape_and_type(shape, element_type, device_type, device_id, vendor_id)

    def io_binding(self) -> IOBinding:
        """A new set of bound inputs and outputs."""
        return IOBinding(self)

    def run_with_iobinding(self, iobinding: IOBinding, run_options: Optional[RunOptions] = None) -> None:
        """Runs the model on what is bound. Raises Error, also where no output is bound; InvalidValue for what another session's inputs are bound in."""
        if iobinding.model is not self._model:
            raise InvalidValue("bad_argument", "expected a binding that this session has made, found another session's")
        _check_run_options(run_options)
        with self._event("model_run", isa=self._model.isa):
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
