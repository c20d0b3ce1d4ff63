"""Copies a data set and keeps some rows of its tensors: slice_rows.py FROM TO ROWS FIRST END. Tensors whose first dim is not ROWS stay whole."""
import pathlib
import sys

import onnx
from onnx import numpy_helper

source, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
rows, first, end = map(int, sys.argv[3:])
target.mkdir(parents=True, exist_ok=True)
for path in source.glob("*.pb"):
    tensor = onnx.load_tensor(path)
    array = numpy_helper.to_array(tensor)
    kept = array[first:end] if array.ndim and array.shape[0] == rows else array
    onnx.save_tensor(numpy_helper.from_array(kept.copy(), tensor.name), target / path.name)
