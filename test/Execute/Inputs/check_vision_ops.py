"""Compiles pools, transposed and integer convolutions, Resize, normalisations and transforms in combinations of attributes that ONNX's node tests do not
have, and fused nodes of com.microsoft around them, and compares with ONNX Runtime on random inputs, or with the schema's formula where it has no kernel.

usage: check_vision_ops.py
"""
import itertools

import numpy as np

from node_cases import Cases

cases = Cases(seed=21)
add, const, given, floats, codes, refused = cases.add, cases.const, cases.given, cases.floats, cases.codes, cases.refused
IMAGE = ["n", 3, "h", "w"]


def pools():
    x, fixed, line = given(floats(2, 3, 9, 11), IMAGE), given(floats(2, 3, 9, 11)), given(floats(2, 3, 20), ["n", "c", "l"])
    for kind, kernel, strides, dilations in itertools.product(("MaxPool", "AveragePool"), ([1, 1], [2, 3], [3, 3]), ([1, 1], [2, 3]), ([1, 1], [2, 1])):
        form = {"kernel_shape": kernel, "strides": strides, "dilations": dilations}
        if kind == "AveragePool" and dilations != [1, 1]:
            continue  # Of opset 19 on; ONNX Runtime has it in other versions than its schema.
        form = form if kind == "MaxPool" else {"kernel_shape": kernel, "strides": strides}
        add(kind, [x], domain="", **form)
        if kernel != [1, 1]:
            add(kind, [fixed], domain="", pads=[1, 0, 1, 1], **form)
            add(kind, [fixed], domain="", auto_pad="SAME_UPPER", **(form if dilations == [1, 1] else {"kernel_shape": kernel}))
        add(kind, [fixed], domain="", ceil_mode=1, **form)
    add("AveragePool", [x], domain="", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    add("MaxPool", [line], domain="", kernel_shape=[4], strides=[2], pads=[1, 2])
    for kind in ("GlobalAveragePool", "GlobalMaxPool"):
        add(kind, [x], domain="")
        add(kind, [line], domain="")
    add("LRN", [x], domain="", size=3, alpha=0.1, beta=0.5, bias=2.0)
    cases.check("pools")
    for dtype in (np.uint8, np.int8):
        image, zero = given(codes(dtype, 1, 8, 8, 3)), 128 if dtype == np.uint8 else 0
        add("NhwcMaxPool", [image], kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0])
        scale = [const(0.05), const(zero, dtype), const(0.03), const(zero + 2, dtype)]
        if dtype == np.uint8:  # The other type has no kernel.
            for last in (0, 1):
                add("QLinearAveragePool", [given(codes(dtype, 1, 6, 8, 3)), *scale], kernel_shape=[2, 2], channels_last=last)
        for last in (0, 1):
            add("QLinearGlobalAveragePool", [given(codes(dtype, 1, 6, 8, 16)), *scale], channels_last=last)
    cases.check("pools of codes")


def convolutions():
    x = given(floats(2, 4, 5, 6), ["n", 4, "h", "w"])
    for group, strides, dilations, more in itertools.product((1, 2), ([1, 1], [2, 3]), ([1, 1], [2, 1]), ([0, 0], [1, 1])):
        if more != [0, 0] and strides == [1, 1]:
            continue
        form = {"group": group, "strides": strides, "dilations": dilations, "output_padding": more}
        weights = const(floats(4, 3, 3, 2))
        add("ConvTranspose", [x, weights, const(floats(3 * group))], domain="", **form)
        add("ConvTranspose", [x, weights], domain="", pads=[1, 0, 1, 1], **form)
    fixed, weights = given(floats(1, 4, 5, 6)), const(floats(4, 3, 3, 3))
    for automatic in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        add("ConvTranspose", [fixed, weights], domain="", strides=[2, 2], auto_pad=automatic)
    add("ConvTranspose", [fixed, weights], domain="", strides=[2, 2], output_shape=[10, 12])
    add("ConvTranspose", [given(floats(1, 4, 7)), const(floats(4, 2, 3))], domain="", strides=[2])
    kinds = {"Relu": [], "Sigmoid": [], "Tanh": [], "LeakyRelu": [0.3], "HardSigmoid": [0.3, 0.4], "Clip": [-0.5, 0.7]}
    for kind, parameters in kinds.items():
        for added in (False, True):
            extra = ["", given(floats(2, 6, 3, 4))] if added else [const(floats(6))]
            form = {"activation_params": parameters} if parameters else {}
            add("FusedConv", [x, const(floats(6, 4, 3, 3)), *extra], activation=kind, **form)
    cases.check("convolutions", 2e-5)
    for dtype in (np.uint8,):
        x, w = given(codes(dtype, 1, 4, 6, 6)), const(codes(dtype, 5, 4, 3, 3), dtype)
        add("ConvInteger", [x, w, const(120, dtype), const(130, dtype)], domain="", pads=[1, 1, 1, 1])
        add("ConvInteger", [x, w], domain="", strides=[2, 2])
    for per_map, biased in itertools.product((False, True), (False, True)):
        x, w = given(codes(np.uint8, 1, 4, 6, 6)), const(codes(np.int8, 5, 4, 3, 3), np.int8)
        scale, zero = (const(cases.rng.uniform(0.01, 0.02, 5)), const(np.zeros(5), np.int8)) if per_map else (const(0.013), const(0, np.int8))
        bias = [const(cases.rng.integers(-3000, 3000, 5), np.int32)] if biased else []
        add("QLinearConv", [x, const(0.021), const(117, np.uint8), w, scale, zero, const(0.31), const(125, np.uint8), *bias], domain="", pads=[1, 0, 1, 0])
        x = given(codes(np.uint8, 1, 6, 6, 4))
        add("QLinearConv", [x, const(0.021), const(117, np.uint8), w, scale, zero, const(0.31), const(125, np.uint8), *bias], channels_last=1)
    cases.check("convolutions of codes")


def resize():
    """ONNX Runtime takes align_corners' size after rounding, which is tested with whole sizes only."""
    x = given(floats(1, 2, 6, 5))
    modes = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric")
    for mode, coordinates, sizes in itertools.product(("nearest", "linear", "cubic"), modes, ([12, 10], [4, 3], [9, 5])):
        if coordinates == "half_pixel_symmetric" and mode == "cubic":
            continue
        add("Resize", [x, "", "", const([1, 2, *sizes], np.int64)], domain="", mode=mode, coordinate_transformation_mode=coordinates)
    for nearest in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        add("Resize", [x, "", const([1, 1, 1.5, 2.5])], domain="", mode="nearest", nearest_mode=nearest)
        add("Resize", [x, "", const([1, 1, 0.6, 0.5])], domain="", mode="nearest", nearest_mode=nearest, coordinate_transformation_mode="asymmetric")
    add("Resize", [x, "", const([1, 1, 1.5, 2])], domain="", mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1)
    for mode in ("linear", "cubic"):
        add("Resize", [given(floats(1, 2, 6, 5)), "", "", const([1, 2, 3, 2], np.int64)], domain="", mode=mode, antialias=1)
    for mode in ("nearest", "linear"):
        add("Resize", [given(floats(1, 2, 6, 5)), const([0, 0, 0.2, 0.3, 1, 1, 0.9, 1.2]), "", const([1, 2, 5, 7], np.int64)], domain="", mode=mode,
            coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=4.0)
    # As exporters write it: the batch and the channels from the input.
    x = given(floats(2, 2, 6, 5), ["n", 2, 6, 5])
    front, = add("Shape", [x], domain="", end=2)
    sizes, = add("Concat", [front, const([9, 10], np.int64)], domain="", axis=0)
    add("Resize", [x, "", "", sizes], domain="", mode="linear")
    add("Resize", [x, "", const([1, 1, 2, 2])], domain="", mode="linear")
    cases.check("Resize", 2e-5)


def indices():
    """Where the greatest elements lie, in both orders."""
    x, fixed = given(floats(2, 3, 9, 11), IMAGE), given(floats(2, 3, 9, 11))
    for kernel, strides, order in itertools.product(([3, 2], [2, 3]), ([1, 1], [2, 3]), (0, 1)):
        add("MaxPool", [x], 2, domain="", kernel_shape=kernel, strides=strides, storage_order=order)
        add("MaxPool", [fixed], 2, domain="", kernel_shape=kernel, strides=strides, storage_order=order, pads=[1, 1, 0, 1])
    # Equal elements: the first is taken. Elements as small as padding: they are, not the padding.
    equal = given(np.round(floats(2, 3, 9, 11)), IMAGE)
    add("MaxPool", [equal], 2, domain="", kernel_shape=[3, 3], strides=[2, 1], dilations=[2, 1], pads=[1, 1, 1, 1])
    add("MaxPool", [given(np.zeros((1, 2, 5, 6), np.uint8))], 2, domain="", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    add("MaxPool", [given(floats(2, 3, 20), ["n", "c", "l"])], 2, domain="", kernel_shape=[4], strides=[3], pads=[1, 2])
    for order in (0, 1):
        add("MaxPool", [given(floats(1, 2, 4, 5, 6))], 2, domain="", kernel_shape=[2, 3, 2], strides=[1, 2, 2], storage_order=order)
    cases.check("pools with indices")


def sampling():
    """Places inside, at the edges and far outside."""
    image, grid = given(floats(2, 3, 5, 6), ["n", 3, "h", "w"]), given((1.4 * floats(2, 4, 7, 2)).astype(np.float32), ["n", "e", "f", 2])
    volume, places = given(floats(2, 3, 4, 5, 3)), given((1.4 * floats(2, 3, 4, 2, 3)).astype(np.float32))
    for mode, padding, aligned in itertools.product(("nearest", "linear", "cubic"), ("zeros", "border", "reflection"), (0, 1)):
        add("GridSample", [image, grid], domain="", mode=mode, padding_mode=padding, align_corners=aligned)
        if mode != "cubic":
            add("GridSample", [volume, places], domain="", mode=mode, padding_mode=padding, align_corners=aligned)
    corners = given(np.float32([[[[-1, -1], [1, 1], [-1, 1], [0, 0], [1, -3]]]]))
    add("GridSample", [given(floats(1, 2, 4, 4)), corners], domain="")
    cases.check("sampling", 2e-5)


def normalisations():
    x = given(floats(2, 6, 4, 5), ["n", 6, "h", "w"])
    add("BatchNormalization", [x, const(floats(6)), const(floats(6)), const(floats(6)), const(np.abs(floats(6)))], domain="", epsilon=1e-3)
    add("InstanceNormalization", [x, const(floats(6)), const(floats(6))], domain="", epsilon=1e-3)
    add("GroupNormalization", [x, const(floats(6)), const(floats(6))], domain="", num_groups=3)
    for kind, axis in itertools.product(("Hardmax",), (1, -1)):
        add(kind, [x], domain="", axis=axis)
    add("PRelu", [x, const(floats(6, 1, 1))], domain="")
    add("Selu", [x], domain="", alpha=1.2, gamma=0.9)
    add("Celu", [x], domain="", alpha=0.7)
    add("DepthToSpace", [given(floats(1, 8, 2, 3), ["m", 8, "i", "j"])], domain="", blocksize=2, mode="CRD")
    add("SpaceToDepth", [given(floats(1, 2, 4, 6))], domain="", blocksize=2)
    cases.check("normalisations")
    # com.microsoft's own for graphics cards have no kernel here.
    for last, activation, skipped in itertools.product((0, 1), (0, 1), (False, True)):
        shape = (2, 4, 5, 8) if last else (2, 8, 4, 5)
        image, gamma, beta, skip, bias = floats(*shape), floats(8), floats(8), floats(*shape), floats(8)
        form = {"groups": 4, "activation": activation, "channels_last": last, "epsilon": 1e-3}
        along = (lambda v: v) if last else (lambda v: v[:, None, None])
        if skipped:
            names = add("SkipGroupNorm", [given(image), const(gamma), const(beta), given(skip), const(bias)], 2, **form)
            image = image + skip + along(bias)
            cases.formulas[names[1]] = image
        else:
            names = add("GroupNorm", [given(image), const(gamma), const(beta)], **form)
        first = image.transpose(0, 3, 1, 2) if last else image
        runs = first.reshape(2, 4, -1)
        normal = ((runs - runs.mean(2, keepdims=True)) / np.sqrt(runs.var(2, keepdims=True) + 1e-3)).reshape(first.shape)
        y = normal * gamma[:, None, None] + beta[:, None, None]
        y = y / (1 + np.exp(-y)) if activation else y
        cases.formulas[names[0]] = (y.transpose(0, 2, 3, 1) if last else y).astype(np.float32)
    cases.check("GroupNorm", 2e-5)


def transforms():
    signal = given(floats(2, 16, 1), ["n", 16, 1])
    both = given(floats(2, 16, 2))
    for x, inverse, one_sided in ((signal, 0, 0), (signal, 0, 1), (both, 0, 0), (both, 1, 0)):
        add("DFT", [x, "", const(1, np.int64)], domain="", inverse=inverse, onesided=one_sided)
        add("DFT", [x, const(12, np.int64), const(-2, np.int64)], domain="", inverse=inverse, onesided=one_sided)
    for one_sided in (0, 1):
        add("STFT", [signal, const(3, np.int64), const(np.hanning(6)), const(6, np.int64)], domain="", onesided=one_sided)
    add("MelWeightMatrix", [const(8, np.int64), const(64, np.int64), const(8000, np.int64), const(100.0), const(3500.0)], domain="")
    add("HannWindow", [const(9, np.int64)], domain="", periodic=0)
    cases.check("transforms", 1e-4)  # ONNX Runtime's own error where the length is no power of two


def fused():
    a, b = given(floats(2, 5, 8), ["n", 5, 8]), const(floats(8, 6))
    add("TransposeMatMul", [a, b], alpha=0.5)
    add("ScaledSiLU", [a], alpha=1.3)
    add("ScaledSiLU", [a, const(0.7)])
    add("ExpandDims", [a, const(-1, np.int32)])
    add("ExpandDims", [a, const(1, np.int32)])
    add("GatherND", [a, const([[0, 1], [1, 4]], np.int32)])
    add("Pad", [a, const([0, 1, 2, 0, 0, 3], np.int64), const([0.5])])
    add("Pad", [a, const([0, 1, 2, 0, 0, 3], np.int64)], mode="edge")
    cases.check("fused nodes")
    x, bias, skip = floats(2, 5, 8), floats(8), floats(2, 5, 8)
    names = [add("BiasAdd", [given(x), const(bias), given(skip)])[0]]
    cases.formulas[names[0]] = x + bias + skip
    left, right = (x + bias)[..., :4], (x + bias)[..., 4:]
    from math import erf
    cases.formulas[add("BiasSplitGelu", [given(x), const(bias)])[0]] = left * right * (0.5 + 0.5 * np.vectorize(erf)(right / np.sqrt(2))).astype(np.float32)
    codes_a, codes_b = codes(np.uint8, 3, 4), codes(np.uint8, 4)
    cases.formulas[add("MulInteger", [given(codes_a), const(100, np.uint8), given(codes_b), const(3, np.uint8)])[0]] = (codes_a.astype(np.int32) - 100) * (codes_b.astype(np.int32) - 3)
    w = floats(8, 4)
    cases.formulas[add("FusedMatMulActivation", [given(x), const(w)], activation="LeakyRelu", activation_alpha=0.3, alpha=2.0)[0]] = np.where(x @ w > 0, 2 * (x @ w), 0.6 * (x @ w))
    z = x @ w + bias[:4]
    cases.formulas[add("GemmFastGelu", [given(x), const(w), const(bias[:4])])[0]] = 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))).astype(np.float32)
    cases.check("fused nodes by their formulas")


def decoder_attention():
    """ONNX Runtime's kernel of DecoderMaskedMultiHeadAttention wants past and present in one buffer; what it computes is its MultiHeadAttention."""
    heads, size, past = 4, 8, 6
    arrays = [floats(2, 1, heads * size) for _ in range(3)] + [floats(2, heads, past, size) for _ in range(2)]
    mask, bias, added = (cases.rng.random((2, past + 1)) < 0.7).astype(np.int32), floats(3 * heads * size), floats(1, heads, 1, past + 1)
    other = Cases()
    for masked, biased, extra in itertools.product((False, True), repeat=3):
        inputs = [[c.given(array) for array in arrays] + [c.given(v) if there else "" for v, there in ((mask, masked), (bias, biased), (added, extra))] for c in (cases, other)]
        q, k, v, pk, pv, m, b, e = inputs[0]
        add("DecoderMaskedMultiHeadAttention", [q, k, v, m, e, pk, pv, "", "", "", b], 3, num_heads=heads, scale=0.3)
        q, k, v, pk, pv, m, b, e = inputs[1]
        other.add("MultiHeadAttention", [q, k, v, b, m, e, pk, pv], 3, num_heads=heads, scale=0.3)
    cases.formulas = other.oracle(other.model())
    cases.check("DecoderMaskedMultiHeadAttention")


pools()
convolutions()
resize()
normalisations()
transforms()
fused()
decoder_attention()
indices()
sampling()
image = floats(1, 2, 4, 4)
refused("a pool of another order", "storage_order of 0 or 1", "MaxPool", [given(image)], 2, domain="", kernel_shape=[2, 2], storage_order=2)
refused("a grid of too few places", "a grid of 4 dims whose last is 2", "GridSample", [given(image), given(image)], domain="")
refused("a mode that is none", "expected a mode", "GridSample", [given(image), given(floats(1, 2, 2, 2))], domain="", mode="spline")
refused("a pool of too few places", "expected 'kernel_shape' to have 2 integers from 1 to 2^30, found [2]", "AveragePool", [given(image)], domain="", kernel_shape=[2])
refused("channels that groups do not divide", "expected a known number of channels that 3 groups divide", "GroupNormalization",
        [given(image), const(floats(2)), const(floats(2))], domain="", num_groups=3)
refused("scales from the run", "known when the model is compiled", "Resize", [given(image), "", given(np.ones(4, np.float32))], domain="")
refused("a size for an unknown dim", "or the dims themselves", "Resize", [given(image, [1, 2, "h", 4]), "", "", const([1, 2, 2, 2], np.int64)], domain="")
refused("a resize of an unknown dim", "expected dims that are resized to be known", "Resize", [given(image, [1, 2, "h", 4]), "", const([1, 1, 2, 2])], domain="")
refused("statistics outside of training", "only training_mode = 1 has", "BatchNormalization", [given(image)] + [const(np.ones(2))] * 4, 3, domain="")
refused("random dropping", "random dropping is not supported", "Dropout", [given(image), const(0.5), const(True, bool)], domain="")
refused("a transform of quarters", "expected floats whose last dim is 1", "DFT", [given(image)], domain="")
