"""calcimeasure measures calcinosis: outlines, areas and densities with error bars.

The public names below are found when they are first used; importing the package does nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from calcimeasure.errors import CalcimeasureError as CalcimeasureError
    from calcimeasure.io.given.profile_file import read_profile as read_profile
    from calcimeasure.io.given.recipe_file import read_recipe as read_recipe
    from calcimeasure.io.given.sources_table import read_sources as read_sources
    from calcimeasure.io.given.spacing_table import SpacingTable as SpacingTable
    from calcimeasure.io.given.spacing_table import read_spacings as read_spacings
    from calcimeasure.io.images.read import read_image as read_image
    from calcimeasure.io.results.marker_sheet import write_marker_sheet as write_marker_sheet
    from calcimeasure.model.deposit import Deposit as Deposit
    from calcimeasure.model.deposit import Excluded as Excluded
    from calcimeasure.model.deposit import Measurement as Measurement
    from calcimeasure.model.deposit import Reason as Reason
    from calcimeasure.model.deposit import Segmentation as Segmentation
    from calcimeasure.model.image import Acquisition as Acquisition
    from calcimeasure.model.image import Image as Image
    from calcimeasure.model.image import Kind as Kind
    from calcimeasure.model.image import Meaning as Meaning
    from calcimeasure.model.image import Polarity as Polarity
    from calcimeasure.model.image import Spacing as Spacing
    from calcimeasure.model.image import SpacingOrigin as SpacingOrigin
    from calcimeasure.model.labels import Labels as Labels
    from calcimeasure.model.precision import Precision as Precision
    from calcimeasure.model.quantity import Quantity as Quantity
    from calcimeasure.model.scale import Scale as Scale
    from calcimeasure.model.scale import ScaleRequest as ScaleRequest
    from calcimeasure.model.scale import ScaleSource as ScaleSource
    from calcimeasure.recipe import Analysis as Analysis
    from calcimeasure.recipe import Recipe as Recipe
    from calcimeasure.recipe import analyse as analyse
    from calcimeasure.run.crew import Crew as Crew
    from calcimeasure.run.crew import InThisProcess as InThisProcess
    from calcimeasure.run.describe import describe_films as describe_films
    from calcimeasure.run.describe import scales_of as scales_of
    from calcimeasure.run.films import FolderRun as FolderRun
    from calcimeasure.run.films import measure_folder as measure_folder
    from calcimeasure.run.job import Begin as Begin
    from calcimeasure.run.job import Job as Job
    from calcimeasure.run.plan import draw_power as draw_power
    from calcimeasure.run.processes import Processes as Processes
    from calcimeasure.run.progress import Progress as Progress
    from calcimeasure.run.progress import Stage as Stage
    from calcimeasure.run.repeats import RepeatsRun as RepeatsRun
    from calcimeasure.run.repeats import repeatability_of as repeatability_of
    from calcimeasure.run.study import FilmFile as FilmFile
    from calcimeasure.run.study import StudyRun as StudyRun
    from calcimeasure.run.study import compare_films as compare_films
    from calcimeasure.run.study import run_study as run_study
    from calcimeasure.run.trial import Advice as Advice
    from calcimeasure.run.validate import Truth as Truth
    from calcimeasure.run.validate import ValidationRun as ValidationRun
    from calcimeasure.run.validate import validate_folder as validate_folder
    from calcimeasure.steps.agreement.power import Endpoint as Endpoint
    from calcimeasure.steps.agreement.power import MeasurementError as MeasurementError
    from calcimeasure.steps.agreement.power import TrialPlan as TrialPlan
    from calcimeasure.steps.agreement.power import least_effect as least_effect
    from calcimeasure.steps.agreement.power import power_of as power_of
    from calcimeasure.steps.agreement.power import sample_size as sample_size
    from calcimeasure.steps.measure.area import measure as measure
    from calcimeasure.steps.measure.density import density as density
    from calcimeasure.steps.measure.wedge import calibrate_wedge as calibrate_wedge
    from calcimeasure.steps.outline import segment as segment
    from calcimeasure.steps.outline.photo import segment_photo as segment_photo
    from calcimeasure.steps.scale.find import find_scale as find_scale
    from calcimeasure.steps.scale.points import scale_from_points as scale_from_points

_HOME = {
    "Acquisition": "model.image",
    "Advice": "run.trial",
    "Analysis": "recipe",
    "Begin": "run.job",
    "CalcimeasureError": "errors",
    "Crew": "run.crew",
    "Deposit": "model.deposit",
    "Endpoint": "steps.agreement.power",
    "Excluded": "model.deposit",
    "FilmFile": "run.study",
    "FolderRun": "run.films",
    "Image": "model.image",
    "InThisProcess": "run.crew",
    "Job": "run.job",
    "Kind": "model.image",
    "Labels": "model.labels",
    "Meaning": "model.image",
    "Measurement": "model.deposit",
    "MeasurementError": "steps.agreement.power",
    "Polarity": "model.image",
    "Precision": "model.precision",
    "Processes": "run.processes",
    "Progress": "run.progress",
    "Quantity": "model.quantity",
    "Reason": "model.deposit",
    "Recipe": "recipe",
    "RepeatsRun": "run.repeats",
    "Scale": "model.scale",
    "ScaleRequest": "model.scale",
    "ScaleSource": "model.scale",
    "Segmentation": "model.deposit",
    "Spacing": "model.image",
    "SpacingOrigin": "model.image",
    "SpacingTable": "io.given.spacing_table",
    "Stage": "run.progress",
    "StudyRun": "run.study",
    "TrialPlan": "steps.agreement.power",
    "Truth": "run.validate",
    "ValidationRun": "run.validate",
    "analyse": "recipe",
    "calibrate_wedge": "steps.measure.wedge",
    "compare_films": "run.study",
    "density": "steps.measure.density",
    "describe_films": "run.describe",
    "draw_power": "run.plan",
    "find_scale": "steps.scale.find",
    "least_effect": "steps.agreement.power",
    "measure": "steps.measure.area",
    "measure_folder": "run.films",
    "power_of": "steps.agreement.power",
    "read_image": "io.images.read",
    "read_profile": "io.given.profile_file",
    "read_recipe": "io.given.recipe_file",
    "read_sources": "io.given.sources_table",
    "read_spacings": "io.given.spacing_table",
    "repeatability_of": "run.repeats",
    "run_study": "run.study",
    "sample_size": "steps.agreement.power",
    "scale_from_points": "steps.scale.points",
    "scales_of": "run.describe",
    "segment": "steps.outline",
    "segment_photo": "steps.outline.photo",
    "validate_folder": "run.validate",
    "write_marker_sheet": "io.results.marker_sheet",
}

__version__ = "0.2.0"
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    """Find a public name at its home on first use (PEP 562), so that importing the package stays free."""
    if name not in _HOME:
        raise AttributeError(f"module 'calcimeasure' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"calcimeasure.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """The public names."""
    return [*__all__, "__version__"]
