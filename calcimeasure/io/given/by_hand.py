"""What a person says of pairs of films, as tables: matches of deposits, and landmarks."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from calcimeasure.errors import TableError
from calcimeasure.io.files import write_whole
from calcimeasure.io.given.user_table import number, path_cell, rows_of
from calcimeasure.model.study import A_READER, Link

#: NAMEs of the baseline and of the follow-up film; both empty speaks of the only pair there is.
Names = tuple[str, str]
Landmark = tuple[tuple[float, float], tuple[float, float]]

_POINT = ("baseline_row", "baseline_column", "followup_row", "followup_column")
_LABELS = ("baseline_labels", "followup_labels")
_NAMES = ("baseline_name", "followup_name")
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class ByHand:
    """Matches and landmarks by pair of films."""

    overrides: Mapping[Names, tuple[Link, ...]] = field(default_factory=dict)
    landmarks: Mapping[Names, tuple[Landmark, ...]] = field(default_factory=dict)

    def links_of(self, names: Names) -> tuple[Link, ...]:
        """The matches by hand of a pair of films."""
        return self.overrides.get(names, self.overrides.get(("", ""), ()))

    def landmarks_of(self, names: Names) -> tuple[Landmark, ...] | None:
        """The landmarks of a pair of films, `None` when there are none."""
        return self.landmarks.get(names, self.landmarks.get(("", "")))

    @property
    def names(self) -> set[Names]:
        """The pairs that are spoken of by name."""
        return {*self.overrides, *self.landmarks} - {("", "")}


def read_overrides(path: Path) -> dict[Names, tuple[Link, ...]]:
    """Matches by hand: columns ``baseline_labels, followup_labels`` as deposit_changes.csv has them.

    Several labels of a cell are separated by blanks; an empty cell says that the deposit is not on that film. Optional
    are ``by`` (who says so) and ``baseline_name, followup_name``, needed when more than one pair is compared.

    Raises
    ------
    TableError
        When the file cannot be read, a column is missing or unknown, or a label is no number.
    """
    found: dict[Names, list[Link]] = {}
    for line, row in rows_of(path, _LABELS, (*_LABELS, *_NAMES, "by"), "table of matches"):
        sides = [_labels(row[name], f"{path.name}, line {line}") for name in _LABELS]
        link = Link(sides[0], sides[1], by=row.get("by") or A_READER)
        found.setdefault(_names(row), []).append(link)
    return {names: tuple(links) for names, links in found.items()}


def write_overrides(path: Path, links: Iterable[Link]) -> None:
    """Write matches by hand of the only pair there is, as `read_overrides` reads them.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow((*_LABELS, "by"))
    table.writerows((*(" ".join(map(str, side)) for side in (one.baseline, one.followup)), one.by) for one in links)
    write_whole(path, text.getvalue())


def read_landmarks(path: Path) -> dict[Names, tuple[Landmark, ...]]:
    """Points that show the same on both films: ``baseline_row, baseline_column, followup_row, followup_column``.

    Native pixels of each film, upright, (0, 0) the centre of the first; at least three per pair. Optional are
    ``baseline_name, followup_name``, needed when more than one pair is compared.

    Raises
    ------
    TableError
        When the file cannot be read, a column is missing or unknown, a cell is no number, or a pair has under three.
    """
    found: dict[Names, list[Landmark]] = {}
    for line, row in rows_of(path, _POINT, (*_POINT, *_NAMES), "table of landmarks"):
        one = [_number(row[name], f"{path.name}, line {line}", name) for name in _POINT]
        found.setdefault(_names(row), []).append(((one[0], one[1]), (one[2], one[3])))
    for points in found.values():
        if len(points) < _FEWEST:
            raise TableError(f"{path.name} has {len(points)} landmarks for a pair of films: give at least {_FEWEST}")
    return {names: tuple(points) for names, points in found.items()}


def _names(row: Mapping[str, str]) -> Names:
    return path_cell(row.get("baseline_name", "")), path_cell(row.get("followup_name", ""))


def _labels(text: str, where: str) -> tuple[int, ...]:
    words = text.split()
    if not all(word.isdecimal() and 0 < int(word) < 2**31 for word in words):
        raise TableError(f"{where}: labels are numbers of the label image separated by blanks, got {text!r}")
    return tuple(int(word) for word in words)


def _number(text: str, where: str, column: str) -> float:
    value = number(text)
    if value is None:
        raise TableError(f"{where}: {column} must be a number of pixels, got {text[:40]!r}")
    return value
