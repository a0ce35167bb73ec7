"""Where two sources contradict each other about a pair of films: never decided in silence."""

from __future__ import annotations

from collections.abc import Iterator

from calcimeasure.model.image import Image
from calcimeasure.model.study import Reading, plain_side
from calcimeasure.model.warning import Code, Remark

#: A finding: whether the films are refused for it, and why.
Finding = tuple[bool, Remark]

VISITS = ("baseline", "follow-up")
#: Films of about one size whose pixels differ by so much are not both in one unit.
_OTHER_UNIT, _LIKE_SIZE = 5.0, 2.0
_DAY = 8


def not_two_films(baseline: Reading, followup: Reading) -> Remark | None:
    """Why there is no pair at all, whatever the films show; `None` when there is one."""
    for reading, visit in zip((baseline, followup), VISITS, strict=True):
        if reading.is_proposal:
            return Remark.of(Code.PROPOSAL, visit=visit)
    one, two = baseline.image, followup.image
    is_same = one.shape == two.shape and one.pixels_sha256 == two.pixels_sha256
    return Remark.of(Code.SAME_PICTURE) if is_same else None


def contradictions(baseline: Reading, followup: Reading) -> Iterator[Finding]:
    """What the headers, the study file and the order given say against each other. No identifier is told."""
    one, two = baseline.image.acquisition, followup.image.acquisition
    yield from _sides(baseline, followup)
    yield from _views(baseline, followup)
    if _differ(one.patient, two.patient):
        yield False, Remark.of(Code.TWO_PATIENTS)
    elif _differ(one.born, two.born):
        yield False, Remark.of(Code.TWO_BIRTHS)
    if _is_before(two.taken, one.taken):
        yield False, Remark.of(Code.TAKEN_BEFORE)
    yield from _unit(baseline.image, followup.image)


def _sides(baseline: Reading, followup: Reading) -> Iterator[Finding]:
    """Refused where any reading of table and headers gives two sides; else told where they contradict each other."""
    given = [reading.film.side if reading.film else None for reading in (baseline, followup)]
    stated = [reading.image.acquisition.side for reading in (baseline, followup)]
    table, header = ([side and plain_side(side) for side in sides] for sides in (given, stated))
    by_header = [h or t for h, t in zip(header, table, strict=True)]
    by_table = [t or h for h, t in zip(header, table, strict=True)]
    if _differ(*by_header) and not _differ(*by_table):
        yield True, Remark.of(Code.SIDES_BY_HEADER, baseline=by_header[0], followup=by_header[1])
    yield from _against(table, header, "side")


def _views(baseline: Reading, followup: Reading) -> Iterator[Finding]:
    told = [(reading.film.view if reading.film else None) for reading in (baseline, followup)]
    stated = [reading.image.acquisition.view for reading in (baseline, followup)]
    table, header = ([_plain(view) for view in views] for views in (told, stated))
    if _differ(*header) and not _differ(*(t or h for h, t in zip(header, table, strict=True))):
        yield True, Remark.of(Code.VIEWS_BY_HEADER)
    yield from _against(table, header, "view")


def _against(table: list[str | None], header: list[str | None], what: str) -> Iterator[Finding]:
    """Told of each film whose header says another thing than was given."""
    for given, stated, visit in zip(table, header, VISITS, strict=True):
        if _differ(given, stated):
            yield False, Remark.of(Code.HEADER_SAYS_OTHER, visit=visit, fact=what)


def _differ(one: str | None, two: str | None) -> bool:
    return bool(one and two and one != two)


def _plain(text: str | None) -> str | None:
    return " ".join((text or "").casefold().split()) or None


def _is_before(one: str | None, two: str | None) -> bool:
    """Whether a time is earlier; by the day alone where one of them has no time of day."""
    if not one or not two:
        return False
    digits = min(len(one), len(two)) if min(len(one), len(two)) > _DAY else _DAY
    return one[:digits] < two[:digits]


def _unit(baseline: Image, followup: Image) -> Iterator[Finding]:
    if baseline.spacing is None or followup.spacing is None:
        return
    finer, coarser = sorted((baseline.spacing.mean_mm, followup.spacing.mean_mm))
    small, large = sorted((max(baseline.shape), max(followup.shape)))
    if coarser >= _OTHER_UNIT * finer and large <= _LIKE_SIZE * small:
        yield True, Remark.of(Code.OTHER_UNIT, times=coarser / finer)
