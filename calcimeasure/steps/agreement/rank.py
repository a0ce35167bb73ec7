"""Tests and an estimate for the paired changes of few subjects, exact whatever ties and zeros there are.

Convention for zeros: Pratt's. Sizes of all changes are ranked, zeros included and ties by their mean rank; the ranks of
zeros are then dropped. The p value comes from all 2^m signs of the m changes that are not zero. Two sizes are tied,
and a change is zero, when they differ by less than a billionth of the largest change: 1.3 - 1.2 and 0.1 are one
number in the clinic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from calcimeasure.errors import MeasurementRefused
from calcimeasure.steps.agreement.interval import ConfidenceInterval, checked_level
from calcimeasure.steps.agreement.readings import ROUNDING, Array, one_per_subject

# Beyond it a half to the power of n leaves double precision, and exactness no longer matters.
_MOST = 1000


@dataclass(frozen=True, slots=True)
class SignedRank:
    """Wilcoxon's signed rank test by full permutation.

    Parameters
    ----------
    plus, minus : float
        Sums of ranks of increases and of decreases, zeros' ranks dropped.
    p : float
        Two-sided: twice the smaller tail, at most 1.
    p_decrease, p_increase : float
        One-sided, small when decreases (increases) prevail.
    smallest_p : float
        The smallest two-sided p that so many changes can reach: 2 / 2^changes. At n = 5 it is 0.0625: no result of
        five subjects is significant at 5 %.
    changes, zeros : int
        Numbers of subjects with and without a change.
    """

    plus: float
    minus: float
    p: float
    p_decrease: float
    p_increase: float
    smallest_p: float
    changes: int
    zeros: int

    @property
    def statistic(self) -> float:
        """The smaller of both sums, as tables print it."""
        return min(self.plus, self.minus)


@dataclass(frozen=True, slots=True)
class HodgesLehmann:
    """Typical change with an exact interval.

    Parameters
    ----------
    value : float
        Median of the Walsh averages.
    interval : ConfidenceInterval
        Between two ordered Walsh averages; its `level` is the coverage achieved.
    asked : float
        The level asked for. Fewer than six subjects cannot reach 95 %: the interval is then the whole range of
        changes, and `interval.level` is less than `asked`.
    order : int
        j when the interval runs from the jth smallest Walsh average to the jth largest.
    subjects : int
        Number of changes.
    """

    value: float
    interval: ConfidenceInterval
    asked: float
    order: int
    subjects: int


@dataclass(frozen=True, slots=True)
class SignTest:
    """How many went up and down; zeros count for neither.

    Parameters
    ----------
    decreases, increases, zeros : int
        Numbers of subjects.
    p : float
        Two-sided binomial p of decreases against increases.
    """

    decreases: int
    increases: int
    zeros: int
    p: float


def signed_rank(changes: Sequence[float] | Array) -> SignedRank:
    """Exact Wilcoxon signed rank test of paired changes, shape (n,), with Pratt's zeros and mean ranks for ties.

    J. W. Pratt, J Am Stat Assoc 54 (1959) 655-667. The null distribution is that of the ranks at hand, built one
    subject at a time, so n = 50 costs as little as n = 8.

    Raises
    ------
    MeasurementRefused
        For fewer than two subjects, more than 1000, or missing changes.
    """
    values, group = _grouped(changes)
    changed = group > 0
    # Mean ranks are halves: twice them are whole, and can count cells.
    doubled = np.rint(2 * stats.rankdata(group)).astype(np.intp)
    plus = int(doubled[changed & (values > 0)].sum())
    minus = int(doubled[changed & (values < 0)].sum())
    chance = _sum_chances(doubled[changed])
    below, above = float(chance[: plus + 1].sum()), float(chance[plus:].sum())
    count = int(changed.sum())
    return SignedRank(
        plus=plus / 2,
        minus=minus / 2,
        p=min(1.0, 2 * min(below, above)),
        p_decrease=min(1.0, below),
        p_increase=min(1.0, above),
        smallest_p=min(1.0, 2.0 ** (1 - count)),
        changes=count,
        zeros=len(values) - count,
    )


def hodges_lehmann(changes: Sequence[float] | Array, level: float = 0.95) -> HodgesLehmann:
    """Median of all n(n+1)/2 means of two changes (a change with itself too), with its exact interval.

    J. L. Hodges and E. L. Lehmann, Ann Math Stat 34 (1963) 598-611; the interval inverts the signed rank test and is
    the shortest that covers at least `level`. Changes are taken as symmetric about their centre; with ties or zeros
    the interval covers at least what it says.

    Raises
    ------
    MeasurementRefused
        As `signed_rank`.
    """
    values = _few(changes)
    n = len(values)
    walsh = np.sort(((values[:, None] + values[None, :]) / 2)[np.triu_indices(n)])
    below = np.cumsum(_sum_chances(np.arange(1, n + 1)))
    # A sum of halves of halves may miss the tail by rounding.
    order = max(int(np.count_nonzero(below <= (1 - checked_level(level)) / 2 + 1e-12)), 1)
    reached = ConfidenceInterval(float(walsh[order - 1]), float(walsh[-order]), 1 - 2 * float(below[order - 1]))
    return HodgesLehmann(float(np.median(walsh)), reached, level, order, n)


def sign_test(changes: Sequence[float] | Array) -> SignTest:
    """Exact two-sided sign test of paired changes, shape (n,); refusals as in `signed_rank`."""
    values, group = _grouped(changes)
    down, up = (int(np.count_nonzero((group > 0) & side)) for side in (values < 0, values > 0))
    p = min(1.0, 2 * float(stats.binom.cdf(min(down, up), down + up, 0.5))) if down + up else 1.0
    return SignTest(down, up, len(values) - down - up, p)


def _few(changes: Sequence[float] | Array) -> Array:
    values = one_per_subject(changes)
    if len(values) > _MOST:
        raise MeasurementRefused(
            f"{len(values)} subjects are more than the exact test's {_MOST}: use a normal approximation instead"
        )
    return values


def _grouped(changes: Sequence[float] | Array) -> tuple[Array, npt.NDArray[np.intp]]:
    """The changes, and the number of each one's group of equal sizes, smallest first; group 0 are the zeros."""
    values = _few(changes)
    size = np.abs(values)
    order = np.argsort(size, kind="stable")
    group = np.empty(len(size), dtype=np.intp)
    group[order] = np.cumsum(np.diff(size[order], prepend=0.0) > ROUNDING * size.max())
    return values, group


def _sum_chances(weights: npt.NDArray[np.intp]) -> Array:
    """Chance of every sum 0, 1, ... when each weight is in it or not by the toss of a coin."""
    chance = np.zeros(int(weights.sum()) + 1)
    chance[0] = 1.0
    reached = 0
    for weight in weights.tolist():
        reached += weight
        chance[weight : reached + 1] += chance[: reached + 1 - weight].copy()
        chance[: reached + 1] /= 2
    return chance
