"""The reader on real files, against a table written from their headers and from looking at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from calcimeasure.errors import DamagedFile, FrameNeeded, ReadError, UnsupportedFile
from calcimeasure.io.images.read import is_candidate, read_image
from calcimeasure.model.image import Kind, Meaning
from calcimeasure.report.words import sentences

# From the header: shape, spacing and its origin. Turned or not: MONOCHROME1, or angiography with dark vessels, by look.
CHEST, HIP, BRAIN = (
    ((440, 440), True, None, None),
    ((2140, 1760), False, 0.2, "uncertain"),
    ((1024, 1024), True, None, None),
)
DICOM = {
    "dwv/gdcm-CR-MONO1-10-chest.dcm": CHEST,
    "enet4/WG04__J2KI__MG1_J2KI": ((4664, 3064), False, None, None),
    **{f"enet4/WG04__{syntax}__RG2_{syntax}": HIP for syntax in ("J2KI", "J2KR", "JLSL", "JLSN", "JPLL", "RLE")},
    **{f"enet4/WG04__{syntax}__XA1_{syntax}": BRAIN for syntax in ("J2KI", "J2KR", "JLSL", "JLSN", "JPLL", "RLE")},
    "enet4/WG04__REF__RG2_UNC": HIP,
    "enet4/WG04__REF__XA1_UNC": BRAIN,
    **{f"enet4/WG04__JPLY__{film}_JPLY": "12-bit JPEG Extended" for film in ("MG1", "RG2", "XA1")},
    "fo_dicom/CR-ModalitySequenceLUT.dcm": ((1576, 1976), True, 0.15, "detector_plane"),
    "fo_dicom/GH133.dcm": ((3062, 2394), False, 0.0940909, "detector_only"),
    "fo_dicom/OutOfBoundsOverlay.dcm": ((788, 1318), False, 0.085 / 1.0433386837881, "ermf"),
    "torchxrayvision/tests__1.2.276.0.7230010.3.1.4.8323329.6904.1517875201.850819.dcm": (
        (1024, 1024),
        False,
        0.168,
        "uncertain",
    ),
}
# A bright place over a dark one, (row, column) in the upright picture, chosen by eye: spine over lung, femur over air,
# skull over brain, tooth over the empty frame, spine over lung again.
BRIGHT_OVER_DARK = {
    "dwv/gdcm-CR-MONO1-10-chest.dcm": ((300, 200), (250, 120)),
    "enet4/WG04__REF__RG2_UNC": ((1080, 880), (1900, 300)),
    "enet4/WG04__REF__XA1_UNC": ((907, 725), (840, 750)),
    "fo_dicom/CR-ModalitySequenceLUT.dcm": ((1000, 750), (300, 900)),
    "torchxrayvision/tests__1.2.276.0.7230010.3.1.4.8323329.6904.1517875201.850819.dcm": ((800, 500), (450, 330)),
}


def test_the_table_is_complete(shared: Path) -> None:
    folder = shared / "data" / "dicom"
    assert {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} == set(DICOM)


@pytest.mark.parametrize("name", DICOM)
def test_real_dicom(shared: Path, name: str) -> None:
    expected = DICOM[name]
    path = shared / "data" / "dicom" / name
    if isinstance(expected, str):
        with pytest.raises(UnsupportedFile, match=expected):
            read_image(path)
        return
    image = read_image(path)
    shape, turned, spacing, origin = expected
    assert (image.shape, image.kind, image.meaning) == (shape, Kind.RADIOGRAPH, Meaning.DISPLAY)
    assert (image.polarity == "turned_over") is turned
    if spacing is None:
        assert image.spacing is None
    else:
        assert image.spacing is not None
        assert (image.spacing.row_mm, image.spacing.column_mm) == pytest.approx((spacing, spacing))
        assert image.spacing.origin == origin
    lossy = ("J2KI" in name) or ("JLSN" in name) or ("torchxrayvision" in name)
    assert any("lossy" in warning for warning in sentences(image.warnings)) is lossy


@pytest.mark.parametrize("name", BRIGHT_OVER_DARK)
def test_what_attenuates_is_bright(shared: Path, name: str) -> None:
    image = read_image(shared / "data" / "dicom" / name)
    bright, dark = (
        image.pixels[row - 8 : row + 8, column - 8 : column + 8].mean() for row, column in BRIGHT_OVER_DARK[name]
    )
    assert bright > dark


def test_lossless_syntaxes_of_one_film_give_one_picture(shared: Path) -> None:
    films = [
        read_image(shared / f"data/dicom/enet4/WG04__{name}")
        for name in ("REF__RG2_UNC", "J2KR__RG2_J2KR", "JLSL__RG2_JLSL", "JPLL__RG2_JPLL", "RLE__RG2_RLE")
    ]
    assert all((film.pixels == films[0].pixels).all() for film in films)


@pytest.mark.parametrize("syntax", ["J2KI", "JLSL", "JLSN", "JPLL", "RLE"])
def test_a_truncated_frame_ends_in_one_error(shared: Path, tmp_path: Path, syntax: str) -> None:
    whole = (shared / f"data/dicom/enet4/WG04__{syntax}__XA1_{syntax}").read_bytes()
    (path := tmp_path / "cut.dcm").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedFile, match=r"^cut\.dcm: "):
        read_image(path)


def test_padding_leaves_the_breast_and_the_round_field_its_circle(shared: Path) -> None:
    breast = read_image(shared / "data/dicom/fo_dicom/GH133.dcm").valid
    brain = read_image(shared / "data/dicom/enet4/WG04__REF__XA1_UNC").valid
    assert breast is not None
    assert brain is not None
    assert not breast[1500, 100]
    assert breast[1500, 2000]
    assert brain.mean() == pytest.approx(0.785, abs=0.01)  # pi / 4


BROKEN_BUT_READ = {
    "CR-MONO1-10-chest": Kind.RADIOGRAPH,
    "Issue140.dcm": Kind.RADIOGRAPH,
    "dicomdirtests__77654033__CR1__6154": Kind.RADIOGRAPH,
    "pydicom__SC_rgb_small_odd.dcm": Kind.PHOTO,
    "SC_rgb_small_odd_big_endian.dcm": Kind.PHOTO,
    "data_store__data__OT-PAL-8-face.dcm": Kind.PHOTO,
    "WSI__OrthancLogoRaw.tiff": Kind.PHOTO,
}
STRAY = {".zip", ".lua", ".gz", ".dic", ".query", ".raw", ".g3"}


def test_every_broken_dicom_ends_in_a_picture_or_in_one_line(shared: Path) -> None:
    read = {}
    for path in sorted((shared / "data" / "dicom_broken").rglob("*")):
        if path.is_file() and is_candidate(path):
            assert path.suffix not in STRAY
            try:
                read[path.name] = read_image(path).kind
            except ReadError as error:
                check_line(str(error), path)
    assert read == BROKEN_BUT_READ


def test_every_odd_raster_ends_in_a_picture_or_in_one_line(shared: Path) -> None:
    refused = []
    for path in sorted((shared / "data" / "odd_rasters").rglob("*")):
        # Large phone photos cost a second each and are no odder than the small ones.
        if path.is_file() and is_candidate(path) and path.stat().st_size < 700_000:
            try:
                read_image(path)
            except ReadError as error:
                check_line(str(error), path)
                refused.append(path.name)
    assert [name for name in refused if name.startswith("png__")] == [
        *(
            f"png__{name}.png"
            for name in ("xc9n2c08", "xcrn0g04", "xd0n2c08", "xd3n2c08", "xd9n2c08", "xs1n0g01", "xs7n0g01")
        ),
    ]
    assert {name for name in refused if not name.startswith("png__")} == {
        "logluv-3c-16b.tiff",
        "ojpeg_single_strip_no_rowsperstrip.tiff",
        "test_ifd_loop_to_first.tif",
        "test_ifd_loop_to_self.tif",
        "test_two_ifds.tif",
    }


def check_line(message: str, path: Path) -> None:
    assert message.startswith(f"{path.name}: ")
    assert "\n" not in message
    assert str(path.parent) not in message


def test_pages_of_a_real_tiff_are_named(shared: Path) -> None:
    path = shared / "data/odd_rasters/libtiff/test_two_ifds.tif"
    with pytest.raises(FrameNeeded):
        read_image(path)
    assert read_image(path, frame=2).shape == read_image(path, frame=1).shape


def test_real_films_and_photos_are_told_apart_by_colour(shared: Path) -> None:
    films = [
        *sorted((shared / "data/radiographs").iterdir())[::12],
        *sorted((shared / "data/radiographs_other").iterdir())[::12],
    ]
    photos = sorted((shared / "data/ruler_photos").glob("*.jpg"))[::8]
    photos += sorted((shared / "data/calcinosis_photos").glob("*.jpg"))
    assert {read_image(path).kind for path in films} == {Kind.RADIOGRAPH}
    assert {read_image(path).kind for path in photos} == {Kind.PHOTO}
    assert not any("negative" in warning for path in films for warning in sentences(read_image(path).warnings))
