"""The learned method: laws that hold whatever the weights, and sense on phantoms."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calcimeasure import Image, Kind, Meaning, Recipe, Spacing, SpacingOrigin, read_image, segment
from calcimeasure.io.given.spacing_table import read_spacings
from calcimeasure.io.results.masks import read_labels
from calcimeasure.phantom.film import draw_film, random_film_scene
from calcimeasure.steps.anatomy import Survey
from calcimeasure.steps.outline.learned import (
    MARGIN,
    STRIDE,
    TILE,
    Networks,
    _spans,
    find_learned,
    finder_map,
    segment_learned,
    stretched,
)
from calcimeasure.steps.outline.settings import SegmentSettings

SAMPLES = Path(__file__).resolve().parents[2] / "sample_images"
SETTINGS = SegmentSettings(method="learned")


@pytest.fixture(scope="module")
def film() -> Image:
    return draw_film(random_film_scene(3, mm=0.5, part="forearm", count=3), 3).image


def test_the_map_does_not_depend_on_the_tiling(film: Image) -> None:
    networks, grey = Networks.named("deposits"), stretched(film.pixels, film.valid)
    whole = finder_map(grey, 0.5, networks)
    for tile in (STRIDE * 15, STRIDE * 24):
        assert abs(finder_map(grey, 0.5, networks, tile) - whole).max() < 1e-3


@pytest.mark.parametrize("side", [16, 1312, 1328, 2144, 2160, 5008])
def test_the_cores_of_tiles_cover_a_side_once_and_their_parts_are_no_larger_than_said(side: int) -> None:
    cores = _spans(side, TILE)
    assert [n for core in cores for n in range(core.start, core.stop)] == list(range(side))
    parts = [min(side, core.stop + MARGIN) - max(0, core.start - MARGIN) for core in cores]
    assert max(parts) <= TILE + 2 * MARGIN


def test_on_a_trunk_every_finding_scores_lower(film: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    limb = [one.score for one in find_learned(film, SETTINGS).candidates]
    monkeypatch.setattr(Survey, "trunk", property(lambda self: True))
    trunk = [one.score for one in find_learned(film, SETTINGS).candidates]
    assert len(limb) == len(trunk) > 0
    assert all(less < more for less, more in zip(trunk, limb, strict=True))


def test_the_same_film_gives_the_same_mask_whatever_the_threads(film: Image) -> None:
    before = cv2.getNumThreads()
    try:
        masks = []
        for threads in (1, 2, 1):
            cv2.setNumThreads(threads)
            masks.append(segment_learned(film, SETTINGS).labels.array)
    finally:
        cv2.setNumThreads(before)
    assert all(np.array_equal(masks[0], mask) for mask in masks)


@pytest.mark.parametrize("change", [lambda p: p * 3 + 100, lambda p: p.astype(np.float32)])
def test_gain_offset_and_dtype_change_nothing(film: Image, change: object) -> None:
    small = replace(film, pixels=(film.pixels // 4).astype(np.int32), ceiling=None)
    other = replace(small, pixels=change(small.pixels))  # type: ignore[operator]
    first, second = (segment_learned(one, SETTINGS).labels.array > 0 for one in (small, other))
    assert (first ^ second).sum() <= 0.01 * max(first.sum(), 1)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (40, 40)])
def test_a_film_that_shows_nothing_has_no_deposit(shape: tuple[int, int]) -> None:
    for pixels in (np.zeros(shape, np.uint8), np.eye(*shape, dtype=np.uint16) * 9):
        found = segment(Image(pixels, Kind.RADIOGRAPH, Meaning.DISPLAY), SETTINGS)
        assert found.labels.shape == shape


def test_a_long_straight_strand_in_the_limb_is_no_edge_of_the_field() -> None:
    film = replace(read_image(SAMPLES / "forearm.jpg"), spacing=Spacing.of(0.25, 0.25, SpacingOrigin.USER))
    strand = read_labels(SAMPLES / "truth" / "forearm.labels.tif", film.shape).array == 3
    assert np.ptp(np.nonzero(strand)[0]) * 0.25 > 20
    found = segment(film, SETTINGS).labels.array > 0
    assert (found & strand).sum() > 0.6 * strand.sum()


def test_an_unknown_scale_is_told_and_never_reported(film: Image) -> None:
    found = segment_learned(film.with_spacing(None), SETTINGS)
    assert any("scale unknown" in warning for warning in found.warnings)


def test_the_sample_films_are_outlined_about_where_their_truth_is() -> None:
    spacings = {row.image: row.mm for row in read_spacings(SAMPLES / "spacing.csv").rows}
    both = each = 0
    for truth in sorted((SAMPLES / "truth").glob("*.labels.tif")):
        path = next(p for p in SAMPLES.iterdir() if p.stem == truth.name.removesuffix(".labels.tif"))
        image = read_image(path, spacing=spacings.get(path.name))
        if image.kind is Kind.RADIOGRAPH:
            mine, true = segment_learned(image, SETTINGS).labels.array > 0, read_labels(truth, image.shape).array > 0
            both, each = both + int((mine & true).sum()), each + int(mine.sum() + true.sum())
    assert 2 * both / each > 0.6


def test_ring_and_screw_of_the_clean_hand_are_not_called_calcium() -> None:
    image = read_image(SAMPLES / "hand_clean.png")
    assert segment_learned(image, SETTINGS).labels.count == 0


def test_the_hash_of_the_weights_is_part_of_the_recipe() -> None:
    learned, classical = Recipe(segment=SETTINGS), Recipe(segment=SegmentSettings(method="classical"))
    assert learned.weights_sha256 is not None
    assert len(learned.weights_sha256) == 64
    assert classical.weights_sha256 is None


def test_a_region_limits_what_is_kept(film: Image) -> None:
    region = np.zeros(film.shape, bool)
    region[: film.shape[0] // 2] = True
    found = segment_learned(film, SETTINGS, region)
    assert not found.labels.array[~region].any()


def test_a_scale_nobody_can_believe_ends_in_bounded_time(film: Image) -> None:
    for mm in (0.001, 5.0):
        odd = film.with_spacing(Spacing.of(mm, mm, SpacingOrigin.USER))
        assert segment_learned(odd, SETTINGS).labels.shape == film.shape


def test_networks_of_the_release_before_stay_selectable_by_name() -> None:
    from calcimeasure.steps.outline.settings import WEIGHTS_NAMES
    from calcimeasure.steps.outline.weights import Weights, fingerprint

    for name in WEIGHTS_NAMES:
        weights = Weights.named(name)
        assert weights.finder.file.exists()
        assert weights.outline.exists()
    assert len({fingerprint(name) for name in WEIGHTS_NAMES}) == len(WEIGHTS_NAMES)
