"""The command about measurement error: repeatability."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

import calcimeasure
from calcimeasure.cli.options import (
    Jobs,
    Json,
    KindChoice,
    KindOption,
    Out,
    Overwrite,
    RecipeFile,
    Resume,
    Timeout,
    begin_of,
    job_of,
)
from calcimeasure.cli.terminal import ALL_MEASURED, INTERRUPTED, SOME_FAILED, clear_errors, say, told


def repeatability(
    table: Annotated[Path, typer.Argument(metavar="SCANS.csv", help="One row for each repeat.", show_default=False)],
    out: Out,
    kind: KindChoice = KindOption.AUTO,
    recipe: RecipeFile = None,
    jobs: Jobs = 1,
    resume: Resume = False,
    overwrite: Overwrite = False,
    timeout: Timeout = 300,
    as_json: Json = False,
) -> None:
    """Say how far repeats of an unchanged state lie apart, and write the precision profile for compare and study."""
    with clear_errors():
        begin = begin_of(resume, overwrite)
        job = replace(job_of(out, kind, recipe=recipe), begin=begin)
        with told() as tell:
            found = calcimeasure.repeatability_of(table, job, calcimeasure.Processes(jobs, timeout), tell)
        if as_json:
            print(json.dumps(found.to_json()))
        _tell(found)
        raise typer.Exit(INTERRUPTED if found.interrupted else SOME_FAILED if found.failed else ALL_MEASURED)


def _tell(found: calcimeasure.RepeatsRun) -> None:
    if found.interrupted:
        say("interrupted; --resume goes on")
        return
    for one in found.study.sets:
        figures = {row.figure: row for row in found.study.figures(one)}
        if (rc := figures.get("RC")) is not None and rc.value is not None and rc.upper is not None:
            say(
                f"{one.of} ({len(one.groups)}): wSD {figures['wSD'].value:.3g} {rc.unit}, "
                f"repeatability coefficient {rc.value:.3g} (at most {rc.upper:.3g}) {rc.unit}"
            )
    for note in found.study.notes:
        say(note)
    say(f"{f'{found.failed} failed; ' if found.failed else ''}report: {found.report}")
