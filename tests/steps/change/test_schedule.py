"""Which visits are compared."""

import datetime

import pytest

from calcimeasure.model.study import Subject, Visit, months_between
from calcimeasure.steps.change.schedule import spans_of

START = datetime.date(2025, 1, 15)


def _subject(*months: float | None) -> Subject:
    days = [None if m is None else START + datetime.timedelta(days=round(m * 30.4375)) for m in months]
    return Subject("S", tuple(Visit(f"v{n}", day, ()) for n, day in enumerate(days)), START)


@pytest.mark.parametrize(
    ("months", "baseline"),
    [
        ((-1, 8), "v0"),
        ((-3, -1, 8), "v1"),
        ((0.2, 8), "v0"),  # a film of the week of the first infusion is still a baseline
        ((-1, 0.2, 8), "v1"),
        ((1, 8), "v0"),  # no film before treatment: the first there is
        ((None, None), "v0"),
    ],
)
def test_the_baseline_is_the_last_untreated_visit(months: tuple[float | None, ...], baseline: str) -> None:
    assert _subject(*months).baseline.name == baseline


def test_every_follow_up_is_compared_with_the_baseline_and_neighbours_carry_identity() -> None:
    spans = spans_of(_subject(-4, -1, 3, 8))
    told = [(s.baseline.name, s.followup.name, s.reported) for s in spans]
    assert told == [("v1", "v2", True), ("v1", "v3", True), ("v0", "v1", False), ("v2", "v3", False)]
    assert len({span.name for span in spans}) == 4
    assert months_between(spans[1].baseline.date, spans[1].followup.date) == pytest.approx(9, abs=0.05)


def test_one_visit_has_nothing_to_compare() -> None:
    assert spans_of(_subject(-1)) == ()
