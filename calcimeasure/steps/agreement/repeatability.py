"""Measurement error of one reading, and the smallest change that is more than it.

Names: SEM standard error of measurement, SDC smallest detectable change (COSMIN), wSD and wCV within-subject standard
deviation and coefficient of variation, RC repeatability coefficient (QIBA). SDC and RC are both 1.96 * sqrt(2) times
the error of one reading, because a change is the difference of two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.precision import df_inflation as df_inflation
from calcimeasure.steps.agreement.icc import mean_squares
from calcimeasure.steps.agreement.interval import ConfidenceInterval, multiplier
from calcimeasure.steps.agreement.readings import Array, repeats, table


@dataclass(frozen=True, slots=True)
class ReaderError:
    """Standard error of measurement of one reading by one reader, in the unit of the readings.

    Parameters
    ----------
    agreement : float
        With the bias between readers in it: what to expect of any reader.
    consistency : float
        Without it: only when one and the same reader reads both visits. COSMIN calls this doubtful when the bias is
        unknown.
    subjects, readers : int
        Size of the table.
    """

    agreement: float
    consistency: float
    subjects: int
    readers: int


@dataclass(frozen=True, slots=True)
class ChangeError:
    """Smallest detectable change from readers who each read the change itself.

    Parameters
    ----------
    sd : float
        Standard deviation of the difference of two readers' changes; the bias between them is not in it.
    sdc : float
        For the mean of `averaged` of these very readers.
    averaged : int
        How many readers are averaged.
    level : float
        Of `sdc`.
    subjects, readers : int
        Size of the table.
    """

    sd: float
    sdc: float
    averaged: int
    level: float
    subjects: int
    readers: int


@dataclass(frozen=True, slots=True)
class Repeatability:
    """Scatter of repeated measurements of the same subjects.

    Parameters
    ----------
    wsd : float
        Within-subject standard deviation, in the unit of the measurement.
    wcv : float or None
        Within-subject coefficient of variation, root mean square of sd / mean; `None` when a subject's mean is not
        positive.
    rc, rc_upper : float
        Repeatability coefficient and its one-sided 95 % upper bound, from chi-square with `df`: a claim made on few
        repeats should use the bound.
    rc_percent : float or None
        100 * 1.96 * sqrt(2) * wcv at 95 %; fit for use only when the error grows in proportion to size.
    subjects : int
        Number of subjects.
    df : int
        Degrees of freedom of `wsd`: repeats beyond the first, summed.
    level : float
        Of `rc`.
    """

    wsd: float
    wcv: float | None
    rc: float
    rc_upper: float
    rc_percent: float | None
    subjects: int
    df: int
    level: float


def reader_error(readings: Sequence[Sequence[float]] | Array) -> ReaderError:
    """Standard errors of measurement of n subjects (rows) read by k readers (columns).

    sqrt(variance of readers + residual) and sqrt(residual); a negative variance of readers counts as 0 (L. B. Mokkink
    and others, BMC Med Res Methodol 20 (2020) 293).

    Raises
    ------
    MeasurementRefused
        For an incomplete or too small table, as in `icc`.
    """
    squares = mean_squares(readings)
    bias = max((squares.readers - squares.residual) / squares.subjects, 0.0)
    return ReaderError(math.sqrt(bias + squares.residual), math.sqrt(squares.residual), squares.subjects, squares.count)


def smallest_detectable_change(sem: float, level: float = 0.95, averaged_over: int = 1) -> float:
    """1.96 * sqrt(2) * SEM, the change of one subject that error alone passes in 5 % of cases.

    With `averaged_over` n subjects it is that of the mean of a group, divided by sqrt(n): never use it for a patient.
    """
    if not (sem >= 0 and math.isfinite(sem)) or averaged_over < 1:
        raise MeasurementRefused(f"an error of {sem} over {averaged_over} subjects gives no detectable change")
    return multiplier(level) * math.sqrt(2) * sem / math.sqrt(averaged_over)


def change_error(changes: Sequence[Sequence[float]] | Array, averaged: int = 1, level: float = 0.95) -> ChangeError:
    """Smallest detectable change when each reader (column) read the change of each subject (row) as a pair.

    1.96 * SD(d1 - d2) / (sqrt(2) * sqrt(k)), k = `averaged` (K. Bruynesteyn and others, Ann Rheum Dis 64 (2005)
    179-182); with more than two readers SD / sqrt(2) is the root of the residual mean square. No further sqrt(2):
    the readings are changes already.

    Raises
    ------
    MeasurementRefused
        For an incomplete or too small table, and when fewer than one or more readers are averaged than there are.
    """
    rows = table(changes)
    n, k = rows.shape
    if not 1 <= averaged <= k:
        raise MeasurementRefused(f"{averaged} readers cannot be averaged where {k} have read: give 1 to {k}")
    residual = rows - rows.mean(axis=1, keepdims=True) - rows.mean(axis=0) + rows.mean()
    error = math.sqrt(float(np.sum(residual**2)) / ((n - 1) * (k - 1)))
    return ChangeError(math.sqrt(2) * error, multiplier(level) * error / math.sqrt(averaged), averaged, level, n, k)


def repeatability(groups: Iterable[Sequence[float] | Array], level: float = 0.95) -> Repeatability:
    """Scatter of the repeated measurements of each subject (one sequence of at least two per subject).

    For pairs wsd is sqrt(sum d^2 / 2n), so a drift between first and second measurement counts as error (J. M. Bland
    and D. G. Altman, BMJ 313 (1996) 744; QIBA: D. L. Raunig and others, Stat Methods Med Res 24 (2015) 27-67).

    Raises
    ------
    MeasurementRefused
        For fewer than two subjects, one measured only once, or missing readings.
    """
    found = repeats(groups)
    df = int(found.df.sum())
    wsd = math.sqrt(float(np.average(found.variance, weights=found.df)))
    positive = bool(np.all(found.mean > 0))
    wcv = math.sqrt(float(np.average(found.variance / found.mean**2, weights=found.df))) if positive else None
    reach = multiplier(level) * math.sqrt(2)
    return Repeatability(
        wsd=wsd,
        wcv=wcv,
        rc=reach * wsd,
        rc_upper=reach * wsd * df_inflation(df),
        rc_percent=None if wcv is None else 100 * reach * wcv,
        subjects=len(found.mean),
        df=df,
        level=level,
    )


def log_limits(wcv: float, level: float = 0.95) -> ConfidenceInterval:
    """Relative change (0.25 = +25 %) that error alone stays inside, for an error in proportion to size.

    exp(-+ 1.96 * sqrt(2) * s) - 1 with s = sqrt(ln(1 + wcv^2)): a fall can be at most 100 %, so the two sides differ.
    """
    if not (wcv >= 0 and math.isfinite(wcv)):
        raise MeasurementRefused(f"a coefficient of variation of {wcv} is none: give a share such as 0.1")
    half = multiplier(level) * math.sqrt(2 * math.log1p(wcv**2))
    return ConfidenceInterval(math.expm1(-half), math.expm1(half), level)


def sdc_in_cohort_sd(correlation: float, level: float = 0.95) -> float:
    """Smallest detectable change in standard deviations of the cohort, for a given ICC of one reading.

    1.96 * sqrt(2) * sqrt(1 - ICC): even an ICC of 0.93 leaves 0.73 SD of one patient's change to error.
    """
    if not correlation <= 1:
        raise MeasurementRefused(f"no correlation is {correlation}: give an ICC of at most 1")
    return multiplier(level) * math.sqrt(2 * (1 - correlation))
