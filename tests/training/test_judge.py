"""Fitting the judge: what separates is weighed, and so many false finds pass as asked."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (extra: train)")

from calcimeasure.steps.outline.judge import FACTS
from calcimeasure.training import judge as fitting


def test_the_fact_that_separates_gets_the_weight():
    rng = np.random.default_rng(1)
    facts, real = rng.normal(size=(600, len(FACTS))), np.repeat([0.0, 1.0], 300)
    facts[:, 0] += 3 * real
    base, weights = fitting._logistic(facts, real)
    assert weights[0] > 2 > 5 * abs(weights[1:]).max()
    assert base + 1.5 * weights[0] == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_so_many_false_finds_pass_as_are_allowed(allowed):
    odds = np.array([2.0, -1.0, 0.5, 1.0])
    assert (odds > fitting._odds_of_false(odds, allowed)).sum() == allowed
