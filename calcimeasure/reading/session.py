"""What the panel knows: a film, its mask, its numbers, and all that a person did to them. No Qt, no napari.

How the window uses it
----------------------
::

    session = Session.open(path)                    # reads the film; or Session(image, Recipe(), Source(...))
    session.on_change(panel.refresh)                # called with an Event after everything below

    session.resume(folder)                          # what is saved of it there; locked when that is signed
    if waiting := session.offered_work():           # a journal of work that was never saved: edits wait for a decision
        session.restore(waiting)                    # or waiting.discard(); neither: it is laid aside, never lost
    session.keep_journal()                          # from now on every step is on disk before the next begins
    session.trouble; session.keep_up()              # why it is not, and another try; every second or two

    job = session.segmenting()                      # call job() in a worker thread; it touches nothing
    result = job()
    if session.is_stale(result):                    # something was done meanwhile: again(result)() in a worker thread
        result = session.again(result)()
    session.found(result)                           # back in the main thread; what a person did stays
    session.set_threshold(0.4); session.set_min_area_mm2(1.0); session.set_min_area_px(20)
    job = session.sifting(threshold=0.4); session.found(job(), "threshold")     # the same with job() in a worker thread

    event = session.edited((rows, columns), layer.data[rows, columns], "paint")    # after each stroke
    session.edited_parts([(where, values), ...], "fill")                           # several windows, one step
    session.delete([3]); session.reject([4]); session.accept([5]); session.merge([6, 7])
    session.split(8); session.split(8, line=[(r, c), (r, c)])
    session.bring_back(session.excluded[0])         # also when it was rejected
    session.load_mask(path); session.set_region(mask_or_None)
    job = session.limiting(mask); session.limited(job())        # the same with job() in a worker thread
    session.set_spacing(0.15); session.set_spacing(Spacing(...)); session.set_scale(scale)
    job = session.scaling(scale); session.scaled(job())         # the same with job() in a worker thread
    job = session.loading(path); session.loaded(job())
    session.set_wedge((1, 2, 3, 4, 5), region)      # densities by the step wedge are saved with the rest
    session.deny("AB")                              # there is no calcium on this film; an empty mask alone says nothing
    session.prompted(segment_photo(image, box=...))     # or session.prompt(box=..., lasso=..., clicks=...)
    session.undo(); session.redo()                  # session.undo_name, session.redo_name: for the buttons

    session.measurement, session.rows, session.excluded, session.warnings     # for the table
    session.labels                                  # read-only: layer.data[event.where] = session.labels[event.where]
    session.next_label, session.at(row, column), session.brush_px(2.5)
    session.is_saved, session.is_signed, session.status

    session.set_initials("AB"); session.save(folder); session.save(folder, overwrite=True)
    job = session.saving(folder); session.saved(job())     # the same with job() in a worker thread
    job = session.analysing(); job().measurement           # densities as well: not for every stroke, in a worker
    session.sign("AB"); session.reopen("second look", "AB")
    session.close()

An edit that is refused raises `CalcimeasureError` with a sentence for the notification; the mask is then as it was,
so write ``session.labels[where]`` back into the layer. `Event.where` is the window of the mask that changed, `None`
when no pixel did. `Event.clipped` says that part of a stroke lay outside the region of interest and was not taken.

The mask that is shown is the mask that is measured, saved, and measured again by ``calcimeasure measure --masks``: a
region of interest erases what lies outside it (undo brings it back), and bone plays no part in the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from calcimeasure.errors import EditRefused, MaskError, MeasurementRefused, OutputError
from calcimeasure.io.files import sha256_of
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.images.read import read_image
from calcimeasure.io.results.masks import read_labels
from calcimeasure.model.authorship import Author, Authorship, Doubt
from calcimeasure.model.deposit import Deposit, Measurement, Reason, Segmentation
from calcimeasure.model.image import Image, Kind, Mask, Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels
from calcimeasure.model.scale import Scale
from calcimeasure.reading import edits
from calcimeasure.reading.codec import Codec, did_from_json
from calcimeasure.reading.history import BOUND, History, Step
from calcimeasure.reading.journal import Begin, Journal, Pending, Standing, begun, laid_aside, pending, resumed
from calcimeasure.reading.lines import UNBELIEVABLE
from calcimeasure.reading.live import Live, joined
from calcimeasure.reading.patch import Array, Box, Patch, Where, changed
from calcimeasure.reading.record import SAVE, Base, Did, Signature, Source, initials_of, now, unsaved_in
from calcimeasure.reading.replay import Replay
from calcimeasure.reading.saving import (
    Saved,
    Work,
    check_of,
    check_readable,
    mask_file,
    name_in,
    outlines,
    save,
    saved_in,
)
from calcimeasure.reading.scale import rescaled
from calcimeasure.reading.state import Held, State
from calcimeasure.recipe import Analysis, Recipe, analyse_mask, is_automatic, outline_doubts, unseen_on
from calcimeasure.steps.measure.area import measure, total
from calcimeasure.steps.measure.error import is_unread, passed_over, summed
from calcimeasure.steps.outline import find
from calcimeasure.steps.outline.findings import Findings, Proposed
from calcimeasure.steps.outline.settings import SegmentSettings

Listener = Callable[["Event"], None]

#: After a step that measured more deposits than this anew, undo has their numbers at hand.
_MANY = 20


@dataclass(frozen=True, slots=True)
class Event:
    """What just happened.

    Parameters
    ----------
    name : str
        Of the step: ``paint``, ``threshold``, ``sign`` ...
    how : str
        ``do``, ``undo``, ``redo`` or ``restore``.
    where : (slice, slice) or None
        Window of the mask that changed; `None` when no pixel did.
    numbers : frozenset of int
        Deposits that were measured again or are gone.
    clipped : bool
        Part of what was drawn lay outside the region of interest and was not taken.
    trouble : str
        Why the journal could not be written; empty when all is well.
    """

    name: str
    how: str = "do"
    where: Where | None = None
    numbers: frozenset[int] = frozenset()
    clipped: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A session as it was when a thread began to work for it.

    `labels` and `rows` are copies, or empty where a new segmentation has nothing of a person's to respect.
    """

    state: State
    changes: int
    labels: Array
    rows: Mapping[int, Deposit]
    rejected: tuple[Held, ...]
    numbers: edits.Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """The mask that a segmentation makes beside what a person did, as it is measured there, and how doubtful it is."""

    mask: Array
    measurement: Measurement
    doubts: Mapping[int, Doubt]


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """A finished segmentation on its way back from the worker thread, and what it would make of the mask."""

    findings: Findings | Proposed
    segmentation: Segmentation
    laid: Laid
    asked: Asked
    recipe: Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Rescaled:
    """The film at another scale, measured after so many changes."""

    image: Image
    measurement: Measurement
    changes: int


@dataclass(frozen=True, slots=True, eq=False)
class Limited:
    """A region of interest, and the numbers of what lies in it after so many changes."""

    inside: Mask
    measurement: Measurement
    changes: int


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A mask made elsewhere, as it was measured on this film; `None` where a region of interest will clip it."""

    labels: Labels
    measurement: Measurement | None
    asked: State


@dataclass(frozen=True, slots=True)
class How:
    """What is known of a step beside its change: the numbers after it, and whether it was clipped or goes on."""

    measured: Measurement | None = None
    clipped: bool = False
    joins: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was saved: the mask as the next saving may replace it, the line of the log, and after how many changes."""

    base: Base
    did: Did
    changes: int


class Session:
    """A film, its mask, its numbers, and all that a person did to them.

    Parameters
    ----------
    image : Image
        As `calcimeasure.read_image` gives it, or made from a layer.
    recipe : Recipe, optional
        Settings; threshold and smallest size may be changed later.
    source : Source, optional
        Where the film comes from; without it nothing is journalled and saving needs a name.
    history_bytes : int
        Memory that undo may hold.

    Attributes
    ----------
    offered : Pending or None
        Unsaved work that nobody has decided about; until then nothing can be edited.
    unread : int
        How many lines of a restored journal could not be read.
    aside : Path or None
        Where a journal was laid that was in the way, or that could not be read whole.
    """

    def __init__(
        self,
        image: Image,
        recipe: Recipe | None = None,
        source: Source | None = None,
        *,
        history_bytes: int = BOUND,
    ) -> None:
        self.source = source or Source()
        self.history = History(history_bytes)
        self.initials: str | None = None
        self.signature: Signature | None = None
        self.did: list[Did] = []
        self.stated = image
        self._blank = self._state = State(image, recipe or Recipe())
        self._labels: Array = np.zeros(image.shape, np.int32)
        self._live = Live()
        self._rows: Mapping[int, Deposit] | None = None
        self._total: Measurement | None = None
        self._findings: Findings | Proposed | None = None
        self.offered: Pending | None = None
        self.unread = 0
        self.aside: Path | None = None
        self._journal: Journal | None = None
        self._unkept = ""
        self._listeners: list[Listener] = []
        self._numbers: dict[edits.Print, int] = {}
        self._joinable: Did | None = None
        self._changes = self._saved_at = 0
        self._base: Base | None = None

    @classmethod
    def open(cls, path: Path, recipe: Recipe | None = None, **reading: Any) -> Session:
        """The session of a film on disk; `reading` goes to `read_image`.

        Raises
        ------
        ReadError
            When the file is no film.
        """
        film = FileBytes.of(Path(path))
        return cls(read_image(film, **reading), recipe, Source.of(Path(path), film.sha256))

    # --- what it knows ----------------------------------------------------------------------------------

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
        return self._blank.recipe

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
            self._rows = self._live.shown(self._state.doubts)
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
    def excluded(self) -> tuple[Held, ...]:
        """What is listed as not counted; `Held.finding` has the reason, the place and the score."""
        return self._state.excluded

    @property
    def accepted(self) -> frozenset[int]:
        """Deposits that a person accepted."""
        return self._state.accepted

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the numbers ought to know, each once."""
        return tuple(dict.fromkeys((*self.image.warnings, *self._state.warnings)))

    @property
    def has_findings(self) -> bool:
        """Whether the sliders act at once: something was segmented in this session."""
        return self._findings is not None

    @property
    def probability(self) -> np.ndarray[Any, np.dtype[np.float32]] | None:
        """Probability of deposit per pixel, as the method gave it."""
        return self._findings.probability if self._findings else None

    @property
    def next_label(self) -> int:
        """A number that no deposit has."""
        return max((*self._live.rows, *self._state.numbers_held, *self._numbers.values()), default=0) + 1

    def at(self, row: float, column: float) -> int:
        """Number of the deposit at a place; 0 for background and outside the film."""
        place = round(row), round(column)
        inside = all(0 <= at < size for at, size in zip(place, self._labels.shape, strict=True))
        return int(self._labels[place]) if inside else 0

    def brush_px(self, mm: float) -> int | None:
        """Brush diameter in pixels for one in mm, at least 1; `None` while the scale is unknown."""
        spacing = self.image.spacing
        return max(1, round(mm / spacing.mean_mm)) if spacing else None

    @property
    def is_saved(self) -> bool:
        """Whether closing would lose nothing."""
        return self._saved_at == self._changes

    @property
    def is_signed(self) -> bool:
        """Whether edits are locked."""
        return self.signature is not None

    @property
    def status(self) -> str:
        """``open``, ``corrected`` or ``signed``, as the worklist shows it; nothing outlined says nothing by itself."""
        said = bool(self._live.rows) or self._state.negative is not None
        return "signed" if self.is_signed else "corrected" if self.did and said else "open"

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with an `Event` after every change; gives a function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # --- finding ----------------------------------------------------------------------------------------

    def segmenting(self) -> Callable[[], Proposal]:
        """Work for another thread: it knows all it needs and changes nothing; give its result to `found`."""
        self._check_open()
        asked = self._asked
        image, recipe = asked.state.image, asked.state.recipe
        return lambda: _proposal(find(image, recipe.segment), asked, recipe)

    def sifting(self, **settings: Any) -> Callable[[], Proposal]:
        """As `segmenting`, for other `SegmentSettings` (``threshold=0.4``) on what was found already: much quicker.

        Raises
        ------
        EditRefused
            When nothing was segmented yet.
        RecipeError
            For a setting out of range.
        """
        self._check_open()
        asked, findings = self._asked, self._findings
        if findings is None:
            raise EditRefused("press Find deposits first: there is nothing to choose from yet")
        recipe = replace(self.recipe, segment=replace(self.recipe.segment, **settings))
        return lambda: _proposal(findings.under(recipe.segment), asked, recipe)

    def is_stale(self, result: Proposal) -> bool:
        """Whether something was done since a proposal was asked for: `found` would work it out anew, here and now."""
        return result.asked.changes != self._changes or result.asked.state is not self._state

    def again(self, result: Proposal) -> Callable[[], Proposal]:
        """Work for another thread: a stale proposal worked out anew for the mask as it is; nothing is searched."""
        asked, recipe = self._asked, self._recipe_of(result)
        return lambda: _proposal(result.findings.under(recipe.segment), asked, recipe)

    def found(self, result: Proposal | Segmentation, name: str = "segment", *, joins: bool = False) -> Event:
        """Lay what was found beside what a person did; that stays, and what a person refused stays away.

        With `joins` it becomes one step with the one before, where that has the same name: one drag of a slider.
        """
        if isinstance(result, Segmentation):
            return self._lay(result, None, name)
        self._check_open()
        self._findings, recipe = result.findings, self._recipe_of(result)
        if not self.is_stale(result):
            return self._lay(result.segmentation, result.laid, name, recipe, joins=joins)
        return self._sift(recipe.segment, name, joins)

    def set_threshold(self, threshold: float, *, joins: bool = False) -> Event:
        """Keep findings whose score reaches the threshold (0-1); at once, where something was segmented."""
        return self._sift(replace(self.recipe.segment, threshold=float(threshold)), "threshold", joins)

    def set_min_area_mm2(self, mm2: float, *, joins: bool = False) -> Event:
        """Keep findings of at least so many mm2; at once, where something was segmented."""
        return self._sift(replace(self.recipe.segment, min_area_mm2=float(mm2)), "smallest size", joins)

    def set_min_area_px(self, px: int, *, joins: bool = False) -> Event:
        """Keep findings of at least so many pixels; at once, where something was segmented."""
        return self._sift(replace(self.recipe.segment, min_area_px=int(px)), "smallest size", joins)

    def prompt(self, **prompt: Any) -> Event:
        """The deposits a person points at on a photo (`segment_photo` with box, lasso or clicks), added to the mask."""
        from calcimeasure.steps.outline.photo import segment_photo

        return self.prompted(segment_photo(self.image, **prompt))

    def prompted(self, found: Labels) -> Event:
        """Add what a prompt found, as new deposits, where nothing is counted yet; outlines with a doubt keep it.

        Raises
        ------
        EditRefused
            When all of it is counted already or lies outside the region of interest.
        """
        self._check_shape(found.array, "prompt's result")
        free = (found.array > 0) & (self._labels == 0) & (True if self.region is None else self.region)
        if not free.any():
            raise EditRefused("all of it is counted already, or lies outside the region of interest")
        fresh = np.where(free, found.array + (self.next_label - 1), self._labels)
        return self._draw([(_everywhere(self._labels), fresh)], "prompt", told=self._doubting(found, free))

    def _doubting(self, found: Labels, free: Mask) -> Authorship | None:
        """Who drew what, with the doubts of the new outlines; `None` when these have none.

        A person pointed, so they are a person's and no slider takes them away; but the networks drew their rims.
        """
        doubts, before = found.authorship.doubts, self.next_label - 1
        added = {n + before: doubts[n] for n in np.unique(found.array[free]).tolist() if n in doubts}
        if not added:
            return None
        told = self._state.seen_by_person(added.keys()).authorship
        return replace(told, doubts={**told.doubts, **added})

    # --- correcting -------------------------------------------------------------------------------------

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
        return self._draw([self._checked(where, values) for where, values in parts], name)

    def delete(self, numbers: Collection[int]) -> Event:
        """Remove deposits for good: the sliders do not bring them back, undo does."""
        held = tuple(self._held(number, Reason.REJECTED) for number in self._known(numbers))
        return self._erase(numbers, "delete", replace(self._state, deleted=(*self._state.deleted, *held)))

    def reject(self, numbers: Collection[int]) -> Event:
        """Move deposits to the excluded ones, from where they can be brought back."""
        held = tuple(self._held(number, Reason.REJECTED) for number in self._known(numbers))
        return self._erase(numbers, "reject", replace(self._state, excluded=_sorted((*self.excluded, *held))))

    def accept(self, numbers: Collection[int]) -> Event:
        """A person looked at these deposits and agrees: no slider moves them, and their error bars are a reader's."""
        seen = frozenset(self._known(numbers))
        drawn = {n for n in seen if not self._state.authorship.of(n).is_program}
        told = self._state.seen_by_person(drawn).seen_by_person(seen - drawn, Author.ACCEPTED)
        state = replace(told, accepted=self.accepted | seen)
        return self._do("accept", state=state)

    def split(self, number: int, line: Sequence[tuple[float, float]] | None = None) -> Event:
        """Part a deposit into its connected pieces, or along a drawn line of (row, column) points.

        Raises
        ------
        EditRefused
            When it does not part.
        """
        (number,) = self._known([number])
        row = self._live.rows[number]
        if line is None:
            return self._draw(edits.pieces(self._labels, row, self.next_label), "split")
        return self._draw(edits.cut(self._labels, row, line, self.next_label), "split")

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
        return self._draw(edits.renumbered(self._labels, self._live.rows, known[1:], known[0]), "merge")

    def deny(self, initials: str) -> Event:
        """A person says that there is no calcium on this film; what is outlined is refused."""
        self._check_open()
        self.initials = initials_of(initials)
        numbers = sorted(self._live.rows)
        refused = [self._held(number, Reason.REJECTED) for number in numbers]
        said = Signature(self.initials, now())
        excluded = _sorted((*self.excluded, *refused))
        looked_over = replace(self._state.authorship, film=Author.PERSON, passed_over_px=0.0)
        state = replace(self._state, excluded=excluded, negative=said, authorship=looked_over)
        return self._do("no calcium", edits.renumbered(self._labels, self._live.rows, numbers, 0), state)

    def bring_back(self, held: Held) -> Event:
        """Count an excluded finding after all, where nothing else is counted; as what it was before, if it was one.

        Raises
        ------
        EditRefused
            When its outline is not known, or all of it is counted already.
        """
        if held not in self.excluded:
            raise EditRefused("this finding is not among the excluded ones any more: choose it from the list")
        number = held.number if held.number and held.number not in self._live.rows else self.next_label
        parts = edits.laid(self._labels, held, number, self.region)
        return self._draw(parts, "bring back", self._state.without(held, number))

    def load_mask(self, path: Path) -> Event:
        """Take a mask made elsewhere (label TIFF or PNG) in place of the present one.

        Raises
        ------
        MaskError
            When it is no label image or not as large as the film.
        """
        return self.loaded(self.loading(path)())

    def loading(self, path: Path) -> Callable[[], Loaded]:
        """As `load_mask`, for another thread; give its result to `loaded`."""
        self._check_open()
        state = self._state
        return lambda: _loaded(path, state)

    def loaded(self, result: Loaded) -> Event:
        """Take a mask that was read in another thread."""
        asked, now = result.asked, self._state
        same = asked.image is now.image and asked.region is now.region and asked.recipe.measure == now.recipe.measure
        measured = result.measurement if same else None
        return self._replace(result.labels, "load mask", measured)

    def set_labels(self, labels: Labels, name: str = "load mask") -> Event:
        """Take a label image in place of the present mask.

        Raises
        ------
        MaskError
            When it is not as large as the film.
        """
        self._check_shape(labels.array, "label image")
        return self._replace(labels, name)

    def _replace(self, labels: Labels, name: str, measured: Measurement | None = None) -> Event:
        """Other outlines for all; the sliders leave them alone, and they are still theirs who drew them."""
        parts = [(_everywhere(self._labels), labels.array)]
        return self._draw(parts, name, told=self._authorship_of(labels), measured=measured)

    def _authorship_of(self, labels: Labels) -> Authorship:
        """Who drew outlines that come from outside; a person's who gives them where they do not say."""
        by = labels.authorship
        by = by.named(labels.numbers.tolist(), Author.PERSON if by.film is Author.UNKNOWN else by.film)
        seen = self.accepted.intersection(by.deposits)
        return by.seen_by_person(seen, Author.ACCEPTED) if seen else by

    def set_region(self, region: Mask | None) -> Event:
        """Limit segmenting and measuring to a region: what lies outside is cut off; `None` brings it back.

        Raises
        ------
        MaskError
            When it is not as large as the film.
        """
        if region is not None:
            return self._limit(self._inside(region), None)
        unsearched = any(one.finding.reason is Reason.OUTSIDE_REGION and not one.number for one in self.excluded)
        labels, state, _ = self._uncut
        event = self._do("region", [(_everywhere(self._labels), labels)] if self._state.cut else [], state)
        if unsearched and self._findings is not None:  # what the search left out because of the region
            return self._sift(self.recipe.segment, "region", joins=True)
        return event

    def limiting(self, region: Mask) -> Callable[[], Limited]:
        """As `set_region`, for another thread, with its refusals; give its result to `limited`."""
        self._check_open()
        inside, image, settings, changes = self._inside(region), self.image, self.recipe.measure, self._changes
        labels, _, _ = self._uncut
        return lambda: Limited(inside, measure(image, _within(labels, inside), settings=settings), changes)

    def limited(self, result: Limited) -> Event:
        """Take a region that was measured in another thread; what was edited meanwhile is measured again."""
        return self._limit(result.inside, result.measurement if self._changes == result.changes else None)

    def _inside(self, region: Mask) -> Mask:
        self._check_shape(region, "region of interest")
        inside = np.asarray(region, bool).copy()
        inside.flags.writeable = False
        return inside

    @property
    def _uncut(self) -> tuple[Array, State, Mapping[int, Held]]:
        """Mask and state without the region of interest: what it cut off is back, as it was, and listed by number."""
        state = self._state
        if not state.cut:
            return self._labels, state if state.region is None else replace(state, region=None), {}
        refused = {held.number for held in (*state.deleted, *self._rejected)}
        cut = [held for held in state.cut if held.number not in refused]
        labels, back = edits.restored(self._labels, self._live.rows, cut, self.next_label)
        return labels, state.uncut({n: held for n, held in back.items() if n not in self._live.rows}), back

    def _limit(self, inside: Mask, measured: Measurement | None) -> Event:
        labels, state, back = self._uncut
        boxes = {number: row.bbox for number, row in self._live.rows.items()}
        boxes |= {number: joined(held.finding.bbox, boxes.get(number)) for number, held in back.items()}
        cut = tuple(state.known_of(held) for held in edits.cut_off(labels, boxes, inside))
        left = _within(labels, inside).array
        gone = [held for held in cut if not (left[edits.within(boxes[held.number])] == held.number).any()]
        excluded = _sorted((*state.excluded, *gone)) if gone else state.excluded
        state = replace(state, region=inside, excluded=excluded, cut=cut)
        return self._do("region", [(_everywhere(self._labels), left)], state, measured=measured)

    # --- scale ------------------------------------------------------------------------------------------

    def set_spacing(self, spacing: Spacing | float | None) -> Event:
        """Another scale: mm per pixel from the user, a `Spacing` of any origin, or `None` for what the file says.

        Raises
        ------
        EditRefused
            For a number that is no length.
        """
        return self._rescale(self._at_scale(spacing))

    def set_scale(self, scale: Scale) -> Event:
        """The scale that a marker, a ruler or a drawn line gave.

        Raises
        ------
        MeasurementRefused
            When there is none, with the reason.
        """
        return self._rescale(self._at_scale(scale))

    def scaling(self, scale: Scale | Spacing | float | None) -> Callable[[], Rescaled]:
        """As `set_scale` and `set_spacing`, for another thread, with their refusals; give its result to `scaled`."""
        self._check_open()
        image, labels, settings, changes = self._at_scale(scale), self._labels, self.recipe.measure, self._changes
        return lambda: Rescaled(image, measure(image, Labels(labels), settings=settings), changes)

    def scaled(self, result: Rescaled) -> Event:
        """Take a scale that was measured with in another thread; what was edited meanwhile is measured again."""
        return self._rescale(result.image, result.measurement if self._changes == result.changes else None)

    def set_wedge(self, steps_mm: Sequence[float], region: Box | None = None, found: Box | None = None) -> Event:
        """The step wedge on the film: what is saved has densities, as ``calcimeasure measure`` with this recipe.

        Parameters
        ----------
        steps_mm : sequence of float
            Thickness of every step, as ``--wedge`` takes it.
        region : tuple of int, optional
            (row0, column0, row1, column1) where a person marked it; looked for when left out.
        found : tuple of int, optional
            Where it was found: no deposits are looked for there.

        Raises
        ------
        RecipeError
            For thicknesses that are no wedge.
        """
        wedge = replace(self.recipe.wedge, steps_mm=tuple(float(mm) for mm in steps_mm), region=region)
        recipe = self.recipe if wedge == self.recipe.wedge else replace(self.recipe, wedge=wedge)
        same = recipe is self.recipe and (found or region) == self._state.wedge
        return self._do("wedge", state=None if same else replace(self._state, recipe=recipe, wedge=found or region))

    def _at_scale(self, scale: Scale | Spacing | float | None) -> Image:
        """The film at a scale."""
        if isinstance(scale, Scale):
            if scale.spacing is None:
                raise MeasurementRefused(scale.reason)
            return rescaled(self.stated, self.image, scale.spacing, scale.plane)
        given = _spacing(scale)
        return rescaled(self.stated, self.image, None if given is None else given.shaped(self.image.aspect))

    def _rescale(self, image: Image, measured: Measurement | None = None) -> Event:
        state = self._state if image is self.image else replace(self._state, image=image)
        return self._do("scale", state=state, measured=measured)

    # --- undo, redo -------------------------------------------------------------------------------------

    def undo(self) -> Event | None:
        """Take the newest step back; `None` when there is none."""
        self._check_open()
        step = self.history.undo()
        return None if step is None else self._go(step.reverse, "undo")

    def redo(self) -> Event | None:
        """Do again what was undone last; `None` when there is nothing."""
        self._check_open()
        step = self.history.redo()
        return None if step is None else self._go(step, "redo")

    @property
    def undo_name(self) -> str | None:
        """What undo takes back."""
        return self.history.undo_name

    @property
    def redo_name(self) -> str | None:
        """What redo does again."""
        return self.history.redo_name

    # --- nothing lost -----------------------------------------------------------------------------------

    def unfinished(self) -> Pending | None:
        """Work on this very film that was journalled and never saved; `None` when there is none."""
        return pending(self._begin)

    def offered_work(self) -> Pending | None:
        """As `unfinished`; until it is restored, discarded or left aside (`keep_journal`), nothing can be edited."""
        self.offered = self.unfinished()
        return self.offered

    def restore(self, waiting: Pending) -> int:
        """Do the journalled steps again, to the very same mask, and go on with them; gives how many were not saved.

        They take the place of a saved mask that was opened. A journal that cannot be read whole is laid `aside`, and
        `unread` says how many of its lines were not read; a new one is begun with what could be.

        Raises
        ------
        EditRefused
            When this session has work of its own already, or the journal cannot be used.
        OutputError
            When the film is being edited in another window.
        """
        if not self.is_saved or self._journal:
            raise EditRefused("this film was edited already: close it and open it again to restore the earlier work")
        told = Replay(np.zeros_like(self._labels), self._blank, History(self.history.bound))
        told.run(waiting)
        self._journal = self._gone_on(waiting, told)
        self.offered, self.unread, self.history = None, told.unread, told.history
        self.did, self.signature, self._base = told.did, told.signature, told.base
        self._stand(told.labels, told.state)
        self._changes += 1
        if self.unread:
            self._begin_anew()
        self._tell(Event("restore", "restore", _everywhere(self._labels), frozenset(self._live.rows)))
        return unsaved_in(self.did)

    def _gone_on(self, waiting: Pending, told: Replay) -> Journal | None:
        """The journal itself, where it is whole."""
        if not told.unread:
            return resumed(self._begin, waiting, told.codec, lambda: self._standing)
        self.aside = laid_aside(waiting)
        return None

    def _begin_anew(self) -> None:
        """A journal in place of one that could not be read whole; why there is none is in `trouble`."""
        with suppress(OutputError):
            self.keep_journal()

    def _stand(self, labels: Array, state: State) -> None:
        """Take another mask and all that is known beside it, outside of undo."""
        self._labels[:] = labels
        self._rows = self._total = None
        self._live.renew(self._labels, state.image, state.recipe.measure)
        self._state = state.only(self._live.rows.keys())

    def keep_journal(self) -> None:
        """Write every step to disk from now on; unsaved work that was not restored is laid `aside`, not lost.

        Raises
        ------
        OutputError
            When the film is being edited in another window, or nothing can be written.
        """
        if self._journal is not None or not self.source.sha256:
            return
        offered, self.offered = self.offered, None
        try:
            self.aside = laid_aside(offered) if offered else self.aside
            self._journal = begun(self._begin, lambda: self._standing)
        except OutputError as error:
            self._unkept = str(error)
            raise
        self._unkept = ""
        self.aside = self._journal.aside or self.aside

    @property
    def trouble(self) -> str:
        """Why what was done last would not survive a crash; empty when it would, and where nothing is journalled."""
        return self._journal.trouble if self._journal else self._unkept

    def keep_up(self) -> str:
        """Try again to write what could not be written; gives why it is still not safe, or nothing."""
        if self._journal is not None:
            return self._journal.mend()
        if self._unkept:
            self._begin_anew()
        return self._unkept

    @property
    def _begin(self) -> Begin:
        return Begin(self.source, self.stated, self._blank.recipe)

    @property
    def _standing(self) -> Standing:
        return Standing(self._labels, self._blank, self._state, self.did, self.signature, self._base)

    # --- saving and signing -----------------------------------------------------------------------------

    def set_initials(self, initials: str) -> None:
        """Who is reading: 1 to 6 letters or digits, written into every saved record.

        Raises
        ------
        EditRefused
            For anything else.
        """
        self.initials = initials_of(initials)

    def save(self, folder: Path, *, overwrite: bool = False) -> Path:
        """Write mask, tables and provenance into a folder; gives the mask's path.

        A mask that this session saved or opened there is replaced; any other only when `overwrite` is true.

        Raises
        ------
        EditRefused
            Before anybody gave initials, or when the film has no name.
        OutputError
            When another mask is there, or the folder cannot be used.
        """
        self.saved(self.saving(folder, overwrite=overwrite)())
        return mask_file(folder, name_in(folder, self.source))

    def saving(self, folder: Path, *, overwrite: bool = False) -> Callable[[], Receipt]:
        """As `save`, for another thread: the work takes the mask as it is now; give its result to `saved`."""
        self._check_decided()
        if self.initials is None:
            raise EditRefused("give your initials first: they are written into every saved record")
        did = self._did(SAVE)
        here = replace(self._standing, labels=self._labels.copy(), did=(*self.did, did))
        work = Work(self.source, here, self.initials, self.status)
        changes, signature = self._changes, self.signature
        return lambda: Receipt(Base(save(work, folder, overwrite=overwrite), signature), did, changes)

    def saved(self, receipt: Receipt) -> Event:
        """Take note that saving succeeded; what was edited meanwhile is not saved."""
        self._base = receipt.base
        nothing_since = self._changes == receipt.changes
        # A journal that ends in "save" holds nothing unsaved.
        did = receipt.did if nothing_since else replace(receipt.did, name="save of earlier steps")
        self._saved_at = self._changes + 1 if nothing_since else -1
        return self._noted(did)

    def analysing(self) -> Callable[[], Analysis]:
        """Work for another thread: every number of the mask as it is now, densities too, as the command line has it."""
        labels, state = outlines(self._labels, self._state), self._state
        return lambda: analyse_mask(state.image, labels, state.recipe)

    def resume(self, folder: Path) -> bool:
        """Go on with what is saved of this film in a folder; false when nothing is.

        A mask that was changed by another program since is loaded as it is, and no longer counts as signed.

        Raises
        ------
        EditRefused
            When this session has work of its own already.
        MaskError
            When the saved mask or its record cannot be read, or was made on another file.
        """
        if self.did or not self.is_saved:
            raise EditRefused("this film was edited already: close it and open it again to go on with the saved mask")
        saved = saved_in(folder, name_in(folder, self.source))
        if saved is None:
            check_readable(folder, self.source.name)
            return False
        check_of(saved, self.source, self.image.shape)
        labels = read_labels(saved.mask, self.image.shape) if saved.has_mask else Labels.empty(self.image.shape)
        self._take(saved, labels)
        return True

    def _take(self, saved: Saved, labels: Labels) -> None:
        """The saved mask, and all that was known beside it."""
        untouched = saved.is_untouched
        try:
            state = Codec(self.stated).state_from_json(saved.facts["state"], self._blank)
            state = replace(state, authorship=labels.authorship)
            did = [did_from_json(told) for told in saved.facts["steps"]]
            signature = saved.signature
        except UNBELIEVABLE as error:
            raise MaskError(f"the record beside {saved.mask.name} is damaged: load it as a mask instead") from error
        self.did, self.signature = did, signature if untouched else None
        self._base = Base(sha256_of(saved.mask) if saved.has_mask else "", signature)
        self._stand(labels.array, state)
        self._tell(Event("open", "restore", _everywhere(self._labels), frozenset(self._live.rows)))

    def sign(self, initials: str) -> Event:
        """Lock the mask under a reader's initials until it is reopened.

        Raises
        ------
        EditRefused
            When nothing is outlined and nobody said that there is nothing (`deny`).
        """
        self._check_open()
        if not self._live.rows and self.negative is None:
            raise EditRefused("nothing is outlined: say No calcium on this film, if that is what you saw")
        self.initials = initials_of(initials)
        self.signature = Signature(self.initials, now())
        return self._noted(self._did("sign"))

    def reopen(self, reason: str, initials: str) -> Event:
        """Unlock a signed mask; the reason is kept.

        Raises
        ------
        EditRefused
            When it is not signed, or no reason is given.
        """
        self._check_decided()
        if self.signature is None:
            raise EditRefused("this mask is not signed: it can be edited")
        if not (why := " ".join(reason.split())[:500]):
            raise EditRefused("say in a few words why the signed mask is reopened")
        self.initials = initials_of(initials)
        self.signature = None
        return self._noted(self._did("reopen", why=why))

    def close(self, *, discard: bool = False) -> str:
        """Give the journal back; unsaved work stays in it, unless it shall be thrown away.

        Gives why it could not be kept, or not be thrown away; nothing when all went well.
        """
        journal, self._journal = self._journal, None
        return journal.close(remove=self.is_saved or discard) if journal else ""

    # --- one step ---------------------------------------------------------------------------------------

    def _do(self, name: str, parts: Sequence[edits.Part] = (), state: State | None = None, **how: Any) -> Event:
        """One named step: the windows are laid into the mask and the state is exchanged."""
        self._check_open()
        return self._done(name, changed(self._labels, parts), state or self._state, How(**how))

    def _done(self, name: str, patch: Patch, after: State, how: How) -> Event:
        before = self._state
        if not patch.pixels and after is before:
            return self._tell(Event(name, clipped=how.clipped))
        rows = dict(self._live.rows)
        numbers = self._put(patch, after, None if how.measured is None else _rows(how.measured))
        if patch.pixels:
            self._state = self._tidied(after)
        both = (rows, dict(self._live.rows)) if len(numbers) > _MANY else None
        step = Step(name, patch, before, self._state, both)
        if how.joins and self._may_join(name):
            return self._finish(step, "join", numbers, how.clipped, self.history.join(step, self._labels))
        self.history.add(step)
        return self._finish(step, "do", numbers, how.clipped)

    def _may_join(self, name: str) -> bool:
        """Whether the newest line of what was done is a step of this name that undo would take back."""
        return bool(self.did) and self.did[-1] is self._joinable and self.history.undo_name == name

    def _go(self, step: Step, how: str) -> Event:
        """A step of the history, there or back."""
        numbers = self._put(step.patch, step.after, step.rows and step.rows[1])
        return self._finish(step, how, numbers)

    def _put(self, patch: Patch, after: State, rows: Mapping[int, Deposit] | None = None) -> frozenset[int]:
        """Exchange mask and state and bring the numbers up to date; gives the deposits measured again.

        `rows` are all numbers of the mask after it, where they are known.
        """
        before, self._state = self._state, after
        self._rows = self._total = None
        patch.apply(self._labels)
        settings = after.recipe.measure
        if rows is not None:
            self._live.rows = dict(rows)
            return frozenset(rows)
        if after.image is not before.image or settings != before.recipe.measure:
            return self._live.renew(self._labels, after.image, settings)
        return self._live.update(self._labels, after.image, settings, patch)

    def _finish(
        self, step: Step, how: str, numbers: frozenset[int], clipped: bool = False, whole: Step | None = None
    ) -> Event:
        """Log the step, write it down before the next begins, and tell everybody; `whole` is what it went into."""
        told = "do" if whole else how
        did = self._did(step.name, told, (whole or step).patch)
        self.did[len(self.did) - bool(whole) :] = [did]
        self._joinable = did if told == "do" else None
        self._changes += 1
        trouble = self._journal.step(step, how, did) if self._journal else self._unkept
        box = step.patch.box(self._labels.shape[1])
        where = None if box is None else (slice(box[0], box[2]), slice(box[1], box[3]))
        return self._tell(Event(step.name, told, where, numbers, clipped, trouble))

    def _did(self, name: str, how: str = "do", patch: Patch | None = None, why: str = "") -> Did:
        numbers = tuple(sorted(patch.numbers)[:50]) if patch else ()
        return Did(now(), self.initials, name, how, numbers, patch.pixels if patch else 0, why)

    def _tidied(self, state: State) -> State:
        """The state without numbers that are no longer in use."""
        return state.only(self._live.rows.keys())

    def _draw(
        self,
        parts: Sequence[edits.Part],
        name: str,
        state: State | None = None,
        *,
        told: Authorship | None = None,
        measured: Measurement | None = None,
    ) -> Event:
        """A step by hand, inside the region of interest only; the deposits it touches are a person's from now on."""
        self._check_open()
        patch = changed(self._labels, [(where, self._clipped(where, values)) for where, values in parts])
        state = (state or self._state).seen_by_person(patch.numbers)
        if told is not None:
            state = replace(state, authorship=told)
        clipped = self.region is not None and changed(self._labels, parts).pixels > patch.pixels
        return self._done(name, patch, state if patch.pixels else self._state, How(measured, clipped))

    def _erase(self, numbers: Collection[int], name: str, state: State) -> Event:
        return self._do(name, edits.renumbered(self._labels, self._live.rows, self._known(numbers), 0), state)

    def _clipped(self, where: Where, values: Array) -> Array:
        return values if self.region is None else np.where(self.region[where], values, self._labels[where])

    def _noted(self, did: Did) -> Event:
        """Something that is no step: saving, signing, reopening."""
        self.did.append(did)
        self._changes += 1
        trouble = self._journal.note(did, self.signature, self._base) if self._journal else self._unkept
        return self._tell(Event(did.name, trouble=trouble))

    def _tell(self, event: Event) -> Event:
        for listener in tuple(self._listeners):
            listener(event)
        return event

    # --- findings beside what a person did --------------------------------------------------------------

    @property
    def _is_touched(self) -> bool:
        """Whether a person made, changed or refused anything that a new segmentation must respect."""
        return bool(self._state.by_hand or self._state.deleted or self._rejected)

    @property
    def _rejected(self) -> tuple[Held, ...]:
        return tuple(held for held in self.excluded if held.finding.reason is Reason.REJECTED)

    @property
    def _asked(self) -> Asked:
        """What a thread that works out a new mask must know."""
        touched = self._is_touched
        labels = self._labels.copy() if touched else self._labels[:0]
        rows = dict(self._live.rows) if touched else {}
        numbers = edits.Numbers(dict(self._numbers), self.next_label)
        return Asked(self._state, self._changes, labels, rows, self._rejected, numbers)

    def _recipe_of(self, result: Proposal) -> Recipe:
        """The present settings, but those that a proposal was made for to try."""
        return self.recipe if result.recipe is result.asked.state.recipe else result.recipe

    def _sift(self, settings: SegmentSettings, name: str, joins: bool = False) -> Event:
        """Other settings for findings that are there already; the networks do not run."""
        self._check_open()
        recipe = self.recipe if settings == self.recipe.segment else replace(self.recipe, segment=settings)
        if self._findings is None:
            return self._do(name, state=replace(self._state, recipe=recipe), joins=joins)
        self._findings = self._findings.under(settings)
        found = self._findings.segmentation(settings, self._state.searched)
        return self._lay(found, None, name, recipe, joins=joins)

    def _lay(
        self,
        found: Segmentation,
        laid: Laid | None,
        name: str,
        recipe: Recipe | None = None,
        *,
        joins: bool = False,
    ) -> Event:
        """What was found into the mask; `laid` is what this makes of it, where a thread worked it out."""
        self._check_shape(found.labels.array, "segmentation")
        recipe, dropped = recipe or self.recipe, self._dropped(found)
        laid = laid or _laid(found, self._asked, recipe)
        alone = is_automatic(self.image, found, recipe)
        state = replace(
            self._state,
            recipe=recipe,
            excluded=_sorted((*dropped, *self._rejected)),
            warnings=found.warnings,
            authorship=self._searched_by(laid, dropped, Author.NETWORKS if alone else Author.PROGRAM),
            was_searched=True,
        )
        parts = [(_everywhere(self._labels), laid.mask)]
        event = self._do(name, parts, state, measured=laid.measurement, joins=joins)
        self._remember_numbers()
        return event

    def _remember_numbers(self) -> None:
        """What the sliders drop and bring back has the number that it had."""
        for number, row in self._live.rows.items():
            if number not in self._state.by_hand:
                self._numbers[edits.fingerprint(self._labels, number, edits.window_of(row))] = number

    def _searched_by(self, laid: Laid, dropped: Iterable[Held], program: Author) -> Authorship:
        """Who drew the outlines after a search: what a person made is still theirs, who has looked the film over."""
        before, mine = self._state.authorship, self._state.by_hand
        numbers = [row.label for row in laid.measurement.deposits]
        authors = {n: before.of(n) if n in mine else program for n in numbers}
        film = before.film if before.film is Author.PERSON else program
        passed = passed_over(held.finding for held in dropped) if program is Author.NETWORKS else 0.0
        return Authorship(film, authors, laid.doubts, passed)

    def _dropped(self, found: Segmentation) -> tuple[Held, ...]:
        """What was found and is not counted, with its pixels; not what a person made a deposit of."""
        seen, mine = self._findings, self._state.by_hand
        fresh = (one for one in found.excluded if self._labels[one.row, one.column] not in mine)
        return tuple(Held(one, seen.pixels_of(one) if seen else None) for one in fresh)

    # --- checks -----------------------------------------------------------------------------------------

    def _check_decided(self) -> None:
        if self.offered:
            raise EditRefused("unsaved work of this film waits: restore it, or start afresh, before you go on")

    def _check_open(self) -> None:
        self._check_decided()
        if self.signature:
            raise EditRefused(f"this mask is signed by {self.signature.initials}: reopen it with a reason to edit it")

    def _check_shape(self, array: np.ndarray[Any, Any], what: str) -> None:
        if array.shape != self._labels.shape:
            raise MaskError(
                f"the {what} has {array.shape} pixels and the image {self._labels.shape}: use the one made for it"
            )

    def _checked(self, where: Where, values: Array) -> edits.Part:
        """A window from outside, as plain numbers in plain slices."""
        rows, columns = (slice(*part.indices(size)) for part, size in zip(where, self._labels.shape, strict=True))
        values = np.asarray(values)
        if values.shape != self._labels[rows, columns].shape or values.dtype.kind not in "iub":
            raise MaskError("the drawn window does not fit the mask: draw again")
        if values.size and (int(values.min()) < 0 or int(values.max()) >= 2**31):
            raise MaskError("a deposit's number is from 1 to 2147483647: choose a smaller label")
        return (rows, columns), values.astype(np.int32, copy=False)

    def _known(self, numbers: Collection[int]) -> list[int]:
        known = sorted({int(number) for number in numbers})
        if missing := [number for number in known if number not in self._live.rows]:
            raise EditRefused(f"there is no deposit {missing[0]}: choose one from the table")
        if not known:
            raise EditRefused("no deposit is chosen: click one first")
        return known

    def _held(self, number: int, reason: Reason) -> Held:
        return self._state.known_of(edits.pixels_of(self._labels, self._live.rows[number], reason))


def _proposal(findings: Findings | Proposed, asked: Asked, recipe: Recipe) -> Proposal:
    found = findings.segmentation(recipe.segment, asked.state.searched)
    return Proposal(findings, found, _laid(found, asked, recipe), asked, recipe)


def _laid(found: Segmentation, asked: Asked, recipe: Recipe) -> Laid:
    mask, state = _beside(found, asked), asked.state
    measured = measure(state.image, Labels(mask), settings=recipe.measure)
    mine = state.by_hand
    fresh = [row for row in measured.deposits if row.label not in mine]
    doubts = outline_doubts(state.image, replace(found, labels=Labels(mask)), fresh, recipe)
    return Laid(mask, measured, {n: doubt for n, doubt in state.doubts.items() if n in mine} | doubts)


def _beside(found: Segmentation, asked: Asked) -> Array:
    """The mask that a segmentation makes beside what a person did."""
    state = asked.state
    refused = (*state.deleted, *asked.rejected)
    mine = edits.Mine(asked.labels, asked.rows, state.by_hand, refused, asked.numbers)
    return edits.reconciled(mine, found.labels.array)


def _loaded(path: Path, asked: State) -> Loaded:
    labels = read_labels(path, asked.image.shape)
    numbers = None if asked.region is not None else measure(asked.image, labels, settings=asked.recipe.measure)
    return Loaded(labels, numbers, asked)


def _spacing(given: Spacing | float | None) -> Spacing | None:
    """Mm per pixel from the user as a scale."""
    try:
        return Spacing.of(given, given, SpacingOrigin.USER) if isinstance(given, int | float) else given
    except ValueError as error:
        raise EditRefused(f"{given} mm per pixel is no scale: give a positive number") from error


def _rows(measured: Measurement) -> dict[int, Deposit]:
    return {row.label: row for row in measured.deposits}


def _within(labels: Array, inside: Mask) -> Labels:
    """The mask without what lies outside."""
    return Labels(np.where(inside, labels, np.int32(0)))


def _everywhere(labels: Array) -> Where:
    return slice(0, labels.shape[0]), slice(0, labels.shape[1])


def _sorted(held: Sequence[Held]) -> tuple[Held, ...]:
    return tuple(sorted(held, key=lambda one: (one.finding.row, one.finding.column)))
