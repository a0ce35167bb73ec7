"""The commands that measure, or say what could be measured: measure, info."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calcimeasure.cli.scale import (
    Distances,
    MarkerMm,
    ObjectDistance,
    RulerMm,
    ScaleChoice,
    ScaleOption,
    ScalePoints,
    Sizes,
    SourceDistance,
    SpacingSd,
    scale_request,
)
from calcimeasure.cli.terminal import (
    ALL_MEASURED,
    INTERRUPTED,
    SOME_FAILED,
    Frame,
    Json,
    KindChoice,
    KindOption,
    MaxMegapixels,
    Out,
    Paths,
    SpacingText,
    as_lines,
    clear_errors,
    found_inputs,
    progress,
    say,
    say_all,
)
from calcimeasure.errors import CalcimeasureError
from calcimeasure.report.plain_text import plain

if TYPE_CHECKING:
    from calcimeasure.io.given.inputs import Inputs
    from calcimeasure.io.given.spacing_table import SpacingTable
    from calcimeasure.io.results.folder import Results
    from calcimeasure.io.results.record import Record
    from calcimeasure.run.films import Job, Task


_LONGEST_RECIPE = 2**20


def measure(
    paths: Paths,
    out: Out,
    kind: KindChoice = KindOption.AUTO,
    spacing: SpacingText = None,
    spacing_sd: SpacingSd = None,
    scale: ScaleChoice = ScaleOption.FILE,
    marker_mm: MarkerMm = None,
    ruler_mm: RulerMm = None,
    scale_points: ScalePoints = None,
    object_distance: ObjectDistance = None,
    source_distance: SourceDistance = None,
    frame: Frame = None,
    recipe: Annotated[Path | None, typer.Option("--recipe", metavar="FILE.toml", help="Settings to use.")] = None,
    wedge: Annotated[
        str | None,
        typer.Option("--wedge", metavar="MM,MM,...", help="Aluminium step wedge on the films: mm of every step."),
    ] = None,
    masks: Annotated[
        Path | None, typer.Option("--masks", metavar="DIR", help="Measure these label images instead of segmenting.")
    ] = None,
    regions: Annotated[
        Path | None, typer.Option("--regions", metavar="DIR", help="Measure inside these regions only.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Worker processes.")] = 1,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Threads per process [processors / jobs].")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a run stopped.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete our results in the folder and begin again.")
    ] = False,
    max_megapixels: MaxMegapixels = 400,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds after which a file is given up.")] = 300,
    as_json: Json = False,
) -> None:
    """Outline and measure the deposits of films and photos."""
    with clear_errors():
        if resume and overwrite:
            raise typer.BadParameter("choose one of --resume and --overwrite")
        request = Request(tuple(paths), out, resume, overwrite)
        job = _with_folders(job_of(out, kind, spacing, frame, recipe), masks, regions)
        job = _with_spacing_sd(_with_wedge(job, wedge), spacing_sd)
        wanted = scale_request(
            scale, scale_points, Sizes(marker_mm, ruler_mm), Distances(object_distance, source_distance)
        )
        threads = threads or max(1, (os.cpu_count() or 1) // jobs)
        job = replace(job, scale=wanted, max_megapixels=max_megapixels, threads=threads)
        raise typer.Exit(_run(request, job, Speed(jobs, timeout), as_json))


def info(
    paths: Paths,
    kind: KindChoice = KindOption.AUTO,
    spacing: SpacingText = None,
    frame: Frame = None,
    max_megapixels: MaxMegapixels = 400,
    as_json: Json = False,
) -> None:
    """Say what the reader understands of a file: size, kind, polarity, meaning, scale, warnings."""
    with clear_errors():
        job = replace(job_of(Path(), kind, spacing, frame, None), max_megapixels=max_megapixels)
        inputs = found_inputs(paths, None)
        job = job.for_films(inputs.files)
        errors = [_tell_facts(_facts(item, job), as_json) for item in inputs.files]
        raise typer.Exit(SOME_FAILED if any(errors) else ALL_MEASURED)


# --- what the user asked for ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """Which files, where to, and what to do with what is there already.

    Images whose path begins with `leave_out` are no part of the run; empty is to take all.
    """

    paths: tuple[Path, ...]
    out: Path
    resume: bool
    overwrite: bool
    leave_out: str = ""

    def without_left_out(self, inputs: Inputs) -> Inputs:
        """The inputs that are part of the run."""
        if not self.leave_out:
            return inputs
        return replace(inputs, files=tuple(one for one in inputs.files if not one.image.startswith(self.leave_out)))


@dataclass(frozen=True, slots=True)
class Speed:
    """How many processes, and how long one file may take."""

    jobs: int = 1
    seconds_a_file: float = 300


def job_of(out: Path, kind: KindOption, spacing: str | None, frame: int | None, recipe: Path | None) -> Job:
    """What the options ask to be done with every image."""
    from calcimeasure.run.films import Job

    one, table = _spacings(spacing)
    chosen = None if kind is KindOption.AUTO else kind.value
    job = Job(out, _recipe(recipe), chosen, frame=frame)
    return replace(job, spacing_mm=one, spacing_table=table)


def _with_spacing_sd(job: Job, percent: float | None) -> Job:
    if percent is not None and job.spacing_mm is None and job.spacing_table is None:
        raise typer.BadParameter("--spacing-sd is the error of --spacing: give both")
    return replace(job, spacing_sd_percent=percent)


def _with_folders(job: Job, masks: Path | None, regions: Path | None) -> Job:
    for folder, option in ((masks, "--masks"), (regions, "--regions")):
        if folder is not None and not folder.is_dir():
            raise typer.BadParameter(f"{option}: there is no folder {folder.name!r}")
    return replace(job, masks=masks, regions=regions)


def _with_wedge(job: Job, steps: str | None) -> Job:
    """The job with the user's wedge in its recipe; what else the recipe says of a wedge is kept."""
    if steps is None:
        return job
    try:
        thickness = tuple(float(mm) for mm in steps.split(","))
    except ValueError:
        raise typer.BadParameter(f"--wedge wants the mm of every step, as 1,2,3,4,5; got {steps!r}") from None
    recipe = job.recipe
    return replace(job, recipe=replace(recipe, wedge=replace(recipe.wedge, steps_mm=thickness)))


def _spacings(text: str | None) -> tuple[float | None, SpacingTable | None]:
    """The user's scale: one number, or a table by image."""
    from calcimeasure.io.given.spacing_table import read_spacings
    from calcimeasure.io.given.user_table import number
    from calcimeasure.model.pixel_size import impossible

    if text is None:
        return None, None
    value = number(text.strip())
    if value is None and text.strip("+-").lower() not in ("inf", "nan"):
        return None, read_spacings(Path(text))
    if value is None or value <= 0:
        raise typer.BadParameter(f"--spacing must be a positive number of millimetres, got {text}")
    if why := impossible(value, value):
        raise typer.BadParameter(f"--spacing {text} {why}")
    return value, None


def _recipe(path: Path | None) -> Any:
    from calcimeasure.errors import RecipeError
    from calcimeasure.recipe import Recipe

    if path is None:
        return Recipe()
    try:
        if not path.is_file() or path.stat().st_size > _LONGEST_RECIPE:
            raise RecipeError(f"{plain(path.name)} is no recipe: name a TOML file")
        return Recipe.from_toml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read the recipe {plain(path.name)}: {type(error).__name__}") from error


# --- the run ---------------------------------------------------------------------------------------


def _run(request: Request, job: Job, speed: Speed, as_json: bool) -> int:
    """Measure what was asked for and tell of it; the exit code."""
    summary, interrupted = measured(request, job, speed)
    tell_run(summary, interrupted, as_json)
    if interrupted:
        return INTERRUPTED
    return SOME_FAILED if summary["failed"] else ALL_MEASURED


def measured(request: Request, job: Job, speed: Speed) -> tuple[dict[str, Any], bool]:
    """The summary of a run, and whether it was interrupted."""
    from calcimeasure.io.results.folder import open_results
    from calcimeasure.io.results.opening import check_apart
    from calcimeasure.run.films import run_facts

    inputs = request.without_left_out(found_inputs(request.paths, request.out))
    job = job.for_films(inputs.files)
    check_apart(request.out, [*job.reads, *(item.path for item in inputs.files)])
    results = open_results(
        request.out, inputs.files, run_facts(job), resume=request.resume, overwrite=request.overwrite
    )
    with results:
        say_all(results.remarks)
        interrupted = _work_through(results, job, speed)
        results.finish(run_facts(job))
        return _summary(results, request.out), interrupted


def _work_through(results: Results, job: Job, speed: Speed) -> bool:
    """Measure all inputs, keeping each record as it comes; whether the user broke it off."""
    from calcimeasure.run.crew import Crew
    from calcimeasure.run.films import Task, lost_file, measure_file

    tasks = (Task(item, results.done_key(item.image)) for item in results.inputs)
    size = max(1, min(speed.jobs, len(results.inputs)))
    try:
        with (
            progress(len(results.inputs)) as step,
            Crew(job, measure_file, lost_file, size, speed.seconds_a_file) as crew,
        ):
            _collect(results, crew.run(tasks), step)
    except KeyboardInterrupt:
        return True
    return False


def _collect(results: Results, answers: Iterable[tuple[Task, Record | None]], step: Any) -> None:
    for task, record in answers:
        kept = None if record is None else results.add(record)
        if kept is not None and kept.failed:
            why = str(kept.row["error"]).removeprefix(f"{plain(task.item.path.name)}: ")
            say(f"failed: {task.item.image}: {why}")
        step()


def _summary(results: Results, out: Path) -> dict[str, Any]:
    statuses = [str(record.row["status"]) for record in results.records()]
    counts = {name: statuses.count(name) for name in ("measured", "proposed", "failed")}
    return {"out": str(out), "images": len(statuses), **counts, "report": str(out / "report.html")}


def tell_run(summary: dict[str, Any], interrupted: bool, as_json: bool) -> None:
    """Say how the run ended; as JSON on stdout if asked."""
    if as_json:
        print(json.dumps(summary))
    counts = ", ".join(f"{summary[name]} {name}" for name in ("measured", "proposed", "failed") if summary[name])
    if interrupted:
        say(f"interrupted: {counts or 'nothing'} so far; --resume goes on")
        return
    say(f"{counts}; report: {summary['report']}")


# --- info ------------------------------------------------------------------------------------------


def _facts(item: Any, job: Job) -> dict[str, Any]:
    """What the reader understood of one file, or the error it ended in."""
    from calcimeasure.io.images.read import read_image
    from calcimeasure.model.image import Kind

    kind = Kind(job.kind) if job.kind else None
    spacing = job.spacing_of(item.image)
    try:
        image = read_image(item.path, kind=kind, spacing=spacing, frame=job.frame, max_megapixels=job.max_megapixels)
    except CalcimeasureError as error:
        return {"image": item.image, "error": str(error), **_header_facts(item.path)}
    return {"image": item.image, "error": "", **_image_facts(image)}


def _header_facts(path: Path) -> dict[str, Any]:
    """What the header of a file says that cannot be measured, a CT for instance; nothing when not even that is read."""
    from calcimeasure.io.images.read import describe
    from calcimeasure.io.results.tables import spacing_cells

    try:
        told = describe(path)
    except CalcimeasureError:
        return {}
    rows, columns = told.shape or (None, None)
    words = {"kind": told.kind and told.kind.value, "meaning": told.meaning and told.meaning.value}
    return {"rows": rows, "columns": columns, **words, "decided": told.decided, **spacing_cells(told.spacing)}


def _tell_facts(facts: dict[str, Any], as_json: bool) -> str:
    """Print what is known of a file as soon as it is known; the error, if any."""
    print(json.dumps(facts) if as_json else as_lines(facts), flush=True)
    return str(facts["error"])


def _disclosed(image: Any) -> dict[str, Any]:
    """How the picture was taken, without what only serves to tell two films apart."""
    told = asdict(image.acquisition).items()
    return {name: fact for name, fact in told if fact is not None and name not in _UNTOLD}


#: What of an acquisition serves to compare two films and is told nobody.
_UNTOLD = ("device", "processing", "undisclosed", "patient", "born", "taken")


def _image_facts(image: Any) -> dict[str, Any]:
    from calcimeasure.io.results.tables import spacing_cells

    return {
        "rows": image.shape[0],
        "columns": image.shape[1],
        "dtype": str(image.pixels.dtype),
        "kind": image.kind.value,
        "meaning": image.meaning.value,
        "polarity": image.polarity.value,
        "decided": image.decided,
        **spacing_cells(image.spacing),
        **_disclosed(image),
        "warnings": list(image.warnings),
    }
