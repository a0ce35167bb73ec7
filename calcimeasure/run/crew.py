"""Who does the work of a run, and how it is asked: tasks go out, records come back, in any order.

A run is handed a crew and knows no more of it than stands here: `processes.Processes` is worker processes of this
machine, `InThisProcess` is nobody but the caller. Another kind, a cluster's for instance, has these two methods. It
gets an order and tasks that can be pickled; records carry their files as bytes, and only the caller writes any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

Asked = TypeVar("Asked")


@dataclass(frozen=True, slots=True)
class Order:
    """What a crew is hired for.

    Parameters
    ----------
    job : Any
        What holds for every task.
    act : function of (task, job)
        What a worker does; gives a record. Importable by name, since it may travel to other processes. An `OutputError`
        ends the run; it catches every other error itself.
    lost : function of (task, job, why)
        The record of a task whose worker died or took too long, and why.
    films : int
        How many films a task reads, by which its time is measured out.
    """

    job: Any
    act: Callable[[Any, Any], Any]
    lost: Callable[[Any, Any, str], Any]
    films: int = 1


class Workers(Protocol):
    """A crew at its work."""

    def run(self, tasks: Iterable[Asked]) -> Iterator[tuple[Asked, Any]]:
        """Each task with its record, in any order; a task is taken from the iterable when somebody is free for it.

        May be called again once all records of the tasks before are there.

        Raises
        ------
        OutputError
            What `Order.act` raises, or when nobody can be hired.
        """
        ...


class Crew(Protocol):
    """Whoever can be hired for the work of a run."""

    def hired(self, order: Order) -> AbstractContextManager[Workers]:
        """Workers for an order; none is left when the context ends."""
        ...


@dataclass(frozen=True, slots=True)
class InThisProcess:
    """A crew of nobody else, for notebooks and tests: each task is done here and now.

    A file that never ends or kills its reader takes the caller along; no film is given up for its time.
    """

    def hired(self, order: Order) -> AbstractContextManager[Workers]:
        """The caller, who acts on the order."""
        return nullcontext(_Here(order))


@dataclass(frozen=True, slots=True)
class _Here:
    order: Order

    def run(self, tasks: Iterable[Asked]) -> Iterator[tuple[Asked, Any]]:
        for task in tasks:
            yield task, self.order.act(task, self.order.job)
