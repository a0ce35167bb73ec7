"""Value tables of DICOM (Modality and VOI LUT): read as they are packed, applied, and their direction told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from calcimeasure.model.arrays import Pixels

# A table that goes the other way for up to this share of its whole way still has a direction.
_SLIPS = 0.05
_WORD = 2**16


class Trend(Enum):
    """Where a table goes as its input grows."""

    RISING = "rising"
    FALLING = "falling"
    FLAT = "flat"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True, eq=False)
class ValueTable:
    """A table of values.

    Parameters
    ----------
    first : int
        The input that the first entry stands for.
    entries : array of uint16
        Output of `first`, of the next input, and so on.
    """

    first: int
    entries: Pixels

    def looked_up(self, values: Pixels) -> Pixels:
        """The outputs of whole numbers; beyond its ends a table keeps its last entry (DICOM PS3.3 C.11.1.1.1)."""
        return self.entries[np.clip(values.astype(np.int64) - self.first, 0, len(self.entries) - 1)]

    def share_outside(self, values: Pixels) -> float:
        """Share (0-1) of the values that lie beyond the ends of the table."""
        return float(np.mean((values < self.first) | (values >= self.first + len(self.entries))))

    def same_as(self, other: ValueTable) -> bool:
        """Whether both give the same."""
        return self.first == other.first and np.array_equal(self.entries, other.entries)

    @property
    def trend(self) -> Trend:
        """Where it goes, up to slips of a twentieth of its way."""
        steps = np.diff(self.entries.astype(np.int64))
        up, down = int(steps[steps > 0].sum()), -int(steps[steps < 0].sum())
        if up == down == 0:
            return Trend.FLAT
        if min(up, down) > _SLIPS * max(up, down):
            return Trend.MIXED
        return Trend.RISING if up > down else Trend.FALLING


def table_of(descriptor: Sequence[float], data: bytes, *, signed: bool) -> ValueTable:
    """The table of a LUTDescriptor and its LUTData in little-endian words.

    Entries are words, or bytes when the descriptor says 8 bits and there are as many. `signed` tells how the first
    input is meant, whatever its VR.

    Raises
    ------
    ValueError
        When descriptor and data do not belong together; the text ends a sentence that begins with the file.
    """
    if len(descriptor) != 3:
        raise ValueError("has no valid descriptor")
    count, first, bits = int(descriptor[0]) % _WORD or _WORD, int(descriptor[1]) % _WORD, int(descriptor[2])
    if len(data) == 2 * count:
        entries = np.frombuffer(data, "<u2").astype(np.uint16)
    elif bits == 8 and len(data) in (count, count + count % 2):
        entries = np.frombuffer(data, np.uint8)[:count].astype(np.uint16)
    else:
        raise ValueError(f"holds {len(data)} bytes for {count} entries of {bits} bits")
    if 8 <= bits < 16 and entries.max() >= 1 << bits:
        raise ValueError(f"declares {bits} bits, but holds {int(entries.max())}")
    return ValueTable(first - _WORD if signed and first >= _WORD // 2 else first, entries)


def trend_of(tables: Sequence[ValueTable]) -> Trend | None:
    """The direction that alternative tables share; `MIXED` when they disagree, `None` without a table that turns."""
    trends = {table.trend for table in tables} - {Trend.FLAT}
    return trends.pop() if len(trends) == 1 else Trend.MIXED if trends else None
