"""A drawn picture together with its answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calcimeasure.model.image import Image, frozen_array
from calcimeasure.model.labels import Labels


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A film or photo whose deposits are known.

    Parameters
    ----------
    image : Image
        What a reader would hand over.
    truth : Labels
        The deposits; label n is the n-th deposit that was asked for, at every visit. One that lies
        outside the sheet or wholly under another has no pixel.
    mm : float
        True side of a pixel in mm, also when `image.spacing` does not tell.
    areas_mm2 : tuple of float or None
        Area per deposit by formula; `None` where only the pixels know it.
    thickness_mm : float32 array, shape (rows, columns), or None
        Calcium the beam went through; `None` for a photo.
    limb, bone : bool array, shape (rows, columns)
        The body (skin, in a photo), and bone (nowhere, in a photo).
    aluminium_mm : float32 array, shape (rows, columns), or None
        Aluminium that would stop the same beam as the calcium does there; `None` for a photo.
    """

    image: Image
    truth: Labels
    mm: float
    areas_mm2: tuple[float | None, ...]
    thickness_mm: npt.NDArray[np.float32] | None
    limb: npt.NDArray[np.bool_]
    bone: npt.NDArray[np.bool_]
    aluminium_mm: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        for name in ("limb", "bone", "thickness_mm", "aluminium_mm"):
            array = getattr(self, name)
            if array is not None:
                object.__setattr__(self, name, frozen_array(array))

    def __repr__(self) -> str:
        return f"<Phantom {self.image!r} deposits={self.truth.count} mm={self.mm}>"

    @property
    def area_mm2(self) -> float:
        """Total area of the deposits, counted in pixels."""
        return float(np.count_nonzero(self.truth.array)) * self.mm**2
