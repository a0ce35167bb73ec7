"""What all commands share: exit codes, and how they talk.

Data go to stdout, talk goes to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import typer

from calcimeasure.errors import CalcimeasureError, NothingToMeasure
from calcimeasure.report.plain_text import plain
from calcimeasure.run.progress import Progress, Stage, Tell

ALL_MEASURED, SOME_FAILED, BAD_USAGE, NOTHING, INTERRUPTED = 0, 1, 2, 3, 130
_LONGEST_LINE = 600


@contextmanager
def clear_errors() -> Iterator[None]:
    """Every error of ours is one line on stderr and exit code 2; nothing to measure has 3, and Ctrl-C 130.

    A file's own error is its row's, not this.
    """
    try:
        yield
    except NothingToMeasure as nothing:
        say(str(nothing))
        raise typer.Exit(NOTHING) from None
    except CalcimeasureError as error:
        say(f"error: {_shortened(str(error))}")
        raise typer.Exit(BAD_USAGE) from None
    except KeyboardInterrupt:
        say("interrupted")
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def told() -> Iterator[Tell]:
    """What to call with the news of a run: says what failed and what ought to be known, and moves a bar."""
    with ExitStack() as bars:
        steps: list[Callable[[], None]] = []

        def tell(news: Progress) -> None:
            for text in news.remarks:
                say(text)
            if news.failed:
                say(f"failed: {news.failed}: {news.reason}")
            if news.done:
                steps[-1]()
            elif news.stage in (Stage.MEASURING, Stage.COMPARING):
                bars.close()
                steps.append(bars.enter_context(_bar(news.total)))

        yield tell


@contextmanager
def _bar(total: int) -> Iterator[Callable[[], None]]:
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


def _shortened(text: str) -> str:
    """One line that a person can read, whatever a file or an argument put into it."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} ..."
