"""The one door through which strangers' bytes are decoded: a process of its own, with limits, that may die of them.

Decoders are native code, and a file can make them crash, hang or take all memory. So none runs in the process of the
caller: the bytes go through a pipe to a process that is kept for the next file, and the picture comes back as plain
numbers. A process costs half a second once, and a film a few milliseconds.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from threading import Lock, Timer
from typing import Any, BinaryIO

from calcimeasure import errors
from calcimeasure.errors import CalcimeasureError, DamagedFile, ReadError
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.images.limits import Limits
from calcimeasure.io.images.wire import receive, receive_value, send

_START_SECONDS = 120.0
_GRACE = 5.0
#: After so many files a new process takes over, so that nothing that a decoder leaks adds up.
_MOST_ANSWERS = 1000
_PIPE_BYTES = 1024**2
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_COMMAND = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.path[:] = {path!r}; "
    "from calcimeasure.io.images.decoder_child import serve; serve()"
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is wanted of a file: the act, what it is asked with, and the type of the answer."""

    act: str
    asked: Any
    answer: type[Any]
    max_megapixels: float = 400


def decoded(file: FileBytes, question: Question) -> Any:
    """What a process of its own makes of the bytes; files are decoded one after the other.

    Raises
    ------
    CalcimeasureError
        What the decoding raises; `DamagedFile` for a file that makes the process die or uses up its time.
    """
    return _decoder(os.getpid()).answer(file, question)


@cache
def _decoder(pid: int) -> _Decoder:
    """The decoder of this process; one that was forked off gets its own."""
    mine = _Decoder()
    atexit.register(mine.stop)
    return mine


class _Died(Exception):
    """The process is gone; `late` when it was ended for its time."""

    def __init__(self, *, late: bool) -> None:
        super().__init__()
        self.late = late


@dataclass(slots=True)
class _Decoder:
    """A process that decodes, begun when it is first needed and again after it died."""

    _lock: Lock = field(default_factory=Lock)
    _process: subprocess.Popen[bytes] | None = None
    _answered: int = 0

    def answer(self, file: FileBytes, question: Question) -> Any:
        """What the process makes of the bytes."""
        with self._lock:
            if self._answered >= _MOST_ANSWERS:
                self.stop()
            used = self._process is not None
            try:
                return self._exchange(file, question)
            except _Died as death:
                if death.late or not used:
                    raise _blame(file, death) from death
            # An earlier file may have left damage in the process: only what kills a fresh one is to blame.
            try:
                return self._exchange(file, question)
            except _Died as death:
                raise _blame(file, death) from death

    def stop(self) -> None:
        """End the process, if there is one."""
        process, self._process, self._answered = self._process, None, 0
        if process is not None:
            process.kill()
            process.wait()
            for stream in _streams(process):
                with suppress(OSError):
                    stream.close()

    def _exchange(self, file: FileBytes, question: Question) -> Any:
        limits = Limits.of(file.size, question.max_megapixels)
        head = {"act": question.act, "name": file.name, "asked": asdict(question.asked), "limits": asdict(limits)}
        questions, answers = _streams(self._process or self._begun())
        self._answered += 1
        with self._watched(limits):
            send(questions, head, file.data)
            told = receive(answers)
            value = None if "error" in told else receive_value(answers, told, question.answer)
        if "error" in told:
            raise _error(told)
        return value

    def _begun(self) -> subprocess.Popen[bytes]:
        """A process that has said that it is there."""
        self._process = process = _begin()
        try:
            with self._watched(Limits(_START_SECONDS, 0)):
                receive(_streams(process)[1])
        except _Died as death:
            raise ReadError("the process that decodes pictures does not start: is there memory left?") from death
        return process

    @contextmanager
    def _watched(self, limits: Limits) -> Iterator[None]:
        """Inside, the process is ended when its time is up; when it is gone, or we are called away, it is cleared away.

        Raises
        ------
        _Died
            When the process is gone, or says what is no answer.
        """
        assert self._process is not None
        watch, begun = Timer(limits.clock_seconds + _GRACE, self._process.kill), time.monotonic()
        watch.daemon = True
        watch.start()
        try:
            yield
        except (EOFError, OSError, ValueError, TypeError, KeyError) as death:
            self.stop()
            raise _Died(late=time.monotonic() - begun >= limits.seconds) from death
        except BaseException:
            self.stop()  # what it would still answer belongs to nobody
            raise
        finally:
            watch.cancel()


def _begin() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND.format(path=sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | _ENVIRONMENT,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    _widen(process)
    return process


def _streams(process: subprocess.Popen[bytes]) -> tuple[BinaryIO, BinaryIO]:
    """Where to ask, and where the answers come."""
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout  # type: ignore[return-value]


def _widen(process: subprocess.Popen[bytes]) -> None:
    """Larger pipes, where the system can: a film then goes through in a third of the time."""
    if sys.platform == "linux":
        import fcntl

        for stream in _streams(process):
            with suppress(OSError):
                fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _error(told: dict[str, Any]) -> CalcimeasureError:
    """The error that the process tells of, as the one of our tree."""
    kind = getattr(errors, str(told["error"]), DamagedFile)
    known = isinstance(kind, type) and issubclass(kind, CalcimeasureError)
    return kind(str(told["words"])) if known else DamagedFile(str(told["words"]))


def _blame(file: FileBytes, death: _Died) -> DamagedFile:
    why = "is not decoded in the time that a file of its size may take" if death.late else "made its reader process die"
    return DamagedFile(f"{file.name}: {why}: it is damaged, or was made to do harm")
