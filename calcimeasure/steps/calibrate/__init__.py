"""Scale from the picture: a printed marker, a ruler, or two points a known distance apart."""

from __future__ import annotations

from calcimeasure.steps.calibrate.points import scale_from_points
from calcimeasure.steps.calibrate.ruler import scale_from_ruler

__all__ = ["scale_from_points", "scale_from_ruler"]
