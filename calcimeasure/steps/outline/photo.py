"""Pale deposits in a colour photo: outlined where a person points, or proposed for a person to accept.

How an outline is found, in words. The prompt is seen through a small view of fixed size, so that every
constant below is a share of the prompt, never a number of pixels. Three maps say how unlike skin a pixel
is: lightness, lack of red (a halo is redder than skin, chalk is not), and the direction of Lab colour that
best parts the middle of the prompt from its surroundings, whatever the skin's tone. Every map is cut at
many levels; the piece of each cut nearest the middle is a candidate, and it is judged by how steep its
border is and how plausibly it fits the prompt. The best candidates vote. Then the box is redrawn around
the winner and the vote is held again, so that the outline depends little on how loosely the box was drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.authorship import BY_PROGRAM, Author, Authorship
from calcimeasure.model.deposit import Excluded, Reason, Segmentation
from calcimeasure.model.image import Image, Kind, Pixels
from calcimeasure.model.labels import Labels
from calcimeasure.model.warning import Code, Remark
from calcimeasure.steps.outline.settings import SegmentSettings

Mask = npt.NDArray[np.bool_]
Plane = npt.NDArray[np.float32]
Points = Sequence[tuple[float, float]] | npt.NDArray[np.float64]

#: Long side of a box in its view, in view pixels; context beyond each side, as a share of the box.
_VIEW, _CONTEXT = 96, 0.25
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
#: Searching without a prompt: long side of the searched picture in px, and how many places are judged.
_SEARCH, _PLACES = 640, 90


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate that waits for a person: its label, its score (0-1) and its box, the end exclusive."""

    label: int
    score: float
    bbox: tuple[int, int, int, int]


def segment_photo(
    image: Image,
    *,
    box: tuple[float, float, float, float] | None = None,
    lasso: Points | None = None,
    clicks: Points | None = None,
) -> Labels:
    """The deposits a person points at, one label each, in reading order.

    One prompt, one deposit: a box or a lasso gives the deposit it was drawn around (the one in its middle;
    a neighbour cut by its edge is left out); clicks give one deposit each. Clicks together with a box or a
    lasso give one deposit each and confine them to it. A box together with a lasso is refused.

    Parameters
    ----------
    image : Image
        A colour photo; pixels of shape (rows, columns, 3).
    box : (row0, column0, row1, column1), optional
        In pixels, the end exclusive; the part outside the frame is ignored. Draw it loosely: skin must be
        seen around the deposit.
    lasso : array, shape (points, 2), optional
        (row, column) corners of a closed outline around the deposit.
    clicks : sequence of (row, column), optional
        A point on each deposit.

    Returns
    -------
    Labels
        Shape of the image. Two clicks on one deposit give one label.

    Raises
    ------
    MeasurementRefused
        When the image is no colour photo, the prompt makes no sense, or nothing pale stands out from it.
    """
    _require_photo(image)
    if box is None and lasso is None and clicks is None:
        raise MeasurementRefused("no prompt: give a box, a lasso or clicks, or use propose() to search the photo")
    region = _region(image.shape, box, lasso)
    if clicks is None:
        masks = [_deposit_in(image, region)]
    else:
        masks = [_deposit_at(image, region, point) for point in _clicked(clicks, image.shape, region)]
    outlines = _numbered([_Piece.of(mask) for mask in masks], image.shape)
    return Labels(outlines, (_told(box, lasso, clicks),), Authorship(Author.ACCEPTED))


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
    _require_photo(image)
    settings = settings or SegmentSettings()
    lettering = _lettering(image)
    places = _pale_places(image, lettering)
    found = _without_overlap(_judged(image, place, lettering, settings) for place in places)
    kept = [one for one in found if one.counts(settings)]
    labels = Labels(
        _numbered([one.piece for one in kept], image.shape), ("photo searched without a prompt",), BY_PROGRAM
    )
    probability = np.zeros(image.shape, np.float32)
    for one in found:
        probability[one.box.slices][one.piece.mask] = one.score
    dropped = (*_texts(lettering), *(_dropped(one) for one in found if not one.counts(settings)))
    return Segmentation(labels, dropped, probability=probability, warnings=(Remark.of(Code.PROPOSED),))


def ranking(proposed: Segmentation) -> tuple[Proposal, ...]:
    """The labelled candidates of `propose`, best first; equal scores in label order."""
    if proposed.probability is None:
        return ()
    rows = [_proposal(proposed.labels.array, proposed.probability, int(n)) for n in proposed.labels.numbers]
    return tuple(sorted(rows, key=lambda row: (-row.score, row.label)))


# --- prompts -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Box:
    """Whole pixels, the end exclusive."""

    row0: int
    column0: int
    row1: int
    column1: int

    @property
    def size(self) -> tuple[int, int]:
        return self.row1 - self.row0, self.column1 - self.column0

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.row0, self.row1), slice(self.column0, self.column1)

    def grown(self, share: float, shape: tuple[int, int]) -> _Box:
        """The box with `share` of its size added on every side, within the frame."""
        down, across = (int(np.ceil(share * side)) for side in self.size)
        return _Box(self.row0 - down, self.column0 - across, self.row1 + down, self.column1 + across).within(shape)

    def within(self, shape: tuple[int, int]) -> _Box:
        rows, columns = shape
        return _Box(max(self.row0, 0), max(self.column0, 0), min(self.row1, rows), min(self.column1, columns))

    @classmethod
    def of(cls, mask: Mask) -> _Box:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        return cls(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


@dataclass(frozen=True, slots=True, eq=False)
class _Region:
    """Where to look: a box, and within it the inside of a lasso when there is one."""

    box: _Box
    inside: Mask | None = None

    def clip(self, mask: Mask) -> Mask:
        """The part of a full-size mask that lies in the region."""
        kept = np.zeros_like(mask)
        here = self.box.slices
        kept[here] = mask[here] if self.inside is None else mask[here] & self.inside
        return kept

    def holds(self, row: int, column: int) -> bool:
        box = self.box
        if not (box.row0 <= row < box.row1 and box.column0 <= column < box.column1):
            return False
        return self.inside is None or bool(self.inside[row - box.row0, column - box.column0])


def _require_photo(image: Image) -> None:
    if image.kind is not Kind.PHOTO or image.pixels.ndim != 3 or image.pixels.shape[2] != 3:
        raise MeasurementRefused("this is not a colour photo: use the radiograph methods, or open it with kind photo")


def _region(shape: tuple[int, int], box: tuple[float, float, float, float] | None, lasso: Points | None) -> _Region:
    if box is not None and lasso is not None:
        raise MeasurementRefused("a box and a lasso were given: give one of them")
    if lasso is not None:
        return _lassoed(lasso, shape)
    return _Region(_Box(0, 0, *shape) if box is None else _boxed(box, shape))


def _boxed(box: tuple[float, float, float, float], shape: tuple[int, int]) -> _Box:
    sides = np.asarray(box, float)
    if sides.shape != (4,) or not np.isfinite(sides).all():
        raise MeasurementRefused(f"the box {box} is not four finite numbers (row0, column0, row1, column1)")
    low, high = np.floor(sides[:2]), np.ceil(sides[2:])
    clipped = np.clip(np.concatenate([low, high]), 0, [*shape, *shape]).astype(int)
    found = _Box(*(int(side) for side in clipped))
    if min(found.size) < 4:
        raise MeasurementRefused(
            f"the box {box} holds less than 4 x 4 px of this {shape[0]} x {shape[1]} photo: draw it around a deposit"
        )
    return found


def _corners(points: Points, what: str) -> npt.NDArray[np.float64]:
    corners = np.asarray(points, float)
    if corners.ndim != 2 or corners.shape[1] != 2 or not len(corners) or not np.isfinite(corners).all():
        raise MeasurementRefused(f"the {what} must be finite (row, column) pairs, one or more")
    return corners


def _lassoed(lasso: Points, shape: tuple[int, int]) -> _Region:
    corners = _corners(lasso, "lasso")
    if len(corners) < 3:
        raise MeasurementRefused(f"a lasso needs three points or more, got {len(corners)}")
    low, high = corners.min(0), corners.max(0)
    box = _boxed((low[0], low[1], high[0] + 1, high[1] + 1), shape)
    # Points far outside the frame would overflow the polygon filler: one frame beyond is as good as any.
    held = np.clip(corners, [-shape[0], -shape[1]], [2 * shape[0], 2 * shape[1]])
    inside = np.zeros(box.size, np.uint8)
    cv2.fillPoly(inside, [np.rint(held - [box.row0, box.column0])[:, ::-1].astype(np.int32)], 1)
    if inside.sum() < 16:
        raise MeasurementRefused("the lasso holds less than 16 px of this photo: draw it around a deposit")
    return _Region(box, inside > 0)


def _clicked(clicks: Points, shape: tuple[int, int], region: _Region) -> list[tuple[int, int]]:
    points = [(int(row), int(column)) for row, column in np.floor(_corners(clicks, "clicks")).clip(-1, 2**31 - 1)]
    for row, column in points:
        if not (0 <= row < shape[0] and 0 <= column < shape[1]):
            raise MeasurementRefused(f"the click ({row}, {column}) lies outside this {shape[0]} x {shape[1]} photo")
        if not region.holds(row, column):
            raise MeasurementRefused(f"the click ({row}, {column}) lies outside the box or lasso given with it")
    return points


def _told(box: object, lasso: object, clicks: Points | None) -> str:
    prompts = [name for name, prompt in (("box", box), ("lasso", lasso)) if prompt is not None]
    if clicks is not None:
        prompts.append(f"{len(clicks)} click{'s' if len(clicks) > 1 else ''}")
    return f"photo outlined by level sets of colour inside {' and '.join(prompts)}"


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A mask cut to its box: sixty of them in a large photo fit in memory."""

    box: _Box
    mask: Mask

    @classmethod
    def of(cls, mask: Mask) -> _Piece:
        box = _Box.of(mask)
        return cls(box, mask[box.slices].copy())

    @property
    def first(self) -> tuple[int, int]:
        """Row and column of the first pixel in reading order."""
        return self.box.row0, self.box.column0 + int(np.argmax(self.mask[0]))


def _numbered(pieces: list[_Piece], shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    """One number per piece in reading order; a piece half covered by an earlier one is that one."""
    array = np.zeros(shape, np.int32)
    number = 0
    for piece in sorted(pieces, key=lambda one: one.first):
        here = array[piece.box.slices]
        free = piece.mask & (here == 0)
        if 2 * free.sum() > piece.mask.sum():
            number += 1
            here[free] = number
    return array


# --- one deposit ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A prompt at working size: Lab colour, box coordinates (-1 to 1 from side to side), where to look."""

    lab: Plane
    down: Plane
    across: Plane
    inside: Mask
    window: _Box

    @property
    def edge(self) -> Plane:
        """Distance from the middle in box units: 1 on the box's sides."""
        return np.maximum(np.abs(self.down), np.abs(self.across))

    @property
    def radius(self) -> Plane:
        return np.hypot(self.down, self.across)


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    mask: npt.NDArray[np.uint8]
    score: float


@dataclass(frozen=True, slots=True)
class _Aim:
    """How firmly the prompt is believed.

    `spread` is the tolerance of the deposit's share of the box (in logs); `pull` the squared radius within
    which a piece counts as being in the middle.
    """

    spread: float
    pull: float = 0.18


_FIRST, _SECOND, _CLICKED = _Aim(0.8), _Aim(0.65), _Aim(0.65, 0.02)


def _deposit_in(image: Image, region: _Region, first: _Aim = _FIRST) -> Mask:
    """The deposit that a region was drawn around."""
    found = region.clip(_outline(image, region, first))
    if found.any():
        redrawn = _Box.of(found).grown(_REDRAW, image.shape)
        # A box cuts what was found, but only a lasso hides its outside from the second vote: a deposit
        # that fills its box is recognised by the skin beyond it.
        limits = None if region.inside is None else _inside(region, redrawn, image.shape)
        found = region.clip(_outline(image, _Region(redrawn, limits), _SECOND))
    found = _valid(image, found)
    _require_deposit(image, found)
    return found


def _deposit_at(image: Image, region: _Region, point: tuple[int, int]) -> Mask:
    """The deposit under a click: the box around it that explains best what is seen there."""
    boxes = _boxes_around(point, image.shape)
    scores = [_best_score(image, _Region(box, _inside(region, box, image.shape))) for box in boxes]
    box = boxes[int(np.argmax(scores))]
    return _deposit_in(image, _Region(box, _inside(region, box, image.shape)), _CLICKED)


def _boxes_around(point: tuple[int, int], shape: tuple[int, int]) -> list[_Box]:
    row, column = point
    halves = [half for half in (np.rint(6 * 1.35**step).astype(int) for step in range(24)) if 2 * half <= min(shape)]
    return [_Box(row - h, column - h, row + h + 1, column + h + 1).within(shape) for h in map(int, halves or [3])]


def _best_score(image: Image, region: _Region) -> float:
    """The best candidate's score, and a little more the more its colour differs from what borders it."""
    view = _seen(image, region, _VIEW // 2)
    best = max(_candidates(view, _CLICKED), key=lambda one: one.score, default=None)
    if best is None:
        return -np.inf
    ring = (cv2.dilate(best.mask, np.ones((7, 7), np.uint8)) - best.mask) > 0
    difference = np.median(view.lab[best.mask > 0], 0) - np.median(view.lab[ring], 0) if ring.any() else np.zeros(3)
    return best.score + 0.5 * float(np.log1p(np.linalg.norm(difference)))


def _inside(region: _Region, box: _Box, shape: tuple[int, int]) -> Mask | None:
    """The part of a region that lies in another box; `None` when it is all of it."""
    whole = region.clip(np.ones(shape, bool))[box.slices]
    return None if whole.all() else whole


def _outline(image: Image, region: _Region, aim: _Aim, long_side: int = _VIEW) -> Mask:
    """Full-size mask of the deposit by the vote of the best candidates."""
    view = _seen(image, region, long_side)
    candidates = list(_candidates(view, aim))
    mask = np.zeros(image.shape, bool)
    if candidates:
        rows, columns = view.window.size
        # Smoothed, so that thin spurs along glare and skin lines lose their vote.
        vote = cv2.GaussianBlur(_vote(candidates), (0, 0), _SPUR * long_side)
        share = cv2.resize(vote, (columns, rows), interpolation=cv2.INTER_LINEAR)
        mask[view.window.slices] = share > 0.5
    return mask


def _seen(image: Image, region: _Region, long_side: int) -> _View:
    """The region and its context, resampled so that the box's long side has `long_side` pixels."""
    window = region.box.grown(_CONTEXT, image.shape)
    scale = long_side / max(region.box.size)
    rows, columns = (max(8, round(side * scale)) for side in window.size)
    lab = _lab(image.pixels[window.slices], rows, columns)
    down, across = np.meshgrid(
        _box_units(rows, window.row0, window.row1, region.box.row0, region.box.row1),
        _box_units(columns, window.column0, window.column1, region.box.column0, region.box.column1),
        indexing="ij",
    )
    inside = np.maximum(np.abs(down), np.abs(across)) <= 1
    return _View(lab, down, across, inside & _resampled(region, window, inside), window)


def _box_units(count: int, start: int, stop: int, low: int, high: int) -> Plane:
    centres = start + (np.arange(count) + 0.5) * (stop - start) / count
    return ((2 * centres - low - high) / (high - low)).astype(np.float32)


def _resampled(region: _Region, window: _Box, like: Mask) -> Mask:
    if region.inside is None:
        return np.ones_like(like)
    box = region.box
    full = np.zeros(window.size, np.float32)
    full[
        box.row0 - window.row0 : box.row1 - window.row0, box.column0 - window.column0 : box.column1 - window.column0
    ] = region.inside
    return np.asarray(cv2.resize(full, like.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5)


def _lab(rgb: Pixels, rows: int, columns: int) -> Plane:
    """CIE Lab (D65) of linearised sRGB, resampled; light is averaged when shrinking, cubic when growing."""
    method = cv2.INTER_AREA if rows < rgb.shape[0] else cv2.INTER_CUBIC
    top = np.iinfo(rgb.dtype).max if rgb.dtype.kind in "ui" else 1.0
    light = cv2.resize(rgb, (columns, rows), interpolation=method).astype(np.float32) / np.float32(top)
    return np.asarray(cv2.cvtColor(np.clip(light, 0, 1), cv2.COLOR_RGB2Lab))


def _candidates(view: _View, aim: _Aim) -> Iterator[_Candidate]:
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
                yield _Candidate(piece, _plausibility(piece, steep, view, aim))


def _maps(view: _View, smooth: Plane) -> tuple[Plane, ...]:
    """Lightness, lack of red, and the colour direction that parts the middle from its surroundings."""
    return smooth[..., 0], -smooth[..., 1], _parting(smooth, view.radius < 0.35, view.radius > 0.95)


def _parting(lab: Plane, middle: Mask, around: Mask) -> Plane:
    """Fisher's linear discriminant of two sets of pixels; 2 Lab units of noise keep it from splitting hairs."""
    if middle.sum() < 4 or around.sum() < 4:
        return lab[..., 0]
    within, without = lab[middle].astype(float), lab[around].astype(float)
    spread = (np.cov(within.T, bias=True) + np.cov(without.T, bias=True)) / 2 + 4 * np.eye(3)
    direction = np.linalg.solve(spread, within.mean(0) - without.mean(0))
    return (lab @ direction.astype(np.float32)).astype(np.float32)


def _gradient(plane: Plane) -> Plane:
    return np.asarray(np.hypot(cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1)) / 8, np.float32)


def _middle_piece(cut: Mask, middle: Plane) -> npt.NDArray[np.uint8] | None:
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


def _plausibility(piece: npt.NDArray[np.uint8], steep: Plane, view: _View, aim: _Aim) -> float:
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


def _vote(candidates: list[_Candidate]) -> Plane:
    scores = np.array([one.score for one in candidates])
    weights = np.exp((scores - scores.max()) / _TEMPERATURE)
    masks = np.stack([one.mask for one in candidates]).astype(np.float64)
    return np.tensordot(weights / weights.sum(), masks, 1).astype(np.float32)


def _valid(image: Image, mask: Mask) -> Mask:
    return mask if image.valid is None else mask & image.valid


def _require_deposit(image: Image, mask: Mask) -> None:
    if not mask.any():
        raise MeasurementRefused("nothing in the prompt stands out from the skin: draw it around a pale deposit")
    difference = _stands_out(image, mask)
    if float(np.linalg.norm(difference)) < _LEAST_DIFFERENCE:
        raise MeasurementRefused("what lies in the prompt has the colour of the skin around it: no deposit is outlined")


def _stands_out(image: Image, mask: Mask) -> npt.NDArray[np.float64]:
    """Median Lab of a deposit minus that of its surroundings."""
    inside, around = _sides(image, mask)
    return np.asarray(np.median(inside, 0) - np.median(around, 0), float)


def _sides(image: Image, mask: Mask) -> tuple[Plane, Plane]:
    """Lab pixels of a deposit and of the frame around it (half its size wide); equal ones when there is no frame."""
    window = _Box.of(mask).grown(0.5, image.shape)
    scale = min(1.0, _VIEW / max(window.size))
    rows, columns = (max(3, round(side * scale)) for side in window.size)
    lab = _lab(image.pixels[window.slices], rows, columns)
    inside = cv2.resize(mask[window.slices].astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA) > 0.5
    if inside.all() or not inside.any():
        return lab.reshape(-1, 3), lab.reshape(-1, 3)
    return lab[inside], lab[~inside]


# --- the whole photo -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A judged place: what lies there, its score (0-1) and what speaks most against it."""

    piece: _Piece
    score: float
    reason: Reason

    @property
    def box(self) -> _Box:
        return self.piece.box

    def counts(self, settings: SegmentSettings) -> bool:
        return self.score >= settings.threshold and self.reason is not Reason.TOO_SMALL


def _searched(image: Image) -> tuple[Plane, float]:
    """The photo in Lab at the size it is searched at, and that size over the photo's."""
    scale = min(1.0, _SEARCH / max(image.shape))
    rows, columns = (max(8, round(side * scale)) for side in image.shape)
    return _lab(image.pixels, rows, columns), scale


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


def _pale_places(image: Image, lettering: Mask) -> list[_Box]:
    """Boxes around the spots that are paler or less red than their surroundings, strongest first."""
    lab, scale = _searched(image)
    # Green or blue cloth is not paler than skin: all that is less red than grey counts as grey.
    redness = np.maximum(lab[..., 1], 0)
    warm = _warmth(lab[..., 1], lab[..., 2]) > 0
    peaks = sorted(peak for pallor in (lab[..., 0] - redness, -redness) for peak in _peaks(pallor) if warm[peak[1:3]])
    boxes: list[_Box] = []
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


def _peaks(pallor: Plane) -> Iterator[tuple[float, int, int, float]]:
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


def _box_about(row: float, column: float, half: float, shape: tuple[int, int]) -> _Box:
    low = int(np.floor(row - half)), int(np.floor(column - half))
    high = int(np.ceil(row + half)), int(np.ceil(column + half))
    return _Box(*low, *high).within(shape)


def _overlap(one: _Box, other: _Box) -> float:
    """Shared area over the smaller of the two."""
    down = min(one.row1, other.row1) - max(one.row0, other.row0)
    across = min(one.column1, other.column1) - max(one.column0, other.column0)
    smaller = min(one.size[0] * one.size[1], other.size[0] * other.size[1])
    return max(down, 0) * max(across, 0) / smaller


def _alike(one: _Box, other: _Box) -> float:
    """Shared area over all that either covers: boxes of one middle and two sizes are unlike."""
    areas = [box.size[0] * box.size[1] for box in (one, other)]
    shared = _overlap(one, other) * min(areas)
    return shared / (sum(areas) - shared)


def _judged(image: Image, place: _Box, lettering: Mask, settings: SegmentSettings) -> _Found | None:
    """The deposit in a place with its score; `None` when nothing lies there."""
    mask = _valid(image, _Region(place).clip(_outline(image, _Region(place), _FIRST, _VIEW // 2)))
    if not mask.any():
        return None
    terms = _evidence(image, mask)
    terms[Reason.TEXT] *= 1 - _ramp(float(lettering[mask].mean()), 0.05, 0.3)
    worst = min(terms, key=lambda reason: terms[reason])
    small = mask.sum() < settings.min_area_px
    return _Found(_Piece.of(mask), float(np.prod(list(terms.values()))), Reason.TOO_SMALL if small else worst)


def _evidence(image: Image, mask: Mask) -> dict[Reason, float]:
    """What speaks for a deposit, each 0-1: it stands out, is compact, lies on skin, and is no lettering.

    The slopes are judgement, not fitted: seven photos would not carry a fit.
    """
    inside, around = _sides(image, mask)
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


def _warmth(redness: Plane, yellowness: Plane) -> Plane:
    """Above 0 for skin of every tone and for what lies in it, below 0 for cloth of grey, green or blue."""
    return np.asarray(redness + 0.5 * yellowness, np.float32)


def _ramp(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0, 1))


def _solidity(mask: Mask) -> float:
    """Area over the area of the convex hull."""
    outlines, _ = cv2.findContours(
        mask[_Box.of(mask).slices].astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
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


def _part(piece: _Piece, low: npt.NDArray[np.int_], high: npt.NDArray[np.int_]) -> Mask:
    top, left = piece.box.row0, piece.box.column0
    return piece.mask[low[0] - top : high[0] - top, low[1] - left : high[1] - left]


def _dropped(one: _Found) -> Excluded:
    box = one.box
    bbox = (box.row0, box.column0, box.row1, box.column1)
    return Excluded(one.reason, *one.piece.first, bbox, int(one.piece.mask.sum()), one.score)


def _proposal(array: npt.NDArray[np.int32], probability: Plane, number: int) -> Proposal:
    mask = array == number
    box = _Box.of(mask)
    return Proposal(number, float(probability[mask].max()), (box.row0, box.column0, box.row1, box.column1))
