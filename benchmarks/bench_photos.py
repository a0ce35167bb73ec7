"""Photos: outlines from a box against the shared truth, every prompt, every skin tone, and the speed.

Run: ``python benchmarks/bench_photos.py [--seeds 5] [--phantoms 6] [--overlays FOLDER]``.
A blind ellipse at 1/1.8 of the box stands beside the figures: the protocol's boxes alone give that much away.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image as Picture

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.image import Image, Kind, Meaning
from calcimeasure.phantom.photo import draw_photo, random_photo_scene
from calcimeasure.steps.outline.photo import segment_photo
from calcimeasure.steps.outline.proposals import propose, ranking

SHARED = Path(os.environ.get("CALCIMEASURE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
PHOTOS = SHARED / "data" / "calcinosis_photos"
ITA = (-40, -20, 0, 20, 35, 48, 60)
SMALL_PX = 50
APART = ("0012", "0013", "calcinosis1")


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    photo: str
    label: int
    image: Image
    truth: np.ndarray

    @property
    def small(self) -> bool:
        return bool(self.truth.sum() < SMALL_PX)


def real_cases() -> Iterator[Case]:
    confidence = {}
    with (PHOTOS / "outlines.csv").open() as rows:
        for row in csv.DictReader(rows):
            confidence[row["image"], int(row["label"])] = row["confidence"]
    for path in sorted(PHOTOS.glob("*.jpg")):
        image = Image(np.array(Picture.open(path).convert("RGB")), Kind.PHOTO, Meaning.PHOTO)
        truth = tifffile.imread(path.with_suffix(".truth.tif"))
        for label in np.unique(truth[truth > 0]):
            if confidence[path.name, int(label)] in ("high", "medium"):
                yield Case(path.stem, int(label), image, truth == label)


def phantom_cases(each: int) -> Iterator[Case]:
    for band, ita in enumerate(ITA):
        for number in range(each):
            phantom = draw_photo(random_photo_scene(100 * band + number, float(ita)), 100 * band + number)
            for label in phantom.truth.numbers:
                yield Case(f"ITA {ita:+d}", int(label), phantom.image, phantom.truth.array == label)


def loose_box(truth: np.ndarray, seed: int, low: float = 0.2, high: float = 0.6) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(truth.any(1)), np.flatnonzero(truth.any(0))
    corner, end = np.array([rows[0], columns[0]]), np.array([rows[-1], columns[-1]]) + 1
    out = np.random.default_rng(seed).uniform(low, high, 4)
    first, last = np.rint(corner - out[:2] * (end - corner)), np.rint(end + out[2:] * (end - corner))
    first, last = np.maximum(first, 0), np.minimum(last, truth.shape)
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])


def ellipse(box: tuple[int, int, int, int], shape: tuple[int, int], size: float = 1.0) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    down = (rows + 0.5 - (box[0] + box[2]) / 2) / ((box[2] - box[0]) / 2 * size)
    across = (columns + 0.5 - (box[1] + box[3]) / 2) / ((box[3] - box[1]) / 2 * size)
    return down**2 + across**2 <= 1


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / max(1, one.sum() + other.sum()))


def asked(image: Image, **prompt: object) -> np.ndarray:
    try:
        return segment_photo(image, **prompt).array > 0
    except MeasurementRefused:
        return np.zeros(image.shape, bool)


def prompts(case: Case, seed: int) -> dict[str, dict[str, object]]:
    box = loose_box(case.truth, seed)
    middle = np.array([box[0] + box[2], box[1] + box[3]]) / 2
    half = np.array([box[2] - box[0], box[3] - box[1]]) / 2
    turns = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    wobble = np.random.default_rng(seed).uniform(0.85, 1.05, (16, 1))
    lasso = middle + half * wobble * np.stack([np.sin(turns), np.cos(turns)], 1)
    inner = cv2.distanceTransform(np.pad(case.truth.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    places = np.argwhere(inner >= 0.6 * inner.max())
    click = places[int(np.random.default_rng(seed).integers(len(places)))]
    return {"box": {"box": box}, "lasso": {"lasso": lasso}, "click": {"clicks": [tuple(click)]}}


def outlines(cases: list[Case], seeds: int) -> None:
    """Dice per photo of every prompt, beside the two ellipses that know the box alone."""
    table: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for case in (case for case in cases if not case.small):
        for seed in range(seeds):
            box = loose_box(case.truth, 1000 * seed + case.label)
            row = table[case.photo]
            row["ellipse"].append(dice(ellipse(box, case.truth.shape), case.truth))
            row["blind"].append(dice(ellipse(box, case.truth.shape, 1 / 1.8), case.truth))
            for name, prompt in prompts(case, 1000 * seed + case.label).items():
                row[name].append(dice(asked(case.image, **prompt), case.truth))
    show(table, seeds)


def show(table: dict[str, dict[str, list[float]]], seeds: int) -> None:
    columns = ("box", "ellipse", "blind", "lasso", "click")
    print(f"{'':24}{'n':>4}" + "".join(f"{name:>9}" for name in columns) + f"{'worst box':>11}")
    for photo, row in table.items():
        mark = " (apart)" if photo.removeprefix("calcinosis-cutis-") in APART else ""
        figures = "".join(f"{np.mean(row[name]):9.3f}" for name in columns)
        print(f"{photo + mark:24.30}{len(row['box']) // seeds:4}{figures}{min(row['box']):11.3f}")
    means = "".join(f"{np.mean([np.mean(row[name]) for row in table.values()]):9.3f}" for name in columns)
    print(f"{'mean of rows':28}{means}")


def small_hits(cases: list[Case], seeds: int) -> None:
    small = [case for case in cases if case.small]
    if not small:
        return
    hits = [
        (asked(case.image, box=loose_box(case.truth, 1000 * seed + case.label)) & case.truth).any()
        for case in small
        for seed in range(seeds)
    ]
    print(f"deposits under {SMALL_PX} px: {len(small)}, hit with {sum(hits)} of {len(hits)} boxes")


def proposals(cases: list[Case]) -> None:
    """How many high or medium deposits the search without a prompt touches, and what else it proposes."""
    photos: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        photos[case.photo].append(case)
    for photo, deposits in photos.items():
        found = propose(deposits[0].image)
        labels = found.labels.array
        hits = sum((labels[case.truth] > 0).any() for case in deposits)
        any_truth = np.logical_or.reduce([case.truth for case in deposits])
        right = [bool(any_truth[labels == one.label].any()) for one in ranking(found)]
        ranked = f"{sum(right)} of {len(right)} proposals right, {sum(right[:10])} of the first ten"
        print(f"{photo:24.24} found {hits}/{len(deposits)}; {ranked}")


def speed() -> None:
    rng = np.random.default_rng(0)
    pixels = np.clip(rng.normal(150, 12, (3000, 4000, 3)), 0, 255).astype(np.uint8)
    cv2.circle(pixels, (2000, 1500), 300, (235, 230, 210), -1)
    image = Image(pixels, Kind.PHOTO, Meaning.PHOTO)
    for name, box in (("700-px box", (1150, 1650, 1850, 2350)), ("whole frame", (0, 0, 3000, 4000))):
        start = time.perf_counter()
        segment_photo(image, box=box)
        print(f"12 megapixels, {name}: {time.perf_counter() - start:.2f} s")


def draw(cases: list[Case], folder: Path) -> None:
    """One picture per photo's deposit: found in green, truth in blue, box in white; worst first by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in (case for case in cases if not case.small):
        box = loose_box(case.truth, case.label)
        found = asked(case.image, box=box)
        window = slice(box[0], box[2]), slice(box[1], box[3])
        scale = 300 / max(box[2] - box[0], box[3] - box[1])
        panel = cv2.resize(case.image.pixels[window], None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        for mask, colour in ((case.truth, (0, 90, 255)), (found, (0, 255, 0))):
            large = cv2.resize(mask[window].astype(np.uint8), panel.shape[1::-1], interpolation=cv2.INTER_NEAREST)
            cv2.drawContours(panel, cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], -1, colour, 1)
        Picture.fromarray(panel).save(folder / f"{dice(found, case.truth):.3f}_{case.photo}_{case.label}.png")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--seeds", type=int, default=5)
    ask.add_argument("--phantoms", type=int, default=6, help="photos per skin tone")
    ask.add_argument("--overlays", type=Path)
    options = ask.parse_args()
    if PHOTOS.is_dir():
        cases = list(real_cases())
        print(f"real photos, Dice, boxes of seeds 0..{options.seeds - 1}")
        outlines(cases, options.seeds)
        small_hits(cases, options.seeds)
        proposals(cases)
        if options.overlays:
            draw(cases, options.overlays)
    else:
        print("the shared photos are not there: phantoms only")
    drawn = list(phantom_cases(options.phantoms))
    print("phantoms, Dice, one box per deposit")
    outlines(drawn, 1)
    small_hits(drawn, 1)
    if options.overlays:
        draw(drawn, options.overlays / "phantoms")
    speed()


if __name__ == "__main__":
    main()
