import math
import re

import cv2
import numpy as np
import pytest
from calibrate_scenes import Shot, page_of, photo, sheet_photo

from calcimeasure.errors import MeasurementRefused
from calcimeasure.io.results.marker_sheet import sheet_pdf
from calcimeasure.model.image import SpacingOrigin
from calcimeasure.model.plane import ObjectPlane
from calcimeasure.model.scale import Scale, ScaleMethod
from calcimeasure.steps.scale import find_markers, find_scale, fit_plane, marker_sheet
from calcimeasure.steps.scale.marker import Markers, _refusal
from calcimeasure.steps.scale.sheet import PAGE_MM, size_from_ids

SHOTS = {
    "straight": Shot(),
    "tilted": Shot(tilt=20, towards=30, spin=40, seed=1),
    "limit": Shot(tilt=29, towards=200, spin=-70, focal=0.9, seed=2),
    "soft": Shot(tilt=12, towards=90, blur=1.6, noise=6, quality=60, seed=3),
}


@pytest.mark.parametrize("keep", [(5,), (0, 3, 8, 11)], ids=["one", "four"])
@pytest.mark.parametrize("name", SHOTS)
def test_areas_are_right_on_tilted_sheets(name, keep):
    shot = SHOTS[name]
    scale = find_scale(sheet_photo(shot, keep=keep))
    assert scale.method is ScaleMethod.MARKER
    assert not scale.unsure
    assert scale.spacing.origin is SpacingOrigin.MARKER
    assert scale.tilt_degrees == pytest.approx(shot.tilt, abs=2.5)
    disc = shot.disc(90, 120, 8)
    assert scale.area_mm2(disc) == pytest.approx(math.pi * 64, rel=0.03 if keep == (5,) else 0.015)


def test_spacing_is_the_scale_at_a_straight_sheet():
    scale = find_scale(sheet_photo(SHOTS["straight"], keep=(0, 5, 6)))
    assert scale.spacing.row_mm == pytest.approx(1 / 5, rel=0.003)
    assert scale.spacing.column_mm == pytest.approx(1 / 5, rel=0.003)
    assert scale.px_per_mm == pytest.approx(5, rel=0.003)
    assert scale.sd == pytest.approx(scale.spacing.relative_sd / 5, rel=0.01)


def test_pixel_areas_add_up_to_the_area_of_a_mask():
    shot = SHOTS["tilted"]
    scale, disc = find_scale(sheet_photo(shot, keep=(5, 6))), shot.disc(80, 130, 5)
    assert scale.pixel_area_mm2(shot.shape)[disc].sum() == pytest.approx(scale.area_mm2(disc))
    assert np.ptp(scale.pixel_area_mm2(shot.shape)) > 0.2 * scale.spacing.pixel_mm2


def test_a_measured_print_overrides_what_the_numbers_tell():
    image = sheet_photo(SHOTS["straight"], keep=(5,))
    assert find_scale(image, marker_mm=21).spacing.mean_mm == pytest.approx(
        1.05 * find_scale(image).spacing.mean_mm, rel=1e-6
    )


def test_a_marker_cut_off_by_the_edge_does_not_spoil_the_others():
    image = sheet_photo(SHOTS["straight"], keep=(5, 6, 9))
    top = round(find_markers(image).corners[0][:, 1].min()) + 1  # the upper row of markers loses its border and a pixel
    assert find_scale(photo(image.pixels[top:, :, 0])).px_per_mm == pytest.approx(5, rel=0.003)


UNEQUAL = [(0, 1.01, False), (0, 1.035, True), (15, 1.1, True), (25, 1.0, False), (25, 1.035, True)]


@pytest.mark.parametrize(("tilt", "factor", "refused"), UNEQUAL)
def test_markers_of_unequal_size_are_not_taken_for_tilt(tilt, factor, refused):
    shot = Shot(tilt=tilt, towards=20, px_per_mm=4, seed=tilt)
    scale = find_scale(sheet_photo(shot, keep=(5, 6), stretch={5: factor}))
    assert (scale.spacing is None) is refused
    assert ("all from one print" in scale.reason) is refused


def _bled(shot, mm):
    """A marker whose ink ran: its black is wider by so many mm on every side."""
    page = page_of(marker_sheet(20), (5,))
    reach = round(mm * page.shape[1] / PAGE_MM[0])
    return photo(shot.take(cv2.erode(page, np.ones((2 * reach + 1,) * 2, np.uint8)), PAGE_MM[0] / page.shape[1]))


def test_ink_that_ran_does_not_change_the_scale():
    assert find_scale(_bled(Shot(), 0.17)).px_per_mm == pytest.approx(5, rel=0.004)


def test_a_bright_pen_line_over_a_marker_does_not_change_the_scale():
    image = sheet_photo(SHOTS["straight"], keep=(5,))
    pixels = image.pixels.copy()
    marker = find_markers(image).corners[0]
    middle = marker.mean(axis=0)
    cv2.line(
        pixels, tuple(map(int, marker[3] + 0.2 * (middle - marker[3]))), tuple(map(int, middle)), (250, 250, 250), 2
    )
    crossed = find_scale(photo(pixels[..., 0]))
    assert crossed.px_per_mm == pytest.approx(5, rel=0.003)


def _askew(shot):
    """Markers pulled askew, each its own way, with their area kept."""
    page = page_of(marker_sheet(20), (0, 2, 5, 7))
    scale = page.shape[1] / PAGE_MM[0]
    for place in (0, 2, 5, 7):
        marker = marker_sheet(20).markers[place]
        top, left = round((marker.y_mm - 3) * scale), round((marker.x_mm - 6) * scale)
        for row in range(round(26 * scale)):
            band = page[top + row, left : left + round(32 * scale)]
            band[:] = np.roll(band, round((-1) ** place * 0.08 * (row - 13 * scale)))
    return photo(shot.take(page, PAGE_MM[0] / page.shape[1]))


REFUSED = {
    "tilt": (
        lambda: sheet_photo(Shot(tilt=38, towards=20), keep=(0, 5, 6, 9)),
        "tilted by 3[678] degrees.*from straight above",
    ),
    "sizes": (lambda: sheet_photo(Shot(), keep=(0, 1, 6, 7), stretch={6: 1.12}), "disagree by .*one plane.*one print"),
    "askew": (lambda: _askew(Shot()), "px from one plane.*lay the sheet flat"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_say_what_to_do(name):
    draw, message = REFUSED[name]
    scale = find_scale(draw())
    assert scale.spacing is None
    assert scale.homography is None
    assert scale.unsure
    assert scale.method is ScaleMethod.MARKER
    assert re.search(message, scale.reason), scale.reason
    with pytest.raises(MeasurementRefused, match="there is no scale"):
        scale.area_mm2(np.ones((2, 2), bool))


def _foreign_photo():
    family = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_6X6_250)
    page = np.full((800, 800), 230, np.uint8)
    for k, (y, x) in enumerate([(100, 100), (100, 500), (500, 100), (500, 500)]):
        page[y : y + 160, x : x + 160] = np.where(cv2.aruco.generateImageMarker(family, k, 160) > 0, 230, 25)
    return photo(cv2.GaussianBlur(page, (0, 0), 1.0))


def test_markers_of_unknown_size_are_refused_until_it_is_given():
    image = _foreign_photo()
    unknown = find_scale(image, method="marker")
    assert unknown.spacing is None
    assert "unknown size; they agree within" in unknown.reason
    assert "--marker-mm" in unknown.reason
    assert find_scale(image, marker_mm=32).px_per_mm == pytest.approx(5, rel=0.003)


def test_one_marker_measures_another():
    image = _foreign_photo()
    markers = find_markers(image)
    plane = fit_plane(markers.only(0), 32.0, image.shape)
    assert plane.tilt_degrees < 3
    whole = fit_plane(markers, 32.0, image.shape)
    assert whole.disagreement < 0.003
    assert whole.relative_sd < plane.relative_sd


def test_the_claimed_sd_covers_the_scatter():
    middle = np.zeros((700, 900), bool)
    middle[300:400, 400:500] = True
    scales = [find_scale(sheet_photo(Shot(seed=k), keep=(5,))) for k in range(4)]
    scatter = np.std([np.sqrt(scale.area_mm2(middle)) for scale in scales]) / np.sqrt(1e4 / 25)
    assert scatter < 2 * np.mean([scale.spacing.relative_sd for scale in scales])


def _seen(rng, count, lens=0.0, curl=0.0):
    """Markers of 20 mm as a camera sees them, and what it makes of points (x, y) in mm of their plane.

    `lens` is the distortion at half a diagonal, `curl` the curvature of the paper in 1 / mm.
    """
    focal, away, middle = rng.uniform(0.7, 1.3) * 2000, rng.uniform(250, 400), np.array([999.5, 749.5])
    tilt, towards, spin = np.radians(rng.uniform([0, 0, 0], [20, 360, 360]))
    turn = cv2.Rodrigues(np.array([np.cos(towards), np.sin(towards), 0]) * tilt)[0]
    turn = turn @ cv2.Rodrigues(np.array([0, 0, spin]))[0]

    def shown(x, y, z):
        seen = np.stack([x, y, z], axis=-1) @ turn.T + [0, 0, away]
        flat = seen[..., :2] / seen[..., 2:] * focal
        return middle + flat * (1 + lens * (flat**2).sum(axis=-1, keepdims=True) / (middle**2).sum())

    square = 10 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    places = np.array([(0, 0), (40, 0), (0, 40), (40, 40)])[:count, None] + square
    x, y = np.moveaxis(places, -1, 0)
    corners = shown(x, y, curl * (x - x.mean()) ** 2 / 2) + rng.normal(0, 0.15, (count, 4, 2))
    covariance = np.broadcast_to(0.15**2 * np.eye(8), (count, 8, 8))
    return Markers(tuple(range(count)), corners, covariance), shown


def _errors(rng, count, **how):
    """Relative error of small areas 40 to 75 mm from the first marker, and their claimed sd; none where refused."""
    markers, shown = _seen(rng, count, **how)
    plane = fit_plane(markers, 20.0, (1500, 2000))
    if _refusal(plane, count, 20.0):
        return []
    found = ObjectPlane(tuple(map(tuple, plane.to_mm.tolist())), error=plane.error)
    far, angle = rng.uniform(40, 75, 4), rng.uniform(0, 2 * np.pi, 4)
    x, y = far * np.cos(angle), far * np.sin(angle)
    here, right, down = (shown(x + dx, y + dy, 0 * x) for dx, dy in ((0, 0), (0.1, 0), (0, 0.1)))
    pixels = np.abs(np.linalg.det(np.stack([right - here, down - here], axis=-1)))
    error = pixels * found.pixel_mm2(here[:, 1], here[:, 0]) / 0.01 - 1
    parts = found.length_sd(here[:, 1], here[:, 0])
    return list(zip(error, 2 * np.sqrt(sum(part**2 for part in parts.values())), strict=True))


SCENES = {
    "one marker": (1, {}),
    "one marker, barrel": (1, {"lens": -0.04}),
    "one marker, cushion": (1, {"lens": 0.03}),
    "one marker, curled": (1, {"curl": 1 / 200}),
    "four markers": (4, {}),
    "four markers, barrel": (4, {"lens": -0.04}),
    "four markers, curled": (4, {"curl": 1 / 300}),
}


@pytest.mark.parametrize("name", SCENES)
def test_the_bar_of_an_area_holds_where_the_deposit_is(name):
    rng = np.random.default_rng(3)
    count, how = SCENES[name]
    found = np.array([one for _ in range(12) for one in _errors(rng, count, **how)]).reshape(-1, 2)
    covered = np.abs(found[:, 0]) < 1.96 * found[:, 1]
    print(f"{name}: {len(found)} areas, {np.mean(covered):.0%} within the 95 % bar, rms {np.std(found[:, 0]):.1%}")
    assert np.sum(~covered) <= max(1, 0.1 * len(found))


def test_the_bar_grows_with_the_distance_from_the_marker():
    markers, _ = _seen(np.random.default_rng(1), 1)
    plane = fit_plane(markers, 20.0, (1500, 2000))
    at = markers.corners.mean(axis=(0, 1))
    near, far = (math.hypot(*plane.sd_at((at[0], at[1] + dy)).values()) for dy in (0, 400))
    assert near < 0.01
    assert far > 1.5 * near


@pytest.mark.parametrize("bad", [0, -1.0, math.nan, math.inf])
def test_a_marker_size_must_be_positive(bad):
    with pytest.raises(MeasurementRefused, match="black square in mm"):
        find_scale(sheet_photo(Shot(shape=(64, 64))), marker_mm=bad)


def test_an_unknown_method_is_named():
    with pytest.raises(MeasurementRefused, match="auto, marker, ruler"):
        find_scale(photo(np.zeros((64, 64), np.uint8)), method="magic")


def test_a_scale_without_spacing_must_say_why():
    with pytest.raises(ValueError, match="must say why"):
        Scale(None, None, unsure=True)
    with pytest.raises(ValueError, match="cannot be sure"):
        Scale(None, None, reason="none")


@pytest.mark.parametrize("size", [8, 20, 37, 60])
def test_every_sheet_fits_the_page_and_tells_its_size(size):
    sheet = marker_sheet(size)
    assert size_from_ids([marker.number for marker in sheet.markers]) == size
    assert len(sheet.markers) >= 4
    assert max(marker.x_mm + size for marker in sheet.markers) < PAGE_MM[0] - 10
    assert max(marker.y_mm + size for marker in sheet.markers) < PAGE_MM[1] - 10
    assert all(marker.modules()[0].all() for marker in sheet.markers)


@pytest.mark.parametrize("size", [5, 61, 20.5])
def test_sizes_that_cannot_be_printed_are_refused(size):
    with pytest.raises(MeasurementRefused, match="whole millimetres"):
        marker_sheet(size)


def test_numbers_of_two_sheets_tell_no_size():
    assert size_from_ids([16 * 20, 16 * 25]) is None
    assert size_from_ids([3]) is None


def test_a_number_that_is_on_no_sheet_tells_no_size():
    on_sheet = [marker.number for marker in marker_sheet(60).markers]
    assert size_from_ids(on_sheet) == 60
    assert len(on_sheet) < 16
    assert size_from_ids([16 * 60 + 15]) is None


def test_the_sheet_is_the_same_pdf_each_time():
    data = sheet_pdf(marker_sheet(20))
    assert data.startswith(b"%PDF")
    assert data == sheet_pdf(marker_sheet(20))
    assert data != sheet_pdf(marker_sheet(25))
