"""Nothing is lost: the journal of a session that was killed gives the very same mask again."""

import base64
import json
import os
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from session_scenes import film_file, random_edit, stroke

from calcimeasure import Labels, Recipe
from calcimeasure.errors import EditRefused, OutputError
from calcimeasure.reading import journal as _journal
from calcimeasure.reading.folder_custody import FolderCustody
from calcimeasure.reading.session import Session
from calcimeasure.steps.measure.area import measure
from calcimeasure.steps.outline.settings import SegmentSettings

KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from calcimeasure.reading.session import Session
from session_scenes import stroke
session = Session.open(Path({film!r}), kind="radiograph", spacing=0.2)
session.keeping.keep_journal()
for number in range(1, 1000):
    stroke(session, (3 + 4 * (number % 50), 5 + 3 * (number // 50)), 3, number)
    print(number, flush=True)
"""


def _open(path, **reading):
    return Session.open(path, kind="radiograph", **({"spacing": 0.2} | reading))


@pytest.fixture
def path(tmp_path):
    return film_file(tmp_path / "film.png")


def _edited(path, edits=30, seed=0):
    """A session after so many edits, some undone and redone, as if its process had died."""
    session, rng = _open(path), np.random.default_rng(seed)
    session.keeping.keep_journal()
    session.keeping.set_initials("AB")
    for _ in range(edits):
        random_edit(session, rng)
        for _ in range(int(rng.integers(0, 3))):
            session.undo()
        session.redo()
    return session


def _killed(session):
    """Drop the session as a kill does: nothing is written any more, and the lock is gone."""
    session.keeping._journal._timer.cancel()
    session.keeping._journal._file.close()


def test_a_killed_process_loses_at_most_the_stroke_in_progress(path):
    script = KILLED.format(here=str(Path(__file__).parent), film=str(path))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        done = next(int(line) for line in process.stdout if int(line) >= 50)
        os.kill(process.pid, signal.SIGKILL)
        done = max([done, *(int(line) for line in process.stdout if line.endswith("\n"))])
    session = _open(path)
    steps = session.keeping.restore(session.keeping.unfinished())
    assert done <= steps <= done + 1
    again = _open(path)
    for number in range(1, steps + 1):
        stroke(again, (3 + 4 * (number % 50), 5 + 3 * (number // 50)), 3, number)
    assert (session.labels == again.labels).all()
    assert session.measurement == again.measurement
    session.keeping.close()


@pytest.mark.parametrize("seed", range(5))
def test_restoring_gives_mask_numbers_state_and_undo_again(path, seed):
    before = _edited(path, seed=seed)
    later = before.finding.segmenting()
    later.take(later())
    before.finding.set_threshold(0.3)
    before.keeping.sign("AB")
    before.keeping.reopen("again", "CD")
    _killed(before)
    session = _open(path, spacing=0.2)
    session.keeping.restore(session.keeping.unfinished())
    assert (session.labels == before.labels).all()
    assert session.measurement == before.measurement
    assert session.outlines.doubts == before.outlines.doubts
    assert session.outlines.passed_over_px == before.outlines.passed_over_px
    assert [row.contrast_mean for row in session.measurement.deposits] == [
        row.contrast_mean for row in measure(session.image, Labels(session.labels)).deposits
    ]
    assert [held.finding for held in session.excluded] == [held.finding for held in before.excluded]
    assert session.image.spacing == before.image.spacing
    assert session.image.warnings == before.image.warnings
    assert session.recipe == before.recipe
    assert session.changes.log == before.changes.log
    for name in ("by_hand", "accepted"):
        assert getattr(session.state, name) == getattr(before.state, name)
    while before.history.undo_name:
        before.keeping._journal = None
        before.undo(), session.undo()
        assert (session.labels == before.labels).all()
    assert session.history.undo_name is None
    session.keeping.close()


def test_a_restored_session_goes_on_in_the_same_journal(path):
    _killed(_edited(path))
    second = _open(path)
    second.keeping.restore(second.keeping.unfinished())
    for held in second.excluded[:1]:
        second.edit.reject([max(second.rows)]) if second.rows else second.edit.bring_back(held)
    stroke(second, (10, 10), 4, 77)
    _killed(second)
    third = _open(path)
    third.keeping.restore(third.keeping.unfinished())
    assert (third.labels == second.labels).all()
    assert third.changes.log == second.changes.log
    third.keeping.close()


@pytest.mark.parametrize("torn", [1, 2, 40, 200])
def test_a_torn_last_line_costs_one_step_and_a_missing_line_end_none(path, torn):
    session = _edited(path, 10)
    before = session.labels.copy()
    stroke(session, (10, 10), 4, 77)
    _killed(session)
    journal = path.with_name("film.png.calcimeasure-journal")
    journal.write_bytes(journal.read_bytes()[:-torn])
    again = _open(path)
    again.keeping.restore(again.keeping.unfinished())
    assert (again.labels == (session.labels if torn == 1 else before)).all()
    assert again.keeping.unread == (torn > 1)
    stroke(again, (10, 10), 4, 78)
    _killed(again)
    third = _open(path)
    third.keeping.restore(third.keeping.unfinished())
    assert (third.labels == again.labels).all()
    third.keeping.close()


def _signed_lines(*entries):
    texts = [json.dumps(entry).encode() for entry in entries]
    return b"".join(b"%08x %s\n" % (zlib.crc32(text), text) for text in texts)


BOMB = base64.b64encode(zlib.compress(bytes(10**8))).decode()
DID = {"when": "", "who": None, "name": "paint", "how": "do", "numbers": [], "pixels": 0, "why": ""}


def _step(**patch):
    return {"kind": "step", "how": "do", "name": "paint", "did": DID, "patch": patch}


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "step"},
        {"kind": "exec", "did": DID},
        {"kind": "snapshot", "patch": 3, "state": {}, "log": []},
        _step(runs=10**12, start="", length="", old="", new=""),
        _step(runs=-1, start="", length="", old="", new=""),
        _step(runs=100, start=BOMB, length=BOMB, old=BOMB, new=BOMB),
        _step(runs=1, start="AA==", length="AA==", old="AA==", new="AA=="),
        {**_step(runs=0, start="", length="", old="", new=""), "state": {"region": BOMB}},
        {"kind": "step", "how": "do", "name": "x", "did": DID, "state": {"excluded": [{"bbox": [0, 0, 10**9, 10**9]}]}},
        {"kind": "step", "how": "do", "name": "x", "did": DID, "state": {"excluded": [5]}},
        {"kind": "step", "how": "do", "name": "x", "did": DID, "state": {"recipe": {"no": 1}}},
        {"kind": "step", "how": "do", "name": "x", "did": DID, "state": {"scale": {"spacing": {"row_mm": -1}}}},
        {"kind": "note", "did": DID, "signature": 7},
        {"kind": "step", "did": [[[[]]]]},
    ],
)
def test_a_hostile_line_ends_the_reading_and_does_no_harm(path, entry):
    before = _edited(path, 10)
    _killed(before)
    journal = path.with_name("film.png.calcimeasure-journal")
    journal.write_bytes(journal.read_bytes() + _signed_lines(entry))
    session = _open(path)
    waiting = session.keeping.unfinished()
    if waiting is not None:
        session.keeping.restore(waiting)
        assert (session.labels == before.labels).all()
        assert session.measurement == before.measurement
        session.keeping.close()


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"\x00" * 1000, b"not ours", b"00000000 {}\n", _signed_lines([], {}), _signed_lines({"a": 1})],
)
def test_a_file_that_is_no_journal_is_none_and_is_not_written_over(path, content):
    place = path.with_name("film.png.calcimeasure-journal")
    place.write_bytes(content)
    session = _open(path)
    assert session.keeping.unfinished() is None
    session.keeping.keep_journal()
    session.keeping.close()
    kept = [file.read_bytes() for file in path.parent.glob("*.calcimeasure-journal.*")]
    assert kept == ([content] if content else [])


def test_a_journal_of_another_film_is_not_offered(path, tmp_path):
    _killed(_edited(path))
    film_file(path, seed=3)
    assert _open(path).keeping.unfinished() is None


def test_another_recipe_is_told_and_the_mask_is_the_same(path):
    before = _edited(path)
    _killed(before)
    other = Session.open(path, Recipe(SegmentSettings(method="classical")), kind="radiograph", spacing=0.2)
    waiting = other.keeping.unfinished()
    assert waiting.other_recipe
    other.keeping.restore(waiting)
    assert (other.labels == before.labels).all()
    assert other.recipe == before.recipe
    other.keeping.close()


def test_unsaved_work_that_nobody_restored_is_laid_aside(path):
    before = _edited(path)
    _killed(before)
    after = _open(path)
    after.keeping.keep_journal()
    stroke(after, (10, 10), 3, 1)
    after.keeping.close()
    aside = path.with_name("film.png.calcimeasure-journal.1")
    assert aside.exists()
    aside.rename(path.with_name("film.png.calcimeasure-journal"))
    again = _open(path)
    again.keeping.restore(again.keeping.unfinished())
    assert (again.labels == before.labels).all()
    again.keeping.close()


def test_closing_keeps_unsaved_work_and_discarding_does_not(path, tmp_path):
    session = _edited(path)
    session.keeping.close()
    waiting = _open(path).keeping.unfinished()
    assert waiting.steps > 0
    waiting.discard()
    assert _open(path).keeping.unfinished() is None
    session = _edited(path)
    session.keeping.close(discard=True)
    assert _open(path).keeping.unfinished() is None
    session = _edited(path)
    session.keeping.save(FolderCustody(tmp_path / "out"))
    session.keeping.close()
    assert list(path.parent.glob("*journal*")) == []


def test_what_was_saved_before_the_kill_is_not_offered(path, tmp_path):
    session = _edited(path)
    session.keeping.save(FolderCustody(tmp_path / "out"))
    _killed(session)
    assert _open(path).keeping.unfinished() is None


def test_a_film_is_edited_in_one_window_at_a_time(path):
    session = _edited(path)
    other = _open(path)
    assert other.keeping.unfinished() is None
    with pytest.raises(OutputError, match="another window"):
        other.keeping.keep_journal()
    session.keeping.close()
    other.keeping.restore(other.keeping.unfinished())
    other.keeping.close()


def test_restoring_into_work_is_refused(path):
    _killed(_edited(path))
    session = _open(path)
    waiting = session.keeping.unfinished()
    stroke(session, (10, 10), 3, 1)
    with pytest.raises(EditRefused, match="edited already"):
        session.keeping.restore(waiting)


def test_a_large_journal_is_written_anew(path, monkeypatch):
    monkeypatch.setattr(_journal, "COMPACT_BYTES", 20_000)
    session = _open(path)
    session.keeping.keep_journal()
    session.keeping._journal._limit = 20_000
    rng = np.random.default_rng(0)
    for _ in range(120):
        random_edit(session, rng)
    place = path.with_name("film.png.calcimeasure-journal")
    assert b'"kind":"snapshot"' in place.read_bytes().splitlines()[1]
    _killed(session)
    again = _open(path)
    again.keeping.restore(again.keeping.unfinished())
    assert (again.labels == session.labels).all()
    assert again.changes.log == session.changes.log
    assert again.measurement == session.measurement
    again.keeping.close()


def test_the_journal_names_no_place_and_no_person(path):
    session = _edited(path, 5)
    session.keeping.close()
    text = path.with_name("film.png.calcimeasure-journal").read_text()
    assert str(path.parent) not in text
    assert path.stem not in text


def test_lines_are_on_the_disk_within_two_seconds(path, monkeypatch):
    import threading

    synced = threading.Event()
    monkeypatch.setattr(_journal.os, "fsync", lambda handle: synced.set())
    session = _open(path)
    session.keeping.keep_journal()
    stroke(session, (10, 10), 3, 1)
    assert synced.wait(2.0)
    session.keeping.close()


def test_a_folder_that_cannot_be_written_sends_the_journal_home(path, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(_journal.sys, "platform", "linux")
    monkeypatch.setattr(_journal.os, "access", lambda place, mode: False)
    before = _edited(path)
    assert before.keeping._journal.path.is_relative_to(tmp_path / "state")
    _killed(before)
    again = _open(path)
    again.keeping.restore(again.keeping.unfinished())
    assert (again.labels == before.labels).all()
    again.keeping.close()


def test_a_full_disk_is_told_and_the_work_goes_on(path):
    session = _edited(path, 3)

    class Full:
        def write(self, data):
            raise OSError(28, "No space left on device")

    real, session.keeping._journal._file = session.keeping._journal._file, Full()
    event = session.edit.edited(np.s_[0:4, 0:4], np.full((4, 4), 99))
    assert "No space left" in event.trouble
    assert 99 in session.rows
    session.keeping._journal._file = real
    session.keeping.close()
