"""Values in the words of a DICOM frame: cut out as the header says, or the contradiction named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calcimeasure.errors import DamagedFile
from calcimeasure.model.image import Mask, Pixels

# Words that mark an end of the range; as neighbours they say nothing of a wrapped sign.
_ENDS = (0x0000, 0x7FFF, 0x8000, 0xFFFF)
# Fewer pixels than this show no roughness.
_LEAST_PIXELS = 256
_ROWS_LOOKED_AT = 256
# So much smoother must the picture be with its bytes exchanged before the header is called wrong.
_SMOOTHER = 4.0
# Neighbours this far apart (of the 16-bit range) lie next to each other once the sign is taken the other way.
_WRAP, _LEAST_WRAPS, _LEAST_WRAPPED_VALUES = 0.9, 10, 16


@dataclass(frozen=True, slots=True)
class Layout:
    """How a value lies in its word (DICOM PS3.5 8.1.1).

    Parameters
    ----------
    word : int
        Bits of the word: BitsAllocated, or the depth of a compressed picture.
    stored : int
        Bits of the value.
    high : int or None
        Place of its highest bit; `None` when the header does not say.
    signed : bool
        Whether the value is a two's complement.
    overlays : int
        Mask of the bits that hold overlay planes.
    padding : int or None
        Word that marks padding; it may use any bit.
    """

    word: int
    stored: int
    high: int | None = None
    signed: bool = False
    overlays: int = 0
    padding: int | None = None

    @property
    def high_is_possible(self) -> bool:
        """Whether a value of so many bits can have its highest bit there."""
        return self.high is None or self.stored - 1 <= self.high < self.word

    @property
    def shift(self) -> int:
        """How many bits lie below the value; none where the header's highest bit is impossible."""
        return 0 if self.high is None or not self.high_is_possible else self.high - self.stored + 1


def values_in(words: Pixels, layout: Layout, name: str) -> Pixels:
    """The values in their words, in a dtype as wide and signed as asked; padding keeps its whole word.

    Raises
    ------
    DamagedFile
        When bits beside the value are in use that neither extend its sign nor hold an overlay.
    """
    bare = words.view(f"u{words.dtype.itemsize}")
    kept = (1 << layout.stored) - 1
    beside = ((1 << layout.word) - 1) & ~(kept << layout.shift) & ~layout.overlays
    padded = _padded(bare, layout)
    if beside:
        _check_beside(bare, beside, layout, padded, name)
    values = _signed((bare >> layout.shift) & kept, layout) if layout.stored < 8 * words.dtype.itemsize else bare
    values = values.view(f"{'i' if layout.signed else 'u'}{words.dtype.itemsize}")
    return values if padded is None else np.where(padded, bare.view(values.dtype), values)


def _padded(bare: Pixels, layout: Layout) -> Mask | None:
    """Where a word is the padding itself; `None` when it fits the value and needs no care."""
    if layout.padding is None or layout.padding >> layout.stored == 0:
        return None
    return np.asarray(bare == layout.padding, bool)


def _check_beside(bare: Pixels, beside: int, layout: Layout, padded: Mask | None, name: str) -> None:
    found = bare & beside
    fault = found != 0
    if layout.signed and layout.shift == 0:
        # A negative number may be written with its sign repeated up to the end of the word.
        fault &= ~((found == beside) & ((bare >> (layout.stored - 1)) & 1 == 1))
    if padded is not None:
        fault &= ~padded
    if fault.any():
        raise DamagedFile(
            f"{name}: declares {layout.stored} bits a pixel up to bit {layout.stored - 1 + layout.shift}, but its "
            "pixels use others: ask for a copy whose BitsStored and HighBit are right"
        )


def _signed(values: Pixels, layout: Layout) -> Pixels:
    """Values of fewer bits than their word, with the sign repeated up to its end."""
    if not layout.signed:
        return values
    sign = 1 << (layout.stored - 1)
    return (values ^ sign) - sign


def check_reading(words: Pixels, name: str, *, signed: bool) -> None:
    """Nothing, or the reason why the bytes of a 16-bit picture cannot be what its header says.

    Raises
    ------
    DamagedFile
        When the picture is far smoother with the two bytes of each word exchanged, or when neighbours of many values
        lie a whole range apart, as they do where a sign is taken for a high bit or the reverse.
    """
    if words.dtype.itemsize != 2 or words.size < _LEAST_PIXELS or words.shape[1] < 2:
        return
    some = words[:: max(1, words.shape[0] // _ROWS_LOOKED_AT)]
    if roughness(some.byteswap()) * _SMOOTHER < roughness(some):
        raise DamagedFile(f"{name}: its pixels are in the other byte order than its transfer syntax says")
    if _wrapped(some.view("i2" if signed else "u2")):
        said, other = ("signed", "unsigned") if signed else ("unsigned", "signed")
        raise DamagedFile(f"{name}: its pixels are {other} numbers, its PixelRepresentation says {said}")


def roughness(picture: Pixels) -> float:
    """Mean step between neighbours in a row, in standard deviations of the picture; 0 for a flat one."""
    spread = float(picture.std())
    return float(np.abs(np.diff(picture.astype(np.int64), axis=1)).mean()) / spread if spread else 0.0


def _wrapped(picture: Pixels) -> bool:
    left, right = (picture[:, edge].astype(np.int64) for edge in (slice(None, -1), slice(1, None)))
    far = np.abs(left - right) > _WRAP * 2**16
    for side in (left, right):
        far &= ~np.isin(side & 0xFFFF, _ENDS)
    return int(far.sum()) >= _LEAST_WRAPS and np.unique(np.maximum(left, right)[far]).size >= _LEAST_WRAPPED_VALUES
