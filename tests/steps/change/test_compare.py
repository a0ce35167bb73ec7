"""Fates, gate, verdicts, rules and errors of the comparison of two visits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from pair_scenes import MM, Disc, drawn, reading, shifted, turned

from calcimeasure.errors import RecipeError
from calcimeasure.model.authorship import BY_PROGRAM, UNSAID, Author, Authorship
from calcimeasure.model.density import DepositDensity
from calcimeasure.model.image import Meaning, Spacing, SpacingOrigin
from calcimeasure.model.precision import Precision, PrecisionProfile
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import Change, DepositChange, Fate, Film, Link, Reading, Status, Verdict, Visit
from calcimeasure.model.warning import Code, Remark
from calcimeasure.report.words import in_one, sentences
from calcimeasure.steps.change.compare import (
    CompareSettings,
    Rule,
    Total,
    burden,
    compare,
    film_pairs,
)
from calcimeasure.steps.change.compare.error import Area, ErrorModel, fieller
from calcimeasure.steps.change.match import match

ONE, FAR = (60, 60, 12), (140, 140, 10)
GAP = (60, 95, 12)  # 2 mm beside ONE
BRIDGE = (60, 78, 10)
#: A reader's careful outlines: an edge that errs by about 0.1 mm, and 4 % of the size.
NOTHING = ((0.0, 0.0, 0.0),) * 3
KNOWN = PrecisionProfile(0.1, 0.15, 0.04, "mm2", "a curve that the tests know", 1e6, 100, 0.5, 2000.0, NOTHING)
PRECISION = Precision(KNOWN)


def compared(before: Reading, after: Reading, overrides: tuple[Link, ...] = (), **settings: object) -> Change:
    links = match(before, after, shifted(), overrides=overrides)
    return compare(before, after, shifted(), links, CompareSettings(**settings), PRECISION)  # type: ignore[arg-type]


# --- fates -------------------------------------------------------------------------------------------------

#: baseline discs, follow-up discs, fates by the baseline's then the follow-up's labels
FATES: dict[str, tuple[dict[int, list[Disc]], dict[int, list[Disc]], list[Fate]]] = {
    "the same": ({1: [ONE]}, {1: [ONE]}, [Fate.STABLE]),
    "10 % wider": ({1: [ONE]}, {1: [(60, 60, 12.6)]}, [Fate.STABLE]),
    "grown": ({1: [ONE]}, {1: [(60, 60, 16)]}, [Fate.GROWN]),
    "shrunk": ({1: [(60, 60, 16)]}, {1: [ONE]}, [Fate.SHRUNK]),
    "new": ({}, {1: [ONE]}, [Fate.NEW]),
    "resolved": ({1: [ONE]}, {}, [Fate.RESOLVED]),
    "merged": ({1: [ONE], 2: [GAP]}, {1: [ONE, GAP, BRIDGE]}, [Fate.MERGED]),
    "split": ({1: [ONE, GAP, BRIDGE]}, {1: [ONE], 2: [GAP]}, [Fate.SPLIT]),
    "a crumb is no split": ({1: [ONE, (60, 76, 4)]}, {1: [ONE], 2: [(60, 76, 4)]}, [Fate.STABLE]),
    "parts that touch are no split": ({1: [ONE, (60, 80, 9)]}, {1: [ONE], 2: [(60, 80, 9)]}, [Fate.STABLE]),
    "tiny, 30 % wider": ({1: [(60, 60, 2)]}, {1: [(60, 60, 2.5)]}, [Fate.STABLE]),
}


@pytest.mark.parametrize(("before", "after", "fates"), FATES.values(), ids=FATES)
def test_fates(before: dict, after: dict, fates: list[Fate]) -> None:
    assert [one.fate for one in compared(reading(before), reading(after)).deposits] == fates


SWAPPED = {
    Fate.GROWN: Fate.SHRUNK,
    Fate.SHRUNK: Fate.GROWN,
    Fate.NEW: Fate.RESOLVED,
    Fate.RESOLVED: Fate.NEW,
    Fate.MERGED: Fate.SPLIT,
    Fate.SPLIT: Fate.MERGED,
}


@pytest.mark.parametrize(("before", "after", "fates"), FATES.values(), ids=FATES)
def test_swapped_visits_swap_the_fates_and_the_sign(before: dict, after: dict, fates: list[Fate]) -> None:
    there, back = compared(reading(before), reading(after)), compared(reading(after), reading(before))
    assert [one.fate for one in back.deposits] == [SWAPPED.get(fate, fate) for fate in fates]
    assert there.change is not None
    assert back.change is not None
    assert there.change.value == pytest.approx(-back.change.value)
    assert there.p_decrease == pytest.approx(1 - (back.p_decrease or 0.0))


def test_areas_are_each_films_own_pixels() -> None:
    row = compared(reading({1: [ONE]}), reading({1: [(60, 60, 16)]})).deposits[0]
    before, after = (np.count_nonzero(drawn({1: [disc]})) * MM**2 for disc in (ONE, (60, 60, 16)))
    assert row.area_before is not None
    assert row.area_after is not None
    assert (row.area_before.value, row.area_after.value) == pytest.approx((before, after))
    assert row.percent == pytest.approx(100 * (after / before - 1))
    assert drawn({1: [ONE]})[row.baseline_point] == 1
    assert 0 < (row.power or 0) < 1


def test_a_small_deposit_has_little_power_to_show_a_change() -> None:
    small, large = compared(reading({1: [(30, 30, 3)], 2: [(120, 120, 40)]}), reading({})).deposits
    assert (small.power or 0) < 0.5 < (large.power or 0)


# --- the field ---------------------------------------------------------------------------------------------


def off_the_film(rows: float, before: Reading, after: Reading) -> Change:
    alignment = shifted(rows=rows)
    return compare(before, after, alignment, match(before, after, alignment), precision=PRECISION)


def test_what_lies_outside_is_in_neither_total() -> None:
    before, after = reading({1: [(20, 60, 4)], 2: [FAR]}), reading({1: [(80, 140, 10)]})
    change = off_the_film(-60, before, after)
    assert [one.fate for one in change.deposits] == [Fate.OUT_OF_FIELD, Fate.STABLE]
    assert change.percent == pytest.approx(0.0)
    assert change.verdict is Verdict.STABLE


def test_too_much_outside_is_not_evaluable() -> None:
    change = off_the_film(-60, reading({1: [(20, 60, 8)], 2: [FAR]}), reading({1: [(80, 140, 10)]}))
    assert change.status is Status.NOT_EVALUABLE
    assert "outside the common field" in in_one(change.reason)
    assert change.change is None


def test_of_a_deposit_that_is_cut_off_the_common_part_is_compared() -> None:
    before, after = reading({1: [(60, 60, 10)], 2: [(150, 150, 30)]}), reading({1: [(0, 60, 10)], 2: [(90, 150, 30)]})
    change = off_the_film(-60, before, after)
    assert [one.fate for one in change.deposits] == [Fate.STABLE, Fate.STABLE]
    assert "common part" in in_one(change.deposits[0].note)


# --- the gate ----------------------------------------------------------------------------------------------

USER, RULER = (Spacing(MM, MM, origin, 0.01) for origin in (SpacingOrigin.USER, SpacingOrigin.RULER))
GATE = {
    "side": ({"side": "L"}, {"side": "R"}, "side is left"),
    "side, written in words": ({"side": "left"}, {"side": "right"}, "side is left"),
    "view": ({"view": "PA"}, {"view": "LATERAL"}, "view is pa"),
    "hand and foot": ({"body_part": "HAND"}, {"body_part": "FOOT"}, "site is hand"),
    "modality": ({"modality": "CR"}, {"modality": "DX"}, "modality is cr"),
    "device": ({"device": "A 1"}, {"device": "B 2"}, "of another device"),
    "processing": ({"processing": "bone"}, {"processing": "soft"}, "of another processing"),
    "view in words of its own": (
        {"undisclosed": (("view", "0a"),)},
        {"undisclosed": (("view", "0b"),)},
        "of another view",
    ),
    "intent": ({"intent": "FOR PRESENTATION"}, {"intent": "FOR PROCESSING"}, "presentation intent"),
    "one scale unknown": ({"spacing": None}, {"spacing": USER}, "scale of the baseline is unknown"),
    "other scale origin": ({"spacing": RULER}, {"spacing": USER}, "by ruler at baseline"),
}


@pytest.mark.parametrize(("one", "two", "words"), GATE.values(), ids=GATE)
@pytest.mark.parametrize("turn", [False, True])
def test_the_gate_gives_a_reason_and_no_number(one: dict, two: dict, words: str, turn: bool) -> None:
    if turn:
        one, two = two, one
        words = words if words.startswith("of another") else words.split(" ")[0]
    change = compared(reading({1: [ONE]}, **one), reading({}, **two))
    assert (change.status, change.verdict) == (Status.NOT_EVALUABLE, Verdict.NOT_EVALUABLE)
    assert words in in_one(change.reason)
    assert change.change is change.percent is change.before is None


def test_other_kinds_of_brightness_are_not_compared() -> None:
    before, after = reading({1: [ONE]}), reading({1: [ONE]})
    after = replace(after, image=replace(after.image, meaning=Meaning.DETECTOR))
    assert "brightness means" in in_one(compared(before, after).reason)


def test_a_refused_alignment_is_the_reason() -> None:
    film, refused = reading({1: [ONE]}), replace(shifted(), refused=Remark.of(Code.NO_LIMB_ON_ONE))
    assert compare(film, film, refused, ()).reason == (Remark.of(Code.NO_LIMB_ON_ONE),)


def test_what_nobody_knows_is_a_warning() -> None:
    change = compared(reading({1: [ONE]}), reading({1: [ONE]}, side="L"))
    assert change.status is Status.COMPARED
    assert any(text.startswith("not known of both films") and "side" in text for text in sentences(change.warnings))


#: sides by the headers, sides as given, whether that is refused, and what is told of it
SIDES = {
    "both agree": (("L", "L"), ("left", "l"), False, 0),
    "given alone": ((None, None), ("L", "left"), False, 0),
    "given, the headers say two": (("R", "L"), ("L", "L"), True, 1),
    "one header against what was given": (("R", None), ("L", "L"), True, 1),
    "both headers against what was given": (("R", "R"), ("L", "L"), False, 2),
    "given as two": (("L", "L"), ("L", "R"), True, 1),
    "one given against the other header": ((None, "R"), ("L", None), True, 0),
}


@pytest.mark.parametrize(("header", "given", "refused", "told"), SIDES.values(), ids=SIDES)
def test_a_side_that_two_sources_contradict_is_never_decided_in_silence(
    header: tuple, given: tuple, refused: bool, told: int
) -> None:
    films = [Film("s", "v", None, "a.png", side=side) for side in given]
    before, after = (reading({1: [ONE]}, side=h, film=film) for h, film in zip(header, films, strict=True))
    change = compared(before, after)
    assert (change.status is Status.NOT_EVALUABLE) is refused
    assert ("side is" in in_one(change.reason)) is refused
    assert sum("another side than was given" in text for text in sentences(change.warnings)) == told


VIEWS = {
    "the headers say two": (("PA", "LAT"), ("pa", "pa"), True),
    "a header says another": (("AP", None), ("pa", "pa"), False),
    "all say the same": (("PA", "PA"), ("pa", "Pa"), None),
}


@pytest.mark.parametrize(("header", "given", "refused"), VIEWS.values(), ids=VIEWS)
def test_a_view_that_two_sources_contradict_is_never_decided_in_silence(
    header: tuple, given: tuple, refused: bool | None
) -> None:
    films = [Film("s", "v", None, "a.png", view=view) for view in given]
    change = compared(*(reading({1: [ONE]}, view=h, film=film) for h, film in zip(header, films, strict=True)))
    assert (change.status is Status.NOT_EVALUABLE) is bool(refused)
    assert any("another view than was given" in text for text in sentences(change.warnings)) is (refused is not None)


#: facts of either header, and what is told of them
IDENTITIES = {
    "one patient": ({"patient": "x", "taken": "20240105"}, {"patient": "x", "taken": "20240905"}, ""),
    "one does not say": ({"patient": "x", "taken": "20240105"}, {}, ""),
    "two patients": ({"patient": "x"}, {"patient": "y"}, "two patients"),
    "two births": ({"patient": "x", "born": "a"}, {"patient": "x", "born": "b"}, "dates of birth"),
    "other order": ({"taken": "20240905"}, {"taken": "20240105"}, "before the baseline"),
    "other order within a day": ({"taken": "20240105120000"}, {"taken": "20240105113000"}, "before the baseline"),
    "one without a time of day": ({"taken": "20240105120000"}, {"taken": "20240105"}, ""),
}


@pytest.mark.parametrize(("one", "two", "told"), IDENTITIES.values(), ids=IDENTITIES)
def test_headers_of_two_patients_or_in_the_other_order_are_told(one: dict, two: dict, told: str) -> None:
    change = compared(reading({1: [ONE]}, **one), reading({1: [ONE]}, **two))
    assert change.status is Status.COMPARED
    found = [text for text in sentences(change.warnings) if "header" in text]
    assert len(found) == bool(told)
    assert all(told in text for text in found)


def test_scales_in_two_units_are_refused() -> None:
    small = Spacing(MM / 10, MM / 10, SpacingOrigin.USER, 0.005)
    change = compared(reading({1: [ONE]}), reading({1: [ONE]}, spacing=small))
    assert "another unit" in in_one(change.reason)


@pytest.mark.parametrize("parted", [(Link((1,), ()), Link((), (1,))), (Link((1,), ()),), (Link((), (1,)),)])
@pytest.mark.parametrize("by", [BY_PROGRAM, UNSAID], ids=["program", "person"])
def test_what_a_person_says_is_absent_has_no_area(parted: tuple[Link, ...], by: Authorship) -> None:
    before, after = reading({1: [ONE]}, by=by), reading({1: [(60, 62, 12)]}, by=by)
    gone, new = compared(before, after, overrides=parted).deposits
    assert (gone.fate, gone.area_after, new.fate, new.area_before, new.confirmed) == (
        Fate.RESOLVED, None, Fate.NEW, None, True,
    )  # fmt: skip


def test_unknown_scale_is_compared_in_pixels() -> None:
    change = compared(reading({1: [ONE]}, spacing=None), reading({1: [(60, 60, 6)]}, spacing=None))
    assert change.before is not None
    assert change.before.unit == "px"
    assert change.percent == pytest.approx(-75, abs=3)
    assert any("equal scale assumed" in text for text in sentences(change.warnings))
    assert change.verdict is Verdict.IMPROVED


# --- the verdict -------------------------------------------------------------------------------------------

#: before, after, confirmed new, verdict, inside error (for stable)
VERDICTS = {
    "large fall": (100.0, 50.0, 0, Verdict.IMPROVED, None),
    "exactly the cut": (400.0, 300.0, 0, Verdict.IMPROVED, None),
    "real but under the cut": (400.0, 310.0, 0, Verdict.STABLE, False),
    "inside error": (2.0, 1.4, 0, Verdict.STABLE, True),
    "large rise": (100.0, 150.0, 0, Verdict.WORSE, None),
    "fall with a confirmed new deposit": (100.0, 50.0, 1, Verdict.WORSE, None),
    "nothing at either visit": (0.0, 0.0, 0, Verdict.STABLE, True),
    "from nothing": (0.0, 50.0, 0, Verdict.WORSE, None),
    "to nothing": (50.0, 0.0, 0, Verdict.IMPROVED, None),
}


@pytest.mark.parametrize(("before", "after", "new", "expected", "inside"), VERDICTS.values(), ids=VERDICTS)
def test_verdicts(before: float, after: float, new: int, expected: Verdict, inside: bool | None) -> None:
    from calcimeasure.steps.change.compare.verdict import is_inside_error, verdict

    settings = CompareSettings()
    size = (before + after) / 2
    total = Total(before, after, math.sqrt(2) * KNOWN.wsd(size), 1.0)
    assert verdict(total, new, settings) is expected
    if inside is not None:
        assert is_inside_error(total, settings) is inside


RULES = {
    "both": (Rule(0.95, 25), Verdict.STABLE),
    "both at 80 %": (Rule(0.80, 25), Verdict.IMPROVED),
    "error alone": (Rule(0.95, None), Verdict.STABLE),
    "error alone at 80 %": (Rule(0.80, None), Verdict.IMPROVED),
    "cut alone": (Rule(None, 25), Verdict.IMPROVED),
    "another cut": (Rule(None, 35), Verdict.STABLE),
}


@pytest.mark.parametrize(("rule", "expected"), RULES.values(), ids=RULES)
def test_each_rule_alone(rule: Rule, expected: Verdict) -> None:
    # a fall of 3 of 10, with an error of 2 for a change: 1.5 standard deviations
    assert rule.judge(Total(10.0, 7.0, 2.0, 2.0)) is expected


def test_the_report_has_every_rule() -> None:
    rules = compared(reading({1: [ONE]}), reading({1: [(60, 60, 4)]})).under_rules
    assert len(rules) == 7
    assert set(rules.values()) == {Verdict.IMPROVED}


def test_new_deposits_count_when_confirmed_only() -> None:
    before, after = {1: [(60, 60, 20)]}, {1: [(60, 60, 20)], 2: [FAR]}
    by_reader = compared(reading(before), reading(after))
    assert (by_reader.verdict, by_reader.deposits[-1].confirmed) == (Verdict.WORSE, True)
    program = compared(reading(before, by=BY_PROGRAM), reading(after, by=BY_PROGRAM))
    assert (program.verdict, program.deposits[-1].confirmed) == (Verdict.STABLE, False)
    assert any("new, unconfirmed" in text for text in sentences(program.warnings))
    films = reading(before, by=BY_PROGRAM), reading(after, by=BY_PROGRAM)
    links = [replace(link, confirmed=not link.baseline) for link in match(*films, shifted())]
    assert compare(*films, shifted(), links, precision=PRECISION).verdict is Verdict.WORSE


def test_a_confirmed_new_deposit_bars_improved() -> None:
    change = compared(reading({1: [(60, 60, 30)]}), reading({1: [(60, 60, 12)], 2: [FAR]}))
    assert change.percent is not None
    assert change.percent < -25
    assert (change.verdict, in_one(change.reason)) == (Verdict.WORSE, "1 confirmed new deposit")
    assert change.under_rules["new deposits not considered"] is Verdict.IMPROVED


@pytest.mark.parametrize("cause", ["surgery", "extrusion", "ulcer"])
def test_a_loss_with_a_cause_is_no_improvement(cause: str) -> None:
    told = Film("s", "v", None, "a.png", lost_because=cause)
    change = compared(reading({1: [ONE], 2: [FAR]}), reading({1: [ONE]}, film=told))
    assert [one.fate for one in change.deposits] == [Fate.STABLE, Fate.RESOLVED]
    assert (change.verdict, change.percent) == (Verdict.STABLE, 0.0)
    assert cause in in_one(change.deposits[1].note)
    assert compared(reading({1: [ONE], 2: [FAR]}), reading({1: [ONE]})).verdict is Verdict.IMPROVED


def test_a_person_may_override_a_match() -> None:
    film = reading({1: [ONE], 2: [FAR]})
    change = compared(film, film, overrides=(Link((1,), (2,), by="dr a"),))
    assert (change.deposits[0].by, change.deposits[0].baseline, change.deposits[0].followup) == ("dr a", (1,), (2,))
    assert [one.fate for one in change.deposits] == [
        Fate.GROWN if False else change.deposits[0].fate,
        Fate.RESOLVED,
        Fate.NEW,
    ]


@pytest.mark.parametrize(
    "wrong", [{"cut_percent": -1.0}, {"level": 1.0}, {"most_outside": 2.0}, {"apart_mm": math.nan}]
)
def test_settings_have_ranges(wrong: dict) -> None:
    with pytest.raises(RecipeError, match=r"\[compare\]"):
        CompareSettings(**wrong)


# --- a second look -----------------------------------------------------------------------------------------


def test_what_a_program_missed_is_seen_on_the_other_film() -> None:
    shown = drawn({1: [ONE], 2: [FAR]}) > 0
    before = reading({1: [ONE], 2: [FAR]}, by=BY_PROGRAM, shown=shown)
    change = compared(before, reading({1: [ONE]}, by=BY_PROGRAM, shown=shown))
    assert [one.fate for one in change.deposits] == [Fate.STABLE, Fate.STABLE]
    assert "second look" in in_one(change.deposits[1].note)
    assert change.verdict is Verdict.STABLE


def dome(radius: float, height: float) -> np.ndarray:
    rows, columns = np.mgrid[:200, :200]
    return height * np.sqrt(np.clip(1 - ((rows - 100) ** 2 + (columns - 100) ** 2) / radius**2, 0, None))


def test_a_second_look_sees_that_calcium_shrank() -> None:
    before = reading({1: [(100, 100, 20)]}, by=BY_PROGRAM, shown=dome(20, 1.0))
    change = compared(before, reading({}, by=BY_PROGRAM, shown=dome(14, 0.7)))
    assert change.deposits[0].fate is Fate.SHRUNK
    assert change.percent == pytest.approx(-50, abs=15)


@pytest.mark.parametrize(
    ("second", "fate"),
    [((20, 1.0), Fate.STABLE), ((14, 0.7), Fate.SHRUNK)],
    ids=["outlined smaller, shown as it was", "outlined and shown smaller"],
)
def test_outlines_of_both_visits_stand_unless_the_picture_shows_no_change(
    second: tuple[float, float], fate: Fate
) -> None:
    before = reading({1: [(100, 100, 20)]}, by=BY_PROGRAM, shown=dome(20, 1.0))
    change = compared(before, reading({1: [(100, 100, 13)]}, by=BY_PROGRAM, shown=dome(*second)))
    assert change.deposits[0].fate is fate
    if fate is Fate.SHRUNK:
        assert change.percent == pytest.approx(100 * (13**2 / 20**2 - 1), abs=2)
        assert not change.deposits[0].note
    else:
        assert change.percent == pytest.approx(0, abs=5)


def test_a_readers_word_stands() -> None:
    shown = drawn({1: [ONE]}) > 0
    change = compared(reading({1: [ONE]}, shown=shown), reading({}, shown=shown))
    assert change.deposits[0].fate is Fate.RESOLVED


# --- density -----------------------------------------------------------------------------------------------


def with_density(film: Reading, mmal: float) -> Reading:
    rows = tuple(
        replace(row, density=DepositDensity(row.label, Quantity(mmal, 0.1, "mmAl"), Quantity(10 * mmal, 1.0, "mm3 Al")))
        for row in film.measurement.deposits
    )
    return replace(film, measurement=replace(film.measurement, deposits=rows))


def test_density_is_compared_where_both_films_have_it() -> None:
    film = reading({1: [ONE], 2: [FAR]})
    change = compared(with_density(film, 2.0), with_density(film, 1.0))
    assert change.density_before == Quantity(40.0, 2.0, "mm3 Al")
    assert change.density_change == Quantity(-20.0, pytest.approx(math.sqrt(8)), "mm3 Al")
    assert change.deposits[0].density_after == Quantity(1.0, pytest.approx(0.1), "mmAl")
    assert compared(with_density(film, 2.0), film).density_change is None


# --- error -------------------------------------------------------------------------------------------------


def model(common: float, own: float) -> ErrorModel:
    return ErrorModel(KNOWN, "mm2", common, own, CompareSettings())


@pytest.mark.parametrize(("before", "after"), [(50.0, 50.0), (50.0, 20.0), (8.0, 14.0), (300.0, 150.0)])
@pytest.mark.parametrize(("common", "own"), [(0.0, 0.0), (0.06, 0.0), (0.0, 0.04)])
def test_intervals_hold_the_true_change_as_often_as_they_say(
    before: float, after: float, common: float, own: float
) -> None:
    rng, n, error = np.random.default_rng(7), 4000, model(common, own)
    scale = 1 + rng.normal(0, common, n)
    seen = [
        value * scale * (1 + rng.normal(0, own, n)) + rng.normal(0, KNOWN.wsd(value), n) for value in (before, after)
    ]
    pairs = [(Area(a, 0.0), Area(b, 0.0)) for a, b in zip(*(np.maximum(s, 0) for s in seen), strict=True)]
    reach = np.array([1.96 * error.change_sd(*pair) for pair in pairs])
    absolute = np.abs((seen[1] - seen[0]) - (after - before)) <= reach
    percent = [error.percent_interval(*pair) for pair in pairs]
    true = 100 * (after / before - 1)
    relative = [bounds is None or bounds[0] <= true <= bounds[1] for bounds in percent]
    assert 0.93 <= absolute.mean() <= 0.97
    assert 0.93 <= np.mean(relative) <= 0.97


def test_no_change_passes_the_detectable_change_in_5_percent() -> None:
    rng, error = np.random.default_rng(1), model(0.0, 0.0)
    seen = 40 + rng.normal(0, KNOWN.wsd(40), (6000, 2))
    beyond = [abs(b - a) > error.detectable(Area(a, 0.0), Area(b, 0.0)) for a, b in seen]
    assert 0.04 <= np.mean(beyond) <= 0.06


def test_a_common_scale_cancels_in_percent_and_an_own_one_does_not() -> None:
    areas = Area(100.0, 0.0), Area(60.0, 0.0)
    exact, common, own = (model(*parts).percent_interval(*areas) for parts in ((0, 0), (0.1, 0), (0, 0.1)))
    assert exact == common
    assert exact is not None
    assert own is not None
    assert own[1] - own[0] > exact[1] - exact[0]


@pytest.mark.parametrize(
    ("one", "two", "shared"),
    [
        (SpacingOrigin.USER, 0.2, True),
        (SpacingOrigin.USER, 0.21, False),
        (SpacingOrigin.MARKER, 0.2, False),
    ],
)
def test_which_scales_err_alike(one: SpacingOrigin, two: float, shared: bool) -> None:
    films = [reading({}, spacing=Spacing(mm, mm, one, 0.02)).image for mm in (0.2, two)]
    error = ErrorModel.of(films[0], films[1], KNOWN, CompareSettings())
    assert (error.scale_common, error.scale_own) == ((0.04, 0.0) if shared else (0.0, 0.04))


def test_fieller() -> None:
    low, high = fieller((100.0, 50.0), (5.0, 5.0)) or (0.0, 0.0)
    assert low < -50 < high
    assert fieller((100.0, 0.0), (5.0, 1.0)) == (-100.0, pytest.approx(-98, abs=0.1))
    assert fieller((10.0, 5.0), (6.0, 1.0)) is None


# --- the patient -------------------------------------------------------------------------------------------


def film(site: str = "hand", side: str = "left", view: str | None = "pa") -> Film:
    return Film("s", "v", None, "a.png", site, side, view)


def changed(before: float, after: float, *deposits: DepositChange) -> Change:
    areas = [Quantity(value, KNOWN.wsd(value), "mm2") for value in (before, after)]
    sd = math.hypot(*(area.sd or 0.0 for area in areas))
    return Change(
        Status.COMPARED,
        Verdict.STABLE,
        before=areas[0],
        after=areas[1],
        change=Quantity(after - before, sd, "mm2"),
        detectable=KNOWN.sdc((before + after) / 2),
        deposits=deposits,
    )


def test_sites_are_added_and_views_averaged() -> None:
    parts = [
        (film(), changed(100.0, 50.0)),
        (film(view="lateral"), changed(80.0, 40.0)),
        (film(side="right"), changed(30.0, 30.0)),
    ]
    total = burden(parts)
    assert total.before is not None
    assert total.after is not None
    assert (total.before.value, total.after.value) == pytest.approx((120.0, 75.0))
    assert total.percent == pytest.approx(-37.5)
    assert total.verdict is Verdict.IMPROVED


def test_sites_that_cannot_be_compared_are_listed() -> None:
    parts = [(film(), changed(100.0, 40.0)), (film(site="foot"), Change.not_evaluable(Remark.other("the view is pa")))]
    total = burden(parts, left_out=[film(site="knee")])
    assert total.percent == pytest.approx(-60) or total.before == parts[0][1].before
    assert any("foot" in text and "the view is pa" in text for text in sentences(total.warnings))
    assert any("knee" in text for text in sentences(total.warnings))
    assert in_one(burden(parts[1:]).reason) == "the view is pa"
    assert burden([]).status is Status.NOT_EVALUABLE


def test_a_new_deposit_in_two_views_is_confirmed() -> None:
    new = DepositChange("1", Fate.NEW, area_after=Quantity(10.0, 1.0, "mm2"))
    one_view = burden([(film(), changed(100.0, 105.0, new)), (film(side="right"), changed(50.0, 50.0))])
    two_views = burden([(film(), changed(100.0, 105.0, new)), (film(view="lateral"), changed(90.0, 95.0, new))])
    assert one_view.verdict is Verdict.STABLE
    assert two_views.verdict is Verdict.WORSE
    assert [one.deposit for one in two_views.deposits] == ["left hand pa 1", "left hand lateral 1"]


def test_films_are_paired_by_site_side_and_view() -> None:
    left, lateral, right, foot = film(), film(view="lateral"), film(side="Right"), film(site="foot")
    unlike = film(side="right", view="ap")
    found = film_pairs(Visit("0", None, (left, lateral, right, foot)), Visit("1", None, (lateral, unlike, left)))
    assert found.pairs == ((left, left), (lateral, lateral), (right, unlike))
    assert (found.only_baseline, found.only_followup) == ((foot,), ())


def test_turned_alignment_leads_back() -> None:
    there = shifted(3, 5)
    assert turned(there).followup_of([[10, 10]]) == pytest.approx(there.baseline_of([[10, 10]]))


#: who looked the film over, who drew deposit 1 where that is another, and whether a person stands behind it
AUTHORS = {
    "another tool": (UNSAID, True),
    "a program": (BY_PROGRAM, False),
    "the networks": (Authorship(Author.NETWORKS), False),
    "the networks, accepted": (Authorship(Author.NETWORKS, {1: Author.ACCEPTED}), True),
    "a person, and one of the networks": (Authorship(Author.PERSON, {1: Author.NETWORKS}), False),
}


@pytest.mark.parametrize(("by", "mine"), AUTHORS.values(), ids=AUTHORS)
def test_outlines_that_nobody_looked_at_are_no_persons(by: Authorship, mine: bool) -> None:
    assert reading({1: [ONE]}, by=by).outlined_by_person is mine


@pytest.mark.parametrize("author", Author)
def test_who_looked_the_film_over_speaks_for_there_being_none(author: Author) -> None:
    assert reading({}, by=Authorship(author, {1: Author.NETWORKS})).outlined_by_person is not author.is_program


@pytest.mark.parametrize(("first", "second", "taken"), [(True, True, False), (True, False, True), (False, False, True)])
def test_a_simulated_profile_is_not_taken_for_a_persons_outlines(first: bool, second: bool, taken: bool) -> None:
    wide = replace(KNOWN, a=50.0, origin="simulated films, not patients", is_simulated=True)
    before, after = (reading({1: [ONE]}, by=UNSAID if by else BY_PROGRAM) for by in (first, second))
    change = compare(before, after, shifted(), match(before, after, shifted()), precision=Precision(wide))
    assert change.detectable is not None
    assert (change.detectable > 50) is taken
    assert any(one.code is Code.PROFILE_SIMULATED for one in change.warnings) is taken
