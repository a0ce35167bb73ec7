"""The drawn trial of sample_images/ivig_study: eight patients, a hand each, before and eight months into treatment.

Five lose at least 35 % of their calcium, three do not. Between the visits the hand lies and bends differently and the
exposure changes; one pair of deposits has merged, one deposit is new, and of one hand a part is cut off.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image as Picture

from calcimeasure.phantom.anatomy import Placement, Pose
from calcimeasure.phantom.answer import Phantom
from calcimeasure.phantom.deposits import Calcium, Shape, Site
from calcimeasure.phantom.film import Exposure, FilmScene, Tone, draw_film
from calcimeasure.phantom.fittings import Collimation, Fittings, Letter
from calcimeasure.phantom.frame import Frame

FRAME = Frame(216.0, 152.0, 0.24)
VISITS = ("baseline", "month8")


@dataclass(frozen=True, slots=True)
class Seat:
    """A deposit and its size in mm at either visit; 0 is absent."""

    shape: Shape
    site: Site
    before_mm: float
    after_mm: float
    thickness_mm: float
    form: int

    def at(self, visit: int) -> Calcium | None:
        """The deposit as it is at a visit."""
        size = (self.before_mm, self.after_mm)[visit]
        thick = self.thickness_mm * (size / max(self.before_mm, self.after_mm)) ** 0.5
        return Calcium(self.shape, self.site, size, thick, self.form) if size else None


@dataclass(frozen=True, slots=True)
class Patient:
    """One subject: side, deposits, how the hand is moved between the visits, and what makes it special."""

    name: str
    side: str
    seats: tuple[Seat, ...]
    start: str
    days: tuple[str, str]
    move: tuple[float, float, float] = (3.0, -2.0, 2.5)
    cut: tuple[float, float, float, float] | None = None


def main(folder: Path) -> None:
    """Draw the study into a folder, with study.csv and the truth."""
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    rows, truth = [], []
    for number, patient in enumerate(PATIENTS):
        areas = []
        for visit, name in enumerate(VISITS):
            phantom = film(patient, visit, number)
            file = f"{patient.name.lower()}_{name}.png"
            Picture.fromarray(np.array(phantom.image.pixels)).save(folder / file, optimize=True)
            write_truth(folder / "truth" / f"{patient.name.lower()}_{name}.labels.tif", phantom)
            areas.append(phantom.area_mm2)
            rows.append((patient.name, name, patient.days[visit], file, "hand", patient.side, patient.start, FRAME.mm))
        common = true_areas(patient, number)
        truth.append((patient.name, *(round(area, 2) for area in common), round(100 * (common[1] / common[0] - 1), 2)))
    heads = ("subject", "visit", "date", "image", "site", "side", "treatment_start", "spacing_mm")
    write_table(folder / "study.csv", heads, rows)
    write_table(
        folder / "truth" / "truth.csv", ("subject", "area_before_mm2", "area_after_mm2", "change_percent"), truth
    )


def film(patient: Patient, visit: int, number: int) -> Phantom:
    """The film of a patient's visit."""
    return draw_film(scene(patient, visit, number), 1000 + 10 * number + visit)


def scene(patient: Patient, visit: int, number: int) -> FilmScene:
    """What lies on the film; everything but the calcium differs a little between the visits."""
    rng = np.random.default_rng([number, visit])
    deposits = tuple(one for seat in patient.seats if (one := seat.at(visit)) is not None)
    dx, dy, turn = patient.move if visit else (0.0, 0.0, 0.0)
    pose = Pose.random(np.random.default_rng([number, 7]), 0.5)
    bent = replace(pose, spread=tuple(v + float(rng.normal(0, 1.0)) * visit for v in pose.spread))
    collimation = Collimation(patient.cut, 0.0) if patient.cut and visit else None
    exposure = Exposure(float(rng.uniform(60e3, 120e3)), float(rng.uniform(0.12, 0.22)), 0.11)
    tone = Tone(bits=8, gamma=float(rng.uniform(0.85, 1.1)), sharpen=0.5)
    return FilmScene(
        FRAME,
        "hand",
        Placement(76.0 + dx, 178.0 + dy, -1.0 + turn, 0.9 + 0.01 * (number % 4)),
        bent,
        deposits,
        Fittings((Letter(patient.side, 136.0, 24.0, 10.0),), None, collimation),
        exposure,
        tone,
        mirrored=patient.side == "R",
    )


def true_areas(patient: Patient, number: int) -> tuple[float, float]:
    """True areas at both visits of the deposits that lie on the follow-up's film."""
    phantoms = [film(patient, visit, number) for visit in (0, 1)]
    areas = [0.0, 0.0]
    for seat in patient.seats:
        if seat.after_mm and not _on_film(patient, seat, number):
            continue
        for visit in (0, 1):
            areas[visit] += _area(patient, seat, visit, phantoms[visit])
    return areas[0], areas[1]


def _area(patient: Patient, seat: Seat, visit: int, phantom: Phantom) -> float:
    present = [one for one in patient.seats if one.at(visit) is not None]
    if seat not in present:
        return 0.0
    return float((phantom.truth.array == present.index(seat) + 1).sum()) * FRAME.mm**2


def _on_film(patient: Patient, seat: Seat, number: int) -> bool:
    """Whether a deposit of the follow-up lies inside the irradiated field."""
    if patient.cut is None:
        return True
    from calcimeasure.phantom.deposits import where_is

    x, y, _ = where_is(scene(patient, 1, number).limb, seat.site)
    x = FRAME.width_mm - x if patient.side == "R" else x
    top, right, bottom, left = patient.cut
    return left < x < FRAME.width_mm - right and top < y < FRAME.height_mm - bottom


def write_truth(path: Path, phantom: Phantom) -> None:
    """Write the true label image."""
    labels = phantom.truth.array.astype(np.uint8)
    tifffile.imwrite(path, labels, compression="zlib", predictor=False, software=False, metadata=None)


def write_table(path: Path, heads: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """Write a CSV with Unix line ends."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heads)
        writer.writerows(rows)


def nodule(bone: str, along: float, across: float, sizes: tuple[float, float], thick: float, form: int) -> Seat:
    """A nodule beside a bone."""
    return Seat(Shape.NODULE, Site(bone, along, across), *sizes, thick, form)


def plaque(bone: str, along: float, across: float, sizes: tuple[float, float], thick: float, form: int) -> Seat:
    """A sheet beside a bone."""
    return Seat(Shape.PLAQUE, Site(bone, along, across), *sizes, thick, form)


PATIENTS = (
    Patient(
        "P1",
        "L",
        (
            nodule("index proximal phalanx", 0.5, 6.0, (6.0, 4.0), 4.5, 11),
            nodule("index metacarpal", 0.5, 12.0, (8.0, 5.6), 5.0, 12),
            nodule("little proximal phalanx", 0.45, -5.5, (5.0, 3.6), 4.0, 13),
        ),
        "2025-01-15",
        ("2025-01-10", "2025-09-12"),
    ),
    Patient(
        "P2",
        "R",
        (
            nodule("thumb proximal phalanx", 0.5, 8.5, (6.5, 0.0), 4.5, 21),
            nodule("middle metacarpal", 0.45, -9.5, (7.0, 5.5), 4.5, 22),
            nodule("ring proximal phalanx", 0.5, -6.0, (5.5, 4.0), 4.0, 23),
        ),
        "2025-01-22",
        ("2025-01-20", "2025-09-24"),
        (-3.0, 2.0, -2.0),
    ),
    Patient(
        "P3",
        "L",
        (
            nodule("index metacarpal", 0.6, 13.0, (8.5, 6.0), 5.0, 31),
            nodule("ring metacarpal", 0.5, -9.0, (7.0, 5.0), 4.5, 32),
            nodule("ulna", 0.93, -14.0, (5.0, 4.6), 4.0, 33),
        ),
        "2025-02-03",
        ("2025-01-30", "2025-10-02"),
        (2.0, 24.0, 1.5),
        (4.0, 4.0, 4.0, 4.0),
    ),
    Patient(
        "P4",
        "R",
        (
            nodule("index proximal phalanx", 0.4, 5.8, (6.0, 4.2), 4.5, 41),
            nodule("thumb metacarpal", 0.7, 9.0, (7.5, 5.0), 5.0, 42),
            nodule("little metacarpal", 0.5, -9.5, (6.5, 4.8), 4.5, 43),
        ),
        "2025-02-10",
        ("2025-02-10", "2025-10-07"),
        (4.0, 1.0, 3.5),
    ),
    Patient(
        "P5",
        "L",
        (
            nodule("index metacarpal", 0.45, 12.5, (9.0, 6.6), 5.0, 51),
            nodule("ring proximal phalanx", 0.5, -6.0, (5.5, 0.0), 4.5, 52),
            nodule("thumb proximal phalanx", 0.5, 8.5, (6.0, 5.0), 4.5, 53),
        ),
        "2025-02-17",
        ("2025-02-14", "2025-10-15"),
        (-2.0, -3.0, -3.0),
    ),
    Patient(
        "P6",
        "L",
        (
            nodule("index proximal phalanx", 0.5, 6.0, (6.0, 6.0), 4.5, 61),
            nodule("middle metacarpal", 0.45, 9.5, (7.0, 7.0), 4.5, 62),
            nodule("little proximal phalanx", 0.5, -5.5, (5.0, 5.0), 4.0, 63),
        ),
        "2025-03-03",
        ("2025-02-27", "2025-10-30"),
        (3.0, 2.0, 4.0),
    ),
    Patient(
        "P7",
        "R",
        (
            nodule("index metacarpal", 0.44, 12.0, (5.0, 8.6), 4.5, 71),
            nodule("index metacarpal", 0.56, 12.5, (5.0, 8.6), 4.5, 72),
            nodule("ring proximal phalanx", 0.5, -6.0, (5.5, 5.5), 4.5, 73),
        ),
        "2025-03-10",
        ("2025-03-06", "2025-11-05"),
        (-4.0, 1.0, -2.5),
    ),
    Patient(
        "P8",
        "R",
        (
            nodule("thumb proximal phalanx", 0.5, 8.5, (6.5, 6.5), 4.5, 81),
            nodule("index metacarpal", 0.5, 12.5, (8.0, 8.0), 5.0, 82),
            nodule("little proximal phalanx", 0.45, -5.5, (0.0, 4.5), 4.5, 83),
        ),
        "2025-03-17",
        ("2025-03-13", "2025-11-12"),
        (2.0, -3.0, 2.0),
    ),
)


if __name__ == "__main__":
    import sys

    main(Path(sys.argv[1]))
