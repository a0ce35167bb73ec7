"""Deposits in mm of aluminium against the truth, over drawn step-wedge films (`tests/polychromatic.py`).

40-70 kVp, detectors of caesium iodide, selenium and for all energy, scatter 0-42 % of four kinds spread by three
kernels, heel to 15 %, blur, mAs, gain and offset varied, linear and log values, deposits 2-14 mm across. The error of a
deposit is (measured - true) / true of its mean mm Al; coverage is how often
1.96 sd holds the truth. A quarter of the limbs are shot twice (other mAs, gain, offset, scatter and heel), and the two
numbers are compared. Long runs can be made in pieces: each adds its rows to a file, and the last reports them all.

    python benchmarks/bench_wedge.py [--films 500] [--first 1000] [--rows rows.pieces.json]
"""

import argparse
import json
import sys
import time
from collections import Counter
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from polychromatic import MM, other_exposure, random_scene, shoot  # noqa: E402

from calcimeasure.errors import MeasurementRefused  # noqa: E402
from calcimeasure.steps.measure.density import density  # noqa: E402
from calcimeasure.steps.measure.wedge import calibrate_wedge  # noqa: E402


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--films", type=int, default=500)
    cli.add_argument("--first", type=int, default=1000, help="seed of the first film")
    cli.add_argument("--rows", type=Path, help="file of rows from earlier pieces; this run's are added")
    cli.add_argument("--shared", help="not used: the films are drawn here")
    args = cli.parse_args()
    cv2.setNumThreads(1)
    rows, reasons, films = kept(args.rows)
    start = time.perf_counter()
    for seed in range(args.first, args.first + args.films):
        scene = random_scene(seed)
        first = measured(scene, reasons)
        second = measured(other_exposure(scene, seed + 500_000), Counter()) if seed % 4 == 1 else {}
        rows += [(seed, label, *value, second.get(label)) for label, value in first.items()]
    films += args.films
    if args.rows is not None:
        args.rows.write_text(json.dumps([rows, reasons, films]))
    print(f"{films} films, the last {args.films} in {time.perf_counter() - start:.0f} s; no density: {dict(reasons)}")
    tell([(random_scene(row[0]), *row[1:]) for row in rows])


def kept(file):
    """Rows, reasons and number of films of earlier pieces."""
    if file is None or not file.exists():
        return [], Counter(), 0
    rows, reasons, films = json.loads(file.read_text())
    return rows, Counter(reasons), films


def tell(rows):
    report("all", rows)
    for what, key in (
        ("writing", lambda r: "LOG" if r[0].log else "LIN"),
        ("scatter", lambda r: r[0].scatter_kind),
        ("kernel", lambda r: r[0].kernel),
        ("detector", lambda r: r[0].detector),
        ("bones", lambda r: str(r[0].bones)),
        ("kVp", lambda r: band(r[0].kvp, 10)),
        ("share %", lambda r: band(100 * r[0].scatter, 10)),
        ("size mm", lambda r: band(2 * MM * r[0].deposits[r[1] - 1][2], 3)),
        ("blur um", lambda r: band(1000 * r[0].blur_mm, 100)),
        ("quanta", lambda r: band(r[0].quanta, 20000)),
        ("material", lambda r: r[0].deposits[r[1] - 1][4]),
        ("true mm", lambda r: "< 1" if r[2] < 1 else "1-2" if r[2] < 2 else "> 2"),
    ):
        for name, group in groupby(sorted(rows, key=key), key):
            report(f"{what} {name}", list(group))
    repeated(rows)
    worst(rows)


def band(value, width):
    low = int(value // width) * width
    return f"{low:>5d} - {low + width}"


def measured(scene, reasons):
    """{label: (true, found, sd)} of the deposits that have a density."""
    shot = shoot(scene)
    try:
        calibration = calibrate_wedge(shot.image, shot.around, scene.steps_mm)
        found = density(shot.image, shot.labels, calibration, bone=shot.bone)
    except MeasurementRefused as refusal:
        reasons[str(refusal)[:40]] += len(scene.deposits)
        return {}
    reasons.update(row.reason[:40] for row in found.deposits if row.mmal_mean is None)
    known = [row for row in found.deposits if row.mmal_mean is not None]
    return {row.label: (shot.truth[row.label], row.mmal_mean.value, row.mmal_mean.sd) for row in known}


def report(name, rows):
    true, found, sd = (np.array([row[k] for row in rows]) for k in (2, 3, 4))
    off = found / true - 1
    covers = np.mean(np.abs(found - true) <= 1.96 * sd)
    print(
        f"{name:22s} n {len(off):4d}  mean |error| {np.abs(off).mean():6.2%}  median {np.median(np.abs(off)):6.2%}  "
        f"bias {off.mean():+6.2%} (median {np.median(off):+6.2%})  "
        f"p95 {np.percentile(np.abs(off), 95):6.2%}  worst {np.abs(off).max():6.2%}  "
        f"95 % interval covers {covers:6.1%}  median sd {np.median(sd / true):5.2%}"
    )


def repeated(rows):
    pairs = np.array([(row[3], row[5][1]) for row in rows if row[5]])
    if not len(pairs):
        return
    off = np.abs(pairs[:, 1] - pairs[:, 0]) / pairs.mean(axis=1)
    print(
        f"two exposures: n {len(off)}  mean difference {off.mean():.2%}  median {np.median(off):.2%}  "
        f"p95 {np.percentile(off, 95):.2%}  worst {off.max():.2%}"
    )


def worst(rows):
    for scene, label, true, found, sd, _ in sorted(rows, key=lambda r: -abs(r[3] / r[2] - 1))[:8]:
        print(
            f"  worst: seed {scene.seed} deposit {label}: true {true:.2f} found {found:.2f} +- {sd:.2f}; "
            f"{'LOG' if scene.log else 'LIN'} {scene.scatter_kind} scatter {scene.scatter:.0%} reach "
            f"{scene.reach_mm:.0f} mm {scene.kvp:.0f} kVp heel {scene.heel:.0%} limb {scene.limb_mm:.0f} mm"
        )


if __name__ == "__main__":
    main()
