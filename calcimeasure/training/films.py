"""Backgrounds: the training films as small grey arrays, with the limb marked."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
FILM_MM = 220.0
"""Nominal length of a film's long side: the true size of these films is unknown."""
VALIDATION_EVERY = 6


@dataclass(frozen=True, slots=True)
class Film:
    """A film of the data folder, stored as uint8; `hard` marks the hard negatives."""

    name: str
    grey: NDArray[np.uint8]
    mm: float
    limb: NDArray[np.uint8]
    soft: NDArray[np.uint8]
    hard: bool

    def at(self, mm: float) -> Array:
        """The film resampled to `mm` per pixel, 0..1."""
        return resample(self.grey.astype(np.float32) / 255, self.mm / mm)


def resample(image: Array, factor: float) -> Array:
    """Image enlarged by `factor`: area mean when it shrinks, cubic when it grows."""
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    shape = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    return np.clip(cv2.resize(image, shape, interpolation=how), 0, 1).astype(np.float32)


def stretch(film: Array) -> Array:
    """Film with its 0.5th and 99.8th percentile moved to 0 and 1."""
    low, high = np.percentile(film[::2, ::2], (0.5, 99.8))
    return np.clip((film - low) / max(high - low, 1e-3), 0, 1).astype(np.float32)


def load_films(data: Path, part: str, long_side: int = 1100) -> list[Film]:
    """Films of `part`: `fit`, `validation` (both carved from the rows marked train) or `test`."""
    with open(data / "split.csv", newline="") as table:
        rows = [(r["file"], r["split"]) for r in csv.DictReader(table)]
    if part == "test":
        return [read_film(data / f, long_side) for f, s in rows if s == "test"]
    train = [f for f, s in rows if s == "train"]
    held = [f for k, f in enumerate(train) if k % VALIDATION_EVERY == 2]
    chosen = held if part == "validation" else [f for f in train if f not in held]
    return [read_film(data / f, long_side) for f in chosen]


def read_film(path: Path, long_side: int) -> Film:
    """One film reduced to `long_side` px at most; `long_side` px always stand for FILM_MM."""
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
    grey = stretch(resample(grey, min(1.0, long_side / max(grey.shape))))
    limb = limb_of(grey)
    soft = limb & (grey < np.percentile(grey[limb], 50)) if limb.any() else limb
    return Film(
        path.stem,
        np.round(grey * 255).astype(np.uint8),
        FILM_MM / max(grey.shape),
        limb.astype(np.uint8),
        soft.astype(np.uint8),
        path.parent.name == "radiographs_other",
    )


def limb_of(film: Array) -> Mask:
    """Bodies clearly brighter than air and larger than 3 % of the film; thin things opened away."""
    k = max(film.shape) / 1100
    smooth = cv2.GaussianBlur(film, (0, 0), 3 * k)
    level = 0.5 * cv2.threshold((smooth * 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)[0] / 255
    bright = (smooth > max(level, 0.06)).astype(np.uint8)
    bright = cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((int(25 * k) | 1,) * 2, np.uint8))
    _, parts, stats, _ = cv2.connectedComponentsWithStats(bright)
    large = [n for n in range(1, len(stats)) if stats[n, cv2.CC_STAT_AREA] > 0.03 * film.size]
    return np.asarray(np.isin(parts, large))
