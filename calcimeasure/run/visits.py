"""The visits of a trial: every film measured once, every interval of every subject compared, by a crew.

Workers get paths and return records. What they leave behind is one journal line per film and one per interval, so that
a run may die at any moment and go on; all tables are made from those lines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from calcimeasure.errors import CalcimeasureError, OutputError, ReadError
from calcimeasure.follow_up import Comparison, Guidance, Labelled, compare_readings, reading_of
from calcimeasure.io.given.study_file import Source, place_of
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.results.interval_record import IntervalRecord
from calcimeasure.io.results.mask_pixels import mask_bytes
from calcimeasure.io.results.masks import read_labels
from calcimeasure.io.results.record import Record, files_of
from calcimeasure.io.results.trial_results import TrialResults
from calcimeasure.model.study import Film, FilmPair, Reading, Visit
from calcimeasure.model.warning import Code, Remark
from calcimeasure.report.plain_text import plain
from calcimeasure.report.words import sentences
from calcimeasure.run.crew import Crew, Order
from calcimeasure.run.films import Task, lost_file, measure_file, read_film
from calcimeasure.run.job import Job
from calcimeasure.run.patient import names_of, records_of
from calcimeasure.run.progress import NO_FAILURE, Failures, Stage, Tell, worked_through
from calcimeasure.run.trial import Trial, trial_facts, twins_among
from calcimeasure.steps.change.compare.burden import film_pairs
from calcimeasure.steps.change.schedule import Span


def work_through(trial: Trial, results: TrialResults, crew: Crew, tell: Tell) -> bool:
    """Measure all films, then compare all visits; whether the user broke it off."""
    films, visits = _films(trial, results, crew), _visits(trial, results, crew)
    try:
        worked_through(Stage.MEASURING, len(trial.used), films, tell)
        worked_through(Stage.COMPARING, len(trial.spans), visits, tell)
    except KeyboardInterrupt:
        return True
    return False


def _films(trial: Trial, results: TrialResults, crew: Crew) -> Failures:
    """Measure every film that is not excluded; what failed, once its record is kept."""
    tasks = (Task(one.item, results.films.done_key(name)) for name, one in trial.used.items())
    with crew.hired(Order(trial.job, measure_file, lost_file)) as workers:
        for _, record in workers.run(tasks):
            kept = None if record is None else results.films.add(record)
            yield (kept.image, str(kept.row["error"])) if kept and kept.failed else NO_FAILURE


def _visits(trial: Trial, results: TrialResults, crew: Crew) -> Failures:
    """Compare every pair of visits; what failed, once its record is kept.

    With more than two visits, intervals whose deposits turn out to have other names over all visits are then drawn
    again, so that pictures and tables speak of the same deposit by one name.
    """
    planner = _planner(trial, results)
    with crew.hired(Order(trial.job, compare_span, lost_span, films=2)) as workers:
        for tasks in (planner.tasks(), planner.renamed()):
            for _, record in workers.run(tasks):
                kept = None if record is None else results.add_interval(record)
                yield (kept.name.replace("\t", " "), kept.error) if kept and kept.error else NO_FAILURE


# --- what a worker is told --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MeasuredFilm:
    """A film of a study, and the hashes of the bytes that it and its mask in the results folder consist of."""

    source: Source
    sha256: str
    mask_sha256: str


@dataclass(frozen=True, slots=True)
class PairTask:
    """Two films to compare, and what a person says of them."""

    baseline: MeasuredFilm
    followup: MeasuredFilm
    guidance: Guidance


@dataclass(frozen=True, slots=True)
class SpanTask:
    """Two visits to compare, with the key of an earlier record, if there is one.

    `alone` names the films without a partner, each with its reason.
    """

    key: str
    name: str
    pairs: tuple[PairTask, ...]
    alone: tuple[Remark, ...] = ()
    done_key: str | None = None


def forget_stale(trial: Trial, results: TrialResults) -> None:
    """Pass over intervals that were compared from other films, outlines or settings than are there now.

    A run that was broken off leaves some: their numbers are none of the films in the tables beside them.
    """
    keys = {task.name: task.key for task in _planner(trial, results).tasks()}

    def holds(record: IntervalRecord) -> bool:
        films = {name for pair in record.pairs for name in (pair.baseline, pair.followup)}
        return record.key == keys.get(record.name) and films <= trial.sources.keys()

    results.forget_intervals(holds)


def _planner(trial: Trial, results: TrialResults) -> _Planner:
    return _Planner(trial, results, trial_facts(trial)["settings"], twins_among(trial, results))


@dataclass(frozen=True, slots=True)
class _Planner:
    """Tasks from what the films left behind; `rests_on` is what every comparison depends on.

    `twins` names, for a film that shows the same picture as one of another visit or subject, that one.
    """

    trial: Trial
    results: TrialResults
    rests_on: Mapping[str, Any]
    twins: Mapping[str, str] = field(default_factory=dict)

    def tasks(self) -> Iterator[SpanTask]:
        """A task for every span, in the order of the study."""
        by_film = {one.film: name for name, one in self.trial.sources.items()}
        for span in self.trial.spans:
            yield self._task(span, by_film)

    def renamed(self) -> Iterator[SpanTask]:
        """A task for every reported interval whose deposits have other names over all visits than in its record."""
        by_film = {one.film: name for name, one in self.trial.sources.items()}
        for subject in self.trial.study.subjects:
            if len(subject.visits) > 2:
                for span, record, pairs in records_of(self.trial, subject, self.results):
                    if span.reported and not record.error and names_of(pairs) != names_of(record.pairs):
                        yield _with_names(self._task(span, by_film), pairs)

    def _task(self, span: Span, by_film: Mapping[Film, str]) -> SpanTask:
        found = film_pairs(_used(span.baseline), _used(span.followup))
        named = [(by_film[one], by_film[two]) for one, two in found.pairs]
        keys = {name: self._measured_key(name) for pair in named for name in pair}
        whole = [pair for pair in named if all(keys[name] for name in pair)]
        told = [Remark.of(Code.EXCLUDED, film=by_film[f], why=f.exclude_reason) for f in _excluded(span)]
        told += [self._why_not(name) for name, key in keys.items() if not key]
        lone = (*found.only_baseline, *found.only_followup)
        told += [Remark.of(Code.AT_ONE_VISIT, film=by_film[film]) for film in lone]
        tasks = tuple(self._pair(names) for names in whole)
        by_hand = [(task.guidance.landmarks, [asdict(link) for link in task.guidance.overrides]) for task in tasks]
        key = _digest([self.rests_on, whole, [keys[name] for pair in whole for name in pair], sentences(told), by_hand])
        return SpanTask(key, span.name, tasks, tuple(told), self._done_key(span))

    def _pair(self, names: tuple[str, str]) -> PairTask:
        one, two = (self._measured(name) for name in names)
        return PairTask(one, two, self.trial.advice.of(names))

    def _measured(self, name: str) -> MeasuredFilm:
        source, record = self.trial.sources[name], self.results.films.record_of(name)
        assert record is not None, "a pair is of films that were measured"
        mask = self.results.written.hash_of(files_of(record.name)[0])
        return MeasuredFilm(source, str(record.row["sha256"]), mask)

    def _done_key(self, span: Span) -> str | None:
        """Key of an earlier record that may still hold; a failed one is tried again."""
        before = self.results.intervals.get(span.name)
        return before.key if before and not before.error and self.results.has_pictures(before) else None

    def _measured_key(self, name: str) -> str:
        """Key of a film's record; empty when it could not be measured, or nobody stands behind its outlines."""
        record = self.results.films.record_of(name)
        if record is None or record.failed or _is_proposed(record) or name in self.twins:
            return ""
        return record.key

    def _why_not(self, name: str) -> Remark:
        """Why a film takes no part."""
        record = self.results.films.record_of(name)
        if record is None:
            return Remark.of(Code.NOT_MEASURED, film=name)
        if name in self.twins:
            return Remark.of(Code.TWIN, film=name, other=self.twins[name])
        if _is_proposed(record):
            return Remark.of(Code.NOBODY_OUTLINED, film=name)
        return Remark.of(Code.FAILED, film=name, why=str(record.row["error"]))


def _is_proposed(record: Record) -> bool:
    return bool(record.row["status"] == "proposed")


def _used(visit: Visit) -> Visit:
    return replace(visit, films=tuple(film for film in visit.films if not film.exclude_reason))


def _excluded(span: Span) -> list[Film]:
    return [film for visit in (span.baseline, span.followup) for film in visit.films if film.exclude_reason]


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]


def _with_names(task: SpanTask, pairs: Sequence[FilmPair]) -> SpanTask:
    """The task once more, its deposits named as over all visits."""
    its = {(pair.baseline, pair.followup): pair for pair in pairs}
    named = [
        replace(one.guidance, names=_by_labels(its[one.baseline.source.item.name, one.followup.source.item.name]))
        for one in task.pairs
    ]
    told = tuple(replace(one, guidance=guidance) for one, guidance in zip(task.pairs, named, strict=True))
    return replace(task, pairs=told, done_key=None)


def _by_labels(pair: FilmPair) -> dict[Labelled, str]:
    return {(one.baseline, one.followup): one.deposit for one in pair.change.deposits}


# --- what a worker does -----------------------------------------------------------------------------


def compare_span(task: SpanTask, job: Job) -> IntervalRecord | None:
    """The record of two visits; `None` when an earlier one still holds. Every error of ours ends in the record."""
    if task.key == task.done_key:
        return None
    try:
        done = [_compared(pair, job) for pair in task.pairs]
        pictures = {f"pairs/{pair.picture}.png": picture for pair, picture in done}
        return IntervalRecord(task.key, task.name, tuple(pair for pair, _ in done), task.alone, files=pictures)
    except OutputError:
        raise
    except CalcimeasureError as error:
        return _failed(task, str(error))
    except OSError as error:
        return _failed(task, f"a film cannot be read: {error.strerror or type(error).__name__}")
    except MemoryError:
        return _failed(task, "the films need more memory than there is; compare them on a larger machine")
    except Exception as bug:  # noqa: BLE001 - the last fence: one strange pair must not stop a trial
        return _failed(task, f"unforeseen {type(bug).__name__}; please report it with the films")


def lost_span(task: SpanTask, job: Job, why: str) -> IntervalRecord:
    """The record of a comparison whose worker died or took too long."""
    return _failed(task, f"comparing the films {why}")


def _failed(task: SpanTask, error: str) -> IntervalRecord:
    return IntervalRecord(task.key, task.name, (), task.alone, " ".join(error.split()))


def _compared(task: PairTask, job: Job) -> tuple[FilmPair, bytes]:
    """The pair, and its picture as PNG."""
    one, two = task.baseline.source, task.followup.source
    found = compare_readings(_reading(task.baseline, job), _reading(task.followup, job), job.recipe, task.guidance)
    alignment = found.alignment
    pair = FilmPair(
        one.item.name,
        two.item.name,
        place_of(one.film),
        found.change,
        found.links,
        f"{two.item.name}_since_{one.item.name.split('/')[1]}",
        None if alignment.refused else alignment.overlap,
        alignment.residual_mm,
    )
    return pair, _drawn(found)


def _reading(measured: MeasuredFilm, job: Job) -> Reading:
    """A film as it was measured, from the very bytes, and its label image, which says who drew it."""
    source, item = measured.source, measured.source.item
    film, mask = FileBytes.of(item.path), mask_bytes(job.out / files_of(item.name)[0])
    for file, sha256 in ((film, measured.sha256), (mask, measured.mask_sha256)):
        if file.sha256 != sha256:
            raise ReadError(f"{plain(file.name)} was changed after it was measured: run again with --resume")
    image = read_film(item, job, film)
    return reading_of(image, read_labels(mask, image.shape), job.recipe, source.film)


def _drawn(found: Comparison) -> bytes:
    from calcimeasure.io.results.pictures import png
    from calcimeasure.report.pair_picture import pair_picture

    return png(pair_picture(found.baseline, found.followup, found.alignment, found.change))
