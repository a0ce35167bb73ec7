"""Segmentation against the shared bench: sensitivity, false positives, Dice, area bias, ICC, and films with metal.

python benchmarks/bench_segment.py [--methods learned] [--source radiographs|hands] [--pixel-mm 0.13 0.2 0.27 0.4]
    [--films 60] [--clean 20] [--seed 1] [--unknown-scale] [--weights deposits-free | --card FILE]
    [--held-back] [--no-others]

Cases and masks go to .benchmarks/ (ignored by git). The bench's own programs draw the cases and score the masks; with
--pixel-mm the same films are reduced to each of these pixel sizes (the bench takes every film for 220 mm long).
With --held-back the cases are drawn on the training films that no network saw: settings are chosen on those alone.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import resource
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
from calcimeasure.steps.outline import SegmentSettings, segment
from calcimeasure.steps.outline.weights import Weights
from calcimeasure.training.films import film_paths

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("CALCIMEASURE_SHARED", ROOT.parent / "shared"))
OTHER_MM = 0.15
NOMINAL_MM = 220.0
KINDS = {"test": "cases", "validation": "held-back", "calibrate": "calibrate"}
"""Parts of split.csv (`calcimeasure.training.films.film_paths`), and how the folders of their cases begin."""
PARTS = {
    "finger, hand": (
        "metacarp",
        "boxer",
        "bennett",
        "phalangeal",
        "phalanx",
        "phalynx",
        "scaphoid",
        "finger",
        "dip-joint",
    ),
    "toe, foot": ("toe", "metatars", "calcane", "navicular", "lisfranc", "base-of-proximal-phala"),
    "wrist, forearm, elbow": ("radial", "radius", "colles", "barton", "die-punch", "forearm", "humerus", "biceps"),
    "ankle": ("ankle", "fibula", "talofibular", "achilles"),
    "knee, leg": ("knee", "cruciate", "patella", "acl-", "tibia"),
    "hip, thigh, pelvis": ("trochant", "femoral", "acetabul", "hip"),
}
"""Words in a film's name, cut at 40 letters by the bench: the part of the body. One film of toes was looked at.

The first that fits counts, those of feet before hands.
"""


def main() -> None:
    args = _arguments()
    if args.card:
        tried = Weights.read(args.card)
        Weights.named = classmethod(lambda cls, name: tried)
    for mm in args.pixel_mm or [None]:
        cases = make_cases(args, mm)
        for method in args.methods:
            settings = SegmentSettings(method=method, weights=args.weights)
            for part in ("films", "clean"):
                if (cases / part).exists():
                    score(args, settings, cases / part)
    for method in args.methods if args.others else ():
        others(args.shared / "data", SegmentSettings(method=method, weights=args.weights))


def make_cases(args: argparse.Namespace, mm: float | None) -> Path:
    """Cases are drawn once for each source, pixel, seed and count; an interrupted drawing is not taken for finished."""
    kind = KINDS[args.part]
    pixel = f"-{mm:g}mm" if mm else ""
    cases = ROOT / ".benchmarks" / f"{kind}-{args.source}{pixel}-{args.films}-{args.clean}-{args.seed}"
    done = cases / "done"
    if done.exists():
        return cases
    for table in cases.glob("*/spacing.csv"):  # the bench appends to it
        table.unlink()
    words = ["--out", str(cases), "--films", str(args.films), "--clean", str(args.clean), "--pairs", "0"]
    words += ["--seed", str(args.seed), "--source", args.source]
    if mm:
        words += ["--long-side", str(round(NOMINAL_MM / mm))]
    draw(args, words)
    done.touch()
    return cases


def draw(args: argparse.Namespace, words: list[str]) -> None:
    """The bench's cases, on its films or on those that training kept back (`calcimeasure.training.films`)."""
    program = args.shared / "bench" / "cases.py"
    source = importlib.util.spec_from_file_location("cases", program)
    drawer = importlib.util.module_from_spec(source)
    source.loader.exec_module(drawer)
    if args.part != "test":
        held = [path for path in film_paths(args.shared / "data", args.part) if path.parent.name == args.source]
        drawer.test_films = lambda source: held
    sys.argv = [str(program), *words]
    drawer.main()


def score(args: argparse.Namespace, settings: SegmentSettings, folder: Path) -> None:
    """Segments a folder of cases and lets the bench score the masks."""
    masks = (
        folder.parent
        / f"masks-{settings.method}-{args.told}-{'unknown' if args.unknown_scale else 'known'}"
        / folder.name
    )
    masks.mkdir(parents=True, exist_ok=True)
    found, seconds = [], []
    for row in rows(folder / "spacing.csv"):
        image = film(folder / row["image"], None if args.unknown_scale else float(row["spacing_mm"]))
        start = time.process_time()
        found.append(segment(image, settings))
        seconds.append(time.process_time() - start)
        path = masks / f"{Path(row['image']).stem}.labels.tif"
        tifffile.imwrite(path, found[-1].labels.array.astype(np.uint16), compression="zlib")
    scale = "scale unknown" if args.unknown_scale else "scale given"
    print(f"\n== {folder.parent.name}/{folder.name}, {settings.method} ({args.told}), {scale}", flush=True)
    scores = masks.parent / f"{folder.name}.json"
    subprocess.run([sys.executable, args.shared / "bench" / "score.py", folder, masks, "--json", scores], check=True)
    by_part(json.loads(scores.read_text())["films"])
    print(f"{'processor_seconds':24} median {np.median(seconds):.2f}, longest {max(seconds):.2f}")
    print(f"{'peak memory':24} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    print(f"{'excluded':24} {dropped(found)}")


def by_part(films: dict[str, dict]) -> None:
    """Sensitivity and false finds for each part of the body."""
    for part in [*PARTS, "other"]:
        mine = [film for name, film in films.items() if part_of(name) == part]
        counted = [d["hit"] for film in mine for d in film["deposits"] if d["counts"]]
        if mine:
            found = f"found {sum(counted)}/{len(counted)}"
            print(f"  {part:22} {found:15} FP/film {np.mean([film['false'] for film in mine]):.2f} ({len(mine)} films)")


def part_of(name: str) -> str:
    """Part of the body that a film's name speaks of."""
    order = ["toe, foot", "finger, hand", *list(PARTS)[2:]]
    return next((part for part in order if any(word in name.lower() for word in PARTS[part])), "other")


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
    cli.add_argument("--methods", nargs="+", default=["learned"])
    cli.add_argument("--source", choices=("radiographs", "hands"), default="radiographs")
    cli.add_argument("--pixel-mm", type=float, nargs="+", help="reduce the films to each of these pixel sizes")
    cli.add_argument("--weights", default="deposits")
    cli.add_argument("--card", type=Path, help="card of networks that are not shipped, to try them")
    cli.add_argument("--films", type=int, default=60)
    cli.add_argument("--clean", type=int, default=20)
    cli.add_argument("--seed", type=int, default=1)
    cli.add_argument("--unknown-scale", action="store_true")
    kept = "cases on films kept back from training"
    cli.add_argument("--held-back", dest="part", action="store_const", const="validation", default="test", help=kept)
    cli.add_argument("--no-others", dest="others", action="store_false", help="no films with metal, shoulders, chests")
    cli.add_argument("--shared", type=Path, default=SHARED)
    args = cli.parse_args()
    args.told = args.card.parent.name if args.card else args.weights
    return args


if __name__ == "__main__":
    main()
