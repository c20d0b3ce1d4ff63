"""Inputs and outputs of fake_model.c as .npy and .pb files, encoded by hand: needs no numpy and no onnx.

  make_data.py DIR              writes x.npy, ids.npy, past.npy and the test data folders listed in main()
  make_data.py --rows FILE R C  writes the floats 0, 1, 2, ... as R rows of C
  make_data.py --show FILE      prints descr, shape and elements of a .npy file of floats, int64 or bool
"""
import os
import struct
import sys

BATCH, SEQ, PAST = 2, 3, 2
WEIGHTS = [3, 1, 4, 1, 5, 9, 2, 6]
FLOAT, INT64, BOOL = 1, 7, 9

X = [1.5, -2.0, 0.25, 8.0, -0.5, 3.0]
IDS = [0, 5, 2, 7, -1, 8]
PAST_VALUES = [100.0 + i for i in range(BATCH * PAST * 4)]


def expected():
    """What the model answers: (name, dtype, shape, values) of each output."""
    y, present = [], []
    for b in range(BATCH):
        row = X[b * SEQ:(b + 1) * SEQ]
        y += [row[SEQ - 1 - s] * WEIGHTS[IDS[b * SEQ + s] % 8] for s in range(SEQ)]
        present += PAST_VALUES[b * PAST * 4:(b + 1) * PAST * 4]
        for value in row:
            present += [value] * 4
    return [("scaled/y", FLOAT, [BATCH, SEQ], y), ("present", FLOAT, [BATCH, PAST + SEQ, 4], present), ("positive", BOOL, [], [1])]


INPUTS = [("x", FLOAT, [BATCH, SEQ], X), ("ids", INT64, [BATCH, SEQ], IDS), ("past", FLOAT, [BATCH, PAST, 4], PAST_VALUES)]


def pack(dtype, values):
    return struct.pack("<%d%s" % (len(values), {FLOAT: "f", INT64: "q", BOOL: "B"}[dtype]), *values)


def npy(dtype, shape, values, descr=None, fortran=False, version=1):
    descr = descr or {FLOAT: "<f4", INT64: "<i8", BOOL: "|b1"}[dtype]
    text = str({"descr": descr, "fortran_order": fortran, "shape": tuple(shape)}).encode() + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + pack(dtype, values)


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def tensor_proto(name, dtype, shape, values):
    """TensorProto: dims = 1, data_type = 2, name = 8, raw_data = 9."""
    raw = pack(dtype, values)
    out = b"".join(b"\x08" + varint(size) for size in shape) + b"\x10" + varint(dtype)
    if name:
        out += b"\x42" + varint(len(name)) + name.encode()
    return out + b"\x4a" + varint(len(raw)) + raw


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def write_data_set(folder, inputs, outputs):
    for kind, tensors in (("input", inputs), ("output", outputs)):
        for number, tensor in enumerate(tensors):
            if tensor:
                write("%s/%s_%d.pb" % (folder, kind, number), tensor_proto(*tensor))


def without_name(tensors):
    return [("",) + tensor[1:] for tensor in tensors]


def main(folder):
    outputs = expected()
    for name, dtype, shape, values in INPUTS:
        for version in (1, 2, 3):
            write("%s/v%d/%s.npy" % (folder, version, name), npy(dtype, shape, values, version=version))
    write_data_set(folder + "/named", INPUTS[::-1], outputs[::-1])
    write_data_set(folder + "/numbered", without_name(INPUTS), without_name(outputs))
    write_data_set(folder + "/partial", INPUTS, [outputs[0]])
    write_data_set(folder + "/no-outputs", INPUTS, [])
    y = outputs[0]
    write_data_set(folder + "/close", INPUTS, [y[:3] + ([y[3][0] + 0.01] + y[3][1:],)])
    write_data_set(folder + "/nan", INPUTS, [y[:3] + ([float("nan")] + y[3][1:],)])
    write_data_set(folder + "/wrong-bool", INPUTS, outputs[:2] + [outputs[2][:3] + ([0],)])
    write_data_set(folder + "/wrong-shape", INPUTS, [(y[0], y[1], [SEQ, BATCH], y[3])])
    write_data_set(folder + "/extra", without_name(INPUTS) + [("other", FLOAT, [1], [1.0])], outputs)
    write_data_set(folder + "/twice", INPUTS + [INPUTS[0]], outputs)
    write_data_set(folder + "/missing", INPUTS[:2], outputs)
    write_data_set(folder + "/garbage", INPUTS, outputs)
    write(folder + "/garbage/input_1.pb", b"\xff" * 40)
    bad = folder + "/bad/"
    write(bad + "fortran.npy", npy(FLOAT, [BATCH, SEQ], X, fortran=True))
    write(bad + "big-endian.npy", npy(FLOAT, [BATCH, SEQ], X, descr=">f4"))
    write(bad + "structured.npy", npy(FLOAT, [BATCH, SEQ], X).replace(b"'<f4'", b"[('a')]"[:5].ljust(5)))
    write(bad + "short.npy", npy(FLOAT, [BATCH, SEQ], X)[:-1])
    write(bad + "header.npy", npy(FLOAT, [BATCH, SEQ], X)[:30])
    write(bad + "object.npy", npy(FLOAT, [BATCH, SEQ], X, descr="|O"))
    write(bad + "huge.npy", npy(FLOAT, [1 << 40, 1 << 40], X))
    write(bad + "version.npy", npy(FLOAT, [BATCH, SEQ], X, version=4))
    write(bad + "text.npy", b"hello, this is text")
    write(bad + "int.npy", npy(INT64, [BATCH, SEQ], IDS))
    write(bad + "ragged.npy", npy(FLOAT, [3, 2], X))


def show(path):
    data = open(path, "rb").read()
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    length = struct.unpack("<H", data[8:10])[0]
    assert (10 + length) % 64 == 0, "elements must start at a multiple of 64"
    header = eval(data[10:10 + length].decode(), {})
    kind = {"<f4": "f", "<i8": "q", "|b1": "?"}[header["descr"]]
    count = 1
    for size in header["shape"]:
        count *= size
    print(header["descr"], header["fortran_order"], header["shape"], list(struct.unpack("<%d%s" % (count, kind), data[10 + length:])))


if __name__ == "__main__":
    if sys.argv[1] == "--show":
        show(sys.argv[2])
    elif sys.argv[1] == "--rows":
        rows, columns = int(sys.argv[3]), int(sys.argv[4])
        write(sys.argv[2], npy(FLOAT, [rows, columns], [float(i) for i in range(rows * columns)]))
    else:
        main(sys.argv[1])
