"""From a photo or film on disk to its row: the scale asked for, its error in parts, and refusals in `warnings`."""

import csv
import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image as PillowImage

sys.path.insert(0, str(Path(__file__).parent / "steps"))
from calibrate_scenes import Shot, sheet_photo

from calcimeasure.errors import RecipeError
from calcimeasure.io.given.inputs import Input
from calcimeasure.io.images.read import read_image
from calcimeasure.io.results.record import Record
from calcimeasure.model.image import Spacing, SpacingOrigin
from calcimeasure.model.scale import ScaleRequest, ScaleSource
from calcimeasure.reading.scale import rescaled
from calcimeasure.run.films import Job, Task, _key, analysis_of, given, measure_file, run_facts

SAMPLES = Path(__file__).resolve().parents[1] / "sample_images"
AUTO = ScaleRequest(ScaleSource.AUTO)
TILTED, STEEP = Shot(tilt=20, towards=30, spin=40, seed=1), Shot(tilt=38, towards=20)
DISC = (90, 120, 6)  # x, y and radius in mm on the page


def _photo(folder: Path, name: str, shot: Shot) -> Input:
    folder.mkdir(exist_ok=True)
    PillowImage.fromarray(sheet_photo(shot, keep=(0, 5, 6, 9)).pixels).save(folder / f"{name}.png")
    tifffile.imwrite(folder / f"{name}.labels.tif", shot.disc(*DISC).astype(np.uint16))
    return Input(folder / f"{name}.png", f"{name}.png", name)


def _job(folder: Path, scale: ScaleRequest, **facts: object) -> Job:
    return replace(Job(folder / "out", kind="photo", masks=folder, scale=scale), **facts)


def _row(item: Input, job: Job) -> dict[str, object]:
    record = measure_file(Task(item), job)
    assert record is not None
    assert not record.failed, record.row["error"]
    return dict(record.row)


@pytest.fixture(scope="module")
def tilted(tmp_path_factory: pytest.TempPathFactory) -> Input:
    return _photo(tmp_path_factory.mktemp("photos") / "in", "tilted", TILTED)


def test_a_tilted_photo_is_measured_in_its_plane(tilted: Input) -> None:
    job = _job(tilted.path.parent, AUTO)
    record = measure_file(Task(tilted), job)
    assert record is not None
    row, (deposit,) = record.row, record.deposits
    assert row["area_mm2"] == pytest.approx(math.pi * 36, rel=0.01)
    assert row["spacing_origin"] == "marker"
    assert row["tilt_degrees"] == pytest.approx(20, abs=2)
    assert "no scale" not in str(row["warnings"])
    assert math.hypot(row["area_mm2_sd_outline"], row["area_mm2_sd_scale"]) == pytest.approx(row["area_mm2_sd"])
    assert deposit["area_mm2_sd_scale"] == row["area_mm2_sd_scale"]
    parts = record.sd_components["spacing_mm"]
    assert math.hypot(*(parts[name] for name in ("corners", "lens", "height", "print"))) == pytest.approx(
        row["spacing_sd_mm"]
    )
    assert parts["sd"] == row["spacing_sd_mm"]
    assert Record.from_json(record.to_json()).sd_components == record.sd_components
    assert analysis_of(tilted, job).image.plane is not None


def test_by_default_nothing_is_looked_for(tilted: Input) -> None:
    row = _row(tilted, _job(tilted.path.parent, ScaleRequest()))
    assert (row["area_mm2"], row["spacing_origin"], row["tilt_degrees"]) == (None, "none", None)


def test_a_refused_scale_leaves_pixels_and_the_reason(tmp_path: Path) -> None:
    row = _row(_photo(tmp_path / "in", "steep", STEEP), _job(tmp_path / "in", AUTO))
    assert row["area_mm2"] is row["spacing_row_mm"] is row["spacing_sd_mm"] is None
    assert int(row["area_px"]) > 0  # type: ignore[call-overload]
    assert "photograph it again from straight above" in str(row["warnings"])


def test_the_users_own_error_is_used(tilted: Input) -> None:
    table = _job(tilted.path.parent, ScaleRequest(), spacings_mm={"tilted.png": 0.2})
    usual = _row(tilted, table)
    mine = _row(tilted, replace(table, spacing_sd_percent=1.0))
    of_this_image = _row(tilted, replace(table, spacing_sd_percent=1.0, spacing_sds_percent={"tilted.png": 4.0}))
    assert [row["spacing_sd_mm"] for row in (usual, mine, of_this_image)] == pytest.approx([0.001, 0.002, 0.008])
    assert mine["area_mm2_sd_scale"] == pytest.approx(2 * 0.01 * float(str(mine["area_mm2"])))


def test_a_given_scale_that_the_marker_contradicts_is_told(tilted: Input) -> None:
    row = _row(tilted, _job(tilted.path.parent, ScaleRequest(), spacing_mm=0.3))
    assert (row["spacing_origin"], row["spacing_row_mm"]) == ("user", 0.3)
    assert "but the marker in the picture says" in str(row["warnings"])


def _film(path: Path, source_mm: float | None) -> Input:
    dataset = pydicom.dcmread(SAMPLES / "hand_cr.dcm")
    if source_mm is not None:
        dataset.DistanceSourceToDetector = str(source_mm)
    dataset.save_as(path)
    tifffile.imwrite(path.with_suffix(".labels.tif"), np.pad(np.ones((10, 10), np.uint16), ((0, 870), (0, 630))))
    return Input(path, path.name, path.stem)


def test_magnification_is_corrected_with_the_files_source_distance(tmp_path: Path) -> None:
    item = _film(tmp_path / "film.dcm", 1000)
    job = _job(tmp_path, ScaleRequest(object_mm=30), kind=None)
    row = _row(item, job)
    assert row["spacing_origin"] == "object_distance"
    assert row["area_mm2"] == pytest.approx(100 * (0.25 * 0.97) ** 2)
    assert "magnification is not corrected" not in str(row["warnings"])
    assert "adds 0.6% to the error of a length" in str(row["warnings"])


def test_without_a_source_distance_the_film_keeps_pixels(tmp_path: Path) -> None:
    item = _film(tmp_path / "film.dcm", None)
    row = _row(item, _job(tmp_path, ScaleRequest(object_mm=30), kind=None))
    assert row["area_mm2"] is None
    assert "give --source-distance" in str(row["warnings"])
    given = _row(item, _job(tmp_path, ScaleRequest(object_mm=30, source_mm=1000), kind=None))
    assert given["area_mm2"] == pytest.approx(100 * (0.25 * 0.97) ** 2)


CHANGES = {
    "source": {"scale": AUTO},
    "marker": {"scale": replace(AUTO, marker_mm=19.8)},
    "points": {"scale": ScaleRequest(points=(0, 0, 0, 100, 10))},
    "object": {"scale": ScaleRequest(object_mm=30)},
    "tube": {"scale": ScaleRequest(object_mm=30, source_mm=900)},
    "spacing": {"spacing_mm": 0.2},
    "its sd": {"spacing_mm": 0.2, "spacing_sd_percent": 3.0},
    "sd in the table": {"spacing_mm": 0.2, "spacing_sds_percent": {"film.png": 3.5}},
}


def test_every_option_about_scale_makes_another_record(tmp_path: Path) -> None:
    item = Input(tmp_path / "film.png", "film.png", "film")
    item.path.write_bytes(b"x")
    jobs = [Job(tmp_path), *(replace(Job(tmp_path), **change) for change in CHANGES.values())]
    assert len({_key(given(item, job), item, job) for job in jobs}) == len(jobs)
    facts = [json.dumps(run_facts(job)) for job in jobs]
    assert len(set(facts)) == len(jobs)


# --- the command line -----------------------------------------------------------------------------------


def _told(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "calcimeasure", *map(str, words)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert told.returncode == code, told.stderr
    assert "Traceback" not in told.stderr
    return told


def test_one_command_measures_with_a_marker(tilted: Input, tmp_path: Path) -> None:
    folder, out = tilted.path.parent, tmp_path / "out"
    _told(
        "measure",
        tilted.path,
        "-o",
        out,
        "--kind",
        "photo",
        "--masks",
        folder,
        "--scale",
        "marker",
        "--marker-mm",
        20.2,
    )
    with (out / "images.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["area_mm2"]) == pytest.approx(math.pi * 36 * 1.01**2, rel=0.01)
    run = json.loads((out / "run.json").read_text())
    assert run["scale"]["marker_mm"] == 20.2
    assert run["sd_components"]["tilted.png"]["area_mm2"].keys() == {"sd", "outline", "scale"}


REFUSED = {
    "steep": (STEEP, {}, "tilted by 38 degrees.*photograph it again from straight above"),
    "unequal": (Shot(px_per_mm=4), {5: 1.05}, r"disagree by [45]\.\d% in size.*all from one print"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_calibrate_tells_of_a_refused_marker_what_to_do(name: str, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from calcimeasure.cli import app

    shot, stretch, message = REFUSED[name]
    PillowImage.fromarray(sheet_photo(shot, keep=(5, 6), stretch=stretch).pixels).save(tmp_path / "photo.png")
    told = CliRunner().invoke(app, ["calibrate", str(tmp_path / "photo.png"), "--kind", "photo", "--json"])
    found = json.loads(told.stdout)
    assert told.exit_code == 1
    assert (found["method"], found["spacing_row_mm"], found["unsure"]) == ("marker", None, True)
    assert re.search(message, found["reason"]), found["reason"]


WRONG = {
    "--marker-mm 20": "--marker-mm needs --scale marker",
    "--scale ruler --marker-mm 20": "--marker-mm needs --scale marker",
    "--scale auto --scale-points 0,0,0,50,5": "choose one of --scale and --scale-points",
    "--scale-points 1,2": "five numbers",
    "--scale-points 0,0,0,50,-5": "more than 0",
    "--scale-points 0,0,0,5,5": "at least 20 px apart",
    "--source-distance 1000": "--source-distance needs --object-distance",
    "--spacing-sd 3": "--spacing-sd is the error of --spacing",
}


def test_options_that_contradict_each_other_are_bad_usage(tmp_path: Path) -> None:
    """In this process: no worker is ever started."""
    from typer.testing import CliRunner

    from calcimeasure.cli import app

    (tmp_path / "film.png").write_bytes(b"x")
    for words, message in WRONG.items():
        told = CliRunner().invoke(app, ["measure", str(tmp_path), "-o", str(tmp_path / "out"), *words.split()])
        assert told.exit_code == 2, words
        assert message in " ".join(told.output.replace("│", " ").split()), told.output
    assert not (tmp_path / "out").exists()


def _drawn(folder: Path) -> Path:
    """Two films of one name in two folders, and their label images: 100 px each."""
    for visit in ("v1", "v2"):
        (folder / visit).mkdir(parents=True)
        labels = np.zeros((120, 160), np.uint16)
        labels[50:60, 70:80] = 1
        PillowImage.fromarray((60 + 120 * labels).astype(np.uint8)).save(folder / visit / "film.png")
        tifffile.imwrite(folder / visit / "film.labels.tif", labels)
    return folder


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "calcimeasure", *words], cwd=folder, capture_output=True, text=True, check=False
    )


def test_films_of_one_name_are_compared_each_at_its_scale(tmp_path: Path) -> None:
    films = ["v1/film.png", "v2/film.png"]
    masks = ["--masks", "v1/film.labels.tif", "v2/film.labels.tif"]
    folder = _drawn(tmp_path / "in")
    (folder / "s.csv").write_text("image;spacing_mm;spacing_sd_percent\nv1\\film.png;0,4;3\nv2\\film.png;0,2;\n")
    done = _run(folder, "compare", *films, "-o", "out", "--spacing", "s.csv", *masks)
    assert done.returncode == 0, done.stderr
    with (folder / "out" / "images.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert [float(row["area_mm2"]) for row in rows] == [16, 4]
    assert float(rows[0]["spacing_sd_mm"]) == pytest.approx(0.03 * 0.4)
    (folder / "s.csv").write_text("image,spacing_mm\nfilm.png,0.4\n")
    refused = _run(folder, "compare", *films, "-o", "out2", "--spacing", "s.csv", *masks)
    assert refused.returncode
    assert "s.csv, line 2: 'film.png' fits 2 films" in refused.stderr


@pytest.mark.parametrize("mm", ["143", "0.0001", "-1", "inf", "0.02"])
def test_an_impossible_scale_is_refused_at_once_or_in_its_row(tmp_path: Path, mm: str) -> None:
    folder = _drawn(tmp_path / "in")
    done = _run(folder, "measure", "v1", "-o", "out", "--masks", "v1", "--spacing", mm)
    assert done.returncode
    assert "positive number" in done.stderr or "is no size of a pixel" in done.stderr or "3.2 mm long" in done.stderr


@pytest.mark.parametrize("origin", [SpacingOrigin.USER, SpacingOrigin.POINTS])
def test_the_panel_has_the_same_fence(tmp_path: Path, origin: SpacingOrigin) -> None:
    film = read_image(_drawn(tmp_path / "in") / "v1" / "film.png")
    assert rescaled(film, film, Spacing.of(0.2, 0.2, origin)).spacing == Spacing.of(0.2, 0.2, origin)
    with pytest.raises(RecipeError, match=r"given scale of 0\.0001 x 0\.0001 mm per pixel"):
        rescaled(film, film, Spacing.of(0.0001, 0.0001, origin))
