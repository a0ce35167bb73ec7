"""How a limb that lies otherwise has to be bent, once it is placed: a smooth field, from coarse to fine.

The plan: the follow-up warped by what is known so far; dense inverse search flow (Kroeger et al., ECCV 2016)
between the two evened pictures; the flow believed where there is structure to hold on to, and carried from
there into the smooth flesh; again with a narrower reach. It is done both ways independently: where the two
ways contradict each other neither is believed, and their typical difference is the residual.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from calcimeasure.model.arrays import Bytes, Floats, Grey, Map, Mask
from calcimeasure.steps.change.align.chart import Chart, grid
from calcimeasure.steps.change.align.view import View

#: Reach of the smoothing of either round, as sigma in mm.
REACHES_MM = (12.0, 7.0, 4.5, 3.0)
#: Contradiction of the two ways, in mm, beyond which a place is hardly believed.
BELIEF_MM = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Bent:
    """Both ways between two films at work, and how far they contradict each other (pixels, at each baseline pixel)."""

    forward: Chart
    backward: Chart
    contradiction: Grey


def bent(baseline: View, followup: View, affine: Floats) -> Bent:
    """The limb of one film bent onto that of the other.

    `affine` is (2, 3), from pixels (x, y) of the baseline at work to the follow-up's.
    """
    there = _one_way(baseline, followup, affine)
    back = _one_way(followup, baseline, cv2.invertAffineTransform(affine))
    returned = back.inverse(baseline.shape)
    difference = returned.dense - there.dense
    contradiction = np.asarray(np.linalg.norm(difference, axis=2), np.float32)
    middle = np.asarray(there.bend + difference / 2, np.float32)
    belief = np.asarray(structure(baseline) / (1 + (contradiction * baseline.mm / BELIEF_MM) ** 2), np.float32)
    both = there.bent(carried(middle, belief, REACHES_MM[-1] / baseline.mm))
    return Bent(both, both.inverse(followup.shape), contradiction)


def _one_way(fixed: View, moving: View, affine: Floats) -> Chart:
    chart, belief = Chart.straight(affine, fixed.shape), structure(fixed)
    for reach in REACHES_MM:
        chart = _round(chart, (fixed, moving), belief, reach / fixed.mm)
    return chart


def _round(chart: Chart, films: tuple[View, View], belief: Grey, reach: float) -> Chart:
    """One more round: what is left is found and added, and all of it is smoothed."""
    fixed, moving = films
    points = chart.dense
    picture, other, common = _pictures(fixed, moving, points)
    flow = _flow(picture, other)
    step = chart.at(grid(fixed.shape) + flow) - points
    return chart.bent(carried(chart.bend + step, belief * common, reach))


def _flow(picture: Bytes, other: Bytes) -> Map:
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(dis.calc(picture, other, None), np.float32)


def _pictures(fixed: View, moving: View, points: Map) -> tuple[Bytes, Bytes, Grey]:
    """Both films on the fixed one's pixels; what only one of them shows looks alike on both, so that nothing pulls."""
    layers = moving.detail, moving.body, moving.valid & ~moving.ignored
    detail, body, seen = (cv2.remap(np.asarray(layer, np.float32), points, None, cv2.INTER_LINEAR) for layer in layers)
    common = (seen > 0.99) & fixed.valid & ~fixed.ignored & ~_only_one(fixed.limb, body > 0.5, fixed.mm)
    one, other = _grey(fixed.detail, fixed.body), _grey(detail, body)
    return one, np.where(common, other, one), common.astype(np.float32)


def _only_one(limb: Mask, other: Mask, mm: float) -> Mask:
    """Thick parts that only one of the outlines has: cut off, not bent."""
    size = 2 * round(4.0 / mm) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.morphologyEx((limb ^ other).astype(np.uint8), cv2.MORPH_OPEN, disc) > 0)


def _grey(detail: Grey, body: Grey) -> Bytes:
    return np.asarray(np.clip(60 + 70 * body + 30 * detail, 0, 255), np.uint8)


def structure(view: View) -> Grey:
    """How much there is to hold on to: contrast in both directions (the lesser eigenvalue of the structure tensor).

    Shape of the view.
    """
    picture = cv2.GaussianBlur(view.detail + 2 * view.body, (0, 0), 1.0)
    lesser = cv2.cornerMinEigenVal(picture, round(3.0 / view.mm) | 1, ksize=3)
    usual = float(np.median(lesser[view.limb])) + 1e-9
    near = cv2.dilate(view.limb.astype(np.uint8), np.ones((5, 5), np.uint8))
    return np.asarray((0.02 + lesser / (lesser + usual)) * near * np.where(view.ignored, 0.01, 1), np.float32)


def carried(field: Map, belief: Grey, reach: float) -> Map:
    """A field smoothed over `reach` pixels, each place counted by its belief; far from any belief, the broad mean.

    `field` is (rows, columns, n), `belief` (rows, columns).
    """
    total, out = np.zeros_like(field), np.zeros_like(field)
    left = np.ones(belief.shape, np.float32)
    for width in (reach, 3 * reach, 9 * reach):
        mean, share = _weighted_mean(field, belief, width)
        part = left * (share / (share + 0.02))
        total = total + part[..., None] * mean
        left = left - part
        out = mean
    return np.asarray(total + left[..., None] * out, np.float32)


def _weighted_mean(field: Map, belief: Grey, width: float) -> tuple[Map, Grey]:
    step = max(1, int(width / 4))  # a wide blur is worked out on fewer pixels
    small = tuple(max(1, n // step) for n in belief.shape)
    stack = np.dstack([field * belief[..., None], belief])
    stack = cv2.resize(stack, small[::-1], interpolation=cv2.INTER_AREA)
    stack = cv2.GaussianBlur(stack, (0, 0), width / step, borderType=cv2.BORDER_REPLICATE)
    stack = cv2.resize(stack, belief.shape[::-1], interpolation=cv2.INTER_LINEAR)
    share = stack[..., 2]
    return stack[..., :2] / (share[..., None] + 1e-6), share
