"""Which format a file has, by its first bytes; the suffix is only a hint for broken ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from calcimeasure.errors import ReadError
from calcimeasure.io.images.file_bytes import read_start

#: How many first bytes decide.
START = 512

_MAGIC = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "png"),
    (re.compile(rb"\xff\xd8\xff"), "jpeg"),
    (re.compile(rb"II[*+]\x00|MM\x00[*+]"), "tiff"),
    (re.compile(rb"BM.{4}\x00{4}", re.DOTALL), "bmp"),
    (re.compile(rb".{4}ftyp(heic|heix|heim|heis|hevc|hevx|mif1|msf1|avif)", re.DOTALL), "heic"),
    (re.compile(rb"P[56]\s"), "pnm"),
    (re.compile(rb"GIF8[79]a"), "gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "webp"),
    (re.compile(rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"), "jpeg2000"),
)
# .lua, .csv, .zip, .json, .txt and the like are not here: they are strays, not broken pictures.
_SUFFIXES = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".bmp": "bmp",
    ".dib": "bmp",
    ".heic": "heic",
    ".heif": "heic",
    ".pgm": "pnm",
    ".ppm": "pnm",
    ".pnm": "pnm",
    ".gif": "gif",
    ".webp": "webp",
    ".jp2": "jpeg2000",
    ".j2k": "jpeg2000",
    ".dcm": "dicom",
    ".dicom": "dicom",
    ".ima": "dicom",
}
_OUTLINES = tuple(f".{what}{suffix}" for what in ("labels", "region") for suffix in (".tif", ".tiff", ".png"))
_VR = re.compile(rb"A[EST]|CS|D[AST]|F[DL]|IS|L[OT]|O[BDFLVW]|P[N]|S[HLQSTV]|T[M]|U[CILNRSTV]")


def identify(path: str | Path) -> str | None:
    """The format a file has or pretends to have, or `None` for a stray file that is no picture.

    Cheap: reads the first 512 bytes. A file is a candidate when its content is a known picture format or DICOM
    (with or without preamble), or when its suffix says so although the content is broken.

    Returns
    -------
    str or None
        ``"dicom"``, ``"tiff"``, ``"png"``, ``"jpeg"``, ``"bmp"``, ``"heic"``, ``"pnm"``, or a picture format that
        is not read (``"gif"``, ``"webp"``, ``"jpeg2000"``).

    Raises
    ------
    ReadError
        When the file cannot be opened.
    """
    path = Path(path)
    return by_content(read_start(path, START)) or by_name(path.name)


def is_candidate(path: str | Path) -> bool:
    """Whether a file is an image, sound or broken, and not a stray; one that cannot be opened goes by its suffix."""
    try:
        return identify(path) is not None
    except ReadError:
        return by_name(Path(path).name) is not None


def by_name(name: str) -> str | None:
    """The format that the suffix of a file name promises, or `None`."""
    return _SUFFIXES.get(Path(name).suffix.lower())


def is_outline(path: Path) -> bool:
    """Whether a file is by its name a mask or a region of interest, which is never a film."""
    return path.name.lower().endswith(_OUTLINES)


def by_content(start: bytes) -> str | None:
    """The format that the first bytes of a file show, or `None`."""
    # First, because the preamble before it may hold a TIFF header: dual-personality files are DICOM's own idea.
    if start[128:132] == b"DICM":
        return "dicom"
    for pattern, name in _MAGIC:
        if pattern.match(start):
            return name
    return "dicom" if _is_bare_dicom(start) else None


def _is_bare_dicom(start: bytes) -> bool:
    # Without the preamble a data set begins with its lowest element: group 0002 or 0008 (0000 never reaches a
    # file), element low, then a VR in letters or a plausible 32-bit length.
    if len(start) < 16:
        return False
    order: Literal["little", "big"] = "little" if start[1] == 0 else "big"
    group, element = (int.from_bytes(start[i : i + 2], order) for i in (0, 2))
    if group not in (0x0002, 0x0008) or element > 0x0070:
        return False
    explicit = _VR.fullmatch(start[4:6]) is not None
    return explicit or int.from_bytes(start[4:8], order) < 256
