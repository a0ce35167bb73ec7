"""A film made small and even for laying it on another: exposure taken out, deposits painted over.

The plan: one working pixel for both films; the limb as `anatomy` sees it where the caller gives none; grey levels
ranked inside the limb; then the local mean taken out and the local spread made one, so that gain, offset and gamma
of the exposure no longer tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.model.arrays import Grey, Mask
from calcimeasure.model.image import Image
from calcimeasure.steps.anatomy import NOMINAL_MM, limb_of

#: Long side of the larger film at work, in pixels.
WORKING_SIDE = 460
#: Width of the window whose mean and spread are taken out, as sigma in mm.
EVEN_MM = 5.0
#: A flat surround stays within this share of the range of the film; so much of its box a rectangle fills.
FLAT, RECTANGLE = 0.01, 0.96
#: A film whose grey spans less than this share of its values shows nothing: that is rounding.
FLATTEST = 1e-5
#: Long side on which the field is sought, in pixels.
FIELD_SIDE = 300


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A film at work.

    Parameters
    ----------
    detail : float32 array, shape (rows, columns)
        Local contrast: about zero mean and unit spread inside the limb, 0 in air; clipped to +-3.
    limb : bool array
        Where there is tissue.
    valid : bool array
        Where there is a picture.
    weight : float32 array
        1 in the limb where the picture may be trusted, 0 in deposits, off the field and in air.
    mm : float
        Millimetres per working pixel, assumed when the scale is unknown.
    """

    detail: Grey
    limb: Mask
    valid: Mask
    weight: Grey
    mm: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns at work."""
        return int(self.detail.shape[0]), int(self.detail.shape[1])

    @property
    def ignored(self) -> Mask:
        """Deposits."""
        return np.asarray(self.limb & (self.weight == 0))

    @property
    def body(self) -> Grey:
        """The limb as a picture."""
        return self.limb.astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class FilmGiven:
    """A film and what the caller knows of it."""

    image: Image
    limb: Mask | None
    ignore: Mask | None

    @property
    def long_mm(self) -> float | None:
        """Long side in mm, `None` when the scale is unknown."""
        return self.image.spacing.mean_mm * max(self.image.shape) if self.image.spacing else None


def views(baseline: FilmGiven, followup: FilmGiven) -> tuple[View, View] | None:
    """Both films at work with pixels of equal size; `None` when either shows nothing.

    Where only one scale, or none, is known, a pixel of either film is taken for equally long.
    """
    factors, mm = _factors(baseline, followup)
    both = [_view(given, factor, mm) for given, factor in zip((baseline, followup), factors, strict=True)]
    return (both[0], both[1]) if both[0] is not None and both[1] is not None else None


def scale_known(baseline: FilmGiven, followup: FilmGiven) -> bool:
    """Whether the sizes of the films can be compared in mm."""
    return baseline.long_mm is not None and followup.long_mm is not None


def _factors(baseline: FilmGiven, followup: FilmGiven) -> tuple[tuple[float, float], float]:
    """How much either film is reduced, and the mm of a working pixel."""
    sides = max(baseline.image.shape), max(followup.image.shape)
    if baseline.long_mm is None or followup.long_mm is None:
        factor = min(1.0, WORKING_SIDE / max(sides))
        known = baseline.long_mm or followup.long_mm
        return (factor, factor), (known or NOMINAL_MM) / (max(sides) * factor)
    lengths = baseline.long_mm, followup.long_mm
    mm = max(max(lengths) / WORKING_SIDE, lengths[0] / sides[0], lengths[1] / sides[1])
    return (lengths[0] / sides[0] / mm, lengths[1] / sides[1] / mm), mm


def _view(given: FilmGiven, factor: float, mm: float) -> View | None:
    shape = tuple(max(24, round(n * factor)) for n in given.image.shape)
    valid = _reduced(seen(given.image).astype(np.float32), shape) > 0.99
    grey = _even_range(_reduced(_grey(given.image), shape), valid)
    if grey is None:
        return None
    limb = limb_of(grey, valid, mm) if given.limb is None else _reduced(given.limb.astype(np.float32), shape) > 0.5
    limb = limb & valid
    trusted = (limb & ~_ignored(given.ignore, shape)).astype(np.float32)
    if trusted.mean() < 0.005:
        return None
    return View(_even(grey, limb, trusted, mm), limb, valid, trusted, mm)


def _grey(image: Image) -> Grey:
    pixels = np.nan_to_num(image.pixels.astype(np.float32), copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(pixels if pixels.ndim == 2 else pixels.mean(axis=2), np.float32)


def seen(image: Image) -> Mask:
    """Where there is picture: not padded, not behind the blades of a collimator.

    Shape of the image.
    """
    valid = np.ones(image.shape, bool) if image.valid is None else image.valid
    field = _irradiated(image, valid)
    return valid if field is None else valid & field


def _irradiated(image: Image, valid: Mask) -> Mask | None:
    """A field with straight edges in a flat dark surround; `None` when there is none.

    A limb in perfectly black air has no straight edges all round, so that its air stays picture.
    """
    grey = _grey(image)
    low, high = float(grey[valid].min()), float(np.quantile(grey[valid][::17], 0.995))
    factor = min(1.0, FIELD_SIDE / max(image.shape))
    shape = tuple(max(8, round(n * factor)) for n in image.shape)
    above = _reduced(np.where(valid, grey - low, 0), shape) / max(high - low, 1e-6)
    lit = (above > FLAT).astype(np.uint8)
    lit = cv2.morphologyEx(cv2.morphologyEx(lit, cv2.MORPH_CLOSE, np.ones((9, 9))), cv2.MORPH_OPEN, np.ones((15, 15)))
    _, parts, stats, _ = cv2.connectedComponentsWithStats(lit)
    if len(stats) < 2:
        return None
    part = (parts == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    if not _is_rectangle(part) or not _is_sharp(part, above):
        return None
    inner = cv2.erode(_box(part), np.ones((5, 5)), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return np.asarray(cv2.resize(inner, image.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0)


def _is_rectangle(part: npt.NDArray[np.uint8]) -> bool:
    """Whether a part is a rectangle, perhaps a turned one, that leaves some of the film out."""
    box = _box(part)
    return bool(0.2 < box.mean() < 0.997 and part.sum() / box.sum() > RECTANGLE)


def _box(part: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The smallest rectangle around a part, turned as it is, as far as it lies on the film."""
    corners = cv2.boxPoints(cv2.minAreaRect(np.argwhere(part)[:, ::-1].astype(np.float32)))
    return np.asarray(cv2.fillConvexPoly(np.zeros_like(part), corners.round().astype(np.int32), 1))


def _is_sharp(part: npt.NDArray[np.uint8], above: Grey) -> bool:
    """Whether brightness rises at once behind the edge, as behind a blade, not over millimetres, as under the skin."""
    depths = [cv2.erode(part, np.ones((n, n)), borderType=cv2.BORDER_CONSTANT, borderValue=1) > 0 for n in (3, 7, 15)]
    edge, inside = above[depths[0] & ~depths[1]], above[depths[1] & ~depths[2]]
    return bool(edge.size and inside.size and np.mean(edge > 0.6 * np.quantile(inside, 0.25)) > 0.9)


def _reduced(array: Grey, shape: tuple[int, ...]) -> Grey:
    return np.asarray(cv2.resize(array, (shape[1], shape[0]), interpolation=cv2.INTER_AREA), np.float32)


def _even_range(grey: Grey, valid: Mask) -> Grey | None:
    """Grey from 0 to 1; `None` for a film that shows nothing."""
    if valid.sum() < 100:
        return None
    low, high = np.quantile(grey[valid], [0.005, 0.995])
    if not high - low > FLATTEST * max(abs(low), abs(high)):
        return None
    return np.where(valid, np.clip((grey - low) / (high - low), 0, 1), 0).astype(np.float32)


def _ignored(ignore: Mask | None, shape: tuple[int, ...]) -> Mask:
    """Deposits with a rim, at work."""
    if ignore is None:
        return np.zeros(shape, bool)
    spots = (_reduced(ignore.astype(np.float32), shape) > 0.02).astype(np.uint8)
    return np.asarray(cv2.dilate(spots, np.ones((5, 5), np.uint8)) > 0)


def _even(grey: Grey, limb: Mask, trusted: Grey, mm: float) -> Grey:
    """Local contrast in units of its local spread, counted over trusted tissue only."""
    sigma = EVEN_MM / mm
    share = np.maximum(_blur(trusted, sigma), 1e-3)
    mean = _blur(grey * trusted, sigma) / share
    contrast = np.asarray((grey - mean) * trusted, np.float32)
    spread = np.sqrt(_blur(contrast**2, sigma) / share)
    usual = float(np.median(spread[limb]))
    return np.asarray(np.clip(contrast / (spread + 0.25 * usual + 1e-4), -3, 3), np.float32)


def _blur(array: Grey, sigma: float) -> Grey:
    return np.asarray(cv2.GaussianBlur(array, (0, 0), sigma), np.float32)
