"""A trial's own table, STUDY.csv, as a study: which film was taken of whom, when, and of what."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path

from calcimeasure.errors import TableError
from calcimeasure.io.given.inputs import Input
from calcimeasure.io.given.study_checks import check_study
from calcimeasure.io.given.user_table import Row, check_lengths, path_cell, rows_of, spacing_mm
from calcimeasure.model.study import Film, Study, Subject, Visit, VisitOrder

#: Columns that a study file must have; those of `COLUMNS` beyond them may be left out.
NEEDED = ("subject", "visit", "date", "image")
COLUMNS = tuple(field.name for field in fields(Film))
_LONGEST_NAME = 80
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: Nobody took a film before Roentgen; dates that were shifted for privacy may lie ahead, but not so far.
_YEARS = 1896, 2200


def read_study(path: Path) -> Study:
    """The study in a CSV file, subjects in its order, the visits of each earliest first.

    Image and mask paths stay as written: `films_of` finds them, relative to the study file. Dates are ISO (2025-01-31);
    an empty date is allowed when no visit of that subject has one (visits then keep the file's order, and the report
    says so).

    Raises
    ------
    TableError
        When the file cannot be read, a column is missing, unknown or doubled, a cell is not what it should be (the
        line is named), a film is listed twice, or rows contradict each other (`study_checks`).
    """
    rows = rows_of(path, NEEDED, COLUMNS, "study file")
    lines = [(line, _film(row, f"{path.name}, line {line}")) for line, row in rows]
    check_study(lines, path.name)
    films = [film for _, film in lines]
    _check_doubles(films, path.name)
    by_subject: dict[str, list[Film]] = {}
    for film in films:
        by_subject.setdefault(film.subject, []).append(film)
    return Study(tuple(_subject(name, mine, path.name) for name, mine in by_subject.items()))


@dataclass(frozen=True, slots=True)
class Source:
    """A film of a study, where it lies, and the label image that the study file names for it."""

    film: Film
    item: Input
    mask: Path | None = None


def films_of(study: Study, home: Path) -> dict[str, Source]:
    """Every film of a study with where it lies, by NAME: subject/visit, then site-side-view-reader where told.

    Parameters
    ----------
    study : Study
    home : Path
        Folder of the study file: relative paths begin there.
    """
    found: dict[str, Source] = {}
    taken: Counter[str] = Counter()
    for film in (film for subject in study.subjects for visit in subject.visits for film in visit.films):
        name = _free(film_name(film), taken)
        found[name] = Source(film, Input(home / film.image, name, name), home / film.mask if film.mask else None)
    return found


def film_name(film: Film) -> str:
    """Subject/visit/site-side-view-reader as a relative path that no file system minds."""
    place = place_of(film)
    parts = (film.subject, film.visit, place) if place else (film.subject, film.visit)
    return "/".join(_harmless(part) for part in parts)


def place_of(film: Film) -> str:
    """Site, side, view and reader in one word; empty when the study file tells none."""
    return "-".join(part for part in (film.site, film.side, film.view, film.reader) if part)


def _harmless(text: str) -> str:
    """Letters, digits, dot, hyphen and underscore; nothing that climbs out of a folder."""
    return re.sub(r"[^\w.\-]+", "_", text).strip("._")[:_LONGEST_NAME] or "_"


def _free(name: str, taken: Counter[str]) -> str:
    """The name, with a number behind it when another film took it; letter case does not tell two names apart."""
    taken[name.casefold()] += 1
    if taken[name.casefold()] == 1:
        return name
    return _free(f"{name}~{taken[name.casefold()]}", taken)


def _film(row: Row, where: str) -> Film:
    check_lengths(row, ("image", "mask"), where)
    for name in ("subject", "visit", "image"):
        if not row[name]:
            raise TableError(f"{where}: the cell {name!r} is empty; every film needs one")
    told = {name: row.get(name) or None for name in COLUMNS}
    dates = {name: _date(told[name], name, where) for name in ("date", "treatment_start")}
    paths = {name: path_cell(row.get(name, "")) or None for name in ("image", "mask")}
    words = {name: text for name, text in told.items() if name not in (*dates, *paths, "spacing_mm")}
    spacing = spacing_mm(told["spacing_mm"], where)
    return Film(**words, **paths, **dates, spacing_mm=spacing)  # type: ignore[arg-type]


def _date(text: str | None, column: str, where: str) -> datetime.date | None:
    if text is None:
        return None
    try:
        day = datetime.date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not _YEARS[0] <= day.year <= _YEARS[1]:
        raise TableError(f"{where}: {column} must be a date like 2025-01-31, got {text!r}")
    return day


def _check_doubles(films: list[Film], table: str) -> None:
    """A film is told from another by subject, visit, site, side, view and reader."""
    keys = Counter((f.subject, f.visit, f.site, f.side, f.view, f.reader) for f in films)
    for key, count in keys.items():
        if count > 1:
            told = ", ".join(part for part in key if part)
            raise TableError(
                f"{table} lists {count} films of {told}: tell them apart by site, side, view or reader, or remove one"
            )


def _subject(name: str, films: list[Film], table: str) -> Subject:
    by_visit: dict[str, list[Film]] = {}
    for film in films:
        by_visit.setdefault(film.visit, []).append(film)
    visits = [Visit(visit, _first_day(mine), tuple(mine)) for visit, mine in by_visit.items()]
    starts = {film.treatment_start for film in films} - {None}
    if len(starts) > 1:
        raise TableError(f"{table}: subject {name} has {len(starts)} different treatment_start dates; give one")
    in_time = _in_time(visits, name, table)
    return Subject(name, in_time, next(iter(starts), None), _order_of(visits, in_time))


def _order_of(listed: list[Visit], in_time: tuple[Visit, ...]) -> VisitOrder:
    if listed[0].date is None:
        return VisitOrder.UNDATED_TABLE
    return VisitOrder.DATED if tuple(listed) == in_time else VisitOrder.DATED_AGAINST_TABLE


def _first_day(films: list[Film]) -> datetime.date | None:
    return min((film.date for film in films if film.date), default=None)


def _in_time(visits: list[Visit], subject: str, table: str) -> tuple[Visit, ...]:
    dated = [visit for visit in visits if visit.date]
    if not dated:
        return tuple(visits)
    if len(dated) < len(visits):
        raise TableError(f"{table}: some visits of subject {subject} have a date and some none; give all or none")
    return tuple(sorted(visits, key=lambda visit: visit.date or datetime.date.min))
