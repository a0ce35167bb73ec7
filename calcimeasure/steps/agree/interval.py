"""A range that never travels without its level."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats

from calcimeasure.errors import MeasurementRefused


@dataclass(frozen=True, slots=True)
class Interval:
    """A range and how often such ranges hold the truth.

    Parameters
    ----------
    low, high : float
        Its ends, in the unit of the estimate.
    level : float
        0.95 for 95 %. For exact intervals of small samples it is what is achieved, not what was asked for.
    """

    low: float
    high: float
    level: float

    def holds(self, value: float) -> bool:
        """Whether the value lies inside; the ends belong to the range."""
        return self.low <= value <= self.high


def multiplier(level: float = 0.95) -> float:
    """How many standard deviations lie either side of the mean of a normal share `level`.

    At 95 % it is the 1.96 that Bland and Altman, COSMIN and QIBA print, not 1.95996...: a reader who checks a limit
    by hand gets our digits. Every other level is exact.
    """
    return 1.96 if checked_level(level) == 0.95 else float(stats.norm.ppf(0.5 + level / 2))


def checked_level(level: float) -> float:
    """The level itself.

    Raises
    ------
    MeasurementRefused
        When it is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise MeasurementRefused(f"a level of {level} is no share of cases: give one between 0 and 1, for example 0.95")
    return float(level)
