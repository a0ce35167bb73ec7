"""`measure` against `skimage.measure.regionprops_table` on 3000 x 4000 px with 5,000 deposits.

Both arms run in one thread (nothing here calls BLAS; OpenCV is told), in turns, and the best of the
rounds counts. The first ratio is over the columns that regionprops has (its own property for each of
ours, pixel spacing given); there `measure` still does its whole work, rings and errors included. The
second adds to the other arm what has no property: the ring contrast, as a person would write it with the
same dilations around each bounding box (in OpenCV, which is quicker than `extra_properties`), and the
saturated pixels. The areas' sd and the share over bone are left out of that arm, in its favour.

    python benchmarks/bench_measure.py [--rounds 3]
"""

import argparse
import resource
import time

import cv2
import numpy as np
from skimage.measure import regionprops_table

from calcimeasure.model.image import Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels
from calcimeasure.steps.measure.area import MeasureSettings, Window, measure, measure_some, reach_px

SHAPE, DEPOSITS, MM = (3000, 4000), 5000, 0.15
PROPERTIES = (
    "label",
    "area",
    "centroid",
    "bbox",
    "equivalent_diameter_area",
    "feret_diameter_max",
    "perimeter_crofton",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    cv2.setNumThreads(1)
    image, labels, bone = film()
    arms = {
        "measure": lambda: measure(image, labels, bone=bone),
        "regionprops": lambda: peer(image, labels),
        "regionprops + ring": lambda: peer_with_ring(image, labels, bone),
    }
    results, best = race(arms, rounds)
    for name, (wall, cpu) in best.items():
        print(f"{name:20s} {wall:7.3f} s wall {cpu:7.3f} s cpu")
    for name in list(arms)[1:]:
        wall, cpu = (a / b for a, b in zip(best[name], best["measure"], strict=True))
        print(f"measure is {wall:5.1f} x as fast as {name} by wall, {cpu:5.1f} x by cpu")
    print_differences(results["measure"].deposits, results["regionprops + ring"], image)
    print_large()
    print_stroke(image, labels, bone)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB (all arms)")


def film():
    """A noisy film with ellipses on a jittered grid, and bone in broad stripes."""
    rng = np.random.default_rng(1)
    array = np.zeros(SHAPE, np.int32)
    for number in range(1, DEPOSITS + 1):
        row, column = divmod(number - 1, 84)
        centre = (column * 47.6 + 24 + rng.uniform(-8, 8), row * 50 + 25 + rng.uniform(-8, 8))
        cv2.ellipse(array, (centre, tuple(rng.uniform(5, 26, 2)), rng.uniform(0, 180)), number, -1)
    pixels = (rng.normal(1500, 60, SHAPE) + 700 * (array > 0)).astype(np.uint16)
    bone = np.broadcast_to(np.arange(SHAPE[1]) % 800 < 150, SHAPE).copy()
    spacing = Spacing.of(MM, MM, SpacingOrigin.USER)
    image = Image(pixels, Kind.RADIOGRAPH, Meaning.DETECTOR, spacing, ceiling=2300.0)
    return image, Labels(array), bone


def peer(image, labels):
    """The columns that regionprops has."""
    names = (*PROPERTIES, "intensity_mean")
    return regionprops_table(labels.array, image.pixels, properties=names, spacing=(MM, MM))


def peer_with_ring(image, labels, bone):
    """The same, and contrast and saturation deposit by deposit."""
    table = peer(image, labels)
    array, pixels = labels.array, image.pixels
    gap = round(MeasureSettings().ring_gap_mm / MM)
    outer = gap + round(MeasureSettings().ring_width_mm / MM)
    foot = cv2.dilate((array > 0).astype(np.uint8), np.ones((2 * gap + 1,) * 2, np.uint8))
    soft = (foot == 0) & ~bone
    rows = zip(table["label"], *(table[f"bbox-{i}"] for i in range(4)), strict=True)
    found = [ring(array, pixels, (soft, foot == 0), row, outer, image.ceiling) for row in rows]
    background, saturated = np.array(found).T
    return table | {"contrast_mean": table["intensity_mean"] - background, "saturated_px": saturated}


def ring(array, pixels, tiers, row, outer, ceiling):
    number, row0, column0, row1, column1 = row
    around = np.s_[max(row0 - outer, 0) : row1 + outer, max(column0 - outer, 0) : column1 + outer]
    mine = array[around] == number
    near = cv2.dilate(mine.astype(np.uint8), np.ones((2 * outer + 1,) * 2, np.uint8)) > 0
    values = (pixels[around][near & tier[around]] for tier in tiers)
    enough = next(v for v in values if v.size >= MeasureSettings().ring_least_px)
    return np.median(enough), (pixels[around][mine] >= ceiling).sum()


def race(arms, rounds):
    results, times = {}, {name: [] for name in arms}
    for _ in range(rounds):
        for name, arm in arms.items():
            wall, cpu = time.perf_counter(), time.process_time()
            results[name] = arm()
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return results, {name: tuple(map(min, zip(*t, strict=True))) for name, t in times.items()}


def print_differences(rows, table, image):
    """Largest difference per column; only Feret is defined otherwise (corners, not mid-edges)."""
    mine = {
        "label": [d.label for d in rows],
        "area": [d.area_mm2.value for d in rows],
        "equivalent_diameter_area": [d.diameter_mm for d in rows],
        "feret_diameter_max": [d.feret_mm for d in rows],
        "perimeter_crofton": [d.perimeter_mm for d in rows],
        "contrast_mean": [d.contrast_mean for d in rows],
        "saturated_px": [d.saturated_px for d in rows],
        **{f"centroid-{i}": [d.centroid[i] * MM for d in rows] for i in range(2)},
        **{f"bbox-{i}": [d.bbox[i] for d in rows] for i in range(4)},
    }
    print("largest difference to regionprops (mm, mm2, px or pixel values)")
    for name, column in mine.items():
        difference = np.subtract(column, table[name])
        note = f"   mean {difference.mean() / MM:.2f} px: other definition" if name.startswith("feret") else ""
        print(f"  {name:26s} {np.abs(difference).max():.2e}{note}")


def print_large():
    """One deposit as large as the film."""
    array = np.zeros(SHAPE, np.int32)
    array[20:-20, 20:-20] = 1
    image = Image(array.astype(np.uint16), Kind.RADIOGRAPH, Meaning.DETECTOR, Spacing.of(MM, MM, SpacingOrigin.USER))
    labels = Labels(array)
    start = time.perf_counter()
    measure(image, labels)
    print(f"one deposit of {(array > 0).sum() / 1e6:.1f} megapixels: {time.perf_counter() - start:.2f} s")


def print_stroke(image, labels, bone):
    """What a stroke on one deposit costs: that deposit again, from a window of the labels."""
    reach = reach_px(image.spacing)
    times = []
    for deposit in measure(image, labels, bone=bone).deposits[::25]:
        start = time.perf_counter()
        top, left = (max(deposit.bbox[i] - reach[i], 0) for i in (0, 1))
        part = labels.array[top : deposit.bbox[2] + reach[0], left : deposit.bbox[3] + reach[1]]
        again = measure_some(image, Window(Labels(part), top, left), [deposit.label], bone=bone)
        times.append(time.perf_counter() - start)
        if again != (deposit,):
            raise SystemExit(f"deposit {deposit.label} measured again differs: {again} is not {deposit}")
    median, slow = np.quantile(times, [0.5, 0.95]) * 1e3
    print(f"one deposit measured again: median {median:.2f} ms, 95 % {slow:.2f} ms, same digits")


if __name__ == "__main__":
    main()
