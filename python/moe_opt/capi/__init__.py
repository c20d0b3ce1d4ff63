"""Where onnxruntime's users find its exceptions and classes: `from moe_opt.capi.onnxruntime_pybind11_state import InvalidArgument`."""

from . import _pybind_state, onnxruntime_inference_collection, onnxruntime_pybind11_state

__all__ = ["_pybind_state", "onnxruntime_inference_collection", "onnxruntime_pybind11_state"]
