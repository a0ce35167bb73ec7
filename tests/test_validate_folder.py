"""Films of one's own held against true outlines: figures whose answer is known, sources, and what is left out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

import calcimeasure
from calcimeasure import InThisProcess, Job, Truth, validate_folder
from calcimeasure.cli import app
from calcimeasure.errors import MaskError, MeasurementRefused, OutputError, TableError
from calcimeasure.io.results import columns
from calcimeasure.io.results.masks import write_labels
from calcimeasure.model.labels import Labels

MM = 0.3
SHAPE = (260, 180)
Disc = tuple[int, int, int]
A, B, C = (80, 120, 9), (150, 120, 8), (210, 120, 7)
#: True and outlined discs of a film.
FILMS: dict[str, tuple[list[Disc], list[Disc]]] = {
    "one/a": ([A, B], [A, C]),  # one found, one missed, one false
    "one/b": ([A, B], [A, B]),
    "two/c": ([A], [A]),
    "two/d": ([], []),
    "two/e": ([B, C], [B, C]),
}


def mask(discs: list[Disc]) -> np.ndarray:
    labels = np.zeros(SHAPE, np.int32)
    for number, (row, column, radius) in enumerate(discs, 1):
        cv2.circle(labels, (column, row), radius, number, -1)
    return labels


def film(discs: list[Disc], seed: int) -> np.ndarray:
    """A limb of a bone in flesh, with deposits."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    off = abs(columns - 90)
    grey = 20 + 70.0 * (off < 60 - rows / 12) + 50.0 * (off < 12 + 4 * np.cos(rows / 25)) + 60.0 * (mask(discs) > 0)
    grey = cv2.GaussianBlur(grey, (0, 0), 0.8) + np.random.default_rng(seed).normal(0, 1.5, SHAPE)
    return np.clip(grey, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films in two folders, and under the same names true and outlined label images."""
    home = tmp_path_factory.mktemp("validation")
    for seed, (name, (true, found)) in enumerate(FILMS.items()):
        for folder in ("films", "truth", "found"):
            (home / folder / name).parent.mkdir(parents=True, exist_ok=True)
        Picture.fromarray(film(true, seed)).save(home / "films" / f"{name}.png")
        write_labels(home / "truth" / f"{name}.labels.tif", Labels(mask(true)), None)
        write_labels(home / "found" / f"{name}.labels.tif", Labels(mask(found)), None)
    return home


def _job(home: Path, out: Path) -> Job:
    return Job(out, kind="radiograph", spacing_mm=MM, masks=home / "found")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_figures_are_those_that_were_drawn(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = validate_folder([home / "films"], Truth(home / "truth"), _job(home, out), InThisProcess())
    assert (found.whole.films, found.whole.empty) == (5, 1)
    assert found.whole.found is not None
    assert (found.whole.found.successes, found.whole.found.trials) == (6, 7)
    assert found.whole.false == pytest.approx(1 / 5)
    assert found.whole.dice == 1.0
    assert list(found.sources) == ["one", "two"]
    rows = {row["image"]: row for row in _rows(out / "film_scores.csv")}
    told = {name: (row["source"], row["deposits"], row["found"], row["false_finds"]) for name, row in rows.items()}
    assert told["one/a.png"] == ("one", "2", "1", "1")
    assert told["two/d.png"] == ("two", "0", "0", "0")
    assert float(rows["one/b.png"]["true_mm2"]) == pytest.approx((mask([A, B]) > 0).sum() * MM**2)
    figures = _rows(out / "validation.csv")
    assert {row["source"] for row in figures} == {"all", "one", "two"}
    assert [row["value"] for row in figures if (row["source"], row["figure"]) == ("two", "found")] == ["1"]
    assert list(json.loads((out / "columns.json").read_text())) == [*columns.MEASURED, *columns.VALIDATED]
    page = (out / "validation.html").read_text()
    assert "false finds a film" in page
    assert str(home) not in page


def test_what_cannot_be_scored_is_left_out_and_named(home: Path, tmp_path: Path) -> None:
    (tmp_path / "truth" / "one").mkdir(parents=True)
    write_labels(tmp_path / "truth" / "one" / "a.labels.tif", Labels(mask([A])), None)
    write_labels(tmp_path / "truth" / "one" / "b.labels.tif", Labels(mask([A])[:-1]), None)
    found = validate_folder([home / "films"], Truth(tmp_path / "truth"), _job(home, tmp_path / "out"), InThisProcess())
    assert found.whole.films == 1
    assert set(found.left_out) == {"one/b.png", "two/c.png", "two/d.png", "two/e.png"}
    assert "no true mask" in found.left_out["two/c.png"]
    for folder in (tmp_path / "empty", tmp_path / "there" / "masks"):
        folder.mkdir(parents=True)
    nowhere, inside, gone = (Truth(tmp_path / name) for name in ("empty", "there/masks", "gone"))
    with pytest.raises(MeasurementRefused, match="no film was scored"):
        validate_folder([home / "films"], nowhere, _job(home, tmp_path / "none"), InThisProcess())
    with pytest.raises(OutputError, match="never reads what it"):
        validate_folder([home / "films"], inside, _job(home, tmp_path / "there"), InThisProcess())
    with pytest.raises(MaskError, match="no folder gone"):
        validate_folder([home / "films"], gone, _job(home, tmp_path / "gone_out"), InThisProcess())


def test_outlines_held_against_themselves_are_perfect(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calcimeasure, "Processes", lambda *_: InThisProcess(), raising=False)
    (tmp_path / "recipe.toml").write_text('[segment]\nmethod = "classical"\n')
    (tmp_path / "sources.csv").write_text("image,source\none/a.png,X\none/b.png,X\ntwo/c.png,Y\n")
    given = [
        str(home / "films"),
        "--kind",
        "radiograph",
        "--spacing",
        str(MM),
        "--recipe",
        str(tmp_path / "recipe.toml"),
    ]
    assert CliRunner().invoke(app, ["measure", *given, "-o", str(tmp_path / "first")]).exit_code == 0
    words = [
        "validate",
        *given,
        "--truth",
        str(tmp_path / "first" / "masks"),
        "--sources",
        str(tmp_path / "sources.csv"),
    ]
    told = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "second"), "--json"])
    assert told.exit_code == 0, told.stderr
    figures = json.loads(told.stdout)["figures"]
    assert figures["found"] == figures["Dice"] == 1
    assert figures["false finds a film"] == figures["bias"] == 0
    rows = _rows(tmp_path / "second" / "film_scores.csv")
    assert [row["source"] for row in rows] == ["X", "X", "Y", "two", "two"]
    assert {row["covered"] for row in rows} == {"yes"}
    refused = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "first"), "--resume"])
    assert refused.exit_code == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("image,source\na,x\na,y\n", "line 3"),
        ("image,source\na,\n", "line 2"),
        ("image,place\na,x\n", "source"),
    ],
)
def test_a_table_of_sources_that_cannot_be_used_names_its_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(TableError, match=told):
        calcimeasure.read_sources(tmp_path / "s.csv")
