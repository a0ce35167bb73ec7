"""What a survey of a film tells its reader."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from calcimeasure import Image, Kind, Meaning, Spacing, SpacingOrigin, read_image
from calcimeasure.phantom.film import draw_film, random_film_scene
from calcimeasure.steps.anatomy import TRUNK, resized, strips_of, survey


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


@pytest.mark.parametrize(("folder", "told", "films"), [("radiographs", 1, 58), ("radiographs_other", 16, 31)])
def test_how_many_train_films_are_told(shared: Path, folder: str, told: int, films: int) -> None:
    with (shared / "data" / "split.csv").open(newline="") as table:
        names = [row["file"] for row in csv.DictReader(table) if row["split"] == "train"]
    surveys = [survey(read_image(shared / "data" / name)) for name in names if Path(name).parent.name == folder]
    assert sum(one is not None and one.trunk for one in surveys) == told
    assert len(surveys) == films


def strip_beside(limb: slice, strip: slice, joined: bool) -> Image:
    """An upright limb and an upright bar on a film of 300 x 200 mm, 1 mm pixels; a bar along the bottom joins them."""
    grey = np.full((300, 200), 8, np.uint8)
    grey[:, limb], grey[:, strip] = 130, 170
    if joined:
        grey[280:288, min(limb.start, strip.start) : max(limb.stop, strip.stop)] = 170
    grey[::31] += 2
    return Image(grey, Kind.RADIOGRAPH, Meaning.DISPLAY, Spacing.of(1.0, 1.0, SpacingOrigin.USER))


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize(("width", "told"), [(14, False), (40, True)])
def test_a_lead_strip_is_no_limb(joined: bool, width: int, told: bool) -> None:
    found = survey(strip_beside(slice(30, 100), slice(140, 140 + width), joined))
    assert found is not None
    assert found.limb[150, 60:70].all()
    assert found.limb[150, 140 + width // 2] == told


def test_a_thin_limb_alone_is_a_limb() -> None:
    found = survey(strip_beside(slice(80, 95), slice(80, 95), False))
    assert found is not None
    assert found.limb[150, 87]


@pytest.mark.parametrize("part", ["hand", "forearm", "foot"])
@pytest.mark.parametrize("seed", range(6))
def test_fingers_are_no_strips(part: str, seed: int) -> None:
    found = survey(draw_film(random_film_scene(seed, mm=0.5, part=part), seed).image)
    assert found is not None
    body = found.limb.astype(np.uint8)
    assert not strips_of(resized(body, tuple(n // 2 for n in body.shape), cv2.INTER_AREA), 1.0).any()


@pytest.mark.parametrize("seed", range(3))
def test_dim_toes_beyond_the_limb_are_tissue_and_air_is_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    film = np.full((800, 500), 0.03)
    film[300:, 120:380] = 0.6
    film[360:, 180:320] = 0.9
    film[120:290, 130:200] = 0.13  # a toe that the beam shone through
    film = cv2.GaussianBlur(film, (0, 0), 3) + rng.normal(0, 0.008, film.shape)
    spacing = Spacing.of(0.25, 0.25, SpacingOrigin.USER)
    seen = survey(Image((np.clip(film, 0, 1) * 65535).astype(np.uint16), Kind.RADIOGRAPH, Meaning.DISPLAY, spacing))
    assert seen is not None
    limb, tissue = seen.enlarged(seen.limb), seen.enlarged(seen.tissue)
    assert not limb[150:260, 140:190].any()
    assert tissue[150:260, 140:190].mean() > 0.95
    assert tissue[limb].all()
    assert tissue[:100].mean() < 0.02
    assert tissue[:, 420:].mean() < 0.02
