"""Which scale an image is measured with: the user's wins, refusals leave pixels, and every change is told."""

import dataclasses
import math
import re

import numpy as np
import pytest
from calibrate_scenes import Shot, page_of, photo, ruler_photo, sheet_photo

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.image import Acquisition, Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.model.scale import ScaleRequest, ScaleSource
from calcimeasure.report.words import sentences
from calcimeasure.steps.scale import marker_sheet, rescaled, spacing_at_height
from calcimeasure.steps.scale.height import AT_DETECTOR

AUTO, MARKER, RULER = (ScaleRequest(ScaleSource(name)) for name in ("auto", "marker", "ruler"))


def film(origin=None, **facts):
    spacing = origin and Spacing.of(0.2, 0.2, origin)
    return Image(np.zeros((200, 300), np.uint8), Kind.RADIOGRAPH, Meaning.DISPLAY, spacing, **facts)


@pytest.fixture(scope="module")
def marked():
    return sheet_photo(Shot(tilt=20, towards=30, seed=1), keep=(5, 6))


def test_what_the_file_says_is_the_default(marked):
    assert rescaled(marked, ScaleRequest()) is marked
    image = film(SpacingOrigin.DETECTOR_PLANE)
    assert rescaled(image, ScaleRequest()) is image
    assert rescaled(image, AUTO) is image


@pytest.mark.parametrize("request_", [AUTO, MARKER], ids=["auto", "marker"])
def test_a_marker_gives_scale_and_plane(marked, request_):
    image = rescaled(marked, request_)
    assert image.spacing.origin is SpacingOrigin.MARKER
    assert image.plane.tilt_degrees == pytest.approx(20, abs=2.5)
    assert dict(image.spacing.components).keys() == {"corners", "lens", "height", "print"}
    assert math.hypot(*dict(image.spacing.components).values()) == pytest.approx(image.spacing.relative_sd)


def test_a_measured_print_and_two_points_give_the_scale(marked):
    given = rescaled(marked, dataclasses.replace(AUTO, marker_mm=21)).spacing
    assert given.mean_mm == pytest.approx(1.05 * rescaled(marked, AUTO).spacing.mean_mm, rel=1e-6)
    points = rescaled(marked, ScaleRequest(points=(10, 20, 10, 120, 25))).spacing
    assert (points.origin, points.row_mm) == (SpacingOrigin.POINTS, 0.25)
    outside = rescaled(marked, ScaleRequest(points=(10, 20, 10, 5000, 25)))
    assert outside.spacing is None
    assert "outside the picture of 700 x 900" in sentences(outside.warnings)[-1]


REFUSED = {
    "tilt": (
        lambda: sheet_photo(Shot(tilt=38, towards=20), keep=(0, 5, 6, 9)),
        AUTO,
        "tilted by .*from straight above",
    ),
    "disagree": (
        lambda: sheet_photo(Shot(), keep=(0, 1, 6, 7), stretch={6: 1.12}),
        AUTO,
        "disagree by .*2%.*photograph again",
    ),
    "unsure": (
        lambda: ruler_photo("millimetre", Shot(px_per_mm=12, middle_mm=(33, 7)), tick_mm=0.12),
        AUTO,
        "unsure: .*--spacing",
    ),
    "unknown unit": (lambda: ruler_photo("plain", Shot(px_per_mm=10, middle_mm=(33, 7))), AUTO, "--scale-points"),
    "nothing": (lambda: photo(Shot().take(page_of(marker_sheet(20), ()))), AUTO, "no marker found.*no ruler found"),
    "no marker": (lambda: photo(Shot().take(page_of(marker_sheet(20), ()))), MARKER, "no marker found: lay"),
    "film": (lambda: film(SpacingOrigin.ERMF), RULER, "no ruler found"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_scale_leaves_pixels_and_says_what_to_do(name):
    draw, request, words = REFUSED[name]
    image = rescaled(draw(), request)
    assert image.spacing is None
    assert image.plane is None
    assert re.search(words, sentences(image.warnings)[-1]), sentences(image.warnings)
    assert "; " not in sentences(image.warnings)[-1]


def test_corners_off_their_plane_are_refused_with_what_to_do():
    from test_marker import _askew

    image = rescaled(_askew(Shot()), AUTO)
    assert image.spacing is None
    assert re.search("px from one plane.*lay the sheet flat", sentences(image.warnings)[-1])


@pytest.mark.parametrize("source", ["file", "auto", "marker"])
@pytest.mark.parametrize(("factor", "percent", "told"), [(1.0, 0.5, False), (1.1, 0.5, True), (1.1, 6, False)])
def test_the_users_scale_wins_and_a_contradicting_marker_is_told(marked, source, factor, percent, told):
    mm = factor * rescaled(marked, AUTO).spacing.mean_mm
    mine = Spacing.with_errors(mm, mm, SpacingOrigin.USER, user=percent / 100)
    image = rescaled(marked.with_spacing(mine), ScaleRequest(ScaleSource(source)))
    assert image.spacing == mine
    assert image.plane is None
    assert any("but the marker in the picture says" in words for words in sentences(image.warnings)) is told


def test_a_scale_that_replaces_the_files_is_told(marked):
    own = Spacing.of(0.3, 0.3, SpacingOrigin.FIDUCIAL)
    image = rescaled(marked.with_spacing(own), AUTO)
    assert image.spacing.origin is SpacingOrigin.MARKER
    assert re.search(r"replaces the file's 0\.3 \(fiducial\)", sentences(image.warnings)[-1])
    bare = photo(Shot().take(page_of(marker_sheet(20), ()))).with_spacing(own)
    assert rescaled(bare, AUTO).spacing == own


# --- height over the detector ---------------------------------------------------------------------------

#: Height over the detector in mm, and how much too large an area is at 1 m when nothing is corrected.
MAGNIFIED = {5: 1.010, 15: 1.031, 30: 1.063, 50: 1.108, 100: 1.235}


@pytest.mark.parametrize("height", MAGNIFIED)
@pytest.mark.parametrize("origin", [SpacingOrigin.DETECTOR_PLANE, SpacingOrigin.DETECTOR_ONLY])
def test_magnification_is_corrected(height, origin):
    before = film(origin, acquisition=Acquisition(source_distance_mm=1000.0))
    image = rescaled(before, ScaleRequest(object_mm=height))
    assert image.spacing.origin is SpacingOrigin.OBJECT_DISTANCE
    assert before.spacing.pixel_mm2 / image.spacing.pixel_mm2 == pytest.approx(MAGNIFIED[height], abs=6e-4)
    assert re.search(r"adds \d\.\d% to the error of a length", sentences(image.warnings)[-1])


def test_the_users_source_distance_beats_the_files():
    image = film(SpacingOrigin.DETECTOR_ONLY, acquisition=Acquisition(source_distance_mm=1000.0))
    assert rescaled(image, ScaleRequest(object_mm=100, source_mm=2000)).spacing.row_mm == pytest.approx(0.2 * 0.95)


@pytest.mark.parametrize("height", [0, 10, 100])
def test_the_error_added_is_that_of_height_and_distance(height):
    """Against the scatter of lengths corrected with heights and distances that err as is claimed."""
    rng = np.random.default_rng(0)
    spacing = spacing_at_height(Spacing.of(0.2, 0.2, SpacingOrigin.DETECTOR_ONLY), height, 1000)
    parts = dict(spacing.components)
    off = height + max(5, 0.2 * height) * rng.standard_normal(100_000)
    source = 1000 * (1 + 0.01 * rng.standard_normal(100_000))
    scatter = np.std(np.log((source - off) / source))
    assert math.hypot(parts["height"], parts["source"]) == pytest.approx(scatter, rel=0.02)
    assert spacing.relative_sd == pytest.approx(math.hypot(*parts.values()))


def test_without_the_sources_distance_there_is_no_scale():
    image = rescaled(film(SpacingOrigin.DETECTOR_ONLY), ScaleRequest(object_mm=30))
    assert image.spacing is None
    assert re.search("give --source-distance, or leave --object-distance out", sentences(image.warnings)[-1])


@pytest.mark.parametrize("height", [900, 2000])
def test_heights_that_cannot_be_are_refused(height):
    image = rescaled(film(SpacingOrigin.DETECTOR_ONLY), ScaleRequest(object_mm=height, source_mm=1000))
    assert image.spacing is None
    assert "give both distances from the detector" in sentences(image.warnings)[-1]


@pytest.mark.parametrize("origin", [origin for origin in SpacingOrigin if origin not in AT_DETECTOR])
def test_only_a_scale_of_the_detector_is_corrected(origin):
    image = rescaled(film(origin), ScaleRequest(object_mm=30, source_mm=1000))
    assert image.spacing.origin is origin
    assert image.spacing.row_mm == 0.2
    assert "the object distance was not applied" in sentences(image.warnings)[-1]
    with pytest.raises(MeasurementRefused, match="only a scale of the detector plane"):
        spacing_at_height(image.spacing, 30, 1000)
