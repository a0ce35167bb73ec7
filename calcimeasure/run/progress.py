"""How a run tells its caller how far it is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Stage(StrEnum):
    """What a run is at."""

    OPENING = "opening"
    MEASURING = "measuring"
    COMPARING = "comparing"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Parameters
    ----------
    stage : Stage
    done, total : int
        Films, or intervals, that are finished, and all; `done` is 0 as a stage begins.
    failed : str
        The film or interval that was finished just now and failed; empty when it did not fail.
    reason : str
        Why it failed.
    remarks : tuple of str
        What the user ought to know of the inputs or the results folder as they were found, a line each.
    """

    stage: Stage
    done: int = 0
    total: int = 0
    failed: str = ""
    reason: str = ""
    remarks: tuple[str, ...] = ()


#: Called in the caller's process after every film and interval; what it raises ends the run.
Tell = Callable[[Progress], None]
#: For each film or interval, as it is finished, its name and why it failed; `NO_FAILURE` when it did not.
Failures = Generator[tuple[str, str], None, None]
NO_FAILURE = ("", "")


def unheard(progress: Progress) -> None:
    """Tell nobody."""


class Remarked(Protocol):
    """A results folder that tells what the user ought to know of it."""

    @property
    def remarks(self) -> Sequence[str]:
        """A line each."""


@contextmanager
def remarks_told(results: Remarked, tell: Tell) -> Iterator[None]:
    """Tell what is to be known of a results folder as it was found, and at the end what came to it meanwhile."""
    told = tuple(results.remarks)
    tell(Progress(Stage.OPENING, remarks=told))
    yield
    if fresh := tuple(one for one in results.remarks if one not in told):
        tell(Progress(Stage.CLOSING, remarks=fresh))


def worked_through(stage: Stage, total: int, finished: Failures, tell: Tell) -> None:
    """Tell of each thing as it is finished."""
    with closing(finished):
        tell(Progress(stage, 0, total))
        for done, (failed, reason) in enumerate(finished, 1):
            tell(Progress(stage, done, total, failed, reason))
