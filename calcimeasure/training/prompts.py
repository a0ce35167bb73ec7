"""Prompts as people would give them, on deposits and on nothing, and the crops that a network learns from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcimeasure.steps.outline.prompted import CROP, Click, Prompt, Window, channels
from calcimeasure.training.deposits import random_field
from calcimeasure.training.films import Film
from calcimeasure.training.scenes import Hotspot, Scene, cut_patch, make_scene

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
Finder = Callable[[Array, float], Array]
PATCH_MM = 90.0
FINEST_MM, COARSEST_MM = 0.11, 0.45
SEEN = 2.0
"""A deposit of this contrast over clutter is there; one of less than `UNSEEN` cannot be told, and neither is held
against the network in between."""
UNSEEN = 1.2
CLICKED = [2, 3, 9]
"""Channels that a click changes."""
EACH = 4
"""Deposits and as many empty places pointed at, at most, in one scene."""


@dataclass(frozen=True, slots=True)
class Target:
    """One place pointed at, twice: what the network sees, the truth, its weight, and whether something is there.

    `seen` (2, CHANNELS, CROP, CROP), `truth` and `weight` (1, CROP, CROP); `there` is 1, 0, or None where that is not
    told.
    """

    seen: Array
    truth: Array
    weight: Array
    there: float | None


@dataclass(frozen=True, slots=True)
class Ground:
    """A scene with what the finder shows of it, and its pixel size."""

    scene: Scene
    limb: Mask
    finder: Array | None
    mm: float


def targets(
    films: Sequence[Film], hotspots: Sequence[Hotspot], finder: Finder | None, rng: np.random.Generator
) -> list[Target]:
    """Every target of one new scene."""
    mm = float(np.exp(rng.uniform(np.log(FINEST_MM), np.log(COARSEST_MM))))
    patch = cut_patch(films, hotspots, round(PATCH_MM / mm), mm, rng)
    scene = make_scene(patch, mm, rng, int(rng.integers(1, 9)) if rng.random() < 0.8 else 0)
    shown = finder(scene.image, mm) if finder and rng.random() < 0.5 else None
    ground = Ground(scene, patch.limb, shown, mm)
    return [*_on_deposits(ground, rng), *_on_nothing(ground, rng)]


def _on_deposits(ground: Ground, rng: np.random.Generator) -> Iterator[Target]:
    scene = ground.scene
    central = _central(scene.labels.shape, ground.mm, rng)
    numbers = [n for n in np.unique(scene.labels * central) if n and (scene.labels == n).sum() >= 6]
    for n in rng.permutation(numbers)[:EACH]:
        visible = scene.visibility[n - 1] if n <= len(scene.visibility) else 3.0
        if visible >= UNSEEN:
            yield _target(ground, scene.labels == n, 1.0 if visible >= SEEN else None, rng)


def _central(shape: tuple[int, ...], mm: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """1 away from the scene's border, mostly: few films end beside a deposit."""
    margin = round(18 / mm) if rng.random() < 0.85 else 0
    out = np.zeros(shape, np.uint8)
    out[margin : shape[0] - margin, margin : shape[1] - margin] = 1
    return out


def _target(ground: Ground, body: Mask, there: float | None, rng: np.random.Generator) -> Target:
    """Two prompts on one deposit, in one window."""
    extent = _extent(body) * ground.mm
    prompts = [_prompt(body, ground.scene.labels > 0, ground.mm, rng) for _ in range(2)]
    if rng.random() < 0.5:
        middle, side = _first_look(prompts[0], body), float(np.exp(rng.uniform(np.log(20), np.log(45))))
    else:
        rows, columns = np.flatnonzero(body.any(1)), np.flatnonzero(body.any(0))
        middle = ((rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2)
        side = float(np.clip(extent * rng.uniform(1.5, 3.5) + 3, 12, 100))
    shake = rng.normal(0, 0.06 * side / ground.mm, 2)
    window = Window.around(middle[0] + shake[0], middle[1] + shake[1], side / ground.mm)
    return _pair(ground, prompts, window, body, there)


def _pair(ground: Ground, prompts: Sequence[Prompt], window: Window, body: Mask, there: float | None) -> Target:
    finder, film = ground.finder, window.cut(ground.scene.image)
    seen = np.stack([channels(film, p, window, ground.mm, finder) for p in prompts])
    truth = window.cut(body.astype(np.float32))[None]
    weight = np.ones_like(truth)
    return Target(seen, truth, weight, there)


def _first_look(prompt: Prompt, body: Mask) -> tuple[float, float]:
    """The middle of what the prompt covers."""
    if prompt.box:
        return (prompt.box[0] + prompt.box[2]) / 2, (prompt.box[1] + prompt.box[3]) / 2
    inside = [c for c in prompt.clicks if c.inside]
    if inside:
        return float(np.mean([c.row for c in inside])), float(np.mean([c.column for c in inside]))
    rough = prompt.outline if prompt.outline is not None else prompt.scribble
    rows, columns = np.nonzero(rough if rough is not None and rough.any() else body)
    return (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2


def _prompt(body: Mask, calcium: Mask, mm: float, rng: np.random.Generator) -> Prompt:
    """Half of the prompts are one click; the others are several, a box, a scribble or a rough outline."""
    kind = rng.random()
    if kind < 0.5:
        return Prompt((_inside(body, mm, rng),))
    if kind < 0.64:
        some = [_inside(body, mm, rng) for _ in range(rng.integers(1, 4))]
        return Prompt((*some, *_outside(body, mm, rng, int(rng.integers(0, 3)))))
    more = (_inside(body, mm, rng),) if rng.random() < 0.25 else ()
    if kind < 0.78:
        return Prompt(more, box=_around(body, mm, rng))
    if kind < 0.88:
        return Prompt(more, scribble=_scribble(body, mm, rng))
    return Prompt(more, outline=_carried(body, mm, rng))


def _inside(body: Mask, mm: float, rng: np.random.Generator) -> Click:
    """Mostly the inner half of the deposit, sometimes anywhere in it or a little beside it."""
    box = _box_of(body, int(np.ceil(1.5 / mm)) + 2)
    part = np.pad(body[box].astype(np.uint8), 1)
    depth = cv2.distanceTransform(part, cv2.DIST_L2, 5)[1:-1, 1:-1]
    kind = rng.random()
    if kind < 0.65:
        spots = np.argwhere(depth >= np.median(depth[depth > 0]))
    elif kind < 0.9:
        spots = np.argwhere(depth > 0)
    else:
        beside = cv2.distanceTransform(1 - part, cv2.DIST_L2, 5)[1:-1, 1:-1]
        spots = np.argwhere(beside <= rng.uniform(0.2, 1.0) / mm)
    row, column = spots[rng.integers(len(spots))] + rng.uniform(-0.5, 0.5, 2)
    return Click(float(row + box[0].start), float(column + box[1].start))


def _outside(body: Mask, mm: float, rng: np.random.Generator, count: int) -> list[Click]:
    """Places 0.7 to 8 mm away from the deposit."""
    box = _box_of(body, int(np.ceil(8 / mm)))
    away = cv2.distanceTransform(1 - body[box].astype(np.uint8), cv2.DIST_L2, 5) * mm
    spots = np.argwhere((away > 0.7) & (away < rng.uniform(1.5, 8)))
    picked = spots[rng.integers(0, len(spots), count)] if len(spots) else []
    return [Click(float(r + box[0].start), float(c + box[1].start), inside=False) for r, c in picked]


def _around(body: Mask, mm: float, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """A box dragged around it by hand."""
    rows, columns = np.flatnonzero(body.any(1)), np.flatnonzero(body.any(0))
    tall, wide = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    slack = rng.normal(0.06, 0.12, 4) * (tall, wide, tall, wide) + rng.normal(0.2, 0.4, 4) / mm
    top, left, bottom, right = slack * (-1, -1, 1, 1) + (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)
    return float(min(top, bottom - 2)), float(min(left, right - 2)), float(bottom), float(right)


def _scribble(body: Mask, mm: float, rng: np.random.Generator) -> Mask:
    """A stroke through a few places of it, as broad as a brush, that may stray."""
    box = _box_of(body, int(np.ceil(4 / mm)))
    spots = np.argwhere(body[box])
    few = spots[rng.integers(0, len(spots), int(rng.integers(2, 6)))].astype(float)
    few = few[np.argsort(few @ rng.normal(0, 1, 2))] + rng.normal(0, 0.4 / mm, few.shape)
    ink = np.zeros(body[box].shape, np.uint8)
    width = max(1, round(rng.uniform(0.3, 2.0) / mm))
    cv2.polylines(ink, [np.round(few[:, ::-1]).astype(np.int32)], False, 1, width)
    out = np.zeros_like(body)
    out[box] = ink > 0
    return out


def _carried(body: Mask, mm: float, rng: np.random.Generator) -> Mask:
    """The outline as another visit or a rough hand had it: grown or shrunk, moved, coarse."""
    box = _box_of(body, int(np.ceil(6 / mm)))
    inside = np.pad(body[box].astype(np.uint8), 1)
    distance = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) - cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    distance = cv2.GaussianBlur(distance[1:-1, 1:-1], (0, 0), max(0.5, rng.uniform(0, 1.2) / mm))
    wobble = random_field(max(distance.shape), rng.uniform(2, 8) / mm, rng)[: distance.shape[0], : distance.shape[1]]
    level = rng.normal(0.2, 0.7) + wobble * rng.uniform(0, 0.6)
    rough = distance * mm < np.maximum(level, distance.min() * mm * 0.6)
    moved = np.roll(rough, np.round(rng.normal(0, 0.6 / mm, 2)).astype(int), (0, 1))
    out = np.zeros_like(body)
    out[box] = moved if moved.any() else body[box]
    return out


def _on_nothing(ground: Ground, rng: np.random.Generator) -> Iterator[Target]:
    """Prompts where nothing is: bone edges, bright specks, anywhere."""
    near = cv2.dilate(
        (ground.scene.labels > 0).astype(np.uint8), np.ones((2 * round(2 / ground.mm) + 1,) * 2, np.uint8)
    )
    free = (near == 0) & (_central(near.shape, ground.mm, rng) > 0)
    for _ in range(int(rng.integers(1, 3))):
        spot = _empty_place(ground, free, rng)
        if spot is None:
            return
        side = float(np.exp(rng.uniform(np.log(14), np.log(60)))) / ground.mm
        shake = rng.normal(0, 0.05 * side, 2)
        window = Window.around(spot[0] + shake[0], spot[1] + shake[1], side)
        prompts = [_empty_prompt(spot, ground, rng) for _ in range(2)]
        yield _pair(ground, prompts, window, np.zeros_like(ground.limb), 0.0)


def _empty_place(ground: Ground, free: Mask, rng: np.random.Generator) -> tuple[int, int] | None:
    kind, image = rng.random(), ground.scene.image
    if kind < 0.4:
        strength = cv2.morphologyEx(
            cv2.GaussianBlur(image, (0, 0), 0.4 / ground.mm), cv2.MORPH_GRADIENT, np.ones((3, 3))
        )
    elif kind < 0.75:
        strength = cv2.GaussianBlur(image, (0, 0), 0.4 / ground.mm) - cv2.GaussianBlur(image, (0, 0), 1.6 / ground.mm)
    else:
        strength = None
    area = free & (ground.limb if rng.random() < 0.85 else True)
    if not area.any():
        return None
    spots = np.argwhere(area if strength is None else area & (strength >= np.percentile(strength[area], 98)))
    row, column = spots[rng.integers(len(spots))]
    return int(row), int(column)


def _empty_prompt(spot: tuple[int, int], ground: Ground, rng: np.random.Generator) -> Prompt:
    """Any kind of prompt, as if a deposit of a usual size lay there."""
    kind = rng.random()
    moved = np.array(spot) + rng.normal(0, 0.3 / ground.mm, 2)
    click = Click(float(moved[0]), float(moved[1]))
    if kind < 0.6:
        return Prompt((click,))
    body = np.zeros(ground.limb.shape, np.uint8)
    axes = [max(1, round(float(a))) for a in np.exp(rng.uniform(np.log(0.7), np.log(6), 2)) / ground.mm]
    cv2.ellipse(body, (spot[1], spot[0]), axes, rng.uniform(0, 180), 0, 360, 1, -1)
    prompt = _prompt(body > 0, body > 0, ground.mm, rng)
    return prompt if rng.random() < 0.8 else replace(prompt, clicks=(*prompt.clicks, click))


def _box_of(body: Mask, margin: int) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(body.any(1)), np.flatnonzero(body.any(0))
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + margin + 1),
    )


def _extent(body: Mask) -> float:
    """The longer side of its box in pixels."""
    return float(max(np.ptp(np.flatnonzero(body.any(axis))) + 1 for axis in (0, 1)))


def corrected(seen: Array, truth: Array, chance: Array, rng: np.random.Generator) -> Array:
    """What the network sees after one more click, in the middle of its largest error; (CHANNELS, CROP, CROP)."""
    wrong = (chance > 0.5) != (truth > 0.5)
    parts, count = ndimage.label(wrong)
    if not count:
        return seen
    largest = int(np.argmax(np.bincount(parts.ravel())[1:])) + 1
    depth = cv2.distanceTransform(np.pad((parts == largest).astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    spots = np.argwhere(depth >= 0.7 * depth.max())
    row, column = spots[rng.integers(len(spots))]
    plain = Prompt((Click(float(row), float(column), inside=bool(truth[row, column] > 0.5)),))
    drawn = channels(np.zeros((CROP, CROP), np.float32), plain, Window(0, 0, CROP), 1.0)
    out = seen.copy()
    out[CLICKED] = np.maximum(out[CLICKED], drawn[CLICKED])
    return out
