"""The sheet that is drawn on: its size in millimetres, its pixels, and textures that keep to the millimetre."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.model.arrays import Map


@dataclass(frozen=True, slots=True)
class Frame:
    """A sheet of a given size in mm; other pixels show the same things finer or coarser.

    Parameters
    ----------
    height_mm, width_mm : float
        Size of the sheet.
    mm : float
        Side of a pixel.

    Raises
    ------
    ValueError
        For a sheet without pixels.
    """

    height_mm: float
    width_mm: float
    mm: float

    def __post_init__(self) -> None:
        if not (self.mm > 0 and min(self.shape) > 0):
            raise ValueError(f"a frame of {self.height_mm} x {self.width_mm} mm at {self.mm} mm/px has no pixels")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return round(self.height_mm / self.mm), round(self.width_mm / self.mm)

    @property
    def x(self) -> Map:
        """Millimetres from the left edge to the pixel centres, shape (1, columns)."""
        return ((np.arange(self.shape[1], dtype=np.float32) + 0.5) * np.float32(self.mm))[None, :]

    @property
    def y(self) -> Map:
        """Millimetres from the top edge to the pixel centres, shape (rows, 1)."""
        return ((np.arange(self.shape[0], dtype=np.float32) + 0.5) * np.float32(self.mm))[:, None]

    def window(self, x_mm: float, y_mm: float, reach_mm: float) -> tuple[slice, slice]:
        """The rows and columns within `reach_mm` of a point; empty slices when the point is far outside."""
        rows, columns = self.shape
        return _span(y_mm, reach_mm, self.mm, rows), _span(x_mm, reach_mm, self.mm, columns)

    def blur(self, array: Map, sigma_mm: float) -> Map:
        """The array blurred by a Gaussian of `sigma_mm`."""
        sigma = sigma_mm / self.mm
        return np.asarray(cv2.GaussianBlur(array, (0, 0), sigma) if sigma > 0.15 else array, np.float32)

    def blank(self) -> Map:
        """Nothing drawn yet.

        Shape of the frame.
        """
        return np.zeros(self.shape, np.float32)


def _span(centre: float, reach: float, mm: float, count: int) -> slice:
    low, high = int((centre - reach) / mm) - 1, int((centre + reach) / mm) + 2
    return slice(min(max(low, 0), count), min(max(high, 0), count))


def texture(frame: Frame, rng: np.random.Generator, cell_mm: float, stretch: float = 1.0, angle: float = 0.0) -> Map:
    """Smooth random field of about unit variance, locked to the millimetres of the sheet.

    Shape of the frame.

    Normal numbers on a lattice of `cell_mm` (longer by `stretch` along `angle`, radians from the x axis)
    are joined by cubic interpolation, so a finer pixel shows the same field.
    """
    reach = np.hypot(frame.height_mm, frame.width_mm) + 4 * cell_mm
    count = (int(2 * reach / cell_mm) + 6, int(2 * reach / (cell_mm * stretch)) + 6)
    if angle == 0.0:
        count = (int(frame.height_mm / cell_mm) + 8, int(frame.width_mm / (cell_mm * stretch)) + 8)
    lattice = rng.standard_normal(count, np.float32) * np.float32(1.35)
    turn = _lattice_to_sheet(frame, (cell_mm * stretch, cell_mm), angle, count)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    size = (frame.shape[1], frame.shape[0])
    return np.asarray(cv2.warpAffine(lattice, turn, size, flags=flags, borderMode=cv2.BORDER_REFLECT), np.float32)


def _lattice_to_sheet(
    frame: Frame, cell: tuple[float, float], angle: float, count: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """Affine map from pixel (column, row) to lattice (column, row), turned about the middle of both."""
    c, s = np.cos(angle), np.sin(angle)
    linear = np.array([[c / cell[0], s / cell[0]], [-s / cell[1], c / cell[1]]]) * frame.mm
    middle = np.array([frame.width_mm / frame.mm - 1, frame.height_mm / frame.mm - 1]) / 2
    return np.column_stack([linear, np.array([count[1] / 2, count[0] / 2]) - linear @ middle])


def furrows(frame: Frame, rng: np.random.Generator, cell_mm: float, stretch: float, angle: float) -> Map:
    """Valleys between ridges, 0 (flat) to 1 (bottom), about `cell_mm` apart and running along `angle`.

    Shape of the frame.
    """
    field = texture(frame, rng, cell_mm, stretch, angle)
    return np.asarray(np.exp(-np.square(field / np.float32(0.35))), np.float32)
