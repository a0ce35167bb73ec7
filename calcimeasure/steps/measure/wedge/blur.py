"""How blurred a film is, from the straight edges of its wedge."""

from __future__ import annotations

import math

import numpy as np

from calcimeasure.model.image import Image
from calcimeasure.steps.measure.wedge.steps import Array, Region, WedgeSteps, inner

_BEYOND = 0.6  # of the wedge's width, looked at on both of its sides
_CENTRAL = 1 / 3  # px2: a central difference is a slope averaged over 2 px


def blur_px(image: Image, found: WedgeSteps) -> float:
    """Standard deviation of the blur across the long edges of the thicker steps, in px; 0 where none is seen.

    A step of height h blurred by a Gaussian of sd s has slopes whose squares add up to h2 / (2 sqrt(pi) s).
    """
    across = _is_across(found.region)
    seen = [_of_edges(_profile(image, box, across)) for box in found.boxes[len(found.boxes) // 2 :]]
    known = [s for s in seen if s is not None]
    return float(np.sqrt(max(np.median(known) ** 2 - _CENTRAL, 0.0))) if known else 0.0


def _is_across(region: Region) -> bool:
    row0, column0, row1, column1 = region
    return row1 - row0 >= column1 - column0


def _profile(image: Image, box: Region, across: bool) -> Array:
    """Mean values across a step, from beside it to beside it."""
    rows, columns = inner(box)
    start, stop = (box[1], box[3]) if across else (box[0], box[2])
    reach = round(_BEYOND * (stop - start))
    wide = slice(max(start - reach, 0), stop + reach)
    part = image.pixels[rows, wide] if across else image.pixels[wide, columns].T
    return np.asarray(part.astype(float).mean(axis=0))


def _of_edges(profile: Array) -> float | None:
    """Of the two edges of a step; none where it does not stand out."""
    quarter = len(profile) // 6
    middle = float(np.median(profile[2 * quarter : -2 * quarter or None]))
    low = [float(np.median(end)) for end in (profile[:quarter], profile[-quarter:])]
    slope = np.gradient(profile) ** 2
    noise = float(np.median(slope))
    heights = np.array([middle - one for one in low])
    halves = np.array([half.sum() - noise * half.size for half in np.array_split(slope, 2)])
    if quarter < 3 or heights.min() <= 0 or halves.min() <= 0:
        return None
    return float(np.median(heights**2 / (2 * math.sqrt(math.pi) * halves)))
