"""The results of a run as one HTML page: self-contained, offline, the same bytes for the same results.

The page is made for names that mean harm. Everything in it is escaped, the cards travel as JSON that
cannot close its own script element, the browser is told to run nothing but the page's own script
(by its hash) and to fetch nothing at all.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from calcimeasure.model.image import Spacing
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.warning import Remark
from calcimeasure.report.marks import half_width
from calcimeasure.report.plain_text import drawn
from calcimeasure.report.words import sentences

#: Rows of the plain table that a browser without JavaScript shows.
PLAIN_ROWS = 200

_STATUSES = ("measured", "proposed", "failed")
_THIN_SPACE = "\u202f"


@dataclass(frozen=True, slots=True)
class FilmCard:
    """What the page says about one image. A missing fact is `None` and shown as a dash.

    Parameters
    ----------
    image : str
        Its name as in images.csv.
    status : str
        ``"measured"``, ``"proposed"`` (outlined without a person: look before use) or ``"failed"``.
    kind, meaning, side, view : str or None
        As in images.csv.
    deposits : int or None
        How many.
    area_mm2, area_px : Quantity or None
        Total area of the deposits.
    contrast_mean : float or None
        Mean brightness of the deposits over local soft tissue.
    spacing : Spacing or None
        Scale with its origin.
    excluded : mapping of str to int
        How many findings were dropped, by reason.
    warnings : sequence of Remark
        What a reader of the number ought to know.
    error : str or None
        Why the image failed.
    thumbnail : bytes or None
        A small JPEG.
    overlay, mask : str or None
        Path of the overlay picture and of the label image, relative to the page, with forward slashes.
    """

    image: str
    status: str
    kind: str | None = None
    meaning: str | None = None
    side: str | None = None
    view: str | None = None
    deposits: int | None = None
    area_mm2: Quantity | None = None
    area_px: Quantity | None = None
    contrast_mean: float | None = None
    spacing: Spacing | None = None
    excluded: Mapping[str, int] = field(default_factory=dict)
    warnings: Sequence[Remark] = ()
    error: str | None = None
    thumbnail: bytes | None = None
    overlay: str | None = None
    mask: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page shows; counts and totals are taken from the cards.

    Parameters
    ----------
    title : str
        Heading of the page.
    version, recipe : str
        calcimeasure version and hash of the effective recipe.
    cards : sequence of FilmCard
        One per image, in the order of images.csv.
    warnings : sequence of str
        What a reader ought to know about the whole run.
    date : str or None
        When the run was made, in the words of the caller; the page reads no clock.
    tables : sequence of str
        Files beside the page that hold the numbers, to link to.
    letters : mapping of str to str
        The letter that stands for each reason in the overlays.
    """

    title: str
    version: str
    recipe: str
    cards: Sequence[FilmCard]
    warnings: Sequence[str] = ()
    date: str | None = None
    tables: Sequence[str] = ("images.csv", "deposits.csv", "excluded.csv", "columns.json", "run.json")
    letters: Mapping[str, str] = field(default_factory=dict)


def report_html(report: Report) -> str:
    """The page as text, to be written as UTF-8.

    It holds its own style, script and thumbnails, asks nothing of a network, builds only the page of
    cards that is looked at (2,000 images stay quick), and shows a plain table of the first 200 images
    where JavaScript is off. The same report gives the same text.
    """
    rows = [_row(card) for card in report.cards]
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            tables=[(name, _href(name)) for name in report.tables],
            totals=_totals(report.cards),
            letters=sorted((letter, _words(reason)) for reason, letter in report.letters.items()),
            plain=rows[:PLAIN_ROWS],
            count=len(rows),
            cards=_script_json(rows),
        )
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("calcimeasure.report", ""),
        autoescape=True,
        finalize=drawn,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["csp_hash"] = _csp_hash
    return environment


def _csp_hash(text: str) -> str:
    """The source expression by which a content security policy allows exactly this inline text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(str(text).encode()).digest()).decode()


def _script_json(rows: Sequence[Mapping[str, object]]) -> Markup:
    """JSON that can stand inside a script element: no character of it can end the element or open a comment."""
    shown = [{name: drawn(cell) for name, cell in row.items()} for row in rows]
    text = json.dumps(shown, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(safe)


def _row(card: FilmCard) -> dict[str, object]:
    """What the page's script and the plain table need of a card: words ready to show, and numbers to sort by."""
    return {
        "name": card.image,
        "status": card.status,
        "kind": " · ".join(part for part in (card.kind, card.side, card.view, card.meaning) if part),
        "deposits": card.deposits,
        "area": _area(card),
        "mm2": _finite(card.area_mm2.value) if card.area_mm2 else None,
        "px": _finite(card.area_px.value) if card.area_px else None,
        "contrast": _number(card.contrast_mean),
        "scale": _scale(card.spacing),
        "excluded": [[_words(reason), count] for reason, count in sorted(card.excluded.items()) if count],
        "warnings": list(sentences(card.warnings)),
        "error": card.error or "",
        "thumb": base64.b64encode(card.thumbnail).decode() if card.thumbnail else "",
        "overlay": _href(card.overlay) if card.overlay else "",
        "mask": _href(card.mask) if card.mask else "",
    }


def _totals(cards: Sequence[FilmCard]) -> list[tuple[str, str, str]]:
    """The headline figures, each as (figure, what it counts, small print)."""
    status = {name: sum(card.status == name for card in cards) for name in _STATUSES}
    areas = [card.area_mm2.value for card in cards if card.area_mm2]
    bearing = sum(bool(card.deposits) for card in cards)
    done = [card for card in cards if card.status != "failed"]
    proposed = f"{status['proposed']} proposed, look first" if status["proposed"] else f"of {_count(len(cards))} images"
    return [
        (_count(status["measured"]), "measured", proposed),
        (_count(status["failed"]), "failed", "see the card for the reason" if status["failed"] else "none"),
        (_count(sum(card.deposits or 0 for card in cards)), "deposits", f"in {_count(bearing)} images"),
        (_number(math.fsum(areas)) if areas else "–", "mm² in total", f"over {_count(len(areas))} images"),
        (_count(sum(card.spacing is None for card in done)), "without a scale", "area in px only"),
        (_count(sum(bool(card.warnings) for card in cards)), "with warnings", "read before use"),
    ]


def _area(card: FilmCard) -> str:
    """Area with its 95 % half width: in mm2 when the scale is known, else in px."""
    if card.area_mm2 is not None:
        return f"{_with_error(card.area_mm2)} mm²"
    return f"{_with_error(card.area_px)} px" if card.area_px is not None else "–"


def _with_error(quantity: Quantity) -> str:
    """A value ± half of its 95 % interval, both rounded to the second digit of the standard deviation."""
    sd = quantity.sd
    if sd is None or not math.isfinite(sd) or sd <= 0 or not math.isfinite(quantity.value):
        return _number(quantity.value)
    decimals = min(6, max(0, 1 - math.floor(math.log10(sd))))
    return f"{_grouped(quantity.value, decimals)} ± {_grouped(half_width(quantity) or sd, decimals)}"


def _number(value: float | None) -> str:
    """A number with four significant digits; whole digits are never dropped."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0 or float(value).is_integer():
        return _grouped(value, 0)
    return _grouped(value, min(6, max(0, 3 - math.floor(math.log10(abs(value))))))


def _grouped(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}".replace(",", _THIN_SPACE)


def _count(number: int) -> str:
    return _grouped(number, 0)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _scale(spacing: Spacing | None) -> str:
    """Pixel spacing with its origin, rows first when the two differ."""
    if spacing is None:
        return "unknown"
    sides = dict.fromkeys(f"{mm:.4g}" for mm in (spacing.row_mm, spacing.column_mm))
    return f"{' × '.join(sides)} mm/px, {_words(spacing.origin)}"


def _words(name: str) -> str:
    return str(name).replace("_", " ")


def _href(path: str) -> str:
    """A link that stays beside the page, whatever the name: no scheme, no host, no query, no fragment."""
    return "./" + quote(path.encode("utf-8", "surrogateescape"), safe="/")
