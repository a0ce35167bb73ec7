"""What all commands share: exit codes, options, and how they talk.

Data go to stdout, talk goes to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from calcimeasure.errors import CalcimeasureError
from calcimeasure.report.plain_text import plain

if TYPE_CHECKING:
    from calcimeasure.io.given.inputs import Inputs

ALL_MEASURED, SOME_FAILED, BAD_USAGE, NOTHING, INTERRUPTED = 0, 1, 2, 3, 130
_LONGEST_LINE = 600


class KindOption(StrEnum):
    """What --kind accepts."""

    AUTO = "auto"
    RADIOGRAPH = "radiograph"
    PHOTO = "photo"


Paths = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Files, or folders to search.", show_default=False)
]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print a JSON object on stdout.")]
KindChoice = Annotated[KindOption, typer.Option("--kind", help="Take every file as this kind.")]
SpacingText = Annotated[
    str | None,
    typer.Option("--spacing", metavar="MM|CSV", help="Millimetres per pixel, or a table with image,spacing_mm."),
]
Frame = Annotated[int | None, typer.Option("--frame", min=1, help="Frame of multi-frame files, 1 is the first.")]
MaxMegapixels = Annotated[float, typer.Option("--max-megapixels", min=0.0001, help="Refuse larger images.")]


class Remarked(Protocol):
    """A results folder that tells what the user ought to know of it."""

    @property
    def remarks(self) -> list[str]:
        """A line each."""


@contextmanager
def clear_errors() -> Iterator[None]:
    """Every error of ours is one line on stderr and exit code 2, and so is Ctrl-C, with 130.

    A file's own error is its row's, not this.
    """
    try:
        yield
    except CalcimeasureError as error:
        say(f"error: {_shortened(str(error))}")
        raise typer.Exit(BAD_USAGE) from None
    except KeyboardInterrupt:
        say("interrupted")
        raise typer.Exit(INTERRUPTED) from None


def found_inputs(paths: Sequence[Path], out: Path | None) -> Inputs:
    """The images to work on; says what was passed over, and exits when there are none."""
    from calcimeasure.io.given.inputs import find_inputs

    inputs = find_inputs(paths, out)
    for folder in inputs.unread:
        say(f"skipped: the folder {folder} cannot be read")
    for link in inputs.circular:
        say(f"skipped: the link {link} leads to a folder that holds the one given")
    if inputs.skipped:
        say(f"{inputs.skipped} other files passed over (not images, or results of ours)")
    if not inputs.files:
        say("nothing to measure: no image was found there")
        raise typer.Exit(NOTHING)
    return inputs


@contextmanager
def progress(total: int) -> Iterator[Any]:
    """A bar with count, rate and time left when stderr is a terminal; nothing otherwise. Yields the step to call."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        MofNCompleteColumn(),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("measuring", total=total)
        yield lambda: bar.advance(task)


def as_lines(facts: dict[str, Any]) -> str:
    """Facts for reading: one `name: value` a line, empty ones left out."""
    words = {
        name: "; ".join(value) if isinstance(value, list) else str(value) for name, value in facts.items() if value
    }
    return "\n".join([*(f"{name}: {plain(text)}" for name, text in words.items()), ""])


def say(text: str) -> None:
    """Talk to the user, on stderr; what a file's name or header holds does not act on the terminal."""
    print(plain(text, keep="\n"), file=sys.stderr)


def say_all(texts: Iterable[str]) -> None:
    """Talk to the user, a line for each text."""
    for text in texts:
        say(text)


@contextmanager
def remarks_told(results: Remarked) -> Iterator[None]:
    """Say what is to be known of a results folder as it was found, and at the end what came to it meanwhile."""
    told = results.remarks
    say_all(told)
    yield
    say_all(one for one in results.remarks if one not in told)


def _shortened(text: str) -> str:
    """One line that a person can read, whatever a file or an argument put into it."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} ..."
