"""A PDF of any number of pages in little memory. A door of reportlab.

reportlab keeps every page and picture until the end, and then has the whole file in memory twice. Here what is finished
waits on disk, and the file is written object by object.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Any

from reportlab import rl_config
from reportlab.pdfbase import pdfdoc


@contextmanager
def written_by_and_by(file: IO[bytes]) -> Iterator[Spool]:
    """While it lasts, reportlab writes its document straight into a file; the spool takes what is finished.

    Streams are binary: as text they take a quarter more of memory and disk, and most of the time.
    """
    writer: Any = pdfdoc
    before = writer.PDFFile, rl_config.useA85
    writer.PDFFile, rl_config.useA85 = partial(_Straight, file), 0
    try:
        with tempfile.TemporaryFile() as waiting:
            yield Spool(waiting)
    finally:
        writer.PDFFile, rl_config.useA85 = before


class Spool:
    """Finished pages and pictures of a document, on disk until the document is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def lay_down(self, document: Any) -> None:
        """Move finished pages and pictures of a `PDFDocument` out of memory; call it between two pages."""
        pages = document.Pages.pages
        for number, page in enumerate(pages):
            if isinstance(page, pdfdoc.PDFPage):
                page.check_format(document)
                page.Contents = document.Reference(page.Contents)
                pages[number] = document.Reference(page)
                page.stream = None
        for name, one in list(document.idToObject.items()):
            if isinstance(one, _FINISHED):
                document.idToObject[name] = self._waiting(one, document)

    def piece(self, place: int, length: int) -> bytes:
        """What was laid down at a place."""
        self.file.seek(place)
        return self.file.read(length)

    def _waiting(self, one: Any, document: Any) -> _Waiting:
        place = self.file.seek(0, 2)
        length = self.file.write(pdfdoc.format(one, document, toplevel=1))
        size = getattr(one, "width", None), getattr(one, "height", None)
        return _Waiting(self, (place, length), size)


class _Waiting(pdfdoc.PDFObject):
    """Stands for an object of the document that waits on disk; a picture may be drawn again meanwhile."""

    def __init__(self, spool: Spool, where: tuple[int, int], size: tuple[int | None, int | None]) -> None:
        self.spool, self.where = spool, where
        self.width, self.height = size

    def format(self, document: Any) -> bytes:
        """The object as it stands in the file."""
        return self.spool.piece(*self.where)


class _Straight(pdfdoc.PDFFile):
    """The document's file as reportlab writes it, nothing of it kept."""

    def __init__(self, file: IO[bytes], version: Any) -> None:
        self.file = file
        super().__init__(version)

    def add(self, s: Any) -> int:
        """Write a piece; where it begins."""
        piece, place = pdfdoc.pdfdocEnc(s), int(self.offset)
        self.offset = place + len(piece)
        self.file.write(piece)
        return place

    def format(self, document: Any) -> bytes:
        """What is left to be written: nothing."""
        return b""


_FINISHED = (pdfdoc.PDFPage, pdfdoc.PDFStream, pdfdoc.PDFImageXObject)
