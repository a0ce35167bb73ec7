"""How well two films lie on each other, in numbers that tell a right pair from a wrong one."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from calcimeasure.model.arrays import Grey, Mask
from calcimeasure.steps.change.align.bend import Bent, structure
from calcimeasure.steps.change.align.view import View


@dataclass(frozen=True, slots=True)
class Quality:
    """What speaks for and against an alignment.

    Parameters
    ----------
    likeness : float
        Correlation (-1 to 1) of the local detail inside the limb, where both films show it.
    overlap : float
        Jaccard index (0-1) of the limbs in the common field.
    shared : float
        Share (0-1) of the smaller limb that both films show.
    residual_px : float
        Median contradiction of the two ways, in working pixels of the baseline, counted where there is structure.
    strain : float
        Root mean square of the change of the bend from pixel to pixel: 0 is rigid, 0.1 is a tenth stretched or sheared.
    """

    likeness: float
    overlap: float
    shared: float
    residual_px: float
    strain: float


def quality(baseline: View, followup: View, found: Bent) -> Quality:
    """The numbers of an alignment."""
    detail, body, seen = _laid(followup, found)
    common = (seen > 0.99) & baseline.valid
    both = baseline.limb & (body > 0.5) & common
    either = (baseline.limb | (body > 0.5)) & common
    if both.sum() < 50:
        return Quality(0.0, 0.0, 0.0, float("inf"), float("inf"))
    trusted = both & (baseline.weight > 0)
    return Quality(
        _likeness(baseline.detail, detail, trusted if trusted.sum() > 50 else both),
        float(both.sum() / either.sum()),
        float(both.sum() / min(baseline.limb.sum(), followup.limb.sum())),
        _median(found.contradiction[both], structure(baseline)[both]),
        _strain(found, both),
    )


def _laid(followup: View, found: Bent) -> tuple[Grey, Grey, Grey]:
    points = found.forward.dense
    layers = followup.detail, followup.body, followup.valid.astype(np.float32)
    laid = [cv2.remap(layer, points, None, cv2.INTER_LINEAR) for layer in layers]
    return laid[0], laid[1], laid[2]


def _likeness(one: Grey, other: Grey, where: Mask) -> float:
    a, b = (cv2.GaussianBlur(g, (0, 0), 1.0)[where] for g in (one, other))
    return float((a * b).sum() / (np.sqrt((a * a).sum() * (b * b).sum()) + 1e-6))


def _strain(found: Bent, where: Mask) -> float:
    """Measured in the baseline's frame, so that the scale between the films does not count."""
    bend = found.forward.bend @ np.linalg.inv(found.forward.affine[:, :2]).T.astype(np.float32)
    steps = np.dstack([*np.gradient(bend[..., 0]), *np.gradient(bend[..., 1])])
    return float(np.sqrt((steps[where] ** 2).sum(axis=1).mean()))


def _median(values: Grey, weights: Grey) -> float:
    order = np.argsort(values)
    heap = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(heap, heap[-1] / 2)])
