"""The page of a repeatability study: how far repeats lie apart, and what change is more than that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.precision import PrecisionProfile
from calcimeasure.model.study import Verdict
from calcimeasure.report.figures import Cloud, bland_altman_plot, profile_plot
from calcimeasure.report.numbers import DASH
from calcimeasure.report.trial.blocks import (
    Block,
    Heading,
    Items,
    LargeFigures,
    Page,
    Picture,
    Pictures,
    Table,
    Text,
    png,
)
from calcimeasure.steps.agreement.bland_altman import bland_altman
from calcimeasure.steps.agreement.repeats import Of, RepeatFigure, RepeatSet, RepeatStudy

_TITLES = {
    Of.TOTALS: "Total of a picture",
    Of.COMPARED: "Total of a pair of pictures, as compare sees it",
    Of.DEPOSITS: "Single deposits that both pictures of a pair show",
}
_SHOWN = ("wSD", "RC", "ICC(A,1)", "wCV")
_SUPERSCRIPT = {"mm2": "mm\N{SUPERSCRIPT TWO}"}


def repeat_page(found: RepeatStudy, kicker: str, remarks: Sequence[str] = ()) -> Page:
    """The page; `remarks` say what was left out and why."""
    blocks: list[Block] = []
    for one in found.sets:
        blocks += _set_blocks(found, one)
    notes = (*found.notes, *remarks)
    if notes:
        blocks.append(Items("Read before use", tuple(notes)))
    blocks.append(Text(_HOW, quiet=True))
    # the anchor of a first page: no link leads back from it
    return Page("cohort", "How far do repeats lie apart?", kicker, tuple(blocks))


_HOW = (
    "wSD: standard deviation of one measurement. RC: the change of an unchanged place that error alone stays under in "
    "95 % of pairs; its upper bound is one-sided, 95 %, by chi-square. ICC: share of spread that is the places' own. "
    "Limits of agreement: second less first repeat. SDC at size: smallest detectable change by the precision profile, "
    "wSD = a + b \N{SQUARE ROOT}size + c size. Places, and deposits of one picture, are taken as independent."
)


def _set_blocks(found: RepeatStudy, one: RepeatSet) -> Iterator[Block]:
    figures = found.figures(one)
    yield Heading(f"{_TITLES[one.of]} ({len(one.groups)})")
    shown = tuple(_large(row) for row in figures if row.figure in _SHOWN and row.value is not None)
    if shown:
        yield LargeFigures(shown)
    pictures = tuple(_pictures(one, found.profile_of(one)))
    if pictures:
        yield Pictures(pictures)
    yield Table(
        "LargeFigures",
        ("figure", "at size", "value", "lower", "upper", "unit", "note"),
        tuple(_cells(row) for row in figures),
        (3, 2, 2, 2, 2, 1, 5),
        words=frozenset({0, 5, 6}),
    )


def _pictures(one: RepeatSet, profile: PrecisionProfile | None) -> Iterator[Picture]:
    unit = _SUPERSCRIPT.get(one.unit, one.unit)
    try:
        limits = bland_altman([first for first, _ in one.pairs], [second for _, second in one.pairs])
    except MeasurementRefused:
        return
    lines = ((limits.bias, "bias"), (limits.lower, "limit -1.96 sd"), (limits.upper, "limit +1.96 sd"))
    cloud = Cloud(
        one.pairs, (Verdict.STABLE,) * len(one.pairs), lines, f"mean of both, {unit}", f"second less first, {unit}"
    )
    alt = f"Differences of repeats over their mean: bias {limits.bias:.3g}, limits {limits.lower:.3g} to "
    yield png(bland_altman_plot(cloud), f"{alt}{limits.upper:.3g} {unit}", "Bland and Altman: limits of agreement", 0.5)
    if profile is not None:
        words = (
            f"Standard deviation over size: {profile.wsd(profile.smallest):.3g} to {profile.wsd(profile.largest):.3g}"
        )
        drawn = profile_plot(one.groups, profile, f"size, {unit} (log scale)", f"standard deviation, {unit}")
        yield png(drawn, f"{words} {unit}", "Precision profile; dashed: its upper 95 % bound", 0.5)


def _large(row: RepeatFigure) -> tuple[str, str, str]:
    unit = _SUPERSCRIPT.get(row.unit, row.unit)
    ends = f"{_number(row.lower)} to {_number(row.upper)}" if row.lower is not None else f"at most {_number(row.upper)}"
    told = "" if row.upper is None else ends
    return f"{_number(row.value)} {unit}".strip(), row.figure, told


def _cells(row: RepeatFigure) -> tuple[str, ...]:
    numbers = [_number(value) for value in (row.size, row.value, row.lower, row.upper)]
    return (row.figure, *numbers, _SUPERSCRIPT.get(row.unit, row.unit), row.note)


def _number(value: float | None) -> str:
    """Three significant digits; nothing is a dash."""
    return DASH if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
