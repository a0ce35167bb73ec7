"""What one image left behind, as one line of the journal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """All that one image left behind: its row, its deposits' rows, its dropped findings and a thumbnail.

    `thumbnail` is a base64 JPEG for the report. `key` tells what the rows were made from and by which
    recipe; a record with another key is measured again. `sd_components` holds, by column, what its
    standard deviation consists of.
    """

    key: str
    row: Mapping[str, Any]
    deposits: Sequence[Mapping[str, Any]] = ()
    excluded: Sequence[Mapping[str, Any]] = ()
    thumbnail: str | None = None
    sd_components: Mapping[str, Any] = field(default_factory=dict)

    @property
    def image(self) -> str:
        """The image that the rows speak of."""
        return str(self.row["image"])

    @property
    def failed(self) -> bool:
        """Whether the image could not be measured."""
        return bool(self.row["status"] == "failed")

    def to_json(self) -> str:
        """One line of the journal."""
        return json.dumps({part.name: getattr(self, part.name) for part in fields(self)})

    @classmethod
    def from_json(cls, line: str) -> Record:
        """The record of a journal line; `ValueError`, `KeyError` or `TypeError` for a torn one."""
        parts = json.loads(line)
        return cls(**{part.name: parts[part.name] for part in fields(cls)})
