"""A range that never travels without its level."""

from __future__ import annotations

from dataclasses import dataclass

from calcimeasure.model.precision import checked_level as checked_level
from calcimeasure.model.precision import multiplier as multiplier


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
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
