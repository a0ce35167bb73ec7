"""Several readers of the same films: whether they measure the same area and outline the same deposits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

import numpy as np

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.labels import Labels
from calcimeasure.steps.agreement.bland_altman import BlandAltman, bland_altman
from calcimeasure.steps.agreement.icc import ICC, IccForm, icc
from calcimeasure.steps.agreement.repeatability import ReaderError, reader_error, smallest_detectable_change

#: Share of a deposit's pixels that must lie in the other reader's outlines for it to count as seen by both.
SEEN = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """One reader's total of one film, with the outlines where they are kept.

    Parameters
    ----------
    film, reader : str
        As the study file wrote them.
    area : float
        Total area, in one unit throughout.
    labels : Labels or None
    """

    film: str
    reader: str
    area: float
    labels: Labels | None = None


@dataclass(frozen=True, slots=True)
class Outlines:
    """How far two readers' outlines of the same films agree.

    Parameters
    ----------
    dice : float or None
        Median Dice overlap over the films where at least one of them outlined something; `None` without such a film.
    dice_low : float or None
        The worst film's.
    seen_by_both, deposits : int
        Deposits of either reader that the other outlined too, and all deposits of both.
    films, empty : int
        Films compared, and those of them where neither found anything (they have no Dice).
    """

    dice: float | None
    dice_low: float | None
    seen_by_both: int
    deposits: int
    films: int
    empty: int

    @property
    def detection(self) -> float | None:
        """Share (0-1) of the deposits that both saw; `None` when there is none."""
        return self.seen_by_both / self.deposits if self.deposits else None


@dataclass(frozen=True, slots=True)
class ReaderPair:
    """Two readers against each other: `second - first`."""

    first: str
    second: str
    difference: BlandAltman
    areas: tuple[tuple[float, float], ...]
    outlines: Outlines | None


@dataclass(frozen=True, slots=True)
class ReaderAgreement:
    """All readers of a study.

    Parameters
    ----------
    readers : tuple of str
    films, left_out : int
        Films read by all of them, and films that were not.
    agreement, consistency : ICC
        ICC(A,1) and ICC(C,1).
    error : ReaderError
    sdc : float
        Smallest detectable change when any reader may read either visit, unit of the areas.
    pairs : tuple of ReaderPair
        Every two readers.
    """

    readers: tuple[str, ...]
    films: int
    left_out: int
    agreement: ICC
    consistency: ICC
    error: ReaderError
    sdc: float
    pairs: tuple[ReaderPair, ...]


def readers_agree(reads: Sequence[Read]) -> ReaderAgreement:
    """How well several readers of the same films agree, in area and in outlines.

    Raises
    ------
    MeasurementRefused
        For a film that a reader read twice, fewer than two readers, or fewer than three films that all have read.
    """
    of = {(one.film, one.reader): one for one in reads}
    if len(of) < len(reads):
        raise MeasurementRefused("a reader has read a film twice: agreement needs one reading of each film per reader")
    films, readers = (list(dict.fromkeys(names)) for names in ((r.film for r in reads), (r.reader for r in reads)))
    complete = [film for film in films if all((film, reader) in of for reader in readers)]
    areas = [[of[film, reader].area for reader in readers] for film in complete]
    error = reader_error(areas)
    return ReaderAgreement(
        readers=tuple(readers),
        films=len(complete),
        left_out=len(films) - len(complete),
        agreement=icc(areas, IccForm.AGREEMENT),
        consistency=icc(areas, IccForm.CONSISTENCY),
        error=error,
        sdc=smallest_detectable_change(error.agreement),
        pairs=tuple(
            _pair([of[film, first] for film in complete], [of[film, second] for film in complete])
            for first, second in combinations(readers, 2)
        ),
    )


def outlines_agree(pairs: Iterable[tuple[Labels, Labels]]) -> Outlines:
    """How far the outlines of two readers agree, film by film; a film is forgotten before the next is asked for.

    Dice is that of all deposit pixels of a film. A deposit counts as seen by both when at least `SEEN` of its pixels
    lie in outlines of the other, so that one reader's single deposit may be two of the other's.

    Raises
    ------
    MeasurementRefused
        When two label images of a film differ in shape.
    """
    films = [(_dice(one, two), _seen(one, two), _seen(two, one)) for one, two in pairs]
    dice = [value for value, _, _ in films if value is not None]
    found = [each for _, *both in films for each in both]
    return Outlines(
        dice=median(dice) if dice else None,
        dice_low=min(dice, default=None),
        seen_by_both=sum(seen for seen, _ in found),
        deposits=sum(count for _, count in found),
        films=len(films),
        empty=len(films) - len(dice),
    )


def _pair(first: Sequence[Read], second: Sequence[Read]) -> ReaderPair:
    areas = tuple((a.area, b.area) for a, b in zip(first, second, strict=True))
    drawn = [(a.labels, b.labels) for a, b in zip(first, second, strict=True) if a.labels and b.labels]
    return ReaderPair(
        first[0].reader,
        second[0].reader,
        bland_altman([a for a, _ in areas], [b for _, b in areas]),
        areas,
        outlines_agree(drawn) if drawn else None,
    )


def _dice(first: Labels, second: Labels) -> float | None:
    if first.shape != second.shape:
        raise MeasurementRefused("two readers' label images differ in shape: both must be made on the same film")
    one, other = first.array > 0, second.array > 0
    total = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return 2 * int(np.count_nonzero(one & other)) / total if total else None


def _seen(deposits: Labels, other: Labels) -> tuple[int, int]:
    """How many of the deposits the other outlined too, and how many there are."""
    drawn = deposits.array > 0
    numbers, which, sizes = np.unique(deposits.array[drawn], return_inverse=True, return_counts=True)
    shared = np.bincount(which, weights=other.array[drawn] > 0, minlength=len(numbers))
    return int(np.count_nonzero(shared >= SEEN * sizes)), len(numbers)
