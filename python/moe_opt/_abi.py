"""The C ABI of a compiled model (model.h) in ctypes: structs, signatures and element types."""

import ctypes
import functools
from ctypes import POINTER, c_char_p, c_int, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from typing import Any

import numpy as np


class DType(ctypes.Structure):
    _fields_ = [("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16)]


class Device(ctypes.Structure):
    _fields_ = [("device_type", c_int32), ("device_id", c_int32)]


class Tensor(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("device", Device), ("ndim", c_int32), ("dtype", DType), ("shape", POINTER(c_int64)),
                ("strides", POINTER(c_int64)), ("byte_offset", c_uint64)]


class Dim(ctypes.Structure):
    _fields_ = [("size", c_int64), ("symbol", c_char_p)]


class TensorInfo(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("dtype", DType), ("rank", c_int32), ("dims", POINTER(Dim)), ("pair", c_int32), ("pair_axis", c_int32)]


class Part(ctypes.Structure):
    _fields_ = [("axis", c_int32), ("first", c_int64), ("whole", c_int64)]


class OpenOptions(ctypes.Structure):
    _fields_ = [("size", c_uint64), ("isa", c_char_p), ("verify", c_uint32), ("unused", c_uint32)]


CPU = 1

_CODES = {"i": 0, "u": 1, "f": 2, "b": 6}

# Types of the package ml_dtypes: code and bits. Its arrays hold an element of less than 8 bits in a byte, as the ABI does.
_ML_DTYPES = {
    "bfloat16": (4, 16),
    "float8_e4m3fn": (10, 8),
    "float8_e4m3fnuz": (11, 8),
    "float8_e5m2": (12, 8),
    "float8_e5m2fnuz": (13, 8),
    "float8_e8m0fnu": (14, 8),
    "float6_e2m3fn": (15, 6),
    "float6_e3m2fn": (16, 6),
    "float4_e2m1fn": (17, 4),
    "int2": (0, 2),
    "int4": (0, 4),
    "uint2": (1, 2),
    "uint4": (1, 4),
}


@functools.lru_cache(maxsize=None)  # Asked for each array of each run, and numpy takes microseconds to name a dtype.
def dtype_of(array_dtype: Any) -> DType:
    """The ABI's element type of a dtype of numpy or ml_dtypes. Raises TypeError for others."""
    array_dtype = np.dtype(array_dtype)
    if array_dtype.name in _ML_DTYPES:
        return DType(*_ML_DTYPES[array_dtype.name], 1)
    if array_dtype.kind not in _CODES:
        raise TypeError(f"arrays of {array_dtype} cannot be passed to a model")
    return DType(_CODES[array_dtype.kind], 8 * array_dtype.itemsize, 1)


def numpy_dtype(dtype: DType) -> np.dtype:
    """The numpy dtype of an ABI element type."""
    for name, (code, bits) in _ML_DTYPES.items():
        if (dtype.code, dtype.bits) == (code, bits):
            import ml_dtypes

            return np.dtype(getattr(ml_dtypes, name))
    if dtype.code == 6:
        return np.dtype(bool)
    kind = {code: kind for kind, code in _CODES.items()}[dtype.code]
    return np.dtype(f"{kind}{dtype.bits // 8}")


def bind(library: Any) -> Any:
    """Declares the signatures of the functions of a loaded model.so."""
    signatures = {
        "moe_last_error": (c_char_p,),
        "moe_version": (c_char_p,),
        "moe_status_name": (c_char_p, c_int),
        "moe_model_open": (c_int, c_char_p, POINTER(OpenOptions), POINTER(c_void_p)),
        "moe_model_close": (None, c_void_p),
        "moe_model_num_inputs": (c_int32, c_void_p),
        "moe_model_num_outputs": (c_int32, c_void_p),
        "moe_model_input": (c_int, c_void_p, c_int32, POINTER(TensorInfo)),
        "moe_model_output": (c_int, c_void_p, c_int32, POINTER(TensorInfo)),
        "moe_model_input_part": (c_int, c_void_p, c_int32, POINTER(Part)),
        "moe_model_output_part": (c_int, c_void_p, c_int32, POINTER(Part)),
        "moe_model_isa": (c_char_p, c_void_p),
        "moe_model_rank": (c_int32, c_void_p),
        "moe_model_ranks": (c_int32, c_void_p),
        "moe_model_output_shapes": (c_int, c_void_p, POINTER(Tensor), c_int32, POINTER(Tensor), c_int32),
        "moe_context_create": (c_int, c_void_p, c_int32, POINTER(c_void_p)),
        "moe_context_destroy": (None, c_void_p),
        "moe_context_threads": (c_int32, c_void_p),
        "moe_context_run": (c_int, c_void_p, POINTER(Tensor), c_int32, POINTER(Tensor), c_int32),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library
