"""How many patients the next trial needs, and what the one at hand can show.

Changes are natural logarithms of area after over area before: a fall to one half is as far as a rise to the double.
What a patient's films tell is the patient's own change and measurement error, both normal:

    told = natural course + effect + between-patient spread + measurement error
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.precision import PrecisionProfile, multiplier

_MOST_SUBJECTS = 2000  # an arm; a trial of a rare disease will not have more
_MOST_EXACT = 250  # an arm; above it the exact test of two shares takes long and differs little from its limit


class Endpoint(StrEnum):
    """What the trial is decided by."""

    MEAN_CHANGE = "mean"
    RESPONDERS = "responders"


@dataclass(frozen=True, slots=True)
class MeasurementError:
    """How far the films of one visit are off, as a share of the area.

    Parameters
    ----------
    relative_sd : float
        Standard deviation of one reading of one film, as a share of the area (0.1 is 10 %).
    readers, films : int
        Readings of each film, and films of each visit, that are averaged. Errors are taken to be independent: readers
        who share a habit gain less.
    """

    relative_sd: float
    readers: int = 1
    films: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.relative_sd < 2:
            raise MeasurementRefused(f"a measurement error of {self.relative_sd} is no share: 0.1 is 10 % of the area")
        if self.readers < 1 or self.films < 1:
            raise MeasurementRefused("a visit has at least one film, and a film one reading")

    @classmethod
    def from_profile(cls, profile: PrecisionProfile, size: float, readers: int = 1, films: int = 1) -> MeasurementError:
        """The error of a total of this size by a precision profile, in the profile's unit."""
        return cls(profile.wsd(size) / size, readers, films)

    @property
    def log_sd(self) -> float:
        """Standard deviation of the log of after over before: two visits, readings averaged."""
        return math.sqrt(2 / (self.readers * self.films)) * self.relative_sd


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """A trial in numbers.

    Parameters
    ----------
    endpoint : Endpoint
        The mean log change, or the share of responders.
    arms : int
        1: against the natural course. 2: against an untreated arm as large.
    effect_percent : float
        Median change by treatment, on top of the natural course; -30 is a fall by 30 %.
    natural_percent : float
        Median change without treatment over the same time.
    spread : float
        Between-patient standard deviation of the true log change.
    error : MeasurementError
    cut_percent : float
        A responder's total fell by at least this, and by more than is detectable.
    alpha : float
        Two-sided.
    losses : float
        Share of patients without a usable follow-up film.
    """

    endpoint: Endpoint = Endpoint.MEAN_CHANGE
    arms: int = 1
    effect_percent: float = -30.0
    natural_percent: float = 0.0
    spread: float = 0.5
    error: MeasurementError = MeasurementError(0.1)
    cut_percent: float = 25.0
    alpha: float = 0.05
    losses: float = 0.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("effect_percent", -100, 1000),
            ("natural_percent", -100, 1000),
            ("spread", 0, 10),
            ("cut_percent", 0, 100),
            ("alpha", 0, 0.5),
            ("losses", 0, 1),
        ):
            value = getattr(self, name)
            if not low <= value < high or (value == low and name in ("effect_percent", "natural_percent", "alpha")):
                raise MeasurementRefused(f"{name} of {value:g} is out of range: it lies between {low:g} and {high:g}")
        if self.arms not in (1, 2):
            raise MeasurementRefused(f"a trial of {self.arms} arms is not planned here: 1 or 2")

    @property
    def told_sd(self) -> float:
        """Standard deviation of the log change that the films of a patient tell."""
        return math.hypot(self.spread, self.error.log_sd)

    @property
    def natural(self) -> float:
        """Mean log change without treatment."""
        return math.log1p(self.natural_percent / 100)

    @property
    def treated(self) -> float:
        """Mean log change with treatment."""
        return self.natural + math.log1p(self.effect_percent / 100)

    def responders(self, mean: float) -> float:
        """Share of patients told as responders where the mean log change is `mean`.

        The fall must reach the cut and exceed the detectable change, which is 1.96 sd of measurement error.
        """
        needed = max(-math.log1p(-self.cut_percent / 100), multiplier() * self.error.log_sd)
        if self.told_sd == 0:
            return float(mean <= -needed)
        return float(stats.norm.cdf((-needed - mean) / self.told_sd))


@dataclass(frozen=True, slots=True)
class SampleSize:
    """How many patients a plan needs.

    Parameters
    ----------
    per_arm : int
        With a usable follow-up, in each arm: from here on every number of patients has at least the power asked for.
    enrolled : int
        In the whole trial, losses included.
    power : float
        With `per_arm` patients.
    responders : tuple of two float
        Share told as responders with treatment, and without.
    """

    per_arm: int
    enrolled: int
    power: float
    responders: tuple[float, float]


def sample_size(plan: TrialPlan, power: float = 0.8) -> SampleSize:
    """Patients that a plan needs for a power.

    Raises
    ------
    MeasurementRefused
        When the power is no share over alpha, or 2000 patients in each arm do not reach it.

    Examples
    --------
    >>> sample_size(TrialPlan(effect_percent=-30, spread=0.4)).per_arm
    13
    """
    if not plan.alpha < power < 1:
        raise MeasurementRefused(f"a power of {power:g} is none to plan for: give one between {plan.alpha:g} and 1")
    needed = _smallest(lambda n: power_of(plan, n), power)
    enrolled = math.ceil(needed / (1 - plan.losses)) * plan.arms
    shares = plan.responders(plan.treated), plan.responders(plan.natural)
    return SampleSize(needed, enrolled, power_of(plan, needed), shares)


def power_of(plan: TrialPlan, per_arm: int) -> float:
    """Chance that a trial with so many patients in each arm shows the effect, at the plan's two-sided alpha.

    The mean change is tested by Student's t (of one or two samples; noncentral t), the share of responders by the exact
    binomial test against the natural share (one arm) or Fisher's exact test (two arms).
    """
    if per_arm < 1:
        raise MeasurementRefused(f"{per_arm} patients are no trial")
    if plan.endpoint is Endpoint.MEAN_CHANGE:
        return _power_of_t(plan, per_arm)
    treated, natural = plan.responders(plan.treated), plan.responders(plan.natural)
    if plan.arms == 1:
        return _power_of_binomial(per_arm, treated, natural, plan.alpha)
    return _power_of_fisher(per_arm, treated, natural, plan.alpha)


def least_effect(plan: TrialPlan, per_arm: int, power: float = 0.8) -> float | None:
    """Smallest fall in percent that so many patients show with a power; `None` where not even a fall by 99.9 % does."""

    def shown(percent: float) -> float:
        return power_of(replace(plan, effect_percent=-percent), per_arm)

    if shown(99.9) < power:
        return None
    low, high = 0.0, 99.9
    while high - low > 0.05:
        middle = (low + high) / 2
        low, high = (low, middle) if shown(max(middle, 1e-6)) >= power else (middle, high)
    return -high


def _smallest(power_at: Callable[[int], float], power: float) -> int:
    """The number from which on every number has the power: exact tests go up and down by a patient."""
    high = 4
    while power_at(high) < power:
        high *= 2
        if high > _MOST_SUBJECTS:
            raise MeasurementRefused(
                f"{_MOST_SUBJECTS} patients in each arm do not reach a power of {power:g}: "
                "plan for a larger effect, or for less scatter"
            )
    least = next((n for n in range(high + 24, 1, -1) if power_at(n) < power), 1)
    return least + 1


def _power_of_t(plan: TrialPlan, n: int) -> float:
    """Two-sided t test by the noncentral t distribution; equal arms, one scatter."""
    df = plan.arms * (n - 1)
    if df < 1:
        return 0.0
    effect = plan.treated - plan.natural
    if plan.told_sd == 0:
        return float(effect != 0)
    shift = abs(effect) / plan.told_sd * math.sqrt(n / plan.arms)
    limit = stats.t.ppf(1 - plan.alpha / 2, df)
    return float(stats.nct.sf(limit, df, shift) + stats.nct.cdf(-limit, df, shift))


def _power_of_binomial(n: int, treated: float, natural: float, alpha: float) -> float:
    """Exact: the chance of the counts whose one-sided tail under the natural share is at most alpha / 2."""
    counts = np.arange(n + 1)
    upper = stats.binom.sf(counts - 1, n, natural) <= alpha / 2
    lower = stats.binom.cdf(counts, n, natural) <= alpha / 2
    return float(stats.binom.pmf(counts, n, treated)[upper | lower].sum())


def _power_of_fisher(n: int, treated: float, natural: float, alpha: float) -> float:
    """Exact: the chance of the tables that Fisher's two-sided test calls different."""
    if n > _MOST_EXACT:
        raise MeasurementRefused(
            f"two arms of {n} are more than the exact test is worked out for ({_MOST_EXACT}): plan for a larger effect"
        )
    counts = np.arange(n + 1)
    chances = np.outer(stats.binom.pmf(counts, n, treated), stats.binom.pmf(counts, n, natural))
    return float(chances[_different(n, alpha)].sum())


@lru_cache(maxsize=512)
def _different(n: int, alpha: float) -> npt.NDArray[np.bool_]:
    """Which tables of two arms of n Fisher's two-sided test calls different, shape (n + 1, n + 1).

    For every total of responders: a table is as rare as its hypergeometric chance; p is the sum over those as rare.
    """
    different = np.zeros((n + 1, n + 1), bool)
    for total in range(2 * n + 1):
        first = np.arange(max(0, total - n), min(n, total) + 1)
        chance = stats.hypergeom.pmf(first, 2 * n, total, n)
        order = np.argsort(chance)
        tail = np.cumsum(chance[order])
        reach = np.searchsorted(chance[order], chance * (1 + 1e-7), side="right") - 1
        different[first, total - first] = tail[reach] <= alpha
    return different
