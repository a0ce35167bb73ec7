"""Two readings of the same subjects: bias, limits of agreement and concordance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from calcimeasure.errors import MeasurementRefused
from calcimeasure.steps.agreement.interval import ConfidenceInterval, multiplier
from calcimeasure.steps.agreement.readings import ROUNDING, Array, all_alike, paired


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Bias and limits of agreement of `second - first`, each with its interval; units of the readings.

    Parameters
    ----------
    bias, sd : float
        Mean and standard deviation (divisor n - 1) of the differences.
    lower, upper : float
        Limits of agreement: bias -+ 1.96 sd at 95 %.
    bias_interval, lower_interval, upper_interval : ConfidenceInterval
        Confidence intervals of the three.
    level : float
        Of the limits and of their intervals.
    pairs : int
        Number of subjects.
    """

    bias: float
    sd: float
    lower: float
    upper: float
    bias_interval: ConfidenceInterval
    lower_interval: ConfidenceInterval
    upper_interval: ConfidenceInterval
    level: float
    pairs: int


@dataclass(frozen=True, slots=True)
class Concordance:
    """Lin's concordance with its two factors.

    Parameters
    ----------
    value : float
        `precision` times `accuracy`; 1 only when both readings are equal.
    precision : float
        Pearson's correlation.
    accuracy : float
        How near the line of best fit lies to the line of equality, 0 to 1.
    interval : ConfidenceInterval or None
        From Fisher's z; `None` when the readings are not correlated at all.
    """

    value: float
    precision: float
    accuracy: float
    interval: ConfidenceInterval | None


def bland_altman(first: Sequence[float] | Array, second: Sequence[float] | Array, level: float = 0.95) -> BlandAltman:
    """Bias and limits of agreement of two readings, shape (n,) each, in the same unit.

    J. M. Bland and D. G. Altman, Lancet 327 (1986) 307-310. The interval of a limit is exact for normal differences
    (A. Carkeet, Optom Vis Sci 92 (2015) e71-80, one limit at a time, noncentral t): it is not symmetric, and wider
    outside than the usual sd * sqrt(3/n) says.

    Raises
    ------
    MeasurementRefused
        For fewer than three pairs, unequal lengths, or readings that are missing.
    """
    left, right = paired(first, second)
    difference = right - left
    n, bias, sd = len(difference), float(difference.mean()), float(difference.std(ddof=1))
    reach = multiplier(level)
    half = sd * float(stats.t.ppf((1 + level) / 2, n - 1)) / math.sqrt(n)
    near, far = _limit_reach(n, reach, level)
    return BlandAltman(
        bias=bias,
        sd=sd,
        lower=bias - reach * sd,
        upper=bias + reach * sd,
        bias_interval=ConfidenceInterval(bias - half, bias + half, level),
        lower_interval=ConfidenceInterval(bias - far * sd, bias - near * sd, level),
        upper_interval=ConfidenceInterval(bias + near * sd, bias + far * sd, level),
        level=level,
        pairs=n,
    )


def concordance(first: Sequence[float] | Array, second: Sequence[float] | Array, level: float = 0.95) -> Concordance:
    """Lin's concordance correlation of two readings, shape (n,) each.

    L. I.-K. Lin, Biometrics 45 (1989) 255-268, with variances divided by n as he does, and the standard error of his
    correction (Biometrics 56 (2000) 324-325). Like every correlation it grows with the spread of the subjects.

    Raises
    ------
    MeasurementRefused
        As `bland_altman`, and when one of the readings does not vary.
    """
    left, right = paired(first, second)
    if all_alike(left) or all_alike(right):
        raise MeasurementRefused("a reading does not vary, so nothing can be correlated: report Bland-Altman limits")
    bias, product = float(left.mean() - right.mean()), float(left.std() * right.std())
    precision = float(np.clip(np.mean((left - left.mean()) * (right - right.mean())) / product, -1, 1))
    accuracy = 2 * product / float(left.var() + right.var() + bias**2)
    error = _fisher_sd(precision, accuracy, bias**2 / product, len(left))
    return Concordance(precision * accuracy, precision, accuracy, _from_fisher(precision * accuracy, error, level))


def _limit_reach(n: int, reach: float, level: float) -> tuple[float, float]:
    """Nearest and farthest place of a limit of agreement, in sd from the bias.

    (limit - bias) / (sd / sqrt(n)) follows a noncentral t with noncentrality reach * sqrt(n).
    """
    tails = (1 - level) / 2, (1 + level) / 2
    near, far = stats.nct.ppf(tails, n - 1, reach * math.sqrt(n)) / math.sqrt(n)
    return float(near), float(far)


def _fisher_sd(precision: float, accuracy: float, shift: float, n: int) -> float | None:
    """Standard error of atanh(concordance); `shift` is the squared bias over the product of both sd.

    `None` where Lin's formula divides by zero: no correlation at all.
    """
    value = precision * accuracy
    gap = 1 - value**2
    if abs(precision) < ROUNDING or gap < ROUNDING:
        return None if gap >= ROUNDING else 0.0
    variance = (1 - precision**2) * accuracy**2 / gap
    variance += 2 * value**2 * accuracy * (1 - value) * shift / gap**2
    variance -= value**2 * accuracy**2 * shift**2 / (2 * gap**2)
    return math.sqrt(max(variance, 0.0) / (n - 2))


def _from_fisher(value: float, error: float | None, level: float) -> ConfidenceInterval | None:
    reach = multiplier(level)
    if error is None or error == 0:
        return None if error is None else ConfidenceInterval(value, value, level)
    return ConfidenceInterval(
        math.tanh(math.atanh(value) - reach * error), math.tanh(math.atanh(value) + reach * error), level
    )
