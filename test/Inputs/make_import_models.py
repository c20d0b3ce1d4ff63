"""Writes models that hold tensors in every way ONNX allows, into the folder given: one weight per data type, as raw_data, in the typed fields, and in
other files; nodes out of order. compare_import.py then checks what import makes of them.
"""
import pathlib
import sys

import ml_dtypes
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

# Enough elements that even four-bit types are more than 4 KiB.
COUNT = 8211
TYPES = [numpy.float32, numpy.float64, numpy.float16, ml_dtypes.bfloat16, numpy.int8, numpy.int16, numpy.int32, numpy.int64, numpy.uint8, numpy.uint16,
         numpy.uint32, numpy.uint64, numpy.bool_, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e4m3fnuz, ml_dtypes.float8_e5m2, ml_dtypes.float8_e5m2fnuz,
         ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.float4_e2m1fn]


def values(dtype):
    numbers = numpy.random.default_rng(3).integers(0, 7, COUNT)
    return (numbers % 2 == 1) if dtype is numpy.bool_ else numbers.astype(dtype)


def raw_tensor(name, dtype):
    return numpy_helper.from_array(values(dtype), name)


def typed_tensor(name, dtype):
    """The same elements in float_data, int32_data and so on."""
    array = values(dtype)
    number = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor(name, number, [COUNT], array.astype(numpy.float64).tolist())


def external_tensors(folder):
    """Two weights in one file and one in another, at odd offsets."""
    tensors = []
    for name, location, offset in (("a", "first.bin", 1), ("b", "first.bin", 100001), ("c", "sub/second.bin", 0)):
        tensor = raw_tensor(name, numpy.float32)
        path = folder / location
        path.parent.mkdir(exist_ok=True)
        with open(path, "r+b" if path.exists() else "w+b") as file:
            file.seek(offset)
            file.write(tensor.raw_data)
        onnx.external_data_helper.set_external_data(tensor, location, offset, len(tensor.raw_data))
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensors.append(tensor)
    return tensors


def save(path, tensors, nodes=None):
    nodes = nodes or [helper.make_node("Identity", [tensor.name], [f"out.{tensor.name}"], name=f"node.{tensor.name}") for tensor in tensors]
    outputs = [helper.make_tensor_value_info(f"out.{tensor.name}", tensor.data_type, list(tensor.dims)) for tensor in tensors]
    graph = helper.make_graph(nodes, "g", [], outputs, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)], ir_version=13), path)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    save(folder / "raw.onnx", [raw_tensor(f"raw.{numpy.dtype(dtype).name}", dtype) for dtype in TYPES])
    save(folder / "typed.onnx", [typed_tensor(f"typed.{numpy.dtype(dtype).name}", dtype) for dtype in TYPES])
    save(folder / "external.onnx", external_tensors(folder))


if __name__ == "__main__":
    main()
