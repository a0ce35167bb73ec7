"""Claimed intervals hold the truth as often as they say: small seeded simulations, and sums where they are exact."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from calcimeasure.steps import agreement as agree
from calcimeasure.steps.agreement import IccForm

ROUNDS = 1500
Draw = np.random.Generator


def _readers(draw: Draw, form: IccForm) -> bool:
    """Variances 4, 1, 1 of subjects, readers and residual; readers fixed for consistency, none in a one-way table."""
    subject, noise = draw.normal(0, 2, (15, 1)), draw.normal(0, 1, (15, 3))
    one_way, consistent = form is IccForm.ONE_WAY, form is IccForm.CONSISTENCY
    bias = np.array([0.0, 1, 5]) if consistent else draw.normal(0, 0 if one_way else 1, 3)
    truth = 4 / 5 if one_way or consistent else 4 / 6
    return agree.icc(subject + bias + noise, form).interval.holds(truth)


def _upper_limit(draw: Draw) -> bool:
    first = draw.normal(20, 5, 8)
    return agree.bland_altman(first, first + draw.normal(1, 2, 8)).upper_interval.holds(1 + 1.96 * 2)


def _bias(draw: Draw) -> bool:
    first = draw.normal(20, 5, 8)
    return agree.bland_altman(first, first + draw.normal(1, 2, 8)).bias_interval.holds(1)


def _concordance(draw: Draw) -> bool:
    subject = draw.normal(0, 2, 40)
    got = agree.concordance(subject + draw.normal(0, 1, 40), subject + 1 + draw.normal(0, 1, 40))
    assert got.interval is not None
    return got.interval.holds(2 * 4 / (5 + 5 + 1))


def _repeat_bound(draw: Draw) -> bool:
    pairs = draw.normal(10, 4, (10, 1)) + draw.normal(0, 1.5, (10, 2))
    return agree.repeatability(pairs).rc_upper >= 1.96 * np.sqrt(2) * 1.5


def _hodges_lehmann(draw: Draw) -> bool:
    return agree.hodges_lehmann(draw.laplace(-3, 2, 9)).interval.holds(-3)


# The interval of ICC(A,1) is approximate, and known to be short with three readers; the others are exact or nearly.
@pytest.mark.parametrize(
    ("holds", "low", "high"),
    [
        (lambda draw: _readers(draw, IccForm.ONE_WAY), 0.935, 0.965),
        (lambda draw: _readers(draw, IccForm.AGREEMENT), 0.9, 0.965),
        (lambda draw: _readers(draw, IccForm.CONSISTENCY), 0.935, 0.965),
        (_upper_limit, 0.935, 0.965),
        (_bias, 0.935, 0.965),
        (_concordance, 0.935, 0.965),
        (_repeat_bound, 0.935, 0.965),
        (_hodges_lehmann, 0.94, 0.97),
    ],
    ids=["ICC(1,1)", "ICC(A,1)", "ICC(C,1)", "limit", "bias", "concordance", "RC bound", "Hodges-Lehmann"],
)
def test_ninety_five_percent_means_it(holds: Callable[[Draw], bool], low: float, high: float) -> None:
    draw = np.random.default_rng(20)
    assert low <= np.mean([holds(draw) for _ in range(ROUNDS)]) <= high


@pytest.mark.parametrize("trials", [8, 39])
def test_shares(trials: int) -> None:
    """Exact: summed over every outcome. Clopper and Pearson never fall short; Wilson is right on average."""
    truth = np.linspace(0.01, 0.99, 99)[:, None]
    chance = stats.binom.pmf(np.arange(trials + 1), trials, truth)
    covers = {}
    for name, interval in (("exact", agree.clopper_pearson), ("wilson", agree.wilson)):
        found = [interval(k, trials) for k in range(trials + 1)]
        inside = np.array([[one.holds(p) for one in found] for p in truth[:, 0]])
        covers[name] = (chance * inside).sum(axis=1)
    assert covers["exact"].min() >= 0.95
    assert covers["wilson"].mean() == pytest.approx(0.95, abs=0.01)
