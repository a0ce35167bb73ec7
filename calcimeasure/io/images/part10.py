"""How a DICOM file says its data set is written, and how it is written indeed."""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import dataclass
from typing import BinaryIO, Literal

from calcimeasure.errors import DamagedFile, TooLarge
from calcimeasure.model.warning import Code, Remark

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
NATIVE = (IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED)

_META_START = 132 + 4
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_VR = re.compile(rb"[A-Z]{2}")
_SYNTAX = bytes.fromhex("02001000")
# No data set of a picture begins above this group, and none of the first is longer.
_HIGHEST_GROUP, _LONGEST = 0x0028, 1 << 20
_MOST_INFLATED = 512 * 1024**2
_UNDEFINED = 0xFFFFFFFF
# A meta group has about ten elements; a stranger's may not keep us counting.
_MOST_META = 100


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements are written.

    Parameters
    ----------
    explicit : bool
        Whether each names its value representation.
    order : str
        Byte order.
    """

    explicit: bool
    order: Literal["little", "big"]

    @classmethod
    def of(cls, syntax: str) -> Encoding:
        """What a transfer syntax asks for; every one but the plain implicit is explicit."""
        return cls(syntax != IMPLICIT_LITTLE, "big" if syntax == EXPLICIT_BIG else "little")

    def __str__(self) -> str:
        return f"{'explicit' if self.explicit else 'implicit'} VR {self.order} endian"


def data_set_start(stream: BinaryIO) -> tuple[str | None, int] | None:
    """The transfer syntax that the meta group states and where the data set begins; `None` without a meta group."""
    stream.seek(0)
    if stream.read(_META_START)[128:132] != b"DICM":
        return None
    at, syntax = 132, None
    for _ in range(_MOST_META):
        stream.seek(at)
        head = stream.read(12)
        if len(head) < 12 or head[:2] != b"\x02\x00":
            return syntax, at
        long = head[4:6] in _LONG
        length = int.from_bytes(head[8:12] if long else head[6:8], "little")
        start = at + (12 if long else 8)
        if head[:4] == _SYNTAX:
            stream.seek(start)
            syntax = stream.read(min(length, 64)).rstrip(b"\0 ").decode("ascii", "replace")
        at = start + length
    return syntax, at


def found_encoding(start: bytes) -> Encoding | None:
    """How the elements are written of which these are the first bytes; `None` when they are no data set.

    The group number of a first element is small: read in the wrong byte order it is large.
    """
    little, big = (int.from_bytes(start[:2], order) for order in ("little", "big"))
    order: Literal["little", "big"] = "little" if little < big else "big"
    if len(start) < 8 or min(little, big) > _HIGHEST_GROUP:
        return None
    if _VR.fullmatch(start[4:6]):
        return Encoding(True, order)
    return Encoding(False, order) if int.from_bytes(start[4:8], order) < _LONGEST else None


@dataclass(frozen=True, slots=True)
class PixelElement:
    """The pixels' element: where its value begins, its bytes (`None` in fragments), and whether it is in words."""

    at: int
    length: int | None
    in_words: bool


def pixel_element(stream: BinaryIO, at: int, order: Literal["little", "big"]) -> PixelElement:
    """The element of the pixels that begins at this byte, by what it is and not by what the header says."""
    stream.seek(at)
    head = stream.read(12)
    explicit = _VR.fullmatch(head[4:6]) is not None and head[6:8] == b"\0\0"
    length = int.from_bytes(head[8:12] if explicit else head[4:8], order)
    start, in_words = (12, head[4:6] == b"OW") if explicit else (8, True)
    return PixelElement(at + start, None if length == _UNDEFINED else length, in_words)


def inflated(name: str, file: BinaryIO) -> BinaryIO:
    """The file itself, or its deflated data set inflated within bounds: pydicom itself would inflate any bomb.

    Raises
    ------
    DamagedFile
        When it is not deflated.
    TooLarge
        When it is larger than 512 MB.
    """
    stated = data_set_start(file)
    file.seek(0)
    if stated is None or stated[0] != DEFLATED:
        return file
    start = file.read(stated[1])
    body = file.read()
    if found_encoding(body[:8]) == Encoding(True, "little"):
        raise DamagedFile(f"{name}: its transfer syntax says deflated, but its data set is not")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    body = inflater.decompress(body, _MOST_INFLATED)
    if inflater.unconsumed_tail:
        raise TooLarge(f"{name}: its deflated data set is larger than {_MOST_INFLATED >> 20} MB")
    # The same header naming the plain syntax, padded with the NULs that end a UID.
    deflated, plain = DEFLATED.encode(), EXPLICIT_LITTLE.encode().ljust(len(DEFLATED), b"\0")
    return io.BytesIO(start.replace(deflated, plain) + body)


def check_encoding(name: str, stream: BinaryIO) -> tuple[Remark, ...]:
    """Nothing, a warning, or an error, where the data set is not written as the transfer syntax says.

    Which elements name their representation is seen in them, so a wrong word about that is passed over; a wrong byte
    order leaves in doubt how the pixels lie.

    Raises
    ------
    DamagedFile
        For another byte order, or no data set at all.
    """
    start = data_set_start(stream)
    if start is None or not start[0]:
        stream.seek(0)
        return ()
    stream.seek(start[1])
    found, said = found_encoding(stream.read(8)), Encoding.of(start[0])
    stream.seek(0)
    if found is None or found.order != said.order:
        what = "is not written so" if found is None else f"is {found}"
        raise DamagedFile(f"{name}: its transfer syntax says {said}, but its data set {what}")
    return () if found == said else (Remark.of(Code.ENCODING_MISSTATED, said=str(said), found=str(found)),)
