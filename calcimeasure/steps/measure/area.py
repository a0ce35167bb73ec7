"""What each deposit measures, and the image as a whole: area with its error, shape, contrast.

A row depends on nothing but the deposit's own surroundings (its bounding box widened by `reach_px`): not
on other parts of the image, the order of work, or the number of threads. So a part measured again gives
the digits that the whole gives.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.errors import MaskError, RecipeError
from calcimeasure.model.deposit import Deposit, Measurement
from calcimeasure.model.image import Image, Mask, Meaning, Pixels, Spacing
from calcimeasure.model.labels import Labels
from calcimeasure.model.plane import ObjectPlane
from calcimeasure.model.quantity import Quantity

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

#: Variance of the pixel count of a shape that falls at random on the grid, per pixel of its perimeter
#: (Gundersen & Jensen, J Microsc 1987;147:229, the lattice constant of a smooth outline).
GRID_VARIANCE = 0.0724

_STRIP_PX = 1 << 20  # pixels looked at together: bounds the memory of a deposit as large as the film
_PAIRS = 1 << 18  # pairs of pixel rows tried together for the Feret diameter
_TALL = 64  # pixel rows above which the Feret diameter looks at the rows on the convex hull only
_FARTHEST_RING_PX = 200  # a ring further out than this is no local background
_MOST_RUNS = 3_000_000  # pieces of rows that a mask may consist of: bounds the memory, real films have < 200,000
_MOST_VISITS = 4_000_000_000  # pixels in all windows together; real films stay under a hundredth of it


@dataclass(frozen=True, slots=True)
class MeasureSettings:
    """How outlined deposits are measured.

    Parameters
    ----------
    ring_gap_mm, ring_width_mm : float
        The background ring begins this far outside the outline (blur leaves the deposit's foot there)
        and is this wide. At least 1 px, at most 200 px from the outline in all.
    ring_gap_px, ring_width_px : int
        The same where the scale is unknown.
    ring_least_px : int
        Fewer ring pixels than this are no background; see `measure` for what is taken then.
    boundary_sd_px : float
        Standard deviation of the outline's place, in pixels across it. An assumption: half a pixel is
        what a careful outline can claim; put the scatter of your own readers here.
    boundary_correlation_px : float
        Length along the outline over which its error stays the same. An assumption, too: outlines much
        longer than this average their errors out, shorter ones move as a whole.

    Raises
    ------
    RecipeError
        For a value that is not a finite number in its range.
    """

    ring_gap_mm: float = 0.5
    ring_width_mm: float = 1.0
    ring_gap_px: int = 2
    ring_width_px: int = 6
    ring_least_px: int = 12
    boundary_sd_px: float = 0.5
    boundary_correlation_px: float = 10.0

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_range(field.name, getattr(self, field.name), *_RANGES[field.name])


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A part of a label image, and the row and column of the whole where it begins."""

    labels: Labels
    row: int = 0
    column: int = 0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Where it lies in the whole."""
        rows, columns = self.labels.shape
        return np.s_[self.row : self.row + rows, self.column : self.column + columns]


_RANGES: dict[str, tuple[type, float, float]] = {
    "ring_gap_mm": (float, 0.0, 50.0),
    "ring_width_mm": (float, 0.01, 50.0),
    "ring_gap_px": (int, 1, 100),
    "ring_width_px": (int, 1, 100),
    "ring_least_px": (int, 1, 100_000),
    "boundary_sd_px": (float, 0.0, 100.0),
    "boundary_correlation_px": (float, 0.01, 1e6),
}


def measure(
    image: Image, labels: Labels, *, bone: Mask | None = None, settings: MeasureSettings | None = None
) -> Measurement:
    """Every deposit of a label image and the totals.

    Parameters
    ----------
    image : Image
        Millimetres need its `spacing`, and are measured in its `plane` where it has one; contrast needs grey
        pixels whose meaning is not PHOTO, as the luminance of skin is no density. On DISPLAY films contrast is
        relative to the vendor's processing: compare it within one device only.
    labels : Labels, shape of the image
        Numbers need not be consecutive; deposits may touch and need not be connected.
    bone : bool array, shape of the image, optional
        Where bone lies; without it `over_bone` is `None`.
    settings : MeasureSettings, optional

    Returns
    -------
    Measurement
        Rows in label order.

    Raises
    ------
    MaskError
        When a mask is not as large as the image, or is no set of deposits but
        numbers scattered all over each other.

    Notes
    -----
    *Area* is the pixel count. Its variance for an outline of length P (pixels), whose place errs by s =
    `boundary_sd_px` with a Gaussian correlation of length l = `boundary_correlation_px` along it, is ::

        P s^2 l sqrt(2 pi) erf(P / (2 sqrt(2) l))  +  0.0724 P

    that is, the double integral of s^2 exp(-u^2 / 2 l^2) around the closed outline, which tends to
    (s P)^2 for a short one, and the chance of where the pixel grid falls. In mm2 the scale adds twice
    its relative sd times the area. Not in it: a reader who outlines everything too wide.

    *In a plane* (`Image.plane`) an area is the sum of what each of its pixels covers there, Feret runs between the
    corners as they lie there, and the perimeter takes the pixels' shape at the deposit's centroid. A deposit that
    reaches beyond the plane's horizon has no millimetres, and then the total has none.

    *Perimeter* is Crofton's with four directions, each weighted by its share of the half turn, so that
    it holds for pixels that are not square; on square ones it equals `skimage.measure.perimeter_crofton`
    and differs from `skimage.measure.perimeter` by a few per cent.

    *Feret* is the largest distance between two corners of the deposit's pixels, as in ImageJ.
    `skimage`'s runs between mid-edges of the pixels of the filled hull and is up to half a pixel or so
    shorter: 1 instead of 1.41 for a single pixel.

    *Contrast* is over the median of the ring: what lies within gap + width of the deposit (rows and
    columns counted apart, so that the ring's corners are square), but not within the gap of any deposit,
    not where the picture is invalid, nor over bone. Where fewer than `ring_least_px` such pixels are
    left, bone is admitted, then the gap; where that is too little, too, contrast is `None`. Deposit
    pixels without a picture count in the area and are taken to be as bright as the rest of it.

    Examples
    --------
    >>> import numpy as np
    >>> from calcimeasure import Image, Kind, Labels, Meaning, Spacing, SpacingOrigin
    >>> film = np.full((40, 40), 100, np.uint8)
    >>> film[10:14, 20:25] = 160
    >>> image = Image(film, Kind.RADIOGRAPH, Meaning.DISPLAY, Spacing.of(0.5, 0.5, SpacingOrigin.USER))
    >>> found = measure(image, Labels((film > 150).astype(np.int32)))
    >>> found.area_mm2.value, found.contrast_mean, found.deposits[0].bbox
    (5.0, 60.0, (10, 20, 14, 25))
    """
    return total(measure_some(image, labels, bone=bone, settings=settings), image)


def measure_some(
    image: Image,
    labels: Labels | Window,
    numbers: Collection[int] | None = None,
    *,
    bone: Mask | None = None,
    settings: MeasureSettings | None = None,
) -> tuple[Deposit, ...]:
    """Rows of the deposits named, in label order, with the very digits that `measure` gives them.

    Parameters
    ----------
    image, bone
        As for `measure`: always the whole.
    labels : Labels or Window
        The whole label image, or a window of it that holds each named deposit with `reach_px` around
        it (where the image goes on).
    numbers : collection of int, optional
        Which; all when left out. A number that is not in use has no row.
    settings : MeasureSettings, optional

    Raises
    ------
    MaskError
        As `measure`, and for a window that cuts off a named deposit's surroundings.
    """
    _check_shapes(image, labels, bone)
    settings = settings or MeasureSettings()
    window = labels if isinstance(labels, Window) else Window(labels)
    view = _view(image, window, bone)
    runs = _chosen(_runs(view), numbers)
    if not runs.label.size:
        return ()
    shapes = _shapes(runs)
    _check_surroundings(shapes, window, image.shape, reach_px(image.spacing, settings))
    return _rows(shapes, image, view, settings)


def total(deposits: Collection[Deposit], image: Image) -> Measurement:
    """The rows in label order and their totals.

    Outline errors of different deposits are taken as independent; the scale is one for all of them, so
    its error is not averaged out. Sums are rounded once (`math.fsum`). A contrast total is `None` when
    a deposit lacks its own.
    """
    rows = tuple(sorted(deposits, key=lambda deposit: deposit.label))
    area = math.fsum(row.area_px.value for row in rows)
    sd = math.sqrt(math.fsum((row.area_px.sd or 0.0) ** 2 for row in rows))
    contrast = _total_contrast(rows, image)
    mean = contrast / area if contrast is not None and rows else None
    return Measurement(rows, _px(area, sd), _total_mm2(rows, sd, image), mean, contrast)


def reach_px(spacing: Spacing | None, settings: MeasureSettings | None = None) -> tuple[int, int]:
    """How many rows and columns around a deposit's bounding box its row depends on."""
    gap, outer = _ring(spacing, settings or MeasureSettings())
    return gap[0] + outer[0], gap[1] + outer[1]


# --- settings and what is given -----------------------------------------------------------------------


def _check_range(name: str, value: object, kind: type, low: float, high: float) -> None:
    number = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
    if not number or not low <= value <= high:  # type: ignore[operator]
        what = "a whole number" if kind is int else "a number"
        raise RecipeError(f"[measure] {name} must be {what} from {low:g} to {high:g}, got {value!r}")


def _check_shapes(image: Image, labels: Labels | Window, bone: Mask | None) -> None:
    if isinstance(labels, Labels) and labels.shape != image.shape:
        raise MaskError(_misfit("label image", labels.shape, image))
    if isinstance(labels, Window) and not _fits(labels, image.shape):
        raise MaskError(_misfit(f"window at ({labels.row}, {labels.column})", labels.labels.shape, image))
    if bone is not None and bone.shape != image.shape:
        raise MaskError(_misfit("bone mask", bone.shape, image))


def _fits(window: Window, shape: tuple[int, int]) -> bool:
    (rows, columns), (row, column) = window.labels.shape, (window.row, window.column)
    return row >= 0 and column >= 0 and row + rows <= shape[0] and column + columns <= shape[1]


def _misfit(what: str, shape: tuple[int, ...], image: Image) -> str:
    mine, its = (" x ".join(map(str, s)) for s in (shape, image.shape))
    return f"the {what} has {mine} pixels and the image {its}: use the mask made for this image, upright"


def _check_surroundings(shapes: _Shapes, window: Window, whole: tuple[int, int], reach: tuple[int, int]) -> None:
    """Each window must reach as far as the row depends, or to the image's edge."""
    low = np.maximum(shapes.bbox[:, :2] - reach, 0)
    high = np.minimum(shapes.bbox[:, 2:] + reach, whole)
    if np.prod(high - low, axis=1, dtype=float).sum() > _MOST_VISITS:
        raise MaskError(f"the {len(low)} labels are scattered all over each other: give one number to each deposit")
    start = (window.row, window.column)
    short = ((low < start) | (high > np.add(start, window.labels.shape))).any(axis=1)
    if short.any():
        raise MaskError(f"the window cuts off what surrounds deposit {shapes.number[short][0]}: widen it by reach_px")


# --- the part of the image that is looked at ------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """Views of image and masks where the window lies; `pixels` is `None` where brightness says nothing."""

    labels: npt.NDArray[np.int32]
    pixels: Pixels | None
    readable: Mask | None
    bone: Mask | None
    ceiling: float | None
    row: int
    column: int


def _view(image: Image, window: Window, bone: Mask | None) -> _View:
    where = window.slices
    pixels = image.pixels[where] if _has_contrast(image) else None
    valid = None if image.valid is None else image.valid[where]
    part = None if bone is None else np.asarray(bone[where], bool)
    return _View(window.labels.array, pixels, _readable(pixels, valid), part, image.ceiling, window.row, window.column)


def _has_contrast(image: Image) -> bool:
    return image.meaning is not Meaning.PHOTO and image.pixels.ndim == 2


def _readable(pixels: Pixels | None, valid: Mask | None) -> Mask | None:
    """Where there is a brightness; `None` is everywhere."""
    if pixels is None or pixels.dtype.kind != "f":
        return valid
    finite = np.isfinite(pixels)
    if valid is not None:
        finite &= valid
    return None if finite.all() else finite


# --- runs: pixels of one label side by side in a row ----------------------------------------------------
#
# Everything that is a sum or an extreme over a deposit's pixels is first found per run, strip by strip of
# the image, then per deposit: one pass over the label image and, for integer pixels, exact sums whatever
# their order. Float pixels are added from left to right and top to bottom within their deposit.


class _Runs(NamedTuple):
    """Per run: its label, row, first column and the column after its last; then counts over its pixels."""

    label: Array
    row: Array
    start: Array
    stop: Array
    under: Array  # pixels whose neighbour above is not of this label; then left and right of above
    under_left: Array
    under_right: Array
    light: Array  # sum of brightness over readable pixels
    readable: Array
    saturated: Array
    bone: Array


def _runs(view: _View) -> _Runs:
    """All runs in reading order."""
    step = max(1, _STRIP_PX // max(1, view.labels.shape[1]))
    strips = [_strip_runs(view, 0, step)]
    count = len(strips[0].label)
    for top in range(step, view.labels.shape[0], step):
        strips.append(_strip_runs(view, top, top + step))
        count += len(strips[-1].label)
        _check_count(count)
    return _Runs(*(np.concatenate(column) for column in zip(*strips, strict=True)))


def _check_count(count: int) -> None:
    if count > _MOST_RUNS:
        raise MaskError("the label image changes from pixel to pixel, like noise: use one number for each deposit")


def _strip_runs(view: _View, top: int, bottom: int) -> _Runs:
    # A column of background ends each row and a row comes before the first, so that neighbours are plain
    # offsets in the flat array and no run goes on in the next row.
    flat, width = _framed(view.labels, top, bottom)
    inside = np.flatnonzero(flat[width:] != 0) + width
    label = flat[inside]
    first = _run_starts(inside, label)
    row, start = np.divmod(inside[first], width)
    length = np.diff(first, append=len(inside))
    at = inside - width - np.repeat(row - 1, length)  # the same pixels in the strip without its frame
    row, start = row + (view.row + top - 1), start + view.column
    sums = (*_edges(flat, width, inside, first), *_light(view, slice(top, bottom), at, first))
    return _Runs(label[first], row, start, start + length, *sums)


def _framed(labels: Array, top: int, bottom: int) -> tuple[Array, int]:
    rows, columns = labels[top:bottom].shape
    frame = np.zeros((rows + 1, columns + 1), labels.dtype)
    frame[1:, :-1] = labels[top:bottom]
    if top:
        frame[0, :-1] = labels[top - 1]
    return frame.reshape(-1), columns + 1


def _run_starts(inside: Array, label: Array) -> Array:
    new = np.ones(len(inside), bool)
    new[1:] = (inside[1:] != inside[:-1] + 1) | (label[1:] != label[:-1])
    return np.flatnonzero(new)


def _edges(flat: Array, width: int, inside: Array, first: Array) -> tuple[Array, Array, Array]:
    """Pixels whose neighbour above, left of it and right of it is not of their label, per run."""
    label = flat[inside]
    up, left, right = (_per_run(flat[inside - step] != label, first) for step in (width, width + 1, width - 1))
    return up, left, right


def _per_run(values: Array, first: Array, dtype: type = np.int64) -> Array:
    return np.add.reduceat(values, first, dtype=dtype) if first.size else np.zeros(0, dtype)


def _light(view: _View, strip: slice, at: Array, first: Array) -> tuple[Array, Array, Array, Array]:
    """Brightness sum and the counts of readable, saturated and bone pixels, per run."""
    length = np.diff(first, append=len(at))
    none = np.zeros(len(first), np.int64)
    bone = none if view.bone is None else _per_run(_taken(view.bone, strip, at), first)
    if view.pixels is None:
        return none, length, none, bone
    values = _taken(view.pixels, strip, at)
    sure = None if view.readable is None else _taken(view.readable, strip, at)
    saturated = none if view.ceiling is None else _per_run(values >= view.ceiling, first)
    exact = np.int64 if values.dtype.kind in "iub" and values.dtype.itemsize <= 4 else np.float64
    if sure is None:
        return _per_run(values, first, exact), length, saturated, bone
    return _per_run(np.where(sure, values, 0), first, exact), _per_run(sure, first), saturated, bone


def _taken(array: Array, strip: slice, at: Array) -> Array:
    return array[strip].reshape(-1)[at]


def _chosen(runs: _Runs, numbers: Collection[int] | None) -> _Runs:
    if numbers is None:
        return runs
    mine = np.isin(runs.label, np.fromiter(numbers, np.int64))
    return _Runs(*(column[mine] for column in runs))


# --- shapes: one row per deposit ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Shapes:
    """Per deposit, in label order; positions are those of the whole image.

    `runs` are its runs, deposit by deposit, and `first` is where each deposit's begin.
    """

    runs: _Runs
    first: Array
    number: Array
    area: Array
    centroid: Floats
    bbox: Array

    def sums(self, column: Array) -> Array:
        """A column of the runs, added up per deposit."""
        return _per_run(column, self.first, column.dtype.type)


def _shapes(runs: _Runs) -> _Shapes:
    order = np.argsort(runs.label, kind="stable")
    runs = _Runs(*(column[order] for column in runs))
    first = np.flatnonzero(np.diff(runs.label, prepend=0))
    length = runs.stop - runs.start
    area = _per_run(length, first)
    rows, columns = _per_run(runs.row * length, first), _per_run((runs.start + runs.stop - 1) * length, first)
    centroid = np.stack([rows / area, columns / (2 * area)], axis=1)
    return _Shapes(runs, first, runs.label[first], area, centroid, _boxes(runs, first))


def _boxes(runs: _Runs, first: Array) -> Array:
    """Row and column of the first pixel and one past the last, per deposit."""
    last = np.append(first[1:], len(runs.row)) - 1
    left, right = np.minimum.reduceat(runs.start, first), np.maximum.reduceat(runs.stop, first)
    return np.stack([runs.row[first], left, runs.row[last] + 1, right], axis=1)


def _perimeters(shapes: _Shapes, row: float, column: float) -> Floats:
    """Crofton perimeter of each deposit, for pixels `row` high and `column` wide.

    Half the integral, over all directions, of the crossings of parallel lines: each of the four
    directions stands for the angles nearer to it than to the next, and its lines lie as far apart as the
    pixel centres let them. Legland, Kieu & Devaux, Image Anal Stereol 2007;26:83.
    """
    slope = math.atan2(row, column)
    runs = shapes.runs
    along = np.diff(shapes.first, append=len(runs.row)) * (slope * row)
    down = shapes.sums(runs.under) * ((math.pi / 2 - slope) * column)
    across = shapes.sums(runs.under_left + runs.under_right) * (math.pi / 4 * row * column / math.hypot(row, column))
    return np.asarray(along + down + across, float)


def _boundary_sd(perimeter: Floats, settings: MeasureSettings) -> Floats:
    """Standard deviation of a pixel count by the length of its outline in pixels; see `measure`."""
    length, sd = settings.boundary_correlation_px, settings.boundary_sd_px
    turned = np.array([math.erf(p / (math.sqrt(8) * length)) for p in perimeter])
    return np.sqrt(perimeter * (sd**2 * length * math.sqrt(2 * math.pi) * turned + GRID_VARIANCE))


# --- Feret diameter -------------------------------------------------------------------------------------
#
# The farthest two corners lie at the left end of one pixel row of the deposit and at the right end of
# another, or the same: from rows i and j they are |i - j| + 1 rows and right[j] - left[i] columns apart.
# All pairs are tried, many deposits at once, those with about as many rows together.


class _RowEnds(NamedTuple):
    """Per pixel row of a deposit: the row, its first column and the one after its last."""

    row: Floats
    left: Floats
    right: Floats


def _ferets(shapes: _Shapes, spacing: Spacing) -> Floats:
    """Largest distance between two pixel corners of each deposit, in mm."""
    ends, first = _row_ends(shapes)
    feret = np.empty(len(first))
    for deposits, index in _batches(ends, first):
        feret[deposits] = _farthest(_RowEnds(*(column[index] for column in ends)), spacing)
    return feret


def _row_ends(shapes: _Shapes) -> tuple[_RowEnds, Array]:
    """The ends of every deposit's pixel rows, and where each deposit's begin."""
    runs = shapes.runs
    fresh = np.ones(len(runs.row), bool)
    fresh[1:] = (runs.row[1:] != runs.row[:-1]) | (runs.label[1:] != runs.label[:-1])
    begin = np.flatnonzero(fresh)
    last = np.append(begin[1:], len(fresh)) - 1
    ends = (runs.row[begin], runs.start[begin], runs.stop[last])
    return _RowEnds(*(column.astype(float) for column in ends)), np.searchsorted(begin, shapes.first)


def _batches(ends: _RowEnds, first: Array) -> Iterator[tuple[Array, Array]]:
    """Deposits, and which rows of `ends` to try for each; the last row is repeated to fill up."""
    rows = np.diff(first, append=len(ends.row))
    for most in (4, 8, 16, 32, _TALL):
        chosen = np.flatnonzero((rows <= most) & ((rows > most // 2) | (most == 4)))
        for some in np.array_split(chosen, math.ceil(len(chosen) * most**2 / _PAIRS) or 1):
            yield some, first[some, None] + np.minimum(np.arange(most), rows[some, None] - 1)
    for tall in np.flatnonzero(rows > _TALL):
        yield np.array([tall]), first[tall] + _hull_rows(ends, slice(first[tall], first[tall] + rows[tall]))[None]


def _hull_rows(ends: _RowEnds, part: slice) -> Array:
    """Which rows of the part touch its convex hull."""
    row, left, right = ends.row[part], ends.left[part], ends.right[part]
    corners = np.stack([row, left, row, right, row + 1, left, row + 1, right], axis=1) - np.tile([row[0], left[0]], 4)
    hull = cv2.convexHull(corners.reshape(-1, 1, 2).astype(np.int32), returnPoints=False)
    return np.unique(hull // 4)


def _farthest(ends: _RowEnds, spacing: Spacing) -> Floats:
    down = (np.abs(ends.row[:, :, None] - ends.row[:, None, :]) + 1) * spacing.row_mm
    across = (ends.right[:, None, :] - ends.left[:, :, None]) * spacing.column_mm
    return np.asarray(np.sqrt((down**2 + across**2).max(axis=(1, 2))))


# --- sizes in a photographed plane ------------------------------------------------------------------------


def _sizes_in_plane(
    shapes: _Shapes, plane: ObjectPlane, area_px: Sequence[Quantity], relative_sd: float
) -> tuple[Sequence[Any], ...]:
    """Columns area_mm2, diameter_mm, feret_mm and perimeter_mm; empty for a deposit beyond the horizon."""
    runs = shapes.runs
    mm2 = shapes.sums(plane.run_mm2(runs.row, runs.start, runs.stop))
    known = zip(area_px, mm2.tolist(), _length_sd(plane, shapes.centroid, relative_sd), strict=True)
    area = [None if math.isnan(value) else _mm2(px, value, value / px.value, sd) for px, value, sd in known]
    lengths = (np.sqrt(mm2 * (4 / math.pi)), _ferets_in_plane(shapes, plane), _perimeters_in_plane(shapes, plane))
    return (area, *(_cells(np.where(np.isnan(mm2), np.nan, column)) for column in lengths))


def _length_sd(plane: ObjectPlane, centroid: Floats, otherwise: float) -> list[float]:
    """Standard deviation of a length at each deposit, as a share of it: the farther from the marker, the less sure."""
    parts = plane.length_sd(*centroid.T)
    if not parts:
        return [otherwise] * len(centroid)
    return [float(sd) for sd in np.sqrt(sum(part**2 for part in parts.values()))]


def _ferets_in_plane(shapes: _Shapes, plane: ObjectPlane) -> Floats:
    """Largest distance between two pixel corners of each deposit as they lie in the plane, in mm.

    A plane seen from one side of its horizon keeps what is convex so: the hull's corners are enough.
    """
    ends, first = _row_ends(shapes)
    parts = zip(first.tolist(), [*first[1:].tolist(), len(ends.row)], strict=True)
    return np.array([_farthest_in_plane(ends, slice(*part), plane) for part in parts])


def _farthest_in_plane(ends: _RowEnds, part: slice, plane: ObjectPlane) -> float:
    row, left, right = (column[part][_hull_rows(ends, part)] for column in ends)
    corner_row, corner_column = np.concatenate([row, row, row + 1, row + 1]), np.concatenate([left, right] * 2)
    corners = plane.points_mm(corner_row - 0.5, corner_column - 0.5)
    return float(np.sqrt(((corners[:, None] - corners[None]) ** 2).sum(axis=-1).max()))


def _perimeters_in_plane(shapes: _Shapes, plane: ObjectPlane) -> Floats:
    """Crofton perimeter of each deposit, in mm: as `_perimeters`, for pixels that are parallelograms.

    They have the shape that a pixel has at the deposit's centroid.
    """
    steps = plane.steps_mm(*shapes.centroid.T)
    right, down = steps[..., 0], steps[..., 1]
    lines = np.stack([right, down, right + down, right - down], axis=1)
    pixel = np.abs(right[:, 0] * down[:, 1] - right[:, 1] * down[:, 0])
    apart = pixel[:, None] / np.linalg.norm(lines, axis=2)
    runs = shapes.runs
    across = np.diff(shapes.first, append=len(runs.row))
    hits = np.stack([across, *map(shapes.sums, (runs.under, runs.under_left, runs.under_right))], axis=1)
    return np.asarray((hits * apart * _share_of_half_turn(lines)).sum(axis=1))


def _share_of_half_turn(lines: Floats) -> Floats:
    """The angles nearer to each direction than to the others of its row, shape (n, 4); they add up to pi."""
    angle = np.arctan2(lines[..., 1], lines[..., 0]) % math.pi
    order = np.argsort(angle, axis=1)
    ranked = np.take_along_axis(angle, order, axis=1)
    after = np.diff(ranked, axis=1, append=ranked[:, :1] + math.pi)
    share = np.empty_like(angle)
    np.put_along_axis(share, order, (after + np.roll(after, 1, axis=1)) / 2, axis=1)
    return share


# --- background ring ------------------------------------------------------------------------------------


def _ring(spacing: Spacing | None, settings: MeasureSettings) -> tuple[tuple[int, int], tuple[int, int]]:
    """(rows, columns) from a deposit to the inner and to the outer edge of its ring."""
    pixel = (spacing.row_mm, spacing.column_mm) if spacing else (1.0, 1.0)
    gap, width = (settings.ring_gap_mm, settings.ring_width_mm) if spacing else _ring_px(settings)
    gaps = [min(max(1, round(gap / mm)), _FARTHEST_RING_PX - 1) for mm in pixel]
    outer = [min(g + max(1, round(width / mm)), _FARTHEST_RING_PX) for g, mm in zip(gaps, pixel, strict=True)]
    return (gaps[0], gaps[1]), (outer[0], outer[1])


def _ring_px(settings: MeasureSettings) -> tuple[float, float]:
    return float(settings.ring_gap_px), float(settings.ring_width_px)


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """Where background may be read: `tiers` from the best pixels to the ones admitted last."""

    labels: Array
    pixels: Pixels
    tiers: tuple[Mask, ...]
    outer: tuple[int, int]
    kernel: npt.NDArray[np.uint8]
    least: int

    def median(self, number: int, box: Sequence[int]) -> float:
        """Median brightness around the deposit that lies in the box; NaN where too little is left."""
        (rows, columns), (row0, column0, row1, column1) = self.outer, box
        around = np.s_[max(row0 - rows, 0) : row1 + rows, max(column0 - columns, 0) : column1 + columns]
        mine = (self.labels[around] == number).view(np.uint8)
        near = cv2.dilate(mine, self.kernel).view(bool)
        for tier in self.tiers:
            values = self.pixels[around][near & tier[around]]
            if values.size >= self.least:
                return _median(values)
        return math.nan


def _backgrounds(shapes: _Shapes, view: _View, spacing: Spacing | None, settings: MeasureSettings) -> Floats:
    """Median brightness of each deposit's ring; NaN where there is none."""
    if view.pixels is None:
        return np.full(shapes.number.shape, np.nan)
    gap, outer = _ring(spacing, settings)
    ground = _Ground(view.labels, view.pixels, _tiers(view, gap), outer, _box(outer), settings.ring_least_px)
    boxes = (shapes.bbox - np.tile([view.row, view.column], 2)).tolist()
    return np.array([ground.median(*one) for one in zip(shapes.number.tolist(), boxes, strict=True)])


def _tiers(view: _View, gap: tuple[int, int]) -> tuple[Mask, ...]:
    """Soft tissue clear of every deposit's foot; then bone, too; then all that is no deposit."""
    deposit = (view.labels != 0).view(np.uint8)
    foot = cv2.dilate(deposit, _box(gap)).view(bool)
    free, clear = ~deposit.view(bool), ~foot
    if view.readable is not None:
        free &= view.readable
        clear &= view.readable
    return (clear, free) if view.bone is None else (clear > view.bone, clear, free)


def _box(reach: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The neighbourhood that reaches so many rows and columns from its centre."""
    return np.ones((2 * reach[0] + 1, 2 * reach[1] + 1), np.uint8)


def _median(values: Pixels) -> float:
    """As `np.median`, without its overhead, which thousands of rings would feel; the values are reordered."""
    half, odd = divmod(values.size, 2)
    values.partition(half if odd else (half - 1, half))
    return float(values[half]) if odd else (float(values[half - 1]) + float(values[half])) / 2


# --- rows and totals ------------------------------------------------------------------------------------


def _rows(shapes: _Shapes, image: Image, view: _View, settings: MeasureSettings) -> tuple[Deposit, ...]:
    mean, integrated = _contrasts(shapes, _backgrounds(shapes, view, image.spacing, settings))
    bone = shapes.sums(shapes.runs.bone) / shapes.area if view.bone is not None else None
    columns = (
        shapes.number.tolist(),
        *_sizes(shapes, image, settings),
        map(tuple, shapes.centroid.tolist()),
        map(tuple, shapes.bbox.tolist()),
        _cells(mean),
        _cells(integrated),
        [None] * len(shapes.number) if bone is None else bone.tolist(),
        shapes.sums(shapes.runs.saturated).tolist(),
    )
    return tuple(Deposit(*row) for row in zip(*columns, strict=True))


def _sizes(shapes: _Shapes, image: Image, settings: MeasureSettings) -> tuple[Sequence[Any], ...]:
    """Columns area_px, area_mm2, diameter_mm, feret_mm and perimeter_mm; the last four empty without a scale."""
    spacing = image.spacing
    side = spacing.mean_mm if spacing else 1.0
    pixel = (spacing.row_mm / side, spacing.column_mm / side) if spacing else (1.0, 1.0)
    perimeter = _perimeters(shapes, *pixel)
    area = [_px(a, s) for a, s in zip(shapes.area.tolist(), _boundary_sd(perimeter, settings).tolist(), strict=True)]
    if spacing is None:
        return (area, *[[None] * len(area)] * 4)
    if image.plane is not None:
        return area, *_sizes_in_plane(shapes, image.plane, area, spacing.relative_sd)
    mm2 = [_mm2(a, a.value * spacing.pixel_mm2, spacing.pixel_mm2, spacing.relative_sd) for a in area]
    diameter = np.sqrt(shapes.area * (4 / math.pi * spacing.pixel_mm2))
    return area, mm2, diameter.tolist(), _ferets(shapes, spacing).tolist(), (perimeter * side).tolist()


def _px(count: float, sd: float) -> Quantity:
    return Quantity(float(count), sd, "px", (("outline", sd),))


def _mm2(area: Quantity, value: float, pixel_mm2: float, relative_sd: float) -> Quantity:
    """A pixel area in mm2; the error of the scale joins that of the outline."""
    outline, scale = (area.sd or 0.0) * pixel_mm2, 2 * relative_sd * value
    return Quantity(value, math.hypot(outline, scale), "mm2", (("outline", outline), ("scale", scale)))


def _contrasts(shapes: _Shapes, background: Floats) -> tuple[Floats, Floats]:
    """Mean and integrated contrast; NaN without a background or without a readable pixel."""
    readable = shapes.sums(shapes.runs.readable)
    over = shapes.sums(shapes.runs.light) - readable * background
    known = np.where(readable > 0, readable, np.nan)
    return over / known, over * (shapes.area / known)


def _cells(column: Floats) -> list[float | None]:
    return [None if math.isnan(value) else value for value in column.tolist()]


def _total_contrast(rows: Sequence[Deposit], image: Image) -> float | None:
    known = [row.contrast_integrated for row in rows if row.contrast_integrated is not None]
    return math.fsum(known) if _has_contrast(image) and len(known) == len(rows) else None


def _total_mm2(rows: Sequence[Deposit], sd_px: float, image: Image) -> Quantity | None:
    areas = [row.area_mm2 for row in rows if row.area_mm2]
    if image.spacing is None or (image.plane is not None and len(areas) < len(rows)):
        return None
    value = math.fsum(area.value for area in areas)
    outline = sd_px * image.spacing.pixel_mm2 if image.plane is None else _outlines_mm2(areas)
    # One scale for all: its errors go the same way, so they add up.
    scale = math.fsum(dict(area.components)["scale"] for area in areas)
    return Quantity(value, math.hypot(outline, scale), "mm2", (("outline", outline), ("scale", scale)))


def _outlines_mm2(areas: Sequence[Quantity]) -> float:
    """Outline error of a sum of areas whose pixels are not equally large."""
    return math.sqrt(math.fsum(dict(area.components)["outline"] ** 2 for area in areas))
