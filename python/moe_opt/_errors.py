"""The one exception of the package, and the diagnostics in it."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, List, Tuple


@dataclasses.dataclass(frozen=True)
class Diagnostic:
    """One message of the compiler or the runtime, taken apart. What a message does not say is "" (0 for a line or column)."""

    #: "error", "warning" or "remark".
    severity: str
    #: The whole message, without severity and place.
    message: str
    #: The file it is about: a model or an `.mlir` file.
    file: str = ""
    #: Place in the file, from 1; ONNX files have none.
    line: int = 0
    column: int = 0
    #: The ONNX node it is about.
    node: str = ""
    #: What the message says was expected, and found in its place.
    expected: str = ""
    found: str = ""
    #: What the compiler adds: where a value comes from, how to export the model instead.
    notes: Tuple[str, ...] = ()

    @property
    def location(self) -> str:
        """"model.onnx", "file.mlir:3:5"; "" where no place is named."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


# "moe-compile: error: model.onnx: text", or "file.mlir:3:5: error: text".
_LINE = re.compile(r"^(?:(?P<before>.*?): )?(?P<severity>error|warning|remark|note): (?P<message>.*)$")
_PLACE = re.compile(r"^(?P<place>\S*\.(?:onnx|mlir)(?::\d+:\d+)?): (?P<rest>.*)$")
_POSITION = re.compile(r"^(?P<file>.*?):(?P<line>\d+):(?P<column>\d+)$")
_NODE = re.compile(r"^node '(?P<name>.*?)'(?: |:|$)")
_EXPECTED = re.compile(r"\bexpected (?P<expected>.+?),? (?:but )?(?:found|got) (?P<found>.+?)(?:;|$)", re.MULTILINE)


def make_diagnostic(severity: str, message: str, place: str = "") -> Diagnostic:
    """Takes a message apart. `place` is a file, with line and column or without."""
    position = _POSITION.match(place)
    node, expected = _NODE.match(message), _EXPECTED.search(message)
    return Diagnostic(severity, message, position["file"] if position else place, int(position["line"]) if position else 0,
                      int(position["column"]) if position else 0, node["name"] if node else "",
                      expected["expected"] if expected else "", expected["found"] if expected else "")


def parse_diagnostics(text: str) -> Tuple[Diagnostic, ...]:
    """The diagnostics in what a tool wrote on its standard error. A line that is none continues the message before it."""
    # Severity, message and place of each; notes stay among them until they are whole.
    found: List[List[str]] = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match:
            message, location = match["message"], match["before"] or ""
            place = _PLACE.match(message)
            if place:
                location, message = place["place"], place["rest"]
            elif location == "moe-compile":
                location = ""
            found.append([match["severity"], message, location])
        elif found and line.strip():
            found[-1][1] += "\n" + line
    diagnostics: List[Diagnostic] = []
    for severity, message, location in found:
        if severity == "note" and diagnostics:
            diagnostics[-1] = dataclasses.replace(diagnostics[-1], notes=diagnostics[-1].notes + (message,))
        else:
            diagnostics.append(make_diagnostic(severity, message, location))
    return tuple(diagnostics)


class Error(RuntimeError):
    """What went wrong, in the compiler's or the runtime's words: the only exception of the package besides TypeError for an argument of a type
    that no model has, and what the system raises for files (FileExistsError and the like).

    `status` is the C ABI's name of the failure ("bad_shape", ...), "compile" where the compiler refused the model, or "crash" where it ended
    without saying why. `diagnostics` are the messages in order, taken apart; an error of the runtime has one.
    """

    status: str
    diagnostics: Tuple[Diagnostic, ...]

    def __init__(self, status: str, message: str, diagnostics: Tuple[Diagnostic, ...] = ()):
        super().__init__(message)
        self.status = status
        self.diagnostics = tuple(diagnostics) or (make_diagnostic("error", message),)

    def __reduce__(self) -> Tuple[Any, ...]:
        return (type(self), (self.status, str(self), self.diagnostics))
