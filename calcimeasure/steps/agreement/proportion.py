"""Shares of few subjects, such as responders, with intervals that hold at any n."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats

from calcimeasure.errors import MeasurementRefused
from calcimeasure.steps.agreement.interval import ConfidenceInterval, checked_level, multiplier

_MOST = 10**9


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share with both of its intervals.

    Parameters
    ----------
    successes, trials : int
        5 and 8 for five responders of eight.
    share : float
        Their ratio.
    exact : ConfidenceInterval
        Clopper and Pearson: holds the truth at least as often as it says.
    wilson : ConfidenceInterval
        Wilson: shorter, and right on average.
    """

    successes: int
    trials: int
    share: float
    exact: ConfidenceInterval
    wilson: ConfidenceInterval


def proportion(successes: int, trials: int, level: float = 0.95) -> Proportion:
    """Share of successes with its exact and its Wilson interval.

    Raises
    ------
    MeasurementRefused
        When there are no trials, or more successes than trials.
    """
    exact, score = clopper_pearson(successes, trials, level), wilson(successes, trials, level)
    return Proportion(successes, trials, successes / trials, exact, score)


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> ConfidenceInterval:
    """Exact interval of a share, from quantiles of beta (C. J. Clopper and E. S. Pearson, Biometrika 26 (1934) 404)."""
    _check(successes, trials)
    tail = (1 - checked_level(level)) / 2
    failures = trials - successes
    low = float(stats.beta.ppf(tail, successes, failures + 1)) if successes else 0.0
    high = float(stats.beta.ppf(1 - tail, successes + 1, failures)) if failures else 1.0
    return ConfidenceInterval(low, high, level)


def wilson(successes: int, trials: int, level: float = 0.95) -> ConfidenceInterval:
    """Score interval of a share (E. B. Wilson, J Am Stat Assoc 22 (1927) 209-212)."""
    _check(successes, trials)
    z, share = multiplier(level), successes / trials
    shrink = 1 + z**2 / trials
    centre = (share + z**2 / (2 * trials)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    low = 0.0 if successes == 0 else centre - half
    return ConfidenceInterval(low, 1.0 if successes == trials else centre + half, level)


def chance_of_as_many(successes: int, trials: int, rate: float) -> float:
    """Chance of at least so many successes if each came at an outside `rate` (0 to 1): one-sided binomial p.

    The comparator for "5 of 8 improved" is a rate of improvement without treatment, not a half.
    """
    _check(successes, trials)
    _check_rate(rate)
    return float(stats.binom.sf(successes - 1, trials, rate))


def chance_of_any(trials: int, rate: float) -> float:
    """Chance of at least one false call among `trials` independent ones, each false at `rate` (0 to 1)."""
    _check(0, trials)
    _check_rate(rate)
    return float(stats.binom.sf(0, trials, rate))


def _check(successes: int, trials: int) -> None:
    if not (1 <= trials <= _MOST and 0 <= successes <= trials and successes % 1 == 0 and trials % 1 == 0):
        raise MeasurementRefused(f"{successes} of {trials} is no share: count whole subjects, at least one of them")


def _check_rate(rate: float) -> None:
    if not 0 <= rate <= 1:
        raise MeasurementRefused(f"a rate of {rate} is none: give a share between 0 and 1")
