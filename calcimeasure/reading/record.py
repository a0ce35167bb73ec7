"""Who did what, when, to which film: small values that are saved with every mask."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from pathlib import Path

from calcimeasure.errors import EditRefused
from calcimeasure.io.files import sha256_of
from calcimeasure.io.given.inputs import choose_names


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
    def of(cls, path: Path, image: str = "", name: str = "") -> Source:
        """The source that a file is; names from a worklist, or from the file's own."""
        image = image or path.name
        return cls(path, image, name or choose_names([image])[image], sha256_of(path))


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed a mask, and when (ISO 8601, UTC)."""

    initials: str
    when: str


@dataclass(frozen=True, slots=True)
class Did:
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
