"""Intraclass correlation: how much of the spread of readings is the subjects' own.

Formulas: P. E. Shrout and J. L. Fleiss, Psychological Bulletin 86 (1979) 420-428, and K. O. McGraw and S. P. Wong,
Psychological Methods 1 (1996) 30-46, whose names the forms carry. All of them are ratios of the mean squares of one
two-way table, and their intervals come from F.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import stats

from calcimeasure.errors import MeasurementRefused
from calcimeasure.steps.agreement.interval import ConfidenceInterval, checked_level
from calcimeasure.steps.agreement.readings import Array, all_alike, table

#: Satterthwaite's degrees of freedom may vanish where an estimate is negative; with fewer F is no number any more.
_FEWEST_DF = 0.05


class IccForm(StrEnum):
    """Which correlation, by McGraw and Wong's names: A for absolute agreement, C for consistency, k for the mean."""

    ONE_WAY = "ICC(1,1)"
    AGREEMENT = "ICC(A,1)"
    CONSISTENCY = "ICC(C,1)"
    ONE_WAY_MEAN = "ICC(1,k)"
    AGREEMENT_MEAN = "ICC(A,k)"
    CONSISTENCY_MEAN = "ICC(C,k)"

    @property
    def single(self) -> IccForm:
        """The form for one reader."""
        return IccForm(f"{self.value[:-2]}1)")

    @property
    def is_mean(self) -> bool:
        """Whether it speaks of the mean of all readers."""
        return self.single is not self

    @property
    def shrout_fleiss(self) -> str:
        """Shrout and Fleiss's name, such as ``ICC(2,1)``."""
        return self.value.replace("A", "2").replace("C,", "3,")

    @property
    def words(self) -> str:
        """Model, type and unit, for the methods paragraph."""
        kind = {
            IccForm.ONE_WAY: "one-way random, absolute agreement",
            IccForm.AGREEMENT: "two-way random, absolute agreement",
            IccForm.CONSISTENCY: "two-way mixed, consistency",
        }[self.single]
        return f"{kind}, {'mean of the readers' if self.is_mean else 'single reader'}"


@dataclass(frozen=True, slots=True)
class MeanSquares:
    """Analysis of variance of n subjects by k readers, one reading each.

    Parameters
    ----------
    between : float
        Of subjects, n - 1 degrees of freedom.
    readers : float
        Of readers, k - 1.
    residual : float
        What neither explains, (n - 1)(k - 1).
    within : float
        Of readings about their subject's mean, n(k - 1); holds `readers` and `residual` together.
    subjects, count : int
        n and k.
    """

    between: float
    readers: float
    residual: float
    within: float
    subjects: int
    count: int


@dataclass(frozen=True, slots=True)
class ICC:
    """One intraclass correlation with its interval.

    Parameters
    ----------
    form : IccForm
        Which of the six.
    value : float
        The correlation; negative when readings of one subject differ more than those of different subjects, and
        minus infinity where a form for the mean of readers has no lower end.
    interval : ConfidenceInterval
        From F.
    subjects, readers : int
        Size of the table.
    """

    form: IccForm
    value: float
    interval: ConfidenceInterval
    subjects: int
    readers: int

    @property
    def band(self) -> str:
        """Koo and Li's word for the value (J Chiropr Med 15 (2016) 155-163): poor, moderate, good or excellent.

        It depends on how much the subjects differ: the same readers look "excellent" in a mixed cohort and "poor" in
        a uniform one. Report the smallest detectable change beside it.
        """
        words = ("poor", "moderate", "good", "excellent")
        return words[int(np.searchsorted((0.5, 0.75, 0.9), self.value, side="right"))]


def icc(readings: Sequence[Sequence[float]] | Array, form: IccForm = IccForm.AGREEMENT, level: float = 0.95) -> ICC:
    """The intraclass correlation of n subjects (rows) read by k readers (columns), with its F interval.

    ICC(A,1), the default, counts a reader's constant bias as error; ICC(C,1) forgives it. A large gap between them is
    a bias between readers: report both. The interval of ICC(A,.) has Satterthwaite's degrees of freedom
    and is approximate: where few readers differ by a bias as large as their noise, 95 % is 87 to 95 % in simulations.

    Raises
    ------
    MeasurementRefused
        For an incomplete table, fewer than three subjects or two readers, or subjects who do not differ at all.
    """
    rows = table(readings)
    if all_alike(rows.mean(axis=1)):
        raise MeasurementRefused(
            "the subjects do not differ, so no share of spread is theirs: report SEM and SDC instead"
        )
    squares = mean_squares(rows)
    k = squares.count
    low, high = _limits(squares, form.single, (1 + checked_level(level)) / 2)
    value = _single(squares, form.single)
    if form.is_mean:
        value, low, high = (_of_mean(one, k) for one in (value, low, high))
    return ICC(form, value, ConfidenceInterval(low, high, level), squares.subjects, k)


def icc_table(readings: Sequence[Sequence[float]] | Array, level: float = 0.95) -> tuple[ICC, ...]:
    """All six forms, single readers first, in the order of `IccForm`; refusals as in `icc`."""
    return tuple(icc(readings, form, level) for form in IccForm)


def mean_squares(readings: Sequence[Sequence[float]] | Array) -> MeanSquares:
    """The mean squares of n subjects (rows) read by k readers (columns).

    Raises
    ------
    MeasurementRefused
        For an incomplete table, fewer than three subjects or two readers.
    """
    rows = table(readings)
    n, k = rows.shape
    subject, reader = rows.mean(axis=1), rows.mean(axis=0)
    residual = rows - subject[:, None] - reader[None, :] + rows.mean()
    return MeanSquares(
        between=k * float(subject.var(ddof=1)),
        readers=n * float(reader.var(ddof=1)),
        residual=float(np.sum(residual**2)) / ((n - 1) * (k - 1)),
        within=float(np.sum((rows - subject[:, None]) ** 2)) / (n * (k - 1)),
        subjects=n,
        count=k,
    )


def _single(squares: MeanSquares, form: IccForm) -> float:
    n, k = squares.subjects, squares.count
    noise = squares.within if form is IccForm.ONE_WAY else squares.residual
    bias = k * (squares.readers - squares.residual) / n if form is IccForm.AGREEMENT else 0.0
    return (squares.between - noise) / (squares.between + (k - 1) * noise + bias)


def _limits(squares: MeanSquares, form: IccForm, upper: float) -> tuple[float, float]:
    if form is IccForm.AGREEMENT:
        return _agreement_limits(squares, upper)
    n, k = squares.subjects, squares.count
    one_way = form is IccForm.ONE_WAY
    noise, df = (squares.within, n * (k - 1)) if one_way else (squares.residual, (n - 1) * (k - 1))
    stretched = noise * float(stats.f.ppf(upper, n - 1, df))
    shrunk = noise / float(stats.f.ppf(upper, df, n - 1))
    low, high = ((squares.between - x) / (squares.between + (k - 1) * x) for x in (stretched, shrunk))
    return low, high


def _agreement_limits(squares: MeanSquares, upper: float) -> tuple[float, float]:
    """Limits of ICC(A,1): Shrout and Fleiss 1979, multiplied through by the residual (which may be 0)."""
    n, k = squares.subjects, squares.count
    reader, noise = squares.readers / squares.between, squares.residual / squares.between
    value = _single(squares, IccForm.AGREEMENT)
    biased, rest = k * value * reader, (n * (1 + (k - 1) * value) - k * value) * noise
    spread = biased**2 / (k - 1) + rest**2 / ((n - 1) * (k - 1))
    if spread == 0:
        return value, value
    df = max((biased + rest) ** 2 / spread, _FEWEST_DF)
    stretch, shrink = float(stats.f.ppf(upper, n - 1, df)), float(stats.f.ppf(upper, df, n - 1))
    error = k * reader + (k * n - k - n) * noise
    return n * (1 - stretch * noise) / (stretch * error + n), n * (shrink - noise) / (error + n * shrink)


def _of_mean(single: float, k: int) -> float:
    """Spearman and Brown: the correlation of the mean of k readers; it has no lower end at -1 / (k - 1)."""
    rest = 1 + (k - 1) * single
    return k * single / rest if rest > 0 else -math.inf
