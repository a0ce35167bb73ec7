"""The bytes of a file, read once: what is hashed, told apart and decoded is the same."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from calcimeasure.errors import DamagedFile, ReadError, TooLarge
from calcimeasure.report.plain_text import plain

#: Larger files are refused before a byte is read: the largest film under the cap is smaller.
MOST_BYTES = 1024**3


@dataclass(frozen=True, slots=True)
class FileBytes:
    """A file as it was at one moment.

    Parameters
    ----------
    name : str
        Its name without the folder, as messages show it.
    data : bytes
        All of it.
    """

    name: str
    data: bytes = field(repr=False)

    @classmethod
    def of(cls, path: Path) -> FileBytes:
        """The bytes of a regular file.

        Raises
        ------
        ReadError
            For a missing file, a folder, a device, an empty, forbidden or huge file.
        """
        if check_file(path) > MOST_BYTES:
            raise TooLarge(f"{_shown(path)}: is larger than {MOST_BYTES >> 20} MB; export the one film from it")
        try:
            with path.open("rb") as stream:
                data = stream.read(MOST_BYTES)
        except OSError as error:
            raise _unopened(path, error) from error
        return cls(_shown(path), data)

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes, in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def size(self) -> int:
        """How many bytes."""
        return len(self.data)

    def open(self) -> BinaryIO:
        """The bytes as a stream, at its start."""
        return io.BytesIO(self.data)


def check_file(path: Path) -> int:
    """Size of a regular, readable, non-empty file, in bytes.

    Raises
    ------
    ReadError
        For a missing file, a folder, a device, an empty or forbidden file.
    """
    try:
        if not path.exists():
            raise ReadError(f"{_shown(path)}: no such file")
        if not path.is_file():
            raise ReadError(f"{_shown(path)}: is not a file; name a file")
        size = path.stat().st_size
    except OSError as error:
        raise _unopened(path, error) from error
    if size == 0:
        raise DamagedFile(f"{_shown(path)}: the file is empty")
    return size


def read_start(path: Path, count: int) -> bytes:
    """The first bytes of a file.

    Raises
    ------
    ReadError
        When the file cannot be opened.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(count)
    except OSError as error:
        raise _unopened(path, error) from error


def _unopened(path: Path, error: OSError) -> ReadError:
    return ReadError(f"{_shown(path)}: cannot be opened ({type(error).__name__})")


def _shown(path: Path) -> str:
    return plain(path.name)
