"""One patient's page: the verdict in a sentence, both films, every deposit, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator

from calcimeasure.model.study import Change, DepositChange, Fate, Interval, Status, Subject, Verdict
from calcimeasure.model.warning import Code, Remark
from calcimeasure.report.marks import FATES, PLUS_MINUS, VERDICTS, half_width
from calcimeasure.report.numbers import (
    DASH,
    chance,
    change_range,
    few,
    fixed,
    names,
    rounded,
    signed,
    stopped,
    unit,
    with_error,
    with_unit,
)
from calcimeasure.report.trial.blocks import (
    Banner,
    Block,
    Cell,
    Items,
    LargeFigures,
    Page,
    Picture,
    Table,
    Text,
    banner,
)
from calcimeasure.report.trial.findings import OUTCOMES, TrialFindings
from calcimeasure.report.words import in_one, sentences, verdict_in_words
from calcimeasure.steps.agreement.cohort import Member, months_after_start

#: Deposits in a patient's table, so that the page stays one sheet; the rest are in deposit_changes.csv.
MOST_DEPOSITS = 12

_KEY = (
    "Contrast: change of its brightness over the tissue around, both films laid on each other. Detectable: smallest "
    "change seen at that size, 95 %. Power: chance to see a fall of 25 %. Single deposits are descriptive; the verdict "
    "is on the total."
)


def patient_page(findings: TrialFindings, subject: Subject, member: Member, picture: Picture | None) -> Page:
    """One patient over the interval that counts, or over the one nearest to it."""
    interval = member.shown
    anchor = findings.anchors[subject.name]
    if interval is None:
        said = banner(Verdict.NOT_EVALUABLE, f"{OUTCOMES[member.outcome]}: {in_one(member.reason)}.")
        return Page(anchor, subject.name, "Patient", (said, *_left_out(subject, None)))
    change = interval.change
    blocks: list[Block] = [_verdict(member, change)]
    blocks += [_totals(change)] if change.status is Status.COMPARED and change.before else []
    blocks += [picture] if picture else [Text("There is no picture of this pair.", quiet=True)]
    blocks += [_deposits(change)] if change.deposits else []
    blocks += [*_rules(change), *_left_out(subject, interval), *_warnings(change), *_others(subject, member)]
    return Page(anchor, subject.name, _kicker(subject, interval), tuple(blocks))


def sentence(change: Change) -> str:
    """The verdict's ground in one sentence, with its interval."""
    if change.status is not Status.COMPARED or change.before is None or change.after is None:
        return stopped(in_one(change.reason or Remark.of(Code.NO_REASON)))
    before, after = change.before.value, change.after.value
    way = "stayed" if before == after else "rose" if after > before else "fell"
    interval = f", 95 % interval {change_range(change)} %" if change.percent_interval else ""
    share = f" ({signed(change.percent)} %{interval})" if change.percent is not None else ""
    reason = f": {in_one(change.reason)}" if change.reason else ""
    return stopped(f"Total area {way} from {with_unit(change.before)} to {with_unit(change.after)}{share}{reason}")


def picture_of(interval: Interval) -> tuple[str, str]:
    """What the pair of films shows, in words for those who cannot see it, and its caption."""
    counts = ", ".join(f"{number} {_fate(fate)}" for fate, number in interval.change.fates.items() if number)
    alt = f"Baseline and follow-up of {interval.subject} side by side. Deposits: {counts or 'none'}."
    caption = (
        "Follow-up laid on the baseline, grey values matched in the limb, one window for both. Number: deposit, "
        "letter and line: its fate. A resolved or new one is outlined on the other film too. Hatched: not on the film."
    )
    return alt, caption


def crowded(change: Change) -> bool:
    """Whether the page needs a lower picture to stay on one sheet."""
    return len(change.deposits) + len(change.warnings) > 7


def _kicker(subject: Subject, interval: Interval) -> str:
    months = months_after_start(subject, interval)
    since = "the start of treatment" if subject.treatment_start else "the baseline visit"
    when = f", {months:.1f} months after {since}" if months is not None else ""
    films = {" ".join(filter(None, (film.side, film.site, film.view))) for film in interval.baseline.films}
    visits = f"{interval.baseline.name} to {interval.followup.name}{when}"
    return " \N{MIDDLE DOT} ".join(filter(None, ("Patient", ", ".join(sorted(filter(None, films))), visits)))


def _verdict(member: Member, change: Change) -> Banner:
    verdict = change.verdict if change.status is Status.COMPARED else Verdict.NOT_EVALUABLE
    away = f" Not counted in the cohort: {in_one(member.reason)}." if member.primary is None else ""
    return banner(verdict, sentence(change) + away)


def _totals(change: Change) -> LargeFigures:
    items = [
        (with_unit(quantity), words, "" if quantity.sd is None else f"{PLUS_MINUS} {rounded(half_width(quantity))}")
        for words, quantity in (("before", change.before), ("after", change.after))
        if quantity is not None
    ]
    if change.change is not None:
        small = "" if change.detectable is None else f"smallest detectable {rounded(change.detectable)}"
        items.append((f"{signed(change.change.value)} {unit(change.change)}", "change", small))
    if change.p_decrease is not None:
        items.append((chance(change.p_decrease), "chance of a true fall", "given measurement error"))
    return LargeFigures((*items, *_density(change)))


def _density(change: Change) -> list[tuple[str, str, str]]:
    found = change.density_change
    if found is None or change.density_before is None:
        return []
    return [(f"{signed(found.value)} {unit(found)}", "aluminium volume", f"from {with_unit(change.density_before)}")]


def _deposits(change: Change) -> Table:
    """The largest deposits first; their fates in letters and words."""
    ordered = sorted(change.deposits, key=_size, reverse=True)
    units = (unit(q) for one in ordered for q in (one.area_before, one.area_after) if q)
    hidden = len(ordered) - MOST_DEPOSITS
    return Table(
        f"Deposits, areas in {next(units, 'px')} {PLUS_MINUS} half of the 95 % interval",
        ("Deposit", "Fate", "Before", "After", "Change", "%", "Contrast, %", "Detectable", "Power", "Note"),
        tuple(_deposit_row(one) for one in ordered[:MOST_DEPOSITS]),
        (1, 1.7, 1.6, 1.6, 1.6, 0.9, 1.2, 1.3, 0.9, 2.4),
        frozenset({0, 1, 9}),
        (f"{hidden} smaller ones are in deposit_changes.csv. " if hidden > 0 else "") + _KEY,
    )


def _deposit_row(one: DepositChange) -> tuple[Cell, ...]:
    power = DASH if one.power is None else f"{100 * one.power:.0f} %"
    areas = with_error(one.area_before), with_error(one.area_after), with_error(one.area_change, sign=True)
    fate = f"{FATES[one.fate].letter} {_fate(one.fate)}"
    shares = signed(one.percent, 0), signed(one.contrast_percent, 0)
    return one.deposit, fate, *areas, *shares, rounded(one.detectable), power, _note(one)


def _says_not_counted(one: DepositChange) -> bool:
    return any(remark.code in (Code.DEPOSIT_OUTSIDE, Code.DEPOSIT_LOST_TO) for remark in one.note)


def _note(one: DepositChange) -> str:
    notes = [
        "not confirmed: changes no verdict" if one.fate is Fate.NEW and not one.confirmed else "",
        "" if one.counted or _says_not_counted(one) else "not in the totals",
        in_one(one.note),
        f"matched by {one.by}" if one.by != "calcimeasure" else "",
    ]
    return "; ".join(filter(None, notes))


def _size(one: DepositChange) -> float:
    return max((q.value for q in (one.area_before, one.area_after) if q), default=0.0)


def _fate(fate: Fate) -> str:
    return FATES[fate].word


def _rules(change: Change) -> Iterator[Block]:
    if change.under_rules:
        said = "; ".join(f"{rule}: {VERDICTS[verdict].word}" for rule, verdict in change.under_rules.items())
        yield Text(f"Under each rule: {said}.", quiet=True)


def _left_out(subject: Subject, interval: Interval | None) -> Iterator[Block]:
    """What does not enter the verdict, and why: films, lost calcium, deposits out of the field."""
    lines = list(dict.fromkeys(_film_notes(subject)))
    if interval is not None:
        lines += sentences(interval.alone)
        away = [one.deposit for one in interval.change.deposits if one.fate is Fate.OUT_OF_FIELD]
        lines += [f"deposit {names(away)}: outside the field that both films show, in no total"] if away else []
    if lines:
        yield Items("Left out, and why", few(map(stopped, lines)))


def _film_notes(subject: Subject) -> Iterator[str]:
    for visit in subject.visits:
        for film in visit.films:
            what = " ".join(filter(None, (film.side, film.site, film.view))) or "film"
            if film.exclude_reason:
                yield f"{visit.name}, {what}: excluded, {film.exclude_reason}"
            if film.lost_because:
                yield f"{visit.name}, {what}: calcium lost by {film.lost_because}, which is no improvement"


def _warnings(change: Change) -> Iterator[Block]:
    if change.warnings:
        yield Items("Read before use", few(map(stopped, sentences(change.warnings))))


def _others(subject: Subject, member: Member) -> Iterator[Block]:
    rest = [one for one in member.others if one is not member.shown]
    if rest:
        yield Table(
            "Other intervals, counted nowhere",
            ("Interval", "Months", "Before", "After", "Change, %", "95 % interval", "Verdict"),
            tuple(_other_row(subject, one) for one in rest[:4]),
            (3, 1, 1.5, 1.5, 1.2, 2, 2),
            frozenset({0, 6}),
        )


def _other_row(subject: Subject, one: Interval) -> tuple[Cell, ...]:
    months, change = months_after_start(subject, one), one.change
    when = DASH if months is None else fixed(months, 1)
    ends = with_unit(change.before), with_unit(change.after)
    visits = f"{one.baseline.name} to {one.followup.name}"
    return visits, when, *ends, signed(change.percent), change_range(change), verdict_in_words(change.verdict)
