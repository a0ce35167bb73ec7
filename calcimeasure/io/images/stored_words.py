"""Values in the words of a DICOM frame: cut out as the header says, or the contradiction named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calcimeasure.errors import DamagedFile
from calcimeasure.model.arrays import Mask, Pixels

# Fewer pixels than this show no roughness.
_LEAST_PIXELS = 256
_ROWS_LOOKED_AT = 64
# So much smoother must the picture be with its bytes exchanged before the header is called wrong.
_SMOOTHER = 4.0
# Neighbours this far apart (of the whole range) lie next to each other once the sign is taken the other way. An edge
# of a shutter or a letter is as far, but one of its sides has one value.
_WRAP, _LEAST_WRAPS, _LEAST_WRAPPED_VALUES, _LEAST_BITS = 0.9, 10, 8, 10
_LESS_ROUGH = 1.5


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

    Shape as given.

    Raises
    ------
    DamagedFile
        When bits beside the value are in use that neither extend its sign nor hold an overlay.
    """
    bare = words.view(f"u{words.dtype.itemsize}")
    kept = (1 << layout.stored) - 1
    beside = ((1 << layout.word) - 1) & ~(kept << layout.shift) & ~layout.overlays
    if not layout.signed and layout.shift == 0 and bare.max(initial=0) <= kept:
        return bare  # as nearly every film is
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


def check_order(words: Pixels, name: str) -> None:
    """Nothing, or the reason why the bytes of an uncompressed picture cannot lie as its header says.

    Raises
    ------
    DamagedFile
        When the picture is far smoother with the two bytes of each word exchanged, or with rows and columns exchanged.
    """
    if words.size < _LEAST_PIXELS or min(words.shape) < 2:
        return
    some = words[:: max(1, words.shape[0] // _ROWS_LOOKED_AT)]
    if words.dtype.itemsize == 2 and roughness(some.byteswap()) * _SMOOTHER < roughness(some):
        raise DamagedFile(f"{name}: its pixels are in the other byte order than its transfer syntax says")
    other = words.reshape(words.shape[::-1])
    if roughness(_some_columns(other)) * _SMOOTHER < roughness(_some_columns(words)):
        raise DamagedFile(f"{name}: its Rows and Columns are exchanged")


def _some_columns(picture: Pixels) -> Pixels:
    """Columns as rows: in a picture cut at the wrong width these are rough, not the rows."""
    return picture[:, :: max(1, picture.shape[1] // _ROWS_LOOKED_AT)].T


def check_sign(values: Pixels, layout: Layout, name: str) -> None:
    """Nothing, or an error where a sign is taken for a high bit or the reverse.

    Raises
    ------
    DamagedFile
        When neighbours of many values lie a whole range apart.
    """
    if layout.stored < _LEAST_BITS or values.size < _LEAST_PIXELS or values.ndim != 2:
        return
    if _wrapped(values, layout.stored):
        said, other = ("signed", "unsigned") if layout.signed else ("unsigned", "signed")
        raise DamagedFile(f"{name}: its pixels are {other} numbers, its PixelRepresentation says {said}")


def roughness(picture: Pixels) -> float:
    """Mean step between neighbours in a row, in standard deviations of the picture; 0 for a flat one.

    Of shape (rows, columns) or (rows, columns, 3).
    """
    spread = float(picture.std())
    return _mean_step(picture) / spread if spread else 0.0


def _mean_step(picture: Pixels) -> float:
    return float(np.abs(np.diff(picture.astype(np.int64), axis=1)).mean())


def _wrapped(values: Pixels, bits: int) -> bool:
    some = values[:: max(1, values.shape[0] // _ROWS_LOOKED_AT)].astype(np.int64)
    left, right = some[:, :-1], some[:, 1:]
    far = np.abs(left - right) > _WRAP * 2**bits
    ends = (np.maximum(left, right)[far], np.minimum(left, right)[far])
    if int(far.sum()) < _LEAST_WRAPS or any(np.unique(end).size < _LEAST_WRAPPED_VALUES for end in ends):
        return False
    half = 1 << (bits - 1)
    other = ((some + half) % (2 * half)) - (half if values.min() >= 0 else 0)
    return _mean_step(other) * _LESS_ROUGH < _mean_step(some)
