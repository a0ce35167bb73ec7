"""Background: the median brightness of a ring around each deposit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from calcimeasure.model.arrays import Array, Bytes, Floats, Mask, Pixels
from calcimeasure.steps.measure.pixel_runs import FilmPart
from calcimeasure.steps.measure.shape import Shapes


class Ring(NamedTuple):
    """The background ring: (rows, columns) from a deposit to its inner and to its outer edge, and its fewest pixels."""

    gap: tuple[int, int]
    outer: tuple[int, int]
    least: int

    @property
    def reach(self) -> tuple[int, int]:
        """How many rows and columns around a deposit matter: what lies in the gap of another deposit is left out."""
        return self.gap[0] + self.outer[0], self.gap[1] + self.outer[1]


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """Where background may be read: `tiers` from the best pixels to the ones admitted last."""

    labels: Array
    pixels: Pixels
    tiers: tuple[Mask, ...]
    ring: Ring
    kernel: Bytes

    def median(self, number: int, box: Sequence[int]) -> float:
        """Median brightness around the deposit that lies in the box; NaN where too little is left."""
        (rows, columns), (row0, column0, row1, column1) = self.ring.outer, box
        around = np.s_[max(row0 - rows, 0) : row1 + rows, max(column0 - columns, 0) : column1 + columns]
        mine = (self.labels[around] == number).view(np.uint8)
        near = cv2.dilate(mine, self.kernel).view(bool)
        for tier in self.tiers:
            values = self.pixels[around][near & tier[around]]
            if values.size >= self.ring.least:
                return _median(values)
        return math.nan


def backgrounds(shapes: Shapes, view: FilmPart, ring: Ring) -> Floats:
    """Median brightness of each deposit's ring, shape (deposits,), in grey values; NaN where there is none."""
    if view.pixels is None:
        return np.full(shapes.number.shape, np.nan)
    ground = _Ground(view.labels, view.pixels, _tiers(view, ring.gap), ring, _neighbourhood(ring.outer))
    boxes = (shapes.bbox - np.tile([view.row, view.column], 2)).tolist()
    return np.array([ground.median(*one) for one in zip(shapes.number.tolist(), boxes, strict=True)])


def _tiers(view: FilmPart, gap: tuple[int, int]) -> tuple[Mask, ...]:
    """Soft tissue clear of every deposit's foot; then bone, too; then all that is no deposit."""
    deposit = (view.labels != 0).view(np.uint8)
    foot = cv2.dilate(deposit, _neighbourhood(gap)).view(bool)
    free, clear = ~deposit.view(bool), ~foot
    if view.readable is not None:
        free &= view.readable
        clear &= view.readable
    return (clear, free) if view.bone is None else (clear > view.bone, clear, free)


def _neighbourhood(reach: tuple[int, int]) -> Bytes:
    """The neighbourhood that reaches so many rows and columns from its centre."""
    return np.ones((2 * reach[0] + 1, 2 * reach[1] + 1), np.uint8)


def _median(values: Pixels) -> float:
    """As `np.median`, without its overhead, which thousands of rings would feel; the values are reordered."""
    half, odd = divmod(values.size, 2)
    values.partition(half if odd else (half - 1, half))
    return float(values[half]) if odd else (float(values[half - 1]) + float(values[half])) / 2
