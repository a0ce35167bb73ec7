"""Several films at a visit: which belong together, and the burden of the patient over all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import Change, DepositChange, Fate, Film, Status, Verdict, Visit, plain_side
from calcimeasure.model.warning import Code, Remark, once
from calcimeasure.steps.change.compare.error import fieller
from calcimeasure.steps.change.compare.settings import CompareSettings
from calcimeasure.steps.change.compare.verdict import Total, is_inside_error, makes_worse, reason, under_rules, verdict

FilmPair = tuple[Film, Film]


@dataclass(frozen=True, slots=True)
class FilmPairs:
    """Films of two visits that show the same, and the others of either visit."""

    pairs: tuple[FilmPair, ...]
    only_baseline: tuple[Film, ...]
    only_followup: tuple[Film, ...]


def film_pairs(baseline: Visit, followup: Visit) -> FilmPairs:
    """Films of two visits by site, side, view and reader.

    A single film left of a site, side and reader at both visits is a pair, too, though their views are written
    differently: the gate judges them. Of films that agree in all four the first are paired first.
    """
    left, right = list(baseline.films), list(followup.films)
    pairs = _taken(left, right, _full_key, alone=False) + _taken(left, right, _place_key, alone=True)
    order = {id(film): k for k, film in enumerate(baseline.films)}
    return FilmPairs(tuple(sorted(pairs, key=lambda pair: order[id(pair[0])])), tuple(left), tuple(right))


def burden(
    changes: Sequence[tuple[Film, Change]],
    settings: CompareSettings | None = None,
    left_out: Sequence[Film] = (),
) -> Change:
    """The change of a patient's whole burden, from those of the film pairs.

    Parameters
    ----------
    changes : sequence of (Film, Change)
        The baseline film of each pair, for its site, side and view, and what changed.
    settings : CompareSettings, optional
    left_out : sequence of Film
        Films without a partner, to be listed.

    Returns
    -------
    Change
        Two views of one site and side are averaged, sites are added. Only pairs that could be compared count; the
        others are listed. Not evaluable when there is none. Errors of different films are taken as independent.

    Notes
    -----
    A new deposit seen in both views of a site is confirmed.
    """
    settings = settings or CompareSettings()
    good = [(film, change) for film, change in changes if change.status is Status.COMPARED]
    remarks = _listed(changes, left_out)
    if not good:
        return Change.not_evaluable(*_why_none(changes, left_out), warnings=remarks)
    good, unlike = _of_one_unit(good)
    remarks += tuple(Remark.of(Code.FILM_WITHOUT_SCALE, film=_told(film)) for film in unlike)
    if len(good) == 1:
        only = good[0][1]
        return replace(only, warnings=once(only.warnings, remarks))
    return _summed(_confirmed_by_views(good), settings, remarks)


# --- pairs -------------------------------------------------------------------------------------------------

_Key = tuple[str, ...]


def _full_key(film: Film) -> _Key:
    return (*_place_key(film), _word(film.view))


def _place_key(film: Film) -> _Key:
    return _word(film.site), _side(film), _word(film.reader)


def _side(film: Film) -> str:
    return plain_side(film.side or "") or _word(film.side)


def _word(text: str | None) -> str:
    return " ".join((text or "").lower().split())


def _taken(left: list[Film], right: list[Film], key: Callable[[Film], _Key], alone: bool) -> list[FilmPair]:
    """Pairs of equal key, removed from both lists; `alone` takes only keys that one film of each visit has."""
    pairs = []
    for film in list(left):
        mine = [one for one in left if key(one) == key(film)]
        partners = [one for one in right if key(one) == key(film)]
        if not partners or (alone and (len(mine) > 1 or len(partners) > 1)):
            continue
        pairs.append((film, partners[0]))
        left[:] = [one for one in left if one is not film]
        right[:] = [one for one in right if one is not partners[0]]
    return pairs


# --- sums --------------------------------------------------------------------------------------------------

_Part = tuple[Film, Change]


def _listed(changes: Sequence[_Part], left_out: Sequence[Film]) -> tuple[Remark, ...]:
    refused = [(film, one) for film, one in changes if one.status is not Status.COMPARED]
    told = [Remark.of(Code.FILM_NOT_EVALUABLE, film=_told(film), why=change.reason) for film, change in refused]
    return (*told, *(Remark.of(Code.FILM_AT_ONE_VISIT, film=_told(film)) for film in left_out))


def _why_none(changes: Sequence[_Part], left_out: Sequence[Film]) -> tuple[Remark, ...]:
    if changes:
        return once(*(change.reason for _, change in changes))
    return (Remark.of(Code.NO_SITE_TWICE if left_out else Code.NO_FILM),)


def _told(film: Film) -> str:
    return " ".join(word for word in (film.side, film.site, film.view) if word) or "one film"


def _of_one_unit(parts: Sequence[_Part]) -> tuple[list[_Part], list[Film]]:
    """Those in mm2, and the films that are not; all when none is."""
    in_mm2 = [part for part in parts if part[1].before and part[1].before.unit == "mm2"]
    if not in_mm2:
        return list(parts), []
    return in_mm2, [film for film, change in parts if change.before and change.before.unit != "mm2"]


def _by_place(parts: Sequence[_Part]) -> list[list[Change]]:
    places: dict[tuple[str, str], list[Change]] = {}
    for film, change in parts:
        places.setdefault((_word(film.site), _side(film)), []).append(change)
    return list(places.values())


def _confirmed_by_views(parts: Sequence[_Part]) -> list[_Part]:
    """The parts, their deposits named by film, and new ones confirmed where two views of a place show any."""
    views = {id(one): place for place in _by_place(parts) for one in place}
    return [(film, replace(change, deposits=_named(film, change, views[id(change)]))) for film, change in parts]


def _named(film: Film, change: Change, views: Sequence[Change]) -> tuple[DepositChange, ...]:
    in_all = len(views) > 1 and sum(any(one.fate is Fate.NEW for one in view.deposits) for view in views) > 1
    return tuple(
        replace(
            one,
            deposit=f"{_told(film)} {one.deposit}",
            confirmed=one.confirmed or (in_all and one.fate is Fate.NEW),
        )
        for one in change.deposits
    )


def _summed(parts: Sequence[_Part], settings: CompareSettings, remarks: tuple[Remark, ...]) -> Change:
    places = _by_place(parts)
    deposits = tuple(one for _, change in parts for one in change.deposits)
    shown = _total(places, settings, everything=True)
    judged = _total(places, settings, everything=False)
    new = sum(makes_worse(one, settings) for one in deposits)
    found = verdict(judged, new, settings)
    before, after = _added(places, "before"), _added(places, "after")
    warnings = once(*(change.warnings for _, change in parts))
    sds = (before.sd or 0.0, after.sd or 0.0)
    return Change(
        Status.COMPARED,
        found,
        (reason(judged, new, settings),),
        before=before,
        after=after,
        change=Quantity(shown.change, shown.change_sd, before.unit),
        percent=shown.percent,
        percent_interval=fieller((before.value, after.value), sds, settings.level) if before.value > 0 else None,
        p_decrease=shown.p_decrease,
        detectable=shown.detectable(settings.level),
        density_before=_density(places, "density_before"),
        density_after=_density(places, "density_after"),
        density_change=_density(places, "density_change"),
        deposits=deposits,
        under_rules=under_rules(judged, new, settings),
        inside_error=is_inside_error(judged, settings) if found is Verdict.STABLE else None,
        warnings=(*warnings, *remarks),
    )


def _total(places: Sequence[Sequence[Change]], settings: CompareSettings, everything: bool) -> Total:
    """The total over places; without the new deposits that nobody confirmed unless everything is wanted."""
    before, after, change = (_added(places, name) for name in ("before", "after", "change"))
    extra = 0.0 if everything else sum(_unconfirmed(change) / len(place) for place in places for change in place)
    scale = Total(0.0, 0.0, 1.0, 0.0).detectable(settings.level)
    error = math.sqrt(sum(((one.detectable or 0.0) / scale / len(place)) ** 2 for place in places for one in place))
    return Total(before.value, after.value - extra, error, change.sd or 0.0)


def _unconfirmed(change: Change) -> float:
    new = [one for one in change.deposits if one.fate is Fate.NEW and not one.confirmed and one.counted]
    return math.fsum(one.area_after.value for one in new if one.area_after)


def _added(places: Sequence[Sequence[Change]], name: str) -> Quantity:
    """Mean over the views of a place, summed over places."""
    found = _density(places, name)
    return found if found is not None else Quantity(0.0, None, "px")


def _density(places: Sequence[Sequence[Change]], name: str) -> Quantity | None:
    """The same of a quantity that some may lack; `None` when one does."""
    every = [(getattr(change, name), len(place)) for place in places for change in place]
    if any(quantity is None for quantity, _ in every):
        return None
    value = math.fsum(quantity.value / views for quantity, views in every)
    sd = math.sqrt(math.fsum(((quantity.sd or 0.0) / views) ** 2 for quantity, views in every))
    return Quantity(value, sd, every[0][0].unit)
