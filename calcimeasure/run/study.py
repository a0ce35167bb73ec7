"""A whole trial, or the visits of one patient: measured, compared, judged and reported. One conductor for both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from calcimeasure.errors import MeasurementRefused, NothingToMeasure
from calcimeasure.io.given.inputs import Input
from calcimeasure.io.given.study_file import Source, film_name, films_of, read_study
from calcimeasure.io.results.masks import SUFFIX, read_labels
from calcimeasure.io.results.trial_report import write_findings
from calcimeasure.io.results.trial_results import TrialResults
from calcimeasure.model.study import Film, Interval, Status, Study, Subject, Verdict, Visit, plain_side
from calcimeasure.report.trial import TrialFindings
from calcimeasure.run.crew import Crew
from calcimeasure.run.job import Job
from calcimeasure.run.patient import intervals_of
from calcimeasure.run.processes import Processes
from calcimeasure.run.progress import Tell, remarks_told, unheard
from calcimeasure.run.trial import Advice, Trial, opened, trial_facts, trial_of
from calcimeasure.run.visits import forget_stale, work_through
from calcimeasure.steps.agreement.cohort import Cohort, cohort
from calcimeasure.steps.agreement.readers import Read, ReaderAgreement, ReaderPair, outlines_agree, readers_agree


@dataclass(frozen=True, slots=True)
class StudyRun:
    """What the run of a trial gave; its tables and reports lie in `out`.

    Parameters
    ----------
    out : Path
        Results folder.
    subjects, films, failed_films : int
        How many there are; films without those that the study file excludes.
    cohort : Cohort
        Every subject's changes, and the share that improved.
    interrupted : bool
        Whether the user broke the run off; `Begin.RESUME` goes on.
    """

    out: Path
    subjects: int
    films: int
    failed_films: int
    cohort: Cohort
    interrupted: bool = False

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """Every reported interval, subject by subject."""
        members = self.cohort.members
        return tuple(one for member in members for one in (member.primary, *member.others) if one)

    @property
    def failed_intervals(self) -> int:
        """How many comparisons ended in an error."""
        return sum(one.change.status is Status.FAILED for one in self.intervals)

    @property
    def verdicts(self) -> Mapping[Verdict, int]:
        """How many intervals have each verdict."""
        return Counter(one.change.verdict for one in self.intervals)

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.out / "report.html"

    def to_json(self) -> dict[str, Any]:
        """What `calcimeasure study --json` prints; percentages of the subjects that could be compared."""
        share = self.cohort.responders
        return {
            "out": str(self.out),
            "subjects": self.subjects,
            "films": self.films,
            "failed_films": self.failed_films,
            "intervals": len(self.intervals),
            "failed_intervals": self.failed_intervals,
            "verdicts": {verdict.value: count for verdict, count in self.verdicts.items()},
            "improved": share.successes if share else 0,
            "compared": share.trials if share else 0,
            "improved_percent": share and _percent(share.share),
            "improved_interval": share and [_percent(share.exact.low), _percent(share.exact.high)],
            "report": str(self.report),
        }


@dataclass(frozen=True, slots=True)
class FilmFile:
    """A film at one visit of a patient: where it lies, its label image if somebody drew one, and its side of the body.

    Raises
    ------
    MeasurementRefused
        For a side that is none.
    """

    path: Path
    mask: Path | None = None
    side: str | None = None

    def __post_init__(self) -> None:
        if self.side is not None and plain_side(self.side) is None:
            raise MeasurementRefused(f"a side is L, R or both, got {self.side!r}")


def run_study(
    table: Path | str, job: Job, advice: Advice | None = None, crew: Crew | None = None, tell: Tell = unheard
) -> StudyRun:
    """Measure and compare all visits of a trial, and write its tables and reports into `job.out`.

    Parameters
    ----------
    table : path
        The study file, a row for each film (`io.given.study_file`); relative paths in it begin in its folder.
    job : Job
        How films are measured, and where the results go.
    advice : Advice, optional
        What a person says of pairs of films.
    crew : Crew, optional
        Who does the work; one worker process when left out.
    tell : function of Progress, optional
        Hears of every film and interval. Ctrl-C ends the work; the tables are then of what is finished.

    Raises
    ------
    TableError
        When a table cannot be used as it stands.
    NothingToMeasure
        When every film of the study is excluded.
    OutputError
        When the results folder cannot be used.
    """
    table = Path(table)
    study = read_study(table)
    return _run(trial_of(study, films_of(study, table.resolve().parent), job, advice), crew, tell)


def compare_films(
    films: Sequence[FilmFile | Path | str],
    job: Job,
    advice: Advice | None = None,
    crew: Crew | None = None,
    tell: Tell = unheard,
) -> StudyRun:
    """Measure and compare films of one limb of one patient, the earliest first, and report as `run_study` does.

    Two films in memory, with their outlines, are compared by `calcimeasure.follow_up.compare_readings`, as here.

    Raises
    ------
    MeasurementRefused
        For fewer than two films.
    TableError, OutputError
        As `run_study`.
    """
    given = [one if isinstance(one, FilmFile) else FilmFile(Path(one)) for one in films]
    if len(given) < 2:
        raise MeasurementRefused("a comparison is of a baseline and at least one follow-up: give two films or more")
    return _run(trial_of(*_one_patient(given, job), advice), crew, tell)


def _one_patient(films: Sequence[FilmFile], job: Job) -> tuple[Study, dict[str, Source], Job]:
    """A study of one subject, its visits named by their order, where its films lie, and the job by their names."""
    scaled = job.for_films([Input(one.path, one.path.as_posix(), one.path.name) for one in films])
    visits, sources, errors = [], {}, {}
    for k, one in enumerate(films):
        name, path = "baseline" if k == 0 else "followup" if k == 1 else f"followup_{k}", one.path.as_posix()
        film = Film("patient", name, None, one.path.name, side=one.side, spacing_mm=scaled.spacing_of(path))
        item = Input(one.path, film_name(film), film_name(film))
        sources[item.name] = Source(film, item, one.mask)
        if (percent := scaled.spacing_sds_percent.get(path)) is not None:
            errors[item.image] = percent
        visits.append(Visit(name, None, (film,)))
    study = Study((Subject("patient", tuple(visits)),))
    return study, sources, replace(scaled, spacings_mm={}, spacing_sds_percent=errors)


def _run(trial: Trial, crew: Crew | None, tell: Tell) -> StudyRun:
    """Measure, compare and report."""
    if not trial.used:
        raise NothingToMeasure("nothing to measure: every film of the study is excluded")
    with opened(trial, trial_facts(trial)) as results, remarks_told(results, tell):
        interrupted = work_through(trial, results, crew or Processes(), tell)
        found = _finish(trial, results)
        failed = sum(record.failed for record in results.films.records())
    return StudyRun(trial.job.out, len(trial.study.subjects), len(trial.used), failed, found, interrupted)


def _percent(share: float) -> float:
    return round(100 * share, 1)


def _finish(trial: Trial, results: TrialResults) -> Cohort:
    """Write all tables and the reports from what stands in the journals; the cohort."""
    results.reread()
    forget_stale(trial, results)
    run = trial_facts(trial)
    results.write_films(run)
    found = cohort(
        trial.study, [one for subject in trial.study.subjects for one in intervals_of(trial, subject, results)]
    )
    results.write_changes(zip(trial.study.subjects, found.members, strict=True), trial.job.recipe.hash)
    findings = TrialFindings(trial.study, found, run | run["settings"], readers_of(trial, results))
    write_findings(trial.job.out, findings, results.picture_of, results.written.place)
    return found


def readers_of(trial: Trial, results: TrialResults) -> ReaderAgreement | None:
    """How well the readers agree in area and outlines; `None` unless two or more read the same three films or more."""
    read = [(one.film, results.films.record_of(name)) for name, one in trial.used.items() if one.film.reader]
    rows = [(film, record.row) for film, record in read if record is not None and not record.failed]
    unit = "area_mm2" if all(row["area_mm2"] not in (None, "") for _, row in rows) else "area_px"
    reads = [Read(_read_film(film), str(film.reader), float(row[unit])) for film, row in rows]
    try:
        found = readers_agree(reads)
    except MeasurementRefused:
        return None
    masks = {(_read_film(f), str(f.reader)): trial.job.out / "masks" / f"{row['name']}{SUFFIX}" for f, row in rows}
    return replace(found, pairs=tuple(_with_outlines(pair, masks) for pair in found.pairs))


def _read_film(film: Film) -> str:
    return f"{film.subject}/{film.visit}/{film.image}"


def _with_outlines(pair: ReaderPair, masks: Mapping[tuple[str, str], Path]) -> ReaderPair:
    """The pair of readers with Dice and detection, from the label images of the films that both read."""
    films = [film for film, reader in masks if reader == pair.first and (film, pair.second) in masks]
    drawn = (
        (read_labels(masks[film, pair.first], None), read_labels(masks[film, pair.second], None)) for film in films
    )
    return replace(pair, outlines=outlines_agree(drawn))
