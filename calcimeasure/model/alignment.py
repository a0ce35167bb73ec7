"""How the pixels of one visit's film lie on those of another."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.model.arrays import Floats, Map, Mask
from calcimeasure.model.image import frozen_array
from calcimeasure.model.warning import Remark


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Where every baseline pixel lies on the follow-up film, how well that is known, or why it is not.

    Parameters
    ----------
    forward : float32 array, shape (rows, columns, 2) of the baseline film
        (row, column) on the follow-up film of each baseline pixel; NaN where the limb cannot be followed.
    backward : float32 array, shape (rows, columns, 2) of the follow-up film
        The other way round.
    overlap : float
        Share (0-1) of the limb's outline areas that both films show once aligned (Jaccard, within the common field).
    residual_px, residual_mm : float or None
        Typical distance between features that should coincide, in baseline pixels, and in mm where the scale is known.
    mirrored : bool
        Whether one film had to be mirrored (only when the user said so).
    method : str
        In words: automatic, or from landmarks.
    refused : Remark or None
        Why the films cannot be laid on each other and what to do; `None` when they can. Then the maps must not be used.
    warnings : tuple of Remark
        What a reader ought to know.
    """

    forward: Map
    backward: Map
    overlap: float
    residual_px: float | None = None
    residual_mm: float | None = None
    mirrored: bool = False
    method: str = "automatic"
    refused: Remark | None = None
    warnings: tuple[Remark, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "forward", frozen_array(np.asarray(self.forward, np.float32)))
        object.__setattr__(self, "backward", frozen_array(np.asarray(self.backward, np.float32)))

    @classmethod
    def refusing(cls, baseline: tuple[int, int], followup: tuple[int, int], why: Remark) -> Alignment:
        """No map at all between films of these shapes, and why."""
        nowhere = [np.full((*shape, 2), np.nan, np.float32) for shape in (baseline, followup)]
        return cls(nowhere[0], nowhere[1], 0.0, refused=why)

    def followup_of(self, points: npt.ArrayLike) -> Floats:
        """Follow-up (row, column) of baseline points, shape (n, 2); NaN where they cannot be followed."""
        return _looked_up(self.forward, points)

    def baseline_of(self, points: npt.ArrayLike) -> Floats:
        """Baseline (row, column) of follow-up points, shape (n, 2); NaN where they cannot be followed."""
        return _looked_up(self.backward, points)

    @property
    def common_baseline(self) -> Mask:
        """Baseline pixels that lie on the follow-up film.

        Shape of the baseline film.
        """
        return _inside(self.forward, self.backward.shape[:2])

    @property
    def common_followup(self) -> Mask:
        """Follow-up pixels that lie on the baseline film.

        Shape of the follow-up film.
        """
        return _inside(self.backward, self.forward.shape[:2])

    def on_baseline(self, followup: npt.NDArray[np.generic], *, nearest: bool = False) -> npt.NDArray[np.generic]:
        """A picture or label image of the follow-up, laid on the baseline film; 0 where there is none.

        Shape of the baseline film.
        """
        return _warped(followup, self.forward, nearest)

    def on_followup(self, baseline: npt.NDArray[np.generic], *, nearest: bool = False) -> npt.NDArray[np.generic]:
        """A picture or label image of the baseline, laid on the follow-up film; 0 where there is none.

        Shape of the follow-up film.
        """
        return _warped(baseline, self.backward, nearest)


def _looked_up(field: Map, points: npt.ArrayLike) -> Floats:
    """The field at points by linear interpolation; NaN outside."""
    at = np.atleast_2d(np.asarray(points, np.float64))
    xy = at.astype(np.float32)[:, None, ::-1]
    found = cv2.remap(
        field, xy, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(np.nan, np.nan, 0, 0)
    )
    return np.asarray(found[:, 0], np.float64)


def _inside(field: Map, shape: tuple[int, ...]) -> Mask:
    row, column = field[..., 0], field[..., 1]
    return np.asarray((row >= 0) & (row <= shape[0] - 1) & (column >= 0) & (column <= shape[1] - 1))


def _warped(picture: npt.NDArray[np.generic], field: Map, nearest: bool) -> npt.NDArray[np.generic]:
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    rows, columns = np.nan_to_num(field[..., 0], nan=-1e6), np.nan_to_num(field[..., 1], nan=-1e6)
    known = picture.astype(np.float32) if picture.dtype in (np.int32, np.uint32, np.int64, bool) else picture
    out = cv2.remap(np.ascontiguousarray(known), columns, rows, how)  # float32 holds every label below 2**24
    return np.asarray(out).astype(picture.dtype, copy=False)
