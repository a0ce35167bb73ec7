"""Fits a precision profile (`calcimeasure.model.precision`) to repeated measurements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from scipy import optimize, special

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.precision import LARGEST, PrecisionProfile, columns_of
from calcimeasure.steps.agreement.readings import ROUNDING, Array, RepeatedMeasurements, repeats

_FEWEST = 10  # three coefficients from fewer repeats are a guess
_LEVEL = 0.95
_ROUNDS = 20  # of reweighting; the third seldom moves a coefficient by 1 %


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
    rows: list[Array] = [np.asarray(group, dtype=np.float64) for group in groups]
    found = repeats(rows, least=_FEWEST)
    if not (unit.strip() and origin.strip()):
        raise MeasurementRefused("a precision profile needs its unit and its origin in words")
    if not np.all(found.mean > 0):
        raise MeasurementRefused("a repeated size is 0 or less: leave out what was not found in most of its repeats")
    if np.all(np.sqrt(found.variance) <= ROUNDING * found.mean):
        raise MeasurementRefused("all repeats are equal: take the pictures again, do not measure the same file again")
    coefficients = _reweighted(found)
    scale, df = _pooled(found, coefficients)
    a, b, c = (scale * coefficients).tolist()
    profile = PrecisionProfile(
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
    return replace(profile, tail=_tail(rows, profile))


def _tail(groups: Sequence[Array], profile: PrecisionProfile) -> float:
    """How much further apart than normal errors the first two repeats of 95 % of the groups lie, at least 1.

    The quantile of rank 0.95 (n + 1), as in split conformal prediction (V. Vovk et al., 2005): it holds for 95 % of
    further pairs whatever the distribution.
    """
    apart = [abs(x[1] - x[0]) / profile.sdc(min((x[0] + x[1]) / 2, LARGEST)) for x in groups]
    return max(1.0, float(np.sort(apart)[min(len(apart), math.ceil(_LEVEL * (len(apart) + 1))) - 1]))


def _reweighted(found: RepeatedMeasurements) -> Array:
    """Coefficients of the curve, in turns: fit with weights 1 / curve, and take the curve of the fit."""
    columns = columns_of(found.mean)
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


def _pooled(found: RepeatedMeasurements, coefficients: Array) -> tuple[float, float]:
    """Factor that makes the pooled variance about the curve 1, and its degrees of freedom.

    Of the coefficients in use one sets the height, which costs nothing as repeats have no further mean; the others
    shape the curve and cost one each.
    """
    df = float(found.df.sum() - np.count_nonzero(coefficients) + 1)
    curve = columns_of(found.mean) @ coefficients
    return math.sqrt(float(np.sum(found.df * found.variance / curve**2)) / df), df


def _covariance(found: RepeatedMeasurements, coefficients: Array) -> tuple[tuple[float, float, float], ...]:
    """Covariance of the coefficients in use, from the information of normal readings: 2 df / curve^2 each."""
    used = coefficients > 0
    columns = columns_of(found.mean)
    weighted = columns[:, used] * (np.sqrt(2 * found.df) / (columns @ coefficients))[:, None]
    length = np.linalg.norm(weighted, axis=0)
    scaled = weighted / length
    full = np.zeros((3, 3))
    full[np.ix_(used, used)] = np.linalg.pinv(scaled.T @ scaled) / np.outer(length, length)
    first, second, third = ((row[0], row[1], row[2]) for row in full.tolist())
    return first, second, third
