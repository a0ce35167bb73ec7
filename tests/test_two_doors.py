"""One pair, two doors: the Compare panel and ``calcimeasure compare`` give the same verdict to the digit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from calcimeasure.cli import app
from calcimeasure.cli.study import job_of
from calcimeasure.cli.terminal import KindOption
from calcimeasure.follow_up import Comparison
from calcimeasure.io.given.by_hand import ByHand, read_overrides
from calcimeasure.io.images.read import read_image
from calcimeasure.io.results.masks import read_labels, write_labels
from calcimeasure.io.results.trial_results import open_trial
from calcimeasure.model.authorship import Author, Authorship
from calcimeasure.model.labels import Labels
from calcimeasure.model.study import Fate, FilmPair, Verdict
from calcimeasure.reading.pair import compared, export
from calcimeasure.reading.session import Session
from calcimeasure.recipe import Recipe
from calcimeasure.run.trial import compare_visits, measure_films, trial_facts, trial_of

MM = 0.3
SHAPE = (300, 220)
Disc = tuple[int, int, int]
A, B, C = (110, 100, 9), (190, 120, 8), (130, 110, 7)
#: Deposits of either visit (discs of one number each), a shift of the follow-up, and the fate that somebody has.
FATES: dict[Fate, tuple[list[list[Disc]], list[list[Disc]], int]] = {
    Fate.STABLE: ([[A], [B]], [[A], [B]], 4),
    Fate.GROWN: ([[A], [B]], [[(110, 100, 14)], [B]], 4),
    Fate.SHRUNK: ([[(110, 100, 14)], [B]], [[A], [B]], 4),
    Fate.RESOLVED: ([[A], [B]], [[A]], 4),
    Fate.NEW: ([[A]], [[A], [B]], 4),
    Fate.MERGED: ([[A], [C]], [[A, C, (120, 105, 6)]], 4),
    Fate.SPLIT: ([[A, C, (120, 105, 6)]], [[A], [C]], 4),
    Fate.OUT_OF_FIELD: ([[A], [(280, 130, 8)]], [[A]], -40),
}
AUTHORS = {
    "another tool": Authorship(),
    "a person": Authorship(Author.PERSON),
    "accepted": Authorship(Author.ACCEPTED),
    "the networks": Authorship(Author.NETWORKS),
    "a program": Authorship(Author.PROGRAM),
    "a person but for one": Authorship(Author.PERSON, {1: Author.NETWORKS}),
}


def drawn(deposits: list[list[Disc]], shift: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A limb of a bone in flesh, moved down by some rows, with deposits and their label image."""
    labels = np.zeros(SHAPE, np.int32)
    for number, discs in enumerate(deposits, 1):
        for row, column, radius in discs:
            cv2.circle(labels, (column, row + shift), radius, number, -1)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    rows = rows - shift
    middle = 110 + 12 * np.sin(rows / 40)
    grey = 20 + 70.0 * (abs(columns - middle) < 70 - rows / 12) + 50.0 * (abs(columns - middle) < 14 + 4 * np.cos(rows / 25))
    grey += 6 * np.sin(rows / 9) * np.cos(columns / 11) + 55.0 * (labels > 0)
    noise = np.random.default_rng(seed).normal(0, 1.5, SHAPE)
    return np.clip(cv2.GaussianBlur(grey, (0, 0), 0.8) + noise, 0, 255).astype(np.uint8), labels


def visits(folder: Path, fate: Fate, by: Authorship) -> list[tuple[Path, Path]]:
    """Film and mask of either visit."""
    before, after, shift = FATES[fate]
    found = []
    for name, deposits, down, seed in (("b", before, 0, 1), ("f", after, shift, 2)):
        grey, labels = drawn(deposits, down, seed)
        film, mask = folder / f"{name}.png", folder / f"{name}.labels.tif"
        Picture.fromarray(grey).save(film)
        write_labels(mask, Labels(labels, authorship=by), None)
        found.append((film, mask))
    return found


def by_command_line(films: list[tuple[Path, Path]], out: Path, overrides: Path | None = None) -> FilmPair:
    """What `calcimeasure compare --masks` gives of the pair, every digit of it."""
    from calcimeasure.cli.study import _one_patient

    job = job_of(out, KindOption.RADIOGRAPH, str(MM), None, None)
    study, sources = _one_patient([film for film, _ in films], [mask for _, mask in films], None, job)
    trial = trial_of(study, sources, job, by_hand=ByHand(read_overrides(overrides) if overrides else {}))
    inputs = [one.item for one in trial.used.values()]
    with open_trial(out, inputs, trial_facts(trial), resume=False, overwrite=False) as results:
        assert not any(record.failed for record in measure_films(trial, results, 1, 60) if record)
        (record,) = compare_visits(trial, results, 1, 60)
    assert record is not None
    return record.pairs[0]


def by_panel(films: list[tuple[Path, Path]]) -> Comparison:
    """What the Compare panel shows once both masks are loaded."""
    sessions = [Session(read_image(film, spacing=MM)) for film, _ in films]
    for session, (_, mask) in zip(sessions, films, strict=True):
        session.load_mask(mask)
    first, second = ((session.image, session.outlines) for session in sessions)
    return compared(first, second, Recipe())[0]


@pytest.mark.parametrize("by", AUTHORS.values(), ids=AUTHORS)
@pytest.mark.parametrize("fate", FATES)
def test_both_doors_say_the_same_of_every_fate_and_author(tmp_path: Path, fate: Fate, by: Authorship) -> None:
    films = visits(tmp_path, fate, by)
    one, two = by_command_line(films, tmp_path / "out"), by_panel(films)
    assert two.change.verdict is not Verdict.NOT_EVALUABLE
    if by.film in (Author.UNKNOWN, Author.PERSON, Author.ACCEPTED) and not by.deposits:
        assert fate in {row.fate for row in two.change.deposits}
    assert one.links == two.links
    assert one.change == replace(two.change, warnings=one.change.warnings)
    assert one.change.warnings == two.change.warnings
