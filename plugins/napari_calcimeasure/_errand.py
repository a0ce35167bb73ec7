"""Work for a thread that stops soon after it is told to: between two lines of Python, wherever it is."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from threading import Lock, get_ident
from typing import Any


class Stopped(BaseException):
    """Raised inside the work; no `except Exception` on its way keeps it."""


class Errand:
    """Work to be called in a thread.

    Parameters
    ----------
    work : callable
        A pure function: what it had in hand when it is stopped is simply forgotten.
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._lock = Lock()
        self._thread: int | None = None
        self.is_stopped = False

    def __call__(self) -> Any:
        """What the work gives; `None` when it was stopped."""
        try:
            return self._run()
        except Stopped:
            return None

    def stop(self) -> None:
        """End the work at its next line of Python; a network or filter that computes just now is still finished."""
        with self._lock:
            if not self.is_stopped and self._thread is not None:
                _raise_in(self._thread, Stopped)
            self.is_stopped = True

    def _run(self) -> Any:
        with self._lock:
            if self.is_stopped:
                return None
            self._thread = get_ident()
        try:
            return self._work()
        finally:
            self._leave()

    def _leave(self) -> None:
        """From here on the thread does other things and must not be hit."""
        with self._lock:
            if self._thread is not None:
                _raise_in(self._thread, None)
            self._thread = None


def _raise_in(thread: int, what: type[BaseException] | None) -> None:
    """Let another thread raise at its next line; `None` takes back what it has not raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what and ctypes.py_object(what))
