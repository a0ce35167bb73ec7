"""All figures of repeated measurements in one list: scatter, correlation, limits, and error by size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.precision import Precision, PrecisionProfile
from calcimeasure.steps.agreement.bland_altman import bland_altman
from calcimeasure.steps.agreement.design import Balanced, balanced
from calcimeasure.steps.agreement.icc import icc_table
from calcimeasure.steps.agreement.interval import multiplier
from calcimeasure.steps.agreement.precision import fit_precision_profile
from calcimeasure.steps.agreement.proportion import clopper_pearson
from calcimeasure.steps.agreement.repeatability import repeatability

_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


class Of(StrEnum):
    """What was measured repeatedly: totals of pictures, totals of a pair as `compare` sees them, single deposits."""

    TOTALS = "totals"
    COMPARED = "compared"
    DEPOSITS = "deposits"


@dataclass(frozen=True, slots=True)
class RepeatSet:
    """Repeated measurements of one sort: a tuple of areas for each place, pair or deposit, in one unit.

    `found` counts, for deposits, those that every picture of their pair shows, and all. `names` holds the names of the
    repeats, group by group; left out, they are numbered as they come.
    """

    of: Of
    unit: str
    groups: tuple[tuple[float, ...], ...]
    found: tuple[int, int] | None = None
    names: tuple[tuple[str, ...], ...] = ()

    @property
    def table(self) -> Balanced:
        """The groups that have the shared repeats, column by column."""
        numbered = (tuple(str(k) for k in range(1, len(group) + 1)) for group in self.groups)
        return balanced(self.groups, self.names or tuple(numbered))

    @property
    def pairs(self) -> tuple[tuple[float, float], ...]:
        """Measurements of the first two shared repeats, of every group that has both."""
        return tuple((row[0], row[1]) for row in self.table.rows)

    @property
    def used_for_pairs(self) -> str:
        """Which repeats bias and limits rest on where not all groups have the same; empty where they have."""
        table = self.table
        lengths = {len(group) for group in self.groups}
        if table.is_whole and lengths <= {len(table.repeats)}:
            return ""
        return f"repeats {' and '.join(table.repeats[:2])} of {len(table.rows)} of {table.groups} places"


@dataclass(frozen=True, slots=True)
class RepeatFigure:
    """One figure: value and its ends (`None` where it has none), and why it has no value."""

    figure: str
    unit: str
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    size: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class RepeatStudy:
    """Sets of repeats, the profiles fitted to them, and why a profile is missing."""

    sets: tuple[RepeatSet, ...]
    precision: Precision
    notes: tuple[str, ...] = field(default=())

    def profile_of(self, one: RepeatSet) -> PrecisionProfile | None:
        """The profile that belongs to a set; the totals of single pictures have none where pairs were compared."""
        if one.of is Of.DEPOSITS:
            return self.precision.deposits
        return self.precision.totals if one is _judged(self.sets) else None

    def figures(self, one: RepeatSet) -> tuple[RepeatFigure, ...]:
        """Every figure of a set."""
        profile = self.profile_of(one)
        return (*figures_of(one), *(_by_size(one, profile) if profile else ()))


def repeat_study(sets: Sequence[RepeatSet], origin: str) -> RepeatStudy:
    """The sets with their precision profiles.

    Parameters
    ----------
    sets : sequence of RepeatSet
    origin : str
        Where the repeats come from, in words.
    """
    notes: list[str] = []
    sets = tuple(one for one in sets if one.groups)
    totals = _profile(_judged(sets), origin, notes)
    deposits = _profile(next((one for one in sets if one.of is Of.DEPOSITS), None), origin, notes)
    return RepeatStudy(sets, Precision(totals, deposits), tuple(notes))


def figures_of(one: RepeatSet) -> tuple[RepeatFigure, ...]:
    """Scatter, correlation and limits of agreement; a figure that is refused has no value, and says why."""
    unit = one.unit
    parts: tuple[tuple[str, Callable[[RepeatSet], Iterator[RepeatFigure]]], ...] = (
        ("wSD", _scatter),
        ("ICC(A,1)", _correlations),
        ("bias", _limits),
    )
    found = [row for name, part in parts for row in _unless_refused(name, part, one)]
    if one.found is not None and one.found[1]:
        share = clopper_pearson(*one.found)
        found.append(
            RepeatFigure("found", "", one.found[0] / one.found[1], share.low, share.high, note="in both pictures")
        )
    return tuple(replace(row, unit=unit if row.unit == "=" else row.unit) for row in found)


def _unless_refused(
    name: str, part: Callable[[RepeatSet], Iterator[RepeatFigure]], one: RepeatSet
) -> list[RepeatFigure]:
    try:
        return list(part(one))
    except MeasurementRefused as refusal:
        return [RepeatFigure(name, "=", note=str(refusal))]


def _scatter(one: RepeatSet) -> Iterator[RepeatFigure]:
    found = repeatability(one.groups)
    reach = found.rc / found.wsd if found.wsd else 1.0
    used = f"all {sum(map(len, one.groups))} repeats of {len(one.groups)} places" if one.used_for_pairs else ""
    yield RepeatFigure("wSD", "=", found.wsd, upper=found.rc_upper / reach, note=used)
    why = used if found.wcv is not None else "a mean is 0"
    yield RepeatFigure("wCV", "%", None if found.wcv is None else 100 * found.wcv, note=why)
    yield RepeatFigure("RC", "=", found.rc, upper=found.rc_upper, note=used)
    yield RepeatFigure("RC percent", "%", found.rc_percent, note=why)


def _correlations(one: RepeatSet) -> Iterator[RepeatFigure]:
    table = one.table
    used = f"repeats {', '.join(table.repeats)} of {len(table.rows)} of {table.groups} places"
    for found in icc_table(table.rows):
        ends = found.interval.low, found.interval.high
        yield RepeatFigure(found.form.value, "", found.value, *ends, note=used if one.used_for_pairs else "")


def _limits(one: RepeatSet) -> Iterator[RepeatFigure]:
    """Bland and Altman's, of the second shared repeat less the first."""
    found = bland_altman([first for first, _ in one.pairs], [second for _, second in one.pairs])
    for name, value, ends in (
        ("bias", found.bias, found.bias_interval),
        ("lower limit", found.lower, found.lower_interval),
        ("upper limit", found.upper, found.upper_interval),
    ):
        yield RepeatFigure(name, "=", value, ends.low, ends.high, note=one.used_for_pairs)


def _by_size(one: RepeatSet, profile: PrecisionProfile) -> Iterator[RepeatFigure]:
    sizes = np.quantile([np.mean(group) for group in one.groups], _QUANTILES)
    for size in sorted({round(max(float(size), profile.smallest), 6) for size in sizes}):
        upper = profile.sdc_upper(size)
        per_wsd = multiplier() * np.sqrt(2)
        yield RepeatFigure("wSD at size", profile.unit, profile.wsd(size), None, float(upper / per_wsd), size)
        yield RepeatFigure("SDC at size", profile.unit, profile.sdc(size), None, upper, size)


def _judged(sets: Sequence[RepeatSet]) -> RepeatSet | None:
    """The totals that a verdict rests on: those of compared pairs, else those of the pictures."""
    by_sort = {one.of: one for one in sets}
    return by_sort.get(Of.COMPARED) or by_sort.get(Of.TOTALS)


def _profile(one: RepeatSet | None, origin: str, notes: list[str]) -> PrecisionProfile | None:
    """The profile of a set without what was never found; `None` with a note where it is refused."""
    if one is None:
        return None
    try:
        return fit_precision_profile([group for group in one.groups if sum(group) > 0], one.unit, origin)
    except MeasurementRefused as refusal:
        notes.append(f"no precision profile of {one.of}: {refusal}")
        return None
