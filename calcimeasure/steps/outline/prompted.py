"""The deposit that a person points at, and whether there is one at all.

A person points: clicks on a deposit and beside it, a box, a rough scribble, or an outline carried over from another
visit. One small network sees a square crop of the film around that, with the prompt drawn beside it in channels of its
own, and answers with the probability of every pixel and one for the whole. It looks twice: first about as far as the
prompt reaches, then centred on what it saw there, so that the place of the click matters little. How it was trained:
`calcimeasure.training.prompted`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.errors import EditRefused
from calcimeasure.model.image import Image, Kind, Mask, Pixels
from calcimeasure.steps.anatomy import scale_of
from calcimeasure.steps.outline.inference import session
from calcimeasure.steps.outline.weights import Prompter

Map = npt.NDArray[np.float32]

#: Pixels of the square crop that the network sees.
CROP = 144
#: Its channels: the film as stretched as a whole, the crop stretched by itself, clicks inside, clicks outside, the box,
#: the rough outline or scribble, the finder's map, whether there is one, the size of a crop pixel, and the
#: neighbourhood of clicks inside.
CHANNELS = 10
#: Radii in crop pixels of the spot that a click is drawn as, and of its neighbourhood.
SPOT_PX, NEAR_PX = 2.5, 20.0
#: A scribble counts half: it may stray.
SCRIBBLED = 0.5
#: Crop pixel size in mm for which the last channel is 0.
USUAL_MM = 0.2
#: The first look reaches at least so far, this much farther than the prompt, and at most so far; in mm.
FIRST_MM, FIRST_REACH, WIDEST_MM = 30.0, 2.2, 110.0
#: The second look: so many times what the first one saw, and some mm more; at least so far.
SECOND_REACH, SECOND_MM, CLOSEST_MM = 2.4, 3.0, 12.0
#: Film pixels that a look shows at least: enlarging further shows nothing new.
FEWEST_PX = 48
#: The outline lies where the probability crosses this share of what it reaches at its core (`CORE`, a percentile of
#: what exceeds `FAINT`); the share rises with the pixel size, because blur draws outlines wide. Chosen on films kept
#: back from training at 0.14 and 0.4 mm, so that areas are true in the median.
EDGE, EDGE_MM, EDGE_RISE, CORE, FAINT = 0.62, 0.14, 0.25, 95, 0.15
#: The film's grey is stretched by so many of its pixels, evenly spread, at most.
SAMPLE = 250_000
#: Percentiles of the film that are moved to 0 and 1, as `learned.stretched` does.
TAILS = (0.5, 99.8)


@dataclass(frozen=True, slots=True)
class Window:
    """A square of a film, which may reach beyond it: corner and side in film pixels."""

    top: int
    left: int
    side: int

    @classmethod
    def around(cls, row: float, column: float, side: float) -> Window:
        """The window whose middle is a place."""
        whole = max(2, round(side))
        return cls(round(row - whole / 2), round(column - whole / 2), whole)

    def to_crop(self, row: float, column: float) -> tuple[float, float]:
        """A place of the film in crop pixels."""
        k = CROP / self.side
        return (row + 0.5 - self.top) * k - 0.5, (column + 0.5 - self.left) * k - 0.5

    def on(self, shape: tuple[int, int]) -> tuple[slice, slice]:
        """The part of a film that lies in it, as an index; empty where none does."""
        spans = zip((self.top, self.left), shape, strict=True)
        return tuple(slice(min(max(0, at), n), max(0, min(n, at + self.side))) for at, n in spans)  # type: ignore[return-value]

    def cut(self, image: Pixels, low: float = 0.0, high: float = 1.0) -> Map:
        """What lies in the window, `low` to `high` as 0 to 1, as CROP x CROP pixels; 0 beyond the film."""
        rows, columns = self.on(image.shape)
        whole = np.zeros((self.side, self.side), np.float32)
        part = np.clip((image[rows, columns].astype(np.float32) - low) / (high - low), 0, 1)
        whole[rows.start - self.top :, columns.start - self.left :][: part.shape[0], : part.shape[1]] = part
        how = cv2.INTER_AREA if self.side > CROP else cv2.INTER_CUBIC
        return np.asarray(np.clip(cv2.resize(whole, (CROP, CROP), interpolation=how), 0, 1), np.float32)

    def back(self, crop: Map, shape: tuple[int, int]) -> tuple[tuple[slice, slice], Map]:
        """A map of the crop at the film's own pixel, and which part of the film it covers."""
        how = cv2.INTER_AREA if self.side < CROP else cv2.INTER_CUBIC
        whole = np.clip(cv2.resize(crop, (self.side, self.side), interpolation=how), 0, 1)
        rows, columns = self.on(shape)
        inner = whole[
            rows.start - self.top : rows.stop - self.top, columns.start - self.left : columns.stop - self.left
        ]
        return (rows, columns), np.asarray(inner, np.float32)


@dataclass(frozen=True, slots=True)
class Click:
    """A place on the film that is in the deposit, or is not."""

    row: float
    column: float
    inside: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """What a person points with; at least one of it.

    Parameters
    ----------
    clicks : tuple of Click
    box : tuple of float, optional
        (row0, column0, row1, column1) in pixels, the end exclusive.
    scribble, outline : bool array, shape of the film, optional
        A rough stroke over the deposit; about where it is, filled.
    """

    clicks: tuple[Click, ...] = ()
    box: tuple[float, float, float, float] | None = None
    scribble: Mask | None = None
    outline: Mask | None = None


def channels(film: Map, prompt: Prompt, window: Window, mm: float, finder: Map | None = None) -> Map:
    """What the network sees, float32 of shape (CHANNELS, CROP, CROP).

    `film` is what the window shows of it, CROP x CROP; `mm` is the film's own pixel size, `finder` as large as it.
    """
    flat = np.ones_like(film)
    known = window.cut(finder) if finder is not None else 0 * film
    size = np.log2(mm * window.side / CROP / USUAL_MM) / 2
    spots = [_spots(prompt.clicks, inside, window, SPOT_PX) for inside in (True, False)]
    return np.stack(
        [
            film,
            _stretched(film),
            *spots,
            _box(prompt.box, window),
            _rough(prompt, window),
            known,
            flat * (finder is not None),
            flat * np.float32(size),
            _spots(prompt.clicks, True, window, NEAR_PX),
        ]
    )


def _stretched(crop: Map) -> Map:
    low, high = np.percentile(crop[::2, ::2], (1, 99.5))
    return np.asarray(np.clip((crop - low) / max(float(high - low), 0.02), 0, 1), np.float32)


def _spots(clicks: tuple[Click, ...], inside: bool, window: Window, radius: float) -> Map:
    out = np.zeros((CROP, CROP), np.float32)
    lines = np.arange(CROP, dtype=np.float32)
    for click in clicks:
        if click.inside is inside:
            row, column = window.to_crop(click.row, click.column)
            down, across = (np.exp(-(((lines - at) / radius) ** 2) / 2) for at in (row, column))
            np.maximum(out, np.outer(down, across), out=out)
    return out


def _box(box: tuple[float, float, float, float] | None, window: Window) -> Map:
    out = np.zeros((CROP, CROP), np.float32)
    if box is not None:
        top, left = window.to_crop(box[0] - 0.5, box[1] - 0.5)
        bottom, right = window.to_crop(box[2] - 0.5, box[3] - 0.5)
        rows, columns = (
            slice(max(0, round(a + 0.5)), max(0, round(b + 0.5))) for a, b in ((top, bottom), (left, right))
        )
        out[rows, columns] = 1
    return out


def _rough(prompt: Prompt, window: Window) -> Map:
    """The outline as 1, the scribble as less."""
    out = np.zeros((CROP, CROP), np.float32)
    for mask, weight in ((prompt.scribble, SCRIBBLED), (prompt.outline, 1.0)):
        if mask is not None:
            np.maximum(out, weight * window.cut(mask.astype(np.float32)), out=out)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Pointed:
    """What lies where a person pointed.

    Parameters
    ----------
    row, column : int
        Upper left pixel of the window that was looked at.
    mask : bool array
        The deposit in that window: an outline even where `there` is false, for whoever wants it all the same.
    probability : float32 array, shape of `mask`
        Chance that a pixel lies inside it if there is a deposit; the doubt of an outline is taken from it
        (`calcimeasure.steps.measure.error.doubts`).
    chance : float
        Chance (0-1) that there is a deposit; what it lacks of 1 is the outline's `stray`.
    least : float
        Chance from which on there is taken to be one.
    """

    row: int
    column: int
    mask: Mask
    probability: Map
    chance: float
    least: float

    @property
    def there(self) -> bool:
        """Whether there is taken to be a deposit."""
        return self.chance >= self.least and bool(self.mask.any())

    @property
    def window(self) -> tuple[slice, slice]:
        """The window as an index into the film."""
        rows, columns = self.mask.shape
        return slice(self.row, self.row + rows), slice(self.column, self.column + columns)

    def mask_on(self, shape: tuple[int, int]) -> Mask:
        """The outline as a mask of the whole film."""
        out = np.zeros(shape, bool)
        out[self.window] = self.mask
        return out

    def probability_on(self, shape: tuple[int, int]) -> Map:
        """The map as large as the film, 0 where nobody looked."""
        out = np.zeros(shape, np.float32)
        out[self.window] = self.probability
        return out


def outline_at(
    image: Image,
    clicks: Iterable[Click | Sequence[float]] = (),
    box: Sequence[float] | None = None,
    scribble: Mask | None = None,
    outline: Mask | None = None,
) -> Pointed:
    """The deposit of a radiograph that is pointed at: its outline, and the chance that there is one.

    Parameters
    ----------
    image : Image
        A radiograph, deposits bright. Photos have `segment_photo`: their deposits differ by colour, which this network
        has never seen.
    clicks : iterable of Click or (row, column) or (row, column, inside), optional
        Places in the deposit, or beside it where `inside` is false. Pixels, the middle of the first one is (0, 0).
    box : (row0, column0, row1, column1), optional
        About round the deposit, in pixels, the end exclusive.
    scribble, outline : bool array, shape (rows, columns), optional
        A rough stroke over the deposit; about where it is, filled, say from another visit.

    Raises
    ------
    EditRefused
        For a photo, for no prompt at all, and for one that is no place of this film.
    """
    return answer(image, Prompt(tuple(_click(one) for one in clicks), _as_box(box), scribble, outline))


def answer(image: Image, prompt: Prompt, finder: Map | None = None) -> Pointed:
    """As `outline_at`, with what the finder saw on the film (`Segmentation.probability`) where it is at hand."""
    _check(image, prompt)
    sight = _Sight.of(image, prompt, finder)
    middle, reach = _covered(prompt)
    first = sight.look(middle, float(np.clip(reach * FIRST_REACH * sight.mm, FIRST_MM, WIDEST_MM)))
    if not first.mask.any():
        return first
    rows, columns = np.flatnonzero(first.mask.any(1)), np.flatnonzero(first.mask.any(0))
    middle = first.row + (rows[0] + rows[-1]) / 2, first.column + (columns[0] + columns[-1]) / 2
    extent = float(max(np.ptp(rows), np.ptp(columns)) + 1) * sight.mm
    second = sight.look(middle, float(np.clip(extent * SECOND_REACH + SECOND_MM, CLOSEST_MM, WIDEST_MM)))
    return replace(second, chance=(first.chance + second.chance) / 2)


@dataclass(frozen=True, slots=True, eq=False)
class _Sight:
    """A film with its pixel size and grey range, what was pointed with, and the network."""

    image: Image
    prompt: Prompt
    finder: Map | None
    mm: float
    low: float
    high: float
    network: Any
    least: float

    @classmethod
    def of(cls, image: Image, prompt: Prompt, finder: Map | None) -> _Sight:
        card = Prompter.shipped()
        low, high = _grey_range(image)
        network = _loaded(max(1, cv2.getNumThreads()))
        return cls(image, prompt, finder, scale_of(image)[0], low, high, network, card.least)

    def look(self, middle: tuple[float, float], side_mm: float) -> Pointed:
        """The answer to a crop of so many mm, and to its mirror image, in the mean."""
        window = Window.around(*middle, max(side_mm / self.mm, FEWEST_PX))
        film = window.cut(self.image.pixels, self.low, self.high)
        if self.image.valid is not None:
            film *= window.cut(self.image.valid)
        crop = channels(film, self.prompt, window, self.mm, self.finder)
        pair = np.stack([crop, crop[:, :, ::-1]])
        maps, chances = self.network.run(None, {"crop": np.ascontiguousarray(pair)})
        chance = (maps[0, 0] + maps[1, 0, :, ::-1]) / 2
        where, probability = window.back(chance / _core(chance), self.image.shape)
        mask = probability > edge_at(self.mm)
        return Pointed(where[0].start, where[1].start, mask, probability, float(chances.mean()), self.least)


@lru_cache(maxsize=2)
def _loaded(threads: int) -> Any:
    return session(Prompter.shipped().file, threads)


def edge_at(mm: float) -> float:
    """Share of the core's probability at which the outline lies, on a film of that pixel size."""
    return EDGE + EDGE_RISE * float(np.clip(mm - EDGE_MM, 0, 0.3))


def _core(chance: Map) -> float:
    """What the map reaches at the core of what it shows: a doubtful deposit's outline lies where a sure one's would."""
    shown = chance[chance > FAINT]
    return float(np.percentile(shown, CORE)) if shown.size else 1.0


def _grey_range(image: Image) -> tuple[float, float]:
    """The film's darkest and brightest grey but for its tails, from an even sample of its pixels."""
    step = max(2, int(np.ceil(np.sqrt(image.pixels.size / SAMPLE))))
    sample = image.pixels[::step, ::step]
    known = np.isfinite(sample) if sample.dtype.kind == "f" else np.ones(sample.shape, bool)
    if image.valid is not None:
        known &= image.valid[::step, ::step]
    low, high = np.percentile(sample[known], TAILS) if known.any() else (0.0, 1.0)
    return float(low), float(high) if high > low else float(low) + 1.0


def _covered(prompt: Prompt) -> tuple[tuple[float, float], float]:
    """The middle of what the prompt covers, and the longer side of that, in pixels."""
    places = [(c.row, c.column) for c in prompt.clicks if c.inside]
    if prompt.box:
        places += [prompt.box[:2], prompt.box[2:]]
    for mask in (prompt.scribble, prompt.outline):
        if mask is not None:
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            places += [(rows[0], columns[0]), (rows[-1], columns[-1])]
    low, high = np.min(places, axis=0), np.max(places, axis=0)
    middle = (low + high) / 2
    return (float(middle[0]), float(middle[1])), float(np.max(high - low))


def _click(given: Click | Sequence[float]) -> Click:
    return given if isinstance(given, Click) else Click(float(given[0]), float(given[1]), *map(bool, given[2:3]))


def _as_box(given: Sequence[float] | None) -> tuple[float, float, float, float] | None:
    if given is None:
        return None
    row0, column0, row1, column1 = map(float, given)
    return min(row0, row1), min(column0, column1), max(row0, row1), max(column0, column1)


def _check(image: Image, prompt: Prompt) -> None:
    """Raises for what is no place of this film."""
    if image.kind is Kind.PHOTO:
        raise EditRefused("outline_at reads radiographs; on a photo use segment_photo, which goes by colour")
    masks = [mask for mask in (prompt.scribble, prompt.outline) if mask is not None]
    if not (any(click.inside for click in prompt.clicks) or prompt.box or masks):
        raise EditRefused("nothing is pointed at: give a click inside, a box, a scribble or an outline")
    for mask in masks:
        if mask.shape != image.shape or mask.dtype != bool or not mask.any():
            raise EditRefused(f"a scribble or outline must be a bool mask of {image.shape} with something in it")
    corners = [(c.row, c.column) for c in prompt.clicks]
    if prompt.box:
        corners.append(((prompt.box[0] + prompt.box[2]) / 2, (prompt.box[1] + prompt.box[3]) / 2))
        if not (prompt.box[2] > prompt.box[0] and prompt.box[3] > prompt.box[1]):
            raise EditRefused(f"the box {prompt.box} is empty: give two opposite corners")
    for row, column in corners:
        if not (-0.5 <= row < image.shape[0] and -0.5 <= column < image.shape[1]):
            raise EditRefused(f"({row:g}, {column:g}) lies off the film of {image.shape} pixels")
