"""Rows of the result tables and the CSV files that hold them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from calcimeasure.io.results import columns
from calcimeasure.model.colour import Colours, Whiteness
from calcimeasure.model.density import DepositDensity, TotalDensity
from calcimeasure.model.deposit import Deposit, Excluded
from calcimeasure.model.image import Spacing
from calcimeasure.model.quantity import Quantity
from calcimeasure.report.plain_text import plain

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
        **_density_cells(numbers.density),
        "hydroxyapatite_source": numbers.density.hydroxyapatite_source if numbers.density else None,
        **_colour_cells(numbers.colours),
        **_area_sd_cells(numbers.area_mm2),
        "area_mm2_sd_unseen": dict(numbers.area_mm2.components).get("unseen") if numbers.area_mm2 else None,
        "spacing_sd_mm": image.spacing.sd_mm if image.spacing else None,
        "tilt_degrees": image.plane.tilt_degrees if image.plane else None,
    }


def sd_components(analysis: Analysis) -> dict[str, dict[str, float]]:
    """What the standard deviations of an image's row consist of, by column: a part for each source of error."""
    parts: dict[str, dict[str, float]] = {}
    if (spacing := analysis.image.spacing) is not None:
        known = spacing.components or ((spacing.origin.value, spacing.relative_sd),)
        parts["spacing_mm"] = {"sd": spacing.sd_mm, **{name: share * spacing.mean_mm for name, share in known}}
    if (area := analysis.measurement.area_mm2) is not None:
        parts["area_mm2"] = {"sd": area.sd or 0.0, **dict(area.components)}
    parts |= _density_parts(analysis.measurement.density, "")
    for deposit in analysis.measurement.deposits:
        parts |= _density_parts(deposit.density, f"deposit {deposit.label}: ")
    return parts


def _density_parts(density: DepositDensity | TotalDensity | None, whose: str) -> dict[str, dict[str, float]]:
    if density is None:
        return {}
    of = {
        "density_mmal_mean": density.mmal_mean,
        "al_volume_mm3": density.al_volume_mm3,
        "hydroxyapatite_mg_mm2": density.hydroxyapatite,
    }
    return {f"{whose}{name}": {"sd": q.sd or 0.0, **dict(q.components)} for name, q in of.items() if q is not None}


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
        **_density_cells(deposit.density),
        "contrast_relative": deposit.relative.value if deposit.relative else None,
        **_whiteness_cells(deposit.whiteness),
        **_area_sd_cells(deposit.area_mm2),
    }


def _area_sd_cells(area: Quantity | None) -> Row:
    """What the standard deviation of an area consists of."""
    parts = dict(area.components) if area else {}
    return {"area_mm2_sd_outline": parts.get("outline"), "area_mm2_sd_scale": parts.get("scale")}


def _density_cells(density: DepositDensity | TotalDensity | None) -> Row:
    """The cells of a density; none of them when nobody asked for it."""
    if density is None:
        return {}
    return {
        **_with_sd(density.mmal_mean, "density_mmal_mean", "density_mmal_sd"),
        **_with_sd(density.al_volume_mm3, "al_volume_mm3", "al_volume_mm3_sd"),
        **_with_sd(density.hydroxyapatite, "hydroxyapatite_mg_mm2", "hydroxyapatite_sd"),
        "density_reason": density.reason,
    }


def _colour_cells(colours: Colours | None) -> Row:
    """The cells of a photo's colour; none of them on a film."""
    if colours is None:
        return {}
    fit = colours.correction
    return {
        "whiteness_delta_e": colours.delta_e,
        "colour_card": fit.kind.value if fit else "none",
        "colour_error_before": fit.error_before if fit else None,
        "colour_error_after": fit.error_after if fit else None,
    }


def _whiteness_cells(whiteness: Whiteness | None) -> Row:
    if whiteness is None:
        return {}
    return {"whiteness_delta_e": whiteness.delta_e, "colour_card": whiteness.card.value if whiteness.card else "none"}


def _with_sd(quantity: Quantity | None, value: str, sd: str) -> Row:
    return {value: quantity.value if quantity else None, sd: quantity.sd if quantity else None}


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
    """A value as a cell: no control character in it, and an apostrophe before what a spreadsheet would run."""
    if value is None:
        return ""
    if isinstance(value, float):
        return _number(value)
    text = plain(str(value))
    return "'" + text if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else text


def _number(value: float) -> str:
    """Six decimals without trailing zeros; what is not finite was never measured, so it is empty."""
    return f"{value:.6f}".rstrip("0").rstrip(".") if math.isfinite(value) else ""
