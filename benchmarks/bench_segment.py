"""Segmentation against the shared bench: sensitivity, false positives, Dice, area bias, ICC, and films with metal.

python benchmarks/bench_segment.py [--methods classical learned] [--films 60] [--clean 20] [--seed 1] [--unknown-scale]
    [--weights deposits-free]

Cases and masks go to .benchmarks/ (ignored by git). The bench's own programs draw the cases and score the masks.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import tifffile

from calcimeasure.model.deposit import Segmentation
from calcimeasure.model.image import Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.steps.segment import SegmentSettings, segment

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("CALCIMEASURE_SHARED", ROOT.parent / "shared"))
OTHER_MM = 0.15


def main() -> None:
    args = _arguments()
    cases = ROOT / ".benchmarks" / f"cases-{args.films}-{args.clean}-{args.seed}"
    make_cases(args, cases)
    for method in args.methods:
        settings = SegmentSettings(method=method, weights=args.weights)
        for part in ("films", "clean"):
            score(args, settings, cases / part)
        others(args.shared / "data", settings)


def make_cases(args: argparse.Namespace, cases: Path) -> None:
    """Cases are drawn once for each seed and count; an interrupted drawing is not taken for a finished one."""
    done = cases / "done"
    if done.exists():
        return
    counts = ["--films", str(args.films), "--clean", str(args.clean), "--pairs", "0", "--seed", str(args.seed)]
    for table in cases.glob("*/spacing.csv"):  # the bench appends to it
        table.unlink()
    subprocess.run(
        [sys.executable, "-W", "ignore", args.shared / "bench" / "cases.py", "--out", cases, *counts], check=True
    )
    done.touch()


def score(args: argparse.Namespace, settings: SegmentSettings, folder: Path) -> None:
    """Segments a folder of cases and lets the bench score the masks."""
    masks = (
        folder.parent
        / f"masks-{settings.method}-{settings.weights}-{'unknown' if args.unknown_scale else 'known'}"
        / folder.name
    )
    masks.mkdir(parents=True, exist_ok=True)
    found, seconds = [], []
    for row in rows(folder / "spacing.csv"):
        image = film(folder / row["image"], None if args.unknown_scale else float(row["spacing_mm"]))
        start = time.perf_counter()
        found.append(segment(image, settings))
        seconds.append(time.perf_counter() - start)
        path = masks / f"{Path(row['image']).stem}.labels.tif"
        tifffile.imwrite(path, found[-1].labels.array.astype(np.uint16), compression="zlib")
    scale = "scale unknown" if args.unknown_scale else "scale given"
    print(f"\n== {folder.name}, {settings.method} ({settings.weights}), {scale}, seed {args.seed}")
    subprocess.run([sys.executable, args.shared / "bench" / "score.py", folder, masks], check=True)
    print(f"{'seconds_per_film':24} median {np.median(seconds):.2f}, longest {max(seconds):.2f}")
    print(f"{'excluded':24} {dropped(found)}")


def others(data: Path, settings: SegmentSettings) -> None:
    """What is called calcium on unmodified films with metal, shoulders and two panels (test films only)."""
    paths = [r["file"] for r in rows(data / "split.csv") if r["split"] == "test" and "radiographs_other" in r["file"]]
    found = [segment(film(data / path, OTHER_MM), settings) for path in paths]
    counts = [each.labels.count for each in found]
    print(f"\n== radiographs_other, test films, {OTHER_MM} mm/px")
    for path, count in zip(paths, counts, strict=True):
        print(f"{count:4}  {Path(path).stem}")
    print(f"found per film           mean {np.mean(counts):.2f}, median {np.median(counts):g} ({len(paths)} films)")
    print(f"excluded                 {dropped(found)}")


def film(path: Path, mm: float | None) -> Image:
    """A grey film, 8 or 16 bit, with the scale given by the bench."""
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    spacing = Spacing.of(mm, mm, SpacingOrigin.USER) if mm else None
    return Image(grey, Kind.RADIOGRAPH, Meaning.DISPLAY, spacing)


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def dropped(found: list[Segmentation]) -> str:
    counts = Counter(each.reason.value for result in found for each in result.excluded)
    return ", ".join(f"{reason} {count}" for reason, count in counts.most_common())


def _arguments() -> argparse.Namespace:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--methods", nargs="+", default=["classical", "learned"])
    cli.add_argument("--weights", default="deposits")
    cli.add_argument("--films", type=int, default=60)
    cli.add_argument("--clean", type=int, default=20)
    cli.add_argument("--seed", type=int, default=1)
    cli.add_argument("--unknown-scale", action="store_true")
    cli.add_argument("--shared", type=Path, default=SHARED)
    return cli.parse_args()


if __name__ == "__main__":
    main()
