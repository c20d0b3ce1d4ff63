"""The one exception of the package, and the compiler's diagnostics in it."""

from __future__ import annotations

import dataclasses
import re
from typing import Tuple


@dataclasses.dataclass(frozen=True)
class Diagnostic:
    """One message of the compiler."""

    #: "error", "warning", "remark" or "note"; a note belongs to the message before it.
    severity: str
    message: str
    #: Where it was found: "model.onnx", "file.mlir:3:5"; "" where the compiler names no place.
    location: str = ""
    #: The ONNX node the message is about; "" where it is about none.
    node: str = ""


# "moe-compile: error: model.onnx: text", or "file.mlir:3:5: error: text".
_LINE = re.compile(r"^(?:(?P<before>.*?): )?(?P<severity>error|warning|remark|note): (?P<message>.*)$")
_PLACE = re.compile(r"^(?P<place>\S*\.(?:onnx|mlir)(?::\d+:\d+)?): (?P<rest>.*)$")
_NODE = re.compile(r"^node '(?P<name>.*?)'(?: |:|$)")


def parse_diagnostics(text: str) -> Tuple[Diagnostic, ...]:
    """The diagnostics in what a tool wrote on its standard error. A line that is none continues the message before it."""
    found = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match:
            message, location = match["message"], match["before"] or ""
            place = _PLACE.match(message)
            if place:
                location, message = place["place"], place["rest"]
            elif location == "moe-compile":
                location = ""
            node = _NODE.match(message)
            found.append(Diagnostic(match["severity"], message, location, node["name"] if node else ""))
        elif found and line.strip():
            found[-1] = dataclasses.replace(found[-1], message=found[-1].message + "\n" + line)
    return tuple(found)


class Error(RuntimeError):
    """What went wrong, in the compiler's or the runtime's words.

    `status` is the C ABI's name of the failure ("bad_shape", ...), "compile" where the compiler refused the model, or "crash" where it ended
    without saying why. `diagnostics` are the compiler's messages, in order; empty for an error of the runtime.
    """

    def __init__(self, status: str, message: str, diagnostics: Tuple[Diagnostic, ...] = ()):
        super().__init__(message)
        self.status = status
        self.diagnostics = tuple(diagnostics)

    def __reduce__(self):
        return (type(self), (self.status, str(self), self.diagnostics))
