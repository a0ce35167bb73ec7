"""Looking for deposits: the search, the sliders, the region of interest, and prompts on a photo."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from calcimeasure.errors import EditRefused
from calcimeasure.model.authorship import Author, Authorship, Doubt
from calcimeasure.model.deposit import Deposit, Measurement, Reason, Segmentation
from calcimeasure.model.image import Mask
from calcimeasure.model.labels import Labels
from calcimeasure.reading import edits
from calcimeasure.reading.changes import Changes, Event, everywhere
from calcimeasure.reading.later import Later
from calcimeasure.reading.live import joined
from calcimeasure.reading.patch import Array
from calcimeasure.reading.state import State, Uncounted, in_order
from calcimeasure.recipe import Recipe, is_automatic, outline_doubts
from calcimeasure.steps.measure.area import measure
from calcimeasure.steps.measure.error import passed_over
from calcimeasure.steps.outline import find
from calcimeasure.steps.outline.findings import Findings, Proposed
from calcimeasure.steps.outline.settings import SegmentSettings


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A session as it was when a thread began to work for it.

    `labels` and `rows` are copies, or empty where a new segmentation has nothing of a person's to respect.
    """

    state: State
    labels: Array
    rows: Mapping[int, Deposit]
    rejected: tuple[Uncounted, ...]
    numbers: edits.Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """The mask that a segmentation makes beside what a person did, as it is measured there, and how doubtful it is."""

    mask: Array
    measurement: Measurement
    doubts: Mapping[int, Doubt]


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """A finished segmentation on its way back from the worker thread, and what it would make of the mask."""

    findings: Findings | Proposed
    segmentation: Segmentation
    merged: Merged
    snapshot: Snapshot
    recipe: Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Limited:
    """A region of interest, and the numbers of what lies in it."""

    inside: Mask
    measurement: Measurement


class Finding:
    """What was found, laid beside what a person did.

    Parameters
    ----------
    changes : Changes
        Where each search becomes a step.
    """

    def __init__(self, changes: Changes) -> None:
        self._changes, self._film = changes, changes.film
        self._findings: Findings | Proposed | None = None

    @property
    def has_findings(self) -> bool:
        """Whether the sliders act at once: something was segmented in this session."""
        return self._findings is not None

    @property
    def probability(self) -> np.ndarray[Any, np.dtype[np.float32]] | None:
        """Probability of deposit per pixel, as the method gave it."""
        return self._findings.probability if self._findings else None

    def segmenting(self) -> Later[Proposal]:
        """Look for deposits, in another thread; what a person did stays, and what a person refused stays away."""
        self._changes.check_open()
        snapshot = self._snapshot
        image, recipe = snapshot.state.image, snapshot.state.recipe
        return self._later(lambda: _proposal(find(image, recipe.segment), snapshot, recipe), "segment")

    def sifting(self, *, joins: bool = False, **settings: Any) -> Later[Proposal]:
        """As `segmenting`, for other `SegmentSettings` (``threshold=0.4``) on what was found already: much quicker.

        With `joins` it becomes one step with the one before, where that has the same name: one drag of a slider.

        Raises
        ------
        EditRefused
            When nothing was segmented yet.
        RecipeError
            For a setting out of range.
        """
        self._changes.check_open()
        snapshot, findings = self._snapshot, self._findings
        if findings is None:
            raise EditRefused("press Find deposits first: there is nothing to choose from yet")
        recipe = replace(self._film.recipe, segment=replace(self._film.recipe.segment, **settings))
        name = "threshold" if "threshold" in settings else "smallest size"
        return self._later(lambda: _proposal(findings.under(recipe.segment), snapshot, recipe), name, joins)

    def found(self, result: Segmentation, name: str = "segment") -> Event:
        """Lay what was found beside what a person did; that stays, and what a person refused stays away."""
        return self._merge_in(result, None, name)

    def set_threshold(self, threshold: float, *, joins: bool = False) -> Event:
        """Keep findings whose score reaches the threshold (0-1); at once, where something was segmented."""
        return self._sift(replace(self._film.recipe.segment, threshold=float(threshold)), "threshold", joins)

    def set_min_area_mm2(self, mm2: float, *, joins: bool = False) -> Event:
        """Keep findings of at least so many mm2; at once, where something was segmented."""
        return self._sift(replace(self._film.recipe.segment, min_area_mm2=float(mm2)), "smallest size", joins)

    def set_min_area_px(self, px: int, *, joins: bool = False) -> Event:
        """Keep findings of at least so many pixels; at once, where something was segmented."""
        return self._sift(replace(self._film.recipe.segment, min_area_px=int(px)), "smallest size", joins)

    def prompt(self, **prompt: Any) -> Event:
        """The deposits a person points at on a photo (`segment_photo` with box, lasso or clicks), added to the mask."""
        from calcimeasure.steps.outline.photo import segment_photo

        return self.prompted(segment_photo(self._film.image, **prompt))

    def prompted(self, found: Labels) -> Event:
        """Add what a prompt found, as new deposits, where nothing is counted yet.

        Raises
        ------
        EditRefused
            When all of it is counted already or lies outside the region of interest.
        """
        self._film.check_shape(found.array, "prompt's result")
        free = (found.array > 0) & (self._film.labels == 0) & (True if self._film.region is None else self._film.region)
        if not free.any():
            raise EditRefused("all of it is counted already, or lies outside the region of interest")
        fresh = np.where(free, found.array + (self._film.next_label - 1), self._film.labels)
        return self._changes.draw([(everywhere(self._film.labels), fresh)], "prompt")

    def set_region(self, region: Mask | None) -> Event:
        """Limit segmenting and measuring to a region: what lies outside is cut off; `None` brings it back.

        Raises
        ------
        MaskError
            When it is not as large as the film.
        """
        if region is not None:
            return self._limit(self._inside(region), None)
        unsearched = any(one.finding.reason is Reason.OUTSIDE_REGION and not one.number for one in self._film.excluded)
        labels, state, _ = self._uncut
        parts = [(everywhere(labels), labels)] if self._film.state.cut else []
        event = self._changes.do("region", parts, state)
        if unsearched and self._findings is not None:  # what the search left out because of the region
            return self._sift(self._film.recipe.segment, "region", joins=True)
        return event

    def limiting(self, region: Mask) -> Later[Limited]:
        """As `set_region`, for another thread, with its refusals."""
        self._changes.check_open()
        inside, image, settings = self._inside(region), self._film.image, self._film.recipe.measure
        labels, _, _ = self._uncut
        return Later.of(
            self._changes,
            lambda: Limited(inside, measure(image, _within(labels, inside), settings=settings)),
            lambda result, fresh: self._limit(result.inside, result.measurement if fresh else None),
            lambda _: self.limiting(region),
        )

    def _inside(self, region: Mask) -> Mask:
        self._film.check_shape(region, "region of interest")
        inside = np.asarray(region, bool).copy()
        inside.flags.writeable = False
        return inside

    @property
    def _uncut(self) -> tuple[Array, State, Mapping[int, Uncounted]]:
        """Mask and state without the region of interest: what it cut off is back, as it was, and listed by number."""
        state = self._film.state
        if not state.cut:
            return self._film.labels, state if state.region is None else replace(state, region=None), {}
        refused = {one.number for one in (*state.deleted, *self._film.state.rejected)}
        cut = [one for one in state.cut if one.number not in refused]
        labels, back = edits.restored(self._film.labels, self._film.live.rows, cut, self._film.next_label)
        return (
            labels,
            state.uncut({n: one for n, one in back.items() if n not in self._film.live.rows}),
            back,
        )

    def _limit(self, inside: Mask, measured: Measurement | None) -> Event:
        labels, state, back = self._uncut
        boxes = {number: row.bbox for number, row in self._film.live.rows.items()}
        boxes |= {number: joined(one.finding.bbox, boxes.get(number)) for number, one in back.items()}
        cut = tuple(state.known_of(one) for one in edits.cut_off(labels, boxes, inside))
        left = _within(labels, inside).array
        gone = [one for one in cut if not (left[edits.within(boxes[one.number])] == one.number).any()]
        excluded = in_order((*state.excluded, *gone)) if gone else state.excluded
        state = replace(state, region=inside, excluded=excluded, cut=cut)
        return self._changes.do("region", [(everywhere(self._film.labels), left)], state, measured=measured)

    def _later(self, work: Callable[[], Proposal], name: str, joins: bool = False) -> Later[Proposal]:
        def anew(result: Proposal) -> Later[Proposal]:
            """Nothing is searched again: the findings are those of the result."""
            snapshot, recipe = self._snapshot, self._recipe_of(result)
            return self._later(lambda: _proposal(result.findings.under(recipe.segment), snapshot, recipe), name, joins)

        return Later.of(self._changes, work, lambda result, fresh: self._take(result, fresh, name, joins), anew)

    def _take(self, result: Proposal, fresh: bool, name: str, joins: bool) -> Event:
        self._changes.check_open()
        self._findings, recipe = result.findings, self._recipe_of(result)
        if fresh:
            return self._merge_in(result.segmentation, result.merged, name, recipe, joins=joins)
        return self._sift(recipe.segment, name, joins)

    @property
    def _is_touched(self) -> bool:
        """Whether a person made, changed or refused anything that a new segmentation must respect."""
        return bool(self._film.state.by_hand or self._film.state.deleted or self._film.state.rejected)

    @property
    def _snapshot(self) -> Snapshot:
        """What a thread that works out a new mask must know."""
        touched = self._is_touched
        labels = self._film.labels.copy() if touched else self._film.labels[:0]
        rows = dict(self._film.live.rows) if touched else {}
        numbers = edits.Numbers(dict(self._film.known_numbers), self._film.next_label)
        return Snapshot(self._film.state, labels, rows, self._film.state.rejected, numbers)

    def _recipe_of(self, result: Proposal) -> Recipe:
        """The present settings, but those that a proposal was made for to try."""
        return self._film.recipe if result.recipe is result.snapshot.state.recipe else result.recipe

    def _sift(self, settings: SegmentSettings, name: str, joins: bool = False) -> Event:
        """Other settings for findings that are there already; the networks do not run."""
        self._changes.check_open()
        recipe = self._film.recipe
        recipe = recipe if settings == recipe.segment else replace(recipe, segment=settings)
        if self._findings is None:
            return self._changes.do(name, state=replace(self._film.state, recipe=recipe), joins=joins)
        self._findings = self._findings.under(settings)
        found = self._findings.segmentation(settings, self._film.state.searched)
        return self._merge_in(found, None, name, recipe, joins=joins)

    def _merge_in(
        self,
        found: Segmentation,
        merged: Merged | None,
        name: str,
        recipe: Recipe | None = None,
        *,
        joins: bool = False,
    ) -> Event:
        """What was found into the mask; `laid` is what this makes of it, where a thread worked it out."""
        self._film.check_shape(found.labels.array, "segmentation")
        recipe, dropped = recipe or self._film.recipe, self._dropped(found)
        merged = merged or _merged(found, self._snapshot, recipe)
        alone = is_automatic(self._film.image, found, recipe)
        state = replace(
            self._film.state,
            recipe=recipe,
            excluded=in_order((*dropped, *self._film.state.rejected)),
            warnings=found.warnings,
            authorship=self._searched_by(merged, dropped, Author.NETWORKS if alone else Author.PROGRAM),
            was_searched=True,
        )
        parts = [(everywhere(self._film.labels), merged.mask)]
        event = self._changes.do(name, parts, state, measured=merged.measurement, joins=joins)
        self._remember_numbers()
        return event

    def _remember_numbers(self) -> None:
        """What the sliders drop and bring back has the number that it had."""
        for number, row in self._film.live.rows.items():
            if number not in self._film.state.by_hand:
                self._film.known_numbers[edits.fingerprint(self._film.labels, number, edits.window_of(row))] = number

    def _searched_by(self, merged: Merged, dropped: Iterable[Uncounted], program: Author) -> Authorship:
        """Who drew the outlines after a search: what a person made is still theirs, who has looked the film over."""
        before, mine = self._film.state.authorship, self._film.state.by_hand
        numbers = [row.label for row in merged.measurement.deposits]
        authors = {n: before.of(n) if n in mine else program for n in numbers}
        film = before.film if before.film is Author.PERSON else program
        passed = passed_over(one.finding for one in dropped) if program is Author.NETWORKS else 0.0
        return Authorship(film, authors, merged.doubts, passed)

    def _dropped(self, found: Segmentation) -> tuple[Uncounted, ...]:
        """What was found and is not counted, with its pixels; not what a person made a deposit of."""
        seen, mine = self._findings, self._film.state.by_hand
        fresh = (one for one in found.excluded if self._film.labels[one.row, one.column] not in mine)
        return tuple(Uncounted(one, seen.pixels_of(one) if seen else None) for one in fresh)


def _proposal(findings: Findings | Proposed, snapshot: Snapshot, recipe: Recipe) -> Proposal:
    found = findings.segmentation(recipe.segment, snapshot.state.searched)
    return Proposal(findings, found, _merged(found, snapshot, recipe), snapshot, recipe)


def _merged(found: Segmentation, snapshot: Snapshot, recipe: Recipe) -> Merged:
    mask, state = _beside(found, snapshot), snapshot.state
    measured = measure(state.image, Labels(mask), settings=recipe.measure)
    mine = state.by_hand
    fresh = [row for row in measured.deposits if row.label not in mine]
    doubts = outline_doubts(state.image, replace(found, labels=Labels(mask)), fresh, recipe)
    return Merged(mask, measured, {n: doubt for n, doubt in state.doubts.items() if n in mine} | doubts)


def _beside(found: Segmentation, snapshot: Snapshot) -> Array:
    """The mask that a segmentation makes beside what a person did."""
    state = snapshot.state
    refused = (*state.deleted, *snapshot.rejected)
    mine = edits.Mine(snapshot.labels, snapshot.rows, state.by_hand, refused, snapshot.numbers)
    return edits.reconciled(mine, found.labels.array)


def _within(labels: Array, inside: Mask) -> Labels:
    """The mask without what lies outside."""
    return Labels(np.where(inside, labels, np.int32(0)))
