"""Scale from the picture: a printed marker, a ruler, or two points a known distance apart."""

from __future__ import annotations

from calcimeasure.steps.scale.find import find_scale
from calcimeasure.steps.scale.height import spacing_at_height
from calcimeasure.steps.scale.marker import find_markers, fit_plane, scale_from_marker
from calcimeasure.steps.scale.points import scale_from_points
from calcimeasure.steps.scale.rescale import rescaled, scale_in_picture
from calcimeasure.steps.scale.ruler import find_rulers, scale_from_ruler
from calcimeasure.steps.scale.sheet import marker_sheet

__all__ = [
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
