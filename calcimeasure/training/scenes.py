"""A scene: a piece of film with deposits in it, the truth, and what may be ignored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from calcimeasure.training.deposits import FOOT, draw_deposit, outline_of
from calcimeasure.training.distractors import add_distractors, add_gas
from calcimeasure.training.exposure import grain, insert, process
from calcimeasure.training.films import Film
from calcimeasure.training.foreign import add_foreign

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
IGNORED_BELOW = 1.2
"""Deposits fainter than this (contrast over clutter) are held neither for nor against."""
SUBTLE, SUBTLE_HEIGHT = (1.2, 5.0), (0.06, 0.9)
"""Contrast over clutter of a deposit that is hard to see, and how high it may be to reach that."""


@dataclass(frozen=True, slots=True)
class Hotspot:
    """A place on a clean film, by the film's name, where the network saw a deposit; mm from the film's corner."""

    film: str
    y_mm: float
    x_mm: float
    score: float


@dataclass(frozen=True, slots=True)
class Patch:
    """Background: grey, limb, soft tissue and calcium it shows already, one affine view of a film."""

    grey: Array
    limb: Mask
    soft: Mask
    hard: bool
    answer: NDArray[np.uint8] | None = None
    calm: float = 0.0
    subtle: float = 0.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What the network sees, the truth (one number per deposit), its visibility and weights."""

    image: Array
    labels: NDArray[np.uint8]
    visibility: tuple[float, ...]
    weight: Array

    @property
    def truth(self) -> Mask:
        """Pixels inside the outer foot of any deposit."""
        return np.asarray(self.labels > 0)


def cut_patch(
    films: Sequence[Film], hotspots: Sequence[Hotspot], side: int, mm: float, rng: np.random.Generator
) -> Patch:
    """A turned, mirrored, rescaled view of a random place of a random film."""
    spot = hotspots[int(rng.integers(len(hotspots)))] if hotspots and rng.random() < 0.3 else None
    film, (y, x) = (_mined(films, spot) if spot else None) or _random(films, rng)
    zoom = mm / film.mm * _nearness(rng)
    turn = float(rng.choice([0, 90, 180, 270])) + float(rng.normal(0, 8))
    matrix = _view(y, x, zoom, turn, rng.random() < 0.5, side, rng.uniform(-side / 4, side / 4, 2))
    return _warp(film, *_bent(matrix, side, rng), zoom)


def _mined(films: Sequence[Film], spot: Hotspot) -> tuple[Film, tuple[float, float]] | None:
    """The film of a hotspot and its row and column; `None` where another list of films was mined."""
    return next(((f, (spot.y_mm / f.mm, spot.x_mm / f.mm)) for f in films if f.name == spot.film), None)


def _random(films: Sequence[Film], rng: np.random.Generator) -> tuple[Film, tuple[float, float]]:
    """A film, by its share, and a place on it."""
    while True:
        film = films[int(rng.integers(len(films)))]
        if rng.random() < film.share:
            return film, _somewhere(film, rng)


def _somewhere(film: Film, rng: np.random.Generator) -> tuple[float, float]:
    shape = film.grey.shape
    for _ in range(20):
        y, x = int(rng.integers(shape[0])), int(rng.integers(shape[1]))
        if film.limb[y, x] or rng.random() < 0.08:
            break
    return float(y), float(x)


def _nearness(rng: np.random.Generator) -> float:
    """Factor on the film's pixels; one view in four shows an enlarged part: the true size of these films is unknown."""
    low, high = (-0.8, -0.3) if rng.random() < 0.25 else (-0.3, 0.3)
    return float(np.exp(rng.uniform(low, high)))


def _view(
    y: float, x: float, zoom: float, turn: float, flip: bool, side: int, shift: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Matrix from patch px to film px."""
    c, s = np.cos(np.radians(turn)) * zoom, np.sin(np.radians(turn)) * zoom
    linear = np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if flip else 1.0, 1.0])
    middle = np.full(2, (side - 1) / 2) + shift
    return np.column_stack([linear, np.array([x, y]) - linear @ middle])


def _warp(film: Film, columns: Array, rows: Array, zoom: float) -> Patch:
    """The film read at those places, which lie `zoom` of its pixels apart: smoothed first where it is much reduced."""
    stored = cv2.GaussianBlur(film.grey, (0, 0), 0.4 * zoom) if zoom > 1.4 else film.grey
    grey = cv2.remap(stored, columns, rows, cv2.INTER_LINEAR).astype(np.float32) / 255
    masks = (film.limb, film.soft) if film.answer is None else (film.limb, film.soft, film.answer)
    limb, soft, *answer = (cv2.remap(m, columns, rows, cv2.INTER_NEAREST) for m in masks)
    own = np.asarray(answer[0]) if answer else None
    return Patch(grey, np.asarray(limb > 0), np.asarray(soft > 0), film.hard, own, film.calm, film.subtle)


def _bent(matrix: NDArray[np.float64], side: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Columns and rows of the film under every patch px; half of the views are softly bent: no two hands are alike."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    if rng.random() < 0.5:
        coarse = rng.normal(0, rng.uniform(0, 0.018) * side, (2, 6, 6)).astype(np.float32)
        bend = [cv2.resize(part, (side, side), interpolation=cv2.INTER_CUBIC) for part in coarse]
        x, y = x + bend[0], y + bend[1]
    (a, b, c), (d, e, f) = matrix.astype(np.float32)
    return np.asarray(a * x + b * y + c, np.float32), np.asarray(d * x + e * y + f, np.float32)


def whole(film: Film, mm: float) -> Patch:
    """The whole film as a patch at `mm` per pixel."""
    grey = film.at(mm)
    shape = grey.shape[::-1]
    limb, soft = (cv2.resize(m, shape, interpolation=cv2.INTER_NEAREST) > 0 for m in (film.limb, film.soft))
    return Patch(grey, np.asarray(limb), np.asarray(soft), film.hard)


def make_scene(
    patch: Patch, mm: float, rng: np.random.Generator, count: int | None = None, plain: bool = False
) -> Scene:
    """Insert `count` deposits (random when None), distractors and processing (unless `plain`)."""
    number = _number(patch, rng) if count is None else count
    film = patch.grey if plain else _pre_expose(patch.grey, rng)
    covered = np.zeros(film.shape, bool)
    if not plain and rng.random() < 0.06:
        film = add_gas(film, mm, rng)
    if not plain and rng.random() < 0.3:
        film = add_foreign(film, patch.limb, mm, rng)
    if not plain and rng.random() < 0.2:
        film, covered = add_distractors(film, mm, rng)
    deposits = [d for d in (_deposit(patch, mm, rng) for _ in range(number)) if d is not None]
    image = film
    if deposits:
        image = insert(film, np.max(deposits, axis=0), mm, rng)
        image = np.where(covered, np.maximum(film, image * 0.3), image).astype(np.float32)
    calm = patch.calm > 0 and rng.random() < patch.calm
    image = grain(image, rng) if calm else process(image, rng)
    scene = _label(film, image, deposits, covered, mm)
    return scene if patch.answer is None else _with_answer(scene, patch.answer, covered)


def _with_answer(scene: Scene, answer: NDArray[np.uint8], covered: Mask) -> Scene:
    """The scene with the calcium that its background showed already, numbered after the inserted deposits."""
    own = (answer > 0) & (scene.labels == 0) & ~covered
    labels = np.where(own, answer + len(scene.visibility), scene.labels).astype(np.uint8)
    return replace(scene, labels=labels)


def _number(patch: Patch, rng: np.random.Generator) -> int:
    none = 0.4 if patch.hard else 0.15
    return 0 if rng.random() < none else int(rng.integers(1, 8))


def _pre_expose(grey: Array, rng: np.random.Generator) -> Array:
    return np.asarray(np.clip(grey, 0, 1) ** float(np.exp(rng.normal(0, 0.15))), np.float32)


def _deposit(patch: Patch, mm: float, rng: np.random.Generator) -> Array | None:
    """Thickness map over the patch of one deposit, or None where there is no limb."""
    subtle = patch.subtle > 0 and rng.random() < patch.subtle
    spot = _anywhere(patch.limb & ~patch.soft, rng) if subtle else _place(patch, mm, rng)
    if spot is None:
        return None
    _, relief = draw_deposit(mm, rng, _plane(patch.grey, *spot, mm))
    out = np.zeros(patch.grey.shape, np.float32)
    _paste(out, relief, *spot)
    out *= _skin(patch.limb, rng)
    if (out > FOOT).sum() <= 5:
        return None
    return _hard_to_see(out, patch.grey, mm, rng) if subtle else out


def _hard_to_see(one: Array, clean: Array, mm: float, rng: np.random.Generator) -> Array:
    """The deposit as thick as a random contrast over the clutter around it wants."""
    wanted = float(np.exp(rng.uniform(*np.log(SUBTLE)))) / max(visibility(clean, [one], mm)[0], 1e-3)
    height = float(one.max())
    return np.asarray(one * (np.clip(height * wanted, *SUBTLE_HEIGHT) / height), np.float32)


def _skin(limb: Mask, rng: np.random.Generator) -> Mask:
    """Where calcium may lie: under the skin, just through it, or (an ulcer, a skin too dark to see) far out of it."""
    kind = rng.random()
    if kind < 0.5:
        return limb
    reach = 5 if kind < 0.75 else 61
    return np.asarray(cv2.dilate(limb.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0)


def _place(patch: Patch, mm: float, rng: np.random.Generator) -> tuple[int, int] | None:
    """Two in five in soft tissue; nearly half anywhere in the limb, bone too; the others within 3 mm of the skin."""
    kind = rng.random()
    area = patch.soft if kind < 0.4 else patch.limb
    if kind > 0.88:
        width = 2 * int(3 / mm) + 1
        area = patch.limb & (cv2.erode(patch.limb.astype(np.uint8), np.ones((width, width), np.uint8)) == 0)
    return _anywhere(area, rng)


def _anywhere(area: Mask, rng: np.random.Generator) -> tuple[int, int] | None:
    spots = np.flatnonzero(area)
    if not len(spots):
        return None
    y, x = divmod(int(spots[rng.integers(len(spots))]), area.shape[1])
    return y, x


def _plane(grey: Array, y: int, x: int, mm: float) -> float:
    """Direction of the tissue planes: along the lines of equal brightness."""
    r = max(3, int(4 / mm))
    part = grey[max(0, y - r) : y + r + 1, max(0, x - r) : x + r + 1]
    gy, gx = (np.diff(part, axis=a).mean() if part.shape[a] > 1 else 0.0 for a in (0, 1))
    return float(np.arctan2(gy, gx) + np.pi / 2)


def _paste(out: Array, relief: Array, y: int, x: int) -> None:
    h = relief.shape[0] // 2
    rows = slice(max(0, y - h), min(out.shape[0], y - h + relief.shape[0]))
    columns = slice(max(0, x - h), min(out.shape[1], x - h + relief.shape[1]))
    out[rows, columns] = relief[rows.start - y + h : rows.stop - y + h, columns.start - x + h : columns.stop - x + h]


def _label(clean: Array, image: Array, deposits: list[Array], covered: Mask, mm: float) -> Scene:
    labels, weight = np.zeros(clean.shape, np.uint8), np.ones(clean.shape, np.float32)
    seen = visibility(clean, deposits, mm)
    for n, one in enumerate(deposits, 1):
        labels[outline_of(one, mm) & (labels == 0) & ~covered] = n
    for n, contrast in enumerate(seen, 1):
        if contrast < IGNORED_BELOW:
            weight[cv2.dilate((labels == n).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0] = 0
    return Scene(image, labels, seen, weight)


def visibility(clean: Array, deposits: Sequence[Array], mm: float) -> tuple[float, ...]:
    """Mean added brightness of each deposit over the fine clutter around it."""
    clutter, out = clean - cv2.blur(clean, (2 * int(3 / mm) + 1,) * 2), []
    reach = np.ones((2 * int(2 / mm) + 1,) * 2, np.uint8)
    for one in deposits:
        body = one > FOOT
        y, x, h, w = _box(body, int(2 / mm) + 1)
        near = cv2.dilate(body[y:h, x:w].astype(np.uint8), reach) > 0
        added = float((one[body] * (1 - clean[body]) ** 0.6).mean())
        out.append(added / (float(clutter[y:h, x:w][near].std()) + 0.004))
    return tuple(out)


def _box(body: Mask, margin: int) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(body.any(1)), np.flatnonzero(body.any(0))
    return max(0, rows[0] - margin), max(0, columns[0] - margin), rows[-1] + margin + 1, columns[-1] + margin + 1
