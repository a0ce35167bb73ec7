"""The numbers of a mask that is being edited: only what an edit touched is measured again, to the same digits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from calcimeasure.model.authorship import Doubt
from calcimeasure.model.deposit import Deposit, Measurement
from calcimeasure.model.image import Image
from calcimeasure.model.labels import Labels
from calcimeasure.reading.patch import Array, Box, Patch
from calcimeasure.steps.measure.area import MeasureSettings, Window, measure, measure_some, reach_px
from calcimeasure.steps.measure.error import widened

#: Changes larger than this many pixels find their neighbours by bounding box, smaller ones by looking at the mask.
_LOOK_PX = 1 << 18
#: A call of `measure_some` costs as much as so many pixels of its window.
_CALL_PX = 70_000


@dataclass(slots=True)
class Live:
    """Rows of every deposit of a label image that its owner keeps changing."""

    rows: dict[int, Deposit] = field(default_factory=dict)
    _shown: dict[int, tuple[Deposit, Doubt | None, Deposit]] = field(default_factory=dict)

    def renew(self, labels: Array, image: Image, settings: MeasureSettings) -> frozenset[int]:
        """Measure everything again; gives the numbers of the deposits."""
        self.take(measure(image, Labels(labels), settings=settings))
        return frozenset(self.rows)

    def take(self, measured: Measurement) -> None:
        """Take the rows of a measurement of the whole mask."""
        self.rows = {row.label: row for row in measured.deposits}

    def update(self, labels: Array, image: Image, settings: MeasureSettings, patch: Patch) -> frozenset[int]:
        """Measure again what a change touched and what it is background of; gives the numbers measured again.

        Parameters
        ----------
        labels : int32 array
            The mask after the change.
        image, settings
            As for `measure`.
        patch : Patch
            The change.
        """
        reach, touched = reach_px(image.spacing, settings), patch.boxes(labels.shape[1])
        near = self._neighbours(labels, touched, reach) | touched.keys()
        boxes = {number: joined(self._box(number), touched.get(number)) for number in near}
        fresh = [row for part in _parts(boxes, reach, image.shape) for row in _measured(labels, image, settings, part)]
        for number in near:
            self.rows.pop(number, None)
        self.rows.update((row.label, row) for row in fresh)
        return frozenset(near)

    def shown(self, doubts: Mapping[int, Doubt]) -> dict[int, Deposit]:
        """The rows with the error bars of outlines so doubtful; worked out anew only for what changed."""
        kept = self._shown
        self._shown = {n: _bar(row, doubts.get(n), kept.get(n)) for n, row in self.rows.items()}
        return {number: row for number, (_, _, row) in self._shown.items()}

    def _box(self, number: int) -> Box | None:
        row = self.rows.get(number)
        return row.bbox if row else None

    def _neighbours(self, labels: Array, touched: dict[int, Box], reach: tuple[int, int]) -> frozenset[int]:
        """Deposits near enough to the change for it to lie in what their rows depend on."""
        if not touched:
            return frozenset()
        row0, column0, row1, column1 = _widened(_hull(touched.values()), reach, labels.shape)
        if (row1 - row0) * (column1 - column0) <= _LOOK_PX:
            return frozenset(np.unique(labels[row0:row1, column0:column1]).tolist()) - {0}
        if not self.rows:
            return frozenset()
        changes = [_widened(box, reach, labels.shape) for box in touched.values()]
        return _meeting(np.array(list(self.rows)), np.array([row.bbox for row in self.rows.values()]), changes)


def _bar(
    row: Deposit, doubt: Doubt | None, known: tuple[Deposit, Doubt | None, Deposit] | None
) -> tuple[Deposit, Doubt | None, Deposit]:
    """A row, its doubt, and the row as shown: the known one where neither has changed."""
    same = known is not None and known[0] is row and known[1] == doubt
    return known if known is not None and same else (row, doubt, widened(row, doubt))


def _meeting(numbers: npt.NDArray[np.int_], boxes: npt.NDArray[np.int_], changes: Sequence[Box]) -> frozenset[int]:
    """Numbers whose box meets one of the changes."""
    meets = np.zeros(len(numbers), bool)
    for row0, column0, row1, column1 in changes:
        meets |= (boxes[:, :2] < (row1, column1)).all(1) & (boxes[:, 2:] > (row0, column0)).all(1)
    return frozenset(numbers[meets].tolist())


@dataclass(frozen=True, slots=True)
class _Part:
    """Deposits and a window that holds them with all that their rows depend on."""

    numbers: tuple[int, ...]
    box: Box


def _measured(labels: Array, image: Image, settings: MeasureSettings, part: _Part) -> tuple[Deposit, ...]:
    row0, column0, row1, column1 = part.box
    window = Window(Labels(labels[row0:row1, column0:column1]), row0, column0)
    return measure_some(image, window, part.numbers, settings=settings)


def _parts(boxes: dict[int, Box], reach: tuple[int, int], shape: tuple[int, ...]) -> list[_Part]:
    """One window for all, or one for each where that is less work."""
    if not boxes:
        return []
    alone = [_Part((number,), _widened(box, reach, shape)) for number, box in boxes.items()]
    together = _Part(tuple(boxes), _hull(part.box for part in alone))
    return [together] if _size(together.box) <= sum(_size(part.box) + _CALL_PX for part in alone) else alone


def joined(one: Box | None, other: Box | None) -> Box:
    """Bounding box of two, or of the one that there is."""
    return _hull(box for box in (one, other) if box is not None)


def _hull(boxes: Iterable[Box]) -> Box:
    row0, column0, row1, column1 = zip(*boxes, strict=True)
    return min(row0), min(column0), max(row1), max(column1)


def _widened(box: Box, reach: tuple[int, int], shape: tuple[int, ...]) -> Box:
    row0, column0, row1, column1 = box
    (down, across), (rows, columns) = reach, shape
    return max(row0 - down, 0), max(column0 - across, 0), min(row1 + down, rows), min(column1 + across, columns)


def _size(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
