"""A person's work is kept: over signatures, kills, failing disks and damaged journals; and nobody says it for them."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from session_scenes import film_file, stroke

from calcimeasure.errors import EditRefused, MaskError, OutputError
from calcimeasure.reading import journal, lines, replay
from calcimeasure.reading.folder_custody import FolderCustody
from calcimeasure.reading.saving import mask_file
from calcimeasure.reading.session import Session

JOURNAL = "film.png.calcimeasure-journal"

STORY = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from calcimeasure.reading.folder_custody import FolderCustody
from calcimeasure.reading.session import Session
from session_scenes import stroke
session = Session.open(Path({film!r}), kind="radiograph", spacing=0.2)
session.keeping.keep_journal()
stroke(session, (60, 48), 7, 1)
session.keeping.sign("AB")
session.keeping.save(FolderCustody(Path({saved!r})))
session.keeping.reopen("second look", "CD")
stroke(session, (120, 48), 5, 2)
if {late}:
    session.keeping.sign("CD")
    session.keeping.saving(FolderCustody(Path({saved!r})))()  # killed between the saving and the note of it
os.kill(os.getpid(), signal.SIGKILL)
"""


def _open(path):
    return Session.open(path, kind="radiograph", spacing=0.2)


@pytest.fixture
def path(tmp_path):
    return film_file(tmp_path / "films" / "film.png")


def _strokes(session, *numbers):
    for number in numbers:
        stroke(session, (10 + 18 * (number % 10), 20 + 25 * (number // 10)), 5, number)


def _after_a_crash(path, tmp_path):
    """What would be restored if the process died now: from a copy of film and journal."""
    place = tmp_path / "copy"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for file in path.parent.glob("film.png*"):
        if file.is_file():
            shutil.copy(file, place)
    session = _open(place / path.name)
    waiting = session.keeping.unfinished()
    if waiting is not None:
        session.keeping.restore(waiting)
        session.keeping.close()
    return session.labels


@pytest.mark.parametrize("late", [False, True])
def test_restored_work_over_a_signed_mask_is_saved_and_signed_again(path, tmp_path, late):
    saved = tmp_path / "saved"
    script = STORY.format(here=str(Path(__file__).parent), film=str(path), saved=str(saved), late=late)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    session = _open(path)
    assert session.keeping.resume(FolderCustody(saved))
    assert session.is_signed  # what is saved is shown, and locked, while the offer waits
    waiting = session.keeping.offered_work()
    with pytest.raises(EditRefused, match="waits"):
        session.keeping.reopen("third look", "EF")
    with pytest.raises(EditRefused, match="waits"):
        stroke(session, (20, 20), 3, 9)
    assert session.keeping.restore(waiting) == waiting.steps == (3 if late else 2)
    assert sorted(session.rows) == [1, 2]
    if session.is_signed:
        session.keeping.reopen("third look", "EF")
    stroke(session, (160, 48), 4, 3)
    session.keeping.set_initials("EF")
    session.keeping.save(FolderCustody(saved))
    session.keeping.sign("EF")
    session.keeping.save(FolderCustody(saved))
    session.keeping.close()
    again = _open(path)
    assert again.keeping.resume(FolderCustody(saved))
    assert again.signature.initials == "EF"
    assert sorted(again.rows) == [1, 2, 3]
    assert again.keeping.offered_work() is None


def test_restored_work_does_not_replace_what_another_reader_signed_meanwhile(path, tmp_path):
    mine = _open(path)
    mine.keeping.keep_journal()
    _strokes(mine, 1)
    mine.keeping.close()
    other = _open(path)
    _strokes(other, 2)
    other.keeping.sign("CD")
    other.keeping.save(FolderCustody(tmp_path / "saved"))
    mask = mask_file(tmp_path / "saved", other.source.name)
    before = mask.read_bytes()
    back = _open(path)
    back.keeping.restore(back.keeping.unfinished())
    back.keeping.set_initials("AB")
    with pytest.raises(OutputError, match="another folder"):
        back.keeping.save(FolderCustody(tmp_path / "saved"), overwrite=True)
    assert mask.read_bytes() == before
    back.keeping.save(FolderCustody(tmp_path / "elsewhere"))
    back.keeping.close()


def test_a_signature_set_beside_an_open_session_is_not_replaced(path, tmp_path):
    first = _open(path)
    _strokes(first, 1)
    first.keeping.set_initials("AB")
    first.keeping.save(FolderCustody(tmp_path / "saved"))
    second = _open(path)
    second.keeping.resume(FolderCustody(tmp_path / "saved"))
    second.keeping.sign("CD")
    second.keeping.save(FolderCustody(tmp_path / "saved"))  # the same pixels, now signed
    _strokes(first, 2)
    with pytest.raises(OutputError, match="signed by CD"):
        first.keeping.save(FolderCustody(tmp_path / "saved"), overwrite=True)


def test_the_offer_counts_what_comes_back(path, tmp_path):
    session = _open(path)
    session.keeping.keep_journal()
    _strokes(session, 1, 2)
    session.keeping.set_initials("AB")
    session.keeping.save(FolderCustody(tmp_path / "saved"))
    _strokes(session, 3)
    session.undo()
    session.keeping.close()
    again = _open(path)
    waiting = again.keeping.unfinished()
    assert again.keeping.restore(waiting) == waiting.steps == 2
    again.keeping.close()


class _Disk:
    """A disk that fails: what a journal writes and syncs goes through it."""

    def __init__(self, monkeypatch, code, at):
        self.code, self.at, self.is_bad = code, at, False
        real = journal.append

        def append(file, data):
            if self.is_bad and self.at == "write":
                real(file, data[: len(data) // 2])  # some of it arrives
                raise OSError(self.code, os.strerror(self.code))
            real(file, data)

        monkeypatch.setattr(journal, "append", append)
        self._patch(monkeypatch, journal.os, "fsync", "fsync")
        self._patch(monkeypatch, Path, "replace", "replace")

    def _patch(self, monkeypatch, owner, name, at):
        real = getattr(owner, name)

        def act(*args):
            if self.is_bad and self.at == at:
                raise OSError(self.code, os.strerror(self.code))
            return real(*args)

        monkeypatch.setattr(owner, name, act)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.ESTALE])
def test_after_a_failed_write_nothing_counts_as_safe_until_all_is_written_anew(path, tmp_path, monkeypatch, code):
    disk, session, told = _Disk(monkeypatch, code, "write"), _open(path), []
    session.keeping.keep_journal()
    session.on_change(lambda event: told.append(event.trouble))
    for number in range(1, 10):
        disk.is_bad = 3 <= number <= 5
        _strokes(session, number)
        assert bool(session.keeping.trouble) == disk.is_bad
        if not session.keeping.trouble:
            assert (_after_a_crash(path, tmp_path) == session.labels).all()
    assert [bool(trouble) for trouble in told] == [3 <= number <= 5 for number in range(1, 10)]
    session.keeping.close()


@pytest.mark.parametrize("at", ["write", "fsync", "replace"])
def test_what_could_not_be_written_is_written_without_another_stroke(path, tmp_path, monkeypatch, at):
    disk, session = _Disk(monkeypatch, errno.EIO, at), _open(path)
    session.keeping.keep_journal()
    _strokes(session, 1, 2)
    disk.is_bad = True
    _strokes(session, 3)
    session.keeping._journal._sync()
    if at == "replace":
        session.keeping._journal.trouble = "a write failed before"
    assert session.keeping.keep_up()
    disk.is_bad = False
    assert session.keeping.keep_up() == session.keeping.trouble == ""
    assert (_after_a_crash(path, tmp_path) == session.labels).all()
    session.keeping.close()


@pytest.mark.parametrize("act", ["folder away", "deleted", "truncated", "replaced", "appended to"])
def test_a_journal_that_is_moved_or_changed_is_written_anew(path, tmp_path, act):
    session, place = _open(path), path.with_name(JOURNAL)
    session.keeping.keep_journal()
    _strokes(session, 1, 2)
    if act == "folder away":
        path.parent.rename(tmp_path / "away")
        _strokes(session, 3)
        assert "saved as you go" in session.keeping.trouble
        (tmp_path / "away").rename(path.parent)
    elif act == "deleted":
        place.unlink()
    elif act == "replaced":
        place.unlink()
        place.write_bytes(b"something else")
    else:
        with place.open("r+b") as file:
            file.truncate(100) if act == "truncated" else file.seek(0, 2) or file.write(b"x")
    _strokes(session, 4)
    assert session.keeping.trouble == ""
    assert (_after_a_crash(path, tmp_path) == session.labels).all()
    assert act != "replaced" or session.keeping._journal.aside.read_bytes() == b"something else"
    session.keeping.close()


def test_a_compaction_that_fails_loses_nothing(path, tmp_path, monkeypatch):
    disk, session = _Disk(monkeypatch, errno.ENOSPC, "replace"), _open(path)
    session.keeping.keep_journal()
    session.keeping._journal._limit, disk.is_bad = 10, True
    for number in range(1, 8):
        _strokes(session, number)
        assert session.keeping.trouble == ""
        assert (_after_a_crash(path, tmp_path) == session.labels).all()
    session.keeping.close()


LIMITED = """
import os, resource, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from calcimeasure.reading.session import Session
from session_scenes import stroke
session = Session.open(Path({film!r}), kind="radiograph", spacing=0.2)
session.keeping.keep_journal()
stroke(session, (60, 48), 7, 1)
size = os.stat({journal!r}).st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
for number in (2, 3):
    stroke(session, (20 * number, 100), 5, number)
    assert session.keeping.trouble
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
stroke(session, (100, 100), 5, 4)
assert not session.keeping.trouble
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process")
def test_a_disk_that_was_full_for_a_moment_leaves_no_hole(path):
    script = LIMITED.format(here=str(Path(__file__).parent), film=str(path), journal=str(path.with_name(JOURNAL)))
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    session = _open(path)
    session.keeping.restore(session.keeping.unfinished())
    assert sorted(session.rows) == [1, 2, 3, 4]
    assert session.keeping.unread == 0
    session.keeping.close()


@pytest.mark.parametrize("fails", ["write", "fsync", "replace"])
def test_a_torn_journal_restored_on_a_full_disk_is_offered_until_a_new_one_is_there(path, monkeypatch, fails):
    _, place, content = _journalled(path)
    place.write_bytes(content[:-20])  # killed within a line
    disk, session = _Disk(monkeypatch, errno.ENOSPC, fails), _open(path)
    disk.is_bad = True
    session.keeping.restore(session.keeping.offered_work())
    assert sorted(session.rows) == [1, 2, 3, 4, 5]
    assert session.keeping.keep_up() == session.keeping.trouble != ""
    session.keeping.close()
    assert place.read_bytes() == content[:-20]
    assert list(place.parent.glob("*journal.*")) == []
    disk.is_bad, again = False, _open(path)
    again.keeping.restore(again.keeping.offered_work())
    assert sorted(again.rows) == [1, 2, 3, 4, 5]
    assert again.keeping.trouble == ""
    assert again.keeping.aside.read_bytes() == content[:-20]
    again.keeping.close()
    third = _open(path)
    third.keeping.restore(third.keeping.offered_work())
    assert (sorted(third.rows), third.keeping.unread) == ([1, 2, 3, 4, 5], 0)
    third.keeping.close()


def _journalled(path, strokes=6):
    """A session killed after so many strokes apart from each other, and the bytes of its journal."""
    session = _open(path)
    session.keeping.keep_journal()
    _strokes(session, *range(1, strokes + 1))
    place = path.with_name(JOURNAL)
    content = place.read_bytes()
    session.keeping.close()
    return session, place, content


@pytest.mark.parametrize("line", range(8))
@pytest.mark.parametrize("at", [0, 8, 12, 200, -1])
def test_one_damaged_byte_costs_no_more_than_its_line(path, line, at):
    session, place, content = _journalled(path)
    whole = content.splitlines(keepends=True)
    assert len(whole) == 8  # the film twice, six strokes
    begin = sum(map(len, whole[:line]))
    damaged = bytearray(content)
    damaged[begin + at % len(whole[line])] ^= 0x11
    place.write_bytes(damaged)
    again = _open(path)
    waiting = again.keeping.unfinished()
    assert again.keeping.restore(waiting) == waiting.steps
    lost = set() if line < 2 or at == -1 else {line - 1}
    assert set(again.rows) == set(session.rows) - lost
    assert again.keeping.unread == waiting.unread
    if again.keeping.unread:
        assert again.keeping.aside.read_bytes() == damaged
    assert again.keeping.unread > 0 or at == -1
    again.keeping.close()
    third = _open(path)
    third.keeping.restore(third.keeping.unfinished())
    assert (third.labels == again.labels).all()
    third.keeping.close()


def test_strokes_over_a_lost_one_leave_what_they_left(path):
    session = _open(path)
    session.keeping.keep_journal()
    stroke(session, (60, 48), 9, 1)
    stroke(session, (60, 52), 9, 2)
    stroke(session, (60, 50), 4, 0)
    session.edit.reject([2])
    session.edit.bring_back(session.excluded[0])
    session.keeping.close()
    place = path.with_name(JOURNAL)
    whole = place.read_bytes().splitlines(keepends=True)
    place.write_bytes(b"".join(whole[:2] + whole[3:]))  # a line that is gone is no damage, but the next do not fit
    again = _open(path)
    again.keeping.restore(again.keeping.unfinished())
    assert again.keeping.unread > 0
    assert again.history.undo_name is None
    assert (again.labels[session.labels == 2] == 2).all()
    assert not (again.labels[50:70, 47:53] == 1).any()
    again.keeping.close()


@pytest.mark.parametrize(
    "content",
    [
        b"\x00" * 10_000,
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"00000000 {" * 50_000,
        b"9" * 100_000,
        b"\xff\xfe\x00" * 1000,
    ],
)
def test_rubbish_between_the_lines_is_skipped(path, content):
    session, place, whole = _journalled(path, 3)
    cut = whole.index(b'"step"')
    cut = whole.rindex(b"\n", 0, cut) + 1
    place.write_bytes(whole[:cut] + content + b"\n" + whole[cut:])
    again = _open(path)
    again.keeping.restore(again.keeping.unfinished())
    assert (again.labels == session.labels).all()
    assert again.keeping.unread == again.keeping.unread > 0
    again.keeping.close()


def test_a_journal_is_read_up_to_its_bound_and_no_further(path, monkeypatch):
    session, place, whole = _journalled(path, 3)
    monkeypatch.setattr(lines, "LARGEST", len(whole))
    with place.open("ab") as file:
        file.truncate(10**9)  # a hole: a gigabyte that takes no room
    again = _open(path)
    again.keeping.restore(again.keeping.unfinished())
    assert (again.labels == session.labels).all()
    assert again.keeping.unread == 1
    again.keeping.close()
    again.keeping.aside.unlink()


def test_a_line_of_countless_values_is_not_taken_apart(path):
    session, place, whole = _journalled(path, 3)
    text = b'{"kind":"step","did":[' + b"[]," * (1 << 21) + b"[]]}"
    place.write_bytes(whole + b"%08x %s\n" % (lines.zlib.crc32(text), text))
    assert list(lines.entries(place))[-1] is None
    again = _open(path)
    again.keeping.restore(again.keeping.unfinished())
    assert (again.labels == session.labels).all()
    again.keeping.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no links and pipes of this kind")
@pytest.mark.parametrize("make", ["link", "dangling", "pipe", "folder"])
def test_what_lies_in_the_journals_place_is_left_alone(path, tmp_path, make):
    place, other = path.with_name(JOURNAL), tmp_path / "other"
    other.write_bytes(b"mine")
    if make == "pipe":
        os.mkfifo(place)
    elif make == "folder":
        place.mkdir()
    else:
        place.symlink_to(other if make == "link" else tmp_path / "nowhere")
    session = _open(path)
    assert session.keeping.unfinished() is None
    session.keeping.keep_journal()
    _strokes(session, 1)
    assert session.keeping.trouble == ""
    session.keeping.close()
    assert other.read_bytes() == b"mine"
    assert not (tmp_path / "nowhere").exists()
    assert _open(path).keeping.unfinished().steps == 1


def test_short_lines_cannot_ask_for_endless_work(path, monkeypatch):
    session, _, _ = _journalled(path, 4)
    monkeypatch.setattr(replay, "_MOST_WORK", 8 * np.count_nonzero((session.labels > 0) & (session.labels < 4)) + 4000)
    again = _open(path)
    again.keeping.restore(again.keeping.unfinished())
    assert 0 < len(again.rows) < 5
    assert again.keeping.unread + len(again.rows) == 4
    again.keeping.close()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"kind": "calcimeasure correction"}'])
def test_a_mask_whose_record_cannot_be_read_is_told_and_not_replaced(path, tmp_path, damage):
    session = _open(path)
    _strokes(session, 1)
    session.keeping.sign("AB")
    session.keeping.save(FolderCustody(tmp_path / "saved"))
    mask = mask_file(tmp_path / "saved", session.source.name)
    before = mask.read_bytes()
    (mask.parent / "film.provenance.json").write_bytes(damage)
    again = _open(path)
    with pytest.raises(MaskError, match="no record"):
        again.keeping.resume(FolderCustody(tmp_path / "saved"))
    _strokes(again, 2)
    again.keeping.set_initials("CD")
    with pytest.raises(OutputError, match="may be signed"):
        again.keeping.save(FolderCustody(tmp_path / "saved"), overwrite=True)
    assert mask.read_bytes() == before


@pytest.mark.parametrize("signature", ["x", ["AB"], {"a": 1}, 7, [[], {}]])
def test_a_signature_that_cannot_be_read_is_one_all_the_same(path, tmp_path, signature):
    session = _open(path)
    _strokes(session, 1)
    session.keeping.sign("AB")
    session.keeping.save(FolderCustody(tmp_path / "saved"))
    mask = mask_file(tmp_path / "saved", session.source.name)
    record = mask.parent / "film.provenance.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"signature": signature}))
    again = _open(path)
    again.keeping.resume(FolderCustody(tmp_path / "saved"))
    assert again.is_signed
    other = _open(path)
    _strokes(other, 2)
    other.keeping.set_initials("CD")
    with pytest.raises(OutputError, match="signed"):
        other.keeping.save(FolderCustody(tmp_path / "saved"), overwrite=True)
