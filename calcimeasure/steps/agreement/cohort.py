"""A trial's few subjects in one value: who responded, by how much, by which rule, and who is not in it and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from calcimeasure.model import study
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import Status, Verdict
from calcimeasure.model.warning import Code, Remark, once
from calcimeasure.steps.agreement.proportion import Proportion, chance_of_as_many, proportion
from calcimeasure.steps.agreement.rank import HodgesLehmann, SignedRank, hodges_lehmann, signed_rank


class Outcome(StrEnum):
    """How far a subject came in the analysis."""

    COMPARED = "compared"
    NOT_EVALUABLE = "not_evaluable"
    FAILED = "failed"
    EXCLUDED = "excluded"
    ONE_VISIT = "one_visit"
    OUTSIDE_WINDOW = "outside_window"


@dataclass(frozen=True, slots=True)
class VisitWindow:
    """Which follow-up visit counts: `first` to `last` months after the start of treatment, the nearest to `target`.

    A visit `grace_days` early or late still counts: patients do not come on the day. Chosen by date alone, never by
    result; without dates the last visit counts, and the subject is marked as undated. The baseline is the subject's
    (`calcimeasure.model.study.Subject.baseline`), whatever the window.
    """

    first: float = 6.0
    last: float = 12.0
    target: float = 9.0
    grace_days: int = 15

    def holds(self, months: float) -> bool:
        """Whether a visit so many months after the start of treatment counts."""
        grace = self.grace_days / study.DAYS_A_MONTH
        return self.first - grace <= months <= self.last + grace


@dataclass(frozen=True, slots=True)
class Member:
    """One subject of the study.

    Parameters
    ----------
    subject : str
    outcome : Outcome
    reason : tuple of Remark
        Why there is no result; empty where there is one.
    primary : Interval or None
        From the last visit before treatment to the one in the window; `None` where there is none.
    months : float or None
        From the start of treatment (or, unknown, from the baseline visit) to the follow-up of `primary`.
    others : tuple of Interval
        All other intervals, those nearest to the target first.
    """

    subject: str
    outcome: Outcome
    reason: tuple[Remark, ...]
    primary: study.Interval | None
    months: float | None
    others: tuple[study.Interval, ...] = ()

    @property
    def undated(self) -> bool:
        """Whether the follow-up was taken for want of dates."""
        return self.primary is not None and self.months is None

    @property
    def shown(self) -> study.Interval | None:
        """The interval to look at: the primary one, or the nearest to it."""
        return self.primary or next(iter(self.others), None)

    @property
    def verdict(self) -> Verdict:
        """Of the primary interval."""
        compared = self.outcome is Outcome.COMPARED and self.primary is not None
        return self.primary.change.verdict if compared and self.primary else Verdict.NOT_EVALUABLE


@dataclass(frozen=True, slots=True)
class Typical:
    """The changes of all compared subjects, one each, and what is typical of them.

    Parameters
    ----------
    subjects : tuple of str
    values : tuple of float
        In the order of `subjects`.
    unit : str
        ``"%"`` of the baseline, or ``"mm2"``.
    median : float
        The middle one.
    estimate : HodgesLehmann
        With its exact interval; the coverage achieved is in it.
    test : SignedRank
        Exact, whatever ties and zeros there are.
    left_out : int
        Compared subjects without such a number: nothing at baseline, or no scale.
    """

    subjects: tuple[str, ...]
    values: tuple[float, ...]
    unit: str
    median: float
    estimate: HodgesLehmann
    test: SignedRank
    left_out: int


@dataclass(frozen=True, slots=True)
class UsualCare:
    """What happens without the treatment under study, as far as anybody has published it.

    Parameters
    ----------
    improved, progressed : Proportion
        Of the subjects after a year.
    median_percent : float
        Typical change of their score.
    source, caveat : str
        Where it comes from, and why it is not a control group.
    """

    improved: Proportion
    progressed: Proportion
    median_percent: float
    source: str
    caveat: str


@dataclass(frozen=True, slots=True)
class Cohort:
    """A study's result, and everything that a reader needs to doubt it.

    Parameters
    ----------
    members : tuple of Member
        Every subject of the study file, in its order.
    window : VisitWindow
    verdicts : mapping of Verdict to int
        Of the compared subjects.
    responders : Proportion or None
        Improved, of those compared; `None` when nobody could be.
    worst_case : Proportion or None
        Improved, of all subjects: a missing visit or one that cannot be evaluated counts as not improved.
    under_rules : mapping of str to Proportion
        Improved under each single rule, of the compared subjects of whom it is known.
    percent, area : Typical or None
        Change of the total in percent, and in mm2; `None` below two subjects.
    usual_care : UsualCare
    chance, chance_upper : float or None
        Chance of at least as many responders if each came at the rate of usual care, or at its upper limit.
    films : int
        Films in the study file.
    excluded_films : mapping of str to int
        How many films the study file itself left out, by its reason.
    """

    members: tuple[Member, ...]
    window: VisitWindow
    verdicts: Mapping[Verdict, int]
    responders: Proportion | None
    worst_case: Proportion | None
    under_rules: Mapping[str, Proportion]
    percent: Typical | None
    area: Typical | None
    usual_care: UsualCare
    chance: float | None
    chance_upper: float | None
    films: int
    excluded_films: Mapping[str, int]

    @property
    def compared(self) -> tuple[Member, ...]:
        """Subjects with a verdict."""
        return tuple(one for one in self.members if one.outcome is Outcome.COMPARED)

    @property
    def flow(self) -> dict[Outcome, int]:
        """How many subjects ended where."""
        return {outcome: sum(one.outcome is outcome for one in self.members) for outcome in Outcome}

    @property
    def reasons(self) -> dict[tuple[Outcome, tuple[Remark, ...]], tuple[str, ...]]:
        """Subjects without a result, by where they ended and why."""
        found: dict[tuple[Outcome, tuple[Remark, ...]], tuple[str, ...]] = {}
        for one in self.members:
            if one.outcome is not Outcome.COMPARED:
                found[one.outcome, one.reason] = (*found.get((one.outcome, one.reason), ()), one.subject)
        return found


def cohort(trial: study.Study, intervals: Iterable[study.Interval], window: VisitWindow | None = None) -> Cohort:
    """The study's result from its subjects' intervals; one interval per subject counts.

    It begins at the subject's baseline and ends at the visit in `window`. The other intervals are kept with the
    subject and counted nowhere.
    """
    window = window or VisitWindow()
    members = _members(trial, intervals, window)
    compared = [one.primary for one in members if one.outcome is Outcome.COMPARED and one.primary]
    improved = _improved(one.change.verdict for one in compared)
    care = usual_care()
    films = [film for subject in trial.subjects for visit in subject.visits for film in visit.films]
    return Cohort(
        members=members,
        window=window,
        verdicts=Counter(one.change.verdict for one in compared),
        responders=_share(improved, len(compared)),
        worst_case=_share(improved, len(members)),
        under_rules=_under_rules(compared),
        percent=_typical(compared, "%"),
        area=_typical(compared, "mm2"),
        usual_care=care,
        chance=_chance(improved, len(compared), care.improved.share),
        chance_upper=_chance(improved, len(compared), care.improved.exact.high),
        films=len(films),
        excluded_films=Counter(film.exclude_reason for film in films if film.exclude_reason),
    )


def usual_care() -> UsualCare:
    """The course of hand calcinosis in systemic sclerosis over a year: 39 patients under usual care.

    Valenzuela and others 2022: 16 progressed, 18 were stable, which leaves 5 improved.
    """
    return UsualCare(
        improved=proportion(5, 39),
        progressed=proportion(16, 39),
        median_percent=12.8,
        source="Valenzuela and others, Semin Arthritis Rheum 53 (2022) 151980; the 5 of 39 are what 16 progressed and "
        "18 stable leave",
        caveat="another disease (systemic sclerosis, hands), another score, usual care over one year: a backdrop, "
        "not a control group",
    )


def months_after_start(subject: study.Subject, interval: study.Interval) -> float | None:
    """Months from the start of treatment (else from the baseline visit) to a follow-up; `None` without dates."""
    start = subject.treatment_start or interval.baseline.date
    return study.months_between(start, interval.followup.date)


def _members(trial: study.Study, intervals: Iterable[study.Interval], window: VisitWindow) -> tuple[Member, ...]:
    of: dict[str, list[study.Interval]] = {}
    for interval in intervals:
        of.setdefault(interval.subject, []).append(interval)
    return tuple(_member(subject, of.get(subject.name, []), window) for subject in trial.subjects)


def _member(subject: study.Subject, intervals: Sequence[study.Interval], window: VisitWindow) -> Member:
    primary = _primary(subject, intervals, window)
    others = tuple(one for one in _nearest_first(subject, intervals, window) if one is not primary)
    if primary is None:
        outcome, reason = _why_none(subject, intervals, window)
        return Member(subject.name, outcome, reason, None, None, others)
    change, months = primary.change, months_after_start(subject, primary)
    reason = () if change.status is Status.COMPARED else change.reason or (Remark.of(Code.NO_REASON),)
    return Member(subject.name, Outcome(change.status.value), reason, primary, months, others)


def _primary(subject: study.Subject, intervals: Sequence[study.Interval], window: VisitWindow) -> study.Interval | None:
    """The interval that counts, chosen by date alone."""
    started = [one for one in intervals if one.baseline.name == subject.baseline.name]
    months = [months_after_start(subject, one) for one in started]
    if started and all(month is None for month in months):
        return started[-1]
    inside = [one for one, month in zip(started, months, strict=True) if month is not None and window.holds(month)]
    return next(iter(_nearest_first(subject, inside, window)), None)


def _nearest_first(
    subject: study.Subject, intervals: Sequence[study.Interval], window: VisitWindow
) -> list[study.Interval]:
    """By distance to the target; of two as near the earlier; undated ones last, in the order given."""

    def distance(one: study.Interval) -> tuple[float, float]:
        months = months_after_start(subject, one)
        return (float("inf"), 0.0) if months is None else (abs(months - window.target), months)

    return sorted(intervals, key=distance)


def _why_none(
    subject: study.Subject, intervals: Sequence[study.Interval], window: VisitWindow
) -> tuple[Outcome, tuple[Remark, ...]]:
    excluded = [film.exclude_reason for visit in subject.visits for film in visit.films if film.exclude_reason]
    if excluded and not intervals:
        return Outcome.EXCLUDED, once(map(Remark.other, excluded))
    if len(subject.visits) < 2:
        return Outcome.ONE_VISIT, (Remark.of(Code.ONE_VISIT),)
    return Outcome.OUTSIDE_WINDOW, (Remark.of(Code.OUTSIDE_WINDOW, first=window.first, last=window.last),)


def _improved(verdicts: Iterable[Verdict]) -> int:
    return sum(verdict is Verdict.IMPROVED for verdict in verdicts)


def _share(successes: int, trials: int) -> Proportion | None:
    return proportion(successes, trials) if trials else None


def _chance(successes: int, trials: int, rate: float) -> float | None:
    return chance_of_as_many(successes, trials, rate) if trials else None


def _under_rules(compared: Sequence[study.Interval]) -> dict[str, Proportion]:
    rules = dict.fromkeys(rule for one in compared for rule in one.change.under_rules)
    known = {rule: [i.change.under_rules[rule] for i in compared if rule in i.change.under_rules] for rule in rules}
    return {rule: proportion(_improved(verdicts), len(verdicts)) for rule, verdicts in known.items()}


def _typical(compared: Sequence[study.Interval], unit: str) -> Typical | None:
    number = _percent if unit == "%" else _mm2
    found = {one.subject: value for one in compared if (value := number(one.change)) is not None}
    values = tuple(found.values())
    if len(values) < 2:
        return None
    return Typical(
        subjects=tuple(found),
        values=values,
        unit=unit,
        median=median(values),
        estimate=hodges_lehmann(values),
        test=signed_rank(values),
        left_out=len(compared) - len(values),
    )


def _percent(change: study.Change) -> float | None:
    return change.percent


def _mm2(change: study.Change) -> float | None:
    total: Quantity | None = change.change
    return total.value if total is not None and total.unit == "mm2" else None
