"""Which deposit of one visit is which of another, and one name for each over all visits.

Deposits are matched in registered space: the follow-up's outlines are laid on the baseline film. Nothing is measured
here; areas come from each film's own pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage, optimize, spatial

from calcimeasure.errors import MeasurementRefused, RecipeError
from calcimeasure.model.alignment import Alignment
from calcimeasure.model.arrays import Floats
from calcimeasure.model.common_field import CommonField
from calcimeasure.model.labels import Labels
from calcimeasure.model.study import A_READER, Link, Reading, is_by_person

_MOST_POINTS = 400  # pixels of a deposit that its distances are taken from
#: A bond of two labels that overlap is always worth more than one of two that are merely near.
_OVERLAP = 1.0


@dataclass(frozen=True, slots=True)
class MatchSettings:
    """How far apart the outlines of one deposit may lie once the films are laid on each other.

    Parameters
    ----------
    reach_mm, reach_px : float
        Two deposits without a match so near to each other are the same; the second where the scale is unknown. A
        larger residual of the alignment widens it.
    least_overlap : float
        Two outlines are bound when they share this much (0-1) of the smaller.
    covered : float
        What is left without a match joins the deposit that covers so much (0-1) of it.
    piece_mm, piece_px : float
        Pieces that a program outlined so near to each other are one deposit when the other film shows one.
    least_in_field : float
        A deposit is missing from the other film only when so much (0-1) of its place is there.

    Raises
    ------
    RecipeError
        For a value out of range.
    """

    reach_mm: float = 2.5
    reach_px: float = 12.0
    least_overlap: float = 0.15
    covered: float = 0.5
    piece_mm: float = 0.8
    piece_px: float = 4.0
    least_in_field: float = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            high = 1000.0 if field.name.endswith(("_mm", "_px")) else 1.0
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= high:
                raise RecipeError(f"[match] {field.name} must be a number from 0 to {high:g}, got {value!r}")


def match(
    baseline: Reading,
    followup: Reading,
    alignment: Alignment,
    settings: MatchSettings | None = None,
    overrides: Sequence[Link] = (),
) -> tuple[Link, ...]:
    """Links between the deposits of two films, each deposit in exactly one.

    Parameters
    ----------
    baseline, followup : Reading
    alignment : Alignment
        When it was refused there are no links but the overrides' own.
    settings : MatchSettings, optional
    overrides : sequence of Link
        A person's own matches: each replaces every link that it touches; what is left of those stands alone.

    Returns
    -------
    tuple of Link
        In order of the baseline's labels, then of the follow-up's. Several labels on a side are pieces of one
        deposit, or deposits that merged or split: `compare` tells which.

    Raises
    ------
    MeasurementRefused
        For an override that names a label that is not there, or names one twice.

    Notes
    -----
    1. Every pair of labels gets a bond: 1 + Dice where they overlap, else a smaller one for nearness and like size.
    2. The one-to-one assignment with the strongest bonds (H. W. Kuhn, 1955) links them.
    3. A label without a link joins the deposit that covers it. Outlines of a program, which breaks deposits into
       pieces differently at each visit, are also joined when a piece overlaps two deposits, or lies next to one.
    4. The rest is on one film only.
    """
    settings = settings or MatchSettings()
    if alignment.refused:
        return _overridden((), overrides, (baseline.labels, followup.labels))
    bonds = _bonds(baseline, followup, alignment, settings)
    by_program = not (baseline.outlined_by_person and followup.outlined_by_person)
    links = _grouped(bonds, settings, by_program)
    links = _overridden(links, overrides, (baseline.labels, followup.labels))
    return _with_field(links, baseline, followup, (alignment, settings))


def identify(
    intervals: Sequence[tuple[Link, ...]], visits: Sequence[tuple[int, int]] | None = None
) -> tuple[tuple[str, ...], ...]:
    """A name for the deposit of every link, the same at every visit.

    Deposits that merge or split somewhere have one name from the first visit to the last, as nobody can tell later
    which part of the calcium was whose.

    Parameters
    ----------
    intervals : sequence of tuple of Link
        The links of each interval.
    visits : sequence of (int, int), optional
        Which visits each interval joins; consecutive ones when left out. An interval over a visit (0, 2) carries the
        name of a deposit that was out of the field at visit 1.

    Examples
    --------
    >>> first = (Link((1,), (2,)), Link((2,), ()))
    >>> second = (Link((2,), (1,)), Link((), (2,)))
    >>> identify([first, second])
    (('1', '2'), ('1', '3'))
    """
    pairs = _pairs(intervals, visits)
    roots = _roots(intervals, pairs)
    names: dict[tuple[int, int], str] = {}
    for links, pair in zip(intervals, pairs, strict=True):
        for link in links:
            names.setdefault(_root(roots, _nodes(link, pair)[0]), str(len(names) + 1))
    return tuple(
        tuple(names[_root(roots, _nodes(link, pair)[0])] for link in links)
        for links, pair in zip(intervals, pairs, strict=True)
    )


def named(
    intervals: Sequence[tuple[Link, ...]], visits: Sequence[tuple[int, int]] | None = None
) -> tuple[tuple[Link, ...], ...]:
    """The links, each with its deposit's name from `identify`."""
    names = identify(intervals, visits)
    return tuple(
        tuple(replace(link, name=name) for link, name in zip(links, its, strict=True))
        for links, its in zip(intervals, names, strict=True)
    )


# --- names over all visits ---------------------------------------------------------------------------------

_Node = tuple[int, int]


def _nodes(link: Link, pair: tuple[int, int]) -> list[_Node]:
    return [(pair[0], n) for n in link.baseline] + [(pair[1], n) for n in link.followup]


def _pairs(intervals: Sequence[tuple[Link, ...]], visits: Sequence[tuple[int, int]] | None) -> list[tuple[int, int]]:
    return list(visits) if visits is not None else [(k, k + 1) for k in range(len(intervals))]


def _roots(intervals: Sequence[tuple[Link, ...]], pairs: Sequence[tuple[int, int]]) -> dict[_Node, _Node]:
    """Labels of all visits, each with a label that stands for its deposit."""
    roots: dict[_Node, _Node] = {}
    for links, pair in zip(intervals, pairs, strict=True):
        for link in links:
            _united(roots, _nodes(link, pair))
    return roots


def _root(roots: dict[_Node, _Node], node: _Node) -> _Node:
    while roots.setdefault(node, node) != node:
        roots[node] = roots[roots[node]]
        node = roots[node]
    return node


def _united(roots: dict[_Node, _Node], nodes: Sequence[_Node]) -> None:
    first = _root(roots, nodes[0])
    for node in nodes[1:]:
        roots[_root(roots, node)] = first


# --- bonds -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Bonds:
    """What ties the labels of both films: `before` and `after` are their numbers, arrays run over both.

    `overlap` counts common pixels on the baseline film, `sizes` the pixels there; `gap` is the distance between the
    nearest points in baseline pixels, infinite where nobody looked. `near_before` and `near_after` hold pairs of
    indices of one film's labels that lie next to each other.
    """

    before: npt.NDArray[np.int32]
    after: npt.NDArray[np.int32]
    overlap: Floats
    sizes: tuple[Floats, Floats]
    gap: Floats
    reach: float
    near_before: tuple[tuple[int, int], ...]
    near_after: tuple[tuple[int, int], ...]

    @property
    def dice(self) -> Floats:
        """Share of both labels that they have in common."""
        return np.asarray(2 * self.overlap / np.maximum(self.sizes[0][:, None] + self.sizes[1], 1))

    @property
    def of_smaller(self) -> Floats:
        """Share of the smaller label that both have in common."""
        return np.asarray(self.overlap / np.maximum(np.minimum(self.sizes[0][:, None], self.sizes[1]), 1))

    def strength(self, settings: MatchSettings) -> Floats:
        """1 + Dice of those that overlap; below 1 for those that are near and alike in size; 0 for none."""
        one, two = self.sizes[0][:, None], self.sizes[1]
        alike = np.minimum(one, two) / np.maximum(np.maximum(one, two), 1)
        near = np.clip(1 - self.gap / max(self.reach, 1e-9), 0, None) * np.sqrt(alike)
        return np.where(self.of_smaller >= settings.least_overlap, _OVERLAP + self.dice, 0.99 * near)


def _bonds(baseline: Reading, followup: Reading, alignment: Alignment, settings: MatchSettings) -> _Bonds:
    old, new = baseline.labels.array, np.asarray(alignment.on_baseline(followup.labels.array, nearest=True), np.int32)
    before, after = baseline.labels.numbers, followup.labels.numbers
    spacing = baseline.image.spacing
    px = (settings.reach_mm / spacing.mean_mm, settings.piece_mm / spacing.mean_mm) if spacing else _in_px(settings)
    reach = max(px[0], 2 * (alignment.residual_px or 0.0))
    points = _points(old, before)
    there = [_followed(its, alignment) for its in _points(followup.labels.array, after)]
    return _Bonds(
        before,
        after,
        _overlaps(old, new, before, after),
        (_sizes(old, before), _sizes(new, after)),
        _gaps(points, there, reach),
        reach,
        _neighbours(points, px[1]),
        _neighbours(there, px[1]),
    )


def _in_px(settings: MatchSettings) -> tuple[float, float]:
    return settings.reach_px, settings.piece_px


def _sizes(labels: npt.NDArray[np.int32], numbers: npt.NDArray[np.int32]) -> Floats:
    return np.bincount(labels.ravel(), minlength=int(numbers.max(initial=0)) + 1)[numbers].astype(float)


def _overlaps(
    old: npt.NDArray[np.int32],
    new: npt.NDArray[np.int32],
    before: npt.NDArray[np.int32],
    after: npt.NDArray[np.int32],
) -> Floats:
    both = (old > 0) & (new > 0)
    found = np.zeros((len(before), len(after)))
    np.add.at(found, (np.searchsorted(before, old[both]), np.searchsorted(after, new[both])), 1)
    return found


def _points(labels: npt.NDArray[np.int32], numbers: npt.NDArray[np.int32]) -> list[Floats]:
    """Pixels of every label, thinned evenly when they are many."""
    boxes = ndimage.find_objects(labels)
    found = []
    for number in numbers.tolist():
        rows, columns = boxes[number - 1]
        points = np.argwhere(labels[rows, columns] == number) + np.array([rows.start, columns.start], float)
        found.append(points[:: max(1, len(points) // _MOST_POINTS)])
    return found


def _followed(points: Floats, alignment: Alignment) -> Floats:
    on = alignment.baseline_of(points)
    return np.asarray(on[np.isfinite(on).all(axis=1)])


def _gaps(first: Sequence[Floats], second: Sequence[Floats], reach: float) -> Floats:
    gaps = np.full((len(first), len(second)), np.inf)
    for i, j in _close(first, second, reach):
        gaps[i, j] = spatial.cKDTree(second[j]).query(first[i])[0].min()
    return gaps


def _neighbours(points: Sequence[Floats], within: float) -> tuple[tuple[int, int], ...]:
    """Pairs of one film's labels that lie within the distance of each other."""
    gaps = _gaps(points, points, within)
    return tuple((int(i), int(j)) for i, j in np.argwhere(gaps <= within) if i < j)


def _close(first: Sequence[Floats], second: Sequence[Floats], reach: float) -> Iterator[tuple[int, int]]:
    """Pairs whose bounding boxes come within reach."""
    if not first or not second:
        return
    low, high = _boxes(first)
    its_low, its_high = _boxes(second)
    apart = np.maximum(its_low[None] - high[:, None], low[:, None] - its_high[None]).max(axis=2)
    yield from ((int(i), int(j)) for i, j in np.argwhere(apart <= reach + 1))


def _boxes(points: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Lowest and highest coordinates; a label that cannot be followed lies nowhere."""
    nowhere = np.full(2, np.inf)
    low = np.array([p.min(axis=0) if len(p) else nowhere for p in points])
    high = np.array([p.max(axis=0) if len(p) else -nowhere for p in points])
    return low, high


# --- groups ------------------------------------------------------------------------------------------------


def _grouped(bonds: _Bonds, settings: MatchSettings, by_program: bool) -> tuple[Link, ...]:
    """Links from bonds: baseline labels are nodes 0 .. n - 1, those of the follow-up n and on."""
    n = len(bonds.before)
    ties = _assigned(bonds, settings)
    ties += _covered(bonds, settings, ties)
    if by_program:
        shared = np.argwhere(bonds.of_smaller >= settings.covered)
        ties += [(int(i), n + int(j)) for i, j in shared]
        ties += _pieces(bonds, ties)
    return _components(bonds, ties)


def _assigned(bonds: _Bonds, settings: MatchSettings) -> list[tuple[int, int]]:
    strength = bonds.strength(settings)
    rows, columns = optimize.linear_sum_assignment(strength, maximize=True)
    n = len(bonds.before)
    return [(int(i), n + int(j)) for i, j in zip(rows, columns, strict=True) if strength[i, j] > 0]


def _covered(bonds: _Bonds, settings: MatchSettings, ties: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ties of the labels without one to the label that covers most of them."""
    n, taken = len(bonds.before), {node for tie in ties for node in tie}
    one, two = (np.maximum(size, 1) for size in bonds.sizes)
    found = []
    for i in range(n if bonds.overlap.size else 0):
        j = int(np.argmax(bonds.overlap[i]))
        if i not in taken and bonds.overlap[i, j] >= settings.covered * one[i]:
            found.append((i, n + j))
    for j in range(len(bonds.after) if bonds.overlap.size else 0):
        i = int(np.argmax(bonds.overlap[:, j]))
        if n + j not in taken and bonds.overlap[i, j] >= settings.covered * two[j]:
            found.append((i, n + j))
    return found


def _pieces(bonds: _Bonds, ties: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ties of a loose piece to its neighbour on the same film, when the neighbour has a match."""
    n, tied = len(bonds.before), {node for tie in ties for node in tie}
    near = [*bonds.near_before, *((n + i, n + j) for i, j in bonds.near_after)]
    return [(i, j) for i, j in near if (i in tied) != (j in tied)]


def _components(bonds: _Bonds, ties: Sequence[tuple[int, int]]) -> tuple[Link, ...]:
    n, total = len(bonds.before), len(bonds.before) + len(bonds.after)
    roots: dict[_Node, _Node] = {}
    for i, j in ties:
        _united(roots, [(0, min(i, j)), (0, max(i, j))])
    groups: dict[_Node, list[int]] = {}
    for node in range(total):
        groups.setdefault(_root(roots, (0, node)), []).append(node)
    return tuple(
        Link(
            tuple(int(bonds.before[k]) for k in group if k < n),
            tuple(int(bonds.after[k - n]) for k in group if k >= n),
        )
        for group in groups.values()
    )


# --- a person's matches, and the field ---------------------------------------------------------------------


def _overridden(links: Sequence[Link], overrides: Sequence[Link], labels: tuple[Labels, Labels]) -> tuple[Link, ...]:
    if not overrides:
        return tuple(links)
    mine = [one if is_by_person(one.by) else replace(one, by=A_READER) for one in overrides]
    taken = _taken(mine, labels)
    kept = [link for left in links for link in _remains(left, taken, mine)]
    return tuple(sorted((*mine, *kept), key=_order))


def _taken(overrides: Sequence[Link], labels: tuple[Labels, Labels]) -> tuple[set[int], set[int]]:
    """Labels that the overrides speak of, by film."""
    sides = [n for one in overrides for n in one.baseline], [n for one in overrides for n in one.followup]
    for visit, named_, known in zip(("baseline", "follow-up"), sides, labels, strict=True):
        wrong = sorted(set(named_) - set(known.numbers.tolist())) or [n for n in named_ if named_.count(n) > 1]
        if wrong:
            raise MeasurementRefused(
                f"a match given by hand names deposit {wrong[0]} of the {visit}, which is not there or named twice: "
                "use each label of the masks once"
            )
    if any(not one.baseline and not one.followup for one in overrides):
        raise MeasurementRefused("a match given by hand names no deposit: name one at either visit")
    return set(sides[0]), set(sides[1])


def _remains(link: Link, taken: tuple[set[int], set[int]], overrides: Sequence[Link]) -> list[Link]:
    """What an override leaves of a link: itself when untouched, else its other labels.

    What loses its partner was parted from it by the person who took that away.
    """
    before = tuple(n for n in link.baseline if n not in taken[0])
    after = tuple(n for n in link.followup if n not in taken[1])
    if not before and not after:
        return []
    lost_partner = bool(before and after) != bool(link.baseline and link.followup)
    by = next(one.by for one in overrides if _touches(one, link)) if lost_partner else link.by
    return [Link(before, after, link.in_field, by)]


def _touches(one: Link, other: Link) -> bool:
    return not set(one.baseline).isdisjoint(other.baseline) or not set(one.followup).isdisjoint(other.followup)


def _order(link: Link) -> tuple[bool, tuple[int, ...], tuple[int, ...]]:
    return not link.baseline, link.baseline, link.followup


def _with_field(
    links: Sequence[Link], baseline: Reading, followup: Reading, how: tuple[Alignment, MatchSettings]
) -> tuple[Link, ...]:
    """The links, those on one film only with whether the other film shows their place."""
    alignment, settings = how
    field = CommonField.of(baseline, followup, alignment)
    before = field.share_of_baseline(baseline.labels.array)
    after = field.share_of_followup(followup.labels.array)

    def placed(link: Link) -> Link:
        if link.baseline and link.followup:
            return link
        shares = before[list(link.baseline)] if link.baseline else after[list(link.followup)]
        return replace(link, in_field=bool(np.mean(shares) >= settings.least_in_field))

    return tuple(placed(link) for link in sorted(links, key=_order))
