"""Stories from end to end, through the command line, as a stranger would go."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

TABLES = ("images.csv", "deposits.csv", "excluded.csv", "columns.json", "run.json", "report.html")


def _run(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    told = subprocess.run(_command(*words), capture_output=True, text=True, timeout=300, check=False)
    assert told.returncode == code, told.stderr
    assert "Traceback" not in told.stderr
    return told


def _command(*words: object) -> list[str]:
    return [sys.executable, "-m", "calcimeasure", *map(str, words)]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _film(path: Path, seed: int = 0) -> Path:
    """A forearm of sorts: a bright bone in a grey limb, and a dense nodule in its soft tissue, blurred as on a film."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:220, :160]
    film = 20 + 60.0 * (abs(xx - 80) < 55) + 70.0 * (abs(xx - 90) < 14)
    nodule = 70.0 * ((yy - 60 - 5 * seed) ** 2 + (xx - 48) ** 2 < 7**2)
    film += cv2.GaussianBlur(nodule, (0, 0), 1.2) + rng.normal(0, 2, film.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(np.clip(film, 0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def films(tmp_path: Path) -> Path:
    for seed in range(5):
        _film(tmp_path / "films" / f"film{seed}.png", seed)
    return tmp_path / "films"


def test_a_folder_is_measured_with_one_command(films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _run("measure", films, "-o", out, "--kind", "radiograph", "--spacing", "0.2")
    rows = _rows(out / "images.csv")
    assert [row["image"] for row in rows] == [f"film{n}.png" for n in range(5)]
    assert {row["status"] for row in rows} == {"measured"}
    assert {row["spacing_origin"] for row in rows} == {"user"}
    for row in rows:
        assert (out / "masks" / f"{row['name']}.labels.tif").exists()
        assert (out / "overlays" / f"{row['name']}.png").exists()
        own = [float(d["area_mm2"]) for d in _rows(out / "deposits.csv") if d["image"] == row["image"]]
        assert sum(own) == pytest.approx(float(row["area_mm2"]), abs=1e-5)
    assert json.loads((out / "run.json").read_text())["inputs"].keys() == {row["image"] for row in rows}


def test_an_unknown_scale_leaves_millimetres_empty(films: Path, tmp_path: Path) -> None:
    _run("measure", films / "film0.png", "-o", tmp_path / "out", "--kind", "radiograph")
    (row,) = _rows(tmp_path / "out" / "images.csv")
    assert row["area_mm2"] == row["spacing_row_mm"] == ""
    assert row["spacing_origin"] == "none"
    for deposit in _rows(tmp_path / "out" / "deposits.csv"):
        assert not any(value for name, value in deposit.items() if "_mm" in name)


def test_a_saved_mask_gives_the_same_numbers_again(films: Path, tmp_path: Path) -> None:
    _run("measure", films, "-o", tmp_path / "first", "--kind", "radiograph", "--spacing", "0.2")
    _run(
        "measure",
        films,
        "-o",
        tmp_path / "again",
        "--kind",
        "radiograph",
        "--spacing",
        "0.2",
        "--masks",
        tmp_path / "first" / "masks",
    )
    same = (
        "image",
        "label",
        "area_px",
        "area_mm2",
        "area_mm2_sd",
        "perimeter_mm",
        "feret_mm",
        "centroid_row",
        "bbox_row0",
    )
    first, again = (_rows(tmp_path / run / "deposits.csv") for run in ("first", "again"))
    assert first
    assert [[row[name] for name in same] for row in first] == [[row[name] for name in same] for row in again]


def test_one_bad_file_costs_one_row(films: Path, tmp_path: Path) -> None:
    (films / "film2.png").write_bytes((films / "film2.png").read_bytes()[:300])
    (films / "notes.txt").write_text("stray")
    told = _run("measure", films, "-o", tmp_path / "out", "--kind", "radiograph", "--json", code=1)
    rows = {row["image"]: row for row in _rows(tmp_path / "out" / "images.csv")}
    assert rows["film2.png"]["status"] == "failed"
    assert "film2.png" in rows["film2.png"]["error"]
    assert str(films) not in (tmp_path / "out" / "images.csv").read_text()
    assert {row["status"] for name, row in rows.items() if name != "film2.png"} == {"measured"}
    assert json.loads(told.stdout)["failed"] == 1
    assert "1 other files passed over" in told.stderr


def test_two_jobs_give_the_bytes_of_one(films: Path, tmp_path: Path) -> None:
    for jobs in (1, 2):
        _run("measure", films, "-o", tmp_path / f"out{jobs}", "--jobs", jobs, "--kind", "radiograph")
    _assert_same(tmp_path / "out1", tmp_path / "out2")


def test_a_killed_run_ends_in_the_same_bytes(films: Path, tmp_path: Path) -> None:
    words = ("measure", films, "--kind", "radiograph", "--spacing", "0.2")
    _run(*words, "-o", tmp_path / "whole")
    rng = np.random.default_rng(7)
    for _ in range(4):
        _killed(*words, "-o", tmp_path / "killed", "--resume", after=float(rng.uniform(0.8, 4)))
    _run(*words, "-o", tmp_path / "killed", "--resume")
    _assert_same(tmp_path / "whole", tmp_path / "killed")


def _killed(*words: object, after: float) -> None:
    run = subprocess.Popen(_command(*words), stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(after)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def _assert_same(one: Path, other: Path) -> None:
    for name in TABLES:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    masks = sorted(path.name for path in (one / "masks").iterdir())
    assert masks == sorted(path.name for path in (other / "masks").iterdir())
    for name in masks:
        assert (one / "masks" / name).read_bytes() == (other / "masks" / name).read_bytes(), name


def test_no_door_leads_to_a_mask_that_a_person_corrected(films: Path, tmp_path: Path) -> None:
    out, words = tmp_path / "out", ("--kind", "radiograph", "--spacing", "0.2")
    _run("measure", films, "-o", out, *words)
    mask = out / "masks" / "film1.labels.tif"
    corrected = tifffile.imread(mask)
    corrected[:20, :20] = 99
    tifffile.imwrite(mask, corrected)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    _film(tmp_path / "more.png", 9)  # the film is not among these inputs any more
    (tmp_path / "link").symlink_to(out / "masks")
    for source, flags in {
        films: ("--resume",),
        tmp_path / "films": ("--overwrite",),
        tmp_path / "more.png": ("--overwrite",),
        films / "film1.png": ("--overwrite", "--masks", out / "masks"),
        films / "film2.png": ("--resume", "--masks", tmp_path / "link"),
    }.items():
        told = _run("measure", source, "-o", out, *words, *flags, code=2).stderr
        assert "another folder" in told
        assert told.count("\n") == 1
    assert "another folder" in _run("demo", "-o", out, code=2).stderr
    _run("measure", films / "film1.png", "-o", tmp_path / "elsewhere", *words, "--masks", out / "masks")
    assert int(_rows(tmp_path / "elsewhere" / "images.csv")[0]["area_px"]) == np.count_nonzero(corrected)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.fixture
def _heard() -> Iterator[None]:
    """Ctrl-C reaches the processes we start, also where the tests themselves run in the background and ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_heard")
def test_ctrl_c_keeps_what_was_done(films: Path, tmp_path: Path) -> None:
    for n in range(60):  # so many that the run cannot be over before the signal comes, on a busy machine either
        shutil.copy(films / "film0.png", films / f"more{n}.png")
    words = ("measure", films, "-o", tmp_path / "out", "--kind", "radiograph")
    run = subprocess.Popen(_command(*words), stderr=subprocess.PIPE, text=True)
    journal = tmp_path / "out" / ".calcimeasure" / "journal.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (journal.exists() and journal.stat().st_size):
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "--resume goes on" in told
    assert "Traceback" not in told
    assert len(_rows(tmp_path / "out" / "images.csv")) >= 1


def test_resume_measures_only_what_is_new(films: Path, tmp_path: Path) -> None:
    words = ("measure", films, "-o", tmp_path / "out", "--kind", "radiograph")
    _run(*words)
    before = (tmp_path / "out" / "masks" / "film0.labels.tif").stat().st_mtime_ns
    _film(films / "film9.png", 9)
    _run(*words, "--resume")
    assert (tmp_path / "out" / "masks" / "film0.labels.tif").stat().st_mtime_ns == before
    assert len(_rows(tmp_path / "out" / "images.csv")) == 6
    assert "add --resume" in _run(*words, code=2).stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("measure", "{gone}", "-o", "{out}"), 2, "no file or folder"),
        (("measure", "{empty}", "-o", "{out}"), 3, "nothing to measure"),
        (("measure", "{films}", "-o", "{out}", "--spacing", "0"), 2, "positive"),
        (("measure", "{films}", "-o", "{out}", "--spacing", "gone.csv"), 2, "spacing table 'gone.csv'"),
        (("measure", "{films}", "-o", "{out}", "--recipe", "gone.toml"), 2, "gone.toml is no recipe"),
        (("measure", "{films}", "-o", "{out}", "--resume", "--overwrite"), 2, "choose one"),
        (("measure", "{films}", "-o", "{out}", "--masks", "gone"), 2, "no folder 'gone'"),
        (("measure", "{films}"), 2, "--out"),
    ],
)
def test_bad_usage_is_one_clear_line(
    films: Path, tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"films": films, "gone": tmp_path / "gone", "empty": tmp_path / "empty", "out": tmp_path / "out"}
    told = _run(*(word.format(**places) for word in words), code=code)
    assert message in told.stderr
    assert not (tmp_path / "out").exists()


def test_a_region_of_interest_limits_the_measurement(films: Path, tmp_path: Path) -> None:
    (tmp_path / "regions").mkdir()
    nowhere = np.zeros((220, 160), np.uint8)
    nowhere[:5, :5] = 1
    tifffile.imwrite(tmp_path / "regions" / "film0.region.tif", nowhere)
    _run(
        "measure",
        films / "film0.png",
        "-o",
        tmp_path / "out",
        "--kind",
        "radiograph",
        "--regions",
        tmp_path / "regions",
    )
    (row,) = _rows(tmp_path / "out" / "images.csv")
    assert (row["status"], row["deposits"]) == ("measured", "0")
    _run(
        "measure",
        films / "film1.png",
        "-o",
        tmp_path / "out2",
        "--kind",
        "radiograph",
        "--regions",
        tmp_path / "regions",
        code=1,
    )
    assert "add film1.region.tif" in _rows(tmp_path / "out2" / "images.csv")[0]["error"]


def test_info_says_what_the_reader_understood(films: Path) -> None:
    told = json.loads(_run("info", films / "film0.png", "--json").stdout)
    assert (told["rows"], told["columns"], told["spacing_origin"]) == (220, 160, "none")
    assert "spacing_origin: none" in _run("info", films / "film0.png").stdout
    _run("info", films.parent / "gone.png", code=2)


def test_a_scale_is_found_or_the_reason_is_told(films: Path) -> None:
    film = films / "film0.png"
    told = json.loads(_run("calibrate", film, "--scale-points", "0,0,0,100,25", "--json").stdout)
    assert (told["method"], told["spacing_row_mm"], told["unsure"]) == ("points", 0.25, False)
    told = json.loads(_run("calibrate", film, "--json", "--kind", "radiograph", code=1).stdout)
    assert (told["spacing_row_mm"], told["unsure"]) == (None, True)
    assert "--scale-points" in told["reason"]
    assert "five numbers" in _run("calibrate", film, "--scale-points", "1,2", code=2).stderr


def test_the_marker_sheet_is_a_page_to_print(tmp_path: Path) -> None:
    told = _run("marker", "-o", tmp_path / "sheet.pdf")
    assert (tmp_path / "sheet.pdf").read_bytes().startswith(b"%PDF")
    assert "100 mm" in told.stderr


def test_every_command_has_help() -> None:
    for words in ((), ("measure",), ("compare",), ("study",), ("info",), ("demo",), ("calibrate",), ("marker",)):
        assert "--help" in _run(*words, "--help").stdout
    assert _run("--version").stdout.strip()
