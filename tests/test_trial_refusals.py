"""Pairs of films that must not be compared: no number, and the reason, through the command line."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from calcimeasure.cli import app
from calcimeasure.phantom.anatomy import Placement
from calcimeasure.phantom.deposits import Calcium, Shape, Site
from calcimeasure.phantom.film import FilmScene, Tone, draw_film
from calcimeasure.phantom.frame import Frame
from calcimeasure.phantom.photo import draw_photo, random_photo_scene

MM = 0.6
FRAME = Frame(216.0, 152.0, MM)
CALCIUM = (Calcium(Shape.NODULE, Site("index metacarpal", 0.5, 12.0), 9.0, 4.0, 1),)
HAND = FilmScene(FRAME, "hand", Placement(76.0, 178.0, -1.0, 0.92), deposits=CALCIUM, tone=Tone(bits=8))
FILMS = {
    "left": HAND,
    "right": FilmScene(
        FRAME, "hand", Placement(78.0, 176.0, 1.0, 0.92), deposits=CALCIUM, tone=Tone(bits=8), mirrored=True
    ),
    "foot": FilmScene(FRAME, "foot", Placement(76.0, 125.0, 0.0, 0.9), tone=Tone(bits=8)),
}
# subject: film, side and spacing of both visits, and words of the reason
PAIRS = {
    "written as other sides": (("left", "L", MM), ("right", "R", MM), "at one visit only"),
    "the other hand, nobody says so": (("left", "", MM), ("right", "", MM), "opposite sides"),
    "a foot": (("left", "", MM), ("foot", "", MM), "do not show the same limb"),
    "photos that nobody outlined": (("skin", "", MM), ("skin", "", MM), "a photo that nobody outlined"),
    "scale of one film only": (("left", "", MM), ("left", "", ""), "scale of the follow-up is unknown"),
}


# subject: mask, lost_because and exclude_reason of the follow-up; the baseline has two deposits
FATES = {
    "healed": ("left-mask.png", "", ""),
    "operated": ("left-mask.png", "surgery", ""),
    "broken": ("left-mask.png", "", "fracture since"),
}


# subject: NAME of the film that shows the same picture under another name, which the reason speaks of
TWINS = {"twin": "twin_of_it/2025-01-10/L", "twin of it": "twin/2025-01-10/L"}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refusals")
    for number, (name, scene) in enumerate(FILMS.items()):
        film = draw_film(scene, number)
        Picture.fromarray(np.array(film.image.pixels)).save(folder / f"{name}.png")
        mask = (film.truth.array > 0).astype(np.uint8)
        Picture.fromarray(mask).save(folder / f"{name}-mask.png")
        row, column = np.argwhere(mask)[0] if mask.any() else (0, 0)
        mask[row + 40 : row + 70, column - 10 : column + 10] = 2
        Picture.fromarray(mask).save(folder / f"{name}-two.png")
    skin = draw_photo(random_photo_scene(1), 1)
    Picture.fromarray(np.array(skin.image.pixels)).save(folder / "skin.png")
    lines = ["subject,visit,date,image,mask,side,spacing_mm,lost_because,exclude_reason"]
    for subject, (*visits, _) in PAIRS.items():
        for day, (film, side, mm) in zip(("2025-01-10", "2025-09-10"), visits, strict=True):
            mask = "" if film == "skin" else f"{film}-mask.png"
            lines.append(f'"{subject}",{day},{day},{_once_more(folder, film)},{mask},{side},{mm},,')
    for subject, (mask, lost, excluded) in FATES.items():
        first, second = _once_more(folder, "left"), _once_more(folder, "left")
        lines.append(f"{subject},2025-01-10,2025-01-10,{first},left-two.png,L,{MM},,")
        lines.append(f"{subject},2025-09-10,2025-09-10,{second},{mask},L,{MM},{lost},{excluded}")
    for subject in TWINS:
        shutil.copy(folder / "left.png", folder / f"{subject}.png")
        lines.append(f"{subject},2025-01-10,2025-01-10,{subject}.png,left-mask.png,L,{MM},,")
        lines.append(f"{subject},2025-09-10,2025-09-10,{_once_more(folder, 'left')},left-mask.png,L,{MM},,")
    (folder / "study.csv").write_text("\n".join([*lines, ""]))
    told = CliRunner().invoke(app, ["study", str(folder / "study.csv"), "-o", str(folder / "out")])
    assert told.exit_code == 0, told.stderr
    return folder / "out"


def _once_more(folder: Path, film: str) -> str:
    """The same scene on another film: no two exposures are alike to the last grey."""
    number = len(list(folder.glob("taken-*.png")))
    with Picture.open(folder / f"{film}.png") as picture:
        grey = np.array(picture)
    rng = np.random.default_rng(number)
    rows, columns = rng.integers(0, grey.shape[0], 50), rng.integers(0, grey.shape[1], 50)
    grey[rows, columns] ^= 1
    Picture.fromarray(grey).save(folder / f"taken-{number}.png")
    return f"taken-{number}.png"


def _by_subject(table: Path) -> dict[str, dict[str, str]]:
    with table.open(newline="") as file:
        return {row["subject"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def rows(out: Path) -> dict[str, dict[str, str]]:
    return _by_subject(out / "changes.csv")


@pytest.mark.parametrize("subject", PAIRS)
def test_what_must_not_be_compared_has_a_reason_and_no_number(rows: dict[str, dict[str, str]], subject: str) -> None:
    row, words = rows[subject], PAIRS[subject][-1]
    assert (row["status"], row["verdict"]) == ("not_evaluable", "not_evaluable")
    assert words in row["reason"]
    assert row["area_change_percent"] == row["area_change_mm2"] == row["area_after_mm2"] == ""


@pytest.mark.parametrize("subject", TWINS)
def test_one_picture_of_two_subjects_is_no_pair_under_whatever_name(rows: dict, subject: str) -> None:
    assert rows[subject]["status"] == "not_evaluable"
    assert f"the very same picture as {TWINS[subject]}" in rows[subject]["reason"]


def test_calcium_that_healed_counts_and_calcium_that_was_cut_out_does_not(
    rows: dict[str, dict[str, str]], out: Path
) -> None:
    healed, operated = rows["healed"], rows["operated"]
    assert (healed["verdict"], operated["verdict"]) == ("improved", "stable")
    assert float(healed["area_change_percent"]) < -25
    assert float(operated["area_change_percent"]) == 0
    assert (healed["resolved"], operated["resolved"]) == ("1", "1")
    assert "lost by surgery" in operated["warnings"]
    assert "surgery" in (out / "report.html").read_text()


def test_an_excluded_film_is_in_the_flow_with_its_reason(out: Path) -> None:
    row = _by_subject(out / "study.csv")["broken"]
    assert (row["outcome"], row["response"]) == ("not_evaluable", "")
    assert "fracture since" in row["reason"]
    assert "fracture since" in (out / "report.html").read_text()
