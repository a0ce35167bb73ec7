"""A trial's report in its folder: report.html and report.pdf, made page by page. A door of reportlab."""

from __future__ import annotations

import gc
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    ActionFlowable,
    BaseDocTemplate,
    Flowable,
    Frame,
    KeepTogether,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
)
from reportlab.platypus import Image as Drawn
from reportlab.platypus import Table as Grid

from calcimeasure.errors import OutputError
from calcimeasure.io.images.codestream import declared_size
from calcimeasure.io.results import pdf_text
from calcimeasure.io.results.long_pdf import Spool, written_by_and_by
from calcimeasure.model.study import Interval, Study
from calcimeasure.report.trial import TrialFindings, cohort_pages, patient_page, picture_of
from calcimeasure.report.trial.blocks import (
    CAUTION,
    Banner,
    Block,
    Cell,
    Heading,
    Items,
    LargeFigures,
    Page,
    Picture,
    Pictures,
    Table,
    Text,
    foot_html,
    head_html,
    page_html,
)
from calcimeasure.report.trial.patient import crowded
from calcimeasure.steps.agreement.cohort import cohort

Place = Callable[[Path, Path], object]
Pairs = Callable[[Interval], Path | None]

#: Largest picture of a pair in a report, in bytes.
PICTURE_BYTES = 120_000

_MOST_PIXELS = 100_000_000
_SMALLEST = 64  # px: a picture is not shrunk beyond this
_TITLE = "Calcinosis: change between visits"
_WIDTH = A4[0] - 26 * mm
_TALLEST, _LOWER = 118 * mm, 92 * mm
_INK, _QUIET, _LINE = HexColor("#17212b"), HexColor("#56626e"), HexColor("#d9dee2")
_SWEEP = 20  # pages: reportlab's decoded pictures hang in cycles, which Python alone lets pile up
_SHORT = 30  # rows: a table that stays in one piece
_ALL = (0, 0), (-1, -1)
_GRID: list[Any] = [
    ("FONT", *_ALL, "calcimeasure", 6.8, 8.4),
    ("TEXTCOLOR", (0, 0), (-1, -1), _INK),
    ("ALIGN", (0, 0), (-1, -1), "RIGHT"),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
    ("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE),
    ("LINEBELOW", (0, 0), (-1, 0), 0.7, _QUIET),
    ("LEFTPADDING", (0, 0), (-1, -1), 2),
    ("RIGHTPADDING", (0, 0), (-1, -1), 3),
    ("TOPPADDING", (0, 0), (-1, -1), 1.5),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
]
_TONES = {
    "good": ("#00558a", "#e6f1f8"),
    "bad": ("#9c3f00", "#fcefe4"),
    "same": ("#56626e", "#f3f5f6"),
    "none": ("#56626e", "#f3f5f6"),
}


def write_reports(
    folder: Path, study: Study, intervals: Iterable[Interval], pictures: Pairs, run: Mapping[str, Any]
) -> None:
    """Write report.html and report.pdf into a folder.

    Parameters
    ----------
    folder : Path
        Where they go; each is whole or not there.
    study : Study
        All subjects, also those without an interval.
    intervals : iterable of Interval
        Every interval of every subject; which one counts is decided by `calcimeasure.steps.agreement.cohort`.
    pictures : callable
        The picture of an interval's pair (`calcimeasure.report.pair_picture`, any size, PNG or JPEG), or `None`. It is
        asked for one interval per subject and read only while that subject's page is written.
    run : mapping
        ``version``, ``recipe_hash``, ``weights_sha256``, ``packages``.

    Raises
    ------
    OutputError
        When the folder cannot be written.
    """
    write_findings(folder, TrialFindings(study, cohort(study, intervals), run), pictures)


def write_findings(folder: Path, findings: TrialFindings, pictures: Pairs, place: Place = Path.replace) -> None:
    """As `write_reports`, from a cohort made by the caller: with another window, or with readers' agreement.

    `place` puts a page that is whole where it belongs: its draft and its path are given.
    """
    foot = f"{CAUTION} Made by calcimeasure {findings.fact('version')}."
    with _whole(folder / "report.html", place) as html, _whole(folder / "report.pdf", place) as pdf:
        html.write(head_html(_TITLE).encode())
        _write_pdf(pdf, _written(_pages(findings, pictures), html))
        html.write(_bytes(foot_html(foot)))


def compressed(picture: bytes, limit: int = PICTURE_BYTES) -> tuple[bytes, tuple[int, int]] | None:
    """A JPEG of at most `limit` bytes of an encoded picture, and its (columns, rows); `None` for what is no picture."""
    pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR) if _is_modest(picture) else None
    if pixels is None:
        return None
    jpeg = _jpeg(pixels)
    while len(jpeg) > limit and max(pixels.shape) > _SMALLEST:
        shrink = min(0.95, 0.97 * (limit / len(jpeg)) ** 0.5)
        pixels = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        jpeg = _jpeg(pixels)
    return jpeg, (pixels.shape[1], pixels.shape[0])


def _is_modest(picture: bytes) -> bool:
    """Whether a picture is no larger than any that we draw: the one beside the results may be another's."""
    declared = declared_size(picture)
    return declared is not None and declared.rows * declared.columns <= _MOST_PIXELS


def _jpeg(pixels: Any, quality: int = 78) -> bytes:
    """JPEG bytes with full colour resolution: a thin coloured line would smear otherwise."""
    full = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality, *full])[1])


@contextmanager
def _whole(path: Path, place: Place) -> Iterator[IO[bytes]]:
    """A file to write that is there only when it is whole."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            yield file
        place(draft, path)
    except OSError as error:
        raise OutputError(
            f"cannot write {path.name}: {error.strerror}; free some space or choose another folder"
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink()


def _pages(findings: TrialFindings, pictures: Pairs) -> Iterator[Page]:
    """The cohort's pages, then every patient's, each made when it is its turn."""
    yield from cohort_pages(findings)
    for subject, member in zip(findings.study.subjects, findings.cohort.members, strict=True):
        shown = member.shown
        yield patient_page(findings, subject, member, _pair(shown, pictures) if shown else None)


def _written(pages: Iterable[Page], html: IO[bytes]) -> Iterator[Page]:
    """The pages as they come, each written as HTML on its way to the PDF: no picture is made twice or kept."""
    for page in pages:
        html.write(_bytes(page_html(page)))
        yield page


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _pair(interval: Interval, pictures: Pairs) -> Picture | None:
    path = pictures(interval)
    small = compressed(path.read_bytes()) if path is not None and path.is_file() else None
    if small is None:
        return None
    return Picture(small[0], "image/jpeg", small[1], *picture_of(interval), low=crowded(interval.change))


# ------------------------------------------------------------------------------------------------ PDF


@dataclass(frozen=True, slots=True)
class _Style:
    """Fonts and paragraph styles of the PDF."""

    body: ParagraphStyle
    quiet: ParagraphStyle
    title: ParagraphStyle
    heading: ParagraphStyle
    figure: ParagraphStyle
    cell: ParagraphStyle

    @classmethod
    def make(cls) -> _Style:
        """The styles, with the fonts known to reportlab under our own names."""
        pdf_text.register()
        body = ParagraphStyle("body", fontName="calcimeasure", fontSize=8, leading=10.8, textColor=_INK, spaceAfter=4)
        return cls(
            body=body,
            quiet=ParagraphStyle("quiet", body, fontSize=6.8, leading=9, textColor=_QUIET, spaceBefore=2),
            title=ParagraphStyle("title", body, fontName="calcimeasure-bold", fontSize=14, leading=18, spaceAfter=6),
            heading=ParagraphStyle("heading", body, fontName="calcimeasure-bold", fontSize=9, spaceBefore=6),
            figure=ParagraphStyle("figure", body, spaceAfter=0, leading=12),
            cell=ParagraphStyle("cell", body, fontSize=6.8, leading=8.4, spaceAfter=0),
        )


def _write_pdf(file: IO[bytes], pages: Iterable[Page]) -> None:
    """The pages as A4, each beginning on a sheet of its own; the same pages give the same bytes."""
    document = BaseDocTemplate(file, pagesize=A4, title=_TITLE, invariant=1)
    frame = Frame(13 * mm, 14 * mm, _WIDTH, A4[1] - 26 * mm, 0, 0, 0, 0)
    with written_by_and_by(file) as spool:
        story = _Story(pages, _Style.make(), spool)
        document.addPageTemplates([PageTemplate("sheet", [frame], onPageEnd=story.draw_foot)])
        document.build([story])


class _Story(ActionFlowable):
    """All pages of the report, each laid out and forgotten before the next is made."""

    def __init__(self, pages: Iterable[Page], style: _Style, spool: Spool) -> None:
        super().__init__()
        self.pages, self.style, self.spool, self.title = pages, style, spool, ""

    def apply(self, document: BaseDocTemplate) -> None:
        """Lay out page after page, as reportlab asks of an action."""
        canvas: Any = document.canv
        for number, page in enumerate(self.pages):
            if number:
                _lay_out(document, [PageBreak()])
                self.spool.lay_down(canvas._doc)
            if number % _SWEEP == 0:
                gc.collect()
            self.title = pdf_text.plain(page.title)
            document.canv.bookmarkPage(page.anchor)
            document.canv.addOutlineEntry(self.title, page.anchor)
            _lay_out(document, list(_flowables(page, self.style)))

    def draw_foot(self, canvas: Canvas, _document: BaseDocTemplate) -> None:
        """Caution, title and number at the foot of a sheet."""
        canvas.setFont("calcimeasure", 6.5)
        canvas.setFillColor(_QUIET)
        canvas.drawString(13 * mm, 8 * mm, CAUTION)
        told = f"{self.title[:60]}   {canvas.getPageNumber()}"
        pdf_text.draw_right(canvas, 13 * mm + _WIDTH, 8 * mm, told, 6.5)


def _lay_out(document: BaseDocTemplate, story: list[Flowable]) -> None:
    while story:
        document.clean_hanging()
        document.handle_flowable(story)
    document.clean_hanging()


def _flowables(page: Page, style: _Style) -> Iterator[Flowable]:
    yield _paragraph(page.kicker, style.quiet)
    yield _paragraph(page.title, style.title)
    for block in page.blocks:
        yield from _drawn(block, style)


def _drawn(block: Block, style: _Style) -> Iterator[Flowable]:
    match block:
        case Heading():
            yield _paragraph(block.text, style.heading)
        case Text():
            yield _paragraph(block.text, style.quiet if block.quiet else style.body)
        case Banner():
            yield from _banner(block, style)
        case LargeFigures():
            yield from _figures(block, style)
        case Items():
            lines = [_paragraph(f"\N{BULLET} {line}", style.body) for line in block.lines]
            yield KeepTogether([_paragraph(block.title, style.heading), *lines])
        case Table():
            yield from _table(block, style)
        case Picture():
            yield KeepTogether(_picture(block, style, _WIDTH))
        case Pictures():
            yield from _side_by_side(block, style)


def _banner(block: Banner, style: _Style) -> Iterator[Flowable]:
    ink, ground = (HexColor(colour) for colour in _TONES[block.tone])
    sign = ParagraphStyle("sign", style.title, textColor=ink, spaceAfter=0, alignment=1)
    word = ParagraphStyle("word", style.heading, fontSize=11, leading=14, textColor=ink, spaceBefore=0, spaceAfter=2)
    grid = Grid(
        [[_paragraph(block.sign, sign), [_paragraph(block.word, word), _paragraph(block.text, style.body)]]],
        colWidths=[11 * mm, _WIDTH - 11 * mm],
        style=[("BACKGROUND", *_ALL, ground), ("LINEBEFORE", (0, 0), (0, -1), 3, ink), ("VALIGN", *_ALL, "TOP")],
    )
    yield from (grid, Spacer(1, 5))


def _figures(block: LargeFigures, style: _Style) -> Iterator[Flowable]:
    cells = [
        [
            _marked(f'<font name="calcimeasure-bold" size="11">{pdf_text.marked(figure)}</font>', style.figure),
            _paragraph(what, style.cell),
            _paragraph(note, style.quiet),
        ]
        for figure, what, note in block.items
    ]
    grid = Grid(
        [cells],
        colWidths=[_WIDTH / len(cells)] * len(cells),
        style=[("BOX", *_ALL, 0.5, _LINE), ("INNERGRID", *_ALL, 0.5, _LINE), ("VALIGN", *_ALL, "TOP")],
    )
    yield from (grid, Spacer(1, 5))


def _table(block: Table, style: _Style) -> Iterator[Flowable]:
    """A table whose head is repeated on every sheet; columns of words wrap."""
    head = ParagraphStyle("head", style.cell, textColor=_QUIET)
    number = ParagraphStyle("number", head, alignment=2)
    heads = [_paragraph(text, head if n in block.words else number) for n, text in enumerate(block.columns)]
    rows = [[_cell(value, n in block.words, style) for n, value in enumerate(row)] for row in block.rows]
    widths = [_WIDTH * width / sum(block.widths) for width in block.widths]
    grid = Grid([heads, *rows], colWidths=widths, repeatRows=1, style=_GRID)
    caption = _paragraph(block.caption, style.heading)
    yield from (
        KeepTogether([caption, grid]) if len(rows) < _SHORT else caption,
        *([] if len(rows) < _SHORT else [grid]),
    )
    yield _paragraph(block.note, style.quiet) if block.note else Spacer(1, 4)


def _cell(value: Cell, words: bool, style: _Style) -> Flowable | str:
    """Numbers as they are, quick to lay out; words as paragraphs, links to their pages."""
    if not isinstance(value, str):
        return _marked(f'<a href="#{value.anchor}" color="#0a5f73">{pdf_text.marked(value.text)}</a>', style.cell)
    text = pdf_text.plain(value)
    return _paragraph(value, style.cell) if words or not pdf_text.is_embedded(text) else text


def _picture(block: Picture, style: _Style, width: float) -> list[Flowable]:
    columns, rows = block.size
    scale = min(width / columns, (_LOWER if block.low else _TALLEST) / rows)
    drawn = Drawn(io.BytesIO(block.data), columns * scale, rows * scale)
    return [drawn, _paragraph(block.caption, style.quiet)]


def _side_by_side(block: Pictures, style: _Style) -> Iterator[Flowable]:
    each = _WIDTH / max(len(block.pictures), 2)
    cells = [_picture(one, style, each - 4 * mm) for one in block.pictures]
    style_of: list[Any] = [("VALIGN", *_ALL, "TOP"), ("LEFTPADDING", *_ALL, 0)]
    yield Grid([cells], colWidths=[each] * len(cells), style=style_of, hAlign="LEFT")


def _paragraph(text: str, style: ParagraphStyle) -> Paragraph:
    return _marked(pdf_text.marked(text), style)


def _marked(markup: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(markup, style)
