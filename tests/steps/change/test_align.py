"""Alignment on drawn limbs whose deposits follow the bones, so that the truth is known in any pose."""

from dataclasses import replace

import numpy as np
import pytest

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.alignment import Alignment
from calcimeasure.model.image import Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.phantom.anatomy import Placement, Pose
from calcimeasure.phantom.answer import Phantom
from calcimeasure.phantom.deposits import Calcium, Shape, Site
from calcimeasure.phantom.film import Exposure, FilmScene, Tone, draw_film, random_film_scene
from calcimeasure.phantom.fittings import Collimation, Fittings
from calcimeasure.phantom.frame import Frame
from calcimeasure.report.words import in_one
from calcimeasure.steps.change.align import align

MM = 0.5
SITES = (
    Site("index proximal phalanx", 0.5, 6.0),
    Site("little middle phalanx", 0.5, -4.0),
    Site("thumb distal phalanx", 0.6, 3.0),
    Site("radius", 0.93, 8.0),
    Site("ring metacarpal", 0.5, 6.0),
    Site("middle distal phalanx", 0.6, 3.0),
)
POSE = Pose((4.0, -3.0, 3.0, -4.0, 5.0), (3.0, -4.0, 4.0, 3.0, -4.0), (0.0,) * 5)


def scene(mm: float = MM, **changes: object) -> FilmScene:
    deposits = tuple(Calcium(Shape.NODULE, site, 4.0, 2.0, n) for n, site in enumerate(SITES))
    first = FilmScene(Frame(240.0, 190.0, mm), "hand", Placement(91.0, 190.0, 2.0, 0.95), deposits=deposits)
    return replace(first, **changes)


@pytest.fixture(scope="module")
def first() -> Phantom:
    return draw_film(scene(), 1)


def errors_mm(first: Phantom, second: Phantom, found: Alignment) -> list[float]:
    """How far the centroids of the same deposits miss each other, there and back, in mm."""
    both = np.intersect1d(first.truth.numbers, second.truth.numbers)
    here, there = (np.array([np.argwhere(p.truth.array == n).mean(axis=0) for n in both]) for p in (first, second))
    forth = np.linalg.norm(found.followup_of(here) - there, axis=1) * second.mm
    back = np.linalg.norm(found.baseline_of(there) - here, axis=1) * first.mm
    return [*forth, *back]


SECOND = {
    "as it was": {},
    "turned, shifted, larger": {"placement": Placement(99.0, 183.0, -7.0, 0.97)},
    "turned by a quarter": {"placement": Placement(10.0, 110.0, 90.0, 0.95)},
    "fingers in another pose": {"pose": POSE},
    "other exposure": {"exposure": Exposure(8000.0, 0.3, 0.2, 0.0), "tone": Tone(gamma=1.3, sharpen=0.1)},
}


@pytest.mark.parametrize("changes", SECOND.values(), ids=SECOND)
def test_deposits_land_on_themselves(first: Phantom, changes: dict[str, object]) -> None:
    second = draw_film(scene(**changes), 2)
    found = align(first.image, second.image)
    errors = errors_mm(first, second, found)
    assert not found.refused
    assert np.median(errors) < 1.0
    assert max(errors) < 3.0
    assert found.overlap > 0.9


def test_other_pixel_size_with_known_scales(first: Phantom) -> None:
    second = draw_film(scene(mm=0.4, pose=POSE), 2)
    found = align(first.image, second.image)
    assert found.backward.shape[:2] == second.image.shape
    assert max(errors_mm(first, second, found)) < 3.0


def test_unknown_scale_leaves_mm_unknown(first: Phantom) -> None:
    found = align(first.image.with_spacing(None), draw_film(scene(), 2).image.with_spacing(None))
    assert found.residual_mm is None
    assert found.residual_px < 1.0


def test_what_the_field_cuts_off_has_no_place_on_the_other_film(first: Phantom) -> None:
    cut = Fittings(collimation=Collimation((70.0, 4.0, 4.0, 4.0)))
    second = draw_film(scene(fittings=cut), 2)
    found = align(first.image, second.image)
    number = {n: np.argwhere(first.truth.array == n).mean(axis=0) for n in (5, 6)}
    assert not found.refused
    assert np.isnan(found.followup_of([number[6]])).all()  # tip of the middle finger
    assert np.isfinite(found.followup_of([number[5]])).all()


def test_there_and_back_is_the_same_place(first: Phantom) -> None:
    found = align(first.image, draw_film(scene(pose=POSE), 2).image)
    points = np.argwhere(first.limb)[::997]
    back = found.baseline_of(found.followup_of(points))
    assert np.nanmedian(np.linalg.norm(back - points, axis=1)) < 0.2


def test_same_films_same_bytes(first: Phantom) -> None:
    second = draw_film(scene(pose=POSE), 2).image
    one, two = (align(first.image, second) for _ in range(2))
    assert one.forward.tobytes() == two.forward.tobytes()


WRONG = {
    "other side": (lambda: scene(mirrored=True), "opposite sides"),
    "foot": (lambda: FilmScene(Frame(240.0, 190.0, MM), "foot", Placement(95.0, 158.0)), "not show the same limb"),
    "forearm": (lambda: FilmScene(Frame(240.0, 190.0, MM), "forearm", Placement(95.0, 125.0)), "not show the same"),
}


@pytest.mark.parametrize(("other", "words"), WRONG.values(), ids=WRONG)
def test_wrong_pairs_are_refused(first: Phantom, other: object, words: str) -> None:
    found = align(first.image, draw_film(other(), 2).image)
    assert words in in_one(found.refused)
    assert np.isnan(found.forward).all()


def test_a_flip_that_is_known_is_followed(first: Phantom) -> None:
    second = draw_film(scene(mirrored=True), 2)
    found = align(first.image, second.image, mirrored=True)
    assert found.mirrored
    assert max(errors_mm(first, second, found)) < 3.0


def test_a_film_without_anything_is_refused(first: Phantom) -> None:
    blank = Image(np.full(first.image.shape, 7, np.uint8), Kind.RADIOGRAPH, Meaning.DISPLAY)
    for pair in ((first.image, blank), (blank, first.image)):
        assert "no limb" in in_one(align(*pair).refused)


def test_a_resolved_deposit_that_is_ignored_does_not_bend_the_map() -> None:
    big = (Calcium(Shape.NODULE, Site("middle metacarpal", 0.5, 9.0), 14.0, 6.0, 5),)
    before, after = draw_film(scene(deposits=big), 1), draw_film(scene(deposits=()), 2)
    found = align(before.image, after.image, ignore=(before.truth.array > 0, None))
    inside = np.argwhere(before.truth.array > 0)
    assert np.abs(found.followup_of(inside) - inside).max() * MM < 1.0


def turned(points: np.ndarray) -> np.ndarray:
    """(row, column) turned by 30 degrees, a fifth larger, shifted."""
    c, s = np.cos(np.pi / 6) * 1.2, np.sin(np.pi / 6) * 1.2
    return points @ np.array([[c, -s], [s, c]]).T + [150.0, 60.0]


MARKED = np.array([[30.0, 40.0], [250.0, 60.0], [140.0, 200.0], [60.0, 180.0], [200.0, 130.0]])


def plain(columns: int = 320) -> Image:
    spacing = Spacing.of(0.5, 0.5, SpacingOrigin.USER)
    return Image(np.zeros((320, columns), np.uint8), Kind.RADIOGRAPH, Meaning.DISPLAY, spacing)


@pytest.mark.parametrize("count", [3, 4, 5])
def test_landmarks_give_the_map_without_a_picture(count: int) -> None:
    pairs = list(zip(MARKED[:count].tolist(), turned(MARKED[:count]).tolist(), strict=True))
    found = align(plain(), Image(np.zeros((520, 420), np.uint8), Kind.RADIOGRAPH, Meaning.DISPLAY), landmarks=pairs)
    assert found.method == f"from {count} landmarks"
    np.testing.assert_allclose(found.followup_of(MARKED), turned(MARKED), atol=0.05)
    assert found.residual_mm < 0.01


def test_flipped_landmarks_are_refused_unless_told() -> None:
    pairs = [((r, c), (r, 319 - c)) for r, c in MARKED]
    assert "flipped" in in_one(align(plain(), plain(), landmarks=pairs).refused)
    found = align(plain(), plain(), landmarks=pairs, mirrored=True)
    np.testing.assert_allclose(found.followup_of([[100.0, 20.0]]), [[100.0, 299.0]], atol=0.05)


BAD = {
    "two": MARKED[:2],
    "off the film": np.vstack([MARKED[:2], [[500.0, 10.0]]]),
    "one place": np.repeat(MARKED[:1], 3, axis=0),
    "not a number": np.vstack([MARKED[:2], [[np.nan, 10.0]]]),
}


@pytest.mark.parametrize("points", BAD.values(), ids=BAD)
def test_landmarks_that_cannot_be_used(points: np.ndarray) -> None:
    with pytest.raises(MeasurementRefused):
        align(plain(), plain(), landmarks=[(tuple(p), tuple(p)) for p in points])


def test_what_a_cut_field_hides_is_not_followed() -> None:
    """A forearm looks alike along its length: calcium behind the blade must not be looked for in what is left."""
    first, new = random_film_scene(0, 0.25, "forearm", 6), random_film_scene(2000, 0.25, "forearm", 0)
    lies = first.placement
    moved = Placement(lies.x_mm - 2.57, lies.y_mm - 2.91, lies.turn - 0.46, 0.991 * lies.scale)
    blades = replace(new.fittings, collimation=Collimation((45.0, 6.0, 5.0, 6.0), 1.0))
    second = replace(first, placement=moved, exposure=new.exposure, tone=new.tone, fittings=blades)
    one, two = draw_film(first, 0), draw_film(second, 500)
    laid = align(one.image, two.image)
    assert not laid.refused
    numbers = np.intersect1d(one.truth.array, two.truth.array)[1:]
    here, there = (np.array([np.argwhere(f.truth.array == n).mean(axis=0) for n in numbers]) for f in (one, two))
    away = 0.25 * np.linalg.norm(laid.followup_of(here) - there, axis=1)
    shown = there[:, 0] > 190  # rows; the blade ends at 180
    assert shown.sum() >= 4
    assert np.nanmax(away) < 2.0
    assert np.isfinite(away[shown]).all()
