"""A smooth map through pairs of points that a person marked on both films.

The plan: the turn, shift and scale that fit best (Umeyama, IEEE TPAMI 1991), and what is left of each pair
carried to its surroundings by a thin-plate spline. How well a place between the points is known is what each
point shows when the others alone predict it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.interpolate import RBFInterpolator

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.arrays import Floats
from calcimeasure.steps.change.align.chart import Chart, chained, grid, moved, scaling

Pair = tuple[tuple[float, float], tuple[float, float]]
Shapes = tuple[tuple[int, int], tuple[int, int]]

FEWEST = 3
#: Points nearer than this share of the film's long side are one point.
SAME = 0.01
#: Long side of the lattice on which the spline is worked out, in pixels; between them it is smooth.
LATTICE = 160


def lattice(shape: tuple[int, int]) -> tuple[int, int]:
    """The film's size on the lattice."""
    factor = min(1.0, LATTICE / max(shape))
    return max(8, round(shape[0] * factor)), max(8, round(shape[1] * factor))


def points_of(pairs: Sequence[Pair], shapes: Shapes) -> tuple[Floats, Floats]:
    """The marked points in (x, y) on either film, shape (n, 2).

    Raises
    ------
    MeasurementRefused
        For fewer than three pairs, points off the film, or points that lie together.
    """
    if len(pairs) < FEWEST:
        raise MeasurementRefused(f"{len(pairs)} pairs of landmarks were given: mark at least {FEWEST}, far apart")
    try:
        both = np.array(pairs, np.float64)
    except (ValueError, TypeError) as error:
        raise MeasurementRefused("a landmark is a pair of (row, column) points: one on either film") from error
    if both.shape != (len(pairs), 2, 2) or not np.isfinite(both).all():
        raise MeasurementRefused("a landmark is a pair of (row, column) points: one on either film")
    for n, (name, shape) in enumerate(zip(("baseline", "follow-up"), shapes, strict=True)):
        _check_on(both[:, n], name, shape)
    return both[:, 0, ::-1], both[:, 1, ::-1]


def _check_on(points: Floats, name: str, shape: tuple[int, int]) -> None:
    off = ((points < -0.5) | (points > np.array(shape) - 0.5)).any(axis=1)
    if off.any():
        raise MeasurementRefused(
            f"landmark {int(off.argmax()) + 1} lies off the {name} film ({shape[0]} x {shape[1]} pixels): mark it again"
        )
    apart = np.linalg.norm(points[:, None] - points[None], axis=2) + np.eye(len(points)) * 1e9
    if apart.min() < SAME * max(shape):
        raise MeasurementRefused(f"two landmarks on the {name} film are one point: mark points far apart")


def is_mirrored(source: Floats, target: Floats) -> bool:
    """Whether the pairs fit better when one film is turned left for right.

    Both of shape (n, 2).
    """
    return _left_over(source, target, True) < 0.5 * _left_over(source, target, False)


def chart_through(points: tuple[Floats, Floats], shapes: Shapes, work: Shapes, mirrored: bool) -> Chart:
    """The smooth map through the pairs: similarity and thin-plate spline, between the lattices `work` of both films."""
    source, target = points
    onto, straight = scaling(shapes[1], work[1]), similarity(source, target, mirrored)
    affine = chained(onto, chained(straight, scaling(work[0], shapes[0])))
    chart = Chart.straight(affine, work[0])
    if len(source) <= FEWEST:
        return chart
    left = (target - moved(straight, source)) @ onto[:, :2].T
    spline = RBFInterpolator(source, left, kernel="thin_plate_spline", degree=1 if _spread(source) else 0)
    places = moved(scaling(work[0], shapes[0]), grid(work[0]).reshape(-1, 2).astype(np.float64))
    return chart.bent(spline(places).reshape(*work[0], 2))


def left_out_error(source: Floats, target: Floats, mirrored: bool) -> float:
    """Median distance by which a pair misses when the other pairs alone place it, in target pixels.

    Both of shape (n, 2).
    """
    misses = []
    for n in range(len(source)):
        rest = np.arange(len(source)) != n
        affine = similarity(source[rest], target[rest], mirrored)
        misses.append(np.linalg.norm(moved(affine, source[n : n + 1]) - target[n]))
    return float(np.median(misses))


def similarity(source: Floats, target: Floats, mirrored: bool) -> Floats:
    """Turn, shift and scale (and, when told, mirror) of least squares, shape (2, 3)."""
    middle, there = source.mean(axis=0), target.mean(axis=0)
    covariance = (target - there).T @ (source - middle)
    u, size, vt = np.linalg.svd(covariance)
    sign = np.array([1.0, np.linalg.det(u) * np.linalg.det(vt) * (-1 if mirrored else 1)])
    scale = float((size * np.sign(sign)).sum() / ((source - middle) ** 2).sum())
    linear = abs(scale) * u @ np.diag(np.sign(sign)) @ vt
    return np.column_stack([linear, there - linear @ middle])


def _left_over(source: Floats, target: Floats, mirrored: bool) -> float:
    return float(np.linalg.norm(moved(similarity(source, target, mirrored), source) - target))


def _spread(points: Floats) -> bool:
    """Whether the points span a plane, not a line."""
    return bool(np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[1] > 0.02 * np.ptp(points))
