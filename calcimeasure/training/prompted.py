"""Train the network that outlines what it is pointed at, with a second answer: whether anything is there.

Each target is shown under two prompts at once; what differs between the two answers is an error of its own.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from calcimeasure.steps.outline.learned import resampled, sized
from calcimeasure.steps.outline.prompted import CHANNELS, CROP
from calcimeasure.training.drawn import drawn_films
from calcimeasure.training.export import export_prompted, load_weights, save_weights
from calcimeasure.training.films import Film, load_films, load_others
from calcimeasure.training.network import Layer
from calcimeasure.training.outline import disturb
from calcimeasure.training.pretrained import PretrainedFinder
from calcimeasure.training.prompts import Array, Target, corrected, targets
from calcimeasure.training.scenes import Hotspot
from calcimeasure.training.train import follow, probability_map, rate_at

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PromptPlan:
    """Settings of one run; a batch holds `batch` targets under two prompts each."""

    steps: int = 3000
    batch: int = 8
    rate: float = 2e-3
    seed: int = 7
    average: float = 0.998
    warm_up: int = 200
    save_every: int = 100
    check_every: int = 500
    corrections: float = 0.35
    agreement: float = 1.0
    drawn: int = 48
    working_mm: float = 0.2


class Prompted(nn.Module):
    """Crops (N, CHANNELS, S, S), S a multiple of 16, to a logit map (N, 1, S, S) and a logit (N, 1) of anything there.

    It is the finder from photographs with the prompt laid into each of its levels: it knows what calcium looks like
    from the start, and has to learn which of it is meant.
    """

    def __init__(self, widths: tuple[int, ...] = (32, 48, 64, 112), inputs: int = CHANNELS) -> None:
        super().__init__()
        self.finder = PretrainedFinder(widths)
        given = inputs - 1
        self.pointed = nn.ModuleList([_silent(nn.Conv2d(4 * given, widths[0], 3, padding=1))])
        self.pointed.extend([_silent(nn.Conv2d(given, w, 3, padding=1)) for w in widths[1:]])
        self.mixed = nn.ModuleList([Mixed(widths[-2], 32, (1, 2)), Mixed(widths[-1], 48, (1, 2, 4))])
        self.judge = nn.Sequential(nn.Linear(2 * widths[0] + widths[-1] + 1, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the map and of the whole."""
        finder, film, prompt = self.finder, crops[:, :1], crops[:, 1:]
        levels = [side(x) for side, x in zip(finder.side, finder.encoder(film), strict=True)]
        levels[0] = levels[0] + finder.fine(functional.pixel_unshuffle(film, 2))
        shown = [functional.pixel_unshuffle(prompt, 2)]
        shown += [functional.avg_pool2d(prompt, 2**k) for k in range(2, len(levels) + 1)]
        levels = [level + layer(x) for level, layer, x in zip(levels, self.pointed, shown, strict=True)]
        deep = x = finder.deep(self.mixed[1](functional.relu(levels[-1])))
        levels[-2] = self.mixed[0](levels[-2])
        for k in reversed(range(len(finder.decode))):
            larger = functional.interpolate(finder.up[k](x), scale_factor=2.0, mode="nearest")
            x = finder.decode[k](functional.relu(levels[k] + larger))
        logits = functional.pixel_shuffle(finder.head(x), 2)
        return logits, self.judge(self._facts(crops, x, deep, logits))

    def _facts(self, crops: Tensor, fine: Tensor, deep: Tensor, logits: Tensor) -> Tensor:
        """What lies under the prompt, under the outline, in the whole crop; and how large the outline is."""
        pointed = functional.avg_pool2d(crops[:, 2:3] + 0.2 * crops[:, 4:5] + 0.5 * crops[:, 5:6], 2) + 1e-4
        outlined = functional.avg_pool2d(torch.sigmoid(logits.float()).to(fine.dtype), 2) + 1e-4
        means = [(fine * w).sum((2, 3)) / w.sum((2, 3)) for w in (pointed, outlined)]
        return torch.cat([*means, deep.mean((2, 3)), torch.log(outlined.sum((2, 3))) / 4], 1)


class Mixed(nn.Module):
    """What lies far apart seen together: dilated layers on few channels, with a shortcut round them."""

    def __init__(self, width: int, inner: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        layers = [Layer(inner, inner, d) for d in dilations]
        self.layers = nn.Sequential(nn.Conv2d(width, inner, 1), *layers, _silent(nn.Conv2d(inner, width, 1)))

    def forward(self, x: Tensor) -> Tensor:
        """Same size, same channels."""
        return x + self.layers(x)


def _silent(layer: nn.Conv2d) -> nn.Conv2d:
    """A layer that says nothing until it has learnt something."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def loss_of(answers: tuple[Tensor, Tensor], truth: Tensor, there: Tensor, agreement: float) -> Tensor:
    """Cross entropy and Dice of the map, cross entropy of the whole where it is known, and the pair's disagreement.

    `there` is -1 where it is not known; rows 2k and 2k + 1 are one target under two prompts.
    """
    logits, whole = answers[0].float(), answers[1].float()[:, 0]
    chance = torch.sigmoid(logits)
    entropy = functional.binary_cross_entropy_with_logits(logits, truth)
    real = (truth.sum((1, 2, 3)) > 8).float()
    overlap = (2 * (chance * truth).sum((1, 2, 3)) + 4) / (chance.sum((1, 2, 3)) + truth.sum((1, 2, 3)) + 4)
    dice = ((1 - overlap) * real).sum() / real.sum().clamp(min=1)
    known = (there >= 0).float()
    sure = functional.binary_cross_entropy_with_logits(whole, there.clamp(min=0), known)
    apart = (chance[0::2] - chance[1::2]).square().sum((1, 2, 3)) / (chance.sum((1, 2, 3))[0::2] + 30)
    return 6 * entropy + dice + 0.6 * sure + agreement * 0.5 * apart.mean()


@dataclass(frozen=True, slots=True)
class _Batch:
    seen: Tensor
    truth: Tensor
    there: Tensor


def batch_of(some: Sequence[Target]) -> _Batch:
    """Targets under both prompts as one batch."""
    seen = torch.from_numpy(np.concatenate([t.seen for t in some]))
    truth = torch.from_numpy(np.stack([t.truth for t in some]).repeat(2, 0))
    there = torch.tensor([-1.0 if t.there is None else t.there for t in some for _ in range(2)])
    return _Batch(seen.contiguous(memory_format=torch.channels_last), truth, there)


@dataclass(slots=True)
class Feed:
    """Endless targets; the finder is asked in half of the scenes."""

    films: list[Film]
    finder: nn.Module | None
    hotspots: Path
    mm: float

    def targets(self, seed: int) -> Iterator[Target]:
        """Targets of scene after scene, in a pool that mixes them."""
        rng, pool = np.random.default_rng(seed), []
        spots = [Hotspot(**row) for row in json.loads(self.hotspots.read_text())] if self.hotspots.exists() else []
        while True:
            pool += targets(self.films, spots, self._look(rng) if self.finder else None, rng)
            while len(pool) > 48:
                yield pool.pop(int(rng.integers(len(pool))))

    def _look(self, rng: np.random.Generator):  # type: ignore[no-untyped-def]
        def look(image: Array, mm: float) -> Array:
            chance = probability_map(self.finder, resampled(image, mm / self.mm))  # type: ignore[arg-type]
            return disturb(sized(chance, image.shape), rng)

        return look


class Run:
    """A network, its optimiser, its running average and its place in the plan."""

    def __init__(self, scratch: Path, plan: PromptPlan, finder: nn.Module) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.path, self.step = plan, scratch / "prompted.pt", 0
        self.model = Prompted()
        self.model.finder.load_state_dict(finder.state_dict())
        self.model = self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.model).eval()
        self.optimiser = torch.optim.AdamW(_groups(self.model, plan.rate), plan.rate, weight_decay=1e-3)
        self.rng, self.mean, self.clock = np.random.default_rng(plan.seed), 0.0, time.monotonic()
        scratch.mkdir(parents=True, exist_ok=True)

    def advance(self, batch: _Batch) -> None:
        """One step; in some of them the network first answers and is then corrected by a click."""
        if self.rng.random() < self.plan.corrections:
            batch = self._corrected(batch)
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(self.step, self.plan) * group["share"]
        with torch.autocast("cpu", torch.bfloat16):
            answers = self.model.train()(batch.seen)
        loss = loss_of(answers, batch.truth, batch.there, self.plan.agreement)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 2.0)
        self.optimiser.step()
        self.step += 1
        follow(self.averaged, self.model, min(self.plan.average, self.step / (self.step + 20)))
        self.mean += (loss.item() - self.mean) / min(self.step, 100)
        if self.step % 100 == 0:
            seconds, self.clock = (time.monotonic() - self.clock) / 100, time.monotonic()
            log.info("step %d loss %.4f %.3f s/step", self.step, self.mean, seconds)

    @torch.no_grad()
    def _corrected(self, batch: _Batch) -> _Batch:
        with torch.autocast("cpu", torch.bfloat16):
            chance = torch.sigmoid(self.averaged(batch.seen)[0].float()).numpy()[:, 0]
        truth, seen = batch.truth.numpy()[:, 0], batch.seen.numpy()
        # Targets with nothing there have no errors to click on: a click inside would lie, one outside says it all.
        new = [corrected(*one, self.rng) if one[1].any() else one[0] for one in zip(seen, truth, chance, strict=True)]
        return replace(batch, seen=torch.from_numpy(np.stack(new)).contiguous(memory_format=torch.channels_last))

    def save(self) -> None:
        """Write everything needed to go on."""
        parts = {"model": self.model.state_dict(), "averaged": self.averaged.state_dict()}
        parts |= {"optimiser": self.optimiser.state_dict(), "step": self.step}
        torch.save(parts, self.path.with_suffix(".new"))
        self.path.with_suffix(".new").replace(self.path)

    def resume(self) -> None:
        """Take up a saved run, if there is one."""
        if self.path.exists():
            parts = torch.load(self.path, weights_only=True)
            self.model.load_state_dict(parts["model"])
            self.averaged.load_state_dict(parts["averaged"])
            self.optimiser.load_state_dict(parts["optimiser"])
            self.step = int(parts["step"])


def _groups(model: Prompted, rate: float) -> list[dict[str, object]]:
    """What the finder knows is changed more slowly, its encoder most."""
    known, encoder = list(model.finder.parameters()), list(model.finder.encoder.parameters())
    ids = [{id(p) for p in some} for some in (known, encoder)]
    rest = [p for p in model.parameters() if id(p) not in ids[0]]
    middle = [p for p in known if id(p) not in ids[1]]
    shares = ((rest, 1.0), (middle, 0.6), (encoder, 0.25))
    return [{"params": some, "share": share, "lr": rate * share} for some, share in shares]


@torch.no_grad()
def figures(model: nn.Module, held: Sequence[Target]) -> str:
    """Median IoU of real targets under their prompts, area ratio, agreement of pairs, and who is told from whom."""
    overlaps, ratios, apart, real, empty = [], [], [], [], []
    for start in range(0, len(held), 8):
        some = held[start : start + 8]
        batch = batch_of(some)
        with torch.autocast("cpu", torch.bfloat16):
            logits, whole = model(batch.seen)
        found, chance = (logits.float() > 0).numpy()[:, 0], torch.sigmoid(whole.float())[:, 0].numpy()
        for k, target in enumerate(some):
            truth, pair = target.truth[0] > 0.5, found[2 * k : 2 * k + 2]
            if target.there == 1 and truth.any():
                overlaps += [(f & truth).sum() / (f | truth).sum() for f in pair]
                ratios += [f.sum() / truth.sum() for f in pair]
                apart.append(abs(np.log((pair[0].sum() + 5) / (pair[1].sum() + 5))))
                real += list(chance[2 * k : 2 * k + 2])
            elif target.there == 0:
                empty += list(chance[2 * k : 2 * k + 2])
    level = float(np.percentile(real, 5))
    refused = float(np.mean(np.array(empty) < level))
    return (
        f"iou={np.median(overlaps):.3f} area={np.median(ratios):.3f} apart={np.median(apart):.3f} "
        f"refused={refused:.3f} at {level:.2f} n={len(real)}/{len(empty)}"
    )


def held_targets(films: list[Film], count: int, seed: int) -> list[Target]:
    """The same targets at every check, without the finder's map."""
    feed = Feed(films, None, Path("none"), 0.2).targets(seed)
    return [next(feed) for _ in range(count)]


def train_prompted(data: Path, scratch: Path, plan: PromptPlan, finder: nn.Module, spots: Path) -> nn.Module:
    """Averaged network after `plan.steps`; goes on from scratch/prompted.pt."""
    cv2.setNumThreads(1)
    films = [replace(f, share=0.3) if f.hard else f for f in [*load_films(data, "fit"), *drawn_films(plan.drawn, 1000)]]
    films = [replace(f, calm=0.35, subtle=0.35) for f in [*films, *(replace(f, share=0.3) for f in load_others(data))]]
    held = load_films(data, "validation")
    checks = {
        s: held_targets([replace(f, share=1) for f in held if f.source == s], 160, 5) for s in ("hands", "radiographs")
    }
    run = Run(scratch, plan, finder)
    run.resume()
    feed = Feed(films, finder, spots, plan.working_mm).targets(plan.seed * 1000 + run.step)
    while run.step < plan.steps:
        run.advance(batch_of([next(feed) for _ in range(plan.batch)]))
        if run.step % plan.save_every == 0:
            run.save()
        if run.step % plan.check_every == 0:
            for source, some in checks.items():
                log.info("step %d %s %s", run.step, source, figures(run.averaged, some))
    run.save()
    return run.averaged


def main() -> None:
    """Read the command line and train."""
    cli = argparse.ArgumentParser(prog="python -m calcimeasure.training.prompted", description=__doc__)
    cli.add_argument("data", type=Path)
    cli.add_argument("--out", type=Path, required=True)
    cli.add_argument("--scratch", type=Path, default=Path(".training"))
    cli.add_argument("--finder", type=Path, required=True, help="safetensors of the finder from photographs")
    cli.add_argument("--hotspots", type=Path, default=Path("none"))
    cli.add_argument("--steps", type=int, default=PromptPlan().steps)
    args = cli.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(1)
    finder = PretrainedFinder().to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    load_weights(finder, args.finder)
    plan = PromptPlan(steps=args.steps)
    network = train_prompted(args.data, args.scratch, plan, finder, args.hotspots)
    save_weights(network, args.out / "prompted.safetensors")
    export_prompted(network, args.out / "prompted.onnx", CHANNELS, CROP)


if __name__ == "__main__":
    main()
