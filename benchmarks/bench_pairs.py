"""Matching and comparison against the shared bench's visit pairs, with true and with automatic outlines.

python benchmarks/bench_pairs.py [--shared DIR] [--pairs 60] [--seed 1] [--no-films] [--outlines true automatic]

Scores as the bench's own score_pairs.py does: fate of the deposits that count, direction of the total where the truth
changed by over 25 %, and pairs with truth "same" that were called improved or worse. Cases, automatic outlines and
alignments go to .benchmarks/ (ignored by git), each recipe's apart, so that a second run only matches and compares.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import tifffile

from calcimeasure.follow_up import aligned
from calcimeasure.model.alignment import Alignment
from calcimeasure.model.authorship import Author, Authorship
from calcimeasure.model.image import Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels
from calcimeasure.model.study import Change, DepositChange, Reading, Verdict
from calcimeasure.model.warning import Remark
from calcimeasure.recipe import Recipe, analyse
from calcimeasure.report.words import in_one
from calcimeasure.steps.change.compare import compare
from calcimeasure.steps.change.match import match
from calcimeasure.steps.measure.area import measure

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("CALCIMEASURE_SHARED", ROOT.parent / "shared"))
VISITS = ("baseline", "followup")
PRESENCE = ("new", "resolved", "out_of_field")


@dataclass
class Score:
    """Counts as (hits, of)."""

    hits: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, what: str, hit: bool, words: str) -> None:
        self.counted[what] += 1
        self.hits[what] += hit
        if not hit:
            self.misses.append(f"{what}: {words}")


def main() -> None:
    args = _arguments()
    folder = ROOT / ".benchmarks" / f"pairs-{args.pairs}-{args.seed}{'-alone' * args.no_films}"
    make_cases(args, folder)
    made = folder / f"made-{Recipe().hash}"
    for outlines in args.outlines:
        score = Score()
        for case in sorted(path for path in (folder / "pairs").iterdir() if path.is_dir()):
            scored(case, made, outlines, score)
        told(outlines, args, score)


def make_cases(args: argparse.Namespace, folder: Path) -> None:
    if (folder / "done").exists():
        return
    # the bench draws films before pairs from one stream: these numbers make the pairs that its README means
    films = ["--films", "0", "--clean", "0"] if args.no_films else ["--films", "60", "--clean", "20"]
    counts = [*films, "--pairs", str(args.pairs), "--seed", str(args.seed)]
    command = [sys.executable, "-W", "ignore", args.shared / "bench" / "cases.py", "--out", folder, *counts]
    subprocess.run(command, check=True)
    (folder / "done").touch()


def scored(case: Path, made: Path, outlines: str, score: Score) -> None:
    made.mkdir(exist_ok=True)
    films = [film(case, visit) for visit in VISITS]
    true = [tifffile.imread(case / "truth" / f"{visit}.labels.tif") for visit in VISITS]
    readings = [read(case, visit, made, image, outlines) for visit, image in zip(VISITS, films, strict=True)]
    laid = alignment_of(made / f"{case.name}-{outlines}-alignment.npz", *readings)
    start = time.perf_counter()
    change = compare(*readings, laid, match(*readings, laid))
    score.seconds.append(time.perf_counter() - start)
    totals(case, change, true, score)
    fates(case, change, true, score)


def film(case: Path, visit: str) -> Image:
    mm = json.loads((case / "truth" / f"{visit}.json").read_text())["spacing_mm"]
    grey = cv2.imread(str(case / f"{visit}.png"), cv2.IMREAD_UNCHANGED)
    return Image(grey, Kind.RADIOGRAPH, Meaning.DISPLAY, Spacing.of(mm, mm, SpacingOrigin.USER))


def read(case: Path, visit: str, made: Path, image: Image, outlines: str) -> Reading:
    if outlines == "true":
        labels = Labels(tifffile.imread(case / "truth" / f"{visit}.labels.tif").astype(np.int32))
        return Reading(image, labels, measure(image, labels))
    kept = made / f"{case.name}-{visit}.npz"
    if not kept.exists():
        found = analyse(image).segmentation
        limb = np.zeros(image.shape, bool) if found.limb is None else found.limb
        np.savez_compressed(kept, labels=found.labels.array, limb=limb)
    with np.load(kept) as arrays:
        labels, limb = Labels(arrays["labels"], authorship=Authorship(Author.NETWORKS)), arrays["limb"]
    return Reading(image, labels, measure(image, labels), limb if limb.any() else None)


def alignment_of(kept: Path, before: Reading, after: Reading) -> Alignment:
    if not kept.exists():
        laid = aligned(before, after)
        np.savez_compressed(kept, forward=laid.forward, backward=laid.backward, refused=in_one(laid.refused))
    with np.load(kept) as arrays:
        why = Remark.other(str(arrays["refused"])) if str(arrays["refused"]) else None
        return Alignment(arrays["forward"], arrays["backward"], 1.0, refused=why)


def totals(case: Path, change: Change, true: list[np.ndarray], score: Score) -> None:
    before, after = (int((labels > 0).sum()) for labels in true)
    relative = (after - before) / max(1, before)
    words = f"{case.name} true {relative:+.0%}, found {change.percent}, {change.verdict}: {in_one(change.reason)}"
    if json.loads((case / "truth" / "truth.json").read_text())["trend"] == "same":
        score.add("no false change", change.verdict not in (Verdict.IMPROVED, Verdict.WORSE), words)
    elif abs(relative) > 0.25:
        score.add("direction", change.percent is not None and change.percent * relative > 0, words)


def fates(case: Path, change: Change, true: list[np.ndarray], score: Score) -> None:
    truth = json.loads((case / "truth" / "truth.json").read_text())["fate_of_deposit"]
    facts = [json.loads((case / "truth" / f"{visit}.json").read_text()) for visit in VISITS]
    for n, real in enumerate(truth, 1):
        areas = [int((labels == n).sum()) for labels in true]
        if not counts(real, areas, facts, n):
            continue
        mine = [row for row in change.deposits if n in places(row, true)]
        told_ = (
            ", ".join(f"{row.fate} {row.baseline}->{row.followup}" for row in mine) or "not outlined at either visit"
        )
        score.add(real, any(row.fate == real for row in mine), f"{case.name} deposit {n} {areas} px: {told_}")
        if not mine:
            score.counted["(of these, outlined at neither visit)"] += 1


def counts(real: str, areas: list[int], facts: list[dict], n: int) -> bool:
    """Deposits of 2 mm, visible at one visit, whose fate is beyond doubt."""
    mm = facts[0]["spacing_mm"]
    large = 2 * np.sqrt(max(areas) * mm**2 / np.pi) >= 2
    visible = max(fact["visibility"][n - 1] or 0 for fact in facts) >= 2
    delta = abs(areas[1] - areas[0]) / max(1, areas[0])
    sure = real in PRESENCE or (real == "stable" and delta < 0.10) or (real in ("grown", "shrunk") and delta > 0.35)
    return bool(large and visible and sure)


def places(row: DepositChange, true: list[np.ndarray]) -> set[int]:
    points = (row.baseline_point, row.followup_point)
    return {label_at(labels, point) for labels, point in zip(true, points, strict=True) if point} - {0}


def label_at(labels: np.ndarray, point: tuple[int, int]) -> int:
    y, x = point
    window = labels[max(0, y - 5) : y + 6, max(0, x - 5) : x + 6]
    values = window[window > 0]
    return int(np.bincount(values).argmax()) if values.size else 0


def told(outlines: str, args: argparse.Namespace, score: Score) -> None:
    print(f"\n== {outlines} outlines, {args.pairs} pairs, seed {args.seed}")
    for what, of in score.counted.items():
        print(f"{what:38} {score.hits[what]}/{of}" if not what.startswith("(") else f"{what:38} {of}")
    named = [what for what in score.counted if what not in ("direction", "no false change") and what[0] != "("]
    hits, of = sum(score.hits[what] for what in named), sum(score.counted[what] for what in named)
    print(f"{'fate, all':38} {hits}/{of} = {hits / max(of, 1):.1%}")
    print(f"{'seconds per pair, match and compare':38} median {np.median(score.seconds):.2f}")
    for miss in score.misses if args.misses else ():
        print(f"  {miss}")


def _arguments() -> argparse.Namespace:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--shared", type=Path, default=SHARED)
    cli.add_argument("--pairs", type=int, default=60)
    cli.add_argument("--seed", type=int, default=1)
    cli.add_argument("--outlines", nargs="+", default=["true", "automatic"], choices=["true", "automatic"])
    cli.add_argument("--no-films", action="store_true", help="draw the pairs alone, which makes other pairs")
    cli.add_argument("--misses", action="store_true", help="list what was wrong")
    return cli.parse_args()


if __name__ == "__main__":
    main()
