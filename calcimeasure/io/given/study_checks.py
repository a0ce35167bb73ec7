"""What contradicts itself in a study file is refused with its lines; nothing of it is decided in silence."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Iterator

from calcimeasure.errors import TableError
from calcimeasure.model.study import Film, plain_side

#: A film and the line of the table that tells of it.
Line = tuple[int, Film]

#: Pixels of one place differ by less between two visits, unless a scale is in another unit.
_OTHER_UNIT = 8.0


def check_study(lines: list[Line], table: str) -> None:
    """Refuse names that look alike, films of two visits, odd sides, mixed units and visits of one date.

    Raises
    ------
    TableError
        Naming the lines.
    """
    for line, film in lines:
        if film.side and plain_side(film.side) is None:
            raise TableError(f"{table}, line {line}: side must be L, R or both, got {film.side!r}")
    check_look_alikes(lines, table)
    used = [(line, film) for line, film in lines if not film.exclude_reason]
    _check_films(used, table)
    _check_units(used, table)
    _check_dates(lines, table)


def check_look_alikes(lines: list[Line], table: str) -> None:
    """Refuse names that only letter case, accents' spelling, blanks, invisible letters or leading zeros tell apart.

    Raises
    ------
    TableError
        Naming the lines.
    """
    _one_each(lines, table, lambda film: _seen(film.subject), lambda film: film.subject, "subjects")
    _one_each(
        lines, table, lambda film: (film.subject, _seen(film.visit)), lambda film: film.visit, "visits of one subject"
    )


def _one_each(
    lines: list[Line], table: str, key: Callable[[Film], Hashable], name: Callable[[Film], str], what: str
) -> None:
    first: dict[Hashable, Line] = {}
    for line, film in lines:
        before, other = first.setdefault(key(film), (line, film))
        if name(other) != name(film):
            raise TableError(
                f"{table}, lines {before} and {line}: {name(other)!r} and {name(film)!r} look alike and would be two "
                f"{what}: write the name in one way, or make them differ more"
            )


def _seen(name: str) -> str:
    """A name as the eye takes it."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    visible = "".join(letter for letter in plain if unicodedata.category(letter) != "Cf")
    return re.sub(r"\d+", lambda digits: digits[0].lstrip("0") or "0", " ".join(visible.split()))


def _check_films(lines: list[Line], table: str) -> None:
    """A film belongs to one visit of one subject; readers and sites may share it."""
    first: dict[str, Line] = {}
    for line, film in lines:
        before, other = first.setdefault(_path(film.image), (line, film))
        if (other.subject, other.visit) != (film.subject, film.visit):
            raise TableError(
                f"{table}, lines {before} and {line}: {posixpath.basename(_path(film.image))} stands for two visits: a "
                "film belongs to one visit of one subject"
            )


def _path(image: str) -> str:
    return posixpath.normpath(image.replace("\\", "/"))


def _check_units(lines: list[Line], table: str) -> None:
    """Spacings of one place of a subject that only another unit explains."""
    for mine in _by(lines, lambda film: (film.subject, film.site, film.side and plain_side(film.side))):
        known = sorted((film.spacing_mm, line) for line, film in mine if film.spacing_mm is not None)
        if known and known[-1][0] >= _OTHER_UNIT * known[0][0]:
            (small, one), (large, two) = known[0], known[-1]
            raise TableError(
                f"{table}, lines {one} and {two}: spacing_mm is {small:g} and {large:g} for one place: give both in mm"
            )


def _check_dates(lines: list[Line], table: str) -> None:
    """Two visits of a subject on one day have no order."""
    for mine in _by(lines, lambda film: (film.subject, film.date)):
        (line, film), rest = mine[0], mine[1:]
        for other, second in rest:
            if film.date is not None and second.visit != film.visit:
                raise TableError(
                    f"{table}, lines {line} and {other}: visits {film.visit} and {second.visit} have one date, so "
                    "nobody can tell which came first: correct a date"
                )


def _by(lines: Iterable[Line], key: Callable[[Film], Hashable]) -> Iterator[list[Line]]:
    groups: dict[Hashable, list[Line]] = {}
    for line, film in lines:
        groups.setdefault(key(film), []).append((line, film))
    yield from groups.values()
