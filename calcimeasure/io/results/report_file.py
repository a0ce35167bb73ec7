"""The report of a run, made from what its images left behind."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from calcimeasure.io.results.masks import SUFFIX
from calcimeasure.io.results.record import Record
from calcimeasure.model.image import RELATIVE_SD, Spacing, SpacingOrigin
from calcimeasure.model.quantity import Quantity

#: Thumbnails beyond this many images would make a page that no browser opens gladly.
_MOST_THUMBNAILS = 3000


def report_of(records: Iterable[Record], run: Mapping[str, Any]) -> str:
    """The page report.html for the records of a run, as text."""
    from calcimeasure.report.film_picture import LETTERS
    from calcimeasure.report.html import Report, report_html

    cards = [_card(record, number) for number, record in enumerate(records)]
    letters = {reason.value: letter for reason, letter in LETTERS.items()}
    return report_html(Report("calcimeasure", run["version"], run["recipe_hash"], cards, letters=letters))


def _card(record: Record, number: int) -> Any:
    from calcimeasure.report.html import FilmCard

    row = record.row
    if record.failed:
        return FilmCard(record.image, "failed", error=row["error"])
    facts = {name: row[name] for name in ("kind", "meaning", "side", "view", "deposits", "contrast_mean")}
    return FilmCard(
        record.image,
        row["status"],
        **facts,
        area_px=Quantity(row["area_px"], None, "px"),
        area_mm2=_area(row),
        spacing=_spacing(row),
        excluded=Counter(finding["reason"] for finding in record.excluded),
        warnings=record.warnings,
        thumbnail=base64.b64decode(record.thumbnail or "") if number < _MOST_THUMBNAILS else None,
        overlay=f"overlays/{row['name']}.png",
        mask=f"masks/{row['name']}{SUFFIX}",
    )


def _area(row: Mapping[str, Any]) -> Quantity | None:
    return None if row["area_mm2"] is None else Quantity(row["area_mm2"], row["area_mm2_sd"], "mm2")


def _spacing(row: Mapping[str, Any]) -> Spacing | None:
    if row["spacing_row_mm"] is None:
        return None
    origin = SpacingOrigin(row["spacing_origin"])
    return Spacing(row["spacing_row_mm"], row["spacing_column_mm"], origin, RELATIVE_SD[origin])
