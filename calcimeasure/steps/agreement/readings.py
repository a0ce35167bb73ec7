"""Readings fit for statistics: complete, finite, and of enough subjects; everything else is refused here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.precision import LARGEST

Array: TypeAlias = npt.NDArray[np.float64]

_SMALLEST = 1e-60  # smaller ones count as 0, or their squares would vanish while they do not
#: Two numbers closer than this share of the largest of them differ by rounding only.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class RepeatedMeasurements:
    """What the repeated measurements of several subjects say about their scatter.

    Parameters
    ----------
    mean, variance, df : ndarray, shape (n,)
        Mean, variance about it (divisor m - 1) and m - 1 of each subject measured m times.
    """

    mean: Array
    variance: Array
    df: Array


def one_per_subject(values: Sequence[float] | Array, least: int = 2) -> Array:
    """The values as float64, shape (n,).

    Raises
    ------
    MeasurementRefused
        When they are no single row of finite numbers, or fewer than `least`.
    """
    row = _numbers(values)
    if row.ndim != 1:
        raise MeasurementRefused(f"one number per subject is needed, and this table has {row.ndim} dimensions")
    _require_subjects(len(row), least)
    return row


def paired(first: Sequence[float] | Array, second: Sequence[float] | Array, least: int = 3) -> tuple[Array, Array]:
    """Two readings of the same subjects, each of shape (n,).

    Raises
    ------
    MeasurementRefused
        As `one_per_subject`, and when their numbers of subjects differ.
    """
    left, right = one_per_subject(first, least), one_per_subject(second, least)
    if len(left) != len(right):
        raise MeasurementRefused(
            f"the first reading has {len(left)} subjects and the second {len(right)}: keep the subjects read both times"
        )
    return left, right


def table(readings: Sequence[Sequence[float]] | Array, least: int = 3) -> Array:
    """Readings of n subjects (rows) by k readers (columns), shape (n, k).

    Raises
    ------
    MeasurementRefused
        For a missing or infinite reading, a row of another length, fewer than `least` subjects or two readers.
    """
    rows = _numbers(readings)
    if rows.ndim != 2 or rows.shape[1] < 2:
        raise MeasurementRefused("a table of subjects (rows) by readers (columns) is needed, with at least two readers")
    _require_subjects(len(rows), least)
    return rows


def repeats(groups: Iterable[Sequence[float] | Array], least: int = 2) -> RepeatedMeasurements:
    """Scatter within each subject; subjects may have been measured unequally often, each at least twice.

    Raises
    ------
    MeasurementRefused
        For a subject measured once, a missing or infinite reading, or fewer than `least` subjects.
    """
    rows = [one_per_subject(group, least=0) for group in groups]
    _require_subjects(len(rows), least)
    single = sum(len(row) < 2 for row in rows)
    if single:
        raise MeasurementRefused(
            f"{single} of {len(rows)} subjects were measured only once and say nothing about scatter: leave them out"
        )
    return RepeatedMeasurements(
        np.array([row.mean() for row in rows]),
        np.array([row.var(ddof=1) for row in rows]),
        np.array([len(row) - 1.0 for row in rows]),
    )


def all_alike(values: Array) -> bool:
    """Whether the values differ by no more than rounding.

    Values of any shape.
    """
    return bool(np.ptp(values) <= ROUNDING * np.abs(values).max())


def _numbers(values: object) -> Array:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as problem:
        raise MeasurementRefused(
            "the readings are no full table of numbers: every subject needs a number from every reader; "
            "leave out the subjects that lack one"
        ) from problem
    bad = int(np.count_nonzero(~(np.abs(numbers) <= LARGEST)))
    if bad:
        raise MeasurementRefused(
            f"{bad} of {numbers.size} readings are missing, infinite or over {LARGEST:.0e}: "
            "leave out those subjects and report how many they were"
        )
    return np.where(np.abs(numbers) < _SMALLEST, 0.0, numbers)


def _require_subjects(found: int, least: int) -> None:
    if found < least:
        raise MeasurementRefused(f"{found} subjects are too few: this statistic needs at least {least}")
