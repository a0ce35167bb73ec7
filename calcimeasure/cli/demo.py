"""The command that shows all others: the sample images measured, the sample study judged."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from calcimeasure.cli.measure import Request, Speed, job_of, measured, tell_run
from calcimeasure.cli.study import run_sample_study, tell_study
from calcimeasure.cli.terminal import ALL_MEASURED, INTERRUPTED, SOME_FAILED, Json, KindOption, clear_errors

#: The drawn trial among the sample images.
SAMPLE_STUDY = "ivig_study"


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")] = Path("calcimeasure-demo"),
    as_json: Json = False,
) -> None:
    """Measure the sample images that come with the package, run the sample study, and say where the reports lie."""
    with clear_errors():
        samples = _sample_images()
        job = replace(job_of(out, KindOption.AUTO, str(samples / "spacing.csv"), None, None), demo=True)
        request = Request((samples,), out, resume=False, overwrite=out.exists(), leave_out=f"{SAMPLE_STUDY}/")
        jobs = min(2, os.cpu_count() or 1)
        summary, interrupted = measured(request, job, Speed(jobs))
        tell_run(summary, interrupted, False)
        if interrupted:
            raise typer.Exit(INTERRUPTED)
        found = run_sample_study(samples / SAMPLE_STUDY, out / SAMPLE_STUDY, jobs)
        tell_study(found)
        if as_json:
            print(json.dumps({**summary, "study": found.summary}))
        raise typer.Exit(found.code or (SOME_FAILED if summary["failed"] else ALL_MEASURED))


def _sample_images() -> Path:
    """The sample images: inside the installed package, or beside it in a checkout."""
    home = Path(__file__).parents[1]
    places = (home / "sample_images", home.parent / "sample_images")
    return next((place for place in places if place.is_dir()), places[0])
