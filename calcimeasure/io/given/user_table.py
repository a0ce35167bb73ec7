"""A table that a user typed: its rows with their line numbers, its columns checked, its cells stripped."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from calcimeasure.errors import TableError

Row = Mapping[str, str]

_MOST_BYTES = 50_000_000
_LONGEST_CELL, _LONGEST_PATH = 200, 4096


def rows_of(path: Path, needed: Sequence[str], known: Sequence[str], what: str) -> list[tuple[int, Row]]:
    """Line number and cells by column of every row that is not empty.

    Parameters
    ----------
    path : Path
    needed, known : sequence of str
        Columns that must be there, and all that may be.
    what : str
        How messages call such a table, as in ``"study file"``.

    Raises
    ------
    TableError
        When the file cannot be read, has no row, or a column is missing, unknown or doubled; the line is named.
    """
    rows = [(line, row) for line, row in _read(path, needed, known, what) if any(row.values())]
    if not rows:
        raise TableError(f"{path.name} has no row: add a line for each film")
    return rows


def check_lengths(row: Row, paths: Sequence[str], where: str) -> None:
    """That every cell can stand in a table of a report; those of paths may be longer.

    Raises
    ------
    TableError
        For one that cannot; `where` names the line.
    """
    for name, text in row.items():
        if len(text) > (_LONGEST_PATH if name in paths else _LONGEST_CELL):
            raise TableError(f"{where}: the cell {name!r} has {len(text)} characters: shorten it")


def positive(text: str | None, column: str, unit: str, where: str, *, or_zero: bool = False) -> float | None:
    """The positive number in a cell, or 0 where that is allowed; `None` for an empty one.

    Raises
    ------
    TableError
        For anything else; `where` names the line.
    """
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and (value > 0 or (or_zero and value == 0))):
        what = "a number of at least 0" if or_zero else "a positive number of"
        raise TableError(f"{where}: {column} must be {what} {unit}, got {text!r}")
    return value


def _read(path: Path, needed: Sequence[str], known: Sequence[str], what: str) -> Iterator[tuple[int, Row]]:
    table = csv.reader(io.StringIO(_text(path, what), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(table, [])]
        _check_header(header, path.name, needed, known)
        for cells in table:
            if len(cells) > len(header):
                raise TableError(
                    f"{path.name}, line {table.line_num}: {len(cells)} cells under {len(header)} columns; "
                    "put text that holds a comma in quotes"
                )
            padded = [cell.strip() for cell in cells] + [""] * (len(header) - len(cells))
            yield table.line_num, dict(zip(header, padded, strict=True))
    except csv.Error as error:
        raise TableError(f"{path.name}, line {table.line_num}: {error}; save it as CSV again") from error


def _text(path: Path, what: str) -> str:
    try:
        if not path.is_file():
            raise TableError(f"there is no {what} {path.name!r}: check the spelling")
        if path.stat().st_size > _MOST_BYTES:
            raise TableError(f"{path.name} is too large for a {what}: one line for each film is enough")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"cannot read {path.name} ({type(error).__name__}): save it as CSV in UTF-8") from error


def _check_header(header: list[str], table: str, needed: Sequence[str], known: Sequence[str]) -> None:
    missing = [name for name in needed if name not in header]
    if missing:
        hint = "; its cells must be separated by commas" if len(header) == 1 and header != ["subject"] else ""
        raise TableError(f"{table} lacks the column {', '.join(missing)}: needed are {', '.join(needed)}{hint}")
    for name, count in Counter(header).items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            told = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise TableError(f"{table} has an unknown column {name!r}: rename or remove it; {told}")
        if count > 1:
            raise TableError(f"{table} has the column {name!r} {count} times: keep one")
