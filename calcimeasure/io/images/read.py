"""A file becomes an `Image`: upright, deposits bright, scale known or honestly `None`."""

from __future__ import annotations

from pathlib import Path

from calcimeasure.errors import UnsupportedFile
from calcimeasure.io.images.content import identify, is_candidate, is_outline
from calcimeasure.io.images.contents import Contents
from calcimeasure.io.images.decoder import Question, decoded
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.images.untrusted import ReadRequest
from calcimeasure.model.image import Image, Kind, Spacing

__all__ = ["Contents", "FileBytes", "describe", "identify", "is_candidate", "is_outline", "read_image"]


def read_image(
    path: str | Path | FileBytes,
    *,
    kind: Kind | None = None,
    spacing: float | Spacing | None = None,
    frame: int | None = None,
    max_megapixels: float = 400,
) -> Image:
    """The picture in a file: upright, deposits bright, with its scale, meaning and warnings.

    Parameters
    ----------
    path : str, Path or FileBytes
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
    request = ReadRequest.of(kind, spacing, frame, max_megapixels)
    file = path if isinstance(path, FileBytes) else FileBytes.of(Path(path))
    if is_outline(Path(file.name)):
        raise UnsupportedFile(f"{file.name}: is a mask or a region of interest by its name, not a film")
    image: Image = decoded(file, Question("picture", request, Image, max_megapixels))
    return image


def describe(path: str | Path | FileBytes) -> Contents:
    """What a file is, without reading its pixels: also for volumes and other files that are not measured.

    Raises
    ------
    ReadError
        When not even the header can be read.
    """
    file = path if isinstance(path, FileBytes) else FileBytes.of(Path(path))
    contents: Contents = decoded(file, Question("contents", ReadRequest(), Contents))
    return contents
