"""A file becomes an `Image`: upright, deposits bright, scale known or honestly `None`."""

from __future__ import annotations

from pathlib import Path

from calcimeasure.errors import DamagedFile, UnknownFormat, UnsupportedFile
from calcimeasure.io.images.content import START, by_content, identify, is_candidate
from calcimeasure.io.images.contents import Contents
from calcimeasure.io.images.untrusted import Request, check_file, read_start
from calcimeasure.model.image import Image, Kind, Spacing

__all__ = ["Contents", "describe", "identify", "is_candidate", "read_image"]

_UNREAD = {"gif": "GIF", "webp": "WebP", "jpeg2000": "JPEG 2000"}


def read_image(
    path: str | Path,
    *,
    kind: Kind | None = None,
    spacing: float | Spacing | None = None,
    frame: int | None = None,
    max_megapixels: float = 400,
) -> Image:
    """The picture in a file: upright, deposits bright, with its scale, meaning and warnings.

    Parameters
    ----------
    path : str or Path
        DICOM (with or without preamble and suffix), TIFF, PNG, JPEG, BMP, PNM, or HEIC with the extra ``heic``.
    kind : Kind, optional
        What the picture is, when the reader should not decide; a photo forced to a radiograph becomes its luminance.
    spacing : float or Spacing, optional
        Millimetres per pixel of the upright picture; beats the file's own, with a warning when they differ.
    frame : int, optional
        Frame or page to read, counted from 1; needed when there are several.
    max_megapixels : float
        More pixels are refused before memory is taken.

    Raises
    ------
    ReadError
        `UnknownFormat`, `DamagedFile`, `UnsupportedFile`, `TooLarge` or `FrameNeeded`, in one line that names the
        file without its folder.
    RecipeError
        For a spacing that is not a positive number.

    Notes
    -----
    A negative film saved as a raster (deposits dark) is not turned over: the file does not say so. It gets a warning
    when its look suggests it.
    """
    path, request = Path(path), Request.of(kind, spacing, frame, max_megapixels)
    check_file(path)
    if request.kind is Kind.VOLUME:
        raise UnsupportedFile(f"{path.name}: volumes (CT, MR) are not supported yet")
    form = _format(path)
    if form == "dicom":
        from calcimeasure.io.images.dicom import read_dicom  # pydicom costs 0.4 s that a folder of PNGs need not pay

        return read_dicom(path, request)
    from calcimeasure.io.images.film_or_photo import picture_of
    from calcimeasure.io.images.raster import read_raster

    return picture_of(read_raster(path, form, request), request)


def describe(path: str | Path) -> Contents:
    """What a file is, without reading its pixels: also for volumes and other files that are not measured.

    Raises
    ------
    ReadError
        When not even the header can be read.
    """
    path = Path(path)
    check_file(path)
    form = _format(path)
    if form != "dicom":
        return Contents(form)
    from calcimeasure.io.images.dicom import read_contents

    return read_contents(path)


def _format(path: Path) -> str:
    found = by_content(read_start(path, START))
    hint = identify(path)
    if found is None and hint is None:
        raise UnknownFormat(f"{path.name}: is no picture that is known here; name a DICOM, TIFF, PNG, JPEG or BMP file")
    if found is None and hint != "dicom":
        raise DamagedFile(f"{path.name}: its content is not what its suffix says; it cannot be read")
    if (form := found or hint or "") in _UNREAD:
        raise UnsupportedFile(f"{path.name}: {_UNREAD[form]} is not read; save it as PNG or TIFF")
    return form
