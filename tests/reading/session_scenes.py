"""Films and scripted readers for the tests of the session."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage

from calcimeasure import Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.reading.session import Session

SPACING = Spacing.of(0.2, 0.2, SpacingOrigin.USER)


def film(seed: int = 0, shape: tuple[int, int] = (240, 320), spacing: Spacing | None = SPACING) -> Image:
    pixels = np.random.default_rng(seed).integers(0, 4000, shape).astype(np.uint16)
    return Image(pixels, Kind.RADIOGRAPH, Meaning.DISPLAY, spacing, ceiling=4095.0)


def film_file(path: Path, seed: int = 0) -> Path:
    """A forearm of sorts with a dense nodule."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:220, :160]
    grey = 20 + 60.0 * (abs(xx - 80) < 55) + 70.0 * (abs(xx - 90) < 14)
    grey += 70.0 * ((yy - 60 - 5 * seed) ** 2 + (xx - 48) ** 2 < 7**2) + rng.normal(0, 2, grey.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).save(path)
    return path


def stroke(session: Session, place: tuple[int, int], radius: int, number: int) -> None:
    """A dab of a round brush, as the window of a layer gives it."""
    shape = session.labels.shape
    (top, left), (bottom, right) = np.subtract(place, radius).clip(0), np.minimum(np.add(place, radius + 1), shape)
    where = np.s_[int(top) : int(bottom), int(left) : int(right)]
    window = session.labels[where].copy()
    cv2.circle(window, (place[1] - int(left), place[0] - int(top)), radius, number, -1)
    session.edit.edited(where, window, "paint" if number else "erase")


def random_edit(session: Session, rng: np.random.Generator) -> None:
    """One action of a reader, any of them."""
    rows, columns = session.labels.shape
    numbers = list(session.rows)
    picked = [int(n) for n in rng.choice(numbers, min(2, len(numbers)), replace=False)] if numbers else []
    act = rng.choice(["paint"] * 5 + ["erase", "delete", "reject", "merge", "accept", "back", "scale", "region", "cut"])
    if act in ("paint", "erase") or len(picked) < 2:
        place = int(rng.integers(rows)), int(rng.integers(columns))
        stroke(session, place, int(rng.integers(1, 14)), 0 if act == "erase" else int(rng.integers(1, 20)))
    elif act in ("delete", "reject", "accept"):
        getattr(session.edit, act)(picked[:1])
    elif act == "merge":
        session.edit.merge(picked)
    elif act == "scale":
        session.calibration.set_spacing(float(rng.choice([0.1, 0.15, 0.4])))
    elif act == "region":
        region = np.zeros((rows, columns), bool)
        region[int(rng.integers(rows // 3)) :] = True
        session.finding.set_region(region)
    else:
        _try(session, act, picked[0])


def _try(session: Session, act: str, number: int) -> None:
    """Actions that may rightly be refused."""
    from calcimeasure.errors import EditRefused

    try:
        if act == "cut":
            row = session.rows[number]
            session.edit.split(number, [(row.centroid[0], row.bbox[1] - 3), (row.centroid[0], row.bbox[3] + 3)])
        elif session.excluded:
            session.edit.bring_back(session.excluded[0])
    except EditRefused:
        pass
