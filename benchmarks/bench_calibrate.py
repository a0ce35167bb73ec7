"""Scale from the picture: simulated marker sheets, real boards, real rulers, and photos without either.

Run from the repository: ``python benchmarks/bench_calibrate.py [--shared ../shared] [--overlays FOLDER]``.
"""

import argparse
import csv
import io
import math
import os
import sys
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("CALCIMEASURE_SHARED", ROOT.parent / "shared"))
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "steps")]

from calibrate_scenes import Shot, sheet_photo  # noqa: E402

from calcimeasure.model.image import Image, Kind, Meaning  # noqa: E402
from calcimeasure.report.words import in_one  # noqa: E402
from calcimeasure.steps.scale import find_markers, find_rulers, find_scale, fit_plane  # noqa: E402


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--shared", type=Path, default=SHARED)
    options.add_argument("--photos", type=int, default=24, help="simulated photos of each kind")
    options.add_argument("--overlays", type=Path, help="where to draw the ticks found")
    chosen = options.parse_args()
    simulated_sheets(chosen.photos)
    data = chosen.shared / "data"
    if data.is_dir():
        real_boards(data / "marker_photos")
        real_rulers(data / "ruler_photos", chosen.overlays)
        no_rulers(data)
    else:
        print(f"the shared data folder is not at {chosen.shared.name}: real photos are left out")


def simulated_sheets(count):
    """Discs of known area, beside and far from the markers, at tilts of 0-30 degrees."""
    for name, keep in (("16 markers", None), ("4 markers", (0, 3, 8, 11)), ("1 marker", (5,))):
        rng, errors, tilts, refused = np.random.default_rng(1), [], [], 0
        for seed in range(count):
            shot = _shot(rng, seed)
            scale = find_scale(sheet_photo(shot, keep=keep))
            if scale.spacing is None:
                refused += 1
                continue
            tilts.append(abs(scale.tilt_degrees - shot.tilt))
            errors += [abs(scale.area_mm2(disc) / (math.pi * 64) - 1) for disc in _discs(shot)]
        _print_errors(f"simulated sheet, {name}: area error", errors)
        print(
            f"    tilt error median {np.median(tilts):.2f}, worst {np.max(tilts):.2f} degrees;"
            f" refused {refused} of {count}"
        )


def _shot(rng, seed):
    return Shot(
        tilt=rng.uniform(0, 30),
        towards=rng.uniform(0, 360),
        spin=rng.uniform(0, 360),
        px_per_mm=rng.uniform(4, 9),
        middle_mm=(75, 125),
        shape=(900, 1200),
        focal=rng.uniform(0.8, 1.8),
        blur=rng.uniform(0.5, 1.6),
        noise=rng.uniform(1, 6),
        quality=int(rng.integers(60, 95)),
        seed=seed,
    )


def _discs(shot):
    """Masks of the discs that lie inside the frame."""
    masks = (shot.disc(x, y, 8) for x, y in ((75, 125), (100, 125), (60, 150), (90, 105)))
    return [mask for mask in masks if not (mask[[0, -1]].any() or mask[:, [0, -1]].any())]


def real_boards(folder):
    """Boards of unknown size: every marker measured with another one as reference."""
    every = {"plane of the board, mm of one marker": [], "plane and mm of one marker alone": [], "of the nearest": []}
    for name in ("aruco_choriginal.jpg", "aruco_screen_charuco.jpg"):
        image = _photo(folder / name)
        markers = find_markers(image)
        whole = fit_plane(markers, 20.0, image.shape)
        alone = _sides_by_one(markers, image.shape)
        off = ~np.eye(len(markers), dtype=bool)
        centre = markers.corners.mean(axis=1)
        far = np.linalg.norm(centre[:, None] - centre, axis=2) + np.diag(np.full(len(markers), np.inf))
        found = (
            (whole.sides_mm / whole.sides_mm[:, None])[off],
            alone[off],
            alone[np.arange(len(markers)), far.argmin(axis=1)],
        )
        print(
            f"{name}: {len(markers)} markers, tilt {whole.tilt_degrees:.1f},"
            f" reprojection {whole.reprojection_px:.2f} px, sizes agree within {whole.disagreement:.1%}"
        )
        for (kind, pool), side in zip(every.items(), found, strict=True):
            _print_errors(f"    {kind}: area error", np.abs(side**2 - 1))
            pool.extend(np.abs(side**2 - 1))
    for kind, pool in every.items():
        _print_errors(f"both boards, {kind}: area error", pool)


def _sides_by_one(markers, shape):
    """Side of marker j over its truth when marker i alone gives plane and scale, shape (n, n)."""
    corners = markers.corners
    sides = np.empty((len(corners), len(corners)))
    for i in range(len(corners)):
        to_mm = fit_plane(markers.only(i), 1.0, shape).to_mm
        x, y, w = np.moveaxis(np.dstack([corners, np.ones(corners.shape[:2])]) @ to_mm.T, -1, 0)
        x, y = x / w, y / w
        sides[i] = np.sqrt(np.abs((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1)) / 2)
    return sides


def real_rulers(folder, overlays):
    truth = {
        row["image"]: float(row["px_per_mm"])
        for row in csv.DictReader(io.StringIO((folder / "px_per_mm.csv").read_text()))
    }
    errors, wrong, seconds = [], 0, []
    for path in sorted(folder.glob("*.jpg")):
        image, start = _photo(path), time.process_time()
        scale = find_scale(image, method="ruler")
        seconds.append(time.process_time() - start)
        error = scale.px_per_mm / truth[path.name] - 1 if path.name in truth and scale.px_per_mm else None
        errors += [abs(error)] if error is not None else []
        wrong += error is not None and abs(error) > 0.05 and not scale.unsure
        value = "-" if scale.px_per_mm is None else f"{scale.px_per_mm:.2f} +- {scale.spacing.relative_sd:.1%}"
        print(
            f"    {path.name:64s} {value:15s} {'' if error is None else f'{error:+.1%}':6s} {in_one(scale.reason)[:60]}"
        )
        if overlays:
            _draw(path, image, overlays)
    good = sum(error <= 0.03 for error in errors)
    print(
        f"rulers: {good} of {len(truth)} within 3 %; sure and more than 5 % off: {wrong};"
        f" CPU seconds {max(seconds):.2f} at most"
    )


def no_rulers(data):
    folders = ("calcinosis_photos/*.jpg", "marker_photos/*", "odd_rasters/exif/*")
    invented, count, seconds = [], 0, [0.0]
    for path in sorted(path for pattern in folders for path in data.glob(pattern)):
        image = _photo(path)
        if image is None:
            continue
        start = time.process_time()
        scale = find_scale(image, method="ruler")
        seconds.append(time.process_time() - start)
        count += 1
        if scale.spacing is not None:
            invented.append(path.name)
    print(
        f"photos without a millimetre ruler: {count}; a scale invented on {len(invented)} {invented};"
        f" CPU seconds {max(seconds):.2f} at most"
    )


def _draw(path, image, folder):
    rulers = find_rulers(image)
    if not rulers:
        return
    canvas = cv2.resize(image.pixels[..., ::-1].copy(), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    for number, (foot, end) in enumerate(zip(rulers[0].feet, rulers[0].ends, strict=True)):
        cycle = (number - rulers[0].verdict.phase) % 10
        colour = (0, 0, 255) if cycle == 0 else (255, 120, 0) if cycle == 5 else (0, 220, 0)
        points = [tuple(round(2 * v + 0.5) for v in point[::-1]) for point in (foot, end)]
        cv2.line(canvas, *points, colour, 1, cv2.LINE_AA)
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{path.stem}.png"), canvas)


def _photo(path):
    rgb = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    return None if rgb is None else Image(rgb, Kind.PHOTO, Meaning.PHOTO)


def _print_errors(what, errors):
    share = 100 * np.asarray(errors)
    print(
        f"{what} median {np.median(share):.2f} %, 95 % below {np.percentile(share, 95):.2f} %,"
        f" worst {share.max():.2f} %, n {len(share)}"
    )


if __name__ == "__main__":
    main()
