"""Dirt of plates and rollers: beads and dashes on a straight upright or level line that takes no notice of the limb.

On the limb they look like specks of calcium. What tells them apart is that their line goes on where no limb is.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.model.image import Mask

Grey = npt.NDArray[np.float32]

#: A mark is no wider than this across its line.
WIDTH_MM = 3.0
#: How far to each side of the line the film is compared with it, and how far it may lean (tangent).
BESIDE_MM, LEANS = 12.0, tuple(np.linspace(-0.03, 0.03, 13))
#: The line is compared with the film smoothed so wide, and looked at in pieces of so many mm.
BACKGROUND_MM, PIECE_MM = 5.0, 4.0
#: At least so many pieces, and so many mm, of the line must lie clear of the limb.
FEWEST_PIECES = 6
#: A piece is marked when it is this many spreads brighter than what lies beside it, and shows this share of the
#: finding's own contrast.
STANDS_OUT, OF_ITS_CONTRAST = 4.5, 0.25
#: The line goes on when so many pieces clear of the limb are marked, and this share of them.
MARKED, MARKED_SHARE = 3, 0.25


def goes_on_outside(film: Grey, clear: Mask, window: tuple[slice, slice], mask: Mask, mm: float) -> bool:
    """Whether a finding is a piece of a straight line of marks that goes on where there is no limb.

    Parameters
    ----------
    film : float32 array, shape (rows, columns)
        0 to 1, deposits bright.
    clear : bool array, shape of the film
        Valid, and well away from the limb.
    window, mask
        The finding: where on the film, and which pixels there.
    mm : float
        Size of a pixel.
    """
    rows, columns = window
    upright = _is_line(film, clear, (rows, columns), mask, mm)
    return upright or _is_line(film.T, clear.T, (columns, rows), mask.T, mm)


def _is_line(film: Grey, clear: Mask, window: tuple[slice, slice], mask: Mask, mm: float) -> bool:
    """The same for an upright line."""
    if mask.shape[1] * mm > WIDTH_MM:
        return False
    middle = window[0].start + mask.shape[0] / 2, window[1].start + mask.shape[1] / 2
    step = max(1, round(0.25 / mm))
    strip, open_ = (_strip(image, middle, mm, step) for image in (film, clear.astype(np.float32)))
    if np.count_nonzero(open_[:, open_.shape[1] // 2] > 0.99) * step * mm < FEWEST_PIECES * PIECE_MM:
        return False
    own = _contrast(film, window, mask, mm)
    return any(_marked(_leant(strip, lean, middle[0] / step), open_, own, mm * step) for lean in LEANS)


def _strip(image: Grey, middle: tuple[float, float], mm: float, step: int) -> Grey:
    """A band of the film round the line, from end to end, at every `step`-th pixel in the mean."""
    half = round(BESIDE_MM / mm / step) * step
    left = round(middle[1]) - half
    band = np.zeros((image.shape[0], 2 * half + step), np.float32)
    a, b = max(0, left), min(image.shape[1], left + band.shape[1])
    band[:, a - left : b - left] = image[:, a:b]
    shape = band.shape[1] // step, max(1, band.shape[0] // step)
    return np.asarray(cv2.resize(band, shape, interpolation=cv2.INTER_AREA), np.float32)


def _leant(strip: Grey, lean: float, row: float) -> Grey:
    """The band sheared about a row, so that a line that leans so much stands upright."""
    if not lean:
        return strip
    matrix = np.array([[1, lean, -lean * row], [0, 1, 0]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(strip, matrix, strip.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE))


def _contrast(film: Grey, window: tuple[slice, slice], mask: Mask, mm: float) -> float:
    """How much brighter the finding is than what lies around it."""
    pad = max(2, round(1.5 / mm))
    top, left = max(0, window[0].start - pad), max(0, window[1].start - pad)
    around = film[top : window[0].stop + pad, left : window[1].stop + pad]
    return float(np.percentile(film[window][mask], 80) - np.median(around))


def _marked(strip: Grey, clear: Grey, own: float, mm: float) -> bool:
    """Whether the middle column of the band stands out, clear of the limb, as no column beside it does."""
    wide = 2 * round(BACKGROUND_MM / mm / 2) + 1
    fine = np.where(clear > 0.99, strip - cv2.blur(strip, (wide, 1)), np.nan)
    piece = max(1, round(PIECE_MM / mm))
    count = fine.shape[0] // piece
    pieces = fine[: count * piece].reshape(count, piece, -1)
    usable = np.isfinite(pieces).all(axis=(1, 2)) if count else np.zeros(0, bool)
    if usable.sum() < FEWEST_PIECES:
        return False
    tops = np.sort(pieces[usable], axis=1)[:, -max(1, piece // 8) :].mean(1)
    middle = tops.shape[1] // 2
    near = max(1, round(1.0 / mm))
    beside = np.delete(tops, np.s_[middle - 2 * near : middle + 2 * near + 1], axis=1)
    level, spread = np.median(beside, axis=1), np.std(beside, axis=1) + 1e-4
    line = tops[:, middle - near // 2 : middle + near // 2 + 1].max(1)
    marked = (line - level > STANDS_OUT * spread) & (line - level > OF_ITS_CONTRAST * own)
    return bool(marked.sum() >= max(MARKED, MARKED_SHARE * marked.size))
