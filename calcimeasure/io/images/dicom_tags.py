"""What a DICOM header states, tag by tag: scale, exposure, polarity, tables.

A tag that cannot be read states nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.sequence import Sequence
from pydicom.uid import UID, UID_dictionary

from calcimeasure.io.images.dicom_header import Header
from calcimeasure.io.images.keyed import keyed_hash
from calcimeasure.io.images.part10 import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
)
from calcimeasure.io.images.spacing import Stated, aspect_of
from calcimeasure.io.images.terms import TERMS
from calcimeasure.io.images.value_table import Trend, ValueTable, table_of, trend_of
from calcimeasure.model.image import Acquisition

_LOSSY = tuple("1.2.840.10008.1.2.4." + tail for tail in ("50", "51", "81"))
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
# What pydicom raises while it turns a stored element into a value.
BAD_ELEMENT = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    OSError,
    BytesLengthException,
)


def header_of(dataset: Dataset, following: tuple[int, int]) -> Header:
    """The facts of a data set; `following` is the (group, element) of the tag that comes after it: which pixels."""
    get = TagReader(dataset)
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


def _stated(get: TagReader) -> Stated:
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


def _unreadable_spacings(get: TagReader, grouped: set[tuple[float, float] | None]) -> tuple[str, ...]:
    plain = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
    found = tuple(keyword for keyword in plain if get.stated(keyword) and get.pair(keyword) is None)
    return found if len(grouped) < 2 and None not in grouped else (*found, "PixelSpacing of the functional groups")


def _grouped_spacings(get: TagReader) -> set[tuple[float, float] | None]:
    """Every PixelSpacing of the functional groups of enhanced objects; `None` is one that cannot be read."""
    groups = (*get.items("SharedFunctionalGroupsSequence"), *get.items("PerFrameFunctionalGroupsSequence"))
    measures = [TagReader(one) for group in groups for one in TagReader(group).items("PixelMeasuresSequence")]
    return {one.pair("PixelSpacing") for one in measures if one.stated("PixelSpacing")}


def _acquisition(get: TagReader, syntax: UID | None) -> Acquisition:
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


def _undisclosed(get: TagReader) -> Iterator[tuple[str, str]]:
    for fact, keyword in _IN_TERMS.items():
        if get.code(keyword) is None and (mark := _mark(get, keyword)):
            yield fact, mark


def _mark(get: TagReader, *keywords: str) -> str | None:
    """A digest of what the header says in these elements, `None` when it says nothing."""
    told = [get.text(keyword) or "" for keyword in keywords]
    return keyed_hash("/".join(told)) if any(told) else None


def _taken(get: TagReader) -> str | None:
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
    stated = TagReader(dataset).meta_uid("TransferSyntaxUID")
    if stated:
        return UID(stated)
    implicit, little = dataset.original_encoding
    if little is False:
        return UID(EXPLICIT_BIG)
    return UID(IMPLICIT_LITTLE if implicit else EXPLICIT_LITTLE)


def _shape(get: TagReader) -> tuple[float, float] | None:
    """Height and width of a pixel, in any unit: by a spacing, else by the aspect ratio."""
    return next(filter(None, map(get.pair, (*_SPACINGS, "PixelAspectRatio"))), None)


def _shape_contradicts(get: TagReader) -> bool:
    by_spacing, ratio = _shape(get), get.pair("PixelAspectRatio")
    return bool(by_spacing and ratio) and aspect_of(by_spacing) != aspect_of(ratio)


def _as_pixel(get: TagReader, keyword: str) -> float | None:
    """A padding as the pixels would hold it: its VR may have another sign than they have."""
    value, allocated = get.integer(keyword), get.integer("BitsAllocated")
    if value is None or allocated not in (8, 16, 32):
        return get.number(keyword)
    word = value % (1 << allocated)
    bits = get.integer("BitsStored") or allocated
    bits = bits if word >> bits == 0 else allocated
    return word - (1 << bits) if get.integer("PixelRepresentation") == 1 and word >> (bits - 1) else word


def _overlay_bits(get: TagReader) -> int:
    """Mask of the bits of a word that hold overlay planes, as was done before 2007."""
    mask = 0
    for group in range(0x6000, 0x6020, 2):
        place = get.integer((group, 0x0102))
        if get.raw((group, 0x0100)) not in (None, 1) and place is not None and 0 < place < 16:
            mask |= 1 << place
    return mask


def _voi_trend(get: TagReader) -> Trend | None:
    """Where the VOI tables go; one that cannot be read says nothing."""
    tables = []
    for item in get.items("VOILUTSequence"):
        with suppress(ValueError):
            tables.append(table_at(item, signed=True))
    return trend_of(tables)


def table_at(item: Dataset, *, signed: bool) -> ValueTable:
    """The value table of an item of a LUT sequence; raises ValueError when it is none."""
    get = TagReader(item)
    data = get.raw("LUTData")
    if isinstance(data, bytes):
        swapped = item["LUTData"].VR == "OW" and item.original_encoding[1] is False
        packed = np.frombuffer(data, ">u2").astype("<u2").tobytes() if swapped else data
    else:
        packed = np.asarray(get.numbers("LUTData") or (), np.int64).astype("<u2").tobytes()
    return table_of(get.numbers("LUTDescriptor") or (), packed, signed=signed)


@dataclass(frozen=True, slots=True)
class TagReader:
    """Elements of a data set as plain values; whatever is absent or malformed is `None`."""

    dataset: Dataset

    def raw(self, keyword: str | tuple[int, int]) -> Any:
        """What is stored under a tag; `None` where there is nothing or it cannot be read."""
        try:
            value = self.dataset.get(keyword)
            value = value.value if isinstance(value, DataElement) else value
        except BAD_ELEMENT:
            return None
        return None if value is None or value == "" else value

    def stated(self, keyword: str) -> bool:
        """Whether the element is there and not empty, readable or not."""
        try:
            return keyword in self.dataset and bool(self.dataset.get_item(keyword).value)
        except BAD_ELEMENT:
            return True

    def items(self, keyword: str) -> tuple[Dataset, ...]:
        """The items of a sequence; none when it is absent or no sequence."""
        value = self.raw(keyword)
        return tuple(value) if isinstance(value, Sequence) else ()

    def unreadable(self, keyword: str) -> bool:
        """Whether the element is there with a value that is no number."""
        try:
            there = bool(self.dataset[keyword].value not in (None, "")) if keyword in self.dataset else False
        except BAD_ELEMENT:
            return True
        return there and self.number(keyword) is None

    def number(self, keyword: str | tuple[int, int]) -> float | None:
        """A finite number; `None` for anything else."""
        try:
            number = float(self.raw(keyword))
        except BAD_ELEMENT:
            return None
        return number if math.isfinite(number) else None

    def positive(self, keyword: str) -> float | None:
        """A number above 0; `None` for anything else."""
        number = self.number(keyword)
        return number if number is not None and number > 0 else None

    def integer(self, keyword: str | tuple[int, int]) -> int | None:
        """A whole number; `None` for anything else."""
        number = self.number(keyword)
        return int(number) if number is not None and number == int(number) else None

    def numbers(self, keyword: str) -> tuple[float, ...] | None:
        """Finite numbers, one or more; `None` for anything else."""
        value = self.raw(keyword)
        try:
            numbers = tuple(float(v) for v in ([value] if isinstance(value, int | float | str) else value))
        except BAD_ELEMENT:
            return None
        return numbers if numbers and all(map(math.isfinite, numbers)) else None

    def pair(self, keyword: str) -> tuple[float, float] | None:
        """Two numbers above 0; `None` for anything else."""
        numbers = self.numbers(keyword)
        return (numbers[0], numbers[1]) if numbers and len(numbers) == 2 and min(numbers) > 0 else None

    def text(self, keyword: str) -> str | None:
        """Text without what cannot be printed; `None` where nothing is left."""
        value = self.raw(keyword)
        printable = "".join(c for c in str(value) if c.isprintable()).strip() if isinstance(value, str) else ""
        return printable[:64] or None

    def code(self, keyword: str) -> str | None:
        """The term that the standard knows for this element; any other word is `None`, and so never repeated."""
        text = (self.text(keyword) or "").upper()
        return text if text in TERMS[keyword] else None

    def codes(self, keyword: str) -> tuple[str, ...]:
        """Coded strings, in the order of the file."""
        value = self.raw(keyword)
        return tuple(str(v) for v in ([value] if isinstance(value, str) else value or ()))

    def uid(self, keyword: str) -> str | None:
        """A UID of digits and dots; `None` for anything else."""
        value = self.raw(keyword)
        return str(value) if isinstance(value, str) and re.fullmatch(r"[0-9.]{1,64}", value) else None

    def meta_uid(self, keyword: str) -> str | None:
        """A UID of the file's meta header."""
        meta = getattr(self.dataset, "file_meta", None)
        return None if meta is None else TagReader(meta).uid(keyword)

    def window(self) -> tuple[float, float] | None:
        """Centre and width of the first window."""
        centre, width = self.numbers("WindowCenter"), self.numbers("WindowWidth")
        return (centre[0], width[0]) if centre and width and width[0] > 0 else None

    def negative_window(self) -> bool:
        """Whether a window has a negative width, which some programs show turned over."""
        return any(width < 0 for width in self.numbers("WindowWidth") or ())
