"""What a compressed picture says of itself, read from its header without decoding it, and whether that can be true."""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import NamedTuple

from calcimeasure.errors import DamagedFile

# Start-of-frame markers of JPEG and JPEG-LS; C4, C8 and CC share the range but are tables.
_FRAME_MARKERS = frozenset([*range(0xC0, 0xD0), 0xF7]) - {0xC4, 0xC8, 0xCC}
_HUFFMAN_DCT = (0xC0, 0xC1, 0xC2)
_JPEG_START, _J2K_START, _JXL_START = b"\xff\xd8", b"\xff\x4f\xff\x51", b"\xff\x0a"
_JP2_BOXES, _JXL_BOXES, PNG_START = b"\0\0\0\x0cjP  ", b"\0\0\0\x0cJXL ", b"\x89PNG\r\n\x1a\n"
# Encoders write some 10 scans, and 3 x 64 x 14 is all that could have a sense; each costs a pass over the picture.
_SCAN, _MOST_SCANS = b"\xff\xda", 200
# A block of 8 x 8 takes one bit at the very least.
_PIXELS_A_BYTE = 512
_JXL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


class Family(StrEnum):
    """What a frame is compressed with."""

    JPEG = "JPEG"
    JPEG_LOSSLESS = "lossless JPEG"
    JPEG_LS = "JPEG-LS"
    JPEG_2000 = "JPEG 2000"


_SPECIAL = {
    0xC3: Family.JPEG_LOSSLESS,
    0xC7: Family.JPEG_LOSSLESS,
    0xCB: Family.JPEG_LOSSLESS,
    0xF7: Family.JPEG_LS,
}


class Declared(NamedTuple):
    """Rows, columns, bits and samples that a codestream declares; bits and samples are 0 where nobody asks."""

    rows: int
    columns: int
    bits: int = 0
    samples: int = 0


def declared_family(frame: bytes) -> Family | None:
    """The family of a frame, or `None` when it is none of them."""
    if frame[:2] != _JPEG_START:
        return Family.JPEG_2000 if _j2k_size(_j2k_stream(frame)) else None
    found = _frame_header(frame)
    return _SPECIAL.get(found[0], Family.JPEG) if found else None


def declared_signed(frame: bytes) -> bool | None:
    """Whether a JPEG 2000 frame says that its values are signed; `None` for any other."""
    stream = _j2k_stream(frame)
    return bool(stream[42] & 0x80) if _j2k_size(stream) else None


def declared_channels(frame: bytes) -> int | None:
    """How many channels a JPEG, JPEG-LS or JPEG 2000 frame has, or `None` when it is none of them."""
    if frame[:2] == _JPEG_START:
        found = _frame_header(frame)
        return found[1].samples if found else None
    stream = _j2k_stream(frame)
    return int.from_bytes(stream[40:42], "big") if _j2k_size(stream) else None


def declared_size(frame: bytes) -> Declared | None:
    """Size of a JPEG, JPEG-LS, JPEG 2000, JPEG XL, PNG or WebP frame, or `None` when it is none of them."""
    if frame[:2] == _JPEG_START:
        return _jpeg_size(frame)
    if frame[:8] == PNG_START and len(frame) >= 26:
        columns, rows, bits = struct.unpack(">IIB", frame[16:25])
        return Declared(rows, columns, bits)
    if frame[:4] == b"RIFF" and frame[8:12] == b"WEBP":
        return _webp_size(frame)
    if frame[:2] == _JXL_START or frame[:8] == _JXL_BOXES:
        return _jxl_size(frame if frame[:2] == _JXL_START else _boxed(frame, b"jxlc"))
    return _j2k_size(_j2k_stream(frame))


def check_jpeg(name: str, frame: bytes) -> None:
    """Nothing, or an error for a JPEG that would be drawn grey to its end, or over and over again.

    Decoders fill up what is missing of a JPEG without a word, so one that is too short for its size is told here.

    Raises
    ------
    DamagedFile
        For fewer bits than blocks, or more scans than any encoder writes.
    """
    if frame[:2] != _JPEG_START:
        return
    scans = frame.count(_SCAN)
    if scans > _MOST_SCANS:
        raise DamagedFile(f"{name}: its JPEG is drawn in {scans} passes, which no encoder does; save it anew")
    found = _frame_header(frame)
    if found and found[0] in _HUFFMAN_DCT and found[1].rows * found[1].columns > len(frame) * _PIXELS_A_BYTE:
        rows, columns = found[1][:2]
        raise DamagedFile(f"{name}: is too short for the {rows} x {columns} pixels that its JPEG declares")


def _jpeg_size(frame: bytes) -> Declared | None:
    found = _frame_header(frame)
    return found[1] if found else None


def _frame_header(frame: bytes) -> tuple[int, Declared] | None:
    # Segments follow each other: FF, marker, length of what follows including itself.
    at = 2
    while at + 10 <= len(frame) and frame[at] == 0xFF:
        marker, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4], "big")
        if marker in _FRAME_MARKERS:
            bits, rows, columns, samples = struct.unpack(">BHHB", frame[at + 4 : at + 10])
            return marker, Declared(rows, columns, bits, samples)
        at += 1 if marker == 0xFF else 2 + max(length, 2)
    return None


def _j2k_stream(frame: bytes) -> bytes:
    return _boxed(frame, b"jp2c") if frame[:8] == _JP2_BOXES else frame


def _j2k_size(frame: bytes) -> Declared | None:
    if frame[:4] != _J2K_START or len(frame) < 43:
        return None
    right, bottom, left, top = struct.unpack(">4I", frame[8:24])
    (samples,) = struct.unpack(">H", frame[40:42])
    return Declared(max(bottom - top, 0), max(right - left, 0), (frame[42] & 0x7F) + 1, samples)


def _boxed(frame: bytes, wanted: bytes) -> bytes:
    """What the first box of a kind holds, in a file of boxes: length, kind, content; empty when there is none."""
    at = 0
    while at + 8 <= len(frame):
        length, kind, start = int.from_bytes(frame[at : at + 4], "big"), frame[at + 4 : at + 8], at + 8
        if length == 1:
            length, start = int.from_bytes(frame[at + 8 : at + 16], "big"), at + 16
        if kind == wanted:
            return frame[start:]
        if length < start - at:
            return b""
        at += length
    return b""


def _webp_size(frame: bytes) -> Declared | None:
    kind, body = frame[12:16], frame[20:30]
    if len(body) < 10:
        return None
    if kind == b"VP8X":
        return Declared(int.from_bytes(body[7:10], "little") + 1, int.from_bytes(body[4:7], "little") + 1)
    if kind == b"VP8L":
        packed = int.from_bytes(body[1:5], "little")
        return Declared((packed >> 14 & 0x3FFF) + 1, (packed & 0x3FFF) + 1)
    columns, rows = struct.unpack("<HH", body[6:10])
    return Declared(rows & 0x3FFF, columns & 0x3FFF) if kind == b"VP8 " else None


def _jxl_size(stream: bytes) -> Declared | None:
    if stream[:2] != _JXL_START or len(stream) < 12:
        return None
    bits = _Bits(int.from_bytes(stream[2:12], "little"))
    eighths = bits.take(1)
    rows = bits.side(eighths)
    ratio = bits.take(3)
    if not ratio:
        return Declared(rows, bits.side(eighths))
    wide, high = _JXL_RATIOS[ratio - 1]
    return Declared(rows, rows * wide // high)


class _Bits:
    """The bits of a JPEG XL header, lowest first (ISO/IEC 18181-1, size header)."""

    def __init__(self, rest: int) -> None:
        self._rest = rest

    def take(self, count: int) -> int:
        found, self._rest = self._rest & ((1 << count) - 1), self._rest >> count
        return found

    def side(self, eighths: int) -> int:
        if eighths:
            return 8 * (self.take(5) + 1)
        return self.take((9, 13, 18, 30)[self.take(2)]) + 1
