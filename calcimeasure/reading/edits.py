"""What an edit would lay into the mask: windows of new numbers, computed from the mask as it is; nothing is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import cv2
import numpy as np
from scipy import ndimage as ndi

from calcimeasure.errors import EditRefused
from calcimeasure.model.deposit import Deposit, Reason
from calcimeasure.model.image import Mask
from calcimeasure.reading.patch import Array, Where
from calcimeasure.reading.state import Held

Part = tuple[Where, Array]
Rows = Mapping[int, Deposit]


def renumbered(labels: Array, rows: Rows, numbers: Iterable[int], to: int) -> list[Part]:
    """The deposits named get the number `to`; 0 erases them."""
    parts = []
    for number in numbers:
        where = window_of(rows[number])
        here = labels[where]
        parts.append((where, np.where(here == number, np.int32(to), here)))
    return parts


def window_of(row: Deposit) -> Where:
    """The bounding box of a deposit as an index into the film."""
    row0, column0, row1, column1 = row.bbox
    return slice(row0, row1), slice(column0, column1)


def pixels_of(labels: Array, row: Deposit, reason: Reason) -> Held:
    """A deposit as something that is not counted, with its pixels."""
    row0, column0 = row.bbox[:2]
    return Held.of(np.asarray(labels[window_of(row)] == row.label), row0, column0, reason)


def pieces(labels: Array, row: Deposit, first_free: int) -> list[Part]:
    """The connected pieces of a deposit (corners connect): the largest keeps its number.

    Raises
    ------
    EditRefused
        When it is in one piece.
    """
    where = window_of(row)
    mask = labels[where] == row.label
    count, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    if count < 3:
        raise EditRefused(f"deposit {row.label} is in one piece: draw a line across it where it should be parted")
    return [(where, _numbered(labels[where], parts, row.label, first_free))]


def cut(labels: Array, row: Deposit, line: Sequence[tuple[float, float]], first_free: int) -> list[Part]:
    """A deposit parted along a line of (row, column) points; the largest side keeps its number, no pixel is lost.

    Raises
    ------
    EditRefused
        When the line does not part it.
    """
    where = window_of(row)
    mask = labels[where] == row.label
    before, whole = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    sides = mask & ~_drawn(line, where)
    after, parts = cv2.connectedComponents(sides.astype(np.uint8), connectivity=8)
    if after <= before or not sides.any():
        raise EditRefused(f"the line does not part deposit {row.label}: draw it right across, from outside to outside")
    # Pieces that the line does not meet stay with the deposit: only pieces of a parted one get numbers of their own.
    parts = _filled_from(parts, whole)
    return [(where, _numbered(labels[where], _joined_where_uncut(parts, whole), row.label, first_free))]


def laid(labels: Array, held: Held, number: int, region: Mask | None) -> list[Part]:
    """Its pixels as a new deposit, where nothing else is counted already.

    Raises
    ------
    EditRefused
        When its pixels are not known, or none is free.
    """
    if held.mask is None:
        raise EditRefused("the outline of this finding was not kept: paint it, or point at it with a box")
    here = labels[held.where]
    free = held.mask & (here == 0)
    if region is not None:
        free &= region[held.where]
    if not free.any():
        raise EditRefused("all of it is counted already, or lies outside the region of interest")
    return [(held.where, np.where(free, np.int32(number), here))]


def reconciled(labels: Array, rows: Rows, found: Array, kept: Collection[int], refused: Iterable[Held]) -> Array:
    """A new segmentation beside what a person did.

    Deposits in `kept` stay as they are. A found deposit that meets one of them, or anything in `refused`, is left
    out. A found deposit that is in the mask already, pixel for pixel, keeps its number; the others get new ones.
    """
    if not kept and not (refused := list(refused)):
        return found
    result, barred = np.zeros_like(labels), {0}
    for number in kept:
        where = window_of(rows[number])
        mine = labels[where] == number
        result[where][mine] = number
        barred.update(np.unique(found[where][mine]).tolist())
    for held in refused:
        barred.update(np.unique(found[held.where][held.mask] if held.mask is not None else found[held.where]).tolist())
    _lay_rest(result, labels, found, _same(labels, rows, found, set(kept)), barred)
    return result


def _lay_rest(result: Array, labels: Array, found: Array, same: dict[int, int], barred: set[int]) -> None:
    free = int(max(labels.max(initial=0), found.max(initial=0))) + 1
    for number, where in enumerate(ndi.find_objects(found), 1):
        if where is None or number in barred:
            continue
        result[where][found[where] == number] = same.get(number, free)
        free += number not in same


def _same(labels: Array, rows: Rows, found: Array, kept: set[int]) -> dict[int, int]:
    """Number in the mask of each found deposit that is there pixel for pixel."""
    same = {}
    for number, row in rows.items():
        if number in kept:
            continue
        here, there = labels[window_of(row)] == number, found[window_of(row)]
        its = int(there[here][0])
        if its and np.array_equal(there == its, here) and _only_in(found, its, row):
            same[its] = number
    return same


def _only_in(found: Array, number: int, row: Deposit) -> bool:
    """Whether a found number does not go on beyond a bounding box that it fills to its edges."""
    row0, column0, row1, column1 = row.bbox
    around = found[max(row0 - 1, 0) : row1 + 1, max(column0 - 1, 0) : column1 + 1]
    return int(np.count_nonzero(around == number)) == int(row.area_px.value)


def _numbered(here: Array, parts: Array, number: int, first_free: int) -> Array:
    """The window with the largest part keeping the number and the others new ones in reading order."""
    sizes = np.bincount(parts.reshape(-1))
    sizes[0] = 0
    largest = int(sizes.argmax())
    numbers, first = np.unique(parts, return_index=True)
    rest = [int(n) for n in numbers[np.argsort(first)] if n not in (0, largest)]
    table = np.zeros(len(sizes), np.int32)
    table[largest] = number
    table[rest] = first_free + np.arange(len(rest), dtype=np.int32)
    return np.where(parts > 0, table[parts], here)


def _drawn(line: Sequence[tuple[float, float]], where: Where) -> Mask:
    """The line's pixels in the window; drawn without corner steps, so that no diagonal path leads through it."""
    rows, columns = where
    canvas = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    points = np.round(np.asarray(line, float)[:, ::-1] - (columns.start, rows.start)).astype(np.int32)
    if len(points) < 2 or np.abs(points).max() > 10**6:
        raise EditRefused("a line has at least two points, on the film")
    cv2.polylines(canvas, [points.reshape(-1, 1, 2)], False, 1, 1, cv2.LINE_4)
    return canvas > 0


def _filled_from(parts: Array, whole: Array) -> Array:
    """Pixels of the line join the nearest part of their own piece; a piece that is all line becomes a part."""
    filled = parts.copy()
    for piece in np.unique(whole[(whole > 0) & (parts == 0)]).tolist():
        mine = whole == piece
        if not (mine & (parts > 0)).any():
            filled[mine] = filled.max() + 1
            continue
        nearest = ndi.distance_transform_edt(~(mine & (parts > 0)), return_distances=False, return_indices=True)
        filled[mine] = parts[tuple(nearest)][mine]
    return filled


def _joined_where_uncut(parts: Array, whole: Array) -> Array:
    """Parts renumbered so that all pieces that were not cut are one, together with the largest part of a cut one."""
    counts = {piece: np.unique(parts[whole == piece]) for piece in range(1, int(whole.max()) + 1)}
    joined = parts.copy()
    uncut = [int(own[0]) for own in counts.values() if len(own) == 1]
    sizes = np.bincount(parts.reshape(-1))
    cut_parts = [int(n) for own in counts.values() if len(own) > 1 for n in own]
    largest = max(cut_parts, key=lambda n: (sizes[n], -n))
    joined[np.isin(parts, uncut)] = largest
    return joined
