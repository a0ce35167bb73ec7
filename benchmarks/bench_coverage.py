"""Whether the 95 % interval of an automatic area holds the truth.

python benchmarks/bench_coverage.py [--phantoms 100] [--first 5000]      limbs that the package draws itself
python benchmarks/bench_coverage.py --cases FOLDER [--films 300]         films of the bench (its `films` folder)

Found deposits are matched with true ones: all outlines that touch the same deposits count as one. What was missed, and
what is no calcium, is told besides, and is in the totals.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from calcimeasure import Image, analyse, read_image
from calcimeasure.phantom.film import draw_film, random_film_scene

BANDS_MM = ((0, 2), (2, 5), (5, 10), (10, 1000))


@dataclass(frozen=True)
class Match:
    """Found and true area of what touches, and the claimed sd; mm2."""

    found: float
    sd: float
    true: float

    @property
    def covered(self) -> bool:
        return abs(self.found - self.true) <= 1.96 * self.sd

    @property
    def diameter_mm(self) -> float:
        return float(2 * np.sqrt(self.true / np.pi))


def main() -> None:
    args = _arguments()
    films = _bench(args.cases, args.films) if args.cases else _phantoms(args.first, args.phantoms)
    deposits, totals, missed = [], [], 0
    for image, truth in films:
        matches, total, lost = score(image, truth)
        deposits, totals, missed = deposits + matches, [*totals, total], missed + lost
    tell("deposits found", deposits)
    for low, high in BANDS_MM:
        tell(f"  {low}-{high} mm", [m for m in deposits if low <= m.diameter_mm < high])
    tell("totals, misses and false finds included", [t for t in totals if t.true > 0])
    print(f"deposits missed: {missed}")


def score(image: Image, truth: np.ndarray) -> tuple[list[Match], Match, int]:
    """Matches, totals and the number of missed deposits of one film."""
    done = analyse(image)
    labels, px = done.segmentation.labels.array, image.spacing.pixel_mm2
    groups: dict[tuple[int, ...], list] = {}
    for row in done.measurement.deposits:
        ids = np.unique(truth[labels == row.label])
        groups.setdefault(tuple(ids[ids > 0].tolist()), []).append(row.area_mm2)
    matches = [
        Match(sum(a.value for a in areas), sum(a.sd for a in areas), float(np.isin(truth, ids).sum() * px))
        for ids, areas in groups.items()
        if ids
    ]
    total = done.measurement.area_mm2
    touched = {n for ids in groups for n in ids}
    lost = len(set(np.unique(truth[truth > 0]).tolist()) - touched)
    return matches, Match(total.value, total.sd, float((truth > 0).sum() * px)), lost


def tell(what: str, matches: list[Match]) -> None:
    if not matches:
        return
    half = np.median([1.96 * m.sd / m.found for m in matches if m.found])
    error = np.median([abs(m.found - m.true) / m.true for m in matches])
    share = np.mean([m.covered for m in matches])
    print(f"{what:42} n {len(matches):4} coverage {share:.3f} half-width {half:.2f} error {error:.3f}", flush=True)


def _phantoms(first: int, count: int) -> Iterator[tuple[Image, np.ndarray]]:
    for seed in range(first, first + count):
        drawn = draw_film(random_film_scene(seed, 0.25), seed)
        yield drawn.image, drawn.truth.array


def _bench(folder: Path, count: int) -> Iterator[tuple[Image, np.ndarray]]:
    """Bench films; deposits too faint to count are taken out of the truth."""
    with (folder / "spacing.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))[:count]
    for row in rows:
        stem = folder / "truth" / Path(row["image"]).stem
        seen = json.loads(stem.with_suffix(".json").read_text())["visibility"]
        truth = tifffile.imread(stem.with_suffix(".labels.tif")).astype(np.int32)
        faint = [n for n, v in enumerate(seen, 1) if v is None or v < 2]
        yield (
            read_image(folder / row["image"], spacing=float(row["spacing_mm"])),
            np.where(np.isin(truth, faint), 0, truth),
        )


def _arguments() -> argparse.Namespace:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--cases", type=Path)
    cli.add_argument("--films", type=int, default=300)
    cli.add_argument("--phantoms", type=int, default=100)
    cli.add_argument("--first", type=int, default=5000)
    return cli.parse_args()


if __name__ == "__main__":
    main()
