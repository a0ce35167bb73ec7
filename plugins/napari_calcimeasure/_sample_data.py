"""Drawn films and a drawn photo to try the panels on; no patient is in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import calcimeasure
from calcimeasure.errors import OutputError
from napari_calcimeasure._layers import LayerData, Opened, image_layer

if TYPE_CHECKING:
    from calcimeasure.phantom.film import FilmScene


def film() -> list[LayerData]:
    """A hand with seven deposits and its scale, as DICOM."""
    return [_opened("hand_dx.dcm")]


def photo() -> list[LayerData]:
    """A finger with pale deposits; no scale."""
    return [_opened("skin_light.jpg")]


def pair() -> list[LayerData]:
    """A hand at two visits: it lies otherwise, one deposit shrank, one went, one is new."""
    return [_drawn(0, "baseline"), _drawn(1, "follow-up")]


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
    from calcimeasure.io.read import read_image

    path = home() / name
    return image_layer(Opened(read_image(path), path), path.stem)


def _drawn(visit: int, name: str) -> LayerData:
    """One visit of a hand drawn on the spot."""
    from calcimeasure.phantom.film import draw_film

    drawn = draw_film(_scene(visit), 300 + visit)
    return image_layer(Opened(replace(drawn.image, warnings=())), name)


def _scene(visit: int) -> FilmScene:
    from calcimeasure.phantom.anatomy import Placement, Pose
    from calcimeasure.phantom.deposits import Calcium, Shape, Site
    from calcimeasure.phantom.film import Exposure, FilmScene
    from calcimeasure.phantom.frame import Frame

    stays = Calcium(Shape.NODULE, Site("middle proximal phalanx", 0.45, 7.0, 0.2), 4.5, 3.5, 2)
    shrinks = Calcium(Shape.PLAQUE, Site("index metacarpal", 0.5, 9.0, 0.1), (11.0, 7.5)[visit], 3.5, 4)
    goes = Calcium(Shape.NODULE, Site("thumb distal phalanx", 0.95, -2.0), 4.0, 3.2, 3)
    comes = Calcium(Shape.NODULE, Site("little proximal phalanx", 0.5, -4.0), 4.5, 3.5, 6)
    spread = Pose((0.0, 2.0, 0.0, -2.0, 0.0), (3.0, 0.0, -1.0, 2.0, 3.0))
    return FilmScene(
        Frame(220.0, 160.0, 0.25),
        "hand",
        (Placement(78.0, 183.0, -1.0, 0.94), Placement(82.0, 180.0, 5.0, 0.94))[visit],
        spread,
        (stays, shrinks, (goes, comes)[visit]),
        exposure=Exposure(30000.0, 0.15),
    )
