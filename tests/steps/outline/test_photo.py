"""What the photo outline must obey: laws, drawn answers, refusals."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from calcimeasure.errors import MeasurementRefused
from calcimeasure.io.images.read import read_image
from calcimeasure.model.deposit import Reason
from calcimeasure.model.image import Image, Kind, Meaning
from calcimeasure.report.words import sentences
from calcimeasure.steps.outline.photo import segment_photo
from calcimeasure.steps.outline.proposals import propose, ranking

SAMPLES = Path(__file__).resolve().parents[3] / "sample_images"
SHAPE = (220, 260)
BOX = (70, 80, 150, 170)
#: L*, a*, b* of skin, from about ITA 55 to -40.
SKINS = {"light": (76, 9, 14), "tan": (58, 13, 19), "brown": (45, 13, 18), "dark": (32, 10, 13)}


def disc(row: float, column: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.hypot(rows - row, columns - column) <= radius


TRUTH = disc(110, 125, 22)


def photo(*deposits: np.ndarray, skin: tuple[float, float, float] = SKINS["tan"], chalk=(86, 3, 16), seed=0) -> Image:
    """Textured skin with blurred discs of chalk, each in a red halo."""
    rng = np.random.default_rng(seed)
    lab = np.full((*SHAPE, 3), skin, np.float32)
    lab += cv2.GaussianBlur(rng.normal(0, 4, lab.shape).astype(np.float32), (0, 0), 1.5)
    for deposit in deposits:
        soft = cv2.GaussianBlur(deposit.astype(np.float32), (0, 0), 1.2)[..., None]
        lab[..., 1] += 8 * cv2.GaussianBlur(deposit.astype(np.float32), (0, 0), 9)
        lab = lab * (1 - soft) + soft * np.float32(chalk)
    rgb = cv2.cvtColor(lab, cv2.COLOR_Lab2RGB)
    return of((rgb.clip(0, 1) * 255).round().astype(np.uint8))


def of(pixels: np.ndarray) -> Image:
    return Image(pixels, Kind.PHOTO, Meaning.PHOTO)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.mark.parametrize("skin", SKINS)
def test_the_deposit_and_not_its_halo_is_outlined_on_every_skin(skin):
    found = segment_photo(photo(TRUTH, skin=SKINS[skin]), box=BOX)
    assert found.count == 1
    assert dice(found.array > 0, TRUTH) > 0.94


@pytest.mark.parametrize(
    "prompt",
    [
        {"box": BOX},
        {"box": (84, 100, 138, 152)},
        {"box": (40, 40, 180, 210)},
        {"lasso": np.array([(70, 90), (90, 170), (150, 165), (155, 85)])},
        {"clicks": [(112, 120)]},
        {"box": BOX, "clicks": [(105, 130)]},
    ],
    ids=["box", "tight box", "loose box", "lasso", "click", "click in box"],
)
def test_every_prompt_finds_it(prompt):
    found = segment_photo(photo(TRUTH), **prompt)
    assert dice(found.array > 0, TRUTH) > 0.93
    assert all(word in found.history[0] for word in (key.removesuffix("s") for key in prompt))


def test_a_box_gives_the_deposit_in_its_middle_and_not_its_neighbour():
    found = segment_photo(photo(TRUTH, disc(110, 166, 12)), box=(70, 80, 150, 175)).array > 0
    assert dice(found, TRUTH) > 0.93


def test_clicks_give_one_deposit_each_and_two_on_one_give_one():
    other = disc(60, 200, 14)
    found = segment_photo(photo(TRUTH, other), clicks=[(110, 125), (60, 200), (104, 120)])
    assert found.count == 2
    assert dice(found.array == 1, other) > 0.9
    assert dice(found.array == 2, TRUTH) > 0.9


def test_nothing_outside_the_prompt_is_labelled():
    lasso = [(95, 95), (95, 160), (130, 160), (130, 95)]
    assert not (segment_photo(photo(TRUTH), box=(100, 110, 125, 140)).array * ~box_mask((100, 110, 125, 140))).any()
    assert not (segment_photo(photo(TRUTH), lasso=lasso).array * ~box_mask((95, 95, 131, 161))).any()


def box_mask(box: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[box[0] : box[2], box[1] : box[3]] = True
    return mask


FLIPS: dict[str, tuple[Callable, tuple[int, int, int, int]]] = {
    "up-down": (lambda a: a[::-1], (220 - 150, 80, 220 - 70, 170)),
    "left-right": (lambda a: a[:, ::-1], (70, 260 - 170, 150, 260 - 80)),
    "transposed": (lambda a: a.swapaxes(0, 1), (80, 70, 170, 150)),
}


@pytest.mark.parametrize("name", FLIPS)
def test_a_turned_photo_gives_the_turned_outline(name):
    turn, box = FLIPS[name]
    image = photo(TRUTH)
    straight = segment_photo(image, box=BOX).array > 0
    turned = segment_photo(of(turn(image.pixels)), box=box).array > 0
    # Sums run in another order: a pixel whose vote is exactly half may fall either way.
    assert (turned != turn(straight)).sum() <= 0.01 * straight.sum()


def test_the_rest_of_the_photo_does_not_matter():
    image = photo(TRUTH)
    other = image.pixels.copy()
    far = np.ones(SHAPE, bool)
    far[30:190, 30:220] = False
    other[far] = (20, 200, 90)
    assert np.array_equal(segment_photo(image, box=BOX).array, segment_photo(of(other), box=BOX).array)


def test_the_same_question_gets_the_same_answer_and_disturbs_no_generator():
    image = photo(TRUTH)
    np.random.seed(3)  # noqa: NPY002 - the global generator is what must stay untouched
    first = segment_photo(image, box=BOX).array
    drawn = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    assert drawn == np.random.random()  # noqa: NPY002
    assert np.array_equal(first, segment_photo(image, box=BOX).array)


def test_a_box_beyond_the_frame_is_clipped():
    image = photo(disc(15, 20, 14))
    assert np.array_equal(
        segment_photo(image, box=(-40, -1e9, 45, 50)).array, segment_photo(image, box=(0, 0, 45, 50)).array
    )


def test_a_larger_picture_of_the_same_gives_the_larger_outline():
    image = photo(TRUTH)
    large = of(cv2.resize(image.pixels, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC))
    small = segment_photo(image, box=BOX).array > 0
    found = segment_photo(large, box=tuple(3 * side for side in BOX)).array > 0
    assert found.sum() == pytest.approx(9 * small.sum(), rel=0.03)


REFUSED = {
    "no prompt": {},
    "box and lasso": {"box": BOX, "lasso": [(0, 0), (0, 9), (9, 9)]},
    "empty box": {"box": (50, 50, 50, 90)},
    "box turned round": {"box": (90, 90, 50, 50)},
    "box outside": {"box": (500, 500, 600, 600)},
    "box not finite": {"box": (0, 0, np.nan, 9)},
    "three sides": {"box": (0, 0, 9)},
    "lasso of two points": {"lasso": [(0, 0), (50, 50)]},
    "lasso on a line": {"lasso": [(10, 10), (10, 60), (10, 100)]},
    "lasso of triples": {"lasso": [(0, 0, 0)] * 4},
    "no clicks": {"clicks": []},
    "click outside": {"clicks": [(-1, 5)]},
    "click not finite": {"clicks": [(np.inf, 5)]},
    "click outside its box": {"box": BOX, "clicks": [(5, 5)]},
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_senseless_prompt_is_refused(name):
    with pytest.raises(MeasurementRefused):
        segment_photo(photo(TRUTH), **REFUSED[name])


def test_a_box_of_one_colour_is_refused():
    with pytest.raises(MeasurementRefused, match=r"stands out|colour of the skin"):
        segment_photo(of(np.full((*SHAPE, 3), (180, 140, 120), np.uint8)), box=BOX)


@pytest.mark.parametrize("question", [lambda i: segment_photo(i, box=BOX), propose], ids=["prompt", "search"])
def test_a_film_is_refused(question):
    with pytest.raises(MeasurementRefused, match="colour photo"):
        question(Image(np.zeros(SHAPE, np.uint8), Kind.RADIOGRAPH, Meaning.DISPLAY))


def test_deposits_are_proposed_best_first_with_their_score():
    image = photo(TRUTH, disc(60, 200, 10))
    found = propose(image)
    ranked = ranking(found)
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)
    assert all(found.labels.array[place] for place in ((110, 125), (60, 200)))
    assert all(0 < one.score <= 1 for one in ranked)
    assert all(
        one.score < 0.5 for one in found.excluded if one.score is not None and one.reason is not Reason.TOO_SMALL
    )
    assert "proposed" in sentences(found.warnings)[0]


def test_every_deposit_of_the_drawn_dark_hand_is_proposed_and_no_cloth():
    """Two of its deposits are brightest in a spot of their own, and blue cloth shows between the fingers."""
    found = propose(read_image(SAMPLES / "skin_dark.jpg"))
    truth = tifffile.imread(SAMPLES / "truth" / "skin_dark.labels.tif")
    assert set(np.unique(truth[found.labels.array > 0])) == {0, 1, 2, 3, 4}
    cloth = cv2.inRange(read_image(SAMPLES / "skin_dark.jpg").pixels, (0, 90, 90), (120, 255, 255)) > 0
    assert cloth.mean() > 0.05
    assert not cloth[found.labels.array > 0].any()


def test_lettering_is_listed_and_not_proposed():
    pixels = photo(TRUTH).pixels.copy()
    cv2.putText(pixels, "CAPTION123", (10, 205), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (250, 250, 245), 2)
    found = propose(of(pixels))
    assert any(one.reason is Reason.TEXT for one in found.excluded)
    assert not found.labels.array[180:210, 5:200].any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 3), (5, 2), (16, 16), (9, 300)])
def test_a_tiny_photo_is_searched_without_a_stumble(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (*shape, 3)).astype(np.uint8)
    assert propose(Image(pixels, Kind.PHOTO, Meaning.PHOTO)).labels.shape == shape
