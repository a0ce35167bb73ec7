"""Outlines of deposits, quick enough for large films: napari's own take half a second for 12 million pixels."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from napari.utils.colormaps import CyclicLabelColormap

from calcimeasure.reading.patch import Array, Where

#: As many colours fit into 8 bits, that of the background among them.
_MOST_COLOURS = 255
#: Side of the squares that are looked at one by one.
_TILE = 256


def outlines(labels: Array, where: Where, width: int) -> Array:
    """The numbers of a window of the mask along the deposits' inner edges, `width` pixels wide; 0 elsewhere."""
    window = labels[where]
    found = np.zeros_like(window)
    for tile in _tiles(window.shape):
        if window[tile].any():  # most of a film holds no deposit
            found[tile] = _edges(labels, _moved(tile, where[0].start, where[1].start), width)
    return found


def _tiles(shape: tuple[int, ...]) -> Iterator[Where]:
    for row in range(0, shape[0], _TILE):
        for column in range(0, shape[1], _TILE):
            yield slice(row, min(row + _TILE, shape[0])), slice(column, min(column + _TILE, shape[1]))


def _moved(tile: Where, row: int, column: int) -> Where:
    rows, columns = tile
    return slice(row + rows.start, row + rows.stop), slice(column + columns.start, column + columns.stop)


def _whole(labels: Array) -> Where:
    return slice(0, labels.shape[0]), slice(0, labels.shape[1])


def _size(where: Where) -> int:
    return int((where[0].stop - where[0].start) * (where[1].stop - where[1].start))


def _edges(labels: Array, where: Where, width: int) -> Array:
    around = _widened(where, labels.shape, width)
    here = labels[around]
    edge = np.zeros(here.shape, np.uint8)
    for axis in (0, 1):
        one, other = (slice(1, None), slice(None, -1)) if axis == 0 else (np.s_[:, 1:], np.s_[:, :-1])
        differs = here[one] != here[other]
        edge[one] |= differs
        edge[other] |= differs
    if width > 1:
        edge = cv2.dilate(edge, np.ones((2 * width - 1, 2 * width - 1), np.uint8))
    rows, columns = (
        slice(mine.start - wide.start, mine.stop - wide.start) for mine, wide in zip(where, around, strict=True)
    )
    return np.asarray(here[rows, columns] * edge[rows, columns], labels.dtype)


class Drawing:
    """The outlines of a napari Labels layer, kept as they are shown, so that only what changed is drawn anew.

    It takes the place of a private method of napari; where that is no longer called, napari draws them its own way.

    Parameters
    ----------
    layer : napari Labels
        With integer data of two dimensions.
    """

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._shown: Array | None = None
        self._made_for: Any = None
        self._waiting: deque[Where] = deque()
        layer._calculate_contour = self._asked

    def lay(self, where: Where, values: Array) -> None:
        """Write values into a window of the layer's data; `draw` shows them."""
        rows, columns = where
        for tile in _tiles(values.shape):
            there = _moved(tile, rows.start, columns.start)
            if not np.array_equal(self._layer.data[there], values[tile]):
                self._layer.data[there] = values[tile]
                self._waiting.append(_widened(there, self._layer.data.shape, self._layer.contour))

    def draw(self, seconds: float) -> bool:
        """Draw what was written, for so long at most; gives whether anything still waits."""
        end = time.monotonic() + seconds
        while self._waiting and time.monotonic() < end:
            where = self._waiting.popleft()
            part = self._layer._raw_to_displayed(self._layer.data, where)
            self._layer.events.labels_update(data=part, offset=(where[0].start, where[1].start))
        return bool(self._waiting)

    def _asked(self, labels: Array, where: Where) -> Any:
        """What napari shows of a window: numbers of colours or deposits along outlines, 0 elsewhere."""
        if not self._layer.contour:
            return None
        made_for = labels.__array_interface__["data"][0], labels.shape, self._layer.contour, id(self._layer.colormap)
        if self._shown is None or made_for != self._made_for:
            self._shown, self._made_for = _drawn(self._layer, labels, _whole(labels)), made_for
            self._waiting.clear()
        if _size(where) == labels.size:
            return self._shown
        self._shown[where] = part = _drawn(self._layer, labels, where)
        return part


def _drawn(layer: Any, labels: Array, where: Where) -> Any:
    """Outlines as colour numbers where colours simply repeat, else as numbers of deposits.

    napari would work out the colour of every pixel, background too; it leaves an array of 8 bits as it is.
    """
    found, colormap = outlines(labels, where, layer.contour), layer.colormap
    if not isinstance(colormap, CyclicLabelColormap) or colormap.use_selection or len(colormap.colors) > _MOST_COLOURS:
        return found
    colours = np.zeros(found.shape, np.uint8)
    there = found > 0
    colours[there] = (found[there] - 1) % (len(colormap.colors) - 1) + 1
    return colours


def _widened(where: Where, shape: tuple[int, ...], width: int) -> Where:
    rows, columns = (
        slice(max(0, part.start - width), min(size, part.stop + width)) for part, size in zip(where, shape, strict=True)
    )
    return rows, columns
