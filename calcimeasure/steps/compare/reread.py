"""Looking again at the other film: whether the place of an outline shows there what was outlined here.

A program finds a faint deposit at one visit and misses it at the other, or draws it larger. Whether the calcium
itself is there can be asked of the picture: the patch around the outline is searched near its place on the other film
(normalised cross-correlation), and the outline's contrast over its ring is compared on both.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.model.alignment import Alignment
from calcimeasure.model.image import Image, Mask
from calcimeasure.steps.compare.settings import CompareSettings

Floats = npt.NDArray[np.float32]

_GAP_MM, _RING_MM = 0.5, 1.0  # the ring begins so far outside the outline, and is so wide
_GAP_PX, _RING_PX = 2, 6
_WIDEST_PX = 600  # a patch larger than this is thinned before the search


@dataclass(frozen=True, slots=True)
class Seen:
    """What the other film shows at an outline's place.

    Parameters
    ----------
    contrast : float
        Contrast over the ring as a share of that here, weighted by it: the slope through 0 of there on here.
    likeness : float
        Correlation of both films on and around the outline, -1 to 1.
    size : float
        Pixels there that exceed half the outline's mean contrast, as a share of those here: one rule for both films.
    """

    contrast: float
    likeness: float
    size: float

    def present(self, settings: CompareSettings) -> bool:
        """Whether it shows the same calcium."""
        return self.contrast >= settings.seen_contrast and self.likeness >= settings.seen_likeness

    def unchanged(self, settings: CompareSettings) -> bool:
        """Whether it shows that calcium as it was, so that outlines that differ are the program's doing."""
        return self.contrast >= settings.same_contrast and self.likeness >= settings.same_likeness


@dataclass(frozen=True, slots=True, eq=False)
class OtherFilm:
    """Two grey films laid on each other, from the one that holds an outline to the other.

    `gain` is what a step in brightness here is worth there; `field` leads from here to there.
    """

    here: Floats
    there: Floats
    field: Floats
    gain: float
    search: int
    gap: int
    ring: int

    @classmethod
    def pair(
        cls, baseline: Image, followup: Image, alignment: Alignment, settings: CompareSettings
    ) -> tuple[OtherFilm, OtherFilm] | None:
        """From baseline to follow-up and back; `None` for pictures whose brightness is no contrast (colour)."""
        if baseline.pixels.ndim != 2 or followup.pixels.ndim != 2:
            return None
        one, two = baseline.pixels.astype(np.float32), followup.pixels.astype(np.float32)
        gain = _gain(one, two, alignment)
        if gain is None:
            return None
        reach = _reach(baseline, settings), _reach(followup, settings)
        return cls(one, two, alignment.forward, gain, *reach[0]), cls(two, one, alignment.backward, 1 / gain, *reach[1])

    @property
    def margin(self) -> int:
        """How far around an outline this looks, in pixels."""
        return self.gap + self.ring

    def look(self, inside: Mask, box: tuple[slice, slice]) -> Seen | None:
        """What the other film shows at the place of an outline.

        Parameters
        ----------
        inside : bool array, shape of the box
            The outline's pixels.
        box : two slices
            Where they lie on the film here: the outline's bounds and `margin` around it, where the film goes on.

        Returns
        -------
        Seen or None
            `None` where the place cannot be followed or the outline has no contrast here.
        """
        near = cv2.dilate(inside.astype(np.uint8), _disc(self.gap)) > 0
        ring = (cv2.dilate(inside.astype(np.uint8), _disc(self.gap + self.ring)) > 0) & ~near
        other = self._found(box)
        if other is None or not ring.any():
            return None
        mine, its = (film - np.median(film[ring]) for film in (self.here[box], other))
        return _compared(mine, its / self.gain, inside, near)

    def _found(self, box: tuple[slice, slice]) -> Floats | None:
        """The patch of the other film that resembles this box most, near the place the alignment gives."""
        patch, s = self.here[box], self.search
        window = self._window(box)
        if window is None or patch.std() == 0:
            return None
        step = max(1, max(patch.shape) // _WIDEST_PX)
        scores = cv2.matchTemplate(
            window[::step, ::step], np.ascontiguousarray(patch[::step, ::step]), cv2.TM_CCOEFF_NORMED
        )
        best = np.unravel_index(int(np.argmax(np.nan_to_num(scores, nan=-1.0))), scores.shape)
        row, column = (min(int(place) * step, 2 * s) for place in best)
        return np.asarray(window[row : row + patch.shape[0], column : column + patch.shape[1]])

    def _window(self, box: tuple[slice, slice]) -> Floats | None:
        """The other film as seen from here, the search distance wider than the box on every side."""
        place = self.field[box]
        rows, columns = np.mgrid[box].astype(np.float32)
        known = np.isfinite(place).all(axis=2)
        if known.mean() < 0.5:
            return None
        shift = place - np.stack([rows, columns], axis=2)
        shift[~known] = np.median(shift[known], axis=0)
        s = self.search
        wide = np.asarray(cv2.copyMakeBorder(shift, s, s, s, s, cv2.BORDER_REPLICATE))
        low, high = [b.start - s for b in box], [b.stop + s for b in box]
        grid = np.mgrid[low[0] : high[0], low[1] : high[1]].astype(np.float32)
        return np.asarray(cv2.remap(self.there, grid[1] + wide[..., 1], grid[0] + wide[..., 0], cv2.INTER_LINEAR))


def _compared(mine: Floats, its: Floats, inside: Mask, near: Mask) -> Seen | None:
    """What two patches of contrast say of the outline `inside`, looked at within `near` of it."""
    mean, weight = float(mine[inside].mean()), np.clip(mine[inside], 0, None)
    if mean <= 0 or not weight.any():
        return None
    slope = float((its[inside] * weight).sum() / (weight**2).sum())
    here, there = (int(np.count_nonzero(patch[near] > mean / 2)) for patch in (mine, its))
    return Seen(slope, _likeness(mine[near], its[near]), there / max(here, 1))


def _gain(one: Floats, two: Floats, alignment: Alignment) -> float | None:
    """How much wider the follow-up's brightness spreads over what both films show."""
    common = alignment.common_baseline
    if not common.any():
        return None
    spread, its = one[common].std(), np.asarray(alignment.on_baseline(two))[common].std()
    return float(its / spread) if spread > 0 and its > 0 else None


def _reach(image: Image, settings: CompareSettings) -> tuple[int, int, int]:
    if image.spacing is None:
        return round(settings.search_px), _GAP_PX, _RING_PX
    mm = image.spacing.mean_mm
    return round(settings.search_mm / mm), max(1, round(_GAP_MM / mm)), max(2, round(_RING_MM / mm))


def _disc(radius: int) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def _likeness(one: Floats, two: Floats) -> float:
    if one.std() == 0 or two.std() == 0:
        return 0.0
    return float(np.corrcoef(one, two)[0, 1])
