"""Millimetres of aluminium from a step wedge on the film.

The plan. The steps are the plateaus of the profile along the wedge (`steps`). Three things lie between brightness and
the wedge's worth elsewhere on the film: the heel effect, scatter (and any offset), which lies under the limb more
thickly than under the wedge, and the hardness of the beam. All three leave traces that one picture shows: the open
field around the limb (`open_field`) holds the heel as a slow bend and the scatter as a halo that follows the limb; the
wedge holds the hardness, a pedestal and its own scatter as the bend of its curve. One model is fitted to both
(`model`, `fit`)::

    signal = g heel(r, c) T(0, t) + pedestal + sum_j a_j G_j * (stopped by the limb + w stopped by the wedge)

with T the transmission of a `Beam`, `stopped` what the film shows to be missing from the open beam, and G_j Gaussians
of several widths (their sum is the kernel). Tissue scatters most of what it stops and aluminium absorbs most of it, so
the wedge gives off less by a factor w, which is fitted too. Then heel and scatter are taken off at every pixel, and the
monotone curve runs through what the steps show after it (`curve`). What the film leaves open, it leaves open as a set
of other readings, which `steps.measure.density` turns into the error of every deposit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.density import LEAST_STEPS, WedgeCalibration
from calcimeasure.model.image import Image, Kind, Meaning
from calcimeasure.steps.measure.wedge.curve import calibration
from calcimeasure.steps.measure.wedge.steps import Region, check_clipping, plain_wedge, steps_in

__all__ = ["calibrate_wedge"]


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
        When no honest curve can be had: what is given contradicts itself or the film, steps are clipped, or the curve's
        shape is not that of so much aluminium in this beam. The message says what to do.
    """
    thickness = _checked_steps(steps_mm, material)
    _check_meaning(image)
    found = plain_wedge(image, thickness) if region is None else steps_in(image, _inside(image, region), thickness)
    check_clipping(image, found)
    return calibration(image, found, material)


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


def _inside(image: Image, region: Region) -> Region:
    row0, column0, row1, column1 = region
    rows, columns = image.shape
    if not (0 <= row0 < row1 <= rows and 0 <= column0 < column1 <= columns):
        raise MeasurementRefused(f"the wedge region {region} does not lie inside the film of {rows} x {columns} pixels")
    return region
