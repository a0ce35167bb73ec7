"""Size that a compressed frame declares in its own header, read without decoding it."""

from __future__ import annotations

import struct

# Start-of-frame markers of JPEG and JPEG-LS; C4, C8 and CC share the range but are tables.
_FRAME_MARKERS = frozenset([*range(0xC0, 0xD0), 0xF7]) - {0xC4, 0xC8, 0xCC}
_JPEG_START, _J2K_START = b"\xff\xd8", b"\xff\x4f\xff\x51"


def declared_size(frame: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and bits of a JPEG, JPEG-LS or JPEG 2000 frame, or `None` when it is none of them."""
    if frame[:2] == _JPEG_START:
        return _jpeg_size(frame)
    start = frame.find(_J2K_START, 0, 4096)  # a JP2 wrapper may stand before it
    return _j2k_size(frame[start:]) if start >= 0 else None


def _jpeg_size(frame: bytes) -> tuple[int, int, int] | None:
    # Segments follow each other: FF, marker, length of what follows including itself.
    at = 2
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        marker, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4], "big")
        if marker in _FRAME_MARKERS:
            bits, rows, columns = struct.unpack(">BHH", frame[at + 4 : at + 9])
            return rows, columns, bits
        at += 1 if marker == 0xFF else 2 + max(length, 2)
    return None


def _j2k_size(frame: bytes) -> tuple[int, int, int] | None:
    if len(frame) < 43:
        return None
    right, bottom, left, top = struct.unpack(">4I", frame[8:24])
    return max(bottom - top, 0), max(right - left, 0), (frame[42] & 0x7F) + 1
