"""The options about scale, and what they ask for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from calcimeasure.model.scale import ScaleRequest


class ScaleOption(StrEnum):
    """What --scale accepts."""

    FILE = "file"
    AUTO = "auto"
    MARKER = "marker"
    RULER = "ruler"


ScaleChoice = Annotated[
    ScaleOption,
    typer.Option("--scale", help="Scale from the file, or looked for in the picture (auto: in photos only)."),
]
SpacingSd = Annotated[
    float | None,
    typer.Option("--spacing-sd", metavar="PERCENT", min=0.001, max=100, help="Your own error of --spacing."),
]
MarkerMm = Annotated[
    float | None, typer.Option("--marker-mm", min=0.1, help="Side of the printed marker as measured on paper.")
]
RulerMm = Annotated[
    float | None,
    typer.Option("--ruler-mm", min=0.1, max=30, help="Distance of neighbouring ticks of the ruler, in mm."),
]
ScalePoints = Annotated[
    str | None,
    typer.Option("--scale-points", metavar="R1,C1,R2,C2,MM", help="Two points (row, column) and the mm between them."),
]
ObjectDistance = Annotated[
    float | None,
    typer.Option(
        "--object-distance", metavar="MM", min=0, help="Height of the part over the detector: corrects magnification."
    ),
]
SourceDistance = Annotated[
    float | None,
    typer.Option("--source-distance", metavar="MM", min=1, help="Source to detector, where the file does not say."),
]


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a person knows of the things in the picture: side of the marker, distance of the ruler's ticks, in mm."""

    marker_mm: float | None = None
    ruler_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Distances:
    """What a person knows of the tube: height of the part over the detector, and of the focus, in mm."""

    object_mm: float | None = None
    source_mm: float | None = None


def scale_request(
    source: ScaleOption, points: str | None, sizes: Sizes, distances: Distances | None = None
) -> ScaleRequest:
    """What the options ask for; bad usage for options that contradict each other."""
    from calcimeasure.model.scale import ScaleRequest, ScaleSource

    if points is not None and source is not ScaleOption.FILE:
        raise typer.BadParameter("choose one of --scale and --scale-points")
    for thing, told in (("marker", sizes.marker_mm), ("ruler", sizes.ruler_mm)):
        if told is not None and source.value not in ("auto", thing):
            raise typer.BadParameter(f"--{thing}-mm needs --scale {thing} (or auto)")
    tube = distances or Distances()
    if tube.source_mm is not None and tube.object_mm is None:
        raise typer.BadParameter("--source-distance needs --object-distance, the part's height over the detector")
    ends = None if points is None else _two_points(points)
    return ScaleRequest(
        ScaleSource(source.value), sizes.marker_mm, ends, tube.object_mm, tube.source_mm, sizes.ruler_mm
    )


def _two_points(text: str) -> tuple[float, float, float, float, float]:
    """Row and column of two points and the mm between them; refused at once when they cannot be a scale."""
    from calcimeasure.steps.scale.points import scale_from_points

    try:
        row1, column1, row2, column2, mm = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"--scale-points wants R1,C1,R2,C2,MM, five numbers, got {text!r}") from None
    scale_from_points((row1, column1), (row2, column2), mm)
    return row1, column1, row2, column2, mm
