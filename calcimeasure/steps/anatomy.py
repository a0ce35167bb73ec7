"""Where on a radiograph a deposit can lie: the exposed field, the limb, bone, and what people put on films.

Everything here is found once, on a reduced copy at a working scale of about 0.25 mm per pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from skimage.filters import threshold_multiotsu

from calcimeasure.model.image import Image, Mask

Grey = npt.NDArray[np.float32]
_Value = TypeVar("_Value", bound=np.generic)

WORKING_MM = 0.25
WORKING_PIXELS = 900_000
#: Long side of a film of unknown scale, in mm: only to choose a working scale, never a measure.
NOMINAL_MM = 220.0
#: A given scale under which the long side is shorter or longer than this is not believed when choosing a working scale.
LONG_SIDE_MM = (10.0, 2000.0)
#: A limb meets the film's border where it is cut off. A body on more of the border than this share is a trunk, a
#: shoulder or a hip, unless the whole film is known to be shorter than `CLOSE_UP_MM`. A narrow field hides some
#: (`tests/steps/test_segment_limb.py` counts them on real films).
TRUNK_BORDER, CLOSE_UP_MM = 0.45, 150.0
TRUNK = (
    "the body fills the film as a trunk, shoulder or hip does: there, automatic outlines miss more deposits and show"
    " more that are none than on limbs; look at each"
)
#: A strip of lead, a splint or a cassette's edge is narrower than any limb that is so long, and straight: most of what
#: is so narrow (`STRIP_SHARE`) lies in straight lines of that length. Looked for at `STRIP_STEP_MM` a pixel.
STRIP_WIDTH_MM, STRIP_LENGTH_MM, STRIP_SHARE, STRIP_STEP_MM, STRIP_TURNS = 20.0, 130.0, 0.5, 1.0, range(0, 180, 3)
#: A film on which strips would be more than this share of the body shows a thin limb.
STRIPS_AT_MOST = 0.5
#: How far from air to the lower threshold a limb begins, and what may be one.
CLEAR, DIM = 0.67, 0.3
#: Share of the darkest and of the brightest pixels that normalising leaves out.
TAILS = (0.005, 0.005)


@dataclass(frozen=True, eq=False)
class Survey:
    """A film at working scale and what was found on it.

    Parameters
    ----------
    grey : float32 array, shape (rows, columns)
        Film with its darkest and brightest half per cent moved to 0 and 1.
    valid, limb : bool array, shape (rows, columns)
        Where there is a picture, and a body.
    mm : float
        Working millimetres per working pixel; an assumption when `assumed_scale`.
    full : float32 array
        The film at its own size, on the same grey scale.
    assumed_scale : bool
        The spacing is unknown or beyond belief, and the long side was taken as `NOMINAL_MM`.
    """

    grey: Grey
    valid: Mask
    limb: Mask
    mm: float
    full: Grey
    assumed_scale: bool

    @cached_property
    def bone(self) -> Mask:
        """Where there is bone; looked for when it is first asked for."""
        return bone_of(self.grey, self.limb, self.mm)

    @cached_property
    def tissue(self) -> Mask:
        """Whatever is a little brighter than air and no strip, far pieces and dim toes too: more than the limb."""
        smooth = cv2.GaussianBlur(self.grey, (0, 0), max(0.5, 0.8 / self.mm))
        body = ((smooth > air_level(smooth[self.valid], DIM)) & self.valid).astype(np.uint8)
        body = cv2.morphologyEx(body, cv2.MORPH_OPEN, disc(4.0 / self.mm))
        return _without_strips(body, self.mm).astype(bool) | self.limb

    @property
    def trunk(self) -> bool:
        """Whether the body fills the film as no limb does."""
        close_up = not self.assumed_scale and self.mm * max(self.grey.shape) < CLOSE_UP_MM
        return not close_up and _border_share(self.limb) > TRUNK_BORDER

    @property
    def native_mm(self) -> float:
        """Millimetres per pixel of the film itself, as far as known or assumed."""
        return float(self.mm * max(self.grey.shape) / max(self.full.shape))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of anything found on this film ought to know."""
        sought = f"scale unknown or beyond belief: deposits were sought as if the long side were {NOMINAL_MM:.0f} mm"
        told = {sought: self.assumed_scale, "no limb was found on the film": not self.limb.any(), TRUNK: self.trunk}
        return tuple(warning for warning, holds in told.items() if holds)

    def enlarged(self, mask: Mask) -> Mask:
        """A mask of working scale at the film's own size."""
        return resized(mask.astype(np.uint8), self.full.shape, cv2.INTER_NEAREST).astype(bool)


def survey(image: Image) -> Survey | None:
    """The film at working scale with its limb and bone; `None` when it shows nothing (constant, empty, all invalid)."""
    full = normalised(image)
    if full is None:
        return None
    mm, assumed = scale_of(image)
    shape = _working_shape(image.shape, mm)
    grey = resized(full, shape, cv2.INTER_AREA)
    valid = _valid(image)
    small_valid = resized(valid.astype(np.uint8), shape, cv2.INTER_NEAREST).astype(bool)
    work_mm = mm * max(image.shape) / max(shape)
    limb = limb_of(grey, small_valid, work_mm)
    return Survey(grey, small_valid, limb, work_mm, full, assumed)


def normalised(image: Image) -> Grey | None:
    """Film with its darkest and brightest half per cent moved to 0 and 1, invalid pixels 0; `None` for a constant one.

    The two ends are values of the film itself and the division is done in double precision, so that a
    gain or an offset that the dtype can hold changes no bit of the result.
    """
    valid = _valid(image)
    values = image.pixels[valid]
    if not values.size:
        return None
    ranks = [int(TAILS[0] * (values.size - 1)), int((1 - TAILS[1]) * (values.size - 1))]
    low, high = (float(v) for v in np.partition(values, ranks)[ranks])
    if not high > low:
        low, high = float(values.min()), float(values.max())
    if not high > low:
        return None
    scaled = (image.pixels.astype(np.float64) - low) / (high - low)
    return np.where(valid, np.clip(scaled, 0, 1), 0).astype(np.float32)


def limb_of(grey: Grey, valid: Mask, mm: float) -> Mask:
    """Bodies brighter than air: thin things opened away, no strips, holes filled, small pieces left out."""
    smooth = cv2.GaussianBlur(grey, (0, 0), max(0.5, 0.8 / mm))
    body = ((smooth > air_level(smooth[valid])) & valid).astype(np.uint8)
    body = cv2.morphologyEx(body, cv2.MORPH_OPEN, disc(4.0 / mm))
    body = _without_strips(body, mm)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(body, connectivity=8)
    if count < 2:
        return np.zeros(grey.shape, bool)
    areas = stats[1:, cv2.CC_STAT_AREA]
    large = np.concatenate([[False], areas >= max(0.2 * areas.max(), 0.01 * grey.size)])
    largest = 1 + int(areas.argmax())
    large[[n for n in np.flatnonzero(large) if n != largest and _is_strip(parts == n, mm)]] = False
    return filled(large[parts])


def strips_of(body: npt.NDArray[np.uint8], step: float) -> npt.NDArray[np.uint8]:
    """Long straight strips that are too narrow to be a limb, at `step` mm per pixel."""
    thin = body - cv2.morphologyEx(body, cv2.MORPH_OPEN, disc(STRIP_WIDTH_MM / step))
    lines = np.zeros_like(thin)
    for turn in STRIP_TURNS:
        line = _line(STRIP_LENGTH_MM / step, np.radians(turn))
        lines |= cv2.morphologyEx(thin, cv2.MORPH_OPEN, line, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    count, parts = cv2.connectedComponents(thin, connectivity=8)
    straight = np.bincount(parts.ravel(), lines.ravel(), count) >= STRIP_SHARE * np.bincount(parts.ravel())
    return np.asarray(lines & straight[parts], np.uint8)


def _is_strip(part: Mask, mm: float) -> bool:
    """Whether a piece apart from the limb is as long and narrow as a strip, though not quite straight."""
    sides = cv2.minAreaRect(np.argwhere(part).astype(np.float32))[1]
    length = max(sides) * mm
    return bool(length >= STRIP_LENGTH_MM and np.count_nonzero(part) * mm**2 <= STRIP_WIDTH_MM * length)


def _without_strips(body: npt.NDArray[np.uint8], mm: float) -> npt.NDArray[np.uint8]:
    """The body without strips, and without their rims of 1 mm; as it is where it would hardly be left."""
    step = max(mm, STRIP_STEP_MM)
    small = resized(body, scaled(body.shape, mm / step), cv2.INTER_AREA)
    strips = strips_of(small, step)
    if not strips.any() or strips.sum() > STRIPS_AT_MOST * small.sum():
        return body
    wide = resized(cv2.dilate(strips, disc(3.0)), body.shape, cv2.INTER_NEAREST)
    return np.asarray(cv2.morphologyEx(body & ~wide & 1, cv2.MORPH_OPEN, disc(4.0 / mm)), np.uint8)


def _line(length: float, turn: float) -> npt.NDArray[np.uint8]:
    """A straight structuring element, the same seen from both ends."""
    half = length / 2
    reach = int(np.ceil(half))
    across, up = round(float(np.cos(turn)) * half), round(float(np.sin(turn)) * half)
    element = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    cv2.line(element, (reach, reach), (reach + across, reach + up), 1)
    return np.ascontiguousarray(element | element[::-1, ::-1])


def air_level(values: Grey, share: float = CLEAR) -> float:
    """Grey that parts air from tissue: a `share` of the way from air to the lower threshold of three-class Otsu."""
    counts = np.histogram(values, 64, (0, 1))[0]
    if np.count_nonzero(counts) < 3:
        return float(values.mean())
    low = threshold_multiotsu(hist=(counts, (np.arange(64) + 0.5) / 64), classes=3)[0]
    dark = values[values < low]
    air = float(np.median(dark)) if dark.size else 0.0
    return air + share * (float(low) - air)


def bone_of(grey: Grey, limb: Mask, mm: float) -> Mask:
    """Large bright structures of the limb: brighter than the limb around (over 15 mm), wider than 2 mm, over 40 mm2."""
    if not limb.any():
        return limb
    smooth = cv2.GaussianBlur(grey, (0, 0), max(0.5, 0.5 / mm))
    weight = limb.astype(np.float32)
    reach = max(1.0, 15.0 / mm)
    around = cv2.GaussianBlur(grey * weight, (0, 0), reach) / np.maximum(cv2.GaussianBlur(weight, (0, 0), reach), 1e-3)
    upper = float(np.quantile(grey[limb], 0.75))
    bright = (limb & ((smooth > around + 0.02) | (smooth > upper))).astype(np.uint8)
    bright = cv2.morphologyEx(cv2.morphologyEx(bright, cv2.MORPH_OPEN, disc(2.0 / mm)), cv2.MORPH_CLOSE, disc(3.0 / mm))
    return large_parts(bright, 40.0 / mm**2)


def large_parts(mask: npt.NDArray[np.uint8], least: float) -> Mask:
    """The 8-connected parts of at least so many pixels."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= least
    keep[0] = False
    return np.asarray(keep[parts])


def filled(mask: Mask) -> Mask:
    """The mask without holes; what touches the film border is no hole."""
    outside = np.pad((~mask).astype(np.uint8), 1, constant_values=1)
    _, parts = cv2.connectedComponents(outside, connectivity=4)
    return np.asarray(parts[1:-1, 1:-1] != parts[0, 0])


def disc(diameter: float) -> npt.NDArray[np.uint8]:
    """A round structuring element of odd width, symmetric under flips and quarter turns."""
    radius = max(0, round((diameter - 1) / 2))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(x * x + y * y <= (radius + 0.35) ** 2, np.uint8)


def resized(array: npt.NDArray[_Value], shape: tuple[int, ...], how: int) -> npt.NDArray[_Value]:
    """The array at another size."""
    return array if array.shape == shape else cv2.resize(array, (shape[1], shape[0]), interpolation=how)


def scaled(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    """Rows and columns times a factor, at least one each."""
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def _valid(image: Image) -> Mask:
    valid = np.ones(image.shape, bool) if image.valid is None else image.valid
    return valid & np.isfinite(image.pixels) if image.pixels.dtype.kind == "f" else valid


def _border_share(mask: Mask) -> float:
    """How much of the picture's border a mask covers, 0-1."""
    return float(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean())


def scale_of(image: Image) -> tuple[float, bool]:
    """Millimetres per pixel to work with, and whether they are an assumption (unknown, or no film has that size)."""
    long_side = max(image.shape)
    if image.spacing and LONG_SIDE_MM[0] <= image.spacing.mean_mm * long_side <= LONG_SIDE_MM[1]:
        return image.spacing.mean_mm, False
    return NOMINAL_MM / long_side, True


def _working_shape(shape: tuple[int, int], mm: float) -> tuple[int, int]:
    """Reduced so that a pixel is about `WORKING_MM`, never enlarged, never over `WORKING_PIXELS` nor under 48 px."""
    factor = min(1.0, mm / WORKING_MM, (WORKING_PIXELS / (shape[0] * shape[1])) ** 0.5)
    factor = min(1.0, max(factor, 48 / max(shape)))
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))
