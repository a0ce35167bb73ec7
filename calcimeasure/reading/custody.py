"""Custody: where work on films is kept between two sittings, finished or not. A folder today, a database tomorrow.

A session hands its work over and never asks where it lies. Whoever keeps it passes ``tests/reading/custody_suite.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from calcimeasure.model.image import Image
from calcimeasure.model.labels import Labels
from calcimeasure.reading.codec import Codec
from calcimeasure.reading.history import Step
from calcimeasure.reading.patch import Array
from calcimeasure.reading.record import Base, Signature, Source, StepRecord
from calcimeasure.reading.state import State, outlines
from calcimeasure.recipe import Analysis, Recipe, analyse_mask


@dataclass(frozen=True, slots=True)
class Begin:
    """The film of a journal, and how its session was opened."""

    source: Source
    image: Image
    recipe: Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """A session as it is: what a journal line needs to start from nothing."""

    labels: Array
    blank: State
    state: State
    log: Sequence[StepRecord]
    signature: Signature | None
    base: Base | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """All that is saved of a session."""

    source: Source
    standing: Standing
    initials: str
    status: str

    @property
    def is_open(self) -> bool:
        """Whether nothing is outlined and nobody said that there is nothing."""
        return self.status == "open"

    @property
    def analysis(self) -> Analysis:
        """What ``calcimeasure measure --masks`` makes of the mask, with what is not counted beside it."""
        state = self.standing.state
        found = analyse_mask(state.image, outlines(self.standing.labels, state), state.recipe)
        dropped = tuple(uncounted.finding for uncounted in state.excluded)
        return replace(found, segmentation=replace(found.segmentation, excluded=dropped))


@dataclass(frozen=True, slots=True, eq=False)
class SavedWork:
    """What is saved of a film, as a session goes on from it.

    Parameters
    ----------
    name : str
        What a message calls it.
    labels : Labels
        The mask, with who drew its outlines; empty for a film that stayed open.
    facts : mapping
        The record: ``state`` and ``steps`` as `Codec` writes them.
    base : Base
        What the next saving may replace, and who had signed it.
    is_untouched : bool
        Whether the mask is still the one that was saved; a signature holds for that one only.
    """

    name: str
    labels: Labels
    facts: Mapping[str, Any]
    base: Base
    is_untouched: bool


class Unfinished(Protocol):
    """Work of an earlier sitting that was journalled and never saved."""

    @property
    def steps(self) -> int:
        """How many lines of what was done come back that were not saved."""

    @property
    def when(self) -> str:
        """When the last of them was written (ISO 8601, UTC)."""

    @property
    def unread(self) -> int:
        """How many lines cannot be read."""

    @property
    def other_recipe(self) -> bool:
        """Whether it was made with another recipe or other weights than the film is opened with now."""

    @property
    def recipe(self) -> Mapping[str, Any]:
        """The settings it was made with."""

    def lines(self) -> Iterator[dict[str, Any] | None]:
        """Every line of what was done; `None` for one that cannot be read."""

    def discard(self) -> None:
        """Throw the unsaved work away."""


class Journal(Protocol):
    """Every step of one session, safe before the next begins; one window writes it at a time."""

    @property
    def trouble(self) -> str:
        """Why what was done last is not safe; empty when it is."""

    @property
    def aside(self) -> Path | None:
        """Where a journal was laid that was in the way."""

    def step(self, step: Step, how: str, record: StepRecord) -> str:
        """Write a step; gives what went wrong in a sentence, or nothing."""

    def note(self, record: StepRecord, signature: Signature | None, base: Base | None) -> str:
        """Write down something that is no step: saving, signing, reopening."""

    def replaces(self, waiting: Unfinished) -> bool:
        """Whether it lies where that work lay, which is laid aside by that."""

    def mend(self) -> str:
        """Write all anew where something could not be written; gives why that does not work either, or nothing."""

    def close(self, *, remove: bool) -> str:
        """End it, `remove` when nothing in it is unsaved; gives what could not be kept or removed, or nothing."""


class Custody(Protocol):
    """Keeps saved masks with their records, and the journals of what was not saved."""

    def opened(self, source: Source, shape: tuple[int, int]) -> SavedWork | None:
        """What is saved of a film; `None` when nothing is.

        Raises
        ------
        MaskError
            When it cannot be read, or was made on another file.
        """

    def save(self, work: Work, *, overwrite: bool) -> str:
        """Keep mask, record and tables; gives the mask's SHA-256, or nothing for a film that stays open.

        Raises
        ------
        EditRefused
            When the film has no name.
        OutputError
            When another mask of this film is there and `overwrite` is false, when that one is signed, or when nothing
            can be written.
        """

    def unfinished(self, begin: Begin) -> Unfinished | None:
        """The newest unsaved work on this very film; `None` when there is none that nobody else is writing."""

    def begin(self, begin: Begin, here: Callable[[], Standing]) -> Journal:
        """A new journal of a film; one that is there already is laid aside, never lost.

        Raises
        ------
        OutputError
            When the film is being edited in another window, or nothing can be written.
        """

    def go_on(self, begin: Begin, waiting: Unfinished, codec: Codec, here: Callable[[], Standing]) -> Journal:
        """The journal of restored work, written on at its end.

        Raises
        ------
        OutputError
            When the film is being edited in another window, or nothing can be written.
        """

    def lay_aside(self, waiting: Unfinished) -> Path | None:
        """Keep unsaved work whole out of the way of a new journal; gives where it is then.

        Raises
        ------
        OutputError
            When that cannot be done.
        """
