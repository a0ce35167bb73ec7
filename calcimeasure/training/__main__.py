"""Train the weights: python -m calcimeasure.training DATA_FOLDER --out weights.

Trains the finder on films and drawn limbs, then the outline network on what it sees, then fits the judge on
held-back films, and writes both ONNX files, their safetensors and deposits.json, which tells how they are used. With
--drawn-only it sees drawn limbs alone and writes deposits-free and outline-free. Interrupted, the same command goes on
from the last checkpoint in the scratch folder.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from calcimeasure.steps.outline.judge import FACTS
from calcimeasure.steps.outline.learned import Networks
from calcimeasure.steps.outline.weights import Weights
from calcimeasure.training.drawn import drawn_films
from calcimeasure.training.export import export_onnx, save_weights
from calcimeasure.training.films import Film, load_films
from calcimeasure.training.judge import fit_judge
from calcimeasure.training.network import Finder
from calcimeasure.training.outline import OutlinePlan, make_crops, train_outline
from calcimeasure.training.scenes import Hotspot
from calcimeasure.training.train import ONE, PRETRAINED, Plan, train_finder

SMALL = {"mm": 0.25, "side": 256, "batch": 12, "widths": (16, 32, 96, 160)}
"""What sets the finder of drawn limbs apart."""


def main() -> None:
    """Read the command line and train."""
    args = _arguments()
    torch.set_num_threads(args.threads)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    args.out.mkdir(parents=True, exist_ok=True)
    plan = replace(Plan(), seed=args.seed, rounds=(args.steps,) if args.steps else Plan().rounds)
    if args.one:
        one = replace(ONE, rounds=(args.steps or ONE.steps,))
        save_weights(train_finder(args.data, args.scratch, one, args.one), args.out / "one.safetensors")
    elif args.drawn_only:
        _drawn_only(args.out, args.scratch, plan)
    else:
        _from_films(args.data, args.out, args.scratch, plan)


def _from_films(data: Path, out: Path, scratch: Path, plan: Plan) -> None:
    """Four rounds on limbs, then one more with what films from elsewhere show; that one finder is asked once."""
    first = train_finder(data, scratch / "pretrained", _short(PRETRAINED, plan))
    save_weights(first, out / "deposits-pretrained.safetensors")
    finder = train_finder(data, scratch / "films", _short(ONE, plan), out / "deposits-pretrained.safetensors")
    save_weights(finder, out / "deposits.safetensors")
    export_onnx(finder, out / "deposits.onnx", "film")
    settings = replace(OutlinePlan(), seed=plan.seed + 1)
    _draw_outlines(finder, data, out, scratch / "films", settings)
    _write_card(out / "deposits.json", settings, "", load_films(data, "validation"))


def _short(plan: Plan, asked: Plan) -> Plan:
    """The run of a finder from photographs, as short as it was asked for."""
    rounds = plan.rounds if asked.rounds == Plan().rounds else asked.rounds
    return replace(plan, rounds=rounds, seed=plan.seed + asked.seed - Plan().seed)


def _drawn_only(out: Path, scratch: Path, plan: Plan) -> None:
    finder = train_finder(None, scratch / "free", replace(plan, **SMALL, rounds=(min(plan.steps, 2200),)))
    save_weights(finder, out / "deposits-free.safetensors")
    export_onnx(finder, out / "deposits-free.onnx", "film")
    settings = replace(OutlinePlan(), seed=plan.seed + 1, steps=500, working_mm=SMALL["mm"], looks=(0.85, 1.2))
    _draw_outlines(finder, None, out, scratch / "free", settings, "-free")
    _write_card(out / "deposits-free.json", settings, "-free", _clean_drawings())


def _clean_drawings() -> list[Film]:
    """Drawn limbs without calcium of their own that no network has seen."""
    return [film for film in drawn_films(45, 1) if film.answer is None]


def _write_card(card: Path, plan: OutlinePlan, suffix: str, films: Sequence[Film]) -> None:
    """Fit the judge of the networks beside the card, and write it."""
    use = {"file": f"deposits{suffix}.onnx", "working_mm": plan.working_mm, "looks": plan.looks}
    blank = {"base": 0.0, "weights": dict.fromkeys(FACTS, 0.0)}
    facts = {"finder": use, "outline": f"outline{suffix}.onnx", "judge": blank}
    card.write_text(json.dumps(facts, indent=1) + "\n")
    facts["judge"] = fit_judge(Networks.of(Weights.read(card), 2), films)
    card.write_text(json.dumps(facts, indent=1) + "\n")


def _draw_outlines(
    finder: nn.Module, data: Path | None, out: Path, scratch: Path, plan: OutlinePlan, suffix: str = ""
) -> None:
    """Train the outline network on what a finder sees, and write it."""
    outline = _outline(finder, data, scratch, plan)
    save_weights(outline, out / f"outline{suffix}.safetensors")
    export_onnx(outline, out / f"outline{suffix}.onnx", "film_and_hint", 2)


def _outline(finder: nn.Module, data: Path | None, scratch: Path, plan: OutlinePlan) -> Finder:
    spots = scratch / "hotspots.json"
    hot = [Hotspot(**row) for row in json.loads(spots.read_text())] if spots.exists() else []
    fit = make_crops(finder, data, "fit", plan, hot)
    held = make_crops(finder, data, "validation", replace(plan, scenes=max(1, plan.scenes // 15)), [])
    return train_outline(fit, held, scratch, plan)


def _arguments() -> argparse.Namespace:
    cli = argparse.ArgumentParser(prog="python -m calcimeasure.training", description=__doc__)
    cli.add_argument("data", type=Path, nargs="?", help="folder with split.csv, radiographs/ and radiographs_other/")
    cli.add_argument("--out", type=Path, required=True, help="folder for the weights")
    cli.add_argument("--scratch", type=Path, default=Path(".training"), help="folder for checkpoints")
    cli.add_argument("--drawn-only", action="store_true", help="train on drawn limbs alone")
    cli.add_argument("--one", type=Path, help="the fifth round alone, from these weights on")
    cli.add_argument("--steps", type=int, help="one round of so many steps for the finder, not the plan's rounds")
    cli.add_argument("--threads", type=int, default=1, help="processor threads of the networks")
    cli.add_argument("--seed", type=int, default=Plan().seed)
    args = cli.parse_args()
    if args.data is None and not args.drawn_only:
        cli.error("name the data folder, or give --drawn-only")
    return args


if __name__ == "__main__":
    main()
