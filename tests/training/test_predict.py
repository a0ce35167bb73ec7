"""Inference: no dependence on the tiling, bit for bit the same twice, any size of film."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from calcimeasure.training import predict

pytestmark = pytest.mark.skipif(not predict.FINDER.exists(), reason="weights/deposits.onnx is not there")


def drawn_film(h=700, w=520):
    rows, columns = np.mgrid[:h, :w].astype(np.float32)
    limb = np.clip(1 - ((columns - w / 2) / (w / 4)) ** 2, 0, None) ** 0.5
    bone = np.clip(1 - ((columns - w / 2) / (w / 14)) ** 2, 0, None) ** 0.5
    film = 0.35 * limb + 0.3 * bone
    stone = np.clip(1 - ((columns - 0.36 * w) ** 2 + (rows - 0.4 * h) ** 2) / 18**2, 0, None) ** 0.5
    noise = np.random.default_rng(0).normal(0, 0.004, film.shape)
    return (film + 0.4 * stone + noise).astype(np.float32)


def test_the_map_does_not_depend_on_the_tiling():
    film = drawn_film()
    one, many = (predict.probability(film, 0.25, tile) for tile in (1024, 128))
    assert np.abs(one - many).max() < 1e-4


def test_the_same_film_gives_the_same_labels_bit_for_bit():
    first, again = (predict.segment(drawn_film(), 0.25) for _ in range(2))
    assert np.array_equal(first.labels, again.labels)
    assert np.array_equal(first.chance, again.chance)
    assert first.scores == again.scores


@pytest.mark.parametrize("shape", [(33, 47), (301, 200), (16, 900)])
def test_any_size_of_film(shape):
    found = predict.segment(np.random.default_rng(1).random(shape, np.float32), 0.2)
    assert found.labels.shape == found.chance.shape == shape


def test_an_even_film_holds_nothing():
    assert predict.segment(np.full((400, 300), 0.3, np.float32), 0.25).labels.max() == 0


def test_a_plain_stone_is_found():
    labels = predict.segment(drawn_film(), 0.25).labels
    assert labels[280, 187] > 0


def test_an_unknown_scale_is_said():
    assert predict.segment(drawn_film(), None).warnings
    assert not predict.segment(drawn_film(), 0.25).warnings
