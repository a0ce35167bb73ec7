"""The commands about scale: calibrate, marker."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

import calcimeasure
from calcimeasure.cli.options import Json, KindChoice, KindOption, Paths, job_of
from calcimeasure.cli.scale import MarkerMm, RulerMm, ScaleOption, ScalePoints, Sizes, scale_request
from calcimeasure.cli.terminal import ALL_MEASURED, SOME_FAILED, as_lines, clear_errors, say, told


def calibrate(
    paths: Paths,
    marker_mm: MarkerMm = None,
    ruler_mm: RulerMm = None,
    scale_points: ScalePoints = None,
    kind: KindChoice = KindOption.AUTO,
    as_json: Json = False,
) -> None:
    """Find the scale: from two points, a printed marker, a ruler in the photo, or what the file says."""
    with clear_errors(), told() as tell:
        source = ScaleOption.AUTO if scale_points is None else ScaleOption.FILE
        request = scale_request(source, scale_points, Sizes(marker_mm, ruler_mm))
        found = list(calcimeasure.scales_of(paths, replace(job_of(Path(), kind), scale=request), tell))
        for one in found:
            print(json.dumps(one) if as_json else as_lines(one))
        raise typer.Exit(SOME_FAILED if any(one["spacing_row_mm"] is None for one in found) else ALL_MEASURED)


def marker(
    out: Annotated[Path, typer.Option("-o", "--out", help="PDF file to write.", show_default=False)],
    size: Annotated[int, typer.Option("--size", min=8, max=60, help="Side of a marker in millimetres.")] = 20,
) -> None:
    """Write a page of markers to print and lay beside the skin: it gives a photo its scale."""
    with clear_errors():
        calcimeasure.write_marker_sheet(out, size)
    say(f"{out}: print it at 100 %, then measure the line 'measure me: 100 mm' before you use it")
