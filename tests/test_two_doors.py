"""One pair, two doors: the Compare panel and ``calcimeasure compare`` give the same verdict to the digit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Picture

from calcimeasure.follow_up import Comparison, Guidance, reading_of
from calcimeasure.io.images.read import read_image
from calcimeasure.io.results.masks import read_labels, write_labels
from calcimeasure.model.alignment import Alignment
from calcimeasure.model.authorship import Author, Authorship
from calcimeasure.model.labels import Labels
from calcimeasure.model.study import Change, Fate, FilmPair, Link, Verdict
from calcimeasure.model.warning import Remark
from calcimeasure.reading.matches import Kept, keep, kept, matches_file
from calcimeasure.reading.pair import compared, export
from calcimeasure.reading.record import Source
from calcimeasure.reading.session import Session
from calcimeasure.recipe import Recipe
from calcimeasure.report.words import in_one
from calcimeasure.run.crew import InThisProcess
from calcimeasure.run.job import Job
from calcimeasure.run.progress import unheard
from calcimeasure.run.study import FilmFile, _one_patient
from calcimeasure.run.trial import Advice, opened, trial_facts, trial_of
from calcimeasure.run.visits import work_through

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
    Fate.OUT_OF_FIELD: ([[A], [(284, 130, 4)]], [[A]], 40),
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
    grey = (
        20
        + 70.0 * (abs(columns - middle) < 70 - rows / 12)
        + 50.0 * (abs(columns - middle) < 14 + 4 * np.cos(rows / 25))
    )
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
    job = Job(out, kind="radiograph", spacing_mm=MM)
    advice = Advice.in_files(overrides=overrides)
    study = trial_of(*_one_patient([FilmFile(film, mask) for film, mask in films], job), advice)
    with opened(study, trial_facts(study)) as results:
        assert not work_through(study, results, InThisProcess(), unheard)
        assert not any(record.failed for record in results.films.records())
        record = results.intervals.get(study.spans[0].name)
    assert record is not None
    if not record.pairs:
        return FilmPair("", "", "", Change.not_evaluable(*record.alone))
    return record.pairs[0]


def by_panel(films: list[tuple[Path, Path]]) -> Comparison:
    """What the Compare panel shows once both masks are loaded."""
    sessions = [Session(read_image(film, spacing=MM)) for film, _ in films]
    for session, (_, mask) in zip(sessions, films, strict=True):
        session.edit.load_mask(mask)
    first, second = ((session.image, session.outlines) for session in sessions)
    return compared(first, second, Recipe())[0]


#: Every fate of a reader's outlines and of the networks', and every author of one fate.
CASES = [*((fate, by) for fate in FATES for by in ("a person", "the networks")), *((Fate.NEW, by) for by in AUTHORS)]


@pytest.mark.parametrize(("fate", "author"), dict.fromkeys(CASES))
def test_both_doors_say_the_same_of_every_fate_and_author(tmp_path: Path, fate: Fate, author: str) -> None:
    by = AUTHORS[author]
    films = visits(tmp_path, fate, by)
    one, two = by_command_line(films, tmp_path / "out"), by_panel(films)
    assert two.change.verdict is not Verdict.NOT_EVALUABLE
    if by.film in (Author.UNKNOWN, Author.PERSON, Author.ACCEPTED) and not by.deposits:
        assert fate in {row.fate for row in two.change.deposits}
    assert one.links == two.links
    assert one.change == replace(two.change, warnings=one.change.warnings)
    assert one.change.warnings == two.change.warnings


@pytest.mark.parametrize("author", ["a person", "the networks"])
def test_a_match_by_hand_goes_from_the_panel_to_the_command_line(tmp_path: Path, author: str) -> None:
    films = visits(tmp_path, Fate.GROWN, AUTHORS[author])
    pair = by_panel(films).parted(["1"], "AB")
    assert {row.fate for row in pair.change.deposits if row.by == "AB"} == {Fate.NEW, Fate.RESOLVED}
    export(pair, tmp_path / "report", ("b", "f"))
    masks = [tmp_path / "report" / "masks" / f"{visit}.labels.tif" for visit in ("baseline", "followup")]
    given = [(film, mask) for (film, _), mask in zip(films, masks, strict=True)]
    again = by_command_line(given, tmp_path / "out", tmp_path / "report" / "overrides.csv")
    assert again.change == pair.change
    assert again.links == pair.links


def test_the_same_film_is_no_follow_up_through_either_door(tmp_path: Path) -> None:
    (film, mask), _ = visits(tmp_path, Fate.STABLE, AUTHORS["a person"])
    one, two = by_command_line([(film, mask)] * 2, tmp_path / "out"), by_panel([(film, mask)] * 2)
    assert one.change.verdict is two.change.verdict is Verdict.NOT_EVALUABLE
    assert "the very same picture" in in_one(one.change.reason)
    assert "the very same picture" in in_one(two.change.reason)


def test_matches_by_hand_are_found_again_by_their_place(tmp_path: Path) -> None:
    films = visits(tmp_path, Fate.STABLE, AUTHORS["a person"])
    sources = Source.of(films[0][0]), Source.of(films[1][0])
    pair = by_panel(films).parted(["1"], "AB")
    keep(pair, sources)
    numbers = np.array([0, 7, 5], np.int32)
    renumbered = tuple(Labels(numbers[one.labels.array]) for one in (pair.baseline, pair.followup))
    assert kept(sources, renumbered).links == (Link((7,), (), by="AB"), Link((), (7,), by="AB"))
    gone = Labels(np.where(renumbered[1].array == 7, 0, renumbered[1].array))
    assert kept(sources, (renumbered[0], gone)) == Kept((Link((7,), (), by="AB"),), 1)
    keep(pair.with_overrides(()), sources)
    assert kept(sources, renumbered) == Kept()


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b'{"kind": 7', b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_file_of_matches_is_laid_aside_whole(tmp_path: Path, damage: bytes) -> None:
    films = visits(tmp_path, Fate.STABLE, AUTHORS["a person"])
    sources = Source.of(films[0][0]), Source.of(films[1][0])
    labels = tuple(read_labels(mask, SHAPE) for _, mask in films)
    place = matches_file(sources[1])
    place.write_bytes(damage)
    assert kept(sources, labels) == Kept()
    readings = (reading_of(read_image(film), one, Recipe()) for (film, _), one in zip(films, labels, strict=True))
    nowhere = Alignment.refusing(SHAPE, SHAPE, "not needed here")
    change = Change.not_evaluable(Remark.other(""))
    pair = Comparison(*readings, nowhere, (), change, Recipe(), Guidance(overrides=(Link((1,), ()),)))
    keep(pair, sources)
    assert place.with_name(f"{place.name}.damaged-1").read_bytes() == damage
    assert kept(sources, labels).links == (Link((1,), ()),)
