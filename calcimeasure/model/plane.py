"""The plane that a photo shows, where a marker tells how it lies: millimetres of every pixel of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Homography = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]

# A sheet beside a deposit lies so many mm over or under it, and more by this share of the distance from its markers:
# paper curls and skin is round.
_HEIGHT_MM, _SLOPE = 0.5, 0.08
_HORIZON = 1e-9  # of the third coordinate, which is 1 at the markers


@dataclass(frozen=True, slots=True)
class PlaneError:
    """How well a length is known at every place of a plane that printed markers gave.

    Parameters
    ----------
    covariance : 4 x 4 tuples of float
        Of half the logarithm of the homography's determinant, and of the three numbers of its third row.
    print_sd : float
        Of the size of the markers, as a share of it.
    lens_sd : float
        Of the radial distortion k: a point at r half diagonals from the middle is shown at r (1 + k r^2).
    camera_mm : float
        Distance between camera and markers.
    markers : tuple of (float, float)
        Their middles, (x, y) in px.
    middle : tuple of float
        Of the picture, (x, y) in px; its length is half the diagonal.
    """

    covariance: tuple[tuple[float, ...], ...]
    print_sd: float
    lens_sd: float
    camera_mm: float
    markers: tuple[tuple[float, float], ...]
    middle: tuple[float, float]

    def radius2(self, points: Floats) -> Floats:
        """Squared distance from the middle, in half diagonals, of points (x, y)."""
        middle = np.array(self.middle)
        return np.asarray(((points - middle) ** 2).sum(axis=-1) / (middle**2).sum())

    def height_sd(self, apart_mm: Floats) -> Floats:
        """Standard deviation of a length by how far from the markers it lies: depth changes what is seen."""
        return np.asarray(np.hypot(_HEIGHT_MM, _SLOPE * apart_mm) / self.camera_mm)


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
    error : PlaneError or None
        How well lengths are known at each of its places; `None` is equally well everywhere.
    """

    homography: Homography
    tilt_degrees: float | None = None
    reprojection_px: float | None = None
    error: PlaneError | None = None

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

    def length_sd(self, rows: npt.NDArray[Any], columns: npt.NDArray[Any]) -> dict[str, Floats]:
        """What the standard deviation of a length consists of at these places, as shares of it; empty if not known.

        Of a pixel, the logarithm of its length in the plane is (log det(H) - 3 log w) / 2: what corners seen a little
        off do to it grows with the distance from the markers. A lens of distortion k stretches a length by 2 k r^2.
        """
        if self.error is None:
            return {}
        rows, columns = np.asarray(rows, float), np.asarray(columns, float)
        w = self._w(rows, columns)
        slopes = np.stack([np.ones_like(w), *(-1.5 * part / w for part in (columns, rows, np.ones_like(w)))], axis=-1)
        seen = np.einsum("...i,ij,...j->...", slopes, np.array(self.error.covariance), slopes)
        markers, here = np.array(self.error.markers), np.stack([columns, rows], axis=-1)
        bent = self.error.radius2(here) - self.error.radius2(markers).mean()
        away = self.points_mm(rows, columns) - self.points_mm(*markers.T[::-1]).mean(axis=0)
        return {
            "corners": np.sqrt(np.maximum(seen, 0)),
            "lens": np.abs(2 * self.error.lens_sd * bent),
            "height": self.error.height_sd(np.linalg.norm(away, axis=-1)),
            "print": np.full_like(w, self.error.print_sd),
        }

    def _w(self, rows: npt.NDArray[Any], columns: npt.NDArray[Any]) -> Floats:
        matrix = self.matrix
        w = matrix[2, 0] * columns + matrix[2, 1] * rows + matrix[2, 2]
        return np.asarray(np.where(w > _HORIZON, w, np.nan))
