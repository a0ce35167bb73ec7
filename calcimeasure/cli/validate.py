"""The command that holds automatic outlines against true ones: validate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

import calcimeasure
from calcimeasure.cli.measure import code_of
from calcimeasure.cli.options import (
    Jobs,
    Json,
    KindChoice,
    KindOption,
    Out,
    Overwrite,
    Paths,
    RecipeFile,
    Resume,
    SpacingText,
    Timeout,
    begin_of,
    job_of,
)
from calcimeasure.cli.terminal import INTERRUPTED, clear_errors, say, told


def validate(
    paths: Paths,
    truth: Annotated[
        Path, typer.Option("--truth", metavar="DIR", help="Label images that are taken for true.", show_default=False)
    ],
    out: Out,
    sources: Annotated[
        Path | None,
        typer.Option("--sources", metavar="CSV", help="Where films come from: image,source [their sub-folder]."),
    ] = None,
    kind: KindChoice = KindOption.AUTO,
    spacing: SpacingText = None,
    recipe: RecipeFile = None,
    jobs: Jobs = 1,
    resume: Resume = False,
    overwrite: Overwrite = False,
    timeout: Timeout = 300,
    as_json: Json = False,
) -> None:
    """Hold automatic outlines of your own films against true ones: what is found, what is false, how areas compare."""
    with clear_errors():
        begin = begin_of(resume, overwrite)
        if not truth.is_dir():
            raise typer.BadParameter(f"--truth: there is no folder {truth.name!r}")
        true = calcimeasure.Truth(truth, calcimeasure.read_sources(sources) if sources else {})
        job, crew = replace(job_of(out, kind, spacing, recipe), begin=begin), calcimeasure.Processes(jobs, timeout)
        with told() as tell:
            found = calcimeasure.validate_folder(paths, true, job, crew, tell)
        if as_json:
            print(json.dumps(found.to_json()))
        _tell(found)
        raise typer.Exit(code_of(found.folder))


def _tell(found: calcimeasure.ValidationRun) -> None:
    if code_of(found.folder) == INTERRUPTED:
        say(f"interrupted: {found.whole.films} films so far; --resume goes on")
        return
    for row in found.whole.figures:
        between = "" if row.interval is None else f" ({row.interval.low:.3g} to {row.interval.high:.3g})"
        say(f"{row.figure}: {row.value:.3g}{between}, {row.number} {row.of}")
    if found.left_out:
        say(f"{len(found.left_out)} films were left out: see film_scores.csv")
    say(f"report: {found.report}")
