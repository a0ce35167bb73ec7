"""The cohort's pages: the result, who is in it and who is not, and how it was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import Interval, Status, Subject, Verdict
from calcimeasure.report.figures import Bar, Cloud, Course, bland_altman_plot, spaghetti, waterfall
from calcimeasure.report.marks import VERDICTS
from calcimeasure.report.numbers import (
    DASH,
    MINUS,
    between,
    change_range,
    equals,
    fixed,
    names,
    p_value,
    percent,
    shares,
    signed,
    stopped,
    unit,
    with_unit,
)
from calcimeasure.report.trial.blocks import (
    Banner,
    Block,
    Cell,
    Heading,
    LargeFigures,
    Page,
    PageLink,
    Picture,
    Pictures,
    Table,
    Text,
    banner,
    png,
)
from calcimeasure.report.trial.findings import OUTCOMES, TrialFindings
from calcimeasure.report.words import in_one, verdict_in_words
from calcimeasure.steps.agreement.bland_altman import BlandAltman, bland_altman
from calcimeasure.steps.agreement.cohort import Cohort, Member, Outcome, Typical, months_after_start
from calcimeasure.steps.agreement.proportion import Proportion
from calcimeasure.steps.agreement.readers import Outlines, ReaderAgreement, ReaderPair

_DAGGER = "\N{DAGGER}"
_RULE = (
    "A subject counted as improved when the total area fell by more than the smallest detectable change at that size "
    "(95 %) and by at least 25 %, as worse when it rose likewise or when a new deposit was confirmed, and as stable "
    "otherwise."
)


def cohort_pages(findings: TrialFindings) -> Iterator[Page]:
    """The result of the study, then who is in it, then how it was made."""
    cohort = findings.cohort
    kicker = f"calcimeasure {findings.fact('version')} \N{MIDDLE DOT} recipe {findings.fact('recipe_hash')}"
    result: tuple[Block, ...] = (*_headline(cohort), *_waterfall(findings), _responders(cohort), *_typical(cohort))
    yield Page("cohort", "Did the calcium go down?", kicker, result)
    shown = tuple(filter(None, (_courses(findings), _changes(cohort))))
    pictures: tuple[Block, ...] = (Pictures(shown),) if shown else ()
    who = (*pictures, _flow(cohort), _films(cohort), _subjects(findings))
    yield Page("subjects", "Who is in it, and who is not", kicker, who)
    yield Page("methods", "How it was done", kicker, (*_readers(findings.readers), *_methods(findings)))


# ------------------------------------------------------------------------------------------------ the result


def _headline(cohort: Cohort) -> Iterator[Block]:
    found, care = cohort.responders, cohort.usual_care.improved
    if found is None:
        yield banner(Verdict.NOT_EVALUABLE, f"No subject could be compared. {_losses(cohort)}")
        return
    text = (
        f"{percent(found.share)} %, exact 95 % interval {shares(found.exact)} %. {_losses(cohort)} Under usual care, "
        f"in another disease (systemic sclerosis, hands), {care.successes} of {care.trials} improved: "
        f"{percent(care.share)} %, {shares(care.exact)} %.{_DAGGER}"
    )
    yield Banner("\N{BULLET}", f"{found.successes} of {found.trials} compared subjects improved", text, "same")
    yield LargeFigures(tuple(_figures(cohort, found)))


def _losses(cohort: Cohort) -> str:
    """The flow in a sentence."""
    lost = [f"{number} {OUTCOMES[one].lower()}" for one, number in cohort.flow.items() if number and one not in _IN]
    total = f"Of {len(cohort.members)} subjects {len(cohort.compared)} could be compared"
    return f"{total}; {', '.join(lost)}." if lost else f"{total}."


_IN = {Outcome.COMPARED}


def _figures(cohort: Cohort, found: Proportion) -> Iterator[tuple[str, str, str]]:
    yield f"{percent(found.share)} %", "improved", f"{shares(found.exact)} %, exact 95 %"
    if cohort.worst_case is not None:
        worst = cohort.worst_case
        yield f"{percent(worst.share)} %", "at worst", f"{worst.successes} of all {worst.trials} subjects"
    if cohort.percent is not None:
        values = cohort.percent.values
        yield f"{signed(cohort.percent.median)} %", "median change", f"{between(min(values), max(values), 0)} %"
    yield f"{cohort.verdicts.get(Verdict.STABLE, 0)} / {cohort.verdicts.get(Verdict.WORSE, 0)}", "stable / worse", ""


def _waterfall(findings: TrialFindings) -> Iterator[Block]:
    compared = [(one.subject, one.primary.change) for one in findings.cohort.compared if one.primary]
    bars = [
        Bar(name, change.percent, change.percent_interval, change.verdict)
        for name, change in compared
        if change.percent is not None
    ]
    if not bars:
        return
    letters = ", ".join(f"{mark.letter} {mark.word}" for v, mark in VERDICTS.items() if v is not Verdict.NOT_EVALUABLE)
    alt = "Bars of the change per subject: " + ", ".join(f"{bar.subject} {bar.percent:+.0f} %" for bar in bars[:40])
    missing = len(compared) - len(bars)
    rest = f" {missing} without calcium at baseline: no percentage." if missing else ""
    caption = f"Change of every compared subject with its 95 % interval: {letters}.{rest}"
    data = waterfall(bars, findings.cohort.usual_care.median_percent, findings.cut)
    yield png(data, alt, caption)


def _responders(cohort: Cohort) -> Table:
    """Every responder rate, each with usual care beside it."""
    rows = [
        ("Improved, of those compared", cohort.responders),
        ("At worst: all others not improved", cohort.worst_case),
    ]
    rows += [(f"Rule: {rule}", share) for rule, share in cohort.under_rules.items()]
    care = f"{percent(cohort.usual_care.improved.share)} ({shares(cohort.usual_care.improved.exact)})"
    return Table(
        "Responders: improved against stable or worse",
        ("", "Improved", "%", "Exact 95 %", "Wilson 95 %", f"Usual care{_DAGGER}, %"),
        tuple(_responder_row(words, share, care) for words, share in rows if share is not None),
        (4.2, 1.3, 0.9, 1.7, 1.7, 2),
        note=_chances(cohort),
    )


def _responder_row(words: str, share: Proportion, care: str) -> tuple[Cell, ...]:
    counts = f"{share.successes} of {share.trials}"
    return words, counts, percent(share.share), shares(share.exact), shares(share.wilson), care


def _chances(cohort: Cohort) -> str:
    care = cohort.usual_care
    said = f"{_DAGGER} {stopped(care.caveat)} {care.source.split(';')[0]}."
    if cohort.chance is None or cohort.chance_upper is None:
        return said
    return (
        f"{said} Chance of at least as many responders at that rate: {equals(cohort.chance)}; at its upper limit of "
        f"{percent(care.improved.exact.high)} %: {equals(cohort.chance_upper)}."
    )


def _typical(cohort: Cohort) -> Iterator[Block]:
    found = [one for one in (cohort.percent, cohort.area) if one is not None]
    if not found:
        return
    columns = ("", "Subjects", "Median", "Hodges-Lehmann", "Exact interval", "Coverage", "Wilcoxon p")
    yield Table(
        "Typical change of the total area",
        (*columns, f"Usual care{_DAGGER}"),
        tuple(_typical_row(one, cohort) for one in found),
        (1.6, 1.1, 1.1, 1.8, 2, 1.2, 1.4, 1.4),
        note="Coverage: what the exact interval achieves where 95 % was asked for. Wilcoxon: two-sided, exact over all "
        f"signs, zeros after Pratt. {_cannot_reach(found[0])}",
    )


def _typical_row(one: Typical, cohort: Cohort) -> tuple[Cell, ...]:
    interval = one.estimate.interval
    care = f"{signed(cohort.usual_care.median_percent)} %" if one.unit == "%" else DASH
    return (
        f"In {unit(Quantity(0, None, one.unit))}",
        str(len(one.values)),
        signed(one.median),
        signed(one.estimate.value),
        between(interval.low, interval.high),
        f"{100 * interval.level:.1f} %",
        p_value(one.test.p),
        care,
    )


def _cannot_reach(one: Typical) -> str:
    if one.test.smallest_p <= 0.05:
        return ""
    return f"With {one.test.changes} changed subjects no result can be below p = {one.test.smallest_p:.3g}."


# ------------------------------------------------------------------------------------------------ who is in it


def _courses(findings: TrialFindings) -> Picture | None:
    """Every compared subject over time, from the baseline of the interval that counts."""
    subjects = {subject.name: subject for subject in findings.study.subjects}
    members = [one for one in findings.cohort.members if one.primary is not None]
    dated = all(_dated(subjects[one.subject], one) for one in members)
    courses = [course for one in members if (course := _course(subjects[one.subject], one, dated)) is not None]
    if not courses:
        return None
    data = spaghetti(courses, "months after the start of treatment" if dated else "visit", findings.cut)
    note = "Baseline is drawn at 0." if dated else "Some visits have no date: drawn in their order."
    alt = "Lines of the total area over time, one per subject, in percent of the baseline."
    return png(data, alt, f"Course of every subject: circle improved, square stable, triangle worse. {note}", 0.5)


def _dated(subject: Subject, member: Member) -> bool:
    return all(months_after_start(subject, one) is not None for one in _of_baseline(member))


def _of_baseline(member: Member) -> list[Interval]:
    """The member's compared intervals that begin at the baseline of the one that counts."""
    if member.primary is None:
        return []
    begin = member.primary.baseline.name
    every = [member.primary, *(one for one in member.others if one.baseline.name == begin)]
    return [one for one in every if one.change.status is Status.COMPARED and one.change.percent is not None]


def _course(subject: Subject, member: Member, dated: bool) -> Course | None:
    places = {visit.name: float(place) for place, visit in enumerate(subject.visits)}
    points = [(0.0, 100.0)]
    for one in _of_baseline(member):
        time = months_after_start(subject, one) if dated else places.get(one.followup.name)
        points.append((time or 0.0, 100.0 + (one.change.percent or 0.0)))
    if len(points) < 2:
        return None
    times, heights = zip(*sorted(points), strict=True)
    return Course(subject.name, times, heights, member.verdict)


def _changes(cohort: Cohort) -> Picture | None:
    """Bland and Altman's plot of after against before, in the unit that most subjects have."""
    changes = [one.primary.change for one in cohort.compared if one.primary]
    found = [(c.before, c.after, c.verdict) for c in changes if c.before and c.after]
    units = Counter(before.unit for before, _, _ in found).most_common(1)
    alike = [one for one in found if one[0].unit == units[0][0]]
    if len(alike) < 3:
        return None
    pairs = tuple((before.value, after.value) for before, after, _ in alike)
    limits = bland_altman([a for a, _ in pairs], [b for _, b in pairs])
    words = unit(alike[0][0])
    axes = f"mean of both visits, {words}", f"after {MINUS} before, {words}"
    cloud = Cloud(pairs, tuple(verdict for _, _, verdict in alike), _lines(limits, "mean change"), *axes)
    alt = f"Change against size: mean {limits.bias:.1f}, limits {limits.lower:.1f} to {limits.upper:.1f} {words}."
    caption = "Change against size (Bland and Altman), same signs. The limits hold true change as well as error."
    return png(bland_altman_plot(cloud), alt, caption, 0.5)


def _lines(limits: BlandAltman, mean: str) -> tuple[tuple[float, str], ...]:
    return (limits.bias, mean), (limits.lower, f"mean {MINUS} 1.96 sd"), (limits.upper, "mean + 1.96 sd")


def _flow(cohort: Cohort) -> Table:
    """From all subjects to the result, with who was lost where and why."""
    rows: list[tuple[Cell, ...]] = [("Subjects in the study file", str(len(cohort.members)), "", "")]
    rows += [
        (OUTCOMES[outcome], str(len(who)), in_one(reason), names(who))
        for (outcome, reason), who in cohort.reasons.items()
    ]
    rows.append((OUTCOMES[Outcome.COMPARED], str(len(cohort.compared)), "", ""))
    undated = [one.subject for one in cohort.compared if one.undated]
    if undated:
        rows.append(("of them without dates", str(len(undated)), "the last visit was taken", names(undated)))
    columns = ("", "Subjects", "Reason", "Who")
    widths = (2.4, 0.9, 4, 2.7)
    return Table("Flow: who was not evaluable, and why", columns, tuple(rows), widths, frozenset({0, 2, 3}))


def _films(cohort: Cohort) -> Text:
    reasons = "; ".join(f"{number} {reason}" for reason, number in cohort.excluded_films.items())
    excluded = sum(cohort.excluded_films.values())
    rest = f", {excluded} of them excluded by it ({reasons})" if excluded else ", none excluded by it"
    return Text(f"{cohort.films} films in the study file{rest}.", quiet=True)


def _subjects(findings: TrialFindings) -> Table:
    """One row per subject, with a link to its page."""
    rows = tuple(_subject_row(findings.anchors[one.subject], one) for one in findings.cohort.members)
    columns = ("Subject", "Follow-up", "Months", "Before", "After", "Change, %", "95 % interval", "Verdict")
    return Table("Every subject", columns, rows, (1.5, 1.7, 1, 1.7, 1.7, 1.2, 1.9, 2), frozenset({0, 1, 7}))


def _subject_row(anchor: str, member: Member) -> tuple[Cell, ...]:
    link = PageLink(member.subject, anchor)
    if member.primary is None:
        return link, *(DASH,) * 6, OUTCOMES[member.outcome]
    change = member.primary.change
    months = DASH if member.months is None else fixed(member.months, 1)
    ends = with_unit(change.before), with_unit(change.after)
    size = signed(change.percent), change_range(change)
    return link, member.primary.followup.name, months, *ends, *size, verdict_in_words(member.verdict)


# ------------------------------------------------------------------------------------------------ how it was done


def _readers(readers: ReaderAgreement | None) -> Iterator[Block]:
    if readers is None:
        return
    yield Heading("Agreement of the readers")
    rows = [
        (f"{one.form}, {one.form.words}", fixed(one.value, 3), f"{one.interval.low:.3f} to {one.interval.high:.3f}")
        for one in (readers.agreement, readers.consistency)
    ]
    rows.append(("Standard error of measurement", fixed(readers.error.agreement, 2), ""))
    rows.append(("Smallest detectable change, any reader at either visit", fixed(readers.sdc, 2), ""))
    left = f" {readers.left_out} not read by all of them are left out." if readers.left_out else ""
    note = f"{len(readers.readers)} readers, {readers.films} films.{left}"
    yield Table("Total area", ("", "Value", "95 % interval"), tuple(rows), (5, 1, 2), note=note)
    columns = ("Readers", "Mean difference", "Limits of agreement", "Dice, median (lowest)", "Seen by both")
    yield Table("Every two readers", columns, tuple(_pair_row(pair) for pair in readers.pairs), (2, 1.5, 2, 2, 1.8))
    yield Pictures(tuple(_pair_picture(pair) for pair in readers.pairs[:2]))


def _pair_row(pair: ReaderPair) -> tuple[Cell, ...]:
    limits, drawn = pair.difference, pair.outlines
    seen = f"{drawn.seen_by_both} of {drawn.deposits} deposits" if drawn else DASH
    limit = between(limits.lower, limits.upper, 2)
    return f"{pair.second} {MINUS} {pair.first}", signed(limits.bias, 2), limit, _dice(drawn), seen


def _dice(drawn: Outlines | None) -> str:
    if drawn is None or drawn.dice is None or drawn.dice_low is None:
        return DASH
    return f"{drawn.dice:.2f} ({drawn.dice_low:.2f})"


def _pair_picture(pair: ReaderPair) -> Picture:
    lines = _lines(pair.difference, "mean")
    cloud = Cloud(pair.areas, (Verdict.STABLE,) * len(pair.areas), lines, "mean of both readers", "difference")
    alt = "Differences of two readers over their means."
    return png(bland_altman_plot(cloud), alt, f"Total area, {pair.second} {MINUS} {pair.first}", 0.5)


def _methods(findings: TrialFindings) -> Iterator[Block]:
    """A paragraph to paste, then versions and hashes."""
    yield Heading("Methods, ready to paste")
    yield Text(" ".join(_sentences(findings)))
    care = findings.cohort.usual_care
    yield Text(f"{_DAGGER} Usual care: {care.source}. {stopped(care.caveat)}", quiet=True)
    facts = [("calcimeasure", findings.fact("version")), ("recipe", findings.fact("recipe_hash"))]
    facts.append(("weights, SHA-256", findings.fact("weights_sha256")))
    facts += [(str(name), str(version)) for name, version in (findings.run.get("packages") or {}).items()]
    yield Table("Versions and hashes", ("What", "Which"), tuple(facts), (1, 3), frozenset({0, 1}))


def _sentences(findings: TrialFindings) -> Iterator[str]:
    cohort, window = findings.cohort, findings.cohort.window
    yield (
        f"Calcium deposits were outlined and measured on {cohort.films} films of {len(cohort.members)} subjects with "
        f"calcimeasure {findings.fact('version')} (recipe {findings.fact('recipe_hash')}; weights SHA-256 "
        f"{findings.fact('weights_sha256')}), all visits with the same version, recipe and weights. Films of one site, "
        "side and view were laid on each other; deposits were matched on the aligned films and measured on the films "
        "as taken; what lay outside the common field was left out of both totals."
    )
    yield str(findings.run.get("rule") or _RULE)
    yield (
        f"The follow-up was the visit {window.first:g} to {window.last:g} months after the start of treatment (within "
        f"{window.grace_days} days), the one nearest to {window.target:g} months if there were several, chosen by date "
        "alone. Responder rates have exact (Clopper-Pearson) and Wilson 95 % intervals; the worst case counts every "
        "subject without a result as not improved."
    )
    if cohort.percent is not None:
        yield (
            "The typical change is the Hodges-Lehmann estimate with its exact interval (achieved coverage "
            f"{100 * cohort.percent.estimate.interval.level:.1f} %), tested by the exact Wilcoxon signed rank test "
            "(all permutations of signs, zeros after Pratt)."
        )
    yield "There was no control group; the rate under usual care comes from another disease. Research use only."
