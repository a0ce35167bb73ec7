"""The commands about change: compare two visits, study a whole trial."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import calcimeasure
from calcimeasure.cli.options import (
    Jobs,
    Json,
    KindChoice,
    KindOption,
    Landmarks,
    MaxMegapixels,
    Mirrored,
    Out,
    Overrides,
    Overwrite,
    ProfileFile,
    RecipeFile,
    Resume,
    SpacingText,
    Timeout,
    begin_of,
    job_of,
)
from calcimeasure.cli.terminal import ALL_MEASURED, INTERRUPTED, SOME_FAILED, clear_errors, say, told
from calcimeasure.errors import MeasurementRefused
from calcimeasure.report.words import in_one

if TYPE_CHECKING:
    from calcimeasure.model.study import Interval


def compare(
    films: Annotated[
        list[Path],
        typer.Argument(
            metavar="BASELINE FOLLOWUP [MORE...]", help="Films of one limb, the earliest first.", show_default=False
        ),
    ],
    out: Out,
    kind: KindChoice = KindOption.AUTO,
    spacing: SpacingText = None,
    masks: Annotated[
        list[Path] | None,
        typer.Option("--masks", metavar="FILE", help="A label image to measure, once for each film, in their order."),
    ] = None,
    side: Annotated[str | None, typer.Option("--side", metavar="L|R", help="Side of the body.")] = None,
    landmarks: Landmarks = None,
    overrides: Overrides = None,
    mirrored: Mirrored = False,
    recipe: RecipeFile = None,
    profile: ProfileFile = None,
    jobs: Jobs = 1,
    resume: Resume = False,
    overwrite: Overwrite = False,
    timeout: Timeout = 300,
    max_megapixels: MaxMegapixels = 400,
    as_json: Json = False,
) -> None:
    """Compare two or more visits of one patient: deposit by deposit and in total."""
    with clear_errors():
        given = _given(films, masks or [], side)
        job = replace(job_of(out, kind, spacing, recipe), max_megapixels=max_megapixels)
        job = replace(job, begin=begin_of(resume, overwrite))
        advice = calcimeasure.Advice.in_files(profile, overrides, landmarks, mirrored=mirrored)
        with told() as tell:
            found = calcimeasure.compare_films(given, job, advice, calcimeasure.Processes(jobs, timeout), tell)
        raise typer.Exit(_ended(found, as_json))


def study(
    table: Annotated[Path, typer.Argument(metavar="STUDY.csv", help="One row for each film.", show_default=False)],
    out: Out,
    kind: KindChoice = KindOption.AUTO,
    landmarks: Landmarks = None,
    overrides: Overrides = None,
    recipe: RecipeFile = None,
    profile: ProfileFile = None,
    jobs: Jobs = 1,
    resume: Resume = False,
    overwrite: Overwrite = False,
    timeout: Timeout = 300,
    max_megapixels: MaxMegapixels = 400,
    as_json: Json = False,
) -> None:
    """Measure and compare all visits of a trial, and write its report."""
    with clear_errors():
        job = replace(job_of(out, kind, recipe=recipe), max_megapixels=max_megapixels)
        job = replace(job, begin=begin_of(resume, overwrite))
        advice = calcimeasure.Advice.in_files(profile, overrides, landmarks)
        with told() as tell:
            found = calcimeasure.run_study(table, job, advice, calcimeasure.Processes(jobs, timeout), tell)
        raise typer.Exit(_ended(found, as_json))


def _given(films: list[Path], masks: list[Path], side: str | None) -> list[calcimeasure.FilmFile]:
    """Films with their masks; `--masks BASE FOLLOW` leaves all but the first mask behind the films."""
    if masks and len(films) > len(masks) and (len(films) + len(masks)) % 2 == 0:
        half = (len(films) + len(masks)) // 2
        films, masks = films[:half], [*masks, *films[half:]]
    if len(films) < 2:
        raise typer.BadParameter("compare wants a baseline and at least one follow-up")
    if masks and len(masks) != len(films):
        raise typer.BadParameter(f"--masks wants one label image for each of the {len(films)} films, got {len(masks)}")
    for path in (*films, *masks):
        if not path.is_file():
            raise typer.BadParameter(f"there is no file {path.name!r}")
    try:
        return [calcimeasure.FilmFile(film, mask, side) for film, mask in zip_longest(films, masks)]
    except MeasurementRefused:
        raise typer.BadParameter(f"--side is L, R or both, got {side!r}") from None


def _ended(found: calcimeasure.StudyRun, as_json: bool) -> int:
    """Tell what the run of a trial gave; the exit code."""
    if as_json:
        print(json.dumps(found.to_json()))
    tell_study(found)
    return code_of(found)


def code_of(found: calcimeasure.StudyRun) -> int:
    """The exit code of a run."""
    if found.interrupted:
        return INTERRUPTED
    return SOME_FAILED if found.failed_films or found.failed_intervals else ALL_MEASURED


def tell_study(found: calcimeasure.StudyRun) -> None:
    """Say the verdict, or how many improved, and where the report lies."""
    members = found.cohort.members
    if found.interrupted:
        say(f"interrupted: {len(found.intervals)} intervals so far; --resume goes on")
        return
    for member in members[:1] if len(members) == 1 else ():
        every = [one for one in (member.primary, *member.others) if one]
        told = [_one_line(one) for one in sorted(every, key=_by_visit)]
        say("\n".join(told) or in_one(member.reason))
    if len(members) > 1:
        say(_cohort_line(found))
    say(f"report: {found.report}")


def _by_visit(interval: Interval) -> tuple[str, str]:
    """By date, where there is one, and name: `compare` numbers its visits in the order given."""
    return str(interval.followup.date or ""), interval.followup.name


def _one_line(interval: Interval) -> str:
    """The verdict on one interval, in words."""
    change = interval.change
    percent = "" if change.percent is None else f", {change.percent:+.1f} %"
    if change.percent_interval:
        percent += f" ({change.percent_interval[0]:.1f} to {change.percent_interval[1]:.1f})"
    words = change.verdict.value.replace("_", " ")
    return f"{interval.baseline.name} to {interval.followup.name}: {words}{percent}: {in_one(change.reason)}"


def _cohort_line(found: calcimeasure.StudyRun) -> str:
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(found.verdicts.items()))
    told = found.to_json()
    if not told["compared"]:
        return f"{told['subjects']} subjects: nobody could be compared ({counts or 'no interval'})"
    low, high = told["improved_interval"]
    return (
        f"{told['improved']} of {told['compared']} subjects improved: {told['improved_percent']} % "
        f"({low}-{high} %); {counts}"
    )
