"""Compares what import made of a model (MLIR text on stdin) with a walk over the same file by the `onnx` package.

Checked: inputs and outputs with names, dims and element types; op, since-version and number of operands of every node, in order; element type and
static dims of every node's results where the file declares them; dims, element type and bytes of every weight. Prints one line with the counts.
"""
import argparse
import hashlib
import math
import pathlib
import re
import sys

import onnx
from onnx import TensorProto, numpy_helper

ELEMENTS = {
    TensorProto.FLOAT: "f32", TensorProto.DOUBLE: "f64", TensorProto.FLOAT16: "f16", TensorProto.BFLOAT16: "bf16", TensorProto.BOOL: "i1",
    TensorProto.INT4: "i4", TensorProto.INT8: "i8", TensorProto.INT16: "i16", TensorProto.INT32: "i32", TensorProto.INT64: "i64",
    TensorProto.UINT4: "ui4", TensorProto.UINT8: "ui8", TensorProto.UINT16: "ui16", TensorProto.UINT32: "ui32", TensorProto.UINT64: "ui64",
    TensorProto.FLOAT8E4M3FN: "f8E4M3FN", TensorProto.FLOAT8E4M3FNUZ: "f8E4M3FNUZ", TensorProto.FLOAT8E5M2: "f8E5M2",
    TensorProto.FLOAT8E5M2FNUZ: "f8E5M2FNUZ", TensorProto.FLOAT8E8M0: "f8E8M0FNU", TensorProto.FLOAT4E2M1: "f4E2M1FN",
    TensorProto.COMPLEX64: "complex<f32>", TensorProto.COMPLEX128: "complex<f64>",
}
LARGEST_CONSTANT = 4096
failures = []


def expect(what, expected, found):
    if expected != found:
        failures.append(f"{what}: expected {expected}, found {found}")


def mlir_type(text):
    """(element, dims) of "tensor<?x4xf32>"; None dims are dynamic."""
    if text == "none":
        return None
    *dims, element = text[len("tensor<"):-1].split("x") if "complex" not in text else re.match(r"tensor<(.*x)?(complex<f\d+>)>", text).group(1, 2)
    if isinstance(dims, list) and len(dims) == 1 and dims[0] and dims[0].endswith("x"):
        dims = dims[0][:-1].split("x")
    return element, [None if d == "?" else int(d) for d in dims if d]


def raw_bytes(tensor, folder):
    """The elements of a tensor as ONNX stores them in raw_data."""
    if onnx.external_data_helper.uses_external_data(tensor):
        onnx.external_data_helper.load_external_data_for_tensor(tensor, folder)
    if tensor.HasField("raw_data"):
        return tensor.raw_data
    return numpy_helper.from_array(numpy_helper.to_array(tensor)).raw_data


def tensors_of(model, folder):
    """Initializers and Constant tensors by name."""
    found = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = node.attribute[0].t
    return {name: (tensor, raw_bytes(tensor, folder)) for name, tensor in found.items()}


def since_version(model, node):
    declared = {opset.domain: opset.version for opset in model.opset_import}.get(node.domain, 1)
    if node.domain or node.op_type == "SimplifiedLayerNormalization":
        return 1
    try:
        return onnx.defs.get_schema(node.op_type, declared).since_version
    except onnx.defs.SchemaError:
        return min(s.since_version for s in onnx.defs.get_all_schemas_with_history() if s.name == node.op_type and s.domain == "")


def check_entry(model, line):
    skipped = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in skipped]
    arguments, results = re.match(r".*@main\((.*)\) -> \(?(.*?)\)? attributes \{moe\.entry\}", line).groups()
    pattern = r'(tensor<[^ ]*>) \{moe\.dims = \[(.*?)\], moe\.name = "(.*?)"\}'
    found = re.findall(pattern, arguments)
    expect("names of inputs", [value.name for value in inputs], [name for _, _, name in found])
    for value, (type_text, dims, name) in zip(inputs, found):
        tensor = value.type.tensor_type
        expected = [str(d.dim_value) if d.HasField("dim_value") else d.dim_param or "?" for d in tensor.shape.dim]
        expect(f"dims of {name}", expected, re.findall(r'"(.*?)"', dims))
        expect(f"type of {name}", ELEMENTS[tensor.elem_type], mlir_type(type_text)[0])
    found = re.findall(pattern, results)
    expect("names of outputs", [value.name for value in model.graph.output], [name for _, _, name in found])
    expect("types of outputs", [ELEMENTS[value.type.tensor_type.elem_type] for value in model.graph.output], [mlir_type(t)[0] for t, _, _ in found])


def check_nodes(model, lines):
    nodes = [node for node in model.graph.node if node.op_type != "Constant"]
    declared = {value.name: value.type.tensor_type for value in list(model.graph.value_info) + list(model.graph.output)}
    expect("number of nodes", len(nodes), len(lines))
    for node, line in zip(nodes, lines):
        op, operands, rest = re.match(r'.*moe\.onnx "(.*?)"\((.*?)\) (.*)', line).groups()
        expect("op", node.op_type, op)
        expect(f"domain of {node.name}", node.domain, (re.match(r'domain "(.*?)"', rest) or ["", ""])[1])
        expect(f"version of {op} {node.name}", since_version(model, node), int(re.search(r"version (\d+)", rest)[1]))
        expect(f"operands of {node.name}", len(node.input), len([x for x in operands.split(", ") if x]))
        types = re.findall(r"tensor<[^ ,]*>|none", rest.rsplit(" -> ", 1)[1])
        expect(f"results of {node.name}", len(node.output), len(types))
        for output, text in zip(node.output, types):
            if not output or output not in declared or not declared[output].HasField("shape"):
                continue
            element, dims = mlir_type(text)
            expect(f"type of {output}", ELEMENTS[declared[output].elem_type], element)
            sizes = [d.dim_value if d.HasField("dim_value") else None for d in declared[output].shape.dim]
            expect(f"rank of {output}", len(sizes), len(dims))
            for expected, found in zip(sizes, dims):
                if expected is not None and found is not None:
                    expect(f"dims of {output}", expected, found)


def as_attribute(data, dtype, count):
    """ONNX's bytes as MLIR prints those of a dense attribute: bools in bits, narrower elements than a byte one per byte."""
    if dtype == TensorProto.BOOL:
        return bytes(sum(bool(data[i + bit]) << bit for bit in range(8) if i + bit < count) for i in range(0, count, 8))
    if dtype in (TensorProto.INT4, TensorProto.UINT4, TensorProto.FLOAT4E2M1):
        return bytes(data[i // 2] >> 4 * (i % 2) & 15 for i in range(count))
    return data


def check_weights(tensors, lines):
    """Every weight has the bytes of the tensor that it is called after."""
    for line in lines:
        name, type_text, source = re.match(r'\s*moe\.weight @"?(.*?)"? : (\S+) source\((.*)\)', line).groups()
        if source.startswith("#moe.file"):
            path, offset, length = re.match(r'#moe\.file<"(.*)", offset = (\d+), length = (\d+)>', source).groups()
            with open(path, "rb") as file:
                file.seek(int(offset))
                found = file.read(int(length))
        else:
            found = bytes.fromhex(re.match(r'dense<"0x(.*?)">', source)[1])
        if name not in tensors:
            failures.append(f"weight {name}: there is no such tensor")
            continue
        tensor, expected = tensors[name]
        if not source.startswith("#moe.file"):
            expected = as_attribute(expected, tensor.data_type, math.prod(tensor.dims))
        expect(f"type of {name}", (ELEMENTS[tensor.data_type], list(tensor.dims)), mlir_type(type_text))
        expect(f"bytes of {name}", hashlib.sha256(expected).hexdigest(), hashlib.sha256(found).hexdigest())
        if len(tensors[name][1]) <= LARGEST_CONSTANT:
            failures.append(f"weight {name}: {len(tensors[name][1])} bytes should be a constant")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    arguments = parser.parse_args()
    text = sys.stdin.read().splitlines()
    model = onnx.load(arguments.model, load_external_data=False)
    folder = str(pathlib.Path(arguments.model).parent)
    tensors = tensors_of(model, folder)
    entry = [line for line in text if "func.func @main" in line]
    if len(entry) != 1:
        sys.exit("expected one @main")
    nodes = [line for line in text if "moe.onnx " in line]
    weights = [line for line in text if line.lstrip().startswith("moe.weight ")]
    check_entry(model, entry[0])
    check_nodes(model, nodes)
    check_weights(tensors, weights)
    for failure in failures[:20]:
        print(failure, file=sys.stderr)
    print(f"{len(nodes)} nodes and {len(weights)} weights agree" if not failures else f"{len(failures)} differences")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
