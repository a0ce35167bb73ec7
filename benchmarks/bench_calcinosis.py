"""Real calcinosis on films: which outlined deposits are touched, and Dice against the outlines.

python benchmarks/bench_calcinosis.py [--overlays FOLDER] [--weights deposits-free]

Five panels of one published image, without a scale. Deposits of low confidence count neither way.
Nothing is tuned here.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import tifffile

from calcimeasure import read_image
from calcimeasure.model.image import Kind
from calcimeasure.report.film_picture import overlay
from calcimeasure.steps.outline import SegmentSettings, segment

SHARED = Path(os.environ.get("CALCIMEASURE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
FILMS = SHARED / "data" / "calcinosis_radiographs"


def main() -> None:
    args = _arguments()
    touched = [0, 0]
    for name, sure in outlined().items():
        image = read_image(FILMS / name, kind=Kind.RADIOGRAPH)
        found = segment(image, SegmentSettings(weights=args.weights))
        truth = tifffile.imread((FILMS / name).with_suffix(".truth.tif"))
        hits, dice, beside = score(found.labels.array > 0, truth, sure)
        touched = [touched[0] + sum(hits), touched[1] + len(hits)]
        print(f"{name:30} touched {sum(hits)}/{len(hits)}  Dice {dice:.2f}  finds beside the outlines {beside}")
        if args.overlays:
            args.overlays.mkdir(parents=True, exist_ok=True)
            picture = overlay(image, found.labels, found.excluded)
            cv2.imwrite(str(args.overlays / name), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    print(f"touched in all {touched[0]}/{touched[1]}")


def outlined() -> dict[str, list[int]]:
    """Of each film, the numbers of the deposits that count."""
    sure = defaultdict(list)
    with (FILMS / "outlines.csv").open(newline="") as table:
        for row in csv.DictReader(table):
            if row["confidence"] in ("high", "medium"):
                sure[row["image"]].append(int(row["label"]))
    return dict(sure)


def score(found: np.ndarray, truth: np.ndarray, sure: list[int]) -> tuple[list[bool], float, int]:
    """Which deposits are touched, Dice over them, and finds that touch no outline at all."""
    real, doubtful = np.isin(truth, sure), (truth > 0) & ~np.isin(truth, sure)
    _, parts = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    on_doubtful = np.setdiff1d(parts[doubtful], parts[real])
    kept = found & ~np.isin(parts, on_doubtful[on_doubtful > 0])
    beside = np.setdiff1d(np.unique(parts[kept]), np.append(parts[real], 0))
    dice = 2 * (kept & real).sum() / max(1, kept.sum() + real.sum())
    return [bool((found & (truth == n)).any()) for n in sure], float(dice), len(beside)


def _arguments() -> argparse.Namespace:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--overlays", type=Path)
    cli.add_argument("--weights", default="deposits")
    return cli.parse_args()


if __name__ == "__main__":
    main()
