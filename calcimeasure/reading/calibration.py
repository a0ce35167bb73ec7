"""The scale of a film, and the step wedge on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from calcimeasure.errors import EditRefused, MeasurementRefused
from calcimeasure.model.deposit import Measurement
from calcimeasure.model.image import Image, Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels
from calcimeasure.model.scale import Scale
from calcimeasure.reading.changes import Changes, Event
from calcimeasure.reading.later import Later
from calcimeasure.reading.patch import Box
from calcimeasure.reading.scale import rescaled
from calcimeasure.report.words import in_one
from calcimeasure.steps.measure.area import measure


@dataclass(frozen=True, slots=True, eq=False)
class Rescaled:
    """The film at another scale, and its numbers there."""

    image: Image
    measurement: Measurement


class Calibration:
    """Scale and wedge of a session.

    Parameters
    ----------
    changes : Changes
        Where each becomes a step.
    """

    def __init__(self, changes: Changes) -> None:
        self._changes, self._film = changes, changes.film

    def set_spacing(self, spacing: Spacing | float | None) -> Event:
        """Another scale: mm per pixel from the user, a `Spacing` of any origin, or `None` for what the file says.

        Raises
        ------
        EditRefused
            For a number that is no length.
        """
        return self._rescale(self._at_scale(spacing))

    def set_scale(self, scale: Scale) -> Event:
        """The scale that a marker, a ruler or a drawn line gave.

        Raises
        ------
        MeasurementRefused
            When there is none, with the reason.
        """
        return self._rescale(self._at_scale(scale))

    def scaling(self, scale: Scale | Spacing | float | None) -> Later[Rescaled]:
        """As `set_scale` and `set_spacing`, for another thread, with their refusals."""
        self._changes.check_open()
        image, labels, settings = self._at_scale(scale), self._film.labels, self._film.recipe.measure
        return Later.of(
            self._changes,
            lambda: Rescaled(image, measure(image, Labels(labels), settings=settings)),
            lambda result, fresh: self._rescale(result.image, result.measurement if fresh else None),
            lambda _: self.scaling(scale),
        )

    def set_wedge(self, steps_mm: Sequence[float], region: Box | None = None, found: Box | None = None) -> Event:
        """The step wedge on the film: what is saved has densities, as ``calcimeasure measure`` with this recipe.

        Parameters
        ----------
        steps_mm : sequence of float
            Thickness of every step, as ``--wedge`` takes it.
        region : tuple of int, optional
            (row0, column0, row1, column1) where a person marked it; looked for when left out.
        found : tuple of int, optional
            Where it was found: no deposits are looked for there.

        Raises
        ------
        RecipeError
            For thicknesses that are no wedge.
        """
        state, before = self._film.state, self._film.recipe
        wedge = replace(before.wedge, steps_mm=tuple(float(mm) for mm in steps_mm), region=region)
        recipe = before if wedge == before.wedge else replace(before, wedge=wedge)
        same = recipe is before and (found or region) == state.wedge
        return self._changes.do("wedge", state=None if same else replace(state, recipe=recipe, wedge=found or region))

    def _at_scale(self, scale: Scale | Spacing | float | None) -> Image:
        """The film at a scale."""
        stated, image = self._film.stated, self._film.image
        if isinstance(scale, Scale):
            if scale.spacing is None:
                raise MeasurementRefused(in_one(scale.reason))
            return rescaled(stated, image, scale.spacing, scale.plane)
        given = _spacing(scale)
        return rescaled(stated, image, None if given is None else given.shaped(image.aspect))

    def _rescale(self, image: Image, measured: Measurement | None = None) -> Event:
        state = self._film.state if image is self._film.image else replace(self._film.state, image=image)
        return self._changes.do("scale", state=state, measured=measured)


def _spacing(given: Spacing | float | None) -> Spacing | None:
    """Mm per pixel from the user as a scale."""
    try:
        return Spacing.of(given, given, SpacingOrigin.USER) if isinstance(given, int | float) else given
    except ValueError as error:
        raise EditRefused(f"{given} mm per pixel is no scale: give a positive number") from error
