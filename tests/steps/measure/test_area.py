"""What a row must obey, whatever the film: scale, turning, dtype, locality, and a sd that tells the truth."""

import dataclasses
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation
from skimage.draw import polygon
from skimage.measure import label as components
from skimage.measure import regionprops_table

from calcimeasure.errors import MaskError, RecipeError
from calcimeasure.model.image import Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels
from calcimeasure.steps.measure.area import (
    GRID_VARIANCE,
    MeasureSettings,
    Window,
    measure,
    measure_some,
    reach_px,
    total,
)

SHAPE_FIELDS = ("area_px", "area_mm2", "diameter_mm", "feret_mm", "perimeter_mm")
LIGHT_FIELDS = ("contrast_mean", "contrast_integrated", "over_bone", "saturated_px")


def film(pixels, spacing=0.2, meaning=Meaning.DETECTOR, **facts):
    scale = None if spacing is None else Spacing.of(*np.broadcast_to(spacing, 2), SpacingOrigin.USER)
    return Image(pixels, Kind.RADIOGRAPH, meaning, scale, **facts)


def scene(seed, shape=(90, 120), dtype=np.uint16, top=4000):
    """A noisy film with ragged touching labels, some at the border and of many pieces, and bone."""
    rng = np.random.default_rng(seed)
    smooth = [cv2.GaussianBlur(rng.random(shape), (0, 0), s) for s in (2.0, 6.0)]
    found = components(smooth[0] > np.quantile(smooth[0], 0.85)).astype(np.int32)
    found[:, 60:62] = np.where(found[:, 60:62] > 0, 900, 0)  # a scattered one that touches others
    pixels = rng.integers(0, top, shape).astype(dtype)
    return pixels, found * 7, smooth[1] > np.quantile(smooth[1], 0.7)


def measured(pixels, labels, bone=None, settings=None, **facts):
    return measure(film(pixels, **facts), Labels(labels), bone=bone, settings=settings)


def column(rows, name):
    values = [getattr(row, name) for row in rows]
    return [(v.value, v.sd) if hasattr(v, "sd") else v for v in values]


def sorted_columns(rows, names):
    """The named columns as a multiset of rows: turning a film may not change more than the order."""
    return sorted(zip(*(column(rows, name) for name in names), strict=True))


# --- equal to regionprops where definitions are equal --------------------------------------------------


def corner_feret(mask, spacing):
    rows, columns = np.nonzero(mask)
    corners = np.array([(r + a, c + b) for r, c in zip(rows, columns, strict=True) for a in (0, 1) for b in (0, 1)])
    corners = np.unique(corners, axis=0) * spacing
    return np.sqrt(((corners[:, None] - corners[None]) ** 2).sum(-1).max())


@pytest.mark.parametrize("seed", range(3))
def test_regionprops_agrees_where_definitions_are_equal(seed):
    pixels, labels, bone = scene(seed)
    rows = measured(pixels, labels, bone).deposits
    names = ("label", "area", "bbox", "centroid", "equivalent_diameter_area", "perimeter_crofton")
    its = regionprops_table(labels, pixels, properties=names, spacing=(0.2, 0.2))
    assert column(rows, "label") == its["label"].tolist()
    np.testing.assert_allclose([r.area_mm2.value for r in rows], its["area"], rtol=1e-12)
    np.testing.assert_array_equal(column(rows, "bbox"), np.stack([its[f"bbox-{i}"] for i in range(4)], 1))
    its_centroid = np.stack([its["centroid-0"], its["centroid-1"]], 1)
    np.testing.assert_allclose(np.array(column(rows, "centroid")) * 0.2, its_centroid, rtol=1e-12)
    np.testing.assert_allclose(column(rows, "diameter_mm"), its["equivalent_diameter_area"], rtol=1e-12)
    np.testing.assert_allclose(column(rows, "perimeter_mm"), its["perimeter_crofton"], rtol=1e-12)
    over_bone = [bone[labels == r.label].mean() for r in rows]
    np.testing.assert_allclose(column(rows, "over_bone"), over_bone, rtol=1e-12)


@pytest.mark.parametrize("spacing", [(0.2, 0.2), (0.1, 0.35)])
def test_feret_is_the_farthest_pair_of_pixel_corners(spacing):
    pixels, labels, _ = scene(4)
    labels[5:85, 100] = 5000  # taller than the rows that are tried all
    for row in measured(pixels, labels, spacing=spacing).deposits:
        assert row.feret_mm == pytest.approx(corner_feret(labels == row.label, spacing), rel=1e-12)


def test_feret_of_tall_deposits_equals_that_of_all_their_corners():
    rng = np.random.default_rng(0)
    labels = (cv2.GaussianBlur(rng.random((150, 60)), (0, 0), 5) > 0.5).astype(np.int32)
    row = measured(np.zeros((150, 60), np.uint8), labels, spacing=(0.3, 0.2)).deposits[0]
    outline = labels.copy()
    outline[1:-1, 1:-1] *= cv2.erode(labels.astype(np.uint8), np.ones((3, 3)))[1:-1, 1:-1] == 0
    assert row.feret_mm == pytest.approx(corner_feret(outline > 0, (0.3, 0.2)), rel=1e-12)


@pytest.mark.parametrize(
    ("radius_mm", "spacing"), [(3.0, (0.1, 0.1)), (3.0, (0.1, 0.2)), (3.0, (0.25, 0.1)), (8.0, (0.2, 0.2))]
)
def test_disc_of_known_size_on_any_pixel(radius_mm, spacing):
    shape = [int(2 * radius_mm / s) + 9 for s in spacing]
    y, x = np.meshgrid(np.arange(shape[0]) * spacing[0], np.arange(shape[1]) * spacing[1], indexing="ij")
    disc = np.hypot(y - y.mean(), x - x.mean()) <= radius_mm
    row = measured(disc.astype(np.uint8), disc.astype(np.int32), spacing=spacing).deposits[0]
    assert row.area_mm2.value == pytest.approx(math.pi * radius_mm**2, rel=0.01)
    assert row.perimeter_mm == pytest.approx(2 * math.pi * radius_mm, rel=0.02)
    assert 0 <= row.feret_mm - 2 * radius_mm <= math.hypot(*spacing)


# --- contrast ------------------------------------------------------------------------------------------

RINGS = MeasureSettings(ring_gap_px=2, ring_width_px=4)  # used without a scale


def ring_by_the_book(labels, number, bone):
    """The ring of `measure`'s Notes, written a second time without any of its economies."""
    box = lambda reach: np.ones((2 * reach + 1,) * 2, bool)  # noqa: E731
    ring = binary_dilation(labels == number, box(6)) & ~binary_dilation(labels != 0, box(2))
    with_bone, last = ring, binary_dilation(labels == number, box(6)) & (labels == 0)
    return next((r for r in (ring & ~bone, with_bone, last) if r.sum() >= 12), None)


@pytest.mark.parametrize("seed", range(3))
def test_contrast_is_over_the_median_of_the_ring(seed):
    pixels, labels, bone = scene(seed)
    for row in measured(pixels, labels, bone, RINGS, spacing=None).deposits:
        ring = ring_by_the_book(labels, row.label, bone)
        expected = pixels[labels == row.label].mean() - np.median(pixels[ring])
        assert row.contrast_mean == pytest.approx(expected, rel=1e-12, abs=1e-9)
        assert row.contrast_integrated == pytest.approx(row.contrast_mean * row.area_px.value, abs=1e-6)


def square_film(background=100, deposit=160):
    labels = np.zeros((60, 60), np.int32)
    labels[25:35, 25:33] = 3
    return np.where(labels, deposit, background).astype(np.uint16), labels


def test_bone_counts_as_background_only_when_nothing_else_is_left():
    pixels, labels = square_film()
    bone = np.zeros(labels.shape, bool)
    bone[:, 30:] = True
    pixels[bone & (labels == 0)] = 130
    assert measured(pixels, labels, bone).contrast_mean == 60
    assert measured(pixels, labels, np.ones_like(bone)).contrast_mean in (30, 60)
    assert measured(pixels, labels, np.ones_like(bone)).deposits[0].over_bone == 1


def test_invalid_and_unreadable_pixels_give_no_brightness_but_keep_their_area():
    pixels, labels = square_film()
    pixels = pixels.astype(np.float32)
    valid = np.ones(labels.shape, bool)
    valid[:30] = False
    pixels[:30] = 9e9
    pixels[40, 25:33] = np.nan
    pixels[30, 25] = np.inf
    row = measured(pixels, labels, valid=valid).deposits[0]
    assert (row.contrast_mean, row.contrast_integrated, row.area_px.value) == (60, 60 * 80, 80)
    dark = measured(pixels, labels, valid=np.zeros_like(valid))
    assert (dark.deposits[0].contrast_mean, dark.contrast_mean, dark.contrast_integrated) == (None, None, None)


def test_no_room_for_background_means_no_contrast():
    whole = measured(np.full((20, 20), 7, np.uint8), np.ones((20, 20), np.int32))
    assert whole.deposits[0].contrast_mean is None
    assert whole.contrast_integrated is None
    assert whole.area_px.value == 400


MEANINGS = [(Meaning.DETECTOR, True), (Meaning.DISPLAY, True), (Meaning.HOUNSFIELD, True), (Meaning.PHOTO, False)]


@pytest.mark.parametrize(("meaning", "has_contrast"), MEANINGS)
def test_meaning_decides_whether_there_is_a_contrast(meaning, has_contrast):
    pixels, labels = square_film()
    found = measured(pixels, labels, meaning=meaning)
    assert [found.contrast_mean, found.deposits[0].contrast_integrated] == ([60, 4800] if has_contrast else [None] * 2)
    empty = measured(pixels, labels * 0, meaning=meaning)
    assert empty.contrast_integrated == (0 if has_contrast else None)


def test_a_colour_photo_has_areas_only():
    pixels, labels = square_film()
    photo = Image(np.stack([pixels.astype(np.uint8)] * 3, -1), Kind.PHOTO, Meaning.PHOTO, ceiling=255.0)
    found = measure(photo, Labels(labels))
    assert (found.area_px.value, found.contrast_mean, found.deposits[0].saturated_px) == (80, None, 0)


def test_saturated_pixels_are_counted():
    pixels, labels = square_film()
    pixels[25:27, 20:33] = 1023
    assert measured(pixels, labels, ceiling=1023.0).deposits[0].saturated_px == 16
    assert measured(pixels, labels).deposits[0].saturated_px == 0


# --- laws ----------------------------------------------------------------------------------------------


def test_doubling_the_spacing_quadruples_mm2_and_doubles_mm():
    pixels, labels, bone = scene(1)
    once, twice = (measured(pixels, labels, bone, spacing=s) for s in (0.2, 0.4))
    for a, b in zip((*once.deposits, once), (*twice.deposits, twice), strict=True):
        assert (b.area_mm2.value, b.area_mm2.sd) == pytest.approx((4 * a.area_mm2.value, 4 * a.area_mm2.sd), rel=1e-12)
        assert a.area_px == b.area_px
    for name in ("diameter_mm", "feret_mm", "perimeter_mm"):
        np.testing.assert_allclose(column(twice.deposits, name), 2 * np.array(column(once.deposits, name)), rtol=1e-12)


TURNS = {
    "rot90": lambda a: np.rot90(a).copy(),
    "rot180": lambda a: np.rot90(a, 2).copy(),
    "left-right": lambda a: a[:, ::-1].copy(),
    "up-down": lambda a: a[::-1].copy(),
    "transpose": lambda a: a.T.copy(),
}


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_turning_the_film_changes_positions_only(turn):
    pixels, labels, bone = scene(2)
    before = measured(pixels, labels, bone)
    after = measured(*map(turn, (pixels, labels, bone)))
    names = ("label", *SHAPE_FIELDS, *LIGHT_FIELDS)
    assert sorted_columns(before.deposits, names) == sorted_columns(after.deposits, names)
    assert dataclasses.replace(before, deposits=()) == dataclasses.replace(after, deposits=())


def test_swapping_the_spacing_with_a_transposition_changes_positions_only():
    pixels, labels, bone = scene(3)
    before = measured(pixels, labels, bone, spacing=(0.1, 0.25)).deposits
    after = measured(pixels.T, labels.T, bone.T, spacing=(0.25, 0.1)).deposits
    for name in (*SHAPE_FIELDS, *LIGHT_FIELDS):
        np.testing.assert_allclose(column(after, name), column(before, name), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64])
def test_the_dtype_of_the_film_does_not_matter(dtype):
    pixels, labels, bone = scene(5, top=256)
    assert measured(pixels.astype(dtype), labels, bone) == measured(pixels.astype(np.int64), labels, bone)


@pytest.mark.parametrize(("dtype", "value"), [(np.uint16, 65535), (np.int32, 2**31 - 1), (np.uint32, 2**32 - 1)])
def test_large_sums_do_not_overflow(dtype, value):
    labels = np.zeros((600, 600), np.int32)
    labels[20:580, 20:580] = 1
    pixels = np.where(labels, value, 0).astype(dtype)
    assert measured(pixels, labels).contrast_integrated == value * 560**2


def test_touching_labels_are_measured_apart_and_numbers_need_not_be_consecutive():
    labels = np.zeros((30, 30), np.int32)
    labels[10:14, 10:13], labels[10:14, 13:20] = 2**31 - 1, 5
    first, second = measured(np.zeros((30, 30), np.uint8), labels).deposits
    assert (first.label, first.bbox, first.area_px.value) == (5, (10, 13, 14, 20), 28)
    assert (second.label, second.bbox, second.area_px.value) == (2**31 - 1, (10, 10, 14, 13), 12)


def test_a_label_in_the_corner_and_nothing_at_all():
    labels = np.zeros((5, 7), np.int32)
    labels[4, 6] = 1
    row = measured(np.zeros((5, 7), np.uint8), labels, spacing=1.0).deposits[0]
    assert (row.bbox, row.centroid, row.feret_mm) == ((4, 6, 5, 7), (4, 6), math.sqrt(2))
    empty = measured(np.zeros((5, 7), np.uint8), labels * 0)
    assert (empty.count, empty.area_px.value, empty.area_mm2.value, empty.contrast_mean) == (0, 0, 0, None)


def test_without_a_scale_millimetres_stay_empty():
    pixels, labels, bone = scene(0)
    found = measured(pixels, labels, bone, spacing=None)
    assert found.area_mm2 is None
    assert {value for name in SHAPE_FIELDS[1:] for value in column(found.deposits, name)} == {None}
    assert found.area_px == measured(pixels, labels, bone).area_px


@given(st.integers(0, 10_000), st.sampled_from([np.uint16, np.float32]), st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_window_gives_the_digits_of_the_whole(seed, dtype, scaled):
    rng = np.random.default_rng(seed)
    pixels, labels, bone = scene(seed)
    labels[:, 60:62] = 0
    image = film(pixels + rng.random(pixels.shape).astype(dtype), 0.25 if scaled else None)
    whole = measure(image, Labels(labels), bone=bone)
    chosen = whole.deposits[rng.integers(whole.count)]
    reach = reach_px(image.spacing)
    top, left = (max(chosen.bbox[i] - reach[i] - int(rng.integers(3)), 0) for i in (0, 1))
    cut = labels[top : chosen.bbox[2] + reach[0], left : chosen.bbox[3] + reach[1]]
    again = measure_some(image, Window(Labels(cut), top, left), [chosen.label], bone=bone)
    assert again == (chosen,) == measure_some(image, Labels(labels), [chosen.label, 10**9], bone=bone)


def test_a_change_out_of_reach_changes_no_digit():
    pixels, labels, bone = scene(6)
    labels[:, 60:62] = 0
    image = film(pixels)
    whole = measure(image, Labels(labels), bone=bone)
    changed = labels.copy()
    changed[:30, :30] = 0
    rows, columns = reach_px(image.spacing)
    far = [d for d in whole.deposits if d.bbox[0] >= 30 + rows or d.bbox[1] >= 30 + columns]
    again = {d.label: d for d in measure(image, Labels(changed), bone=bone).deposits}
    assert len(far) > 10
    assert far == [again[d.label] for d in far]
    assert total(reversed(whole.deposits), image) == whole


def test_totals_are_those_of_the_rows():
    pixels, labels, bone = scene(7)
    found = measured(pixels, labels, bone)
    scale = 2 * 0.005 * found.area_mm2.value
    outline = math.hypot(*(row.area_px.sd for row in found.deposits)) * 0.04
    assert found.area_px.value == (labels > 0).sum()
    assert found.area_mm2.sd == pytest.approx(math.hypot(outline, scale), rel=1e-12)
    assert found.contrast_mean * found.area_px.value == pytest.approx(found.contrast_integrated)


# --- refusals ------------------------------------------------------------------------------------------

BAD_SETTINGS = [
    ("ring_gap_mm", -0.1),
    ("ring_width_px", 2.5),
    ("boundary_sd_px", math.nan),
    ("boundary_sd_px", "0.5"),
    ("ring_least_px", True),
    ("boundary_correlation_px", 0),
]


@pytest.mark.parametrize(("name", "value"), BAD_SETTINGS)
def test_a_bad_setting_is_named_with_its_value(name, value):
    with pytest.raises(RecipeError, match=rf"\[measure\] {name} .*{value!r}"):
        MeasureSettings(**{name: value})


NOISE = np.random.default_rng(0).permutation(np.arange(1, 40_001)).reshape(200, 200)
BAD_MASKS = [
    ("label image has 30 x 41 .*image 30 x 40", (30, 40), np.ones((30, 41)), None),
    ("bone mask has 3 x 4 ", (30, 40), np.ones((30, 40)), np.ones((3, 4), bool)),
    ("scattered all over", (1400, 1400), np.tile(NOISE, (7, 7)), None),
    ("pixel to pixel", (2500, 2500), np.tile(np.eye(2, dtype=np.uint8), (1250, 1250)), None),
]


@pytest.mark.parametrize(("message", "shape", "labels", "bone"), BAD_MASKS, ids=[case[0] for case in BAD_MASKS])
def test_a_mask_that_does_not_fit_is_refused(message, shape, labels, bone):
    with pytest.raises(MaskError, match=message):
        measured(np.zeros(shape, np.uint8), labels.astype(np.int32), bone)


@pytest.mark.parametrize(
    ("row", "column", "message"), [(20, 20, "cuts off what surrounds deposit 3"), (50, 0, "60 x 60|40 x 40")]
)
def test_a_window_that_lacks_the_surroundings_is_refused(row, column, message):
    pixels, labels = square_film()
    cut = np.zeros((40, 40), np.int32)
    cut[:20, :20] = labels[20:40, 20:40]
    with pytest.raises(MaskError, match=message):
        measure_some(film(pixels), Window(Labels(cut), row, column), [3])


# --- the claimed sd against the real scatter -------------------------------------------------------------


def even_ellipse(a, b, points=120):
    """Corners at equal steps along an ellipse, the normals there, and its length."""
    angle = np.linspace(0, 2 * math.pi, 4000)
    fine = np.stack([a * np.cos(angle), b * np.sin(angle)], 1)
    arc = np.append(0, np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1)))
    angle = np.interp(np.arange(points) / points * arc[-1], arc, angle)
    normal = np.stack([b * np.cos(angle), a * np.sin(angle)], 1)
    corners = np.stack([a * np.cos(angle), b * np.sin(angle)], 1)
    return corners, normal / np.linalg.norm(normal, axis=1, keepdims=True), arc[-1]


def arc_process(points, length, settings, noise):
    """Smooth random shifts along a closed outline, correlated as `measure`'s Notes assume (a circulant matrix)."""
    apart = np.minimum(np.arange(points), points - np.arange(points)) * length / points
    power = np.fft.fft(np.exp(-(apart**2) / (2 * settings.boundary_correlation_px**2))).real
    return settings.boundary_sd_px * np.fft.ifft(np.fft.fft(noise) * np.sqrt(np.maximum(power, 0))).real


def erring_outlines(rng, settings, draws):
    """An ellipse of random size and direction: its true area and outlines of it that err."""
    a, b = rng.uniform(4, 25, 2)
    ring, normal, length = even_ellipse(a, b)
    shifts = arc_process(len(ring), length, settings, rng.standard_normal((draws, len(ring))))
    turn = rng.uniform(0, math.pi)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return math.pi * a * b, [(ring + normal * shift[:, None]) @ rotation for shift in shifts]


def errors_in_sd(settings, seed, shapes=400, draws=5, tile=72):
    """(counted - true area) / claimed sd, over many ellipses at random places between the pixels."""
    rng = np.random.default_rng(seed)
    labels, truth = np.zeros((shapes * tile, draws * tile), np.int32), []
    for i in range(shapes):
        area, outlines = erring_outlines(rng, settings, draws)
        for j, outline in enumerate(outlines):
            row, column = (outline + (i * tile, j * tile) + tile / 2 + rng.uniform(-0.5, 0.5, 2)).T
            labels[polygon(row, column, labels.shape)] = len(truth) + 1
            truth.append(area)
    found = measured(np.zeros(labels.shape, np.uint8), labels, None, settings, spacing=None, meaning=Meaning.PHOTO)
    return np.array([(row.area_px.value - truth[row.label - 1]) / row.area_px.sd for row in found.deposits])


ERRORS = [(0.5, 10.0), (1.0, 4.0), (0.3, 200.0)]


@pytest.mark.parametrize(("sd", "correlation"), ERRORS)
def test_the_95_percent_interval_of_the_area_holds_the_truth_as_often_as_it_says(sd, correlation):
    scores = errors_in_sd(MeasureSettings(boundary_sd_px=sd, boundary_correlation_px=correlation), seed=1)
    assert 0.93 <= (np.abs(scores) < 1.96).mean() <= 0.97
    assert scores.std() == pytest.approx(1, abs=0.07)


def test_a_perfect_outline_errs_by_where_the_grid_falls():
    scores = errors_in_sd(MeasureSettings(boundary_sd_px=0.0), seed=2, shapes=200)
    assert scores.std() == pytest.approx(1, abs=0.15)


def test_the_outline_error_tends_to_its_limits():
    _, labels = square_film()
    for correlation, spread in [(1e6, 1.0), (0.01, 0.0)]:
        chosen = MeasureSettings(boundary_sd_px=0.2, boundary_correlation_px=correlation)
        row = measured(np.zeros(labels.shape, np.uint8), labels, None, chosen).deposits[0]
        length = row.perimeter_mm / 0.2
        expected = math.sqrt((spread * 0.2 * length) ** 2 + GRID_VARIANCE * length)
        assert row.area_px.sd == pytest.approx(expected, rel=0.01)
