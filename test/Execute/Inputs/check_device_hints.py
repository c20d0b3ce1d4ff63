"""What an ONNX file says of devices: read as the onnx package reads it, checked, followed by the plan where it can be, and the bits are those of one machine.
usage: check_device_hints.py MPIEXEC FOLDER"""

import filecmp
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

EXPERTS, HIDDEN, INTERMEDIATE, COLUMNS = 4, 32, 48, 64


def base_model():
    """x·w0, a layer of experts, and a product with a head."""
    random = np.random.default_rng(5)
    weights = {"w0": (HIDDEN, HIDDEN), "router": (HIDDEN, EXPERTS), "fc1": (EXPERTS, INTERMEDIATE, HIDDEN), "fc2": (EXPERTS, HIDDEN, INTERMEDIATE), "head": (HIDDEN, COLUMNS)}
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["h"], name="first"),
        helper.make_node("MatMul", ["h", "router"], ["logits"], name="route"),
        helper.make_node("MoE", ["h", "logits", "fc1", "", "fc2"], ["y"], name="moe", domain="com.microsoft", k=2, activation_type="relu", normalize_routing_weights=1),
        helper.make_node("MatMul", ["y", "head"], ["out"], name="last"),
    ]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["tokens", HIDDEN])],
                              [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["tokens", COLUMNS])],
                              [numpy_helper.from_array((random.standard_normal(shape) * HIDDEN**-0.5).astype(np.float32), name) for name, shape in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=11)


def configure(model, name, devices, names=()):
    model.configuration.append(onnx.DeviceConfigurationProto(name=name, num_devices=devices, device=list(names)))


def shard(model, node, configuration, tensor, axes, devices, groups=(), stage=None):
    """Asks for a sharding; an axis is (axis, shards) or (axis, [(size or name, shards)...])."""
    entry = next(n for n in model.graph.node if n.name == node).device_configurations.add(configuration_id=configuration)
    if stage is not None:
        entry.pipeline_stage = stage
    spec = entry.sharding_spec.add(tensor_name=tensor, device=list(devices))
    for key, members in groups:
        spec.index_to_device_group_map.add(key=key, value=list(members))
    for axis, factors in axes:
        dim = spec.sharded_dim.add(axis=axis)
        for size, shards in [(None, factors)] if isinstance(factors, int) else factors:
            simple = dim.simple_sharding.add(num_shards=shards)
            if isinstance(size, int):
                simple.dim_value = size
            elif size is not None:
                simple.dim_param = size
    return model


def as_read(path):
    """What the onnx package reads, in the words of moe.device_hints."""
    model = onnx.load(path)
    factor = lambda simple: {"shards": simple.num_shards, **({"size": simple.dim_value} if simple.WhichOneof("dim") == "dim_value" else {}),
                             **({"size_name": simple.dim_param} if simple.WhichOneof("dim") == "dim_param" else {})}
    spec = lambda s: {"tensor": s.tensor_name, "devices": list(s.device), "groups": [{"key": g.key, "devices": list(g.value)} for g in s.index_to_device_group_map],
                      "axes": [{"axis": d.axis, "factors": [factor(f) for f in d.simple_sharding]} for d in s.sharded_dim]}
    return {"configurations": [{"name": c.name, "devices": c.num_devices, "names": list(c.device)} for c in model.configuration],
            "nodes": [{"node": n.name, "configuration": d.configuration_id, "specs": [spec(s) for s in d.sharding_spec], **({"stage": d.pipeline_stage} if d.HasField("pipeline_stage") else {})}
                      for n in model.graph.node for d in n.device_configurations]}


def as_imported(text):
    """The attribute of the module, from MLIR's text."""
    begin = text.index("moe.device_hints = ") + len("moe.device_hints = ")
    end, depth = begin, 0
    while True:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
        if depth == 0:
            break
    text = re.sub(r"array<i64(?:: ([-0-9, ]*))?>", lambda found: f"[{found.group(1) or ''}]", text[begin:end])
    return json.loads(re.sub(r"(\w+) = ", r'"\1": ', text.replace(" : i64", "")))


def run(command, status=0, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, **more)
    if done.returncode != status:
        sys.exit(f"{' '.join(map(str, command))}\nexit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def rich_model():
    model = base_model()
    configure(model, "four", 4, ["a", "b", "c", "d"])
    configure(model, "two", 2)
    shard(model, "moe", "four", "fc1", [(0, 2)], [10, 11], [(10, [0, 2]), (11, [1, 3])], stage=3)
    shard(model, "last", "four", "head", [(-1, [(COLUMNS, 4)])], [0, 1, 2, 3])
    shard(model, "last", "two", "out", [(0, [("tokens", 2), (COLUMNS, 1)])], [1, 0])
    shard(model, "first", "four", "w0", [(0, 4)], [0, 1, 2, 3])
    return shard(model, "first", "four", "h", [], [0, 1])


def save(model, folder):
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def check_reading(folder):
    path = save(rich_model(), folder / "rich")
    got, want = as_imported(run(["moe-compile", path, "--compile-to=import", "-o", "-"])), as_read(path)
    if got != want:
        sys.exit(f"the onnx package reads\n{want}\nmoe-compile\n{got}")
    if "moe.device_hints" in run(["moe-compile", save(base_model(), folder / "plain"), "--compile-to=import", "-o", "-"]):
        sys.exit("a model without configurations has hints")


def check_refusals(folder):
    """What contradicts itself is left out with a warning, and all else stays."""
    def broken(change, *said):
        model = base_model()
        configure(model, "four", 4)
        shard(model, "last", "four", "head", [(1, 4)], [0, 1, 2, 3])
        change(model)
        text = run(["moe-compile", save(model, folder / "broken"), "--compile-to=import", "-o", "-"])
        if any(message not in text for message in said):
            sys.exit(f"expected warnings {said}, found\n{text}")
        kept = as_imported(text)
        good = {"tensor": "head", "devices": [0, 1, 2, 3], "groups": [], "axes": [{"axis": 1, "factors": [{"shards": 4}]}]}
        if [spec for node in kept["nodes"] for spec in node["specs"]] != [good]:
            sys.exit(f"{said}: kept {kept}")

    bad = lambda *spec, **more: lambda model: shard(model, *spec, **more)
    broken(bad("moe", "five", "fc1", [(0, 2)], [0, 1]), "node 'moe': expected the name of a device configuration of the model, found 'five'")
    broken(bad("moe", "four", "fc9", [(0, 2)], [0, 1]), "node 'moe': the sharding of 'fc9' is ignored: it is no input or output of the node")
    broken(bad("moe", "four", "", [(0, 2)], [0, 1]), "the sharding of '' is ignored")
    broken(bad("moe", "four", "fc1", [(0, 2)], [0, 4]), "expected devices from 0 to 3, found 4")
    broken(bad("moe", "four", "fc1", [(0, 2)], [0, -1]), "expected devices from 0 to 3, found -1")
    broken(bad("moe", "four", "fc1", [(0, 2)], [7, 8], [(7, [8]), (8, [7])]), "expected devices from 0 to 3, found 8")  # Groups of each other.
    broken(bad("moe", "four", "fc1", [(0, 2)], [7, 0], [(7, [0]), (7, [1])]), "expected one device group for 7, found a second")
    broken(bad("moe", "four", "fc1", [(0, 3)], [0, 1]), "expected as many devices as shards, found 2 devices or groups and 3 shards")
    broken(bad("moe", "four", "fc1", [(3, 2)], [0, 1]), "expected an axis from -3 to 2, found 3")
    broken(bad("moe", "four", "fc1", [(-4, 2)], [0, 1]), "expected an axis from -3 to 2, found -4")
    broken(bad("moe", "four", "fc1", [(0, 2), (-3, 2)], [0, 1, 2, 3]), "is sharded twice")
    broken(bad("moe", "four", "fc1", [(0, [])], [0]), "axis 0 has no number of shards")
    broken(bad("moe", "four", "fc1", [(0, 1)] * 65, [0]), "more than 64 axes")
    broken(bad("moe", "four", "fc1", [], [0] * 4097), "more than 4096 devices or groups")
    broken(bad("moe", "four", "fc1", [(0, 0)], []), "expected 1 to 4096 shards in all, found 0 of axis 0")
    broken(bad("moe", "four", "fc1", [(0, [(1, 4096), (1, 4096), (1, 2**62)])], [0]), "expected 1 to 4096 shards in all, found 4096 of axis 0")
    broken(lambda model: configure(model, "four", 2), "the device configuration 'four' is ignored: another has that name")
    broken(lambda model: configure(model, "", 2), "the device configuration '' is ignored: it has no name")
    broken(lambda model: configure(model, "many", 2**31 - 1), "expected 1 to 4096 devices, found 2147483647")
    broken(lambda model: configure(model, "none", -5), "expected 1 to 4096 devices, found -5")
    broken(lambda model: configure(model, "names", 2, ["a"]), "expected 2 names of devices or none, found 1")
    # In the wire: a spec that ends in the middle is an error with its place, as everywhere.
    data = (folder / "rich/model.onnx").read_bytes()
    place = data.index(b"tokens\x18\x02")
    (folder / "cut.onnx").write_bytes(data[: place + 7] + b"\xff" * 11 + data[place + 18 :])
    if "sharding_spec" not in run(["moe-compile", folder / "cut.onnx", "--compile-to=import", "-o", "-"], status=2):
        sys.exit("a damaged spec is not named")


def plan(folder, name, model, *flags):
    text = run(["moe-compile", save(model, folder / name), "--mesh=rank=4", *flags, "-o", folder / name / "out"])
    return text


def check_plans(folder, mpiexec):
    def asks(*specs, devices=4):
        model = base_model()
        configure(model, "c", devices)
        for spec in specs:
            shard(model, spec[0], "c", *spec[1:])
        return model

    def expect(name, model, *said, flags=()):
        text = plan(folder, name, model, *flags)
        if any(message not in text for message in said):
            sys.exit(f"{name}: expected {said}, found\n{text}")

    two = ("moe", "fc1", [(0, 2)], [8, 9], [(8, [0, 2]), (9, [1, 3])])
    expect("two", asks(two), "as node 'moe' asks for 'fc1': experts over 2 devices", "4 experts over 2 devices")
    expect("four", asks(("moe", "fc2", [(-3, 4)], [0, 1, 2, 3])), "as node 'moe' asks for 'fc2': experts over 4 devices", "4 experts over 4 devices")
    expect("parts", asks(("moe", "fc1", [(0, 2), (1, 2)], [0, 1, 2, 3]), ("moe", "fc2", [(0, 2), (2, 2)], [0, 1, 2, 3])),
           "as node 'moe' asks for 'fc1': experts over 2 devices, each in 2 parts", "each cut into 2 parts")
    expect("columns", asks(two, ("last", "head", [(1, 4)], [0, 1, 2, 3])), "as node 'last' asks for 'head': its columns over all devices", "devices share the columns of 1 product")
    # What cannot be had is said, with the reason, and left to the planner.
    expect("order", asks(("moe", "fc1", [(0, 4)], [1, 0, 2, 3])), "not as node 'moe' asks for 'fc1': shard 0 is on other devices than a plan has it")
    expect("hidden", asks(("moe", "fc1", [(2, 4)], [0, 1, 2, 3])), "axis 2 is the hidden size, which is not cut")
    expect("three", asks(("moe", "fc1", [(0, 3)], [0, 1, 2])), "3 shards do not divide the 4 devices")
    expect("clash", asks(two, ("moe", "fc2", [(0, 4)], [0, 1, 2, 3])), "not as node 'moe' asks for 'fc2': another weight of the layer asks for something else", "4 experts over 2 devices")
    expect("rows", asks(("last", "head", [(0, 4)], [0, 1, 2, 3])), "not as node 'last' asks for 'head': products are shared out by columns")
    expect("others", asks(("last", "out", [(0, 2)], [0, 1]), ("moe", "h", [(0, 2)], [0, 1])), "the sharding of 2 tensors that are no stored weights")
    expect("eight", asks(two, devices=8), "configuration 'c' is for 8 devices, the mesh has 4")
    expect("asked", asks(two), "not as node 'moe' asks for 'fc1': expert-parallel asks for 4 devices", "4 experts over 4 devices", flags=["--expert-parallel=4"])
    expect("whole", asks(("last", "head", [(1, 4)], [0, 1, 2, 3])), "not as node 'last' asks for 'head': between-layers is whole", flags=["--between-layers=whole"])
    run(["moe-compile", folder / "plain/model.onnx", "--quiet", "-o", folder / "plain/out"])
    np.save(folder / "x.npy", np.random.default_rng(1).standard_normal((13, HIDDEN)).astype(np.float32))
    environment = {**os.environ, "MOE_NUM_THREADS": "1"}
    run(["moe-run", folder / "plain/out", "--input", f"x={folder}/x.npy", "--output-dir", folder / "want"], env=environment)
    for name in ("two", "columns", "parts"):
        for ranks in ("1", "2", "4"):
            run([*([mpiexec, "-n", ranks] if ranks != "1" else []), "moe-run", folder / name / "out", "--input", f"x={folder}/x.npy", "--output-dir", folder / "got"], env=environment)
            want, got = np.load(folder / "want/out.npy"), np.load(folder / "got/out.npy")
            isSame = np.allclose(want, got, rtol=1e-5, atol=1e-6) if name == "parts" else filecmp.cmp(folder / "want/out.npy", folder / "got/out.npy", shallow=False)
            if not isSame:
                sys.exit(f"{name} on {ranks} ranks: results differ by up to {np.abs(want - got).max()}")


def main():
    mpiexec, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    check_reading(folder)
    check_refusals(folder)
    check_plans(folder, mpiexec)
    print("hints are read, checked and followed")


main()
