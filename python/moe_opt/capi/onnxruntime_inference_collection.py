"""The classes that onnxruntime has in its module of this name."""

from .._binding import IOBinding
from .._devices import OrtDevice
from .._session import InferenceSession
from .._values import OrtValue, copy_tensors

#: What `InferenceSession` inherits from in onnxruntime; the same here.
Session = InferenceSession

__all__ = ["IOBinding", "InferenceSession", "OrtDevice", "OrtValue", "Session", "copy_tensors"]
