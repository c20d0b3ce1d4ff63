"""Writes the seeds and the dictionary of moe-fuzz-import: make_corpus.py CORPUS_FOLDER DICTIONARY [FOLDER_OF_MODELS].

The seeds are small, so that a change of a few bytes hits structure: one model for each op of the `onnx` package's node tests, those that call a
model-local function or hold graphs, and models of our own with what the node tests lack: external data, typed and raw initialisers of every
type, nested graphs, functions that call functions, outer values. Models that must be refused are seeds too. Of a folder of exported models, each
is a seed without its weights: a weight becomes an input, so that the nodes of the exporter remain and little else. A whole model is some hundred
nodes and as many milliseconds; so its neighbouring nodes are small seeds as well, a few at a time, with inputs for what they read.
"""

import pathlib
import sys
import warnings

import onnx
from onnx import TensorProto, helper
from onnx.backend.test.loader import load_model_tests

LARGEST = 1500  # Bytes of a seed.
LARGEST_EXPORTED = 60000  # Bytes of a seed from an exporter.
NEIGHBOURS = 6  # Nodes of a seed that is a part of an exported model.
OPSET = 20


def value(name, dims=("n", 2), element=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, element, dims)


def model(nodes, inputs, outputs, initializers=(), functions=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("local", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=10)


def tensors():
    """A model for each element type, its initialiser as raw data, in the typed fields, and in another file."""
    for name, element in TensorProto.DataType.items():
        if name in ("UNDEFINED", "STRING"):
            continue
        try:
            typed = helper.make_tensor("w", element, [3], [1, 0, 1])
            raw = helper.make_tensor("w", element, [2], bytes(32)[: 2 * max(1, helper.tensor_dtype_to_np_dtype(element).itemsize)], raw=True)
        except (KeyError, TypeError, ValueError):
            continue
        external = TensorProto(name="w", data_type=element, dims=[4], data_location=TensorProto.EXTERNAL)
        for key, text in (("location", "data.bin"), ("offset", "16")):
            external.external_data.add(key=key, value=text)
        for kind, tensor in (("typed", typed), ("raw", raw), ("external", external)):
            yield f"tensor-{kind}-{name}", model([helper.make_node("Identity", ["w"], ["y"])], [], [value("y", tensor.dims, element)], [tensor])


def outside():
    """External data that must be refused."""
    for number, location in enumerate(("../data.bin", "/data.bin", "missing", "", "./data.bin/", "data.bin\0")):
        tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 40, 4], data_location=TensorProto.EXTERNAL)
        for key, text in (("location", location), ("offset", "9223372036854775807"), ("length", "-1")):
            tensor.external_data.add(key=key, value=text)
        yield f"outside-{number}", model([helper.make_node("Identity", ["w"], ["y"])], [], [value("y")], [tensor])


def nested(depth):
    """`If` in `If`, each branch reading a value from outside."""
    def branch(level):
        if level == 0:
            return helper.make_graph([helper.make_node("Add", ["x", "x"], [f"r{level}"])], "b", [], [value(f"r{level}")])
        inner = branch(level - 1)
        return helper.make_graph([helper.make_node("If", ["c"], [f"r{level}"], then_branch=inner, else_branch=inner)], "b", [], [value(f"r{level}")])
    return model([helper.make_node("If", ["c"], ["y"], then_branch=branch(depth), else_branch=branch(0))],
                 [value("c", (), TensorProto.BOOL), value("x")], [value("y")])


def functions():
    """A function that calls another and hands an attribute on; one that calls itself."""
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("local", 1)]
    inner = helper.make_node("LeakyRelu", ["a"], ["b"])
    inner.attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    leaky = helper.make_function("local", "leaky", ["a"], ["b"], [inner], opsets, ["slope"])
    twice = helper.make_function("local", "twice", ["a"], ["c"], [helper.make_node("leaky", ["a"], ["b"], domain="local", slope=0.5),
                                                                  helper.make_node("leaky", ["b"], ["c"], domain="local", slope=0.25)], opsets)
    itself = helper.make_function("local", "twice", ["a"], ["b"], [helper.make_node("twice", ["a"], ["b"], domain="local")], opsets)
    call = [helper.make_node("twice", ["x"], ["y"], domain="local")]
    yield "functions", model(call, [value("x")], [value("y")], functions=[leaky, twice])
    yield "functions-cycle", model(call, [value("x")], [value("y")], functions=[itself])


def devices():
    """Sharding specs: a group, an axis made of two, a configuration that is not there."""
    node = helper.make_node("Neg", ["x"], ["y"])
    for configuration, axes in (("c", [[(0, None, 2)]]), ("c", [[(1, "n", 2), (2, 2, 1)]]), ("d", [])):
        entry = node.device_configurations.add(configuration_id=configuration, pipeline_stage=1)
        spec = entry.sharding_spec.add(tensor_name="x", device=[7, 1])
        spec.index_to_device_group_map.add(key=7, value=[0])
        for factors in axes:
            dim = spec.sharded_dim.add(axis=factors[0][0])
            for _, size, shards in factors:
                simple = dim.simple_sharding.add(num_shards=shards)
                if isinstance(size, int):
                    simple.dim_value = size
                elif size:
                    simple.dim_param = size
    proto = model([node], [value("x")], [value("y")])
    proto.configuration.add(name="c", num_devices=2, device=["a", "b"])
    yield "devices", proto


def own_models():
    yield from devices()
    yield from tensors()
    yield from outside()
    yield from functions()
    yield "nested-1", nested(1)
    yield "nested-4", nested(4)
    unsorted = [helper.make_node("Neg", ["a"], ["y"]), helper.make_node("Abs", ["x"], ["a"])]
    yield "unsorted", model(unsorted, [value("x")], [value("y")])
    yield "cycle", model([helper.make_node("Add", ["x", "y"], ["a"]), helper.make_node("Neg", ["a"], ["y"])], [value("x")], [value("y")])
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2, 2, 2], [1.0] * 8)
    moe = helper.make_node("MoE", ["x", "p", "w", "", "w"], ["y"], domain="com.microsoft", k=1, activation_type="relu")
    yield "moe", model([moe], [value("x"), value("p")], [value("y")], [weight])
    yield "no-graph", onnx.ModelProto(ir_version=10)


def node_tests():
    """The smallest node test of each op, and the smallest with a function or a graph for each."""
    smallest = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = load_model_tests(kind="node")
    for case in cases:
        proto = onnx.load(pathlib.Path(case.model_dir, "model.onnx"), load_external_data=False) if case.model is None else case.model
        data = proto.SerializeToString()
        key = (proto.graph.node[0].op_type if proto.graph.node else "", bool(proto.functions), case.name.endswith("_expanded"))
        if len(data) <= LARGEST and (key not in smallest or len(data) < len(smallest[key][1])):
            smallest[key] = (case.name, data)
    return sorted(smallest.values())


def dictionary(seeds):
    """Names that the seeds hold, as libFuzzer's dictionary: ops, attributes, domains, keys of external data, numbers at the edge."""
    words = {"location", "offset", "length", "checksum", "data.bin", "com.microsoft", "ai.onnx.ml", "local", "-1", "9223372036854775807", "../"}
    for data in seeds:
        proto = onnx.ModelProto.FromString(data)
        for nodes in [proto.graph.node, *(function.node for function in proto.functions)]:
            words |= {node.op_type for node in nodes} | {attribute.name for node in nodes for attribute in node.attribute}
    edges = [b"\xff" * 9 + b"\x01", b"\xff" * 8 + b"\x7f", b"\x80" * 9 + b"\x01", b"\xff\xff\xff\xff\x07", b"\x80\x80\x80\x80\x80\x20"]
    quoted = [word.encode() for word in sorted(words) if word] + edges
    return "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in quoted)


def without_weights(proto):
    """The model with inputs where it has initialisers of more than 64 bytes; small ones steer shapes and stay."""
    large = [tensor for tensor in proto.graph.initializer if len(tensor.SerializeToString()) > 64]
    inputs = {entry.name for entry in proto.graph.input}
    for tensor in large:
        proto.graph.initializer.remove(tensor)
        if tensor.name not in inputs:
            proto.graph.input.append(value(tensor.name, tensor.dims, tensor.data_type))
    return proto


def neighbours(proto):
    """Each run of a few nodes of the graph as a model: what it reads is an input where its type is known, what nobody in it reads an output."""
    graph = proto.graph
    types = {entry.name: entry for entry in [*graph.input, *graph.value_info, *graph.output]}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for start in range(0, len(graph.node), NEIGHBOURS):
        nodes = graph.node[start : start + NEIGHBOURS]
        made = {name for node in nodes for name in node.output if name}
        reads = {name for node in nodes for name in node.input if name} - made
        results = made - {name for node in nodes for name in node.input}
        if not all(name in types or name in constants for name in reads) or not all(name in types for name in results):
            continue
        part = onnx.ModelProto(ir_version=proto.ir_version, opset_import=proto.opset_import, functions=proto.functions)
        part.graph.name = "part"
        part.graph.node.extend(nodes)
        part.graph.input.extend(types[name] for name in sorted(reads - constants.keys()))
        part.graph.initializer.extend(constants[name] for name in sorted(reads & constants.keys()))
        part.graph.output.extend(types[name] for name in sorted(results))
        yield start, part


def exported(folder):
    seen = set()
    for path in sorted(folder.rglob("*.onnx")):
        name = "exported-" + "-".join(path.relative_to(folder).with_suffix("").parts)
        proto = without_weights(onnx.load(path, load_external_data=False))
        data = proto.SerializeToString()
        if len(data) <= LARGEST_EXPORTED:
            yield name, data
        for start, part in neighbours(onnx.shape_inference.infer_shapes(proto)):
            data = part.SerializeToString()
            ops = tuple(node.op_type for node in part.graph.node)
            if len(data) <= LARGEST and ops not in seen:
                seen.add(ops)
                yield f"{name}-{start}", data


def main():
    folder, words = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    seeds = [(name, proto.SerializeToString()) for name, proto in own_models()] + node_tests()
    if len(sys.argv) > 3:
        seeds += exported(pathlib.Path(sys.argv[3]))
    for name, data in seeds:
        (folder / name).write_bytes(data)
    words.write_text(dictionary([data for _, data in seeds]))
    print(f"{len(seeds)} seeds, {sum(len(data) for _, data in seeds)} bytes")


if __name__ == "__main__":
    main()
