"""The command that shows all others: the sample images measured, the sample study judged."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

import calcimeasure
from calcimeasure.cli import measure, study
from calcimeasure.cli.options import Json
from calcimeasure.cli.terminal import ALL_MEASURED, INTERRUPTED, SOME_FAILED, clear_errors, told

#: The drawn trial among the sample images.
SAMPLE_STUDY = "ivig_study"


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")] = Path("calcimeasure-demo"),
    as_json: Json = False,
) -> None:
    """Measure the sample images that come with the package, run the sample study, and say where the reports lie."""
    with clear_errors():
        samples, crew = _sample_images(), calcimeasure.Processes(min(2, os.cpu_count() or 1))
        job = replace(
            _job(out), leave_out=f"{SAMPLE_STUDY}/", spacing_table=calcimeasure.read_spacings(samples / "spacing.csv")
        )
        with told() as tell:
            found = calcimeasure.measure_folder([samples], job, crew, tell)
        measure.tell_run(found)
        if found.interrupted:
            raise typer.Exit(INTERRUPTED)
        with told() as tell:
            trial = calcimeasure.run_study(
                samples / SAMPLE_STUDY / "study.csv", _job(out / SAMPLE_STUDY), None, crew, tell
            )
        study.tell_study(trial)
        if as_json:
            print(json.dumps({**found.to_json(), "study": trial.to_json()}))
        raise typer.Exit(study.code_of(trial) or (SOME_FAILED if found.failed else ALL_MEASURED))


def _job(out: Path) -> calcimeasure.Job:
    begin = calcimeasure.Begin.OVERWRITE if out.exists() else calcimeasure.Begin.NEW
    return calcimeasure.Job(out, begin=begin, demo=True)


def _sample_images() -> Path:
    """The sample images: inside the installed package, or beside it in a checkout."""
    home = Path(__file__).parents[1]
    places = (home / "sample_images", home.parent / "sample_images")
    return next((place for place in places if place.is_dir()), places[0])
