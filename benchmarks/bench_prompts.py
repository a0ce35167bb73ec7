"""What `outline_at` makes of clicks, boxes and rough outlines on the shared bench, and of prompts on nothing.

python benchmarks/bench_prompts.py [--source radiographs|hands] [--pixel-mm 0.27] [--films 60] [--seed 1]
    [--held-back] [--no-mined]

Counted are deposits of 2 mm and more with a visibility of 2 and more, without the finder's map. A click lies anywhere
in the deposit's inner half; the next ones in the middle of the largest error. Half of the prompts on nothing lie on
bone edges and on what the finder falsely saw on the clean film (mined with the shipped finder), half anywhere in the
limb.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tifffile
from bench_segment import SHARED, film, make_cases, rows
from scipy import ndimage

from calcimeasure.model.image import Image
from calcimeasure.steps.anatomy import survey
from calcimeasure.steps.outline.prompted import Click, Pointed, outline_at

LEAST_MM, LEAST_VISIBILITY, GOOD, MOST_CLICKS = 2.0, 2.0, 0.75, 6


@dataclass(frozen=True)
class Case:
    """A film, its deposits and how visible they are."""

    image: Image
    truth: np.ndarray
    visible: list[float | None]

    @property
    def mm(self) -> float:
        return self.image.spacing.mean_mm

    def counted(self) -> list[np.ndarray]:
        """Masks of the deposits that count."""
        masks = [self.truth == n for n, v in enumerate(self.visible, 1) if v is not None and v >= LEAST_VISIBILITY]
        return [m for m in masks if 2 * np.sqrt(m.sum() / np.pi) * self.mm >= LEAST_MM]


def main() -> None:
    args = _arguments()
    cases = make_cases(args, args.pixel_mm)
    rng, figures = np.random.default_rng(args.seed), defaultdict(list)
    for row in rows(cases / "films" / "spacing.csv"):
        case = read(cases / "films", row)
        for body in case.counted():
            on_deposit(case, body, rng, figures)
    table = cases / "clean" / "spacing.csv"
    for row in rows(table) if table.exists() else ():
        on_nothing(film(cases / "clean" / row["image"], float(row["spacing_mm"])), rng, figures, args.mined)
    report(figures, args)


def read(folder: Path, row: dict[str, str]) -> Case:
    stem = Path(row["image"]).stem
    facts = json.loads((folder / "truth" / f"{stem}.json").read_text())
    truth = tifffile.imread(folder / "truth" / f"{stem}.labels.tif")
    return Case(film(folder / row["image"], float(row["spacing_mm"])), truth, facts["visibility"])


def on_deposit(case: Case, body: np.ndarray, rng: np.random.Generator, figures: dict[str, list]) -> None:
    """One deposit under clicks, a second first click, a box and an outline carried over."""
    first = inner_click(body, rng)
    overlaps, found = clicked(case, body, first, rng, figures["seconds"])
    figures["one click"].append(overlaps[0])
    figures["three clicks"].append(overlaps[2])
    figures["clicks needed"].append(next((k for k, o in enumerate(overlaps, 1) if o >= GOOD), MOST_CLICKS + 1))
    figures["chance"].append(found.chance)
    figures["refused"].append(not found.there)
    figures["area"].append(found.mask.sum() / body.sum())
    again = outline_at(case.image, [inner_click(body, rng)])
    figures["moved"].append(abs(np.log((again.mask.sum() + 1) / (found.mask.sum() + 1))))
    figures["box"].append(overlap(outline_at(case.image, box=box_of(body)), body))
    rough = ndimage.shift(cv2.dilate(body.astype(np.uint8), np.ones((5, 5))), (2, -2), order=0) > 0
    figures["carried"].append(overlap(outline_at(case.image, outline=rough), body))


def clicked(
    case: Case, body: np.ndarray, first: Click, rng: np.random.Generator, seconds: list[float]
) -> tuple[list[float], Pointed]:
    """Overlap after 1, 2 ... clicks, and the answer to the first one."""
    clicks, overlaps, answers = [first], [], []
    for _ in range(MOST_CLICKS):
        start = time.process_time()
        answers.append(outline_at(case.image, clicks))
        seconds.append(time.process_time() - start)
        overlaps.append(overlap(answers[-1], body))
        if len(clicks) >= 3 and overlaps[-1] >= GOOD:
            break
        wrong = answers[-1].mask_on(body.shape) != body
        clicks.append(correction(wrong, body) if wrong.any() else first)
    return overlaps, answers[0]


def overlap(found: Pointed, body: np.ndarray) -> float:
    mask = found.mask_on(body.shape)
    return float((mask & body).sum() / (mask | body).sum())


def inner_click(body: np.ndarray, rng: np.random.Generator) -> Click:
    """Anywhere in the inner half: at least half as deep as the deposit is anywhere."""
    depth = cv2.distanceTransform(np.pad(body.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    spots = np.argwhere(depth >= 0.5 * depth.max())
    row, column = spots[rng.integers(len(spots))]
    return Click(float(row), float(column))


def correction(wrong: np.ndarray, body: np.ndarray) -> Click:
    """The middle of the largest error."""
    parts, _ = ndimage.label(wrong)
    largest = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    depth = cv2.distanceTransform(np.pad(largest.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return Click(float(row), float(column), inside=bool(body[row, column]))


def box_of(body: np.ndarray) -> tuple[int, int, int, int]:
    down, across = np.flatnonzero(body.any(1)), np.flatnonzero(body.any(0))
    return int(down[0]) - 2, int(across[0]) - 2, int(down[-1]) + 3, int(across[-1]) + 3


def on_nothing(image: Image, rng: np.random.Generator, figures: dict[str, list], mined: bool, each: int = 8) -> None:
    """Clicks on a clean film: bone edges, what the finder falsely saw, anywhere in the limb."""
    seen = survey(image)
    if seen is None or not seen.limb.any():
        return
    limb, edge = (
        seen.enlarged(seen.limb),
        cv2.morphologyEx(seen.enlarged(seen.bone).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3))),
    )
    places = {"bone edge": np.argwhere(edge > 0), "limb": np.argwhere(limb)}
    if mined:
        places["false find"] = np.argwhere(false_finds(image))
    for kind, count in (("bone edge", each // 4), ("false find", each // 4), ("limb", each // 2)):
        spots = places.get(kind, ())
        for row, column in spots[rng.integers(0, len(spots), count)] if len(spots) else ():
            found = outline_at(image, [(row, column)])
            figures[f"nothing: {kind}"].append(not found.there)
            figures["nothing, chance"].append(found.chance)


def false_finds(image: Image) -> np.ndarray:
    """Where the shipped finder gives more than a tenth."""
    from calcimeasure.steps.outline.learned import Networks, finder_map, stretched

    return finder_map(stretched(image.pixels), image.spacing.mean_mm, Networks.named("deposits")) > 0.1


def report(figures: dict[str, list], args: argparse.Namespace) -> None:
    print(f"== {args.source}, {args.pixel_mm or 'own'} mm/px, {len(figures['one click'])} deposits")
    for name in ("one click", "three clicks", "box", "carried", "area"):
        low, middle, high = np.percentile(figures[name], (10, 50, 90))
        print(f"{name:22} median {middle:.3f} (10-90 %: {low:.3f}-{high:.3f})")
    needed = np.array(figures["clicks needed"])
    print(f"clicks to IoU {GOOD:g}      median {np.median(needed):g}, {np.mean(needed <= 2):.2f} by two")
    print(f"area moved by place    median {np.expm1(np.median(figures['moved'])):.3f}")
    print(f"deposits refused       {np.mean(figures['refused']):.3f}")
    empty = [name for name in figures if name.startswith("nothing: ")]
    for name in empty:
        print(f"{name:22} refused {np.mean(figures[name]):.3f} of {len(figures[name])}")
    if empty:
        print(f"nothing refused        {np.mean([r for name in empty for r in figures[name]]):.3f}")
        levels = np.percentile(figures["chance"], (2, 5, 10))
        shares = [f"{level:.2f}: {np.mean(np.array(figures['nothing, chance']) < level):.2f}" for level in levels]
        print(f"refusing 2, 5, 10 % of deposits refuses of nothing  {', '.join(shares)}")
    print(f"processor s a prompt   median {np.median(figures['seconds']):.3f}, longest {max(figures['seconds']):.3f}")


def _arguments() -> argparse.Namespace:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--source", choices=("radiographs", "hands"), default="radiographs")
    cli.add_argument("--pixel-mm", type=float)
    cli.add_argument("--films", type=int, default=60)
    cli.add_argument("--clean", type=int, default=20)
    cli.add_argument("--seed", type=int, default=1)
    kept = "cases on films kept back from training"
    cli.add_argument("--held-back", dest="part", action="store_const", const="validation", default="test", help=kept)
    cli.add_argument("--no-mined", dest="mined", action="store_false", help="do not ask the finder for false finds")
    cli.add_argument("--shared", type=Path, default=SHARED)
    return cli.parse_args()


if __name__ == "__main__":
    main()
