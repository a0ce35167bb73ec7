"""How far an automatic outline may be off, from the probabilities along it.

A network that doubts where a deposit ends gives its border probabilities between 0 and 1. Their spread, the sum of
p (1 - p) over the deposit and the pixels around it, over its area, is the *doubt*: about 0.02 for a large, sharp
deposit, 0.3 for a faint speck. The error of the area, as a share of it, follows the doubt and the size: of two equally
doubtful outlines the larger one may lack a whole part. A total errs by what is no calcium at all, and by what was
missed, too: as long as no person went through the outlines, its bar holds every outline's whole area by the chance that
it is no calcium, every finding that was dropped by its score by the chance that it is calcium, and a further part, the
same for every film. How fast, and how far, is fitted to films with known calcium, drawn ones and real limbs
(``benchmarks/renew_boundary_error.py``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

import cv2
import numpy as np

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.arrays import Map
from calcimeasure.model.authorship import Doubt
from calcimeasure.model.deposit import Deposit, Excluded, Measurement, Reason
from calcimeasure.model.labels import Labels
from calcimeasure.model.quantity import Quantity

#: Pixels around a deposit whose doubt counts as its own.
REACH_PX = 4
#: Largest standard deviation, as a share of the area: such a bar says that the size is unknown.
MOST = 1.0

#: A finding that was dropped for one of these was dropped by its score alone.
DOUBTED = (Reason.BONE, Reason.SHAPE, Reason.FAINT)

#: Doubt, and area in pixels, for which `OutlineError.factor` is the error.
USUAL_DOUBT, USUAL_PX = 0.1, 300.0

_FORMAT = "calcimeasure outline error 3"
_RANGES = {"factor": (1e-6, 100.0), "power": (-2.0, 5.0), "size_power": (-2.0, 2.0), "unseen_mm2": (0.0, 10_000.0)}


@dataclass(frozen=True, slots=True)
class OutlineError:
    """Standard deviation of an automatic area, as a share of it.

    It is ``factor * (doubt / USUAL_DOUBT) ** power * (px / USUAL_PX) ** size_power``.

    Parameters
    ----------
    factor : float
        Above 0.
    power, size_power : float
        How fast the error changes with the doubt, and with the area in pixels.
    unseen_mm2 : float
        Standard deviation that a film's automatic total has besides: calcium that was missed above all.
    origin : str
        What they were fitted to, in words.
    """

    factor: float
    power: float
    size_power: float
    unseen_mm2: float
    origin: str

    @classmethod
    def from_json(cls, facts: object) -> OutlineError:
        """What `to_json` wrote.

        Raises
        ------
        MeasurementRefused
            When an entry is missing or out of range.
        """
        if not isinstance(facts, Mapping) or facts.get("format") != _FORMAT or not isinstance(facts.get("origin"), str):
            raise MeasurementRefused(f"this is no '{_FORMAT}': make it anew with renew_boundary_error.py")
        factor, power, size_power, unseen = (_number(facts, name) for name in _RANGES)
        return cls(factor, power, size_power, unseen, facts["origin"])

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and texts, ready for `json.dumps`."""
        return {"format": _FORMAT, **asdict(self)}

    def relative_sd(self, doubt: float, pixels: float) -> float:
        """Standard deviation of an area of so many pixels, as a share: `MOST` at most, the fit holds no further."""
        if doubt <= 0:
            return 0.0
        by_doubt, by_size = (doubt / USUAL_DOUBT) ** self.power, (pixels / USUAL_PX) ** self.size_power
        return float(min(MOST, self.factor * by_doubt * by_size))


def _number(facts: Mapping[str, Any], name: str) -> float:
    value, (low, high) = facts.get(name), _RANGES[name]
    if not isinstance(value, int | float) or not low <= value <= high:
        raise MeasurementRefused(f"the outline error's '{name}' is no number in range: make it anew")
    return float(value)


@cache
def shipped_outline_error() -> OutlineError:
    """The error of the outlines that the shipped networks draw."""
    file = resources.files("calcimeasure") / "weights" / "boundary.json"
    return OutlineError.from_json(json.loads(file.read_text(encoding="utf-8")))


def doubts(
    rows: Iterable[Deposit], labels: Labels, probability: Map, not_calcium: Mapping[int, float] | None = None
) -> dict[int, Doubt]:
    """The doubt of each deposit, by number.

    Parameters
    ----------
    rows : iterable of Deposit
        As `calcimeasure.measure` gives them for these labels.
    labels : Labels
        As the segmenter drew them; outlines of a person have no probabilities.
    probability : float32 array, shape of the labels
        Chance of deposit at every pixel.
    not_calcium : mapping of int to float, optional
        The chance that a deposit is no calcium, by number; 0 where nobody says.
    """
    not_calcium = not_calcium or {}
    return {row.label: Doubt(doubt(row, labels, probability), not_calcium.get(row.label, 0.0)) for row in rows}


def doubt(row: Deposit, labels: Labels, probability: Map) -> float:
    """Where a deposit ends: the sum of p (1 - p) in and around it, over its area in pixels.

    `probability` has the film's shape, 0-1.
    """
    top, left, bottom, right = row.bbox
    window = np.s_[max(0, top - REACH_PX) : bottom + REACH_PX, max(0, left - REACH_PX) : right + REACH_PX]
    part, chance = labels.array[window], probability[window]
    mine = (part == row.label).astype(np.uint8)
    near = cv2.dilate(mine, np.ones((2 * REACH_PX + 1,) * 2, np.uint8)) > 0
    own = near & ((part == 0) | (part == row.label))
    return float(np.sum(chance[own] * (1 - chance[own]), dtype=np.float64)) / row.area_px.value


@dataclass(frozen=True, slots=True)
class Unseen:
    """What the total of an automatic search of a film errs by besides its outlines: standard deviations.

    Parameters
    ----------
    px : float
        In pixels of the film.
    mm2 : float
    """

    px: float
    mm2: float

    @classmethod
    def at(cls, pixel_mm2: float, error: OutlineError | None = None, passed_over_px: float = 0.0) -> Unseen:
        """For a film of that pixel size, known or assumed; by the shipped error when none is given."""
        px = math.hypot((error or shipped_outline_error()).unseen_mm2 / pixel_mm2, passed_over_px)
        return cls(px, px * pixel_mm2)


def with_boundary_error(
    measurement: Measurement,
    doubted: Mapping[int, Doubt],
    unseen: Unseen | None = None,
    error: OutlineError | None = None,
) -> Measurement:
    """The measurement with error bars that follow the segmenter's own doubt; values stay as they are.

    Parameters
    ----------
    measurement : Measurement
        With the geometric error bars of `calcimeasure.measure`.
    doubted : mapping of int to Doubt
        The doubt of every outline that no person drew or accepted; the bars of the others stay.
    unseen : Unseen, optional
        What the total may lack besides, or hold too much; `None` where a person went through the outlines.
    error : OutlineError, optional
        The shipped one when left out.

    Notes
    -----
    The error bar is never narrower than the geometric one.
    """
    rows = tuple(widened(row, doubted.get(row.label), error) for row in measurement.deposits)
    return summed(replace(measurement, deposits=rows), doubted, unseen)


def widened(row: Deposit, doubted: Doubt | None, error: OutlineError | None = None) -> Deposit:
    """A row with the error bar of so doubtful an outline; `None`, a person's outline, changes nothing."""
    if doubted is None:
        return row
    px, mm2 = row.area_px, row.area_mm2
    share = (error or shipped_outline_error()).relative_sd(doubted.outline, px.value)
    sd = max(share * px.value, px.sd or 0.0)
    area = None if mm2 is None else _with(mm2, {"outline": sd * mm2.value / px.value})
    return replace(row, area_px=_with(px, {"outline": sd}), area_mm2=area)


def summed(measurement: Measurement, doubted: Mapping[int, Doubt], unseen: Unseen | None = None) -> Measurement:
    """The totals of rows that are `widened` already, each outline for itself, false finds and what is `unseen`.

    Without a doubted outline and without anything unseen they stay as they are.
    """
    rows = measurement.deposits
    if unseen is None and not is_unread(rows, doubted):
        return measurement
    px, mm2 = measurement.area_px, measurement.area_mm2
    outlines = math.hypot(*(row.area_px.sd or 0.0 for row in rows))
    false_finds = sd_of_false_finds((row.area_px.value, doubted.get(row.label)) for row in rows)
    px = _with(px, _parts(outlines, None if unseen is None else math.hypot(unseen.px, false_finds)))
    if mm2 is None:
        return replace(measurement, area_px=px)
    outlines = math.hypot(*(_outline(row.area_mm2) for row in rows if row.area_mm2))
    false_finds *= mm2.value / px.value if px.value else 0.0
    parts = _parts(outlines, None if unseen is None else math.hypot(unseen.mm2, false_finds))
    return replace(measurement, area_px=px, area_mm2=_with(mm2, parts))


def sd_of_false_finds(areas: Iterable[tuple[float, Doubt | None]]) -> float:
    """How far a total may be off because some of these areas are no calcium: each is wrong by itself, or not at all.

    The parts of one finding, which have its score to the last digit, are calcium together or not at all.
    """
    findings: dict[float, float] = {}
    for area, doubted in areas:
        if doubted:
            findings[doubted.not_calcium] = findings.get(doubted.not_calcium, 0.0) + area
    return math.hypot(*(area * math.sqrt(chance) for chance, area in findings.items()))


def passed_over(excluded: Iterable[Excluded]) -> float:
    """How far a total may be off, in pixels, because findings that were dropped by their score alone are calcium."""
    doubted = (one for one in excluded if one.reason in DOUBTED and one.score)
    return math.hypot(*(one.area_px * math.sqrt(one.score or 0.0) for one in doubted))


def is_unread(rows: Iterable[Deposit], doubted: Mapping[int, Doubt]) -> bool:
    """Whether one of these outlines is the networks' alone."""
    return any(row.label in doubted for row in rows)


def _parts(outlines: float, unseen: float | None) -> dict[str, float]:
    return {"outline": outlines} if unseen is None else {"outline": outlines, "unseen": unseen}


def _outline(area: Quantity) -> float:
    return dict(area.components).get("outline", 0.0)


def _with(area: Quantity, parts: Mapping[str, float]) -> Quantity:
    """The area with other parts of its error; those of its scale stay."""
    every = {**dict(area.components), **parts}
    return Quantity(area.value, math.hypot(*every.values()), area.unit, tuple(every.items()))
