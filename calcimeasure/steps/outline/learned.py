"""Deposits of a radiograph by two small networks: one finds them, one draws their outline.

The finder sees the film at its working pixel size on a fixed grid of tiles whose margins cover its receptive
field, so that its map does not depend on the tiling. The outline network then looks at the film's own
pixels, in the blocks where the finder saw something. A judge scores what both saw. How they were trained:
`calcimeasure.training`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise, product
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.model.deposit import Segmentation
from calcimeasure.model.image import Image, Mask, Pixels, Spacing, SpacingOrigin
from calcimeasure.steps.anatomy import scaled, survey
from calcimeasure.steps.outline import refined as refining
from calcimeasure.steps.outline.candidates import Candidate, Grounds
from calcimeasure.steps.outline.findings import Findings
from calcimeasure.steps.outline.inference import Session, session
from calcimeasure.steps.outline.judge import Judge
from calcimeasure.steps.outline.settings import SegmentSettings
from calcimeasure.steps.outline.weights import Finder, Weights

Map = npt.NDArray[np.float32]

#: Working pixels: the finder's stride, its receptive margin, and the core of one tile (a multiple of the stride).
STRIDE, MARGIN, TILE = 16, 240, 832
#: Pixels: core and margin of one block of the outline network.
BLOCK, BLOCK_MARGIN = 128, 48
#: Pixel sizes that the outline network was trained for; other films are resampled to the nearer one.
FINEST_MM, COARSEST_MM = 0.11, 0.45
#: The outline network looks where the finder's probability exceeds this.
SEED = 0.2
#: What the outline network gives less than this is no finding, not even a doubtful one.
FAINT = 0.15
#: The core of a finding: this percentile of the outline probability in it.
CORE = 95
#: The outline lies where the outline probability crosses this share of what it reaches at the core.
EDGE = 0.5
#: Parts closer than this are judged together: one cluster of grains is one finding.
GROUP_MM = 1.5
#: A small picture of unknown scale may be an enlarged part, a fingertip for instance:
#: it is looked at again as if its long side were this many mm.
ENLARGED_MM, ENLARGED_PX = 50.0, 800
ENLARGED = f"scale unknown: deposits were sought as if this enlarged part were {ENLARGED_MM:.0f} mm long"


def segment_learned(image: Image, settings: SegmentSettings, region: Mask | None = None) -> Segmentation:
    """Deposits of a radiograph by the shipped networks; the same film and weights give the same mask.

    Parameters
    ----------
    image : Image
        Deposits bright. Where the scale is unknown the film is looked at as if its long side were
        `limb.NOMINAL_MM`, or an enlarged part of `ENLARGED_MM`, and a warning says so.
    settings : SegmentSettings
        Weights, threshold on a finding's score, and smallest size.
    region : bool array, shape (rows, columns), optional
        Only what lies inside is kept.
    """
    return find_learned(image, settings).segmentation(settings, region)


def find_learned(image: Image, settings: SegmentSettings) -> Findings:
    """What the networks see on a radiograph, before threshold, smallest size and region choose among it."""
    found = _seen(image, settings)
    if image.spacing is not None or max(image.shape) > ENLARGED_PX:
        return found
    mm = ENLARGED_MM / max(image.shape)
    enlarged = image.with_spacing(Spacing.of(mm, mm, SpacingOrigin.NOMINAL))
    return replace(found, closer=cache(lambda: replace(_seen(enlarged, settings), warnings=(ENLARGED,))))


def _seen(image: Image, settings: SegmentSettings) -> Findings:
    """Findings at one scale, the film's own or the one assumed for it."""
    seen = survey(image)
    if seen is None:
        return Findings((), None, "", np.zeros(image.shape, bool), warnings=("the film shows nothing",))
    grounds = Grounds.of(image, seen, settings, None)
    networks = Networks.named(settings.weights)
    judge = networks.judge.on_trunk() if seen.trunk else networks.judge
    maps = Maps.of(stretched(image.pixels, image.valid), seen.native_mm, networks)
    parts = [judge.judged(part, maps.finder, maps.outline, seen.native_mm) for part in maps.parts(seen.native_mm)]
    redraws = networks.redraws and seen.native_mm <= refining.COARSEST_MM
    drawn, inside = refining.refined(image, parts, maps.inside) if redraws else (parts, maps.inside)
    return Findings(
        tuple(drawn),
        grounds,
        f"learned: {settings.weights}",
        limb=seen.enlarged(seen.limb),
        probability=inside,
        warnings=seen.warnings,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """What the networks see on a film, pixel by pixel.

    Parameters
    ----------
    finder, outline : float32 array, shape of the film
        Probability of calcium.
    inside : float32 array, shape of the film
        Probability that a pixel lies inside a deposit if what is seen around it is one: `outline` divided by what it
        reaches at the core of that finding. The outline of a doubtful deposit lies where a sure one's would.
    sure : bool array, shape of the film
        Findings whose core passes `EDGE`.
    """

    finder: Map
    outline: Map
    inside: Map
    sure: Mask

    @classmethod
    def of(cls, grey: Map, mm: float, networks: Networks) -> Maps:
        """The maps of a stretched film of `mm` per pixel."""
        finder = finder_map(grey, mm, networks)
        outline = outline_map(grey, finder, mm, networks)
        return cls(finder, outline, *inside_given_a_deposit(outline))

    def parts(self, mm: float) -> list[Candidate]:
        """Every finding, sure or doubtful; a doubtful one beside a sure one is judged by itself."""
        within = self.inside > EDGE
        return [*groups(within & self.sure, mm), *groups(within & ~self.sure, mm)]


def inside_given_a_deposit(outline: Map) -> tuple[Map, Mask]:
    """See `Maps`: `inside` and `sure`."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats((outline > FAINT).astype(np.uint8), connectivity=8)
    core = np.ones(len(stats), np.float32)
    for n, (x, y, width, height, _) in enumerate(stats[1:].tolist(), 1):
        window = np.s_[y : y + height, x : x + width]
        core[n] = np.percentile(outline[window][parts[window] == n], CORE)
    sure = core > EDGE
    sure[0] = False
    return np.minimum(outline / core[parts], 1), sure[parts]


@dataclass(frozen=True, slots=True)
class Networks:
    """The finder with how it is used, the outline network, and the judge of one set of weights.

    Those that are `redraws` let the network that is pointed at draw their findings' outlines anew.
    """

    use: Finder
    finder: Session
    outline: Session
    judge: Judge
    redraws: bool = False

    @classmethod
    def of(cls, weights: Weights, threads: int) -> Networks:
        """The networks of some weights, loaded."""
        finder, outline = (session(file, threads) for file in (weights.finder.file, weights.outline))
        return cls(weights.finder, finder, outline, weights.judge, weights.redraws)

    @classmethod
    def named(cls, weights: str) -> Networks:
        """The networks of the weights called so, loaded once per process."""
        return _loaded(weights, max(1, cv2.getNumThreads()))


@lru_cache(maxsize=2)
def _loaded(weights: str, threads: int) -> Networks:
    return Networks.of(Weights.named(weights), threads)


def stretched(pixels: Pixels, valid: Mask | None = None) -> Map:
    """Film with its 0.5th and 99.8th percentile moved to 0 and 1, as the networks were trained; invalid pixels 0."""
    sample, known = pixels[::2, ::2], None if valid is None else valid[::2, ::2]
    low, high = np.percentile(sample if known is None or not known.any() else sample[known], (0.5, 99.8))
    grey = np.clip((pixels.astype(np.float32) - low) / max(float(high - low), 1e-6), 0, 1)
    return np.asarray(grey if valid is None else np.where(valid, grey, 0), np.float32)


def finder_map(grey: Map, mm: float, networks: Networks, tile: int = TILE) -> Map:
    """The finder's probability of calcium, as large as the film; it does not depend on `tile` (a multiple of 16)."""
    factors = [mm * look / networks.use.working_mm for look in networks.use.looks]
    return np.asarray(np.mean([_enlarged_by(f, grey, networks.finder, tile) for f in factors], axis=0), np.float32)


def outline_map(grey: Map, hint: Map, mm: float, networks: Networks) -> Map:
    """The outline network's probability, as large as the film; 0 away from what the finder saw."""
    factor = mm / float(np.clip(mm, FINEST_MM, COARSEST_MM))
    shape = scaled(grey.shape, factor)
    return sized(_outline_blocks(sized(grey, shape), sized(hint, shape), networks.outline), grey.shape)


def groups(mask: Mask, mm: float) -> list[Candidate]:
    """Pixels of a mask in groups whose gaps are under `GROUP_MM`; the score is still 0."""
    side = 2 * round(GROUP_MM / mm / 2) + 1
    near = cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    _, parts, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    boxes = [(slice(y, y + height), slice(x, x + width)) for x, y, width, height, _ in stats[1:].tolist()]
    insides = [np.asarray(mask[box] & (parts[box] == n)) for n, box in enumerate(boxes, 1)]
    return [_trimmed(box, inside) for box, inside in zip(boxes, insides, strict=True)]


def _trimmed(box: tuple[slice, slice], inside: Mask) -> Candidate:
    """The group in the smallest window that holds it."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    window = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Candidate(box[0].start + int(rows[0]), box[1].start + int(columns[0]), window, 0.0)


def resampled(image: Map, factor: float) -> Map:
    """The map enlarged by a factor."""
    return sized(image, scaled(image.shape, factor))


def sized(image: Map, shape: tuple[int, ...]) -> Map:
    """The map at another size, kept within 0 and 1: area mean when it shrinks, cubic when it grows."""
    if image.shape == tuple(shape):
        return image
    how = cv2.INTER_AREA if shape[0] < image.shape[0] else cv2.INTER_CUBIC
    return np.asarray(np.clip(cv2.resize(image, (shape[1], shape[0]), interpolation=how), 0, 1), np.float32)


def _enlarged_by(factor: float, grey: Map, finder: Any, tile: int) -> Map:
    small = resampled(grey, factor)
    rows, columns = small.shape
    padded = np.pad(small, ((0, -rows % STRIDE), (0, -columns % STRIDE)))
    return sized(_tiled(padded, finder, tile)[:rows, :columns], grey.shape)


def _tiled(padded: Map, finder: Any, tile: int) -> Map:
    """The finder over the whole film, tile by tile; margins end at the film's own border."""
    out = np.zeros_like(padded)
    down, across = (_spans(side, tile) for side in padded.shape)
    for rows, columns in product(down, across):
        top, left = max(0, rows.start - MARGIN), max(0, columns.start - MARGIN)
        part = np.ascontiguousarray(padded[top : rows.stop + MARGIN, left : columns.stop + MARGIN])
        chance = finder.run(None, {"film": part[None, None]})[0][0, 0]
        out[rows, columns] = chance[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return out


def _spans(side: int, tile: int) -> list[slice]:
    """The cores along one side: `tile` long, those at the film's ends by the margin that they do not need longer."""
    if side <= tile + 2 * MARGIN:
        return [slice(0, side)]
    inner = range(tile + MARGIN, side - MARGIN, tile)
    return [slice(start, stop) for start, stop in pairwise((0, *inner, side))]


def _outline_blocks(grey: Map, hint: Map, network: Any) -> Map:
    """The outline network on every block that holds a seed or lies next to one."""
    rows, columns = grey.shape
    around = ((BLOCK_MARGIN, BLOCK_MARGIN + -rows % BLOCK), (BLOCK_MARGIN, BLOCK_MARGIN + -columns % BLOCK))
    pair = np.stack([np.pad(grey, around), np.pad(hint, around)])
    out = np.zeros((rows + -rows % BLOCK, columns + -columns % BLOCK), np.float32)
    side, core = BLOCK + 2 * BLOCK_MARGIN, slice(BLOCK_MARGIN, -BLOCK_MARGIN)
    for row, column in _busy_blocks(hint, out.shape):
        part = np.ascontiguousarray(pair[:, row : row + side, column : column + side])
        chance = network.run(None, {"film_and_hint": part[None]})[0][0, 0]
        out[row : row + BLOCK, column : column + BLOCK] = chance[core, core]
    return out[:rows, :columns]


def _busy_blocks(hint: Map, shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    near = cv2.dilate((hint > SEED).astype(np.uint8), np.ones((17, 17), np.uint8))
    for row in range(0, shape[0], BLOCK):
        for column in range(0, shape[1], BLOCK):
            if near[row : row + BLOCK, column : column + BLOCK].any():
                yield row, column
