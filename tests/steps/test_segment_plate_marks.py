"""Dirt of plates whose line goes on outside the limb is no calcium; a strand along a limb is."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from calcimeasure.model.deposit import Reason
from calcimeasure.steps.outline.candidates import Candidate, Grounds, candidates_of, verdict
from calcimeasure.steps.outline.plate_marks import goes_on_outside

MM = 0.2
SHAPE = (700, 500)


def film(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A limb across the middle of a noisy film, and where it certainly is not."""
    rng = np.random.default_rng(seed)
    limb = np.zeros(SHAPE, bool)
    limb[250:480] = True
    grey = np.where(limb, 0.45, 0.08) + rng.normal(0, 0.01, SHAPE)
    clear = cv2.dilate(limb.astype(np.uint8), np.ones((71, 71), np.uint8)) == 0
    return cv2.GaussianBlur(grey, (0, 0), 0.7).astype(np.float32), clear


def dashes(lean: float = 0.0, rows: tuple[int, int] = (0, 700), column: int = 240) -> np.ndarray:
    """Short dashes every 5 mm on a nearly upright line."""
    out = np.zeros(SHAPE, np.float32)
    for row in range(rows[0], rows[1], 25):
        x = round(column + lean * (row - 350))
        out[row : row + 8, x - 1 : x + 3] = 0.15
    return out


def found_on(marks: np.ndarray) -> Candidate:
    """What a finder would give of the marks in the limb: one dash."""
    return next(one for one in candidates_of(marks > 0.1, marks) if 300 < one.row < 420)


@pytest.mark.parametrize("lean", [0.0, 0.01, -0.02, 0.028])
@pytest.mark.parametrize("turned", [False, True], ids=["upright", "level"])
def test_dashes_whose_line_goes_on_outside_the_limb_are_marks(lean: float, turned: bool) -> None:
    grey, clear = film()
    marks = dashes(lean)
    one = found_on(marks)
    window, mask, grey = one.window, one.mask, grey + marks
    if turned:
        grey, clear, mask, window = grey.T.copy(), clear.T.copy(), mask.T.copy(), window[::-1]
    assert goes_on_outside(grey, clear, window, mask, MM)


@pytest.mark.parametrize(
    "marks",
    [
        dashes(rows=(255, 470)),
        dashes(rows=(255, 470)) + np.roll(dashes(rows=(0, 60)), 100, 1),
        dashes(rows=(255, 540)),
    ],
    ids=["in the limb alone", "specks elsewhere", "a little out of the skin"],
)
def test_a_strand_in_the_limb_is_none(marks: np.ndarray) -> None:
    grey, clear = film(1)
    one = found_on(marks)
    assert not goes_on_outside(grey + marks, clear, one.window, one.mask, MM)


def test_a_broad_body_on_such_a_line_is_calcium_all_the_same() -> None:
    grey, clear = film(2)
    assert not goes_on_outside(grey + dashes(), clear, np.s_[340:370, 230:250], np.ones((30, 20), bool), MM)


@pytest.mark.parametrize("clear_rows", [0, 20], ids=["no film outside", "hardly any"])
def test_where_the_film_shows_no_outside_nothing_is_told(clear_rows: int) -> None:
    grey, clear = film(3)
    clear[clear_rows:] = False
    one = found_on(dashes())
    assert not goes_on_outside(grey + dashes(), clear, one.window, one.mask, MM)


def ground(grey: np.ndarray, clear: np.ndarray, tissue: np.ndarray) -> Grounds:
    none = np.zeros(SHAPE, bool)
    limb = np.zeros(SHAPE, bool)
    limb[250:480] = True
    given = Grounds(grey, ~none, limb, none, mm=MM, pixel_mm2=MM**2, least_px=5, threshold=0.5, region=None)
    return replace(given, clear=clear, tissue=tissue)


def test_the_verdict_names_plate_marks() -> None:
    grey, clear = film(4)
    one = replace(found_on(dashes()), score=0.9)
    assert verdict(one, ground(grey + dashes(), clear, ~clear)) is Reason.PLATE


@pytest.mark.parametrize(
    ("score", "dim", "reason"),
    [(0.99, True, None), (0.7, True, Reason.OUTSIDE_LIMB), (0.99, False, Reason.OUTSIDE_LIMB)],
    ids=["sure, in a dim toe", "unsure", "sure, on air"],
)
def test_a_sure_finding_in_dim_tissue_is_kept_wherever_the_limb_ends(score: float, dim: bool, reason) -> None:
    grey, clear = film(5)
    tissue = np.zeros(SHAPE, bool)
    tissue[560:680, 100:200] = dim
    one = Candidate(610, 140, np.ones((12, 12), bool), score)
    assert verdict(one, ground(grey, clear, tissue)) is reason
