"""moe-opt from Python: compile a model ahead of time and run it.

    import moe_opt
    model = moe_opt.compile("model.onnx")
    outputs = model.run({"input_ids": ids})      # {name: array} -> {name: array}

`compile` starts the program `moe-compile`, so that nothing in the compiler can harm this process; `run` calls the compiled code directly
on numpy's buffers through the C ABI (model.h).

The names of onnxruntime are here too, so that `import moe_opt as ort` moves a script over: InferenceSession and what goes with it, and in
`moe_opt.capi` the exceptions that its users catch.
"""

from . import capi
from ._binding import IOBinding
from ._compile import compile
from ._devices import OrtDevice
from ._environment import (VERSION, disable_telemetry_events, enable_telemetry_events, get_all_providers, get_available_providers, get_build_info, get_device,
                           get_version_string, has_collective_ops, preload_dlls, print_debug_info, set_default_logger_severity, set_default_logger_verbosity,
                           set_global_thread_pool_sizes, set_seed)
from ._errors import Diagnostic, Error
from ._model import Model, TensorInfo, load
from ._options import ExecutionMode, ExecutionOrder, GraphOptimizationLevel, RunOptions, SessionOptions
from ._session import InferenceSession, ModelMetadata, NodeArg
from ._values import OrtValue, copy_tensors

__version__ = VERSION

__all__ = ["Diagnostic", "Error", "ExecutionMode", "ExecutionOrder", "GraphOptimizationLevel", "IOBinding", "InferenceSession", "Model", "ModelMetadata",
           "NodeArg", "OrtDevice", "OrtValue", "RunOptions", "SessionOptions", "TensorInfo", "capi", "compile", "copy_tensors", "disable_telemetry_events",
           "enable_telemetry_events", "get_all_providers", "get_available_providers", "get_build_info", "get_device", "get_version_string",
           "has_collective_ops", "load", "preload_dlls", "print_debug_info", "set_default_logger_severity", "set_default_logger_verbosity",
           "set_global_thread_pool_sizes", "set_seed"]
