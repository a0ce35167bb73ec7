"""Precision profile: how measurement error grows with size.

One repeatability coefficient seldom fits both a 2 mm2 and a 200 mm2 deposit. The profile is

    wSD(x) = a + b * sqrt(x) + c * x,    a, b, c >= 0

(a: noise and lost specks; b: the edge, whose length grows as the root of area; c: scale and exposure), fitted to
repeated measurements.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy import optimize, special

from calcimeasure.errors import MeasurementRefused
from calcimeasure.steps.agree.interval import multiplier
from calcimeasure.steps.agree.readings import LARGEST, ROUNDING, Array, Repeats, repeats
from calcimeasure.steps.agree.repeatability import df_inflation

_FORMAT = "calcimeasure precision profile 1"
_FEWEST = 10  # three coefficients from fewer repeats are a guess
_ROUNDS = 20  # of reweighting; the third seldom moves a coefficient by 1 %


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
        return cls(
            **{key: value for key, value in numbers.items() if key != "subjects"},
            unit=_words(profile, "unit"),
            origin=_words(profile, "origin"),
            subjects=int(numbers["subjects"]),
            covariance=_matrix(profile.get("covariance")),
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
        """One-sided upper bound of `sdc`, inflated by chi-square with the degrees of freedom at this size."""
        return self.sdc(size, level) * df_inflation(self.df_at(size), confidence)

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
        return _columns(np.array(max(size, self.smallest)))


def fit_precision_profile(groups: Iterable[Sequence[float] | Array], unit: str, origin: str) -> PrecisionProfile:
    """Precision profile of repeatedly measured deposits (or totals): one sequence of at least two per deposit.

    Non-negative least squares (C. L. Lawson and R. J. Hanson, 1974) of each deposit's standard deviation on 1,
    sqrt(size) and size, weighted by the curve itself in turns, then scaled so that the pooled variance is right.
    Deposits are taken as independent: many deposits of few films share their films' errors, so give few of each film,
    or totals.

    Raises
    ------
    MeasurementRefused
        For fewer than ten deposits, one measured once or with a mean of 0 or less, missing values, no stated origin,
        or repeats that are all equal (the same file measured twice shows nothing).
    """
    found = repeats(groups, least=_FEWEST)
    if not (unit.strip() and origin.strip()):
        raise MeasurementRefused("a precision profile needs its unit and its origin in words")
    if not np.all(found.mean > 0):
        raise MeasurementRefused("a repeated size is 0 or less: leave out what was not found in most of its repeats")
    if np.all(np.sqrt(found.variance) <= ROUNDING * found.mean):
        raise MeasurementRefused("all repeats are equal: take the pictures again, do not measure the same file again")
    coefficients = _reweighted(found)
    scale, df = _pooled(found, coefficients)
    a, b, c = (scale * coefficients).tolist()
    return PrecisionProfile(
        a=a,
        b=b,
        c=c,
        unit=unit,
        origin=origin,
        df=df,
        subjects=len(found.mean),
        smallest=float(found.mean.min()),
        largest=float(found.mean.max()),
        covariance=_covariance(found, scale * coefficients),
    )


def _columns(size: Array) -> Array:
    return np.stack([np.ones_like(size), np.sqrt(size), size], axis=-1)


def _reweighted(found: Repeats) -> Array:
    """Coefficients of the curve, in turns: fit with weights 1 / curve, and take the curve of the fit."""
    columns = _columns(found.mean)
    # The mean standard deviation of few normal readings is too small by c4.
    c4 = np.sqrt(2 / found.df) * np.exp(special.gammaln((found.df + 1) / 2) - special.gammaln(found.df / 2))
    sd, worth = np.sqrt(found.variance) / c4, 1 / np.sqrt(1 / c4**2 - 1)
    curve = np.full_like(sd, sd.mean())
    for _ in range(_ROUNDS):
        weight = worth / np.maximum(curve, 1e-3 * curve.max())
        weighted = columns * weight[:, None]
        length = np.linalg.norm(weighted, axis=0)  # columns of one length: nnls tells 0 from small by size
        shares = optimize.nnls(weighted / length, sd * weight)[0]
        coefficients = np.where(shares > ROUNDING * shares.max(), shares, 0.0) / length
        curve = columns @ coefficients
    return np.asarray(coefficients, dtype=np.float64)


def _pooled(found: Repeats, coefficients: Array) -> tuple[float, float]:
    """Factor that makes the pooled variance about the curve 1, and its degrees of freedom.

    Of the coefficients in use one sets the height, which costs nothing as repeats have no further mean; the others
    shape the curve and cost one each.
    """
    df = float(found.df.sum() - np.count_nonzero(coefficients) + 1)
    curve = _columns(found.mean) @ coefficients
    return math.sqrt(float(np.sum(found.df * found.variance / curve**2)) / df), df


def _covariance(found: Repeats, coefficients: Array) -> tuple[tuple[float, float, float], ...]:
    """Covariance of the coefficients in use, from the information of normal readings: 2 df / curve^2 each."""
    used = coefficients > 0
    columns = _columns(found.mean)
    weighted = columns[:, used] * (np.sqrt(2 * found.df) / (columns @ coefficients))[:, None]
    length = np.linalg.norm(weighted, axis=0)
    scaled = weighted / length
    full = np.zeros((3, 3))
    full[np.ix_(used, used)] = np.linalg.pinv(scaled.T @ scaled) / np.outer(length, length)
    first, second, third = ((row[0], row[1], row[2]) for row in full.tolist())
    return first, second, third


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


def _matrix(value: object) -> tuple[tuple[float, float, float], ...]:
    try:
        matrix = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        matrix = np.empty(0)
    if matrix.shape != (3, 3) or not np.all(np.abs(matrix) <= LARGEST**2):
        raise MeasurementRefused("the precision profile's 'covariance' is no table of 3 x 3: make the profile again")
    first, second, third = ((row[0], row[1], row[2]) for row in matrix.tolist())
    return first, second, third
