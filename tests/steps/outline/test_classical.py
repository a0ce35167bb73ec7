"""Laws of segmentation, on films drawn here: a limb with a bone, deposits, and what is no deposit."""

import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from calcimeasure.errors import RecipeError
from calcimeasure.model.deposit import Reason
from calcimeasure.model.image import Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.report.words import sentences
from calcimeasure.steps.outline import METHODS, SegmentSettings, segment
from calcimeasure.steps.outline.candidates import Candidate, elongation, in_reading_order, limited_to
from calcimeasure.steps.outline.classical import area_top_hats

SETTINGS = SegmentSettings(method="classical")
MM = 0.25
SPOTS = ((120, 150, 9, 7), (300, 250, 14, 10), (420, 140, 6, 6))  # row, column, half axes in px


def film(spots=SPOTS):
    """A film of 560 x 400 px, 16 bit: air, a limb, a bone, detector noise, elliptic deposits; and their truth."""
    rows, columns = np.mgrid[:560, :400].astype(np.float32)
    grey = 0.05 + 0.30 * np.sqrt(np.clip(1 - ((columns - 200) / 130) ** 2, 0, None))
    grey += 0.25 * np.sqrt(np.clip(1 - ((columns - 195) / 24) ** 2, 0, None))
    truth = np.zeros(grey.shape, bool)
    for row, column, tall, wide in spots:
        inside = 1 - ((rows - row) / tall) ** 2 - ((columns - column) / wide) ** 2
        grey += 0.3 * np.sqrt(np.clip(inside, 0, None))
        truth |= inside > 0
    grey = cv2.GaussianBlur(grey, (0, 0), 0.7) + np.random.default_rng(3).normal(0, 0.004, grey.shape)
    return np.round(np.clip(grey, 0, 1) * 20000).astype(np.uint16), truth


def image(pixels, mm=MM, **facts):
    spacing = Spacing.of(mm, mm, SpacingOrigin.USER) if mm else None
    return Image(pixels, Kind.RADIOGRAPH, Meaning.DETECTOR, spacing, **facts)


def found(pixels, mm=MM, settings=SETTINGS, region=None, **facts):
    return segment(image(pixels, mm, **facts), settings, region)


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.fixture(scope="module")
def drawn():
    pixels, truth = film()
    return pixels, truth, found(pixels)


def test_finds_the_drawn_deposits_and_their_outer_foot(drawn):
    _, truth, result = drawn
    assert result.labels.count == len(SPOTS)
    assert dice(result.labels.array > 0, truth) > 0.9
    assert np.count_nonzero(result.labels.array) == pytest.approx(np.count_nonzero(truth), rel=0.1)


def test_limb_and_bone_are_where_they_were_drawn(drawn):
    _, _, result = drawn
    assert result.limb[280, 90:310].all()
    assert not result.limb[:, :50].any()
    assert result.bone[280, 190:200].all()
    assert not result.bone[280, 280:].any()


def test_a_film_without_deposits_has_none():
    assert found(film(spots=())[0]).labels.count == 0


def test_labels_run_in_reading_order(drawn):
    labels = drawn[2].labels
    assert labels.numbers.tolist() == [1, 2, 3]
    first = [np.flatnonzero(labels.array == n)[0] for n in labels.numbers]
    assert first == sorted(first)


def test_reading_order_is_that_of_first_pixels():
    mask = np.zeros((5, 7), bool)
    mask[0, 6] = mask[1, 0] = mask[4, 3] = True
    assert in_reading_order(mask)[[0, 1, 4], [6, 0, 3]].tolist() == [1, 2, 3]
    assert not in_reading_order(np.zeros((3, 3), bool)).any()


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.rot90, lambda a: np.rot90(a, 2), np.transpose])
def test_turning_the_film_turns_the_mask(drawn, turn):
    pixels, _, result = drawn
    turned = found(np.ascontiguousarray(turn(pixels))).labels
    assert turned.count == result.labels.count
    assert dice(turned.array > 0, turn(result.labels.array) > 0) > 0.98


@pytest.mark.parametrize(
    "changed",
    [
        lambda p: p * np.uint16(3),
        lambda p: p + np.uint16(1000),
        lambda p: p.astype(np.int32) * 5 - 70000,
        lambda p: p.astype(np.float32),
        lambda p: p.astype(np.float64) / 4096,
    ],
)
def test_gain_offset_and_dtype_change_no_pixel(drawn, changed):
    pixels, _, result = drawn
    assert np.array_equal(found(changed(pixels)).labels.array, result.labels.array)


def test_the_same_film_gives_the_same_result(drawn):
    pixels, _, result = drawn
    again = found(pixels)
    assert np.array_equal(again.labels.array, result.labels.array)
    assert again.excluded == result.excluded


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((200, 150), 7, np.uint8),
        np.zeros((1, 1), np.uint16),
        np.arange(2, dtype=np.uint8).reshape(1, 2),
        np.arange(12, dtype=np.uint8).reshape(3, 4),
        np.eye(9, dtype=np.float32),
        np.full((40, 40), np.nan, np.float32),
        np.zeros((0, 5), np.uint8),
    ],
    ids=lambda p: f"{p.shape}",
)
@pytest.mark.parametrize("mm", [MM, None])
def test_films_that_show_nothing_give_nothing(pixels, mm):
    result = found(pixels, mm)
    assert result.labels.shape == pixels.shape
    assert result.labels.count == 0


@pytest.mark.parametrize("mm", [1e-4, 0.02, 30.0])
def test_any_scale_is_survived(drawn, mm):
    assert found(drawn[0], mm).labels.shape == drawn[0].shape


def test_what_is_not_valid_is_not_looked_at(drawn):
    pixels, truth, _ = drawn
    assert found(pixels, valid=np.zeros(pixels.shape, bool)).labels.count == 0
    valid = np.ones(pixels.shape, bool)
    valid[:200] = False
    result = found(np.where(valid, pixels, 65535).astype(np.uint16), valid=valid).labels.array
    assert not result[:200].any()
    assert dice(result > 0, truth & valid) > 0.9


def test_a_region_keeps_what_lies_inside_and_lists_the_rest(drawn):
    pixels, _, whole = drawn
    region = np.zeros(pixels.shape, bool)
    region[:200] = True
    result = found(pixels, region=region)
    assert np.array_equal(result.labels.array > 0, (whole.labels.array > 0) & region)
    assert sum(e.reason is Reason.OUTSIDE_REGION for e in result.excluded) >= 2


def test_unknown_scale_is_said_and_still_works(drawn):
    result = found(drawn[0], None)
    assert result.labels.count >= 2
    assert any("scale unknown" in w for w in sentences(result.warnings))
    assert not drawn[2].warnings


def test_smaller_than_the_limit_is_listed_as_too_small(drawn):
    pixels, _, whole = drawn
    result = found(pixels, settings=replace(SETTINGS, min_area_mm2=12.0))
    assert 0 < result.labels.count < whole.labels.count
    assert Reason.TOO_SMALL in {e.reason for e in result.excluded}


def test_a_lower_threshold_never_finds_less(drawn):
    areas = [
        np.count_nonzero(found(drawn[0], settings=replace(SETTINGS, threshold=t)).labels.array) for t in (0.2, 0.5, 0.9)
    ]
    assert areas == sorted(areas, reverse=True)


def test_letters_on_the_limb_are_text():
    pixels, _ = film()
    letters = cv2.putText(np.zeros(pixels.shape, np.uint8), "LR", (250, 480), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 1, 4)
    pixels[letters > 0] = 20000
    result = found(pixels)
    assert not result.labels.array[440:500, 240:330].any()
    assert Reason.TEXT in {e.reason for e in result.excluded if e.row > 430}


def test_a_blob_in_air_lies_outside_the_limb():
    pixels, _ = film(spots=(*SPOTS, (200, 25, 8, 8)))
    result = found(pixels)
    assert not result.labels.array[:, :50].any()
    assert [e.reason for e in result.excluded if e.column < 50] == [Reason.OUTSIDE_LIMB]


def test_excluded_candidates_are_where_their_rows_say():
    pixels, _ = film(spots=(*SPOTS, (200, 25, 8, 8)))
    for each in found(pixels).excluded:
        row0, column0, row1, column1 = each.bbox
        assert row0 <= each.row < row1
        assert column0 <= each.column < column1
        assert 0 < each.area_px <= (row1 - row0) * (column1 - column0)


def test_area_top_hat_is_the_area_opening_of_the_levels():
    from skimage.morphology import area_opening

    steps = np.random.default_rng(0).integers(0, 20, (40, 50)).astype(np.uint8)
    for area, lost in zip((3, 20), area_top_hats((steps / 64).astype(np.float32), (3, 20)), strict=True):
        assert np.array_equal(lost, steps - area_opening(steps, area, connectivity=2))


@pytest.mark.parametrize(
    ("shape", "expected"), [((9, 9), 1.0), ((3, 30), 10.0), ((30, 3), 10.0), ((1, 1), 1.0), ((1, 12), 12.0)]
)
def test_elongation_of_a_box_is_the_ratio_of_its_sides(shape, expected):
    assert elongation(np.ones(shape, bool)) == pytest.approx(expected)


def test_share_counts_the_candidates_own_pixels():
    candidate = Candidate(1, 1, np.array([[True, False], [True, True]]), 0.5)
    where = np.zeros((4, 4), bool)
    where[1, :] = True
    assert candidate.share(where) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("method", "magic"),
        ("threshold", 1.5),
        ("threshold", float("nan")),
        ("threshold", "high"),
        ("min_area_mm2", -1.0),
        ("min_area_px", 0),
        ("min_area_px", 2.5),
        ("min_area_px", True),
    ],
)
def test_settings_out_of_range_are_named(setting, value):
    with pytest.raises(RecipeError, match=setting):
        SegmentSettings(**{setting: value})


@pytest.mark.parametrize("method", [method.name for method in METHODS])
def test_a_photo_goes_to_the_proposals_whatever_the_method(method):
    skin = np.full((60, 80, 3), (190, 140, 120), np.uint8)
    photo = Image(skin, Kind.PHOTO, Meaning.PHOTO)
    region = np.zeros((60, 80), bool)
    result = segment(photo, SegmentSettings(method=method), region)
    assert result.labels.shape == (60, 80)
    assert not result.labels.count


def test_a_finding_limited_to_a_region_is_cut_and_the_rest_is_listed(drawn):
    _, _, whole = drawn
    region = np.zeros(whole.labels.shape, bool)
    region[: SPOTS[1][0]] = True
    inside = limited_to(whole, region)
    assert np.array_equal(inside.labels.array > 0, (whole.labels.array > 0) & region)
    assert [e.reason for e in inside.excluded[len(whole.excluded) :]] == [Reason.OUTSIDE_REGION]


def test_image_libraries_load_when_a_film_comes():
    code = (
        "import sys, calcimeasure.steps.outline; print({'cv2', 'skimage', 'scipy', 'onnxruntime'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
