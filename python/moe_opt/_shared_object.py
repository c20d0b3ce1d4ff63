"""A check of model.so before it is loaded: is it an ELF file, and all there?

The dynamic loader maps the segments that the file names without comparing them with its length; the first touch of a page beyond the end
would kill Python with SIGBUS, so a file that a copy has cut must be refused here.
"""

import struct

from ._errors import Error

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")  # Elf64_Ehdr
_SEGMENT = struct.Struct("<IIQQQQQQ")  # Elf64_Phdr
_PT_LOAD = 1
_CLASS_64 = 2


def check_shared_object(path: str) -> None:
    """Raises Error ("bad_artifact") unless `path` is a 64-bit ELF file that is as long as its segments say."""

    def fail(message: str) -> Error:
        return Error("bad_artifact", f"cannot load {path}: {message}")

    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size or header[:4] != b"\x7fELF" or header[4] != _CLASS_64:
                raise fail("expected a 64-bit ELF file, found other bytes")
            fields = _HEADER.unpack(header)
            table_offset, entry_bytes, count = fields[5], fields[9], fields[10]
            if entry_bytes != _SEGMENT.size:
                raise fail("expected a 64-bit ELF file, found other bytes")
            table = b""
            if table_offset <= size:
                file.seek(table_offset)
                table = file.read(count * entry_bytes)
    except OSError as error:
        raise fail(error.strerror or str(error)) from None
    whole = len(table) == count * entry_bytes
    if whole:
        for kind, _, offset, _, _, file_bytes, _, _ in _SEGMENT.iter_unpack(table):
            whole = whole and (kind != _PT_LOAD or offset + file_bytes <= size)
    if not whole:
        raise fail(f"the file is shorter than its segments ({size} bytes)")
