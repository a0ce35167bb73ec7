"""Who did what, when, to which film: small values that are saved with every mask."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from calcimeasure.errors import EditRefused
from calcimeasure.io.files import sha256_of
from calcimeasure.io.given.inputs import Input, name_of
from calcimeasure.report.plain_text import plain_name

#: Name of the line that says that all before it is saved.
SAVE = "save"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a film comes from.

    Parameters
    ----------
    path : Path or None
        The file; kept in memory only, never written.
    image : str
        How tables name it: its path relative to the worklist's folder, or its file name.
    name : str
        NAME of its mask: ``masks/NAME.labels.tif``.
    sha256 : str
        Of the file's bytes; empty when it has no file.
    """

    path: Path | None = None
    image: str = ""
    name: str = ""
    sha256: str = ""

    @classmethod
    def of(cls, path: Path, sha256: str = "") -> Source:
        """The source that a file is, named by itself; `sha256` is of its bytes where they were read already."""
        return cls(path, plain_name(path.name), name_of(plain_name(path.name)), sha256 or sha256_of(path))

    @classmethod
    def of_input(cls, item: Input) -> Source:
        """The source that a film of a folder is, named as the folder's tables name it."""
        return cls(item.path, item.image, item.name, sha256_of(item.path))


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed a mask, and when (ISO 8601, UTC)."""

    initials: str
    when: str


@dataclass(frozen=True, slots=True)
class Base:
    """The saved mask that a session goes on from: the one it saved last, or opened.

    Parameters
    ----------
    mask_sha256 : str
        Of the mask file as it was then; empty when there was none.
    signature : Signature or None
        Who had signed it then.
    """

    mask_sha256: str
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One line of what was done.

    Parameters
    ----------
    when : str
        ISO 8601, UTC.
    who : str or None
        Initials; `None` while nobody gave any.
    name, how : str
        Of the step, and whether it was done, undone or redone.
    numbers : tuple of int
        Deposits that lost or gained pixels, the first fifty.
    pixels : int
        How many pixels changed.
    why : str
        Reason, where one was asked for.
    """

    when: str
    who: str | None
    name: str
    how: str = "do"
    numbers: tuple[int, ...] = ()
    pixels: int = 0
    why: str = ""


def unsaved_in(record: Sequence[StepRecord]) -> int:
    """How many lines of what was done came after the newest saving."""
    return next((at for at, one in enumerate(reversed(record)) if one.name == SAVE), len(record))


def initials_of(text: str) -> str:
    """A reader's initials, in capitals.

    Raises
    ------
    EditRefused
        For anything but 1 to 6 letters or digits: initials, never a name.
    """
    initials = text.strip().upper()
    if not re.fullmatch(r"[^\W_]{1,6}", initials):
        raise EditRefused("initials are 1 to 6 letters or digits, such as AB")
    return initials


def now() -> str:
    """The present moment in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
