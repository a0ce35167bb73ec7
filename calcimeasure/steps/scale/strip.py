"""A ruler straightened: one row per depth along the ticks, the same number of samples for every step.

The plan: a smooth curve is laid through the feet of the ticks found, the picture is sampled along it, and each
place of the run, found or missed, then says how dark its tick is and how far it reaches.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.steps.scale.runs import Run
from calcimeasure.steps.scale.ticks import Array, Plane

_SAMPLES = 16  # per step
_DEPTH = 9.0  # steps looked at beyond the foot
_ROWS = 10  # per step of depth
_ENDS = 0.35  # share of its usual darkness at which a tick has ended
_PHASE = np.abs(np.arange(_SAMPLES) - _SAMPLES // 2)  # samples from the middle of a place


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Where the foot of tick number n lies, and which way it points, as polynomials of n / `last`.

    `residual` is the spread of the feet about the curve, in px.
    """

    foot: Array
    along: Array
    last: int
    residual: float

    @classmethod
    def through(cls, run: Run) -> Curve:
        """The smooth curve nearest to the feet, ticks out of line ignored."""
        t = run.number / run.number[-1]
        degree = 3 if len(run) >= 20 else 2
        weight = np.ones(len(t))
        for _ in range(6):
            foot = np.polyfit(t, run.foot, degree, w=weight)
            off = np.linalg.norm(run.foot - _at(foot, t), axis=1)
            weight = np.sqrt(1 / (1 + (off / (0.4 + 2 * np.median(off))) ** 2))
        along = np.polyfit(t, run.along, 1, w=weight)
        return cls(foot, along, int(run.number[-1]), float(np.sqrt(np.average(off**2, weights=weight**2))))

    def feet(self, number: Array) -> Array:
        """Feet of the ticks with these numbers, (x, y), shape (n, 2)."""
        return _at(self.foot, number / self.last)

    def ways(self, number: Array) -> Array:
        """Unit vectors along the ticks with these numbers, shape (n, 2)."""
        way = _at(self.along, number / self.last)
        return np.asarray(way / np.linalg.norm(way, axis=1, keepdims=True))

    def steps(self) -> Array:
        """Length of every step along the curve, in px."""
        feet = self.feet(np.arange(self.last + 1, dtype=float))
        return np.asarray(np.linalg.norm(np.diff(feet, axis=0), axis=1))


def _at(polynomial: Array, t: Array) -> Array:
    return np.column_stack([np.polyval(polynomial[:, k], t) for k in range(polynomial.shape[1])])


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """What each place of a run shows; arrays have one entry per tick number, 0 to the last.

    Parameters
    ----------
    depth : float array
        How far the tick reaches from its foot, in steps; NaN where no tick is seen.
    ink : float array
        Width times darkness of its lower part, relative to the median; NaN where no tick is seen.
    contrast : float
        Median darkness of the ticks against both of their sides, in grey levels.
    two_sided : float
        Median over ticks of the weaker side's contrast over the stronger one's; near 0 when the run follows the
        edges of things rather than bars.
    evenness : float
        Spread of the paper between ticks against their contrast.
    breadth : float
        Least width that the ticks, or the gaps between them, can have, in steps: as if ink left no light, and paper all
        of it. Blur does not change it.
    """

    depth: Array
    ink: Array
    contrast: float
    two_sided: float
    evenness: float
    breadth: float

    @property
    def seen(self) -> float:
        """Share of the places where a tick is seen."""
        return float(np.mean(np.isfinite(self.depth)))


def straighten(grey: Plane, run: Run, curve: Curve, *, dark: bool) -> Strip:
    """Darkness and reach of every tick of a run."""
    picture, inside = _sampled(grey, curve)
    places = (picture if dark else -picture).reshape(len(picture), -1, _SAMPLES)
    base = _base_rows(run)
    left, middle, right = _thirds(places, base)
    sides = np.stack([left, right]) - middle
    lower = sides[:, base].mean(axis=1)
    contrast = float(np.median(lower.mean(axis=0)))
    seen = lower.mean(axis=0) > max(0.4 * contrast, 1.0)
    paper = (left + right)[base] / 2
    ink = (paper[:, :, None] - places[base]).sum(axis=2).mean(axis=0)
    return Strip(
        depth=np.where(seen, _reach(sides.mean(axis=0), inside, base, contrast), np.nan),
        ink=np.where(seen, ink / max(float(np.median(ink)), 1e-6), np.nan),
        contrast=contrast,
        two_sided=float(np.median(lower.min(axis=0) / np.maximum(lower.max(axis=0), 1.0))),
        evenness=float(np.median(paper.std(axis=0)) / max(contrast, 1.0)),
        breadth=_breadth(places[base] if dark else -places[base]),
    )


def _breadth(shown: Array) -> float:
    """Least share of a step that is ink, and least share that is paper: the smaller, as gaps may pass for ticks."""
    profile = np.median(shown, axis=(0, 1))
    light, dark = np.percentile(profile, [85, 15])
    ink = np.clip(light - profile, 0, None).mean() / max(light, 1.0)
    paper = np.clip(profile - dark, 0, None).mean() / max(255.0 - dark, 1.0)
    return float(min(ink, paper))


def _sampled(grey: Plane, curve: Curve) -> tuple[Array, npt.NDArray[np.bool_]]:
    """The straightened picture, and for each row and place whether it lies inside the frame."""
    number = (np.arange((curve.last + 1) * _SAMPLES) - _SAMPLES // 2) / _SAMPLES
    step = float(np.median(curve.steps()))
    depth = (np.arange(int(_DEPTH * _ROWS)) + 0.5) / _ROWS * step
    points = curve.feet(number)[None] + depth[:, None, None] * curve.ways(number)[None]
    x, y = points[..., 0].astype(np.float32), points[..., 1].astype(np.float32)
    picture = cv2.remap(grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(float)
    inside = (x >= 0) & (y >= 0) & (x <= grey.shape[1] - 1) & (y <= grey.shape[0] - 1)
    return np.asarray(picture), np.asarray(inside[:, _SAMPLES // 2 :: _SAMPLES])


def _base_rows(run: Run) -> slice:
    """Rows of the straightened picture that even the short ticks fill."""
    short = float(np.percentile(run.length, 20)) / run.step
    low = max(0, round(0.2 * short * _ROWS))
    high = min(round(0.8 * short * _ROWS), int(_DEPTH * _ROWS) // 2)
    return slice(min(low, high - 2) if high > 2 else 0, max(high, 2))


def _thirds(places: Array, base: slice) -> tuple[Array, Array, Array]:
    """Brightness left of, in and right of every tick at every depth, each of shape (depths, ticks)."""
    profile = np.median(places[base], axis=(0, 1))
    half = (profile[_PHASE <= 1].mean() + profile.max()) / 2
    core = int(np.clip(np.sum((profile < half) & (_PHASE <= 5)) // 2 - 1, 1, 4))
    gap = np.arange(min(core + 3, 6), _SAMPLES // 2 + 1)
    middle = _SAMPLES // 2
    picks = (middle - gap, np.flatnonzero(core >= _PHASE), np.mod(middle + gap, _SAMPLES))
    left, core_, right = (places[:, :, pick].mean(axis=2) for pick in picks)
    return left, core_, right


def _reach(drop: Array, inside: npt.NDArray[np.bool_], base: slice, contrast: float) -> Array:
    """Steps from the foot to where each tick ends: three rows on end that are no longer dark, or the frame."""
    pale = ~((drop > _ENDS * contrast) & inside)
    pale[: base.stop - 1] = False
    ended = pale[:-2] & pale[1:-1] & pale[2:]
    first = np.where(ended.any(axis=0), ended.argmax(axis=0), len(drop))
    return np.asarray(first / _ROWS)
