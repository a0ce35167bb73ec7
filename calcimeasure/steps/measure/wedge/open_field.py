"""The open field of a film: where the beam reached the detector bare, beside the limb and the wedge.

A watershed parts it from what lies in it. Strong scatter off a thin limb puts a halo there that is as dense as the
limb, so the result is checked: its border must be steep all along, its inside nowhere.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from skimage.filters import threshold_multiotsu
from skimage.segmentation import watershed

from calcimeasure.model.image import Image, Mask

Brightness = npt.NDArray[np.float32]

_WEDGE_REACHES = (5, 12)  # px beyond the wedge: its blurred edge ends, what is taken for the open field around it ends
_EDGE_PX = 9  # width of the square that keeps the open field clear of edges
_RELIEF_SHARE = 1 / 64  # of the longer side: less than half of the narrowest kernel, so that a halo has no relief
_RELIEFS = (0.04, 0.02)  # of the film's span: above a halo's; then for a limb that is faint beside a thick wedge
_SHARP = 2.5  # border's slope over the field's steepest: through a halo below 1, a limb in it below 1.6, else above 3.7


def open_field(image: Image, region: tuple[int, int, int, int], thinnest: float, shape: tuple[int, int]) -> Mask:
    """Pixels of the film at `shape` that show nothing but open field: what lies in it, the wedge, and edges left out.

    `region` is the wedge's box on the film (row0, column0, row1, column1), `thinnest` the brightness of its first step.
    """
    value = cv2.GaussianBlur(image.pixels.astype(np.float32), (0, 0), 1.5)
    value = cv2.resize(value, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) if max(value.shape) > 800 else value
    box = tuple(round(n * value.shape[0] / image.shape[0]) for n in region)
    wedge, about = (_widened(box, reach, value.shape) for reach in _WEDGE_REACHES)
    # The wedge lies in the open field, whatever heel and halo make of its brightness there; a limb may come near it.
    bare = _parted(value, about & ~wedge & (value < thinnest), about)
    bare_field = (_shrunk(bare, _EDGE_PX) & ~wedge).view(np.uint8)
    if image.valid is not None:
        bare_field &= cv2.resize(image.valid.view(np.uint8), value.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.resize(bare_field.astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA) > 0.99)


def _widened(region: tuple[int, ...], reach: int, shape: tuple[int, ...]) -> Mask:
    """The box with so many pixels around it."""
    row0, column0, row1, column1 = region
    out = np.zeros(shape, bool)
    out[max(row0 - reach, 0) : row1 + reach, max(column0 - reach, 0) : column1 + reach] = True
    return out


def _shrunk(mask: Mask, width: int) -> Mask:
    """The mask without what lies nearer to its edge than half of that; the film's border is no edge."""
    small = cv2.erode(mask.view(np.uint8), np.ones((width, width), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(small, np.uint8).view(bool)


def _parted(value: Brightness, beside: Mask, about: Mask) -> Mask:
    """Where the beam is bare, by a watershed between it and what lies in it; `beside` the wedge it is.

    Strong scatter off a thin limb darkens the field beside it so much that the field further off looks like a thing.
    The border then runs through the open, where nothing is steep: things are sought by their relief instead.
    """
    slope = np.hypot(cv2.Sobel(value, cv2.CV_32F, 1, 0), cv2.Sobel(value, cv2.CV_32F, 0, 1))
    bare = float(np.percentile(value, 3))
    span = float(np.percentile(value, 99)) - bare
    if span <= 0:
        return np.zeros(value.shape, bool)
    first = _flooded(value, slope, (bare, span), _bright(value, bare, span), beside)
    if _is_edged(first, slope, about):
        return first
    others = (_flooded(value, slope, (bare, span), _raised(value, bare, span, relief), beside) for relief in _RELIEFS)
    return next((other for other in others if _is_edged(other, slope, about)), first)


def _flooded(value: Brightness, slope: Brightness, ends: tuple[float, float], things: Mask, beside: Mask) -> Mask:
    """The watershed's side of what is bare for sure, or lies beside the wedge and is no thing."""
    bare, span = ends
    markers = np.select([value < bare + 0.03 * span, things, beside], [1, 2, 1], 0)
    return np.asarray(watershed(slope, markers) == 1)


def _bright(value: Brightness, bare: float, span: float) -> Mask:
    """What surely is no open field; a limb may be fainter than a wedge, so the lowest of three classes decides."""
    small = value[:: max(1, value.shape[0] // 200), :: max(1, value.shape[1] // 200)]
    return np.asarray(value > min(bare + 0.35 * span, float(threshold_multiotsu(small, 3, nbins=128)[0])))


def _raised(value: Brightness, bare: float, span: float, relief: float) -> Mask:
    """What surely is no open field, however deep the halo: the upper side of every edge, and all that is very dense."""
    around = cv2.GaussianBlur(value, (0, 0), _RELIEF_SHARE * max(value.shape), borderType=cv2.BORDER_REPLICATE)
    return np.asarray((value - around > relief * span) | (value > bare + 0.5 * span))


def _is_edged(bare: Mask, slope: Brightness, about: Mask) -> bool:
    """Whether the open field is steep all along its border and nowhere else; the wedge's own edge proves nothing."""
    border, inner = slope[bare & ~_shrunk(bare, 3) & ~about], slope[_shrunk(bare & ~about, _EDGE_PX)]
    if not border.size or not inner.size:
        return False
    return bool(np.percentile(border, 10) > _SHARP * np.percentile(inner, 99))
