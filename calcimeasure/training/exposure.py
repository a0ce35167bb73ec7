"""How a deposit darkens the beam, and what scanners and software do to a film afterwards."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def insert(film: Array, thickness: Array, mm: float, rng: np.random.Generator) -> Array:
    """Film with `thickness` (display units) added by one of four models of the display curve."""
    grain = cv2.GaussianBlur(rng.standard_normal(film.shape, dtype=np.float32), (0, 0), rng.uniform(0.15, 0.6) / mm)
    grain = 1 + rng.uniform(0, 0.5) * grain / (grain.std() + 1e-6)
    sigma = rng.uniform(0.03, 0.35) / mm
    added = cv2.GaussianBlur(thickness * np.clip(grain, 0.3, 1.8), (0, 0), max(0.25, sigma))
    kind = rng.random()
    if kind < 0.55:
        out = film + added * np.clip(1 - film, 0, 1) ** rng.uniform(0.2, 1.1)
    elif kind < 0.75:
        out = 1 - (1 - film) * np.exp(-added * rng.uniform(0.9, 1.4))
    elif kind < 0.9:
        power = rng.uniform(1.1, 2.0)
        out = (np.clip(film, 0, 1) ** power + added * rng.uniform(0.8, 1.2)) ** (1 / power)
    else:
        out = film + added * rng.uniform(0.6, 1.0)
    return np.asarray(np.clip(out, 0, 1), np.float32)


def process(film: Array, rng: np.random.Generator) -> Array:
    """Film after a random chain: resampling, blur, sharpening, exposure, noise, JPEG."""
    for step, share in (
        (_resolution, 0.35),
        (_soften, 0.3),
        (_enhance, 0.35),
        (_even, 0.1),
        (_expose, 0.85),
        (_noise, 0.6),
        (_jpeg, 0.3),
        (_few_levels, 0.25),
    ):
        if rng.random() < share:
            film = step(film, rng)
    return np.clip(film, 0, 1).astype(np.float32)


def grain(film: Array, rng: np.random.Generator) -> Array:
    """The film as it is, but for a little noise."""
    noise = rng.standard_normal(film.shape, dtype=np.float32) * rng.uniform(0, 0.006)
    return np.clip(film + noise, 0, 1).astype(np.float32)


def _resolution(film: Array, rng: np.random.Generator) -> Array:
    """Taken at a coarser pixel and enlarged again."""
    k = rng.uniform(0.45, 0.95)
    small = cv2.resize(film, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
    how = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(small, film.shape[::-1], interpolation=how), np.float32)


def _soften(film: Array, rng: np.random.Generator) -> Array:
    return np.asarray(cv2.GaussianBlur(film, (0, 0), rng.uniform(0.3, 0.9)), np.float32)


def _enhance(film: Array, rng: np.random.Generator) -> Array:
    """Unsharp masking at fine to wide scale, as vendors do; some of them heavily."""
    wide = cv2.GaussianBlur(film, (0, 0), float(np.exp(rng.uniform(np.log(0.8), np.log(15)))))
    gain = float(np.exp(rng.uniform(np.log(0.1), np.log(2.5))))
    return np.asarray(np.clip(film + gain * (film - wide), 0, 1), np.float32)


def _even(film: Array, rng: np.random.Generator) -> Array:
    """Local contrast evened out, as display software does (CLAHE)."""
    equaliser = cv2.createCLAHE(float(rng.uniform(1, 3)), (int(rng.integers(2, 6)),) * 2)
    levels = np.clip(film * 65535, 0, 65535).astype(np.uint16)
    return np.asarray(equaliser.apply(levels) / 65535, np.float32)


def _expose(film: Array, rng: np.random.Generator) -> Array:
    gamma = float(np.exp(rng.uniform(-0.45, 0.45)))
    return np.asarray(np.clip(film, 0, 1) ** gamma * rng.uniform(0.75, 1.12) + rng.uniform(-0.04, 0.08), np.float32)


def _noise(film: Array, rng: np.random.Generator) -> Array:
    noise = rng.standard_normal(film.shape, dtype=np.float32)
    if rng.random() < 0.5:
        noise = cv2.GaussianBlur(noise, (0, 0), 0.7) * 2
    return np.asarray(film + noise * float(np.exp(rng.uniform(np.log(0.001), np.log(0.04)))), np.float32)


def _jpeg(film: Array, rng: np.random.Generator) -> Array:
    grey = np.clip(film * 255, 0, 255).astype(np.uint8)
    coded = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 96))])[1]
    return np.asarray(np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)) / 255, np.float32)


def _few_levels(film: Array, rng: np.random.Generator) -> Array:
    """As an 8 bit film of little contrast looks once it is stretched: 30 levels of grey, or up to 250."""
    levels = float(np.exp(rng.uniform(np.log(30), np.log(250))))
    noise = rng.standard_normal(film.shape, dtype=np.float32) * rng.uniform(0, 0.6)
    low = np.round(film * levels + noise)
    if rng.random() < 0.5:
        coded = cv2.imencode(".jpg", np.clip(low, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        low = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.float32)
    return np.asarray(np.clip(low / levels, 0, 1), np.float32)
