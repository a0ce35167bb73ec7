"""The figures: a perfect map is perfect, an empty one finds nothing, a false find counts once."""

import numpy as np
import pytest

from calcimeasure.training.scenes import Scene
from calcimeasure.training.validate import figures

MM = 0.25


def scene(visible=5.0):
    labels = np.zeros((120, 120), np.uint8)
    labels[30:50, 30:50] = 1
    return Scene(labels.astype(np.float32), labels, (visible,), np.ones(labels.shape, np.float32))


def test_a_perfect_map_is_perfect():
    result = figures([scene()], [scene().truth.astype(np.float32)], MM, 0.5)
    assert (result.sensitivity, result.false_per_film, result.dice, result.area_bias) == (1, 0, 1, 0)


def test_an_empty_map_finds_nothing():
    result = figures([scene()], [np.zeros((120, 120), np.float32)], MM, 0.5)
    assert (result.sensitivity, result.false_per_film, result.dice) == (0, 0, 0)


@pytest.mark.parametrize(("side", "expected"), [(3, 0), (10, 1)])
def test_a_false_find_counts_from_one_square_mm(side, expected):
    found = scene().truth.astype(np.float32)
    found[80 : 80 + side, 80 : 80 + side] = 1
    assert figures([scene()], [found], MM, 0.5).false_per_film == expected


def test_faint_deposits_are_held_neither_for_nor_against():
    pair = [scene(), scene(visible=0.5)]
    result = figures(pair, [s.truth.astype(np.float32) for s in pair], MM, 0.5)
    assert (result.sensitivity, result.false_per_film) == (1, 0)
