"""Which visits of a subject are compared."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from calcimeasure.model.study import Subject, Visit

#: A first infusion takes 2 to 5 days: a film of the same week still shows the untreated state.
GRACE_DAYS = 7
DAYS_A_MONTH = 30.4375


@dataclass(frozen=True, slots=True)
class Span:
    """Two visits of a subject to compare.

    `reported` is true from the baseline to a follow-up; between two other neighbouring visits the comparison only
    carries the identity of deposits on, and confirms new ones.
    """

    subject: str
    baseline: Visit
    followup: Visit
    reported: bool = True

    @property
    def name(self) -> str:
        """Subject and visits, told apart from every other span."""
        return "\t".join((self.subject, self.baseline.name, self.followup.name))


def baseline_of(subject: Subject) -> Visit:
    """The last visit on or before the start of treatment (a week's grace), else the first visit."""
    start = subject.treatment_start
    if start is None:
        return subject.visits[0]
    before = [v for v in subject.visits if v.date is not None and (v.date - start).days <= GRACE_DAYS]
    return before[-1] if before else subject.visits[0]


def spans_of(subject: Subject) -> tuple[Span, ...]:
    """Baseline against each later visit; then every other pair of neighbouring visits."""
    baseline = baseline_of(subject)
    later = subject.visits[subject.visits.index(baseline) + 1 :]
    told = [Span(subject.name, baseline, visit) for visit in later]
    seen = {(span.baseline.name, span.followup.name) for span in told}
    chain = [(a, b) for a, b in pairwise(subject.visits) if (a.name, b.name) not in seen]
    return (*told, *(Span(subject.name, a, b, reported=False) for a, b in chain))


def months_between(one: Visit, other: Visit) -> float | None:
    """Months from one visit to another; `None` without dates."""
    return None if one.date is None or other.date is None else (other.date - one.date).days / DAYS_A_MONTH
