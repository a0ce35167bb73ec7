"""Figures on whole validation films: how many deposits are found, how many things are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcimeasure.training.films import Film
from calcimeasure.training.scenes import Scene, make_scene, whole

Array = NDArray[np.float32]
Predict = Callable[[Array], Array]
EIGHT = np.ones((3, 3), bool)
COUNTED_MM, COUNTED_VISIBILITY, FALSE_MM2 = 2.0, 2.0, 1.0


@dataclass(frozen=True, slots=True)
class Figures:
    """Over all films at one threshold."""

    threshold: float
    sensitivity: float
    false_per_film: float
    false_per_clean: float
    dice: float
    area_bias: float

    def __str__(self) -> str:
        return (
            f"t={self.threshold:.2f} sens={self.sensitivity:.3f} fp={self.false_per_film:.2f} "
            f"fp_clean={self.false_per_clean:.2f} dice={self.dice:.3f} bias={self.area_bias:+.3f}"
        )


def validation_scenes(films: Sequence[Film], mm: float, each: int, seed: int) -> list[Scene]:
    """`each` scenes per limb film with 1-7 deposits, and one clean one of every film."""
    scenes = []
    for k, film in enumerate(films):
        patch = whole(film, mm)
        for n in range(0 if film.hard else each):
            rng = np.random.default_rng([seed, k, n])
            scenes.append(make_scene(patch, mm, rng, int(rng.integers(1, 8)), plain=n % 2 == 0))
        scenes.append(make_scene(patch, mm, np.random.default_rng([seed, k]), 0, plain=True))
    return scenes


def figures(scenes: Sequence[Scene], maps: Sequence[Array], mm: float, threshold: float) -> Figures:
    """Score probability maps of the scenes at one threshold."""
    rows = [_score(s, m > threshold, mm) for s, m in zip(scenes, maps, strict=True)]
    hits = [h for r in rows for h in r[0]]
    full = [r for s, r in zip(scenes, rows, strict=True) if s.visibility]
    clean = [r for s, r in zip(scenes, rows, strict=True) if not s.visibility]
    shown = [r for r in full if r[3]]
    dice = np.median([2 * r[2] / max(r[3] + r[4], 1) for r in shown] or [np.nan])
    bias = np.median([r[4] / r[3] - 1 for r in shown] or [np.nan])
    return Figures(threshold, float(np.mean(hits or [np.nan])), _mean(full), _mean(clean), float(dice), float(bias))


def _mean(rows: Sequence[tuple[list[bool], int, int, int, int]]) -> float:
    return float(np.mean([r[1] for r in rows])) if rows else float("nan")


def _score(scene: Scene, found: NDArray[np.bool_], mm: float) -> tuple[list[bool], int, int, int, int]:
    """Hit of each counted deposit, false finds, and shared, true and found pixels."""
    faint = [n for n, v in enumerate(scene.visibility, 1) if v < COUNTED_VISIBILITY]
    ghost = np.isin(scene.labels, faint)
    real = scene.truth & ~ghost
    parts, count = ndimage.label(found, EIGHT)
    size = np.bincount(parts.ravel(), minlength=count + 1)
    good = np.bincount(parts[ndimage.binary_dilation(real, EIGHT)], minlength=count + 1) >= 0.1 * size
    idle = np.bincount(parts[ndimage.binary_dilation(ghost, EIGHT)], minlength=count + 1) >= 0.1 * size
    false = int((~good[1:] & ~idle[1:] & (size[1:] * mm * mm >= FALSE_MM2)).sum())
    hits = [
        _hit(scene.labels, n, np.where(good[parts], parts, 0), mm)
        for n, v in enumerate(scene.visibility, 1)
        if v >= COUNTED_VISIBILITY
    ]
    kept = found & ~ghost & ~(idle & ~good)[parts]
    return [h for h in hits if h is not None], false, int((kept & real).sum()), int(real.sum()), int(kept.sum())


def _hit(labels: NDArray[np.uint8], n: int, parts: NDArray[np.int32], mm: float) -> bool | None:
    """Whether deposit `n` overlaps its finds (IoU >= 0.1); None when it is under 2 mm."""
    one = labels == n
    if 2 * np.sqrt(one.sum() * mm * mm / np.pi) < COUNTED_MM:
        return None
    touched = np.setdiff1d(np.unique(parts[one]), [0])
    joined = np.isin(parts, touched) & ((labels == 0) | one)
    return bool((one & joined).sum() >= 0.1 * (one | joined).sum())
