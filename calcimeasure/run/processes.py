"""Worker processes of this machine: a crew.

A worker that crashes or hangs on one task costs that task's answer and nothing else: another takes its place and the
run goes on. None outlives the process that hired it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any

from calcimeasure.errors import OutputError
from calcimeasure.io.parent import end_with_parent
from calcimeasure.run.crew import Asked, Order

_READY = "ready"  # a worker's first word
_START_SECONDS = 120.0  # for a process to come up and import what it needs; a file's time begins after that
_MOST_STARTS = 3  # processes that may die in their start-up before the task is given up


@dataclass(slots=True, eq=False)
class _Worker:
    """A process, the pipe to it, what it is busy with and until when it may be; `ready` once it has come up.

    `deaths` counts the processes before it that died in their start-up, with the same task in hand.
    """

    process: SpawnProcess
    pipe: Connection
    task: Any = None
    deadline: float = 0.0
    ready: bool = False
    deaths: int = 0

    def give(self, task: Any, seconds: float) -> None:
        """Hand a task over; that the process is gone shows when it is asked for its answer."""
        self.task, self.deadline = task, time.monotonic() + (seconds if self.ready else _START_SECONDS)
        with suppress(OSError):
            self.pipe.send(task)

    def come_up(self, seconds: float) -> None:
        """From now on its task is timed."""
        self.ready, self.deadline = True, time.monotonic() + seconds

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


@dataclass(frozen=True, slots=True)
class Processes:
    """A crew of worker processes, started as there is work for them.

    Parameters
    ----------
    size : int
        How many processes at most.
    seconds_a_film : float
        A film that takes longer is given up; a comparison of two films has twice that.
    threads : int or None
        Threads each process may use; as many as the processes leave each other when left out.
    """

    size: int = 1
    seconds_a_film: float = 300.0
    threads: int | None = None

    @property
    def threads_each(self) -> int:
        """Threads that each process may use."""
        return self.threads or max(1, (os.cpu_count() or 1) // self.size)

    def hired(self, order: Order) -> _Staff:
        """The processes, as a context manager, so that none outlives the run."""
        return _Staff(order, self)


@dataclass(slots=True)
class _Staff:
    """The processes at work on an order, none before there is a task for it."""

    order: Order
    terms: Processes
    _workers: list[_Worker] = field(default_factory=list)

    def __enter__(self) -> _Staff:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.stop()

    @property
    def _seconds(self) -> float:
        return self.terms.seconds_a_film * self.order.films

    @property
    def _has_room(self) -> bool:
        return sum(worker.task is not None for worker in self._workers) < self.terms.size

    def _idle(self) -> _Worker:
        """A process without a task, a new one where all have one."""
        return next((worker for worker in self._workers if worker.task is None), None) or self._hire()

    def run(self, tasks: Iterable[Asked]) -> Iterator[tuple[Asked, Any]]:
        """Each task with its record, in the order they are finished; memory does not grow with their number."""
        waiting = iter(tasks)
        while True:
            while self._has_room and (task := next(waiting, None)) is not None:
                self._idle().give(task, self._seconds)
            if not any(worker.task is not None for worker in self._workers):
                return
            yield from self._finished()

    def _finished(self) -> Iterator[tuple[Asked, Any]]:
        """Wait for the next answer or deadline and take what is there."""
        busy = [worker for worker in self._workers if worker.task is not None]
        patience = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
        ready = wait([worker.pipe for worker in busy], patience)
        for worker in busy:
            answer: tuple[Asked, Any] | None = None
            if worker.pipe in ready:
                answer = self._answer(worker)
            elif time.monotonic() >= worker.deadline:
                answer = self._give_up(worker, f"took longer than {self._seconds:g} s and was given up")
            if answer is not None:
                yield answer

    def _answer(self, worker: _Worker) -> tuple[Asked, Any] | None:
        """A task and its answer; `None` when the worker has just come up, or another took its task."""
        task = worker.task
        assert task is not None
        try:
            answer = worker.pipe.recv()
        except (EOFError, OSError):  # a process that died with our task unread in its pipe resets the connection
            return self._after_death(worker)
        if not worker.ready:
            worker.come_up(self._seconds)
            return None
        worker.task = None
        if isinstance(answer, OutputError):
            raise answer
        return task, answer

    def _after_death(self, worker: _Worker) -> tuple[Asked, Any] | None:
        """The answer to a task that made its worker die; one that died before it began is not to blame."""
        if worker.ready:
            return self._give_up(worker, "made its reader process die; the file is probably damaged")
        if worker.deaths + 1 >= _MOST_STARTS:
            return self._give_up(worker, f"was not read: {_MOST_STARTS} processes died as they began")
        self._part_from(worker)
        fresh = self._hire()
        fresh.deaths = worker.deaths + 1
        fresh.give(worker.task, self._seconds)
        return None

    def _give_up(self, worker: _Worker, why: str) -> tuple[Asked, Any]:
        task = worker.task
        assert task is not None
        self._part_from(worker)
        return task, self.order.lost(task, self.order.job, why)

    def _part_from(self, worker: _Worker) -> None:
        worker.stop()
        self._workers.remove(worker)

    def _hire(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        try:
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, self.order, self.terms.threads_each), daemon=True)
            with _deaf_to_interrupts():
                process.start()
        except OSError as error:
            raise OutputError(f"no worker process can be begun ({error.strerror}): take fewer --jobs") from error
        theirs.close()
        self._workers.append(_Worker(process, ours))
        return self._workers[-1]


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """What is begun meanwhile never hears Ctrl-C, which is the parent's to answer: not in its first second either."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # it would unblock the signal again if it began below
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, order: Order, threads: int) -> None:
    """A worker's life: take a task, give its record, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    _limit_threads(threads)
    with suppress(BrokenPipeError):
        pipe.send(_READY)
    while True:
        try:
            task = pipe.recv()
            answer: object = order.act(task, order.job)
        except EOFError:
            return
        except OutputError as error:
            answer = error
        with suppress(BrokenPipeError):  # the parent was killed: the next recv ends this loop
            pipe.send(answer)


def _limit_threads(count: int) -> None:
    import cv2

    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(count)
    cv2.setNumThreads(count)
