"""Colour of a photo: the card that lies in it, the correction that follows, and how deposits differ from their skin."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from calcimeasure.model.arrays import Floats
from calcimeasure.model.image import frozen_array
from calcimeasure.model.warning import Remark


class CardKind(StrEnum):
    """What gave the colour."""

    COLORCHECKER = "colorchecker"
    GREYS = "sheet_greys"


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """Patches of known colour in a photo.

    Parameters
    ----------
    kind : CardKind
    quads_px : float array, shape (n, 4, 2)
        Corners (x, y) of the part of every patch to be looked at; the centre of the first pixel is (0, 0).
    linear : float array, shape (n, 3)
        True colour in linear light, red, green, blue of sRGB, 1 is white.
    """

    kind: CardKind
    quads_px: Floats
    linear: Floats

    def __post_init__(self) -> None:
        for name in ("quads_px", "linear"):
            object.__setattr__(self, name, frozen_array(np.asarray(getattr(self, name), float)))


@dataclass(frozen=True, slots=True)
class ColourCorrection:
    """A linear correction of colour, in linear light: corrected = matrix . (red, green, blue, 1).

    Parameters
    ----------
    kind : CardKind
        What gave it.
    matrix : 3 tuples of 4 float
        Grey patches tell gain and offset of each channel; a ColorChecker the whole matrix.
    error_before, error_after : float
        Mean delta E 2000 of the patches as photographed and corrected; each patch is corrected without itself.
    patches : int
        How many were used; clipped ones are left out.
    """

    kind: CardKind
    matrix: tuple[tuple[float, ...], ...]
    error_before: float
    error_after: float
    patches: int

    def apply(self, linear: Floats) -> Floats:
        """Linear colours corrected, shape (..., 3)."""
        matrix = np.array(self.matrix)
        return np.asarray(linear @ matrix[:, :3].T + matrix[:, 3])


@dataclass(frozen=True, slots=True)
class Whiteness:
    """How far a deposit's colour lies from that of its own skin: delta E 2000 (CIEDE2000) of their mean colours.

    Not density: a photo shows the surface. `card` is what corrected the colours; without one the number depends on
    light and camera. `delta_e` is `None` where `reason` says why.
    """

    label: int
    delta_e: float | None
    card: CardKind | None = None
    reason: Remark | None = None


@dataclass(frozen=True, slots=True)
class Colours:
    """Every deposit's whiteness in label order, the mean over all their pixels, and the correction, if any."""

    deposits: tuple[Whiteness, ...]
    delta_e: float | None
    correction: ColourCorrection | None = None
    warnings: tuple[Remark, ...] = ()
