"""What one image left behind, as one line of the journal."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any

from calcimeasure.io.results import columns
from calcimeasure.io.results.masks import SUFFIX
from calcimeasure.model.image import SpacingOrigin
from calcimeasure.model.warning import Remark, remarks_from_json

_SAID_OF_A_FAILED_ONE = ("image", "name", "sha256", "version", "recipe")


@dataclass(frozen=True, slots=True)
class Record:
    """All that one image left behind: its row, its deposits' rows, its dropped findings and a thumbnail.

    `thumbnail` is a base64 JPEG for the report. `key` tells what the rows were made from and by which
    recipe; a record with another key is measured again. `sd_components` holds, by column, what its
    standard deviation consists of. `pixels` is a hash of the picture's values, whatever file they came in; empty in
    records of old. `warnings` are those of the row as values; of a record of old, the row's text as one. `files` are
    the mask and the picture by their names in the results folder, on their way from the worker to the one who writes
    them; the journal does not keep them.
    """

    key: str
    row: Mapping[str, Any]
    deposits: Sequence[Mapping[str, Any]] = ()
    excluded: Sequence[Mapping[str, Any]] = ()
    thumbnail: str | None = None
    sd_components: Mapping[str, Any] = field(default_factory=dict)
    pixels: str = ""
    warnings: tuple[Remark, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict, compare=False, repr=False)

    @property
    def image(self) -> str:
        """The image that the rows speak of."""
        return str(self.row["image"])

    @property
    def failed(self) -> bool:
        """Whether the image could not be measured."""
        return bool(self.row["status"] == "failed")

    @property
    def name(self) -> str:
        """NAME of the image's mask and picture."""
        return str(self.row.get("name", self.image))

    def kept(self) -> Record:
        """The record without its files, once they are written."""
        return replace(self, files={})

    def failing(self, error: str) -> Record:
        """The record of the same image, failed for this reason."""
        said = {name: self.row[name] for name in _SAID_OF_A_FAILED_ONE if name in self.row}
        return Record(self.key, said | {"status": "failed", "error": " ".join(error.split())})

    def to_json(self) -> str:
        """One line of the journal."""
        told = {name: getattr(self, name) for name in _KEPT}
        return json.dumps(told | {"warnings": [one.as_json() for one in self.warnings]})

    @classmethod
    def from_json(cls, line: str) -> Record:
        """The record of a journal line; `ValueError`, `KeyError` or `TypeError` for a torn or strange one."""
        parts = json.loads(line)
        _check_shape(parts)
        warnings = remarks_from_json(parts.get("warnings", parts["row"].get("warnings")))
        kept = {name: parts[name] for name in _KEPT if name not in _SINCE or name in parts}
        return cls(**kept | {"warnings": warnings})


_KEPT = tuple(part.name for part in fields(Record) if part.name != "files")
#: What records of old lack.
_SINCE = ("pixels", "warnings")


def whole_record(line: str) -> Record:
    """The record of a journal line from which tables and report can be made.

    Raises
    ------
    ValueError, KeyError, TypeError
        For a torn or strange one, and for one whose row lacks what a measured image has.
    """
    record = Record.from_json(line)
    if record.failed:
        if not isinstance(record.row["error"], str):
            raise TypeError("a failed record without a reason")
        return record
    if any(record.row[name] is None for name in _ALWAYS) or not record.row.keys() >= _TOLD:
        raise TypeError("no row of a measured image")
    if record.row["spacing_row_mm"] is not None:
        SpacingOrigin(record.row["spacing_origin"])
    base64.b64decode(record.thumbnail or "", validate=True)
    return record


#: What every row of a measured image tells, and what of it is never empty.
_SCALE = ("spacing_row_mm", "spacing_column_mm", "spacing_origin")
_TOLD = frozenset(("kind", "meaning", "side", "view", "contrast_mean", "area_mm2", "area_mm2_sd", *_SCALE))
_ALWAYS = ("name", "deposits", "area_px", "warnings")
_TYPES: dict[str, tuple[type, ...]] = {"text": (str,), "integer": (int,), "number": (int, float)}


def _check_shape(parts: Any) -> None:
    """That the parts of a line are what a record consists of."""
    words = [parts["key"], *(parts["row"][name] for name in ("image", "status", "sha256"))]
    if not all(isinstance(one, str) for one in (*words, parts["thumbnail"] or "", parts.get("pixels", ""))):
        raise TypeError("no record of ours")
    if not isinstance(parts["sd_components"], dict):
        raise TypeError("no record of ours")
    for table, rows in (("images.csv", [parts["row"]]), ("deposits.csv", parts["deposits"])):
        _check_rows(table, rows)
    _check_rows("excluded.csv", parts["excluded"])


def _check_rows(table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    types = _types_of(table)
    for row in rows:
        for name, cell in row.items():
            if cell is not None and (isinstance(cell, bool) or not isinstance(cell, types[name])):
                raise TypeError(f"no {name} of ours")


@cache
def _types_of(table: str) -> dict[str, tuple[type, ...]]:
    return {column.name: _TYPES[column.dtype] for column in columns.EVERY[table]}


def files_of(name: str) -> tuple[str, str]:
    """The mask and the picture of a NAME, relative to the results folder."""
    return f"masks/{name}{SUFFIX}", f"overlays/{name}.png"
