"""Rank tests against brute force over all signs, with ties and zeros."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from calcimeasure.steps.agreement import hodges_lehmann, sign_test, signed_rank

SMALL = st.lists(st.integers(-4, 4), min_size=2, max_size=8)


def _by_brute_force(changes: list[int]) -> tuple[Fraction, Fraction, Fraction]:
    """Rank sum of increases and both one-sided p, from Pratt's definition and every sign."""
    sizes = [abs(one) for one in changes]
    rank = {size: Fraction(sum(o < size for o in sizes) * 2 + sizes.count(size) + 1, 2) for size in sizes}
    kept = [rank[size] for size in sizes if size]
    plus = sum((rank[abs(one)] for one in changes if one > 0), Fraction())
    sums = [
        sum((r for r, up in zip(kept, ups, strict=True) if up), Fraction()) for ups in product((0, 1), repeat=len(kept))
    ]
    below, above = (Fraction(sum(test), len(sums)) for test in ([s <= plus for s in sums], [s >= plus for s in sums]))
    return plus, below, above


@settings(max_examples=80, deadline=None, derandomize=True)
@given(SMALL)
def test_signed_rank_is_the_full_permutation(changes: list[int]) -> None:
    plus, below, above = _by_brute_force(changes)
    got = signed_rank(changes)
    assert (got.plus, got.p_decrease, got.p_increase) == (plus, below, above)
    assert got.p == min(1, 2 * min(below, above))
    assert got.changes + got.zeros == len(changes)


@pytest.mark.parametrize(
    ("changes", "plus", "minus", "p"),
    [
        # Sizes 0 1 1 2 3 3 have Pratt's ranks 1 2.5 2.5 4 5.5 5.5; three of 32 sign patterns stay at 2.5 or less.
        ([0, -1, 1, -2, -3, -3], 2.5, 17.5, 6 / 32),
        ([0, 0, 0], 0, 0, 1),
        ([0, 5], 2, 0, 1),
        ([2, 2, 2, 2, 2, 2], 21, 0, 2 / 64),
        ([-7, 7], 1.5, 1.5, 1),
    ],
)
def test_ties_and_zeros_by_hand(changes: list[float], plus: float, minus: float, p: float) -> None:
    got = signed_rank(changes)
    assert (got.plus, got.minus, got.p) == (plus, minus, p)


def test_rounding_makes_no_difference_of_ties_or_zeros() -> None:
    noisy = [1.3 - 1.2, -0.1, 0.3 - 0.2, 0.5, 0.1 + 0.2 - 0.3]
    assert signed_rank(noisy) == signed_rank([1, -1, 1, 5, 0])
    assert sign_test(noisy).zeros == 1


@pytest.mark.parametrize("n", [10, 25, 50])
def test_equal_to_scipy_without_ties(n: int) -> None:
    changes = np.random.default_rng(n).normal(0.4, 1, n)
    other = stats.wilcoxon(changes, method="exact")
    assert signed_rank(changes).statistic == other.statistic
    assert signed_rank(changes).p == pytest.approx(other.pvalue, rel=1e-9)


def test_large_cohorts_near_the_normal_law() -> None:
    changes = np.random.default_rng(3).normal(0.05, 1, 400).round(1)
    other = stats.wilcoxon(changes, zero_method="pratt", method="asymptotic", correction=True)
    assert signed_rank(changes).p == pytest.approx(other.pvalue, rel=0.01)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SMALL)
def test_turning_all_signs_turns_the_answer(changes: list[int]) -> None:
    there, back = signed_rank(changes), signed_rank([-one for one in changes])
    assert (there.plus, there.p, there.p_decrease) == (back.minus, back.p, back.p_increase)
    one, other = hodges_lehmann(changes), hodges_lehmann([-one for one in changes])
    assert (one.value, one.interval.low) == (-other.value, -other.interval.high)


@pytest.mark.parametrize("n", [6, 8, 13, 30])
def test_interval_holds_what_the_test_does_not_reject(n: int) -> None:
    changes = np.random.default_rng(n).normal(-2, 3, n)
    found = hodges_lehmann(changes)
    low, high, chance = found.interval.low, found.interval.high, 1 - found.interval.level
    step = 1e-6
    assert found.interval.level >= found.asked == 0.95
    for inside in (low + step, found.value, high - step):
        assert signed_rank(changes - inside).p > chance + 1e-12
    for outside in (low - step, high + step):
        assert signed_rank(changes - outside).p <= chance + 1e-12


def test_five_subjects_cannot_reach_95_percent_and_say_so() -> None:
    found = hodges_lehmann([-1, -2, -4, -8, -16])
    assert (found.interval.low, found.interval.high) == (-16, -1)
    assert found.interval.level == 0.9375 < found.asked


def test_sign_test_drops_zeros() -> None:
    got = sign_test([-1, -2, 0, -3, 4, 0])
    assert (got.decreases, got.increases, got.zeros, got.p) == (3, 1, 2, 0.625)
    assert sign_test([0, 0]).p == 1
