"""Where a radiograph holds no picture: padding and shutters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from calcimeasure.io.images.dicom_header import Header
from calcimeasure.model.arrays import Mask, Pixels
from calcimeasure.model.warning import Code, Remark

# Flat means within this share of the range; a circle inscribed in a square leaves 1 - pi/4 = 0.215 of it.
_FLAT, _LEAST_SURROUND, _MOST_SURROUND = 0.02, 0.05, 0.5


@dataclass(frozen=True, slots=True)
class Shutters:
    """The shutters of a header, in DICOM's counting: pixel (1, 1) is the first; `None` is absent or malformed.

    Parameters
    ----------
    rectangle : tuple of float or None
        Upper, lower, left, right edge; the edges themselves are visible.
    circle : tuple of float or None
        Row and column of the centre, and the radius in columns.
    polygon : tuple of float or None
        Row and column of each vertex, one after the other.
    bitmap : bool array or None
        True where a bitmap shutter covers the picture.
    malformed : bool
        Whether a shutter is named whose geometry cannot be read.
    """

    rectangle: tuple[float, float, float, float] | None = None
    circle: tuple[float, float, float] | None = None
    polygon: tuple[float, ...] | None = None
    bitmap: Mask | None = None
    malformed: bool = False


def valid_area(stored: Pixels, header: Header, shutters: Shutters) -> tuple[Mask | None, tuple[Remark, ...]]:
    """Where there is picture, and what to know about it; `None` means everywhere.

    Parameters
    ----------
    stored : array, shape (rows, columns)
        Values as stored: padding is stated in them, before any rescale (DICOM PS3.3 C.7.5.1.1.2).
    header, shutters : Header, Shutters
        What the file says.
    """
    visible: Mask | None = None
    warnings = [Remark.of(Code.SHUTTER_UNREADABLE)] if shutters.malformed else []
    for name, part in _parts(stored, header, shutters):
        together = part if visible is None else visible & part
        if together.any():
            visible = together
        else:
            warnings.append(Remark.of(Code.LEAVES_NO_PICTURE, part=name))
    return (None if visible is None or visible.all() else visible), tuple(warnings)


def _parts(stored: Pixels, header: Header, shutters: Shutters) -> list[tuple[str, Mask]]:
    shape = (stored.shape[0], stored.shape[1])
    parts = []
    if header.modality in ("XA", "RF") and (field := _round_field(stored)) is not None:
        parts.append(("the round field", field))
    if header.padding is not None:
        parts.append(("the padding", ~_padded(stored, header.padding, header.padding_limit)))
    if shutters.rectangle is not None:
        parts.append(("the rectangular shutter", _rectangle(shape, shutters.rectangle)))
    if shutters.circle is not None:
        parts.append(("the circular shutter", _circle(shape, shutters.circle, header.aspect)))
    if shutters.polygon is not None:
        parts.append(("the polygonal shutter", _polygon(shape, shutters.polygon)))
    if shutters.bitmap is not None and shutters.bitmap.shape == shape:
        parts.append(("the bitmap shutter", ~shutters.bitmap))
    return parts


def _round_field(stored: Pixels) -> Mask | None:
    """The round field of an image intensifier, `None` when there is none.

    The surround is black as stored: after turning over it would be the brightest thing in the picture. It is one
    flat region that holds all four corners and a share of the picture that a circle in a rectangle leaves over.
    """
    dark = (stored <= stored.min() + _FLAT * (float(stored.max()) - float(stored.min()))).astype(np.uint8)
    _, regions = cv2.connectedComponents(dark, connectivity=4)
    corners = [regions[row, column] for row in (0, -1) for column in (0, -1)]
    surround = np.isin(regions, [number for number in corners if number])
    share = float(surround.mean())
    return ~surround if all(corners) and _LEAST_SURROUND < share < _MOST_SURROUND else None


def _padded(stored: Pixels, value: float, limit: float | None) -> Mask:
    low, high = sorted((value, value if limit is None else limit))
    return np.asarray((stored >= low) & (stored <= high), bool)


def _rectangle(shape: tuple[int, int], edges: tuple[float, float, float, float]) -> Mask:
    upper, lower, left, right = edges
    rows, columns = np.arange(1, shape[0] + 1), np.arange(1, shape[1] + 1)
    return np.logical_and.outer((rows >= upper) & (rows <= lower), (columns >= left) & (columns <= right))


def _circle(shape: tuple[int, int], circle: tuple[float, float, float], aspect: tuple[float, float] | None) -> Mask:
    # The radius counts columns; where pixels are not square the circle of the film is an ellipse of pixels.
    row, column, radius = circle
    tall = aspect[0] / aspect[1] if aspect else 1.0
    rows = (np.arange(1, shape[0] + 1) - row) * tall
    half_width = np.sqrt(np.where(np.abs(rows) <= radius, radius**2 - rows**2, np.nan))
    columns = np.abs(np.arange(1, shape[1] + 1) - column)
    return np.asarray(columns[None, :] <= half_width[:, None], bool)  # a row outside is NaN, and nothing is <= NaN


def _polygon(shape: tuple[int, int], vertices: Sequence[float]) -> Mask:
    pairs = np.asarray(vertices, float).reshape(-1, 2)[:, ::-1] - 1
    # Far-away vertices are cut off: OpenCV's fixed-point coordinates would overflow.
    points = np.clip(np.rint(pairs), -(2**15), 2**15).astype(np.int32)
    canvas = np.zeros(shape, np.uint8)
    cv2.fillPoly(canvas, [points], 1)
    return canvas.astype(bool)
