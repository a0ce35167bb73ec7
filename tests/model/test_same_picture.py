"""The same picture is known again, whatever it was saved as; another film never is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from calcimeasure.model.image import Image, Kind, Meaning

GREY = np.random.default_rng(0).integers(3, 200, (40, 30)).astype(np.uint8)

SAVED: dict[str, tuple[Callable[[np.ndarray], np.ndarray], bool]] = {
    "again": (lambda grey: grey.copy(), True),
    "with 16 bits": (lambda grey: grey.astype(np.uint16) * 257, True),
    "shifted bits": (lambda grey: grey.astype(np.uint16) << 4, True),
    "with an offset": (lambda grey: grey.astype(np.int32) - 1024, True),
    "one grey off": (lambda grey: np.where(np.arange(30) == 7, grey ^ 1, grey), False),
    "turned": (lambda grey: grey[::-1].copy(), False),
    "another shape": (lambda grey: grey.reshape(30, 40), False),
}


@pytest.mark.parametrize(("saved", "same"), SAVED.values(), ids=SAVED)
def test_the_same_picture_has_the_same_hash(saved: Callable, same: bool) -> None:
    one, two = (Image(pixels, Kind.RADIOGRAPH, Meaning.DISPLAY) for pixels in (GREY, saved(GREY)))
    assert (one.pixels_sha256 == two.pixels_sha256) is same


@pytest.mark.parametrize("pixels", [np.zeros((4, 4), np.uint8), np.full((4, 4), 2.5, np.float32)])
def test_a_blank_picture_has_one_too(pixels: np.ndarray) -> None:
    assert len(Image(pixels, Kind.RADIOGRAPH, Meaning.DISPLAY).pixels_sha256) == 64
