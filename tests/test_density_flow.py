"""A step wedge in the recipe: densities in the measurement and the tables, or the areas alone and the reason why."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from polychromatic import STEPS_MM, Scene, Shot, shoot
from typer.testing import CliRunner

from calcimeasure import Analysis, Image, Kind, Labels, Meaning, Recipe
from calcimeasure.cli import app
from calcimeasure.errors import RecipeError
from calcimeasure.io.results import tables
from calcimeasure.recipe import analyse_mask

WEDGE = f"[wedge]\nsteps_mm = {list(STEPS_MM)}\n"
MINERAL = 'hydroxyapatite = 0.5\nhydroxyapatite_sd = 0.02\nhydroxyapatite_source = "our phantom"\n'
#: Beside the middle of the limb, which is taken for bone where it is densest.
TWO = ((90.0, 88.0, 9.0, 1.5, "aluminium"), (210.0, 172.0, 9.0, 1.2, "aluminium"))


@pytest.fixture(scope="module")
def film() -> Shot:
    return shoot(Scene(deposits=TWO))


@pytest.fixture(scope="module")
def analysis(film: Shot) -> Analysis:
    return analyse_mask(film.image, film.labels, Recipe.from_toml(WEDGE + MINERAL))


def test_deposits_carry_their_densities(film: Shot, analysis: Analysis) -> None:
    for deposit in analysis.measurement.deposits:
        assert deposit.density.mmal_mean.value == pytest.approx(film.truth[deposit.label], rel=0.05)
        assert deposit.density.hydroxyapatite.value == pytest.approx(2 * deposit.density.mmal_mean.value)
    assert analysis.calibration.material == "Al"
    assert not analysis.warnings


def test_the_image_is_the_sum_of_its_deposits(analysis: Analysis) -> None:
    total, rows = analysis.measurement.density, [d.density for d in analysis.measurement.deposits]
    assert total.al_volume_mm3.value == pytest.approx(sum(row.al_volume_mm3.value for row in rows))
    parts = [row.al_volume_mm3.sd for row in rows]
    # What one film gets wrong it gets wrong alike for all: more than independent errors, less than all in step.
    assert np.hypot(*parts) < total.al_volume_mm3.sd <= sum(parts) * (1 + 1e-9)
    assert total.hydroxyapatite_source == "our phantom"


def test_the_tables_say_it_and_what_the_errors_consist_of(analysis: Analysis) -> None:
    row, first = tables.image_row(analysis), tables.deposit_row("a.dcm", analysis.measurement.deposits[0])
    for cells in (row, first):
        assert cells["density_mmal_sd"] > 0
        assert cells["al_volume_mm3"] > 0
        assert cells["hydroxyapatite_sd"] > 0
        assert cells["density_reason"] == ""
    parts = tables.sd_components(analysis)["deposit 1: density_mmal_mean"]
    assert {"noise", "calibration", "background", "scatter", "hardening"} < set(parts)
    assert parts.pop("sd") == pytest.approx(np.sqrt(sum(part**2 for part in parts.values())))


def _clipped(film: Shot) -> Image:
    pixels = film.image.pixels.copy()
    pixels[film.labels.array == 2] = film.image.ceiling
    return replace(film.image, pixels=pixels)


def test_one_deposit_without_a_density_leaves_no_total(film: Shot) -> None:
    told = analyse_mask(_clipped(film), film.labels, Recipe.from_toml(WEDGE))
    first, second = told.measurement.deposits
    assert first.density.mmal_mean is not None
    assert second.density.mmal_mean is None
    assert "not clipped" in second.density.reason
    assert told.measurement.density.al_volume_mm3 is None
    assert any("no total: 2" in warning for warning in told.warnings)


_UNUSABLE = {
    "no wedge": (lambda i: replace(i, pixels=np.array(i.pixels[:, :300])), "mark it with a region"),
    "display film": (lambda i: replace(i, meaning=Meaning.DISPLAY), "FOR PROCESSING"),
    "8 bits": (lambda i: replace(i, pixels=(i.pixels // 64).astype(np.uint8), ceiling=255.0), "10 to 16 bits"),
}


@pytest.mark.parametrize("name", _UNUSABLE)
def test_a_film_whose_wedge_is_of_no_use_keeps_its_areas(film: Shot, name: str) -> None:
    spoil, words = _UNUSABLE[name]
    image = spoil(film.image)
    told = analyse_mask(image, Labels(film.labels.array[:, : image.shape[1]]), Recipe.from_toml(WEDGE))
    assert told.measurement.area_mm2.value > 0
    assert all(deposit.density.mmal_mean is None for deposit in told.measurement.deposits)
    assert any(words in warning for warning in told.warnings)
    row = tables.image_row(told)
    assert row["density_mmal_mean"] is None
    assert words in row["density_reason"]


def test_nobody_asked_so_nothing_is_said(film: Shot) -> None:
    without = analyse_mask(film.image, film.labels)
    photo = replace(
        film.image, kind=Kind.PHOTO, meaning=Meaning.PHOTO, pixels=np.zeros((*film.image.shape, 3), np.uint8)
    )
    for told in (without, analyse_mask(photo, film.labels, Recipe.from_toml(WEDGE))):
        assert told.measurement.density is None
        assert not told.warnings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[wedge]\nsteps_mm = [1, 2, 3, 4]\n", "at least 5"),
        ("[wedge]\nsteps_mm = [1, 2, 3, 4, 4]\n", "all different"),
        ("[wedge]\nsteps_mm = [0, 1, 2, 3, 4]\n", "positive"),
        ("[wedge]\nsteps_mm = 'thick'\n", "list of millimetres"),
        ("[wedge]\nmaterial = 'Cu'\n", "aluminium"),
        ("[wedge]\nregion = [5, 5, 1, 9]\n", "row0, column0, row1, column1"),
        ("[wedge]\nhydroxyapatite = 0.64\n", "source"),
        ("[wedge]\nhydroxyapatite = -1\nhydroxyapatite_source = 'x'\n", "positive"),
        ("[wedge]\nstep_mm = [1]\n", "did you mean 'steps_mm'"),
    ],
)
def test_a_wedge_that_cannot_be_is_refused_before_any_film(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.from_toml(text)


def test_the_wedge_is_part_of_the_recipe() -> None:
    recipe = Recipe.from_toml(WEDGE + MINERAL + "region = [1, 2, 30, 40]\n")
    assert Recipe.from_dict(recipe.as_dict()) == recipe
    assert len({recipe.hash, Recipe().hash, Recipe.from_toml(WEDGE).hash}) == 3


@pytest.mark.parametrize(
    ("steps", "code", "words"),
    [("1,2,3,4,5", 0, "FOR PROCESSING"), ("1,2,3", 2, "at least 5"), ("1,2,x,4,5", 2, "mm of every step")],
)
def test_the_option_beats_the_recipe(tmp_path: Path, steps: str, code: int, words: str) -> None:
    film = Path(__file__).parents[1] / "sample_images" / "foot.png"
    told = CliRunner().invoke(app, ["measure", str(film), "-o", str(tmp_path / "out"), "--wedge", steps])
    assert told.exit_code == code
    if code:
        assert words in " ".join(told.output.split())
        return
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["settings"]["recipe"]["wedge"]["steps_mm"] == [1, 2, 3, 4, 5]
    with (tmp_path / "out" / "images.csv").open() as file:
        assert words in next(csv.DictReader(file))["density_reason"]
