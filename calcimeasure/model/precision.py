"""Precision profile: how measurement error grows with size.

One repeatability coefficient seldom fits both a 2 mm2 and a 200 mm2 deposit. The profile is

    wSD(x) = a + b * sqrt(x) + c * x,    a, b, c >= 0

(a: noise and lost specks; b: the edge, whose length grows as the root of area; c: scale and exposure). It is fitted to
repeated measurements by `calcimeasure.steps.agreement.fit_precision_profile`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from calcimeasure.errors import MeasurementRefused

Array: TypeAlias = npt.NDArray[np.float64]

#: No area, density or change is this large; the fourth powers of it still are numbers.
LARGEST = 1e12
#: Units that an area may have.
AREA_UNITS = ("mm2", "px")
#: No outline is repeated to a millionth of its size.
_LEAST_ERROR = 1e-6
_FORMAT = "calcimeasure precision profile 1"
_BOTH = "calcimeasure precision 1"


@dataclass(frozen=True, slots=True)
class PrecisionProfile:
    """Within-subject standard deviation of one measurement as a function of its size.

    Parameters
    ----------
    a, b, c : float
        Coefficients of 1, sqrt(size) and size.
    unit : str
        Of sizes and errors, such as ``"mm2"``.
    origin : str
        Where the repeats come from, in words for the report: real repeat films, or simulated ones.
    df : float
        Degrees of freedom of the whole fit.
    subjects : int
        How many deposits (or patients) were measured repeatedly.
    smallest, largest : float
        Range of sizes seen.
    covariance : tuple of 3 tuples of 3 float
        Of a, b, c; zero for a coefficient held at 0.
    tail : float
        How much further than normal errors the repeats lie apart where 95 % of them do, at least 1. A deposit that is
        found in one picture and missed in the next makes the tails heavy.
    is_simulated : bool
        Whether it comes from drawn films: it is then of a program's outlines, never of a person's.
    """

    a: float
    b: float
    c: float
    unit: str
    origin: str
    df: float
    subjects: int
    smallest: float
    largest: float
    covariance: tuple[tuple[float, float, float], ...]
    tail: float = 1.0
    is_simulated: bool = False

    @classmethod
    def from_json(cls, profile: object) -> PrecisionProfile:
        """The profile that `to_json` wrote.

        Raises
        ------
        MeasurementRefused
            When an entry is missing, of the wrong kind or out of range.
        """
        if not isinstance(profile, Mapping) or profile.get("format") != _FORMAT:
            raise MeasurementRefused(f"this is no '{_FORMAT}': make one with `calcimeasure repeatability`")
        numbers = {key: _number(profile, key) for key in ("a", "b", "c", "df", "smallest", "largest", "subjects")}
        _check_believable(numbers)
        return cls(
            **{key: value for key, value in numbers.items() if key != "subjects"},
            unit=_words(profile, "unit"),
            origin=_words(profile, "origin"),
            subjects=int(numbers["subjects"]),
            covariance=_matrix(profile.get("covariance")),
            tail=max(1.0, _number({"tail": 1.0, **profile}, "tail")),
            is_simulated=_is_simulated(profile),
        )

    def to_json(self) -> dict[str, object]:
        """The profile as plain numbers, texts and lists, ready for `json.dumps`."""
        return {"format": _FORMAT, **asdict(self), "covariance": [list(row) for row in self.covariance]}

    def covers(self, size: float) -> bool:
        """Whether repeats of this size were seen; outside the profile is a guess, and the report should say so."""
        return self.smallest <= size <= self.largest

    def wsd(self, size: float) -> float:
        """Standard deviation of one measurement of this size.

        Below the smallest size seen it stays what it is there: the curve would promise an error near 0.
        """
        return float(self._terms(size) @ (self.a, self.b, self.c))

    def sdc(self, size: float, level: float = 0.95) -> float:
        """Smallest detectable change between two measurements whose mean is `size`."""
        return multiplier(level) * math.sqrt(2) * self.wsd(size)

    def sdc_upper(self, size: float, level: float = 0.95, confidence: float = 0.95) -> float:
        """What a change must exceed to be believed.

        The one-sided upper bound of `sdc`, inflated by chi-square with the degrees of freedom at this size; or as far
        as the repeats' own tail reaches, where that is further.
        """
        return self.sdc(size, level) * max(self.tail, df_inflation(self.df_at(size), confidence))

    def df_at(self, size: float) -> float:
        """Degrees of freedom of `wsd` at this size, at least 1 and at most those of the whole fit.

        Few repeats lie near the ends of the range, so the curve is known less well there (Satterthwaite: a standard
        deviation with df degrees of freedom has a variance of wsd^2 / 2 df).
        """
        terms = self._terms(size)
        variance = float(terms @ np.array(self.covariance) @ terms)
        wsd = self.wsd(size)
        return max(1.0, self.df if 2 * variance * self.df <= wsd**2 else wsd**2 / (2 * variance))

    def _terms(self, size: float) -> Array:
        if not 0 <= size <= LARGEST:
            raise MeasurementRefused(f"no deposit has a size of {size}: give one of at least 0 {self.unit}")
        return columns_of(np.array(max(size, self.smallest)))


@dataclass(frozen=True, slots=True)
class Precision:
    """How precisely totals and single deposits are measured; `None` is not known.

    A total's error holds deposits that are found at one visit and missed at the other; a deposit's own does not. Their
    profiles therefore differ.
    """

    totals: PrecisionProfile | None = None
    deposits: PrecisionProfile | None = None

    @property
    def of_deposits(self) -> PrecisionProfile | None:
        """The deposits' profile; that of totals stands in where there is none."""
        return self.deposits or self.totals

    @classmethod
    def from_json(cls, precision: object) -> Precision:
        """What `to_json` wrote; a single profile is taken as that of totals.

        Raises
        ------
        MeasurementRefused
            When it is neither, or a profile in it is damaged, promises no error at all, or is not of areas.
        """
        if not isinstance(precision, Mapping) or precision.get("format") != _BOTH:
            return cls(_of_areas(precision))
        parts = {name: precision.get(name) for name in ("totals", "deposits")}
        return cls(**{name: None if one is None else _of_areas(one) for name, one in parts.items()})

    def to_json(self) -> dict[str, object]:
        """Both profiles, ready for `json.dumps`."""
        parts = {"totals": self.totals, "deposits": self.deposits}
        return {"format": _BOTH, **{name: one.to_json() if one else None for name, one in parts.items()}}


def _check_believable(numbers: Mapping[str, float]) -> None:
    """Refuse an error of nothing, which would make every difference a change, and a range or repeats of nothing."""
    largest = numbers["largest"]
    error = numbers["a"] + numbers["b"] * math.sqrt(largest) + numbers["c"] * largest
    if not error > _LEAST_ERROR * largest:
        raise MeasurementRefused("the precision profile promises no error at all: make it from repeats that differ")
    if not 0 < numbers["smallest"] <= largest or numbers["df"] <= 0 or numbers["subjects"] < 1:
        raise MeasurementRefused("the precision profile rests on no sizes or no repeats: make the profile again")


def _of_areas(profile: object) -> PrecisionProfile:
    found = PrecisionProfile.from_json(profile)
    if found.unit not in AREA_UNITS:
        raise MeasurementRefused(
            f"the precision profile is in {found.unit[:20]!r}, and areas are in {' or '.join(AREA_UNITS)}: make the "
            "profile again in one of these"
        )
    return found


def multiplier(level: float = 0.95) -> float:
    """How many standard deviations lie either side of the mean of a normal share `level`.

    At 95 % it is the 1.96 that Bland and Altman, COSMIN and QIBA print, not 1.95996...: a reader who checks a limit
    by hand gets our digits. Every other level is exact.
    """
    return 1.96 if checked_level(level) == 0.95 else float(special.ndtri(0.5 + level / 2))


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


def df_inflation(df: float, confidence: float = 0.95) -> float:
    """Factor from a standard deviation with `df` degrees of freedom to its one-sided upper bound.

    sqrt(df / chi-square quantile): 1.80 at 7, 1.25 at 35. A claim made without it is too narrow half the time.
    """
    if not df > 0:
        raise MeasurementRefused(f"{df} degrees of freedom give no bound: repeat more measurements")
    return math.sqrt(df / float(special.chdtri(df, confidence)))


def columns_of(size: Array) -> Array:
    """The terms 1, sqrt(size) and size that the curve is made of, shape (..., 3)."""
    return np.stack([np.ones_like(size), np.sqrt(size), size], axis=-1)


def _number(profile: Mapping[str, object], key: str) -> float:
    value = profile.get(key)
    if not isinstance(value, int | float) or not 0 <= value <= LARGEST:
        raise MeasurementRefused(f"the precision profile's '{key}' is no number in range: make the profile again")
    return float(value)


def _words(profile: Mapping[str, object], key: str) -> str:
    value = profile.get(key)
    if not isinstance(value, str) or not value.strip():
        raise MeasurementRefused(f"the precision profile does not state its '{key}': make the profile again")
    return value


def _is_simulated(profile: Mapping[str, object]) -> bool:
    """The file's own word; files of before 0.2 have none, and the only simulated ones were ours, named so."""
    told = profile.get("is_simulated")
    if told is None:
        return _words(profile, "origin").startswith("simulated films")
    if not isinstance(told, bool):
        raise MeasurementRefused("'is_simulated' of the precision profile is not true or false: make the profile again")
    return told


def _matrix(value: object) -> tuple[tuple[float, float, float], ...]:
    try:
        matrix = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        matrix = np.empty(0)
    if matrix.shape != (3, 3) or not np.all(np.abs(matrix) <= LARGEST**2):
        raise MeasurementRefused("the precision profile's 'covariance' is no table of 3 x 3: make the profile again")
    first, second, third = ((row[0], row[1], row[2]) for row in matrix.tolist())
    return first, second, third
