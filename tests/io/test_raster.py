"""PNG, TIFF, JPEG and BMP whose every value is known, made here."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile
from PIL import ImageOps

from calcimeasure.errors import DamagedFile, FrameNeeded, ReadError, TooLarge, UnknownFormat, UnsupportedFile
from calcimeasure.io.images.film_or_photo import looks_negative
from calcimeasure.io.images.orient import turned_over, upright
from calcimeasure.io.images.read import identify, is_candidate, read_image
from calcimeasure.model.image import Kind, Meaning, Polarity
from calcimeasure.report.words import sentences

GREY = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
DEEP = np.arange(6, dtype=np.uint16).reshape(2, 3) * 13000
RGB = np.zeros((2, 3, 3), np.uint8)
RGB[0], RGB[1, 1] = (200, 40, 10), (10, 20, 250)


def png(path: Path, array: np.ndarray, **options: Any) -> Path:
    if array.dtype == np.uint16:
        path.write_bytes(imagecodecs.png_encode(array))
    else:
        PIL.Image.fromarray(array).save(path, **options)
    return path


def tiff(path: Path, array: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, array, **options)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_every_orientation_is_applied_once(tmp_path: Path, orientation: int, suffix: str) -> None:
    # Blocks of 16 pixels survive JPEG; no two corners are alike.
    blocks = np.kron(np.array([[0, 60, 120], [250, 190, 90]], np.uint8), np.ones((16, 16), np.uint8))
    path, exif = tmp_path / f"turned.{suffix}", PIL.Image.Exif()
    exif[0x0112] = orientation
    if suffix == "tif":
        tiff(path, blocks, extratags=[(274, "H", 1, orientation, True)])
        expected = upright(blocks, orientation)
    else:
        PIL.Image.fromarray(blocks).save(path, exif=exif, **({"quality": 100} if suffix == "jpg" else {}))
        expected = np.asarray(ImageOps.exif_transpose(PIL.Image.open(path)))
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, expected)
    # By hand: where the dark corner of the stored picture (first row, first column) ends up.
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    assert image.pixels[corner[orientation]] == 0
    assert image.shape == ((48, 32) if orientation > 4 else (32, 48))


@pytest.mark.parametrize(
    ("name", "array", "options"),
    [
        ("grey.png", GREY, {}),
        ("deep.png", DEEP, {}),
        ("grey.bmp", GREY, {}),
        ("grey.pgm", GREY, {}),
        ("grey.tif", GREY, {}),
        ("deep.tif", DEEP, {}),
        ("big.tif", DEEP, {"bigtiff": True, "byteorder": ">"}),
        ("packed.tif", DEEP, {"compression": "zlib", "predictor": True}),
        ("long.tif", DEEP.astype(np.int32) - 30000, {}),
        ("wide.tif", DEEP.astype(np.uint32) * 70000, {}),
        ("float.tif", DEEP.astype(np.float32) / 7, {}),
        ("double.tif", DEEP.astype(np.float64) / 7, {}),
        ("dot.png", GREY[:1, 1:2], {}),
        ("dot.tif", DEEP[:1, 1:2], {}),
    ],
)
def test_grey_values_come_through_untouched(tmp_path: Path, name: str, array: np.ndarray, options: Any) -> None:
    image = read_image((tiff if name.endswith("tif") else png)(tmp_path / name, array, **options))
    np.testing.assert_array_equal(image.pixels, array)
    assert image.pixels.dtype == array.dtype
    assert image.pixels.dtype.isnative
    assert (image.kind, image.meaning, image.spacing) == (Kind.RADIOGRAPH, Meaning.DISPLAY, None)
    assert image.ceiling == (None if array.dtype.kind == "f" else np.iinfo(array.dtype).max)
    assert image.decided == "radiograph: grey file"
    assert not image.pixels.flags.writeable


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("rgb.png", {}),
        ("rgb.bmp", {}),
        ("rgb.ppm", {}),
        ("rgb.tif", {"photometric": "rgb"}),
        ("planes.tif", {"photometric": "rgb", "planarconfig": "separate"}),
    ],
)
def test_colour_is_a_photo_in_rgb_order(tmp_path: Path, name: str, options: Any) -> None:
    array = np.moveaxis(RGB, -1, 0) if "planarconfig" in options else RGB
    image = read_image((tiff if name.endswith("tif") else png)(tmp_path / name, array, **options))
    np.testing.assert_array_equal(image.pixels, RGB)
    assert (image.kind, image.meaning, image.ceiling) == (Kind.PHOTO, Meaning.PHOTO, 255)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_stored_as_colour_is_a_radiograph_of_full_depth(tmp_path: Path, dtype: type, suffix: str) -> None:
    grey = GREY if dtype is np.uint8 else DEEP
    array = np.dstack([grey] * 3)
    path = tmp_path / f"film.{suffix}"
    image = read_image(png(path, array) if suffix == "png" else tiff(path, array, photometric="rgb"))
    np.testing.assert_array_equal(image.pixels, grey)
    assert (image.kind, image.pixels.dtype) == (Kind.RADIOGRAPH, dtype)
    assert image.decided == "radiograph: 0% of the pixels have colour"


def test_the_kind_that_is_asked_for_wins(tmp_path: Path) -> None:
    film, photo = png(tmp_path / "film.png", GREY), png(tmp_path / "photo.png", RGB)
    as_photo, as_film = read_image(film, kind=Kind.PHOTO), read_image(photo, kind=Kind.RADIOGRAPH)
    np.testing.assert_array_equal(as_photo.pixels, np.dstack([GREY] * 3))
    assert as_photo.meaning is Meaning.PHOTO
    # 0.299 R + 0.587 G + 0.114 B of (200, 40, 10) and (10, 20, 250)
    assert (as_film.pixels[0, 0], as_film.pixels[1, 1]) == (84, 43)
    assert as_film.decided == "radiograph as asked"
    with pytest.raises(UnsupportedFile, match="volumes"):
        read_image(film, kind=Kind.VOLUME)


def test_deep_colour_is_cut_with_a_warning(tmp_path: Path) -> None:
    image = read_image(png(tmp_path / "deep.png", RGB.astype(np.uint16) * 257))
    np.testing.assert_array_equal(image.pixels, RGB)
    assert any("16-bit colour" in warning for warning in sentences(image.warnings))


@pytest.mark.parametrize(
    ("array", "turned"),
    [
        (GREY, 255 - GREY),
        (DEEP, 65535 - DEEP),
        (DEEP.astype(np.int16) // 4, -1 - DEEP.astype(np.int16) // 4),
        (DEEP.astype(np.float32), -DEEP.astype(np.float32)),
    ],
)
def test_a_tiff_whose_white_is_zero_is_turned_over(tmp_path: Path, array: np.ndarray, turned: np.ndarray) -> None:
    image = read_image(tiff(tmp_path / "film.tif", array, photometric="miniswhite"))
    np.testing.assert_array_equal(image.pixels, turned)
    assert image.polarity is Polarity.TURNED_OVER


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32])
def test_turning_over_twice_is_the_identity(dtype: type) -> None:
    ends = np.iinfo(dtype)
    array = np.array([ends.min, 0, 1, ends.max], dtype)
    once = turned_over(array, ends.min, ends.max)
    np.testing.assert_array_equal(turned_over(once, ends.min, ends.max), array)
    assert (once[0], once[-1], once.dtype) == (ends.max, ends.min, dtype)


def test_what_is_no_number_is_masked(tmp_path: Path) -> None:
    array = np.array([[1.5, np.nan, np.inf], [-np.inf, 4, 5]], np.float32)
    image = read_image(tiff(tmp_path / "film.tif", array))
    np.testing.assert_array_equal(image.valid, np.isfinite(array))
    assert np.isfinite(image.pixels).all()
    assert any("not finite" in warning for warning in sentences(image.warnings))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_masks_what_is_fully_transparent_and_changes_nothing_else(tmp_path: Path, mode: str) -> None:
    alpha = np.array([[0, 1, 255], [255, 255, 0]], np.uint8)
    colour = GREY[..., None] if mode == "LA" else RGB
    image = read_image(png(tmp_path / "film.png", np.dstack([colour, alpha])))
    np.testing.assert_array_equal(image.pixels, GREY if mode == "LA" else RGB)
    np.testing.assert_array_equal(image.valid, alpha > 0)


def test_a_wholly_transparent_picture_is_read_as_opaque(tmp_path: Path) -> None:
    image = read_image(png(tmp_path / "film.png", np.dstack([GREY, np.zeros_like(GREY)])))
    assert image.valid is None
    assert any("transparent" in warning for warning in sentences(image.warnings))


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    indexed = PIL.Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), mode=None)
    indexed = indexed.convert("P")
    indexed.putpalette([200, 10, 10, 10, 10, 200])
    for suffix in ("png", "tif"):
        indexed.save(path := tmp_path / f"photo.{suffix}")
        assert read_image(path).pixels[0].tolist() == [[200, 10, 10], [10, 10, 200]]


def test_a_page_is_named_counted_from_one_and_thumbnails_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(GREY)
        writer.write(GREY[:1, :1], subfiletype=1)
    np.testing.assert_array_equal(read_image(path).pixels, GREY)
    with tifffile.TiffWriter(path) as writer:
        writer.write(GREY, metadata=None)
        writer.write(GREY + 5, metadata=None)
    with pytest.raises(FrameNeeded, match=r"pages\.tif: holds 2 frames"):
        read_image(path)
    np.testing.assert_array_equal(read_image(path, frame=2).pixels, GREY + 5)


def test_resolution_is_never_a_scale(tmp_path: Path) -> None:
    assert read_image(png(tmp_path / "film.png", GREY, dpi=(300, 300))).spacing is None
    assert read_image(tiff(tmp_path / "film.tif", GREY, resolution=(118, 118), resolutionunit=3)).spacing is None


def test_jpeg_is_lossy_and_its_colour_noise_is_no_colour(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    film = rng.integers(0, 255, (64, 64), np.uint8)
    PIL.Image.fromarray(np.dstack([film] * 3)).save(path := tmp_path / "film.jpg", quality=60)
    image = read_image(path)
    assert (image.kind, image.acquisition.lossy) == (Kind.RADIOGRAPH, True)
    assert any("lossy" in warning for warning in sentences(image.warnings))


def test_a_negative_is_told_not_turned(tmp_path: Path) -> None:
    rows, columns = np.ogrid[-40:40, -40:40]
    limb = np.where(rows**2 + columns**2 < 30**2, 150, 20).astype(np.uint8)
    assert not looks_negative(limb)
    image = read_image(png(tmp_path / "film.png", 255 - limb))
    np.testing.assert_array_equal(image.pixels, 255 - limb)
    assert any("negative" in warning for warning in sentences(image.warnings))


def bomb_png(path: Path, side: int) -> Path:
    """A PNG of a few bytes that declares side x side pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def lying_tiff(path: Path, **tags: int) -> Path:
    tiff(path, DEEP)
    with tifffile.TiffFile(path, mode="r+") as file:
        for name, value in tags.items():
            file.pages[0].tags[name].overwrite(value)
    return path


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda p: bomb_png(p / "bad.png", 60000), TooLarge),
        (lambda p: bomb_png(p / "bad.png", 2000), DamagedFile),
        (lambda p: lying_tiff(p / "bad.tif", ImageWidth=60000, ImageLength=60000), TooLarge),
        (lambda p: lying_tiff(p / "bad.tif", StripByteCounts=1 << 31), DamagedFile),
        (lambda p: lying_tiff(p / "bad.tif", StripOffsets=1 << 31), DamagedFile),
        (lambda p: lying_tiff(p / "bad.tif", SamplesPerPixel=9), ReadError),
        (lambda p: (p / "bad.png").touch() or p / "bad.png", DamagedFile),
        (lambda p: (p / "bad.gif").write_bytes(b"GIF89a" + bytes(99)) and p / "bad.gif", UnsupportedFile),
        (lambda p: (p / "bad.tif").write_bytes(b"hello there" * 9) and p / "bad.tif", DamagedFile),
        (lambda p: (p / "bad.dcm").write_bytes(b"hello there" * 9) and p / "bad.dcm", DamagedFile),
        (lambda p: (p / "bad.txt").write_bytes(b"hello there" * 9) and p / "bad.txt", UnknownFormat),
        (lambda p: (p / "bad.tif").write_bytes(b"II*\0\x08\0\0\0") and p / "bad.tif", DamagedFile),
        (lambda p: p / "bad.png", ReadError),
        (lambda p: (p / "bad.dir").mkdir() or p / "bad.dir", ReadError),
    ],
)
def test_broken_and_lying_files_end_in_one_line(tmp_path: Path, make: Any, error: type[ReadError]) -> None:
    path = make(tmp_path)
    with pytest.raises(error, match=r"^bad\.[a-z]+: ") as caught:
        read_image(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(tmp_path) not in message


def test_the_cap_is_the_callers(tmp_path: Path) -> None:
    path = png(tmp_path / "film.png", np.zeros((100, 101), np.uint8))
    assert read_image(path, max_megapixels=0.0101).shape == (100, 101)
    with pytest.raises(TooLarge, match="100 x 101"):
        read_image(path, max_megapixels=0.01)


@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp"])
def test_truncated_files_end_in_one_error(tmp_path: Path, suffix: str, fraction: float) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (80, 80), np.uint8)
    path = tmp_path / f"cut.{suffix}"
    PIL.Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * fraction)])
    with pytest.raises(DamagedFile, match=r"^cut\."):
        read_image(path)


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n", "png"),
        ("nameless", b"\xff\xd8\xff\xe0", "jpeg"),
        ("nameless", bytes(128) + b"DICM", "dicom"),
        ("broken.dcm", b"junk", "dicom"),
        ("broken.TIF", b"", "tiff"),
        ("scan.tif", bytes(128) + b"DICM", "dicom"),
        ("notes.txt", b"P. 5", None),
        ("table.csv", b"image,spacing_mm\n", None),
        ("archive.zip", b"PK\x03\x04" + bytes(60), None),
        ("script.lua", b"function x() end", None),
        ("data.json", b"{}", None),
        ("nothing", b"", None),
    ],
)
def test_strays_are_told_from_pictures(tmp_path: Path, name: str, content: bytes, form: str | None) -> None:
    (tmp_path / name).write_bytes(content)
    assert identify(tmp_path / name) == form
    assert is_candidate(tmp_path / name) is (form is not None)


def test_heic_without_its_extra_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (path := tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(20))
    with pytest.raises(UnsupportedFile, match=r"photo\.heic: .*pip install 'calcimeasure\[heic\]'"):
        read_image(path)
