"""A whole trial: every film measured once, every interval of every subject compared, in worker processes.

Workers get paths and return rows. What they leave behind is one journal line per film and one per interval, so that a
run may die at any moment and go on; all tables are made from those lines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from calcimeasure.errors import CalcimeasureError, MeasurementRefused, OutputError, ReadError, TableError
from calcimeasure.follow_up import (
    Comparison,
    Guidance,
    Labelled,
    compare_readings,
    confirmed,
    names_over_visits,
    reading_of,
)
from calcimeasure.io.given.by_hand import ByHand
from calcimeasure.io.given.study_file import Source, place_of
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.results import columns
from calcimeasure.io.results.interval_record import IntervalRecord
from calcimeasure.io.results.mask_pixels import mask_bytes
from calcimeasure.io.results.masks import SUFFIX, read_labels
from calcimeasure.io.results.record import Record, files_of
from calcimeasure.io.results.trial_report import write_findings
from calcimeasure.io.results.trial_results import TrialResults
from calcimeasure.model.study import (
    Change,
    DepositChange,
    Film,
    FilmPair,
    Interval,
    Reading,
    Status,
    Study,
    Subject,
    Verdict,
    Visit,
    VisitOrder,
)
from calcimeasure.model.warning import Code, Remark
from calcimeasure.report.plain_text import plain
from calcimeasure.report.trial import Findings
from calcimeasure.report.words import sentences
from calcimeasure.run.crew import Crew
from calcimeasure.run.films import Job, Task, lost_file, measure_file, read_film, run_facts
from calcimeasure.steps.agreement.cohort import Cohort, cohort
from calcimeasure.steps.agreement.readers import Read, ReaderAgreement, ReaderPair, outlines_agree, readers_agree
from calcimeasure.steps.change.compare.burden import burden, film_pairs
from calcimeasure.steps.change.compare.settings import CompareSettings
from calcimeasure.steps.change.schedule import Span, spans_of

#: What a reader ought to know of how a study file's visits came to be in order.
_ORDERS = {
    VisitOrder.DATED_AGAINST_TABLE: (Remark.of(Code.VISITS_BY_DATE),),
    VisitOrder.UNDATED_TABLE: (Remark.of(Code.VISITS_UNDATED),),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """A study, where its films lie, and how they are measured and compared.

    Parameters
    ----------
    study : Study
    sources : mapping of str to Source
        Every film by NAME, as `io.study_file.films_of` finds them.
    job : Job
        How films are measured, with what the study file says of each; make it with `trial_of`.
    guidance : Guidance
        What holds for every pair of films.
    by_hand : ByHand
        Matches and landmarks of single pairs.
    """

    study: Study
    sources: Mapping[str, Source]
    job: Job
    guidance: Guidance = field(default_factory=Guidance)
    by_hand: ByHand = field(default_factory=ByHand)

    @property
    def used(self) -> dict[str, Source]:
        """The films that the study file does not exclude."""
        return {name: one for name, one in self.sources.items() if not one.film.exclude_reason}

    @property
    def spans(self) -> tuple[Span, ...]:
        """Every pair of visits to compare."""
        return tuple(span for subject in self.study.subjects for span in spans_of(subject))

    def guidance_for(self, names: tuple[str, str]) -> Guidance:
        """What a person says of a pair of films."""
        links, landmarks = self.by_hand.links_of(names), self.by_hand.landmarks_of(names)
        return replace(self.guidance, overrides=links, landmarks=landmarks)


def trial_of(
    study: Study,
    sources: Mapping[str, Source],
    job: Job,
    guidance: Guidance | None = None,
    by_hand: ByHand | None = None,
) -> Trial:
    """The trial, its job knowing the scales and masks that the study file gives.

    Raises
    ------
    TableError
        When a match or landmark by hand names a film that is not in the study.
    """
    spacings = {name: one.film.spacing_mm for name, one in sources.items() if one.film.spacing_mm is not None}
    masks = {name: one.mask for name, one in sources.items() if one.mask is not None}
    whole = replace(job, spacings_mm={**job.spacings_mm, **spacings}, mask_files=masks)
    by_hand = by_hand or ByHand()
    for names in by_hand.names:
        if not {*names} <= sources.keys():
            raise TableError(f"a match or landmark is given for {' and '.join(names)}, and the study has no such films")
    return Trial(study, sources, whole, guidance or Guidance(), by_hand)


def trial_facts(trial: Trial) -> dict[str, Any]:
    """Facts for run.json: those of the measuring, and what the comparisons rest on."""
    facts = run_facts(trial.job)
    profile = trial.guidance.profile
    told = {"study": True, "profile": profile.to_json(), "mirrored": trial.guidance.mirrored}
    settings = {**facts["settings"], **json.loads(json.dumps(told))}
    return {**facts, "settings": settings, "spacing_table": {}, "tables": list(columns.TABLES)}


def measure_films(trial: Trial, results: TrialResults, crew_size: int, seconds: float) -> Iterator[Record | None]:
    """Measure every film that is not excluded; its record once it is kept, `None` where an earlier one holds."""
    tasks = [Task(one.item, results.films.done_key(name)) for name, one in trial.used.items()]
    with Crew(trial.job, measure_file, lost_file, max(1, min(crew_size, len(tasks))), seconds) as crew:
        for _, record in crew.run(tasks):
            yield None if record is None else results.films.add(record)


def compare_visits(
    trial: Trial, results: TrialResults, crew_size: int, seconds: float
) -> Iterator[IntervalRecord | None]:
    """Compare every pair of visits; its record once it is kept, `None` where an earlier one holds.

    With more than two visits, intervals whose deposits turn out to have other names over all visits are then drawn
    again, so that pictures and tables speak of the same deposit by one name.
    """
    planner = _Planner(trial, results, trial_facts(trial)["settings"], twins_among(trial, results))
    with Crew(trial.job, compare_span, lost_span, crew_size, seconds) as crew:
        for tasks in (planner.tasks(), planner.renamed()):
            for _, record in crew.run(tasks):
                yield None if record is None else results.add_interval(record)


def twins_among(trial: Trial, results: TrialResults) -> dict[str, str]:
    """Films whose pixels are those of a film of another visit or subject, each with the NAME of one such film."""
    by_pixels: dict[str, list[tuple[str, Film]]] = {}
    for name, source in trial.used.items():
        record = results.films.record_of(name)
        if record is not None and not record.failed and record.pixels:
            by_pixels.setdefault(record.pixels, []).append((name, source.film))
    found = {}
    for same in by_pixels.values():
        for name, film in same:
            others = [other for other, its in same if (its.subject, its.visit) != (film.subject, film.visit)]
            found.update({name: others[0]} if others else {})
    return found


def finish(trial: Trial, results: TrialResults) -> Cohort:
    """Write all tables and the reports from what stands in the journals; the cohort."""
    results.reread()
    run = trial_facts(trial)
    results.write_films(run)
    found = cohort(
        trial.study, [one for subject in trial.study.subjects for one in intervals_of(trial, subject, results)]
    )
    results.write_changes(zip(trial.study.subjects, found.members, strict=True), trial.job.recipe.hash)
    findings = Findings(trial.study, found, run | run["settings"], readers_of(trial, results))
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


def intervals_of(trial: Trial, subject: Subject, results: TrialResults) -> list[Interval]:
    """The reported intervals of a subject from their records; those that are not finished are missing.

    Every deposit gets its name over all visits.
    """
    found = [one for one in _records_of(trial, subject, results) if one[0].reported]
    return [_interval(trial, (subject, span), record, pairs) for span, record, pairs in found]


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
                for span, record, pairs in _records_of(self.trial, subject, self.results):
                    if span.reported and not record.error and _names(pairs) != _names(record.pairs):
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
        return PairTask(one, two, self.trial.guidance_for(names))

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


# --- from records to a patient ----------------------------------------------------------------------


def _records_of(
    trial: Trial, subject: Subject, results: TrialResults
) -> list[tuple[Span, IntervalRecord, list[FilmPair]]]:
    """Every finished span of a subject with its record, and its pairs with names and confirmations over all visits."""
    found = [(span, record) for span in spans_of(subject) if (record := results.intervals.get(span.name)) is not None]
    pairs = [list(record.pairs) for _, record in found]
    order = {visit.name: k for k, visit in enumerate(subject.visits)}
    joined = [(order[span.baseline.name], order[span.followup.name]) for span, _ in found]
    for place in dict.fromkeys(pair.place for one in pairs for pair in one):
        at = [(i, j) for i, one in enumerate(pairs) for j, pair in enumerate(one) if pair.place == place]
        told = _over_visits([joined[i] for i, _ in at], [pairs[i][j] for i, j in at], trial.job.recipe.compare)
        for (i, j), pair in zip(at, told, strict=True):
            pairs[i][j] = pair
    return [(span, record, its) for (span, record), its in zip(found, pairs, strict=True)]


def _over_visits(
    visits: Sequence[tuple[int, int]], pairs: Sequence[FilmPair], settings: CompareSettings
) -> list[FilmPair]:
    """The pairs of one place, every deposit with one name; new ones that a later visit shows again confirmed."""
    names = names_over_visits(visits, [pair.links for pair in pairs])
    named = [_renamed(pair, its) for pair, its in zip(pairs, names, strict=True)]
    out = []
    for pair, (_, visit) in zip(named, visits, strict=True):
        later = {name for other, its in zip(named, visits, strict=True) for name in _seen_after(other, its, visit)}
        out.append(replace(pair, change=confirmed(pair.change, later, settings)))
    return out


def _seen_after(pair: FilmPair, visits: tuple[int, int], visit: int) -> set[str]:
    """Names of the deposits that a pair outlines at a visit later than this one."""
    return {
        one.deposit
        for one in pair.change.deposits
        if (visits[0] > visit and one.baseline) or (visits[1] > visit and one.followup)
    }


def _names(pairs: Sequence[FilmPair]) -> list[str]:
    return [one.deposit for pair in pairs for one in pair.change.deposits]


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


def _renamed(pair: FilmPair, names: Mapping[Labelled, str]) -> FilmPair:
    deposits = [
        replace(one, deposit=names.get((one.baseline, one.followup), one.deposit)) for one in pair.change.deposits
    ]
    return _with_deposits(pair, deposits)


def _with_deposits(pair: FilmPair, deposits: Sequence[DepositChange]) -> FilmPair:
    return replace(pair, change=replace(pair.change, deposits=tuple(deposits)))


def _interval(trial: Trial, of: tuple[Subject, Span], record: IntervalRecord, pairs: Sequence[FilmPair]) -> Interval:
    """The interval with the change of the whole patient; its pairs' deposits as that names them."""
    subject, span = of
    whole = _whole(trial, record, pairs)
    whole = replace(whole, warnings=(*whole.warnings, *_ORDERS.get(subject.order, ())))
    deposits = iter(whole.deposits)
    if len(whole.deposits) == sum(len(pair.change.deposits) for pair in pairs):
        pairs = [_with_deposits(pair, list(islice(deposits, len(pair.change.deposits)))) for pair in pairs]
    return Interval(span.subject, span.baseline, span.followup, whole, tuple(pairs), record.alone)


def _whole(trial: Trial, record: IntervalRecord, pairs: Sequence[FilmPair]) -> Change:
    if record.error:
        return Change(Status.FAILED, Verdict.NOT_EVALUABLE, (Remark.other(record.error),))
    if not pairs:
        return Change.not_evaluable(*(record.alone or (Remark.of(Code.NO_PAIR),)))
    parts = [(trial.sources[pair.baseline].film, pair.change) for pair in pairs]
    return burden(parts, trial.job.recipe.compare)
