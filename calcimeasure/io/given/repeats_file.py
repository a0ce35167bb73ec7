"""A table of repeats, SCANS.csv: which pictures (or areas) were taken of the same state of the same place."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from calcimeasure.errors import TableError
from calcimeasure.io.given.study_file import place_of
from calcimeasure.io.given.user_table import Row, check_lengths, path_cell, positive, rows_of, spacing_mm
from calcimeasure.model.study import Film, Study, Subject, Visit
from calcimeasure.steps.agreement.design import shared_repeats

NEEDED = ("subject",)
COLUMNS = ("subject", "image", "area_mm2", "site", "side", "view", "spacing_mm", "mask", "repeat", "reader")


@dataclass(frozen=True, slots=True)
class Given:
    """One repeat: its film, whose `visit` is the repeat's name, and its area where the table gives that instead.

    The film of a given area has no image.
    """

    film: Film
    area_mm2: float | None = None

    @property
    def group(self) -> tuple[str, str]:
        """Subject and place: rows that agree in both are repeats of each other."""
        return self.film.subject, place_of(self.film)


def read_repeats(path: Path) -> tuple[Given, ...]:
    """The rows of a table of repeats, in its order.

    Rows of one subject, site, side, view and reader are repeats of each other; those without a `repeat` are numbered
    as they come. They pair by these names. Every row has an `image`, or every row an `area_mm2`.

    Raises
    ------
    TableError
        When the file cannot be read, a column is missing, unknown or doubled, a cell is not what it should be (the
        line is named), a repeat stands there twice, or nobody was measured twice.
    """
    rows = rows_of(path, NEEDED, COLUMNS, "table of repeats")
    by_area = not any(row.get("image") for _, row in rows)
    given = [_given(row, f"{path.name}, line {line}", by_area) for line, row in rows]
    named = sum(bool(one.film.visit) for one in given)
    if 0 < named < len(given):
        raise TableError(f"{path.name}: {len(given) - named} of {len(given)} rows have no repeat: name all or none")
    numbered = _numbered(given)
    _check(numbered, path.name)
    _check_design(numbered, path.name)
    return tuple(numbered)


def study_of(given: tuple[Given, ...]) -> Study:
    """The pictures as a study whose visits are the repeats."""
    subjects: dict[str, dict[str, list[Film]]] = {}
    for one in given:
        subjects.setdefault(one.film.subject, {}).setdefault(one.film.visit, []).append(one.film)
    return Study(
        tuple(
            Subject(name, tuple(Visit(repeat, None, tuple(films)) for repeat, films in repeats.items()))
            for name, repeats in subjects.items()
        )
    )


def _given(row: Row, where: str, by_area: bool) -> Given:
    check_lengths(row, ("image", "mask"), where)
    if not row["subject"]:
        raise TableError(f"{where}: the cell 'subject' is empty; every repeat needs one")
    wanted, other = ("area_mm2", "image") if by_area else ("image", "area_mm2")
    if not row.get(wanted):
        raise TableError(f"{where}: the cell {wanted!r} is empty; give an image in every row, or an area in every row")
    if row.get(other):
        raise TableError(f"{where}: has an image and an area_mm2; leave one of the columns away")
    site, side, view, reader = (row.get(name) or None for name in ("site", "side", "view", "reader"))
    image, mask = (path_cell(row.get(name, "")) for name in ("image", "mask"))
    repeat, spacing = row.get("repeat", ""), spacing_mm(row.get("spacing_mm"), where)
    film = Film(row["subject"], repeat, None, image, site, side, view, None, mask or None, reader, spacing)
    return Given(film, positive(row.get("area_mm2"), "area_mm2", "mm2", where, or_zero=True))


def _numbered(given: list[Given]) -> list[Given]:
    """Every repeat with a name: its own, or its number among those of its group where none has one."""
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for one in given:
        seen[one.group] += 1
        name = one.film.visit or str(seen[one.group])
        found.append(replace(one, film=replace(one.film, visit=name)))
    return found


def _check_design(given: list[Given], table: str) -> None:
    """Repeats pair by their names: at least two places share two of them, where there are several places."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in given:
        groups.setdefault(one.group, []).append(one.film.visit)
    several = [names for names in groups.values() if len(names) > 1]
    shared = set(shared_repeats(several))
    if len(several) > 1 and sum(shared <= set(names) for names in several) < 2:
        raise TableError(
            f"{table}: no two places share two repeats, so nothing pairs: give the first repeat of each place one name "
            "and the second another"
        )


def _check(given: list[Given], table: str) -> None:
    doubled = [key for key, count in Counter((*one.group, one.film.visit) for one in given).items() if count > 1]
    if doubled:
        subject, place, repeat = doubled[0]
        raise TableError(
            f"{table} lists repeat {repeat} of {' '.join(filter(None, (subject, place)))} twice: number the repeats"
        )
    images = Counter(one.film.image for one in given if one.film.image)
    if images and max(images.values()) > 1:
        twice = images.most_common(1)[0][0]
        raise TableError(
            f"{table} lists {Path(twice).name} twice: a repeat is another picture, not the same file again"
        )
    if max(Counter(one.group for one in given).values()) < 2:
        raise TableError(
            f"{table} has one row for each subject and place: give at least two repeats, under the same subject, site, "
            "side, view and reader"
        )
