"""Which pixel belongs to which deposit, and how that came to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calcimeasure.model.authorship import UNSAID, Authorship, Doubt
from calcimeasure.model.image import frozen_array
from calcimeasure.model.warning import Remark


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """A label image: 0 is background, n is deposit n.

    Parameters
    ----------
    array : int32 array, shape (rows, columns)
        Made read-only here; numbers need not be consecutive.
    history : tuple of str
        What was done to arrive here, oldest first.
    authorship : Authorship
        Who drew the outlines; unknown when left out, as for a label image of another tool.
    warnings : tuple of Remark
        What was decided when it was read from a file.
    """

    array: npt.NDArray[np.int32]
    history: tuple[str, ...] = ()
    authorship: Authorship = UNSAID
    warnings: tuple[Remark, ...] = ()

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
    def empty(cls, shape: tuple[int, int], authorship: Authorship | None = None) -> Labels:
        """No deposit at all, as somebody says."""
        return cls(np.zeros(shape, np.int32), authorship=authorship or UNSAID)

    @property
    def doubts(self) -> Mapping[int, Doubt]:
        """How much the networks doubted a deposit of theirs, by number."""
        return self.authorship.doubts

    @property
    def passed_over_px(self) -> float:
        """How many pixels an automatic search may lack."""
        return self.authorship.passed_over_px

    @property
    def is_by_person(self) -> bool:
        """Whether a person stands behind every outline, or behind there being none; a program alone does not."""
        return self.authorship.is_by_person(self.numbers.tolist())

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
