"""Rows of the result tables and the CSV files that hold them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calcimeasure.errors import TableError
from calcimeasure.io import columns
from calcimeasure.model.deposit import Deposit, Excluded
from calcimeasure.model.image import Spacing

if TYPE_CHECKING:
    from calcimeasure.recipe import Analysis

Row = dict[str, Any]

#: A spreadsheet runs a cell that begins with one of these.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def image_row(analysis: Analysis) -> Row:
    """Cells of images.csv that the analysis knows; a missing fact is `None`, an empty cell."""
    image, numbers = analysis.image, analysis.measurement
    return {
        "kind": image.kind.value,
        "meaning": image.meaning.value,
        "deposits": numbers.count,
        "area_px": int(numbers.area_px.value),
        "area_mm2": numbers.area_mm2.value if numbers.area_mm2 else None,
        "area_mm2_sd": numbers.area_mm2.sd if numbers.area_mm2 else None,
        "contrast_mean": numbers.contrast_mean,
        "contrast_integrated": numbers.contrast_integrated,
        **spacing_cells(image.spacing),
        "side": image.acquisition.side,
        "view": image.acquisition.view,
        "warnings": "; ".join(analysis.warnings),
        "recipe": analysis.recipe.hash,
        "polarity": image.polarity.value,
        "frame": image.acquisition.frame,
        "excluded": len(analysis.segmentation.excluded),
        "saturated_px": sum(deposit.saturated_px for deposit in numbers.deposits),
    }


def spacing_cells(spacing: Spacing | None) -> Row:
    """The three spacing cells; an unknown scale is empty with the origin ``none``."""
    if spacing is None:
        return {"spacing_row_mm": None, "spacing_column_mm": None, "spacing_origin": "none"}
    return {
        "spacing_row_mm": spacing.row_mm,
        "spacing_column_mm": spacing.column_mm,
        "spacing_origin": spacing.origin.value,
    }


def deposit_row(image: str, deposit: Deposit) -> Row:
    """Cells of deposits.csv."""
    return {
        "image": image,
        "label": deposit.label,
        "area_px": int(deposit.area_px.value),
        "area_mm2": deposit.area_mm2.value if deposit.area_mm2 else None,
        "area_mm2_sd": deposit.area_mm2.sd if deposit.area_mm2 else None,
        "diameter_mm": deposit.diameter_mm,
        "feret_mm": deposit.feret_mm,
        "perimeter_mm": deposit.perimeter_mm,
        "centroid_row": deposit.centroid[0],
        "centroid_column": deposit.centroid[1],
        **_bbox_cells(deposit.bbox),
        "contrast_mean": deposit.contrast_mean,
        "contrast_integrated": deposit.contrast_integrated,
        "over_bone": deposit.over_bone,
        "saturated_px": deposit.saturated_px,
    }


def excluded_row(image: str, finding: Excluded) -> Row:
    """Cells of excluded.csv."""
    return {
        "image": image,
        "reason": finding.reason.value,
        "row": finding.row,
        "column": finding.column,
        **_bbox_cells(finding.bbox),
        "area_px": finding.area_px,
        "score": finding.score,
    }


def _bbox_cells(bbox: tuple[int, int, int, int]) -> Row:
    return dict(zip(("bbox_row0", "bbox_column0", "bbox_row1", "bbox_column1"), bbox, strict=True))


def csv_text(table: str, rows: Iterable[Mapping[str, Any]], *, header: bool = True) -> str:
    """Rows as CSV text in the table's column order: UTF-8, decimal point, six decimals, Unix line ends."""
    out, order = io.StringIO(), columns.names(table)
    writer = csv.writer(out, lineterminator="\n")
    if header:
        writer.writerow(order)
    for row in rows:
        writer.writerow([cell(row.get(name)) for name in order])
    return out.getvalue()


def cell(value: object) -> str:
    """A value as a cell; text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, float):
        return _number(value)
    text = str(value)
    return "'" + text if isinstance(value, str) and text.startswith(_FORMULA_STARTS) else text


def _number(value: float) -> str:
    """Six decimals without trailing zeros; what is not finite was never measured, so it is empty."""
    return f"{value:.6f}".rstrip("0").rstrip(".") if math.isfinite(value) else ""


def read_spacings(path: Path) -> dict[str, float]:
    """Millimetres per pixel by image, from a CSV with the columns ``image,spacing_mm``.

    Raises
    ------
    TableError
        When the file cannot be read, a column is missing or a value is no positive number.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"cannot read the spacing table {path.name}: {type(error).__name__}") from error
    if not rows or not {"image", "spacing_mm"} <= set(rows[0]):
        raise TableError(f"the spacing table {path.name} needs the columns image,spacing_mm and at least one row")
    return {str(row["image"]): _positive(row["spacing_mm"], path.name, line) for line, row in enumerate(rows, 2)}


def _positive(text: str | None, table: str, line: int) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise TableError(f"{table}, line {line}: spacing_mm must be a positive number, got {text!r}")
    return value
