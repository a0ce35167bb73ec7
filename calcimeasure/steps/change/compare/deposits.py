"""What became of each deposit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage, spatial

from calcimeasure.model.alignment import Alignment
from calcimeasure.model.common_field import CommonField
from calcimeasure.model.deposit import Deposit
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import DepositChange, Fate, Link, Reading, is_by_person
from calcimeasure.steps.change.compare.error import Area, ErrorModel, Ratio
from calcimeasure.steps.change.compare.shadow import FilmsTogether, Seen

SECOND_LOOK = "outlines alone do not tell: area at the {visit} by a second look at both films"
CUT_OFF = "partly outside the common field: only the common part is compared"
LOST = "lost by {cause}: in neither total"
_WHOLE = 0.98  # of a deposit in the common field; less is cut off


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One film of a pair, with what its deposits need."""

    reading: Reading
    shares: npt.NDArray[np.float64]
    boxes: list[tuple[slice, slice] | None]
    rows: dict[int, Deposit]
    unit: str

    @classmethod
    def of(cls, reading: Reading, shares: npt.NDArray[np.float64], unit: str) -> Side:
        """Looks up boxes and rows of every label once."""
        boxes = ndimage.find_objects(reading.labels.array)
        return cls(reading, shares, boxes, {row.label: row for row in reading.measurement.deposits}, unit)

    def area(self, labels: Sequence[int], whole: bool = False) -> Area:
        """Area of the labels in the common field (or the whole), and the error of their outlines."""
        parts = [(self._plain(n), 1.0 if whole else float(self.shares[n])) for n in labels]
        value = math.fsum(area.value * share for area, share in parts)
        return Area(value, math.sqrt(math.fsum((area.sd * share) ** 2 for area, share in parts)))

    def share(self, labels: Sequence[int]) -> float:
        """Share of the labels' area that lies in the common field."""
        whole = self.area(labels, whole=True).value
        return self.area(labels).value / whole if whole > 0 else 0.0

    def point(self, labels: Sequence[int]) -> tuple[int, int] | None:
        """The pixel deepest inside the largest label."""
        if not labels:
            return None
        largest = max(labels, key=lambda n: self._plain(n).value)
        box = self.boxes[largest - 1]
        if box is None:
            return None
        inside = np.pad(self.reading.labels.array[box] == largest, 1)
        depth = ndimage.distance_transform_edt(inside)[1:-1, 1:-1]
        row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
        return box[0].start + int(row), box[1].start + int(column)

    def aluminium(self, labels: Sequence[int]) -> Quantity | None:
        """Aluminium volume of the labels in the common field; `None` where one lacks it or there is none."""
        densities = [(self.rows[n].density, float(self.shares[n])) for n in labels]
        known = [(one.al_volume_mm3, share) for one, share in densities if one and one.al_volume_mm3]
        if not known or len(known) < len(densities):
            return None
        # one film's calibration is the same for all its deposits, so their errors are added, not averaged out
        sd = math.fsum((volume.sd or 0.0) * share for volume, share in known)
        return Quantity(math.fsum(volume.value * share for volume, share in known), sd, known[0][0].unit)

    def pixels(self, label: int) -> npt.NDArray[np.float64]:
        """(row, column) of a label's pixels, at most about 2000 of them."""
        box = self.boxes[label - 1]
        if box is None:
            return np.empty((0, 2))
        points = np.argwhere(self.reading.labels.array[box] == label) + np.array([box[0].start, box[1].start])
        return np.asarray(points[:: max(1, len(points) // 2000)], float)

    def _plain(self, label: int) -> Area:
        row = self.rows[label]
        if self.unit == "px" or row.area_mm2 is None or self.reading.image.spacing is None:
            return Area(row.area_px.value, row.area_px.sd or 0.0)
        scale = dict(row.area_mm2.components).get("scale", 0.0)
        return Area(row.area_mm2.value, math.sqrt(max((row.area_mm2.sd or 0.0) ** 2 - scale**2, 0.0)))


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two films that may be compared, laid on each other.

    `films` are both as one, for what outlines do not tell; `None` where readers outlined both, whose word stands, or
    where brightness is no contrast. `lost_because` is why a deposit that is gone was lost, by the study file.
    """

    before: Side
    after: Side
    alignment: Alignment
    error: ErrorModel
    films: FilmsTogether | None
    lost_because: str | None = None

    @classmethod
    def of(cls, baseline: Reading, followup: Reading, alignment: Alignment, error: ErrorModel) -> Pair:
        """The pair, with its common field looked up."""
        field = CommonField.of(baseline, followup, alignment)
        by_persons = baseline.outlined_by_person and followup.outlined_by_person
        films = None if by_persons else FilmsTogether.of(baseline, followup, alignment, error.settings)
        return cls(
            Side.of(baseline, field.share_of_baseline(baseline.labels.array), error.unit),
            Side.of(followup, field.share_of_followup(followup.labels.array), error.unit),
            alignment,
            error,
            films,
            followup.film.lost_because if followup.film else None,
        )

    def seen(self, row: DepositChange) -> Seen | None:
        """What both films show at a deposit's place; `None` where nobody can say, or need."""
        if self.films is None or self._is_settled(row):
            return None
        found = self.films.look(row.baseline, row.followup)
        return found if found is not None and found.is_clear else None

    def _is_settled(self, row: DepositChange) -> bool:
        """Whether persons speak for both visits: by their outlines, or by saying that it is not on the other film."""
        if is_by_person(row.by) and not (row.baseline and row.followup):
            return True
        sides = (self.before.reading.labels, row.baseline), (self.after.reading.labels, row.followup)
        return all(labels.authorship.is_by_person(numbers) for labels, numbers in sides)


def deposit_changes(pair: Pair, links: Sequence[Link]) -> tuple[DepositChange, ...]:
    """Fate, areas, error and power of every linked deposit, in the links' order."""
    return tuple(_changed(pair, link, link.name or str(k)) for k, link in enumerate(links, 1))


def _changed(pair: Pair, link: Link, name: str) -> DepositChange:
    row = DepositChange(
        name,
        Fate.STABLE,
        link.baseline,
        link.followup,
        pair.before.point(link.baseline),
        pair.after.point(link.followup),
        by=link.by,
        confirmed=link.confirmed,
    )
    if _is_outside(pair, link):
        return _outside(pair, row)
    before, after = pair.before.area(link.baseline), pair.after.area(link.followup)
    if link.baseline and link.followup:
        return _present_at_both(pair, row, before, after)
    return _present_at_one(pair, row, before, after)


def _is_outside(pair: Pair, link: Link) -> bool:
    least = pair.error.settings.least_in_field
    sides = [side.share(labels) for side, labels in _sides(pair, link) if labels]
    return not link.in_field or min(sides) < least


def _sides(pair: Pair, link: Link) -> Iterator[tuple[Side, tuple[int, ...]]]:
    yield pair.before, link.baseline
    yield pair.after, link.followup


def _outside(pair: Pair, row: DepositChange) -> DepositChange:
    before, after = pair.before.area(row.baseline, whole=True), pair.after.area(row.followup, whole=True)
    return replace(
        row,
        fate=Fate.OUT_OF_FIELD,
        area_before=_quantity(pair, before) if row.baseline else None,
        area_after=_quantity(pair, after) if row.followup else None,
        counted=False,
        note="outside the common field: in neither total",
    )


def _quantity(pair: Pair, area: Area) -> Quantity:
    return Quantity(area.value, pair.error.area_sd(area), pair.error.unit)


def _measured(pair: Pair, row: DepositChange, before: Area, after: Area) -> DepositChange:
    """The row with its numbers; an absent side is `None` and its area counts as 0 in the change."""
    error, change = pair.error, after.value - before.value
    cut = min([side.share(n) for side, n in ((pair.before, row.baseline), (pair.after, row.followup)) if n]) < _WHOLE
    return replace(
        row,
        area_before=_quantity(pair, before) if row.baseline else None,
        area_after=_quantity(pair, after) if row.followup else None,
        area_change=Quantity(change, error.change_sd(before, after), error.unit),
        percent=100 * change / before.value if before.value > 0 else None,
        detectable=error.detectable(before, after),
        power=error.power(before) if before.value > 0 else None,
        density_before=_density(pair.before, row.baseline),
        density_after=_density(pair.after, row.followup),
        note=CUT_OFF if cut else "",
    )


# --- on both films -----------------------------------------------------------------------------------------


def _present_at_both(pair: Pair, row: DepositChange, before: Area, after: Area) -> DepositChange:
    """By the outlines and by what the films show, each counted by its error; where these contradict, by the latter.

    The outlines' areas stand where both agree and the outlines alone tell the same fate. Where the outlines tell a
    change and the films the opposite, nobody can tell: the larger outline counts at both visits.
    """
    measured, seen = _measured(pair, row, before, after), pair.seen(row)
    joined = _joined(pair, row)
    if seen is None or seen.is_gone(pair.error.settings):
        return replace(measured, fate=joined or _by_size(pair, measured))
    outlined, shown = pair.error.ratio(before, after), seen.ratio(pair.error.settings)
    estimate = seen.estimate(pair.error.settings)
    contradiction = outlined.contradicts(estimate)
    if joined and not contradiction:
        return replace(measured, fate=joined)
    if outlined.opposes(estimate):
        unknown = Ratio(0.0, math.hypot(outlined.sd, estimate.sd))
        return _by_second_look(pair, row, (seen, unknown), _larger(before, after, unknown))
    both = shown if contradiction else outlined.joined(shown)
    told = _told(pair, replace(measured, contrast_percent=seen.percent), both)
    same = told.fate is _by_size(pair, measured)
    if same and outlined.agrees(estimate):
        return told
    ratio = estimate if contradiction and not same else outlined.joined(estimate)
    return _by_second_look(pair, row, (seen, both), _larger(before, after, ratio))


def _larger(before: Area, after: Area, ratio: Ratio) -> tuple[Area, Area]:
    """The larger outline, and the other one's area from it."""
    if before.value >= after.value:
        return before, _times(before, ratio)
    return _times(after, Ratio(-ratio.log, ratio.sd)), after


def _times(area: Area, ratio: Ratio) -> Area:
    value = area.value * math.exp(ratio.log)
    return Area(value, math.hypot(area.sd * math.exp(ratio.log), value * ratio.sd))


def _by_second_look(pair: Pair, row: DepositChange, by: tuple[Seen, Ratio], areas: tuple[Area, Area]) -> DepositChange:
    """The row with the areas given, one of which was made from the other; its fate by the ratio."""
    (seen, ratio), (before, after) = by, areas
    found = _measured(pair, row, before, after)
    visit = "baseline" if row.followup and (not row.baseline or before.value < after.value) else "follow-up"
    note = SECOND_LOOK.format(visit=visit)
    # the profile knows outlines; an area that was made from another one also errs by the ratio
    made = max(error.sd for error in areas)
    looked = replace(
        found,
        area_before=_quantity(pair, before),
        area_after=_quantity(pair, after),
        area_change=Quantity(after.value - before.value, max(made, _sd(found.area_change)), pair.error.unit),
        contrast_percent=seen.percent,
        note=f"{note}; {found.note}" if found.note else note,
    )
    return _told(pair, looked, ratio)


def _sd(quantity: Quantity | None) -> float:
    return quantity.sd or 0.0 if quantity else 0.0


def _told(pair: Pair, row: DepositChange, ratio: Ratio) -> DepositChange:
    """The row with fate, smallest detectable change and power by a ratio of areas that is known so well."""
    settings = pair.error.settings
    areas = [area.value for area in (row.area_before, row.area_after) if area]
    changed = ratio.is_change(settings.cut_percent, settings.level)
    return replace(
        row,
        fate=Fate.STABLE if not changed else Fate.GROWN if ratio.log > 0 else Fate.SHRUNK,
        detectable=pair.error.detectable_multiplier * ratio.sd * math.fsum(areas) / len(areas),
        power=ratio.power(settings.cut_percent, settings.level),
    )


def _by_size(pair: Pair, row: DepositChange) -> Fate:
    """Grown or shrunk when the change exceeds both the error at this size and the cut."""
    change = row.area_change.value if row.area_change else 0.0
    beyond = abs(change) > (row.detectable or 0.0) and abs(row.percent or 0.0) >= pair.error.settings.cut_percent
    if not beyond:
        return Fate.STABLE
    return Fate.GROWN if change > 0 else Fate.SHRUNK


def _joined(pair: Pair, row: DepositChange) -> Fate | None:
    """Merged or split, when one side has several clear parts and the other fewer."""
    before, after = _clear_parts(pair.before, row.baseline, pair), _clear_parts(pair.after, row.followup, pair)
    if before == after or min(before, after) > 1:
        return None
    return Fate.MERGED if before > after else Fate.SPLIT


def _clear_parts(side: Side, labels: Sequence[int], pair: Pair) -> int:
    """How many substantial deposits lie well apart among the labels; at least one."""
    settings, spacing = pair.error.settings, side.reading.image.spacing
    apart, wide = settings.apart_px, settings.clear_px
    if spacing is not None:
        apart, wide = settings.apart_mm / spacing.mean_mm, settings.clear_mm
    total = side.area(labels, whole=True).value
    least = max(math.pi / 4 * wide**2, settings.clear_share * total)
    clear = [side.pixels(n) for n in labels if side.area([n], whole=True).value >= least]
    return max(1, _apart(clear, apart))


def _apart(parts: Sequence[npt.NDArray[np.float64]], distance: float) -> int:
    """How many bodies there are once parts nearer than the distance are taken as one."""
    body = list(range(len(parts)))
    for i, one in enumerate(parts):
        for j in range(i):
            if spatial.cKDTree(parts[j]).query(one)[0].min() - 1 < distance:
                body = [body[i] if b == body[j] else b for b in body]
    return len(set(body))


# --- on one film only --------------------------------------------------------------------------------------


def _present_at_one(pair: Pair, row: DepositChange, before: Area, after: Area) -> DepositChange:
    seen = pair.seen(row)
    if seen is not None and not seen.is_gone(pair.error.settings):
        estimate = seen.estimate(pair.error.settings)
        back = Ratio(-estimate.log, estimate.sd)
        areas = (before, _times(before, estimate)) if row.baseline else (_times(after, back), after)
        return _by_second_look(pair, row, (seen, seen.ratio(pair.error.settings)), areas)
    new, row = not row.baseline, _measured(pair, row, before, after)
    if new:
        drawn = pair.after.reading.labels.authorship.is_by_person(row.followup)
        return replace(row, fate=Fate.NEW, confirmed=row.confirmed or drawn or is_by_person(row.by))
    if pair.lost_because:
        return replace(row, fate=Fate.RESOLVED, counted=False, note=LOST.format(cause=pair.lost_because))
    return replace(row, fate=Fate.RESOLVED)


def _density(side: Side, labels: Sequence[int]) -> Quantity | None:
    """Mean mm of aluminium over the labels' pixels; `None` where one of them lacks it."""
    rows = [side.rows[n] for n in labels]
    known = [(row.density.mmal_mean, row.area_px.value) for row in rows if row.density and row.density.mmal_mean]
    if not rows or len(known) < len(rows):
        return None
    pixels = math.fsum(px for _, px in known)
    mean = math.fsum(q.value * px for q, px in known) / pixels
    # one film's calibration is the same for all its deposits, so their errors are added, not averaged out
    sd = math.fsum((q.sd or 0.0) * px for q, px in known) / pixels
    return Quantity(mean, sd, known[0][0].unit)
