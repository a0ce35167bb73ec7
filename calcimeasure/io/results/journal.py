"""A journal: one line for each finished piece of work, on disk before the next is taken up."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Generic, Protocol, TypeVar

from calcimeasure.errors import OutputError

#: A longer line is none of ours.
LONGEST_LINE = 64 * 2**20
#: What a line that is damaged, or was never ours, may raise when an entry is made of it.
UNBELIEVABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


class Entry(Protocol):
    """What a journal keeps: it has a key, and a line that it can be made from again."""

    def to_json(self) -> str:
        """One line of text."""


Kept = TypeVar("Kept", bound=Entry)


@dataclass(slots=True)
class RunJournal(Generic[Kept]):
    """Entries by name; of two with one name the newest counts. Use as a context manager.

    Only byte offsets are held in memory, so that it stays small however many entries there are. Every line ends in a
    check sum: one that is damaged is passed over, and those behind it count.

    Parameters
    ----------
    path : Path
        The file; made when it is not there.
    parse : function
        The entry of a line; `ValueError`, `KeyError` or `TypeError` for a torn one.
    name_of : function
        The name of an entry.
    unread : int
        Lines that could not be read when the journal was opened.
    aside : str
        Name of the file, beside the journal, in which it was laid aside as it was; empty while all could be read.
    """

    path: Path
    parse: Callable[[str], Kept]
    name_of: Callable[[Kept], str]
    offsets: dict[str, int] = field(default_factory=dict)
    unread: int = 0
    aside: str = ""
    _file: IO[bytes] | None = None

    def __enter__(self) -> RunJournal[Kept]:
        if os.path.lexists(self.path) and not self.path.is_file():
            raise OutputError(f"{self.path.name} in the results folder is no file: choose another folder")
        self.reread()
        if self.unread:
            self._mend()
            self.reread()
        self._file = self.path.open("ab")
        if not _ends_a_line(self.path):
            self._file.write(b"\n")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def reread(self) -> None:
        """Take note of what stands on disk."""
        found = list(self._entries())
        self.offsets = {name: offset for name, offset in found if name is not None}
        self.unread = max(self.unread, sum(name is None for name, _ in found))

    def get(self, name: str) -> Kept | None:
        """The newest entry of that name, `None` when there is none."""
        if name not in self.offsets:
            return None
        with self.path.open("rb") as file:
            file.seek(self.offsets[name])
            return self.parse(_text(file.readline(LONGEST_LINE)))

    def forget(self, name: str) -> None:
        """Pass over all entries of that name; their lines stay in the file."""
        self.offsets.pop(name, None)

    def add(self, entry: Kept) -> None:
        """Keep an entry: it is on disk when this returns.

        Raises
        ------
        OutputError
            When the disk is full.
        """
        assert self._file is not None, "enter the journal first"
        try:
            offset = self._file.tell()
            self._file.write(_line(entry.to_json()))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(f"cannot write the journal: {error.strerror}; free some space, then --resume") from error
        self.offsets[self.name_of(entry)] = offset

    def entries(self) -> Iterator[Kept]:
        """Every entry that can be read, in the order written; nothing is mended."""
        if self.path.is_file():
            with self.path.open("rb") as file:
                for _, line in _lines(file):
                    with suppress(*UNBELIEVABLE):
                        yield self.parse(_text(line))

    def _entries(self) -> Iterator[tuple[str | None, int]]:
        """Name and byte offset of every line; a line that cannot be read has no name."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for offset, line in _lines(file):
                yield self._name(line), offset

    def _name(self, line: bytes) -> str | None:
        with suppress(*UNBELIEVABLE):
            return self.name_of(self.parse(_text(line)))
        return None

    def _mend(self) -> None:
        """Lay the journal aside whole and go on with the lines that could be read."""
        self.aside = _copied_aside(self.path)
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        with self.path.open("rb") as file, draft.open("wb") as fresh:
            for _, line in _lines(file):
                if self._name(line) is not None:
                    fresh.write(line.removesuffix(b"\n") + b"\n")
            fresh.flush()
            os.fsync(fresh.fileno())
        draft.replace(self.path)


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of every line that is not empty; one that is too long is cut, and its rest passed over."""
    while True:
        offset = file.tell()
        line = piece = file.readline(LONGEST_LINE)
        while piece and not piece.endswith(b"\n"):
            piece = file.readline(LONGEST_LINE)
        if not line:
            return
        if line.strip():
            yield offset, line


def _line(json: str) -> bytes:
    data = json.encode()
    return b"%s\t%08x\n" % (data, zlib.crc32(data))


def _text(line: bytes) -> str:
    """The JSON of a line; `ValueError` where its check sum does not fit. Lines of old have none."""
    data, tab, told = line.rstrip(b"\r\n").partition(b"\t")
    if tab and int(told, 16) != zlib.crc32(data):
        raise ValueError("damaged")
    return data.decode()


def _ends_a_line(path: Path) -> bool:
    """Whether the file is empty or its last byte ends a line."""
    with suppress(OSError), path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
    return True


def _copied_aside(path: Path) -> str:
    """Keep the file as it is under a name that is free; that name."""
    turn, aside = 1, path.with_name(f"{path.name}.damaged")
    while os.path.lexists(aside):
        turn, aside = turn + 1, path.with_name(f"{path.name}.damaged-{turn + 1}")
    try:
        os.link(path, aside)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, aside)
    return aside.name
