"""All that a session knows beside the pixels of its mask: a frozen value, so that undo is going back to the old one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, replace

import numpy as np

from calcimeasure.model.authorship import UNSAID, Author, Authorship, Doubt
from calcimeasure.model.deposit import Excluded, Reason
from calcimeasure.model.image import Image, Mask
from calcimeasure.model.labels import Labels
from calcimeasure.model.warning import Remark
from calcimeasure.reading.patch import Array
from calcimeasure.reading.record import Signature
from calcimeasure.recipe import Recipe
from calcimeasure.steps.measure.error import passed_over


@dataclass(frozen=True, slots=True, eq=False)
class Uncounted:
    """Something that is not counted, with its pixels where they are known, so that it can be brought back.

    Parameters
    ----------
    finding : Excluded
        As the tables list it.
    mask : bool array, shape of its bounding box, or None
        Which pixels of the box belong to it; `None` when the method did not tell.
    number : int
        The number that it had as a deposit and gets back; 0 when it never was one.
    accepted, by_hand : bool
        Whether a person had accepted it, or made or changed it, while it was one.
    doubt : Doubt or None
        How much the networks doubted its outline.
    """

    finding: Excluded
    mask: Mask | None = None
    number: int = 0
    accepted: bool = False
    by_hand: bool = False
    doubt: Doubt | None = None

    @classmethod
    def of(cls, mask: Mask, row: int, column: int, reason: Reason) -> Uncounted:
        """What lies in a mask whose upper left pixel is at (row, column)."""
        rows, columns = np.nonzero(mask)
        box = (row, column, row + mask.shape[0], column + mask.shape[1])
        found = Excluded(reason, row + int(rows[0]), column + int(columns[0]), box, len(rows))
        return cls(found, mask)

    @property
    def author(self) -> Author:
        """Who drew it, by what is known of it."""
        if self.by_hand:
            return Author.PERSON
        return Author.ACCEPTED if self.accepted else Author.NETWORKS if self.doubt else Author.PROGRAM

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
    warnings : tuple of Remark
        What the segmentation said of itself.
    wedge : tuple of int or None
        (row0, column0, row1, column1) where a step wedge was found: its steps are no deposits.
    authorship : Authorship
        Who drew the outlines; every deposit is named.
    cut : tuple of Held
        What the region of interest cut off, whole deposits and parts of them.
    negative : Signature or None
        Who said that there is no calcium on this film, and when.
    was_searched : bool
        Whether the mask is what a search made of the film, and what persons did to that.
    """

    image: Image
    recipe: Recipe
    region: Mask | None = None
    excluded: tuple[Uncounted, ...] = ()
    deleted: tuple[Uncounted, ...] = ()
    by_hand: frozenset[int] = frozenset()
    accepted: frozenset[int] = frozenset()
    warnings: tuple[Remark, ...] = ()
    wedge: tuple[int, int, int, int] | None = None
    authorship: Authorship = UNSAID
    cut: tuple[Uncounted, ...] = ()
    negative: Signature | None = None
    was_searched: bool = False

    @property
    def doubts(self) -> Mapping[int, Doubt]:
        """How much the networks doubted each outline that no person drew or accepted."""
        return self.authorship.doubts

    @property
    def passed_over_px(self) -> float:
        """How many pixels the search may lack because it dropped findings by their score alone."""
        return self.authorship.passed_over_px

    def seen_by_person(self, numbers: Collection[int], how: Author = Author.PERSON) -> State:
        """The state once a person made, changed or accepted these deposits: they are no longer the networks'."""
        authorship = self.authorship.seen_by_person(numbers, how)
        if authorship is self.authorship and self.by_hand.issuperset(numbers):
            return self
        return replace(self, by_hand=self.by_hand.union(numbers), authorship=authorship)

    @property
    def searched(self) -> Mask | None:
        """Where deposits are looked for: the region of interest without the wedge; `None` for everywhere."""
        if self.wedge is None:
            return self.region
        row0, column0, row1, column1 = self.wedge
        inside = np.ones(self.image.shape, bool) if self.region is None else np.array(self.region)
        inside[row0:row1, column0:column1] = False
        return inside

    @property
    def numbers_uncounted(self) -> frozenset[int]:
        """Numbers of what is not counted and may come back under them."""
        return frozenset(uncounted.number for uncounted in (*self.excluded, *self.deleted, *self.cut))

    @property
    def rejected(self) -> tuple[Uncounted, ...]:
        """What a person refused, and may bring back."""
        return tuple(uncounted for uncounted in self.excluded if uncounted.finding.reason is Reason.REJECTED)

    def only(self, numbers: Set[int]) -> State:
        """The state without what it says of deposits that are not there; where there is one, nobody denies calcium."""
        negative = None if numbers else self.negative
        if self.by_hand <= numbers and self.accepted <= numbers and negative is self.negative:
            return self
        by_hand, accepted = self.by_hand.intersection(numbers), self.accepted.intersection(numbers)
        return replace(self, by_hand=by_hand, accepted=accepted, negative=negative)

    def known_of(self, uncounted: Uncounted) -> Uncounted:
        """A deposit that is no longer counted, with what is known of it beside its pixels."""
        n = uncounted.number
        return replace(uncounted, accepted=n in self.accepted, by_hand=n in self.by_hand, doubt=self.doubts.get(n))

    def uncut(self, back: Mapping[int, Uncounted]) -> State:
        """The state without the region of interest, with these deposits counted again, as what they were."""
        cut = {id(uncounted) for uncounted in self.cut}
        return replace(
            self,
            region=None,
            cut=(),
            excluded=tuple(uncounted for uncounted in self.excluded if id(uncounted) not in cut),
            accepted=self.accepted.union(n for n, uncounted in back.items() if uncounted.accepted),
            by_hand=self.by_hand.union(n for n, uncounted in back.items() if uncounted.by_hand),
            authorship=self._authors_with(back),
        )

    def _authors_with(self, back: Mapping[int, Uncounted]) -> Authorship:
        """Who drew the outlines, with these deposits counted again."""
        authors = {n: uncounted.author for n, uncounted in back.items()} | dict(self.authorship.deposits)
        doubts = {**self.doubts, **{n: uncounted.doubt for n, uncounted in back.items() if uncounted.doubt}}
        return replace(self.authorship, deposits=authors, doubts=doubts)

    def without(self, uncounted: Uncounted, number: int = 0) -> State:
        """The state once a finding is counted after all; what a person had accepted is so again."""
        state = self._without(uncounted)
        return replace(state, accepted=state.accepted | {number}) if uncounted.accepted else state

    def _without(self, uncounted: Uncounted) -> State:
        rest = tuple(one for one in self.excluded if one is not uncounted)
        if not passed_over([uncounted.finding]):
            return replace(self, excluded=rest)
        passed = passed_over(one.finding for one in rest)
        return replace(self, excluded=rest, authorship=replace(self.authorship, passed_over_px=passed))

    def bytes_beyond(self, other: State) -> int:
        """Memory that this state holds and the other does not."""
        uncounted = {id(one) for one in (*other.excluded, *other.deleted, *other.cut)} if self._lists(other) else set()
        lists = sum(one.nbytes for one in self._lists(other) if id(one) not in uncounted)
        sets = sum(
            64 * len(mine)
            for mine, its in ((self.by_hand, other.by_hand), (self.accepted, other.accepted))
            if mine is not its
        )
        region = self.region.nbytes if self.region is not None and self.region is not other.region else 0
        mine, its = self.authorship, other.authorship
        named = 64 * len(mine.deposits) if mine.deposits is not its.deposits else 0
        doubts = 128 * len(mine.doubts) if mine.doubts is not its.doubts else 0
        return lists + sets + region + named + doubts

    def _lists(self, other: State) -> tuple[Uncounted, ...]:
        """The lists that differ from the other's."""
        excluded = self.excluded if self.excluded is not other.excluded else ()
        deleted = self.deleted if self.deleted is not other.deleted else ()
        cut = self.cut if self.cut is not other.cut else ()
        return (*excluded, *deleted, *cut)


def in_order(uncounted: Iterable[Uncounted]) -> tuple[Uncounted, ...]:
    """What is not counted, in the order of its places on the film."""
    return tuple(sorted(uncounted, key=lambda one: (one.finding.row, one.finding.column)))


def outlines(labels: Array, state: State) -> Labels:
    """The mask with who drew its outlines."""
    return Labels(labels, ("corrected",), state.authorship)
