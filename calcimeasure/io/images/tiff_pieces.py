"""The strips and tiles of a TIFF page, looked at before anything is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from calcimeasure.errors import DamagedFile, TooLarge, UnsupportedFile
from calcimeasure.io.images.codestream import check_jpeg, declared_size
from calcimeasure.io.images.file_bytes import FileBytes

#: More pieces than this are refused; one row each is the least that a writer cuts.
MOST_PIECES = 100_000
# Compressions whose output the page itself bounds: none, fax, LZW, deflate, PackBits, LZMA, Zstandard; and old-style
# JPEG, which is refused where it would be decoded.
_PLAIN = frozenset([1, 2, 3, 4, 5, 6, 8, 32946, 32773, 34925, 50000])
# Compressions whose pieces are pictures with a size of their own: JPEG, JPEG 2000 (three numbers), lossy DNG, PNG,
# WebP, JPEG XL.
_PICTURES = frozenset([7, 33003, 33005, 34712, 34892, 34933, 50001, 50002])


def check_pieces(file: FileBytes, page: Any) -> None:
    """Nothing, or an error for pieces that are too many, compressed as nobody checks, or larger than the page says.

    Parameters
    ----------
    file : FileBytes
        The file.
    page : tifffile.TiffPage
        The page to be decoded.

    Raises
    ------
    TooLarge
        For more than 100,000 pieces.
    UnsupportedFile
        For a compression whose declared size is not known here.
    DamagedFile
        When the picture in a piece is none, or is not of the piece's size.
    """
    if len(page.dataoffsets) > MOST_PIECES:
        raise TooLarge(f"{file.name}: is cut into more than {MOST_PIECES} pieces; save it as plain TIFF")
    compression = int(page.compression)
    if compression not in _PLAIN | _PICTURES:
        raise UnsupportedFile(f"{file.name}: TIFF compression {compression} is not read; save it as plain TIFF")
    if compression in _PICTURES:
        for piece in _pieces(file, page):
            _check_picture(file.name, piece, _piece_shape(page))


def _pieces(file: FileBytes, page: Any) -> Iterator[bytes]:
    for at, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        if count:  # a piece that is not there is filled
            yield file.data[at : at + count]


def _piece_shape(page: Any) -> tuple[int, int]:
    if page.is_tiled:
        return int(page.tilelength), int(page.tilewidth)
    return min(int(page.rowsperstrip), int(page.imagelength)), int(page.imagewidth)


def _check_picture(name: str, piece: bytes, shape: tuple[int, int]) -> None:
    check_jpeg(name, piece)
    declared = declared_size(piece)
    if declared is None:
        raise DamagedFile(f"{name}: its compressed data hold no picture")
    if declared.rows > shape[0] or declared.columns > shape[1]:
        raise DamagedFile(
            f"{name}: has pieces of {shape[0]} x {shape[1]} pixels, but its compressed data declare "
            f"{declared.rows} x {declared.columns}"
        )
