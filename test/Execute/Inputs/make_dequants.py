"""Writes model.mlir with a `moe.dequant` for every format of weights and every way to store its parts, each read twice: as the numbers themselves and
as the right side of a product with the unit matrix; its weights; and test data from numpy and ml_dtypes: make_dequants.py FOLDER [TYPE].
With TYPE (f16 or bf16), the type of the matrix, there are the formats that kernels for tensor cores take, in products as the fuse stage leaves them.
Formulas: OCP Microscaling 1.0 (e2m1, e8m0), the FP8 paper (e4m3, arXiv 2209.05433), QLoRA (nf4, arXiv 2305.14314) and section 15.2 of the reference.
"""

import pathlib
import sys

import ml_dtypes
import numpy as np
from onnx import numpy_helper

FOLDER = pathlib.Path(sys.argv[1])
ROWS = sys.argv[2] if len(sys.argv) > 2 else "f32"
OUT, IN, EXPERTS = (11, 37, 3) if ROWS == "f32" else (40, 208, 3)  # The last group of most sizes below is cut off.
rng = np.random.default_rng(3)

E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)
NF4 = np.array([-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
                -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
                0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0], np.float32)
NUMPY = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f8E4M3FN": ml_dtypes.float8_e4m3fn, "f8E8M0FNU": ml_dtypes.float8_e8m0fnu,
         "i8": np.int8, "ui8": np.uint8}
BITS = {"int8_channel": 8, "int8_group": 8, "int4_group": 4, "int2_group": 2, "mxfp4": 4, "nvfp4": 4, "fp8_block": 8, "nf4": 4}


def packed(codes, bits):
    """Codes along the last dim in bytes, the lowest bits first."""
    per = 8 // bits
    wide = np.concatenate([codes, np.zeros((*codes.shape[:-1], -codes.shape[-1] % per), np.uint8)], -1).reshape(*codes.shape[:-1], -1, per)
    return np.bitwise_or.reduce(wide << (np.arange(per, dtype=np.uint8) * bits), -1).astype(np.uint8)


def spread(values, shape, group, axis):
    """One value for each element: `values` has one for each `group` along `axis`; no such dim where group is 0."""
    if not group:
        return np.broadcast_to(np.expand_dims(values, axis), shape)
    return np.take(np.repeat(values, group, axis), np.arange(shape[axis]), axis)


weights, lines, results, expected = [], [], [], {}


def weight(name, values, element):
    type = f"tensor<{'x'.join(map(str, values.shape))}x{element}>"
    (FOLDER / f"{name}.bin").write_bytes(np.ascontiguousarray(values).tobytes())
    weights.append(f'moe.weight @{name} : {type} source(#moe.file<"{name}.bin", offset = 0, length = {values.nbytes}>)')
    lines.append(f"  %{name} = moe.weight_ref @{name} : {type}")
    return f"%{name}", type


def scales_of(shape, group, axis, element, both):
    sizes = list(shape)
    if group:
        for dim in ([-1, -2] if both else [axis]):
            sizes[dim] = -(-sizes[dim] // group)
    else:
        del sizes[axis]
    if element in ("f8E8M0FNU", "ui8"):
        bytes = rng.integers(120, 130, sizes).astype(np.uint8)
        return (bytes if element == "ui8" else bytes.view(NUMPY[element])), np.exp2(bytes.astype(np.float32) - 127)
    stored = rng.uniform(0.05, 0.5, sizes).astype(NUMPY[element])
    return stored, stored.astype(np.float32)


def case(name, format, group=0, axis=-1, payload="bytes", scale="f32", zeros=None, fill=False, experts=False):
    """payload: bytes (packed) or the element type of one code each; zeros: None, codes or a float type; fill: rows end with the last group."""
    bits, shape = BITS[format], (EXPERTS, OUT, IN) if experts else (OUT, IN)
    code = rng.integers(0, 2**bits, shape).astype(np.uint8)
    if format == "fp8_block":
        code = np.where(code & 0x7f == 0x7f, 0, code).astype(np.uint8)
    signed = payload == "i8"
    stored_scales, scales = scales_of(shape, group, axis, scale, format == "fp8_block")
    if format == "fp8_block":
        factor = spread(spread(scales, (*scales.shape[:-1], IN), group, -1), shape, group, -2)
    else:
        factor = spread(scales, shape, group, axis)
    zero = np.float32(0)
    parts = ""
    if zeros == "codes":
        number = rng.integers(0, 2**bits, stored_scales.shape).astype(np.uint8)
        zero = spread(number.astype(np.float32), shape, group, axis)
        stored_zeros = (packed(number, bits) if bits < 8 else number), "ui8"
    elif zeros:
        number = rng.uniform(0, 2**bits - 1, stored_scales.shape).astype(NUMPY[zeros])
        zero = spread(number.astype(np.float32), shape, group, axis)
        stored_zeros = number, zeros
    elif format.startswith("int") and not signed:
        zero = np.float32(2 ** (bits - 1))
    if format in ("mxfp4", "nvfp4"):
        value = E2M1[code]
    elif format == "nf4":
        value = NF4[code]
    elif format == "fp8_block":
        value = code.view(ml_dtypes.float8_e4m3fn).astype(np.float32)
    else:
        value = (code.view(np.int8) if signed else code).astype(np.float32)
    numbers = (factor * (value - zero)).astype(np.float32)
    assert np.isfinite(numbers).all()

    if payload == "bytes":
        long = np.concatenate([code, rng.integers(0, 2**bits, (*shape[:-1], -IN % group)).astype(np.uint8)], -1) if fill else code
        stored, element = (packed(long, bits) if bits < 8 else long), "ui8"
    else:
        stored, element = (code if payload == "ui8" else code.view(NUMPY[payload])), payload
    codes, codes_type = weight(f"{name}_codes", stored, element)
    s, s_type = weight(f"{name}_scales", stored_scales, scale)
    if zeros:
        z, z_type = weight(f"{name}_zeros", *stored_zeros)
        parts = f" zeros({z} : {z_type})"
    attributes = f"format = {format}" + (f", group_size = {group}" if group else "") + (", axis = -2" if axis == -2 else "")
    full = "x".join(map(str, shape))
    lines.append(f"  %{name} = moe.dequant {codes} scales({s} : {s_type}){parts} <{attributes}> : {codes_type} -> tensor<{full}xf32>")
    if ROWS == "f32":
        results.append((f"%{name}", f"tensor<{full}xf32>", f"{name}_numbers"))
        expected[f"{name}_numbers"] = numbers
    if not experts:
        fused = f"""  %{name}_product = moe.grouped_matmul %x weight(%{name} : tensor<{full}xf32>) outs(%init : !y) : !x -> !y"""
        lines.append(fused if ROWS != "f32" else f"""  %{name}_product = linalg.matmul indexing_maps = [#rows, #weight, #product] ins(%x, %{name} : !x, tensor<{full}xf32>)
      outs(%init : !y) -> !y""")
        results.append((f"%{name}_product", "!y", f"{name}_product"))
        expected[f"{name}_product"] = numbers.T


def narrow_cases():
    """Groups that a stage of 64 of k has several of, that take several, and that are the whole of k."""
    case("int8", "int8_channel", payload="i8")
    case("int8_zeros", "int8_channel", zeros="codes", scale="f16")
    case("int8_group", "int8_group", group=16, zeros="codes")
    case("int8_long", "int8_group", group=128, scale="bf16")
    case("int4", "int4_group", group=16)
    case("int4_zeros", "int4_group", group=32, zeros="codes", scale="f16")
    case("int4_stage", "int4_group", group=64, zeros="codes")
    case("int4_long", "int4_group", group=128, zeros="codes", scale="bf16")
    case("int4_whole", "int4_group", zeros="codes")
    case("int2", "int2_group", group=16)
    case("int2_long", "int2_group", group=64, zeros="codes")
    case("mxfp4", "mxfp4", group=32, scale="ui8")
    case("nvfp4", "nvfp4", group=16, scale="f8E4M3FN")
    case("fp8", "fp8_block", group=16, payload="f8E4M3FN")
    case("fp8_long", "fp8_block", group=128)
    # And those that stay with the kernel of multiply-adds: zero points of floats, tables, groups that are no whole steps of a matrix product.
    case("int4_floats", "int4_group", group=32, zeros="f32")
    case("int4_short", "int4_group", group=8)
    case("nf4", "nf4", group=16)


def all_cases():
    case("int8", "int8_channel", payload="i8")
    case("int8_bytes", "int8_channel", scale="bf16")
    case("int8_zeros", "int8_channel", zeros="codes", scale="f16")
    case("int8_floats", "int8_channel", zeros="f32")
    case("int8_in", "int8_channel", axis=-2, payload="i8")
    case("int8_group", "int8_group", group=16, zeros="codes")
    case("int4", "int4_group", group=16)
    case("int4_zeros", "int4_group", group=16, zeros="codes", scale="f16")
    case("int4_floats", "int4_group", group=32, zeros="bf16", scale="bf16", fill=True)
    case("int4_filled", "int4_group", group=8, fill=True)
    case("int4_whole", "int4_group")
    case("int4_in", "int4_group", group=4, axis=-2, zeros="codes")
    case("int4_experts", "int4_group", group=16, zeros="codes", experts=True)
    case("int2", "int2_group", group=16)
    case("int2_zeros", "int2_group", group=16, zeros="codes")
    case("mxfp4", "mxfp4", group=32, scale="ui8")
    case("mxfp4_filled", "mxfp4", group=32, scale="f8E8M0FNU", fill=True)
    case("nvfp4", "nvfp4", group=16, scale="f8E4M3FN")
    case("fp8", "fp8_block", group=8, payload="f8E4M3FN")
    case("fp8_bytes", "fp8_block", group=16)
    case("fp8_experts", "fp8_block", group=16, experts=True)
    case("nf4", "nf4", group=16)
    case("nf4_half", "nf4", group=8, scale="f16")


x = np.eye(IN).astype(NUMPY[ROWS])
(all_cases if ROWS == "f32" else narrow_cases)()
returned = ", ".join(f'{type} {{moe.name = "{name}"}}' for _, type, name in results)
(FOLDER / "model.mlir").write_text(f"""!x = tensor<{IN}x{IN}x{ROWS}>
!y = tensor<{IN}x{OUT}xf32>
#rows = affine_map<(m, n, k) -> (m, k)>
#weight = affine_map<(m, n, k) -> (n, k)>
#product = affine_map<(m, n, k) -> (m, n)>
{chr(10).join(weights)}

func.func @main(%x: !x {{moe.name = "x"}}) -> ({returned}) attributes {{moe.entry}} {{
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : !y
  %init = linalg.fill ins(%zero : f32) outs(%empty : !y) -> !y
{chr(10).join(lines)}
  return {", ".join(value for value, _, _ in results)} : {", ".join(type for _, type, _ in results)}
}}
""")
data = FOLDER / "test_data_set_0"
data.mkdir()
(data / "input_0.pb").write_bytes(numpy_helper.from_array(x, "x").SerializeToString())
for number, (_, _, name) in enumerate(results):
    (data / f"output_{number}.pb").write_bytes(numpy_helper.from_array(expected[name], name).SerializeToString())
