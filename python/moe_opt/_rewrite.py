"""Changes to a model that session options ask for, made in the bytes of the file: other initializers, sizes of denoted dims.

The package needs no protobuf: a message is a list of fields, and what is not looked into is copied as it is. Numbers of fields are those of onnx.proto.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence, Tuple, Union

import numpy as np

from ._errors import InvalidArgument, InvalidProtobuf

# ModelProto.graph; GraphProto.initializer, .input; TensorProto.dims, .data_type, .name, .raw_data, .external_data (StringStringEntryProto.key, .value).
_GRAPH, _INITIALIZER, _INPUT = 7, 5, 11
_DIMS, _DATA_TYPE, _NAME, _RAW_DATA, _EXTERNAL = 1, 2, 8, 9, 13
_KEY, _VALUE = 1, 2
# From a ValueInfoProto to each dim: .type.tensor_type.shape.dim; Dimension.dim_value, .denotation.
_TO_DIMS = (2, 1, 2, 1)
_DIM_VALUE, _DENOTATION = 1, 3

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_Payload = Union[int, memoryview]


def _read_varint(data: memoryview, at: int) -> Tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise InvalidProtobuf("compile", f"not an ONNX model: expected a number at byte {at} of a message, found none")


def _fields(data: memoryview) -> Iterator[Tuple[int, _Payload, memoryview]]:
    """Of each field of a message: number, what it holds (bytes or a whole number) and all its bytes."""
    at = 0
    while at < len(data):
        begin = at
        tag, at = _read_varint(data, at)
        payload: _Payload
        if tag & 7 == _VARINT:
            payload, at = _read_varint(data, at)
        else:
            size = {_FIXED64: 8, _FIXED32: 4}.get(tag & 7)
            if tag & 7 == _BYTES:
                size, at = _read_varint(data, at)
            if size is None or size > len(data) - at:
                raise InvalidProtobuf("compile", f"not an ONNX model: expected a field within {len(data)} bytes, found the tag {tag} at byte {begin} of a message")
            payload, at = data[at:at + size], at + size
        yield tag >> 3, payload, data[begin:at]


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _field(number: int, payload: Union[int, bytes, memoryview, List[Any]]) -> List[Any]:
    """The bytes of a field, in pieces that are not copied until they are written."""
    if isinstance(payload, int):
        return [_varint(number << 3 | _VARINT), _varint(payload)]
    pieces = payload if isinstance(payload, list) else [payload]
    return [_varint(number << 3 | _BYTES), _varint(sum(map(len, pieces))), *pieces]


def _edit(message: memoryview, path: Sequence[int], change: Callable[[memoryview], List[Any]]) -> List[Any]:
    """The message with every submessage on the path of field numbers changed."""
    if not path:
        return change(message)
    pieces: List[Any] = []
    for number, payload, whole in _fields(message):
        if number == path[0] and isinstance(payload, memoryview):
            pieces += _field(number, _edit(payload, path[1:], change))
        else:
            pieces.append(whole)
    return pieces


def _on(message: memoryview, path: Sequence[int]) -> Iterator[memoryview]:
    """Every submessage on the path."""
    if not path:
        yield message
        return
    for number, payload, _ in _fields(message):
        if number == path[0] and isinstance(payload, memoryview):
            yield from _on(payload, path[1:])


def _text(message: memoryview, number: int) -> str:
    return "".join(bytes(payload).decode("utf-8", "replace") for found, payload, _ in _fields(message) if found == number and isinstance(payload, memoryview))


def _dims_of(tensor: memoryview) -> List[int]:
    dims: List[int] = []
    for number, payload, _ in _fields(tensor):
        if number == _DIMS and isinstance(payload, int):
            dims.append(payload)
        elif number == _DIMS and isinstance(payload, memoryview):  # packed
            at = 0
            while at < len(payload):
                size, at = _read_varint(payload, at)
                dims.append(size)
    return dims


def external_files(model: bytes) -> List[str]:
    """The files in which initializers of the main graph have their data, each once."""
    files: Dict[str, None] = {}
    for entry in _on(memoryview(model), (_GRAPH, _INITIALIZER, _EXTERNAL)):
        if _text(entry, _KEY) == "location":
            files[_text(entry, _VALUE)] = None
    return list(files)


#: ONNX's numbers of element types of less than a byte: uint4, int4, float4, uint2, int2, float6.
_PACKED = (21, 22, 23, 25, 26, 27, 28)


def set_initializers(model: bytes, values: Mapping[str, Any], required: Sequence[str]) -> bytes:
    """The model with other tensors in the place of initializers.

    values: OrtValues by name, of the stored tensors' element types and shapes. required: names that the model must have.
    Raises InvalidArgument, InvalidProtobuf.
    """
    missing = set(required)

    def change(tensor: memoryview) -> List[Any]:
        name = _text(tensor, _NAME)
        if name not in values:
            return [tensor]
        missing.discard(name)
        value = values[name]
        type_number = next((payload for number, payload, _ in _fields(tensor) if number == _DATA_TYPE), 0)
        if (value.element_type(), list(value.shape())) != (type_number, _dims_of(tensor)):
            raise InvalidArgument("bad_shape" if value.element_type() == type_number else "bad_dtype",
                                  f"initializer {name!r}: expected ONNX's element type {type_number} and the shape {_dims_of(tensor)}, "
                                  f"found {value.element_type()} and {list(value.shape())}")
        if value.element_type() in _PACKED:
            raise InvalidArgument("unsupported", f"initializer {name!r}: elements of less than a byte cannot be replaced")
        pieces: List[Any] = []
        for size in value.shape():
            pieces += _field(_DIMS, size)
        return pieces + _field(_DATA_TYPE, value.element_type()) + _field(_NAME, name.encode()) + _field(_RAW_DATA, np.ascontiguousarray(value.numpy()).tobytes())

    result = b"".join(_edit(memoryview(model), (_GRAPH, _INITIALIZER), change))
    if missing:
        raise InvalidArgument("bad_argument", f"expected an initializer of the model, found {sorted(missing)[0]!r}, which it does not have")
    return result


def set_denoted_dims(model: bytes, sizes: Mapping[str, int]) -> bytes:
    """The model with sizes for the inputs' dims that it denotes by these names. Raises InvalidArgument where such a dim has another size already."""
    def change(dim: memoryview) -> List[Any]:
        denotation = _text(dim, _DENOTATION)
        if denotation not in sizes:
            return [dim]
        for number, payload, _ in _fields(dim):
            if number == _DIM_VALUE and payload != sizes[denotation]:
                raise InvalidArgument("bad_shape", f"the dim denoted {denotation!r}: expected the size {payload}, which the model gives, found {sizes[denotation]}")
        return _field(_DIM_VALUE, sizes[denotation]) + _field(_DENOTATION, denotation.encode())

    return b"".join(_edit(memoryview(model), (_GRAPH, _INPUT, *_TO_DIMS), change))


def link_files(files: Sequence[str], source: str, folder: str) -> None:
    """Makes external data in `source` reachable from `folder`, where a changed model lies. Raises OSError, InvalidArgument for a path that leaves `source`, be it by
    a symbolic link: the links that are made here are the only ones that the compiler may follow."""
    for name in files:
        parts = name.split("/")
        if os.path.isabs(name) or ".." in parts or not name:
            raise InvalidArgument("bad_argument", f"external data: expected a path below the model's folder, found {name!r}")
        below = (os.path.join(source, *parts[:count]) for count in range(1, len(parts) + 1))
        if any(os.path.islink(path) for path in below):
            raise InvalidArgument("bad_argument", f"external data: expected a file in the model's folder, found a symbolic link in {name!r}")
        target = os.path.join(folder, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.lexists(target):
            os.symlink(os.path.abspath(os.path.join(source, name)), target)
