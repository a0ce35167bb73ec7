"""Colour: cards found, coloured light taken off, whiteness against the deposit's own skin."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from calibrate_scenes import Shot, page_of
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab

from calcimeasure.errors import MaskError, MeasurementRefused
from calcimeasure.io.images.read import read_image
from calcimeasure.model.colour import CardKind
from calcimeasure.model.image import Image, Kind, Meaning
from calcimeasure.model.labels import Labels
from calcimeasure.recipe import analyse_mask
from calcimeasure.report.words import in_one
from calcimeasure.steps.measure.colour import correct_colour, linear_light, whiteness
from calcimeasure.steps.scale.card import COLORCHECKER_SRGB, find_card
from calcimeasure.steps.scale.sheet import GREY_MM, GREYS, marker_sheet

SKIN, DEPOSIT = (68.0, 14.0, 17.0), (84.0, 3.0, 12.0)  # L*, a*, b*
TRUE = float(deltaE_ciede2000(np.array(DEPOSIT), np.array(SKIN)))
#: Linear red, green, blue of the light.
LIGHTS = {"white": (0.95, 0.95, 0.95), "lamp": (1.0, 0.72, 0.42), "shade": (0.55, 0.7, 0.92), "green": (0.6, 0.9, 0.6)}
DISC = (60.0, 130.0, 8.0)  # x, y, radius in mm, on a skin that covers the lower page


def _encoded(linear):
    light = np.clip(linear, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _page(patches=GREYS):
    """The sheet in linear light with skin and a deposit below its markers."""
    grey = page_of(marker_sheet(20), keep=(0, 1, 2, 3))
    page = np.repeat(linear_light(grey)[..., None], 3, axis=2)
    x, y = marker_sheet(20).patches_mm
    for number, value in enumerate(patches):
        left = round((x + number * GREY_MM) * 6)
        page[round(y * 6) : round((y + GREY_MM) * 6), left : left + round(GREY_MM * 6)] = value
    page[110 * 6 :] = linear_light(np.uint8(np.round(255 * lab2rgb(np.array(SKIN)))))
    rows, columns = np.indices(page.shape[:2]) / 6
    page[np.hypot(columns - DISC[0], rows - DISC[1]) < DISC[2]] = linear_light(
        np.uint8(np.round(255 * lab2rgb(np.array(DEPOSIT))))
    )
    return page


@cache
def _photo(light, patches=GREYS):
    """The page under a light, taken by a camera with a little flare, and the deposit's mask."""
    shot = Shot(tilt=12, towards=30, spin=5, px_per_mm=4, middle_mm=(70, 100), shape=(520, 640), noise=1.5)
    page = _encoded(_page(patches) * np.array(light) * 0.9 + 0.01) * 255
    pixels = np.stack([replace(shot, seed=k, quality=95).take(page[..., k]) for k in range(3)], axis=-1)
    return Image(pixels, Kind.PHOTO, Meaning.PHOTO), Labels(shot.disc(*DISC).astype(np.int32))


@pytest.mark.parametrize("name", LIGHTS)
def test_coloured_light_is_taken_off(name: str) -> None:
    photo, labels = _photo(LIGHTS[name])
    card = find_card(photo)
    assert card.kind is CardKind.GREYS
    fit = correct_colour(photo, card)
    assert fit.error_after < 3
    assert fit.error_after < fit.error_before
    found = whiteness(photo, labels, fit)
    assert found.delta_e == pytest.approx(TRUE, rel=0.05)
    assert found.deposits[0].card is CardKind.GREYS


def test_without_the_correction_the_light_counts() -> None:
    """The lamp alone moves the number by a tenth, so an uncorrected one says that it is."""
    values = {name: whiteness(*_photo(LIGHTS[name])) for name in ("white", "lamp")}
    assert values["lamp"].deposits[0].card is None
    assert abs(values["lamp"].delta_e / values["white"].delta_e - 1) > 0.05


def _checker(light):
    """A ColorChecker on a table; the whole matrix is mixed by light and camera."""
    scene = np.full((900, 1300, 3), 0.35)
    card = np.full((420, 620, 3), 0.02)
    for number, colour in enumerate(COLORCHECKER_SRGB):
        row, column = divmod(number, 6)
        card[20 + row * 100 :, 20 + column * 100 :][:80, :80] = linear_light(np.array(colour, np.uint8))
    scene[200:620, 300:920] = card
    mixed = scene @ np.array([[0.9, 0.08, 0.02], [0.1, 0.85, 0.05], [0.02, 0.13, 0.85]]).T * np.array(light)
    pixels = _encoded(cv2.GaussianBlur(mixed, (0, 0), 1.2)) * 255 + np.random.default_rng(1).normal(0, 1.5, mixed.shape)
    return Image(np.clip(pixels, 0, 255).astype(np.uint8), Kind.PHOTO, Meaning.PHOTO)


needs_mcc = pytest.mark.skipif(not hasattr(cv2, "mcc"), reason="this OpenCV build finds no ColorChecker (needs mcc)")


@needs_mcc
@pytest.mark.parametrize("name", ["lamp", "shade"])
def test_a_colorchecker_unmixes_the_channels(name: str) -> None:
    photo = _checker(LIGHTS[name])
    card = find_card(photo)
    assert card.kind is CardKind.COLORCHECKER
    fit = correct_colour(photo, card)
    assert fit.patches >= 20
    assert fit.error_after < 2 < fit.error_before
    seen = fit.apply(linear_light(photo.pixels[260:300, 360:390].reshape(-1, 3)).mean(axis=0))
    true = rgb2lab(np.array(COLORCHECKER_SRGB[0]) / 255)
    assert deltaE_ciede2000(rgb2lab(_encoded(seen)), true) < 3


@needs_mcc
@pytest.mark.parametrize("name", ["colorchecker_below_fishbox.jpg", "colorchecker_below_fishbox2.jpg"])
def test_a_real_colorchecker_is_corrected(shared, name: str) -> None:
    photo = read_image(shared / "data" / "marker_photos" / name, kind=Kind.PHOTO)
    fit = correct_colour(photo, find_card(photo))
    assert fit.kind is CardKind.COLORCHECKER
    assert fit.error_after < 0.5 * fit.error_before


def test_no_card_is_invented(shared) -> None:
    photos = sorted((shared / "data" / "calcinosis_photos").glob("*.jpg"))[::12]
    assert photos
    assert [path.name for path in photos if find_card(read_image(path, kind=Kind.PHOTO)) is not None] == []


_REFUSALS = {
    "clipped": (lambda: _photo((8.0, 8.0, 8.0))[0], "clipped"),
    "no card after all": (lambda: _photo((0.9, 0.9, 0.9), patches=(0.6, 0.1, 0.5, 0.05, 0.3))[0], "flat in the light"),
}


@pytest.mark.parametrize("name", _REFUSALS)
def test_a_card_of_no_use_is_refused(name: str) -> None:
    draw, words = _REFUSALS[name]
    photo = draw()
    with pytest.raises(MeasurementRefused, match=words):
        correct_colour(photo, find_card(photo))


def test_films_and_strange_masks_are_refused() -> None:
    photo, labels = _photo(LIGHTS["white"])
    film = Image(np.zeros((20, 20), np.uint16), Kind.RADIOGRAPH, Meaning.DISPLAY)
    assert find_card(film) is None
    with pytest.raises(MeasurementRefused, match="density instead"):
        whiteness(film, Labels.empty((20, 20)))
    with pytest.raises(MeasurementRefused, match="photos only"):
        correct_colour(film, find_card(photo))
    with pytest.raises(MaskError):
        whiteness(photo, Labels.empty((5, 5)))
    assert whiteness(photo, Labels.empty(labels.shape)).delta_e is None


def test_a_deposit_without_skin_says_so() -> None:
    photo, labels = _photo(LIGHTS["white"])
    found = whiteness(photo, Labels(np.ones(labels.shape, np.int32)))
    assert found.deposits[0].delta_e is None
    assert "too little skin" in in_one(found.deposits[0].reason)


def test_a_measured_photo_carries_its_whiteness() -> None:
    photo, labels = _photo(LIGHTS["lamp"])
    told = analyse_mask(photo, labels).measurement
    assert told.deposits[0].whiteness.delta_e == pytest.approx(TRUE, rel=0.05)
    assert told.colours.correction.error_after < told.colours.correction.error_before
