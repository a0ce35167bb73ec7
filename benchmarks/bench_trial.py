"""Time and memory of a study of N subjects x 3 visits: time must grow linearly and memory stay flat.

    python benchmarks/bench_trial.py [N ...]

Every subject has the same three drawn hands with their true masks: the study is large, the drawing is not.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from ivig_study import PATIENTS, film
from PIL import Image as Picture

DAYS = ("2025-01-10", "2025-09-10", "2026-03-10")


def main(counts: list[int]) -> None:
    """Print seconds per subject and the largest process for each size of study."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        draw(folder)
        for count in counts:
            seconds = run(folder, count)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(
                f"{count} subjects: {seconds:.1f} s, {seconds / count:.2f} s each, largest process so far {peak:.0f} MB"
            )


def draw(folder: Path) -> None:
    """Three films of one patient and their true masks."""
    for number, visit in enumerate((0, 1, 1)):
        phantom = film(PATIENTS[0], visit, number)
        Picture.fromarray(np.array(phantom.image.pixels)).save(folder / f"{number}.png")
        tifffile.imwrite(folder / f"{number}.tif", phantom.truth.array.astype(np.uint8))


def run(folder: Path, count: int) -> float:
    """Seconds for a study of so many subjects."""
    rows = [f"S{n},v{k},{DAYS[k]},{k}.png,{k}.tif,0.24" for n in range(count) for k in range(3)]
    table = folder / f"study{count}.csv"
    table.write_text("\n".join(["subject,visit,date,image,mask,spacing_mm", *rows, ""]))
    begin = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "calcimeasure",
        "study",
        str(table),
        "-o",
        str(folder / f"out{count}"),
        "--jobs",
        "2",
    ]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [10, 20, 40])
