"""Options that several commands have, and what they ask for."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import calcimeasure
from calcimeasure.io.given.user_table import number
from calcimeasure.model.pixel_size import impossible


class KindOption(StrEnum):
    """What --kind accepts."""

    AUTO = "auto"
    RADIOGRAPH = "radiograph"
    PHOTO = "photo"


Paths = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Files, or folders to search.", show_default=False)
]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print a JSON object on stdout.")]
KindChoice = Annotated[KindOption, typer.Option("--kind", help="Take every file as this kind.")]
SpacingText = Annotated[
    str | None,
    typer.Option("--spacing", metavar="MM|CSV", help="Millimetres per pixel, or a table with image,spacing_mm."),
]
Frame = Annotated[int | None, typer.Option("--frame", min=1, help="Frame of multi-frame files, 1 is the first.")]
MaxMegapixels = Annotated[float, typer.Option("--max-megapixels", min=0.0001, help="Refuse larger images.")]
RecipeFile = Annotated[Path | None, typer.Option("--recipe", metavar="FILE.toml", help="Settings to use.")]
ProfileFile = Annotated[
    Path | None,
    typer.Option("--profile", metavar="PROFILE.json", help="Precision profile measured by `repeatability`."),
]
Overrides = Annotated[
    Path | None, typer.Option("--overrides", metavar="FILE.csv", help="Matches of deposits made by hand.")
]
Landmarks = Annotated[
    Path | None, typer.Option("--landmarks", metavar="FILE.csv", help="Points that both films show, three or more.")
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Worker processes.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where a run stopped.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Delete our results in the folder and begin again.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds after which a film is given up.")]
Mirrored = Annotated[bool, typer.Option("--mirrored", help="The films show the limb mirrored, and you know.")]


def job_of(out: Path, kind: KindOption, spacing: str | None = None, recipe: Path | None = None) -> calcimeasure.Job:
    """What the options ask to be done with every image."""
    job = calcimeasure.Job(out, kind=None if kind is KindOption.AUTO else kind.value)
    job = job if spacing is None else _with_spacing(job, spacing)
    return job if recipe is None else replace(job, recipe=calcimeasure.read_recipe(recipe))


def begin_of(resume: bool, overwrite: bool) -> calcimeasure.Begin:
    """What to do with results that are there already."""
    if resume and overwrite:
        raise typer.BadParameter("choose one of --resume and --overwrite")
    begin = calcimeasure.Begin
    return begin.RESUME if resume else begin.OVERWRITE if overwrite else begin.NEW


def _with_spacing(job: calcimeasure.Job, text: str) -> calcimeasure.Job:
    """The job with the user's scale: one number, or a table by image."""
    value = number(text.strip())
    if value is None and text.strip("+-").lower() not in ("inf", "nan"):
        return replace(job, spacing_table=calcimeasure.read_spacings(Path(text)))
    if value is None or value <= 0:
        raise typer.BadParameter(f"--spacing must be a positive number of millimetres, got {text}")
    if why := impossible(value, value):
        raise typer.BadParameter(f"--spacing {text} {why}")
    return replace(job, spacing_mm=value)
