"""What microscopes' and ImageJ's programs write into a TIFF about the size of its pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import tifffile

from calcimeasure.io.images.spacing import FileScale, calibrated

_LONGEST = 2_000_000  # characters of OME-XML that are looked at
_MM = {
    "mm": 1.0,
    "millimeter": 1.0,
    "millimetre": 1.0,
    "cm": 10.0,
    "centimeter": 10.0,
    "m": 1000.0,
    "meter": 1000.0,
    "um": 1e-3,
    "µm": 1e-3,
    "μm": 1e-3,
    "\\u00b5m": 1e-3,
    "micron": 1e-3,
    "microns": 1e-3,
    "micrometer": 1e-3,
    "nm": 1e-6,
    "in": 25.4,
    "inch": 25.4,
    "inches": 25.4,
}
_NO_LENGTH = ("", "pixel", "pixels", "px", "reference frame")
_UNUSED = "the calibration in the file {why}: not used"


def calibration_of(tiff: tifffile.TiffFile, page: Any) -> FileScale:
    """The scale that the OME-XML of a TIFF states, or else ImageJ's; a resolution in dots per inch is none.

    Parameters
    ----------
    tiff : TiffFile
    page : TiffPage
        The one that is read.
    """
    shape = (int(page.imagelength), int(page.imagewidth))
    if tiff.is_ome:
        return _of_ome(tiff.ome_metadata or "", shape)
    return _of_imagej(tiff.imagej_metadata or {}, page, shape) if tiff.is_imagej else FileScale()


def _of_ome(xml: str, shape: tuple[int, int]) -> FileScale:
    if len(xml) > _LONGEST or "<!" in xml.replace("<!--", ""):
        return FileScale(doubts=(_UNUSED.format(why="cannot be read"),))
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return FileScale(doubts=(_UNUSED.format(why="cannot be read"),))
    pictures = [element.attrib for element in root.iter() if element.tag.rpartition("}")[2] == "Pixels"]
    stated = {sizes for sizes in map(_ome_sizes, pictures) if sizes is not None}
    if len(stated) > 1:
        return FileScale(doubts=(_UNUSED.format(why="differs between its pictures"),))
    return _scale(*stated.pop(), shape) if stated else FileScale()


def _ome_sizes(told: Mapping[str, str]) -> tuple[str, str, str, str] | None:
    """Height and width of a pixel with their units, as written; `None` where nothing is stated."""
    if "PhysicalSizeX" not in told and "PhysicalSizeY" not in told:
        return None
    sides = (told.get("PhysicalSizeY", ""), told.get("PhysicalSizeX", ""))
    return (*sides, told.get("PhysicalSizeYUnit", "µm"), told.get("PhysicalSizeXUnit", "µm"))


def _of_imagej(told: Mapping[str, Any], page: Any, shape: tuple[int, int]) -> FileScale:
    unit = str(told.get("unit", ""))
    if unit.strip().lower() in _NO_LENGTH:
        return FileScale()
    down, across = (_side(page, name) for name in ("YResolution", "XResolution"))
    return _scale(down, across, str(told.get("yunit", unit)), unit, shape)


def _side(page: Any, tag: str) -> str:
    """Units in a pixel, from a resolution in pixels per unit."""
    found = page.tags.get(tag)
    pixels, units = found.value if found is not None else (0, 0)
    return repr(units / pixels) if pixels else ""


def _scale(down: str, across: str, down_unit: str, across_unit: str, shape: tuple[int, int]) -> FileScale:
    """A pixel's height and width as written, with their units, as a scale."""
    units = [_MM.get(unit.strip().lower()) for unit in (down_unit, across_unit)]
    if None in units:
        return FileScale(doubts=(_UNUSED.format(why="is in a unit that is no length"),))
    try:
        sides = [float(side) * (unit or 1.0) for side, unit in zip((down, across), units, strict=True)]
    except ValueError:
        sides = [math.nan]
    if not all(math.isfinite(side) and side > 0 for side in sides):
        return FileScale(doubts=(_UNUSED.format(why="is not two positive numbers"),))
    return calibrated((sides[0], sides[1]), shape)
