"""The pair of films: the same window for both, outlines round the deposits, each fate told by more than its colour."""

import numpy as np
import pytest

from calcimeasure.model.alignment import Alignment
from calcimeasure.model.image import Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels
from calcimeasure.model.study import Change, DepositChange, Fate, Reading, Status, Verdict
from calcimeasure.model.warning import Remark
from calcimeasure.report.marks import FATES
from calcimeasure.report.pair_picture import pair_picture
from calcimeasure.steps.measure.area import measure

SHAPE = (300, 200)
ZOOM = 1020 / 284  # the limb's box with its margin, as tall as a panel gets
BOXES = {1: (60, 60, 80, 80), 2: (150, 100, 170, 130), 3: (220, 40, 235, 60)}


def _labels(numbers, shape=SHAPE):
    array = np.zeros(shape, np.int32)
    for number in numbers:
        top, left, bottom, right = BOXES[number]
        array[top:bottom, left:right] = number
    return Labels(array)


def _reading(numbers, gain=1.0, offset=0.0, shape=SHAPE, spacing=0.2, pixels=None):
    labels = _labels(numbers, shape)
    limb = np.zeros(shape, bool)
    limb[20:-20, 20:-20] = True
    grey = np.random.default_rng(0).normal(1000, 30, shape) * limb + 500 * (labels.array > 0) + 200 * (limb & _bone())
    film = (gain * grey + offset).astype(np.float32) if pixels is None else pixels
    kind = Kind.PHOTO if film.ndim == 3 else Kind.RADIOGRAPH
    scale = None if spacing is None else Spacing.of(spacing, spacing, SpacingOrigin.USER)
    image = Image(film, kind, Meaning.PHOTO if film.ndim == 3 else Meaning.DETECTOR, scale)
    return Reading(image, labels, measure(image, labels), limb)


def _bone():
    bone = np.zeros(SHAPE, bool)
    bone[30:-30, 140:160] = True
    return bone


def _same(shape=SHAPE, **facts):
    field = np.stack(np.mgrid[: shape[0], : shape[1]], axis=-1).astype(np.float32)
    return Alignment(field, field, 1.0, **facts)


def _change(*deposits):
    return Change(Status.COMPARED, Verdict.STABLE, deposits=deposits)


def _stable(number):
    return DepositChange(str(number), Fate.STABLE, (number,), (number,))


def _halves(picture):
    middle = picture.shape[1] // 2
    return picture[:, : middle - 8], picture[:, middle + 8 :]


def _has(picture, fate):
    return bool((picture == FATES[fate].colour).all(axis=2).sum() > 20)


def test_another_exposure_of_the_same_limb_looks_the_same():
    change = _change(_stable(1), _stable(2))
    left, right = _halves(pair_picture(_reading((1, 2)), _reading((1, 2), 3.7, -200.0), _same(), change))
    inner = np.s_[40:-60, 40:-40]
    assert np.abs(left[inner].astype(int) - right[inner]).mean() < 3


def test_more_calcium_stays_brighter_in_the_common_window():
    before, after = _reading((1,)), _reading((1,))
    pixels = before.image.pixels.copy()
    pixels[before.labels.array == 1] -= 400
    fainter = _reading((1,), pixels=pixels)
    left, right = _halves(pair_picture(fainter, after, _same(), _change(_stable(1))))
    row, column = round(34 + ZOOM * (70 - 8)), round(50 + ZOOM * (70 - 8))
    spot = np.s_[row - 8 : row + 8, column - 8 : column + 8]
    assert right[spot].mean() > left[spot].mean() + 60


@pytest.mark.parametrize(("fate", "numbers"), [(Fate.RESOLVED, ((1, 2), (2,))), (Fate.NEW, ((2,), (1, 2)))])
def test_a_deposit_of_one_film_is_outlined_on_the_other_too(fate, numbers):
    gone = DepositChange("1", fate, (1,) if fate is Fate.RESOLVED else (), (1,) if fate is Fate.NEW else ())
    picture = pair_picture(_reading(numbers[0]), _reading(numbers[1]), _same(), _change(gone, _stable(2)))
    assert all(_has(half[:-60], fate) for half in _halves(picture))


def test_every_fate_has_its_own_letter_and_no_two_share_line_and_colour():
    assert set(FATES) == set(Fate)
    assert len({mark.letter for mark in FATES.values()}) == len(Fate)
    assert len({(mark.colour, mark.dash) for mark in FATES.values()}) == len(Fate)
    assert len({mark.dash for mark in FATES.values()}) >= 6


def test_the_key_names_only_the_fates_in_the_picture():
    plain = pair_picture(_reading(()), _reading(()), _same(), _change())
    one = pair_picture(_reading((1,)), _reading((1,)), _same(), _change(_stable(1)))
    assert one.shape[0] > plain.shape[0]
    assert one.shape[1:] == plain.shape[1:] == (1536, 3)


def test_what_the_follow_up_does_not_show_is_hatched():
    field = np.stack(np.mgrid[: SHAPE[0], : SHAPE[1]], axis=-1).astype(np.float32)
    field[200:] = np.nan
    cut = Alignment(field, field, 0.7)
    whole, part = (pair_picture(_reading((1,)), _reading((1,)), one, _change(_stable(1))) for one in (_same(), cut))
    same = (_halves(whole)[1] == _halves(part)[1]).all(axis=2)
    assert same[100:600].mean() > 0.9
    assert same[760:1040, 100:600].mean() < 0.1


def test_a_refused_alignment_shows_both_films_as_they_are():
    refused = _same((5, 5), refused="too little in common")
    other = _reading((), shape=(300, 200), pixels=np.random.default_rng(1).normal(9, 1, SHAPE).astype(np.float32))
    picture = pair_picture(_reading((1,)), other, refused, Change.not_evaluable(Remark.other("too little in common")))
    assert picture.shape[1] == 1536
    assert _halves(picture)[1][100:700, 100:600].std() > 5


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((*SHAPE, 3), 120, np.uint8),
        np.full(SHAPE, 7, np.uint16),
        np.full(SHAPE, np.nan, np.float32),
        np.full(SHAPE, -(2**31), np.int32),
        np.full((*SHAPE, 3), 4000, np.uint16),
    ],
    ids=["photo", "constant", "NaN", "int32", "deep photo"],
)
@pytest.mark.parametrize("spacing", [None, 1e-5, 0.2, 900.0])
def test_odd_films_are_drawn(pixels, spacing):
    reading = _reading((1,), pixels=pixels, spacing=spacing)
    picture = pair_picture(reading, reading, _same(), _change(_stable(1)))
    assert picture.dtype == np.uint8
    assert picture.shape[1] == 1536


def test_a_name_that_the_font_lacks_and_labels_without_a_fate_do_no_harm():
    named = DepositChange("\N{SNOWMAN}\n" * 40, Fate.GROWN, (1,), (1,))
    picture = pair_picture(_reading((1, 2)), _reading((1, 3)), _same(), _change(named))
    assert all(_has(half, Fate.GROWN) for half in _halves(picture))
