"""DICOM films and photos: with `calcimeasure.io.images.dicom_frame` the one place that knows pydicom.

Values measured are modality values (rescale or Modality LUT applied), never windowed. The header is read without
its pixels, checked, and only then is the one wanted frame decoded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Literal

import numpy as np
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels import apply_color_lut
from pydicom.sequence import Sequence
from pydicom.uid import UID, UID_dictionary

from calcimeasure.errors import DamagedFile, UnsupportedFile
from calcimeasure.io.images.colour import coloured_share, is_grey, luminance
from calcimeasure.io.images.contents import Contents
from calcimeasure.io.images.dicom_frame import Frame, Opened, read_frame
from calcimeasure.io.images.dicom_header import Header, check_picture, chosen_frame, kind_and_meaning
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.images.keyed import keyed_hash
from calcimeasure.io.images.orient import sealed, turned_over
from calcimeasure.io.images.part10 import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    check_encoding,
    inflated,
    pixel_element,
)
from calcimeasure.io.images.polarity import polarity_of
from calcimeasure.io.images.spacing import Stated, aspect_of, scale_in_shape, stated_spacing
from calcimeasure.io.images.terms import TERMS
from calcimeasure.io.images.untrusted import Request, guarded
from calcimeasure.io.images.valid_area import Shutters, valid_area
from calcimeasure.io.images.value_table import Trend, ValueTable, table_of, trend_of
from calcimeasure.model.image import Acquisition, Image, Kind, Meaning, Pixels, Polarity, Spacing

_LOSSY = tuple("1.2.840.10008.1.2.4." + tail for tail in ("50", "51", "81"))
# Share of the pixels beyond the ends of a value table that is worth a word.
_FEW = 0.01
# Far under the end of float32, so that no sum overflows.
_LARGEST = 1e30
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_PYDICOM_ERRORS = (InvalidDicomError, BytesLengthException)
# What pydicom raises while it turns a stored element into a value.
_BAD_ELEMENT = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    OSError,
    BytesLengthException,
)


def read_dicom(file: FileBytes, request: Request) -> Image:
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


def _opened(file: FileBytes) -> Opened:
    stream = inflated(file.name, file.open())
    warnings = check_encoding(file.name, stream)
    dataset = dcmread(stream, stop_before_pixels=True, force=True)
    at, order = stream.tell(), _byte_order(dataset)
    found = _element_at(stream, order)
    header = _header(dataset, found)
    # Read by force, anything is DICOM; without preamble only a data set that knows its class is believed.
    if not len(dataset) or (dataset.preamble is None and header.sop_class is None):
        raise DamagedFile(f"{file.name}: is not DICOM, or nothing of it is left")
    element = pixel_element(stream, at, order) if header.has_pixels else None
    return Opened(file.name, stream, dataset, header, element, file.size, warnings)


def _byte_order(dataset: Dataset) -> Literal["little", "big"]:
    return "little" if dataset.original_encoding[1] is not False else "big"


def _element_at(stream: BinaryIO, order: Literal["little", "big"]) -> tuple[int, int]:
    """Group and number of the element that comes next."""
    at = stream.tell()
    tag = stream.read(4)
    stream.seek(at)
    return int.from_bytes(tag[:2], order), int.from_bytes(tag[2:], order)


# ----------------------------------------------------------------------------------------------------- header


def _header(dataset: Dataset, following: tuple[int, int]) -> Header:
    get = _Reader(dataset)
    syntax = _syntax(dataset)
    return Header(
        sop_class=get.uid("SOPClassUID") or get.meta_uid("MediaStorageSOPClassUID"),
        modality=get.code("Modality"),
        rows=get.integer("Rows"),
        columns=get.integer("Columns"),
        frames=max(get.integer("NumberOfFrames") or 1, 1),
        samples=get.integer("SamplesPerPixel") or 1,
        bits_allocated=get.integer("BitsAllocated"),
        bits_stored=get.integer("BitsStored"),
        high_bit=get.integer("HighBit"),
        planar=get.integer("PlanarConfiguration") == 1,
        overlay_bits=_overlay_bits(get),
        signed=get.integer("PixelRepresentation") == 1,
        photometric=get.code("PhotometricInterpretation"),
        lut_shape=get.code("PresentationLUTShape"),
        intent=get.code("PresentationIntentType"),
        relationship=get.code("PixelIntensityRelationship"),
        sign=get.integer("PixelIntensityRelationshipSign"),
        rescale_slope=get.number("RescaleSlope"),
        rescale_intercept=get.number("RescaleIntercept"),
        rescale_type=get.code("RescaleType"),
        rescale_unreadable=any(get.unreadable(keyword) for keyword in ("RescaleSlope", "RescaleIntercept")),
        tabled=bool(get.items("ModalityLUTSequence")),
        voi=_voi_trend(get),
        padding=_as_pixel(get, "PixelPaddingValue"),
        padding_limit=_as_pixel(get, "PixelPaddingRangeLimit"),
        window=get.window(),
        window_negative=get.negative_window(),
        window_exact=get.code("VOILUTFunction") == "LINEAR_EXACT",
        aspect=_shape(get),
        aspect_doubtful=_shape_contradicts(get),
        has_pixels=following == (0x7FE0, 0x0010),
        has_float_pixels=following in ((0x7FE0, 0x0008), (0x7FE0, 0x0009)),
        lossy=_lossy(get.text("LossyImageCompression"), syntax),
        transfer_syntax=str(syntax) if syntax else None,
        stated=_stated(get),
        acquisition=_acquisition(get, syntax),
    )


def _stated(get: _Reader) -> Stated:
    rows, columns, grouped = get.integer("Rows"), get.integer("Columns"), _grouped_spacings(get)
    return Stated(
        pixel=get.pair("PixelSpacing"),
        imager=get.pair("ImagerPixelSpacing"),
        nominal=get.pair("NominalScannedPixelSpacing"),
        calibration=get.code("PixelSpacingCalibrationType"),
        magnification=get.number("EstimatedRadiographicMagnificationFactor"),
        source_detector_mm=get.number("DistanceSourceToDetector"),
        source_patient_mm=get.number("DistanceSourceToPatient"),
        grouped=next(iter(grouped)) if len(grouped) == 1 else None,
        unreadable=_unreadable_spacings(get, grouped),
        shape=(rows, columns) if rows and columns else None,
    )


def _unreadable_spacings(get: _Reader, grouped: set[tuple[float, float] | None]) -> tuple[str, ...]:
    plain = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
    found = tuple(keyword for keyword in plain if get.stated(keyword) and get.pair(keyword) is None)
    return found if len(grouped) < 2 and None not in grouped else (*found, "PixelSpacing of the functional groups")


def _grouped_spacings(get: _Reader) -> set[tuple[float, float] | None]:
    """Every PixelSpacing of the functional groups of enhanced objects; `None` is one that cannot be read."""
    groups = (*get.items("SharedFunctionalGroupsSequence"), *get.items("PerFrameFunctionalGroupsSequence"))
    measures = [_Reader(one) for group in groups for one in _Reader(group).items("PixelMeasuresSequence")]
    return {one.pair("PixelSpacing") for one in measures if one.stated("PixelSpacing")}


def _acquisition(get: _Reader, syntax: UID | None) -> Acquisition:
    side = get.code("ImageLaterality") or get.code("Laterality")
    return Acquisition(
        modality=get.code("Modality"),
        side=side if side in ("L", "R", "B") else None,
        view=get.code("ViewPosition"),
        body_part=get.code("BodyPartExamined"),
        kvp=get.positive("KVP"),
        lossy=_lossy(get.text("LossyImageCompression"), syntax),
        photometric=get.code("PhotometricInterpretation"),
        intent=get.code("PresentationIntentType"),
        intensity_relationship=get.code("PixelIntensityRelationship"),
        transfer_syntax=str(syntax) if syntax in UID_dictionary else None,
        frames=max(get.integer("NumberOfFrames") or 1, 1),
        bits=get.integer("BitsStored"),
        exposure_index=get.positive("ExposureIndex"),
        source_distance_mm=get.positive("DistanceSourceToDetector"),
        device=_mark(get, "Manufacturer", "ManufacturerModelName"),
        processing=_mark(get, "AcquisitionDeviceProcessingCode", "AcquisitionDeviceProcessingDescription"),
        undisclosed=tuple(_undisclosed(get)),
        patient=keyed_hash(get.text("PatientID")),
        born=keyed_hash(get.text("PatientBirthDate")),
        taken=_taken(get),
    )


#: Facts that are shown in words of the standard, and compared when they are stated in others.
_IN_TERMS = {"modality": "Modality", "view": "ViewPosition", "site": "BodyPartExamined"}


def _undisclosed(get: _Reader) -> Iterator[tuple[str, str]]:
    for fact, keyword in _IN_TERMS.items():
        if get.code(keyword) is None and (mark := _mark(get, keyword)):
            yield fact, mark


def _mark(get: _Reader, *keywords: str) -> str | None:
    """A digest of what the header says in these elements, `None` when it says nothing."""
    told = [get.text(keyword) or "" for keyword in keywords]
    return keyed_hash("/".join(told)) if any(told) else None


def _taken(get: _Reader) -> str | None:
    """When the film was exposed, as digits that sort: of the acquisition, else of the study."""
    at = get.text("AcquisitionDateTime") or ""
    day = at[:8] or get.text("AcquisitionDate") or get.text("StudyDate") or ""
    time = at[8:14] or (get.text("AcquisitionTime") or "")[:6]
    if len(day) != 8 or not day.isdecimal():
        return None
    return day + time if len(time) == 6 and time.isdecimal() and (at or get.text("AcquisitionDate")) else day


def _lossy(flag: str | None, syntax: UID | None) -> bool | None:
    if flag == "01" or (syntax is not None and syntax in _LOSSY):
        return True
    return False if flag == "00" else None


def _syntax(dataset: Dataset) -> UID | None:
    """The stated transfer syntax, or for a file without meta header the one its data set was read in."""
    stated = _Reader(dataset).meta_uid("TransferSyntaxUID")
    if stated:
        return UID(stated)
    implicit, little = dataset.original_encoding
    if little is False:
        return UID(EXPLICIT_BIG)
    return UID(IMPLICIT_LITTLE if implicit else EXPLICIT_LITTLE)


def _shape(get: _Reader) -> tuple[float, float] | None:
    """Height and width of a pixel, in any unit: by a spacing, else by the aspect ratio."""
    return next(filter(None, map(get.pair, (*_SPACINGS, "PixelAspectRatio"))), None)


def _shape_contradicts(get: _Reader) -> bool:
    by_spacing, ratio = _shape(get), get.pair("PixelAspectRatio")
    return bool(by_spacing and ratio) and aspect_of(by_spacing) != aspect_of(ratio)


def _as_pixel(get: _Reader, keyword: str) -> float | None:
    """A padding as the pixels would hold it: its VR may have another sign than they have."""
    value, allocated = get.integer(keyword), get.integer("BitsAllocated")
    if value is None or allocated not in (8, 16, 32):
        return get.number(keyword)
    word = value % (1 << allocated)
    bits = get.integer("BitsStored") or allocated
    bits = bits if word >> bits == 0 else allocated
    return word - (1 << bits) if get.integer("PixelRepresentation") == 1 and word >> (bits - 1) else word


def _overlay_bits(get: _Reader) -> int:
    """Mask of the bits of a word that hold overlay planes, as was done before 2007."""
    mask = 0
    for group in range(0x6000, 0x6020, 2):
        place = get.integer((group, 0x0102))
        if get.raw((group, 0x0100)) not in (None, 1) and place is not None and 0 < place < 16:
            mask |= 1 << place
    return mask


def _voi_trend(get: _Reader) -> Trend | None:
    """Where the VOI tables go; one that cannot be read says nothing."""
    tables = []
    for item in get.items("VOILUTSequence"):
        with suppress(ValueError):
            tables.append(_table(item, signed=True))
    return trend_of(tables)


def _table(item: Dataset, *, signed: bool) -> ValueTable:
    """The value table of an item of a LUT sequence; raises ValueError when it is none."""
    get = _Reader(item)
    data = get.raw("LUTData")
    if isinstance(data, bytes):
        swapped = item["LUTData"].VR == "OW" and item.original_encoding[1] is False
        packed = np.frombuffer(data, ">u2").astype("<u2").tobytes() if swapped else data
    else:
        packed = np.asarray(get.numbers("LUTData") or (), np.int64).astype("<u2").tobytes()
    return table_of(get.numbers("LUTDescriptor") or (), packed, signed=signed)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Elements of a data set as plain values; whatever is absent or malformed is `None`."""

    dataset: Dataset

    def raw(self, keyword: str | tuple[int, int]) -> Any:
        try:
            value = self.dataset.get(keyword)
            value = value.value if isinstance(value, DataElement) else value
        except _BAD_ELEMENT:
            return None
        return None if value is None or value == "" else value

    def stated(self, keyword: str) -> bool:
        """Whether the element is there and not empty, readable or not."""
        try:
            return keyword in self.dataset and bool(self.dataset.get_item(keyword).value)
        except _BAD_ELEMENT:
            return True

    def items(self, keyword: str) -> tuple[Dataset, ...]:
        """The items of a sequence; none when it is absent or no sequence."""
        value = self.raw(keyword)
        return tuple(value) if isinstance(value, Sequence) else ()

    def unreadable(self, keyword: str) -> bool:
        """Whether the element is there with a value that is no number."""
        try:
            there = bool(self.dataset[keyword].value not in (None, "")) if keyword in self.dataset else False
        except _BAD_ELEMENT:
            return True
        return there and self.number(keyword) is None

    def number(self, keyword: str | tuple[int, int]) -> float | None:
        try:
            number = float(self.raw(keyword))
        except _BAD_ELEMENT:
            return None
        return number if math.isfinite(number) else None

    def positive(self, keyword: str) -> float | None:
        number = self.number(keyword)
        return number if number is not None and number > 0 else None

    def integer(self, keyword: str | tuple[int, int]) -> int | None:
        number = self.number(keyword)
        return int(number) if number is not None and number == int(number) else None

    def numbers(self, keyword: str) -> tuple[float, ...] | None:
        value = self.raw(keyword)
        try:
            numbers = tuple(float(v) for v in ([value] if isinstance(value, int | float | str) else value))
        except _BAD_ELEMENT:
            return None
        return numbers if numbers and all(map(math.isfinite, numbers)) else None

    def pair(self, keyword: str) -> tuple[float, float] | None:
        numbers = self.numbers(keyword)
        return (numbers[0], numbers[1]) if numbers and len(numbers) == 2 and min(numbers) > 0 else None

    def text(self, keyword: str) -> str | None:
        value = self.raw(keyword)
        printable = "".join(c for c in str(value) if c.isprintable()).strip() if isinstance(value, str) else ""
        return printable[:64] or None

    def code(self, keyword: str) -> str | None:
        """The term that the standard knows for this element; any other word is `None`, and so never repeated."""
        text = (self.text(keyword) or "").upper()
        return text if text in TERMS[keyword] else None

    def codes(self, keyword: str) -> tuple[str, ...]:
        value = self.raw(keyword)
        return tuple(str(v) for v in ([value] if isinstance(value, str) else value or ()))

    def uid(self, keyword: str) -> str | None:
        value = self.raw(keyword)
        return str(value) if isinstance(value, str) and re.fullmatch(r"[0-9.]{1,64}", value) else None

    def meta_uid(self, keyword: str) -> str | None:
        meta = getattr(self.dataset, "file_meta", None)
        return None if meta is None else _Reader(meta).uid(keyword)

    def window(self) -> tuple[float, float] | None:
        """Centre and width of the first window."""
        centre, width = self.numbers("WindowCenter"), self.numbers("WindowWidth")
        return (centre[0], width[0]) if centre and width and width[0] > 0 else None

    def negative_window(self) -> bool:
        """Whether a window has a negative width, which some programs show turned over."""
        return any(width < 0 for width in self.numbers("WindowWidth") or ())


# ----------------------------------------------------------------------------------------------------- pixels


def _as_told(opened: Opened, frame: Frame, number: int) -> Opened:
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


def _colours(opened: Opened, values: Pixels) -> Pixels:
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


def _film(opened: Opened, stored: Pixels, request: Request) -> Image:
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


def _scale(header: Header, request: Request) -> tuple[Spacing | None, tuple[str, ...]]:
    stated, aspect = stated_spacing(header.stated), header.acquisition.pixel_aspect
    return scale_in_shape(stated, request.spacing, aspect, header.stated.shape)


def _modality_values(opened: Opened, stored: Pixels) -> _Values:
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


def _looked_up(opened: Opened, stored: Pixels) -> _Values:
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


def _modality_table(opened: Opened) -> ValueTable:
    items = _Reader(opened.dataset).items("ModalityLUTSequence")
    try:
        first, *others = (_table(item, signed=opened.header.signed) for item in items)
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
    get = _Reader(dataset)
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


def _bitmap(dataset: Dataset, get: _Reader) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    group = get.integer("ShutterOverlayGroup")
    if group is None or (group, 0x3000) not in dataset:
        return None
    try:
        return np.asarray(dataset.overlay_array(group)).astype(bool)
    except _BAD_ELEMENT:
        return None


def _lossy_words(header: Header) -> tuple[str, ...]:
    return ("lossy compression: edges of small deposits may have moved",) if header.lossy else ()


# ------------------------------------------------------------------------------------------------------ photo


def _coloured(opened: Opened, colours: Pixels, request: Request) -> Image:
    """A photo, or a film that was stored in colour: as asked, else as its colours show."""
    asked = request.kind
    if asked is Kind.PHOTO or (asked is None and not is_grey(colours)):
        return _photo(opened, colours, request)
    words = "as asked" if asked else f"{coloured_share(colours):.0%} of the pixels have colour"
    return _grey_film(opened, luminance(colours), request, f"colour DICOM taken as a radiograph ({words}): luminance")


def _grey_film(opened: Opened, grey: Pixels, request: Request, decided: str) -> Image:
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


def _photo(opened: Opened, colours: Pixels, request: Request) -> Image:
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
