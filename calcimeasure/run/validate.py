"""A validation: films measured as `measure` does, their outlines scored against outlines that are taken for true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calcimeasure.errors import CalcimeasureError, MaskError
from calcimeasure.io.given.inputs import Input
from calcimeasure.io.given.mask_folder import mask_of_film
from calcimeasure.io.results import columns
from calcimeasure.io.results.folder import Results
from calcimeasure.io.results.masks import read_labels
from calcimeasure.io.results.opening import check_apart
from calcimeasure.io.results.record import Record, files_of
from calcimeasure.io.results.validation_results import Scored, write_validation
from calcimeasure.report.plain_text import plain
from calcimeasure.run.crew import Crew
from calcimeasure.run.films import FolderRun, counted, inputs_of, opened_folder, work_through_films
from calcimeasure.run.job import Job, run_facts
from calcimeasure.run.processes import Processes
from calcimeasure.run.progress import Tell, remarks_told, unheard
from calcimeasure.steps.agreement.validation import FilmScore, Validation, by_source, score_film, validation


@dataclass(frozen=True, slots=True)
class Truth:
    """Outlines that are taken for true, and where the films come from.

    Parameters
    ----------
    masks : Path
        Folder of label images, called as for ``measure --masks``; one without a deposit says that there is none.
    sources : mapping of str to str
        Source (a device, a centre) by image; a film that is not in it is of its first sub-folder.
    """

    masks: Path
    sources: Mapping[str, str] = field(default_factory=dict)

    def source_of(self, image: str) -> str:
        """Where a film comes from; empty when nothing tells."""
        folder, _, rest = image.partition("/")
        return self.sources.get(image, folder if rest else "")


@dataclass(frozen=True, slots=True)
class ValidationRun:
    """What a validation gave; its tables and page lie in the results folder.

    `whole` is of all films together, `sources` of each source alone, where there are several. `left_out` says of films
    why they were not scored.
    """

    folder: FolderRun
    whole: Validation
    sources: Mapping[str, Validation]
    left_out: Mapping[str, str]

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.folder.out / "validation.html"

    def to_json(self) -> dict[str, Any]:
        """What `calcimeasure validate --json` prints."""
        figures = {row.figure: row.value for row in self.whole.figures}
        told = {"films": self.whole.films, "left_out": len(self.left_out), "failed": self.folder.failed}
        return {"out": str(self.folder.out), **told, "figures": figures, "report": str(self.report)}


def validate_folder(
    paths: Sequence[Path | str], truth: Truth, job: Job, crew: Crew | None = None, tell: Tell = unheard
) -> ValidationRun:
    """Measure films, and score their outlines against true ones; tables and a page go into `job.out`.

    Parameters
    ----------
    paths : sequence of paths
        Films, and folders to search.
    truth : Truth
        Outlines that are taken for true.
    job : Job
        How films are measured, and where the results go.
    crew : Crew, optional
        Who does the work; one worker process when left out.
    tell : function of Progress, optional
        Hears of every film.

    Raises
    ------
    MaskError
        When the folder of true outlines is not there.
    MeasurementRefused
        When no film could be scored: the tables of `measure` are there, those of the validation are not.
    TableError, NothingToMeasure, OutputError
        As `measure_folder`.
    """
    if not truth.masks.is_dir():
        raise MaskError(f"there is no folder {plain(truth.masks.name)} of true masks: name one")
    inputs = inputs_of(paths, job, tell)
    job = job.for_films(inputs)
    check_apart(job.out, [truth.masks])
    run = _facts(job)
    with opened_folder(inputs, job, run) as results, remarks_told(results, tell):
        interrupted = work_through_films(results, job, crew or Processes(), tell)
        results.finish(run)
        scored = list(_scored(results, truth))
        films = [one.score for one in scored if one.score is not None]
        whole, sources = validation(films), by_source(films)
        sources = sources if len(sources) > 1 else {}
        write_validation(results.written, scored, {"all": whole, **sources}, run)
        left = {one.image: one.note for one in scored if one.score is None}
        return ValidationRun(counted(results, interrupted), whole, sources, left)


def _facts(job: Job) -> dict[str, Any]:
    facts = run_facts(job)
    settings = {**facts["settings"], "validation": True}
    return {**facts, "settings": settings, "tables": [*columns.MEASURED, *columns.VALIDATED]}


def _scored(results: Results, truth: Truth) -> Iterator[Scored]:
    """Every film with its score, or why it has none."""
    for item in results.inputs:
        source, record = truth.source_of(item.image), results.record_of(item.image)
        if record is None:
            yield Scored(item.image, source, note="not measured")
        elif record.failed:
            yield Scored(item.image, source, note=str(record.row["error"]))
        else:
            try:
                yield Scored(item.image, source, _score(item, record, results.folder, truth))
            except CalcimeasureError as error:
                yield Scored(item.image, source, note=str(error))


def _score(item: Input, record: Record, out: Path, truth: Truth) -> FilmScore:
    """One film's outlines against the true ones.

    Raises
    ------
    MaskError
        When there is no true mask, it does not fit, or the film's scale is unknown.
    """
    row = record.row
    if row["area_mm2"] is None or row["spacing_row_mm"] is None:
        raise MaskError("its scale is unknown: give --spacing")
    mask = mask_of_film(truth.masks, item, str(row["sha256"]))
    if not mask.is_file():
        raise MaskError(f"there is no true mask {mask.name}")
    found = read_labels(out / files_of(record.name)[0], None)
    true = read_labels(mask, found.shape)
    pixel_mm2 = float(row["spacing_row_mm"]) * float(row["spacing_column_mm"])
    deposits, false, dice, (true_mm2, found_mm2) = score_film(true, found, pixel_mm2)
    sd = None if row["area_mm2_sd"] is None else float(row["area_mm2_sd"])
    return FilmScore(item.image, truth.source_of(item.image), deposits, false, dice, true_mm2, found_mm2, sd)
