"""What a raster without a header shows: a film or a photo, and which way round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calcimeasure.io.images.colour import coloured_share, is_grey, luminance
from calcimeasure.io.images.orient import sealed, turned_over
from calcimeasure.io.images.raster import Raster
from calcimeasure.io.images.spacing import scale_in_shape
from calcimeasure.io.images.untrusted import Request
from calcimeasure.model.image import Acquisition, Image, Kind, Meaning, Pixels, Polarity

_NEGATIVE = "looks like a negative (bright surround, dark limb): values were not turned over; check the picture"
_LOSSY = "lossy compression: edges of small deposits may have moved"


def picture_of(raster: Raster, request: Request) -> Image:
    """The raster as a radiograph or a photo, as asked or else as its colour suggests."""
    spacing, words = scale_in_shape(raster.scale, request.spacing, raster.aspect, raster.array.shape[:2])
    image = _photo(raster, request) if _shows_photo(raster.array, request) else _film(raster, request)
    acquisition = Acquisition(
        lossy=raster.lossy, frame=raster.frame, frames=raster.frames, bits=raster.bits, pixel_aspect=raster.aspect
    )
    words = (*words, *raster.warnings, *((_LOSSY,) if raster.lossy else ()))
    return replace(image, spacing=spacing, valid=raster.valid, acquisition=acquisition).with_warning(*words)


def _shows_photo(array: Pixels, request: Request) -> bool:
    if request.kind is not None:
        return request.kind is Kind.PHOTO
    return array.ndim == 3 and not is_grey(array)


def _photo(raster: Raster, request: Request) -> Image:
    colour = _eight_bit(raster)
    if colour.ndim == 2:
        colour = np.repeat(colour[:, :, None], 3, axis=2)
    return Image(
        pixels=sealed(colour),
        kind=Kind.PHOTO,
        meaning=Meaning.PHOTO,
        ceiling=255.0,
        decided="photo as asked" if request.kind else f"photo: {_colour_words(raster.array)}",
        warnings=() if raster.bits in (None, 8) else (f"{raster.bits}-bit colour was cut to 8 bits",),
    )


def _film(raster: Raster, request: Request) -> Image:
    grey = luminance(raster.array) if raster.array.ndim == 3 else raster.array
    low, high = _ends(grey, raster.bits)
    film = turned_over(grey, low, high) if raster.white_is_zero else grey
    return Image(
        pixels=sealed(film),
        kind=Kind.RADIOGRAPH,
        meaning=Meaning.DISPLAY,
        polarity=Polarity.TURNED_OVER if raster.white_is_zero else Polarity.AS_STORED,
        ceiling=None if raster.bits is None else float(high),
        decided="radiograph as asked" if request.kind else f"radiograph: {_colour_words(raster.array)}",
        warnings=(_NEGATIVE,) if looks_negative(film) else (),
    )


def looks_negative(film: Pixels) -> bool:
    """Whether a film seems to show the limb dark on a bright surround.

    The border (a twentieth of the short side) is in the bright 30 % of the film's range and the middle clearly darker.
    Of 124 real films none is called negative; of the same films turned over, 94 are. So silence proves nothing, and
    nothing is turned over on this ground.
    """
    small = film[:: max(1, film.shape[0] // 256), :: max(1, film.shape[1] // 256)]
    (rows, columns), edge = small.shape, max(1, min(small.shape) // 20)
    if min(rows, columns) < 16:
        return False
    low, high = np.percentile(small, [1, 99])
    border = np.ones(small.shape, bool)
    border[edge:-edge, edge:-edge] = False
    middle = small[rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4]
    bright, inside = float(np.median(small[border]) - low), float(np.median(middle) - low)
    return bool(bright > 0.7 * (high - low) and bright - inside > 0.15 * (high - low))


def _colour_words(array: Pixels) -> str:
    if array.ndim == 2:
        return "grey file"
    return f"{coloured_share(array):.0%} of the pixels have colour"


def _eight_bit(raster: Raster) -> Pixels:
    array, bits = raster.array, raster.bits
    if array.dtype.kind == "f":
        # A photo in floating point has no fixed white; its own range is spread over 8 bits.
        low, high = float(array.min()), float(array.max())
        return np.asarray((array - low) * (255.0 / (high - low or 1.0))).astype(np.uint8)
    return array if array.dtype == np.uint8 else (array >> max((bits or 8) - 8, 0)).astype(np.uint8)


def _ends(grey: Pixels, bits: int | None) -> tuple[int, int]:
    """Lowest and highest value of so many bits; floating point has no ends, so it is turned over about 0."""
    if bits is None:
        return 0, 0
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if grey.dtype.kind == "i" else (0, (1 << bits) - 1)
