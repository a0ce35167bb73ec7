"""All that a session knows beside the pixels of its mask: a frozen value, so that undo is going back to the old one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from calcimeasure.model.deposit import Excluded, Reason
from calcimeasure.model.image import Image, Mask
from calcimeasure.model.labels import Doubt
from calcimeasure.recipe import Recipe
from calcimeasure.steps.measure.error import passed_over


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Something that is not counted, with its pixels where they are known, so that it can be brought back.

    Parameters
    ----------
    finding : Excluded
        As the tables list it.
    mask : bool array, shape of its bounding box, or None
        Which pixels of the box belong to it; `None` when the method did not tell.
    """

    finding: Excluded
    mask: Mask | None = None

    @classmethod
    def of(cls, mask: Mask, row: int, column: int, reason: Reason) -> Held:
        """What lies in a mask whose upper left pixel is at (row, column)."""
        rows, columns = np.nonzero(mask)
        box = (row, column, row + mask.shape[0], column + mask.shape[1])
        found = Excluded(reason, row + int(rows[0]), column + int(columns[0]), box, len(rows))
        return cls(found, mask)

    @property
    def where(self) -> tuple[slice, slice]:
        """Its bounding box as an index into the film."""
        row0, column0, row1, column1 = self.finding.bbox
        return slice(row0, row1), slice(column0, column1)

    @property
    def nbytes(self) -> int:
        """Memory, roughly."""
        return 512 + (0 if self.mask is None else self.mask.nbytes)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Everything beside the mask that a step may change.

    Parameters
    ----------
    image : Image
        The film with its present scale.
    recipe : Recipe
        With the present threshold and smallest size.
    region : bool array or None
        Region of interest.
    excluded : tuple of Held
        What is listed as not counted.
    deleted : tuple of Held
        What a person deleted: the sliders do not bring it back.
    by_hand : frozenset of int
        Deposits that a person made or changed: the sliders leave them alone.
    accepted : frozenset of int
        Deposits that a person looked at and accepted.
    warnings : tuple of str
        What the segmentation said of itself.
    wedge : tuple of int or None
        (row0, column0, row1, column1) where a step wedge was found: its steps are no deposits.
    doubts : mapping of int to Doubt
        How much the networks doubted each outline that no person drew or accepted.
    passed_over_px : float
        How many pixels the search may lack because it dropped findings by their score alone.
    """

    image: Image
    recipe: Recipe
    region: Mask | None = None
    excluded: tuple[Held, ...] = ()
    deleted: tuple[Held, ...] = ()
    by_hand: frozenset[int] = frozenset()
    accepted: frozenset[int] = frozenset()
    warnings: tuple[str, ...] = ()
    wedge: tuple[int, int, int, int] | None = None
    doubts: Mapping[int, Doubt] = field(default_factory=dict)
    passed_over_px: float = 0.0

    def seen_by_person(self, numbers: Collection[int]) -> State:
        """The state once a person made, changed or accepted these deposits: they are no longer the networks'."""
        doubts = self.doubts if self.doubts.keys().isdisjoint(numbers) else _without(self.doubts, numbers)
        if doubts is self.doubts and self.by_hand.issuperset(numbers):
            return self
        return replace(self, by_hand=self.by_hand.union(numbers), doubts=doubts)

    @property
    def searched(self) -> Mask | None:
        """Where deposits are looked for: the region of interest without the wedge; `None` for everywhere."""
        if self.wedge is None:
            return self.region
        row0, column0, row1, column1 = self.wedge
        inside = np.ones(self.image.shape, bool) if self.region is None else np.array(self.region)
        inside[row0:row1, column0:column1] = False
        return inside

    def without(self, held: Held) -> State:
        """The state once a finding is counted after all."""
        rest = tuple(one for one in self.excluded if one is not held)
        passed = passed_over(one.finding for one in rest) if passed_over([held.finding]) else self.passed_over_px
        return replace(self, excluded=rest, passed_over_px=passed)

    def bytes_beyond(self, other: State) -> int:
        """Memory that this state holds and the other does not."""
        held = {id(one) for one in (*other.excluded, *other.deleted)} if self._lists(other) else set()
        lists = sum(one.nbytes for one in self._lists(other) if id(one) not in held)
        sets = sum(
            64 * len(mine)
            for mine, its in ((self.by_hand, other.by_hand), (self.accepted, other.accepted))
            if mine is not its
        )
        region = self.region.nbytes if self.region is not None and self.region is not other.region else 0
        doubts = 128 * len(self.doubts) if self.doubts is not other.doubts else 0
        return lists + sets + region + doubts

    def _lists(self, other: State) -> tuple[Held, ...]:
        """The lists that differ from the other's."""
        excluded = self.excluded if self.excluded is not other.excluded else ()
        deleted = self.deleted if self.deleted is not other.deleted else ()
        return (*excluded, *deleted)


def _without(doubts: Mapping[int, Doubt], numbers: Collection[int]) -> dict[int, Doubt]:
    return {number: doubt for number, doubt in doubts.items() if number not in numbers}
