"""Patients for the next trial: against printed tables, against simulation, and the laws it must obey."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from calcimeasure.cli import app
from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.precision import multiplier
from calcimeasure.steps.agreement.power import (
    Endpoint,
    MeasurementError,
    TrialPlan,
    least_effect,
    power_of,
    sample_size,
)

EXACT = MeasurementError(0.0)
#: Cohen's d, arms, alpha, patients in each arm for 80 %, as standard packages and Cohen (1988) print them.
PRINTED = [(0.5, 2, 0.05, 64), (0.8, 2, 0.05, 26), (0.2, 2, 0.05, 394), (0.5, 1, 0.05, 34), (0.8, 1, 0.05, 15)]


def plan_of(d: float, arms: int, alpha: float) -> TrialPlan:
    """A plan whose effect is `d` standard deviations."""
    return TrialPlan(arms=arms, effect_percent=100 * np.expm1(-d), spread=1.0, error=EXACT, alpha=alpha)


@pytest.mark.parametrize(("d", "arms", "alpha", "needed"), PRINTED)
def test_patients_for_a_mean_as_printed(d, arms, alpha, needed):
    assert sample_size(plan_of(d, arms, alpha)).per_arm == needed


@pytest.mark.parametrize(("treated", "natural", "n"), [(0.6, 0.2, 20), (0.5, 0.13, 8), (0.9, 0.4, 12)])
def test_two_shares_by_fisher_as_enumerated(treated, natural, n):
    plan = _plan_of_shares(treated, natural, 2)
    by_hand = sum(
        stats.binom.pmf(a, n, treated) * stats.binom.pmf(b, n, natural)
        for a in range(n + 1)
        for b in range(n + 1)
        if stats.fisher_exact([[a, n - a], [b, n - b]])[1] <= 0.05
    )
    assert power_of(plan, n) == pytest.approx(by_hand, abs=1e-9)


def _plan_of_shares(treated: float, natural: float, arms: int) -> TrialPlan:
    """A plan whose shares of responders come out as given."""
    cut = -np.log(0.75)
    course = -cut - stats.norm.ppf(natural)
    effect = -cut - stats.norm.ppf(treated) - course
    percents = 100 * np.expm1(effect), 100 * np.expm1(course)
    return TrialPlan(Endpoint.RESPONDERS, arms, percents[0], percents[1], 1.0, EXACT)


SETTINGS = [
    (endpoint, arms, effect, error)
    for endpoint in Endpoint
    for arms in (1, 2)
    for effect, error in ((-30.0, 0.1), (-50.0, 0.3))
]


@pytest.mark.parametrize(("endpoint", "arms", "effect", "error"), SETTINGS)
def test_power_as_simulated(endpoint, arms, effect, error):
    """Trials drawn by the model and tested by scipy's own tests."""
    plan = TrialPlan(endpoint, arms, effect, 12.8, 0.4, MeasurementError(error, readers=2))
    shown = _simulated(plan, 18, 4000, np.random.default_rng(7))
    assert shown == pytest.approx(power_of(plan, 18), abs=0.025)


def _simulated(plan: TrialPlan, n: int, trials: int, rng: np.random.Generator) -> float:
    treated, natural = (_told(plan, mean, (trials, n), rng) for mean in (plan.treated, plan.natural))
    if plan.endpoint is Endpoint.MEAN_CHANGE:
        one = stats.ttest_1samp(treated, plan.natural, axis=1)
        return float(
            np.mean((one if plan.arms == 1 else stats.ttest_ind(treated, natural, axis=1)).pvalue <= plan.alpha)
        )
    needed = max(-np.log1p(-plan.cut_percent / 100), multiplier() * plan.error.log_sd)
    counts, controls = ((told <= -needed).sum(axis=1) for told in (treated, natural))
    return float(np.mean([_is_shown(plan, a, b, n) for a, b in zip(counts, controls, strict=True)]))


def _told(plan: TrialPlan, mean: float, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    readings = 2 * plan.error.relative_sd**2 / (plan.error.readers * plan.error.films)
    return mean + rng.normal(0, plan.spread, shape) + rng.normal(0, np.sqrt(readings), shape)


def _is_shown(plan: TrialPlan, a: int, b: int, n: int) -> bool:
    if plan.arms == 2:
        return stats.fisher_exact([[a, n - a], [b, n - b]])[1] <= plan.alpha
    natural = plan.responders(plan.natural)
    tails = stats.binom.sf(a - 1, n, natural), stats.binom.cdf(a, n, natural)
    return min(tails) <= plan.alpha / 2


PLAN = TrialPlan(effect_percent=-30, spread=0.4)
LAWS = [
    ("more scatter", replace(PLAN, spread=0.8)),
    ("worse measuring", replace(PLAN, error=MeasurementError(0.4))),
    ("a control arm", replace(PLAN, arms=2)),
    ("a smaller effect", replace(PLAN, effect_percent=-20)),
    ("a stricter alpha", replace(PLAN, alpha=0.01)),
]


@pytest.mark.parametrize(("what", "plan"), LAWS, ids=[what for what, _ in LAWS])
def test_more_patients_for(what, plan):
    assert sample_size(plan).per_arm > sample_size(PLAN).per_arm


def test_four_readers_are_worth_two_films_read_twice():
    one, other = MeasurementError(0.3, readers=4), MeasurementError(0.3, readers=2, films=2)
    assert one.log_sd == other.log_sd == pytest.approx(MeasurementError(0.3).log_sd / 2)


def test_losses_are_enrolled_on_top():
    found, lost = sample_size(PLAN), sample_size(replace(PLAN, losses=0.5))
    assert lost.per_arm == found.per_arm
    assert lost.enrolled == 2 * found.enrolled


@pytest.mark.parametrize("endpoint", Endpoint)
def test_every_larger_trial_has_the_power(endpoint):
    plan = TrialPlan(endpoint, 1, -50.0, 12.8)
    needed = sample_size(plan).per_arm
    assert all(power_of(plan, n) >= 0.8 for n in range(needed, needed + 20))
    assert power_of(plan, needed - 1) < 0.8


def test_eight_patients_show_their_least_effect_and_no_less():
    least = least_effect(PLAN, 8)
    assert power_of(replace(PLAN, effect_percent=least), 8) >= 0.8
    assert power_of(replace(PLAN, effect_percent=least + 1), 8) < 0.8


def test_nothing_shows_in_two_patients_of_great_scatter():
    assert least_effect(TrialPlan(spread=9.0), 2) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"effect_percent": -100}, {"natural_percent": -100}, {"spread": -1}, {"spread": float("nan")},
        {"alpha": 0}, {"alpha": 0.6}, {"arms": 3}, {"losses": 1.0}, {"cut_percent": 100},
        {"effect_percent": float("inf")},
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(MeasurementRefused, match=r"range|arms"):
        replace(PLAN, **wrong)


def test_an_effect_of_nothing_needs_more_than_there_are():
    with pytest.raises(MeasurementRefused, match="do not reach"):
        sample_size(replace(PLAN, effect_percent=-0.1))


def test_the_command_says_the_same(tmp_path):
    figure = tmp_path / "power.png"
    said = CliRunner().invoke(
        app, ["sample-size", "--spread", "0.4", "--patients", "8", "--figure", str(figure), "--json"]
    )
    facts = json.loads(said.stdout)
    assert facts["per_arm"] == sample_size(PLAN).per_arm
    assert facts["power_with_them"] == pytest.approx(power_of(PLAN, 8), abs=1e-4)
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_the_command_refuses_in_one_line():
    said = CliRunner().invoke(app, ["sample-size", "--effect", "-100"])
    assert said.exit_code == 2
    assert said.stderr.count("\n") == 1
