"""Undo and redo of named steps, bounded by bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from calcimeasure.model.deposit import Deposit
from calcimeasure.reading.patch import Array, Patch
from calcimeasure.reading.state import State

Rows = Mapping[int, Deposit]

#: Memory that undo may hold, in bytes.
BOUND = 256 * 2**20
#: What a row takes, roughly.
_ROW = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One action: its name, what it changed in the mask, and all else before and after it.

    `rows` are the numbers of all deposits before and after, kept where measuring them again would take long.
    """

    name: str
    patch: Patch
    before: State
    after: State
    rows: tuple[Rows, Rows] | None = None

    @property
    def nbytes(self) -> int:
        """Memory that only this step keeps alive, roughly."""
        rows = _ROW * sum(map(len, self.rows)) if self.rows else 0
        states = self.after.bytes_beyond(self.before) + self.before.bytes_beyond(self.after)
        return 512 + self.patch.nbytes + states + rows

    def followed_by(self, later: Step, labels: Array) -> Step:
        """The step and a later one as one, in the mask as it is after both."""
        rows = (self.rows[0], later.rows[1]) if self.rows and later.rows else None
        return Step(later.name, self.patch.followed_by(later.patch, labels), self.before, later.after, rows)

    @property
    def reverse(self) -> Step:
        """The step that takes this one back."""
        rows = (self.rows[1], self.rows[0]) if self.rows else None
        return Step(self.name, self.patch.reverse, self.after, self.before, rows)


@dataclass(slots=True)
class History:
    """Steps done and undone; the oldest are forgotten when their memory exceeds the bound."""

    bound: int = BOUND
    nbytes: int = 0
    _done: deque[Step] = field(default_factory=deque)
    _undone: list[Step] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """A step was done; what was undone before it can no longer be redone."""
        self.nbytes += step.nbytes - sum(one.nbytes for one in self._undone)
        self._undone.clear()
        self._done.append(step)
        while self.nbytes > self.bound:
            self.nbytes -= self._done.popleft().nbytes

    def join(self, step: Step, labels: Array) -> Step:
        """A step that goes on with the newest becomes one with it, in the mask as it is after both; gives that one."""
        last = self._done.pop()
        self.nbytes -= last.nbytes
        self.add(last.followed_by(step, labels))
        return self._done[-1]

    def undo(self) -> Step | None:
        """The newest step, which the caller takes back; `None` when there is none."""
        if not self._done:
            return None
        self._undone.append(self._done.pop())
        return self._undone[-1]

    def redo(self) -> Step | None:
        """The step undone last, which the caller does again; `None` when there is none."""
        if not self._undone:
            return None
        self._done.append(self._undone.pop())
        return self._done[-1]

    def clear(self) -> None:
        """Forget everything."""
        self._done.clear()
        self._undone.clear()
        self.nbytes = 0

    @property
    def undo_name(self) -> str | None:
        """Name of the step that undo takes back."""
        return self._done[-1].name if self._done else None

    @property
    def redo_name(self) -> str | None:
        """Name of the step that redo does again."""
        return self._undone[-1].name if self._undone else None

    @property
    def names(self) -> tuple[str, ...]:
        """Steps that can be undone, oldest first."""
        return tuple(step.name for step in self._done)
