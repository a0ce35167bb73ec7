"""What runs wrote into a results folder, by hash: all that a run may ever replace or delete.

A mask that a person corrected, a picture that somebody drew on, a table with a column of remarks: none of them has the
bytes that a run wrote there, and none is lost. Every file is noted before it is written, so that a run may die at any
moment and the next one still knows what is whose.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath

from calcimeasure.errors import FileInTheWay, OutputError
from calcimeasure.io.files import real_path, sha256_of, write_whole
from calcimeasure.io.given.inputs import RESULTS_MARK
from calcimeasure.report.plain_text import plain

NOTES = "written.jsonl"
#: Folders for files of single films and pairs of films; what a person puts there is the person's.
ROOMS = ("masks", "overlays", "pairs")
#: What file managers leave lying about, and what was laid aside before.
_NOBODYS = re.compile(r"\..*|thumbs\.db|desktop\.ini|.*\.damaged(-\d+)?", re.IGNORECASE | re.DOTALL)
_DRAFT = re.compile(r"\..+\.\d+\.part", re.DOTALL)
_LONGEST_NOTE = 2**16


class Owner(Enum):
    """Whose a file of the results folder is."""

    NOBODY = "not there"
    RUN = "a run wrote it, and it is as it was"
    OTHER = "a person or another program made or changed it"


@dataclass(slots=True)
class Written:
    """The notes of a results folder: names relative to it, with the hash of everything a run wrote under each.

    Parameters
    ----------
    folder : Path
        The results folder; its mark is there already.
    aside : list of tuple of str
        Files that were renamed to make room, each with its new name.
    """

    folder: Path
    aside: list[tuple[str, str]] = field(default_factory=list)
    _hashes: dict[str, list[str]] = field(default_factory=dict)
    _supposed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, sha256 in _notes_in(self._file):
            self._hashes.setdefault(name, []).append(sha256)

    def knows(self, name: str) -> bool:
        """Whether a run ever wrote a file of that name here."""
        return name in self._hashes

    def owner(self, name: str) -> Owner:
        """Whose the file of that name is; a folder or a device there is somebody else's."""
        path = self.folder / name
        if not os.path.lexists(path):
            return Owner.NOBODY
        return Owner.RUN if _hash_of(path) in self._hashes.get(name, ()) else Owner.OTHER

    def hash_of(self, name: str) -> str:
        """Hash of what a run wrote last under that name; empty for nothing."""
        return self._hashes.get(name, [""])[-1]

    def stands(self, name: str) -> bool:
        """Whether the file is there as a run last wrote it."""
        return _hash_of(self.folder / name) == self.hash_of(name)

    def write(self, files: Mapping[str, bytes | str]) -> None:
        """Write files, each whole or not at all.

        A table or page that was changed by hand is laid aside under another name first.

        Raises
        ------
        FileInTheWay
            When a mask or picture of that name is not a run's; nothing is written then.
        OutputError
            When the disk is full or the folder cannot be written.
        """
        data = {name: _bytes(content) for name, content in files.items()}
        for name in data:
            self._make_room(name)
        self.note({name: hashlib.sha256(content).hexdigest() for name, content in data.items()})
        for name, content in data.items():
            write_whole(self.folder / name, content)

    def place(self, draft: Path, path: Path) -> None:
        """Put a draft that is whole where it belongs, as `write` would."""
        name = path.relative_to(self.folder).as_posix()
        self._make_room(name)
        self.note({name: sha256_of(draft)})
        draft.replace(path)

    def suppose(self, hashes: Mapping[str, str]) -> None:
        """Take files for a run's; on disk with the next that is written, so that a refused run leaves no trace."""
        self._supposed |= hashes
        for name, sha256 in hashes.items():
            self._hashes.setdefault(name, []).append(sha256)

    def note(self, hashes: Mapping[str, str]) -> None:
        """Remember files as a run's, on disk before this returns."""
        fresh = {**self._supposed, **{name: sha for name, sha in hashes.items() if self.hash_of(name) != sha}}
        if not fresh:
            return
        lines = "".join(json.dumps([name, sha256]) + "\n" for name, sha256 in fresh.items())
        try:
            with self._file.open("ab") as file:
                file.write(lines.encode() if _ends_a_line(self._file) else b"\n" + lines.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"cannot write the notes of this run: {error.strerror}; free some space") from error
        self._supposed = {}
        for name, sha256 in fresh.items():
            self._hashes.setdefault(name, []).append(sha256)

    def remove(self, names: Iterable[str]) -> None:
        """Delete those files that are a run's, and leave all others."""
        for name in names:
            if self.owner(name) is Owner.RUN:
                (self.folder / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete everything that a run wrote, folders that are empty then, and the notes themselves."""
        for name in list(self._hashes):
            if self.owner(name) is Owner.OTHER and "/" not in name:
                self._lay_aside(name)
            self.remove([name])
        for room in ROOMS:
            _remove_empty(self.folder / room)
        self._file.unlink(missing_ok=True)
        self._hashes.clear()
        self._supposed.clear()

    def others(self) -> list[str]:
        """Files in the folders of masks and pictures that no run wrote, in the order of their names."""
        return [name for name in _files_in_rooms(self.folder) if self.owner(name) is Owner.OTHER]

    def lay_aside(self, name: str) -> None:
        """Rename a damaged file, so that it is kept whole and out of the way."""
        self._rename(name, f"{name}.damaged", "-{}")

    def sweep(self) -> None:
        """Delete the drafts of runs that were killed while they wrote; no other run may be writing here."""
        mark = self.folder / RESULTS_MARK
        for folder in (self.folder, mark, *(place for room in ROOMS for place in _folders(self.folder / room))):
            for path in _listed(folder):
                if _DRAFT.fullmatch(path.name) and path.is_file():
                    path.unlink(missing_ok=True)

    @property
    def _file(self) -> Path:
        return self.folder / RESULTS_MARK / NOTES

    def _make_room(self, name: str) -> None:
        if self.owner(name) is not Owner.OTHER:
            return
        if "/" in name:
            raise FileInTheWay(
                f"{plain(name)} was made or changed by a person or another program and is never replaced: "
                "put the results into another folder"
            )
        self._lay_aside(name)

    def _lay_aside(self, name: str) -> None:
        stem, dot, suffix = name.rpartition(".")
        self._rename(name, f"{stem or suffix}.kept{dot}{suffix if stem else ''}", "-{}")

    def _rename(self, name: str, wanted: str, numbered: str) -> None:
        new, turn = wanted, 2
        while os.path.lexists(self.folder / new):
            new, turn = wanted + numbered.format(turn), turn + 1
        try:
            (self.folder / name).rename(self.folder / new)
        except OSError as error:
            raise OutputError(f"cannot lay {plain(name)} aside: {error.strerror}; choose another folder") from error
        self.aside.append((name, new))


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a file or folder is a results folder or lies in it, by whatever links and names it is reached."""
    homes = {found for place in (folder, *(folder / room for room in ROOMS)) if (found := _identity(place))}
    real = real_path(path)
    return any(_identity(place) in homes for place in (real, *real.parents))


def _identity(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


def _notes_in(file: Path) -> Iterator[tuple[str, str]]:
    """Name and hash of every line that can be read; a damaged one means that its file is not known to be ours."""
    try:
        with file.open("rb") as stream:
            while line := stream.readline(_LONGEST_NOTE):
                with suppress(ValueError, RecursionError):
                    match json.loads(line):
                        case [str(name), str(sha256)] if _stays_inside(name):
                            yield name, sha256
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"cannot read the notes of this results folder: {error.strerror}") from error


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _ends_a_line(file: Path) -> bool:
    with suppress(OSError), file.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
    return True


def _hash_of(path: Path) -> str | None:
    """Hash of a regular file; `None` for anything else, and for one that cannot be read."""
    with suppress(OSError):
        return sha256_of(path) if path.is_file() else None
    return None


def _bytes(content: bytes | str) -> bytes:
    return content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content


def _files_in_rooms(folder: Path) -> Iterator[str]:
    for room in ROOMS:
        for place in _folders(folder / room):
            for path in _listed(place):
                if not (path.is_dir() and not path.is_symlink()) and not _NOBODYS.fullmatch(path.name):
                    yield path.relative_to(folder).as_posix()


def _folders(room: Path) -> Iterator[Path]:
    """A folder and all folders below it; links are not followed, but for the first."""
    for place, _, _ in os.walk(room):
        yield Path(place)


def _listed(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(folder.iterdir())
    return []


def _remove_empty(room: Path) -> None:
    """Remove a folder and those below it as far as they are empty."""
    for place, _, _ in os.walk(room, topdown=False):
        with suppress(OSError):
            Path(place).rmdir()
