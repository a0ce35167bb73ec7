import csv
import io
import math

import cv2
import numpy as np
import pytest
from calibrate_scenes import STEP_MM, Shot, photo, ruler_photo

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.image import Image, Kind, Meaning, SpacingOrigin
from calcimeasure.model.scale import ScaleMethod
from calcimeasure.steps.scale import find_rulers, find_scale
from calcimeasure.steps.scale.graduation import Graduation, graduate

SHAPE = (400, 560)


def _shot(**how):
    return Shot(**{"shape": SHAPE, "middle_mm": (33, 7), "px_per_mm": 8.5, **how})


MILLIMETRES = {
    "level": _shot(),
    "steep": _shot(spin=37, seed=1),
    "upside down": _shot(spin=183, seed=2),
    "coarse": _shot(px_per_mm=7, spin=-80, middle_mm=(30, 7), seed=3),
    "fine": _shot(px_per_mm=18, spin=5, middle_mm=(25, 7), seed=4),
    "in perspective": _shot(tilt=4, towards=90, spin=10, seed=5),
    "soft": _shot(blur=1.8, noise=8, quality=60, seed=6),
}


def _px_per_mm(shot):
    """Along the middle of the ruler: a tilt shortens it."""
    ends = shot.to_px @ np.array([[20, 0, 1], [46, 0, 1]]).T
    return np.linalg.norm(np.diff(ends[:2] / ends[2])) / 26


@pytest.mark.parametrize("name", MILLIMETRES)
def test_a_millimetre_ruler_gives_its_scale(name):
    shot = MILLIMETRES[name]
    scale = find_scale(ruler_photo("millimetre", shot))
    assert scale.method is ScaleMethod.RULER
    assert scale.spacing.origin is SpacingOrigin.RULER
    truth = _px_per_mm(shot)
    assert scale.px_per_mm == pytest.approx(truth, rel=0.015)
    assert abs(scale.px_per_mm / truth - 1) < 3 * scale.spacing.relative_sd
    # Out of focus, lines of a third of a millimetre are too faint to tell how wide they are.
    assert scale.unsure == (name == "soft"), scale.reason


def test_half_millimetres_are_not_taken_for_millimetres():
    image = ruler_photo("half", _shot(px_per_mm=18, spin=20), tick_mm=0.22)
    scale = find_scale(image)
    assert scale.unsure
    assert "--ruler-mm" in scale.reason
    assert find_scale(image, ruler_mm=0.5).px_per_mm == pytest.approx(18, rel=0.02)


@pytest.mark.parametrize(
    ("kind", "px_per_mm", "message"),
    [("inch", 7, "inch ruler"), ("half_cm", 3.2, "no longer marks"), ("plain", 8, "no longer marks")],
)
@pytest.mark.parametrize("spin", [0, 130])
def test_other_rulers_give_no_scale_but_say_what_to_do(kind, px_per_mm, message, spin):
    long_mm = 84 if kind == "half_cm" else 70
    middle = (long_mm / 2 + 3, 7)
    scale = find_scale(ruler_photo(kind, _shot(px_per_mm=px_per_mm, spin=spin, middle_mm=middle, seed=spin), long_mm))
    assert scale.spacing is None
    assert scale.unsure
    assert message in scale.reason
    assert "--scale-points" in scale.reason


def _long_shot(px_per_mm, long_mm, **how):
    shape = (300, min(1500, round((long_mm + 20) * px_per_mm)))
    return Shot(**{"shape": shape, "middle_mm": (long_mm / 2 + 3, 7), "px_per_mm": px_per_mm, **how})


ALIKE = {"two_mm": 100, "tenth_inch": 120, "five_mm": 250, "cm": 330}


@pytest.mark.parametrize("kind", ALIKE)
@pytest.mark.parametrize(("px_per_mm", "tick_mm"), [(4, 0.25), (4, 0.4), (8, 0.33)])
def test_longer_fifth_and_tenth_ticks_are_no_proof_of_millimetres(kind, px_per_mm, tick_mm):
    shot = _long_shot(px_per_mm, ALIKE[kind], spin=4)
    image = ruler_photo(kind, shot, ALIKE[kind], tick_mm)
    scale = find_scale(image)
    assert scale.unsure
    assert "--ruler-mm" in scale.reason or "no ruler found" in scale.reason
    told = find_scale(image, ruler_mm=STEP_MM[kind])
    assert told.spacing is None or told.px_per_mm == pytest.approx(px_per_mm, rel=0.03)
    assert told.spacing is not None or px_per_mm == 4 or kind == "cm"


def test_thin_millimetres_are_unsure_until_somebody_says_so():
    image = ruler_photo("millimetre", _shot(), tick_mm=0.12)
    scale = find_scale(image)
    assert scale.unsure
    assert scale.px_per_mm == pytest.approx(8.5, rel=0.02)
    assert "thin" in scale.reason
    told = find_scale(image, ruler_mm=1.0)
    assert not told.unsure
    assert told.px_per_mm == pytest.approx(8.5, rel=0.02)


@pytest.mark.parametrize("ruler_mm", [0, -1, math.nan, math.inf])
def test_a_distance_of_ticks_must_be_positive(ruler_mm):
    with pytest.raises(MeasurementRefused, match="ticks cannot be"):
        find_scale(ruler_photo("plain", _shot()), ruler_mm=ruler_mm, method="ruler")


@pytest.mark.parametrize("tilt", [4, 10, 20])
def test_a_ruler_tilted_along_its_axis_widens_the_bar(tilt):
    long_mm = 60
    scale = find_scale(ruler_photo("millimetre", _long_shot(8, long_mm, tilt=tilt, towards=90), long_mm))
    assert scale.px_per_mm is not None
    flat = find_scale(ruler_photo("millimetre", _long_shot(8, long_mm), long_mm))
    assert scale.spacing.relative_sd > flat.spacing.relative_sd
    assert abs(scale.px_per_mm / 8 - 1) < 2 * scale.spacing.relative_sd


def _stripes(rng):
    return np.where(np.arange(600)[None, :] % 14 < 5, 60, 200) * np.ones((400, 1))


def _hair(rng):
    skin = np.full((400, 600), 170, np.uint8)
    for _ in range(150):
        x, y, bend = rng.uniform(0, 600), rng.uniform(0, 400), rng.normal(0, 8)
        points = np.array([[x, y], [x + 6 + bend, y + 20], [x + 14, y + 40 + bend]], int)
        cv2.polylines(skin, [points], isClosed=False, color=60, thickness=1, lineType=cv2.LINE_AA)
    return skin


def _keyboard(rng):
    board = np.full((400, 600), 40, np.uint8)
    for row, y in enumerate(range(30, 380, 30)):
        for x in range(10 + 9 * (row % 3), 570, 26):
            board[y : y + 24, x : x + 22] = 150
            cv2.putText(board, chr(65 + (x * 7 + row) % 26), (x + 4, y + 16), 0, 0.4, 230)
    return board


def _skin(rng):
    return 150 + 40 * cv2.GaussianBlur(rng.standard_normal((400, 600)), (0, 0), 2) * 4


def _text(rng):
    page = np.full((400, 600), 235, np.uint8)
    for y in range(20, 400, 16):
        cv2.putText(page, "".join(rng.choice(list("ilmntHIE1 "), 60)), (5, y), 0, 0.4, 20)
    return page


@pytest.mark.parametrize("draw", [_stripes, _hair, _keyboard, _skin, _text], ids=lambda draw: draw.__name__[1:])
def test_no_scale_is_invented(draw):
    rng = np.random.default_rng(7)
    seen = cv2.GaussianBlur(np.asarray(draw(rng), np.float32), (0, 0), 0.8) + rng.normal(0, 3, (400, 600))
    scale = find_scale(photo(np.clip(seen, 0, 255).astype(np.uint8)))
    assert scale.spacing is None
    assert scale.unsure
    assert "ruler" in scale.reason


def test_too_small_a_picture_has_no_ruler():
    for shape in [(1, 1), (3, 200), (17, 16)]:
        assert find_scale(photo(np.zeros(shape, np.uint8))).spacing is None


def test_a_grey_film_of_sixteen_bits_is_read_too():
    grey = ruler_photo("millimetre", _shot()).pixels[..., 0].astype(np.uint16) * 200
    scale = find_scale(Image(grey, Kind.RADIOGRAPH, Meaning.DISPLAY))
    assert scale.px_per_mm == pytest.approx(8.5, rel=0.02)


def test_the_same_photo_gives_the_same_scale():
    image = ruler_photo("millimetre", MILLIMETRES["steep"])
    assert find_scale(image) == find_scale(image)


def test_the_ticks_found_lie_on_the_ticks_drawn():
    shot = MILLIMETRES["steep"]
    ruler = find_rulers(ruler_photo("millimetre", shot))[0]
    mm = np.column_stack([ruler.feet[:, ::-1], np.ones(len(ruler.feet))]) @ np.linalg.inv(shot.to_px).T
    x = mm[:, 0] / mm[:, 2] - 3
    assert np.abs(x - np.round(x)).max() < 0.15
    assert np.abs(mm[:, 1] / mm[:, 2]).max() < 0.6


LENGTHS = {
    Graduation.MILLIMETRE: [6, 3, 3, 3, 3, 4.5, 3, 3, 3, 3] * 3,
    Graduation.FIVES: [5, 3, 3, 3, 3] * 6,
    Graduation.HALF_MILLIMETRE: [7, 2, 3, 2, 3, 2, 3, 2, 3, 2, 5, 2, 3, 2, 3, 2, 3, 2, 3, 2] * 2,
    Graduation.INCH: [9, 3, 4, 3, 5, 3, 4, 3, 7, 3, 4, 3, 5, 3, 4, 3] * 3,
    Graduation.ALTERNATE: [6, 3] * 15,
    Graduation.PLAIN: [3] * 30,
}


@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("cut", [0, 3, 7])
def test_the_longer_ticks_tell_the_graduation(kind, cut):
    rng = np.random.default_rng(cut)
    size = np.array(LENGTHS[kind], float)[cut:] * rng.normal(1, 0.03, len(LENGTHS[kind]) - cut)
    size[[4, 11]] = np.nan, 12.0
    assert graduate(size).graduation is kind
    assert set(STEP_MM) >= {"millimetre", "inch"}


def _truths(folder):
    return list(csv.DictReader(io.StringIO((folder / "px_per_mm.csv").read_text())))


def _read(path):
    return photo_of(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB))


def photo_of(rgb):
    return Image(rgb, Kind.PHOTO, Meaning.PHOTO)


def test_real_rulers_are_read(shared):
    folder = shared / "data" / "ruler_photos"
    rows = _truths(folder)[::9]
    for row in rows:
        scale = find_scale(_read(folder / row["image"]))
        assert scale.px_per_mm == pytest.approx(float(row["px_per_mm"]), rel=0.03), row["image"]


def test_no_ruler_is_invented_on_real_photos(shared):
    for path in sorted((shared / "data" / "calcinosis_photos").glob("*.jpg"))[::4]:
        assert find_scale(_read(path)).spacing is None, path.name
