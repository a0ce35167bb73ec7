"""The commands about scale: calibrate, marker."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calcimeasure.cli.measure import job_of
from calcimeasure.cli.scale import MarkerMm, RulerMm, ScaleOption, ScalePoints, Sizes, scale_request
from calcimeasure.cli.terminal import (
    ALL_MEASURED,
    SOME_FAILED,
    Json,
    KindChoice,
    KindOption,
    Paths,
    as_lines,
    clear_errors,
    found_inputs,
    say,
)
from calcimeasure.errors import CalcimeasureError, OutputError

if TYPE_CHECKING:
    from calcimeasure.run.films import Job


def calibrate(
    paths: Paths,
    marker_mm: MarkerMm = None,
    ruler_mm: RulerMm = None,
    scale_points: ScalePoints = None,
    kind: KindChoice = KindOption.AUTO,
    as_json: Json = False,
) -> None:
    """Find the scale: from two points, a printed marker, a ruler in the photo, or what the file says."""
    with clear_errors():
        source = ScaleOption.AUTO if scale_points is None else ScaleOption.FILE
        request = scale_request(source, scale_points, Sizes(marker_mm, ruler_mm))
        job = replace(job_of(Path(), kind, None, None, None), scale=request)
        found = [_scale_facts(item, job) for item in found_inputs(paths, None).files]
        for one in found:
            print(json.dumps(one) if as_json else as_lines(one))
        raise typer.Exit(SOME_FAILED if any(one["spacing_row_mm"] is None for one in found) else ALL_MEASURED)


def marker(
    out: Annotated[Path, typer.Option("-o", "--out", help="PDF file to write.", show_default=False)],
    size: Annotated[int, typer.Option("--size", min=8, max=60, help="Side of a marker in millimetres.")] = 20,
) -> None:
    """Write a page of markers to print and lay beside the skin: it gives a photo its scale."""
    from calcimeasure.io.files import write_whole
    from calcimeasure.io.results.marker_sheet import sheet_pdf
    from calcimeasure.steps.scale import marker_sheet

    with clear_errors():
        if out.exists():
            raise OutputError(f"{out.name} is there already: name another file")
        write_whole(out, sheet_pdf(marker_sheet(size)))
    say(f"{out}: print it at 100 %, then measure the line 'measure me: 100 mm' before you use it")


def _scale_facts(item: Any, job: Job) -> dict[str, Any]:
    """The scale of one file, or why there is none: one object of ``calibrate --json``."""
    from calcimeasure.io.results.tables import spacing_cells

    scale, spacing, error = None, None, ""
    try:
        scale, spacing = _scale(item, job)
    except CalcimeasureError as refusal:
        error = str(refusal)
    cells = spacing_cells(spacing)
    origin = cells.pop("spacing_origin")
    return {
        "image": item.image,
        "method": scale.method.value if scale and scale.method else origin,
        **cells,
        "sd": spacing.sd_mm if spacing else None,
        "unsure": scale.unsure if scale else spacing is None,
        "reason": error or (scale.reason if scale else ""),
        "tilt_degrees": scale.tilt_degrees if scale else None,
    }


def _scale(item: Any, job: Job) -> tuple[Any, Any]:
    """The scale found in the picture and its spacing; a film's own spacing where the picture is no photo."""
    from calcimeasure.io.images.read import read_image
    from calcimeasure.model.image import Kind
    from calcimeasure.steps.scale import scale_in_picture

    image = read_image(item.path, kind=Kind(job.kind) if job.kind else None)
    found = scale_in_picture(image, job.scale)
    if found is None and image.spacing is None:
        raise CalcimeasureError(f"{item.path.name} holds no scale: give two points with --scale-points")
    return found, found.spacing if found else image.spacing
