"""Millimetres of aluminium from a step wedge on the film.

The plan. The steps are the plateaus of the profile along the wedge. Three things lie between brightness and the wedge's
worth elsewhere on the film: the heel effect, scatter (and any offset), which lies under the limb more thickly than
under the wedge, and the hardness of the beam. All three leave traces that one picture shows: the open field around the
limb holds the heel as a slow bend and the scatter as a halo that follows the limb; the wedge holds the hardness and a
pedestal as the bend of its curve. One model is fitted to both::

    signal = g heel(r, c) T(0, t) + pedestal + sum_j a_j (G_j * stopped)

with T the transmission of a `Beam`, `stopped` what the film shows to be missing from the open beam, and G_j Gaussians
of several widths (their sum is the kernel). Then heel and scatter are taken off at every pixel, and the monotone curve
runs through what the steps show after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise, product

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator
from scipy.optimize import least_squares
from skimage.filters import threshold_multiotsu, threshold_otsu

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.density import LEAST_STEPS, Beam, Step, WedgeCalibration, Writing
from calcimeasure.model.image import Image, Kind, Meaning
from calcimeasure.model.warning import Code, Remark
from calcimeasure.steps.measure.open_field import open_field

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Region = tuple[int, int, int, int]

#: Least share of the steps' variance that the curve must explain.
LEAST_R2 = 0.99

_MOST_MISFIT = 0.015  # of the profile's variance: pairs of steps taken for one leave 0.03
_MOST_UNEVEN = 2.5  # longest over shortest step
_COARSE_PX = 128  # longer side of the picture on which heel and scatter are fitted: both are smooth
_LONGEST_PROFILE = 360  # samples in which plateaus are sought
_KERNELS = (0.04, 0.08, 0.16, 0.32)  # widths of the scatter kernel over the longer side where no scale is known
_KERNELS_MM = (6.0, 12.0, 24.0, 48.0)
_USUAL_KVP = (54.0, 8.0)  # of limbs, where the file does not state it
_USUAL_FILTRATION = (2.7, 0.35)  # mm; IEC 60601-1-3 asks for 2.5 in all
_FIELD_SD, _STEP_SD = 0.008, 0.003  # of a logarithm of the signal: how well the model can be hoped to fit
_PEDESTAL_SD, _KERNEL_SD, _CONTRAST_SD = 0.2, 0.3, 0.25  # how freely offset, scatter and log contrast may move
_MOST_WITNESSES = 600
_FIELD_WORTH = 150.0  # independent places that the open field counts as


def calibrate_wedge(
    image: Image, region: Region | None, steps_mm: Sequence[float], material: str = "Al"
) -> WedgeCalibration:
    """The curve from log attenuation to mm of aluminium that a film's own wedge gives.

    Parameters
    ----------
    image : Image
        A radiograph in detector values.
    region : (row0, column0, row1, column1) or None
        Box around the wedge, end exclusive; its steps run along rows or columns. `None` looks for a plain wedge, one
        that lies free in the open field.
    steps_mm : sequence of float
        Thickness of every step, in any order.
    material : str
        Of the wedge; the beam's hardness is modelled for aluminium only.

    Raises
    ------
    MeasurementRefused
        When no honest curve can be had; the message says what to do.
    """
    thickness = _checked_steps(steps_mm, material)
    _check_meaning(image)
    if region is not None:
        return _calibrated(image, _found_in(image, _checked_region(image, region), thickness), material)
    return _calibrated(image, _plain_wedge(image, thickness), material)


# --- what is given -------------------------------------------------------------------------------------


def _checked_steps(steps_mm: Sequence[float], material: str) -> tuple[float, ...]:
    steps = tuple(sorted(float(mm) for mm in steps_mm))
    if len(steps) < LEAST_STEPS:
        raise MeasurementRefused(
            f"a wedge of {len(steps)} steps gives no curve: use one of at least {LEAST_STEPS} and name every step's mm"
        )
    if not all(np.isfinite(steps)) or steps[0] <= 0 or min(np.diff(steps)) <= 0:
        raise MeasurementRefused(f"steps must be positive and all different, got {steps}: give each step's mm")
    if material != "Al":
        raise MeasurementRefused(f'a wedge of {material!r} is not supported: use one of aluminium ("Al")')
    return steps


def _check_meaning(image: Image) -> None:
    eight_bit = image.pixels.dtype == np.uint8 or (image.acquisition.bits or 16) <= 8
    if image.kind is not Kind.RADIOGRAPH or image.meaning is not Meaning.DETECTOR or image.pixels.ndim != 2:
        raise MeasurementRefused(
            f"brightness of this picture means {image.meaning}, not the beam: absolute density needs the detector's "
            "values; export the film FOR PROCESSING, or use relative density"
        )
    if eight_bit:
        raise MeasurementRefused("this film has 8 bits, made for looking at: export the detector's 10 to 16 bits")


def _checked_region(image: Image, region: Region) -> Region:
    row0, column0, row1, column1 = region
    rows, columns = image.shape
    if not (0 <= row0 < row1 <= rows and 0 <= column0 < column1 <= columns):
        raise MeasurementRefused(f"the wedge region {region} does not lie inside the film of {rows} x {columns} pixels")
    return region


# --- finding the steps ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """Boxes of the steps, thinnest first, with their thickness and median value."""

    thickness: tuple[float, ...]
    boxes: tuple[Region, ...]
    values: tuple[float, ...]

    @property
    def region(self) -> Region:
        box = np.array(self.boxes)
        return int(box[:, 0].min()), int(box[:, 1].min()), int(box[:, 2].max()), int(box[:, 3].max())

    @property
    def linearity(self) -> float:
        """Correlation of value and thickness: how much like a wedge it is."""
        return float(np.corrcoef(self.thickness, self.values)[0, 1])


def _found_in(image: Image, region: Region, thickness: tuple[float, ...]) -> _Found:
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
    values = [float(np.median(image.pixels[_inner(box)])) for box in boxes]
    order = np.argsort(values)
    return _Found(thickness, tuple(boxes[k] for k in order), tuple(values[k] for k in order))


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


def _inner(box: Region) -> tuple[slice, slice]:
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


def _plain_wedge(image: Image, thickness: tuple[float, ...]) -> _Found:
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


def _most_like_a_wedge(image: Image, region: Region, thickness: tuple[float, ...]) -> _Found | None:
    """The steps of a thing in the open field; its thinnest may be lost in the heel beyond an end of its box."""
    row0, column0, row1, column1 = region
    rows, columns = image.shape
    more = 1.3 * max(row1 - row0, column1 - column0) / (len(thickness) - 1)
    down, across = (round(more), 0) if row1 - row0 > column1 - column0 else (0, round(more))
    longer = (max(row0 - down, 0), max(column0 - across, 0), min(row1 + down, rows), min(column1 + across, columns))
    found = []
    for box in (region, longer):
        with suppress(MeasurementRefused):
            found.append(_found_in(image, box, thickness))
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


# --- the model: beam, heel, scatter --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Coarse:
    """The film shrunk to where heel and scatter are smooth.

    `signal` is as stored (LINEAR: rising with the beam; LOG: falling), `open_field` where the beam is bare,
    `witnesses` some of those places, `u` and `v` coordinates from -1 to 1, `sigmas` the widths of the kernel in px,
    `noise` the sd of the signal from one coarse pixel to the next in the open field.
    """

    signal: Array
    open_field: Mask
    witnesses: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
    u: Array
    v: Array
    sigmas: tuple[float, ...]
    noise: float


def _calibrated(image: Image, found: _Found, material: str) -> WedgeCalibration:
    _check_clipping(image, found)
    choices = _writings(image)
    fits = [_fit(image, found, writing) for writing in choices]
    best = min(fits, key=lambda fit: fit.cost)
    unstated = (Remark.of(Code.WRITING_UNSTATED),) if len(choices) > 1 else ()
    return _calibration(image, found, best, material, unstated)


def _writings(image: Image) -> tuple[Writing, ...]:
    stated = image.acquisition.intensity_relationship
    return (Writing(stated),) if stated in ("LIN", "LOG") else (Writing.LINEAR, Writing.LOG)


def _check_clipping(image: Image, found: _Found) -> None:
    top = np.inf if image.ceiling is None else image.ceiling
    for mm, box in zip(found.thickness, found.boxes, strict=True):
        inside = image.pixels[_inner(box)]
        clipped = float(np.mean((inside >= top) | (inside <= _floor(image))))
        if clipped > 0.01:
            raise MeasurementRefused(
                f"{clipped:.0%} of the {mm:g} mm step lie at the end of the detector's range: expose the wedge so that "
                "no step is clipped, or leave that step out of the marked region and of the list"
            )


def _floor(image: Image) -> float:
    """Lowest value that an unsigned detector can write; floating point has none."""
    return 0.0 if image.pixels.dtype.kind == "u" else -np.inf


class _Haze(Enum):
    """Where scattered light comes from: a limb that ends with the film or goes on beyond it, or the whole picture.

    A limb scatters what it stops; a thick one stops much of what it scatters again, so that what leaves it follows the
    beam behind it (`LIMB_EXIT`).
    """

    LIMB = 1
    LIMB_BEYOND = 2
    GLARE = 3
    LIMB_EXIT = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """The fitted model: parameters as named in `_Model`, its cost, and the coarse scatter over the open beam."""

    model: _Model
    parameters: Array
    cost: float
    unsure: tuple[Remark, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """What is compared: open field and steps of one film in one writing.

    Parameters are: 0 filtration, 1 kVp, 2 pedestal, 3 log of gain, 4-8 heel (u, v, uu, vv, uv), 9 log contrast of the
    LOG writing, 10 on the weights of the scatter kernel.
    """

    writing: Writing
    coarse: _Coarse
    thickness: Array
    steps: Array
    at: tuple[Array, Array]
    kvp: float | None
    contrast: float
    haze: _Haze
    bases: Array
    step_bases: Array

    def intensity(self, stored: Array, p: Array) -> Array:
        """Signal in units of about the open beam, from values of `_stored`."""
        return stored if self.writing is Writing.LINEAR else np.exp(-stored * np.exp(-p[9]))

    def heel(self, u: Array, v: Array, p: Array) -> Array:
        return np.asarray(np.exp(p[3] + p[4] * u + p[5] * v + p[6] * u**2 + p[7] * v**2 + p[8] * u * v))

    def field_sd(self, p: Array) -> float:
        """Of the logarithm of a coarse pixel of open field: misfit and quanta."""
        grain = self.coarse.noise * (1.0 if self.writing is Writing.LINEAR else float(np.exp(-p[9])))
        return float(np.hypot(_FIELD_SD, grain))

    def beam(self, p: Array) -> Beam:
        return Beam(float(p[1]), float(p[0]))

    def residuals(self, p: Array) -> Array:
        coarse, open_ = self.coarse, self.coarse.witnesses
        seen = self.intensity(coarse.signal[open_], p)
        made = self.heel(coarse.u[open_], coarse.v[open_], p) + p[2] + p[10:] @ self.bases[:, open_[0], open_[1]]
        field = np.log(np.maximum(seen, 1e-6) / np.maximum(made, 1e-6)) / self.field_sd(p)
        through = self.beam(p).transmission(0.0, self.thickness)
        stepped = self.heel(*self.at, p) * through + p[2] + p[10:] @ self.step_bases
        steps = np.log(np.maximum(self.intensity(self.steps, p), 1e-6) / np.maximum(stepped, 1e-6)) / _STEP_SD
        worth = np.sqrt(min(1.0, _FIELD_WORTH / max(field.size, 1)))
        return np.concatenate([field * worth, steps, self.priors(p)])

    def priors(self, p: Array) -> Array:
        kvp = (p[1] - (self.kvp or _USUAL_KVP[0])) / (0.5 if self.kvp else _USUAL_KVP[1])
        filtration = (p[0] - _USUAL_FILTRATION[0]) / _USUAL_FILTRATION[1]
        contrast = (p[9] - self.contrast - 0.1) / _CONTRAST_SD
        return np.concatenate(
            [[kvp, filtration, (p[2] - 0.03) / _PEDESTAL_SD, contrast], p[4:9] / 0.15, p[10:] / _KERNEL_SD]
        )


def _fit(image: Image, found: _Found, writing: Writing) -> _Fit:
    """The best of the fits, one for each sort of haze."""
    stored = _stored(image, found, writing)
    coarse = _coarse(image, found, stored)
    unsure = () if len(coarse.witnesses[0]) >= 60 else (Remark.of(Code.LITTLE_OPEN_FIELD),)
    middle = np.array([[(b[0] + b[2]) / 2, (b[1] + b[3]) / 2] for b in found.boxes])
    at = (2 * middle[:, 0] / image.shape[0] - 1, 2 * middle[:, 1] / image.shape[1] - 1)
    steps = np.array([np.median(stored[_inner(box)]) for box in found.boxes])
    start, empty = _start(image, coarse, steps, found), np.zeros((len(coarse.sigmas), *coarse.signal.shape))
    kvp, thickness = image.acquisition.kvp, np.array(found.thickness)
    bare = _Model(writing, coarse, thickness, steps, at, kvp, start[9], _Haze.LIMB, empty, empty[:, 0, : len(steps)])
    best = _driven_home(min((_settled(replace(bare, haze=haze), start) for haze in _Haze), key=lambda fit: fit.cost))
    if best.cost > _POOR_COST:
        unsure = (*unsure, Remark.of(Code.BEAM_UNEXPLAINED))
    return replace(best, unsure=unsure)


def _settled(model: _Model, start: Array) -> _Fit:
    """The model fitted some times over, each time with the scatter's source corrected by the last."""
    fit = _Fit(model, start, np.inf, ())
    for _ in range(_ROUNDS):
        fit = _once_more(fit)
    return fit


def _once_more(fit: _Fit) -> _Fit:
    """The fit of a model whose scatter has the source that the last fit gives it."""
    model = _with_scatter(fit.model, fit.parameters)
    found = least_squares(model.residuals, fit.parameters, x_scale=_SCALES, bounds=_BOUNDS, max_nfev=60)
    return _Fit(model, found.x, float(found.cost), ())


def _driven_home(fit: _Fit) -> _Fit:
    """The fit after as many more rounds as explain the film better; much scatter from a thin limb takes many."""
    for _ in range(_MORE_ROUNDS):
        further = _once_more(fit)
        if further.cost > fit.cost - _LEAST_GAIN:
            return min(fit, further, key=lambda one: one.cost)
        fit = further
    return fit


_ROUNDS = 4  # enough to tell which sort of haze it is, and on most drawn films to settle
_MORE_ROUNDS = 20
_LEAST_GAIN = 0.05  # of the cost, half a chi squared: less says nothing
_POOR_COST = 15.0  # 19 of 20 drawn films fit below 14
_SCALES = np.array([0.5, 4.0, 0.05, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2])
_BOUNDS = (
    np.array([1.0, 30.0, -0.1, -0.8, -1.0, -1.0, -1.0, -1.0, -1.0, -16.0, -3.0, -3.0, -3.0, -3.0]),
    np.array([8.0, 120.0, 0.35, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 16.0, 3.0, 3.0, 3.0, 3.0]),
)


def _stored(image: Image, found: _Found, writing: Writing) -> Array:
    """LINEAR: signal over the open beam's near the wedge; LOG: values over the open field's, in shares of the wedge.

    Values written linear were turned over by the reader about the ends of the bit range.
    """
    pixels = image.pixels.astype(float)
    base = float(np.percentile(pixels[:: 1 + pixels.shape[0] // 500, :: 1 + pixels.shape[1] // 500], 3))
    if writing is Writing.LOG:
        return (pixels - base) / (found.values[-1] - base)
    top = image.ceiling if image.ceiling is not None else float(pixels.max())
    return np.asarray((top - pixels) / max(top - base, 1e-9))


def _coarse(image: Image, found: _Found, stored: Array) -> _Coarse:
    scale = min(1.0, _COARSE_PX / max(image.shape))
    rows, columns = (max(8, round(n * scale)) for n in image.shape)
    signal = cv2.resize(stored, (columns, rows), interpolation=cv2.INTER_AREA)
    v, u = np.meshgrid((np.arange(columns) + 0.5) / columns * 2 - 1, (np.arange(rows) + 0.5) / rows * 2 - 1)
    pixel = columns / image.shape[1]
    mm = None if image.spacing is None else image.spacing.mean_mm
    sigmas = [s * max(rows, columns) for s in _KERNELS] if mm is None else [s / mm * pixel for s in _KERNELS_MM]
    bare = open_field(image, found.region, found.values[0], (rows, columns))
    return _Coarse(signal, bare, _some(bare, _MOST_WITNESSES), u, v, tuple(sigmas), _noise(signal, bare))


def _noise(signal: Array, where: Mask) -> float:
    """Standard deviation between neighbours in a row, robust; 0 where there are none."""
    steps = np.diff(signal, axis=1)[where[:, 1:] & where[:, :-1]]
    return 1.4826 * float(np.median(np.abs(steps))) / np.sqrt(2) if steps.size else 0.0


def _some(mask: Mask, most: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of at most so many of the true pixels, evenly drawn."""
    rows, columns = np.nonzero(mask)
    every = max(1, -(-len(rows) // most))
    return rows[::every], columns[::every]


def _start(image: Image, coarse: _Coarse, steps: Array, found: _Found) -> Array:
    """A first guess: usual filtration, no scatter; the contrast of LOG values from the first and last step."""
    beam = Beam(image.acquisition.kvp or _USUAL_KVP[0], _USUAL_FILTRATION[0])
    first, last = -np.log(beam.transmission(0.0, np.array([found.thickness[0], found.thickness[-1]])))
    contrast = np.log(max(abs(steps[-1] - steps[0]), 1e-6) / (last - first))
    head = [beam.filtration_mm, np.clip(beam.kvp, 31, 119), 0.02, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, contrast]
    return np.array([*head, *np.zeros(len(coarse.sigmas))])


def _with_scatter(model: _Model, p: Array) -> _Model:
    """The model with the maps of scatter that follow from what its last fit says is missing from the beam."""
    coarse = model.coarse
    bare = model.heel(coarse.u, coarse.v, p)
    primary = model.intensity(coarse.signal, p) - p[2] - np.tensordot(p[10:], model.bases, 1)
    stopped = np.where(coarse.open_field, 0.0, np.clip(bare - primary, 0.0, bare))
    source = _source(model.haze, bare, stopped)
    bases = np.stack([_spread(source, sigma, model.haze) for sigma in coarse.sigmas])
    rows, columns = coarse.signal.shape
    at = tuple(np.clip(((a + 1) / 2 * n).astype(int), 0, n - 1) for a, n in zip(model.at, (rows, columns), strict=True))
    return replace(model, bases=bases, step_bases=bases[:, at[0], at[1]])


def _source(haze: _Haze, bare: Array, stopped: Array) -> Array:
    if haze is _Haze.GLARE:
        return bare - stopped
    if haze is _Haze.LIMB_EXIT:
        return np.asarray(stopped * (1 - stopped / np.maximum(bare, 1e-6)))
    return stopped


def _spread(source: Array, sigma: float, haze: _Haze) -> Array:
    border = cv2.BORDER_CONSTANT if haze is _Haze.LIMB else cv2.BORDER_REPLICATE
    return np.asarray(cv2.GaussianBlur(source, (0, 0), sigma, borderType=border))


# --- the curve -----------------------------------------------------------------------------------------


def _calibration(image: Image, found: _Found, fit: _Fit, material: str, doubt: tuple[Remark, ...]) -> WedgeCalibration:
    attenuation, share = _corrected(image, found, fit)
    steps = tuple(_step(attenuation, mm, box) for mm, box in zip(found.thickness, found.boxes, strict=True))
    levels = np.array([step.attenuation for step in steps])
    if np.diff(levels, prepend=0.0).min() <= 0:
        raise MeasurementRefused("the wedge's steps do not grow denser one by one: check the list of steps and region")
    residual, r2 = _goodness(fit, levels, np.array(found.thickness))
    kvp = image.acquisition.kvp is not None
    doubt = (*doubt, *fit.unsure, *(() if kvp else (Remark.of(Code.VOLTAGE_UNSTATED),)))
    return WedgeCalibration(
        steps, attenuation, share, _knots(levels, np.array(found.thickness)), residual, residual, r2, found.region,
        fit.model.writing, fit.model.beam(fit.parameters), kvp, material, bool(doubt), doubt,
    )  # fmt: skip


def _corrected(image: Image, found: _Found, fit: _Fit) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Log attenuation of the primary beam at every pixel, and scatter as a share of the signal."""
    model, p = fit.model, fit.parameters
    stored = _stored(image, found, model.writing)
    size = image.shape[::-1]
    coarse = np.stack([model.heel(model.coarse.u, model.coarse.v, p), np.tensordot(p[10:], model.bases, 1)])
    heel, scatter = (cv2.resize(np.asarray(c), size, interpolation=cv2.INTER_CUBIC) for c in coarse)
    seen = np.maximum(model.intensity(stored, p), 1e-6)
    primary = np.maximum(seen - scatter - p[2], 1e-5)
    return np.asarray(-np.log(primary / heel), np.float32), np.asarray((scatter + p[2]) / seen, np.float32)


def _step(attenuation: npt.NDArray[np.float32], mm: float, box: Region) -> Step:
    inside = attenuation[_inner(box)]
    spread = 1.4826 * float(np.median(np.abs(inside - np.median(inside))))
    return Step(mm, float(np.median(inside)), 1.2533 * spread / np.sqrt(inside.size), box)


def _goodness(fit: _Fit, levels: Array, thickness: Array) -> tuple[float, float]:
    """Root mean square distance of the steps from the physical curve in mm, and R2.

    Raises
    ------
    MeasurementRefused
        When the curve explains too little.
    """
    scale = np.linspace(0, 1.5 * thickness[-1], 600)
    said = np.interp(levels, -np.log(fit.model.beam(fit.parameters).transmission(0.0, scale)), scale)
    off = said - thickness
    r2 = 1 - float(np.sum(off**2) / np.sum((thickness - thickness.mean()) ** 2))
    if r2 < LEAST_R2:
        raise MeasurementRefused(
            f"the wedge's curve does not follow its thickness (R2 {r2:.3f}, at least {LEAST_R2} is needed): check the "
            "list of steps, that nothing lies over the wedge, and that the values are the detector's"
        )
    return float(np.sqrt(np.mean(off**2))), r2


def _knots(levels: Array, thickness: Array) -> tuple[tuple[float, float], ...]:
    """Points of the monotone cubic through nothing at zero and every step."""
    curve = PchipInterpolator(np.concatenate([[0.0], levels]), np.concatenate([[0.0], thickness]))
    log = np.linspace(0.0, levels[-1], 200)
    return tuple(zip(log.tolist(), np.asarray(curve(log)).tolist(), strict=True))
