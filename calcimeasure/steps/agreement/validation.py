"""Automatic outlines against outlines that are taken for true: what is found, what is false, how the areas compare.

A found part is a set of pixels that touch, corners included. It is *true* when at least a tenth of it lies in a true
outline (one pixel around counts), *false* when not and at least 1 mm2 large. A true deposit is *found* when it and the
true parts that touch it overlap by at least a tenth of what both cover. Deposits named as doubtful are held neither for
nor against: nobody could say whether finding them is right.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.labels import Labels
from calcimeasure.steps.agreement.bland_altman import BlandAltman, bland_altman
from calcimeasure.steps.agreement.icc import ICC, IccForm, icc
from calcimeasure.steps.agreement.interval import ConfidenceInterval
from calcimeasure.steps.agreement.proportion import Proportion, proportion

_LEAST_OVERLAP, _LEAST_INSIDE = 0.1, 0.1
_LEAST_FALSE_MM2, _LEAST_COUNTED_MM = 1.0, 2.0
_EIGHT = np.ones((3, 3), bool)
_DRAWS, _SEED = 2000, 20261130
#: Bands of diameter in mm by which deposits are told apart.
BANDS = ((2.0, 5.0), (5.0, 10.0), (10.0, math.inf))

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class TrueDeposit:
    """A true deposit and what became of it.

    Parameters
    ----------
    number : int
        In the true label image.
    diameter_mm : float
        Of the disc of equal area.
    overlap : float
        Of it and the found parts that touch it: intersection over union.
    area_mm2, found_mm2 : float
        True area, and that of the found parts that touch it (0 where none does).
    counts : bool
        Certain, and at least 2 mm across.
    """

    number: int
    diameter_mm: float
    overlap: float
    area_mm2: float
    found_mm2: float
    counts: bool

    @property
    def is_found(self) -> bool:
        """Whether the overlap is at least a tenth."""
        return self.overlap >= _LEAST_OVERLAP


@dataclass(frozen=True, slots=True)
class FilmScore:
    """One film.

    Parameters
    ----------
    film, source : str
        Its name, and where it comes from (a device, a centre; films of one source are no independent witnesses).
    deposits : tuple of TrueDeposit
    false : int
        False parts of at least 1 mm2.
    dice : float or None
        Overlap of all pixels; `None` on a film without a true deposit.
    true_mm2, found_mm2 : float
        Totals, doubtful deposits and what lies on them left out.
    sd_mm2 : float or None
        The claimed standard deviation of the found total; `None` where none was claimed.
    """

    film: str
    source: str
    deposits: tuple[TrueDeposit, ...]
    false: int
    dice: float | None
    true_mm2: float
    found_mm2: float
    sd_mm2: float | None = None

    @property
    def is_covered(self) -> bool | None:
        """Whether the found total's 95 % interval holds the true one; `None` where no error was claimed."""
        return None if self.sd_mm2 is None else abs(self.found_mm2 - self.true_mm2) <= 1.96 * self.sd_mm2


def score_film(
    truth: Labels, found: Labels, pixel_mm2: float, doubtful: Collection[int] = ()
) -> tuple[tuple[TrueDeposit, ...], int, float | None, tuple[float, float]]:
    """Deposits, false parts, Dice, and (true, found) total in mm2 of one film.

    Parameters
    ----------
    truth, found : Labels
        Of one film; only their pixels count, found numbers do not.
    pixel_mm2 : float
        Area of a pixel.
    doubtful : collection of int
        True numbers that are held neither for nor against.

    Raises
    ------
    MeasurementRefused
        When the two differ in shape.
    """
    if truth.shape != found.shape:
        raise MeasurementRefused(
            f"the true mask has {truth.shape} pixels and the found one {found.shape}: both must belong to one film"
        )
    scene = _Scene.of(truth.array, found.array > 0, doubtful)
    deposits = tuple(scene.deposit(int(n), pixel_mm2, doubtful) for n in truth.numbers)
    shown, real = scene.shown, scene.real
    dice = 2 * float((shown & real).sum()) / float(shown.sum() + real.sum()) if real.any() else None
    return deposits, scene.false(pixel_mm2), dice, (float(real.sum()) * pixel_mm2, float(shown.sum()) * pixel_mm2)


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """True outlines and found parts on one film; arrays of the film's shape, but for those by part."""

    truth: npt.NDArray[Any]
    parts: Ints
    sizes: Ints
    good: Bools
    idle: Bools
    ghost: Bools

    @classmethod
    def of(cls, truth: npt.NDArray[Any], found: Bools, doubtful: Collection[int]) -> _Scene:
        """Parts counted by how much of them lies in certain and in doubtful outlines, one pixel around included."""
        parts, count = ndimage.label(found, _EIGHT)
        ghost = np.isin(truth, list(doubtful)) if doubtful else np.zeros(truth.shape, bool)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        good = _inside(parts, (truth > 0) & ~ghost, sizes)
        idle = _inside(parts, ghost, sizes) & ~good
        return cls(truth, parts, sizes, good, idle, ghost)

    @property
    def real(self) -> Bools:
        """Pixels of certain deposits."""
        return np.asarray((self.truth > 0) & ~self.ghost)

    @property
    def shown(self) -> Bools:
        """Found pixels but for those of doubtful deposits, and of parts on them."""
        return np.asarray((self.parts > 0) & ~self.idle[self.parts] & ~self.ghost)

    def false(self, pixel_mm2: float) -> int:
        """Parts that lie on nothing and are large enough to count."""
        large = self.sizes * pixel_mm2 >= _LEAST_FALSE_MM2
        return int(np.count_nonzero((large & ~self.good & ~self.idle)[1:]))

    def deposit(self, number: int, pixel_mm2: float, doubtful: Collection[int]) -> TrueDeposit:
        """One true deposit with the true parts that touch it; what of them lies in other deposits is not its own."""
        one = self.truth == number
        touching = np.unique(self.parts[one])
        touching = touching[self.good[touching]]
        joined = np.isin(self.parts, touching) & ((self.truth == 0) | one) if len(touching) else np.zeros_like(one)
        area = float(one.sum()) * pixel_mm2
        diameter = 2 * math.sqrt(area / math.pi)
        overlap = float((one & joined).sum()) / float((one | joined).sum())
        counts = diameter >= _LEAST_COUNTED_MM and number not in doubtful
        return TrueDeposit(number, diameter, overlap, area, float(joined.sum()) * pixel_mm2, counts)


def _inside(parts: Ints, outlines: Bools, sizes: Ints) -> Bools:
    """Which parts lie at least a tenth in some outlines; the background is none."""
    near = ndimage.binary_dilation(outlines, _EIGHT)
    held = np.bincount(parts.ravel(), near.ravel(), minlength=len(sizes)) >= _LEAST_INSIDE * np.maximum(sizes, 1)
    held[0] = False
    return np.asarray(held)


@dataclass(frozen=True, slots=True)
class Validation:
    """All films together, each figure with its interval where it has one.

    Parameters
    ----------
    films, empty : int
        Films, and those of them without a true deposit.
    found : Proportion or None
        Of counted deposits; `None` when there is none.
    bands : mapping of (float, float) to Proportion
        The same by diameter in mm.
    false : float
        False parts a film, and its interval by drawing films again.
    false_interval : ConfidenceInterval
    dice, bias, error : float or None
        Medians over films with a true deposit: overlap; (found - true) / true; its size.
    bias_interval : ConfidenceInterval or None
        By drawing films again.
    agreement : ICC or None
        ICC(A,1) of the totals; `None` below three films.
    differences : BlandAltman or None
    covered : Proportion or None
        Films whose total's 95 % interval holds the truth, of those that claim one.
    """

    films: int
    empty: int
    found: Proportion | None
    bands: Mapping[tuple[float, float], Proportion]
    false: float
    false_interval: ConfidenceInterval
    dice: float | None
    bias: float | None
    bias_interval: ConfidenceInterval | None
    error: float | None
    agreement: ICC | None
    differences: BlandAltman | None
    covered: Proportion | None

    @property
    def figures(self) -> tuple[ValidationFigure, ...]:
        """Every figure that there is, as rows of a table."""
        shares = [("found", self.found), *((_named(band), share) for band, share in self.bands.items())]
        seen = self.films - self.empty
        medians = (("Dice", self.dice, None), ("bias", self.bias, self.bias_interval), ("error", self.error, None))
        rows = [_row_of(name, share, "deposits") for name, share in shares if share is not None]
        rows.append(ValidationFigure("false finds a film", self.false, self.false_interval, self.films))
        rows += [ValidationFigure(name, value, ends, seen) for name, value, ends in medians if value is not None]
        if self.agreement is not None:
            rows.append(ValidationFigure("ICC(A,1)", self.agreement.value, self.agreement.interval, seen))
        if (limits := self.differences) is not None:
            ends = ConfidenceInterval(limits.lower, limits.upper, 0.95)
            rows.append(ValidationFigure("limits of agreement, mm2", limits.bias, ends, seen))
        if self.covered is not None:
            rows.append(_row_of("covered", self.covered, "films"))
        return tuple(rows)


@dataclass(frozen=True, slots=True)
class ValidationFigure:
    """One figure with its 95 % interval, and how many deposits or films it is of (limits: of single films)."""

    figure: str
    value: float
    interval: ConfidenceInterval | None
    number: int
    of: str = "films"


def _row_of(name: str, share: Proportion, of: str) -> ValidationFigure:
    return ValidationFigure(name, share.share, share.exact, share.trials, of)


def _named(band: tuple[float, float]) -> str:
    low, high = band
    return f"found, {low:g} mm or more" if math.isinf(high) else f"found, {low:g} to {high:g} mm"


def validation(films: Sequence[FilmScore]) -> Validation:
    """The films' scores as one set of figures.

    Intervals of shares take deposits as independent; those of false finds and of the bias come from films drawn again
    with replacement, whole sources at a time where there are three sources or more (2000 draws, seeded).

    Raises
    ------
    MeasurementRefused
        When there is no film.
    """
    if not films:
        raise MeasurementRefused("no film was scored: give films and true masks that belong together")
    counted = [one for film in films for one in film.deposits if one.counts]
    with_truth = [film for film in films if film.true_mm2 > 0]
    biases = [(film.found_mm2 - film.true_mm2) / film.true_mm2 for film in with_truth]
    pairs = [film.true_mm2 for film in with_truth], [film.found_mm2 for film in with_truth]
    enough = len(with_truth) >= 3
    return Validation(
        films=len(films),
        empty=len(films) - len(with_truth),
        found=_share([one.is_found for one in counted]),
        bands={band: share for band in BANDS if (share := _share(_of_band(counted, band)))},
        false=float(np.mean([film.false for film in films])),
        false_interval=_drawn_again([film.source for film in films], [film.false for film in films], np.mean),
        dice=_median([film.dice for film in with_truth]),
        bias=_median(biases),
        bias_interval=_drawn_again([f.source for f in with_truth], biases, np.median) if enough else None,
        error=_median([abs(bias) for bias in biases]),
        agreement=icc(list(zip(*pairs, strict=True)), IccForm.AGREEMENT) if enough else None,
        differences=bland_altman(*pairs) if enough else None,
        covered=_share([held for film in films if (held := film.is_covered) is not None]),
    )


def by_source(films: Sequence[FilmScore]) -> dict[str, Validation]:
    """The same for every source alone, in the order of their first films."""
    sources = dict.fromkeys(film.source for film in films)
    return {source: validation([film for film in films if film.source == source]) for source in sources}


def _of_band(deposits: Sequence[TrueDeposit], band: tuple[float, float]) -> list[bool]:
    return [one.is_found for one in deposits if band[0] <= one.diameter_mm < band[1]]


def _share(held: Sequence[bool]) -> Proportion | None:
    return proportion(sum(held), len(held)) if held else None


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _drawn_again(
    sources: Sequence[str], values: Sequence[float], figure: Any, level: float = 0.95
) -> ConfidenceInterval:
    """Percentile interval of a figure over films drawn again; whole sources where there are three or more."""
    groups: dict[str, list[float]] = {}
    for k, (source, value) in enumerate(zip(sources, values, strict=True)):
        groups.setdefault(source if len(set(sources)) >= 3 else str(k), []).append(value)
    units, rng = list(groups.values()), np.random.default_rng(_SEED)
    drawn = [
        figure(np.concatenate([units[k] for k in rng.integers(len(units), size=len(units))])) for _ in range(_DRAWS)
    ]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return ConfidenceInterval(float(low), float(high), level)
