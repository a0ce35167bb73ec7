"""Two films of one patient compared: gate, deposits, total, verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from calcimeasure.model.alignment import Alignment
from calcimeasure.model.precision import Precision, PrecisionProfile
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import Change, DepositChange, Fate, Link, Reading, Status, Verdict
from calcimeasure.model.warning import Code, Remark
from calcimeasure.steps.change.compare.contradictions import contradictions
from calcimeasure.steps.change.compare.deposits import Pair, deposit_changes, is_second_look
from calcimeasure.steps.change.compare.error import Area, ErrorModel
from calcimeasure.steps.change.compare.gate import Facts, comparable
from calcimeasure.steps.change.compare.settings import CompareSettings
from calcimeasure.steps.change.compare.shipped import shipped_precision
from calcimeasure.steps.change.compare.verdict import Total, is_inside_error, makes_worse, reason, under_rules, verdict


def compare(
    baseline: Reading,
    followup: Reading,
    alignment: Alignment,
    links: Sequence[Link],
    settings: CompareSettings | None = None,
    precision: Precision | None = None,
) -> Change:
    """What changed between two films: total, every deposit, verdict; or why that cannot be said.

    Parameters
    ----------
    baseline, followup : Reading
        Measured by one recipe.
    alignment : Alignment
        How they lie on each other.
    links : sequence of Link
        As `match` gives them.
    settings : CompareSettings, optional
    precision : Precision, optional
        Error of totals and of single deposits by size; the shipped one, from simulated films, when left out. Where its
        unit is not that of the areas, as in pixels, or it holds no profile, or it is simulated and a person outlined
        both films, the error of the outlines and `relative_sd` stand in.

    Returns
    -------
    Change
        Not evaluable, with the reason, when the gate, the alignment or the common field forbid it.

    Notes
    -----
    *Totals* are sums over the deposits of both films in the common field; of a deposit that is cut off there, the
    part inside. Left out of both: what lies outside, and, where the study file says why a deposit was lost (surgery,
    extrusion, ulcer), every deposit that is gone. What is left is then judged as usual.

    *A second look*: outlines of a program (no reader) are not believed alone. The brightness over the tissue around,
    summed on both films over one outline (`summed_brightness`), is a second witness of how an area changed. The fate of
    a deposit rests on the mean of both witnesses, each counted by its error; where they contradict each other, or only
    one film was outlined, on the films. The outlines' areas stand where both agree and the outlines alone tell that
    fate; else the area of the visit outlined smaller, or not at all, is the other's times the ratio of the witnesses;
    where the outlines tell a change and the films the opposite one, it is the other's. Two outlined ends of a deposit
    are no split, and two joined no merger, where the films contradict the outlines' areas. A program misses faint
    calcium at one visit and finds it at the other; leaving it out of both totals would make a small true change of the
    rest a large percentage.

    *New deposits* that nobody confirmed count in the totals that are shown, but not in the verdict.
    """
    settings = settings or CompareSettings()
    gate = comparable(baseline.image, followup.image, Facts.of(baseline, followup))
    against = list(contradictions(baseline, followup))
    reasons = (*gate.reasons, *(remark for is_refused, remark in against if is_refused))
    refused = reasons or ((alignment.refused,) if alignment.refused else ())
    warnings = (*gate.warnings, *(remark for is_refused, remark in against if not is_refused), *alignment.warnings)
    if refused:
        return Change.not_evaluable(*refused, warnings=warnings)
    precision = _of_these_outlines(shipped_precision() if precision is None else precision, baseline, followup)
    error = ErrorModel.of(baseline.image, followup.image, precision.totals, settings)
    pair = Pair.of(baseline, followup, alignment, error.with_profile(precision.of_deposits))
    outside = _share_outside(pair)
    if outside > settings.most_outside:
        beyond = Remark.of(Code.BURDEN_OUTSIDE, share=outside, most=settings.most_outside)
        return Change.not_evaluable(beyond, warnings=warnings)
    return _judged(pair, error, deposit_changes(pair, links), warnings)


def _of_these_outlines(precision: Precision, baseline: Reading, followup: Reading) -> Precision:
    """A simulated profile is of a program's outlines, which also miss deposits: it says nothing of a person's."""
    by_persons = baseline.outlined_by_person and followup.outlined_by_person
    simulated = precision.totals is not None and precision.totals.is_simulated
    return Precision() if by_persons and simulated else precision


def _share_outside(pair: Pair) -> float:
    """Share of the baseline's burden that the follow-up film does not show."""
    every = tuple(pair.before.rows)
    return 1 - pair.before.share(every) if every else 0.0


def _judged(pair: Pair, error: ErrorModel, deposits: tuple[DepositChange, ...], warnings: tuple[Remark, ...]) -> Change:
    """The verdict on the total, whose own error is `error`."""
    settings = error.settings
    before, after = _sums([one for one in deposits if one.counted])
    shown = _total(error, before, after)
    judged = _total(error, *_sums([one for one in deposits if one.counted and not _is_unconfirmed(one)]))
    new = sum(makes_worse(one, settings) for one in deposits)
    found = verdict(judged, new, settings)
    unit = error.unit
    told = _with_densities(Change(Status.COMPARED, found, (reason(judged, new, settings),)), pair, deposits)
    return replace(
        told,
        before=Quantity(shown.before, error.area_sd(before), unit),
        after=Quantity(shown.after, error.area_sd(after), unit),
        change=Quantity(shown.change, shown.change_sd, unit),
        percent=shown.percent,
        percent_interval=error.percent_interval(before, after),
        p_decrease=shown.p_decrease,
        detectable=shown.detectable(settings.level),
        deposits=deposits,
        under_rules=under_rules(judged, new, settings),
        inside_error=is_inside_error(judged, settings) if found is Verdict.STABLE else None,
        warnings=(*warnings, *_remarks(pair, error, deposits)),
    )


def _sums(deposits: Sequence[DepositChange]) -> tuple[Area, Area]:
    return _sum([one.area_before for one in deposits]), _sum([one.area_after for one in deposits])


def _total(error: ErrorModel, before: Area, after: Area) -> Total:
    sd = error.detectable(before, after) / error.detectable_multiplier
    return Total(before.value, after.value, sd, error.change_sd(before, after))


def _sum(areas: Sequence[Quantity | None]) -> Area:
    known = [area for area in areas if area is not None]
    return Area(math.fsum(area.value for area in known), math.sqrt(math.fsum((area.sd or 0.0) ** 2 for area in known)))


def _with_densities(change: Change, pair: Pair, deposits: Sequence[DepositChange]) -> Change:
    """The change with total aluminium volumes; without where a deposit that counts lacks its own."""
    counted = [one for one in deposits if one.counted]
    before = pair.before.aluminium([n for one in counted for n in one.baseline])
    after = pair.after.aluminium([n for one in counted for n in one.followup])
    if before is None or after is None or any(map(is_second_look, counted)):
        return change
    fall = Quantity(after.value - before.value, math.hypot(before.sd or 0.0, after.sd or 0.0), before.unit)
    return replace(change, density_before=before, density_after=after, density_change=fall)


def _is_unconfirmed(one: DepositChange) -> bool:
    return one.fate is Fate.NEW and not one.confirmed


def _remarks(pair: Pair, error: ErrorModel, deposits: Sequence[DepositChange]) -> tuple[Remark, ...]:
    """What a reader of the verdict ought to know about what was counted."""
    unconfirmed = sum(_is_unconfirmed(one) for one in deposits)
    outside = sum(one.fate is Fate.OUT_OF_FIELD for one in deposits)
    lost = sum(one.fate is Fate.RESOLVED and not one.counted for one in deposits)
    counted = [
        (unconfirmed, Remark.of(Code.NEW_UNCONFIRMED, count=unconfirmed)),
        (outside, Remark.of(Code.LEFT_OUT_OUTSIDE, count=outside)),
        (lost, Remark.of(Code.LOST_TO, count=lost, cause=pair.lost_because or "")),
        (unseen := sum(map(is_second_look, deposits)), Remark.of(Code.SECOND_LOOKS, count=unseen)),
    ]
    return (*(remark for count, remark in counted if count), *_of_profile(error.profile))


def _of_profile(profile: PrecisionProfile | None) -> tuple[Remark, ...]:
    if profile is None:
        return (Remark.of(Code.NO_PROFILE),)
    return (Remark.of(Code.PROFILE_SIMULATED, origin=profile.origin),) if profile.is_simulated else ()
