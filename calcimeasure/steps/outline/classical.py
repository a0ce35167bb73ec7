"""The deterministic baseline: closed bright regions, judged by eight facts, outlined at their outer foot.

The plan
--------
1. Work on a copy of about 0.25 mm per pixel (`anatomy.survey`).
2. Cut the film at 64 grey levels. At each level a region smaller than some area is dropped; what is lost by
   this (the *area top-hat*) is bright, closed all around, and no larger than that area. A bone edge is not
   closed: at the level where it joins the bone it grows past the area and disappears.
3. Every connected piece of the loss, at three areas and three depths, is a candidate. Eight facts about it
   make a score (a logistic formula).
4. The best of overlapping candidates stays; its outline is drawn at the film's own resolution where the
   contrast over the background, filled in from around, falls to a fixed share of its own peak.
5. `candidates.sort_out` keeps or excludes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.model.arrays import Grey, Mask
from calcimeasure.model.image import Image
from calcimeasure.model.warning import Code, Remark
from calcimeasure.steps.anatomy import Survey, disc, filled, resized, survey
from calcimeasure.steps.outline.candidates import Candidate, Grounds, candidates_of, elongation
from calcimeasure.steps.outline.findings import Findings
from calcimeasure.steps.outline.settings import SegmentSettings

LEVELS = 64
#: Largest areas of a candidate, in mm2: speck, nodule, plaque.
AREAS_MM2 = (4.0, 30.0, 150.0)
#: A candidate is a piece of the area top-hat deeper than this many grey levels.
DEPTHS = (2, 6, 14)
#: Candidates under this are not looked at, whatever the settings say; nor those lower than this many times the clutter.
SMALLEST_MM2, LOWEST = 0.3, 2.2
#: Candidates at most, best first: a bound on time for a film that is all texture.
MOST = 300
#: A candidate that scores at least this share of the threshold is listed when it is not kept.
LISTED = 0.5
#: An outline runs where the contrast falls to this share of the deposit's peak, at most this far from the candidate.
FOOT, REACH_MM = 0.20, 1.2


def find(image: Image, settings: SegmentSettings) -> Findings:
    """Deposits of a radiograph by closed bright regions, before smallest size and region choose; no weights, no chance.

    Parameters
    ----------
    image : Image
        Deposits bright; any integer or float dtype. Where the scale is unknown the film's long side is taken
        as `anatomy.NOMINAL_MM`, only to choose a working scale, and a warning says so.
    settings : SegmentSettings
        Its threshold: the candidates hold for that one alone.
    """
    seen = survey(image)
    if seen is None:
        return Findings((), None, "", np.zeros(image.shape, bool), warnings=(Remark.of(Code.FILM_EMPTY),))
    cores = best_apart(scored(seen, settings.threshold * LISTED), seen.grey.shape)
    return Findings(
        tuple(outlined(cores, seen, settings.threshold)),
        Grounds.of(image, seen, settings, None),
        "classical",
        limb=seen.enlarged(seen.limb),
        warnings=seen.warnings,
        made_for=settings.threshold,
        again=partial(find, image),
    )


def area_top_hats(grey: Grey, areas_px: Sequence[float]) -> list[npt.NDArray[np.uint8]]:
    """For each area, how many of `LEVELS` grey levels a pixel loses when regions under that area are levelled.

    Vincent, L. (1993), Grayscale area openings and closings, their efficient implementation and applications.
    Here by threshold decomposition: the regions of every level are counted once for all areas.
    """
    steps = np.round(grey * LEVELS).astype(np.uint8)
    opened = [np.zeros(grey.shape, np.uint8) for _ in areas_px]
    for level in range(1, int(steps.max()) + 1):
        _, parts, stats, _ = cv2.connectedComponentsWithStats((steps >= level).view(np.uint8), connectivity=8)
        for base, area in zip(opened, areas_px, strict=True):
            large = (stats[:, cv2.CC_STAT_AREA] >= area).astype(np.uint8)
            large[0] = 0
            base += large[parts]
    return [steps - base for base in opened]


def scored(seen: Survey, least: float) -> list[Candidate]:
    """Candidates at working scale with a score of at least `least`, best first; they may overlap."""
    scene = _Scene.of(seen)
    found = [
        Candidate(row, column, mask, scene.score(row, column, mask, height))
        for row, column, mask, height in _pieces(scene)
    ]
    good = [c for c in found if c.score >= least]
    return sorted(good, key=lambda c: (-c.score, c.area, c.row, c.column))[:MOST]


def best_apart(candidates: Sequence[Candidate], shape: tuple[int, ...]) -> list[Candidate]:
    """Those that share less than a third of themselves with better ones; the order is kept."""
    taken = np.zeros(shape, bool)
    apart = []
    for candidate in candidates:
        if candidate.share(taken) * 3 < 1:
            apart.append(candidate)
            taken[candidate.window] |= candidate.mask
    return apart


def outlined(cores: Sequence[Candidate], seen: Survey, threshold: float) -> list[Candidate]:
    """The candidates at the film's own resolution; touching outlines of one verdict become one."""
    background = resized(background_without(cores, seen), seen.full.shape, cv2.INTER_LINEAR)
    film = cv2.GaussianBlur(seen.full, (0, 0), 0.6)
    score = np.zeros(seen.full.shape, np.float32)
    for core in reversed(cores):
        window, mask = _outline(core, seen, film, background)
        score[window][mask] = core.score
    likely = score >= threshold
    return candidates_of(likely, score) + candidates_of((score > 0) & ~likely, score)


def background_without(cores: Sequence[Candidate], seen: Survey) -> Grey:
    """The film at working scale as it would be without the candidates, filled in smoothly from around them.

    Shape of ``seen.grey``.

    A weighted mean of what is known, near values first: blurs of growing width, each counting a hundredth
    of the one before, so that a wide one rules only where no near value is known.
    """
    unknown = np.zeros(seen.grey.shape, np.uint8)
    for core in cores:
        unknown[core.window] |= core.mask
    known = 1 - cv2.dilate(unknown, disc(1.5 / seen.mm)).astype(np.float32)
    total, weight = np.zeros_like(known), np.full_like(known, 1e-20)
    for power, width_mm in enumerate((0.6, 1.2, 2.4, 4.8)):
        sigma = max(0.6, width_mm / seen.mm)
        total += 0.01**power * cv2.GaussianBlur(seen.grey * known, (0, 0), sigma)
        weight += 0.01**power * cv2.GaussianBlur(known, (0, 0), sigma)
    return np.asarray(total / weight, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """A survey with the maps that scoring looks at, all at working scale."""

    seen: Survey
    smooth: Grey
    clutter: Grey
    depth_mm: Grey

    @classmethod
    def of(cls, seen: Survey) -> _Scene:
        smooth = cv2.GaussianBlur(seen.grey, (0, 0), max(0.4, 0.15 / seen.mm))
        texture = np.abs(smooth - cv2.GaussianBlur(smooth, (0, 0), max(0.6, 1.0 / seen.mm)))
        side = 2 * int(3.0 / seen.mm) + 1
        depth = cv2.distanceTransform(seen.limb.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) * seen.mm
        return cls(seen, smooth, cv2.blur(texture, (side, side)), np.minimum(depth, 10.0))

    def score(self, row: int, column: int, mask: Mask, height: float) -> float:
        """How likely a candidate is a deposit, 0-1.

        A logistic formula of: contrast of its median and of its 95th percentile over the median of a ring
        0.4-1.6 mm around it, and its height over the level where it stops being closed, all against the
        clutter of the ring; area; how much of the contrast is left against the ring's bright side
        (closure); elongation; depth under the skin. Fitted on 116 train films with inserted deposits of
        two generators, then shifted so that 0.5 is the working point.
        """
        inside, ring = self._inside_and_ring(row, column, mask)
        values, around = self.smooth[inside], self.smooth[ring]
        if around.size < 5:
            return 0.0
        middle, bright = _ranked(around, 0.5), _ranked(around, 0.85)
        median, top = _ranked(values, 0.5), _ranked(values, 0.95)
        contrast, peak = max(median - middle, 0.01), max(top - middle, 0.01)
        clutter = max(float(self.clutter[ring].mean()), 0.005)
        closure = float(np.clip((median - bright) / contrast, -1, 1))
        area = np.log(values.size * self.seen.mm**2)
        depth = float(self.depth_mm[inside][0])
        z = 1.9 * np.log(contrast) + 1.1 * np.log(max(height, 0.01)) + 2.0 * np.log(peak) - 3.9 * np.log(clutter)
        z += (0.87 * closure - 1.14) * area - 1.63 * np.log(elongation(mask)) + 0.55 * np.log(depth + 0.3) - 4.3
        return float(1 / (1 + np.exp(-z)))

    def _inside_and_ring(self, row: int, column: int, mask: Mask) -> tuple[tuple[npt.NDArray[np.intp], ...], ...]:
        """Indices into the maps: of the candidate, and of the ring around it."""
        inner, outer = 0.4 / self.seen.mm, max(1.6 / self.seen.mm, 3.0)
        pad = int(np.ceil(outer)) + 1
        padded = np.pad(mask, pad)
        away = cv2.distanceTransform((~padded).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        ring = (away > inner + 0.3) & (away <= outer + 0.3)
        corner = np.array([[row - pad], [column - pad]])
        places = [np.array(np.nonzero(m)) + corner for m in (padded, ring)]
        rows, columns = self.smooth.shape
        return tuple(tuple(p[:, (p[0] >= 0) & (p[0] < rows) & (p[1] >= 0) & (p[1] < columns)]) for p in places)


def _ranked(values: Grey, share: float) -> float:
    """The value that a share of the others lies under; several times faster than `numpy.quantile` on few values."""
    rank = round(share * (values.size - 1))
    return float(np.partition(values, rank)[rank])


def _pieces(scene: _Scene) -> Iterator[tuple[int, int, Mask, float]]:
    """Row, column, mask and height (0-1) of every different connected piece of the area top-hats that stands out."""
    mm = scene.seen.mm
    grey = cv2.GaussianBlur(scene.seen.grey, (0, 0), max(0.4, 0.2 / mm))
    seen_before = set()
    for lost in area_top_hats(grey, [area / mm**2 for area in AREAS_MM2]):
        for depth in DEPTHS:
            _, parts, stats, _ = cv2.connectedComponentsWithStats((lost >= depth).view(np.uint8), connectivity=8)
            large = np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= max(SMALLEST_MM2 / mm**2, 3)) + 1
            for number in large.tolist():
                x, y, width, height, area = stats[number].tolist()
                window = slice(y, y + height), slice(x, x + width)
                mask = parts[window] == number
                tall = float(lost[window][mask].max()) / LEVELS
                clutter = float(scene.clutter[y + height // 2, x + width // 2])
                if tall >= LOWEST * clutter and (x, y, width, height, area) not in seen_before:
                    seen_before.add((x, y, width, height, area))
                    yield y, x, mask, tall


def _outline(core: Candidate, seen: Survey, film: Grey, background: Grey) -> tuple[tuple[slice, slice], Mask]:
    """Window on the film and the outlined pixels in it: contrast over the background at least `FOOT` of the peak."""
    window, hint = _on_film(core, seen)
    contrast = film[window] - background[window]
    inside = contrast[hint > 0]
    if not inside.size:
        return window, hint > 0
    peak = float(np.quantile(inside, 0.8))
    away = cv2.distanceTransform((hint == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    above = ((contrast >= FOOT * peak) & (away <= REACH_MM / seen.native_mm + 0.5)).astype(np.uint8)
    _, parts = cv2.connectedComponents(above, connectivity=8)
    touched = np.unique(parts[(hint > 0) & (above > 0)])
    return window, filled(np.isin(parts, touched[touched > 0]))


def _on_film(core: Candidate, seen: Survey) -> tuple[tuple[slice, slice], npt.NDArray[np.uint8]]:
    """Window on the film, widened by the reach, and the candidate's pixels in it."""
    scale = np.array(seen.full.shape) / np.array(seen.grey.shape)
    pad = REACH_MM / seen.native_mm + 2
    starts = np.maximum(np.floor(np.array([core.row, core.column]) * scale - pad), 0).astype(int)
    ends = np.array([core.row, core.column]) + core.mask.shape
    stops = np.minimum(np.ceil(ends * scale + pad), seen.full.shape).astype(int)
    # The working pixel that each film pixel lies in; outside the candidate's window there is none.
    near = [
        ((np.arange(a, b) + 0.5) / k).astype(int) - o
        for a, b, k, o in zip(starts, stops, scale, (core.row, core.column), strict=True)
    ]
    padded = np.pad(core.mask.astype(np.uint8), 1)
    rows, columns = (np.clip(n + 1, 0, size - 1) for n, size in zip(near, padded.shape, strict=True))
    return (slice(starts[0], stops[0]), slice(starts[1], stops[1])), padded[np.ix_(rows, columns)]
