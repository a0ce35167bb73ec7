"""Backgrounds: the training films as small grey arrays, with the limb marked."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calcimeasure.steps.outline.learned import resampled, stretched

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
FILM_MM = 220.0
"""Nominal length of a film's long side: the true size of these films is unknown."""
OTHERS, OTHER_MM = "radiographs_other", 0.15
"""Films that are no limbs, and about what a stored pixel of theirs is."""
HANDS, HANDS_SHARE = "hands", 0.12
"""Films of another source, and how often one of its many is taken against a limb film's 1."""
VALIDATION_EVERY, HANDS_EVERY = 6, 11
"""One train film in so many is held back."""


@dataclass(frozen=True, slots=True)
class Film:
    """A film stored as uint8; `hard` marks the hard negatives, `answer` the calcium it shows already (1, 2 ...).

    `share` is how often it is taken, against a limb film's 1; `calm` how often it is shown unchanged but for a
    little noise; `subtle` how many of its deposits are hard to see, on bone. `source` is its folder's name.
    """

    name: str
    grey: NDArray[np.uint8]
    mm: float
    limb: NDArray[np.uint8]
    soft: NDArray[np.uint8]
    hard: bool
    answer: NDArray[np.uint8] | None = None
    share: float = 1.0
    calm: float = 0.0
    subtle: float = 0.0
    source: str = "drawn"

    def at(self, mm: float) -> Array:
        """The film resampled to `mm` per pixel, 0..1."""
        return resampled(np.asarray(self.grey / 255, np.float32), self.mm / mm)


def load_films(data: Path, part: str, long_side: int = 1400, source: str | None = None) -> list[Film]:
    """Films of `part` (`film_paths`), of one folder where `source` names it."""
    paths = [path for path in film_paths(data, part) if source in (None, path.parent.name)]
    return [read_film(path, long_side) for path in paths]


def load_others(data: Path, long_side: int = 2300) -> list[Film]:
    """Films of `fit` that are no limbs, at `OTHER_MM` a pixel as they are stored."""
    paths = [path for path in film_paths(data, "fit") if path.parent.name == OTHERS]
    films = [read_film(path, long_side, OTHER_MM) for path in paths]
    return [replace(film, name=f"{film.name} at its own size") for film in films]


def film_paths(data: Path, part: str) -> list[Path]:
    """Files of `fit`, `validation` (both carved from the rows marked train), `calibrate` or `test`, limbs first."""
    with (data / "split.csv").open(newline="") as table:
        rows = [(data / r["file"], r["split"]) for r in csv.DictReader(table)]
    if part in ("calibrate", "test"):
        return [f for f, s in rows if s == part]
    train = [f for f, s in rows if s == "train"]
    hands = [f for f in train if f.parent.name == HANDS]
    limbs = [f for f in train if f.parent.name != HANDS]
    held = {*limbs[2::VALIDATION_EVERY], *hands[2::HANDS_EVERY]}
    return [f for f in [*limbs, *hands] if (f in held) == (part == "validation")]


def limb_of(film: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Bodies clearly brighter than air and larger than 3 % of the film; thin things opened away."""
    k = max(film.shape) / 1100
    smooth = cv2.GaussianBlur(film, (0, 0), 3 * k)
    level = 0.5 * cv2.threshold((smooth * 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)[0] / 255
    bright = (smooth > max(level, 0.06)).astype(np.uint8)
    bright = cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((int(25 * k) | 1,) * 2, np.uint8))
    _, parts, stats, _ = cv2.connectedComponentsWithStats(bright)
    large = [n for n in range(1, len(stats)) if stats[n, cv2.CC_STAT_AREA] > 0.03 * film.size]
    return np.asarray(np.isin(parts, large))


def read_film(path: Path, long_side: int, stored_mm: float | None = None) -> Film:
    """One film reduced to `long_side` px at most, its stored pixels `stored_mm` large; FILM_MM long when None."""
    stored = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    grey = np.asarray(stored / 255, np.float32)
    grey = stretched(resampled(grey, min(1.0, long_side / max(grey.shape))))
    limb = limb_of(grey)
    soft = limb & (grey < np.percentile(grey[limb], 50)) if limb.any() else limb
    hard = path.parent.name == OTHERS
    length = FILM_MM if stored_mm is None else stored_mm * max(stored.shape)
    return Film(
        path.stem,
        np.round(grey * 255).astype(np.uint8),
        length / max(grey.shape),
        limb.astype(np.uint8),
        soft.astype(np.uint8),
        hard,
        share=0.6 if hard else HANDS_SHARE if path.parent.name == HANDS else 1.0,
        source=path.parent.name,
    )
