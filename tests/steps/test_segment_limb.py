"""What a survey of a film tells its reader."""

import csv
from pathlib import Path

import numpy as np
import pytest

from calcimeasure import Image, Kind, Meaning, Spacing, SpacingOrigin, read_image
from calcimeasure.phantom.film import draw_film, random_film_scene
from calcimeasure.steps.segment.limb import TRUNK, survey


def body(air_columns: int, mm: float | None) -> Image:
    """A body 400 px wide beside air on one side, with a spine in it."""
    columns = np.abs(np.arange(400) - 200)
    grey = np.tile(np.where(columns < 30, 200, 120), (500, 1)).astype(np.uint8)
    grey[:, :air_columns] = 5
    grey[:, ::97] += 3
    spacing = mm and Spacing.of(mm, mm, SpacingOrigin.USER)
    return Image(grey, Kind.RADIOGRAPH, Meaning.DISPLAY, spacing or None)


@pytest.mark.parametrize(
    ("air_columns", "mm", "told"),
    [(40, 0.8, True), (40, None, True), (40, 0.2, False), (130, 0.8, True), (330, 0.8, False)],
)
def test_a_body_that_fills_the_film_is_told(air_columns: int, mm: float | None, told: bool) -> None:
    found = survey(body(air_columns, mm))
    assert found is not None
    assert (TRUNK in found.warnings) is told


@pytest.mark.parametrize("part", ["hand", "forearm", "foot"])
def test_a_limb_is_no_trunk(part: str) -> None:
    found = survey(draw_film(random_film_scene(4, mm=0.5, part=part), 4).image)
    assert found is not None
    assert TRUNK not in found.warnings


@pytest.mark.parametrize(("folder", "told", "films"), [("radiographs", 2, 58), ("radiographs_other", 16, 31)])
def test_how_many_train_films_are_told(shared: Path, folder: str, told: int, films: int) -> None:
    with (shared / "data" / "split.csv").open(newline="") as table:
        names = [row["file"] for row in csv.DictReader(table) if row["split"] == "train"]
    surveys = [survey(read_image(shared / "data" / name)) for name in names if Path(name).parent.name == folder]
    assert sum(one is not None and one.trunk for one in surveys) == told
    assert len(surveys) == films
