"""What films from elsewhere show besides the limb: plate dirt, scratches, seams, folds, tape, plaster. Added in place.

Unlike the marks of `distractors`, which stand at the film's ceiling, these are as faint as calcium is. What tells them
apart is where they go on: plate dirt and scratches leave the limb, tape and seams have a straight edge.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from calcimeasure.training.deposits import random_field

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


def add_foreign(film: Array, limb: Mask, mm: float, rng: np.random.Generator) -> Array:
    """Film (0..1) with one or two things from elsewhere on it."""
    for _ in range(int(rng.integers(1, 3))):
        drawer = DRAWERS[int(rng.integers(len(DRAWERS)))]
        film = film + drawer(limb, mm, rng) * np.sqrt(np.clip(1 - film, 0, 1))
    return np.clip(film, 0, 1).astype(np.float32)


def plate_line(limb: Mask, mm: float, rng: np.random.Generator) -> Array:
    """Beads and dashes on a straight upright or level line through the whole film, as dirty rollers leave them."""
    out = np.zeros(limb.shape, np.float32)
    lines = 1 if rng.random() < 0.7 else int(rng.integers(2, 5))
    level, spot = rng.random() < 0.4, _in_limb(limb, rng)
    for k in range(lines):
        offset = k * rng.uniform(0.5, 12) / mm
        _dashed(out.T if level else out, (spot[0] if level else spot[1]) + offset, mm, rng)
    return _soft(out, mm, rng)


def _dashed(out: Array, column: float, mm: float, rng: np.random.Generator) -> None:
    """One upright line of beads and dashes, in place; some stretches of it are bare."""
    ink = np.zeros(out.shape, np.uint8)
    slope, gap = rng.normal(0, 0.008), np.exp(rng.uniform(np.log(0.6), np.log(9))) / mm
    row, bare = -rng.uniform(0, gap), rng.uniform(0, 0.5)
    dash, width = rng.uniform(0.2, 8) / mm, np.exp(rng.uniform(np.log(0.2), np.log(1.6))) / mm
    while row < out.shape[0]:
        long = dash * rng.uniform(0.1, 1) if rng.random() < 0.6 else 0
        if rng.random() > bare:
            x = column + slope * row + rng.normal(0, 0.15) / mm
            thick = max(1, round(width * rng.uniform(0.5, 1.2)))
            strength = int(rng.integers(110, 256))
            cv2.line(ink, _sub(x, row), _sub(x, row + long), strength, thick, cv2.LINE_AA, 4)
        row += long + gap * rng.exponential(1) + 1
    if rng.random() < 0.35:
        ends = _sub(column, 0), _sub(column + slope * out.shape[0], out.shape[0])
        cv2.line(ink, *ends, int(rng.integers(40, 160)), max(1, round(0.3 / mm)), cv2.LINE_AA, 4)
    np.maximum(out, ink.astype(np.float32) / 255 * _faint(rng, 0.04, 0.6), out=out)


def scratches(limb: Mask, mm: float, rng: np.random.Generator) -> Array:
    """Long thin lines, bright or dark, that take no notice of the limb."""
    ink = np.zeros(limb.shape, np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        turn = rng.uniform(0, 6.3) + np.cumsum(rng.normal(0, rng.choice([0.0, 0.03]), 40))
        start = np.array(_anywhere(limb, rng))[::-1] - 20 * np.array([np.cos(turn[0]), np.sin(turn[0])]) / mm
        walk = start + np.cumsum(np.stack([np.cos(turn), np.sin(turn)], 1), 0) * rng.uniform(0.5, 2) / mm
        width = max(1, round(rng.uniform(0.1, 0.4) / mm))
        cv2.polylines(ink, [np.round(walk * 16).astype(np.int32)], False, 255, width, cv2.LINE_AA, 4)
    sign = 1 if rng.random() < 0.7 else -1
    return sign * _soft(ink.astype(np.float32) / 255 * _faint(rng, 0.03, 0.3), mm, rng)


def dust(limb: Mask, mm: float, rng: np.random.Generator) -> Array:
    """Specks strewn over the whole film, beside the limb as well as on it."""
    ink = np.zeros(limb.shape, np.uint8)
    for _ in range(int(rng.integers(4, 50))):
        y, x = _anywhere(limb, rng)
        r = np.exp(rng.uniform(np.log(0.1), np.log(0.6))) / mm
        cv2.ellipse(
            ink, (x, y), (round(r), round(r * rng.uniform(0.3, 1))), rng.uniform(0, 180), 0, 360, _grey(rng), -1
        )
    return _soft(ink.astype(np.float32) / 255 * _faint(rng, 0.05, 0.6), mm, rng)


def skin_specks(limb: Mask, mm: float, rng: np.random.Generator) -> Array:
    """Specks just outside the skin line: ointment, sand, dressings."""
    reach = 2 * round(rng.uniform(0.8, 4) / mm) + 1
    near = cv2.dilate(limb.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    ring = (cv2.dilate(limb.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0) & ~near
    spots, ink = np.argwhere(ring), np.zeros(limb.shape, np.uint8)
    for y, x in spots[rng.integers(0, len(spots), int(rng.integers(2, 25)))].tolist() if len(spots) else []:
        cv2.circle(ink, (x, y), round(rng.uniform(0.15, 0.7) / mm), _grey(rng), -1, cv2.LINE_AA)
    return _soft(ink.astype(np.float32) / 255 * _faint(rng, 0.05, 0.5), mm, rng)


def seam(limb: Mask, mm: float, rng: np.random.Generator) -> Array:
    """A table's or cushion's straight or wide round edge: a step of grey, often with a line along it."""
    y, x = _anywhere(limb, rng)
    turn, far = rng.uniform(0, 6.3), (0 if rng.random() < 0.6 else rng.uniform(40, 150) / mm)
    rows, columns = np.mgrid[: limb.shape[0], : limb.shape[1]].astype(np.float32)
    along = (columns - x) * np.cos(turn) + (rows - y) * np.sin(turn)
    across = (rows - y) * np.cos(turn) - (columns - x) * np.sin(turn)
    d = along if not far else np.hypot(along + far, across) - far
    soft = rng.uniform(0.1, 2) / mm
    step = 1 / (1 + np.exp(-np.clip(d / soft, -30, 30)))
    line = np.exp(-((d / (rng.uniform(0.15, 1) / mm)) ** 2)) * rng.choice([0, 1, -0.5])
    return np.asarray(step * rng.uniform(-0.1, 0.12) + line * _faint(rng, 0.02, 0.15), np.float32)


def folds(limb: Mask, mm: float, rng: np.random.Generator) -> Array:
    """Soft bright ridges, as creased cloth throws them."""
    side = max(limb.shape)
    field = random_field(side, rng.uniform(8, 35) / mm, rng)
    ridge = np.exp(-((field / rng.uniform(0.05, 0.3)) ** 2)) * np.clip(random_field(side, 20 / mm, rng), 0, 1)
    return np.asarray(ridge[: limb.shape[0], : limb.shape[1]] * _faint(rng, 0.02, 0.15), np.float32)


def snap(limb: Mask, mm: float, rng: np.random.Generator) -> Array:
    """Buttons and snaps of cloth, seen through the limb or beside it: discs with a rim, holes or a second disc."""
    ink = np.zeros(limb.shape, np.uint8)
    y, x = _anywhere(limb, rng)
    r = rng.uniform(2.5, 8) / mm
    for k in range(int(rng.integers(1, 4))):
        at = x, round(y + k * rng.uniform(15, 40) / mm)
        cv2.circle(ink, at, round(r), int(rng.integers(60, 200)), -1, cv2.LINE_AA)
        cv2.circle(ink, at, round(r * rng.uniform(0.7, 0.95)), 255, max(1, round(0.12 * r)), cv2.LINE_AA)
        for turn in np.arange(int(rng.choice([0, 2, 4]))) * np.pi * 2 / 4:
            hole = round(at[0] + 0.3 * r * np.cos(turn)), round(at[1] + 0.3 * r * np.sin(turn))
            cv2.circle(ink, hole, max(1, round(0.14 * r)), 0, -1, cv2.LINE_AA)
    return _soft(ink.astype(np.float32) / 255 * _faint(rng, 0.06, 0.6), mm, rng)


def tape(limb: Mask, mm: float, rng: np.random.Generator) -> Array:
    """A strip or patch with straight edges, hardly brighter than what lies under it."""
    y, x = _anywhere(limb, rng)
    box = (x, y), (rng.uniform(10, 80) / mm, rng.uniform(6, 30) / mm), rng.uniform(0, 180)
    ink = np.zeros(limb.shape, np.uint8)
    corners = np.round(cv2.boxPoints(box) * 16).astype(np.int32)
    cv2.fillPoly(ink, [corners], 160, cv2.LINE_AA, 4)
    if rng.random() < 0.5:
        cv2.polylines(ink, [corners], True, 255, max(1, round(0.3 / mm)), cv2.LINE_AA, 4)
    return _soft(ink.astype(np.float32) / 255 * _faint(rng, 0.02, 0.15), mm, rng)


def plaster(limb: Mask, mm: float, rng: np.random.Generator) -> Array:
    """A cast: a rough layer over the limb and beyond it, thickest at its rim."""
    reach = 2 * round(rng.uniform(2, 9) / mm) + 1
    wide = cv2.dilate(limb.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    depth = cv2.distanceTransform(wide, cv2.DIST_L2, 3) * mm
    layer = np.minimum(depth, 1) * (0.5 + 0.5 * np.exp(-depth / rng.uniform(2, 6)))
    side = max(limb.shape)
    rough = sum(rng.uniform(0, 0.2) * random_field(side, s / mm, rng) for s in (0.8, 2.5, 8))
    weave = np.asarray(rough, np.float32)[: limb.shape[0], : limb.shape[1]]
    return np.asarray(layer * (1 + weave) * rng.uniform(0.05, 0.3), np.float32)


def _soft(out: Array, mm: float, rng: np.random.Generator) -> Array:
    return np.asarray(cv2.GaussianBlur(out, (0, 0), max(0.3, rng.uniform(0.02, 0.3) / mm)), np.float32)


def _faint(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _grey(rng: np.random.Generator) -> int:
    return int(rng.integers(80, 256))


def _anywhere(limb: Mask, rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(limb.shape[0])), int(rng.integers(limb.shape[1]))


def _in_limb(limb: Mask, rng: np.random.Generator) -> tuple[int, int]:
    """A place on the limb, where there is one."""
    spots = np.flatnonzero(limb)
    return divmod(int(spots[rng.integers(len(spots))]), limb.shape[1]) if len(spots) else _anywhere(limb, rng)


def _sub(x: float, y: float) -> tuple[int, int]:
    """A place in sixteenths of a pixel, as OpenCV's shift of 4 wants it."""
    return round(float(x) * 16), round(float(y) * 16)


DRAWERS: tuple[Callable[[Mask, float, np.random.Generator], Array], ...] = (
    plate_line,
    plate_line,
    plate_line,
    scratches,
    dust,
    skin_specks,
    seam,
    folds,
    snap,
    tape,
    plaster,
)
