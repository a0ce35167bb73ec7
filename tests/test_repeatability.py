"""Repeatability through the command line: from areas, from pictures with outlines, and what it refuses."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import Result
from PIL import Image as Picture
from typer.testing import CliRunner

from calcimeasure.cli import app
from calcimeasure.errors import MeasurementRefused, TableError
from calcimeasure.io.given.repeats_file import read_repeats
from calcimeasure.io.results import columns
from calcimeasure.model.precision import Precision
from calcimeasure.phantom.anatomy import Placement
from calcimeasure.phantom.deposits import Calcium, Shape, Site
from calcimeasure.phantom.film import Exposure, FilmScene, Tone, draw_film
from calcimeasure.phantom.frame import Frame
from calcimeasure.recipe import Recipe
from calcimeasure.steps.agreement import repeatability
from calcimeasure.steps.agreement.repeats import Of, RepeatSet, repeat_study
from calcimeasure.steps.change.compare.shipped import shipped_precision

MM = 0.5
#: Twelve places, two measurements each, whose error grows with size.
AREAS = tuple(
    (size, size * (1 + 0.05 * (-1) ** k)) for k, size in enumerate((3, 5, 8, 12, 18, 25, 40, 60, 90, 120, 150, 200))
)


def _run(*words: object, code: int = 0) -> Result:
    told = CliRunner().invoke(app, [str(word) for word in words])
    assert told.exit_code == code, told.stderr
    assert told.exception is None or isinstance(told.exception, SystemExit)
    return told


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# --- from areas --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def by_area(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("areas")
    rows = [f"p{n},{area}" for n, pair in enumerate(AREAS) for area in pair]
    (folder / "scans.csv").write_text("\n".join(["subject,area_mm2", *rows, ""]))
    told = _run("repeatability", folder / "scans.csv", "-o", folder / "out", "--json")
    assert json.loads(told.stdout)["totals"] == len(AREAS)
    return folder


def test_figures_are_those_of_the_statistics(by_area: Path) -> None:
    rows = {row["figure"]: row for row in _rows(by_area / "out" / "repeatability.csv")}
    truth = repeatability(AREAS)
    assert float(rows["wSD"]["value"]) == pytest.approx(truth.wsd, rel=1e-4)
    assert float(rows["RC"]["value"]) == pytest.approx(truth.rc, rel=1e-4)
    assert float(rows["RC"]["upper"]) == pytest.approx(truth.rc_upper, rel=1e-4)
    assert float(rows["wCV"]["value"]) == pytest.approx(100 * (truth.wcv or 0), rel=1e-4)
    correlation = rows["ICC(A,1)"]
    assert float(correlation["lower"]) < float(correlation["value"]) < float(correlation["upper"])
    assert float(rows["lower limit"]["value"]) < float(rows["bias"]["value"]) < float(rows["upper limit"]["value"])


def test_the_profile_is_read_back_by_compare(by_area: Path) -> None:
    precision = Precision.from_json(json.loads((by_area / "out" / "profile.json").read_text()))
    assert precision.totals is not None
    assert precision.deposits is None
    assert precision.of_deposits is precision.totals
    assert precision.totals.wsd(100) == pytest.approx(100 * 0.05 / np.sqrt(2), rel=0.15)
    assert not precision.totals.is_simulated


def test_columns_are_as_the_dictionary_says(by_area: Path) -> None:
    told = json.loads((by_area / "out" / "columns.json").read_text())
    assert set(told) == set(columns.REPEATED)
    for table in columns.REPEATED:
        assert list(_rows(by_area / "out" / table)[0]) == columns.names(table)


def test_a_folder_with_results_is_left_alone(by_area: Path) -> None:
    told = _run("repeatability", by_area / "scans.csv", "-o", by_area / "out", code=2)
    assert "--resume" in told.stderr
    before = (by_area / "out" / "repeatability.csv").read_bytes()
    _run("repeatability", by_area / "scans.csv", "-o", by_area / "out", "--overwrite")
    assert (by_area / "out" / "repeatability.csv").read_bytes() == before


def test_too_few_repeats_give_figures_and_no_profile(tmp_path: Path) -> None:
    (tmp_path / "scans.csv").write_text("subject,area_mm2\na,10\na,11\nb,20\nb,19\n")
    told = _run("repeatability", tmp_path / "scans.csv", "-o", tmp_path / "out")
    assert "no precision profile of totals: 2 subjects are too few" in told.stderr
    assert not (tmp_path / "out" / "profile.json").exists()
    rows = {row["figure"]: row for row in _rows(tmp_path / "out" / "repeatability.csv")}
    assert float(rows["wSD"]["value"]) == pytest.approx(np.sqrt(0.5), rel=1e-4)
    assert (rows["bias"]["value"], rows["ICC(A,1)"]["value"]) == ("", "")
    assert "too few" in rows["bias"]["note"]


# --- from pictures -----------------------------------------------------------------------------------------

SITES = (Site("index metacarpal", 0.5, 12.0), Site("ring metacarpal", 0.5, -9.0))


def _film(path: Path, sizes: tuple[float, float], shift: float) -> None:
    deposits = tuple(
        Calcium(Shape.NODULE, site, size, 4.0, k) for k, (site, size) in enumerate(zip(SITES, sizes, strict=True))
    )
    scene = FilmScene(
        Frame(216.0, 152.0, MM), "hand", Placement(76.0 + shift, 178.0, -1.0 + shift, 0.92), deposits=deposits,
        exposure=Exposure(80e3), tone=Tone(bits=8),
    )  # fmt: skip
    phantom = draw_film(scene, 5 + int(shift))
    Picture.fromarray(np.array(phantom.image.pixels)).save(path)
    tifffile.imwrite(path.with_suffix(".tif"), phantom.truth.array.astype(np.uint8))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hands, re-positioned; of one a third film is damaged."""
    folder = tmp_path_factory.mktemp("secret_name_of_a_person")
    rows = ["subject,image,mask,spacing_mm,site,side"]
    for name, sizes in (("a", (8.0, 7.0)), ("b", (6.0, 5.0))):
        for repeat, shift in enumerate((0.0, 2.0)):
            _film(folder / f"{name}{repeat}.png", sizes, shift)
            rows.append(f"{name},{name}{repeat}.png,{name}{repeat}.tif,{MM},hand,L")
    (folder / "b2.png").write_bytes((folder / "b1.png").read_bytes()[:300])
    (folder / "scans.csv").write_text("\n".join([*rows, f"b,b2.png,,{MM},hand,L", ""]))
    told = _run("repeatability", folder / "scans.csv", "-o", folder / "out", code=1)
    assert "failed: b/3/hand-L" in told.stderr
    return folder


def test_every_picture_has_a_row(films: Path) -> None:
    rows = _rows(films / "out" / "repeats.csv")
    assert [(row["subject"], row["repeat"], row["used"]) for row in rows] == [
        ("a", "1", "yes"), ("a", "2", "yes"), ("b", "1", "yes"), ("b", "2", "yes"), ("b", "3", "no"),
    ]  # fmt: skip
    for row in rows[:4]:
        labels = tifffile.imread(films / "out" / "masks" / f"{row['name']}.labels.tif")
        assert int(row["area_px"]) == np.count_nonzero(labels)
        assert float(row["area_mm2"]) == pytest.approx(int(row["area_px"]) * MM**2)
    assert "b2.png" in rows[4]["note"]


def test_totals_pairs_and_deposits_are_told_apart(films: Path) -> None:
    rows = {(row["of"], row["figure"]): row for row in _rows(films / "out" / "repeatability.csv")}
    assert {of: rows[of, "wSD"]["groups"] for of in ("totals", "compared", "deposits")} == {
        "totals": "2", "compared": "2", "deposits": "4",
    }  # fmt: skip
    assert float(rows["deposits", "found"]["value"]) == 1
    assert float(rows["totals", "wCV"]["value"]) < 5


def test_going_on_measures_nothing_again(films: Path) -> None:
    kept = (films / "out" / "repeatability.csv", films / "out" / "masks" / "a" / "1" / "hand-L.labels.tif")
    before = kept[0].read_bytes(), kept[1].stat().st_mtime_ns
    _run("repeatability", films / "scans.csv", "-o", films / "out", "--resume", code=1)
    assert (kept[0].read_bytes(), kept[1].stat().st_mtime_ns) == before


def test_no_folder_of_the_machine_is_told(films: Path) -> None:
    for name in ("repeatability.csv", "repeats.csv", "run.json", "report.html", "columns.json"):
        assert "secret_name" not in (films / "out" / name).read_text()


def test_an_area_of_nothing_is_an_area(tmp_path: Path) -> None:
    (tmp_path / "scans.csv").write_text("subject,area_mm2\na,0\na,0.5\nb,4\nb,5\nc,0\nc,0\n")
    assert [one.area_mm2 for one in read_repeats(tmp_path / "scans.csv")] == [0, 0.5, 4, 5, 0, 0]


# --- what is refused ---------------------------------------------------------------------------------------

BAD = {
    "no subject column": ("name,area_mm2\na,1\na,2\n", "lacks the column subject"),
    "unknown column": ("subject,area\na,1\na,2\n", "did you mean 'area_mm2'"),
    "empty subject": ("subject,area_mm2\na,1\n,2\n", "line 3: the cell 'subject' is empty"),
    "no area": ("subject,area_mm2\na,1\na,\n", "line 3: the cell 'area_mm2' is empty"),
    "no number": ("subject,area_mm2\na,1\na,two\n", "line 3: area_mm2 must be a number of at least 0"),
    "an area that is none": ("subject,area_mm2\na,1\na,-2\n", "line 3: area_mm2"),
    "bad spacing": ("subject,image,spacing_mm\na,1.png,0\na,2.png,1\n", "line 2: spacing_mm"),
    "image and area": ("subject,image,area_mm2\na,1.png,\na,2.png,4\n", "line 3: has an image and an area_mm2"),
    "an image missing": ("subject,image\na,1.png\na,\nb,2.png\n", "line 3: the cell 'image' is empty"),
    "one file twice": ("subject,image\na,1.png\na,1.png\n", "1.png twice"),
    "one repeat twice": ("subject,repeat,area_mm2\na,x,1\na,x,2\n", "repeat x of a twice"),
    "nobody twice": ("subject,site,area_mm2\na,hand,1\na,foot,2\nb,hand,3\n", "at least two repeats"),
    "nothing pairs": ("subject,repeat,area_mm2\na,1,1\na,2,2\nb,x,1\nb,y,2\n", "nothing pairs"),
    "some without a name": ("subject,repeat,area_mm2\na,1,1\na,,2\n", "1 of 2 rows have no repeat"),
    "too many cells": ("subject,area_mm2\na,1,2\n", "line 2: 3 cells under 2 columns"),
    "nothing": ("subject,area_mm2\n", "has no row"),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_bad_tables(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "scans.csv").write_text(text)
    with pytest.raises(TableError, match=words):
        read_repeats(tmp_path / "scans.csv")


def test_a_missing_table_is_one_line(tmp_path: Path) -> None:
    told = _run("repeatability", tmp_path / "none.csv", "-o", tmp_path / "out", code=2)
    assert told.stderr.strip() == "error: there is no table of repeats 'none.csv': check the spelling"


@pytest.mark.parametrize("damaged", [{}, {"format": "calcimeasure precision 1", "totals": {"a": 1}}, [], None])
def test_a_damaged_profile_is_refused(damaged: object) -> None:
    with pytest.raises(MeasurementRefused):
        Precision.from_json(damaged)


# --- values ------------------------------------------------------------------------------------------------


def test_compared_pairs_give_the_profile_of_totals() -> None:
    wider = tuple((a, a + 3 * (b - a)) for a, b in AREAS)
    found = repeat_study([RepeatSet(Of.TOTALS, "mm2", wider), RepeatSet(Of.COMPARED, "mm2", AREAS)], "made up")
    alone = repeat_study([RepeatSet(Of.COMPARED, "mm2", AREAS)], "made up")
    assert found.precision == alone.precision
    assert found.precision.totals is not None


def test_precision_comes_back_from_its_file() -> None:
    found = repeat_study([RepeatSet(Of.TOTALS, "mm2", AREAS), RepeatSet(Of.DEPOSITS, "mm2", AREAS)], "made up")
    assert Precision.from_json(json.loads(json.dumps(found.precision.to_json()))) == found.precision
    assert Precision.from_json(Precision().to_json()) == Precision()


def test_the_shipped_precision_says_that_it_is_simulated_and_belongs_to_the_shipped_weights() -> None:
    precision = shipped_precision()
    for profile in (precision.totals, precision.deposits):
        assert profile is not None
        assert profile.is_simulated
        assert Recipe().hash in profile.origin, "run benchmarks/renew_precision_profile.py: recipe or weights changed"
        assert 0 < profile.wsd(2) <= profile.wsd(50) < 25
