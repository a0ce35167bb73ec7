"""Scale from two points whose distance is known."""

from __future__ import annotations

import math

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.image import Spacing, SpacingOrigin
from calcimeasure.model.scale import Scale, ScaleMethod

#: Standard deviation of a point set by hand, in px, along the line.
POINT_SD_PX = 1.0

#: What a straight line in a photo says about the other direction: a tilt of 8 degrees shortens it by 1 %.
FLATNESS_SD = 0.01

_NEAREST_PX = 20.0


def scale_from_points(
    first: tuple[float, float], second: tuple[float, float], mm: float, *, aspect: float = 1.0
) -> Scale:
    """The scale at which two points (row, column) lie `mm` apart; `aspect` is a pixel's height over its width.

    Raises
    ------
    MeasurementRefused
        For a distance that is not positive, and for points closer than 20 px.
    """
    # In widths of a pixel.
    length = math.hypot((second[0] - first[0]) * aspect, second[1] - first[1])
    if not (math.isfinite(mm) and mm > 0):
        raise MeasurementRefused(f"two points cannot be {mm} mm apart: give their distance in mm, more than 0")
    if not length >= _NEAREST_PX:
        raise MeasurementRefused(
            f"the two points lie {length:.1f} px apart: choose points at least {_NEAREST_PX:.0f} px apart, "
            "better across half the picture"
        )
    side, clicks = mm / length, math.sqrt(2) * POINT_SD_PX / length
    spacing = Spacing.with_errors(side * aspect, side, SpacingOrigin.POINTS, points=clicks, flatness=FLATNESS_SD)
    return Scale(ScaleMethod.POINTS, spacing)
