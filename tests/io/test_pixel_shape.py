"""Pixels that are not square: 100 mm2 of them are 100 mm2, however the scale came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from dicom_scenes import film
from PIL import Image as PillowImage

from calcimeasure.io.images.read import read_image
from calcimeasure.model.image import Image, Spacing, SpacingOrigin
from calcimeasure.model.scale import ScaleRequest, ScaleSource
from calcimeasure.report.words import sentences
from calcimeasure.steps.scale.rescale import rescaled

PICTURE = np.add.outer(np.arange(60), np.arange(80)).astype(np.uint16)
TALL = {"PixelAspectRatio": [2, 1]}


def dicom(tmp_path: Path, **facts: Any) -> Path:
    return film(tmp_path / "film.dcm", PICTURE, **facts)


def tiff(tmp_path: Path, **facts: Any) -> Path:
    tifffile.imwrite(tmp_path / "film.tif", PICTURE.astype(np.uint8), metadata=None, **facts)
    return tmp_path / "film.tif"


def png(tmp_path: Path, dpi: tuple[int, int]) -> Path:
    PillowImage.fromarray(PICTURE.astype(np.uint8)).save(tmp_path / "film.png", dpi=dpi)
    return tmp_path / "film.png"


FILMS = {
    "aspect ratio": lambda folder: dicom(folder, **TALL),
    "imager's spacing": lambda folder: dicom(folder, ImagerPixelSpacing=[0.4, 0.2]),
    "scanner's spacing": lambda folder: dicom(folder, NominalScannedPixelSpacing=[0.4, 0.2]),
    "TIFF": lambda folder: tiff(folder, resolution=(200, 100)),
    "TIFF on its side": lambda folder: tiff(folder, resolution=(100, 200), extratags=[(274, "H", 1, 6, True)]),
    "PNG": lambda folder: png(folder, (200, 100)),
}


@pytest.mark.parametrize("form", FILMS)
def test_one_number_for_a_pixel_is_its_width(tmp_path: Path, form: str) -> None:
    image = read_image(FILMS[form](tmp_path), spacing=0.1)
    assert image.spacing is not None
    assert (image.spacing.row_mm, image.spacing.column_mm) == pytest.approx((0.2, 0.1), rel=1e-3)
    assert any("taken as their width" in warning for warning in sentences(image.warnings))


def test_two_numbers_for_a_pixel_are_both_meant(tmp_path: Path) -> None:
    given = Spacing.of(0.3, 0.1, SpacingOrigin.USER)
    assert read_image(dicom(tmp_path, **TALL), spacing=given).spacing == given


@pytest.mark.parametrize("points", [(10, 10, 10, 70, 6), (10, 10, 40, 10, 6), (10, 10, 40, 70, 72**0.5)])
def test_two_points_give_one_scale_whichever_way_they_lie(tmp_path: Path, points: tuple[float, ...]) -> None:
    image = rescaled(read_image(dicom(tmp_path, **TALL)), ScaleRequest(points=points))  # type: ignore[arg-type]
    assert image.spacing is not None
    assert (image.spacing.row_mm, image.spacing.column_mm) == pytest.approx((0.2, 0.1))


def test_a_ruler_on_pixels_that_are_not_square_is_not_read(tmp_path: Path) -> None:
    image = rescaled(read_image(dicom(tmp_path, **TALL)), ScaleRequest(source=ScaleSource.RULER))
    assert image.spacing is None
    assert "square pixels only" in sentences(image.warnings)[-1]


@pytest.mark.parametrize("facts", [{}, {"PixelAspectRatio": [1, 1]}, {"PixelAspectRatio": [0, 0]}])
def test_square_pixels_keep_their_scale(tmp_path: Path, facts: dict[str, Any]) -> None:
    image: Image = read_image(dicom(tmp_path, **facts), spacing=0.1)
    assert image.spacing == Spacing.of(0.1, 0.1, SpacingOrigin.USER)
    assert (image.aspect, image.warnings) == (1.0, ())


def test_a_ratio_that_contradicts_the_spacing_is_told(tmp_path: Path) -> None:
    image = read_image(dicom(tmp_path, ImagerPixelSpacing=[0.2, 0.2], **TALL))
    assert image.aspect == 1
    assert any("PixelAspectRatio contradicts" in warning for warning in sentences(image.warnings))
