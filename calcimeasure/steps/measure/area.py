"""What each deposit measures, and the image as a whole: area with its error, shape, contrast.

A row depends on nothing but the deposit's own surroundings (its bounding box widened by `reach_px`): not
on other parts of the image, the order of work, or the number of threads. So a part measured again gives
the digits that the whole gives.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from calcimeasure.errors import MaskError, RecipeError
from calcimeasure.model.arrays import Floats, Mask, Pixels
from calcimeasure.model.deposit import Deposit, Measurement
from calcimeasure.model.image import Image, Meaning, Spacing
from calcimeasure.model.labels import Labels
from calcimeasure.model.plane import ObjectPlane
from calcimeasure.model.quantity import Quantity
from calcimeasure.steps.measure.background import Ring, backgrounds
from calcimeasure.steps.measure.pixel_runs import FilmPart, chosen, runs_of
from calcimeasure.steps.measure.shape import Shapes, ferets, ferets_in_plane, perimeters, perimeters_in_plane, shapes_of

#: Variance of the pixel count of a shape that falls at random on the grid, per pixel of its perimeter
#: (Gundersen & Jensen, J Microsc 1987;147:229, the lattice constant of a smooth outline).
GRID_VARIANCE = 0.0724

_FARTHEST_RING_PX = 200  # a ring further out than this is no local background
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
    runs = chosen(runs_of(view), numbers)
    if not runs.label.size:
        return ()
    shapes = shapes_of(runs)
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
    return _ring(spacing, settings or MeasureSettings()).reach


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


def _check_surroundings(shapes: Shapes, window: Window, whole: tuple[int, int], reach: tuple[int, int]) -> None:
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


def _view(image: Image, window: Window, bone: Mask | None) -> FilmPart:
    where = window.slices
    pixels = image.pixels[where] if _has_contrast(image) else None
    valid = None if image.valid is None else image.valid[where]
    part = None if bone is None else np.asarray(bone[where], bool)
    return FilmPart(
        window.labels.array, pixels, _readable(pixels, valid), part, image.ceiling, window.row, window.column
    )


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


def _boundary_sd(perimeter: Floats, settings: MeasureSettings) -> Floats:
    """Standard deviation of a pixel count by the length of its outline in pixels; see `measure`."""
    length, sd = settings.boundary_correlation_px, settings.boundary_sd_px
    turned = np.array([math.erf(p / (math.sqrt(8) * length)) for p in perimeter])
    return np.sqrt(perimeter * (sd**2 * length * math.sqrt(2 * math.pi) * turned + GRID_VARIANCE))


def _sizes_in_plane(
    shapes: Shapes, plane: ObjectPlane, area_px: Sequence[Quantity], relative_sd: float
) -> tuple[Sequence[Any], ...]:
    """Columns area_mm2, diameter_mm, feret_mm and perimeter_mm; empty for a deposit beyond the horizon."""
    runs = shapes.runs
    mm2 = shapes.sums(plane.run_mm2(runs.row, runs.start, runs.stop))
    known = zip(area_px, mm2.tolist(), _length_sd(plane, shapes.centroid, relative_sd), strict=True)
    area = [None if math.isnan(value) else _mm2(px, value, value / px.value, sd) for px, value, sd in known]
    lengths = (np.sqrt(mm2 * (4 / math.pi)), ferets_in_plane(shapes, plane), perimeters_in_plane(shapes, plane))
    return (area, *(_cells(np.where(np.isnan(mm2), np.nan, column)) for column in lengths))


def _length_sd(plane: ObjectPlane, centroid: Floats, otherwise: float) -> list[float]:
    """Standard deviation of a length at each deposit, as a share of it: the farther from the marker, the less sure."""
    parts = plane.length_sd(*centroid.T)
    if not parts:
        return [otherwise] * len(centroid)
    return [float(sd) for sd in np.sqrt(sum(part**2 for part in parts.values()))]


def _ring(spacing: Spacing | None, settings: MeasureSettings) -> Ring:
    pixel = (spacing.row_mm, spacing.column_mm) if spacing else (1.0, 1.0)
    gap, width = (settings.ring_gap_mm, settings.ring_width_mm) if spacing else _ring_px(settings)
    gaps = [min(max(1, round(gap / mm)), _FARTHEST_RING_PX - 1) for mm in pixel]
    outer = [min(g + max(1, round(width / mm)), _FARTHEST_RING_PX) for g, mm in zip(gaps, pixel, strict=True)]
    return Ring((gaps[0], gaps[1]), (outer[0], outer[1]), settings.ring_least_px)


def _ring_px(settings: MeasureSettings) -> tuple[float, float]:
    return float(settings.ring_gap_px), float(settings.ring_width_px)


# --- rows and totals ------------------------------------------------------------------------------------


def _rows(shapes: Shapes, image: Image, view: FilmPart, settings: MeasureSettings) -> tuple[Deposit, ...]:
    mean, integrated = _contrasts(shapes, backgrounds(shapes, view, _ring(image.spacing, settings)))
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


def _sizes(shapes: Shapes, image: Image, settings: MeasureSettings) -> tuple[Sequence[Any], ...]:
    """Columns area_px, area_mm2, diameter_mm, feret_mm and perimeter_mm; the last four empty without a scale."""
    spacing = image.spacing
    side = spacing.mean_mm if spacing else 1.0
    pixel = (spacing.row_mm / side, spacing.column_mm / side) if spacing else (1.0, 1.0)
    perimeter = perimeters(shapes, *pixel)
    area = [_px(a, s) for a, s in zip(shapes.area.tolist(), _boundary_sd(perimeter, settings).tolist(), strict=True)]
    if spacing is None:
        return (area, *[[None] * len(area)] * 4)
    if image.plane is not None:
        return area, *_sizes_in_plane(shapes, image.plane, area, spacing.relative_sd)
    mm2 = [_mm2(a, a.value * spacing.pixel_mm2, spacing.pixel_mm2, spacing.relative_sd) for a in area]
    diameter = np.sqrt(shapes.area * (4 / math.pi * spacing.pixel_mm2))
    return area, mm2, diameter.tolist(), ferets(shapes, spacing).tolist(), (perimeter * side).tolist()


def _px(count: float, sd: float) -> Quantity:
    return Quantity(float(count), sd, "px", (("outline", sd),))


def _mm2(area: Quantity, value: float, pixel_mm2: float, relative_sd: float) -> Quantity:
    """A pixel area in mm2; the error of the scale joins that of the outline."""
    outline, scale = (area.sd or 0.0) * pixel_mm2, 2 * relative_sd * value
    return Quantity(value, math.hypot(outline, scale), "mm2", (("outline", outline), ("scale", scale)))


def _contrasts(shapes: Shapes, background: Floats) -> tuple[Floats, Floats]:
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
