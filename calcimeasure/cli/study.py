"""The commands about change: compare two visits, study a whole trial."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calcimeasure.cli.measure import job_of
from calcimeasure.cli.terminal import (
    ALL_MEASURED,
    INTERRUPTED,
    NOTHING,
    SOME_FAILED,
    Json,
    KindChoice,
    KindOption,
    MaxMegapixels,
    Out,
    SpacingText,
    clear_errors,
    progress,
    say,
    say_all,
)

if TYPE_CHECKING:
    from calcimeasure.follow_up import Guidance
    from calcimeasure.io.given.by_hand import ByHand
    from calcimeasure.io.results.trial_results import TrialResults
    from calcimeasure.run.films import Job
    from calcimeasure.run.trial import Trial
    from calcimeasure.steps.agreement.cohort import Cohort

RecipeFile = Annotated[Path | None, typer.Option("--recipe", metavar="FILE.toml", help="Settings to use.")]
ProfileFile = Annotated[
    Path | None,
    typer.Option("--profile", metavar="PROFILE.json", help="Precision profile measured by `repeatability`."),
]
Overrides = Annotated[
    Path | None, typer.Option("--overrides", metavar="FILE.csv", help="Matches of deposits made by hand.")
]
Landmarks = Annotated[
    Path | None, typer.Option("--landmarks", metavar="FILE.csv", help="Points that both films show, three or more.")
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Worker processes.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where a run stopped.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Delete our results in the folder and begin again.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds after which a film is given up.")]
Mirrored = Annotated[bool, typer.Option("--mirrored", help="The films show the limb mirrored, and you know.")]


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
        films, masks = _given(films, masks or [])
        job = replace(job_of(out, kind, spacing, None, recipe), max_megapixels=max_megapixels)
        pace = Pace(jobs, timeout, resume, overwrite)
        study, sources, job = _one_patient(films, masks, side, job)
        trial = _trial(study, sources, paced(job, pace), _guidance(profile, mirrored), _by_hand(landmarks, overrides))
        raise typer.Exit(_run(trial, pace, as_json))


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
        job = replace(job_of(out, kind, None, None, recipe), max_megapixels=max_megapixels)
        pace = Pace(jobs, timeout, resume, overwrite)
        trial = trial_in(table, paced(job, pace), _guidance(profile, False), _by_hand(landmarks, overrides))
        raise typer.Exit(_run(trial, pace, as_json))


# --- what the user asked for ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pace:
    """How many processes, how long one film may take, and what to do with what is there already."""

    jobs: int = 1
    seconds: float = 300
    resume: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.resume and self.overwrite:
            raise typer.BadParameter("choose one of --resume and --overwrite")


def paced(job: Job, pace: Pace) -> Job:
    """The job with as many threads as the processes leave each other."""
    return replace(job, threads=max(1, (os.cpu_count() or 1) // pace.jobs))


def trial_in(table: Path, job: Job, guidance: Guidance, by_hand: ByHand) -> Trial:
    """The trial that a study file tells."""
    from calcimeasure.io.given.study_file import films_of, read_study

    told = read_study(table)
    return _trial(told, films_of(told, table.resolve().parent), job, guidance, by_hand)


def _trial(study: Any, sources: Any, job: Job, guidance: Guidance, by_hand: ByHand) -> Trial:
    from calcimeasure.run.trial import trial_of

    return trial_of(study, sources, job, guidance, by_hand)


def _given(films: Sequence[Path], masks: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Films and masks as given; `--masks BASE FOLLOW` leaves all but the first mask behind the films."""
    films, masks = list(films), list(masks)
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
    return films, masks


def _one_patient(films: Sequence[Path], masks: Sequence[Path], side: str | None, job: Job) -> tuple[Any, Any, Job]:
    """A study of one subject, its visits named by their order, where its films lie, and the job by their names."""
    from calcimeasure.model.study import plain_side

    if side is not None and plain_side(side) is None:
        raise typer.BadParameter(f"--side is L, R or both, got {side!r}")
    from calcimeasure.io.given.inputs import Input
    from calcimeasure.io.given.study_file import Source, film_name
    from calcimeasure.model.study import Film, Study, Subject, Visit

    scaled = job.for_films([Input(path, path.as_posix(), path.name) for path in films])
    visits, sources, errors = [], {}, {}
    for k, path in enumerate(films):
        name = "baseline" if k == 0 else "followup" if k == 1 else f"followup_{k}"
        film = Film("patient", name, None, path.name, side=side, spacing_mm=scaled.spacing_of(path.as_posix()))
        item = Input(path, film_name(film), film_name(film))
        sources[item.name] = Source(film, item, masks[k] if masks else None)
        if (percent := scaled.spacing_sds_percent.get(path.as_posix())) is not None:
            errors[item.image] = percent
        visits.append(Visit(name, None, (film,)))
    study = Study((Subject("patient", tuple(visits)),))
    return study, sources, replace(scaled, spacings_mm={}, spacing_sds_percent=errors)


def _guidance(profile: Path | None, mirrored: bool) -> Guidance:
    from calcimeasure.follow_up import Guidance

    return replace(Guidance(mirrored=mirrored), **({"profile": profile_in(profile)} if profile else {}))


def profile_in(path: Path) -> Any:
    """The precision profile in a file; a file that is none is an error that names it."""
    from calcimeasure.errors import TableError
    from calcimeasure.model.precision import Precision

    try:
        return Precision.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise TableError(f"cannot read the precision profile {path.name}: {type(error).__name__}") from error


def _by_hand(landmarks: Path | None, overrides: Path | None) -> ByHand:
    from calcimeasure.io.given.by_hand import ByHand, read_landmarks, read_overrides

    return ByHand(
        read_overrides(overrides) if overrides else {},
        read_landmarks(landmarks) if landmarks else {},
    )


# --- the run ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of a trial gave: its summary, its cohort, and whether the user broke it off."""

    summary: dict[str, Any]
    cohort: Cohort
    interrupted: bool = False

    @property
    def code(self) -> int:
        """The exit code."""
        if self.interrupted:
            return INTERRUPTED
        return SOME_FAILED if self.summary["failed_films"] or self.summary["failed_intervals"] else ALL_MEASURED


def run_sample_study(folder: Path, out: Path, jobs: int) -> Outcome:
    """Run the drawn trial that comes with the package."""
    pace = Pace(jobs, overwrite=out.exists())
    job = replace(paced(job_of(out, KindOption.AUTO, None, None, None), pace), demo=True)
    return _outcome(trial_in(folder / "study.csv", job, _guidance(None, False), _by_hand(None, None)), pace)


def _run(trial: Trial, pace: Pace, as_json: bool) -> int:
    """Measure, compare and report; the exit code."""
    if not trial.used:
        say("nothing to measure: every film of the study is excluded")
        return NOTHING
    found = _outcome(trial, pace)
    if as_json:
        print(json.dumps(found.summary))
    tell_study(found)
    return found.code


def _outcome(trial: Trial, pace: Pace) -> Outcome:
    from calcimeasure.io.results.opening import check_apart
    from calcimeasure.io.results.trial_results import open_trial
    from calcimeasure.run.trial import finish, trial_facts

    inputs = [one.item for one in trial.used.values()]
    check_apart(trial.job.out, [*trial.job.reads, *(item.path for item in inputs)])
    results = open_trial(trial.job.out, inputs, trial_facts(trial), resume=pace.resume, overwrite=pace.overwrite)
    with results:
        say_all(results.remarks)
        interrupted = _work_through(trial, results, pace)
        cohort = finish(trial, results)
        return Outcome(_summary(trial, results, cohort), cohort, interrupted)


def _work_through(trial: Trial, results: TrialResults, pace: Pace) -> bool:
    """Measure all films, then compare all visits; whether the user broke it off."""
    try:
        with progress(len(trial.used)) as step:
            follow(_films(trial, results, pace), step)
        with progress(len(trial.spans)) as step:
            follow(_visits(trial, results, pace), step)
    except KeyboardInterrupt:
        return True
    return False


def follow(news: Iterator[str], step: Any) -> None:
    """Say what is new, step by step; an empty text is a step without news."""
    for text in news:
        if text:
            say(text)
        step()


def _films(trial: Trial, results: TrialResults, pace: Pace) -> Iterator[str]:
    """What to say of each film as it is finished; nothing when all is well."""
    from calcimeasure.run.trial import measure_films

    for record in measure_films(trial, results, pace.jobs, pace.seconds):
        yield f"failed: {record.image}: {record.row['error']}" if record and record.failed else ""


def _visits(trial: Trial, results: TrialResults, pace: Pace) -> Iterator[str]:
    from calcimeasure.run.trial import compare_visits

    for record in compare_visits(trial, results, pace.jobs, 2 * pace.seconds):
        told = record.name.replace("\t", " ") if record else ""
        yield f"failed: {told}: {record.error}" if record and record.error else ""


def _summary(trial: Trial, results: TrialResults, cohort: Cohort) -> dict[str, Any]:
    every = [one for member in cohort.members for one in (member.primary, *member.others) if one]
    verdicts = Counter(one.change.verdict.value for one in every)
    share = cohort.responders
    return {
        "out": str(trial.job.out),
        "subjects": len(trial.study.subjects),
        "films": len(trial.used),
        "failed_films": sum(record.failed for record in results.films.records()),
        "intervals": len(every),
        "failed_intervals": sum(one.change.status.value == "failed" for one in every),
        "verdicts": dict(verdicts),
        "improved": share.successes if share else 0,
        "compared": share.trials if share else 0,
        "improved_percent": None if share is None else round(100 * share.share, 1),
        "improved_interval": None
        if share is None
        else [round(100 * share.exact.low, 1), round(100 * share.exact.high, 1)],
        "report": str(trial.job.out / "report.html"),
    }


def tell_study(found: Outcome) -> None:
    """Say the verdict, or how many improved, and where the report lies."""
    summary, cohort = found.summary, found.cohort
    if found.interrupted:
        say(f"interrupted: {summary['intervals']} intervals so far; --resume goes on")
        return
    for member in cohort.members[:1] if len(cohort.members) == 1 else ():
        every = [one for one in (member.primary, *member.others) if one]
        told = [_one_line(one) for one in sorted(every, key=_by_visit)]
        say("\n".join(told) or member.reason)
    if len(cohort.members) > 1:
        say(_cohort_line(summary))
    say(f"report: {summary['report']}")


def _by_visit(interval: Any) -> tuple[str, str]:
    """By date, where there is one, and name: `compare` numbers its visits in the order given."""
    return str(interval.followup.date or ""), interval.followup.name


def _one_line(interval: Any) -> str:
    """The verdict on one interval, in words."""
    change = interval.change
    percent = "" if change.percent is None else f", {change.percent:+.1f} %"
    if change.percent_interval:
        percent += f" ({change.percent_interval[0]:.1f} to {change.percent_interval[1]:.1f})"
    words = change.verdict.value.replace("_", " ")
    return f"{interval.baseline.name} to {interval.followup.name}: {words}{percent}: {change.reason}"


def _cohort_line(summary: dict[str, Any]) -> str:
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(summary["verdicts"].items()))
    if not summary["compared"]:
        return f"{summary['subjects']} subjects: nobody could be compared ({counts or 'no interval'})"
    low, high = summary["improved_interval"]
    return (
        f"{summary['improved']} of {summary['compared']} subjects improved: {summary['improved_percent']} % "
        f"({low}-{high} %); {counts}"
    )
