"""Closed outlines whose area is known by a formula."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calcimeasure.model.arrays import Map


@dataclass(frozen=True, slots=True)
class Outline:
    """A wavy ellipse: radius(angle) = 1 + sum of waves, stretched along and across.

    Parameters
    ----------
    x_mm, y_mm : float
        Middle, from the top left corner of the sheet.
    along_mm, across_mm : float
        Half axes.
    angle : float
        Direction of the long axis, radians from the x axis towards the y axis.
    waves : tuple of (order, amplitude, phase)
        Waviness; empty for an exact ellipse.
    """

    x_mm: float
    y_mm: float
    along_mm: float
    across_mm: float
    angle: float = 0.0
    waves: tuple[tuple[int, float, float], ...] = ()

    @classmethod
    def disc(cls, x_mm: float, y_mm: float, radius_mm: float) -> Outline:
        """A circle."""
        return cls(x_mm, y_mm, radius_mm, radius_mm)

    @classmethod
    def wavy(cls, place: tuple[float, float, float], radius_mm: float, rng: np.random.Generator) -> Outline:
        """A lumpy outline of the area of a circle of `radius_mm`, at `place` = (x mm, y mm, angle)."""
        ratio = float(np.exp(rng.uniform(0.0, 0.35)))
        amplitudes = rng.uniform(0.2, 1.0, 5) * 0.13 / np.arange(1, 6) ** 0.8
        phases = rng.uniform(0, 2 * np.pi, 5)
        waves = tuple((n, float(a), float(p)) for n, a, p in zip(range(2, 7), amplitudes, phases, strict=True))
        size = radius_mm / float(np.sqrt(1 + sum(a**2 for _, a, _ in waves) / 2))
        return cls(place[0], place[1], size * ratio**0.5, size / ratio**0.5, place[2], waves)

    @property
    def area_mm2(self) -> float:
        """Enclosed area: pi a b (1 + sum of squared amplitudes / 2), exact for waves that keep the radius positive."""
        return float(np.pi * self.along_mm * self.across_mm * (1 + sum(a**2 for _, a, _ in self.waves) / 2))

    @property
    def reach_mm(self) -> float:
        """No point of the outline is farther from the middle than this."""
        return max(self.along_mm, self.across_mm) * (1 + sum(abs(a) for _, a, _ in self.waves))

    def radius(self, x: Map, y: Map) -> Map:
        """Distance from the middle as a share of the distance to the outline: below 1 is inside."""
        dx, dy = x - np.float32(self.x_mm), y - np.float32(self.y_mm)
        c, s = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        u, v = (dx * c + dy * s) / np.float32(self.along_mm), (dy * c - dx * s) / np.float32(self.across_mm)
        reach = np.ones(np.broadcast_shapes(u.shape, v.shape), np.float32)
        turn = np.arctan2(v, u) if self.waves else reach
        for order, amplitude, phase in self.waves:
            reach = reach + np.float32(amplitude) * np.cos(np.float32(order) * turn + np.float32(phase))
        return np.asarray(np.hypot(u, v) / reach, np.float32)
