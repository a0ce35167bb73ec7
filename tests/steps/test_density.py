"""Densities of deposits on films whose aluminium is known, and every way in which there is none."""

from dataclasses import replace

import numpy as np
import pytest
from polychromatic import Scene, Shot, other_exposure, random_scene, shoot

from calcimeasure.errors import MaskError, MeasurementRefused
from calcimeasure.model.density import Hydroxyapatite, NoDensity
from calcimeasure.model.image import Kind, Meaning
from calcimeasure.model.labels import Labels
from calcimeasure.phantom.anatomy import Placement
from calcimeasure.phantom.deposits import Calcium, Shape, Site
from calcimeasure.phantom.film import Exposure, FilmScene, Tone, Writing, draw_film
from calcimeasure.phantom.fittings import Fittings, Wedge
from calcimeasure.phantom.frame import Frame
from calcimeasure.steps.measure.density import density, relative_density
from calcimeasure.steps.measure.wedge import calibrate_wedge


def _measured(shot: Shot, scene: Scene, **more):
    return density(shot.image, shot.labels, calibrate_wedge(shot.image, shot.around, scene.steps_mm), **more)


def _values(shot: Shot, scene: Scene) -> dict[int, float]:
    rows = _measured(shot, scene).deposits
    return {row.label: row.mmal_mean.value for row in rows if row.mmal_mean is not None}


@pytest.fixture(scope="module")
def film() -> Shot:
    return shoot(Scene())


@pytest.fixture(scope="module")
def calibration(film):
    return calibrate_wedge(film.image, film.around, Scene().steps_mm)


def test_aluminium_is_found_again() -> None:
    """The mean over a few drawn films; `benchmarks/bench_wedge.py` does it over hundreds."""
    off, z = [], []
    for seed in range(100, 107):
        scene = random_scene(seed)
        shot = shoot(scene)
        for row in _measured(shot, scene, bone=shot.bone).deposits:
            if row.mmal_mean is not None:
                off.append(row.mmal_mean.value / shot.truth[row.label] - 1)
                z.append((row.mmal_mean.value - shot.truth[row.label]) / row.mmal_mean.sd)
    assert len(off) >= 18
    assert np.median(np.abs(off)) <= 0.03
    assert abs(np.median(off)) <= 0.03
    assert np.mean(np.abs(z) <= 1.96) >= 0.85


@pytest.mark.parametrize("log", [True, False], ids=["log", "linear"])
def test_two_exposures_agree(log: bool) -> None:
    """Other mAs, gain, offset and heel leave the number alone."""
    scene = Scene(log=log, scatter=0.2, deposits=((150.0, 130.0, 14.0, 2.0, "aluminium"),))
    again = replace(other_exposure(scene, 3), scatter=0.2)
    first, second = (_values(shoot(one), one)[1] for one in (scene, again))
    assert second == pytest.approx(first, rel=0.02)


def test_volume_is_mean_times_area(film, calibration) -> None:
    row = density(film.image, film.labels, calibration).deposits[0]
    area = (film.labels.array == 1).sum() * film.image.spacing.pixel_mm2
    assert row.al_volume_mm3.value == pytest.approx(row.mmal_mean.value * area)
    assert row.al_volume_mm3.sd > row.mmal_mean.sd * area
    assert row.mmal_mean.sd == pytest.approx(row.components.total)
    unscaled = density(film.image.with_spacing(None), film.labels, calibration).deposits[0]
    assert unscaled.al_volume_mm3 is None
    assert unscaled.mmal_mean is not None


def test_bare_tissue_holds_nothing(film, calibration) -> None:
    """An outline drawn where there is no deposit measures 0 within its error."""
    empty = np.zeros(film.image.shape, np.int32)
    empty[225:245, 120:140] = 1
    row = density(film.image, Labels(empty), calibration).deposits[0]
    assert abs(row.mmal_mean.value) <= max(3 * row.mmal_mean.sd, 0.03)


def test_order_of_labels_changes_nothing(film, calibration) -> None:
    other = Labels(film.labels.array * 7)
    first, second = (density(film.image, labels, calibration).deposits[0] for labels in (film.labels, other))
    assert (first.mmal_mean, second.label) == (second.mmal_mean, 7)


def test_hydroxyapatite_needs_the_users_factor(film, calibration) -> None:
    without = density(film.image, film.labels, calibration)
    assert without.total.hydroxyapatite_source is None
    assert without.deposits[0].hydroxyapatite is None
    found = density(film.image, film.labels, calibration, hydroxyapatite=Hydroxyapatite(0.5, "our phantom", 0.05))
    row = found.deposits[0]
    assert found.total.hydroxyapatite_source == "our phantom"
    assert row.hydroxyapatite.value == pytest.approx(2 * row.mmal_mean.value)
    assert row.hydroxyapatite.sd / row.hydroxyapatite.value > row.mmal_mean.sd / row.mmal_mean.value
    for factor, source in ((0.0, "phantom"), (0.64, " ")):
        with pytest.raises(ValueError, match="factor"):
            Hydroxyapatite(factor, source)


def _saturated(film: Shot):
    pixels = film.image.pixels.copy()
    pixels[150, 130] = film.image.ceiling
    return replace(film.image, pixels=pixels)


def _cut_off(film: Shot):
    valid = np.ones(film.image.shape, bool)
    valid[:, :125] = False
    return replace(film.image, valid=valid)


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [(_saturated, NoDensity.SATURATED), (_cut_off, NoDensity.NO_PICTURE)],
    ids=["saturated", "outside the picture"],
)
def test_a_spoiled_deposit_says_why(film, calibration, spoiled, reason) -> None:
    row = density(spoiled(film), film.labels, calibration).deposits[0]
    assert row.mmal_mean is None
    assert row.al_volume_mm3 is None
    assert reason in row.reason


def test_denser_than_the_wedge_is_refused(film) -> None:
    scene = Scene(steps_mm=(0.2, 0.4, 0.6, 0.8, 1.0))
    row = _measured(shoot(scene), scene).deposits[0]
    assert row.mmal_mean is None
    assert NoDensity.TOO_DENSE in row.reason


@pytest.mark.parametrize(("over", "reason"), [(False, NoDensity.NO_BACKGROUND), (True, NoDensity.OVER_BONE)])
def test_bone_cannot_be_told_from_a_deposit(film, calibration, over: bool, reason: NoDensity) -> None:
    bone = np.full(film.image.shape, True) if over else film.labels.array != 1
    row = density(film.image, film.labels, calibration, bone=bone).deposits[0]
    assert row.mmal_mean is None
    assert reason in row.reason


def test_masks_must_fit(film, calibration) -> None:
    with pytest.raises(MaskError):
        density(film.image, Labels.empty((5, 5)), calibration)
    small = replace(film.image, pixels=film.image.pixels[:100])
    with pytest.raises(MeasurementRefused, match="another size"):
        density(small, Labels.empty((100, 400)), calibration)


def _film_of_three():
    """Soft tissue 100, cortex 300, deposit 200: half way."""
    pixels = np.full((30, 30), 100, np.uint16)
    pixels[5:10, 5:10], pixels[20:25, 20:25] = 300, 200
    labels = np.zeros((30, 30), np.int32)
    labels[20:25, 20:25] = 4
    return pixels, Labels(labels), pixels == 300, pixels == 100


def test_relative_density_is_flagged_and_unmoved_by_gain(film) -> None:
    pixels, labels, cortex, soft = _film_of_three()
    for gain, offset in ((1, 0), (3, 50)):
        image = replace(film.image, pixels=pixels * gain + offset, valid=None, meaning=Meaning.DISPLAY, ceiling=4095.0)
        (row,) = relative_density(image, labels, cortex, soft)
        assert (row.label, row.value, row.relative) == (4, 0.5, True)


def test_relative_density_refuses(film) -> None:
    pixels, labels, cortex, soft = _film_of_three()
    image = replace(film.image, pixels=pixels, ceiling=4095.0)
    none = np.zeros_like(soft)
    for bad in ((labels, none, soft), (labels, soft, cortex)):
        with pytest.raises(MeasurementRefused, match="mark"):
            relative_density(image, *bad)
    with pytest.raises(MeasurementRefused, match="photo"):
        relative_density(replace(image, kind=Kind.PHOTO, meaning=Meaning.PHOTO), labels, cortex, soft)
    (row,) = relative_density(replace(image, pixels=np.where(labels.array > 0, 4095, pixels)), labels, cortex, soft)
    assert row.value is None
    assert NoDensity.SATURATED in row.reason


@pytest.mark.parametrize("writing", [Writing.LOG, Writing.LINEAR])
def test_the_packages_own_phantom_reads_what_it_states(writing: Writing) -> None:
    """Discs in the soft tissue of a drawn forearm, whose scatter and spectrum are not those of the fit."""
    steps = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 16.0)
    discs = tuple(Calcium(Shape.DISC, Site("ulna", along, -13.0), 7.0, 5.0) for along in (0.5, 0.65))
    tone = Tone(writing, 16, gain=2.2, offset=-0.03) if writing is Writing.LOG else Tone(writing, 14)
    scene = FilmScene(
        Frame(220.0, 140.0, 0.25), "forearm", Placement(70.0, 118.0, 0.0, 1.0), deposits=discs, tone=tone,
        fittings=Fittings(wedge=Wedge(5.0, 8.0, steps)), exposure=Exposure(20000.0, 0.12, 0.14, kvp=60.0),
    )  # fmt: skip
    film = draw_film(scene, 8)
    rows = density(film.image, film.truth, calibrate_wedge(film.image, None, steps), bone=film.bone).deposits
    for row in rows:
        true = float(film.aluminium_mm[film.truth.array == row.label].mean())
        assert row.mmal_mean.value == pytest.approx(true, rel=0.06)
        assert abs(row.mmal_mean.value - true) <= 2 * row.mmal_mean.sd
