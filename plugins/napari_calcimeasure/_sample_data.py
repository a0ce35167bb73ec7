"""Drawn films and a drawn photo to try the panels on; no patient is in them."""

from __future__ import annotations

from pathlib import Path

import calcimeasure
from calcimeasure.errors import OutputError
from napari_calcimeasure._layers import LayerData, Opened, image_layer

#: Films of one patient in the sample study, how the layers are called, and mm per pixel as study.csv has them.
PAIR = (("p2_baseline.png", "baseline"), ("p2_month8.png", "month 8"))
_MM = 0.24


def film() -> list[LayerData]:
    """A hand with seven deposits and its scale, as DICOM."""
    return [_opened("hand_dx.dcm")]


def photo() -> list[LayerData]:
    """A finger with pale deposits; no scale."""
    return [_opened("skin_light.jpg")]


def pair() -> list[LayerData]:
    """A hand at two visits of the sample study: it lies otherwise, and a deposit shrank."""
    return [_visit(*film) for film in PAIR]


def home() -> Path:
    """The folder of sample images.

    Raises
    ------
    OutputError
        When the installation left them out.
    """
    package = Path(calcimeasure.__file__).parent
    for place in (package / "sample_images", package.parent / "sample_images"):
        if place.is_dir():
            return place
    raise OutputError("the sample images are not installed: reinstall calcimeasure, or open a file of your own")


def _opened(name: str) -> LayerData:
    from calcimeasure.io.images.read import read_image

    path = home() / name
    return image_layer(Opened(read_image(path), path), path.stem)


def _visit(name: str, shown: str) -> LayerData:
    """One visit of the sample study, with the scale that its table gives."""
    from calcimeasure.io.images.read import read_image

    path = home() / "ivig_study" / name
    return image_layer(Opened(read_image(path, spacing=_MM), path), shown)
