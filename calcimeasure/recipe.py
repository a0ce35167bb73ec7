"""A recipe holds every setting; the same image and the same recipe give the same number."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from calcimeasure.errors import MaskError, MeasurementRefused, RecipeError
from calcimeasure.model.arrays import Mask
from calcimeasure.model.authorship import Author, Authorship, Doubt
from calcimeasure.model.colour import Colours
from calcimeasure.model.density import Densities, Hydroxyapatite, WedgeCalibration, WedgeSettings
from calcimeasure.model.deposit import Deposit, Excluded, Measurement, Reason, Segmentation
from calcimeasure.model.image import Image, Kind
from calcimeasure.model.labels import Labels
from calcimeasure.model.warning import Code, Remark, once
from calcimeasure.steps.change.compare.settings import CompareSettings
from calcimeasure.steps.change.match import MatchSettings
from calcimeasure.steps.measure.area import MeasureSettings, measure
from calcimeasure.steps.measure.error import (
    Unseen,
    doubts,
    is_unread,
    passed_over,
    shipped_outline_error,
    with_boundary_error,
)
from calcimeasure.steps.outline import method_for, method_named, segment
from calcimeasure.steps.outline.settings import SegmentSettings


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every setting that a number depends on.

    Parameters
    ----------
    segment : SegmentSettings
        How deposits are outlined (TOML table ``[segment]``).
    measure : MeasureSettings
        How outlined deposits are measured (TOML table ``[measure]``).
    wedge : WedgeSettings
        The step wedge on the films, if there is one (TOML table ``[wedge]``).
    match : MatchSettings
        Which deposits of two visits are the same (TOML table ``[match]``).
    compare : CompareSettings
        When a change between two visits counts (TOML table ``[compare]``).
    """

    segment: SegmentSettings = field(default_factory=SegmentSettings)
    measure: MeasureSettings = field(default_factory=MeasureSettings)
    wedge: WedgeSettings = field(default_factory=WedgeSettings)
    match: MatchSettings = field(default_factory=MatchSettings)
    compare: CompareSettings = field(default_factory=CompareSettings)

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
        except (ValueError, RecursionError) as error:
            raise RecipeError("the recipe holds a number or a nesting that no recipe has: remove it") from error
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
        """Twelve hexadecimal digits that change when any setting, the networks it names or their error bars change."""
        networks = method_named(self.segment.method).author is Author.NETWORKS
        facts = [self.as_dict(), self.weights_sha256, shipped_outline_error().to_json() if networks else None]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def weights_sha256(self) -> str | None:
        """SHA-256 of the networks that the recipe uses; `None` when its method uses none."""
        return method_named(self.segment.method).fingerprint(self.segment)


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """An image, what was found in it, and the numbers, with the recipe that made them.

    `calibration` is that of the film's step wedge; `None` when the recipe has none or it could not be used.
    """

    image: Image
    segmentation: Segmentation
    measurement: Measurement
    recipe: Recipe
    calibration: WedgeCalibration | None = None

    @property
    def warnings(self) -> tuple[Remark, ...]:
        """All that a reader of the numbers ought to know, each once."""
        saturated = sum(deposit.saturated_px for deposit in self.measurement.deposits)
        clipped = (Remark.of(Code.SATURATED, count=int(saturated)),) if saturated else ()
        far = sum(deposit.area_mm2 is None for deposit in self.measurement.deposits) if self.image.plane else 0
        beyond = (Remark.of(Code.BEYOND_HORIZON, count=far),) if far else ()
        dense = self.measurement.density.warnings if self.measurement.density else ()
        colour = self.measurement.colours.warnings if self.measurement.colours else ()
        return once(self.image.warnings, self.segmentation.warnings, clipped, beyond, dense, colour)


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
    wedge = _Wedge.on(image, recipe.wedge)
    found = segment(image, recipe.segment, wedge.left_out_of(region, image.shape))
    return _measured(image, found, recipe, wedge)


def analyse_mask(image: Image, labels: Labels, recipe: Recipe | None = None, *, region: Mask | None = None) -> Analysis:
    """An image measured inside outlines that exist already; nothing is segmented.

    Outlines of the networks (`Labels.authorship`) keep the wider error bar of an automatic outline.

    Raises
    ------
    MaskError
        When the label image or the region is not as large as the image.
    """
    _check_shape(image, labels.array, "label image")
    _check_shape(image, region, "region of interest")
    recipe = recipe or Recipe()
    seen = image.with_warning(*labels.warnings)
    return _measured(seen, _clipped(labels, region), recipe, _Wedge.on(image, recipe.wedge))


@dataclass(frozen=True, slots=True)
class _Wedge:
    """What a film's step wedge gave: its calibration, or why there is none; neither when nobody asked."""

    calibration: WedgeCalibration | None = None
    reason: Remark | None = None
    factor: Hydroxyapatite | None = None

    @classmethod
    def on(cls, image: Image, settings: WedgeSettings) -> _Wedge:
        """The wedge of an image; a photo has none, and nothing is said of it."""
        from calcimeasure.steps.measure.wedge import calibrate_wedge

        if not settings.steps_mm or image.kind is not Kind.RADIOGRAPH:
            return cls()
        try:
            found = calibrate_wedge(image, settings.region, settings.steps_mm, settings.material)
        except MeasurementRefused as refusal:
            return cls(reason=Remark.of(Code.WEDGE_REFUSED, why=str(refusal)))
        return cls(found, factor=settings.factor)

    def left_out_of(self, region: Mask | None, shape: tuple[int, int]) -> Mask | None:
        """The region of interest without the wedge: its steps are no deposits."""
        if self.calibration is None:
            return region
        row0, column0, row1, column1 = self.calibration.region
        inside = np.ones(shape, bool) if region is None else np.array(region, bool)
        inside[row0:row1, column0:column1] = False
        return inside

    def densities(self, image: Image, labels: Labels, bone: Mask | None) -> Densities | None:
        """Densities by the wedge, or the reason why there are none; `None` when nobody asked."""
        from calcimeasure.steps.measure.density import density

        if self.calibration is not None:
            return density(image, labels, self.calibration, bone=bone, hydroxyapatite=self.factor)
        return Densities.refused([int(n) for n in labels.numbers], self.reason) if self.reason else None


def _measured(image: Image, found: Segmentation, recipe: Recipe, wedge: _Wedge) -> Analysis:
    numbers = measure(image, found.labels, bone=found.bone, settings=recipe.measure)
    if image.kind is Kind.RADIOGRAPH:
        rows, labels = numbers.deposits, _doubted(image, found, numbers, recipe)
        alone = is_unread(rows, labels.doubts) or (not rows and labels.authorship.film is Author.NETWORKS)
        found = replace(found, labels=labels)
        unseen = unseen_on(image, labels.passed_over_px) if alone else None
        numbers = with_boundary_error(numbers, labels.doubts, unseen)
        numbers = _with_density(numbers, image, found, wedge)
    elif image.kind is Kind.PHOTO and found.labels.count and image.pixels.ndim == 3:
        numbers = numbers.with_colours(_colours(image, found.labels))
    return Analysis(image, found, numbers, recipe, wedge.calibration)


def _doubted(image: Image, found: Segmentation, numbers: Measurement, recipe: Recipe) -> Labels:
    """The labels of a search with what the networks doubted; those that were given say who drew them themselves."""
    if found.labels.doubts or not is_automatic(image, found, recipe):
        return found.labels
    known = outline_doubts(image, found, numbers.deposits, recipe)
    told = Authorship(Author.NETWORKS, doubts=known, passed_over_px=passed_over(found.excluded))
    return replace(found.labels, authorship=told)


def outline_doubts(image: Image, found: Segmentation, rows: Iterable[Deposit], recipe: Recipe) -> dict[int, Doubt]:
    """How much the networks doubted each outline they drew, by number; empty for photos and other methods."""
    if found.probability is None or not is_automatic(image, found, recipe):
        return {}
    return doubts(rows, found.labels, found.probability, found.not_calcium)


def is_automatic(image: Image, found: Segmentation, recipe: Recipe) -> bool:
    """Whether the networks drew these outlines on a film, and nobody else."""
    by_networks = method_for(image, recipe.segment).author is Author.NETWORKS
    return image.kind is Kind.RADIOGRAPH and found.probability is not None and by_networks


def unseen_on(image: Image, passed_over_px: float = 0.0) -> Unseen:
    """What the total of an automatic search errs by besides its outlines; of a film of unknown scale, as assumed."""
    from calcimeasure.steps.anatomy import NOMINAL_MM

    assumed = (NOMINAL_MM / max(image.shape)) ** 2
    mm2 = assumed if image.spacing is None else image.spacing.pixel_mm2
    return Unseen.at(mm2, passed_over_px=passed_over_px)


def _with_density(numbers: Measurement, image: Image, found: Segmentation, wedge: _Wedge) -> Measurement:
    """The deposits with their densities by the wedge, and relative to the cortex nearby."""
    from calcimeasure.steps.measure.density import local_relative_density

    limb, bone = _anatomy(image, found.labels)
    dense = wedge.densities(image, found.labels, bone)
    numbers = numbers if dense is None else numbers.with_densities(dense)
    if limb is None or bone is None:
        return numbers
    return numbers.with_relative(local_relative_density(image, found.labels, limb, bone))


def _colours(image: Image, labels: Labels) -> Colours:
    """Whiteness of the deposits, corrected by the card in the photo where there is one that can be used."""
    from calcimeasure.steps.measure.colour import correct_colour, whiteness
    from calcimeasure.steps.scale.card import find_card

    card = find_card(image)
    if card is None:
        return whiteness(image, labels)
    try:
        correction = correct_colour(image, card)
    except MeasurementRefused as refusal:
        return replace(whiteness(image, labels), warnings=(Remark.of(Code.COLOURS_NOT_CORRECTED, why=str(refusal)),))
    return whiteness(image, labels, correction)


def _anatomy(image: Image, labels: Labels) -> tuple[Mask | None, Mask | None]:
    """Limb and bone, looked for without the deposits, which may be as bright and large as bone."""
    from calcimeasure.steps.anatomy import survey
    from calcimeasure.steps.measure.density import without_deposits

    if not labels.count or image.pixels.ndim != 2:
        return None, None
    seen = survey(without_deposits(image, labels))
    return (None, None) if seen is None else (seen.enlarged(seen.limb), seen.enlarged(seen.bone))


def _clipped(labels: Labels, region: Mask | None) -> Segmentation:
    """The labels inside the region; deposits wholly outside are listed as excluded."""
    if region is None:
        return Segmentation(labels)
    told = (*labels.history, "limited to the region of interest")
    inside = replace(labels, array=np.where(region, labels.array, 0), history=told)
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
    try:
        return replace(settings, **{name: _as_declared(value) for name, value in values.items()})
    except (TypeError, ValueError, ArithmeticError) as error:
        raise RecipeError(f"a setting in [{table}] is of no use here: {type(error).__name__}") from error


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
