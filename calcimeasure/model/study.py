"""A trial in values: subjects, visits, films, and what changed between two visits."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from calcimeasure.model.arrays import Mask
from calcimeasure.model.deposit import Measurement
from calcimeasure.model.image import Image, Kind
from calcimeasure.model.labels import Labels
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.warning import Remark

_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right", "b": "both", "both": "both"}


def plain_side(text: str) -> str | None:
    """``left``, ``right`` or ``both``, however it was written; `None` for anything else.

    >>> plain_side(" L")
    'left'
    """
    return _SIDES.get(text.strip().casefold())


class VisitOrder(StrEnum):
    """By what the visits of a subject are in order."""

    AS_GIVEN = "as_given"
    DATED = "dated"
    DATED_AGAINST_TABLE = "dated_against_table"
    UNDATED_TABLE = "undated_table"


class Fate(StrEnum):
    """What became of a deposit between two visits."""

    NEW = "new"
    RESOLVED = "resolved"
    GROWN = "grown"
    SHRUNK = "shrunk"
    STABLE = "stable"
    MERGED = "merged"
    SPLIT = "split"
    OUT_OF_FIELD = "out_of_field"


class Verdict(StrEnum):
    """What is said of a patient's total burden."""

    IMPROVED = "improved"
    STABLE = "stable"
    WORSE = "worse"
    NOT_EVALUABLE = "not_evaluable"


class Status(StrEnum):
    """Whether an interval could be compared."""

    COMPARED = "compared"
    NOT_EVALUABLE = "not_evaluable"
    FAILED = "failed"


#: A first infusion takes 2 to 5 days: a film of the same week still shows the untreated state.
GRACE_DAYS = 7
#: A twelfth of a year.
DAYS_A_MONTH = 30.4375


@dataclass(frozen=True, slots=True)
class Film:
    """One row of a study file: an image of a visit and what the user's file says of it.

    `image` and `mask` are as the study file wrote them; an empty cell is `None`.
    """

    subject: str
    visit: str
    date: datetime.date | None
    image: str
    site: str | None = None
    side: str | None = None
    view: str | None = None
    treatment_start: datetime.date | None = None
    mask: str | None = None
    reader: str | None = None
    spacing_mm: float | None = None
    lost_because: str | None = None
    exclude_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """All films of a subject's visit."""

    name: str
    date: datetime.date | None
    films: tuple[Film, ...]


def months_between(start: datetime.date | None, end: datetime.date | None) -> float | None:
    """Time between two dates in months of 30.44 days; `None` where one is unknown."""
    return None if start is None or end is None else (end - start).days / DAYS_A_MONTH


@dataclass(frozen=True, slots=True)
class Subject:
    """A patient's visits, earliest first; `order` tells by what."""

    name: str
    visits: tuple[Visit, ...]
    treatment_start: datetime.date | None = None
    order: VisitOrder = VisitOrder.AS_GIVEN

    @property
    def baseline(self) -> Visit:
        """The last visit on or before the start of treatment (`GRACE_DAYS` after it still count), else the first."""
        start = self.treatment_start
        if start is None:
            return self.visits[0]
        before = [v for v in self.visits if v.date is not None and (v.date - start).days <= GRACE_DAYS]
        return before[-1] if before else self.visits[0]


@dataclass(frozen=True, slots=True)
class Study:
    """All subjects of a study file, in its order."""

    subjects: tuple[Subject, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A film as measured: image, outlines, numbers, and the limb where it was looked for.

    `film` is its row of the study file, whose side and view stand over those of the image. Who drew the outlines say
    the labels themselves (`Labels.authorship`).
    """

    image: Image
    labels: Labels
    measurement: Measurement
    limb: Mask | None = None
    film: Film | None = None

    @property
    def outlined_by_person(self) -> bool:
        """Whether a reader stands behind the outlines; a program alone does not."""
        return self.labels.is_by_person

    @property
    def is_proposal(self) -> bool:
        """Whether it is a photo that nobody outlined: most of what is proposed on skin is none."""
        return self.image.kind is Kind.PHOTO and not self.labels.is_by_person

    @property
    def side(self) -> str | None:
        """Side of the body by the study file, else by the image."""
        return (self.film.side if self.film else None) or self.image.acquisition.side

    @property
    def view(self) -> str | None:
        """View by the study file, else by the image."""
        return (self.film.view if self.film else None) or self.image.acquisition.view


#: Who links deposits when no person does, and a person who did not say who.
ITSELF, A_READER = "calcimeasure", "a reader"


def is_by_person(by: str) -> bool:
    """Whether a link is a person's."""
    return by != ITSELF


@dataclass(frozen=True, slots=True)
class Link:
    """Labels of the baseline and of the follow-up that are the same calcium; one side is empty for new or gone ones.

    `in_field` tells whether the place of the missing side lies on the other film. `by` is ``"calcimeasure"`` or the
    person who overrode it. `name` is the deposit's identity over all visits, empty until `identify` gave one.
    `confirmed` tells of a new deposit that it was seen again at a later visit or in a second view.
    """

    baseline: tuple[int, ...]
    followup: tuple[int, ...]
    in_field: bool = True
    by: str = ITSELF
    name: str = ""
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class DepositChange:
    """One deposit over one interval.

    Parameters
    ----------
    deposit : str
        Identity, the same at every visit.
    fate : Fate
    baseline, followup : tuple of int
        Labels at either visit; empty where absent.
    baseline_point, followup_point : tuple of int or None
        A native (row, column) inside it; `None` where absent.
    area_before, area_after, area_change : Quantity or None
        In mm2, or px where the scale is unknown; `None` where absent (the change of an absent one counts it as 0).
    percent : float or None
        Change as a share of the baseline, in percent; `None` without a baseline.
    detectable : float or None
        Smallest detectable change at its size, in the unit of the areas.
    power : float or None
        Chance (0-1) that a fall of 25 % of it would have been seen beyond that.
    density_before, density_after : Quantity or None
        Mean mm of aluminium, where both films have it.
    contrast_percent : float or None
        Change of its brightness over the tissue around, in percent, both films laid on each other; `None` where a
        person outlined them, or the films do not tell.
    by : str
        Who linked it: ``"calcimeasure"`` or a person.
    confirmed : bool
        For a new deposit: seen again, seen in a second view, or marked by a reader.
    counted : bool
        Whether its areas are in the totals.
    note : tuple of Remark
        What a reader of the row ought to know.
    """

    deposit: str
    fate: Fate
    baseline: tuple[int, ...] = ()
    followup: tuple[int, ...] = ()
    baseline_point: tuple[int, int] | None = None
    followup_point: tuple[int, int] | None = None
    area_before: Quantity | None = None
    area_after: Quantity | None = None
    area_change: Quantity | None = None
    percent: float | None = None
    detectable: float | None = None
    power: float | None = None
    density_before: Quantity | None = None
    density_after: Quantity | None = None
    contrast_percent: float | None = None
    by: str = ITSELF
    confirmed: bool = False
    counted: bool = True
    note: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """Total burden over one interval, every deposit's fate, and the verdict with what it rests on.

    Parameters
    ----------
    status, verdict, reason : Status, Verdict, tuple of Remark
        `reason` says why the verdict is what it is, or why there is none.
    before, after, change : Quantity or None
        Total area in the common field, mm2 (or px with the flag in `warnings`); `None` when not evaluable.
    percent, percent_interval : float or None, pair of float or None
        Change in percent of the baseline, and its 95 % interval.
    p_decrease : float or None
        Probability that the true total fell.
    detectable : float or None
        Smallest detectable change of the total at that size, same unit.
    density_before, density_after, density_change : Quantity or None
        The same for integrated density (mm3 of aluminium) where both films have it.
    deposits : tuple of DepositChange
    under_rules : mapping of str to Verdict
        The verdict under each rule alone and at other levels, by the rule's words.
    inside_error : bool or None
        For `stable`: whether the change lies inside measurement error (else it is real but under the cut).
    warnings : tuple of Remark
    """

    status: Status
    verdict: Verdict
    reason: tuple[Remark, ...] = ()
    before: Quantity | None = None
    after: Quantity | None = None
    change: Quantity | None = None
    percent: float | None = None
    percent_interval: tuple[float, float] | None = None
    p_decrease: float | None = None
    detectable: float | None = None
    density_before: Quantity | None = None
    density_after: Quantity | None = None
    density_change: Quantity | None = None
    deposits: tuple[DepositChange, ...] = ()
    under_rules: Mapping[str, Verdict] = field(default_factory=dict)
    inside_error: bool | None = None
    warnings: tuple[Remark, ...] = ()

    @property
    def fates(self) -> dict[Fate, int]:
        """How many deposits met each fate."""
        return {fate: sum(one.fate is fate for one in self.deposits) for fate in Fate}

    @classmethod
    def not_evaluable(cls, *reason: Remark, warnings: tuple[Remark, ...] = ()) -> Change:
        """No number, and why."""
        return cls(Status.NOT_EVALUABLE, Verdict.NOT_EVALUABLE, reason, warnings=warnings)


@dataclass(frozen=True, slots=True)
class FilmPair:
    """Two films of one site and side that were compared.

    Parameters
    ----------
    baseline, followup : str
        NAMEs of the films (masks/NAME.labels.tif and overlays/NAME.png of the results folder).
    place : str
        Site, side, view and reader in one word; empty when the study file tells none.
    change : Change
        What changed between them.
    links : tuple of Link
        Which deposits are the same calcium.
    picture : str
        NAME of pairs/NAME.png, which shows both films; empty when there is none.
    overlap, residual_mm : float or None
        How well the films lie on each other.
    """

    baseline: str
    followup: str
    place: str
    change: Change
    links: tuple[Link, ...] = ()
    picture: str = ""
    overlap: float | None = None
    residual_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """One subject from one visit to another.

    `change` is that of the whole patient, `pairs` the films it was made from, `alone` the films that took no part,
    each with its reason.
    """

    subject: str
    baseline: Visit
    followup: Visit
    change: Change
    pairs: tuple[FilmPair, ...] = ()
    alone: tuple[Remark, ...] = ()
