"""What a person does to the outlines: paint, delete, accept, split, merge, and masks that come from elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from calcimeasure.errors import EditRefused, MaskError
from calcimeasure.io.results.masks import read_labels
from calcimeasure.model.authorship import Author, Authorship
from calcimeasure.model.deposit import Measurement, Reason
from calcimeasure.model.labels import Labels
from calcimeasure.reading import edits
from calcimeasure.reading.changes import Changes, Event, everywhere
from calcimeasure.reading.later import Later
from calcimeasure.reading.patch import Array, Where
from calcimeasure.reading.record import Signature, initials_of, now
from calcimeasure.reading.state import State, Uncounted, in_order
from calcimeasure.steps.measure.area import measure


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A mask made elsewhere, as it was measured on this film; `None` where a region of interest will clip it."""

    labels: Labels
    measurement: Measurement | None


class Corrections:
    """Corrections of the outlines of a session.

    Parameters
    ----------
    changes : Changes
        Where each becomes a step.
    """

    def __init__(self, changes: Changes) -> None:
        self._changes, self._film = changes, changes.film

    def edited(self, where: Where, values: Array, name: str = "paint") -> Event:
        """Take a window of the mask as a person left it; one step.

        Parameters
        ----------
        where : (slice, slice)
            Rows and columns; plain slices with start and stop.
        values : int array
            The numbers the window holds now; only what differs is a change.
        name : str
            What was done, for the undo button: ``paint``, ``erase``, ``fill`` ...

        Raises
        ------
        EditRefused
            When the mask is signed.
        MaskError
            For a window that does not fit, or negative numbers.
        """
        return self.edited_parts([(where, values)], name)

    def edited_parts(self, parts: Sequence[tuple[Where, Array]], name: str = "paint") -> Event:
        """As `edited`, for several windows that together are one step."""
        return self._changes.draw([self._checked(where, values) for where, values in parts], name)

    def delete(self, numbers: Collection[int]) -> Event:
        """Remove deposits for good: the sliders do not bring them back, undo does."""
        dropped = tuple(self._uncounted(number, Reason.REJECTED) for number in self._known(numbers))
        return self._erase(numbers, "delete", replace(self._film.state, deleted=(*self._film.state.deleted, *dropped)))

    def reject(self, numbers: Collection[int]) -> Event:
        """Move deposits to the excluded ones, from where they can be brought back."""
        dropped = tuple(self._uncounted(number, Reason.REJECTED) for number in self._known(numbers))
        excluded = in_order((*self._film.excluded, *dropped))
        return self._erase(numbers, "reject", replace(self._film.state, excluded=excluded))

    def accept(self, numbers: Collection[int]) -> Event:
        """A person looked at these deposits and agrees: no slider moves them, and their error bars are a reader's."""
        seen = frozenset(self._known(numbers))
        drawn = {n for n in seen if not self._film.state.authorship.of(n).is_program}
        looked_over = self._film.state.seen_by_person(drawn).seen_by_person(seen - drawn, Author.ACCEPTED)
        state = replace(looked_over, accepted=self._film.accepted | seen)
        return self._changes.do("accept", state=state)

    def split(self, number: int, line: Sequence[tuple[float, float]] | None = None) -> Event:
        """Part a deposit into its connected pieces, or along a drawn line of (row, column) points.

        Raises
        ------
        EditRefused
            When it does not part.
        """
        (number,) = self._known([number])
        row = self._film.live.rows[number]
        if line is None:
            return self._changes.draw(edits.pieces(self._film.labels, row, self._film.next_label), "split")
        return self._changes.draw(edits.cut(self._film.labels, row, line, self._film.next_label), "split")

    def merge(self, numbers: Collection[int]) -> Event:
        """Several deposits become one, under the smallest of their numbers.

        Raises
        ------
        EditRefused
            For fewer than two.
        """
        known = self._known(numbers)
        if len(known) < 2:
            raise EditRefused("choose two deposits or more to merge")
        return self._changes.draw(self._renumbered(known[1:], known[0]), "merge")

    def deny(self, initials: str) -> Event:
        """A person says that there is no calcium on this film; what is outlined is refused."""
        self._changes.check_open()
        self._changes.initials = initials_of(initials)
        numbers = sorted(self._film.live.rows)
        refused = [self._uncounted(number, Reason.REJECTED) for number in numbers]
        said = Signature(self._changes.initials, now())
        excluded = in_order((*self._film.excluded, *refused))
        looked_over = replace(self._film.state.authorship, film=Author.PERSON, passed_over_px=0.0)
        state = replace(self._film.state, excluded=excluded, negative=said, authorship=looked_over)
        return self._changes.do("no calcium", self._renumbered(numbers, 0), state)

    def bring_back(self, finding: Uncounted) -> Event:
        """Count an excluded finding after all, where nothing else is counted; as what it was before, if it was one.

        Raises
        ------
        EditRefused
            When its outline is not known, or all of it is counted already.
        """
        if finding not in self._film.excluded:
            raise EditRefused("this finding is not among the excluded ones any more: choose it from the list")
        number = (
            finding.number if finding.number and finding.number not in self._film.live.rows else self._film.next_label
        )
        parts = edits.brought_back(self._film.labels, finding, number, self._film.region)
        return self._changes.draw(parts, "bring back", self._film.state.without(finding, number))

    def load_mask(self, path: Path) -> Event:
        """Take a mask made elsewhere (label TIFF or PNG) in place of the present one.

        Raises
        ------
        MaskError
            When it is no label image or not as large as the film.
        """
        later = self.loading(path)
        return later.take(later())

    def loading(self, path: Path) -> Later[Loaded]:
        """As `load_mask`, for another thread."""
        self._changes.check_open()
        state = self._film.state
        return Later.of(
            self._changes,
            lambda: _loaded(path, state),
            lambda result, fresh: self._replace(result.labels, "load mask", result.measurement if fresh else None),
            lambda _: self.loading(path),
        )

    def set_labels(self, labels: Labels, name: str = "load mask") -> Event:
        """Take a label image in place of the present mask.

        Raises
        ------
        MaskError
            When it is not as large as the film.
        """
        self._film.check_shape(labels.array, "label image")
        return self._replace(labels, name)

    def _replace(self, labels: Labels, name: str, measured: Measurement | None = None) -> Event:
        """Other outlines for all; the sliders leave them alone, and they are still theirs who drew them."""
        parts = [(everywhere(self._film.labels), labels.array)]
        return self._changes.draw(parts, name, authorship=self._authorship_of(labels), measured=measured)

    def _authorship_of(self, labels: Labels) -> Authorship:
        """Who drew outlines that come from outside; a person's who gives them where they do not say."""
        by = labels.authorship
        by = by.named(labels.numbers.tolist(), Author.PERSON if by.film is Author.UNKNOWN else by.film)
        seen = self._film.accepted.intersection(by.deposits)
        return by.seen_by_person(seen, Author.ACCEPTED) if seen else by

    def _erase(self, numbers: Collection[int], name: str, state: State) -> Event:
        return self._changes.do(name, self._renumbered(self._known(numbers), 0), state)

    def _renumbered(self, numbers: Sequence[int], to: int) -> list[edits.Part]:
        return edits.renumbered(self._film.labels, self._film.live.rows, numbers, to)

    def _checked(self, where: Where, values: Array) -> edits.Part:
        """A window from outside, as plain numbers in plain slices."""
        rows, columns = (slice(*part.indices(size)) for part, size in zip(where, self._film.labels.shape, strict=True))
        values = np.asarray(values)
        if values.shape != self._film.labels[rows, columns].shape or values.dtype.kind not in "iub":
            raise MaskError("the drawn window does not fit the mask: draw again")
        if values.size and (int(values.min()) < 0 or int(values.max()) >= 2**31):
            raise MaskError("a deposit's number is from 1 to 2147483647: choose a smaller label")
        return (rows, columns), values.astype(np.int32, copy=False)

    def _known(self, numbers: Collection[int]) -> list[int]:
        known = sorted({int(number) for number in numbers})
        if missing := [number for number in known if number not in self._film.live.rows]:
            raise EditRefused(f"there is no deposit {missing[0]}: choose one from the table")
        if not known:
            raise EditRefused("no deposit is chosen: click one first")
        return known

    def _uncounted(self, number: int, reason: Reason) -> Uncounted:
        return self._film.state.known_of(edits.pixels_of(self._film.labels, self._film.live.rows[number], reason))


def _loaded(path: Path, snapshot: State) -> Loaded:
    labels = read_labels(path, snapshot.image.shape)
    numbers = None if snapshot.region is not None else measure(snapshot.image, labels, settings=snapshot.recipe.measure)
    return Loaded(labels, numbers)
