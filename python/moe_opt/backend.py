"""moe-opt as an `onnx.backend.base.Backend`; needs the package `onnx`.

    import moe_opt.backend
    outputs = moe_opt.backend.prepare(model).run([x, y])

Code is compiled ahead of time. Where the compiler refuses a model since it must know the values of some inputs (the `axes` of Slice, say), `prepare`
waits: `run` then compiles for the values that it is given, once for each.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import onnx
import onnx.backend.base
from onnx import numpy_helper

from ._compile import compile
from ._errors import Error
from ._model import Model

# Inputs of at most this many elements are taken as values that may decide sizes.
_LARGEST_FIXED = 64


def _may_decide_sizes(value: np.ndarray) -> bool:
    """Integers of a list or scalar, scalars of any type (Range takes floats), and bools (NonZero takes any number of dims)."""
    if value.size > _LARGEST_FIXED or (value.ndim > 1 and value.dtype.kind != "b"):
        return False
    return value.dtype.kind in "iub" or value.size == 1


class BackendRep(onnx.backend.base.BackendRep):
    """A model that is compiled, or waits for values."""

    def __init__(self, model: onnx.ModelProto, options: Dict[str, Any]):
        self._proto, self._options = model, options
        # Floats in a list decide sizes where a Resize reads them: its roi and scales.
        self._scales = {name for node in model.graph.node if node.op_type == "Resize" for name in node.input[1:]}
        self._fixed: Dict[Tuple[bytes, ...], Model] = {}
        self._model: Optional[Model] = None
        #: Names of the inputs whose values the last run was compiled for; () where the model is compiled for any.
        self.fixed_inputs: Tuple[str, ...] = ()
        try:
            self._model = compile(model, **options)
        except Error as error:
            if error.status != "compile" or not self._inputs():
                raise
            self._error = error

    def _inputs(self) -> List[onnx.ValueInfoProto]:
        """The inputs that a caller feeds, in order."""
        initializers = {tensor.name for tensor in self._proto.graph.initializer}
        return [value for value in self._proto.graph.input if value.name not in initializers]

    def _compiled_for(self, feeds: Dict[str, Any]) -> Model:
        """The model with those of the values fixed that may decide sizes."""
        values = {name: value for name, value in feeds.items() if _may_decide_sizes(value) or name in self._scales}
        if not values:
            raise self._error
        key = tuple(part for name, value in values.items() for part in (name.encode(), repr(value.shape).encode(), value.tobytes()))
        if key not in self._fixed:
            proto = onnx.ModelProto()
            proto.CopyFrom(self._proto)
            kept = [value for value in proto.graph.input if value.name not in values]
            del proto.graph.input[:]
            proto.graph.input.extend(kept)
            proto.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in values.items())
            self._fixed[key] = compile(proto, **self._options)
        self.fixed_inputs = tuple(values)
        return self._fixed[key]

    def run(self, inputs: Sequence[Any], **kwargs: Any) -> Tuple[np.ndarray, ...]:
        """Runs on arrays in the order of the model's inputs (or on a dict by name). Raises moe_opt.Error."""
        pairs = inputs.items() if isinstance(inputs, dict) else zip((info.name for info in self._inputs()), inputs)
        feeds = {name: np.asarray(value) for name, value in pairs}
        model = self._model or self._compiled_for(feeds)
        results = model.run({info.name: feeds[info.name] for info in model.inputs if info.name in feeds})
        return tuple(results[output.name] for output in self._proto.graph.output)


class Backend(onnx.backend.base.Backend):
    """The CPU."""

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """Does the model compile, for any values of its inputs?"""
        try:
            compile(model, **kwargs)
        except Error:
            return False
        return cls.supports_device(device)

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> BackendRep:
        """Compiles a model. Options are those of `moe_opt.compile`. Raises moe_opt.Error."""
        if not cls.supports_device(device):
            raise Error("bad_argument", f"expected the device CPU, found {device}")
        onnx.checker.check_model(model)
        return BackendRep(model, kwargs)

    @classmethod
    def run_model(cls, model: onnx.ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any) -> Tuple[np.ndarray, ...]:
        """prepare and run in one step."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(cls, node: onnx.NodeProto, inputs: Any, device: str = "CPU", outputs_info: Optional[Sequence[Tuple[Any, Any]]] = None,
                 **kwargs: Any) -> Tuple[np.ndarray, ...]:
        """Runs one node of the newest opset on arrays, in the order of its inputs that have names."""
        names = list(dict.fromkeys(name for name in node.input if name))
        arrays = [np.asarray(value) for value in (inputs.values() if isinstance(inputs, dict) else inputs)]
        values = [onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
                  for name, array in zip(names, arrays)]
        results = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = onnx.helper.make_graph([node], "node", values, results)
        model = onnx.helper.make_model(graph)
        if node.domain not in ("", "ai.onnx"):
            model.opset_import.append(onnx.helper.make_opsetid(node.domain, 1))
        return BackendRep(model, kwargs).run(arrays)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Is it the CPU ("CPU", "CPU:0")?"""
        return device.split(":")[0] == "CPU"


is_compatible = Backend.is_compatible
prepare = Backend.prepare
run_model = Backend.run_model
run_node = Backend.run_node
supports_device = Backend.supports_device
