"""Whole numbers in a mask or region of any program: read upright where there is no doubt, refused in one line else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from calcimeasure.errors import CalcimeasureError, MaskError, ReadError
from calcimeasure.io.images.codestream import PNG_START
from calcimeasure.io.images.decoder import Question, decoded
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.images.orient import upright
from calcimeasure.io.images.tiff_chain import directory_count
from calcimeasure.io.images.tiff_pieces import check_pieces
from calcimeasure.io.images.untrusted import check_size
from calcimeasure.model.arrays import Array, Mask
from calcimeasure.model.warning import Code, Remark
from calcimeasure.report.plain_text import plain

_ORIENTATION = 0x0112
_MOST_MEGAPIXELS, _MOST_DESCRIPTION = 400, 16 * 1024**2
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_LOSSY = {6: "JPEG", 7: "JPEG", 34892: "JPEG", 22610: "JPEG XR", 50001: "WebP"}
_REDUCED, _PALETTE, _MOST = 1, 3, 2**31
# A label image has labels side by side here and there; a picture has them everywhere.
_PICTURE, _LEAST_SIDE = 0.3, 8
# Share of a picture that a limb has and a deposit has not.
_LIMB = 0.25
# A region may be several areas, each with its number.
_MOST_AREAS = 20
_READ_ERRORS = (OSError, ValueError, SyntaxError, TypeError, LookupError, RuntimeError, ArithmeticError, EOFError)


@dataclass(frozen=True, slots=True, eq=False)
class MaskPixels:
    """What a mask file holds.

    Parameters
    ----------
    numbers : int32 array, shape (rows, columns)
        0 is outside.
    binary : bool
        Whether it can tell inside from outside only: single bits, or 0 and the highest value.
    warnings : tuple of Remark
        What was decided on the way.
    description, software : str
        What stands beside the numbers, and who wrote them.
    """

    numbers: npt.NDArray[np.int32]
    binary: bool = False
    warnings: tuple[Remark, ...] = ()
    description: str = ""
    software: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Stored:
    """A page as stored: its upright size, what decodes it, its palette (colours, 3), its orientation, its words."""

    shape: tuple[int, int]
    decode: Callable[[], Array]
    palette: Array | None = None
    orientation: int = 1
    description: str = ""
    software: str = ""


@dataclass(frozen=True, slots=True)
class Fit:
    """Rows and columns that a mask must have, `None` for any."""

    shape: tuple[int, int] | None


def mask_bytes(path: Path | FileBytes) -> FileBytes:
    """The bytes of a mask file, read once.

    Raises
    ------
    MaskError
        When there is none, or it cannot be read.
    """
    if isinstance(path, FileBytes):
        return path
    if not path.is_file():
        raise MaskError(f"there is no mask {plain(path.name)}: make one, or leave --masks out to segment")
    try:
        return FileBytes.of(path)
    except ReadError as error:
        raise MaskError(str(error)) from error


def read_pixels(path: Path | FileBytes, shape: tuple[int, int] | None) -> MaskPixels:
    """The whole numbers of a TIFF or PNG file; `shape` is that of its film, `None` for any.

    Single pages only, grey or by palette, or in colours that are all grey; floating point when its values are whole.
    The size is checked before anything is decoded, and that is done as for every stranger's file: in another process.

    Raises
    ------
    MaskError
        In one line, for a file that is missing, of another size, or open to doubt.
    """
    file = mask_bytes(path)
    try:
        pixels: MaskPixels = decoded(file, Question("mask", Fit(shape), MaskPixels))
    except ReadError as error:
        raise MaskError(str(error)) from error
    return pixels


def pixels_in(file: FileBytes, fit: Fit) -> MaskPixels:
    """The whole numbers in the bytes of a mask; called in the process that decodes."""
    try:
        stored = _opened(file)
        _check_shape(file.name, stored.shape, fit.shape)
        array = stored.decode()
    except MaskError:
        raise
    except (*_READ_ERRORS, CalcimeasureError, UnidentifiedImageError, tifffile.TiffFileError) as error:
        raise MaskError(f"{file.name} is not a readable TIFF or PNG label image ({type(error).__name__})") from error
    found = _numbers(file.name, upright(array, stored.orientation), stored.palette)
    return replace(found, description=stored.description, software=stored.software)


def _check_shape(name: str, found: tuple[int, int], shape: tuple[int, int] | None) -> None:
    if shape is not None and found != shape:
        raise MaskError(f"{name} is {found} pixels and its image {shape}: use the mask made for this image")


# ------------------------------------------------------------------------------------------------------- files


def _opened(file: FileBytes) -> _Stored:
    if file.data[:8] == PNG_START:
        return _opened_png(file)
    if file.data[:4] in _TIFF:
        return _opened_tiff(file)
    raise MaskError(f"{file.name} is not a readable TIFF or PNG label image: save it as one, without loss")


def _opened_png(file: FileBytes) -> _Stored:
    depth, sort = file.data[24:26]
    if depth == 16 and sort != 0:
        raise MaskError(f"{file.name} has 16-bit colours: save the mask in grey, one number for each deposit")
    with PillowImage.open(file.open(), formats=("PNG",)) as picture:
        if getattr(picture, "n_frames", 1) > 1:
            raise MaskError(f"{file.name} has several pages: save the one that holds the mask")
        orientation = int(picture.getexif().get(_ORIENTATION, 1) or 1)
        colours = picture.getpalette("RGB") if picture.mode == "P" else None
        size = picture.size
    check_size(file.name, (*size[::-1], 4), 2, _MOST_MEGAPIXELS)
    palette = None if colours is None else np.asarray(colours, np.uint8).reshape(-1, 3)
    # Grey of 2 and 4 bits is stretched to 8 bits by its reader.
    stretched = 255 // ((1 << depth) - 1) if sort == 0 and depth in (2, 4) else 1
    return _Stored(_turned(size[::-1], orientation), lambda: _decoded_png(file) // stretched, palette, orientation)


def _decoded_png(file: FileBytes) -> Array:
    with PillowImage.open(file.open(), formats=("PNG",)) as picture:
        array = np.asarray(picture)
    return array.astype(np.int64) if array.dtype.kind in "iu" else array.astype(np.uint8) * np.uint8(255)


def _opened_tiff(file: FileBytes) -> _Stored:
    directory_count(file)
    with tifffile.TiffFile(file.open()) as tiff:
        pages = [page.aspage() for page in tiff.pages]
        whole = [k for k, page in enumerate(pages) if not int(page.subfiletype) & _REDUCED] or [0]
        page = pages[whole[0]]
        # ImageJ keeps the pages of a large stack behind one directory.
        stacked = int((tiff.imagej_metadata or {}).get("images", 1)) if tiff.is_imagej else 1
        _check_page(file, page, max(len(whole), stacked))
        return _Stored(
            _turned((int(page.imagelength), int(page.imagewidth)), orientation := _orientation(page)),
            lambda: _decoded_tiff(file, whole[0]),
            _palette(page) if int(page.photometric) == _PALETTE else None,
            orientation,
            str(page.description)[:_MOST_DESCRIPTION],
            str(page.software)[:100],
        )


def _orientation(page: Any) -> int:
    return int(page.tags["Orientation"].value) if "Orientation" in page.tags else 1


def _check_page(file: FileBytes, page: Any, pages: int) -> None:
    name = file.name
    if pages > 1 or page.imagedepth != 1:
        raise MaskError(f"{name} has {max(pages, page.imagedepth)} pages: save the one that holds the mask")
    if page.samplesperpixel > 4:
        raise MaskError(f"{name} has {page.samplesperpixel} channels: save the one that holds the mask")
    if (codec := _LOSSY.get(int(page.compression))) is not None:
        raise MaskError(f"{name} is compressed with loss ({codec}), which changes numbers: save it without")
    shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
    check_size(name, shape, max(page.bitspersample // 8, 1), _MOST_MEGAPIXELS)
    check_pieces(file, page)


def _palette(page: Any) -> Array:
    return np.asarray(page.colormap).T >> 8


def _decoded_tiff(file: FileBytes, page: int) -> Array:
    with tifffile.TiffFile(file.open()) as tiff:
        found = tiff.pages[page].aspage()
        array = np.asarray(found.asarray(maxworkers=1))
        array = np.moveaxis(array, 0, -1) if found.axes.startswith("S") else array
    return array.astype(np.uint8) * np.uint8(255) if array.dtype.kind == "b" else array


def _turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    return size[::-1] if orientation in (5, 6, 7, 8) else size


# ----------------------------------------------------------------------------------------------------- numbers


def _numbers(name: str, array: Array, palette: Array | None) -> MaskPixels:
    grey = _one_channel(name, array)
    highest = np.iinfo(grey.dtype).max if array.dtype.kind == "u" else 255
    whole = _whole(name, grey)
    if palette is not None:
        return _by_palette(name, whole, palette)
    values = np.unique(whole)
    binary = values.tolist() in ([0, highest], [0, 255], [highest], [255])
    if not binary:
        _check_no_picture(name, whole, values)
    return MaskPixels(whole, binary)


def _one_channel(name: str, array: Array) -> Array:
    """Grey of a picture whose colours are all grey and whose alpha hides nothing."""
    if array.ndim == 2:
        return array
    colours = array[..., :3] if array.shape[-1] >= 3 else array[..., :1]
    alpha = array[..., colours.shape[-1] :]
    if (colours != colours[..., :1]).any():
        raise MaskError(f"{name} is in colours: save the mask in grey, one number for each deposit")
    if alpha.size and (alpha != alpha.flat[0]).any():
        raise MaskError(f"{name} is partly transparent, which may or may not be meant as outside: save it without")
    return np.asarray(colours[..., 0])


def _whole(name: str, grey: Array) -> npt.NDArray[np.int32]:
    if grey.dtype.kind not in "iuf":
        raise MaskError(f"{name} holds {grey.dtype} values: a label image holds whole numbers from 0 up")
    if grey.dtype.kind == "f" and not (np.isfinite(grey).all() and (grey == np.floor(grey)).all()):
        raise MaskError(f"{name} holds fractions: a label image holds whole numbers from 0 up")
    low, high = (int(grey.min()), int(grey.max())) if grey.size else (0, 0)
    if low < 0 or high >= _MOST:
        raise MaskError(f"{name} holds numbers from {low} to {high}: a label image holds them from 0 up to {_MOST - 1}")
    return grey.astype(np.int32)


def _by_palette(name: str, places: npt.NDArray[np.int32], palette: Array) -> MaskPixels:
    """The places in a palette, unless its colours say that another place than the first is the background."""
    used = np.unique(places)
    if used[-1] >= len(palette):
        raise MaskError(f"{name} uses colours that its palette lacks")
    black = used[(palette[used] == 0).all(axis=1)]
    binary = sorted(palette[used].tolist()) == [[0, 0, 0], [255, 255, 255]]
    if len(black) != 1 or black[0] == 0:
        return MaskPixels(places, binary)
    moved = np.where(places == black[0], 0, np.where(places == 0, used[-1] + 1, places)).astype(np.int32)
    return MaskPixels(moved, binary, (Remark.of(Code.MASK_BACKGROUND_BLACK),))


def _check_no_picture(name: str, whole: npt.NDArray[np.int32], values: Array) -> None:
    """A film, or a mask with soft edges, has other numbers side by side nearly everywhere."""
    if min(whole.shape) < _LEAST_SIDE or len(values) < 4:
        return
    left, right = whole[:, :-1], whole[:, 1:]
    both = (left > 0) & (right > 0)
    share = float((left != right)[both].mean()) if both.any() else 1.0
    if share > _PICTURE:
        raise MaskError(f"{name} holds shades of grey, not numbers: save the mask without smoothing and without loss")


def check_surround(name: str, numbers: npt.NDArray[np.int32]) -> None:
    """Nothing, or an error where a number marks what lies around: no deposit has all four corners of a picture.

    Raises
    ------
    MaskError
        For such a mask, which is inverted, or gives a number to the background too.
    """
    if min(numbers.shape) < _LEAST_SIDE:
        return
    corner = int(numbers[0, 0])
    corners = {int(numbers[row, column]) for row in (0, -1) for column in (0, -1)}
    if corner and corners == {corner}:
        raise MaskError(f"{name} gives the number {corner} to the surround: invert it, so that 0 is the background")


def too_large(numbers: npt.NDArray[np.int32]) -> tuple[Remark, ...]:
    """A warning of a number that has a quarter of the picture or more, and so may stand for the limb."""
    found, counts = np.unique(numbers[numbers > 0], return_counts=True)
    if not found.size or min(numbers.shape) < _LEAST_SIDE or (share := counts.max() / numbers.size) < _LIMB:
        return ()
    number = int(found[counts.argmax()])
    return (Remark.of(Code.MASK_LIKE_A_LIMB, number=number, percent=round(100 * float(share))),)


def parts_of(numbers: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The connected parts of all that is not 0, numbered from 1; corners connect."""
    _, parts = cv2.connectedComponents((numbers > 0).astype(np.uint8), connectivity=8)
    return np.asarray(parts, np.int32)


def inside_of(name: str, pixels: MaskPixels) -> Mask:
    """True where a region is: all that is not 0, when that can be a region.

    Raises
    ------
    MaskError
        When everything is outside, or the numbers are those of a picture.
    """
    numbers = np.unique(pixels.numbers[pixels.numbers > 0])
    if not numbers.size:
        raise MaskError(f"{name} has nothing inside, so nothing could be measured: draw the region of interest")
    if len(numbers) > _MOST_AREAS:
        raise MaskError(f"{name} looks like a picture, not like a region of interest: make it 0 outside, 1 inside")
    if len(numbers) > 1 and not (pixels.numbers == 0).any():
        raise MaskError(f"{name} has no outside: make it 0 outside, 1 inside")
    return np.asarray(pixels.numbers > 0, bool)
