"""Which pixel belongs to which deposit, and how that came to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from calcimeasure.model.image import frozen_array

#: No outline is more doubtful than this: a single pixel that is as unsure as all around it comes to 20.
MOST_DOUBT = 100.0
#: No film is so large; what a file says beyond that is not believed.
MOST_PASSED_OVER_PX = 1e10


class Doubt(NamedTuple):
    """How much the networks doubted an outline of theirs that no person has looked at.

    Parameters
    ----------
    rim : float
        Where it ends (`calcimeasure.steps.measure.error`), 0 to `MOST_DOUBT`.
    stray : float
        The chance that it is no calcium, 0-1: what its score lacks of 1.
    """

    rim: float
    stray: float = 0.0

    @property
    def possible(self) -> bool:
        """Whether both are in range; what stands in a file may not be."""
        return 0 <= self.rim <= MOST_DOUBT and 0 <= self.stray <= 1


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """A label image: 0 is background, n is deposit n.

    Parameters
    ----------
    array : int32 array, shape (rows, columns)
        Made read-only here; numbers need not be consecutive.
    history : tuple of str
        What was done to arrive here, oldest first.
    doubts : mapping of int to Doubt
        How much the networks doubted a deposit, by number; an outline that a person drew or accepted has none.
    passed_over_px : float
        How many pixels an automatic search may lack because it dropped findings by their score alone: a standard
        deviation (`calcimeasure.steps.measure.error.passed_over`).
    """

    array: npt.NDArray[np.int32]
    history: tuple[str, ...] = ()
    doubts: Mapping[int, Doubt] = field(default_factory=dict)
    passed_over_px: float = 0.0

    def __post_init__(self) -> None:
        array = np.asarray(self.array)
        if array.ndim != 2 or array.dtype.kind not in "iub":
            raise ValueError(f"a label image is a 2-D array of integers, got {array.ndim}-D {array.dtype}")
        if array.size and array.min() < 0:
            raise ValueError("a label image holds no negative numbers: 0 is background, n is deposit n")
        object.__setattr__(self, "array", frozen_array(array.astype(np.int32, copy=False)))

    def __repr__(self) -> str:
        return f"<Labels {self.shape[0]}x{self.shape[1]} deposits={self.count} history={self.history!r}>"

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Labels:
        """No deposit at all."""
        return cls(np.zeros(shape, np.int32))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.array.shape[0]), int(self.array.shape[1])

    @property
    def numbers(self) -> npt.NDArray[np.int32]:
        """The labels in use, ascending."""
        return np.unique(self.array[self.array > 0])

    @property
    def count(self) -> int:
        """How many deposits."""
        return len(self.numbers)
