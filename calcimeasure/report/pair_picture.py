"""Two visits side by side: the follow-up laid on the baseline, in one display window, every deposit with its fate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.model.alignment import Alignment
from calcimeasure.model.arrays import Box, Mask, Pixels, Rgb
from calcimeasure.model.image import Image, Kind
from calcimeasure.model.study import Change, Fate, Reading
from calcimeasure.report.marks import FATES, FateMark

Colour = tuple[int, int, int]


_UNKNOWN = FateMark("", "outlined", (0, 224, 255))
_WIDTH = 760  # px of one film: 88 mm of an A4 page at 220 dpi
_TALLEST = 1020
_GAP = 16
_MARGIN = 0.04  # of the limb's box
_INK: Colour = (255, 255, 255)
_QUIET: Colour = (188, 196, 202)
_GROUND: Colour = (14, 17, 20)
_ABSENT: Colour = (34, 39, 44)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAP_HEIGHT = 21.0  # px, of this font at scale 1
_TEXT = 19  # px: 1.9 mm in print
_LINE = 2
_REPEATS = 3  # of a dash round even the smallest deposit, or its line could not be told
_SAMPLE = 200_000  # pixels that decide a display window


def pair_picture(baseline: Reading, followup: Reading, alignment: Alignment, change: Change) -> Rgb:
    """Both films side by side, cut to the limb, with every deposit's outline, number and fate.

    The follow-up is laid on the baseline where `alignment` allows it. Its grey values are matched to the baseline's
    (two percentiles inside the limb, deposits left out), and both are shown in one window, so that a difference in
    exposure is not taken for one in calcium. A deposit that is resolved or new is drawn on the other film too, where
    it was or will be. A photo keeps its colours. Where the follow-up shows nothing, the picture is hatched.

    Returns
    -------
    uint8 array, shape (rows, 1536, 3)
        RGB.
    """
    left = _Panel.of(baseline)
    right = _aligned(followup, alignment, left) if not alignment.refused else _Panel.of(followup)
    window = _window(left)
    films = [left.drawn(window, change, "baseline"), right.matched_to(left).drawn(window, change, "followup")]
    if not alignment.refused:
        _draw_ghosts(films, (left, right), change)
    titles = ("Baseline", "Follow-up, not aligned" if alignment.refused else "Follow-up, laid on the baseline")
    rows = max(film.canvas.shape[0] for film in films)
    sides = [_titled(_padded(film.canvas, rows), title) for film, title in zip(films, titles, strict=True)]
    gap = np.full((sides[0].shape[0], _GAP, 3), _GROUND, np.uint8)
    pair = np.hstack([sides[0], gap, sides[1]])
    return np.vstack([pair, _key(_fates(change), pair.shape[1])])


@dataclass(frozen=True, slots=True, eq=False)
class _Panel:
    """One film cut to what is worth showing, with its outlines.

    `shown` is False where there is no picture; `tissue` holds the pixels that decide the window.
    """

    pixels: Pixels
    labels: npt.NDArray[np.int32]
    shown: Mask
    tissue: Mask
    box: Box
    column_mm: float | None
    window: tuple[float, float] | None
    photo: bool

    @classmethod
    def of(cls, reading: Reading, box: Box | None = None) -> _Panel:
        """The film of a reading inside a box; the box of its limb when none is given."""
        image, labels = reading.image, reading.labels.array
        limb = np.ones(image.shape, bool) if reading.limb is None or not reading.limb.any() else reading.limb
        box = box or _box_of(limb | (labels > 0))
        cut = box.slices
        shown = np.ones(image.shape, bool) if image.valid is None else image.valid
        return cls(
            image.pixels[cut],
            labels[cut],
            shown[cut],
            (limb & shown & (labels == 0))[cut],
            box,
            image.spacing.column_mm if image.spacing else None,
            image.window,
            _is_photo(image),
        )

    @property
    def zoom(self) -> float:
        """Pixels of the picture per pixel of the film."""
        rows, columns = self.labels.shape
        return float(min(_WIDTH / columns, _TALLEST / rows))

    def matched_to(self, other: _Panel) -> _Panel:
        """The same film with the grey values that the other has in the limb; photos stay as they are."""
        if self.photo or other.photo:
            return self
        common = self.tissue & other.tissue if self.box == other.box else None
        mine, theirs = (_levels(panel, common) for panel in (self, other))
        gain = (theirs[1] - theirs[0]) / (mine[1] - mine[0])
        pixels = (self.pixels.astype(np.float32) - np.float32(mine[0])) * np.float32(gain) + np.float32(theirs[0])
        return _with_pixels(self, pixels)

    def drawn(self, window: tuple[float, float], change: Change, visit: str) -> _Film:
        """The film in its window at the size of the picture, with outlines, numbers and a bar."""
        film = _Film.of(self, window)
        marked = list(_marked(change, visit))
        known = {label for labels, _, _ in marked for label in labels}
        rest = [int(n) for n in np.unique(self.labels) if n and int(n) not in known]
        for labels, mark, text in [*marked, *(((label,), _UNKNOWN, "") for label in rest)]:
            film.outline(np.isin(self.labels, labels), mark, text)
        film.bar(self.column_mm, self.zoom)
        return film


@dataclass(frozen=True, slots=True, eq=False)
class _Film:
    """A canvas and where something is drawn on it already."""

    canvas: Rgb
    taken: Mask

    @classmethod
    def of(cls, panel: _Panel, window: tuple[float, float]) -> _Film:
        grey = panel.pixels if panel.photo else _greys(panel.pixels, window)
        size = _size(panel)
        small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if panel.zoom < 1 else cv2.INTER_CUBIC)
        canvas = small if small.ndim == 3 else cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)
        absent = cv2.resize((~panel.shown).view(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        canvas[absent] = _hatching(size)[absent]
        return cls(_padded(np.ascontiguousarray(canvas), canvas.shape[0]), np.zeros((canvas.shape[0], _WIDTH), bool))

    def outline(self, mask: Mask, mark: FateMark, text: str) -> None:
        """Draw a deposit's outline just outside it, in the line of its fate, with its text beside it."""
        contours = _contours(mask, _WIDTH)
        for contour in contours:
            for points in _dashes(contour, mark.dash):
                cv2.polylines(self.canvas, [points], False, (0, 0, 0), _LINE + 2, cv2.LINE_AA)
        for contour in contours:
            for points in _dashes(contour, mark.dash):
                cv2.polylines(self.canvas, [points], False, mark.colour, _LINE, cv2.LINE_AA)
        if contours and text:
            self.place(text, np.concatenate(contours), mark.colour)

    def place(self, text: str, around: npt.NDArray[np.int32], colour: Colour) -> None:
        """Write a text at the least crowded place beside points (x, y)."""
        width, height = _width(text), _TEXT
        x0, y0, w, h = cv2.boundingRect(around)
        self.taken[max(0, y0) : y0 + h, max(0, x0) : x0 + w] = True
        best = min(_places((x0, y0, w, h), width), key=lambda at: self._crowd(at, width, height))
        _write(self.canvas, text, best, colour)
        x, y = best
        self.taken[max(0, y - 4) : y + height + 5, max(0, x - 4) : x + width + 5] = True

    def bar(self, column_mm: float | None, zoom: float) -> None:
        """A scale bar of 10 mm (or what fits), or the words that there is no scale."""
        y = self.canvas.shape[0] - 14
        if column_mm is None or not 1e-6 < column_mm < 1e3:
            _write(self.canvas, "scale unknown", (12, y - _TEXT), _INK)
            return
        per_mm = zoom / column_mm
        mm = max((step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500) if step * per_mm < _WIDTH / 3), default=1)
        end = 12 + round(mm * per_mm)
        for colour, thick in (((0, 0, 0), 5), (_INK, 2)):
            cv2.polylines(
                self.canvas, [np.array([(12, y - 6), (12, y), (end, y), (end, y - 6)], np.int32)], False, colour, thick
            )
        _write(self.canvas, f"{mm} mm", (12, y - 12 - _TEXT), _INK)

    def _crowd(self, at: tuple[int, int], width: int, height: int) -> float:
        x, y = at
        rows, columns = self.taken.shape
        if x < 2 or y < 2 or x + width > columns - 2 or y + height > rows - 2:
            return math.inf
        return float(np.count_nonzero(self.taken[y : y + height, x : x + width]))


def _with_pixels(panel: _Panel, pixels: Pixels) -> _Panel:
    return _Panel(
        pixels, panel.labels, panel.shown, panel.tissue, panel.box, panel.column_mm, panel.window, panel.photo
    )


def _aligned(followup: Reading, alignment: Alignment, baseline: _Panel) -> _Panel:
    """The follow-up on the baseline's pixels, inside the baseline's box."""
    top, left, bottom, right = baseline.box
    cut = np.s_[top:bottom, left:right]
    image = followup.image
    valid = np.ones(image.shape, np.uint8) if image.valid is None else image.valid.astype(np.uint8)
    limb = valid if followup.limb is None else followup.limb.astype(np.uint8)
    labels = np.asarray(alignment.on_baseline(followup.labels.array, nearest=True)[cut], np.int32)
    shown = alignment.common_baseline[cut] & np.asarray(alignment.on_baseline(valid, nearest=True)[cut], bool)
    tissue = shown & np.asarray(alignment.on_baseline(limb, nearest=True)[cut], bool) & (labels == 0)
    pixels = alignment.on_baseline(image.pixels)[cut]
    return _Panel(pixels, labels, shown, tissue, baseline.box, baseline.column_mm, image.window, _is_photo(image))


def _is_photo(image: Image) -> bool:
    return image.kind is Kind.PHOTO and image.pixels.dtype == np.uint8 and image.pixels.ndim == 3


def _box_of(mask: Mask) -> Box:
    """The bounding box of a mask with a margin, inside the film."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return Box(0, 0, mask.shape[0], mask.shape[1])
    margin = round(_MARGIN * max(rows[-1] - rows[0], columns[-1] - columns[0])) + 2
    box = Box.of(mask)
    return Box(box.row0 - margin, box.column0 - margin, box.row1 + margin, box.column1 + margin).within(mask.shape)


def _sample(panel: _Panel, tissue: Mask | None = None) -> npt.NDArray[np.float64]:
    """Finite grey values of tissue (the panel's own unless given); of the whole film where there is none."""
    step = max(1, math.isqrt(panel.tissue.size // _SAMPLE))
    values = panel.pixels[::step, ::step].astype(np.float64)
    inside = (panel.tissue if tissue is None else tissue)[::step, ::step]
    chosen = values[inside] if inside.sum() > 50 else values.reshape(-1)
    chosen = chosen[np.isfinite(chosen)]
    return chosen if chosen.size else np.zeros(1)


def _levels(panel: _Panel, tissue: Mask | None) -> tuple[float, float]:
    """Grey values of soft tissue and of bone: the 10th and 95th percentile inside the limb."""
    low, high = np.percentile(_sample(panel, tissue), (10, 95))
    return float(low), float(max(high, low + max(abs(low), 1.0) * 1e-6))


def _window(panel: _Panel) -> tuple[float, float]:
    """From a little under soft tissue to a little over bone, so that calcium is white and bone is not."""
    if panel.photo:
        return 0.0, 255.0
    low, high = np.percentile(_sample(panel), (0.5, 99.5))
    room = 0.15 * float(high - low) or 1.0
    return float(low) - room, float(high) + room


def _greys(pixels: Pixels, window: tuple[float, float]) -> Pixels:
    low, high = window
    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (grey.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
        return np.asarray(np.clip(np.nan_to_num(scaled), 0, 255), np.uint8)


def _size(panel: _Panel) -> tuple[int, int]:
    """(columns, rows) of the film in the picture."""
    rows, columns = panel.labels.shape
    return max(1, round(columns * panel.zoom)), max(1, round(rows * panel.zoom))


def _hatching(size: tuple[int, int]) -> Rgb:
    """Diagonal lines for where there is no film."""
    columns, rows = size
    lines = (np.arange(rows)[:, None] + np.arange(columns)[None]) % 14 < 2
    return np.where(lines[..., None], np.array(_QUIET, np.uint8) // 2, np.array(_ABSENT, np.uint8)).astype(np.uint8)


def _padded(canvas: Rgb, rows: int) -> Rgb:
    """The canvas in the middle of a panel of full width and so many rows."""
    left = (_WIDTH - canvas.shape[1]) // 2
    below, right = rows - canvas.shape[0], _WIDTH - canvas.shape[1] - left
    out = cv2.copyMakeBorder(canvas, 0, below, left, right, cv2.BORDER_CONSTANT, value=_GROUND)
    return np.asarray(out, np.uint8)


def _marked(change: Change, visit: str) -> Iterator[tuple[tuple[int, ...], FateMark, str]]:
    """Labels of a visit, their mark, and the text to write beside them."""
    for one in change.deposits:
        labels = one.baseline if visit == "baseline" else one.followup
        if labels:
            mark = FATES[one.fate]
            yield labels, mark, f"{_ascii(one.deposit)} {mark.letter}"


def _draw_ghosts(films: Sequence[_Film], panels: Sequence[_Panel], change: Change) -> None:
    """Where a new deposit will be and a resolved one was, on the film that does not show it."""
    for one in change.deposits:
        text = f"{_ascii(one.deposit)} {FATES[one.fate].letter}"
        for here, there, labels in ((0, 1, one.baseline), (1, 0, one.followup)):
            gone = one.fate in (Fate.NEW, Fate.RESOLVED) and labels
            if gone:
                films[there].outline(np.isin(panels[here].labels, labels), FATES[one.fate], text)


def _fates(change: Change) -> list[Fate]:
    return [fate for fate in FATES if change.fates[fate]]


def _contours(mask: Mask, width: int) -> list[npt.NDArray[np.int32]]:
    """Outlines (x, y) in the picture, drawn round the mask and not on it; only the mask's own box is enlarged."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return []
    zoom = min(_WIDTH / mask.shape[1], _TALLEST / mask.shape[0])
    pad = math.ceil(3 * _LINE / zoom) + 1
    part = np.pad(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.uint8) * 255, pad)
    size = max(1, round(part.shape[1] * zoom)), max(1, round(part.shape[0] * zoom))
    big = cv2.resize(part, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    grown = cv2.dilate((big > (0 if zoom < 1 else 127)).astype(np.uint8), np.ones((3, 3), np.uint8), iterations=_LINE)
    left = (width - max(1, round(mask.shape[1] * zoom))) // 2 + round((int(columns[0]) - pad) * zoom)
    offset = left, round((int(rows[0]) - pad) * zoom)
    contours, _ = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=offset)
    return [np.asarray(contour[:, 0], np.int32) for contour in contours]


def _dashes(contour: npt.NDArray[np.int32], dash: tuple[int, ...]) -> Iterable[npt.NDArray[np.int32]]:
    """Pieces of a closed outline; each unit of a dash is a line's width of pixels."""
    closed = np.vstack([contour, contour[:1]])
    return _pieces(closed, dash) if dash else [closed]


def _pieces(line: npt.NDArray[np.int32], dash: tuple[int, ...]) -> list[npt.NDArray[np.int32]]:
    unit = min(_LINE, len(line) / (_REPEATS * sum(dash)))
    lengths = [max(1, round(part * unit)) for part in dash]
    pieces: list[npt.NDArray[np.int32]] = []
    at, drawn = 0, True
    while at < len(line):
        step = lengths[len(pieces) % len(lengths)]
        pieces.append(line[at : at + step + 1] if drawn else line[:0])
        at, drawn = at + step, not drawn
    return [piece for piece in pieces if len(piece)]


def _places(box: tuple[int, int, int, int], width: int) -> Iterator[tuple[int, int]]:
    """Upper left corners for a text round a box, the nearest first."""
    x, y, w, h = box
    for away in (9, 9 + _TEXT, 9 + 3 * _TEXT, 9 + 6 * _TEXT):
        middle = y + h // 2 - _TEXT // 2
        for shift in (0, -_TEXT - 4, _TEXT + 4):
            yield x + w + away, middle + shift
            yield x - away - width, middle + shift
            yield x + w // 2 - width // 2 + 3 * shift, y - away - _TEXT
            yield x + w // 2 - width // 2 + 3 * shift, y + h + away


def _ascii(text: str) -> str:
    """What the font can write: at most eight letters, others as a question mark."""
    return "".join(c if " " <= c <= "~" else "?" for c in text[:8])


def _width(text: str) -> int:
    (width, _), _ = cv2.getTextSize(text, _FONT, _TEXT / _CAP_HEIGHT, 1)
    return int(width)


def _write(canvas: Rgb, text: str, at: tuple[int, int], colour: Colour) -> None:
    """A text with its upper left corner at (x, y), edged so that it reads on black and on white."""
    stencil = np.zeros((_TEXT + 16, _width(text) + 16), np.uint8)
    cv2.putText(stencil, text, (8, 8 + _TEXT), _FONT, _TEXT / _CAP_HEIGHT, 255, 1, cv2.LINE_AA)
    for ink, shape in (((0, 0, 0), cv2.dilate(stencil, np.ones((3, 3), np.uint8))), (colour, stencil)):
        _mix(canvas, shape, (at[0] - 8, at[1] - 8), ink)


def _mix(canvas: Rgb, stencil: Rgb, at: tuple[int, int], colour: Colour) -> None:
    """A colour as strong as the stencil says, its corner at (x, y); what falls outside is cut off."""
    x, y = at
    cut = stencil[max(0, -y) : canvas.shape[0] - y, max(0, -x) : canvas.shape[1] - x, None] / np.float32(255)
    patch = canvas[max(0, y) : max(0, y) + cut.shape[0], max(0, x) : max(0, x) + cut.shape[1]]
    patch[...] = patch * (1 - cut) + np.array(colour, np.float32) * cut + np.float32(0.5)


def _titled(canvas: Rgb, title: str) -> Rgb:
    band = np.full((34, canvas.shape[1], 3), _GROUND, np.uint8)
    _write(band, title, (10, 10), _INK)
    return np.vstack([band, canvas])


def _key(fates: Sequence[Fate], width: int) -> Rgb:
    """The lines and letters of the fates in the picture, as many rows as they need."""
    entries = [(FATES[fate], f"{FATES[fate].letter} {FATES[fate].word}") for fate in fates]
    places, x, row = [], 12, 0
    for mark, text in entries:
        need = 56 + _width(text) + 26
        x, row = (x, row) if x + need < width else (12, row + 1)
        places.append((mark, text, x, row))
        x += need
    band = np.full((12 + 28 * (row + 1) if entries else 10, width, 3), _GROUND, np.uint8)
    for mark, text, left, line in places:
        y = 20 + 28 * line
        run = np.stack([np.arange(left, left + 44), np.full(44, y)], axis=1).astype(np.int32)
        for points in _pieces(run, mark.dash) if mark.dash else [run]:
            cv2.polylines(band, [points], False, mark.colour, 3)
        _write(band, text, (left + 54, y - _TEXT // 2), _INK)
    return band
