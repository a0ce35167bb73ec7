"""The user's table of scales: which row speaks of which film, exactly, or an error that names the line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from calcimeasure.errors import TableError
from calcimeasure.io.given.inputs import Input
from calcimeasure.io.given.user_table import path_cell, positive, rows_of, spacing_mm

_NEEDED = ("image", "spacing_mm")
_KNOWN = (*_NEEDED, "spacing_sd_percent")


@dataclass(frozen=True, slots=True)
class GivenSpacing:
    """A row: a film's path or its end, its mm per pixel, and the user's own error of that in percent."""

    line: int
    image: str
    mm: float
    sd_percent: float | None = None


@dataclass(frozen=True, slots=True)
class SpacingTable:
    """All rows of a table of scales, as it is called."""

    name: str
    rows: tuple[GivenSpacing, ...]

    def by_image(self, films: Sequence[Input]) -> dict[str, GivenSpacing]:
        """The row of every film that has one.

        A row names a film by its path as our tables write it, or else by the end of its path, whole folder names long.

        Raises
        ------
        TableError
            For a row that fits no film, or several, and for a film that several rows fit; the lines are named.
        """
        by_image = {film.image: film for film in films}
        by_ends = _by_ends(films)
        found: dict[str, GivenSpacing] = {}
        for row in self.rows:
            exact = by_image.get(row.image)
            film = self._only(row, [exact] if exact else by_ends.get(row.image, []), films)
            if (before := found.setdefault(film.image, row)) is not row:
                raise TableError(
                    f"{self.name}, lines {before.line} and {row.line}: both speak of {film.image!r} "
                    f"({before.mm:g} and {row.mm:g} mm): remove one"
                )
        return found

    def _only(self, row: GivenSpacing, fits: Sequence[Input], films: Sequence[Input]) -> Input:
        where = f"{self.name}, line {row.line}: {row.image!r}"
        if len(fits) > 1:
            told = " and ".join(repr(film.image) for film in fits[:2])
            raise TableError(f"{where} fits {len(fits)} films, such as {told}: give more of the path")
        if not fits:
            names = [film.image for film in films]
            near = get_close_matches(row.image, names + [PurePosixPath(name).name for name in names], 1, 0.7)
            told = f"did you mean {near[0]!r}?" if near else "name films by their paths"
            raise TableError(f"{where} is none of the {len(films)} films (letter case counts): {told}")
        return fits[0]


def read_spacings(path: Path) -> SpacingTable:
    """The scales in a CSV with the columns ``image,spacing_mm`` and perhaps ``spacing_sd_percent``.

    Raises
    ------
    TableError
        When the file cannot be read, a column is missing or unknown, or a cell is not what it should be (the line is
        named).
    """
    rows = rows_of(path, _NEEDED, _KNOWN, "spacing table")
    return SpacingTable(path.name, tuple(_given(line, row, f"{path.name}, line {line}") for line, row in rows))


def _given(line: int, row: Mapping[str, str], where: str) -> GivenSpacing:
    mm = spacing_mm(row["spacing_mm"], where)
    if mm is None or not row["image"]:
        raise TableError(f"{where}: every row needs an image and a spacing_mm")
    percent = positive(row.get("spacing_sd_percent"), "spacing_sd_percent", "percent", where)
    return GivenSpacing(line, path_cell(row["image"]), mm, percent)


def _by_ends(films: Iterable[Input]) -> dict[str, list[Input]]:
    """Films by every end of their paths, whole names long, and by the whole."""
    found: dict[str, list[Input]] = {}
    for film in films:
        path = PurePosixPath(film.path.absolute().as_posix())
        ends = {"/".join(path.parts[-count:]) for count in range(1, len(path.parts))}
        for end in {*ends, str(path), *_ends_of(film.image)}:
            found.setdefault(end, []).append(film)
    return found


def _ends_of(image: str) -> set[str]:
    parts = PurePosixPath(image).parts
    return {"/".join(parts[-count:]) for count in range(1, len(parts) + 1)}
