"""Pixels whose header is odd or lies: the picture as it was drawn, or one line that names the fault."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from dicom_scenes import CAPTURE, STORED, film
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from calcimeasure.errors import DamagedFile, UnsupportedFile
from calcimeasure.io.images.read import read_image
from calcimeasure.model.image import Image, Kind, Polarity
from calcimeasure.report.words import sentences

ROWS, COLUMNS = np.mgrid[:60, :80]


def _drawn() -> np.ndarray:
    """A limb of 12 bits with two deposits."""
    noise = np.random.default_rng(1).normal(0, 12, ROWS.shape)
    limb = 800 + 600 * np.cos((COLUMNS - 40) / 25) + noise
    limb[20:30, 30:50] += 2000
    limb[40:46, 60:66] += 1600
    return limb.clip(50, 4000).astype(np.uint16)


TRUE = _drawn()
BYTES = (TRUE >> 4).astype(np.uint8)
DEEP = TRUE * np.uint16(16)
SIGNED = (TRUE.astype(np.int32) - 2048).astype(np.int16)
RISING = np.arange(4096, dtype=np.uint16)
FALLING = RISING[::-1].copy()
MONO1 = {"PhotometricInterpretation": "MONOCHROME1"}
EIGHT = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
SIXTEEN = {"BitsStored": 16, "HighBit": 15}
RGB = EIGHT | {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
JPEG = "1.2.840.10008.1.2.4."
EXPLICIT, IMPLICIT, BIG, DEFLATED = (f"1.2.840.10008.1.2{tail}" for tail in (".1", "", ".2", ".1.99"))


def table(entries: np.ndarray, bits: int = 12, first: int = 0, vr: str = "OW") -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 65536, first, bits]
    item.add_new(0x00283006, vr, entries.tolist() if vr == "US" else entries.tobytes())
    return item


def voi(*items: Dataset) -> dict[str, Any]:
    return {"VOILUTSequence": Sequence(items)}


def modality(*items: Dataset) -> dict[str, Any]:
    return {"ModalityLUTSequence": Sequence(items)}


def read(tmp_path: Path, stored: np.ndarray = TRUE, **facts: Any) -> Image:
    return read_image(film(tmp_path / "film.dcm", stored, **facts))


PADDED = np.where(ROWS < 5, 0xFFFF, TRUE).astype(np.uint16)


@pytest.mark.parametrize(
    ("stored", "facts"),
    [
        pytest.param(4095 - TRUE, voi(table(FALLING)), id="falling VOI"),
        pytest.param(4095 - TRUE, voi(table(FALLING, vr="US")), id="falling VOI as numbers"),
        pytest.param(4095 - TRUE, voi(table((FALLING >> 4).astype(np.uint8), 8)), id="falling VOI in bytes"),
        pytest.param(4095 - TRUE, voi(table(FALLING), table(FALLING // 2)), id="two falling VOIs"),
        pytest.param(4095 - TRUE, voi(table(np.linspace(999, 0, 500).astype("u2"), 16, 1000)), id="short falling VOI"),
        pytest.param(TRUE, MONO1 | voi(table(FALLING)), id="MONOCHROME1 and falling VOI"),
        pytest.param(4095 - TRUE, MONO1 | voi(table(RISING)), id="MONOCHROME1 and rising VOI"),
        pytest.param(TRUE, voi(), id="empty VOI"),
        pytest.param(TRUE, voi(Dataset()), id="VOI without a table"),
        pytest.param(TRUE, voi(table(np.full(4096, 7, np.uint16))), id="flat VOI"),
        pytest.param(TRUE, {"WindowCenter": [900, 99], "WindowWidth": [400, 5]}, id="two windows"),
        pytest.param(TRUE, {"WindowCenter": 900, "WindowWidth": 0}, id="window of no width"),
        pytest.param(TRUE, {"WindowCenter": 9, "WindowWidth": 99, "VOILUTFunction": "SIGMOID"}, id="sigmoid"),
        pytest.param(TRUE << 4, {"HighBit": 15}, id="left-justified"),
        pytest.param(TRUE << 2, {"HighBit": 13}, id="in the middle"),
        pytest.param(TRUE, {"HighBit": None}, id="no HighBit"),
        pytest.param(TRUE, modality(), id="empty Modality LUT"),
        pytest.param(TRUE, modality(table(RISING)), id="12-bit Modality LUT"),
        pytest.param(TRUE, modality(table(RISING, 12, vr="US")), id="Modality LUT as numbers"),
        pytest.param(TRUE, modality(table(RISING), table(RISING)), id="the same Modality LUT twice"),
        pytest.param(4095 - TRUE, modality(table(FALLING)), id="falling Modality LUT"),
        pytest.param(SIGNED, modality(table(RISING, first=-2048)), id="Modality LUT from below 0"),
        pytest.param(4095 - TRUE, {"RescaleSlope": -1, "RescaleIntercept": 4095}, id="negative slope"),
        pytest.param(TRUE, {"syntax": ImplicitVRLittleEndian}, id="implicit"),
        pytest.param(TRUE, {"syntax": DeflatedExplicitVRLittleEndian}, id="deflated"),
    ],
)
def test_the_picture_is_as_it_was_drawn(tmp_path: Path, stored: np.ndarray, facts: dict[str, Any]) -> None:
    image = read(tmp_path, stored, **facts)
    np.testing.assert_array_equal(image.pixels, TRUE)
    assert image.ceiling == 4095
    assert not image.warnings[1:]


@pytest.mark.parametrize(
    ("stored", "facts", "words"),
    [
        pytest.param(TRUE, {"HighBit": 0}, "HighBit 0 of 12 bits is impossible", id="HighBit 0"),
        pytest.param(TRUE, {"BitsStored": 16, "HighBit": 11}, "HighBit 11 of 16", id="HighBit below the bits"),
        pytest.param(4095 - TRUE, {"PresentationLUTShape": "INVERSE"}, "contradict", id="MONOCHROME2 INVERSE"),
        pytest.param(TRUE, {"WindowCenter": 9, "WindowWidth": -99}, "negative window", id="negative window"),
        pytest.param(TRUE, voi(table(RISING), table(FALLING)), "rise and fall", id="VOIs that differ"),
        pytest.param(TRUE, voi(table(np.abs(2048 - RISING.astype(int)).astype("u2"))), "rise and fall", id="V-shaped"),
        pytest.param(
            4095 - TRUE, voi(table(FALLING)) | {"WindowCenter": 9, "WindowWidth": 99}, "VOI LUT was followed", id="both"
        ),
        pytest.param(TRUE, modality(table(RISING)) | {"RescaleSlope": -1}, "table was applied", id="table and slope"),
        pytest.param(TRUE, {"PixelData": TRUE.tobytes() + bytes(64)}, "64 bytes follow", id="bytes behind"),
    ],
)
def test_the_picture_is_as_it_was_drawn_and_a_warning_says_what_is_odd(
    tmp_path: Path, stored: np.ndarray, facts: dict[str, Any], words: str
) -> None:
    image = read(tmp_path, stored, **facts)
    np.testing.assert_array_equal(image.pixels, TRUE)
    assert any(words in warning for warning in sentences(image.warnings))


@pytest.mark.parametrize(
    ("stored", "facts", "words"),
    [
        pytest.param(TRUE, {"BitsStored": 10, "HighBit": 9}, "declares 10 bits", id="values of 12 bits in 10"),
        pytest.param(TRUE, {"HighBit": 15}, "declares 12 bits .* bit 15", id="not left-justified"),
        pytest.param(TRUE << 4, {}, "declares 12 bits", id="left-justified in secret"),
        pytest.param(TRUE | 1 << 14, {}, "declares 12 bits", id="a bit beside"),
        pytest.param(modality, modality(Dataset()), "Modality LUT has no valid", id="Modality LUT without a table"),
        pytest.param(TRUE, modality(table(RISING), table(FALLING)), "2 Modality LUTs that differ", id="two tables"),
        pytest.param(TRUE, {"PixelData": TRUE.byteswap().tobytes()} | SIXTEEN, "other byte order", id="swapped"),
        pytest.param(TRUE, {"Rows": 80, "Columns": 60}, "exchanged", id="rows for columns"),
        pytest.param(TRUE, {"Columns": 79}, "declares 9480", id="a column less"),
        pytest.param(TRUE, {"Rows": 59}, "declares 9440", id="a row less"),
        pytest.param(TRUE, EIGHT, "declares 4800", id="16 bits as 8"),
        pytest.param(TRUE, {"PixelData": BYTES.tobytes()}, "too short", id="8 bits as 16"),
        pytest.param(TRUE, {"BitsAllocated": 12}, "12 of 12 bits", id="12 bits packed"),
    ],
)
def test_what_cannot_be_cut_out_is_refused(
    tmp_path: Path, stored: np.ndarray, facts: dict[str, Any], words: str
) -> None:
    with pytest.raises(DamagedFile, match=rf"^film\.dcm: [^\n]*{words}[^\n]*$"):
        read(tmp_path, TRUE if stored is modality else stored, **facts)


def test_a_slope_that_is_no_number_is_ignored_with_a_warning(tmp_path: Path) -> None:
    path = film(tmp_path / "film.dcm", RescaleSlope=25.5, RescaleIntercept=0)
    path.write_bytes(path.read_bytes().replace(b"25.5", b"nan "))
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, STORED)
    assert "not a number" in sentences(image.warnings)[1]


def test_a_table_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    item = table(RISING)
    item["LUTData"].value = RISING[:99].tobytes()
    with pytest.raises(DamagedFile, match="Modality LUT holds 198 bytes for 4096 entries"):
        read(tmp_path, **modality(item))


@pytest.mark.parametrize("packed", [(RISING >> 4).astype(np.uint8), RISING >> 4], ids=["bytes", "words"])
def test_a_modality_table_of_8_bits_is_read_packed_or_not(tmp_path: Path, packed: np.ndarray) -> None:
    np.testing.assert_array_equal(read(tmp_path, **modality(table(packed, 8))).pixels, BYTES)


def test_pixels_beyond_a_table_get_its_ends_with_a_warning(tmp_path: Path) -> None:
    image = read(tmp_path, **modality(table(RISING[:1000], 16, 1000)))
    np.testing.assert_array_equal(image.pixels, np.clip(TRUE.astype(int) - 1000, 0, 999))
    assert "beyond the ends" in sentences(image.warnings)[1]


@pytest.mark.parametrize("bits", [12, 16])
def test_signed_values_with_and_without_their_sign_repeated(tmp_path: Path, bits: int) -> None:
    facts = {"BitsStored": bits, "HighBit": bits - 1}
    np.testing.assert_array_equal(read(tmp_path, SIGNED, **facts).pixels, SIGNED)
    if bits == 12:
        np.testing.assert_array_equal(read(tmp_path, SIGNED & 0xFFF, **facts).pixels, SIGNED)


@pytest.mark.parametrize("bits", [12, 16])
def test_a_sign_taken_for_a_high_bit_is_refused(tmp_path: Path, bits: int) -> None:
    around = (TRUE.astype(np.int32) - 1000).astype(np.int16)
    facts = {"BitsStored": bits, "HighBit": bits - 1}
    with pytest.raises(DamagedFile, match="are signed numbers, its PixelRepresentation says unsigned"):
        read(tmp_path, (around.view(np.uint16) & ((1 << bits) - 1)), **facts)


@pytest.mark.parametrize(
    "stored",
    [
        np.random.default_rng(2).integers(0, 65536, ROWS.shape).astype(np.uint16),
        np.full(ROWS.shape, 7, np.uint16),
        ((ROWS + COLUMNS) % 2 * 60000).astype(np.uint16),
        np.where((ROWS // 4 + COLUMNS // 4) % 9 == 0, 65535, TRUE).astype(np.uint16),
        DEEP.clip(0, 65535) & 0xFF00,
    ],
    ids=["noise", "flat", "chequered", "letters", "left-justified"],
)
def test_an_honest_picture_of_any_look_is_not_called_a_lie(tmp_path: Path, stored: np.ndarray) -> None:
    np.testing.assert_array_equal(read(tmp_path, stored, **SIXTEEN).pixels, stored)


@pytest.mark.parametrize(
    ("stored", "vr", "value"),
    [
        (np.where(ROWS < 5, 63536, TRUE).astype(np.uint16), "SS", -2000),
        (np.where(ROWS < 5, -2000, SIGNED).astype(np.int16), "US", 63536),
        (np.where(ROWS < 5, -2000, SIGNED).astype(np.int16) & 0xFFF, "US", 2096),
        (PADDED, "US", 65535),
        (PADDED, "SS", -1),
    ],
)
def test_padding_is_known_whatever_its_sign_and_bits(tmp_path: Path, stored: np.ndarray, vr: str, value: int) -> None:
    path = film(tmp_path / "film.dcm", stored)
    dataset = pydicom.dcmread(path)
    dataset.add_new(0x00280120, vr, value)
    dataset.save_as(path)
    image = read_image(path)
    np.testing.assert_array_equal(image.valid, ROWS >= 5)
    np.testing.assert_array_equal(image.pixels[5:], (SIGNED if stored.dtype.kind == "i" else TRUE)[5:])
    assert image.pixels.max() <= 4095


def test_overlays_in_the_high_bits_are_no_picture(tmp_path: Path) -> None:
    path = film(tmp_path / "film.dcm", TRUE | ((ROWS % 7 == 0).astype(np.uint16) << 14))
    dataset = pydicom.dcmread(path)
    for element, value in ((0x0010, 60), (0x0011, 80), (0x0100, 16), (0x0102, 14)):
        dataset.add_new(0x60000000 + element, "US", value)
    dataset.save_as(path)
    np.testing.assert_array_equal(read_image(path).pixels, TRUE)


def saying(syntax: str, indeed: str, whole: bytes) -> bytes:
    """The file with another transfer syntax written in its meta group."""
    old = indeed.encode() + b"\0" * (len(indeed) % 2)
    new = syntax.encode() + b"\0" * (len(syntax) % 2)
    at, more = whole.index(old), len(new) - len(old)
    (group,) = struct.unpack("<I", whole[140:144])
    head = whole[:140] + struct.pack("<I", group + more) + whole[144 : at - 2]
    return head + struct.pack("<H", len(new)) + new + whole[at + len(old) :]


@pytest.mark.parametrize(("said", "indeed"), [(IMPLICIT, EXPLICIT), (EXPLICIT, IMPLICIT)])
@pytest.mark.parametrize("facts", [{}, EIGHT | {"PixelData": BYTES.tobytes()}], ids=["16 bits", "8 bits"])
def test_a_wrong_word_about_representations_is_passed_over(
    tmp_path: Path, said: str, indeed: str, facts: dict[str, Any]
) -> None:
    path = film(tmp_path / "film.dcm", TRUE, UID(indeed), **facts)
    path.write_bytes(saying(said, indeed, path.read_bytes()))
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, BYTES if facts else TRUE)
    assert "read as it is" in sentences(image.warnings)[1]


@pytest.mark.parametrize(
    ("said", "indeed", "words"),
    [
        (BIG, EXPLICIT, "says explicit VR big endian, but its data set is explicit VR little"),
        (DEFLATED, EXPLICIT, "says deflated"),
        (EXPLICIT, DEFLATED, "is not written so"),
        (IMPLICIT, DEFLATED, "is not written so"),
        (JPEG + "90", EXPLICIT, "not compressed"),
        ("1.2.840.10008.1.2.5", EXPLICIT, "not compressed"),
    ],
)
def test_a_transfer_syntax_that_leaves_doubt_is_refused(tmp_path: Path, said: str, indeed: str, words: str) -> None:
    path = film(tmp_path / "film.dcm", TRUE, UID(indeed))
    path.write_bytes(saying(said, indeed, path.read_bytes()))
    with pytest.raises(DamagedFile, match=rf"^film\.dcm: [^\n]*{words}[^\n]*$"):
        read_image(path)


def test_compressed_pixels_that_call_themselves_uncompressed_are_refused(tmp_path: Path) -> None:
    facts = {"PixelData": encapsulate([J2K(TRUE)]), "syntax": UID(JPEG + "90")}
    path = film(tmp_path / "film.dcm", TRUE, **facts)
    path.write_bytes(saying(EXPLICIT, JPEG + "90", path.read_bytes()))
    with pytest.raises(DamagedFile, match="says uncompressed, but its pixels are compressed"):
        read_image(path)


def J2K(values: np.ndarray) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(values, level=0, reversible=True, codecformat="j2k"))


def lossless(bits: int) -> Callable[[np.ndarray], bytes]:
    return lambda values: bytes(imagecodecs.ljpeg_encode(values, bitspersample=bits))


def baseline(values: np.ndarray) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(values, level=100))


@pytest.mark.parametrize(
    ("tail", "encoder", "stored", "facts", "ceiling"),
    [
        ("90", J2K, TRUE, {}, 65535),
        ("90", J2K, TRUE, {"BitsStored": 16, "HighBit": 15}, 65535),
        ("90", J2K, TRUE << 4, {"HighBit": 15}, 4095),
        ("70", lossless(12), TRUE, {}, 4095),
        ("70", lossless(12), TRUE, {"BitsStored": 16, "HighBit": 15}, 4095),
        ("70", lossless(12), TRUE, {"BitsStored": 8, "HighBit": 7}, 4095),
        ("80", imagecodecs.jpegls_encode, TRUE, {}, 65535),
        ("80", imagecodecs.jpegls_encode, TRUE, {"BitsStored": 8, "HighBit": 7}, 65535),
    ],
)
def test_a_compressed_picture_has_its_own_depth(
    tmp_path: Path, tail: str, encoder: Any, stored: np.ndarray, facts: dict[str, Any], ceiling: int
) -> None:
    image = read(tmp_path, TRUE, syntax=UID(JPEG + tail), PixelData=encapsulate([bytes(encoder(stored))]), **facts)
    np.testing.assert_array_equal(image.pixels, TRUE)
    assert image.ceiling == ceiling


def test_baseline_jpeg_in_words_of_16_bits_is_read(tmp_path: Path) -> None:
    image = read(tmp_path, TRUE, syntax=UID(JPEG + "50"), PixelData=encapsulate([baseline(BYTES)]))
    assert np.abs(image.pixels.astype(int) - BYTES).max() < 8
    assert image.ceiling == 255


@pytest.mark.parametrize(
    ("tail", "encoder", "facts", "words"),
    [
        ("80", J2K, {}, "its pixels are JPEG 2000"),
        ("90", lossless(12), {}, "its pixels are lossless JPEG"),
        ("70", lambda values: baseline(BYTES), {}, "its pixels are JPEG"),
        ("70", lossless(12), EIGHT, "compressed data have 12"),
        ("90", lambda values: J2K(np.dstack([BYTES] * 3)), EIGHT, "1 samples a pixel, its compressed data have 3"),
        ("50", lambda values: baseline(BYTES), RGB, "3 samples a pixel, its compressed data have 1"),
    ],
)
def test_another_codec_or_too_narrow_words_are_refused(
    tmp_path: Path, tail: str, encoder: Any, facts: dict[str, Any], words: str
) -> None:
    with pytest.raises(DamagedFile, match=words):
        read(tmp_path, TRUE, syntax=UID(JPEG + tail), PixelData=encapsulate([encoder(TRUE)]), **facts)


def test_a_sign_that_codestream_and_header_see_differently_is_told(tmp_path: Path) -> None:
    facts = SIXTEEN | {"PixelRepresentation": 1, "PixelData": encapsulate([J2K(TRUE)])}
    image = read(tmp_path, TRUE, syntax=UID(JPEG + "90"), **facts)
    np.testing.assert_array_equal(image.pixels, TRUE)
    assert "contradict each other on sign" in sentences(image.warnings)[1]


def palette(entries: np.ndarray, bits: int) -> dict[str, Any]:
    channels = {
        f"{colour}PaletteColorLookupTable{part}": value
        for colour in ("Red", "Green", "Blue")
        for part, value in (("Descriptor", [256, 0, bits]), ("Data", entries.tobytes()))
    }
    return EIGHT | {"PhotometricInterpretation": "PALETTE COLOR"} | channels


MIDDLE = np.full_like(BYTES, 128)
EVERY = np.arange(256, dtype=np.uint16)


@pytest.mark.parametrize(
    ("pixels", "facts", "expected"),
    [
        (np.dstack([BYTES] * 3), RGB, BYTES),
        (np.stack([BYTES] * 3), RGB | {"PlanarConfiguration": 1}, BYTES),
        (np.dstack([BYTES, MIDDLE, MIDDLE]), RGB | {"PhotometricInterpretation": "YBR_FULL"}, BYTES),
        (
            np.dstack([BYTES[:, ::2], BYTES[:, 1::2], MIDDLE[:, ::2], MIDDLE[:, ::2]]),
            RGB | {"PhotometricInterpretation": "YBR_FULL_422"},
            BYTES,
        ),
        (np.dstack([DEEP] * 3), RGB | SIXTEEN | {"BitsAllocated": 16}, DEEP),
        (np.dstack([TRUE] * 3), RGB | {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}, DEEP),
        (BYTES, palette(EVERY * 257, 16), BYTES.astype(np.uint16) * 257),
        (255 - BYTES, palette(EVERY[::-1] * np.uint16(257), 16), BYTES.astype(np.uint16) * 257),
        (BYTES, palette(EVERY, 16), BYTES),
        (BYTES, palette(EVERY.astype(np.uint8), 8), BYTES),
    ],
    ids=["RGB", "planes", "YBR", "422", "RGB 16", "RGB 12", "palette", "inverse palette", "8 in 16", "palette 8"],
)
def test_grey_stored_in_colour_is_a_film(
    tmp_path: Path, pixels: np.ndarray, facts: dict[str, Any], expected: np.ndarray
) -> None:
    image = read(tmp_path, TRUE, PixelData=pixels.tobytes(), SOPClassUID=CAPTURE, **facts)
    np.testing.assert_array_equal(image.pixels, expected)
    assert (image.kind, image.polarity) == (Kind.RADIOGRAPH, Polarity.AS_STORED)


COLOUR = np.dstack([BYTES, BYTES // 2, 255 - BYTES])


@pytest.mark.parametrize("pixels", [np.dstack([BYTES] * 3), COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("planar", [0, 1])
def test_colours_stored_the_other_way_are_refused(tmp_path: Path, pixels: np.ndarray, planar: int) -> None:
    stored = pixels if planar else np.moveaxis(pixels, -1, 0)
    facts = RGB | {"PlanarConfiguration": planar, "PixelData": stored.tobytes()}
    with pytest.raises(DamagedFile, match="PlanarConfiguration"):
        read(tmp_path, **facts)


def test_floating_point_pixels_are_named(tmp_path: Path) -> None:
    path = film(tmp_path / "film.dcm")
    dataset = pydicom.dcmread(path)
    del dataset.PixelData
    dataset.FloatPixelData = TRUE.astype(np.float32).tobytes()
    dataset.save_as(path)
    with pytest.raises(UnsupportedFile, match="floating-point"):
        read_image(path)


def test_a_frame_of_single_bits_begins_where_it_must(tmp_path: Path) -> None:
    frames = np.random.default_rng(3).integers(0, 2, (11, 5, 5)).astype(np.uint8)
    packed = np.packbits(frames.ravel(), bitorder="little").tobytes()
    facts = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "NumberOfFrames": 11, "Rows": 5, "Columns": 5}
    path = film(tmp_path / "film.dcm", syntax=ExplicitVRLittleEndian, PixelData=packed + b"\0", **facts)
    for frame in (1, 8, 9, 11):
        np.testing.assert_array_equal(read_image(path, frame=frame).pixels, frames[frame - 1])
