"""Train the weights: python -m calcimeasure.training DATA_FOLDER --out weights.

Trains two finders, the second from where the first ended and with drawn limbs besides, and the outline network, and
writes deposits.onnx (the mean of both finders), outline.onnx and their safetensors. With --drawn-only it sees drawn
limbs alone and writes deposits-free.onnx and outline-free.onnx. Interrupted, the same command goes on from the last
checkpoint in the scratch folder.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from calcimeasure.training.export import export_onnx, save_weights
from calcimeasure.training.network import Finder
from calcimeasure.training.outline import OutlinePlan, make_crops, train_outline
from calcimeasure.training.scenes import Hotspot
from calcimeasure.training.train import Plan, train_finder


def main() -> None:
    """Read the command line and train."""
    args = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    args.out.mkdir(parents=True, exist_ok=True)
    plan = replace(Plan(), seed=args.seed, steps=args.steps)
    if args.drawn_only:
        _drawn_only(args.out, args.scratch, plan)
    else:
        _from_films(args.data, args.out, args.scratch, plan)


def _from_films(data: Path, out: Path, scratch: Path, plan: Plan) -> None:
    first = train_finder(data, scratch / "first", replace(plan, drawn=0))
    save_weights(first, out / "deposits-first.safetensors")
    after = replace(plan, steps=plan.steps // 2, rate=2e-3, average=0.9985, warm_up=150, seed=plan.seed + 10)
    second = train_finder(data, scratch / "second", after, out / "deposits-first.safetensors")
    save_weights(second, out / "deposits.safetensors")
    outline = _outline(first, data, scratch / "first", replace(OutlinePlan(), seed=plan.seed + 1, drawn=0))
    save_weights(outline, out / "outline.safetensors")
    _export([first, second], outline, out, "")


def _drawn_only(out: Path, scratch: Path, plan: Plan) -> None:
    finder = train_finder(None, scratch / "free", plan)
    save_weights(finder, out / "deposits-free.safetensors")
    outline = _outline(finder, None, scratch / "free", replace(OutlinePlan(), seed=plan.seed + 1))
    save_weights(outline, out / "outline-free.safetensors")
    _export([finder], outline, out, "-free")


def _export(finders: Sequence[Finder], outline: Finder, out: Path, suffix: str) -> None:
    export_onnx(finders, out / f"deposits{suffix}.onnx", "film")
    export_onnx([outline], out / f"outline{suffix}.onnx", "film_and_hint")


def _outline(finder: Finder, data: Path | None, scratch: Path, plan: OutlinePlan) -> Finder:
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
    cli.add_argument("--steps", type=int, default=Plan().steps, help="steps of the first finder; the second takes half")
    cli.add_argument("--seed", type=int, default=Plan().seed)
    args = cli.parse_args()
    if args.data is None and not args.drawn_only:
        cli.error("name the data folder, or give --drawn-only")
    return args


if __name__ == "__main__":
    main()
