"""Small DICOM films whose every fact is known, made here."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_scenes import CAPTURE, STORAGE, STORED, XA, film
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from calcimeasure.errors import DamagedFile, FrameNeeded, ReadError, TooLarge, UnsupportedFile
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.images.picture import picture_in
from calcimeasure.io.images.read import describe, read_image
from calcimeasure.io.images.untrusted import Request
from calcimeasure.model.image import Image, Kind, Meaning, Polarity, Spacing, SpacingOrigin


def read(tmp_path: Path, stored: np.ndarray = STORED, **facts: Any) -> Image:
    return read_image(film(tmp_path / "film.dcm", stored, **facts))


RAW = {"PresentationIntentType": "FOR PROCESSING"}
SHOWN = {"PresentationIntentType": "FOR PRESENTATION"}
ANGIO = {"Modality": "XA", "SOPClassUID": XA}


@pytest.mark.parametrize(
    ("facts", "turned", "warns"),
    [
        ({}, False, False),
        ({"PhotometricInterpretation": "MONOCHROME1"}, True, False),
        ({"PresentationLUTShape": "INVERSE"}, True, False),
        ({"PresentationLUTShape": "IDENTITY"}, False, False),
        ({"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}, True, False),
        ({"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"}, True, True),
        (SHOWN | {"PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipSign": -1}, False, False),
        (SHOWN | {"PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipSign": 1}, False, True),
        (RAW | {"PixelIntensityRelationship": "LIN", "PixelIntensityRelationshipSign": 1}, True, True),
        (RAW | {"PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipSign": -1}, False, False),
        (RAW | {"PhotometricInterpretation": "MONOCHROME1", "PixelIntensityRelationshipSign": 1}, True, False),
        (RAW | {"PixelIntensityRelationship": "LIN"}, False, True),
        (ANGIO, True, True),
        (ANGIO | {"PhotometricInterpretation": "MONOCHROME1"}, False, True),
        (ANGIO | {"PixelIntensityRelationship": "LIN"}, True, False),
        (ANGIO | {"PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipSign": -1}, False, False),
        ({"Modality": "RF"}, False, True),
    ],
)
def test_a_film_is_turned_over_once_or_not_at_all(
    tmp_path: Path, facts: dict[str, Any], turned: bool, warns: bool
) -> None:
    image = read(tmp_path, **facts)
    np.testing.assert_array_equal(image.pixels, 4095 - STORED if turned else STORED)
    assert (image.polarity is Polarity.TURNED_OVER) is turned
    assert image.ceiling == 4095
    assert image.pixels.dtype == np.uint16
    assert any("polarity" in w or "MONOCHROME1" in w or "check the picture" in w for w in image.warnings) is warns


def test_signed_values_turn_over_about_their_own_middle(tmp_path: Path) -> None:
    stored = np.array([[-2048, -1, 0, 2047]], np.int16)
    image = read(tmp_path, stored, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(image.pixels, [[2047, 0, -1, -2048]])
    assert (image.pixels.dtype, image.ceiling) == (np.int16, 2047)


@pytest.mark.parametrize(
    ("facts", "spacing"),
    [
        ({}, None),
        ({"PixelSpacing": [0.2, 0.1]}, (0.2, 0.1, SpacingOrigin.UNCERTAIN)),
        ({"PixelSpacing": [0, 0]}, None),
        ({"PixelSpacing": [-0.1, 0.1]}, None),
        ({"PixelSpacing": [0.1, 0.1, 0.1]}, None),
        ({"ImagerPixelSpacing": [0.1, 0.1]}, (0.1, 0.1, SpacingOrigin.DETECTOR_ONLY)),
        ({"ImagerPixelSpacing": [0.1, 0.1], "PixelSpacing": [0.1, 0.1]}, (0.1, 0.1, SpacingOrigin.DETECTOR_PLANE)),
        ({"ImagerPixelSpacing": [0.1, 0.1], "PixelSpacing": [0.0, 0.0]}, (0.1, 0.1, SpacingOrigin.DETECTOR_ONLY)),
        (
            {"ImagerPixelSpacing": [0.1, 0.1], "PixelSpacing": [0.08, 0.08]},
            (0.08, 0.08, SpacingOrigin.MODALITY_CORRECTED),
        ),
        (
            {"PixelSpacing": [0.08, 0.08], "PixelSpacingCalibrationType": "FIDUCIAL", "ImagerPixelSpacing": [0.1, 0.1]},
            (0.08, 0.08, SpacingOrigin.FIDUCIAL),
        ),
        (
            {"PixelSpacing": [0.08, 0.08], "PixelSpacingCalibrationType": "GEOMETRY"},
            (0.08, 0.08, SpacingOrigin.GEOMETRY),
        ),
        (
            {"ImagerPixelSpacing": [0.1, 0.1], "PixelSpacingCalibrationType": "FIDUCIAL"},
            (0.1, 0.1, SpacingOrigin.DETECTOR_ONLY),
        ),
        (
            {"ImagerPixelSpacing": [0.1, 0.2], "EstimatedRadiographicMagnificationFactor": 1.25},
            (0.08, 0.16, SpacingOrigin.ERMF),
        ),
        (
            {
                "ImagerPixelSpacing": [0.1, 0.1],
                "PixelSpacing": [0.1, 0.1],
                "DistanceSourceToDetector": 1000,
                "DistanceSourceToPatient": 800,
            },
            (0.08, 0.08, SpacingOrigin.ERMF),
        ),
        (
            {"ImagerPixelSpacing": [0.1, 0.1], "EstimatedRadiographicMagnificationFactor": 0},
            (0.1, 0.1, SpacingOrigin.DETECTOR_ONLY),
        ),
        (
            {
                "ImagerPixelSpacing": [0.1, 0.1],
                "EstimatedRadiographicMagnificationFactor": 1,
                "DistanceSourceToDetector": 1000,
                "DistanceSourceToPatient": 800,
            },
            (0.1, 0.1, SpacingOrigin.DETECTOR_ONLY),
        ),
        ({"NominalScannedPixelSpacing": [0.17, 0.17]}, (0.17, 0.17, SpacingOrigin.NOMINAL)),
        ({"NominalScannedPixelSpacing": [0.17, 0.17], "PixelSpacing": [0.2, 0.2]}, (0.2, 0.2, SpacingOrigin.UNCERTAIN)),
    ],
)
def test_spacing_by_the_rule(tmp_path: Path, facts: dict[str, Any], spacing: tuple[Any, ...] | None) -> None:
    image = read(tmp_path, np.zeros((80, 100), np.uint16), **facts)
    if spacing is None:
        assert image.spacing is None
    else:
        assert image.spacing is not None
        assert (image.spacing.row_mm, image.spacing.column_mm) == pytest.approx(spacing[:2])
        assert image.spacing.origin is spacing[2]
    assert any("scale" in warning for warning in image.warnings)


def test_the_users_scale_beats_the_files_and_says_so(tmp_path: Path) -> None:
    path = film(tmp_path / "film.dcm", np.zeros((80, 100), np.uint16), PixelSpacing=[0.2, 0.2])
    image = read_image(path, spacing=0.15)
    assert image.spacing == Spacing.of(0.15, 0.15, SpacingOrigin.USER)
    assert "replaces the file's 0.2 x 0.2 mm (uncertain)" in image.warnings[0]
    assert not read_image(path, spacing=0.2).warnings


@pytest.mark.parametrize(
    ("facts", "meaning"),
    [
        ({}, Meaning.DISPLAY),
        (RAW, Meaning.DETECTOR),
        (RAW | {"PixelIntensityRelationship": "DISP"}, Meaning.DISPLAY),
        ({"PixelIntensityRelationship": "LOG"}, Meaning.DETECTOR),
        (SHOWN | {"PixelIntensityRelationship": "LOG"}, Meaning.DISPLAY),
        ({"PixelIntensityRelationship": "LOG", "SOPClassUID": CAPTURE}, Meaning.DISPLAY),
        (RAW | {"RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "OD"}, Meaning.DISPLAY),
    ],
)
def test_detector_only_where_summing_is_honest(tmp_path: Path, facts: dict[str, Any], meaning: Meaning) -> None:
    assert read(tmp_path, **facts).meaning is meaning


def test_rescale_and_window_end_in_the_same_units(tmp_path: Path) -> None:
    window = {"WindowCenter": 110.5, "WindowWidth": 21, "RescaleSlope": 2, "RescaleIntercept": 100}
    plain, turned = read(tmp_path, **window), read(tmp_path, **window, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_allclose(plain.pixels, STORED * 2.0 + 100)
    np.testing.assert_allclose(turned.pixels, (100 + 8290) - (STORED * 2.0 + 100))
    assert plain.ceiling == turned.ceiling == 8290
    assert plain.window == (100, 120)
    assert turned.window == (8390 - 120, 8390 - 100)


@pytest.mark.parametrize("slope", [0, 1e300])
def test_a_meaningless_slope_is_ignored_with_a_warning(tmp_path: Path, slope: float) -> None:
    image = read(tmp_path, RescaleSlope=slope, RescaleIntercept=0)
    np.testing.assert_array_equal(image.pixels, STORED)
    assert any("slope" in warning for warning in image.warnings)


def test_the_modality_table_is_applied_and_its_ends_bound_the_turning(tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [20, 0, 16], "US"
    table.LUTData = (1000 + 10 * np.arange(20, dtype=np.uint16)).tobytes()
    table["LUTData"].VR = "OW"
    facts = {"ModalityLUTSequence": Sequence([table]), "PhotometricInterpretation": "MONOCHROME1"}
    image = read(tmp_path, **facts)
    np.testing.assert_array_equal(image.pixels, 1000 + 1190 - (1000 + 10 * STORED))
    assert image.ceiling == 1190
    assert image.meaning is Meaning.DISPLAY


@pytest.mark.parametrize(
    ("facts", "masked"),
    [
        ({"PixelPaddingValue": 7}, STORED == 7),
        ({"PixelPaddingValue": 3, "PixelPaddingRangeLimit": 6}, (STORED >= 3) & (STORED <= 6)),
        ({"PixelPaddingValue": 6, "PixelPaddingRangeLimit": 3}, (STORED >= 3) & (STORED <= 6)),
        # Tested before the rescale: 7 stored is 107 as measured.
        ({"PixelPaddingValue": 7, "RescaleSlope": 1, "RescaleIntercept": 100}, STORED == 7),
        ({"PixelPaddingValue": 4000}, None),
    ],
)
def test_padding_is_masked(tmp_path: Path, facts: dict[str, Any], masked: np.ndarray | None) -> None:
    image = read(tmp_path, **facts)
    if masked is None:
        assert image.valid is None
    else:
        np.testing.assert_array_equal(~image.valid, masked)


def test_padding_that_leaves_nothing_is_ignored(tmp_path: Path) -> None:
    image = read(tmp_path, PixelPaddingValue=0, PixelPaddingRangeLimit=4095)
    assert image.valid is None
    assert any("no picture" in warning for warning in image.warnings)


EDGES = {
    "ShutterShape": "RECTANGULAR",
    "ShutterUpperHorizontalEdge": 2,
    "ShutterLowerHorizontalEdge": 3,
    "ShutterLeftVerticalEdge": 2,
    "ShutterRightVerticalEdge": 4,
}
BOX = np.zeros((4, 5), bool)
BOX[1:3, 1:4] = True
DISC = np.array([[0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]], bool)


@pytest.mark.parametrize(
    ("facts", "visible"),
    [
        (EDGES, BOX),
        ({"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [2, 3], "RadiusOfCircularShutter": 1}, DISC),
        (
            {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [2, 2, 2, 4, 3, 4, 3, 2]},
            BOX,
        ),
        (
            EDGES
            | {
                "ShutterShape": ["RECTANGULAR", "CIRCULAR"],
                "CenterOfCircularShutter": [2, 3],
                "RadiusOfCircularShutter": 1,
            },
            BOX & DISC,
        ),
    ],
)
def test_shutters_are_masked(tmp_path: Path, facts: dict[str, Any], visible: np.ndarray) -> None:
    np.testing.assert_array_equal(read(tmp_path, **facts).valid, visible)


def test_a_circle_on_tall_pixels_is_low(tmp_path: Path) -> None:
    stored = np.zeros((41, 41), np.uint16)
    shutter = {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [21, 21], "RadiusOfCircularShutter": 10}
    valid = read(tmp_path, stored, PixelSpacing=[0.2, 0.1], **shutter).valid
    assert valid is not None
    assert (valid.any(axis=1).sum(), valid.any(axis=0).sum()) == (11, 21)


def test_a_shutter_that_cannot_be_read_is_ignored_with_a_warning(tmp_path: Path) -> None:
    image = read(tmp_path, ShutterShape="CIRCULAR")
    assert image.valid is None
    assert any("shutter" in warning for warning in image.warnings)


def test_the_surround_of_a_round_field_is_no_picture(tmp_path: Path) -> None:
    rows, columns = np.ogrid[-50:50, -50:50]
    inside = rows**2 + columns**2 < 49**2
    stored = np.where(inside, 700 + rows, 0).astype(np.uint16)
    np.testing.assert_array_equal(read(tmp_path, stored, **ANGIO).valid, inside)


def test_a_frame_is_named_counted_from_one(tmp_path: Path) -> None:
    path = film(tmp_path / "cine.dcm", np.stack([STORED, STORED + 100, STORED + 200]))
    with pytest.raises(FrameNeeded, match=r"cine\.dcm: holds 3 frames"):
        read_image(path)
    with pytest.raises(FrameNeeded, match="no frame 4"):
        read_image(path, frame=4)
    image = read_image(path, frame=2)
    np.testing.assert_array_equal(image.pixels, STORED + 100)
    assert (image.acquisition.frame, image.acquisition.frames) == (2, 3)


SECRETS = {
    "PatientName": "Quux^Jane",
    "PatientID": "4711",
    "InstitutionName": "St Elsewhere",
    "StationName": "ROOM3",
    "Manufacturer": "Quux Ltd",
    "ManufacturerModelName": "Jane 3000",
    "AcquisitionDeviceProcessingCode": "JANE_QUUX",
    "AcquisitionDeviceProcessingDescription": "hand of Jane Quux",
}
OWN_WORDS = {"Modality": "JANE", "ViewPosition": "QUUX_JANE", "BodyPartExamined": "HAND OF QUUX"}


def test_facts_for_comparing_visits_are_kept_and_nobody_is_named(tmp_path: Path) -> None:
    terms = {"Laterality": "L", "ViewPosition": "PA", "BodyPartExamined": "HAND", "KVP": 52}
    image = read(tmp_path, **SECRETS, **terms, LossyImageCompression="01")
    facts = image.acquisition
    assert (facts.side, facts.view, facts.body_part, facts.kvp) == ("L", "PA", "HAND", 52)
    assert facts.lossy is True
    assert any("lossy" in warning for warning in image.warnings)
    assert_nobody_is_named(f"{facts}{image.decided}{image.warnings}{image!r}")


@pytest.mark.parametrize("keyword", [*SECRETS, *OWN_WORDS])
def test_whatever_a_header_says_in_its_own_words_is_not_repeated(tmp_path: Path, keyword: str) -> None:
    image = read(tmp_path, **{**SECRETS, **OWN_WORDS, keyword: "JANE QUUX 4711"})
    assert_nobody_is_named(f"{image.acquisition}{image.decided}{image.warnings}{image!r}")


@pytest.mark.parametrize(
    ("keyword", "fact"),
    [
        ("Manufacturer", "device"),
        ("ManufacturerModelName", "device"),
        ("AcquisitionDeviceProcessingCode", "processing"),
        ("AcquisitionDeviceProcessingDescription", "processing"),
        ("Modality", "modality"),
        ("ViewPosition", "view"),
        ("BodyPartExamined", "site"),
    ],
)
def test_what_is_not_repeated_still_tells_two_films_apart(tmp_path: Path, keyword: str, fact: str) -> None:
    one, same, other = (
        read(tmp_path, **{**SECRETS, **OWN_WORDS, keyword: told}).acquisition.mark_of(fact)
        for told in ("THIS ONE", "THIS  ONE", "ANOTHER")
    )
    assert one is not None
    assert one == same != other


@pytest.mark.parametrize(
    "facts",
    [
        {"PhotometricInterpretation": "JANE QUUX"},
        {"SamplesPerPixel": 3, "PhotometricInterpretation": "JANE QUUX"},
        {"PixelIntensityRelationship": "QUUX", "PresentationIntentType": "FOR PROCESSING"},
        {"PresentationLUTShape": "QUUX"},
        {"RescaleType": "QUUX"},
    ],
)
def test_no_message_repeats_a_header(tmp_path: Path, facts: dict[str, Any]) -> None:
    try:
        image = read(tmp_path, **SECRETS, **facts)
        told = f"{image.acquisition}{image.decided}{image.warnings}{image!r}"
    except ReadError as error:
        told = str(error)
    assert_nobody_is_named(told)


def test_a_transfer_syntax_that_nobody_knows_is_not_repeated(tmp_path: Path) -> None:
    path = film(tmp_path / "film.dcm")
    known = b"1.2.840.10008.1.2.1\0"
    path.write_bytes(path.read_bytes().replace(known, b"1.2.840.4711.4711.41"[: len(known)]))
    with pytest.raises(ReadError) as caught:
        read_image(path)
    assert "4711" not in str(caught.value)


def assert_nobody_is_named(told: str) -> None:
    for secret in ("quux", "jane", "4711", "elsewhere", "room3"):
        assert secret not in told.lower()


def test_colour_is_a_photo_unless_asked_otherwise(tmp_path: Path) -> None:
    rgb = np.zeros((2, 3, 3), np.uint8)
    rgb[0, 0], rgb[1] = (200, 10, 10), 90
    facts = {
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": "RGB",
        "PlanarConfiguration": 0,
        "Rows": 2,
        "Columns": 3,
    }
    facts |= {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelData": rgb.tobytes(), "SOPClassUID": CAPTURE}
    path = film(tmp_path / "photo.dcm", **facts)
    photo, forced = read_image(path), read_image(path, kind=Kind.RADIOGRAPH)
    np.testing.assert_array_equal(photo.pixels, rgb)
    assert (photo.kind, photo.meaning) == (Kind.PHOTO, Meaning.PHOTO)
    assert (forced.kind, forced.meaning, forced.pixels[1, 0]) == (Kind.RADIOGRAPH, Meaning.DISPLAY, 90)


@pytest.mark.parametrize(
    ("modality", "tail", "word"),
    [
        ("CT", "2", "volumes .*CT"),
        ("MR", "4.1", "volumes .*MR"),
        ("PT", "128", "volumes .*PET"),
        ("MG", "13.1.3", "volumes .*tomosynthesis"),
        ("SEG", "66.4", "SEG"),
        ("RTDOSE", "481.2", "RT"),
        ("SM", "77.1.6", "whole-slide"),
        ("US", "6.1", "ultrasound"),
    ],
)
def test_what_is_no_film_is_named(tmp_path: Path, modality: str, tail: str, word: str) -> None:
    path = film(tmp_path / "other.dcm", Modality=modality, SOPClassUID=UID(STORAGE + tail))
    with pytest.raises(UnsupportedFile, match=rf"^other\.dcm: .*{word}"):
        read_image(path)
    assert describe(path).acquisition.modality == modality


def test_ct_is_described_in_hounsfield_units(tmp_path: Path) -> None:
    found = describe(film(tmp_path / "ct.dcm", Modality="CT", SOPClassUID=UID(STORAGE + "2")))
    assert (found.kind, found.meaning, found.shape) == (Kind.VOLUME, Meaning.HOUNSFIELD, (4, 5))


@pytest.mark.parametrize("cut", [0, 132])
def test_no_suffix_and_no_preamble_are_needed(tmp_path: Path, cut: int) -> None:
    path = film(tmp_path / "film", syntax=ImplicitVRLittleEndian)
    whole = path.read_bytes()
    # Without preamble the file meta group goes as well: the data set begins with group 0008.
    path.write_bytes(whole[whole.index(b"\x08\x00\x16\x00") :] if cut else whole)
    np.testing.assert_array_equal(read_image(path).pixels, STORED)


def test_a_tiff_header_in_the_preamble_does_not_hide_dicom(tmp_path: Path) -> None:
    path = film(tmp_path / "film.dcm")
    path.write_bytes(b"II*\x00" + path.read_bytes()[4:])
    assert read_image(path).acquisition.modality == "CR"


def test_deflated_is_read_and_its_bomb_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calcimeasure.io.images.part10._MOST_INFLATED", 1 << 20)
    path = film(tmp_path / "film.dcm", syntax=DeflatedExplicitVRLittleEndian)
    np.testing.assert_array_equal(read_image(path).pixels, STORED)
    whole = path.read_bytes()
    head = whole[: 144 + struct.unpack("<I", whole[140:144])[0]]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = b"".join(packer.compress(bytes(1 << 20)) for _ in range(3)) + packer.flush()
    path.write_bytes(head + zeros)
    with pytest.raises(TooLarge, match=r"^film\.dcm: "):
        picture_in(FileBytes.of(path), Request())


JPEG_START = b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 11, 8, 60000, 60000, 1) + b"\x01\x11\x00"
BASELINE, EXTENDED, RLE = (UID("1.2.840.10008.1.2." + tail) for tail in ("4.50", "4.51", "5"))


@pytest.mark.parametrize(
    ("syntax", "facts", "error"),
    [
        (ExplicitVRLittleEndian, {"Rows": 60000, "Columns": 60000}, TooLarge),
        (ExplicitVRLittleEndian, {"Rows": 19000, "Columns": 19000}, DamagedFile),
        (ExplicitVRLittleEndian, {"Rows": 0}, DamagedFile),
        (ExplicitVRLittleEndian, {"BitsAllocated": 12}, DamagedFile),
        (ExplicitVRLittleEndian, {"BitsStored": 20}, DamagedFile),
        (ExplicitVRLittleEndian, {"SamplesPerPixel": 3}, DamagedFile),
        (ExplicitVRLittleEndian, {"NumberOfFrames": 2**31 - 1}, FrameNeeded),
        (RLE, {"Rows": 19000, "Columns": 19000, "PixelData": encapsulate([bytes(64)])}, DamagedFile),
        (BASELINE, {"BitsAllocated": 8, "BitsStored": 8, "PixelData": encapsulate([JPEG_START])}, DamagedFile),
        (EXTENDED, {"PixelData": encapsulate([JPEG_START])}, UnsupportedFile),
    ],
)
def test_a_lying_header_ends_before_memory_is_taken(
    tmp_path: Path, syntax: UID, facts: dict[str, Any], error: type[ReadError]
) -> None:
    path = film(tmp_path / "lie.dcm", syntax=syntax, **facts)
    with pytest.raises(error, match=r"^lie\.dcm: ") as caught:
        read_image(path)
    assert str(tmp_path) not in str(caught.value)


def test_twelve_bit_extended_jpeg_names_its_syntax(tmp_path: Path) -> None:
    path = film(tmp_path / "old.dcm", syntax=EXTENDED, PixelData=encapsulate([JPEG_START]))
    with pytest.raises(UnsupportedFile, match=r"JPEG Extended.*1\.2\.840\.10008\.1\.2\.4\.51"):
        read_image(path)


@pytest.mark.parametrize("keep", [0, 100, 200, 400, -10])
def test_a_truncated_file_is_one_error(tmp_path: Path, keep: int) -> None:
    path = film(tmp_path / "cut.dcm")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ReadError, match=r"^cut\.dcm: "):
        read_image(path)


def test_one_pixel_is_a_film(tmp_path: Path) -> None:
    assert read(tmp_path, np.array([[9]], np.uint16)).pixels.tolist() == [[9]]
