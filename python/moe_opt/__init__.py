"""moe-opt from Python: compile a model ahead of time and run it.

    import moe_opt
    model = moe_opt.compile("model.onnx")
    outputs = model.run({"input_ids": ids})      # {name: array} -> {name: array}

`compile` starts the program `moe-compile`, so that nothing in the compiler can harm this process; `run` calls the compiled code directly
on numpy's buffers through the C ABI (model.h).
"""

from ._binding import IOBinding, OrtValue
from ._compile import compile
from ._errors import Diagnostic, Error
from ._model import Model, TensorInfo, load
from ._session import (ExecutionMode, GraphOptimizationLevel, InferenceSession, ModelMetadata, NodeArg, RunOptions, SessionOptions,
                       get_available_providers, get_device)

#: Of the package and of the compiler in it, as `moe-compile --version` says it.
__version__ = "0.1.0"

__all__ = ["Diagnostic", "Error", "ExecutionMode", "GraphOptimizationLevel", "IOBinding", "InferenceSession", "Model", "ModelMetadata", "NodeArg", "OrtValue",
           "RunOptions", "SessionOptions", "TensorInfo", "compile", "get_available_providers", "get_device", "load"]
