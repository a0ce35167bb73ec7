"""A deposit as measured, a finding that was dropped, and the sum over an image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from calcimeasure.model.colour import Colours, Whiteness
from calcimeasure.model.density import Densities, DepositDensity, RelativeDensity, TotalDensity
from calcimeasure.model.labels import Labels
from calcimeasure.model.quantity import Quantity


class Reason(StrEnum):
    """Why something that was found is not counted as a deposit."""

    TOO_SMALL = "too_small"
    OUTSIDE_LIMB = "outside_limb"
    TEXT = "text_marker"
    COLLIMATION = "collimation"
    PLATE = "plate_mark"
    BORDER = "film_border"
    BONE = "bone"
    METAL = "metal"
    FAINT = "faint"
    SHAPE = "shape"
    OUTSIDE_REGION = "outside_region"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Excluded:
    """A candidate that was found and dropped, so that a reader can look at it and bring it back.

    Parameters
    ----------
    reason : Reason
        Why it was dropped.
    row, column : int
        A pixel inside the candidate.
    bbox : tuple of int
        (row0, column0, row1, column1), the end exclusive.
    area_px : int
        Its size in pixels.
    score : float or None
        The method's own confidence that it is a deposit, 0-1; `None` when the method has none.
    """

    reason: Reason
    row: int
    column: int
    bbox: tuple[int, int, int, int]
    area_px: int
    score: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """What a segmentation method found.

    Parameters
    ----------
    labels : Labels
        The deposits, numbered from 1 in reading order (top to bottom by first pixel).
    excluded : tuple of Excluded
        What was found and dropped.
    limb, bone : bool array, shape (rows, columns), or None
        Where the method saw the limb and bone; `None` when it did not look.
    probability : float32 array, shape (rows, columns), or None
        Probability of deposit per pixel; `None` when the method has none.
    warnings : tuple of str
        What a reader of the number ought to know.
    scores : tuple of (row, column, score)
        The method's confidence in each deposit, 0-1, at a pixel of it; empty when it has none.
    """

    labels: Labels
    excluded: tuple[Excluded, ...] = ()
    limb: npt.NDArray[np.bool_] | None = None
    bone: npt.NDArray[np.bool_] | None = None
    probability: npt.NDArray[np.float32] | None = None
    warnings: tuple[str, ...] = ()
    scores: tuple[tuple[int, int, float], ...] = ()

    @property
    def strays(self) -> dict[int, float]:
        """The chance that a deposit is none, by number: what its highest score lacks of 1."""
        told = sorted((score, int(self.labels.array[row, column])) for row, column, score in self.scores)
        return {number: 1 - score for score, number in told if number}


@dataclass(frozen=True, slots=True)
class Deposit:
    """One deposit, measured in native pixels and, where the scale is known, in millimetres.

    Every millimetre field is `None` when the scale is unknown. `bbox` is (row0, column0, row1, column1)
    with the end exclusive; the centroid is in pixels with (0, 0) at the centre of the first pixel.
    `contrast_mean` is in the pixel values of the image, over the median of the soft-tissue ring;
    `contrast_integrated` is its sum over the deposit's pixels. `over_bone` is the share (0-1) of the
    deposit that lies over bone, `None` when nobody looked for bone. `saturated_px` counts its pixels at
    the image's ceiling: where there are any, the contrasts are lower bounds. `density` is in mm of aluminium (`None`
    when nobody asked), `relative` against cortex and soft tissue nearby (`None` when nobody looked); on a photo
    `whiteness` is how far its colour lies from its skin's.
    """

    label: int
    area_px: Quantity
    area_mm2: Quantity | None
    diameter_mm: float | None
    feret_mm: float | None
    perimeter_mm: float | None
    centroid: tuple[float, float]
    bbox: tuple[int, int, int, int]
    contrast_mean: float | None
    contrast_integrated: float | None
    over_bone: float | None
    saturated_px: int = 0
    density: DepositDensity | None = None
    relative: RelativeDensity | None = None
    whiteness: Whiteness | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """All deposits of one image and their totals; sums run in label order.

    `contrast_mean` is the mean over all deposit pixels, `None` when there is no deposit. `density` is that of the
    image, `None` when nobody asked; `colours` that of a photo.
    """

    deposits: tuple[Deposit, ...]
    area_px: Quantity
    area_mm2: Quantity | None
    contrast_mean: float | None
    contrast_integrated: float | None
    density: TotalDensity | None = None
    colours: Colours | None = None

    @property
    def count(self) -> int:
        """How many deposits."""
        return len(self.deposits)

    def with_densities(self, found: Densities) -> Measurement:
        """The same deposits with their densities, and the image's."""
        of = {row.label: row for row in found.deposits}
        rows = tuple(replace(deposit, density=of.get(deposit.label)) for deposit in self.deposits)
        return replace(self, deposits=rows, density=found.total)

    def with_relative(self, found: Iterable[RelativeDensity]) -> Measurement:
        """The same deposits with their relative densities."""
        of = {row.label: row for row in found}
        return replace(
            self, deposits=tuple(replace(deposit, relative=of.get(deposit.label)) for deposit in self.deposits)
        )

    def with_colours(self, found: Colours) -> Measurement:
        """The same deposits with their whiteness, and the photo's."""
        of = {row.label: row for row in found.deposits}
        rows = tuple(replace(deposit, whiteness=of.get(deposit.label)) for deposit in self.deposits)
        return replace(self, deposits=rows, colours=found)
