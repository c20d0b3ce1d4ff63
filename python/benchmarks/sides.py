"""The sides of the benchmark: moe-opt and its peers, each in a process of its own, so that no pool of threads spins beside another's run.

As a program it is that process: `sides.py SIDE E,K,H,I FORMAT FOLDER THREADS ACTIVATIONS` builds the layer and says {"ready": true} or
{"absent": why}; then each line on standard input, {"tokens", "pool", "load", "count", "keep", "cold"}, is answered by the figures of so many calls. Rows are made
from the number of tokens alone: all sides get the same ones.
"""

import json
import os
import pathlib
import resource
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent


class Absent(Exception):
    """Why a side does not take part."""


def moe_opt_side(layer, threads, activations):
    import moe_opt
    out = layer.folder / f"artifact-{activations}"
    if not out.exists():
        moe_opt.compile(str(layer.fused_op(activations)), output=str(out), activations=activations, threads=threads)
    model = moe_opt.load(str(out), threads=threads)
    return lambda x, logits: model.run({"x": x, "logits": logits})["y"]


def _onnx_runtime(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda x, logits: session.run(["y"], {"x": x, "logits": logits})[0]


def onnx_runtime_op(layer, threads, activations):
    if layer.format == "bf16":
        raise Absent("its MoE op takes no bf16 on CPUs")
    return _onnx_runtime(layer.fused_op(activations), threads)


def onnx_runtime_graph(layer, threads, activations):
    if layer.format == "bf16":
        raise Absent("its Gemm takes no bf16 on CPUs")
    return _onnx_runtime(layer.exported_graph(activations), threads)


def openvino_graph(layer, threads, activations):
    import numpy as np
    import openvino
    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "bf16" if layer.format == "bf16" else "f32",
                              "PERFORMANCE_HINT": "LATENCY", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "32" if activations == "int8" else "0"})
    request = core.compile_model(str(layer.exported_graph(activations)), "CPU").create_infer_request()
    kind, plain = (openvino.Type.bf16, np.uint16) if layer.format == "bf16" else (openvino.Type.f32, np.float32)

    def run(x, logits):
        tensors = [openvino.Tensor(np.ascontiguousarray(a).view(plain), a.shape, kind) for a in (x, logits)]
        request.set_tensor("x", tensors[0])
        request.set_tensor("logits", tensors[1])
        request.infer()
        y = request.get_tensor("y").data
        return y.view(x.dtype) if layer.format == "bf16" else y
    return run


def _torch_layer(layer, threads):
    if layer.format in ("int8", "int4"):
        raise Absent("it has no grouped product with such integers for CPUs")
    import numpy as np
    import torch
    torch.set_num_threads(threads)
    dtype = torch.bfloat16 if layer.format == "bf16" else torch.float32
    view = np.int16 if layer.format == "bf16" else np.float32
    # A copy: mapped pages are not huge ones.
    weights = [torch.from_numpy(np.array(layer.store.read(f"w{i}")).view(view)).view(dtype) for i in range(2)]

    def route(logits):
        weight, order = torch.softmax(torch.from_numpy(logits.astype(np.float32)), -1).topk(layer.k, -1)
        return order, (weight / weight.sum(-1, keepdim=True)).to(dtype)
    rows = lambda x: torch.from_numpy(np.ascontiguousarray(x).view(view)).view(dtype)
    return torch, weights, route, rows


def pytorch_loop(layer, threads, activations):
    torch, (first, second), route, rows_of = _torch_layer(layer, threads)

    def run(x, logits):
        with torch.inference_mode():
            rows, (order, weights) = rows_of(x), route(logits)
            y = torch.zeros_like(rows)
            for e in order.unique().tolist():
                token, rank = torch.nonzero(order == e, as_tuple=True)
                product = torch.nn.functional.linear(rows[token], first[e])
                hidden = torch.nn.functional.silu(product[:, 0::2]) * product[:, 1::2]
                y.index_add_(0, token, torch.nn.functional.linear(hidden, second[e]) * weights[token, rank, None])
            return y.float().numpy()
    return run


def pytorch_batched(layer, threads, activations):
    torch, (first, second), route, rows_of = _torch_layer(layer, threads)

    def run(x, logits):
        with torch.inference_mode():
            rows, (order, weights) = rows_of(x), route(logits)
            if len(rows) * layer.k <= layer.experts:  # Few tokens: the weights of each choice, gathered.
                chosen = order.reshape(-1)
                token = torch.arange(len(rows)).repeat_interleave(layer.k)
                product = torch.bmm(first[chosen], rows[token].unsqueeze(-1)).squeeze(-1)
                hidden = torch.nn.functional.silu(product[:, 0::2]) * product[:, 1::2]
                results = torch.bmm(second[chosen], hidden.unsqueeze(-1)).squeeze(-1) * weights.reshape(-1, 1)
                return torch.zeros_like(rows).index_add_(0, token, results).float().numpy()
            # All experts, padded to the rows of the fullest.
            flat, slots = torch.sort(order.reshape(-1), stable=True)
            counts = torch.bincount(flat, minlength=layer.experts)
            within = torch.arange(len(flat)) - (counts.cumsum(0) - counts)[flat]
            token = slots // layer.k
            padded = torch.zeros(layer.experts, int(counts.max()), layer.hidden, dtype=rows.dtype)
            padded[flat, within] = rows[token]
            product = torch.bmm(padded, first.transpose(1, 2))
            results = torch.bmm(torch.nn.functional.silu(product[:, :, 0::2]) * product[:, :, 1::2], second.transpose(1, 2))
            y = torch.zeros_like(rows).index_add_(0, token, results[flat, within] * weights.reshape(-1)[slots, None])
            return y.float().numpy()
    return run


def llama_cpp(layer, threads, activations):
    import ggml_layer
    return ggml_layer.start(layer, threads)


OURS = "moe-opt"
SIDES = {OURS: moe_opt_side, "ORT MoE op": onnx_runtime_op, "ORT graph": onnx_runtime_graph, "OpenVINO": openvino_graph,
         "PyTorch loop": pytorch_loop, "PyTorch bmm": pytorch_batched, "llama.cpp": llama_cpp}


class Side:
    """A side's process, seen from the benchmark. It says {"ready": true} or {"absent": why}, then answers each line of JSON with a line."""

    def __init__(self, name, *arguments, program="sides.py"):
        self.name = name
        command = [sys.executable, str(HERE / program), name, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        answer = self._answer()
        self.absent = answer.get("absent")

    def _answer(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"absent": f"its process ended with status {self.process.wait()}"}

    def calls(self, **request):
        """A list of {"seconds", "processor", "faults", "switches"} (seconds by the clock, of processor time in all threads)."""
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self._answer()
        if "absent" in answer:
            raise Absent(answer["absent"])
        return answer["calls"]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()


def measure(run, *arguments):
    """What a call gives, and {"seconds", "processor", "faults", "switches"}."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    y = run(*arguments)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    return y, {"seconds": seconds, "processor": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
               "faults": after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt, "switches": after.ru_nivcsw - before.ru_nivcsw}


def _why_not_installed(error):
    """What environment.py kept of a package that did not install."""
    kept = pathlib.Path(sys.prefix) / "absent.json"
    reasons = json.loads(kept.read_text()) if kept.exists() else {}
    return "not installed: " + reasons.get((error.name or "").replace("_", "-"), str(error))


def serve(start, answer):
    """The life of a side's process: start() gives what runs, answer(run, request) a dict for each line on standard input."""
    answers = os.fdopen(os.dup(1), "w")  # What libraries print is not an answer.
    os.dup2(2, 1)
    say = lambda value: (answers.write(json.dumps(value) + "\n"), answers.flush())
    try:
        run = start()
        say({"ready": True})
        for line in sys.stdin:
            say(answer(run, json.loads(line)))
    except Absent as why:
        say({"absent": str(why)})
    except ImportError as error:
        say({"absent": _why_not_installed(error)})
    except Exception as error:
        say({"absent": " ".join(f"{type(error).__name__}: {error}".split())[:200]})


def main():
    import numpy as np
    from layers import Layer
    name, sizes, format, folder, threads, activations = sys.argv[1:]
    layer = Layer([int(size) for size in sizes.split(",")], format, folder)
    rows = {}

    def answer(run, request):
        key = (request["tokens"], request["pool"], request["load"])
        if key not in rows:
            rows.clear()
            rows[key] = [layer.inputs(*key), 0]
        pool, place = rows[key]
        calls = []
        for index in range(request["count"] + 1):
            y, figures = measure(run, *pool[(place + index) % len(pool)])
            if "keep" in request and index == 0:
                np.save(request["keep"], np.asarray(y).astype(np.float32))
            if index or request.get("cold"):  # The first call wakes threads and puts other weights into the caches.
                calls.append(figures)
        rows[key][1] = (place + request["count"] + 1) % len(pool)
        return {"calls": calls}
    serve(lambda: SIDES[name](layer, int(threads), activations), answer)


if __name__ == "__main__":
    main()
