"""The networks: sizes, receptive field, loss, and weights without pickles."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra: train)")
pytest.importorskip("safetensors", reason="safetensors is not installed (extra: train)")

from calcimeasure.training.export import load_weights, save_weights
from calcimeasure.training.network import MARGIN, STRIDE, Finder, Looks, loss_of
from calcimeasure.training.pretrained import PretrainedFinder


@pytest.fixture(params=[Finder, PretrainedFinder])
def finder(request):
    torch.manual_seed(0)
    return request.param().eval()


def test_the_map_is_as_large_as_the_film(finder):
    assert finder(torch.zeros(1, 1, 5 * STRIDE, 3 * STRIDE)).shape == (1, 1, 5 * STRIDE, 3 * STRIDE)


def test_nothing_beyond_the_margin_matters(finder):
    film = torch.rand(1, 1, 32 * STRIDE, 2 * STRIDE)
    other = film.clone()
    other[:, :, -1] = 1 - other[:, :, -1]
    changed = (finder(film) - finder(other)).abs().amax(dim=(0, 1, 3)) > 0
    assert changed[-1]
    assert not changed[: 32 * STRIDE - MARGIN].any()


def test_a_film_and_its_mirror_image_have_the_same_deposits(finder):
    film, both = torch.rand(1, 1, 4 * STRIDE, 4 * STRIDE), Looks(finder, finder).eval()
    assert torch.allclose(both(film), both(film.flip(3)).flip(3), atol=1e-5)
    low, high = (torch.sigmoid(found) for found in (finder(film), finder(film.flip(3)).flip(3)))
    assert torch.allclose(torch.sigmoid(both(film)), (low + high) / 2, atol=1e-5)


def test_an_odd_look_counts_with_the_others(finder):
    film = torch.rand(1, 1, 4 * STRIDE, 4 * STRIDE)
    low, high = (torch.sigmoid(found) for found in (finder(film), finder(film.flip(3)).flip(3)))
    three = torch.sigmoid(Looks(finder, finder, finder).eval()(film))
    assert torch.allclose(three, (2 * low + high) / 3, atol=1e-5)


def test_the_loss_likes_the_truth():
    truth = torch.zeros(1, 1, 32, 32)
    truth[..., 8:16, 8:16] = 1
    even = torch.ones_like(truth)
    assert loss_of(20 * (truth - 0.5), truth, even) < 0.01 < loss_of(-20 * (truth - 0.5), truth, even)


def test_ignored_pixels_cost_nothing():
    truth, none = torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)
    assert loss_of(torch.full_like(truth, 9.0), truth, none) == pytest.approx(0, abs=1e-6)


def test_weights_come_back(finder, tmp_path):
    save_weights(finder, tmp_path / "w.safetensors")
    copy = type(finder)().eval()
    load_weights(copy, tmp_path / "w.safetensors")
    film = torch.rand(1, 1, 64, 64)
    assert np.allclose(finder(film).detach().numpy(), copy(film).detach().numpy(), atol=0.02)


def test_small_deposits_weigh_more_per_pixel():
    from calcimeasure.training.feed import balance

    labels = np.zeros((60, 60), np.uint8)
    labels[:4, :10], labels[20:, :] = 1, 2
    weight = balance(labels)
    assert weight[10, 10] == 1
    assert weight[0, 0] > 3 * weight[30, 30]
