"""Label images on disk: written as OME-TIFF with their physical size, read back with their shape checked."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image as PillowImage

from calcimeasure.errors import MaskError
from calcimeasure.io.files import write_whole
from calcimeasure.model.image import Mask, Spacing
from calcimeasure.model.labels import MOST_PASSED_OVER_PX, Doubt, Labels

SUFFIX = ".labels.tif"
#: How the doubt of each outline stands in the file: its number, both parts (the first alone in files of old), and the
#: pixels that it had then.
_DOUBTS = "calcimeasure/outline-doubt"
_PASSED_OVER = re.compile(r'<M K="passed-over">([0-9.e+-]{1,30})</M>')
_DOUBT = re.compile(r'<M K="(\d{1,10})">([0-9.e+-]{1,30}) (?:([0-9.e+-]{1,30}) )?(\d{1,12})</M>')
_REGION_SUFFIXES = (".region.tif", SUFFIX, ".region.png", ".tif", ".png")


def write_labels(path: Path, labels: Labels, spacing: Spacing | None) -> None:
    """Write a label image as OME-TIFF: uint16, or uint32 when a number needs it, physical size in mm when known.

    The same labels give the same bytes. The doubts of automatic outlines stand beside them, so that measuring the file
    again gives the same error bars.
    """
    array = labels.array.astype(np.uint16 if labels.array.max(initial=0) < 2**16 else np.uint32)
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        array,
        compression="zlib",
        photometric="minisblack",
        metadata=None,
        description=_ome_xml(array, spacing, labels),
        software="calcimeasure",
        resolution=(10 / spacing.column_mm, 10 / spacing.row_mm) if spacing else None,
        resolutionunit="CENTIMETER" if spacing else None,
    )
    write_whole(path, buffer.getvalue())


def _ome_xml(array: npt.NDArray[Any], spacing: Spacing | None, labels: Labels) -> str:
    """Minimal OME-XML; written here because tifffile's own carries a random identifier."""
    size = {"SizeX": array.shape[1], "SizeY": array.shape[0], "SizeC": 1, "SizeZ": 1, "SizeT": 1}
    scale = {"PhysicalSizeX": spacing.column_mm, "PhysicalSizeY": spacing.row_mm} if spacing else {}
    units = {f"{name}Unit": "mm" for name in scale}
    facts = size | scale | units | {"Type": str(array.dtype), "DimensionOrder": "XYCZT", "ID": "Pixels:0"}
    pixels = " ".join(f"{name}={quoteattr(str(value))}" for name, value in facts.items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Image ID="Image:0" Name="labels"><Pixels {pixels}><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        f'<TiffData IFD="0" PlaneCount="1"/></Pixels></Image>{_annotation(array, labels)}</OME>'
    )


def _annotation(array: npt.NDArray[Any], labels: Labels) -> str:
    """The doubts as an OME map annotation; nothing when there are none."""
    if not labels.doubts and not labels.passed_over_px:
        return ""
    doubts, pixels = labels.doubts, _pixels_of(array)
    told = "".join(f'<M K="{n}">{_told(doubts[n])} {pixels[n]}</M>' for n in sorted(doubts) if n in pixels)
    told += f'<M K="passed-over">{float(labels.passed_over_px)!r}</M>' if labels.passed_over_px else ""
    return (
        f'<StructuredAnnotations><MapAnnotation ID="Annotation:0" Namespace="{_DOUBTS}"><Value>{told}</Value>'
        "</MapAnnotation></StructuredAnnotations>"
    )


def _told(doubt: Doubt) -> str:
    return " ".join(repr(float(part)) for part in doubt)


def _pixels_of(array: npt.NDArray[Any]) -> dict[int, int]:
    """How many pixels each number has."""
    numbers, counts = np.unique(array[array > 0], return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def read_labels(path: Path, shape: tuple[int, int] | None) -> Labels:
    """The label image in a TIFF or PNG file; `shape` is that of its image, `None` for one that we wrote ourselves.

    A deposit that another program has changed since we wrote the file is a person's: it has no doubt any more.

    Raises
    ------
    MaskError
        When the file is missing, no label image, or not `shape` pixels large.
    """
    array = _read_array(path, shape)
    if array.dtype.kind not in "iub" or array.min(initial=0) < 0 or array.max(initial=0) >= 2**31:
        raise MaskError(f"{path.name} holds {array.dtype} values: a label image holds whole numbers from 0 up")
    told = _annotation_in(path)
    return Labels(array.astype(np.int32), (f"read from {path.name}",), _doubts_in(told, array), _passed_over_in(told))


def _annotation_in(path: Path) -> str:
    """What the file tells of doubts; empty when it tells nothing."""
    if path.suffix.lower() == ".png":
        return ""
    with tifffile.TiffFile(path) as tiff:
        return str(tiff.pages[0].description.partition(f'Namespace="{_DOUBTS}"')[2])


def _passed_over_in(told: str) -> float:
    """The pixels that the search may lack; 0 where nothing believable is said."""
    found = _PASSED_OVER.search(told)
    try:
        px = float(found[1]) if found else 0.0
    except ValueError:
        return 0.0
    return px if 0 <= px <= MOST_PASSED_OVER_PX else 0.0


def _doubts_in(told: str, array: npt.NDArray[Any]) -> dict[int, Doubt]:
    """The doubts that are told, of deposits that still have as many pixels as when they were written."""
    found = {int(number): (_doubt(rim, stray), int(count)) for number, rim, stray, count in _DOUBT.findall(told)}
    pixels = _pixels_of(array) if found else {}
    return {n: doubt for n, (doubt, count) in found.items() if doubt is not None and pixels.get(n) == count}


def _doubt(rim: str, stray: str) -> Doubt | None:
    """A doubt as written; `None` when it is none."""
    try:
        doubt = Doubt(float(rim), float(stray or 0))
    except ValueError:
        return None
    return doubt if doubt.possible else None


def find_region(folder: Path, name: str) -> Path:
    """The region-of-interest file of an image: NAME.region.tif, NAME.labels.tif, NAME.region.png, NAME.tif or NAME.png.

    Raises
    ------
    MaskError
        When none is there.
    """
    for suffix in _REGION_SUFFIXES:
        if (path := folder / f"{name}{suffix}").is_file():
            return path
    raise MaskError(f"no region of interest for {name}: add {name}.region.tif to the regions folder")


def read_region(path: Path, shape: tuple[int, int]) -> Mask:
    """True inside the region of interest: every pixel of the file that is not 0."""
    return np.asarray(_read_array(path, shape) != 0, bool)


def _read_array(path: Path, shape: tuple[int, int] | None) -> npt.NDArray[Any]:
    """The pixels of a mask file; its declared size is checked before anything is decoded."""
    if not path.is_file():
        raise MaskError(f"there is no mask {path.name}: make one, or leave --masks out to segment")
    try:
        declared, decode = _opened(path)
        if shape is not None and declared != shape:
            raise MaskError(f"{path.name} is {declared} pixels and its image {shape}: use the mask made for this image")
        return np.asarray(decode())
    except (OSError, ValueError, SyntaxError, tifffile.TiffFileError, KeyError, IndexError) as error:
        raise MaskError(f"{path.name} is not a readable TIFF or PNG label image ({type(error).__name__})") from error


def _opened(path: Path) -> tuple[tuple[int, ...], Any]:
    if path.suffix.lower() == ".png":
        with PillowImage.open(path) as picture:
            return picture.size[::-1], lambda: _decoded(path)
    with tifffile.TiffFile(path) as tiff:
        return tuple(tiff.pages[0].shape), lambda: tifffile.imread(path, key=0)


def _decoded(path: Path) -> npt.NDArray[Any]:
    with PillowImage.open(path) as picture:
        return np.asarray(picture)
