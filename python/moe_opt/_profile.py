"""Times of a session in the form of Chrome's traces, as onnxruntime writes them."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from typing import Any, Dict, Iterator, List


class Profile:
    """Notes how long things take. Threads may share it. Ops are not listed: a compiled model has none, all threads run the whole of it as one function."""

    def __init__(self, prefix: str):
        #: Nanoseconds since 1970.
        self.start: int = time.time_ns()
        self._begin = time.monotonic_ns()
        stamp = time.strftime("%Y-%m-%d_%H-%M-%S", time.localtime(self.start // 10**9))
        #: The file that `write` writes, in the working folder where the prefix names no other.
        self.path: str = f"{prefix}_{stamp}_{self.start // 10**6 % 1000:03}.json"
        self._events: List[Dict[str, Any]] = []

    @contextlib.contextmanager
    def event(self, name: str, **arguments: Any) -> Iterator[None]:
        """Notes how long its body takes, also where it raises. arguments: what else to note, as text."""
        begin = time.monotonic_ns()
        try:
            yield
        finally:
            end = time.monotonic_ns()
            self._events.append({"cat": "Session", "pid": os.getpid(), "tid": threading.get_native_id(), "dur": (end - begin) // 1000,
                                 "ts": (begin - self._begin) // 1000, "ph": "X", "name": name, "args": {key: str(value) for key, value in arguments.items()}})

    def write(self) -> str:
        """Writes the file; gives its path. Raises OSError."""
        with open(self.path, "w", encoding="utf-8") as stream:
            stream.write("[\n" + ",\n".join(json.dumps(event) for event in self._events) + "\n]\n")
        return self.path
