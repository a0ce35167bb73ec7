"""Calcium deposits drawn from thirteen families of shapes, as thickness maps.

A thickness is in units of the display range (0.015 = the foot that counts as outline). The
families share no code with the bench: they are built from masks and fields in mm, and every
deposit gets its own edge (steep to soft), texture and height.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
FOOT = 0.015
BRIDGE_MM = 0.5
"""A reader's outline runs round a cluster: gaps narrower than twice this count as calcium."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """A square window in mm around a deposit of nominal diameter `size_mm`."""

    side: int
    mm: float
    size_mm: float
    angle: float

    @property
    def radius(self) -> float:
        """Nominal radius in px."""
        return self.size_mm / self.mm / 2

    @property
    def middle(self) -> float:
        """Centre of the window in px."""
        return (self.side - 1) / 2

    def blank(self) -> Array:
        """Nothing drawn yet."""
        return np.zeros((self.side, self.side), np.float32)


Family = Callable[[Canvas, np.random.Generator], Array]


def draw_deposit(
    mm: float, rng: np.random.Generator, angle: float = 0.0, family: str | None = None
) -> tuple[str, Array]:
    """Name of the family and a square thickness map (h, h) with the deposit near its centre.

    `angle` (radians) is the direction of the tissue planes; strands and sheets mostly follow it.
    """
    name = family or str(rng.choice(list(FAMILIES), p=_SHARES))
    low, high = SIZES_MM[name]
    size = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    turn = angle + float(rng.normal(0, 0.25)) if rng.random() < 0.6 else float(rng.uniform(0, np.pi))
    side = 2 * int(np.ceil(size * REACH[name] / mm / 2)) + 9
    relief = FAMILIES[name](Canvas(side, mm, size, turn), rng)
    return name, _finish(relief, mm, rng)


def _finish(relief: Array, mm: float, rng: np.random.Generator) -> Array:
    """Give the relief its texture, its edge and its height."""
    if rng.random() < 0.5:
        relief = relief * _texture(relief.shape[0], rng.uniform(0.3, 1.2) / mm, rng.uniform(0.1, 0.7), rng)
    if rng.random() < 0.3:
        sigma = rng.uniform(0.1, 0.5) / mm
        relief = cv2.GaussianBlur(relief, (0, 0), sigma).astype(np.float32)
    relief = _steepened(relief, rng)
    peak = float(relief.max())
    height = float(np.exp(rng.uniform(np.log(0.08), np.log(0.8))))
    return (relief * (height / peak)).astype(np.float32) if peak > 0 else relief


def _steepened(relief: Array, rng: np.random.Generator) -> Array:
    """The relief with another slope to its foot, a third of the times: flat-topped or drawn out."""
    peak = float(relief.max())
    if rng.random() > 0.35 or peak <= 0:
        return relief
    return np.asarray((np.clip(relief, 0, None) / peak) ** np.exp(rng.uniform(-1.2, 0.5)), np.float32)


def outline_of(one: Array, mm: float) -> NDArray[np.bool_]:
    """Where a reader would draw the outline of one deposit: its foot, narrow gaps bridged."""
    rows, columns = (np.flatnonzero((one > FOOT).any(axis)) for axis in (1, 0))
    out = np.zeros(one.shape, bool)
    if not len(rows):
        return out
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    out[box] = bridged(one[box] > FOOT, mm)
    return out


def bridged(mask: NDArray[np.bool_], mm: float) -> NDArray[np.bool_]:
    """The mask with gaps narrower than 2 `BRIDGE_MM` filled."""
    reach = BRIDGE_MM / mm
    n = int(np.ceil(reach))
    yy, xx = np.mgrid[-n : n + 1, -n : n + 1]
    disc = (yy**2 + xx**2 <= reach**2).astype(np.uint8)
    closed = cv2.morphologyEx(np.pad(mask.astype(np.uint8), n), cv2.MORPH_CLOSE, disc)
    return np.asarray(closed[n : n + mask.shape[0], n : n + mask.shape[1]] > 0)


def random_field(side: int, grain_px: float, rng: np.random.Generator) -> Array:
    """Smooth random field (side, side), mean 0, deviation 1, drawn coarse and enlarged."""
    step = max(1.0, grain_px / 2)
    coarse = int(np.ceil(side / step)) + 4
    noise = rng.standard_normal((coarse, coarse), dtype=np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), max(0.5, grain_px / step / 1.5))
    large = cv2.resize(noise, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)[:side, :side]
    return np.asarray((large - large.mean()) / (large.std() + 1e-6), np.float32)


def _texture(side: int, grain_px: float, depth: float, rng: np.random.Generator) -> Array:
    return np.asarray(np.clip(1 + depth * random_field(side, grain_px, rng), 0.25, 2), np.float32)


def _relief(mask: Array, mm: float, rng: np.random.Generator) -> Array:
    """Thickness over a mask: round like a stone, or flat with a steep or gentle edge."""
    inside = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    ramp = max(1.0, rng.choice([0.1, 0.3, 0.8, 3.0]) / mm)
    power = rng.uniform(0.3, 0.7)
    return np.asarray(np.minimum(inside / ramp, 1) ** power * np.minimum(1, 0.5 + inside), np.float32)


def _blob(canvas: Canvas, rng: np.random.Generator, roughness: float, squeeze: float) -> Array:
    """Mask of a closed outline: radius varies by a few random waves."""
    turn = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    wave = sum(rng.normal(0, roughness / k) * np.cos(k * turn + rng.uniform(0, 6.3)) for k in range(2, 9))
    r = canvas.radius * np.clip(1 + wave, 0.3, 1.6)
    u, v = r * np.cos(turn), r * squeeze * np.sin(turn)
    c, s = np.cos(canvas.angle), np.sin(canvas.angle)
    points = np.stack([canvas.middle + u * c - v * s, canvas.middle + u * s + v * c], 1)
    return _filled(canvas, points)


def _filled(canvas: Canvas, points: NDArray[np.float64]) -> Array:
    out = np.zeros((canvas.side, canvas.side), np.uint8)
    cv2.fillPoly(out, [np.round(points * 16).astype(np.int32)], 1, shift=4)
    return out.astype(np.float32)


def _bump(
    out: Array, centre: NDArray[np.float64], axes: tuple[float, float], angle: float, height: float, power: float
) -> None:
    """Raise one ellipsoid (power 0.5) or cone-like grain on `out`, in place."""
    reach = int(np.ceil(max(axes))) + 1
    x, y = round(float(centre[0])), round(float(centre[1]))
    rows = slice(max(0, y - reach), max(0, y + reach + 1))
    columns = slice(max(0, x - reach), max(0, x + reach + 1))
    part = out[rows, columns]
    if part.size == 0:
        return
    dy = np.arange(rows.start, rows.start + part.shape[0])[:, None] - centre[1]
    dx = np.arange(columns.start, columns.start + part.shape[1])[None, :] - centre[0]
    u = (dx * np.cos(angle) + dy * np.sin(angle)) / max(axes[0], 0.6)
    v = (dy * np.cos(angle) - dx * np.sin(angle)) / max(axes[1], 0.6)
    np.maximum(part, height * np.clip(1 - u * u - v * v, 0, None) ** power, out=part)


def _grains(
    canvas: Canvas, rng: np.random.Generator, count: int, spread: float, low_mm: float, high_mm: float
) -> Array:
    """Grains of `low_mm`-`high_mm` diameter, scattered over an ellipse."""
    out, squeeze = canvas.blank(), rng.uniform(0.25, 1)
    power = rng.uniform(0.3, 0.8)
    c, s = np.cos(canvas.angle), np.sin(canvas.angle)
    for _ in range(count):
        u, v = rng.normal(0, spread * canvas.radius, 2) * (1, squeeze)
        a = rng.uniform(low_mm, high_mm) / canvas.mm / 2
        centre = np.array([canvas.middle + u * c - v * s, canvas.middle + u * s + v * c])
        _bump(out, centre, (a, a * rng.uniform(0.5, 1)), rng.uniform(0, 3.2), rng.uniform(0.4, 1), power)
    return out


def nodule(canvas: Canvas, rng: np.random.Generator) -> Array:
    """One to five ellipsoids grown together."""
    out = canvas.blank()
    for _ in range(rng.integers(1, 6)):
        centre = canvas.middle + rng.normal(0, canvas.radius * 0.3, 2)
        a = canvas.radius * rng.uniform(0.4, 0.9)
        _bump(out, centre, (a, a * rng.uniform(0.45, 1)), rng.uniform(0, 3.2), rng.uniform(0.5, 1), 0.5)
    return out


def cluster(canvas: Canvas, rng: np.random.Generator) -> Array:
    """A handful of punctate grains of 0.5-3 mm."""
    top = float(np.clip(canvas.size_mm / 3, 0.9, 3))
    return _grains(canvas, rng, int(rng.integers(3, 22)), 0.45, 0.5, top)


def dust(canvas: Canvas, rng: np.random.Generator) -> Array:
    """Many tiny specks."""
    return _grains(canvas, rng, int(rng.integers(12, 60)), 0.5, 0.4, 1.0)


def _path(canvas: Canvas, rng: np.random.Generator, bend: float) -> NDArray[np.float64]:
    """A line about as long as the deposit, centred in the window: it wanders, or it has sharp bends, or waves."""
    steps, kind = 24, rng.random()
    turns = rng.normal(0, bend, steps)
    if kind < 0.25:
        turns = np.where(rng.random(steps) < 0.1, rng.normal(0, 1, steps), 0.3 * turns)
    elif kind < 0.4:
        phase = rng.uniform(0, 6.3) + np.linspace(0, rng.uniform(3, 15), steps)
        turns = 0.3 * turns + rng.uniform(0.1, 0.5) * np.cos(phase)
    heading = canvas.angle + np.cumsum(turns)
    walk = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), 0) * (2 * canvas.radius / steps)
    return np.asarray(walk - walk.mean(0) + canvas.middle)


def strand(canvas: Canvas, rng: np.random.Generator) -> Array:
    """A thread or chain along fascia, vessel or tendon, with changing width and gaps; one in seven forks."""
    bend, gaps = rng.uniform(0.03, 0.3), float(rng.choice([0.0, 0.0, 0.15]))
    width = np.exp(rng.uniform(np.log(0.3), np.log(2.6))) / canvas.mm / 2
    points = _path(canvas, rng, bend)
    out = _thread(canvas.blank(), points, width, gaps, rng)
    if rng.random() < 0.15:
        branch = _path(replace(canvas, angle=canvas.angle + rng.uniform(0.4, 1.4)), rng, bend)[: rng.integers(6, 20)]
        _thread(out, branch - branch[0] + points[rng.integers(len(points))], width, gaps, rng)
    return out


def _thread(out: Array, points: NDArray[np.float64], width: float, gaps: float, rng: np.random.Generator) -> Array:
    """Raise a row of ellipsoids along a line on `out`, in place."""
    for here, there in pairwise(points):
        if rng.random() < gaps:
            continue
        delta = there - here
        axes = (max(width * rng.uniform(0.6, 1.3), float(np.hypot(*delta))), width * rng.uniform(0.5, 1.1))
        _bump(out, here, axes, float(np.arctan2(delta[1], delta[0])), rng.uniform(0.4, 1), 0.5)
    return out


def tram(canvas: Canvas, rng: np.random.Generator) -> Array:
    """Two thin parallel broken lines or one smooth line of even width."""
    out = np.zeros((canvas.side, canvas.side), np.uint8)
    points = _path(canvas, rng, rng.uniform(0.01, 0.12))
    width = max(1, round(rng.uniform(0.4, 1.2) / canvas.mm))
    normal = np.array([-np.sin(canvas.angle), np.cos(canvas.angle)]) * rng.uniform(1.2, 3) / canvas.mm
    for side in [normal, -normal] if rng.random() < 0.5 else [0 * normal]:
        for k in range(len(points) - 1):
            if rng.random() < 0.8:
                ends = np.round((points[k : k + 2] + side) * 16).astype(int)
                cv2.line(out, ends[0].tolist(), ends[1].tolist(), 1, width, shift=4)
    return _relief(out.astype(np.float32), canvas.mm, rng)


def sheet(canvas: Canvas, rng: np.random.Generator) -> Array:
    """A thin wide layer along a tissue plane, eaten away by holes."""
    body = _blob(canvas, rng, 0.15, rng.uniform(0.12, 0.45))
    holes = random_field(canvas.side, rng.uniform(0.6, 2.0) / canvas.mm, rng) > rng.uniform(0.2, 1.5)
    return _relief(body * ~holes, canvas.mm, rng)


def cloud(canvas: Canvas, rng: np.random.Generator) -> Array:
    """Amorphous: what a random field leaves above a level that rises outwards."""
    field = random_field(canvas.side, canvas.size_mm * rng.uniform(0.08, 0.35) / canvas.mm, rng)
    d = (np.arange(canvas.side) - canvas.middle) / canvas.radius
    c, s = np.cos(canvas.angle), np.sin(canvas.angle)
    u = d[None, :] * c + d[:, None] * s
    v = (d[:, None] * c - d[None, :] * s) / rng.uniform(0.4, 1)
    above = np.clip(field + rng.uniform(0.6, 1.4) - 1.8 * (u * u + v * v), 0, None)
    return np.asarray((above / (above.max() + 1e-6)) ** rng.uniform(0.25, 0.9), np.float32)


def plaque(canvas: Canvas, rng: np.random.Generator) -> Array:
    """A flat body with an irregular outline."""
    return _relief(_blob(canvas, rng, rng.uniform(0.0, 0.35), rng.uniform(0.35, 1)), canvas.mm, rng)


def ring(canvas: Canvas, rng: np.random.Generator) -> Array:
    """A rim round a pale centre, closed or broken."""
    outer = _blob(canvas, rng, rng.uniform(0.03, 0.15), rng.uniform(0.6, 1))
    inside = cv2.distanceTransform(outer.astype(np.uint8), cv2.DIST_L2, 3)
    rim = max(1.5, rng.uniform(0.12, 0.5) * canvas.radius)
    profile = np.clip(inside / 1.5, 0, 1) ** 0.6 * np.where(inside > rim, np.exp(-(inside - rim) / (0.3 * rim)), 1)
    pale = rng.uniform(0.0, 0.45) * outer
    return np.asarray(np.maximum(profile, pale), np.float32)


def lobulated(canvas: Canvas, rng: np.random.Generator) -> Array:
    """Round lobes packed like a mulberry."""
    out = canvas.blank()
    for _ in range(rng.integers(5, 16)):
        turn, far = rng.uniform(0, 6.3), canvas.radius * rng.uniform(0.1, 0.75)
        centre = canvas.middle + far * np.array([np.cos(turn), np.sin(turn)])
        a = canvas.radius * rng.uniform(0.2, 0.42)
        _bump(out, centre, (a, a * rng.uniform(0.75, 1)), turn, rng.uniform(0.6, 1), 0.5)
    return out


def flakes(canvas: Canvas, rng: np.random.Generator) -> Array:
    """Angular splinters with flat faces, lying side by side."""
    out = canvas.blank()
    for _ in range(rng.integers(1, 9)):
        far = canvas.radius * rng.uniform(0.0, 0.7)
        turns = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 7))))
        r = canvas.radius * rng.uniform(0.15, 0.6) * rng.uniform(0.5, 1, len(turns))
        middle = canvas.middle + far * np.array([np.cos(k := rng.uniform(0, 6.3)), np.sin(k)])
        face = _filled(canvas, middle + np.stack([r * np.cos(turns), r * np.sin(turns)], 1))
        np.maximum(out, face * rng.uniform(0.4, 1), out=out)
    return out if rng.random() < 0.5 else _relief((out > 0).astype(np.float32), canvas.mm, rng)


def worm(canvas: Canvas, rng: np.random.Generator) -> Array:
    """A tube of even width that winds, full or hollow, with an even profile across."""
    ink, points = np.zeros((canvas.side,) * 2, np.uint8), _path(canvas, rng, rng.uniform(0.1, 0.5))
    width = max(1, round(np.exp(rng.uniform(np.log(0.6), np.log(3.5))) / canvas.mm))
    cv2.polylines(ink, [np.round(points * 16).astype(np.int32)], False, 1, width, shift=4)
    inside = cv2.distanceTransform(ink, cv2.DIST_L2, 3) / max(width / 2, 1)
    wall = np.clip(1.2 - np.abs(inside - 0.3), 0, 1) if rng.random() < 0.3 else np.clip(inside, 0, 1)
    return np.asarray(wall ** rng.uniform(0.3, 1) * (ink > 0), np.float32)


def islands(canvas: Canvas, rng: np.random.Generator) -> Array:
    """What noise of one grain leaves above a level within a round or long field: many islands of one deposit."""
    grain = rng.uniform(0.5, 2.5) / canvas.mm
    fine = random_field(canvas.side, grain, rng) - 0.7 * random_field(canvas.side, 3 * grain, rng)
    body = _blob(canvas, rng, 0.15, rng.uniform(0.3, 1))
    above = np.clip(fine - rng.uniform(-0.3, 0.7), 0, None) * body
    return np.asarray((above / (above.max() + 1e-6)) ** rng.uniform(0.2, 0.8), np.float32)


FAMILIES: dict[str, Family] = {
    "nodule": nodule,
    "cluster": cluster,
    "strand": strand,
    "tram": tram,
    "sheet": sheet,
    "cloud": cloud,
    "plaque": plaque,
    "ring": ring,
    "dust": dust,
    "lobulated": lobulated,
    "flakes": flakes,
    "worm": worm,
    "islands": islands,
}
_SHARES = (0.12, 0.12, 0.24, 0.05, 0.06, 0.10, 0.06, 0.04, 0.03, 0.06, 0.04, 0.04, 0.04)
SIZES_MM = {
    "nodule": (1.0, 22.0),
    "cluster": (2.0, 16.0),
    "strand": (4.0, 30.0),
    "tram": (5.0, 25.0),
    "sheet": (5.0, 30.0),
    "cloud": (2.0, 20.0),
    "plaque": (1.5, 18.0),
    "ring": (2.0, 12.0),
    "dust": (3.0, 15.0),
    "lobulated": (2.5, 20.0),
    "flakes": (1.5, 12.0),
    "worm": (4.0, 25.0),
    "islands": (2.0, 16.0),
}
REACH = {
    "nodule": 1.9,
    "cluster": 2.2,
    "strand": 1.3,
    "tram": 1.4,
    "sheet": 1.5,
    "cloud": 2.0,
    "plaque": 1.6,
    "ring": 1.4,
    "dust": 2.4,
    "lobulated": 1.4,
    "flakes": 2.0,
    "worm": 1.4,
    "islands": 1.6,
}
