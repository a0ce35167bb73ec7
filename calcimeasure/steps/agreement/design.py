"""Which measurements of a repeatability study stand beside each other: repeat by repeat, not as they happen to come."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True, slots=True)
class Balanced:
    """A full table out of groups that were measured unequally often.

    Parameters
    ----------
    repeats : tuple of str
        Names of the columns, in their natural order.
    rows : tuple of tuple of float
        One row for each group that has them all.
    groups : int
        How many groups there are.
    """

    repeats: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]
    groups: int

    @property
    def is_whole(self) -> bool:
        """Whether every group has a row."""
        return len(self.rows) == self.groups


def natural_order(names: Iterable[str]) -> list[str]:
    """Names sorted as people count: 2 before 10.

    >>> natural_order(["r10", "r2", "r1"])
    ['r1', 'r2', 'r10']
    """
    return sorted(set(names), key=lambda name: [int(part) if part.isdecimal() else part for part in _parts(name)])


def shared_repeats(groups: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The repeats that all groups have, in natural order; where these are not two, the two that most groups have.

    None where no group has two.
    """
    several = [group for group in groups if len(group) > 1]
    in_all = [name for name in natural_order(n for group in several for n in group) if all(name in g for g in groups)]
    if len(in_all) > 1 or not several:
        return tuple(in_all) if len(in_all) > 1 else ()
    counts = Counter(pair for group in several for pair in combinations(natural_order(group), 2))
    return max(counts, key=lambda pair: counts[pair])


def balanced(groups: Sequence[tuple[float, ...]], names: Sequence[tuple[str, ...]]) -> Balanced:
    """The groups that have all shared repeats, measurement by measurement under its repeat."""
    repeats = shared_repeats(names)
    rows = [
        tuple(dict(zip(its, group, strict=True))[name] for name in repeats)
        for group, its in zip(groups, names, strict=True)
        if repeats and set(repeats) <= set(its)
    ]
    return Balanced(repeats, tuple(rows), len(groups))


def _parts(name: str) -> list[str]:
    """Text and digits in turns, text first, so that two names compare part by part."""
    return re.split(r"(\d+)", name.casefold())
