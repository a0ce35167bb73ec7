"""Which scale a header supports: placeholders, impossible sizes and contradictions leave none, and are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from calcimeasure.errors import RecipeError
from calcimeasure.io.images.read import read_image
from calcimeasure.io.images.spacing import Stated, stated_spacing
from calcimeasure.model.image import SpacingOrigin
from calcimeasure.model.pixel_size import impossible
from calcimeasure.report.words import sentences

SHAPE = (120, 160)
DEPOSITS_PX = 236
PLACEHOLDER, SCREEN = "placeholder", "screen"


def _area(told: Any) -> float | None:
    return None if told is None else DEPOSITS_PX * told.pixel_mm2


@pytest.mark.parametrize(
    ("stated", "area_mm2", "doubt"),
    [
        ({"pixel": (1, 1)}, None, PLACEHOLDER),
        ({"pixel": (1, 1), "imager": (0.143, 0.143)}, 4.826, PLACEHOLDER),
        ({"pixel": (1, 1), "imager": (1, 1)}, None, PLACEHOLDER),
        ({"pixel": (2, 2), "nominal": (0.17, 0.17)}, 6.820, PLACEHOLDER),
        ({"imager": (1, 1), "pixel": (0.1, 0.1)}, 2.36, PLACEHOLDER),
        ({"pixel": (1, 1), "calibration": "FIDUCIAL"}, None, PLACEHOLDER),
        ({"nominal": (25.4 / 96, 25.4 / 96)}, None, SCREEN),
        ({"pixel": (25.4 / 72, 25.4 / 72), "imager": (0.1, 0.1)}, 2.36, SCREEN),
        # Other units: micrometres, centimetres, metres, and inches.
        ({"pixel": (143, 143)}, None, "another unit"),
        ({"pixel": (0.0143, 0.0143)}, None, "2.29 mm long"),
        ({"pixel": (0.000143, 0.000143)}, None, "another unit"),
        ({"pixel": (143, 143), "imager": (0.143, 0.143)}, 4.826, "another unit"),
        ({"imager": (0.0143, 0.0143), "pixel": (0.143, 0.143)}, 4.826, "2.29 mm long"),
        ({"pixel": (2.5, 2.5), "shape": (1200, 1000)}, None, "3 m long"),
        ({"pixel": (0.8, 0.1)}, None, "one side much longer"),
        # Two plausible ones that cannot both hold.
        ({"pixel": (0.2, 0.2), "imager": (0.143, 0.143)}, None, "nothing smaller than it is"),
        ({"pixel": (0.2, 0.2), "imager": (0.143, 0.143), "calibration": "FIDUCIAL"}, None, "contradicts"),
        ({"pixel": (0.2, 0.1), "imager": (0.1, 0.1)}, None, "contradicts"),
        ({"pixel": (0.07, 0.14), "imager": (0.143, 0.143)}, None, "different shapes"),
        ({"pixel": (0.0143, 0.0143), "imager": (0.143, 0.143), "shape": (2000, 1500)}, None, "magnifies 10 times"),
        ({"pixel": (0.15, 0.15), "grouped": (0.2, 0.2)}, None, "functional groups"),
        ({"pixel": (0.08, 0.08), "imager": (0.1, 0.1), "magnification": 1.8}, None, "magnification of 1.8"),
        ({"imager": (0.1, 0.1), "magnification": 1.8, "source": (1100, 1000)}, None, "distances of the tube"),
        # What is believed all the same is told.
        ({"imager": (0.1, 0.1), "source": (110, 1000)}, 2.36, "contradict each other"),
        ({"imager": (0.1, 0.1), "source": (1100, 100)}, 2.36, "contradict each other"),
        ({"imager": (0.1, 0.1), "magnification": 0.5}, 2.36, "none that a film has"),
        ({"imager": (0.1, 0.1), "magnification": 18}, 2.36, "none that a film has"),
        ({"imager": (0.1, 0.1), "magnification": 1, "source": (1000, 800)}, 2.36, "is believed"),
        ({"pixel": (0.2, 0.2), "nominal": (0.17, 0.17)}, 9.44, "is believed"),
        # Sound ones raise no doubt.
        ({"imager": (0.1, 0.1), "magnification": 1.8}, 0.728, None),
        ({"imager": (0.1, 0.1), "pixel": (0.1 / 1.8, 0.1 / 1.8), "magnification": 1.8}, 0.728, None),
        ({"imager": (0.1, 0.1), "pixel": (0.101, 0.101)}, 2.407, None),
        ({"imager": (0.12, 0.12), "pixel": (0.1, 0.1), "calibration": "FIDUCIAL"}, 2.36, None),
        ({"grouped": (0.15, 0.15)}, 5.31, None),
        ({"pixel": (0.2, 0.1)}, 4.72, None),
    ],
)
def test_a_header_is_believed_or_doubted(stated: dict[str, Any], area_mm2: float | None, doubt: str | None) -> None:
    detector, patient = stated.get("source", (None, None))
    facts = {"shape": SHAPE, **{name: value for name, value in stated.items() if name != "source"}}
    told = stated_spacing(Stated(**facts, source_detector_mm=detector, source_patient_mm=patient))
    assert _area(told.spacing) == (None if area_mm2 is None else pytest.approx(area_mm2, rel=1e-3))
    assert (doubt is None and not told.doubts) or (
        doubt is not None and any(doubt in words for words in sentences(told.doubts))
    )
    assert not any(";" in words for words in sentences(told.doubts))


def _film(path: Path, spacing: object = None, groups: dict[str, list[float]] | None = None, **facts: Any) -> Path:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = "1.2.840.10008.5.1.4.1.1.1", "1.2.3", "CR"
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = *SHAPE, 16, 12, 11
    ds.SamplesPerPixel, ds.PixelRepresentation, ds.PhotometricInterpretation = 1, 0, "MONOCHROME2"
    ds.PixelData = np.resize(np.arange(4000, dtype=np.uint16), SHAPE).tobytes()
    for keyword, value in facts.items():
        setattr(ds, keyword, value)
    for keyword, pair in (groups or {}).items():
        measures, group = Dataset(), Dataset()
        measures.PixelSpacing = pair
        group.PixelMeasuresSequence = Sequence([measures])
        setattr(ds, keyword, Sequence([*getattr(ds, keyword, ()), group]))
    ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, "1.2.3"
    ds.save_as(path, enforce_file_format=True)
    if spacing is not None:  # what pydicom would not write
        stored = path.read_bytes()
        assert stored.count(b"0.15\\0.15 ") == 1
        path.write_bytes(stored.replace(b"0.15\\0.15 ", str(spacing).encode().ljust(10)))
    return path


@pytest.mark.parametrize("written", ["0,15\\0,15", "0.1", ".1\\.1\\.1", "0\\0", "-.1\\-.1", "a\\b", "0.1\\"])
def test_a_malformed_spacing_is_told_and_the_imagers_used(tmp_path: Path, written: str) -> None:
    alone = read_image(_film(tmp_path / "a.dcm", written, PixelSpacing=[0.15, 0.15]))
    assert alone.spacing is None
    assert "PixelSpacing in the file is not two positive numbers" in sentences(alone.warnings)[0]
    beside = read_image(_film(tmp_path / "b.dcm", written, PixelSpacing=[0.15, 0.15], ImagerPixelSpacing=[0.143] * 2))
    assert beside.spacing is not None
    assert beside.spacing.origin is SpacingOrigin.DETECTOR_ONLY
    assert "not two positive numbers" in sentences(beside.warnings)[0]


def test_an_empty_spacing_is_none(tmp_path: Path) -> None:
    image = read_image(_film(tmp_path / "a.dcm", PixelSpacing=None))
    assert image.spacing is None
    assert len(image.warnings) == 1


def test_functional_groups_are_read(tmp_path: Path) -> None:
    shared, frames = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
    image = read_image(_film(tmp_path / "a.dcm", groups={shared: [0.15, 0.15]}))
    assert _area(image.spacing) == pytest.approx(5.31)
    image = read_image(_film(tmp_path / "b.dcm", groups={shared: [0.15, 0.15], frames: [0.2, 0.2]}))
    assert image.spacing is None
    assert "functional groups" in sentences(image.warnings)[0]
    image = read_image(_film(tmp_path / "c.dcm", groups={frames: [0.15, 0.15]}, PixelSpacing=[0.1, 0.1]))
    assert image.spacing is None
    assert "contradicts" in sentences(image.warnings)[0]


@pytest.mark.parametrize("mm", [0.0001, 0.02, 20, 100])
def test_the_users_scale_has_the_same_fence(tmp_path: Path, mm: float) -> None:
    path = _film(tmp_path / "a.dcm")
    with pytest.raises(RecipeError, match=f"given scale of {mm:g} x {mm:g} mm per pixel"):
        read_image(path, spacing=mm)


def test_what_a_picture_can_show() -> None:
    assert not impossible(0.05, 0.05, (100, 100))
    assert impossible(0.049, 0.049, (100, 100))
    assert not impossible(0.5, 0.5, (4000, 3000))
    assert impossible(0.51, 0.51, (4000, 3000))
