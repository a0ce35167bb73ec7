"""What the bytes of a file show; called in the process that decodes (see `calcimeasure.io.images.decoder`)."""

from __future__ import annotations

from calcimeasure.errors import DamagedFile, UnknownFormat, UnsupportedFile
from calcimeasure.io.images.content import START, by_content, by_name
from calcimeasure.io.images.contents import Contents
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.images.untrusted import ReadRequest
from calcimeasure.model.image import Image, Kind

__all__ = ["ReadRequest", "contents_in", "picture_in"]

_UNREAD = {"gif": "GIF", "webp": "WebP", "jpeg2000": "JPEG 2000"}


def picture_in(file: FileBytes, request: ReadRequest) -> Image:
    """The picture in a file, as `calcimeasure.read_image` documents it."""
    if request.kind is Kind.VOLUME:
        raise UnsupportedFile(f"{file.name}: volumes (CT, MR) are not supported yet")
    form = _format(file)
    if form == "dicom":
        from calcimeasure.io.images.dicom import read_dicom  # pydicom costs 0.4 s that a folder of PNGs need not pay

        return read_dicom(file, request)
    from calcimeasure.io.images.film_or_photo import picture_of
    from calcimeasure.io.images.raster import read_raster

    return picture_of(read_raster(file, form, request), request)


def contents_in(file: FileBytes, request: ReadRequest) -> Contents:
    """What a file is by its header; no pixels are read."""
    form = _format(file)
    if form != "dicom":
        return Contents(form)
    from calcimeasure.io.images.dicom import read_contents

    return read_contents(file)


def _format(file: FileBytes) -> str:
    found, hint = by_content(file.data[:START]), by_name(file.name)
    if found is None and hint is None:
        raise UnknownFormat(f"{file.name}: is no picture that is known here; name a DICOM, TIFF, PNG, JPEG or BMP file")
    if found is None and hint != "dicom":
        raise DamagedFile(f"{file.name}: its content is not what its suffix says; it cannot be read")
    if (form := found or hint or "") in _UNREAD:
        raise UnsupportedFile(f"{file.name}: {_UNREAD[form]} is not read; save it as PNG or TIFF")
    return form
