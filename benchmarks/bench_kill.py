"""Kill -9 at twenty random moments of a 77-film run, each time continued with --resume: identical tables or not."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

MOMENTS = 20

SHARED = Path(os.environ.get("CALCIMEASURE_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--shared", type=Path, default=SHARED)
    args = cli.parse_args()
    films = args.shared / "data" / "radiographs"
    if not films.is_dir():
        print("no films: lay the shared data folder beside the checkout, or give --shared")
        return
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(not same_after_kills(films, Path(scratch)))


def same_after_kills(films: Path, scratch: Path) -> bool:
    """Whether a run killed twenty times ends in the bytes of one that was never killed."""
    start = time.perf_counter()
    subprocess.run(_command(films, scratch / "whole"), check=True, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    rng = np.random.default_rng(20)
    for pause in rng.uniform(0.5, 2 * seconds / MOMENTS + 2, MOMENTS):
        _killed(_command(films, scratch / "killed"), float(pause))
    subprocess.run(_command(films, scratch / "killed"), check=True, stderr=subprocess.DEVNULL)
    names = sorted(str(p.relative_to(scratch / "whole")) for p in (scratch / "whole").rglob("*") if p.is_file())
    kept = [name for name in names if not name.startswith(".calcimeasure")]
    moved = [name for name in kept if not _equal(scratch / "whole" / name, scratch / "killed" / name)]
    print(f"kill: {MOMENTS} kills, {seconds:.0f} s of work: {len(moved)} of {len(kept)} files differ {moved[:5]}")
    return not moved


def _command(films: Path, out: Path) -> list[str]:
    words = ["measure", films, "-o", out, "--spacing", "0.15", "--jobs", "2", "--resume"]
    return [sys.executable, "-m", "calcimeasure", *map(str, words)]


def _killed(command: list[str], after: float) -> None:
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(after)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def _equal(one: Path, other: Path) -> bool:
    return other.exists() and one.read_bytes() == other.read_bytes()


if __name__ == "__main__":
    main()
