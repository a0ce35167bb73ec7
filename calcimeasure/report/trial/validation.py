"""The page of a validation: how automatic outlines compare with true ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from calcimeasure.report.numbers import DASH
from calcimeasure.report.trial.blocks import Block, Heading, Items, LargeFigures, Page, Table, Text
from calcimeasure.steps.agreement.validation import Validation, ValidationFigure

_LARGE = ("found", "false finds a film", "Dice", "bias", "covered")
_HOW = (
    "A true deposit counts when it is certain and 2 mm across or more; it is found when it and the outlined parts that "
    "touch it overlap by a tenth or more of what both cover. A part of 1 mm\N{SUPERSCRIPT TWO} or more that lies on no "
    "true deposit is a false find. Bias: median of (outlined less true) over true total; error: median of its size. "
    "Intervals of false finds and bias come from films drawn again, whole sources where there are three or more; those "
    "of shares are exact (Clopper and Pearson). Covered: films whose claimed 95 % interval "
    "of the total holds the truth."
)


def validation_page(found: Mapping[str, Validation], kicker: str, remarks: Sequence[str] = ()) -> Page:
    """The page; `found` begins with all films together, then source by source. `remarks` say what was left out."""
    blocks = [block for source, one in found.items() for block in _blocks(source, one)]
    if remarks:
        blocks.append(Items("Left out", tuple(remarks)))
    blocks.append(Text(_HOW, quiet=True))
    return Page("cohort", "How do automatic outlines compare with true ones?", kicker, tuple(blocks))


def _blocks(source: str, found: Validation) -> Iterator[Block]:
    yield Heading(f"{source} ({found.films} films, {found.empty} of them without a deposit)")
    large = tuple(_large(row) for row in found.figures if row.figure in _LARGE)
    if large:
        yield LargeFigures(large)
    yield Table(
        "LargeFigures",
        ("figure", "value", "lower", "upper", "of"),
        tuple(_cells(row) for row in found.figures),
        (3, 2, 2, 2, 2),
        words=frozenset({0, 4}),
    )


def _large(row: ValidationFigure) -> tuple[str, str, str]:
    between = "" if row.interval is None else f"{_number(row.interval.low)} to {_number(row.interval.high)}"
    return _number(row.value), row.figure, between


def _cells(row: ValidationFigure) -> tuple[str, ...]:
    ends = (DASH, DASH) if row.interval is None else (_number(row.interval.low), _number(row.interval.high))
    return (row.figure, _number(row.value), *ends, f"{row.number} {row.of}")


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
