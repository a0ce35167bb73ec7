"""The steps of a wedge on a film: plateaus of the profile along it, found in a marked box or free in the open field."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise, product

import cv2
import numpy as np
import numpy.typing as npt
from skimage.filters import threshold_multiotsu, threshold_otsu

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.image import Image

Array = npt.NDArray[np.float64]
Region = tuple[int, int, int, int]

_MOST_MISFIT = 0.015  # of the profile's variance: pairs of steps taken for one leave 0.03
_MOST_UNEVEN = 2.5  # longest over shortest step
_LONGEST_PROFILE = 360  # samples in which plateaus are sought


@dataclass(frozen=True, slots=True)
class WedgeSteps:
    """Boxes of the steps, thinnest first, with their thickness and median value."""

    thickness: tuple[float, ...]
    boxes: tuple[Region, ...]
    values: tuple[float, ...]

    @property
    def region(self) -> Region:
        """The box around all of them."""
        box = np.array(self.boxes)
        return int(box[:, 0].min()), int(box[:, 1].min()), int(box[:, 2].max()), int(box[:, 3].max())

    @property
    def linearity(self) -> float:
        """Correlation of value and thickness: how much like a wedge it is."""
        return float(np.corrcoef(self.thickness, self.values)[0, 1])


def steps_in(image: Image, region: Region, thickness: tuple[float, ...]) -> WedgeSteps:
    """The steps inside a box, along its rows or its columns, whichever fits better.

    Raises
    ------
    MeasurementRefused
        When the box shows no staircase of that many steps.
    """
    row0, column0, row1, column1 = region
    part = image.pixels[row0:row1, column0:column1].astype(float)
    tries = [_staircase(part, len(thickness)), _staircase(part.T, len(thickness))]
    stairs = min(tries, key=lambda one: one.misfit)
    if not np.isfinite(stairs.misfit):
        _check_range(image, part)
        raise MeasurementRefused(
            f"no rising staircase of {len(thickness)} steps in the region {region}: mark the whole wedge alone, "
            "its steps along rows or columns, and name every step"
        )
    boxes = [_box(part_box if stairs is tries[0] else part_box[[1, 0, 3, 2]], region) for part_box in stairs.boxes]
    values = [float(np.median(image.pixels[inner(box)])) for box in boxes]
    order = np.argsort(values)
    return WedgeSteps(thickness, tuple(boxes[k] for k in order), tuple(values[k] for k in order))


def _check_range(image: Image, part: Array) -> None:
    """Nothing, or the reason why steps cannot be told apart."""
    top = np.inf if image.ceiling is None else image.ceiling
    share = float(np.mean((part >= top) | (part <= _floor(image))))
    if share > 0.05:
        raise MeasurementRefused(
            f"{share:.0%} of the wedge region are clipped at the end of the detector's range, so its steps cannot "
            "be told apart: expose the wedge so that no step is clipped"
        )


def _box(part: npt.NDArray[np.int_], region: Region) -> Region:
    row, column = region[:2]
    return int(part[0]) + row, int(part[1]) + column, int(part[2]) + row, int(part[3]) + column


def inner(box: Region) -> tuple[slice, slice]:
    """The middle of a step, clear of its blurred edges."""
    row0, column0, row1, column1 = box
    down, across = (row1 - row0) // 5, (column1 - column0) // 5
    return slice(row0 + down, row1 - down), slice(column0 + across, column1 - across)


@dataclass(frozen=True, slots=True, eq=False)
class _Stairs:
    """Boxes of plateaus down the rows of a part, and the share of variance that they leave; infinite for none."""

    boxes: tuple[npt.NDArray[np.int_], ...]
    misfit: float


def _staircase(part: Array, count: int) -> _Stairs:
    """The best `count` plateaus down a part, with or without open field at its ends."""
    none = _Stairs((), np.inf)
    if part.shape[0] < 3 * count or part.shape[1] < 3 or np.ptp(part) == 0:
        return none
    left, right = _band(part)
    width = (right - left) // 4
    factor = max(1, -(-part.shape[0] // _LONGEST_PROFILE))
    profile = np.median(part[:, left + width : right - width or None], axis=1)
    profile = profile[: len(profile) // factor * factor].reshape(-1, factor).mean(axis=1)
    best = min((_cut(profile, count, margins) for margins in product((0, 1), (0, 1))), key=lambda one: one[1])
    if best[1] > min(_MOST_MISFIT, _ramp_misfit(profile)):
        return none
    cuts = best[0] * factor
    return _Stairs(tuple(np.array([a, left, b, right]) for a, b in pairwise(cuts)), best[1])


def _band(part: Array) -> tuple[int, int]:
    """Columns of a part that the wedge fills: where its dense half stands out; all when nothing does."""
    rows = np.median(part[:, part.shape[1] // 3 : -(part.shape[1] // 3) or None], axis=1)
    profile = np.median(part[rows >= np.median(rows)], axis=0)
    if np.ptp(profile) <= 0.3 * np.ptp(rows):
        return 0, part.shape[1]
    dense = np.concatenate([[0], (profile > threshold_otsu(profile)).astype(int), [0]])
    starts, ends = np.flatnonzero(np.diff(dense) == 1), np.flatnonzero(np.diff(dense) == -1)
    longest = int(np.argmax(ends - starts))
    return (int(starts[longest]), int(ends[longest])) if ends[longest] - starts[longest] >= 3 else (0, part.shape[1])


def _ramp_misfit(profile: Array) -> float:
    """Share of variance that a straight line leaves: open field under the heel effect is a ramp, no staircase."""
    along = np.arange(len(profile))
    return 1 - float(np.corrcoef(along, profile)[0, 1] ** 2)


def _cut(profile: Array, count: int, margins: tuple[int, int]) -> tuple[npt.NDArray[np.int_], float]:
    """Ends of `count` monotone plateaus between pieces of open field (none or one at each end), and their misfit."""
    cuts, left_over = _segmented(profile, count, margins)
    if not np.isfinite(left_over):
        return cuts, np.inf
    levels = np.array([np.median(profile[a:b]) for a, b in pairwise(cuts)])
    mine = levels[margins[0] : margins[0] + count]
    rise = np.diff(mine) * np.sign(mine[-1] - mine[0])
    cuts = cuts[margins[0] : margins[0] + count + 1]
    length = np.diff(cuts)
    # Open field is less dense than the step beside it.
    if rise.min() <= 0.01 * np.ptp(mine) or levels[0] > mine[0] or levels[-1] > mine[-1]:
        return cuts, np.inf
    return cuts, left_over if length.max() <= _MOST_UNEVEN * length.min() else np.inf


def _segmented(profile: Array, count: int, margins: tuple[int, int]) -> tuple[npt.NDArray[np.int_], float]:
    """Cuts of a profile into constant pieces of least squares, and the share of its variance left over.

    Dynamic programming over the end of each piece. Steps of one wedge are about equally long, so a plateau takes at
    least a third of its even share; margins may be short.
    """
    size, least = len(profile), max(2, len(profile) // (3 * count))
    lengths = [1] * margins[0] + [least] * count + [1] * margins[1]
    begin, end = np.arange(size + 1)[:, None], np.arange(size + 1)[None, :]
    s1, s2 = (np.concatenate([[0.0], np.cumsum((profile - profile.mean()) ** k)]) for k in (1, 2))
    cost = s2[end] - s2[begin] - (s1[end] - s1[begin]) ** 2 / np.maximum(end - begin, 1)
    total, back = np.where(end[0] >= lengths[0], cost[0], np.inf), []
    for length in lengths[1:]:
        table = total[:, None] + np.where(end - begin >= length, cost, np.inf)
        back.append(np.argmin(table, axis=0))
        total = table[back[-1], np.arange(size + 1)]
    cuts = [size]
    for choice in reversed(back):
        cuts.append(int(choice[cuts[-1]]))
    return np.array([0, *cuts[::-1]], int), float(total[size] / s2[size]) if s2[size] > 0 else np.inf


def plain_wedge(image: Image, thickness: tuple[float, ...]) -> WedgeSteps:
    """The wedge that lies free in the open field.

    Raises
    ------
    MeasurementRefused
        When none is seen, or several things look like one.
    """
    things = [_most_like_a_wedge(image, region, thickness) for region in _free_things(image)]
    found = [one for one in things if one is not None]
    found = [one for one in found if one.linearity > 0.85]
    if len(found) != 1:
        what = "no step wedge was found" if not found else f"{len(found)} things look like the wedge"
        raise MeasurementRefused(f"{what}: mark it with a region (row0, column0, row1, column1)")
    return found[0]


def _most_like_a_wedge(image: Image, region: Region, thickness: tuple[float, ...]) -> WedgeSteps | None:
    """The steps of a thing in the open field; its thinnest may be lost in the heel beyond an end of its box."""
    row0, column0, row1, column1 = region
    rows, columns = image.shape
    more = 1.3 * max(row1 - row0, column1 - column0) / (len(thickness) - 1)
    down, across = (round(more), 0) if row1 - row0 > column1 - column0 else (0, round(more))
    longer = (max(row0 - down, 0), max(column0 - across, 0), min(row1 + down, rows), min(column1 + across, columns))
    found = []
    for box in (region, longer):
        with suppress(MeasurementRefused):
            found.append(steps_in(image, box, thickness))
    return max(found, key=lambda one: one.linearity, default=None)


def _free_things(image: Image) -> list[Region]:
    """Boxes around the straight-sided, long things in the open field."""
    value = cv2.medianBlur(image.pixels.astype(np.float32), 3)
    thing = (value > _open_threshold(value)).view(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(thing, connectivity=4)
    boxes = []
    for left, top, width, height, area in stats[1:count]:
        long, short = max(width, height), min(width, height)
        if area > 0.9 * width * height and long >= 1.8 * short and short >= 6:
            boxes.append((max(top - 1, 0), left, min(top + height + 1, image.shape[0]), left + width))
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in boxes]


def _open_threshold(value: npt.NDArray[np.float32]) -> float:
    """Just above the open field: its spread is small against what lies in it."""
    small = value[:: max(1, value.shape[0] // 300), :: max(1, value.shape[1] // 300)]
    if np.ptp(small) == 0:
        return float(small.flat[0])
    low = small[small <= threshold_multiotsu(small, 3, nbins=128)[0]]
    middle, spread = np.percentile(low, 40), np.percentile(low, 40) - np.percentile(low, 5)
    return float(middle + max(2.5 * spread, 0.008 * np.ptp(small)))


def check_clipping(image: Image, found: WedgeSteps) -> None:
    """Nothing, when every step lies inside the detector's range.

    Raises
    ------
    MeasurementRefused
        Naming the step that does not.
    """
    top = np.inf if image.ceiling is None else image.ceiling
    for mm, box in zip(found.thickness, found.boxes, strict=True):
        inside = image.pixels[inner(box)]
        clipped = float(np.mean((inside >= top) | (inside <= _floor(image))))
        if clipped > 0.01:
            raise MeasurementRefused(
                f"{clipped:.0%} of the {mm:g} mm step lie at the end of the detector's range: expose the wedge so that "
                "no step is clipped, or leave that step out of the marked region and of the list"
            )


def _floor(image: Image) -> float:
    """Lowest value that an unsigned detector can write; floating point has none."""
    return 0.0 if image.pixels.dtype.kind == "u" else -np.inf
