"""The scale that an image is measured with: the user's, the picture's own, or the file's; never a silent mixture.

The plan: what the picture shows is looked for as asked. The user's spacing stays whatever is found, with a warning when
the two disagree. A scale that was found and refused, or is unsure, takes the file's away, too: who asked for it did not
trust the file. What is left, at the detector's plane, may be corrected for the part's height over it.
"""

from __future__ import annotations

import math

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.image import Image, Kind, Spacing, SpacingOrigin
from calcimeasure.model.pixel_size import impossible
from calcimeasure.model.scale import Scale, ScaleMethod, ScaleRequest, ScaleSource
from calcimeasure.steps.scale.find import find_scale
from calcimeasure.steps.scale.height import AT_DETECTOR, spacing_at_height
from calcimeasure.steps.scale.marker import scale_from_marker
from calcimeasure.steps.scale.points import scale_from_points

_CONFIRM = "Look at it, then confirm it with --spacing or --scale-points"


def rescaled(image: Image, request: ScaleRequest) -> Image:
    """The image with the scale asked for, or without one and with the reason among its warnings.

    Parameters
    ----------
    image : Image
        As read: with the file's spacing, or the user's.
    request : ScaleRequest

    Notes
    -----
    A printed marker of our sheet that contradicts the user's spacing is told of even when nobody asked to look.
    """
    own = image.spacing
    found = scale_in_picture(image, request)
    if own is not None and own.origin is SpacingOrigin.USER:
        return _at_height(image.with_warning(*_contradiction(own, found)), request)
    if found is None or (found.method is None and own is not None and request.source is ScaleSource.AUTO):
        return _at_height(image, request)
    if found.spacing is None or found.unsure:
        return image.with_spacing(None).with_warning(_why_not(found))
    return _at_height(image.with_spacing(found.spacing, found.plane).with_warning(*_replaced(own, found)), request)


def scale_in_picture(image: Image, request: ScaleRequest) -> Scale | None:
    """What the picture shows, refused and unsure scales too; `None` when it is not to be asked."""
    found = _found(image, request)
    if found is None or found.spacing is None:
        return found
    side = found.spacing.mean_mm
    why = impossible(side, side, image.shape)
    return Scale.refused(f"the scale of {side:.4g} mm per pixel {why}: check it", found.method) if why else found


def _found(image: Image, request: ScaleRequest) -> Scale | None:
    photo = image.kind is Kind.PHOTO
    if request.points is not None:
        return _from_points(image, request.points)
    if request.source is ScaleSource.FILE:
        by_user = image.spacing is not None and image.spacing.origin is SpacingOrigin.USER
        return scale_from_marker(image, foreign=False) if photo and by_user and image.aspect == 1 else None
    if request.source is ScaleSource.AUTO and not photo:
        return None
    if image.aspect != 1:
        return Scale.refused(
            f"a marker or ruler is read on square pixels only, and these are {image.aspect:.4g} times as tall as wide: "
            "give --spacing, the width of one, or --scale-points"
        )
    return find_scale(image, marker_mm=request.marker_mm, ruler_mm=request.ruler_mm, method=request.source.value)


def _from_points(image: Image, points: tuple[float, float, float, float, float]) -> Scale:
    row1, column1, row2, column2, mm = points
    ends = ((row1, column1), (row2, column2))
    rows, columns = image.shape
    if not all(-0.5 <= row <= rows - 0.5 and -0.5 <= column <= columns - 0.5 for row, column in ends):
        return Scale.refused(
            f"a point lies outside the picture of {rows} x {columns} pixels: give row and column of both as a viewer "
            "of the upright picture shows them",
            ScaleMethod.POINTS,
        )
    return scale_from_points(*ends, mm, aspect=image.aspect)


def _contradiction(user: Spacing, found: Scale | None) -> tuple[str, ...]:
    """What to tell when the picture speaks against the user; nothing when it does not, or is not sure."""
    if found is None or found.spacing is None or found.unsure:
        return ()
    apart = abs(math.log(found.spacing.mean_mm / user.mean_mm))
    if apart <= 2 * math.hypot(found.spacing.relative_sd, user.relative_sd):
        return ()
    return (
        f"the given scale of {user.mean_mm:.5g} mm per pixel is used, but the {found.method} in the picture says "
        f"{found.spacing.mean_mm:.5g}: check which holds for the deposits, or leave --spacing out",
    )


def _replaced(own: Spacing | None, found: Scale) -> tuple[str, ...]:
    if own is None or found.spacing is None:
        return ()
    return (
        f"the scale of the {found.method}, {found.spacing.mean_mm:.5g} mm per pixel, replaces the file's "
        f"{own.mean_mm:.5g} ({own.origin})",
    )


def _why_not(found: Scale) -> str:
    reason = found.reason.replace("; ", ", ")  # warnings are listed with semicolons between them
    if found.spacing is None:
        return f"no scale: {reason}"
    told = f"the {found.method} says {found.spacing.mean_mm:.4g} mm per pixel"
    return f"scale not used, since it is unsure: {told}, but {reason}. {_CONFIRM}"


def _at_height(image: Image, request: ScaleRequest) -> Image:
    """The image with its magnification corrected, where its scale is the detector's and a height was given."""
    if request.object_mm is None or image.spacing is None:
        return image
    if image.spacing.origin not in AT_DETECTOR:
        return image.with_warning(
            f"the object distance was not applied: the scale is not the detector plane's ({image.spacing.origin})"
        )
    source = request.source_mm or image.acquisition.source_distance_mm
    if source is None:
        return image.with_spacing(None).with_warning(
            "no scale: the file does not say how far the source was from the detector, so its magnification cannot be "
            "corrected: give --source-distance, or leave --object-distance out"
        )
    try:
        corrected = spacing_at_height(image.spacing, request.object_mm, source)
    except MeasurementRefused as refusal:
        return image.with_spacing(None).with_warning(f"no scale: {refusal}")
    return image.with_spacing(corrected).with_warning(_correction(corrected, request.object_mm, source))


def _correction(spacing: Spacing, object_mm: float, source_mm: float) -> str:
    parts = dict(spacing.components)
    added = math.hypot(parts["height"], parts["source"])
    return (
        f"scale corrected for a height of {object_mm:g} mm over the detector, source at {source_mm:g} mm: lengths x "
        f"{1 - object_mm / source_mm:.4f}; the correction adds {added:.1%} to the error of a length, {2 * added:.1%} "
        "to that of an area"
    )
