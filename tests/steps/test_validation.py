"""Automatic outlines against true ones: scenes counted by hand."""

import numpy as np
import pytest

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.labels import Labels
from calcimeasure.steps.agreement.validation import FilmScore, by_source, score_film, validation

MM2 = 0.25  # a pixel of half a millimetre


def labels(*boxes, shape=(80, 80)):
    """A label image of boxes (row, column, height, width), numbered from 1."""
    array = np.zeros(shape, np.int32)
    for n, (row, column, height, width) in enumerate(boxes, 1):
        array[row : row + height, column : column + width] = n
    return Labels(array)


TRUE = (10, 10, 8, 8)  # 16 mm2, 4.5 mm across
SCENES = [
    ("the same", [TRUE], [TRUE], [], (1, 0, 1.0)),
    ("nothing found", [TRUE], [], [], (0, 0, 0.0)),
    ("half of it", [TRUE], [(10, 10, 4, 8)], [], (1, 0, 2 / 3)),
    ("a false one beside it", [TRUE], [TRUE, (50, 50, 4, 4)], [], (1, 1, 64 / 72)),
    ("a false one too small to count", [TRUE], [TRUE, (50, 50, 1, 3)], [], (1, 0, 128 / 131)),
    ("next to it, one pixel off", [TRUE], [(10, 18, 8, 1)], [], (0, 0, 0.0)),
    ("a large one that holds it by a hundredth", [TRUE], [(8, 8, 60, 60)], [], (0, 1, 2 * 64 / 3664)),
    ("a doubtful one found", [TRUE, (50, 50, 6, 6)], [TRUE, (50, 50, 6, 6)], [2], (1, 0, 1.0)),
    ("a doubtful one not found", [TRUE, (50, 50, 6, 6)], [TRUE], [2], (1, 0, 1.0)),
    ("two in one outline", [TRUE, (10, 20, 8, 8)], [(10, 10, 8, 18)], [], (2, 0, 2 * 128 / 272)),
    ("under 2 mm does not count", [TRUE, (50, 50, 3, 3)], [TRUE], [], (1, 0, 2 * 64 / 137)),
]


@pytest.mark.parametrize(("what", "truth", "found", "doubtful", "told"), SCENES, ids=[s[0] for s in SCENES])
def test_scenes_counted_by_hand(what, truth, found, doubtful, told):
    deposits, false, dice, _ = score_film(labels(*truth), labels(*found), MM2, doubtful)
    assert sum(one.is_found and one.counts for one in deposits) == told[0]
    assert false == told[1]
    assert dice == pytest.approx(told[2])


def test_a_film_without_calcium_has_no_dice_and_every_find_is_false():
    deposits, false, dice, totals = score_film(labels(), labels(TRUE, (50, 50, 4, 4)), MM2)
    assert (deposits, false, dice, totals) == ((), 2, None, (0.0, 20.0))


def test_masks_of_two_films_are_refused():
    with pytest.raises(MeasurementRefused, match="one film"):
        score_film(labels(), labels(shape=(40, 80)), MM2)


def film(name, source, true, found, sd=None):
    """A film whose totals are known."""
    return FilmScore(name, source, (), 0, 1.0, true, found, sd)


def test_a_planted_bias_lies_in_its_interval():
    rng = np.random.default_rng(5)
    true = rng.uniform(20, 200, 120)
    films = [film(str(k), "one", t, 0.9 * t * np.exp(rng.normal(0, 0.05)), 4.0) for k, t in enumerate(true)]
    told = validation(films)
    assert told.bias_interval.low < -0.1 < told.bias_interval.high
    assert told.bias_interval.high < 0
    assert told.differences.bias < 0


def test_coverage_counts_films_that_claim_an_error():
    films = [film("a", "one", 100, 104, 3.0), film("b", "one", 100, 110, 3.0), film("c", "one", 100, 90)]
    told = validation(films).covered
    assert (told.successes, told.trials) == (1, 2)


def test_few_sources_widen_the_interval():
    """Films of one source err alike: sixty of three sources say less than sixty of sixty."""
    shift = {"a": -0.1, "b": 0.0, "c": 0.1}
    apart = [film(f"{s}{k}", s, 100, 100 * (1 + d), 1.0) for s, d in shift.items() for k in range(20)]
    lone = [film(one.film, one.film, one.true_mm2, one.found_mm2, 1.0) for one in apart]
    wide, narrow = (validation(films).bias_interval for films in (apart, lone))
    assert wide.high - wide.low > narrow.high - narrow.low


def test_by_source_is_the_whole_of_each():
    films = [film("a", "one", 100, 104), film("b", "two", 50, 40), film("c", "one", 100, 90)]
    told = by_source(films)
    assert [(name, one.films) for name, one in told.items()] == [("one", 2), ("two", 1)]


def test_no_film_is_refused():
    with pytest.raises(MeasurementRefused, match="no film"):
        validation([])
