"""The second network: redraws the outline of each candidate at the film's own pixel.

It sees the film and the finder's (enlarged, disturbed) probability round a candidate, true or
false, and learns where the foot of the deposit lies, or that there is none.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import nn

from calcimeasure.steps.outline.learned import COARSEST_MM, FINEST_MM, resampled, sized
from calcimeasure.training.drawn import drawn_films
from calcimeasure.training.export import load_weights
from calcimeasure.training.films import Film, load_films
from calcimeasure.training.network import Finder
from calcimeasure.training.scenes import Hotspot, Scene, cut_patch, make_scene
from calcimeasure.training.train import follow, probability_map, rate_at

Array = NDArray[np.float32]
Bytes = NDArray[np.uint8]
log = logging.getLogger(__name__)
CROP = 128
PATCH_MM = 64.0
LONG_SIDES = (1600, 800)
CROPS_EACH = 3


@dataclass(frozen=True, slots=True)
class OutlinePlan:
    """Settings of one run of the outline network."""

    scenes: int = 4000
    steps: int = 3000
    batch: int = 16
    rate: float = 3e-3
    seed: int = 2
    average: float = 0.995
    warm_up: int = 100
    drawn: int = 72
    working_mm: float = 0.2
    looks: tuple[float, ...] = (1.0,)


def outline_network() -> Finder:
    """Small U-Net over film and hint; sees about 44 px to each side."""
    return Finder(widths=(16, 32, 64), inputs=2, deep=(1, 2, 1))


def make_crops(
    finder: nn.Module, data: Path | None, part: str, plan: OutlinePlan, hotspots: Sequence[Hotspot]
) -> Bytes:
    """Crops (n, 4, CROP, CROP): film, hint, truth, weight, each 0..255."""
    sizes = [_backgrounds(data, part, plan, side) for side in LONG_SIDES]
    crops: list[Bytes] = []
    for k in range(plan.scenes):
        rng = np.random.default_rng([plan.seed, len(part), k])
        crops += _crops_of_scene(
            lambda image, mm: hint_of(finder, image, [mm * look / plan.working_mm for look in plan.looks]),
            sizes,
            rng,
            hotspots,
        )
        if k % 200 == 0:
            log.info("outline crops: %d from %d scenes", len(crops), k + 1)
    return np.stack(crops)


def _backgrounds(data: Path | None, part: str, plan: OutlinePlan, side: int) -> list[Film]:
    """Films of the data folder, then drawn ones, in the order of `train.train_finder`; drawn ones alone without it."""
    films = load_films(data, part, side) if data else []
    if part != "fit":
        return films or drawn_films(15, 1, side)
    return [*films, *drawn_films(plan.drawn if data else 3 * plan.drawn, 1000, side)]


def _crops_of_scene(
    see: Callable[[Array, float], Array],
    sizes: Sequence[Sequence[Film]],
    rng: np.random.Generator,
    hot: Sequence[Hotspot],
) -> list[Bytes]:
    mm = float(np.exp(rng.uniform(np.log(FINEST_MM), np.log(COARSEST_MM))))
    side = round(PATCH_MM / mm)
    scene = make_scene(cut_patch(sizes[int(mm > 0.24)], hot, side, mm, rng), mm, rng)
    hint = see(scene.image, mm)
    spots = _spots(scene, hint, rng)
    hint = disturb(hint, rng)
    stack = np.stack([scene.image, hint, scene.truth.astype(np.float32), scene.weight])
    return [_cut(stack, y, x) for y, x in spots]


def hint_of(finder: nn.Module, image: Array, factors: Sequence[float]) -> Array:
    """Finder's probability at the image's own pixel: the mean of its looks at the image enlarged by each factor."""
    looks = [probability_map(finder, resampled(image, factor)) for factor in factors]
    return np.asarray(np.mean([sized(chance, image.shape) for chance in looks], axis=0), np.float32)


def disturb(hint: Array, rng: np.random.Generator) -> Array:
    """Hint as another finder would give it: sharper or flatter, shifted, with invented candidates."""
    logit = np.log(np.clip(hint, 1e-4, 1 - 1e-4) / (1 - np.clip(hint, 1e-4, 1 - 1e-4)))
    out = 1 / (1 + np.exp(-(logit * rng.uniform(0.6, 1.4) + rng.normal(0, 0.7))))
    out = ndimage.shift(out, rng.normal(0, 0.5, 2), order=1, mode="nearest")
    return np.asarray(out, np.float32)


def _spots(scene: Scene, hint: Array, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Centres of crops: true and false candidates, shaken."""
    parts, count = ndimage.label(hint > 0.15, np.ones((3, 3)))
    if not count:
        return []
    picked = rng.permutation(np.arange(1, count + 1))[:CROPS_EACH]
    centres = [np.argwhere(parts == n)[int(rng.integers((parts == n).sum()))] for n in picked]
    return [(int(y + rng.integers(-30, 31)), int(x + rng.integers(-30, 31))) for y, x in centres]


def _cut(stack: Array, y: int, x: int) -> Bytes:
    """Crop of CROP px round a spot; outside the film is air."""
    h = CROP // 2
    padded = np.pad(stack, ((0, 0), (CROP, CROP), (CROP, CROP)))
    top, left = (int(np.clip(v, 0, n)) + CROP - h for v, n in ((y, stack.shape[1]), (x, stack.shape[2])))
    part = padded[:, top : top + CROP, left : left + CROP]
    return np.round(part * 255).astype(np.uint8)


def train_outline(crops: Bytes, held: Bytes, scratch: Path, plan: OutlinePlan, start: Path | None = None) -> Finder:
    """Averaged outline network after `plan.steps`, begun afresh or at `start`."""
    torch.manual_seed(plan.seed)
    model = outline_network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if start:
        load_weights(model, start)
    averaged = copy.deepcopy(model)
    optimiser = torch.optim.AdamW(model.parameters(), plan.rate, weight_decay=1e-3)
    for step, batch in enumerate(_batches(crops, plan)):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, plan)
        loss = outline_loss(model.train(), batch)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()
        follow(averaged, model, min(plan.average, (step + 1) / (step + 11)))
        if (step + 1) % 250 == 0:
            torch.save(averaged.state_dict(), scratch / "outline.pt")
            log.info("outline step %d loss %.4f %s", step + 1, loss.item(), outline_figures(averaged.eval(), held))
    return averaged.eval()


def _batches(crops: Bytes, plan: OutlinePlan) -> Iterator[torch.Tensor]:
    """Random crops, turned and mirrored, 0..1."""
    rng = np.random.default_rng(plan.seed)
    for _ in range(plan.steps):
        some = crops[rng.integers(0, len(crops), plan.batch)]
        some = np.rot90(some, int(rng.integers(4)), (2, 3))
        some = some[..., ::-1] if rng.random() < 0.5 else some
        yield torch.from_numpy(some.astype(np.float32) / 255)


def outline_loss(model: Finder, batch: torch.Tensor) -> torch.Tensor:
    """Plain cross entropy near candidates (so that 0.5 is unbiased) plus a little soft Dice."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(batch[:, :2].contiguous(memory_format=torch.channels_last)).float()
    truth, weight = batch[:, 2:3], batch[:, 3:4]
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth, weight)
    chance = torch.sigmoid(logits) * weight
    dice = 1 - (2 * (chance * truth).sum() + 1) / (chance.sum() + (truth * weight).sum() + 1)
    return 8 * entropy + dice


@torch.no_grad()
def outline_figures(model: Finder, held: Bytes) -> str:
    """Pixel Dice and area bias over held crops at 0.5, and how the hint itself does."""
    totals = np.zeros((2, 3))
    for start in range(0, len(held), 32):
        part = torch.from_numpy(held[start : start + 32].astype(np.float32) / 255)
        chance = torch.sigmoid(model(part[:, :2].contiguous(memory_format=torch.channels_last)))
        truth, weight = part[:, 2:3] > 0.5, part[:, 3:4] > 0.5
        for row, found in enumerate((chance > 0.5, part[:, 1:2] > 0.5)):
            kept = found & weight
            totals[row] += [float((kept & truth).sum()), float(kept.sum()), float((truth & weight).sum())]
    dice, bias = 2 * totals[:, 0] / (totals[:, 1] + totals[:, 2]), totals[:, 1] / totals[:, 2] - 1
    return f"dice={dice[0]:.3f} bias={bias[0]:+.3f} (hint dice={dice[1]:.3f} bias={bias[1]:+.3f})"
