"""Backgrounds that the project draws itself: limbs of `calcimeasure.phantom`, most with calcium of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calcimeasure.phantom.film import draw_film, random_film_scene
from calcimeasure.steps.outline.learned import stretched
from calcimeasure.training.deposits import bridged
from calcimeasure.training.films import FILM_MM, Film

CLEAN_EVERY = 3
"""One drawn film in so many holds no calcium of its own; false finds are mined on those."""
SHARE = 0.25
"""How often a drawn limb is taken, against a real one: they look alike."""
SEEN_MM = 0.15
"""Thickness of calcium that counts as outline, in mm: about as bright as the foot of an inserted deposit."""


def drawn_films(count: int, seed: int, long_side: int = 1400) -> list[Film]:
    """Films of drawn hands, forearms and feet, `long_side` px long; their calcium, if any, is in `answer`."""
    return [_film(seed + k, long_side, 0 if k % CLEAN_EVERY == 0 else None) for k in range(count)]


def _film(seed: int, long_side: int, deposits: int | None) -> Film:
    mm = FILM_MM / long_side
    scene = random_film_scene(seed, mm, count=deposits)
    plain = replace(scene.exposure, photons_mm2=max(scene.exposure.photons_mm2, 2e4))
    drawn = draw_film(replace(scene, exposure=plain), seed)
    grey = stretched(drawn.image.pixels)
    soft = drawn.limb & ~drawn.bone
    answer = None
    if drawn.thickness_mm is not None and drawn.truth.count:
        seen = np.where(drawn.thickness_mm > SEEN_MM, drawn.truth.array, 0)
        answer = np.zeros(seen.shape, np.uint8)
        for n in range(1, drawn.truth.count + 1):
            answer[bridged(seen == n, mm) & (answer == 0)] = n
    masks = (drawn.limb.astype(np.uint8), soft.astype(np.uint8))
    return Film(f"drawn {seed}", np.round(grey * 255).astype(np.uint8), mm, *masks, False, answer, SHARE)
