"""What an edit would lay into the mask: windows of new numbers, computed from the mask as it is; nothing is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy import ndimage as ndi

from calcimeasure.errors import EditRefused
from calcimeasure.model.deposit import Deposit, Reason
from calcimeasure.model.image import Mask
from calcimeasure.reading.patch import Array, Box, Where
from calcimeasure.reading.state import Uncounted

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
    return within(row.bbox)


def within(box: Box) -> Where:
    """A bounding box as an index into the film."""
    row0, column0, row1, column1 = box
    return slice(row0, row1), slice(column0, column1)


def pixels_of(labels: Array, row: Deposit, reason: Reason) -> Uncounted:
    """A deposit as something that is not counted, with its pixels."""
    row0, column0 = row.bbox[:2]
    one = Uncounted.of(np.asarray(labels[window_of(row)] == row.label), row0, column0, reason)
    return replace(one, number=row.label)


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


def cut_off(labels: Array, boxes: Mapping[int, Box], inside: Mask) -> Iterator[Uncounted]:
    """What a region cuts off: each deposit's pixels outside it, under its number."""
    for number, box in boxes.items():
        where = within(box)
        lost = (labels[where] == number) & ~inside[where]
        if lost.any():
            yield replace(Uncounted.of(lost, *box[:2], Reason.OUTSIDE_REGION), number=number)


def restored(
    labels: Array, rows: Rows, cut: Sequence[Uncounted], first_free: int
) -> tuple[Array, dict[int, Uncounted]]:
    """The mask with what a region cut off laid back where nothing is counted now, and each part by its number.

    A part keeps its number unless a deposit that it does not touch has it by now.
    """
    whole, numbers = labels.copy(), dict[int, Uncounted]()
    for one in cut:
        here = whole[one.where]
        free = (here == 0) if one.mask is None else one.mask & (here == 0)
        number = one.number
        if number in rows and not _touches(labels, one):
            number, first_free = first_free, first_free + 1
        if free.any():
            here[free] = number
            numbers[number] = one
    return whole, numbers


def _touches(labels: Array, one: Uncounted) -> bool:
    """Whether what has its number lies at its edge."""
    row0, column0, row1, column1 = one.finding.bbox
    near = labels[max(row0 - 1, 0) : row1 + 1, max(column0 - 1, 0) : column1 + 1] == one.number
    mask = np.ones((row1 - row0, column1 - column0), bool) if one.mask is None else one.mask
    padded = np.pad(mask, ((min(row0, 1), 1), (min(column0, 1), 1)))[: near.shape[0], : near.shape[1]]
    return bool((ndi.binary_dilation(padded, np.ones((3, 3), bool)) & near).any())


def brought_back(labels: Array, one: Uncounted, number: int, region: Mask | None) -> list[Part]:
    """Its pixels as a new deposit, where nothing else is counted already.

    Raises
    ------
    EditRefused
        When its pixels are not known, or none is free.
    """
    if one.mask is None:
        raise EditRefused("the outline of this finding was not kept: paint it, or point at it with a box")
    here = labels[one.where]
    free = one.mask & (here == 0)
    if region is not None:
        free &= region[one.where]
    if not free.any():
        raise EditRefused("all of it is counted already, or lies outside the region of interest")
    return [(one.where, np.where(free, np.int32(number), here))]


Print = tuple[int, int, bytes]


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """The numbers that found outlines had before, and the first that nothing ever had."""

    known: Mapping[Print, int]
    first_free: int


@dataclass(frozen=True, slots=True, eq=False)
class Mine:
    """What a new segmentation is laid beside: mask and rows, what is kept of them, what stays away, all numbers."""

    labels: Array
    rows: Rows
    kept: Collection[int]
    refused: Sequence[Uncounted]
    numbers: Numbers


def fingerprint(labels: Array, number: int, where: Where) -> Print:
    """What tells the outline of a deposit in its bounding box from all others."""
    rows, columns = where
    return rows.start, columns.start, np.packbits(labels[where] == number, axis=1).tobytes()


def reconciled(mine: Mine, found: Array) -> Array:
    """A new segmentation beside what a person did.

    Deposits in `kept` stay as they are. A found deposit that meets one of them, or anything in `refused`, is left
    out. A found deposit that is in the mask already, pixel for pixel, keeps its number, one that was in it before gets
    its number back; the others get new ones.
    """
    if not mine.kept and not mine.refused:
        return found
    result, barred = np.zeros_like(mine.labels), {0}
    for number in mine.kept:
        where = window_of(mine.rows[number])
        here = mine.labels[where] == number
        result[where][here] = number
        barred.update(np.unique(found[where][here]).tolist())
    for one in mine.refused:
        barred.update(np.unique(found[one.where][one.mask] if one.mask is not None else found[one.where]).tolist())
    windows = {n: at for n, at in enumerate(ndi.find_objects(found), 1) if at is not None and n not in barred}
    same = _same(mine.labels, mine.rows, found, set(mine.kept))
    given = _given(found, windows, same, mine.numbers, {*mine.kept, *same.values()})
    for number, where in windows.items():
        result[where][found[where] == number] = given[number]
    return result


def _given(
    found: Array, windows: Mapping[int, Where], same: Mapping[int, int], numbers: Numbers, taken: set[int]
) -> dict[int, int]:
    """The number that each found deposit gets."""
    given, free = dict(same), max(numbers.first_free, int(found.max(initial=0)) + 1)
    for number, where in windows.items():
        if number not in given:
            known = numbers.known.get(fingerprint(found, number, where), 0)
            given[number] = known if known and known not in taken else free
            free += given[number] == free
            taken.add(given[number])
    return given


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
