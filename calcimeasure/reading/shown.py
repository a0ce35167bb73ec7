"""What is shown of a film: its mask and its numbers as they are now. No Qt, no napari."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from calcimeasure.errors import MaskError
from calcimeasure.model.authorship import Author
from calcimeasure.model.deposit import Deposit, Measurement
from calcimeasure.model.image import Image, Kind, Mask
from calcimeasure.model.labels import Labels
from calcimeasure.model.warning import Remark, once
from calcimeasure.reading import edits
from calcimeasure.reading.live import Live
from calcimeasure.reading.patch import Array, Patch
from calcimeasure.reading.record import Signature
from calcimeasure.reading.state import State, Uncounted, outlines
from calcimeasure.recipe import Analysis, Recipe, analyse_mask, unseen_on
from calcimeasure.steps.measure.area import total
from calcimeasure.steps.measure.error import is_unread, summed


class Shown:
    """A film, its mask, its numbers, and all that is known beside them; a person's changes come through `Changes`.

    Parameters
    ----------
    image : Image
        As `calcimeasure.read_image` gives it, or made from a layer.
    recipe : Recipe, optional
        Settings; threshold and smallest size may be changed later.

    Attributes
    ----------
    stated : Image
        With the scale that its file gave.
    blank : State
        Before anything was done.
    live : Live
        The numbers as measured, before what the outlines' doubts do to their error bars.
    known_numbers : dict
        The number of every outline that was found, so that it comes back under it.
    """

    def __init__(self, image: Image, recipe: Recipe | None = None) -> None:
        self.stated = image
        self.blank = self._state = State(image, recipe or Recipe())
        self.live = Live()
        self.known_numbers: dict[edits.Print, int] = {}
        self._labels: Array = np.zeros(image.shape, np.int32)
        self._rows: Mapping[int, Deposit] | None = None
        self._total: Measurement | None = None

    @property
    def image(self) -> Image:
        """The film with its present scale."""
        return self._state.image

    @property
    def recipe(self) -> Recipe:
        """All settings, with the present threshold and smallest size."""
        return self._state.recipe

    @property
    def first_recipe(self) -> Recipe:
        """The settings that the film was opened with."""
        return self.blank.recipe

    @property
    def region(self) -> Mask | None:
        """Region of interest."""
        return self._state.region

    @property
    def state(self) -> State:
        """Everything beside the mask, as one value."""
        return self._state

    @property
    def labels(self) -> Array:
        """The mask; a read-only view of the one copy there is."""
        view = self._labels.view()
        view.flags.writeable = False
        return view

    @property
    def outlines(self) -> Labels:
        """A copy of the mask, with the doubts of the outlines that no person drew or accepted."""
        return outlines(self._labels.copy(), self._state)

    @property
    def rows(self) -> Mapping[int, Deposit]:
        """The deposits by number."""
        if self._rows is None:
            self._rows = self.live.shown(self._state.doubts)
        return self._rows

    @property
    def measurement(self) -> Measurement:
        """All deposits in label order and the totals, the digits of ``calcimeasure measure --masks``."""
        if self._total is None:
            unseen = unseen_on(self.image, self._state.passed_over_px) if self._is_unread else None
            self._total = summed(total(self.rows.values(), self.image), self._state.doubts, unseen)
        return self._total

    @property
    def _is_unread(self) -> bool:
        """Whether the networks alone speak for an outline, or for there being none."""
        if self.rows:
            return is_unread(self.rows.values(), self._state.doubts)
        return self.image.kind is Kind.RADIOGRAPH and self._state.authorship.film is Author.NETWORKS

    @property
    def is_measured(self) -> bool:
        """Whether the total says anything of the film: it was searched, somebody outlined or denied calcium."""
        return bool(self.rows) or self._state.was_searched or self._state.negative is not None

    @property
    def negative(self) -> Signature | None:
        """Who said that there is no calcium on this film, and when."""
        return self._state.negative

    @property
    def excluded(self) -> tuple[Uncounted, ...]:
        """What is listed as not counted; `Held.finding` has the reason, the place and the score."""
        return self._state.excluded

    @property
    def accepted(self) -> frozenset[int]:
        """Deposits that a person accepted."""
        return self._state.accepted

    @property
    def warnings(self) -> tuple[Remark, ...]:
        """What a reader of the numbers ought to know, each once."""
        return once(self.image.warnings, self._state.warnings)

    @property
    def next_label(self) -> int:
        """A number that no deposit has."""
        return max((*self.live.rows, *self._state.numbers_uncounted, *self.known_numbers.values()), default=0) + 1

    def at(self, row: float, column: float) -> int:
        """Number of the deposit at a place; 0 for background and outside the film."""
        place = round(row), round(column)
        inside = all(0 <= at < size for at, size in zip(place, self._labels.shape, strict=True))
        return int(self._labels[place]) if inside else 0

    def brush_px(self, mm: float) -> int | None:
        """Brush diameter in pixels for one in mm, at least 1; `None` while the scale is unknown."""
        spacing = self.image.spacing
        return max(1, round(mm / spacing.mean_mm)) if spacing else None

    def analysing(self) -> Callable[[], Analysis]:
        """Work for another thread: every number of the mask as it is now, densities too, as the command line has it."""
        labels, state = outlines(self._labels, self._state), self._state
        return lambda: analyse_mask(state.image, labels, state.recipe)

    # --- for those who change it ------------------------------------------------------------------------

    def put(self, patch: Patch, after: State, rows: Mapping[int, Deposit] | None = None) -> frozenset[int]:
        """Exchange mask and state and bring the numbers up to date; gives the deposits measured again.

        `rows` are all numbers of the mask after it, where they are known.
        """
        before = self._state
        self.know(after)
        patch.apply(self._labels)
        settings = after.recipe.measure
        if rows is not None:
            self.live.rows = dict(rows)
            return frozenset(rows)
        if after.image is not before.image or settings != before.recipe.measure:
            return self.live.renew(self._labels, after.image, settings)
        return self.live.update(self._labels, after.image, settings, patch)

    def stand(self, labels: Array, state: State) -> None:
        """Take another mask and all that is known beside it, outside of undo."""
        self._labels[:] = labels
        self._rows = self._total = None
        self.live.renew(self._labels, state.image, state.recipe.measure)
        self._state = state.only(self.live.rows.keys())

    def know(self, state: State) -> None:
        """Exchange what is known beside the mask; the numbers are as they were."""
        self._state = state
        self._rows = self._total = None

    def check_shape(self, array: np.ndarray[Any, Any], what: str) -> None:
        """That an array has the film's shape.

        Raises
        ------
        MaskError
            When it has not.
        """
        if array.shape != self._labels.shape:
            raise MaskError(
                f"the {what} has {array.shape} pixels and the image {self._labels.shape}: use the one made for it"
            )
