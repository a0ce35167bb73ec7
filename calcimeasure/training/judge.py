"""Fit the judge of findings on held-back films, whose backgrounds the networks have not learnt by heart."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from calcimeasure.steps.outline.candidates import Candidate
from calcimeasure.steps.outline.judge import FACTS, facts_of
from calcimeasure.steps.outline.learned import Maps, Networks, stretched
from calcimeasure.training.films import Film
from calcimeasure.training.scenes import Scene, make_scene, whole

Floats = NDArray[np.float64]
log = logging.getLogger(__name__)
COUNTED_VISIBILITY = 2.0
INSIDE = 0.1
"""Share of a finding that lies in deposits, from which on it counts as one."""
LEAST_MM2 = 0.5
FALSE_PER_FILM = 0.8
PRIOR = 1.0
"""Weight of the prior that keeps the weights small; facts are scaled to deviation 1 before."""


def fit_judge(networks: Networks, films: Sequence[Film], each: int = 6, seed: int = 9) -> dict[str, object]:
    """Base and weights of `FACTS`, fitted on `each` scenes of every limb film and a clean one of every film.

    The judge that `networks` have is not asked. Findings that lie on deposits too faint to count are left out. The base
    is then moved so that at a score of 0.5 the scenes show `FALSE_PER_FILM` false finds each, a third of all at most.
    """
    scenes = list(_scenes(films, each, seed))
    rows = [row for scene, mm in scenes for row in _judged(scene, mm, networks)]
    facts, real = np.array([facts for facts, _ in rows]), np.array([is_real for _, is_real in rows], float)
    base, weights = _logistic(facts, real)
    false = base + facts[real == 0] @ weights
    base -= _odds_of_false(false, min(FALSE_PER_FILM * len(scenes), len(false) / 3))
    found = int((base + facts[real == 1] @ weights > 0).sum())
    log.info("judge: %d of %d deposits' findings pass, %d false ones seen", found, real.sum(), (real == 0).sum())
    named = {name: round(float(weight), 6) for name, weight in zip(FACTS, weights, strict=True)}
    return {"base": round(base, 6), "weights": named, "findings": len(real)}


def _odds_of_false(odds: Floats, allowed: float) -> float:
    """Log odds that so many false finds pass."""
    ranked = np.sort(odds)[::-1]
    return float(ranked[min(int(allowed), len(ranked) - 1)])


def _scenes(films: Sequence[Film], each: int, seed: int) -> Iterator[tuple[Scene, float]]:
    """Whole films at a pixel size of 0.13 to 0.4 mm."""
    for k, film in enumerate(films):
        for n in range(1 if film.hard else each + 1):
            rng = np.random.default_rng([seed, k, n])
            mm = float(np.exp(rng.uniform(np.log(0.13), np.log(0.4))))
            count = 0 if n == 0 else int(rng.integers(1, 8))
            yield make_scene(whole(film, mm), mm, rng, count, plain=True), mm


def _judged(scene: Scene, mm: float, networks: Networks) -> Iterator[tuple[tuple[float, ...], bool]]:
    """Facts of every finding, and whether it is a deposit."""
    maps = Maps.of(stretched(scene.image), mm, networks)
    real, ghost = _near(scene)
    for part in maps.parts(mm):
        if part.area * mm * mm >= LEAST_MM2 and (part.share(real) >= INSIDE or part.share(ghost) < INSIDE):
            yield facts_of(part, maps.finder, maps.outline, mm), _is_deposit(part, real)


def _is_deposit(part: Candidate, real: NDArray[np.bool_]) -> bool:
    return part.share(real) >= INSIDE


def _near(scene: Scene) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels in or next to deposits that count, and to those that do not."""
    seen = np.array([False, *(v >= COUNTED_VISIBILITY for v in scene.visibility)])
    faint = ~seen
    faint[0] = False
    real, ghost = (cv2.dilate(which[scene.labels].astype(np.uint8), np.ones((3, 3))) > 0 for which in (seen, faint))
    return np.asarray(real), np.asarray(ghost)


def _logistic(facts: Floats, real: Floats) -> tuple[float, Floats]:
    """Base and weights of a logistic regression with a Gaussian prior; a network's belief never counts against."""
    mean, spread = facts.mean(0), facts.std(0) + 1e-9
    scaled = (facts - mean) / spread

    def cost(w: Floats) -> float:
        z = scaled @ w[1:] + w[0]
        return float(np.logaddexp(0, z).sum() - (real * z).sum() + PRIOR * (w[1:] ** 2).sum() / 2)

    at_least = [(None, None) if name in ("base", "size") else (0, None) for name in ("base", *FACTS)]
    best = minimize(cost, np.zeros(len(FACTS) + 1), method="L-BFGS-B", bounds=at_least).x
    weights = best[1:] / spread
    return float(best[0] - weights @ mean), np.asarray(weights)
