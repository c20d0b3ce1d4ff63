"""A script that a type checker accepts."""
import moe_opt as ort
import numpy as np
from moe_opt.capi.onnxruntime_pybind11_state import InvalidArgument

options = ort.SessionOptions()
options.intra_op_num_threads = 2
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
threads: int = options.intra_op_num_threads
session = ort.InferenceSession("model.onnx", options, providers=["CPUExecutionProvider"])
names: list[str] = [key.name for key in session.get_inputs()]
try:
    results: list[np.ndarray] = session.run(None, {names[0]: np.zeros(3, np.float32)})
except InvalidArgument as error:
    status: str = error.status
binding = session.io_binding()
binding.bind_cpu_input("x", np.zeros(3))
session.run_with_iobinding(binding)
value: ort.OrtValue = binding.get_outputs()[0]
profile: str = session.end_profiling()
