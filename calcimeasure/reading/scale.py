"""Another scale for a film, with the words that the reader of the file would have said of it."""

from __future__ import annotations

from dataclasses import replace

from calcimeasure.io.images.spacing import check_given, replaced_words, scale_words
from calcimeasure.model.image import Image, Kind, Spacing, SpacingOrigin
from calcimeasure.model.plane import ObjectPlane
from calcimeasure.model.scale import ScaleRequest
from calcimeasure.steps.scale.rescale import rescaled as checked_by_marker

_REPLACED = (
    "the scale of the {spacing.origin}, {spacing.mean_mm:.5g} mm per pixel, replaces the file's "
    "{own.mean_mm:.5g} ({own.origin})"
)


def rescaled(stated: Image, now: Image, spacing: Spacing | None, plane: ObjectPlane | None = None) -> Image:
    """The film with another scale; `None` goes back to what its file says.

    The warnings are those that ``calcimeasure measure`` gives with that scale, so that tables read alike.

    Parameters
    ----------
    stated : Image
        As it was read.
    now : Image
        As it is at present.
    spacing : Spacing or None
        The new scale.
    plane : ObjectPlane or None
        The marker's plane, where a marker gave it.

    Raises
    ------
    RecipeError
        When the scale cannot be true of this picture.
    """
    if spacing is None:
        return stated
    if spacing == now.spacing and plane == now.plane:
        return now
    check_given(spacing, stated.shape)
    if spacing.origin is SpacingOrigin.USER:
        return _by_user(stated, spacing)
    own = stated.spacing
    warnings = () if own is None else (_REPLACED.format(spacing=spacing, own=own),)
    stale = scale_words(own)
    silent = replace(stated, warnings=tuple(word for word in stated.warnings if word not in stale))
    return silent.with_spacing(spacing, plane).with_warning(*warnings)


def _by_user(stated: Image, spacing: Spacing) -> Image:
    """As the reader would have had it; in a photo, a marker that contradicts the user is told of."""
    own = None if stated.spacing and stated.spacing.origin is SpacingOrigin.USER else stated.spacing
    before, words = scale_words(stated.spacing), replaced_words(own, spacing)
    at = next((i for i, word in enumerate(stated.warnings) if word in before), len(stated.warnings))
    rest = tuple(word for word in stated.warnings if word not in before)
    image = replace(stated, spacing=spacing, plane=None, warnings=(*rest[:at], *words, *rest[at:]))
    return image if image.kind is not Kind.PHOTO else checked_by_marker(image, ScaleRequest())
