"""The command that measures: measure."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

import calcimeasure
from calcimeasure.cli.options import (
    Frame,
    Jobs,
    Json,
    KindChoice,
    KindOption,
    MaxMegapixels,
    Out,
    Overwrite,
    Paths,
    RecipeFile,
    Resume,
    SpacingText,
    begin_of,
    job_of,
)
from calcimeasure.cli.scale import (
    Distances,
    MarkerMm,
    ObjectDistance,
    RulerMm,
    ScaleChoice,
    ScaleOption,
    ScalePoints,
    Sizes,
    SourceDistance,
    SpacingSd,
    scale_request,
)
from calcimeasure.cli.terminal import ALL_MEASURED, INTERRUPTED, SOME_FAILED, clear_errors, say, told


def measure(
    paths: Paths,
    out: Out,
    kind: KindChoice = KindOption.AUTO,
    spacing: SpacingText = None,
    spacing_sd: SpacingSd = None,
    scale: ScaleChoice = ScaleOption.FILE,
    marker_mm: MarkerMm = None,
    ruler_mm: RulerMm = None,
    scale_points: ScalePoints = None,
    object_distance: ObjectDistance = None,
    source_distance: SourceDistance = None,
    frame: Frame = None,
    recipe: RecipeFile = None,
    wedge: Annotated[
        str | None,
        typer.Option("--wedge", metavar="MM,MM,...", help="Aluminium step wedge on the films: mm of every step."),
    ] = None,
    masks: Annotated[
        Path | None, typer.Option("--masks", metavar="DIR", help="Measure these label images instead of segmenting.")
    ] = None,
    regions: Annotated[
        Path | None, typer.Option("--regions", metavar="DIR", help="Measure inside these regions only.")
    ] = None,
    jobs: Jobs = 1,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Threads per process [processors / jobs].")
    ] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    max_megapixels: MaxMegapixels = 400,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds after which a file is given up.")] = 300,
    as_json: Json = False,
) -> None:
    """Outline and measure the deposits of films and photos."""
    with clear_errors():
        begin = begin_of(resume, overwrite)
        job = _with_folders(job_of(out, kind, spacing, recipe), masks, regions)
        job = _with_spacing_sd(_with_wedge(job, wedge), spacing_sd)
        wanted = scale_request(
            scale, scale_points, Sizes(marker_mm, ruler_mm), Distances(object_distance, source_distance)
        )
        job = replace(job, frame=frame, scale=wanted, max_megapixels=max_megapixels, begin=begin)
        with told() as tell:
            found = calcimeasure.measure_folder(paths, job, calcimeasure.Processes(jobs, timeout, threads), tell)
        if as_json:
            print(json.dumps(found.to_json()))
        tell_run(found)
        raise typer.Exit(code_of(found))


def _with_spacing_sd(job: calcimeasure.Job, percent: float | None) -> calcimeasure.Job:
    if percent is not None and job.spacing_mm is None and job.spacing_table is None:
        raise typer.BadParameter("--spacing-sd is the error of --spacing: give both")
    return replace(job, spacing_sd_percent=percent)


def _with_folders(job: calcimeasure.Job, masks: Path | None, regions: Path | None) -> calcimeasure.Job:
    for folder, option in ((masks, "--masks"), (regions, "--regions")):
        if folder is not None and not folder.is_dir():
            raise typer.BadParameter(f"{option}: there is no folder {folder.name!r}")
    return replace(job, masks=masks, regions=regions)


def _with_wedge(job: calcimeasure.Job, steps: str | None) -> calcimeasure.Job:
    """The job with the user's wedge in its recipe; what else the recipe says of a wedge is kept."""
    if steps is None:
        return job
    try:
        thickness = tuple(float(mm) for mm in steps.split(","))
    except ValueError:
        raise typer.BadParameter(f"--wedge wants the mm of every step, as 1,2,3,4,5; got {steps!r}") from None
    recipe = job.recipe
    return replace(job, recipe=replace(recipe, wedge=replace(recipe.wedge, steps_mm=thickness)))


def code_of(found: calcimeasure.FolderRun) -> int:
    """The exit code of a run."""
    return INTERRUPTED if found.interrupted else SOME_FAILED if found.failed else ALL_MEASURED


def tell_run(found: calcimeasure.FolderRun) -> None:
    """Say how the run ended."""
    by_status = {"measured": found.measured, "proposed": found.proposed, "failed": found.failed}
    counts = ", ".join(f"{count} {name}" for name, count in by_status.items() if count)
    if found.interrupted:
        say(f"interrupted: {counts or 'nothing'} so far; --resume goes on")
    else:
        say(f"{counts}; report: {found.report}")
