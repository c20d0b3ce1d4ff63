"""A thread that does one thing after the other, and is there only while there is something to do."""

from __future__ import annotations

import collections
import threading
from typing import Callable, Deque


class Worker:
    """Calls what it is given, in that order, on one thread at a time. The process waits for the thread before it ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: Deque[Callable[[], None]] = collections.deque()
        self._has_thread = False

    def put(self, work: Callable[[], None]) -> None:
        """Has `work` called soon."""
        with self._lock:
            self._waiting.append(work)
            if self._has_thread:
                return
            self._has_thread = True
        self._start()

    def _start(self) -> None:
        threading.Thread(target=self._run, name="moe_opt", daemon=False).start()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._has_thread = False
                    return
                work = self._waiting.popleft()
            try:
                work()
            except BaseException:
                # Told by threading.excepthook as this thread ends; what still waits is another's.
                with self._lock:
                    self._has_thread = bool(self._waiting)
                    again = self._has_thread
                if again:
                    self._start()
                raise
