"""What both films show at a deposit's place: known amounts, other exposures, nothing at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from pair_scenes import SHAPE, drawn, reading, shifted

from calcimeasure.model.authorship import BY_PROGRAM
from calcimeasure.model.study import Fate, Reading
from calcimeasure.steps.change.compare import CompareSettings, compare
from calcimeasure.steps.change.compare.error import Ratio
from calcimeasure.steps.change.compare.summed_brightness import AREA_POWER, FilmsTogether, Seen
from calcimeasure.steps.change.match import match

SETTINGS = CompareSettings()
PLACE = {1: [(100, 100, 15)]}


def dome(radius: float, height: float) -> np.ndarray:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return height * np.sqrt(np.clip(1 - ((rows - 100) ** 2 + (columns - 100) ** 2) / radius**2, 0, None))


def film(calcium: np.ndarray, outline: dict = PLACE, seed: int = 0) -> Reading:
    """A limb that gets thicker from left to right, with texture, and calcium on it."""
    found = reading(outline, by=BY_PROGRAM)
    rng = np.random.default_rng(seed)
    limb = 0.2 + 0.4 * np.arange(SHAPE[1]) / SHAPE[1] + np.random.default_rng(7).normal(0, 0.01, SHAPE)
    grey = limb + 0.3 * calcium + rng.normal(0, 0.004, SHAPE)
    return replace(found, image=replace(found.image, pixels=(10_000 * grey).astype(np.uint16)))


def exposed(one: Reading, tone: Callable[[np.ndarray], np.ndarray]) -> Reading:
    pixels = tone(one.image.pixels / 10_000)
    return replace(one, image=replace(one.image, pixels=(10_000 * pixels).astype(np.uint16)))


def seen(one: Reading, two: Reading) -> Seen:
    both = FilmsTogether.of(one, two, shifted(), SETTINGS)
    assert both is not None
    found = both.look((1,), (1,))
    assert found is not None
    return found


AMOUNTS = {
    "as it was": (dome(15, 1.0), 1.0),
    "half as thick": (dome(15, 0.5), 0.5),
    "a smaller ball": (dome(10.5, 0.7), 0.7**3),
    "a larger ball": (dome(18, 1.2), 1.2**3),
}


@pytest.mark.parametrize(("calcium", "amount"), AMOUNTS.values(), ids=AMOUNTS)
def test_the_ratio_follows_the_amount(calcium: np.ndarray, amount: float) -> None:
    outline = {1: [(100, 100, 18)]}
    found = seen(film(dome(15, 1.0), outline), film(calcium, outline, seed=1)).ratio(SETTINGS)
    assert found.log == pytest.approx(AREA_POWER * math.log(amount), abs=0.05)


TONES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "brighter": lambda grey: 0.05 + 1.3 * grey,
    "softer": lambda grey: grey**0.8,
    "harder": lambda grey: grey**1.25,
}


@pytest.mark.parametrize("tone", TONES.values(), ids=TONES)
def test_another_exposure_is_no_change(tone: Callable[[np.ndarray], np.ndarray]) -> None:
    calcium = dome(15, 0.6)
    assert seen(film(calcium), exposed(film(calcium, seed=1), tone)).percent == pytest.approx(0, abs=6)


def test_swapped_visits_give_the_inverse() -> None:
    one, two = film(dome(15, 1.0)), film(dome(11, 0.8), seed=1)
    there, back = seen(one, two).ratio(SETTINGS), seen(two, one).ratio(SETTINGS)
    assert there.log == pytest.approx(-back.log, abs=0.06)
    assert there.sd == pytest.approx(back.sd, rel=0.2)


def test_calcium_that_is_gone_is_gone() -> None:
    found = seen(film(dome(15, 0.5)), film(dome(15, 0.0), seed=1))
    assert found.is_clear
    assert found.is_gone(SETTINGS)


#: radius of the outline in pixels of 0.2 mm, the follow-up's labels, and whether the rule for large deposits holds
LARGE = {
    "large": (15, (), True),
    "small": (10, (), False),
    "outlined at both": (15, (1,), False),
}


@pytest.mark.parametrize(("radius", "after", "large"), LARGE.values(), ids=LARGE)
def test_what_is_left_of_a_large_deposit_would_be_outlined(radius: float, after: tuple, large: bool) -> None:
    outline = {1: [(100, 100, radius)]}
    one, two = film(dome(radius, 0.6), outline), film(dome(radius, 0.12), outline, seed=1)
    both = FilmsTogether.of(one, two, shifted(), SETTINGS)
    found = both and both.look((1,), after)
    assert found
    assert found.large_at_one is large
    assert 0.15 < found.after / found.before < 0.25
    assert found.is_gone(SETTINGS) is large


def beside_bone(one: Reading, edge: int) -> Reading:
    """The film with a bone from that column on."""
    bone = 0.15 * np.clip((np.arange(SHAPE[1]) - edge) / 4, 0, 1)
    return replace(one, image=replace(one.image, pixels=(one.image.pixels + 10_000 * bone).astype(np.uint16)))


@pytest.mark.parametrize("edge", [95, 98, 101, 104])
def test_bone_is_no_calcium_that_is_left(edge: int) -> None:
    outline = {1: [(100, 100, 9)]}
    with_, without = film(dome(9, 0.4), outline), film(dome(9, 0.0), outline, seed=1)
    both = FilmsTogether.of(beside_bone(with_, edge), beside_bone(without, edge), shifted(), SETTINGS)
    found = both and both.look((1,), ())
    assert found
    assert found.is_clear
    assert found.is_gone(SETTINGS)


def test_tissue_alone_is_not_clear() -> None:
    assert not seen(film(dome(15, 0.0)), film(dome(15, 0.0), seed=1)).is_clear


def test_a_colour_picture_is_no_witness() -> None:
    photo = film(dome(15, 1.0))
    photo = replace(photo, image=replace(photo.image, pixels=np.dstack([photo.image.pixels] * 3)))
    assert FilmsTogether.of(photo, photo, shifted(), SETTINGS) is None


def test_a_flat_film_is_no_witness() -> None:
    flat = film(dome(15, 1.0))
    flat = replace(flat, image=replace(flat.image, pixels=np.full(SHAPE, 500, np.uint16)))
    assert FilmsTogether.of(film(dome(15, 1.0)), flat, shifted(), SETTINGS) is None


#: radius of the outline and dome of the calcium, before and after; the fate that both witnesses tell
WITNESSES = {
    "outlined smaller, shown as it was": ((9, (8, 0.5)), (6, (8, 0.5)), Fate.STABLE),
    "outlined alike, shown a third": ((7, (8, 0.5)), (6, (5, 0.4)), Fate.SHRUNK),
    "outlined alike, shown threefold": ((6, (5, 0.4)), (7, (8, 0.5)), Fate.GROWN),
    "outlined larger, shown a third": ((6, (8, 0.5)), (11, (5, 0.4)), Fate.STABLE),
    "both tell the same": ((15, (15, 0.6)), (9, (9, 0.5)), Fate.SHRUNK),
}


@pytest.mark.parametrize(("before", "after", "fate"), WITNESSES.values(), ids=WITNESSES)
def test_the_fate_rests_on_both_witnesses(before: tuple, after: tuple, fate: Fate) -> None:
    one, two = (
        film(dome(*calcium), {1: [(100, 100, radius)]}, seed) for seed, (radius, calcium) in enumerate((before, after))
    )
    row = compare(one, two, shifted(), match(one, two, shifted())).deposits[0]
    assert row.fate is fate
    assert row.contrast_percent is not None
    change = row.area_change.value if row.area_change else 0.0
    assert fate is Fate.STABLE or (change > 0) is (fate is Fate.GROWN)


ENDS = {1: [(100, 89, 6)], 2: [(100, 111, 6)]}


def ends(height: float) -> np.ndarray:
    """What is left of a dome once its middle is gone."""
    return dome(15, height) * (drawn(ENDS) > 0)


@pytest.mark.parametrize(("after", "fate"), [(dome(15, 0.6), Fate.STABLE), (ends(0.6), Fate.SPLIT)], ids=["no", "yes"])
def test_two_outlined_ends_are_a_split_where_what_lay_between_is_gone(after: np.ndarray, fate: Fate) -> None:
    one, two = film(dome(15, 0.6)), film(after, ENDS, 1)
    change = compare(one, two, shifted(), match(one, two, shifted()))
    assert [row.fate for row in change.deposits] == [fate]
    assert change.percent is not None
    assert abs(change.percent) < 10 if fate is Fate.STABLE else change.percent < -40


def test_the_areas_of_the_outlines_stand_where_they_tell_the_same() -> None:
    one, two = film(dome(15, 0.6)), film(dome(15, 0.6), {1: [(100, 100, 14.5)]}, 1)
    row = compare(one, two, shifted(), match(one, two, shifted())).deposits[0]
    areas = [float(np.count_nonzero(drawn({1: [(100, 100, r)]}))) * 0.04 for r in (15, 14.5)]
    assert [q.value for q in (row.area_before, row.area_after) if q] == pytest.approx(areas)
    assert not row.note


def test_two_witnesses_together_are_surer_than_each() -> None:
    joined = Ratio(-0.4, 0.3).joined(Ratio(-0.8, 0.15))
    assert joined.log == pytest.approx(-0.72)
    assert joined.sd == pytest.approx(1 / math.hypot(1 / 0.3, 1 / 0.15))
    assert not Ratio(-0.4, 0.3).contradicts(Ratio(-0.8, 0.15))
    assert Ratio(-1.4, 0.1).contradicts(Ratio(0.0, 0.15))


#: ratio of areas, its sd, whether it counts as a change of 25 % at 95 %
CHANGES = [
    (0.5, 0.10, True),
    (0.5, 0.40, False),
    (0.75, 0.10, True),
    (0.76, 0.10, False),
    (1.25, 0.10, True),
    (1.24, 0.10, False),
]


@pytest.mark.parametrize(("ratio", "sd", "changed"), CHANGES)
def test_a_change_is_beyond_its_error_and_the_cut(ratio: float, sd: float, changed: bool) -> None:
    assert Ratio(math.log(ratio) + math.copysign(1e-9, math.log(ratio)), sd).is_change(25, 0.95) is changed
