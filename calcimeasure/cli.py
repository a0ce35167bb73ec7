"""The command line: the only place that prints and exits. Data go to stdout, talk goes to stderr.

Exit codes: 0 all measured; 1 finished, some failed; 2 bad usage; 3 nothing to measure; 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calcimeasure import __version__
from calcimeasure.errors import CalcimeasureError

if TYPE_CHECKING:
    from calcimeasure.batch import Crew, Job, Task
    from calcimeasure.io.inputs import Inputs
    from calcimeasure.io.record import Record
    from calcimeasure.io.results import Results

ALL_MEASURED, SOME_FAILED, BAD_USAGE, NOTHING, INTERRUPTED = 0, 1, 2, 3, 130

app = typer.Typer(
    name="calcimeasure",
    help="Measures calcinosis on radiographs and photos. Research use only; not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class KindOption(StrEnum):
    """What --kind accepts."""

    AUTO = "auto"
    RADIOGRAPH = "radiograph"
    PHOTO = "photo"


Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print a JSON object on stdout.")]
KindChoice = Annotated[KindOption, typer.Option("--kind", help="Take every file as this kind.")]
SpacingText = Annotated[
    str | None,
    typer.Option("--spacing", metavar="MM|CSV", help="Millimetres per pixel, or a table with image,spacing_mm."),
]
Frame = Annotated[int | None, typer.Option("--frame", min=1, help="Frame of multi-frame files, 1 is the first.")]
MaxMegapixels = Annotated[float, typer.Option("--max-megapixels", min=0.0001, help="Refuse larger images.")]


@app.callback(invoke_without_command=True)
def _front(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit(ALL_MEASURED)


@app.command()
def measure(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files, or folders to search.", show_default=False)
    ],
    out: Out,
    kind: KindChoice = KindOption.AUTO,
    spacing: SpacingText = None,
    frame: Frame = None,
    recipe: Annotated[Path | None, typer.Option("--recipe", metavar="FILE.toml", help="Settings to use.")] = None,
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
    with _clear_errors():
        if resume and overwrite:
            raise typer.BadParameter("choose one of --resume and --overwrite")
        request = _Request(tuple(paths), out, resume, overwrite)
        job = _with_folders(_job(out, kind, spacing, frame, recipe), masks, regions)
        job = replace(job, max_megapixels=max_megapixels, threads=threads or max(1, (os.cpu_count() or 1) // jobs))
        raise typer.Exit(_run(request, job, _Pace(jobs, timeout), as_json))


@app.command()
def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")] = Path("calcimeasure-demo"),
    as_json: Json = False,
) -> None:
    """Measure the sample images that come with the package, and say where the report lies."""
    with _clear_errors():
        samples = _sample_images()
        job = _job(out, KindOption.AUTO, str(samples / "spacing.csv"), None, None)
        request = _Request((samples,), out, resume=False, overwrite=out.exists())
        raise typer.Exit(_run(request, job, _Pace(min(2, os.cpu_count() or 1)), as_json))


@app.command()
def info(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files, or folders to search.", show_default=False)
    ],
    kind: KindChoice = KindOption.AUTO,
    spacing: SpacingText = None,
    frame: Frame = None,
    max_megapixels: MaxMegapixels = 400,
    as_json: Json = False,
) -> None:
    """Say what the reader understands of a file: size, kind, polarity, meaning, scale, warnings."""
    with _clear_errors():
        job = replace(_job(Path(), kind, spacing, frame, None), max_megapixels=max_megapixels)
        inputs = _found(paths, None)
        errors = [_tell_facts(_facts(item, job), as_json) for item in inputs.files]
        raise typer.Exit(SOME_FAILED if any(errors) else ALL_MEASURED)


@app.command()
def calibrate(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files, or folders to search.", show_default=False)
    ],
    marker_mm: Annotated[
        float | None, typer.Option("--marker-mm", min=0.1, help="Side of the printed marker as measured on paper.")
    ] = None,
    scale_points: Annotated[
        str | None,
        typer.Option(
            "--scale-points", metavar="R1,C1,R2,C2,MM", help="Two points (row, column) and the mm between them."
        ),
    ] = None,
    kind: KindChoice = KindOption.AUTO,
    as_json: Json = False,
) -> None:
    """Find the scale: from two points, a printed marker, a ruler in the photo, or what the file says."""
    with _clear_errors():
        job = _job(Path(), kind, None, None, None)
        ends = _two_points(scale_points) if scale_points else None
        found = [_scale_facts(item, job, marker_mm, ends) for item in _found(paths, None).files]
        for one in found:
            print(json.dumps(one) if as_json else _as_lines(one))
        raise typer.Exit(SOME_FAILED if any(one["spacing_row_mm"] is None for one in found) else ALL_MEASURED)


@app.command()
def marker(
    out: Annotated[Path, typer.Option("-o", "--out", help="PDF file to write.", show_default=False)],
    size: Annotated[int, typer.Option("--size", min=8, max=60, help="Side of a marker in millimetres.")] = 20,
) -> None:
    """Write a page of markers to print and lay beside the skin: it gives a photo its scale."""
    from calcimeasure.io.files import write_whole
    from calcimeasure.io.marker_sheet import sheet_pdf
    from calcimeasure.steps.calibrate import marker_sheet

    with _clear_errors():
        write_whole(out, sheet_pdf(marker_sheet(size)))
    _say(f"{out}: print it at 100 %, then measure the line 'measure me: 100 mm' before you use it")


def main() -> None:
    """Run the command line (the console script's entry point)."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


# --- what the user asked for ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Request:
    """Which files, where to, and what to do with what is there already."""

    paths: tuple[Path, ...]
    out: Path
    resume: bool
    overwrite: bool


@dataclass(frozen=True, slots=True)
class _Pace:
    """How many processes, and how long one file may take."""

    jobs: int = 1
    seconds_a_file: float = 300


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Every error of ours is one line on stderr and exit code 2; a file's own error is its row's, not this."""
    try:
        yield
    except CalcimeasureError as error:
        _say(f"error: {error}")
        raise typer.Exit(BAD_USAGE) from None


def _job(out: Path, kind: KindOption, spacing: str | None, frame: int | None, recipe: Path | None) -> Job:
    from calcimeasure.batch import Job

    one, table = _spacings(spacing)
    chosen = None if kind is KindOption.AUTO else kind.value
    return Job(out, _recipe(recipe), chosen, spacing_mm=one, spacings_mm=table, frame=frame)


def _with_folders(job: Job, masks: Path | None, regions: Path | None) -> Job:
    for folder, option in ((masks, "--masks"), (regions, "--regions")):
        if folder is not None and not folder.is_dir():
            raise typer.BadParameter(f"{option}: there is no folder {folder.name!r}")
    return replace(job, masks=masks, regions=regions)


def _spacings(text: str | None) -> tuple[float | None, dict[str, float]]:
    """The user's scale: one number, or a table by image."""
    from calcimeasure.io.tables import read_spacings

    if text is None:
        return None, {}
    try:
        value = float(text)
    except ValueError:
        return None, read_spacings(Path(text))
    if not 0 < value < float("inf"):
        raise typer.BadParameter(f"--spacing must be a positive number of millimetres, got {text}")
    return value, {}


def _recipe(path: Path | None) -> Any:
    from calcimeasure.errors import RecipeError
    from calcimeasure.recipe import Recipe

    if path is None:
        return Recipe()
    try:
        return Recipe.from_toml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read the recipe {path.name}: {type(error).__name__}") from error


def _sample_images() -> Path:
    """The sample images: inside the installed package, or beside it in a checkout."""
    home = Path(__file__).parent
    places = (home / "sample_images", home.parent / "sample_images")
    return next((place for place in places if place.is_dir()), places[0])


def _found(paths: Sequence[Path], out: Path | None) -> Inputs:
    from calcimeasure.io.inputs import find_inputs

    inputs = find_inputs(paths, out)
    if inputs.skipped:
        _say(f"{inputs.skipped} other files passed over (not images, or results of ours)")
    if not inputs.files:
        _say("nothing to measure: no image was found there")
        raise typer.Exit(NOTHING)
    return inputs


# --- the run ---------------------------------------------------------------------------------------


def _run(request: _Request, job: Job, pace: _Pace, as_json: bool) -> int:
    """Measure what was asked for; the exit code."""
    from calcimeasure.batch import run_facts
    from calcimeasure.io.results import open_results

    inputs = _found(request.paths, request.out)
    results = open_results(
        request.out, inputs.files, run_facts(job), resume=request.resume, overwrite=request.overwrite
    )
    with results:
        interrupted = _work_through(results, inputs, job, pace)
        results.finish(run_facts(job))
        summary = _summary(results, request.out)
    _tell(summary, interrupted, as_json)
    if interrupted:
        return INTERRUPTED
    return SOME_FAILED if summary["failed"] else ALL_MEASURED


def _work_through(results: Results, inputs: Inputs, job: Job, pace: _Pace) -> bool:
    """Measure all inputs, keeping each record as it comes; whether the user broke it off."""
    from calcimeasure.batch import Crew, Task

    keys = {item.image: _done_key(results, item.image) for item in inputs.files}
    tasks = [Task(item, keys[item.image]) for item in inputs.files]
    size = max(1, min(pace.jobs, len(tasks)))
    try:
        with _progress(len(tasks)) as step, Crew(job, size, pace.seconds_a_file) as crew:
            _collect(results, crew, tasks, step)
    except KeyboardInterrupt:
        return True
    return False


def _collect(results: Results, crew: Crew, tasks: Sequence[Task], step: Any) -> None:
    for task, record in crew.run(tasks):
        if record is not None:
            results.add(record)
        if record is not None and record.failed:
            why = str(record.row["error"]).removeprefix(f"{task.item.path.name}: ")
            _say(f"failed: {task.item.image}: {why}")
        step()


def _done_key(results: Results, image: str) -> str | None:
    """Key of an earlier record; a failed one is tried again."""
    record: Record | None = results.record_of(image)
    return None if record is None or record.failed else record.key


def _summary(results: Results, out: Path) -> dict[str, Any]:
    statuses = [str(record.row["status"]) for record in results.records()]
    counts = {name: statuses.count(name) for name in ("measured", "proposed", "failed")}
    return {"out": str(out), "images": len(statuses), **counts, "report": str(out / "report.html")}


def _tell(summary: dict[str, Any], interrupted: bool, as_json: bool) -> None:
    if as_json:
        print(json.dumps(summary))
    counts = ", ".join(f"{summary[name]} {name}" for name in ("measured", "proposed", "failed") if summary[name])
    if interrupted:
        _say(f"interrupted: {counts or 'nothing'} so far; --resume goes on")
        return
    _say(f"{counts}; report: {summary['report']}")


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """A bar with count, rate and time left when stderr is a terminal; nothing otherwise. Yields the step to call."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        MofNCompleteColumn(),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("measuring", total=total)
        yield lambda: bar.advance(task)


# --- info ------------------------------------------------------------------------------------------


def _facts(item: Any, job: Job) -> dict[str, Any]:
    """What the reader understood of one file, or the error it ended in."""
    from calcimeasure.io.read import read_image
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
    from calcimeasure.io.read import describe
    from calcimeasure.io.tables import spacing_cells

    try:
        told = describe(path)
    except CalcimeasureError:
        return {}
    rows, columns = told.shape or (None, None)
    words = {"kind": told.kind and told.kind.value, "meaning": told.meaning and told.meaning.value}
    return {"rows": rows, "columns": columns, **words, "decided": told.decided, **spacing_cells(told.spacing)}


def _tell_facts(facts: dict[str, Any], as_json: bool) -> str:
    """Print what is known of a file as soon as it is known; the error, if any."""
    print(json.dumps(facts) if as_json else _as_lines(facts), flush=True)
    return str(facts["error"])


def _image_facts(image: Any) -> dict[str, Any]:
    from calcimeasure.io.tables import spacing_cells

    return {
        "rows": image.shape[0],
        "columns": image.shape[1],
        "dtype": str(image.pixels.dtype),
        "kind": image.kind.value,
        "meaning": image.meaning.value,
        "polarity": image.polarity.value,
        "decided": image.decided,
        **spacing_cells(image.spacing),
        **{name: value for name, value in asdict(image.acquisition).items() if value is not None},
        "warnings": list(image.warnings),
    }


def _two_points(text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 5:
        raise typer.BadParameter(f"--scale-points wants R1,C1,R2,C2,MM, five numbers, got {text!r}")
    return numbers


def _scale_facts(item: Any, job: Job, marker_mm: float | None, ends: list[float] | None) -> dict[str, Any]:
    """The scale of one file, or why there is none: one object of ``calibrate --json``."""
    from calcimeasure.io.tables import spacing_cells

    scale, spacing, error = None, None, ""
    try:
        scale, spacing = _scale(item, job, marker_mm, ends)
    except CalcimeasureError as refusal:
        error = str(refusal)
    cells = spacing_cells(spacing)
    return {
        "image": item.image,
        "method": cells.pop("spacing_origin"),
        **cells,
        "sd": spacing.relative_sd * spacing.mean_mm if spacing else None,
        "unsure": scale.unsure if scale else spacing is None,
        "reason": error or (scale.reason if scale else ""),
        "tilt_degrees": scale.tilt_degrees if scale else None,
    }


def _scale(item: Any, job: Job, marker_mm: float | None, ends: list[float] | None) -> tuple[Any, Any]:
    """The scale found in the picture and its spacing; a film's own spacing where the picture is no photo."""
    from calcimeasure.io.read import read_image
    from calcimeasure.model.image import Kind
    from calcimeasure.steps.calibrate import find_scale, scale_from_points

    image = read_image(item.path, kind=Kind(job.kind) if job.kind else None)
    if ends is not None:
        found = scale_from_points((ends[0], ends[1]), (ends[2], ends[3]), ends[4])
    elif image.kind is Kind.PHOTO:
        found = find_scale(image, marker_mm=marker_mm)
    elif image.spacing is None:
        raise CalcimeasureError(f"{item.path.name} holds no scale: give two points with --scale-points")
    else:
        return None, image.spacing
    return found, found.spacing


def _as_lines(facts: dict[str, Any]) -> str:
    """Facts for reading: one `name: value` a line, empty ones left out."""
    lines = [
        f"{name}: {'; '.join(value) if isinstance(value, list) else value}" for name, value in facts.items() if value
    ]
    return "\n".join([*lines, ""])


def _say(text: str) -> None:
    print(text, file=sys.stderr)
