"""What is dropped as an edge of the field or as metal, and what is calcium all the same."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from calcimeasure.model.deposit import Reason
from calcimeasure.steps.outline.candidates import Candidate, Grounds, verdict

SHAPE = (400, 200)


def grounds() -> Grounds:
    """A limb on the left half of a film of 0.25 mm a pixel."""
    limb, none = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    limb[:, :100] = True
    grey = np.full(SHAPE, 0.3, np.float32)
    return Grounds(grey, ~none, limb, none, mm=0.25, pixel_mm2=0.0625, least_px=5, threshold=0.5, region=None)


@pytest.mark.parametrize(
    ("column", "rows", "width", "score", "reason"),
    [
        (50, 100, 8, 0.95, None),
        (50, 100, 8, 0.7, Reason.COLLIMATION),
        (98, 100, 8, 0.95, Reason.COLLIMATION),
        (150, 100, 8, 0.95, Reason.COLLIMATION),
        (50, 100, 20, 0.7, None),
        (50, 70, 8, 0.7, None),
    ],
    ids=["sure, in the limb", "unsure", "across the skin", "beside the limb", "broad", "short"],
)
def test_a_long_straight_thing_is_an_edge_unless_it_is_surely_calcium(
    column: int, rows: int, width: int, score: float, reason: Reason | None
) -> None:
    one = Candidate(20, column, np.ones((rows, width), bool), score)
    assert verdict(one, grounds()) is reason


@pytest.mark.parametrize(
    ("around", "blur_px", "reason"),
    [(0.3, 0.0, Reason.METAL), (0.6, 0.0, Reason.METAL), (0.6, 4.0, None), (0.8, 0.0, None)],
    ids=["steel in soft tissue", "steel over bone", "calcium over bone", "calcium on an overexposed bone"],
)
def test_what_is_at_the_ceiling_from_rim_to_rim_is_metal(around: float, blur_px: float, reason: Reason | None) -> None:
    inside = np.zeros(SHAPE, np.float32)
    inside[100:140, 40:70] = 1
    rounded = cv2.GaussianBlur(inside, (0, 0), blur_px) if blur_px else inside
    film = np.clip(around + 0.7 * rounded, 0, 1)
    found = rounded > 0.1
    one = Candidate(80, 20, found[80:160, 20:90], 0.9)
    ground = grounds()
    assert verdict(one, replace(ground, film=film.astype(np.float32))) is reason
