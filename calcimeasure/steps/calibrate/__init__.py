"""Scale from the picture: a printed marker, a ruler, or two points a known distance apart."""

from __future__ import annotations

from calcimeasure.steps.calibrate.find import find_scale
from calcimeasure.steps.calibrate.height import spacing_at_height
from calcimeasure.steps.calibrate.marker import find_markers, fit_plane, scale_from_marker
from calcimeasure.steps.calibrate.points import scale_from_points
from calcimeasure.steps.calibrate.rescale import rescaled, scale_in_picture
from calcimeasure.steps.calibrate.ruler import find_rulers, scale_from_ruler
from calcimeasure.steps.calibrate.sheet import marker_sheet
from calcimeasure.steps.calibrate.wedge import calibrate_wedge

__all__ = [
    "calibrate_wedge",
    "find_markers",
    "find_rulers",
    "find_scale",
    "fit_plane",
    "marker_sheet",
    "rescaled",
    "scale_from_marker",
    "scale_from_points",
    "scale_from_ruler",
    "scale_in_picture",
    "spacing_at_height",
]
