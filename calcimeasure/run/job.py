"""What is to be done with the films of a run."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from calcimeasure import __version__
from calcimeasure.io.given.inputs import Input
from calcimeasure.io.given.mask_folder import mask_of_film
from calcimeasure.io.given.spacing_table import SpacingTable
from calcimeasure.model.image import Spacing, SpacingOrigin
from calcimeasure.model.scale import ScaleRequest
from calcimeasure.recipe import Recipe


class Begin(StrEnum):
    """What to do with the results that lie in the folder already."""

    NEW = "new"  # there must be none
    RESUME = "resume"
    OVERWRITE = "overwrite"


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with every film of a run, and where the results go.

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
    spacing_table : SpacingTable or None
        The user's table before its rows have found their films, see `for_films`.
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
    begin : Begin
        What to do with results that are there already.
    leave_out : str
        Images whose path begins so are no part of the run; empty is to take all.
    demo : bool
        Whether this is the demonstration, which nothing but another one may begin over.
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
    spacing_sd_percent: float | None = None
    spacing_sds_percent: Mapping[str, float] = field(default_factory=dict)
    spacing_table: SpacingTable | None = None
    scale: ScaleRequest = field(default_factory=ScaleRequest)
    begin: Begin = Begin.NEW
    leave_out: str = ""
    demo: bool = False

    @property
    def reads(self) -> tuple[Path, ...]:
        """Files and folders that are read beside the films; none may lie in the results folder."""
        return tuple(path for path in (self.masks, self.regions, *self.mask_files.values()) if path is not None)

    def for_films(self, films: Sequence[Input]) -> Job:
        """The job that knows which row of the user's table speaks of which of these films.

        Raises
        ------
        TableError
            When a row fits no film or several, or a film several rows.
        """
        if self.spacing_table is None:
            return self
        found = self.spacing_table.by_image(films)
        errors = {image: row.sd_percent for image, row in found.items() if row.sd_percent is not None}
        return replace(
            self,
            spacings_mm={image: row.mm for image, row in found.items()},
            spacing_sds_percent=errors,
            spacing_table=None,
        )

    def spacing_of(self, image: str) -> float | None:
        """The user's millimetres per pixel for an image: its row of the table, else the one number."""
        return self.spacings_mm.get(image, self.spacing_mm)

    def user_spacing(self, image: str) -> Spacing | None:
        """The user's scale of an image with its error; `None` where the user gave none."""
        mm, percent = self.spacing_of(image), self.spacing_sds_percent.get(image, self.spacing_sd_percent)
        if mm is None or percent is None:
            return None if mm is None else Spacing.of(mm, mm, SpacingOrigin.USER)
        return Spacing.with_errors(mm, mm, SpacingOrigin.USER, user=percent / 100)

    def mask_of(self, item: Input, sha256: str) -> Path | None:
        """The label image that the user wants measured; `None` is to segment.

        Raises
        ------
        MaskError
            When the folder of masks has one that could be another film's as well.
        """
        if item.image in self.mask_files:
            return self.mask_files[item.image]
        return mask_of_film(self.masks, item, sha256) if self.masks else None


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
        **({"demo": True} if job.demo else {}),
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
            "max_megapixels": float(job.max_megapixels),
        },
        "spacing_mm": job.spacing_mm,
        "spacing_table": dict(job.spacings_mm),
        "spacing_sd_percent": job.spacing_sd_percent,
        "spacing_sd_percent_table": dict(job.spacing_sds_percent),
        "scale": asdict(job.scale),
        "python": platform.python_version(),
        **foundation(),
    }


@cache
def foundation() -> dict[str, dict[str, str | None]]:
    """What numbers rest on beside the recipe: the packages that matter, and how OpenCV calculates.

    A film that was measured on another foundation is measured again when a run goes on, so that what run.json tells
    holds for every row.
    """
    return {"packages": {name: metadata.version(name) for name in _MATTERS}, "arithmetic": arithmetic()}


def arithmetic() -> dict[str, str | None]:
    """What else the last digits depend on: the build of Intel IPP that OpenCV calculates with, `None` without it.

    Resizing by lines or cubes, chamfer distances and template matching round otherwise with IPP than without; on the
    sample images areas of films stay equal, one photo differs by 1 of 2176 px, and standard deviations differ in the
    sixth digit. ``OPENCV_IPP=disabled`` takes IPP away.
    """
    import cv2

    return {"opencv_ipp": cv2.ipp.getIppVersion() if cv2.ipp.useIPP() else None}
