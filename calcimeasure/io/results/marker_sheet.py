"""The marker sheet as a PDF to print at 100 %. The one door of reportlab."""

from __future__ import annotations

import io
from pathlib import Path

from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from calcimeasure.errors import OutputError
from calcimeasure.io.files import write_whole
from calcimeasure.steps.scale.sheet import GREY_MM, GREYS, PAGE_MM, MarkerSheet, Placed, marker_sheet

_CHECK_MM = 100


def write_marker_sheet(file: Path, size_mm: int = 20) -> None:
    """Write a page of markers of this side to print and lay beside the skin, as PDF.

    Raises
    ------
    OutputError
        When the file is there already or cannot be written.
    """
    if file.exists():
        raise OutputError(f"{file.name} is there already: name another file")
    write_whole(file, sheet_pdf(marker_sheet(size_mm)))


def sheet_pdf(sheet: MarkerSheet) -> bytes:
    """The sheet as one A4 page; the same sheet gives the same bytes."""
    data = io.BytesIO()
    canvas = Canvas(data, pagesize=(PAGE_MM[0] * mm, PAGE_MM[1] * mm), invariant=1)
    canvas.setTitle(f"calcimeasure marker sheet, {sheet.size_mm} mm")
    _draw_title(canvas, sheet)
    _draw_ruler(canvas, sheet)
    _draw_patches(canvas, sheet)
    for marker in sheet.markers:
        _draw_marker(canvas, marker)
    canvas.save()
    return data.getvalue()


def _y(y_mm: float) -> float:
    """A height of the page, down from its top in mm, as a PDF counts it: up from the bottom, in points."""
    return float((PAGE_MM[1] - y_mm) * mm)


def _draw_title(canvas: Canvas, sheet: MarkerSheet) -> None:
    x = sheet.ruler_mm[0] * mm
    canvas.setFont("Helvetica-Bold", 13)
    canvas.drawString(x, _y(20), f"calcimeasure marker sheet: black squares of {sheet.size_mm} mm")
    canvas.setFont("Helvetica", 9)
    canvas.drawString(
        x,
        _y(26),
        "Print at 100 % (no fit to page) on matt paper. Lay flat beside the lesion; photograph from above.",
    )
    canvas.drawString(
        x, _y(31), "If the line is not 100 mm long, give the measured side of a black square with --marker-mm."
    )


def _draw_ruler(canvas: Canvas, sheet: MarkerSheet) -> None:
    x, y = sheet.ruler_mm
    canvas.setLineWidth(0.25 * mm)
    for number in range(_CHECK_MM + 1):
        long = 5.0 if number % 10 == 0 else 3.8 if number % 5 == 0 else 2.5
        canvas.line((x + number) * mm, _y(y), (x + number) * mm, _y(y + long))
    canvas.setFont("Helvetica", 8)
    for number in range(0, _CHECK_MM + 1, 10):
        canvas.drawCentredString((x + number) * mm, _y(y + 8.5), str(number))
    canvas.drawString((x + _CHECK_MM + 5) * mm, _y(y + 3), f"measure me: {_CHECK_MM} mm")


def _draw_patches(canvas: Canvas, sheet: MarkerSheet) -> None:
    x, y = sheet.patches_mm
    for number, grey in enumerate(GREYS):
        canvas.setFillGray(_printed(grey))
        canvas.rect((x + number * GREY_MM) * mm, _y(y + GREY_MM), GREY_MM * mm, GREY_MM * mm, stroke=1, fill=1)
    canvas.setFillGray(0)


def _printed(reflectance: float) -> float:
    """Grey value that a printer following sRGB gives this reflectance (IEC 61966-2-1)."""
    return 12.92 * reflectance if reflectance <= 0.0031308 else 1.055 * float(reflectance ** (1 / 2.4)) - 0.055


def _draw_marker(canvas: Canvas, marker: Placed) -> None:
    """The whole square black, then its white modules: no hairline can open between black ones."""
    side = marker.side_mm * mm
    x, top = marker.x_mm * mm, _y(marker.y_mm)
    canvas.rect(x, top - side, side, side, stroke=0, fill=1)
    canvas.setFillGray(1)
    modules = marker.modules()
    module = side / len(modules)
    path = canvas.beginPath()
    for row, column in zip(*(~modules).nonzero(), strict=True):
        path.rect(x + float(column) * module, top - (float(row) + 1) * module, module, module)
    canvas.drawPath(path, stroke=0, fill=1)
    canvas.setFillGray(0)
