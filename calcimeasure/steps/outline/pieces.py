"""Masks cut to their boxes, and numbered in reading order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calcimeasure.model.arrays import Box, LabelArray, Mask


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A mask cut to its box: sixty of them in a large photo fit in memory."""

    box: Box
    mask: Mask

    @classmethod
    def of(cls, mask: Mask) -> Piece:
        """What is marked, cut out."""
        box = Box.of(mask)
        return cls(box, mask[box.slices].copy())

    @property
    def first(self) -> tuple[int, int]:
        """Row and column of the first pixel in reading order."""
        return self.box.row0, self.box.column0 + int(np.argmax(self.mask[0]))


def numbered(pieces: list[Piece], shape: tuple[int, int]) -> LabelArray:
    """One number per piece in reading order; a piece half covered by an earlier one is that one.

    The label image has the shape that is given.
    """
    array = np.zeros(shape, np.int32)
    number = 0
    for piece in sorted(pieces, key=lambda one: one.first):
        here = array[piece.box.slices]
        free = piece.mask & (here == 0)
        if 2 * free.sum() > piece.mask.sum():
            number += 1
            here[free] = number
    return array
