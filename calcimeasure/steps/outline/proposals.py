"""Pale places in a colour photo that nobody pointed at, proposed for a person to accept or reject."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.model.arrays import Box, LabelArray, Map, Mask
from calcimeasure.model.authorship import BY_PROGRAM
from calcimeasure.model.deposit import Excluded, Reason, Segmentation
from calcimeasure.model.image import Image
from calcimeasure.model.labels import Labels
from calcimeasure.model.warning import Code, Remark
from calcimeasure.steps.outline.findings import Proposed
from calcimeasure.steps.outline.level_sets import (
    FIRST,
    VIEW,
    Region,
    lab_of,
    outlined,
    require_photo,
    sides,
    valid_part,
)
from calcimeasure.steps.outline.pieces import Piece, numbered
from calcimeasure.steps.outline.settings import SegmentSettings

#: Searching without a prompt: long side of the searched picture in px, and how many places are judged.
_SEARCH, _PLACES = 640, 90


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate that waits for a person: its label, its score (0-1) and its box, the end exclusive."""

    label: int
    score: float
    bbox: Box


def find(image: Image, settings: SegmentSettings) -> Proposed:
    """Candidates of a photo; the settings are those of films and say nothing about photos."""
    return Proposed(propose(image))


def propose(image: Image, settings: SegmentSettings | None = None) -> Segmentation:
    """Candidates for a person to accept or reject, found without a prompt.

    Parameters
    ----------
    image : Image
        A colour photo.
    settings : SegmentSettings, optional
        `threshold` and `min_area_px` are used; the method's name is for radiographs.

    Returns
    -------
    Segmentation
        Candidates at or above the threshold are labelled, the others are in `excluded` with their score, and
        so is lettering. `probability` holds each candidate's score (0-1) at its pixels, 0 elsewhere; `ranking`
        lists the labelled ones best first. A score ranks; it is not a frequency.

    Raises
    ------
    MeasurementRefused
        When the image is no colour photo.
    """
    require_photo(image)
    settings = settings or SegmentSettings()
    lettering = _lettering(image)
    places = _pale_places(image, lettering)
    found = _without_overlap(_judged(image, place, lettering, settings) for place in places)
    kept = [one for one in found if one.counts(settings)]
    labels = Labels(
        numbered([one.piece for one in kept], image.shape), ("photo searched without a prompt",), BY_PROGRAM
    )
    probability = np.zeros(image.shape, np.float32)
    for one in found:
        probability[one.box.slices][one.piece.mask] = one.score
    dropped = (*_texts(lettering), *(_dropped(one) for one in found if not one.counts(settings)))
    return Segmentation(labels, dropped, probability=probability, warnings=(Remark.of(Code.PROPOSED),))


def ranking(proposed: Segmentation) -> tuple[Ranked, ...]:
    """The labelled candidates of `propose`, best first; equal scores in label order."""
    if proposed.probability is None:
        return ()
    rows = [_proposal(proposed.labels.array, proposed.probability, int(n)) for n in proposed.labels.numbers]
    return tuple(sorted(rows, key=lambda row: (-row.score, row.label)))


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A judged place: what lies there, its score (0-1) and what speaks most against it."""

    piece: Piece
    score: float
    reason: Reason

    @property
    def box(self) -> Box:
        return self.piece.box

    def counts(self, settings: SegmentSettings) -> bool:
        return self.score >= settings.threshold and self.reason is not Reason.TOO_SMALL


def _searched(image: Image) -> tuple[Map, float]:
    """The photo in Lab at the size it is searched at, and that size over the photo's."""
    scale = min(1.0, _SEARCH / max(image.shape))
    rows, columns = (max(8, round(side * scale)) for side in image.shape)
    return lab_of(image.pixels, rows, columns), scale


def _lettering(image: Image) -> Mask:
    """Where near-white pieces crowd: captions, logos, scale bars; shape of the photo.

    Pieces whiter than chalk in skin, closed over gaps of a twenty-fifth of the picture, six or more in a group;
    a shorter word is not recognised.
    """
    lab, _ = _searched(image)
    white = ((lab[..., 0] > 85) & (np.hypot(lab[..., 1], lab[..., 2]) < 10)).astype(np.uint8)
    side = 2 * round(max(white.shape) / 50) + 1
    _, groups = cv2.connectedComponents(cv2.morphologyEx(white, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)))
    count, pieces = cv2.connectedComponents(white, connectivity=4)
    first = np.zeros(count, np.int64)
    first[pieces.ravel()] = groups.ravel()
    crowded = np.flatnonzero(np.bincount(first[1:], minlength=2) >= 6)
    letters = np.isin(groups, crowded[crowded > 0]).astype(np.uint8)
    grown = cv2.dilate(letters, np.ones((side, side), np.uint8))
    return np.asarray(cv2.resize(grown, image.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0)


def _texts(lettering: Mask) -> Iterator[Excluded]:
    """Every group of letters."""
    count, pieces, boxes, _ = cv2.connectedComponentsWithStats(lettering.astype(np.uint8), connectivity=8)
    for number in range(1, count):
        left, top, width, height, area = boxes[number].tolist()
        column = left + int(np.argmax(pieces[top, left : left + width] == number))
        yield Excluded(Reason.TEXT, top, column, (top, left, top + height, left + width), area)


def _pale_places(image: Image, lettering: Mask) -> list[Box]:
    """Boxes around the spots that are paler or less red than their surroundings, strongest first."""
    lab, scale = _searched(image)
    # Green or blue cloth is not paler than skin: all that is less red than grey counts as grey.
    redness = np.maximum(lab[..., 1], 0)
    warm = _warmth(lab[..., 1], lab[..., 2]) > 0
    peaks = sorted(peak for pallor in (lab[..., 0] - redness, -redness) for peak in _peaks(pallor) if warm[peak[1:3]])
    boxes: list[Box] = []
    for _, *peak in peaks:
        row, column, radius = ((peak[0] + 0.5) / scale, (peak[1] + 0.5) / scale, peak[2] / scale)
        box = _box_about(row, column, 2 * radius, image.shape)
        spot = min(int(row), image.shape[0] - 1), min(int(column), image.shape[1] - 1)
        known = lettering[spot] or any(_alike(box, other) > 0.3 for other in boxes)
        if min(box.size) >= 8 and not known:
            boxes.append(box)
        if len(boxes) == _PLACES:
            break
    return boxes


def _peaks(pallor: Map) -> Iterator[tuple[float, int, int, float]]:
    """(minus strength, row, column, radius) of the local maxima of differences of Gaussians, by scale.

    Strength is in units of the photo's own variation at that scale, so that pores do not outnumber papules.
    """
    for step in range(12):
        sigma = 1.5 * 1.4**step
        band = cv2.GaussianBlur(pallor, (0, 0), sigma) - cv2.GaussianBlur(pallor, (0, 0), 2 * sigma)
        strength = band / (1.0 + float(np.median(np.abs(band))))
        size = 2 * int(np.ceil(sigma)) + 1
        top = (strength == cv2.dilate(strength, np.ones((size, size), np.uint8))) & (strength > 0.75)
        for row, column in zip(*np.nonzero(top), strict=True):
            yield -float(strength[row, column]), int(row), int(column), 1.6 * sigma


def _box_about(row: float, column: float, half: float, shape: tuple[int, int]) -> Box:
    low = int(np.floor(row - half)), int(np.floor(column - half))
    high = int(np.ceil(row + half)), int(np.ceil(column + half))
    return Box(*low, *high).within(shape)


def _overlap(one: Box, other: Box) -> float:
    """Shared area over the smaller of the two."""
    down = min(one.row1, other.row1) - max(one.row0, other.row0)
    across = min(one.column1, other.column1) - max(one.column0, other.column0)
    smaller = min(one.size[0] * one.size[1], other.size[0] * other.size[1])
    return max(down, 0) * max(across, 0) / smaller


def _alike(one: Box, other: Box) -> float:
    """Shared area over all that either covers: boxes of one middle and two sizes are unlike."""
    areas = [box.size[0] * box.size[1] for box in (one, other)]
    shared = _overlap(one, other) * min(areas)
    return shared / (sum(areas) - shared)


def _judged(image: Image, place: Box, lettering: Mask, settings: SegmentSettings) -> _Found | None:
    """The deposit in a place with its score; `None` when nothing lies there."""
    mask = valid_part(image, Region(place).clip(outlined(image, Region(place), FIRST, VIEW // 2)))
    if not mask.any():
        return None
    terms = _evidence(image, mask)
    terms[Reason.TEXT] *= 1 - _ramp(float(lettering[mask].mean()), 0.05, 0.3)
    worst = min(terms, key=lambda reason: terms[reason])
    small = mask.sum() < settings.min_area_px
    return _Found(Piece.of(mask), float(np.prod(list(terms.values()))), Reason.TOO_SMALL if small else worst)


def _evidence(image: Image, mask: Mask) -> dict[Reason, float]:
    """What speaks for a deposit, each 0-1: it stands out, is compact, lies on skin, and is no lettering.

    The slopes are judgement, not fitted: seven photos would not carry a fit.
    """
    inside, around = sides(image, mask)
    lightness, redness, yellowness = np.median(inside, 0) - np.median(around, 0)
    unlike = max(float(lightness - redness + 0.5 * yellowness), 0.0)
    skin_lightness, skin_redness, skin_yellowness = np.median(around, 0)
    texture = float(np.std(inside[:, 0]))
    return {
        Reason.FAINT: _ramp(unlike / (6 + np.std(around[:, 0] - around[:, 1])), 0.3, 1.8),
        Reason.SHAPE: _ramp(_solidity(mask), 0.6, 0.95),
        Reason.OUTSIDE_LIMB: _ramp(float(_warmth(skin_redness, skin_yellowness)), 0.0, 6.0)
        * _ramp(float(_warmth(*np.median(inside[:, 1:], 0))), -2.0, 0.0)
        * _ramp(float(skin_lightness), 3.0, 12.0),
        Reason.TEXT: max(_ramp(texture, 0.5, 2.0), 1 - _ramp(float(np.median(inside[:, 0])), 85.0, 92.0)),
    }


def _warmth(redness: Map, yellowness: Map) -> Map:
    """Above 0 for skin of every tone and for what lies in it, below 0 for cloth of grey, green or blue."""
    return np.asarray(redness + 0.5 * yellowness, np.float32)


def _ramp(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0, 1))


def _solidity(mask: Mask) -> float:
    """Area over the area of the convex hull."""
    outlines, _ = cv2.findContours(mask[Box.of(mask).slices].astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(np.concatenate(outlines))
    # Contours run through pixel centres: half the outline's length and one pixel give the pixels' own area.
    area = cv2.contourArea(hull) + cv2.arcLength(hull, closed=True) / 2 + 1
    return float(mask.sum() / area)


def _without_overlap(judged: Iterator[_Found | None]) -> list[_Found]:
    """Best first; a candidate that shares more than a fifth of itself with a better one is the same."""
    best: list[_Found] = []
    for one in sorted((one for one in judged if one is not None), key=lambda one: -one.score):
        if all(_overlap(one.box, other.box) == 0 or _shared(one, other) <= 0.2 for other in best):
            best.append(one)
    return best


def _shared(one: _Found, other: _Found) -> float:
    """Pixels in both over the pixels of the smaller."""
    low = np.maximum([one.box.row0, one.box.column0], [other.box.row0, other.box.column0])
    high = np.minimum([one.box.row1, one.box.column1], [other.box.row1, other.box.column1])
    both = _part(one.piece, low, high) & _part(other.piece, low, high)
    return float(both.sum() / min(one.piece.mask.sum(), other.piece.mask.sum()))


def _part(piece: Piece, low: npt.NDArray[np.int_], high: npt.NDArray[np.int_]) -> Mask:
    top, left = piece.box.row0, piece.box.column0
    return piece.mask[low[0] - top : high[0] - top, low[1] - left : high[1] - left]


def _dropped(one: _Found) -> Excluded:
    return Excluded(one.reason, *one.piece.first, one.box, int(one.piece.mask.sum()), one.score)


def _proposal(array: LabelArray, probability: Map, number: int) -> Ranked:
    mask = array == number
    return Ranked(number, float(probability[mask].max()), Box.of(mask))
