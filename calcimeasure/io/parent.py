"""A process that was begun for another one ends with it, however that one ends."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import wait
from threading import Thread

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """From now on this process ends when the one that began it does, even amid native code.

    On Linux the kernel ends it; elsewhere, and for a parent that is gone already, a thread that watches does.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_watch, args=(parent.sentinel,), name="parent's end", daemon=True).start()


def _watch(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
