"""The pencil draws what it says it draws."""

import importlib.util
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calcimeasure.model.image import Kind, Meaning
from calcimeasure.phantom.anatomy import Placement, Pose
from calcimeasure.phantom.answer import Phantom
from calcimeasure.phantom.deposits import Calcium, Shape, Site, where_is
from calcimeasure.phantom.film import (
    PARTS,
    PER_MM,
    Exposure,
    FilmScene,
    Tone,
    Writing,
    draw_film,
    random_film_scene,
)
from calcimeasure.phantom.fittings import Collimation, Fittings, Wedge, irradiated, step_of_wedge
from calcimeasure.phantom.frame import Frame, texture
from calcimeasure.phantom.outline import Outline
from calcimeasure.phantom.photo import (
    PARTS as PHOTO_PARTS,
)
from calcimeasure.phantom.photo import (
    PhotoScene,
    Skin,
    draw_photo,
    ita_degrees,
    random_photo_scene,
)
from calcimeasure.phantom.ruler import lay_ruler

ROOT = Path(__file__).resolve().parents[1]
PROXIMAL = Site("middle proximal phalanx", 0.5, 7.0)


def hand_with(*deposits: Calcium, mm: float = 0.25, tone: Tone | None = None, pose: Pose | None = None) -> FilmScene:
    return FilmScene(
        Frame(220.0, 160.0, mm), "hand", Placement(78.0, 182.0, 2.0, 0.93), pose or Pose(), deposits,
        tone=tone or Tone(Writing.LOG, 16, gain=2.0),
    )  # fmt: skip


def fingerprint(phantom: Phantom) -> tuple[bytes, bytes]:
    return phantom.image.pixels.tobytes(), phantom.truth.array.tobytes()


# ------------------------------------------------------------------------------------------------ areas


@pytest.mark.parametrize(
    ("shape", "size_mm", "mm"),
    [
        (Shape.DISC, 4.0, 0.1),
        (Shape.DISC, 9.0, 0.25),
        (Shape.NODULE, 8.0, 0.2),
        (Shape.PLAQUE, 12.0, 0.25),
    ],
)
def test_area_is_that_of_the_formula(shape: Shape, size_mm: float, mm: float) -> None:
    phantom = draw_film(hand_with(Calcium(shape, PROXIMAL, size_mm, 2.0, 5), mm=mm), 1)
    assert phantom.areas_mm2 == (pytest.approx(np.pi * size_mm**2 / 4),)
    assert phantom.area_mm2 == pytest.approx(np.pi * size_mm**2 / 4, rel=0.01)


@pytest.mark.parametrize("shape", Shape)
def test_half_the_pixel_keeps_the_millimetres(shape: Shape) -> None:
    calcium = Calcium(shape, PROXIMAL, 9.0, 2.0, 3)
    coarse, fine = (draw_film(hand_with(calcium, mm=mm), 1) for mm in (0.4, 0.2))
    assert fine.image.shape == (2 * coarse.image.shape[0], 2 * coarse.image.shape[1])
    assert fine.area_mm2 == pytest.approx(coarse.area_mm2, rel=0.05)
    for name in ("limb", "bone"):
        areas = [np.count_nonzero(getattr(p, name)) * p.mm**2 for p in (coarse, fine)]
        assert areas[1] == pytest.approx(areas[0], rel=0.01), name


@given(
    radius=st.floats(1.0, 6.0),
    turn=st.floats(0, 3.1),
    form=st.integers(0, 1000),
    x=st.floats(10, 14),
    y=st.floats(10, 14),
)
@settings(max_examples=30, deadline=None)
def test_wavy_outlines_enclose_their_formula(radius: float, turn: float, form: int, x: float, y: float) -> None:
    outline = Outline.wavy((x, y, turn), radius, np.random.default_rng(form))
    frame = Frame(24.0, 24.0, 0.05)
    inside = outline.radius(frame.x, frame.y) < 1
    assert outline.area_mm2 == pytest.approx(np.pi * radius**2)
    assert np.count_nonzero(inside) * 0.05**2 == pytest.approx(outline.area_mm2, rel=0.01)


def test_no_outline_leaves_its_reach() -> None:
    outline = Outline.wavy((12.0, 12.0, 0.4), 5.0, np.random.default_rng(4))
    frame = Frame(24.0, 24.0, 0.1)
    away = np.hypot(frame.x - 12.0, frame.y - 12.0)
    assert away[outline.radius(frame.x, frame.y) < 1].max() <= outline.reach_mm


# ------------------------------------------------------------------------------------------------ films


def test_same_seed_same_bytes() -> None:
    scene = random_film_scene(4, 0.4)
    assert scene == random_film_scene(4, 0.4)
    assert fingerprint(draw_film(scene, 9)) == fingerprint(draw_film(scene, 9))
    assert fingerprint(draw_film(scene, 9))[0] != fingerprint(draw_film(scene, 10))[0]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("writing", Writing)
def test_deposits_are_bright(part: str, writing: Writing) -> None:
    scene = replace(random_film_scene(11, 0.3, part, 5), tone=Tone(writing, 12), fittings=Fittings())
    with_calcium, without = draw_film(scene, 2), draw_film(replace(scene, deposits=()), 2)
    thick = with_calcium.thickness_mm
    assert thick is not None
    gain = with_calcium.image.pixels.astype(float) - without.image.pixels
    for number in with_calcium.truth.numbers:
        here = with_calcium.truth.array == number
        assert gain[here & (thick > 0.5 * thick[here].max())].mean() > 3 * gain[~with_calcium.limb].std() / 10
    assert gain[with_calcium.truth.array > 0].mean() > 0
    assert abs(gain[~with_calcium.limb].mean()) < 0.1 * gain[with_calcium.truth.array > 0].mean()


def test_truth_is_where_there_is_calcium() -> None:
    phantom = draw_film(random_film_scene(12, 0.3, "hand", 6), 2)
    assert phantom.thickness_mm is not None
    assert np.array_equal(phantom.truth.array > 0, phantom.thickness_mm > 0.03)
    assert phantom.truth.count == 6 == len(phantom.areas_mm2)


def test_random_deposits_lie_in_the_limb() -> None:
    outside = inside = 0
    for seed in range(8):
        phantom = draw_film(random_film_scene(seed, 0.5, count=6), seed)
        outside += np.count_nonzero((phantom.truth.array > 0) & ~phantom.limb)
        inside += np.count_nonzero((phantom.truth.array > 0) & phantom.limb)
    assert outside < 0.15 * (outside + inside)


def test_log_values_follow_beer_and_lambert() -> None:
    calm = Exposure(photons_mm2=1e9, scatter=0.0, blur_mm=0.0, heel=0.0)
    scene = replace(
        hand_with(Calcium(Shape.DISC, PROXIMAL, 5.0, 2.0), tone=Tone(Writing.LOG, 16, gain=2.0)), exposure=calm
    )
    with_calcium, without = draw_film(scene, 2), draw_film(replace(scene, deposits=()), 2)
    gain = with_calcium.image.pixels.astype(float) - without.image.pixels
    decades = gain[with_calcium.truth.array == 1].mean() / 65535 * 4 / 2.0
    assert decades * np.log(10) == pytest.approx(PER_MM["calcium"] * 2.0, rel=0.01)


@pytest.mark.parametrize("writing", [Writing.LINEAR, Writing.LOG])
def test_wedge_steps_rise(writing: Writing) -> None:
    wedge = Wedge(6.0, 6.0)
    scene = replace(hand_with(tone=Tone(writing, 16)), fittings=Fittings(wedge=wedge))
    phantom = draw_film(scene, 3)
    means = [phantom.image.pixels[step_of_wedge(scene.frame, wedge, n)].mean() for n in range(len(wedge.steps_mm))]
    assert np.all(np.diff(means) > 0)
    if writing is Writing.LOG:
        slopes = np.diff(means)[:3] / np.diff(wedge.steps_mm)[:3] / 65535 * 4 * np.log(10)
        assert slopes == pytest.approx(PER_MM["aluminium"], rel=0.12)


@pytest.mark.parametrize(("photons", "noisier"), [(4e3, True), (1e6, False)])
def test_fewer_photons_are_grainier(photons: float, noisier: bool) -> None:
    def grain(count: float) -> float:
        phantom = draw_film(replace(hand_with(), exposure=Exposure(count)), 4)
        return float(np.std(np.diff(phantom.image.pixels[:100, :100].astype(float))))

    assert (grain(photons) > grain(6e4)) is noisier


@pytest.mark.parametrize(
    ("writing", "meaning"),
    [(Writing.LINEAR, Meaning.DETECTOR), (Writing.LOG, Meaning.DETECTOR), (Writing.DISPLAY, Meaning.DISPLAY)],
)
def test_a_film_says_what_its_values_mean(writing: Writing, meaning: Meaning) -> None:
    image = draw_film(hand_with(mm=0.5, tone=Tone(writing, 8)), 1).image
    assert (image.kind, image.meaning, image.ceiling) == (Kind.RADIOGRAPH, meaning, 255.0)
    assert image.spacing is not None
    assert image.spacing.row_mm == 0.5


def test_fingers_take_their_deposits_along() -> None:
    site = Site("index distal phalanx", 0.6, 2.0)
    calcium = Calcium(Shape.NODULE, site, 4.0, 2.0, 1)
    bent = Pose((0.0, -8.0, 0.0, 0.0, 0.0), (0.0, -12.0, 0.0, 0.0, 0.0))
    rest, moved = hand_with(calcium, mm=0.2), hand_with(calcium, mm=0.2, pose=bent)
    away = np.hypot(*np.subtract(where_is(rest.limb, site)[:2], where_is(moved.limb, site)[:2]))
    films = [draw_film(scene, 1) for scene in (rest, moved)]
    assert away > 8
    assert films[1].area_mm2 == pytest.approx(films[0].area_mm2, rel=0.02)
    for film, scene in zip(films, (rest, moved), strict=True):
        rows, columns = np.nonzero(film.truth.array)
        x, y, _ = where_is(scene.limb, site)
        assert np.hypot((columns.mean() + 0.5) * 0.2 - x, (rows.mean() + 0.5) * 0.2 - y) < 0.5


def test_the_other_side_is_the_mirror_image() -> None:
    scene = hand_with(Calcium(Shape.PLAQUE, PROXIMAL, 8.0, 2.0, 2))
    one, other = draw_film(scene, 1), draw_film(replace(scene, mirrored=True), 1)
    assert np.array_equal(one.truth.array, other.truth.array[:, ::-1])
    assert np.array_equal(one.bone, other.bone[:, ::-1])


def test_a_shutter_is_black_and_a_rim_is_bright() -> None:
    collimation = Collimation((8.0, 8.0, 8.0, 8.0), 1.0)
    scene = replace(hand_with(tone=Tone(Writing.DISPLAY, 8)), fittings=Fittings(collimation=collimation))
    pixels = draw_film(scene, 1).image.pixels
    inside, edge = irradiated(scene.frame, collimation), irradiated(scene.frame, collimation, 0.7)
    assert pixels[~edge].max() == 0
    assert pixels[edge & ~inside].mean() > pixels[inside].mean() + 80


def test_a_cut_deposit_keeps_its_number() -> None:
    away = Calcium(Shape.DISC, Site("radius", -0.5, 0.0), 4.0, 1.0)
    here = Calcium(Shape.DISC, PROXIMAL, 4.0, 1.0)
    assert draw_film(hand_with(away, here, mm=0.5), 1).truth.numbers.tolist() == [2]


def test_finer_texture_is_the_same_texture() -> None:
    coarse, fine = (texture(Frame(40.0, 60.0, mm), np.random.default_rng(3), 3.0, 2.0, 0.7) for mm in (0.5, 0.25))
    assert np.corrcoef(cv2.resize(fine, (120, 80), interpolation=cv2.INTER_AREA).ravel(), coarse.ravel())[0, 1] > 0.99
    assert 0.5 < coarse.std() < 1.6


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Frame(0.0, 10.0, 0.1), "no pixels"),
        (lambda: Frame(10.0, 10.0, 0.0), "no pixels"),
        (lambda: replace(hand_with(), part="ear"), "ear"),
        (lambda: replace(random_photo_scene(1), part="ear"), "ear"),
    ],
)
def test_impossible_scenes_are_refused(wrong: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wrong()  # type: ignore[operator]


def test_unknown_bone_is_named() -> None:
    with pytest.raises(KeyError, match="tail"):
        draw_film(hand_with(Calcium(Shape.DISC, Site("tail", 0.5, 0.0), 4.0, 1.0)), 1)


def test_answers_are_read_only() -> None:
    phantom = draw_film(hand_with(mm=0.5), 1)
    for array in (phantom.image.pixels, phantom.truth.array, phantom.limb, phantom.bone, phantom.thickness_mm):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1  # type: ignore[index]


# ----------------------------------------------------------------------------------------------- photos


def skin_ita(phantom: Phantom) -> float:
    lab = cv2.cvtColor(phantom.image.pixels.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    return ita_degrees(np.median(lab[phantom.limb & (phantom.truth.array == 0)], axis=0))


@pytest.mark.parametrize("part", PHOTO_PARTS)
@pytest.mark.parametrize("ita", [-40, -20, 0, 20, 40, 60])
def test_skin_has_the_tone_asked_for(ita: float, part: str) -> None:
    phantom = draw_photo(random_photo_scene(60 + ita, ita, part), 5)
    assert skin_ita(phantom) == pytest.approx(ita, abs=5)
    assert ita_degrees(np.array(Skin(ita).lab)) == pytest.approx(ita)


def contrasts(phantom: Phantom) -> list[float]:
    """Colour difference of each deposit to the skin around it."""
    lab = cv2.cvtColor(phantom.image.pixels.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    out = []
    for number in phantom.truth.numbers:
        here = phantom.truth.array == number
        near = cv2.dilate(here.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
        around = near & phantom.limb & (phantom.truth.array == 0)
        out.append(float(np.linalg.norm(np.median(lab[here], axis=0) - np.median(lab[around], axis=0))))
    return out


@pytest.mark.parametrize(("ita", "least"), [(-40, 20), (10, 14), (55, 6)])
def test_chalk_differs_from_the_skin_around_it(ita: float, least: float) -> None:
    phantom = draw_photo(random_photo_scene(8, ita, "finger"), 5)
    assert np.median(contrasts(phantom)) > least
    assert phantom.area_mm2 == pytest.approx(sum(a or 0 for a in phantom.areas_mm2), rel=0.02)


def test_same_photo_seed_same_bytes() -> None:
    scene = random_photo_scene(3)
    assert scene == random_photo_scene(3)
    assert fingerprint(draw_photo(scene, 1)) == fingerprint(draw_photo(scene, 1))


def test_a_photo_does_not_tell_its_scale() -> None:
    phantom = draw_photo(PhotoScene(Frame(30.0, 40.0, 0.2), Skin(), ()), 1)
    assert phantom.image.spacing is None
    assert (phantom.image.kind, phantom.image.meaning) == (Kind.PHOTO, Meaning.PHOTO)
    assert phantom.truth.count == 0


def test_ruler_ticks_are_a_millimetre_apart() -> None:
    frame = Frame(30.0, 80.0, 0.1)
    strip = lay_ruler(np.full((*frame.shape, 3), 0.3, np.float32), frame)[round((30.0 - 13.0 + 1.0) / 0.1), 60:-60, 0]
    power = np.abs(np.fft.rfft(strip - strip.mean(), 1 << 16))
    assert np.fft.rfftfreq(1 << 16)[power[: 1 << 13].argmax()] == pytest.approx(0.1, rel=0.005)


# ---------------------------------------------------------------------------------------- sample images


@pytest.fixture(scope="module")
def renewal() -> Iterator[ModuleType]:
    sys.path.insert(0, str(ROOT / "benchmarks"))  # as when the script is run: it imports its neighbour
    spec = importlib.util.spec_from_file_location("renew_sample_images", ROOT / "benchmarks" / "renew_sample_images.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def drawn_twice(renewal: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folders = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    for folder in folders:
        renewal.draw_samples(folder)
    return folders


def test_renewing_gives_the_same_bytes(drawn_twice: tuple[Path, Path]) -> None:
    one, two = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*.*")} for f in drawn_twice)
    assert one == two
    assert len(one) == 17


def test_shipped_samples_are_those_drawn(drawn_twice: tuple[Path, Path]) -> None:
    """To the grey level; another zlib or JPEG library may pack them otherwise."""
    for name in ("hand_dx.dcm", "hand_cr.dcm"):
        drawn, shipped = (pydicom.dcmread(folder / name) for folder in (drawn_twice[0], ROOT / "sample_images"))
        assert (drawn.Rows, drawn.Columns) == (shipped.Rows, shipped.Columns)
        pixels = (np.frombuffer(film.PixelData, np.uint16).astype(int) for film in (drawn, shipped))
        assert np.mean(np.abs(np.subtract(*pixels)) > 1) < 1e-3, name


def test_samples_are_small_and_nobody(drawn_twice: tuple[Path, Path]) -> None:
    assert sum(p.stat().st_size for p in drawn_twice[0].rglob("*.*")) < 8e6
    for name in ("hand_dx.dcm", "hand_cr.dcm"):
        with warnings.catch_warnings(action="error"):
            film = pydicom.dcmread(drawn_twice[0] / name)
        assert not any(
            film.get(k) for k in ("PatientName", "PatientID", "PatientBirthDate", "StudyDate", "AccessionNumber")
        )


def test_what_moved_is_named(renewal: ModuleType) -> None:
    row = dict.fromkeys(renewal.COLUMNS, "1")
    old = {"a.png": row, "b.png": row, "gone.png": row}
    new = {"a.png": row, "b.png": {**row, "area_px": "2"}, "fresh.png": row}
    moved = renewal.what_moved(old, new, renewal.COLUMNS)
    assert moved == ["gone.png: no longer measured", "b.png: area_px: 1 -> 2", "fresh.png: new"]
