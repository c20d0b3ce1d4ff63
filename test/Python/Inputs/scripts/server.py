"""What a service does around a session: bytes, threads, callbacks, errors that it expects, a profile: server.py MODEL OUT."""

import concurrent.futures
import json
import os
import sys
import threading

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import _pybind_state as C
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidProtobuf, NoSuchFile

ort.disable_telemetry_events()
with open(sys.argv[1], "rb") as stream:
    content = stream.read()
options = ort.SessionOptions()
options.enable_profiling = True
options.profile_file_prefix = os.path.splitext(sys.argv[2])[0] + "_profile"
options.intra_op_num_threads = 2
session = ort.InferenceSession(content, sess_options=options)
session.disable_fallback()
session.set_providers(["CPUExecutionProvider"])
meta = session.get_modelmeta()
assert isinstance(meta.custom_metadata_map, dict) and isinstance(meta.producer_name, str)
assert session.get_overridable_initializers() == [] and session.get_provider_options() == {"CPUExecutionProvider": {}}


def feed(ids):
    ids = np.asarray(ids, np.int64)[None]
    shapes = {key.name: key.shape for key in session.get_inputs() if key.name.startswith("past")}
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "position_ids": np.arange(ids.shape[1])[None],
            **{name: np.zeros((1, shape[1], 0, shape[3]), np.float32) for name, shape in shapes.items()}}


prompts = [[1, 41, 280], [1, 43, 290, 14], [7], [1, 2, 3, 4, 5, 6]]
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    answers = list(pool.map(lambda ids: session.run(["logits"], feed(ids))[0], prompts))

done, called = threading.Event(), []


def callback(results, user_data, error):
    called.append((user_data, error, results[0]))
    done.set()


session.run_async(["logits"], feed(prompts[1]), callback, {"request": 7})
assert done.wait(120) and called[0][:2] == ({"request": 7}, "")

errors = []
wrong = feed(prompts[0])
for change, expected in (({"input_ids": np.float32([[1]])}, InvalidArgument), ({"input_ids": np.int64([1])}, InvalidArgument), ({"extra": np.int64([1])}, InvalidArgument)):
    try:
        session.run(None, {**wrong, **change})
    except expected as error:
        errors.append(bool(str(error)))
try:
    session.run(None, {"input_ids": wrong["input_ids"]})
except ValueError as error:
    errors.append("attention_mask" in str(error))
try:
    ort.InferenceSession("no/such/model.onnx")
except (NoSuchFile, C.Fail) as error:
    errors.append(isinstance(error, NoSuchFile))
try:
    ort.InferenceSession(content[:1000])
except InvalidProtobuf as error:
    errors.append(True)
stop = ort.RunOptions()
stop.terminate = True
try:
    session.run(None, wrong, stop)
except Fail as error:
    errors.append("terminate" in str(error))
try:
    options.no_such_option = 1
except AttributeError as error:
    errors.append("no_such_option" in str(error))
again = session.run(None, wrong, run_options=ort.RunOptions())

path = session.end_profiling()
with open(path) as stream:
    events = json.load(stream)
runs = [event for event in events if event["name"] == "model_run" and event["ph"] == "X" and event["dur"] >= 0]
assert session.get_profiling_start_time_ns() > 0 and any(event["name"] == "session_initialization" for event in events)
np.savez(sys.argv[2], *answers, called=called[0][2], errors=np.array(errors), again=again[0], profiled=len(runs) >= 6)
