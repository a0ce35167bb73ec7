"""What an edit changed in a label image: runs of pixels with their old and new number; small, exact, reversible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.int32]
Where = tuple[slice, slice]
Box = tuple[int, int, int, int]

#: Pixels that are written together: bounds the memory of a change as large as the film.
_TOGETHER = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A change of a label image.

    Parameters
    ----------
    start, length : int64 arrays
        Where in the flat image each run of changed pixels begins, and how many pixels it has; ascending, no overlap.
    old, new : int32 arrays
        Their number before and after.
    """

    start: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    old: Array
    new: Array

    @property
    def reverse(self) -> Patch:
        """The change that takes this one back."""
        return Patch(self.start, self.length, self.new, self.old)

    @property
    def nbytes(self) -> int:
        """Memory of its arrays."""
        return self.start.nbytes + self.length.nbytes + self.old.nbytes + self.new.nbytes

    @property
    def pixels(self) -> int:
        """How many pixels it changes."""
        return int(self.length.sum())

    @property
    def numbers(self) -> frozenset[int]:
        """Deposits that lose or gain pixels."""
        return frozenset(np.union1d(self.old, self.new).tolist()) - {0}

    def box(self, columns: int) -> Box | None:
        """Bounding box of the change in an image of so many columns, the end exclusive; `None` for no change."""
        if not len(self.start):
            return None
        last = self.start + self.length - 1
        top, bottom = int(self.start[0]) // columns, int(last[-1]) // columns
        if (self.start // columns != last // columns).any():  # a run that goes on in the next row
            return top, 0, bottom + 1, columns
        return top, int((self.start % columns).min()), bottom + 1, int((last % columns).max()) + 1

    def boxes(self, columns: int) -> dict[int, Box]:
        """For each deposit that loses or gains pixels, the bounding box of these, the end exclusive."""
        if not len(self.start):
            return {}
        last = self.start + self.length - 1
        top, bottom = self.start // columns, last // columns
        wraps = top != bottom
        left = np.where(wraps, 0, self.start % columns)
        right = np.where(wraps, columns - 1, last % columns)
        number = np.concatenate([self.old, self.new])
        edges = np.tile(np.stack([top, left, -bottom - 1, -right - 1]), 2)
        order = np.argsort(number, kind="stable")
        first = np.flatnonzero(np.diff(number[order], prepend=-1))
        least = np.minimum.reduceat(edges[:, order], first, axis=1) * [[1], [1], [-1], [-1]]
        found = zip(number[order][first].tolist(), least.T.tolist(), strict=True)
        return {one: (row0, column0, row1, column1) for one, (row0, column0, row1, column1) in found if one}

    def apply(self, labels: Array) -> None:
        """Write the new numbers into a label image."""
        flat = labels.reshape(-1)
        for part in self._batches():
            flat[_indices(self.start[part], self.length[part])] = np.repeat(self.new[part], self.length[part])

    def fits(self, labels: Array) -> bool:
        """Whether the image holds the old numbers exactly where the patch says so."""
        if not _is_sound(self, labels.size):
            return False
        flat = labels.reshape(-1)
        return all(
            np.array_equal(
                flat[_indices(self.start[part], self.length[part])], np.repeat(self.old[part], self.length[part])
            )
            for part in self._batches()
        )

    def rebased(self, labels: Array) -> Patch:
        """The change that leaves the same new numbers in an image that was another before.

        Raises
        ------
        ValueError
            When its runs do not lie in the image.
        """
        if not _is_sound(self, labels.size):
            raise ValueError("a step lies outside the mask")
        index = _indices(self.start, self.length)
        return _in_runs(index, labels.reshape(-1)[index], np.repeat(self.new, self.length))

    def followed_by(self, later: Patch, labels: Array) -> Patch:
        """The change and a later one as one, in the image as it is after both."""
        earlier, index = self._indices, np.union1d(self._indices, later._indices)
        new = labels.reshape(-1)[index]
        old = new.copy()
        old[np.searchsorted(index, later._indices)] = np.repeat(later.old, later.length)
        old[np.searchsorted(index, earlier)] = np.repeat(self.old, self.length)
        differs = old != new
        return _in_runs(index[differs], old[differs], new[differs])

    @property
    def _indices(self) -> npt.NDArray[np.int64]:
        return _indices(self.start, self.length)

    def _batches(self) -> Iterator[slice]:
        ends = np.cumsum(self.length)
        begin = 0
        while begin < len(ends):
            done = int(ends[begin - 1]) if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, done + _TOGETHER, side="right")))
            yield slice(begin, end)
            begin = end


def changed(labels: Array, parts: Sequence[tuple[Where, Array]]) -> Patch:
    """The change that lays windows of new numbers into a label image; equal pixels are no change.

    Parameters
    ----------
    labels : int32 array, shape (rows, columns)
        As it is; not written.
    parts : sequence of ((row slice, column slice), int32 array)
        Windows that do not overlap, each with the numbers it shall hold.
    """
    found = [_changed(labels, where, values) for where, values in parts]
    index = np.concatenate([index for index, _ in found] or [np.zeros(0, np.int64)])
    new = np.concatenate([new for _, new in found] or [np.zeros(0, np.int32)])
    if len(found) > 1:
        order = np.argsort(index, kind="stable")
        index, new = index[order], new[order]
    return _in_runs(index, labels.reshape(-1)[index], new)


def _changed(labels: Array, where: Where, values: Array) -> tuple[npt.NDArray[np.int64], Array]:
    rows, columns = where
    differs = labels[where] != values
    row, column = np.divmod(np.flatnonzero(differs), differs.shape[1])  # a fifth of the time of a nonzero by axes
    index = (row + rows.start).astype(np.int64) * labels.shape[1] + (column + columns.start)
    return index, np.asarray(values[row, column], np.int32)


def _in_runs(index: npt.NDArray[np.int64], old: Array, new: Array) -> Patch:
    fresh = np.ones(len(index), bool)
    fresh[1:] = (np.diff(index) != 1) | (np.diff(old) != 0) | (np.diff(new) != 0)
    first = np.flatnonzero(fresh)
    length = np.diff(first, append=len(index)).astype(np.int64)
    return Patch(index[first], length, old[first], new[first])


def _indices(start: npt.NDArray[np.int64], length: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Every index of the runs."""
    before = np.cumsum(length) - length
    return np.repeat(start - before, length) + np.arange(int(length.sum()))


def _is_sound(patch: Patch, size: int) -> bool:
    """Whether its runs ascend, do not overlap and lie within so many pixels."""
    columns = (patch.start, patch.length, patch.old, patch.new)
    if len({len(column) for column in columns}) != 1:
        return False
    if not len(patch.start):
        return True
    if (patch.length < 1).any() or (patch.length > size).any() or patch.start[0] < 0:
        return False
    ends = patch.start + patch.length
    inside = (patch.start <= size).all() and int(ends[-1]) <= size
    return bool(inside and (ends[:-1] <= patch.start[1:]).all() and min(patch.old.min(), patch.new.min()) >= 0)
