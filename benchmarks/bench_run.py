"""Whole runs: start-up, seconds per film by stage, memory against the number of files, two jobs against one.

Ratios are taken within one run of this script, the arms in turn, since machines are noisy.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

TURNS = 3

SHARED = Path(os.environ.get("CALCIMEASURE_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--shared", type=Path, default=SHARED)
    cli.add_argument("--films", type=int, default=16, help="films in the jobs comparison")
    args = cli.parse_args()
    start_up()
    films = sorted((args.shared / "data" / "radiographs").glob("*"))[: args.films]
    if not films:
        print("no films: lay the shared data folder beside the checkout, or give --shared")
        return
    stages(films[:8])
    with tempfile.TemporaryDirectory() as scratch:
        jobs_scaling(films, Path(scratch))
        memory(films, Path(scratch))


def start_up() -> None:
    """Whole process from start to end of ``calcimeasure --help``."""
    seconds = [_seconds([sys.executable, "-m", "calcimeasure", "--help"]) for _ in range(7)][1:]
    print(f"start-up: --help {statistics.median(seconds):.2f} s (median of 6; target 0.4)")


def stages(films: list[Path]) -> None:
    """Median seconds of each stage over some films, one process."""
    from calcimeasure import Recipe, measure, read_image, segment
    from calcimeasure.report.film_picture import overlay

    recipe, spent = Recipe(), {name: [] for name in ("read", "segment", "measure", "overlay")}
    for film in films:
        marks = [time.perf_counter()]
        image = read_image(film, spacing=0.15)
        marks.append(time.perf_counter())
        found = segment(image, recipe.segment)
        marks.append(time.perf_counter())
        measure(image, found.labels, bone=found.bone, settings=recipe.measure)
        marks.append(time.perf_counter())
        overlay(image, found.labels, found.excluded)
        marks.append(time.perf_counter())
        for name, seconds in zip(spent, np.diff(marks), strict=True):
            spent[name].append(seconds)
    told = ", ".join(f"{name} {statistics.median(seconds):.3f}" for name, seconds in spent.items())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"stages (median s per film, {len(films)} films): {told}; peak memory {peak:.0f} MB")


def jobs_scaling(films: list[Path], scratch: Path) -> None:
    """Two jobs against one, one thread per process in both arms, in turn."""
    folder = _copies(films, scratch / "films", 1)
    ratios = []
    for turn in range(TURNS):
        one, two = (_measure(folder, scratch / f"jobs{jobs}-{turn}", jobs) for jobs in (1, 2))
        ratios.append(one / two)
        print(f"jobs: 1 job {one:.1f} s, 2 jobs {two:.1f} s for {len(films)} films, ratio {one / two:.2f}", flush=True)
    print(f"jobs: median ratio {statistics.median(ratios):.2f} (target 1.7)")


def memory(films: list[Path], scratch: Path) -> None:
    """Peak memory of a run over few files and over six times as many."""
    peaks = []
    for times in (1, 6):
        folder = _copies(films[:4], scratch / f"many{times}", times)
        _measure(folder, scratch / f"memory{times}", 1)
        peaks.append(_LAST_PEAK[0])
    print(f"memory: largest process {peaks[0]:.0f} MB over 4 files, {peaks[1]:.0f} MB over 24")


_LAST_PEAK = [0.0]


def _measure(folder: Path, out: Path, jobs: int) -> float:
    words = ["measure", str(folder), "-o", str(out), "--spacing", "0.15", "--jobs", str(jobs), "--threads", "1"]
    return _seconds([sys.executable, "-m", "calcimeasure", *words], OMP_NUM_THREADS="1")


def _seconds(command: list[str], **environment: str) -> float:
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **environment}
    )
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"{' '.join(command[2:4])} ended with {os.waitstatus_to_exitcode(status)}")
    _LAST_PEAK[0] = usage.ru_maxrss / 1024
    return time.perf_counter() - start


def _copies(films: list[Path], folder: Path, times: int) -> Path:
    folder.mkdir(parents=True)
    for turn in range(times):
        for film in films:
            shutil.copy(film, folder / f"{turn}-{film.name}")
    return folder


if __name__ == "__main__":
    main()
