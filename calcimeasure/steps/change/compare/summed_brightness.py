"""What both films show at a deposit's place, laid on each other: a second witness beside the outlines.

A program finds a faint deposit at one visit and misses it at the other, or draws it larger. Its outlines are two
separate guesses; the picture itself can be asked once for both. The follow-up is laid on the baseline film and its
greys are turned into the baseline's by what both films show of the limb. Then the brightness over the tissue around is
summed over one outline, that of both visits together, so that where it ends matters little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from calcimeasure.model.alignment import Alignment
from calcimeasure.model.arrays import LabelArray, Map, Mask, Slices
from calcimeasure.model.image import Image
from calcimeasure.model.study import Reading
from calcimeasure.steps.change.compare.error import Ratio
from calcimeasure.steps.change.compare.settings import CompareSettings

#: Area as a power of the summed brightness: 2/3 for a ball that shrinks on all sides, 1 for a plaque of even thickness.
AREA_POWER = 0.8
_SHAPE_SD = 0.15  # scatter of the power, as a share of the ratio's logarithm: from 2/3 to 1
_GAP_MM, _RING_MM = 0.5, 1.5  # the ring of tissue begins so far outside the outline, and is so wide
_GAP_PX, _RING_PX = 2, 6
_GRAIN_MM, _GRAIN_PX = 0.6, 2.5  # texture of tissue and bone errs alike within this distance
_WIDEST_PX = 600  # a patch larger than this is thinned before the search
_CALM_PX = 1.0  # noise is smoothed so far before tissue is continued across a deposit
_CLEAR = 2.0  # times the noise: a sum that is more than chance
_LEAST_COMMON = 100  # pixels that both films must show to compare their greys
_STEPS = np.linspace(0.5, 99.5, 67)


@dataclass(frozen=True, slots=True)
class Seen:
    """Brightness over the tissue around, summed over a deposit's place on either film, in greys of the baseline.

    Parameters
    ----------
    before, after : float
        Sums; below 0 where the place is darker than its surroundings.
    noise : float
        Standard deviation of such a sum where there is no calcium, by the difference of both films around.
    texture : float
        Standard deviation of what bone and flesh alone add to both sums, by the scatter around on the baseline.
    large_at_one : bool
        Whether one visit alone outlined it, and large: what is left of it at the other would be outlined, too.
    """

    before: float
    after: float
    noise: float
    texture: float
    large_at_one: bool = False

    @property
    def is_clear(self) -> bool:
        """Whether either film shows more than tissue could by chance."""
        return max(self.before, self.after) > _CLEAR * self.noise

    def is_gone(self, settings: CompareSettings) -> bool:
        """Whether the paler film shows nothing of it."""
        least, most = sorted((self.before, self.after))
        share = settings.large_gone_share if self.large_at_one else settings.gone_share
        return least < share * most or least < _CLEAR * self.noise

    @property
    def percent(self) -> float | None:
        """Change of the sum in percent of the baseline's; `None` where that shows nothing."""
        return 100 * (self.after / self.before - 1) if self.before > _CLEAR * self.noise else None

    def ratio(self, settings: CompareSettings) -> Ratio:
        """The area after over that before, as the brightness tells it, with the error where nothing changed.

        That tells whether it changed. Ask only where it is not gone.
        """
        noise = [self.noise / one for one in (self.before, self.after)]
        sd = math.hypot(settings.shadow_sd, AREA_POWER * noise[0], AREA_POWER * noise[1])
        return Ratio(AREA_POWER * math.log(self.after / self.before), sd)

    def estimate(self, settings: CompareSettings) -> Ratio:
        """The same ratio with its error as an estimate of how much it changed.

        What bone and flesh add cancels only where nothing changed, and calcium may get thinner as well as smaller.
        """
        ratio = self.ratio(settings)
        tissue = AREA_POWER * self.texture * abs(1 / self.before - 1 / self.after)
        return Ratio(ratio.log, math.hypot(ratio.sd, tissue, _SHAPE_SD * ratio.log))


@dataclass(frozen=True, slots=True, eq=False)
class FilmsTogether:
    """Two grey films on the baseline's pixels, the follow-up in the baseline's greys, with the labels of both."""

    films: tuple[Map, Map]
    labels: tuple[LabelArray, LabelArray]
    boxes: tuple[list[Slices | None], list[Slices | None]]
    known: Mask
    reach: _Reach

    @classmethod
    def of(
        cls, baseline: Reading, followup: Reading, alignment: Alignment, settings: CompareSettings
    ) -> FilmsTogether | None:
        """Both films; `None` for pictures whose brightness is no contrast (colour), or that share too little."""
        one, two = (reading.image.pixels for reading in (baseline, followup))
        if one.ndim != 2 or two.ndim != 2:
            return None
        reach, known = _Reach.of(baseline.image, settings), alignment.common_baseline
        laid = np.asarray(alignment.on_baseline(followup.labels.array, nearest=True), np.int32)
        labels = baseline.labels.array, laid
        here, there = one.astype(np.float32), np.asarray(alignment.on_baseline(two.astype(np.float32)))
        tissue = (
            known & _away_from(labels, reach.ring + reach.gap) & (baseline.limb if baseline.limb is not None else True)
        )
        toned = _toned(there, there[tissue], here[tissue])
        if toned is None:
            return None
        boxes = ndimage.find_objects(labels[0]), ndimage.find_objects(labels[1])
        return cls((here, toned), labels, boxes, known, reach)

    def look(self, before: Sequence[int], after: Sequence[int]) -> Seen | None:
        """What both films show where these labels of the baseline or of the follow-up lie.

        `None` where the place cannot be followed or has no tissue around it.
        """
        box = self._box(before, after)
        if box is None or self.known[box].mean() < 0.5:
            return None
        inside = np.isin(self.labels[0][box], before) | np.isin(self.labels[1][box], after)
        near = _grown(inside, self.reach.gap)
        ring = _grown(inside, self.reach.gap + self.reach.ring) & ~near & self.known[box]
        if not inside.any() or not ring.any():
            return None
        films = self.films[0][box], self._found(box)
        place = _PlaceOnBoth(inside, ring, near | ~self.known[box])
        errors = place.errors(films, self.reach.grain)
        if before and after:
            return Seen(*place.contrasts(films), *errors)
        large = bool(np.count_nonzero(inside) >= self.reach.large)
        return Seen(*place.contrasts_without_bone(films), *errors, large)

    def _box(self, before: Sequence[int], after: Sequence[int]) -> Slices | None:
        """Bounds of the labels with the ring around them, where the film goes on."""
        every = [
            boxes[n - 1]
            for boxes, labels in zip(self.boxes, (before, after), strict=True)
            for n in labels
            if n <= len(boxes)
        ]
        found = [box for box in every if box is not None]
        if not found:
            return None
        margin = self.reach.gap + self.reach.ring
        rows, columns = (
            slice(
                max(min(box[axis].start for box in found) - margin, 0),
                min(max(box[axis].stop for box in found) + margin, self.known.shape[axis]),
            )
            for axis in (0, 1)
        )
        return rows, columns

    def _found(self, box: Slices) -> Map:
        """The patch of the follow-up that resembles this one of the baseline most, near the place aligned."""
        here, there = self.films
        patch, s = here[box], self.reach.search
        window = _window(there, box, s)
        if s == 0 or patch.std() == 0:
            return there[box]
        step = max(1, max(patch.shape) // _WIDEST_PX)
        scores = cv2.matchTemplate(
            window[::step, ::step], np.ascontiguousarray(patch[::step, ::step]), cv2.TM_CCOEFF_NORMED
        )
        best = np.unravel_index(int(np.argmax(np.nan_to_num(scores, nan=-1.0))), scores.shape)
        row, column = (min(int(place) * step, 2 * s) for place in best)
        return window[row : row + patch.shape[0], column : column + patch.shape[1]]


@dataclass(frozen=True, slots=True)
class _Reach:
    """Distances in pixels of the baseline: search, gap and ring; how many pixels of texture err alike, and how many
    make a deposit large.
    """

    search: int
    gap: int
    ring: int
    grain: float
    large: float

    @classmethod
    def of(cls, image: Image, settings: CompareSettings) -> _Reach:
        if image.spacing is None:
            return cls(round(settings.search_px), _GAP_PX, _RING_PX, _GRAIN_PX**2, _disc(settings.large_px))
        mm = image.spacing.mean_mm
        gap, ring = max(1, round(_GAP_MM / mm)), max(2, round(_RING_MM / mm))
        grain, large = max(1.0, (_GRAIN_MM / mm) ** 2), _disc(settings.large_mm / mm)
        return cls(round(settings.search_mm / mm), gap, ring, grain, large)


def _disc(diameter: float) -> float:
    return math.pi / 4 * diameter**2


def _toned(film: Map, its: Map, mine: Map) -> Map | None:
    """The film with the greys `its` of the common tissue moved to `mine`, rank by rank; straight on beyond the ends."""
    if its.size < _LEAST_COMMON:
        return None
    step = max(1, its.size // 200_000)
    source, target = (np.percentile(greys[::step], _STEPS) for greys in (its, mine))
    if source[-1] <= source[0] or target[-1] <= target[0]:
        return None
    gain = (target[-1] - target[0]) / (source[-1] - source[0])
    out = np.interp(film, source, target)
    out += gain * (np.minimum(film - source[0], 0) + np.maximum(film - source[-1], 0))
    return np.asarray(out, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _PlaceOnBoth:
    """A deposit's outline, the ring of tissue around it, and all that must not be asked for tissue."""

    inside: Mask
    ring: Mask
    hidden: Mask

    def contrasts(self, films: tuple[Map, Map]) -> tuple[float, float]:
        """Sum over the ring's median, on either film."""
        here, there = (film - np.median(film[self.ring]) for film in films)
        return float(here[self.inside].sum()), float(there[self.inside].sum())

    def contrasts_without_bone(self, films: tuple[Map, Map]) -> tuple[float, float]:
        """The same where one visit alone outlined it, and bone must not pass for calcium that is left.

        How much the films differ is told by their difference, from which bone is gone; how much they show together, by
        the greys continued across. Where both visits outlined it, a difference in exposure would count as change.
        """
        change = films[1] - films[0]
        half = float((change - np.median(change[self.ring]))[self.inside].sum()) / 2
        both = float(sum((film - self._across(film))[self.inside].sum() for film in films)) / 2
        return both - half, both + half

    def errors(self, films: tuple[Map, Map], grain: float) -> tuple[float, float]:
        """Noise and texture of such a sum, by the ring."""
        count = int(np.count_nonzero(self.inside))
        alike = math.sqrt(count * min(count, grain))  # pixels of one grain err alike
        noise, texture = (float(np.std(greys[self.ring])) * alike for greys in (films[1] - films[0], films[0]))
        return noise, texture

    def _across(self, film: Map) -> Map:
        """The greys around, continued smoothly across what is hidden (Navier-Stokes inpainting)."""
        open_ = (~self.hidden).astype(np.float32)
        share = cv2.GaussianBlur(open_, (0, 0), _CALM_PX)
        calm = cv2.GaussianBlur(film * open_, (0, 0), _CALM_PX) / np.maximum(share, 1e-3) * open_
        return np.asarray(
            cv2.inpaint(calm.astype(np.float32), self.hidden.astype(np.uint8), 3, cv2.INPAINT_NS), np.float32
        )


def _away_from(labels: tuple[LabelArray, LabelArray], distance: int) -> Mask:
    return ~_grown((labels[0] > 0) | (labels[1] > 0), distance)


def _grown(mask: Mask, distance: int) -> Mask:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * distance + 1, 2 * distance + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc) > 0)


def _window(film: Map, box: Slices, margin: int) -> Map:
    """The box and a margin around it, edges repeated beyond the film."""
    rows, columns = (
        np.clip(np.arange(b.start - margin, b.stop + margin), 0, n - 1) for b, n in zip(box, film.shape, strict=True)
    )
    return np.ascontiguousarray(film[np.ix_(rows, columns)])
