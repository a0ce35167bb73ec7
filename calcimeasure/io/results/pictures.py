"""Pictures for people: an RGB array as the bytes of a PNG."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.errors import OutputError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(rgb: npt.NDArray[np.uint8]) -> bytes:
    """The PNG of an RGB picture, shape (rows, columns, 3); the same array gives the same bytes."""
    written, data = cv2.imencode(".png", rgb[:, :, ::-1])
    if not written:
        raise OutputError(f"cannot encode a picture of {rgb.shape} as PNG")
    return bytes(data)


def is_whole_png(data: bytes) -> bool:
    """Whether the bytes are a PNG from its first chunk to its last, all check sums right; nothing is decoded."""
    at, kind = len(_SIGNATURE), b""
    while data.startswith(_SIGNATURE) and kind != b"IEND" and at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunk, told = data[at + 4 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        if told != struct.pack(">I", zlib.crc32(chunk)):
            return False
        at, kind = at + 12 + length, chunk[:4]
    return kind == b"IEND"
