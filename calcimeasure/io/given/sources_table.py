"""The user's table of where films come from: one column names the image, the other its source."""

from __future__ import annotations

from pathlib import Path

from calcimeasure.errors import TableError
from calcimeasure.io.given.user_table import check_lengths, rows_of

_COLUMNS = ("image", "source")


def read_sources(path: Path) -> dict[str, str]:
    """Source by image, as images.csv names it: columns ``image, source``.

    Raises
    ------
    TableError
        When the file cannot be read, a column is missing or unknown, a cell is empty, or an image stands there twice.
    """
    found: dict[str, str] = {}
    for line, row in rows_of(path, _COLUMNS, _COLUMNS, "table of sources"):
        where = f"{path.name}, line {line}"
        check_lengths(row, ("image",), where)
        for name in _COLUMNS:
            if not row[name]:
                raise TableError(f"{where}: the cell {name!r} is empty; every image needs a source")
        if row["image"] in found:
            raise TableError(f"{where}: {row['image']} stands there twice; give it one source")
        found[row["image"]] = row["source"]
    return found
