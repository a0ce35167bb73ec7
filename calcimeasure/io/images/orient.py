"""A picture array turned upright, turned over in brightness, and sealed."""

from __future__ import annotations

import numpy as np

from calcimeasure.model.arrays import Pixels


def upright(array: Pixels, orientation: int) -> Pixels:
    """The array turned as its TIFF or EXIF orientation (1-8) asks; any other number asks for nothing.

    The eight values: 1 as is, 2 mirrored left-right, 3 half turn, 4 mirrored top-bottom, 5 transposed, 6 quarter
    turn clockwise, 7 transposed over the other diagonal, 8 quarter turn counter-clockwise.
    """
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array


def turned_over(array: Pixels, low: float, high: float) -> Pixels:
    """The values turned over about the middle of low and high, in the dtype of the array.

    low and high are what the file can hold, not what this picture happens to hold, so that one stored value
    always becomes the same number and turning over twice is the identity.
    """
    if array.dtype.kind == "f":
        return np.asarray(array.dtype.type(low + high) - array)
    # Every result lies between low and high, hence in the dtype; the sum alone may not, so it is wrapped first.
    total = np.array(int(low) + int(high), np.int64).astype(array.dtype)
    return np.asarray(np.subtract(total, array))


def sealed(array: Pixels) -> Pixels:
    """The array contiguous, owning its memory and read-only, so that an `Image` need not copy it once more."""
    whole = np.ascontiguousarray(array)
    if whole.base is not None:
        whole = whole.copy()
    whole.flags.writeable = False
    return whole
