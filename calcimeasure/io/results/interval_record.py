"""What the comparison of two visits left behind, as one line of a journal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from calcimeasure.io.results.json_values import value_of
from calcimeasure.model.study import FilmPair
from calcimeasure.model.warning import Remark


@dataclass(frozen=True, slots=True)
class IntervalRecord:
    """One subject from one visit to another: every pair of films, and the films without a partner.

    `key` tells what the comparison was made from; a record with another key is made again. `error` is why the
    comparison failed, empty when it did not. `files` are the pictures by their names in the results folder, on their
    way from the worker to the one who writes them; the journal does not keep them.
    """

    key: str
    name: str
    pairs: tuple[FilmPair, ...] = ()
    alone: tuple[Remark, ...] = ()
    error: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict, compare=False, repr=False)

    def kept(self) -> IntervalRecord:
        """The record without its files, once they are written."""
        return replace(self, files={})

    def failing(self, error: str) -> IntervalRecord:
        """The record of the same interval, failed for this reason."""
        return IntervalRecord(self.key, self.name, (), self.alone, " ".join(error.split()))

    def to_json(self) -> str:
        """One line of the journal."""
        told = asdict(self.kept())
        del told["files"]
        return json.dumps(told)

    @classmethod
    def from_json(cls, line: str) -> IntervalRecord:
        """The record of a journal line; `ValueError`, `KeyError` or `TypeError` for a torn one."""
        record: IntervalRecord = value_of(cls, {**json.loads(line), "files": {}})
        return record
