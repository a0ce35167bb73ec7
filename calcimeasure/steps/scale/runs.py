"""Runs of ticks at equal steps: the skeleton of a ruler.

The plan: every two neighbouring parallel ticks propose a step. All proposals are followed at once, tick by tick:
the next tick is looked for where the step leads, the step is renewed by what is found, up to three ticks may be
missing in a row (hidden by a hair, a reflection or a watermark). So a run bends and widens with its ruler. The
ends of ticks are followed rather than their middles, since long and short ticks share one end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from calcimeasure.model.arrays import Floats, Places
from calcimeasure.steps.scale.ticks import Ticks

_NEIGHBOURS = 5  # how many nearest ticks may propose a step
_STEP_PX = (3.2, 130.0)  # between neighbouring ticks
_SLACK = (0.6, 0.14)  # px, and share of the step: how far from its place a tick may lie
_MISSING = 3  # ticks in a row
_SPARSE = 6.0  # times its length a tick may lie from the next: beyond it ticks would be dots
_LENGTHS = 6.0  # how many times longer than its neighbour a tick may be
_STRENGTHS = 3.5
_PARALLEL = np.cos(np.radians(10.0))
_SQUARE = np.sin(np.radians(20.0))  # ruler and tick may be this far from a right angle (perspective)
_LONGEST = 600  # ticks


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Ticks at equal steps, numbered from 0.

    Parameters
    ----------
    number : int array, shape (n,)
        Which place of the run each tick found stands at, rising; a missing tick's number is left out.
    foot : float array, shape (n, 2)
        The shared end of the ticks, (x, y) in px.
    along : float array, shape (n, 2)
        Unit vectors from the foot along the ticks.
    length : float array, shape (n,)
        Length of the ticks in px.
    """

    number: npt.NDArray[np.int64]
    foot: Floats
    along: Floats
    length: Floats

    def __len__(self) -> int:
        return len(self.number)

    @property
    def step(self) -> float:
        """Mean step in px, along the straight line from first to last."""
        return float(np.linalg.norm(self.foot[-1] - self.foot[0]) / self.number[-1])

    def times(self, factor: float) -> Run:
        """The same run on a picture enlarged by a factor; pixel centres are whole numbers in both."""
        return Run(self.number, (self.foot + 0.5) * factor - 0.5, self.along, self.length * factor)


def find_runs(ticks: Ticks, least: int = 8) -> list[Run]:
    """The longest runs of at least so many ticks, no tick in two of them, longest first; at most four."""
    found: list[Run] = []
    for side in (-1.0, 1.0):
        free = np.ones(len(ticks), bool)
        for _ in range(2):
            members = _longest(ticks, ticks.end(side), free)
            if len(members) < least:
                break
            free[[tick for _, tick in members]] = False
            found.append(_as_run(ticks, side, members))
    return sorted(found, key=lambda run: -len(run))[:4]


def _as_run(ticks: Ticks, side: float, members: list[tuple[int, int]]) -> Run:
    number, index = (np.array(column) for column in zip(*members, strict=True))
    return Run(number - number[0], ticks.end(side)[index], -side * ticks.along[index], ticks.length[index])


def _longest(ticks: Ticks, foot: Floats, free: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The (number, tick) pairs of the run with most ticks."""
    if free.sum() < 3:
        return []
    first, second = _proposals(ticks, foot, free)
    if not len(first):
        return []
    walk = _Walk(ticks, foot, free)
    hits, _ = walk.follow(first, second)
    best = int(np.argmax(hits))
    _, trail = walk.follow(first[best : best + 1], second[best : best + 1])
    return [(0, int(first[best])), (1, int(second[best])), *trail]


def _proposals(ticks: Ticks, foot: Floats, free: npt.NDArray[np.bool_]) -> tuple[Places, Places]:
    """Pairs of like neighbours (first, second) in one sense along the ruler."""
    index = np.flatnonzero(free)
    count = min(_NEIGHBOURS + 1, len(index))
    near = cKDTree(foot[index]).query(foot[index], k=count, distance_upper_bound=_STEP_PX[1])[1]
    first = np.repeat(np.arange(len(index)), count)
    second = near.ravel()
    known = (second < len(index)) & (second != first)
    first, second = index[first[known]], index[second[known]]
    step = foot[second] - foot[first]
    forward = step[:, 0] * -ticks.along[first, 1] + step[:, 1] * ticks.along[first, 0] > 0
    good = forward & _alike(ticks, first, second) & _square(ticks, first, step)
    return first[good], second[good]


def _alike(ticks: Ticks, first: Places, second: Places) -> npt.NDArray[np.bool_]:
    ratio = np.abs(np.log(ticks.length[first] / ticks.length[second]))
    force = np.abs(np.log(ticks.strength[first] / ticks.strength[second]))
    parallel = np.einsum("ij,ij->i", ticks.along[first], ticks.along[second])
    return np.asarray((ratio < np.log(_LENGTHS)) & (force < np.log(_STRENGTHS)) & (parallel > _PARALLEL))


def _square(ticks: Ticks, first: Places, step: Floats) -> npt.NDArray[np.bool_]:
    size = np.linalg.norm(step, axis=1)
    along = np.abs(np.einsum("ij,ij->i", step, ticks.along[first]))
    near = (size > _STEP_PX[0]) & (size < np.minimum(_STEP_PX[1], _SPARSE * ticks.length[first]))
    return np.asarray(near & (along < _SQUARE * size + 0.7))


@dataclass(frozen=True, slots=True, eq=False)
class _Walk:
    ticks: Ticks
    foot: Floats
    free: npt.NDArray[np.bool_]

    def follow(self, first: Places, second: Places) -> tuple[npt.NDArray[np.int64], list[tuple[int, int]]]:
        """How many ticks each proposal leads to, and the (number, tick) found by the first of them."""
        index = np.flatnonzero(self.free)
        tree = cKDTree(self.foot[index])
        at, step = second.copy(), self.foot[second] - self.foot[first]
        hits, number = np.full(len(first), 2), np.ones(len(first), int)
        active, trail = np.arange(len(first)), []
        for _ in range(_LONGEST):
            found, gap = self._next(tree, index, at[active], step[active])
            active, found, gap = active[found >= 0], found[found >= 0], gap[found >= 0]
            if not len(active):
                break
            fresh = (self.foot[found] - self.foot[at[active]]) / gap[:, None]
            trust = np.minimum(0.5, gap / (2 + np.minimum(number[active], 5)))[:, None]
            step[active] += trust * (fresh - step[active])
            at[active], hits[active], number[active] = found, hits[active] + 1, number[active] + gap
            if active[0] == 0:
                trail.append((int(number[0]), int(found[0])))
        return hits, trail

    def _next(self, tree: cKDTree, index: Places, at: Places, step: Floats) -> tuple[Places, npt.NDArray[np.int64]]:
        """The next tick of each walk (-1: none), and how many steps away it is."""
        found, gap = np.full(len(at), -1), np.ones(len(at), int)
        reach = _SLACK[0] + _SLACK[1] * np.linalg.norm(step, axis=1)
        for ahead in range(1, _MISSING + 2):
            open_ = np.flatnonzero(found < 0)
            if not len(open_):
                break
            distance, near = tree.query(self.foot[at[open_]] + ahead * step[open_])
            near = index[np.minimum(near, len(index) - 1)]
            good = (
                (distance < reach[open_] * np.sqrt(ahead)) & (near != at[open_]) & _alike(self.ticks, at[open_], near)
            )
            found[open_[good]], gap[open_[good]] = near[good], ahead
        return found, gap
