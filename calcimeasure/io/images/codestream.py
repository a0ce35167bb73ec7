"""Size and family that a compressed frame declares in its own header, read without decoding it."""

from __future__ import annotations

import struct
from enum import StrEnum

# Start-of-frame markers of JPEG and JPEG-LS; C4, C8 and CC share the range but are tables.
_FRAME_MARKERS = frozenset([*range(0xC0, 0xD0), 0xF7]) - {0xC4, 0xC8, 0xCC}
_JPEG_START, _J2K_START = b"\xff\xd8", b"\xff\x4f\xff\x51"


class Family(StrEnum):
    """What a frame is compressed with."""

    JPEG = "JPEG"
    JPEG_LOSSLESS = "lossless JPEG"
    JPEG_LS = "JPEG-LS"
    JPEG_2000 = "JPEG 2000"


def declared_family(frame: bytes) -> Family | None:
    """The family of a frame, or `None` when it is none of them."""
    if frame[:2] != _JPEG_START:
        return Family.JPEG_2000 if frame.find(_J2K_START, 0, 4096) >= 0 else None
    found = _frame_marker(frame)
    if found is None:
        return None
    special = {0xF7: Family.JPEG_LS, 0xC3: Family.JPEG_LOSSLESS, 0xC7: Family.JPEG_LOSSLESS, 0xCB: Family.JPEG_LOSSLESS}
    return special.get(frame[found + 1], Family.JPEG)


def declared_signed(frame: bytes) -> bool | None:
    """Whether a JPEG 2000 frame says that its values are signed; `None` for any other."""
    start = -1 if frame[:2] == _JPEG_START else frame.find(_J2K_START, 0, 4096)
    return None if start < 0 or len(frame) < start + 43 else bool(frame[start + 42] & 0x80)


def declared_channels(frame: bytes) -> int | None:
    """How many channels a JPEG, JPEG-LS or JPEG 2000 frame has, or `None` when it is none of them."""
    if frame[:2] == _JPEG_START:
        at = _frame_marker(frame)
        return frame[at + 9] if at is not None and len(frame) > at + 9 else None
    start = frame.find(_J2K_START, 0, 4096)
    return int.from_bytes(frame[start + 40 : start + 42], "big") if start >= 0 else None


def declared_size(frame: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and bits of a JPEG, JPEG-LS or JPEG 2000 frame, or `None` when it is none of them."""
    if frame[:2] == _JPEG_START:
        return _jpeg_size(frame)
    start = frame.find(_J2K_START, 0, 4096)  # a JP2 wrapper may stand before it
    return _j2k_size(frame[start:]) if start >= 0 else None


def _jpeg_size(frame: bytes) -> tuple[int, int, int] | None:
    at = _frame_marker(frame)
    if at is None:
        return None
    bits, rows, columns = struct.unpack(">BHH", frame[at + 4 : at + 9])
    return rows, columns, bits


def _frame_marker(frame: bytes) -> int | None:
    """Where the start-of-frame segment of a JPEG begins."""
    # Segments follow each other: FF, marker, length of what follows including itself.
    at = 2
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        marker, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4], "big")
        if marker in _FRAME_MARKERS:
            return at
        at += 1 if marker == 0xFF else 2 + max(length, 2)
    return None


def _j2k_size(frame: bytes) -> tuple[int, int, int] | None:
    if len(frame) < 43:
        return None
    right, bottom, left, top = struct.unpack(">4I", frame[8:24])
    return max(bottom - top, 0), max(right - left, 0), (frame[42] & 0x7F) + 1
