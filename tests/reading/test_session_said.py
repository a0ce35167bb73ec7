"""What is said of a film: negatives by a person, regions, numbers and ticks, and what the sliders give back."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from session_scenes import film, film_file, stroke

from calcimeasure.errors import EditRefused
from calcimeasure.io.results.masks import read_labels
from calcimeasure.model.authorship import Author
from calcimeasure.model.deposit import Excluded, Reason, Segmentation
from calcimeasure.model.labels import Labels
from calcimeasure.reading.folder_custody import FolderCustody
from calcimeasure.reading.saving import mask_file
from calcimeasure.reading.session import Session
from calcimeasure.reading.worklist import Worklist


def _open(path):
    return Session.open(path, kind="radiograph", spacing=0.2)


@pytest.fixture
def path(tmp_path):
    return film_file(tmp_path / "films" / "film.png")


def _strokes(session, *numbers):
    for number in numbers:
        stroke(session, (10 + 18 * (number % 10), 20 + 25 * (number // 10)), 5, number)


def _rows(folder):
    with (folder / "images.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_an_empty_mask_says_nothing_until_a_person_says_it(path):
    films = Worklist.of(path.parent)
    session = _open(path)
    assert not session.is_measured
    session.keeping.set_initials("AB")
    session.calibration.set_spacing(0.25)
    with pytest.raises(EditRefused, match="No calcium"):
        session.keeping.sign("AB")
    session.keeping.save(FolderCustody(films.saved))
    (row,) = _rows(films.saved)
    assert (row["status"], row["deposits"], row["area_mm2"]) == ("open", "", "")
    assert row["spacing_row_mm"] == "0.25"
    assert films.renewed().counts == {"open": 1, "corrected": 0, "signed": 0}
    assert not (films.saved / "masks" / "film.labels.tif").exists()
    again = _open(path)
    assert again.keeping.resume(FolderCustody(films.saved))
    assert again.image.spacing.row_mm == 0.25
    again.edit.deny("CD")
    assert again.is_measured
    assert again.keeping.status == "corrected"
    again.keeping.save(FolderCustody(films.saved))
    (row,) = _rows(films.saved)
    assert (row["status"], row["deposits"], row["area_px"]) == ("measured", "0", "0")
    assert films.renewed().counts["corrected"] == 1
    third = _open(path)
    third.keeping.resume(FolderCustody(films.saved))
    assert third.negative.initials == "CD"
    third.keeping.sign("CD")
    third.keeping.save(FolderCustody(films.saved))
    assert films.renewed().counts["signed"] == 1


def test_a_search_that_found_nothing_is_still_the_networks_word_when_it_is_reopened(path, tmp_path):
    session = _open(path)
    session.finding.found(Segmentation(Labels.empty(session.labels.shape)))
    by_networks = replace(session.state.authorship, film=Author.NETWORKS, passed_over_px=25.0)
    session.changes.do("segment", state=replace(session.state, authorship=by_networks))
    session.keeping.set_initials("AB")
    session.keeping.save(FolderCustody(tmp_path / "saved"))
    again = _open(path)
    assert again.keeping.resume(FolderCustody(tmp_path / "saved"))
    assert again.is_measured
    assert again.measurement == session.measurement
    assert again.state.authorship == session.state.authorship


def test_denying_refuses_what_is_outlined_and_painting_takes_it_back(path):
    session = _open(path)
    _strokes(session, 1, 2)
    session.edit.deny("AB")
    assert session.negative.initials == "AB"
    assert [held.number for held in session.excluded] == [1, 2]
    session.undo()
    assert session.negative is None
    assert sorted(session.rows) == [1, 2]
    session.redo()
    _strokes(session, 3)
    assert session.negative is None
    session.edit.delete([3])
    assert session.keeping.status == "open"


def test_a_saved_mask_that_was_emptied_is_open_and_gone(path, tmp_path):
    session = _open(path)
    _strokes(session, 1)
    session.keeping.set_initials("AB")
    session.keeping.save(FolderCustody(tmp_path / "saved"))
    mask = mask_file(tmp_path / "saved", session.source.name)
    session.edit.delete([1])
    session.keeping.save(FolderCustody(tmp_path / "saved"))
    assert not mask.exists()
    assert _rows(tmp_path / "saved")[0]["status"] == "open"
    session.undo()
    session.keeping.save(FolderCustody(tmp_path / "saved"))
    assert (read_labels(mask, session.labels.shape).array == session.labels).all()


def _half(session):
    region = np.zeros(session.labels.shape, bool)
    region[: session.labels.shape[0] // 2] = True
    return region


@pytest.mark.parametrize("killed", [False, True])
def test_the_whole_film_has_again_what_the_region_cut(path, killed):
    session = _open(path)
    session.keeping.keep_journal()
    rows = session.labels.shape[0]
    stroke(session, (20, 30), 6, 1)  # inside
    stroke(session, (rows // 2, 80), 9, 2)  # across
    stroke(session, (rows - 20, 120), 6, 3)  # outside
    session.edit.accept([2, 3])
    before, measured = session.labels.copy(), session.measurement
    session.finding.set_region(_half(session))
    assert sorted(session.rows) == [1, 2]
    stroke(session, (40, 100), 4, session.next_label)
    assert 3 not in session.rows  # the number waits for its deposit
    fresh = max(session.rows)
    if killed:
        session.keeping.close()
        session = _open(path)
        session.keeping.restore(session.keeping.unfinished())
    session.finding.set_region(~_half(session))
    session.finding.set_region(None)
    assert session.region is None
    session.edit.delete([fresh])
    assert (session.labels == before).all()
    assert session.measurement == measured
    assert {2, 3} <= session.accepted
    assert not any(held.finding.reason is Reason.OUTSIDE_REGION for held in session.excluded)
    session.keeping.close()


def test_denying_in_a_region_says_nothing_of_what_it_cut_off(path):
    session = _open(path)
    stroke(session, (session.labels.shape[0] - 20, 80), 6, 2)
    session.finding.set_region(_half(session))
    session.edit.deny("AB")
    assert session.negative is not None
    session.finding.set_region(None)
    assert list(session.rows) == [2]
    assert session.negative is None


def test_what_was_refused_inside_a_region_does_not_come_back_outside(path):
    session = _open(path)
    stroke(session, (session.labels.shape[0] // 2, 80), 9, 2)
    session.finding.set_region(_half(session))
    session.edit.reject([2])
    session.finding.set_region(None)
    assert not session.labels.any()


def test_a_finding_brought_back_keeps_number_and_tick(path):
    session = _open(path)
    _strokes(session, 1, 2, 3)
    session.edit.accept([3])
    before = session.labels.copy()
    session.edit.reject([3])
    stroke(session, (100, 120), 4, session.next_label)
    session.edit.delete([max(session.rows)])
    session.edit.bring_back(session.excluded[0])
    assert (session.labels == before).all()
    assert session.accepted == {3}


class _Found:
    """Findings of three scores, as a search gives them."""

    probability = None

    def __init__(self, shape):
        self.labels = np.zeros(shape, np.int32)
        for number, column in enumerate((20, 60, 100), 1):
            self.labels[50:60, column : column + 10] = number
        self.scores = {1: 0.3, 2: 0.6, 3: 0.9}

    def under(self, settings):
        return self

    def pixels_of(self, finding):
        return None

    def segmentation(self, settings, region=None):
        kept = [n for n, score in self.scores.items() if score >= settings.threshold]
        array = np.zeros_like(self.labels)
        for to, number in enumerate(kept, 1):
            array[(self.labels == number) & (True if region is None else region)] = to
        return Segmentation(Labels(array), ())


def test_one_drag_is_one_step_and_moving_back_gives_the_same_numbers_back():
    session = Session(film())
    session.finding._findings = _Found(session.labels.shape)
    session.finding.set_threshold(0.1)
    session.edit.accept([2])
    before, rows = session.labels.copy(), dict(session.rows)
    for at, threshold in enumerate((0.4, 0.7, 0.95, 0.7, 0.5, 0.1)):
        session.finding.set_threshold(threshold, joins=at > 0)
        assert 2 in session.rows
    assert (session.labels == before).all()
    assert dict(session.rows) == rows
    assert session.history.names == ("threshold", "accept", "threshold")
    session.finding.set_threshold(0.8)
    session.finding.set_threshold(0.95, joins=True)
    session.undo()
    assert (session.labels == before).all()
    assert session.recipe.segment.threshold == 0.1
    session.redo()
    assert sorted(session.rows) == [2]
    session.finding.set_threshold(0.1, joins=True)  # something else came between: a step of its own
    assert session.history.names[-2:] == ("threshold", "threshold")


def test_a_drag_that_was_killed_is_one_step_again(path):
    session = _open(path)
    session.keeping.keep_journal()
    session.finding._findings = _Found(session.labels.shape)
    for at, threshold in enumerate((0.1, 0.4, 0.7, 0.2)):
        session.finding.set_threshold(threshold, joins=at > 0)
    session.keeping.close()
    again = _open(path)
    waiting = again.keeping.unfinished()
    assert again.keeping.restore(waiting) == waiting.steps == 1
    assert (again.labels == session.labels).all()
    again.undo()
    assert not again.labels.any()
    again.keeping.close()


def test_the_whole_film_has_what_a_search_left_out_because_of_the_region():
    session = Session(film())
    findings = _Found(session.labels.shape)
    region = np.zeros(session.labels.shape, bool)
    region[:, :50] = True
    session.finding.set_region(region)
    session.finding._findings = findings
    outside = Excluded(Reason.OUTSIDE_REGION, 50, 60, (50, 60, 60, 70), 100)
    found = findings.segmentation(session.recipe.segment, region)
    session.finding.found(Segmentation(found.labels, (outside,)))
    session.finding.set_region(None)
    assert session.measurement.count == 2  # of scores from 0.5
    session.undo()
    assert session.region is not None
