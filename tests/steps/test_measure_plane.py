"""Measuring in the plane that a marker shows: true sizes on tilted photos, and nothing new without a plane."""

import json
import math
from functools import cache

import cv2
import numpy as np
import pytest
from calibrate_scenes import Shot, sheet_photo

from calcimeasure.model.image import Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels
from calcimeasure.model.plane import ObjectPlane, PlaneError
from calcimeasure.reading.codec import _rescaled, _scale_to_json
from calcimeasure.steps.measure.area import Window, measure, measure_some, reach_px
from calcimeasure.steps.scale import find_scale

SIZES = ("area_mm2", "diameter_mm", "feret_mm", "perimeter_mm")
DISCS = ((90, 120, 8), (60, 100, 5), (40, 140, 4), (90, 150, 3), (60, 150, 6))  # x, y and radius in mm on the page
FACING = ObjectPlane(((1, 0, 0), (0, 1, 0), (0, 0, 1)))
SHOTS = {
    "tilted": Shot(tilt=20, towards=30, spin=40, seed=1),
    "limit": Shot(tilt=29, towards=200, spin=-70, focal=0.9, seed=2),
    "soft": Shot(tilt=12, towards=90, blur=1.6, noise=6, quality=60, seed=3),
}


def flat(shape=(300, 400), spacing=(0.1, 0.2), plane=None):
    scale = Spacing.of(*spacing, SpacingOrigin.MARKER)
    return Image(np.zeros((*shape, 3), np.uint8), Kind.PHOTO, Meaning.PHOTO, scale, plane=plane)


def blobs(shape=(300, 400), count=30):
    rng = np.random.default_rng(0)
    array = np.zeros(shape, np.int32)
    for number in range(1, count + 1):
        place = (float(rng.uniform(0, shape[1])), float(rng.uniform(0, shape[0])))
        size = tuple(rng.uniform(3, 60, 2).tolist())
        cv2.ellipse(array, (place, size, float(rng.uniform(0, 180))), number, -1)
    return Labels(array)


def sizes(row):
    return [row.area_mm2.value, row.area_mm2.sd, *(getattr(row, name) for name in SIZES[1:])]


@cache
def photographed(name):
    """A tilted photo of a marker sheet, its scale, and discs of known size on the page."""
    shot = SHOTS[name]
    image = sheet_photo(shot, keep=(5, 6))
    scale = find_scale(image)
    array = np.zeros(image.shape, np.int32)
    for number, disc in enumerate(DISCS, 1):
        array[shot.disc(*disc)] = number
    return image, scale, Labels(array)


@pytest.mark.parametrize("name", SHOTS)
def test_a_tilted_photo_gives_true_areas(name):
    image, scale, labels = photographed(name)
    found = measure(image.with_spacing(scale.spacing, scale.plane), labels)
    for row, (_, _, radius) in zip(found.deposits, DISCS, strict=True):
        assert row.area_mm2.value == pytest.approx(math.pi * radius**2, rel=0.02)
        assert row.diameter_mm == pytest.approx(2 * radius, rel=0.01)
        assert row.perimeter_mm == pytest.approx(2 * math.pi * radius, rel=0.02)
        assert 2 * radius * 0.99 < row.feret_mm < 2 * radius + 1.7 * scale.spacing.mean_mm * math.sqrt(2)
        assert row.area_mm2.value == pytest.approx(scale.area_mm2(labels.array == row.label), rel=1e-6)
    truth = sum(math.pi * radius**2 for _, _, radius in DISCS)
    assert found.area_mm2.value == pytest.approx(truth, rel=0.015)


def test_without_the_plane_the_same_photo_is_wrong():
    image, scale, labels = photographed("limit")
    rows = measure(image.with_spacing(scale.spacing), labels).deposits
    errors = [row.area_mm2.value / (math.pi * radius**2) - 1 for row, (_, _, radius) in zip(rows, DISCS, strict=True)]
    assert max(map(abs, errors)) > 0.1


def test_a_plane_that_faces_the_sensor_changes_nothing():
    labels, plane = blobs(), ObjectPlane(((0.2, 0, 5.0), (0, 0.1, -3.0), (0, 0, 1)))
    before, after = measure(flat(), labels), measure(flat(plane=plane), labels)
    for one, other in zip(before.deposits, after.deposits, strict=True):
        assert sizes(other) == pytest.approx(sizes(one), rel=1e-9)
    assert after.area_mm2.value == pytest.approx(before.area_mm2.value)
    assert after.area_mm2.sd == pytest.approx(before.area_mm2.sd)


def test_some_are_measured_as_all_are_to_the_digit():
    image, scale, labels = photographed("tilted")
    image = image.with_spacing(scale.spacing, scale.plane)
    for whole in measure(image, labels).deposits:
        assert measure_some(image, labels, [whole.label]) == (whole,)
        reach = reach_px(image.spacing)
        top, left = (max(0, edge - far) for edge, far in zip(whole.bbox[:2], reach, strict=True))
        part = labels.array[top : whole.bbox[2] + reach[0], left : whole.bbox[3] + reach[1]]
        assert measure_some(image, Window(Labels(part), top, left), [whole.label]) == (whole,)


def test_turning_the_photo_and_its_plane_changes_nothing():
    image, scale, labels = photographed("limit")
    turned = np.array(scale.homography) @ np.array([[0, -1, image.shape[1] - 1], [1, 0, 0], [0, 0, 1]])
    plane = ObjectPlane(tuple(map(tuple, turned.tolist())))
    quarter = Image(np.rot90(image.pixels), Kind.PHOTO, Meaning.PHOTO, scale.spacing, plane=plane)
    before = measure(image.with_spacing(scale.spacing, scale.plane), labels)
    after = measure(quarter, Labels(np.rot90(labels.array)))
    for one, other in zip(before.deposits, after.deposits, strict=True):
        assert [sizes(other)[k] for k in (0, 2, 3, 4)] == pytest.approx([sizes(one)[k] for k in (0, 2, 3, 4)], rel=1e-6)


def test_what_lies_beyond_the_horizon_has_no_millimetres():
    plane = ObjectPlane(((0.1, 0, 0), (0, 0.1, 0), (0, -1 / 200, 1)))  # the horizon is row 200
    array = np.zeros((300, 400), np.int32)
    array[20:40, 20:60], array[190:230, 100:140] = 1, 2
    found = measure(flat(plane=plane), Labels(array))
    near, far = found.deposits
    assert near.area_mm2.value > 0
    assert (far.area_mm2, far.diameter_mm, far.feret_mm, far.perimeter_mm) == (None,) * 4
    assert far.area_px.value == 1600
    assert found.area_mm2 is None


@pytest.mark.parametrize("plane", [None, ObjectPlane(((0.2, 0, 0), (0, 0.1, 0), (0, 1e-4, 1)))], ids=["flat", "plane"])
def test_the_components_make_up_the_sd(plane):
    found = measure(flat(plane=plane), blobs())
    for area in (found.area_mm2, *(row.area_mm2 for row in found.deposits)):
        parts = dict(area.components)
        assert parts.keys() == {"outline", "scale"}
        assert math.hypot(*parts.values()) == pytest.approx(area.sd)
        assert parts["scale"] == pytest.approx(2 * 0.01 * area.value)


def test_a_run_covers_what_its_pixels_cover():
    plane = ObjectPlane(((0.1, 0.01, 3), (0.02, 0.12, 1), (2e-4, 5e-4, 1)))
    row, start, stop = np.array([10, 250]), np.array([5, 100]), np.array([6, 390])
    pixels = [plane.pixel_mm2(np.array(r), np.arange(a, b)).sum() for r, a, b in zip(row, start, stop, strict=True)]
    np.testing.assert_allclose(plane.run_mm2(row, start, stop), pixels, rtol=1e-6)


def test_a_plane_needs_a_scale():
    with pytest.raises(ValueError, match="plane without a spacing"):
        Image(
            np.zeros((4, 4, 3), np.uint8),
            Kind.PHOTO,
            Meaning.PHOTO,
            plane=ObjectPlane(((1, 0, 0), (0, 1, 0), (0, 0, 1))),
        )
    image = flat(plane=ObjectPlane(((1, 0, 0), (0, 1, 0), (0, 0, 1))))
    assert image.with_spacing(image.spacing).plane is None


def test_the_error_of_an_area_grows_with_the_distance_from_the_marker():
    error = PlaneError(((0.0,) * 4,) * 4, 0.003, 0.02, 300.0, ((50.0, 150.0),), (199.5, 149.5))
    plane = ObjectPlane(((0.2, 0, 0), (0, 0.2, 0), (0, 0, 1)), error=error)
    array = np.zeros((300, 400), np.int32)
    array[145:155, 45:55], array[145:155, 350:360] = 1, 2
    found = measure(flat(spacing=(0.2, 0.2), plane=plane), Labels(array))
    near, far = (dict(row.area_mm2.components)["scale"] / row.area_mm2.value for row in found.deposits)
    assert near == pytest.approx(2 * math.hypot(0.003, 0.5 / 300), rel=0.1)
    assert far == pytest.approx(2 * math.hypot(0.003, 0.08 * 61 / 300), rel=0.1)
    whole = found.area_mm2
    assert dict(whole.components)["scale"] == pytest.approx(4 * (near + far))


def test_a_journal_keeps_how_well_a_plane_is_known():
    error = PlaneError(((0.5, 0.0, 0.0, 0.1),) * 4, 0.003, 0.02, 300.0, ((50.0, 150.0),), (199.5, 149.5))
    for known in (error, None):
        image = flat(plane=ObjectPlane(((0.2, 0, 0), (0, 0.2, 0), (0, 0, 1)), 3.0, error=known))
        told = json.loads(json.dumps(_scale_to_json(image)))
        assert _rescaled(image, told).plane == image.plane
