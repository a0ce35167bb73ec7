"""Pictures for people: an RGB array as the bytes of a PNG."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.errors import OutputError


def png(rgb: npt.NDArray[np.uint8]) -> bytes:
    """The PNG of an RGB picture, shape (rows, columns, 3); the same array gives the same bytes."""
    written, data = cv2.imencode(".png", rgb[:, :, ::-1])
    if not written:
        raise OutputError(f"cannot encode a picture of {rgb.shape} as PNG")
    return bytes(data)
