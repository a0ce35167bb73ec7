"""Which visits of a subject are compared."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from calcimeasure.model.study import Subject, Visit


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


def spans_of(subject: Subject) -> tuple[Span, ...]:
    """Baseline against each later visit; then every other pair of neighbouring visits."""
    baseline = subject.baseline
    later = subject.visits[subject.visits.index(baseline) + 1 :]
    told = [Span(subject.name, baseline, visit) for visit in later]
    seen = {(span.baseline.name, span.followup.name) for span in told}
    chain = [(a, b) for a, b in pairwise(subject.visits) if (a.name, b.name) not in seen]
    return (*told, *(Span(subject.name, a, b, reported=False) for a, b in chain))
