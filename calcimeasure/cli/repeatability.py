"""The command about measurement error: repeatability."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calcimeasure.cli.measure import job_of
from calcimeasure.cli.study import Jobs, Overwrite, Pace, RecipeFile, Resume, Timeout, follow, paced
from calcimeasure.cli.terminal import (
    ALL_MEASURED,
    INTERRUPTED,
    SOME_FAILED,
    Json,
    KindChoice,
    KindOption,
    Out,
    clear_errors,
    progress,
    remarks_told,
    say,
)

if TYPE_CHECKING:
    from calcimeasure.io.results.trial_results import TrialResults
    from calcimeasure.run.repeats import Repeats
    from calcimeasure.steps.agreement.repeats import RepeatStudy


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
        from calcimeasure.io.given.repeats_file import read_repeats
        from calcimeasure.run.repeats import repeats_of

        pace = Pace(jobs, timeout, resume, overwrite)
        job = paced(job_of(out, kind, None, None, recipe), pace)
        raise typer.Exit(_run(repeats_of(read_repeats(table), table.resolve().parent, job), pace, as_json))


def _run(repeats: Repeats, pace: Pace, as_json: bool) -> int:
    """Measure, compare pairs, and write; the exit code."""
    from calcimeasure.io.results.opening import check_apart
    from calcimeasure.io.results.trial_results import open_trial
    from calcimeasure.run.repeats import finish_repeats

    inputs = [one.item for one in repeats.trial.used.values()]
    out = repeats.trial.job.out
    check_apart(out, [*repeats.trial.job.reads, *(item.path for item in inputs)])
    opened = open_trial(out, inputs, repeats.facts, resume=pace.resume, overwrite=pace.overwrite)
    with opened as results, remarks_told(results):
        interrupted = _work_through(repeats, results, pace)
        found = finish_repeats(repeats, results)
        failed = sum(record.failed for record in results.films.records())
    if as_json:
        print(json.dumps(_summary(repeats, found, failed)))
    _tell(out, found, failed, interrupted)
    return INTERRUPTED if interrupted else SOME_FAILED if failed else ALL_MEASURED


def _work_through(repeats: Repeats, results: TrialResults, pace: Pace) -> bool:
    """Measure all pictures, then compare their pairs; whether the user broke it off."""
    if repeats.by_area:
        return False
    try:
        with progress(len(repeats.trial.used)) as step:
            follow(_pictures(repeats, results, pace), step)
        with progress(len(repeats.trial.spans)) as step:
            follow(_pairs(repeats, results, pace), step)
    except KeyboardInterrupt:
        return True
    return False


def _pictures(repeats: Repeats, results: TrialResults, pace: Pace) -> Iterator[str]:
    from calcimeasure.run.trial import measure_films

    for record in measure_films(repeats.trial, results, pace.jobs, pace.seconds):
        yield f"failed: {record.image}: {record.row['error']}" if record and record.failed else ""


def _pairs(repeats: Repeats, results: TrialResults, pace: Pace) -> Iterator[str]:
    from calcimeasure.run.trial import compare_visits

    for record in compare_visits(repeats.trial, results, pace.jobs, 2 * pace.seconds):
        told = record.name.replace("\t", " ") if record else ""
        yield f"failed: {told}: {record.error}" if record and record.error else ""


def _summary(repeats: Repeats, found: RepeatStudy, failed: int) -> dict[str, Any]:
    out = repeats.trial.job.out
    profile = out / "profile.json"
    return {
        "out": str(out),
        "repeats": len(repeats.given),
        "failed": failed,
        **{one.of.value: len(one.groups) for one in found.sets},
        "profile": str(profile) if profile.exists() else None,
        "report": str(out / "report.html"),
    }


def _tell(out: Path, found: RepeatStudy, failed: int, interrupted: bool) -> None:
    if interrupted:
        say("interrupted; --resume goes on")
        return
    for one in found.sets:
        told = {row.figure: row for row in found.figures(one)}
        if (rc := told.get("RC")) is not None and rc.value is not None and rc.upper is not None:
            say(
                f"{one.of} ({len(one.groups)}): wSD {told['wSD'].value:.3g} {rc.unit}, "
                f"repeatability coefficient {rc.value:.3g} (at most {rc.upper:.3g}) {rc.unit}"
            )
    for note in found.notes:
        say(note)
    say(f"{f'{failed} failed; ' if failed else ''}report: {out / 'report.html'}")
