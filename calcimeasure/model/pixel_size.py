"""Whether millimetres per pixel can be true: one fence for a header, a table, an option, a person and a picture."""

from __future__ import annotations

#: Finer than any detector or macro photo, and coarser than anything a deposit could be outlined in.
LEAST_MM, MOST_MM = 0.001, 3.0
#: A picture shows at least this much of a body, and no body is longer than that.
NARROWEST_MM, WIDEST_MM = 5.0, 2000.0
#: No detector has pixels that much longer than wide.
LONGEST_PIXEL = 4.0


def impossible(row_mm: float, column_mm: float, shape: tuple[int, int] | None = None) -> str:
    """Why a pixel cannot have this size, in words that follow the size; empty when it can.

    Parameters
    ----------
    row_mm, column_mm : float
        Distance between rows and between columns, in mm.
    shape : tuple of int, optional
        Rows and columns of the picture, to judge how much of a body it would show.

    Examples
    --------
    >>> impossible(0.143, 0.143, (2000, 1500))
    ''
    >>> impossible(143, 143)
    'is no size of a pixel in mm (0.001 to 3), perhaps one in another unit'
    """
    if not all(LEAST_MM <= mm <= MOST_MM for mm in (row_mm, column_mm)):
        return f"is no size of a pixel in mm ({LEAST_MM:g} to {MOST_MM:g}), perhaps one in another unit"
    if max(row_mm, column_mm) > LONGEST_PIXEL * min(row_mm, column_mm):
        return "has one side much longer than the other, as no pixel has"
    return "" if shape is None else _impossible_view(max(row_mm * shape[0], column_mm * shape[1]))


def _impossible_view(across_mm: float) -> str:
    if across_mm < NARROWEST_MM:
        return f"would make the whole picture {across_mm:.3g} mm long, less than {NARROWEST_MM:g} mm of a body"
    if across_mm > WIDEST_MM:
        return f"would make the picture {across_mm / 1000:.3g} m long, more than {WIDEST_MM / 1000:g} m of a body"
    return ""
