"""The outline of one pale deposit in a colour photo, inside a region that was drawn around it.

How an outline is found, in words. The prompt is seen through a small view of fixed size, so that every
constant below is a share of the prompt, never a number of pixels. Three maps say how unlike skin a pixel
is: lightness, lack of red (a halo is redder than skin, chalk is not), and the direction of Lab colour that
best parts the middle of the prompt from its surroundings, whatever the skin's tone. Every map is cut at
many levels; the piece of each cut nearest the middle is a candidate, and it is judged by how steep its
border is and how plausibly it fits the prompt. The best candidates vote. Then the box is redrawn around
the winner and the vote is held again, so that the outline depends little on how loosely the box was drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.arrays import Box, Bytes, Floats, Map, Mask, Pixels
from calcimeasure.model.image import Image, Kind

#: Long side of a box in its view, in view pixels; context beyond each side, as a share of the box.
VIEW, _CONTEXT = 96, 0.25
#: Smoothing of colour, as a share of the box: below it lies texture and JPEG noise.
_SMOOTH = 0.025
#: Spurs thinner than about this share of the box are cut off the outline.
_SPUR = 0.025
#: How many levels each map is cut at.
_LEVELS = 24
#: What a prompt usually looks like: the deposit fills a quarter of it and lies in its middle.
_USUAL_SHARE, _OFF_CENTRE = 0.27, 0.25
#: Weight of the border's steepness, cost of lying along the prompt's edge, softness of the vote.
_STEEPNESS, _TOUCHING, _TEMPERATURE = 1.5, 6.0, 0.1
#: Margin on every side when the box is redrawn around what was found, as a share of its size.
_REDRAW = 0.4
#: Smallest colour difference (CIE76) of a deposit from the skin around it that can be told from nothing.
_LEAST_DIFFERENCE = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Where to look: a box, and within it the inside of a lasso when there is one."""

    box: Box
    inside: Mask | None = None

    def clip(self, mask: Mask) -> Mask:
        """The part of a full-size mask that lies in the region."""
        kept = np.zeros_like(mask)
        here = self.box.slices
        kept[here] = mask[here] if self.inside is None else mask[here] & self.inside
        return kept

    def holds(self, row: int, column: int) -> bool:
        """Whether a pixel lies in it."""
        if not self.box.holds(row, column):
            return False
        return self.inside is None or bool(self.inside[row - self.box.row0, column - self.box.column0])


def require_photo(image: Image) -> None:
    """Refuse what has no colour.

    Raises
    ------
    MeasurementRefused
        When the image is no colour photo.
    """
    if image.kind is not Kind.PHOTO or image.pixels.ndim != 3 or image.pixels.shape[2] != 3:
        raise MeasurementRefused("this is not a colour photo: use the radiograph methods, or open it with kind photo")


@dataclass(frozen=True, slots=True, eq=False)
class _PromptView:
    """A prompt at working size: Lab colour, box coordinates (-1 to 1 from side to side), where to look."""

    lab: Map
    down: Map
    across: Map
    inside: Mask
    window: Box

    @property
    def edge(self) -> Map:
        """Distance from the middle in box units: 1 on the box's sides."""
        return np.maximum(np.abs(self.down), np.abs(self.across))

    @property
    def radius(self) -> Map:
        """Distance from the middle, round, in box units."""
        return np.hypot(self.down, self.across)


@dataclass(frozen=True, slots=True, eq=False)
class _LevelSet:
    """The piece of a map cut at a level that lies in the middle of the prompt, and how plausible it is (log weight)."""

    mask: Bytes
    score: float


@dataclass(frozen=True, slots=True)
class Aim:
    """How firmly the prompt is believed.

    `spread` is the tolerance of the deposit's share of the box (in logs); `pull` the squared radius within
    which a piece counts as being in the middle.
    """

    spread: float
    pull: float = 0.18


FIRST, _SECOND, CLICKED = Aim(0.8), Aim(0.65), Aim(0.65, 0.02)


def deposit_in(image: Image, region: Region, first: Aim = FIRST) -> Mask:
    """The deposit that a region was drawn around.

    Shape of the photo.
    """
    found = region.clip(outlined(image, region, first))
    if found.any():
        redrawn = Box.of(found).grown(_REDRAW, image.shape)
        # A box cuts what was found, but only a lasso hides its outside from the second vote: a deposit
        # that fills its box is recognised by the skin beyond it.
        limits = None if region.inside is None else inside_of(region, redrawn, image.shape)
        found = region.clip(outlined(image, Region(redrawn, limits), _SECOND))
    found = valid_part(image, found)
    _require_deposit(image, found)
    return found


def explained(image: Image, region: Region) -> float:
    """How well a region explains what is seen in it, a log weight; minus infinity where nothing is.

    The best level set's, and a little more the more its colour differs from what borders it.
    """
    view = _seen(image, region, VIEW // 2)
    best = max(_level_sets(view, CLICKED), key=lambda one: one.score, default=None)
    if best is None:
        return -np.inf
    ring = (cv2.dilate(best.mask, np.ones((7, 7), np.uint8)) - best.mask) > 0
    difference = np.median(view.lab[best.mask > 0], 0) - np.median(view.lab[ring], 0) if ring.any() else np.zeros(3)
    return best.score + 0.5 * float(np.log1p(np.linalg.norm(difference)))


def inside_of(region: Region, box: Box, shape: tuple[int, int]) -> Mask | None:
    """The part of a region that lies in another box; `None` when it is all of it.

    Shape of the box.
    """
    whole = region.clip(np.ones(shape, bool))[box.slices]
    return None if whole.all() else whole


def outlined(image: Image, region: Region, aim: Aim, long_side: int = VIEW) -> Mask:
    """Full-size mask of the deposit by the vote of the best candidates."""
    view = _seen(image, region, long_side)
    candidates = list(_level_sets(view, aim))
    mask = np.zeros(image.shape, bool)
    if candidates:
        rows, columns = view.window.size
        # Smoothed, so that thin spurs along glare and skin lines lose their vote.
        vote = cv2.GaussianBlur(_vote(candidates), (0, 0), _SPUR * long_side)
        share = cv2.resize(vote, (columns, rows), interpolation=cv2.INTER_LINEAR)
        mask[view.window.slices] = share > 0.5
    return mask


def _seen(image: Image, region: Region, long_side: int) -> _PromptView:
    """The region and its context, resampled so that the box's long side has `long_side` pixels."""
    window = region.box.grown(_CONTEXT, image.shape)
    scale = long_side / max(region.box.size)
    rows, columns = (max(8, round(side * scale)) for side in window.size)
    lab = lab_of(image.pixels[window.slices], rows, columns)
    down, across = np.meshgrid(
        _box_units(rows, window.row0, window.row1, region.box.row0, region.box.row1),
        _box_units(columns, window.column0, window.column1, region.box.column0, region.box.column1),
        indexing="ij",
    )
    inside = np.maximum(np.abs(down), np.abs(across)) <= 1
    return _PromptView(lab, down, across, inside & _resampled(region, window, inside), window)


def _box_units(count: int, start: int, stop: int, low: int, high: int) -> Map:
    centres = start + (np.arange(count) + 0.5) * (stop - start) / count
    return ((2 * centres - low - high) / (high - low)).astype(np.float32)


def _resampled(region: Region, window: Box, like: Mask) -> Mask:
    if region.inside is None:
        return np.ones_like(like)
    box = region.box
    full = np.zeros(window.size, np.float32)
    full[
        box.row0 - window.row0 : box.row1 - window.row0, box.column0 - window.column0 : box.column1 - window.column0
    ] = region.inside
    return np.asarray(cv2.resize(full, like.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5)


def lab_of(rgb: Pixels, rows: int, columns: int) -> Map:
    """CIE Lab (D65) of linearised sRGB, resampled; light is averaged when shrinking, cubic when growing.

    Shape (rows, columns, 3), in Lab units.
    """
    method = cv2.INTER_AREA if rows < rgb.shape[0] else cv2.INTER_CUBIC
    top = np.iinfo(rgb.dtype).max if rgb.dtype.kind in "ui" else 1.0
    light = cv2.resize(rgb, (columns, rows), interpolation=method).astype(np.float32) / np.float32(top)
    return np.asarray(cv2.cvtColor(np.clip(light, 0, 1), cv2.COLOR_RGB2Lab))


def _level_sets(view: _PromptView, aim: Aim) -> Iterator[_LevelSet]:
    """Level sets of every map, the piece nearest the middle of each, judged."""
    length = float(view.inside.any(0).sum() + view.inside.any(1).sum()) / 2
    smooth = cv2.GaussianBlur(view.lab, (0, 0), max(_SMOOTH * length, 0.3))
    middle = np.exp(-(view.radius**2) / aim.pull)
    for unlike_skin in _maps(view, smooth):
        values = unlike_skin[view.inside]
        if values.size < 16 or values.std() < 1e-3:
            continue
        steep = _gradient(unlike_skin) * length / values.std()
        for level in np.unique(np.quantile(values, np.linspace(0.05, 0.97, _LEVELS))):
            piece = _middle_piece((unlike_skin > level) & view.inside, middle)
            if piece is not None:
                yield _LevelSet(piece, _plausibility(piece, steep, view, aim))


def _maps(view: _PromptView, smooth: Map) -> tuple[Map, ...]:
    """Lightness, lack of red, and the colour direction that parts the middle from its surroundings."""
    return smooth[..., 0], -smooth[..., 1], _parting(smooth, view.radius < 0.35, view.radius > 0.95)


def _parting(lab: Map, middle: Mask, around: Mask) -> Map:
    """Fisher's linear discriminant of two sets of pixels; 2 Lab units of noise keep it from splitting hairs."""
    if middle.sum() < 4 or around.sum() < 4:
        return lab[..., 0]
    within, without = lab[middle].astype(float), lab[around].astype(float)
    spread = (np.cov(within.T, bias=True) + np.cov(without.T, bias=True)) / 2 + 4 * np.eye(3)
    direction = np.linalg.solve(spread, within.mean(0) - without.mean(0))
    return (lab @ direction.astype(np.float32)).astype(np.float32)


def _gradient(plane: Map) -> Map:
    return np.asarray(np.hypot(cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1)) / 8, np.float32)


def _middle_piece(cut: Mask, middle: Map) -> Bytes | None:
    """The connected piece with most of its weight in the middle, holes filled; `None` under 9 pixels."""
    count, pieces = cv2.connectedComponents(cut.astype(np.uint8), connectivity=4)
    weights = np.bincount(pieces.ravel(), middle.ravel(), count)[1:]
    if not weights.size:
        return None
    piece = (pieces == 1 + int(np.argmax(weights))).astype(np.uint8)
    outlines, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(piece, outlines, -1, 1, -1)
    return piece if piece.sum() >= 9 else None


_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def _plausibility(piece: Bytes, steep: Map, view: _PromptView, aim: Aim) -> float:
    """Log weight of a candidate: a steep border, a usual share of the box, in its middle, off its edges."""
    mask, rim = piece > 0, (piece - cv2.erode(piece, _CROSS)) > 0
    border = rim | ((cv2.dilate(piece, _CROSS) - piece) > 0)
    share = mask.sum() / view.inside.sum()
    off = np.hypot(view.down[mask].mean(), view.across[mask].mean())
    touching = (view.edge[rim] > 0.95).mean()
    return float(
        _STEEPNESS * np.log(np.median(steep[border]) + 1e-3)
        - (np.log(share / _USUAL_SHARE) / aim.spread) ** 2 / 2
        - (off / _OFF_CENTRE) ** 2 / 2
        - _TOUCHING * touching
    )


def _vote(candidates: list[_LevelSet]) -> Map:
    scores = np.array([one.score for one in candidates])
    weights = np.exp((scores - scores.max()) / _TEMPERATURE)
    masks = np.stack([one.mask for one in candidates]).astype(np.float64)
    return np.tensordot(weights / weights.sum(), masks, 1).astype(np.float32)


def valid_part(image: Image, mask: Mask) -> Mask:
    """The part of a mask where there is a picture."""
    return mask if image.valid is None else mask & image.valid


def _require_deposit(image: Image, mask: Mask) -> None:
    if not mask.any():
        raise MeasurementRefused("nothing in the prompt stands out from the skin: draw it around a pale deposit")
    difference = _stands_out(image, mask)
    if float(np.linalg.norm(difference)) < _LEAST_DIFFERENCE:
        raise MeasurementRefused("what lies in the prompt has the colour of the skin around it: no deposit is outlined")


def _stands_out(image: Image, mask: Mask) -> Floats:
    """Median Lab of a deposit minus that of its surroundings."""
    inside, around = sides(image, mask)
    return np.asarray(np.median(inside, 0) - np.median(around, 0), float)


def sides(image: Image, mask: Mask) -> tuple[Map, Map]:
    """Lab pixels of a deposit and of the frame around it (half its size wide); equal ones when there is no frame.

    Both of shape (pixels, 3), in Lab units.
    """
    window = Box.of(mask).grown(0.5, image.shape)
    scale = min(1.0, VIEW / max(window.size))
    rows, columns = (max(3, round(side * scale)) for side in window.size)
    lab = lab_of(image.pixels[window.slices], rows, columns)
    inside = cv2.resize(mask[window.slices].astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA) > 0.5
    if inside.all() or not inside.any():
        return lab.reshape(-1, 3), lab.reshape(-1, 3)
    return lab[inside], lab[~inside]
