"""Two films of one limb by one recipe: laid on each other, deposits matched, the change judged."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from calcimeasure.model.alignment import Alignment
from calcimeasure.model.arrays import Mask
from calcimeasure.model.authorship import UNSAID
from calcimeasure.model.image import Image, Kind
from calcimeasure.model.labels import Labels
from calcimeasure.model.precision import Precision, multiplier
from calcimeasure.model.study import Change, Fate, Film, Link, Reading, Verdict
from calcimeasure.model.warning import Code, Remark
from calcimeasure.recipe import Recipe, analyse_mask
from calcimeasure.steps.change.compare.settings import CompareSettings
from calcimeasure.steps.change.compare.shipped import shipped_precision
from calcimeasure.steps.change.compare.verdict import Total, is_inside_error, makes_worse, reason, under_rules, verdict

Point = tuple[float, float]
#: Labels of a deposit at the baseline and at the follow-up.
Labelled = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Guidance:
    """What a person says of two films, beyond the recipe.

    Parameters
    ----------
    landmarks : tuple of pairs of (row, column), or None
        Points of the baseline and where they lie on the follow-up; they stand in for the automatic alignment.
    overrides : tuple of Link
        Matches by hand.
    names : mapping of labels to str
        Names that deposits have over all visits, by their labels (baseline, follow-up); others are numbered.
    mirrored : bool
        The follow-up shows the limb mirrored, and the user knows.
    profile : Precision
        Repeatability by size; the shipped one, from simulated films, when nobody measured it.
    """

    landmarks: tuple[tuple[Point, Point], ...] | None = None
    overrides: tuple[Link, ...] = ()
    names: Mapping[Labelled, str] = field(default_factory=dict)
    mirrored: bool = False
    profile: Precision = field(default_factory=shipped_precision)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two readings, how they lie on each other, which deposits are the same, and what changed.

    `recipe` and `guidance` are what it was made by.
    """

    baseline: Reading
    followup: Reading
    alignment: Alignment
    links: tuple[Link, ...]
    change: Change
    recipe: Recipe
    guidance: Guidance

    @property
    def overrides(self) -> tuple[Link, ...]:
        """Matches by hand."""
        return self.guidance.overrides

    def with_overrides(self, overrides: Sequence[Link]) -> Comparison:
        """The same films with other matches by hand; they are not aligned again.

        Raises
        ------
        MeasurementRefused
            For an override that names a deposit that is not there.
        """
        guidance = replace(self.guidance, overrides=tuple(overrides))
        return _judged((self.baseline, self.followup), self.alignment, self.recipe, guidance)

    def joined(self, names: Collection[str], by: str) -> Comparison:
        """The rows of these names are one deposit, a reader says."""
        rows = [row for row in self.change.deposits if row.deposit in names]
        before = tuple(sorted({n for row in rows for n in row.baseline}))
        after = tuple(sorted({n for row in rows for n in row.followup}))
        return self._corrected((Link(before, after, by=by),))

    def parted(self, names: Collection[str], by: str) -> Comparison:
        """What lies on the two films under each of these names is not the same deposit, a reader says."""
        rows = [row for row in self.change.deposits if row.deposit in names]
        sides = [side for row in rows for side in ((row.baseline, ()), ((), row.followup))]
        return self._corrected(tuple(Link(one, two, by=by) for one, two in sides if one or two))

    def _corrected(self, fresh: tuple[Link, ...]) -> Comparison:
        """With fresh matches, and those of the overrides that name nothing that the fresh ones name."""
        before = {number for link in fresh for number in link.baseline}
        after = {number for link in fresh for number in link.followup}
        kept = (one for one in self.overrides if before.isdisjoint(one.baseline) and after.isdisjoint(one.followup))
        return self.with_overrides((*kept, *fresh))


def reading_of(image: Image, labels: Labels, recipe: Recipe, film: Film | None = None) -> Reading:
    """A film with its outlines measured and the limb found.

    The error bars are the outlines' own geometric ones: how much two visits differ by chance says the precision
    profile, and what the networks get wrong of a deposit they mostly get wrong at both visits.

    Raises
    ------
    MaskError
        When the label image is not as large as the image.
    """
    measurement = analyse_mask(image, replace(labels, authorship=UNSAID), recipe).measurement
    return Reading(image, labels, measurement, _limb(image), film)


def aligned(baseline: Reading, followup: Reading, guidance: Guidance | None = None) -> Alignment:
    """Where the limb of one film lies on the other; outlined deposits may come and go without bending the map."""
    from calcimeasure.steps.change.align import align

    guidance = guidance or Guidance()
    return align(
        baseline.image,
        followup.image,
        limbs=(baseline.limb, followup.limb),
        ignore=(baseline.labels.array > 0, followup.labels.array > 0),
        landmarks=guidance.landmarks,
        mirrored=guidance.mirrored,
    )


def compare_readings(
    baseline: Reading, followup: Reading, recipe: Recipe | None = None, guidance: Guidance | None = None
) -> Comparison:
    """What changed from one film to another: measured on each film's own pixels, matched where they coincide.

    The one way to compare, for panel and command line alike. Not evaluable, with the reason, where the two are no pair.

    Raises
    ------
    MeasurementRefused
        For a match by hand that names a deposit that is not there, or landmarks that cannot be right.
    """
    from calcimeasure.steps.change.compare import not_two_films

    recipe, guidance = recipe or Recipe(), guidance or Guidance()
    if why := not_two_films(baseline, followup):
        nowhere = Alignment.refusing(baseline.image.shape, followup.image.shape, why)
        return Comparison(baseline, followup, nowhere, (), Change.not_evaluable(why), recipe, guidance)
    return _judged((baseline, followup), aligned(baseline, followup, guidance), recipe, guidance)


def _judged(films: tuple[Reading, Reading], alignment: Alignment, recipe: Recipe, guidance: Guidance) -> Comparison:
    from calcimeasure.steps.change.compare import compare
    from calcimeasure.steps.change.match import match, named

    (links,) = named((match(*films, alignment, recipe.match, guidance.overrides),))
    links = tuple(replace(link, name=guidance.names.get((link.baseline, link.followup), link.name)) for link in links)
    change = compare(*films, alignment, links, recipe.compare, guidance.profile)
    return Comparison(*films, alignment, links, change, recipe, guidance)


def confirmed(change: Change, names: Collection[str], settings: CompareSettings) -> Change:
    """The change once new deposits of these names were seen again at a later visit, judged anew.

    A confirmed new deposit counts in the verdict; until then it is only shown.
    """
    again = [one.fate is Fate.NEW and not one.confirmed and one.deposit in names for one in change.deposits]
    if not any(again) or change.before is None or change.after is None or change.change is None:
        return change
    note = (Remark.of(Code.DEPOSIT_SEEN_AGAIN),)
    deposits = tuple(
        replace(one, confirmed=one.confirmed or fresh, note=note if fresh else one.note)
        for one, fresh in zip(change.deposits, again, strict=True)
    )
    open_ = [one for one in deposits if one.fate is Fate.NEW and not one.confirmed and one.counted]
    unconfirmed = math.fsum(one.area_after.value for one in open_ if one.area_after)
    error = (change.detectable or 0.0) / multiplier(settings.level)
    total = Total(change.before.value, change.after.value - unconfirmed, error, change.change.sd or 0.0)
    new = sum(makes_worse(one, settings) for one in deposits)
    found = verdict(total, new, settings)
    return replace(
        change,
        verdict=found,
        reason=(reason(total, new, settings),),
        deposits=deposits,
        under_rules=under_rules(total, new, settings),
        inside_error=is_inside_error(total, settings) if found is Verdict.STABLE else None,
        warnings=tuple(one for one in change.warnings if open_ or one.code is not Code.NEW_UNCONFIRMED),
    )


def _limb(image: Image) -> Mask | None:
    from calcimeasure.steps.anatomy import survey

    seen = survey(image) if image.kind is Kind.RADIOGRAPH else None
    return seen.enlarged(seen.limb) if seen is not None and seen.limb.any() else None


def names_over_visits(spans: Sequence[tuple[int, int]], links: Sequence[tuple[Link, ...]]) -> list[dict[Labelled, str]]:
    """For each interval the name of the deposit of a link, by its labels; the same deposit has one name everywhere.

    Parameters
    ----------
    spans : sequence of (int, int)
        Which visits each interval joins.
    links : sequence of tuple of Link
        Of each interval.
    """
    from calcimeasure.steps.change.match import identify

    found = identify(links, spans)
    return [
        {(link.baseline, link.followup): name for link, name in zip(one, names, strict=True)}
        for one, names in zip(links, found, strict=True)
    ]
