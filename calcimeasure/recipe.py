"""A recipe holds every setting; the same image and the same recipe give the same number."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from calcimeasure.errors import MaskError, RecipeError
from calcimeasure.model.deposit import Excluded, Measurement, Reason, Segmentation
from calcimeasure.model.image import Image, Mask
from calcimeasure.model.labels import Labels
from calcimeasure.steps.measure import MeasureSettings, measure
from calcimeasure.steps.segment import segment
from calcimeasure.steps.segment.settings import SegmentSettings
from calcimeasure.steps.segment.weights import fingerprint


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every setting that a number depends on.

    Parameters
    ----------
    segment : SegmentSettings
        How deposits are outlined (TOML table ``[segment]``).
    measure : MeasureSettings
        How outlined deposits are measured (TOML table ``[measure]``).
    """

    segment: SegmentSettings = field(default_factory=SegmentSettings)
    measure: MeasureSettings = field(default_factory=MeasureSettings)

    @classmethod
    def from_toml(cls, text: str) -> Recipe:
        """The recipe written in TOML; settings left out keep their defaults.

        Raises
        ------
        RecipeError
            For text that is no TOML, an unknown setting (the nearest name is offered) or a bad value.
        """
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"the recipe is not valid TOML: {error}; correct that line") from error
        return cls.from_dict(tables)

    @classmethod
    def from_dict(cls, tables: Mapping[str, Any]) -> Recipe:
        """The recipe in a mapping of tables, as `as_dict` gives it."""
        recipe = cls()
        _check_names(tables, recipe, "table")
        parts = {name: _with_settings(getattr(recipe, name), tables[name], name) for name in tables}
        return replace(recipe, **parts)

    def as_dict(self) -> dict[str, Any]:
        """Every effective setting, defaults included, by table."""
        return asdict(self)

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that change when any setting, or the networks it names, change."""
        facts = [self.as_dict(), self.weights_sha256]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def weights_sha256(self) -> str | None:
        """SHA-256 of the networks that the recipe uses; `None` when its method uses none."""
        return fingerprint(self.segment.weights) if self.segment.method == "learned" else None


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """An image, what was found in it, and the numbers, with the recipe that made them."""

    image: Image
    segmentation: Segmentation
    measurement: Measurement
    recipe: Recipe

    @property
    def warnings(self) -> tuple[str, ...]:
        """All that a reader of the numbers ought to know, each once."""
        saturated = sum(deposit.saturated_px for deposit in self.measurement.deposits)
        clipped = (f"{saturated} deposit pixels are saturated: contrast is a lower bound",) if saturated else ()
        return tuple(dict.fromkeys((*self.image.warnings, *self.segmentation.warnings, *clipped)))


def analyse(image: Image, recipe: Recipe | None = None, *, region: Mask | None = None) -> Analysis:
    """Deposits of an image, outlined and measured.

    Parameters
    ----------
    image : Image
        As `calcimeasure.read_image` gives it.
    recipe : Recipe, optional
        The default recipe when left out.
    region : bool array, shape (rows, columns), optional
        Region of interest: only what lies inside it is segmented and measured.

    Raises
    ------
    MaskError
        When the region is not as large as the image.
    """
    recipe = recipe or Recipe()
    _check_shape(image, region, "region of interest")
    found = segment(image, recipe.segment, region)
    return _measured(image, found, recipe)


def analyse_mask(image: Image, labels: Labels, recipe: Recipe | None = None, *, region: Mask | None = None) -> Analysis:
    """An image measured inside outlines that exist already; nothing is segmented.

    Raises
    ------
    MaskError
        When the label image or the region is not as large as the image.
    """
    _check_shape(image, labels.array, "label image")
    _check_shape(image, region, "region of interest")
    return _measured(image, _clipped(labels, region), recipe or Recipe())


def _measured(image: Image, found: Segmentation, recipe: Recipe) -> Analysis:
    numbers = measure(image, found.labels, bone=found.bone, settings=recipe.measure)
    return Analysis(image, found, numbers, recipe)


def _clipped(labels: Labels, region: Mask | None) -> Segmentation:
    """The labels inside the region; deposits wholly outside are listed as excluded."""
    if region is None:
        return Segmentation(labels)
    inside = Labels(np.where(region, labels.array, 0), (*labels.history, "limited to the region of interest"))
    gone = np.setdiff1d(labels.numbers, inside.numbers)
    return Segmentation(inside, tuple(_outside(labels, int(n)) for n in gone))


def _outside(labels: Labels, number: int) -> Excluded:
    rows, columns = np.nonzero(labels.array == number)
    bbox = (int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1)
    return Excluded(Reason.OUTSIDE_REGION, int(rows[0]), int(columns[0]), bbox, len(rows))


def _check_shape(image: Image, array: np.ndarray[Any, Any] | None, what: str) -> None:
    if array is not None and array.shape != image.shape:
        raise MaskError(
            f"the {what} has {array.shape} pixels and the image {image.shape}: "
            "use the mask made for this image, upright"
        )


def _with_settings(settings: Any, values: Any, table: str) -> Any:
    if not isinstance(values, Mapping):
        raise RecipeError(f"[{table}] must be a table of settings, got {values!r}")
    _check_names(values, settings, f"setting in [{table}]")
    return replace(settings, **{name: _as_declared(value) for name, value in values.items()})


def _as_declared(value: Any) -> Any:
    """TOML has lists where our frozen settings have tuples."""
    return tuple(value) if isinstance(value, list) else value


def _check_names(given: Mapping[str, Any], known_to: Any, what: str) -> None:
    names = [f.name for f in fields(known_to)]
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
            raise RecipeError(f"unknown {what}: {name!r}; {hint}")
