"""The pencil of the training deposits: every family draws, in mm, the same for the same seed."""

import numpy as np
import pytest

from calcimeasure.training.deposits import FAMILIES, FOOT, REACH, SIZES_MM, draw_deposit


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("mm", [0.12, 0.25, 0.4])
def test_every_family_draws_something(family, mm):
    drawn = [draw_deposit(mm, np.random.default_rng(k), 0.0, family)[1] for k in range(12)]
    assert sum((one > FOOT).any() for one in drawn) >= 11
    assert all(one.min() >= 0 and one.max() <= 0.81 and np.isfinite(one).all() for one in drawn)


@pytest.mark.parametrize("family", FAMILIES)
def test_same_seed_same_deposit(family):
    first, again, other = (draw_deposit(0.25, np.random.default_rng(k), 0.3, family)[1] for k in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_window_grows_with_the_pixels_not_with_the_deposit(family):
    fine, coarse = (draw_deposit(mm, np.random.default_rng(3), 0.0, family)[1].shape[0] * mm for mm in (0.1, 0.2))
    assert abs(fine - coarse) < 13 * 0.2


def test_all_families_come_up_unasked():
    rng = np.random.default_rng(0)
    assert {draw_deposit(0.4, rng)[0] for _ in range(200)} == set(FAMILIES)


def test_every_family_has_its_size_and_reach():
    assert set(SIZES_MM) == set(REACH) == set(FAMILIES)


def test_heights_run_from_faint_to_saturated():
    tops = [draw_deposit(0.4, np.random.default_rng(k))[1].max() for k in range(200)]
    assert min(tops) < 0.1 < 0.6 < max(tops)
