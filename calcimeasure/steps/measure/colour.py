"""Colour on photos: corrected by a card in the picture, and the whiteness of deposits against their own skin.

The plan: everything happens in linear light. The patches as seen are fitted to what they are; grey patches tell gain
and offset of each channel, a ColorChecker also how the channels mix. A deposit's mean colour and that of the ring of
skin around it then differ by a delta E.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects
from skimage.color import deltaE_ciede2000, rgb2lab

from calcimeasure.errors import MaskError, MeasurementRefused
from calcimeasure.model.arrays import Floats, Mask
from calcimeasure.model.colour import Card, CardKind, ColourCorrection, Colours, Whiteness
from calcimeasure.model.image import Image, Kind
from calcimeasure.model.labels import Labels
from calcimeasure.model.warning import Code, Remark

#: Patches with a channel beyond these 8-bit values are clipped and tell nothing.
CLIPPED = (3, 252)
#: A card whose own patches still err by this much on average after the correction is no card, or lies in shadow.
MOST_ERROR = 8.0

_LEAST_PATCHES = {CardKind.GREYS: 3, CardKind.COLORCHECKER: 12}
_LEAST_PATCH_PX = 9
_LEAST_SKIN_PX = 30


def correct_colour(image: Image, card: Card) -> ColourCorrection:
    """The linear correction that takes a card's patches as photographed to what they are.

    Parameters
    ----------
    image : Image
        Photo.
    card : Card
        Where its patches lie and what they are.

    Raises
    ------
    MeasurementRefused
        For a film, patches that are too small or clipped, and a card that stays wrong after the correction.

    Notes
    -----
    Least squares in linear light; a linear transform beats polynomials on skin (mean delta E 6.5 against more,
    BMC Med Imaging 2010;10:7). The errors before and after are means of CIEDE2000 over the patches used.
    """
    if image.kind is not Kind.PHOTO or image.pixels.ndim != 3:
        raise MeasurementRefused("colour is corrected on photos only; a film has none")
    seen, true = _usable(image, card)
    after = [
        _fitted(np.delete(seen, k, 0), np.delete(true, k, 0), card.kind, seen[k : k + 1]) for k in range(len(seen))
    ]
    error = float(deltaE_ciede2000(_lab(np.concatenate(after)), _lab(true)).mean())
    if error > MOST_ERROR:
        raise MeasurementRefused(
            f"the colour card still errs by delta E {error:.1f} after correction, more than {MOST_ERROR:.0f}: "
            "lay it flat in the light of the lesion, with no shadow or glare on it"
        )
    before = float(deltaE_ciede2000(_lab(seen), _lab(true)).mean())
    matrix = _matrix(seen, true, card.kind)
    return ColourCorrection(card.kind, tuple(tuple(map(float, row)) for row in matrix), before, error, len(seen))


def whiteness(image: Image, labels: Labels, correction: ColourCorrection | None = None) -> Colours:
    """How far each deposit's colour lies from that of its own skin, as a delta E (CIEDE2000) of mean colours.

    Parameters
    ----------
    image : Image
        Photo.
    labels : Labels, shape of the image
    correction : ColourCorrection, optional
        Without one the colours are the camera's, and every row says so.

    Raises
    ------
    MaskError
        When the labels are not as large as the image.
    MeasurementRefused
        For a film.
    """
    if labels.shape != image.shape:
        raise MaskError(f"the label image has {labels.shape} pixels and the image {image.shape}: use the image's own")
    if image.kind is not Kind.PHOTO or image.pixels.ndim != 3:
        raise MeasurementRefused("whiteness is measured on photos only; on a film measure density instead")
    places = list(_places(labels))
    rows = tuple(_whiteness(image, place, correction) for place in places)
    known = [
        (row.delta_e, place.inside.sum()) for row, place in zip(rows, places, strict=True) if row.delta_e is not None
    ]
    mean = None
    if known and len(known) == len(rows):
        mean = float(np.average([value for value, _ in known], weights=[size for _, size in known]))
    return Colours(rows, mean, correction)


# --- the card --------------------------------------------------------------------------------------


def _usable(image: Image, card: Card) -> tuple[Floats, Floats]:
    """Linear colours of the patches as seen and as they are, without clipped ones.

    Raises
    ------
    MeasurementRefused
        When too few are left.
    """
    pairs = [(_patch(image, quad), true) for quad, true in zip(card.quads_px, card.linear, strict=True)]
    good = [(seen, true) for seen, true in pairs if seen is not None]
    if len(good) < _LEAST_PATCHES[card.kind]:
        raise MeasurementRefused(
            f"only {len(good)} patches of the colour card can be used: photograph it larger, with none of them clipped"
        )
    return np.array([seen for seen, _ in good]), np.array([true for _, true in good])


def _patch(image: Image, quad: Floats) -> Floats | None:
    """Mean linear colour inside a patch; `None` when it is too small or clipped."""
    low, high = np.floor(quad.min(axis=0)).astype(int), np.ceil(quad.max(axis=0)).astype(int) + 1
    low = np.maximum(low, 0)
    part = image.pixels[low[1] : high[1], low[0] : high[0]]
    inside = np.zeros(part.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.round(quad - low).astype(np.int32), 1)
    colours = part[inside.astype(bool)]
    if len(colours) < _LEAST_PATCH_PX:
        return None
    middle = np.median(colours, axis=0)
    if middle.min() < CLIPPED[0] or middle.max() > CLIPPED[1]:
        return None
    return np.asarray(linear_light(colours).mean(axis=0))


def _matrix(seen: Floats, true: Floats, kind: CardKind) -> Floats:
    """The correction, shape (3, 4): each channel by itself, or mixed."""
    # Weighed so that a dark patch counts as it is seen: lightness goes about as the cube root of light.
    weight = 1 / (0.02 + true.mean(axis=1)) ** (2 / 3)
    if kind is CardKind.COLORCHECKER:
        terms = np.column_stack([seen, np.ones(len(seen))])
        return np.asarray(np.linalg.lstsq(terms * weight[:, None], true * weight[:, None], rcond=None)[0].T)
    matrix = np.zeros((3, 4))
    for channel in range(3):
        terms = np.column_stack([seen[:, channel], np.ones(len(seen))])
        gain, offset = np.linalg.lstsq(terms * weight[:, None], true[:, channel] * weight, rcond=None)[0]
        matrix[channel, channel], matrix[channel, 3] = gain, offset
    return matrix


def _fitted(seen: Floats, true: Floats, kind: CardKind, left_out: Floats) -> Floats:
    """A patch corrected by the others."""
    matrix = _matrix(seen, true, kind)
    return np.asarray(left_out @ matrix[:, :3].T + matrix[:, 3])


# --- the deposits ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _ColourPlace:
    """A window around one deposit: the deposit and the ring of skin around it."""

    number: int
    window: tuple[slice, slice]
    inside: Mask
    skin: Mask


def _places(labels: Labels) -> Iterator[_ColourPlace]:
    where, numbers = labels.array > 0, labels.numbers
    order = np.zeros(labels.shape, np.int32)
    order[where] = np.searchsorted(numbers, labels.array[where]) + 1
    for number, (rows, columns) in zip(numbers, find_objects(order), strict=True):
        size = max(rows.stop - rows.start, columns.stop - columns.start)
        gap, width = max(2, round(0.08 * size)), max(5, round(0.35 * size))
        reach = gap + width
        window = (
            slice(max(rows.start - reach, 0), rows.stop + reach),
            slice(max(columns.start - reach, 0), columns.stop + reach),
        )
        inside = labels.array[window] == number
        skin = _grown(inside, reach) & ~_grown(labels.array[window] > 0, gap)
        yield _ColourPlace(int(number), window, inside, skin)


def _grown(mask: Mask, reach: int) -> Mask:
    """All that lies within so many pixels of a mask; as quick for a wide reach as for a narrow one."""
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(away <= reach)


def _whiteness(image: Image, place: _ColourPlace, correction: ColourCorrection | None) -> Whiteness:
    card = None if correction is None else correction.kind
    part = image.pixels[place.window]
    skin = place.skin if image.valid is None else place.skin & image.valid[place.window]
    if skin.sum() < _LEAST_SKIN_PX:
        return Whiteness(place.number, None, card, Remark.of(Code.LITTLE_SKIN))
    means = np.array([linear_light(part[place.inside]).mean(axis=0), linear_light(_typical(part[skin])).mean(axis=0)])
    lab = _lab(means if correction is None else correction.apply(means))
    return Whiteness(place.number, float(deltaE_ciede2000(lab[0], lab[1])), card)


def _typical(colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Ring pixels without the darkest and brightest fifth: hairs, shine, and what is no skin."""
    light = colours.astype(np.int32).sum(axis=1)
    low, high = np.percentile(light, [20, 80])
    return np.asarray(colours[(light >= low) & (light <= high)], np.uint8)


def linear_light(encoded: npt.NDArray[np.uint8]) -> Floats:
    """Linear light (0-1) of 8-bit sRGB values (IEC 61966-2-1).

    Shape as given.
    """
    return _LIGHT[encoded]


def _lab(linear: Floats) -> Floats:
    """CIE L*a*b* (D65) of linear light, shape (n, 3)."""
    light = np.clip(linear, 0.0, 1.0)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(rgb2lab(encoded[None])[0])


_SHARE = np.arange(256) / 255.0
_LIGHT = np.where(_SHARE <= 0.04045, _SHARE / 12.92, ((_SHARE + 0.055) / 1.055) ** 2.4)
