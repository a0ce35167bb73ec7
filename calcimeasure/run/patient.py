"""From the records of intervals to a patient: one name for a deposit over all visits, one change for the body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from calcimeasure.follow_up import Labelled, confirmed, names_over_visits
from calcimeasure.io.results.interval_record import IntervalRecord
from calcimeasure.io.results.trial_results import TrialResults
from calcimeasure.model.study import Change, DepositChange, FilmPair, Interval, Status, Subject, Verdict, VisitOrder
from calcimeasure.model.warning import Code, Remark
from calcimeasure.run.trial import Trial
from calcimeasure.steps.change.compare.burden import burden
from calcimeasure.steps.change.compare.settings import CompareSettings
from calcimeasure.steps.change.schedule import Span, spans_of

#: What a reader ought to know of how a study file's visits came to be in order.
_ORDERS = {
    VisitOrder.DATED_AGAINST_TABLE: (Remark.of(Code.VISITS_BY_DATE),),
    VisitOrder.UNDATED_TABLE: (Remark.of(Code.VISITS_UNDATED),),
}


def intervals_of(trial: Trial, subject: Subject, results: TrialResults) -> list[Interval]:
    """The reported intervals of a subject from their records; those that are not finished are missing.

    Every deposit gets its name over all visits.
    """
    found = [one for one in records_of(trial, subject, results) if one[0].reported]
    return [_interval(trial, (subject, span), record, pairs) for span, record, pairs in found]


def records_of(
    trial: Trial, subject: Subject, results: TrialResults
) -> list[tuple[Span, IntervalRecord, list[FilmPair]]]:
    """Every finished span of a subject with its record, and its pairs with names and confirmations over all visits."""
    found = [(span, record) for span in spans_of(subject) if (record := results.intervals.get(span.name)) is not None]
    pairs = [list(record.pairs) for _, record in found]
    order = {visit.name: k for k, visit in enumerate(subject.visits)}
    joined = [(order[span.baseline.name], order[span.followup.name]) for span, _ in found]
    for place in dict.fromkeys(pair.place for one in pairs for pair in one):
        at = [(i, j) for i, one in enumerate(pairs) for j, pair in enumerate(one) if pair.place == place]
        told = _over_visits([joined[i] for i, _ in at], [pairs[i][j] for i, j in at], trial.job.recipe.compare)
        for (i, j), pair in zip(at, told, strict=True):
            pairs[i][j] = pair
    return [(span, record, its) for (span, record), its in zip(found, pairs, strict=True)]


def _over_visits(
    visits: Sequence[tuple[int, int]], pairs: Sequence[FilmPair], settings: CompareSettings
) -> list[FilmPair]:
    """The pairs of one place, every deposit with one name; new ones that a later visit shows again confirmed."""
    names = names_over_visits(visits, [pair.links for pair in pairs])
    named = [_renamed(pair, its) for pair, its in zip(pairs, names, strict=True)]
    out = []
    for pair, (_, visit) in zip(named, visits, strict=True):
        later = {name for other, its in zip(named, visits, strict=True) for name in _seen_after(other, its, visit)}
        out.append(replace(pair, change=confirmed(pair.change, later, settings)))
    return out


def _seen_after(pair: FilmPair, visits: tuple[int, int], visit: int) -> set[str]:
    """Names of the deposits that a pair outlines at a visit later than this one."""
    return {
        one.deposit
        for one in pair.change.deposits
        if (visits[0] > visit and one.baseline) or (visits[1] > visit and one.followup)
    }


def names_of(pairs: Sequence[FilmPair]) -> list[str]:
    """Names of the deposits of some pairs, row by row."""
    return [one.deposit for pair in pairs for one in pair.change.deposits]


def _renamed(pair: FilmPair, names: Mapping[Labelled, str]) -> FilmPair:
    deposits = [
        replace(one, deposit=names.get((one.baseline, one.followup), one.deposit)) for one in pair.change.deposits
    ]
    return _with_deposits(pair, deposits)


def _with_deposits(pair: FilmPair, deposits: Sequence[DepositChange]) -> FilmPair:
    return replace(pair, change=replace(pair.change, deposits=tuple(deposits)))


def _interval(trial: Trial, of: tuple[Subject, Span], record: IntervalRecord, pairs: Sequence[FilmPair]) -> Interval:
    """The interval with the change of the whole patient; its pairs' deposits as that names them."""
    subject, span = of
    whole = _whole(trial, record, pairs)
    whole = replace(whole, warnings=(*whole.warnings, *_ORDERS.get(subject.order, ())))
    deposits = iter(whole.deposits)
    if len(whole.deposits) == sum(len(pair.change.deposits) for pair in pairs):
        pairs = [_with_deposits(pair, list(islice(deposits, len(pair.change.deposits)))) for pair in pairs]
    return Interval(span.subject, span.baseline, span.followup, whole, tuple(pairs), record.alone)


def _whole(trial: Trial, record: IntervalRecord, pairs: Sequence[FilmPair]) -> Change:
    if record.error:
        return Change(Status.FAILED, Verdict.NOT_EVALUABLE, (Remark.other(record.error),))
    if not pairs:
        return Change.not_evaluable(*(record.alone or (Remark.of(Code.NO_PAIR),)))
    parts = [(trial.sources[pair.baseline].film, pair.change) for pair in pairs]
    return burden(parts, trial.job.recipe.compare)
