"""Find deposits on a film with the shipped networks: NumPy, OpenCV and ONNX Runtime, no torch.

The finder runs at 0.25 mm per pixel on a fixed grid of tiles whose margins cover its receptive
field, so the map does not depend on the tiling. The outline network then runs at the film's own
pixel on the blocks where the finder saw something.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
WEIGHTS = Path(__file__).parent.parent / "weights"
FINDER, OUTLINE = WEIGHTS / "deposits.onnx", WEIGHTS / "outline.onnx"
WORKING_MM = 0.25
NOMINAL_MM = 220.0
"""Length assumed for a film's long side when its scale is unknown."""
STRIDE, MARGIN, TILE = 16, 176, 1024
BLOCK, BLOCK_MARGIN = 128, 48
FINEST_MM, COARSEST_MM = 0.11, 0.45
"""Pixels the outline network was trained for; other films are resampled to the nearer one."""
SEED = 0.2
"""A candidate starts where the finder's probability exceeds this."""
EDGE = 0.5
"""The outline lies where the outline probability crosses this."""
GROUP_MM = 1.5
UNKNOWN_SCALES = (0.85, 1.2)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A candidate that is not called a deposit, and why; row and column of a pixel inside it.

    `reason` is one of too_small, outside_limb, text_marker, film_border, metal, bone, faint, shape.
    """

    row: int
    column: int
    area_px: int
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """Labels (0 = none), the outline probabilities, each label's score, and what was dropped."""

    labels: NDArray[np.int32]
    chance: Array
    scores: tuple[float, ...]
    dropped: tuple[Dropped, ...]
    working_mm: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Maps:
    """What a verdict is based on: the stretched film, both probabilities, the limb, the limits."""

    grey: Array
    hint: Array
    chance: Array
    limb: Mask
    mm: float
    threshold: float
    min_mm: float


@dataclass(frozen=True, slots=True)
class _Group:
    """Candidate pixels that lie within GROUP_MM of each other, judged together."""

    box: tuple[slice, slice]
    inside: Mask

    @property
    def area(self) -> int:
        return int(self.inside.sum())

    def over(self, image: Array) -> Array:
        """Values of an image on the group's pixels."""
        return np.asarray(image[self.box][self.inside], np.float32)

    def spot(self) -> tuple[int, int]:
        """A pixel inside the group."""
        rows, columns = np.nonzero(self.inside)
        return int(rows[len(rows) // 2] + self.box[0].start), int(columns[len(rows) // 2] + self.box[1].start)


def probability(film: Array, mm_per_px: float | None = None, tile: int = TILE) -> Array:
    """Finder's probability of calcium per pixel, as large as the film.

    Parameters
    ----------
    film
        (H, W), bright = attenuating, any range.
    mm_per_px
        Pixel size; None when unknown, then 220 mm are assumed for the long side and the mean of
        two working scales round it is taken.
    tile
        Core of one tile in working pixels, a multiple of 16; the map does not depend on it.
    """
    grey = stretch(film)
    if mm_per_px is not None:
        return _at_scale(grey, mm_per_px, tile)
    guess = nominal_mm(grey)
    return np.asarray(np.mean([_at_scale(grey, guess * k, tile) for k in UNKNOWN_SCALES], axis=0), np.float32)


def outline(film: Array, chance: Array, mm_per_px: float | None = None) -> Array:
    """Outline network's probability per pixel, 0 away from the finder's candidates."""
    mm = mm_per_px or nominal_mm(film)
    factor = mm / float(np.clip(mm, FINEST_MM, COARSEST_MM))
    grey, hint = (_sized(a, _scaled(film.shape, factor)) for a in (stretch(film), chance))
    return np.clip(_sized(_outline_blocks(grey, hint), film.shape), 0, 1)


def segment(film: Array, mm_per_px: float | None = None, threshold: float = 0.5, min_mm: float = 1.13) -> Found:
    """Deposits as labels, with what was found and dropped.

    Pixels whose outline probability exceeds 0.5 are grouped when less than GROUP_MM apart. A group
    counts when its score (mean of both networks' 90th percentile in it) reaches `threshold` and
    its equivalent diameter reaches `min_mm`; labels are its 8-connected parts.
    """
    mm = mm_per_px or nominal_mm(film)
    hint = probability(film, mm_per_px)
    chance = outline(film, hint, mm_per_px) if OUTLINE.exists() else hint
    grey = stretch(film)
    maps = _Maps(grey, hint, chance, limb_of(grey), mm, threshold, min_mm)
    judged = [(g, _score(g, maps), _reason(g, maps)) for g in _groups(chance > EDGE, mm)]
    labels, scores = _labelled(film.shape, [(g, s) for g, s, reason in judged if not reason])
    dropped = [Dropped(*g.spot(), g.area, s, reason) for g, s, reason in judged if reason]
    return Found(labels, chance, scores, (*dropped, *_unconfirmed(maps)), mm, _warnings(mm_per_px))


def _warnings(mm_per_px: float | None) -> tuple[str, ...]:
    if mm_per_px is not None:
        return ()
    return (f"scale unknown: {NOMINAL_MM:.0f} mm assumed for the film's long side to choose a working scale",)


def stretch(film: Array) -> Array:
    """Film with its 0.5th and 99.8th percentile moved to 0 and 1."""
    low, high = np.percentile(film[::2, ::2], (0.5, 99.8))
    return np.asarray(np.clip((film - low) / max(float(high - low), 1e-6), 0, 1), np.float32)


def nominal_mm(film: Array) -> float:
    """Pixel size if the film's long side were NOMINAL_MM long."""
    return NOMINAL_MM / float(max(film.shape))


def resample(image: Array, factor: float) -> Array:
    """Image enlarged by `factor`: area mean when it shrinks, cubic when it grows."""
    return _sized(image, _scaled(image.shape, factor))


def limb_of(film: Array) -> Mask:
    """Bodies clearly brighter than air and larger than 3 % of the film; thin things opened away."""
    k = max(film.shape) / 1100
    smooth = cv2.GaussianBlur(film, (0, 0), 3 * k)
    level = 0.5 * cv2.threshold((smooth * 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)[0] / 255
    bright = (smooth > max(level, 0.06)).astype(np.uint8)
    bright = cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((int(25 * k) | 1,) * 2, np.uint8))
    _, parts, stats, _ = cv2.connectedComponentsWithStats(bright)
    large = [n for n in range(1, len(stats)) if stats[n, cv2.CC_STAT_AREA] > 0.03 * film.size]
    return np.asarray(np.isin(parts, large))


def _scaled(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def _sized(image: Array, shape: tuple[int, ...]) -> Array:
    """Image resampled to `shape`, kept within 0..1."""
    if image.shape == tuple(shape):
        return image
    how = cv2.INTER_AREA if shape[0] < image.shape[0] else cv2.INTER_CUBIC
    return np.asarray(np.clip(cv2.resize(image, (shape[1], shape[0]), interpolation=how), 0, 1), np.float32)


def _at_scale(grey: Array, mm: float, tile: int) -> Array:
    small = resample(grey, mm / WORKING_MM)
    h, w = small.shape
    padded = np.pad(small, ((0, -h % STRIDE), (0, -w % STRIDE)))
    return _sized(_tiled(padded, tile)[:h, :w], grey.shape)


def _tiled(padded: Array, tile: int) -> Array:
    """Finder over the whole array, tile by tile; margins end at the array's own border."""
    out, network = np.zeros_like(padded), _session(FINDER)
    for y0 in range(0, padded.shape[0], tile):
        for x0 in range(0, padded.shape[1], tile):
            top, left = max(0, y0 - MARGIN), max(0, x0 - MARGIN)
            part = np.ascontiguousarray(padded[top : y0 + tile + MARGIN, left : x0 + tile + MARGIN])
            chance = network.run(None, {"film": part[None, None]})[0][0, 0]
            core = out[y0 : y0 + tile, x0 : x0 + tile]
            core[:] = chance[y0 - top : y0 - top + core.shape[0], x0 - left : x0 - left + core.shape[1]]
    return out


def _outline_blocks(grey: Array, hint: Array) -> Array:
    """Outline network on every block that holds a candidate pixel or lies next to one."""
    h, w = grey.shape
    around = ((BLOCK_MARGIN, BLOCK_MARGIN + -h % BLOCK), (BLOCK_MARGIN, BLOCK_MARGIN + -w % BLOCK))
    pair = np.stack([np.pad(grey, around), np.pad(hint, around)])
    out = np.zeros((h + -h % BLOCK, w + -w % BLOCK), np.float32)
    for y, x in _busy_blocks(hint, out.shape):
        part = pair[:, y : y + BLOCK + 2 * BLOCK_MARGIN, x : x + BLOCK + 2 * BLOCK_MARGIN]
        chance = _session(OUTLINE).run(None, {"film_and_hint": np.ascontiguousarray(part)[None]})[0][0, 0]
        out[y : y + BLOCK, x : x + BLOCK] = chance[BLOCK_MARGIN:-BLOCK_MARGIN, BLOCK_MARGIN:-BLOCK_MARGIN]
    return out[:h, :w]


def _busy_blocks(hint: Array, shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    near = cv2.dilate((hint > SEED).astype(np.uint8), np.ones((17, 17), np.uint8))
    for y in range(0, shape[0], BLOCK):
        for x in range(0, shape[1], BLOCK):
            if near[y : y + BLOCK, x : x + BLOCK].any():
                yield y, x


def _groups(mask: Mask, mm: float) -> list[_Group]:
    """Pixels of the mask, grouped by gaps under GROUP_MM."""
    side = 2 * round(GROUP_MM / mm / 2) + 1
    near = cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    boxes = [(slice(y, y + h), slice(x, x + w)) for x, y, w, h, _ in stats.tolist()]
    return [_Group(boxes[n], np.asarray(mask[boxes[n]] & (parts[boxes[n]] == n))) for n in range(1, count)]


def _labelled(shape: tuple[int, ...], kept: list[tuple[_Group, float]]) -> tuple[NDArray[np.int32], tuple[float, ...]]:
    """One number per 8-connected part, in reading order of the groups, and each part's score."""
    labels = np.zeros(shape, np.int32)
    scores: list[float] = []
    for group, score in kept:
        count, parts = cv2.connectedComponents(group.inside.astype(np.uint8), connectivity=8)
        labels[group.box][group.inside] = parts[group.inside] + len(scores)
        scores += [score] * (count - 1)
    return labels, tuple(scores)


def _score(group: _Group, maps: _Maps) -> float:
    """Mean of the two networks' 90th percentile inside the group."""
    return float(np.mean([np.percentile(group.over(a), 90) for a in (maps.hint, maps.chance)]))


def _reason(group: _Group, maps: _Maps) -> str:
    """Why the group is no deposit; empty when it is one."""
    if 2 * np.sqrt(group.area / np.pi) * maps.mm < maps.min_mm:
        return "too_small"
    if not maps.limb[group.box][group.inside].any():
        return "text_marker" if float(np.median(group.over(maps.grey))) > 0.6 else "outside_limb"
    return _look(group, maps) if _score(group, maps) < maps.threshold else ""


def _look(group: _Group, maps: _Maps) -> str:
    """What an unlikely group most resembles, by its brightness and place."""
    rows, columns = group.box
    if min(rows.start, columns.start) == 0 or rows.stop == maps.grey.shape[0] or columns.stop == maps.grey.shape[1]:
        return "film_border"
    value, around = float(np.median(group.over(maps.grey))), _around(group, maps)
    if value > 0.97 and value - around > 0.2:
        return "metal"
    if around > float(np.percentile(maps.grey[maps.limb], 70)):
        return "bone"
    return "faint" if value - around < 0.04 else "shape"


def _around(group: _Group, maps: _Maps) -> float:
    """Median brightness within 2 mm of the group's box, outside the group."""
    reach = int(np.ceil(2 / maps.mm))
    rows, columns = (slice(max(0, s.start - reach), s.stop + reach) for s in group.box)
    outside = maps.chance[rows, columns] <= EDGE
    part = maps.grey[rows, columns]
    return float(np.median(part[outside])) if outside.any() else float(np.median(part))


def _unconfirmed(maps: _Maps) -> Iterator[Dropped]:
    """Candidates of the finder that the outline network does not confirm anywhere."""
    for group in _groups(maps.hint > EDGE, maps.mm):
        if 2 * np.sqrt(group.area / np.pi) * maps.mm >= maps.min_mm and not (group.over(maps.chance) > EDGE).any():
            yield Dropped(*group.spot(), group.area, _score(group, maps), _reason(group, maps) or _look(group, maps))


@lru_cache(maxsize=4)
def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
