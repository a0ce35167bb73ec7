"""What the beam passes in a limb: millimetres of soft tissue and of bone under every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.interpolate import PchipInterpolator

from calcimeasure.model.arrays import Map, Mask
from calcimeasure.phantom.anatomy import Bone, Flesh, Limb, Pebble
from calcimeasure.phantom.frame import Frame, texture
from calcimeasure.phantom.outline import Outline

SPONGY = 0.2
"""Mineral of spongy bone as a share of that of the wall."""
BONE_MM = 0.35
"""Bone is where the beam meets at least this much mineral."""


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """Maps in mm: `flesh` is all inside the skin, `muscle` what lies below the fat, `bone` mineral as in a wall."""

    flesh: Map
    muscle: Map
    bone: Map

    @property
    def limb(self) -> Mask:
        """Inside the skin."""
        return np.asarray(self.flesh > 0)

    @property
    def bony(self) -> Mask:
        """Over bone."""
        return np.asarray(self.bone > BONE_MM)


def draw_anatomy(frame: Frame, limb: Limb, rng: np.random.Generator) -> Anatomy:
    """The thickness maps of a placed limb; the same seed gives the same grain at every pixel size."""
    square = _squared_height(frame, limb.flesh)
    grain = 1 + 0.025 * texture(frame, rng, 7.0) + 0.012 * texture(frame, rng, 1.6)
    flesh = 2 * np.sqrt(np.maximum(square, 0))
    muscle = 2 * np.sqrt(np.maximum(square - 11.0 * (1 + 0.3 * texture(frame, rng, 12.0)), 0)) * grain
    spongy = _Spongy.grown(rng)
    bone = frame.blank()
    for long_bone in limb.bones:
        _add_bone(bone, frame, long_bone, spongy)
    for pebble in limb.pebbles:
        _add_pebble(bone, frame, pebble, spongy)
    return Anatomy(np.asarray(flesh, np.float32), np.asarray(muscle, np.float32), bone)


def _squared_height(frame: Frame, rods: tuple[Flesh, ...]) -> Map:
    """Squared half thickness of the joined rods; 0 is the skin line, negative is outside.

    It is smooth, so it is worked out twice a millimetre and interpolated. The rods are joined by a soft
    maximum, which draws the webs between fingers.
    """
    coarse = Frame(frame.height_mm, frame.width_mm, max(0.5, frame.mm))
    soft = np.float32(5.0)
    fields = [_rod(coarse, rod) / soft for rod in rods]
    top = np.max(fields, axis=0)
    joined = soft * (top + np.log(np.sum([np.exp(f - top) for f in fields], axis=0)) - 0.2)
    return _refined(np.asarray(joined, np.float32), coarse, frame)


def _refined(field: Map, coarse: Frame, frame: Frame) -> Map:
    """A field moved from a coarse sheet to a fine one; pixel centres keep their millimetres."""
    k = frame.mm / coarse.mm
    move = np.array([[k, 0, 0.5 * k - 0.5], [0, k, 0.5 * k - 0.5]])
    size = (frame.shape[1], frame.shape[0])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(field, move, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _rod(frame: Frame, rod: Flesh) -> Map:
    (x0, y0), (x1, y1) = rod.ends
    along = ((frame.x - x0) * (x1 - x0) + (frame.y - y0) * (y1 - y0)) / np.float32((x1 - x0) ** 2 + (y1 - y0) ** 2)
    along = np.clip(along, 0, 1)
    away2 = np.square(frame.x - x0 - along * (x1 - x0)) + np.square(frame.y - y0 - along * (y1 - y0))
    radius = rod.radii_mm[0] + along * (rod.radii_mm[1] - rod.radii_mm[0])
    flat = rod.flat[0] + along * (rod.flat[1] - rod.flat[0])
    return np.asarray(flat**2 * (np.square(radius) - away2), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Spongy:
    """A tile of random numbers from which every bone takes its trabeculae."""

    tile: Map

    @classmethod
    def grown(cls, rng: np.random.Generator) -> _Spongy:
        return cls(rng.standard_normal((256, 256), np.float32))

    def at(self, u: Map, v: Map) -> Map:
        """The field at bone coordinates counted in cells."""
        return np.asarray(cv2.remap(self.tile, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float32)

    def trabeculae(self, along: Map, across: Map, start: int) -> Map:
        """Struts along the bone and cross-links, about unit variance."""
        shift = np.float32(start * 17.3)
        struts = self.at(along / np.float32(1.9) + shift, across / np.float32(0.42) + shift)
        links = self.at(along / np.float32(0.5) + shift, across / np.float32(1.1) - shift)
        return np.asarray(struts + 0.7 * links, np.float32)


def _add_bone(bone: Map, frame: Frame, one: Bone, spongy: _Spongy) -> None:
    """Adds a long bone: a tube whose wall thins towards spongy ends."""
    middle = ((one.base[0] + one.head[0]) / 2, (one.base[1] + one.head[1]) / 2)
    part = frame.window(*middle, one.length_mm / 2 + one.half_width_mm + 2)
    if part[0].start == part[0].stop or part[1].start == part[1].stop:
        return
    along, across = _axis(frame, one, part)
    near = np.asarray(
        (np.abs(across) < one.half_width_mm + 0.5) & (along > -1) & (along < one.length_mm + abs(one.slant_mm) + 1)
    )
    if not near.any():
        return
    struts = spongy.trabeculae(along, across, len(one.name))
    mineral = _tube(along[near], across[near], one, struts[near])
    bone[part][near] += mineral


def _axis(frame: Frame, one: Bone, part: tuple[slice, slice]) -> tuple[Map, Map]:
    """Millimetres along and across the bowed axis of a bone."""
    c, s = np.float32(np.cos(one.angle)), np.float32(np.sin(one.angle))
    dx, dy = frame.x[:, part[1]] - np.float32(one.base[0]), frame.y[part[0], :] - np.float32(one.base[1])
    along, across = dx * c + dy * s, dy * c - dx * s
    share = along / np.float32(one.length_mm)
    return along, np.asarray(across - np.float32(4 * one.bow_mm) * share * (1 - share), np.float32)


def _tube(along: Map, across: Map, one: Bone, struts: Map) -> Map:
    """Mineral in mm: chord through the wall plus a share of the chord through the spongy inside."""
    share = np.clip(along / np.float32(one.length_mm), 0, 1)
    width = _half_width(share, one)
    ratio = np.minimum(np.abs(across) / width, 1)
    closed = _closing(np.asarray(along - one.dish_mm * (1 - ratio**2), np.float32), 2.0, 2.6)
    room = np.asarray(one.length_mm + one.slant_mm * across / width - along, np.float32)
    closed = closed * _closing(room, one.round_mm, 2.2)
    outer = width * closed
    ends = np.clip(np.abs(share - 0.47) / 0.47, 0, 1) ** 3
    wall = one.wall_mm + (0.45 - one.wall_mm) * ends
    shell, inside = _chord(outer, across), _chord(np.maximum(outer - wall, 0), across)
    filling = SPONGY * (0.4 + 0.75 * ends) * np.clip(1 + 0.22 * struts * (0.6 + 0.4 * ends), 0.3, 2.5)
    flat = 0.92 / (1 + np.square(width / 14))  # wide bones are flatter
    return np.asarray(flat * ((shell - inside) + filling * inside), np.float32)


def _half_width(share: Map, one: Bone) -> Map:
    at, values = zip(*one.profile, strict=True)
    table = PchipInterpolator(at, values)(np.linspace(0, 1, 128))
    return np.asarray(one.half_width_mm * np.interp(share, np.linspace(0, 1, 128), table), np.float32)


def _closing(depth: Map, over_mm: float, power: float) -> Map:
    """Superellipse from 0 at the end of a bone to 1 at `over_mm` inside it."""
    rest = 1 - np.clip(depth / np.float32(over_mm), 0, 1)
    return np.asarray((1 - rest**power) ** (1 / power), np.float32)


def _chord(radius: Map, across: Map) -> Map:
    return np.asarray(2 * np.sqrt(np.maximum(np.square(radius) - np.square(across), 0)), np.float32)


def _add_pebble(bone: Map, frame: Frame, pebble: Pebble, spongy: _Spongy) -> None:
    """Adds a short bone: a thin shell filled with spongy bone; its neighbours lie more beside than upon it."""
    outline = _pebble_outline(pebble)
    part = frame.window(*pebble.middle, outline.reach_mm + 1)
    x, y = frame.x[:, part[1]], frame.y[part[0], :]
    ratio = outline.radius(x, y)
    if not ratio.size:
        return
    shell = 1.7 * np.exp(-np.square((1 - ratio) * np.float32(pebble.size_mm / 0.6))) * (ratio < 1)
    u, v = (
        np.ascontiguousarray(a, np.float32) for a in np.broadcast_arrays(y - pebble.middle[1], x - pebble.middle[0])
    )
    depth = pebble.depth_mm * np.sqrt(np.clip(1 - ratio**6, 0, 1))
    filling = 1.35 * SPONGY * depth * np.clip(1 + 0.12 * spongy.trabeculae(u, v, pebble.form), 0.2, 2)
    under = bone[part]
    room = 1 - 0.65 * np.clip(under / 2.5, 0, 1) * (pebble.depth_mm > 6)
    bone[part] = np.asarray(under + shell + filling * room, np.float32)


def _pebble_outline(pebble: Pebble) -> Outline:
    rng = np.random.default_rng(pebble.form)
    orders, sizes, phases = range(2, 6), rng.uniform(0.02, 0.07, 4), rng.uniform(0, 2 * np.pi, 4)
    waves = tuple((n, float(a), float(p)) for n, a, p in zip(orders, sizes, phases, strict=True))
    return Outline(*pebble.middle, pebble.along_mm, pebble.across_mm, pebble.angle, waves)
