"""How much a stranger's file may cost to decode."""

from __future__ import annotations

import faulthandler
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_SECONDS, _BYTES_A_SECOND = 6.0, 1e7
_MEMORY, _MEMORY_A_BYTE = 1.4e9, 4
_USUAL_MEGAPIXELS, _BYTES_A_PIXEL = 400, 8
_PATIENCE = 5  # seconds on the clock for a second of work: other processes want the processor, too


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds of work and bytes of memory that one file may take.

    Where the system keeps count (Linux: both; macOS: seconds) it ends what goes beyond them, native code included.
    Elsewhere a clock ends it, and the declared size, checked before decoding, is what bounds the memory.
    """

    seconds: float
    memory: float

    @classmethod
    def of(cls, size: int, max_megapixels: float = _USUAL_MEGAPIXELS) -> Limits:
        """The limits for a file of so many bytes; who raises the cap of pixels above the usual raises the memory.

        Real pictures pack to no less than a few bits for a hundred pixels, so that a large one is a large file and gets
        more of both: J2K, the slowest, decodes some 10 MB a second.
        """
        raised = max(0.0, max_megapixels - _USUAL_MEGAPIXELS) * 1e6 * _BYTES_A_PIXEL
        return cls(_SECONDS + size / _BYTES_A_SECOND, _MEMORY + size * _MEMORY_A_BYTE + raised)

    @property
    def clock_seconds(self) -> float:
        """Seconds on the clock after which even a process that does nothing is ended."""
        return self.seconds * (_PATIENCE if sys.platform != "win32" else 2)


@contextmanager
def limited(limits: Limits) -> Iterator[None]:
    """What is done inside ends this process when it goes beyond the limits of time, and in `MemoryError` of memory."""
    with Path(os.devnull).open("w") as nowhere, _system_limits(limits):
        faulthandler.dump_traceback_later(limits.clock_seconds, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


if sys.platform == "win32":

    @contextmanager
    def _system_limits(limits: Limits) -> Iterator[None]:
        yield

else:
    import resource

    @contextmanager
    def _system_limits(limits: Limits) -> Iterator[None]:
        """The limits that the system itself keeps; a limit that was lower already stays."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        _set(resource.RLIMIT_CORE, 0)
        _set(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + limits.seconds))
        mine = resource.getrlimit(resource.RLIMIT_AS)[0]
        if (now := _address_space()) is not None:
            _set(resource.RLIMIT_AS, int(now + limits.memory))
        try:
            yield
        finally:
            _set(resource.RLIMIT_AS, mine)

    def _set(which: int, value: int) -> None:
        hard = resource.getrlimit(which)[1]
        soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with suppress(ValueError, OSError):  # a system that knows no such limit
            resource.setrlimit(which, (soft, hard))


def _address_space() -> int | None:
    """Bytes of addresses that this process has; `None` where the system does not tell."""
    with suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return None
