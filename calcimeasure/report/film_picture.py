"""The film with the deposits outlined and numbered, for a person to check the measurement by eye."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.errors import MaskError
from calcimeasure.model.deposit import Excluded, Reason
from calcimeasure.model.image import Image, Kind, Pixels, Spacing
from calcimeasure.model.labels import Labels

RGB = npt.NDArray[np.uint8]

#: Longest side of an overlay unless told otherwise, in pixels.
MAX_SIDE = 2400

#: Colour of a deposit's outline, and of nothing else in the picture.
OUTLINE = (0, 224, 255)

#: The letter beside the dotted box of an excluded finding.
LETTERS = {
    Reason.TOO_SMALL: "S",
    Reason.OUTSIDE_LIMB: "O",
    Reason.TEXT: "T",
    Reason.COLLIMATION: "C",
    Reason.PLATE: "P",
    Reason.BORDER: "E",
    Reason.BONE: "B",
    Reason.METAL: "M",
    Reason.FAINT: "F",
    Reason.SHAPE: "H",
    Reason.OUTSIDE_REGION: "R",
    Reason.REJECTED: "X",
}

_SEAM = (0, 112, 150)
_DOTTED = (255, 178, 74)
_INK = (255, 255, 255)
_EDGE = (0, 0, 0)
_READABLE_SIDE = 900  # px: a smaller picture is enlarged until its numbers can be read
_ENLARGED_SIDE = 2000  # px: and never beyond this
_ENLARGE_AT_MOST = 16
_DRAWN_EXCLUDED = 300  # boxes: beyond that they hide the film
_SAMPLE = 250_000  # pixels that decide the display window
_PHOTO_BYTES = 12_000
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_STROKE = 1
_CAP_HEIGHT = 21.0  # px, of this font at scale 1


def overlay(image: Image, labels: Labels, excluded: Sequence[Excluded] = (), *, max_side: int | None = None) -> RGB:
    """The film as a radiologist would window it, with deposits outlined and numbered.

    An outline lies in the pixels just outside its deposit: no pixel of a deposit is ever painted over.
    Excluded findings get a dotted box with a letter (`LETTERS`, explained in the picture). A bar shows
    millimetres when the scale is known; otherwise the picture says so.

    Parameters
    ----------
    image : Image
        Radiograph of any dtype, or photo.
    labels : Labels
        Deposits, of the shape of the image.
    excluded : sequence of Excluded
        Findings that are not counted; the 300 largest are drawn and the rest is counted in the key.
    max_side : int, optional
        Longest side of the result, in pixels; 2400 unless told. A larger film is reduced before anything
        else is done with it. A film under 900 px is enlarged by a whole number, to 2000 px at most.

    Returns
    -------
    uint8 array, shape (rows, columns, 3)
        RGB.

    Raises
    ------
    MaskError
        When the label image has another shape than the film.
    """
    if labels.shape != image.shape:
        raise MaskError(
            f"the label image is {labels.shape[0]} x {labels.shape[1]} pixels and the film {image.shape[0]} x "
            f"{image.shape[1]}: outlines need a label image made on this film"
        )
    size = _Size.of(image.shape, max_side or MAX_SIDE)
    film = _film(image, size)
    deposits = _pooled(labels.array, size)
    sheet = _Sheet.over(film, deposits > 0, size)
    _draw_excluded(sheet, excluded, size)
    _draw_key(sheet, image.spacing, excluded, size)
    _draw_numbers(sheet, deposits)
    _draw_outlines(sheet, film)
    return sheet.canvas


def thumbnail(overlay_rgb: RGB, side: int = 320) -> bytes:
    """A JPEG of an overlay, at most `side` pixels long and 12 kB, with outlines still visible.

    Outlines are a pixel wide and would fade when reduced; they are therefore painted again on the small
    picture. The same overlay gives the same bytes.
    """
    rows, columns = overlay_rgb.shape[:2]
    scale = min(1.0, side / max(rows, columns))
    size = _Size((rows, columns), (max(1, round(rows * scale)), max(1, round(columns * scale))))
    small = _reduced(overlay_rgb, size)
    small[_pooled((overlay_rgb == OUTLINE).all(axis=2).astype(np.uint8), size) > 0] = OUTLINE
    for quality in (85, 75, 65, 50, 35, 20):
        jpeg = _jpeg(small, quality)
        if len(jpeg) <= _PHOTO_BYTES:
            return jpeg
    return thumbnail(overlay_rgb, side * 3 // 4)


@dataclass(frozen=True, slots=True)
class _Size:
    """Rows and columns of the film and of the picture made from it."""

    film: tuple[int, int]
    picture: tuple[int, int]

    @classmethod
    def of(cls, film: tuple[int, int], max_side: int) -> _Size:
        """The size that can be read on a screen: large films reduced, small ones enlarged by a whole number."""
        longest = max(film)
        if longest > max_side:
            return cls(film, (max(1, film[0] * max_side // longest), max(1, film[1] * max_side // longest)))
        whole = min(math.ceil(_READABLE_SIDE / longest), min(max_side, _ENLARGED_SIDE) // longest, _ENLARGE_AT_MOST)
        return cls(film, (film[0] * max(1, whole), film[1] * max(1, whole)))

    @property
    def zoom(self) -> float:
        """Pixels of the picture per pixel of the film, along the longer side."""
        return max(self.picture) / max(self.film)

    @property
    def text_height(self) -> int:
        """Height of a digit, in pixels of the picture."""
        return int(np.clip(max(self.picture) / 85, 9, 24))

    def box(self, bbox: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """A bounding box of the film in the picture: (row0, column0, row1, column1), the end exclusive."""
        rows, columns = (to / of for to, of in zip(self.picture, self.film, strict=True))
        top, left, bottom, right = bbox
        return math.floor(top * rows), math.floor(left * columns), math.ceil(bottom * rows), math.ceil(right * columns)


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """The picture being drawn, and where something already is.

    `canvas` and `taken` are written to; `deposits` is True on every pixel that must stay as it is.
    """

    canvas: RGB
    deposits: npt.NDArray[np.bool_]
    taken: npt.NDArray[np.bool_]
    text_height: int
    line: int

    @classmethod
    def over(cls, film: RGB, deposits: npt.NDArray[np.bool_], size: _Size) -> _Sheet:
        """An empty sheet over a film."""
        line = max(1, round(size.zoom / 2)) if size.zoom > 1 else 1
        return cls(film.copy(), deposits, _grown(deposits, line + 1), size.text_height, line)

    @property
    def font_scale(self) -> float:
        """Scale of the font that gives the text height."""
        return self.text_height / _CAP_HEIGHT

    @property
    def gap(self) -> int:
        """Free space between a thing and its text, in pixels."""
        return max(2, self.text_height // 3)

    def width(self, text: str) -> int:
        """Width of a text, in pixels."""
        (width, _), _ = cv2.getTextSize(text, _FONT, self.font_scale, _STROKE)
        return int(width)

    def holds(self, row: int, column: int, width: int, height: int) -> bool:
        """Whether a box lies wholly inside the picture."""
        rows, columns = self.taken.shape
        return row > 0 and column > 0 and row + height < rows and column + width < columns

    def crowd(self, row: int, column: int, width: int, height: int) -> int:
        """How many pixels of a box are taken."""
        return int(np.count_nonzero(self.taken[row : row + height, column : column + width]))

    def write(self, text: str, row: int, column: int, colour: tuple[int, int, int] = _INK) -> None:
        """Write a text with its upper left corner at (row, column), edged so that it reads on black and white."""
        margin = 3
        top, left = row - margin, column - margin
        height, width = self.text_height + 2 * margin + self.text_height // 3, self.width(text) + 2 * margin
        stencil = np.zeros((height, width), np.uint8)
        foot = (margin, margin + self.text_height)
        cv2.putText(stencil, text, foot, _FONT, self.font_scale, 255, _STROKE, cv2.LINE_AA)
        self._paint(cv2.dilate(stencil, np.ones((3, 3), np.uint8)), top, left, _EDGE)
        self._paint(stencil, top, left, colour)
        beside = self.text_height // 2
        self.taken[max(0, top) : row + self.text_height + margin, max(0, column - beside) : left + width + beside] = (
            True
        )

    def _paint(self, stencil: Pixels, top: int, left: int, colour: tuple[int, int, int]) -> None:
        """Mix a colour into the picture as strongly as the stencil says; what falls outside is cut off."""
        rows, columns = self.taken.shape
        up, back = max(0, -top), max(0, -left)
        cut = stencil[up : rows - top, back : columns - left, None] / np.float32(255)
        patch = self.canvas[top + up : top + up + cut.shape[0], left + back : left + back + cut.shape[1]]
        patch[...] = patch * (1 - cut) + np.array(colour, np.float32) * cut + np.float32(0.5)


def _film(image: Image, size: _Size) -> RGB:
    """The film in its display window at the size of the picture, without any drawing."""
    pixels = _reduced(image.pixels, size)
    valid = _valid(image, size)
    shown = pixels if image.kind is Kind.PHOTO and pixels.dtype == np.uint8 else _windowed(pixels, valid, image.window)
    if shown.ndim == 2:
        shown = cv2.cvtColor(shown, cv2.COLOR_GRAY2RGB)
    shown[~valid] = 0
    return np.ascontiguousarray(shown, np.uint8)


def _reduced(pixels: Pixels, size: _Size) -> Pixels:
    """The pixels at the size of the picture: averaged when smaller, interpolated when larger, always a copy.

    Types that OpenCV cannot average are thinned before they are converted, so that a film of 400
    megapixels never exists twice.
    """
    if pixels.dtype not in (np.uint8, np.uint16, np.int16, np.float32):
        step = max(1, int(0.5 / size.zoom))
        with np.errstate(over="ignore", invalid="ignore"):
            pixels = pixels[::step, ::step].astype(np.float32)
    if pixels.shape[:2] == size.picture:
        return pixels.copy()
    how = cv2.INTER_AREA if size.zoom < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size.picture[::-1], interpolation=how))


def _pooled(array: Pixels, size: _Size) -> Pixels:
    """The array at the size of the picture by largest value, so that no deposit gets lost in a reduction."""
    if size.zoom >= 1:
        whole = size.picture[0] // size.film[0]
        return array.repeat(whole, axis=0).repeat(whole, axis=1)
    starts = [np.arange(to) * of // to for to, of in zip(size.picture, size.film, strict=True)]
    pooled = np.maximum.reduceat(np.maximum.reduceat(array, starts[0], axis=0), starts[1], axis=1)
    return np.asarray(pooled)


def _valid(image: Image, size: _Size) -> npt.NDArray[np.bool_]:
    if image.valid is None:
        return np.ones(size.picture, bool)
    nearest = cv2.resize(image.valid.view(np.uint8), size.picture[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(nearest, bool)


def _windowed(pixels: Pixels, valid: npt.NDArray[np.bool_], window: tuple[float, float] | None) -> RGB:
    """Grey values 0-255 between the two ends of the display window."""
    step = max(1, math.isqrt(valid.size // _SAMPLE))
    sample = pixels[::step, ::step][valid[::step, ::step]].astype(np.float64).ravel()
    sample = sample[np.isfinite(sample)]
    low, high = window if window is not None and _shows(window, sample) else _robust_window(sample)
    gain = 255.0 / (high - low)
    with np.errstate(over="ignore", invalid="ignore"):
        grey = np.clip(pixels * np.float32(gain) + np.float32(0.5 - low * gain), 0, 255)
    return np.where(np.isnan(grey), 0, grey).astype(np.uint8)


def _shows(window: tuple[float, float], sample: npt.NDArray[np.float64]) -> bool:
    """Whether a window from a header leaves something to see: at least 5 % of the pixels between its ends."""
    low, high = window
    if not (math.isfinite(low) and math.isfinite(high) and low < high and sample.size):
        return False
    return float(np.mean((sample > low) & (sample < high))) >= 0.05


def _robust_window(sample: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Percentiles 0.5 and 99.5 of what is neither air nor an unexposed, clipped border.

    A flat plateau at either end of the range (over 0.5 % of the pixels at one value) is a border, not
    tissue; air is the lowest tenth of what remains. A film of one value is shown mid-grey.
    """
    if sample.size == 0:
        return 0.0, 1.0
    ends = [end for end in (sample.min(), sample.max()) if np.mean(sample == end) > 0.005]
    inside = sample[~np.isin(sample, ends)]
    inside = inside if inside.size else sample
    low, high = np.percentile(inside, (0.5, 99.9))
    tissue = inside[inside > low + 0.1 * (high - low)]
    high = np.percentile(tissue if tissue.size else inside, 99.5)
    middle = max(abs(float(low)), 1.0) * 1e-6
    return (float(low), float(high)) if high - low > middle else (float(low) - 0.5, float(low) + 0.5)


def _grown(mask: npt.NDArray[np.bool_], by: int) -> npt.NDArray[np.bool_]:
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return np.asarray(cv2.dilate(mask.view(np.uint8), cross, iterations=by), bool)


def _draw_outlines(sheet: _Sheet, film: RGB) -> None:
    """Paint the pixels just outside the deposits, with a darker seam so that the line shows on white bone.

    Drawn last, with the deposits put back as they were: where deposits crowd, a text may suffer, an outline never.
    """
    outer = _grown(sheet.deposits, sheet.line)
    seam = _grown(outer, 1) & ~outer
    sheet.canvas[seam] = sheet.canvas[seam] // 2 + np.array(_SEAM, np.uint8) // 2
    sheet.canvas[outer] = OUTLINE
    sheet.canvas[sheet.deposits] = film[sheet.deposits]


def _draw_excluded(sheet: _Sheet, excluded: Sequence[Excluded], size: _Size) -> None:
    """Dotted boxes round the largest excluded findings, each with the letter of its reason."""
    for finding in sorted(excluded, key=lambda found: -found.area_px)[:_DRAWN_EXCLUDED]:
        box = _dotted_box(sheet, size.box(finding.bbox))
        _place(sheet, LETTERS[finding.reason], _sides(box), _DOTTED)


def _dotted_box(sheet: _Sheet, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Draw a dotted rectangle two pixels outside a box, kept inside the picture; gives that rectangle."""
    rows, columns = sheet.taken.shape
    top, left = max(0, box[0] - 3), max(0, box[1] - 3)
    bottom, right = min(rows - 1, box[2] + 2), min(columns - 1, box[3] + 2)
    across, down = np.arange(left, right + 1), np.arange(top, bottom + 1)
    dots_across, dots_down = (run[(run - run[0]) % 6 < 3] for run in (across, down))
    for row in (top, bottom):
        sheet.canvas[row, dots_across], sheet.taken[row, across] = _DOTTED, True
    for column in (left, right):
        sheet.canvas[dots_down, column], sheet.taken[down, column] = _DOTTED, True
    return top, left, bottom, right


def _draw_numbers(sheet: _Sheet, deposits: Pixels) -> None:
    """Write each deposit's label beside it, away from every deposit and every other text."""
    for number, extremes in _extremes(deposits):
        _place(sheet, str(number), extremes, _INK)


@dataclass(frozen=True, slots=True)
class _Extremes:
    """The outermost points of a thing, each as (row, column)."""

    top: tuple[int, int]
    bottom: tuple[int, int]
    left: tuple[int, int]
    right: tuple[int, int]


def _sides(box: tuple[int, int, int, int]) -> _Extremes:
    top, left, bottom, right = box
    middle = ((top + bottom) // 2, (left + right) // 2)
    return _Extremes((top, middle[1]), (bottom, middle[1]), (middle[0], left), (middle[0], right))


def _extremes(deposits: Pixels) -> Iterator[tuple[int, _Extremes]]:
    """The outermost points of every deposit, in label order.

    Pixels listed row by row meet the top of a deposit first and its bottom last; listed column by column
    they meet its left first and its right last.
    """
    points = np.argwhere(deposits)
    numbers, top, bottom = _first_and_last(deposits, points)
    _, left, right = _first_and_last(deposits, points[np.lexsort((points[:, 0], points[:, 1]))])
    for number, *ends in zip(
        numbers.tolist(), top.tolist(), bottom.tolist(), left.tolist(), right.tolist(), strict=True
    ):
        yield number, _Extremes(*((row, column) for row, column in ends))


def _first_and_last(deposits: Pixels, points: Pixels) -> tuple[Pixels, Pixels, Pixels]:
    values = deposits[points[:, 0], points[:, 1]]
    numbers, first = np.unique(values, return_index=True)
    _, last = np.unique(values[::-1], return_index=True)
    return numbers, points[first], points[len(points) - 1 - last]


def _place(sheet: _Sheet, text: str, beside: _Extremes, colour: tuple[int, int, int]) -> None:
    """Write a text at the first free place beside a thing; with a leader when the free place is not next to it.

    Where nothing is free the least crowded place is taken: a number that overlaps another is still better
    than a deposit without one.
    """
    width, height = sheet.width(text), sheet.text_height
    best: tuple[int, int, int, int] | None = None
    for far, row, column in _places(beside, width, height, sheet.gap):
        if not sheet.holds(row, column, width, height):
            continue
        crowd = sheet.crowd(row, column, width, height)
        if best is None or crowd < best[0]:
            best = (crowd, far, row, column)
        if crowd == 0:
            break
    if best is not None:
        _, far, row, column = best
        if far:
            _leader(sheet, beside, (row + height // 2, column + width // 2))
        sheet.write(text, row, column, colour)


def _places(beside: _Extremes, width: int, height: int, gap: int) -> Iterator[tuple[int, int, int]]:
    """Upper left corners for a text, the nearest first: right, left, above, below, then the same further off."""
    for far, distance in enumerate((gap, gap + height, gap + 3 * height)):
        for shift in (0, -height, height):
            yield far, beside.right[0] - height // 2 + shift, beside.right[1] + distance + 1
            yield far, beside.left[0] - height // 2 + shift, beside.left[1] - distance - width
        for shift in (0, -width, width):
            yield far, beside.top[0] - distance - height, beside.top[1] - width // 2 + shift
            yield far, beside.bottom[0] + distance + 1, beside.bottom[1] - width // 2 + shift


def _leader(sheet: _Sheet, beside: _Extremes, text: tuple[int, int]) -> None:
    """A thin line from a text to the nearest outermost point of its thing."""
    points = (beside.right, beside.left, beside.top, beside.bottom)
    row, column = min(points, key=lambda point: math.dist(point, text))
    cv2.line(sheet.canvas, (text[1], text[0]), (column, row), _EDGE, 3, cv2.LINE_AA)
    cv2.line(sheet.canvas, (text[1], text[0]), (column, row), _INK, 1, cv2.LINE_AA)


def _draw_key(sheet: _Sheet, spacing: Spacing | None, excluded: Sequence[Excluded], size: _Size) -> None:
    """Scale bar and the meaning of the letters, in the emptiest corner; left out where they do not fit."""
    bar = _Bar.of(spacing, size)
    lines = [bar.text if bar else "scale unknown", *_key(excluded)]
    for count in (len(lines), 1):
        width = max(sheet.width(line) for line in lines[:count])
        width, height = max(width, bar.pixels if bar else 0), _leading(sheet) * count + sheet.gap
        corner = _emptiest_corner(sheet, width, height)
        if corner is not None:
            _write_key(sheet, lines[:count], bar, corner)
            return


def _leading(sheet: _Sheet) -> int:
    """Distance from one line of text to the next, in pixels."""
    return round(sheet.text_height * 1.7)


def _key(excluded: Sequence[Excluded]) -> list[str]:
    """What the letters in the picture stand for, and how many findings are not drawn."""
    counts = Counter(finding.reason for finding in excluded)
    lines = [f"{LETTERS[reason]}  {reason.replace('_', ' ')} ({counts[reason]})" for reason in Reason if counts[reason]]
    hidden = len(excluded) - _DRAWN_EXCLUDED
    more = [f"{hidden} smaller ones not drawn"] if hidden > 0 else []
    return ["not counted:", *lines, *more] if lines else []


def _emptiest_corner(sheet: _Sheet, width: int, height: int) -> tuple[int, int] | None:
    """Upper left corner of a block set into the corner of the picture that has least drawn and least film in it."""
    rows, columns = sheet.taken.shape
    margin = sheet.text_height
    bottom, right = rows - margin - height, columns - margin - width
    corners = [(bottom, margin), (bottom, right), (margin, margin), (margin, right)]
    inside = [corner for corner in corners if sheet.holds(*corner, width, height)]
    return min(inside, key=lambda corner: _busyness(sheet, corner, width, height), default=None)


def _busyness(sheet: _Sheet, corner: tuple[int, int], width: int, height: int) -> tuple[int, float]:
    """How much is drawn in a block, then how uneven and bright the film is: white text wants a calm, dark ground."""
    row, column = corner
    block = sheet.canvas[row : row + height, column : column + width]
    return sheet.crowd(row, column, width, height), float(block.std() + block.mean() / 2)


def _write_key(sheet: _Sheet, lines: Sequence[str], bar: _Bar | None, corner: tuple[int, int]) -> None:
    row, column = corner
    if bar is not None:
        _draw_bar(sheet, bar, row, column)
    for line in lines:
        sheet.write(line, row + sheet.gap, column)
        row += _leading(sheet)


@dataclass(frozen=True, slots=True)
class _Bar:
    """A scale bar: its length in the picture and what to write under it."""

    pixels: int
    text: str

    @classmethod
    def of(cls, spacing: Spacing | None, size: _Size) -> _Bar | None:
        """The longest of 1, 2, 5, 10 ... mm that is at most a fifth of the picture wide; `None` without a scale."""
        if spacing is None or not 1e-6 < spacing.column_mm < 1e3:
            return None
        mm_per_pixel = spacing.column_mm * size.film[1] / size.picture[1]
        longest = mm_per_pixel * max(size.picture[1] / 5, 1)
        decade = 10.0 ** math.floor(math.log10(longest))
        mm = max(step * decade for step in (1, 2, 5) if step * decade <= longest * (1 + 1e-9))
        return cls(round(mm / mm_per_pixel), f"{mm:g} mm")


def _draw_bar(sheet: _Sheet, bar: _Bar, row: int, column: int) -> None:
    """A horizontal bar with end ticks, its foot at a row of the picture."""
    tick = max(2, sheet.text_height // 3)
    points = [(column, row - tick), (column, row), (column + bar.pixels, row), (column + bar.pixels, row - tick)]
    for colour, thickness in ((_EDGE, 5), (_INK, 2)):
        cv2.polylines(sheet.canvas, [np.array(points, np.int32)], isClosed=False, color=colour, thickness=thickness)
    sheet.taken[max(0, row - tick) : row + 2, column : column + bar.pixels] = True


def _jpeg(rgb: Pixels, quality: int) -> bytes:
    """JPEG bytes with full colour resolution: a thin coloured line would smear otherwise."""
    settings = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), settings)
    return bytes(data)
