"""What OME-XML and ImageJ say of a pixel's size is used as the file's, or said to be unused; dots per inch are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from calcimeasure.errors import RecipeError
from calcimeasure.io.images.read import read_image
from calcimeasure.model.image import Image, SpacingOrigin

GREY = np.resize(np.arange(200, dtype=np.uint8), (120, 160))


def _ome(path: Path, **sizes: Any) -> Image:
    tifffile.imwrite(path, GREY, ome=True, metadata={"axes": "YX", **sizes})
    return read_image(path)


def _imagej(path: Path, unit: str | None, per_unit: tuple[float, float]) -> Image:
    metadata = {} if unit is None else {"unit": unit}
    tifffile.imwrite(path, GREY, imagej=True, resolution=per_unit, metadata=metadata)
    return read_image(path)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("mm", 1), ("µm", 1000), ("um", 1000), ("cm", 0.1), ("m", 1e-3), ("nm", 1e6), ("inch", 1 / 25.4)],
)
def test_ome_calibration_is_the_files(tmp_path: Path, unit: str, factor: float) -> None:
    sizes = {"PhysicalSizeX": 0.1 * factor, "PhysicalSizeY": 0.2 * factor}
    image = _ome(tmp_path / "a.ome.tif", **sizes, PhysicalSizeXUnit=unit, PhysicalSizeYUnit=unit)
    assert image.spacing is not None
    assert (image.spacing.row_mm, image.spacing.column_mm) == pytest.approx((0.2, 0.1))
    assert image.spacing.origin is SpacingOrigin.FILE
    assert image.warnings == ("scale is what the program that wrote the file says of it",)


@pytest.mark.parametrize(
    ("unit", "per_mm"),
    [("mm", 1), ("um", 1e-3), ("micron", 1e-3), ("\\u00B5m", 1e-3), ("cm", 10), ("inch", 25.4), ("MM", 1)],
)
def test_imagej_calibration_is_the_files(tmp_path: Path, unit: str, per_mm: float) -> None:
    image = _imagej(tmp_path / "a.tif", unit, (10 * per_mm, 5 * per_mm))
    assert image.spacing is not None
    assert (image.spacing.row_mm, image.spacing.column_mm) == pytest.approx((0.2, 0.1), rel=1e-4)
    assert image.spacing.origin is SpacingOrigin.FILE


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0}, "not used"),
        ({"PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0, "unit": "mm"}, "placeholder"),
        ({"PhysicalSizeX": 0.1, "unit": "mm"}, "not two positive numbers"),
        ({"PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1, "unit": "furlong"}, "no length"),
        ({"PhysicalSizeX": 143.0, "PhysicalSizeY": 143.0, "unit": "mm"}, "another unit"),
        ({"PhysicalSizeX": 0.01, "PhysicalSizeY": 0.01, "unit": "mm"}, "less than 5 mm"),
    ],
)
def test_a_calibration_that_cannot_be_is_said_to_be_unused(tmp_path: Path, sizes: dict[str, Any], told: str) -> None:
    units = {f"PhysicalSize{axis}Unit": sizes["unit"] for axis in "XY"} if "unit" in sizes else {}
    plain = {name: value for name, value in sizes.items() if name != "unit"}
    image = _ome(tmp_path / "a.ome.tif", **plain, **units)
    assert image.spacing is None
    assert "not used" in image.warnings[0]
    assert told in image.warnings[0]
    assert "furlong" not in " ".join(image.warnings)


@pytest.mark.parametrize("unit", [None, "pixel"])
def test_no_calibration_is_none(tmp_path: Path, unit: str | None) -> None:
    image = _imagej(tmp_path / "a.tif", unit, (10, 10))
    assert image.spacing is None
    assert len(image.warnings) == 1
    tifffile.imwrite(tmp_path / "b.tif", GREY, resolution=(254, 254), resolutionunit="INCH")
    assert read_image(tmp_path / "b.tif").spacing is None


def test_a_turned_picture_keeps_its_scale(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    extra = [(274, "H", 1, 6, True)]
    tifffile.imwrite(path, GREY, imagej=True, resolution=(10, 5), metadata={"unit": "mm"}, extratags=extra)
    image = read_image(path)
    assert image.shape == (160, 120)
    assert image.spacing is not None
    assert (image.spacing.row_mm, image.spacing.column_mm) == pytest.approx((0.1, 0.2))


def test_the_users_scale_beats_it_and_says_so(tmp_path: Path) -> None:
    _imagej(tmp_path / "a.tif", "mm", (10, 10))
    image = read_image(tmp_path / "a.tif", spacing=0.2)
    assert image.warnings == ("the given scale of 0.2 x 0.2 mm replaces the file's 0.1 x 0.1 mm (file)",)
    with pytest.raises(RecipeError, match=r"3\.2 mm long"):
        read_image(tmp_path / "a.tif", spacing=0.02)


@pytest.mark.parametrize(
    "xml", ["<OME", '<!DOCTYPE x [<!ENTITY a "b">]><OME>&a;</OME>', "<OME>" + "x" * 2_000_001 + "</OME>"]
)
def test_a_strangers_xml_does_no_harm(tmp_path: Path, xml: str) -> None:
    tifffile.imwrite(
        tmp_path / "a.ome.tif", GREY, description=xml if xml.startswith("<?") else f'<?xml version="1.0"?>{xml}'
    )
    assert read_image(tmp_path / "a.ome.tif").spacing is None
