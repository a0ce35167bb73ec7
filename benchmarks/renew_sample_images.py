"""Draw sample_images/ anew, measure them, run the sample study, and say what moved in the golden tables.

    python benchmarks/renew_sample_images.py [FOLDER [samples] [study]]

Everything is drawn by calcimeasure.phantom from fixed scenes and seeds: no patient, no camera. Drawing twice on one
machine gives the same bytes.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from ivig_study import main as draw_study
from PIL import Image as Picture
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from calcimeasure.phantom.anatomy import Placement, Pose
from calcimeasure.phantom.answer import Phantom
from calcimeasure.phantom.deposits import Calcium, Shape, Site
from calcimeasure.phantom.film import Exposure, FilmScene, Tone, Writing, draw_film
from calcimeasure.phantom.fittings import Collimation, Fittings, Letter, Wedge
from calcimeasure.phantom.frame import Frame
from calcimeasure.phantom.photo import draw_photo, random_photo_scene

HOME = Path(__file__).resolve().parents[1] / "sample_images"
PICTURE = HOME.parent / ".readme" / "result.jpg"
COLUMNS = (
    "image", "status", "kind", "meaning", "polarity", "deposits", "area_px", "area_mm2", "area_mm2_sd",
    "contrast_mean", "contrast_integrated", "spacing_row_mm", "spacing_column_mm", "spacing_origin",
)  # fmt: skip
MAGNIFICATION = 1.03
"""Of the DX sample: its detector plane is that much coarser than the plane of the hand."""
DX_PROCESSING = UID("1.2.840.10008.5.1.4.1.1.1.1.1")
CR = UID("1.2.840.10008.5.1.4.1.1.1")


@dataclass(frozen=True, slots=True)
class Sample:
    """A file to draw: its name, its picture, how it is written, and the scale that spacing.csv tells (if any)."""

    name: str
    draw: Callable[[], Phantom]
    write: Callable[[Path, Phantom], None]
    spacing_mm: float | None = None


CHANGES = (
    "subject", "status", "verdict", "area_before_mm2", "area_after_mm2", "area_change_percent", "percent_low",
    "percent_high", "new", "resolved", "grown", "shrunk", "stable", "merged", "split", "out_of_field",
)  # fmt: skip
STUDY = "ivig_study"


def main(folder: Path, *steps: str) -> None:
    """Draw and measure everything, or only the steps named: samples, study."""
    for step in steps or ("samples", "study"):
        moved = {"samples": renew_samples, "study": renew_study}[step](folder)
        print("\n".join(moved) if moved else f"{step}: nothing moved")


def renew_samples(folder: Path) -> list[str]:
    """Draw and measure the single images; what moved in expected.csv."""
    draw_samples(folder)
    return renew_expected(folder)


def renew_study(folder: Path) -> list[str]:
    """Draw and run the sample study; what moved in expected_changes.csv."""
    draw_study(folder / STUDY)
    target = folder / STUDY / "expected_changes.csv"
    old = _rows(target, CHANGES) if target.exists() else {}
    with tempfile.TemporaryDirectory() as out:
        results = Path(out) / "results"
        _measure("study", folder / STUDY / "study.csv", "-o", results)
        new = _rows(results / "changes.csv", CHANGES)
    _write_rows(target, CHANGES, new)
    return what_moved(old, new, CHANGES)


def _measure(*words: object) -> None:
    command = [sys.executable, "-m", "calcimeasure", *map(str, words)]
    run = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    if run.returncode > 1:  # 1 is a file that failed: its row says so
        raise SystemExit(f"{words[0]} ended with exit code {run.returncode}: nothing was renewed")


def _write_rows(target: Path, columns: tuple[str, ...], rows: dict[str, dict[str, str]]) -> None:
    with target.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())


def draw_samples(folder: Path) -> None:
    """Write every image, its truth and spacing.csv."""
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    for sample in SAMPLES:
        phantom = sample.draw()
        sample.write(folder / sample.name, phantom)
        write_truth(folder / "truth" / f"{Path(sample.name).stem}.labels.tif", phantom)
        size = (folder / sample.name).stat().st_size
        print(f"{sample.name}: {size / 1e6:.2f} MB, {phantom.truth.count} deposits, {phantom.area_mm2:.1f} mm2")
    rows = [f"{s.name},{s.spacing_mm}" for s in SAMPLES if s.spacing_mm is not None]
    (folder / "spacing.csv").write_text("\n".join(["image,spacing_mm", *rows, ""]))


def renew_expected(folder: Path) -> list[str]:
    """Measure the folder into expected.csv and list what moved: image, column, old, new."""
    target = folder / "expected.csv"
    old = _rows(target, COLUMNS) if target.exists() else {}
    with tempfile.TemporaryDirectory() as out:
        results = Path(out) / "results"
        _measure("measure", folder, "-o", results, "--spacing", folder / "spacing.csv")
        measured = _rows(results / "images.csv", COLUMNS)
        renew_picture(results / "overlays" / "hand_dx.png")
    new = {name: row for name, row in measured.items() if not name.startswith(f"{STUDY}/")}
    _write_rows(target, COLUMNS, new)
    return what_moved(old, new, COLUMNS)


def renew_picture(overlay: Path) -> None:
    """Make the README's picture from an overlay just drawn."""
    PICTURE.parent.mkdir(exist_ok=True)
    with Picture.open(overlay) as picture:
        picture.resize((picture.width * 2 // 3, picture.height * 2 // 3), Picture.Resampling.LANCZOS).save(
            PICTURE, quality=88
        )


def what_moved(old: dict[str, dict[str, str]], new: dict[str, dict[str, str]], columns: tuple[str, ...]) -> list[str]:
    """One line per row that came or went and per cell that changed."""
    lines = [f"{name}: no longer measured" for name in old if name not in new]
    for name, row in new.items():
        before = old.get(name)
        if before is None:
            lines.append(f"{name}: new")
            continue
        moved = [c for c in columns if before.get(c, "") != row[c]]
        lines += [f"{name}: {c}: {before.get(c, '')} -> {row[c]}" for c in moved]
    return lines


def _rows(table: Path, columns: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """The named columns of a table by its first; a column that the table lacks is empty."""
    with table.open(newline="") as file:
        return {row[columns[0]]: {c: row.get(c) or "" for c in columns} for row in csv.DictReader(file)}


# ---------------------------------------------------------------------------------------------- scenes


def hand_dx() -> Phantom:
    """A right hand with every form of deposit, raw log values."""
    deposits = (
        Calcium(Shape.CLUSTER, Site("index distal phalanx", 0.8, 1.0), 8.0, 4.0, 1),
        Calcium(Shape.NODULE, Site("middle proximal phalanx", 0.45, 7.0, 0.2), 4.2, 3.0, 2),
        Calcium(Shape.NODULE, Site("thumb distal phalanx", 0.95, -2.0), 3.2, 2.6, 3),
        Calcium(Shape.PLAQUE, Site("index metacarpal", 0.5, 8.0, 0.1), 11.0, 3.0, 4),
        Calcium(Shape.STRAND, Site("ulna", 0.95, -6.5, 0.05), 20.0, 3.0, 5),
        Calcium(Shape.CLUSTER, Site("little proximal phalanx", 0.5, -2.8, 0.1), 7.0, 2.5, 6),
        Calcium(Shape.NODULE, Site("ring middle phalanx", 0.5, 0.5), 3.0, 2.5, 7),
    )
    frame = Frame(225.0, 160.0, 0.2)
    fittings = Fittings((Letter("R", 144.0, 22.0),))
    pose = Pose((2.0, 1.0, 0.0, -1.0, -3.0), (-4.0, 1.0, 0.0, -1.5, 4.0), (0.0, 0.0, 0.02, 0.04, 0.08))
    scene = FilmScene(
        frame, "hand", Placement(77.0, 186.0, 1.5, 0.95), pose, deposits, fittings,
        Exposure(40000.0, 0.15), Tone(Writing.LOG, 12, gain=2.2, offset=-0.03), mirrored=True,
    )  # fmt: skip
    return draw_film(scene, 101)


def hand_cr() -> Phantom:
    """A left hand, processed for display, collimated."""
    deposits = (
        Calcium(Shape.NODULE, Site("middle distal phalanx", 0.85, 0.5), 4.0, 3.5, 11),
        Calcium(Shape.CLUSTER, Site("index middle phalanx", 0.55, 4.5, 0.1), 7.5, 3.0, 12),
        Calcium(Shape.CLUSTER, Site("thumb proximal phalanx", 0.6, 5.5, 0.2), 8.0, 3.5, 13),
        Calcium(Shape.STRAND, Site("radius", 0.93, 13.0, 0.05), 16.0, 2.5, 14),
    )
    fittings = Fittings((Letter("L", 138.0, 30.0, 10.0),), None, Collimation((7.0, 6.0, 5.0, 7.0), -0.8))
    pose = Pose((-4.0, -2.0, 0.0, 2.0, 3.0), (5.0, -3.0, 2.0, 4.0, 6.0), (0.05, 0.0, 0.0, 0.05, 0.12))
    scene = FilmScene(
        Frame(220.0, 160.0, 0.25), "hand", Placement(80.0, 182.0, -3.0, 0.93), pose, deposits, fittings,
        Exposure(25000.0, 0.2, 0.13), Tone(Writing.DISPLAY, 10, 0.9),
    )  # fmt: skip
    return draw_film(scene, 102)


def foot() -> Phantom:
    """A foot with soft tissue calcium along the metatarsals."""
    deposits = (
        Calcium(Shape.NODULE, Site("great toe proximal phalanx", 0.5, -10.5), 5.5, 4.0, 21),
        Calcium(Shape.CLUSTER, Site("fifth toe metatarsal", 0.55, -6.0, 0.1), 9.0, 4.5, 22),
        Calcium(Shape.PLAQUE, Site("third toe metatarsal", 0.35, 7.5), 9.0, 3.5, 23),
        Calcium(Shape.NODULE, Site("second toe distal phalanx", 0.8, 1.0), 2.6, 2.4, 24),
    )
    scene = FilmScene(
        Frame(210.0, 140.0, 0.25), "foot", Placement(70.0, 146.0, 2.0, 0.93), Pose((2, 0, 0, 0, -1.0)), deposits,
        Fittings((Letter("R", 122.0, 24.0),)), Exposure(30000.0, 0.2), Tone(Writing.DISPLAY, 16), mirrored=True,
    )  # fmt: skip
    return draw_film(scene, 103)


def forearm() -> Phantom:
    """A forearm with sheets and nodules under the skin."""
    deposits = (
        Calcium(Shape.PLAQUE, Site("radius", 0.55, 17.0, 0.1), 14.0, 4.0, 31),
        Calcium(Shape.NODULE, Site("ulna", 0.62, -12.0), 6.0, 4.5, 32),
        Calcium(Shape.STRAND, Site("ulna", 0.45, -16.0, 0.08), 24.0, 3.5, 33),
        Calcium(Shape.CLUSTER, Site("radius", 0.75, -13.0, 0.3), 11.0, 4.0, 34),
    )
    scene = FilmScene(
        Frame(220.0, 140.0, 0.25), "forearm", Placement(70.0, 118.0, 3.0, 1.0), deposits=deposits,
        fittings=Fittings((Letter("L", 122.0, 28.0),), None, Collimation((4.0, 5.0, 4.0, 5.0), 0.7)),
        exposure=Exposure(20000.0, 0.25, 0.14), tone=Tone(Writing.DISPLAY, 8, 1.0),
    )  # fmt: skip
    return draw_film(scene, 104)


def hand_wedge() -> Phantom:
    """A left hand beside an aluminium step wedge, log values."""
    deposits = (
        Calcium(Shape.NODULE, Site("thumb metacarpal", 0.6, -13.0), 5.0, 4.5, 41),
        Calcium(Shape.CLUSTER, Site("little metacarpal", 0.45, -10.5), 8.0, 5.0, 42),
        Calcium(Shape.CLUSTER, Site("ring distal phalanx", 0.75, 1.0), 6.5, 3.5, 43),
    )
    fittings = Fittings((Letter("L", 18.0, 125.0, 10.0, mirrored=True),), Wedge(8.0, 8.0))
    scene = FilmScene(
        Frame(220.0, 160.0, 0.25), "hand", Placement(85.0, 182.0, 0.0, 0.93), Pose((-6.0, 0, 0, 0, 0)), deposits,
        fittings, Exposure(40000.0, 0.12, kvp=55.0), Tone(Writing.LOG, 16, gain=2.2, offset=-0.03),
    )  # fmt: skip
    return draw_film(scene, 105)


def hand_clean() -> Phantom:
    """A hand without calcium, with a ring and a screw."""
    fittings = Fittings((Letter("R", 144.0, 26.0),), None, None, "ring proximal phalanx", "thumb metacarpal")
    pose = Pose((0.0, 2.0, 0.0, -2.0, 0.0), (3.0, 0.0, -1.0, 2.0, 3.0))
    scene = FilmScene(
        Frame(220.0, 160.0, 0.25), "hand", Placement(78.0, 183.0, -1.0, 0.94), pose, (), fittings,
        Exposure(30000.0, 0.18), Tone(Writing.DISPLAY, 8, 0.9), mirrored=True,
    )  # fmt: skip
    return draw_film(scene, 106)


def skin_light() -> Phantom:
    return draw_photo(random_photo_scene(100, 52.0, "finger"), 201)


def skin_dark() -> Phantom:
    return draw_photo(random_photo_scene(107, -38.0, "hand"), 202)


# ---------------------------------------------------------------------------------------------- files


def write_truth(path: Path, phantom: Phantom) -> None:
    labels = phantom.truth.array.astype(np.uint16)
    tifffile.imwrite(path, labels, compression="zlib", predictor=False, software=False, metadata=None)


def write_png(path: Path, phantom: Phantom) -> None:
    Picture.fromarray(np.array(phantom.image.pixels)).save(path, optimize=True)


def write_jpeg(path: Path, phantom: Phantom) -> None:
    Picture.fromarray(np.array(phantom.image.pixels)).save(path, quality=92, subsampling=0)


def write_tiff(path: Path, phantom: Phantom) -> None:
    pixels = phantom.image.pixels
    tifffile.imwrite(path, pixels, compression="zlib", predictor=True, software=False, metadata=None)


def write_dx(path: Path, phantom: Phantom, side: str = "R") -> None:
    """Digital X-ray, FOR PROCESSING, with the scale of the hand's plane (GEOMETRY) and of the detector."""
    film = _dataset(DX_PROCESSING, "DX", phantom)
    film.PresentationIntentType = "FOR PROCESSING"
    film.PixelIntensityRelationship, film.PixelIntensityRelationshipSign = "LOG", -1
    film.RescaleIntercept, film.RescaleSlope, film.RescaleType = "0", "1", "US"
    film.PresentationLUTShape, film.ImageLaterality, film.BodyPartExamined = "IDENTITY", side, "HAND"
    film.KVP, film.DistanceSourceToDetector, film.DetectorType = "55", "1000", "SCINTILLATOR"
    film.EstimatedRadiographicMagnificationFactor = str(MAGNIFICATION)
    film.ImagerPixelSpacing = [f"{phantom.mm * MAGNIFICATION:.4f}"] * 2
    film.PixelSpacing, film.PixelSpacingCalibrationType = [f"{phantom.mm:.4f}"] * 2, "GEOMETRY"
    film.AnatomicRegionSequence = Sequence([_code("T-D8700", "SRT", "Hand")])
    film.ViewCodeSequence = Sequence([_code("R-10214", "SRT", "postero-anterior")])
    film.ViewPosition = "PA"
    film.save_as(path, enforce_file_format=True)


def write_dx_left(path: Path, phantom: Phantom) -> None:
    write_dx(path, phantom, "L")


def write_cr_monochrome1(path: Path, phantom: Phantom) -> None:
    """Computed radiograph stored dark on white, with the detector's scale only."""
    film = _dataset(CR, "CR", phantom)
    top = int(phantom.image.ceiling or 0)
    film.PhotometricInterpretation = "MONOCHROME1"
    film.PixelData = (top - phantom.image.pixels).astype("<u2").tobytes()
    film.ImagerPixelSpacing = [f"{phantom.mm:.4f}"] * 2
    film.BodyPartExamined, film.ViewPosition, film.Laterality, film.KVP = "HAND", "PA", "L", "52"
    film.save_as(path, enforce_file_format=True)


def _dataset(sop_class: UID, modality: str, phantom: Phantom) -> Dataset:
    """What both radiographs share; patient fields are there, as the standard asks, and empty."""
    film, uid = Dataset(), UID(f"2.25.2026112200{len(modality)}{ord(modality[0])}")
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.file_meta.MediaStorageSOPClassUID, film.file_meta.MediaStorageSOPInstanceUID = sop_class, UID(f"{uid}1")
    film.file_meta.ImplementationClassUID = UID("2.25.20261122")
    film.file_meta.ImplementationVersionName = "CALCIMEASURE"
    film.SOPClassUID, film.SOPInstanceUID = sop_class, UID(f"{uid}1")
    film.StudyInstanceUID, film.SeriesInstanceUID = UID(f"{uid}2"), UID(f"{uid}3")
    empty = (
        "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime StudyID AccessionNumber "
        "ReferringPhysicianName SeriesNumber InstanceNumber PatientOrientation AcquisitionContextSequence"
    )
    for keyword in empty.split():
        setattr(film, keyword, None)
    film.Modality, film.Manufacturer, film.ManufacturerModelName = modality, "calcimeasure", "phantom"
    film.ImageType, film.BurnedInAnnotation, film.LossyImageCompression = ["DERIVED", "PRIMARY"], "NO", "00"
    _put_pixels(film, phantom)
    return film


def _put_pixels(film: Dataset, phantom: Phantom) -> None:
    pixels, top = phantom.image.pixels, int(phantom.image.ceiling or 0)
    film.Rows, film.Columns = phantom.image.shape
    film.SamplesPerPixel, film.PhotometricInterpretation, film.PixelRepresentation = 1, "MONOCHROME2", 0
    film.BitsAllocated, film.BitsStored = 16, top.bit_length()
    film.HighBit = film.BitsStored - 1
    film.PixelData = pixels.astype("<u2").tobytes()


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


SAMPLES = (
    Sample("hand_dx.dcm", hand_dx, write_dx),
    Sample("hand_cr.dcm", hand_cr, write_cr_monochrome1),
    Sample("foot.png", foot, write_png, 0.25),
    Sample("forearm.jpg", forearm, write_jpeg, 0.25),
    Sample("hand_wedge.dcm", hand_wedge, write_dx_left),
    Sample("hand_clean.png", hand_clean, write_png),
    Sample("skin_light.jpg", skin_light, write_jpeg),
    Sample("skin_dark.jpg", skin_dark, write_jpeg),
)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HOME, *sys.argv[2:])
