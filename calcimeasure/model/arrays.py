"""What arrays are called: one name for each kind, with one meaning, and boxes.

Rows come before columns everywhere, (0, 0) is the centre of the top left pixel, and row numbers grow downward.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

#: Yes or no for every pixel, shape (rows, columns).
Mask = npt.NDArray[np.bool_]
#: The same as 0 and 1 (or 255), as OpenCV wants it; also a small picture of bytes.
Bytes = npt.NDArray[np.uint8]
#: A picture as it was read, of any real type: (rows, columns), or (rows, columns, 3) in colour.
Pixels = npt.NDArray[Any]
#: Brightness of every pixel as a film at work has it, shape (rows, columns).
Grey = npt.NDArray[np.float32]
#: Another number for every pixel, shape (rows, columns): a probability, a thickness in mm; also (rows, columns, n) for
#: what has n parts, as Lab colour or a displacement.
Map = npt.NDArray[np.float32]
#: A picture for people, shape (rows, columns, 3): red, green, blue, 0-255.
Rgb = npt.NDArray[np.uint8]
#: The number of the deposit at every pixel, 0 where there is none, shape (rows, columns).
LabelArray = npt.NDArray[np.int32]
#: What cuts rows and columns out of an array.
Slices = tuple[slice, slice]
#: Numbers that are no picture: a column, points of shape (n, 2) as (row, column), a matrix.
Floats = npt.NDArray[np.float64]
#: Whole numbers that say where: indices into another array.
Places = npt.NDArray[np.intp]
#: Columns of several types, where the type is no part of the meaning.
Array = npt.NDArray[Any]


class Box(NamedTuple):
    """A rectangle of whole pixels: first row, first column, and one past the last of each."""

    row0: int
    column0: int
    row1: int
    column1: int

    @classmethod
    def of(cls, mask: Mask) -> Box:
        """The smallest box around what is marked.

        Raises
        ------
        IndexError
            When nothing is.
        """
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        return cls(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.row1 - self.row0, self.column1 - self.column0

    @property
    def slices(self) -> tuple[slice, slice]:
        """What cuts it out of an array of the whole picture."""
        return slice(self.row0, self.row1), slice(self.column0, self.column1)

    def holds(self, row: int, column: int) -> bool:
        """Whether a pixel lies inside."""
        return self.row0 <= row < self.row1 and self.column0 <= column < self.column1

    def grown(self, share: float, shape: tuple[int, int]) -> Box:
        """The box with a share of its size added on every side, within a picture of that shape."""
        down, across = (int(np.ceil(share * side)) for side in self.size)
        return Box(self.row0 - down, self.column0 - across, self.row1 + down, self.column1 + across).within(shape)

    def within(self, shape: tuple[int, int]) -> Box:
        """The part of it that lies in a picture of that shape."""
        return Box(max(self.row0, 0), max(self.column0, 0), min(self.row1, shape[0]), min(self.column1, shape[1]))
