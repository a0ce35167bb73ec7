"""How a run tells its caller how far it is."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """What a run is at."""

    OPENING = "opening"
    MEASURING = "measuring"
    COMPARING = "comparing"


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


def worked_through(stage: Stage, total: int, finished: Failures, tell: Tell) -> None:
    """Tell of each thing as it is finished."""
    with closing(finished):
        tell(Progress(stage, 0, total))
        for done, (failed, reason) in enumerate(finished, 1):
            tell(Progress(stage, done, total, failed, reason))
