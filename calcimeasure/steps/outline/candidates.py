"""From candidates to deposits: each is kept, or excluded with its reason. Shared by all methods for films."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi

from calcimeasure.model.authorship import BY_PROGRAM
from calcimeasure.model.deposit import Excluded, Reason, Segmentation
from calcimeasure.model.image import Image, Mask
from calcimeasure.model.labels import Labels
from calcimeasure.steps.anatomy import Grey, Survey, disc
from calcimeasure.steps.outline.clusters import gaps_filled, joined
from calcimeasure.steps.outline.plate_marks import goes_on_outside
from calcimeasure.steps.outline.settings import SegmentSettings

#: How far outside the limb mask a deposit may lie: skin over a swollen finger tip fades into air.
SKIN_MM = 3.0
#: A lead or burnt-in mark: its top is flat at the film's brightest value, and its rim falls this much within 2 px.
HARD_FLAT, HARD_STEP = 0.4, 0.5
#: Over bone, which is bright itself, the rim falls less; but calcium is not at the ceiling from rim to rim.
WHOLLY_FLAT, WHOLLY_STEP = 0.95, 0.35
#: Letters are drawn with strokes thinner than this and stand no taller than this.
STROKE_MM, GLYPH_MM = 4.0, 20.0
#: A collimation edge or a cassette line is at least this long, and this much longer than wide.
LINE_MM, LINE_ELONGATION = 20.0, 8.0
#: A strand as long as that is calcium when it lies in the limb and the method is that sure of it.
STRAND_INSIDE, STRAND_SCORE = 0.9, 0.8
#: A finding that the method is so sure of, with tissue round it, lies in the limb wherever the limb's mask ends.
SURE_SCORE = 0.95
#: Tissue is looked for so far from such a finding; where no limb is begins so far from the limb.
NEAR_MM, CLEAR_MM = 2.0, 7.0
_BLOCK = 64  # pixels; see `_islands`


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A connected region of the film that may be a deposit.

    Parameters
    ----------
    row, column : int
        Upper left pixel of its window on the film.
    mask : bool array
        Which pixels of the window belong to it.
    score : float
        The method's confidence that it is a deposit, 0-1.
    redrawn : Candidate, optional
        Its outline drawn anew, for when it is kept; it is judged as it was found.
    """

    row: int
    column: int
    mask: Mask
    score: float
    redrawn: Candidate | None = None

    @property
    def outlined(self) -> Candidate:
        """As it is outlined when it is kept."""
        return self.redrawn or self

    @property
    def window(self) -> tuple[slice, slice]:
        """Its window as an index into the film."""
        rows, columns = self.mask.shape
        return slice(self.row, self.row + rows), slice(self.column, self.column + columns)

    @property
    def area(self) -> int:
        """Its size in pixels."""
        return int(np.count_nonzero(self.mask))

    def share(self, where: Mask) -> float:
        """Which part (0-1) of it lies in a mask of the film."""
        return float(where[self.window][self.mask].mean())


@dataclass(frozen=True, slots=True, eq=False)
class Grounds:
    """What a candidate is judged by: the film, its survey at full size, the settings and the region of interest.

    `tissue` is more than the limb, a dim toe for instance; `clear` is where certainly no limb is.
    """

    film: Grey
    valid: Mask
    limb: Mask
    bone: Mask
    mm: float
    pixel_mm2: float | None
    least_px: float
    threshold: float
    region: Mask | None
    tissue: Mask | None = None
    clear: Mask | None = None
    join_mm: float = 0.0

    @classmethod
    def of(cls, image: Image, seen: Survey, settings: SegmentSettings, region: Mask | None) -> Grounds:
        """The grounds of one film; the limb is widened by `SKIN_MM`."""
        skin = cv2.dilate(seen.limb.astype(np.uint8), disc(2 * SKIN_MM / seen.mm)).astype(bool)
        far = disc(2 * CLEAR_MM / seen.mm)
        mm2 = image.spacing.pixel_mm2 if image.spacing else None
        return cls(
            film=seen.full,
            valid=seen.enlarged(seen.valid),
            limb=seen.enlarged(skin),
            bone=seen.enlarged(seen.bone),
            mm=seen.native_mm,
            pixel_mm2=mm2,
            least_px=_least_px(settings, mm2),
            threshold=settings.threshold,
            region=region,
            join_mm=settings.join_mm,
            tissue=seen.enlarged(seen.tissue),
            clear=seen.enlarged(seen.valid & ~cv2.dilate(seen.limb.astype(np.uint8), far).astype(bool)),
        )

    def under(self, settings: SegmentSettings, region: Mask | None) -> Grounds:
        """The same film under other settings and another region of interest."""
        least = _least_px(settings, self.pixel_mm2)
        return replace(self, least_px=least, threshold=settings.threshold, region=region, join_mm=settings.join_mm)


def candidates_of(mask: Mask, score: npt.NDArray[np.floating]) -> list[Candidate]:
    """The 8-connected parts of a mask, each with the highest score found in it, in reading order of the windows."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    found = []
    for number, (x, y, width, height, _) in enumerate(stats[1:].tolist(), 1):
        window = slice(y, y + height), slice(x, x + width)
        inside = parts[window] == number
        found.append(Candidate(y, x, inside, float(score[window][inside].max())))
    return found


def sort_out(candidates: Iterable[Candidate], grounds: Grounds) -> tuple[npt.NDArray[np.int32], tuple[Excluded, ...]]:
    """Label image of the candidates that are kept, numbered in reading order, and the list of the others.

    Each part is a deposit of its own, but specks under the smallest size belong to the nearest part of their candidate,
    and grains of a cluster to each other (`clusters`).
    """
    judged = [(candidate, verdict(candidate, grounds)) for candidate in candidates]
    kept = [candidate.outlined for candidate, reason in judged if reason is None]
    dropped = [_excluded(candidate, reason) for candidate, reason in judged if reason is not None]
    mask = np.zeros(grounds.film.shape, bool)
    for candidate in kept:
        mask[candidate.window] |= candidate.mask
    if grounds.region is not None:
        mask &= grounds.region
    labels = specks_joined(in_reading_order(mask), kept, grounds.least_px)
    if grounds.join_mm and kept:
        allowed = grounds.valid if grounds.region is None else grounds.valid & grounds.region
        labels = gaps_filled(joined(labels, grounds.join_mm, grounds.mm), grounds.mm, allowed)
    return labels, tuple(sorted(dropped, key=lambda e: (e.row, e.column)))


def scores_on(labels: npt.NDArray[np.int32], candidates: Iterable[Candidate]) -> tuple[tuple[int, int, float], ...]:
    """Row and column of a pixel of every deposit with the score of its candidate."""
    found = []
    for candidate in candidates:
        own = np.where(candidate.mask, labels[candidate.window], 0)
        numbers, firsts = np.unique(own, return_index=True)
        for first in firsts[numbers > 0].tolist():
            row, column = divmod(first, own.shape[1])
            found.append((candidate.row + row, candidate.column + column, candidate.score))
    return tuple(found)


def specks_joined(
    numbered: npt.NDArray[np.int32], candidates: Iterable[Candidate], least_px: float
) -> npt.NDArray[np.int32]:
    """The numbered parts, those under `least_px` with the number of the nearest larger part of their candidate.

    A candidate whose parts are all specks, a cluster of grains, becomes one deposit. Numbers stay in reading order.
    """
    owner = np.arange(numbered.max() + 1)
    for candidate in candidates:
        own = np.where(candidate.mask, numbered[candidate.window], 0)
        for speck, larger in _speck_owners(own, least_px):
            owner[speck] = larger
    if (owner == np.arange(owner.size)).all():
        return numbered
    return np.unique(owner, return_inverse=True)[1].astype(np.int32)[numbered]


def _speck_owners(own: npt.NDArray[np.int32], least_px: float) -> list[tuple[int, int]]:
    """Of each speck among the numbered parts of one candidate: its number and that of the part it belongs to."""
    numbers, sizes = np.unique(own[own > 0], return_counts=True)
    specks = numbers[sizes < least_px]
    if numbers.size < 2 or not specks.size:
        return []
    if specks.size == numbers.size:
        return [(int(speck), int(numbers[0])) for speck in specks]
    large = (own > 0) & ~np.isin(own, specks)
    rows, columns = ndi.distance_transform_edt(~large, return_distances=False, return_indices=True)
    nearest = own[rows, columns]
    return [(int(speck), int(nearest[own == speck][0])) for speck in specks]


def verdict(candidate: Candidate, grounds: Grounds) -> Reason | None:
    """Why a candidate is no deposit, or `None` when it is one; the first reason that holds is given."""
    if grounds.region is not None and candidate.share(grounds.region) == 0:
        return Reason.OUTSIDE_REGION
    if candidate.area < grounds.least_px:
        return Reason.TOO_SMALL
    return _foreign(candidate, grounds) or _unlikely(candidate, grounds)


def limited_to(found: Segmentation, region: Mask) -> Segmentation:
    """The finding inside a region only: deposits are cut at its border, those wholly outside are listed as excluded."""
    outside = candidates_of((found.labels.array > 0) & ~region, np.ones(region.shape, np.float32))
    gone = [c for c in outside if not region[_numbered_as(found.labels, c)].any()]
    told = (*found.labels.history, "limited to a region")
    inside = Labels(in_reading_order((found.labels.array > 0) & region), told, BY_PROGRAM)
    dropped = tuple(replace(_excluded(c, Reason.OUTSIDE_REGION), score=None) for c in gone)
    return replace(found, labels=inside, excluded=(*found.excluded, *dropped))


def in_reading_order(mask: Mask) -> npt.NDArray[np.int32]:
    """The 8-connected parts of a mask, numbered by their first pixel from top to bottom, left to right."""
    numbered = np.zeros(mask.shape, np.int32)
    found = [part for island in _islands(mask) for part in _parts(island)]
    for number, (_, window, inside) in enumerate(sorted(found, key=lambda part: part[0]), 1):
        numbered[window][inside] = number
    return numbered


def elongation(mask: Mask) -> float:
    """Ratio of the axes of the ellipse with the same second moments (1 is round)."""
    rows, columns = (places - places.mean() for places in np.nonzero(mask))
    # The moments of one pixel (1/12 along each axis) keep a line one pixel wide from being infinitely long.
    vertical, across = (rows @ rows) / rows.size + 1 / 12, (columns @ columns) / rows.size + 1 / 12
    middle, turn = (vertical + across) / 2, np.hypot((vertical - across) / 2, (rows @ columns) / rows.size)
    return float(np.sqrt((middle + turn) / (middle - turn)))


def _islands(mask: Mask) -> list[tuple[tuple[slice, slice], Mask]]:
    """Boxes that hold all of the mask, with the part of it that is theirs; parts of different boxes do not touch.

    Films are large and deposits few: looking for parts in occupied blocks only saves most of the time.
    """
    starts = [np.arange(0, size, _BLOCK) for size in mask.shape]
    rows = np.maximum.reduceat(mask.view(np.uint8), starts[0], axis=0)
    busy = np.ascontiguousarray(np.maximum.reduceat(rows, starts[1], axis=1))
    _, groups, stats, _ = cv2.connectedComponentsWithStats(busy, connectivity=8)
    found = []
    for number, (x, y, width, height) in enumerate((stats[1:, :4]).tolist(), 1):
        where = slice(y * _BLOCK, (y + height) * _BLOCK), slice(x * _BLOCK, (x + width) * _BLOCK)
        mine = np.repeat(np.repeat(groups[y : y + height, x : x + width] == number, _BLOCK, 0), _BLOCK, 1)
        part = mask[where]
        found.append((where, part & mine[: part.shape[0], : part.shape[1]]))
    return found


def _parts(
    island: tuple[tuple[slice, slice], Mask],
) -> Iterator[tuple[tuple[int, int], tuple[slice, slice], Mask]]:
    """Of each part in an island: its first pixel in reading order, its window on the film and its pixels there."""
    (rows, columns), inside = island
    _, parts, stats, _ = cv2.connectedComponentsWithStats(inside.view(np.uint8), connectivity=8)
    for number, (x, y, width, height) in enumerate(stats[1:, :4].tolist(), 1):
        here = parts[y : y + height, x : x + width] == number
        top, left = rows.start + y, columns.start + x
        yield (top, left + int(here[0].argmax())), np.s_[top : top + height, left : left + width], here


def _foreign(candidate: Candidate, grounds: Grounds) -> Reason | None:
    """What people and machines put on films: marks, metal, edges; or something beside the limb."""
    in_limb = candidate.share(grounds.limb) > 0.5 or _in_dim_tissue(candidate, grounds)
    if _is_line(candidate, grounds):
        return Reason.COLLIMATION
    if _is_hard(candidate, grounds):
        return Reason.TEXT if _is_glyph(candidate, grounds.mm) else Reason.METAL
    if _touches_border(candidate, grounds.valid):
        return Reason.BORDER
    if not in_limb:
        return Reason.OUTSIDE_LIMB
    return Reason.PLATE if _is_plate_mark(candidate, grounds) else None


def _in_dim_tissue(candidate: Candidate, grounds: Grounds) -> bool:
    """Whether it is surely calcium and what lies round it is a little brighter than air."""
    if grounds.tissue is None or candidate.score < SURE_SCORE:
        return False
    reach = max(2, round(NEAR_MM / grounds.mm))
    window, mask = _padded(candidate, grounds.tissue.shape, 2 * reach)
    near, far = (cv2.dilate(mask, np.ones((2 * k + 1,) * 2, np.uint8)) > 0 for k in (reach, 2 * reach))
    return bool(grounds.tissue[window][far & ~near].mean() > 0.5)


def _is_plate_mark(candidate: Candidate, grounds: Grounds) -> bool:
    """Whether it is dirt on a straight line that goes on where no limb is."""
    if grounds.clear is None or candidate.score < grounds.threshold:
        return False
    return goes_on_outside(grounds.film, grounds.clear, candidate.window, candidate.mask, grounds.mm)


def _is_line(candidate: Candidate, grounds: Grounds) -> bool:
    """Whether it is long and straight as a field's edge is, and no strand of calcium along a fascia."""
    length = float(np.hypot(*candidate.mask.shape)) * grounds.mm
    if length < LINE_MM or elongation(candidate.mask) < LINE_ELONGATION:
        return False
    return candidate.score < STRAND_SCORE or candidate.share(grounds.limb) < STRAND_INSIDE


def _unlikely(candidate: Candidate, grounds: Grounds) -> Reason | None:
    """What the method itself doubts, named by the likeliest look-alike."""
    if candidate.score >= grounds.threshold:
        return None
    if candidate.share(grounds.bone) > 0.5:
        return Reason.BONE
    return Reason.SHAPE if elongation(candidate.mask) > 3 else Reason.FAINT


def _numbered_as(labels: Labels, candidate: Candidate) -> Mask:
    """Where the label image has the number of the candidate's first pixel."""
    return np.asarray(labels.array == labels.array[candidate.window][candidate.mask][0])


def _is_hard(candidate: Candidate, grounds: Grounds) -> bool:
    """Whether it is flat at the film's ceiling with a razor-sharp rim, as lead, steel and burnt-in letters are."""
    window, mask = _padded(candidate, grounds.film.shape, 3)
    grey = grounds.film[window]
    flat = (grey[mask > 0] >= 0.985).mean()
    if flat < HARD_FLAT:
        return False
    rim = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    step = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    return bool(np.median(step[rim]) >= (WHOLLY_STEP if flat >= WHOLLY_FLAT else HARD_STEP))


def _is_glyph(candidate: Candidate, mm: float) -> bool:
    inner = ndi.distance_transform_edt(np.pad(candidate.mask, 1))
    return 2 * float(inner.max()) * mm <= STROKE_MM and max(candidate.mask.shape) * mm <= GLYPH_MM


def _touches_border(candidate: Candidate, valid: Mask) -> bool:
    """Whether a pixel of it is on the film's border or beside an invalid pixel."""
    window, mask = _padded(candidate, valid.shape, 1)
    if mask.shape != tuple(n + 2 for n in candidate.mask.shape):
        return True
    beside = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > 0
    return bool((beside & ~valid[window]).any())


def _padded(
    candidate: Candidate, shape: tuple[int, int], pad: int
) -> tuple[tuple[slice, slice], npt.NDArray[np.uint8]]:
    """Its window widened as far as the film goes, and its mask in that window."""
    rows, columns = candidate.window
    top, left = max(0, rows.start - pad), max(0, columns.start - pad)
    window = slice(top, min(shape[0], rows.stop + pad)), slice(left, min(shape[1], columns.stop + pad))
    mask = np.zeros((window[0].stop - top, window[1].stop - left), np.uint8)
    mask[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = candidate.mask
    return window, mask


def _least_px(settings: SegmentSettings, pixel_mm2: float | None) -> float:
    return max(settings.min_area_mm2 / pixel_mm2 if pixel_mm2 else 0.0, settings.min_area_px)


def _excluded(candidate: Candidate, reason: Reason) -> Excluded:
    rows, columns = np.nonzero(candidate.mask)
    row, column = candidate.row, candidate.column
    bbox = (row, column, row + candidate.mask.shape[0], column + candidate.mask.shape[1])
    return Excluded(reason, row + int(rows[0]), column + int(columns[0]), bbox, len(rows), candidate.score)
