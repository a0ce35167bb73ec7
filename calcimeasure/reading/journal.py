r"""Autosave: every finished step is a line on disk before the next one begins.

Where it lies: beside the film, as ``FILM.calcimeasure-journal``; where that folder cannot be written, in the user's
own state folder under the hash of the film. It is a text file, one line per step, ``CRC32 JSON\n``; its first line
names the film's SHA-256, its size, the recipe and the version. It holds no name, no path and no pixel of the film. A
line that is torn or does not fit ends the reading; what came before it counts.

A line has reached the operating system when `step` returns, so that nothing is lost when the program is killed; at the
latest after a second it is on the disk itself, for the day the machine fails.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from calcimeasure import __version__
from calcimeasure.errors import OutputError
from calcimeasure.model.image import Image
from calcimeasure.reading.codec import Codec, did_to_json, patch_to_json
from calcimeasure.reading.history import Step
from calcimeasure.reading.patch import Array, changed
from calcimeasure.reading.record import Did, Signature, Source
from calcimeasure.reading.state import State
from calcimeasure.recipe import Recipe

try:
    import fcntl
except ImportError:  # Windows has no advisory locks: two windows on one film are then not told apart
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".calcimeasure-journal"
KIND, FORMAT = "calcimeasure journal", 1
#: Seconds after which a line must be on the disk itself.
SYNC_AFTER = 1.0
#: A journal that grows past this is written anew as one line with the mask as it is.
COMPACT_BYTES = 64 * 2**20
#: Lines and journals longer than this are not ours.
_LONGEST_LINE, _LARGEST_FILE = 256 * 2**20, 2**30

#: What reading a strange line may raise.
UNBELIEVABLE = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Pending:
    """A journal of work that was never saved.

    Parameters
    ----------
    path : Path
        The journal.
    steps : int
        How many lines it has; restoring may end earlier, at one that does not fit.
    when : str
        When the last of them was written (ISO 8601, UTC).
    other_recipe : bool
        Whether it was made with another recipe or other weights than the film is opened with now; the mask is
        restored to the pixel all the same, with its own settings.
    recipe : mapping
        The settings it was made with.
    """

    path: Path
    steps: int
    when: str
    other_recipe: bool
    recipe: Mapping[str, Any]

    def lines(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Every whole line after the first, and the byte where it ends."""
        lines = _lines(self.path)
        next(lines, None)
        yield from lines

    def discard(self) -> None:
        """Throw the unsaved work away."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Begin:
    """What a journal's first lines say: the film, and where its session stood."""

    source: Source
    image: Image
    recipe: Recipe

    @property
    def header(self) -> dict[str, Any]:
        """The first line."""
        return {
            "kind": KIND,
            "format": FORMAT,
            "version": __version__,
            "sha256": self.source.sha256,
            "shape": list(self.image.shape),
            "recipe_hash": self.recipe.hash,
            "recipe": self.recipe.as_dict(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """A session as it is: what a journal line needs to start from nothing."""

    labels: Array
    blank: State
    state: State
    did: Sequence[Did]
    signature: Signature | None


@dataclass(slots=True)
class Journal:
    """An open journal; one window writes it at a time. `begun` makes one."""

    path: Path
    begin: Begin
    codec: Codec
    _file: IO[bytes]
    _size: int = 0
    _limit: int = COMPACT_BYTES
    _timer: threading.Timer | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def step(self, step: Step, how: str, did: Did) -> str:
        """Write a step; gives what went wrong in a sentence, or nothing."""
        return self._write(step_line(self.codec, step, how, did))

    def note(self, did: Did, signature: Signature | None) -> str:
        """Write down something that is no step: saving, signing, reopening."""
        return self._write({"kind": "note", "did": did_to_json(did), "signature": _signed(signature)})

    def standing(self, here: Standing) -> str:
        """Write down where a session stands that has work of its own already."""
        return self._write(snapshot_line(self.codec, here))

    @property
    def is_large(self) -> bool:
        """Whether it should be written anew."""
        return self._size > self._limit

    def compact(self, here: Standing) -> str:
        """Write it anew: the mask as it is, in one line; undo of earlier steps is not kept on disk."""
        self.codec = Codec(self.codec.image)
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        try:
            file = _created(draft)
            self._size = sum(file.write(_line(entry)) for entry in (self.begin.header, snapshot_line(self.codec, here)))
            file.flush()
            os.fsync(file.fileno())
            draft.replace(self.path)
        except OSError as error:
            return _trouble(error)
        finally:
            draft.unlink(missing_ok=True)
        with self._lock:
            self._file.close()
            self._file = file
        self._limit = max(COMPACT_BYTES, 2 * self._size)
        return ""

    def close(self, *, remove: bool) -> None:
        """End it; `remove` when nothing in it is unsaved."""
        if self._timer:
            self._timer.cancel()
        self._sync()
        self._file.close()
        if remove:
            self.path.unlink(missing_ok=True)

    def _write(self, entry: Mapping[str, Any]) -> str:
        try:
            self._size += self._file.write(_line(entry))
            self._file.flush()
        except OSError as error:
            return _trouble(error)
        self._sync_soon()
        return ""

    def _sync_soon(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(SYNC_AFTER, self._sync)
            self._timer.daemon = True
            self._timer.start()

    def _sync(self) -> None:
        self._timer = None  # first, so that a line written from here on asks for a sync of its own
        # A full or vanished disk is told by the next write.
        with self._lock, suppress(OSError, ValueError):
            self._file.flush()
            os.fsync(self._file.fileno())


def journal_file(source: Source) -> Path:
    """Where the journal of a film lies: beside it where that can be written, else in the user's state folder."""
    if source.path is not None and os.access(source.path.parent, os.W_OK):
        return _beside(source.path)
    return _at_home(source.sha256)


def begun(begin: Begin, here: Standing | None) -> Journal:
    """A new journal of a film; one with unsaved work that lies there already is laid aside under another name.

    Raises
    ------
    OutputError
        When the film is being edited in another window, or nothing can be written.
    """
    path = journal_file(begin.source)
    _lay_aside(path, begin)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        journal = Journal(path, begin, Codec(begin.image), _created(path))
        trouble = journal._write(begin.header)
    except OSError as error:
        raise OutputError(_trouble(error)) from error
    trouble = trouble or (journal.standing(here) if here else "")
    if trouble:
        raise OutputError(trouble)
    return journal


def resumed(begin: Begin, waiting: Pending, codec: Codec, end: int) -> Journal:
    """A restored journal, written on from the byte where its last believed line ends.

    Raises
    ------
    OutputError
        When the film is being edited in another window, or nothing can be written.
    """
    try:
        file = waiting.path.open("r+b")
        _claim(file)
        file.truncate(end)
        file.seek(end)
    except OSError as error:
        raise OutputError(_trouble(error)) from error
    return Journal(waiting.path, begin, codec, file, end)


def pending(begin: Begin) -> Pending | None:
    """Unsaved work on this very film, wherever its journal lies; `None` when there is none.

    A journal that another window is writing, that belongs to another film, or whose last line says that all was
    saved, is none.
    """
    if not begin.source.sha256:
        return None
    places = [_at_home(begin.source.sha256)]
    if begin.source.path is not None:
        places.insert(0, _beside(begin.source.path))
    return next((found for place in places if (found := _pending_in(place, begin))), None)


def step_line(codec: Codec, step: Step, how: str, did: Did) -> dict[str, Any]:
    """A step as a line."""
    told = {"kind": "step", "how": how, "name": step.name, "did": did_to_json(did)}
    if step.patch.pixels:
        told["patch"] = patch_to_json(step.patch)
    if state := codec.state_to_json(step.before, step.after):
        told["state"] = state
    return told


def snapshot_line(codec: Codec, here: Standing) -> dict[str, Any]:
    """A session from nothing to where it stands, as one line."""
    everywhere = (slice(0, here.labels.shape[0]), slice(0, here.labels.shape[1]))
    patch = changed(np.zeros_like(here.labels), [(everywhere, here.labels)])
    return {
        "kind": "snapshot",
        "patch": patch_to_json(patch),
        "state": codec.state_to_json(here.blank, here.state),
        "log": [did_to_json(did) for did in here.did],
        "signature": _signed(here.signature),
    }


def _signed(signature: Signature | None) -> list[str] | None:
    return [signature.initials, signature.when] if signature else None


def _pending_in(path: Path, begin: Begin) -> Pending | None:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_FILE or _is_claimed(path):
            return None
        lines = [line for line, _ in _summaries(path)]
    except OSError:
        return None
    if len(lines) < 2 or not _is_of(lines[0], begin) or lines[-1].get("name") == "save":
        return None
    other = lines[0].get("recipe_hash") != begin.recipe.hash
    return Pending(path, len(lines) - 1, lines[-1].get("when", ""), other, lines[0].get("recipe") or {})


def _is_of(header: Mapping[str, Any], begin: Begin) -> bool:
    facts = begin.header
    return all(header.get(name) == facts[name] for name in ("kind", "format", "sha256", "shape"))


def _summaries(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """The first line, and of every other its name and time."""
    for number, (line, end) in enumerate(_lines(path)):
        yield (line if number == 0 else _summary(line)), end


def _summary(line: Mapping[str, Any]) -> dict[str, Any]:
    log = line.get("log")
    did = log[-1] if isinstance(log, list) and log else line.get("did")
    return {name: str(did.get(name, "")) for name in ("name", "when")} if isinstance(did, dict) else {}


def _lines(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Every whole line and the byte where it ends; reading stops at the first that is torn or altered."""
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_LINE):
            content = _content(line)
            if content is None:
                return
            yield content, file.tell()


def _content(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n") or line[:9] != b"%08x " % zlib.crc32(line[9:-1]):
        return None
    try:
        content = json.loads(line[9:])
    except UNBELIEVABLE:
        return None
    return content if isinstance(content, dict) else None


def _line(entry: Mapping[str, Any]) -> bytes:
    text = json.dumps(entry, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _lay_aside(path: Path, begin: Begin) -> None:
    """A journal in the way keeps its unsaved work under the next free number."""
    if not path.exists():
        return
    if _is_claimed(path):
        raise OutputError("this film is being edited in another window: close it there, or edit it there")
    if not _holds_work(path):
        return
    number = next(n for n in range(1, 10_000) if not path.with_name(f"{path.name}.{n}").exists())
    path.rename(path.with_name(f"{path.name}.{number}"))


def _holds_work(path: Path) -> bool:
    """Whether anything may be lost by writing over it; what cannot be read is not ours to lose."""
    lines = [line for line, _ in _summaries(path)]
    if not lines or lines[0].get("kind") != KIND:
        return path.stat().st_size > 0
    return len(lines) > 1 and lines[-1].get("name") != "save"


def _created(path: Path) -> IO[bytes]:
    file = path.open("wb")
    _claim(file)
    return file


def _claim(file: IO[bytes]) -> None:
    """An advisory lock that the system gives back when the process dies, however it dies."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_claimed(path: Path) -> bool:
    if fcntl is None:
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
    return f"the work cannot be saved as you go ({error.strerror}): free some space, then save"
