"""Frozen values keep their promises."""

import numpy as np
import pytest

from calcimeasure import Image, Kind, Labels, Meaning, Spacing, SpacingOrigin
from calcimeasure.model.image import RELATIVE_SD
from calcimeasure.model.warning import Code, Remark

A, B = Remark.other("a"), Remark.of(Code.LOSSY)


@pytest.mark.parametrize("mm", [0, -0.1, float("nan"), float("inf")])
def test_an_unknown_scale_is_none_never_a_number(mm: float) -> None:
    with pytest.raises(ValueError, match="unknown is None"):
        Spacing.of(mm, 0.1, SpacingOrigin.USER)


def test_every_origin_has_an_error() -> None:
    assert set(RELATIVE_SD) == set(SpacingOrigin)
    assert all(0 < sd < 0.2 for sd in RELATIVE_SD.values())


def test_an_image_cannot_be_changed_through_the_array_it_was_made_from() -> None:
    mine = np.zeros((2, 3), np.uint8)
    image = Image(mine, Kind.RADIOGRAPH, Meaning.DISPLAY)
    mine[0, 0] = 9
    assert image.pixels[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0] = 1


def test_a_view_of_a_locked_array_is_still_copied() -> None:
    mine = np.zeros((4, 4), np.uint8)
    view = mine[:2]
    view.flags.writeable = False
    image = Image(view, Kind.RADIOGRAPH, Meaning.DISPLAY)
    mine[0, 0] = 9
    assert image.pixels[0, 0] == 0


def test_warnings_are_not_repeated() -> None:
    image = Image(np.zeros((1, 1)), Kind.RADIOGRAPH, Meaning.DISPLAY).with_warning(*(A, B, A)).with_warning(B)
    assert image.warnings == (A, B)


def test_labels_know_their_numbers() -> None:
    labels = Labels(np.array([[0, 7], [3, 2_000_000_000]]))
    assert labels.numbers.tolist() == [3, 7, 2_000_000_000]
    assert labels.count == 3
    assert Labels.empty((2, 2)).count == 0


@pytest.mark.parametrize("array", [np.zeros((2, 2, 2), int), np.zeros((2, 2)), np.array([[-1]])])
def test_what_is_no_label_image_is_refused(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="label image"):
        Labels(array)
