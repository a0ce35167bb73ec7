"""The scale that a picture itself holds: its marker first, then its ruler."""

from __future__ import annotations

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.image import Image
from calcimeasure.model.scale import Scale
from calcimeasure.steps.scale.marker import scale_from_marker
from calcimeasure.steps.scale.ruler import scale_from_ruler

#: Ways to find a scale; "auto" takes a marker where there is one, else a ruler.
METHODS = ("auto", "marker", "ruler")


def find_scale(
    image: Image, *, marker_mm: float | None = None, ruler_mm: float | None = None, method: str = "auto"
) -> Scale:
    """The scale that the picture shows; without a spacing, and with the reason, where it shows none.

    A marker that was seen and refused is not replaced by a ruler: the photo should be taken again.

    Parameters
    ----------
    image : Image
        Photo.
    marker_mm : float, optional
        Side of the marker's black square as measured on the print; our own sheet tells its size by itself, but a
        printer may have scaled it.
    ruler_mm : float, optional
        Distance of neighbouring ticks of the ruler, where its longer ticks do not tell.
    method : {"auto", "marker", "ruler"}
        Where to look.

    Raises
    ------
    MeasurementRefused
        For an unknown method, or a size that is not positive.
    """
    if method not in METHODS:
        raise MeasurementRefused(f"no such way to find a scale: {method!r}; choose one of {', '.join(METHODS)}")
    if method == "ruler":
        return scale_from_ruler(image, ruler_mm)
    marker = scale_from_marker(image, marker_mm, foreign=method == "marker")
    if method == "marker" or marker.method:
        return marker
    ruler = scale_from_ruler(image, ruler_mm)
    return ruler if ruler.method else Scale.refused(f"{marker.reason}; {ruler.reason}")
