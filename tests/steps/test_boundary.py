"""The error bar of an automatic outline follows the segmenter's own doubt."""

import numpy as np
import pytest

from calcimeasure import Image, Kind, Labels, Meaning, Spacing, SpacingOrigin, measure
from calcimeasure.steps.boundary import DOUBT, with_boundary_error

SIDE = 60


def film(mm: float | None = 0.5) -> tuple[Image, Labels]:
    spacing = None if mm is None else Spacing(mm, mm, SpacingOrigin.USER, 0.0)
    array = np.zeros((SIDE, SIDE), np.int32)
    array[10:20, 10:20], array[40:50, 30:45] = 1, 2
    return Image(np.full((SIDE, SIDE), 100, np.uint8), Kind.RADIOGRAPH, Meaning.DISPLAY, spacing), Labels(array)


def doubted(width: float, mm: float | None = 0.5):
    """Numbers where a share `width` of the first deposit's pixels is as likely calcium as not."""
    image, labels = film(mm)
    chance = (labels.array > 0).astype(np.float32)
    chance[10 : 10 + round(10 * width), 10:20] = 0.5
    return with_boundary_error(measure(image, labels), labels, chance)


def test_doubt_widens_the_bar_and_leaves_the_value() -> None:
    image, labels = film()
    plain, sure, unsure = measure(image, labels), doubted(0), doubted(0.6)
    assert [d.area_px for d in sure.deposits] == [d.area_px for d in plain.deposits]
    assert unsure.deposits[0].area_px.value == 100
    assert unsure.deposits[0].area_px.sd == pytest.approx(DOUBT * 60 * 0.25)
    assert unsure.deposits[1].area_px.sd == plain.deposits[1].area_px.sd


def test_millimetres_follow_pixels_and_the_total_adds_up() -> None:
    found = doubted(0.6)
    assert found.area_mm2 is not None
    assert found.area_mm2.sd == pytest.approx(0.25 * (found.area_px.sd or 0))
    assert found.area_px.sd == pytest.approx(sum(d.area_px.sd or 0 for d in found.deposits))


def test_no_scale_no_millimetres() -> None:
    assert doubted(0.6, None).area_mm2 is None
