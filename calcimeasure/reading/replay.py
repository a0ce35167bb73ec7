"""The steps of a journal done again: to the very same mask, or to all that can still be read of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from calcimeasure.errors import CalcimeasureError, EditRefused
from calcimeasure.reading.codec import Codec, patch_from_json, record_from_json, signature_from_json
from calcimeasure.reading.custody import Unfinished
from calcimeasure.reading.history import History, Step
from calcimeasure.reading.lines import UNBELIEVABLE
from calcimeasure.reading.patch import Array, Patch, changed
from calcimeasure.reading.record import Base, Signature, StepRecord
from calcimeasure.reading.state import State
from calcimeasure.recipe import Recipe

#: Bytes that the lines of a journal may unpack and move together; a day's work stays under a tenth of it.
_MOST_WORK = 4 * 2**30


class Replay:
    """Where a journal leads.

    A line that cannot be read or believed is skipped and counted in `unread`. What comes after it is taken for what
    it left behind, whatever was there before; undo then ends with the restoring, since the way back is not whole.

    Parameters
    ----------
    labels : int32 array
        An empty mask; written here.
    blank : State
        Of a session in which nothing was done.
    history : History
        Empty; gets the steps that can be undone.
    """

    def __init__(self, labels: Array, blank: State, history: History) -> None:
        self.labels, self.history = labels, history
        self._blank = self.state = blank
        self.codec = Codec(blank.image)
        self.log: list[StepRecord] = []
        self.signature: Signature | None = None
        self.base: Base | None = None
        self.unread = 0
        self._work = 0

    def run(self, waiting: Unfinished) -> None:
        """Do every line that can be believed.

        Raises
        ------
        EditRefused
            When none can be.
        """
        try:
            self._blank = self.state = _with_recipe(self._blank, waiting.recipe)
            for line in waiting.lines():
                self._try(line)
        except (OSError, CalcimeasureError, *UNBELIEVABLE) as error:
            raise EditRefused("the journal of the earlier work is damaged: nothing can be restored") from error
        self.unread += self.codec.missing
        if not self.log:
            raise EditRefused("the journal of the earlier work is empty: nothing can be restored")

    @property
    def has_gaps(self) -> bool:
        """Whether anything before the line in hand was lost."""
        return self.codec.has_gaps

    def _try(self, line: Mapping[str, Any] | None) -> None:
        try:
            if line is None:
                raise ValueError("a damaged line")
            act = {"step": self._step, "snapshot": self._snapshot, "note": self._note}[line["kind"]]
            act(line)
        except (CalcimeasureError, *UNBELIEVABLE):
            self.unread += 1
            self.codec.has_gaps = True
            self.history.clear()

    def _step(self, line: Mapping[str, Any]) -> None:
        data = line.get("state", {})
        self._afford(sum(len(getattr(self.state, name)) for name in ("by_hand", "accepted", "doubts") if name in data))
        self._afford(self.labels.size if "region" in data else 0)
        record, patch, how = record_from_json(line["did"]), self._patch(line), line["how"]
        after = self.codec.state_from_json(data, self.state)
        step = Step(str(line["name"])[:100], patch, self.state, after)
        patch.apply(self.labels)
        joined = self._remember(step, how)
        self.state = after
        self.log[len(self.log) - joined :] = [record]

    def _afford(self, values: int) -> None:
        """A short line of a stranger can ask for the work of hours."""
        self._work += 8 * max(values, 0)
        if self._work > _MOST_WORK:
            raise ValueError("more work than anybody does by hand")

    def _remember(self, step: Step, how: str) -> bool:
        """The history as it was: undo moves back in it, redo forward; gives whether the step went into the last."""
        joins = how == "join" and bool(self.log) and self.log[-1].name == step.name
        if self.has_gaps:
            return joins
        if how == "undo":
            if self.history.undo() is None:  # of a step from before a snapshot: the way back ends there
                self.history.clear()
        elif how == "redo":
            self.history.redo()
        elif joins:
            self.history.join(step, self.labels)
        else:
            self.history.add(step)
        return joins

    def _snapshot(self, line: Mapping[str, Any]) -> None:
        """All anew: what was lost before it is in it."""
        codec = Codec(self._blank.image)
        self._afford(self.labels.size)
        patch = patch_from_json(line["patch"], self.labels.size)
        log = [record_from_json(one) for one in line["log"]]
        state, signature, base = codec.state_from_json(line["state"], self._blank), _signature(line), _base(line)
        patch = patch.rebased(np.zeros_like(self.labels))
        self.labels[:] = 0
        patch.apply(self.labels)
        self.codec, self.state, self.log, self.signature, self.base = codec, state, log, signature, base
        self.history.clear()

    def _note(self, line: Mapping[str, Any]) -> None:
        record, signature, base = record_from_json(line["did"]), _signature(line), _base(line)
        self.log.append(record)
        self.signature, self.base = signature, base

    def _patch(self, line: Mapping[str, Any]) -> Patch:
        """The line's change of the mask, which must fit the mask as it is now, where nothing before was lost."""
        if "patch" not in line:
            return changed(self.labels, [])
        self._afford(3 * int(line["patch"]["runs"]))
        patch = patch_from_json(line["patch"], self.labels.size)
        self._afford(patch.pixels if 0 <= patch.pixels <= self.labels.size else self.labels.size)
        if self.has_gaps:
            return patch.rebased(self.labels)
        if not patch.fits(self.labels):
            raise ValueError("a step does not fit the mask")
        return patch


def _with_recipe(state: State, data: Mapping[str, Any]) -> State:
    recipe = Recipe.from_dict(data)
    return state if recipe == state.recipe else replace(state, recipe=recipe)


def _signature(line: Mapping[str, Any]) -> Signature | None:
    return signature_from_json(line["signature"])


def _base(line: Mapping[str, Any]) -> Base | None:
    """The saved mask that the work goes on from; the first format did not tell."""
    data = line.get("base")
    return Base(str(data[0])[:64], signature_from_json(data[1])) if data else None
