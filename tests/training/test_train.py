"""The rate of the finder's run."""

import pytest

torch = pytest.importorskip("torch")

from calcimeasure.training.train import Plan, rate_of_round


def test_the_rate_falls_to_nothing_and_begins_anew():
    plan = Plan(rounds=(1000, 2000), warm_up=100, rate=1e-3)
    rates = [rate_of_round(step, plan) for step in range(plan.steps)]
    assert rates[99] == rates[1099] == pytest.approx(1e-3)
    assert rates[999] < 2e-5 > rates[2999]
    assert max(rates) == rates[99]


def test_a_run_of_one_round_ends_with_it():
    plan = Plan(rounds=(500,), warm_up=100, rate=1e-3)
    assert rate_of_round(499, plan) < 2e-5


def test_every_round_has_an_end():
    plan = Plan(rounds=(1000, 2000))
    assert plan.ends == (1000, 3000)
    assert plan.steps == 3000
