r"""Autosave: every finished step is a line on disk before the next one begins.

Where it lies: beside the film, as ``FILM.calcimeasure-journal``; where that folder cannot be written, in the user's
own state folder under the hash of the film. It is a text file, one line per step, ``CRC32 JSON\n``; its first line
names the film's SHA-256, its size, the recipe and the version. It holds no name, no path and no pixel of the film.
What all else rests on, the first line and the mask that a session began with, is there twice. A line that is torn or
altered is skipped and counted; the file is then laid aside whole, and a new one begun with what could be read.

A line has reached the operating system when `step` returns, so that nothing is lost when the program is killed; at the
latest after a second it is on the disk itself, for the day the machine fails. When a line could not be written, or the
file is not where and what it was, nothing counts as safe until the whole state is written anew beside it: the next
step does that, or `Journal.mend`.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from calcimeasure import __version__
from calcimeasure.errors import OutputError
from calcimeasure.reading.codec import Codec, patch_to_json, record_to_json, signature_to_json
from calcimeasure.reading.custody import Begin, Standing, Unfinished
from calcimeasure.reading.history import Step
from calcimeasure.reading.lines import LARGEST, append, entries, line_of, opened_to_append
from calcimeasure.reading.patch import changed
from calcimeasure.reading.record import SAVE, Base, Signature, Source, StepRecord

try:
    import fcntl
except ImportError:  # Windows has no advisory locks: two windows on one film are then not told apart
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".calcimeasure-journal"
KIND, FORMAT, READS = "calcimeasure journal", 2, (1, 2)
#: Seconds after which a line must be on the disk itself.
SYNC_AFTER = 1.0
#: A journal that grows past this is written anew with the mask as it is.
COMPACT_BYTES = 16 * 2**20
_IN_USE = "this film is being edited in another window: close it there, or edit it there"


@dataclass(frozen=True, slots=True)
class Pending:
    """A journal of work that was never saved.

    Parameters
    ----------
    path : Path
        The journal.
    steps : int
        How many lines of what was done come back that were not saved.
    when : str
        When the last of them was written (ISO 8601, UTC).
    unread : int
        How many lines cannot be read.
    other_recipe : bool
        Whether it was made with another recipe or other weights than the film is opened with now; the mask is
        restored to the pixel all the same, with its own settings.
    recipe : mapping
        The settings it was made with.
    """

    path: Path
    steps: int
    when: str
    unread: int
    other_recipe: bool
    recipe: Mapping[str, Any]

    def lines(self) -> Iterator[dict[str, Any] | None]:
        """Every line but the first ones, which name the film; `None` for one that cannot be read."""
        return (line for line in entries(self.path) if line is None or line.get("kind") != KIND)

    def discard(self) -> None:
        """Throw the unsaved work away."""
        self.path.unlink(missing_ok=True)


@dataclass(slots=True)
class FileJournal:
    """An open journal; one window writes it at a time. `begun` and `resumed` make one.

    Parameters
    ----------
    path : Path
    begin : Begin
    codec : Codec
    here : callable
        Gives where the session stands: what is written when all must be written anew.
    trouble : str
        Why what was done last is not safe; empty when it is.
    aside : Path or None
        Where a journal was laid that was in the way.
    """

    path: Path
    begin: Begin
    codec: Codec
    here: Callable[[], Standing]
    trouble: str = ""
    aside: Path | None = None
    _file: IO[bytes] | None = None
    _size: int = 0
    _limit: int = COMPACT_BYTES
    _timer: threading.Timer | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def step(self, step: Step, how: str, record: StepRecord) -> str:
        """Write a step; gives what went wrong in a sentence, or nothing."""
        return self._write(step_line(self.codec, step, how, record))

    def note(self, record: StepRecord, signature: Signature | None, base: Base | None) -> str:
        """Write down something that is no step: saving, signing, reopening."""
        return self._write(_note_line(record, signature, base))

    def replaces(self, waiting: Unfinished) -> bool:
        """Whether it lies where that work lay, which is laid aside by that."""
        return isinstance(waiting, Pending) and waiting.path == self.path

    def mend(self) -> str:
        """Write all anew where something could not be written; gives why that does not work either, or nothing."""
        if not self.trouble and not self._is_in_place:
            self.trouble = _trouble(OSError(errno.ENOENT, "the file was moved or changed"))
        return self._renew() if self.trouble else ""

    def close(self, *, remove: bool) -> str:
        """End it, `remove` when nothing in it is unsaved; gives what could not be kept or removed, or nothing."""
        trouble = "" if remove else self.mend()
        if self._timer:
            self._timer.cancel()
        self._sync()
        trouble = trouble or ("" if remove else self.trouble)
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        return trouble or (_removed(self.path) if remove else "")

    # --- writing ----------------------------------------------------------------------------------------

    def _write(self, entry: Mapping[str, Any]) -> str:
        if self.trouble:
            return self._renew()
        line = line_of(entry)
        try:
            with self._lock:
                append(self._open_file, line)
        except OSError as error:
            self.trouble = _trouble(error)
            return self.trouble
        self._size += len(line)
        self._sync_soon()
        return self.mend() or self._compacted()

    def _compacted(self) -> str:
        """A journal that has grown is written anew; when that fails, the one that is there still holds all."""
        if self._size <= self._limit:
            return ""
        trouble = self._renew()
        if trouble and self._size <= LARGEST and self._is_in_place:
            self._limit, self.trouble = 2 * self._size, ""
        return self.trouble

    def _renew(self) -> str:
        """All of it anew, in a draft that takes the journal's place once it is on the disk; gives what went wrong."""
        lines, codec = _start_lines(self.begin, self.here())
        try:
            self._replace(lines)
        except OSError as error:
            self.trouble = _trouble(error)
            return self.trouble
        self.codec, self.trouble = codec, ""
        self._limit = min(max(self._limit, 2 * self._size), LARGEST)
        return ""

    def _make_way(self) -> Path | None:
        """A journal of others that came to lie here meanwhile keeps its work, once ours is written and no sooner."""
        return None if self._file is not None and self._is_here else _lay_aside(self.path)

    def _check_free(self) -> None:
        """Before a draft takes the place of another window's."""
        if not self._is_here and _is_claimed(self.path):
            raise OSError(errno.EBUSY, _IN_USE)

    def _replace(self, lines: Sequence[bytes]) -> None:
        draft = self.path.with_name(f"{self.path.name}.part")
        self._check_free()
        try:
            self._put_in_place(draft, _written(draft, lines))
            self._size = sum(map(len, lines))
            _sync_folder(self.path.parent)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def _put_in_place(self, draft: Path, file: IO[bytes]) -> None:
        if self._file is not None and os.name == "nt":  # Windows renames nothing onto an open file
            _closed(self._file)
        other = None
        try:
            other = self._make_way()
            draft.replace(self.path)
        except OSError:
            _closed(file)
            _put_back(self.path, other)
            raise
        self.aside = other or self.aside
        with self._lock:
            before, self._file = self._file, file
        if before is not None:
            _closed(before)

    @property
    def _open_file(self) -> IO[bytes]:
        if self._file is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._file

    @property
    def _is_here(self) -> bool:
        """Whether the file that is written is the one that lies in its place."""
        try:
            return os.path.samestat(self.path.stat(follow_symlinks=False), os.fstat(self._open_file.fileno()))
        except (OSError, ValueError):
            return False

    @property
    def _is_in_place(self) -> bool:
        """Whether it also holds what was written, no more and no less."""
        return self._is_here and os.fstat(self._open_file.fileno()).st_size == self._size

    def _sync_soon(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(SYNC_AFTER, self._sync)
            self._timer.daemon = True
            self._timer.start()

    def _sync(self) -> None:
        self._timer = None  # first, so that a line written from here on asks for a sync of its own
        try:
            with self._lock:
                os.fsync(self._open_file.fileno())
        except ValueError:  # closed meanwhile
            return
        except OSError as error:
            self.trouble = self.trouble or _trouble(error)


def journal_file(source: Source) -> Path:
    """Where the journal of a film lies: beside it where that can be written, else in the user's state folder."""
    if source.path is not None and os.access(source.path.parent, os.W_OK):
        return _beside(source.path)
    return _at_home(source.sha256)


def begun(begin: Begin, here: Callable[[], Standing]) -> FileJournal:
    """A new journal of a film; one that lies there already is laid aside under another name, `Journal.aside`.

    Raises
    ------
    OutputError
        When the film is being edited in another window, or nothing can be written.
    """
    path = journal_file(begin.source)
    journal = FileJournal(path, begin, Codec(begin.image), here)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(_trouble(error)) from error
    if journal._renew():
        raise OutputError(journal.trouble)
    return journal


def resumed(begin: Begin, waiting: Pending, codec: Codec, here: Callable[[], Standing]) -> FileJournal:
    """A restored journal, written on at its end.

    Raises
    ------
    OutputError
        When the film is being edited in another window, or nothing can be written.
    """
    try:
        file = opened_to_append(waiting.path)
        _claim(file)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        if file.read(1) != b"\n":
            append(file, b"\n")
            size += 1
    except OSError as error:
        raise OutputError(_trouble(error)) from error
    return FileJournal(waiting.path, begin, codec, here, "", None, file, size, max(COMPACT_BYTES, 2 * size))


def laid_aside(waiting: Pending) -> Path | None:
    """Put a journal aside whole, under the next free number; gives where it is then.

    Raises
    ------
    OutputError
        When that cannot be done.
    """
    try:
        other = _lay_aside(waiting.path)
        if other is not None:
            waiting.path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(_trouble(error)) from error
    return other


def pending(begin: Begin) -> Pending | None:
    """The newest unsaved work on this very film, wherever its journal lies; `None` when there is none.

    A journal that another window is writing, that belongs to another film, or whose last line says that all was
    saved, is none.
    """
    if not begin.source.sha256:
        return None
    places = [_at_home(begin.source.sha256)]
    if begin.source.path is not None:
        places.insert(0, _beside(begin.source.path))
    return max((found for place in places if (found := _pending_in(place, begin))), key=_when, default=None)


def step_line(codec: Codec, step: Step, how: str, record: StepRecord) -> dict[str, Any]:
    """A step as a line."""
    data = {"kind": "step", "how": how, "name": step.name, "did": record_to_json(record)}
    if step.patch.pixels:
        data["patch"] = patch_to_json(step.patch)
    if state := codec.state_to_json(step.before, step.after):
        data["state"] = state
    return data


def snapshot_line(codec: Codec, here: Standing) -> dict[str, Any]:
    """A session from nothing to where it stands, as one line."""
    everywhere = (slice(0, here.labels.shape[0]), slice(0, here.labels.shape[1]))
    patch = changed(np.zeros_like(here.labels), [(everywhere, here.labels)])
    return {
        "kind": "snapshot",
        "patch": patch_to_json(patch),
        "state": codec.state_to_json(here.blank, here.state),
        "log": [record_to_json(record) for record in here.log],
        "signature": signature_to_json(here.signature),
        "base": base_to_json(here.base),
    }


def base_to_json(base: Base | None) -> list[Any] | None:
    """The saved mask that a session goes on from."""
    return [base.mask_sha256, signature_to_json(base.signature)] if base else None


def _note_line(record: StepRecord, signature: Signature | None, base: Base | None) -> dict[str, Any]:
    signed = signature_to_json(signature)
    return {"kind": "note", "did": record_to_json(record), "signature": signed, "base": base_to_json(base)}


def _header(begin: Begin) -> dict[str, Any]:
    """The first line: the film, and how its session was opened."""
    return {
        "kind": KIND,
        "format": FORMAT,
        "version": __version__,
        "sha256": begin.source.sha256,
        "shape": list(begin.image.shape),
        "recipe_hash": begin.recipe.hash,
        "recipe": begin.recipe.as_dict(),
    }


def _start_lines(begin: Begin, here: Standing) -> tuple[list[bytes], Codec]:
    """The film and where its session stands, each twice: one damaged byte must not cost all that rests on them."""
    codec = Codec(begin.image)
    data = [_header(begin), *([snapshot_line(codec, here)] if here.log else [])]
    return [line_of(entry) for entry in data] * 2, codec


@dataclass(slots=True)
class _Summary:
    """What a journal says of itself: its film, how much of it is not saved, and how much cannot be read."""

    header: dict[str, Any] | None = None
    steps: int = 0
    unread: int = 0
    unread_since: int = 0
    when: str = ""
    last_log: Any = None

    @classmethod
    def by(cls, path: Path) -> _Summary:
        data = cls()
        for line in entries(path):
            data._hear(line)
        return data

    @property
    def holds_work(self) -> bool:
        """Whether anything in it may be lost with it; what cannot be read is not ours to lose."""
        return self.header is None or self.steps > 0 or self.unread_since > 0

    def _hear(self, line: dict[str, Any] | None) -> None:
        if line is None:
            self.unread += 1
            self.unread_since += 1
        elif line.get("kind") == KIND:
            self.header = self.header or line
        else:
            self._count(line)

    def _count(self, line: Mapping[str, Any]) -> None:
        log = line.get("log")
        if isinstance(log, list):  # a snapshot begins anew
            self.steps = 0
        for record in log if isinstance(log, list) else [line.get("did")]:
            if isinstance(record, dict):
                saved = record.get("name") == SAVE
                self.steps = 0 if saved else self.steps + (line.get("how") != "join")
                self.unread_since = 0 if saved else self.unread_since
                self.when = str(record.get("when", ""))


def _pending_in(path: Path, begin: Begin) -> Pending | None:
    try:
        if not path.is_file() or _is_claimed(path):
            return None
        data = _Summary.by(path)
    except OSError:
        return None
    if data.header is None or not data.steps or not _is_of(data.header, begin):
        return None
    other = data.header.get("recipe_hash") != begin.recipe.hash
    return Pending(path, data.steps, data.when, data.unread, other, data.header.get("recipe") or {})


def _when(waiting: Pending) -> str:
    return waiting.when


def _is_of(header: Mapping[str, Any], begin: Begin) -> bool:
    facts = _header(begin)
    return header.get("format") in READS and all(header.get(name) == facts[name] for name in ("sha256", "shape"))


def _lay_aside(path: Path) -> Path | None:
    """A journal in the way keeps its unsaved work under the next free number; `None` when it holds none.

    Where the file system lets it, it has its old name, too, until that is taken: it is never under neither.
    """
    if not os.path.lexists(path):
        return None
    if _is_claimed(path):
        raise OSError(errno.EBUSY, _IN_USE)
    if not _holds_work(path):
        return None
    number = next(n for n in range(1, 10_000) if not os.path.lexists(path.with_name(f"{path.name}.{n}")))
    other = path.with_name(f"{path.name}.{number}")
    try:
        os.link(path, other, follow_symlinks=False)
    except (OSError, NotImplementedError):
        path.rename(other)
    return other


def _put_back(path: Path, other: Path | None) -> None:
    """A journal that was laid aside for one that could not take its place is offered again."""
    if other is None:
        return
    with suppress(OSError):
        if os.path.lexists(path):  # under both names: renaming one to the other would leave both
            other.unlink()
        else:
            other.rename(path)


def _holds_work(path: Path) -> bool:
    if not path.is_file() or path.is_symlink():
        return True
    return path.stat().st_size > 0 and _Summary.by(path).holds_work


def _written(path: Path, lines: Sequence[bytes]) -> IO[bytes]:
    """A new file with these lines, on the disk itself, and ours."""
    if sum(map(len, lines)) > LARGEST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    path.unlink(missing_ok=True)
    file = opened_to_append(path, os.O_CREAT | os.O_EXCL)
    try:
        _claim(file)
        for line in lines:
            append(file, line)
        os.fsync(file.fileno())
    except OSError:
        _closed(file)
        raise
    return file


def _closed(file: IO[bytes]) -> None:
    with suppress(OSError):  # it is not written any more
        file.close()


def _removed(path: Path) -> str:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        return f"{path.name} cannot be removed ({error.strerror}): what is in it will be offered again"
    return ""


def _sync_folder(folder: Path) -> None:
    """The new name itself on the disk, where the system can do that."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _claim(file: IO[bytes]) -> None:
    """An advisory lock that the system gives back when the process dies, however it dies."""
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OSError(errno.EBUSY, _IN_USE) from error
        except OSError:  # a file system without locks
            return


def _is_claimed(path: Path) -> bool:
    if fcntl is None or not path.is_file():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _beside(film: Path) -> Path:
    return film.with_name(film.name + SUFFIX)


def _at_home(sha256: str) -> Path:
    home = Path.home()
    places = {
        "win32": Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")),
        "darwin": home / "Library" / "Application Support",
    }
    state = places.get(sys.platform, Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state"))
    return state / "calcimeasure" / f"{sha256[:32]}{SUFFIX}"


def _trouble(error: OSError) -> str:
    if error.errno == errno.EBUSY:
        return _IN_USE
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    then = "free some space, then save" if full else "save, to another folder if need be"
    return f"the work cannot be saved as you go ({error.strerror}): {then}"
