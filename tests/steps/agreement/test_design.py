"""Repeats stand beside each other by their names."""

from __future__ import annotations

import numpy as np
import pytest

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.precision import Precision, PrecisionProfile
from calcimeasure.steps.agreement.design import balanced, natural_order, shared_repeats
from calcimeasure.steps.agreement.icc import IccForm, icc, mean_squares
from calcimeasure.steps.agreement.repeats import Of, RepeatSet, figures_of

#: names of the repeats group by group, and the shared ones
DESIGNS = {
    "alike": ([("1", "2"), ("1", "2")], ("1", "2")),
    "in another order": ([("2", "1"), ("1", "2")], ("1", "2")),
    "three and two": ([("1", "2", "3"), ("2", "3"), ("2", "3")], ("2", "3")),
    "ten": ([("10", "2", "1"), ("1", "10", "2")], ("1", "2", "10")),
    "most": ([("1", "2"), ("1", "3"), ("1", "3")], ("1", "3")),
    "nobody twice": ([("1",), ("2",)], ()),
}


@pytest.mark.parametrize(("names", "shared"), DESIGNS.values(), ids=DESIGNS)
def test_shared_repeats(names: list, shared: tuple) -> None:
    assert shared_repeats(names) == shared


def test_names_count_as_people_do() -> None:
    assert natural_order(["r10", "r2", "R1", "b", "10a", "9"]) == ["9", "10a", "b", "R1", "r2", "r10"]


def test_a_table_goes_by_names_not_by_places() -> None:
    found = balanced([(11.0, 10.0), (20.0, 21.0), (5.0, 7.0)], [("2", "1"), ("1", "2"), ("1", "3")])
    assert (found.repeats, found.rows, found.groups) == (("1", "2"), ((10.0, 11.0), (20.0, 21.0)), 3)


def test_the_bias_is_that_of_the_named_repeats() -> None:
    rng = np.random.default_rng(0)
    first = rng.uniform(20, 80, 12)
    groups = [(a, a + 1) if k % 2 else (a + 1, a) for k, a in enumerate(first)]
    names = [("1", "2") if k % 2 else ("2", "1") for k in range(12)]
    told = {row.figure: row for row in figures_of(RepeatSet(Of.TOTALS, "mm2", tuple(groups), names=tuple(names)))}
    assert told["bias"].value == pytest.approx(1)
    assert told["bias"].note == told["wSD"].note == ""


def test_each_figure_of_an_unbalanced_design_says_what_it_used() -> None:
    groups = ((10.0, 11.0, 10.5), (20.0, 21.0), (30.0, 30.5), (41.0, 40.0))
    names = (("1", "2", "3"), ("1", "2"), ("1", "2"), ("1", "3"))
    told = {row.figure: row.note for row in figures_of(RepeatSet(Of.TOTALS, "mm2", groups, names=names))}
    assert told["wSD"] == "all 9 repeats of 4 places"
    assert told["bias"] == "repeats 1 and 2 of 3 of 4 places"
    assert told["ICC(A,1)"] == "repeats 1, 2 of 3 of 4 places"


def test_the_interval_of_a_negative_agreement_is_that_of_mcgraw_and_wong() -> None:
    """Their table 7 written out for two readers, with the estimate as it is: negative."""
    from scipy import stats

    rows = np.array([[1.0, 5.1], [2.0, 4.0], [3.0, 3.2], [4.0, 1.8], [5.0, 1.1]])
    found = icc(rows, IccForm.AGREEMENT)
    squares = mean_squares(rows)
    n, k, r = 5, 2, found.value
    assert r < 0
    a, b = k * r / (n * (1 - r)), 1 + k * r * (n - 1) / (n * (1 - r))
    msr, msc, mse = squares.between, squares.readers, squares.residual
    v = (a * msc + b * mse) ** 2 / ((a * msc) ** 2 / (k - 1) + (b * mse) ** 2 / ((n - 1) * (k - 1)))
    low, high = stats.f.ppf(0.975, n - 1, v), stats.f.ppf(0.975, v, n - 1)
    error = k * msc + (k * n - k - n) * mse
    assert found.interval.low == pytest.approx(n * (msr - low * mse) / (low * error + n * msr))
    assert found.interval.high == pytest.approx(n * (high * msr - mse) / (error + n * high * msr))


PROFILE = PrecisionProfile(0.1, 0.1, 0.02, "mm2", "repeat films", 30.0, 30, 1.0, 90.0, ((0.0,) * 3,) * 3)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"a": 0, "b": 0, "c": 0}, "no error at all"),
        ({"a": 1e-9, "b": 0, "c": 0}, "no error at all"),
        ({"unit": "cm2"}, "areas are in mm2 or px"),
        ({"unit": "mmAl"}, "areas are in mm2 or px"),
        ({"df": 0}, "no repeats"),
        ({"subjects": 0}, "no repeats"),
        ({"smallest": 0, "largest": 0}, "no"),
        ({"smallest": 95.0}, "no sizes"),
    ],
)
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "of both"])
def test_a_profile_that_promises_nothing_or_is_of_something_else_is_refused(wrong: dict, why: str, alone: bool) -> None:
    profile = {**PROFILE.to_json(), **wrong}
    told = profile if alone else {**Precision(PROFILE).to_json(), "totals": profile}
    with pytest.raises(MeasurementRefused, match=why):
        Precision.from_json(told)
