"""Label images on disk: written as OME-TIFF with their physical size, read back with their shape checked."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image as PillowImage

from calcimeasure.errors import MaskError
from calcimeasure.io.files import write_whole
from calcimeasure.model.authorship import MOST_PASSED_OVER_PX, Author, Authorship, Doubt
from calcimeasure.model.image import Mask, Spacing
from calcimeasure.model.labels import Labels

SUFFIX = ".labels.tif"
#: How the doubt of each outline stands in the file: its number, both parts (the first alone in files of old), and the
#: pixels that it had then.
_DOUBTS = "calcimeasure/outline-doubt"
#: Who looked the film over, and who drew each outline: its number, the author, and the pixels that it had then.
_AUTHORS = "calcimeasure/authorship"
_PASSED_OVER = re.compile(r'<M K="passed-over">([0-9.e+-]{1,30})</M>')
_DOUBT = re.compile(r'<M K="(\d{1,10})">([0-9.e+-]{1,30}) (?:([0-9.e+-]{1,30}) )?(\d{1,12})</M>')
_FILM = re.compile(r'<M K="film">([a-z]{1,20})</M>')
_AUTHOR = re.compile(r'<M K="(\d{1,10})">([a-z]{1,20}) (\d{1,12})</M>')
_AUTHOR_NAMES = frozenset(Author)
_REGION_SUFFIXES = (".region.tif", SUFFIX, ".region.png", ".tif", ".png")


def write_labels(path: Path, labels: Labels, spacing: Spacing | None) -> None:
    """Write a label image as OME-TIFF: uint16, or uint32 when a number needs it, physical size in mm when known.

    The same labels give the same bytes. Who drew the outlines stands beside them (`Labels.authorship`), so that
    measuring or comparing the file again gives the same error bars and the same verdict.
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
    """Doubts and authors as OME map annotations; nothing when there is nothing to tell."""
    pixels = _pixels_of(array)
    maps = {_DOUBTS: _doubts_told(labels.authorship, pixels), _AUTHORS: _authors_told(labels.authorship, pixels)}
    told = [(name, lines) for name, lines in maps.items() if lines]
    made = "".join(
        f'<MapAnnotation ID="Annotation:{k}" Namespace="{name}"><Value>{lines}</Value></MapAnnotation>'
        for k, (name, lines) in enumerate(told)
    )
    return f"<StructuredAnnotations>{made}</StructuredAnnotations>" if made else ""


def _doubts_told(by: Authorship, pixels: Mapping[int, int]) -> str:
    lines = "".join(
        f'<M K="{n}">{" ".join(repr(float(part)) for part in by.doubts[n])} {pixels[n]}</M>'
        for n in sorted(by.doubts)
        if n in pixels
    )
    return lines + (f'<M K="passed-over">{float(by.passed_over_px)!r}</M>' if by.passed_over_px else "")


def _authors_told(by: Authorship, pixels: Mapping[int, int]) -> str:
    """Every deposit is named, so that one that another program adds later is known to be another's."""
    authors = {n: by.of(n) for n in pixels}
    if {by.film, *authors.values()} == {Author.UNKNOWN}:
        return ""
    told = "".join(f'<M K="{n}">{author.value} {pixels[n]}</M>' for n, author in sorted(authors.items()))
    return f'<M K="film">{by.film.value}</M>{told}'


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
    told = {name: _annotation_in(path, name) for name in (_DOUBTS, _AUTHORS)}
    return Labels(array.astype(np.int32), (f"read from {path.name}",), _authorship_in(told, array))


def _annotation_in(path: Path, name: str) -> str:
    """What stands in the file under a name; empty when nothing does."""
    if path.suffix.lower() == ".png":
        return ""
    with tifffile.TiffFile(path) as tiff:
        after = str(tiff.pages[0].description.partition(f'Namespace="{name}"')[2])
    return after.partition("</MapAnnotation>")[0]


def _authorship_in(told: Mapping[str, str], array: npt.NDArray[Any]) -> Authorship:
    """Who drew what, of deposits that still are as large as when it was written.

    The others are a person's, who has then looked the film over: another program changed, added or erased something.
    """
    pixels = _pixels_of(array) if any(told.values()) else {}
    doubts, passed_over = _doubts_in(told[_DOUBTS], pixels), _passed_over_in(told[_DOUBTS])
    film = _FILM.search(told[_AUTHORS])
    if film is None or film[1] not in _AUTHOR_NAMES:
        return authorship_of_old_file(doubts, passed_over)
    lines = _AUTHOR.findall(told[_AUTHORS])
    named = {int(n): Author(who) for n, who, _ in _same_size(lines, pixels)}
    authors = {n: named.get(n, Author.PERSON) for n in pixels}
    is_as_written = len(named) == len(lines) == len(pixels)
    return Authorship(Author(film[1]) if is_as_written else Author.PERSON, authors, doubts, passed_over)


def authorship_of_old_file(doubts: Mapping[int, Doubt], passed_over_px: float) -> Authorship:
    """What a label file without authors tells, as all were before there were any.

    Outlines with a doubt are the networks'; whose the others are such a file does not say.
    """
    return Authorship(Author.UNKNOWN, dict.fromkeys(doubts, Author.NETWORKS), doubts, passed_over_px)


def _same_size(lines: Sequence[tuple[str, str, str]], pixels: Mapping[int, int]) -> Iterator[tuple[str, str, str]]:
    """Lines of known authors that speak of a deposit that has as many pixels as then."""
    return (one for one in lines if one[1] in _AUTHOR_NAMES and pixels.get(int(one[0])) == int(one[2]))


def _passed_over_in(told: str) -> float:
    """The pixels that the search may lack; 0 where nothing believable is said."""
    found = _PASSED_OVER.search(told)
    try:
        px = float(found[1]) if found else 0.0
    except ValueError:
        return 0.0
    return px if 0 <= px <= MOST_PASSED_OVER_PX else 0.0


def _doubts_in(told: str, pixels: Mapping[int, int]) -> dict[int, Doubt]:
    """The doubts that are told, of deposits that still have as many pixels as when they were written."""
    found = {int(number): (_doubt(rim, stray), int(count)) for number, rim, stray, count in _DOUBT.findall(told)}
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
