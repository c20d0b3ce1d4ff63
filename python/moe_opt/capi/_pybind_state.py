"""As `onnxruntime_pybind11_state`, under the name by which onnxruntime's own code imports it."""

from .onnxruntime_pybind11_state import *  # noqa: F401,F403
from .onnxruntime_pybind11_state import __all__  # noqa: F401
