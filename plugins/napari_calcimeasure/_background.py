"""Work in threads beside the window: what runs, since when, and who takes its result.

Work is given up by dropping its result: it was pure, so nothing is left behind. What has not begun never does, and
work that a person waits for runs one after the other, so that what was given up and still computes is not doubled.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import QEventLoop, QObject, Signal

from calcimeasure.errors import CalcimeasureError
from calcimeasure.reading.later import Later


class Job:
    """Work to be called in a thread.

    Parameters
    ----------
    work : callable
        A pure function: what it had in hand when it is given up is simply forgotten.
    turn : Lock, optional
        Waited for before it begins.
    """

    def __init__(self, work: Callable[[], Any], turn: Lock | None = None) -> None:
        self._work, self._turn = work, turn
        self.is_stopped = False

    def __call__(self) -> Any:
        """What the work gives; `None` when it was stopped before it began."""
        with self._turn or nullcontext():
            return None if self.is_stopped else self._work()

    def stop(self) -> None:
        """Do not begin it any more."""
        self.is_stopped = True


@dataclass(frozen=True, slots=True, eq=False)
class _Running:
    """What runs in the background: since when, in words, and whether it may be given up."""

    job: Job
    since: float
    words: str
    may_stop: bool = True


class Background(QObject):
    """What works beside the window.

    Parameters
    ----------
    parent : QObject
    attempt : callable
        Does what it is given in the window's thread, and tells a person what is refused.

    Signals
    -------
    busy(str)
        Words for what a person waits for; empty when it is nothing.
    """

    busy = Signal(str)

    def __init__(self, parent: QObject, attempt: Callable[[Callable[[], Any]], Any]) -> None:
        super().__init__(parent)
        self._attempt = attempt
        self._running: _Running | None = None
        self._aside: dict[str, Job] = {}
        self._turn = Lock()

    def run(
        self,
        words: str,
        work: Callable[[], Any],
        then: Callable[[Any], Any],
        refused: Callable[[str], None] | None = None,
        *,
        may_stop: bool = True,
    ) -> None:
        """Run `work` in a thread and hand its result to `then` here, unless it was cancelled meanwhile.

        What is refused is told in a notification, and to `refused` in the same words.
        """
        job = Job(work, self._turn if may_stop else None)
        self._running = running = _Running(job, time.monotonic(), words, may_stop)
        self.busy.emit(words)
        _start(
            job,
            lambda result: self._done(running, lambda: then(result)),
            lambda error: self._done(running, lambda: self._failed(error, refused)),
        )

    def take(self, words: str, later: Later[Any], then: Callable[[Any], Any] = lambda result: None) -> None:
        """Work something out for a session in a thread, and let the session take it, then `then`.

        What went stale meanwhile is worked out once more in the thread.
        """

        def finished(result: Any) -> None:
            if later.is_stale:
                self.take(words, later.again(result), then)
            else:
                later.take(result)
                then(result)

        self.run(words, later, finished)

    def aside(self, kind: str, work: Callable[[], Any], then: Callable[[Any], Any]) -> None:
        """Run short `work` in a thread while everything stays as it is, in place of older work of its kind."""
        if kind in self._aside:
            self._aside[kind].stop()
        self._aside[kind] = job = Job(work)

        def done(action: Callable[[], Any]) -> None:
            if self._aside.get(kind) is job:
                del self._aside[kind]
                self._attempt(action)

        _start(job, lambda result: done(lambda: then(result)), lambda error: done(lambda: _raise(error)))

    def take_aside(self, kind: str, later: Later[Any], wanted: Callable[[], bool] = lambda: True) -> None:
        """As `take`, but aside; what is not `wanted` any more when it is done is dropped."""

        def finished(result: Any) -> None:
            if not wanted():
                return
            if later.is_stale:
                self.take_aside(kind, later.again(result), wanted)
            else:
                later.take(result)

        self.aside(kind, later, finished)

    def is_aside(self, kind: str) -> bool:
        """Whether work of a kind runs aside."""
        return kind in self._aside

    def cancel(self) -> None:
        """Give up what runs: its result is dropped."""
        if self._running is not None and self._running.may_stop:
            self._running.job.stop()
            self._running = None
            self.busy.emit("")

    def finish(self) -> None:
        """Wait until the work is done; the window lives on meanwhile."""
        waiting = QEventLoop()
        self.busy.connect(waiting.quit)
        while self._running is not None:
            waiting.exec()
        self.busy.disconnect(waiting.quit)

    @property
    def seconds(self) -> float | None:
        """How long the work has been running; `None` for none."""
        return time.monotonic() - self._running.since if self._running else None

    @property
    def words(self) -> str:
        """The work in words; empty for none."""
        return self._running.words if self._running else ""

    @property
    def may_stop(self) -> bool:
        """Whether there is something to cancel."""
        return self._running is not None and self._running.may_stop

    @property
    def is_working(self) -> bool:
        """Whether any thread still works, given up or not."""
        return _Turns.running > 0

    def _failed(self, error: BaseException, refused: Callable[[str], None] | None) -> None:
        if refused is not None and isinstance(error, CalcimeasureError):
            refused(str(error))
        raise error

    def _done(self, running: _Running, then: Callable[[], Any]) -> None:
        if self._running is not running:
            return
        self._running = None
        self.busy.emit("")
        self._attempt(then)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a thread gives, or why it was refused. Refusals come as values: napari 0.9 trips over a failed worker."""

    result: Any = None
    refusal: CalcimeasureError | None = None


class _Turns:
    """Process-wide on purpose, and only while our threads work: else every stroke waits 5 ms for Python, many times."""

    often, running, usual = 0.0005, 0, 0.005

    @classmethod
    def begin(cls) -> None:
        """A thread starts."""
        if not cls.running:
            cls.usual = sys.getswitchinterval()
            sys.setswitchinterval(min(cls.often, cls.usual))
        cls.running += 1

    @classmethod
    def end(cls) -> None:
        """A thread is done."""
        cls.running -= 1
        if not cls.running:
            sys.setswitchinterval(cls.usual)


def _start(job: Job, then: Callable[[Any], Any], failed: Callable[[BaseException], Any]) -> None:
    """Run a job in a thread; `then` or `failed` hears of it in this one."""
    worker = create_worker(_outcome, job, _start_thread=False, _ignore_errors=True)
    worker.returned.connect(lambda found: then(found.result) if found.refusal is None else failed(found.refusal))
    worker.errored.connect(failed)
    worker.finished.connect(_Turns.end)
    _Turns.begin()
    worker.start()


def _outcome(job: Job) -> Outcome:
    try:
        return Outcome(job())
    except CalcimeasureError as refusal:
        return Outcome(refusal=refusal)


def _raise(error: BaseException) -> None:
    raise error
