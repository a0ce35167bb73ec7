"""The printable sheet: markers whose numbers tell their size, a check ruler and grey patches.

Positions are in mm from the upper left corner of an A4 page, y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.errors import MeasurementRefused

#: The family of markers on our sheet.
DICTIONARY: int = cv2.aruco.DICT_5X5_1000

#: Width and height of the page, in mm.
PAGE_MM = (210.0, 297.0)

#: Smallest and largest marker, in mm.
SIZES_MM = (8, 60)

#: Reflectances that the grey patches are printed for, from black to paper, and their side in mm.
GREYS = (0.05, 0.18, 0.36, 0.60, 1.0)
GREY_MM = 12.0

_PER_SIZE = 16  # numbers set aside for each whole mm of size
_MARGIN = 15.0  # mm: printers leave an edge blank
_TOP = 80.0  # mm: title, check ruler and patches lie above


@dataclass(frozen=True, slots=True)
class Placed:
    """A marker on the page: its number, the upper left corner of its black square and its side."""

    number: int
    x_mm: float
    y_mm: float
    side_mm: float

    def modules(self) -> npt.NDArray[np.bool_]:
        """Which of its 7 x 7 squares are black; the outermost ring is."""
        return marker_modules(self.number)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is on the page.

    Parameters
    ----------
    size_mm : int
        Side of the markers.
    markers : tuple of Placed
        At most 16, each with a white border of a third of its side.
    ruler_mm : tuple of float
        (x, y) of the left end of the 100 mm check ruler.
    patches_mm : tuple of float
        (x, y) of the upper left corner of the first grey patch; the others follow to the right without a gap.
    """

    size_mm: int
    markers: tuple[Placed, ...]
    ruler_mm: tuple[float, float] = (_MARGIN + 5.0, 38.0)
    patches_mm: tuple[float, float] = (_MARGIN + 5.0, 56.0)


def marker_sheet(size_mm: int = 20) -> Sheet:
    """The sheet with markers of a size in whole mm.

    Raises
    ------
    MeasurementRefused
        For a size that does not fit, or that the numbers cannot tell.
    """
    low, high = SIZES_MM
    if size_mm != int(size_mm) or not low <= size_mm <= high:
        raise MeasurementRefused(
            f"a marker of {size_mm} mm cannot be printed: choose whole millimetres, {low} to {high}"
        )
    pitch = size_mm * 5 / 3
    columns = min(4, int((PAGE_MM[0] - 2 * _MARGIN - size_mm) // pitch) + 1)
    rows = min(4, int((PAGE_MM[1] - _TOP - _MARGIN - size_mm) // pitch) + 1)
    cells = [(row, column) for row in range(rows) for column in range(columns)]
    markers = (
        Placed(_PER_SIZE * int(size_mm) + k, _MARGIN + 5 + column * pitch, _TOP + row * pitch, float(size_mm))
        for k, (row, column) in enumerate(cells)
    )
    return Sheet(int(size_mm), tuple(markers))


def size_from_ids(ids: Sequence[int]) -> float | None:
    """Side in mm that these numbers tell, or `None` when they are not all of one sheet of ours."""
    sizes = {number // _PER_SIZE for number in ids}
    size = sizes.pop() if len(sizes) == 1 else 0
    if not SIZES_MM[0] <= size <= SIZES_MM[1]:
        return None
    printed = {marker.number for marker in marker_sheet(size).markers}
    return float(size) if printed.issuperset(ids) else None


def marker_modules(number: int) -> npt.NDArray[np.bool_]:
    """The squares of a marker of ours, True where black, shape (7, 7)."""
    dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARY)
    return np.asarray(cv2.aruco.generateImageMarker(dictionary, number, 7, borderBits=1) < 128)
