"""What a stranger's file may not do to us: raise foreign errors, print, or claim more memory than the cap."""

from __future__ import annotations

import logging
import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from calcimeasure.errors import CalcimeasureError, DamagedFile, RecipeError, TooLarge
from calcimeasure.model.image import Kind, Spacing, SpacingOrigin

# What decoders raise on bad input, as met in practice; PIL reports a bad PNG as SyntaxError, imagecodecs and
# gdcm raise RuntimeError, a lying length ends in struct.error or EOFError.
_DECODER_ERRORS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
_TALKATIVE = ("pydicom", "tifffile", "PIL", "imagecodecs")

#: Most bytes that one pixel of a picture under the cap may take: int32, float32 or RGBA.
_BYTES_PER_PIXEL = 4
#: Bytes from which on emptiness is suspect, and how many of them one in the file may stand for.
_LARGE, _MOST_UNPACKED = 32_000_000, 500


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What the caller asked of a file.

    Parameters
    ----------
    kind : Kind or None
        Overrides what the reader would decide; `None` lets it decide.
    spacing : Spacing or None
        The caller's own scale of the upright picture; it beats the file's.
    frame : int or None
        Frame to read, counted from 1 as in DICOM.
    max_megapixels : float
        More pixels than this are refused before any memory is taken.
    """

    kind: Kind | None = None
    spacing: Spacing | None = None
    frame: int | None = None
    max_megapixels: float = 400

    @classmethod
    def of(
        cls, kind: Kind | None, spacing: float | Spacing | None, frame: int | None, max_megapixels: float
    ) -> ReadRequest:
        """The request, with a plain number of millimetres accepted as the user's scale."""
        return cls(None if kind is None else Kind(kind), _user_spacing(spacing), frame, max_megapixels)


@contextmanager
def guarded(name: str, *library_errors: type[Exception]) -> Iterator[None]:
    """Decoding inside ends in our errors only, silently.

    The text of a foreign error is not passed on: it may hold a path or a header value.

    Raises
    ------
    DamagedFile
        For anything that a decoder raises.
    TooLarge
        When memory ran out.
    """
    foreign: tuple[type[Exception], ...] = (*_DECODER_ERRORS, *library_errors)
    try:
        with warnings.catch_warnings(), _muted():
            warnings.simplefilter("ignore")
            yield
    except CalcimeasureError:
        raise
    except MemoryError as error:
        raise TooLarge(f"{name}: needs more memory than there is; name a smaller file") from error
    except RecursionError as error:
        raise DamagedFile(f"{name}: its elements are nested too deeply to be genuine") from error
    except foreign as error:
        raise DamagedFile(f"{name}: cannot be decoded ({type(error).__name__}): truncated or corrupt") from error


def check_size(name: str, shape: tuple[int, ...], bytes_each: int, max_megapixels: float) -> None:
    """Nothing, or an error, before memory is taken for rows x columns (x samples) of the declared size.

    Raises
    ------
    DamagedFile
        For a picture without pixels.
    TooLarge
        Over the cap in pixels, or in bytes (4 per pixel of the cap).
    """
    rows, columns = shape[:2]
    if min(shape) < 1:
        raise DamagedFile(f"{name}: declares {rows} x {columns} pixels, so there is no picture")
    cap = max_megapixels * 1e6
    if rows * columns > cap or math.prod(shape) * bytes_each > cap * _BYTES_PER_PIXEL:
        raise TooLarge(
            f"{name}: declares {rows} x {columns} pixels of {bytes_each * math.prod(shape[2:])} bytes, over the cap of "
            f"{max_megapixels:g} megapixels; raise the cap if the file is genuine"
        )


def check_packing(name: str, shape: tuple[int, ...], bytes_each: int, size: int, most: int = _MOST_UNPACKED) -> None:
    """Nothing, or an error for a large picture in so few bytes that it can show nothing: a bomb.

    Noise alone takes more: the strongest compression that a film survives leaves a byte for some 50, and a scanned
    white page with a stamp on it a byte for 320. `most` is for compressions that cannot reach so far.

    Raises
    ------
    DamagedFile
        For more than 32 MB at less than a byte for `most`.
    """
    unpacked = math.prod(shape) * bytes_each
    if unpacked > _LARGE and unpacked > size * most:
        rows, columns = shape[:2]
        raise DamagedFile(f"{name}: declares {rows} x {columns} pixels in {size} bytes: no film or photo is so empty")


@contextmanager
def _muted() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _user_spacing(spacing: float | Spacing | None) -> Spacing | None:
    if spacing is None or isinstance(spacing, Spacing):
        return spacing
    try:
        return Spacing.of(spacing, spacing, SpacingOrigin.USER)
    except ValueError as error:
        raise RecipeError(f"spacing {spacing}: must be a positive number of millimetres per pixel") from error
