"""The overlay tells the truth: outlines round the mask and never on it, whatever the film is made of."""

import cv2
import numpy as np
import pytest

from calcimeasure.errors import MaskError
from calcimeasure.model.deposit import Excluded, Reason
from calcimeasure.model.image import Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels
from calcimeasure.report.film_picture import LETTERS, OUTLINE, overlay, thumbnail

SHAPE = (1000, 800)
MM = Spacing.of(0.15, 0.15, SpacingOrigin.USER)


def _film(shape=SHAPE, dtype=np.uint16, seed=0, **facts):
    noise = np.random.default_rng(seed).normal(2000, 300, shape)
    noise[: shape[0] // 3] = 10
    pixels = noise if np.dtype(dtype).kind == "f" else np.clip(noise, 0, np.iinfo(dtype).max)
    return Image(pixels.astype(dtype), Kind.RADIOGRAPH, Meaning.DETECTOR, **facts)


def _labels(shape=SHAPE, count=25, seed=1):
    rng = np.random.default_rng(seed)
    array = np.zeros(shape, np.int32)
    for number in range(1, count + 1):
        centre = tuple(int(v) for v in rng.uniform(0, 1, 2) * shape[::-1])
        axes = tuple(int(v) for v in rng.integers(0, 25, 2))
        cv2.ellipse(array, centre, axes, float(rng.integers(180)), 0, 360, number, -1)
    return Labels(array)


def _excluded(count=12):
    reasons = list(Reason)
    return [Excluded(reasons[i % 10], 40 * i, 30, (40 * i, 30, 40 * i + 20, 60), 600) for i in range(count)]


def _outlined(picture):
    return (picture == OUTLINE).all(axis=2)


def _near(mask, by=1):
    return cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=by).astype(bool)


def test_the_outline_lies_outside_the_mask_and_within_one_pixel_of_it():
    labels = _labels()
    mask = labels.array > 0
    outlined = _outlined(overlay(_film(), labels))
    assert not (outlined & mask).any()
    assert not (outlined & ~_near(mask)).any()
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    beside = cv2.dilate(mask.astype(np.uint8), cross).astype(bool) & ~mask
    assert outlined[beside].all()


def test_no_pixel_of_a_deposit_is_painted_over():
    film, labels = _film(spacing=MM), _labels(count=120)
    mask = labels.array > 0
    bare, drawn = overlay(film, Labels.empty(SHAPE)), overlay(film, labels, _excluded())
    mask[-80:, :200] = mask[:80, :200] = mask[-80:, -200:] = mask[:80, -200:] = (
        False  # the bar of the bare film is in one of these
    )
    np.testing.assert_array_equal(drawn[mask], bare[mask])


def test_an_enlarged_outline_lies_within_one_film_pixel_of_the_mask():
    labels = Labels(np.pad(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 2]], np.int32), 50))
    picture = overlay(_film(labels.shape), labels)
    times = picture.shape[0] // labels.shape[0]
    mask = (labels.array > 0).repeat(times, 0).repeat(times, 1)
    assert times > 1
    assert not (_outlined(picture) & (mask | ~_near(mask, times))).any()


def test_every_deposit_survives_a_reduction():
    array = np.zeros((1200, 900), np.int32)
    array[5::100, 7::100] = np.arange(1, 109).reshape(12, 9)
    outlined = _outlined(overlay(_film(array.shape), Labels(array), max_side=400))
    for row, column in np.argwhere(array) // 3:
        assert outlined[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3].any()


@pytest.mark.parametrize(
    ("film", "max_side", "picture"),
    [
        ((1000, 800), None, (1000, 800)),
        ((3000, 2500), None, (2400, 2000)),
        ((3000, 2500), 600, (600, 500)),
        ((345, 270), None, (1035, 810)),
        ((100, 250), None, (400, 1000)),
        ((345, 270), 500, (345, 270)),
        ((1, 1), None, (16, 16)),
        ((1, 5000), None, (1, 2400)),
        ((32, 32), None, (512, 512)),
    ],
)
def test_size(film, max_side, picture):
    drawn = overlay(
        Image(np.ones(film, np.uint8), Kind.RADIOGRAPH, Meaning.DISPLAY), Labels.empty(film), max_side=max_side
    )
    assert drawn.shape == (*picture, 3)
    assert drawn.dtype == np.uint8


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("max_side", [None, 300])
def test_every_dtype_shows_dark_and_bright(dtype, max_side):
    drawn = overlay(_film(dtype=dtype), Labels.empty(SHAPE), max_side=max_side)
    rows, columns = drawn.shape[:2]
    assert drawn[rows // 3 + 9 :, columns // 2 :].mean() > drawn[: rows // 3 - 9, columns // 2 :].mean() + 50


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((60, 50), 7, np.uint16),
        np.full((60, 50), np.nan),
        np.full((60, 50), 1e300),
        np.array([[np.inf, -np.inf], [np.nan, 3.4e38]] * 30, np.float32).repeat(25, 1),
        np.array([[-2_147_483_648, 2_147_483_647]] * 60, np.int32).repeat(25, 1),
    ],
    ids=["constant", "all NaN", "beyond float32", "infinite", "whole int32 range"],
)
def test_films_without_a_sensible_window_are_still_drawn(pixels):
    image = Image(pixels, Kind.RADIOGRAPH, Meaning.DETECTOR)
    assert overlay(image, Labels.empty(image.shape)).shape[2] == 3


def test_a_photo_keeps_its_colours():
    pixels = np.full((1000, 1000, 3), (180, 120, 90), np.uint8)
    drawn = overlay(Image(pixels, Kind.PHOTO, Meaning.PHOTO), Labels.empty((1000, 1000)))
    assert drawn[500, 500].tolist() == [180, 120, 90]


@pytest.mark.parametrize(
    ("window", "used"),
    [
        ((1500.0, 2500.0), True),
        ((5000.0, 4000.0), False),
        ((0.0, np.inf), False),
        ((60000.0, 65000.0), False),
    ],
)
def test_the_window_of_the_header_is_used_only_when_it_shows_something(window, used):
    with_window = overlay(_film(window=window), Labels.empty(SHAPE))
    without = overlay(_film(), Labels.empty(SHAPE))
    assert np.array_equal(with_window, without) != used


def test_what_is_no_picture_is_black():
    valid = np.ones(SHAPE, bool)
    valid[:, :100] = False
    assert overlay(_film(valid=valid), Labels.empty(SHAPE))[200:800, :100].max() == 0


def test_bar_and_its_absence_differ_and_boxes_are_drawn_in_dots():
    empty = Labels.empty(SHAPE)
    plain = overlay(_film(), empty)
    assert not np.array_equal(plain, overlay(_film(spacing=MM), empty))
    boxed = overlay(_film(), empty, [Excluded(Reason.BONE, 500, 400, (500, 400, 540, 460), 2400)])
    top = (boxed[497, 397:462] != plain[497, 397:462]).any(axis=1)
    assert 0.3 < top.mean() < 0.7
    assert np.array_equal(boxed[502:538, 402:458], plain[502:538, 402:458])


@pytest.mark.parametrize("mm", [1e-300, 1e-4, 0.143, 40.0, 1e300])
def test_an_absurd_scale_breaks_nothing(mm):
    assert overlay(_film(spacing=Spacing.of(mm, mm, SpacingOrigin.USER)), Labels.empty(SHAPE)).shape == (*SHAPE, 3)


def test_label_numbers_may_have_gaps_and_be_huge():
    array = np.zeros(SHAPE, np.int32)
    array[300:310, 300:310], array[600:640, 200:210] = 2_000_000_000, 7
    assert _outlined(overlay(_film(), Labels(array))).sum() == 40 + 100


def test_each_reason_has_its_own_letter():
    assert set(LETTERS) == set(Reason)
    assert len(set(LETTERS.values())) == len(Reason)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(MaskError, match="1000 x 801"):
        overlay(_film(), Labels.empty((1000, 801)))


def test_a_thumbnail_is_small_repeatable_and_shows_its_outlines():
    noisy = overlay(_film((2600, 2000)), _labels((2600, 2000)))
    first = thumbnail(noisy)
    assert first == thumbnail(noisy)
    assert len(first) <= 12_000
    small = cv2.imdecode(np.frombuffer(first, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1].astype(int)
    assert max(small.shape) <= 320
    assert (small[..., 2] - small[..., 0] > 80).sum() > 100  # blue-green on a grey film


def test_thumbnail_of_one_pixel():
    assert thumbnail(np.zeros((1, 1, 3), np.uint8))[:2] == b"\xff\xd8"
