"""Calcium deposits: shapes of known size and thickness, tied to a bone so that they follow the limb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from calcimeasure.model.arrays import Map
from calcimeasure.phantom.anatomy import Limb
from calcimeasure.phantom.frame import Frame
from calcimeasure.phantom.outline import Outline

LEVEL_MM = 0.03
"""A pixel belongs to a deposit where the beam meets more calcium than this."""


class Shape(StrEnum):
    """Forms of calcinosis on film."""

    DISC = "disc"
    NODULE = "nodule"
    CLUSTER = "cluster"
    STRAND = "strand"
    PLAQUE = "plaque"


@dataclass(frozen=True, slots=True)
class Site:
    """A place that moves with a bone: share of its length from the base, mm beside its axis, own turn (radians).

    `along` below 0 or above 1 lies beyond the bone's ends; `across_mm` is positive clockwise of the axis on the sheet.
    """

    bone: str
    along: float
    across_mm: float
    turn: float = 0.0


@dataclass(frozen=True, slots=True)
class Calcium:
    """One deposit as asked for.

    Parameters
    ----------
    shape : Shape
        Its form.
    site : Site
        Where.
    size_mm : float
        Diameter of the disc of equal area (disc, nodule, plaque), spread of a cluster, length of a strand.
    thickness_mm : float
        Calcium at its thickest.
    form : int
        Seed of its irregularities: the same number is the same deposit at another visit.
    """

    shape: Shape
    site: Site
    size_mm: float
    thickness_mm: float
    form: int = 0

    @property
    def area_mm2(self) -> float | None:
        """Area by formula, `None` for clusters and strands."""
        exact = self.shape in (Shape.DISC, Shape.NODULE, Shape.PLAQUE)
        return float(np.pi * self.size_mm**2 / 4) if exact else None


@dataclass(frozen=True, slots=True)
class _Spot:
    """A deposit's own axes on the sheet: u, v in mm from its middle, and random numbers of its form."""

    u: Map
    v: Map
    size_mm: float
    form: int

    def numbers(self) -> np.random.Generator:
        return np.random.default_rng([11, self.form])


def draw_deposits(frame: Frame, limb: Limb, deposits: tuple[Calcium, ...]) -> tuple[Map, np.ndarray]:
    """Calcium in mm and the labels of the deposits on a sheet with a placed limb.

    Where two deposits overlap their calcium adds up and the label is that of the first.
    """
    thickness, labels = frame.blank(), np.zeros(frame.shape, np.int32)
    for number, calcium in enumerate(deposits, 1):
        part, relief = _relief(frame, limb, calcium)
        thickness[part] += relief
        labels[part][(relief > LEVEL_MM) & (labels[part] == 0)] = number
    return thickness, labels


def where_is(limb: Limb, site: Site) -> tuple[float, float, float]:
    """Place of a site on the sheet: x mm, y mm, direction in radians."""
    bone = limb.bone(site.bone)
    c, s = np.cos(bone.angle), np.sin(bone.angle)
    along = site.along * bone.length_mm
    return (
        float(bone.base[0] + c * along - s * site.across_mm),
        float(bone.base[1] + s * along + c * site.across_mm),
        bone.angle + site.turn,
    )


def _relief(frame: Frame, limb: Limb, calcium: Calcium) -> tuple[tuple[slice, slice], Map]:
    x, y, turn = where_is(limb, calcium.site)
    part = frame.window(x, y, 1.1 * calcium.size_mm + 1.0)
    dx, dy = frame.x[:, part[1]] - np.float32(x), frame.y[part[0], :] - np.float32(y)
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    spot = _Spot(dx * c + dy * s, dy * c - dx * s, calcium.size_mm, calcium.form)
    if not spot.u.size:
        return part, spot.u
    return part, np.asarray(calcium.thickness_mm * _DRAW[calcium.shape](spot), np.float32)


def _disc(spot: _Spot) -> Map:
    return np.asarray(np.hypot(spot.u, spot.v) < spot.size_mm / 2, np.float32)


def _nodule(spot: _Spot) -> Map:
    """A lumpy dome with a granular inside; steep at its outline."""
    outline = Outline.wavy((0.0, 0.0, 0.0), spot.size_mm / 2, spot.numbers())
    ratio = outline.radius(spot.u, spot.v)
    dome = np.sqrt(np.maximum(1 - ratio**2, 0)) * (0.8 + 0.22 * _grain(spot, 1.3) + 0.12 * _grain(spot, 0.45))
    return np.asarray(np.where(ratio < 1, np.clip(0.1 + 0.9 * dome, 0.1, 1), 0), np.float32)


def _cluster(spot: _Spot) -> Map:
    """Several grains of different size within the spread."""
    rng, out = spot.numbers(), np.zeros_like(spot.u)
    for _ in range(int(rng.integers(5, 13))):
        u, v = rng.normal(0, spot.size_mm / 5, 2)
        radius = spot.size_mm * float(np.exp(rng.uniform(np.log(0.06), np.log(0.19))))
        outline = Outline.wavy((float(u), float(v), float(rng.uniform(0, 3))), radius, rng)
        dome = np.sqrt(np.maximum(1 - outline.radius(spot.u, spot.v) ** 2, 0))
        out = np.maximum(out, dome * rng.uniform(0.5, 1.0))
    return np.asarray(out, np.float32)


def _strand(spot: _Spot) -> Map:
    """A beaded band along a gentle curve."""
    rng, out = spot.numbers(), np.zeros_like(spot.u)
    t = np.linspace(-0.5, 0.5, max(24, int(spot.size_mm * 4)))
    bend, wave, phase = rng.uniform(-0.25, 0.25), rng.uniform(0.0, 0.05), rng.uniform(0, 6)
    v = spot.size_mm * (bend * (t**2 - 0.08) + wave * np.sin(9 * t + phase))
    thick = np.clip(0.055 * spot.size_mm, 0.4, 1.3) * (1 + 0.35 * np.sin(25 * t + phase) + 0.2 * np.sin(41 * t))
    thick = thick * np.sqrt(np.maximum(1 - (2 * t) ** 6, 0.02))
    for at, side, radius in zip(t * spot.size_mm, v, thick, strict=True):
        ratio2 = (np.square(spot.u - np.float32(at)) + np.square(spot.v - np.float32(side))) / np.float32(radius**2)
        np.maximum(out, np.sqrt(np.maximum(1 - ratio2, 0)), out=out)
    return np.asarray(out * np.clip(0.85 + 0.15 * _grain(spot, 1.0), 0.3, 1), np.float32)


def _plaque(spot: _Spot) -> Map:
    """A broad lacy sheet; nowhere thinner than a quarter of its thickest, so its outline is its area."""
    outline = Outline.wavy((0.0, 0.0, 0.0), spot.size_mm / 2, spot.numbers())
    ratio = outline.radius(spot.u, spot.v)
    lace = 0.62 + 0.25 * _grain(spot, 1.6) + 0.12 * _grain(spot, 0.6)
    rim = np.clip((1 - ratio) * spot.size_mm / 1.6, 0, 1)
    return np.asarray(np.where(ratio < 1, np.clip(lace * (0.45 + 0.55 * rim), 0.25, 1), 0), np.float32)


def _grain(spot: _Spot, cell_mm: float) -> Map:
    """Smooth noise tied to the deposit's own axes."""
    tile = np.random.default_rng([12, spot.form]).standard_normal((64, 64), np.float32)
    u, v = (np.asarray(a / np.float32(cell_mm) + np.float32(32), np.float32) for a in (spot.u, spot.v))
    return np.asarray(1.4 * cv2.remap(tile, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float32)


_DRAW: dict[Shape, Callable[[_Spot], Map]] = {
    Shape.DISC: _disc,
    Shape.NODULE: _nodule,
    Shape.CLUSTER: _cluster,
    Shape.STRAND: _strand,
    Shape.PLAQUE: _plaque,
}
