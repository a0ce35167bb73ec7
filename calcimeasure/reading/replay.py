"""The steps of a journal done again, to the very same mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from calcimeasure.errors import CalcimeasureError, EditRefused
from calcimeasure.reading.codec import Codec, did_from_json, patch_from_json
from calcimeasure.reading.history import History, Step
from calcimeasure.reading.journal import UNBELIEVABLE, Pending
from calcimeasure.reading.patch import Array, Patch, changed
from calcimeasure.reading.record import Did, Signature
from calcimeasure.reading.state import State
from calcimeasure.recipe import Recipe


class Replay:
    """Where a journal leads.

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
        self.labels, self.state, self.history = labels, blank, history
        self.codec = Codec(blank.image)
        self.did: list[Did] = []
        self.signature: Signature | None = None
        self.steps = 0

    def run(self, waiting: Pending) -> int:
        """Do every line until one cannot be believed; gives the byte where the last believed one ends.

        Raises
        ------
        EditRefused
            When not even the first can be.
        """
        end = None
        try:
            self.state = _with_recipe(self.state, waiting.recipe)
            for line, place in waiting.lines():
                self._line(line)
                end = place
        except (CalcimeasureError, *UNBELIEVABLE) as error:
            if end is None:
                raise EditRefused("the journal of the earlier work is damaged: nothing can be restored") from error
        if end is None:
            raise EditRefused("the journal of the earlier work is empty: nothing can be restored")
        return end

    def _line(self, line: Mapping[str, Any]) -> None:
        act = {"step": self._step, "snapshot": self._snapshot, "note": self._note}[line["kind"]]
        act(line)

    def _step(self, line: Mapping[str, Any]) -> None:
        did, patch = did_from_json(line["did"]), self._patch(line)
        after = self.codec.state_from_json(line.get("state", {}), self.state)
        step = Step(str(line["name"])[:100], patch, self.state, after)
        patch.apply(self.labels)
        self._remember(step, line["how"])
        self.state = after
        self.did.append(did)
        self.steps += 1

    def _remember(self, step: Step, how: str) -> None:
        """The history as it was: undo moves back in it, redo forward."""
        if how == "undo":
            self.history.undo()
        elif how == "redo":
            self.history.redo()
        else:
            self.history.add(step)

    def _snapshot(self, line: Mapping[str, Any]) -> None:
        patch, did = self._patch(line), [did_from_json(told) for told in line["log"]]
        self.state = self.codec.state_from_json(line["state"], self.state)
        patch.apply(self.labels)
        self.did, self.signature = did, _signature(line)
        self.steps += 1

    def _note(self, line: Mapping[str, Any]) -> None:
        did, signature = did_from_json(line["did"]), _signature(line)
        self.did.append(did)
        self.signature = signature

    def _patch(self, line: Mapping[str, Any]) -> Patch:
        """The line's change of the mask, which must fit the mask as it is now."""
        if "patch" not in line:
            return changed(self.labels, [])
        patch = patch_from_json(line["patch"], self.labels.size)
        if not patch.fits(self.labels):
            raise ValueError("a step does not fit the mask")
        return patch


def _with_recipe(state: State, told: Mapping[str, Any]) -> State:
    recipe = Recipe.from_dict(told)
    return state if recipe == state.recipe else replace(state, recipe=recipe)


def _signature(line: Mapping[str, Any]) -> Signature | None:
    said = line["signature"]
    return Signature(str(said[0])[:6], str(said[1])[:40]) if said else None
