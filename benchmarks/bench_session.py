"""From a brush stroke to the number: the session beside a full re-measurement of the same mask.

A film of 3000 x 4000 pixels with 1,000 deposits is corrected with a brush. *session* is `Session.edited` with the
journal on and then `measurement`: what the panel waits for. *regionprops* is what table plugins do after each edit:
`skimage.measure.regionprops_table` over the whole mask. *measure* is our own full measurement.
"""

from __future__ import annotations

import tempfile
import time
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage.measure import regionprops_table

from calcimeasure import Image, Kind, Labels, Meaning, Spacing, SpacingOrigin
from calcimeasure.model.authorship import Author, Authorship, Doubt
from calcimeasure.reading.record import Source
from calcimeasure.reading.session import Session
from calcimeasure.recipe import unseen_on
from calcimeasure.steps.measure.area import measure
from calcimeasure.steps.measure.error import with_boundary_error

SHAPE, DEPOSITS, STROKES = (3000, 4000), 1000, 400
#: The columns of a usual table.
COLUMNS = ("label", "area", "centroid", "bbox", "perimeter", "feret_diameter_max", "intensity_mean")


def main(shared: Path | None = None) -> None:
    image, labels = scene()
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.bin"
        film.write_bytes(b"bench")
        session = Session(image, source=Source.of(film))
        laid = timed(lambda: session.edit.set_labels(labels))
        session.keeping.keep_journal()
        seconds, processor, peak = strokes(session)
        session.keeping.close()
    whole = [timed(lambda: measure(image, Labels(session.labels))) for _ in range(3)]
    plugin = [timed(lambda: regionprops_table(session.labels, image.pixels, properties=COLUMNS)) for _ in range(2)]
    p50, p95, worst = np.percentile(seconds, (50, 95, 100)) * 1000
    cpu50, cpu95 = np.percentile(processor, (50, 95)) * 1000
    print(f"film {SHAPE[0]} x {SHAPE[1]}, {len(session.rows)} deposits, {len(seconds)} strokes and undos")
    print(f"session, a whole mask laid: {laid * 1000:.0f} ms")
    print(
        f"session: median {p50:.1f} ms, p95 {p95:.1f} ms, worst {worst:.1f} ms; peak of new memory {peak / 1e6:.2f} MB"
    )
    print(f"session, processor: median {cpu50:.1f} ms, p95 {cpu95:.1f} ms")
    print(f"measure, whole mask: {min(whole) * 1000:.0f} ms, {min(whole) * 1000 / p95:.0f} times the p95")
    print(f"regionprops, whole mask: {min(plugin) * 1000:.0f} ms, {min(plugin) * 1000 / p95:.0f} times the p95")
    script, told = measure(image, Labels(session.labels)), session.outlines
    unseen = unseen_on(image, told.passed_over_px)
    assert session.measurement == with_boundary_error(script, told.doubts, unseen)


def scene() -> tuple[Image, Labels]:
    """A noisy film and 1,000 ellipses, from specks to plaques, as doubtful as networks are."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 4000, SHAPE, np.uint16)
    labels = np.zeros(SHAPE, np.int32)
    for number in range(1, DEPOSITS + 1):
        centre = int(rng.integers(SHAPE[1])), int(rng.integers(SHAPE[0]))
        axes = tuple(int(axis) for axis in 2 + rng.lognormal(2, 0.7, 2))
        cv2.ellipse(labels, centre, axes, float(rng.integers(180)), 0, 360, number, -1)
    doubts = {
        number: Doubt(float(rng.uniform(0.02, 0.3)), float(rng.uniform(0, 0.4))) for number in range(1, DEPOSITS + 1)
    }
    spacing = Spacing.of(0.1, 0.1, SpacingOrigin.USER)
    by = Authorship(Author.NETWORKS, doubts=doubts)
    return Image(pixels, Kind.RADIOGRAPH, Meaning.DISPLAY, spacing, ceiling=4095.0), Labels(labels, authorship=by)


def strokes(session: Session) -> tuple[list[float], list[float], int]:
    """Seconds of each stroke by clock and by processor, a fifth undone; peak of newly taken memory of one, in bytes."""
    rng = np.random.default_rng(1)
    seconds, processor, peak = [], [], 0
    for turn in range(STROKES):
        where, values = stroke(session, rng)
        steps, before = len(session.changes.log), time.process_time()
        seconds.append(timed(partial(_one_stroke, session, where, values)))
        processor.append(time.process_time() - before)
        if turn % 5 == 0 and len(session.changes.log) > steps:
            seconds.append(timed(lambda: (session.undo(), session.measurement)))
    tracemalloc.start()
    for _ in range(20):
        where, values = stroke(session, rng)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        session.edit.edited(where, values)
        peak = max(peak, tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    return seconds, processor, peak


def _one_stroke(session: Session, where: Any, values: Any) -> Any:
    session.edit.edited(where, values)
    return session.measurement


def stroke(session: Session, rng: np.random.Generator) -> tuple[Any, Any]:
    """A dragged brush of 10 to 40 px, 10 to 150 px long, mostly at a deposit: painted, erased, or a new one."""
    rows = list(session.rows.values())
    row0, column0, row1, column1 = rows[int(rng.integers(len(rows)))].bbox
    near = rng.random() < 0.8
    at = np.array([(row0 + row1) / 2, (column0 + column1) / 2]) if near else rng.uniform(0, SHAPE)
    to = (at + rng.normal(0, 1, 2) * rng.uniform(5, 60)).clip(0, np.subtract(SHAPE, 1))
    width = int(rng.integers(10, 41))
    low = np.floor(np.minimum(at, to) - width).clip(0).astype(int)
    high = np.minimum(np.ceil(np.maximum(at, to) + width), SHAPE).astype(int)
    where = (slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])))
    window = session.labels[where].copy()
    number = int(rng.choice([0, session.at(*at) or session.next_label, session.next_label]))
    ends = [tuple(int(value) for value in (point - low)[::-1]) for point in (at, to)]
    cv2.line(window, *ends, number, width)
    return where, window


def timed(action: Any) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
