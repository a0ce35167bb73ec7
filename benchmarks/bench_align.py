"""Alignment against known answers: bench pairs, drawn limbs in other poses, cut fields, and pairs wrong on purpose.

python benchmarks/bench_align.py [--shared DIR] [--seed 1] [--pairs 60] [--phantoms 8] [--parts right wrong drawn]

Prints for each kind how many pairs were accepted, how far the centroids of the same deposits miss each other after
alignment, and the longest time. A wrong pair is a film with another film, with itself flipped left for right, or with
another part of the body.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import tifffile

from calcimeasure.model.alignment import Alignment
from calcimeasure.model.image import Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.phantom.anatomy import Placement, Pose
from calcimeasure.phantom.film import FilmScene, draw_film, random_film_scene
from calcimeasure.phantom.fittings import Collimation
from calcimeasure.report.words import in_one
from calcimeasure.steps.change.align import align

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("CALCIMEASURE_SHARED", ROOT.parent / "shared"))
OTHERS = (1, 7)
PARTS = ("hand", "foot", "forearm")


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A film and its deposits."""

    image: Image
    truth: np.ndarray


@dataclass(slots=True)
class Tally:
    """What happened to the pairs of one kind."""

    accepted: int = 0
    refused: list[str] = field(default_factory=list)
    misses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        count = self.accepted + len(self.refused)
        out = f"accepted {self.accepted:3} of {count:3}, seconds median {np.median(self.seconds):.2f}"
        out += f" longest {max(self.seconds):.2f}"
        if self.misses:
            at = np.percentile(self.misses, [50, 95, 100])
            out += f", miss in mm median {at[0]:.2f}, 95 % {at[1]:.2f}, most {at[2]:.2f} ({len(self.misses)} deposits)"
        return out


def main() -> None:
    args = _arguments()
    tallies: dict[str, Tally] = defaultdict(Tally)
    kinds = {"right": right_pairs, "wrong": wrong_pairs, "drawn": drawn_pairs}
    for part in args.parts:
        for kind, name, one, two in kinds[part](args):
            count(tallies[kind], name, one, two)
    for kind, tally in tallies.items():
        print(f"{kind:34} {tally}")
        for line in tally.refused if kind.startswith("right") else []:
            print(f"    refused {line}")


def count(tally: Tally, name: str, one: Shot, two: Shot) -> None:
    start = time.process_time()
    found = align(one.image, two.image)
    tally.seconds.append(time.process_time() - start)
    if found.refused:
        tally.refused.append(f"{name}: {in_one(found.refused)}")
        return
    tally.accepted += 1
    tally.misses += misses(one, two, found)


def misses(one: Shot, two: Shot, found: Alignment) -> list[float]:
    """Distances in mm between mapped and true centroids of deposits that neither border cuts."""
    numbers = [n for n in np.intersect1d(one.truth, two.truth) if n and not cut(two.truth == n)]
    here, there = (np.array([np.argwhere(s.truth == n).mean(axis=0) for n in numbers]) for s in (one, two))
    if not numbers:
        return []
    away = np.linalg.norm(found.followup_of(here) - there, axis=1) * two.image.spacing.mean_mm
    return [float(v) for v in away[np.isfinite(away)]]


def cut(mask: np.ndarray) -> bool:
    rim = np.ones(mask.shape, bool)
    rim[3:-3, 3:-3] = False
    return bool((mask & rim).any())


def right_pairs(args: argparse.Namespace):
    for folder in cases(args):
        yield "right: bench", folder.name, shot(folder, "baseline"), shot(folder, "followup")


def wrong_pairs(args: argparse.Namespace):
    folders = cases(args)
    for n, folder in enumerate(folders[:19]):
        one = shot(folder, "baseline")
        yield "wrong: bench, flipped", folder.name, one, flipped(shot(folder, "followup"))
        for step in OTHERS:
            other = folders[(n + step) % min(19, len(folders))]
            yield "wrong: bench, another film", f"{folder.name} {other.name}", one, shot(other, "followup")


def drawn_pairs(args: argparse.Namespace):
    for part in PARTS:
        for seed in range(args.phantoms):
            first = random_film_scene(seed, 0.25, part, 6)
            second, one = another_visit(first, seed), drawn(first, seed)
            other = random_film_scene(seed + 40, 0.25, PARTS[PARTS.index(part) - 1])
            narrow = replace(second.fittings, collimation=Collimation((45.0, 6.0, 5.0, 6.0), 1.0))
            yield f"right: drawn {part}, other pose", str(seed), one, drawn(second, seed + 500)
            yield f"right: drawn {part}, cut field", str(seed), one, drawn(replace(second, fittings=narrow), seed + 500)
            flip = replace(second, mirrored=not second.mirrored)
            yield f"wrong: drawn {part}, other side", str(seed), one, drawn(flip, seed + 500)
            yield f"wrong: drawn {part}, other limb", str(seed), one, drawn(other, seed + 500)


def another_visit(first: FilmScene, seed: int) -> FilmScene:
    """The same limb laid and exposed anew, its fingers in another pose."""
    rng = np.random.default_rng(1000 + seed)
    new, lies, was = random_film_scene(seed + 2000, 0.25, first.part, 0), first.placement, first.pose
    x, y = lies.x_mm + float(rng.normal(0, 8)), lies.y_mm + float(rng.normal(0, 6))
    placement = Placement(x, y, lies.turn + float(rng.uniform(-8, 8)), lies.scale * float(rng.uniform(0.985, 1.015)))
    spread, bend = (tuple(float(v + rng.normal(0, sd)) for v in a) for a, sd in ((was.spread, 3), (was.bend, 3.5)))
    pose = Pose(spread, bend, was.curl)
    return replace(first, placement=placement, pose=pose, exposure=new.exposure, tone=new.tone, fittings=new.fittings)


def drawn(scene: FilmScene, seed: int) -> Shot:
    phantom = draw_film(scene, seed)
    return Shot(phantom.image, phantom.truth.array)


def flipped(one: Shot) -> Shot:
    return Shot(replace(one.image, pixels=np.ascontiguousarray(one.image.pixels[:, ::-1])), one.truth[:, ::-1])


def shot(folder: Path, name: str) -> Shot:
    mm = json.loads((folder / "truth" / f"{name}.json").read_text())["spacing_mm"]
    grey = cv2.imread(str(folder / f"{name}.png"), cv2.IMREAD_UNCHANGED)
    image = Image(grey, Kind.RADIOGRAPH, Meaning.DISPLAY, Spacing.of(mm, mm, SpacingOrigin.USER))
    return Shot(image, tifffile.imread(folder / "truth" / f"{name}.labels.tif"))


def cases(args: argparse.Namespace) -> list[Path]:
    """The bench's pairs, drawn once for each seed and count."""
    out = ROOT / ".benchmarks" / f"pairs-{args.pairs}-{args.seed}"
    if not (out / "done").exists():
        counts = ["--films", "60", "--clean", "20", "--pairs", str(args.pairs), "--seed", str(args.seed)]
        script = args.shared / "bench" / "cases.py"
        subprocess.run([sys.executable, "-W", "ignore", script, "--out", out, *counts], check=True)
        (out / "done").touch()
    return sorted(p for p in (out / "pairs").iterdir() if p.is_dir())


def _arguments() -> argparse.Namespace:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--shared", type=Path, default=SHARED)
    cli.add_argument("--seed", type=int, default=1)
    cli.add_argument("--pairs", type=int, default=60)
    cli.add_argument("--phantoms", type=int, default=8)
    cli.add_argument("--parts", nargs="+", default=["right", "wrong", "drawn"], choices=["right", "wrong", "drawn"])
    return cli.parse_args()


if __name__ == "__main__":
    main()
