"""The cohort: the study's own figures from values, whoever is missing, and several readers."""

import datetime

import numpy as np
import pytest

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.labels import Labels
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import Change, Film, Interval, Status, Study, Subject, Verdict, Visit
from calcimeasure.model.warning import Remark
from calcimeasure.steps.agreement import Outcome, Read, VisitWindow, cohort, outlines_agree, readers_agree

START = datetime.date(2024, 1, 31)
#: clinical.md 4.3: W = 4, p = .0546875, Hodges-Lehmann -5.425, W(4)..W(33) = -11.9..0.5 with 96.1 %.
CHANGES = (-12.4, -3.1, -8.8, -1.2, -15.0, 2.2, -6.5, 0.9)
VERDICTS = (Verdict.IMPROVED,) * 5 + (Verdict.STABLE, Verdict.WORSE, Verdict.STABLE)


def _visit(name, months, **facts):
    date = None if months is None else START + datetime.timedelta(days=round(30.4375 * months))
    return Visit(name, date, (Film("s", name, date, f"{name}.png", **facts),))


def _change(percent, verdict=Verdict.STABLE, unit="mm2", **facts):
    before, delta = Quantity(100.0, 2.0, unit), Quantity(percent, 3.0, unit)
    return Change(Status.COMPARED, verdict, (), before, Quantity(100.0 + percent, 2.0, unit), delta, percent, **facts)


def _subject(name, *months, start=START):
    return Subject(name, tuple(_visit(f"v{place}", month) for place, month in enumerate(months)), start)


def _between(subject, one, other, change):
    return Interval(subject.name, subject.visits[one], subject.visits[other], change)


def _eight():
    subjects = [_subject(f"s{n}", -0.2, 9) for n in range(8)]
    intervals = [
        _between(subject, 0, 1, _change(percent, verdict, under_rules={"25 % alone": verdict}))
        for subject, percent, verdict in zip(subjects, CHANGES, VERDICTS, strict=True)
    ]
    return subjects, intervals


def test_five_of_eight_with_both_intervals_and_usual_care_beside_them():
    subjects, intervals = _eight()
    found = cohort(Study(tuple(subjects)), intervals)
    assert (found.responders.successes, found.responders.trials) == (5, 8)
    assert [round(100 * end, 1) for end in (found.responders.exact.low, found.responders.exact.high)] == [24.5, 91.5]
    assert [round(100 * end, 1) for end in (found.responders.wilson.low, found.responders.wilson.high)] == [30.6, 86.3]
    assert found.under_rules["25 % alone"].successes == 5
    assert round(100 * found.usual_care.improved.share, 1) == 12.8
    assert found.chance == pytest.approx(0.0014, abs=1e-4)
    assert found.chance_upper == pytest.approx(0.040, abs=1e-3)


def test_typical_change_states_its_achieved_coverage():
    subjects, intervals = _eight()
    percent = cohort(Study(tuple(subjects)), intervals).percent
    assert (percent.estimate.value, percent.test.p) == (pytest.approx(-5.425), 0.0546875)
    interval = percent.estimate.interval
    assert (interval.low, interval.high, round(interval.level, 3)) == (pytest.approx(-11.9), pytest.approx(0.5), 0.961)


def test_whoever_is_missing_is_in_the_flow_and_not_improved_at_worst():
    subjects, intervals = _eight()
    more = [_subject("alone", 0), _subject("late", 0, 20), _subject("other side", 0, 9), _subject("broken", 0, 9)]
    away = Subject("away", (_visit("v0", 0), _visit("v1", 9, exclude_reason="blurred")), START)
    intervals += [
        _between(more[1], 0, 1, _change(-80.0, Verdict.IMPROVED)),
        _between(more[2], 0, 1, Change.not_evaluable(Remark.other("another side"))),
        _between(more[3], 0, 1, Change(Status.FAILED, Verdict.NOT_EVALUABLE, (Remark.other("damaged file"),))),
    ]
    found = cohort(Study((*subjects, *more, away)), intervals)
    assert found.flow == {
        Outcome.COMPARED: 8,
        Outcome.NOT_EVALUABLE: 1,
        Outcome.FAILED: 1,
        Outcome.EXCLUDED: 1,
        Outcome.ONE_VISIT: 1,
        Outcome.OUTSIDE_WINDOW: 1,
    }
    assert (found.worst_case.successes, found.worst_case.trials) == (5, 13)
    assert found.responders.trials == 8
    assert found.reasons[Outcome.NOT_EVALUABLE, (Remark.other("another side"),)] == ("other side",)
    assert found.reasons[Outcome.EXCLUDED, (Remark.other("blurred"),)] == ("away",)
    assert found.excluded_films == {"blurred": 1}


@pytest.mark.parametrize(
    ("months", "start", "chosen"),
    [
        ((-0.2, 6, 11), START, ("v0", "v2")),  # 11 months are nearer to 9 than 6
        ((-0.2, 7, 11), START, ("v0", "v1")),  # a tie: the earlier
        ((-6, -0.1, 9), START, ("v1", "v2")),  # the last visit before treatment
        ((-6, 0.1, 9), START, ("v1", "v2")),  # within the week of the first infusion
        ((0, 5.6, 14), START, ("v0", "v1")),  # the grace of two weeks
        ((0, 5.2, 14), START, None),
        ((0, 9), None, ("v0", "v1")),  # no start: counted from the baseline
        ((None, None, None), START, ("v0", "v2")),  # no dates: the last visit
    ],
)
def test_the_interval_that_counts_is_chosen_by_date(months, start, chosen):
    subject = _subject("s", *months, start=start)
    pairs = [(a, b) for a in range(len(months)) for b in range(a + 1, len(months))]
    member = cohort(Study((subject,)), [_between(subject, a, b, _change(-5.0)) for a, b in pairs]).members[0]
    primary = member.primary
    assert (None if primary is None else (primary.baseline.name, primary.followup.name)) == chosen
    assert len(member.others) == len(pairs) - (primary is not None)
    assert member.shown is not None


def test_one_rule_says_where_an_interval_begins():
    subject = _subject("s", -6, 0.1, 9)
    neighbours = [_between(subject, a, b, _change(-5.0)) for a, b in ((0, 1), (0, 2))]
    assert subject.baseline.name == "v1"
    assert cohort(Study((subject,)), neighbours).members[0].primary is None


def test_the_choice_does_not_look_at_the_result():
    subject = _subject("s", 0, 8.9, 10)
    near, far = Change.not_evaluable(Remark.other("too dark")), _change(-90.0, Verdict.IMPROVED)
    found = cohort(Study((subject,)), [_between(subject, 0, 1, near), _between(subject, 0, 2, far)])
    assert found.members[0].outcome is Outcome.NOT_EVALUABLE
    assert found.responders is None


def test_pixels_and_millimetres_are_not_mixed():
    subjects = [_subject(f"s{n}", 0, 9) for n in range(4)]
    units = ("mm2", "px", "mm2", "px")
    changes = [_change(-10.0 - n, unit=unit) for n, unit in enumerate(units)]
    found = cohort(Study(tuple(subjects)), [_between(s, 0, 1, c) for s, c in zip(subjects, changes, strict=True)])
    assert found.area.values == (-10.0, -12.0)
    assert (found.area.left_out, len(found.percent.values)) == (2, 4)


def test_nobody_gives_no_number():
    found = cohort(Study(()), [])
    assert (found.responders, found.worst_case, found.percent, found.chance) == (None, None, None, None)


def test_another_window_counts_other_visits():
    subject = _subject("s", 0, 3)
    intervals = [_between(subject, 0, 1, _change(-50.0, Verdict.IMPROVED))]
    assert cohort(Study((subject,)), intervals).responders is None
    assert cohort(Study((subject,)), intervals, VisitWindow(2, 4, 3)).responders.successes == 1


def _labels(*boxes):
    array = np.zeros((40, 40), np.int32)
    for number, (top, left, bottom, right) in enumerate(boxes, 1):
        array[top:bottom, left:right] = number * 1_000_000
    return Labels(array)


def test_readers_of_shrout_and_fleiss():
    table = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    reads = [Read(f"f{i}", f"r{j}", area) for i, row in enumerate(table) for j, area in enumerate(row)]
    found = readers_agree([*reads, Read("f9", "r0", 3.0)])
    assert round(found.agreement.value, 4) == 0.2898
    assert round(found.consistency.value, 4) == 0.7148
    assert found.sdc == pytest.approx(6.937, abs=2e-3)
    assert (found.films, found.left_out, len(found.pairs)) == (6, 1, 6)
    assert found.pairs[0].outlines is None


@pytest.mark.parametrize(
    ("first", "second", "dice", "seen"),
    [
        ([(0, 0, 10, 10)], [(0, 0, 10, 10)], 1.0, (2, 2)),
        ([(0, 0, 10, 10)], [(0, 5, 10, 15)], 0.5, (2, 2)),
        ([(0, 0, 10, 10)], [(20, 20, 30, 30)], 0.0, (0, 2)),
        ([(0, 0, 10, 10)], [(0, 0, 4, 10), (6, 0, 10, 10)], 160 / 180, (3, 3)),  # one deposit, drawn as two
        ([(0, 0, 10, 10), (20, 20, 22, 22)], [(0, 0, 10, 10)], 200 / 204, (2, 3)),
        ([], [], None, (0, 0)),
    ],
)
def test_outlines_by_hand(first, second, dice, seen):
    found = outlines_agree([(_labels(*first), _labels(*second))])
    assert found.dice == (None if dice is None else pytest.approx(dice))
    assert (found.seen_by_both, found.deposits, found.empty) == (*seen, int(dice is None))


def test_a_film_read_twice_and_label_images_that_do_not_fit_are_refused():
    with pytest.raises(MeasurementRefused, match="twice"):
        readers_agree([Read("f", "r", 1.0), Read("f", "r", 2.0)])
    with pytest.raises(MeasurementRefused, match="differ in shape"):
        outlines_agree([(_labels(), Labels.empty((3, 3)))])
