"""A journal: one line for each finished piece of work, on disk before the next is taken up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Generic, Protocol, TypeVar

from calcimeasure.errors import OutputError


class Entry(Protocol):
    """What a journal keeps: it has a key, and a line that it can be made from again."""

    def to_json(self) -> str:
        """One line of text."""


Kept = TypeVar("Kept", bound=Entry)


@dataclass(slots=True)
class Journal(Generic[Kept]):
    """Entries by name; of two with one name the newest counts. Use as a context manager.

    Only byte offsets are held in memory, so that it stays small however many entries there are.

    Parameters
    ----------
    path : Path
        The file; made when it is not there.
    parse : function
        The entry of a line; `ValueError`, `KeyError` or `TypeError` for a torn one.
    name_of : function
        The name of an entry.
    """

    path: Path
    parse: Callable[[str], Kept]
    name_of: Callable[[Kept], str]
    offsets: dict[str, int] = field(default_factory=dict)
    _file: IO[bytes] | None = None

    def __enter__(self) -> Journal[Kept]:
        self.reread()
        self._file = self.path.open("ab")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def reread(self) -> None:
        """Take note of what stands on disk; a torn last line is cut off, so that the next append starts clean."""
        self.offsets = dict(self._whole_lines())

    def get(self, name: str) -> Kept | None:
        """The newest entry of that name, `None` when there is none."""
        if name not in self.offsets:
            return None
        with self.path.open("rb") as file:
            file.seek(self.offsets[name])
            return self.parse(file.readline().decode())

    def add(self, entry: Kept) -> None:
        """Keep an entry: it is on disk when this returns.

        Raises
        ------
        OutputError
            When the disk is full.
        """
        assert self._file is not None, "enter the journal first"
        offset = self._file.tell()
        try:
            self._file.write(entry.to_json().encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(f"cannot write the journal: {error.strerror}; free some space, then --resume") from error
        self.offsets[self.name_of(entry)] = offset

    def _whole_lines(self) -> Iterator[tuple[str, int]]:
        """Name and byte offset of every whole line."""
        if not self.path.exists():
            return
        with self.path.open("r+b") as file:
            while True:
                offset = file.tell()
                line = file.readline()
                if not line:
                    return
                try:
                    name = self.name_of(self.parse(line.decode()))
                except (ValueError, KeyError, TypeError):
                    file.truncate(offset)
                    return
                yield name, offset
