"""A picture and the facts about it: scale with its origin, meaning of brightness, how it was taken."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from calcimeasure.model.plane import ObjectPlane

Pixels = npt.NDArray[Any]
#: No film has more levels of grey; values spread wider are compared as they are.
_MOST_LEVELS = 1 << 17
Mask = npt.NDArray[np.bool_]


class Kind(StrEnum):
    """What sort of picture a file holds."""

    RADIOGRAPH = "radiograph"
    PHOTO = "photo"
    VOLUME = "volume"


class Meaning(StrEnum):
    """What brightness is worth.

    ``DETECTOR`` is linear or logarithmic in beam intensity and may be summed; ``DISPLAY`` has been
    processed for looking at, so that only outlines and relative contrast are honest; ``PHOTO`` is
    colour; ``HOUNSFIELD`` is CT.
    """

    DETECTOR = "detector"
    DISPLAY = "display"
    PHOTO = "photo"
    HOUNSFIELD = "hounsfield"


class Polarity(StrEnum):
    """Whether the reader turned brightness over so that deposits are bright."""

    AS_STORED = "as_stored"
    TURNED_OVER = "turned_over"


class SpacingOrigin(StrEnum):
    """Where a pixel spacing comes from; two origins are never mixed silently.

    The order follows the rule of DICOM PS3.3 10.7.1 and of cornerstone's ``getPixelSpacingInformation``.
    """

    USER = "user"
    MARKER = "marker"
    RULER = "ruler"
    POINTS = "points"
    FIDUCIAL = "fiducial"
    GEOMETRY = "geometry"
    OBJECT_DISTANCE = "object_distance"
    FILE = "file"
    MODALITY_CORRECTED = "modality_corrected"
    ERMF = "ermf"
    DETECTOR_PLANE = "detector_plane"
    DETECTOR_ONLY = "detector_only"
    UNCERTAIN = "uncertain"
    NOMINAL = "nominal"


#: Relative standard deviation of a length by the origin of its scale. Unknown magnification rules the
#: detector-plane origins: a part 5-30 mm above the detector at 1 m reads 0.5-3 % too long.
RELATIVE_SD = {
    SpacingOrigin.USER: 0.005,
    SpacingOrigin.MARKER: 0.01,
    SpacingOrigin.RULER: 0.02,
    SpacingOrigin.POINTS: 0.01,
    SpacingOrigin.FIDUCIAL: 0.01,
    SpacingOrigin.GEOMETRY: 0.015,
    SpacingOrigin.OBJECT_DISTANCE: 0.01,
    SpacingOrigin.FILE: 0.02,
    SpacingOrigin.MODALITY_CORRECTED: 0.02,
    SpacingOrigin.ERMF: 0.02,
    SpacingOrigin.DETECTOR_PLANE: 0.02,
    SpacingOrigin.DETECTOR_ONLY: 0.02,
    SpacingOrigin.UNCERTAIN: 0.03,
    SpacingOrigin.NOMINAL: 0.05,
}


@dataclass(frozen=True, slots=True)
class Spacing:
    """Millimetres per pixel with their origin.

    Parameters
    ----------
    row_mm, column_mm : float
        Distance between the centres of neighbouring rows (vertical) and columns (horizontal), in mm.
        The order is DICOM's: row spacing first.
    origin : SpacingOrigin
        Where the value comes from.
    relative_sd : float
        Standard deviation of a length, as a share of it; an area has twice that.
    components : tuple of (str, float)
        What `relative_sd` consists of, where that is known; the squares add up.

    Raises
    ------
    ValueError
        For a spacing that is not a positive finite number: an unknown scale is `None`, never 0 or 1.
    """

    row_mm: float
    column_mm: float
    origin: SpacingOrigin
    relative_sd: float
    components: tuple[tuple[str, float], ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        if not all(np.isfinite(mm) and mm > 0 for mm in (self.row_mm, self.column_mm)):
            raise ValueError(f"pixel spacing must be positive, got {self.row_mm} x {self.column_mm}; unknown is None")

    @classmethod
    def of(cls, row_mm: float, column_mm: float, origin: SpacingOrigin) -> Spacing:
        """Spacing with the relative error that its origin usually has."""
        return cls.with_errors(float(row_mm), float(column_mm), origin, **{origin.value: RELATIVE_SD[origin]})

    @classmethod
    def with_errors(cls, row_mm: float, column_mm: float, origin: SpacingOrigin, **errors: float) -> Spacing:
        """Spacing whose relative errors are independent and known one by one."""
        return cls(row_mm, column_mm, origin, math.hypot(*errors.values()), tuple(errors.items()))

    def shaped(self, aspect: float) -> Spacing:
        """The same width of a pixel, as tall as `aspect` (height over width) says; one that is not square stays."""
        return self if self.row_mm != self.column_mm else replace(self, row_mm=self.column_mm * aspect)

    @property
    def pixel_mm2(self) -> float:
        """Area of one pixel, in mm2."""
        return self.row_mm * self.column_mm

    @property
    def mean_mm(self) -> float:
        """Side of the square pixel of equal area, in mm."""
        return float(np.sqrt(self.pixel_mm2))

    @property
    def sd_mm(self) -> float:
        """Standard deviation of `mean_mm`."""
        return self.relative_sd * self.mean_mm


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How the picture was taken, as far as the file says; kept to judge whether two visits compare.

    Every field is `None` when the file does not say, or says it in words that the standard does not know. Nothing here
    identifies a patient: `device`, `processing`, `patient` and `born` are keyed hashes, for they are compared between
    visits and never shown; `undisclosed` has those of modality, view and site where they are stated in other words.
    They are equal where two files of one run say the same; another run makes others. They and `taken` (YYYYMMDD,
    HHMMSS behind it where known) are written nowhere. `pixel_aspect` is the height of a pixel of the upright picture
    over its width, `None` for square ones.
    """

    modality: str | None = None
    side: str | None = None
    view: str | None = None
    body_part: str | None = None
    kvp: float | None = None
    lossy: bool | None = None
    photometric: str | None = None
    intent: str | None = None
    intensity_relationship: str | None = None
    transfer_syntax: str | None = None
    frame: int | None = None
    frames: int | None = None
    bits: int | None = None
    exposure_index: float | None = None
    source_distance_mm: float | None = None
    pixel_aspect: float | None = None
    device: str | None = field(default=None, repr=False)
    processing: str | None = field(default=None, repr=False)
    undisclosed: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    patient: str | None = field(default=None, repr=False)
    born: str | None = field(default=None, repr=False)
    taken: str | None = field(default=None, repr=False)

    def mark_of(self, fact: str) -> str | None:
        """The hash of a fact that is compared and never shown; `None` when the file does not state it."""
        return {"device": self.device, "processing": self.processing, **dict(self.undisclosed)}.get(fact)


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A picture as measured: upright, deposits bright, scale known or honestly `None`.

    Parameters
    ----------
    pixels : array, shape (rows, columns) or (rows, columns, 3)
        Modality values (never windowed) of a radiograph, bright = attenuating, in the dtype of the
        file (uint8, uint16, int32, float32 ...), or RGB uint8 of a photo. Made read-only here.
    kind, meaning : Kind, Meaning
        What the picture is, and what its brightness is worth.
    spacing : Spacing or None
        Scale; `None` is unknown.
    valid : bool array, shape (rows, columns), or None
        False where there is no picture (padding, shutter); `None` means valid everywhere.
    polarity : Polarity
        Whether the reader turned the values over.
    ceiling : float or None
        Highest value the file's bit depth can hold after reading; pixels at it are saturated.
    window : tuple of float or None
        (low, high) values that a viewer should show as black and white; for pictures only.
    acquisition : Acquisition
        Facts for comparing visits.
    decided : str
        How kind and meaning were decided, in words.
    warnings : tuple of str
        What a reader of the number ought to know.
    plane : ObjectPlane or None
        How the photographed plane lies, from a marker: areas and lengths are then measured in it, and `spacing` is
        that at the marker. `None` is a plane that faces the sensor.
    """

    pixels: Pixels
    kind: Kind
    meaning: Meaning
    spacing: Spacing | None = None
    valid: Mask | None = None
    polarity: Polarity = Polarity.AS_STORED
    ceiling: float | None = None
    window: tuple[float, float] | None = None
    acquisition: Acquisition = field(default_factory=Acquisition)
    decided: str = ""
    warnings: tuple[str, ...] = ()
    plane: ObjectPlane | None = None

    def __post_init__(self) -> None:
        if self.plane is not None and self.spacing is None:
            raise ValueError("a plane without a spacing: an unknown scale has neither")
        object.__setattr__(self, "pixels", frozen_array(self.pixels))
        if self.valid is not None:
            object.__setattr__(self, "valid", frozen_array(np.asarray(self.valid, bool)))

    def __repr__(self) -> str:
        rows, columns = self.shape
        return (
            f"<Image {self.kind} {rows}x{columns} {self.pixels.dtype} meaning={self.meaning} "
            f"polarity={self.polarity} spacing={self.spacing!r}>"
        )

    @property
    def aspect(self) -> float:
        """Height of a pixel over its width, as the file says; 1 when it says nothing."""
        return self.acquisition.pixel_aspect or 1.0

    @property
    def pixels_sha256(self) -> str:
        """A hash of shape and values: the same for the same picture, whatever file or number of bits it came in.

        Whole values are counted from the lowest, in the steps that occur: 8 bits saved as 16 are the same picture.
        """
        values = _counted(self.pixels).astype(np.float32)
        digest = hashlib.sha256(repr(values.shape).encode())
        digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.pixels.shape[0]), int(self.pixels.shape[1])

    def with_spacing(self, spacing: Spacing | None, plane: ObjectPlane | None = None) -> Image:
        """The same picture with another scale; the plane belongs to the scale, so the old one goes."""
        return replace(self, spacing=spacing, plane=plane)

    def with_warning(self, *warnings: str) -> Image:
        """The same picture with more to know about it; a warning already there is not repeated."""
        fresh = tuple(w for w in dict.fromkeys(warnings) if w not in self.warnings)
        return replace(self, warnings=self.warnings + fresh)


def frozen_array(array: Pixels) -> Pixels:
    """The array as a read-only one; a writable array is copied first, so that its owner cannot change ours."""
    if not array.flags.writeable and array.base is None:
        return array
    mine = array.copy()
    mine.flags.writeable = False
    return mine


def _counted(values: Pixels) -> npt.NDArray[Any]:
    """Whole values from 0 up, divided by the step that they all are multiples of; others as they are."""
    if values.dtype.kind not in "iu" or not values.size:
        return values
    from_zero = values.astype(np.int64) - int(values.min())
    if from_zero.max() > _MOST_LEVELS:
        return values
    step = int(np.gcd.reduce(np.flatnonzero(np.bincount(from_zero.ravel()))))
    return np.asarray(from_zero // max(step, 1))
