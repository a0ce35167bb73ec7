r"""Journals as lines, ``CRC32 JSON\n``: written one by one, and read whatever may have happened to the file.

A journal may come from a stranger, with his films: it is read line by line, no more than `LARGEST` bytes of it, and
a line with more in it than any of ours is not taken apart.
"""

from __future__ import annotations

import errno
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from itertools import islice, pairwise
from pathlib import Path
from typing import IO, Any

#: Bytes of a journal, and of a line of it, that are read; none of ours grows larger.
LARGEST = 64 * 2**20
#: Values, and tables and lists, in one line: as Python's objects they take 250 MB at most.
_MOST_VALUES, _MOST_TABLES = 4_000_000, 1_000_000
#: Lines that are looked for where one damaged line end joined several.
_MOST_JOINED = 1000
_START = re.compile(rb"[0-9a-f]{8} \{")

#: What reading a strange line may raise.
UNBELIEVABLE = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError)


def line_of(entry: Mapping[str, Any]) -> bytes:
    """An entry as a line."""
    text = json.dumps(entry, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def opened_to_append(path: Path, flags: int = 0) -> IO[bytes]:
    """A file whose every writing goes to its end, unbuffered; with `flags` for ``os.open`` beside these.

    Raises
    ------
    OSError
        When it cannot be opened, and for a link.
    """
    plain = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | plain | flags, 0o666), "r+b", buffering=0)


def append(file: IO[bytes], data: bytes) -> None:
    """Write all of it to an unbuffered file, which may take less at a time.

    Raises
    ------
    OSError
        When not all of it could be written; some of it may have been.
    """
    left = memoryview(data)
    while left:
        taken = file.write(left)
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = left[taken:]


def entries(path: Path) -> Iterator[dict[str, Any] | None]:
    """Every entry of a journal in its order; `None` for each line, or rest of the file, that cannot be read.

    Raises
    ------
    OSError
        When the file cannot be read.
    """
    with _opened(path) as file:
        left = LARGEST
        while left > 0 and (line := file.readline(left)):
            left -= len(line)
            yield from _entries(line)
        if file.read(1):
            yield None


def _opened(path: Path) -> IO[bytes]:
    """A plain file only: no link, and nothing that waits for a writer."""
    plain = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, os.O_RDONLY | plain), "rb")


def _entries(line: bytes) -> Iterator[dict[str, Any] | None]:
    whole = _entry(line.rstrip(b"\r\n"))
    if whole is not None:
        yield whole
        return
    starts = [match.start() for match in islice(_START.finditer(line), _MOST_JOINED)]
    if not starts or starts[0] > 0:
        yield None
    for start, end in pairwise([*starts, len(line)]):
        yield _joined(line, start, end)


def _joined(line: bytes, start: int, end: int) -> dict[str, Any] | None:
    """An entry that is followed by another on its line: at once, or behind the damaged line end."""
    text = line[start:end].rstrip(b"\r\n")
    entry = _entry(text)
    return _entry(text[:-1]) if entry is None else entry


def _entry(line: bytes) -> dict[str, Any] | None:
    if line[:9] != b"%08x " % zlib.crc32(memoryview(line)[9:]) or not is_plausible(line):
        return None
    try:
        entry = json.loads(line[9:])
    except UNBELIEVABLE:
        return None
    return entry if isinstance(entry, dict) else None


def is_plausible(line: bytes) -> bool:
    """Whether a text of JSON holds no more than any of ours: as Python's objects it can be 30 times as large."""
    return line.count(b",") <= _MOST_VALUES and line.count(b"[") + line.count(b"{") <= _MOST_TABLES
