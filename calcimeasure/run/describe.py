"""What the reader understands of films before anything is measured: their facts, and their scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from calcimeasure.errors import CalcimeasureError
from calcimeasure.io.given.inputs import Input, find_inputs
from calcimeasure.io.images.read import describe, read_image
from calcimeasure.io.results.tables import spacing_cells
from calcimeasure.model.image import Image, Kind, Spacing
from calcimeasure.model.scale import Scale
from calcimeasure.report.words import in_one, sentences
from calcimeasure.run.job import Job
from calcimeasure.run.progress import Progress, Stage, Tell, unheard
from calcimeasure.steps.scale import scale_in_picture

#: What of an acquisition serves to compare two films and is told nobody.
_UNTOLD = ("device", "processing", "undisclosed", "patient", "born", "taken")


def describe_films(paths: Sequence[Path], job: Job, tell: Tell = unheard) -> Iterator[dict[str, Any]]:
    """What the reader understands of each file, as ``calcimeasure info --json`` prints it; `error` is why not.

    Raises
    ------
    TableError
        When a path does not exist.
    NothingToMeasure
        When no image is there.
    """
    inputs = _found(paths, tell)
    scaled = job.for_films(inputs)
    return (_facts(item, scaled) for item in inputs)


def scales_of(paths: Sequence[Path], job: Job, tell: Tell = unheard) -> Iterator[dict[str, Any]]:
    """The scale of each file, or the `reason` why there is none, as ``calcimeasure calibrate --json`` prints it.

    Raises
    ------
    TableError, NothingToMeasure
        As `describe_films`.
    """
    return (_scale_facts(item, job) for item in _found(paths, tell))


def _found(paths: Sequence[Path], tell: Tell) -> tuple[Input, ...]:
    inputs = find_inputs(paths)
    tell(Progress(Stage.OPENING, remarks=inputs.remarks))
    return inputs.to_measure


def _facts(item: Input, job: Job) -> dict[str, Any]:
    """What the reader understood of one file, or the error it ended in."""
    kind = Kind(job.kind) if job.kind else None
    spacing = job.spacing_of(item.image)
    try:
        image = read_image(item.path, kind=kind, spacing=spacing, frame=job.frame, max_megapixels=job.max_megapixels)
    except CalcimeasureError as error:
        return {"image": item.image, "error": str(error), **_header_facts(item.path)}
    return {"image": item.image, "error": "", **_image_facts(image)}


def _header_facts(path: Path) -> dict[str, Any]:
    """What the header of a file says that cannot be measured, a CT for instance; nothing when not even that is read."""
    try:
        told = describe(path)
    except CalcimeasureError:
        return {}
    rows, columns = told.shape or (None, None)
    words = {"kind": told.kind and told.kind.value, "meaning": told.meaning and told.meaning.value}
    return {"rows": rows, "columns": columns, **words, "decided": told.decided, **spacing_cells(told.spacing)}


def _disclosed(image: Image) -> dict[str, Any]:
    """How the picture was taken, without what only serves to tell two films apart."""
    told = asdict(image.acquisition).items()
    return {name: fact for name, fact in told if fact is not None and name not in _UNTOLD}


def _image_facts(image: Image) -> dict[str, Any]:

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
        "warnings": list(sentences(image.warnings)),
        "warning_codes": [one.code.value for one in image.warnings],
    }


def _scale_facts(item: Input, job: Job) -> dict[str, Any]:
    """The scale of one file, or why there is none: one object of ``calibrate --json``."""
    scale, spacing, error = None, None, ""
    try:
        scale, spacing = _scale(item, job)
    except CalcimeasureError as refusal:
        error = str(refusal)
    cells = spacing_cells(spacing)
    origin = cells.pop("spacing_origin")
    return {
        "image": item.image,
        "method": scale.method.value if scale and scale.method else origin,
        **cells,
        "sd": spacing.sd_mm if spacing else None,
        "unsure": scale.unsure if scale else spacing is None,
        "reason": error or (in_one(scale.reason) if scale else ""),
        "tilt_degrees": scale.tilt_degrees if scale else None,
    }


def _scale(item: Input, job: Job) -> tuple[Scale | None, Spacing | None]:
    """The scale found in the picture and its spacing; a film's own spacing where the picture is no photo."""
    image = read_image(item.path, kind=Kind(job.kind) if job.kind else None)
    found = scale_in_picture(image, job.scale)
    if found is None and image.spacing is None:
        raise CalcimeasureError(f"{item.path.name} holds no scale: give two points with --scale-points")
    return found, found.spacing if found else image.spacing
