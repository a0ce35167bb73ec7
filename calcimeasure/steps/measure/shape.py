"""The shape of each deposit, from its runs: extent, perimeter and Feret diameter, on the film or in a plane."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from calcimeasure.model.arrays import Array, Floats
from calcimeasure.model.image import Spacing
from calcimeasure.model.plane import ObjectPlane
from calcimeasure.steps.measure.pixel_runs import PixelRuns, per_run

_PAIRS = 1 << 18  # pairs of pixel rows tried together for the Feret diameter
_TALL = 64  # pixel rows above which the Feret diameter looks at the rows on the convex hull only


@dataclass(frozen=True, slots=True, eq=False)
class Shapes:
    """Per deposit, in label order; positions are those of the whole image.

    `runs` are its runs, deposit by deposit, and `first` is where each deposit's begin.
    """

    runs: PixelRuns
    first: Array
    number: Array
    area: Array
    centroid: Floats
    bbox: Array

    def sums(self, column: Array) -> Array:
        """A column of the runs, added up per deposit.

        Shape (deposits,).
        """
        return per_run(column, self.first, column.dtype.type)


def shapes_of(runs: PixelRuns) -> Shapes:
    """The runs gathered by deposit, in label order."""
    order = np.argsort(runs.label, kind="stable")
    runs = PixelRuns(*(column[order] for column in runs))
    first = np.flatnonzero(np.diff(runs.label, prepend=0))
    length = runs.stop - runs.start
    area = per_run(length, first)
    rows, columns = per_run(runs.row * length, first), per_run((runs.start + runs.stop - 1) * length, first)
    centroid = np.stack([rows / area, columns / (2 * area)], axis=1)
    return Shapes(runs, first, runs.label[first], area, centroid, _boxes(runs, first))


def _boxes(runs: PixelRuns, first: Array) -> Array:
    """Row and column of the first pixel and one past the last, per deposit."""
    last = np.append(first[1:], len(runs.row)) - 1
    left, right = np.minimum.reduceat(runs.start, first), np.maximum.reduceat(runs.stop, first)
    return np.stack([runs.row[first], left, runs.row[last] + 1, right], axis=1)


def perimeters(shapes: Shapes, row: float, column: float) -> Floats:
    """Crofton perimeter of each deposit, shape (deposits,), in the unit in which pixels are `row` high, `column` wide.

    Half the integral, over all directions, of the crossings of parallel lines: each of the four
    directions stands for the angles nearer to it than to the next, and its lines lie as far apart as the
    pixel centres let them. Legland, Kieu & Devaux, Image Anal Stereol 2007;26:83.
    """
    slope = math.atan2(row, column)
    runs = shapes.runs
    along = np.diff(shapes.first, append=len(runs.row)) * (slope * row)
    down = shapes.sums(runs.under) * ((math.pi / 2 - slope) * column)
    across = shapes.sums(runs.under_left + runs.under_right) * (math.pi / 4 * row * column / math.hypot(row, column))
    return np.asarray(along + down + across, float)


# --- Feret diameter -------------------------------------------------------------------------------------
#
# The farthest two corners lie at the left end of one pixel row of the deposit and at the right end of
# another, or the same: from rows i and j they are |i - j| + 1 rows and right[j] - left[i] columns apart.
# All pairs are tried, many deposits at once, those with about as many rows together.


class _RowEnds(NamedTuple):
    """Per pixel row of a deposit: the row, its first column and the one after its last."""

    row: Floats
    left: Floats
    right: Floats


def ferets(shapes: Shapes, spacing: Spacing) -> Floats:
    """Largest distance between two pixel corners of each deposit, shape (deposits,), in mm."""
    ends, first = _row_ends(shapes)
    feret = np.empty(len(first))
    for deposits, index in _batches(ends, first):
        feret[deposits] = _farthest(_RowEnds(*(column[index] for column in ends)), spacing)
    return feret


def _row_ends(shapes: Shapes) -> tuple[_RowEnds, Array]:
    """The ends of every deposit's pixel rows, and where each deposit's begin."""
    runs = shapes.runs
    fresh = np.ones(len(runs.row), bool)
    fresh[1:] = (runs.row[1:] != runs.row[:-1]) | (runs.label[1:] != runs.label[:-1])
    begin = np.flatnonzero(fresh)
    last = np.append(begin[1:], len(fresh)) - 1
    ends = (runs.row[begin], runs.start[begin], runs.stop[last])
    return _RowEnds(*(column.astype(float) for column in ends)), np.searchsorted(begin, shapes.first)


def _batches(ends: _RowEnds, first: Array) -> Iterator[tuple[Array, Array]]:
    """Deposits, and which rows of `ends` to try for each; the last row is repeated to fill up."""
    rows = np.diff(first, append=len(ends.row))
    for most in (4, 8, 16, 32, _TALL):
        chosen = np.flatnonzero((rows <= most) & ((rows > most // 2) | (most == 4)))
        for some in np.array_split(chosen, math.ceil(len(chosen) * most**2 / _PAIRS) or 1):
            yield some, first[some, None] + np.minimum(np.arange(most), rows[some, None] - 1)
    for tall in np.flatnonzero(rows > _TALL):
        yield np.array([tall]), first[tall] + _hull_rows(ends, slice(first[tall], first[tall] + rows[tall]))[None]


def _hull_rows(ends: _RowEnds, part: slice) -> Array:
    """Which rows of the part touch its convex hull."""
    row, left, right = ends.row[part], ends.left[part], ends.right[part]
    corners = np.stack([row, left, row, right, row + 1, left, row + 1, right], axis=1) - np.tile([row[0], left[0]], 4)
    hull = cv2.convexHull(corners.reshape(-1, 1, 2).astype(np.int32), returnPoints=False)
    return np.unique(hull // 4)


def _farthest(ends: _RowEnds, spacing: Spacing) -> Floats:
    down = (np.abs(ends.row[:, :, None] - ends.row[:, None, :]) + 1) * spacing.row_mm
    across = (ends.right[:, None, :] - ends.left[:, :, None]) * spacing.column_mm
    return np.asarray(np.sqrt((down**2 + across**2).max(axis=(1, 2))))


def ferets_in_plane(shapes: Shapes, plane: ObjectPlane) -> Floats:
    """Largest distance between two pixel corners of each deposit as they lie in the plane, shape (deposits,), in mm.

    A plane seen from one side of its horizon keeps what is convex so: the hull's corners are enough.
    """
    ends, first = _row_ends(shapes)
    parts = zip(first.tolist(), [*first[1:].tolist(), len(ends.row)], strict=True)
    return np.array([_farthest_in_plane(ends, slice(*part), plane) for part in parts])


def _farthest_in_plane(ends: _RowEnds, part: slice, plane: ObjectPlane) -> float:
    row, left, right = (column[part][_hull_rows(ends, part)] for column in ends)
    corner_row, corner_column = np.concatenate([row, row, row + 1, row + 1]), np.concatenate([left, right] * 2)
    corners = plane.points_mm(corner_row - 0.5, corner_column - 0.5)
    return float(np.sqrt(((corners[:, None] - corners[None]) ** 2).sum(axis=-1).max()))


def perimeters_in_plane(shapes: Shapes, plane: ObjectPlane) -> Floats:
    """Crofton perimeter of each deposit, shape (deposits,), in mm: for pixels that are parallelograms.

    They have the shape that a pixel has at the deposit's centroid.
    """
    steps = plane.steps_mm(*shapes.centroid.T)
    right, down = steps[..., 0], steps[..., 1]
    lines = np.stack([right, down, right + down, right - down], axis=1)
    pixel = np.abs(right[:, 0] * down[:, 1] - right[:, 1] * down[:, 0])
    apart = pixel[:, None] / np.linalg.norm(lines, axis=2)
    runs = shapes.runs
    across = np.diff(shapes.first, append=len(runs.row))
    hits = np.stack([across, *map(shapes.sums, (runs.under, runs.under_left, runs.under_right))], axis=1)
    return np.asarray((hits * apart * _share_of_half_turn(lines)).sum(axis=1))


def _share_of_half_turn(lines: Floats) -> Floats:
    """The angles nearer to each direction than to the others of its row, shape (n, 4); they add up to pi."""
    angle = np.arctan2(lines[..., 1], lines[..., 0]) % math.pi
    order = np.argsort(angle, axis=1)
    ranked = np.take_along_axis(angle, order, axis=1)
    after = np.diff(ranked, axis=1, append=ranked[:, :1] + math.pi)
    share = np.empty_like(angle)
    np.put_along_axis(share, order, (after + np.roll(after, 1, axis=1)) / 2, axis=1)
    return share
