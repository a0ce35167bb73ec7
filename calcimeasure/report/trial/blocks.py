"""A trial's report as blocks, and the blocks as one HTML page: self-contained, offline, without any script.

A report is pages, a page is blocks, and a block is plain words, numbers already rounded, and pictures already
compressed. The PDF is made from the same blocks. Everything that is text is escaped; the browser is told to run
nothing and to fetch nothing.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, TypeAlias

import jinja2

from calcimeasure.model.study import Verdict
from calcimeasure.report.marks import VERDICTS
from calcimeasure.report.plain_text import drawn

CAUTION = "Research use only; not a medical device."


@dataclass(frozen=True, slots=True)
class PageLink:
    """A table cell that leads to a page of the report."""

    text: str
    anchor: str


Cell: TypeAlias = str | PageLink


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a part of a page."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; a `quiet` one is small print."""

    kind: ClassVar[str] = "text"
    text: str
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Banner:
    """What a page says in one sentence, with its sign and word; `tone` is good, same, bad or none."""

    kind: ClassVar[str] = "banner"
    sign: str
    word: str
    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class LargeFigures:
    """A row of a few large figures: (figure, what it is, small print)."""

    kind: ClassVar[str] = "figures"
    items: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list of sentences under a title."""

    kind: ClassVar[str] = "items"
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a caption; the first column names the row.

    Parameters
    ----------
    caption : str
    columns : tuple of str
    rows : tuple of tuple of Cell
    widths : tuple of float
        Relative widths of the columns; 0 is as narrow as its content. For the PDF.
    words : frozenset of int
        Columns that hold words, set to the left; the others hold numbers.
    note : str
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    widths: tuple[float, ...]
    words: frozenset[int] = frozenset({0})
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A compressed picture, what it shows for those who cannot see it, and its caption.

    `width` is its share of the page's width, `size` its (columns, rows) in pixels; a `low` one leaves room for a long
    table on the same sheet.
    """

    kind: ClassVar[str] = "picture"
    data: bytes
    mime: str
    size: tuple[int, int]
    alt: str
    caption: str
    width: float = 1.0
    low: bool = False

    @property
    def uri(self) -> str:
        """The picture as an address that needs no network."""
        return f"data:{self.mime};base64,{base64.b64encode(self.data).decode()}"


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures side by side."""

    kind: ClassVar[str] = "pictures"
    pictures: tuple[Picture, ...]


Block: TypeAlias = Heading | Text | Banner | LargeFigures | Items | Table | Picture | Pictures


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A page of the report, which begins on a new sheet when printed.

    `anchor` is made of letters, digits and hyphens, and is the page's own.
    """

    anchor: str
    title: str
    kicker: str
    blocks: tuple[Block, ...]


def banner(verdict: Verdict, text: str) -> Banner:
    """A verdict with the sentence that it rests on."""
    mark = VERDICTS[verdict]
    return Banner(mark.sign, mark.word.capitalize(), text, mark.tone)


def png(data: bytes, alt: str, caption: str, width: float = 0.99) -> Picture:
    """A PNG with the size that its header tells (bytes 16 to 24)."""
    columns, rows = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    return Picture(data, "image/png", (columns, rows), alt, caption, width)


def head_html(title: str) -> str:
    """The report up to its first page; the whole report is this, its pages, and `foot_html`, one after the other."""
    return _template().render(part="head", title=title)


def page_html(page: Page) -> str:
    """One page."""
    return _template().render(part="page", page=page, caution=CAUTION)


def foot_html(foot: str) -> str:
    """What comes after the last page."""
    return _template().render(part="foot", foot=foot)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("calcimeasure.report.trial", ""),
        autoescape=True,
        finalize=drawn,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["csp_hash"] = _csp_hash
    return environment.get_template("report.html.j2")


def _csp_hash(text: str) -> str:
    """The source expression by which a content security policy allows exactly this inline text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(str(text).encode()).digest()).decode()
