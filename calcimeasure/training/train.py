"""Train the finder: cosine rate, averaged weights, mined hard negatives, checkpoints, resume."""

from __future__ import annotations

import copy
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.utils.data import DataLoader

from calcimeasure.training.drawn import drawn_films
from calcimeasure.training.export import load_weights, save_weights
from calcimeasure.training.feed import Scenes
from calcimeasure.training.films import HANDS, Film, load_films, load_others
from calcimeasure.training.network import STRIDE, Finder, loss_of
from calcimeasure.training.pretrained import PretrainedFinder, from_photographs
from calcimeasure.training.scenes import Hotspot
from calcimeasure.training.validate import figures, validation_scenes

Array = NDArray[np.float32]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """Settings of one run of the finder; the rate begins anew with every round of so many steps.

    `pretrained` takes the finder that has seen photographs, whose encoder learns at `encoder_rate` of the rate; `calm`
    is the share of scenes that are left unchanged but for a little noise, `subtle` that of deposits hard to see.
    """

    rounds: tuple[int, ...] = (7700, 10_500, 7500)
    batch: int = 8
    side: int = 320
    mm: float = 0.2
    widths: tuple[int, ...] = (32, 64, 128, 192)
    rate: float = 3e-3
    seed: int = 1
    save_every: int = 100
    check_every: int = 500
    average: float = 0.998
    warm_up: int = 300
    drawn: int = 72
    pretrained: bool = False
    encoder_rate: float = 0.35
    decay: float = 1e-3
    calm: float = 0.0
    subtle: float = 0.0

    @property
    def steps(self) -> int:
        """Length of the run."""
        return sum(self.rounds)

    @property
    def ends(self) -> tuple[int, ...]:
        """The step after which each round is over."""
        return tuple(accumulate(self.rounds))


PRETRAINED = Plan(
    rounds=(4000, 4500, 4500, 4000),
    seed=151,
    warm_up=200,
    check_every=1500,
    drawn=36,
    pretrained=True,
    decay=1e-2,
    calm=0.35,
    subtle=0.5,
)
"""The first four rounds of the pretrained finder: limbs and drawn limbs alone."""
ONE = replace(PRETRAINED, rounds=(3000,), rate=1.2e-3, seed=201, warm_up=100, check_every=500, subtle=0.4, drawn=48)
"""Its fifth round, with hands and what films from elsewhere show: the one finder that is shipped."""
MINED_EACH = 10
"""One clean training film in so many is looked at anew for false finds at every check."""


def train_finder(data: Path | None, scratch: Path, plan: Plan, start: Path | None = None) -> nn.Module:
    """Averaged network after `plan.steps`; continues from scratch/finder.pt, or begins at `start`.

    Without a data folder it sees drawn limbs alone. What every round ends with is kept in scratch/round-N.safetensors.
    """
    torch.manual_seed(plan.seed)
    films = _films(data, plan)
    held = _held(data)
    begun = from_photographs() if plan.pretrained else Finder(plan.widths)
    model = begun.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if start:
        load_weights(model, start)
    run = _Run(model, scratch, plan)
    run.resume()
    if start and not run.step:
        write_hotspots(run.averaged, films, plan.mm, scratch / "hotspots.json", 0)
    feed = Scenes(films, plan.side, plan.mm, plan.seed, scratch / "hotspots.json", plan.steps * plan.batch)
    rest = torch.utils.data.Subset(feed, range(run.step * plan.batch, len(feed)))
    for batch in DataLoader(rest, plan.batch):
        run.advance(*batch)
        if run.step % plan.save_every == 0:
            run.save()
        if run.step in plan.ends:
            save_weights(run.averaged, scratch / f"round-{plan.ends.index(run.step) + 1}.safetensors")
        if run.step % plan.check_every == 0:
            write_hotspots(run.averaged, films, plan.mm, scratch / "hotspots.json", run.step // plan.check_every)
            report(run.averaged, held, plan.mm, run.step)
    run.save()
    return run.averaged


def _held(data: Path | None) -> list[Film]:
    """Films that no network learns from: limbs, others, and every fifth of the hands kept back."""
    if data is None:
        return [f for f in drawn_films(45, 1) if f.answer is None]
    held = load_films(data, "validation")
    hands = [f for f in held if f.source == HANDS]
    return [*(f for f in held if f.source != HANDS), *hands[::5]]


def _films(data: Path | None, plan: Plan) -> list[Film]:
    """Backgrounds of a run; a pretrained finder also sees the films that are no limbs at their own size."""
    if data is None:
        return drawn_films(3 * plan.drawn, 1000)
    films = [*load_films(data, "fit"), *drawn_films(plan.drawn, 1000)]
    if plan.pretrained:
        films = [replace(f, share=0.3) if f.hard else f for f in films]
        films += [replace(f, share=0.4) for f in load_others(data)]
    return [replace(f, calm=plan.calm, subtle=plan.subtle) for f in films]


class Schedule(Protocol):
    """What a learning rate depends on."""

    @property
    def rate(self) -> float:
        """Highest rate."""

    @property
    def steps(self) -> int:
        """Length of the run."""

    @property
    def warm_up(self) -> int:
        """Steps until the highest rate."""


class _Run:
    """A network, its optimiser, its running average and its place in the plan."""

    def __init__(self, model: nn.Module, scratch: Path, plan: Plan) -> None:
        self.model, self.plan, self.path = model, plan, scratch / "finder.pt"
        self.averaged, self.step = copy.deepcopy(model).eval(), 0
        self.optimiser = torch.optim.AdamW(parameter_groups(model, plan), plan.rate, weight_decay=plan.decay)
        self.clock, self.mean, self.begun = time.monotonic(), 0.0, 0
        scratch.mkdir(parents=True, exist_ok=True)

    def advance(self, image: Tensor, truth: Tensor, weight: Tensor) -> None:
        """One step."""
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = rate_of_round(self.step, self.plan) * group["share"]
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.model(image.contiguous(memory_format=torch.channels_last))
        loss = loss_of(logits.float(), truth, weight)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 2.0)
        self.optimiser.step()
        self.step += 1
        self._note(loss.item())
        follow(self.averaged, self.model, min(self.plan.average, self.step / (self.step + 20)))

    def _note(self, loss: float) -> None:
        self.mean += (loss - self.mean) / min(self.step - self.begun, 100)
        if self.step % 100 == 0:
            seconds, self.clock = (time.monotonic() - self.clock) / 100, time.monotonic()
            log.info("step %d loss %.4f %.3f s/step", self.step, self.mean, seconds)

    def save(self) -> None:
        """Write everything needed to go on."""
        parts = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }
        torch.save(parts, self.path.with_suffix(".new"))
        self.path.with_suffix(".new").replace(self.path)

    def resume(self) -> None:
        """Take up a saved run, if there is one."""
        if not self.path.exists():
            return
        parts = torch.load(self.path, weights_only=True)
        self.model.load_state_dict(parts["model"])
        self.averaged.load_state_dict(parts["averaged"])
        self.optimiser.load_state_dict(parts["optimiser"])
        self.step = self.begun = int(parts["step"])


def parameter_groups(model: nn.Module, plan: Plan) -> list[dict[str, object]]:
    """Parameters with the share of the rate they learn at: what is known already is changed more slowly."""
    known = list(model.encoder.parameters()) if isinstance(model, PretrainedFinder) else []
    ids = {id(p) for p in known}
    rest = [p for p in model.parameters() if id(p) not in ids]
    groups: list[dict[str, object]] = [{"params": rest, "share": 1.0}]
    return [*groups, {"params": known, "share": plan.encoder_rate}] if known else groups


def rate_of_round(step: int, plan: Plan) -> float:
    """Rate of a run of several rounds."""
    for length in plan.rounds:
        if step < length:
            return rate_at(step, replace(plan, rounds=(length,)))
        step -= length
    return rate_at(plan.rounds[-1], replace(plan, rounds=plan.rounds[-1:]))


def rate_at(step: int, plan: Schedule) -> float:
    """Linear warm-up, then half a cosine down to 1 % of the rate."""
    if step < plan.warm_up:
        return plan.rate * (step + 1) / plan.warm_up
    done = min(1.0, (step - plan.warm_up) / max(1, plan.steps - plan.warm_up))
    return plan.rate * (0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * done))))


@torch.no_grad()
def follow(averaged: nn.Module, model: nn.Module, keep: float) -> None:
    """Move every averaged tensor a little towards the model's."""
    for mine, theirs in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
        if mine.dtype.is_floating_point:
            mine.lerp_(theirs, 1 - keep)
        else:
            mine.copy_(theirs)


@torch.no_grad()
def probability_map(model: nn.Module, film: Array) -> Array:
    """Whole-film probabilities; the film is padded with air to a multiple of STRIDE."""
    h, w = film.shape
    padded = np.pad(film, ((0, -h % STRIDE), (0, -w % STRIDE)))
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(torch.from_numpy(padded)[None, None].contiguous(memory_format=torch.channels_last))
    return np.asarray(torch.sigmoid(logits.float())[0, 0, :h, :w].numpy(), np.float32)


def write_hotspots(model: nn.Module, films: Sequence[Film], mm: float, path: Path, turn: int) -> None:
    """Where the network sees deposits on clean training films: a share of them looked at anew, the rest as known."""
    clean = [film for film in films if film.answer is None][turn % MINED_EACH :: MINED_EACH]
    anew = {film.name for film in clean}
    known = [row for row in json.loads(path.read_text()) if row["film"] not in anew] if path.exists() else []
    spots = [asdict(spot) for film in clean for spot in hotspots_of(model, film, mm)]
    path.with_suffix(".new").write_text(json.dumps([*known, *spots]))
    path.with_suffix(".new").replace(path)
    log.info("hotspots: %d on %d clean training films; %d known before", len(spots), len(clean), len(known))


def hotspots_of(model: nn.Module, film: Film, mm: float) -> list[Hotspot]:
    """Components over 0.3 and 1 mm2 on one clean film."""
    chance = probability_map(model, film.at(mm))
    parts, count = ndimage.label(chance > 0.3, np.ones((3, 3)))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    large = [n for n in range(1, count + 1) if sizes[n] * mm * mm >= 1.0]
    centres = ndimage.center_of_mass(parts > 0, parts, large)
    tops = ndimage.maximum(chance, parts, large)
    return [Hotspot(film.name, y * mm, x * mm, float(t)) for (y, x), t in zip(centres, tops, strict=True)]


def report(model: nn.Module, films: Sequence[Film], mm: float, step: int) -> None:
    """Log the validation figures of each source at a few thresholds."""
    for source in sorted({film.source for film in films}):
        scenes = validation_scenes([film for film in films if film.source == source], mm, 3, 77)
        maps = [probability_map(model, s.image) for s in scenes]
        for threshold in (0.3, 0.5, 0.8):
            log.info("step %d %s %s", step, source, figures(scenes, maps, mm, threshold))
