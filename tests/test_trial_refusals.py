"""Pairs of films that must not be compared: no number, and the reason, through the command line."""

import csv

import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from calcimeasure.cli import app
from calcimeasure.phantom.anatomy import Placement
from calcimeasure.phantom.deposits import Calcium, Shape, Site
from calcimeasure.phantom.film import FilmScene, Tone, draw_film
from calcimeasure.phantom.frame import Frame

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
    "scale of one film only": (("left", "", MM), ("left", "", ""), "scale of the follow-up is unknown"),
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    folder = tmp_path_factory.mktemp("refusals")
    for number, (name, scene) in enumerate(FILMS.items()):
        film = draw_film(scene, number)
        Picture.fromarray(np.array(film.image.pixels)).save(folder / f"{name}.png")
        Picture.fromarray((film.truth.array > 0).astype(np.uint8)).save(folder / f"{name}-mask.png")
    lines = ["subject,visit,date,image,mask,side,spacing_mm"]
    for subject, (*visits, _) in PAIRS.items():
        for day, (film, side, mm) in zip(("2025-01-10", "2025-09-10"), visits, strict=True):
            lines.append(f'"{subject}",{day},{day},{film}.png,{film}-mask.png,{side},{mm}')
    (folder / "study.csv").write_text("\n".join([*lines, ""]))
    told = CliRunner().invoke(app, ["study", str(folder / "study.csv"), "-o", str(folder / "out")])
    assert told.exit_code == 0, told.stderr
    with (folder / "out" / "changes.csv").open(newline="") as file:
        return {row["subject"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("subject", PAIRS)
def test_what_must_not_be_compared_has_a_reason_and_no_number(rows: dict[str, dict[str, str]], subject: str) -> None:
    row, words = rows[subject], PAIRS[subject][-1]
    assert (row["status"], row["verdict"]) == ("not_evaluable", "not_evaluable")
    assert words in row["reason"]
    assert row["area_change_percent"] == row["area_change_mm2"] == row["area_after_mm2"] == ""
