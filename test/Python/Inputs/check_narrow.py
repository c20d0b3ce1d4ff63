"""Narrow element types, as inputs, outputs, constants and stored weights, against ml_dtypes and the onnx package's own conversions: every code of every
type is decoded, and numbers are encoded that lie on, between and beside the codes."""

import pathlib
import sys

import ml_dtypes
import moe_opt
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(sys.argv[1])
FLOATS = {"float8_e4m3fn": TensorProto.FLOAT8E4M3FN, "float8_e4m3fnuz": TensorProto.FLOAT8E4M3FNUZ, "float8_e5m2": TensorProto.FLOAT8E5M2,
          "float8_e5m2fnuz": TensorProto.FLOAT8E5M2FNUZ, "float4_e2m1fn": TensorProto.FLOAT4E2M1, "float8_e8m0fnu": TensorProto.FLOAT8E8M0}
INTEGERS = {"int4": TensorProto.INT4, "uint4": TensorProto.UINT4, "int2": TensorProto.INT2, "uint2": TensorProto.UINT2}


def compile_graph(name, nodes, inputs, outputs, initializers=()):
    """inputs and outputs: {name: (ONNX type, dims)}"""
    def infos(values):
        return [helper.make_tensor_value_info(key, *value) for key, value in values.items()]

    graph = helper.make_graph(nodes, name, infos(inputs), infos(outputs), list(initializers))
    path = FOLDER / f"{name}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)], ir_version=12), path)
    return moe_opt.compile(path)


def expect_equal(found, want, what):
    assert found.dtype == want.dtype and found.shape == want.shape, f"{what}: {found.dtype} {found.shape}, expected {want.dtype} {want.shape}"
    # Through f32, in which every narrow number is exact; the sign of zero counts, that of NaN does not.
    a, b = found.astype(np.float32), want.astype(np.float32)
    same = (np.isnan(a) & np.isnan(b)) | ((a == b) & (np.signbit(a) == np.signbit(b)))
    at = np.flatnonzero(~same)
    assert not at.size, f"{what}: {at.size} differ, first at {at[0]}: {found.flat[at[0]]}, expected {want.flat[at[0]]}"


def codes(name):
    """Every code of a type."""
    dtype = getattr(ml_dtypes, name)
    bits = (ml_dtypes.iinfo if name in INTEGERS else ml_dtypes.finfo)(dtype).bits
    return np.arange(1 << bits, dtype=np.uint8).view(dtype)


def numbers():
    """All f16 numbers, and what lies beside the codes and halfway between them."""
    half = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    near = [half[np.isfinite(half)]]
    for name in FLOATS:
        values = np.sort(codes(name).astype(np.float32))
        values = values[np.isfinite(values)]
        middle = ((values[1:].astype(np.float64) + values[:-1]) / 2).astype(np.float32)
        near += [values, middle]
    exact = np.concatenate(near)
    with np.errstate(all="ignore"):
        beside = [np.nextafter(exact, np.float32(np.inf)), np.nextafter(exact, np.float32(-np.inf))]
    return np.concatenate([half, exact, *beside])


def check_decoding():
    for name, number in {**FLOATS, **INTEGERS}.items():
        values = codes(name)
        model = compile_graph(f"decode_{name}", [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT), helper.make_node("Identity", ["x"], ["z"])],
                              {"x": (number, ["n"])}, {"y": (TensorProto.FLOAT, ["n"]), "z": (number, ["n"])})
        results = model.run({"x": values})
        expect_equal(results["y"], values.astype(np.float32), f"decoding {name}")
        expect_equal(results["z"], values, f"passing {name}")


def check_encoding():
    x = numbers()
    # Halfway in f32 but not in f64: two roundings would go wrong.
    wide = np.concatenate([x, np.nextafter(x.astype(np.float64), np.inf), np.nextafter(x.astype(np.float64), -np.inf)])
    for name, number in FLOATS.items():
        if name == "float8_e8m0fnu":
            continue
        dtype = getattr(ml_dtypes, name)
        for saturate in (1, 0):
            nodes = [helper.make_node("Cast", [source], [f"{source}y"], to=number, saturate=saturate) for source in ("f32", "f64")]
            model = compile_graph(f"encode_{name}_{saturate}", nodes, {"f32": (TensorProto.FLOAT, ["n"]), "f64": (TensorProto.DOUBLE, ["m"])},
                                  {"f32y": (number, ["n"]), "f64y": (number, ["m"])})
            results = model.run({"f32": x, "f64": wide})
            for source, values in (("f32", x), ("f64", wide)):
                # ml_dtypes rounds f64 twice, hence a search of our own.
                want = nearest(values, dtype, saturate)
                if name == "float4_e2m1fn":  # it has no NaN; ONNX leaves open what one becomes
                    results[f"{source}y"], want = (array[~np.isnan(values)] for array in (results[f"{source}y"], want))
                expect_equal(results[f"{source}y"], want, f"{source} to {name}, saturate={saturate}")


def nearest(values, dtype, saturate):
    """The nearest number of a type, ties to the even code, found by search in the list of all its numbers."""
    byte = np.arange(256 if ml_dtypes.finfo(dtype).bits == 8 else 1 << ml_dtypes.finfo(dtype).bits, dtype=np.uint8)
    table = byte.view(dtype).astype(np.float64)
    positive = np.isfinite(table) & ~np.signbit(table)
    table, byte = table[positive], byte[positive]
    greatest, step = table[-1], table[-1] - table[-2]
    x = np.abs(values.astype(np.float64))
    above = np.clip(np.searchsorted(table, x), 1, len(table) - 1)
    low, high = table[above - 1], table[above]
    finite = np.where(np.isfinite(x), x, 0)
    up = (finite - low > high - finite) | ((finite - low == high - finite) & (byte[above] % 2 == 0))
    result = byte[np.where(up, above, above - 1)].copy()
    result[x >= greatest] = byte[-1]
    # Out of range is what would round to the next number, were there one; byte[-1] is odd or even.
    limit = greatest + step / 2
    outside = (x > limit) | ((x == limit) & (byte[-1] % 2 == 1))
    codes = result.view(dtype)
    if not saturate and ml_dtypes.finfo(dtype).bits == 8:
        codes[outside] = np.array(np.inf, np.float32).astype(dtype)
    codes[np.isnan(x)] = np.array(np.nan, np.float32).astype(dtype)
    negative = np.signbit(values) & ~np.isnan(x)
    return np.where(negative, (-codes.astype(np.float32)).astype(dtype), codes)


def check_powers():
    x = np.abs(numbers())
    x = np.concatenate([x[np.isfinite(x) & (x >= 2.0**-126)], np.float32([2.0**-127, 2.0**126, 1.5 * 2.0**126, 2.0**127, 1.5 * 2.0**127])])
    number = TensorProto.FLOAT8E8M0
    for rounding in ("up", "down", "nearest"):
        model = compile_graph(f"powers_{rounding}", [helper.make_node("Cast", ["x"], ["y"], to=number, round_mode=rounding)],
                              {"x": (TensorProto.FLOAT, ["n"])}, {"y": (number, ["n"])})
        exponent = np.log2(x.astype(np.float64))
        low = 2.0 ** np.floor(exponent)
        low = np.where(low > x, low / 2, low)
        power = {"down": low, "up": np.where(low == x, low, 2 * low), "nearest": np.where(x >= 1.5 * low, 2 * low, low)}[rounding]
        want = np.minimum(power, 2.0**127).astype(np.float32).astype(ml_dtypes.float8_e8m0fnu)
        expect_equal(model.run({"x": x})["y"], want, f"f32 to float8_e8m0fnu, {rounding}")


def check_stored():
    """A small constant and a large weight in the file, packed as ONNX packs them, dequantised by blocks."""
    random = np.random.default_rng(7)
    for name, number in {**INTEGERS, "float4_e2m1fn": TensorProto.FLOAT4E2M1, "float8_e4m3fn": TensorProto.FLOAT8E4M3FN}.items():
        for rows in (3, 301):
            shape = (rows, 96)
            weight = codes(name)[random.integers(0, len(codes(name)) // (2 if "float8" in name else 1), shape)]
            weight = np.where(np.isnan(weight.astype(np.float32)), np.ones_like(weight), weight) if "float8" in name else weight
            scale = random.uniform(0.5, 2, (rows, 3)).astype(np.float32)
            bits = 2 if name in ("int2", "uint2") else 8 if "float8" in name else 4
            raw = weight.view(np.uint8).reshape(-1, 8 // bits).astype(np.uint32)
            packed = sum((raw[:, i] & ((1 << bits) - 1)) << (bits * i) for i in range(8 // bits)).astype(np.uint8)
            initializers = [helper.make_tensor("w", number, shape, packed.tobytes(), raw=True), numpy_helper.from_array(scale, "s")]
            model = compile_graph(f"stored_{name}_{rows}", [helper.make_node("DequantizeLinear", ["w", "s"], ["d"], axis=1, block_size=32),
                                                            helper.make_node("Add", ["x", "d"], ["y"])],
                                  {"x": (TensorProto.FLOAT, [1])}, {"y": (TensorProto.FLOAT, list(shape))}, initializers)
            want = weight.astype(np.float32) * np.repeat(scale, 32, axis=1)
            found = model.run({"x": np.zeros(1, np.float32)})["y"]
            assert np.array_equal(found, want), f"{rows} rows of {name}: off by {np.abs(found - want).max()}"


def check_quantised():
    x = np.linspace(-12, 12, 97, dtype=np.float32)
    for name, number in INTEGERS.items():
        info = ml_dtypes.iinfo(getattr(ml_dtypes, name))
        zero = np.array(1).astype(getattr(ml_dtypes, name))
        model = compile_graph(f"quantise_{name}", [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])],
                              {"x": (TensorProto.FLOAT, ["n"]), "s": (TensorProto.FLOAT, []), "z": (number, [])}, {"y": (number, ["n"])})
        want = np.clip(np.rint(x / np.float32(0.75)) + 1, info.min, info.max).astype(np.int8).astype(zero.dtype)
        expect_equal(model.run({"x": x, "s": np.float32(0.75), "z": zero})["y"], want, f"QuantizeLinear to {name}")


np.seterr(invalid="ignore")  # NaNs among the numbers
for check in (check_decoding, check_encoding, check_powers, check_stored, check_quantised):
    check()
    print(check.__name__, "passed")
