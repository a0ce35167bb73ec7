"""A printed millimetre ruler for a photo."""

from __future__ import annotations

import numpy as np

from calcimeasure.model.arrays import Map
from calcimeasure.phantom.frame import Frame


def lay_ruler(linear: Map, frame: Frame) -> Map:
    """The linear RGB picture with a white 12 mm strip along its lower edge, ticks 1 mm apart.

    Ticks are 0.25 mm wide; every fifth and tenth is longer. Their period is exact: ``1 / frame.mm`` px.
    """
    top = frame.height_mm - 13.0
    strip = np.asarray((frame.y > top) & (frame.y < top + 12.0) & (frame.x > 2.0) & (frame.x < frame.width_mm - 2.0))
    ink = _ticks(frame, top) * strip
    paper = np.where(strip[..., None], np.float32(0.72), linear)
    return np.asarray(paper * (1 - 0.93 * ink[..., None]), np.float32)


def _ticks(frame: Frame, top: float) -> Map:
    """Share of each pixel that is ink."""
    number = np.round(frame.x - 4.0)
    off = np.abs(frame.x - 4.0 - number)
    ink = np.clip((0.125 - off) / frame.mm + 0.5, 0, min(1.0, 0.25 / frame.mm))
    long = np.where(number % 10 == 0, 6.0, np.where(number % 5 == 0, 4.5, 3.0))
    inside = (number >= 0) & (frame.x < frame.width_mm - 4.0)
    return np.asarray(ink * inside * (frame.y - top < long), np.float32)
