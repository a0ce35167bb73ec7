"""A PDF written object by object: every object is where its table says, and nothing finished stays in memory."""

import io
import re

import cv2
import numpy as np
import pytest
from reportlab import rl_config
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfdoc
from reportlab.pdfgen.canvas import Canvas

from calcimeasure.io.results.long_pdf import written_by_and_by


def written(pages: int) -> tuple[bytes, int]:
    """A PDF with two pictures on each page, one of them the same on all; finished objects kept in memory at the end."""
    file, canvas = io.BytesIO(), None
    with written_by_and_by(file) as spool:
        canvas = Canvas(file, invariant=1, pageCompression=1)
        for number in range(pages):
            for seed in (number, 0):
                noise = np.random.default_rng(seed).integers(0, 255, (40, 40, 3), np.uint8)
                canvas.drawImage(ImageReader(io.BytesIO(cv2.imencode(".jpg", noise)[1].tobytes())), 100, 100)
            canvas.drawString(50, 50, f"page {number}")
            canvas.showPage()
            spool.lay_down(canvas._doc)
        kept = sum(isinstance(one, pdfdoc.PDFPage | pdfdoc.PDFImageXObject) for one in canvas._doc.idToObject.values())
        canvas.save()
    return file.getvalue(), kept


@pytest.mark.parametrize("pages", [1, 2, 30])
def test_every_object_is_where_the_table_says(pages: int) -> None:
    pdf, kept = written(pages)
    assert kept == 0
    table = int(re.findall(rb"startxref\s+(\d+)", pdf)[-1])
    places = [int(place) for place, state in re.findall(rb"(\d{10}) \d{5} ([fn])", pdf[table:]) if state == b"n"]
    assert [pdf[place:].split(b" ", 1)[0] for place in places] == [str(n + 1).encode() for n in range(len(places))]
    assert len(re.findall(rb"/Type /Page\b(?!s)", pdf)) == pages
    assert pdf.count(b"/Subtype /Image") == pages  # the common one is the first page's own


def test_the_same_pages_give_the_same_bytes() -> None:
    assert written(3) == written(3)


def test_reportlab_is_left_as_it_was() -> None:
    before = pdfdoc.PDFFile, rl_config.useA85
    with pytest.raises(RuntimeError, match="broken off"), written_by_and_by(io.BytesIO()):
        raise RuntimeError("broken off")
    assert (pdfdoc.PDFFile, rl_config.useA85) == before
