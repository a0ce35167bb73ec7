"""A trial from end to end through the command line: tables, resume, refusals, privacy."""

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
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture
from typer.testing import CliRunner, Result

from calcimeasure.cli import app
from calcimeasure.io.results import columns
from calcimeasure.io.results.masks import write_labels
from calcimeasure.io.results.record import Record
from calcimeasure.model.labels import Labels
from calcimeasure.model.study import Film
from calcimeasure.phantom.anatomy import Placement
from calcimeasure.phantom.deposits import Calcium, Shape, Site
from calcimeasure.phantom.film import Exposure, FilmScene, Tone, draw_film
from calcimeasure.phantom.frame import Frame
from calcimeasure.run.study import readers_of

MM = 0.5
SITES = (
    Site("index metacarpal", 0.5, 12.0),
    Site("ring metacarpal", 0.5, -9.0),
    Site("index proximal phalanx", 0.5, 5.5),
)
TABLES = (*columns.TABLES, "columns.json", "run.json")


def _film(folder: Path, name: str, sizes: tuple[float, ...], shift: float = 0.0, *, right: bool = False) -> None:
    """A drawn hand and its true mask, one number per deposit that is there."""
    deposits = tuple(
        Calcium(Shape.NODULE, site, size, 4.0, k)
        for k, (site, size) in enumerate(zip(SITES, sizes, strict=True))
        if size
    )
    scene = FilmScene(
        Frame(216.0, 152.0, MM), "hand", Placement(76.0 + shift, 178.0, -1.0 + shift, 0.92), deposits=deposits,
        exposure=Exposure(80e3), tone=Tone(bits=8), mirrored=right,
    )  # fmt: skip
    phantom = draw_film(scene, 5)
    folder.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(np.array(phantom.image.pixels)).save(folder / f"{name}.png")
    tifffile.imwrite(folder / f"{name}.tif", phantom.truth.array.astype(np.uint8))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four patients: A falls, B gets a new deposit that is seen twice, C's follow-up is damaged, D came once."""
    folder = tmp_path_factory.mktemp("secret_name_of_a_person")
    for name, sizes, shift in (
        ("a1", (8.0, 7.0, 6.0), 0.0),
        ("a2", (5.0, 4.5, 0.0), 2.0),
        ("b1", (8.0, 7.0, 0.0), 0.0),
        ("b2", (8.0, 7.0, 6.0), 2.0),
        ("b3", (8.0, 7.0, 6.0), -2.0),
        ("c1", (8.0, 7.0, 6.0), 0.5),
        ("d1", (8.0, 7.0, 6.0), 1.0),
    ):
        _film(folder / "films", name, sizes, shift)
    (folder / "films" / "c2.png").write_bytes((folder / "films" / "c1.png").read_bytes()[:400])
    _write(
        folder / "study.csv", ["A,v1,a1", "A,v2,a2", "B,v1,b1", "B,v2,b2", "B,v3,b3", "C,v1,c1", "C,v2,c2", "D,v1,d1"]
    )
    return folder


DAYS = {"v1": "2025-01-10", "v2": "2025-09-10", "v3": "2026-03-10"}


def _write(path: Path, rows: list[str]) -> Path:
    lines = ["subject,visit,date,image,mask,spacing_mm,site,side,treatment_start"]
    for subject, visit, film in (row.split(",") for row in rows):
        mask = f"films/{film}.tif"
        lines.append(f"{subject},{visit},{DAYS[visit]},films/{film}.png,{mask},{MM},hand,L,2025-01-15")
    path.write_text("\n".join([*lines, ""]))
    return path


def _command(*words: object) -> list[str]:
    return [sys.executable, "-m", "calcimeasure", *map(str, words)]


def _run(*words: object, code: int = 0) -> Result:
    """The command in this process, which spares the imports of another."""
    told = CliRunner().invoke(app, [*map(str, words)])
    assert told.exit_code == code, told.stderr
    assert "Traceback" not in told.stderr
    return told


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def done(films: Path) -> Path:
    command = _command("study", films / "study.csv", "-o", films / "out", "--json")
    told = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert told.returncode == 1, told.stderr
    assert "Traceback" not in told.stderr
    assert json.loads(told.stdout)["failed_films"] == 1
    assert "failed: C/v2/hand-L" in told.stderr
    return films / "out"


def test_every_interval_has_a_row_and_its_verdict(done: Path) -> None:
    rows = {(row["subject"], row["followup_visit"]): row for row in _rows(done / "changes.csv")}
    assert rows.keys() == {("A", "v2"), ("B", "v2"), ("B", "v3"), ("C", "v2")}
    fall = rows["A", "v2"]
    assert (fall["status"], fall["verdict"], fall["shrunk"], fall["resolved"]) == ("compared", "improved", "2", "1")
    true = 100 * ((5.0**2 + 4.5**2) / (8.0**2 + 7.0**2 + 6.0**2) - 1)
    assert float(fall["area_change_percent"]) == pytest.approx(true, abs=4)
    assert float(fall["percent_low"]) < true < float(fall["percent_high"])
    assert float(fall["months"]) == pytest.approx(8, abs=0.1)


def test_one_bad_image_costs_one_visit(done: Path) -> None:
    row = next(row for row in _rows(done / "changes.csv") if row["subject"] == "C")
    assert (row["status"], row["verdict"], row["area_after_mm2"]) == ("not_evaluable", "not_evaluable", "")
    assert "C/v2/hand-L" in row["reason"]


def test_a_new_deposit_seen_again_is_confirmed_and_keeps_its_name(done: Path) -> None:
    new = [row for row in _rows(done / "deposit_changes.csv") if row["subject"] == "B" and row["fate"] == "new"]
    assert [row["followup_visit"] for row in new] == ["v2", "v3"]
    assert len({row["deposit"] for row in new}) == 1
    assert new[0]["confirmed"] == "yes"
    assert {row["verdict"] for row in _rows(done / "changes.csv") if row["subject"] == "B"} == {"worse"}


def test_points_lie_inside_the_deposits_of_each_film(done: Path) -> None:
    seen = 0
    for row in _rows(done / "deposit_changes.csv"):
        for visit in ("baseline", "followup"):
            if row[f"{visit}_labels"]:
                labels = tifffile.imread(done / "masks" / f"{row[f'{visit}_name']}.labels.tif")
                at = int(row[f"{visit}_row"]), int(row[f"{visit}_column"])
                assert str(labels[at]) in row[f"{visit}_labels"].split()
                seen += 1
    assert seen > 10


def test_the_cohort_has_a_row_for_every_subject(done: Path) -> None:
    rows = {row["subject"]: row for row in _rows(done / "study.csv")}
    assert list(rows) == ["A", "B", "C", "D"]
    assert [rows[name]["response"] for name in rows] == ["improved", "stable/worse", "", ""]
    assert rows["B"]["other_visits"].startswith("v3: worse")
    assert rows["D"]["outcome"] == "one_visit"


@pytest.mark.parametrize(("people", "agree"), [("AB", True), ("A", False), ("", False)], ids=["two", "one", "nobody"])
def test_readers_of_the_same_films_are_compared(people: str, agree: bool, tmp_path: Path) -> None:
    films = [Film("S", f"v{k}", None, "film.png", reader=who or None) for k in range(4) for who in people or [""]]
    areas = [20.0 + 5 * int(film.visit[1]) + (film.reader == "B") for film in films]
    rows = [{"name": str(n), "status": "measured", "area_mm2": area} for n, area in enumerate(areas)]
    records = {row["name"]: Record("key", row) for row in rows}
    for n, film in enumerate(films):
        write_labels(tmp_path / "masks" / f"{n}.labels.tif", _outlines(film), None)
    used = {str(n): SimpleNamespace(film=film) for n, film in enumerate(films)}
    trial = SimpleNamespace(used=used, job=SimpleNamespace(out=tmp_path))
    found = readers_of(trial, SimpleNamespace(films=SimpleNamespace(record_of=records.get)))
    assert (found is not None) is agree
    if found is not None:
        assert (found.readers, found.films) == (("A", "B"), 4)
        assert found.pairs[0].difference.bias == pytest.approx(1.0)
        drawn = found.pairs[0].outlines
        assert drawn is not None
        assert (drawn.dice, drawn.dice_low) == pytest.approx((1.0, 2 * 4 / 12))
        assert (drawn.seen_by_both, drawn.deposits, drawn.films) == (8, 9, 4)


def _outlines(film: Film) -> Labels:
    """One deposit that every reader outlines alike; at the last visit reader B sees a second one of its size."""
    array = np.zeros((8, 8), np.int32)
    array[1:3, 1:3] = 1
    if film.reader == "B" and film.visit == "v3":
        array[5:7, 5:7] = 2
    return Labels(array)


def test_everything_that_is_promised_is_there(done: Path) -> None:
    assert json.loads((done / "columns.json").read_text()).keys() == columns.TABLES.keys()
    for table in columns.TABLES:
        assert (done / table).read_text().splitlines()[0] == ",".join(columns.names(table))
    assert (done / "report.html").stat().st_size > 10_000
    assert (done / "report.pdf").read_bytes().startswith(b"%PDF")
    for row in _rows(done / "images.csv"):
        assert (done / "masks" / f"{row['name']}.labels.tif").exists() is (row["status"] == "measured")
    assert len(list((done / "pairs").rglob("*.png"))) >= 3


def test_no_output_tells_a_path_of_the_machine(done: Path) -> None:
    texts = [path for path in done.iterdir() if path.suffix in (".csv", ".json", ".html", ".pdf")]
    assert len(texts) >= 9
    assert [path.name for path in texts if b"secret_name" in path.read_bytes()] == []


def test_nothing_is_overwritten_or_mixed_silently(films: Path, done: Path) -> None:
    assert "add --resume" in _run("study", films / "study.csv", "-o", done, code=2).stderr
    recipe = films / "other.toml"
    recipe.write_text("[compare]\ncut_percent = 30\n")
    told = _run("study", films / "study.csv", "-o", done, "--resume", "--recipe", recipe, code=2)
    assert "made with other settings (recipe)" in told.stderr
    assert (
        "results of `study`, not of `measure`"
        in _run("measure", films / "films" / "a1.png", "-o", done, "--resume", code=2).stderr
    )


def test_a_killed_run_ends_in_the_same_tables(films: Path, done: Path) -> None:
    words = ("study", films / "study.csv", "-o", films / "killed", "--resume")
    journal = films / "killed" / ".calcimeasure" / "intervals.jsonl"
    run = subprocess.Popen(_command(*words), stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and run.poll() is None and not _lines(journal):
        time.sleep(0.02)
    assert run.poll() is None  # it is still at work
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    _run(*words, "--jobs", "2", code=1)
    for name in TABLES:
        assert (films / "killed" / name).read_bytes() == (done / name).read_bytes(), name


def _lines(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def test_resume_compares_only_what_is_new(films: Path, done: Path) -> None:
    before = _lines(done / ".calcimeasure" / "intervals.jsonl")
    _run("study", films / "study.csv", "-o", done, "--resume", code=1)
    assert _lines(done / ".calcimeasure" / "intervals.jsonl") == before


@pytest.mark.parametrize(("old", "new"), [(",0.5,", ",0.4,"), (",hand,", ",foot,")])
def test_a_run_that_is_broken_off_tells_no_change_of_films_as_they_were(
    films: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    def broken_off(*_: object) -> Iterator[tuple[str, str]]:
        raise KeyboardInterrupt
        yield

    out, table = shutil.copytree(done, tmp_path / "out"), _write(films / "again.csv", ["A,v1,a1", "A,v2,a2"])
    table.write_text(table.read_text().replace(old, new))
    monkeypatch.setattr("calcimeasure.run.visits._visits", broken_off)
    _run("study", table, "-o", out, "--resume", code=130)
    assert len(_rows(out / "images.csv")) == 2
    assert _rows(out / "changes.csv") == []


def test_two_films_are_compared_with_one_command(films: Path, tmp_path: Path) -> None:
    there = films / "films"
    words = ("compare", there / "a1.png", there / "a2.png", "-o", tmp_path / "out", "--spacing", MM)
    told = _run(*words, "--masks", there / "a1.tif", there / "a2.tif", "--side", "L")
    assert "baseline to followup: improved" in told.stderr
    (row,) = _rows(tmp_path / "out" / "changes.csv")
    assert (row["subject"], row["verdict"], row["primary"]) == ("patient", "improved", "yes")


@pytest.fixture(scope="module")
def by_hand(films: Path) -> Path:
    """Two films of unknown scale, of which a reader says that the first deposit of each is another calcium."""
    there, table = films / "films", films / "by_hand.csv"
    table.write_text("baseline_labels,followup_labels,by\n1,,Dr W\n,1,Dr W\n")
    words = ("compare", there / "a1.png", there / "a2.png", "-o", films / "by_hand", "--overrides", table)
    _run(*words, "--masks", there / "a1.tif", there / "a2.tif")
    return films / "by_hand"


def test_without_a_scale_the_change_is_in_pixels_and_says_so(by_hand: Path) -> None:
    (row,) = _rows(by_hand / "changes.csv")
    assert row["area_change_mm2"] == row["area_before_mm2"] == ""
    assert float(row["area_change_px"]) < 0
    assert "equal scale assumed" in row["warnings"]


def test_a_match_by_hand_is_kept_and_recorded(by_hand: Path) -> None:
    rows = [row for row in _rows(by_hand / "deposit_changes.csv") if row["by"] == "Dr W"]
    assert [row["fate"] for row in rows] == ["resolved", "new"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compare", "{films}/a1.png", "-o", "{out}"), "at least one follow-up"),
        (("compare", "{films}/a1.png", "{films}/gone.png", "-o", "{out}"), "no file 'gone.png'"),
        (
            ("compare", "{films}/a1.png", "{films}/a2.png", "-o", "{out}", "--masks", "{films}/a1.tif"),
            "each of the 2 films",
        ),
        (("study", "{films}/gone.csv", "-o", "{out}"), "no study file 'gone.csv'"),
        (("study", "{films}/../study.csv", "-o", "{out}", "--profile", "{films}/a1.png"), "precision profile a1.png"),
        (("study", "{films}/../study.csv", "-o", "{out}", "--resume", "--overwrite"), "choose one"),
    ],
)
def test_bad_usage_is_one_clear_line(films: Path, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    places = {"films": films / "films", "out": tmp_path / "out"}
    told = _run(*(word.format(**places) for word in words), code=2)
    assert message in " ".join(told.stderr.split())
    assert not (tmp_path / "out").exists()
