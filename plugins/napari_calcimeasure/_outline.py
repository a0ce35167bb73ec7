"""Outlines of deposits, quick enough for large films: napari's own take half a second for 12 million pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from napari.utils.colormaps import CyclicLabelColormap

from napari_calcimeasure._patch import Array, Where

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
            rows, columns = tile
            there = (
                slice(where[0].start + rows.start, where[0].start + rows.stop),
                slice(where[1].start + columns.start, where[1].start + columns.stop),
            )
            found[tile] = _edges(labels, there, width)
    return found


def _tiles(shape: tuple[int, ...]) -> Iterator[Where]:
    for row in range(0, shape[0], _TILE):
        for column in range(0, shape[1], _TILE):
            yield slice(row, min(row + _TILE, shape[0])), slice(column, min(column + _TILE, shape[1]))


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


def draw_quickly(layer: Any) -> None:
    """Let a napari Labels layer draw its outlines by `outlines`.

    It takes the place of a private method of napari; where that is no longer called, napari draws them its own way.
    """
    layer._calculate_contour = lambda labels, where: _drawn(layer, labels, where) if layer.contour else None


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
