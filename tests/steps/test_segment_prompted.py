"""Outlining what is pointed at: crops and channels, laws of the answer, refusals, and sense on a drawn limb."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

import calcimeasure
from calcimeasure import Click, Image, Kind, Meaning, Spacing, SpacingOrigin, outline_at
from calcimeasure.errors import EditRefused
from calcimeasure.steps.outline.candidates import Candidate
from calcimeasure.steps.outline.prompted import CHANNELS, CROP, Prompt, Window, answer, channels, edge_at
from calcimeasure.steps.outline.refined import LEAST_SCORE, refined

MM = 0.2
SHAPE = (500, 400)


def limb(seed: int = 1) -> np.ndarray:
    """A forearm with two bones on a dark film, a little noisy."""
    rng = np.random.default_rng(seed)
    x = np.abs(np.arange(SHAPE[1]) - 200)
    flesh = 0.35 * np.sqrt(np.clip(1 - (x / 160) ** 2, 0, 1))
    bone = sum(0.3 * np.sqrt(np.clip(1 - ((np.arange(SHAPE[1]) - at) / 28) ** 2, 0, 1)) for at in (140, 260))
    film = np.tile(flesh + bone + 0.05, (SHAPE[0], 1)) + rng.normal(0, 0.006, SHAPE)
    return cv2.GaussianBlur(film.astype(np.float32), (0, 0), 0.7)


def body(row: int = 250, column: int = 200, axes: tuple[int, int] = (18, 12)) -> np.ndarray:
    """An ellipse as a mask."""
    out = np.zeros(SHAPE, np.uint8)
    cv2.ellipse(out, (column, row), axes, 30, 0, 360, 1, -1)
    return out > 0


def film(*bodies: np.ndarray, seed: int = 1) -> Image:
    """The limb with rounded stones in it."""
    grey = limb(seed)
    for one in bodies:
        depth = cv2.distanceTransform(one.astype(np.uint8), cv2.DIST_L2, 5)
        grey = grey + cv2.GaussianBlur(0.25 * np.sqrt(depth / depth.max()), (0, 0), 1.0)
    spacing = Spacing.of(MM, MM, SpacingOrigin.USER)
    return Image((np.clip(grey, 0, 1) * 65535).astype(np.uint16), Kind.RADIOGRAPH, Meaning.DISPLAY, spacing)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


WINDOWS = [Window(100, 80, 144), Window(-40, -20, 200), Window(450, 350, 100), Window(900, 900, 60), Window(10, 10, 48)]


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_a_crop_has_its_size_and_goes_back_to_its_place(window: Window) -> None:
    grey = cv2.GaussianBlur(np.random.default_rng(0).random(SHAPE).astype(np.float32), (0, 0), 4)
    crop = window.cut(grey)
    assert crop.shape == (CROP, CROP)
    where, part = window.back(crop, SHAPE)
    assert grey[where].shape == part.shape
    inner = part[4:-4, 4:-4]
    if inner.size:
        assert np.abs(inner - grey[where][4:-4, 4:-4]).mean() < 0.02


@pytest.mark.parametrize("window", [Window(100, 80, 144), Window(60, 40, 288), Window(110, 90, 72)], ids=str)
def test_a_click_is_drawn_where_it_was_made(window: Window) -> None:
    shown = channels(
        np.zeros((CROP, CROP), np.float32), Prompt((Click(140, 110), Click(130, 100, inside=False))), window, MM
    )
    assert shown.shape == (CHANNELS, CROP, CROP)
    for channel, place in ((2, (140, 110)), (3, (130, 100))):
        top = np.unravel_index(shown[channel].argmax(), (CROP, CROP))
        assert np.hypot(*(np.array(top) - window.to_crop(*place))) <= 0.71


def test_what_is_not_given_is_empty() -> None:
    shown = channels(np.zeros((CROP, CROP), np.float32), Prompt((Click(140, 110),)), Window(100, 80, 144), MM)
    assert not shown[3:8].any()
    given = channels(
        np.zeros((CROP, CROP), np.float32),
        Prompt(box=(110, 90, 140, 130), scribble=body(150, 150, (3, 3)), outline=body(200, 200, (9, 9))),
        Window(100, 80, 144),
        MM,
        np.full(SHAPE, 0.5, np.float32),
    )
    assert given[4].sum() == pytest.approx(30 * 40, rel=0.05)
    assert sorted(np.unique(given[5].round(1))) == [0.0, 0.5, 1.0]
    assert given[6].max() == pytest.approx(0.5, abs=0.01)
    assert given[7].all()


PROMPTS = {
    "a click": {"clicks": [(250, 200)]},
    "a click beside its middle": {"clicks": [(247, 205)]},
    "clicks inside and outside": {"clicks": [Click(250, 200), Click(250, 240, inside=False)]},
    "a box": {"box": (230, 180, 270, 220)},
    "a box from below": {"box": (270, 220, 230, 180)},
    "a scribble": {"scribble": body(250, 200, (9, 2))},
    "an outline of before": {"outline": body(252, 203, (14, 10))},
}


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_a_deposit_is_outlined_however_it_is_pointed_at(prompt) -> None:
    truth = body()
    found = outline_at(film(truth), **prompt)
    assert found.there
    assert overlap(found.mask_on(SHAPE), truth) > 0.7
    assert found.probability_on(SHAPE)[found.mask_on(SHAPE)].min() > 0.5
    assert 0 <= found.chance <= 1


@pytest.mark.parametrize(
    "place", [(250, 112), (250, 200), (400, 300), (10, 5)], ids=["bone edge", "flesh", "bone", "air"]
)
def test_nothing_is_told_from_something(place) -> None:
    assert not outline_at(film(), [place]).there


def test_the_same_prompt_gives_the_same_answer_whatever_the_grey_scale() -> None:
    one = film(body())
    first, again = outline_at(one, [(250, 200)]), outline_at(one, [(250, 200)])
    brighter = replace(one, pixels=(one.pixels // 4 + 9000).astype(np.uint16))
    other = outline_at(brighter, [(250, 200)])
    assert (first.mask == again.mask).all()
    assert first.chance == again.chance
    assert overlap(first.mask_on(SHAPE), other.mask_on(SHAPE)) > 0.97


def test_the_place_of_the_click_moves_the_outline_little() -> None:
    image = film(body())
    areas = [outline_at(image, [place]).mask.sum() for place in ((250, 200), (246, 196), (254, 203), (252, 207))]
    assert max(areas) / min(areas) < 1.12


@pytest.mark.parametrize("corner", [(1, 1), (499, 399), (0, 399)])
def test_a_click_in_a_corner_gives_an_answer(corner) -> None:
    found = outline_at(film(), [corner])
    assert found.mask_on(SHAPE).shape == SHAPE


def test_films_without_a_scale_and_with_invalid_pixels_are_answered() -> None:
    image = film(body())
    valid = np.ones(SHAPE, bool)
    valid[:, :20] = False
    assert outline_at(replace(image, spacing=None, valid=valid), [(250, 200)]).mask.any()
    flat = Image(np.full(SHAPE, 7, np.uint8), Kind.RADIOGRAPH, Meaning.DISPLAY)
    assert not outline_at(flat, [(250, 200)]).there


def test_the_finders_map_may_be_shown() -> None:
    truth = body()
    seen = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 2)
    found = answer(film(truth), Prompt((Click(250, 200),)), seen)
    assert overlap(found.mask_on(SHAPE), truth) > 0.7


REFUSED = {
    "nothing": {},
    "only a click outside": {"clicks": [Click(250, 200, inside=False)]},
    "off the film": {"clicks": [(250, 900)]},
    "not a number": {"clicks": [(float("nan"), 2)]},
    "an empty box": {"box": (20, 20, 20, 40)},
    "a box off the film": {"box": (-90, -90, -20, -20)},
    "an empty scribble": {"scribble": np.zeros(SHAPE, bool)},
    "an outline of another film": {"outline": np.ones((5, 5), bool)},
}


@pytest.mark.parametrize("prompt", REFUSED.values(), ids=REFUSED)
def test_what_is_no_prompt_is_refused(prompt) -> None:
    with pytest.raises(EditRefused):
        outline_at(film(), **prompt)


def test_a_photo_is_sent_to_its_own_method() -> None:
    photo = Image(np.zeros((50, 50, 3), np.uint8), Kind.PHOTO, Meaning.DISPLAY)
    with pytest.raises(EditRefused, match="segment_photo"):
        outline_at(photo, [(20, 20)])


def test_it_is_public() -> None:
    assert {"outline_at", "Click", "Pointed"} <= set(calcimeasure.__all__)


def test_on_coarse_films_the_outline_lies_further_in() -> None:
    assert edge_at(0.05) == edge_at(0.14) < edge_at(0.27) < edge_at(0.4) < edge_at(9.0) < 1


class TestRefined:
    """Findings outlined anew once they are kept."""

    def finding(self, mask: np.ndarray, score: float = 0.9) -> Candidate:
        rows, columns = np.nonzero(mask)
        window = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        return Candidate(int(rows.min()), int(columns.min()), window, score)

    def test_a_rough_outline_becomes_a_good_one_and_stays_judged_as_found(self) -> None:
        truth = body()
        rough = self.finding(body(253, 203, (13, 8)))
        (found,), inside = refined(film(truth), [rough], np.zeros(SHAPE, np.float32))
        assert (found.mask == rough.mask).all()
        drawn = np.zeros(SHAPE, bool)
        drawn[found.outlined.window] = found.outlined.mask
        assert overlap(drawn, truth) > 0.75
        assert inside[drawn].min() > 0.5

    def test_a_doubtful_finding_and_one_on_nothing_keep_their_outline(self) -> None:
        image, blank = film(body()), np.zeros(SHAPE, np.float32)
        doubtful = self.finding(body(), score=LEAST_SCORE / 2)
        assert refined(image, [doubtful], blank)[0][0].redrawn is None
        assert refined(image, [], blank)[0] == []
