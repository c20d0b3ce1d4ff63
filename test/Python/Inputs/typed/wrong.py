"""A script with a wrong type in four lines."""
import moe_opt as ort

options = ort.SessionOptions()
options.intra_op_num_threads = "2"
options.no_such_option = 1
session = ort.InferenceSession("model.onnx", options)
session.run(3, {})
text: str = session.run(None, {})
