"""The exceptions of the package, all of them `Error`, and the diagnostics in them."""

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
    """What went wrong, in the compiler's or the runtime's words: the base of all exceptions of the package, besides TypeError for an argument of a type
    that no model has, AttributeError for an option that there is not, and what the system raises for files (FileExistsError and the like).

    `status` is the C ABI's name of the failure ("bad_shape", ...), "compile" where the compiler refused the model, "crash" where it ended without
    saying why, or "unsupported" for a call of ONNX Runtime's that has no meaning for compiled models. `diagnostics` are the messages in order, taken
    apart; an error of the runtime has one. What is raised is one of the classes below, which have the names of ONNX Runtime's and stand for the same.
    """

    status: str
    diagnostics: Tuple[Diagnostic, ...]

    def __new__(cls, status: str, *arguments: Any) -> "Error":
        return super().__new__(_CLASSES.get(status, Fail) if cls is Error else cls, status, *arguments)

    def __init__(self, status: str, message: str, diagnostics: Tuple[Diagnostic, ...] = ()):
        super().__init__(message)
        self.status = status
        self.diagnostics = tuple(diagnostics) or (make_diagnostic("error", message),)

    def __reduce__(self) -> Tuple[Any, ...]:
        return (type(self), (self.status, str(self), self.diagnostics))


class Fail(Error):
    """The model was refused, or something that has no class of its own went wrong."""


class InvalidArgument(Error):
    """An array or argument does not fit the model: "bad_argument", "bad_dtype", "bad_shape"."""


class InvalidValue(InvalidArgument, ValueError):
    """An argument does not fit; where ONNX Runtime raises ValueError, which this is too: an input is missing, providers and their options differ."""


class NoSuchFile(Error):
    """There is no such model."""


class InvalidProtobuf(Error):
    """A file or bytes are no ONNX model."""


class InvalidGraph(Error):
    """Never raised: what ONNX Runtime says of a graph that breaks ONNX's rules is `Fail` or `NotImplemented` here. The name is for `except`."""


class NotImplemented(Error):
    """The model needs an op, or a form of one, that the compiler does not know; or the call has no meaning for compiled models ("unsupported")."""


class EPFail(Error):
    """The GPU's driver, or the communication between ranks, has failed."""


class RuntimeException(Error):
    """The system gave no memory or no file, or the compiler or runtime has a defect."""


#: By status; `Fail` for all others.
_CLASSES = {"bad_argument": InvalidArgument, "bad_dtype": InvalidArgument, "bad_shape": InvalidArgument, "unsupported": NotImplemented,
            "unsupported_gpu": EPFail, "gpu": EPFail, "comm": EPFail, "no_memory": RuntimeException, "io": RuntimeException, "internal": RuntimeException,
            "crash": RuntimeException}


def compile_error(text: str, diagnostics: Tuple[Diagnostic, ...]) -> Error:
    """The error for what the compiler has refused, of the class that its first error stands for."""
    first = next((one.message for one in diagnostics if one.severity == "error"), "")
    if first.endswith("no such file"):
        return NoSuchFile("compile", text, diagnostics)
    if first.startswith("not an ONNX model"):
        return InvalidProtobuf("compile", text, diagnostics)
    if first.endswith(("is not supported", "is not supported yet")):
        return NotImplemented("compile", text, diagnostics)
    return Fail("compile", text, diagnostics)
