"""Files that are whole or not there: atomic writing and hashing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from calcimeasure.errors import OutputError


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file so that it is either whole or not there, whenever the process may die.

    Raises
    ------
    OutputError
        When the disk is full or the folder cannot be written.
    """
    content = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        raise OutputError(
            f"cannot write {path.name}: {error.strerror}; free some space or choose another folder"
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
