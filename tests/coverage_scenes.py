"""Deposits of known area for the error bar: forearms with visible, isolated ones, and outlines that a reader draws."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from skimage.draw import polygon

from calcimeasure.model.image import Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels
from calcimeasure.phantom.anatomy import Placement
from calcimeasure.phantom.answer import Phantom
from calcimeasure.phantom.deposits import Calcium, Shape, Site
from calcimeasure.phantom.film import Exposure, FilmScene, Tone, draw_film
from calcimeasure.phantom.frame import Frame
from calcimeasure.phantom.outline import Outline

_SLOTS = (0.45, 0.6, 0.75, 0.88)  # shares of the forearm's length, far enough apart that no two deposits meet
_OUTWARD = {"radius": 1.0, "ulna": -1.0}
_READERS_SD_PX, _READERS_LENGTH_PX = 0.5, 10.0  # what `MeasureSettings` takes a careful reader to be


def visible_film(seed: int) -> Phantom:
    """A forearm with eight deposits of 2 to 16 mm clear of bone and of each other; blur, noise and pixels vary."""
    rng = np.random.default_rng([seed, 4])
    deposits = tuple(_deposit(bone, along, rng) for bone in _OUTWARD for along in _SLOTS)
    frame = Frame(220.0, 130.0, float(rng.choice([0.2, 0.25, 0.3])))
    exposure = Exposure(
        photons_mm2=float(np.exp(rng.uniform(np.log(6e3), np.log(8e4)))),
        scatter=float(rng.uniform(0.05, 0.35)),
        blur_mm=float(rng.uniform(0.05, 0.25)),
        heel=float(rng.uniform(0, 0.12)),
    )
    placement = Placement(65.0, 100.0, float(rng.normal(0, 3)))
    tone = Tone(gamma=float(rng.uniform(0.85, 1.2)), sharpen=float(rng.uniform(0.1, 0.8)))
    scene = FilmScene(frame, "forearm", placement, deposits=deposits, exposure=exposure, tone=tone)
    return draw_film(scene, seed)


def _deposit(bone: str, along: float, rng: np.random.Generator) -> Calcium:
    shape = (Shape.DISC, Shape.NODULE, Shape.PLAQUE)[int(rng.integers(3))]
    size = float(np.exp(rng.uniform(np.log(2), np.log(16))))
    beside = 9 + size / 2 + float(rng.uniform(0, max(0.0, 12 - size)))
    thick = float(np.clip(0.6 * size, 1.5, 4.0))
    return Calcium(shape, Site(bone, along, _OUTWARD[bone] * beside), size, thick, int(rng.integers(1 << 30)))


@dataclass(frozen=True)
class Reading:
    """A picture of one deposit, a reader's outline of it, and its true area in mm2."""

    image: Image
    labels: Labels
    area_mm2: float
    size_mm: float


def reading(seed: int) -> Reading:
    """A wavy deposit of 2 to 20 mm, blurred and noisy, and the outline of a reader who follows its half level.

    The reader errs as far and as smoothly along the outline as the settings' defaults say; noise and blur move the
    half level besides.
    """
    rng = np.random.default_rng([seed, 5])
    size, mm = float(np.exp(rng.uniform(np.log(2), np.log(20)))), float(rng.uniform(0.1, 0.2))
    side = math.ceil((1.6 * size + 6) / mm)
    middle = side * mm / 2 + rng.uniform(-mm, mm, 2)
    outline = Outline.wavy((float(middle[0]), float(middle[1]), float(rng.uniform(0, 3))), size / 2, rng)
    pixels = _picture(outline, side, mm, rng)
    spacing = Spacing(mm, mm, SpacingOrigin.USER, 0.0)
    image = Image(np.round(pixels).astype(np.uint16), Kind.RADIOGRAPH, Meaning.DISPLAY, spacing)
    return Reading(image, Labels(_outlined(pixels, rng)), outline.area_mm2, size)


def _picture(outline: Outline, side: int, mm: float, rng: np.random.Generator) -> np.ndarray:
    """The deposit over a flat ground of 1000, 400 brighter; every pixel is the mean of 4 x 4 points."""
    at = (np.arange(4 * side, dtype=np.float32) + np.float32(0.5)) * np.float32(mm / 4)
    inside = (outline.radius(at[None, :], at[:, None]) < 1).astype(np.float32)
    sharp = cv2.resize(inside, (side, side), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(sharp, (0, 0), float(rng.uniform(0.05, 0.2)) / mm)
    return np.asarray(1000 + 400 * soft + rng.normal(0, rng.uniform(4, 60), soft.shape))


def _outlined(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What lies inside the half level of the smoothed picture, its outline moved by a smooth random error."""
    smooth = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), 1.0)
    parts, _ = cv2.findContours((smooth > 1200).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    ring = _at_half_level(max(parts, key=len)[:, 0, ::-1].astype(float), smooth)
    moved = ring + _normals(ring) * _error(ring, rng)[:, None]
    out = np.zeros(pixels.shape, np.int32)
    out[polygon(*moved.T, pixels.shape)] = 1
    return out


def _at_half_level(ring: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    """The rim pixels' centres moved outward along the slope to where the level is crossed."""
    slope = np.stack(np.gradient(smooth), axis=-1)[tuple(ring.astype(int).T)]
    over = smooth[tuple(ring.astype(int).T)] - 1200
    steep = np.maximum(np.sum(slope**2, axis=1), 1e-6)
    shift = -slope * (over / steep)[:, None]
    long = np.linalg.norm(shift, axis=1, keepdims=True)
    return np.asarray(ring + shift * np.minimum(1, 1 / np.maximum(long, 1e-9)))


def _normals(ring: np.ndarray) -> np.ndarray:
    along = np.roll(ring, -3, axis=0) - np.roll(ring, 3, axis=0)
    across = np.stack([along[:, 1], -along[:, 0]], axis=1)
    return np.asarray(across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9))


def _error(ring: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shifts along the closed outline with a Gaussian correlation over its length (a circulant matrix)."""
    steps = np.linalg.norm(np.roll(ring, -1, axis=0) - ring, axis=1)
    length, n = float(steps.sum()), len(ring)
    apart = np.minimum(np.arange(n), n - np.arange(n)) * length / n
    power = np.fft.fft(np.exp(-(apart**2) / (2 * _READERS_LENGTH_PX**2))).real
    noise = np.fft.fft(rng.standard_normal(n))
    return np.asarray(_READERS_SD_PX * np.fft.ifft(noise * np.sqrt(np.maximum(power, 0))).real)
