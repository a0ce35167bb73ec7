"""The chain of directories in a TIFF, walked without believing it."""

from __future__ import annotations

import struct
from typing import BinaryIO

from calcimeasure.errors import DamagedFile, TooLarge
from calcimeasure.io.images.file_bytes import FileBytes

#: More pages than this are refused; walking them alone would take seconds.
MOST_PAGES = 10_000


def directory_count(file: FileBytes) -> int:
    """How many directories (pages) a classic or Big TIFF holds.

    Raises
    ------
    DamagedFile
        When the directories form a loop, or the chain leaves the file.
    TooLarge
        For more than 10,000 pages.
    """
    with file.open() as stream:
        head = stream.read(16)
        order = "<" if head[:2] == b"II" else ">"
        big = struct.unpack(order + "H", head[2:4])[0] == 43
        (at,) = struct.unpack(order + ("Q" if big else "I"), head[8:16] if big else head[4:8])
        seen: set[int] = set()
        while at:
            if at in seen:
                raise DamagedFile(f"{file.name}: its pages form an endless loop")
            if len(seen) == MOST_PAGES:
                raise TooLarge(f"{file.name}: holds more than {MOST_PAGES} pages; split it")
            seen.add(at)
            at = _next(stream, at, order, big=big)
    if not seen:
        raise DamagedFile(f"{file.name}: holds no picture")
    return len(seen)


def _next(stream: BinaryIO, at: int, order: str, *, big: bool) -> int:
    # A directory is a count, that many entries of 12 (Big: 20) bytes, and the place of the next directory.
    width, entry, form = (8, 20, "Q") if big else (2, 12, "H")
    stream.seek(at)
    (count,) = struct.unpack(order + form, stream.read(width))
    stream.seek(at + width + count * entry)
    following = stream.read(8 if big else 4)
    # A file that ends where the pointer should stand is closed there; many old writers did that.
    return struct.unpack(order + ("Q" if big else "I"), following)[0] if len(following) == (8 if big else 4) else 0
