"""Files that are whole or not there: atomic writing and hashing."""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import suppress
from pathlib import Path

from calcimeasure.errors import FileInTheWay, OutputError
from calcimeasure.report.plain_text import plain

#: Errors that speak of one name, not of the disk.
_OF_ONE_NAME = {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.EINVAL, errno.EILSEQ}


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file so that it is either whole or not there, whenever the process may die.

    Raises
    ------
    OutputError
        When the disk is full or the folder cannot be written.
    FileInTheWay
        When only this file cannot: its name is too long, or a folder has it.
    """
    content = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        kind = FileInTheWay if error.errno in _OF_ONE_NAME else OutputError
        raise kind(
            f"cannot write {plain(path.name)}: {error.strerror}; free some space or choose another folder"
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def real_path(path: Path) -> Path:
    """The path without links; as it is where they go in a circle or cannot be followed."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return path.absolute()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
