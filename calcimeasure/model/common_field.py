"""The part of two films that both of them show."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.model.alignment import Alignment
from calcimeasure.model.arrays import Map, Mask
from calcimeasure.model.study import Reading

#: A deposit under the skin may bulge so far beyond where the limb's outline was seen.
_MARGIN_MM = 3.0
_MARGIN_PX = 15.0


@dataclass(frozen=True, slots=True, eq=False)
class CommonField:
    """Pixels of each film whose place the other film shows.

    Parameters
    ----------
    baseline, followup : bool array, each of its own film's shape
        False where the place lies off the other film, in its padding, off its limb, or cannot be followed.
    """

    baseline: Mask
    followup: Mask

    @classmethod
    def of(cls, baseline: Reading, followup: Reading, alignment: Alignment) -> CommonField:
        """The common field of two films that were laid on each other."""
        there, here = _shown(followup), _shown(baseline)
        return cls(
            alignment.common_baseline & _looked_up(there, alignment.forward),
            alignment.common_followup & _looked_up(here, alignment.backward),
        )

    def share_of_baseline(self, labels: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
        """Share (0-1) of every baseline label that lies in the field, by label number; NaN for numbers not in use.

        Shape (largest label + 1,).
        """
        return _share(labels, self.baseline)

    def share_of_followup(self, labels: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
        """The same for the labels of the follow-up."""
        return _share(labels, self.followup)


def _shown(reading: Reading) -> Mask:
    """Where a film shows the limb, or may: valid pixels on or near it."""
    shown = np.ones(reading.image.shape, bool) if reading.image.valid is None else reading.image.valid.copy()
    if reading.limb is None or not reading.limb.any():
        return shown
    spacing = reading.image.spacing
    margin = _MARGIN_MM / spacing.mean_mm if spacing else _MARGIN_PX
    away = cv2.distanceTransform((~reading.limb).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(shown & (away <= margin))


def _looked_up(mask: Mask, field: Map) -> Mask:
    known = np.nan_to_num(field, nan=-1e6)
    there = cv2.remap(mask.astype(np.uint8), known[..., 1], known[..., 0], cv2.INTER_NEAREST)
    return np.asarray(there > 0)


def _share(labels: npt.NDArray[np.int32], field: Mask) -> npt.NDArray[np.float64]:
    flat = labels.ravel()
    size = np.bincount(flat).astype(float)
    inside = np.bincount(flat, weights=field.ravel().astype(float))
    return np.asarray(np.where(size > 0, inside / np.maximum(size, 1), np.nan))
