"""What one deposit is: specks of a cluster belong together, and narrow gaps inside an outline count.

A reader draws one outline round a cluster of grains. So does this: grains nearer than `join_mm` to another part are
one deposit of several parts, and gaps under `GAP_MM` are filled. It is done with outlines of the networks alone, at
every visit alike, never with a reader's.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.model.image import Mask
from calcimeasure.steps.anatomy import disc

Numbers = npt.NDArray[np.int32]

#: A gap inside an outline that is narrower than this is a reader's calcium.
GAP_MM = 1.0


def joined(numbered: Numbers, join_mm: float, mm: float) -> Numbers:
    """The numbered parts, grains with the number of what lies within `join_mm` of them; in reading order as before.

    A grain is no larger than a disc of `join_mm`: two large bodies side by side stay two deposits. Chains join.
    """
    owner = np.arange(int(numbered.max()) + 1)
    for grain, others in _neighbours(numbered, join_mm, mm):
        for other in others:
            first, second = sorted((_root(owner, grain), _root(owner, other)))
            owner[second] = first
    roots = np.array([_root(owner, int(n)) for n in owner])
    if (roots == np.arange(roots.size)).all():
        return numbered
    return np.unique(roots, return_inverse=True)[1].astype(np.int32)[numbered]


def gaps_filled(numbered: Numbers, mm: float, allowed: Mask) -> Numbers:
    """The deposits with gaps under `GAP_MM` filled where that is `allowed` and no other deposit lies."""
    element, out = disc(GAP_MM / mm), numbered.copy()
    pad = element.shape[0]
    for number, (rows, columns) in enumerate(_windows(numbered), 1):
        inside = np.pad((numbered[rows, columns] == number).astype(np.uint8), pad)
        closed = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, element)[pad:-pad, pad:-pad] > 0
        here = out[rows, columns]
        here[closed & (here == 0) & allowed[rows, columns]] = number
    return out


def _neighbours(numbered: Numbers, join_mm: float, mm: float) -> list[tuple[int, list[int]]]:
    """Of each grain: its number, and those of the parts within `join_mm`."""
    sizes, reach, found = np.bincount(numbered.ravel()), join_mm / mm, []
    largest, pad = np.pi / 4 * reach**2, int(np.ceil(reach)) + 1
    for number, (rows, columns) in enumerate(_windows(numbered), 1):
        if sizes[number] > largest:
            continue
        top, left = max(0, rows.start - pad), max(0, columns.start - pad)
        near = numbered[top : rows.stop + pad, left : columns.stop + pad]
        away = cv2.distanceTransform((near != number).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        others = np.unique(near[(away - 1 < reach) & (near != number) & (near > 0)])
        found.append((number, [int(n) for n in others]))
    return found


def _windows(numbered: Numbers) -> list[tuple[slice, slice]]:
    """The box of each number."""
    rows, columns = np.nonzero(numbered)
    numbers, count = numbered[rows, columns], int(numbered.max()) + 1
    low = np.full((2, count), np.iinfo(np.int64).max)
    high = np.full((2, count), -1)
    for axis, places in enumerate((rows, columns)):
        np.minimum.at(low[axis], numbers, places)
        np.maximum.at(high[axis], numbers, places)
    return [
        (slice(int(low[0, n]), int(high[0, n]) + 1), slice(int(low[1, n]), int(high[1, n]) + 1))
        for n in range(1, count)
    ]


def _root(owner: npt.NDArray[np.intp], number: int) -> int:
    while owner[number] != number:
        number = int(owner[number])
    return number
