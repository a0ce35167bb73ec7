"""Work for another thread, and the one place that knows when its result is stale.

::

    later = session.finding.segmenting()        # takes all it needs from the session, and changes nothing
    result = later()                            # in a worker thread
    later.take(result)                          # back in the main thread; what went stale is worked out here, at once
    if later.is_stale:                          # or, where that takes long:
        later = later.again(result)             # the same for the session as it is by now, for the worker thread
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from calcimeasure.reading.changes import Changes, Event
from calcimeasure.reading.state import State

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Later(Generic[T]):
    """Something that a thread works out for a session that is edited on meanwhile.

    Parameters
    ----------
    changes : Changes
        Of the session, as they go on.
    work : callable
        Pure: it may run in any thread.
    use : callable
        Does in the session what the result is for; its second argument says whether the result still holds.
    anew : callable
        Gives the same work for the session as it is by now; what does not go stale in a result is used again.
    """

    changes: Changes
    work: Callable[[], T]
    use: Callable[[T, bool], Event]
    anew: Callable[[T], Later[T]]
    _state: State
    _count: int

    @classmethod
    def of(
        cls,
        changes: Changes,
        work: Callable[[], T],
        use: Callable[[T, bool], Event],
        anew: Callable[[T], Later[T]],
    ) -> Later[T]:
        """Work asked for now."""
        return cls(changes, work, use, anew, changes.film.state, changes.count)

    def __call__(self) -> T:
        """Do the work; in any thread."""
        return self.work()

    @property
    def is_stale(self) -> bool:
        """Whether something was done in the session since this was asked for."""
        return self._count != self.changes.count or self._state is not self.changes.film.state

    def take(self, result: T) -> Event:
        """Do in the session what the result is for; in the session's own thread. What is stale is worked out anew."""
        return self.use(result, not self.is_stale)

    def again(self, result: T) -> Later[T]:
        """The same work for the session as it is by now.

        Raises
        ------
        EditRefused
            When the session may not be edited any more.
        """
        return self.anew(result)
