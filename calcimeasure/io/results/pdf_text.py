"""Text of a PDF in fonts that have its letters. A door of reportlab.

DejaVu Sans, which is embedded, has Latin, Greek, Cyrillic, Arabic, Hebrew and signs. Chinese, Japanese and Korean are
set in the standard CJK fonts of PDF, which every reader brings along or replaces. What none of them has is told by its
number, as ``<U+0E01>``: a name is never drawn as empty boxes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from calcimeasure.report import plain_text
from calcimeasure.report.figures import fonts

REGULAR, BOLD = "calcimeasure", "calcimeasure-bold"
#: Fonts of the PDF standard, and an encoding that holds about the letters that each has.
_STANDARD = (
    ("STSong-Light", "gb2312"),
    ("HeiseiKakuGo-W5", "shift_jis"),
    ("MSung-Light", "big5"),
    ("HYGothic-Medium", "euc_kr"),
    ("STSong-Light", "gbk"),
)


def register() -> None:
    """Make the fonts known to reportlab."""
    for name, path in zip((REGULAR, BOLD), fonts(), strict=True):
        pdfmetrics.registerFont(TTFont(name, str(path)))
    pdfmetrics.registerFontFamily(REGULAR, REGULAR, BOLD)
    for name in dict.fromkeys(name for name, _ in _STANDARD):
        pdfmetrics.registerFont(UnicodeCIDFont(name))
        pdfmetrics.registerFontFamily(name, name, name, name, name)


def plain(text: str) -> str:
    """Text that can be drawn: what acts instead of showing is spelled out; thin spaces, which fonts lack, as spaces."""
    return plain_text.plain(text.replace("\n", " ")).replace("\u202f", "\u00a0")


def is_embedded(text: str) -> bool:
    """Whether the embedded font has every letter."""
    font: Any = pdfmetrics.getFont(REGULAR)
    return all(ord(letter) in font.face.charToGlyph for letter in text)


def pieces(text: str) -> Iterator[tuple[str | None, str]]:
    """The text piece by piece, each with the font that it needs; `None` is the embedded one."""
    one_for_all = _font_of("".join(letter for letter in text if not is_embedded(letter)))
    for embedded, letters in groupby(text, is_embedded):
        piece = "".join(letters)
        yield from [(None, piece)] if embedded else _standard(piece, one_for_all)


def marked(text: str) -> str:
    """The text as the markup of a reportlab paragraph."""
    return "".join(
        escape(piece) if font is None else f'<font name="{font}">{escape(piece)}</font>'
        for font, piece in pieces(plain(text))
    )


def draw_right(canvas: Canvas, x: float, y: float, text: str, size: float) -> None:
    """Draw a line that ends at x."""
    line = [(font or REGULAR, piece) for font, piece in pieces(plain(text))]
    x -= sum(pdfmetrics.stringWidth(piece, font, size) for font, piece in line)
    for font, piece in line:
        canvas.setFont(font, size)
        canvas.drawString(x, y, piece)
        x += pdfmetrics.stringWidth(piece, font, size)


def _standard(text: str, best: str | None = None) -> Iterator[tuple[str | None, str]]:
    """Letters that are not embedded: all in one font where one has them, else letter by letter."""
    if (font := best or _font_of(text)) is not None:
        yield font, text
    elif len(text) > 1:
        for letter in text:
            yield from _standard(letter)
    else:
        yield None, f"<U+{ord(text):04X}>"


def _font_of(text: str) -> str | None:
    return next((name for name, encoding in _STANDARD if _encodes(encoding, text)), None)


def _encodes(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
