"""One film of a run: what is to be done with it, and the record that comes of it.

A worker takes a path and gives a record, which carries the mask and the picture as bytes; it writes nothing.
"""

from __future__ import annotations

import base64
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calcimeasure import __version__
from calcimeasure.errors import CalcimeasureError, OutputError, ReadError
from calcimeasure.io.given.inputs import Input
from calcimeasure.io.given.mask_folder import mask_of_film
from calcimeasure.io.given.spacing_table import SpacingTable
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.results.mask_pixels import mask_bytes
from calcimeasure.io.results.masks import find_region, label_bytes, read_labels, read_region
from calcimeasure.io.results.record import Record, files_of
from calcimeasure.model.image import Image, Kind, Spacing, SpacingOrigin
from calcimeasure.model.scale import ScaleRequest
from calcimeasure.recipe import Recipe
from calcimeasure.report.plain_text import plain

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
    threads : int
        Threads each worker may use.
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
    threads: int = 1
    spacing_sd_percent: float | None = None
    spacing_sds_percent: Mapping[str, float] = field(default_factory=dict)
    spacing_table: SpacingTable | None = None
    scale: ScaleRequest = field(default_factory=ScaleRequest)
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
            "max_megapixels": job.max_megapixels,
        },
        "spacing_mm": job.spacing_mm,
        "spacing_table": dict(job.spacings_mm),
        "spacing_sd_percent": job.spacing_sd_percent,
        "spacing_sd_percent_table": dict(job.spacing_sds_percent),
        "scale": asdict(job.scale),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in _MATTERS},
        "arithmetic": arithmetic(),
    }


def arithmetic() -> dict[str, str | None]:
    """What else the last digits depend on: the build of Intel IPP that OpenCV calculates with, `None` without it.

    Resizing by lines or cubes, chamfer distances and template matching round otherwise with IPP than without; on the
    sample images areas of films stay equal, one photo differs by 1 of 2176 px, and standard deviations differ in the
    sixth digit. ``OPENCV_IPP=disabled`` takes IPP away.
    """
    import cv2

    return {"opencv_ipp": cv2.ipp.getIppVersion() if cv2.ipp.useIPP() else None}


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
    return Record(key, row, deposits, excluded, base64.b64encode(thumbnail).decode(), parts, pixels, files)


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
    return replace(found, warnings=tuple(words for words in found.warnings if words not in stale))


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
    """Everything a record depends on: the bytes read, the recipe, the version, and what the user said of this image."""
    said = (job.user_spacing(item.image), job.scale, job.frame, job.kind)
    mask, region = (one.sha256 if one else "-" for one in (its.mask, its.region))
    return ":".join(map(str, (its.film.sha256, job.recipe.hash, __version__, *said, mask, region)))


def _hash_alone(item: Input) -> str:
    """What is known of a film whose mask or region cannot be read; empty when not even it can."""
    with suppress(ReadError):
        return f"{FileBytes.of(item.path).sha256}:"
    return ""


def lost_file(task: Task, job: Job, why: str) -> Record:
    """The record of a file whose worker died or took too long."""
    return failed(task.item, _hash_alone(task.item), job, f"{plain(task.item.path.name)} {why}")
