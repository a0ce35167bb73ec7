"""Whether the 95 % interval of an area holds the truth.

    python benchmarks/bench_coverage.py readings [--count 500]       outlines drawn by a simulated reader
    python benchmarks/bench_coverage.py visible  [--count 80]        automatic, visible and isolated: 8 on each forearm
    python benchmarks/bench_coverage.py limbs    [--count 120]       automatic, all that the package draws, strands too
    python benchmarks/bench_coverage.py films    [--count 140]       automatic, calcium drawn into real limbs
    python benchmarks/bench_coverage.py cases --folder FOLDER        automatic, films of the bench (its `films` folder)

Found deposits are matched with true ones: all outlines that touch the same deposits count as one. What was missed, and
what is no calcium, is told besides, and is in the totals. Calcium too faint to count is held neither for nor against:
it has a negative number in the truth. Densities: ``bench_wedge.py``.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import tifffile

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("CALCIMEASURE_SHARED", ROOT.parent / "shared")) / "data"
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from coverage_scenes import reading, visible_film  # noqa: E402

from calcimeasure import Image, analyse, measure, read_image  # noqa: E402
from calcimeasure.model.deposit import Deposit  # noqa: E402
from calcimeasure.model.image import Kind, Meaning, Spacing, SpacingOrigin  # noqa: E402
from calcimeasure.model.labels import Doubt  # noqa: E402
from calcimeasure.phantom.film import draw_film, random_film_scene  # noqa: E402
from calcimeasure.steps.measure.error import doubt, shipped_outline_error, strays_of  # noqa: E402
from calcimeasure.training.films import Film, load_films  # noqa: E402
from calcimeasure.training.scenes import make_scene, whole  # noqa: E402
from calcimeasure.training.validate import COUNTED_VISIBILITY  # noqa: E402

#: An outline with this share of its pixels on faint calcium, and none on other, is left out.
IDLE = 0.1
BANDS_MM = ((0, 2), (2, 5), (5, 10), (10, 1000))
PIXELS_MM = (0.15, 0.2, 0.25)
#: Films of the fit (`renew_boundary_error.py`) begin at 21,000; none of these is among them.
FIRST = {"readings": 0, "visible": 5_000, "limbs": 5_000, "films": 5_000}
COUNT = {"readings": 500, "visible": 80, "limbs": 120, "films": 140, "cases": 300}


@dataclass(frozen=True)
class Match:
    """Found and true area of what touches, and the claimed sd, in mm2; the segmenter's doubt, as a share; pixels; how
    likely it is no calcium."""

    found: float
    sd: float
    true: float
    doubt: float = 0.0
    pixels: float = 0.0
    stray: float = 0.0

    @property
    def covered(self) -> bool:
        return abs(self.found - self.true) <= 1.96 * self.sd

    @property
    def diameter_mm(self) -> float:
        return float(2 * np.sqrt(self.true / np.pi))


@dataclass(frozen=True)
class Found:
    """An outline: its row, the true deposits it touches (none: no calcium), and its pixels on faint ones."""

    row: Deposit
    ids: tuple[int, ...]
    faint_px: int

    @property
    def idle(self) -> bool:
        return not self.ids and self.faint_px >= IDLE * self.row.area_px.value

    @property
    def mm2(self) -> float:
        """Area that counts."""
        area, px = self.row.area_mm2.value, self.row.area_px.value
        return 0.0 if self.idle else area * (1 - self.faint_px / px)

    @property
    def sd(self) -> float:
        return 0.0 if self.idle else self.row.area_mm2.sd


@dataclass(frozen=True)
class Score:
    """Matches, every outline that counts (without truth), the film's total and the number of missed deposits; and what
    was passed over, in mm2 (`steps.boundary`)."""

    matches: tuple[Match, ...]
    outlines: tuple[Match, ...]
    total: Match
    missed: int
    passed_over: float


def main() -> None:
    args = _arguments()
    count = args.count or COUNT[args.what]
    if args.what == "readings":
        tell_all([match for n in range(count) for match in _read(n)])
        return
    if args.what == "cases":
        scores: Iterable[Score] = (score(image, truth) for image, truth in bench_films(args.folder, count))
    else:
        first = FIRST[args.what]
        scores = scored(args.what, range(first, first + count), args.jobs)
    scores = list(scores)
    tell_all([match for one in scores for match in one.matches])
    tell("totals, misses and false finds included", [one.total for one in scores if one.total.true > 0])
    print(f"deposits missed: {sum(one.missed for one in scores)}")


def scored(what: str, seeds: Iterable[int], jobs: int) -> Iterator[Score]:
    """Scores of films with drawn calcium, in the order of their seeds."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield from pool.map(partial(_drawn_score, what), seeds)


def _drawn_score(what: str, seed: int) -> Score:
    if what == "films":
        return score(*_real_limb(seed))
    phantom = visible_film(seed) if what == "visible" else draw_film(random_film_scene(seed, PIXELS_MM[seed % 3]), seed)
    return score(phantom.image, phantom.truth.array)


def _real_limb(seed: int) -> tuple[Image, np.ndarray]:
    """A limb of the `train` films with the training generator's calcium, half of them exposed anew.

    Every second one is of those that the networks were not trained on.
    """
    limbs = _limbs(seed % 2 == 0)
    film, rng = limbs[seed % len(limbs)], np.random.default_rng([seed, 4242])
    finest = max(film.mm, 0.13)
    mm = float(np.exp(rng.uniform(np.log(finest), np.log(max(finest, 0.3)))))
    scene = make_scene(whole(film, mm), mm, rng, int(rng.integers(2, 8)), plain=seed % 4 < 2)
    grey = (np.clip(scene.image, 0, 1) * 65535).astype(np.uint16)
    seen = [n for n, contrast in enumerate(scene.visibility, 1) if contrast >= COUNTED_VISIBILITY]
    numbers = scene.labels.astype(np.int32)
    truth = np.where(np.isin(numbers, seen), numbers, -numbers)
    return Image(grey, Kind.RADIOGRAPH, Meaning.DISPLAY, Spacing.of(mm, mm, SpacingOrigin.USER)), truth


@cache
def _limbs(kept_back: bool) -> list[Film]:
    parts = ("validation",) if kept_back else ("validation", "fit")
    return [film for part in parts for film in load_films(DATA, part, source="radiographs")]


def score(image: Image, truth: np.ndarray) -> Score:
    """How an automatic measurement compares with the truth."""
    done = analyse(image)
    labels, px = done.segmentation.labels, image.spacing.pixel_mm2
    outlines = [_found(row, truth[labels.array == row.label]) for row in done.measurement.deposits]
    doubt_of = partial(doubt, labels=labels, probability=done.segmentation.probability)
    groups: dict[tuple[int, ...], list[Found]] = {}
    for one in outlines:
        groups.setdefault(one.ids, []).append(one)
    matches = tuple(_matched(some, truth, ids, px, doubt_of) for ids, some in groups.items() if ids)
    lost = len(set(np.unique(truth[truth > 0]).tolist()) - {n for ids in groups for n in ids})
    counted = [one for one in outlines if not one.idle]
    strays = done.segmentation.strays
    bars = [
        Match(one.mm2, one.sd, 0.0, doubt_of(one.row), one.mm2 / px, strays.get(one.row.label, 0.0)) for one in counted
    ]
    passed = done.segmentation.labels.passed_over_px * px
    unseen = math.hypot(shipped_outline_error().unseen_mm2, passed)
    return Score(matches, tuple(bars), total_of(bars, unseen, float((truth > 0).sum() * px)), lost, passed)


def total_of(outlines: Sequence[Match], unseen: float, true: float) -> Match:
    """A film's total with the error bar that the package gives it."""
    strays = strays_of((one.found, Doubt(one.doubt, one.stray)) for one in outlines)
    return Match(sum(one.found for one in outlines), math.hypot(unseen, strays, *(one.sd for one in outlines)), true)


def _found(row: Deposit, inside: np.ndarray) -> Found:
    ids = np.unique(inside[inside > 0])
    return Found(row, tuple(ids.tolist()), int((inside < 0).sum()))


def _matched(some: list[Found], truth: np.ndarray, ids: tuple[int, ...], px: float, doubt_of: Callable) -> Match:
    found = max(sum(one.mm2 for one in some), px)
    doubted = sum(doubt_of(one.row) * one.mm2 for one in some) / found
    true, sd = float(np.isin(truth, ids).sum() * px), sum(one.sd for one in some)
    return Match(found, sd, true, doubted, found / px)


def _read(seed: int) -> Iterator[Match]:
    one = reading(seed)
    for row in measure(one.image, one.labels).deposits:
        yield Match(row.area_mm2.value, row.area_mm2.sd, one.area_mm2)


def tell_all(matches: list[Match]) -> None:
    """Coverage and width of all matches, and by the true size."""
    tell("deposits found", matches)
    for low, high in BANDS_MM:
        tell(f"  {low}-{high} mm", [m for m in matches if low <= m.diameter_mm < high])


def tell(what: str, matches: list[Match]) -> None:
    if not matches:
        return
    half = np.median([1.96 * m.sd / m.found for m in matches if m.found])
    error = np.median([abs(m.found - m.true) / m.true for m in matches])
    share = np.mean([m.covered for m in matches])
    print(f"{what:42} n {len(matches):4} coverage {share:.3f} half-width {half:.3f} error {error:.3f}", flush=True)


def bench_films(folder: Path, count: int) -> Iterator[tuple[Image, np.ndarray]]:
    """Bench films with the numbers of their deposits, those too faint to count negative."""
    with (folder / "spacing.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))[:count]
    for row in rows:
        stem = folder / "truth" / Path(row["image"]).stem
        seen = json.loads(stem.with_suffix(".json").read_text())["visibility"]
        truth = tifffile.imread(stem.with_suffix(".labels.tif")).astype(np.int32)
        faint = [n for n, v in enumerate(seen, 1) if v is None or v < COUNTED_VISIBILITY]
        yield (
            read_image(folder / row["image"], spacing=float(row["spacing_mm"])),
            np.where(np.isin(truth, faint), -truth, truth),
        )


def _arguments() -> argparse.Namespace:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("what", choices=tuple(COUNT))
    cli.add_argument("--count", type=int, help="how many outlines or films")
    cli.add_argument("--folder", type=Path, help="the bench's cases")
    cli.add_argument("--jobs", type=int, default=2)
    return cli.parse_args()


if __name__ == "__main__":
    main()
