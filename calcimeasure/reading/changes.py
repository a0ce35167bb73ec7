"""Every change of a session is one step, and goes through here: done, logged, journalled, told, undone and redone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from calcimeasure.errors import EditRefused
from calcimeasure.model.authorship import Authorship
from calcimeasure.model.deposit import Deposit, Measurement
from calcimeasure.reading import edits
from calcimeasure.reading.history import History, Step
from calcimeasure.reading.patch import Array, Patch, Where, changed
from calcimeasure.reading.record import Signature, StepRecord, now
from calcimeasure.reading.shown import Shown
from calcimeasure.reading.state import State

Listener = Callable[["Event"], None]

#: After a step that measured more deposits than this anew, undo has their numbers at hand.
_MANY = 20


@dataclass(frozen=True, slots=True)
class Event:
    """What just happened.

    Parameters
    ----------
    name : str
        Of the step: ``paint``, ``threshold``, ``sign`` ...
    how : str
        ``do``, ``undo``, ``redo`` or ``restore``.
    where : (slice, slice) or None
        Window of the mask that changed; `None` when no pixel did.
    numbers : frozenset of int
        Deposits that were measured again or are gone.
    clipped : bool
        Part of what was drawn lay outside the region of interest and was not taken.
    trouble : str
        Why the journal could not be written; empty when all is well.
    """

    name: str
    how: str = "do"
    where: Where | None = None
    numbers: frozenset[int] = frozenset()
    clipped: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class How:
    """What is known of a step beside its change: the numbers after it, and whether it was clipped or goes on."""

    measured: Measurement | None = None
    clipped: bool = False
    joins: bool = False


class Recorder(Protocol):
    """Whoever writes down every step before the next begins."""

    def step(self, step: Step, how: str, record: StepRecord) -> str:
        """Write down a step; gives why that failed, or nothing."""

    def note(self, record: StepRecord) -> str:
        """Write down something that is no step: saving, signing; gives why that failed, or nothing."""


class Changes:
    """The steps done to a film, and who did them.

    Parameters
    ----------
    film : Shown
        What they change.
    history : History
        What undo and redo go back and forth in.

    Attributes
    ----------
    log : list
        One line for everything that was done, oldest first; saved with the mask.
    count : int
        Grows with everything that is done.
    initials : str or None
        Who is reading.
    signature : Signature or None
        Who signed the mask, which locks it.
    is_waiting : bool
        Whether unsaved work of an earlier session waits for a decision; until then nothing can be edited.
    recorder : Recorder or None
        Who writes every step down.
    """

    def __init__(self, film: Shown, history: History) -> None:
        self.film, self.history = film, history
        self.log: list[StepRecord] = []
        self.count = 0
        self.initials: str | None = None
        self.signature: Signature | None = None
        self.is_waiting = False
        self.recorder: Recorder | None = None
        self._listeners: list[Listener] = []
        self._joinable: StepRecord | None = None

    def undo(self) -> Event | None:
        """Take the newest step back; `None` when there is none."""
        self.check_open()
        step = self.history.undo()
        return None if step is None else self._go(step.reverse, "undo")

    def redo(self) -> Event | None:
        """Do again what was undone last; `None` when there is nothing."""
        self.check_open()
        step = self.history.redo()
        return None if step is None else self._go(step, "redo")

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with an `Event` after every change; gives a function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def check_decided(self) -> None:
        """That no unsaved work waits for a decision."""
        if self.is_waiting:
            raise EditRefused("unsaved work of this film waits: restore it, or start afresh, before you go on")

    def check_open(self) -> None:
        """That the mask may be edited.

        Raises
        ------
        EditRefused
            When it is signed, or unsaved work waits for a decision.
        """
        self.check_decided()
        if self.signature:
            raise EditRefused(f"this mask is signed by {self.signature.initials}: reopen it with a reason to edit it")

    def do(self, name: str, parts: Sequence[edits.Part] = (), state: State | None = None, **how: Any) -> Event:
        """One named step: the windows are laid into the mask and the state is exchanged."""
        self.check_open()
        return self._done(name, changed(self.film.labels, parts), state or self.film.state, How(**how))

    def _done(self, name: str, patch: Patch, after: State, how: How) -> Event:
        before = self.film.state
        if not patch.pixels and after is before:
            return self.tell(Event(name, clipped=how.clipped))
        rows = dict(self.film.live.rows)
        numbers = self.film.put(patch, after, None if how.measured is None else _rows(how.measured))
        if patch.pixels:
            self.film.know(after.only(self.film.live.rows.keys()))
        both = (rows, dict(self.film.live.rows)) if len(numbers) > _MANY else None
        step = Step(name, patch, before, self.film.state, both)
        if how.joins and self._may_join(name):
            return self._finish(step, "join", numbers, how.clipped, self.history.join(step, self.film.labels))
        self.history.add(step)
        return self._finish(step, "do", numbers, how.clipped)

    def _may_join(self, name: str) -> bool:
        """Whether the newest line of what was done is a step of this name that undo would take back."""
        return bool(self.log) and self.log[-1] is self._joinable and self.history.undo_name == name

    def _go(self, step: Step, how: str) -> Event:
        """A step of the history, there or back."""
        numbers = self.film.put(step.patch, step.after, step.rows and step.rows[1])
        return self._finish(step, how, numbers)

    def _finish(
        self, step: Step, how: str, numbers: frozenset[int], clipped: bool = False, whole: Step | None = None
    ) -> Event:
        """Log the step, write it down before the next begins, and tell everybody; `whole` is what it went into."""
        way = "do" if whole else how
        record = self.entry(step.name, way, (whole or step).patch)
        self.log[len(self.log) - bool(whole) :] = [record]
        self._joinable = record if way == "do" else None
        self.count += 1
        trouble = self.recorder.step(step, how, record) if self.recorder else ""
        box = step.patch.box(self.film.labels.shape[1])
        where = None if box is None else (slice(box[0], box[2]), slice(box[1], box[3]))
        return self.tell(Event(step.name, way, where, numbers, clipped, trouble))

    def entry(self, name: str, how: str = "do", patch: Patch | None = None, why: str = "") -> StepRecord:
        """A line of the log, by who is reading, now."""
        numbers = tuple(sorted(patch.numbers)[:50]) if patch else ()
        return StepRecord(now(), self.initials, name, how, numbers, patch.pixels if patch else 0, why)

    def draw(
        self,
        parts: Sequence[edits.Part],
        name: str,
        state: State | None = None,
        *,
        authorship: Authorship | None = None,
        measured: Measurement | None = None,
    ) -> Event:
        """A step by hand, inside the region of interest only; the deposits it touches are a person's from now on."""
        self.check_open()
        patch = changed(self.film.labels, [(where, self._clipped(where, values)) for where, values in parts])
        state = (state or self.film.state).seen_by_person(patch.numbers)
        if authorship is not None:
            state = replace(state, authorship=authorship)
        clipped = self.film.region is not None and changed(self.film.labels, parts).pixels > patch.pixels
        return self._done(name, patch, state if patch.pixels else self.film.state, How(measured, clipped))

    def _clipped(self, where: Where, values: Array) -> Array:
        region = self.film.region
        return values if region is None else np.where(region[where], values, self.film.labels[where])

    def note(self, record: StepRecord) -> Event:
        """Something that is no step: saving, signing, reopening."""
        self.log.append(record)
        self.count += 1
        trouble = self.recorder.note(record) if self.recorder else ""
        return self.tell(Event(record.name, trouble=trouble))

    def tell(self, event: Event) -> Event:
        """Let all listeners know."""
        for listener in tuple(self._listeners):
            listener(event)
        return event


def everywhere(labels: Array) -> Where:
    """The window that holds all of a mask."""
    return slice(0, labels.shape[0]), slice(0, labels.shape[1])


def _rows(measured: Measurement) -> Mapping[int, Deposit]:
    return {row.label: row for row in measured.deposits}
