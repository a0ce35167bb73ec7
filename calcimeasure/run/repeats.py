"""A repeatability study: every picture measured as `measure` does, pairs of them compared as `compare` does.

The pictures of one place are its repeats, told apart by their names. The first and the second of these, the third and
the fourth and so on are laid on each other, so that every picture is in one pair at most and the pairs are independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from calcimeasure.follow_up import Guidance
from calcimeasure.io.given.repeats_file import Given, read_repeats, study_of
from calcimeasure.io.given.study_file import films_of
from calcimeasure.io.results import columns
from calcimeasure.io.results.interval_record import IntervalRecord
from calcimeasure.io.results.record import Record
from calcimeasure.io.results.repeat_results import PROFILE, write_repeats
from calcimeasure.io.results.tables import Row
from calcimeasure.io.results.trial_results import TrialResults
from calcimeasure.model.precision import Precision
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import Change, Fate, Film, Status, Study, Subject, Visit
from calcimeasure.model.warning import Code, Remark
from calcimeasure.report.words import in_one
from calcimeasure.run.crew import Crew
from calcimeasure.run.job import Job, run_facts
from calcimeasure.run.processes import Processes
from calcimeasure.run.progress import Tell, remarks_told, unheard
from calcimeasure.run.trial import Advice, Trial, opened, trial_facts, trial_of, twins_among
from calcimeasure.run.visits import forget_stale, work_through
from calcimeasure.steps.agreement.design import natural_order
from calcimeasure.steps.agreement.repeats import Of, RepeatSet, RepeatStudy, repeat_study


@dataclass(frozen=True, slots=True)
class Repeats:
    """What the table of repeats tells, and its pictures as a trial whose subjects are pairs of repeats.

    `trial` has no films where the table gives areas.
    """

    given: tuple[Given, ...]
    trial: Trial

    @property
    def by_area(self) -> bool:
        """Whether the table gives areas, not pictures."""
        return not self.trial.sources

    @property
    def facts(self) -> dict[str, Any]:
        """Facts for run.json."""
        facts = run_facts(self.trial.job) if self.by_area else trial_facts(self.trial)
        settings = {**facts["settings"], "study": False, "repeatability": True}
        tables = [*(() if self.by_area else columns.MEASURED), *columns.REPEATED]
        return {**facts, "settings": settings, "spacing_table": {}, "tables": tables}


@dataclass(frozen=True, slots=True)
class RepeatsRun:
    """What a repeatability study gave; its tables, profile and page lie in `out`.

    `repeats` counts the rows of the table, `failed` the pictures that could not be measured. `interrupted` is whether
    the user broke the run off; `Begin.RESUME` goes on.
    """

    out: Path
    repeats: int
    failed: int
    study: RepeatStudy
    interrupted: bool = False

    @property
    def profile(self) -> Path | None:
        """The precision profile for `compare` and `study`; `None` when there are too few repeats for one."""
        path = self.out / PROFILE
        return path if path.exists() else None

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.out / "report.html"

    def to_json(self) -> dict[str, Any]:
        """What `calcimeasure repeatability --json` prints."""
        return {
            "out": str(self.out),
            "repeats": self.repeats,
            "failed": self.failed,
            **{one.of.value: len(one.groups) for one in self.study.sets},
            "profile": None if self.profile is None else str(self.profile),
            "report": str(self.report),
        }


def repeatability_of(table: Path | str, job: Job, crew: Crew | None = None, tell: Tell = unheard) -> RepeatsRun:
    """How far repeats of an unchanged state lie apart; tables, page and precision profile go into `job.out`.

    Parameters
    ----------
    table : path
        A row for each repeat (`io.given.repeats_file`): a picture, whose path begins in the table's folder, or an area.
    job : Job
        How pictures are measured, and where the results go.
    crew : Crew, optional
        Who does the work; one worker process when left out.
    tell : function of Progress, optional
        Hears of every picture and pair. Ctrl-C ends the work; the tables are then of what is finished.

    Raises
    ------
    TableError
        When the table cannot be used as it stands.
    OutputError
        When the results folder cannot be used.
    """
    table = Path(table)
    repeats = _repeats(read_repeats(table), table.resolve().parent, job)
    with opened(repeats.trial, repeats.facts) as results, remarks_told(results, tell):
        interrupted = not repeats.by_area and work_through(repeats.trial, results, crew or Processes(), tell)
        found = _finish(repeats, results)
        failed = sum(record.failed for record in results.films.records())
    return RepeatsRun(job.out, len(repeats.given), failed, found, interrupted)


def _repeats(given: tuple[Given, ...], home: Path, job: Job) -> Repeats:
    """The study of a table of repeats; relative paths begin in `home`.

    Pairs are compared without any precision profile: it is what they are to give.
    """
    pictures = tuple(one for one in given if one.film.image)
    study, advice = study_of(pictures), Advice(Guidance(profile=Precision()))
    trial = trial_of(study, films_of(study, home), job, advice)
    return Repeats(given, replace(trial, study=Study(tuple(_pairs(pictures)))))


def _finish(repeats: Repeats, results: TrialResults) -> RepeatStudy:
    """Write all tables, the profile and the page from what stands in the journals; what they hold."""
    results.reread()
    run = repeats.facts
    if repeats.by_area:
        results.films.write_run(run)
    else:
        forget_stale(repeats.trial, results)
        results.write_films(run)
    rows = _used(_rows(repeats, results))
    changes = list(_changes(repeats, results))
    unit = "mm2" if any(row["area_mm2"] is not None for row in rows) else "px"
    found = repeat_study(_sets(rows, changes, unit), _origin(repeats, run))
    write_repeats(results.written, found, rows, run, [*_left_out(rows), *_not_compared(changes)])
    return found


def _origin(repeats: Repeats, run: Mapping[str, Any]) -> str:
    groups = len({one.group for one in repeats.given})
    told = f"{len(repeats.given)} repeats of {groups} places"
    if repeats.by_area:
        return f"{told}, their areas given in a table"
    return f"{told}, measured by calcimeasure {run['version']}, recipe {run['recipe_hash']}"


# --- pairs -----------------------------------------------------------------------------------------------


def _grouped(given: Iterable[Given]) -> dict[tuple[str, str], list[Film]]:
    groups: dict[tuple[str, str], list[Film]] = {}
    for one in given:
        groups.setdefault(one.group, []).append(one.film)
    return groups


def _pairs(given: Iterable[Given]) -> Iterator[Subject]:
    """Repeats of every place by their names, first and second, third and fourth ..., as subjects with two visits."""
    groups = _grouped(given)
    names = natural_order(film.visit for films in groups.values() for film in films)
    for (subject, place), films in groups.items():
        by_name = {film.visit: film for film in films}
        for first, second in zip(names[::2], names[1::2], strict=False):
            if first in by_name and second in by_name:
                name = " ".join(filter(None, (subject, place)))
                visits = (Visit(one, None, (by_name[one],)) for one in (first, second))
                yield Subject(name, tuple(visits))


def _changes(repeats: Repeats, results: TrialResults) -> Iterator[tuple[str, Change]]:
    """What each pair gave, by its name; failed ones as changes that could not be evaluated."""
    for span in repeats.trial.spans:
        record = results.intervals.get(span.name)
        name = span.name.replace("\t", " ")
        if record is None or not record.pairs:
            yield name, Change.not_evaluable(*_why_none(record))
        else:
            yield name, record.pairs[0].change


def _why_none(record: IntervalRecord | None) -> tuple[Remark, ...]:
    if record is None:
        return (Remark.of(Code.NOT_COMPARED),)
    return (Remark.other(record.error),) if record.error else record.alone


# --- rows of repeats.csv ---------------------------------------------------------------------------------


def _rows(repeats: Repeats, results: TrialResults) -> list[Row]:
    names = {source.film: name for name, source in repeats.trial.sources.items()}
    twins = twins_among(repeats.trial, results)
    rows = []
    for one in repeats.given:
        subject, place = one.group
        told = {"subject": subject, "place": place, "repeat": one.film.visit}
        name = names.get(one.film)
        record = results.films.record_of(name) if name else None
        rows.append({**told, "name": name, **_cells(one, record, twins.get(name or "", ""))})
    return rows


def _cells(one: Given, record: Record | None, twin: str) -> Row:
    if one.area_mm2 is not None:
        return {"status": "given", "area_mm2": one.area_mm2, "area_px": None, "deposits": None, "note": None}
    if record is None or record.failed:
        why = record.row["error"] if record else "not measured"
        return {"status": "failed", "area_mm2": None, "area_px": None, "deposits": None, "note": why}
    return {
        **{name: record.row[name] for name in ("status", "area_mm2", "area_px", "deposits")},
        "note": _of_twin(twin),
    }


def _of_twin(name: str) -> str | None:
    return f"the very same picture as {name}: a repeat is another picture" if name else None


def _used(rows: list[Row]) -> list[Row]:
    """The rows with whether they are in the figures: measured in one unit, at least twice at their place."""
    column = "area_mm2" if any(row["area_mm2"] is not None for row in rows) else "area_px"
    places = [(row["subject"], row["place"]) for row in rows if row[column] is not None]
    found = []
    for row in rows:
        why = row["note"]
        if why is None and row[column] is None:
            why = "its scale is unknown, and others are in mm2: give spacing_mm"
        elif why is None and places.count((row["subject"], row["place"])) < 2:
            why = "no other repeat of this place could be measured"
        found.append({**row, "used": "no" if why else "yes", "note": why})
    return found


# --- sets of repeats -------------------------------------------------------------------------------------


def _sets(rows: list[Row], changes: list[tuple[str, Change]], unit: str) -> list[RepeatSet]:
    column = f"area_{unit}"
    by_place: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        if row["used"] == "yes":
            by_place.setdefault((row["subject"], row["place"]), {})[row["repeat"]] = float(row[column])
    totals = tuple(tuple(areas.values()) for areas in by_place.values())
    names = tuple(tuple(areas) for areas in by_place.values())
    compared = [change for _, change in changes if _is_in(change, unit)]
    every = [one for change in compared for one in change.deposits if one.fate is not Fate.OUT_OF_FIELD]
    both = [areas for one in every if (areas := _both(one.area_before, one.area_after))]
    pairs = [areas for change in compared if (areas := _both(change.before, change.after))]
    return [
        RepeatSet(Of.TOTALS, unit, totals, names=names),
        RepeatSet(Of.COMPARED, unit, tuple(pairs)),
        RepeatSet(Of.DEPOSITS, unit, tuple(both), (len(both), len(every))),
    ]


def _is_in(change: Change, unit: str) -> bool:
    return change.status is Status.COMPARED and change.before is not None and change.before.unit == unit


def _both(before: Quantity | None, after: Quantity | None) -> tuple[float, float] | None:
    return (before.value, after.value) if before is not None and after is not None else None


def _left_out(rows: list[Row]) -> list[str]:
    return [
        " ".join(filter(None, (row["subject"], row["place"], row["repeat"]))) + f": {row['note']}"
        for row in rows
        if row["used"] == "no"
    ]


def _not_compared(changes: list[tuple[str, Change]]) -> list[str]:
    return [f"{name}: {in_one(change.reason)}" for name, change in changes if change.status is not Status.COMPARED]
