"""What a DICOM header says, as plain values, and what follows from it: kind, meaning, polarity.

Nothing here needs pydicom: ``io/dicom.py`` fills the fields.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from calcimeasure.errors import DamagedFile, FrameNeeded, UnsupportedFile
from calcimeasure.io.images.spacing import Stated
from calcimeasure.io.images.value_table import Trend
from calcimeasure.model.image import Acquisition, Kind, Meaning

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_SECONDARY_CAPTURE = tuple(_STORAGE + tail for tail in ("7", "7.1", "7.2", "7.3", "7.4"))
_VOLUMES = {"CT": "CT", "MR": "MR", "PT": "PET", "NM": "nuclear medicine", "ST": "SPECT"}
# SOP class tails (after the storage root) that are sound DICOM but no film and no photo. Longest match wins.
_NOT_PICTURES = {
    "66": "raw data or registration",
    "66.4": "a segmentation (SEG)",
    "66.7": "a segmentation (SEG)",
    "88": "a structured report (SR)",
    "481": "a radiotherapy object (RT)",
    "11": "a presentation state (PR)",
    "9": "a waveform (ECG)",
    "104": "an encapsulated document (PDF, CDA or STL)",
    "30": "a parametric map",
    "77.1.6": "a whole-slide image (SM)",
    "77.1.5": "an ophthalmic image",
    "77.1.1.1": "a video",
    "77.1.2.1": "a video",
    "77.1.4.1": "a video",
    "6": "an ultrasound image (US)",
    "3": "an ultrasound cine (US)",
}
_VOLUME_CLASSES = {
    "2": "CT",
    "4": "MR",
    "128": "PET",
    "130": "PET",
    "20": "nuclear medicine",
    "13.1.1": "3-D angiography",
    "13.1.2": "3-D craniofacial",
    "13.1.3": "breast tomosynthesis",
    "13.1.4": "breast tomosynthesis",
    "13.1.5": "breast tomosynthesis",
}
_DICOMDIR = "1.2.840.10008.1.3.10"
GREY = ("MONOCHROME1", "MONOCHROME2")


@dataclass(frozen=True, slots=True)
class Header:
    """The facts of a header that decide how its pixels are read; `None` is absent or malformed."""

    sop_class: str | None = None
    modality: str | None = None
    rows: int | None = None
    columns: int | None = None
    frames: int = 1
    samples: int = 1
    bits_allocated: int | None = None
    bits_stored: int | None = None
    high_bit: int | None = None
    planar: bool = False
    overlay_bits: int = 0
    signed: bool = False
    photometric: str | None = None
    lut_shape: str | None = None
    intent: str | None = None
    relationship: str | None = None
    sign: int | None = None
    rescale_slope: float | None = None
    rescale_intercept: float | None = None
    rescale_type: str | None = None
    rescale_unreadable: bool = False
    tabled: bool = False
    voi: Trend | None = None
    padding: float | None = None
    padding_limit: float | None = None
    window: tuple[float, float] | None = None
    window_negative: bool = False
    window_exact: bool = False
    aspect: tuple[float, float] | None = None
    aspect_doubtful: bool = False
    has_pixels: bool = False
    has_float_pixels: bool = False
    lossy: bool | None = None
    transfer_syntax: str | None = None
    stated: Stated = field(default_factory=Stated)
    acquisition: Acquisition = field(default_factory=Acquisition)

    @property
    def colour(self) -> bool:
        """Whether the pixels are colour."""
        return self.photometric not in GREY

    @property
    def secondary_capture(self) -> bool:
        """Whether the picture was captured or scanned, not made by the device that took it."""
        return self.sop_class in _SECONDARY_CAPTURE

    @property
    def padding_word(self) -> int | None:
        """The padding as an unsigned word of the pixels; its value may be written in the other sign than they are."""
        return None if self.padding is None else int(self.padding) % (1 << (self.bits_allocated or 16))

    @property
    def bounds(self) -> tuple[int, int]:
        """Lowest and highest value that the stored bits can hold."""
        bits = self.bits_stored or self.bits_allocated or 0
        return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if self.signed else (0, (1 << bits) - 1)


def volume_name(header: Header) -> str | None:
    """The sort of volume (CT, MR ...) that a header belongs to, or `None`."""
    by_class = _longest(header.sop_class, _VOLUME_CLASSES)
    if by_class or _longest(header.sop_class, _NOT_PICTURES):
        return by_class
    return _VOLUMES.get(header.modality or "")


def kind_and_meaning(header: Header) -> tuple[Kind, Meaning, str]:
    """What the picture is, what its brightness is worth, and how that was decided.

    ``DETECTOR`` only where summing is honest: raw images (FOR PROCESSING) that are not marked as display values, and
    CR or DX stated to be linear or logarithmic in the beam that were not prepared for presentation.
    """
    if volume := volume_name(header):
        hounsfield = volume == "CT" and not header.secondary_capture
        return Kind.VOLUME, Meaning.HOUNSFIELD if hounsfield else Meaning.DISPLAY, f"{volume} by its DICOM class"
    if header.colour:
        return Kind.PHOTO, Meaning.PHOTO, "colour DICOM"
    if header.secondary_capture:
        return Kind.RADIOGRAPH, Meaning.DISPLAY, "greyscale DICOM secondary capture: values are for looking at"
    if header.rescale_type in ("OD", "OD REL"):
        return Kind.RADIOGRAPH, Meaning.DISPLAY, "DICOM radiograph in optical density: the film's curve is unknown"
    if header.tabled:
        return Kind.RADIOGRAPH, Meaning.DISPLAY, "DICOM radiograph through a value table of its device"
    if header.intent == "FOR PROCESSING" and header.relationship != "DISP":
        relation = header.relationship or "relationship to the beam not stated"
        return Kind.RADIOGRAPH, Meaning.DETECTOR, f"DICOM radiograph FOR PROCESSING: raw detector values ({relation})"
    return _plain_radiograph(header)


def _plain_radiograph(header: Header) -> tuple[Kind, Meaning, str]:
    beam = header.relationship in ("LIN", "LOG")
    if beam and header.modality in ("CR", "DX") and header.intent != "FOR PRESENTATION":
        return Kind.RADIOGRAPH, Meaning.DETECTOR, f"DICOM radiograph stated to be {header.relationship} in the beam"
    if header.intent == "FOR PRESENTATION":
        return Kind.RADIOGRAPH, Meaning.DISPLAY, "DICOM radiograph FOR PRESENTATION: processed for looking at"
    return Kind.RADIOGRAPH, Meaning.DISPLAY, "DICOM radiograph that does not say it holds raw values"


def check_picture(header: Header, name: str, kind: Kind | None) -> None:
    """Nothing, or the reason why a header holds nothing that is measured.

    Raises
    ------
    UnsupportedFile
        Volumes, reports, segmentations and other objects without a film or photo.
    DamagedFile
        A picture whose header lacks what decoding needs.
    """
    forced_capture = kind is Kind.RADIOGRAPH and header.secondary_capture
    if (volume := volume_name(header)) and not forced_capture:
        raise UnsupportedFile(f"{name}: volumes (CT, MR) are not supported yet (this one is {volume})")
    if header.sop_class == _DICOMDIR:
        raise UnsupportedFile(f"{name}: is a DICOMDIR, an index of other files; name the images")
    if other := _longest(header.sop_class, _NOT_PICTURES):
        raise UnsupportedFile(f"{name}: is {other}, not a film or photo")
    if header.has_float_pixels:
        raise UnsupportedFile(f"{name}: its pixels are floating-point numbers; only whole numbers are read")
    if not header.has_pixels:
        raise UnsupportedFile(f"{name}: is DICOM without pixels")
    _check_complete(header, name)


def _check_complete(header: Header, name: str) -> None:
    needed = {
        "Rows": header.rows,
        "Columns": header.columns,
        "BitsAllocated": header.bits_allocated,
        "PhotometricInterpretation": header.photometric,
    }
    missing = [keyword for keyword, value in needed.items() if value is None]
    if missing:
        raise DamagedFile(f"{name}: the header lacks {', '.join(missing)}, so its pixels cannot be decoded")
    allocated, stored = header.bits_allocated or 0, header.bits_stored or header.bits_allocated or 0
    if allocated not in (1, 8, 16, 32) or not 1 <= stored <= allocated:
        raise DamagedFile(f"{name}: declares {stored} of {allocated} bits a pixel, which no image has")
    if header.samples != (1 if header.photometric in (*GREY, "PALETTE COLOR") else 3):
        raise DamagedFile(f"{name}: declares {header.samples} samples a pixel, but {header.photometric}")


def chosen_frame(name: str, frame: int | None, frames: int) -> int:
    """Frame to read, counted from 1.

    Raises
    ------
    FrameNeeded
        When there are several and none was named, or the named one is not there.
    """
    if frame is None and frames > 1:
        raise FrameNeeded(f"{name}: holds {frames} frames; name one with --frame 1 to {frames}")
    if frame is not None and not 1 <= frame <= frames:
        raise FrameNeeded(f"{name}: has no frame {frame}; it holds {frames} (counted from 1)")
    return frame or 1


def _longest(sop_class: str | None, table: dict[str, str]) -> str | None:
    """The entry of the longest tail in the table that this SOP class equals or lies below."""
    if sop_class is None or not sop_class.startswith(_STORAGE):
        return None
    parts = sop_class.removeprefix(_STORAGE).split(".")
    for count in range(len(parts), 0, -1):
        if found := table.get(".".join(parts[:count])):
            return found
    return None
