"""Which ruler it is: millimetres, half millimetres or parts of an inch, told by which ticks are longer.

The plan: every kind of ruler predicts a pattern of lengths along the run (each tenth longest, each fifth middle; or
the halving pattern of inches). Each pattern is laid at every phase, its levels are fitted, and patterns are compared
by their Bayesian information criterion, so that a pattern with more levels must earn them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from calcimeasure.model.arrays import Floats


class Graduation(StrEnum):
    """What one step of a ruler is worth."""

    MILLIMETRE = "millimetre"
    FIVES = "fives"
    HALF_MILLIMETRE = "half millimetre"
    INCH = "inch"
    ALTERNATE = "alternate"
    PLAIN = "plain"


#: Millimetres in one step; `None` where the pattern does not tell. Halves of halves look alike at every scale, so an
#: inch ruler with a few ticks cut off by the frame does not tell sixteenths from eighths.
STEP_MM = {
    Graduation.MILLIMETRE: 1.0,
    Graduation.FIVES: 1.0,
    Graduation.HALF_MILLIMETRE: 0.5,
    Graduation.INCH: None,
    Graduation.ALTERNATE: None,
    Graduation.PLAIN: None,
}

# One letter per tick of a cycle; ticks of one letter are equally long, and a is longer than b, b than c ...
_PATTERNS = (
    (Graduation.PLAIN, "a"),
    (Graduation.ALTERNATE, "ab"),
    (Graduation.FIVES, "abbbb"),
    (Graduation.MILLIMETRE, "abbbbbbbbb"),
    (Graduation.MILLIMETRE, "accccbcccc"),
    (Graduation.MILLIMETRE, "afedcbcdef"),  # pyramids between the centimetres
    (Graduation.HALF_MILLIMETRE, "acbcbcbcbc"),
    (Graduation.HALF_MILLIMETRE, "adcdcdcdcdbdcdcdcdcd"),
    (Graduation.INCH, "abbb"),
    (Graduation.INCH, "adcdbdcd"),
    (Graduation.INCH, "acbc"),
    (Graduation.INCH, "aedecedebedecede"),
    (Graduation.INCH, "adcdbdcdbdcdbdcd"),
    (Graduation.INCH, "afefdfefcfefdfefbfefdfefcfefdfef"),
)
_LEAST_SD = 0.06  # of the logarithm of a length: no ruler is measured better than this
_LONGER = 0.09  # logarithm of how much longer a longer tick must be
_MOST_OFF = 0.5  # how much one tick may speak against a pattern


@dataclass(frozen=True, slots=True)
class BestPattern:
    """The pattern that fits best.

    Parameters
    ----------
    graduation : Graduation
        What it is.
    phase : int
        Number of the first longest tick.
    over_plain, over_rival : float
        How much better it fits than ticks all alike, and than the best pattern worth another number of mm, as
        differences of the criterion; above 10 is strong.
    """

    graduation: Graduation
    phase: int
    over_plain: float
    over_rival: float


def graduate(size: Floats) -> BestPattern:
    """The best pattern for one number per tick (length or ink); NaN where no tick is seen.

    Shape (ticks,), in order along the ruler.
    """
    number = np.flatnonzero(np.isfinite(size) & (np.nan_to_num(size) > 0))
    if len(number) < 6:
        return BestPattern(Graduation.PLAIN, 0, 0.0, 0.0)
    value = _tamed(np.log(size[number]))
    fits = [(*_best_phase(number, value, pattern), kind) for kind, pattern in _PATTERNS]
    plain = fits[0][0]
    best, phase, kind = min(fits, key=lambda fit: fit[0])
    rivals = [fit[0] for fit in fits if STEP_MM[fit[2]] != STEP_MM[kind]]
    return BestPattern(kind, phase, plain - best, min(rivals) - best)


def _tamed(value: Floats) -> Floats:
    """Lengths with absurd ones (a digit or a line touches the tick) pulled in."""
    middle = float(np.median(value))
    return np.asarray(np.clip(value, middle - np.log(3), middle + np.log(5)))


def _best_phase(number: npt.NDArray[np.intp], value: Floats, pattern: str) -> tuple[float, int]:
    """Lowest criterion of a pattern over its phases; a pattern whose longest ticks are not longest is out."""
    levels = np.array([ord(letter) - ord("a") for letter in pattern])
    scores = [
        _criterion(value, levels[np.mod(number - phase, len(levels))], len(levels)) for phase in range(len(levels))
    ]
    phase = int(np.argmin(scores))
    return scores[phase], phase


def _criterion(value: Floats, level: npt.NDArray[np.intp], cycle: int) -> float:
    count = np.bincount(level, minlength=level.max() + 1)
    # A pattern must be seen to come round again, and each kind of tick must be longer than the next.
    if count.min() == 0 or len(level) < 1.4 * cycle:
        return np.inf
    mean = np.bincount(level, value) / count
    if np.any(np.diff(mean) > -_LONGER):
        return np.inf
    off = np.minimum(np.abs(value - mean[level]), _MOST_OFF)
    sd = max(float(np.sqrt(np.mean(off**2))), _LEAST_SD)
    free = 2 * np.log(cycle) + len(mean) * np.log(len(value))
    return float(2 * len(value) * np.log(sd) + free)
