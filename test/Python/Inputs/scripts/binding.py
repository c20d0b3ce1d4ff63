"""A loop with an IOBinding and OrtValues that go round, as onnxruntime's own examples of transformers write it: binding.py MODEL OUT."""

import sys

import numpy as np
import onnxruntime
from onnxruntime import InferenceSession, IOBinding, OrtValue, SessionOptions

options = SessionOptions()
options.log_severity_level = 4
session = InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
names = [key.name for key in session.get_inputs()]
heads, width = next((key.shape[1], key.shape[3]) for key in session.get_inputs() if key.name.startswith("past"))
layers = sum(name.startswith("past") for name in names) // 2
vocabulary = session.get_outputs()[0].shape[-1]

io_binding = session.io_binding()
for layer in range(layers):
    for kind in ("key", "value"):
        empty = OrtValue.ortvalue_from_numpy(np.zeros((1, heads, 0, width), np.float32), "cpu", 0)
        io_binding.bind_ortvalue_input(f"past_key_values.{layer}.{kind}", empty)

tokens, past_length, logits_of_steps, ids = [], 0, [], np.array([[1, 41, 280, 284, 279, 223, 23]], np.int64)
for step in range(6):
    total = past_length + ids.shape[1]
    mask, positions = np.ones((1, total), np.int64), np.arange(past_length, total, dtype=np.int64)[None]
    io_binding.bind_cpu_input("input_ids", ids)
    io_binding.bind_input("attention_mask", "cpu", 0, np.int64, mask.shape, mask.ctypes.data)
    io_binding.bind_input(name="position_ids", device_type="cpu", device_id=0, element_type=np.int64, shape=list(positions.shape), buffer_ptr=positions.ctypes.data)
    # Logits into memory of our own, caches wherever the session likes.
    logits = np.empty((1, ids.shape[1], vocabulary), np.float32)
    io_binding.clear_binding_outputs()
    io_binding.bind_output("logits", "cpu", 0, np.float32, logits.shape, logits.ctypes.data)
    for layer in range(layers):
        for kind in ("key", "value"):
            io_binding.bind_output(f"present.{layer}.{kind}", "cpu")
    io_binding.synchronize_inputs()
    session.run_with_iobinding(io_binding)
    io_binding.synchronize_outputs()
    outputs = io_binding.get_outputs()
    assert [value.device_name() for value in outputs] == ["cpu"] * len(outputs) and outputs[1].data_type() == "tensor(float)"
    present = iter(outputs[1:])
    for layer in range(layers):
        for kind in ("key", "value"):
            io_binding.bind_ortvalue_input(f"past_key_values.{layer}.{kind}", next(present))
    logits_of_steps.append(logits[0, -1].copy())
    ids = logits[:, -1].argmax(-1)[:, None].astype(np.int64)
    tokens.append(ids[0, 0])
    past_length = total

# The same last step by way of tensors and of names.
feed = {"input_ids": ids, "attention_mask": np.ones((1, past_length + 1), np.int64), "position_ids": np.array([[past_length]], np.int64)}
feed.update({f"past_key_values.{layer}.{kind}": io_binding.copy_outputs_to_cpu()[1 + 2 * layer + (kind == "value")]
             for layer in range(layers) for kind in ("key", "value")})
value, = session.run_with_ort_values(["logits"], {name: OrtValue.ortvalue_from_numpy(array) for name, array in feed.items()})
assert value.is_tensor() and value.has_value() and value.shape() == [1, 1, vocabulary] and value.element_type() == 1
other = IOBinding(session)
for name, array in feed.items():
    other.bind_cpu_input(name, array)
other.bind_output("logits")
session.run_with_iobinding(other, onnxruntime.RunOptions())
np.savez(sys.argv[2], tokens=np.array(tokens), logits=np.stack(logits_of_steps), last=value.numpy(), bound=other.copy_outputs_to_cpu()[0],
         shared=np.from_dlpack(value))
