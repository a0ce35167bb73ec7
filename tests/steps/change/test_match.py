"""Which deposit is which: every shape of link, overrides, the field, and names over all visits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pair_scenes import SHAPE, reading, shifted, turned

from calcimeasure.errors import MeasurementRefused, RecipeError
from calcimeasure.model.alignment import Alignment
from calcimeasure.model.authorship import BY_PROGRAM, UNSAID, Authorship
from calcimeasure.model.study import Link
from calcimeasure.steps.change.match import MatchSettings, identify, match, named

ONE, TWO, FAR = (60, 60, 10), (60, 100, 10), (140, 140, 8)

#: baseline discs, follow-up discs, who outlined them, links as (baseline, follow-up)
LINKS = {
    "same place": ({1: [ONE]}, {1: [ONE]}, None, [((1,), (1,))]),
    "other numbers": ({1: [ONE], 2: [FAR]}, {5: [FAR], 9: [ONE]}, None, [((1,), (9,)), ((2,), (5,))]),
    "grown": ({1: [ONE]}, {1: [(60, 60, 16)]}, None, [((1,), (1,))]),
    "gone": ({1: [ONE], 2: [FAR]}, {1: [ONE]}, None, [((1,), (1,)), ((2,), ())]),
    "new": ({1: [ONE]}, {1: [ONE], 2: [FAR]}, None, [((1,), (1,)), ((), (2,))]),
    "nothing at all": ({}, {}, None, []),
    "displaced by 2 mm": ({1: [(60, 60, 4)]}, {1: [(60, 70, 4)]}, None, [((1,), (1,))]),
    "displaced too far": ({1: [(60, 60, 4)]}, {1: [(60, 110, 4)]}, None, [((1,), ()), ((), (1,))]),
    "neighbours stay apart": (
        {1: [ONE], 2: [(60, 80, 9)]},
        {1: [ONE], 2: [(60, 80, 9)]},
        None,
        [((1,), (1,)), ((2,), (2,))],
    ),
    "one swallowed both": (
        {1: [ONE], 2: [(60, 84, 10)]},
        {1: [ONE, (60, 84, 10), (60, 72, 8)]},
        None,
        [((1, 2), (1,))],
    ),
    "one fell in two": ({1: [ONE, (60, 84, 10), (60, 72, 8)]}, {1: [ONE], 2: [(60, 84, 10)]}, None, [((1,), (1, 2))]),
    "pieces of a program": (
        {1: [(60, 60, 6)], 2: [(60, 75, 6)], 3: [(60, 89, 5)]},
        {1: [(60, 60, 6), (60, 67, 3), (60, 75, 6)]},
        BY_PROGRAM,
        [((1, 2, 3), (1,))],
    ),
}


@pytest.mark.parametrize(("before", "after", "by", "expected"), LINKS.values(), ids=LINKS)
def test_links(before: dict, after: dict, by: Authorship | None, expected: list) -> None:
    by = by or UNSAID
    found = match(reading(before, by=by), reading(after, by=by), shifted())
    assert [(link.baseline, link.followup) for link in found] == expected
    assert all(link.in_field and link.by == "calcimeasure" for link in found)


@pytest.mark.parametrize(("before", "after", "by", "expected"), LINKS.values(), ids=LINKS)
def test_swapped_visits_swap_the_links(before: dict, after: dict, by: Authorship | None, expected: list) -> None:
    by = by or UNSAID
    found = match(reading(after, by=by), reading(before, by=by), turned(shifted()))
    assert {(link.followup, link.baseline) for link in found} == set(expected)


@settings(max_examples=15, deadline=None)
@given(st.integers(-40, 40), st.integers(-40, 40))
def test_a_known_shift_changes_no_link(rows: int, columns: int) -> None:
    before = {1: [(90, 90, 8)], 2: [(110, 120, 5)]}
    after = {1: [(110 + rows, 120 + columns, 5)], 2: [(90 + rows, 90 + columns, 8)]}
    found = match(reading(before), reading(after), shifted(rows, columns))
    assert [(link.baseline, link.followup) for link in found] == [((1,), (2,)), ((2,), (1,))]


def test_every_label_is_in_exactly_one_link() -> None:
    rng = np.random.default_rng(3)
    films = [{n: [(*rng.uniform(10, 190, 2), rng.uniform(2, 9))] for n in range(1, 25)} for _ in range(2)]
    one, two = (reading(discs, by=BY_PROGRAM) for discs in films)
    found = match(one, two, shifted())
    assert sorted(n for link in found for n in link.baseline) == one.labels.numbers.tolist()
    assert sorted(n for link in found for n in link.followup) == two.labels.numbers.tolist()


# --- the field ---------------------------------------------------------------------------------------------


def test_a_place_off_the_other_film_is_out_of_field() -> None:
    found = match(reading({1: [(20, 60, 6)], 2: [FAR]}), reading({}), shifted(rows=-60))
    assert [link.in_field for link in found] == [False, True]


def test_a_place_that_cannot_be_followed_is_out_of_field() -> None:
    straight = shifted()
    forward = straight.forward.copy()
    forward[:100] = np.nan
    found = match(reading({1: [ONE], 2: [FAR]}), reading({}), Alignment(forward, straight.backward, 1.0))
    assert [link.in_field for link in found] == [False, True]


def test_padding_and_air_are_no_field() -> None:
    from dataclasses import replace

    gone = reading({})
    upper = np.zeros(SHAPE, bool)
    upper[:100] = True
    padded = replace(gone, image=replace(gone.image, valid=upper))
    limbless = replace(gone, limb=upper)
    for followup in (padded, limbless):
        found = match(reading({1: [ONE], 2: [FAR]}), followup, shifted())
        assert [link.in_field for link in found] == [True, False]


def test_a_refused_alignment_links_nothing() -> None:
    from dataclasses import replace

    assert match(reading({1: [ONE]}), reading({1: [ONE]}), replace(shifted(), refused="no limb in common")) == ()


# --- a person's word ---------------------------------------------------------------------------------------


def test_an_override_replaces_what_it_touches_and_says_whose_it_is() -> None:
    film = reading({1: [ONE], 2: [TWO], 3: [FAR]})
    found = match(film, film, shifted(), overrides=[Link((1,), (2,), by="dr a")])
    assert [(link.baseline, link.followup, link.by) for link in found] == [
        ((1,), (2,), "dr a"),
        ((2,), (), "dr a"),
        ((3,), (3,), "calcimeasure"),
        ((), (1,), "dr a"),
    ]


def test_an_override_without_a_name_is_still_a_readers() -> None:
    film = reading({1: [ONE]})
    assert match(film, film, shifted(), overrides=[Link((1,), ()), Link((), (1,))])[0].by == "a reader"


@pytest.mark.parametrize(
    "wrong", [[Link((7,), (1,))], [Link((1,), (9,))], [Link((1,), ()), Link((1,), (1,))], [Link((), ())]]
)
def test_an_override_must_name_labels_that_are_there_once(wrong: list[Link]) -> None:
    film = reading({1: [ONE]})
    with pytest.raises(MeasurementRefused, match="match given by hand"):
        match(film, film, shifted(), overrides=wrong)


@pytest.mark.parametrize(
    "wrong", [{"reach_mm": -1.0}, {"covered": 1.5}, {"least_in_field": float("nan")}, {"piece_px": True}]
)
def test_settings_have_ranges(wrong: dict) -> None:
    with pytest.raises(RecipeError, match=r"\[match\]"):
        MatchSettings(**wrong)


# --- names -------------------------------------------------------------------------------------------------

NAMES = {
    "three visits": ([(Link((1,), (2,)),), (Link((2,), (7,)), Link((), (1,)))], None, (("1",), ("1", "2"))),
    "a merged pair has one name": ([(Link((1, 2), (1,)),), (Link((1,), (1,)),)], None, (("1",), ("1",))),
    "merged later, one name from the start": (
        [(Link((1,), (1,)), Link((2,), (2,))), (Link((1, 2), (1,)),)],
        None,
        (("1", "1"), ("1",)),
    ),
    "back in the field at the third visit": (
        [(Link((1,), (), in_field=False),), (Link((), (1,)),), (Link((1,), (1,)),)],
        [(0, 1), (1, 2), (0, 2)],
        (("1",), ("1",), ("1",)),
    ),
}


@pytest.mark.parametrize(("intervals", "visits", "expected"), NAMES.values(), ids=NAMES)
def test_names(intervals: list, visits: list | None, expected: tuple) -> None:
    assert identify(intervals, visits) == expected
    assert tuple(tuple(link.name for link in links) for links in named(intervals, visits)) == expected
