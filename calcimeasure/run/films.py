"""A folder of films measured, and what is done with one film of it.

A worker takes a path and gives a record, which carries the mask and the picture as bytes; it writes nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calcimeasure import __version__
from calcimeasure.errors import CalcimeasureError, OutputError, ReadError
from calcimeasure.io.given.inputs import Input, find_inputs
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.results.folder import Results, open_results
from calcimeasure.io.results.mask_pixels import mask_bytes
from calcimeasure.io.results.masks import find_region, label_bytes, read_labels, read_region
from calcimeasure.io.results.opening import check_apart
from calcimeasure.io.results.record import Record, files_of
from calcimeasure.model.image import Image, Kind
from calcimeasure.model.scale import ScaleRequest
from calcimeasure.report.plain_text import plain
from calcimeasure.run.crew import Crew, Order
from calcimeasure.run.job import Begin, Job, foundation, run_facts
from calcimeasure.run.processes import Processes
from calcimeasure.run.progress import NO_FAILURE, Failures, Progress, Stage, Tell, remarks_told, unheard, worked_through

if TYPE_CHECKING:
    from calcimeasure.recipe import Analysis


@dataclass(frozen=True, slots=True)
class FolderRun:
    """What a run over films gave; its tables, masks, pictures and report lie in `out`.

    `measured`, `proposed` (photos, whose outlines nobody accepted yet) and `failed` count the images. `interrupted` is
    whether the user broke the run off; `Begin.RESUME` goes on.
    """

    out: Path
    measured: int
    proposed: int
    failed: int
    interrupted: bool = False

    @property
    def images(self) -> int:
        """How many images were worked on."""
        return self.measured + self.proposed + self.failed

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.out / "report.html"

    def to_json(self) -> dict[str, Any]:
        """What `calcimeasure measure --json` prints."""
        counts = {"measured": self.measured, "proposed": self.proposed, "failed": self.failed}
        return {"out": str(self.out), "images": self.images, **counts, "report": str(self.report)}


def measure_folder(paths: Sequence[Path | str], job: Job, crew: Crew | None = None, tell: Tell = unheard) -> FolderRun:
    """Outline and measure the deposits of films and photos, and write tables, masks and a report into `job.out`.

    Parameters
    ----------
    paths : sequence of paths
        Files, and folders to search.
    job : Job
        How they are measured, and where the results go.
    crew : Crew, optional
        Who does the work; one worker process when left out.
    tell : function of Progress, optional
        Hears of every film. Ctrl-C ends the work; the tables are then of what is finished.

    Raises
    ------
    TableError
        When a path does not exist.
    NothingToMeasure
        When no image is there.
    OutputError
        When the results folder cannot be used.
    """
    inputs = inputs_of(paths, job, tell)
    job = job.for_films(inputs)
    run = run_facts(job)
    with opened_folder(inputs, job, run) as results, remarks_told(results, tell):
        interrupted = work_through_films(results, job, crew or Processes(), tell)
        results.finish(run)
        return counted(results, interrupted)


def inputs_of(paths: Sequence[Path | str], job: Job, tell: Tell) -> list[Input]:
    """The images that the job asks for; tells of what was passed over."""
    found = find_inputs([Path(path) for path in paths], job.out)
    tell(Progress(Stage.OPENING, remarks=found.remarks))
    return [item for item in found.to_measure if not (job.leave_out and item.image.startswith(job.leave_out))]


def opened_folder(inputs: Sequence[Input], job: Job, run: Mapping[str, Any]) -> Results:
    """The results folder, begun as the job says; a context manager."""
    check_apart(job.out, [*job.reads, *(item.path for item in inputs)])
    resume, overwrite = job.begin is Begin.RESUME, job.begin is Begin.OVERWRITE
    return open_results(job.out, inputs, run, resume=resume, overwrite=overwrite)


def counted(results: Results, interrupted: bool) -> FolderRun:
    """How many images of a folder have which status."""
    statuses = Counter(str(record.row["status"]) for record in results.records())
    return FolderRun(results.folder, statuses["measured"], statuses["proposed"], statuses["failed"], interrupted)


def work_through_films(results: Results, job: Job, crew: Crew, tell: Tell) -> bool:
    """Measure all inputs, keeping each record as it comes; whether the user broke it off."""
    try:
        worked_through(Stage.MEASURING, len(results.inputs), _films(results, job, crew), tell)
    except KeyboardInterrupt:
        return True
    return False


def _films(results: Results, job: Job, crew: Crew) -> Failures:
    tasks = (Task(item, results.done_key(item.image)) for item in results.inputs)
    with crew.hired(Order(job, measure_file, lost_file)) as workers:
        for task, record in workers.run(tasks):
            kept = None if record is None else results.add(record)
            yield _failure(task.item, kept) if kept and kept.failed else NO_FAILURE


def _failure(item: Input, record: Record) -> tuple[str, str]:
    """The image that failed, and why; the file is not named twice."""
    return item.image, str(record.row["error"]).removeprefix(f"{plain(item.path.name)}: ")


@dataclass(frozen=True, slots=True)
class Task:
    """One file to measure, with the key of an earlier record of it, if there is one."""

    item: Input
    done_key: str | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """The bytes that a film is measured from, each file read once: what is hashed is what is decoded."""

    film: FileBytes
    mask: FileBytes | None = None
    region: FileBytes | None = None


def given(item: Input, job: Job) -> Given:
    """The bytes of an input's file, and of the mask and region that go with it.

    Raises
    ------
    ReadError, MaskError
        When one of them is missing or cannot be read.
    """
    film = FileBytes.of(item.path)
    mask = job.mask_of(item, film.sha256)
    region = find_region(job.regions, item.name, item.path, item.stem) if job.regions else None
    return Given(film, *(None if path is None else mask_bytes(path) for path in (mask, region)))


def measure_file(task: Task, job: Job) -> Record | None:
    """The record of one file; `None` when an earlier record still holds.

    Every error of ours becomes a failed row; so does one we did not foresee, named by its type alone.
    """
    item, name = task.item, plain(task.item.path.name)
    key = ""
    try:
        its = given(item, job)
        key = _key(its, item, job)
        return None if key == task.done_key else _measured(key, its, item, job)
    except OutputError:
        raise
    except CalcimeasureError as error:
        return failed(item, key or _hash_alone(item), job, str(error))
    except OSError as error:
        return failed(item, key, job, f"{name} cannot be read: {error.strerror or type(error).__name__}")
    except MemoryError:
        return failed(item, key, job, f"{name} needs more memory than there is; measure it on a larger machine")
    except Exception as bug:  # noqa: BLE001 - the last fence: one strange file must not stop a folder of thousands
        return failed(item, key, job, f"{name}: unforeseen {type(bug).__name__}; please report it with the file")


def failed(item: Input, key: str, job: Job, error: str) -> Record:
    """The record of a file that could not be measured."""
    facts = _identity(item, key) | {"status": "failed", "error": " ".join(error.split()), "recipe": job.recipe.hash}
    return Record(key, facts)


def _measured(key: str, its: Given, item: Input, job: Job) -> Record:
    from calcimeasure.io.results import tables

    analysis = _analysed(its, item, job)
    picture, thumbnail = _drawn(analysis)
    proposed = analysis.image.kind is Kind.PHOTO and not analysis.segmentation.labels.is_by_person
    facts = _identity(item, key) | {"status": "proposed" if proposed else "measured"}
    deposits = tuple(tables.deposit_row(item.image, deposit) for deposit in analysis.measurement.deposits)
    excluded = tuple(tables.excluded_row(item.image, finding) for finding in analysis.segmentation.excluded)
    row, parts = facts | tables.image_row(analysis), tables.sd_components(analysis)
    mask = label_bytes(analysis.segmentation.labels, analysis.image.spacing)
    files = dict(zip(files_of(item.name), (mask, picture), strict=True))
    pixels = analysis.image.pixels_sha256
    return Record(
        key, row, deposits, excluded, base64.b64encode(thumbnail).decode(), parts, pixels, analysis.warnings, files
    )


def read_film(item: Input, job: Job, film: FileBytes | None = None) -> Image:
    """The picture of an input, read as the job says, with the scale that the job asks for.

    `film` are the bytes of its file, where they are read already.
    """
    from calcimeasure.io.images.read import read_image

    image = read_image(
        film or item.path,
        kind=Kind(job.kind) if job.kind else None,
        spacing=job.user_spacing(item.image),
        frame=job.frame,
        max_megapixels=job.max_megapixels,
    )
    return _rescaled(image, job.scale)


def _rescaled(image: Image, request: ScaleRequest) -> Image:
    """The image with the scale asked for; what the reader said of a scale that is gone is dropped."""
    from calcimeasure.io.images.spacing import scale_words
    from calcimeasure.steps.scale.rescale import rescaled

    found = rescaled(image, request)
    if found.spacing == image.spacing:
        return found
    stale = scale_words(image.spacing)
    return replace(found, warnings=tuple(one for one in found.warnings if one not in stale))


def analysis_of(item: Input, job: Job) -> Analysis:
    """What one input gives, outlined and measured as the job says; nothing is written.

    Raises
    ------
    CalcimeasureError
        What reading, the mask, the region or the recipe raise.
    """
    return _analysed(given(item, job), item, job)


def _analysed(its: Given, item: Input, job: Job) -> Analysis:
    from calcimeasure.recipe import analyse, analyse_mask

    image = read_film(item, job, its.film)
    region = read_region(its.region, image.shape) if its.region else None
    if its.mask is None:
        return analyse(image, job.recipe, region=region)
    return analyse_mask(image, read_labels(its.mask, image.shape), job.recipe, region=region)


def _drawn(analysis: Any) -> tuple[bytes, bytes]:
    """The overlay picture and its thumbnail."""
    from calcimeasure.io.results.pictures import png
    from calcimeasure.report.film_picture import overlay, thumbnail

    picture = overlay(analysis.image, analysis.segmentation.labels, analysis.segmentation.excluded)
    return png(picture), thumbnail(picture)


def _identity(item: Input, key: str) -> dict[str, Any]:
    return {"image": item.image, "name": item.name, "sha256": key.partition(":")[0], "version": __version__}


def _key(its: Given, item: Input, job: Job) -> str:
    """All that a record depends on: bytes read, recipe, version, foundation, and what the user said of the image."""
    said = (job.user_spacing(item.image), job.scale, job.frame, job.kind)
    mask, region = (one.sha256 if one else "-" for one in (its.mask, its.region))
    rests_on = hashlib.sha256(json.dumps(foundation(), sort_keys=True).encode()).hexdigest()[:12]
    return ":".join(map(str, (its.film.sha256, job.recipe.hash, __version__, rests_on, *said, mask, region)))


def _hash_alone(item: Input) -> str:
    """What is known of a film whose mask or region cannot be read; empty when not even it can."""
    with suppress(ReadError):
        return f"{FileBytes.of(item.path).sha256}:"
    return ""


def lost_file(task: Task, job: Job, why: str) -> Record:
    """The record of a file whose worker died or took too long."""
    return failed(task.item, _hash_alone(task.item), job, f"{plain(task.item.path.name)} {why}")
