"""Patches of known colour in a photo: a ColorChecker, or the grey patches of our marker sheet.

A ColorChecker is found by OpenCV's `mcc`, which headless builds before version 5 lack: there only the sheet is looked
for.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from calcimeasure.model.arrays import Floats
from calcimeasure.model.colour import Card, CardKind
from calcimeasure.model.image import Image, Kind
from calcimeasure.steps.scale.marker import Markers, find_markers
from calcimeasure.steps.scale.sheet import GREY_MM, GREYS, MarkerSheet, marker_sheet, size_from_ids

#: The 24 patches in 8-bit sRGB (D65), row by row from dark skin to black, as their maker publishes them.
COLORCHECKER_SRGB = (
    (115, 82, 68), (194, 150, 130), (98, 122, 157), (87, 108, 67), (133, 128, 177), (103, 189, 170),
    (214, 126, 44), (80, 91, 166), (193, 90, 99), (94, 60, 108), (157, 188, 64), (224, 163, 46),
    (56, 61, 150), (70, 148, 73), (175, 54, 60), (231, 199, 31), (187, 86, 149), (8, 133, 161),
    (243, 243, 242), (200, 200, 200), (160, 160, 160), (122, 122, 121), (85, 85, 85), (52, 52, 52),
)  # fmt: skip

_LOOKED_AT = 0.5  # share of a grey patch's side: clear of its printed edge
_MOST_COST = 0.02  # of a ColorChecker as OpenCV sees it: real ones cost 0.002-0.005
_LONG_SIDE = 1600  # px at which a ColorChecker is sought
_MOST_OFF_PX = 0.02  # of the sheet's markers from one page, as a share of a marker's side


def find_card(image: Image) -> Card | None:
    """The card that lies in a photo; `None` when there is none."""
    if image.kind is not Kind.PHOTO or image.pixels.ndim != 3:
        return None
    return _grey_patches(image) or _colorchecker(image)


def _colorchecker(image: Image) -> Card | None:
    mcc = getattr(cv2, "mcc", None)
    if mcc is None or min(image.shape) < 100:
        return None
    zoom = min(1.0, _LONG_SIDE / max(image.shape))
    seen = cv2.resize(
        np.ascontiguousarray(image.pixels[..., ::-1]), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA
    )
    detector = mcc.CCheckerDetector_create()
    detector.setUseDnnModel(False)
    detector.setColorChartType(mcc.MCC24)
    if not detector.process(seen, 1):
        return None
    best = detector.getBestColorChecker()
    quads = (np.array(best.getColorCharts(), float).reshape(24, 4, 2) + 0.5) / zoom - 0.5
    if best.getCost() > _MOST_COST or not _inside(quads, image):
        return None
    return Card(CardKind.COLORCHECKER, quads, _linear(np.array(COLORCHECKER_SRGB) / 255.0))


def _grey_patches(image: Image) -> Card | None:
    """The sheet's greys, where its markers say that they lie; `None` where they are cut off or out of the picture."""
    markers = find_markers(image, foreign=False)
    side = size_from_ids(markers.ids) if len(markers) else None
    to_px = None if side is None else _page_to_px(markers, marker_sheet(int(side)))
    if to_px is None:
        return None
    quads = cv2.perspectiveTransform(_patches_mm(marker_sheet(int(side or 0))), to_px)
    if not _inside(quads, image):
        return None
    return Card(CardKind.GREYS, quads, np.repeat(np.array(GREYS)[:, None], 3, axis=1))


def _inside(quads: Floats, image: Image) -> bool:
    rows, columns = image.shape
    return bool(quads.min() >= 0 and quads[..., 0].max() <= columns - 1 and quads[..., 1].max() <= rows - 1)


def _page_to_px(markers: Markers, sheet: MarkerSheet) -> Any:
    """Homography from the page's mm to pixels; `None` when the markers do not lie as they were printed."""
    printed = {one.number: one for one in sheet.markers}
    known = [(printed[n], corners) for n, corners in zip(markers.ids, markers.corners, strict=True) if n in printed]
    if not known:
        return None
    page = np.array([[(m.x_mm + dx, m.y_mm + dy) for dx, dy in _corners(m.side_mm)] for m, _ in known]).reshape(-1, 2)
    seen = np.array([corners for _, corners in known]).reshape(-1, 2)
    matrix, _ = cv2.findHomography(page, seen)
    if matrix is None:
        return None
    off = np.linalg.norm(cv2.perspectiveTransform(page[None], matrix)[0] - seen, axis=1)
    long = np.linalg.norm(seen[1] - seen[0])
    return matrix if off.max() <= max(2.0, _MOST_OFF_PX * long) else None


def _corners(side: float) -> tuple[tuple[float, float], ...]:
    """Clockwise from the upper left, as markers are seen."""
    return (0.0, 0.0), (side, 0.0), (side, side), (0.0, side)


def _patches_mm(sheet: MarkerSheet) -> Floats:
    """Corners of the middle of every grey patch on the page, shape (n, 4, 2)."""
    x, y = sheet.patches_mm
    margin = GREY_MM * (1 - _LOOKED_AT) / 2
    inner = np.array(_corners(GREY_MM * _LOOKED_AT)) + margin
    starts = np.array([(x + number * GREY_MM, y) for number in range(len(GREYS))])
    return np.asarray(inner + starts[:, None, :])


def _linear(encoded: Floats) -> Floats:
    """Linear light of sRGB values, both 0-1 (IEC 61966-2-1)."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
