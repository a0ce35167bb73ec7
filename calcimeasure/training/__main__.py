"""Train the weights: python -m calcimeasure.training DATA_FOLDER --out weights.

Trains the finder and the outline network and writes deposits.onnx, outline.onnx and their
safetensors. Interrupted, the same command goes on from the last checkpoint in the scratch folder.
"""

from __future__ import annotations

import argparse
import json
import logging
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
    finder = train_finder(args.data, args.scratch, plan, args.start)
    _write(finder, args.out / "deposits.onnx", "film")
    outline = _outline(finder, args.data, args.scratch, replace(OutlinePlan(), seed=args.seed + 1))
    _write(outline, args.out / "outline.onnx", "film_and_hint")


def _arguments() -> argparse.Namespace:
    cli = argparse.ArgumentParser(prog="python -m calcimeasure.training", description=__doc__)
    cli.add_argument("data", type=Path, help="folder with split.csv, radiographs/ and radiographs_other/")
    cli.add_argument("--out", type=Path, required=True, help="folder for the weights")
    cli.add_argument("--scratch", type=Path, default=Path(".training"), help="folder for checkpoints")
    cli.add_argument("--start", type=Path, help="safetensors to start the finder from")
    cli.add_argument("--steps", type=int, default=Plan().steps, help="steps of the finder")
    cli.add_argument("--seed", type=int, default=Plan().seed)
    return cli.parse_args()


def _outline(finder: Finder, data: Path, scratch: Path, plan: OutlinePlan) -> Finder:
    spots = scratch / "hotspots.json"
    hot = [Hotspot(**row) for row in json.loads(spots.read_text())] if spots.exists() else []
    fit = make_crops(finder, data, "fit", plan, hot)
    held = make_crops(finder, data, "validation", replace(plan, scenes=plan.scenes // 15), [])
    return train_outline(fit, held, scratch, plan)


def _write(network: Finder, onnx: Path, name: str) -> None:
    export_onnx(network, onnx, name)
    save_weights(network, onnx.with_suffix(".safetensors"))


if __name__ == "__main__":
    main()
