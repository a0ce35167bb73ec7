"""DICOM films and photos: the one file that knows pydicom.

Values measured are modality values (rescale or Modality LUT applied), never windowed. The header is read without
its pixels, checked, and only then is the one wanted frame decoded.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels import apply_color_lut, apply_modality_lut, pixel_array
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from calcimeasure.errors import DamagedFile, TooLarge, UnsupportedFile
from calcimeasure.io.images.codestream import declared_size
from calcimeasure.io.images.colour import luminance
from calcimeasure.io.images.contents import Contents
from calcimeasure.io.images.dicom_header import Header, check_picture, chosen_frame, kind_and_meaning
from calcimeasure.io.images.orient import sealed, turned_over
from calcimeasure.io.images.polarity import polarity_of
from calcimeasure.io.images.spacing import Stated, chosen_spacing, stated_spacing
from calcimeasure.io.images.untrusted import Request, check_size, guarded
from calcimeasure.io.images.valid_area import Shutters, valid_area
from calcimeasure.model.image import Acquisition, Image, Kind, Meaning, Pixels, Polarity

# One decoder for each syntax, so that every machine gets the same values.
_DECODERS = {
    "1.2.840.10008.1.2.4.50": "pillow",
    "1.2.840.10008.1.2.4.51": "pillow",
    "1.2.840.10008.1.2.4.57": "gdcm",
    "1.2.840.10008.1.2.4.70": "gdcm",
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pylibjpeg",
    "1.2.840.10008.1.2.4.91": "pylibjpeg",
    "1.2.840.10008.1.2.4.201": "pylibjpeg",
    "1.2.840.10008.1.2.4.202": "pylibjpeg",
    "1.2.840.10008.1.2.4.203": "pylibjpeg",
    "1.2.840.10008.1.2.5": "pylibjpeg",
}
_NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
_LOSSY = tuple("1.2.840.10008.1.2.4." + tail for tail in ("50", "51", "81"))
_JPEG_LS, _JPEG_END = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"), b"\xff\xd9"
_JPEG_EXTENDED, _RLE = "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.5"
# Two bytes of RLE stand for at most 128.
_RLE_BEST = 64
# Longer elements than this wait until they are asked for.
_DEFERRED = 4 * 1024**2
_MOST_INFLATED = 512 * 1024**2
# Far under the end of float32, so that no sum overflows.
_LARGEST = 1e30
_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")
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


@dataclass(frozen=True, slots=True)
class _Opened:
    """A DICOM file with its header read and its pixels not yet."""

    name: str
    stream: BinaryIO
    dataset: Dataset
    header: Header
    pixels_at: int
    size: int


def read_dicom(path: Path, request: Request) -> Image:
    """The picture of a DICOM file, upright, deposits bright.

    Raises
    ------
    UnsupportedFile, DamagedFile, TooLarge, FrameNeeded
        See `calcimeasure.errors`.
    """
    with guarded(path.name, *_PYDICOM_ERRORS), _opened(path) as opened:
        check_picture(opened.header, opened.name, request.kind)
        frame = chosen_frame(opened.name, request.frame, opened.header.frames)
        _check_pixels(opened, frame, request.max_megapixels)
        stored = _decoded(opened, frame)
        return _film(opened, stored, request, frame) if stored.ndim == 2 else _photo(opened, stored, request, frame)


def read_contents(path: Path) -> Contents:
    """What a DICOM file is by its header; no pixels are read.

    Raises
    ------
    DamagedFile
        When the header cannot be read.
    """
    with guarded(path.name, *_PYDICOM_ERRORS), _opened(path) as opened:
        header = opened.header
    kind, meaning, decided = kind_and_meaning(header)
    return Contents(
        form="dicom",
        kind=kind,
        meaning=meaning,
        decided=decided,
        shape=(header.rows, header.columns) if header.rows and header.columns else None,
        spacing=stated_spacing(header.stated),
        acquisition=header.acquisition,
    )


# ---------------------------------------------------------------------------------------------------- opening


@contextmanager
def _opened(path: Path) -> Iterator[_Opened]:
    size = path.stat().st_size
    with path.open("rb") as file:
        stream = _inflated(path.name, file)
        dataset = dcmread(stream, stop_before_pixels=True, force=True, defer_size=_DEFERRED)
        at = stream.tell()
        header = _header(dataset, _at_pixels(dataset, stream))
        # Read by force, anything is DICOM; without preamble only a data set that knows its class is believed.
        if not len(dataset) or (dataset.preamble is None and header.sop_class is None):
            raise DamagedFile(f"{path.name}: is not DICOM, or nothing of it is left")
        yield _Opened(path.name, stream, dataset, header, at, size)


def _inflated(name: str, file: BinaryIO) -> BinaryIO:
    """The file itself, or its deflated data set inflated within bounds: pydicom itself would inflate any bomb."""
    start = file.read(4096)
    file.seek(0)
    deflated = str(DeflatedExplicitVRLittleEndian).encode()
    if start[128:132] != b"DICM" or deflated not in start[:1024]:
        return file
    end = 144 + int.from_bytes(start[140:144], "little")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    file.seek(end)
    body = inflater.decompress(file.read(), _MOST_INFLATED)
    if inflater.unconsumed_tail:
        raise TooLarge(f"{name}: its deflated data set is larger than {_MOST_INFLATED >> 20} MB")
    # The same header naming the plain syntax, padded with the NULs that end a UID.
    plain = str(ExplicitVRLittleEndian).encode().ljust(len(deflated), b"\0")
    return io.BytesIO(start[:end].replace(deflated, plain) + body)


def _at_pixels(dataset: Dataset, stream: BinaryIO) -> bool:
    at = stream.tell()
    tag = stream.read(4)
    stream.seek(at)
    order = "little" if dataset.original_encoding[1] is not False else "big"
    group, element = (int.from_bytes(tag[i : i + 2], order) for i in (0, 2))  # type: ignore[arg-type]
    return (group, element) == (0x7FE0, 0x0010)


# ----------------------------------------------------------------------------------------------------- header


def _header(dataset: Dataset, has_pixels: bool) -> Header:
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
        signed=get.integer("PixelRepresentation") == 1,
        photometric=get.code("PhotometricInterpretation"),
        lut_shape=get.code("PresentationLUTShape"),
        intent=get.code("PresentationIntentType"),
        relationship=get.code("PixelIntensityRelationship"),
        sign=get.integer("PixelIntensityRelationshipSign"),
        rescale_slope=get.number("RescaleSlope"),
        rescale_intercept=get.number("RescaleIntercept"),
        rescale_type=get.code("RescaleType"),
        tabled="ModalityLUTSequence" in dataset,
        padding=get.number("PixelPaddingValue"),
        padding_limit=get.number("PixelPaddingRangeLimit"),
        window=get.window(),
        window_exact=get.code("VOILUTFunction") == "LINEAR_EXACT",
        aspect=get.pair("PixelAspectRatio") or get.pair("PixelSpacing") or get.pair("ImagerPixelSpacing"),
        has_pixels=has_pixels,
        lossy=_lossy(get.text("LossyImageCompression"), syntax),
        transfer_syntax=str(syntax) if syntax else None,
        stated=_stated(get),
        acquisition=_acquisition(get, syntax),
    )


def _stated(get: _Reader) -> Stated:
    return Stated(
        pixel=get.pair("PixelSpacing"),
        imager=get.pair("ImagerPixelSpacing"),
        nominal=get.pair("NominalScannedPixelSpacing"),
        calibration=get.code("PixelSpacingCalibrationType"),
        magnification=get.number("EstimatedRadiographicMagnificationFactor"),
        source_detector_mm=get.number("DistanceSourceToDetector"),
        source_patient_mm=get.number("DistanceSourceToPatient"),
    )


def _acquisition(get: _Reader, syntax: UID | None) -> Acquisition:
    side = get.code("ImageLaterality") or get.code("Laterality")
    return Acquisition(
        modality=get.code("Modality"),
        side=side if side in ("L", "R", "B") else None,
        view=get.code("ViewPosition"),
        body_part=get.code("BodyPartExamined"),
        kvp=get.positive("KVP"),
        device=" ".join(filter(None, (get.text("Manufacturer"), get.text("ManufacturerModelName")))) or None,
        processing=_processing(get),
        lossy=_lossy(get.text("LossyImageCompression"), syntax),
        photometric=get.code("PhotometricInterpretation"),
        intent=get.code("PresentationIntentType"),
        intensity_relationship=get.code("PixelIntensityRelationship"),
        transfer_syntax=str(syntax) if syntax else None,
        frames=max(get.integer("NumberOfFrames") or 1, 1),
        bits=get.integer("BitsStored"),
        exposure_index=get.positive("ExposureIndex"),
        source_distance_mm=get.positive("DistanceSourceToDetector"),
    )


def _processing(get: _Reader) -> str | None:
    # The description is free text that may hold anything, a name too: a short hash tells two visits apart as well.
    code, description = get.text("AcquisitionDeviceProcessingCode"), get.text("AcquisitionDeviceProcessingDescription")
    mark = hashlib.sha256(description.encode()).hexdigest()[:8] if description else None
    return "/".join(filter(None, (code, mark))) or None


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
        return ExplicitVRBigEndian
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian


@dataclass(frozen=True, slots=True)
class _Reader:
    """Elements of a data set as plain values; whatever is absent or malformed is `None`."""

    dataset: Dataset

    def raw(self, keyword: str) -> Any:
        try:
            value = self.dataset.get(keyword)
        except _BAD_ELEMENT:
            return None
        return None if value is None or value == "" else value

    def number(self, keyword: str) -> float | None:
        try:
            number = float(self.raw(keyword))
        except _BAD_ELEMENT:
            return None
        return number if math.isfinite(number) else None

    def positive(self, keyword: str) -> float | None:
        number = self.number(keyword)
        return number if number is not None and number > 0 else None

    def integer(self, keyword: str) -> int | None:
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
        text = self.text(keyword)
        return text.upper() if text and _CODE.fullmatch(text.upper()) else None

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
        return (centre[0], width[0]) if centre and width and width[0] >= 1 else None


# ----------------------------------------------------------------------------------------------------- pixels


def _check_pixels(opened: _Opened, frame: int, max_megapixels: float) -> None:
    """Nothing, or an error, before any memory is taken for the pixels."""
    header, name = opened.header, opened.name
    rows, columns = header.rows or 0, header.columns or 0
    bits = header.bits_allocated or 8
    if header.samples not in (1, 3):
        raise UnsupportedFile(f"{name}: has {header.samples} samples a pixel; only greyscale and colour are read")
    check_size(name, (rows, columns, header.samples), max(bits // 8, 1), max_megapixels)
    frame_bytes = rows * columns * header.samples * bits / 8
    syntax = header.transfer_syntax
    if syntax in _NATIVE:
        _check_native(opened, frame_bytes * frame)
    elif syntax == _RLE and frame_bytes > opened.size * _RLE_BEST:
        raise DamagedFile(f"{name}: is too short for the {rows} x {columns} pixels it declares")
    elif syntax not in _NATIVE:
        _check_codestream(opened, frame)


def _check_native(opened: _Opened, needed: float) -> None:
    end = opened.stream.seek(0, io.SEEK_END)
    opened.stream.seek(opened.pixels_at)
    if needed > end - opened.pixels_at:
        rows, columns = opened.header.rows, opened.header.columns
        raise DamagedFile(f"{opened.name}: is too short for the {rows} x {columns} pixels it declares")


def _check_codestream(opened: _Opened, frame: int) -> None:
    syntax, name = opened.header.transfer_syntax, opened.name
    if syntax not in _DECODERS:
        raise UnsupportedFile(f"{name}: transfer syntax {_syntax_name(syntax)} cannot be read; convert the file")
    if syntax == _JPEG_EXTENDED and (opened.header.bits_stored or 0) > 8:
        raise UnsupportedFile(
            f"{name}: 12-bit {_syntax_name(syntax)} cannot be read: no permissive decoder exists; "
            "ask the archive for an uncompressed copy"
        )
    if syntax != _RLE:
        _check_declared(opened, frame)


def _check_declared(opened: _Opened, frame: int) -> None:
    header = opened.header
    opened.stream.seek(opened.pixels_at + 12)
    encoded = get_frame(opened.stream, frame - 1, number_of_frames=header.frames)
    if header.transfer_syntax in _JPEG_LS and _JPEG_END not in encoded[-16:]:
        # CharLS spends seconds per megapixel on a stream without an end before it gives up.
        raise DamagedFile(f"{opened.name}: is truncated: its compressed picture has no end")
    declared = declared_size(encoded)
    if declared is None or declared[:2] != (header.rows, header.columns):
        found = "no picture" if declared is None else f"{declared[0]} x {declared[1]} pixels"
        raise DamagedFile(
            f"{opened.name}: declares {header.rows} x {header.columns} pixels, but its compressed data hold {found}"
        )


def _syntax_name(syntax: str | None) -> str:
    name = UID(syntax or "").name
    return f"{name} ({syntax})" if name != syntax else f"{syntax or 'unknown'}"


def _decoded(opened: _Opened, frame: int) -> Pixels:
    """The stored values of one frame: (rows, columns), or (rows, columns, 3) in RGB."""
    header, dataset = opened.header, opened.dataset
    opened.stream.seek(0)
    array = pixel_array(
        opened.stream,
        index=frame - 1,
        decoding_plugin=_DECODERS.get(header.transfer_syntax or "", ""),
        transfer_syntax_uid=UID(header.transfer_syntax or ""),
    )
    if header.photometric == "PALETTE COLOR":
        array = apply_color_lut(array, dataset)
    if array.ndim not in (2, 3):
        raise UnsupportedFile(f"{opened.name}: has {array.ndim} dimensions; only single planes are read")
    return np.asarray(array)


# ------------------------------------------------------------------------------------------------------- film


@dataclass(frozen=True, slots=True)
class _Values:
    """Modality values with the lowest and highest that the file can hold."""

    array: Pixels
    low: float
    high: float
    warnings: tuple[str, ...] = ()


def _film(opened: _Opened, stored: Pixels, request: Request, frame: int) -> Image:
    header = opened.header
    kind, meaning, decided = kind_and_meaning(header)
    if request.kind is Kind.PHOTO:
        raise UnsupportedFile(f"{opened.name}: is a greyscale DICOM radiograph; it cannot be measured as a photo")
    valid, area_words = valid_area(stored, header, _shutters(opened.dataset))
    values = _modality_values(opened.dataset, header, stored)
    turn = polarity_of(header)
    spacing, scale_words = chosen_spacing(stated_spacing(header.stated), request.spacing)
    return Image(
        pixels=sealed(turned_over(values.array, values.low, values.high) if turn.over else values.array),
        kind=Kind.RADIOGRAPH,
        meaning=meaning if kind is Kind.RADIOGRAPH else Meaning.DISPLAY,
        spacing=spacing,
        valid=valid,
        polarity=Polarity.TURNED_OVER if turn.over else Polarity.AS_STORED,
        ceiling=values.high,
        window=_window(header, values, turn.over),
        acquisition=replace(header.acquisition, frame=frame if header.frames > 1 else None),
        decided=f"{decided}; polarity: {turn.why}",
        warnings=(*scale_words, *turn.warnings, *area_words, *values.warnings, *_lossy_words(header)),
    )


def _modality_values(dataset: Dataset, header: Header, stored: Pixels) -> _Values:
    if header.tabled:
        return _looked_up(dataset, stored)
    low, high = header.bounds
    words: tuple[str, ...] = ()
    if stored.max() > high or stored.min() < low:
        info = np.iinfo(stored.dtype)
        low, high, words = int(info.min), int(info.max), ("some values need more bits than the header declares",)
    slope = 1.0 if header.rescale_slope is None else header.rescale_slope
    intercept = header.rescale_intercept or 0.0
    if (slope, intercept) == (1.0, 0.0):
        return _Values(stored, low, high, words)
    ends = sorted((low * slope + intercept, high * slope + intercept))
    if slope == 0 or max(map(abs, ends)) > _LARGEST:
        return _Values(stored, low, high, (*words, f"a rescale slope of {slope:g} is meaningless: it was ignored"))
    scaled = stored.astype(np.float32)
    scaled *= np.float32(slope)
    scaled += np.float32(intercept)
    return _Values(scaled, ends[0], ends[1], words)


def _looked_up(dataset: Dataset, stored: Pixels) -> _Values:
    # The ends of the table, not of its bit depth, are what the file can hold: tables of 10 bits are declared as 16.
    descriptor = dataset.ModalityLUTSequence[0].LUTDescriptor
    count, first = int(descriptor[0]) or 2**16, int(descriptor[1])
    every = np.arange(first, first + count)
    table = apply_modality_lut(every, dataset)
    return _Values(apply_modality_lut(stored, dataset), float(table.min()), float(table.max()))


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


def _photo(opened: _Opened, stored: Pixels, request: Request, frame: int) -> Image:
    header = opened.header
    colour = _eight_bit(stored, header)
    as_film = request.kind is Kind.RADIOGRAPH
    spacing, scale_words = chosen_spacing(stated_spacing(header.stated), request.spacing)
    return Image(
        pixels=sealed(luminance(colour) if as_film else colour),
        kind=Kind.RADIOGRAPH if as_film else Kind.PHOTO,
        meaning=Meaning.DISPLAY if as_film else Meaning.PHOTO,
        spacing=spacing,
        ceiling=255.0,
        acquisition=replace(header.acquisition, frame=frame if header.frames > 1 else None),
        decided="colour DICOM taken as a radiograph as asked: luminance" if as_film else "colour DICOM",
        warnings=(*scale_words, *_lossy_words(header)),
    )


def _eight_bit(stored: Pixels, header: Header) -> Pixels:
    # A palette's entries are 16 bit whatever the pixels are.
    bits = stored.dtype.itemsize * 8 if header.photometric == "PALETTE COLOR" else header.bits_stored or 8
    return (stored >> max(bits - 8, 0)).astype(np.uint8)
