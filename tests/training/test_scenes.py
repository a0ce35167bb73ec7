"""Scenes: the truth sits on the foot of what was inserted, and on nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from calcimeasure.training.deposits import draw_deposit
from calcimeasure.training.distractors import DRAWERS, add_distractors
from calcimeasure.training.exposure import insert, process
from calcimeasure.training.films import Film
from calcimeasure.training.scenes import SUBTLE, Hotspot, Patch, cut_patch, make_scene, visibility

SIDE, MM = 160, 0.25


def forearm(value=0.35):
    grey = np.zeros((SIDE, SIDE), np.float32)
    grey[:, 40:120] = value
    return Patch(grey, grey > 0, grey > 0, False)


def film():
    grey = np.round(np.tile(forearm().grey, (2, 2)) * 255).astype(np.uint8)
    return Film("drawn", grey, MM, (grey > 0).astype(np.uint8), (grey > 0).astype(np.uint8), False)


@pytest.mark.parametrize("seed", range(12))
def test_inserting_brightens_the_truth_and_nothing_far_from_it(seed):
    rng = np.random.default_rng(seed)
    thickness = np.zeros((SIDE, SIDE), np.float32)
    one = draw_deposit(MM, rng, 0.0, "nodule")[1][:120, :120]
    thickness[20 : 20 + one.shape[0], 20 : 20 + one.shape[1]] = one
    flat = np.full((SIDE, SIDE), 0.3, np.float32)
    added = insert(flat, thickness, MM, rng) - flat
    assert added.min() >= -1e-6
    assert added[thickness > 0.5 * thickness.max()].mean() > 0.12 * thickness.max()
    far = np.ones_like(flat, bool)
    rows, columns = np.nonzero(thickness > 0)
    far[max(0, rows.min() - 8) : rows.max() + 9, max(0, columns.min() - 8) : columns.max() + 9] = False
    assert np.abs(added[far]).max() < 1e-3


def test_some_deposits_stand_out_through_the_skin_and_most_do_not():
    scenes = [make_scene(forearm(), MM, np.random.default_rng(seed), 1, plain=True) for seed in range(60)]
    outside = [bool(scene.labels[:, :37].any() or scene.labels[:, 123:].any()) for scene in scenes]
    assert 0 < sum(outside) < 20
    assert all(scene.labels.max() <= len(scene.visibility) <= 1 for scene in scenes)


def test_a_scene_is_decided_by_its_seed():
    def draw(seed):
        rng = np.random.default_rng(seed)
        return make_scene(cut_patch([film()], [], 128, MM, rng), MM, rng)

    first, again, other = draw(1), draw(1), draw(2)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.image, other.image)


def test_no_limb_no_deposit():
    empty = np.zeros((SIDE, SIDE), bool)
    scene = make_scene(Patch(np.zeros((SIDE, SIDE), np.float32), empty, empty, False), MM, np.random.default_rng(0), 5)
    assert not scene.truth.any()


def test_thicker_is_more_visible():
    flat, body = np.full((SIDE, SIDE), 0.3, np.float32), np.zeros((SIDE, SIDE), np.float32)
    body[70:90, 70:90] = 1
    faint, strong = visibility(flat, [0.05 * body, 0.4 * body], MM)
    assert strong > 4 * faint


def test_subtle_deposits_lie_on_bone_and_are_hard_to_see():
    rng = np.random.default_rng(3)
    bone = np.zeros((SIDE, SIDE), np.float32)
    bone[:, 60:100] = 0.2 + 0.05 * rng.standard_normal((SIDE, 40), np.float32)
    patch = forearm()
    bright = Patch(patch.grey + bone, patch.limb, patch.soft & (bone == 0), False, subtle=1.0)
    scenes = [make_scene(bright, MM, np.random.default_rng(seed), 1, plain=True) for seed in range(60)]
    seen = np.array([scene.visibility[0] for scene in scenes if scene.visibility])
    assert len(seen) > 40
    assert (seen < SUBTLE[1] * 1.5).mean() > 0.9  # the clutter that counts is that of the film as it is exposed
    middle = [np.argwhere(scene.truth).mean(0)[1] for scene in scenes if scene.truth.any()]
    assert np.mean([50 < column < 110 for column in middle]) > 0.9


def test_a_saturated_film_shows_no_deposit_and_stops_nothing():
    patch = forearm(1.0)
    make_scene(
        Patch(patch.grey, patch.limb, np.zeros_like(patch.soft), False, subtle=1.0), MM, np.random.default_rng(0), 3
    )


def test_a_hotspot_is_looked_for_on_the_film_it_names():
    pale, other = replace(film(), name="pale", grey=np.full_like(film().grey, 200)), film()
    taken = next(seed for seed in range(20) if np.random.default_rng(seed).random() < 0.3)
    spot = Hotspot("pale", 40.0, 40.0, 0.9)
    for films in ([pale, other], [other, pale]):
        view = cut_patch(films, [spot], 64, MM, np.random.default_rng(taken))
        assert view.grey[32, 32] == pytest.approx(200 / 255)


def test_hotspots_of_another_list_of_films_are_passed_over():
    spot = Hotspot("no film of these", 40.0, 20.0, 0.9)
    for seed in range(20):
        assert cut_patch([film()], [spot], 64, MM, np.random.default_rng(seed)).grey.shape == (64, 64)


@pytest.mark.parametrize("seed", range(6))
def test_processing_keeps_size_and_range(seed):
    image = process(np.random.default_rng(seed).random((97, 131), np.float32), np.random.default_rng(seed))
    assert image.shape == (97, 131)
    assert 0 <= image.min() <= image.max() <= 1


@pytest.mark.parametrize("drawer", sorted(set(DRAWERS), key=lambda d: d.__name__), ids=lambda d: d.__name__)
def test_every_distractor_leaves_ink(drawer):
    inks = np.zeros((12, 300, 300), np.uint8)
    for seed, ink in enumerate(inks):
        drawer(ink, MM, np.random.default_rng(seed))
    assert (inks.reshape(12, -1).max(1) > 0).sum() >= 8


def test_distractors_only_brighten_what_they_cover():
    flat = np.full((200, 200), 0.4, np.float32)
    image, covered = add_distractors(flat, MM, np.random.default_rng(4))
    changed = np.abs(image - flat) > 0.2
    assert changed.any()
    assert (changed & ~covered).sum() < 0.1 * changed.sum()
