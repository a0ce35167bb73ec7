"""A folder at once: worker processes that take paths and return rows, never arrays.

A worker that crashes or hangs on one file costs that file's row and nothing else: it is replaced and
the run goes on.
"""

from __future__ import annotations

import base64
import multiprocessing
import os
import platform
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from calcimeasure import __version__
from calcimeasure.errors import CalcimeasureError, MaskError, OutputError
from calcimeasure.io.files import sha256_of, write_whole
from calcimeasure.io.given.inputs import Input
from calcimeasure.io.images.untrusted import check_file
from calcimeasure.io.results.masks import SUFFIX, find_region, read_labels, read_region, write_labels
from calcimeasure.io.results.record import Record
from calcimeasure.model.image import Image, Kind, Spacing, SpacingOrigin
from calcimeasure.model.scale import ScaleRequest
from calcimeasure.recipe import Recipe

if TYPE_CHECKING:
    from calcimeasure.recipe import Analysis


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with every file of a run.

    Parameters
    ----------
    out : Path
        Results folder.
    recipe : Recipe
        All settings of segmenting and measuring.
    kind : str or None
        ``"radiograph"`` or ``"photo"`` for every file; `None` lets the reader decide.
    spacing_mm : float or None
        Scale for every file, from the user.
    spacings_mm : mapping of str to float
        Scale by image, from the user's table; an image that is not in it keeps its own.
    spacing_sd_percent, spacing_sds_percent : float or None, and mapping of str to float
        The user's own standard deviation of that scale, for all and by image; the usual one when left out.
    scale : ScaleRequest
        Where the scale is looked for when the user gave none.
    frame : int or None
        Frame of multi-frame files, 1 is the first.
    masks, regions : Path or None
        Folders of label images to measure instead of segmenting, and of regions of interest.
    mask_files : mapping of str to Path
        Label image by image; it beats the folder.
    max_megapixels : float
        Larger images are refused.
    threads : int
        Threads each worker may use.
    """

    out: Path
    recipe: Recipe = field(default_factory=Recipe)
    kind: str | None = None
    spacing_mm: float | None = None
    spacings_mm: Mapping[str, float] = field(default_factory=dict)
    frame: int | None = None
    masks: Path | None = None
    regions: Path | None = None
    mask_files: Mapping[str, Path] = field(default_factory=dict)
    max_megapixels: float = 400
    threads: int = 1
    spacing_sd_percent: float | None = None
    spacing_sds_percent: Mapping[str, float] = field(default_factory=dict)
    scale: ScaleRequest = field(default_factory=ScaleRequest)

    def spacing_of(self, image: str) -> float | None:
        """The user's millimetres per pixel for an image: its row of the table, else the one number."""
        return _by_image(self.spacings_mm, image, self.spacing_mm)

    def user_spacing(self, image: str) -> Spacing | None:
        """The user's scale of an image with its error; `None` where the user gave none."""
        mm, percent = self.spacing_of(image), _by_image(self.spacing_sds_percent, image, self.spacing_sd_percent)
        if mm is None or percent is None:
            return None if mm is None else Spacing.of(mm, mm, SpacingOrigin.USER)
        return Spacing.with_errors(mm, mm, SpacingOrigin.USER, user=percent / 100)

    def mask_of(self, item: Input) -> Path | None:
        """The label image that the user wants measured; `None` is to segment."""
        folder = self.masks / f"{item.name}{SUFFIX}" if self.masks else None
        return self.mask_files.get(item.image, folder)


def _by_image(table: Mapping[str, float], image: str, otherwise: float | None) -> float | None:
    """The table's number for an image, by path or else by file name; else the one for all."""
    return table.get(image, table.get(image.rsplit("/", 1)[-1], otherwise))


#: Packages whose version a number may depend on.
_MATTERS = (
    "numpy",
    "scipy",
    "scikit-image",
    "opencv-python-headless",
    "pillow",
    "tifffile",
    "imagecodecs",
    "pydicom",
    "onnxruntime",
)


def run_facts(job: Job) -> dict[str, Any]:
    """Facts for run.json: the effective recipe and its hash, what the user asked for, and versions.

    ``settings`` must be equal for a run to be continued. No path of the machine is among them.
    """
    return {
        "tool": "calcimeasure",
        "version": __version__,
        "recipe_hash": job.recipe.hash,
        "settings": {
            "recipe": job.recipe.as_dict(),
            "weights_sha256": job.recipe.weights_sha256,
            "version": __version__,
            "kind": job.kind or "auto",
            "frame": job.frame,
            "masks": job.masks is not None,
            "regions": job.regions is not None,
            "max_megapixels": job.max_megapixels,
        },
        "spacing_mm": job.spacing_mm,
        "spacing_table": dict(job.spacings_mm),
        "spacing_sd_percent": job.spacing_sd_percent,
        "spacing_sd_percent_table": dict(job.spacing_sds_percent),
        "scale": asdict(job.scale),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in _MATTERS},
    }


@dataclass(frozen=True, slots=True)
class Task:
    """One file to measure, with the key of an earlier record of it, if there is one."""

    item: Input
    done_key: str | None = None


def measure_file(task: Task, job: Job) -> Record | None:
    """The record of one file; `None` when an earlier record still holds.

    Every error of ours becomes a failed row; so does one we did not foresee, named by its type alone.
    """
    item = task.item
    key = ""
    try:
        check_file(item.path)
        key = _key(item, job)
        if key == task.done_key and _mask_path(item, job).exists():
            return None
        return _measured(item, job, key)
    except OutputError:
        raise
    except CalcimeasureError as error:
        return failed(item, key, job, str(error))
    except OSError as error:
        return failed(item, key, job, f"{item.path.name} cannot be read: {error.strerror or type(error).__name__}")
    except MemoryError:
        return failed(
            item, key, job, f"{item.path.name} needs more memory than there is; measure it on a larger machine"
        )
    except Exception as bug:  # noqa: BLE001 - the last fence: one strange file must not stop a folder of thousands
        return failed(
            item, key, job, f"{item.path.name}: unforeseen {type(bug).__name__}; please report it with the file"
        )


def failed(item: Input, key: str, job: Job, error: str) -> Record:
    """The record of a file that could not be measured; what an earlier run left of it is removed."""
    _mask_path(item, job).unlink(missing_ok=True)
    _overlay_path(item, job).unlink(missing_ok=True)
    facts = _identity(item, key) | {"status": "failed", "error": " ".join(error.split()), "recipe": job.recipe.hash}
    return Record(key, facts)


def _measured(item: Input, job: Job, key: str) -> Record:
    from calcimeasure.io.results import tables

    analysis = analysis_of(item, job)
    write_labels(_mask_path(item, job), analysis.segmentation.labels, analysis.image.spacing)
    thumbnail = _draw(analysis, _overlay_path(item, job))
    proposed = analysis.image.kind is Kind.PHOTO and job.mask_of(item) is None
    facts = _identity(item, key) | {"status": "proposed" if proposed else "measured"}
    deposits = tuple(tables.deposit_row(item.image, deposit) for deposit in analysis.measurement.deposits)
    excluded = tuple(tables.excluded_row(item.image, finding) for finding in analysis.segmentation.excluded)
    picture = base64.b64encode(thumbnail).decode()
    parts = tables.sd_components(analysis)
    return Record(key, facts | tables.image_row(analysis), deposits, excluded, picture, parts)


def read_film(item: Input, job: Job) -> Image:
    """The picture of an input, read as the job says, with the scale that the job asks for."""
    from calcimeasure.io.images.read import read_image

    image = read_image(
        item.path,
        kind=Kind(job.kind) if job.kind else None,
        spacing=job.user_spacing(item.image),
        frame=job.frame,
        max_megapixels=job.max_megapixels,
    )
    return _rescaled(image, job.scale)


def _rescaled(image: Image, request: ScaleRequest) -> Image:
    """The image with the scale asked for; what the reader said of a scale that is gone is dropped."""
    from calcimeasure.io.images.spacing import chosen_spacing
    from calcimeasure.steps.scale.rescale import rescaled

    found = rescaled(image, request)
    if found.spacing == image.spacing:
        return found
    _, stale = chosen_spacing(image.spacing, None)
    return replace(found, warnings=tuple(words for words in found.warnings if words not in stale))


def analysis_of(item: Input, job: Job) -> Analysis:
    """What one input gives, outlined and measured as the job says; nothing is written.

    Raises
    ------
    CalcimeasureError
        What reading, the mask, the region or the recipe raise.
    """
    from calcimeasure.recipe import analyse, analyse_mask

    image, mask = read_film(item, job), job.mask_of(item)
    region = read_region(find_region(job.regions, item.name), image.shape) if job.regions else None
    if mask is None:
        return analyse(image, job.recipe, region=region)
    return analyse_mask(image, read_labels(mask, image.shape), job.recipe, region=region)


def _draw(analysis: Any, path: Path) -> bytes:
    """Write the overlay picture and return its thumbnail."""
    from calcimeasure.io.results.pictures import png
    from calcimeasure.report.film_picture import overlay, thumbnail

    picture = overlay(analysis.image, analysis.segmentation.labels, analysis.segmentation.excluded)
    write_whole(path, png(picture))
    return thumbnail(picture)


def _identity(item: Input, key: str) -> dict[str, Any]:
    return {"image": item.image, "name": item.name, "sha256": key.partition(":")[0], "version": __version__}


def _key(item: Input, job: Job) -> str:
    """Everything a record depends on: the bytes read, the recipe, the version, and what the user said of this image."""
    said = (job.user_spacing(item.image), job.scale, job.frame, job.kind)
    mask = job.mask_of(item)
    mask_hash = sha256_of(mask) if mask and mask.is_file() else "-"
    parts = (sha256_of(item.path), job.recipe.hash, __version__, *said, mask_hash, _region_hash(item, job))
    return ":".join(map(str, parts))


def _region_hash(item: Input, job: Job) -> str:
    """Hash of the region of interest; a missing one is reported when it is read, not here."""
    with suppress(MaskError):
        return sha256_of(find_region(job.regions, item.name)) if job.regions else "-"
    return "-"


def _mask_path(item: Input, job: Job) -> Path:
    return job.out / "masks" / f"{item.name}{SUFFIX}"


def _overlay_path(item: Input, job: Job) -> Path:
    return job.out / "overlays" / f"{item.name}.png"


def lost_file(task: Task, job: Job, why: str) -> Record:
    """The record of a file whose worker died or took too long."""
    return failed(task.item, _known_key(task.item, job), job, f"{task.item.path.name} {why}")


# --- worker processes ---------------------------------------------------------------------------

Asked = TypeVar("Asked")

_READY = "ready"  # a worker's first word
_START_SECONDS = 120.0  # for a process to come up and import what it needs; a file's time begins after that


@dataclass(slots=True)
class _Worker:
    """A process, the pipe to it, what it is busy with and until when it may be; `ready` once it has come up."""

    process: SpawnProcess
    pipe: Connection
    task: Any = None
    deadline: float = 0.0
    ready: bool = False

    def give(self, task: Any, seconds: float) -> None:
        self.task, self.deadline = task, time.monotonic() + (seconds if self.ready else _START_SECONDS)
        self.pipe.send(task)

    def come_up(self, seconds: float) -> None:
        """From now on its task is timed."""
        self.ready, self.deadline = True, time.monotonic() + seconds

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


@dataclass(slots=True)
class Crew:
    """Worker processes; use as a context manager, so that none outlives the run.

    Parameters
    ----------
    job : Job
        What to do with every file (or any other orders, with an `act` and a `lost` that know them).
    size : int
        How many processes.
    seconds_a_file : float
        A file that takes longer is given up.
    act : function, optional
        What a worker does with a task; importable by name, since it travels to other processes.
    lost : function, optional
        The answer to a task whose worker died or took too long, and why.
    """

    job: Any
    size: int = 1
    seconds_a_file: float = 300.0
    act: Callable[[Any, Any], Any] = measure_file
    lost: Callable[[Any, Any, str], Any] = lost_file
    _workers: list[_Worker] = field(default_factory=list)

    def __enter__(self) -> Crew:
        self._workers = [self._hire() for _ in range(self.size)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.stop()

    def run(self, tasks: Iterable[Asked]) -> Iterator[tuple[Asked, Any]]:
        """Each task with its record, in the order they are finished; memory does not grow with their number."""
        waiting = iter(tasks)
        while True:
            for worker in self._workers:
                if worker.task is None and (task := next(waiting, None)) is not None:
                    worker.give(task, self.seconds_a_file)
            if not any(worker.task for worker in self._workers):
                return
            yield from self._finished()

    def _finished(self) -> Iterator[tuple[Asked, Any]]:
        """Wait for the next answer or deadline and take what is there."""
        busy = [worker for worker in self._workers if worker.task]
        patience = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
        ready = wait([worker.pipe for worker in busy], patience)
        for worker in busy:
            if worker.pipe in ready:
                answer: tuple[Asked, Any] | None = self._answer(worker)
                if answer is not None:
                    yield answer
            elif time.monotonic() >= worker.deadline:
                yield self._replace(worker, f"took longer than {self.seconds_a_file:g} s and was given up")

    def _answer(self, worker: _Worker) -> tuple[Asked, Any] | None:
        """A task and its answer; `None` when the worker only says that it has come up."""
        task = worker.task
        assert task is not None
        try:
            answer = worker.pipe.recv()
        except EOFError:
            return self._replace(worker, "made its reader process die; the file is probably damaged")
        if not worker.ready:
            worker.come_up(self.seconds_a_file)
            return None
        worker.task = None
        if isinstance(answer, OutputError):
            raise answer
        return task, answer

    def _replace(self, worker: _Worker, why: str) -> tuple[Asked, Any]:
        task = worker.task
        assert task is not None
        worker.stop()
        self._workers[self._workers.index(worker)] = self._hire()
        return task, self.lost(task, self.job, why)

    def _hire(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self.job, self.act), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)


def _known_key(item: Input, job: Job) -> str:
    try:
        return _key(item, job)
    except (OSError, CalcimeasureError):
        return ""


def _work(pipe: Connection, job: Any, act: Callable[[Any, Any], Any]) -> None:
    """A worker's life: take a task, give its record, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _limit_threads(job.threads)
    with suppress(BrokenPipeError):
        pipe.send(_READY)
    while True:
        try:
            task = pipe.recv()
            answer: object = act(task, job)
        except EOFError:
            return
        except OutputError as error:
            answer = error
        with suppress(BrokenPipeError):  # the parent was killed: the next recv ends this loop
            pipe.send(answer)


def _limit_threads(count: int) -> None:
    import cv2

    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(count)
    cv2.setNumThreads(count)
