"""Weights and sizes that the caller gives: external data, shared initializers, overridden dims: weights.py MODEL OUT. The model is made here."""

import os
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

random = np.random.default_rng(0)
W, B = random.standard_normal((4, 3)).astype(np.float32), random.standard_normal(3).astype(np.float32)
X = random.standard_normal((2, 4)).astype(np.float32)


def model():
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
    x.type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Add", ["p", "b"], ["y"])], "g", [x],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])], [numpy_helper.from_array(W, "w"), numpy_helper.from_array(B, "b")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


results, folder = {}, tempfile.mkdtemp()
os.makedirs(os.path.join(folder, "model"))
path = os.path.join(folder, "model", "model.onnx")
onnx.save_model(model(), path, save_as_external_data=True, all_tensors_to_one_file=True, location="model.onnx.data", size_threshold=0)
os.chdir(folder)
results["external"] = ort.InferenceSession(os.path.join("model", "model.onnx")).run(None, {"x": X})[0]
with open(path, "rb") as stream:
    content = stream.read()
options = ort.SessionOptions()
options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.path.join(folder, "model"))
results["bytes"] = ort.InferenceSession(content, options).run(None, {"x": X})[0]

other = ort.OrtValue.ortvalue_from_numpy(W * 3)
for title, source in (("embedded", model().SerializeToString()), ("beside", path)):
    options = ort.SessionOptions()
    options.add_initializer("w", other)
    options.add_initializer("not_there", other)
    results[f"initializer, {title}"] = ort.InferenceSession(source, options).run(None, {"x": X})[0]
options = ort.SessionOptions()
options.add_external_initializers(["w", "b"], [other, ort.OrtValue.ortvalue_from_numpy(-B)])
results["external initializers"] = ort.InferenceSession(content, options).run(None, {"x": X})[0]

refused = []
for names, values in ((["q"], [other]), (["w"], [ort.OrtValue.ortvalue_from_numpy(W[:2])])):
    options = ort.SessionOptions()
    options.add_external_initializers(names, values)
    try:
        ort.InferenceSession(content, options)
    except Exception as error:
        refused.append(bool(str(error)))
for add in ("add_free_dimension_override_by_name", "add_free_dimension_override_by_denotation"):
    options = ort.SessionOptions()
    getattr(options, add)("n" if add.endswith("name") else "DATA_BATCH", 2)
    session = ort.InferenceSession(path, options)
    results[add] = session.run(None, {"x": X})[0]
    results[add + ", shape"] = np.array(session.get_inputs()[0].shape)
    try:
        session.run(None, {"x": X[:1]})
    except ort.capi.onnxruntime_pybind11_state.InvalidArgument as error:
        refused.append(bool(str(error)))

value = ort.OrtValue.ortvalue_from_numpy_with_onnx_type(np.uint16([0x3f80, 0xc000]), TensorProto.BFLOAT16)
results["bfloat16"] = np.array([value.element_type(), value.tensor_size_in_bytes()])
target = ort.OrtValue.ortvalue_from_shape_and_type([4, 3], np.float32)
target.update_inplace(other)
target.update_inplace(target.numpy() + 1)
results["updated"] = target.numpy()
np.savez(sys.argv[2], refused=np.array(refused), **results)
