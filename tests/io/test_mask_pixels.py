"""Masks and regions that other programs wrote: read without doubt, or refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from calcimeasure.errors import MaskError, UnsupportedFile
from calcimeasure.io.images.read import read_image
from calcimeasure.io.results.masks import find_mask, find_region, read_labels, read_region, write_labels
from calcimeasure.model.labels import Labels
from calcimeasure.report.words import sentences

SHAPE = (24, 32)
TRUE = np.zeros(SHAPE, np.uint8)
TRUE[3:8, 4:14], TRUE[15:21, 20:26] = 1, 2
INSIDE = (TRUE > 0).astype(np.uint8)
GREY = np.random.default_rng(4).integers(0, 256, SHAPE).astype(np.uint8)


def tiff(path: Path, array: np.ndarray, **facts: Any) -> Path:
    tifffile.imwrite(path, array, metadata=None, **({"photometric": "minisblack"} | facts))
    return path


def png(path: Path, array: np.ndarray, palette: list[int] | None = None) -> Path:
    picture = PillowImage.fromarray(array)
    if palette is not None:
        picture.putpalette(palette)
    picture.save(path)
    return path


def colour_map(*colours: tuple[int, int, int]) -> np.ndarray:
    table = np.zeros((3, 256), np.uint16)
    for place, colour in enumerate(colours):
        table[:, place] = np.array(colour) * 257
    return table


TURNED = [(1, TRUE), (3, TRUE[::-1, ::-1]), (6, TRUE[:, ::-1].T), (8, TRUE[::-1].T)]
FITTING = {
    "numbers": lambda path: tiff(path, TRUE.astype(np.uint16)),
    "gaps": lambda path: tiff(path, np.array([0, 5, 9], np.uint16)[TRUE]),
    "over 65535": lambda path: tiff(path, np.array([0, 1, 70000], np.uint32)[TRUE]),
    "uint64": lambda path: tiff(path, TRUE.astype(np.uint64)),
    "int8": lambda path: tiff(path, TRUE.astype(np.int8)),
    "big endian": lambda path: tiff(path, TRUE.astype(">u2"), byteorder=">"),
    "float": lambda path: tiff(path, TRUE.astype(np.float32)),
    "half float": lambda path: tiff(path, TRUE.astype(np.float16)),
    "white is zero": lambda path: tiff(path, TRUE, photometric="miniswhite"),
    "palette": lambda path: tiff(path, TRUE, photometric="palette", colormap=colour_map((0, 0, 0), (9, 0, 0))),
    "grey alpha": lambda path: tiff(path, np.dstack([TRUE, np.full_like(TRUE, 255)]), extrasamples=["unassalpha"]),
    "pyramid": lambda path: pyramid(path),
    "PNG": lambda path: png(path, TRUE),
    "16-bit PNG": lambda path: png(path, TRUE.astype(np.uint16)),
    "palette PNG": lambda path: png(path, TRUE, [0, 0, 0, 255, 0, 0, 0, 0, 255]),
    "white palette": lambda path: png(path, (TRUE + 2) % 3, [255, 0, 0, 0, 0, 255, 0, 0, 0]),
}


def pyramid(path: Path) -> Path:
    with tifffile.TiffWriter(path) as writer:
        writer.write(TRUE, metadata=None, photometric="minisblack")
        writer.write(TRUE[::2, ::2], metadata=None, photometric="minisblack", subfiletype=1)
    return path


@pytest.mark.parametrize("form", FITTING)
def test_numbers_are_read_whatever_holds_them(tmp_path: Path, form: str) -> None:
    labels = read_labels(FITTING[form](tmp_path / "a.labels.tif"), SHAPE)
    assert sorted(np.unique(labels.array, return_counts=True)[1]) == [36, 50, 682]
    np.testing.assert_array_equal(labels.array > 0, INSIDE)


@pytest.mark.parametrize(("orientation", "stored"), TURNED)
def test_a_mask_is_turned_upright_as_its_film_is(tmp_path: Path, orientation: int, stored: np.ndarray) -> None:
    path = tiff(tmp_path / "a.tif", stored, extratags=[(274, "H", 1, orientation, True)])
    film = read_image(tiff(tmp_path / "film.tif", stored, extratags=[(274, "H", 1, orientation, True)]))
    np.testing.assert_array_equal(read_labels(path, film.shape).array, film.pixels)
    np.testing.assert_array_equal(film.pixels, TRUE)


BINARY = {
    "0/255": lambda path: tiff(path, INSIDE * np.uint8(255)),
    "0/65535": lambda path: tiff(path, INSIDE * np.uint16(65535)),
    "0/255 in 16 bits": lambda path: tiff(path, INSIDE * np.uint16(255)),
    "float 255": lambda path: tiff(path, INSIDE * np.float32(255)),
    "single bits": lambda path: tiff(path, INSIDE.astype(bool), photometric="miniswhite"),
    "RGB": lambda path: tiff(path, np.dstack([INSIDE * np.uint8(255)] * 3), photometric="rgb"),
    "planes": lambda path: tiff(path, np.stack([INSIDE * np.uint8(255)] * 3), photometric="rgb", planarconfig=2),
    "PNG": lambda path: png(path, INSIDE * np.uint8(255)),
    "1-bit PNG": lambda path: png(path, INSIDE.astype(bool)),
    "RGBA PNG": lambda path: png(path, np.dstack([INSIDE * np.uint8(255)] * 3 + [np.full(SHAPE, 255, np.uint8)])),
    "white on black by palette": lambda path: png(path, 1 - INSIDE, [255, 255, 255, 0, 0, 0]),
}


@pytest.mark.parametrize("form", BINARY)
def test_a_mask_without_numbers_is_split_into_its_parts_and_says_so(tmp_path: Path, form: str) -> None:
    labels = read_labels(BINARY[form](tmp_path / "a.labels.tif"), SHAPE)
    np.testing.assert_array_equal(labels.array, TRUE)
    assert "split into its 2 parts" in sentences(labels.warnings)[-1]


def test_one_number_for_several_parts_is_one_deposit_and_says_so_unless_we_wrote_it(tmp_path: Path) -> None:
    write_labels(tmp_path / "ours.labels.tif", Labels(INSIDE.astype(np.int32)), None)
    foreign = read_labels(tiff(tmp_path / "a.tif", INSIDE), SHAPE)
    assert (foreign.count, sentences(foreign.warnings)) == (
        1,
        ("the mask has one number for 2 parts: they count as one deposit",),
    )
    assert read_labels(tmp_path / "ours.labels.tif", SHAPE).warnings == ()


def several(path: Path, *pages: np.ndarray) -> Path:
    with tifffile.TiffWriter(path) as writer:
        for page in pages:
            writer.write(page, metadata=None, photometric="minisblack")
    return path


def framed() -> np.ndarray:
    """A mask whose edge, where a shutter was, has a number, too."""
    return np.pad(TRUE[1:-1, 1:-1], 1, constant_values=3)


REFUSED = {
    "2 pages": lambda path: several(path, np.zeros_like(TRUE), TRUE),
    "2 pages ": lambda path: several(path, TRUE == 1, TRUE == 2),
    "gives the number 255 to the surround": lambda path: tiff(path, (1 - INSIDE) * np.uint8(255)),
    "gives the number 1 to the surround": lambda path: tiff(path, TRUE + np.uint8(1)),
    "gives the number 3 to the surround": lambda path: tiff(path, framed()),
    "-1 to 2": lambda path: tiff(path, np.where(INSIDE, TRUE.astype(np.int16), -1).astype(np.int16)),
    "-1 to 0": lambda path: tiff(path, (INSIDE * np.uint8(255)).view(np.int8)),
    "up to 2147483647": lambda path: tiff(path, INSIDE * np.uint64(2**31)),
    "fractions": lambda path: tiff(path, TRUE * np.float32(0.4)),
    "fractions ": lambda path: tiff(path, np.where(INSIDE, 1, np.nan).astype(np.float32)),
    "complex64 values": lambda path: tiff(path, TRUE.astype(np.complex64)),
    "in colours": lambda path: tiff(path, np.dstack([TRUE, TRUE * 9, TRUE]), photometric="rgb"),
    "5 channels": lambda path: tiff(path, np.dstack([TRUE] * 5), planarconfig=1, extrasamples=[0] * 4),
    "partly transparent": lambda path: png(path, np.dstack([TRUE] * 3 + [INSIDE * np.uint8(255)])),
    "shades of grey": lambda path: tiff(path, GREY),
    "with loss": lambda path: tiff(path, INSIDE * np.uint8(255), compression="jpeg"),
    "16-bit colours": lambda path: path.write_bytes(deep_png()) and path,
    "not a readable": lambda path: PillowImage.fromarray(TRUE).save(path, "JPEG") or path,
    r"\(32, 24\) pixels": lambda path: tiff(path, TRUE.T),
    r"\(12, 16\) pixels": lambda path: tiff(path, TRUE[::2, ::2]),
}


def deep_png() -> bytes:
    import imagecodecs

    return bytes(imagecodecs.png_encode(np.dstack([TRUE.astype(np.uint16) * 300] * 3)))


@pytest.mark.parametrize("why", REFUSED)
def test_a_mask_open_to_doubt_is_refused_in_one_line(tmp_path: Path, why: str) -> None:
    path = REFUSED[why](tmp_path / "a.labels.tif")
    with pytest.raises(MaskError, match=rf"^a\.labels\.tif [^\n]*{why.strip()}[^\n]*$"):
        read_labels(path, SHAPE)


@pytest.mark.parametrize("form", [*FITTING, *BINARY])
def test_a_region_is_read_as_a_mask_is(tmp_path: Path, form: str) -> None:
    path = (FITTING | BINARY)[form](tmp_path / "a.region.tif")
    np.testing.assert_array_equal(read_region(path, SHAPE), INSIDE > 0)


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros_like(TRUE), "nothing inside"),
        (GREY, "shades of grey"),
        (np.arange(768, dtype=np.uint16).reshape(SHAPE) // 24, "looks like a picture"),
        (TRUE + np.uint8(1), "no outside"),
        (TRUE * np.float32(0.4), "fractions"),
    ],
)
def test_what_is_no_region_is_refused(tmp_path: Path, array: np.ndarray, why: str) -> None:
    with pytest.raises(MaskError, match=why):
        read_region(tiff(tmp_path / "a.tif", array), SHAPE)


def test_a_film_is_never_its_own_region_nor_its_own_mask(tmp_path: Path) -> None:
    film = png(tmp_path / "a.png", GREY)
    with pytest.raises(MaskError, match="no region of interest for a"):
        find_region(tmp_path, "a", film)
    assert find_mask(tmp_path, "a", film) == tmp_path / "a.labels.tif"
    mask = png(tmp_path / "a.labels.png", TRUE)
    assert find_mask(tmp_path, "a", film) == mask


@pytest.mark.parametrize("name", ["a.region.tif", "a.region.png", "a.labels.tif", "A.REGION.TIF"])
def test_a_region_or_mask_is_never_a_film(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedFile, match=r"is a mask or a region of interest by its name"):
        read_image(tiff(tmp_path / name, TRUE))


def test_a_number_that_may_stand_for_the_limb_is_told(tmp_path: Path) -> None:
    limb = np.where(TRUE > 0, 2, 1).astype(np.uint8)
    limb[0], limb[:, 0] = 0, 0
    (words,) = sentences(read_labels(tiff(tmp_path / "a.tif", limb), TRUE.shape).warnings)
    assert "the number 1 of the mask has" in words
    clean = sentences(read_labels(tiff(tmp_path / "b.tif", TRUE), TRUE.shape).warnings)
    assert not [words for words in clean if "limb" in words]
