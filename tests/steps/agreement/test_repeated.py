"""Agreement statistics: every printed reference number to its last digit, laws, and what is refused."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calcimeasure.errors import MeasurementRefused
from calcimeasure.steps import agreement as agree
from calcimeasure.steps.agreement import IccForm

# Shrout and Fleiss 1979, table 2: six targets, four judges.
TARGETS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
# The wine table of textbooks: eight wines, four judges.
WINE = [
    [1, 2, 0, 1],
    [1, 3, 3, 2],
    [3, 8, 1, 4],
    [6, 4, 3, 3],
    [6, 5, 5, 6],
    [7, 5, 6, 2],
    [8, 7, 7, 9],
    [9, 9, 9, 8],
]
FIRST, SECOND = [1, 2, 3, 4, 5], [1.1, 2.3, 2.9, 4.4, 5.2]
PAIRS = list(zip(FIRST, SECOND, strict=True))
CHANGES = [[-12, -10], [-5, -7], [0, 2], [3, 1], [-20, -17], [-8, -9], [1, -1], [-2, -3]]
IVIG = [-12.4, -3.1, -8.8, -1.2, -15, 2.2, -6.5, 0.9]
FIVE_OF_EIGHT = [-1, -2, -3, -4, -5, 6, 7, 8]

TABLES = {"targets": TARGETS, "wine": WINE}
BLAND = agree.bland_altman(FIRST, SECOND)
REPEATS = agree.repeatability(PAIRS)


def _printed(got: float, text: str) -> None:
    """The number agrees with the printed one to its last digit."""
    half = 0.5 * 10.0 ** -len(text.partition(".")[2])
    assert abs(got - float(text)) <= half + 1e-12, f"{got} is not {text}"


def _percent(interval: agree.ConfidenceInterval) -> tuple[float, float]:
    return 100 * interval.low, 100 * interval.high


@pytest.mark.parametrize(
    ("table", "form", "value"),
    [
        ("targets", "ICC(1,1)", ".1657"),
        ("targets", "ICC(A,1)", ".2898"),
        ("targets", "ICC(C,1)", ".7148"),
        ("targets", "ICC(1,k)", ".4428"),
        ("targets", "ICC(A,k)", ".6201"),
        ("targets", "ICC(C,k)", ".9093"),
        ("wine", "ICC(1,1)", ".7275"),
        ("wine", "ICC(A,1)", ".7277"),
        ("wine", "ICC(C,1)", ".7295"),
        ("wine", "ICC(1,k)", ".9144"),
        ("wine", "ICC(A,k)", ".9145"),
        ("wine", "ICC(C,k)", ".9152"),
    ],
)
def test_six_correlations(table: str, form: str, value: str) -> None:
    _printed(agree.icc(TABLES[table], IccForm(form)).value, value)


# One row per printed number of the reference: what it is, how it is made, how it is printed.
NUMBERS: list[tuple[str, Callable[[], float], str]] = [
    ("targets ICC(A,1) low", lambda: agree.icc(TARGETS).interval.low, ".0188"),
    ("targets ICC(A,1) high", lambda: agree.icc(TARGETS).interval.high, ".7611"),
    ("wine ICC(A,1) low", lambda: agree.icc(WINE).interval.low, ".4345"),
    ("wine ICC(A,1) high", lambda: agree.icc(WINE).interval.high, ".9267"),
    *(
        (f"SDC in cohort SD at ICC {icc}", partial(agree.sdc_in_cohort_sd, icc), sdc)
        for icc, sdc in ((0.89, "0.92"), (0.93, "0.73"), (0.95, "0.62"), (0.98, "0.39"), (0.99, "0.28"))
    ),
    ("SEM agreement", lambda: agree.reader_error(TARGETS).agreement, "2.5028"),
    ("SDC agreement", lambda: agree.smallest_detectable_change(agree.reader_error(TARGETS).agreement), "6.937"),
    ("SEM consistency", lambda: agree.reader_error(TARGETS).consistency, "1.0097"),
    ("SDC consistency", lambda: agree.smallest_detectable_change(agree.reader_error(TARGETS).consistency), "2.799"),
    ("SDC of one SEM", lambda: agree.smallest_detectable_change(1), "2.7719"),  # the reference prints 2.7718
    ("bias", lambda: BLAND.bias, ".180"),
    ("SD of differences", lambda: BLAND.sd, ".1924"),
    ("lower limit", lambda: BLAND.lower, "-.197"),
    ("upper limit", lambda: BLAND.upper, ".557"),
    ("wSD", lambda: REPEATS.wsd, ".1761"),
    ("RC", lambda: REPEATS.rc, ".4880"),
    ("Lin", lambda: agree.concordance(FIRST, SECOND).value, ".98517"),
    ("SD of readers' changes", lambda: agree.change_error(CHANGES).sd, "2.1002"),
    ("SDC, one reader", lambda: agree.change_error(CHANGES).sdc, "2.9107"),
    ("SDC, two readers", lambda: agree.change_error(CHANGES, averaged=2).sdc, "2.0582"),
    *(
        (f"RC inflation at {df}", partial(agree.df_inflation, df), factor)
        for df, factor in ((7, "1.80"), (10, "1.59"), (20, "1.36"), (35, "1.25"), (50, "1.20"))
    ),
    *(
        (f"least p of {n}", lambda n=n: agree.signed_rank(range(1, n + 1)).smallest_p, p)
        for n, p in ((5, ".0625"), (6, ".031"), (7, ".016"), (8, ".0078"))
    ),
    ("signed rank W", lambda: agree.signed_rank(IVIG).statistic, "4"),
    ("signed rank p", lambda: agree.signed_rank(IVIG).p, ".0546875"),
    ("Hodges-Lehmann", lambda: agree.hodges_lehmann(IVIG).value, "-5.425"),
    ("its low", lambda: agree.hodges_lehmann(IVIG).interval.low, "-11.9"),
    ("its high", lambda: agree.hodges_lehmann(IVIG).interval.high, "0.5"),
    ("its coverage", lambda: 100 * agree.hodges_lehmann(IVIG).interval.level, "96.1"),
    ("its order", lambda: agree.hodges_lehmann(IVIG).order, "4"),
    ("shorter low", lambda: agree.hodges_lehmann(IVIG, 0.94).interval.low, "-10.75"),
    ("shorter high", lambda: agree.hodges_lehmann(IVIG, 0.94).interval.high, "-0.15"),
    ("shorter coverage", lambda: 100 * agree.hodges_lehmann(IVIG, 0.94).interval.level, "94.5"),
    ("shorter order", lambda: agree.hodges_lehmann(IVIG, 0.94).order, "5"),
    ("5/8", lambda: 100 * agree.proportion(5, 8).share, "62.5"),
    ("5/8 Wilson low", lambda: 100 * agree.wilson(5, 8).low, "30.6"),
    ("5/8 Wilson high", lambda: 100 * agree.wilson(5, 8).high, "86.3"),
    ("sign test 5 of 8", lambda: agree.sign_test(FIVE_OF_EIGHT).p, ".727"),
    ("5 of 8 at usual care", lambda: agree.chance_of_as_many(5, 8, 0.128), ".0014"),
    ("5 of 8 at its upper bound", lambda: agree.chance_of_as_many(5, 8, 0.274), ".040"),
    *(
        (f"any false in {n} at {rate}", lambda n=n, rate=rate: 100 * agree.chance_of_any(n, rate), share)
        for rate, shares in ((0.025, ("12", "22", "40", "64")), (0.1, ("41", "65", "88", "99")))
        for n, share in zip((5, 10, 20, 40), shares, strict=True)
    ),
]


@pytest.mark.parametrize(("name", "make", "printed"), NUMBERS, ids=[row[0] for row in NUMBERS])
def test_printed_number(name: str, make: Callable[[], float], printed: str) -> None:
    _printed(make(), printed)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (5, 8, "24.5", "91.5"),
        (0, 8, "0", "36.9"),
        (8, 8, "63.1", "100"),
        (3, 8, "8.5", "75.5"),
        (6, 8, "34.9", "96.8"),
        (5, 39, "4.3", "27.4"),
        (16, 39, "25.6", "57.9"),
    ],
)
def test_clopper_pearson(successes: int, trials: int, low: str, high: str) -> None:
    got = _percent(agree.clopper_pearson(successes, trials))
    _printed(got[0], low)
    _printed(got[1], high)


@pytest.mark.parametrize(
    ("wcv", "rc_percent", "low", "high"),
    [
        (0.05, "13.9", "-12.9", "14.9"),
        (0.09, "25", "-22", "28"),
        (0.10, "27.7", "-24.2", "31.9"),
        (0.15, "41.6", "-33.9", "51.2"),
        (0.20, "55.4", "-42.2", "73.1"),
    ],
)
def test_limits_of_proportional_error(wcv: float, rc_percent: str, low: str, high: str) -> None:
    limits = _percent(agree.log_limits(wcv))
    _printed(100 * agree.smallest_detectable_change(wcv), rc_percent)
    _printed(limits[0], low)
    _printed(limits[1], high)


def test_form_names() -> None:
    assert [form.shrout_fleiss for form in IccForm] == [
        "ICC(1,1)",
        "ICC(2,1)",
        "ICC(3,1)",
        "ICC(1,k)",
        "ICC(2,k)",
        "ICC(3,k)",
    ]
    assert IccForm.CONSISTENCY_MEAN.words == "two-way mixed, consistency, mean of the readers"
    assert [one.form for one in agree.icc_table(WINE)] == list(IccForm)
    assert [agree.icc(TARGETS, IccForm(name)).band for name in ("ICC(A,1)", "ICC(A,k)", "ICC(C,k)")] == [
        "poor",
        "moderate",
        "excellent",
    ]


@pytest.mark.parametrize("form", IccForm)
def test_correlation_laws(form: IccForm) -> None:
    plain = agree.icc(TARGETS, form)
    scaled = agree.icc(1000 * np.array(TARGETS) - 7, form)
    turned = agree.icc(np.array(TARGETS)[::-1, ::-1], form)
    assert plain.interval.holds(plain.value)
    for other in (scaled, turned):
        assert [other.value, other.interval.low, other.interval.high] == pytest.approx(
            [plain.value, plain.interval.low, plain.interval.high]
        )


def test_only_consistency_forgives_a_reader_bias() -> None:
    biased = np.add(WINE, [0, 0, 0, 5])
    assert agree.icc(biased, IccForm.CONSISTENCY).value == pytest.approx(agree.icc(WINE, IccForm.CONSISTENCY).value)
    assert agree.icc(biased).value < agree.icc(WINE).value - 0.1
    assert agree.reader_error(biased).consistency == pytest.approx(agree.reader_error(WINE).consistency)


@pytest.mark.parametrize("form", IccForm)
@pytest.mark.parametrize("scale", [1e-40, 1, 1e9])
def test_equal_readers_agree_fully_at_any_scale(form: IccForm, scale: float) -> None:
    same = agree.icc(scale * np.array([[0.1] * 3, [0.2] * 3, [0.4] * 3, [0.7] * 3]), form)
    assert [same.value, same.interval.low, same.interval.high] == pytest.approx([1, 1, 1])


def test_subjects_all_alike_still_have_an_error() -> None:
    alike = agree.reader_error([[1, 2], [2, 1], [1, 2], [2, 1]])
    assert alike.agreement == pytest.approx(alike.consistency)
    assert alike.consistency == pytest.approx(np.sqrt(2 / 3))


def test_repeats_may_be_unequally_many() -> None:
    got = agree.repeatability([[1, 2, 3], [4, 4], [6, 8]])
    assert (got.subjects, got.df) == (3, 4)
    assert got.wsd == pytest.approx(np.sqrt((2 + 0 + 2) / 4))
    assert got.wcv == pytest.approx(np.sqrt((2 / 4 + 0 + 2 / 49) / 4))
    assert got.rc_upper == pytest.approx(got.rc * agree.df_inflation(4))


def test_no_coefficient_of_variation_about_zero() -> None:
    got = agree.repeatability([[-1, 1], [2, 3]])
    assert got.wcv is None
    assert got.rc_percent is None


def test_drift_counts_as_error_of_repeats_but_not_of_change_readers() -> None:
    drift = [[x, x + 3] for x in (1.0, 5.0, 9.0)]
    assert agree.repeatability(drift).wsd == pytest.approx(3 / np.sqrt(2))
    assert agree.change_error(drift).sdc == pytest.approx(0, abs=1e-12)


def test_eighty_percent_limits_are_narrower() -> None:
    at_80 = agree.bland_altman(FIRST, SECOND, 0.8)
    assert (at_80.upper - at_80.bias) / (BLAND.upper - BLAND.bias) == pytest.approx(1.2816 / 1.96, abs=1e-4)
    assert agree.smallest_detectable_change(1, averaged_over=4) == pytest.approx(1.96 * np.sqrt(2) / 2)


def test_limits_are_mirrored_when_the_readings_change_places() -> None:
    back = agree.bland_altman(SECOND, FIRST)
    assert [back.bias, back.lower, back.upper_interval.high] == pytest.approx(
        [-BLAND.bias, -BLAND.upper, -BLAND.lower_interval.low]
    )
    assert BLAND.upper_interval.holds(BLAND.upper)
    assert BLAND.upper_interval.high - BLAND.upper > BLAND.upper - BLAND.upper_interval.low


@pytest.mark.parametrize(
    ("second", "value", "low"),
    [(FIRST, 1, 1), ([5, 4, 3, 2, 1], -1, -1), ([2, 3, 4, 5, 6], 0.8, None)],
)
def test_concordance_of_simple_lines(second: list[float], value: float, low: float | None) -> None:
    got = agree.concordance(FIRST, second)
    assert got.value == pytest.approx(value)
    assert got.precision * got.accuracy == pytest.approx(got.value)
    assert got.interval is not None
    if low is not None:
        assert got.interval.low == pytest.approx(low)


def test_uncorrelated_readings_have_no_interval() -> None:
    assert agree.concordance([1, 2, 1, 2], [1, 1, 2, 2]).interval is None


NAN, RAGGED = float("nan"), [[1, 2], [3], [4, 5]]
REFUSED: list[tuple[Callable[..., Any], tuple[Any, ...], str]] = [
    (agree.icc, ([[1, 2], [3, 4]],), "2 subjects are too few: this statistic needs at least 3"),
    (agree.icc, ([[1, 2], [3, NAN], [4, 5]],), "1 of 6 readings are missing"),
    (agree.icc, ([[1, 2], [3, float("inf")], [4, 5]],), "1 of 6 readings are missing, infinite"),
    (agree.icc, (RAGGED,), "every subject needs a number from every reader"),
    (agree.icc, ([[1], [2], [3]],), "at least two readers"),
    (agree.icc, ([1, 2, 3],), "at least two readers"),
    (agree.icc, ([[1, "x"], [2, 3], [4, 5]],), "no full table of numbers"),
    (agree.icc, ([[1, 2], [2, 1], [1, 2]],), "subjects do not differ"),
    (agree.icc, ([[0, 0], [0, 0], [0, 1e-200]],), "subjects do not differ"),
    (agree.icc, (WINE, IccForm.AGREEMENT, 95), "a level of 95 is no share"),
    (agree.reader_error, (RAGGED,), "every subject needs"),
    (agree.change_error, (CHANGES, 3), "3 readers cannot be averaged where 2 have read"),
    (agree.bland_altman, ([1, 2, 3], [1, 2]), "needs at least 3"),
    (agree.bland_altman, ([1, 2, 3, 4], [1, 2, 3]), "first reading has 4 subjects and the second 3"),
    (agree.bland_altman, ([1, 2, NAN], [1, 2, 3]), "1 of 3 readings are missing"),
    (agree.concordance, ([1, 2, 3], [2, 2, 2]), "does not vary"),
    (agree.repeatability, ([[1, 2], [3]],), "1 of 2 subjects were measured only once"),
    (agree.repeatability, ([[1, 2]],), "1 subjects are too few"),
    (agree.repeatability, ([],), "0 subjects are too few"),
    (agree.repeatability, ([[1, NAN], [1, 2]],), "missing"),
    (agree.df_inflation, (0,), "no bound"),
    (agree.log_limits, (NAN,), "give a share such as 0.1"),
    (agree.smallest_detectable_change, (-1,), "no detectable change"),
    (agree.sdc_in_cohort_sd, (1.2,), "ICC of at most 1"),
    (agree.clopper_pearson, (9, 8), "9 of 8 is no share"),
    (agree.clopper_pearson, (0, 0), "0 of 0 is no share"),
    (agree.wilson, (2.5, 8), "count whole subjects"),
    (agree.proportion, (1, float("inf")), "is no share"),
    (agree.chance_of_as_many, (5, 8, 12.8), "share between 0 and 1"),
    (agree.signed_rank, ([],), "0 subjects are too few"),
    (agree.signed_rank, ([1, NAN, 2],), "missing"),
    (agree.signed_rank, ([[1, 2], [3, 4]],), "one number per subject"),
    (agree.signed_rank, (range(1001),), "normal approximation"),
    (agree.hodges_lehmann, ([3.0],), "1 subjects are too few"),
    (agree.hodges_lehmann, (IVIG, 0), "a level of 0"),
    (agree.sign_test, ([None, 1, 2],), "missing"),
]


@pytest.mark.parametrize(("ask", "what", "message"), REFUSED, ids=[f"{row[0].__name__}: {row[2]}" for row in REFUSED])
def test_refused(ask: Callable[..., Any], what: tuple[Any, ...], message: str) -> None:
    with pytest.raises(MeasurementRefused, match=message):
        ask(*what)


def _floats(value: object) -> Iterator[float]:
    """Every float in a value of ours, however deep."""
    if dataclasses.is_dataclass(value):
        value = tuple(getattr(value, field.name) for field in dataclasses.fields(value))
    if isinstance(value, tuple):
        for one in value:
            yield from _floats(one)
    elif isinstance(value, float):
        yield value


def _profile_at_its_ends(rows: list[list[float]]) -> tuple[object, ...]:
    profile = agree.fit_precision_profile(np.abs(rows), "mm2", "any numbers")
    return profile, profile.sdc_upper(0), profile.sdc_upper(1e12)


ANY = st.one_of(st.floats(-1e12, 1e12), st.sampled_from([0.0, 1.0, 1e-300, 1e-12]))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.lists(ANY, min_size=3, max_size=3), min_size=3, max_size=12))
def test_any_numbers_give_numbers_or_a_refusal(rows: list[list[float]]) -> None:
    first, second = [row[0] for row in rows], [row[1] for row in rows]
    asked: list[Callable[[], object]] = [
        *(partial(ask, rows) for ask in (agree.icc_table, agree.reader_error, agree.change_error, agree.repeatability)),
        *(partial(ask, first) for ask in (agree.signed_rank, agree.hodges_lehmann, agree.sign_test)),
        *(partial(ask, first, second) for ask in (agree.bland_altman, agree.concordance)),
        partial(_profile_at_its_ends, rows),
    ]
    for ask in asked:
        try:
            got = ask()
        except MeasurementRefused:
            continue
        assert not any(math.isnan(number) for number in _floats(got)), got


def test_readings_worse_than_chance_have_an_interval() -> None:
    worse = agree.icc([[0, 0, 0], [0, 0, 0], [0, 1, -0.75]])
    assert -0.5 - 1e-9 <= worse.interval.low < worse.value == pytest.approx(-0.48)
    assert worse.value < worse.interval.high
