"""Rows of changes.csv, deposit_changes.csv and study.csv."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from calcimeasure import __version__
from calcimeasure.io.results.tables import Row
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import Change, DepositChange, Fate, FilmPair, Interval, Subject, Verdict, months_between
from calcimeasure.report.words import codes, in_one
from calcimeasure.steps.agreement.cohort import Member


def change_row(interval: Interval, recipe: str, *, primary: bool) -> Row:
    """Cells of changes.csv; `recipe` is the hash of the recipe, `primary` whether the interval counts in the cohort."""
    change = interval.change
    return {
        **_who(interval),
        **_verdict_cells(change),
        **_area_cells(change.before, change.after, change.change, change.percent),
        **_density_cells(change),
        **{fate.value: count for fate, count in change.fates.items()},
        "new_unconfirmed": sum(one.fate is Fate.NEW and not one.confirmed for one in change.deposits),
        "inside_error": _yes(change.inside_error),
        "months": months_between(interval.baseline.date, interval.followup.date),
        "primary": _yes(primary),
        "rules": "; ".join(f"{rule}: {verdict.value}" for rule, verdict in change.under_rules.items()),
        "warnings": in_one(change.warnings),
        "left_out": in_one(interval.alone),
        **_alignment_cells(interval.pairs),
        "recipe": recipe,
        "version": __version__,
        "warning_codes": codes(change.warnings),
    }


def deposit_rows(interval: Interval) -> Iterator[Row]:
    """Cells of deposit_changes.csv, film pair by film pair."""
    for pair in interval.pairs:
        for one in pair.change.deposits:
            yield {
                **_who(interval),
                **_deposit_cells(one),
                "baseline_name": pair.baseline,
                "followup_name": pair.followup,
            }


def study_row(subject: Subject, member: Member) -> Row:
    """Cells of study.csv: the interval of a subject that counts; the others in one cell."""
    chosen = member.primary
    change = chosen.change if chosen else Change.not_evaluable(*member.reason)
    return {
        "subject": subject.name,
        "baseline_visit": subject.baseline.name,
        "followup_visit": chosen.followup.name if chosen else None,
        "months": member.months,
        **_verdict_cells(change),
        "outcome": member.outcome.value,
        "response": _response(change.verdict),
        **_area_cells(change.before, change.after, change.change, change.percent),
        "other_visits": "; ".join(_in_short(one) for one in member.others),
    }


def _response(verdict: Verdict) -> str:
    two = {Verdict.IMPROVED: "improved", Verdict.STABLE: "stable/worse", Verdict.WORSE: "stable/worse"}
    return two.get(verdict, "")


def _in_short(interval: Interval) -> str:
    change = interval.change
    percent = "" if change.percent is None else f" ({change.percent:+.1f} %)"
    return f"{interval.followup.name}: {change.verdict.value}{percent}"


def _who(interval: Interval) -> Row:
    return {
        "subject": interval.subject,
        "baseline_visit": interval.baseline.name,
        "followup_visit": interval.followup.name,
    }


def _verdict_cells(change: Change) -> Row:
    low, high = change.percent_interval or (None, None)
    return {
        "status": change.status.value,
        "verdict": change.verdict.value,
        "reason": in_one(change.reason),
        "percent_low": low,
        "percent_high": high,
        "p_decrease": change.p_decrease,
        "detectable": change.detectable,
    }


def _area_cells(before: Quantity | None, after: Quantity | None, change: Quantity | None, percent: float | None) -> Row:
    """Areas in the columns of their unit; never pixels among millimetres."""
    told = {"before": before, "after": after, "change": change}
    cells = {f"area_{name}_{one.unit}": one.value for name, one in told.items() if one is not None}
    return {**cells, "area_change_sd": change.sd if change else None, "area_change_percent": percent}


def _density_cells(change: Change) -> Row:
    before, after, delta = change.density_before, change.density_after, change.density_change
    share = 100 * delta.value / before.value if delta and before and before.value > 0 else None
    return {
        "density_before_mm3": before.value if before else None,
        "density_after_mm3": after.value if after else None,
        "density_change_mm3": delta.value if delta else None,
        "density_change_sd": delta.sd if delta else None,
        "density_change_percent": share,
    }


def _alignment_cells(pairs: Sequence[FilmPair]) -> Row:
    overlaps = [pair.overlap for pair in pairs if pair.overlap is not None]
    residuals = [pair.residual_mm for pair in pairs if pair.residual_mm is not None]
    return {
        "pairs": len(pairs),
        "overlap": min(overlaps, default=None),
        "residual_mm": max(residuals, default=None),
    }


def _deposit_cells(one: DepositChange) -> Row:
    before, after = one.baseline_point or (None, None), one.followup_point or (None, None)
    return {
        "deposit": one.deposit,
        "fate": one.fate.value,
        "baseline_row": before[0],
        "baseline_column": before[1],
        "followup_row": after[0],
        "followup_column": after[1],
        **_area_cells(one.area_before, one.area_after, one.area_change, one.percent),
        "detectable": one.detectable,
        "power": one.power,
        "density_before_mm": one.density_before.value if one.density_before else None,
        "density_after_mm": one.density_after.value if one.density_after else None,
        "confirmed": _yes(one.confirmed) if one.fate is Fate.NEW else None,
        "counted": _yes(one.counted),
        "by": one.by,
        "note": in_one(one.note),
        "baseline_labels": " ".join(map(str, one.baseline)),
        "followup_labels": " ".join(map(str, one.followup)),
        "contrast_percent": one.contrast_percent,
    }


def _yes(fact: bool | None) -> str | None:
    return None if fact is None else "yes" if fact else "no"
