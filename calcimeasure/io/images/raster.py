"""PNG, JPEG, BMP, PNM, HEIC and TIFF: the one file that knows PIL and tifffile.

Every picture is read as stored and turned upright once, by its orientation tag. Resolution tags (dpi, pHYs) are
never a scale: they tell the size on paper or screen, not in the patient. What OME-XML and ImageJ state is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import tifffile
from PIL import UnidentifiedImageError

from calcimeasure.errors import DamagedFile, UnsupportedFile
from calcimeasure.io.images.calibration import calibration_of
from calcimeasure.io.images.codestream import check_jpeg
from calcimeasure.io.images.dicom_header import chosen_frame
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.images.orient import upright
from calcimeasure.io.images.spacing import FileScale, aspect_of
from calcimeasure.io.images.tiff_chain import directory_count
from calcimeasure.io.images.tiff_pieces import check_pieces
from calcimeasure.io.images.untrusted import Request, check_packing, check_size, guarded
from calcimeasure.model.image import Mask, Pixels

_ORIENTATION = 0x0112
_PIL_FORMATS = {
    "png": ("PNG",),
    "jpeg": ("JPEG", "MPO"),
    "bmp": ("BMP", "DIB"),
    "pnm": ("PPM",),
    "heic": ("HEIF",),
    "tiff": ("TIFF",),
}
# Alpha never changes a value; a pixel that is fully transparent holds no picture.
_ALL_TRANSPARENT = "every pixel is transparent: transparency was ignored"
_OLD_JPEG, _JPEG, _DEFLATE = 6, 7, (8, 32946)
_TURNED = range(5, 9)  # orientations that make rows of columns
_REDUCED = 1  # NewSubfileType: a smaller copy of another page


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """A raster as stored, upright, before it is decided what it shows.

    Parameters
    ----------
    array : array, shape (rows, columns) or (rows, columns, 3)
        Grey in the dtype of the file, or RGB in uint8 or uint16; not turned over.
    bits : int or None
        Bits a sample, `None` for floating point.
    valid : bool array or None
        False where there is no picture.
    white_is_zero : bool
        Whether the file says that its lowest value is white.
    lossy : bool or None
        Whether the file was compressed with loss.
    frame, frames : int or None
        Page read and how many there are, `None` for one.
    warnings : tuple of str
        What was met on the way.
    scale : FileScale
        What the program that wrote the file says of the size of a pixel.
    aspect : float or None
        Height of an upright pixel over its width, where the two resolutions differ; `None` for square ones.
    """

    array: Pixels
    bits: int | None
    valid: Mask | None = None
    white_is_zero: bool = False
    lossy: bool | None = None
    frame: int | None = None
    frames: int | None = None
    warnings: tuple[str, ...] = ()
    scale: FileScale = field(default_factory=FileScale)
    aspect: float | None = None


def read_raster(file: FileBytes, form: str, request: Request) -> Raster:
    """The picture of a raster file, upright.

    Parameters
    ----------
    file : FileBytes
        The file.
    form : str
        Its format, as `calcimeasure.io.images.content.identify` names it.
    request : Request
        Frame and cap are used here.

    Raises
    ------
    UnsupportedFile, DamagedFile, TooLarge, FrameNeeded
        See `calcimeasure.errors`.
    """
    with guarded(file.name, PIL.Image.DecompressionBombError, UnidentifiedImageError):
        if form == "tiff":
            return _read_tiff(file, request)
        if form == "heic":
            _know_heic(file.name)
        chosen_frame(file.name, request.frame, 1)
        return _read_with_pil(file, form, request)


# -------------------------------------------------------------------------------------------------------- PIL


def _read_with_pil(file: FileBytes, form: str, request: Request) -> Raster:
    with _no_pil_limit(), PIL.Image.open(file.open(), formats=_PIL_FORMATS[form]) as image:
        columns, rows = image.size
        shape, bytes_each = (rows, columns, len(image.getbands())), _bytes_each(image, file)
        check_size(file.name, shape, bytes_each, request.max_megapixels)
        check_packing(file.name, shape, bytes_each, file.size)
        check_jpeg(file.name, file.data)
        orientation, doubts = _orientation(image)
        aspect = _aspect(image.info.get("dpi"), orientation)
        array, alpha, bits = _deep_png(file) or _samples(image)
    valid, more = _opaque(alpha)
    return Raster(
        array=upright(array, orientation),
        bits=bits,
        valid=None if valid is None else upright(valid, orientation),
        lossy=True if form in ("jpeg", "heic") else None,
        warnings=doubts + more,
        aspect=aspect,
    )


def _bytes_each(image: PIL.Image.Image, file: FileBytes) -> int:
    """Bytes that a sample takes when it is decoded."""
    if image.mode in ("I", "F"):
        return 4
    return 2 if image.mode.startswith("I;16") or _is_deep_png(file) else 1


def _aspect(resolution: Any, orientation: int) -> float | None:
    """Height of an upright pixel over its width, from pixels per length across and down."""
    if not isinstance(resolution, tuple) or len(resolution) != 2 or None in resolution:
        return None
    sides = (float(resolution[0]), float(resolution[1]))
    return aspect_of(sides[::-1] if orientation in (5, 6, 7, 8) else sides)


@contextmanager
def _no_pil_limit() -> Iterator[None]:
    # Our own cap is checked against the header instead; PIL's is a fixed number of a global.
    limit = PIL.Image.MAX_IMAGE_PIXELS
    PIL.Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        PIL.Image.MAX_IMAGE_PIXELS = limit


def _orientation(image: PIL.Image.Image) -> tuple[int, tuple[str, ...]]:
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except (ValueError, TypeError, KeyError, IndexError, SyntaxError, OSError, AttributeError, OverflowError):
        return 1, ("the EXIF block is damaged: orientation was taken as upright",)
    if orientation in range(1, 9):
        return int(orientation), ()
    return 1, (() if orientation in (0, None) else ("the orientation tag is out of range: taken as upright",))


def _samples(image: PIL.Image.Image) -> tuple[Pixels, Pixels | None, int | None]:
    """Grey or RGB values, alpha, and bits, of an 8-bit picture or a 16-bit grey one."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16), None, 16
    if image.mode in ("I", "F"):
        return _wide(np.asarray(image))
    see_through = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    grey = image.mode in ("1", "L", "LA", "La")
    target = ("LA" if grey else "RGBA") if see_through else ("L" if grey else "RGB")
    array = np.array(image.convert(target))
    if not see_through:
        return array, None, 8
    colour = array[..., 0] if grey else array[..., :3]
    return np.ascontiguousarray(colour), array[..., -1], 8


def _wide(array: Pixels) -> tuple[Pixels, None, int | None]:
    # PIL opens PGM of more than 8 bits as 32-bit integers that hold 16.
    if array.dtype.kind == "f":
        return array.astype(np.float32), None, None
    return (array.astype(np.uint16), None, 16) if array.min() >= 0 and array.max() < 2**16 else (array, None, 32)


def _deep_png(file: FileBytes) -> tuple[Pixels, Pixels | None, int] | None:
    """The values of a 16-bit PNG with colour or alpha, which PIL would cut to 8 bits; `None` for any other file."""
    if not _is_deep_png(file):
        return None
    colours, array = file.data[25], imagecodecs.png_decode(file.data)
    alpha = array[..., -1] if colours in (4, 6) and array.ndim == 3 else None
    colour = array[..., 0] if colours == 4 and array.ndim == 3 else array[..., :3]
    return np.ascontiguousarray(colour), alpha, 16


def _is_deep_png(file: FileBytes) -> bool:
    # IHDR stands first: bit depth at byte 24, colour type at 25 (2 RGB, 4 grey and alpha, 6 RGB and alpha).
    start = file.data[:26]
    return len(start) == 26 and start[:8] == b"\x89PNG\r\n\x1a\n" and start[24] == 16 and start[25] in (2, 4, 6)


def _opaque(alpha: Pixels | None) -> tuple[Mask | None, tuple[str, ...]]:
    if alpha is None or (visible := alpha > 0).all():
        return None, ()
    return (visible, ()) if visible.any() else (None, (_ALL_TRANSPARENT,))


def _know_heic(name: str) -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise UnsupportedFile(f"{name}: HEIC needs an extra: pip install 'calcimeasure[heic]'") from error
    register_heif_opener(thumbnails=False)


# ------------------------------------------------------------------------------------------------------- TIFF


def _read_tiff(file: FileBytes, request: Request) -> Raster:
    directory_count(file)
    with tifffile.TiffFile(file.open()) as tiff:
        pages = [page for page in tiff.pages if not _tag(page, "NewSubfileType", 0) & _REDUCED] or [tiff.pages[0]]
        frame = chosen_frame(file.name, request.frame, len(pages))
        page = pages[frame - 1].aspage()
        _check_page(file, page, request.max_megapixels)
        several = len(pages) if len(pages) > 1 else None
        raster, scale = _decoded(file, page, frame), calibration_of(tiff, page)
    orientation = int(_tag(page, "Orientation", 1))
    valid = None if raster.valid is None else upright(raster.valid, orientation)
    array = upright(raster.array, orientation)
    resolution = tuple(_resolution(page, axis) for axis in "XY")
    return replace(
        raster,
        array=array,
        valid=valid,
        lossy=_is_lossy(page),
        frame=several and frame,
        frames=several,
        scale=scale.turned() if orientation in _TURNED else scale,
        aspect=_aspect(resolution, orientation),
    )


def _resolution(page: Any, axis: str) -> float | None:
    tag = page.tags.get(f"{axis}Resolution")
    count, of = tag.value if tag is not None and isinstance(tag.value, tuple) and len(tag.value) == 2 else (0, 0)
    return count / of if count and of else None


def _decoded(file: FileBytes, page: Any, frame: int) -> Raster:
    """The page as the first reader that can decode it does."""
    try:
        raster = _page(page) or _second_reader(file, page, frame)
    except (RuntimeError, ValueError):
        # libtiff forgives what imagecodecs does not, such as data after the end of a strip.
        raster = _second_reader(file, page, frame) if int(page.compression) in _DEFLATE else None
        if raster is None:
            raise
    if raster is None:
        raise UnsupportedFile(f"{file.name}: this sort of TIFF cannot be read; save it as plain TIFF")
    return raster


def _tag(page: Any, name: str, default: int) -> int:
    tag = page.aspage().tags.get(name)
    value = default if tag is None else tag.value
    return int(value) if isinstance(value, int) else default


def _check_page(file: FileBytes, page: Any, max_megapixels: float) -> None:
    """Nothing, or an error, before memory is taken: declared size against the cap, and data against the file."""
    name = file.name
    if page.imagedepth != 1 or page.samplesperpixel > 64:
        raise UnsupportedFile(f"{name}: is a stack or has {page.samplesperpixel} channels; only single planes are read")
    bytes_each = max(page.bitspersample // 8, 1)
    shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
    check_size(name, shape, bytes_each, max_megapixels)
    size = file.size
    if any(at + count > size for at, count in zip(page.dataoffsets, page.databytecounts, strict=False)):
        raise DamagedFile(f"{name}: is truncated: its picture should reach beyond the end of the file")
    if not page.dataoffsets:
        raise DamagedFile(f"{name}: holds no picture data")
    check_packing(name, shape, bytes_each, sum(page.databytecounts))
    check_pieces(file, page)


def _page(page: Any) -> Raster | None:
    """The page as tifffile decodes it, or `None` for a sort of picture that it does not know."""
    photometric, bits, samples = int(page.photometric), int(page.bitspersample), int(page.samplesperpixel)
    grey, colour = photometric in (0, 1) and samples <= 2, photometric == 2 and samples >= 3
    # YCbCr comes out as RGB only where the JPEG decoder turns it.
    colour |= photometric == 6 and samples == 3 and int(page.compression) == _JPEG
    if not (grey or colour or photometric == 3) or int(page.compression) == _OLD_JPEG:
        return None
    array = _native(page.asarray(maxworkers=1))
    array = np.moveaxis(array, 0, -1) if page.axes.startswith("S") else array
    if photometric == 3:
        return Raster(_palette(page, array), 8)
    return _grey_page(array, bits, white_is_zero=photometric == 0) if grey else _colour_page(page, array, bits)


def _colour_page(page: Any, array: Pixels, bits: int) -> Raster | None:
    if array.dtype not in (np.uint8, np.uint16):
        return None
    has_alpha = array.shape[2] > 3 and tuple(page.extrasamples[:1]) in ((1,), (2,))
    valid, words = _opaque(array[..., 3] if has_alpha else None)
    return Raster(np.ascontiguousarray(array[..., :3]), bits, valid, warnings=words)


def _grey_page(array: Pixels, bits: int, *, white_is_zero: bool) -> Raster | None:
    # A second sample of a grey page is alpha.
    valid, words = _opaque(array[..., 1] if array.ndim == 3 else None)
    grey = array if array.ndim == 2 else np.ascontiguousarray(array[..., 0])
    if grey.dtype.kind == "b" or bits == 1:
        return Raster(grey.astype(np.uint8) * np.uint8(255), 8, valid, white_is_zero, warnings=words)
    if grey.dtype.kind == "f":
        return _float_page(grey, valid, white_is_zero, words)
    return Raster(grey, bits, valid, white_is_zero, warnings=words) if grey.dtype.itemsize <= 4 else None


def _float_page(grey: Pixels, valid: Mask | None, white_is_zero: bool, words: tuple[str, ...]) -> Raster:
    grey = grey.astype(np.float32) if grey.dtype.itemsize == 2 else grey
    finite = np.isfinite(grey)
    if finite.all():
        return Raster(grey, None, valid, white_is_zero, warnings=words)
    if not finite.any():
        raise ValueError("no finite value")
    # Where there is no number there is no picture; the hole gets the lowest value, so that no step meets a NaN.
    filled = np.where(finite, grey, grey[finite].min()).astype(grey.dtype)
    words += ("values that are not finite numbers were masked",)
    return Raster(filled, None, finite if valid is None else finite & valid, white_is_zero, warnings=words)


def _native(array: Pixels) -> Pixels:
    """The values in this machine's byte order."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _palette(page: Any, array: Pixels) -> Pixels:
    return np.ascontiguousarray((np.asarray(page.colormap)[:, array] >> 8).astype(np.uint8).transpose(1, 2, 0))


def _is_lossy(page: Any) -> bool | None:
    # JPEG in its old and new forms, lossy DNG, JPEG XR, WebP; JPEG 2000 may be either.
    return True if int(page.compression) in (6, 7, 34892, 22610, 50001) else None


def _second_reader(file: FileBytes, page: Any, frame: int) -> Raster | None:
    """What PIL makes of a page that tifffile cannot decode (CMYK, Lab, subsampled YCbCr), `None` for nothing.

    Old-style JPEG is left out: libtiff writes about it on stderr. So are pages to be turned, which PIL turns itself.
    """
    if int(page.compression) == _OLD_JPEG or _tag(page, "Orientation", 1) != 1:
        return None
    with _no_pil_limit():
        try:
            image = PIL.Image.open(file.open(), formats=_PIL_FORMATS["tiff"])
        except UnidentifiedImageError:
            return None
        with image:
            image.seek(frame - 1)
            if image.size != (page.imagewidth, page.imagelength):
                return None
            array, alpha, bits = _samples(image)
    valid, words = _opaque(alpha)
    return Raster(array, bits, valid, warnings=words)
