"""Tick marks in a photo: short straight bars, darker or lighter than what they are printed on, at any angle.

The plan: a bar is a ridge of brightness. The second derivatives of the blurred picture give at every pixel how
strong the ridge is and which way it runs; steering them costs nothing, so every angle is looked at. Ridge pixels
of about one direction that touch are one tick. A line that crosses the ticks (the edge of the ruler) runs another
way and so never joins them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.model.arrays import Floats, Map

_SIGMA = 1.1  # px: suits bars 1.5-6 px wide; wider ones are found on the halved picture
_RIDGE = 1.6  # grey levels (sigma^2 normalised): below it a ridge is sensor noise
_DIRECTIONS = 8  # classes of direction, each 45 degrees wide and 22.5 from the next, so that none is cut in two
_MOST = 2000  # ticks kept in one class: the strongest
_SHORTEST = 4.0  # px


@dataclass(frozen=True, slots=True, eq=False)
class Ticks:
    """Bars that run about the same way, one in each row of the arrays; coordinates are (x, y) in px.

    Parameters
    ----------
    centre : float array, shape (n, 2)
    along : float array, shape (n, 2)
        Unit vector along the bar; all point to the same side.
    length, strength : float array, shape (n,)
        Length in px, and mean ridge response in grey levels.
    """

    centre: Floats
    along: Floats
    length: Floats
    strength: Floats

    def __len__(self) -> int:
        return len(self.length)

    def end(self, side: float) -> Floats:
        """The points at one end (-1), the middle (0) or the other end (1) of the bars, shape (n, 2)."""
        return self.centre + side * self.along * self.length[:, None] / 2


def find_ticks(grey: Map, *, dark: bool) -> list[Ticks]:
    """All bars of a grey picture, in classes of like direction; neighbouring classes share bars.

    Parameters
    ----------
    grey : float32 array, shape (rows, columns)
        Brightness, 0-255.
    dark : bool
        Whether bars are darker than their surroundings.
    """
    strength, angle = _ridges(grey if dark else -grey)
    return [_class_of(strength, angle, np.pi * k / _DIRECTIONS) for k in range(_DIRECTIONS)]


def _ridges(grey: Map) -> tuple[Map, Map]:
    """How strong a valley runs through each pixel, and along which angle (radians, 0-pi, from the x axis)."""
    smooth = cv2.GaussianBlur(grey, (0, 0), _SIGMA)
    xx, yy, xy = (cv2.Sobel(smooth, cv2.CV_32F, dx, dy, ksize=3) for dx, dy in ((2, 0), (0, 2), (1, 1)))
    # Sobel's weights sum to 4 for second derivatives; sigma^2 makes scales comparable.
    xx, yy, xy = (_SIGMA**2 / 4 * derivative for derivative in (xx, yy, xy))
    strength = (xx + yy) / 2 + np.hypot((xx - yy) / 2, xy)
    across = np.arctan2(2 * xy, xx - yy) / 2
    return strength.astype(np.float32), np.mod(across + np.pi / 2, np.pi).astype(np.float32)


def _class_of(strength: Map, angle: Map, direction: float) -> Ticks:
    """The bars within 22.5 degrees of a direction."""
    off = np.abs(np.mod(angle - direction + np.pi / 2, np.pi) - np.pi / 2)
    mask = (strength > _RIDGE) & (off < np.pi / _DIRECTIONS)
    count, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    y, x = np.nonzero(mask)
    spots = _Spots(labels[y, x], strength[y, x], count)
    return _strongest(_bars(spots, x.astype(float), y.astype(float), direction))


@dataclass(frozen=True, slots=True, eq=False)
class _Spots:
    """Which component each ridge pixel belongs to (0 is none), and how much it weighs."""

    label: npt.NDArray[np.int32]
    weight: Map
    count: int

    def total(self, values: npt.NDArray[Any]) -> Floats:
        return np.asarray(np.bincount(self.label, values, self.count)[1:], np.float64)

    def mean(self, values: Floats) -> Floats:
        return np.asarray(self.total(self.weight * values) / self.total(self.weight))


def _bars(spots: _Spots, x: Floats, y: Floats, direction: float) -> Ticks:
    """Centre, direction, length and strength of every elongated component, from its weighted moments."""
    cx, cy = spots.mean(x), spots.mean(y)
    xx, yy, xy = spots.mean(x * x) - cx**2, spots.mean(y * y) - cy**2, spots.mean(x * y) - cx * cy
    theta = np.arctan2(2 * xy, xx - yy) / 2
    theta = direction + np.mod(theta - direction + np.pi / 2, np.pi) - np.pi / 2
    long = (xx + yy) / 2 + np.hypot((xx - yy) / 2, xy)
    wide = np.maximum(xx + yy - long, 0.05)
    along = np.column_stack([np.cos(theta), np.sin(theta)])
    strength = spots.total(spots.weight) / spots.total(np.ones_like(x))
    # A bar of length L has the variance L^2 / 12.
    bars = Ticks(np.column_stack([cx, cy]), along, np.sqrt(12 * np.maximum(long, 0)), strength)
    slim = (long > 1.8 * wide) & (np.abs(theta - direction) < np.pi / _DIRECTIONS)
    return _subset(bars, slim & (bars.length >= _SHORTEST))


def _strongest(ticks: Ticks) -> Ticks:
    if len(ticks) <= _MOST:
        return ticks
    return _subset(ticks, np.sort(np.argsort(-ticks.strength, kind="stable")[:_MOST]))


def _subset(ticks: Ticks, keep: npt.NDArray[np.generic]) -> Ticks:
    return Ticks(ticks.centre[keep], ticks.along[keep], ticks.length[keep], ticks.strength[keep])
