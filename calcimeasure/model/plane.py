"""The plane that a photo shows, where a marker tells how it lies: millimetres of every pixel of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from calcimeasure.model.arrays import Floats

Homography = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]

_HORIZON = 1e-9  # of the third coordinate, which is 1 at the markers


@dataclass(frozen=True, slots=True)
class ObjectPlane:
    """A flat object seen from any side: which millimetre lies at which pixel.

    Parameters
    ----------
    homography : 3 x 3 tuples of float
        From pixel (column, row, 1), centres whole, to mm in the plane; its third coordinate is positive on this side
        of the horizon, and about 1 at the markers.
    tilt_degrees : float or None
        Angle between the plane and the sensor.
    reprojection_px : float or None
        Root mean square distance between the marker corners and where the plane puts them.
    """

    homography: Homography
    tilt_degrees: float | None = None
    reprojection_px: float | None = None

    @property
    def matrix(self) -> Floats:
        """The homography as an array, shape (3, 3)."""
        return np.array(self.homography)

    def pixel_mm2(self, rows: npt.NDArray[Any], columns: npt.NDArray[Any]) -> Floats:
        """Area of the pixels at these places, in mm2; NaN beyond the horizon.

        d(X, Y)/d(x, y) of a homography has the determinant det(H) / w^3, w being its third row times (x, y, 1).
        """
        return np.asarray(np.abs(np.linalg.det(self.matrix)) / self._w(rows, columns) ** 3)

    def run_mm2(self, row: npt.NDArray[Any], start: npt.NDArray[Any], stop: npt.NDArray[Any]) -> Floats:
        """Area of runs of pixels side by side, from column `start` to the one before `stop`, in mm2.

        The integral of `pixel_mm2` along the run, which ends half a pixel beyond the outer centres, is
        det(H) n (w1 + w2) / (2 w1^2 w2^2), with w1 and w2 at its ends: no sum over pixels is needed.
        """
        first, last = self._w(row, start - 0.5), self._w(row, stop - 0.5)
        mean = (first + last) / (2 * (first * last) ** 2)
        return np.asarray(np.abs(np.linalg.det(self.matrix)) * (stop - start) * mean)

    def points_mm(self, rows: npt.NDArray[Any], columns: npt.NDArray[Any]) -> Floats:
        """Places in the plane, shape (..., 2); NaN beyond the horizon."""
        upper = self.matrix[:2]
        flat = upper[:, 0] * np.asarray(columns)[..., None] + upper[:, 1] * np.asarray(rows)[..., None] + upper[:, 2]
        return np.asarray(flat / self._w(rows, columns)[..., None])

    def steps_mm(self, rows: npt.NDArray[Any], columns: npt.NDArray[Any]) -> Floats:
        """What one column and one row further is in the plane: the Jacobian, shape (..., 2, 2), its columns these."""
        matrix, w = self.matrix, self._w(rows, columns)[..., None, None]
        there = self.points_mm(rows, columns)[..., None]
        return np.asarray((matrix[:2, :2] - there * matrix[2, :2]) / w)

    def _w(self, rows: npt.NDArray[Any], columns: npt.NDArray[Any]) -> Floats:
        matrix = self.matrix
        w = matrix[2, 0] * columns + matrix[2, 1] * rows + matrix[2, 2]
        return np.asarray(np.where(w > _HORIZON, w, np.nan))
