"""A table that a user typed: its rows with their line numbers, its columns checked, its cells as they were meant.

Programs and countries write tables differently. What is one thing however it is written is forgiven here, for every
table alike: byte order marks, UTF-16, semicolons or tabs between cells, a line ``sep=;``, decimal commas, capitals and
blanks in the header, blanks around cells. What could be meant in two ways is refused.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from calcimeasure.errors import TableError
from calcimeasure.model.pixel_size import impossible

Row = Mapping[str, str]

_MOST_BYTES = 50_000_000
_SEPARATORS = ",;\t"
_TOLD_SEPARATOR = re.compile(r"\s*\"?sep=([,;\t])\"?\s*\r?\n")
# A column of numbers ends in its unit; where cells are separated by semicolons, a comma in it is a decimal comma.
_NUMBERS = re.compile(r".*_(mm|mm2|percent|row|column)")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
# 1,234 is a thousand and more in one country and one and a bit in another.
_TWO_MEANINGS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_LONGEST_NUMBER = 40
_LONGEST_CELL, _LONGEST_PATH = 200, 4096


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a kind of table.

    Parameters
    ----------
    needed, known : sequence of str
        Those that must be there, and all that may be.
    what : str
        How messages call such a table, as in ``"study file"``.
    """

    needed: Sequence[str]
    known: Sequence[str]
    what: str


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
    rows = [(line, row) for line, row in _read(path, Columns(needed, known, what)) if any(row.values())]
    if not rows:
        raise TableError(f"{path.name} has no row: add a line for each film")
    return rows


def number(text: str) -> float | None:
    """The number in a cell, with a decimal point or comma; `None` for what is none, or could be two."""
    if len(text) <= _LONGEST_NUMBER and _DECIMAL_COMMA.fullmatch(text) and not _TWO_MEANINGS.fullmatch(text):
        text = text.replace(",", ".")
    value = float(text) if len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text) else None
    return value if value is not None and abs(value) != float("inf") else None


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
    value = number(text)
    if value is None or value < 0 or (value == 0 and not or_zero):
        what = "a number of at least 0" if or_zero else "a positive number of"
        raise TableError(f"{where}: {column} must be {what} {unit}, got {text[:_LONGEST_NUMBER]!r}")
    return value


def spacing_mm(text: str | None, where: str) -> float | None:
    """The millimetres per pixel in a cell of the column ``spacing_mm``, `None` for an empty one.

    Raises
    ------
    TableError
        For anything that cannot be the size of a pixel; `where` names the line.
    """
    value = positive(text, "spacing_mm", "millimetres per pixel", where)
    if value is not None and (why := impossible(value, value)):
        raise TableError(f"{where}: spacing_mm of {text} {why}")
    return value


def path_cell(text: str) -> str:
    """A path as a table of any system writes it, with ``/`` and without ``./``; an empty cell stays empty."""
    return str(PurePosixPath(text.replace("\\", "/"))) if text else ""


def _read(path: Path, columns: Columns) -> Iterator[tuple[int, Row]]:
    text, skipped, separator = _body(_text(path, columns.what), columns)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        header = _without_empty_end([_column(name) for name in next(table, [])])
        _check_header(header, path.name, columns)
        for cells in table:
            line = table.line_num + skipped
            if any(cell.strip() for cell in cells[len(header) :]):
                raise TableError(
                    f"{path.name}, line {line}: {len(cells)} cells under {len(header)} columns; "
                    "put text that holds a separator, or a number with a decimal comma, in quotes"
                )
            yield line, _row(header, cells, separator)
    except csv.Error as error:
        raise TableError(f"{path.name}, line {table.line_num + skipped}: {error}; save it as CSV again") from error


def _without_empty_end(header: list[str]) -> list[str]:
    """The header without the nameless columns behind it that spreadsheets leave."""
    while header and not header[-1]:
        header = header[:-1]
    return header


def _row(header: list[str], cells: list[str], separator: str) -> Row:
    padded = [cell.strip() for cell in cells[: len(header)]] + [""] * (len(header) - len(cells))
    row = dict(zip(header, padded, strict=True))
    if separator == ";":
        row |= {
            name: cell.replace(",", ".")
            for name, cell in row.items()
            if _NUMBERS.fullmatch(name) and _DECIMAL_COMMA.fullmatch(cell)
        }
    return row


def _column(name: str) -> str:
    """A column's name as we write it: `` Spacing MM`` is ``spacing_mm``."""
    return re.sub(r"[\s\-]+", "_", name.strip(" \t\ufeff\u200b\xa0").casefold())


def _body(text: str, columns: Columns) -> tuple[str, int, str]:
    """The table without blank lines and a ``sep=`` line before it, how many lines they were, and what separates cells.

    Undeclared, it is the separator that finds the most columns of this kind of table.
    """
    body = text.lstrip("\r\n")
    if declared := _TOLD_SEPARATOR.match(body):
        body = body[declared.end() :]
    skipped = text[: len(text) - len(body)].count("\n")
    first = body[:10_000].splitlines()[:1]

    def found(separator: str) -> int:
        header = next(csv.reader(first, delimiter=separator), [])
        return sum(_column(name) in columns.known for name in header)

    return body, skipped, declared.group(1) if declared else max(_SEPARATORS, key=found)


def _text(path: Path, what: str) -> str:
    try:
        if not path.is_file():
            raise TableError(f"there is no {what} {path.name!r}: check the spelling")
        if path.stat().st_size > _MOST_BYTES:
            raise TableError(f"{path.name} is too large for a {what}: one line for each film is enough")
        stored = path.read_bytes()
        return stored.decode(_encoding(stored))
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"cannot read {path.name} ({type(error).__name__}): save it as CSV in UTF-8") from error


def _encoding(stored: bytes) -> str:
    """By the byte order mark; UTF-16 without one has a NUL in every Latin letter."""
    if stored.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in stored[:2]:
        return "utf-16-be" if stored[:1] == b"\0" else "utf-16-le"
    return "utf-8-sig"


def _check_header(header: list[str], table: str, columns: Columns) -> None:
    missing = [name for name in columns.needed if name not in header]
    if missing:
        raise TableError(f"{table} lacks the column {', '.join(missing)}: needed are {', '.join(columns.needed)}")
    for name, count in Counter(header).items():
        if name not in columns.known:
            near = get_close_matches(name, columns.known, 1)
            told = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(columns.known)}"
            raise TableError(f"{table} has an unknown column {name!r}: rename or remove it; {told}")
        if count > 1:
            raise TableError(f"{table} has the column {name!r} {count} times: keep one")
