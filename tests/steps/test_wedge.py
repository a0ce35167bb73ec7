"""The step wedge: found, fitted, and refused whenever its curve would not be honest."""

from dataclasses import replace

import numpy as np
import pytest
from polychromatic import MM, STEPS_MM, Scene, Shot, random_scene, shoot

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.density import Beam
from calcimeasure.model.image import Image, Meaning, Polarity
from calcimeasure.steps.measure.density import density
from calcimeasure.steps.measure.wedge import calibrate_wedge


def _turned(image: Image, quarter: int) -> Image:
    return replace(image, pixels=np.rot90(image.pixels, quarter))


@pytest.fixture(scope="module")
def film() -> Shot:
    return shoot(Scene())


@pytest.mark.parametrize("log", [True, False], ids=["log", "linear"])
def test_the_curve_goes_through_the_steps(log: bool) -> None:
    shot = shoot(Scene(log=log))
    found = calibrate_wedge(shot.image, shot.around, STEPS_MM)
    assert [step.mm for step in found.steps] == list(STEPS_MM)
    assert found.millimetres([step.attenuation for step in found.steps]) == pytest.approx(STEPS_MM, abs=0.02)
    assert found.millimetres(0.0) == pytest.approx(0.0)
    assert np.all(np.diff(found.millimetres(np.linspace(-0.2, 3, 100))) > 0)
    assert found.r2 > 0.999
    assert 0 < found.sd_mm < 0.15
    assert not found.unsure


def test_steps_lie_where_they_were_drawn(film) -> None:
    found = calibrate_wedge(film.image, film.around, STEPS_MM)
    tops = film.wedge[0] + 20 * np.arange(10)
    assert [step.box[0] for step in found.steps] == pytest.approx(tops, abs=4)
    assert found.region == pytest.approx(film.wedge, abs=5)


@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
def test_a_plain_wedge_is_found_whichever_way_it_lies(film, quarter: int) -> None:
    found = calibrate_wedge(_turned(film.image, quarter), None, STEPS_MM[::-1])
    upright = calibrate_wedge(film.image, film.around, STEPS_MM)
    assert found.steps[-1].attenuation == pytest.approx(upright.steps[-1].attenuation, rel=0.02)


def test_heel_and_offset_leave_the_curve_alone(film) -> None:
    """One beam through one wedge, heel or none: one curve."""
    ways = [Scene(heel=heel, offset=offset, quanta=1e5) for heel, offset in ((0.0, 0.0), (0.15, 0.04))]
    curves = [calibrate_wedge(s.image, s.around, STEPS_MM) for s in map(shoot, ways)]
    first, second = ([step.attenuation for step in curve.steps] for curve in curves)
    assert second == pytest.approx(first, rel=0.03)


def _thin(seed: int, limb_mm: float, scatter: float, reach_mm: float) -> Scene:
    return replace(
        random_scene(seed), limb_mm=limb_mm, scatter=scatter, reach_mm=reach_mm, scatter_kind="stopped", bones=True
    )


#: The third is faint beside its wedge: what finds the others' limbs takes it for open field.
_HALOS = {
    "23 % high, bones taken for tissue": _thin(40046, 13.0, 0.4, 11.7),
    "faint limb": _thin(40022, 13.75, 0.37, 15.5),
}


@pytest.mark.parametrize("name", _HALOS)
def test_open_field_beyond_a_deep_halo_is_no_limb(name: str) -> None:
    """Strong scatter off a thin limb darkens the field beside it more than the limb is dense."""
    shot = shoot(_HALOS[name])
    calibration = calibrate_wedge(shot.image, shot.around, _HALOS[name].steps_mm)
    found = density(shot.image, shot.labels, calibration, bone=shot.bone)
    read = {row.label: row.mmal_mean.value for row in found.deposits if row.mmal_mean is not None}
    assert read == pytest.approx(shot.truth, rel=0.06)


def test_what_is_not_stated_makes_it_unsure() -> None:
    shot = shoot(Scene(states_kvp=False))
    found = calibrate_wedge(shot.image, shot.around, STEPS_MM)
    assert found.unsure
    assert "kVp" in found.reason
    silent = replace(shot.image, acquisition=replace(shot.image.acquisition, intensity_relationship=None))
    assert "linear or logarithmic" in calibrate_wedge(silent, shot.around, STEPS_MM).reason


def _clipped(image: Image) -> Image:
    return replace(image, pixels=np.minimum(image.pixels, 3000), ceiling=3000.0)


def _without_light(image: Image) -> Image:
    return replace(image, pixels=np.maximum(image.pixels, int(np.percentile(image.pixels, 30))))


def _curved(image: Image) -> Image:
    return replace(image, pixels=(16383 * (image.pixels / 16383) ** 1.5).astype(np.uint16))


def _not_rising(image: Image, wedge: tuple[int, int, int, int]) -> Image:
    pixels = image.pixels.copy()
    row0, column0, row1, column1 = wedge
    pixels[row0:row1, column0:column1] = pixels[row0:row1, column0:column1][np.roll(np.arange(row1 - row0), 80)]
    return replace(image, pixels=pixels)


def _without_wedge(image: Image) -> Image:
    return replace(image, pixels=np.concatenate([image.pixels[:, :300], image.pixels[:, 280:180:-1]], axis=1))


_REFUSALS = {
    "few steps": (lambda i: i, STEPS_MM[:4], "at least 5"),
    "doubled step": (lambda i: i, (1, 1, 2, 3, 4), "all different"),
    "wrong count": (lambda i: i, STEPS_MM[:5], "staircase|R2"),
    "wrong list": (lambda i: i, tuple(n**2 / 10 for n in range(1, 11)), "R2|darken"),
    "first missing": (lambda i: i, STEPS_MM[1:], "R2|darken"),
    "middle missing": (lambda i: i, STEPS_MM[:4] + STEPS_MM[5:], "R2|darken"),
    "one wrong": (lambda i: i, (*STEPS_MM[:4], 3.5, *STEPS_MM[5:]), "R2|darken"),
    "even steps": (lambda i: i, tuple(float(n) for n in range(1, 11)), "R2|darken"),
    "half a mm too much": (lambda i: i, tuple(mm + 0.5 for mm in STEPS_MM), "R2|darken"),
    "inches": (lambda i: i, tuple(25.4 * mm for mm in STEPS_MM), "denser|R2|darken"),
    "open field clipped": (_without_light, STEPS_MM, "darken|explained"),
    "made for looking at": (_curved, STEPS_MM, "darken|explained|R2"),
    "clipped": (_clipped, STEPS_MM, "clipped"),
    "for looking at": (lambda i: replace(i, meaning=Meaning.DISPLAY), STEPS_MM, "FOR PROCESSING"),
    "8 bits": (lambda i: replace(i, pixels=(i.pixels // 64).astype(np.uint8)), STEPS_MM, "8 bits"),
}


@pytest.mark.parametrize("name", _REFUSALS)
def test_refusals_say_what_to_do(film, name: str) -> None:
    spoil, steps, words = _REFUSALS[name]
    with pytest.raises(MeasurementRefused, match=words):
        calibrate_wedge(spoil(film.image), film.around, steps)


@pytest.mark.parametrize("metal", ["copper", "titanium", "acrylic"])
@pytest.mark.parametrize("log", [True, False], ids=["log", "linear"])
def test_another_material_is_refused(metal: str, log: bool) -> None:
    shot = shoot(Scene(wedge_material=metal, log=log, kvp=50.0))
    with pytest.raises(MeasurementRefused, match=r"staircase|R2|darken|clipped"):
        calibrate_wedge(shot.image, shot.around, STEPS_MM)


@pytest.mark.parametrize(
    "scene", [Scene(wedge_column=130), Scene(collimated_px=50)], ids=["under the limb", "beyond the collimator"]
)
def test_a_wedge_that_does_not_lie_free_is_refused(scene: Scene) -> None:
    shot = shoot(scene)
    with pytest.raises(MeasurementRefused):
        calibrate_wedge(shot.image, shot.around, STEPS_MM)


@pytest.mark.parametrize("steps_mm", [STEPS_MM[::-1], STEPS_MM], ids=["thickest first", "thinnest first"])
def test_the_order_of_the_list_is_free(film, steps_mm) -> None:
    assert calibrate_wedge(film.image, film.around, steps_mm).steps[-1].mm == 10.0


def test_aluminium_scatters_less_than_it_stops() -> None:
    """A wedge taken for tissue reads 12-17 % low at this scatter."""
    scene = Scene(
        kvp=62.0, scatter=0.35, aluminium_scatters=0.6, bones=True, deposits=((150.0, 164.0, 7.0, 2.0, "aluminium"),)
    )
    shot = shoot(scene)
    row = density(shot.image, shot.labels, calibrate_wedge(shot.image, shot.around, STEPS_MM), bone=shot.bone).deposits[
        0
    ]
    assert row.mmal_mean.value == pytest.approx(shot.truth[1], rel=0.06)
    assert abs(row.mmal_mean.value - shot.truth[1]) <= 1.96 * row.mmal_mean.sd


def test_the_wedges_edges_tell_the_blur() -> None:
    for blur_mm in (0.2, 0.4):
        shot = shoot(Scene(blur_mm=blur_mm))
        found = calibrate_wedge(shot.image, shot.around, STEPS_MM)
        assert found.blur_px == pytest.approx(blur_mm / MM, rel=0.25)


def test_other_readings_go_with_the_scatter() -> None:
    """The bar of a film with much scatter is wider than that of one without; the first reading is the film's own."""
    bars = []
    for scatter in (0.0, 0.4):
        shot = shoot(Scene(scatter=scatter))
        found = calibrate_wedge(shot.image, shot.around, STEPS_MM)
        assert found.readings[0].weight == 0
        assert found.readings[0].knots[-1][1] == found.reach_mm > found.thickest_mm
        bars.append(found.spread((0.5, 0.33), 3.0, 2.0))
    assert 0 < bars[0] < bars[1] < 0.1


def test_a_staircase_that_does_not_rise_is_refused(film) -> None:
    with pytest.raises(MeasurementRefused, match=r"staircase|R2|denser"):
        calibrate_wedge(_not_rising(film.image, film.wedge), film.around, STEPS_MM)


def test_no_wedge_is_refused(film) -> None:
    with pytest.raises(MeasurementRefused, match="mark it with a region"):
        calibrate_wedge(_without_wedge(film.image), None, STEPS_MM)
    with pytest.raises(MeasurementRefused, match=r"staircase|R2|denser"):
        calibrate_wedge(film.image, (20, 220, 280, 280), STEPS_MM)
    with pytest.raises(MeasurementRefused, match="does not lie inside"):
        calibrate_wedge(film.image, (0, 0, 10, 4000), STEPS_MM)


def test_empty_films_are_refused(film) -> None:
    flat = replace(film.image, pixels=np.full((60, 60), 7, np.uint16))
    for region in (None, (0, 0, 60, 60)):
        with pytest.raises(MeasurementRefused):
            calibrate_wedge(flat, region, STEPS_MM)


def test_polarity_was_the_readers_business(film) -> None:
    turned = replace(film.image, polarity=Polarity.TURNED_OVER)
    first, second = (calibrate_wedge(image, film.around, STEPS_MM) for image in (film.image, turned))
    assert first.knots == second.knots


def test_tissue_hardens_less_than_the_wedge() -> None:
    """Aluminium on tissue seems more than it is; with no tissue it is what it seems."""
    beam = Beam(55.0, 2.5)
    assert beam.hardened(0.0, np.array([1.0, 3.0])) == pytest.approx([1.0, 3.0], rel=2e-3)
    assert np.all(beam.hardened(3.0, np.array([1.0])) < 1.0)
    assert beam.transmission(0.0, 0.0) == pytest.approx(1.0)
