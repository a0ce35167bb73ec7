"""What the Compare panel shows and writes of two visits; `calcimeasure.follow_up` compares them. No Qt, no napari."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

import calcimeasure
from calcimeasure.errors import OutputError
from calcimeasure.follow_up import Comparison, Guidance, compare_readings, reading_of
from calcimeasure.io.files import write_whole
from calcimeasure.io.given.by_hand import write_overrides
from calcimeasure.io.results.masks import SUFFIX, write_labels
from calcimeasure.io.results.pictures import png
from calcimeasure.model.image import Image
from calcimeasure.model.labels import Labels
from calcimeasure.model.study import Fate, Film, FilmPair, Interval, Study, Subject, Visit
from calcimeasure.reading.matches import Films, Kept, kept
from calcimeasure.recipe import Recipe

_PAGE, _OVERRIDES = "report.html", "overrides.csv"
_VISITS = ("baseline", "followup")


def compared(
    first: tuple[Image, Labels], second: tuple[Image, Labels], recipe: Recipe, films: Films | None = None
) -> tuple[Comparison, Kept]:
    """The films compared, with the matches that a reader made of them before; takes seconds."""
    before, after = (reading_of(image, labels, recipe) for image, labels in (first, second))
    found = kept(films, (before.labels, after.labels)) if films else Kept()
    return compare_readings(before, after, recipe, Guidance(overrides=found.links)), found


def fate_map(pair: Comparison, *, followup: bool) -> npt.NDArray[np.int32]:
    """Code (1 upwards, in the order of `Fate`) of each deposit's fate at its pixels, 0 elsewhere."""
    labels = (pair.followup if followup else pair.baseline).labels.array
    codes = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    for row in pair.change.deposits:
        codes[list(row.followup if followup else row.baseline)] = code_of(row.fate)
    return np.asarray(codes[labels])


def code_of(fate: Fate) -> int:
    """The number that stands for a fate in a `fate_map`."""
    return list(Fate).index(fate) + 1


def export(pair: Comparison, folder: Path, names: tuple[str, str], *, overwrite: bool = False) -> Path:
    """Write the report that ``calcimeasure compare`` writes, and what it makes it again from; gives the page.

    ::

        FOLDER/
        ├── report.html  report.pdf  pairs/pair.png
        ├── masks/baseline.labels.tif  masks/followup.labels.tif     for --masks
        └── overrides.csv                                            for --overrides, where matches were corrected

    Raises
    ------
    OutputError
        When a report or corrected matches are there already, or the folder cannot be written.
    """
    from calcimeasure.io.results.trial_report import write_reports

    page = folder / _PAGE
    for there in (page, folder / _OVERRIDES):
        if there.exists() and not overwrite:
            raise OutputError(f"{there.name} is there already in {folder.name}: choose another folder")
    interval, study = _as_study(pair, names)
    picture = folder / "pairs" / "pair.png"
    write_whole(picture, _picture(pair))
    _write_made_from(pair, folder)
    write_reports(folder, study, [interval], lambda _: picture, _run(pair.recipe))
    return page


def _write_made_from(pair: Comparison, folder: Path) -> None:
    """The outlines and the matches by hand that the report rests on."""
    for visit, reading in zip(_VISITS, (pair.baseline, pair.followup), strict=True):
        write_labels(folder / "masks" / f"{visit}{SUFFIX}", reading.labels, reading.image.spacing)
    if pair.overrides:
        write_overrides(folder / _OVERRIDES, pair.overrides)


def _as_study(pair: Comparison, names: tuple[str, str]) -> tuple[Interval, Study]:
    films = [Film("patient", visit, None, _plain(name)) for visit, name in zip(_VISITS, names, strict=True)]
    visits = [Visit(film.visit, None, (film,)) for film in films]
    alignment = pair.alignment
    overlap = None if alignment.refused else alignment.overlap
    found = FilmPair(
        films[0].image, films[1].image, "", pair.change, pair.links, "pair", overlap, alignment.residual_mm
    )
    interval = Interval("patient", visits[0], visits[1], pair.change, (found,))
    return interval, Study((Subject("patient", tuple(visits)),))


def _picture(pair: Comparison) -> bytes:
    from calcimeasure.report.pair_picture import pair_picture

    return png(pair_picture(pair.baseline, pair.followup, pair.alignment, pair.change))


def _run(recipe: Recipe) -> dict[str, object]:
    return {
        "version": calcimeasure.__version__,
        "recipe_hash": recipe.hash,
        "weights_sha256": recipe.weights_sha256,
        "packages": {},
    }


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name) or "film"
