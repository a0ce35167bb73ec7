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

from calcimeasure.errors import MaskError
from calcimeasure.io.files import real_path, write_whole
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.results.mask_pixels import check_surround, inside_of, mask_bytes, parts_of, read_pixels, too_large
from calcimeasure.model.arrays import Mask
from calcimeasure.model.authorship import MOST_PASSED_OVER_PX, Author, Authorship, Doubt
from calcimeasure.model.image import Spacing
from calcimeasure.model.labels import Labels
from calcimeasure.model.warning import Code, Remark
from calcimeasure.report.plain_text import plain

SUFFIX = ".labels.tif"
#: Who made a mask, how, and of which film; beside the masks that a person saved.
PROVENANCE = ".provenance.json"
_WRITER = "calcimeasure"
#: How the doubt of each outline stands in the file: its number, both parts (the first alone in files of old), and the
#: pixels that it had then.
_DOUBTS = "calcimeasure/outline-doubt"
#: Who looked the film over, and who drew each outline: its number, the author, and the pixels that it had then.
_AUTHORS = "calcimeasure/authorship"
_PASSED_OVER = re.compile(r'<M K="passed-over">([0-9.e+-]{1,30})</M>')
_DOUBT = re.compile(r'<M K="(\d{1,10})">([0-9.e+-]{1,30}) (?:([0-9.e+-]{1,30}) )?(\d{1,12})</M>')
_MASK_SUFFIXES = (SUFFIX, ".labels.tiff", ".labels.png", ".tif", ".tiff", ".png")
_FILM = re.compile(r'<M K="film">([a-z]{1,20})</M>')
_AUTHOR = re.compile(r'<M K="(\d{1,10})">([a-z]{1,20}) (\d{1,12})</M>')
_AUTHOR_NAMES = frozenset(Author)
_REGION_SUFFIXES = (".region.tif", SUFFIX, ".region.png", ".tif", ".png")


def write_labels(path: Path, labels: Labels, spacing: Spacing | None) -> None:
    """Write a label image as `label_bytes` makes it."""
    write_whole(path, label_bytes(labels, spacing))


def label_bytes(labels: Labels, spacing: Spacing | None) -> bytes:
    """A label image as OME-TIFF: uint16, or uint32 when a number needs it, physical size in mm when known.

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
        software=_WRITER,
        resolution=(10 / spacing.column_mm, 10 / spacing.row_mm) if spacing else None,
        resolutionunit="CENTIMETER" if spacing else None,
    )
    return buffer.getvalue()


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


def read_labels(path: Path | FileBytes, shape: tuple[int, int] | None) -> Labels:
    """The label image in a TIFF or PNG file; `shape` is that of its image, `None` for one that we wrote ourselves.

    A mask of single bits, or of 0 and the highest value, has no numbers: it is split into its connected parts.
    A deposit that another program has changed since we wrote the file is a person's: it has no doubt any more.

    Raises
    ------
    MaskError
        When the file is missing, no label image, or not `shape` pixels large.
    """
    file = mask_bytes(path)
    pixels = read_pixels(file, shape)
    check_surround(file.name, pixels.numbers)
    array, warnings = pixels.numbers, (*pixels.warnings, *too_large(pixels.numbers))
    if pixels.binary and array.any():
        array = parts_of(array)
        warnings = (*warnings, Remark.of(Code.MASK_SPLIT, parts=int(array.max())))
    if not pixels.binary and not pixels.software.startswith(_WRITER) and (parts := _parts_of_the_only(array)) > 1:
        warnings = (*warnings, Remark.of(Code.MASK_OF_ONE_NUMBER, parts=parts))
    told = {name: _annotation_in(pixels.description, name) for name in (_DOUBTS, _AUTHORS)}
    return Labels(array, (f"read from {file.name}",), _authorship_in(told, array), warnings)


def _parts_of_the_only(array: npt.NDArray[np.int32]) -> int:
    """How many parts the one number of a mask has; 0 when it has several numbers or none."""
    return int(parts_of(array).max()) if len(np.unique(array[array > 0])) == 1 else 0


def _annotation_in(description: str, name: str) -> str:
    """What stands in a file's description under a name; empty when nothing does."""
    return description.partition(f'Namespace="{name}"')[2].partition("</MapAnnotation>")[0]


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
    found = {
        int(number): (_doubt(outline, not_calcium), int(count))
        for number, outline, not_calcium, count in _DOUBT.findall(told)
    }
    return {n: doubt for n, (doubt, count) in found.items() if doubt is not None and pixels.get(n) == count}


def _doubt(outline: str, not_calcium: str) -> Doubt | None:
    """A doubt as written; `None` when it is none."""
    try:
        doubt = Doubt(float(outline), float(not_calcium or 0))
    except ValueError:
        return None
    return doubt if doubt.possible else None


def find_mask(folder: Path, name: str, film: Path) -> Path:
    """The mask of an image: NAME.labels.tif, or where that is missing another of its forms, but never the film itself.

    NAME.labels.tif when there is none, so that its reader says what is missing.
    """
    return next(_others(folder, name, film, _MASK_SUFFIXES), folder / f"{name}{SUFFIX}")


def find_region(folder: Path, name: str, film: Path | None = None, stem: str = "") -> Path:
    """The region-of-interest file of an image: NAME.region.tif, NAME.labels.tif, NAME.region.png, NAME.tif or NAME.png.

    The film itself is never its region. `stem` is another name of the image, where it has one that is nobody else's.

    Raises
    ------
    MaskError
        When none is there.
    """
    for one in filter(None, (name, stem)):
        for path in _others(folder, one, film, _REGION_SUFFIXES):
            return path
    raise MaskError(f"no region of interest for {plain(name)}: add {plain(name)}.region.tif to the regions folder")


def _others(folder: Path, name: str, film: Path | None, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """The files of that name that are there, without the film."""
    for suffix in suffixes:
        path = folder / f"{name}{suffix}"
        if path.is_file() and (film is None or real_path(path) != real_path(film)):
            yield path


def read_region(path: Path | FileBytes, shape: tuple[int, int]) -> Mask:
    """True inside the region of interest: every pixel of the file that is not 0.

    Raises
    ------
    MaskError
        When the file is missing, not `shape` pixels large, empty, or a picture.
    """
    file = mask_bytes(path)
    return inside_of(file.name, read_pixels(file, shape))
