"""A scale read from the picture itself: from a printed marker, a ruler or two points."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.image import Mask, Spacing
from calcimeasure.model.plane import Homography as Homography
from calcimeasure.model.plane import ObjectPlane, PlaneError


class ScaleMethod(StrEnum):
    """What in the picture gave the scale."""

    MARKER = "marker"
    RULER = "ruler"
    POINTS = "points"


class ScaleSource(StrEnum):
    """Where measuring takes its scale from; a user's own spacing beats them all."""

    FILE = "file"
    AUTO = "auto"
    MARKER = "marker"
    RULER = "ruler"


@dataclass(frozen=True, slots=True)
class ScaleRequest:
    """How the scale of a picture is to be found.

    Parameters
    ----------
    source : ScaleSource
        ``FILE`` takes what the file says, ``AUTO`` looks for a marker and then a ruler in photos, the others look
        for that and nothing else, in any picture.
    marker_mm : float or None
        Side of the printed marker's black square as measured on paper.
    ruler_mm : float or None
        Distance of neighbouring ticks of the ruler, where a person says it.
    points : tuple of float or None
        Row and column of two points and the mm between them; beats `source`.
    object_mm : float or None
        Height of the part over the detector, to correct the magnification of a detector-plane spacing.
    source_mm : float or None
        Distance from the tube's focus to the detector where the file does not say; beats the file's.
    """

    source: ScaleSource = ScaleSource.FILE
    marker_mm: float | None = None
    points: tuple[float, float, float, float, float] | None = None
    object_mm: float | None = None
    source_mm: float | None = None
    ruler_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """Millimetres per pixel as read from a picture, or the reason why there are none.

    Parameters
    ----------
    method : ScaleMethod or None
        What gave the scale, or what was tried and refused; `None` when nothing was found.
    spacing : Spacing or None
        Spacing at the marker, along the ruler or between the points, with its relative error; `None` is refused
        or not found.
    unsure : bool
        Whether a person must confirm the spacing before it is used; always true without a spacing.
    reason : str
        Why it is unsure, refused or not found, and what to do; empty for a sure scale.
    tilt_degrees : float or None
        Angle between the marker's plane and the sensor.
    homography : 3 x 3 tuples of float, or None
        From pixel (column, row, 1), centres whole, to mm in the marker's plane.
    reprojection_px : float or None
        Root mean square distance between the marker corners and where the plane puts them.
    error : PlaneError or None
        How well lengths are known away from the marker.
    """

    method: ScaleMethod | None
    spacing: Spacing | None
    unsure: bool = False
    reason: str = ""
    tilt_degrees: float | None = None
    homography: Homography | None = None
    reprojection_px: float | None = None
    error: PlaneError | None = None

    def __post_init__(self) -> None:
        if (self.spacing is None or self.unsure) and not self.reason:
            raise ValueError("a scale that is missing or unsure must say why")
        if self.spacing is None and not self.unsure:
            raise ValueError("a scale without a spacing cannot be sure")

    @classmethod
    def refused(
        cls,
        reason: str,
        method: ScaleMethod | None = None,
        tilt_degrees: float | None = None,
        reprojection_px: float | None = None,
    ) -> Scale:
        """No scale, and why."""
        return cls(method, None, True, reason, tilt_degrees, None, reprojection_px)

    @property
    def plane(self) -> ObjectPlane | None:
        """The marker's plane; `None` where there is none."""
        if self.homography is None:
            return None
        return ObjectPlane(self.homography, self.tilt_degrees, self.reprojection_px, self.error)

    @property
    def sd(self) -> float | None:
        """Standard deviation of the spacing, in mm per px."""
        return None if self.spacing is None else self.spacing.relative_sd * self.spacing.mean_mm

    @property
    def px_per_mm(self) -> float | None:
        """Pixels in a millimetre."""
        return None if self.spacing is None else 1 / self.spacing.mean_mm

    def pixel_area_mm2(self, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
        """Area of every pixel, in mm2, shape (rows, columns); NaN beyond the horizon of the marker's plane.

        Raises
        ------
        MeasurementRefused
            When there is no spacing.
        """
        rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])[None, :]
        return np.broadcast_to(self._area_at(rows, columns), shape)

    def area_mm2(self, mask: Mask) -> float:
        """Area of the true pixels, in mm2, measured in the marker's plane where there is one.

        Raises
        ------
        MeasurementRefused
            When there is no spacing, or when the region reaches beyond the horizon of the marker's plane.
        """
        rows, columns = np.nonzero(mask)
        area = float(np.sum(np.broadcast_to(self._area_at(rows, columns), rows.shape)))
        if np.isnan(area):
            raise MeasurementRefused(
                "the region reaches beyond the horizon of the marker's plane: photograph it from above"
            )
        return area

    def _area_at(self, rows: npt.NDArray[np.int_], columns: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
        if self.spacing is None:
            raise MeasurementRefused(f"there is no scale: {self.reason}")
        if self.plane is None:
            return np.asarray(self.spacing.pixel_mm2)
        return self.plane.pixel_mm2(rows, columns)
