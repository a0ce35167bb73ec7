"""The precision profile: known curves come back, its bound holds, and its file is plain."""

import json

import numpy as np
import pytest

from calcimeasure.errors import MeasurementRefused
from calcimeasure.steps.agreement import PrecisionProfile, df_inflation, fit_precision_profile

ORIGIN = "simulated repeats of a known curve"
Array = np.ndarray
SIZES = np.array([2.0, 6.0, 20.0, 60.0, 200.0])


def _wsd(curve: tuple[float, float, float], size: Array) -> Array:
    return curve[0] + curve[1] * np.sqrt(size) + curve[2] * size


def _repeats(curve: tuple[float, float, float], deposits: int, draw: np.random.Generator, times: int = 2) -> Array:
    size = np.exp(draw.uniform(np.log(2), np.log(200), deposits))
    return np.abs(size[:, None] + _wsd(curve, size)[:, None] * draw.normal(0, 1, (deposits, times)))


CURVES = [(0.2, 0.1, 0.03), (0.0, 0.3, 0.0), (0.5, 0.0, 0.0), (0.0, 0.0, 0.09)]


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("times", [2, 4])
def test_a_known_curve_comes_back(curve: tuple[float, float, float], times: int) -> None:
    found = fit_precision_profile(_repeats(curve, 4000, np.random.default_rng(5), times), "mm2", ORIGIN)
    assert [found.wsd(size) for size in SIZES] == pytest.approx(_wsd(curve, SIZES).tolist(), rel=0.08)
    assert min(found.a, found.b, found.c) >= 0
    assert found.df == pytest.approx(4000 * (times - 1), abs=2)


def test_unequal_repeats_do_not_bend_the_curve() -> None:
    """Two readings scatter less about their own mean than six do: without the correction small sizes look too sure."""
    groups = _repeats((0.5, 0.0, 0.0), 3000, np.random.default_rng(9), times=6)
    found = fit_precision_profile([row[: 2 if row[0] < 20 else 6] for row in groups], "mm2", ORIGIN)
    assert [found.wsd(3), found.wsd(150)] == pytest.approx([0.5, 0.5], rel=0.05)


@pytest.mark.parametrize("curve", CURVES)
def test_the_bound_holds_at_the_ends_too(curve: tuple[float, float, float]) -> None:
    draw = np.random.default_rng(7)
    truth = 1.96 * np.sqrt(2) * _wsd(curve, SIZES)
    held = []
    for _ in range(100):
        found = fit_precision_profile(_repeats(curve, 35, draw), "mm2", ORIGIN)
        held.append([found.sdc_upper(size) >= true for size, true in zip(SIZES, truth, strict=True)])
    assert np.mean(held) >= 0.93
    assert np.mean(held, axis=0).min() >= 0.82


def _profile() -> PrecisionProfile:
    return fit_precision_profile(_repeats(CURVES[0], 35, np.random.default_rng(1)), "mm2", ORIGIN)


def test_units_change_nothing() -> None:
    groups = _repeats(CURVES[0], 35, np.random.default_rng(1))
    one, hundred = (fit_precision_profile(groups * scale, "mm2", ORIGIN) for scale in (1, 100))
    for size in SIZES:
        assert hundred.sdc(100 * size) == pytest.approx(100 * one.sdc(size), rel=1e-6)
        assert hundred.df_at(100 * size) == pytest.approx(one.df_at(size), rel=1e-6)


def test_one_error_for_all_sizes_is_the_pooled_one() -> None:
    """With a constant error the profile is the plain wSD, and the bound the plain chi-square one."""
    size = np.linspace(5, 50, 20)
    groups = size[:, None] + np.array([0.5, -0.5]) * np.where(np.arange(20) % 2, 1, -1)[:, None]
    found = fit_precision_profile(groups, "mm2", ORIGIN)
    assert (found.b, found.c) == (0, 0)
    assert found.wsd(20) == pytest.approx(np.sqrt(0.5))
    assert found.df == found.df_at(20) == pytest.approx(20)
    assert found.sdc_upper(20) == pytest.approx(found.sdc(20) * df_inflation(20))


def test_error_never_falls_with_size_nor_below_the_smallest_seen() -> None:
    found = _profile()
    curve = [found.sdc(size) for size in np.linspace(found.smallest, found.largest, 40)]
    assert np.all(np.diff(curve) >= 0)
    assert found.wsd(0) == found.wsd(found.smallest) > 0
    assert [found.covers(size) for size in (found.smallest / 2, 30, 2 * found.largest)] == [False, True, False]
    assert found.sdc_upper(30, 0.8) < found.sdc_upper(30) > found.sdc(30)


def _flickering(pairs: int, draw: np.random.Generator) -> Array:
    """Repeats of which one in ten misses half of what the other finds."""
    size = np.exp(draw.uniform(np.log(2), np.log(200), pairs))
    found = np.where(draw.random((pairs, 2)) < 0.05, 0.5, 1.0)
    return np.asarray(size[:, None] * found * np.exp(0.05 * draw.normal(size=(pairs, 2))))


def test_heavy_tails_widen_the_bound_until_it_holds() -> None:
    draw, beyond = np.random.default_rng(3), []
    for _ in range(60):
        found = fit_precision_profile(_flickering(24, draw), "mm2", ORIGIN)
        beyond += [abs(a - b) > found.sdc_upper((a + b) / 2) for a, b in _flickering(24, draw)]
    assert np.mean(beyond) <= 0.06


def test_normal_repeats_have_no_tail() -> None:
    found = fit_precision_profile(_repeats(CURVES[0], 4000, np.random.default_rng(5)), "mm2", ORIGIN)
    assert found.tail == pytest.approx(1, abs=0.06)


def test_a_file_without_a_tail_has_none() -> None:
    facts = _profile().to_json()
    del facts["tail"]
    assert PrecisionProfile.from_json(facts).tail == 1


def test_file_round_trip() -> None:
    found = _profile()
    text = json.dumps(found.to_json(), allow_nan=False)
    assert PrecisionProfile.from_json(json.loads(text)) == found
    assert json.loads(text)["origin"] == ORIGIN


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "this is no 'calcimeasure precision profile 1'"),
        ({"a": None}, "'a' is no number"),
        ({"b": -1}, "'b' is no number"),
        ({"c": float("nan")}, "'c' is no number"),
        ({"df": 10**400}, "'df' is no number"),
        ({"tail": "long"}, "'tail' is no number"),
        ({"unit": ""}, "does not state its 'unit'"),
        ({"origin": 3}, "does not state its 'origin'"),
        ({"covariance": [[1, 2], [3, 4]]}, "'covariance' is no table of 3 x 3"),
        ({"covariance": [[10**400] * 3] * 3}, "'covariance' is no table of 3 x 3"),
    ],
)
def test_a_strange_file_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(MeasurementRefused, match=message):
        PrecisionProfile.from_json({**_profile().to_json(), **change})


def test_a_list_is_no_profile() -> None:
    with pytest.raises(MeasurementRefused, match="make one with"):
        PrecisionProfile.from_json([1, 2])


GROUPS = [[x, x + 1.0] for x in range(1, 13)]


@pytest.mark.parametrize(
    ("groups", "origin", "message"),
    [
        (GROUPS[:9], ORIGIN, "9 subjects are too few: this statistic needs at least 10"),
        ([*GROUPS, [3.0]], ORIGIN, "1 of 13 subjects were measured only once"),
        ([*GROUPS, [3.0, float("nan")]], ORIGIN, "missing"),
        ([*GROUPS, [0.0, 0.0]], ORIGIN, "0 or less"),
        ([[x, x] for x in range(1, 13)], ORIGIN, "do not measure the same file again"),
        (GROUPS, " ", "its origin in words"),
    ],
)
def test_refused(groups: list[list[float]], origin: str, message: str) -> None:
    with pytest.raises(MeasurementRefused, match=message):
        fit_precision_profile(groups, "mm2", origin)


@pytest.mark.parametrize("size", [-1, float("nan"), float("inf")])
def test_no_such_size(size: float) -> None:
    with pytest.raises(MeasurementRefused, match="no deposit has a size"):
        _profile().wsd(size)
