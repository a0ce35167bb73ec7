"""DICOM films and photos: with `dicom_frame` and `dicom_tags` beside it the one place that knows pydicom.

Values measured are modality values (rescale or Modality LUT applied), never windowed. The header is read without
its pixels, checked, and only then is the one wanted frame decoded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Literal

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels import apply_color_lut

from calcimeasure.errors import DamagedFile, UnsupportedFile
from calcimeasure.io.images.colour import coloured_share, is_grey, luminance
from calcimeasure.io.images.contents import Contents
from calcimeasure.io.images.dicom_frame import DicomFrame, OpenedDicom, read_frame
from calcimeasure.io.images.dicom_header import Header, check_picture, chosen_frame, kind_and_meaning
from calcimeasure.io.images.dicom_tags import BAD_ELEMENT, TagReader, header_of, table_at
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.images.orient import sealed, turned_over
from calcimeasure.io.images.part10 import (
    check_encoding,
    inflated,
    pixel_element,
)
from calcimeasure.io.images.polarity import polarity_of
from calcimeasure.io.images.spacing import aspect_of, scale_in_shape, stated_spacing
from calcimeasure.io.images.untrusted import ReadRequest, guarded
from calcimeasure.io.images.valid_area import Shutters, valid_area
from calcimeasure.io.images.value_table import ValueTable
from calcimeasure.model.arrays import Pixels
from calcimeasure.model.image import Image, Kind, Meaning, Polarity, Spacing

# Share of the pixels beyond the ends of a value table that is worth a word.
_FEW = 0.01
# Far under the end of float32, so that no sum overflows.
_LARGEST = 1e30
_PYDICOM_ERRORS = (InvalidDicomError, BytesLengthException)


def read_dicom(file: FileBytes, request: ReadRequest) -> Image:
    """The picture of a DICOM file, upright, deposits bright.

    Raises
    ------
    UnsupportedFile, DamagedFile, TooLarge, FrameNeeded
        See `calcimeasure.errors`.
    """
    with guarded(file.name, *_PYDICOM_ERRORS):
        opened = _opened(file)
        check_picture(opened.header, opened.name, request.kind)
        number = chosen_frame(opened.name, request.frame, opened.header.frames)
        frame = read_frame(opened, number, request.max_megapixels)
        told = _as_told(opened, frame, number)
        if opened.header.colour:
            return _coloured(told, _colours(told, frame.values), request)
        return _film(told, frame.values, request)


def read_contents(file: FileBytes) -> Contents:
    """What a DICOM file is by its header; no pixels are read.

    Raises
    ------
    DamagedFile
        When the header cannot be read.
    """
    with guarded(file.name, *_PYDICOM_ERRORS):
        opened = _opened(file)
        header = opened.header
    kind, meaning, decided = kind_and_meaning(header)
    return Contents(
        form="dicom",
        kind=kind,
        meaning=meaning,
        decided=decided,
        shape=(header.rows, header.columns) if header.rows and header.columns else None,
        spacing=stated_spacing(header.stated).spacing,
        acquisition=header.acquisition,
    )


# ---------------------------------------------------------------------------------------------------- opening


def _opened(file: FileBytes) -> OpenedDicom:
    stream = inflated(file.name, file.open())
    warnings = check_encoding(file.name, stream)
    dataset = dcmread(stream, stop_before_pixels=True, force=True)
    at, order = stream.tell(), _byte_order(dataset)
    found = _element_at(stream, order)
    header = header_of(dataset, found)
    # Read by force, anything is DICOM; without preamble only a data set that knows its class is believed.
    if not len(dataset) or (dataset.preamble is None and header.sop_class is None):
        raise DamagedFile(f"{file.name}: is not DICOM, or nothing of it is left")
    element = pixel_element(stream, at, order) if header.has_pixels else None
    return OpenedDicom(file.name, stream, dataset, header, element, file.size, warnings)


def _byte_order(dataset: Dataset) -> Literal["little", "big"]:
    return "little" if dataset.original_encoding[1] is not False else "big"


def _element_at(stream: BinaryIO, order: Literal["little", "big"]) -> tuple[int, int]:
    """Group and number of the element that comes next."""
    at = stream.tell()
    tag = stream.read(4)
    stream.seek(at)
    return int.from_bytes(tag[:2], order), int.from_bytes(tag[2:], order)


# ----------------------------------------------------------------------------------------------------- pixels


def _as_told(opened: OpenedDicom, frame: DicomFrame, number: int) -> OpenedDicom:
    """The file with its header put right by what its pixels turned out to be."""
    header = opened.header
    facts = replace(
        header.acquisition,
        bits=frame.bits,
        frame=number if header.frames > 1 else None,
        pixel_aspect=aspect_of(header.aspect),
    )
    told = replace(header, bits_stored=frame.bits, acquisition=facts)
    doubts = ("PixelAspectRatio contradicts the spacing: the spacing was followed",) if header.aspect_doubtful else ()
    return replace(opened, header=told, warnings=opened.warnings + frame.warnings + doubts)


def _colours(opened: OpenedDicom, values: Pixels) -> Pixels:
    """RGB in uint8 or uint16, a palette's colours looked up."""
    if opened.header.photometric != "PALETTE COLOR":
        bits = opened.header.bits_stored or 8
        values = values if bits in (8, 16) else values << ((8 if bits < 8 else 16) - bits)
        return values.astype(np.uint8 if bits <= 8 else np.uint16)
    colours = np.asarray(apply_color_lut(values, opened.dataset))
    # Entries of 8 bits are often declared as 16; as such the whole picture would be black.
    return colours.astype(np.uint8) if colours.max(initial=0) < 2**8 else colours


# ------------------------------------------------------------------------------------------------------- film


@dataclass(frozen=True, slots=True)
class _Values:
    """Modality values with the lowest and highest that the file can hold."""

    array: Pixels
    low: float
    high: float
    warnings: tuple[str, ...] = ()


def _film(opened: OpenedDicom, stored: Pixels, request: ReadRequest) -> Image:
    header = opened.header
    kind, meaning, decided = kind_and_meaning(header)
    if request.kind is Kind.PHOTO:
        raise UnsupportedFile(f"{opened.name}: is a greyscale DICOM radiograph; it cannot be measured as a photo")
    valid, area_words = valid_area(stored, header, _shutters(opened.dataset))
    # Padding may lie beyond the stored bits; where it is no picture, its value is of no account.
    values = _modality_values(opened, stored if header.padding is None else np.clip(stored, *header.bounds))
    turn = polarity_of(header)
    spacing, scale_words = _scale(header, request)
    return Image(
        pixels=sealed(turned_over(values.array, values.low, values.high) if turn.over else values.array),
        kind=Kind.RADIOGRAPH,
        meaning=meaning if kind is Kind.RADIOGRAPH else Meaning.DISPLAY,
        spacing=spacing,
        valid=valid,
        polarity=Polarity.TURNED_OVER if turn.over else Polarity.AS_STORED,
        ceiling=values.high,
        window=_window(header, values, turn.over),
        acquisition=header.acquisition,
        decided=f"{decided}; polarity: {turn.why}",
        warnings=(*scale_words, *opened.warnings, *turn.warnings, *area_words, *values.warnings, *_lossy_words(header)),
    )


def _scale(header: Header, request: ReadRequest) -> tuple[Spacing | None, tuple[str, ...]]:
    stated, aspect = stated_spacing(header.stated), header.acquisition.pixel_aspect
    return scale_in_shape(stated, request.spacing, aspect, header.stated.shape)


def _modality_values(opened: OpenedDicom, stored: Pixels) -> _Values:
    header = opened.header
    if header.tabled:
        return _looked_up(opened, stored)
    low, high = header.bounds
    words = ("its rescale is not a number: it was ignored",) if header.rescale_unreadable else ()
    slope = 1.0 if header.rescale_slope is None else header.rescale_slope
    intercept = header.rescale_intercept or 0.0
    if words or (slope, intercept) == (1.0, 0.0):
        return _Values(stored, low, high, words)
    ends = sorted((low * slope + intercept, high * slope + intercept))
    if slope == 0 or max(map(abs, ends)) > _LARGEST:
        return _Values(stored, low, high, (f"a rescale slope of {slope:g} is meaningless: it was ignored",))
    scaled = stored.astype(np.float32)
    scaled *= np.float32(slope)
    scaled += np.float32(intercept)
    return _Values(scaled, ends[0], ends[1])


def _looked_up(opened: OpenedDicom, stored: Pixels) -> _Values:
    # The ends of the table, not of its bit depth, are what the file can hold: tables of 10 bits are declared as 16.
    table = _modality_table(opened)
    outside = table.share_outside(stored)
    words: tuple[str, ...] = (
        (f"{outside:.0%} of the pixels lie beyond the ends of its value table",) if outside > _FEW else ()
    )
    if opened.header.rescale_slope is not None:
        words += ("it has a Modality LUT and a rescale: the table was applied",)
    found = table.looked_up(stored)
    return _Values(found, float(table.entries.min()), float(table.entries.max()), words)


def _modality_table(opened: OpenedDicom) -> ValueTable:
    items = TagReader(opened.dataset).items("ModalityLUTSequence")
    try:
        first, *others = (table_at(item, signed=opened.header.signed) for item in items)
    except ValueError as error:
        raise DamagedFile(f"{opened.name}: its Modality LUT {error}; its values cannot be told") from error
    if not all(first.same_as(other) for other in others):
        raise DamagedFile(f"{opened.name}: has {len(items)} Modality LUTs that differ; its values cannot be told")
    return first


def _window(header: Header, values: _Values, turned: bool) -> tuple[float, float] | None:
    if header.window is None:
        return None
    centre, width = header.window
    # PS3.3 C.11.2.1.2: LINEAR counts values, so half a value is taken from the centre and one from the width.
    shift = 0.0 if header.window_exact else 0.5
    low, high = centre - shift - (width - 2 * shift) / 2, centre - shift + (width - 2 * shift) / 2
    total = values.low + values.high
    return (total - high, total - low) if turned else (low, high)


def _shutters(dataset: Dataset) -> Shutters:
    get = TagReader(dataset)
    shapes = get.codes("ShutterShape")
    edges = [get.number(f"Shutter{edge}Edge") for edge in _EDGES] if "RECTANGULAR" in shapes else None
    centre, radius = get.pair("CenterOfCircularShutter"), get.positive("RadiusOfCircularShutter")
    polygon = get.numbers("VerticesOfThePolygonalShutter") if "POLYGONAL" in shapes else None
    rectangle = None if edges is None or None in edges else (edges[0], edges[1], edges[2], edges[3])
    found = Shutters(
        rectangle=rectangle,  # type: ignore[arg-type]
        circle=(*centre, radius) if "CIRCULAR" in shapes and centre and radius else None,
        polygon=polygon if polygon and len(polygon) >= 6 and len(polygon) % 2 == 0 else None,
        bitmap=_bitmap(dataset, get) if "BITMAP" in shapes else None,
    )
    readable = sum(part is not None for part in (found.rectangle, found.circle, found.polygon, found.bitmap))
    return replace(found, malformed=readable < len(shapes))


_EDGES = ("UpperHorizontal", "LowerHorizontal", "LeftVertical", "RightVertical")


def _bitmap(dataset: Dataset, get: TagReader) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    group = get.integer("ShutterOverlayGroup")
    if group is None or (group, 0x3000) not in dataset:
        return None
    try:
        return np.asarray(dataset.overlay_array(group)).astype(bool)
    except BAD_ELEMENT:
        return None


def _lossy_words(header: Header) -> tuple[str, ...]:
    return ("lossy compression: edges of small deposits may have moved",) if header.lossy else ()


# ------------------------------------------------------------------------------------------------------ photo


def _coloured(opened: OpenedDicom, colours: Pixels, request: ReadRequest) -> Image:
    """A photo, or a film that was stored in colour: as asked, else as its colours show."""
    asked = request.kind
    if asked is Kind.PHOTO or (asked is None and not is_grey(colours)):
        return _photo(opened, colours, request)
    words = "as asked" if asked else f"{coloured_share(colours):.0%} of the pixels have colour"
    return _grey_film(opened, luminance(colours), request, f"colour DICOM taken as a radiograph ({words}): luminance")


def _grey_film(opened: OpenedDicom, grey: Pixels, request: ReadRequest, decided: str) -> Image:
    header = opened.header
    spacing, scale_words = _scale(header, request)
    valid, area_words = valid_area(grey, replace(header, padding=None), _shutters(opened.dataset))
    return Image(
        pixels=sealed(grey),
        kind=Kind.RADIOGRAPH,
        meaning=Meaning.DISPLAY,
        spacing=spacing,
        valid=valid,
        ceiling=float(np.iinfo(grey.dtype).max),
        acquisition=header.acquisition,
        decided=decided,
        warnings=(*scale_words, *opened.warnings, *area_words, *_lossy_words(header)),
    )


def _photo(opened: OpenedDicom, colours: Pixels, request: ReadRequest) -> Image:
    header = opened.header
    spacing, scale_words = _scale(header, request)
    return Image(
        pixels=sealed(colours if colours.dtype == np.uint8 else (colours >> 8).astype(np.uint8)),
        kind=Kind.PHOTO,
        meaning=Meaning.PHOTO,
        spacing=spacing,
        ceiling=255.0,
        acquisition=header.acquisition,
        decided="photo as asked" if request.kind else "colour DICOM",
        warnings=(*scale_words, *opened.warnings, *_lossy_words(header)),
    )
