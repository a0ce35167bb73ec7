"""What the comparison of two visits left behind, as one line of a journal."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from calcimeasure.io.results.json_values import value_of
from calcimeasure.model.study import FilmPair


@dataclass(frozen=True, slots=True)
class IntervalRecord:
    """One subject from one visit to another: every pair of films, and the films without a partner.

    `key` tells what the comparison was made from; a record with another key is made again. `error` is why the
    comparison failed, empty when it did not.
    """

    key: str
    name: str
    pairs: tuple[FilmPair, ...] = ()
    alone: tuple[str, ...] = ()
    error: str = ""

    def to_json(self) -> str:
        """One line of the journal."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> IntervalRecord:
        """The record of a journal line; `ValueError`, `KeyError` or `TypeError` for a torn one."""
        record: IntervalRecord = value_of(cls, json.loads(line))
        return record
