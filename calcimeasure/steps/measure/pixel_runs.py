"""A label image as runs: pixels of one label side by side in a row, and what is summed over them.

Everything that is a sum or an extreme over a deposit's pixels is first found per run, strip by strip of
the image, then per deposit: one pass over the label image and, for integer pixels, exact sums whatever
their order. Float pixels are added from left to right and top to bottom within their deposit.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from calcimeasure.errors import MaskError
from calcimeasure.model.arrays import Array, LabelArray, Mask, Pixels

_STRIP_PX = 1 << 20  # pixels looked at together: bounds the memory of a deposit as large as the film
_MOST_RUNS = 3_000_000  # pieces of rows that a mask may consist of: bounds the memory, real films have < 200,000


@dataclass(frozen=True, slots=True, eq=False)
class FilmPart:
    """Views of image and masks where the window lies; `pixels` is `None` where brightness says nothing."""

    labels: LabelArray
    pixels: Pixels | None
    readable: Mask | None
    bone: Mask | None
    ceiling: float | None
    row: int
    column: int


class PixelRuns(NamedTuple):
    """Per run: its label, row, first column and the column after its last; then counts over its pixels."""

    label: Array
    row: Array
    start: Array
    stop: Array
    under: Array  # pixels whose neighbour above is not of this label; then left and right of above
    under_left: Array
    under_right: Array
    light: Array  # sum of brightness over readable pixels
    readable: Array
    saturated: Array
    bone: Array


def runs_of(view: FilmPart) -> PixelRuns:
    """All runs in reading order."""
    step = max(1, _STRIP_PX // max(1, view.labels.shape[1]))
    strips = [_strip_runs(view, 0, step)]
    count = len(strips[0].label)
    for top in range(step, view.labels.shape[0], step):
        strips.append(_strip_runs(view, top, top + step))
        count += len(strips[-1].label)
        _check_count(count)
    return PixelRuns(*(np.concatenate(column) for column in zip(*strips, strict=True)))


def _check_count(count: int) -> None:
    if count > _MOST_RUNS:
        raise MaskError("the label image changes from pixel to pixel, like noise: use one number for each deposit")


def _strip_runs(view: FilmPart, top: int, bottom: int) -> PixelRuns:
    # A column of background ends each row and a row comes before the first, so that neighbours are plain
    # offsets in the flat array and no run goes on in the next row.
    flat, width = _framed(view.labels, top, bottom)
    inside = np.flatnonzero(flat[width:] != 0) + width
    label = flat[inside]
    first = _run_starts(inside, label)
    row, start = np.divmod(inside[first], width)
    length = np.diff(first, append=len(inside))
    at = inside - width - np.repeat(row - 1, length)  # the same pixels in the strip without its frame
    row, start = row + (view.row + top - 1), start + view.column
    sums = (*_edges(flat, width, inside, first), *_light(view, slice(top, bottom), at, first))
    return PixelRuns(label[first], row, start, start + length, *sums)


def _framed(labels: Array, top: int, bottom: int) -> tuple[Array, int]:
    rows, columns = labels[top:bottom].shape
    frame = np.zeros((rows + 1, columns + 1), labels.dtype)
    frame[1:, :-1] = labels[top:bottom]
    if top:
        frame[0, :-1] = labels[top - 1]
    return frame.reshape(-1), columns + 1


def _run_starts(inside: Array, label: Array) -> Array:
    new = np.ones(len(inside), bool)
    new[1:] = (inside[1:] != inside[:-1] + 1) | (label[1:] != label[:-1])
    return np.flatnonzero(new)


def _edges(flat: Array, width: int, inside: Array, first: Array) -> tuple[Array, Array, Array]:
    """Pixels whose neighbour above, left of it and right of it is not of their label, per run."""
    label = flat[inside]
    up, left, right = (per_run(flat[inside - step] != label, first) for step in (width, width + 1, width - 1))
    return up, left, right


def per_run(values: Array, first: Array, dtype: type = np.int64) -> Array:
    """Values added up from each of the places `first` to the next, shape of `first`."""
    return np.add.reduceat(values, first, dtype=dtype) if first.size else np.zeros(0, dtype)


def _light(view: FilmPart, strip: slice, at: Array, first: Array) -> tuple[Array, Array, Array, Array]:
    """Brightness sum and the counts of readable, saturated and bone pixels, per run."""
    length = np.diff(first, append=len(at))
    none = np.zeros(len(first), np.int64)
    bone = none if view.bone is None else per_run(_taken(view.bone, strip, at), first)
    if view.pixels is None:
        return none, length, none, bone
    values = _taken(view.pixels, strip, at)
    sure = None if view.readable is None else _taken(view.readable, strip, at)
    saturated = none if view.ceiling is None else per_run(values >= view.ceiling, first)
    exact = np.int64 if values.dtype.kind in "iub" and values.dtype.itemsize <= 4 else np.float64
    if sure is None:
        return per_run(values, first, exact), length, saturated, bone
    return per_run(np.where(sure, values, 0), first, exact), per_run(sure, first), saturated, bone


def _taken(array: Array, strip: slice, at: Array) -> Array:
    return array[strip].reshape(-1)[at]


def chosen(runs: PixelRuns, numbers: Collection[int] | None) -> PixelRuns:
    """The runs of some labels; all where none are named."""
    if numbers is None:
        return runs
    mine = np.isin(runs.label, np.fromiter(numbers, np.int64))
    return PixelRuns(*(column[mine] for column in runs))
